/* Usage queries against a list of events: every window, filter and group of
 * random ones, and the rules for what is empty, open or refused. */
#include "usage_support.h"

#include "meter/usage_query.h"

static char home[64];
static met_store *store;
static met_recorder *recorder;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\",\"y\":\"$.b\""));
    must_meter(store, SUM_METER("s", "t", "v", "\"x\":\"$.a\""));
    recorder = must_recorder(store, 0);
    return 0;
}

static int teardown(void **state)
{
    met__recorder_close(recorder);
    met_store_close(store);
    temp_remove(home);
    return 0;
}

/* --- One query as JSON rows ------------------------------------------------ */
static char answer[1 << 16];

static met_error ask(const char *meter_key, met__usage_query query)
{
    met__arena arena;
    met__txn *txn = NULL;
    met__meter *meter = NULL;
    met__node *rows = NULL;
    met__buffer buffer;
    const met__platform *platform = met__store_platform(store);

    last_info = (met_error_info){.struct_size = sizeof last_info};
    met__arena_init(&arena, platform);
    met__buffer_init(&buffer, platform);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__meter_get(txn, met__text_z(meter_key), &arena,
                                    &meter),
                     MET_OK);
    query.meter = meter;
    met_error error = met__usage_rows(txn, &query, &arena, &rows, &last_info);
    answer[0] = '\0';
    if (error == MET_OK) {
        met__json_write(rows, 0, &buffer);
        assert_true(buffer.size < sizeof answer);
        memcpy(answer, buffer.data, buffer.size + 1);
    }
    met__buffer_release(&buffer);
    met__txn_abort(txn);
    met__arena_release(&arena);
    return error;
}

static met__usage_query all(void)
{
    return (met__usage_query){.from_ns = MET__USAGE_FIRST,
                              .to_ns = MET__USAGE_LAST};
}

static void add(const char *subject, const char *a, const char *b,
                const char *quantity, int64_t minute, uint32_t flags)
{
    test_event event = {"t", subject, a, b, quantity,
                        START_NS + minute * MET__MINUTE_NS, flags};
    met_error error = add_event(recorder, &event);

    if (error != MET_OK) {
        fail_msg("%s: %s", met_error_name(error), last_info.reason);
    }
}

static void test_query__rows(void **state)
{
    met__text by_subject[] = {MET__TEXT("subject")};
    met__text by_y_subject[] = {MET__TEXT("y"), MET__TEXT("subject")};
    met__filter is_x1[] = {{MET__TEXT("x"), MET__TEXT("1")}};
    met__filter is_none[] = {{MET__TEXT("x"), MET__TEXT("")}};
    met__text only_b[] = {MET__TEXT("b")};
    met__usage_query query = all();

    add("a", "1", "p", "2.5", 0, 0);
    add("a", "1", "q", "0.000000001", 61, 1);
    add("b", NULL, "p", NULL, 61, 0);
    add("b", "1", "p", "-2", 1440, 0);
    must_settle(store);

    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-02T00:01:00Z\",\"value\":\"4\","
                        "\"dimensions\":{}}]");
    query.group_count = 1;
    query.groups = by_subject;
    query.window = MET__WINDOW_HOUR;
    query.to_ns = START_NS + 1440 * MET__MINUTE_NS;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-01T01:00:00Z\",\"value\":\"1\","
                        "\"subject\":\"a\",\"dimensions\":{}},"
                        "{\"from\":\"2026-03-01T01:00:00Z\","
                        "\"to\":\"2026-03-01T02:00:00Z\",\"value\":\"1\","
                        "\"subject\":\"a\",\"dimensions\":{}},"
                        "{\"from\":\"2026-03-01T01:00:00Z\","
                        "\"to\":\"2026-03-01T02:00:00Z\",\"value\":\"1\","
                        "\"subject\":\"b\",\"dimensions\":{}}]");
    query = all();
    query.filter_count = 1;
    query.filters = is_x1;
    query.window = MET__WINDOW_MONTH;
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-04-01T00:00:00Z\","
                        "\"value\":\"0.500000001\",\"dimensions\":{}}]");
    query.way = MET__USAGE_ADMITTED;
    query.window = MET__WINDOW_DAY;
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-02T00:00:00Z\","
                        "\"value\":\"0.000000001\",\"dimensions\":{}}]");
    query = all();
    query.filter_count = 1;
    query.filters = is_none;
    query.group_count = 2;
    query.groups = by_y_subject;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T01:01:00Z\","
                        "\"to\":\"2026-03-01T01:02:00Z\",\"value\":\"1\","
                        "\"subject\":\"b\",\"dimensions\":{\"y\":\"p\"}}]");
    /* An event without the quantity is nothing to a sum. */
    query = all();
    query.subject_count = 1;
    query.subjects = only_b;
    query.to_ns = START_NS + 1440 * MET__MINUTE_NS;
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer, "[]");
}

