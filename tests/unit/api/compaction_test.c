/* Compaction through the public calls: what entitlements and invoices answer
 * stays the same, with corrections and late events into what is folded. */
#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#include <sys/wait.h>
#include <unistd.h>

#include "metering/entitlement.h"
#include "metering/event.h"
#include "metering/invoice.h"

#define WHY "\"reason\":\"r\",\"actor\":\"a\""
#define FEBRUARY "2026-02-01T00:00:00Z"

static met_error usage_settings(const char *json)
{
    met_buffer *out = fresh();

    return json == NULL
               ? keep(met_usage_settings_get(store, out, &told), out)
               : keep(met_usage_settings_put(store, json, strlen(json), out,
                                             &told),
                      out);
}

static met_error compact(void)
{
    met_buffer *out = fresh();
    return keep(met_store_compact(store, NULL, out, &told), out);
}

/* --- Arguments ------------------------------------------------------------ */
static void test_compact__arguments(void **state)
{
    met_compact_config config = {.struct_size = sizeof config};
    met_buffer *out = fresh();

    assert_told(met_store_compact(NULL, NULL, out, &told), MET_E_INVALID,
                "store", "is NULL");
    config.flags = 1;
    assert_told(met_store_compact(store, &config, out, &told),
                MET_E_UNSUPPORTED, "config.flags", "unknown bit");
    config.flags = 0;
    config.as_of_ns = clock_now_ns + 1;
    assert_told(met_store_compact(store, &config, out, &told), MET_E_INVALID,
                "config.as_of_ns", "in the future");
    config.as_of_ns = -1;
    assert_told(met_store_compact(store, &config, out, &told), MET_E_INVALID,
                "config.as_of_ns", "before 1970");
    config.as_of_ns = 1;
    assert_int_equal(met_store_compact(store, &config, NULL, NULL), MET_OK);
    config.struct_size = 3;
    assert_told(met_store_compact(store, &config, out, &told), MET_E_INVALID,
                "config", "struct_size is 3");
    assert_told(met_usage_settings_get(store, NULL, &told), MET_E_INVALID,
                "json_out", "is NULL");
    assert_told(met_usage_settings_put(store, NULL, 2, out, &told),
                MET_E_INVALID, "json", "is NULL");
    assert_told(usage_settings("{\"keep_minutes\":\"x\"}"), MET_E_INVALID,
                "settings.keep_minutes", "");
    assert_ok(usage_settings("{\"keep_minutes\":\"PT2H\"}"));
    assert_shown("keep_minutes", "PT2H");
    assert_ok(usage_settings(NULL));
    assert_shown("keep_minutes", "PT2H");
    assert_shown("keep_hours", "P400D");
}

