/* Grants: so many units of a feature for one customer, beside what its
 * entitlement issues by itself. They are burned by usage in a total order:
 * lower priority first, then what expires first, then the older one.
 *
 * A grant is the customer's, for a feature, and may be made for entitlements of
 * a subscription, too (a top-up). It counts while the customer has a metered
 * entitlement to the feature, whichever: when a phase or a plan follows
 * another, what is left goes on as over a reset. Instants apply to usage from
 * the start of their minute on. */
#ifndef METERING_GRANT_H
#define METERING_GRANT_H

#include "metering/catalog.h"
#include "metering/types.h"

MET_BEGIN_DECLS

/**
 * Grant a customer units of a feature.
 *
 * @param store      open store
 * @param json       {"customer": {"key"}, "feature": {"key"}, "amount",
 *                   "priority"? 0 to 255 (0), "effective_at"? (now),
 *                   "expiration"?: {"duration": "hour" | "day" | "week" |
 *                   "month" | "year", "count"}, "max_rollover_amount"? (the
 *                   amount), "min_rollover_amount"? (0), "recurrence"?:
 *                   {"interval", "anchor"? (effective_at)}, "metadata"?}; a
 *                   usage period's end leaves min(max, max(min, balance)), a
 *                   recurrence fills up to the amount. Amounts have at most
 *                   15 digits before the point and 9 behind it, as usage has
 * @param json_size  bytes; no NUL needed
 * @param flags      MET_ALLOW_PAST (catalog.h) or 0: then effective_at must
 *                   not lie before the usage period of now
 * @param json_out   the stored grant with its id; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (also: the entitlement is not metered) ·
 *         MET_E_UNSUPPORTED · MET_E_NOT_FOUND (the customer, or a metered
 *         entitlement now or to come) · MET_E_LIMIT (10,000 grants of a
 *         customer) · MET_E_OVERFLOW (an amount of more than 34 digits) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is
 *         stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_grant_create(met_store *store,
                                                 const char *json,
                                                 size_t json_size,
                                                 uint64_t flags,
                                                 met_buffer *json_out,
                                                 met_error_info *info);

/**
 * One grant as JSON, also when it is over.
 *
 * @param store     open store
 * @param id        of 26 characters; not necessarily NUL-terminated
 * @param json_out  as it was created, and "id", "created_at", "updated_at",
 *                  "expires_at"?, "voided_at"?, and "applied_at"? when it
 *                  begins inside a minute; written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_BUSY (too many readers) · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_grant_get(met_store *store, const char *id,
                                              size_t id_size,
                                              met_buffer *json_out,
                                              met_error_info *info);

/**
 * Every grant of a customer, those that are over too, by feature and age:
 * {"items": [...]}.
 *
 * @param store         open store
 * @param customer_key  not necessarily NUL-terminated
 * @param feature_key   of one feature; NULL with size 0: of all
 * @param json_out      written only on MET_OK
 * @param info          NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (the customer) ·
 *         MET_E_NO_MEMORY · MET_E_BUSY (too many readers) · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_grant_list(
    met_store *store, const char *customer_key, size_t customer_key_size,
    const char *feature_key, size_t feature_key_size, met_buffer *json_out,
    met_error_info *info);

/**
 * End a grant: what is left of it is gone, what it paid stays paid.
 *
 * @param store     open store
 * @param id        of 26 characters; not necessarily NUL-terminated
 * @param at_ns     nanoseconds UTC, not in the future; 0 = now
 * @param flags     MET_ALLOW_PAST or 0: then at_ns must not lie before the
 *                  usage period of now
 * @param json_out  the grant, with "voided_at"; NULL when not wanted
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (flags) ·
 *         MET_E_NOT_FOUND · MET_E_CONFLICT (voided already) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing has changed then
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_grant_void(met_store *store,
                                               const char *id, size_t id_size,
                                               int64_t at_ns, uint64_t flags,
                                               met_buffer *json_out,
                                               met_error_info *info);

MET_END_DECLS

#endif
