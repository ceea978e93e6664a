/* The exact log against an exact list of every hit: never more than the limit
 * in a window, never a refusal without enough hits in the window and a tick. */
#include "window_calls.h"

static const uint64_t limits[] = {1, 2, 5, 11, 12, 13, 20, 23, 24};
static const uint64_t lengths[] = {1000000, 7919 * 1000, SECOND, MINUTE,
                                   HOUR, YEAR};

static met__shape shape_of(uint64_t limit, uint64_t window_ns)
{
    return window_shape(limit, window_ns, MET_LIMITER_SLIDING,
                        &met__window_log);
}

static uint64_t ago(uint64_t moment, uint64_t ns)
{
    return moment > ns ? moment - ns : 0;
}

/* One run of arrivals; the arrivals' own clock never decides above the latest
 * one by more than steps allow. */
static void differ(uint64_t limit, uint64_t window_ns, int kind,
                   uint64_t start, int count)
{
    met__shape shape = shape_of(limit, window_ns);
    met__record record = {0};
    exact_list list = {0};
    uint64_t latest = start;
    uint64_t given_back = 0; /* moment of the last hit that went back */
    uint64_t tick = shape.tick_ns;

    for (int i = 0; i < count; i++) {
        uint64_t now = next_arrival(kind, latest, window_ns, limit, tick);
        uint64_t cost = random_below(5) == 0 ? 1 + random_below(limit) : 1;
        met__window_mark mark;
        /* What the hit that went back had pushed out of the log is gone, so a
         * clock later than that would find an emptier window than there was. */
        now = now > given_back ? now : given_back;
        /* A late clock is judged at the newest hit. */
        uint64_t newest = list.count ? list.times[list.count - 1] : 0;
        uint64_t judged = now > newest ? now : newest;
        latest = now > latest ? now : latest;
        uint64_t strictly = exact_since(&list, ago(judged, window_ns));
        uint64_t loosely =
            exact_since(&list, ago(judged, window_ns + 2 * tick));
        int result = take(&record, &shape, now, cost, 0, &mark);
        if (result == MET__TAKE_DONE) {
            if (strictly + cost > limit) {
                fail_msg("limit %llu window %llu kind %d hit %d: %llu more",
                         (unsigned long long)limit,
                         (unsigned long long)window_ns, kind, i,
                         (unsigned long long)(strictly + cost - limit));
            }
            assert_true(mark.used >= strictly + cost);
            exact_add(&list, judged, cost);
            if (random_below(20) == 0) { /* the newest hit may go back */
                assert_true(give_back(&record, &shape, mark.stamp,
                                            cost));
                exact_remove_last(&list);
                given_back = judged;
            }
        } else {
            assert_int_equal(result, MET__TAKE_REFUSED);
            if (loosely + cost <= limit) {
                fail_msg("limit %llu window %llu kind %d hit %d: refused "
                         "with %llu",
                         (unsigned long long)limit,
                         (unsigned long long)window_ns, kind, i,
                         (unsigned long long)loosely);
            }
        }
        assert_true(used(&record, &shape, now) <= limit);
    }
    exact_free(&list);
}

static void test_window_log__is_the_exact_list(void **state)
{
    static const uint64_t starts[] = {
        1, 5000 * SECOND, EPOCH, (UINT64_C(1) << 62) - 50 * SECOND};

    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        for (size_t w = 0; w < sizeof lengths / sizeof lengths[0]; w++) {
            for (int kind = 0; kind < ARRIVE_KINDS; kind++) {
                uint64_t start = starts[(l + w + (size_t)kind) % 4];
                /* Idle years would leave the clock's range. */
                if (start > UINT64_C(1) << 61 && lengths[w] > (uint64_t)HOUR) {
                    start = (uint64_t)EPOCH;
                }
                int count = lengths[w] > (uint64_t)HOUR ? 300 : 2500;
                differ(limits[l], lengths[w], kind, start, count);
            }
        }
    }
}

/* Across the wrap of the head's tick: 2^50 or 2^47 ticks. */
static void test_window_log__tick_wraps(void **state)
{
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        met__shape shape = shape_of(limits[l], SECOND);
        uint64_t range = UINT64_C(1)
                         << (MET__HEAD_BITS - 3 * shape.count_bits);
        for (uint64_t turn = 1; turn < 6; turn++) {
            uint64_t wrap = range * turn * shape.tick_ns;
            if (wrap / shape.tick_ns / turn != range
                || wrap > UINT64_C(1) << 62) {
                continue;
            }
            for (int kind = 0; kind < ARRIVE_KINDS; kind++) {
                differ(limits[l], SECOND, kind, wrap - 2 * SECOND, 300);
            }
        }
    }
}

