/* The state of all slots as a report: how old the oldest unsettled usage is,
 * how full the fullest recorder, and who holds settlement up. In: an open
 * store, read only. Out: members of a document. */
#include "meter/tally_report.h"

#include "base/check.h"
#include "meter/slot_file.h"
#include "meter/usage_part.h"
#include "store/object.h"

#define TICK_MISSING_NS (10 * MET__SECOND_NS)

typedef struct tally {
    met__txn *txn;
    met__arena *arena;
    uint64_t boot_hash;
    int64_t now_ns;
    uint64_t slots;
    uint64_t live;
    uint64_t dead;
    uint64_t damaged;
    uint64_t unsettled;
    uint64_t unreadable;
    uint64_t full_percent;
    uint64_t overflowed;
    uint64_t refused;
    uint64_t files_lost;
    uint64_t events_lost;
    int64_t oldest_minute; /* 0: none */
    met__node *held_up;    /* NULL: not wanted */
    int is_of_settlement;  /* damaged parts are counted; else an error */
} tally;

/* --- Counting ------------------------------------------------------------- */
static met_error count_cell(tally *t, const uint64_t *copy)
{
    uint64_t stored[MET__PART_WORDS_MAX];
    met__generation_state state;
    met__part_key key = {
        .generation = copy[MET__COPY_GENERATION],
        .minute = (uint32_t)copy[MET__COPY_EPOCH],
        .epoch = (uint32_t)(copy[MET__COPY_EPOCH] >> 32),
        .cell = (uint32_t)(copy[MET__COPY_CELL] >> 32),
    };
    met_error error = met__generation_get(t->txn, key.generation, &state);

    if (error != MET_OK || state.is_retired
        || key.epoch <= state.settled_epoch) {
        return error;
    }
    error = met__part_get(t->txn, &key, stored);
    if (error == MET_E_CORRUPT && t->is_of_settlement) { /* it went on, too */
        t->unreadable++;
        return MET_OK;
    }
    if (error == MET_OK
        && stored[MET__PART_SEQUENCE] >= copy[MET__COPY_SEQUENCE]) {
        return MET_OK;
    }
    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    t->unsettled++;
    if (t->oldest_minute == 0 || key.minute < t->oldest_minute) {
        t->oldest_minute = key.minute;
    }
    return MET_OK;
}

static met_error count_cells(tally *t, const met__slot *slot,
                             uint64_t segments)
{
    uint64_t copy[MET__COPY_WORDS_MAX];
    met_error error = MET_OK;

    for (uint32_t i = 0; error == MET_OK && i < segments
                         && i < MET__SLOT_SEGMENTS_MAX; i++) {
        uint32_t kind = met__slot_segment_kind(slot, i);
        uint32_t cell_class = kind & 0xff;
        if (kind >> 8 != MET__SEGMENT_CELLS) {
            continue;
        }
        error = met__slot_fetch(slot, i);
        if (error == MET_E_CORRUPT) { /* cut off meanwhile */
            t->unreadable++;
            error = MET_OK;
            continue;
        }
        for (uint32_t k = 0;
             error == MET_OK && k < met__cell_class_count(cell_class); k++) {
            int found = met__slot_read_cell(slot, i, cell_class, k, copy);
            if (found == MET__CELL_READ) {
                error = count_cell(t, copy);
            }
            t->unreadable += found == MET__CELL_UNREADABLE;
        }
    }
    return error;
}

/* --- Who holds it up ------------------------------------------------------ */
const char *met__owner_silence(int64_t beat_ns, int64_t now_ns)
{
    return now_ns - beat_ns > TICK_MISSING_NS
               ? "the recorder does not tick, or is stopped"
               : NULL;
}

met_error met__hold_up_append(met__arena *arena, met__node *array,
                              const met__hold_up *hold_up)
{
    met__builder builder;
    met__node *node = NULL;

    met__builder_begin(&builder, arena);
    met__build_integer(&builder, "slot", hold_up->slot);
    if (hold_up->process_id != 0) {
        met__build_integer(&builder, "process_id",
                           (int64_t)hold_up->process_id);
    }
    met__build_text(&builder, "reason", met__text_z(hold_up->reason));
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__node_append(arena, array, node) : error;
}

static met_error hold_up(tally *t, uint32_t slot, uint64_t process,
                         const char *reason)
{
    met__hold_up found = {process, reason, slot, 0};

    return t->held_up == NULL || t->held_up->count >= MET__HOLD_UPS_MAX
               ? MET_OK
               : met__hold_up_append(t->arena, t->held_up, &found);
}

static void count_owner(tally *t, const met__slot_owner *owner)
{
    uint64_t cells = met__load_relaxed(&owner->cells);
    uint64_t room = met__load_relaxed(&owner->cells_room);
    uint64_t percent = room == 0 || cells > room ? 0 : cells * 100 / room;

    t->full_percent = percent > t->full_percent ? percent : t->full_percent;
    t->overflowed += met__load_relaxed(&owner->overflowed);
    t->refused += met__load_relaxed(&owner->full);
    t->files_lost += met__load_relaxed(&owner->files_lost);
    t->events_lost += met__load_relaxed(&owner->events_lost);
}

