/* event.h: events in, numbers out, each once; every verdict, cursors, settings,
 * JSON in all its forms, and structs. */
#include "support/catalog_calls.h"
#include "support/event_calls.h"

#include <sys/wait.h>
#include <unistd.h>

#include "metering/entitlement.h"

#define NOON "2026-03-15T10:00:00Z"

static int setup(void **state)
{
    documents_setup(state);
    must_put_meter("{\"key\":\"calls\",\"name\":\"c\",\"event_type\":\"t\","
                   "\"aggregation\":\"count\",\"dimensions\":{\"d\":"
                   "\"$.a.b\"}}");
    must_put_meter("{\"key\":\"tokens\",\"name\":\"t\",\"event_type\":\"n\","
                   "\"aggregation\":\"sum\",\"value_property\":\"$.v\","
                   "\"dimensions\":{\"model\":\"$.model\"}}");
    must_open_ingest();
    return 0;
}

static int teardown(void **state)
{
    close_ingest();
    return documents_teardown(state);
}

static void test_api_event__counted_once(void **state)
{
    assert_same(verdict_on(event_json("1", "t", NOON, "{\"a\":{\"b\":1}}")),
                "accepted");
    assert_shown("events", "1");
    assert_shown("accepted", "1");
    assert_shown("problems", "[]");
    assert_same(verdict_on(event_json("1", "t", NOON, "{}")), "duplicate");
    assert_shown("problems.0.field", "id");
    /* Type, time and data do not make another event. */
    assert_same(verdict_on(event_json("1", "n", NULL, "{\"v\":5}")),
                "duplicate");
    assert_same(verdict_on(event_json("2", "t", NULL, NULL)), "accepted");
    assert_same(usage_of("calls"), "2");
    assert_ok(usage_query("{\"meter\":\"calls\",\"group_by\":[\"d\"],"
                          "\"window\":\"minute\"}"));
    assert_shown("data.0.dimensions.d", "1");
    assert_shown("data.0.from", NOON);
    assert_shown("data.1.dimensions.d", "");
    assert_shown("data.1.from", "2026-03-15T10:30:00Z");
    assert_same(usage_of("tokens"), "");
    assert_ok(event_settings_get());
    assert_shown("events.accepted", "2");
    assert_shown("events.duplicate", "2");
    assert_shown("refused_before", "2026-02-11T10:30:00Z");
}

/* ("a-b", "c") and ("a", "b-c") are two events. */
static void test_api_event__pairs_do_not_collide(void **state)
{
    assert_ok(ingest_json(
        "[{\"specversion\":\"1.0\",\"id\":\"c\",\"source\":\"ab\",\"type\":"
        "\"t\",\"subject\":\"u\"},{\"specversion\":\"1.0\",\"id\":\"bc\","
        "\"source\":\"a\",\"type\":\"t\",\"subject\":\"u\"},{\"specversion\":"
        "\"1.0\",\"id\":\"b\",\"source\":\"ac\",\"type\":\"t\",\"subject\":"
        "\"u\"}]"));
    assert_shown("accepted", "3");
}

static void test_api_event__duplicates_within_a_batch(void **state)
{
    char json[4096];

    snprintf(json, sizeof json, "[%s, %s ,%s,\n%s]",
             event_json("1", "n", NOON, "{\"v\":\"x\"}"),
             event_json("1", "n", NOON, "{\"v\":\"2.5\"}"),
             event_json("1", "n", NOON, "{\"v\":7}"),
             event_json("2", "n", NOON, "{\"v\":1e2}"));
    assert_ok(ingest_json(json));
    /* What is not accepted does not keep the id from the next one. */
    assert_shown("verdicts",
                 "[\"no_value\",\"accepted\",\"duplicate\",\"accepted\"]");
    assert_shown("problems.0.index", "0");
    assert_shown("problems.0.field", "data.v");
    assert_shown("problems.0.reason", "is no number");
    assert_shown("problems.1.index", "2");
    assert_same(usage_of("tokens"), "102.5");
}

