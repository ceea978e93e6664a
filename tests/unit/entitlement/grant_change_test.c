/* Grants in the store: created, listed, voided, refused; what balances and
 * access make of them. */
#include "support/entitled.h"

/* --- Documents ------------------------------------------------------------ */
static void a_grant_is_stored_as_it_was_asked_for(void **state)
{
    (void)state;
    must_subscribe_ariel();
    const char *id = must_grant(
        ",\"amount\":\"500\",\"priority\":3,\"effective_at\":"
        "\"2026-03-20T10:00:30Z\",\"expiration\":{\"duration\":\"month\","
        "\"count\":1},\"max_rollover_amount\":\"200\",\"recurrence\":{"
        "\"interval\":\"P1W\"},\"metadata\":{\"order\":\"A-7\"}");
    assert_shown("customer.key", "ariel");
    assert_shown("feature.key", "example_service");
    assert_shown("amount", "500");
    assert_shown("priority", "3");
    assert_shown("effective_at", "2026-03-20T10:00:30Z");
    assert_shown("applied_at", "2026-03-20T10:00:00Z");
    assert_shown("expires_at", "2026-04-20T10:00:30Z");
    assert_shown("expiration.duration", "month");
    assert_shown("expiration.count", "1");
    assert_shown("max_rollover_amount", "200");
    assert_shown("min_rollover_amount", "0");
    assert_shown("recurrence.interval", "P1W");
    assert_shown("recurrence.anchor", "2026-03-20T10:00:30Z");
    assert_shown("metadata.order", "A-7");
    assert_shown("voided_at", "");
    met_buffer *buffer = fresh();
    assert_ok(keep(met_grant_get(store, id, 26, buffer, &told), buffer));
    assert_shown("id", id);
    assert_shown("expires_at", "2026-04-20T10:00:30Z");
    assert_shown("metadata.order", "A-7");
}

static void what_is_left_out_has_defaults(void **state)
{
    (void)state;
    must_subscribe_ariel();
    must_grant(",\"amount\":\"500\"");
    assert_shown("priority", "0");
    assert_shown("effective_at", "2026-03-15T10:30:00Z");
    assert_shown("max_rollover_amount", "500");
    assert_shown("expires_at", "");
    assert_shown("recurrence", "");
}

static void grants_are_listed_by_feature_and_age(void **state)
{
    (void)state;
    must_subscribe_ariel();
    must_grant(",\"amount\":\"1\"");
    clock_now_ns += MET__SECOND_NS;
    must_grant(",\"amount\":\"2\"");
    met_buffer *buffer = fresh();
    assert_ok(keep(met_grant_list(store, "ariel", 5, NULL, 0, buffer, &told),
                   buffer));
    assert_shown("items.0.amount", "1");
    assert_shown("items.1.amount", "2");
    assert_shown("items.2", "");
    buffer = fresh();
    assert_ok(keep(met_grant_list(store, "ariel", 5, "other", 5, buffer,
                                  &told),
                   buffer));
    assert_shown("items.0", "");
    buffer = fresh();
    assert_int_equal(keep(met_grant_list(store, "nobody", 6, NULL, 0, buffer,
                                         &told),
                          buffer),
                     MET_E_NOT_FOUND);
    assert_string_equal(told.field, "customer_key");
}

/* The greatest and the smallest amounts add up, to the last digit. */
static void amounts_of_all_their_digits_are_exact(void **state)
{
    (void)state;
    must_put_customer("ariel");
    assert_ok(entitle(",\"type\":\"metered\",\"usage_period\":{\"interval\":"
                      "\"PT1H\"},\"issue_after_reset\":"
                      "\"999999999999999.999999999\"", 0));
    must_grant(",\"amount\":\"999999999999999.999999999\"");
    must_grant(",\"amount\":\"0.000000001\"");
    must_use("ariel", "2026-03-15T10:30:30Z", 7);
    must_settle();
    assert_value("2026-03-15T10:31:00Z", "1999999999999992.999999999", "7",
                 "0", "1999999999999999.999999999");
    clock_now_ns += 2 * MET__MINUTE_NS;
    assert_ok(reset(NULL));
}

