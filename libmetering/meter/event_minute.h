/* The retained events of one minute that a bound parts: what of every part lies
 * within the bounds. */
#ifndef MET_METER_EVENT_MINUTE_H
#define MET_METER_EVENT_MINUTE_H

#include "meter/usage_cell.h"

#define MET__MINUTE_EVENTS_MAX (1u << 20)

typedef struct met__event_minute met__event_minute;

/* Reads them all; only those in [from_ns, to_ns) lie within. MET_E_LIMIT: more
 * than MET__MINUTE_EVENTS_MAX · MET_E_CORRUPT · MET_E_NO_MEMORY */
met_error met__event_minute_read(met__txn *txn, met__arena *arena,
                                 int64_t minute, int64_t from_ns,
                                 int64_t to_ns,
                                 met__event_minute **minute_out);
/* The part with only what lies within; its count is 0 when nothing does.
 * *hindrance_out: why that cannot be told, or NULL. MET_E_CORRUPT */
met_error met__event_minute_cut(met__txn *txn,
                                const met__event_minute *minute,
                                const met__usage_item *part,
                                met__usage_item *part_out,
                                const char **hindrance_out);

#endif
