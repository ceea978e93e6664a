/* The model checker itself: known answers of small programs, and bugs that it
 * must find. */
#include "base/atomic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct {
    met__atomic_u64 data;
    met__atomic_u64 flag;
    uint64_t seen[2];
} all;

static void clear(void)
{
    memset(&all, 0, sizeof all);
}

static void nothing(void)
{
}

static int search(void (*thread)(int me), int kills, int is_weak,
                  void (*finish)(void), model_result *result)
{
    model_spec spec = {.threads = 2,
                       .kills = kills,
                       .is_weak = is_weak,
                       .setup = clear,
                       .thread = thread,
                       .finish = finish,
                       .shared = &all,
                       .shared_size = sizeof all};
    return model_search(&spec, result);
}

static void add_in_two_steps(int me)
{
    uint64_t value = met__load_acquire(&all.data);

    met__store_release(&all.data, value + 1);
}

static void add_in_one(int me)
{
    met__fetch_add(&all.data, 1);
}

static void sum_is_two(void)
{
    model_require(all.data == 2);
}

static void finds_lost_updates(void **state)
{
    model_result result;

    assert_int_equal(search(add_in_two_steps, 0, 0, sum_is_two, &result), 0);
    assert_int_equal(search(add_in_one, 0, 0, sum_is_two, &result), 1);
    assert_int_equal(result.is_complete, 1);
    assert_true(result.executions >= 2);
    /* One of them is killed before it adds. */
    assert_int_equal(search(add_in_one, 1, 0, sum_is_two, &result), 0);
}

static void pass_released(int me)
{
    if (me == 0) {
        met__store_relaxed(&all.data, 7);
        met__store_release(&all.flag, 1);
    } else if (met__load_acquire(&all.flag) == 1) {
        model_require(met__load_relaxed(&all.data) == 7);
    }
}

static void pass_relaxed(int me)
{
    if (me == 0) {
        met__store_relaxed(&all.data, 7);
        met__store_relaxed(&all.flag, 1);
    } else if (met__load_acquire(&all.flag) == 1) {
        model_require(met__load_relaxed(&all.data) == 7);
    }
}

static void pass_fenced(int me)
{
    if (me == 0) {
        met__store_relaxed(&all.data, 7);
        met__fence_release();
        met__store_relaxed(&all.flag, 1);
    } else if (met__load_relaxed(&all.flag) == 1) {
        met__fence_acquire();
        model_require(met__load_relaxed(&all.data) == 7);
    }
}

static void knows_orders(void **state)
{
    model_result result;

    assert_int_equal(search(pass_released, 0, 1, nothing, &result), 1);
    assert_int_equal(search(pass_fenced, 0, 1, nothing, &result), 1);
    assert_int_equal(search(pass_relaxed, 0, 1, nothing, &result), 0);
    assert_int_equal(search(pass_relaxed, 0, 0, nothing, &result), 1);
}

static void store_and_look(int me)
{
    met__store_release(me == 0 ? &all.data : &all.flag, 1);
    all.seen[me] = met__load_acquire(me == 0 ? &all.flag : &all.data);
}

static void one_saw_the_other(void)
{
    model_require(all.seen[0] + all.seen[1] >= 1);
}

/* Stores that wait in a buffer: only values of before explain it. */
static void knows_stale_values(void **state)
{
    model_result result;

    assert_int_equal(search(store_and_look, 0, 0, one_saw_the_other, &result),
                     1);
    assert_int_equal(search(store_and_look, 0, 1, one_saw_the_other, &result),
                     0);
}

static uint64_t outcomes;

static void three_steps(int me)
{
    model_step();
    all.seen[me] = all.seen[me] * 2 + model_choose(2);
    model_step();
    all.seen[me] = all.seen[me] * 2 + model_choose(2);
}

static void note_outcome(void)
{
    outcomes |= UINT64_C(1) << (all.seen[0] * 4 + all.seen[1]);
}

static void tries_every_choice(void **state)
{
    model_result result;

    outcomes = 0;
    assert_int_equal(search(three_steps, 0, 0, note_outcome, &result), 1);
    assert_int_equal(outcomes, 0xffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_lost_updates),
        cmocka_unit_test(knows_orders),
        cmocka_unit_test(knows_stale_values),
        cmocka_unit_test(tries_every_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
