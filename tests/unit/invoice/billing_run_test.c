/* Runs from front to back: who is billed, what waits, what is late. */
#include "unit/invoice/billing_support.h"

#include "metering/event.h"
#include "metering/meter.h"

static int setup(void **state)
{
    int failed = billing_setup(state);

    must_publish_unit();
    return failed;
}

static void everybody_is_billed_once(void **state)
{
    char key[16];

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "c%02d", i);
        subscribe_from(key, "unit", FEBRUARY);
        must_use(key, "2026-02-10T10:00:00Z", (unsigned)i);
    }
    must_put_customer("nobody");
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    assert_int_equal(report.customers, 21);
    assert_int_equal(report.drafts, 20);
    assert_int_equal(report.issued, 20);
    assert_ok(list("c07"));
    assert_shown("items.0.number", "INV-0008");
    assert_shown("items.0.status", "issued");
    assert_shown("items.0.totals.total", "7.00");
    assert_shown("items.0.as_of", "2026-03-01T02:00:00Z");
    assert_shown("items.0.issued_at", "2026-03-01T02:00:00Z");
    assert_shown("items.0.collection_at", "2026-03-01T01:00:00Z");
    assert_shown("items.0.due_at", "2026-03-31T02:00:00Z");
    uint64_t before = stored_digest();
    must_run("2026-03-01T03:00:00Z");
    assert_int_equal(report.drafts, 0);
    assert_ok(list(NULL));
    assert_shown("items.20", "");
    (void)before;
}

/* Usage that comes before collection_at is on the invoice; what comes later is
 * a line of the next one. */
static void late_usage_is_collected(void **state)
{
    (void)state;
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 2);
    must_settle();
    must_run("2026-03-01T00:30:00Z");
    assert_int_equal(report.drafts, 1);
    assert_int_equal(report.issued, 0);
    assert_ok(list("a"));
    assert_shown("items.0.extended_status", "draft.waiting_for_collection");
    assert_shown("items.0.number", "DRAFT-CUA-1");
    assert_shown("items.0.totals.total", "2.00");
    must_use("a", "2026-02-11T10:00:00Z", 4);
    must_settle();
    must_run("2026-03-01T00:59:59Z");
    assert_int_equal(report.drafts, 0);
    assert_ok(preview("a", NULL, 0));
    assert_shown("lines", "[]");
    must_run("2026-03-01T01:00:00Z");
    assert_int_equal(report.collected, 1);
    assert_int_equal(report.issued, 1);
    assert_ok(get("INV-0001"));
    assert_shown("lines.0.quantity", "6");
    assert_shown("quantity_snapshotted_at", "2026-03-01T01:00:00Z");
    assert_told(get("DRAFT-CUA-1"), MET_E_NOT_FOUND, "id", "DRAFT");
    must_use("a", "2026-02-12T10:00:00Z", 3);
    must_settle();
    must_run("2026-03-02T00:00:00Z");
    assert_ok(get("INV-0002"));
    assert_shown("lines.0.is_correction", "true");
    assert_shown("lines.0.quantity", "3");
    assert_shown("lines.0.quantity_total", "9");
    assert_shown("totals.total", "3.00");
}

