/* What a decision has counted, and giving it back. In: a ticket. Out: hits gone
 * from every window in which they are provably the newest; dropping an older
 * one would let a window have more than its limit.
 *
 *   words 0 … 5   of window i: bit 63 "counted", stamp of the hit
 *   words 6 … 8   birth and shape of two windows each
 *   word 9        policy | cost that is left
 *   word 10       the key's bits
 *   word 11       numbers of the key's two blocks */
#include "limit/limiter_plan.h"

#define COUNTED (UINT64_C(1) << 63)
#define NAMES MET__PLAN_WINDOWS
#define COST 9
#define BITS 10
#define BLOCKS 11

void met__plan_ticket(const met__plan *p, met_limiter_ticket *ticket_out)
{
    uint64_t *words = ticket_out->private_;
    int is_counted = 0;

    *ticket_out = (met_limiter_ticket){{0}};
    for (uint32_t i = 0; i < p->view.count; i++) {
        const met__plan_window *window = &p->windows[i];
        if (window->is_taken) {
            words[i] = window->mark.stamp | COUNTED;
            words[NAMES + i / 2] |= ((uint64_t)p->view.windows[i].born << 8
                                     | p->view.windows[i].shape)
                                    << (i % 2 * 32);
            is_counted = 1;
        }
    }
    if (is_counted) {
        words[COST] = (uint64_t)p->request->policy << 32 | p->cost;
        words[BITS] = p->key.bits;
        for (uint32_t i = 0; i < MET__CHOICES; i++) {
            words[BLOCKS] |= p->key.block[i] / MET__BLOCK_PLACES << (i * 32);
        }
    }
}

/* The key of a ticket; 0 when it is not one of this table. */
static int read_key(const met__limit_table *table, const uint64_t *words,
                    met__place_key *key_out)
{
    key_out->bits = words[BITS];
    for (uint32_t i = 0; i < MET__CHOICES; i++) {
        uint64_t block = words[BLOCKS] >> (i * 32) & UINT32_MAX;
        if (block >= table->blocks) {
            return 0;
        }
        key_out->block[i] = block * MET__BLOCK_PLACES;
    }
    return 1;
}

/* 1: given back. */
static int give_back(met__limit_table *table, const uint64_t *words,
                     const met__place_key *key, uint32_t index, uint64_t cost)
{
    uint64_t window = words[NAMES + index / 2] >> (index % 2 * 32);
    uint32_t number = (uint32_t)(window & 0xff);
    met__place_name name =
        met__place_name_of(key, (uint32_t)(words[COST] >> 32), number,
                           (uint32_t)(window >> 8 & 0xffff));
    met__shape spare;
    const met__shape *shape = met__shape_get(table, number, &spare);
    met__record *record = met__place_search(table, key, &name, 0);

    /* A place that was given to another key meanwhile was idle: its hits are
     * younger, so that the stamp is not theirs. */
    return shape != NULL && record != NULL
           && shape->ops->undo(record, shape, words[index] & ~COUNTED,
                               met__plan_cost_in(cost, shape));
}

met_error met__limiter_refund(met_limiter *limiter,
                              met_limiter_ticket *ticket, uint64_t cost,
                              uint32_t *withheld_out)
{
    met__limit_table *table = &limiter->table;
    uint64_t *words = ticket->private_;
    uint64_t left = words[COST] & UINT32_MAX;
    uint32_t withheld = 0;
    met__place_key key;

    if (cost > left || !read_key(table, words, &key)) {
        return MET_E_INVALID;
    }
    if (left == 0) { /* nothing was counted, or all is given back */
        *withheld_out = 0;
        return MET_OK;
    }
    cost = cost == 0 ? left : cost;
    for (uint32_t i = 0; i < MET__PLAN_WINDOWS; i++) {
        if (words[i] & COUNTED) {
            int done = give_back(table, words, &key, i, cost);
            met__limit_count(table,
                             done ? MET__COUNT_UNDONE : MET__COUNT_WITHHELD);
            withheld |= (uint32_t)!done << i;
        }
    }
    words[COST] -= cost;
    if (cost == left) {
        *ticket = (met_limiter_ticket){{0}};
    }
    *withheld_out = withheld;
    return MET_OK;
}
