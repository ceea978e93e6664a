/* Events that carry an id: CloudEvents 1.0, batches, imports, consumers of a
 * queue. One transaction per batch: the duplicate check, usage, balances and
 * the source's cursor are committed together or not at all.
 *
 * MET_OK means that everything whose verdict is "accepted" is on stable
 * storage and counted once, however often it is sent. An event is known by its
 * source and id; its type, subject, time and data are not compared. The store
 * remembers ids as long as events of their time would still be accepted, so
 * that no event is ever counted twice or refused by mistake. */
#ifndef METERING_EVENT_H
#define METERING_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"
#include "metering/recorder.h"
#include "metering/types.h"

MET_BEGIN_DECLS

#define MET_INGEST_EVENTS_MAX 10000 /* of one call */

/* What became of an event. Only an accepted one is counted and remembered:
 * after any other verdict it may be sent again. */
enum {
    MET_VERDICT_ACCEPTED = 1,
    MET_VERDICT_DUPLICATE = 2, /* accepted before */
    MET_VERDICT_LATE = 3,      /* older than ids are remembered */
    MET_VERDICT_FUTURE = 4,    /* too far ahead of the clock */
    MET_VERDICT_NO_METER = 5,  /* no meter counts its type at its time */
    MET_VERDICT_NO_VALUE = 6,  /* nothing that the meters of its type count */
    MET_VERDICT_INVALID = 7    /* breaks a rule: field and reason say which */
};

/* One event. Attributes and quantities are as in met_event (recorder.h):
 * canonical names, numbers as decimals. Frozen for ever. */
typedef struct met_ingest_event {
    const char *id; /* 1 to 128 bytes */
    size_t id_size;
    const char *source; /* 1 to 255 bytes */
    size_t source_size;
    const char *type; /* 1 to 128 bytes */
    size_t type_size;
    const char *subject; /* 1 to 128 bytes */
    size_t subject_size;
    const met_pair *attributes;
    size_t attribute_count;
    const met_quantity *quantities;
    size_t quantity_count;
    int64_t utc_ns; /* when it happened; 0 = now, by the platform's clock */
} met_ingest_event;

/* field and reason are never NULL, "" when there is nothing to say; they live
 * until the next call on the handle. An accepted event may have a reason: a
 * number that some meter asks for was passed over. Frozen for ever. */
typedef struct met_event_verdict {
    uint32_t verdict; /* MET_VERDICT_* */
    uint32_t reserved;
    const char *field;
    const char *reason;
} met_event_verdict;

/* How far a source was read: stored in the transaction of the batch that ends
 * there, so that a reader goes on exactly where the last batch ended. */
typedef struct met_event_cursor {
    size_t struct_size;
    const char *name; /* of the source; 1 to 255 bytes */
    size_t name_size;
    uint64_t generation; /* rises when the source begins anew */
    uint64_t offset;     /* behind the last event of the batch */
} met_event_cursor;

/* Zero means default for every field. */
typedef struct met_ingest_config {
    size_t struct_size;
    uint64_t flags; /* 0 */
} met_ingest_config;

/* Flags of met_event_ingest_json. */
enum {
    MET_EVENTS_LINES = 1 /* one event a line (NDJSON); else one, or an array */
};

/**
 * Begin to take in events.
 *
 * @param store       open; the handle must be closed before it
 * @param config      NULL for defaults
 * @param ingest_out  written only on MET_OK
 * @param info        NULL, or where to put field and reason
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (unknown flag or field) ·
 *         MET_E_NO_MEMORY · MET_E_IO · MET_E_DISK_FULL · MET_E_BUSY ·
 *         MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  the caller; met_ingest_close
 * @blocks reads the store
 * @thread any      @fork no: MET_E_FORKED in a child; open one there
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_ingest_open(met_store *store,
                                                const met_ingest_config *config,
                                                met_ingest **ingest_out,
                                                met_error_info *info);

/**
 * End it. Everything that was accepted is stored already.
 *
 * @param ingest  may be NULL
 * @blocks unmaps a file
 * @thread one at a time      @fork yes: in a child it only frees memory
 * @since 0.1
 */
MET_API void met_ingest_close(met_ingest *ingest);

