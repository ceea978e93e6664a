/* Civil time in UTC as integers: dates, RFC 3339, ISO 8601 durations, and
 * recurrences counted from their anchor (Jan 31, Feb 28, Mar 31).
 * Range: 1970-01-01T00:00:00Z up to the end of 2200. */
#ifndef MET_BASE_CALENDAR_H
#define MET_BASE_CALENDAR_H

#include <stdint.h>

#include "base/bytes.h"
#include "metering/time.h"

#define MET__SECOND_NS INT64_C(1000000000)
#define MET__MINUTE_NS (60 * MET__SECOND_NS)
#define MET__HOUR_NS (60 * MET__MINUTE_NS)
#define MET__DAY_NS (24 * MET__HOUR_NS)
#define MET__TIME_MAX INT64_C(7289654399999999999) /* 2200-12-31T23:59:59.9… */

typedef struct met__civil {
    int32_t year;
    int32_t month; /* 1..12 */
    int32_t day;   /* 1..31 */
    int32_t hour;
    int32_t minute;
    int32_t second;
    int32_t nanosecond;
} met__civil;

/* Days since 1970-01-01 of any date of the proleptic Gregorian calendar, and
 * back (year, month and day are set). */
int64_t met__days_from_civil(int64_t year, int32_t month, int32_t day);
void met__civil_from_days(int64_t days, met__civil *civil_out);

met_error met__civil_from_ns(int64_t utc_ns, met__civil *civil_out);
met_error met__civil_to_ns(const met__civil *civil, int64_t *utc_ns_out);
int32_t met__days_in_month(int32_t year, int32_t month);

met_error met__time_parse(met__text text, int64_t *utc_ns_out);
met_error met__time_print(int64_t utc_ns, met__buffer *buffer);

/* ISO 8601 duration; every part may be 0, none negative, none above 10^9.
 * Fractions of a second are kept to the nanosecond. */
typedef struct met__duration {
    int32_t years;
    int32_t months;
    int32_t weeks;
    int32_t days;
    int32_t hours;
    int32_t minutes;
    int32_t seconds;
    int32_t nanoseconds;
} met__duration;

met_error met__duration_parse(met__text text, met__duration *duration_out);
met_error met__duration_print(const met__duration *duration,
                              met__buffer *buffer);
int met__duration_is_zero(const met__duration *duration);
/* More than ten years: behind most times there is none such. */
int met__duration_is_long(const met__duration *duration);
/* at + count * duration, years, months (day clamped to the month's end),
 * weeks, days, then the clock. count may be negative. */
met_error met__duration_add(int64_t at_ns, const met__duration *duration,
                            int64_t count, int64_t *utc_ns_out);
/* sum += part, unit by unit; 0 when a unit became too great to mean a time.
 * Clock units carry, because 10^9 seconds are no more than 32 years. */
int met__duration_sum(met__duration *sum, const met__duration *part);
/* Whether `whole` is a whole multiple of `part` for all month lengths 28..31
 * and day lengths 23..25 hours. Nothing divides zero, zero divides nothing. */
int met__duration_divides(const met__duration *whole,
                          const met__duration *part);

/* The n-th point is anchor + n * interval, counted from the anchor. */
typedef struct met__recurrence {
    int64_t anchor_ns;
    met__duration interval;
} met__recurrence;

typedef struct met__period {
    int64_t from_ns; /* inclusive */
    int64_t to_ns;   /* exclusive */
} met__period;

met_error met__recurrence_point(const met__recurrence *recurrence, int64_t n,
                                int64_t *utc_ns_out);
/* The period [point n, point n+1) that contains at_ns, and n. Jumps, does not
 * iterate from the anchor. Both bounds must lie in the range of times. */
met_error met__recurrence_period_at(const met__recurrence *recurrence,
                                    int64_t at_ns, met__period *period_out,
                                    int64_t *n_out);
/* The same, but a bound outside of the range of times becomes its end: before
 * the first point time begins, and the last period lasts to MET__TIME_MAX,
 * which is no point. MET_E_INVALID only for what is no recurrence or time. */
met_error met__recurrence_period_within(const met__recurrence *recurrence,
                                        int64_t at_ns,
                                        met__period *period_out,
                                        int64_t *n_out);
/* How many points of the one are points of the other, too, in (from, to). Takes
 * no step for each of them. MET_E_INVALID as above. */
met_error met__recurrence_shared(const met__recurrence *a,
                                 const met__recurrence *b, int64_t from_ns,
                                 int64_t to_ns, int64_t *count_out);

#endif
