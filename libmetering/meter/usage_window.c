/* Windows are a partition of time: each minute is in exactly one, also where a
 * zone turns its clocks back over midnight and names a day twice. A bound that
 * a zone puts inside a minute counts from the start of that minute. */
#include "meter/usage_window.h"

#define MINUTES_OF_HOUR 60
#define MINUTES_OF_DAY 1440
#define SECONDS_OF_DAY 86400

/* The first minute of a day, counted from 1970, in the range of times. */
static int64_t day_start(const met__zone *zone, int64_t days)
{
    met__civil civil = {0};
    int64_t utc_ns;

    if (zone == NULL) {
        return days * MINUTES_OF_DAY;
    }
    met__civil_from_days(days, &civil);
    if (met__zone_civil_to_ns(zone, &civil, &utc_ns) != MET_OK) {
        return days <= 0 ? 0 : MET__MINUTES_END;
    }
    return utc_ns / MET__MINUTE_NS;
}

/* The first day of a month, months_on later. */
static int64_t month_day(int64_t days, int32_t months_on)
{
    met__civil civil;

    met__civil_from_days(days, &civil);
    int32_t month = civil.month - 1 + months_on;
    return met__days_from_civil(civil.year + month / 12, month % 12 + 1, 1);
}

static int64_t local_day(const met__zone *zone, int64_t minute)
{
    int64_t seconds = minute * MINUTES_OF_HOUR;

    if (zone != NULL) {
        seconds += met__zone_offset_at(zone, minute * MET__MINUTE_NS);
    }
    return seconds / SECONDS_OF_DAY - (seconds % SECONDS_OF_DAY < 0);
}

void met__usage_window(uint32_t window, const met__zone *zone, int64_t minute,
                       int64_t *from_out, int64_t *to_out)
{
    int is_month = window == MET__WINDOW_MONTH;
    int64_t size = window == MET__WINDOW_HOUR ? MINUTES_OF_HOUR : 1;

    if (!is_month && window != MET__WINDOW_DAY) {
        *from_out = minute - minute % size;
        *to_out = *from_out + size;
        return;
    }
    int64_t day = local_day(zone, minute);
    if (is_month) {
        day = month_day(day, 0);
    }
    *from_out = day_start(zone, day);
    /* East of Greenwich time ends early in 2201, on a day that is out of range:
     * its minutes belong to the window before. */
    if (*from_out > minute) {
        day = is_month ? month_day(day - 1, 0) : day - 1;
        *from_out = day_start(zone, day);
    }
    for (;;) {
        day = is_month ? month_day(day, 1) : day + 1;
        *to_out = day_start(zone, day);
        if (minute < *to_out) {
            return;
        }
        *from_out = *to_out;
    }
}
