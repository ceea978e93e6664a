/* Notices: the host is told when a customer passes a threshold of an
 * allowance, and when a usage period begins.
 *
 * Rules say about what. A notice is written in the transaction that changed the
 * balance, waits in the store until it is acknowledged, and survives every
 * kill: it is delivered at least once, under an id that stays the same. The
 * library sends nothing; the host drains the queue, from as many threads and
 * processes as it likes. */
#ifndef METERING_NOTICE_H
#define METERING_NOTICE_H

#include "metering/types.h"

MET_BEGIN_DECLS

/**
 * Create a rule, or replace the one of the same key.
 *
 * "entitlements.balance.threshold" tells, for each usage period of each
 * metered entitlement, when usage is above a threshold ("usage_value", or
 * "usage_percentage" of the total available) or a balance below one
 * ("balance_value"; 0: nothing is left). Of several that are passed the highest
 * of usage and the lowest of balance tells. It tells again when another one is
 * passed than the last time, so also on the way back; after none was passed any
 * more, the same tells again. Exactly 100 % is not above 100 %, unless
 * "when_reached" is true. Who has nothing available is told nothing. A
 * threshold is looked at when a balance changes: a new rule tells nothing of
 * balances that stay as they are. Usage that comes later than a day after its
 * period tells nothing.
 *
 * "entitlements.reset" tells once for every usage period that begins while the
 * rule is there, with the first settlement after it; the first period of an
 * entitlement is no reset.
 *
 * At most 100 rules of 10 thresholds and 100 features each.
 *
 * @param store      open store
 * @param json       {"key", "name", "description"?, "type", "thresholds"?:
 *                   [{"type", "value"}], "when_reached"?, "features"?: [KEY,
 *                   ...] (all without it), "disabled"?}
 * @param json_size  bytes; no NUL needed
 * @param json_out   the stored rule; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (a feature) · MET_E_CONFLICT
 *         (another type than before) · MET_E_UNSUPPORTED (a field or type of
 *         the peer that is not served) · MET_E_LIMIT · MET_E_OVERFLOW ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_notice_rule_put(met_store *store,
                                                    const char *json,
                                                    size_t json_size,
                                                    met_buffer *json_out,
                                                    met_error_info *info);

/**
 * One rule.
 *
 * @param store     open store
 * @param key       not necessarily NUL-terminated
 * @param key_size  1 to 64 bytes
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_IO · MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_notice_rule_get(met_store *store,
                                                    const char *key,
                                                    size_t key_size,
                                                    met_buffer *json_out,
                                                    met_error_info *info);

/**
 * All rules, by key: {"items": [...]}.
 *
 * @param store     open store
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_notice_rule_list(met_store *store,
                                                     met_buffer *json_out,
                                                     met_error_info *info);

/**
 * Remove a rule. Notices that it has made stay until they are acknowledged; a
 * new rule of the same key begins anew.
 *
 * @param store     open store
 * @param key       not necessarily NUL-terminated
 * @param key_size  1 to 64 bytes
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_notice_rule_remove(met_store *store,
                                                       const char *key,
                                                       size_t key_size,
                                                       met_error_info *info);

/**
 * The oldest notices that nobody holds, in the order of their making. They are
 * held for the caller: until the lease is over nobody else gets them, then they
 * come again. So every notice comes at least once, to one drainer at a time;
 * whoever was slower than its lease may see that another one had it, too.
 *
 * @param store      open store
 * @param count_max  1 to 1000
 * @param lease_ns   1 second to 1 day; 0 = 60 seconds
 * @param json_out   {"items": [{"id", "created_at", "type", "rule": {"id",
 *                   "key"}, "customer": {"id", "key"}, "feature": {"id",
 *                   "key"}, "subscription_id" | "entitlement_id",
 *                   "current_usage_period": {"from", "to"}, "threshold"?:
 *                   {"type", "value"}, "value"?: {"balance", "usage",
 *                   "overage", "total_available"}, "repetition_key",
 *                   "deliveries", "leased_until"}]}; no items when none
 *                   waits. The id is 26 characters that rise from notice to
 *                   notice; repetition_key is the same for all notices of one
 *                   rule, kind, entitlement and usage period. Written only on
 *                   MET_OK
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_BUSY · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk, when one waits;
 *         otherwise it only reads
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_notice_next(met_store *store,
                                                uint32_t count_max,
                                                int64_t lease_ns,
                                                met_buffer *json_out,
                                                met_error_info *info);

/* For met_notice_ack: all older ones, too. Only for who drains alone. */
#define MET_NOTICE_AND_OLDER UINT64_C(1)

/**
 * Forget a notice: it has been taken care of.
 *
 * @param store    open store
 * @param id       its id, not necessarily NUL-terminated
 * @param id_size  26
 * @param flags    0 or MET_NOTICE_AND_OLDER
 * @param info     NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (it does not wait any more:
 *         acknowledged before, or dropped; nothing has changed) ·
 *         MET_E_UNSUPPORTED (flags) · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_notice_ack(met_store *store,
                                               const char *id, size_t id_size,
                                               uint64_t flags,
                                               met_error_info *info);

/**
 * What waits, without taking it. A million notices may wait; one more drops the
 * oldest.
 *
 * @param store      open store
 * @param count_max  1 to 1000
 * @param json_out   {"items": [...] as met_notice_next gives them, oldest
 *                   first, "waiting": how many do in all, "dropped": how many
 *                   ever were}. Written only on MET_OK
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_BUSY · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: pages may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_notice_list(met_store *store,
                                                uint32_t count_max,
                                                met_buffer *json_out,
                                                met_error_info *info);

MET_END_DECLS

#endif
