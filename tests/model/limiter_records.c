/* Places of records: two make one, a maker sleeps, idle ones are given away. */
#include "limiter_model.h"

static void key_2_twice(int me)
{
    request_of(me, 2, START, 1);
    request_of(me, 2, START, 1);
}

static void key_0_after_the_lease(int me)
{
    request_of(me, 0, START + 2 * SECOND, 1);
    request_of(me, 0, START + 2 * SECOND, 1);
}

void a_crowd_makes_one_record(void **state)
{
    scripts(key_0_twice, key_0_twice);
    open_with(1, MET_LIMITER_SLIDING);
    search("two make a key of limit 1");
    open_with(3, MET_LIMITER_SLIDING);
    search("two make a key of limit 3");
    open_with(3, MET_LIMITER_SLIDING_COUNTER);
    search("two make a key, two buckets");
}

/* Idle records of key 0 and 1, all places used. */
static void two_idle(uint64_t limit, uint64_t length, uint32_t algorithm)
{
    open_window(limit, length, algorithm);
    ask(0, START - 3 * MINUTE, 1);
    ask(1, START - 3 * MINUTE, 1);
    use(2, key_has[0].policy, limit, length);
}

static void two_idle_records(uint64_t limit)
{
    two_idle(limit, MINUTE, MET_LIMITER_SLIDING);
}

/* Whose lease is over tries again and again: once must do, each try is like the
 * one before. */
void a_sleeping_maker_does_no_harm(void **state)
{
    scripts(key_2_twice, key_0_after_the_lease);
    two_idle_records(1);
    model_tries = 1;
    search_large("a maker sleeps, its place is needed", 2);
    two_idle_records(1);
    search_briefly("the same with more tries", 2);
    two_idle_records(1);
    search_split("the same, head and name one after the other", 2);
}

void idle_places_are_given_away(void **state)
{
    scripts(key_2_twice, key_0_twice);
    two_idle_records(2);
    search("two hits in a place given away");
}

/* The other key's window counts in another way. The numbers are such that its
 * head means that all is over to who takes it for his. */
static const struct {
    const char *name;
    uint64_t limit;
    uint64_t length;
    uint32_t algorithm;
    uint32_t other;
} strays[] = {
    {"a stray hit of a log", 2, MINUTE, MET_LIMITER_SLIDING,
     MET_LIMITER_SLIDING_COUNTER},
    {"a stray hit of a tape", 25, MINUTE, MET_LIMITER_SLIDING,
     MET_LIMITER_SLIDING_COUNTER},
    {"a stray hit of two buckets", MET_LIMITER_LIMIT_MAX, SECOND / 1000,
     MET_LIMITER_SLIDING_COUNTER, MET_LIMITER_SLIDING},
    {"a stray hit of fixed_epoch", MET_LIMITER_LIMIT_MAX, SECOND / 1000,
     MET_LIMITER_FIXED_EPOCH, MET_LIMITER_SLIDING},
    {"a stray hit of gcra", MET_LIMITER_LIMIT_MAX, SECOND / 1000,
     MET_LIMITER_GCRA, MET_LIMITER_SLIDING},
    {"a stray hit of what is held", MET_LIMITER_LIMIT_MAX, SECOND / 1000,
     MET_LIMITER_IN_FLIGHT, MET_LIMITER_SLIDING},
};

void a_stray_hit_does_no_harm(void **state)
{
    scripts(key_2_twice, key_0_twice);
    for (size_t i = 0; i < sizeof strays / sizeof *strays; i++) {
        two_idle(strays[i].limit, strays[i].length, strays[i].algorithm);
        use(2, one_window("q", 2, MINUTE, strays[i].other), 2, MINUTE);
        know_shapes();
        search(strays[i].name);
    }
}
