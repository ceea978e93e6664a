/* Giving back what a decision has counted. In: a ticket. Out: hits gone from
 * every window in which they are provably the newest; dropping an older one
 * would let a window have more than its limit. What is held is released by
 * whoever holds it, in any order. */
#include "limit/limiter_ticket.h"

#include "limit/limiter_plan.h"

/* The key of a ticket; 0 when it is not one of this table. */
static int read_key(const met__limit_table *table, const uint64_t *words,
                    met__place_key *key_out)
{
    key_out->bits = words[MET__TICKET_BITS];
    for (uint32_t i = 0; i < MET__CHOICES; i++) {
        uint64_t block = words[MET__TICKET_BLOCKS] >> (i * 32) & UINT32_MAX;
        if (block >= table->blocks) {
            return 0;
        }
        key_out->block[i] = block * MET__BLOCK_PLACES;
    }
    return 1;
}

/* 1: given back. */
static int give_back(met__limit_table *table, const uint64_t *words,
                     const met__place_key *key, uint32_t index,
                     const met__shape *shape, uint64_t cost)
{
    uint64_t window = words[MET__TICKET_NAMES + index / 2] >> (index % 2 * 32);
    met__place_name name = met__place_name_of(
        key, (uint32_t)(words[MET__TICKET_COST] >> 32),
        (uint32_t)(window & 0xff), (uint32_t)(window >> 8 & 0xffff));
    met__record *record = met__place_search(table, key, &name, 0);
    met__window_mark mark = {
        .name = (window >> MET__TICKET_TURN_SHIFT << MET__NAME_TURN_SHIFT)
                + name.name,
        .stamp = words[index] & ~MET__TICKET_COUNTED};

    return record != NULL
           && met__window_undo(record, shape, &mark,
                               met__plan_cost_in(cost, shape));
}

/* Gives back in all windows, or only in those that count what is held, which
 * the ticket then has no more. */
static met_error give(met_limiter *limiter, met_limiter_ticket *ticket,
                      uint64_t cost, int is_release, uint32_t *withheld_out)
{
    met__limit_table *table = &limiter->table;
    uint64_t *words = ticket->private_;
    uint32_t withheld = 0;
    met__place_key key;

    if (!read_key(table, words, &key)) {
        return MET_E_INVALID;
    }
    for (uint32_t i = 0; i < MET__PLAN_WINDOWS; i++) {
        uint64_t names = words[MET__TICKET_NAMES + i / 2] >> (i % 2 * 32);
        met__shape spare;
        const met__shape *shape =
            met__shape_get(table, (uint32_t)(names & 0xff), &spare);
        if (!(words[i] & MET__TICKET_COUNTED)
            || (is_release && (shape == NULL || !shape->ops->is_held))) {
            continue;
        }
        int done = shape != NULL
                   && give_back(table, words, &key, i, shape, cost);
        if (!done || !is_release) {
            met__limit_count(table,
                             done ? MET__COUNT_UNDONE : MET__COUNT_WITHHELD);
        }
        withheld |= (uint32_t)!done << i;
        words[i] &= is_release ? ~MET__TICKET_COUNTED : UINT64_MAX;
    }
    met_error error = met__limit_table_answer(table, MET_OK);
    if (error == MET_OK) {
        *withheld_out = withheld;
    }
    return error;
}

met_error met__limiter_refund(met_limiter *limiter,
                              met_limiter_ticket *ticket, uint64_t cost,
                              uint32_t *withheld_out)
{
    uint64_t *words = ticket->private_;
    uint64_t left = words[MET__TICKET_COST] & UINT32_MAX;

    if (cost > left) {
        return MET_E_INVALID;
    }
    cost = cost == 0 ? left : cost;
    met_error error = give(limiter, ticket, cost, 0, withheld_out);
    if (error == MET_OK) {
        words[MET__TICKET_COST] -= cost;
        if (cost == left) { /* nothing was counted, or all is given back */
            *ticket = (met_limiter_ticket){{0}};
        }
    }
    return error;
}

met_error met__limiter_release(met_limiter *limiter,
                               met_limiter_ticket *ticket,
                               uint32_t *withheld_out)
{
    return give(limiter, ticket,
                ticket->private_[MET__TICKET_COST] & UINT32_MAX, 1,
                withheld_out);
}
