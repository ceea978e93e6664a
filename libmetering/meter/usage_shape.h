/* The dictionary of shapes: what is equal in many events, once, numbered.
 * SHAPE[number] holds it, SHAPE_ID[hash] finds the number.
 *
 * Value: flags:1 attributes:1 quantities:1 0:1, then texts as length:1 bytes:
 * type, subject, name and value of every attribute, names of quantities. */
#ifndef MET_METER_USAGE_SHAPE_H
#define MET_METER_USAGE_SHAPE_H

#include "base/limits.h"
#include "meter/recording_plan.h"
#include "store/store.h"

#define MET__SHAPE_VALUE_MAX 20000

/* A flag of shapes beside MET__RECORD_ADMITTED: an adjustment. Its type is the
 * key of the only meter that it is for. */
#define MET__SHAPE_ADJUSTS 2u

typedef struct met__usage_shape {
    met__text type;
    met__text subject;
    uint32_t flags; /* MET__RECORD_ADMITTED, MET__SHAPE_ADJUSTS */
    uint32_t attribute_count;
    uint32_t quantity_count;
    uint32_t reserved;
    met__text names[MET__ATTRIBUTES_MAX];
    met__text values[MET__ATTRIBUTES_MAX];
    met__text quantities[MET__QUANTITIES_MAX];
} met__usage_shape;

/* A slot's key, read by its plan, as a dictionary value. out has
 * MET__SHAPE_VALUE_MAX bytes. MET_E_CORRUPT: the key does not fit the plan. */
met_error met__usage_shape_encode(const met__recording_plan *plan,
                                  const unsigned char *key, size_t key_size,
                                  unsigned char *out, size_t *size_out);
/* A dictionary value; out has MET__SHAPE_VALUE_MAX bytes. How many it took. */
size_t met__usage_shape_write(const met__usage_shape *shape,
                              unsigned char *out);
/* Texts point into value. MET_E_CORRUPT */
met_error met__usage_shape_decode(met__text value,
                                  met__usage_shape *shape_out);
met_error met__usage_shape_get(met__txn *txn, uint64_t number,
                               met__usage_shape *shape_out);
/* *number_out = 0: not in the dictionary. MET_E_CORRUPT: another shape has
 * this hash. */
met_error met__usage_shape_find(met__txn *txn, met__hash128 hash,
                                met__text value, uint64_t *number_out);
met_error met__usage_shape_add(met__txn *txn, met__hash128 hash,
                               met__text value, uint64_t *number_out);
/* A shape whose number is wanted. */
typedef struct met__new_shape {
    met__hash128 hash;
    met__text value;
    uint64_t *number_out;
} met__new_shape;

/* Finds or makes the numbers of all these, and marks the types of new ones as
 * recorded. The list is sorted by hash, so that both tables of the dictionary
 * are written in the order of their keys. MET_E_CORRUPT: two have one hash. */
met_error met__usage_shapes_number(met__txn *txn, met__new_shape *shapes,
                                   size_t count);

#endif
