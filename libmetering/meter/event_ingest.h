/* Ingest: events that carry an id, in batches, each one transaction. */
#ifndef MET_METER_EVENT_INGEST_H
#define MET_METER_EVENT_INGEST_H

#include "meter/event_batch.h"
#include "meter/usage_step.h"

typedef struct met__ingest met__ingest;

/* steps: as settlement's; what they point to outlives the handle. */
met_error met__ingest_open(met_store *store, const met__settle_step *steps,
                           size_t step_count, met__ingest **ingest_out,
                           met_error_info *info);
void met__ingest_close(met__ingest *ingest); /* may be NULL */

/* Called with all verdicts before the commit; an error stores nothing. */
typedef met_error (*met__verdicts_ready)(void *context,
                                         const met_event_verdict *verdicts,
                                         size_t count);

/* One transaction. cursor may be NULL. Errors as met_event_ingest. */
met_error met__event_ingest(met__ingest *ingest,
                            const met_ingest_event *events, size_t count,
                            const met_event_cursor *cursor,
                            met__verdicts_ready ready, void *context,
                            met_error_info *info);
met_error met__event_ingest_json(met__ingest *ingest, met__text json,
                                 int is_lines, const met_event_cursor *cursor,
                                 met__verdicts_ready ready, void *context,
                                 met_error_info *info);

#endif
