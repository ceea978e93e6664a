/* Usage: meters, settlement of what recorders counted (recorder.h) into the
 * store, and queries. docs/documents.md has an example of each document. */
#ifndef METERING_METER_H
#define METERING_METER_H

#include "metering/decimal.h"
#include "metering/types.h"

MET_BEGIN_DECLS

/* --- Meters ----------------------------------------------------------------- */

/**
 * Create a meter, or change its name, description or dimensions.
 *
 * A new meter or dimension counts from the first minute that begins after
 * every recorder knows of it: "counting_since" of the stored document.
 *
 * @param store      open store
 * @param json       {"key", "name", "description"?, "event_type",
 *                   "aggregation": "count"|"sum"|"avg"|"min"|"max"|"latest"|
 *                   "unique_count", "value_property"?: "$.path" (forbidden
 *                   for count, else required), "dimensions"?: {name:
 *                   "$.path"}, "events_from"?}
 * @param json_size  bytes; no NUL needed
 * @param json_out   the stored document; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (not JSON, or a field is wrong) ·
 *         MET_E_UNSUPPORTED (a path beyond the subset) · MET_E_CONFLICT (a
 *         field that cannot change; a dimension a feature filters by) ·
 *         MET_E_LIMIT (more attributes or quantities of one event type than
 *         are kept) · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is
 *         stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_meter_put(met_store *store,
                                              const char *json,
                                              size_t json_size,
                                              met_buffer *json_out,
                                              met_error_info *info);

/**
 * One meter as JSON.
 *
 * @param key       not necessarily NUL-terminated
 * @param json_out  written only on MET_OK
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_meter_get(met_store *store,
                                              const char *key,
                                              size_t key_size,
                                              met_buffer *json_out,
                                              met_error_info *info);

/**
 * Every meter, by key: {"items": [...]}.
 *
 * @param json_out  written only on MET_OK
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_meter_list(met_store *store,
                                               met_buffer *json_out,
                                               met_error_info *info);

/**
 * Remove a meter. Usage that only it asked for is no longer kept from the next
 * minute on; what is settled stays in the store.
 *
 * @param key  not necessarily NUL-terminated
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (a feature
 *         in service measures it: archive that first) · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_meter_remove(met_store *store,
                                                 const char *key,
                                                 size_t key_size,
                                                 met_error_info *info);

/* --- Settlement ------------------------------------------------------------- */

/* Zero means default for every field. */
typedef struct met_settle_config {
    size_t struct_size;
    uint64_t cells_max; /* stop after so many that are new; 0 = all there is */
    uint64_t flags;     /* 0 */
} met_settle_config;

/**
 * Move what all recorders of all processes counted into the store, exactly
 * once, and bring balances up to date. Call it every second or so from one
 * process; more at once do no harm.
 *
 * @param config      NULL for defaults
 * @param report_out  JSON, NULL when not wanted: {"transactions", "cells",
 *                    "parts", "events", "slots", "slots_live",
 *                    "slots_retired", "slots_damaged" (files that cannot be
 *                    read, passed over), "cells_unreadable",
 *                    "oldest_unsettled"?, "duration_ns"}
 * @param info        NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (unknown flag or field) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; transactions that were
 *         committed before it stand, and the rest is done by the next call
 * @owner  report_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk, each time for at
 *         most 10,000 cells
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_settle(
    met_store *store, const met_settle_config *config, met_buffer *report_out,
    met_error_info *info);

/* --- Queries ---------------------------------------------------------------- */

/**
 * Settled usage of a meter or a feature.
 *
 * @param store      open store
 * @param json       {"meter" or "feature": key, "customer"?: key,
 *                   "subjects"?: [text], "filters"?: {dimension: {"eq":
 *                   text}}, "from"?, "to"?: RFC 3339 on whole minutes,
 *                   "window"?: "minute"|"hour"|"day"|"month" (UTC),
 *                   "group_by"?: [dimension or "subject"], "settle_first"?}.
 *                   from is inclusive, to exclusive. A feature brings its
 *                   meter and its filters, a customer its subjects. Naming
 *                   subjects groups by them.
 * @param json_size  bytes; no NUL needed
 * @param json_out   {"meter", "from"?, "to"?, "data": [{"from", "to",
 *                   "value", "subject"?, "dimensions": {}}]}, by window and
 *                   group values; only rows that have usage, and one of "0"
 *                   when a meter counts events or unique values of a closed
 *                   range without windows and groups. Values are exact;
 *                   averages are rounded half to even at 18 decimals. Of
 *                   values of the same instant the latest is the one that
 *                   was recorded last. Written only on MET_OK.
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (not JSON, a field is wrong, a bound inside a
 *         minute, no such dimension) · MET_E_NOT_FOUND (meter, feature or
 *         customer) · MET_E_UNSUPPORTED (other filters than eq) ·
 *         MET_E_LIMIT · MET_E_OVERFLOW (a sum with more than 34 digits) ·
 *         MET_E_NO_MEMORY · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG; with settle_first also those of
 *         met_store_settle
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks reads the store: pages may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_query(met_store *store,
                                                const char *json,
                                                size_t json_size,
                                                met_buffer *json_out,
                                                met_error_info *info);

MET_END_DECLS

#endif
