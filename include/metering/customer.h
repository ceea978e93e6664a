/* Customers, their subjects and their subscriptions, as JSON documents. */
#ifndef METERING_CUSTOMER_H
#define METERING_CUSTOMER_H

#include "metering/catalog.h"
#include "metering/types.h"

MET_BEGIN_DECLS

/* --- Customers ------------------------------------------------------------ */

/**
 * Create or replace a customer.
 *
 * @param store      open store
 * @param json       {"key", "name", "description"?, "labels"?, "currency"?,
 *                   "usage_attribution"?: {"subject_keys": [text, ...]}}
 * @param json_size  bytes; no NUL needed
 * @param json_out   the stored document; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED · MET_E_CONFLICT (a
 *         subject of another customer; other subjects or another currency
 *         while a subscription runs) · MET_E_LIMIT · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_customer_put(met_store *store,
                                                 const char *json,
                                                 size_t json_size,
                                                 met_buffer *json_out,
                                                 met_error_info *info);

/**
 * One customer as JSON.
 *
 * @param store     open store
 * @param key       not necessarily NUL-terminated
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_BUSY (too many readers) · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_customer_get(met_store *store,
                                                 const char *key,
                                                 size_t key_size,
                                                 met_buffer *json_out,
                                                 met_error_info *info);

/**
 * Whose usage is this subject: the customer of that key, else the one that
 * lists it among its subject keys.
 *
 * @param store     open store
 * @param subject   not necessarily NUL-terminated
 * @param json_out  the customer; written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_BUSY (too many readers) · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_customer_of_subject(met_store *store,
                                                        const char *subject,
                                                        size_t subject_size,
                                                        met_buffer *json_out,
                                                        met_error_info *info);

/**
 * Every customer that is not removed, by key: {"items": [...]}.
 *
 * @param store     open store
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_BUSY (too many
 *         readers) · MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_customer_list(met_store *store,
                                                  met_buffer *json_out,
                                                  met_error_info *info);

/**
 * Remove a customer. Its key and subjects are free again, its billing profile
 * goes; what was billed stays.
 *
 * @param store  open store
 * @param key    not necessarily NUL-terminated
 * @param info   NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (a
 *         subscription runs or is scheduled, an entitlement that stands alone
 *         is in force, an invoice is not issued yet, or settled usage or a fee
 *         is not billed) · MET_E_UNSUPPORTED, MET_E_OVERFLOW and MET_E_LIMIT
 *         (as met_invoice_preview) · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_customer_remove(met_store *store,
                                                    const char *key,
                                                    size_t key_size,
                                                    met_error_info *info);

/* --- Subscriptions -------------------------------------------------------- */

/* For met_subscription_cancel, _change and _migrate: at the end of the current
 * billing period. */
#define MET_CANCEL_NEXT_BILLING_CYCLE UINT64_C(2)

