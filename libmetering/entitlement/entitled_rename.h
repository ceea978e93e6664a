/* What is stored for a customer beside its subscriptions, under its new key. */
#ifndef MET_ENTITLEMENT_ENTITLED_RENAME_H
#define MET_ENTITLEMENT_ENTITLED_RENAME_H

#include "entitlement/entitled.h"

/* Grants, entitlements that stand alone, what is due. is_erased: without
 * their metadata, and nothing is due any more. */
met_error met__entitled_rename(met__txn *txn, met__text customer_id,
                               met__text from, met__text to, int is_erased,
                               met__arena *arena);

#endif
