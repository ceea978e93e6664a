/* Fixed windows against a plain count a window; months and years of the
 * calendar; clocks that are late or set back; garbage. */
#include "limit_support.h"

#include "base/calendar.h"

static met__shape shape_of(uint64_t limit, int64_t window_ns,
                           uint32_t algorithm)
{
    met__shape shape;

    assert_int_equal(met__window_shape(&shape, limit, (uint64_t)window_ns,
                                       algorithm),
                     MET_OK);
    return shape;
}

static int take(met__record *record, const met__shape *shape, uint64_t utc,
                uint64_t cost, int is_forced, met__window_mark *mark)
{
    met__window_ask ask = {.time = {1, utc}, .cost = cost,
                           .is_forced = (uint32_t)is_forced};

    return shape->ops->take(record, shape, &ask, mark);
}

static uint64_t month_of(uint64_t utc)
{
    met__civil civil;

    assert_int_equal(met__civil_from_ns((int64_t)utc, &civil), MET_OK);
    return (uint64_t)civil.year * 12 + (uint64_t)civil.month;
}

/* kind 0: multiples of the length; 1: months; 2: years */
static uint64_t window_of(int kind, uint64_t utc, uint64_t length)
{
    return kind == 0 ? utc / length
                     : month_of(utc) / (kind == 2 ? 12 : 1);
}

static void decides_as_a_count_a_window(void **state)
{
    static const struct {
        int64_t length;
        uint32_t algorithm;
        int kind;
    } rows[] = {{1000000, 3, 0},     {7919 * 1000, 3, 0},
                {MINUTE, 3, 0},      {604800 * SECOND, 3, 0},
                {SECOND, 4, 0},      {MINUTE, 4, 0},
                {HOUR, 4, 0},        {24 * HOUR, 4, 0},
                {720 * HOUR, 4, 1}};

    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        uint64_t length = (uint64_t)rows[r].length;
        uint64_t limit = 1 + random_below(40);
        met__shape shape = shape_of(limit, rows[r].length, rows[r].algorithm);
        met__record record = {0};
        uint64_t now = (uint64_t)EPOCH + random_below(length);
        uint64_t window = 0;
        uint64_t count = 0;
        for (int i = 0; i < 4000 && now < (uint64_t)MET__TIME_MAX / 2; i++) {
            met__window_mark mark;
            met__snapshot copy;
            met__window_time time = {1, 0};
            uint64_t cost = 1 + random_below(3);
            int is_forced = random_below(20) == 0;
            now += random_below(length / limit + 1);
            time.utc_ns = now;
            if (window_of(rows[r].kind, now, length) != window) {
                window = window_of(rows[r].kind, now, length);
                count = 0;
            }
            int expected = is_forced || count + cost <= limit;
            assert_true(met__window_snapshot(&record, &copy));
            uint64_t wait = cost > limit ? 0
                                         : shape.ops->wait(&copy, &shape, &time,
                                                           limit - cost);
            assert_int_equal(shape.ops->used(&copy, &shape, &time), count);
            if (wait > 0) {
                met__record later = record;
                assert_int_equal(take(&later, &shape, now + wait - 1, cost, 0,
                                      &mark), MET__TAKE_REFUSED);
                assert_int_equal(take(&later, &shape, now + wait, cost, 0,
                                      &mark), MET__TAKE_DONE);
            }
            assert_int_equal(take(&record, &shape, now, cost, is_forced,
                                  &mark) == MET__TAKE_DONE, expected);
            count += expected ? cost : 0;
            if (expected && random_below(9) == 0) {
                assert_true(give_back(&record, &shape, mark.stamp,
                                            cost));
                count -= cost;
            }
        }
    }
}