/* At the nanosecond where the wait ends, and not one earlier. */
static void test_window_log__wait_is_exact(void **state)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t limit = limits[random_below(9)];
        uint64_t window_ns = lengths[random_below(6)];
        met__shape shape = shape_of(limit, window_ns);
        met__record record = {0};
        met__window_mark mark;
        uint64_t now = (uint64_t)EPOCH + random_below(SECOND);
        uint64_t hits = random_below(3 * limit) + 1;
        for (uint64_t hit = 0; hit < hits; hit++) {
            take(&record, &shape, now, 1 + random_below(3) * (limit > 4),
                 0, &mark);
            now += random_below(window_ns / limit + 1);
        }
        uint64_t cost = 1 + random_below(limit);
        met__snapshot copy;
        met__window_time time = {now, 0};
        assert_true(met__window_snapshot(&record, &copy));
        uint64_t wait = shape.ops->wait(&copy, &shape, &time, limit - cost);
        met__record later = record;
        if (wait == 0) {
            assert_int_equal(take(&later, &shape, now, cost, 0, &mark),
                             MET__TAKE_DONE);
            continue;
        }
        assert_int_equal(take(&later, &shape, now + wait - 1, cost, 0, &mark),
                         MET__TAKE_REFUSED);
        assert_int_equal(take(&later, &shape, now + wait, cost, 0, &mark),
                         MET__TAKE_DONE);
        time.monotonic_ns = now;
        uint64_t reset = shape.ops->reset(&copy, &shape, &time);
        uint64_t before = used(&record, &shape, now);
        assert_true(reset > 0 && reset <= wait);
        assert_int_equal(used(&record, &shape, now + reset - 1), before);
        assert_true(used(&record, &shape, now + reset) < before);
    }
}

/* A hit at age W is there, at W and two ticks it is gone. */
static void test_window_log__edge_is_the_length(void **state)
{
    met__shape shape = shape_of(1, SECOND);
    met__record record = {0};
    met__window_mark mark;

    assert_int_equal(take(&record, &shape, 100, 1, 0, &mark), MET__TAKE_DONE);
    assert_int_equal(take(&record, &shape, 100 + SECOND, 1, 0, &mark),
                     MET__TAKE_REFUSED);
    assert_int_equal(shape.tick_ns, 32);
    assert_int_equal(take(&record, &shape, 164 + SECOND, 1, 0, &mark),
                     MET__TAKE_DONE);
}

/* Who left a full window and comes back after a year is let in: nothing is
 * taken for a late clock until the machine has run for 13 months. */
static void test_window_log__long_absence_is_no_late_clock(void **state)
{
    uint64_t months = 30 * 24 * (uint64_t)HOUR;

    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        for (size_t w = 0; w < 4; w++) {
            met__shape shape = shape_of(limits[l], lengths[w]);
            for (uint64_t i = 1; i < 400; i++) {
                met__record record = {0};
                met__window_mark mark;
                uint64_t away = i * months / 30 + random_below(months / 30);
                assert_int_equal(take(&record, &shape, HOUR, limits[l],
                                      0, &mark),
                                 MET__TAKE_DONE);
                assert_int_equal(take(&record, &shape, HOUR + away, 1, 0,
                                      &mark),
                                 MET__TAKE_DONE);
            }
        }
    }
}

static void test_window_log__undo_only_the_newest(void **state)
{
    met__shape shape = shape_of(5, MINUTE);
    met__record record = {0};
    met__window_mark first;
    met__window_mark second;

    assert_int_equal(take(&record, &shape, SECOND, 2, 0, &first),
                     MET__TAKE_DONE);
    assert_int_equal(take(&record, &shape, 2 * SECOND, 1, 0, &second),
                     MET__TAKE_DONE);
    assert_false(give_back(&record, &shape, first.stamp, 2));
    assert_false(give_back(&record, &shape, second.stamp, 2));
    assert_int_equal(used(&record, &shape, 3 * SECOND), 3);
    assert_true(give_back(&record, &shape, second.stamp, 1));
    assert_int_equal(used(&record, &shape, 3 * SECOND), 2);
    /* Now the older hits are the newest: one of them at a time. */
    assert_true(give_back(&record, &shape, first.stamp, 1));
    assert_true(give_back(&record, &shape, first.stamp, 1));
    assert_false(give_back(&record, &shape, first.stamp, 1));
    assert_int_equal(record.head, 0);
}