static void test_compact__forked(void **state)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        met_buffer out = {0};
        int is_right =
            met_store_compact(store, NULL, NULL, NULL) == MET_E_FORKED
            && met_usage_settings_get(store, &out, NULL) == MET_E_FORKED
            && met_usage_settings_put(store, "{}", 2, NULL, NULL)
                   == MET_E_FORKED;
        _exit(is_right ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- Two months ----------------------------------------------------------- */
static void ingest(int number, int64_t at_ns)
{
    char json[512];
    char time[40] = "";
    met_ingest *handle = NULL;
    met_buffer *out = fresh();

    assert_ok(met_time_format(at_ns, time));
    snprintf(json, sizeof json,
             "{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"s\","
             "\"type\":\"kong.api_request\",\"subject\":\"c\",\"time\":"
             "\"%s\",\"data\":{\"service_name\":\"example_service\"}}",
             number, time);
    assert_ok(met_ingest_open(store, NULL, &handle, &told));
    assert_ok(keep(met_event_ingest_json(handle, json, strlen(json), 0, NULL,
                                         out, &told),
                   out));
    met_ingest_close(handle);
    assert_shown("accepted", "1");
}

#define ANSWERS 40
static char answers[ANSWERS][512];

/* Everything that somebody may ask for the customer's periods. */
static void ask_all(char list[ANSWERS][512])
{
    const int64_t from_ns = time_of("2026-01-10T10:30:30Z");
    int count = 0;

    for (int day = 0; day < 60; day += 4) {
        met_buffer *out = fresh();
        int64_t at_ns = from_ns + day * MET__DAY_NS;
        at_ns -= day % 8 == 0 ? 0 : at_ns % MET__DAY_NS;
        met_error error = keep(met_entitlement_get(store, "c", 1,
                                                   "example_service", 15,
                                                   0, out, &told),
                               out);
        assert_ok(error);
        snprintf(list[count++], 512, "%s", shown(""));
        out = fresh();
        assert_ok(keep(met_invoice_preview(store, "c", 1, at_ns, 0, out,
                                           &told),
                       out));
        snprintf(list[count++], 512, "%s %s %s", shown("totals"),
                 shown("lines.0.quantity"), shown("lines.1.quantity"));
    }
    assert_ok(usage_query("{\"feature\":\"example_service\",\"customer\":"
                          "\"c\",\"from\":\"2026-01-10T10:30:00Z\",\"to\":"
                          "\"2026-02-10T10:30:00Z\"}"));
    snprintf(list[count++], 512, "%s", shown("data"));
    assert_ok(usage_query("{\"meter\":\"api_requests\",\"window\":"
                          "\"month\",\"group_by\":[\"subject\"]}"));
    snprintf(list[count++], 512, "%s", shown("data"));
    assert_true(count <= ANSWERS);
}

static void assert_same(void)
{
    static char now[ANSWERS][512];

    ask_all(now);
    for (int i = 0; i < ANSWERS; i++) {
        assert_string_equal(now[i], answers[i]);
    }
}

static void fill(void)
{
    static const char widest[] = "{\"late_after\":\"P366D\","
                                 "\"retain\":\"P400D\"}";
    const int64_t from_ns = time_of("2026-01-10T08:00:00Z");

    clock_now_ns = time_of("2026-01-01T00:00:00Z");
    must_have_catalog();
    assert_ok(customer_put("{\"key\":\"c\",\"name\":\"C\"}"));
    clock_now_ns = time_of("2026-01-10T10:30:30Z");
    assert_ok(subscribe("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":"
                        "\"premium\"}}",
                        0));
    assert_ok(met_event_settings_put(store, widest, sizeof widest - 1, NULL,
                                     &told));
    clock_now_ns = time_of("2026-03-15T10:30:00Z");
    for (int i = 0; i < 160; i++) {
        ingest(i, from_ns + i * 9 * MET__HOUR_NS);
    }
    /* Around every boundary of a period, where minutes tell. */
    for (int i = 0; i < 6; i++) {
        ingest(1000 + i, time_of("2026-01-10T10:28:00Z")
                             + i * MET__MINUTE_NS);
        ingest(2000 + i, time_of("2026-02-10T10:28:00Z")
                             + i * MET__MINUTE_NS);
        ingest(3000 + i, time_of("2026-03-10T10:28:00Z")
                             + i * MET__MINUTE_NS);
    }
}

static void test_compact__periods_stay_the_same(void **state)
{
    fill();
    ask_all(answers);
    assert_ok(compact()); /* after 35 days */
    assert_shown("days", "0");
    int parts = atoi(shown("parts"));
    assert_true(parts > 60);
    assert_same();
    assert_ok(usage_settings("{\"keep_minutes\":\"P1D\",\"keep_hours\":"
                             "\"P2D\"}"));
    assert_ok(compact());
    assert_true(parts + atoi(shown("parts")) > 140);
    assert_true(atoi(shown("days")) > 55);
    assert_true(atoi(shown("bytes_freed")) > atoi(shown("bytes_written")));
    assert_same();
    assert_ok(compact());
    assert_shown("parts", "0");
    assert_shown("hours_folded", "0");
    /* What is no boundary of a period cannot be told any more. */
    assert_told(usage_query("{\"meter\":\"api_requests\",\"from\":"
                            "\"2026-01-20T12:01:00Z\"}"),
                MET_E_UNSUPPORTED, "from", "minutes are no longer kept");
}

/* Late usage, a correction and a retraction, all into days that are folded: as
 * into a store that was never compacted. */
static void test_compact__corrections(void **state)
{
    for (int turn = 0; turn < 2; turn++) {
        fill();
        assert_ok(usage_settings("{\"keep_minutes\":\"P1D\",\"keep_hours\":"
                                 "\"P2D\"}"));
        for (int step = 0; step < 3; step++) {
            if (turn == 1) {
                assert_ok(compact());
                assert_int_equal(atoi(shown("parts")) > 0, 1);
            }
            char adjustment[256];
            char retraction[128];
            snprintf(adjustment, sizeof adjustment,
                     "{\"id\":\"%d\",\"meter\":\"api_requests\",\"subject\":"
                     "\"c\",\"dimensions\":{\"service_name\":"
                     "\"example_service\"},\"time\":"
                     "\"2026-01-2%dT03:04:05Z\",\"value\":\"-%d\"," WHY "}",
                     step, step, step + 3);
            snprintf(retraction, sizeof retraction,
                     "{\"source\":\"s\",\"id\":\"%d\"," WHY "}", 40 + step);
            ingest(5000 + step, time_of("2026-01-25T05:06:07Z"));
            fresh();
            assert_ok(met_usage_adjust(store, adjustment, strlen(adjustment),
                                       NULL, &told));
            assert_ok(met_event_retract(store, retraction, strlen(retraction),
                                        NULL, &told));
        }
        if (turn == 0) {
            ask_all(answers);
            documents_teardown(state);
            documents_setup(state);
        } else {
            assert_same();
            assert_ok(compact());
            assert_same();
        }
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, documents_setup, documents_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_compact__arguments),
        TEST(test_compact__forked),
        TEST(test_compact__periods_stay_the_same),
        TEST(test_compact__corrections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
