/* The staircase tape against a plain model (a list of quanta) and the exact
 * list of every hit: the model's decisions, never more than the limit in a
 * window, never a refusal but for more than limit - q hits of N + 1 slots. */
#include "tape_model.h"
#include "window_calls.h"

static const uint64_t limits[] = {25,   26,   60,     100,    250,    383,
                                  384,  1000, 4321,   100000, 999999, 1048576};
static const uint64_t lengths[] = {1000000, 7919 * 1000, SECOND, MINUTE,
                                   HOUR, YEAR};
#define LIMITS (sizeof limits / sizeof limits[0])
#define LENGTHS (sizeof lengths / sizeof lengths[0])

static met__shape shape_of(uint64_t limit, uint64_t window_ns)
{
    return window_shape(limit, window_ns, MET_LIMITER_SLIDING,
                        &met__window_tape);
}

/* --- Arrivals against model and list -------------------------------------- */
static uint64_t ago(uint64_t moment, uint64_t ns)
{
    return moment > ns ? moment - ns : 0;
}

static uint64_t random_cost(uint64_t limit)
{
    switch (random_below(12)) {
    case 0:
        return 1 + random_below(limit);
    case 1:
    case 2:
        return 1 + random_below(limit / 20 + 1);
    default:
        return 1 + (limit > 5000 ? random_below(limit / 1000) : 0);
    }
}

typedef struct scene {
    met__shape shape;
    met__record record;
    model m;
    exact_list list;
    uint64_t latest;
} scene;

static void arrive(scene *s, uint64_t now, int kind, int index)
{
    const met__shape *shape = &s->shape;
    uint64_t cost = random_cost(shape->limit);
    uint64_t slot = now / shape->tick_ns;
    model at = model_at(&s->m, shape, slot);
    uint64_t expected = model_used(&at, shape);
    /* A late clock is judged in the newest hit's slot. */
    uint64_t judged =
        now > s->m.newest * shape->tick_ns ? now
                                           : s->m.newest * shape->tick_ns;
    uint64_t strictly = exact_since(&s->list, ago(judged, shape->window_ns));
    uint64_t loosely = exact_since(
        &s->list, ago(slot > s->m.newest ? slot : s->m.newest, shape->slots)
                      * shape->tick_ns);
    met__record before = s->record;
    met__window_mark mark;

    if (used(&s->record, shape, now) != expected) {
        fail_msg("limit %llu window %llu kind %d hit %d: %llu, not %llu",
                 (unsigned long long)shape->limit,
                 (unsigned long long)shape->window_ns, kind, index,
                 (unsigned long long)used(&s->record, shape, now),
                 (unsigned long long)expected);
    }
    int result = take(&s->record, shape, now, cost, 0, &mark);
    if (result == MET__TAKE_REFUSED) {
        assert_true(expected + cost > shape->limit);
        assert_true(loosely + cost + shape->quantum - 1 > shape->limit);
        assert_memory_equal(&before, &s->record, sizeof before);
        return;
    }
    assert_int_equal(result, MET__TAKE_DONE);
    assert_true(expected + cost <= shape->limit);
    assert_true(strictly + cost <= shape->limit);
    assert_int_equal(mark.used, expected + cost);
    assert_int_equal(used(&s->record, shape, now), expected + cost);
    s->m = at;
    s->m.pending += cost;
    exact_add(&s->list, judged, cost);
    if (random_below(20) == 0) {
        assert_true(give_back(&s->record, shape, mark.stamp, cost));
        s->m.pending -= cost;
        exact_remove_last(&s->list);
    }
    s->latest = now > s->latest ? now : s->latest;
}

static void differ(uint64_t limit, uint64_t window_ns, int kind,
                   uint64_t start, int count)
{
    scene s = {.shape = shape_of(limit, window_ns), .latest = start};

    for (int i = 0; i < count && s.latest < UINT64_C(1) << 62; i++) {
        /* Units of cost come at the limit's rate. */
        uint64_t rate = limit > 5000 ? 2000 : limit;
        uint64_t now = next_arrival(kind, s.latest, window_ns, rate,
                                    s.shape.tick_ns);
        s.latest = now > s.latest ? now : s.latest;
        arrive(&s, now, kind, i);
    }
    exact_free(&s.list);
}

static void decides_as_model_and_list(void **state)
{
    static const uint64_t starts[] = {1, 5000 * SECOND, EPOCH};

    for (size_t l = 0; l < LIMITS; l++) {
        for (size_t w = 0; w < LENGTHS; w++) {
            for (int kind = 0; kind < ARRIVE_KINDS; kind++) {
                differ(limits[l], lengths[w], kind,
                       starts[(l + w + (size_t)kind) % 3],
                       lengths[w] > (uint64_t)HOUR ? 400 : 1200);
            }
        }
    }
}

