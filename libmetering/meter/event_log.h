/* Raw events, when the store retains them: for audit, and so that an event can
 * be taken back exactly.
 *
 * EVENT[time:8 batch:8 index:4]: hash of the id:16, ingested:8, retracted:8 (0:
 * it is not), shape:8, mask:4 (which of the shape's quantities it had), then 16
 * bytes for each of them, then texts as size:4 bytes: type, subject, the event
 * as JSON, reason and actor of the retraction. index is the place of the id in
 * its batch's record. */
#ifndef MET_METER_EVENT_LOG_H
#define MET_METER_EVENT_LOG_H

#include "meter/amount.h"
#include "meter/event_batch.h"

#define MET__EVENT_KEY_SIZE 20u
#define MET__EVENT_LIST_MAX 1000

typedef struct met__logged_event {
    int64_t utc_ns;
    uint64_t batch;
    uint32_t index;
    uint32_t mask;
    met__hash128 hash;
    int64_t ingested_ns;
    int64_t retracted_ns;
    uint64_t shape;
    met__wide values[MET__QUANTITIES_MAX]; /* of those in the mask */
    met__text type;
    met__text subject;
    met__text json;
    met__text reason;
    met__text actor;
} met__logged_event;

met_error met__event_log_put(met__txn *txn, const met__logged_event *event,
                             met__arena *arena);
/* Texts point into the value. MET_E_CORRUPT */
met_error met__event_log_read(met__text key, met__text value,
                              met__logged_event *event_out);
/* Removes up to `most` of the oldest ones, all before `before_ns`. */
met_error met__event_log_expire(met__txn *txn, int64_t before_ns,
                                uint32_t most);

/* What is known of an id. */
typedef struct met__event_trace {
    uint64_t batch; /* 0: no batch that is remembered has it */
    uint32_t day;
    uint32_t is_logged;
    met__logged_event event; /* when it is logged; texts are the arena's */
} met__event_trace;

met__hash128 met__event_hash(const met_store *store, met__text source,
                             met__text id);
/* Looks through all ids that are remembered, and all events when the id is
 * older. */
met_error met__event_trace_id(met__txn *txn, met__text source, met__text id,
                              met__arena *arena, met__event_trace *trace_out);

/* {"from"?, "to"?, "subject"?, "type"?, "limit"?, "cursor"?} ->
 * {"items": [...], "cursor"?}. MET_E_INVALID */
met_error met__event_list(met__txn *txn, const met__node *request,
                          const met__path *path, met__arena *arena,
                          met__node **node_out, met_error_info *info);
/* One of the items: {"event", "ingested_at", "retracted"?: {"at", "reason",
 * "actor"}}. */
met_error met__event_document(const met__logged_event *event,
                              met__arena *arena, met__node **node_out);

#endif
