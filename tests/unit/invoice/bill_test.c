/* Lines: late usage, prices and discounts of cards, what is booked once. */
#include "unit/invoice/invoice_support.h"

/* --- Corrections ---------------------------------------------------------- */
static void late_usage_is_a_line_of_the_next_invoice(void **state)
{
    (void)state;
    subscribe_from("rosario", "premium", FEBRUARY);
    must_use("consumer:rosario", "2026-02-10T10:00:00Z", 4999);
    must_settle();
    assert_ok(finalize("rosario", MARCH));
    assert_shown("totals.total", "1.00");
    /* Within the package that is paid: nothing to bill, nothing issued. */
    must_use("consumer:rosario", "2026-02-28T23:59:59Z", 1);
    must_settle();
    assert_told(finalize("rosario", MARCH), MET_E_CONFLICT, "as_of_ns",
                "nothing is due");
    must_use("consumer:rosario", "2026-02-28T23:59:59Z", 2);
    must_settle();
    assert_ok(preview("rosario", MARCH, 0));
    assert_ok(finalize("rosario", MARCH));
    assert_shown("number", "INV-0002");
    assert_shown("lines.0.is_correction", "true");
    assert_shown("lines.0.quantity", "3");
    assert_shown("lines.0.quantity_billed_before", "4999");
    assert_shown("lines.0.quantity_total", "5002");
    assert_shown("lines.0.period.from", FEBRUARY);
    assert_shown("totals.total", "1.00");
    assert_told(finalize("rosario", MARCH), MET_E_CONFLICT, "as_of_ns",
                "nothing is due");
    /* And once more, together with the period that has ended by then. */
    must_use("consumer:rosario", "2026-02-28T23:59:59Z", 5000);
    must_use("consumer:rosario", "2026-03-02T00:00:00Z", 1);
    must_settle();
    clock_now_ns = time_of("2026-04-01T00:00:00Z");
    assert_ok(finalize("rosario", NULL));
    assert_shown("lines.0.is_correction", "true");
    assert_shown("lines.0.totals.total", "1.00");
    assert_shown("lines.1.is_correction", "");
    assert_shown("lines.1.totals.total", "1.00");
    assert_shown("totals.total", "2.00");
    assert_shown("service_period.from", FEBRUARY);
    assert_shown("service_period.to", "2026-04-01T00:00:00Z");
}

#define MATRIX                                                                 \
    "{\"type\":\"matrix\",\"dimension\":\"route_name\",\"values\":[{"         \
    "\"value\":\"fast\",\"amount\":\"3\"},{\"value\":\"\",\"amount\":"      \
    "\"0.5\"}]%s}"

static void use_route(const char *route, unsigned count)
{
    must_use("a", "2026-02-10T10:00:00Z", 1);
    must_use_route("a", "2026-02-10T10:00:00Z", route, count);
}

static const char *matrix_card(const char *more)
{
    static char price[512];

    snprintf(price, sizeof price, MATRIX, more);
    return story_card(price, NULL);
}

/* Usage by route: each value its price, late usage its correction. */
static void a_price_by_dimension_bills_each_value(void **state)
{
    (void)state;
    must_publish_card("by_route", matrix_card(""));
    subscribe_from("a", "by_route", FEBRUARY);
    use_route("fast", 4);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "12.50");
    assert_shown("lines.0.quantity", "5");
    assert_shown("lines.0.detailed_lines.0.child_id", "matrix-price:");
    assert_shown("lines.0.detailed_lines.1.child_id", "matrix-price:fast");
    assert_shown("lines.0.detailed_lines.1.quantity", "4");
    use_route("fast", 1);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "3.50");
    assert_shown("lines.0.is_correction", "true");
    assert_shown("lines.0.quantity", "2");
    use_route("slow", 1);
    must_settle();
    assert_told(finalize("a", MARCH), MET_E_INVALID, "groups",
                "\"slow\" has no price");
}

/* What a published price goes by is never lumped together. */
static void a_priced_dimension_is_pinned(void **state)
{
    met__txn *txn = NULL;
    met__arena arena;
    met__meter *meter = NULL;

    (void)state;
    met__arena_init(&arena, met__store_platform(store));
    for (int is_published = 0; is_published < 2; is_published++) {
        if (is_published) {
            must_publish_card("by_route", matrix_card(""));
        }
        assert_ok(met__txn_begin(store, 0, &txn));
        assert_ok(met__meter_get(txn, MET__TEXT("api_requests"), &arena,
                                 &meter));
        const met__dimension *route =
            met__meter_dimension(meter, MET__TEXT("route_name"));
        assert_int_equal(meter->pinned >> (route - meter->dimensions) & 1,
                         is_published);
        met__txn_abort(txn);
    }
    met__arena_release(&arena);
}

