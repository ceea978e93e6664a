/* Counting in a record that is there: by every algorithm, by force, given back,
 * released and forgotten. */
#include "limiter_model.h"

static void key_0_at_minutes(int me)
{
    request_of(me, 0, START, 1);
    request_of(me, 0, START + (uint64_t)me * (MINUTE + SECOND), 1);
}

void windows_pass(void **state)
{
    scripts(key_0_at_minutes, key_0_at_minutes);
    open_with(2, MET_LIMITER_SLIDING);
    search("a window that passes");
    open_known(2, MET_LIMITER_SLIDING);
    search("the same in a record");
}

/* --- Records that are full of hits ---------------------------------------- */
static void key_0_when_some_expire(int me)
{
    uint64_t first = START + (uint64_t)(me + 1) * (SECOND / 2);

    request_of(me, 0, first, 1);
    request_of(me, 0, first + SECOND, 1);
}

/* A record of key 0 full of hits, the oldest at START - MINUTE, every_ns
 * apart. */
static void open_full(uint64_t limit, uint64_t every_ns)
{
    open_with(limit, MET_LIMITER_SLIDING);
    for (uint64_t i = 0; i < limit; i++) {
        had(START - MINUTE + i * every_ns, 1);
    }
    scripts(key_0_when_some_expire, key_0_when_some_expire);
}

void hits_expire_while_others_come(void **state)
{
    open_full(3, SECOND);
    search("a log of 3, one expires");
    open_full(12, SECOND);
    search("a log of 12, one expires");
    open_full(24, SECOND / 2);
    search("a log of 24, two expire");
}

static void key_0_in_turn(int me)
{
    request_of(me, 0, START + (uint64_t)me * SECOND, 1);
    request_of(me, 0, START + (uint64_t)(me + 2) * SECOND, 1);
}

/* What one has written into the ring decides what the other may count. */
void stamps_are_passed_on(void **state)
{
    scripts(key_0_in_turn, key_0_in_turn);
    for (uint64_t limit = 2; limit <= 3; limit++) {
        open_known(limit, MET_LIMITER_SLIDING);
        search("stamps are passed on");
    }
}

/* --- Algorithms ----------------------------------------------------------- */
#define AFTER_RESET "a hit of before a reset is given back: "
static const struct {
    const char *name;
    const char *after_reset;
    uint32_t algorithm;
} algorithms[] = {
    {"log", AFTER_RESET "log",
     MET_LIMITER_SLIDING},
    {"two buckets", AFTER_RESET "buckets",
     MET_LIMITER_SLIDING_COUNTER},
    {"fixed_epoch", AFTER_RESET "epoch",
     MET_LIMITER_FIXED_EPOCH},
    {"calendar_utc", AFTER_RESET "calendar",
     MET_LIMITER_CALENDAR_UTC},
    {"gcra", AFTER_RESET "gcra", MET_LIMITER_GCRA},
    {"in_flight", AFTER_RESET "held",
     MET_LIMITER_IN_FLIGHT},
};
#define ALGORITHMS (sizeof algorithms / sizeof *algorithms)

void every_algorithm_counts(void **state)
{
    scripts(key_0_twice, key_0_twice);
    for (size_t i = 0; i < ALGORITHMS; i++) {
        open_known(3, algorithms[i].algorithm);
        answer_in_full();
        search(algorithms[i].name);
    }
}

static void key_0_around_a_minute(int me)
{
    request_of(me, 0, START - SECOND, 1);
    request_of(me, 0, START + SECOND, 1);
}

/* Stretches of a second: none of them is in two windows. */
void fixed_windows_begin_anew(void **state)
{
    scripts(key_0_around_a_minute, key_0_around_a_minute);
    open_known(1, MET_LIMITER_FIXED_EPOCH);
    books.clock = START - SECOND;
    use(0, key_has[0].policy, 1, SECOND);
    search("a fixed window begins");
    open_known(1, MET_LIMITER_CALENDAR_UTC);
    books.clock = START - SECOND;
    use(0, key_has[0].policy, 1, SECOND);
    search("a minute of the calendar");
}