static void test_api_event__lines(void **state)
{
    char json[4096];

    snprintf(json, sizeof json, "%s\r\n\n{\"broken\n%s\nnull\n[]",
             event_json("1", "t", NOON, NULL),
             event_json("2", "t", NOON, NULL));
    assert_ok(ingest_at(json, MET_EVENTS_LINES, NULL));
    assert_shown("verdicts", "[\"accepted\",\"invalid\",\"accepted\","
                             "\"invalid\",\"invalid\"]");
    assert_shown("problems.0.reason", "line 1, column 9: a string without an "
                                      "end");
    assert_shown("problems.1.reason", "must be an object");
    assert_same(usage_of("calls"), "2");
    assert_told(ingest_at("\n \n", MET_EVENTS_LINES, NULL), MET_E_INVALID,
                "events", "none");
}

static void test_api_event__not_json(void **state)
{
    uint64_t before = stored_digest();

    assert_told(ingest_json(""), MET_E_INVALID, "json", "empty");
    assert_told(ingest_json("  "), MET_E_INVALID, "json", "empty");
    assert_told(ingest_json("7"), MET_E_INVALID, "json", "neither");
    assert_told(ingest_json("[]"), MET_E_INVALID, "events", "none");
    assert_told(ingest_json("["), MET_E_INVALID, "json", "without an end");
    assert_told(ingest_json("[{}"), MET_E_INVALID, "json", "without an end");
    assert_told(ingest_json("[\"]"), MET_E_INVALID, "json", "without an end");
    assert_told(ingest_json("[\"\\"), MET_E_INVALID, "json",
                "without an end");
    assert_told(ingest_json("[1]2"), MET_E_INVALID, "json", "behind");
    fresh();
    assert_told(met_event_ingest_json(ingest, "{}", 2, 2, NULL, NULL, &told),
                MET_E_UNSUPPORTED, "flags", "");
    assert_true(stored_digest() == before);
    assert_same(verdict_on("{} {}"), "invalid");
    assert_same(verdict_on("[,]"), "invalid");
    assert_shown("events", "2");
}

static void must_be_invalid(const char *json, const char *field,
                            const char *reason)
{
    assert_ok(ingest_json(json));
    assert_shown("verdicts.0", "invalid");
    assert_shown("problems.0.field", field);
    if (strstr(shown("problems.0.reason"), reason) == NULL) {
        fail_msg("%s: \"%s\"", field, shown("problems.0.reason"));
    }
}

static void test_api_event__rules_of_the_envelope(void **state)
{
    must_be_invalid("{}", "specversion", "1.0");
    must_be_invalid("{\"specversion\":1.0}", "specversion", "1.0");
    must_be_invalid("{\"specversion\":\"0.3\"}", "specversion", "1.0");
#define EVENT(rest) "{\"specversion\":\"1.0\"," rest "}"
    must_be_invalid(EVENT("\"id\":null"), "id", "missing");
    must_be_invalid(EVENT("\"id\":\"\""), "id", "empty");
    must_be_invalid(EVENT("\"id\":7"), "id", "must be a text");
    must_be_invalid(EVENT("\"id\":\"1\""), "source", "missing");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\""), "type", "missing");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\",\"type\":\"t\""),
                    "subject", "missing");
    must_be_invalid(EVENT("\"id\":\"\\n\",\"source\":\"s\",\"type\":\"t\","
                          "\"subject\":\"u\""),
                    "id", "control");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\\t\",\"type\":\"t\","
                          "\"subject\":\"u\""),
                    "source", "control");
    must_be_invalid(EVENT("\"id\":\"1\",\"source\":\"s\",\"type\":\"t\","
                          "\"subject\":\"u\\u007f\""),
                    "subject", "control");
#define GOOD "\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"subject\":\"u\","
    must_be_invalid(EVENT(GOOD "\"time\":7"), "time", "RFC 3339");
    must_be_invalid(EVENT(GOOD "\"time\":\"yesterday\""), "time", "RFC 3339");
    must_be_invalid(EVENT(GOOD "\"time\":\"1970-01-01T00:00:00Z\""), "time",
                    "after 1970");
    must_be_invalid(EVENT(GOOD "\"datacontenttype\":\"text/plain\""),
                    "datacontenttype", "application/json");
    must_be_invalid(EVENT(GOOD "\"datacontenttype\":\"application/jsonx\""),
                    "datacontenttype", "application/json");
    must_be_invalid(EVENT(GOOD "\"data_base64\":\"e30=\""), "data_base64",
                    "JSON");
    must_be_invalid(EVENT(GOOD "\"data\":{\"a\":{\"b\":\"\\n\"}}"),
                    "data.a.b", "control");
    must_be_invalid(EVENT(GOOD "\"x\":1,\"x\":1"), "", "twice");
    must_be_invalid(EVENT(GOOD "\"data\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"),
                    "", "deeply");
    assert_same(verdict_on(EVENT(GOOD "\"time\":null,\"datacontenttype\":"
                                      "\"Application/JSON; charset=utf-8\","
                                      "\"dataschema\":\"x\",\"extension\":7,"
                                      "\"data\":null,\"data_base64\":null")),
                "accepted");
}

