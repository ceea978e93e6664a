/* Pacing against a plain model that keeps the moment of full payment as a
 * fraction: the same decisions, the exact wait, no drift, costs, forced hits,
 * late clocks, garbage. */
#include "window_calls.h"

__extension__ typedef __int128 wide;

static const uint64_t limits[] = {1, 2, 7, 10, 60, 1000, 99991, 1048576};
static const uint64_t lengths[] = {1000000, 7919 * 1000, SECOND, MINUTE,
                                   HOUR, YEAR};
#define DAY (24 * (uint64_t)HOUR)
#define LIMITS (sizeof limits / sizeof limits[0])
#define LENGTHS (sizeof lengths / sizeof lengths[0])

static met__shape shape_of(uint64_t limit, uint64_t window_ns)
{
    return window_shape(limit, window_ns, MET_LIMITER_GCRA,
                        &met__window_gcra);
}

/* In 1 / limit ns: a hit is window_ns of them. */
static wide debt_of(wide paid, uint64_t now, uint64_t limit)
{
    wide debt = paid - (wide)now * limit;

    return debt > 0 ? debt : 0;
}

static int is_exact(const met__shape *shape)
{
    return shape->hit_units == shape->rate_ns;
}

/* A decision may differ from the fraction's only by less than a unit. */
static void decide(const met__shape *shape, uint64_t start, int count)
{
    uint64_t limit = shape->limit;
    uint64_t length = shape->window_ns;
    met__record record = {0};
    wide paid = 0;
    uint64_t now = start;
    uint64_t gap = length / (limit < 1000 ? limit : 1000);

    for (int i = 0; i < count && now < UINT64_C(1) << 62; i++) {
        met__window_mark mark;
        uint64_t cost = 1 + random_below(limit / 900 + 2);
        now += random_below(3) == 0 ? gap : random_below(2 * gap + 1);
        now += random_below(300) == 0 ? random_below(40 * length) : 0;
        /* A clock that is late by more than it may be opens the window. */
        if (random_below(50) == 0 && now > length
            && debt_of(paid, now, limit) <= (wide)length * limit) {
            now -= random_below(length);
        }
        cost = cost < limit ? cost : limit;
        int is_forced = random_below(40) == 0
                        && debt_of(paid, now, limit) < (wide)length * limit;
        wide debt = debt_of(paid, now, limit);
        wide over = debt + (wide)cost * length - (wide)limit * length;
        int result = take(&record, shape, now, cost, is_forced, &mark);
        if ((result == MET__TAKE_DONE) != (is_forced || over <= 0)) {
            wide off = over > 0 ? over : -over;
            if (is_exact(shape)
                || off > 2 * (wide)(length / shape->hit_units + 1)) {
                fail_msg("limit %llu window %llu hit %d",
                         (unsigned long long)limit,
                         (unsigned long long)length, i);
            }
        }
        if (result == MET__TAKE_DONE) {
            paid = (wide)now * limit + debt + (wide)cost * length;
            assert_int_equal(mark.used, used(&record, shape, now));
            if (random_below(10) == 0) {
                assert_true(give_back(&record, shape, mark.stamp,
                                             cost));
                paid -= (wide)cost * length;
            }
        } else {
            assert_int_equal(result, MET__TAKE_REFUSED);
        }
    }
}

static void decides_as_the_fraction(void **state)
{
    int exact = 0;

    for (size_t l = 0; l < LIMITS; l++) {
        for (size_t w = 0; w < LENGTHS; w++) {
            met__shape shape = shape_of(limits[l], lengths[w]);
            exact += is_exact(&shape);
            decide(&shape, 1, 2000);
            decide(&shape, (uint64_t)EPOCH + random_below(SECOND), 3000);
        }
    }
    assert_true(exact > 30);
}

/* Across the wrap of head; with small ranges many times. */
static void units_wrap(void **state)
{
    for (size_t l = 0; l < LIMITS; l++) {
        for (size_t w = 0; w < LENGTHS; w++) {
            met__shape shape = shape_of(limits[l], lengths[w]);
            wide range = ((wide)1 << MET__HEAD_BITS)
                         * (wide)shape.rate_ns / (wide)shape.rate
                         / (wide)shape.hit_units;
            for (int turn = 1; turn < 4; turn++) {
                wide start = range * turn - (wide)lengths[w];
                if (start < (wide)1 << 61) {
                    decide(&shape, (uint64_t)start, 1500);
                }
            }
        }
    }
}

/* 7 in a second, asked at every interval for days: an interval rounded down
 * or up would admit one more or one less. */
static void no_drift(void **state)
{
    met__shape shape = shape_of(7, SECOND);
    met__record record = {0};
    met__window_mark mark;
    uint64_t start = (uint64_t)EPOCH;

    for (int i = 0; i < 7; i++) {
        assert_int_equal(take(&record, &shape, start, 1, 0, &mark),
                         MET__TAKE_DONE);
    }
    for (uint64_t i = 1; i < 500000; i++) {
        uint64_t next = start + (i * SECOND + 6) / 7;
        assert_int_equal(take(&record, &shape, next - 1, 1, 0, &mark),
                         MET__TAKE_REFUSED);
        assert_int_equal(take(&record, &shape, next, 1, 0, &mark),
                         MET__TAKE_DONE);
    }
}

