/* A plan of three phases, from subscription to entitlement and invoice: each
 * instant is entitled to and billed for by the phase that it lies in, also when
 * a subscription begins with a later phase, or changes its plan halfway. */
#include "unit/invoice/invoice_support.h"

#include "metering/entitlement.h"

#define CARD(PRICE, LIMIT)                                                \
    "{\"key\":\"example_service\",\"name\":\"E\",\"feature\":{\"key\":"   \
    "\"example_service\"},\"billing_cadence\":\"P1M\",\"price\":" PRICE   \
    ",\"entitlement\":{\"type\":\"metered\",\"limit\":\"" LIMIT "\"}}"
#define UNIT(AMOUNT) "{\"type\":\"unit\",\"amount\":\"" AMOUNT "\"}"
#define FEE(AMOUNT)                                                       \
    "{\"key\":\"fee\",\"name\":\"Fee\",\"billing_cadence\":\"P1M\","      \
    "\"price\":{\"type\":\"flat\",\"amount\":\"" AMOUNT "\"}}"

static const char ramp[] =
    "{\"key\":\"ramp\",\"name\":\"Ramp\",\"currency\":\"USD\","
    "\"billing_cadence\":\"P1M\",\"phases\":["
    "{\"key\":\"trial\",\"name\":\"Trial\",\"duration\":\"P15D\","
    "\"rate_cards\":[" CARD("{\"type\":\"free\"}", "10") "]},"
    "{\"key\":\"ramp\",\"name\":\"Ramp\",\"duration\":\"P1M\","
    "\"rate_cards\":[" CARD(UNIT("1"), "20") "]},"
    "{\"key\":\"full\",\"name\":\"Full\","
    "\"rate_cards\":[" FEE("31") "," CARD(UNIT("2"), "30") "]}]}";

static int setup(void **state)
{
    int failed = billing_setup(state);

    must_publish("ramp", ramp);
    must_publish_card("flat", FEE("62"));
    return failed;
}

static const char *limit_at(const char *time)
{
    met_buffer *buffer = fresh();

    assert_ok(keep(met_entitlement_get(store, "c", 1, "example_service", 15,
                                       time_of(time), buffer, &told),
                   buffer));
    return shown("total_available");
}

/* Trial until 16 February, ramp until 16 March, then full; periods begin on the
 * first of a month, because the anchor does. */
static void test_phases__in_turn(void **state)
{
    (void)state;
    clock_now_ns = time_of("2026-04-10T00:00:00Z");
    subscribe_from("c", "ramp", FEBRUARY);
    must_use("consumer:c", "2026-02-15T23:59:59Z", 5);
    must_use("consumer:c", "2026-02-16T00:00:00Z", 6);
    must_use("consumer:c", "2026-03-15T23:59:59Z", 7);
    must_use("consumer:c", "2026-03-16T00:00:00Z", 8);
    must_settle();
    assert_string_equal(limit_at("2026-02-15T23:59:59Z"), "10");
    assert_shown("usage", "5");
    assert_shown("current_usage_period.to", "2026-02-16T00:00:00Z");
    assert_string_equal(limit_at("2026-02-16T00:00:00Z"), "20");
    assert_shown("usage", "6");
    assert_shown("current_usage_period.to", MARCH);
    assert_string_equal(limit_at("2026-03-15T23:59:59Z"), "20");
    assert_shown("usage", "7");
    assert_string_equal(limit_at("2026-03-16T00:00:00Z"), "30");
    assert_shown("usage", "8");
    assert_ok(preview("c", "2026-04-01T00:00:00Z", 0));
    assert_shown("lines.0.period.from", "2026-02-16T00:00:00Z");
    assert_shown("lines.0.period.to", MARCH);
    assert_shown("lines.0.totals.total", "6.00");
    assert_shown("lines.1.period.to", "2026-03-16T00:00:00Z");
    assert_shown("lines.1.totals.total", "7.00");
    assert_shown("lines.2.key", "fee");
    assert_shown("lines.2.period.from", "2026-03-16T00:00:00Z");
    assert_shown("lines.2.totals.total", "16.00"); /* 16 of 31 days */
    assert_shown("lines.3.totals.total", "16.00"); /* 8 by 2 */
    assert_shown("lines.4", "");
}

static void test_phases__without_proration(void **state)
{
    (void)state;
    clock_now_ns = time_of("2026-04-10T00:00:00Z");
    must_publish("whole",
                 "{\"key\":\"whole\",\"name\":\"W\",\"currency\":\"USD\","
                 "\"billing_cadence\":\"P1M\",\"pro_rating_enabled\":false,"
                 "\"phases\":[{\"key\":\"p\",\"name\":\"P\",\"rate_cards\":["
                 FEE("31") "]}]}");
    must_put_customer("c");
    must_subscribe("c", "whole",
                   ",\"active_from\":\"2026-03-16T00:00:00Z\","
                   "\"billing_anchor\":\"2026-03-01T00:00:00Z\"");
    assert_ok(preview("c", "2026-04-01T00:00:00Z", 0));
    assert_shown("totals.total", "31.00");
}

