/* Access: what the documents say, when, and why not. */
#include "support/billing.h"
#include "support/kept.h"

#include "metering/entitlement.h"
#include "metering/event.h"

static met_error get(const char *customer, const char *feature,
                     const char *time)
{
    met_buffer *buffer = fresh();
    int64_t at_ns = time == NULL ? 0 : time_of(time);

    return keep(met_entitlement_get(store, customer, strlen(customer),
                                    feature, strlen(feature), at_ns, buffer,
                                    &told),
                buffer);
}

static met_error list(const char *customer, const char *time)
{
    met_buffer *buffer = fresh();
    int64_t at_ns = time == NULL ? 0 : time_of(time);

    return keep(met_entitlement_list(store, customer, strlen(customer), at_ns,
                                     buffer, &told),
                buffer);
}

static void a_hard_limit_ends_access(void **state)
{
    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 999);
    must_settle();
    assert_ok(get("ariel", "example_service", NULL));
    assert_shown("feature_key", "example_service");
    assert_shown("type", "metered");
    assert_shown("has_access", "true");
    assert_shown("balance", "1");
    assert_shown("usage", "999");
    assert_shown("overage", "0");
    assert_shown("total_available", "1000");
    assert_shown("is_soft_limit", "false");
    assert_shown("current_usage_period.from", "2026-03-01T00:00:00Z");
    assert_shown("current_usage_period.to", "2026-04-01T00:00:00Z");
    assert_shown("applied_at", "");
    assert_shown("reason", "");

    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 1);
    must_settle();
    assert_ok(get("ariel", "example_service", NULL));
    assert_shown("has_access", "false");
    assert_shown("balance", "0");
    assert_shown("reason", "usage_limit_reached");

    /* Beyond the limit, not through admit. */
    must_use_at("ariel", "example_service", time_of("2026-03-11T10:00:00Z"),
                5, 0);
    must_settle();
    assert_ok(get("ariel", "example_service", NULL));
    assert_shown("has_access", "false");
    assert_shown("usage", "1005");
    assert_shown("overage", "5");
    assert_shown("balance", "0");
    /* The next period begins anew. */
    assert_ok(get("ariel", "example_service", "2026-04-01T00:00:00Z"));
    assert_shown("has_access", "true");
    assert_shown("usage", "0");
    assert_shown("balance", "1000");
}

static void a_soft_limit_never_does(void **state)
{
    (void)state;
    must_put_customer("rosario");
    must_subscribe("rosario", "premium",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("consumer:rosario", "2026-03-10T10:00:00Z", 5001);
    must_settle();
    assert_ok(get("rosario", "example_service", NULL));
    assert_shown("has_access", "true");
    assert_shown("is_soft_limit", "true");
    assert_shown("balance", "0");
    assert_shown("overage", "1");
    assert_shown("reason", "");
}

static void other_services_and_subjects_do_not_count(void **state)
{
    (void)state;
    must_put_customer("ariel");
    must_put_customer("rosario");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("consumer:rosario", "2026-03-10T10:00:00Z", 7);
    must_use("nobody", "2026-03-10T10:00:00Z", 7);
    must_use_at("consumer:ariel", "reports", time_of("2026-03-10T10:00:00Z"),
                7, 0);
    must_use("consumer:ariel", "2026-02-28T23:59:59Z", 7);
    must_use("consumer:ariel", "2026-04-01T00:00:00Z", 7);
    must_use("consumer:ariel", "2026-03-31T23:59:59Z", 2);
    must_use("ariel", "2026-03-01T00:00:00Z", 1);
    must_settle();
    assert_ok(get("ariel", "example_service", NULL));
    assert_shown("usage", "3");
}

static void the_past_is_seen_as_it_was(void **state)
{
    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-02-01T00:00:00Z\"");
    must_use("consumer:ariel", "2026-02-10T10:00:30Z", 3);
    must_use("consumer:ariel", "2026-02-10T10:01:00Z", 4);
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 5);
    must_settle();
    assert_ok(get("ariel", "example_service", "2026-02-10T09:59:59Z"));
    assert_shown("usage", "0");
    assert_ok(get("ariel", "example_service", "2026-02-10T10:00:00Z"));
    assert_shown("usage", "3");
    assert_shown("current_usage_period.to", "2026-03-01T00:00:00Z");
    assert_ok(get("ariel", "example_service", "2026-02-28T12:00:00Z"));
    assert_shown("usage", "7");
    assert_ok(get("ariel", "example_service", NULL));
    assert_shown("usage", "5");
}

