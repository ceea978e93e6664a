/* Which usage belongs to which meter: the one rule that settlement's steps and
 * queries share. */
#ifndef MET_METER_USAGE_MATCH_H
#define MET_METER_USAGE_MATCH_H

#include "meter/meter_def.h"
#include "meter/usage_shape.h"

#define MET__MATCH_COUNTS UINT32_MAX /* what counts is the events */

typedef struct met__usage_match {
    uint32_t quantity; /* index in the shape's, or MET__MATCH_COUNTS */
    uint32_t reserved;
    met__text values[MET__DIMENSIONS_MAX]; /* beside meter->dimensions */
    met__text unique; /* of a unique count: what counts once */
} met__usage_match;

/* 0: events of this shape are nothing to this meter, at any time. */
int met__usage_matches(const met__meter *meter, const met__usage_shape *shape,
                       met__usage_match *match_out);
/* The first minute whose usage is the meter's, in minutes since 1970. */
int64_t met__usage_first_minute(const met__meter *meter);

#endif
