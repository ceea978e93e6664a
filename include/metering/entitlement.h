/* Entitlements: what a customer may use of a feature, and what is left of it.
 * They come with plans (catalog.h, customer.h), or stand alone; grant.h adds to
 * them.
 *
 * Usage is known per minute: whatever begins or ends inside a minute applies to
 * usage from the start of that minute on, and an answer then says so in
 * "applied_at". */
#ifndef METERING_ENTITLEMENT_H
#define METERING_ENTITLEMENT_H

#include "metering/catalog.h"
#include "metering/platform.h"
#include "metering/types.h"

MET_BEGIN_DECLS

/**
 * What a customer may use of one feature at an instant.
 *
 * Counts settled usage: call met_store_settle first for the last second's. Who
 * asks before serving does not ask here but met_gateway_admit, with subject and
 * feature: it enforces allowances from shared memory, to the unit, in about a
 * microsecond. Of a meter that neither counts nor sums it reserves nothing:
 * it lets in while something was left at the last settlement. A value that is
 * no sum (latest, avg, min, max) is held against what is granted, and owes
 * nothing when it falls. A soft limit never takes access away; a hard one does
 * when nothing is left. In the past, usage is that up to the end of the minute
 * of at_ns.
 *
 * @param store         open store
 * @param customer_key  not necessarily NUL-terminated
 * @param feature_key   not necessarily NUL-terminated
 * @param at_ns         nanoseconds UTC; 0 = now
 * @param json_out      {"feature_key", "entitlement_id"? of one that stands
 *                      alone, "type"?: "metered"|"static"|"boolean",
 *                      "has_access", "balance"?, "usage"?, "overage"?,
 *                      "total_available"?, "is_soft_limit"?,
 *                      "current_usage_period"?: {"from", "to"}, "config"?,
 *                      "applied_at"?, "reason"?}; amounts are decimal texts.
 *                      Without access reason is "feature_not_found",
 *                      "no_subscription", "no_entitlement", "meter_not_found"
 *                      or "usage_limit_reached". Written only on MET_OK
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK (also without access) · MET_E_INVALID · MET_E_NOT_FOUND (the
 *         customer) · MET_E_UNSUPPORTED (a minute that is folded) ·
 *         MET_E_OVERFLOW · MET_E_NO_MEMORY · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_get(
    met_store *store, const char *customer_key, size_t customer_key_size,
    const char *feature_key, size_t feature_key_size, int64_t at_ns,
    met_buffer *json_out, met_error_info *info);

/**
 * Every entitlement of a customer in force at an instant, in the order of its
 * plan: {"items": [...]}, each as met_entitlement_get gives it.
 *
 * @param store         open store
 * @param customer_key  not necessarily NUL-terminated
 * @param at_ns         nanoseconds UTC; 0 = now
 * @param json_out      written only on MET_OK; no items without a subscription
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (the customer) ·
 *         MET_E_UNSUPPORTED (a minute that is folded) ·
 *         MET_E_OVERFLOW ·
 *         MET_E_NO_MEMORY · MET_E_IO · MET_E_MAP_FULL · MET_E_BUSY ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_list(
    met_store *store, const char *customer_key, size_t customer_key_size,
    int64_t at_ns, met_buffer *json_out, met_error_info *info);

/* Widths of the windows of a history, in UTC. */
#define MET_HISTORY_HOUR 0u
#define MET_HISTORY_DAY 1u