/**
 * Subscribe a customer to the active version of a plan, which is then pinned.
 *
 * @param store     open store
 * @param json      {"customer": {"key"}, "plan": {"key", "version"?} or
 *                  "custom_plan": {a plan without a key, for this one alone},
 *                  "name"?, "description"?, "labels"?, "active_from"?,
 *                  "active_to"?, "billing_anchor"?, "starting_phase"?};
 *                  without active_from now, without billing_anchor
 *                  active_from, without starting_phase the plan's first
 * @param flags     MET_ALLOW_PAST (catalog.h) or 0: then active_from may lie
 *                  at most two minutes in the past
 * @param json_out  the subscription with its id; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED · MET_E_NOT_FOUND (the
 *         customer or the plan, named in info) · MET_E_CONFLICT (the plan is
 *         not active; another subscription at that time; another currency) ·
 *         MET_E_OVERFLOW (a number of more than 34 digits in custom_plan) ·
 *         MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is
 *         stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_create(met_store *store,
                                                        const char *json,
                                                        size_t json_size,
                                                        uint64_t flags,
                                                        met_buffer *json_out,
                                                        met_error_info *info);

/**
 * End a subscription. One that has not begun ends where it would begin.
 *
 * @param store     open store
 * @param id        26 characters
 * @param at_ns     0 = now; else the start of one of its billing periods, not
 *                  in the past unless MET_ALLOW_PAST
 * @param flags     MET_CANCEL_NEXT_BILLING_CYCLE (at_ns must be 0) ·
 *                  MET_ALLOW_PAST (catalog.h)
 * @param json_out  the subscription; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (canceled
 *         or over already) · MET_E_UNSUPPORTED (an unknown flag) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @units  nanoseconds UTC      @owner json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_cancel(met_store *store,
                                                        const char *id,
                                                        size_t id_size,
                                                        int64_t at_ns,
                                                        uint64_t flags,
                                                        met_buffer *json_out,
                                                        met_error_info *info);

/**
 * Take the cancellation of a subscription back, before its end.
 *
 * @param store     open store
 * @param id        26 characters
 * @param json_out  the subscription; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (it is not
 *         canceled, or another subscription follows: met_subscription_restore
 *         removes that) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_continue(met_store *store,
                                                          const char *id,
                                                          size_t id_size,
                                                          met_buffer *json_out,
                                                          met_error_info *info);

/**
 * Another plan for a customer: ends this subscription and begins the next one
 * at the same instant. Each names the other.
 *
 * @param store     open store
 * @param id        26 characters
 * @param json      {"plan": {"key", "version"?} or "custom_plan": {...},
 *                  "billing_anchor"?, "starting_phase"?, "name"?,
 *                  "description"?, "labels"?}; what is not stated stays, the
 *                  billing anchor too
 * @param at_ns     0 = now; else the start of one of its billing periods, not
 *                  in the past unless MET_ALLOW_PAST
 * @param flags     MET_CANCEL_NEXT_BILLING_CYCLE (at_ns must be 0) ·
 *                  MET_ALLOW_PAST (catalog.h)
 * @param json_out  {"current": ..., "next": ...}; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (not
 *         active; the plan is not active; another currency) ·
 *         MET_E_UNSUPPORTED · MET_E_OVERFLOW (a number of more than 34 digits
 *         in custom_plan) · MET_E_LIMIT ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @units  nanoseconds UTC
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_change(
    met_store *store, const char *id, size_t id_size, const char *json,
    size_t json_size, int64_t at_ns, uint64_t flags, met_buffer *json_out,
    met_error_info *info);

/**
 * A later version of the same plan: as met_subscription_change.
 *
 * @param store     open store
 * @param id        26 characters
 * @param json      NULL with size 0, or {"target_version"?,
 *                  "starting_phase"?, "billing_anchor"?}; without
 *                  target_version the highest one that is or was in force
 * @param at_ns     as of met_subscription_change
 * @param flags     as of met_subscription_change
 * @param json_out  {"current": ..., "next": ...}; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (not
 *         active; a custom plan; the version is not later, or a draft) ·
 *         MET_E_UNSUPPORTED · MET_E_LIMIT ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @units  nanoseconds UTC
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_migrate(
    met_store *store, const char *id, size_t id_size, const char *json,
    size_t json_size, int64_t at_ns, uint64_t flags, met_buffer *json_out,
    met_error_info *info);

/**
 * Take a change back before it takes effect: removes every subscription of the
 * customer that is scheduled, and continues this one.
 *
 * @param store     open store
 * @param id        26 characters; a canceled one
 * @param json_out  the subscription; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (it is not
 *         canceled) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_restore(met_store *store,
                                                         const char *id,
                                                         size_t id_size,
                                                         met_buffer *json_out,
                                                         met_error_info *info);

/**
 * Remove a subscription that has not begun. It is in no list then, but can
 * still be got by its id.
 *
 * @param store  open store
 * @param id     26 characters; a scheduled one
 * @param info   NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (it is not
 *         scheduled) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_remove(met_store *store,
                                                        const char *id,
                                                        size_t id_size,
                                                        met_error_info *info);

/**
 * One subscription as JSON, with its status, phase and billing period at an
 * instant.
 *
 * @param store     open store
 * @param id        26 characters
 * @param at_ns     0 = now
 * @param json_out  written only on MET_OK; "current_phase" and
 *                  "current_billing_period" only when it is in force then
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_BUSY (too many readers) · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @units  nanoseconds UTC      @owner json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_get(met_store *store,
                                                     const char *id,
                                                     size_t id_size,
                                                     int64_t at_ns,
                                                     met_buffer *json_out,
                                                     met_error_info *info);

/**
 * The subscriptions of one customer, or of all: {"items": [...]}, oldest
 * first.
 *
 * @param store         open store
 * @param customer_key  NULL with size 0 = of all customers
 * @param json_out      written only on MET_OK
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (the customer) ·
 *         MET_E_NO_MEMORY · MET_E_BUSY (too many readers) · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subscription_list(
    met_store *store, const char *customer_key, size_t customer_key_size,
    met_buffer *json_out, met_error_info *info);

/* --- Renames and erasures ------------------------------------------------- */

