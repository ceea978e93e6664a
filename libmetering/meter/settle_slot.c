/* One slot in a settlement: reading what is not settled, and saying so after.
 * The order of steps is the protocol (docs/protocol.md): the caller has begun
 * the write transaction; closed_epoch is loaded before any cell; a cell's
 * identity comes from its copy, never from the header. */
#include "meter/settle_run.h"

#include "base/check.h"

/* --- Generations ---------------------------------------------------------- */
static met_error state_of(met__settle_run *run, uint64_t generation,
                          met__generation_state **state_out)
{
    met__seen_generation *seen =
        &run->seen[(generation ^ generation >> 32) % MET__GENERATIONS_KEPT];
    met_error error = MET_OK;

    if (seen->generation != generation) {
        error = met__generation_get(run->txn, generation, &seen->state);
        seen->generation = error == MET_OK ? generation : 0;
    }
    *state_out = &seen->state;
    return error;
}

static met_error note_generation(met__settle_run *run, met__settle_slot *slot,
                                 uint64_t generation)
{
    for (size_t i = slot->generation_count; i-- > 0;) {
        if (slot->generations[i] == generation) {
            return MET_OK;
        }
    }
    if (slot->generation_count == slot->generation_room) {
        size_t room = slot->generation_room * 2 + 4;
        uint64_t *more = met__arena_allocate(&run->arena,
                                             room * sizeof *more);
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (slot->generation_count > 0) {
            memcpy(more, slot->generations,
                   slot->generation_count * sizeof *more);
        }
        slot->generations = more;
        slot->generation_room = room;
    }
    slot->generations[slot->generation_count++] = generation;
    return MET_OK;
}

/* --- Reading -------------------------------------------------------------- */
static met_error keep_quantities(met__settle_run *run,
                                 met__settle_cell *cell,
                                 const uint64_t *copy)
{
    size_t count = cell->quantities * MET__QUANTITY_WORDS;

    if (run->word_count + count > run->word_room) {
        size_t room = (run->word_room + count) * 2;
        uint64_t *more = met__reallocate(run->platform, run->words,
                                         run->word_room * sizeof *more,
                                         room * sizeof *more);
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        run->words = more;
        run->word_room = room;
    }
    cell->words = run->word_count;
    if (count > 0) {
        memcpy(run->words + run->word_count, copy + MET__COPY_QUANTITIES,
               count * sizeof *copy);
    }
    run->word_count += count;
    return MET_OK;
}

static met__part_key key_of(const uint64_t *copy)
{
    return (met__part_key){
        .generation = copy[MET__COPY_GENERATION],
        .minute = (uint32_t)copy[MET__COPY_EPOCH],
        .epoch = (uint32_t)(copy[MET__COPY_EPOCH] >> 32),
        .cell = (uint32_t)(copy[MET__COPY_CELL] >> 32),
    };
}

/* A pass with a bound must not spend it on what an earlier one has written. */
static int is_stored(met__settle_run *run, const uint64_t *copy)
{
    uint64_t stored[MET__PART_WORDS_MAX];
    met__part_key key = key_of(copy);

    return met__part_get(run->txn, &key, stored) == MET_OK
           && stored[MET__PART_SEQUENCE] >= copy[MET__COPY_SEQUENCE];
}

static met_error keep_cell(met__settle_run *run, uint32_t slot_index,
                           const uint64_t *copy)
{
    met__settle_slot *slot = &run->slots[slot_index];
    met__generation_state *state;
    uint64_t generation = copy[MET__COPY_GENERATION];
    met_error error = state_of(run, generation, &state);

    if (error != MET_OK || state->is_retired) {
        return error;
    }
    error = note_generation(run, slot, generation);
    if (error != MET_OK
        || copy[MET__COPY_EPOCH] >> 32 <= state->settled_epoch) {
        return error;
    }
    if (run->is_bounded && is_stored(run, copy)) {
        run->report->cells++;
        return MET_OK;
    }
    met__settle_cell *cell = &run->cells[run->cell_count];
    *cell = (met__settle_cell){
        .key = key_of(copy),
        .sequence = copy[MET__COPY_SEQUENCE],
        .count = copy[MET__COPY_COUNT],
        .hash = copy[MET__COPY_SHAPE_HASH],
        .slot = slot_index,
        .entry = (uint32_t)copy[MET__COPY_CELL],
        .plan = (uint32_t)(copy[MET__COPY_PLAN] >> 32),
        .quantities = (uint32_t)copy[MET__COPY_PLAN],
    };
    error = keep_quantities(run, cell, copy);
    if (error == MET_OK) {
        run->cell_count++;
        run->cells_left--;
        run->report->cells++;
    }
    return error;
}

/* After a power cut the copy in force may be torn while the other one is
 * whole: an older state of the same cell, better than nothing. */
static int salvage(const met__settle_slot *slot, uint32_t segment,
                   uint32_t cell_class, uint32_t index, uint64_t *copy)
{
    return slot->is_adopted && slot->is_other_boot
           && (met__slot_read_copy(&slot->slot, segment, cell_class, index, 0,
                                   copy)
               || met__slot_read_copy(&slot->slot, segment, cell_class, index,
                                      1, copy));
}

