/* Parts of events, counted anew from what is retained of them. */
#ifndef MET_METER_EVENT_RECOUNT_H
#define MET_METER_EVENT_RECOUNT_H

#include "meter/event_log.h"
#include "meter/usage_part.h"

/* One event more in the words of a part, which begin as zeros. MET_E_CORRUPT:
 * no batch can have such a sum. */
met_error met__recount_add(uint64_t *words, const met__logged_event *event,
                           uint32_t quantities);
/* Whether a part is what was counted anew; and by how much later its events
 * were recorded than the recount says, which knows only their order. */
int met__recount_fits(const uint64_t *part, const uint64_t *counted,
                      uint32_t quantities, int64_t *shift_out);
void met__recount_shift(uint64_t *words, uint32_t quantities, int64_t shift);

#endif
