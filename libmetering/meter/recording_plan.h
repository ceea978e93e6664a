/* The recording plan: what a recorder keeps of an event, compiled from all
 * meters and numbered. Record: PLAN_REC[number]; META "recording_plan" is the
 * number in force.
 *
 * A plan is never changed: slot files name it, so its record stays. */
#ifndef MET_METER_RECORDING_PLAN_H
#define MET_METER_RECORDING_PLAN_H

#include "base/limits.h"
#include "store/store.h"

/* What is kept of the events of one type. Both lists are in the order of
 * their names. */
typedef struct met__recording_type {
    met__text type;
    size_t attribute_count;
    const met__text *attributes; /* canonical paths */
    const uint8_t *is_free;      /* beside them: may become __overflow__ */
    size_t quantity_count;
    const met__text *quantities;
    uint32_t counts;  /* some meter counts events without any quantity */
    uint32_t times;   /* some meter wants the latest value */
    uint64_t since;   /* the first plan that had this type */
} met__recording_type;

typedef struct met__recording_plan {
    uint64_t number; /* 0: nothing is recorded */
    size_t type_count;
    const met__recording_type *types; /* in the order of their names */
} met__recording_plan;

/* Compiles what the meters of this transaction want; a new number only when
 * it differs from the plan in force. MET_E_LIMIT: too many attributes or
 * quantities of one type (named in info at path). */
met_error met__recording_plan_compile(met__txn *txn, const met__path *path,
                                      uint64_t *number_out,
                                      met_error_info *info);
/* 0 when there was never a meter. */
met_error met__recording_plan_number(met__txn *txn, uint64_t *number_out);
/* The plan of a number; 0 is the empty one. MET_E_NOT_FOUND. */
met_error met__recording_plan_get(met__txn *txn, uint64_t number,
                                  met__arena *arena,
                                  met__recording_plan **plan_out);
/* NULL when the plan has no such type. */
const met__recording_type *
met__recording_plan_type(const met__recording_plan *plan, met__text type);

/* Whether usage of this type may lie anywhere already: settlement marks every
 * type it meets. */
met_error met__recorded_type_mark(met__txn *txn, met__text type);
met_error met__recorded_type_is_marked(met__txn *txn, met__text type,
                                       int *is_marked_out);

#endif