/* A draft can be approved, given up, or read again. */
static void somebody_has_to_approve(void **state)
{
    char id[32];

    (void)state;
    assert_ok(put_profile(
        NULL, "{\"workflow\":{\"invoicing\":{\"auto_advance\":false}}}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 2);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    assert_int_equal(report.issued, 0);
    assert_ok(list("a"));
    assert_shown("items.0.extended_status", "draft.manual_approval_needed");
    assert_shown("items.0.available_actions",
                 "[\"update\",\"approve\",\"delete\"]");
    snprintf(id, sizeof id, "%s", shown("items.0.id"));
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_settle();
    must_run("2026-03-01T04:00:00Z");
    assert_int_equal(report.drafts, 0);
    assert_ok(get(id));
    assert_shown("totals.total", "2.00");
    assert_told(act(id, "paid"), MET_E_CONFLICT, "action",
                "draft.manual_approval_needed");
    assert_told(act(id, "collect"), MET_E_CONFLICT, "action", "lead on");
    clock_now_ns += MET__HOUR_NS;
    assert_ok(act(id, "update"));
    assert_shown("totals.total", "7.00");
    assert_shown("extended_status", "draft.manual_approval_needed");
    assert_ok(act(id, "delete"));
    assert_shown("status", "deleted");
    assert_shown("deleted_at", "2026-03-15T11:30:00Z");
    assert_told(act(id, "delete"), MET_E_CONFLICT, "action", "deleted");
    must_run("2026-03-01T05:00:00Z");
    assert_int_equal(report.drafts, 1);
    assert_ok(list("a"));
    assert_shown("items.1.totals.total", "7.00");
    snprintf(id, sizeof id, "%s", shown("items.1.id"));
    assert_ok(act(id, "approve"));
    assert_shown("number", "INV-0001");
    assert_shown("status", "issued");
    assert_shown("due_at", "2026-04-14T11:30:00Z");
}

static void what_is_not_paid_is_overdue(void **state)
{
    (void)state;
    subscribe_from("a", "unit", FEBRUARY);
    subscribe_from("b", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 2);
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    assert_told(act("INV-0001", "paid"), MET_E_CONFLICT, "action",
                "issued");
    assert_ok(act("INV-0002", "next"));
    assert_shown("extended_status", "payment_processing.pending");
    assert_ok(act("INV-0002", "paid"));
    assert_shown("status", "paid");
    assert_shown("paid_at", "2026-03-15T10:30:00Z");
    must_run("2026-04-05T00:00:00Z");
    assert_int_equal(report.overdue, 1);
    assert_ok(get("INV-0001"));
    assert_shown("status", "overdue");
    assert_ok(act("INV-0001", "void"));
    assert_shown("status", "voided");
    assert_told(act("INV-0001", "paid"), MET_E_CONFLICT, "action", "voided");
    must_run("2026-04-06T00:00:00Z");
    assert_int_equal(report.overdue, 0);
    assert_int_equal(report.drafts, 0);
}

/* It waits for its date, as any: it may still be void. */
static void what_is_nothing_is_paid(void **state)
{
    (void)state;
    subscribe_from("a", "unit", FEBRUARY);
    must_run("2026-03-01T02:00:00Z");
    assert_ok(get("INV-0001"));
    assert_shown("totals.total", "0.00");
    assert_shown("status", "issued");
    must_run("2026-04-05T00:00:00Z");
    assert_int_equal(report.overdue, 0);
    assert_ok(get("INV-0001"));
    assert_shown("status", "paid");
    assert_shown("paid_at", "2026-04-05T00:00:00Z");
}

/* One that cannot be billed is left as it was; all others are billed. */
static void one_that_fails_stops_nobody(void **state)
{
    static const char euro[] =
        "{\"key\":\"euro\",\"name\":\"Euro\",\"currency\":\"ZZZ\","
        "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"default\","
        "\"name\":\"Default\",\"rate_cards\":[{\"key\":\"example_service\","
        "\"name\":\"E\",\"feature\":{\"key\":\"example_service\"},"
        "\"billing_cadence\":\"P1M\",\"price\":" UNIT_1 "}]}]}";
    static const char customer[] =
        "{\"key\":\"b\",\"name\":\"B\",\"usage_attribution\":"
        "{\"subject_keys\":[\"bb\"]}}";

    (void)state;
    must_publish("euro", euro);
    subscribe_from("a", "unit", FEBRUARY);
    fresh();
    assert_ok(met_customer_put(store, customer, strlen(customer), NULL,
                               &told));
    must_subscribe("b", "euro", ",\"active_from\":\"" FEBRUARY "\"");
    subscribe_from("c", "unit", FEBRUARY);
    clock_now_ns = time_of("2026-03-01T02:00:00Z");
    assert_ok(run_on(store, NULL));
    assert_int_equal(report.failed, 1);
    assert_string_equal(report.failed_name, "b");
    assert_non_null(strstr(report.failed_reason, "ZZZ"));
    assert_int_equal(report.issued, 2);
    assert_ok(list("b"));
    assert_shown("items", "[]");
    assert_ok(list("c"));
    assert_shown("items.0.number", "INV-0002");
}

/* Two runs at once, step by step in turn: the same as one. */
static void two_at_once_bill_once(void **state)
{
    met_billing_report reports[2];
    met_billing_run *runs[2];
    char key[16];
    uint64_t drafts = 0;

    (void)state;
    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "c%03d", i);
        subscribe_from(key, "unit", FEBRUARY);
    }
    must_use("c001", "2026-02-10T10:00:00Z", 9);
    must_settle();
    for (int i = 0; i < 2; i++) {
        reports[i] = (met_billing_report){.struct_size = sizeof reports[i]};
        fresh();
        assert_ok(met_billing_run_open(store, time_of("2026-03-01T02:00:00Z"),
                                       &runs[i], &told));
    }
    for (int turn = 0; turn < 200; turn++) {
        for (int i = 0; i < 2; i++) {
            fresh();
            assert_ok(met_billing_run_step(runs[i], &reports[i], &told));
        }
        if (turn == 2) {
            must_use("c001", "2026-02-10T10:00:00Z", 1);
            must_settle();
        }
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reports[i].stage, MET_BILLING_DONE);
        assert_int_equal(reports[i].failed, 0);
        drafts += reports[i].drafts;
        met_billing_run_close(runs[i]);
    }
    must_run("2026-03-01T03:00:00Z");
    drafts += report.drafts;
    assert_true(drafts == 600 || drafts == 601);
    assert_ok(list("c001"));
    if (drafts == 601) {
        assert_shown("items.0.totals.total", "9.00");
        assert_shown("items.1.totals.total", "1.00");
    } else {
        assert_shown("items.0.totals.total", "10.00");
    }
}

