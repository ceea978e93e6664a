/* Golden kinds of the calendar: recurrences, durations, times, periods. */
#include "golden.h"

#include <stdlib.h>

#include "base/period.h"
#include "meter/usage_window.h"

static met__recurrence recurrence_of(golden *self, const met__node *input)
{
    return (met__recurrence){golden_time(self, input, "anchor"),
                             golden_duration(self, input, "interval")};
}

static int is_inclusive(golden *self, const met__node *input)
{
    return met__text_equal(golden_text(self, input, "boundary"),
                           MET__TEXT("inclusive"));
}

/* The first point after `at`, or the last one before it. */
static met_error neighbour(const met__recurrence *recurrence, int64_t at_ns,
                           int is_next, int inclusive, int64_t *out)
{
    met__period period;
    int64_t n = 0;
    met_error error = met__recurrence_period_at(recurrence, at_ns, &period,
                                                &n);

    if (error != MET_OK || (inclusive && period.from_ns == at_ns)) {
        *out = at_ns;
        return error;
    }
    int is_on_point = period.from_ns == at_ns;
    return met__recurrence_point(recurrence,
                                 is_next ? n + 1 : n - is_on_point, out);
}

static void run_neighbour(golden *self, const met__node *item,
                          const char *at_name, const met__node *expect,
                          int is_next)
{
    const met__node *input = met__node_get(item, "input");
    met__recurrence recurrence = recurrence_of(self, input);
    int64_t at_ns = golden_time(self, input, at_name);
    int64_t out = 0;

    if (self->failed || self->skipped) {
        return;
    }
    met_error error = neighbour(&recurrence, at_ns, is_next,
                                is_inclusive(self, input), &out);
    golden_same_time(self, expect, error, out);
}

static void run_next_after(golden *self, const met__node *item)
{
    run_neighbour(self, item, "time", met__node_get(item, "expect"), 1);
}

static void run_prev_before(golden *self, const met__node *item)
{
    run_neighbour(self, item, "time", met__node_get(item, "expect"), 0);
}

static void run_recurrence_next(golden *self, const met__node *item)
{
    run_neighbour(self, item, "at", golden_get(self, item, "expect.at"), 1);
}

static void run_recurrence_prev(golden *self, const met__node *item)
{
    run_neighbour(self, item, "at", golden_get(self, item, "expect.at"), 0);
}

/* --- Periods as documents: a bound that is open is not there -------------- */
static met__node *period_node(golden *self, met__period period)
{
    met__node *node = met__node_object(self->arena);

    if (period.from_ns != MET__PERIOD_OPEN_FROM) {
        (void)met__node_set(self->arena, node, "from",
                            met__node_time(self->arena, period.from_ns));
    }
    if (period.to_ns != MET__PERIOD_OPEN_TO) {
        (void)met__node_set(self->arena, node, "to",
                            met__node_time(self->arena, period.to_ns));
    }
    return node;
}

/* Both have exactly the same members. */
static void same_period(golden *self, const met__node *expected,
                        met__period period)
{
    const met__node *got = period_node(self, period);

    if (expected != NULL && expected->kind == MET__NODE_OBJECT
        && expected->count != got->count) {
        golden_fail(self, "expected %u bounds, got %u", expected->count,
                    got->count);
    }
    golden_same(self, expected, got);
}

static met__period period_of(golden *self, const met__node *input,
                             const char *name)
{
    const met__node *node = met__node_get(input, name);
    met__period period = {MET__PERIOD_OPEN_FROM, MET__PERIOD_OPEN_TO};

    if (node == NULL) {
        golden_fail(self, "the case has no %s", name);
        return period;
    }
    if (golden_get(self, node, "from") != NULL) {
        period.from_ns = golden_time(self, node, "from");
    }
    if (golden_get(self, node, "to") != NULL) {
        period.to_ns = golden_time(self, node, "to");
    }
    return period;
}

