/* Decisions over several windows: all or none, the exact wait, keys and kinds,
 * changed policies, a full table, other processes, and clocks that step. */
#include "limit_support.h"

#include <sys/wait.h>
#include <unistd.h>

#define SLIDING MET_LIMITER_SLIDING
#define COUNTER MET_LIMITER_SLIDING_COUNTER
#define CAPACITY 4096

static void *memory;
static met_limiter *limiter;

static void open_table(uint64_t capacity, uint32_t full_policy)
{
    memory = shared_memory(TABLE_BYTES(capacity));
    limiter = open_memory(memory, TABLE_BYTES(capacity), capacity,
                          full_policy);
}

static int setup(void **state)
{
    random_state = 88172645463325252u;
    open_table(CAPACITY, 0);
    return 0;
}

static int teardown(void **state)
{
    met_limiter_close(limiter);
    munmap(memory, TABLE_BYTES(CAPACITY));
    return 0;
}

static met_limiter_stats stats_now(void)
{
    met_limiter_stats stats = {.struct_size = sizeof stats};

    assert_int_equal(met_limiter_stats_get(limiter, &stats), MET_OK);
    return stats;
}

static void refused_counts_in_no_window(void **state)
{
    window_spec specs[] = {{1000, HOUR, COUNTER}, {5, MINUTE, SLIDING}};
    uint32_t policy = set_policy(limiter, "two", 0, specs, 2);
    int64_t now = 1000 * HOUR;

    for (uint64_t i = 0; i < 5; i++) {
        met_limiter_result result = check(limiter, policy, "a", now);
        assert_int_equal(result.is_allowed, 1);
        assert_int_equal(result.window_count, 2);
        assert_int_equal(result.windows[0].window_ns, MINUTE);
        assert_int_equal(result.windows[0].remaining, 4 - i);
        assert_int_equal(result.windows[1].remaining, 999 - i);
        assert_int_equal(result.reported, 0);
        assert_int_equal(result.wait_ns, 0);
    }
    for (int i = 0; i < 50; i++) {
        met_limiter_result result = check(limiter, policy, "a", now + SECOND);
        assert_int_equal(result.is_allowed, 0);
        assert_int_equal(result.reason, MET_LIMITER_REASON_LIMIT);
        assert_int_equal(result.refused, 1);
        assert_int_equal(result.windows[0].is_refusing, 1);
        assert_int_equal(result.windows[1].is_refusing, 0);
        assert_int_equal(result.windows[1].remaining, 995);
        assert_true(result.wait_ns >= MINUTE - SECOND);
        assert_true(result.wait_ns <= MINUTE - SECOND + 100);
    }
    assert_int_equal(check(limiter, policy, "b", now).is_allowed, 1);
}

/* The longer window refuses: the shorter one stays as it was. */
static void longer_window_refuses(void **state)
{
    window_spec specs[] = {{20, SECOND, SLIDING}, {3, HOUR, SLIDING}};
    uint32_t policy = set_policy(limiter, "long", 0, specs, 2);

    for (int i = 0; i < 3; i++) {
        assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 1);
    }
    met_limiter_result result = check(limiter, policy, "a", HOUR);
    assert_int_equal(result.is_allowed, 0);
    assert_int_equal(result.refused, 2);
    assert_int_equal(result.reported, 1);
    assert_int_equal(result.windows[0].remaining, 17);
    assert_int_equal(check_cost(limiter, policy, "b", HOUR, 4).reason,
                     MET_LIMITER_REASON_NEVER);
    assert_int_equal(check_cost(limiter, policy, "b", HOUR, 3).is_allowed, 1);
}

static uint32_t random_policy(int number, window_spec specs[3])
{
    static const int64_t lengths[] = {SECOND, 7 * SECOND, MINUTE, HOUR};
    size_t count = 1 + random_below(3);
    char name[32];

    snprintf(name, sizeof name, "random %d", number);
    for (size_t i = 0; i < count; i++) {
        specs[i] = (window_spec){1 + random_below(8 + 8 * i),
                                 lengths[i + random_below(2)],
                                 random_below(2) ? SLIDING : COUNTER};
        for (size_t other = 0; other < i; other++) {
            if (specs[other].window_ns == specs[i].window_ns) {
                specs[i].window_ns = lengths[3] + (int64_t)i;
            }
        }
    }
    return set_policy(limiter, name, 0, specs, count);
}

