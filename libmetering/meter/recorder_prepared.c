/* Two quicker ways to count. A prepared event has its shape looked up once. A
 * batch reads many events before it counts the first, so that the memory it
 * will need is on its way.
 * In: events. Out: what met__recorder_add would have made of them. */
#include "base/check.h"
#include "meter/recorder_state.h"

/* --- Prepared events ------------------------------------------------------ */
struct met_prepared {
    met_recorder *recorder;
    met_event event; /* points into the bytes behind; no quantities */
    size_t size;     /* of the whole block */
    uint64_t plan_number; /* shape and hash are of this plan */
    met__hash128 hash;
    const met__recorder_type *type;
    uint32_t shape; /* MET__NO_SHAPE: to be looked up */
    uint32_t reserved;
};

static char *put_bytes(char **at, const char *from, size_t size)
{
    char *to = *at;

    if (size > 0 && from != NULL) { /* NULL: a value that nobody asks for */
        memcpy(to, from, size);
    }
    *at += size;
    return to;
}

static size_t block_size(const met_event *event)
{
    size_t size = sizeof(met_prepared) + event->type_size
                  + event->subject_size
                  + event->attribute_count * sizeof(met_pair);

    for (size_t i = 0; i < event->attribute_count; i++) {
        size += event->attributes[i].key_size
                + event->attributes[i].value_size;
    }
    return size;
}

static met_prepared *copy_event(met_recorder *recorder,
                                const met_event *event)
{
    size_t size = block_size(event);
    met_prepared *prepared = met__allocate(recorder->platform, size);

    if (prepared == NULL) {
        return NULL;
    }
    met_pair *pairs = (met_pair *)(prepared + 1);
    char *at = (char *)(pairs + event->attribute_count);
    *prepared = (met_prepared){
        .recorder = recorder,
        .event = {.struct_size = sizeof(met_event),
                  .type_size = event->type_size,
                  .subject_size = event->subject_size,
                  .attributes = pairs,
                  .attribute_count = event->attribute_count},
        .size = size,
        .shape = MET__NO_SHAPE,
    };
    prepared->event.type = put_bytes(&at, event->type, event->type_size);
    prepared->event.subject = put_bytes(&at, event->subject,
                                        event->subject_size);
    for (size_t i = 0; i < event->attribute_count; i++) {
        const met_pair *from = &event->attributes[i];
        pairs[i] = (met_pair){.key_size = from->key_size,
                              .value_size = from->value_size};
        pairs[i].key = put_bytes(&at, from->key, from->key_size);
        pairs[i].value = put_bytes(&at, from->value, from->value_size);
    }
    return prepared;
}

met_error met__prepared_open(met_recorder *recorder, const met_event *event,
                             met_prepared **prepared_out,
                             met_error_info *info)
{
    met__reading reading = {.key = recorder->key};
    met_error error = met__recorder_enter(recorder, info);

    if (error != MET_OK) {
        return error;
    }
    error = met__recorder_read_shape(recorder, event, &reading, info);
    met__recorder_leave(recorder);
    if (error != MET_OK) {
        return error;
    }
    *prepared_out = copy_event(recorder, event);
    return *prepared_out != NULL ? MET_OK : met__fail_code(info,
                                                           MET_E_NO_MEMORY);
}

void met__prepared_close(met_prepared *prepared)
{
    if (prepared != NULL) {
        met__release(prepared->recorder->platform, prepared, prepared->size);
    }
}

/* The record that was found the last time, if it is still this shape's. */
static inline int is_known(const met_prepared *prepared)
{
    const met_recorder *recorder = prepared->recorder;

    if (prepared->shape == MET__NO_SHAPE
        || prepared->plan_number != recorder->plan_number) {
        return 0;
    }
    return met__recorder_is_shape(recorder, prepared->shape, prepared->hash);
}

/* After an event was counted: where. What overflowed is tried anew. */
static void remember(met_prepared *prepared, const met__reading *reading)
{
    prepared->shape = met__recorder_find(prepared->recorder, reading->hash);
    prepared->hash = reading->hash;
    prepared->type = reading->type;
    prepared->plan_number = prepared->recorder->plan_number;
}

met_error met__prepared_add(met_prepared *prepared,
                            const met_quantity *quantities, size_t count,
                            int64_t utc_ns, met_error_info *info)
{
    met_recorder *recorder = prepared->recorder;
    met_event event = prepared->event;
    met__reading reading;
    met_error error = met__recorder_enter(recorder, info);

    if (error != MET_OK) {
        return error;
    }
    event.quantities = quantities;
    event.quantity_count = count;
    event.utc_ns = utc_ns;
    reading.key = recorder->key;
    reading.flags = 0;
    if (is_known(prepared)) {
        reading.type = prepared->type;
        error = met__recorder_read_values(recorder, &event, &reading, info);
        if (error == MET_OK) {
            error = met__recorder_count(recorder, &event, &reading,
                                        prepared->shape, info);
        }
    } else {
        uint64_t overflowed = recorder->overflowed;
        error = met__recorder_read(recorder, &event, &reading, info);
        if (error == MET_OK) {
            error = met__recorder_count(recorder, &event, &reading,
                                        MET__NO_SHAPE, info);
        }
        if (error == MET_OK && recorder->overflowed == overflowed) {
            remember(prepared, &reading);
        }
    }
    met__recorder_leave(recorder);
    return error;
}