/* Across the wrap of the head's slot. */
static void slot_wraps(void **state)
{
    for (size_t l = 0; l < LIMITS; l++) {
        met__shape shape = shape_of(limits[l], SECOND);
        uint64_t range = UINT64_C(1)
                         << (MET__HEAD_BITS - 21 - shape.count_bits);
        for (uint64_t turn = 1; turn < 4; turn++) {
            uint64_t wrap = range * turn * shape.tick_ns;
            for (int kind = 0; kind < ARRIVE_KINDS; kind++) {
                differ(limits[l], SECOND, kind, wrap - SECOND / 2, 700);
            }
        }
    }
}

/* --- Numbers -------------------------------------------------------------- */
static void shape_has_the_least_error(void **state)
{
    static const struct {
        uint64_t limit;
        uint32_t quantum;
        uint32_t slots;
    } known[] = {{25, 1, 359}, {60, 1, 324}, {1000, 5, 184},
                 {100000, 521, 192}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        met__shape shape = shape_of(known[i].limit, MINUTE);
        assert_int_equal(shape.quantum, known[i].quantum);
        assert_int_equal(shape.slots, known[i].slots);
    }
    for (uint64_t limit = 25; limit < 3000; limit += 1 + limit / 9) {
        met__shape shape = shape_of(limit, MINUTE);
        double error = (shape.quantum - 1) / (double)limit
                       + 1.0 / (shape.slots + 1);
        for (uint64_t quantum = 1; quantum <= limit; quantum++) {
            uint64_t quanta = (limit + quantum - 1) / quantum;
            if (quanta < 384) {
                assert_true(error <= (double)(quantum - 1) / (double)limit
                                         + 1.0 / (double)(385 - quanta)
                                         + 1e-12);
            }
        }
        assert_true(shape.slots * shape.tick_ns >= (uint64_t)MINUTE);
    }
    met__shape shape;
    assert_int_equal(met__window_shape(&shape, MET_LIMITER_LIMIT_MAX + 1,
                                       MINUTE, MET_LIMITER_SLIDING),
                     MET_E_UNSUPPORTED);
}

/* --- Waiting -------------------------------------------------------------- */
/* At the nanosecond where the wait ends, and not one earlier. */
static void wait_is_exact(void **state)
{
    int waits = 0;

    for (int i = 0; i < 10000; i++) {
        uint64_t limit = limits[random_below(LIMITS)];
        uint64_t window_ns = lengths[random_below(LENGTHS)];
        met__shape shape = shape_of(limit, window_ns);
        met__record record = {0};
        met__window_mark mark;
        uint64_t now = (uint64_t)EPOCH + random_below(SECOND);
        for (uint64_t hits = random_below(300); hits > 0; hits--) {
            take(&record, &shape, now, random_cost(limit),
                 random_below(60) == 0, &mark);
            now += random_below(window_ns / 50);
        }
        now -= random_below(8) == 0 ? random_below(window_ns) : 0;
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
        assert_true(wait == 0 || reset <= wait);
        if (before > 0) {
            assert_int_equal(used(&record, &shape, now + reset - 1), before);
            assert_true(used(&record, &shape, now + reset) < before);
        }
    }
    assert_true(waits > 2000);
}

/* --- Giving back ---------------------------------------------------------- */
static void undo_only_in_the_newest_slot(void **state)
{
    met__shape shape = shape_of(1000, MINUTE);
    met__record record = {0};
    met__window_mark first;
    met__window_mark second;
    uint64_t slot = shape.tick_ns;

    assert_int_equal(take(&record, &shape, 10 * slot, 7, 0, &first),
                     MET__TAKE_DONE);
    assert_false(give_back(&record, &shape, first.stamp, 8));
    assert_true(give_back(&record, &shape, first.stamp, 1));
    assert_int_equal(used(&record, &shape, 10 * slot), 6);
    assert_int_equal(take(&record, &shape, 11 * slot, 3, 0, &second),
                     MET__TAKE_DONE);
    assert_false(give_back(&record, &shape, first.stamp, 1));
    /* A quantum of the older slot is on the tape: it stays. */
    assert_false(give_back(&record, &shape, second.stamp, 5));
    assert_true(give_back(&record, &shape, second.stamp, 3));
    assert_int_equal(used(&record, &shape, 11 * slot), 6);
}

