/* event.h: events in, numbers out, each once; every verdict, cursors, settings
 * and structs. What an event's text may be: event_text_test.c. */
#include "support/catalog_calls.h"
#include "support/event_calls.h"

#include <sys/wait.h>
#include <unistd.h>

#include "metering/entitlement.h"

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

/* A host whose clock is nowhere is told so, and nothing is stored. */
static void test_api_event__clock_of_no_year(void **state)
{
    static const int64_t clocks[] = {-1, MET__TIME_MAX + 1, INT64_MAX};
    uint64_t before = stored_digest();

    for (int i = 0; i < 3; i++) {
        int64_t now_ns = clock_now_ns;
        clock_now_ns = clocks[i];
        assert_told(ingest_json(event_json("1", "t", NOON, "{}")),
                    MET_E_INVALID, "platform.clock", "1970 to 2200");
        clock_now_ns = now_ns;
    }
    assert_true(stored_digest() == before);
    assert_same(verdict_on(event_json("1", "t", NOON, "{}")), "accepted");
}

static void test_api_event__in_a_child(void **state)
{
    pid_t child = fork();

    if (child == 0) {
        met_error_info info = {.struct_size = sizeof info};
        met_error error = met_event_ingest_json(ingest, "{}", 2, 0, NULL, NULL,
                                                &info);
        met_ingest_close(ingest);
        _exit(error == MET_E_FORKED && info.code == error
                      && info.reason[0] != '\0'
                  ? 0
                  : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_same(verdict_on(event_json("1", "t", NOON, NULL)), "accepted");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, event_setup, event_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_api_event__counted_once),
        TEST(test_api_event__pairs_do_not_collide),
        TEST(test_api_event__duplicates_within_a_batch),
        TEST(test_api_event__lines),
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
        TEST(test_api_event__clock_of_no_year),
        TEST(test_api_event__in_a_child),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
