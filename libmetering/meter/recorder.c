/* Counting one event: the request path. In: an event in the caller's memory.
 * Out: one publication of one cell. It allocates nothing, makes no system call
 * (but for the clock, when the event brings no time or another minute) and
 * takes no lock; only the first event after a change of meters reads the
 * store. */
#include "meter/recorder.h"

#include <stdio.h>

#include "base/check.h"
#include "base/fork_guard.h"
#include "meter/amount.h"
#include "meter/recorder_state.h"

#define OVERFLOW_VALUE "__overflow__"
#define PREFIX_SIZE 8u

/* What an event brings for the quantities of its type. */
typedef struct brought {
    uint32_t mask; /* which */
    uint32_t reserved;
    met__wide values[MET__QUANTITIES_MAX];
} brought;

/* --- Small copies and comparisons, without a call -------------------------- */
static inline void copy_bytes(unsigned char *to, const char *from, size_t size)
{
    if (size > 16) {
        memcpy(to, from, size);
    } else if (size >= 8) {
        uint64_t a;
        uint64_t b;
        memcpy(&a, from, 8);
        memcpy(&b, from + size - 8, 8);
        memcpy(to, &a, 8);
        memcpy(to + size - 8, &b, 8);
    } else if (size >= 4) {
        uint32_t a;
        uint32_t b;
        memcpy(&a, from, 4);
        memcpy(&b, from + size - 4, 4);
        memcpy(to, &a, 4);
        memcpy(to + size - 4, &b, 4);
    } else if (size > 0) {
        to[0] = (unsigned char)from[0];
        to[size / 2] = (unsigned char)from[size / 2];
        to[size - 1] = (unsigned char)from[size - 1];
    }
}