static void other_values_cost_the_default(void **state)
{
    (void)state;
    must_publish_card("by_route",
                      matrix_card(",\"default_amount\":\"0.25\""));
    subscribe_from("a", "by_route", FEBRUARY);
    use_route("slow", 2);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "1.00");
}

/* Every request is an event: three are free. */
static void a_price_of_every_event_counts_them(void **state)
{
    (void)state;
    must_publish_card(
        "shares",
        story_card("{\"type\":\"percentage\",\"percentage\":\"50\","
                   "\"fixed_amount\":\"0.1\",\"free_events\":\"3\"}",
                   NULL));
    subscribe_from("a", "shares", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 7);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("lines.0.detailed_lines.0.child_id", "percentage-usage");
    assert_shown("lines.0.detailed_lines.0.totals.total", "3.50");
    assert_shown("lines.0.detailed_lines.1.child_id", "percentage-events");
    assert_shown("lines.0.detailed_lines.1.quantity", "4");
    assert_shown("totals.total", "3.90");
}

/* Rounding corrects itself: 0.001 each, 333 and then 333 more. */
static void rounding_is_of_the_whole_period(void **state)
{
    (void)state;
    must_publish_card(
        "cheap",
        story_card("{\"type\":\"unit\",\"amount\":\"0.001\"}", NULL));
    subscribe_from("a", "cheap", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 333);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "0.33");
    must_use("a", "2026-02-10T10:00:00Z", 333);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "0.34");
    must_use("a", "2026-02-10T10:00:00Z", 1);
    must_settle();
    assert_told(finalize("a", MARCH), MET_E_CONFLICT, "as_of_ns", "nothing");
}

/* A subject leaves for another customer after the subscription has ended: what
 * was billed for it shrinks. A negative invoice is not issued; what it would
 * give back is set off against the next one. */
static void less_usage_is_set_off(void **state)
{
    static const char alone[] = "{\"key\":\"a\",\"name\":\"A\"}";
    uint64_t before;

    (void)state;
    must_publish_card(
        "unit", story_card("{\"type\":\"unit\",\"amount\":\"1\"}", NULL));
    const char *id = subscribe_from("a", "unit", "2026-01-01T00:00:00Z");
    must_use("consumer:a", "2026-01-10T10:00:00Z", 5);
    must_use("consumer:a", "2026-02-10T10:00:00Z", 3);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "8.00");
    fresh();
    assert_ok(
        met_subscription_cancel(store, id, strlen(id), 0, 0, NULL, &told));
    assert_ok(met_customer_put(store, alone, strlen(alone), NULL, &told));
    must_use("a", "2026-03-02T10:00:00Z", 2);
    must_settle();
    assert_ok(preview("a", NULL, 0));
    assert_shown("lines.0.quantity", "-5");
    assert_shown("lines.0.totals.total", "-5.00");
    assert_shown("lines.1.totals.total", "-3.00");
    assert_shown("lines.2.totals.total", "2.00");
    assert_shown("totals.total", "-6.00");
    before = stored_digest();
    assert_told(finalize("a", NULL), MET_E_UNSUPPORTED, "totals.total",
                "negative");
    assert_true(stored_digest() == before);
    must_use("a", "2026-03-02T10:00:00Z", 10);
    must_settle();
    assert_ok(finalize("a", NULL));
    assert_shown("number", "INV-0002");
    assert_shown("totals.total", "4.00");
    assert_told(finalize("a", NULL), MET_E_CONFLICT, "as_of_ns", "nothing");
}