static void run_period_at(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *listed = golden_get(self, item, "expect.period");
    met__recurrence recurrence = recurrence_of(self, input);
    int64_t at_ns = golden_time(self, input, listed ? "at" : "time");
    met__period period;

    if (self->failed || self->skipped) {
        return;
    }
    met_error error = met__recurrence_period_at(&recurrence, at_ns, &period,
                                                NULL);
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    } else if (listed == NULL) {
        same_period(self, met__node_get(item, "expect"), period);
    } else if (listed->kind != MET__NODE_ARRAY || listed->count != 2) {
        golden_fail(self, "expect.period has not two times");
    } else {
        golden_same_time(self, listed->as.items[0], MET_OK, period.from_ns);
        golden_same_time(self, listed->as.items[1], MET_OK, period.to_ns);
    }
}

static void run_sequence(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    int64_t anchor_ns = golden_zoned_time(self, input, "anchor");
    met__duration interval = golden_duration(self, input, "interval");
    const met__node *numbers = met__node_get(input, "n");
    met__node *points = met__node_array(self->arena);

    if (self->failed || self->skipped || numbers == NULL) {
        return;
    }
    for (uint32_t i = 0; i < numbers->count; i++) {
        int64_t point;
        met_error error = met__zone_add(self->zone, anchor_ns, &interval,
                                        numbers->as.items[i]->as.integer,
                                        &point);
        if (error != MET_OK) {
            golden_fail(self, "point %u: %s", i, met_error_name(error));
            return;
        }
        (void)met__node_append(self->arena, points,
                               met__node_time(self->arena, point));
    }
    golden_same(self, met__node_get(item, "expect"), points);
}

/* --- Durations ------------------------------------------------------------ */
static void add_duration(golden *self, const met__node *item,
                         const char *start, const met__node *expect)
{
    const met__node *input = met__node_get(item, "input");
    int64_t at_ns = golden_zoned_time(self, input, start);
    met__duration duration = golden_duration(self, input, "duration");
    int64_t out = 0;

    if (self->failed || self->skipped) {
        return;
    }
    met_error error = met__zone_add(self->zone, at_ns, &duration, 1, &out);
    golden_same_time(self, expect, error, out);
}

static void run_duration_add(golden *self, const met__node *item)
{
    add_duration(self, item, "start", met__node_get(item, "expect"));
}

static void run_add_duration(golden *self, const met__node *item)
{
    add_duration(self, item, "at", golden_get(self, item, "expect.at"));
}

static void divides(golden *self, const met__node *item, const char *whole,
                    const char *part, const met__node *expect)
{
    const met__node *input = met__node_get(item, "input");
    met__duration larger = golden_duration(self, input, whole);
    met__duration smaller = golden_duration(self, input, part);

    golden_same_flag(self, expect, met__duration_divides(&larger, &smaller));
}

static void run_divisible_section(golden *self, const met__node *item)
{
    divides(self, item, "larger", "smaller", met__node_get(item, "expect"));
}

static void run_divisible_kind(golden *self, const met__node *item)
{
    divides(self, item, "larger", "smaller",
            golden_get(self, item, "expect.divisible"));
}

/* Equal, or one divides the other. */
static void run_alignment(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    met__duration plan = golden_duration(self, input, "plan_billing_cadence");
    met__duration card = golden_duration(self, input,
                                         "rate_card_billing_cadence");

    golden_same_flag(self, golden_get(self, item, "expect.aligned"),
                     met__duration_divides(&plan, &card)
                         || met__duration_divides(&card, &plan));
}

static int expects_error(golden *self, const met__node *item)
{
    const met__node *error = golden_get(self, item, "expect.error");
    return error != NULL && error->kind != MET__NODE_NULL;
}

static void run_duration_parse(golden *self, const met__node *item)
{
    met__duration duration;
    met_error error = met__duration_parse(golden_text(self, item, "input"),
                                          &duration);

    if (expects_error(self, item) != (error != MET_OK)) {
        golden_fail(self, "got %s", met_error_name(error));
    } else if (error == MET_OK) {
        golden_skip(self, "a duration's parts have no public face");
    }
}

static void run_duration_sum(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    met__duration sum = {0};
    met__buffer text;

    for (uint32_t i = 0;
         input != NULL && input->kind == MET__NODE_ARRAY && i < input->count;
         i++) {
        met__duration part;
        if (input->as.items[i]->kind != MET__NODE_TEXT
            || met__duration_parse(input->as.items[i]->as.text, &part)
                   != MET_OK
            || !met__duration_sum(&sum, &part)) {
            golden_fail(self, "part %u is no duration", i);
            return;
        }
    }
    met__buffer_init(&text, self->platform);
    met_error error = met__duration_print(&sum, &text);
    if (error != MET_OK || text.error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    } else {
        golden_same(self, met__node_get(item, "expect"),
                    met__node_text(self->arena,
                                   met__text_of(text.data, text.size)));
    }
    met__buffer_release(&text);
}

