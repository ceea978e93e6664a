/* Entitlements that stand alone, and resets: created, overridden, removed,
 * refused; whose usage they count from when. */
#include "support/entitled.h"

#define MONTHLY                                              \
    ",\"type\":\"metered\",\"usage_period\":{\"interval\":" \
    "\"P1M\",\"anchor\":\"2026-03-01T00:00:00Z\"}"

static int with_ariel(void **state)
{
    int failed = billing_setup(state);

    must_put_customer("ariel");
    return failed;
}

/* --- Creating ------------------------------------------------------------- */
static void a_metered_one_begins_now(void **state)
{
    (void)state;
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 7);
    must_settle();
    assert_ok(entitle(MONTHLY ",\"issue_after_reset\":\"100\"", 0));
    assert_int_equal(strlen(shown("id")), 26);
    assert_shown("type", "metered");
    assert_shown("active_from", "2026-03-15T10:30:00Z");
    assert_shown("measure_usage_from", "2026-03-15T10:30:00Z");
    assert_shown("issue_after_reset", "100");
    assert_value("2026-03-15T10:30:00Z", "100", "0", "0", "100");
    assert_int_equal(strlen(shown("entitlement_id")), 26);
    assert_shown("current_usage_period.from", "2026-03-15T10:30:00Z");
    assert_shown("current_usage_period.to", "2026-04-01T00:00:00Z");
    look("2026-03-15T10:29:00Z");
    assert_shown("has_access", "false");
    assert_shown("reason", "no_subscription");
}

static void usage_may_count_from_before(void **state)
{
    (void)state;
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 7);
    must_use("consumer:ariel", "2026-02-28T10:00:00Z", 3);
    must_settle();
    assert_ok(entitle(MONTHLY ",\"issue_after_reset\":\"100\","
                              "\"measure_usage_from\":"
                              "\"current_period_start\"",
                      0));
    assert_shown("measure_usage_from", "2026-03-01T00:00:00Z");
    assert_value("2026-03-15T10:30:00Z", "93", "7", "0", "100");
    assert_shown("current_usage_period.from", "2026-03-01T00:00:00Z");
    fresh();
    assert_ok(met_entitlement_remove(store, "ariel", 5, "example_service", 15,
                                     &told));
    clock_now_ns += MET__MINUTE_NS;
    assert_ok(entitle(MONTHLY ",\"issue_after_reset\":\"100\","
                              "\"measure_usage_from\":"
                              "\"2026-02-27T00:00:00Z\","
                              "\"preserve_overage_at_reset\":true",
                      0));
    assert_value("2026-03-15T10:31:00Z", "93", "7", "0", "100");
}

static void static_and_boolean_ones(void **state)
{
    (void)state;
    assert_ok(entitle(",\"type\":\"static\",\"config\":{\"a\":1},"
                      "\"active_to\":\"2026-03-16T00:00:00Z\"",
                      0));
    look("2026-03-15T10:30:00Z");
    assert_shown("has_access", "true");
    assert_shown("config.a", "1");
    look("2026-03-16T00:00:00Z");
    assert_shown("has_access", "false");
    assert_ok(entitle(",\"type\":\"boolean\",\"active_from\":"
                      "\"2026-03-16T00:00:00Z\"",
                      0));
    look("2026-03-16T00:00:00Z");
    assert_shown("type", "boolean");
    assert_shown("has_access", "true");
    assert_int_equal(reset(NULL), MET_E_INVALID);
    assert_int_equal(grant("ariel", "example_service", ",\"amount\":\"1\""),
                     MET_E_INVALID);
    assert_string_equal(told.field, "grant.feature.key");
}

