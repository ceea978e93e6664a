/* When quota cells change by themselves: the end of a period, the expiry of a
 * grant, its next issue. Only for this room. */
#ifndef MET_ENTITLEMENT_DUE_H
#define MET_ENTITLEMENT_DUE_H

#include "limit/quota.h"
#include "store/store.h"

/* The customer's cells are to be set at at_ns; said twice is said once. */
met_error met__due_put(met__txn *txn, int64_t at_ns, met__text customer_key,
                       met__arena *arena);
/* Whether something is due. */
met_error met__due_any(met__txn *txn, int64_t now_ns, int *is_due_out);
/* Sets the cells of everybody who is due, some thousands at most, and forgets
 * that they were. In a write transaction. table NULL: who fills one sets all
 * cells, so nothing is due. */
met_error met__due_run(met__txn *txn, met__quota_table *table,
                       int64_t now_ns);

#endif
