/* A recorder's life: claiming a slot, taking plans, the tick, closing.
 * In: an open store. Out: a recorder that has everything it will need until
 * the next tick. */
#include "meter/recorder.h"

#include "base/check.h"
#include "base/fork_guard.h"
#include "meter/recorder_state.h"
#include "meter/usage_part.h"

#define EPOCH_LAST UINT32_C(0xf0000000) /* 128 years of one a second */

/* --- The plan ------------------------------------------------------------- */
static uint32_t cell_class_of(size_t quantities)
{
    uint32_t cell_class = 0;

    while (met__cell_class_room(cell_class) < quantities) {
        cell_class++;
    }
    return cell_class;
}

static const met__name *copy_names(met__arena *arena, const met__text *texts,
                                   size_t count)
{
    met__name *names = met__arena_allocate(arena, count * sizeof *names);

    for (size_t i = 0; names != NULL && i < count; i++) {
        names[i] = met__name_of(texts[i]);
    }
    return names;
}

static met_error copy_types(met__arena *arena, const met__recording_plan *plan,
                            met__recorder_type **types_out)
{
    met__recorder_type *types = met__arena_allocate(
        arena, plan->type_count * sizeof *types);

    if (types == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (plan->type_count > UINT16_MAX) {
        return MET_E_LIMIT;
    }
    for (size_t i = 0; i < plan->type_count; i++) {
        const met__recording_type *from = &plan->types[i];
        types[i] = (met__recorder_type){
            .type = met__name_of(from->type),
            .attributes = copy_names(arena, from->attributes,
                                     from->attribute_count),
            .is_free = from->is_free,
            .quantities = copy_names(arena, from->quantities,
                                     from->quantity_count),
            .quantity_texts = from->quantities,
            .hints = met__arena_allocate(arena, from->attribute_count),
            .quantity_hints = met__arena_allocate(arena,
                                                  from->quantity_count),
            .attribute_count = (uint32_t)from->attribute_count,
            .quantity_count = (uint32_t)from->quantity_count,
            .cell_class = cell_class_of(from->quantity_count),
            .counts = from->counts,
            .times = from->times,
        };
        if (types[i].attributes == NULL || types[i].quantities == NULL
            || types[i].hints == NULL || types[i].quantity_hints == NULL) {
            return MET_E_NO_MEMORY;
        }
        for (size_t k = 0; k < from->attribute_count; k++) {
            types[i].has_free |= from->is_free[k];
        }
    }
    *types_out = types;
    return MET_OK;
}

/* The plan in force, into an arena of its own. */
static met_error read_plan(const met_recorder *recorder, met__arena *arena,
                           met__recording_plan **plan_out)
{
    met__txn *txn = NULL;
    uint64_t number = 0;
    met_error error = met__txn_begin(recorder->store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__recording_plan_number(txn, &number);
    if (error == MET_OK) {
        error = met__recording_plan_get(txn, number, arena, plan_out);
    }
    met__txn_abort(txn);
    return error;
}

met_error met__recorder_take_plan(met_recorder *recorder)
{
    met__arena arena;
    met__recording_plan *plan = NULL;
    met__recorder_type *types = NULL;
    uint64_t seen = met__load_relaxed(recorder->plan_word);

    recorder->plan_seen = seen;
    met__arena_init(&arena, recorder->platform);
    met_error error = read_plan(recorder, &arena, &plan);
    if (error == MET_OK) {
        error = copy_types(&arena, plan, &types);
    }
    if (error != MET_OK) {
        met__arena_release(&arena);
        return error;
    }
    met__recorder_close_epoch(recorder);
    met__arena_release(&recorder->plan_arena);
    recorder->plan_arena = arena;
    recorder->types = types;
    recorder->type_count = plan->type_count;
    recorder->last_type = 0;
    recorder->plan_number = plan->number;
    met__store_release(&met__slot_owner_of(&recorder->slot)->plan,
                       plan->number);
    return met__recorder_provide(recorder);
}

/* --- Claiming ------------------------------------------------------------- */
/* The greatest epoch anywhere in the file: in either copy of any cell, and in
 * both words. Epochs of a slot file never start again. */
static uint64_t greatest_epoch(const met__slot *slot)
{
    uint64_t copy[MET__COPY_WORDS_MAX];
    uint64_t greatest = met__load_acquire(
        &met__slot_owner_of(slot)->closed_epoch);
    uint64_t settled = met__load_acquire(
        &met__slot_settlers_of(slot)->settled_epoch);
    uint64_t segments = met__load_acquire(
        &met__slot_owner_of(slot)->segment_count);

    greatest = settled > greatest ? settled : greatest;
    for (uint32_t i = 0; i < segments && i < MET__SLOT_SEGMENTS_MAX; i++) {
        uint32_t kind = met__slot_segment_kind(slot, i);
        uint32_t cell_class = kind & 0xff;
        if (kind >> 8 != MET__SEGMENT_CELLS) {
            continue;
        }
        for (uint32_t k = 0; k < 2 * met__cell_class_count(cell_class); k++) {
            if (met__slot_read_copy(slot, i, cell_class, k / 2, k % 2, copy)
                && copy[MET__COPY_EPOCH] >> 32 > greatest) {
                greatest = copy[MET__COPY_EPOCH] >> 32;
            }
        }
    }
    return greatest;
}

/* After a power cut pages may be torn. All that could be saved was, or this
 * slot would not be free: the rest is wiped, so that no later settlement takes
 * it for usage that it cannot read. */
static void wipe_torn(met__slot *slot)
{
    uint64_t copy[MET__COPY_WORDS_MAX];
    uint64_t segments = met__load_acquire(
        &met__slot_owner_of(slot)->segment_count);

    for (uint32_t i = 0; i < segments; i++) {
        uint32_t kind = met__slot_segment_kind(slot, i);
        uint32_t cell_class = kind & 0xff;
        if (kind == 0) { /* nobody knows what it was: room for keys */
            met__store_relaxed(met__slot_directory(slot) + i,
                               MET__SEGMENT_SHAPES << 8);
        }
        if (kind >> 8 != MET__SEGMENT_CELLS) {
            continue;
        }
        for (uint32_t k = 0; k < met__cell_class_count(cell_class); k++) {
            if (met__slot_read_cell(slot, i, cell_class, k, copy)
                != MET__CELL_UNREADABLE) {
                continue;
            }
            met__atomic_u64 *words = met__slot_copy(slot, i, cell_class, k,
                                                    0);
            for (uint32_t w = 0; w < 2 * met__cell_class_words(cell_class);
                 w++) {
                met__store_relaxed(words + w, 0);
            }
        }
    }
}

/* Whether a slot we hold may be claimed: nobody ever did, in this boot, or all
 * of it is settled and retired. */
static int is_claimable(const met__slot *slot, uint64_t boot)
{
    const met__slot_owner *owner = met__slot_owner_of(slot);

    if (met__load_acquire(&owner->generation) == 0
        && met__mapped_file_header(&slot->file)->boot_hash == boot) {
        return 1;
    }
    return met__slot_is_freed(slot, boot)
           || (met__load_acquire(&owner->plan) == MET__PLAN_UNKNOWN
               && met__load_acquire(
                      &met__slot_settlers_of(slot)->freed_generation)
                      == met__load_acquire(&owner->generation)
               && met__load_acquire(&met__slot_settlers_of(slot)->freed_boot)
                      == boot);
}

static met_error try_claim(met_recorder *recorder, uint32_t number,
                           uint64_t boot, int *is_claimed_out,
                           met_error_info *info)
{
    met__slot slot = {0};
    int is_locked = 0;
    uint64_t epoch = 0;
    met_error error = met__slot_open(recorder->store, number, 1, &slot, info);

    *is_claimed_out = 0;
    if (error == MET_E_CORRUPT || error == MET_E_LAYOUT
        || error == MET_E_FOREIGN) {
        return MET_OK; /* settlement tells of it; there are other slots */
    }
    if (error == MET_OK) {
        error = met__slot_try_lock(&slot, &is_locked);
    }
    if (error == MET_OK && is_locked && is_claimable(&slot, boot)) {
        error = met__slot_reach(
            &slot,
            met__load_acquire(&met__slot_owner_of(&slot)->segment_count));
        epoch = error == MET_OK ? greatest_epoch(&slot) : EPOCH_LAST;
        error = error == MET_E_CORRUPT ? MET_OK : error;
        *is_claimed_out = error == MET_OK && epoch < EPOCH_LAST;
    }
    if (!*is_claimed_out) {
        met__slot_close(&slot);
        return error;
    }
    wipe_torn(&slot);
    recorder->slot = slot;
    recorder->epoch = (uint32_t)epoch + 1;
    return MET_OK;
}

static met_error claim(met_recorder *recorder, met_error_info *info)
{
    const met__platform *platform = recorder->platform;
    uint64_t boot;
    int is_claimed = 0;
    met_error error = met__boot_hash(platform, &boot);

    for (uint32_t i = 0; error == MET_OK && !is_claimed; i++) {
        if (i == MET__SLOTS_MAX) {
            return met__fail(info, MET_E_LIMIT, "recorders",
                             "%d slot files are in use or wait to be settled",
                             MET__SLOTS_MAX);
        }
        error = try_claim(recorder, i, boot, &is_claimed, info);
    }
    while (error == MET_OK
           && recorder->generation < MET__GENERATION_FIRST) {
        int result = platform->os->random(platform->os->context,
                                          &recorder->generation,
                                          sizeof recorder->generation);
        error = result < 0 ? met__os_error(result) : MET_OK;
    }
    if (error != MET_OK) {
        return error;
    }
    met__slot_owner *owner = met__slot_owner_of(&recorder->slot);
    met__store_release(&owner->plan, MET__PLAN_UNKNOWN);
    met__store_relaxed(&owner->boot_hash, boot);
    met__store_relaxed(&owner->process_id,
                       (uint64_t)platform->os->process_id(
                           platform->os->context));
    met__store_relaxed(&owner->opened_ns,
                       (uint64_t)met__now_utc_ns(platform));
    met__store_relaxed(&owner->beat_ns, (uint64_t)met__now_utc_ns(platform));
    met__store_relaxed(&owner->events, 0);
    met__store_relaxed(&owner->overflowed, 0);
    met__store_relaxed(&owner->full, 0);
    met__store_relaxed(&owner->files_lost, recorder->files_lost);
    met__store_relaxed(&owner->events_lost, recorder->events_lost);
    met__store_release(&owner->generation, recorder->generation);
    return met__recorder_list_segments(recorder);
}

/* --- Opening and closing -------------------------------------------------- */
static met_error allocate(met_recorder *recorder, uint32_t shapes_max)
{
    const met__platform *platform = recorder->platform;

    recorder->shape_limit = shapes_max;
    recorder->shape_room = shapes_max + shapes_max / 8 + 1;
    recorder->shape_places = recorder->shape_room + recorder->shape_room / 2;
    met_error error = met__table_allocate(
        platform, recorder->shape_places * sizeof *recorder->shapes,
        &recorder->shape_memory);
    recorder->shapes = recorder->shape_memory.memory;
    recorder->minutes = met__allocate(
        platform, MET__MINUTE_PLACES * sizeof *recorder->minutes);
    return error == MET_OK && recorder->minutes == NULL ? MET_E_NO_MEMORY
                                                        : error;
}

static void release(met_recorder *recorder)
{
    const met__platform *platform = recorder->platform;

    met__recorder_release_cells(recorder);
    met__arena_release(&recorder->plan_arena);
    met__table_release(platform, &recorder->shape_memory);
    met__release(platform, recorder->minutes,
                 MET__MINUTE_PLACES * sizeof *recorder->minutes);
    met__release(platform, recorder, sizeof *recorder);
}

static met_error open_parts(met_recorder *recorder, uint32_t shapes_max,
                            met_error_info *info)
{
    met_error error = met__fork_guard_start(&recorder->fork_generation);

    if (error == MET_OK) {
        error = allocate(recorder, shapes_max);
    }
    if (error == MET_OK) {
        error = met__plan_signal_open(recorder->store, &recorder->signal,
                                      info);
    }
    if (error == MET_OK) {
        recorder->plan_word = met__plan_signal_word(&recorder->signal);
        error = met__plan_signal_raise(recorder->store, &recorder->signal);
    }
    if (error == MET_OK) {
        error = claim(recorder, info);
    }
    if (error == MET_OK) {
        recorder->minute = (uint32_t)(met__now_utc_ns(recorder->platform)
                                      / MET__MINUTE_NS);
        error = met__recorder_take_plan(recorder);
    }
    return error;
}

met_error met__recorder_open(met_store *store, uint32_t shapes_max,
                             met_recorder **recorder_out, met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    met_error_info why = {.struct_size = sizeof why};

    MET__ASSERT(recorder_out != NULL);
    MET__ASSERT(shapes_max <= MET__RECORDER_SHAPES_MAX);
    met_error error = met__store_check_handle(store);
    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    met_recorder *recorder = met__allocate(platform, sizeof *recorder);
    if (recorder == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    recorder->store = store;
    recorder->platform = platform;
    recorder->secret = met__store_secret(store);
    met__arena_init(&recorder->plan_arena, platform);
    error = open_parts(recorder,
                       shapes_max ? shapes_max : MET__RECORDER_SHAPES, &why);
    if (error != MET_OK) {
        met__recorder_close(recorder);
        return why.code == error
                   ? met__fail(info, error, why.field, "%s", why.reason)
                   : met__fail_code(info, error);
    }
    *recorder_out = recorder;
    return MET_OK;
}

static void close_slot(met_recorder *recorder)
{
    if (recorder->slot.platform == NULL) {
        return;
    }
    met__slot_owner *owner = met__slot_owner_of(&recorder->slot);
    met__slot_settlers *settlers = met__slot_settlers_of(&recorder->slot);
    met__recorder_close_epoch(recorder);
    met__store_relaxed(&owner->events, recorder->events);
    if (met__load_relaxed(&owner->plan) == MET__PLAN_UNKNOWN) {
        met__store_release(&owner->plan, 0);
    }
    if (!recorder->cells_ever) { /* nothing to settle: free at once */
        met__store_relaxed(&settlers->freed_boot,
                           met__load_relaxed(&owner->boot_hash));
        met__store_release(&settlers->freed_generation,
                           met__load_relaxed(&owner->generation));
    }
    met__slot_close(&recorder->slot);
}

void met__recorder_close(met_recorder *recorder)
{
    if (recorder == NULL) {
        return;
    }
    if (recorder->fork_generation == met__fork_generation()) {
        close_slot(recorder);
        met__plan_signal_close(&recorder->signal);
    } else {
        /* The child has no descriptor of the slot; its number may be
         * somebody else's by now. */
        met__mapped_file_forget(recorder->platform, &recorder->slot.file);
        met__plan_signal_close(&recorder->signal);
    }
    release(recorder);
}

/* --- A file that was cut short -------------------------------------------- */
/* Nothing that is mapped is touched from here on. What was counted and not
 * settled is lost with the file; the others are not held up by it. */
static void leave_files(met_recorder *recorder)
{
    const met__platform *platform = recorder->platform;

    memset(recorder->ended, 0, sizeof recorder->ended);
    met__slot_close(&recorder->slot);
    met__plan_signal_close(&recorder->signal);
    met__recorder_release_cells(recorder);
    memset(recorder->cells, 0, sizeof recorder->cells);
    memset(recorder->entries, 0, sizeof recorder->entries);
    memset(recorder->shapes, 0,
           recorder->shape_places * sizeof *recorder->shapes);
    memset(recorder->minutes, 0,
           MET__MINUTE_PLACES * sizeof *recorder->minutes);
    recorder->shape_count = 0;
    recorder->hand = 0;
    recorder->minute_count = 0;
    recorder->epoch_cells = 0;
    recorder->cells_ever = 0;
    recorder->generation = 0;
    recorder->is_lost = 1;
    recorder->is_cut = 0;
    recorder->plan_word = &recorder->no_word;
    recorder->plan_seen = UINT64_MAX;
    recorder->minute = (uint32_t)(met__now_utc_ns(platform)
                                  / MET__MINUTE_NS);
}

static met_error take_files(met_recorder *recorder)
{
    met_error error = met__plan_signal_open(recorder->store,
                                            &recorder->signal, NULL);

    if (error == MET_OK) {
        error = claim(recorder, NULL);
    }
    if (error == MET_OK) {
        recorder->plan_word = met__plan_signal_word(&recorder->signal);
        error = met__recorder_take_plan(recorder);
    }
    if (error == MET_OK) {
        recorder->is_lost = 0;
    } else {
        leave_files(recorder);
    }
    return error;
}

/* --- The tick ------------------------------------------------------------- */
static void report(met_recorder *recorder)
{
    met__slot_owner *owner = met__slot_owner_of(&recorder->slot);
    uint64_t used = 0;
    uint64_t room = 0;

    for (int i = 0; i < MET__CELL_CLASSES; i++) {
        used += recorder->cells[i].total - recorder->cells[i].idle_count;
        room += recorder->cells[i].total;
    }
    met__store_relaxed(&owner->beat_ns,
                       (uint64_t)met__now_utc_ns(recorder->platform));
    met__store_relaxed(&owner->events, recorder->events);
    met__store_relaxed(&owner->overflowed, recorder->overflowed);
    met__store_relaxed(&owner->full, recorder->full);
    met__store_relaxed(&owner->cells, used);
    met__store_relaxed(&owner->cells_room, room);
}

/* MET_E_CORRUPT: a file was cut short, also when it was made longer since. */
static met_error check_files(met_recorder *recorder)
{
    met_error error = met__mapped_file_check(recorder->platform,
                                             &recorder->slot.file);

    if (error == MET_OK) {
        error = met__mapped_file_check(recorder->platform,
                                       &recorder->signal.file);
    }
    if (error == MET_OK
        && (recorder->is_cut
            || met__load_relaxed(
                   &met__slot_owner_of(&recorder->slot)->generation)
                   != recorder->generation)) {
        error = MET_E_CORRUPT;
    }
    return error;
}

/* What no cut can take away any more. */
static void note_settled(met_recorder *recorder)
{
    uint64_t settled = met__recorder_settled(recorder);

    for (uint32_t i = 0; i < MET__EPOCHS_KEPT; i++) {
        const met__ended_epoch *ended = &recorder->ended[i];
        if (ended->epoch != 0 && ended->epoch <= settled
            && ended->events > recorder->events_settled) {
            recorder->events_settled = ended->events;
        }
    }
}

static met_error tick(met_recorder *recorder)
{
    uint32_t minute = (uint32_t)(met__now_utc_ns(recorder->platform)
                                 / MET__MINUTE_NS);

    if (recorder->is_lost) {
        return take_files(recorder);
    }
    met_error error = check_files(recorder);
    if (error == MET_E_CORRUPT) {
        recorder->files_lost++;
        recorder->events_lost += recorder->events - recorder->events_settled;
        recorder->events_settled = recorder->events;
        leave_files(recorder);
        error = take_files(recorder);
        return error == MET_OK ? MET_E_CORRUPT : error;
    }
    if (error == MET_OK) {
        error = met__plan_signal_raise(recorder->store, &recorder->signal);
    }
    uint64_t word = met__load_relaxed(recorder->plan_word);

    note_settled(recorder);
    if (minute > recorder->minute
        || recorder->events == recorder->events_ticked) {
        met__recorder_close_epoch(recorder);
    }
    recorder->minute = minute > recorder->minute ? minute : recorder->minute;
    recorder->events_ticked = recorder->events;
    if (recorder->plan_number < word) {
        met_error taken = met__recorder_take_plan(recorder);
        error = error == MET_OK ? taken : error;
    }
    if (recorder->shape_count > recorder->shape_limit / 4 * 3) {
        met__recorder_sweep(recorder, recorder->shape_places);
    }
    met_error provided = met__recorder_provide(recorder);
    report(recorder);
    return error == MET_OK ? provided : error;
}

met_error met__recorder_tick(met_recorder *recorder)
{
    MET__ASSERT(recorder != NULL);
    if (recorder->fork_generation != met__fork_generation()) {
        return MET_E_FORKED;
    }
#ifndef NDEBUG
    MET__ASSERT(met__exchange(&recorder->busy, 1) == 0);
#endif
    met_error error = tick(recorder);
#ifndef NDEBUG
    met__store_release(&recorder->busy, 0);
#endif
    return error;
}
