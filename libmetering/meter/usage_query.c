/* Usage queries: one pass over the parts of a range of minutes. In: a meter,
 * filters, bounds, windows and groups. Out: a number, or rows. Parts come in
 * the order of their minutes, so one window is open at a time; what a shape is
 * to the query is found out once. */
#include "meter/usage_query.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/index_map.h"
#include "meter/amount.h"
#include "meter/usage_match.h"
#include "meter/usage_part.h"

/* Shapes and groups of one answer: they are held in memory. */
#define ENTRIES_MAX (UINT32_C(1) << 24)
#define MINUTES_OF_HOUR 60
#define MINUTES_OF_DAY 1440
#define MINUTES_END (MET__TIME_MAX / MET__MINUTE_NS + 1)

/* What one shape is to this query. */
typedef struct shape_use {
    uint32_t group;    /* index, or NO_GROUP: nothing */
    uint32_t quantity; /* or MET__MATCH_COUNTS */
} shape_use;
#define NO_GROUP UINT32_MAX

/* Everything with the same group values, in the open window. */
typedef struct group {
    const met__text *values; /* beside query->groups */
    met__wide sum;           /* of the quantity, or the number of events */
    uint32_t is_touched;
    uint32_t reserved;
} group;

typedef struct usage_run {
    met__txn *txn;
    const met__usage_query *query;
    met__arena *arena;
    met_error_info *info;
    int64_t from; /* minutes looked at */
    int64_t to;
    int64_t window; /* first minute of the open one; -1: none is open */
    int64_t first;  /* minutes with usage; first > last: none */
    int64_t last;
    met__index_map shapes; /* number -> uses */
    shape_use *uses;
    size_t use_count;
    size_t use_room;
    met__index_map values; /* hash of group values -> groups */
    group *groups;
    size_t group_count;
    size_t group_room;
    met__node *rows; /* NULL: only the total is wanted */
} usage_run;

/* --- What a shape is to the query ------------------------------------------ */
static int is_wanted_subject(const met__usage_query *query, met__text subject)
{
    for (size_t i = 0; i < query->subject_count; i++) {
        if (met__text_equal(query->subjects[i], subject)) {
            return 1;
        }
    }
    return query->subject_count == 0;
}

static met__text value_of(const usage_run *run, const met__usage_shape *shape,
                          const met__usage_match *match, met__text name)
{
    const met__meter *meter = run->query->meter;
    const met__dimension *dimension = met__meter_dimension(meter, name);

    return dimension != NULL ? match->values[dimension - meter->dimensions]
                             : shape->subject;
}

static int passes(const usage_run *run, const met__usage_shape *shape,
                  met__usage_match *match_out)
{
    const met__usage_query *query = run->query;
    uint32_t way = shape->flags & 1u ? MET__USAGE_ADMITTED : MET__USAGE_OTHER;

    if ((query->way != MET__USAGE_ANY && query->way != way)
        || !is_wanted_subject(query, shape->subject)
        || !met__usage_matches(query->meter, shape, match_out)) {
        return 0;
    }
    for (size_t i = 0; i < query->filter_count; i++) {
        if (!met__text_equal(value_of(run, shape, match_out,
                                      query->filters[i].dimension),
                             query->filters[i].value)) {
            return 0;
        }
    }
    return 1;
}

/* Room for one more element of a list in the arena. */
static int make_room(met__arena *arena, void **list, size_t count,
                     size_t *room, size_t size)
{
    if (count < *room) {
        return 1;
    }
    size_t wider = *room == 0 ? 64 : *room * 2;
    void *memory = met__arena_allocate(arena, wider * size);
    if (memory == NULL) {
        return 0;
    }
    if (count > 0) {
        memcpy(memory, *list, count * size);
    }
    *list = memory;
    *room = wider;
    return 1;
}

static met_error add_group(usage_run *run, const met__text *values, uint64_t hash,
                           uint32_t *group_out)
{
    void *list = run->groups;

    if (!make_room(run->arena, &list, run->group_count, &run->group_room,
                   sizeof *run->groups)) {
        return MET_E_NO_MEMORY;
    }
    run->groups = list;
    run->groups[run->group_count] = (group){values, 0, 0, 0};
    met_error error = met__index_map_add(&run->values, hash,
                                           (uint32_t)run->group_count);
    if (error == MET_OK) {
        *group_out = (uint32_t)run->group_count++;
    }
    return error;
}