static void bad_grants_are_refused_with_the_field(void **state)
{
    static const struct {
        const char *members;
        met_error error;
        const char *field;
    } rows[] = {
        {"", MET_E_INVALID, "grant.amount"},
        {",\"amount\":\"0\"", MET_E_INVALID, "grant.amount"},
        {",\"amount\":\"-1\"", MET_E_INVALID, "grant.amount"},
        {",\"amount\":\"1000000000000000\"", MET_E_INVALID, "grant.amount"},
        {",\"amount\":\"0.0000000001\"", MET_E_INVALID, "grant.amount"},
        {",\"amount\":\"1\",\"max_rollover_amount\":\"1e15\"",
         MET_E_INVALID, "grant.max_rollover_amount"},
        {",\"amount\":\"1\",\"min_rollover_amount\":\"1e-10\"",
         MET_E_INVALID, "grant.min_rollover_amount"},
        {",\"amount\":\"1\",\"priority\":256", MET_E_INVALID,
         "grant.priority"},
        {",\"amount\":\"1\",\"priority\":-1", MET_E_INVALID,
         "grant.priority"},
        {",\"amount\":\"1\",\"effective_at\":\"2026-02-28T23:59:59Z\"",
         MET_E_INVALID, "grant.effective_at"},
        {",\"amount\":\"1\",\"expiration\":{\"duration\":\"minute\","
         "\"count\":1}",
         MET_E_INVALID, "grant.expiration.duration"},
        {",\"amount\":\"1\",\"expiration\":{\"duration\":\"day\","
         "\"count\":0}",
         MET_E_INVALID, "grant.expiration.count"},
        {",\"amount\":\"1\",\"expiration\":{\"duration\":\"year\","
         "\"count\":200}",
         MET_E_INVALID, "grant.expiration"},
        {",\"amount\":\"1\",\"max_rollover_amount\":\"-1\"", MET_E_INVALID,
         "grant.max_rollover_amount"},
        {",\"amount\":\"1\",\"recurrence\":{\"interval\":\"PT59M\"}",
         MET_E_INVALID, "grant.recurrence.interval"},
        {",\"amount\":\"1\",\"recurrence\":{\"interval\":\"PT1H1S\"}",
         MET_E_INVALID, "grant.recurrence.interval"},
        {",\"amount\":\"1\",\"metadata\":[]", MET_E_INVALID,
         "grant.metadata"},
        {",\"amount\":\"1\",\"voided_at\":\"2026-03-15T10:30:00Z\"",
         MET_E_INVALID, "grant.voided_at"},
        {",\"amount\":\"1\",\"expires_after\":\"P1D\"", MET_E_UNSUPPORTED,
         "grant.expires_after"},
    };

    (void)state;
    must_subscribe_ariel();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error error = grant("ariel", "example_service", rows[i].members);
        if (error != rows[i].error
            || strcmp(told.field, rows[i].field) != 0) {
            fail_msg("%s: %s at %s: %s", rows[i].members,
                     met_error_name(error), told.field, told.reason);
        }
    }
    assert_int_equal(grant("nobody", "example_service", ",\"amount\":\"1\""),
                     MET_E_NOT_FOUND);
    assert_string_equal(told.field, "grant.customer.key");
    assert_int_equal(grant("ariel", "other", ",\"amount\":\"1\""),
                     MET_E_NOT_FOUND);
    assert_string_equal(told.field, "grant.feature.key");
    fresh();
    assert_int_equal(met_grant_create(store, "{}", 2, 4, NULL, &told),
                     MET_E_UNSUPPORTED);
    met_buffer *buffer = fresh();
    assert_ok(keep(met_grant_list(store, "ariel", 5, NULL, 0, buffer, &told),
                   buffer));
    assert_shown("items.0", "");
}

/* --- Balances ------------------------------------------------------------- */
static void a_top_up_pays_before_the_allowance(void **state)
{
    (void)state;
    must_subscribe_ariel(); /* 1000 a month, hard, since 1 March */
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 900);
    must_settle();
    must_grant(",\"amount\":\"500\"");
    assert_value("2026-03-15T10:30:00Z", "600", "900", "0", "1500");
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 300);
    must_settle();
    assert_value("2026-03-15T10:30:00Z", "300", "1200", "0", "1500");
    /* What is left of the grant goes on; the allowance is full again. */
    assert_value("2026-04-01T00:00:00Z", "1200", "0", "0", "1200");
}

static void overage_is_paid_by_a_later_grant(void **state)
{
    (void)state;
    must_subscribe_ariel();
    must_use_at("ariel", "example_service", time_of("2026-03-10T10:00:00Z"),
                1100, 0);
    must_settle();
    assert_value("2026-03-15T10:30:00Z", "0", "1100", "100", "1000");
    must_grant(",\"amount\":\"500\"");
    assert_value("2026-03-15T10:30:00Z", "400", "1100", "0", "1500");
    /* As it was before. */
    assert_value("2026-03-14T10:30:00Z", "0", "1100", "100", "1000");
}

