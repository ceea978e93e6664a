/* Which shape an event has: a table from keys to records, in private memory;
 * the keys themselves lie in the slot file, where settlement reads them.
 * In: a key. Out: its record, made when it is new and there is room. */
#include "meter/recorder_state.h"

#include "base/check.h"

uint32_t met__recorder_find(const met_recorder *recorder, met__hash128 hash)
{
    const uint64_t mask = recorder->table_mask;

    for (uint64_t at = hash.low & mask;; at = (at + 1) & mask) {
        uint64_t place = recorder->table[at];
        if (place == 0) {
            return MET__NO_SHAPE;
        }
        if (place >> 32 != hash.low >> 32) {
            continue;
        }
        uint32_t shape = (uint32_t)place - 1;
        const met__shape_record *record = &recorder->shapes[shape];
        if (record->hash.low == hash.low && record->hash.high == hash.high) {
            return shape;
        }
    }
}

/* --- Giving back ---------------------------------------------------------- */
/* Closes the gap at `at` by moving up what would be found through it. */
static void remove_place(met_recorder *recorder, uint64_t at)
{
    const uint64_t mask = recorder->table_mask;
    uint64_t gap = at;

    for (at = (at + 1) & mask; recorder->table[at] != 0;
         at = (at + 1) & mask) {
        uint32_t shape = (uint32_t)recorder->table[at] - 1;
        uint64_t home = recorder->shapes[shape].hash.low & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            recorder->table[gap] = recorder->table[at];
            gap = at;
        }
    }
    recorder->table[gap] = 0;
}

static void give_back(met_recorder *recorder, uint32_t shape)
{
    met__shape_record *record = &recorder->shapes[shape];
    met__entry_pool *pool = &recorder->entries[record->entry_class];
    uint64_t at = record->hash.low & recorder->table_mask;

    while ((uint32_t)recorder->table[at] != shape + 1) {
        at = (at + 1) & recorder->table_mask;
    }
    remove_place(recorder, at);
    pool->idle[pool->idle_count++] = record->entry;
    *record = (met__shape_record){.cell = recorder->shape_idle};
    recorder->shape_idle = shape;
    recorder->shape_count--;
}

void met__recorder_sweep(met_recorder *recorder, uint32_t tries)
{
    uint64_t settled = met__recorder_settled(recorder);

    for (; tries > 0 && recorder->shape_top > 0; tries--) {
        if (recorder->hand >= recorder->shape_top) {
            recorder->hand = 0;
        }
        uint32_t shape = recorder->hand++;
        const met__shape_record *record = &recorder->shapes[shape];
        if (record->is_used && record->last_epoch <= settled
            && record->last_epoch != recorder->epoch) {
            give_back(recorder, shape);
        }
    }
}

/* --- Making --------------------------------------------------------------- */
#define TRIES 8 /* old shapes looked at for a new one: no long wait */

static uint32_t class_of(uint32_t size)
{
    uint32_t shape_class = 0;

    while (met__shape_class_size(shape_class)
           < size + MET__SHAPE_KEY_OFFSET) {
        shape_class++;
    }
    return shape_class;
}

/* The smallest idle entry that has room. */
static met_error take_entry(met_recorder *recorder, uint32_t size,
                            uint32_t *entry_out, uint32_t *class_out)
{
    uint32_t least = class_of(size);

    for (int round = 0; round < 2; round++) {
        for (uint32_t i = least; i < MET__SHAPE_CLASSES; i++) {
            met__entry_pool *pool = &recorder->entries[i];
            if (pool->idle_count > 0) {
                *entry_out = pool->idle[--pool->idle_count];
                *class_out = i;
                return MET_OK;
            }
            pool->wanted |= i == least;
        }
        met__recorder_sweep(recorder, TRIES);
    }
    return MET_E_TALLY_FULL;
}

/* The texts of a key are checked when a shape is new: an event that equals an
 * old one needs no second look. */
static met_error check_texts(const met__reading *reading,
                             met_error_info *info)
{
    const met__recorder_type *type = reading->type;
    uint32_t at = 8;

    for (uint32_t i = 0;
         i <= type->attribute_count && at < reading->key_size; i++) {
        uint32_t length = reading->key[at];
        met__text text = {(const char *)reading->key + at + 1, length};
        if (!met__text_is_clean(text)) {
            const char *reason =
                "must be UTF-8 without control characters";
            return i == 0 ? met__fail(info, MET_E_INVALID, "subject", "%s",
                                      reason)
                          : met__fail(info, MET_E_INVALID, "attributes",
                                      "\"%.*s\" %s",
                                      (int)type->attributes[i - 1].text.size,
                                      type->attributes[i - 1].text.data,
                                      reason);
        }
        at += 1 + length;
    }
    return MET_OK;
}

static void write_entry(met_recorder *recorder, uint32_t entry,
                        uint32_t shape_class, const met__reading *reading)
{
    uint32_t size = reading->key_size;
    met__atomic_u64 *to = met__slot_shape(
        &recorder->slot, entry / MET__SEGMENT_ITEMS_MAX, shape_class,
        entry % MET__SEGMENT_ITEMS_MAX);

    met__store_relaxed(to, size);
    for (uint32_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, reading->key + i, size - i < 8 ? size - i : 8);
        met__store_relaxed(to + 1 + i / 8, word);
    }
}

static uint32_t take_record(met_recorder *recorder)
{
    uint32_t shape = recorder->shape_idle;

    if (shape != MET__NO_SHAPE) {
        recorder->shape_idle = recorder->shapes[shape].cell;
        return shape;
    }
    return recorder->shape_top++;
}

met_error met__recorder_add_shape(met_recorder *recorder,
                                  const met__reading *reading, int reserve,
                                  uint32_t *shape_out, met_error_info *info)
{
    uint32_t limit = reserve ? recorder->shape_room : recorder->shape_limit;
    uint32_t entry;
    uint32_t entry_class;
    met_error error = check_texts(reading, info);

    if (error != MET_OK) {
        return error;
    }
    if (recorder->shape_count >= limit) {
        met__recorder_sweep(recorder, TRIES);
    }
    if (recorder->shape_count >= limit) {
        return MET_E_TALLY_FULL;
    }
    error = take_entry(recorder, reading->key_size, &entry, &entry_class);
    if (error != MET_OK) {
        return error;
    }
    write_entry(recorder, entry, entry_class, reading);
    uint32_t shape = take_record(recorder);
    recorder->shapes[shape] = (met__shape_record){
        .hash = reading->hash,
        .entry_hash = met__hash64(recorder->secret, reading->key,
                                  reading->key_size),
        .entry = entry,
        .type = (uint16_t)(reading->type - recorder->types),
        .entry_class = (uint8_t)entry_class,
        .is_used = 1,
    };
    uint64_t at = reading->hash.low & recorder->table_mask;
    while (recorder->table[at] != 0) {
        at = (at + 1) & recorder->table_mask;
    }
    recorder->table[at] = reading->hash.low >> 32 << 32 | (shape + 1);
    recorder->shape_count++;
    *shape_out = shape;
    return MET_OK;
}
