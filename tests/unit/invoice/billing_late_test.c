/* Interim invoices, and what becomes of usage that is late: by each policy. */
#include "unit/invoice/billing_support.h"

#include "metering/event.h"

static int setup(void **state)
{
    int failed = billing_setup(state);

    must_publish_unit();
    return failed;
}

static met_error interim(const char *customer)
{
    met_buffer *buffer = fresh();

    return keep(met_invoice_interim(store, customer, strlen(customer), 0,
                                    buffer, &told),
                buffer);
}

static void thresholds_make_interim_invoices(void **state)
{
    (void)state;
    assert_ok(put_profile("a", "{\"usage_thresholds\":[\"5\",\"10\"]}")
                      == MET_E_NOT_FOUND
                  ? MET_OK
                  : MET_E_BUG);
    subscribe_from("a", "unit", MARCH);
    assert_ok(put_profile("a", "{\"usage_thresholds\":[\"5\",\"10\"]}"));
    must_use("a", "2026-03-02T10:00:00Z", 4);
    must_settle();
    must_run("2026-03-03T00:00:30Z");
    assert_int_equal(report.drafts, 0);
    must_use("a", "2026-03-03T10:00:00Z", 3);
    must_settle();
    must_run("2026-03-04T00:00:30Z");
    assert_int_equal(report.interim, 1);
    assert_int_equal(report.issued, 1);
    assert_ok(get("INV-0001"));
    assert_shown("is_interim", "true");
    assert_shown("lines.0.is_open", "true");
    assert_shown("lines.0.usage_to", "2026-03-04T00:00:00Z");
    assert_shown("lines.0.quantity", "7");
    assert_shown("totals.total", "7.00");
    must_run("2026-03-05T00:00:00Z");
    assert_int_equal(report.drafts, 0);
    must_use("a", "2026-03-06T10:00:00Z", 2);
    must_settle();
    must_run("2026-03-07T00:00:00Z");
    assert_int_equal(report.drafts, 0);
    must_use("a", "2026-03-08T10:00:00Z", 20);
    must_settle();
    must_run("2026-03-09T00:00:00Z");
    assert_int_equal(report.interim, 1);
    assert_ok(get("INV-0002"));
    assert_shown("lines.0.quantity", "22");
    assert_shown("lines.0.quantity_total", "29");
    must_use("a", "2026-03-30T10:00:00Z", 1);
    must_settle();
    must_run("2026-04-01T02:00:00Z");
    assert_ok(get("INV-0003"));
    assert_shown("is_interim", "");
    assert_shown("lines.0.is_correction", "");
    assert_shown("lines.0.quantity", "1");
    assert_shown("lines.0.quantity_billed_before", "29");
    assert_shown("totals.total", "1.00");
}

static void an_interim_invoice_by_hand(void **state)
{
    (void)state;
    must_publish_card("least",
                      story_card("{\"type\":\"unit\",\"amount\":\"1\","
                                 "\"commitments\":{\"minimum\":\"10\"}}",
                                 NULL));
    subscribe_from("a", "least", MARCH);
    clock_now_ns = time_of("2026-03-02T12:00:00Z");
    assert_told(interim("a"), MET_E_CONFLICT, "as_of_ns", "nothing is due");
    must_use("a", "2026-03-02T10:00:00Z", 4);
    must_settle();
    assert_ok(interim("a"));
    assert_shown("totals.total", "4.00");
    assert_ok(preview("a", NULL, MET_INVOICE_OPEN_PERIOD));
    assert_shown("lines", "[]");
    assert_told(interim("a"), MET_E_CONFLICT, "as_of_ns", "nothing is due");
    must_run("2026-04-01T02:00:00Z");
    assert_ok(get("INV-0002"));
    assert_shown("lines.0.quantity", "0");
    assert_shown("totals.total", "6.00");
    assert_ok(put_profile(NULL, "{\"workflow\":{\"invoicing\":{"
                                "\"progressive_billing\":false}}}"));
    assert_told(interim("a"), MET_E_CONFLICT, "billing_profile",
                "progressive_billing");
}