/* --- By force ------------------------------------------------------------- */
/* The newest limit's worth decides: as the model, which keeps as much. */
static void forced_hits_weigh(void **state)
{
    for (int round = 0; round < 400; round++) {
        uint64_t limit = limits[random_below(LIMITS)];
        uint64_t window_ns = lengths[random_below(LENGTHS - 1)];
        scene s = {.shape = shape_of(limit, window_ns)};
        uint64_t now = (uint64_t)EPOCH;
        for (int i = 0; i < 200; i++) {
            met__window_mark mark;
            uint64_t cost = random_cost(limit) + random_below(3) * limit / 9;
            int is_forced = random_below(3) == 0;
            now += random_below(window_ns / (1 + random_below(200)));
            uint64_t slot = now / s.shape.tick_ns;
            uint64_t strictly = exact_since(&s.list, now - window_ns);
            uint64_t loosely =
                exact_since(&s.list, (slot - s.shape.slots)
                                         * s.shape.tick_ns);
            int result = take(&s.record, &s.shape, now, cost, is_forced,
                              &mark);
            if (result == MET__TAKE_DONE) {
                assert_true(is_forced || strictly + cost <= limit);
                exact_add(&s.list, now, cost);
            } else {
                assert_int_equal(result, MET__TAKE_REFUSED);
                assert_false(is_forced);
                assert_true(loosely + cost + s.shape.quantum - 1 > limit);
            }
        }
        exact_free(&s.list);
    }
}

static void forced_hits_do_not_overflow(void **state)
{
    for (size_t l = 0; l < LIMITS; l++) {
        met__shape shape = shape_of(limits[l], MINUTE);
        met__record record = {0};
        met__window_mark mark = {0};
        uint64_t now = HOUR;
        for (int i = 0; i < 2000; i++) {
            now += random_below(2) * shape.tick_ns;
            assert_int_equal(take(&record, &shape, now,
                                  MET_LIMITER_LIMIT_MAX, 1, &mark),
                             MET__TAKE_DONE);
            assert_true(used(&record, &shape, now) >= limits[l]);
            /* Some were not counted: which, nobody knows. */
            if (mark.used == 2 * (384 - shape.slots) * shape.quantum) {
                assert_false(give_back(&record, &shape, mark.stamp,
                                             1));
            }
            assert_int_equal(record.head >> MET__HEAD_BITS, 0);
        }
        assert_true(used(&record, &shape, now + MINUTE) >= limits[l]);
        assert_int_equal(used(&record, &shape, now + MINUTE + 2
                              * shape.tick_ns), 0);
    }
}

/* --- The table's side ----------------------------------------------------- */
static void frozen_counts_nothing(void **state)
{
    met__shape shape = shape_of(60, MINUTE);
    met__record record = {0};
    met__window_mark mark = {0};

    assert_int_equal(take(&record, &shape, HOUR, 5, 0, &mark),
                     MET__TAKE_DONE);
    record.head |= MET__HEAD_FROZEN;
    met__record before = record;
    assert_int_equal(take(&record, &shape, HOUR, 1, 0, &mark),
                     MET__TAKE_MOVED);
    assert_int_equal(take(&record, &shape, 2 * HOUR, 1, 1, &mark),
                     MET__TAKE_MOVED);
    assert_false(give_back(&record, &shape, mark.stamp, 5));
    assert_memory_equal(&before, &record, sizeof record);
    assert_int_equal(used(&record, &shape, HOUR), 5);
}

static void extra_weighs(void **state)
{
    met__shape shape = shape_of(60, MINUTE);
    met__record record = {0};
    met__window_mark mark;
    met__window_ask ask = {.time = {HOUR, 0}, .cost = 31, .extra = 30};

    assert_int_equal(shape.ops->take(&record, &shape, &ask, &mark),
                     MET__TAKE_REFUSED);
    ask.cost = 30;
    assert_int_equal(shape.ops->take(&record, &shape, &ask, &mark),
                     MET__TAKE_DONE);
    ask.cost = 1;
    ask.time.monotonic_ns += shape.tick_ns;
    assert_int_equal(shape.ops->take(&record, &shape, &ask, &mark),
                     MET__TAKE_REFUSED);
}

static void is_idle_when_all_is_forgotten(void **state)
{
    met__shape shape = shape_of(1000, MINUTE);
    met__record record = {0};
    met__window_mark mark;
    met__window_time time = {HOUR, 0};

    assert_true(shape.ops->is_idle(0, &shape, &time));
    assert_int_equal(take(&record, &shape, HOUR, 3, 0, &mark),
                     MET__TAKE_DONE);
    time.monotonic_ns = HOUR + MINUTE;
    assert_false(shape.ops->is_idle(record.head, &shape, &time));
    time.monotonic_ns = HOUR + MINUTE + 2 * shape.tick_ns;
    assert_true(shape.ops->is_idle(record.head, &shape, &time));
    time.monotonic_ns = HOUR - MINUTE; /* late: not idle */
    assert_false(shape.ops->is_idle(record.head, &shape, &time));
    assert_true(give_back(&record, &shape, mark.stamp, 3));
    assert_true(shape.ops->is_idle(record.head, &shape, &time));
}

