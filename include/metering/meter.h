/* Usage: meters, settlement of what recorders counted (recorder.h) into the
 * store, and queries. docs/documents.md has an example of each document. */
#ifndef METERING_METER_H
#define METERING_METER_H

#include "metering/decimal.h"
#include "metering/types.h"

MET_BEGIN_DECLS

/* --- Meters --------------------------------------------------------------- */

/**
 * Create a meter, or change its name, description or dimensions.
 *
 * A new meter or dimension counts from the first minute that begins after
 * every recorder knows of it: "counting_since" of the stored document. What was
 * recorded or taken in before is not counted for it, also when "events_from"
 * lies before and events are retained.
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
MET_API MET_NODISCARD met_error met_meter_get(met_store *store,
                                              const char *key,
                                              size_t key_size,
                                              met_buffer *json_out,
                                              met_error_info *info);

/**
 * Every meter, by key: {"items": [...]}.
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
MET_API MET_NODISCARD met_error met_meter_list(met_store *store,
                                               met_buffer *json_out,
                                               met_error_info *info);

/**
 * Remove a meter. Usage that only it asked for is no longer kept from the next
 * minute on; what is settled stays in the store.
 *
 * @param store  open store
 * @param key    not necessarily NUL-terminated
 * @param info   NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (a feature
 *         in service measures it: archive that first; or a subscription counts
 *         by it that goes on, or that ended and is not billed to its end: run
 *         the billing first) · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_meter_remove(met_store *store,
                                                 const char *key,
                                                 size_t key_size,
                                                 met_error_info *info);

/* --- Settlement ----------------------------------------------------------- */

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
 * @param store       open store
 * @param config      NULL for defaults
 * @param report_out  JSON, NULL when not wanted: {"transactions", "cells",
 *                    "parts", "events", "slots", "slots_live",
 *                    "slots_retired", "slots_damaged" (files that cannot be
 *                    read, passed over), "cells_unreadable",
 *                    "oldest_unsettled"?, "held_up_by"?: [{"slot",
 *                    "process_id"?, "reason"}] (the first 16
 *                    slots that cannot be settled to their end),
 *                    "duration_ns"}
 * @param info        NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (unknown flag or field) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_BUSY (too
 *         many readers) · MET_E_IO · MET_E_CORRUPT · MET_E_FOREIGN ·
 *         MET_E_LAYOUT (DIR/gateway is of another program or version) ·
 *         MET_E_FORKED · MET_E_BUG; transactions that were committed before it
 *         stand, and the rest is done by the next call
 * @owner  report_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk, each time for at
 *         most 10,000 cells
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_settle(
    met_store *store, const met_settle_config *config, met_buffer *report_out,
    met_error_info *info);

/* --- Compaction ----------------------------------------------------------- */

/* Zero means default for every field. */
typedef struct met_compact_config {
    size_t struct_size;
    uint64_t records_max; /* stop after so many; 0 = all there is */
    int64_t as_of_ns;     /* UTC; ages are counted from it; 0 = now */
    uint64_t flags;       /* 0 */
} met_compact_config;

/**
 * Fold settled usage that is old and can never change again: minutes into
 * hours, hours into days, as met_usage_settings_put says. What queries,
 * entitlements and invoices answer stays the same; a bound inside what was
 * folded is refused (MET_E_UNSUPPORTED), never estimated. An hour or day in
 * which a meter begins to count is left in minutes, and so is one, for the
 * customer whose it is, that a phase, a billing or a usage period begins or
 * ends in. Call it now and then from one process; more at once do no harm.
 *
 * @param store       open store
 * @param config      NULL for defaults
 * @param report_out  JSON, NULL when not wanted: {"transactions", "parts" (of
 *                    minutes, that are gone), "hours" (written),
 *                    "hours_folded" (gone), "days" (written), "bytes_freed",
 *                    "bytes_written", "duration_ns"}
 * @param info        NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (as_of_ns is in the future or negative) ·
 *         MET_E_UNSUPPORTED (unknown flag or field) · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_BUSY (too many readers) ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; transactions
 *         that were committed before it stand, and the rest is done by the next
 *         call
 * @owner  report_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk, each time for at
 *         most 4,096 records
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_store_compact(
    met_store *store, const met_compact_config *config, met_buffer *report_out,
    met_error_info *info);

/**
 * Change how long usage is kept fine, for the whole store.
 *
 * @param store      open store
 * @param json       {"keep_minutes"?: ISO 8601 duration (default P35D):
 *                   minutes that are older may be folded into hours (UTC);
 *                   "keep_hours"? (default P400D): and hours into days (UTC),
 *                   not before their minutes}; at most P36600D each. What is
 *                   missing gets its default. What is folded stays folded.
 * @param json_size  bytes; no NUL needed
 * @param json_out   the stored document; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (not JSON, or a field is wrong) ·
 *         MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is
 *         stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_settings_put(met_store *store,
                                                       const char *json,
                                                       size_t json_size,
                                                       met_buffer *json_out,
                                                       met_error_info *info);

/**
 * How long usage is kept fine.
 *
 * @param store     open store
 * @param json_out  {"keep_minutes", "keep_hours"}; written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_BUSY (too many
 *         readers) · MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_settings_get(met_store *store,
                                                       met_buffer *json_out,
                                                       met_error_info *info);

/* --- Queries -------------------------------------------------------------- */

