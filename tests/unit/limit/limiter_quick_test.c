/* The short way of a decision says and counts the same as the long way. A
 * policy that was set before with other limits has predecessors without
 * records: they weigh nothing, but only the long way serves them. */
#include "limit_support.h"

#include "limit/limiter_quick.h"

#define CAPACITY 1024
#define KEYS 8

static void *memories[2];
static met_limiter *limiters[2]; /* short, long */

static int setup(void **state)
{
    for (int i = 0; i < 2; i++) {
        memories[i] = shared_memory(TABLE_BYTES(CAPACITY));
        limiters[i] = open_memory(memories[i], TABLE_BYTES(CAPACITY),
                                  CAPACITY, 0);
    }
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < 2; i++) {
        met_limiter_close(limiters[i]);
        munmap(memories[i], TABLE_BYTES(CAPACITY));
    }
    return 0;
}

/* The policy in both tables; in the second one it has predecessors. */
static uint32_t set_both(const char *name, const window_spec *specs,
                         size_t count)
{
    window_spec before[MET_LIMITER_WINDOWS_MAX];
    uint32_t number;

    for (size_t i = 0; i < count; i++) {
        before[i] = specs[i];
        before[i].limit = specs[i].limit == 1 ? 2 : specs[i].limit - 1;
    }
    set_policy(limiters[1], name, 0, before, count);
    number = set_policy(limiters[0], name, 0, specs, count);
    assert_int_equal(set_policy(limiters[1], name, 0, specs, count), number);
    return number;
}

/* Whether this request would take the short way. It counts when it does. */
static int is_quick(met_limiter *limiter, const met_limiter_request *request)
{
    met_limiter_result result = {.struct_size = sizeof result};
    met__quick q;
    uint64_t version;

    met__quick_start(&q, limiter, request);
    return met__quick_find(&q, &version) && met__quick_look(&q, 1)
           && met__quick_decide(&q, &result);
}

static void check_both(const met_limiter_request *request)
{
    met_limiter_result results[2];

    for (int i = 0; i < 2; i++) {
        memset(&results[i], 0x5a, sizeof results[i]);
        results[i].struct_size = sizeof results[i];
        assert_int_equal(met_limiter_check(limiters[i], request, &results[i]),
                         MET_OK);
        /* Stamps are alike; births and the key's bits are the tables' own. */
        for (size_t word = MET_LIMITER_WINDOWS_MAX; word < 12; word++) {
            results[i].ticket.private_[word] = 0;
        }
    }
    assert_memory_equal(&results[0], &results[1],
                        offsetof(met_limiter_result, windows)
                            + results[0].window_count
                                  * sizeof results[0].windows[0]);
    assert_memory_equal(&results[0].ticket, &results[1].ticket,
                        sizeof results[0].ticket);
}

static void compare(const char *name, const window_spec *specs, size_t count,
                    int rounds)
{
    uint32_t policy = set_both(name, specs, count);
    uint64_t now = (uint64_t)EPOCH;

    for (int i = 0; i < rounds; i++) {
        char key[2] = {(char)('a' + random_below(KEYS)), 0};
        now = next_arrival((int)random_below(ARRIVE_KINDS), now,
                           (uint64_t)specs[0].window_ns,
                           specs[0].limit * KEYS, 1000000);
        met_limiter_request request = request_for(policy, key, (int64_t)now);
        request.cost = random_below(6) == 0 ? random_below(4) : 0;
        request.flags = random_below(2) ? MET_LIMITER_BRIEF : 0;
        check_both(&request);
    }
}

