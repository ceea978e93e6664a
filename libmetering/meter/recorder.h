/* The recorder: counts usage in memory that survives the death of its process.
 * One caller at a time; one slot file each. */
#ifndef MET_METER_RECORDER_H
#define MET_METER_RECORDER_H

#include "metering/meter.h"
#include "store/store.h"

/* As the public calls, arguments checked by the caller. flags in addition:
 * the event came through admit. */
#define MET__RECORD_ADMITTED 1u

met_error met__recorder_open(met_store *store, met_recorder **recorder_out,
                             met_error_info *info);
void met__recorder_close(met_recorder *recorder);
met_error met__recorder_add(met_recorder *recorder, const met_event *event,
                            uint32_t flags, met_error_info *info);
met_error met__recorder_tick(met_recorder *recorder, int64_t utc_ns);

#endif