/* A run that was left goes on as of its own instant. */
static void a_run_that_was_left_goes_on(void **state)
{
    met_billing_run *run = NULL;
    char key[16];

    (void)state;
    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "c%03d", i);
        subscribe_from(key, "unit", FEBRUARY);
    }
    report = (met_billing_report){.struct_size = sizeof report};
    fresh();
    assert_ok(met_billing_run_open(store, time_of("2026-03-01T02:00:00Z"),
                                   &run, &told));
    while (report.drafts == 0) {
        fresh();
        assert_ok(met_billing_run_step(run, &report, &told));
    }
    uint64_t drafts = report.drafts;
    assert_true(drafts < 600);
    met_billing_run_close(run);
    must_run("2026-03-03T00:00:00Z");
    assert_int_equal(report.as_of_ns, time_of("2026-03-01T02:00:00Z"));
    assert_int_equal(report.drafts + drafts, 600);
    assert_true(report.customers <= 600 - drafts);
    must_run("2026-03-03T00:00:00Z");
    assert_int_equal(report.as_of_ns, time_of("2026-03-03T00:00:00Z"));
    assert_int_equal(report.drafts, 0);
    assert_int_equal(report.customers, 600);
}

static void collection_at_an_anchor(void **state)
{
    (void)state;
    assert_ok(put_profile(
        NULL, "{\"workflow\":{\"collection\":{\"alignment\":\"anchored\","
              "\"anchored\":{\"anchor\":\"2026-01-10T00:00:00Z\","
              "\"interval\":\"P1M\"}}}}"));
    subscribe_from("a", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 5);
    must_settle();
    must_run("2026-03-09T00:00:00Z");
    assert_int_equal(report.drafts, 0);
    must_run("2026-03-10T02:00:00Z");
    assert_int_equal(report.issued, 1);
    assert_ok(get("INV-0001"));
    assert_shown("as_of", "2026-03-10T00:00:00Z");
}

/* Sums, filters, subjects of one customer, and usage that was folded into days:
 * a run knows what the store knows. */
