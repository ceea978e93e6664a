/* A run measures what fell due since the last one, and what was billed and has
 * changed since: each late unit is found by the next run, once, whichever way
 * it came. */
#include "support/catalog_calls.h"
#include "unit/invoice/billing_support.h"

#include "metering/event.h"
#include "metering/meter.h"

#define LONG_AGO "2025-03-01T00:00:00Z"

static char id_of_a[32];

/* A year of months is billed, 1 unit in each. */
static int setup(void **state)
{
    static const char keep_all[] =
        "{\"late_after\":\"P366D\",\"retain\":\"P400D\"}";
    int failed = billing_setup(state);
    met__duration month = {.months = 1};
    char text[MET_TIME_TEXT_SIZE];

    must_publish_unit();
    snprintf(id_of_a, sizeof id_of_a, "%s",
             subscribe_from("a", "unit", LONG_AGO));
    fresh();
    assert_ok(met_event_settings_put(store, keep_all, sizeof keep_all - 1,
                                     NULL, &told));
    for (int i = 0; i < 12; i++) {
        int64_t at = 0;
        assert_ok(met__duration_add(time_of("2025-03-10T10:00:00Z"), &month,
                                    i, &at));
        assert_ok(met_time_format(at, text));
        must_use("consumer:a", text, 1);
    }
    must_settle();
    must_run("2026-03-01T02:00:00Z");
    assert_int_equal(report.issued, 1);
    assert_int_equal(report.measured, 12);
    return failed;
}

static void next_day(uint64_t measured, uint64_t issued)
{
    clock_now_ns += MET__DAY_NS;
    must_run(NULL);
    assert_int_equal(report.measured, measured);
    assert_int_equal(report.issued, issued);
}

/* What is late is one line of one period, and is not seen again. */
static void assert_found_once(const char *quantity)
{
    next_day(1, 1);
    assert_ok(get("INV-0002"));
    assert_shown("lines.0.is_correction", "true");
    assert_shown("lines.0.period.from", "2025-06-01T00:00:00Z");
    assert_shown("lines.0.quantity", quantity);
    assert_shown("lines.1", "");
    next_day(0, 0);
    next_day(0, 0);
}

static void what_is_billed_is_not_measured(void **state)
{
    (void)state;
    next_day(0, 0);
    must_use("consumer:a", "2026-03-02T10:00:00Z", 3); /* not late */
    must_settle();
    next_day(0, 0);
    must_run("2026-04-01T02:00:00Z");
    assert_int_equal(report.measured, 1);
    assert_int_equal(report.issued, 1);
    next_day(0, 0);
}

static void late_by_a_recorder(void **state)
{
    (void)state;
    must_use("consumer:a", "2025-06-20T10:00:00Z", 2);
    must_settle();
    assert_found_once("2");
}

/* On the last day of one period, which is the next one's as well. */
static void late_on_a_bound(void **state)
{
    (void)state;
    must_use("consumer:a", "2025-05-31T23:59:00Z", 2);
    must_settle();
    next_day(1, 1);
    must_use("consumer:a", "2025-06-01T00:00:00Z", 2);
    must_settle();
    next_day(1, 1);
    assert_ok(get("INV-0003"));
    assert_shown("lines.0.period.from", "2025-06-01T00:00:00Z");
    next_day(0, 0);
}

static void must_ingest(const char *id, const char *time)
{
    met_ingest *ingest = NULL;
    char json[512];

    snprintf(json, sizeof json,
             "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"s\","
             "\"type\":\"kong.api_request\",\"subject\":\"consumer:a\","
             "\"time\":\"%s\",\"data\":{\"service_name\":"
             "\"example_service\"}}",
             id, time);
    fresh();
    assert_ok(met_ingest_open(store, NULL, &ingest, &told));
    met_buffer *buffer = fresh();
    assert_ok(keep(met_event_ingest_json(ingest, json, strlen(json),
                                         0, NULL, buffer, &told),
                   buffer));
    assert_shown("verdicts.0", "accepted");
    met_ingest_close(ingest);
}

