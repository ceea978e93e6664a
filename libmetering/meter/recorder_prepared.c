/* Quicker ways to count. A shape that was seen, as that of a prepared event, is
 * not looked up again. A batch reads many events before it counts the first, so
 * that the memory it will need is on its way.
 * In: events. Out: what met__recorder_add would have made of them. */
#include "base/check.h"
#include "meter/recorder_state.h"

/* --- Shapes that were seen ------------------------------------------------ */
/* Whether the record is still that shape's. */
static inline int is_known(const met_recorder *recorder,
                           const met__seen_shape *seen)
{
    return seen->is_seen && seen->plan_number == recorder->plan_number
           && met__recorder_is_shape(recorder, seen->shape, seen->hash);
}

static inline met_error add_again(met_recorder *recorder,
                                  const met__seen_shape *seen,
                                  const met_event *event,
                                  met_error_info *info)
{
    met__reading reading;

    reading.type = seen->type;
    met_error error = met__recorder_read_values(recorder, event, &reading,
                                                info);
    return error == MET_OK ? met__recorder_count(recorder, event, &reading,
                                                 seen->shape, info)
                           : error;
}

/* What overflowed is tried anew: it counts as not seen. */
static met_error add_first(met_recorder *recorder, const met_event *event,
                           uint32_t flags, met__seen_shape *seen_out,
                           met_error_info *info)
{
    met__reading reading;
    uint64_t overflowed = recorder->overflowed;

    reading.key = recorder->key;
    reading.flags = flags;
    met_error error = met__recorder_read(recorder, event, &reading, info);
    if (error == MET_OK) {
        error = met__recorder_count(recorder, event, &reading, MET__NO_SHAPE,
                                    info);
    }
    seen_out->is_seen = error == MET_OK && recorder->overflowed == overflowed;
    if (seen_out->is_seen) {
        seen_out->shape = met__recorder_find(recorder, reading.hash);
        seen_out->is_seen = seen_out->shape != MET__NO_SHAPE;
        seen_out->hash = reading.hash;
        seen_out->type = reading.type;
        seen_out->plan_number = recorder->plan_number;
    }
    return error;
}

met_error met__recorder_add_first(met_recorder *recorder,
                                  const met_event *event, uint32_t flags,
                                  met__seen_shape *seen_out,
                                  met_error_info *info)
{
    met_error error = met__recorder_enter(recorder, info);

    seen_out->is_seen = 0;
    if (error == MET_OK) {
        error = add_first(recorder, event, flags, seen_out, info);
        met__recorder_leave(recorder);
    }
    return error;
}

met_error met__recorder_add_again(met_recorder *recorder,
                                  const met__seen_shape *seen,
                                  const met_event *event,
                                  met_error_info *info)
{
    met_error error = met__recorder_enter(recorder, info);

    if (error == MET_OK) {
        error = is_known(recorder, seen)
                    ? add_again(recorder, seen, event, info)
                    : MET_E_BUSY;
        met__recorder_leave(recorder);
    }
    return error;
}

/* --- Prepared events ------------------------------------------------------ */
struct met_prepared {
    met_recorder *recorder;
    met_event event; /* points into the bytes behind; no quantities */
    size_t size;     /* of the whole block */
    met__seen_shape seen;
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


met_error met__prepared_add(met_prepared *prepared,
                            const met_quantity *quantities, size_t count,
                            int64_t utc_ns, met_error_info *info)
{
    met_recorder *recorder = prepared->recorder;
    met_event event = prepared->event;
    met_error error = met__recorder_enter(recorder, info);

    if (error != MET_OK) {
        return error;
    }
    event.quantities = quantities;
    event.quantity_count = count;
    event.utc_ns = utc_ns;
    error = is_known(recorder, &prepared->seen)
                ? add_again(recorder, &prepared->seen, &event, info)
                : add_first(recorder, &event, 0, &prepared->seen, info);
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
