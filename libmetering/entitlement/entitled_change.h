/* What happens to grants and to entitlements that stand alone: created,
 * voided, removed, overridden, reset. In a write transaction; what is refused
 * changes nothing. */
#ifndef MET_ENTITLEMENT_ENTITLED_CHANGE_H
#define MET_ENTITLEMENT_ENTITLED_CHANGE_H

#include "entitlement/entitled.h"

#define MET__GRANTS_MAX 10000 /* of one customer: balances look at them all */

typedef struct met__entitled_call {
    met__txn *txn;
    const met__path *path;
    int64_t now_ns;
    int allow_past; /* imports and replays */
    met__arena *arena;
    met_error_info *info;
} met__entitled_call;

/* For the metered entitlement of the customer to the feature: the one in force
 * now, or the next. Not before its usage period of now, unless the past is
 * allowed. MET_E_NOT_FOUND (customer, entitlement) · MET_E_INVALID ·
 * MET_E_LIMIT */
met_error met__grant_create(const met__entitled_call *call,
                            const met__node *node,
                            met__stored_grant *grant_out);
/* at_ns 0: now. MET_E_NOT_FOUND · MET_E_INVALID · MET_E_CONFLICT (voided
 * before) */
met_error met__grant_void(const met__entitled_call *call, met__text id,
                          int64_t at_ns, met__stored_grant *grant_out);
/* Of one feature, or all when feature_key is empty; by feature, then age. */
met_error met__grant_list(met__txn *txn, met__text customer_key,
                          met__text feature_key, met__arena *arena,
                          met__node **array_out, met_error_info *info);

/* overrides: ends the one in force at its beginning, which must stand alone.
 * MET_E_NOT_FOUND (customer, feature; nothing to override) · MET_E_CONFLICT
 * (another one then; archived feature) · MET_E_INVALID */
met_error met__lone_create(const met__entitled_call *call,
                           const met__node *node, int overrides,
                           met__lone *lone_out);
/* Ends the one in force now, or the next one before it begins.
 * MET_E_NOT_FOUND · MET_E_CONFLICT (a subscription's) */
met_error met__lone_remove(const met__entitled_call *call,
                           met__text customer_key, met__text feature_key);
/* Begins a usage period. MET_E_NOT_FOUND · MET_E_INVALID */
met_error met__entitlement_reset(const met__entitled_call *call,
                                 met__text customer_key,
                                 met__text feature_key,
                                 const met__reset_request *request,
                                 int64_t *at_ns_out);
/* Refuses a change that leaves a customer two entitlements to one feature at
 * one instant: MET_E_CONFLICT with the reason. */
met_error met__entitlements_check(met__txn *txn, met__text customer_key,
                                  met__arena *arena, met_error_info *info);

#endif
