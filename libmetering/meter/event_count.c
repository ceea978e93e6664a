/* Counting events of a batch: each finds its shape and minute, and what is
 * equal becomes one part. In: an event whose id is new. Out: its verdict, and
 * at the end of the batch parts in the order of their keys. */
#include <stdlib.h>

#include "meter/event_state.h"
#include "meter/quantity.h"

/* What an event brings for the quantities of its type. */
typedef struct brought {
    uint32_t mask;
    uint32_t reserved;
    met__wide values[MET__QUANTITIES_MAX];
} brought;

/* --- What the event says -------------------------------------------------- */
static const met_pair *find_pair(const met_ingest_event *event,
                                 met__text name)
{
    for (size_t i = 0; i < event->attribute_count; i++) {
        const met_pair *pair = &event->attributes[i];
        if (pair->key_size == name.size && pair->key != NULL
            && memcmp(pair->key, name.data, name.size) == 0) {
            return pair;
        }
    }
    return NULL;
}

static const met_quantity *find_quantity(const met_ingest_event *event,
                                         met__text name)
{
    for (size_t i = 0; i < event->quantity_count; i++) {
        const met_quantity *quantity = &event->quantities[i];
        if (quantity->key_size == name.size && quantity->key != NULL
            && memcmp(quantity->key, name.data, name.size) == 0) {
            return quantity;
        }
    }
    return NULL;
}

static met_error say_of(met__event_run *run, met_event_verdict *verdict,
                        uint32_t what, met__text name, const char *reason)
{
    char *field = met__arena_print(&run->ingest->arena, "data.%.*s",
                                   (int)name.size, name.data);

    return field == NULL ? MET_E_NO_MEMORY
                         : met__event_say(run->ingest, verdict, what, field,
                                          "%s", reason);
}

/* Values into the type's shape. The verdict stays 0 when all is well. */
static met_error take_values(met__event_run *run, met__event_type *type,
                             const met_ingest_event *event,
                             met_event_verdict *verdict)
{
    met__usage_shape *shape = &type->shape;

    shape->subject = met__text_of(event->subject, event->subject_size);
    for (uint32_t i = 0; i < shape->attribute_count; i++) {
        const met_pair *pair = find_pair(event, shape->names[i]);
        shape->values[i] = pair == NULL
                               ? MET__TEXT("")
                               : met__text_of(pair->value, pair->value_size);
        if (shape->values[i].size > MET__VALUE_SIZE_MAX) {
            return say_of(run, verdict, MET_VERDICT_INVALID, shape->names[i],
                          "is longer than 128 bytes");
        }
        if (shape->values[i].size > 0 && shape->values[i].data == NULL) {
            return say_of(run, verdict, MET_VERDICT_INVALID, shape->names[i],
                          "is NULL");
        }
    }
    return MET_OK;
}

static met_error take_quantities(met__event_run *run,
                                 const met__event_type *type,
                                 const met_ingest_event *event, brought *out,
                                 met_event_verdict *verdict)
{
    uint64_t words[2];

    for (uint32_t i = 0; i < type->shape.quantity_count; i++) {
        const met_quantity *found = find_quantity(event,
                                                  type->shape.quantities[i]);
        if (found == NULL) {
            continue;
        }
        met_error error = met__decimal_to_wide(found->value,
                                               MET__AMOUNT_PLACES, words);
        out->values[i] = error == MET_OK ? met__amount_get(words) : 0;
        if (error != MET_OK || !met__amount_is_quantity(out->values[i])) {
            return say_of(run, verdict, MET_VERDICT_INVALID,
                          type->shape.quantities[i],
                          "must be a number of at most 15 digits before the "
                          "point and 9 behind it");
        }
        out->mask |= 1u << i;
    }
    return MET_OK;
}

/* Some meter of the type counts it; else why none does. */
static met_error judge(met__event_run *run, const met__event_type *type,
                       const brought *values, uint32_t minute,
                       met_event_verdict *verdict)
{
    int is_early = 0;

    for (size_t i = 0; i < type->meter_count; i++) {
        const met__event_meter *meter = &type->meters[i];
        int has_value =
            meter->quantity != MET__NO_INDEX
                ? (values->mask >> meter->quantity & 1) != 0
                : meter->attribute == MET__NO_INDEX
                      || !met__text_equal(type->shape.values[meter->attribute],
                                          MET__TEXT("null"));
        if (has_value && minute >= meter->first_minute) {
            return MET_OK;
        }
        is_early |= has_value;
    }
    if (is_early) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_NO_METER,
                              "time", "is before any meter of its type "
                              "counts");
    }
    /* Reading JSON may have said more. */
    verdict->verdict = MET_VERDICT_NO_VALUE;
    return verdict->reason[0] != '\0'
               ? MET_OK
               : met__event_say(run->ingest, verdict, MET_VERDICT_NO_VALUE,
                                "data", "has nothing that the meters of its "
                                "type count");
}