static int is_group(const usage_run *run, size_t at, const met__text *values)
{
    for (size_t i = 0; i < run->query->group_count; i++) {
        if (!met__text_equal(run->groups[at].values[i], values[i])) {
            return 0;
        }
    }
    return 1;
}

static met_error find_group(usage_run *run, const met__usage_shape *shape,
                            const met__usage_match *match,
                            uint32_t *group_out)
{
    const met__usage_query *query = run->query;
    const met__secret *secret = met__store_secret(met__txn_store(run->txn));
    uint64_t hash = query->group_count + 1;
    met__text *values = met__arena_allocate(
        run->arena, (query->group_count + 1) * sizeof *values);

    if (values == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < query->group_count; i++) {
        met__text value = value_of(run, shape, match, query->groups[i]);
        values[i].data = met__arena_copy(run->arena, value.data, value.size);
        values[i].size = value.size;
        if (values[i].data == NULL) {
            return MET_E_NO_MEMORY;
        }
        hash = (hash << 7 | hash >> 57)
               ^ met__hash64(secret, value.data, value.size);
    }
    met__index_cursor place = {0};
    while (met__index_map_next(&run->values, hash, &place)) {
        if (is_group(run, place.index, values)) {
            *group_out = (uint32_t)place.index;
            return MET_OK;
        }
    }
    return add_group(run, values, hash, group_out);
}

static met_error use_of(usage_run *run, uint64_t number, shape_use *use_out)
{
    met__index_cursor place = {0};
    met__usage_shape shape;
    met__usage_match match;
    shape_use use = {NO_GROUP, MET__MATCH_COUNTS};
    void *list = run->uses;

    if (met__index_map_next(&run->shapes, number, &place)) {
        *use_out = run->uses[place.index];
        return MET_OK;
    }
    met_error error = met__usage_shape_get(run->txn, number, &shape);
    if (error == MET_OK && passes(run, &shape, &match)) {
        use.quantity = match.quantity;
        error = find_group(run, &shape, &match, &use.group);
    }
    if (error == MET_OK
        && !make_room(run->arena, &list, run->use_count, &run->use_room,
                      sizeof *run->uses)) {
        error = MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        run->uses = list;
        run->uses[run->use_count] = use;
        error = met__index_map_add(&run->shapes, number,
                                     run->use_count);
    }
    if (error == MET_OK) {
        run->use_count++;
        *use_out = use;
    }
    return error;
}

/* --- Windows --------------------------------------------------------------- */
static int64_t month_start(int64_t minute, int32_t months_on)
{
    met__civil civil;

    met__civil_from_days(minute / MINUTES_OF_DAY, &civil);
    int32_t month = civil.month - 1 + months_on;
    return met__days_from_civil(civil.year + month / 12, month % 12 + 1, 1)
           * MINUTES_OF_DAY;
}

/* The window of a minute, in minutes; without windows the whole range, whose
 * open ends are where usage begins and ends. */
static void window_of(const usage_run *run, int64_t minute, int64_t *from_out,
                      int64_t *to_out)
{
    const met__usage_query *query = run->query;
    int64_t size = 1;

    switch (query->window) {
    case MET__WINDOW_NONE:
        *from_out = query->from_ns == MET__USAGE_FIRST
                        ? run->first
                        : query->from_ns / MET__MINUTE_NS;
        *to_out = query->to_ns == MET__USAGE_LAST
                      ? run->last + 1
                      : query->to_ns / MET__MINUTE_NS;
        return;
    case MET__WINDOW_MONTH:
        *from_out = month_start(minute, 0);
        *to_out = month_start(minute, 1);
        return;
    case MET__WINDOW_HOUR:
        size = MINUTES_OF_HOUR;
        break;
    case MET__WINDOW_DAY:
        size = MINUTES_OF_DAY;
        break;
    default:
        break;
    }
    *from_out = minute - minute % size;
    *to_out = *from_out + size;
}

