/* One quota cell: the words of a customer's feature and every step that
 * changes them. docs/protocol.md has the order of the steps and why. */
#ifndef MET_LIMIT_QUOTA_CELL_H
#define MET_LIMIT_QUOTA_CELL_H

#include "base/atomic.h"
#include "limit/quota.h"

/* What a cell keeps of one period, on one cache line with half of the key.
 * Every word but the first two carries the tag of the period it belongs to in
 * its upper 3 bits, so that a request of a period that has gone cannot touch
 * what took its place. */
typedef struct met__quota_side {
    met__atomic_u64 key;       /* 0: free; never changes again */
    met__atomic_u64 control;   /* is being prepared 1 | tag 3 | number 60 */
    met__atomic_u64 flags;     /* tag 3 | next limit 30, scale 2 | its minute
                                  27 | flags 2 */
    met__atomic_u64 limit;     /* tag 3 | amount 61, two's complement */
    met__atomic_u64 reserved;  /* 0 */
    met__atomic_u64 taken;     /* tag 3 | 0 | is sealed 1 | amount 59 */
    met__atomic_u64 bucket[2]; /* tag 3 | slice 13 | amount 48 */
} met__quota_side;

typedef struct met__quota_cell {
    met__quota_side side[2]; /* periods of even and of odd numbers */
} met__quota_cell;

/* As the functions of quota.h; arguments are checked there. place of a ticket
 * is 1 or 2, for the side. MET_E_CORRUPT: words that no call can have left. */
met_error met__quota_cell_prepare(met__quota_cell *cell,
                                  const met__quota_period *period);
met_error met__quota_cell_admit(met__quota_cell *cell, uint64_t number,
                                int64_t cost, int64_t now_ns, int64_t utc_ns,
                                met__quota_ticket *ticket_out,
                                met__quota_state *state_out);
met_error met__quota_cell_complete_begin(met__quota_side *side,
                                         met__quota_ticket *ticket,
                                         int64_t true_cost);
met_error met__quota_cell_complete_end(met__quota_side *side,
                                       met__quota_ticket *ticket);
met_error met__quota_cell_release(met__quota_side *side,
                                  met__quota_ticket *ticket);
met_error met__quota_cell_seal(met__quota_cell *cell, uint64_t number,
                               int64_t now_ns, int64_t *taken_out);
met_error met__quota_cell_read(met__quota_cell *cell, uint64_t number,
                               met__quota_state *state_out);

#endif
