/* Which usage a query asks for. */
#ifndef MET_METER_USAGE_PASS_H
#define MET_METER_USAGE_PASS_H

#include "meter/usage_match.h"
#include "meter/usage_query.h"

/* Whether usage of this shape is in the answer; the match is the meter's. */
int met__usage_passes(const met__usage_query *query,
                      const met__usage_shape *shape,
                      met__usage_match *match_out);
/* Of a dimension, the subject, or the customer's key: rows are in its order. */
met__text met__usage_value_of(const met__usage_query *query,
                              const met__usage_shape *shape,
                              const met__usage_match *match, met__text name);

#endif