/* Bounds at -1, 0, +1: id 128, source 255, type 128, subject 128, value 128,
 * the event 65,536 bytes. */
static void test_api_event__bounds(void **state)
{
    static const struct {
        const char *name;
        int most;
    } rows[] = {{"id", 128}, {"source", 255}, {"type", 128},
                {"subject", 128}, {"data.a.b", 128}};
    char text[5][300];
    char json[2048];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int size = rows[i].most - 1; size <= rows[i].most + 1; size++) {
            for (int k = 0; k < 5; k++) {
                snprintf(text[k], sizeof text[k], "%s%zu%d",
                         k == 2 ? "" : "x", i, size);
            }
            strcpy(text[2], "t");
            memset(text[i], 'x', (size_t)size);
            text[i][size] = '\0';
            snprintf(json, sizeof json,
                     "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":"
                     "\"%s\",\"type\":\"%s\",\"subject\":\"%s\",\"data\":"
                     "{\"a\":{\"b\":\"%s\"}}}",
                     text[0], text[1], text[2], text[3], text[4]);
            if (size > rows[i].most) {
                must_be_invalid(json, rows[i].name, "longer than");
            } else {
                assert_same(verdict_on(json), i == 2 ? "no_meter"
                                                     : "accepted");
            }
        }
    }
}

static void test_api_event__size_of_an_event(void **state)
{
    static char json[70000];

    for (int size = 65535; size <= 65537; size++) {
        const char *head = event_json(size == 65535 ? "1" : "2", "t", NOON,
                                      "\"");
        size_t at = strlen(head) - 1;
        memset(json, 'x', sizeof json);
        memcpy(json, head, at);
        memcpy(json + size - 2, "\"}", 3);
        if (size > 65536) {
            must_be_invalid(json, "", "65,536");
        } else {
            assert_same(verdict_on(json), "accepted");
        }
    }
}

static void test_api_event__unicode(void **state)
{
    assert_same(verdict_on(
                    "{\"specversion\":\"1.0\",\"id\":\"\xf0\x9f\x90\x91"
                    "\\ud83d\\udc11\",\"source\":\"//\xc3\xa9\",\"type\":\"t\""
                    ",\"subject\":\"\xe6\xbc\xa2\",\"data\":{\"a\":{\"b\":"
                    "\"\\u00e9\"}}}"),
                "accepted");
    assert_ok(usage_query("{\"meter\":\"calls\",\"group_by\":[\"subject\","
                          "\"d\"]}"));
    assert_shown("data.0.subject", "\xe6\xbc\xa2");
    assert_shown("data.0.dimensions.d", "\xc3\xa9");
    must_be_invalid("{\"specversion\":\"1.0\",\"id\":\"\xff\"}", "", "UTF-8");
    must_be_invalid("{\"specversion\":\"1.0\",\"id\":\"\\ud83d\"}", "",
                    "surrogate");
}

/* The text of what a path leads to. */
static void test_api_event__values_of_dimensions(void **state)
{
    static const char *const rows[][2] = {
        {"{\"a\":{\"b\":123}}", "123"},
        {"{\"a\":{\"b\":1.50}}", "1.5"},
        {"{\"a\":{\"b\":1e3}}", "1000"},
        {"{\"a\":{\"b\":true}}", "true"},
        {"{\"a\":{\"b\":null}}", "null"},
        {"{\"a\":{\"b\":\"x\"}}", "x"},
        {"{\"a\":{\"b\":[1]}}", ""},
        {"{\"a\":{\"b\":{}}}", ""},
        {"{\"a\":7}", ""},
        {"{}", ""},
        {"[1]", ""},
        {"null", ""},
        {"\"text\"", ""},
    };
    char id[16];
    char minute[32];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(id, sizeof id, "%zu", i);
        snprintf(minute, sizeof minute, "2026-03-15T09:%02zu:00Z", i);
        assert_same(verdict_on(event_json(id, "t", minute, rows[i][0])),
                    "accepted");
    }
    assert_ok(usage_query("{\"meter\":\"calls\",\"group_by\":[\"d\"],"
                          "\"window\":\"minute\"}"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.%zu.dimensions.d", i);
        assert_shown(path, rows[i][1]);
    }
}

