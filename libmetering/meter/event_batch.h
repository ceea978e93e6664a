/* What ingest keeps in the store beside usage: its state (META "ingest"), the
 * ids of every batch (EVENT_BATCH), cursors of sources, settings.
 *
 * EVENT_BATCH[number:8]: day:4 count:4 times:4 0:4 chain:8, then `count` hashes
 * of 16 bytes, then `times` instants of 8 bytes, beside the hashes: 0 or count,
 * when raw events are retained. day is the last one that any of its events is
 * of, or of the ingest itself: when all of that day is refused as late, nobody
 * needs these ids any more. chain is a checksum of this batch's hashes and of
 * the chain before: two stores that went different ways have different ones. */
#ifndef MET_METER_EVENT_BATCH_H
#define MET_METER_EVENT_BATCH_H

#include "metering/event.h"
#include "store/object.h"
#include "store/store.h"

#define MET__VERDICTS 8 /* and 0, which is none */

extern const char *const met__verdict_names[MET__VERDICTS];

typedef struct met__ingest_state {
    uint64_t batch;      /* number of the last one that has ids */
    int64_t horizon_ns;  /* older events are late; only rises */
    uint64_t chain;      /* of the last batch that has ids */
    int64_t recorded_ns; /* of the last event: no two have the same */
    uint64_t counters[MET__VERDICTS];
} met__ingest_state;

typedef struct met__ingest_settings {
    met__duration late;
    met__duration future;
    met__duration retain; /* raw events; zero: they are not kept */
} met__ingest_settings;

/* Zero when there was no batch yet. */
met_error met__ingest_state_get(met__txn *txn, met__ingest_state *state_out);
met_error met__ingest_state_put(met__txn *txn, const met__ingest_state *state);
/* A number of its own for parts that are no batch of events. */
met_error met__ingest_next_batch(met__txn *txn, uint64_t *number_out);
/* Raises the horizon to what the clock and the settings say. */
met_error met__ingest_horizon(const met__ingest_settings *settings,
                              int64_t now_ns, int64_t *horizon_ns);

/* What is later is of the future. */
int64_t met__ingest_future(const met__ingest_settings *settings,
                           int64_t now_ns);

met_error met__ingest_settings_get(met__txn *txn,
                                   met__ingest_settings *settings_out);
/* The document with its defaults. MET_E_INVALID */
met_error met__ingest_settings_put(met__txn *txn, const met__node *node,
                                   const met__path *path,
                                   met_error_info *info);
/* Settings, horizon and counters. */
met_error met__ingest_describe(met__txn *txn, met__arena *arena,
                               met__node **node_out);

/* The stored cursor; MET_E_NOT_FOUND. */
met_error met__event_cursor_read(met__txn *txn, met__text name,
                                 uint64_t *generation_out,
                                 uint64_t *offset_out);
/* MET_E_CONFLICT: the stored one is further. */
met_error met__event_cursor_move(met__txn *txn, const met_event_cursor *cursor,
                                 met_error_info *info);

/* One record, as it lies in the store. */
typedef struct met__event_batch {
    uint32_t day;
    uint32_t count;
    uint64_t chain;
    const unsigned char *hashes; /* count * 16 bytes: low, high */
    const unsigned char *times;  /* NULL: none */
} met__event_batch;
#define MET__BATCH_HEAD 24u
#define MET__BATCH_HASH 16u

met_error met__event_batch_read(met__text value, met__event_batch *batch_out);
/* MET_E_NOT_FOUND */
met_error met__event_batch_get(met__txn *txn, uint64_t number,
                               met__event_batch *batch_out);
/* *chain goes on. times may be NULL. */
met_error met__event_batch_put(met__txn *txn, uint64_t number, uint32_t day,
                               const met__hash128 *hashes,
                               const int64_t *times, uint32_t count,
                               uint64_t *chain, met__arena *arena);
/* Removes up to `most` of the oldest ones that nobody needs: all whose day is
 * before horizon_day. */
met_error met__event_batch_expire(met__txn *txn, uint32_t horizon_day,
                                  uint32_t most);

static inline met__hash128 met__event_batch_hash(const met__event_batch *batch,
                                                 uint32_t at)
{
    const unsigned char *bytes = batch->hashes + (size_t)at * MET__BATCH_HASH;
    met__hash128 hash;

    memcpy(&hash.low, bytes, 8);
    memcpy(&hash.high, bytes + 8, 8);
    return hash;
}

#endif
