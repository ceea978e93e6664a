/* What is stored for one customer beside its subscriptions: grants, resets by
 * hand, and entitlements that stand alone.
 *
 * Records: ENTITLED[customer id 0 feature key 0 kind id], where kind is one
 * letter (e, g, r) and a reset's id is its instant, 8 bytes; ENTITLED_ID[id]
 * is the key of an entitlement's or grant's record. Instants are kept as they
 * were given; usage is parted at the start of their minute. */
#ifndef MET_ENTITLEMENT_ENTITLED_H
#define MET_ENTITLEMENT_ENTITLED_H

#include "catalog/rate_card.h"
#include "customer/customer.h"
#include "entitlement/grant.h"

/* Whose it is, and of what. */
typedef struct met__entitled_owner {
    met__text customer_id;
    met__text customer_key;
    met__text feature_key;
} met__entitled_owner;

/* Document: {"customer": {"key"}, "feature": {"key"}, "amount", "priority"?,
 *   "effective_at"?, "expiration"?: {"duration", "count"},
 *   "max_rollover_amount"?, "min_rollover_amount"?,
 *   "recurrence"?: {"interval", "anchor"?}, "metadata"?}.
 *   Shown: also id, created_at, updated_at, expires_at?, voided_at?,
 *   applied_at?. */
typedef struct met__stored_grant {
    met__entitled_owner owner;
    met__grant terms; /* created, effective, expires, voided as given */
    int64_t expiration_count; /* 0: it never expires */
    uint32_t expiration_unit; /* MET__EXPIRES_* */
    uint32_t reserved;
    int64_t updated_at_ns;
    const met__node *metadata; /* NULL when none */
} met__stored_grant;

enum { MET__MEASURE_FROM_NOW, MET__MEASURE_FROM_PERIOD, MET__MEASURE_FROM_AT };

/* Document: {"customer": {"key"}, "feature": {"key"}, "type",
 *   "active_from"?, "active_to"?, "metadata"?} and of a static one "config", of
 *   a metered one "usage_period": {"interval", "anchor"?},
 *   "measure_usage_from"?: time | "current_period_start" | "now",
 *   "issue_after_reset"?, "issue_after_reset_priority"?, "is_soft_limit"?,
 *   "preserve_overage_at_reset"?. Shown: also id, created_at, updated_at. */
typedef struct met__lone {
    met__entitled_owner owner;
    met__text id;
    met__text feature_id; /* pinned when it was created */
    met__entitlement_template terms; /* limit is what each period is issued */
    met__recurrence usage_period;
    uint32_t priority; /* of what is issued */
    uint32_t measure_from;
    int preserves_overage;
    int has_priority;
    int64_t measured_from_ns;
    int64_t active_from_ns;
    int64_t active_to_ns; /* MET__TIME_MAX: no end */
    int64_t created_at_ns;
    int64_t updated_at_ns;
    const met__node *metadata;
} met__lone;

typedef struct met__stored_reset {
    met__text feature_key;
    int64_t at_ns;
    int retains_anchor;
    int preserves_overage;
} met__stored_reset;

/* All of one customer, by feature key, in the order of their keys. */
typedef struct met__entitled {
    size_t lone_count;
    met__lone *lones;
    size_t grant_count;
    met__stored_grant *grants;
    size_t reset_count;
    met__stored_reset *resets;
} met__entitled;

/* --- Documents ------------------------------------------------------------ */
/* is_record: a stored one, else what a caller wants. MET_E_INVALID with path
 * and reason · MET_E_UNSUPPORTED · MET_E_NO_MEMORY. What depends on others
 * (customer, feature, other entitlements, now) is grant_change.c's and
 * lone_change.c's. */
met_error met__grant_read(const met__node *node, const met__path *path,
                          int is_record, met__arena *arena,
                          met__stored_grant *grant_out, met_error_info *info);
met_error met__grant_document(const met__stored_grant *grant,
                              met__arena *arena, met__node **node_out);
met_error met__lone_read(const met__node *node, const met__path *path,
                         int is_record, met__arena *arena,
                         met__lone *lone_out, met_error_info *info);
met_error met__lone_document(const met__lone *lone, met__arena *arena,
                             met__node **node_out);
/* {"at"?, "retain_anchor"?, "preserve_overage"?}; -1: not stated. */
typedef struct met__reset_request {
    int64_t at_ns; /* -1: now */
    int retains_anchor;
    int preserves_overage; /* -1: as the entitlement says */
} met__reset_request;
met_error met__reset_read(const met__node *node, const met__path *path,
                          met__reset_request *request_out,
                          met_error_info *info);

/* --- Stored --------------------------------------------------------------- */
met_error met__entitled_each(met__txn *txn, met__text customer_id,
                             met__arena *arena, met__entitled *entitled_out);
/* Calls for every customer who has an entitlement that stands alone, removed
 * customers too. */
typedef met_error (*met__entitled_visit)(void *context, met__txn *txn,
                                         met__text customer_key);
met_error met__entitled_customers(met__txn *txn, void *context,
                                  met__entitled_visit visit);
met_error met__grant_get(met__txn *txn, met__text id, met__arena *arena,
                         met__stored_grant *grant_out);
met_error met__grant_put(met__txn *txn, const met__stored_grant *grant,
                         met__arena *arena);
met_error met__lone_put(met__txn *txn, const met__lone *lone,
                        met__arena *arena);
met_error met__reset_put(met__txn *txn, const met__entitled_owner *owner,
                         const met__stored_reset *reset, met__arena *arena);

#endif
