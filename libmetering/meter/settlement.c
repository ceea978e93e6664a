/* Settlement: one pass over all slots, in transactions that no other writer
 * waits for long. The write transaction is the only lock between settlers, and
 * nothing is read from a slot outside of it. In: slot files. Out: parts,
 * settled epochs, freed slots, a report. */
#include "meter/settlement.h"

#include "base/check.h"
#include "meter/plan_signal.h"
#include "meter/settle_run.h"

void met__settle_held_up(met__settle_run *run, uint32_t slot,
                         uint64_t process_id, const char *reason)
{
    met__settle_report *report = run->report;

    if (report->held_up_count < MET__HOLD_UPS_MAX) {
        report->held_up[report->held_up_count++] =
            (met__hold_up){process_id, reason, slot, 0};
    }
}

/* --- One transaction ------------------------------------------------------ */
static void note_owner(met__settle_run *run, const met__slot *slot)
{
    const met__slot_owner *owner = met__slot_owner_of(slot);
    const char *silence = met__owner_silence(
        (int64_t)met__load_relaxed(&owner->beat_ns),
        met__now_utc_ns(run->platform));

    run->report->slots_live++;
    if (silence != NULL) {
        met__settle_held_up(run, slot->number,
                            met__load_relaxed(&owner->process_id), silence);
    }
}

/* One bad file must not hold up the others. */
static met_error damaged(met__settle_run *run, uint32_t number)
{
    run->report->slots_damaged++;
    met__settle_held_up(run, number, 0, MET__HELD_UP_BY_DAMAGE);
    return MET_OK;
}

/* Opens the next slot that has something; *opened_out = 0 when it has not. */
static met_error open_slot(met__settle_run *run, uint32_t number,
                           int *opened_out)
{
    met__settle_slot *slot = &run->slots[run->slot_count];
    int is_locked = 0;

    *slot = (met__settle_slot){0};
    *opened_out = 0;
    met_error error = met__slot_look(run->store, number, &slot->slot, NULL);
    if (error == MET_E_CORRUPT || error == MET_E_LAYOUT
        || error == MET_E_FOREIGN) {
        return damaged(run, number);
    }
    if (error != MET_OK) {
        return error;
    }
    run->report->slots++;
    if (met__slot_is_freed(&slot->slot, run->boot_hash)) {
        met__slot_close(&slot->slot);
        return MET_OK;
    }
    error = met__slot_try_lock(&slot->slot, &is_locked);
    if (error == MET_OK) { /* as a dead owner left it */
        error = met__slot_refresh(&slot->slot);
    }
    if (error != MET_OK) {
        met__slot_close(&slot->slot);
        return error == MET_E_CORRUPT ? damaged(run, number) : error;
    }
    met__slot_owner *owner = met__slot_owner_of(&slot->slot);
    slot->is_adopted = (uint32_t)is_locked;
    slot->is_other_boot =
        met__load_acquire(&owner->boot_hash) != run->boot_hash;
    /* First this, then the cells: an epoch that closes while we read is not
     * settled by this pass. */
    slot->closed_epoch = met__load_acquire(&owner->closed_epoch);
    slot->segments = met__load_acquire(&owner->segment_count);
    error = met__slot_reach(&slot->slot, slot->segments);
    if (error == MET_E_CORRUPT) { /* a count that the file does not have */
        slot->segments = (slot->slot.file.size - MET__SEGMENTS_OFFSET)
                         / MET__SEGMENT_SIZE;
        slot->unreadable++;
        run->report->cells_unreadable++;
        if (!slot->is_adopted) { /* else it is told at the end */
            met__settle_held_up(run, number, 0, MET__HELD_UP_BY_DAMAGE);
        }
        error = MET_OK;
    }
    if (error != MET_OK) {
        met__slot_close(&slot->slot);
        return error;
    }
    if (!slot->is_adopted) {
        note_owner(run, &slot->slot);
    }
    run->slot_count++;
    *opened_out = 1;
    return MET_OK;
}

/* Fills one transaction: goes on with the slot that is open, then opens the
 * next ones. */
static met_error fill(met__settle_run *run, const uint32_t *numbers,
                      size_t count, size_t *next)
{
    met_error error = MET_OK;

    if (run->slot_count > 0) {
        error = met__settle_read(run, 0);
    }
    while (error == MET_OK && *next < count
           && run->cell_count < MET__SETTLE_CELLS_MAX && run->cells_left > 0
           && run->slot_count < MET__SETTLE_SLOTS_MAX) {
        int opened = 0;
        error = open_slot(run, numbers[(*next)++], &opened);
        if (error == MET_OK && opened) {
            error = met__settle_read(run, (uint32_t)run->slot_count - 1);
        }
    }
    return error;
}