static void says_the_same(void **state)
{
    static const window_spec one[][1] = {
        {{1, SECOND, MET_LIMITER_SLIDING}},
        {{12, MINUTE, MET_LIMITER_SLIDING}},
        {{13, MINUTE, MET_LIMITER_SLIDING}},
        {{24, HOUR, MET_LIMITER_SLIDING}},
        {{25, SECOND, MET_LIMITER_SLIDING}},
        {{1000, MINUTE, MET_LIMITER_SLIDING}},
        {{100, MINUTE, MET_LIMITER_SLIDING_COUNTER}},
        {{10, MINUTE, MET_LIMITER_GCRA}},
        {{10, MINUTE, MET_LIMITER_FIXED_EPOCH}},
        {{10, MINUTE, MET_LIMITER_CALENDAR_UTC}}};
    char name[16];

    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++) {
        snprintf(name, sizeof name, "one %zu", i);
        compare(name, one[i], 1, 3000);
    }
}

static void says_the_same_of_several_windows(void **state)
{
    static const window_spec two[] = {
        {5, MINUTE, MET_LIMITER_SLIDING},
        {20, HOUR, MET_LIMITER_SLIDING_COUNTER}};
    static const window_spec six[] = {
        {4, SECOND, MET_LIMITER_FIXED_EPOCH},
        {6, 2 * SECOND, MET_LIMITER_SLIDING},
        {12, 5 * SECOND, MET_LIMITER_GCRA},
        {40, MINUTE, MET_LIMITER_SLIDING_COUNTER},
        {100, HOUR, MET_LIMITER_SLIDING},
        {300, 86400 * SECOND, MET_LIMITER_CALENDAR_UTC}};

    compare("two", two, 2, 8000);
    compare("six", six, 6, 8000);
}

/* For those who want no more: the times of the window that is reported, and all
 * that a refusal says. */
static void tells_the_times_of_one(void **state)
{
    static const window_spec specs[] = {
        {5, MINUTE, MET_LIMITER_SLIDING},
        {20, HOUR, MET_LIMITER_SLIDING_COUNTER}};
    uint32_t policy = set_both("one", specs, 2);
    uint32_t reported = 0; /* a bit for each window that was */
    int silent = 0;

    for (int i = 0; i < 400; i++) {
        met_limiter_request request =
            request_for(policy, "a", HOUR + i * 13 * SECOND);
        met_limiter_result told = {.struct_size = sizeof told};
        met_limiter_result all = told;
        assert_int_equal(met__limiter_check(limiters[1], &request, &all),
                         MET_OK);
        request.flags = MET__LIMITER_REPORTED;
        assert_int_equal(met__limiter_check(limiters[0], &request, &told),
                         MET_OK);
        met_limiter_window_result *other = &all.windows[1 - all.reported];
        const met_limiter_window_result *same =
            &told.windows[1 - all.reported];
        silent += same->reset_ns != other->reset_ns;
        if (told.is_allowed) {
            other->reset_ns = same->reset_ns;
            other->wait_ns = same->wait_ns;
        }
        assert_memory_equal(&told, &all,
                            offsetof(met_limiter_result, windows)
                                + 2 * sizeof all.windows[0]);
        reported |= 1u << all.reported;
    }
    assert_int_equal(reported, 3);
    assert_true(silent > 10);
}

/* --- Keys that come again ------------------------------------------------- */
/* One request: of a key that is known in the first table, of any in the second,
 * whose windows say all they know. */
static void check_known(met_limiter_request request, met__limiter_key *known,
                        met_limiter_result results[2])
{
    met__limiter_room room;

    request.flags = MET__LIMITER_REPORTED;
    if (random_below(2) == 0
        && met__limiter_has_room(limiters[0], &request, known, &room)) {
        assert_int_equal(met__limiter_check_room(&room, &request,
                                                 &results[0]),
                         MET_OK);
    } else {
        assert_int_equal(met__limiter_check_key(limiters[0], &request, known,
                                                &results[0]),
                         MET_OK);
    }
    request.flags = 0;
    assert_int_equal(met__limiter_check(limiters[1], &request, &results[1]),
                     MET_OK);
    assert_int_equal(results[0].is_allowed, results[1].is_allowed);
    assert_int_equal(results[0].reported, results[1].reported);
    assert_int_equal(results[0].wait_ns, results[1].wait_ns);
    assert_int_equal(results[0].window_count, results[1].window_count);
    for (uint32_t i = 0; i < results[0].window_count; i++) {
        const met_limiter_window_result *mine = &results[0].windows[i];
        const met_limiter_window_result *its = &results[1].windows[i];
        assert_int_equal(mine->limit, its->limit);
        assert_int_equal(mine->remaining, its->remaining);
        if (i == results[0].reported) {
            assert_int_equal(mine->reset_ns, its->reset_ns);
            assert_int_equal(mine->wait_ns, its->wait_ns);
        }
    }
}

