/* Plans: which records a request meets, what replaced windows weigh, and the
 * limits that a request brings itself. */
#define CAPACITY 512
#include "limit_fixture.h"

static met_error plan(met__plan *p, met_limiter_request *request, int *again)
{
    memset(p, 0x5a, sizeof *p);
    met__plan_start(p, limiter, request);
    return met__plan_make(p, again);
}

static void a_plan_finds_what_was_counted(void **state)
{
    window_spec specs[] = {{100, HOUR, COUNTER}, {5, MINUTE, SLIDING}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);
    met_limiter_request request = request_for(policy, "a", HOUR);
    met__plan p;
    int again;

    assert_int_equal(plan(&p, &request, &again), MET_OK);
    assert_int_equal(again, MET__PLAN_DECIDED);
    assert_int_equal(p.view.count, 2);
    assert_int_equal(p.cost, 1);
    for (int w = 0; w < 2; w++) {
        assert_null(p.windows[w].record);
        assert_int_equal(p.windows[w].extra, 0);
        assert_int_equal(p.windows[w].limit, specs[1 - w].limit);
        assert_int_equal(p.windows[w].shape->window_ns,
                         specs[1 - w].window_ns);
    }
    assert_int_not_equal(p.windows[0].name.name, p.windows[1].name.name);
    (void)check(limiter, policy, "a", HOUR);
    assert_int_equal(plan(&p, &request, &again), MET_OK);
    assert_non_null(p.windows[0].record);
    assert_non_null(p.windows[1].record);
    assert_ptr_not_equal(p.windows[0].record, p.windows[1].record);
    request.policy = policy + 1;
    assert_int_equal(plan(&p, &request, &again), MET_E_NOT_FOUND);
}

/* UTC is read only where an algorithm needs it. */
static void utc_is_read_when_needed(void **state)
{
    uint32_t log = one_window(limiter, "log", 5, MINUTE, SLIDING);
    uint32_t fixed = one_window(limiter, "fixed", 5, MINUTE,
                                MET_LIMITER_FIXED_EPOCH);
    met_limiter_request request = request_for(log, "a", HOUR);
    met__plan p;
    int again;

    request.utc_ns = 0;
    assert_int_equal(plan(&p, &request, &again), MET_OK);
    assert_int_equal(p.time.utc_ns, 0);
    request.policy = fixed;
    assert_int_equal(plan(&p, &request, &again), MET_OK);
    assert_true(p.time.utc_ns > (uint64_t)EPOCH - YEAR);
    request.utc_ns = EPOCH;
    assert_int_equal(plan(&p, &request, &again), MET_OK);
    assert_int_equal(p.time.utc_ns, EPOCH);
}

/* A replaced window is frozen by the first plan that meets it. */
static void predecessors_are_frozen_and_weigh(void **state)
{
    uint32_t policy = one_window(limiter, "p", 5, HOUR, SLIDING);
    met_limiter_request request = request_for(policy, "a", 100 * HOUR);
    met__plan p;
    int again;

    (void)check_cost(limiter, policy, "a", 100 * HOUR, 3);
    assert_int_equal(plan(&p, &request, &again), MET_OK);
    met__record *old = p.windows[0].record;
    assert_int_equal(met__load_acquire(&old->head) & MET__HEAD_FROZEN, 0);
    (void)one_window(limiter, "p", 9, HOUR, SLIDING);
    assert_int_equal(plan(&p, &request, &again), MET_OK);
    assert_int_equal(again, MET__PLAN_DECIDED);
    assert_int_equal(p.predecessor_count, 1);
    assert_int_equal(p.windows[0].extra, 3);
    assert_int_equal(p.windows[0].limit, 9);
    assert_true(met__load_acquire(&old->head) & MET__HEAD_FROZEN);
    /* Two lengths later it weighs no more. */
    request.monotonic_ns = 103 * HOUR;
    assert_int_equal(plan(&p, &request, &again), MET_OK);
    assert_int_equal(p.windows[0].extra, 0);
}

/* Rows of shapes that nobody wrote end in an error. */
static void broken_shapes_are_told(void **state)
{
    uint32_t policy = one_window(limiter, "p", 5, HOUR, SLIDING);
    met_limiter_request request = request_for(policy, "a", HOUR);
    met__plan p;
    int again;

    met__store_release(&limiter->table.shapes[1].window_ns, 5);
    assert_int_equal(plan(&p, &request, &again), MET_E_CORRUPT);
}

/* --- Own limits ----------------------------------------------------------- */
static met_limiter_result check_own(uint32_t policy, int64_t now,
                                    uint64_t cost, uint64_t limit,
                                    int is_peek)
{
    met_limiter_window own = {.limit = limit, .window_ns = MINUTE};
    met_limiter_request request = request_for(policy, "own", now);
    met_limiter_result result = {.struct_size = sizeof result};

    request.cost = cost;
    request.own_windows = &own;
    request.own_window_count = 1;
    assert_int_equal(is_peek ? met_limiter_peek(limiter, &request, &result)
                             : met_limiter_check(limiter, &request, &result),
                     MET_OK);
    return result;
}