/* A line of 34 digits before the point, and one of a cent. */
static void an_interim_sum_of_too_many_digits(void **state)
{
    static const char plan[] =
        "{\"key\":\"huge\",\"name\":\"H\",\"currency\":\"USD\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"p\",\"name\":"
        "\"P\",\"rate_cards\":["
        "{\"key\":\"example_service\",\"name\":\"F\",\"feature\":{\"key\":"
        "\"example_service\"},\"billing_cadence\":\"P1M\",\"price\":{"
        "\"type\":\"unit\",\"amount\":"
        "\"1000000000000000000000000000000000\"}},"
        "{\"key\":\"second\",\"name\":\"S\",\"feature\":{\"key\":"
        "\"second\"},\"billing_cadence\":\"P1M\",\"price\":{"
        "\"type\":\"unit\",\"amount\":\"0.01\"}}]}]}";

    (void)state;
    must_put_feature("{\"key\":\"second\",\"name\":\"Second\",\"meter\":{"
                     "\"key\":\"api_requests\"}}");
    must_publish("huge", plan);
    subscribe_from("a", "huge", MARCH);
    must_use("a", "2026-03-02T10:00:00Z", 1);
    must_settle();
    clock_now_ns = time_of("2026-03-02T12:00:00Z");
    assert_ok(put_profile("a", "{\"usage_thresholds\":[\"5\"]}"));
    uint64_t before = stored_digest();
    assert_told(interim("a"), MET_E_OVERFLOW, "totals", "34 digits");
    assert_told(preview("a", NULL, MET_INVOICE_OPEN_PERIOD), MET_E_OVERFLOW,
                "totals", "\"second\"");
    assert_true(stored_digest() == before);
    assert_ok(run_on(store, NULL));
    assert_int_equal(report.failed, 1);
    assert_string_equal(report.failed_name, "a");
    assert_non_null(strstr(report.failed_reason, "34 digits"));
    assert_int_equal(report.drafts + report.issued, 0);
}

/* Late usage that takes something away is a credit note at once. */
static void corrections_by_credit_note(void **state)
{
    char id[32];

    (void)state;
    assert_ok(put_profile(NULL, "{\"late_usage\":\"credit_note\"}"));
    snprintf(id, sizeof id, "%s", subscribe_from("a", "unit", FEBRUARY));
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_use("a", "2026-03-05T10:00:00Z", 4);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    must_run("2026-04-01T02:00:00Z");
    must_cancel(id, MARCH);
    must_run("2026-04-02T00:00:00Z");
    assert_int_equal(report.credit_notes, 1);
    assert_int_equal(report.drafts, 0);
    assert_ok(get("CN-0001"));
    assert_shown("type", "credit_note");
    assert_shown("invoice.number", "INV-0002");
    assert_shown("totals.total", "-4.00");
    assert_shown("lines.0.quantity", "-4");
    assert_shown("available_actions", "");
    must_run("2026-04-03T00:00:00Z");
    assert_int_equal(report.credit_notes, 0);
    assert_told(credit("INV-0002", "{\"reason\":\"x\"}"), MET_E_CONFLICT,
                "credit_note", "nothing is left");
}

static void adjust_by(int number, const char *value)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"id\":\"a%d\",\"meter\":\"api_requests\",\"subject\":\"a\","
             "\"dimensions\":{\"service_name\":\"example_service\"},"
             "\"time\":\"2026-02-10T10:00:00Z\",\"value\":\"%s\","
             "\"reason\":\"x\",\"actor\":\"y\"}",
             number, value);
    fresh();
    assert_ok(met_usage_adjust(store, json, strlen(json), NULL, &told));
}

