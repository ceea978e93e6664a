/* One cell: allowances, amounts at their bounds, slices, periods, soft limits,
 * and a random walk beside a plain model. */
#include "quota_support.h"

#include <stdlib.h>

static char home[64];
static char path[128];
static met__platform platform;
static met__quota_table *table;
static met__hash128 key = {11, 22};

static int setup(void **state)
{
    uint32_t is_empty;

    temp_directory(home, sizeof home);
    snprintf(path, sizeof path, "%s/quota.map", home);
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    assert_int_equal(met__quota_open(&platform, path, quota_store, 4, &table,
                                     &is_empty, NULL),
                     MET_OK);
    return 0;
}

static int teardown(void **state)
{
    met__quota_close(table);
    temp_remove(home);
    return 0;
}

static void prepare(met__quota_period period)
{
    assert_int_equal(met__quota_prepare(table, key, &period), MET_OK);
}

static uint32_t ask(int64_t cost, met__quota_ticket *ticket)
{
    return quota_ask(table, key, 1, cost, 0, ticket);
}

static met__quota_state now(void)
{
    return quota_state_of(table, key, 1);
}

static void gives_the_last_unit_once(void **state)
{
    met__quota_ticket a;
    met__quota_ticket b;
    met__quota_state answer;

    prepare(quota_period_of(1, 10));
    assert_int_equal(ask(7, &a), 1);
    assert_int_equal(met__quota_admit(table, key, 1, 4, 0, 0, &b, &answer),
                     MET_OK);
    assert_int_equal(answer.is_allowed, 0);
    assert_int_equal(answer.left, 3);
    assert_int_equal(answer.reserved_in_flight, 7);
    assert_int_equal(answer.is_over, 0);
    assert_int_equal(b.place, 0);
    assert_int_equal(met__quota_release(table, &b), MET_OK);
    assert_int_equal(ask(3, &b), 1);
    assert_int_equal(ask(1, &(met__quota_ticket){0}), 0);
    assert_int_equal(ask(0, &(met__quota_ticket){0}), 0);
    assert_int_equal(met__quota_release(table, &a), MET_OK);
    assert_int_equal(now().taken, 3);
    assert_int_equal(ask(0, &a), 1);
    quota_done(table, &a, 0);
    quota_done(table, &b, 3);
    assert_int_equal(now().taken, 3);
    assert_int_equal(now().reserved_in_flight, 0);
}

static void settles_the_true_cost(void **state)
{
    met__quota_ticket ticket;

    prepare(quota_period_of(1, 100));
    /* Less: given back only after the usage was recorded. */
    assert_int_equal(ask(10, &ticket), 1);
    assert_int_equal(met__quota_complete_end(table, &ticket), MET_E_INVALID);
    assert_int_equal(met__quota_complete_begin(table, &ticket, 4), MET_OK);
    assert_int_equal(now().taken, 10);
    assert_int_equal(now().reserved_in_flight, 0);
    assert_int_equal(met__quota_complete_begin(table, &ticket, 4),
                     MET_E_INVALID);
    assert_int_equal(met__quota_complete_end(table, &ticket), MET_OK);
    assert_int_equal(now().taken, 4);
    /* More: taken before it is recorded, beyond what was granted too. */
    assert_int_equal(ask(10, &ticket), 1);
    assert_int_equal(met__quota_complete_begin(table, &ticket, 150), MET_OK);
    assert_int_equal(now().taken, 154);
    assert_int_equal(now().is_over, 1);
    assert_int_equal(now().left, 0);
    assert_int_equal(met__quota_complete_end(table, &ticket), MET_OK);
    assert_int_equal(now().taken, 154);
    assert_int_equal(ask(0, &ticket), 0);
    /* Could not be recorded: all of it comes back. */
    assert_int_equal(quota_set_limit(table, key, 1, 200), MET_OK);
    assert_int_equal(ask(10, &ticket), 1);
    assert_int_equal(met__quota_complete_begin(table, &ticket, 30), MET_OK);
    assert_int_equal(now().taken, 184);
    assert_int_equal(met__quota_release(table, &ticket), MET_OK);
    assert_int_equal(now().taken, 154);
    assert_int_equal(ask(10, &ticket), 1);
    assert_int_equal(met__quota_complete_begin(table, &ticket, 3), MET_OK);
    assert_int_equal(met__quota_release(table, &ticket), MET_OK);
    assert_int_equal(now().taken, 154);
}