static void months_and_years_have_their_length(void **state)
{
    met__shape month = shape_of(1, 720 * HOUR, MET_LIMITER_CALENDAR_UTC);
    met__shape year = shape_of(1, YEAR, MET_LIMITER_CALENDAR_UTC);
    uint64_t day = 24 * (uint64_t)HOUR;

    for (uint64_t start = 0; start < 200 * (uint64_t)YEAR;) {
        met__record records[2] = {{0}, {0}};
        met__window_mark mark;
        uint64_t next = start + day;
        while (month_of(next) == month_of(start)) {
            next += day;
        }
        assert_int_equal(take(&records[0], &month, start, 1, 0, &mark),
                         MET__TAKE_DONE);
        assert_int_equal(take(&records[0], &month, next - 1, 1, 0, &mark),
                         MET__TAKE_REFUSED);
        assert_int_equal(take(&records[0], &month, next, 1, 0, &mark),
                         MET__TAKE_DONE);
        assert_int_equal(take(&records[1], &year, start, 1, 0, &mark),
                         MET__TAKE_DONE);
        assert_int_equal(take(&records[1], &year, next - 1, 1, 0, &mark),
                         MET__TAKE_REFUSED);
        assert_int_equal(take(&records[1], &year, next, 1, 0, &mark),
                         month_of(next) % 12 == 1 ? MET__TAKE_DONE
                                                  : MET__TAKE_REFUSED);
        start = next;
    }
}

static void odd_lengths_are_no_calendar(void **state)
{
    met__shape shape;

    assert_int_equal(met__window_shape(&shape, 1, 30 * SECOND,
                                       MET_LIMITER_CALENDAR_UTC),
                     MET_E_UNSUPPORTED);
    assert_int_equal(met__window_shape(&shape, 1, 31 * 24 * HOUR,
                                       MET_LIMITER_CALENDAR_UTC),
                     MET_E_UNSUPPORTED);
}

static void late_clocks(void **state)
{
    for (uint32_t algorithm = 3; algorithm <= 4; algorithm++) {
        met__shape shape = shape_of(2, MINUTE, algorithm);
        met__record record = {0};
        met__window_mark mark;
        uint64_t now = 100 * MINUTE;
        met__window_time time = {1, now - 10};
        met__snapshot copy;
        assert_int_equal(take(&record, &shape, now, 2, 0, &mark),
                         MET__TAKE_DONE);
        assert_int_equal(take(&record, &shape, now - MINUTE, 1, 0, &mark),
                         MET__TAKE_REFUSED);
        assert_true(met__window_snapshot(&record, &copy));
        assert_int_equal(shape.ops->wait(&copy, &shape, &time, 1),
                         MINUTE + 10);
        assert_false(shape.ops->is_idle(record.head, &shape, &time));
        /* Set back by more: its own window counts. */
        assert_int_equal(take(&record, &shape, now - HOUR, 1, 0, &mark),
                         MET__TAKE_DONE);
    }
}

static void survives_garbage(void **state)
{
    static const int64_t lengths[] = {SECOND, MINUTE, HOUR, 720 * HOUR, YEAR};

    for (int i = 0; i < 200000; i++) {
        met__shape shape = shape_of(1 + random_below(1048576),
                                    lengths[random_below(5)],
                                    3 + (uint32_t)random_below(2));
        met__record record = {.head = next_random() & ~MET__HEAD_CLOSED};
        uint64_t now = next_random() >> random_below(40) >> 1;
        met__window_mark mark = {0};
        met__window_time time = {1, now};
        met__snapshot copy;
        assert_true(met__window_snapshot(&record, &copy));
        shape.ops->wait(&copy, &shape, &time, 0);
        shape.ops->reset(&copy, &shape, &time);
        take(&record, &shape, now, 1 + random_below(100),
             random_below(2) == 0, &mark);
        give_back(&record, &shape, mark.stamp, 1);
        assert_true(shape.ops->used(&copy, &shape, &time)
                    < UINT64_C(1) << 22);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_as_a_count_a_window),
        cmocka_unit_test(months_and_years_have_their_length),
        cmocka_unit_test(odd_lengths_are_no_calendar),
        cmocka_unit_test(late_clocks),
        cmocka_unit_test(survives_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
