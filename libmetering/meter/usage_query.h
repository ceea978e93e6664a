/* What was used: sums over the settled parts of a meter. */
#ifndef MET_METER_USAGE_QUERY_H
#define MET_METER_USAGE_QUERY_H

#include "meter/meter_def.h"

/* dimension = value; an event that lacks the dimension has the value "". */
typedef struct met__filter {
    met__text dimension;
    met__text value;
} met__filter;

/* How an event came in. A quota's base is what did not come through admit. */
enum {
    MET__USAGE_ANY = 0,
    MET__USAGE_ADMITTED = 1,
    MET__USAGE_OTHER = 2
};

enum {
    MET__WINDOW_NONE = 0,
    MET__WINDOW_MINUTE,
    MET__WINDOW_HOUR,
    MET__WINDOW_DAY,
    MET__WINDOW_MONTH
};

#define MET__USAGE_FIRST INT64_MIN
#define MET__USAGE_LAST INT64_MAX

typedef struct met__usage_query {
    const met__meter *meter;
    size_t subject_count; /* 0 = every subject */
    const met__text *subjects;
    size_t filter_count; /* all must hold */
    const met__filter *filters;
    int64_t from_ns; /* inclusive, on a minute; MET__USAGE_FIRST: open */
    int64_t to_ns;   /* exclusive, on a minute; MET__USAGE_LAST: open */
    uint32_t way;    /* MET__USAGE_* */
    uint32_t window; /* MET__WINDOW_*, UTC */
    size_t group_count; /* dimension names, or "subject" */
    const met__text *groups;
} met__usage_query;

/* What both calls below refuse: MET_E_INVALID (bounds, names of filters and
 * groups) · MET_E_UNSUPPORTED (an aggregation not served). */
met_error met__usage_query_check(const met__usage_query *query,
                                 met_error_info *info);
/* One number: the whole of [from, to) (no window, no groups). 0 when there is
 * no usage. MET_E_INVALID (bounds, names: info) · MET_E_UNSUPPORTED (an
 * aggregation not served) · MET_E_OVERFLOW */
met_error met__usage_total(met__txn *txn, const met__usage_query *query,
                           met__arena *arena, met_decimal *value_out,
                           met_error_info *info);
/* Rows {"from", "to", "value", "subject"?, "dimensions": {...}} ordered by
 * window, then by group values. Only rows that have data, and one with 0 when
 * events are counted in a closed range without windows and groups. A window is
 * shown whole; without windows open ends are the first and last minute that
 * has usage. Errors as above. */
met_error met__usage_rows(met__txn *txn, const met__usage_query *query,
                          met__arena *arena, met__node **array_out,
                          met_error_info *info);

#endif
