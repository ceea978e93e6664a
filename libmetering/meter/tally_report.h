/* Is billing alive? What the slots of a store hold that is not settled. */
#ifndef MET_METER_TALLY_REPORT_H
#define MET_METER_TALLY_REPORT_H

#include "document/document.h"
#include "store/store.h"

/* The minute of the oldest usage that is not in the store yet; 0 = none. */
met_error met__tally_oldest(met_store *store, int64_t *oldest_ns_out);
/* Adds "tally" to the report: {"slots", "slots_live", "slots_dead",
 * "slots_damaged", "cells_unsettled", "cells_unreadable",
 * "oldest_unsettled"?, "oldest_unsettled_seconds"?, "full_percent",
 * "overflowed", "refused", "held_up_by"?: [{"slot", "process_id",
 * "reason"}]}. */
met_error met__tally_describe(met_store *store, met__arena *arena,
                              met__node *report);

#endif
