/* Policies in the table: numbers, rows that change as a whole, predecessors,
 * and removal. */
#define CAPACITY 2048 /* some 200 live records: no group is ever full */
#include "limit_fixture.h"

static met__policy_view view_of(uint32_t number)
{
    met__policy_view view;

    memset(&view, 0x5a, sizeof view);
    assert_int_equal(met__policy_read(&limiter->table, number, &view),
                     MET_OK);
    return view;
}

static void rows_say_what_was_set(void **state)
{
    for (uint32_t count = 1; count <= MET_LIMITER_WINDOWS_MAX; count++) {
        window_spec specs[MET_LIMITER_WINDOWS_MAX];
        char name[16];
        for (uint32_t i = 0; i < count; i++) {
            specs[i] = (window_spec){1 + i, SECOND * (10 - (int64_t)i),
                                     SLIDING};
        }
        snprintf(name, sizeof name, "p%u", count);
        uint32_t number = set_policy(limiter, name, count % 4, specs, count);
        met__policy_view view = view_of(number);
        assert_int_equal(view.count, count);
        assert_int_equal(view.flags, count % 4);
        assert_int_equal(view.predecessor_count, 0);
        for (uint32_t i = 0; i < count; i++) {
            met__shape spare;
            const met__shape *shape = met__shape_get(
                &limiter->table, view.windows[i].shape, &spare);
            assert_non_null(shape);
            assert_int_equal(shape->limit, count - i); /* shortest first */
        }
    }
}

/* A window that is replaced follows the one most like it, and weighs for two
 * of its lengths from the first decision that asks. */
static void replaced_windows_follow(void **state)
{
    window_spec before[] = {{5, MINUTE, SLIDING}, {20, HOUR, SLIDING}};
    window_spec after[] = {{6, MINUTE, SLIDING},
                           {20, HOUR, SLIDING},
                           {9, 2 * HOUR, SLIDING}};
    uint32_t number = set_policy(limiter, "p", 0, before, 2);
    met__policy_view old = view_of(number);

    assert_int_equal(set_policy(limiter, "p", 0, after, 3), number);
    met__policy_view view = view_of(number);
    assert_int_equal(view.count, 3);
    assert_int_equal(view.predecessor_count, 1);
    assert_int_equal(view.predecessors[0].shape, old.windows[0].shape);
    assert_int_equal(view.predecessors[0].born, old.windows[0].born);
    assert_int_equal(view.predecessors[0].follows, 0);
    assert_int_equal(view.windows[1].born, old.windows[1].born);
    assert_int_not_equal(view.windows[0].born, old.windows[0].born);
    uint64_t now = 100 * (uint64_t)HOUR;
    const met__policy_window *gone = &view.predecessors[0];
    assert_int_equal(met__policy_weighs(&view, gone, MINUTE, now), 1);
    assert_int_equal(met__policy_weighs(&view, gone, MINUTE,
                                        now + 2 * (uint64_t)MINUTE), 1);
    assert_int_equal(met__policy_weighs(&view, gone, MINUTE,
                                        now + 2 * (uint64_t)MINUTE + SECOND),
                     0);
}

/* Changes one after the other stay readable; too many at work are refused. */
static void changes_without_end(void **state)
{
    met_limiter_window window = {.limit = 1, .window_ns = HOUR};
    met_limiter_policy policy = {.struct_size = sizeof policy, .name = "p",
                                 .name_size = 1, .windows = &window,
                                 .window_count = 1};
    uint32_t number = one_window(limiter, "p", 24, HOUR, SLIDING);
    int busy = 0;

    for (uint64_t i = 0; i < 60; i++) {
        uint32_t again = UINT32_MAX;
        window.limit = 1 + i % 23;
        met_error error = met_limiter_policy_set(limiter, &policy, &again,
                                                 NULL);
        if (error == MET_OK) {
            assert_int_equal(again, number);
        } else {
            assert_int_equal(error, MET_E_BUSY);
            assert_int_equal(again, UINT32_MAX);
            busy++;
        }
        assert_in_range(view_of(number).predecessor_count, 0,
                        MET__PREDECESSORS);
    }
    assert_true(busy > 0); /* nobody asks, so nothing stops weighing */
}