/* --- Shapes and parts ----------------------------------------------------- */
/* Room for one more element of a list in an arena. */
static int make_room(met__arena *arena, void **list, size_t count,
                     size_t more, size_t *room, size_t size)
{
    if (count + more <= *room) {
        return 1;
    }
    size_t wider = (*room + more) * 2 + 64;
    void *memory = met__arena_allocate(arena, wider * size);
    if (memory == NULL) {
        return 0;
    }
    if (count > 0) {
        memcpy(memory, *list, count * size);
    }
    *list = memory;
    *room = wider;
    return 1;
}

/* Texts are looked at when a shape is new: an event that equals an old one
 * needs no second look. */
static met_error check_texts(met__event_run *run,
                             const met__usage_shape *shape,
                             met_event_verdict *verdict)
{
    static const char reason[] = "must be UTF-8 without control characters";

    if (!met__text_is_clean(shape->subject)) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_INVALID,
                              "subject", "%s", reason);
    }
    for (uint32_t i = 0; i < shape->attribute_count; i++) {
        if (!met__text_is_clean(shape->values[i])) {
            return say_of(run, verdict, MET_VERDICT_INVALID, shape->names[i],
                          reason);
        }
    }
    return MET_OK;
}

static met_error add_shape(met__ingest *ingest, met__hash128 hash,
                           met__text value, uint32_t *index_out)
{
    void *list = ingest->shapes;

    if (!make_room(&ingest->shape_arena, &list, ingest->shape_count, 1,
                   &ingest->shape_room, sizeof *ingest->shapes)) {
        return MET_E_NO_MEMORY;
    }
    ingest->shapes = list;
    char *copy = met__arena_copy(&ingest->shape_arena, value.data, value.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    ingest->shapes[ingest->shape_count] = (met__event_shape){
        .hash = hash, .value = met__text_of(copy, value.size)};
    met_error error = met__index_map_add(&ingest->shape_map, hash.low,
                                         ingest->shape_count);
    if (error == MET_OK) {
        *index_out = (uint32_t)ingest->shape_count++;
    }
    return error;
}

/* The shape in type->shape; the verdict says when it cannot be. */
static met_error find_shape(met__event_run *run, const met__event_type *type,
                            met_event_verdict *verdict, uint32_t *index_out)
{
    unsigned char bytes[MET__SHAPE_VALUE_MAX];
    met__ingest *ingest = run->ingest;
    met__text value = {(const char *)bytes,
                       met__usage_shape_write(&type->shape, bytes)};
    met__hash128 hash = met__hash128_of(met__store_secret(ingest->store),
                                        value.data, value.size);
    met__index_cursor place = {0};

    while (met__index_map_next(&ingest->shape_map, hash.low, &place)) {
        const met__event_shape *shape = &ingest->shapes[place.index];
        if (shape->hash.high == hash.high
            && met__text_equal(shape->value, value)) {
            *index_out = (uint32_t)place.index;
            return MET_OK;
        }
    }
    met_error error = check_texts(run, &type->shape, verdict);
    return error != MET_OK || verdict->verdict != 0
               ? error
               : add_shape(ingest, hash, value, index_out);
}

static met_error add_part(met__event_run *run, uint32_t shape, uint32_t minute,
                          uint32_t quantities, uint32_t *part_out)
{
    size_t size = (size_t)quantities * MET__QUANTITY_WORDS;
    met__arena *arena = &run->ingest->arena;
    void *parts = run->parts;
    void *words = run->words;

    if (!make_room(arena, &parts, run->part_count, 1, &run->part_room,
                   sizeof *run->parts)) {
        return MET_E_NO_MEMORY;
    }
    run->parts = parts;
    if (!make_room(arena, &words, run->word_count, size, &run->word_room,
                   sizeof *run->words)) {
        return MET_E_NO_MEMORY;
    }
    run->words = words;
    run->parts[run->part_count] = (met__event_part){
        .shape = shape,
        .minute = minute,
        .words = run->word_count,
        .quantities = quantities,
        .order = (uint32_t)run->part_count,
    };
    *part_out = (uint32_t)run->part_count++;
    run->word_count += size;
    return MET_OK;
}

/* The part of this shape and minute: mostly the one that the last event of the
 * shape went to. */
static met_error find_part(met__event_run *run, uint32_t index,
                           uint32_t minute, uint32_t quantities,
                           uint32_t *part_out)
{
    met__ingest *ingest = run->ingest;
    met__event_shape *shape = &ingest->shapes[index];
    uint64_t hash = (uint64_t)index << 32 | minute;
    met__index_cursor place = {0};
    met_error error = MET_OK;

    if (shape->turn == ingest->turn && shape->minute == minute) {
        *part_out = shape->part;
        return MET_OK;
    }
    int is_met = shape->turn == ingest->turn;
    if (is_met && met__index_map_next(&run->minutes, hash, &place)) {
        *part_out = (uint32_t)place.index;
    } else {
        error = add_part(run, index, minute, quantities, part_out);
        if (error == MET_OK) {
            error = met__index_map_add(&run->minutes, hash, *part_out);
        }
    }
    if (error == MET_OK) {
        shape->turn = ingest->turn;
        shape->minute = minute;
        shape->part = *part_out;
    }
    return error;
}

met_error met__event_count(met__event_run *run, const met__event *event,
                           int64_t utc_ns, met_event_verdict *verdict)
{
    const met_ingest_event *given = &event->given;
    uint32_t minute = (uint32_t)(utc_ns / MET__MINUTE_NS);
    uint32_t shape = 0;
    uint32_t index = 0;
    brought values;
    met__event_type *type = met__ingest_type(
        run->ingest, met__text_of(given->type, given->type_size));

    memset(&values, 0, run->kept != NULL ? sizeof values
                                         : sizeof values.mask);
    if (type == NULL) {
        return met__event_say(run->ingest, verdict, MET_VERDICT_NO_METER,
                              "type", "no meter counts events of this type");
    }
    met_error error = take_values(run, type, given, verdict);
    if (error == MET_OK && verdict->verdict == 0) {
        error = take_quantities(run, type, given, &values, verdict);
    }
    if (error == MET_OK && verdict->verdict == 0) {
        error = judge(run, type, &values, minute, verdict);
    }
    if (error == MET_OK && verdict->verdict == 0) {
        error = find_shape(run, type, verdict, &shape);
    }
    if (error != MET_OK || verdict->verdict != 0) {
        return error;
    }
    uint32_t quantities = type->shape.quantity_count;
    error = find_part(run, shape, minute, quantities, &index);
    if (error != MET_OK) {
        return error;
    }
    met__event_part *part = &run->parts[index];
    part->count++;
    run->state.recorded_ns++;
    if (run->kept != NULL) {
        met__kept_event *kept = &run->kept[run->accepted];
        *kept = (met__kept_event){
            .event = event, .shape = shape, .mask = values.mask};
        memcpy(kept->values, values.values, sizeof kept->values);
    }
    for (uint32_t i = 0; i < quantities; i++) {
        if ((values.mask >> i & 1) != 0) {
            /* 10^4 values of 10^15 cannot be too much. */
            MET__ASSERT(met__quantity_add(
                run->words + part->words + i * MET__QUANTITY_WORDS,
                values.values[i], utc_ns, run->state.recorded_ns));
        }
    }
    verdict->verdict = MET_VERDICT_ACCEPTED;
    return MET_OK;
}

/* --- Writing -------------------------------------------------------------- */
static int compare_part(const void *a, const void *b)
{
    const met__event_part *x = a;
    const met__event_part *y = b;

    if (x->minute != y->minute) {
        return x->minute < y->minute ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static met_error number_shapes(met__event_run *run)
{
    met__ingest *ingest = run->ingest;
    size_t count = 0;
    met__new_shape *list = met__arena_allocate(
        &ingest->arena, run->part_count * sizeof *list);

    if (list == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < run->part_count; i++) {
        met__event_shape *shape = &ingest->shapes[run->parts[i].shape];
        if (shape->number == 0) {
            list[count++] = (met__new_shape){shape->hash, shape->value,
                                             &shape->number};
        }
    }
    return met__usage_shapes_number(run->txn, list, count);
}

static met_error write_part(met__event_run *run, const met__event_part *part,
                            uint32_t cell, met__telling *telling)
{
    uint64_t words[MET__PART_WORDS_MAX];
    uint64_t batch = run->state.batch;
    uint64_t number = run->ingest->shapes[part->shape].number;
    met__part_key key = {.minute = part->minute,
                         .generation = batch >> 32,
                         .epoch = (uint32_t)batch,
                         .cell = cell};

    words[MET__PART_SEQUENCE] = 1;
    words[MET__PART_SHAPE] = number;
    words[MET__PART_COUNT] = part->count;
    words[MET__PART_PLAN] = run->ingest->plan->number << 32
                            | part->quantities;
    if (part->quantities > 0) {
        memcpy(words + MET__PART_QUANTITIES, run->words + part->words,
               part->quantities * MET__QUANTITY_WORDS * sizeof *words);
    }
    met_error error = met__part_put(run->txn, &key, words);
    return error == MET_OK
               ? met__steps_tell(telling, number, part->minute, NULL, words)
               : error;
}

met_error met__event_write_parts(met__event_run *run, met__telling *telling)
{
    met_error error = number_shapes(run);

    qsort(run->parts, run->part_count, sizeof *run->parts, compare_part);
    for (size_t i = 0; error == MET_OK && i < run->part_count; i++) {
        error = write_part(run, &run->parts[i], (uint32_t)i, telling);
    }
    return error;
}