/* At wait_ns the same request is admitted, one nanosecond earlier it is not;
 * peeking changes nothing and says what checking then says. */
static void wait_is_exact_over_all_windows(void **state)
{
    int waits = 0;

    for (int number = 0; number < 60; number++) {
        window_spec specs[3];
        uint32_t policy = random_policy(number, specs);
        int64_t now = 500 * HOUR;
        for (int i = 0; i < 200; i++) {
            uint64_t cost = 1 + random_below(3);
            now += (int64_t)random_below(SECOND);
            met_limiter_result peek = peek_cost(limiter, policy, "k", now,
                                                cost);
            if (!peek.is_allowed && peek.wait_ns > 0) {
                int64_t at = now + peek.wait_ns;
                assert_int_equal(peek_cost(limiter, policy, "k", at - 1, cost)
                                     .is_allowed, 0);
                assert_int_equal(peek_cost(limiter, policy, "k", at, cost)
                                     .is_allowed, 1);
                waits++;
            }
            met_limiter_result result = check_cost(limiter, policy, "k", now,
                                                   cost);
            assert_int_equal(result.is_allowed, peek.is_allowed);
            assert_int_equal(result.reason, peek.reason);
            assert_int_equal(result.wait_ns, peek.wait_ns);
            for (uint32_t w = 0; w < result.window_count; w++) {
                uint64_t taken = result.is_allowed ? cost : 0;
                assert_int_equal(result.windows[w].remaining + taken,
                                 peek.windows[w].remaining);
            }
        }
    }
    assert_true(waits > 1000);
}

static void kinds_and_policies_do_not_share(void **state)
{
    uint32_t one = one_window(limiter, "one", 1, MINUTE, SLIDING);
    uint32_t two = one_window(limiter, "two", 1, MINUTE, SLIDING);
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = request_for(one, "10.0.0.1", MINUTE);

    assert_int_not_equal(one, two);
    assert_int_equal(check(limiter, one, "10.0.0.1", MINUTE).is_allowed, 1);
    assert_int_equal(check(limiter, one, "10.0.0.1", MINUTE).is_allowed, 0);
    assert_int_equal(check(limiter, two, "10.0.0.1", MINUTE).is_allowed, 1);
    request.kind = 2;
    assert_int_equal(met_limiter_check(limiter, &request, &result), MET_OK);
    assert_int_equal(result.is_allowed, 1);
    /* Every byte of a key counts, also NUL; an empty key is one. */
    request.key = "10.0.0.1\0x";
    request.key_size = 10;
    assert_int_equal(met_limiter_check(limiter, &request, &result), MET_OK);
    assert_int_equal(result.is_allowed, 1);
    request.key = NULL;
    request.key_size = 0;
    assert_int_equal(met_limiter_check(limiter, &request, &result), MET_OK);
    assert_int_equal(result.is_allowed, 1);
    assert_int_equal(met_limiter_check(limiter, &request, &result), MET_OK);
    assert_int_equal(result.is_allowed, 0);
}

static void set_again_gives_the_same_number(void **state)
{
    window_spec specs[] = {{5, MINUTE, SLIDING}, {50, HOUR, COUNTER}};
    window_spec turned[] = {{50, HOUR, COUNTER}, {5, MINUTE, SLIDING}};
    uint32_t number = set_policy(limiter, "p", 0, specs, 2);

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(set_policy(limiter, "p", 0, i & 1 ? specs : turned,
                                    2),
                         number);
    }
    assert_int_equal(stats_now().policies, 1);
    assert_int_equal(stats_now().shapes, 2);
}

/* What was counted weighs in the window that follows, upwards and downwards;
 * windows that stay keep theirs. */