/* Counted by force, the newest `limit` are kept: decisions are those of the
 * whole list. */
static void test_window_log__forced_hits_weigh(void **state)
{
    for (int round = 0; round < 2000; round++) {
        uint64_t limit = limits[random_below(9)];
        uint64_t window_ns = lengths[random_below(4)];
        met__shape shape = shape_of(limit, window_ns);
        met__record record = {0};
        exact_list list = {0};
        uint64_t now = (uint64_t)EPOCH;
        for (int i = 0; i < 60; i++) {
            met__window_mark mark;
            met__window_ask ask = {.cost = 1 + random_below(limit)};
            now += random_below(window_ns / limit + 1);
            ask.time.monotonic_ns = now;
            ask.is_forced = random_below(3) == 0;
            uint64_t strictly = exact_since(&list, now - window_ns);
            uint64_t loosely =
                exact_since(&list, now - window_ns - 2 * shape.tick_ns);
            int result = shape.ops->take(&record, &shape, &ask, &mark);
            if (result == MET__TAKE_DONE) {
                assert_true(ask.is_forced || strictly + ask.cost <= limit);
                exact_add(&list, now, ask.cost);
            } else {
                assert_false(ask.is_forced);
                assert_true(loosely + ask.cost > limit);
            }
        }
        exact_free(&list);
    }
}

static void test_window_log__frozen_counts_nothing(void **state)
{
    met__shape shape = shape_of(5, MINUTE);
    met__record record = {.head = MET__HEAD_FROZEN};
    met__window_mark mark = {0};

    assert_int_equal(take(&record, &shape, SECOND, 1, 0, &mark),
                     MET__TAKE_MOVED);
    assert_false(give_back(&record, &shape, 0, 1));
    assert_int_equal(record.head, MET__HEAD_FROZEN);
}

static void test_window_log__is_idle_when_all_is_forgotten(void **state)
{
    met__shape shape = shape_of(20, MINUTE);
    met__record record = {0};
    met__window_mark mark;
    met__window_time time = {SECOND, 0};

    assert_true(shape.ops->is_idle(0, &shape, &time));
    assert_int_equal(take(&record, &shape, SECOND, 3, 0, &mark),
                     MET__TAKE_DONE);
    time.monotonic_ns = SECOND + MINUTE;
    assert_false(shape.ops->is_idle(record.head, &shape, &time));
    time.monotonic_ns = SECOND + MINUTE + 2 * shape.tick_ns;
    assert_true(shape.ops->is_idle(record.head, &shape, &time));
    time.monotonic_ns = 1; /* late: not idle */
    assert_false(shape.ops->is_idle(record.head, &shape, &time));
}

/* Any words: no fault, no endless loop, answers within bounds. */
static void test_window_log__survives_garbage(void **state)
{
    for (int i = 0; i < 300000; i++) {
        met__shape shape = shape_of(limits[random_below(9)],
                                    lengths[random_below(6)]);
        met__record record;
        uint64_t *words = (uint64_t *)&record;
        for (size_t word = 0; word < sizeof record / 8; word++) {
            words[word] = next_random();
        }
        record.head &= ~MET__HEAD_CLOSED;
        uint64_t now = next_random() >> random_below(40) >> 1;
        met__window_mark mark = {0};
        met__snapshot copy;
        met__window_time time = {now, 0};
        assert_true(met__window_snapshot(&record, &copy));
        uint64_t room = random_below(shape.limit + 1);
        shape.ops->wait(&copy, &shape, &time, room);
        shape.ops->reset(&copy, &shape, &time);
        take(&record, &shape, now, 1 + random_below(shape.limit), 0, &mark);
        give_back(&record, &shape, mark.stamp, 1 + random_below(30));
        assert_true(used(&record, &shape, now) <= shape.slots);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_log__is_the_exact_list),
        cmocka_unit_test(test_window_log__tick_wraps),
        cmocka_unit_test(test_window_log__wait_is_exact),
        cmocka_unit_test(test_window_log__edge_is_the_length),
        cmocka_unit_test(test_window_log__long_absence_is_no_late_clock),
        cmocka_unit_test(test_window_log__undo_only_the_newest),
        cmocka_unit_test(test_window_log__forced_hits_weigh),
        cmocka_unit_test(test_window_log__frozen_counts_nothing),
        cmocka_unit_test(test_window_log__is_idle_when_all_is_forgotten),
        cmocka_unit_test(test_window_log__survives_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
