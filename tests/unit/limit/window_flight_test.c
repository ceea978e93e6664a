/* Requests in flight: against a list of what is held, with its leases; the
 * wait at its nanosecond; releases in any order, late ones, and those of
 * records that were frozen; late clocks; any bits in a record. */
#define CAPACITY 256
#include "limit_fixture.h"

#define FLIGHT MET_LIMITER_IN_FLIGHT
#define UNITS 4096

typedef struct unit {
    met_limiter_ticket ticket;
    uint64_t end; /* of its lease */
    uint64_t cost;
} unit;

static unit units[UNITS];
static size_t unit_count;

static uint32_t release(met_limiter_ticket *ticket)
{
    uint32_t withheld = UINT32_MAX;

    assert_int_equal(met_limiter_release(limiter, ticket, &withheld), MET_OK);
    return withheld;
}

static void shapes(void **state)
{
    static const uint64_t limits[] = {1, 2, 3, 1000, 1048575, 1048576};
    met__shape shape;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        assert_int_equal(met__window_shape(&shape, limits[i], SECOND, FLIGHT),
                         MET_OK);
        assert_ptr_equal(shape.ops, &met__window_flight);
        assert_true(limits[i] < UINT64_C(1) << shape.count_bits);
        assert_true(2 * shape.count_bits + 20 <= MET__HEAD_BITS);
    }
}

/* --- Against the list ----------------------------------------------------- */
static uint64_t held(uint64_t now)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < unit_count; i++) {
        sum += units[i].end > now ? units[i].cost : 0;
    }
    return sum;
}

/* The first moment at which no more than room is held, if nobody releases. */
static uint64_t until_room(uint64_t now, uint64_t room)
{
    uint64_t best = UINT64_MAX;

    if (held(now) <= room) {
        return 0;
    }
    for (size_t i = 0; i < unit_count; i++) {
        uint64_t end = units[i].end;
        if (end > now && held(end) <= room && end - now < best) {
            best = end - now;
        }
    }
    return best;
}

static void give_up_some(uint64_t now)
{
    while (unit_count > 0 && random_below(3) != 0) {
        size_t at = random_below(unit_count);
        int is_over = units[at].end <= now;
        /* Leases that are over were forgotten, or are, when somebody comes. */
        uint32_t withheld = release(&units[at].ticket);
        assert_true(is_over || withheld == 0);
        assert_int_equal(release(&units[at].ticket), 0);
        units[at] = units[--unit_count];
    }
}

static void keeps_the_list(void **state)
{
    static const uint64_t limits[] = {1, 2, 7, 40};
    int refused = 0;
    int waits = 0;

    for (size_t n = 0; n < sizeof limits / sizeof limits[0]; n++) {
        uint64_t limit = limits[n];
        char name[16];
        snprintf(name, sizeof name, "p%zu", n);
        uint32_t policy = one_window(limiter, name, limit, MINUTE, FLIGHT);
        uint64_t now = 100 * (uint64_t)HOUR;
        unit_count = 0;
        for (int i = 0; i < 6000; i++) {
            uint64_t cost = 1 + random_below(limit < 3 ? limit : 3);
            now += random_below(20) == 0 ? random_below(3 * MINUTE)
                                         : random_below(5 * SECOND);
            uint64_t before = held(now);
            met_limiter_result peek = peek_cost(limiter, policy, "a",
                                                (int64_t)now, cost);
            assert_int_equal(peek.windows[0].remaining, limit - before);
            assert_int_equal(peek.wait_ns, until_room(now, limit - cost));
            waits += peek.wait_ns > 0;
            assert_int_equal(peek.windows[0].reset_ns,
                             before ? until_room(now, before - 1) : 0);
            met_limiter_result result = check_cost(limiter, policy, "a",
                                                   (int64_t)now, cost);
            assert_int_equal(result.is_allowed, before + cost <= limit);
            if (result.is_allowed && unit_count < UNITS) {
                units[unit_count++] = (unit){
                    result.ticket, (now / MINUTE + 2) * MINUTE, cost};
            }
            refused += !result.is_allowed;
            give_up_some(now);
        }
    }
    assert_true(refused > 500);
    assert_true(waits > 500);
}

/* --- Tickets -------------------------------------------------------------- */
static void a_release_leaves_other_windows(void **state)
{
    window_spec specs[] = {{2, MINUTE, FLIGHT},
                           {5, HOUR, MET_LIMITER_SLIDING}};
    uint32_t policy = set_policy(limiter, "p", 0, specs, 2);
    met_limiter_result one = check(limiter, policy, "a", HOUR);
    met_limiter_result two = check(limiter, policy, "a", HOUR);

    met_limiter_result full = check(limiter, policy, "a", HOUR);
    assert_int_equal(full.is_allowed, 0);
    assert_int_equal(full.refused, 1);
    assert_int_equal(full.windows[1].remaining, 3);
    assert_int_equal(release(&one.ticket), 0); /* the older one first */
    met_limiter_result again = check(limiter, policy, "a", HOUR + 1);
    assert_int_equal(again.is_allowed, 1);
    assert_int_equal(again.windows[1].remaining, 2);
    /* Never served at all: all windows get it back. */
    assert_int_equal(refund(limiter, &again.ticket, 0), 0);
    assert_int_equal(release(&again.ticket), 0);
    met_limiter_result left = peek_cost(limiter, policy, "a", HOUR + 1, 1);
    assert_int_equal(left.windows[0].remaining, 1);
    assert_int_equal(left.windows[1].remaining, 3);
    /* Released, then refunded: only the other window is left to give. */
    assert_int_equal(release(&two.ticket), 0);
    assert_int_equal(refund(limiter, &two.ticket, 0), 0);
    left = peek_cost(limiter, policy, "a", HOUR + 1, 1);
    assert_int_equal(left.windows[0].remaining, 2);
    assert_int_equal(left.windows[1].remaining, 4);
}

