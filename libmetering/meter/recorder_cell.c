/* Which cell an event counts in: cells are taken in the order of epochs, used
 * for one shape and minute, and come back when settlement says so. Epochs end
 * here. In: the recorder's shapes and its slot. Out: the cell in use of a
 * shape; segments ahead of need. */
#include "meter/recorder_state.h"

#include "base/check.h"

#define CELLS_AHEAD 8192u    /* for events that carry no quantity */
#define WIDE_CELLS_AHEAD 1024u
#define ENTRIES_AHEAD 8192u  /* of the common size */
#define COMMON_CLASS 1u
#define CELLS_PER_SHAPE 4u   /* unsettled minutes kept of every shape */
#define GROW_MAX 512u        /* segments at once */

/* --- Taking a cell -------------------------------------------------------- */
static uint32_t take_cell(met_recorder *recorder, met__cell_pool *pool)
{
    uint32_t cell;

    if (pool->idle_count > 0) {
        cell = pool->idle[--pool->idle_count];
    } else {
        if (pool->head == pool->tail
            || pool->used[pool->head & (pool->room - 1)] >> 32
                   > met__recorder_settled(recorder)) {
            return UINT32_MAX;
        }
        cell = (uint32_t)pool->used[pool->head & (pool->room - 1)];
        pool->head++;
    }
    pool->used[pool->tail++ & (pool->room - 1)] = (uint64_t)recorder->epoch
                                                      << 32
                                                  | cell;
    pool->taken++;
    return cell;
}

/* --- Cells of other minutes ----------------------------------------------- */
static met__other_minute *find_minute(const met_recorder *recorder,
                                      uint32_t shape, uint32_t minute)
{
    uint32_t at = (shape * 0x9e3779b1u) ^ (minute * 0x85ebca6bu);

    for (at ^= at >> 15;; at++) {
        met__other_minute *place =
            &recorder->minutes[at & (MET__MINUTE_PLACES - 1)];
        if (place->shape == 0
            || (place->shape == shape + 1 && place->minute == minute)) {
            return place;
        }
    }
}

/* The cell in use steps back; it stays the cell of its minute. */
static void put_aside(met_recorder *recorder, uint32_t shape)
{
    const met__shape_record *record = &recorder->shapes[shape];
    met__other_minute *place = find_minute(recorder, shape,
                                           record->cell_minute);

    recorder->minute_count += place->shape == 0;
    *place = (met__other_minute){shape + 1, record->cell_minute,
                                 record->cell};
}

void met__recorder_close_epoch(met_recorder *recorder)
{
    if (recorder->epoch_cells == 0) {
        return;
    }
    /* Every shape forgets its cell: the epochs differ from here on. */
    uint64_t closed = recorder->epoch++;
    recorder->ended[closed % MET__EPOCHS_KEPT] =
        (met__ended_epoch){closed, recorder->events};
    recorder->epoch_cells = 0;
    if (recorder->minute_count > 0) {
        memset(recorder->minutes, 0,
               MET__MINUTE_PLACES * sizeof *recorder->minutes);
        recorder->minute_count = 0;
    }
    met__store_release(&met__slot_owner_of(&recorder->slot)->closed_epoch,
                       closed);
}

static const met__atomic_u64 *copy_in_force(const met_recorder *recorder,
                                            uint32_t cell,
                                            uint32_t cell_class,
                                            uint64_t sequence)
{
    return met__slot_copy(&recorder->slot, cell / MET__SEGMENT_ITEMS_MAX,
                          cell_class, cell % MET__SEGMENT_ITEMS_MAX,
                          sequence & 1);
}

/* The record takes up the cell where it stands. */
static void use_cell(met_recorder *recorder, met__shape_record *record,
                     uint32_t minute, uint32_t cell, int is_new)
{
    uint32_t cell_class = recorder->types[record->type].cell_class;

    record->cell = cell;
    record->cell_epoch = recorder->epoch;
    record->cell_minute = minute;
    record->sequence = met__load_relaxed(met__slot_sequence(
        &recorder->slot, cell / MET__SEGMENT_ITEMS_MAX,
        cell % MET__SEGMENT_ITEMS_MAX));
    record->count = 0;
    if (!is_new) {
        record->count = met__load_relaxed(
            copy_in_force(recorder, cell, cell_class, record->sequence)
            + MET__COPY_COUNT);
    }
}

