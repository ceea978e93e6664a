/* The catalog: features and plans, as JSON documents with the field names of
 * OpenMeter v3, and everything at once out of a declarative document.
 * docs/documents.md has an example of each. */
#ifndef METERING_CATALOG_H
#define METERING_CATALOG_H

#include "metering/types.h"

MET_BEGIN_DECLS

/* --- Features ------------------------------------------------------------- */

/**
 * Create a feature, or change its name and description.
 *
 * @param store      open store
 * @param json       {"key", "name", "description"?, "labels"?, "meter"?:
 *                   {"key", "filters"?: {dimension: condition}}}: up to 10 of
 *                   the meter's dimensions, all must hold; a condition is a
 *                   text, {"eq" or "neq" or "contains" or "ncontains": text},
 *                   {"in" or "nin": [text]}, {"exists": bool} or {"and" or
 *                   "or": [condition]}, nested twice at most
 * @param json_size  bytes; no NUL needed
 * @param json_out   the stored document; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (not JSON, or a field is wrong; unknown
 *         fields are refused) · MET_E_UNSUPPORTED (a field of the peer that
 *         this version does not serve; gt, gte, lt, lte, like and its kin in a
 *         filter) · MET_E_NOT_FOUND (the meter) ·
 *         MET_E_CONFLICT (other meter or filters while in service) ·
 *         MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is
 *         stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_feature_put(met_store *store,
                                                const char *json,
                                                size_t json_size,
                                                met_buffer *json_out,
                                                met_error_info *info);

/**
 * The latest feature of a key as JSON, archived or not.
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
MET_API MET_NODISCARD met_error met_feature_get(met_store *store,
                                                const char *key,
                                                size_t key_size,
                                                met_buffer *json_out,
                                                met_error_info *info);

/**
 * Every feature, by key: {"items": [...]}.
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
MET_API MET_NODISCARD met_error met_feature_list(met_store *store,
                                                 met_buffer *json_out,
                                                 met_error_info *info);

/**
 * Take a feature out of service. Plans that name it go on; new ones may not
 * name it; its key may be used again.
 *
 * @param store  open store
 * @param key    not necessarily NUL-terminated
 * @param info   NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (also when it is archived
 *         already) · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_feature_archive(met_store *store,
                                                    const char *key,
                                                    size_t key_size,
                                                    met_error_info *info);

/* --- Plans ---------------------------------------------------------------- */

/* For met_plan_publish and the calls on subscriptions: times in the past are
 * taken, for imports and for a replay in virtual time. */
#define MET_ALLOW_PAST UINT64_C(1)

/**
 * Create the draft version of a plan, or replace it. A document equal to the
 * newest version changes nothing, unless that one is archived or a feature's
 * key has another owner by now. A draft may still break rules; those are
 * listed in its "validation_errors". A document that names a "version" replaces
 * that one: a draft, or one that is only scheduled.
 *
 * @param store     open store
 * @param json      {"key", "name", "description"?, "labels"?, "currency",
 *                  "billing_cadence", "pro_rating_enabled"?,
 *                  "settlement_mode"?, "commitments"?: {"minimum"},
 *                  "version"?, "phases": [{"key", "name", "duration"?,
 *                  "rate_cards": [...]}]}
 * @param json_out  the stored version; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (field and reason; a critical rule by its
 *         code) · MET_E_UNSUPPORTED (a field, price or entitlement that this
 *         version does not serve) · MET_E_NOT_FOUND (no such version) ·
 *         MET_E_CONFLICT (the version is or was in force) · MET_E_OVERFLOW (a
 *         number of more than 34 digits) · MET_E_LIMIT · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_plan_put(met_store *store,
                                             const char *json,
                                             size_t json_size,
                                             met_buffer *json_out,
                                             met_error_info *info);

/**
 * The next draft of a plan: a copy of its highest version.
 *
 * @param store     open store
 * @param key       not necessarily NUL-terminated
 * @param json_out  the draft; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (there is
 *         a draft) · MET_E_LIMIT (2^32 - 1 versions) · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_plan_next(met_store *store,
                                              const char *key,
                                              size_t key_size,
                                              met_buffer *json_out,
                                              met_error_info *info);

/**
 * Publish the draft of a plan: it is in force from at_ns on, and the version
 * in force then ends there. Without a draft a version that is only scheduled
 * is moved to at_ns.
 *
 * @param store     open store
 * @param key       not necessarily NUL-terminated
 * @param at_ns     0 = now, else not in the past unless MET_ALLOW_PAST
 * @param flags     MET_ALLOW_PAST or 0
 * @param json_out  the published version; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (a rule the plan breaks: path and code) ·
 *         MET_E_NOT_FOUND (no such plan) · MET_E_CONFLICT (no draft; another
 *         version came into force between at_ns and now) · MET_E_UNSUPPORTED
 *         (an unknown flag; settlement by credits alone) · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @units  nanoseconds UTC      @owner json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_plan_publish(met_store *store,
                                                 const char *key,
                                                 size_t key_size,
                                                 int64_t at_ns,
                                                 uint64_t flags,
                                                 met_buffer *json_out,
                                                 met_error_info *info);

/**
 * End the active version of a plan now. Subscriptions to it go on.
 *
 * @param store  open store
 * @param key    not necessarily NUL-terminated
 * @param info   NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (no
 *         version is active) · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_plan_archive(met_store *store,
                                                 const char *key,
                                                 size_t key_size,
                                                 met_error_info *info);

/**
 * Remove a draft, a version that is scheduled and not yet in force (the one it
 * was to follow then goes on), or an archived one. With a plan's last version
 * go the plugins that are scoped to it.
 *
 * @param store    open store
 * @param key      not necessarily NUL-terminated
 * @param version  0 = the highest
 * @param info     NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (the
 *         version is active, or has had subscriptions) · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_plan_remove(met_store *store,
                                                const char *key,
                                                size_t key_size,
                                                uint32_t version,
                                                met_error_info *info);

/**
 * One version of a plan as JSON, with its status at an instant.
 *
 * @param store     open store
 * @param key       not necessarily NUL-terminated
 * @param version   0 = the highest active one then, or when none is active the
 *                  highest
 * @param at_ns     0 = now
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_BUSY (too many readers) · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @units  nanoseconds UTC      @owner json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_plan_get(met_store *store,
                                             const char *key, size_t key_size,
                                             uint32_t version, int64_t at_ns,
                                             met_buffer *json_out,
                                             met_error_info *info);

/**
 * Every version of every plan, by key and version: {"items": [...]}.
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
MET_API MET_NODISCARD met_error met_plan_list(met_store *store,
                                              met_buffer *json_out,
                                              met_error_info *info);

/* --- Declarative documents ------------------------------------------------ */

