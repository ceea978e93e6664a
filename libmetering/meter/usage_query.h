/* What was used: a meter's settled parts, aggregated. */
#ifndef MET_METER_USAGE_QUERY_H
#define MET_METER_USAGE_QUERY_H

#include "meter/meter_def.h"
#include "meter/usage_condition.h"
#include "meter/usage_window.h"

/* The condition (usage_condition.h) holds for the dimension's value, which is
 * "" for an event that lacks the dimension. */
typedef struct met__filter {
    met__text dimension;
    met__text condition;
} met__filter;

/* Whose usage is one customer's; a subject is at most one customer's. */
typedef struct met__usage_customer {
    met__text id;
    met__text key;
    size_t subject_count;
    const met__text *subjects;
} met__usage_customer;

/* How an event came in. A quota's base is what did not come through admit. */
enum {
    MET__USAGE_ANY = 0,
    MET__USAGE_ADMITTED = 1,
    MET__USAGE_OTHER = 2
};

#define MET__USAGE_FIRST INT64_MIN
#define MET__USAGE_LAST INT64_MAX

typedef struct met__usage_query {
    const met__meter *meter;
    size_t subject_count; /* 0 = every subject */
    const met__text *subjects;
    size_t filter_count; /* a feature's: all must hold */
    const met__filter *filters;
    size_t condition_count; /* the request's: all must hold, too */
    const met__filter *conditions;
    size_t customer_count; /* 0 = everybody */
    const met__usage_customer *customers;
    /* Inside a minute only where all of its usage is of retained events. */
    int64_t from_ns; /* inclusive; MET__USAGE_FIRST: open */
    int64_t to_ns;   /* exclusive; MET__USAGE_LAST: open */
    uint32_t way;    /* MET__USAGE_* */
    uint32_t window; /* MET__WINDOW_* */
    const met__zone *zone; /* of days and months; NULL: UTC */
    size_t group_count; /* dimension names, "subject", or "customer_id": the
                           customers, by their keys */
    const met__text *groups;
} met__usage_query;

/* Whether all hold for values, which stand beside meter->dimensions. For a
 * dimension that the meter does not have nothing holds. */
int met__filters_hold(const met__meter *meter, const met__filter *filters,
                      size_t count, const met__text *values);

/* What the calls below refuse: MET_E_INVALID (bounds, names of filters and
 * groups). */
met_error met__usage_query_check(const met__usage_query *query,
                                 met_error_info *info);
/* One number: the whole of [from, to) (no window, no groups). 0 when there is
 * no usage. MET_E_INVALID (bounds, names: info) · MET_E_OVERFLOW */
met_error met__usage_total(met__txn *txn, const met__usage_query *query,
                           met_decimal *value_out, met_error_info *info);
/* An instant in [from, to] before which the range has no usage of the meter,
 * by its subjects and filters; to: it has none. Stops at the first record that
 * counts, so that who has used nothing is known without a look at each period.
 * Subjects are named, bounds are whole minutes. MET_E_CORRUPT */
met_error met__usage_first(met__txn *txn, const met__usage_query *query,
                           int64_t *at_ns_out);

/* --- Row by row ----------------------------------------------------------- */
/* Groups held at once: of a window with more the parts are read again. */
#define MET__USAGE_GROUPS_MAX (1u << 17)
/* When all rows are held anyway. */
#define MET__USAGE_GROUPS_ALL (1u << 24)

typedef struct met__usage_row {
    int64_t from_ns; /* of the whole window; without windows open ends are */
    int64_t to_ns;   /* the first and last minute that has usage */
    met_decimal value;
    const met__text *values; /* beside query->groups, until the next call */
} met__usage_row;

typedef struct met__usage_cursor met__usage_cursor;

/* txn and what query points to must outlive the cursor. groups_max is
 * MET__USAGE_GROUPS_MAX, or at least 2 in tests. */
met_error met__usage_open(met__txn *txn, const met__usage_query *query,
                          size_t groups_max, met__usage_cursor **cursor_out,
                          met_error_info *info);
/* By window, then by group values. Only what has usage, and one row of 0 when
 * events or values are counted in a closed range without windows and groups.
 * MET_E_NOT_FOUND at the end; after another error only closing is left. */
met_error met__usage_next(met__usage_cursor *cursor, met__usage_row *row_out,
                          met_error_info *info);
/* Records of usage that were read so far. Of folded usage that of others is
 * not, when subjects or customers are named (subject_index.h). */
uint64_t met__usage_looked_at(const met__usage_cursor *cursor);
void met__usage_close(met__usage_cursor *cursor); /* may be NULL */

/* {"from", "to", "value", "subject"?, "customer_id"? with "customer", its key,
 * "dimensions": {...}} */
met_error met__usage_row_document(const met__usage_query *query,
                                  const met__usage_row *row,
                                  met__arena *arena, met__node **node_out);
/* All rows. */
met_error met__usage_rows(met__txn *txn, const met__usage_query *query,
                          met__arena *arena, met__node **array_out,
                          met_error_info *info);

#endif
