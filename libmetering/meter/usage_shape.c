/* The dictionary of shapes. In: keys of slot files with the plan they were
 * made by. Out: numbers that parts carry, and shapes back from numbers. */
#include "meter/usage_shape.h"

#include <stdlib.h>

#include "base/check.h"

#define HEAD 4u
#define PREFIX 8u

/* --- Writing -------------------------------------------------------------- */
typedef struct writer {
    unsigned char *out;
    size_t size;
} writer;

static void put_text(writer *w, const void *bytes, size_t size)
{
    w->out[w->size++] = (unsigned char)size;
    if (size > 0) {
        memcpy(w->out + w->size, bytes, size);
    }
    w->size += size;
}

/* The next text of a key; NULL when the key ends before it does. */
static const unsigned char *next_text(const unsigned char *key, size_t size,
                                      size_t *at)
{
    if (*at >= size || key[*at] > size - *at - 1
        || key[*at] > MET__VALUE_SIZE_MAX) {
        return NULL;
    }
    const unsigned char *text = key + *at;
    *at += 1u + *text;
    return text;
}

met_error met__usage_shape_encode(const met__recording_plan *plan,
                                  const unsigned char *key, size_t key_size,
                                  unsigned char *out, size_t *size_out)
{
    writer w = {out, HEAD};
    uint64_t prefix;
    size_t at = PREFIX;

    if (key_size < PREFIX) {
        return MET_E_CORRUPT;
    }
    memcpy(&prefix, key, sizeof prefix);
    size_t number = prefix >> 32 & 0xffff;
    if ((prefix & UINT32_MAX) != plan->number || number >= plan->type_count) {
        return MET_E_CORRUPT;
    }
    const met__recording_type *type = &plan->types[number];
    const unsigned char *text = next_text(key, key_size, &at);
    if (text == NULL) {
        return MET_E_CORRUPT;
    }
    put_text(&w, type->type.data, type->type.size);
    put_text(&w, text + 1, *text);
    for (size_t i = 0; i < type->attribute_count; i++) {
        text = next_text(key, key_size, &at);
        if (text == NULL) {
            return MET_E_CORRUPT;
        }
        put_text(&w, type->attributes[i].data, type->attributes[i].size);
        put_text(&w, text + 1, *text);
    }
    for (size_t i = 0; i < type->quantity_count; i++) {
        put_text(&w, type->quantities[i].data, type->quantities[i].size);
    }
    out[0] = (unsigned char)(prefix >> 48);
    out[1] = (unsigned char)type->attribute_count;
    out[2] = (unsigned char)type->quantity_count;
    out[3] = 0;
    *size_out = w.size;
    return at == key_size ? MET_OK : MET_E_CORRUPT;
}

size_t met__usage_shape_write(const met__usage_shape *shape,
                              unsigned char *out)
{
    writer w = {out, HEAD};

    out[0] = (unsigned char)shape->flags;
    out[1] = (unsigned char)shape->attribute_count;
    out[2] = (unsigned char)shape->quantity_count;
    out[3] = 0;
    put_text(&w, shape->type.data, shape->type.size);
    put_text(&w, shape->subject.data, shape->subject.size);
    for (uint32_t i = 0; i < shape->attribute_count; i++) {
        put_text(&w, shape->names[i].data, shape->names[i].size);
        put_text(&w, shape->values[i].data, shape->values[i].size);
    }
    for (uint32_t i = 0; i < shape->quantity_count; i++) {
        put_text(&w, shape->quantities[i].data, shape->quantities[i].size);
    }
    return w.size;
}

/* --- Reading -------------------------------------------------------------- */
static int take_text(const unsigned char **at, const unsigned char *end,
                     met__text *out)
{
    if (*at >= end || **at > end - *at - 1) {
        return 0;
    }
    *out = met__text_of((const char *)*at + 1, **at);
    *at += 1 + out->size;
    return 1;
}