static void late_by_an_event_and_taken_back(void **state)
{
    static const char gone[] = "{\"source\":\"s\",\"id\":\"1\",\"reason\":"
                               "\"x\",\"actor\":\"y\"}";

    (void)state;
    must_ingest("1", "2025-06-20T10:00:00Z");
    must_ingest("2", "2025-06-21T10:00:00Z");
    assert_found_once("2");
    fresh();
    assert_ok(met_event_retract(store, gone, sizeof gone - 1, NULL, &told));
    next_day(1, 0); /* below zero: it waits */
    assert_int_equal(report.waiting, 1);
    must_ingest("3", "2025-06-22T10:00:00Z");
    next_day(1, 0); /* nothing is left of both */
    assert_int_equal(report.waiting, 0);
    next_day(0, 0);
}

static void late_by_an_adjustment(void **state)
{
    static const char more[] =
        "{\"id\":\"a1\",\"meter\":\"api_requests\",\"subject\":"
        "\"consumer:a\",\"dimensions\":{\"service_name\":"
        "\"example_service\"},\"time\":\"2025-06-10T10:00:00Z\",\"value\":"
        "\"5\",\"reason\":\"x\",\"actor\":\"y\"}";

    (void)state;
    fresh();
    assert_ok(met_usage_adjust(store, more, sizeof more - 1, NULL, &told));
    assert_found_once("5");
}

/* Only when no subscription runs. */
static void must_join(const char *subject)
{
    char json[256];

    snprintf(json, sizeof json,
             "{\"key\":\"a\",\"name\":\"Customer a\",\"currency\":\"USD\","
             "\"usage_attribution\":{\"subject_keys\":[\"consumer:a\","
             "\"%s\"]}}",
             subject);
    fresh();
    assert_ok(met_customer_put(store, json, strlen(json), NULL, &told));
}

static void a_subject_that_joins(void **state)
{
    (void)state;
    must_use("b", "2025-06-20T10:00:00Z", 2);
    must_settle();
    next_day(0, 0);
    must_cancel(id_of_a, MARCH);
    next_day(12, 0);
    next_day(0, 0);
    must_join("b");
    next_day(12, 1);
    assert_ok(get("INV-0002"));
    assert_shown("lines.0.period.from", "2025-06-01T00:00:00Z");
    assert_shown("lines.0.quantity", "2");
    next_day(0, 0);
}

/* A name that changes takes its usage along; all is measured once more. */
static void names_that_change(void **state)
{
    static const char erase[] = "{\"reason\":\"x\",\"actor\":\"y\"}";
    static const char rename[] = "{\"to\":\"z\",\"reason\":\"x\","
                                 "\"actor\":\"y\"}";

    (void)state;
    fresh();
    assert_ok(met_subject_rename(store, "consumer:a", 10, rename,
                                 sizeof rename - 1, NULL, &told));
    next_day(12, 0);
    next_day(0, 0);
    must_use("z", "2025-06-20T10:00:00Z", 2);
    must_settle();
    assert_found_once("2");
    fresh();
    assert_ok(met_subject_erase(store, "z", 1, erase, sizeof erase - 1, NULL,
                                &told));
    next_day(12, 0);
    next_day(0, 0);
}

/* What a bill by hand has billed no run measures again. */
static void by_hand(void **state)
{
    (void)state;
    must_use("consumer:a", "2025-06-20T10:00:00Z", 2);
    must_settle();
    clock_now_ns += MET__DAY_NS;
    assert_ok(finalize("a", NULL));
    next_day(0, 0);
    must_use("consumer:a", "2025-06-20T10:00:00Z", 2);
    must_settle();
    next_day(1, 1);
}

/* A draft that waits is not measured over and over, and what is late meanwhile
 * is not forgotten. */