static void overwrites_the_limit(void **state)
{
    met__quota_ticket ticket;
    met__quota_period period = {.number = 1, .limit = 6, .taken = 3};

    prepare(period);
    assert_int_equal(now().left, 3);
    assert_int_equal(quota_set_limit(table, key, 1, 3), MET_OK);
    assert_int_equal(ask(1, &ticket), 0);
    assert_int_equal(quota_set_limit(table, key, 1, -5), MET_OK);
    assert_int_equal(now().limit, -5);
    assert_int_equal(now().is_over, 1);
    assert_int_equal(ask(0, &ticket), 0);
    assert_int_equal(quota_set_limit(table, key, 1, 15), MET_OK);
    assert_int_equal(now().left, 12);
    assert_int_equal(ask(12, &ticket), 1);
    period.taken = 1; /* not used: the period is there */
    period.limit = 20;
    period.flags = MET__QUOTA_SOFT;
    prepare(period);
    assert_int_equal(now().taken, 15);
    assert_int_equal(now().left, 5);
    assert_int_equal(now().flags, MET__QUOTA_SOFT);
    /* From a snapshot: must not undo what settlement said. */
    period.limit = 1;
    period.flags = MET__QUOTA_PROVISIONAL;
    prepare(period);
    assert_int_equal(now().limit, 20);
    period.number = 2;
    prepare(period);
    assert_int_equal(quota_state_of(table, key, 2).flags,
                     MET__QUOTA_PROVISIONAL);
    period.flags = 0;
    prepare(period);
    assert_int_equal(quota_state_of(table, key, 2).flags, 0);
    quota_done(table, &ticket, 12);
}

static void never_refuses_a_soft_limit(void **state)
{
    met__quota_ticket ticket;
    met__quota_period period = {.number = 1, .limit = 5,
                                .flags = MET__QUOTA_SOFT};

    prepare(period);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(ask(2, &ticket), 1);
        quota_done(table, &ticket, 2);
        assert_int_equal(now().is_over, i > 2);
        assert_int_equal(now().taken, 2 * i);
    }
    assert_int_equal(ask(0, &ticket), 1);
    period.flags = 0; /* hard again */
    prepare(period);
    assert_int_equal(ask(0, &ticket), 0);
}

static void keeps_amounts_in_bounds(void **state)
{
    const int64_t max = MET__QUOTA_AMOUNT_MAX;
    met__quota_period period = {.number = 1, .limit = max};
    met__quota_ticket ticket;
    met__quota_ticket second;
    met__quota_state answer;

    prepare(period);
    assert_int_equal(now().left, max);
    assert_int_equal(ask(max - 1, &ticket), 1);
    assert_int_equal(now().taken, max - 1);
    assert_int_equal(now().reserved_in_flight, 0); /* beyond a bucket */
    assert_int_equal(ask(2, &second), 0);
    period.flags = MET__QUOTA_SOFT;
    prepare(period);
    assert_int_equal(met__quota_admit(table, key, 1, 2, 0, 0, &second, &answer),
                     MET_E_LIMIT);
    assert_int_equal(ask(1, &second), 1);
    assert_int_equal(now().taken, max);
    /* One more than there is room for: nothing changes, release is exact. */
    assert_int_equal(met__quota_complete_begin(table, &second, 2),
                     MET_E_LIMIT);
    assert_int_equal(now().taken, max);
    assert_int_equal(now().reserved_in_flight, 1);
    assert_int_equal(met__quota_complete_begin(table, &second, max + 1),
                     MET_E_LIMIT);
    assert_int_equal(met__quota_release(table, &second), MET_OK);
    assert_int_equal(now().reserved_in_flight, 0);
    assert_int_equal(now().taken, max - 1);
    quota_done(table, &ticket, 5);
    assert_int_equal(now().taken, 5);
    period.flags = 0;
    period.limit = -max;
    period.number = 2;
    prepare(period);
    assert_int_equal(quota_state_of(table, key, 2).left, 0);
    assert_int_equal(quota_state_of(table, key, 2).is_over, 1);
    assert_int_equal(quota_ask(table, key, 2, max, 0, &ticket), 0);
}