/**
 * Take in a batch of events, all in one transaction, in their order.
 *
 * Batches are what makes this fast: a batch costs one flush of the disk,
 * however large it is. Within a batch the first of equal ids counts. When the
 * disk is slow or full or memory runs out, nothing of the batch is stored.
 *
 * @param ingest        open handle
 * @param events        borrowed for the call; may be NULL when count is 0
 * @param count         1 to MET_INGEST_EVENTS_MAX; 0 only with a cursor
 * @param cursor        NULL, or how far the source is read after this batch:
 *                      it must not lie before the stored one
 * @param verdicts_out  NULL, or room for count verdicts; written only on
 *                      MET_OK
 * @param info          NULL, or where to put field and reason
 * @return MET_OK (there is a verdict for every event) · MET_E_INVALID ·
 *         MET_E_LIMIT (too many events) · MET_E_CONFLICT (the source was read
 *         further than this cursor) · MET_E_UNSUPPORTED (unknown field) ·
 *         MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; nothing is stored then,
 *         but after MET_E_IO and MET_E_DISK_FULL it may be: repeat with the
 *         same ids, which count once
 * @owner  the caller keeps events; texts of verdicts are the handle's
 * @blocks waits for the store's one writer and for the disk. The first call on
 *         a handle also checks the index of ids, which takes a fraction of a
 *         second for ten million; the first one after a restart of the machine,
 *         and now and then one that finds the index full, builds it from all
 *         ids that are remembered: a second or two for ten million
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_event_ingest(
    met_ingest *ingest, const met_ingest_event *events, size_t count,
    const met_event_cursor *cursor, met_event_verdict *verdicts_out,
    met_error_info *info);

/**
 * Take in CloudEvents as JSON, all in one transaction, in their order.
 *
 * An event: "specversion" ("1.0"), "id", "source", "type", "subject" (texts),
 * "time"? (RFC 3339; missing: now), "datacontenttype"? (application/json),
 * "data"? (any JSON value). Other attributes are passed over. Values of
 * dimensions are the text of what a meter's path leads to: numbers and
 * booleans as they are written in JSON, null "null", everything else "".
 * Numbers may be given as strings, which keeps all their digits.
 *
 * @param ingest      open handle
 * @param json        one event, an array of events, or with MET_EVENTS_LINES
 *                    one event a line; borrowed for the call
 * @param json_size   bytes, at most 16 MiB; no NUL needed
 * @param flags       MET_EVENTS_*
 * @param cursor      as for met_event_ingest
 * @param report_out  NULL, or {"events", "accepted", "duplicate", "late",
 *                    "future", "no_meter", "no_value", "invalid": numbers,
 *                    "verdicts": [text, ...] in the order of the events,
 *                    "problems": [{"index", "verdict", "field", "reason"}]
 *                    (the first 100)}
 * @param info        NULL, or where to put field and reason
 * @return MET_OK (there is a verdict for every event) · MET_E_INVALID (also
 *         when json is empty, or neither an object nor an array that ends; an
 *         event that is no JSON by itself has the verdict invalid) ·
 *         MET_E_LIMIT · MET_E_CONFLICT · MET_E_UNSUPPORTED · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_BUSY (too many readers) ·
 *         MET_E_IO · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG; each as for
 *         met_event_ingest
 * @owner  caller keeps json; report_out with met_buffer_release
 * @blocks as met_event_ingest
 * @thread one at a time (any thread)      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_event_ingest_json(
    met_ingest *ingest, const char *json, size_t json_size, uint64_t flags,
    const met_event_cursor *cursor, met_buffer *report_out,
    met_error_info *info);

/**
 * How far a source was read.
 *
 * @param store       open store
 * @param name        not necessarily NUL-terminated
 * @param cursor_out  struct_size is the caller's; name is left as it is,
 *                    generation and offset are written, only on MET_OK
 * @param info        NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (nothing of this source was
 *         taken in) · MET_E_NO_MEMORY · MET_E_BUSY (too many readers) ·
 *         MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @blocks reads the store: a page may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_event_cursor_get(
    met_store *store, const char *name, size_t name_size,
    met_event_cursor *cursor_out, met_error_info *info);

/**
 * Change how events are taken in, for the whole store.
 *
 * @param store      open store
 * @param json       {"late_after"?: ISO 8601 duration, at most P366D (default
 *                   P32D): older events are refused, ids are remembered that
 *                   long; "future_after"?: at most P366D (default P1D);
 *                   "retain"?: at most P3660D (default: not at all): accepted
 *                   events younger than that are kept as they came}. What
 *                   is missing gets its default. An age that was refused
 *                   once stays refused: a wider bound fills up with time
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
MET_API MET_NODISCARD met_error met_event_settings_put(met_store *store,
                                                       const char *json,
                                                       size_t json_size,
                                                       met_buffer *json_out,
                                                       met_error_info *info);

/**
 * How events are taken in, and what became of those that came: the settings,
 * "refused_before" (RFC 3339; missing before the first batch), and "events":
 * {"accepted", "duplicate", "late", "future", "no_meter", "no_value",
 * "invalid"} since the store was made.
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
MET_API MET_NODISCARD met_error met_event_settings_get(met_store *store,
                                                       met_buffer *json_out,
                                                       met_error_info *info);

/* --- Retained events ------------------------------------------------------ */

