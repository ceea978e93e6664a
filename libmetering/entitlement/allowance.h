/* What a customer was promised: every entitlement of every phase of all its
 * subscriptions. Only for this room. */
#ifndef MET_ENTITLEMENT_ALLOWANCE_H
#define MET_ENTITLEMENT_ALLOWANCE_H

#include "catalog/price.h"
#include "entitlement/access.h"
#include "entitlement/entitled.h"

/* Of one entitlement there are as many as resets by hand part it into. */
typedef struct met__allowance {
    const met__subscription *subscription; /* NULL: it stands alone */
    met__text id; /* of the subscription, or of the entitlement */
    const met__rate_card *card;
    const met__feature *feature;
    const met__meter *meter; /* NULL: not metered, or the meter is gone */
    const met__unit_config *unit_config; /* NULL: the meter's own unit */
    met__period life; /* of all of it; usage counts from life.from on, which
                         may lie before the first row */
    int64_t measured_from_ns; /* of this row: life.from, or the reset */
    uint32_t priority;        /* of what each period is issued */
    int preserves_overage;    /* at its automatic resets */
    int begins_with_reset;    /* by hand; with debt preserved: 2 */
    met_decimal issued; /* to each period by itself, in the meter's unit */
    met__quota_row row;
} met__allowance;

/* A customer with its allowances: subscriptions oldest first, phases and rate
 * cards in the plan's order. */
typedef struct met__holder {
    const met__customer *customer;
    size_t subscription_count;
    size_t count;
    met__allowance *allowances;
    met__entitled entitled;
} met__holder;

met_error met__holder_of(met__txn *txn, const met__customer *customer,
                         met__terms_cache *cache, met__arena *arena,
                         met__holder **holder_out);

/* Of the customer with this key; MET_E_NOT_FOUND names "customer_key". */
met_error met__holder_load(met__txn *txn, met__text customer_key,
                           met__terms_cache *terms, met__arena *arena,
                           met__holder **holder_out, met_error_info *info);
/* The same, of one customer alone. */
met_error met__holder_by_key(met__txn *txn, met__text customer_key,
                             met__arena *arena, met__holder **holder_out,
                             met_error_info *info);

/* The last nanosecond of the minute: what is in force then owns the minute. */
int64_t met__minute_last(int64_t at_ns);

/* As met__quota_row_period, of a minute whose usage counts for the allowance,
 * also when that is before it is in force. */
met_error met__allowance_period(const met__allowance *allowance, int64_t at_ns,
                                uint64_t *number_out, met__period *period_out);
/* Two entitlements to one feature that are in force at one instant, or NULL:
 * nothing lasts for no time. */
const met__allowance *met__holder_twice(const met__holder *holder);
/* An amount in the allowance's unit, in the meter's: rounded down to the places
 * that usage has, and cut where no cell could hold it. */
met_error met__allowance_metered(const met__allowance *allowance,
                                 met_decimal amount, met_decimal *out);

/* The allowance of a feature that owns at_ns, or NULL. */
const met__allowance *met__holder_find(const met__holder *holder,
                                       met__text feature_key, int64_t at_ns);
/* The allowance that goes on where this one's period ends: the same when the
 * row goes on, or the one of the next phase, or NULL. */
const met__allowance *met__allowance_after(const met__holder *holder,
                                           const met__allowance *allowance,
                                           int64_t at_ns);

/* Whether anything of the feature outlives usage periods: grants, debt. */
int met__holder_carries(const met__holder *holder, met__text feature_key);

/* Whether usage of the meter adds up as it comes (count, sum). */
int met__meter_is_additive(const met__meter *meter);

/* usage in the unit of the allowance: converted, never rounded to units. */
met_error met__allowance_usage(const met__allowance *allowance,
                               met_decimal usage, met_decimal *out);

#endif