static void bad_ones_are_refused_with_the_field(void **state)
{
    static const struct {
        const char *members;
        met_error error;
        const char *field;
    } rows[] = {
        {"", MET_E_INVALID, "entitlement.type"},
        {",\"type\":\"none\"", MET_E_INVALID, "entitlement.type"},
        {",\"type\":\"static\"", MET_E_INVALID, "entitlement.config"},
        {",\"type\":\"metered\"", MET_E_INVALID, "entitlement.usage_period"},
        {",\"type\":\"boolean\",\"config\":{}", MET_E_INVALID,
         "entitlement.config"},
        {",\"type\":\"boolean\",\"issue_after_reset\":\"1\"", MET_E_INVALID,
         "entitlement.issue_after_reset"},
        {",\"type\":\"metered\",\"usage_period\":{\"interval\":\"PT59M\"}",
         MET_E_INVALID, "entitlement.usage_period.interval"},
        {MONTHLY ",\"issue_after_reset\":\"-1\"", MET_E_INVALID,
         "entitlement.issue_after_reset"},
        {MONTHLY ",\"issue_after_reset\":\"1e15\"", MET_E_INVALID,
         "entitlement.issue_after_reset"},
        {MONTHLY ",\"issue_after_reset_priority\":3", MET_E_INVALID,
         "entitlement.issue_after_reset_priority"},
        {MONTHLY ",\"measure_usage_from\":\"then\"", MET_E_INVALID,
         "entitlement.measure_usage_from"},
        {MONTHLY ",\"measure_usage_from\":\"2026-03-15T10:30:01Z\"",
         MET_E_INVALID, "entitlement.measure_usage_from"},
        {MONTHLY ",\"active_from\":\"2026-03-15T10:27:59Z\"", MET_E_INVALID,
         "entitlement.active_from"},
        {MONTHLY ",\"active_to\":\"2026-03-15T10:30:00Z\"", MET_E_INVALID,
         "entitlement.active_to"},
        {MONTHLY ",\"is_unlimited\":true", MET_E_UNSUPPORTED,
         "entitlement.is_unlimited"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error error = entitle(rows[i].members, 0);
        if (error != rows[i].error
            || strcmp(told.field, rows[i].field) != 0) {
            fail_msg("%s: %s at %s: %s", rows[i].members,
                     met_error_name(error), told.field, told.reason);
        }
    }
    must_put_feature("{\"key\":\"phone\",\"name\":\"Phone\"}");
    fresh();
    const char *json =
        "{\"customer\":{\"key\":\"ariel\"},\"feature\":{\"key\":\"phone\"}"
        MONTHLY "}";
    assert_int_equal(met_entitlement_create(store, json, strlen(json), 0,
                                            NULL, &told),
                     MET_E_INVALID);
    assert_string_equal(told.field, "entitlement.feature.key");
    fresh();
    assert_ok(met_feature_archive(store, "example_service", 15, &told));
    assert_int_equal(entitle(MONTHLY, 0), MET_E_CONFLICT);
}

static void there_is_one_at_a_time(void **state)
{
    (void)state;
    assert_ok(entitle(MONTHLY ",\"active_to\":\"2026-03-20T00:00:00Z\"", 0));
    assert_int_equal(entitle(MONTHLY ",\"active_from\":"
                                     "\"2026-03-19T23:59:59Z\"",
                             0),
                     MET_E_CONFLICT);
    assert_int_equal(entitle(",\"type\":\"boolean\"", 0), MET_E_CONFLICT);
    assert_ok(entitle(MONTHLY ",\"active_from\":\"2026-03-20T00:00:00Z\"", 0));
    /* A subscription that entitles to the same. */
    met_buffer *buffer = fresh();
    const char *json =
        "{\"customer\":{\"key\":\"ariel\"},\"plan\":{\"key\":\"free\"}}";
    assert_int_equal(keep(met_subscription_create(store, json, strlen(json),
                                                  0, buffer, &told),
                          buffer),
                     MET_E_CONFLICT);
    buffer = fresh();
    assert_ok(keep(met_subscription_list(store, "ariel", 5, buffer, &told),
                   buffer));
    assert_shown("items.0", "");
}

/* --- Override, removal ---------------------------------------------------- */
static void an_override_takes_over(void **state)
{
    (void)state;
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 40);
    must_settle();
    assert_int_equal(entitle(MONTHLY, 1), MET_E_NOT_FOUND);
    assert_ok(entitle(MONTHLY ",\"issue_after_reset\":\"50\"", 0));
    must_grant(",\"amount\":\"30\"");
    assert_value("2026-03-15T10:30:00Z", "40", "40", "0", "80");
    clock_now_ns = time_of("2026-03-16T00:00:00Z");
    assert_ok(entitle(MONTHLY ",\"issue_after_reset\":\"500\","
                              "\"measure_usage_from\":"
                              "\"2026-03-15T10:30:00Z\"",
                      1));
    /* The grant paid 30 of the 40. */
    assert_value("2026-03-16T00:00:00Z", "490", "40", "0", "530");
    assert_value("2026-03-15T23:59:00Z", "40", "40", "0", "80");
    fresh();
    assert_ok(met_entitlement_remove(store, "ariel", 5, "example_service", 15,
                                     &told));
    look("2026-03-16T00:00:00Z");
    assert_shown("has_access", "false");
    fresh();
    assert_int_equal(met_entitlement_remove(store, "ariel", 5,
                                            "example_service", 15, &told),
                     MET_E_NOT_FOUND);
}

