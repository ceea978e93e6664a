/* Compaction in steps: each takes the oldest records that can never change
 * again, folds them into the cells of a coarser grain and removes them, in one
 * transaction. In: parts of settled epochs, of events and corrections; cells
 * of hours. Out: cells of hours and days, written in the order of their keys.
 *
 * A late event makes a part of its own, also where its hour is folded: the
 * next compaction adds it. What a meter's first minute or the guard parts is
 * left as it is. Before anything is folded, all shapes enter the index by
 * which a query finds those of its subject. */
#include "meter/compaction.h"

#include <stdlib.h>

#include "base/check.h"
#include "meter/meter_def.h"
#include "meter/subject_index.h"
#include "meter/usage_match.h"

#define GENERATIONS_KEPT 64u

/* A record that a step may fold. */
typedef struct source {
    uint64_t shape;
    uint64_t *words; /* as a cell */
    uint32_t minute; /* of the cell it goes into */
    uint32_t order;  /* in the table */
    uint32_t is_folded;
    uint32_t key_size;
    size_t value_size;
    unsigned char key[MET__PART_KEY_SIZE];
} source;

typedef struct seen_generation {
    uint64_t generation;
    met__generation_state state;
} seen_generation;

typedef struct compaction {
    met_store *store;
    const met__compact_guard *guard;
    uint64_t items_left;
    size_t step_max;
    met__compact_report report;
    uint32_t minutes; /* of the records that are folded */
    uint32_t into;    /* of the cells */
    int64_t end;      /* cells that end here or earlier, in minutes */
    int has_last;
    int is_done;
    met__usage_item last; /* looked at */
    /* of the transaction: */
    met__arena arena;
    met__txn *txn;
    source *list;
    size_t count;
    met__meter **meters;
    size_t meter_count;
    met__compact_report step;
    seen_generation seen[GENERATIONS_KEPT];
} compaction;

/* --- What may be folded --------------------------------------------------- */
/* Parts that no recorder counted never change, others not once their epoch is
 * settled. */
static met_error can_change(compaction *self, const met__part_key *key,
                            int *can_out)
{
    seen_generation *seen =
        &self->seen[(key->generation ^ key->generation >> 32)
                    % GENERATIONS_KEPT];
    met_error error = MET_OK;

    *can_out = 0;
    if (key->generation < MET__GENERATION_FIRST) {
        return MET_OK;
    }
    if (seen->generation != key->generation) {
        error = met__generation_get(self->txn, key->generation, &seen->state);
        seen->generation = error == MET_OK ? key->generation : 0;
    }
    *can_out = !seen->state.is_retired
               && key->epoch > seen->state.settled_epoch;
    return error;
}

