/* What a customer was promised: every entitlement of every phase of all its
 * subscriptions. Only for this room. */
#ifndef MET_ENTITLEMENT_ALLOWANCE_H
#define MET_ENTITLEMENT_ALLOWANCE_H

#include "catalog/price.h"
#include "entitlement/access.h"

typedef struct met__allowance {
    const met__subscription *subscription;
    const met__rate_card *card;
    const met__feature *feature;
    const met__meter *meter; /* NULL: not metered, or the meter is gone */
    const met__unit_config *unit_config; /* NULL: the meter's own unit */
    met__quota_row row;
} met__allowance;

/* A customer with its allowances: subscriptions oldest first, phases and rate
 * cards in the plan's order. */
typedef struct met__holder {
    const met__customer *customer;
    met__text version; /* differs after every change of the customer */
    size_t subscription_count;
    size_t count;
    met__allowance *allowances;
} met__holder;

/* Plan versions already read, for callers that look at many customers. Lives
 * in one arena, for one transaction. */
typedef struct met__plan_terms met__plan_terms;
typedef struct met__terms_cache {
    met__plan_terms *first;
} met__terms_cache;

met_error met__holder_of(met__txn *txn, const met__customer *customer,
                         met__terms_cache *cache, met__arena *arena,
                         met__holder **holder_out);

/* Of the customer with this key; MET_E_NOT_FOUND names "customer_key". */
met_error met__holder_by_key(met__txn *txn, met__text customer_key,
                             met__arena *arena, met__holder **holder_out,
                             met_error_info *info);

/* The last nanosecond of the minute: what is in force then owns the minute. */
int64_t met__minute_last(int64_t at_ns);

/* The allowance of a feature that owns at_ns, or NULL. */
const met__allowance *met__holder_find(const met__holder *holder,
                                       met__text feature_key, int64_t at_ns);
/* The allowance that goes on where this one's period ends: the same when the
 * row goes on, or the one of the next phase, or NULL. */
const met__allowance *met__allowance_after(const met__holder *holder,
                                           const met__allowance *allowance,
                                           int64_t at_ns);

/* Whether usage of the meter adds up as it comes (count, sum). */
int met__meter_is_additive(const met__meter *meter);

/* usage in the unit of the allowance: converted, never rounded to units. */
met_error met__allowance_usage(const met__allowance *allowance,
                               met_decimal usage, met_decimal *out);

#endif