/* The second note is to the invoice, not to the first one. */
static void one_correction_after_the_other(void **state)
{
    (void)state;
    assert_ok(put_profile(NULL, "{\"late_usage\":\"credit_note\"}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    adjust_by(1, "-1");
    must_run("2026-03-02T02:00:00Z");
    adjust_by(2, "-1");
    must_run("2026-03-03T02:00:00Z");
    assert_ok(get("CN-0002"));
    assert_shown("invoice.number", "INV-0001");
    assert_shown("lines.0.quantity", "-1");
    assert_shown("lines.0.quantity_total", "3");
    assert_told(credit("INV-0001", "{\"reason\":\"x\",\"amount\":\"4\"}"),
                MET_E_INVALID, "credit_note.amount", "more than is left");
    assert_ok(credit("INV-0001", "{\"reason\":\"x\",\"amount\":\"3\"}"));
}

/* A minimum is of periods that the subscription has. */
static void no_minimum_behind_the_end(void **state)
{
    char id[32];

    (void)state;
    must_publish_least(CARD_1);
    snprintf(id, sizeof id, "%s", subscribe_from("a", "least", FEBRUARY));
    must_run("2026-03-01T02:00:00Z");
    assert_int_equal(report.issued, 1);
    must_cancel(id, MARCH);
    must_run("2026-04-01T02:00:00Z");
    assert_int_equal(report.drafts, 0);
}

/* One that was billed before the end was known is given back. */
static void a_minimum_behind_the_end_is_given_back(void **state)
{
    char id[32];

    (void)state;
    assert_ok(put_profile(NULL, "{\"late_usage\":\"credit_note\"}"));
    must_publish_least(CARD_1);
    snprintf(id, sizeof id, "%s", subscribe_from("a", "least", FEBRUARY));
    must_use("a", "2026-03-10T10:00:00Z", 4);
    must_settle();
    must_run("2026-04-01T02:00:00Z");
    assert_ok(get("INV-0001"));
    assert_shown("totals.total", "20.00");
    must_cancel(id, MARCH);
    must_run("2026-04-02T02:00:00Z");
    assert_int_equal(report.credit_notes, 1);
    assert_ok(get("CN-0001"));
    assert_shown("lines.0.totals.total", "-4.00");
    assert_shown("lines.1.key", "$minimum");
    assert_shown("lines.1.totals.total", "-6.00");
    must_run("2026-05-01T02:00:00Z");
    assert_int_equal(report.credit_notes + report.drafts, 0);
}

/* A fee is final, what it was filled up with is not. */
static void a_minimum_of_fees_behind_the_end(void **state)
{
    char id[32];

    (void)state;
    assert_ok(put_profile(NULL, "{\"late_usage\":\"credit_note\"}"));
    must_publish_least(FEE_3);
    snprintf(id, sizeof id, "%s", subscribe_from("a", "least", FEBRUARY));
    must_run("2026-03-01T02:00:00Z");
    must_run("2026-04-01T02:00:00Z");
    must_cancel(id, MARCH);
    must_run("2026-04-02T02:00:00Z");
    assert_ok(get("CN-0001"));
    assert_shown("lines.0.key", "$minimum");
    assert_shown("totals.total", "-7.00");
    must_run("2026-04-03T02:00:00Z");
    assert_int_equal(report.credit_notes + report.drafts, 0);
}

/* It goes to the latest invoice that has as much left, and when none has, it
 * is set off: what is billed in March is less. */
static void a_correction_is_no_more_than_the_invoice(void **state)
{
    (void)state;
    assert_ok(put_profile(NULL, "{\"late_usage\":\"credit_note\"}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 8);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    adjust_by(1, "2");
    must_run("2026-03-02T02:00:00Z");
    assert_ok(get("INV-0002"));
    assert_shown("totals.total", "2.00");
    adjust_by(2, "-5");
    must_run("2026-03-03T02:00:00Z");
    assert_ok(get("CN-0001"));
    assert_shown("invoice.number", "INV-0001");
    assert_shown("totals.total", "-5.00");
    adjust_by(3, "-1");
    must_run("2026-03-04T02:00:00Z");
    assert_ok(get("CN-0002"));
    assert_shown("invoice.number", "INV-0001");
    adjust_by(4, "-4");
    must_run("2026-03-05T02:00:00Z");
    assert_int_equal(report.credit_notes, 0);
    assert_int_equal(report.waiting, 1);
    must_use("a", "2026-03-10T10:00:00Z", 7);
    must_settle();
    must_run("2026-04-01T02:00:00Z");
    assert_ok(get("INV-0003"));
    assert_shown("lines.0.totals.total", "-4.00");
    assert_shown("totals.total", "3.00");
}

/* What late usage gave back of a line is not given back once more. */
static void a_line_is_given_back_once(void **state)
{
    (void)state;
    assert_ok(put_profile(NULL, "{\"late_usage\":\"credit_note\"}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 8);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    adjust_by(1, "-3");
    must_run("2026-03-02T02:00:00Z");
    assert_int_equal(report.credit_notes, 1);
    assert_ok(credit("INV-0001",
                     "{\"reason\":\"x\",\"lines\":[{\"line\":1}]}"));
    assert_shown("totals.total", "-5.00");
}

static void a_draft_is_read_up_to_the_last_moment(void **state)
{
    (void)state;
    assert_ok(put_profile(NULL,
                          "{\"late_usage\":\"draft_refresh\",\"workflow\":{"
                          "\"invoicing\":{\"draft_period\":\"P1D\"}}}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    assert_int_equal(report.issued, 0);
    must_use("a", "2026-02-10T10:00:00Z", 2);
    must_settle();
    must_run("2026-03-02T00:59:00Z");
    assert_int_equal(report.issued, 0);
    must_run("2026-03-02T02:00:00Z");
    assert_int_equal(report.issued, 1);
    assert_ok(get("INV-0001"));
    assert_shown("totals.total", "7.00");
    assert_shown("due_at", "2026-04-01T02:00:00Z");
}

/* From when the draft was made, or its usage complete; not from when somebody
 * looked at it again. */
static void a_draft_that_is_read_again_is_issued_no_later(void **state)
{
    (void)state;
    assert_ok(put_profile(NULL, "{\"workflow\":{\"collection\":{\"interval\":"
                                "\"P2D\"},\"invoicing\":{\"draft_period\":"
                                "\"P3D\"}}}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T00:00:00Z");
    assert_ok(list("a"));
    assert_shown("items.0.draft_until", "2026-03-06T00:00:00Z");
    must_run("2026-03-04T12:00:00Z");
    assert_int_equal(report.collected, 1);
    assert_ok(list("a"));
    assert_shown("items.0.draft_until", "2026-03-06T00:00:00Z");
    must_run("2026-03-06T00:00:00Z");
    assert_int_equal(report.issued, 1);
    assert_ok(get("INV-0001"));
    assert_shown("due_at", "2026-04-05T00:00:00Z");
}

/* What a subscription lost before its draft was collected is not on it. */
static void a_draft_that_becomes_nothing_is_deleted(void **state)
{
    char id[32];

    (void)state;
    snprintf(id, sizeof id, "%s", subscribe_from("a", "unit", FEBRUARY));
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T00:30:00Z");
    must_cancel(id, FEBRUARY);
    must_run("2026-03-01T02:00:00Z");
    assert_int_equal(report.deleted, 1);
    assert_ok(list("a"));
    assert_shown("items.0.status", "deleted");
    assert_shown("items.0.lines", "[]");
    must_run("2026-03-01T03:00:00Z");
    assert_int_equal(report.drafts, 0);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(thresholds_make_interim_invoices),
        CASE(an_interim_invoice_by_hand),
        CASE(an_interim_sum_of_too_many_digits),
        CASE(corrections_by_credit_note),
        CASE(one_correction_after_the_other),
        CASE(no_minimum_behind_the_end),
        CASE(a_minimum_behind_the_end_is_given_back),
        CASE(a_minimum_of_fees_behind_the_end),
        CASE(a_correction_is_no_more_than_the_invoice),
        CASE(a_line_is_given_back_once),
        CASE(a_draft_is_read_up_to_the_last_moment),
        CASE(a_draft_that_is_read_again_is_issued_no_later),
        CASE(a_draft_that_becomes_nothing_is_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