met_error met__recorder_turn(met_recorder *recorder, uint32_t shape,
                             uint32_t minute)
{
    met__shape_record *record = &recorder->shapes[shape];

    if (record->cell_epoch == recorder->epoch) {
        if (recorder->minute_count >= MET__MINUTE_PLACES / 2) {
            met__recorder_close_epoch(recorder); /* always allowed */
        } else {
            put_aside(recorder, shape);
            const met__other_minute *place = find_minute(recorder, shape,
                                                         minute);
            if (place->shape != 0) {
                use_cell(recorder, record, minute, place->cell, 0);
                return MET_OK;
            }
        }
    }
    uint32_t cell_class = recorder->types[record->type].cell_class;
    uint32_t cell = take_cell(recorder, &recorder->cells[cell_class]);
    if (cell == UINT32_MAX) {
        return MET_E_TALLY_FULL;
    }
    use_cell(recorder, record, minute, cell, 1);
    record->last_epoch = recorder->epoch;
    recorder->epoch_cells++;
    recorder->cells_ever = 1;
    return MET_OK;
}

/* --- Lists ---------------------------------------------------------------- */
static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t size = 1024;

    while (size < at_least) {
        size *= 2;
    }
    return size;
}

/* Room for `more` cells in both lists. */
static met_error widen_cells(met_recorder *recorder, met__cell_pool *pool,
                             uint32_t more)
{
    const met__platform *platform = recorder->platform;
    uint32_t room = power_of_two(pool->total + more);

    if (room <= pool->room) {
        return MET_OK;
    }
    uint32_t *idle = met__allocate(platform, room * sizeof *idle);
    uint64_t *used = met__allocate(platform, room * sizeof *used);
    if (idle == NULL || used == NULL) {
        met__release(platform, idle, room * sizeof *idle);
        met__release(platform, used, room * sizeof *used);
        return MET_E_NO_MEMORY;
    }
    if (pool->room > 0) {
        memcpy(idle, pool->idle, pool->idle_count * sizeof *idle);
    }
    for (uint64_t i = pool->head; i < pool->tail; i++) {
        used[i - pool->head] = pool->used[i & (pool->room - 1)];
    }
    pool->tail -= pool->head;
    pool->head = 0;
    met__release(platform, pool->idle, pool->room * sizeof *idle);
    met__release(platform, pool->used, pool->room * sizeof *used);
    pool->idle = idle;
    pool->used = used;
    pool->room = room;
    return MET_OK;
}

static met_error widen_entries(met_recorder *recorder, met__entry_pool *pool,
                               uint32_t more)
{
    uint32_t room = power_of_two(pool->total + more);

    if (room <= pool->room) {
        return MET_OK;
    }
    uint32_t *idle = met__reallocate(recorder->platform, pool->idle,
                                     pool->room * sizeof *idle,
                                     room * sizeof *idle);
    if (idle == NULL) {
        return MET_E_NO_MEMORY;
    }
    pool->idle = idle;
    pool->room = room;
    return MET_OK;
}

static uint32_t items_of(uint32_t kind)
{
    return kind >> 8 == MET__SEGMENT_CELLS
               ? met__cell_class_count(kind & 0xff)
               : met__shape_class_count(kind & 0xff);
}

static met_error widen(met_recorder *recorder, uint32_t kind, uint32_t more)
{
    return kind >> 8 == MET__SEGMENT_CELLS
               ? widen_cells(recorder, &recorder->cells[kind & 0xff], more)
               : widen_entries(recorder, &recorder->entries[kind & 0xff],
                               more);
}

/* All of a segment's items are idle; its lists have room. Counted down, so
 * that they are taken from the front. */
static void list_segment(met_recorder *recorder, uint32_t segment,
                         uint32_t kind)
{
    uint32_t first = segment * MET__SEGMENT_ITEMS_MAX;
    uint32_t count = items_of(kind);

    if (kind >> 8 == MET__SEGMENT_CELLS) {
        met__cell_pool *pool = &recorder->cells[kind & 0xff];
        for (uint32_t i = count; i-- > 0;) {
            pool->idle[pool->idle_count++] = first + i;
        }
        pool->total += count;
    } else {
        met__entry_pool *pool = &recorder->entries[kind & 0xff];
        for (uint32_t i = count; i-- > 0;) {
            pool->idle[pool->idle_count++] = first + i;
        }
        pool->total += count;
    }
}

met_error met__recorder_list_segments(met_recorder *recorder)
{
    uint64_t count = met__load_relaxed(
        &met__slot_owner_of(&recorder->slot)->segment_count);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t kind = met__slot_segment_kind(&recorder->slot, i);
        if (kind == 0) {
            return MET_E_CORRUPT;
        }
        met_error error = widen(recorder, kind, items_of(kind));
        if (error != MET_OK) {
            return error;
        }
        list_segment(recorder, i, kind);
    }
    return MET_OK;
}

void met__recorder_release_cells(met_recorder *recorder)
{
    for (int i = 0; i < MET__CELL_CLASSES; i++) {
        met__cell_pool *pool = &recorder->cells[i];
        met__release(recorder->platform, pool->idle,
                     pool->room * sizeof *pool->idle);
        met__release(recorder->platform, pool->used,
                     pool->room * sizeof *pool->used);
    }
    for (int i = 0; i < MET__SHAPE_CLASSES; i++) {
        met__entry_pool *pool = &recorder->entries[i];
        met__release(recorder->platform, pool->idle,
                     pool->room * sizeof *pool->idle);
    }
}

