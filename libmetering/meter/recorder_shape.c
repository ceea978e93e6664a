/* Which shape an event has: a table of records by the hashes of their keys, in
 * private memory, probed in line; the keys themselves lie in the slot file,
 * where settlement reads them.
 * In: a key. Out: its record, made when it is new and there is room. */
#include "meter/recorder_state.h"

#include "base/check.h"

/* --- Places --------------------------------------------------------------- */
static uint32_t distance(const met_recorder *recorder, uint32_t from,
                         uint32_t to)
{
    return to >= from ? to - from : to + recorder->shape_places - from;
}

static uint32_t place_at(const met_recorder *recorder, uint32_t from,
                         uint32_t steps)
{
    uint64_t at = (uint64_t)from + steps;

    return (uint32_t)(at < recorder->shape_places
                          ? at
                          : at - recorder->shape_places);
}

/* The first free place for a shape; MET__NO_SHAPE: it is too far away. */
static uint32_t free_place(const met_recorder *recorder, uint32_t home)
{
    uint32_t at = home;

    for (uint32_t steps = 0; steps < UINT16_MAX; steps++) {
        if (recorder->shapes[at].entry == 0) {
            return at;
        }
        at = place_at(recorder, at, 1);
    }
    return MET__NO_SHAPE;
}

static void widen_reach(met_recorder *recorder, uint32_t home, uint32_t at)
{
    uint32_t steps = distance(recorder, home, at) + 1;

    if (recorder->shapes[home].reach < steps) {
        recorder->shapes[home].reach = (uint16_t)steps;
    }
}

/* After the farthest shape of this home may have gone. */
static void narrow_reach(met_recorder *recorder, uint32_t home)
{
    uint32_t reach = recorder->shapes[home].reach;

    for (; reach > 0; reach--) {
        const met__shape_record *last =
            &recorder->shapes[place_at(recorder, home, reach - 1)];
        if (last->entry != 0
            && met__recorder_home(recorder, last->hash) == home) {
            break;
        }
    }
    recorder->shapes[home].reach = (uint16_t)reach;
}

/* --- Giving back ---------------------------------------------------------- */
static void give_back(met_recorder *recorder, uint32_t shape)
{
    met__shape_record *record = &recorder->shapes[shape];
    met__entry_pool *pool = &recorder->entries[MET__ENTRY_CLASS_OF(record)];
    uint32_t home = met__recorder_home(recorder, record->hash);

    pool->idle[pool->idle_count++] = MET__ENTRY_OF(record);
    *record = (met__shape_record){.reach = record->reach};
    narrow_reach(recorder, home);
    recorder->shape_count--;
}

void met__recorder_sweep(met_recorder *recorder, uint32_t tries)
{
    uint64_t settled = met__recorder_settled(recorder);

    for (; tries > 0; tries--) {
        uint32_t shape = recorder->hand;
        const met__shape_record *record = &recorder->shapes[shape];
        recorder->hand = place_at(recorder, shape, 1);
        if (record->entry != 0 && record->last_epoch <= settled
            && record->last_epoch != recorder->epoch) {
            give_back(recorder, shape);
        }
    }
}

/* --- Making --------------------------------------------------------------- */
#define TRIES 12 /* places looked at for a new shape: no long wait */

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
    uint32_t home = met__recorder_home(recorder, reading->hash);
    error = take_entry(recorder, reading->key_size, &entry, &entry_class);
    if (error != MET_OK) {
        return error;
    }
    uint32_t shape = free_place(recorder, home);
    if (shape == MET__NO_SHAPE) { /* not before 2^16 in a row are taken */
        met__entry_pool *pool = &recorder->entries[entry_class];
        pool->idle[pool->idle_count++] = entry;
        return MET_E_TALLY_FULL;
    }
    write_entry(recorder, entry, entry_class, reading);
    recorder->shapes[shape] = (met__shape_record){
        .hash = reading->hash,
        .entry_hash = met__hash64(recorder->secret, reading->key,
                                  reading->key_size),
        .entry = (entry_class + 1) << 24 | entry,
        .type = (uint16_t)(reading->type - recorder->types),
        .reach = recorder->shapes[shape].reach,
    };
    widen_reach(recorder, home, shape);
    recorder->shape_count++;
    *shape_out = shape;
    return MET_OK;
}
