/* Grants, entitlements that stand alone and resets in declarative documents:
 * as a person states them, and as they are exported with ids and times. */
#ifndef MET_ENTITLEMENT_ENTITLED_TRANSFER_H
#define MET_ENTITLEMENT_ENTITLED_TRANSFER_H

#include "entitlement/entitled_change.h"

/* Creates what is not there. A customer that has an entitlement to the feature
 * that is as stated keeps it (MET__CHANGE_NONE). MET_E_CONFLICT: another. */
met_error met__lone_apply(const met__entitled_call *call,
                          const met__node *node, uint32_t *change_out,
                          met__text *customer_key_out);
/* The same; a grant must state effective_at, so that applying twice is
 * granting once. */
met_error met__grant_apply(const met__entitled_call *call,
                           const met__node *node, uint32_t *change_out,
                           met__text *customer_key_out);

/* All of one customer, appended. */
met_error met__entitled_export(met__txn *txn, const met__customer *customer,
                               met__arena *arena, met__node *entitlements,
                               met__node *grants, met__node *resets);
/* As they were exported. MET_E_NOT_FOUND: the customer or the feature ·
 * MET_E_CONFLICT: the store has another one in its place. */
met_error met__lone_import(const met__entitled_call *call,
                           const met__node *node, uint32_t *change_out,
                           met__text *customer_key_out);
met_error met__grant_import(const met__entitled_call *call,
                            const met__node *node, uint32_t *change_out,
                            met__text *customer_key_out);
met_error met__reset_import(const met__entitled_call *call,
                            const met__node *node, uint32_t *change_out,
                            met__text *customer_key_out);

#endif
