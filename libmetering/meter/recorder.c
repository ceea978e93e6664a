/* Counting one event: the request path. In: an event in the caller's memory.
 * Out: one publication of one cell. It allocates nothing, makes no system call
 * (but for the clock, when the event brings no time or another minute) and
 * takes no lock; only the first event after a change of meters reads the
 * store. */
#include "meter/recorder.h"

#include "base/check.h"
#include "base/fork_guard.h"
#include "meter/quantity.h"
#include "meter/recorder_state.h"

/* --- Publishing ----------------------------------------------------------- */
/* No two events of a recorder have the same: it is the order they came in,
 * which decides between values of the same instant. */
static int64_t recording_time(met_recorder *recorder)
{
    int64_t now_ns = met__now_utc_ns(recorder->platform);

    if (now_ns <= recorder->recorded_ns) {
        now_ns = recorder->recorded_ns + 1;
    }
    recorder->recorded_ns = now_ns;
    return now_ns;
}

/* What it writes to is not the file's any more. */
static __attribute__((noinline)) met_error cut_short(met_recorder *recorder,
                                                     met_error_info *info)
{
    recorder->is_cut = 1;
    return met__fail(info, MET_E_IO, "",
                     "its slot file was cut short, and no tick could make "
                     "another yet");
}

/* The quantities as the copy in force has them, and this event's. */
static met_error fill_quantities(met_recorder *recorder,
                                 const met__shape_record *record,
                                 const met__recorder_type *type,
                                 const met__reading *reading,
                                 uint64_t *words, met_error_info *info)
{
    uint32_t size = type->quantity_count * MET__QUANTITY_WORDS;
    int64_t now_ns = reading->utc_ns;

    if (record->count == 0) {
        memset(words, 0, size * sizeof *words);
    } else {
        const met__atomic_u64 *from =
            met__slot_copy(&recorder->slot,
                           record->cell / MET__SEGMENT_ITEMS_MAX,
                           type->cell_class,
                           record->cell % MET__SEGMENT_ITEMS_MAX,
                           record->sequence & 1)
            + MET__COPY_QUANTITIES;
        if (met__load_relaxed(from - MET__COPY_QUANTITIES
                              + MET__COPY_SEQUENCE) != record->sequence) {
            return cut_short(recorder, info); /* zeros: cut and made longer */
        }
        for (uint32_t i = 0; i < size; i++) {
            words[i] = met__load_relaxed(from + i);
        }
    }
    if (type->times) {
        now_ns = recording_time(recorder);
    }
    for (uint32_t i = 0; i < type->quantity_count; i++) {
        if ((reading->quantity_mask >> i & 1) != 0
            && !met__quantity_add(words + i * MET__QUANTITY_WORDS,
                                  reading->values[i], reading->utc_ns,
                                  now_ns)) {
            return met__fail(info, MET_E_OVERFLOW, "quantities",
                             "the sum of \"%.*s\" has too many digits",
                             (int)type->quantity_texts[i].size,
                             type->quantity_texts[i].data);
        }
    }
    return MET_OK;
}

/* The other copy, then the sequence: the event counts from that store on. */
static inline met_error publish(met_recorder *recorder,
                                met__shape_record *record,
                                const met__recorder_type *type,
                                const met__reading *reading,
                                met_error_info *info)
{
    uint64_t words[MET__COPY_WORDS_MAX];
    uint32_t segment = record->cell / MET__SEGMENT_ITEMS_MAX;
    uint32_t index = record->cell % MET__SEGMENT_ITEMS_MAX;
    uint64_t sequence = record->sequence + 1;
    uint32_t quantities = type->quantity_count;
    uint32_t last = MET__COPY_QUANTITIES + quantities * MET__QUANTITY_WORDS;

    words[MET__COPY_SEQUENCE] = sequence;
    words[MET__COPY_GENERATION] = recorder->generation;
    words[MET__COPY_EPOCH] = (uint64_t)record->cell_epoch << 32
                             | record->cell_minute;
    words[MET__COPY_CELL] = (uint64_t)record->cell << 32
                            | MET__ENTRY_OF(record);
    words[MET__COPY_SHAPE_HASH] = record->entry_hash;
    words[MET__COPY_COUNT] = record->count + 1;
    words[MET__COPY_PLAN] = recorder->plan_number << 32 | quantities;
    if (quantities > 0) {
        met_error error = fill_quantities(recorder, record, type, reading,
                                          words + MET__COPY_QUANTITIES, info);
        if (error != MET_OK) {
            return error;
        }
    }
    words[last] = met__copy_checksum(words, quantities);
    met__atomic_u64 *to = met__slot_copy(&recorder->slot, segment,
                                         type->cell_class, index,
                                         sequence & 1);
    for (uint32_t i = 0; i <= last; i++) {
        met__store_relaxed(to + i, words[i]);
    }
    met__store_release(met__slot_sequence(&recorder->slot, segment, index),
                       sequence);
    met__fence_release();
    if (met__mapped_file_is_lost(&recorder->slot.file)) {
        return cut_short(recorder, info);
    }
    record->sequence = sequence;
    record->count++;
    recorder->events++;
    return MET_OK;
}

/* --- Shapes --------------------------------------------------------------- */
/* A shape nobody has counted yet. When all values cannot be kept, those that
 * nothing is sold by become one. */