/**
 * Events that are retained, by their time, then in the order they came.
 *
 * @param store      open store
 * @param json       {"from"?, "to"?: RFC 3339 (from is inclusive, to is not),
 *                   "subject"?, "type"?, "limit"?: 1 to 1,000 (default 100),
 *                   "cursor"?: the one that the list before gave}
 * @param json_size  bytes; no NUL needed
 * @param json_out   {"items": [{"event": as it came, "time", "ingested_at",
 *                   "retracted"?: {"at", "reason", "actor"}}], "cursor"? (there
 *                   may be more, even when there are few items)}. Written only
 *                   on MET_OK
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_BUSY
 *         (too many readers) · MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks reads the store, at most 100,000 events
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_event_list(met_store *store,
                                               const char *json,
                                               size_t json_size,
                                               met_buffer *json_out,
                                               met_error_info *info);

/**
 * What became of an event, and in which numbers it is.
 *
 * @param store     open store
 * @param source    not necessarily NUL-terminated
 * @param id        not necessarily NUL-terminated
 * @param json_out  {"source", "id", "status": "accepted"|"retracted"|"unknown",
 *                  "batch"?, "reason"?}, and when the event is retained
 *                  "logged" (as met_event_list gives it), "counted_by":
 *                  [{"meter", "minute", "value", "dimensions"}],
 *                  "not_counted_by": [{"meter", "reason"}], "adjustments"
 *                  (those of its subject and minute). Written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK (also when nothing is known of it) · MET_E_INVALID ·
 *         MET_E_NO_MEMORY · MET_E_BUSY (too many readers) · MET_E_IO ·
 *         MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the ids that are remembered, and when it is not among them all
 *         events that are retained
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_event_explain(
    met_store *store, const char *source, size_t source_size, const char *id,
    size_t id_size, met_buffer *json_out, met_error_info *info);

/* --- Corrections ---------------------------------------------------------- */

/**
 * Take back an event that is retained: its usage is counted off again, exactly,
 * and balances follow. Its id stays known. Once more changes nothing. Where a
 * meter of min, max, latest or unique_count counts such events, the others of
 * its batch and minute are counted again without it.
 *
 * @param store      open store
 * @param json       {"source", "id", "reason", "actor"}
 * @param json_size  bytes; no NUL needed
 * @param json_out   the event as met_event_list gives it; NULL when not wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (no such event, or it is not
 *         retained) · MET_E_UNSUPPORTED (a meter that counts it would have to
 *         count again, but the minute is folded, or not all of its events are
 *         retained; info names the meter) · MET_E_LIMIT · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_OVERFLOW · MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk; reads as
 *         met_event_explain
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_event_retract(met_store *store,
                                                  const char *json,
                                                  size_t json_size,
                                                  met_buffer *json_out,
                                                  met_error_info *info);

/**
 * Correct the usage of one meter by a signed amount.
 *
 * @param store      open store
 * @param json       {"id" (1 to 128 bytes: the same document again changes
 *                   nothing), "meter": key, "subject", "dimensions"?: {name:
 *                   text} (those left out are ""), "time": RFC 3339, "value":
 *                   decimal other than 0, whole when the meter counts,
 *                   "reason", "actor"}
 * @param json_size  bytes; no NUL needed
 * @param json_out   the stored document, with "created_at"; NULL when not
 *                   wanted
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (also a time before the meter counts, or
 *         later than events may be: "future_after") · MET_E_NOT_FOUND (the
 *         meter) · MET_E_UNSUPPORTED (its aggregation is neither count nor
 *         sum) · MET_E_CONFLICT (another adjustment has this id) ·
 *         MET_E_OVERFLOW · MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG; nothing is stored then
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_adjust(met_store *store,
                                                 const char *json,
                                                 size_t json_size,
                                                 met_buffer *json_out,
                                                 met_error_info *info);

/**
 * Every adjustment, by id: {"items": [...]}.
 *
 * @param store     open store
 * @param json_out  written only on MET_OK
 * @param info      NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_BUSY (too many
 *         readers) · MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT · MET_E_FORKED ·
 *         MET_E_BUG
 * @owner  json_out with met_buffer_release
 * @blocks reads the store: pages may come from the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_usage_adjustment_list(
    met_store *store, met_buffer *json_out, met_error_info *info);

MET_END_DECLS

#endif