/* Slots that are through are published and closed; one may be half read. */
static void finish_slots(met__settle_run *run, int is_committed)
{
    size_t kept = 0;

    for (size_t i = 0; i < run->slot_count; i++) {
        met__settle_slot *slot = &run->slots[i];
        if (is_committed && slot->is_read) {
            met__settle_publish(run, slot);
        }
        if (is_committed && !slot->is_read) {
            run->slots[kept++] = *slot;
        } else {
            met__slot_close(&slot->slot);
        }
    }
    run->slot_count = kept;
}

static met_error work(met__settle_run *run, const uint32_t *numbers,
                      size_t count, size_t *next, int is_first)
{
    met_error error = is_first ? met__meters_publish(run->txn) : MET_OK;

    if (error == MET_OK) {
        error = fill(run, numbers, count, next);
    }
    if (error == MET_OK) {
        error = met__settle_write(run);
    }
    for (size_t i = 0; error == MET_OK && i < run->slot_count; i++) {
        if (run->slots[i].is_read) {
            error = met__settle_mark(run, &run->slots[i]);
        }
    }
    return error == MET_OK ? met__steps_end(&run->steps, run->txn) : error;
}

static met_error transact(met__settle_run *run, const uint32_t *numbers,
                          size_t count, size_t *next, int is_first)
{
    run->cell_count = 0;
    run->word_count = 0;
    run->plan = NULL;
    run->new_events = 0;
    run->new_parts = 0;
    memset(run->seen, 0, sizeof run->seen);
    met__arena_init(&run->local, run->platform);
    met_error error = met__txn_begin(run->store, 1, &run->txn);
    if (error == MET_OK) {
        met__telling_begin(&run->telling, &run->steps, run->txn, &run->local);
        error = met__steps_begin(&run->steps, run->txn);
        if (error == MET_OK) {
            error = work(run, numbers, count, next, is_first);
        }
        if (error == MET_OK) {
            error = met__txn_commit(run->txn);
        } else {
            met__txn_abort(run->txn);
        }
    }
    finish_slots(run, error == MET_OK);
    met__steps_over(&run->steps, error == MET_OK);
    if (error == MET_OK) {
        run->report->transactions++;
        run->report->events += run->new_events;
        run->report->parts += run->new_parts;
    }
    met__arena_release(&run->local);
    return error;
}

/* --- The pass ------------------------------------------------------------- */
static met_error pass(met__settle_run *run)
{
    uint32_t *numbers = NULL;
    size_t count = 0;
    size_t next = 0;
    int is_first = 1;
    met_error error = met__plan_announce(run->store);

    if (error == MET_OK) {
        error = met__boot_hash(run->platform, &run->boot_hash);
    }
    if (error == MET_OK) {
        error = met__slots_list(run->store, &run->arena, &numbers, &count);
    }
    while (error == MET_OK
           && (is_first || next < count || run->slot_count > 0)
           && run->cells_left > 0) {
        error = transact(run, numbers, count, &next, is_first);
        is_first = 0;
    }
    int is_done = next == count && run->slot_count == 0;
    finish_slots(run, 0);
    if (error == MET_OK
        && (!is_done || run->report->cells_unreadable > 0
            || run->report->slots_damaged > 0)) {
        error = met__tally_oldest(run->store,
                                  &run->report->oldest_unsettled_ns);
    }
    return error;
}

met_error met__settle(met_store *store, const met__settle_step *steps,
                      size_t step_count, uint64_t max_cells,
                      met__settle_report *report_out, met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    met__settle_report report = {0};

    met_error error = met__store_check_handle(store);
    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    int64_t begun_ns = met__now_monotonic_ns(platform);
    met__settle_run *run = met__allocate(platform, sizeof *run);
    if (run == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    run->store = store;
    run->platform = platform;
    run->steps = (met__steps){steps, step_count, 0};
    run->report = &report;
    run->is_bounded = max_cells != 0;
    run->cells_left = max_cells ? max_cells : UINT64_MAX;
    met__arena_init(&run->arena, platform);
    run->cells = met__allocate(platform,
                               MET__SETTLE_CELLS_MAX * sizeof *run->cells);
    error = run->cells != NULL ? pass(run) : MET_E_NO_MEMORY;
    report.duration_ns = met__now_monotonic_ns(platform) - begun_ns;
    met__release(platform, run->cells,
                 MET__SETTLE_CELLS_MAX * sizeof *run->cells);
    met__release(platform, run->words, run->word_room * sizeof *run->words);
    met__arena_release(&run->arena);
    met__release(platform, run, sizeof *run);
    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    if (report_out != NULL) {
        *report_out = report;
    }
    return MET_OK;
}
