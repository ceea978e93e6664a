/* Histories: windows against the usage in them, resets, bounds, refusals. */
#include "support/billing.h"
#include "support/kept.h"

#include "metering/entitlement.h"

static met_error history(const char *customer, const char *feature,
                         const char *from, const char *to, uint32_t window)
{
    met_buffer *buffer = fresh();

    return keep(met_entitlement_history(
                    store, customer, strlen(customer), feature,
                    strlen(feature), from ? time_of(from) : 0,
                    to ? time_of(to) : 0, window, buffer, &told),
                buffer);
}

static met_error days(const char *from, const char *to)
{
    return history("ariel", "example_service", from, to, MET_HISTORY_DAY);
}

static void row(const char *list, int index, const char *from,
                const char *usage, const char *balance, const char *overage)
{
    const char *const names[] = {"from", "usage", "balance_at_start",
                                 "overage_at_start"};
    const char *const expected[] = {from, usage, balance, overage};
    char path[64];

    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s.%d.%s", list, index, names[i]);
        if (expected[i] != NULL) {
            assert_shown(path, expected[i]);
        }
    }
}

static void windows_follow_the_usage(void **state)
{
    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-02-01T00:00:00Z\"");
    must_use("consumer:ariel", "2026-02-27T10:00:00Z", 300);
    must_use_at("consumer:ariel", "example_service",
                time_of("2026-02-28T23:59:59Z"), 720, 0);
    must_use("consumer:ariel", "2026-03-01T00:00:00Z", 5);
    must_use("consumer:ariel", "2026-03-01T12:00:00Z", 6);
    must_settle();
    assert_ok(days("2026-02-27T15:00:00Z", "2026-03-02T01:00:00Z"));
    assert_shown("feature_key", "example_service");
    assert_shown("from", "2026-02-27T00:00:00Z");
    assert_shown("to", "2026-03-03T00:00:00Z");
    row("windows", 0, "2026-02-27T00:00:00Z", "300", "1000", "0");
    row("windows", 1, "2026-02-28T00:00:00Z", "720", "700", "0");
    row("windows", 2, "2026-03-01T00:00:00Z", "11", "1000", "0");
    row("windows", 3, "2026-03-02T00:00:00Z", "0", "989", "0");
    assert_shown("windows.4", "");
    row("segments", 0, "2026-02-27T00:00:00Z", "1020", "1000", NULL);
    assert_shown("segments.0.to", "2026-03-01T00:00:00Z");
    assert_shown("segments.0.burned", "1000");
    assert_shown("segments.0.overage_at_end", "20");
    row("segments", 1, "2026-03-01T00:00:00Z", "11", "1000", NULL);
    assert_shown("segments.2", "");
    /* The end of a usage period is not the beginning of the next. */
    assert_ok(history("ariel", "example_service", "2026-02-28T23:00:00Z",
                      "2026-03-01T00:00:00Z", MET_HISTORY_HOUR));
    row("windows", 0, "2026-02-28T23:00:00Z", "720", "700", "0");
    assert_shown("windows.1", "");
    assert_shown("segments.0.overage_at_end", "20");
    assert_shown("segments.1", "");
    /* This usage period up to now, 10:30 on the 15th. */
    assert_ok(days(NULL, NULL));
    assert_shown("from", "2026-03-01T00:00:00Z");
    assert_shown("to", "2026-03-15T10:31:00Z");
    assert_shown("windows.14.to", "2026-03-15T10:31:00Z");
    assert_shown("windows.15", "");
}

