/* Charging: what was served weighs, whether there was room or not. */
#define CAPACITY 256
#include "limit_fixture.h"

/* While there is room a charge counts like a check, in every algorithm. */
static void within_limits_it_is_a_check(void **state)
{
    window_spec specs[] = {{20, MINUTE, SLIDING},
                           {100, HOUR, COUNTER},
                           {500, 24 * HOUR, MET_LIMITER_FIXED_EPOCH},
                           {900, 720 * HOUR, MET_LIMITER_CALENDAR_UTC}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 4);
    int64_t now = EPOCH;

    for (int i = 0; i < 300; i++) {
        uint64_t cost = 1 + random_below(3);
        now += (int64_t)random_below(4 * MINUTE);
        if (!peek_cost(limiter, policy, "checked", now, cost).is_allowed) {
            continue;
        }
        met_limiter_result one = check_cost(limiter, policy, "checked", now,
                                            cost);
        met_limiter_result other = charge_cost(limiter, policy, "charged",
                                               now, cost);
        assert_int_equal(other.is_allowed, 1);
        assert_int_equal(other.reason, MET_LIMITER_REASON_NONE);
        for (uint32_t w = 0; w < 4; w++) {
            assert_memory_equal(&one.windows[w], &other.windows[w],
                                sizeof one.windows[w]);
        }
    }
}

static void beyond_the_limit_it_counts(void **state)
{
    window_spec specs[] = {{5, MINUTE, SLIDING}, {20, HOUR, COUNTER}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);

    assert_int_equal(check_cost(limiter, policy, "a", HOUR, 3).is_allowed, 1);
    met_limiter_result result = charge_cost(limiter, policy, "a", HOUR + 1,
                                            4);
    assert_int_equal(result.is_allowed, 0);
    assert_int_equal(result.reason, MET_LIMITER_REASON_LIMIT);
    assert_int_equal(result.refused, 1);
    assert_int_equal(result.windows[0].remaining, 0);
    assert_int_equal(result.windows[1].remaining, 13);
    assert_int_equal(check(limiter, policy, "a", HOUR + 2).is_allowed, 0);
    /* Of the 7 the newest 5 weigh: 4 of the charge, 1 of the check. */
    int64_t later = HOUR + MINUTE + SECOND / 2;
    assert_int_equal(check_cost(limiter, policy, "a", later, 5).is_allowed, 1);
}

static void a_cost_above_a_limit_fills_the_window(void **state)
{
    window_spec specs[] = {{5, MINUTE, SLIDING}, {1000, HOUR, COUNTER}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);
    met_limiter_result result = charge_cost(limiter, policy, "a", HOUR, 700);

    assert_int_equal(result.is_allowed, 0);
    assert_int_equal(result.reason, MET_LIMITER_REASON_NEVER);
    assert_int_equal(result.refused, 1);
    assert_int_equal(result.wait_ns, -1);
    assert_int_equal(result.windows[0].remaining, 0);
    assert_int_equal(result.windows[1].remaining, 300);
    result = check(limiter, policy, "a", HOUR + 1);
    assert_int_equal(result.is_allowed, 0);
    assert_in_range(result.wait_ns, MINUTE - 1, MINUTE + 100);
    result = check(limiter, policy, "a", HOUR + 1 + result.wait_ns);
    assert_int_equal(result.is_allowed, 1);
    assert_int_equal(result.windows[1].remaining, 299);
}

/* What was charged beyond a limit fills it, whoever gives back at the same
 * moment. */
static void refunds_leave_what_was_charged(void **state)
{
    static const uint64_t limits[] = {2, 12, 24, 25, 400};
    static const uint32_t algorithms[] = {
        SLIDING, COUNTER, MET_LIMITER_FIXED_EPOCH, MET_LIMITER_CALENDAR_UTC,
        MET_LIMITER_GCRA};

    for (size_t i = 0; i < 25; i++) {
        uint64_t limit = limits[i % 5];
        uint32_t withheld;
        int64_t now = HOUR * (int64_t)(i + 1);
        uint32_t policy = one_window(limiter, "p", limit, MINUTE,
                                     algorithms[i / 5]);
        met_limiter_result checked = check(limiter, policy, "a", now);
        met_limiter_result charged = charge_cost(limiter, policy, "a", now,
                                                 limit);
        assert_int_equal(checked.is_allowed, 1);
        assert_int_equal(met_limiter_refund(limiter, &checked.ticket, 0,
                                            &withheld), MET_OK);
        assert_int_equal(peek_cost(limiter, policy, "a", now, 1).is_allowed,
                         0);
        assert_int_equal(met_limiter_refund(limiter, &charged.ticket, limit - 1,
                                            &withheld), MET_OK);
        assert_true(peek_cost(limiter, policy, "a", now, 1)
                        .windows[0].remaining <= limit - 1);
        assert_int_equal(met_limiter_policy_remove(limiter, policy, NULL),
                         MET_OK);
    }
}