/* Numbers: JSON or text, exact; what is none is passed over or refused. */
static void test_api_event__values_of_meters(void **state)
{
    static const struct {
        const char *data;
        const char *verdict;
        const char *reason;
    } rows[] = {
        {"{\"v\":1}", "accepted", ""},
        {"{\"v\":0.1}", "accepted", ""},
        {"{\"v\":\"0.2\"}", "accepted", ""},
        {"{\"v\":\"1e2\"}", "accepted", ""},
        {"{\"v\":-5}", "accepted", ""},
        {"{\"v\":\"999999999999999.999999999\"}", "accepted", ""},
        {"{\"v\":\"-999999999999999.999999999\"}", "accepted", ""},
        {"{\"v\":\"1000000000000000\"}", "invalid", "15 digits"},
        {"{\"v\":\"0.0000000001\"}", "invalid", "9 behind"},
        {"{\"v\":12345678901234567}", "invalid", "15 digits"},
        {"{\"v\":123456789012345678901234}", "invalid", "64 bits"},
        {"{\"v\":0.12345678901234567}", "invalid", "string"},
        {"{\"v\":NaN}", "invalid", "value is expected"},
        {"{\"v\":\"NaN\"}", "no_value", "is no number"},
        {"{\"v\":\"Inf\"}", "no_value", "is no number"},
        {"{\"v\":\"\"}", "no_value", "is no number"},
        {"{\"v\":\"+1\"}", "no_value", "is no number"},
        {"{\"v\":null}", "no_value", "is null"},
        {"{\"v\":true}", "no_value", "is no number"},
        {"{\"v\":[1]}", "no_value", "is no number"},
        {"{\"v\":{}}", "no_value", "is no number"},
        {"{\"w\":1}", "no_value", "is missing"},
        {"{}", "no_value", "is missing"},
        {"null", "no_value", "is missing"},
    };
    char id[16];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(id, sizeof id, "%zu", i);
        const char *found = verdict_on(event_json(id, "n", NOON,
                                                  rows[i].data));
        if (strcmp(found, rows[i].verdict) != 0
            || strstr(shown("problems.0.reason"), rows[i].reason) == NULL) {
            fail_msg("%s: %s, \"%s\"", rows[i].data, found,
                     shown("problems.0.reason"));
        }
    }
    assert_same(usage_of("tokens"), "96.3");
}

/* An event of a type that two meters count: each by itself. */
static void test_api_event__counts_for_one_of_two(void **state)
{
    must_put_meter("{\"key\":\"events\",\"name\":\"c\",\"event_type\":\"n\","
                   "\"aggregation\":\"count\"}");
    assert_same(verdict_on(event_json("1", "n", NOON, "{\"v\":\"x\"}")),
                "accepted");
    assert_shown("problems.0.field", "data.v");
    assert_shown("problems.0.verdict", "accepted");
    assert_same(verdict_on(event_json("2", "n", NOON, "{\"v\":2}")),
                "accepted");
    assert_same(usage_of("events"), "2");
    assert_same(usage_of("tokens"), "2");
}

static void test_api_event__late_and_future(void **state)
{
    assert_same(verdict_on(event_json("1", "t", "2026-02-11T10:29:59.9Z",
                                      NULL)),
                "late");
    assert_shown("problems.0.field", "time");
    assert_same(verdict_on(event_json("1", "t", "2026-02-11T10:30:00Z",
                                      NULL)),
                "accepted");
    assert_same(verdict_on(event_json("2", "t", "2026-03-16T10:30:00Z",
                                      NULL)),
                "accepted");
    assert_same(verdict_on(event_json("3", "t", "2026-03-16T10:30:00.1Z",
                                      NULL)),
                "future");
    assert_ok(event_settings_put("{\"late_after\":\"PT1H\",\"future_after\":"
                                 "\"PT1S\"}"));
    assert_shown("late_after", "PT1H");
    assert_same(verdict_on(event_json("4", "t", "2026-03-15T09:29:00Z",
                                      NULL)),
                "late");
    assert_same(verdict_on(event_json("4", "t", "2026-03-15T10:31:00Z",
                                      NULL)),
                "future");
    /* A wider bound does not bring back what was late once. */
    assert_ok(event_settings_put("{}"));
    assert_shown("late_after", "P32D");
    assert_same(verdict_on(event_json("4", "t", "2026-03-15T09:29:00Z",
                                      NULL)),
                "late");
    assert_same(verdict_on(event_json("4", "t", "2026-03-15T09:30:00Z",
                                      NULL)),
                "accepted");
    assert_told(event_settings_put("{\"late_after\":\"P367D\"}"),
                MET_E_INVALID, "settings.late_after", "P366D");
    assert_told(event_settings_put("{\"late\":\"P1D\"}"), MET_E_INVALID,
                "settings.late", "");
    assert_told(event_settings_put("{\"late_after\":7}"), MET_E_INVALID,
                "settings.late_after", "");
    assert_told(event_settings_put("["), MET_E_INVALID, "", "line 1");
}

