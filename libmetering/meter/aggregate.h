/* What an aggregation makes of usage: it joins in any order. */
#ifndef MET_METER_AGGREGATE_H
#define MET_METER_AGGREGATE_H

#include "meter/amount.h"
#include "meter/meter_def.h"
#include "meter/usage_cell.h"

/* Of nothing yet: all zero. */
typedef struct met__aggregate {
    met__wide value;     /* sum, least, greatest, latest, or how many */
    uint64_t count;      /* events that had the quantity */
    uint64_t event_ns;   /* of the latest: when it happened, */
    uint64_t recorded_ns; /* and when it was recorded */
    met__part_key key;   /* of the part that brought it */
} met__aggregate;

/* An item joins; quantity is met__usage_match's, and some part of the item had
 * it. MET_E_OVERFLOW (a sum beyond 34 digits) */
met_error met__aggregate_add(met__aggregate *self, uint32_t aggregation,
                             uint32_t quantity, const met__usage_item *item);
/* An average is rounded half to even at 18 decimals; all else is exact. */
met_error met__aggregate_value(const met__aggregate *self,
                               uint32_t aggregation, met_decimal *value_out);

#endif
