/* The recorder: counts usage in memory that survives the death of its process.
 * One caller at a time; one slot file each. */
#ifndef MET_METER_RECORDER_H
#define MET_METER_RECORDER_H

#include "metering/recorder.h"
#include "store/store.h"

/* flags: the event came through admit. */
#define MET__RECORD_ADMITTED 1u
#define MET__RECORDER_SHAPES 65536u
#define MET__RECORDER_SHAPES_MAX (1u << 21)

/* shapes_max: shapes whose values are all kept; 0 is the default. Beyond, and
 * an eighth more of them, attributes that are not sold by become
 * "__overflow__". Claims a free slot file, or makes one: what a dead recorder
 * left is settlement's. MET_E_LIMIT: 1,000 slots wait to be settled. */
met_error met__recorder_open(met_store *store, uint32_t shapes_max,
                             met_recorder **recorder_out,
                             met_error_info *info);
/* What was counted stays and waits to be settled. May be NULL; in a forked
 * child it only gives memory back. */
void met__recorder_close(met_recorder *recorder);
/* Counted when MET_OK; nothing has changed otherwise. MET_E_NOT_FOUND (no
 * meter wants this type) · MET_E_INVALID · MET_E_LIMIT (a bound of the event)
 * · MET_E_OVERFLOW · MET_E_TALLY_FULL · MET_E_IO (its file was cut short) ·
 * MET_E_FORKED · MET_E_BUG */
met_error met__recorder_add(met_recorder *recorder, const met_event *event,
                            uint32_t flags, met_error_info *info);
/* As many of the events as one round takes, at least one: what
 * met__recorder_add would make of each. MET_OK, or the error of the first that
 * was not counted, its place and info. MET_E_FORKED: nothing was done. */
#define MET__GROUP_MAX 16
met_error met__recorder_add_group(met_recorder *recorder,
                                  const met_event *events, size_t count,
                                  met_error *errors_out, size_t *taken_out,
                                  size_t *failed_out, met_error_info *info);

/* An event whose shape is looked up once. Errors as met__recorder_add;
 * MET_E_NO_MEMORY. Close it before its recorder. */
met_error met__prepared_open(met_recorder *recorder, const met_event *event,
                             met_prepared **prepared_out,
                             met_error_info *info);
met_error met__prepared_add(met_prepared *prepared,
                            const met_quantity *quantities, size_t count,
                            int64_t utc_ns, met_error_info *info);
void met__prepared_close(met_prepared *prepared);

/* Which shape an event was of, for who can tell when another event is of the
 * same one: all zeros is none. It may be forgotten at any time. */
typedef struct met__seen_shape {
    uint64_t plan_number; /* shape and hash are of this plan */
    met__hash128 hash;
    const struct met__recorder_type *type;
    uint32_t shape;
    uint32_t is_seen;
} met__seen_shape;

/* As met__recorder_add, and says which shape it was. */
met_error met__recorder_add_first(met_recorder *recorder,
                                  const met_event *event, uint32_t flags,
                                  met__seen_shape *seen_out,
                                  met_error_info *info);
/* As met__recorder_add, of an event of that shape, of which only quantities
 * and time are read. MET_E_BUSY: the shape was forgotten, add all of it. */
met_error met__recorder_add_again(met_recorder *recorder,
                                  const met__seen_shape *seen,
                                  const met_event *event,
                                  met_error_info *info);

/* What meters of an event type add up, by name, as far as the meters in force
 * are known: how many, and *names_out until the next call on the recorder. */
uint32_t met__recorder_quantities(met_recorder *recorder, met__text type,
                                  const met__text **names_out);
/* Whether the same meters keep an attribute of the type. */
int met__recorder_keeps(met_recorder *recorder, met__text type,
                        met__text name);
/* Another number: other meters. */
uint64_t met__recorder_plan(met_recorder *recorder);
/* About once a second. MET_OK · MET_E_NO_MEMORY · MET_E_DISK_FULL · MET_E_IO ·
 * MET_E_FORKED: the recorder goes on with what it has · MET_E_CORRUPT: with
 * another file, since the one it had was cut short. */
met_error met__recorder_tick(met_recorder *recorder);

#endif
