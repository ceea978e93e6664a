/* The quota cell's own code under every interleaving of its atomic operations:
 * two or three threads, each a request or a new period, and a kill between any
 * two operations. MODEL_TRACE=1 prints the operations of a failure. */
#include "limit/quota_cell.c"

#include "quota_support.h"

#define THREADS 3
#define WHOLE 4 /* granted */

/* Where in its request a thread is. */
enum { OUTSIDE, ASKING, RESERVED, COMPLETING, RECORDED };

/* All that threads share, and the books. Words only: the search hashes it. */
static struct {
    met__quota_cell cell;
    int64_t used[8];     /* by period */
    int64_t reserved[8]; /* admitted, not recorded, alive */
    int64_t over[8];     /* true costs beyond what was asked */
    int64_t lost[8];     /* what the killed may have left withheld */
    uint64_t killed;
    uint64_t is_lowered; /* less is granted, also to whoever asks now */
    struct {
        uint64_t stage;
        uint64_t number;
        int64_t cost;
        int64_t true_cost;
        int64_t bound; /* what was granted when it asked */
    } thread[THREADS];
} all;

static void (*script[THREADS])(int me);
static uint64_t slice_now; /* of the requests */
static int carries; /* the second period is granted what the first has left */
static int slices_differ;  /* some live in the one after it */
static int64_t dead; /* left behind by one who died in slice 0, before */
static int64_t later; /* granted from the minute on that comes; 0: none does */
static int64_t minute_of[THREADS]; /* whose clock says that it is there */

static void start(void)
{
    met__quota_period period = {.number = 1,
                                .limit = WHOLE,
                                .taken = dead,
                                .next_at_ns = later != 0 ? MINUTE_NS : 0,
                                .next_limit = later};

    memset(&all, 0, sizeof all);
    if (met__quota_cell_prepare(&all.cell, &period) != MET_OK) {
        model_must(0, "prepared");
    }
    all.cell.side[1].bucket[0] = bucket_word(1, 0, dead);
}

static void check_books(uint64_t number)
{
    model_require(all.used[number] + all.reserved[number]
                  <= WHOLE + all.over[number]);
}

/* Of all periods together, when what is left of one is given in the next. */
static void check_bound(int me, uint64_t number)
{
    model_require(all.used[number] + all.reserved[number]
                  <= all.thread[me].bound + all.over[number]);
    if (carries) {
        model_require(all.used[1] + all.reserved[1] + all.used[2]
                          + all.reserved[2]
                      <= WHOLE + all.over[1] + all.over[2]);
    }
}

/* true_costs: so many from 0; negative: one below and one above the cost. */
static void request_in(int me, uint64_t number, int64_t cost, int true_costs,
                       int may_release)
{
    met__quota_cell *cell = &all.cell;
    met__quota_side *side = &cell->side[number & 1];
    met__quota_ticket ticket;
    met__quota_state state = {0};
    int64_t true_cost = true_costs < 0
                            ? cost - 1 + 2 * model_choose(2)
                            : model_choose((unsigned)true_costs);
    int releases = may_release && model_choose(2);

    all.thread[me].number = number;
    all.thread[me].cost = cost;
    all.thread[me].true_cost = true_cost;
    all.thread[me].stage = ASKING;
    all.thread[me].bound = later != 0 && (all.is_lowered || minute_of[me])
                               ? later
                               : WHOLE;
    uint64_t slice = slice_now + (slices_differ ? model_choose(2) : 0);
    met_error error = met__quota_cell_admit(
        cell, number, cost, (int64_t)slice * SLICE, minute_of[me] * MINUTE_NS,
        &ticket, &state);
    if (error != MET_OK || !state.is_allowed) {
        model_require(error == MET_OK || error == MET_E_NOT_FOUND);
        all.thread[me].stage = OUTSIDE;
        return;
    }
    all.thread[me].stage = RESERVED;
    all.reserved[number] += cost;
    check_books(number);
    check_bound(me, number);
    model_step();
    if (releases) {
        all.reserved[number] -= cost;
        all.thread[me].stage = COMPLETING;
        model_require(met__quota_cell_release(side, &ticket) == MET_OK);
        all.thread[me].stage = OUTSIDE;
        return;
    }
    all.thread[me].stage = COMPLETING;
    model_require(met__quota_cell_complete_begin(side, &ticket, true_cost)
                  == MET_OK);
    model_step();
    all.thread[me].stage = RECORDED;
    all.over[number] += true_cost > cost ? true_cost - cost : 0;
    all.reserved[number] -= cost;
    all.used[number] += true_cost;
    check_books(number);
    if (ticket.place != 0) {
        model_require(met__quota_cell_complete_end(side, &ticket) == MET_OK);
    }
    all.thread[me].stage = OUTSIDE;
}

