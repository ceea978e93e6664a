/* Periods to bill: what is due when, and how much of a fee. */
#include "unit/invoice/invoice_support.h"

/* --- When ----------------------------------------------------------------- */
static void due_is_what_has_ended(void **state)
{
    (void)state;
    subscribe_from("rosario", "premium", "2025-12-15T00:00:00Z");
    must_settle();
    assert_ok(preview("rosario", "2026-01-14T23:59:59.999999999Z", 0));
    assert_shown("lines", "[]");
    assert_ok(preview("rosario", "2026-01-15T00:00:00Z", 0));
    assert_shown("lines.0.period.to", "2026-01-15T00:00:00Z");
    assert_shown("lines.1", "");
    assert_ok(preview("rosario", NULL, 0));
    assert_shown("lines.2.period.to", "2026-03-15T00:00:00Z");
    assert_shown("lines.3", "");
    assert_told(finalize("rosario", "2026-03-15T10:30:01Z"), MET_E_INVALID,
                "as_of_ns", "later than now");
}

static void a_cancelled_period_ends_early(void **state)
{
    (void)state;
    const char *id = subscribe_from("rosario", "premium", MARCH);
    must_use("consumer:rosario", "2026-03-15T10:29:59Z", 1);
    must_use("consumer:rosario", "2026-03-15T10:30:00Z", 5000); /* too late */
    must_settle();
    fresh();
    assert_ok(
        met_subscription_cancel(store, id, strlen(id), 0, 0, NULL, &told));
    assert_ok(finalize("rosario", NULL));
    assert_shown("lines.0.quantity", "1");
    assert_shown("lines.0.period.to", "2026-03-15T10:30:00Z");
    assert_shown("totals.total", "1.00");
}

static void flat_fees(void **state)
{
    (void)state;
    must_publish(
        "fees",
        "{\"key\":\"fees\",\"name\":\"Fees\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
        "\"name\":\"Default\",\"rate_cards\":["
        "{\"key\":\"setup\",\"name\":\"Setup\",\"price\":{\"type\":\"flat\","
        "\"amount\":\"99\",\"payment_term\":\"in_advance\"}},"
        "{\"key\":\"base\",\"name\":\"Base fee\",\"billing_cadence\":\"P1M\","
        "\"price\":{\"type\":\"flat\",\"amount\":\"28\",\"payment_term\":"
        "\"in_advance\"}},"
        "{\"key\":\"support\",\"name\":\"Support\",\"billing_cadence\":"
        "\"P1M\",\"price\":{\"type\":\"flat\",\"amount\":\"10\"}}]}]}");
    must_put_customer("a");
    must_subscribe("a", "fees",
                   ",\"active_from\":\"2026-02-15T00:00:00Z\","
                   "\"billing_anchor\":\"2026-02-01T00:00:00Z\"");
    /* On the first day: what is paid in advance; half of February is 14. */
    clock_now_ns = time_of("2026-02-15T00:00:00Z");
    assert_ok(finalize("a", NULL));
    assert_shown("lines.0.key", "setup");
    assert_shown("lines.0.totals.total", "99.00");
    assert_shown("lines.1.key", "base");
    assert_shown("lines.1.totals.total", "14.00");
    assert_shown("lines.1.period.from", "2026-02-15T00:00:00Z");
    assert_shown("lines.1.full_period.from", "2026-02-01T00:00:00Z");
    assert_shown("lines.2", "");
    assert_shown("totals.total", "113.00");
    assert_told(finalize("a", NULL), MET_E_CONFLICT, "as_of_ns", "nothing");
    /* A month later: the full fee in advance, half of support in arrears. */
    clock_now_ns = time_of("2026-03-01T00:00:00Z");
    assert_ok(finalize("a", NULL));
    assert_shown("lines.0.key", "base");
    assert_shown("lines.0.totals.total", "28.00");
    assert_shown("lines.0.period.from", MARCH);
    assert_shown("lines.0.full_period", "");
    assert_shown("lines.1.key", "support");
    assert_shown("lines.1.totals.total", "5.00");
    assert_shown("totals.total", "33.00");
    /* The running period shows what is still to come. */
    assert_ok(preview("a", NULL, MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines.0.key", "support");
    assert_shown("lines.0.totals.total", "10.00");
    assert_shown("lines.1", "");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(due_is_what_has_ended),
        CASE(a_cancelled_period_ends_early),
        CASE(flat_fees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