static void a_grant_is_over_when_it_expires_or_is_voided(void **state)
{
    (void)state;
    must_subscribe_ariel();
    must_grant(",\"amount\":\"500\",\"effective_at\":\"2026-03-15T10:30:00Z\""
               ",\"expiration\":{\"duration\":\"day\",\"count\":1}");
    assert_value("2026-03-16T10:29:59Z", "1500", "0", "0", "1500");
    assert_value("2026-03-16T10:30:00Z", "1000", "0", "0", "1000");
    const char *id = must_grant(",\"amount\":\"70\"");
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 10);
    must_settle();
    clock_now_ns = time_of("2026-03-15T12:00:00Z");
    assert_value("2026-03-15T12:00:00Z", "1560", "10", "0", "1570");
    met_buffer *buffer = fresh();
    assert_ok(keep(met_grant_void(store, id, 26, 0, 0, buffer, &told),
                   buffer));
    assert_shown("voided_at", "2026-03-15T12:00:00Z");
    /* It burned last of both: nothing of it is spent. */
    assert_value("2026-03-15T12:00:00Z", "1490", "10", "0", "1500");
    assert_value("2026-03-15T11:59:00Z", "1560", "10", "0", "1570");
    buffer = fresh();
    assert_int_equal(keep(met_grant_void(store, id, 26, 0, 0, buffer, &told),
                          buffer),
                     MET_E_CONFLICT);
}

static void voids_have_their_time(void **state)
{
    (void)state;
    must_subscribe_ariel();
    const char *id = must_grant(",\"amount\":\"5\"");
    met_buffer *buffer = fresh();
    assert_int_equal(keep(met_grant_void(store, id, 26, clock_now_ns + 1, 0,
                                         buffer, &told),
                          buffer),
                     MET_E_INVALID);
    buffer = fresh();
    assert_int_equal(
        keep(met_grant_void(store, id, 26, time_of("2026-02-28T23:59:00Z"), 0,
                            buffer, &told),
             buffer),
        MET_E_INVALID);
    buffer = fresh();
    assert_int_equal(keep(met_grant_void(store,
                                         "01ARZ3NDEKTSV4RRFFQ69G5FAV", 26, 0,
                                         0, buffer, &told),
                          buffer),
                     MET_E_NOT_FOUND);
    buffer = fresh();
    assert_ok(keep(met_grant_void(store, id, 26,
                                  time_of("2026-03-01T00:00:00Z"), 0, buffer,
                                  &told),
                   buffer));
    assert_value("2026-03-15T10:30:00Z", "1000", "0", "0", "1000");
}

static void a_recurring_grant_is_full_again(void **state)
{
    (void)state;
    must_subscribe_ariel();
    must_grant(",\"amount\":\"50\",\"effective_at\":\"2026-03-01T00:00:00Z\","
               "\"recurrence\":{\"interval\":\"P1D\"},"
               "\"max_rollover_amount\":\"0\"");
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 60);
    must_settle();
    assert_value("2026-03-10T23:59:00Z", "990", "60", "0", "1050");
    assert_value("2026-03-11T00:00:00Z", "1040", "60", "0", "1100");
    /* A reset and a recurrence at once. */
    assert_value("2026-04-01T00:00:00Z", "1050", "0", "0", "1050");
}

/* A grant is the customer's: another plan takes what is left over. */
static void what_is_left_survives_a_change_of_plan(void **state)
{
    (void)state;
    const char *first = must_subscribe_ariel();
    must_grant(",\"amount\":\"500\"");
    must_use("consumer:ariel", "2026-03-15T10:30:00Z", 200);
    must_settle();
    clock_now_ns = time_of("2026-03-16T00:00:00Z");
    fresh();
    assert_ok(met_subscription_cancel(store, first, 26, 0, 0, NULL, &told));
    assert_value("2026-03-15T23:59:00Z", "1300", "200", "0", "1500");
    clock_now_ns = time_of("2026-03-20T00:00:00Z");
    must_use("consumer:ariel", "2026-03-18T10:30:00Z", 50);
    must_settle();
    must_subscribe("ariel", "premium", "");
    /* 5000 of the new plan; what was used in between is nobody's. */
    assert_value("2026-03-20T00:00:00Z", "5300", "0", "0", "5300");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_grant_is_stored_as_it_was_asked_for),
        CASE(what_is_left_out_has_defaults),
        CASE(grants_are_listed_by_feature_and_age),
        CASE(amounts_of_all_their_digits_are_exact),
        CASE(bad_grants_are_refused_with_the_field),
        CASE(a_top_up_pays_before_the_allowance),
        CASE(overage_is_paid_by_a_later_grant),
        CASE(a_grant_is_over_when_it_expires_or_is_voided),
        CASE(voids_have_their_time),
        CASE(a_recurring_grant_is_full_again),
        CASE(what_is_left_survives_a_change_of_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