met_error met__usage_shape_decode(met__text value, met__usage_shape *shape_out)
{
    const unsigned char *at = (const unsigned char *)value.data;
    const unsigned char *end = at + value.size;
    int is_good = value.size >= HEAD && at[1] <= MET__ATTRIBUTES_MAX
                  && at[2] <= MET__QUANTITIES_MAX && at[3] == 0;

    if (!is_good) {
        return MET_E_CORRUPT;
    }
    shape_out->flags = at[0];
    shape_out->attribute_count = at[1];
    shape_out->quantity_count = at[2];
    at += HEAD;
    is_good = take_text(&at, end, &shape_out->type)
              && take_text(&at, end, &shape_out->subject);
    for (uint32_t i = 0; is_good && i < shape_out->attribute_count; i++) {
        is_good = take_text(&at, end, &shape_out->names[i])
                  && take_text(&at, end, &shape_out->values[i]);
    }
    for (uint32_t i = 0; is_good && i < shape_out->quantity_count; i++) {
        is_good = take_text(&at, end, &shape_out->quantities[i]);
    }
    return is_good && at == end ? MET_OK : MET_E_CORRUPT;
}

static met_error value_of(met__txn *txn, uint64_t number, met__text *value_out)
{
    unsigned char key[8];

    met__put_u64(key, number);
    met_error error = met__txn_get(txn, MET__TABLE_SHAPE, key, sizeof key,
                                   value_out);
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

met_error met__usage_shape_get(met__txn *txn, uint64_t number,
                               met__usage_shape *shape_out)
{
    met__text value;
    met_error error = value_of(txn, number, &value);

    return error == MET_OK ? met__usage_shape_decode(value, shape_out)
                           : error;
}

/* --- Numbers -------------------------------------------------------------- */
static void id_key(met__hash128 hash, unsigned char key[16])
{
    met__put_u64(key, hash.high);
    met__put_u64(key + 8, hash.low);
}

met_error met__usage_shape_find(met__txn *txn, met__hash128 hash,
                                met__text value, uint64_t *number_out)
{
    unsigned char key[16];
    met__text found;

    id_key(hash, key);
    met_error error = met__txn_get(txn, MET__TABLE_SHAPE_ID, key, sizeof key,
                                   &found);
    if (error == MET_E_NOT_FOUND) {
        *number_out = 0;
        return MET_OK;
    }
    if (error != MET_OK || found.size != 8) {
        return error != MET_OK ? error : MET_E_CORRUPT;
    }
    uint64_t number = met__get_u64((const unsigned char *)found.data);
    error = value_of(txn, number, &found);
    if (error == MET_OK && !met__text_equal(found, value)) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        *number_out = number;
    }
    return error;
}

met_error met__usage_shape_add(met__txn *txn, met__hash128 hash,
                               met__text value, uint64_t *number_out)
{
    unsigned char key[8];
    unsigned char id[16];
    uint64_t number = 0;
    met_error error = met__txn_sequence(txn, "shape", &number);

    met__put_u64(key, number);
    id_key(hash, id);
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_SHAPE, key, sizeof key,
                             value.data, value.size);
    }
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_SHAPE_ID, id, sizeof id, key,
                             sizeof key);
    }
    if (error == MET_OK) {
        *number_out = number;
    }
    return error;
}

static int compare_shape(const void *a, const void *b)
{
    const met__new_shape *x = a;
    const met__new_shape *y = b;

    if (x->hash.high != y->hash.high) {
        return x->hash.high < y->hash.high ? -1 : 1;
    }
    return x->hash.low < y->hash.low ? -1 : x->hash.low > y->hash.low;
}

static met_error add_marked(met__txn *txn, const met__new_shape *shape,
                            uint64_t *number_out)
{
    const unsigned char *type = (const unsigned char *)shape->value.data
                                + HEAD;
    met_error error = met__usage_shape_add(txn, shape->hash, shape->value,
                                           number_out);

    return error == MET_OK
                   && ((unsigned char)shape->value.data[0]
                       & MET__SHAPE_ADJUSTS)
                          == 0
               ? met__recorded_type_mark(
                     txn, met__text_of((const char *)type + 1, *type))
               : error;
}

met_error met__usage_shapes_number(met__txn *txn, met__new_shape *shapes,
                                   size_t count)
{
    met_error error = MET_OK;

    if (count > 1) {
        qsort(shapes, count, sizeof *shapes, compare_shape);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        uint64_t number = 0;
        if (i > 0 && compare_shape(&shapes[i - 1], &shapes[i]) == 0) {
            if (!met__text_equal(shapes[i - 1].value, shapes[i].value)) {
                return MET_E_CORRUPT;
            }
            *shapes[i].number_out = *shapes[i - 1].number_out;
            continue;
        }
        error = met__usage_shape_find(txn, shapes[i].hash, shapes[i].value,
                                      &number);
        if (error == MET_OK && number == 0) {
            error = add_marked(txn, &shapes[i], &number);
        }
        *shapes[i].number_out = number;
    }
    return error;
}