static void removed_policies_are_nobodys(void **state)
{
    uint32_t number = one_window(limiter, "p", 2, HOUR, SLIDING);
    uint32_t other = one_window(limiter, "q", 2, HOUR, SLIDING);
    met_limiter_request request = request_for(number, "a", HOUR);
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_result taken = check_cost(limiter, number, "a", HOUR, 2);
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(stats_now().policies, 2);
    assert_int_equal(met_limiter_policy_remove(limiter, number, &info),
                     MET_OK);
    assert_int_equal(stats_now().policies, 1);
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    assert_int_equal(met_limiter_peek(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    assert_int_equal(met_limiter_charge(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    assert_int_equal(met_limiter_reset(limiter, &request), MET_E_NOT_FOUND);
    assert_int_equal(met_limiter_policy_remove(limiter, number, &info),
                     MET_E_NOT_FOUND);
    assert_string_equal(info.field, "number");
    assert_int_equal(check(limiter, other, "a", HOUR).is_allowed, 1);
    /* The same name again, and another one, in the same place: other numbers,
     * and nothing is counted yet. */
    uint32_t again = one_window(limiter, "p", 2, HOUR, SLIDING);
    assert_int_not_equal(again, number);
    assert_int_equal(MET__POLICY_SLOT(again), MET__POLICY_SLOT(number));
    assert_int_equal(check(limiter, again, "a", HOUR).windows[0].remaining,
                     1);
    assert_int_equal(met_limiter_check(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    assert_int_equal(met_limiter_policy_remove(limiter, number, NULL),
                     MET_E_NOT_FOUND);
    assert_int_equal(met_limiter_policy_remove(limiter, again, NULL), MET_OK);
    uint32_t third = one_window(limiter, "r", 2, HOUR, SLIDING);
    assert_int_equal(MET__POLICY_SLOT(third), MET__POLICY_SLOT(number));
    /* The ticket of a removed policy gives back nothing of its heirs. */
    assert_int_equal(check_cost(limiter, third, "a", HOUR, 2).is_allowed, 1);
    (void)refund(limiter, &taken.ticket, 0);
    assert_int_equal(check(limiter, third, "a", HOUR).is_allowed, 0);
}

/* A reused place is decided on the short way and with predecessors as well. */
static void reused_places_serve_as_before(void **state)
{
    for (int i = 0; i < 50; i++) {
        window_spec specs[] = {{3, MINUTE, SLIDING}, {5, HOUR, SLIDING}};
        uint32_t number = set_policy(limiter, i % 2 ? "odd" : "even", 0,
                                     specs, 2);
        for (int hit = 0; hit < 4; hit++) {
            assert_int_equal(check(limiter, number, "a", HOUR).is_allowed,
                             hit < 3);
        }
        specs[0].limit = 4;
        assert_int_equal(set_policy(limiter, i % 2 ? "odd" : "even", 0,
                                    specs, 2), number);
        assert_int_equal(check(limiter, number, "a", HOUR).is_allowed, 1);
        assert_int_equal(check(limiter, number, "a", HOUR).is_allowed, 0);
        assert_int_equal(met_limiter_policy_remove(limiter, number, NULL),
                         MET_OK);
    }
    assert_int_equal(stats_now().policies, 0);
}

static void removal_makes_room(void **state)
{
    uint32_t numbers[MET_LIMITER_POLICIES_MAX];
    char name[32];
    met_limiter_window window = {.limit = 3, .window_ns = HOUR};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "one more", .name_size = 8,
                                 .windows = &window, .window_count = 1};
    uint32_t number = 7;

    for (int i = 0; i < MET_LIMITER_POLICIES_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        numbers[i] = one_window(limiter, name, 3, HOUR, SLIDING);
    }
    assert_int_equal(met_limiter_policy_set(limiter, &policy, &number, NULL),
                     MET_E_LIMIT);
    assert_int_equal(number, 7);
    for (int i = 0; i < 100; i++) {
        size_t victim = random_below(MET_LIMITER_POLICIES_MAX);
        if (numbers[victim] == UINT32_MAX) {
            continue;
        }
        assert_int_equal(met_limiter_policy_remove(limiter, numbers[victim],
                                                   NULL), MET_OK);
        numbers[victim] = UINT32_MAX;
        snprintf(name, sizeof name, "new %d", i);
        (void)one_window(limiter, name, 3, HOUR, SLIDING);
        assert_int_equal(stats_now().policies, MET_LIMITER_POLICIES_MAX);
        assert_int_equal(met_limiter_policy_set(limiter, &policy, &number,
                                                NULL), MET_E_LIMIT);
    }
    for (int i = 0; i < MET_LIMITER_POLICIES_MAX; i += 37) {
        if (numbers[i] != UINT32_MAX) {
            snprintf(name, sizeof name, "p%d", i);
            assert_int_equal(one_window(limiter, name, 3, HOUR, SLIDING),
                             numbers[i]);
        }
    }
}

static void bad_numbers(void **state)
{
    assert_int_equal(met_limiter_policy_remove(NULL, 0, NULL), MET_E_INVALID);
    assert_int_equal(met_limiter_policy_remove(limiter, 0, NULL),
                     MET_E_NOT_FOUND);
    for (int i = 0; i < 1000; i++) {
        uint32_t number = (uint32_t)next_random();
        met__policy_view view;
        assert_int_equal(met_limiter_policy_remove(limiter, number, NULL),
                         MET_E_NOT_FOUND);
        assert_int_equal(met__policy_read(&limiter->table, number, &view),
                         MET_E_NOT_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_say_what_was_set),
        TEST(replaced_windows_follow),
        TEST(changes_without_end),
        TEST(removed_policies_are_nobodys),
        TEST(reused_places_serve_as_before),
        TEST(removal_makes_room),
        TEST(bad_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
