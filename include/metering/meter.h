/* Usage: meters, recorders that count in the request path, settlement into the
 * store, and queries. docs/documents.md has an example of each document. */
#ifndef METERING_METER_H
#define METERING_METER_H

#include "metering/decimal.h"
#include "metering/types.h"

MET_BEGIN_DECLS

#define MET_RECORDER_SHAPES_MAX 2097152

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

/* --- Recording -------------------------------------------------------------- */

/* A numeric property of an event, by its canonical path ("tokens"): at most 15
 * digits before the point and 9 behind it. Frozen for ever. */
typedef struct met_quantity {
    const char *key;
    size_t key_size;
    met_decimal value;
} met_quantity;

/* What happened. Names of attributes are canonical paths: a meter's
 * "$.service" is "service", "$.a.b" is "a.b", "$.x[0]" is "x[0]". A name given
 * twice counts with its first value; names that no meter asks for are passed
 * over. An attribute that is missing has the value "". */
typedef struct met_event {
    size_t struct_size;
    const char *type; /* at most 128 bytes */
    size_t type_size;
    const char *subject; /* whose usage it is; at most 128 bytes */
    size_t subject_size;
    const met_pair *attributes; /* values of at most 128 bytes */
    size_t attribute_count;
    const met_quantity *quantities;
    size_t quantity_count;
    int64_t utc_ns; /* when; 0 = now, by the platform's clock */
} met_event;

/* Zero means default for every field. */
typedef struct met_recorder_config {
    size_t struct_size;
    /* Combinations of subject and attribute values whose usage is kept apart,
     * at most MET_RECORDER_SHAPES_MAX; 0 = 65,536. Beyond, values of
     * attributes that nothing is sold by become "__overflow__"; the sum stays
     * right. */
    uint64_t shapes_max;
    uint64_t flags; /* 0 */
} met_recorder_config;

/**
 * Begin to count in this process.
 *
 * Takes one of the store's slot files (at most 1,000 live at once). Whatever
 * was counted before a process died is in its slot file and reaches the store
 * with the next settlement, by whoever settles.
 *
 * @param store         open; the recorder must be closed before it
 * @param config        NULL for defaults
 * @param recorder_out  written only on MET_OK
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (unknown flag or field) ·
 *         MET_E_LIMIT (every slot is live or waits to be settled) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  the caller; met_recorder_close
 * @blocks reads the store, makes and maps a file
 * @thread any      @fork no: MET_E_FORKED in a child; open one there
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_recorder_open(
    met_store *store, const met_recorder_config *config,
    met_recorder **recorder_out, met_error_info *info);

/**
 * End counting; what was counted stays and waits to be settled.
 *
 * @param recorder  may be NULL
 * @blocks unmaps a file
 * @thread one at a time      @fork yes: in a child it only frees memory
 * @since 0.1
 */
MET_API void met_recorder_close(met_recorder *recorder);

/**
 * Count one event. Allocates nothing, takes no lock, makes no system call but
 * for the clock when event->utc_ns is 0.
 *
 * MET_OK means counted: no death of any process loses it (store.h). An error
 * means not counted.
 *
 * @param event  borrowed for the call
 * @param info   NULL, or where to put field path and reason
 * @return MET_OK · MET_E_NOT_FOUND (no meter wants this type) · MET_E_INVALID
 *         (a field is missing, no UTF-8, no value that a meter asks for, or a
 *         quantity with more digits than are kept) · MET_E_LIMIT (a bound of
 *         the event) · MET_E_OVERFLOW (the sum of a minute has more digits
 *         than are kept) · MET_E_TALLY_FULL (no room because nobody settles or
 *         ticks) · MET_E_UNSUPPORTED · MET_E_FORKED · MET_E_BUG
 * @blocks never
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_recorder_add(met_recorder *recorder,
                                                 const met_event *event,
                                                 met_error_info *info);

/**
 * Housekeeping, about once a second from whoever uses the recorder: makes room
 * ahead of need, closes minutes, learns of new meters.
 *
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; the recorder
 *         goes on with what it has
 * @blocks may grow a file and read the store
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_recorder_tick(met_recorder *recorder);

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
