/* A cheap clock: the processor's counter between readings of the system's
 * clock. Reading the counter costs less than half of a reading of the clock. */
#ifndef MET_BASE_CHEAP_CLOCK_H
#define MET_BASE_CHEAP_CLOCK_H

#include "base/atomic.h"
#include "base/platform.h"

/* How far a reading may be from the system's monotonic clock at its moment, and
 * how far a reading may be behind an earlier one of another thread. */
#define MET__CHEAP_CLOCK_ERROR_NS 2000

typedef struct met__cheap_clock {
    const met__os *os;
    uint64_t rate;  /* nanoseconds of a tick, times 2^32 */
    uint64_t stale; /* ticks after which the system's clock is asked again */
    met__atomic_u64 sequence; /* odd: somebody writes the next two */
    met__atomic_u64 ticks;    /* the last reading of both */
    met__atomic_u64 ns;
} met__cheap_clock;

/* Takes the rate, which lasts about a millisecond. 0: this machine has no
 * steady counter. */
int met__cheap_clock_start(met__cheap_clock *clock, const met__os *os);
int64_t met__cheap_clock_ns(met__cheap_clock *clock);

/* Puts a cheap clock into the place of a platform's own one, which must outlive
 * the platform. 0: nothing has changed, for there is none, or the host has
 * brought its own clock. */
int met__cheap_clock_use(met__cheap_clock *clock, met__platform *platform);

#endif