/* --- Other prices --------------------------------------------------------- */
static void every_price_of_the_engine(void **state)
{
    static const struct {
        const char *price;
        const char *total;
    } rows[] = {
        {"{\"type\":\"unit\",\"amount\":\"0.5\"}", "6.00"},
        {PACKAGE_5000, "1.00"},
        {"{\"type\":\"graduated\",\"tiers\":[{\"up_to\":\"10\",\"unit\":"
         "\"1\",\"flat\":\"5\"},{\"unit\":\"2\",\"flat\":\"7\"}]}",
         "26.00"},
        {"{\"type\":\"volume\",\"tiers\":[{\"up_to\":\"10\",\"unit\":\"1\"},"
         "{\"unit\":\"2\"}]}",
         "24.00"},
        {"{\"type\":\"dynamic\",\"multiplier\":\"1.5\"}", "18.00"},
        {"{\"type\":\"unit\",\"amount\":\"1\",\"commitments\":{\"minimum\":"
         "\"20\"}}",
         "20.00"},
        {"{\"type\":\"unit\",\"amount\":\"1\",\"commitments\":{\"maximum\":"
         "\"7\"}}",
         "7.00"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char key[16];
        char subject[32];
        snprintf(key, sizeof key, "p%u", i);
        must_publish_card(key, story_card(rows[i].price, NULL));
        subscribe_from(key, key, FEBRUARY);
        snprintf(subject, sizeof subject, "consumer:%s", key);
        must_use(subject, "2026-02-10T10:00:00Z", 12);
        must_settle();
        assert_ok(finalize(key, MARCH));
        assert_shown("totals.total", rows[i].total);
    }
}

static void discounts_come_from_the_card(void **state)
{
    (void)state;
    must_publish_card(
        "half",
        "{\"key\":\"example_service\",\"name\":\"Example\",\"feature\":"
        "{\"key\":\"example_service\"},\"billing_cadence\":\"P1M\",\"price\":"
        "{\"type\":\"unit\",\"amount\":\"1\"},\"discounts\":{\"percentage\":"
        "\"50\",\"usage\":\"2\"}}");
    subscribe_from("a", "half", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 12);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "5.00");
    assert_shown("totals.discounts_total", "5.00");
    must_use("a", "2026-02-10T10:00:00Z", 4);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "2.00");
}

/* The preview of an earlier instant does not take a billed period for a
 * running one. */