static void a_subscriptions_own_is_left_alone(void **state)
{
    (void)state;
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    assert_int_equal(entitle(MONTHLY, 1), MET_E_CONFLICT);
    assert_int_equal(entitle(MONTHLY, 0), MET_E_CONFLICT);
    fresh();
    assert_int_equal(met_entitlement_remove(store, "ariel", 5,
                                            "example_service", 15, &told),
                     MET_E_CONFLICT);
    assert_value("2026-03-15T10:30:00Z", "1000", "0", "0", "1000");
}

/* --- Resets --------------------------------------------------------------- */
static void a_reset_begins_a_period(void **state)
{
    (void)state;
    assert_ok(entitle(MONTHLY ",\"issue_after_reset\":\"50\"", 0));
    must_grant(",\"amount\":\"30\",\"max_rollover_amount\":\"10\"");
    must_use_at("ariel", "example_service", clock_now_ns, 12, 0);
    must_settle();
    clock_now_ns = time_of("2026-03-20T12:00:30Z");
    assert_value("2026-03-20T12:00:00Z", "68", "12", "0", "80");
    assert_ok(reset(NULL));
    assert_shown("balance", "60");
    assert_shown("usage", "0");
    assert_shown("current_usage_period.from", "2026-03-20T12:00:30Z");
    assert_shown("current_usage_period.to", "2026-04-20T12:00:00Z");
    assert_shown("applied_at", "2026-03-20T12:00:00Z");
    assert_int_equal(reset(NULL), MET_E_INVALID);
    assert_string_equal(told.field, "at");
    must_use_at("ariel", "example_service", clock_now_ns, 5, 0);
    must_settle();
    assert_value("2026-03-20T12:01:00Z", "55", "5", "0", "60");
    assert_value("2026-03-20T11:59:00Z", "68", "12", "0", "80");
    clock_now_ns = time_of("2026-03-21T00:00:00Z");
    assert_ok(reset("{\"retain_anchor\":true}"));
    assert_shown("current_usage_period.to", "2026-04-20T12:00:00Z");
}

static void debt_may_be_kept(void **state)
{
    (void)state;
    assert_ok(entitle(MONTHLY ",\"issue_after_reset\":\"50\","
                              "\"is_soft_limit\":true",
                      0));
    must_use_at("ariel", "example_service", clock_now_ns, 70, 0);
    must_settle();
    clock_now_ns = time_of("2026-03-20T12:00:00Z");
    assert_value("2026-03-20T12:00:00Z", "0", "70", "20", "50");
    assert_ok(reset("{\"preserve_overage\":true}"));
    assert_shown("balance", "30");
    assert_shown("total_available", "50");
    clock_now_ns = time_of("2026-03-21T12:00:00Z");
    assert_ok(reset("{}"));
    assert_shown("balance", "50");
}

static void resets_have_their_time(void **state)
{
    static const char *const bad[] = {
        "{\"at\":\"2026-03-15T10:30:01Z\"}",
        "{\"at\":\"2026-02-28T23:59:00Z\"}", "{\"at\":1}",
        "{\"when\":\"2026-03-15T10:30:00Z\"}", "[]", "{"};

    (void)state;
    assert_int_equal(reset(NULL), MET_E_NOT_FOUND);
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-01-10T00:00:00Z\","
                   "\"billing_anchor\":\"2026-01-01T00:00:00Z\"");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(reset(bad[i]), MET_E_INVALID);
    }
    /* A subscription's, at a boundary of its own. */
    assert_ok(reset("{\"at\":\"2026-03-01T00:00:00Z\"}"));
    assert_shown("current_usage_period.from", "2026-03-01T00:00:00Z");
    assert_ok(reset("{\"at\":\"2026-03-10T00:00:00Z\"}"));
    assert_int_equal(reset("{\"at\":\"2026-03-09T00:00:00Z\"}"),
                     MET_E_INVALID);
    assert_value("2026-03-09T00:00:00Z", "1000", "0", "0", "1000");
    assert_shown("current_usage_period.to", "2026-03-10T00:00:00Z");
    assert_value("2026-03-15T00:00:00Z", "1000", "0", "0", "1000");
    assert_shown("current_usage_period.to", "2026-04-10T00:00:00Z");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, with_ariel, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_metered_one_begins_now),
        CASE(usage_may_count_from_before),
        CASE(static_and_boolean_ones),
        CASE(bad_ones_are_refused_with_the_field),
        CASE(there_is_one_at_a_time),
        CASE(an_override_takes_over),
        CASE(a_subscriptions_own_is_left_alone),
        CASE(a_reset_begins_a_period),
        CASE(debt_may_be_kept),
        CASE(resets_have_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
