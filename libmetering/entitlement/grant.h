/* One grant: so many units of a feature from an instant on. When it is in
 * force, when it is issued anew, and which of several pays first. Pure; all
 * instants are exact. */
#ifndef MET_ENTITLEMENT_GRANT_H
#define MET_ENTITLEMENT_GRANT_H

#include "base/decimal.h"
#include "base/period.h"

#define MET__GRANT_PRIORITY_MAX 255
#define MET__NEVER MET__PERIOD_OPEN_TO /* an instant that does not come */

typedef struct met__grant {
    met__text id; /* unique among the grants of one entitlement */
    met_decimal amount;       /* above 0 */
    met_decimal rollover_min; /* what a reset leaves: min, then max */
    met_decimal rollover_max;
    int64_t created_at_ns;
    int64_t effective_at_ns;
    int64_t expires_at_ns; /* exclusive, as the next two; or MET__NEVER */
    int64_t voided_at_ns;
    int64_t deleted_at_ns;
    met__recurrence recurrence; /* issued anew at its points */
    uint32_t priority;          /* 0..255, lower pays first */
    int has_recurrence;
} met__grant;

enum {
    MET__EXPIRES_HOUR,
    MET__EXPIRES_DAY,
    MET__EXPIRES_WEEK,
    MET__EXPIRES_MONTH,
    MET__EXPIRES_YEAR
};

/* effective_at and `count` calendar units in UTC. A day that the month lacks
 * runs over into the next (31 January and a month: 2 or 3 March), where a
 * usage period would be cut. MET_E_INVALID: beyond the range of times. */
met_error met__grant_expiry(int64_t effective_at_ns, uint32_t unit,
                            int64_t count, int64_t *utc_ns_out);

/* Fields in their ranges; MET_E_INVALID names the one that is not. */
met_error met__grant_check(const met__grant *grant, met_error_info *info);

/* [effective_at, the first of expiry, void and deletion); empty when that is
 * not after effective_at. to_ns may be MET__NEVER. */
met__period met__grant_active(const met__grant *grant);

/* The first recurrence after at_ns, or at it when `inclusive`, while the grant
 * is in force; MET__NEVER when there is none. Jumps, whatever the anchor. */
met_error met__grant_recurs(const met__grant *grant, int64_t at_ns,
                            int inclusive, int64_t *utc_ns_out);

/* The order of paying, total: priority; what expires first (in whole seconds;
 * what never does is last); created first; id by bytes. */
int met__grant_compare(const met__grant *a, const met__grant *b);

#endif