/* With charges between, no window has more checks allowed than are left. */
static void charges_leave_less(void **state)
{
    uint32_t policy = one_window(limiter, "p", 12, MINUTE, SLIDING);
    exact_list list = {0};
    int64_t now = HOUR;
    int charged = 0;
    int refused = 0;

    for (int i = 0; i < 20000; i++) {
        uint64_t cost = 1 + random_below(3);
        now += (int64_t)random_below(8 * SECOND);
        if (random_below(4) == 0) {
            charge_cost(limiter, policy, "a", now, cost);
            exact_add(&list, (uint64_t)now, cost);
            charged++;
            continue;
        }
        uint64_t used = exact_since(&list, (uint64_t)(now - MINUTE));
        if (check_cost(limiter, policy, "a", now, cost).is_allowed) {
            assert_true(used + cost <= 12);
            exact_add(&list, (uint64_t)now, cost);
        } else {
            refused++;
            assert_true(exact_since(&list, (uint64_t)(now - MINUTE - 60))
                            + cost > 12);
        }
    }
    assert_true(charged > 1000 && refused > 1000);
    exact_free(&list);
}

/* A changed limit: what the old window counted weighs in what is left. */
static void charges_see_replaced_windows(void **state)
{
    uint32_t policy = one_window(limiter, "p", 5, HOUR, SLIDING);
    int64_t now = 100 * HOUR;

    charge_cost(limiter, policy, "a", now, 4);
    assert_int_equal(one_window(limiter, "p", 9, HOUR, SLIDING), policy);
    met_limiter_result result = charge_cost(limiter, policy, "a", now + 1, 2);
    assert_int_equal(result.is_allowed, 1);
    assert_int_equal(result.windows[0].remaining, 3);
}

static void a_full_table_is_told(void **state)
{
    uint32_t policy = one_window(limiter, "p", 3, HOUR, SLIDING);
    char key[32];
    int full = 0;

    for (int i = 0; i < 2 * CAPACITY; i++) {
        snprintf(key, sizeof key, "key %d", i);
        met_limiter_result result = charge_cost(limiter, policy, key, HOUR,
                                                1);
        full += result.reason == MET_LIMITER_REASON_TABLE_FULL;
        assert_int_equal(result.is_allowed, 1);
    }
    met_limiter_stats stats = stats_now();
    assert_true(full >= CAPACITY);
    assert_int_equal(stats.full_allowed, full);
}

static void bad_arguments(void **state)
{
    uint32_t policy = one_window(limiter, "p", 3, HOUR, SLIDING);
    met_limiter_request request = request_for(policy + 1, "a", HOUR);
    met_limiter_result result = {.struct_size = sizeof result};

    assert_int_equal(met_limiter_charge(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    request.policy = policy;
    request.cost = MET_LIMITER_LIMIT_MAX + 1;
    assert_int_equal(met_limiter_charge(limiter, &request, &result),
                     MET_E_INVALID);
    request.cost = 1;
    request.flags = 1u << 31;
    assert_int_equal(met_limiter_charge(limiter, &request, &result),
                     MET_E_UNSUPPORTED);
    assert_int_equal(peek_cost(limiter, policy, "a", HOUR, 3).is_allowed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(within_limits_it_is_a_check),
        TEST(beyond_the_limit_it_counts),
        TEST(a_cost_above_a_limit_fills_the_window),
        TEST(refunds_leave_what_was_charged),
        TEST(charges_leave_less),
        TEST(charges_see_replaced_windows),
        TEST(a_full_table_is_told),
        TEST(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