static met_error read_segment(met__settle_run *run, uint32_t slot_index,
                              uint32_t kind)
{
    met__settle_slot *slot = &run->slots[slot_index];
    uint64_t copy[MET__COPY_WORDS_MAX];
    uint32_t cell_class = kind & 0xff;
    uint32_t count = met__cell_class_count(cell_class);
    met_error error = met__slot_fetch(&slot->slot, slot->segment);

    if (error == MET_E_CORRUPT) { /* cut off meanwhile */
        slot->unreadable++;
        run->report->cells_unreadable++;
        error = MET_OK;
        count = 0;
    }
    for (; error == MET_OK && slot->index < count; slot->index++) {
        if (run->cell_count == MET__SETTLE_CELLS_MAX
            || run->cells_left == 0) {
            return MET_OK;
        }
        int found = met__slot_read_cell(&slot->slot, slot->segment,
                                        cell_class, slot->index, copy);
        if (found == MET__CELL_READ
            || (found == MET__CELL_UNREADABLE
                && salvage(slot, slot->segment, cell_class, slot->index,
                           copy))) {
            error = keep_cell(run, slot_index, copy);
        }
        if (found == MET__CELL_UNREADABLE) {
            slot->unreadable++;
            run->report->cells_unreadable++;
        }
    }
    if (error == MET_OK) {
        slot->segment++;
        slot->index = 0;
    }
    return error;
}

met_error met__settle_read(met__settle_run *run, uint32_t slot_index)
{
    met__settle_slot *slot = &run->slots[slot_index];

    while (slot->segment < slot->segments) {
        uint32_t kind = met__slot_segment_kind(&slot->slot, slot->segment);
        if (kind >> 8 == MET__SEGMENT_CELLS) {
            uint32_t before = slot->segment;
            met_error error = read_segment(run, slot_index, kind);
            if (slot->segment == before) {
                return error; /* or the run is full */
            }
        } else {
            if (kind == 0) {
                slot->unreadable++;
                run->report->cells_unreadable++;
            }
            slot->segment++;
        }
    }
    slot->is_read = 1;
    return MET_OK;
}

/* --- Afterwards ----------------------------------------------------------- */
/* What cannot be read in this boot will be readable in the next pass, or is
 * damage that nobody may forget. After a power cut it is lost. */
static int is_whole(const met__settle_slot *slot)
{
    return slot->unreadable == 0
           || (slot->is_adopted && slot->is_other_boot);
}

static met_error mark(met__settle_run *run, const met__settle_slot *slot,
                      uint64_t generation)
{
    met__generation_state *state;
    met_error error = state_of(run, generation, &state);

    if (error != MET_OK || state->is_retired) {
        return error;
    }
    met__generation_state next = *state;
    if (slot->closed_epoch > next.settled_epoch) {
        next.settled_epoch = slot->closed_epoch;
    }
    next.is_retired = slot->is_adopted;
    if (memcmp(&next, state, sizeof next) == 0) {
        return MET_OK;
    }
    *state = next;
    return met__generation_put(run->txn, generation, &next);
}

met_error met__settle_mark(met__settle_run *run, met__settle_slot *slot)
{
    uint64_t header = met__load_acquire(
        &met__slot_owner_of(&slot->slot)->generation);
    met_error error = MET_OK;

    if (!is_whole(slot)) {
        return MET_OK;
    }
    for (size_t i = 0; error == MET_OK && i < slot->generation_count; i++) {
        error = mark(run, slot, slot->generations[i]);
    }
    if (error == MET_OK && slot->is_adopted && header != 0) {
        error = mark(run, slot, header);
    }
    return error;
}

void met__settle_publish(met__settle_run *run, met__settle_slot *slot)
{
    met__slot shared = slot->slot; /* not the copy: it is written to */
    int64_t now_ns = met__now_utc_ns(run->platform);

    if (!is_whole(slot)) {
        if (slot->is_adopted) {
            met__settle_held_up(run, slot->slot.number, 0,
                                MET__HELD_UP_BY_CELLS);
        }
        return;
    }
    shared.head = shared.file.memory;
    if (met__mapped_file_check(run->platform, &shared.file) != MET_OK) {
        met__settle_held_up(run, shared.number, 0, MET__HELD_UP_BY_DAMAGE);
        return;
    }
    met__slot_owner *owner = met__slot_owner_of(&shared);
    met__slot_settlers *settlers = met__slot_settlers_of(&shared);
    met__store_relaxed(&settlers->settled_ns, (uint64_t)now_ns);
    met__raise(&settlers->settled_epoch, slot->closed_epoch);
    if (slot->is_adopted) {
        met__store_relaxed(&owner->plan, 0);
        met__store_relaxed(&settlers->freed_boot, run->boot_hash);
        met__store_release(&settlers->freed_generation,
                           met__load_relaxed(&owner->generation));
    }
    if (met__mapped_file_is_lost(&shared.file)) { /* cut off meanwhile */
        met__settle_held_up(run, shared.number, 0, MET__HELD_UP_BY_DAMAGE);
    } else if (slot->is_adopted) {
        run->report->slots_retired++;
    }
}
