/* Is billing alive? What the slots of a store hold that is not settled. */
#ifndef MET_METER_TALLY_REPORT_H
#define MET_METER_TALLY_REPORT_H

#include "document/document.h"
#include "store/store.h"

#define MET__HOLD_UPS_MAX 16

/* A slot that settlement waits for. */
typedef struct met__hold_up {
    uint64_t process_id; /* 0: its process is gone, or not known */
    const char *reason;  /* a literal */
    uint32_t slot;
    uint32_t reserved;
} met__hold_up;

#define MET__HELD_UP_BY_DAMAGE "the slot file is damaged"
#define MET__HELD_UP_BY_CELLS "cells of a dead recorder cannot be read"

/* Why a slot whose owner lives is not settled to its end, or NULL: its epochs
 * are not closed when nobody ticks. */
const char *met__owner_silence(int64_t beat_ns, int64_t now_ns);
/* Adds {"slot", "process_id"?, "reason"} to an array. */
met_error met__hold_up_append(met__arena *arena, met__node *array,
                              const met__hold_up *hold_up);

/* The minute of the oldest usage that is not in the store yet; 0 = none. */
met_error met__tally_oldest(met_store *store, int64_t *oldest_ns_out);
/* Adds "tally" to the report: {"slots", "slots_live", "slots_dead",
 * "slots_damaged", "cells_unsettled", "cells_unreadable",
 * "oldest_unsettled"?, "oldest_unsettled_seconds"?, "full_percent",
 * "overflowed", "refused", "files_lost", "events_lost_most", "held_up_by"?:
 * [{"slot", "process_id"?, "reason"}]}. */
met_error met__tally_describe(met_store *store, met__arena *arena,
                              met__node *report);

#endif