/* Ids are known as long as their events are not late: 33 days, and with a
 * clock that is set back in between. */
static void test_api_event__ids_live_as_long_as_needed(void **state)
{
    int64_t start = clock_now_ns;
    char time[64];
    char id[16];

    assert_same(verdict_on(event_json("first", "t", "2026-03-16T10:00:00Z",
                                      NULL)),
                "accepted");
    for (int day = 0; day < 40; day++) {
        clock_now_ns = start + day * MET__DAY_NS;
        if (day % 5 == 4) {
            clock_now_ns -= 2 * MET__DAY_NS; /* stepped back */
        }
        snprintf(id, sizeof id, "%d", day);
        assert_int_equal(met_time_format(clock_now_ns, time), MET_OK);
        assert_same(verdict_on(event_json(id, "t", time, NULL)), "accepted");
        assert_same(verdict_on(event_json(id, "t", time, NULL)), "duplicate");
        const char *first = verdict_on(event_json(
            "first", "t", "2026-03-16T10:00:00Z", NULL));
        assert_same(first, day < 33 ? "duplicate" : "late");
    }
    assert_same(usage_of("calls"), "41");
    clock_now_ns = start; /* long ago: all of today is late now */
    assert_same(verdict_on(event_json("new", "t", NULL, NULL)), "late");
}

/* An event ahead of the clock keeps its id until it is late itself, not until
 * the day it came in is. */
static void test_api_event__ids_of_the_future(void **state)
{
    const char *event = event_json("f", "t", "2026-03-16T10:00:00Z", NULL);

    assert_same(verdict_on(event), "accepted");
    clock_now_ns = time_of("2026-04-17T05:00:00Z");
    assert_same(verdict_on(event), "duplicate");
    clock_now_ns = time_of("2026-04-17T10:00:00Z");
    assert_same(verdict_on(event), "duplicate");
    clock_now_ns = time_of("2026-04-17T10:00:01Z");
    assert_same(verdict_on(event), "late");
    assert_same(usage_of("calls"), "1");
}

static void test_api_event__before_the_meter_counts(void **state)
{
    must_put_meter("{\"key\":\"since\",\"name\":\"c\",\"event_type\":\"e\","
                   "\"aggregation\":\"count\",\"events_from\":"
                   "\"2026-03-15T10:00:00Z\"}");
    assert_same(verdict_on(event_json("1", "e", "2026-03-15T09:59:59Z",
                                      NULL)),
                "no_meter");
    assert_shown("problems.0.field", "time");
    assert_same(verdict_on(event_json("1", "e", NOON, NULL)), "accepted");
    assert_same(verdict_on(event_json("2", "unknown", NOON, NULL)),
                "no_meter");
    assert_shown("problems.0.field", "type");
    assert_same(usage_of("since"), "1");
}

/* A meter that is made while a handle is open counts at once, and its
 * dimensions are read. */
static void test_api_event__new_meters(void **state)
{
    assert_same(verdict_on(event_json("1", "late", NOON, "{\"x\":1}")),
                "no_meter");
    must_put_meter("{\"key\":\"late\",\"name\":\"c\",\"event_type\":\"late\","
                   "\"aggregation\":\"count\",\"dimensions\":{\"x\":\"$.x\"}"
                   "}");
    assert_same(verdict_on(event_json("1", "late", NOON, "{\"x\":1}")),
                "accepted");
    assert_ok(usage_query("{\"meter\":\"late\",\"group_by\":[\"x\"]}"));
    assert_shown("data.0.dimensions.x", "1");
}