static void own_limits_hold_one_request(void **state)
{
    window_spec specs[] = {{20, MINUTE, SLIDING}, {100, HOUR, COUNTER}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);
    met_limiter_result result;

    for (uint64_t i = 0; i < 5; i++) {
        result = check_own(policy, HOUR, 1, 5, 0);
        assert_int_equal(result.is_allowed, 1);
        assert_int_equal(result.windows[0].limit, 5);
        assert_int_equal(result.windows[0].remaining, 4 - i);
        assert_int_equal(result.windows[1].limit, 100);
        assert_int_equal(result.windows[1].remaining, 99 - i);
    }
    result = check_own(policy, HOUR, 1, 5, 0);
    assert_int_equal(result.is_allowed, 0);
    assert_int_equal(result.reason, MET_LIMITER_REASON_LIMIT);
    assert_int_equal(result.refused, 1);
    assert_in_range(result.wait_ns, MINUTE,
                    MINUTE + MINUTE / INT16_MAX + 1);
    /* A better plan from one request to the next: 5 are used of 8, and a
     * limit above the policy's is the policy's. */
    assert_int_equal(check_own(policy, HOUR, 1, 8, 0).windows[0].remaining,
                     2);
    assert_int_equal(check_own(policy, HOUR, 1, 1000, 0)
                         .windows[0].remaining, 13);
    assert_int_equal(check(limiter, policy, "own", HOUR)
                         .windows[0].remaining, 12);
    /* And back: 8 are used of 5. */
    result = check_own(policy, HOUR, 1, 5, 0);
    assert_int_equal(result.is_allowed, 0);
    assert_int_equal(result.windows[0].remaining, 0);
    assert_int_equal(check_own(policy, HOUR, 6, 5, 0).reason,
                     MET_LIMITER_REASON_NEVER);
    assert_int_equal(check_own(policy, HOUR, 6, 5, 0).wait_ns, -1);
}

/* Any limits in any order: allowed exactly when what was counted and the cost
 * are within the request's own; the wait is exact. */
static void own_limits_are_strict(void **state)
{
    uint32_t policy = one_window(limiter, "p", 12, MINUTE, SLIDING);
    exact_list list = {0};
    int64_t now = HOUR;
    int waits = 0;

    for (int i = 0; i < 20000; i++) {
        uint64_t limit = 1 + random_below(14);
        uint64_t held = limit < 12 ? limit : 12;
        uint64_t cost = 1 + random_below(2);
        now += (int64_t)random_below(6 * SECOND);
        uint64_t used = exact_since(&list, (uint64_t)(now - MINUTE));
        met_limiter_result result = check_own(policy, now, cost, limit, 0);
        if (result.is_allowed) {
            assert_true(used + cost <= held);
            exact_add(&list, (uint64_t)now, cost);
        } else if (cost <= held) {
            assert_true(exact_since(&list, (uint64_t)(now - MINUTE - 60))
                            + cost > held);
            int64_t at = now + result.wait_ns;
            assert_int_equal(check_own(policy, at, cost, limit, 1)
                                 .is_allowed, 1);
            assert_int_equal(check_own(policy, at - 1, cost, limit, 1)
                                 .is_allowed, 0);
            waits++;
        }
    }
    assert_true(waits > 1000);
    exact_free(&list);
}

/* Own limits and a replaced window at once. */
static void own_limits_see_replaced_windows(void **state)
{
    uint32_t policy = one_window(limiter, "p", 10, MINUTE, SLIDING);

    for (int i = 0; i < 4; i++) {
        assert_int_equal(check_own(policy, HOUR + i, 1, 6, 0).is_allowed, 1);
    }
    (void)one_window(limiter, "p", 20, MINUTE, SLIDING);
    met_limiter_result result = check_own(policy, HOUR + SECOND, 1, 6, 0);
    assert_int_equal(result.windows[0].remaining, 1);
    assert_int_equal(check_own(policy, HOUR + SECOND, 1, 6, 0).is_allowed, 1);
    result = check_own(policy, HOUR + SECOND, 1, 6, 0);
    assert_int_equal(result.is_allowed, 0);
    int64_t at = HOUR + SECOND + result.wait_ns;
    assert_int_equal(check_own(policy, at - 1, 1, 6, 1).is_allowed, 0);
    assert_int_equal(check_own(policy, at, 1, 6, 1).is_allowed, 1);
}

static void bad_own_limits(void **state)
{
    uint32_t policy = one_window(limiter, "p", 10, MINUTE, SLIDING);
    met_limiter_window own = {.limit = 5, .window_ns = MINUTE};
    met_limiter_request request = request_for(policy, "a", HOUR);
    met_limiter_result result = {.struct_size = sizeof result};

    request.own_windows = &own;
    request.own_window_count = 1;
    assert_int_equal(met_limiter_check(limiter, &request, &result), MET_OK);
    own.window_ns = HOUR;
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    own.window_ns = MINUTE;
    own.algorithm = COUNTER;
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    own.algorithm = SLIDING;
    own.limit = 0;
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_INVALID);
    own.limit = MET_LIMITER_LIMIT_MAX + 1;
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_INVALID);
    own.limit = 5;
    own.reserved = 1;
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_UNSUPPORTED);
    own.reserved = 0;
    request.own_window_count = MET_LIMITER_WINDOWS_MAX + 1;
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_INVALID);
    request.own_windows = NULL;
    request.own_window_count = 1;
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_INVALID);
    /* A caller of an earlier version has no such field. */
    request.struct_size = offsetof(met_limiter_request, own_windows);
    assert_int_equal(met_limiter_check(limiter, &request, &result), MET_OK);
    assert_int_equal(result.windows[0].limit, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plan_finds_what_was_counted),
        TEST(utc_is_read_when_needed),
        TEST(predecessors_are_frozen_and_weigh),
        TEST(broken_shapes_are_told),
        TEST(own_limits_hold_one_request),
        TEST(own_limits_are_strict),
        TEST(own_limits_see_replaced_windows),
        TEST(bad_own_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