static void wait_is_exact(void **state)
{
    int waits = 0;

    for (int i = 0; i < 20000; i++) {
        uint64_t limit = limits[random_below(LIMITS)];
        uint64_t length = lengths[random_below(LENGTHS)];
        met__shape shape = shape_of(limit, length);
        met__record record = {0};
        met__window_mark mark;
        uint64_t now = (uint64_t)EPOCH + random_below(length);
        for (int hit = 0; hit < 5; hit++) {
            take(&record, &shape, now, 1 + random_below(limit),
                 random_below(4) == 0, &mark);
            now += random_below(length / 2);
        }
        now -= random_below(4) == 0 ? random_below(length) : 0;
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
        uint64_t before = used(&record, &shape, now);
        uint64_t reset = shape.ops->reset(&copy, &shape, &time);
        assert_true((reset == 0) == (before == 0));
        if (before > 0) {
            assert_int_equal(used(&record, &shape, now + reset - 1), before);
            assert_true(used(&record, &shape, now + reset) < before);
        }
    }
    assert_true(waits > 3000);
}

/* A debt that was paid long ago is not taken for one. */
static void long_absence_is_no_debt(void **state)
{
    for (size_t l = 0; l < LIMITS; l++) {
        for (size_t w = 0; w < LENGTHS; w++) {
            met__shape shape = shape_of(limits[l], lengths[w]);
            uint64_t start = random_below(DAY);
            for (uint64_t day = 0; day < 400; day++) {
                met__record record = {0};
                met__window_mark mark;
                uint64_t back = start + lengths[w] + day * DAY;
                assert_int_equal(take(&record, &shape, start, limits[l], 0,
                                      &mark),
                                 MET__TAKE_DONE);
                assert_int_equal(used(&record, &shape, back), 0);
            }
        }
    }
}

static void undo_only_the_newest(void **state)
{
    met__shape shape = shape_of(10, MINUTE);
    met__record record = {0};
    met__window_mark first;
    met__window_mark second;

    assert_int_equal(take(&record, &shape, HOUR, 3, 0, &first),
                     MET__TAKE_DONE);
    assert_int_equal(take(&record, &shape, HOUR, 2, 0, &second),
                     MET__TAKE_DONE);
    assert_false(give_back(&record, &shape, first.stamp, 3));
    assert_false(give_back(&record, &shape, second.stamp, 11));
    assert_true(give_back(&record, &shape, second.stamp, 2));
    assert_int_equal(used(&record, &shape, HOUR), 3);
    assert_true(give_back(&record, &shape, first.stamp, 3));
    assert_int_equal(used(&record, &shape, HOUR), 0);
    assert_false(give_back(&record, &shape, 0, 1));
}

static void forced_hits_do_not_overflow(void **state)
{
    for (size_t l = 0; l < LIMITS; l++) {
        for (size_t w = 0; w < LENGTHS; w++) {
            met__shape shape = shape_of(limits[l], lengths[w]);
            met__record record = {0};
            met__window_mark mark;
            met__window_time time = {(uint64_t)EPOCH + 2 * lengths[w], 0};
            for (int i = 0; i < 100; i++) {
                assert_int_equal(take(&record, &shape, EPOCH,
                                      MET_LIMITER_LIMIT_MAX, 1, &mark),
                                 MET__TAKE_DONE);
            }
            /* What was cut off cannot be given back. */
            assert_false(give_back(&record, &shape, mark.stamp, 1));
            assert_int_equal(used(&record, &shape, EPOCH), 2 * limits[l]);
            assert_int_equal(record.head >> MET__HEAD_BITS, 0);
            assert_false(shape.ops->is_idle(record.head, &shape,
                                            &(met__window_time){EPOCH, 0}));
            assert_true(shape.ops->is_idle(record.head, &shape, &time));
        }
    }
}

static void frozen_counts_nothing(void **state)
{
    met__shape shape = shape_of(5, MINUTE);
    met__record record = {.head = MET__HEAD_FROZEN};
    met__window_mark mark = {0};

    assert_int_equal(take(&record, &shape, SECOND, 1, 0, &mark),
                     MET__TAKE_MOVED);
    assert_false(give_back(&record, &shape, 0, 1));
    assert_int_equal(record.head, MET__HEAD_FROZEN);
}

/* Any words: no fault, answers within bounds. */
static void survives_garbage(void **state)
{
    for (int i = 0; i < 200000; i++) {
        met__shape shape = shape_of(limits[random_below(LIMITS)],
                                    lengths[random_below(LENGTHS)]);
        met__record record = {.head = next_random() & ~MET__HEAD_CLOSED};
        uint64_t now = next_random() >> random_below(40) >> 1;
        met__window_mark mark = {0};
        met__snapshot copy;
        met__window_time time = {now, 0};
        assert_true(met__window_snapshot(&record, &copy));
        uint64_t before = used(&record, &shape, now);
        shape.ops->wait(&copy, &shape, &time, random_below(shape.limit));
        shape.ops->reset(&copy, &shape, &time);
        if (take(&record, &shape, now, 1, 0, &mark) == MET__TAKE_DONE) {
            assert_true(before < shape.limit);
            assert_int_equal(used(&record, &shape, now), before + 1);
        }
        give_back(&record, &shape, mark.stamp, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_as_the_fraction),
        cmocka_unit_test(units_wrap),
        cmocka_unit_test(no_drift),
        cmocka_unit_test(wait_is_exact),
        cmocka_unit_test(long_absence_is_no_debt),
        cmocka_unit_test(undo_only_the_newest),
        cmocka_unit_test(forced_hits_do_not_overflow),
        cmocka_unit_test(frozen_counts_nothing),
        cmocka_unit_test(survives_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
