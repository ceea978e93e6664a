/* Time zones out of the system's TZif files (RFC 9636). A zone is immutable
 * once it is read: any thread may use it, nothing global is touched.
 * Civil times that a zone skips move forward by the length of the gap; of two
 * instants with the same civil time the earlier one is meant. */
#ifndef MET_BASE_ZONE_H
#define MET_BASE_ZONE_H

#include "base/calendar.h"

#define MET__ZONE_NAME_SIZE_MAX 64
#define MET__ZONE_DIRECTORY "/usr/share/zoneinfo"

typedef struct met__zone met__zone;

/* "Europe/Budapest", "UTC". MET_E_INVALID (not a zone's name) ·
 * MET_E_NOT_FOUND (this system has no such zone) · MET_E_CORRUPT (the file is
 * no TZif file) · MET_E_IO · MET_E_NO_MEMORY */
met_error met__zone_open(const met__platform *platform, met__text name,
                         met__zone **zone_out, met_error_info *info);
void met__zone_close(met__zone *zone); /* may be NULL */

/* Out of the bytes of a file, for fuzzing. */
met_error met__zone_read(const met__platform *platform, met__text bytes,
                         met__zone **zone_out);

/* Seconds east of UTC at an instant. */
int32_t met__zone_offset_at(const met__zone *zone, int64_t utc_ns);
/* MET_E_INVALID: no such day or time of day, or out of the range of times. */
met_error met__zone_civil_to_ns(const met__zone *zone,
                                const met__civil *civil, int64_t *utc_ns_out);
/* As met__duration_add, with years, months, weeks and days by the zone's wall
 * clock; hours and less are of real time. zone NULL: UTC. */
met_error met__zone_add(const met__zone *zone, int64_t at_ns,
                        const met__duration *duration, int64_t count,
                        int64_t *utc_ns_out);

#endif