static met_error count_slot(tally *t, met__slot *slot)
{
    met__slot_owner *owner = met__slot_owner_of(slot);
    uint64_t before = t->unreadable;
    uint64_t process = met__load_relaxed(&owner->process_id);
    int is_dead = 0;

    if (met__slot_is_freed(slot, t->boot_hash)) {
        return MET_OK;
    }
    met_error error = met__slot_try_lock(slot, &is_dead);
    if (error != MET_OK) {
        return error;
    }
    t->dead += (uint64_t)is_dead;
    t->live += (uint64_t)!is_dead;
    uint64_t segments = met__load_acquire(&owner->segment_count);
    error = met__slot_reach(slot, segments);
    if (error == MET_E_CORRUPT) {
        t->unreadable++;
        error = MET_OK;
    }
    if (error == MET_OK) {
        owner = met__slot_owner_of(slot);
        error = count_cells(t, slot, segments);
    }
    if (error != MET_OK) {
        return error;
    }
    if (is_dead) {
        return t->unreadable > before
                   ? hold_up(t, slot->number, 0, MET__HELD_UP_BY_CELLS)
                   : MET_OK;
    }
    count_owner(t, owner);
    const char *silence = met__owner_silence(
        (int64_t)met__load_relaxed(&owner->beat_ns), t->now_ns);
    return silence != NULL ? hold_up(t, slot->number, process, silence)
                           : MET_OK;
}

static met_error count_slots(met_store *store, tally *t)
{
    uint32_t *numbers = NULL;
    size_t count = 0;
    const met__platform *platform = met__store_platform(store);
    met_error error = met__boot_hash(platform, &t->boot_hash);

    t->now_ns = met__now_utc_ns(platform);
    if (error == MET_OK) {
        error = met__slots_list(store, t->arena, &numbers, &count);
    }
    if (error == MET_OK) {
        error = met__txn_begin(store, 0, &t->txn);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__slot slot = {0};
        error = met__slot_look(store, numbers[i], &slot, NULL);
        if (error == MET_OK) {
            t->slots++;
            error = count_slot(t, &slot);
        } else if (error == MET_E_CORRUPT || error == MET_E_LAYOUT
                   || error == MET_E_FOREIGN) {
            t->damaged++;
            error = hold_up(t, numbers[i], 0, MET__HELD_UP_BY_DAMAGE);
        }
        met__slot_close(&slot);
    }
    met__txn_abort(t->txn);
    return error;
}

/* --- Telling -------------------------------------------------------------- */
met_error met__tally_oldest(met_store *store, int64_t *oldest_ns_out)
{
    met__arena arena;
    tally t = {.arena = &arena, .is_of_settlement = 1};

    MET__ASSERT(oldest_ns_out != NULL);
    met__arena_init(&arena, met__store_platform(store));
    met_error error = count_slots(store, &t);
    met__arena_release(&arena);
    if (error == MET_OK) {
        *oldest_ns_out = t.oldest_minute * MET__MINUTE_NS;
    }
    return error;
}

met_error met__tally_describe(met_store *store, met__arena *arena,
                              met__node *report)
{
    tally t = {.arena = arena, .held_up = met__node_array(arena)};
    met__builder b;
    met__node *node = NULL;

    MET__ASSERT(store != NULL && report != NULL);
    if (t.held_up == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = count_slots(store, &t);
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&b, arena);
    met__build_integer(&b, "slots", (int64_t)t.slots);
    met__build_integer(&b, "slots_live", (int64_t)t.live);
    met__build_integer(&b, "slots_dead", (int64_t)t.dead);
    met__build_integer(&b, "slots_damaged", (int64_t)t.damaged);
    met__build_integer(&b, "cells_unsettled", (int64_t)t.unsettled);
    met__build_integer(&b, "cells_unreadable", (int64_t)t.unreadable);
    if (t.oldest_minute != 0) {
        int64_t oldest_ns = t.oldest_minute * MET__MINUTE_NS;
        met__build_time(&b, "oldest_unsettled", oldest_ns);
        met__build_integer(&b, "oldest_unsettled_seconds",
                           (t.now_ns - oldest_ns) / MET__SECOND_NS);
    }
    met__build_integer(&b, "full_percent", (int64_t)t.full_percent);
    met__build_integer(&b, "overflowed", (int64_t)t.overflowed);
    met__build_integer(&b, "refused", (int64_t)t.refused);
    met__build_integer(&b, "files_lost", (int64_t)t.files_lost);
    met__build_integer(&b, "events_lost_most", (int64_t)t.events_lost);
    if (t.held_up->count > 0) {
        met__build_node(&b, "held_up_by", t.held_up);
    }
    error = met__builder_end(&b, &node);
    return error == MET_OK ? met__node_set(arena, report, "tally", node)
                           : error;
}
