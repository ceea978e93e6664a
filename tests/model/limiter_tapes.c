/* The tape: bits in steps, chunks that are spilled, residues of quanta. A slot
 * is a second long. */
#include "limiter_model.h"

#define LIMIT 25 /* every hit a 1 of its own */
#define SLOTS 359
#define LIMIT_OF_PAIRS 400 /* two hits behind a 1 */
#define SLOTS_OF_PAIRS 184

static void open_tape(uint64_t limit, uint64_t slots, uint32_t quantum)
{
    met__shape shape;

    open_window(limit, slots * SECOND, MET_LIMITER_SLIDING);
    assert_int_equal(met__window_shape(&shape, limit, slots * SECOND,
                                       MET_LIMITER_SLIDING),
                     MET_OK);
    assert_int_equal(shape.quantum, quantum);
    assert_int_equal(shape.tick_ns, SECOND);
}

static void key_0_in_seconds(int me)
{
    request_of(me, 0, START + (uint64_t)me * SECOND, 1);
    request_of(me, 0, START + (uint64_t)(me + 1) * SECOND, 1);
}

/* A slot is forgotten while others come. */
void tapes_go_on(void **state)
{
    scripts(key_0_in_seconds, key_0_in_seconds);
    open_tape(LIMIT, SLOTS, 1);
    had(START - (SLOTS + 1) * SECOND, 2);
    had(START - SECOND, LIMIT - 2);
    search_large("a tape forgets two", 2);
}

/* Hits of one slot that fill a chunk when the slot has gone by. */
void tapes_spill(void **state)
{
    scripts(key_0_in_seconds, key_0_in_seconds);
    open_tape(LIMIT, SLOTS, 1);
    had(START - SECOND, 9);
    search("a tape spills a chunk");
    open_tape(LIMIT, SLOTS, 1);
    had(START - SECOND, LIMIT - 2);
    search_large("a tape spills two", 2);
}

static void key_0_odd(int me)
{
    request_of(me, 0, START + (uint64_t)me * SECOND, 3);
    request_of(me, 0, START + (uint64_t)(me + 1) * SECOND, 1);
}

void tapes_keep_residues(void **state)
{
    scripts(key_0_odd, key_0_odd);
    open_tape(LIMIT_OF_PAIRS, SLOTS_OF_PAIRS, 2);
    had(START - SECOND, 13);
    key_has[0].least--;
    search("residues of quanta");
}

void tapes_give_back(void **state)
{
    open_tape(LIMIT, SLOTS, 1);
    had(START - SECOND, 3);
    scripts(key_0_given_back, key_0_given_back);
    search("hits of a tape are given back");
    open_tape(LIMIT, SLOTS, 1);
    had(START, LIMIT - 1);
    scripts(reset_and_ask, key_0_given_back);
    search("a hit of before a reset is given back: tape");
}