static void killed(int me)
{
    int64_t cost = all.thread[me].cost;
    int64_t true_cost = all.thread[me].true_cost;
    uint64_t number = all.thread[me].number;
    uint64_t stage = all.thread[me].stage;

    all.killed++;
    if (stage == RESERVED || stage == COMPLETING) {
        all.reserved[number] -= stage == RESERVED ? cost : 0;
    }
    /* Between admit and complete its bucket gives everything back. */
    if (stage == ASKING || stage == COMPLETING || stage == RECORDED) {
        all.lost[number] += cost > true_cost ? cost : true_cost;
        all.lost[number] += dead; /* died while giving that back */
    }
}

static void check_period(uint64_t number)
{
    met__quota_ticket ticket;
    met__quota_state state;
    met_error error = met__quota_cell_admit(
        &all.cell, number, 0, (int64_t)(slice_now + 4) * SLICE, 0, &ticket,
        &state);

    if (error == MET_E_NOT_FOUND) {
        return; /* it has gone */
    }
    model_require(error == MET_OK);
    model_require(state.reserved_in_flight == 0);
    model_require(state.taken >= all.used[number]);
    model_require(state.taken - all.used[number] <= all.lost[number]);
}

static void finish(void)
{
    met__quota_period period = {.number = 7, .limit = WHOLE};
    met__quota_state state;

    check_period(1);
    check_period(2);
    check_period(3);
    /* Whatever the dead left half done, the next period is as it should. */
    model_require(met__quota_cell_prepare(&all.cell, &period) == MET_OK);
    model_require(met__quota_cell_read(&all.cell, 7, &state) == MET_OK);
    model_require(state.limit == WHOLE && state.taken == 0
                  && state.next_at_ns == 0 && !state.is_sealed
                  && state.reserved_in_flight == 0);
}

static void follow_script(int me)
{
    script[me](me);
}

static void run(const char *name, int threads, int kills, int is_weak)
{
    model_spec spec = {.threads = threads,
                       .kills = kills,
                       .is_weak = is_weak,
                       .setup = start,
                       .thread = follow_script,
                       .killed = killed,
                       .finish = finish,
                       .shared = &all,
                       .shared_size = sizeof all};
    model_result result;

    assert_int_equal(model_search(&spec, &result), 1);
    assert_int_equal(result.is_complete, 1);
    printf("%-44s %9llu states %9llu executions\n", name,
           (unsigned long long)result.states,
           (unsigned long long)result.executions);
    fflush(stdout);
}

/* --- Scripts -------------------------------------------------------------- */
static void small_request(int me)
{
    request_in(me, 1, 2, 4, 0);
}

static void large_request(int me)
{
    request_in(me, 1, 3, 5, 0);
}

static void released_request(int me)
{
    request_in(me, 1, 3, 2, 1);
}

static void last_unit(int me)
{
    request_in(me, 1, WHOLE, 1, 1);
    request_in(me, 1, WHOLE, 1, 0);
}

static void brief_request(int me)
{
    request_in(me, 1, 2, -1, 0);
}

static void next_period(int me)
{
    met__quota_period period = {.number = 3, .limit = WHOLE};

    all.thread[me].number = 3;
    met_error error = met__quota_cell_prepare(&all.cell, &period);
    model_require(error == MET_OK);
    request_in(me, 3, 3, 1, 0);
}

static void next_period_only(int me)
{
    met__quota_period period = {.number = 3, .limit = WHOLE,
                                .flags = me == 1 ? MET__QUOTA_PROVISIONAL
                                                 : 0};

    met_error error = met__quota_cell_prepare(&all.cell, &period);
    model_require(error == MET_OK || error == MET_E_CONFLICT);
}

static void period_after_next(int me)
{
    met__quota_period period = {.number = 5, .limit = WHOLE};
    met__quota_state state;

    model_require(met__quota_cell_prepare(&all.cell, &period) == MET_OK);
    model_require(met__quota_cell_read(&all.cell, 5, &state) == MET_OK);
    model_require(state.limit == WHOLE && state.taken == 0);
}

static void settlement(int me)
{
    met__quota_period period = {.number = 1, .limit = WHOLE - 1};

    model_require(met__quota_cell_prepare(&all.cell, &period) == MET_OK);
    period.limit = WHOLE;
    model_require(met__quota_cell_prepare(&all.cell, &period) == MET_OK);
}

/* A grant is voided, or the minute has come for whoever settles. */
static void lower(int me)
{
    met__quota_period period = {.number = 1, .limit = later};

    model_require(met__quota_cell_prepare(&all.cell, &period) == MET_OK);
    all.is_lowered = 1;
}