/* The window of a query that an instant lies in. */
static void run_window(golden *self, const met__node *item)
{
    static const char *const names[] = {"MINUTE", "HOUR", "DAY", "MONTH"};
    const met__node *input = met__node_get(item, "input");
    met__text size = golden_text(self, input, "size");
    int64_t at_ns = golden_time(self, input, "time");
    uint32_t window = MET__WINDOW_NONE;
    met__zone *zone = NULL;
    int64_t from;
    int64_t to;

    for (uint32_t i = 0; i < 4; i++) {
        if (met__text_equal(size, met__text_z(names[i]))) {
            window = MET__WINDOW_MINUTE + i;
        }
    }
    if (window == MET__WINDOW_NONE) {
        golden_skip(self, "windows of %.*s are not served", (int)size.size,
                    size.data);
    }
    if (self->failed || self->skipped) {
        return;
    }
    met_error error =
        met__zone_open(self->platform, golden_text(self, input, "time_zone"),
                       &zone, NULL);
    if (error != MET_OK) {
        golden_fail(self, "the zone: %s", met_error_name(error));
        return;
    }
    met__usage_window(window, zone, at_ns / MET__MINUTE_NS, &from, &to);
    met__zone_close(zone);
    same_period(self, met__node_get(item, "expect"),
                (met__period){from * MET__MINUTE_NS, to * MET__MINUTE_NS});
}

static void run_time_parse(golden *self, const met__node *item)
{
    met__text text = golden_text(self, item, "input");
    int64_t utc_ns = 0;
    met_error error = met__time_parse(text, &utc_ns);

    if (expects_error(self, item)) {
        if (error == MET_OK) {
            golden_fail(self, "was taken");
        }
    } else if (text.size > 0 && memchr(text.data, '[', text.size) != NULL) {
        self->rule = "rule.zone_suffix";
        if (error == MET_OK) {
            golden_same_time(self, golden_get(self, item, "expect.instant"),
                             error, utc_ns);
        } else {
            golden_fail(self, "got %s", met_error_name(error));
        }
    } else {
        golden_same_time(self, golden_get(self, item, "expect.instant"),
                         error, utc_ns);
    }
}

/* --- Relations of periods ------------------------------------------------- */
typedef struct relation {
    const char *name;
    int (*of_time)(met__period period, int64_t at_ns);
    int (*of_period)(met__period a, met__period b);
} relation;

static const relation relations[] = {
    {"contains", met__period_contains, NULL},
    {"contains_inclusive", met__period_contains_inclusive, NULL},
    {"contains_exclusive", met__period_contains_exclusive, NULL},
    {"overlaps", NULL, met__period_overlaps},
    {"overlaps_inclusive", NULL, met__period_overlaps_inclusive},
    {"is_superset_of", NULL, met__period_is_superset},
};

static void run_difference(golden *self, const met__node *expect,
                           met__period a, met__period b)
{
    met__period parts[2];
    size_t count = met__period_difference(a, b, parts);

    if (expect == NULL || expect->kind != MET__NODE_ARRAY
        || expect->count != count) {
        golden_fail(self, "got %zu periods", count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        same_period(self, expect->as.items[i], parts[i]);
    }
}

static void run_period(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *expect = met__node_get(item, "expect");
    met__text op = golden_text(self, item, "op");
    met__period period = period_of(self, input, "period");
    met__period other = {0, 0};
    met__period out;

    if (met__node_get(input, "other") != NULL) {
        other = period_of(self, input, "other");
    }
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
        if (met__text_equal(op, met__text_z(relations[i].name))) {
            int got = relations[i].of_time
                          ? relations[i].of_time(
                                period, golden_time(self, input, "time"))
                          : relations[i].of_period(period, other);
            golden_same_flag(self, expect, got);
            return;
        }
    }
    if (met__text_equal(op, MET__TEXT("valid"))) {
        golden_same_flag(self, expect, met__period_is_valid(period));
    } else if (met__text_equal(op, MET__TEXT("union"))) {
        same_period(self, expect, met__period_union(period, other));
    } else if (met__text_equal(op, MET__TEXT("difference"))) {
        run_difference(self, expect, period, other);
    } else if (met__text_equal(op, MET__TEXT("intersection"))) {
        if (met__period_intersection(period, other, &out)) {
            same_period(self, expect, out);
        } else if (expect == NULL || expect->kind != MET__NODE_NULL) {
            golden_fail(self, "got nothing");
        }
    } else {
        golden_skip(self, "relation %.*s is not served", (int)op.size,
                    op.data);
    }
}

