/* Tickets: given back is only what is provably the newest, once, and the bound
 * of the window stays. */
#define CAPACITY 1024
#include "limit_fixture.h"

static void the_newest_hit_is_given_back_once(void **state)
{
    window_spec specs[] = {{5, MINUTE, SLIDING}, {100, HOUR, COUNTER}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);

    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 1);
    met_limiter_result result = check_cost(limiter, policy, "a",
                                           HOUR + SECOND, 3);
    assert_int_equal(result.windows[0].remaining, 1);
    assert_int_equal(refund(limiter, &result.ticket, 1), 0);
    assert_int_equal(peek_cost(limiter, policy, "a", HOUR + SECOND, 1)
                         .windows[0].remaining, 2);
    uint32_t withheld;
    assert_int_equal(met_limiter_refund(limiter, &result.ticket, 3,
                                        &withheld), MET_E_INVALID);
    assert_int_equal(refund(limiter, &result.ticket, 0), 0);
    met_limiter_result left = peek_cost(limiter, policy, "a", HOUR + SECOND,
                                        1);
    assert_int_equal(left.windows[0].remaining, 4);
    assert_int_equal(left.windows[1].remaining, 99);
    /* Empty now: nothing more comes back. */
    assert_int_equal(refund(limiter, &result.ticket, 0), 0);
    assert_int_equal(peek_cost(limiter, policy, "a", HOUR + SECOND, 1)
                         .windows[0].remaining, 4);
}

static void older_hits_are_withheld(void **state)
{
    window_spec specs[] = {{5, MINUTE, SLIDING}, {100, HOUR, COUNTER}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);
    met_limiter_result first = check(limiter, policy, "a", HOUR);

    assert_int_equal(check(limiter, policy, "a", HOUR + SECOND).is_allowed,
                     1);
    /* The log keeps it, the bucket does not tell its hits apart. */
    assert_int_equal(refund(limiter, &first.ticket, 0), 1);
    met_limiter_result left = peek_cost(limiter, policy, "a", HOUR + SECOND,
                                        1);
    assert_int_equal(left.windows[0].remaining, 3);
    assert_int_equal(left.windows[1].remaining, 99);
    met_limiter_stats stats = stats_now();
    assert_int_equal(stats.withheld, 1);
    assert_int_equal(stats.undone, 1);
}

static void refused_requests_have_nothing_to_give(void **state)
{
    uint32_t policy = one_window(limiter, "p", 1, MINUTE, SLIDING);
    met_limiter_result taken = check(limiter, policy, "a", HOUR);
    met_limiter_result refused = check(limiter, policy, "a", HOUR);
    met_limiter_result peeked = peek_cost(limiter, policy, "b", HOUR, 1);

    assert_int_equal(refund(limiter, &refused.ticket, 0), 0);
    assert_int_equal(refund(limiter, &peeked.ticket, 0), 0);
    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 0);
    assert_int_equal(refund(limiter, &taken.ticket, 0), 0);
    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 1);
}

/* A window that was replaced, a key that was forgotten, a record that another
 * key has now: withheld, and nobody else's hit is touched. */
static void what_is_gone_is_withheld(void **state)
{
    uint32_t policy = one_window(limiter, "p", 5, MINUTE, SLIDING);
    met_limiter_result result = check(limiter, policy, "a", HOUR);

    assert_int_equal(one_window(limiter, "p", 6, MINUTE, SLIDING), policy);
    assert_int_equal(check(limiter, policy, "a", HOUR).windows[0].remaining,
                     4);
    assert_int_equal(refund(limiter, &result.ticket, 0), 1);
    assert_int_equal(peek_cost(limiter, policy, "a", HOUR, 1)
                         .windows[0].remaining, 4);
    result = check(limiter, policy, "b", HOUR);
    reset_key(limiter, policy, "b");
    assert_int_equal(refund(limiter, &result.ticket, 0), 1);
    char key[32];
    for (int i = 0; i < 2 * CAPACITY; i++) { /* every place is used again */
        snprintf(key, sizeof key, "key %d", i);
        (void)check(limiter, policy, key, 2 * HOUR);
    }
    assert_int_equal(refund(limiter, &result.ticket, 0), 0);
}

/* Any bits for a ticket: an error or withheld, never a fault. */
static void forged_tickets(void **state)
{
    uint32_t policy = one_window(limiter, "p", 5, MINUTE, SLIDING);
    met_limiter_result result = check(limiter, policy, "a", HOUR);

    for (int i = 0; i < 20000; i++) {
        met_limiter_ticket ticket = result.ticket;
        uint32_t withheld;
        for (int hits = 0; hits < 1 + i % 12; hits++) {
            size_t word = random_below(12);
            if (word != 0 || i % 2) {
                ticket.private_[word] = next_random();
            }
        }
        met_error error = met_limiter_refund(limiter, &ticket,
                                             random_below(3), &withheld);
        assert_true(error == MET_OK || error == MET_E_INVALID);
    }
}

/* Random checks and refunds of random tickets: what comes back is the newest
 * hit, and every window of what stays counted keeps the limit. */
static void refunds_never_open_the_window(void **state)
{
    static const uint64_t limits[] = {1, 5, 12, 13, 24};
    uint64_t given = 0;
    uint64_t kept = 0;

    for (size_t n = 0; n < sizeof limits / sizeof limits[0]; n++) {
        exact_list list = {0};
        met_limiter_result held[4] = {{0}};
        uint64_t times[4] = {0};
        char name[16];
        snprintf(name, sizeof name, "p%zu", n);
        uint32_t policy = one_window(limiter, name, limits[n], MINUTE,
                                     SLIDING);
        int64_t now = HOUR;
        for (int i = 0; i < 8000; i++) {
            size_t at = random_below(4);
            now += random_below(3) == 0
                       ? 0
                       : (int64_t)random_below(2 * MINUTE / limits[n]);
            met_limiter_result result = check(limiter, policy, "a", now);
            if (result.is_allowed) {
                exact_add(&list, (uint64_t)now, 1);
                assert_true(exact_since(&list, (uint64_t)(now - MINUTE))
                            <= limits[n]);
                held[at] = result;
                times[at] = (uint64_t)now;
            }
            at = random_below(4);
            if (times[at] == 0 || random_below(2)) {
                continue;
            }
            if (refund(limiter, &held[at].ticket, 0) == 0) {
                assert_in_range(list.times[list.count - 1] - times[at], 0,
                                MINUTE / INT16_MAX + 1);
                exact_remove_last(&list);
                given++;
            } else {
                kept++;
            }
            times[at] = 0;
        }
        exact_free(&list);
    }
    assert_true(given > 1000);
    assert_true(kept > 1000);
}

static void bad_arguments(void **state)
{
    met_limiter_ticket ticket = {{0}};
    uint32_t withheld = 7;

    assert_int_equal(met_limiter_refund(NULL, &ticket, 0, &withheld),
                     MET_E_INVALID);
    assert_int_equal(met_limiter_refund(limiter, NULL, 0, &withheld),
                     MET_E_INVALID);
    assert_int_equal(met_limiter_refund(limiter, &ticket, 0, NULL),
                     MET_E_INVALID);
    assert_int_equal(met_limiter_refund(limiter, &ticket, 1, &withheld),
                     MET_E_INVALID);
    assert_int_equal(withheld, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_hit_is_given_back_once),
        TEST(older_hits_are_withheld),
        TEST(refused_requests_have_nothing_to_give),
        TEST(what_is_gone_is_withheld),
        TEST(forged_tickets),
        TEST(refunds_never_open_the_window),
        TEST(bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