/* --- Batches -------------------------------------------------------------- */
static void prefetch_cell(const met_recorder *recorder,
                          const met__reading *reading, uint32_t shape)
{
    const met__shape_record *record = &recorder->shapes[shape];
    uint32_t segment = record->cell / MET__SEGMENT_ITEMS_MAX;
    uint32_t index = record->cell % MET__SEGMENT_ITEMS_MAX;

    if (record->cell_epoch != recorder->epoch) {
        return; /* takes a new cell: they lie side by side */
    }
    met__prefetch(met__slot_sequence(&recorder->slot, segment, index));
    met__prefetch(met__slot_copy(&recorder->slot, segment,
                                 reading->type->cell_class, index,
                                 (record->sequence + 1) & 1));
}

/* Keys lie one behind the other, each with room to be put together anew. */
static size_t read_group(met_recorder *recorder, const met_event *events,
                         size_t count, met__reading *readings,
                         met_error *errors_out, size_t *failed_out,
                         met_error_info *info)
{
    unsigned char *key = recorder->key;
    const unsigned char *end = key + sizeof recorder->key;
    size_t taken = 0;

    while (taken < count && taken < MET__GROUP_MAX
           && (size_t)(end - key) >= MET__KEY_ROOM) {
        met__reading *reading = &readings[taken];
        reading->key = key;
        reading->flags = 0;
        errors_out[taken] = met__recorder_read(
            recorder, &events[taken], reading,
            *failed_out == SIZE_MAX ? info : NULL);
        if (errors_out[taken] == MET_OK) {
            met__prefetch(&recorder->shapes[met__recorder_home(
                recorder, reading->hash)]);
            key += reading->key_size
                   + reading->type->attribute_count * MET__OVERFLOW_SIZE;
        } else if (*failed_out == SIZE_MAX) {
            *failed_out = taken;
        }
        taken++;
    }
    return taken;
}

/* Finds the shapes, whose places are on their way, and sends for their cells.
 */
static void find_group(const met_recorder *recorder,
                       const met__reading *readings, const met_error *errors,
                       size_t count, uint32_t *shapes_out)
{
    for (size_t i = 0; i < count; i++) {
        shapes_out[i] = errors[i] == MET_OK
                            ? met__recorder_find(recorder, readings[i].hash)
                            : MET__NO_SHAPE;
        if (shapes_out[i] != MET__NO_SHAPE) {
            prefetch_cell(recorder, &readings[i], shapes_out[i]);
        }
    }
}

/* An event before this one in the group may have taken its place. */
static uint32_t still(const met_recorder *recorder, uint32_t shape,
                      met__hash128 hash)
{
    return shape != MET__NO_SHAPE
                   && met__recorder_is_shape(recorder, shape, hash)
               ? shape
               : MET__NO_SHAPE;
}

met_error met__recorder_add_group(met_recorder *recorder,
                                  const met_event *events, size_t count,
                                  met_error *errors_out, size_t *taken_out,
                                  size_t *failed_out, met_error_info *info)
{
    met__reading readings[MET__GROUP_MAX];
    uint32_t shapes[MET__GROUP_MAX];
    met_error_info later = {.struct_size = sizeof later};
    size_t unread = SIZE_MAX;   /* the first that could not be read, */
    size_t uncounted = SIZE_MAX; /* and the first that was, and not counted */
    met_error error = met__recorder_enter(recorder, info);

    if (error != MET_OK) {
        return error;
    }
    size_t taken = read_group(recorder, events, count, readings, errors_out,
                              &unread, info);
    find_group(recorder, readings, errors_out, taken, shapes);
    for (size_t i = 0; i < taken; i++) {
        if (errors_out[i] == MET_OK) {
            errors_out[i] = met__recorder_count(
                recorder, &events[i], &readings[i],
                still(recorder, shapes[i], readings[i].hash),
                uncounted == SIZE_MAX ? &later : NULL);
            if (errors_out[i] != MET_OK && uncounted == SIZE_MAX) {
                uncounted = i;
            }
        }
    }
    met__recorder_leave(recorder);
    if (uncounted < unread) {
        (void)met__fail(info, later.code, later.field, "%s", later.reason);
    }
    *taken_out = taken;
    *failed_out = uncounted < unread ? uncounted : unread;
    return *failed_out == SIZE_MAX ? MET_OK : errors_out[*failed_out];
}
