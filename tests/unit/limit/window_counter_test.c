/* Two weighted buckets against a plain model of two numbers: the same
 * decisions, the exact wait, costs, forced hits, late clocks, garbage. */
#include "window_calls.h"

__extension__ typedef unsigned __int128 wide;

typedef struct model {
    uint64_t bucket;
    uint64_t previous;
    uint64_t current;
} model;

static const uint64_t limits[] = {1, 2, 10, 25, 100, 1000, 65535, 1048576};
static const uint64_t lengths[] = {1000000, 7919 * 1000, SECOND, MINUTE,
                                   HOUR, YEAR};

static met__shape shape_of(uint64_t limit, uint64_t window_ns)
{
    return window_shape(limit, window_ns, MET_LIMITER_SLIDING_COUNTER,
                        &met__window_counter);
}

static void turn(model *m, uint64_t now, uint64_t length)
{
    uint64_t bucket = now / length;

    if (bucket != m->bucket) {
        m->previous = bucket == m->bucket + 1 ? m->current : 0;
        m->current = 0;
        m->bucket = bucket;
    }
}

/* (current + cost) * W + previous * (W - elapsed) <= limit * W */
static int admits(const model *m, uint64_t now, uint64_t length,
                  uint64_t limit, uint64_t cost)
{
    wide left = (wide)(m->current + cost) * length
                + (wide)m->previous * (length - now % length);

    return left <= (wide)limit * length;
}

static void decides_as_the_formula(void **state)
{
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        for (size_t w = 0; w < sizeof lengths / sizeof lengths[0]; w++) {
            met__shape shape = shape_of(limits[l], lengths[w]);
            met__record record = {0};
            uint64_t now = (uint64_t)EPOCH + random_below(lengths[w]);
            model m = {.bucket = now / lengths[w]};
            uint64_t step = lengths[w] / (limits[l] < 50 ? limits[l] * 2
                                                         : 100);
            /* The clock ends at 2^63: 292 years. */
            for (int i = 0; i < 3000 && now < UINT64_C(1) << 62; i++) {
                met__window_mark mark;
                uint64_t cost = 1 + random_below(limits[l] / 60 + 2);
                int is_forced = random_below(30) == 0
                                && m.current < limits[l] * 2;
                now += random_below(2 * step + 1);
                now += random_below(200) == 0 ? random_below(3 * lengths[w])
                                              : 0;
                turn(&m, now, lengths[w]);
                int expected = is_forced
                               || admits(&m, now, lengths[w], limits[l],
                                         cost);
                int got = take(&record, &shape, now, cost, is_forced, &mark);
                if (got != (expected ? MET__TAKE_DONE : MET__TAKE_REFUSED)) {
                    fail_msg("limit %llu window %llu hit %d: %llu %llu",
                             (unsigned long long)limits[l],
                             (unsigned long long)lengths[w], i,
                             (unsigned long long)m.previous,
                             (unsigned long long)m.current);
                }
                if (expected) {
                    m.current += cost;
                    assert_int_equal(mark.used, used(&record, &shape, now));
                    if (random_below(10) == 0) {
                        assert_true(give_back(&record, &shape,
                                                    mark.stamp, cost));
                        m.current -= cost;
                    }
                }
            }
        }
    }
}

static void wait_is_exact(void **state)
{
    int waits = 0;

    for (int i = 0; i < 20000; i++) {
        uint64_t limit = limits[random_below(8)];
        uint64_t length = lengths[random_below(6)];
        met__shape shape = shape_of(limit, length);
        met__record record = {0};
        met__window_mark mark;
        uint64_t now = (uint64_t)EPOCH + random_below(length);
        for (int hit = 0; hit < 6; hit++) {
            take(&record, &shape, now, 1 + random_below(limit),
                 random_below(4) == 0, &mark);
            now += random_below(length / 2);
        }
        uint64_t cost = 1 + random_below(limit);
        met__snapshot copy;
        met__window_time time = {now, 0};
        assert_true(met__window_snapshot(&record, &copy));
        uint64_t wait = shape.ops->wait(&copy, &shape, &time, limit - cost);
        met__record later = record;
        if (wait > 0) {
            waits++;
            assert_int_equal(take(&later, &shape, now + wait - 1, cost, 0,
                                  &mark),
                             MET__TAKE_REFUSED);
        }
        assert_int_equal(take(&later, &shape, now + wait, cost, 0, &mark),
                         MET__TAKE_DONE);
    }
    assert_true(waits > 3000);
}

