/* Meters: which events count, how they are added up, by which dimensions.
 *
 * Document: {"key", "name", "description"?, "event_type", "aggregation":
 *   "sum"|"count"|"unique_count"|"avg"|"min"|"max"|"latest",
 *   "value_property"? ("$.tokens"; forbidden for count, else required),
 *   "dimensions"?: {NAME: "$.path", ...}, "events_from"?}
 * The library adds id, created_at, updated_at, counting_since: the instant
 * from which every recorder keeps what the meter needs; missing as long as one
 * does not. Usage of an event type that was never recorded before its meter
 * counts whole, also of earlier minutes. Usage recorded before a dimension was
 * added has the value "" there.
 *
 * Paths are the subset $.a.b, ['x'], [n]; kept in canonical form without the
 * leading "$." ("a.b", "x[0]"): that is an attribute's name. Record:
 * METER[key].
 */
#ifndef MET_METER_METER_DEF_H
#define MET_METER_METER_DEF_H

#include "base/limits.h"
#include "store/object.h"
#include "store/store.h"

enum {
    MET__AGGREGATION_SUM = 1,
    MET__AGGREGATION_COUNT,
    MET__AGGREGATION_UNIQUE_COUNT,
    MET__AGGREGATION_AVG,
    MET__AGGREGATION_MIN,
    MET__AGGREGATION_MAX,
    MET__AGGREGATION_LATEST
};

typedef struct met__dimension {
    met__text name;
    met__text attribute; /* canonical path */
} met__dimension;

typedef struct met__meter {
    met__text id;
    met__text key;
    met__text name;
    met__text description;
    met__text event_type;
    uint32_t aggregation;
    uint32_t reserved;
    met__text value_attribute; /* empty for count */
    size_t dimension_count;
    met__dimension dimensions[MET__DIMENSIONS_MAX];
    int64_t events_from_ns;    /* 0 = from the beginning */
    int64_t counting_since_ns; /* 0 = not published by every live slot yet */
    int64_t created_at_ns;     /* 0 = not stored */
    int64_t updated_at_ns;
    int64_t counts_from_ns; /* usage of earlier minutes is not this meter's:
                               INT64_MIN all counts, INT64_MAX none yet */
    uint64_t plan;   /* the recording plan that first kept all it needs */
    uint32_t pinned; /* bit per dimension: never becomes __overflow__ */
    uint32_t reserved_too;
} met__meter;

/* 0: it began to count after that, and has nothing of what was used until then.
 */
static inline int met__meter_knows(const met__meter *meter, int64_t until_ns)
{
    return meter->counts_from_ns < until_ns;
}

/* Shape and own rules, no store. */
met_error met__meter_read(const met__node *node, const met__path *path,
                          met__arena *arena, met__meter **meter_out,
                          met_error_info *info);
/* Creates, or updates name, description and dimensions (MET_E_CONFLICT for
 * anything else). Compiles and numbers a new recording plan when what is
 * recorded changes. change_out (may be NULL) is MET__CHANGE_*. */
met_error met__meter_put(met__txn *txn, const met__node *node,
                         const met__path *path, uint32_t *change_out,
                         met_error_info *info);
/* MET_E_NOT_FOUND. */
met_error met__meter_get(met__txn *txn, met__text key, met__arena *arena,
                         met__meter **meter_out);
/* The caller has asked met__feature_using_meter first. MET_E_NOT_FOUND. */
met_error met__meter_remove(met__txn *txn, met__text key,
                            met_error_info *info);
/* The dimension is sold by: its values are kept whatever it costs, never made
 * __overflow__ when a recorder has too many shapes. MET_E_NOT_FOUND: no such
 * meter or dimension. */
met_error met__meter_pin(met__txn *txn, met__text key, met__text dimension);
/* Dimensions that putting this document would take away or give another path:
 * the caller asks met__feature_using_meter for each of them first. 0 when
 * there is no such meter yet. names_out: room for MET__DIMENSIONS_MAX. */
met_error met__meter_dropped(met__txn *txn, const met__meter *meter,
                             met__arena *arena, met__text *names_out,
                             size_t *count_out);
/* Meters that wait for the recorders: from the next minute on they count,
 * once every live slot has published their plan. */
met_error met__meters_publish(met__txn *txn);
/* A stored record; its texts live as long as value or the arena. */
met_error met__meter_unpack(met__arena *arena, met__text value,
                            met__meter **meter_out);
met_error met__meter_document(met__txn *txn, met__text key, met__arena *arena,
                              met__node **node_out);
/* By key. */
met_error met__meter_list(met__txn *txn, met__arena *arena,
                          met__node **array_out);
const met__dimension *met__meter_dimension(const met__meter *meter,
                                           met__text name); /* or NULL */

#endif
