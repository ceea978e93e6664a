/* Usage queries against a list of events: every aggregation, window, filter
 * and group of random ones, with few groups held at once or all. */
#include "usage_ask.h"

#define EVENTS 600
#define QUERIES 1500

typedef struct made {
    char subject[2];
    char a[2]; /* "" = none */
    char b[5];
    int has_amount;
    int64_t units; /* of 10^-2 */
    int64_t minute;
    int64_t second; /* since the start; often the same */
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
    if (next_random(8) == 0) {
        strcpy(event->b, "null");
    }
    event->has_amount = next_random(3) > 0;
    event->units = (int64_t)next_random(100000) - 10000;
    event->minute = (int64_t)next_random(3 * 1440);
    event->second = event->minute * 60 + (int64_t)next_random(2);
    event->flags = (uint32_t)next_random(2);
    snprintf(amount, sizeof amount, "%s%d.%02d", event->units < 0 ? "-" : "",
             abs((int)event->units) / 100, abs((int)event->units) % 100);
    add(event->subject, event->a[0] ? event->a : NULL,
        event->b[0] ? event->b : NULL, event->has_amount ? amount : NULL,
        event->second, event->flags);
}

/* Meters by the letter of their key. */
typedef struct model_query {
    char meter;
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

/* What a row comes to, event by event in the order they came in. */
typedef struct model_total {
    int64_t count;
    int64_t sum;
    int64_t least;
    int64_t greatest;
    const made *latest;
    const char *distinct[8];
    int distinct_count;
} model_total;

static void model_add(model_total *total, const made *event)
{
    int is_first = total->count++ == 0;
    int i = 0;

    total->sum += event->units;
    if (is_first || event->units < total->least) {
        total->least = event->units;
    }
    if (is_first || event->units > total->greatest) {
        total->greatest = event->units;
    }
    if (is_first || event->second >= total->latest->second) {
        total->latest = event;
    }
    while (i < total->distinct_count
           && strcmp(total->distinct[i], event->b) != 0) {
        i++;
    }
    if (i == total->distinct_count) {
        total->distinct[total->distinct_count++] = event->b;
    }
}

/* value of 10^-places without needless zeros. */
static void write_value(char *out, met__wide value, int places)
{
    char digits[48];
    int size = 0;
    met__wide rest = value < 0 ? -value : value;

    while (rest > 0 || size <= places) {
        digits[size++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (value < 0) {
        *out++ = '-';
    }
    int end = 0;
    while (end < places && digits[end] == '0') {
        end++;
    }
    for (int i = size - 1; i >= end; i--) {
        if (i == places - 1) {
            *out++ = '.';
        }
        *out++ = digits[i];
    }
    *out = '\0';
}

static met__wide half_even(met__wide over, met__wide under)
{
    met__wide whole = over / under;
    met__wide rest = over % under;

    rest = rest < 0 ? -rest : rest;
    if (rest * 2 > under || (rest * 2 == under && whole % 2 != 0)) {
        whole += over < 0 ? -1 : 1;
    }
    return whole;
}

static void model_value(char meter, const model_total *total, char *out)
{
    const met__wide e16 = 10000000000000000;

    switch (meter) {
    case 'c':
        write_value(out, total->count, 0);
        break;
    case 'u':
        write_value(out, total->distinct_count, 0);
        break;
    case 'a':
        write_value(out, half_even(total->sum * e16, total->count), 18);
        break;
    case 'l':
        write_value(out, total->latest->units, 2);
        break;
    default:
        write_value(out,
                    meter == 's'   ? total->sum
                    : meter == 'i' ? total->least
                                   : total->greatest,
                    2);
    }
}

/* The rows of one window and group, or nothing. */
static void model_row(const model_query *query, int64_t from, int64_t to,
                      char subject, const char *x, char *out)
{
    model_total total = {0};
    int64_t width = window_minutes(query->window);
    int is_counted = query->meter == 'c' || query->meter == 'u';
    char from_text[40];
    char to_text[40];
    char value[64];

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
            || (query->meter == 'u' && strcmp(event->b, "null") == 0)
            || (!is_counted && !event->has_amount)) {
            continue;
        }
        model_add(&total, event);
    }
    if (total.count == 0
        && (!is_counted || width || query->by_subject || query->by_x)) {
        return;
    }
    write_time(from_text, from);
    write_time(to_text, to);
    model_value(query->meter, &total, value);
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
        .meter = "csalimu"[next_random(7)],
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
    char key[2] = {model.meter, '\0'};
    groups_max = next_random(2) ? MET__USAGE_GROUPS_MAX : 2 + next_random(9);
    met_error error = ask(key, query);
    groups_max = MET__USAGE_GROUPS_MAX;
    assert_int_equal(error, MET_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_query__model, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