static void fills_a_bucket_to_its_bound(void **state)
{
    const int64_t full = MET__QUOTA_BUCKET_MAX;
    met__quota_ticket a;
    met__quota_ticket b;
    met__quota_ticket c;

    prepare(quota_period_of(1, MET__QUOTA_AMOUNT_MAX));
    assert_int_equal(ask(full - 1, &a), 1);
    assert_int_equal(now().reserved_in_flight, full - 1);
    assert_int_equal(ask(2, &b), 1); /* outside */
    assert_int_equal(now().reserved_in_flight, full - 1);
    assert_int_equal(ask(1, &c), 1);
    assert_int_equal(now().reserved_in_flight, full);
    assert_int_equal(now().taken, full + 2);
    assert_int_equal(met__quota_release(table, &b), MET_OK);
    assert_int_equal(now().taken, full);
    quota_done(table, &c, 1);
    quota_done(table, &a, full - 1);
    assert_int_equal(now().reserved_in_flight, 0);
    assert_int_equal(now().taken, full);
}

static void gives_back_what_the_dead_reserved(void **state)
{
    met__quota_ticket dead;
    met__quota_ticket ticket;

    prepare(quota_period_of(1, 10));
    for (int64_t start = 0; start < 5; start++) {
        int64_t at = start * 10 * SLICE;
        assert_int_equal(quota_ask(table, key, 1, 10, at, &dead), 1);
        /* For two slices it may still come back. */
        assert_int_equal(quota_ask(table, key, 1, 1, at + 2 * SLICE - 1,
                                   &ticket),
                         0);
        assert_int_equal(quota_ask(table, key, 1, 10, at + 2 * SLICE,
                                   &ticket),
                         1);
        assert_int_equal(now().taken, 4 * start + 10);
        /* It lives after all: its usage counts, nothing is given twice. */
        quota_done(table, &dead, 4);
        assert_int_equal(now().taken, 4 * start + 14);
        assert_int_equal(met__quota_release(table, &ticket), MET_OK);
        assert_int_equal(now().taken, 4 * (start + 1));
        /* The same again with a full allowance. */
        assert_int_equal(quota_set_limit(table, key, 1, 10 + now().taken),
                         MET_OK);
    }
}

/* Requests whose clock readings lie one or more slices apart, in any order. */
static void clocks_may_differ(void **state)
{
    met__quota_ticket early;
    met__quota_ticket late;

    prepare(quota_period_of(1, 100));
    assert_int_equal(quota_ask(table, key, 1, 5, 7 * SLICE, &late), 1);
    assert_int_equal(quota_ask(table, key, 1, 6, 5 * SLICE, &early), 1);
    assert_int_equal(early.slice, 7); /* joins the newer one */
    assert_int_equal(now().reserved_in_flight, 11);
    quota_done(table, &early, 6);
    quota_done(table, &late, 5);
    assert_int_equal(now().taken, 11);
    assert_int_equal(now().reserved_in_flight, 0);
}

/* After 8192 of them: an old bucket is still old. */
static void slice_numbers_start_again(void **state)
{
    met__quota_ticket early;
    met__quota_ticket late;

    prepare(quota_period_of(1, 100));
    assert_int_equal(quota_ask(table, key, 1, 3, 8189 * SLICE, &early), 1);
    assert_int_equal(quota_ask(table, key, 1, 5, 8191 * SLICE, &late), 1);
    assert_int_equal(quota_ask(table, key, 1, 7, 8192 * SLICE, &early), 1);
    assert_int_equal(now().reserved_in_flight, 12);
    assert_int_equal(quota_ask(table, key, 1, 1, 8193 * SLICE, &early), 1);
    assert_int_equal(now().reserved_in_flight, 8);
    assert_int_equal(now().taken, 8);
    /* From a bucket of 56 days ago too, though its number looks close. */
    assert_int_equal(quota_ask(table, key, 1, 1, 16387 * SLICE, &early), 1);
    assert_int_equal(now().taken, 1);
}

