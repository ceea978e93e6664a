/* Bounds inside a minute: where all usage of the minute is of retained events,
 * exactly what lies within; anywhere else a reason. */
#include "support/catalog_calls.h"
#include "support/event_calls.h"

#include "metering/recorder.h"

#define EVENTS 240
#define QUERIES 1500
#define START "2026-03-15T10:00:00Z"
#define METERS 7

static const char *const aggregations[METERS] = {
    "count", "sum", "avg", "min", "max", "latest", "unique_count"};

typedef struct one_event {
    int64_t at_ms; /* since START */
    int value;
    int kind;
    int is_retracted;
} one_event;

static one_event events[EVENTS];
static int event_count;
static uint64_t random_state;

static int next_random(int below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1;
    return (int)((random_state >> 33) % (uint64_t)below);
}

static int setup(void **state)
{
    char json[256];

    documents_setup(state);
    random_state = 20260315;
    event_count = 0;
    for (int i = 0; i < METERS; i++) {
        snprintf(json, sizeof json,
                 "{\"key\":\"%s\",\"name\":\"n\",\"event_type\":\"t\","
                 "\"aggregation\":\"%s\"%s}",
                 aggregations[i], aggregations[i],
                 i == 0             ? ""
                 : i == METERS - 1 ? ",\"value_property\":\"$.k\""
                                   : ",\"value_property\":\"$.v\"");
        must_put_meter(json);
    }
    must_open_ingest();
    assert_ok(event_settings_put("{\"retain\":\"P10D\"}"));
    return 0;
}

static int teardown(void **state)
{
    close_ingest();
    return documents_teardown(state);
}

/* --- Random events and bounds --------------------------------------------- */
static void write_time(char out[40], int64_t at_ms)
{
    assert_int_equal(met_time_format(time_of(START) + at_ms * 1000000, out),
                     MET_OK);
}

static void ingest_batch(int count)
{
    char json[8192] = "[";
    size_t size = 1;

    for (int i = 0; i < count; i++) {
        one_event *event = &events[event_count++];
        char time[40];
        *event = (one_event){.at_ms = next_random(4 * 60000),
                             .value = next_random(100) - 30,
                             .kind = next_random(3)};
        if (next_random(3) == 0) { /* of one instant, too */
            event->at_ms -= event->at_ms % 15000;
        }
        write_time(time, event->at_ms);
        size += (size_t)snprintf(
            json + size, sizeof json - size,
            "%s{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"s\","
            "\"type\":\"t\",\"subject\":\"u\",\"time\":\"%s\",\"data\":{"
            "\"v\":%d,\"k\":\"%d\"}}",
            i > 0 ? "," : "", event_count - 1, time, event->value,
            event->kind);
        assert_true(size < sizeof json - 2);
    }
    memcpy(json + size, "]", 2);
    assert_ok(ingest_json(json));
}

static void retract(int number)
{
    char json[128];

    snprintf(json, sizeof json,
             "{\"source\":\"s\",\"id\":\"%d\",\"reason\":\"r\","
             "\"actor\":\"a\"}",
             number);
    fresh();
    assert_ok(met_event_retract(store, json, strlen(json), NULL, &told));
    events[number].is_retracted = 1;
}

/* What the meter comes to, as text; "" when there is no row. */
static const char *model(int meter, int64_t from_ms, int64_t to_ms)
{
    static char text[64];
    int64_t values[7] = {0};
    int64_t latest_ms = -1;
    int kinds = 0;

    for (int i = 0; i < event_count; i++) {
        const one_event *event = &events[i];
        if (event->is_retracted || event->at_ms < from_ms
            || event->at_ms >= to_ms) {
            continue;
        }
        if (values[0] == 0 || event->value < values[3]) {
            values[3] = event->value;
        }
        if (values[0] == 0 || event->value > values[4]) {
            values[4] = event->value;
        }
        if (event->at_ms >= latest_ms) {
            latest_ms = event->at_ms;
            values[5] = event->value;
        }
        values[0]++;
        values[1] += event->value;
        kinds |= 1 << event->kind;
    }
    values[6] = (kinds & 1) + (kinds >> 1 & 1) + (kinds >> 2 & 1);
    if (values[0] == 0 && meter != 0 && meter != 6) {
        return "";
    }
    snprintf(text, sizeof text, "%lld", (long long)values[meter]);
    return text;
}

static met_error ask(const char *meter, int64_t from_ms, int64_t to_ms)
{
    char from[40];
    char to[40];
    char json[256];

    write_time(from, from_ms);
    write_time(to, to_ms);
    snprintf(json, sizeof json,
             "{\"meter\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"}", meter, from,
             to);
    return usage_query(json);
}

static void check_queries(int count)
{
    char time[40];

    for (int i = 0; i < count; i++) {
        int meter = next_random(METERS);
        int64_t from_ms = next_random(4 * 60000);
        int64_t to_ms = from_ms + 1 + next_random(next_random(2) ? 60000
                                                                 : 180000);
        if (meter == 2) {
            continue; /* an average is a sum and a count */
        }
        if (next_random(4) == 0) {
            from_ms -= from_ms % 60000;
        }
        assert_ok(ask(aggregations[meter], from_ms, to_ms));
        assert_same(shown("data.0.value"), model(meter, from_ms, to_ms));
        if (shown("data.0")[0] != '\0') {
            write_time(time, from_ms);
            assert_shown("data.0.from", time);
        }
    }
}

