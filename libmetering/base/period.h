/* How periods lie to each other. A period is [from, to); a bound that is not
 * there is MET__PERIOD_OPEN_FROM or MET__PERIOD_OPEN_TO. Pure. */
#ifndef MET_BASE_PERIOD_H
#define MET_BASE_PERIOD_H

#include "base/calendar.h"

#define MET__PERIOD_OPEN_FROM INT64_MIN
#define MET__PERIOD_OPEN_TO INT64_MAX

/* Begins before it ends. */
int met__period_is_valid(met__period period);
/* from <= at < to */
int met__period_contains(met__period period, int64_t at_ns);
/* from <= at <= to */
int met__period_contains_inclusive(met__period period, int64_t at_ns);
/* from < at < to */
int met__period_contains_exclusive(met__period period, int64_t at_ns);
/* Touching periods do not overlap; inclusive: they do. */
int met__period_overlaps(met__period a, met__period b);
int met__period_overlaps_inclusive(met__period a, met__period b);
/* Whether all of part lies in whole. */
int met__period_is_superset(met__period whole, met__period part);
/* What both have; 0 when that is nothing (then *out is untouched). */
int met__period_intersection(met__period a, met__period b, met__period *out);
/* From the earlier beginning to the later end, gap included. */
met__period met__period_union(met__period a, met__period b);
/* What a has and b has not: 0 to 2 periods. */
size_t met__period_difference(met__period a, met__period b,
                              met__period out[2]);
/* Index of the last of `count` ascending instants that is <= at_ns, or -1. */
int64_t met__last_not_after(const int64_t *instants, size_t count,
                            int64_t at_ns);

#endif
