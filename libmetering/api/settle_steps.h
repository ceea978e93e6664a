/* Everything that a settlement does beside writing usage, in one list: rooms
 * do not know each other's steps. */
#ifndef MET_API_SETTLE_STEPS_H
#define MET_API_SETTLE_STEPS_H

#include "meter/settlement.h"

/* One pass, with every step. Errors as met__settle. */
met_error met__settle_all(met_store *store, uint64_t cells_max,
                          met__settle_report *report_out,
                          met_error_info *info);

#endif