/**
 * How a customer used a metered entitlement: window by window, and by usage
 * period. It is the entitlement that is in force just before to_ns.
 *
 * Counts settled usage. What begins inside a minute owns all of it. A window in
 * which a usage period begins has the usage of both, and shows the new balance
 * in the next one.
 *
 * @param store         open store
 * @param customer_key  not necessarily NUL-terminated
 * @param feature_key   not necessarily NUL-terminated
 * @param from_ns       nanoseconds UTC, inside the first window; 0 = the
 *                      beginning of the usage period that to_ns ends in
 * @param to_ns         nanoseconds UTC, after from_ns, inside or at the end of
 *                      the last window; 0 = the end of this minute. Windows are
 *                      whole, except where the entitlement begins or ends and
 *                      where now is
 * @param window        MET_HISTORY_HOUR or MET_HISTORY_DAY; at most 10,000
 * @param json_out      {"feature_key", "from", "to", "windows": [{"from", "to",
 *                      "usage", "balance_at_start", "overage_at_start"}],
 *                      "segments": [{"from", "to", "usage", "balance_at_start",
 *                      "burned", "burned_by": [{"grant_id"? (without: what the
 *                      entitlement issues by itself), "amount",
 *                      "is_exhausted"}], "overage_at_end", "ended_by":
 *                      ["activity" | "recurrence" | "reset"]}], "periods":
 *                      [{"from", "to", "usage", "burned"}]}; amounts are
 *                      decimal texts. Written only on MET_OK
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (also: not metered, or before the entitlement
 *         began) · MET_E_NOT_FOUND (the customer, or an entitlement then) ·
 *         MET_E_LIMIT (more windows) · MET_E_UNSUPPORTED (the meter's
 *         aggregation, or a window that parts folded usage) · MET_E_OVERFLOW ·
 *         MET_E_NO_MEMORY · MET_E_IO · MET_E_MAP_FULL · MET_E_BUSY ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: pages may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_history(
    met_store *store, const char *customer_key, size_t customer_key_size,
    const char *feature_key, size_t feature_key_size, int64_t from_ns,
    int64_t to_ns, uint32_t window, met_buffer *json_out,
    met_error_info *info);

/**
 * Entitle a customer to a feature beside its subscriptions.
 *
 * @param store      open store
 * @param json       {"customer": {"key"}, "feature": {"key"}, "type":
 *                   "metered" | "static" | "boolean", "active_from"? (now),
 *                   "active_to"?, "metadata"?}; a static one: "config"; a
 *                   metered one: "usage_period": {"interval" of an hour or
 *                   more, "anchor"? (active_from)}, "measure_usage_from"?: a
 *                   time not behind active_from | "current_period_start" |
 *                   "now" (active_from), "issue_after_reset"? (0: only grants
 *                   give; at most 15 digits before the point and 9 behind
 *                   it), "issue_after_reset_priority"? (1),
 *                   "is_soft_limit"?, "preserve_overage_at_reset"?
 * @param json_size  bytes; no NUL needed
 * @param flags      MET_ALLOW_PAST (catalog.h) or 0: then active_from may lie
 *                   at most two minutes in the past
 * @param json_out   the stored entitlement with its id; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED · MET_E_NOT_FOUND (the
 *         customer or the feature) · MET_E_CONFLICT (another entitlement to the
 *         feature at that time; the feature is archived) · MET_E_LIMIT ·
 *         MET_E_OVERFLOW (an amount of more than 34 digits) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_create(
    met_store *store, const char *json, size_t json_size, uint64_t flags,
    met_buffer *json_out, met_error_info *info);

/**
 * The same, and the one in force when it begins, which must stand alone, ends
 * there. Usage from before counts again with an earlier measure_usage_from.
 *
 * @param store      open store
 * @param json       as for met_entitlement_create
 * @param json_size  bytes; no NUL needed
 * @param flags      MET_ALLOW_PAST or 0
 * @param json_out   the stored entitlement; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED · MET_E_NOT_FOUND (the
 *         customer, the feature, or one to override) · MET_E_CONFLICT (it is a
 *         subscription's; another entitlement at that time; the feature is
 *         archived) · MET_E_LIMIT · MET_E_OVERFLOW · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_override(
    met_store *store, const char *json, size_t json_size, uint64_t flags,
    met_buffer *json_out, met_error_info *info);

/**
 * End an entitlement that stands alone: the one in force, or the next one,
 * which then never is.
 *
 * @param store         open store
 * @param customer_key  not necessarily NUL-terminated
 * @param feature_key   not necessarily NUL-terminated
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (the customer, or an
 *         entitlement) · MET_E_CONFLICT (it is a subscription's) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing has changed then
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_remove(
    met_store *store, const char *customer_key, size_t customer_key_size,
    const char *feature_key, size_t feature_key_size, met_error_info *info);

/**
 * Begin a usage period by hand, also of a subscription's entitlement: what it
 * issues is full again, grants roll over. Gateways know of it within a second.
 *
 * @param store         open store
 * @param customer_key  not necessarily NUL-terminated
 * @param feature_key   not necessarily NUL-terminated
 * @param json          {"at"? (now), "retain_anchor"?, "preserve_overage"?}:
 *                      not in the future, not before the usage period of now,
 *                      not in the minute of the last reset; the next periods
 *                      begin at the minute of the reset and its like, or stay
 *                      where they were; overage is forgotten or kept, when
 *                      left out as the entitlement says. NULL with size 0: {}
 * @param json_size     bytes; no NUL needed
 * @param json_out      as met_entitlement_get, at that instant; NULL when not
 *                      wanted
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (also: not metered) · MET_E_NOT_FOUND (the
 *         customer, or an entitlement in force) · MET_E_UNSUPPORTED (the
 *         meter's aggregation, or usage that is folded) · MET_E_OVERFLOW ·
 *         MET_E_LIMIT (json) · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG; nothing has changed then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_reset(
    met_store *store, const char *customer_key, size_t customer_key_size,
    const char *feature_key, size_t feature_key_size, const char *json,
    size_t json_size, met_buffer *json_out, met_error_info *info);

/**
 * What-if: what would be left of an entitlement and its grants. Needs no store.
 *
 * @param json       {"entitlement": a metered one as met_entitlement_create
 *                   takes it, of which "usage_period", "measure_usage_from" (a
 *                   time, required), "issue_after_reset",
 *                   "issue_after_reset_priority" and
 *                   "preserve_overage_at_reset" count, "aggregation"?: "sum" |
 *                   "latest", "grants"?: [as met_grant_create takes them,
 *                   without customer and feature; also "id"?, "created_at"?
 *                   and "voided_at"?], "resets"?: [as met_entitlement_reset
 *                   takes them, ascending, each with "at"], "usage"?: [{"at",
 *                   "value"}], "at": a time, or ascending times}
 * @param json_size  bytes; no NUL needed
 * @param platform   memory to use; NULL for the defaults
 * @param json_out   {"values": [{"at", "balance", "usage", "overage",
 *                   "total_available", "usage_period_from", "grants": [{"id",
 *                   "balance"}]}]}, with all usage of at's minute; what the
 *                   entitlement issues by itself is "issued". Written only on
 *                   MET_OK
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (a field of the peer) ·
 *         MET_E_LIMIT (more than 100,000 in a list; too many periods) ·
 *         MET_E_OVERFLOW · MET_E_NO_MEMORY · MET_E_BUG
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks no
 * @thread any      @fork any      @since 0.1
 */
MET_API MET_NODISCARD met_error met_entitlement_simulate(
    const char *json, size_t json_size, const met_platform *platform,
    met_buffer *json_out, met_error_info *info);

MET_END_DECLS

#endif
