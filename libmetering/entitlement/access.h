/* Entitlements: what a customer may use of a feature, when, and what is left.
 *
 * Stored: BALANCE[subscription id 0 feature key 0 period from:8] is the settled
 * usage of one usage period: {total, admitted}, kept by settlement as parts
 * are written (new minus stored, in the same transaction). */
#ifndef MET_ENTITLEMENT_ACCESS_H
#define MET_ENTITLEMENT_ACCESS_H

#include "base/hash.h"
#include "customer/subscription.h"
#include "limit/quota.h"
#include "meter/settlement.h"

/* One rate card's entitlement of one subscription phase, flat and without
 * pointers, so that a snapshot may hold it. Times are exact; usage is parted
 * at the start of the minute. */
typedef struct met__quota_row {
    met__hash128 key;  /* met__quota_key of customer and feature */
    uint32_t type;     /* MET__ENTITLEMENT_* */
    uint32_t flags;    /* MET__QUOTA_SOFT */
    int64_t from_ns;   /* in force [from, to): phase cut by subscription */
    int64_t to_ns;
    met__recurrence usage_period; /* anchor = billing anchor */
    uint64_t number_base;         /* of the period that contains from_ns */
    int64_t granted;              /* 10^-6 of the unit, rounded down */
} met__quota_row;

/* Keyed with the store's secret; the customer's id, so that a new customer of
 * an old key begins anew. */
met__hash128 met__quota_key(const met__secret *secret, met__text customer_id,
                            met__text feature_key);

/* The period of a row at an instant: its number, for met__quota_*, and its
 * bounds clipped to the row. Pure. MET_E_NOT_FOUND outside [from, to). */
met_error met__quota_row_period(const met__quota_row *row, int64_t at_ns,
                                uint64_t *number_out, met__period *period_out);

/* Calls visit for every entitlement of a customer that is in force at at_ns
 * or later (scheduled phases too): the snapshot's rows. feature and the
 * settled usage of the current period come along. */
typedef struct met__quota_visit {
    const met__customer *customer;
    const met__feature *feature;
    const met__rate_card *card;
    met__quota_row row;
    int64_t base;  /* settled, not through admit, in the period at at_ns */
    int64_t taken; /* settled, through admit */
} met__quota_visit;
met_error met__entitlements_each(met__txn *txn, const met__customer *customer,
                                 int64_t at_ns, met__arena *arena,
                                 void *context,
                                 met_error (*visit)(
                                     void *context,
                                     const met__quota_visit *visit));

/* Access of a customer to a feature at an instant, from the store: document
 * {"feature_key", "type", "has_access", "balance"?, "usage"?, "overage"?,
 *  "total_available"?, "current_usage_period"? {"from","to"}, "is_soft_limit"?,
 *  "config"?, "applied_at"?, "reason"?}. MET_E_NOT_FOUND: no such customer. */
met_error met__access_document(met__txn *txn, met__text customer_key,
                               met__text feature_key, int64_t at_ns,
                               met__arena *arena, met__node **node_out,
                               met_error_info *info);
/* Every feature of the customer's subscription: {"items": [...]}. */
met_error met__access_list(met__txn *txn, met__text customer_key,
                           int64_t at_ns, met__arena *arena,
                           met__node **node_out, met_error_info *info);

/* The step settlement runs: balances in the transaction, quota cells (base,
 * granted, next period) after the commit. quota may be NULL: only balances. */
typedef struct met__balance_step met__balance_step;
met_error met__balance_step_create(met_store *store, met__quota_table *quota,
                                   met__balance_step **step_out);
void met__balance_step_destroy(met__balance_step *step); /* may be NULL */
met__settle_step met__balance_step_of(met__balance_step *step);

/* DIR/quota.map of a store, opened once per handle; when it is new or of
 * another boot its cells are prepared from the balances. */
met_error met__quota_open_store(met_store *store, met__quota_table **table_out,
                                met_error_info *info);
/* Sets or prepares the cells of one customer after its subscription changed;
 * call after the commit, with a read transaction. */
met_error met__quota_refresh(met__txn *txn, met__quota_table *table,
                             const met__customer *customer, int64_t at_ns);

#endif