static void test_phases__starting_with_a_later_one(void **state)
{
    (void)state;
    must_put_customer("c");
    must_subscribe("c", "ramp",
                   ",\"active_from\":\"" FEBRUARY
                   "\",\"starting_phase\":\"ramp\"");
    must_use("consumer:c", "2026-02-10T00:00:00Z", 5);
    must_settle();
    assert_string_equal(limit_at("2026-02-01T00:00:00Z"), "20");
    assert_string_equal(limit_at(MARCH), "30");
    assert_ok(preview("c", MARCH, 0));
    assert_shown("lines.0.totals.total", "5.00");
    assert_shown("lines.1", "");
}

/* Both sides of a change are parts of the same period. */
static void test_phases__changed_halfway(void **state)
{
    (void)state;
    must_put_customer("c");
    must_subscribe("c", "ramp",
                   ",\"active_from\":\"2026-01-01T00:00:00Z\","
                   "\"starting_phase\":\"full\"");
    char id[32];
    snprintf(id, sizeof id, "%s", shown("id"));
    clock_now_ns = time_of("2026-02-15T00:00:00Z");
    must_use("consumer:c", "2026-02-14T00:00:00Z", 3);
    must_settle();
    static const char json[] = "{\"plan\":{\"key\":\"flat\"}}";
    met_buffer *buffer = fresh();
    assert_ok(keep(met_subscription_change(store, id, strlen(id), json,
                                           sizeof json - 1, 0, 0, buffer,
                                           &told),
                   buffer));
    assert_shown("next.active_from", "2026-02-15T00:00:00Z");
    assert_ok(preview("c", "2026-02-01T00:00:00Z", 0));
    assert_shown("totals.total", "31.00");
    assert_ok(preview("c", MARCH, 0));
    assert_shown("lines.0.period.to", "2026-02-01T00:00:00Z");
    assert_shown("lines.1.key", "fee");
    assert_shown("lines.1.period.to", "2026-02-15T00:00:00Z");
    assert_shown("lines.1.totals.total", "15.50"); /* 14 of 28 days */
    assert_shown("lines.2.quantity", "0"); /* in January */
    assert_shown("lines.3.quantity", "3");
    assert_shown("lines.3.totals.total", "6.00");
    assert_shown("lines.4.plan.key", "flat");
    assert_shown("lines.4.totals.total", "31.00"); /* half of 62 */
    assert_shown("lines.5", "");
    /* Entitled by the first until the change, by nothing since. */
    assert_string_equal(limit_at("2026-02-14T23:59:59Z"), "30");
    assert_string_equal(limit_at("2026-02-15T00:00:00Z"), "");
    assert_shown("reason", "no_entitlement");
}

/* What was used beyond the allowance is owed by the next period's. */
static void test_phases__preserved_overage(void **state)
{
    (void)state;
    must_publish_card("kept",
                      story_card("{\"type\":\"free\"}",
                                 "{\"type\":\"metered\",\"limit\":\"10\","
                                 "\"is_soft_limit\":true,"
                                 "\"issue_after_reset_priority\":7,"
                                 "\"preserve_overage_at_reset\":true}"));
    must_put_customer("c");
    must_subscribe("c", "kept", ",\"active_from\":\"" FEBRUARY "\"");
    must_use("consumer:c", "2026-02-10T00:00:00Z", 13);
    must_settle();
    assert_string_equal(limit_at("2026-02-20T00:00:00Z"), "10");
    assert_shown("overage", "3");
    assert_string_equal(limit_at(MARCH), "10");
    assert_shown("balance", "7");
    assert_shown("overage", "0");
}

/* A plan for one customer alone. */
static void test_phases__custom(void **state)
{
    static const char json[] =
        "{\"customer\":{\"key\":\"c\"},\"active_from\":\"" FEBRUARY
        "\",\"custom_plan\":{\"name\":\"Own\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"p\",\"name\":"
        "\"P\",\"rate_cards\":[" FEE("7") "," CARD(UNIT("3"), "40") "]}]}}";

    (void)state;
    must_put_customer("c");
    met_buffer *buffer = fresh();
    assert_ok(keep(met_subscription_create(store, json, sizeof json - 1,
                                           MET_ALLOW_PAST, buffer, &told),
                   buffer));
    must_use("consumer:c", "2026-02-10T00:00:00Z", 2);
    must_settle();
    assert_string_equal(limit_at("2026-02-10T00:00:00Z"), "40");
    assert_shown("usage", "2");
    assert_ok(finalize("c", MARCH));
    assert_shown("totals.total", "13.00");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_phases__in_turn),
        TEST(test_phases__without_proration),
        TEST(test_phases__starting_with_a_later_one),
        TEST(test_phases__changed_halfway),
        TEST(test_phases__preserved_overage),
        TEST(test_phases__custom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
