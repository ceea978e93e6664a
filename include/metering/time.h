/* Time at the border: nanoseconds since 1970-01-01T00:00:00Z, and RFC 3339. */
#ifndef METERING_TIME_H
#define METERING_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"

MET_BEGIN_DECLS

#define MET_TIME_TEXT_SIZE 40 /* "2026-01-31T00:00:00.123456789Z" and a NUL */

/**
 * Read an RFC 3339 instant, "2026-01-31T12:00:00.5+01:00".
 *
 * @param text         not necessarily NUL-terminated
 * @param utc_ns_out   written only on MET_OK; years 1970 to 2200
 * @return MET_OK · MET_E_INVALID (not of that form, no such day, or out of
 *         range)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_time_parse(const char *text,
                                               size_t text_size,
                                               int64_t *utc_ns_out);

/**
 * Write an instant in UTC: "2026-01-31T11:00:00Z", fractions only if not 0.
 *
 * @param utc_ns    0 … the end of the year 2200
 * @param text_out  at least MET_TIME_TEXT_SIZE bytes, NUL-terminated
 * @return MET_OK · MET_E_INVALID (out of range, NULL)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_time_format(int64_t utc_ns,
                                                char *text_out);

MET_END_DECLS

#endif