static void rolls_over(void **state)
{
    met__quota_ticket old;
    met__quota_ticket ticket;
    met__quota_state answer;

    for (uint64_t number = 1; number < 40; number++) {
        met__quota_period period = quota_period_of(number, 10);
        prepare(period);
        assert_int_equal(quota_state_of(table, key, number).left, 10);
        assert_int_equal(quota_ask(table, key, number, 6, 0, &ticket), 1);
        if (number > 2) {
            period.number = number - 2;
            assert_int_equal(met__quota_prepare(table, key, &period),
                             MET_E_CONFLICT);
            assert_int_equal(met__quota_admit(table, key, number - 2, 1, 0, 0,
                                              &old, &answer),
                             MET_E_NOT_FOUND);
            assert_int_equal(quota_set_limit(table, key, number - 2, 1),
                             MET_E_NOT_FOUND);
        }
        if (number > 1) { /* the one before lives on beside it */
            assert_int_equal(quota_state_of(table, key, number - 1).taken, 6);
        }
    }
    /* A request that outlives its period's place touches nothing. */
    old = ticket; /* of 39 */
    prepare(quota_period_of(57, 10));
    assert_int_equal(quota_ask(table, key, 57, 6, 0, &ticket), 1);
    met__quota_ticket copy = old;
    quota_done(table, &copy, 9);
    copy = old;
    assert_int_equal(met__quota_release(table, &copy), MET_OK);
    assert_int_equal(copy.place, 0);
    copy = ticket;
    assert_int_equal(met__quota_complete_begin(table, &copy, 1), MET_OK);
    prepare(quota_period_of(UINT64_C(1) << 59 | 1, 10));
    assert_int_equal(met__quota_complete_end(table, &copy), MET_OK);
    assert_int_equal(
        quota_state_of(table, key, UINT64_C(1) << 59 | 1).taken, 0);
}

/* A plain model with whole numbers, beside random calls. */
static void agrees_with_a_plain_model(void **state)
{
    enum { OPEN = 12 };
    struct {
        met__quota_ticket ticket;
        int64_t cost;
    } open[OPEN] = {0};
    uint64_t seed = 31337;
    int64_t limit = 50;
    int64_t used = 0;
    int64_t held = 0;
    int refused = 0;

    prepare(quota_period_of(1, limit));
    for (int i = 0; i < 200000; i++) {
        uint64_t dice = quota_random(&seed);
        size_t k = dice >> 8 & 0xff;
        k %= OPEN;
        int64_t amount = (int64_t)(dice >> 16 & 0xffff) % 9;
        if (dice % 64 == 0) {
            limit = amount - 4;
            assert_int_equal(quota_set_limit(table, key, 1, limit), MET_OK);
        } else if (dice % 64 == 1) {
            limit = used + 30 + amount;
            assert_int_equal(quota_set_limit(table, key, 1, limit), MET_OK);
        } else if (open[k].ticket.place == 0) {
            int64_t left = limit - used - held;
            uint32_t expected = left > 0 && amount <= left;
            assert_int_equal(quota_ask(table, key, 1, amount,
                                       i / 50 * (SLICE / 1000),
                                       &open[k].ticket),
                             expected);
            refused += !expected;
            open[k].cost = amount;
            held += expected ? amount : 0;
        } else if (dice % 2 == 0) {
            quota_done(table, &open[k].ticket, amount);
            held -= open[k].cost;
            used += amount;
        } else {
            assert_int_equal(met__quota_release(table, &open[k].ticket),
                             MET_OK);
            held -= open[k].cost;
        }
        met__quota_state there = now();
        assert_int_equal(there.taken, used + held);
        assert_int_equal(there.reserved_in_flight, held);
        assert_int_equal(there.is_over, used + held > limit);
    }
    assert_true(refused > 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(gives_the_last_unit_once),
        TEST(settles_the_true_cost),
        TEST(overwrites_the_limit),
        TEST(never_refuses_a_soft_limit),
        TEST(keeps_amounts_in_bounds),
        TEST(fills_a_bucket_to_its_bound),
        TEST(gives_back_what_the_dead_reserved),
        TEST(clocks_may_differ),
        TEST(slice_numbers_start_again),
        TEST(rolls_over),
        TEST(agrees_with_a_plain_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
