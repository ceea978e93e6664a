/* Resetting a key: everything it used is forgotten, and nothing of others. */
#define CAPACITY 1024
#include "limit_fixture.h"

static void all_windows_are_forgotten(void **state)
{
    window_spec specs[] = {{3, MINUTE, SLIDING},
                           {20, HOUR, SLIDING},
                           {100, 24 * HOUR, COUNTER},
                           {500, 48 * HOUR, MET_LIMITER_FIXED_EPOCH},
                           {900, 720 * HOUR, MET_LIMITER_CALENDAR_UTC}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 5);
    uint32_t other = set_policy(limiter, "q", 0, specs, 5);

    assert_int_equal(check_cost(limiter, policy, "a", EPOCH, 3).is_allowed,
                     1);
    assert_int_equal(check_cost(limiter, policy, "b", EPOCH, 2).is_allowed,
                     1);
    assert_int_equal(check_cost(limiter, other, "a", EPOCH, 2).is_allowed, 1);
    reset_key(limiter, policy, "a");
    met_limiter_result result = peek_cost(limiter, policy, "a", EPOCH, 1);
    for (uint32_t w = 0; w < 5; w++) {
        assert_int_equal(result.windows[w].remaining, specs[w].limit);
        assert_int_equal(result.windows[w].reset_ns, 0);
        assert_int_equal(peek_cost(limiter, policy, "b", EPOCH, 1)
                             .windows[w].remaining, specs[w].limit - 2);
        assert_int_equal(peek_cost(limiter, other, "a", EPOCH, 1)
                             .windows[w].remaining, specs[w].limit - 2);
    }
    /* And they count as before. */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(check(limiter, policy, "a", EPOCH + i).is_allowed,
                         i < 3);
    }
    reset_key(limiter, policy, "never seen");
}

/* From any state of a log's ring. */
static void logs_begin_anew(void **state)
{
    uint32_t wide = one_window(limiter, "wide", 12, MINUTE, SLIDING);
    uint32_t narrow = one_window(limiter, "narrow", 24, MINUTE, SLIDING);

    for (int hits = 1; hits < 60; hits++) {
        uint32_t policy = hits % 2 ? wide : narrow;
        uint64_t limit = hits % 2 ? 12 : 24;
        int64_t now = (int64_t)hits * HOUR;
        for (int i = 0; i < hits; i++) {
            now += (i * 7 + hits) % 5 * SECOND;
            (void)check(limiter, policy, "a", now);
        }
        reset_key(limiter, policy, "a");
        for (uint64_t i = 0; i < limit; i++) {
            met_limiter_result result = check(limiter, policy, "a",
                                              now + (int64_t)(i / 3));
            assert_int_equal(result.is_allowed, 1);
            assert_int_equal(result.windows[0].remaining, limit - i - 1);
        }
        assert_int_equal(check(limiter, policy, "a", now + MINUTE - 1)
                             .is_allowed, 0);
    }
}

/* From any state of a tape's ring and of a pace. */
static void tapes_and_paces_begin_anew(void **state)
{
    uint32_t tape = one_window(limiter, "tape", 200, MINUTE, SLIDING);
    uint32_t coarse = one_window(limiter, "coarse", 5000, MINUTE, SLIDING);
    uint32_t pace = one_window(limiter, "pace", 50, MINUTE, MET_LIMITER_GCRA);

    for (int round = 1; round < 60; round++) {
        uint32_t policies[] = {tape, coarse, pace};
        uint64_t limits[] = {200, 5000, 50};
        int kind = round % 3;
        int64_t now = (int64_t)round * HOUR;
        for (int i = 0; i < round * 9; i++) {
            now += (i * 7 + round) % 5 * SECOND / 9;
            (void)check_cost(limiter, policies[kind], "a", now,
                             limits[kind] / 50);
        }
        reset_key(limiter, policies[kind], "a");
        for (uint64_t i = 0; i < 50; i++) {
            met_limiter_result result = check_cost(
                limiter, policies[kind], "a", now, limits[kind] / 50);
            assert_int_equal(result.is_allowed, 1);
            assert_int_equal(result.windows[0].remaining,
                             limits[kind] / 50 * (49 - i));
        }
        assert_int_equal(check(limiter, policies[kind], "a", now).is_allowed,
                         0);
    }
}

