/* Usage queries: a pass over the usage of a range of minutes. In: a meter,
 * filters, bounds, windows and groups. Out: rows, one by one, or one number.
 * Usage comes in the order of its minutes, so one window is open at a time;
 * what a shape is to the query is found out once and remembered for a while.
 * Distinct values are counted as groups of one value more: equal neighbours
 * in the order of groups make one row. */
#include "meter/usage_query.h"

#include "base/check.h"
#include "meter/event_batch.h"
#include "meter/event_minute.h"
#include "meter/subject_index.h"
#include "meter/usage_groups.h"
#include "meter/usage_pass.h"

#define NOTHING (MET__MATCH_COUNTS - 1) /* usage of others */
#define USES_MAX (1u << 18) /* shapes remembered at once: 10 MB */
#define SHAPES_MAX (1u << 16) /* of the subjects that are asked for */

/* A minute that a bound of the query parts. */
typedef struct parted_minute {
    int64_t minute; /* -1: none */
    met__event_minute *events; /* NULL: not read yet */
} parted_minute;

/* What one shape is to this query. */
typedef struct shape_use {
    uint32_t group;    /* its place, or MET__NO_GROUP: not in this pass */
    uint32_t quantity; /* or MET__MATCH_COUNTS, or NOTHING */
} shape_use;

struct met__usage_cursor {
    met__txn *txn;
    const met__platform *platform;
    met__usage_query query;
    int64_t from; /* minutes looked at */
    int64_t to;
    int64_t whole_from; /* and those of them that no bound parts */
    int64_t whole_to;
    parted_minute parted[2];
    met__arena parted_arena;
    met__usage_item cut; /* what is left of an item in such a minute */
    met__usage_scan scan;
    met__arena subject_arena; /* of their shapes */
    met__shape_set subject_shapes;
    const met__usage_item *item; /* that is next; NULL: none */
    int is_unique;
    int64_t window_from; /* of the open window, cut to what is looked at */
    int64_t window_to;
    int64_t first; /* minutes with usage; first > last: none */
    int64_t last;
    met__arena arena; /* of what is known of shapes */
    met__index_map shapes; /* number -> uses */
    shape_use *uses;
    size_t use_count;
    size_t use_room;
    uint64_t version; /* of the groups that uses name */
    met__usage_groups groups;
    size_t at; /* groups of the window that are in rows */
    int has_open; /* a row that may get more */
    int has_rows; /* some were given */
    met__usage_key open;
    met__aggregate total;
};

/* --- What a shape is to the query ----------------------------------------- */
static met_error find_group(met__usage_cursor *self,
                            const met__usage_shape *shape,
                            const met__usage_match *match,
                            uint32_t *group_out)
{
    const met__usage_query *query = &self->query;
    met__text values[MET__GROUP_VALUES_MAX];
    size_t count = 0;

    for (; count < query->group_count; count++) {
        values[count] = met__usage_value_of(query, shape, match,
                                            query->groups[count]);
    }
    if (self->is_unique) {
        values[count] = match->unique;
    }
    return met__usage_groups_find(&self->groups, values, group_out);
}

static void forget_shapes(met__usage_cursor *self)
{
    met__arena_release(&self->arena);
    met__arena_init(&self->arena, self->platform);
    met__index_map_init(&self->shapes, &self->arena, USES_MAX);
    self->uses = NULL;
    self->use_count = 0;
    self->use_room = 0;
    self->version = self->groups.version;
}