/**
 * Forget who a customer was. It is removed as by met_customer_remove, and in
 * its place, that of its subjects and of its subscriptions' names there stands
 * "erased:" and an id. Usage totals stay, under these names; raw events of its
 * subjects are removed, and so are the gateway's consumers of these subjects
 * with their keys. Without a customer of the key those are meant that had it
 * and were removed. Issued invoices stay as they are.
 *
 * Not reached: what a recorder counted and nobody has settled yet (settle
 * first), names in the slot file of a recorder until it uses the place again,
 * pages of data.mdb that are free and not yet used again (a backup has none),
 * and backups.
 *
 * @param store      open store
 * @param key        not necessarily NUL-terminated
 * @param json       {"reason", "actor"}: for the audit
 * @param json_size  bytes; no NUL needed
 * @param json_out   the audit's record: {"number", "at", "action", "to",
 *                   "reason", "actor", "counts"}; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (as
 *         met_customer_remove; a consumer stands for anonymous clients) ·
 *         MET_E_UNSUPPORTED, MET_E_OVERFLOW and MET_E_LIMIT (as
 *         met_invoice_preview; also json) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk; looks at every
 *         series, retained event and adjustment
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_customer_erase(
    met_store *store, const char *key, size_t key_size, const char *json,
    size_t json_size, met_buffer *json_out, met_error_info *info);

/**
 * Forget a subject: the same for one subject alone, which need not be
 * anybody's. A customer that lists it lists the name in its place, so its bill
 * stays right.
 *
 * @param store     open store
 * @param subject   not necessarily NUL-terminated
 * @param json      {"reason", "actor"}
 * @param json_out  the audit's record; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK (also when there is nothing of it) · MET_E_INVALID ·
 *         MET_E_CONFLICT (the key of a customer: erase that; a consumer stands
 *         for anonymous clients) · MET_E_LIMIT ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk; looks at every
 *         series, retained event and adjustment
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subject_erase(
    met_store *store, const char *subject, size_t subject_size,
    const char *json, size_t json_size, met_buffer *json_out,
    met_error_info *info);

/**
 * Another key for a customer, at any time. The old key stays one of its subject
 * keys, so that usage is whose it was; its invoices are found by the new key
 * and stay as they were issued.
 *
 * @param store     open store
 * @param key       not necessarily NUL-terminated
 * @param json      {"to", "reason", "actor"}
 * @param json_out  the audit's record, with "from"; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (the new
 *         key is a key or a subject key; an invoice is not issued yet) ·
 *         MET_E_LIMIT (no room for another subject key) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk; looks at every
 *         series, retained event and adjustment
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_customer_rename(
    met_store *store, const char *key, size_t key_size, const char *json,
    size_t json_size, met_buffer *json_out, met_error_info *info);

/**
 * Another name for a subject: its settled usage moves to the new name, and a
 * customer that lists it lists that. What is still counted under the old name
 * afterwards is usage of the old name.
 *
 * @param store     open store
 * @param subject   not necessarily NUL-terminated
 * @param json      {"to", "reason", "actor"}
 * @param json_out  the audit's record, with "from"; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK (also when there is nothing of it) · MET_E_INVALID ·
 *         MET_E_CONFLICT (the key of a customer: rename that; the new name is a
 *         customer's) · MET_E_LIMIT ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk; looks at every
 *         series, retained event and adjustment
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_subject_rename(
    met_store *store, const char *subject, size_t subject_size,
    const char *json, size_t json_size, met_buffer *json_out,
    met_error_info *info);

/**
 * Every rename, erasure and rotation of a key (met_credential_rotate), oldest
 * first: {"items": [...]}. What was erased is named by what stands in its
 * place.
 *
 * @param store     open store
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_BUSY (too many
 *         readers) · MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_audit_list(met_store *store,
                                               met_buffer *json_out,
                                               met_error_info *info);

MET_END_DECLS

#endif