static void changed_limits_keep_usage(void **state)
{
    window_spec before[] = {{5, MINUTE, SLIDING}, {20, HOUR, SLIDING}};
    window_spec after[] = {{8, MINUTE, SLIDING}, {20, HOUR, SLIDING}};
    window_spec less[] = {{2, MINUTE, COUNTER}, {20, HOUR, SLIDING}};
    uint32_t policy = set_policy(limiter, "p", 0, before, 2);
    int64_t now = 1000 * HOUR;

    for (int i = 0; i < 5; i++) {
        assert_int_equal(check(limiter, policy, "a", now).is_allowed, 1);
    }
    assert_int_equal(check(limiter, policy, "a", now).is_allowed, 0);
    assert_int_equal(set_policy(limiter, "p", 0, after, 2), policy);
    for (uint64_t i = 0; i < 3; i++) {
        met_limiter_result result = check(limiter, policy, "a", now + 1);
        assert_int_equal(result.is_allowed, 1);
        assert_int_equal(result.windows[0].remaining, 2 - i);
        assert_int_equal(result.windows[1].remaining, 14 - i);
    }
    met_limiter_result result = check(limiter, policy, "a", now + 1);
    assert_int_equal(result.is_allowed, 0);
    assert_in_range(result.wait_ns, MINUTE - 1, MINUTE + 100);
    assert_int_equal(set_policy(limiter, "p", 0, less, 2), policy);
    result = check(limiter, policy, "a", now + SECOND);
    assert_int_equal(result.is_allowed, 0);
    assert_int_equal(result.windows[0].limit, 2);
    assert_int_equal(result.windows[0].remaining, 0);
    int64_t at = now + SECOND + result.wait_ns;
    assert_int_equal(peek_cost(limiter, policy, "a", at - 1, 1).is_allowed,
                     0);
    assert_int_equal(check(limiter, policy, "a", at).is_allowed, 1);
    /* A key that was not seen before is not held back. */
    assert_int_equal(check_cost(limiter, policy, "b", at, 2).is_allowed, 1);
}

static void denied_requests_weigh_when_asked(void **state)
{
    window_spec spec = {2, MINUTE, SLIDING};
    uint32_t policy = set_policy(limiter, "d", MET_LIMITER_COUNT_DENIED,
                                 &spec, 1);
    int64_t now = 100 * MINUTE;

    assert_int_equal(check_cost(limiter, policy, "a", now, 2).is_allowed, 1);
    for (int i = 0; i < 10; i++) {
        now += 50 * SECOND;
        assert_int_equal(check_cost(limiter, policy, "a", now, 2).is_allowed,
                         0);
    }
    now += MINUTE + SECOND;
    assert_int_equal(check_cost(limiter, policy, "a", now, 2).is_allowed, 1);
}

static void brief_answers_are_the_same(void **state)
{
    window_spec specs[] = {{3, MINUTE, SLIDING}, {100, HOUR, COUNTER}};
    uint32_t policy = set_policy(limiter, "b", 0, specs, 2);
    met_limiter_result brief = {.struct_size = sizeof brief};
    met_limiter_request request = request_for(policy, "brief", HOUR);

    request.flags = MET_LIMITER_BRIEF;
    for (int i = 0; i < 6; i++) {
        met_limiter_result full = check(limiter, policy, "full", HOUR);
        assert_int_equal(met_limiter_check(limiter, &request, &brief),
                         MET_OK);
        assert_int_equal(brief.is_allowed, full.is_allowed);
        assert_int_equal(brief.reason, full.reason);
        assert_int_equal(brief.refused, full.refused);
        for (int w = 0; w < 2; w++) {
            assert_int_equal(brief.windows[w].remaining,
                             full.windows[w].remaining);
            assert_int_equal(brief.windows[w].wait_ns, 0);
        }
    }
}

/* --- Full and reclaimed --------------------------------------------------- */
static uint64_t flood(uint32_t policy, int keys, int64_t now, int *open_out)
{
    uint64_t allowed = 0;
    char key[32];

    for (int i = 0; i < keys; i++) {
        snprintf(key, sizeof key, "flood %d", i);
        met_limiter_result result = check(limiter, policy, key, now);
        allowed += result.is_allowed;
        *open_out += result.reason == MET_LIMITER_REASON_TABLE_FULL;
        if (result.reason == MET_LIMITER_REASON_TABLE_FULL
            && !result.is_allowed) {
            assert_true(result.wait_ns > 0);
        }
    }
    return allowed;
}