static void bounds_inside_a_minute_are_applied_at_its_start(void **state)
{
    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-10T10:20:30Z\"");
    must_use("consumer:ariel", "2026-03-10T10:19:59Z", 1);
    must_use("consumer:ariel", "2026-03-10T10:20:00Z", 2);
    must_use("consumer:ariel", "2026-03-10T10:20:59Z", 4);
    must_settle();
    assert_ok(get("ariel", "example_service", NULL));
    assert_shown("usage", "6");
    assert_shown("applied_at", "2026-03-10T10:20:00Z");
    assert_shown("current_usage_period.from", "2026-03-10T10:20:30Z");
    assert_ok(get("ariel", "example_service", "2026-03-10T10:20:00Z"));
    assert_shown("has_access", "true");
    assert_ok(get("ariel", "example_service", "2026-03-10T10:19:59Z"));
    assert_shown("has_access", "false");
}

static void static_and_boolean(void **state)
{
    (void)state;
    must_put_feature("{\"key\":\"sso\",\"name\":\"SSO\"}");
    must_put_feature("{\"key\":\"region\",\"name\":\"Region\"}");
    must_publish(
        "both",
        "{\"key\":\"both\",\"name\":\"Both\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
        "\"name\":\"Default\",\"rate_cards\":[{\"key\":\"sso\",\"name\":"
        "\"SSO\",\"feature\":{\"key\":\"sso\"},\"entitlement\":{\"type\":"
        "\"boolean\"}},{\"key\":\"region\",\"name\":\"Region\",\"feature\":"
        "{\"key\":\"region\"},\"entitlement\":{\"type\":\"static\","
        "\"config\":{\"zones\":[\"eu\",\"us\"]}}}]}]}");
    must_put_customer("ariel");
    must_subscribe("ariel", "both",
                   ",\"active_from\":\"2026-03-01T10:00:30Z\"");
    assert_ok(get("ariel", "sso", NULL));
    assert_shown("type", "boolean");
    assert_shown("has_access", "true");
    assert_shown("applied_at", "2026-03-01T10:00:00Z");
    assert_shown("usage", "");
    assert_ok(get("ariel", "region", NULL));
    assert_shown("type", "static");
    assert_shown("has_access", "true");
    assert_shown("config.zones", "[\"eu\",\"us\"]");
    assert_ok(list("ariel", NULL));
    assert_shown("items.0.feature_key", "sso");
    assert_shown("items.1.feature_key", "region");
    assert_shown("items.2", "");
}

static void without_access_it_says_why(void **state)
{
    (void)state;
    must_put_customer("ariel");
    assert_ok(get("ariel", "example_service", NULL));
    assert_shown("has_access", "false");
    assert_shown("reason", "no_subscription");
    assert_shown("type", "");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    assert_ok(get("ariel", "nothing", NULL));
    assert_shown("reason", "feature_not_found");
    assert_shown("has_access", "false");
    must_put_feature("{\"key\":\"sso\",\"name\":\"SSO\"}");
    assert_ok(get("ariel", "sso", NULL));
    assert_shown("reason", "no_entitlement");
    assert_ok(get("ariel", "example_service", "2026-02-28T23:59:59Z"));
    assert_shown("reason", "no_subscription");
    assert_ok(list("ariel", "2026-02-28T23:59:59Z"));
    assert_shown("items", "[]");
}

