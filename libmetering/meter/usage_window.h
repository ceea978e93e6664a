/* Windows of a query: where the one begins and ends that a minute lies in. */
#ifndef MET_METER_USAGE_WINDOW_H
#define MET_METER_USAGE_WINDOW_H

#include "base/zone.h"

enum {
    MET__WINDOW_NONE = 0,
    MET__WINDOW_MINUTE,
    MET__WINDOW_HOUR,
    MET__WINDOW_DAY,
    MET__WINDOW_MONTH
};

/* One past the last minute there is. */
#define MET__MINUTES_END (MET__TIME_MAX / MET__MINUTE_NS + 1)

/* [*from_out, *to_out), in minutes since 1970, holds minute. Minutes and hours
 * are of real time, days and months of the zone's calendar; NULL is UTC. */
void met__usage_window(uint32_t window, const met__zone *zone, int64_t minute,
                       int64_t *from_out, int64_t *to_out);

#endif