static void what_was_billed_is_not_open(void **state)
{
    (void)state;
    must_publish_card(
        "unit", story_card("{\"type\":\"unit\",\"amount\":\"1\"}", NULL));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 3);
    must_use("a", "2026-02-20T10:00:00Z", 2);
    must_settle();
    assert_ok(preview("a", "2026-02-15T00:00:00Z", MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines.0.quantity", "3");
    assert_ok(finalize("a", MARCH));
    assert_ok(preview("a", "2026-02-15T00:00:00Z", MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines", "[]");
    assert_ok(preview("a", MARCH, MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines.0.period.from", MARCH);
    assert_shown("lines.1", "");
}

/* A subscription that is ended in the past, after its months were billed, and
 * followed by another one: what was billed for them is given back, so that
 * their usage is not paid twice. Fees that were billed are final. */
static void what_is_ended_in_the_past_is_given_back(void **state)
{
    (void)state;
    must_publish_card(
        "unit", story_card("{\"type\":\"unit\",\"amount\":\"1\"}", NULL));
    must_publish_card(
        "dear", story_card("{\"type\":\"unit\",\"amount\":\"3\",\"commitments\""
                           ":{\"minimum\":\"10\"}}",
                           NULL));
    const char *id = subscribe_from("a", "dear", "2026-01-01T00:00:00Z");
    must_use("a", "2026-01-10T10:00:00Z", 5);
    must_use("a", "2026-02-10T10:00:00Z", 2);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("totals.total", "25.00");
    fresh();
    assert_ok(met_subscription_cancel(store, id, strlen(id),
                                      time_of(FEBRUARY), MET_ALLOW_PAST, NULL,
                                      &told));
    assert_ok(preview("a", NULL, MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines.0.period.from", FEBRUARY);
    assert_shown("lines.0.is_correction", "true");
    assert_shown("lines.0.quantity", "-2");
    assert_shown("lines.0.quantity_total", "0");
    assert_shown("totals.total", "-10.00");
    assert_shown("lines.1", "");
    must_subscribe("a", "unit", ",\"active_from\":\"" FEBRUARY "\"");
    must_use("a", "2026-02-10T10:00:00Z", 18);
    must_settle();
    assert_ok(finalize("a", MARCH));
    assert_shown("lines.0.totals.total", "-10.00");
    assert_shown("lines.1.quantity", "20");
    assert_shown("totals.total", "10.00");
    assert_told(finalize("a", MARCH), MET_E_CONFLICT, "as_of_ns", "nothing");
}

/* Periods of an ended subscription in another currency stand in nobody's way
 * once they are billed. */
static void another_currency_is_another_invoice(void **state)
{
    static const char euro[] =
        "{\"key\":\"euro\",\"name\":\"Euro\",\"currency\":\"EUR\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
        "\"name\":\"Default\",\"rate_cards\":[{\"key\":\"example_service\","
        "\"name\":\"E\",\"feature\":{\"key\":\"example_service\"},"
        "\"billing_cadence\":\"P1M\",\"price\":{\"type\":\"unit\",\"amount\":"
        "\"1\"}}]}]}";
    static const char customer[] =
        "{\"key\":\"a\",\"name\":\"A\",\"usage_attribution\":"
        "{\"subject_keys\":[\"a\"]}}";

    (void)state;
    must_publish("euro", euro);
    fresh();
    assert_ok(
        met_customer_put(store, customer, strlen(customer), NULL, &told));
    must_subscribe("a", "euro",
                   ",\"active_from\":\"2026-01-01T00:00:00Z\","
                   "\"active_to\":\"" FEBRUARY "\"");
    must_put_customer("a"); /* in USD from now on */
    must_subscribe("a", "premium", ",\"active_from\":\"" FEBRUARY "\"");
    must_use("a", "2026-01-10T10:00:00Z", 2);
    must_use("a", "2026-02-10T10:00:00Z", 2);
    must_settle();
    uint64_t before = stored_digest();
    assert_told(finalize("a", MARCH), MET_E_UNSUPPORTED, "currency",
                "EUR and USD");
    assert_true(stored_digest() == before);
    assert_ok(finalize("a", FEBRUARY));
    assert_shown("currency", "EUR");
    assert_shown("totals.total", "2.00");
    assert_ok(finalize("a", MARCH));
    assert_shown("currency", "USD");
    assert_shown("totals.total", "1.00");
}

/* Two lines of 34 digits each: both can be said, their sum cannot. */
static void a_sum_of_too_many_digits(void **state)
{
    static const char plan[] =
        "{\"key\":\"huge\",\"name\":\"H\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"p\",\"name\":"
        "\"P\",\"rate_cards\":["
        "{\"key\":\"first\",\"name\":\"F\",\"billing_cadence\":\"P1M\","
        "\"price\":{\"type\":\"flat\",\"amount\":"
        "\"99999999999999999999999999999999.99\"}},"
        "{\"key\":\"second\",\"name\":\"S\",\"billing_cadence\":\"P1M\","
        "\"price\":{\"type\":\"flat\",\"amount\":"
        "\"99999999999999999999999999999999.99\"}}]}]}";

    (void)state;
    must_publish("huge", plan);
    subscribe_from("a", "huge", FEBRUARY);
    uint64_t before = stored_digest();
    assert_told(preview("a", MARCH, 0), MET_E_OVERFLOW, "totals", "second");
    assert_told(finalize("a", MARCH), MET_E_OVERFLOW, "totals", "34 digits");
    assert_true(stored_digest() == before);
}

/* A backlog beyond one invoice is refused as a whole and billed in parts. */
static void a_backlog_is_billed_in_parts(void **state)
{
    (void)state;
    must_publish_card(
        "hourly",
        "{\"key\":\"example_service\",\"name\":\"E\",\"feature\":{\"key\":"
        "\"example_service\"},\"billing_cadence\":\"PT1H\",\"price\":{"
        "\"type\":\"unit\",\"amount\":\"1\"}}");
    subscribe_from("a", "hourly", "2025-09-01T00:00:00Z");
    must_use("a", "2025-09-10T10:00:00Z", 2);
    must_use("a", "2026-02-28T23:00:00Z", 3);
    must_settle();
    uint64_t before = stored_digest();
    assert_told(finalize("a", MARCH), MET_E_LIMIT, "as_of_ns", "4096 lines");
    assert_told(preview("a", MARCH, 0), MET_E_LIMIT, "as_of_ns", "earlier");
    assert_true(stored_digest() == before);
    assert_ok(finalize("a", "2026-01-01T00:00:00Z"));
    assert_shown("number", "INV-0001");
    assert_shown("totals.total", "2.00");
    assert_ok(finalize("a", MARCH));
    assert_shown("number", "INV-0002");
    assert_shown("totals.total", "3.00");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(late_usage_is_a_line_of_the_next_invoice),
        CASE(a_price_by_dimension_bills_each_value),
        CASE(a_priced_dimension_is_pinned),
        CASE(other_values_cost_the_default),
        CASE(a_price_of_every_event_counts_them),
        CASE(rounding_is_of_the_whole_period),
        CASE(less_usage_is_set_off),
        CASE(every_price_of_the_engine),
        CASE(discounts_come_from_the_card),
        CASE(what_was_billed_is_not_open),
        CASE(what_is_ended_in_the_past_is_given_back),
        CASE(another_currency_is_another_invoice),
        CASE(a_sum_of_too_many_digits),
        CASE(a_backlog_is_billed_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