static void full_table_lets_through(void **state)
{
    uint32_t policy = one_window(limiter, "p", 1, MINUTE, SLIDING);
    int open = 0;

    assert_int_equal(flood(policy, 2 * CAPACITY, HOUR, &open), 2 * CAPACITY);
    met_limiter_stats stats = stats_now();
    assert_int_equal(stats.full_allowed, open);
    assert_int_equal(stats.inserted + (uint64_t)open, 2 * CAPACITY);
    /* 95 of 100 places are filled before one is refused for good. */
    assert_true(stats.inserted >= CAPACITY * 95 / 100);
    assert_true(stats.inserted <= CAPACITY);
    /* Nobody who is in was thrown out. */
    int again = 0;
    uint64_t allowed = flood(policy, 2 * CAPACITY, HOUR + SECOND, &again);
    assert_int_equal(allowed, again);
    assert_int_equal(again, open);
    assert_int_equal(stats_now().reclaimed, 0);
    /* A window later all places are free again. */
    open = 0;
    assert_int_equal(
        flood(policy, CAPACITY / 2, HOUR + 2 * MINUTE, &open), CAPACITY / 2);
    assert_int_equal(open, 0);
}

static void full_table_refuses(void **state)
{
    teardown(state);
    open_table(CAPACITY, MET_LIMITER_FULL_CLOSED);
    window_spec specs[] = {{1, SECOND, SLIDING}, {5, MINUTE, SLIDING}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);
    int full = 0;

    uint64_t allowed = flood(policy, CAPACITY, HOUR, &full);
    assert_int_equal(allowed + (uint64_t)full, CAPACITY);
    assert_int_equal(stats_now().full_refused, full);
    assert_true(full > 0);
    /* Idle ones make room: their records are given to other keys. */
    full = 0;
    assert_int_equal(flood(policy, CAPACITY / 8, HOUR + HOUR, &full),
                     CAPACITY / 8);
    assert_int_equal(full, 0);
    /* At a quarter of the places no key meets two full blocks, whatever the
     * table's random secret makes of it. */
    char key[32];
    for (int i = 0; i < CAPACITY / 8; i++) {
        snprintf(key, sizeof key, "other %d", i);
        assert_int_equal(check(limiter, policy, key, 4 * HOUR).is_allowed, 1);
    }
    assert_true(stats_now().reclaimed > 0);
}

/* --- Clocks --------------------------------------------------------------- */
static void late_clock_admits_nothing_more(void **state)
{
    uint32_t log = one_window(limiter, "log", 3, MINUTE, SLIDING);
    uint32_t counter = one_window(limiter, "counter", 3, MINUTE, COUNTER);
    int64_t now = 100 * MINUTE + 30 * SECOND;
    uint32_t policies[] = {log, counter};

    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(check(limiter, policies[p], "a", now)
                                 .is_allowed, 1);
        }
        for (int64_t back = 1; back < 50 * MINUTE; back *= 3) {
            met_limiter_result result = check(limiter, policies[p], "a",
                                              now - back);
            assert_int_equal(result.is_allowed, 0);
            assert_true(result.wait_ns > 0);
        }
    }
    /* The library's own clock, when the caller has none. */
    met_limiter_request request = request_for(log, "own", 0);
    met_limiter_result result = {.struct_size = sizeof result};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(met_limiter_check(limiter, &request, &result),
                         MET_OK);
        assert_int_equal(result.is_allowed, i < 3);
    }
}

/* --- Other processes ------------------------------------------------------ */
static void forked_children_share_the_table(void **state)
{
    uint32_t policy = one_window(limiter, "fork", 20, HOUR, SLIDING);
    int allowed = 0;

    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 1);
    for (int child = 0; child < 4; child++) {
        pid_t process = fork();
        assert_true(process >= 0);
        if (process == 0) {
            int mine = 0;
            for (int i = 0; i < 50; i++) {
                mine += check(limiter, policy, "a", HOUR + i).is_allowed != 0;
            }
            /* A table opened by itself is the same one. */
            met_limiter *own = open_memory(memory, TABLE_BYTES(CAPACITY),
                                           CAPACITY, 0);
            mine += check(own, policy, "a", HOUR + 60).is_allowed != 0;
            _exit(mine);
        }
        int status;
        assert_int_equal(waitpid(process, &status, 0), process);
        assert_true(WIFEXITED(status));
        allowed += WEXITSTATUS(status);
    }
    assert_int_equal(allowed, 19);
    assert_int_equal(check(limiter, policy, "a", HOUR + 70).is_allowed, 0);
}