/**
 * Settled usage of a meter or a feature.
 *
 * @param store      open store
 * @param json       {"meter" or "feature": key, "customer"?: key or
 *                   "customers"?: [key], "subjects"?: [text], "filters"?:
 *                   {dimension: condition}, "from"?, "to"?: RFC 3339; inside
 *                   a minute only when all usage of that minute is of
 *                   events that are retained;
 *                   "window"?: "minute"|"hour"|"day"|"month" (or
 *                   "PT1M", "PT1H", "P1D", "P1M"),
 *                   "time_zone"?: whose days and months, "UTC" when missing,
 *                   "group_by"?: [dimension, "subject" or "customer_id"],
 *                   "settle_first"?}. from is inclusive, to exclusive. A
 *                   feature brings its meter and its filters, customers their
 *                   subjects. Naming subjects groups by them, a list of
 *                   customers by "customer_id"; both lists may be {"in":
 *                   list} or {"eq": text}, too. A condition has one operator:
 *                   {"eq", "ne", "contains" or "ncontains": text}, {"in" or
 *                   "nin": [text]}, {"exists": bool}, {"gt", "gte", "lt" or
 *                   "lte": text, by bytes, or number, by amount}, {"and" or
 *                   "or": [condition]}, nested twice at most; {} always holds.
 *                   A dimension that an event lacks is "".
 * @param json_size  bytes; no NUL needed
 * @param json_out   {"meter", "from"?, "to"?, "data": [{"from", "to",
 *                   "value", "subject"?, "customer_id"? with "customer", its
 *                   key, "dimensions": {}}]}, by window and group values. A
 *                   window is shown whole, also where the range cuts it. Only
 *                   rows that have usage, and one of "0" when a meter counts
 *                   events or unique values of a closed range without windows
 *                   and groups. Values are exact;
 *                   averages are rounded half to even at 18 decimals. Of
 *                   values of the same instant the latest is the one that
 *                   was recorded last. Written only on MET_OK.
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (not JSON, a field is wrong, a bound inside a
 *         minute and no events are retained, no such dimension or time zone) ·
 *         MET_E_NOT_FOUND (meter, feature or customer) · MET_E_UNSUPPORTED
 *         (like and its kin; from, to or window parts usage that is not kept
 *         that fine) · MET_E_LIMIT · MET_E_OVERFLOW (a sum with more than 34
 *         digits) · MET_E_NO_MEMORY · MET_E_BUSY (too many readers) ·
 *         MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG;
 *         with settle_first also MET_E_DISK_FULL · MET_E_FOREIGN ·
 *         MET_E_LAYOUT, as met_store_settle
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks reads the store: pages may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_query(met_store *store,
                                                const char *json,
                                                size_t json_size,
                                                met_buffer *json_out,
                                                met_error_info *info);

/**
 * Begin a query that is answered row by row, however many there are: memory
 * is bounded by groups that are held at once (131,072), not by the answer. A
 * window with more groups is read once more for each so many.
 *
 * It sees the store as it is now until it is closed, and holds back the reuse
 * of pages that others free meanwhile: close it soon.
 *
 * @param store       open; the cursor must be closed before it
 * @param json        as of met_usage_query
 * @param json_size   bytes; no NUL needed
 * @param cursor_out  written only on MET_OK
 * @param info        NULL, or where to put field path and reason
 * @return as met_usage_query: MET_OK · MET_E_INVALID · MET_E_NOT_FOUND ·
 *         MET_E_UNSUPPORTED · MET_E_LIMIT · MET_E_OVERFLOW · MET_E_NO_MEMORY ·
 *         MET_E_BUSY · MET_E_IO · MET_E_MAP_FULL · MET_E_DISK_FULL ·
 *         MET_E_CORRUPT · MET_E_FOREIGN · MET_E_LAYOUT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  caller keeps json; cursor_out with met_usage_query_close
 * @blocks reads the store: pages may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_query_open(
    met_store *store, const char *json, size_t json_size,
    met_usage_cursor **cursor_out, met_error_info *info);

/**
 * The next row: an element of "data" of met_usage_query, in its order.
 *
 * @param cursor         open cursor
 * @param json_out       the row as JSON, with a NUL behind it; written only on
 *                       MET_OK
 * @param json_size_out  its bytes, without the NUL
 * @param info           NULL, or where to put field path and reason
 * @return MET_OK · MET_E_NOT_FOUND (there is no further row) · MET_E_INVALID ·
 *         MET_E_OVERFLOW (a sum with more than 34 digits) · MET_E_NO_MEMORY ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; after any of
 *         them but MET_E_INVALID it is what every further call answers
 * @owner  the cursor owns the row, until the next call on it
 * @blocks reads the store: pages may come from the disk
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_query_next(met_usage_cursor *cursor,
                                                     const char **json_out,
                                                     size_t *json_size_out,
                                                     met_error_info *info);

/**
 * End a query, whether or not its rows were read.
 *
 * @param cursor  may be NULL
 * @blocks never
 * @thread one at a time      @fork yes: in a child it only frees memory
 * @since 0.1
 */
MET_API void met_usage_query_close(met_usage_cursor *cursor);

MET_END_DECLS

#endif
