/* Decades in which a customer does nothing, and the end of all years: settling
 * goes on for everybody, and answers are those of the first day. */
#include "support/entitled.h"

#include "entitlement/quota_file.h"

static met__quota_table *table;

static int with_table(void **state)
{
    int failed = billing_setup(state);

    fresh();
    assert_ok(met__quota_open_store(store, &table, &told));
    return failed;
}

static int without_table(void **state)
{
    met__quota_close(table);
    table = NULL;
    return billing_teardown(state);
}

#define METERED(every, more)                                             \
    ",\"type\":\"metered\",\"usage_period\":{\"interval\":\"" every      \
    "\",\"anchor\":\"2026-03-01T00:00:00Z\"},\"issue_after_reset\":"     \
    "\"10\"" more

static void decades_are_one_step(void **state)
{
    static const char *const years[] = {"2058", "2190"};

    (void)state;
    must_put_customer("ariel");
    assert_ok(entitle(METERED("PT1H", ""), 0));
    must_grant(",\"amount\":\"5\",\"recurrence\":{\"interval\":\"PT1H\"}");
    must_grant(",\"amount\":\"100\",\"priority\":2");
    must_use("ariel", "2026-03-15T10:31:00Z", 3);
    must_settle();
    for (size_t i = 0; i < 2; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s-03-15T10:30:00Z", years[i]);
        assert_value(text, "115", "0", "0", "115");
        clock_now_ns = time_of(text);
        must_settle();
        snprintf(text, sizeof text, "%s-03-15T10:31:00Z", years[i]);
        must_use("ariel", text, 7);
        must_settle();
        assert_value(text, "108", "7", "0", "115");
        assert_string_equal(shown("current_usage_period.to") + 11,
                            "11:00:00Z");
        /* What was asked for is listed, as far as it goes. */
        met_buffer *buffer = fresh();
        assert_ok(keep(met_entitlement_history(
                           store, "ariel", 5, "example_service", 15,
                           clock_now_ns - MET__DAY_NS, clock_now_ns,
                           MET_HISTORY_HOUR, buffer, &told), buffer));
    }
}

static void debt_of_decades(void **state)
{
    (void)state;
    must_put_customer("ariel");
    assert_ok(entitle(METERED("PT1H", ",\"is_soft_limit\":true,"
                                      "\"preserve_overage_at_reset\":true"),
                      0));
    must_use("ariel", "2026-03-15T10:31:00Z", 90);
    must_settle();
    assert_value("2026-03-15T10:40:00Z", "0", "90", "80", "10");
    assert_value("2026-03-15T11:10:00Z", "0", "0", "70", "10");
    assert_value("2190-03-15T10:30:00Z", "10", "0", "0", "10");
    clock_now_ns = time_of("2190-03-15T10:30:00Z");
    must_settle();
    assert_value("2026-03-15T12:10:00Z", "0", "0", "60", "10");
}

static void the_last_period_lasts_to_the_end_of_time(void **state)
{
    (void)state;
    must_put_customer("ariel");
    assert_ok(entitle(METERED("P1Y", ""), 0));
    must_grant(",\"amount\":\"5\",\"recurrence\":{\"interval\":\"P7M\"}");
    must_put_customer("rosario");
    must_subscribe("rosario", "free", "");
    clock_now_ns = time_of("2200-12-30T10:30:00Z");
    must_use("ariel", "2200-12-30T10:30:00Z", 4);
    must_settle();
    assert_value("2200-12-31T23:59:00Z", "11", "4", "0", "15");
    assert_string_equal(shown("current_usage_period.to"),
                        "2200-12-31T23:59:59.999999999Z");
    /* Also of one that is begun by hand. */
    clock_now_ns += 2 * MET__MINUTE_NS;
    assert_ok(reset(NULL));
    must_settle();
    assert_value("2200-12-31T23:59:00Z", "11", "0", "0", "11");
    must_grant(",\"amount\":\"6\"");
    must_settle();
    assert_value("2200-12-31T23:59:00Z", "17", "0", "0", "17");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, with_table, without_table)
    const struct CMUnitTest tests[] = {
        CASE(decades_are_one_step),
        CASE(debt_of_decades),
        CASE(the_last_period_lasts_to_the_end_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