static void what_begins_inside_a_minute_owns_it(void **state)
{
    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-02-10T10:20:30Z\"");
    must_use("consumer:ariel", "2026-02-10T10:20:00Z", 2);
    must_use("consumer:ariel", "2026-02-10T11:00:00Z", 3);
    must_use("consumer:ariel", "2026-03-10T10:19:59Z", 4);
    must_use("consumer:ariel", "2026-03-10T10:20:00Z", 9);
    must_settle();
    /* The first window begins with the minute in which the entitlement does. */
    assert_ok(history("ariel", "example_service", "2026-02-10T10:20:00Z",
                      "2026-02-10T12:00:00Z", MET_HISTORY_HOUR));
    row("windows", 0, "2026-02-10T10:20:00Z", "2", "1000", "0");
    row("windows", 1, "2026-02-10T11:00:00Z", "3", "998", "0");
    assert_shown("windows.2", "");
    assert_ok(history("ariel", "example_service", "2026-03-10T10:00:00Z",
                      "2026-03-10T12:00:00Z", MET_HISTORY_HOUR));
    row("windows", 0, "2026-03-10T10:00:00Z", "13", "995", "0");
    row("windows", 1, "2026-03-10T11:00:00Z", "0", "991", "0");
    assert_shown("segments.0.to", "2026-03-10T10:20:00Z");
    assert_shown("segments.0.usage", "4");
    assert_told(history("ariel", "example_service", "2026-02-10T10:19:00Z",
                        NULL, MET_HISTORY_HOUR),
                MET_E_INVALID, "from_ns", "began later");
    assert_ok(history("ariel", "example_service", "2026-02-10T10:40:00Z",
                      "2026-02-10T10:50:00Z", MET_HISTORY_HOUR));
    row("windows", 0, "2026-02-10T10:20:00Z", "2", "1000", "0");
    assert_shown("windows.0.to", "2026-02-10T11:00:00Z");
    assert_shown("windows.1", "");
}

static void bad_input(void **state)
{
    (void)state;
    must_put_customer("ariel");
    assert_told(days(NULL, NULL), MET_E_NOT_FOUND, "feature_key",
                "no entitlement");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2024-01-01T00:00:00Z\"");
    assert_told(history("nobody", "example_service", NULL, NULL, 0),
                MET_E_NOT_FOUND, "customer_key", "nobody");
    assert_told(history("ariel", "nothing", NULL, NULL, 0), MET_E_NOT_FOUND,
                "feature_key", "nothing");
    assert_told(days("2026-03-15T10:31:00Z", NULL), MET_E_INVALID, "from_ns",
                "before");
    assert_told(days("2026-03-01T00:00:00Z", "2026-03-15T10:31:00.1Z"),
                MET_E_INVALID, "to_ns", "future");
    assert_told(history("ariel", "example_service", NULL, NULL, 2),
                MET_E_INVALID, "window", "MET_HISTORY_HOUR");
    assert_told(history("ariel", "", NULL, NULL, 0), MET_E_INVALID,
                "feature_key", "1 to");
    assert_told(history("ariel", "example_service", "2024-01-01T00:00:00Z",
                        NULL, MET_HISTORY_HOUR),
                MET_E_LIMIT, "from_ns", "10000");
    fresh();
    assert_told(met_entitlement_history(store, "ariel", 5, "x", 1, -1, 0, 0,
                                        &(met_buffer){0}, &told),
                MET_E_INVALID, "from_ns", "1970");
    assert_told(met_entitlement_history(store, "ariel", 5, "x", 1, 0,
                                        INT64_MAX, 0, &(met_buffer){0},
                                        &told),
                MET_E_INVALID, "to_ns", "2200");
    assert_told(met_entitlement_history(store, "ariel", 5, "x", 1, 0, 0, 0,
                                        NULL, &told),
                MET_E_INVALID, "json_out", "NULL");
    must_put_feature("{\"key\":\"sso\",\"name\":\"SSO\"}");
    must_publish_card("login",
                      "{\"key\":\"sso\",\"name\":\"SSO\",\"feature\":{"
                      "\"key\":\"sso\"},\"entitlement\":{\"type\":"
                      "\"boolean\"}}");
    must_put_customer("rosario");
    must_subscribe("rosario", "login",
                   ",\"active_from\":\"2026-03-01T00:00:00Z\"");
    assert_told(history("rosario", "sso", NULL, NULL, 0), MET_E_INVALID,
                "feature_key", "not metered");
}

static void memory_runs_out(void **state)
{
    met_error error;
    long live;
    long k = 0;

    (void)state;
    must_put_customer("ariel");
    must_subscribe("ariel", "free",
                   ",\"active_from\":\"2026-02-01T00:00:00Z\"");
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 3);
    must_settle();
    live = memory.live;
    do {
        fresh();
        forget_kept(store);
        memory.calls = 0;
        memory.fail_at = ++k;
        error = days("2026-02-20T00:00:00Z", NULL);
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        forget_kept(store);
        assert_int_equal(memory.live, live);
    } while (error != MET_OK);
    assert_true(k > 5);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(windows_follow_the_usage),
        CASE(what_begins_inside_a_minute_owns_it),
        CASE(bad_input),
        CASE(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