/* --- Bytes that nobody of us wrote ---------------------------------------- */
static void survives_hostile_memory(void **state)
{
    window_spec specs[] = {{5, MINUTE, SLIDING}, {500, HOUR, COUNTER}};
    uint32_t policy = 0;
    unsigned char *bytes = memory;
    uint64_t size = TABLE_BYTES(CAPACITY);
    char key[32];
    int answered = 0;

    for (int i = 0; i < 3000; i++) {
        met_limiter_result result = {.struct_size = sizeof result};
        if (i % 500 == 0) {
            memset(bytes, 0, size);
            policy = set_policy(limiter, "p", 0, specs, 2);
        }
        for (int hit = 0; hit < 200; hit++) {
            bytes[64 + random_below(size - 64)] =
                (unsigned char)next_random();
        }
        if (i % 500 == 450) { /* everything */
            for (uint64_t at = 64; at < size; at++) {
                bytes[at] = (unsigned char)next_random();
            }
        }
        snprintf(key, sizeof key, "%llu",
                 (unsigned long long)random_below(100));
        met_limiter_request request = request_for(
            i % 4 ? policy : (uint32_t)random_below(2048), key, HOUR + i);
        request.cost = random_below(6);
        met_error error = i % 2 ? met_limiter_check(limiter, &request, &result)
                                : met_limiter_peek(limiter, &request, &result);
        assert_true(error == MET_OK || error == MET_E_CORRUPT
                    || error == MET_E_NOT_FOUND);
        answered += error == MET_OK;
        if (error == MET_OK) {
            assert_in_range(result.window_count, 1, MET_LIMITER_WINDOWS_MAX);
            assert_true(result.reported < result.window_count);
        }
    }
    (void)stats_now();
    assert_true(answered > 100);
}

/* Time that the handle reads: exact and cheap readings are of one clock. */
static void clocks_of_handles_agree(void **state)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = shared_memory(TABLE_BYTES(64)),
                                 .memory_size = TABLE_BYTES(64),
                                 .capacity = 64};
    met_limiter *handles[3];
    uint32_t policy = 0;

    for (uint32_t i = 0; i < 3; i++) {
        config.clock = i; /* what it is by default, exact, cheap */
        assert_int_equal(met_limiter_open(&config, &handles[i], NULL),
                         MET_OK);
        policy = one_window(handles[i], "clocks", 20, HOUR,
                            MET_LIMITER_SLIDING);
    }
    met_limiter_request request = request_for(policy, "a", 0);
    for (uint32_t i = 0; i < 24; i++) {
        met_limiter_result result = {.struct_size = sizeof result};
        assert_int_equal(met_limiter_check(handles[i % 3], &request, &result),
                         MET_OK);
        assert_int_equal(result.is_allowed, i < 20);
        assert_in_range(result.windows[0].reset_ns, 1, HOUR + SECOND);
    }
    for (uint32_t i = 0; i < 3; i++) {
        met_limiter_close(handles[i]);
    }
    munmap(config.memory, config.memory_size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refused_counts_in_no_window),
        TEST(longer_window_refuses),
        TEST(wait_is_exact_over_all_windows),
        TEST(kinds_and_policies_do_not_share),
        TEST(set_again_gives_the_same_number),
        TEST(changed_limits_keep_usage),
        TEST(denied_requests_weigh_when_asked),
        TEST(brief_answers_are_the_same),
        TEST(full_table_lets_through),
        TEST(full_table_refuses),
        TEST(late_clock_admits_nothing_more),
        TEST(forked_children_share_the_table),
        TEST(clocks_of_handles_agree),
        TEST(survives_hostile_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