/* What else may happen to the key. */
static void disturb(met_limiter_request request,
                    met_limiter_result results[2])
{
    uint64_t what = random_below(60);
    uint32_t withheld[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        met_limiter_result result = {.struct_size = sizeof result};
        if (what < 6 && results[i].is_allowed) {
            assert_int_equal(met__limiter_refund(limiters[i],
                                                 &results[i].ticket, 0,
                                                 &withheld[i]),
                             MET_OK);
        } else if (what == 6) {
            assert_int_equal(met__limiter_reset(limiters[i], &request),
                             MET_OK);
        } else if (what == 7) {
            request.cost = 40;
            assert_int_equal(met__limiter_charge(limiters[i], &request,
                                                 &result),
                             MET_OK);
        }
    }
    assert_int_equal(withheld[0], withheld[1]);
}

static void a_known_key_says_the_same(void **state)
{
    static const char *const names[] = {"tape", "log"};
    static const window_spec specs[][2] = {
        {{1000, MINUTE, MET_LIMITER_SLIDING},
         {40000, HOUR, MET_LIMITER_SLIDING}},
        {{10, MINUTE, MET_LIMITER_SLIDING}, {12, HOUR, MET_LIMITER_GCRA}}};
    static const window_spec changed[] = {
        {700, MINUTE, MET_LIMITER_SLIDING}};
    enum { STEPS = 60000 };
    met__limiter_key known[2][KEYS];
    met_limiter_result results[2] = {{.struct_size = sizeof *results},
                                     {.struct_size = sizeof *results}};
    uint32_t policies[2];
    uint64_t now = (uint64_t)EPOCH;

    for (int i = 0; i < 4; i++) {
        policies[i / 2] = set_policy(limiters[i % 2], names[i / 2], 0,
                                     specs[i / 2], 2);
    }
    for (int step = 0; step < STEPS; step++) {
        if (step == STEPS - 2000) { /* another version of the policy */
            set_policy(limiters[0], "tape", 0, changed, 1);
            set_policy(limiters[1], "tape", 0, changed, 1);
        }
        uint64_t of = random_below(8) == 0;
        uint64_t which = (uint64_t)step < 2 * KEYS ? (uint64_t)step % KEYS
                                                   : random_below(KEYS);
        of = step < 2 * KEYS ? (uint64_t)step / KEYS : of;
        char key[2] = {(char)('a' + which), 0};
        met_limiter_request request =
            request_for(policies[of], key, (int64_t)now);
        if (step < 2 * KEYS || random_below(200) == 0) {
            met__limiter_key_of(limiters[0], &request, &known[of][which]);
        }
        check_known(request, &known[of][which], results);
        disturb(request, results);
        now += random_below(3) == 0 ? random_below(400000000) : 1000;
        now += random_below(500) == 0 ? (uint64_t)MINUTE : 0;
    }
}

