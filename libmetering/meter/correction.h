/* Corrections of usage: a signed amount for one meter, and an event that is
 * taken back. Both are parts of their own, so that what was counted stays as
 * it was; but what cannot be taken from an outcome (the greatest value, the
 * last, a distinct one) is counted again without the event. All say who did it
 * and why. */
#ifndef MET_METER_CORRECTION_H
#define MET_METER_CORRECTION_H

#include "meter/event_log.h"
#include "meter/usage_step.h"

/* {"id", "meter", "subject", "dimensions"?, "time", "value", "reason",
 * "actor"}; *node_out is the stored document. The same again changes nothing.
 * MET_E_INVALID · MET_E_NOT_FOUND (the meter) · MET_E_UNSUPPORTED (its
 * aggregation) · MET_E_CONFLICT (the id has another document) */
met_error met__usage_adjust(met__txn *txn, const met__steps *steps,
                            const met__node *node, const met__path *path,
                            met__arena *arena, met__node **node_out,
                            met_error_info *info);
/* By id; of one subject and minute when subject is not empty. */
met_error met__adjustment_list(met__txn *txn, met__text subject,
                               int64_t minute, met__arena *arena,
                               met__node **array_out);

/* {"source", "id", "reason", "actor"}; *node_out is the event's document.
 * MET_E_INVALID · MET_E_NOT_FOUND (no such event is retained) ·
 * MET_E_UNSUPPORTED (a meter that counts it would have to count again, and
 * cannot) */
met_error met__event_retract(met__txn *txn, const met__steps *steps,
                             const met__node *node, const met__path *path,
                             met__arena *arena, met__node **node_out,
                             met_error_info *info);

/* The part that the event was counted in is counted again without it, from
 * what is retained. *hindrance_out: why that cannot be, and nothing was
 * changed; NULL: it is done. */
met_error met__event_take_out(met__txn *txn, const met__steps *steps,
                              const met__logged_event *event,
                              uint32_t quantities, met__arena *arena,
                              const char **hindrance_out);

/* What became of an event, and which numbers it is in. */
met_error met__event_explain(met__txn *txn, met__text source, met__text id,
                             met__arena *arena, met__node **node_out);

#endif