/* --- Rows ------------------------------------------------------------------ */
static met_error add_row(usage_run *run, const group *totals, int64_t from,
                         int64_t to)
{
    const met__usage_query *query = run->query;
    int is_count = query->meter->aggregation == MET__AGGREGATION_COUNT;
    met__builder row;
    met__builder dimensions;
    met__node *node = NULL;
    met_decimal value;
    uint64_t words[2];

    met__amount_set(words, totals->sum);
    met_error error = met__decimal_from_wide(
        words, is_count ? 0 : MET__AMOUNT_PLACES, &value);
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&row, run->arena);
    met__build_node(&row, "from",
                    met__node_time(run->arena, from * MET__MINUTE_NS));
    met__build_time(&row, "to", to * MET__MINUTE_NS);
    met__build_decimal(&row, "value", value);
    met__builder_begin(&dimensions, run->arena);
    for (size_t i = 0; i < query->group_count; i++) {
        met__node *text = met__node_text(run->arena, totals->values[i]);
        int is_subject = met__text_equal(query->groups[i],
                                         MET__TEXT("subject"));
        const char *name = is_subject
                               ? "subject"
                               : met__arena_copy(run->arena,
                                                 query->groups[i].data,
                                                 query->groups[i].size);
        if (text == NULL || name == NULL) {
            return MET_E_NO_MEMORY;
        }
        met__build_node(is_subject ? &row : &dimensions, name, text);
    }
    met__build_object(&row, "dimensions", &dimensions);
    error = met__builder_end(&row, &node);
    return error == MET_OK ? met__node_append(run->arena, run->rows, node)
                           : error;
}

typedef struct sorted_group {
    const group *totals;
    size_t value_count;
} sorted_group;

