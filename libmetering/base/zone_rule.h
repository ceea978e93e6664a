/* The rule at the end of a TZif file, in the form of POSIX's TZ: what holds
 * after the last transition that is listed. */
#ifndef MET_BASE_ZONE_RULE_H
#define MET_BASE_ZONE_RULE_H

#include "base/bytes.h"

typedef struct met__zone_day {
    char kind; /* 'J' 1..365 without Feb 29, 'N' 0..365, 'M' month.week.day */
    int32_t month;
    int32_t week;
    int32_t day;
    int32_t second; /* of the day, wall clock; may be negative or beyond 24 h */
} met__zone_day;

typedef struct met__zone_rule {
    int32_t standard; /* seconds east of UTC */
    int32_t saving;
    int has_saving;
    met__zone_day begin; /* of saving time, in standard time */
    met__zone_day end;   /* of it, in saving time */
} met__zone_rule;

/* "CET-1CEST,M3.5.0,M10.5.0/3". MET_E_CORRUPT */
met_error met__zone_rule_read(met__text text, met__zone_rule *rule_out);
int32_t met__zone_rule_offset_at(const met__zone_rule *rule, int64_t utc_s);

#endif