static void what_is_gathered_is_what_is_stored(void **state)
{
    static const char keep_less[] =
        "{\"keep_minutes\":\"P1D\",\"keep_hours\":\"P1D\"}";
    char json[256];
    char key[16];
    char total[8][32];

    (void)state;
    must_put_meter("{\"key\":\"bytes\",\"name\":\"Bytes\",\"event_type\":"
                   "\"transfer\",\"aggregation\":\"sum\",\"value_property\":"
                   "\"$.bytes\",\"dimensions\":{\"zone\":\"$.zone\"}}");
    must_put_feature("{\"key\":\"bytes\",\"name\":\"Bytes\",\"meter\":{"
                     "\"key\":\"bytes\",\"filters\":{\"zone\":{\"eq\":"
                     "\"far\"}}}}");
    must_publish_card(
        "both",
        "{\"key\":\"bytes\",\"name\":\"Bytes\",\"feature\":{\"key\":"
        "\"bytes\"},\"billing_cadence\":\"P1M\",\"price\":" UNIT_1 "}");
    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof key, "c%d", i);
        subscribe_from(key, "both", "2026-02-10T10:30:00Z");
        for (int n = 0; n < 6; n++) {
            snprintf(json, sizeof json,
                     "{\"id\":\"%d-%d\",\"meter\":\"bytes\",\"subject\":"
                     "\"%s%s\",\"dimensions\":{\"zone\":\"%s\"},\"time\":"
                     "\"2026-02-%02dT10:2%d:00Z\",\"value\":\"%d.25\","
                     "\"reason\":\"x\",\"actor\":\"y\"}",
                     i, n, n % 2 ? "consumer:" : "", key,
                     n == 4 ? "near" : "far", 8 + n * 2, n + 3, i + n);
            fresh();
            assert_ok(met_usage_adjust(store, json, strlen(json), NULL,
                                       &told));
        }
    }
    fresh();
    assert_ok(met_usage_settings_put(store, keep_less, strlen(keep_less),
                                     NULL, &told));
    clock_now_ns = time_of("2026-03-20T00:00:00Z");
    fresh();
    assert_ok(met_store_compact(store, NULL, NULL, &told));
    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof key, "c%d", i);
        assert_ok(preview(key, NULL, 0));
        snprintf(total[i], sizeof total[i], "%s", shown("totals.total"));
    }
    /* 2.25, 3.25 and 5.25: the others are too early, or near. */
    assert_string_equal(total[0], "10.75");
    must_run(NULL);
    assert_int_equal(report.issued, 8);
    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof key, "c%d", i);
        assert_ok(list(key));
        assert_shown("items.0.totals.total", total[i]);
    }
}

/* Three events of each, and a fee of 0.50 for every one. */
static void events_are_gathered_beside_their_sum(void **state)
{
    static const char *const values[] = {"2.25", "3.25", "5.25"};
    met_quantity bytes = {.key = "bytes", .key_size = 5};
    met_ingest *ingest = NULL;
    char key[16];
    char id[16];

    (void)state;
    clock_now_ns = time_of("2026-02-10T10:00:00Z");
    must_put_meter("{\"key\":\"bytes\",\"name\":\"Bytes\",\"event_type\":"
                   "\"transfer\",\"aggregation\":\"sum\",\"value_property\":"
                   "\"$.bytes\"}");
    must_put_feature("{\"key\":\"bytes\",\"name\":\"Bytes\",\"meter\":{"
                     "\"key\":\"bytes\"}}");
    must_publish_card(
        "share",
        "{\"key\":\"bytes\",\"name\":\"Bytes\",\"feature\":{\"key\":"
        "\"bytes\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":"
        "\"percentage\",\"percentage\":\"100\",\"fixed_amount\":\"0.5\"}}");
    fresh();
    assert_ok(met_ingest_open(store, NULL, &ingest, &told));
    for (int i = 0; i < 4; i++) {
        snprintf(key, sizeof key, "c%d", i);
        subscribe_from(key, "share", FEBRUARY);
        for (int n = 0; n < 3; n++) {
            snprintf(id, sizeof id, "%d-%d", i, n);
            assert_int_equal(met_decimal_parse(values[n], 4, &bytes.value),
                             MET_OK);
            const met_ingest_event event = {.id = id,
                                            .id_size = strlen(id),
                                            .source = "s",
                                            .source_size = 1,
                                            .type = "transfer",
                                            .type_size = 8,
                                            .subject = key,
                                            .subject_size = strlen(key),
                                            .quantities = &bytes,
                                            .quantity_count = 1,
                                            .utc_ns = clock_now_ns};
            fresh();
            assert_ok(met_event_ingest(ingest, &event, 1, NULL, NULL, &told));
        }
    }
    met_ingest_close(ingest);
    clock_now_ns = time_of("2026-03-20T00:00:00Z");
    assert_ok(preview("c0", NULL, 0));
    assert_shown("totals.total", "12.25");
    must_run(NULL);
    assert_int_equal(report.issued, 4);
    assert_ok(list("c3"));
    assert_shown("items.0.totals.total", "12.25");
}