/* --- Growing -------------------------------------------------------------- */
static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t segments_for(uint32_t items, uint32_t kind)
{
    return (items + items_of(kind) - 1) / items_of(kind);
}

/* Settled cells become idle; how many more there should be. */
static uint32_t cells_needed(met_recorder *recorder, uint32_t cell_class)
{
    met__cell_pool *pool = &recorder->cells[cell_class];
    uint64_t settled = met__recorder_settled(recorder);
    uint32_t ahead = cell_class == 0 ? CELLS_AHEAD : WIDE_CELLS_AHEAD;

    while (pool->head < pool->tail
           && pool->used[pool->head & (pool->room - 1)] >> 32 <= settled) {
        pool->idle[pool->idle_count++] =
            (uint32_t)pool->used[pool->head++ & (pool->room - 1)];
    }
    pool->most = pool->taken > pool->most ? pool->taken
                                          : pool->most - pool->most / 64;
    pool->taken = 0;
    uint32_t want = least(ahead, recorder->shape_room) + 2 * pool->most;
    uint32_t limit = CELLS_PER_SHAPE * recorder->shape_room;
    if (pool->idle_count >= want || pool->total >= limit) {
        return 0;
    }
    return least(want - pool->idle_count, limit - pool->total);
}

static uint32_t entries_needed(met_recorder *recorder, uint32_t shape_class)
{
    met__entry_pool *pool = &recorder->entries[shape_class];
    uint32_t want = met__shape_class_count(shape_class);

    if (pool->wanted || shape_class == COMMON_CLASS) {
        want = least(ENTRIES_AHEAD, recorder->shape_room) + pool->total / 4;
    } else if (pool->total == 0) {
        want = 0; /* nobody asked for this size yet */
    }
    pool->wanted = 0;
    uint32_t limit = 2 * recorder->shape_room;
    if (pool->idle_count >= want || pool->total >= limit) {
        return 0;
    }
    return least(want - pool->idle_count, limit - pool->total);
}

static met_error provide(met_recorder *recorder, uint32_t kind,
                         uint32_t items)
{
    uint32_t kinds[GROW_MAX];
    uint64_t first = met__load_relaxed(
        &met__slot_owner_of(&recorder->slot)->segment_count);
    uint32_t count = least(segments_for(items, kind), GROW_MAX);

    if (items == 0) {
        return MET_OK;
    }
    count = least(count, MET__SLOT_SEGMENTS_MAX - (uint32_t)first);
    if (count == 0) {
        return MET_OK; /* full grown: from here on it is settle or refuse */
    }
    for (uint32_t i = 0; i < count; i++) {
        kinds[i] = kind;
    }
    met_error error = widen(recorder, kind, count * items_of(kind));
    if (error == MET_OK) {
        error = met__slot_grow(&recorder->slot, kinds, count);
    }
    for (uint32_t i = 0; error == MET_OK && i < count; i++) {
        list_segment(recorder, (uint32_t)first + i, kind);
    }
    return error;
}

/* The class that has room for the longest key of a type. */
static uint32_t longest_class(const met__recorder_type *type)
{
    uint32_t size = MET__SHAPE_KEY_OFFSET + 8
                    + (type->attribute_count + 1)
                          * (MET__VALUE_SIZE_MAX + 1);
    uint32_t shape_class = 0;

    while (shape_class + 1 < MET__SHAPE_CLASSES
           && met__shape_class_size(shape_class) < size) {
        shape_class++;
    }
    return shape_class;
}

met_error met__recorder_provide(met_recorder *recorder)
{
    uint32_t used_cells = 0;
    met_error error = MET_OK;

    for (size_t i = 0; i < recorder->type_count; i++) {
        met__recorder_type *type = &recorder->types[i];
        met__entry_pool *pool = &recorder->entries[longest_class(type)];
        used_cells |= 1u << type->cell_class;
        pool->wanted |= pool->total == 0;
    }
    for (uint32_t i = 0; error == MET_OK && i < MET__CELL_CLASSES; i++) {
        if ((used_cells >> i & 1) != 0) {
            error = provide(recorder, MET__SEGMENT_CELLS << 8 | i,
                            cells_needed(recorder, i));
        }
    }
    for (uint32_t i = 0; error == MET_OK && i < MET__SHAPE_CLASSES; i++) {
        if (used_cells != 0) {
            error = provide(recorder, MET__SEGMENT_SHAPES << 8 | i,
                            entries_needed(recorder, i));
        }
    }
    return error;
}