static void test_bound__random(void **state)
{
    while (event_count < EVENTS - 20) {
        ingest_batch(1 + next_random(20));
    }
    check_queries(QUERIES);
    for (int i = 0; i < 40; i++) {
        retract(next_random(event_count));
    }
    check_queries(QUERIES);
}

static void test_bound__windows(void **state)
{
    assert_ok(ingest_json(event_json("1", "t", "2026-03-15T10:00:10Z",
                                     "{\"v\":1}")));
    assert_ok(ingest_json(event_json("2", "t", "2026-03-15T10:00:20.5Z",
                                     "{\"v\":2}")));
    assert_ok(ingest_json(event_json("3", "t", "2026-03-15T10:01:30Z",
                                     "{\"v\":4}")));
    assert_ok(usage_query("{\"meter\":\"sum\",\"window\":\"minute\",\"from\":"
                          "\"2026-03-15T10:00:20.500Z\",\"to\":"
                          "\"2026-03-15T10:01:30Z\"}"));
    assert_shown("data.0.value", "2");
    assert_shown("data.0.from", "2026-03-15T10:00:00Z");
    assert_shown("data.0.to", "2026-03-15T10:01:00Z");
    assert_shown("data.1", "");
    assert_ok(usage_query("{\"meter\":\"sum\",\"window\":\"hour\",\"from\":"
                          "\"2026-03-15T10:00:10.001Z\",\"to\":"
                          "\"2026-03-15T10:01:30.001Z\"}"));
    assert_shown("data.0.value", "6");
    assert_ok(usage_query("{\"meter\":\"count\",\"from\":"
                          "\"2026-03-15T10:00:30Z\",\"to\":"
                          "\"2026-03-15T10:00:40Z\"}"));
    assert_shown("data.0.value", "0");
    assert_shown("data.0.from", "2026-03-15T10:00:30Z");
    assert_shown("data.0.to", "2026-03-15T10:00:40Z");
}

/* --- What cannot be told -------------------------------------------------- */
static void must_count(const char *time)
{
    met_recorder *recorder = NULL;
    met_quantity quantity = {.key = "v", .key_size = 1};
    met_event event = {.struct_size = sizeof event,
                       .type = "t",
                       .type_size = 1,
                       .subject = "u",
                       .subject_size = 1,
                       .quantities = &quantity,
                       .quantity_count = 1,
                       .utc_ns = time_of(time)};

    fresh();
    assert_int_equal(met_decimal_parse("1", 1, &quantity.value), MET_OK);
    assert_ok(met_recorder_open(store, NULL, &recorder, &told));
    assert_ok(met_recorder_add(recorder, &event, &told));
    met_recorder_close(recorder);
    assert_ok(settle());
}

static void test_bound__reasons(void **state)
{
    static const char keep[] = "{\"keep_minutes\":\"PT1M\"}";
    static const char adjusted[] =
        "{\"id\":\"a\",\"meter\":\"count\",\"subject\":\"u\",\"time\":"
        "\"2026-03-15T10:03:40Z\",\"value\":-1,\"reason\":\"r\",\"actor\":"
        "\"a\"}";

    assert_ok(ingest_json(event_json("1", "t", "2026-03-15T10:01:10Z",
                                     "{\"v\":1}")));
    must_count("2026-03-15T10:02:00Z");
    fresh();
    assert_ok(met_usage_adjust(store, adjusted, sizeof adjusted - 1, NULL,
                               &told));
    assert_ok(ask("count", 70000, 119000));
    assert_shown("data.0.value", "1");
    assert_told(ask("count", 70000, 120001), MET_E_UNSUPPORTED, "to",
                "in which a recorder counted");
    assert_told(ask("sum", 121000, 240000), MET_E_UNSUPPORTED, "from",
                "in which a recorder counted");
    assert_told(ask("count", 0, 200000), MET_E_UNSUPPORTED, "to",
                "that was adjusted");
    assert_ok(ask("sum", 190000, 240000)); /* that meter was not */
    assert_ok(event_settings_put("{\"retain\":\"PT29M55S\"}"));
    assert_ok(ingest_json("["
        "{\"specversion\":\"1.0\",\"id\":\"8\",\"source\":\"s\",\"type\":\"t\","
        "\"subject\":\"u\",\"time\":\"2026-03-15T10:00:01Z\",\"data\":{"
        "\"v\":1}},"
        "{\"specversion\":\"1.0\",\"id\":\"9\",\"source\":\"s\",\"type\":\"t\","
        "\"subject\":\"u\",\"time\":\"2026-03-15T10:00:09Z\",\"data\":{"
        "\"v\":1}}]"));
    assert_told(ask("count", 8000, 60000), MET_E_UNSUPPORTED, "from",
                "is not all of events that are retained");
    clock_now_ns += 3 * MET__HOUR_NS;
    fresh();
    assert_ok(met_usage_settings_put(store, keep, sizeof keep - 1, NULL,
                                     &told));
    assert_ok(met_store_compact(store, NULL, NULL, &told));
    assert_told(ask("count", 8000, 60000), MET_E_UNSUPPORTED, "from",
                "parts an hour");
    assert_ok(event_settings_put("{}"));
    assert_told(ask("count", 8000, 60000), MET_E_INVALID, "from",
                "whole minute");
    assert_told(ask("count", 0, 60001), MET_E_INVALID, "to", "whole minute");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bound__random),
        TEST(test_bound__windows),
        TEST(test_bound__reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
