/* DIR/tally/plan.map: one word with the number of the recording plan in force,
 * so that a recorder learns of a new plan without asking the store. */
#ifndef MET_METER_PLAN_SIGNAL_H
#define MET_METER_PLAN_SIGNAL_H

#include "base/atomic.h"
#include "base/mapped_file.h"
#include "store/store.h"

typedef struct met__plan_signal {
    const met__platform *platform; /* NULL: not open */
    met__mapped_file file;
} met__plan_signal;

met_error met__plan_signal_open(met_store *store,
                                met__plan_signal *signal_out,
                                met_error_info *info);
void met__plan_signal_close(met__plan_signal *signal);
const met__atomic_u64 *met__plan_signal_word(const met__plan_signal *signal);
/* Raises the word to the number that is committed in the store. */
met_error met__plan_signal_raise(met_store *store, met__plan_signal *signal);
/* After a commit that may have changed meters: open, raise, close. Not
 * essential: a recorder's tick and every settlement raise it too. */
met_error met__plan_announce(met_store *store);

#endif
