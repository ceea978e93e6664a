/* Looking at the wall clock. In: a reading of the monotonic clock. Out: UTC,
 * and how far it is ahead for the next ones. Readings that belong together and
 * were torn apart by an interrupt are not kept. */
#include "base/wall_clock.h"

int64_t met__wall_clock_read(met__wall_clock *clock,
                             const met__platform *platform,
                             int64_t monotonic_ns)
{
    int64_t utc_ns = met__now_utc_ns(platform);

    clock->until_ns = 0;
    if (met__platform_has_system_clock(platform)
        && met__now_monotonic_ns(platform) - monotonic_ns
               <= MET__WALL_CLOCK_ERROR_NS) {
        clock->ahead_ns = utc_ns - monotonic_ns;
        clock->until_ns = monotonic_ns + MET__WALL_CLOCK_AGE_NS;
    }
    return utc_ns;
}