static void test_query__nothing(void **state)
{
    met__text by_subject[] = {MET__TEXT("subject")};
    met__usage_query query = all();

    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer, "[]");
    query.from_ns = START_NS;
    query.to_ns = START_NS + MET__HOUR_NS;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-01T01:00:00Z\",\"value\":\"0\","
                        "\"dimensions\":{}}]");
    assert_int_equal(ask("s", query), MET_OK);
    assert_string_equal(answer, "[]");
    query.window = MET__WINDOW_HOUR;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer, "[]");
    query.window = MET__WINDOW_NONE;
    query.group_count = 1;
    query.groups = by_subject;
    assert_int_equal(ask("c", query), MET_OK);
    assert_string_equal(answer, "[]");
}

static void assert_refused(met__usage_query query, met_error code,
                           const char *field, const char *reason)
{
    assert_int_equal(ask("c", query), code);
    assert_string_equal(last_info.field, field);
    if (strstr(last_info.reason, reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", last_info.reason, reason);
    }
}

static void test_query__refused(void **state)
{
    met__text by_z[] = {MET__TEXT("z")};
    met__filter is_z[] = {{MET__TEXT("z"), MET__TEXT("1")}};
    met__usage_query query = all();

    query.from_ns = START_NS + 1;
    assert_refused(query, MET_E_INVALID, "from", "whole minute");
    query.from_ns = -MET__MINUTE_NS;
    assert_refused(query, MET_E_INVALID, "from", "1970");
    query = all();
    query.to_ns = START_NS + 59 * MET__SECOND_NS;
    assert_refused(query, MET_E_INVALID, "to", "whole minute");
    query.to_ns = START_NS;
    query.from_ns = START_NS;
    assert_refused(query, MET_E_INVALID, "to", "cannot be equal");
    query.from_ns = START_NS + MET__MINUTE_NS;
    assert_refused(query, MET_E_INVALID, "to", "must be before");
    query = all();
    query.group_count = 1;
    query.groups = by_z;
    assert_refused(query, MET_E_INVALID, "group_by", "z is neither");
    query = all();
    query.filter_count = 1;
    query.filters = is_z;
    assert_refused(query, MET_E_INVALID, "filters", "z is no dimension");
    must_meter(store, "{\"key\":\"m\",\"name\":\"n\",\"event_type\":\"t\","
                      "\"aggregation\":\"max\",\"value_property\":\"$.v\"}");
    assert_int_equal(ask("m", all()), MET_E_UNSUPPORTED);
    assert_string_equal(last_info.field, "meter");
}

static void test_query__events_from(void **state)
{
    met__usage_query query = {.from_ns = START_NS,
                              .to_ns = START_NS + MET__HOUR_NS};

    must_meter(store, "{\"key\":\"late\",\"name\":\"n\",\"event_type\":\"u\","
                      "\"aggregation\":\"count\","
                      "\"events_from\":\"2026-03-01T00:10:00Z\"}");
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    for (int i = 0; i < 20; i++) {
        test_event event = {"u", "s", NULL, NULL, NULL,
                            START_NS + i * MET__MINUTE_NS, 0};
        assert_int_equal(add_event(recorder, &event), MET_OK);
    }
    must_settle(store);
    assert_int_equal(ask("late", query), MET_OK);
    assert_string_equal(answer,
                        "[{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-01T01:00:00Z\",\"value\":\"10\","
                        "\"dimensions\":{}}]");
    query.to_ns = START_NS + 5 * MET__MINUTE_NS;
    assert_int_equal(ask("late", query), MET_OK);
    assert_non_null(strstr(answer, "\"value\":\"0\""));
}

/* --- Random queries against the list of events ----------------------------- */
#define EVENTS 600
#define QUERIES 400

typedef struct made {
    char subject[2];
    char a[2]; /* "" = none */
    char b[2];
    int has_amount;
    int64_t units; /* of 10^-2 */
    int64_t minute;
    uint32_t flags;
} made;

static made list[EVENTS];
static uint64_t random_state;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static void make_event(made *event)
{
    char amount[32];

    event->subject[0] = (char)('a' + next_random(3));
    event->a[0] = (char)(next_random(4) ? '0' + next_random(3) : 0);
    event->b[0] = (char)(next_random(4) ? '0' + next_random(3) : 0);
    event->has_amount = next_random(3) > 0;
    event->units = (int64_t)next_random(100000);
    event->minute = (int64_t)next_random(3 * 1440);
    event->flags = (uint32_t)next_random(2);
    snprintf(amount, sizeof amount, "%d.%02d", (int)(event->units / 100),
             (int)(event->units % 100));
    add(event->subject, event->a[0] ? event->a : NULL,
        event->b[0] ? event->b : NULL, event->has_amount ? amount : NULL,
        event->minute, event->flags);
}

typedef struct model_query {
    int is_sum;
    char subject; /* 0: any */
    int filter;   /* dimension x has the value of 'a'; -1: none */
    char filter_value[2];
    uint32_t window;
    uint32_t way;
    int by_subject;
    int by_x;
    int64_t from;
    int64_t to;
} model_query;

static int64_t window_minutes(uint32_t window)
{
    return window == MET__WINDOW_MINUTE ? 1
           : window == MET__WINDOW_HOUR ? 60
           : window == MET__WINDOW_DAY  ? 1440
                                        : 0;
}

static void write_time(char *out, int64_t minute)
{
    met__civil civil;

    assert_int_equal(met__civil_from_ns(START_NS + minute * MET__MINUTE_NS,
                                        &civil),
                     MET_OK);
    sprintf(out, "%04d-%02d-%02dT%02d:%02d:00Z", civil.year, civil.month,
            civil.day, civil.hour, civil.minute);
}

/* The rows of one window and group, or nothing. */
static void model_row(const model_query *query, int64_t from, int64_t to,
                      char subject, const char *x, char *out)
{
    int64_t count = 0;
    int64_t sum = 0;
    int64_t width = window_minutes(query->window);
    char from_text[40];
    char to_text[40];
    char value[40];

    for (int i = 0; i < EVENTS; i++) {
        const made *event = &list[i];
        if (event->minute < query->from || event->minute >= query->to
            || (width && (event->minute < from || event->minute >= to))
            || (query->subject && event->subject[0] != query->subject)
            || (query->filter >= 0
                && strcmp(event->a, query->filter_value) != 0)
            || (query->by_subject && event->subject[0] != subject)
            || (query->by_x && strcmp(event->a, x) != 0)
            || (query->way != MET__USAGE_ANY
                && (event->flags == 1)
                       != (query->way == MET__USAGE_ADMITTED))
            || (query->is_sum && !event->has_amount)) {
            continue;
        }
        count++;
        sum += event->units;
    }
    if (count == 0
        && (query->is_sum || width || query->by_subject || query->by_x)) {
        return;
    }
    write_time(from_text, from);
    write_time(to_text, to);
    snprintf(value, sizeof value, "%lld", (long long)count);
    if (query->is_sum) {
        snprintf(value, sizeof value, "%lld.%02d", (long long)(sum / 100),
                 (int)(sum % 100));
        while (value[strlen(value) - 1] == '0') {
            value[strlen(value) - 1] = '\0';
        }
        if (value[strlen(value) - 1] == '.') {
            value[strlen(value) - 1] = '\0';
        }
    }
    sprintf(out + strlen(out),
            "%s{\"from\":\"%s\",\"to\":\"%s\",\"value\":\"%s\",",
            out[1] ? "," : "", from_text, to_text, value);
    if (query->by_subject) {
        sprintf(out + strlen(out), "\"subject\":\"%c\",", subject);
    }
    strcat(out, "\"dimensions\":{");
    if (query->by_x) {
        sprintf(out + strlen(out), "\"x\":\"%s\"", x);
    }
    strcat(out, "}}");
}

static void model_window(const model_query *query, int64_t from, int64_t to,
                         char *out)
{
    static const char *const values[] = {"", "0", "1", "2"};

    for (char subject = 'a'; subject <= (query->by_subject ? 'c' : 'a');
         subject++) {
        for (int x = 0; x < (query->by_x ? 4 : 1); x++) {
            model_row(query, from, to, subject, values[x], out);
        }
    }
}

static const char *model_answer(const model_query *query)
{
    static char out[1 << 16];
    int64_t width = window_minutes(query->window);

    strcpy(out, "[");
    if (width == 0) {
        model_window(query, query->from, query->to, out);
    }
    for (int64_t at = query->from - (width ? query->from % width : 0);
         width && at < query->to; at += width) {
        model_window(query, at, at + width, out);
    }
    strcat(out, "]");
    return out;
}

static void random_query(void)
{
    static const uint32_t windows[] = {MET__WINDOW_NONE, MET__WINDOW_MINUTE,
                                       MET__WINDOW_HOUR, MET__WINDOW_DAY};
    model_query model = {
        .is_sum = (int)next_random(2),
        .subject = (char)(next_random(2) ? 'a' + next_random(4) : 0),
        .filter = (int)next_random(2) - 1,
        .window = windows[next_random(4)],
        .way = (uint32_t)next_random(3),
        .by_subject = (int)next_random(2),
        .by_x = (int)next_random(2),
        .from = (int64_t)next_random(3 * 1440),
    };
    met__text groups[2];
    met__text subject = {&model.subject, 1};
    met__usage_query query = {.subject_count = model.subject != 0,
                              .subjects = &subject,
                              .window = model.window,
                              .way = model.way,
                              .groups = groups};

    model.filter_value[0] = (char)(next_random(4) ? '0' + next_random(3) : 0);
    /* Few minutes for small windows: the answers stay small. */
    model.to = model.from + 1
               + (int64_t)next_random(model.window == MET__WINDOW_MINUTE ? 90
                                      : model.window == MET__WINDOW_HOUR
                                          ? 900
                                          : 4000);
    met__filter filter = {MET__TEXT("x"), met__text_z(model.filter_value)};
    query.filter_count = model.filter >= 0;
    query.filters = &filter;
    query.from_ns = START_NS + model.from * MET__MINUTE_NS;
    query.to_ns = START_NS + model.to * MET__MINUTE_NS;
    if (model.by_subject) {
        groups[query.group_count++] = MET__TEXT("subject");
    }
    if (model.by_x) {
        groups[query.group_count++] = MET__TEXT("x");
    }
    assert_int_equal(ask(model.is_sum ? "s" : "c", query), MET_OK);
    assert_string_equal(answer, model_answer(&model));
}

static void test_query__model(void **state)
{
    random_state = 20260301;
    for (int i = 0; i < EVENTS; i++) {
        make_event(&list[i]);
        if (next_random(40) == 0) {
            must_settle(store);
        }
        if (next_random(40) == 0) {
            assert_int_equal(met__recorder_tick(recorder), MET_OK);
        }
    }
    must_settle(store);
    for (int i = 0; i < QUERIES; i++) {
        random_query();
    }
}

static void test_query__total(void **state)
{
    met__arena arena;
    met__txn *txn = NULL;
    met__meter *meter = NULL;
    met_decimal value;
    met__usage_query query = all();

    add("a", "1", NULL, "999999999999999.999999999", 0, 0);
    add("a", "1", NULL, "0.000000001", 5, 0);
    must_settle(store);
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__meter_get(txn, MET__TEXT("s"), &arena, &meter),
                     MET_OK);
    query.meter = meter;
    assert_int_equal(met__usage_total(txn, &query, &arena, &value, NULL),
                     MET_OK);
    assert_int_equal(met__decimal_compare(
                         value, met__decimal_from_i64(1000000000000000)),
                     0);
    query.to_ns = START_NS - MET__DAY_NS;
    assert_int_equal(met__usage_total(txn, &query, &arena, &value, NULL),
                     MET_OK);
    assert_true(met__decimal_is_zero(value));
    met__txn_abort(txn);
    met__arena_release(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_query__rows),        TEST(test_query__nothing),
        TEST(test_query__refused),     TEST(test_query__events_from),
        TEST(test_query__model),       TEST(test_query__total),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
