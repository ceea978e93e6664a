/* Killed after every single compare-and-swap: what is there afterwards is what
 * the model says with the hit or without it, and the next ones go on from
 * there. window_tape.c is compiled with a compare-and-swap that may be the
 * last. */
#include "tape_model.h"

static jmp_buf killed;
static int cas_left; /* 0: the next one kills; below: never */
static int cas_done;

static int die_after(int is_done)
{
    cas_done++;
    if (cas_left-- == 0) {
        longjmp(killed, 1);
    }
    return is_done;
}

/* In parentheses they are the functions. */
#define met__cas(...) die_after((met__cas)(__VA_ARGS__))
#define met__window_swap(...) die_after((met__window_swap)(__VA_ARGS__))
#define met__window_tape mortal_tape
#include "limit/window_tape.c"
#undef met__window_tape
#undef met__window_swap
#undef met__cas

static const uint64_t limits[] = {25, 60, 100, 1000, 5000, 1000000};
#define LIMITS (sizeof limits / sizeof limits[0])

static met__shape shape_of(uint64_t limit)
{
    met__shape shape;

    assert_int_equal(met__window_shape(&shape, limit, MINUTE,
                                       MET_LIMITER_SLIDING),
                     MET_OK);
    shape.ops = &mortal_tape;
    return shape;
}

static uint64_t used_at(const met__record *record, const met__shape *shape,
                        uint64_t now)
{
    met__snapshot copy;
    met__window_time time = {now, 0};

    assert_true(met__window_snapshot(record, &copy));
    return shape->ops->used(&copy, shape, &time);
}

/* One hit; killed after `most` compare-and-swaps. 1: it came to its end. */
static int take_until(met__record *record, const met__shape *shape,
                      const met__window_ask *ask, int most, int *result)
{
    met__window_mark mark;

    cas_left = most - 1;
    cas_done = 0;
    if (setjmp(killed) != 0) {
        return 0;
    }
    *result = shape->ops->take(record, shape, ask, &mark);
    return 1;
}

/* Nobody who comes later sees less than the model: what is left of a quantum
 * may be held for longer, nothing else. */
static void compare(const met__record *record, const met__shape *shape,
                    const model *m, uint64_t now)
{
    for (int i = 0; i < 12; i++) {
        uint64_t at = now + random_below(MINUTE + 3 * shape->tick_ns);
        model then = model_at(m, shape, at / shape->tick_ns);
        uint64_t expected = model_used(&then, shape);
        uint64_t seen = used_at(record, shape, at);
        assert_true(seen >= expected);
        assert_true(seen - expected < shape->quantum);
    }
}

static void every_step_may_be_the_last(void **state)
{
    int kills = 0;
    int counted = 0;

    for (int round = 0; round < 120; round++) {
        met__shape shape = shape_of(limits[(size_t)round % LIMITS]);
        met__record record = {0};
        model m = {0};
        uint64_t now = (uint64_t)EPOCH + random_below(SECOND);
        uint64_t gap = 1 + random_below(4 * MINUTE / 100);
        for (int i = 0; i < 120; i++) {
            met__window_ask ask = {.cost = 1 + random_below(shape.limit / 20)};
            int result = MET__TAKE_REFUSED;
            int most = 1 + (int)random_below(6);
            now += random_below(gap);
            ask.time.monotonic_ns = now;
            model at = model_at(&m, &shape, now / shape.tick_ns);
            uint64_t before = used_at(&record, &shape, now);
            int is_alive = take_until(&record, &shape, &ask, most, &result);
            uint64_t after = used_at(&record, &shape, now);
            if (is_alive && result == MET__TAKE_REFUSED) {
                assert_true(before + ask.cost > shape.limit);
                assert_int_equal(cas_done, 0);
                continue;
            }
            assert_true(after == before
                        || (after == before + ask.cost
                            && after <= shape.limit));
            assert_true(!is_alive || after != before);
            kills += !is_alive;
            counted += !is_alive && after != before;
            if (after != before) {
                uint64_t held = before - model_used(&at, &shape);
                assert_true(held < shape.quantum);
                m = at;
                m.pending += ask.cost + held;
            }
            compare(&record, &shape, &m, now);
        }
    }
    assert_true(kills > 1500);
    assert_true(counted > 500 && counted < kills);
}

/* Two who want the same: one is killed at any step, the other comes from any
 * later slot and is admitted iff the whole list has room. */
static void the_next_one_completes_it(void **state)
{
    for (int round = 0; round < 3000; round++) {
        met__shape shape = shape_of(limits[random_below(LIMITS)]);
        met__record record = {0};
        exact_list list = {0};
        uint64_t now = (uint64_t)EPOCH;
        for (int i = 0; i < 60; i++) {
            met__window_ask ask = {.cost = 1 + random_below(shape.limit / 9)};
            int result = MET__TAKE_REFUSED;
            now += random_below(MINUTE / 40);
            ask.time.monotonic_ns = now;
            uint64_t before = used_at(&record, &shape, now);
            int most = random_below(3) == 0 ? 1 + (int)random_below(4) : -1;
            take_until(&record, &shape, &ask, most, &result);
            if (used_at(&record, &shape, now) != before) {
                assert_true(exact_since(&list, now - MINUTE) + ask.cost
                            <= shape.limit);
                exact_add(&list, now, ask.cost);
            }
        }
        exact_free(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_may_be_the_last),
        cmocka_unit_test(the_next_one_completes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