static void bad_input(void **state)
{
    met_buffer *buffer;

    (void)state;
    must_put_customer("ariel");
    assert_told(get("nobody", "example_service", NULL), MET_E_NOT_FOUND,
                "customer_key", "nobody");
    assert_told(list("nobody", NULL), MET_E_NOT_FOUND, "customer_key",
                "nobody");
    assert_told(get("", "x", NULL), MET_E_INVALID, "customer_key", "1 to");
    assert_told(get("ariel", "", NULL), MET_E_INVALID, "feature_key", "1 to");
    assert_told(get("a\nb", "x", NULL), MET_E_INVALID, "customer_key",
                "control");
    assert_told(get("ariel", "\xff", NULL), MET_E_INVALID, "feature_key",
                "UTF-8");
    buffer = fresh();
    assert_told(keep(met_entitlement_get(store, "ariel", 5, "x", 1, -1,
                                         buffer, &told),
                     buffer),
                MET_E_INVALID, "at_ns", "1970");
    buffer = fresh();
    assert_told(keep(met_entitlement_list(store, "ariel", 5, INT64_MAX,
                                          buffer, &told),
                     buffer),
                MET_E_INVALID, "at_ns", "2200");
    buffer = fresh();
    assert_told(keep(met_entitlement_get(store, NULL, 5, "x", 1, 0, buffer,
                                         &told),
                     buffer),
                MET_E_INVALID, "customer_key", "NULL");
    assert_told(keep(met_entitlement_get(NULL, "ariel", 5, "x", 1, 0,
                                         fresh(), &told),
                     buffer),
                MET_E_INVALID, "store", "NULL");
    assert_told(met_entitlement_get(store, "ariel", 5, "x", 1, 0, NULL,
                                    (fresh(), &told)),
                MET_E_INVALID, "json_out", "NULL");
    assert_told(met_entitlement_list(store, "ariel", 5, 0, NULL,
                                     (fresh(), &told)),
                MET_E_INVALID, "json_out", "NULL");
    assert_int_equal(
        met_entitlement_get(store, "ariel", 5, "x", 1, 0, NULL, NULL),
        MET_E_INVALID);
}

/* A meter of numbers, its feature, and a plan with 100 of it a month. */
static void must_put_gauge(const char *aggregation)
{
    char json[512];

    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"G\",\"event_type\":\"of_%s\","
             "\"aggregation\":\"%s\",\"value_property\":\"$.value\"}",
             aggregation, aggregation, aggregation);
    must_put_meter(json);
    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"G\",\"meter\":{\"key\":\"%s\"}}",
             aggregation, aggregation);
    must_put_feature(json);
    snprintf(json, sizeof json,
             "{\"key\":\"%s\",\"name\":\"G\",\"feature\":{\"key\":\"%s\"},"
             "\"billing_cadence\":\"P1M\",\"entitlement\":{\"type\":"
             "\"metered\",\"limit\":\"100\"}}",
             aggregation, aggregation);
    must_publish_card(aggregation, json);
    must_put_customer(aggregation);
    must_subscribe(aggregation, aggregation,
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
}

static void must_report(const char *subject, const char *time,
                        const char *value)
{
    char json[512];

    static unsigned id;
    met_ingest *ingest = NULL;
    snprintf(json, sizeof json,
             "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"//t\","
             "\"type\":\"of_%s\",\"subject\":\"%s\",\"time\":\"%s\","
             "\"data\":{\"value\":%s}}",
             ++id, subject, subject, time, value);
    fresh();
    assert_ok(met_ingest_open(store, NULL, &ingest, &told));
    assert_ok(met_event_ingest_json(ingest, json, strlen(json), 0, NULL, NULL,
                                    &told));
    met_ingest_close(ingest);
}