static void undo_ends_with_the_bucket(void **state)
{
    met__shape shape = shape_of(10, MINUTE);
    met__record record = {0};
    met__window_mark mark;
    met__window_mark next;

    assert_int_equal(take(&record, &shape, MINUTE, 3, 0, &mark),
                     MET__TAKE_DONE);
    assert_false(give_back(&record, &shape, mark.stamp, 4));
    assert_true(give_back(&record, &shape, mark.stamp, 1));
    assert_int_equal(used(&record, &shape, MINUTE), 2);
    assert_int_equal(take(&record, &shape, 2 * MINUTE, 1, 0, &next),
                     MET__TAKE_DONE);
    assert_false(give_back(&record, &shape, mark.stamp, 1));
    assert_int_equal(used(&record, &shape, 2 * MINUTE), 3);
}

/* A late reading is decided at the beginning of the bucket that others have
 * opened; the wait is from the late reading on. */
static void late_clock_opens_nothing(void **state)
{
    met__shape shape = shape_of(4, MINUTE);
    met__record record = {0};
    met__window_mark mark;

    assert_int_equal(take(&record, &shape, 10 * MINUTE, 4, 0, &mark),
                     MET__TAKE_DONE);
    assert_int_equal(take(&record, &shape, 10 * MINUTE - 1, 1, 0, &mark),
                     MET__TAKE_REFUSED);
    met__snapshot copy;
    met__window_time time = {9 * MINUTE + 30 * SECOND, 0};
    assert_true(met__window_snapshot(&record, &copy));
    uint64_t wait = shape.ops->wait(&copy, &shape, &time, 3);
    assert_int_equal(take(&record, &shape, time.monotonic_ns + wait - 1, 1, 0,
                          &mark),
                     MET__TAKE_REFUSED);
    assert_int_equal(take(&record, &shape, time.monotonic_ns + wait, 1, 0,
                          &mark),
                     MET__TAKE_DONE);
}

static void forced_hits_do_not_overflow(void **state)
{
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        met__shape shape = shape_of(limits[l], MINUTE);
        met__record record = {0};
        met__window_mark mark;
        for (int i = 0; i < 100; i++) {
            assert_int_equal(take(&record, &shape, HOUR, limits[l], 1, &mark),
                             MET__TAKE_DONE);
        }
        assert_true(used(&record, &shape, HOUR) >= 3 * limits[l]);
        assert_int_equal(used(&record, &shape, HOUR + 2 * MINUTE), 0);
        met__window_time time = {HOUR + 2 * MINUTE, 0};
        assert_true(shape.ops->is_idle(record.head, &shape, &time));
        assert_int_equal(record.head & MET__HEAD_FROZEN, 0);
        assert_int_equal(record.head & MET__HEAD_CLOSED, 0);
    }
}

static void survives_garbage(void **state)
{
    for (int i = 0; i < 200000; i++) {
        met__shape shape = shape_of(limits[random_below(8)],
                                    lengths[random_below(6)]);
        met__record record = {.head = next_random() & ~MET__HEAD_CLOSED};
        uint64_t now = next_random() >> random_below(40) >> 1;
        met__window_mark mark = {0};
        met__snapshot copy;
        met__window_time time = {now, 0};
        assert_true(met__window_snapshot(&record, &copy));
        shape.ops->wait(&copy, &shape, &time, random_below(shape.limit));
        shape.ops->reset(&copy, &shape, &time);
        take(&record, &shape, now, 1 + random_below(shape.limit), 0, &mark);
        give_back(&record, &shape, mark.stamp, 1);
        assert_true(used(&record, &shape, now) < UINT64_C(1) << 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_as_the_formula),
        cmocka_unit_test(wait_is_exact),
        cmocka_unit_test(undo_ends_with_the_bucket),
        cmocka_unit_test(late_clock_opens_nothing),
        cmocka_unit_test(forced_hits_do_not_overflow),
        cmocka_unit_test(survives_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