/* --- Giving back ---------------------------------------------------------- */
static uint64_t held(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < THREADS; i++) {
        for (int k = 0; k < CALLS; k++) {
            sum += books.call[i][k].state == ALLOWED;
        }
    }
    return sum;
}

/* Holds, and releases. */
static void key_0_held(int me)
{
    for (int i = 0; i < CALLS; i++) {
        met_limiter_ticket ticket;
        uint32_t withheld;
        call *it = request_with(me, 0, START, 1, &ticket);
        model_require(held() <= key_has[0].most);
        if (it->state == ALLOWED) {
            model_require(met__limiter_release(limiter, &ticket, &withheld)
                          == MET_OK);
            model_require(withheld == 0);
            it->state = REFUSED;
        }
        forget_all(me);
    }
}

void what_is_held_is_released(void **state)
{
    scripts(key_0_held, key_0_held);
    open_known(1, MET_LIMITER_IN_FLIGHT);
    search("one at once is held and released");
}

static void open_used(uint32_t algorithm)
{
    open_with(2, algorithm);
    had(START, 1);
    scripts(key_0_given_back, key_0_given_back);
}

void hits_are_given_back(void **state)
{
    open_used(MET_LIMITER_SLIDING);
    search("hits of a log are given back");
    open_used(MET_LIMITER_GCRA);
    search("the same of gcra");
    open_used(MET_LIMITER_FIXED_EPOCH);
    search("the same of fixed_epoch");
    open_used(MET_LIMITER_SLIDING_COUNTER);
    search("the same of two buckets");
}

void resets_are_at_one_moment(void **state)
{
    for (size_t i = 0; i + 1 < ALGORITHMS; i++) {
        open_known(1, algorithms[i].algorithm);
        had(START, 1);
        scripts(reset_and_ask, key_0_twice);
        search("a reset among hits");
    }
}

/* Hits of one moment are alike; who gives back one of before a reset must not
 * take away one of after it. */
void resets_void_what_was_counted(void **state)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        open_known(1, algorithms[i].algorithm);
        scripts(reset_and_ask, key_0_given_back);
        search(algorithms[i].after_reset);
    }
}

static void charge_and_ask(int me)
{
    charge_of(me, 0, START, 2);
    request_of(me, 0, START, 1);
}

void charges_are_not_lost(void **state)
{
    for (size_t i = 0; i + 1 < ALGORITHMS; i++) {
        open_known(5, algorithms[i].algorithm);
        scripts(charge_and_ask, key_0_twice);
        search("a charge among hits");
        open_known(2, algorithms[i].algorithm);
        search("the same, beyond the limit");
    }
    scripts(charge_and_ask, key_0_given_back);
    for (size_t i = 0; i + 1 < ALGORITHMS; i++) {
        open_known(4, algorithms[i].algorithm);
        search("a charge while a hit is given back");
        open_known(2, algorithms[i].algorithm);
        search("the same, beyond the limit");
    }
}

void two_windows(void **state)
{
    met_limiter_window windows[2] = {
        {.limit = 2, .window_ns = (int64_t)MINUTE,
         .algorithm = MET_LIMITER_SLIDING},
        {.limit = 1, .window_ns = (int64_t)(10 * MINUTE),
         .algorithm = MET_LIMITER_SLIDING}};

    scripts(key_0_once, key_0_once);
    open_with(2, MET_LIMITER_SLIDING);
    use(0, set_policy("w", windows, 2), 1, 10 * MINUTE);
    know_shapes();
    search_large("two windows, one call each", 2);
    scripts(key_0_twice, key_0_twice);
    open_with(2, MET_LIMITER_SLIDING);
    use(0, set_policy("w", windows, 2), 1, 10 * MINUTE);
    know_shapes();
    search_if_asked("two windows, two calls each");
    open_with(2, MET_LIMITER_SLIDING);
    use(0, set_policy("w", windows, 2), 1, 10 * MINUTE);
    know_shapes();
    assert_int_equal(ask(0, START - 30 * MINUTE, 1), ALLOWED);
    search("two records, undo");
}
