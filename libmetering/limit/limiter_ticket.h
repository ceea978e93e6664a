/* The words of a ticket: what a decision has counted.
 *
 *   words 0 … 5   of window i: bit 63 "counted", stamp of the hit
 *   words 6 … 8   of two windows each: turn of the record, birth, shape
 *   word 9        policy | cost that is left
 *   word 10       the key's bits
 *   word 11       numbers of the key's two blocks */
#ifndef MET_LIMIT_LIMITER_TICKET_H
#define MET_LIMIT_LIMITER_TICKET_H

#include <string.h>

#include "limit/limit_table.h"

#define MET__TICKET_COUNTED (UINT64_C(1) << 63)
#define MET__TICKET_NAMES MET_LIMITER_WINDOWS_MAX
#define MET__TICKET_TURN_SHIFT 24 /* of a window's half word */
#define MET__TICKET_COST 9
#define MET__TICKET_BITS 10
#define MET__TICKET_BLOCKS 11

/* Nothing was counted. In two pieces, which compilers clear with a few wide
 * stores; for the whole they take an instruction that costs more than the rest
 * of an answer. */
static inline void met__ticket_clear(met_limiter_ticket *ticket)
{
    size_t half = sizeof *ticket / 2;

    memset(ticket->private_, 0, half);
    memset((char *)ticket->private_ + half, 0, half);
}

/* owner: birth << 8 | shape. */
static inline void met__ticket_add(met_limiter_ticket *ticket, uint32_t index,
                                   uint64_t owner,
                                   const met__window_mark *mark)
{
    uint64_t turn = mark->name >> MET__NAME_TURN_SHIFT;

    ticket->private_[index] = mark->stamp | MET__TICKET_COUNTED;
    ticket->private_[MET__TICKET_NAMES + index / 2] |=
        (turn << MET__TICKET_TURN_SHIFT | owner) << (index % 2 * 32);
}

/* After what was counted has been added. */
static inline void met__ticket_end(met_limiter_ticket *ticket,
                                   uint32_t policy, uint64_t cost,
                                   const met__place_key *key)
{
    uint64_t *words = ticket->private_;

    words[MET__TICKET_COST] = (uint64_t)policy << 32 | cost;
    words[MET__TICKET_BITS] = key->bits;
    for (uint32_t i = 0; i < MET__CHOICES; i++) {
        words[MET__TICKET_BLOCKS] |= key->block[i] / MET__BLOCK_PLACES
                                     << (i * 32);
    }
}

#endif
