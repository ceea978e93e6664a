/* The wall clock, for those who read the monotonic one each time: how far it is
 * ahead of that changes only when somebody sets it, so it is looked at once a
 * millisecond. One thread at a time. */
#ifndef MET_BASE_WALL_CLOCK_H
#define MET_BASE_WALL_CLOCK_H

#include "base/platform.h"

/* How long a clock that was set may go unnoticed. */
#define MET__WALL_CLOCK_AGE_NS INT64_C(1000000)
/* How far a reading may be from the clock otherwise. */
#define MET__WALL_CLOCK_ERROR_NS INT64_C(1000)

/* All zero: nothing is known. */
typedef struct met__wall_clock {
    int64_t ahead_ns; /* of the monotonic clock */
    int64_t until_ns; /* monotonic: to be looked at again */
} met__wall_clock;

int64_t met__wall_clock_read(met__wall_clock *clock,
                             const met__platform *platform,
                             int64_t monotonic_ns);

/* UTC at the moment of monotonic_ns, which was read just now. A clock of the
 * host's is read each time. */
static inline int64_t met__wall_clock_ns(met__wall_clock *clock,
                                         const met__platform *platform,
                                         int64_t monotonic_ns)
{
    uint64_t left = (uint64_t)clock->until_ns - (uint64_t)monotonic_ns;

    return left - 1 < (uint64_t)MET__WALL_CLOCK_AGE_NS
               ? monotonic_ns + clock->ahead_ns
               : met__wall_clock_read(clock, platform, monotonic_ns);
}

#endif