static inline int equal_bytes(const char *a, const char *b, size_t size)
{
    if (size > 16) {
        return memcmp(a, b, size) == 0;
    }
    if (size >= 8) {
        uint64_t x[2];
        uint64_t y[2];
        memcpy(&x[0], a, 8);
        memcpy(&y[0], b, 8);
        memcpy(&x[1], a + size - 8, 8);
        memcpy(&y[1], b + size - 8, 8);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    if (size >= 4) {
        uint32_t x[2];
        uint32_t y[2];
        memcpy(&x[0], a, 4);
        memcpy(&y[0], b, 4);
        memcpy(&x[1], a + size - 4, 4);
        memcpy(&y[1], b + size - 4, 4);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    return size == 0
           || (a[0] == b[0] && a[size / 2] == b[size / 2]
               && a[size - 1] == b[size - 1]);
}

static inline int is_name(met__text name, const char *key, size_t size)
{
    return name.size == size && equal_bytes(name.data, key, size);
}

/* --- Reading the event ----------------------------------------------------- */
static met_error fail_bound(met_error_info *info, const char *field,
                            size_t bound)
{
    return met__fail(info, MET_E_LIMIT, field, "is longer than %zu bytes",
                     bound);
}

static met_error check_event(const met_event *event, met_error_info *info)
{
    if (event->type == NULL || event->type_size == 0) {
        return met__fail(info, MET_E_INVALID, "type", "is missing");
    }
    if (event->subject == NULL || event->subject_size == 0) {
        return met__fail(info, MET_E_INVALID, "subject", "is missing");
    }
    if (event->subject_size > MET__SUBJECT_SIZE_MAX) {
        return fail_bound(info, "subject", MET__SUBJECT_SIZE_MAX);
    }
    if (event->attribute_count + event->quantity_count
            > MET__EVENT_FIELDS_MAX
        || event->attribute_count > MET__EVENT_FIELDS_MAX) {
        return met__fail(info, MET_E_LIMIT, "attributes",
                         "there are more than %d attributes and quantities",
                         MET__EVENT_FIELDS_MAX);
    }
    if ((event->attributes == NULL && event->attribute_count > 0)
        || (event->quantities == NULL && event->quantity_count > 0)) {
        return met__fail(info, MET_E_INVALID,
                         event->attributes == NULL
                                 && event->attribute_count > 0
                             ? "attributes"
                             : "quantities",
                         "is NULL");
    }
    return MET_OK;
}

static inline met__recorder_type *find_type(met_recorder *recorder,
                                            met__text wanted)
{
    size_t low = 0;
    size_t high = recorder->type_count;

    if (recorder->last_type < high
        && is_name(recorder->types[recorder->last_type].type, wanted.data,
                   wanted.size)) {
        return &recorder->types[recorder->last_type];
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = met__text_compare(recorder->types[middle].type, wanted);
        if (order == 0) {
            recorder->last_type = middle;
            return &recorder->types[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* Where a name stands; most callers give names in the same order every time,
 * so the search begins where it ended the last time. With a name given twice
 * the first counts: whatever stands before the hint is looked at, but for
 * those in `found`, which are other names. */
static inline const met_pair *find_pair(const met_event *event,
                                        met__text name, uint8_t *hint,
                                        uint64_t *found)
{
    const met_pair *pairs = event->attributes;
    size_t end = event->attribute_count;

    if (*hint < end
        && is_name(name, pairs[*hint].key, pairs[*hint].key_size)) {
        end = *hint;
    }
    for (size_t i = 0; i < end; i++) {
        if ((*found >> i & 1) == 0
            && is_name(name, pairs[i].key, pairs[i].key_size)) {
            end = i;
        }
    }
    if (end == event->attribute_count) {
        return NULL;
    }
    *hint = (uint8_t)end;
    *found |= UINT64_C(1) << end;
    return &pairs[end];
}

/* The event's shape as a key in recorder->key. */
static inline met_error build_key(met_recorder *recorder,
                                  const met__recorder_type *type,
                                  const met_event *event, uint32_t flags,
                                  int is_overflow, uint32_t *size_out,
                                  met_error_info *info)
{
    unsigned char *key = recorder->key;
    unsigned char *at = key + PREFIX_SIZE;
    uint64_t found = 0;
    uint64_t prefix = recorder->plan_number
                      | (uint64_t)(type - recorder->types) << 32
                      | (uint64_t)flags << 48;

    memcpy(key, &prefix, sizeof prefix);
    *at++ = (unsigned char)event->subject_size;
    copy_bytes(at, event->subject, event->subject_size);
    at += event->subject_size;
    for (uint32_t i = 0; i < type->attribute_count; i++) {
        const met_pair *pair = find_pair(event, type->attributes[i],
                                         &type->hints[i], &found);
        if (pair == NULL) {
            *at++ = 0;
            continue;
        }
        const char *value = pair->value;
        size_t size = pair->value_size;
        if (is_overflow && type->is_free[i]) {
            value = OVERFLOW_VALUE;
            size = sizeof OVERFLOW_VALUE - 1;
        }
        if (size > MET__VALUE_SIZE_MAX || (size > 0 && value == NULL)) {
            char field[MET_ERROR_FIELD_SIZE];
            snprintf(field, sizeof field, "attributes[%zu].value",
                     (size_t)(pair - event->attributes));
            return size > MET__VALUE_SIZE_MAX
                       ? fail_bound(info, field, MET__VALUE_SIZE_MAX)
                       : met__fail(info, MET_E_INVALID, field, "is NULL");
        }
        *at++ = (unsigned char)size;
        copy_bytes(at, value, size);
        at += size;
    }
    *size_out = (uint32_t)(at - key);
    return *size_out <= MET__SHAPE_KEY_SIZE_MAX
               ? MET_OK
               : fail_bound(info, "attributes", MET__SHAPE_KEY_SIZE_MAX);
}

static met_error read_quantity(const met_event *event, size_t index,
                               met__wide *value_out, met_error_info *info)
{
    uint64_t words[2];
    met_error error = met__decimal_to_wide(event->quantities[index].value,
                                           MET__AMOUNT_PLACES, words);
    met__wide value = error == MET_OK ? met__amount_get(words) : 0;

    if (error != MET_OK || !met__amount_is_quantity(value)) {
        char field[MET_ERROR_FIELD_SIZE];
        snprintf(field, sizeof field, "quantities[%zu].value", index);
        return met__fail(info, MET_E_INVALID, field,
                         "must be a number of at most 15 digits before the "
                         "point and 9 behind it");
    }
    *value_out = value;
    return MET_OK;
}

/* As find_pair; event->quantity_count when the event does not have it. */
static inline size_t find_quantity(const met_event *event, met__text name,
                                   uint8_t *hint)
{
    const met_quantity *all = event->quantities;
    size_t end = event->quantity_count;

    if (*hint < end && is_name(name, all[*hint].key, all[*hint].key_size)) {
        end = *hint;
    }
    for (size_t i = 0; i < end; i++) {
        if (is_name(name, all[i].key, all[i].key_size)) {
            end = i;
        }
    }
    if (end < event->quantity_count) {
        *hint = (uint8_t)end;
    }
    return end;
}

static met_error read_quantities(const met__recorder_type *type,
                                 const met_event *event, brought *out,
                                 met_error_info *info)
{
    for (uint32_t i = 0; i < type->quantity_count; i++) {
        size_t at = find_quantity(event, type->quantities[i],
                                  &type->quantity_hints[i]);
        if (at < event->quantity_count) {
            met_error error = read_quantity(event, at, &out->values[i], info);
            if (error != MET_OK) {
                return error;
            }
            out->mask |= 1u << i;
        }
    }
    if (out->mask == 0 && !type->counts) {
        return met__fail(info, MET_E_INVALID, "quantities",
                         "has none of the numbers that the meters of this "
                         "type add up");
    }
    return MET_OK;
}

/* --- Publishing ------------------------------------------------------------ */
/* One quantity of the copy, with one value more. 0: the sum would be too
 * great. */
static int add_quantity(uint64_t *words, met__wide value, int64_t event_ns,
                        int64_t now_ns)
{
    met__wide sum = met__amount_get(words + MET__QUANTITY_SUM);
    int is_first = words[MET__QUANTITY_COUNT] == 0;

    if (!met__amount_add(&sum, value)) {
        return 0;
    }
    met__amount_set(words + MET__QUANTITY_SUM, sum);
    if (is_first || value < met__amount_get(words + MET__QUANTITY_MIN)) {
        met__amount_set(words + MET__QUANTITY_MIN, value);
    }
    if (is_first || value > met__amount_get(words + MET__QUANTITY_MAX)) {
        met__amount_set(words + MET__QUANTITY_MAX, value);
    }
    if (is_first || event_ns >= (int64_t)words[MET__QUANTITY_EVENT_NS]) {
        met__amount_set(words + MET__QUANTITY_LATEST, value);
        words[MET__QUANTITY_EVENT_NS] = (uint64_t)event_ns;
        words[MET__QUANTITY_RECORDED_NS] = (uint64_t)now_ns;
    }
    words[MET__QUANTITY_COUNT]++;
    return 1;
}

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

/* The quantities as the copy in force has them, and this event's. */
static met_error fill_quantities(met_recorder *recorder,
                                 const met__shape_record *record,
                                 const met__recorder_type *type,
                                 const brought *values, int64_t event_ns,
                                 uint64_t *words, met_error_info *info)
{
    uint32_t size = type->quantity_count * MET__QUANTITY_WORDS;
    int64_t now_ns = event_ns;

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
        for (uint32_t i = 0; i < size; i++) {
            words[i] = met__load_relaxed(from + i);
        }
    }
    if (type->times) {
        now_ns = recording_time(recorder);
    }
    for (uint32_t i = 0; i < type->quantity_count; i++) {
        if ((values->mask >> i & 1) != 0
            && !add_quantity(words + i * MET__QUANTITY_WORDS,
                             values->values[i], event_ns, now_ns)) {
            return met__fail(info, MET_E_OVERFLOW, "quantities",
                             "the sum of \"%.*s\" has too many digits",
                             (int)type->quantities[i].size,
                             type->quantities[i].data);
        }
    }
    return MET_OK;
}

/* The other copy, then the sequence: the event counts from that store on. */
static inline met_error publish(met_recorder *recorder,
                                met__shape_record *record,
                                const met__recorder_type *type,
                                const brought *values, int64_t event_ns,
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
    words[MET__COPY_CELL] = (uint64_t)record->cell << 32 | record->entry;
    words[MET__COPY_SHAPE_HASH] = record->hash;
    words[MET__COPY_COUNT] = record->count + 1;
    words[MET__COPY_PLAN] = recorder->plan_number << 32 | quantities;
    if (quantities > 0) {
        met_error error = fill_quantities(recorder, record, type, values,
                                          event_ns,
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
    record->sequence = sequence;
    record->count++;
    recorder->events++;
    return MET_OK;
}

/* --- Shapes ---------------------------------------------------------------- */
/* A shape nobody has counted yet. When all values cannot be kept, those that
 * nothing is sold by become one. */
static met_error new_shape(met_recorder *recorder,
                           const met__recorder_type *type,
                           const met_event *event, uint32_t flags,
                           uint32_t size, uint64_t hash, uint32_t *shape_out,
                           met_error_info *info)
{
    uint32_t number = (uint32_t)(type - recorder->types);
    met_error error = met__recorder_add_shape(recorder, number, size, hash, 0,
                                              shape_out, info);

    if (error != MET_E_TALLY_FULL) {
        return error;
    }
    if (type->has_free) {
        error = build_key(recorder, type, event, flags, 1, &size, info);
        if (error != MET_OK) {
            return error;
        }
        hash = met__hash64(recorder->secret, recorder->key, size);
        *shape_out = met__recorder_find(recorder, recorder->key, size, hash);
        recorder->overflowed++;
        if (*shape_out != MET__NO_SHAPE) {
            return MET_OK;
        }
    }
    return met__recorder_add_shape(recorder, number, size, hash, 1, shape_out,
                                   info);
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
    return met__fail(info, MET_E_TALLY_FULL, "",
                     "unsettled usage fills the recorder's slot: nobody "
                     "settles, or ticks are missing");
}

static met_error add(met_recorder *recorder, const met_event *event,
                     uint32_t flags, met_error_info *info)
{
    int64_t utc_ns = event->utc_ns;
    uint32_t size;
    brought values;

    values.mask = 0;
    if (utc_ns == 0) {
        utc_ns = met__now_utc_ns(recorder->platform);
    }
    if (utc_ns < 0 || utc_ns > MET__TIME_MAX) {
        return met__fail(info, MET_E_INVALID, "utc_ns",
                         "must be in the years 1970 to 2200");
    }
    met_error error = check_event(event, info);
    if (error != MET_OK) {
        return error;
    }
    const met__recorder_type *type = find_type(
        recorder, met__text_of(event->type, event->type_size));
    if (type == NULL) {
        return met__fail(info, MET_E_NOT_FOUND, "type",
                         "no meter counts events of this type");
    }
    error = build_key(recorder, type, event, flags, 0, &size, info);
    if (error != MET_OK) {
        return error;
    }
    if (type->quantity_count > 0 || !type->counts) {
        error = read_quantities(type, event, &values, info);
        if (error != MET_OK) {
            return error;
        }
    }
    uint32_t minute = (uint32_t)(utc_ns / MET__MINUTE_NS);
    if (minute != recorder->minute) {
        enter_minute(recorder);
    }
    uint64_t hash = met__hash64(recorder->secret, recorder->key, size);
    uint32_t shape = met__recorder_find(recorder, recorder->key, size, hash);
    if (shape == MET__NO_SHAPE) {
        error = new_shape(recorder, type, event, flags, size, hash, &shape,
                          info);
    }
    if (error == MET_OK) {
        met__shape_record *record = &recorder->shapes[shape];
        if (record->cell_epoch != recorder->epoch
            || record->cell_minute != minute) {
            error = met__recorder_turn(recorder, shape, minute);
        }
        if (error == MET_OK) {
            return publish(recorder, record, type, &values, utc_ns, info);
        }
    }
    return error == MET_E_TALLY_FULL ? full(recorder, info) : error;
}

static inline void follow_plan(met_recorder *recorder)
{
    if (met__load_relaxed(recorder->plan_word) != recorder->plan_seen) {
        (void)met__recorder_take_plan(recorder); /* the next tick tries on */
    }
}

uint64_t met__recorder_plan(met_recorder *recorder)
{
    follow_plan(recorder);
    return recorder->plan_number;
}

uint32_t met__recorder_quantities(met_recorder *recorder, met__text type,
                                  const met__text **names_out)
{
    const met__recorder_type *found = find_type(recorder, type);

    *names_out = found != NULL ? found->quantities : NULL;
    return found != NULL ? found->quantity_count : 0;
}

met_error met__recorder_add(met_recorder *recorder, const met_event *event,
                            uint32_t flags, met_error_info *info)
{
    MET__ASSERT(recorder != NULL && event != NULL);
    if (recorder->fork_generation != met__fork_generation()) {
        return met__fail_code(info, MET_E_FORKED);
    }
#ifndef NDEBUG
    MET__ASSERT(met__exchange(&recorder->busy, 1) == 0);
#endif
    follow_plan(recorder);
    met_error error = add(recorder, event, flags, info);
#ifndef NDEBUG
    met__store_release(&recorder->busy, 0);
#endif
    return error;
}
