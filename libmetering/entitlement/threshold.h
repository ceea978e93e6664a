/* Which thresholds of a balance are passed: the question behind a notice to a
 * customer at 80 % of the allowance. Pure. */
#ifndef MET_ENTITLEMENT_THRESHOLD_H
#define MET_ENTITLEMENT_THRESHOLD_H

#include "entitlement/grant_burn.h"

enum {
    MET__THRESHOLD_USAGE_VALUE,      /* passed by usage above it */
    MET__THRESHOLD_USAGE_PERCENTAGE, /* … above so much of total_available */
    MET__THRESHOLD_BALANCE_VALUE     /* passed by a balance below it; 0 by a
                                        balance of 0 */
};

/* "usage_value", … in documents; by kind, ends with NULL. */
extern const char *const met__threshold_names[];

typedef struct met__threshold {
    uint32_t kind; /* MET__THRESHOLD_* */
    met_decimal value; /* above 0; of balances 0 or more */
} met__threshold;

#define MET__NO_THRESHOLD SIZE_MAX

/* MET_E_INVALID: a value is out of its range. */
met_error met__threshold_check(const met__threshold *threshold,
                               met_error_info *info);

/* One winner each: of usage the highest that is passed (of equal ones the last
 * in the list), of balances the lowest. When nothing is available none is: who
 * was given nothing passes nothing. Passing is strict, 100 % is not more than
 * 100 %; when_reached: reaching is enough. Shares with more digits than a
 * decimal has count to the places of usage. MET_E_INVALID: the value has a
 * balance and an overage · MET_E_OVERFLOW: usage has 100 times too much */
met_error met__threshold_passed(const met__threshold *thresholds,
                                size_t count, const met__burn_value *value,
                                int when_reached, size_t *usage_out,
                                size_t *balance_out);

#endif
