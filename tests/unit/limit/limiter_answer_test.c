/* Answers: what windows say of a decision, the window to report, waits and
 * resets while replaced windows weigh, and policies that only warn. */
#define CAPACITY 512
#include "limit_fixture.h"

/* The smallest remaining; of equal ones the longest window. */
static void the_window_to_report(void **state)
{
    window_spec specs[] = {
        {7, MINUTE, SLIDING}, {9, HOUR, SLIDING}, {9, 2 * HOUR, SLIDING}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 3);
    static const struct {
        uint64_t cost;
        int64_t later;
        uint32_t reported;
    } steps[] = {
        {4, 0, 0},          /* 3, 5, 5 are left */
        {1, 2 * MINUTE, 2}, /* 6, 4, 4 */
        {4, 0, 2},          /* 2, 0, 0 */
        {1, 0, 2},          /* refused */
        {1, 63 * MINUTE, 2}, /* 7, 9, 0: refused by the longest */
    };
    int64_t now = 10 * HOUR;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        now += steps[i].later;
        met_limiter_result result = check_cost(limiter, policy, "a", now,
                                               steps[i].cost);
        assert_int_equal(result.reported, steps[i].reported);
    }
}

/* The oldest hit's end, and 0 when nothing is counted. */
static void resets_are_exact(void **state)
{
    uint32_t policy = one_window(limiter, "p", 12, MINUTE, SLIDING);

    assert_int_equal(peek_cost(limiter, policy, "a", HOUR, 1)
                         .windows[0].reset_ns, 0);
    (void)check(limiter, policy, "a", HOUR);
    met_limiter_result result = check(limiter, policy, "a", HOUR + SECOND);
    int64_t at = HOUR + SECOND + result.windows[0].reset_ns;
    assert_int_equal(peek_cost(limiter, policy, "a", at - 1, 1)
                         .windows[0].remaining, 10);
    assert_int_equal(peek_cost(limiter, policy, "a", at, 1)
                         .windows[0].remaining, 11);
}

/* While replaced windows weigh, of several algorithms and lengths: what is left
 * then, when the first of it is forgotten, and the wait, at its nanosecond. */
static void replaced_windows_wait_exactly(void **state)
{
    static const window_spec changes[] = {
        {5, MINUTE, SLIDING},      {9, MINUTE, SLIDING},
        {7, 2 * MINUTE, COUNTER},  {4, MINUTE, COUNTER},
        {11, 3 * MINUTE, SLIDING}, {24, MINUTE, SLIDING}};
    int waits = 0;

    for (int round = 0; round < 150; round++) {
        char name[24];
        snprintf(name, sizeof name, "p%d", round);
        int64_t now = 500 * HOUR;
        for (int change = 0; change < 3; change++) {
            const window_spec *spec = &changes[random_below(6)];
            uint32_t policy = one_window(limiter, name, spec->limit,
                                         spec->window_ns, spec->algorithm);
            for (int i = 0; i < 12; i++) {
                now += (int64_t)random_below(10 * SECOND);
                met_limiter_result result = check(limiter, policy, "a", now);
                if (result.is_allowed) {
                    continue;
                }
                int64_t at = now + result.wait_ns;
                assert_int_equal(peek_cost(limiter, policy, "a", at - 1, 1)
                                     .is_allowed, 0);
                assert_int_equal(peek_cost(limiter, policy, "a", at, 1)
                                     .is_allowed, 1);
                waits++;
            }
        }
    }
    assert_true(waits > 500);
}

/* The same requests under a policy that refuses and one that only warns: the
 * same is counted, and the answers differ in is_allowed alone. */
static void warnings_are_what_would_have_been(void **state)
{
    for (uint32_t flags = 0; flags < 2; flags++) {
        window_spec specs[] = {{4, MINUTE, SLIDING}, {30, HOUR, COUNTER}};
        uint32_t real = set_policy(limiter, flags ? "a" : "b", flags, specs,
                                   2);
        uint32_t warns = set_policy(limiter, flags ? "c" : "d",
                                    flags | MET_LIMITER_WARN_ONLY, specs, 2);
        int64_t now = HOUR;
        int refused = 0;
        for (int i = 0; i < 2000; i++) {
            uint64_t cost = 1 + random_below(6);
            now += (int64_t)random_below(MINUTE);
            met_limiter_result one = check_cost(limiter, real, "k", now,
                                                cost);
            met_limiter_result other = check_cost(limiter, warns, "k", now,
                                                  cost);
            assert_int_equal(other.is_allowed, 1);
            assert_int_equal(one.is_allowed,
                             one.reason == MET_LIMITER_REASON_NONE);
            assert_int_equal(other.reason, one.reason);
            assert_int_equal(other.refused, one.refused);
            assert_int_equal(other.wait_ns, one.wait_ns);
            assert_memory_equal(other.windows, one.windows,
                                2 * sizeof one.windows[0]);
            refused += !one.is_allowed;
        }
        assert_true(refused > 200);
        assert_int_equal(peek_cost(limiter, warns, "k", now, 5).is_allowed,
                         1);
    }
}

/* Also when there is no room in the table. */
static void warnings_refuse_nobody(void **state)
{
    teardown(state);
    open_table(MET_LIMITER_FULL_CLOSED);
    window_spec spec = {1, HOUR, SLIDING};
    uint32_t policy = set_policy(limiter, "p", MET_LIMITER_WARN_ONLY, &spec,
                                 1);
    int full = 0;
    char key[32];

    for (int i = 0; i < 2 * CAPACITY; i++) {
        snprintf(key, sizeof key, "key %d", i);
        met_limiter_result result = check(limiter, policy, key, HOUR);
        assert_int_equal(result.is_allowed, 1);
        full += result.reason == MET_LIMITER_REASON_TABLE_FULL;
    }
    assert_true(full >= CAPACITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_window_to_report),
        TEST(resets_are_exact),
        TEST(replaced_windows_wait_exactly),
        TEST(warnings_are_what_would_have_been),
        TEST(warnings_refuse_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