static met_error load_meters(compaction *self)
{
    met__scan scan;
    met__text key;
    met__text value;
    size_t room = 0;
    met_error error = met__scan_begin(self->txn, MET__TABLE_METER, NULL, 0,
                                      &scan);

    self->meter_count = 0;
    while (error == MET_OK
           && (error = met__scan_next(&scan, &key, &value)) == MET_OK) {
        if (self->meter_count == room) {
            size_t wider = room * 2 + 16;
            met__meter **list = met__arena_allocate(&self->arena,
                                                    wider * sizeof *list);
            if (list == NULL) {
                error = MET_E_NO_MEMORY;
                break;
            }
            if (room > 0) {
                memcpy(list, self->meters, room * sizeof *list);
            }
            self->meters = list;
            room = wider;
        }
        error = met__meter_unpack(&self->arena, value,
                                  &self->meters[self->meter_count]);
        self->meter_count += error == MET_OK;
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* Whether a bound inside this cell may be asked for. */
static met_error is_parted(compaction *self, uint64_t number, uint32_t minute,
                           int *is_parted_out)
{
    met__usage_shape shape;
    met__usage_match match;
    met_error error = met__usage_shape_get(self->txn, number, &shape);

    *is_parted_out = 0;
    for (size_t i = 0; error == MET_OK && i < self->meter_count; i++) {
        int64_t first = met__usage_first_minute(self->meters[i]);
        if (first > minute && first < (int64_t)minute + self->into
            && met__usage_matches(self->meters[i], &shape, &match)) {
            *is_parted_out = 1;
            return MET_OK;
        }
    }
    if (error == MET_OK && self->guard != NULL) {
        int64_t from_ns = minute * MET__MINUTE_NS;
        error = self->guard->parts(self->guard->context, self->txn,
                                   shape.subject, from_ns,
                                   from_ns + self->into * MET__MINUTE_NS,
                                   is_parted_out);
    }
    return error;
}

/* --- One step ------------------------------------------------------------- */
static met_error keep_source(compaction *self, const met__usage_item *item)
{
    uint64_t quantities = item->words[MET__PART_PLAN] & UINT32_MAX;
    source *next = &self->list[self->count];

    *next = (source){.shape = item->words[MET__PART_SHAPE],
                     .minute = item->key.minute
                               - item->key.minute % self->into,
                     .order = (uint32_t)self->count};
    next->words = met__arena_allocate(&self->arena,
                                      met__cell_size(quantities)
                                          * sizeof *next->words);
    if (next->words == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__cell_of(item, next->words);
    next->key_size = (uint32_t)met__usage_item_key(item, next->key);
    next->value_size =
        item->minutes > 1
            ? met__cell_size(quantities) * sizeof *next->words
            : (MET__PART_QUANTITIES + quantities * MET__QUANTITY_WORDS)
                  * sizeof *next->words;
    self->count++;
    return MET_OK;
}

static met_error collect(compaction *self)
{
    met__grain_scan scan = {0};
    met__usage_item *item = &self->last;
    met_error error = met__grain_scan_begin(self->txn, self->minutes, 0,
                                            self->end, NULL, &scan);

    if (error == MET_OK && self->has_last) {
        error = met__grain_scan_behind(&scan, item);
    }
    while (error == MET_OK && self->count < self->step_max
           && self->items_left > self->count) {
        int can = 0;
        error = met__grain_scan_next(&scan, item);
        if (error == MET_OK && self->minutes == 1) {
            error = can_change(self, &item->key, &can);
        }
        if (error == MET_OK && !can) {
            error = keep_source(self, item);
        }
        self->has_last |= error == MET_OK;
    }
    met__grain_scan_end(&scan);
    if (error == MET_E_NOT_FOUND) {
        self->is_done = 1;
        error = MET_OK;
    }
    return error;
}

static int compare_cell(const void *a, const void *b)
{
    const source *x = a;
    const source *y = b;

    if (x->minute != y->minute) {
        return x->minute < y->minute ? -1 : 1;
    }
    if (x->shape != y->shape) {
        return x->shape < y->shape ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static int compare_order(const void *a, const void *b)
{
    const source *x = a;
    const source *y = b;

    return x->order < y->order ? -1 : x->order > y->order;
}

/* Sources of one cell. One that does not fit in stays where it is. */
static met_error fold_cell(compaction *self, source *list, size_t count)
{
    uint64_t words[MET__CELL_WORDS_MAX];
    int is_left = 0;
    met_error error = is_parted(self, list->shape, list->minute, &is_left);

    if (error != MET_OK || is_left) {
        return error;
    }
    error = met__cell_get(self->txn, list->minute, self->into, list->shape,
                          words);
    if (error == MET_E_NOT_FOUND) {
        memcpy(words, list->words, met__cell_size(list->words[MET__PART_PLAN])
                                       * sizeof *words);
        list->is_folded = 1;
        error = MET_OK;
    }
    for (size_t i = list->is_folded; error == MET_OK && i < count; i++) {
        list[i].is_folded = (uint32_t)met__cell_join(words, list[i].words);
    }
    if (error == MET_OK) {
        error = met__cell_put(self->txn, list->minute, self->into, words);
    }
    *(self->into == MET__HOUR_MINUTES ? &self->step.hours
                                      : &self->step.days) += 1;
    self->step.bytes_written += MET__CELL_KEY_SIZE
                                + met__cell_size(words[MET__PART_PLAN])
                                      * sizeof *words;
    return error;
}

static met_error fold(compaction *self)
{
    met_error error = MET_OK;
    size_t count = 0;

    qsort(self->list, self->count, sizeof *self->list, compare_cell);
    for (size_t i = 0; error == MET_OK && i < self->count; i += count) {
        source *first = &self->list[i];
        count = 1;
        while (i + count < self->count && first[count].shape == first->shape
               && first[count].minute == first->minute) {
            count++;
        }
        error = fold_cell(self, first, count);
    }
    qsort(self->list, self->count, sizeof *self->list, compare_order);
    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        const source *at = &self->list[i];
        if (at->is_folded) {
            error = met__txn_remove(self->txn, met__usage_table(self->minutes),
                                    at->key, at->key_size);
            *(self->minutes == 1 ? &self->step.parts
                                 : &self->step.hours_folded) += 1;
            self->step.bytes_freed += at->key_size + at->value_size;
        }
    }
    return error;
}

static void count_step(compaction *self)
{
    met__compact_report *into = &self->report;
    const met__compact_report *step = &self->step;

    into->transactions++;
    into->parts += step->parts;
    into->hours += step->hours;
    into->hours_folded += step->hours_folded;
    into->days += step->days;
    into->bytes_freed += step->bytes_freed;
    into->bytes_written += step->bytes_written;
}

static met_error work(compaction *self)
{
    met_error error = MET_OK;

    self->list = met__arena_allocate(&self->arena,
                                     self->step_max * sizeof *self->list);
    if (self->list == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (self->guard != NULL) {
        error = self->guard->begin(self->guard->context, self->txn);
    }
    if (error == MET_OK) {
        error = load_meters(self);
    }
    if (error == MET_OK) {
        error = collect(self);
    }
    return error == MET_OK ? fold(self) : error;
}

static met_error transact(compaction *self)
{
    self->count = 0;
    self->step = (met__compact_report){0};
    memset(self->seen, 0, sizeof self->seen);
    met__arena_init(&self->arena, met__store_platform(self->store));
    met_error error = met__txn_begin(self->store, 1, &self->txn);
    if (error == MET_OK) {
        error = work(self);
        if (error == MET_OK && self->step.bytes_freed > 0) {
            error = met__txn_commit(self->txn);
            if (error == MET_OK) {
                count_step(self);
            }
        } else {
            met__txn_abort(self->txn);
        }
    }
    if (error == MET_OK) {
        self->items_left -= self->count;
    }
    met__arena_release(&self->arena);
    return error;
}

/* --- All steps ------------------------------------------------------------ */
/* Where cells of so many minutes end that are no longer kept finer. */
static int64_t end_of(int64_t as_of_ns, const met__duration *keep,
                      int64_t minutes)
{
    int64_t at_ns = 0;

    if (met__duration_add(as_of_ns, keep, -1, &at_ns) != MET_OK
        || at_ns < 0) {
        return 0; /* before 1970 */
    }
    at_ns /= MET__MINUTE_NS;
    return at_ns - at_ns % minutes;
}

static met_error fold_grain(compaction *self, uint32_t minutes, uint32_t into,
                            int64_t end)
{
    met_error error = MET_OK;

    self->minutes = minutes;
    self->into = into;
    self->end = end;
    self->has_last = 0;
    self->is_done = 0;
    while (error == MET_OK && !self->is_done && self->items_left > 0) {
        error = transact(self);
    }
    return error;
}

/* What is folded is found by its subject. */
static met_error extend_index(met_store *store, size_t step_max)
{
    met_error error = MET_OK;

    for (int is_done = 0; error == MET_OK && !is_done;) {
        met__txn *txn = NULL;
        error = met__txn_begin(store, 1, &txn);
        if (error == MET_OK) {
            error = met__subject_index_extend(txn, step_max, &is_done);
            if (error == MET_OK) {
                error = met__txn_commit(txn);
            } else {
                met__txn_abort(txn);
            }
        }
    }
    return error;
}

static met_error read_settings(met_store *store,
                               met__usage_settings *settings_out)
{
    met__txn *txn = NULL;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error == MET_OK) {
        error = met__usage_settings_get(txn, settings_out);
        met__txn_abort(txn);
    }
    return error;
}

met_error met__compact(met_store *store, int64_t as_of_ns, uint64_t items_max,
                       size_t step_max, const met__compact_guard *guard,
                       met__compact_report *report_out, met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    met__usage_settings settings;
    met_error error = met__store_check_handle(store);

    MET__ASSERT(step_max > 0);
    if (error == MET_OK) {
        error = read_settings(store, &settings);
    }
    compaction *self = error == MET_OK
                           ? met__allocate(platform, sizeof *self)
                           : NULL;
    if (self == NULL) {
        return met__fail_code(info,
                              error == MET_OK ? MET_E_NO_MEMORY : error);
    }
    int64_t begun_ns = met__now_monotonic_ns(platform);
    int64_t hours = end_of(as_of_ns, &settings.minutes, MET__HOUR_MINUTES);
    int64_t days = end_of(as_of_ns, &settings.hours, MET__DAY_MINUTES);
    self->store = store;
    self->guard = guard;
    self->items_left = items_max == 0 ? UINT64_MAX : items_max;
    self->step_max = step_max;
    error = extend_index(store, step_max);
    if (error == MET_OK) {
        error = fold_grain(self, 1, MET__HOUR_MINUTES, hours);
    }
    if (error == MET_OK) {
        hours -= hours % MET__DAY_MINUTES;
        error = fold_grain(self, MET__HOUR_MINUTES, MET__DAY_MINUTES,
                           days < hours ? days : hours);
    }
    self->report.duration_ns = met__now_monotonic_ns(platform) - begun_ns;
    if (error == MET_OK && report_out != NULL) {
        *report_out = self->report;
    }
    met__release(platform, self, sizeof *self);
    return error == MET_OK ? error : met__fail_code(info, error);
}