static int order_of_times(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a;
    int64_t two = *(const int64_t *)b;
    return (one > two) - (one < two);
}

static int64_t *times_of(golden *self, const met__node *list, size_t *count)
{
    int64_t *times = met__arena_allocate(self->arena,
                                         (list->count + 1) * sizeof *times);

    for (uint32_t i = 0; i < list->count; i++) {
        if (met__time_parse(list->as.items[i]->as.text, &times[i])
            != MET_OK) {
            golden_fail(self, "no time");
        }
    }
    *count = list->count;
    return times;
}

static void run_last_not_after(golden *self, const met__node *item)
{
    const met__node *list = golden_get(self, item, "input.times");
    int64_t at_ns = golden_time(self, item, "input.at");
    size_t count = 0;
    int64_t *times = times_of(self, list, &count);

    golden_same(self, met__node_get(item, "expect"),
                met__node_integer(self->arena,
                                  met__last_not_after(times, count, at_ns)));
}

/* n instants part time into n - 1 closed and n + 1 open periods; a single one
 * is a closed period of no length. */
static void run_timeline(golden *self, const met__node *item)
{
    size_t count = 0;
    int64_t *times = times_of(self, met__node_get(item, "input"), &count);
    met__node *closed = met__node_array(self->arena);
    met__node *open = met__node_array(self->arena);
    met__node *got = met__node_object(self->arena);

    qsort(times, count, sizeof *times, order_of_times);
    for (size_t i = 0; count > 0 && i <= count; i++) {
        met__period period = {i > 0 ? times[i - 1] : MET__PERIOD_OPEN_FROM,
                              i < count ? times[i] : MET__PERIOD_OPEN_TO};
        (void)met__node_append(self->arena, open, period_node(self, period));
        if (i > 0 && i < count) {
            (void)met__node_append(self->arena, closed,
                                   period_node(self, period));
        }
    }
    if (count == 1) {
        met__period point = {times[0], times[0]};
        (void)met__node_append(self->arena, closed, period_node(self, point));
    }
    (void)met__node_set(self->arena, got, "closed", closed);
    (void)met__node_set(self->arena, got, "open", open);
    golden_same(self, met__node_get(item, "expect"), got);
}

const golden_kind golden_period_sections[] = {
    {"recurrence_next_after", run_next_after, NULL},
    {"recurrence_prev_before", run_prev_before, NULL},
    {"recurrence_period_at", run_period_at, NULL},
    {"recurrence_sequence", run_sequence, NULL},
    {"duration_add", run_duration_add, NULL},
    {"duration_parse", run_duration_parse, NULL},
    {"duration_divisible_by", run_divisible_section, NULL},
    {"billing_cadence_alignment", run_alignment, NULL},
    {"time_parse", run_time_parse, NULL},
    {"closed_period", run_period, NULL},
    {"open_period", run_period, NULL},
    {"timeline", run_timeline, NULL},
    {"timeline_last_index_not_after", run_last_not_after, NULL},
    {"duration_sum", run_duration_sum, NULL},
    {"window", run_window, NULL},
    {NULL, NULL, NULL},
};

const golden_kind golden_proration_kinds[] = {
    {"recurrence_next", run_recurrence_next, NULL},
    {"recurrence_prev", run_recurrence_prev, NULL},
    {"recurrence_period_at", run_period_at, NULL},
    {"add_duration", run_add_duration, NULL},
    {"divisible_by", run_divisible_kind, NULL},
    {NULL, NULL, NULL},
};
