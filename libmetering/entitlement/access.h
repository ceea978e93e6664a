/* Entitlements: what a customer may use of a feature, when, and what is left.
 *
 * Stored: BALANCE[subscription id 0 feature key 0 period from:8] is the settled
 * usage of one usage period, kept by settlement as parts are written (new
 * minus stored, in the same transaction). A record carries a proof of what was
 * added up (subjects, feature, meter, bounds); one that is missing or whose
 * proof is another is derived from the parts, so what is read always equals
 * the usage query over the period.
 *
 * Usage is known per minute: whatever begins or ends inside a minute applies
 * to usage from the start of that minute on ("applied_at"). A minute therefore
 * belongs to what is in force at its last nanosecond. */
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
    uint64_t number_base; /* of the recurrence's period 0, modulo 2^64 */
    int64_t limit; /* of a period in which nothing was used otherwise */
} met__quota_row;

/* Keyed with the store's secret; the customer's id, so that a new customer of
 * an old key begins anew. */
met__hash128 met__quota_key(const met__secret *secret, met__text customer_id,
                            met__text feature_key);

/* A limit in the meter's unit as a quota cell keeps it: the whole units below
 * it, and a half for whatever is left beside them; cut at the cell's bounds. */
int64_t met__quota_limit(met_decimal limit);
/* What was taken of it, rounded up. */
int64_t met__quota_taken(met_decimal taken);

/* The period to which usage of at_ns belongs: its number, for met__quota_*,
 * and its exact bounds clipped to the row. Numbers rise from row to row of a
 * key; inside a subscription neighbours differ in the lowest bit. Of a row that
 * is not metered: the whole row, number 0. Pure. MET_E_NOT_FOUND when the last
 * nanosecond of at_ns's minute is outside [from, to). */
met_error met__quota_row_period(const met__quota_row *row, int64_t at_ns,
                                uint64_t *number_out, met__period *period_out);

/* Plan versions already read, the last one asked for first, for callers that
 * look at many customers in one transaction: at most MET__TERMS_MAX, which live
 * in the arena (NULL: in the one of each call, so that it is for one). */
#define MET__TERMS_MAX 256
typedef struct met__plan_terms met__plan_terms;
typedef struct met__terms_cache {
    met__arena *arena;
    met__plan_terms *first;
    size_t count;
} met__terms_cache;

/* Calls visit for every entitlement of a customer that is in force at at_ns
 * or later (scheduled phases too): the snapshot's rows. feature and the
 * settled usage of the current period come along. */
typedef struct met__quota_visit {
    const met__customer *customer;
    const met__feature *feature;
    const met__rate_card *card;
    met__quota_row row;
    int64_t limit; /* of the period at at_ns: less what was settled of it and
                      not through admit */
    int64_t taken; /* settled, through admit */
} met__quota_visit;
typedef met_error (*met__quota_visitor)(void *context,
                                        const met__quota_visit *visit);
met_error met__entitlements_each(met__txn *txn, const met__customer *customer,
                                 int64_t at_ns, met__terms_cache *terms,
                                 met__arena *arena, void *context,
                                 met__quota_visitor visit);

/* Access of a customer to a feature at an instant, from the store: document
 * {"feature_key", "type", "has_access", "balance"?, "usage"?, "overage"?,
 *  "total_available"?, "current_usage_period"? {"from","to"}, "is_soft_limit"?,
 *  "config"?, "applied_at"?, "reason"?}. Without access "reason" says why:
 * "feature_not_found", "no_subscription", "no_entitlement", "meter_not_found",
 * "usage_limit_reached". At an instant of an earlier minute than now: with the
 * usage up to the end of that minute. MET_E_NOT_FOUND: no such customer. */
met_error met__access_document(met__txn *txn, met__text customer_key,
                               met__text feature_key, int64_t at_ns,
                               met__arena *arena, met__node **node_out,
                               met_error_info *info);
/* Every entitlement in force, in the order of the plan: {"items": [...]}. */
met_error met__access_list(met__txn *txn, met__text customer_key,
                           int64_t at_ns, met__arena *arena,
                           met__node **node_out, met_error_info *info);

/* How a metered entitlement was used: {"feature_key", "from", "to", "windows":
 * [{"from", "to", "usage", "balance_at_start", "overage_at_start"}],
 * "segments": [{"from", "to", "usage", "balance_at_start", "burned",
 * "overage_at_end"}]}. It is the one in force in the minute before to_ns (0:
 * now); from_ns 0: its usage period's begin. Windows are hours or days of UTC,
 * whole except where the entitlement begins or ends and where now is.
 * MET_E_NOT_FOUND (customer, or entitlement) · MET_E_INVALID · MET_E_LIMIT
 * (more than MET__HISTORY_WINDOWS_MAX) · errors of usage */
#define MET__HISTORY_WINDOWS_MAX 10000
met_error met__access_history(met__txn *txn, met__text customer_key,
                              met__text feature_key, met__period period,
                              int64_t window_ns, met__arena *arena,
                              met__node **node_out, met_error_info *info);

/* The step that settlement runs: balances and then quota cells (limits,
 * next period), both inside the write transaction, so that of two settlers the
 * later one also writes the cells last. Cells are left alone while the table is
 * missing or not filled: who fills it reads these balances. One pass, one
 * step; not for two threads at once. */
typedef struct met__balance_step met__balance_step;
met_error met__balance_step_create(met_store *store,
                                   met__balance_step **step_out);
void met__balance_step_destroy(met__balance_step *step); /* may be NULL */
met__settle_step met__balance_step_of(met__balance_step *step);

/* DIR/quota-N.map of a store, N = MET__QUOTA_LAYOUT; close it with
 * met__quota_close. When it is new, of another boot, or was left half filled:
 * settles, then prepares the current and the next period of every entitlement
 * from the balances. Waits for the store's one writer then. */
met_error met__quota_open_store(met_store *store, met__quota_table **table_out,
                                met_error_info *info);
/* Sets or prepares the cells of one customer after its subscription changed.
 * txn: a write transaction (its abort or commit does not matter), because the
 * store's one writer orders who writes cells. */
met_error met__quota_refresh(met__txn *txn, met__quota_table *table,
                             const met__customer *customer, int64_t at_ns,
                             met__terms_cache *terms);
/* The same in the table of the store, when there is one. Not essential: a cell
 * that is missing is made by the request that misses it. */
met_error met__quota_announce(met__txn *txn, met__text customer_key);


#endif
