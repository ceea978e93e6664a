/* Balances: the settled usage of one usage period. Only for this room. */
#ifndef MET_ENTITLEMENT_BALANCE_H
#define MET_ENTITLEMENT_BALANCE_H

#include "entitlement/allowance.h"
#include "entitlement/grant_burn.h"

typedef struct met__balance {
    met_decimal total;    /* in the meter's unit */
    met_decimal admitted; /* of it, through admit */
} met__balance;

/* The stored balance when it is there and its proof holds, else the usage
 * query. An allowance without a meter has used nothing. */
met_error met__balance_get(met__txn *txn, const met__holder *holder,
                           const met__allowance *allowance,
                           met__period period, met__arena *arena,
                           met__balance *balance_out, met_error_info *info);

/* The same for a quota cell: of a meter that neither counts nor sums nothing
 * is taken. What is left is granted, as of now (ledger_quota.c), and checked.
 */
met_error met__balance_for_cell(met__txn *txn, const met__holder *holder,
                                const met__allowance *allowance,
                                met__period period, met__arena *arena,
                                met__balance *balance_out);

/* Stores the balance after `change` was written as parts in this transaction:
 * the stored one plus change, or the usage query. */
met_error met__balance_change(met__txn *txn, const met__holder *holder,
                              const met__allowance *allowance,
                              met__period period, const met__balance *change,
                              met__arena *arena, met__balance *balance_out);

/* Sets the cells of the period that owns at_ns and, ahead of its need, of the
 * one after it to what the store says, in a write transaction. balance, of the
 * first, may be NULL: it is read. What the table cannot take (a later period
 * has the place, no room) is left. In the first minutes of a period the next
 * one is not prepared, which would take the place of the one before: requests
 * of that are still under way. */
met_error met__balance_cells(met__txn *txn, met__quota_table *table,
                             const met__holder *holder,
                             const met__allowance *allowance, int64_t at_ns,
                             const met__balance *balance, met__arena *arena);
/* What a cell may give of what is granted, in the meter's unit: less usage that
 * did not come through admit. */
met_error met__balance_limit(const met__balance *balance, met_decimal granted,
                             int64_t *limit_out);

#endif