static met_error remember(met__usage_cursor *self, uint64_t number,
                          shape_use use)
{
    if (self->version != self->groups.version
        || self->use_count == USES_MAX) {
        forget_shapes(self);
    }
    if (self->use_count == self->use_room) {
        size_t room = self->use_room == 0 ? 64 : self->use_room * 2;
        shape_use *uses = met__arena_allocate(&self->arena,
                                              room * sizeof *uses);
        if (uses == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (self->use_count > 0) {
            memcpy(uses, self->uses, self->use_count * sizeof *uses);
        }
        self->uses = uses;
        self->use_room = room;
    }
    self->uses[self->use_count] = use;
    met_error error = met__index_map_add(&self->shapes, number,
                                         self->use_count);
    self->use_count += error == MET_OK;
    return error;
}

static met_error use_of(met__usage_cursor *self, uint64_t number,
                        shape_use *use_out)
{
    met__index_cursor place = {0};
    met__usage_shape shape;
    met__usage_match match;
    shape_use use = {MET__NO_GROUP, NOTHING};

    if (self->version == self->groups.version
        && met__index_map_next(&self->shapes, number, &place)) {
        *use_out = self->uses[place.index];
        return MET_OK;
    }
    met_error error = met__usage_shape_get(self->txn, number, &shape);
    if (error == MET_OK && met__usage_passes(&self->query, &shape, &match)) {
        use.quantity = match.quantity;
        error = find_group(self, &shape, &match, &use.group);
    }
    if (error == MET_OK) {
        error = remember(self, number, use);
    }
    if (error == MET_OK) {
        *use_out = use;
    }
    return error;
}

/* --- The pass ------------------------------------------------------------- */
static met_error next_item(met__usage_cursor *self)
{
    met_error error = met__usage_scan_next(&self->scan, &self->item);

    if (error != MET_OK) {
        self->item = NULL;
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* A bound inside a folded hour or day is answered when all usage in there lies
 * on one side of it. */
static met_error cut_item(const met__usage_cursor *self, int64_t first,
                          int64_t last, int *is_out, met_error_info *info)
{
    const met__usage_item *item = self->item;
    int64_t minute = item->key.minute;
    int is_part = item->minutes == 1;
    const char *field = "window";

    *is_out = self->query.window == MET__WINDOW_NONE
              && (last < self->from || first >= self->to);
    if (*is_out
        || (first >= self->window_from && last < self->window_to
            && (is_part
                || (first >= self->whole_from && last < self->whole_to)))) {
        return MET_OK;
    }
    if (minute < self->whole_from) {
        field = self->query.from_ns / MET__MINUTE_NS >= minute ? "from"
                                                               : "meter";
    } else if (minute + item->minutes > self->whole_to) {
        field = "to";
    }
    return met__fail(info, MET_E_UNSUPPORTED, field,
                     "parts a%s whose minutes are no longer kept",
                     item->minutes == MET__HOUR_MINUTES ? "n hour" : " day");
}

/* Of a part in a minute that a bound parts only what lies within, as the
 * retained events say. *item_out is the item as it is, or what is left. */
static met_error cut_part(met__usage_cursor *self,
                          const met__usage_item **item_out,
                          met_error_info *info)
{
    const met__usage_item *item = self->item;
    const char *hindrance = NULL;
    int is_to = item->key.minute != self->parted[0].minute;
    parted_minute *parted = &self->parted[is_to];
    met_error error = MET_OK;

    *item_out = item;
    if (item->minutes > 1 || item->key.minute != parted->minute) {
        return MET_OK;
    }
    if (parted->events == NULL) {
        error = met__event_minute_read(self->txn, &self->parted_arena,
                                       parted->minute, self->query.from_ns,
                                       self->query.to_ns, &parted->events);
        if (error == MET_E_LIMIT) {
            return met__fail(info, MET_E_UNSUPPORTED, is_to ? "to" : "from",
                             "parts a minute of more than %u events",
                             MET__MINUTE_EVENTS_MAX);
        }
    }
    if (error == MET_OK) {
        error = met__event_minute_cut(self->txn, parted->events, item,
                                      &self->cut, &hindrance);
    }
    if (hindrance != NULL) {
        return met__fail(info, MET_E_UNSUPPORTED, is_to ? "to" : "from",
                         "parts a minute %s", hindrance);
    }
    *item_out = self->cut.words[MET__PART_COUNT] > 0 ? &self->cut : NULL;
    return error;
}

static met_error add_item(met__usage_cursor *self, met_error_info *info)
{
    uint32_t aggregation = self->query.meter->aggregation;
    const met__usage_item *item = self->item;
    shape_use use = {MET__NO_GROUP, NOTHING};
    int64_t first = 0;
    int64_t last = 0;
    int is_out = 0;
    met_error error = use_of(self, item->words[MET__PART_SHAPE], &use);

    if (error == MET_OK && use.quantity != NOTHING) {
        error = cut_part(self, &item, info);
    }
    if (error != MET_OK || use.quantity == NOTHING || item == NULL) {
        return error;
    }
    if (use.quantity != MET__MATCH_COUNTS
        && use.quantity >= (item->words[MET__PART_PLAN] & UINT32_MAX)) {
        return MET_E_CORRUPT;
    }
    if (!met__usage_item_span(item, use.quantity, &first, &last)) {
        return MET_OK; /* it brings nothing */
    }
    error = cut_item(self, first, last, &is_out, info);
    if (error != MET_OK || is_out) {
        return error;
    }
    self->first = first < self->first ? first : self->first;
    self->last = last > self->last ? last : self->last;
    if (use.group == MET__NO_GROUP) {
        return MET_OK;
    }
    error = met__aggregate_add(&self->groups.list[use.group]->aggregate,
                               aggregation, use.quantity, item);
    if (error == MET_E_OVERFLOW) {
        return met__fail(info, error, "",
                         "the sum has more digits than a decimal holds");
    }
    if (error == MET_OK) {
        met__usage_groups_touch(&self->groups, use.group);
    }
    return error;
}

/* All usage of the open window that belongs to this pass. */
static met_error gather(met__usage_cursor *self, int is_further,
                        met_error_info *info)
{
    met_error error = MET_OK;

    met__usage_groups_begin(&self->groups, is_further);
    self->at = 0;
    if (is_further) {
        error = met__usage_scan_seek(&self->scan, self->window_from);
        if (error == MET_OK) {
            error = next_item(self);
        }
    }
    while (error == MET_OK && self->item != NULL
           && self->item->key.minute < self->window_to) {
        error = add_item(self, info);
        if (error == MET_OK) {
            error = next_item(self);
        }
    }
    met__usage_groups_sort(&self->groups);
    return error;
}

static met_error open_window(met__usage_cursor *self, met_error_info *info)
{
    int64_t from = self->from;
    int64_t to = self->to;

    if (self->query.window != MET__WINDOW_NONE) {
        int64_t minute = self->item->key.minute;
        met__usage_window(self->query.window, self->query.zone,
                          minute > from ? minute : from, &from, &to);
    }
    self->window_from = from > self->from ? from : self->from;
    self->window_to = to < self->to ? to : self->to;
    return gather(self, 0, info);
}

/* --- Rows ----------------------------------------------------------------- */
/* A meter that begins inside the range moves its beginning. */
static int64_t shown_from_ns(const met__usage_query *query)
{
    int64_t first_ns = query->meter->events_from_ns;

    return first_ns > query->from_ns && first_ns < query->to_ns
               ? first_ns - first_ns % MET__MINUTE_NS
               : query->from_ns;
}

static met_error give(met__usage_cursor *self, met__usage_row *row_out,
                      met_error_info *info)
{
    const met__usage_query *query = &self->query;
    int64_t from = self->first;
    int64_t to = self->last + 1;
    int is_whole = query->window != MET__WINDOW_NONE;

    if (is_whole) {
        met__usage_window(query->window, query->zone, self->window_from,
                          &from, &to);
    }
    row_out->from_ns = is_whole || query->from_ns == MET__USAGE_FIRST
                           ? from * MET__MINUTE_NS
                           : shown_from_ns(query);
    row_out->to_ns = is_whole || query->to_ns == MET__USAGE_LAST
                         ? to * MET__MINUTE_NS
                         : query->to_ns;
    /* The end of time itself is no time that can be written. */
    row_out->to_ns = row_out->to_ns < MET__TIME_MAX ? row_out->to_ns
                                                    : MET__TIME_MAX;
    row_out->values = self->open.values;
    self->has_open = 0;
    self->has_rows = 1;
    met_error error = met__aggregate_value(&self->total,
                                           query->meter->aggregation,
                                           &row_out->value);
    return error == MET_OK
               ? error
               : met__fail(info, error, "",
                           "a value has more digits than a decimal holds");
}

static int is_of_open_row(const met__usage_cursor *self,
                          const met__usage_group *group)
{
    for (size_t i = 0; i < self->query.group_count; i++) {
        if (!met__text_equal(self->open.values[i], group->values[i])) {
            return 0;
        }
    }
    return 1;
}

/* Groups of this pass, up to the first one that belongs to the next row. */
static int fill_row(met__usage_cursor *self)
{
    for (; self->at < self->groups.touched_count; self->at++) {
        const met__usage_group *group = self->groups.touched[self->at];
        if (self->has_open && !is_of_open_row(self, group)) {
            return 1;
        }
        if (!self->has_open) {
            met__usage_key_copy(&self->open, group->values,
                                self->query.group_count);
            self->total = group->aggregate;
            self->has_open = 1;
        }
        self->total.value += self->is_unique;
    }
    return 0;
}

/* Counting nothing at all is an answer, adding up nothing is none. */
static int is_zero_row(const met__usage_cursor *self)
{
    const met__usage_query *query = &self->query;

    return (query->meter->aggregation == MET__AGGREGATION_COUNT
            || self->is_unique)
           && query->window == MET__WINDOW_NONE && query->group_count == 0
           && query->from_ns != MET__USAGE_FIRST
           && query->to_ns != MET__USAGE_LAST && !self->has_rows;
}

met_error met__usage_next(met__usage_cursor *self, met__usage_row *row_out,
                          met_error_info *info)
{
    met_error error = MET_OK;

    MET__ASSERT(self != NULL && row_out != NULL);
    while (error == MET_OK) {
        if (fill_row(self)) {
            return give(self, row_out, info);
        }
        if (self->groups.has_before) {
            error = gather(self, 1, info);
        } else if (self->has_open) {
            return give(self, row_out, info);
        } else if (self->item != NULL) {
            error = open_window(self, info);
        } else if (is_zero_row(self)) {
            self->total = (met__aggregate){0};
            return give(self, row_out, info);
        } else {
            return MET_E_NOT_FOUND;
        }
    }
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

/* --- Opening and closing -------------------------------------------------- */
static void set_range(met__usage_cursor *self)
{
    const met__usage_query *query = &self->query;
    const int64_t minute = MET__MINUTE_NS;
    int64_t first = met__usage_first_minute(query->meter);
    int64_t from_ns = query->from_ns == MET__USAGE_FIRST ? 0 : query->from_ns;
    int64_t to_ns = query->to_ns == MET__USAGE_LAST
                        ? MET__MINUTES_END * minute
                        : query->to_ns;

    self->from = from_ns / minute;
    self->to = (to_ns + minute - 1) / minute;
    self->whole_from = (from_ns + minute - 1) / minute;
    self->whole_to = to_ns / minute;
    self->parted[0].minute = self->whole_from > self->from ? self->from : -1;
    self->parted[1].minute = self->whole_to < self->to ? self->whole_to : -1;
    if (first >= self->to) {
        self->to = self->from; /* nothing of it is the meter's */
    } else if (first > self->from) {
        self->from = first;
        self->whole_from = first;
    }
}

/* Bounds inside a minute need the events themselves. */
static met_error check_minutes(met__usage_cursor *self, met_error_info *info)
{
    met__ingest_settings settings = {0};
    int is_to = self->parted[0].minute < 0;
    met_error error = is_to && self->parted[1].minute < 0
                          ? MET_OK
                          : met__ingest_settings_get(self->txn, &settings);

    if (error != MET_OK || (is_to && self->parted[1].minute < 0)
        || !met__duration_is_zero(&settings.retain)) {
        return error;
    }
    return met__fail(info, MET_E_INVALID, is_to ? "to" : "from",
                     "must be on a whole minute: usage is kept by the minute, "
                     "and events are not retained");
}

/* Usage of whom is wanted: by their shapes, when somebody is named. */
static met_error find_shapes(met__usage_cursor *self, int *is_known_out)
{
    const met__usage_query *query = &self->query;
    const met__text *subjects = query->subjects;
    size_t count = query->subject_count;

    *is_known_out = 0;
    if (count == 0) {
        for (size_t i = 0; i < query->customer_count; i++) {
            count += query->customers[i].subject_count;
        }
        met__text *all = count == 0
                             ? NULL
                             : met__arena_allocate(&self->subject_arena,
                                                   count * sizeof *all);
        if (all == NULL) {
            return count == 0 ? MET_OK : MET_E_NO_MEMORY;
        }
        count = 0;
        for (size_t i = 0; i < query->customer_count; i++) {
            for (size_t j = 0; j < query->customers[i].subject_count; j++) {
                all[count++] = query->customers[i].subjects[j];
            }
        }
        subjects = all;
    }
    return met__subject_index_find(self->txn, subjects, count, SHAPES_MAX,
                                   &self->subject_arena,
                                   &self->subject_shapes, is_known_out);
}

static met_error begin_scan(met__usage_cursor *self)
{
    int is_known = 0;
    met_error error = find_shapes(self, &is_known);

    if (error == MET_OK) {
        error = met__usage_scan_begin(self->txn, self->from, self->to,
                                      is_known ? &self->subject_shapes : NULL,
                                      &self->scan);
    }
    return error == MET_OK ? next_item(self) : error;
}

met_error met__usage_open(met__txn *txn, const met__usage_query *query,
                          size_t groups_max, met__usage_cursor **cursor_out,
                          met_error_info *info)
{
    met_error error = met__usage_query_check(query, info);
    const met__platform *platform;
    met__usage_cursor *self;

    MET__ASSERT(cursor_out != NULL && groups_max >= 2
                && query->group_count + 1 <= MET__GROUP_VALUES_MAX);
    if (error != MET_OK) {
        return error;
    }
    platform = met__store_platform(met__txn_store(txn));
    self = met__allocate(platform, sizeof *self);
    if (self == NULL) {
        return MET_E_NO_MEMORY;
    }
    self->txn = txn;
    self->platform = platform;
    self->query = *query;
    self->is_unique = query->meter->aggregation
                      == MET__AGGREGATION_UNIQUE_COUNT;
    self->first = INT64_MAX;
    self->last = -1;
    met__usage_groups_init(&self->groups, platform,
                           met__store_secret(met__txn_store(txn)),
                           query->group_count + (size_t)self->is_unique,
                           groups_max);
    met__arena_init(&self->arena, platform);
    met__arena_init(&self->subject_arena, platform);
    met__arena_init(&self->parted_arena, platform);
    forget_shapes(self);
    set_range(self);
    error = check_minutes(self, info);
    if (error == MET_OK && self->from < self->to) {
        error = begin_scan(self);
    }
    if (error != MET_OK) {
        met__usage_close(self);
        return error;
    }
    *cursor_out = self;
    return MET_OK;
}

uint64_t met__usage_looked_at(const met__usage_cursor *self)
{
    return met__usage_scan_looked_at(&self->scan);
}

void met__usage_close(met__usage_cursor *self)
{
    if (self != NULL) {
        met__usage_scan_end(&self->scan);
        met__usage_groups_release(&self->groups);
        met__arena_release(&self->arena);
        met__arena_release(&self->subject_arena);
        met__arena_release(&self->parted_arena);
        met__release(self->platform, self, sizeof *self);
    }
}

met_error met__usage_total(met__txn *txn, const met__usage_query *query,
                           met_decimal *value_out, met_error_info *info)
{
    met__usage_cursor *cursor = NULL;
    met__usage_row row = {.value = met__decimal_zero()};

    MET__ASSERT(query->window == MET__WINDOW_NONE && query->group_count == 0);
    met_error error = met__usage_open(txn, query, MET__USAGE_GROUPS_MAX,
                                      &cursor, info);
    if (error == MET_OK) {
        error = met__usage_next(cursor, &row, info);
    }
    met__usage_close(cursor);
    if (error == MET_OK || error == MET_E_NOT_FOUND) {
        *value_out = row.value;
        return MET_OK;
    }
    return error;
}