static met_event_cursor cursor_at(uint64_t generation, uint64_t offset)
{
    return (met_event_cursor){sizeof(met_event_cursor), "file", 4, generation,
                              offset};
}

static met_error stored_cursor(met_event_cursor *cursor)
{
    *cursor = (met_event_cursor){.struct_size = sizeof *cursor};
    fresh();
    return met_event_cursor_get(store, "file", 4, cursor, &told);
}

static void test_api_event__cursors(void **state)
{
    met_event_cursor cursor = cursor_at(1, 100);
    met_event_cursor found;

    assert_told(stored_cursor(&found), MET_E_NOT_FOUND, "name", "file");
    assert_ok(ingest_at(event_json("1", "t", NOON, NULL), 0, &cursor));
    assert_ok(stored_cursor(&found));
    assert_int_equal(found.generation, 1);
    assert_int_equal(found.offset, 100);
    /* Repeated as it is: nothing new. */
    assert_ok(ingest_at(event_json("1", "t", NOON, NULL), 0, &cursor));
    assert_shown("duplicate", "1");
    uint64_t before = stored_digest();
    cursor = cursor_at(1, 99);
    assert_told(ingest_at(event_json("2", "t", NOON, NULL), 0, &cursor),
                MET_E_CONFLICT, "cursor", "offset 100");
    cursor = cursor_at(0, 500);
    assert_told(ingest_at(event_json("2", "t", NOON, NULL), 0, &cursor),
                MET_E_CONFLICT, "cursor", "generation 1");
    assert_true(stored_digest() == before);
    cursor = cursor_at(2, 0);
    fresh();
    assert_ok(met_event_ingest(ingest, NULL, 0, &cursor, NULL, &told));
    assert_ok(stored_cursor(&found));
    assert_int_equal(found.generation, 2);
    assert_int_equal(found.offset, 0);
    cursor.name_size = 0;
    assert_told(met_event_ingest(ingest, NULL, 0, &cursor, NULL, &told),
                MET_E_INVALID, "cursor.name", "");
    cursor.struct_size = 8;
    assert_told(met_event_ingest(ingest, NULL, 0, &cursor, NULL, &told),
                MET_E_INVALID, "cursor", "");
}

static void test_api_event__structs(void **state)
{
    met_pair pairs[] = {{"a.b", 3, "x", 1}, {"a.b", 3, "other", 5}};
    met_quantity quantities[] = {{"v", 1, {{0, 0}}}};
    met_ingest_event events[3] = {
        {.id = "1", .id_size = 1, .source = "s", .source_size = 1,
         .type = "t", .type_size = 1, .subject = "u", .subject_size = 1,
         .attributes = pairs, .attribute_count = 2},
        {.id = "2", .id_size = 1, .source = "s", .source_size = 1,
         .type = "n", .type_size = 1, .subject = "u", .subject_size = 1,
         .quantities = quantities, .quantity_count = 1},
        {.id = "3", .id_size = 1, .source = "s", .source_size = 1,
         .type = "n", .type_size = 1, .subject = "u", .subject_size = 1,
         .attributes = NULL, .attribute_count = 1},
    };
    met_event_verdict verdicts[3];

    assert_int_equal(met_decimal_parse("0.3", 3, &quantities[0].value),
                     MET_OK);
    fresh();
    assert_ok(met_event_ingest(ingest, events, 3, NULL, verdicts, &told));
    assert_int_equal(verdicts[0].verdict, MET_VERDICT_ACCEPTED);
    assert_string_equal(verdicts[0].reason, "");
    assert_int_equal(verdicts[1].verdict, MET_VERDICT_ACCEPTED);
    assert_int_equal(verdicts[2].verdict, MET_VERDICT_INVALID);
    assert_string_equal(verdicts[2].field, "attributes");
    events[2].attribute_count = 0;
    events[2].utc_ns = -1;
    assert_ok(met_event_ingest(ingest, events, 3, NULL, verdicts, &told));
    assert_int_equal(verdicts[0].verdict, MET_VERDICT_DUPLICATE);
    assert_int_equal(verdicts[2].verdict, MET_VERDICT_INVALID);
    assert_string_equal(verdicts[2].field, "time");
    events[2].utc_ns = 0;
    assert_ok(met_event_ingest(ingest, events, 3, NULL, verdicts, &told));
    assert_int_equal(verdicts[2].verdict, MET_VERDICT_NO_VALUE);
    assert_string_equal(verdicts[2].field, "data");
    quantities[0].value.bits[1] = UINT64_MAX; /* no number at all */
    events[1].id = "9";
    assert_ok(met_event_ingest(ingest, events, 3, NULL, verdicts, &told));
    assert_int_equal(verdicts[1].verdict, MET_VERDICT_INVALID);
    assert_string_equal(verdicts[1].field, "data.v");
    assert_same(usage_of("tokens"), "0.3");
    assert_ok(usage_query("{\"meter\":\"calls\",\"group_by\":[\"d\"]}"));
    assert_shown("data.0.dimensions.d", "x");
    assert_told(met_event_ingest(ingest, NULL, 1, NULL, NULL, &told),
                MET_E_INVALID, "events", "NULL");
    assert_told(met_event_ingest(NULL, events, 1, NULL, NULL, &told),
                MET_E_INVALID, "ingest", "NULL");
    assert_told(met_event_ingest(ingest, events, 0, NULL, NULL, &told),
                MET_E_INVALID, "events", "none");
}