static int compare_groups(const void *left, const void *right)
{
    const sorted_group *a = left;
    const sorted_group *b = right;

    for (size_t i = 0; i < a->value_count; i++) {
        int order = met__text_compare(a->totals->values[i],
                                      b->totals->values[i]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

/* Rows of the open window, in the order of their values. */
static met_error close_window(usage_run *run)
{
    int64_t from;
    int64_t to;
    size_t count = 0;

    if (run->window < 0 || run->rows == NULL) {
        return MET_OK;
    }
    sorted_group *sorted = met__arena_allocate(
        run->arena, (run->group_count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < run->group_count; i++) {
        if (run->groups[i].is_touched) {
            sorted[count++] = (sorted_group){&run->groups[i],
                                             run->query->group_count};
        }
    }
    qsort(sorted, count, sizeof *sorted, compare_groups);
    window_of(run, run->window, &from, &to);
    met_error error = MET_OK;
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        error = add_row(run, sorted[i].totals, from, to);
    }
    for (size_t i = 0; i < run->group_count; i++) {
        run->groups[i].is_touched = 0;
        run->groups[i].sum = 0;
    }
    return error;
}

static met_error open_window(usage_run *run, int64_t minute)
{
    int64_t from = 0;
    int64_t to;

    if (run->query->window != MET__WINDOW_NONE) {
        window_of(run, minute, &from, &to);
    }
    if (run->window == from) {
        return MET_OK;
    }
    met_error error = close_window(run);
    run->window = from;
    return error;
}

/* --- The pass -------------------------------------------------------------- */
static met_error add_part(usage_run *run, met__text key, met__text value)
{
    uint64_t words[MET__PART_WORDS_MAX];
    shape_use use = {NO_GROUP, 0};
    int64_t minute = met__get_u32((const unsigned char *)key.data);
    met__wide amount;

    met_error error = met__part_read(value, words);
    if (error == MET_OK) {
        error = use_of(run, words[MET__PART_SHAPE], &use);
    }
    if (error != MET_OK || use.group == NO_GROUP) {
        return error;
    }
    if (use.quantity == MET__MATCH_COUNTS) {
        amount = (met__wide)words[MET__PART_COUNT];
    } else if (use.quantity < (words[MET__PART_PLAN] & UINT32_MAX)) {
        const uint64_t *quantity = words + MET__PART_QUANTITIES
                                   + use.quantity * MET__QUANTITY_WORDS;
        if (quantity[MET__QUANTITY_COUNT] == 0) {
            return MET_OK;
        }
        amount = met__amount_get(quantity + MET__QUANTITY_SUM);
    } else {
        return MET_E_CORRUPT;
    }
    error = open_window(run, minute);
    if (error != MET_OK) {
        return error;
    }
    run->first = minute < run->first ? minute : run->first;
    run->last = minute > run->last ? minute : run->last;
    run->groups[use.group].is_touched = 1;
    return met__amount_add(&run->groups[use.group].sum, amount)
               ? MET_OK
               : met__fail(run->info, MET_E_OVERFLOW, "",
                           "the sum has more digits than a decimal holds");
}

static met_error scan(usage_run *run)
{
    unsigned char start[4];
    met__text key;
    met__text value;
    met__scan scan;
    met_error error = met__scan_begin(run->txn, MET__TABLE_PART, NULL, 0,
                                      &scan);

    met__put_u32(start, (uint32_t)run->from);
    if (error == MET_OK) {
        error = met__scan_seek(&scan, start, sizeof start);
    }
    while (error == MET_OK
           && (error = met__scan_next(&scan, &key, &value)) == MET_OK) {
        if (key.size != MET__PART_KEY_SIZE) {
            error = MET_E_CORRUPT;
        } else if (met__get_u32((const unsigned char *)key.data) >= run->to) {
            error = MET_E_NOT_FOUND;
        } else {
            error = add_part(run, key, value);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error begin(usage_run *run, met__txn *txn, const met__usage_query *query,
                       met__arena *arena, met_error_info *info)
{
    met_error error = met__usage_query_check(query, info);

    *run = (usage_run){.txn = txn,
                        .query = query,
                        .arena = arena,
                        .info = info,
                        .to = MINUTES_END,
                        .window = -1,
                        .first = INT64_MAX,
                        .last = -1};
    if (error != MET_OK) {
        return error;
    }
    if (query->from_ns != MET__USAGE_FIRST) {
        run->from = query->from_ns / MET__MINUTE_NS;
    }
    if (query->to_ns != MET__USAGE_LAST) {
        run->to = query->to_ns / MET__MINUTE_NS;
    }
    int64_t first = met__usage_first_minute(query->meter);
    if (first >= run->to) {
        run->to = run->from; /* nothing of it is the meter's */
    } else if (first > run->from) {
        run->from = first;
    }
    met__index_map_init(&run->shapes, arena, ENTRIES_MAX);
    met__index_map_init(&run->values, arena, ENTRIES_MAX);
    return MET_OK;
}

met_error met__usage_total(met__txn *txn, const met__usage_query *query,
                           met__arena *arena, met_decimal *value_out,
                           met_error_info *info)
{
    usage_run run;
    uint64_t words[2];

    MET__ASSERT(query->window == MET__WINDOW_NONE && query->group_count == 0);
    met_error error = begin(&run, txn, query, arena, info);
    if (error == MET_OK) {
        error = scan(&run);
    }
    if (error != MET_OK) {
        return error;
    }
    met__amount_set(words, run.group_count > 0 ? run.groups[0].sum : 0);
    return met__decimal_from_wide(
        words,
        query->meter->aggregation == MET__AGGREGATION_COUNT
            ? 0
            : MET__AMOUNT_PLACES,
        value_out);
}

/* Counting nothing at all is an answer, adding up nothing is none. */
static met_error add_zero_row(usage_run *run)
{
    static const group none = {0};
    const met__usage_query *query = run->query;

    if (query->meter->aggregation != MET__AGGREGATION_COUNT
        || query->window != MET__WINDOW_NONE || query->group_count > 0
        || query->from_ns == MET__USAGE_FIRST
        || query->to_ns == MET__USAGE_LAST || run->rows->count > 0) {
        return MET_OK;
    }
    return add_row(run, &none, query->from_ns / MET__MINUTE_NS,
                   query->to_ns / MET__MINUTE_NS);
}

met_error met__usage_rows(met__txn *txn, const met__usage_query *query,
                          met__arena *arena, met__node **array_out,
                          met_error_info *info)
{
    usage_run run;
    met_error error = begin(&run, txn, query, arena, info);

    if (error != MET_OK) {
        return error;
    }
    run.rows = met__node_array(arena);
    if (run.rows == NULL) {
        return MET_E_NO_MEMORY;
    }
    error = scan(&run);
    if (error == MET_OK) {
        error = close_window(&run);
    }
    if (error == MET_OK) {
        error = add_zero_row(&run);
    }
    if (error == MET_OK) {
        *array_out = run.rows;
    }
    return error;
}