/* What the test above relies on, and what the short way leaves alone. */
static void is_taken_where_it_can(void **state)
{
    window_spec spec = {3, MINUTE, MET_LIMITER_SLIDING};
    uint32_t policy = set_both("taken", &spec, 1);
    met_limiter_request request = request_for(policy, "a", HOUR);

    assert_false(is_quick(limiters[0], &request)); /* no record yet */
    for (int i = 0; i < 2; i++) {
        assert_true(check(limiters[i], policy, "a", HOUR).is_allowed);
    }
    assert_true(is_quick(limiters[0], &request));
    assert_false(is_quick(limiters[1], &request)); /* predecessors */
    request.cost = 4;
    assert_false(is_quick(limiters[0], &request)); /* never */
    request.cost = 1;
    assert_true(is_quick(limiters[0], &request));
    assert_true(is_quick(limiters[0], &request)); /* refused */
    assert_false(check(limiters[0], policy, "a", HOUR).is_allowed);
    request.policy = policy + 1;
    assert_false(is_quick(limiters[0], &request));
    request.policy = MET_LIMITER_POLICIES_MAX;
    assert_false(is_quick(limiters[0], &request));
    policy = set_policy(limiters[0], "denied", MET_LIMITER_COUNT_DENIED,
                        &spec, 1);
    request.policy = policy;
    assert_true(check(limiters[0], policy, "a", HOUR).is_allowed);
    assert_false(is_quick(limiters[0], &request));
}

/* A record that was frozen or given away under the short way's feet: nothing
 * stays counted, the long way decides. */
static void gives_back_what_it_counted(void **state)
{
    window_spec specs[] = {{5, MINUTE, MET_LIMITER_SLIDING},
                           {9, HOUR, MET_LIMITER_SLIDING}};
    uint32_t policy = set_policy(limiters[0], "back", 0, specs, 2);
    met_limiter_request request = request_for(policy, "a", HOUR);
    met__record *hour = NULL;

    assert_true(check(limiters[0], policy, "a", HOUR).is_allowed);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        met__record *record = &limiters[0]->table.records[i];
        met__shape spare;
        if (record->name != 0
            && met__shape_get(&limiters[0]->table,
                              (uint32_t)(record->name & 0xff), &spare)
                       ->limit == 9) {
            hour = record;
        }
    }
    assert_non_null(hour);
    hour->head |= MET__HEAD_FROZEN;
    assert_false(is_quick(limiters[0], &request));
    hour->head &= ~MET__HEAD_FROZEN;
    met_limiter_result result = peek_cost(limiters[0], policy, "a", HOUR, 1);
    assert_int_equal(result.windows[0].remaining, 4);
    assert_int_equal(result.windows[1].remaining, 8);
}

/* However often it is asked, by whatever algorithm: no word changes. */
static void a_refusal_writes_nothing(void **state)
{
    static const uint32_t algorithms[] = {
        MET_LIMITER_SLIDING, MET_LIMITER_SLIDING_COUNTER,
        MET_LIMITER_FIXED_EPOCH, MET_LIMITER_GCRA};
    static const uint64_t limits[] = {3, 20, 100};
    size_t size = TABLE_BYTES(CAPACITY);
    void *before = malloc(size);
    char name[32];

    assert_non_null(before);
    for (size_t i = 0; i < 12; i++) {
        uint64_t limit = limits[i / 4];
        snprintf(name, sizeof name, "full %zu", i);
        uint32_t policy = one_window(limiters[0], name, limit, MINUTE,
                                     algorithms[i % 4]);
        check_cost(limiters[0], policy, "a", EPOCH, limit - 1);
        check(limiters[0], policy, "a", EPOCH + SECOND);
        memcpy(before, memories[0], size);
        for (int asked = 0; asked < 10; asked++) {
            assert_false(check_cost(limiters[0], policy, "a",
                                    EPOCH + SECOND + asked, limit)
                             .is_allowed);
        }
        assert_memory_equal(before, memories[0], size);
    }
    free(before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_the_same),
        TEST(says_the_same_of_several_windows),
        TEST(tells_the_times_of_one),
        TEST(a_known_key_says_the_same),
        TEST(is_taken_where_it_can),
        TEST(gives_back_what_it_counted),
        TEST(a_refusal_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