/* What replaced windows counted is forgotten as well, whether a decision has
 * met them or not. */
static void replaced_windows_are_forgotten(void **state)
{
    for (int is_met = 0; is_met < 2; is_met++) {
        const char *name = is_met ? "met" : "unmet";
        uint32_t policy = one_window(limiter, name, 5, HOUR, SLIDING);
        int64_t now = 1000 * HOUR;
        assert_int_equal(check_cost(limiter, policy, "a", now, 5).is_allowed,
                         1);
        (void)one_window(limiter, name, 6, HOUR, SLIDING);
        if (is_met) {
            assert_int_equal(check(limiter, policy, "a", now + 1)
                                 .windows[0].remaining, 0);
        }
        (void)one_window(limiter, name, 7, HOUR, SLIDING);
        reset_key(limiter, policy, "a");
        assert_int_equal(check_cost(limiter, policy, "a", now + 2, 7)
                             .is_allowed, 1);
        assert_int_equal(check(limiter, policy, "a", now + 2).is_allowed, 0);
    }
}

/* Hits of one moment are alike but for the reset between them. */
static void tickets_from_before_are_void(void **state)
{
    static const window_spec specs[] = {
        {3, MINUTE, SLIDING},
        {20, HOUR, SLIDING},
        {500, 2 * HOUR, SLIDING},
        {100, 24 * HOUR, COUNTER},
        {500, 48 * HOUR, MET_LIMITER_FIXED_EPOCH},
        {900, 720 * HOUR, MET_LIMITER_CALENDAR_UTC},
        {50, 96 * HOUR, MET_LIMITER_GCRA},
        {60, 100 * HOUR, MET_LIMITER_IN_FLIGHT}};

    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        uint32_t policy = set_policy(limiter, "before", 0, &specs[i], 1);
        uint32_t withheld = 0;
        int64_t now = EPOCH + (int64_t)i * 200 * HOUR;
        met_limiter_result before = check(limiter, policy, "a", now);
        met_limiter_result with_it = check(limiter, policy, "a", now);
        reset_key(limiter, policy, "a");
        /* Nothing is there: nothing is given back. */
        assert_int_equal(met_limiter_refund(limiter, &with_it.ticket, 0,
                                            &withheld), MET_OK);
        assert_int_equal(withheld, 1);
        met_limiter_result after = check(limiter, policy, "a", now);
        withheld = 0;
        assert_int_equal(met_limiter_refund(limiter, &before.ticket, 0,
                                            &withheld), MET_OK);
        assert_int_equal(withheld, 1);
        assert_int_equal(peek_cost(limiter, policy, "a", now, 1)
                             .windows[0].remaining, specs[i].limit - 1);
        assert_int_equal(met_limiter_refund(limiter, &after.ticket, 0,
                                            &withheld), MET_OK);
        assert_int_equal(withheld, 0);
        assert_int_equal(peek_cost(limiter, policy, "a", now, 1)
                             .windows[0].remaining, specs[i].limit);
        assert_int_equal(met_limiter_policy_remove(limiter, policy, NULL),
                         MET_OK);
    }
}

static void bad_arguments(void **state)
{
    uint32_t policy = one_window(limiter, "p", 3, HOUR, SLIDING);
    met_limiter_request request = request_for(policy + 1, "a", HOUR);

    assert_int_equal(met_limiter_reset(limiter, &request), MET_E_NOT_FOUND);
    request.policy = policy;
    request.flags = 1u << 31;
    assert_int_equal(met_limiter_reset(limiter, &request),
                     MET_E_UNSUPPORTED);
    request.flags = 0;
    request.key = NULL;
    assert_int_equal(met_limiter_reset(limiter, &request), MET_E_INVALID);
    request.key_size = 0;
    assert_int_equal(met_limiter_reset(limiter, &request), MET_OK);
    assert_int_equal(met_limiter_reset(NULL, &request), MET_E_INVALID);
    assert_int_equal(met_limiter_reset(limiter, NULL), MET_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_windows_are_forgotten),
        TEST(logs_begin_anew),
        TEST(tapes_and_paces_begin_anew),
        TEST(replaced_windows_are_forgotten),
        TEST(tickets_from_before_are_void),
        TEST(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