static void every_aggregation_is_held_against_its_limit(void **state)
{
    static const struct {
        const char *aggregation;
        const char *usage;
        const char *balance;
        const char *overage;
        const char *has_access;
        const char *usage_before;
    } rows[] = {
        {"latest", "50", "50", "0", "true", "120"},
        {"max", "120", "0", "20", "false", "120"},
        {"min", "10", "90", "0", "true", "10"},
        {"avg", "60", "40", "0", "true", "65"},
        {"unique_count", "3", "97", "0", "true", "2"},
        {"sum", "180", "0", "80", "false", "130"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *key = rows[i].aggregation;
        must_put_gauge(key);
        must_report(key, "2026-03-10T10:00:00Z", "10");
        must_report(key, "2026-03-11T10:00:00Z", "120");
        must_report(key, "2026-03-12T10:00:00Z", "50");
        assert_ok(get(key, key, NULL));
        if (strcmp(shown("usage"), rows[i].usage) != 0
            || strcmp(shown("balance"), rows[i].balance) != 0
            || strcmp(shown("overage"), rows[i].overage) != 0
            || strcmp(shown("has_access"), rows[i].has_access) != 0) {
            fail_msg("%s: usage %s, balance %s, overage %s", key,
                     shown("usage"), shown("balance"), shown("overage"));
        }
        assert_ok(get(key, key, "2026-03-11T12:00:00Z"));
        assert_shown("usage", rows[i].usage_before);
        assert_ok(get(key, key, "2026-04-01T00:00:00Z"));
        assert_shown("balance", "100");
    }
}

static int get_in_child(void *context)
{
    met_buffer buffer = {0};

    (void)context;
    return met_entitlement_get(store, "ariel", 5, "x", 1, 0, &buffer, NULL)
                   == MET_E_FORKED
               ? 0
               : 1;
}

static void a_child_is_told(void **state)
{
    (void)state;
    must_put_customer("ariel");
    assert_int_equal(in_child(get_in_child, NULL), 0);
}

static void memory_runs_out(void **state)
{
    met_error error;
    long live;
    long k = 0;

    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 3);
    must_settle();
    live = memory.live;
    do {
        fresh();
        forget_kept(store);
        memory.calls = 0;
        memory.fail_at = ++k;
        error = k % 2 ? get("ariel", "example_service", NULL)
                      : list("ariel", NULL);
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        forget_kept(store);
        assert_int_equal(memory.live, live);
    } while (error != MET_OK);
    assert_true(k > 5);
}

/* --- Rows for a snapshot -------------------------------------------------- */
typedef struct sight {
    unsigned count;
    met__quota_visit visits[8];
} sight;

static met_error see(void *context, const met__quota_visit *visit)
{
    sight *seen = context;

    assert_true(seen->count < 8);
    seen->visits[seen->count++] = *visit;
    return MET_OK;
}

static sight see_all(const char *customer_key, const char *time)
{
    met__customer *customer;
    met__terms_cache terms = {0};
    met__txn *txn;
    sight seen = {0};
    static met__arena arena;

    met__arena_release(&arena);
    met__arena_init(&arena, answer_arena.platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__customer_get(txn, met__text_z(customer_key), &arena,
                                       &customer),
                     MET_OK);
    assert_int_equal(met__entitlements_each(txn, customer, time_of(time),
                                            &terms, &arena, &seen, see),
                     MET_OK);
    met__txn_abort(txn);
    return seen;
}

static void rows_for_a_snapshot(void **state)
{
    const char *ends = ",\"active_from\":\"2026-03-01T00:00:00Z\","
                       "\"active_to\":\"2026-04-01T00:00:00Z\"";
    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free", ends);
    must_subscribe("ariel", "premium",
                   ",\"active_from\":\"2026-04-01T00:00:00Z\"");
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 3);
    must_use_at("ariel", "example_service", time_of("2026-03-10T10:00:00Z"),
                4, 0);
    must_settle();

    sight seen = see_all("ariel", "2026-03-10T10:00:00Z");
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.visits[0].taken, 3 * MET__QUOTA_UNIT);
    assert_int_equal(seen.visits[0].limit, 996 * MET__QUOTA_UNIT);
    assert_int_equal(seen.visits[0].row.limit,
                     1000 * MET__QUOTA_UNIT);
    assert_int_equal(seen.visits[0].row.flags, 0);
    assert_int_equal(seen.visits[1].row.limit,
                     5000 * MET__QUOTA_UNIT);
    assert_int_equal(seen.visits[1].row.flags, MET__QUOTA_SOFT);
    assert_int_equal(seen.visits[1].taken, 0);
    assert_int_equal(seen.visits[1].limit, 0);
    assert_true(seen.visits[0].row.key.low == seen.visits[1].row.key.low);
    /* What is over is not shown. */
    seen = see_all("ariel", "2026-04-01T00:00:00Z");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.visits[0].row.flags, MET__QUOTA_SOFT);
    see_all("ariel", "2026-06-01T00:00:00Z");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_hard_limit_ends_access),
        CASE(a_soft_limit_never_does),
        CASE(other_services_and_subjects_do_not_count),
        CASE(the_past_is_seen_as_it_was),
        CASE(bounds_inside_a_minute_are_applied_at_its_start),
        CASE(static_and_boolean),
        CASE(without_access_it_says_why),
        CASE(every_aggregation_is_held_against_its_limit),
        CASE(bad_input),
        CASE(a_child_is_told),
        CASE(memory_runs_out),
        CASE(rows_for_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