/* A limit that changes across both algorithms: what was counted weighs in the
 * window that follows, exactly until it is forgotten. */
static void changed_limits_keep_usage(void **state)
{
    static const uint64_t from[] = {1000, 1000, 20, 100, 100000};
    static const uint64_t to[] = {600, 5000, 700, 10, 90};
    void *memory = shared_memory(TABLE_BYTES(4096));
    met_limiter *limiter = open_memory(memory, TABLE_BYTES(4096), 0, 0);

    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
        char name[] = {'p', (char)('0' + i), 0};
        uint32_t policy = one_window(limiter, name, from[i], MINUTE, 0);
        int64_t now = 1000 * HOUR;
        uint64_t half = from[i] / 2;
        met__shape old;
        assert_int_equal(met__window_shape(&old, from[i], MINUTE,
                                           MET_LIMITER_SLIDING),
                         MET_OK);
        for (int hit = 0; hit < 2; hit++, now += 10 * SECOND) {
            assert_int_equal(check_cost(limiter, policy, "a", now, half)
                                 .is_allowed,
                             1);
        }
        one_window(limiter, name, to[i], MINUTE, 0);
        uint64_t left = 2 * half < to[i] ? to[i] - 2 * half : 0;
        met_limiter_result result =
            check_cost(limiter, policy, "a", now, left + 1);
        assert_int_equal(result.is_allowed, 0);
        assert_int_equal(result.windows[0].remaining, left);
        if (left > 0) {
            result = check_cost(limiter, policy, "a", now, left);
            assert_int_equal(result.is_allowed, 1);
        }
        result = check(limiter, policy, "a", now);
        assert_int_equal(result.is_allowed, 0);
        /* The first half goes a minute after it came, or the second. */
        int64_t gone = half < to[i] ? 40 * SECOND : 50 * SECOND;
        assert_true(result.wait_ns > gone
                    && result.wait_ns <= gone + 2 * (int64_t)old.tick_ns);
        int64_t at = now + result.wait_ns;
        assert_int_equal(peek_cost(limiter, policy, "a", at - 1, 1)
                             .is_allowed,
                         0);
        assert_int_equal(check(limiter, policy, "a", at).is_allowed, 1);
    }
    met_limiter_close(limiter);
    munmap(memory, TABLE_BYTES(4096));
}

/* Any words: no fault, no endless loop, answers within bounds. */
static void survives_garbage(void **state)
{
    for (int i = 0; i < 60000; i++) {
        met__shape shape = shape_of(limits[random_below(LIMITS)],
                                    lengths[random_below(LENGTHS)]);
        met__record record;
        uint64_t *words = (uint64_t *)&record;
        for (size_t word = 0; word < sizeof record / 8; word++) {
            words[word] = next_random();
        }
        record.head &= ~MET__HEAD_CLOSED;
        uint64_t now = next_random() >> random_below(40) >> 1;
        if (random_below(2) == 0) { /* a slot near the head's */
            uint32_t shift = 21 + shape.count_bits;
            uint64_t slot = now / shape.tick_ns - random_below(400);
            record.head &= (UINT64_C(1) << shift) - 1;
            record.head |= slot << shift & ~(UINT64_C(3) << 62);
        }
        met__window_mark mark = {0};
        met__snapshot copy;
        met__window_time time = {now, 0};
        assert_true(met__window_snapshot(&record, &copy));
        shape.ops->wait(&copy, &shape, &time, random_below(shape.limit + 1));
        shape.ops->reset(&copy, &shape, &time);
        take(&record, &shape, now, 1 + random_below(shape.limit),
             random_below(4) == 0, &mark);
        give_back(&record, &shape, mark.stamp, 1 + random_below(30));
        assert_true(used(&record, &shape, now)
                    <= shape.limit + shape.quantum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_has_the_least_error),
        cmocka_unit_test(decides_as_model_and_list),
        cmocka_unit_test(slot_wraps),
        cmocka_unit_test(wait_is_exact),
        cmocka_unit_test(undo_only_in_the_newest_slot),
        cmocka_unit_test(forced_hits_weigh),
        cmocka_unit_test(forced_hits_do_not_overflow),
        cmocka_unit_test(frozen_counts_nothing),
        cmocka_unit_test(extra_weighs),
        cmocka_unit_test(is_idle_when_all_is_forgotten),
        cmocka_unit_test(changed_limits_keep_usage),
        cmocka_unit_test(survives_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
