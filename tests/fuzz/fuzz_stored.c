/* Any bytes as a value of the store. Records have checksums, so that only a bug
 * brings these here; all the same nothing is read beyond them, and what is
 * taken lies within them. The first byte says which decoder. */
#include <stdlib.h>

#include "fuzz.h"
#include "meter/event_batch.h"
#include "meter/event_log.h"
#include "meter/meter_def.h"
#include "meter/usage_cell.h"
#include "meter/usage_shape.h"
#include "support/faults.h"

static met__text all;

static void within(met__text text)
{
    if (text.size > 0
        && (text.data < all.data
            || text.data + text.size > all.data + all.size)) {
        abort();
    }
}

static met_error read_item(met__text text, uint32_t minutes)
{
    size_t key_size = minutes == 1 ? MET__PART_KEY_SIZE : MET__CELL_KEY_SIZE;
    met__usage_item item;
    int64_t first = 0;
    int64_t last = 0;

    if (text.size < key_size) {
        return MET_E_CORRUPT;
    }
    met__text key = met__text_of(text.data, key_size);
    met__text value = met__text_of(text.data + key_size,
                                   text.size - key_size);
    met_error error = met__usage_item_read(key, value, minutes, &item);
    if (error == MET_OK) {
        (void)met__usage_item_span(&item, 0, &first, &last);
    }
    return error;
}

static met_error read_shape(met__text text)
{
    met__usage_shape shape;
    unsigned char again[MET__SHAPE_VALUE_MAX];
    met_error error = met__usage_shape_decode(text, &shape);

    if (error != MET_OK) {
        return error;
    }
    within(shape.type);
    within(shape.subject);
    for (uint32_t i = 0; i < shape.attribute_count; i++) {
        within(shape.names[i]);
        within(shape.values[i]);
    }
    for (uint32_t i = 0; i < shape.quantity_count; i++) {
        within(shape.quantities[i]);
    }
    if (met__usage_shape_write(&shape, again) != text.size
        || memcmp(again, text.data, text.size) != 0) {
        abort();
    }
    return MET_OK;
}

static met_error read_event(met__text text)
{
    met__logged_event event;

    if (text.size < MET__EVENT_KEY_SIZE) {
        return MET_E_CORRUPT;
    }
    met_error error = met__event_log_read(
        met__text_of(text.data, MET__EVENT_KEY_SIZE),
        met__text_of(text.data + MET__EVENT_KEY_SIZE,
                     text.size - MET__EVENT_KEY_SIZE),
        &event);
    if (error == MET_OK) {
        within(event.type);
        within(event.subject);
        within(event.json);
        within(event.reason);
        within(event.actor);
    }
    return error;
}

static met_error read_batch(met__text text)
{
    met__event_batch batch;
    met_error error = met__event_batch_read(text, &batch);

    if (error == MET_OK && batch.count > 0) {
        met__hash128 last = met__event_batch_hash(&batch, batch.count - 1);
        (void)last;
        within(met__text_of((const char *)batch.hashes,
                            batch.count * (size_t)MET__BATCH_HASH));
        if (batch.times != NULL) {
            within(met__text_of((const char *)batch.times,
                                batch.count * (size_t)8));
        }
    }
    return error;
}

static met_error read_meter(met__text text)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;
    met__meter *meter = NULL;

    met__arena_init(&arena, &platform);
    met_error error = met__meter_unpack(&arena, text, &meter);
    met__arena_release(&arena);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    met_error error = MET_OK;

    if (size == 0) {
        return 0;
    }
    /* Exact and aligned as LMDB hands values out. */
    char *copy = malloc(size);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data + 1, size - 1);
    all = met__text_of(copy, size - 1);
    switch (data[0]) {
    case 'p': error = read_item(all, 1); break;
    case 'h': error = read_item(all, MET__HOUR_MINUTES); break;
    case 'd': error = read_item(all, MET__DAY_MINUTES); break;
    case 's': error = read_shape(all); break;
    case 'e': error = read_event(all); break;
    case 'b': error = read_batch(all); break;
    case 'm': error = read_meter(all); break;
    default: break;
    }
    if (error != MET_OK && error != MET_E_CORRUPT) {
        abort();
    }
    free(copy);
    return 0;
}