static met_error new_shape(met_recorder *recorder, const met_event *event,
                           met__reading *reading, uint32_t *shape_out,
                           met_error_info *info)
{
    met_error error = met__recorder_add_shape(recorder, reading, 0, shape_out,
                                              info);

    if (error != MET_E_TALLY_FULL) {
        return error;
    }
    if (reading->type->has_free) {
        error = met__recorder_read_overflow(recorder, event, reading, info);
        if (error != MET_OK) {
            return error;
        }
        *shape_out = met__recorder_find(recorder, reading->hash);
        recorder->overflowed++;
        if (*shape_out != MET__NO_SHAPE) {
            return MET_OK;
        }
    }
    return met__recorder_add_shape(recorder, reading, 1, shape_out, info);
}

/* The clock is looked at when an event is of another minute than the last
 * look; epochs end with the clock's minutes. */
static void enter_minute(met_recorder *recorder)
{
    uint32_t minute = (uint32_t)(met__now_utc_ns(recorder->platform)
                                 / MET__MINUTE_NS);

    if (minute > recorder->minute) {
        met__recorder_close_epoch(recorder);
        recorder->minute = minute;
    }
}

static met_error full(met_recorder *recorder, met_error_info *info)
{
    recorder->full++;
    if (recorder->shape_count >= recorder->shape_limit) {
        return met__fail(info, MET_E_TALLY_FULL, "",
                         "%u shapes wait to be settled: settle more often, or "
                         "open the recorder with a greater shapes_max",
                         recorder->shape_count);
    }
    return met__fail(info, MET_E_TALLY_FULL, "",
                     "unsettled usage fills the recorder's slot: nobody "
                     "settles, or ticks are missing");
}

met_error met__recorder_count(met_recorder *recorder, const met_event *event,
                              met__reading *reading, uint32_t shape,
                              met_error_info *info)
{
    uint32_t minute = (uint32_t)(reading->utc_ns / MET__MINUTE_NS);
    met_error error = MET_OK;

    if (minute != recorder->minute) {
        enter_minute(recorder);
    }
    if (shape == MET__NO_SHAPE) {
        shape = met__recorder_find(recorder, reading->hash);
    }
    if (shape == MET__NO_SHAPE) {
        error = new_shape(recorder, event, reading, &shape, info);
    }
    if (error == MET_OK) {
        met__shape_record *record = &recorder->shapes[shape];
        if (record->cell_epoch != recorder->epoch
            || record->cell_minute != minute) {
            error = met__recorder_turn(recorder, shape, minute);
        }
        if (error == MET_OK) {
            return publish(recorder, record, reading->type, reading, info);
        }
    }
    return error == MET_E_TALLY_FULL ? full(recorder, info) : error;
}

/* --- Calls ---------------------------------------------------------------- */
static inline met_error follow_plan(met_recorder *recorder,
                                    met_error_info *info)
{
    if (met__load_relaxed(recorder->plan_word) != recorder->plan_seen) {
        if (recorder->is_lost) {
            return cut_short(recorder, info);
        }
        (void)met__recorder_take_plan(recorder); /* the next tick tries on */
    }
    return MET_OK;
}

uint64_t met__recorder_plan(met_recorder *recorder)
{
    (void)follow_plan(recorder, NULL);
    return recorder->plan_number;
}

uint32_t met__recorder_quantities(met_recorder *recorder, met__text type,
                                  const met__text **names_out)
{
    const met__recorder_type *found = met__recorder_find_type(recorder, type);

    *names_out = found != NULL ? found->quantity_texts : NULL;
    return found != NULL ? found->quantity_count : 0;
}

int met__recorder_keeps(met_recorder *recorder, met__text type,
                        met__text name)
{
    const met__recorder_type *found = met__recorder_find_type(recorder, type);

    for (uint32_t i = 0; found != NULL && i < found->attribute_count; i++) {
        if (met__text_equal(found->attributes[i].text, name)) {
            return 1;
        }
    }
    return 0;
}

met_error met__recorder_enter(met_recorder *recorder, met_error_info *info)
{
    if (recorder->fork_generation != met__fork_generation()) {
        return met__fail_code(info, MET_E_FORKED);
    }
#ifndef NDEBUG
    MET__ASSERT(met__exchange(&recorder->busy, 1) == 0);
#endif
    met_error error = follow_plan(recorder, info);
    if (error != MET_OK) {
        met__recorder_leave(recorder);
    }
    return error;
}

void met__recorder_leave(met_recorder *recorder)
{
#ifndef NDEBUG
    met__store_release(&recorder->busy, 0);
#else
    (void)recorder;
#endif
}

met_error met__recorder_add(met_recorder *recorder, const met_event *event,
                            uint32_t flags, met_error_info *info)
{
    met__reading reading;

    MET__ASSERT(recorder != NULL && event != NULL);
    met_error error = met__recorder_enter(recorder, info);
    if (error != MET_OK) {
        return error;
    }
    reading.key = recorder->key;
    reading.flags = flags;
    error = met__recorder_read(recorder, event, &reading, info);
    if (error == MET_OK) {
        error = met__recorder_count(recorder, event, &reading, MET__NO_SHAPE,
                                    info);
    }
    met__recorder_leave(recorder);
    return error;
}