/* Flags of met_catalog_apply, beside MET_ALLOW_PAST. */
#define MET_APPLY_DRY_RUN UINT64_C(4) /* report what would change, only */
#define MET_APPLY_STRICT UINT64_C(8)  /* what is not served is an error */

/**
 * Apply a whole declarative document in one transaction: either everything
 * holds afterwards, or nothing has changed.
 *
 * The members may stand in any order, and so may what they refer to. An object
 * that is stored and not in the document stays; one that is equal to the
 * stored one changes nothing, so that applying twice is applying once. Plans
 * with "publish": true are published when they change; a customer that has a
 * subscription to the plan keeps it. The quota cells of customers whose
 * subscription is new are filled after the commit; whatever hinders that, the
 * first request or the next settlement makes up for it.
 *
 * @param store      open store
 * @param json       {"meters"?, "features"?, "notice_rules"?, "plans"?,
 *                   "customers"?, "subscriptions"?, "entitlements"?,
 *                   "grants"? (with effective_at), "billing_profiles"?
 *                   (with "customer"?: {"key"})}, each a list of the documents
 *                   that met_meter_put and its like take; and Kong's format:
 *                   {"_format_version"?, "services"?, "routes"?, "consumers"?,
 *                   "plugins"?, ...};
 *                   with "_export_version" it is what met_catalog_export gave:
 *                   everything is stored as it was, ids and past included, and
 *                   what is there already must be the same
 * @param json_size  bytes; no NUL needed
 * @param at_ns      0 = now; else what is taken for now, in the past only with
 *                   MET_ALLOW_PAST (imports, replays in virtual time)
 * @param flags      MET_ALLOW_PAST · MET_APPLY_DRY_RUN · MET_APPLY_STRICT
 * @param report_out {"changes": [{"kind", "key", "change": "created"|
 *                   "updated"|"unchanged"}], "ignored": [{"kind", "name",
 *                   "reason"}]} in the order of the work; the key of a
 *                   subscription is its customer's; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (not JSON, an unknown member, two objects of
 *         one key, or as the put of that kind) · MET_E_UNSUPPORTED (a field
 *         that is not served; with MET_APPLY_STRICT also an entity) ·
 *         MET_E_NOT_FOUND (a reference) · MET_E_CONFLICT · MET_E_OVERFLOW (a
 *         number of more than 34 digits) · MET_E_LIMIT · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @units  nanoseconds UTC
 * @owner  caller keeps json; report_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk; a dry run waits
 *         for the writer too
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_catalog_apply(met_store *store,
                                                  const char *json,
                                                  size_t json_size,
                                                  int64_t at_ns,
                                                  uint64_t flags,
                                                  met_buffer *report_out,
                                                  met_error_info *info);

/**
 * Everything that is configured, as one document that met_catalog_apply takes:
 * applied to an empty store it makes one whose export is the same, byte for
 * byte. Ids, times, all versions of plans and all subscriptions of customers
 * that are not removed are in it.
 *
 * Not in it: usage, balances, invoices, and the keys of credentials, of which
 * the store has only hashes. met_catalog_apply takes 16 MiB at most.
 *
 * @param store     open store
 * @param json_out  written only on MET_OK: {"_format_version",
 *                  "_export_version": 1, "meters", "features", "notice_rules",
 *                  "plans", "customers", "subscriptions",
 *                  "entitlements", "grants", "resets", "billing_profiles",
 *                  "services", "routes", "consumer_groups", "consumers",
 *                  "plugins"}
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_BUSY (too many
 *         readers) · MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_catalog_export(met_store *store,
                                                   met_buffer *json_out,
                                                   met_error_info *info);

MET_END_DECLS

#endif