static void behind_a_draft(void **state)
{
    (void)state;
    assert_ok(put_profile(NULL, "{\"workflow\":{\"invoicing\":{"
                                "\"auto_advance\":false}}}"));
    must_use("consumer:a", "2025-06-20T10:00:00Z", 2);
    must_settle();
    next_day(1, 0);
    assert_int_equal(report.drafts, 1);
    must_use("consumer:a", "2025-06-20T10:00:00Z", 3);
    must_settle();
    next_day(0, 0);
    assert_ok(list("a"));
    char id[32];
    snprintf(id, sizeof id, "%s", shown("items.1.id"));
    assert_ok(act(id, "approve"));
    next_day(1, 0);
    assert_int_equal(report.drafts, 1);
    assert_ok(list("a"));
    assert_shown("items.2.lines.0.quantity", "3");
}

/* Of a plan with a minimum the whole billing period counts. */
static void with_a_minimum(void **state)
{
    (void)state;
    must_publish_least(CARD_1 "," FEE_3);
    subscribe_from("b", "least", "2026-02-01T00:00:00Z");
    must_run("2026-03-01T04:00:00Z"); /* the fee of March, too */
    must_run("2026-04-01T04:00:00Z");
    assert_ok(list("b"));
    assert_shown("items.0.totals.total", "13.00");
    assert_shown("items.1.totals.total", "10.00");
    next_day(0, 0);
    must_use("consumer:b", "2026-02-20T10:00:00Z", 4);
    must_settle();
    next_day(2, 1); /* the usage fills the gap: 4 more, 4 less */
    must_use("consumer:b", "2026-02-20T10:00:00Z", 4);
    must_settle();
    next_day(2, 1);
    assert_ok(list("b"));
    assert_shown("items.3.totals.total", "1.00");
}

static met_error remove_meter(void)
{
    fresh();
    return met_meter_remove(store, "api_requests", 12, &told);
}

/* What was billed by a meter stays as it is when the meter is gone, also when
 * there is another one with its key: that one knows nothing of it. */
static void a_meter_that_is_gone(void **state)
{
    static const char *const names[] = {"b", "c"};

    (void)state;
    must_cancel(id_of_a, MARCH);
    next_day(12, 0);
    assert_ok(feature_archive("example_service"));
    assert_ok(remove_meter());
    for (int i = 0; i < 2; i++) {
        must_join(names[i]); /* all periods are looked at again */
        next_day(0, 0);
        assert_ok(preview("a", NULL, 0));
        assert_shown("lines.0", "");
        met_buffer *buffer = fresh();
        assert_ok(keep(met_invoice_recompute(store, "INV-0001", 8,
                                             MET_INVOICE_USAGE, buffer,
                                             &told),
                       buffer));
        assert_shown("is_changed", "false");
        if (i == 0) {
            must_put_requests_meter();
        }
    }
}

/* A meter stays until all that it counted is billed. */
static void a_meter_that_is_to_be_billed(void **state)
{
    char id[32];

    (void)state;
    must_cancel(id_of_a, MARCH);
    snprintf(id, sizeof id, "%s", subscribe_from("b", "unit", MARCH));
    must_use("consumer:b", "2026-03-20T10:00:00Z", 4);
    must_settle();
    must_run("2026-03-31T02:00:00Z");
    clock_now_ns = time_of("2026-04-01T00:30:00Z");
    must_cancel(id, "2026-04-01T00:00:00Z");
    assert_ok(feature_archive("example_service"));
    assert_told(remove_meter(), MET_E_CONFLICT, "key",
                "of b that ended is not billed to its end");
    must_run("2026-04-01T00:30:00Z"); /* a draft that waits for late usage */
    assert_told(remove_meter(), MET_E_CONFLICT, "key",
                "not billed to its end");
    must_run("2026-04-01T01:00:00Z");
    assert_int_equal(report.issued, 1);
    must_run("2026-04-02T00:00:00Z");
    assert_ok(remove_meter());
    next_day(0, 0);
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_is_billed_is_not_measured),
        CASE(late_by_a_recorder),
        CASE(late_on_a_bound),
        CASE(late_by_an_event_and_taken_back),
        CASE(late_by_an_adjustment),
        CASE(a_subject_that_joins),
        CASE(names_that_change),
        CASE(by_hand),
        CASE(behind_a_draft),
        CASE(with_a_minimum),
        CASE(a_meter_that_is_gone),
        CASE(a_meter_that_is_to_be_billed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