/* --- Memory --------------------------------------------------------------- */
/* At every allocation of a run, of a step by name, of a credit note and of
 * making an invoice again: the error is told, and the next try is whole. */
static void memory_runs_out(void **state)
{
    met_error error;
    long live;
    long k = 0;

    (void)state;
    subscribe_from("a", "unit", FEBRUARY);
    subscribe_from("b", "unit", FEBRUARY);
    must_use("a", "2026-02-10T10:00:00Z", 2);
    must_settle();
    clock_now_ns = time_of("2026-03-01T02:00:00Z");
    fresh();
    live = memory.live;
    do {
        memory.calls = 0;
        memory.fail_at = ++k;
        error = run_on(store, NULL);
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        assert_int_equal(memory.live, live);
    } while (error != MET_OK);
    assert_true(k > 20);
    assert_int_equal(report.failed, 0);
    assert_ok(list(NULL));
    assert_shown("items.0.number", "INV-0001");
    assert_shown("items.0.totals.total", "2.00");
    assert_shown("items.1.number", "INV-0002");
    assert_shown("items.2", "");
    for (int call = 0; call < 3; call++) {
        uint64_t before = stored_digest();
        for (k = 1, error = MET_E_NO_MEMORY; error != MET_OK; k++) {
            met_buffer *buffer = fresh();
            memory.calls = 0;
            memory.fail_at = k;
            error =
                call == 0
                    ? met_invoice_recompute(store, "INV-0001", 8, 0, buffer,
                                            &told)
                : call == 1
                    ? met_invoice_credit(store, "INV-0001", 8,
                                         "{\"reason\":\"x\"}", 14, buffer,
                                         &told)
                    : met_invoice_act(store, "INV-0002", 8, "void", 4,
                                      buffer, &told);
            memory.fail_at = 0;
            assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
            assert_true(error == MET_OK || stored_digest() == before);
        }
        assert_true(k > 10);
    }
    fresh();
}

/* --- Wrong use ------------------------------------------------------------ */
static void wrong_calls_are_told(void **state)
{
    met_billing_run *run = NULL;

    (void)state;
    fresh();
    assert_told(met_billing_run_open(NULL, 0, &run, &told), MET_E_INVALID,
                "store", "NULL");
    fresh();
    assert_told(met_billing_run_open(store, 0, NULL, &told), MET_E_INVALID,
                "run_out", "NULL");
    fresh();
    assert_told(met_billing_run_open(store, clock_now_ns + 1, &run, &told),
                MET_E_INVALID, "as_of_ns", "later");
    fresh();
    assert_told(met_billing_run_open(store, -1, &run, &told), MET_E_INVALID,
                "as_of_ns", "1970");
    fresh();
    assert_told(met_billing_run_step(NULL, &report, &told), MET_E_INVALID,
                "run", "NULL");
    fresh();
    assert_ok(met_billing_run_open(store, 0, &run, &told));
    fresh();
    assert_told(met_billing_run_step(run, NULL, &told), MET_E_INVALID,
                "report_out", "NULL");
    report.struct_size = 4;
    fresh();
    assert_told(met_billing_run_step(run, &report, &told), MET_E_INVALID,
                "report_out.struct_size", "small");
    met_billing_run_close(run);
    met_billing_run_close(NULL);
    subscribe_from("a", "unit", FEBRUARY);
    assert_ok(finalize("a", MARCH));
    assert_told(act("INV-0001", "pay"), MET_E_INVALID, "action", "approve");
    assert_told(act("INV-0001", "fail"), MET_E_INVALID, "action", "fail");
    assert_told(act("INV-0009", "void"), MET_E_NOT_FOUND, "id", "INV-0009");
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(everybody_is_billed_once),
        CASE(late_usage_is_collected),
        CASE(somebody_has_to_approve),
        CASE(what_is_not_paid_is_overdue),
        CASE(what_is_nothing_is_paid),
        CASE(one_that_fails_stops_nobody),
        CASE(two_at_once_bill_once),
        CASE(a_run_that_was_left_goes_on),
        CASE(collection_at_an_anchor),
        CASE(what_is_gathered_is_what_is_stored),
        CASE(events_are_gathered_beside_their_sum),
        CASE(memory_runs_out),
        CASE(wrong_calls_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