/* A limit that changes while requests are in flight: they weigh in the new
 * one until they are released. */
static void changed_limits_see_releases(void **state)
{
    uint32_t policy = one_window(limiter, "p", 3, MINUTE, FLIGHT);
    met_limiter_result held_ones[3];

    for (int i = 0; i < 3; i++) {
        held_ones[i] = check(limiter, policy, "a", HOUR);
        assert_int_equal(held_ones[i].is_allowed, 1);
    }
    assert_int_equal(one_window(limiter, "p", 2, MINUTE, FLIGHT), policy);
    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 0);
    assert_int_equal(release(&held_ones[1].ticket), 0);
    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 0);
    assert_int_equal(release(&held_ones[0].ticket), 0);
    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 1);
    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 0);
}

static void leases_that_are_over_are_told(void **state)
{
    uint32_t policy = one_window(limiter, "p", 1, MINUTE, FLIGHT);
    met_limiter_result gone = check(limiter, policy, "a", HOUR);

    assert_int_equal(check(limiter, policy, "a", HOUR + MINUTE).is_allowed,
                     0);
    met_limiter_result heir = check(limiter, policy, "a", HOUR + 2 * MINUTE);
    assert_int_equal(heir.is_allowed, 1);
    assert_int_equal(release(&gone.ticket), 1);
    assert_int_equal(check(limiter, policy, "a", HOUR + 2 * MINUTE)
                         .is_allowed, 0);
    assert_int_equal(release(&heir.ticket), 0);
}

static void cannot_be_charged(void **state)
{
    uint32_t policy = one_window(limiter, "p", 3, MINUTE, FLIGHT);
    met_limiter_request request = request_for(policy, "a", HOUR);
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_window window = {.limit = 3, .window_ns = MINUTE,
                                 .algorithm = FLIGHT};
    met_limiter_policy denied = {.struct_size = sizeof denied, .name = "d",
                                 .name_size = 1, .windows = &window,
                                 .window_count = 1,
                                 .flags = MET_LIMITER_COUNT_DENIED};
    uint32_t number;
    uint32_t withheld;

    assert_int_equal(met_limiter_charge(limiter, &request, &result),
                     MET_E_UNSUPPORTED);
    assert_int_equal(peek_cost(limiter, policy, "a", HOUR, 3).is_allowed, 1);
    assert_int_equal(met_limiter_policy_set(limiter, &denied, &number, NULL),
                     MET_E_UNSUPPORTED);
    assert_int_equal(met_limiter_release(NULL, &result.ticket, &withheld),
                     MET_E_INVALID);
    assert_int_equal(met_limiter_release(limiter, NULL, &withheld),
                     MET_E_INVALID);
    assert_int_equal(met_limiter_release(limiter, &result.ticket, NULL),
                     MET_E_INVALID);
}

/* --- Clocks and bits ------------------------------------------------------ */
static void late_clocks_hold_no_more(void **state)
{
    uint32_t policy = one_window(limiter, "p", 2, MINUTE, FLIGHT);
    int64_t now = 100 * HOUR + 7;

    met_limiter_result one = check(limiter, policy, "a", now);
    assert_int_equal(check(limiter, policy, "a", now).is_allowed, 1);
    for (int64_t back = 1; back < 50 * HOUR; back *= 5) {
        met_limiter_result result = check(limiter, policy, "a", now - back);
        assert_int_equal(result.is_allowed, 0);
        assert_true(result.wait_ns > 0);
        assert_int_equal(peek_cost(limiter, policy, "a",
                                   now - back + result.wait_ns, 1)
                             .is_allowed, 1);
    }
    /* A unit taken by a late clock belongs to the period it is counted in. */
    assert_int_equal(release(&one.ticket), 0);
    met_limiter_result late = check(limiter, policy, "a", now - HOUR);
    assert_int_equal(late.is_allowed, 1);
    assert_int_equal(release(&late.ticket), 0);
}

static void any_bits_are_harmless(void **state)
{
    for (int i = 0; i < 20000; i++) {
        met__shape shape;
        met__record record = {0};
        met__window_mark mark = {0};
        met__window_ask ask = {.time = {next_random() >> 1, 0}, .cost = 1};
        assert_int_equal(met__window_shape(&shape, 1 + random_below(1048576),
                                           1000000 + random_below(HOUR),
                                           FLIGHT), MET_OK);
        record.head = next_random() & ~(MET__HEAD_FROZEN | MET__HEAD_CLOSED);
        met__snapshot copy = {.head = record.head};
        uint64_t used = shape.ops->used(&copy, &shape, &ask.time);
        int result = shape.ops->take(&record, &shape, &ask, &mark);
        assert_int_equal(result, used + 1 <= shape.limit ? MET__TAKE_DONE
                                                         : MET__TAKE_REFUSED);
        (void)shape.ops->wait(&copy, &shape, &ask.time, shape.limit - 1);
        if (result == MET__TAKE_DONE) {
            assert_int_equal(give_back(&record, &shape, mark.stamp, 1),
                             1);
            copy.head = record.head;
            assert_int_equal(shape.ops->used(&copy, &shape, &ask.time), used);
        }
        (void)give_back(&record, &shape, next_random(), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shapes),
        TEST(keeps_the_list),
        TEST(a_release_leaves_other_windows),
        TEST(changed_limits_see_releases),
        TEST(leases_that_are_over_are_told),
        TEST(cannot_be_charged),
        TEST(late_clocks_hold_no_more),
        TEST(any_bits_are_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