static void must_count(const char *id, const char *time, const char *service)
{
    char data[64];

    snprintf(data, sizeof data, "{\"service_name\":\"%s\"}", service);
    assert_same(verdict_on(event_json(id, "kong.api_request", time, data)),
                "accepted");
}

/* Events use up allowances as settled usage does. */
static void test_api_event__balances(void **state)
{
    must_have_catalog();
    assert_ok(customer_put("{\"key\":\"ariel_inc\",\"name\":\"A\","
                           "\"usage_attribution\":{\"subject_keys\":"
                           "[\"u\"]}}"));
    assert_ok(subscribe("{\"customer\":{\"key\":\"ariel_inc\"},"
                                  "\"plan\":{\"key\":\"free\"}}", 0));
    must_count("1", "2026-03-15T10:30:00Z", "example_service");
    must_count("2", "2026-03-15T10:30:01Z", "other");
    must_count("3", NULL, "example_service");
    met_buffer *out = fresh();
    assert_ok(keep(met_entitlement_get(store, "ariel_inc", 9,
                                       "example_service", 15, 0, out, &told),
                   out));
    assert_shown("usage", "2");
    assert_shown("balance", "998");
}

static void test_api_event__too_many(void **state)
{
    size_t count = MET_INGEST_EVENTS_MAX + 1;
    met_ingest_event *events = calloc(count, sizeof *events);
    char (*ids)[16] = calloc(count, sizeof *ids);

    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        events[i] = (met_ingest_event){
            .id = ids[i], .id_size = strlen(ids[i]), .source = "s",
            .source_size = 1, .type = "t", .type_size = 1, .subject = "u",
            .subject_size = 1};
    }
    fresh();
    assert_told(met_event_ingest(ingest, events, count, NULL, NULL, &told),
                MET_E_LIMIT, "events", "10000");
    assert_ok(met_event_ingest(ingest, events, count - 1, NULL, NULL, &told));
    assert_same(usage_of("calls"), "10000");
    free(events);
    free(ids);
}

static void test_api_event__in_a_child(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        met_error error = met_event_ingest_json(ingest, "{}", 2, 0, NULL, NULL,
                                                NULL);
        met_ingest_close(ingest);
        _exit(error == MET_E_FORKED ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_same(verdict_on(event_json("1", "t", NOON, NULL)), "accepted");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_api_event__counted_once),
        TEST(test_api_event__pairs_do_not_collide),
        TEST(test_api_event__duplicates_within_a_batch),
        TEST(test_api_event__lines),
        TEST(test_api_event__not_json),
        TEST(test_api_event__rules_of_the_envelope),
        TEST(test_api_event__bounds),
        TEST(test_api_event__size_of_an_event),
        TEST(test_api_event__unicode),
        TEST(test_api_event__values_of_dimensions),
        TEST(test_api_event__values_of_meters),
        TEST(test_api_event__counts_for_one_of_two),
        TEST(test_api_event__late_and_future),
        TEST(test_api_event__ids_live_as_long_as_needed),
        TEST(test_api_event__ids_of_the_future),
        TEST(test_api_event__before_the_meter_counts),
        TEST(test_api_event__new_meters),
        TEST(test_api_event__cursors),
        TEST(test_api_event__structs),
        TEST(test_api_event__balances),
        TEST(test_api_event__too_many),
        TEST(test_api_event__in_a_child),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