/* Another grant: the same for now, more from the minute on. */
static void raise_later(int me)
{
    met__quota_period period = {.number = 1,
                                .limit = WHOLE,
                                .next_at_ns = MINUTE_NS,
                                .next_limit = later};

    model_require(met__quota_cell_prepare(&all.cell, &period) == MET_OK);
}

/* A period ends: what is left of it is given in the next, to somebody. */
static void carry_over(int me)
{
    met__quota_period period = {.number = 2};
    int64_t taken = 0;

    all.thread[me].number = 2;
    model_require(met__quota_cell_seal(&all.cell, 1, 0, &taken)
                  == MET_OK);
    model_require(taken <= WHOLE + all.over[1]);
    period.limit = taken < WHOLE ? WHOLE - taken : 0;
    model_require(met__quota_cell_prepare(&all.cell, &period) == MET_OK);
    request_in(me, 2, 2, 1, 0);
}

/* --- Searches ------------------------------------------------------------- */
static void requests_share_an_allowance(void **state)
{
    slice_now = 0;
    dead = 0;
    script[0] = small_request;
    script[1] = large_request;
    run("two requests, a kill", 2, 1, 0);
    script[1] = released_request;
    run("a request, one released, a kill", 2, 1, 0);
    script[0] = last_unit;
    script[1] = last_unit;
    run("the last unit, two each, a kill", 2, 1, 0);
}

static void dead_reservations_come_back_once(void **state)
{
    slice_now = 2;
    dead = 3;
    script[0] = small_request;
    script[1] = released_request;
    run("a dead one's bucket, two requests", 2, 0, 0);
    run("a dead one's bucket, two requests, a kill", 2, 1, 0);
}

static void the_slice_before_lives(void **state)
{
    slice_now = 0;
    dead = 0;
    slices_differ = 1;
    script[0] = brief_request;
    script[1] = released_request;
    run("requests of two slices, a kill", 2, 1, 0);
    slices_differ = 0;
}

static void periods_do_not_mix(void **state)
{
    slice_now = 0;
    dead = 0;
    script[0] = brief_request;
    script[1] = next_period_only;
    run("a request, a new period, a kill", 2, 1, 0);
    script[1] = next_period;
    run("a request, a new period and one in it", 2, 0, 0);
    script[0] = next_period_only;
    run("a new period from two, one in it, a kill", 2, 1, 0);
    script[1] = period_after_next;
    run("two periods, a kill", 2, 1, 0);
    script[1] = next_period_only;
    run("two make one period, two kills", 2, 2, 0);
    script[0] = brief_request;
    script[1] = settlement;
    run("a request, settlement, a kill", 2, 1, 0);
}

static void what_is_granted_changes(void **state)
{
    slice_now = 0;
    dead = 0;
    later = 2;
    script[0] = brief_request;
    script[1] = lower;
    run("a request, less is granted, a kill", 2, 1, 0);
    script[2] = last_unit;
    run("two requests, less is granted", 3, 0, 0);
    minute_of[0] = 1;
    run("one behind the minute, one before, settled", 3, 0, 0);
    run("one behind the minute, settled, a kill", 2, 1, 0);
    script[1] = raise_later;
    run("one behind the minute, a grant, a kill", 2, 1, 0);
    script[0] = released_request;
    script[1] = lower;
    run("weak: one behind the minute, settled", 2, 0, 1);
    minute_of[0] = 0;
    later = 0;
}

static void what_is_left_over_is_given_once(void **state)
{
    slice_now = 0;
    dead = 0;
    carries = 1;
    script[0] = brief_request;
    script[1] = carry_over;
    run("a request, the rest in the next, a kill", 2, 1, 0);
    script[2] = released_request;
    run("two requests, the rest in the next", 3, 0, 0);
    run("weak: a request, the rest in the next", 2, 0, 1);
    carries = 0;
}

static void old_values_may_be_read(void **state)
{
    slice_now = 0;
    dead = 0;
    script[0] = brief_request;
    script[1] = next_period_only;
    run("weak: a request, a new period", 2, 0, 1);
    script[0] = last_unit;
    script[1] = released_request;
    run("weak: the last unit", 2, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_share_an_allowance),
        cmocka_unit_test(dead_reservations_come_back_once),
        cmocka_unit_test(the_slice_before_lives),
        cmocka_unit_test(periods_do_not_mix),
        cmocka_unit_test(what_is_granted_changes),
        cmocka_unit_test(what_is_left_over_is_given_once),
        cmocka_unit_test(old_values_may_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
