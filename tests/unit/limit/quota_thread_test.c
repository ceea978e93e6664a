/* Threads on one cell: admits, completes, releases, overwritten limits, new
 * periods and cells being made, all at once. Run under the thread sanitizer
 * too. */
#include "quota_support.h"

#include <pthread.h>
#include <sched.h>

#define THREADS 4
#define ROUNDS 60000
#define PERIODS 6
#define GRANTED 20000
#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define ADD(word, value) __atomic_fetch_add(&(word), value, __ATOMIC_ACQ_REL)

static met__quota_table *table;
static pthread_barrier_t start;
static int64_t used[PERIODS + 1];
static uint64_t admitted;
static uint64_t refused;
static int failures; /* cmocka's assertions are not for threads */

#define CHECK(condition) ADD(failures, (condition) ? 0 : 1)

static void request(uint64_t *seed, uint64_t number, met__hash128 key)
{
    met__quota_period period = quota_period_of(number, GRANTED);
    met__quota_ticket ticket;
    met__quota_state state;
    int64_t cost = 1 + (int64_t)(quota_random(seed) % 3);
    int64_t true_cost = (int64_t)(quota_random(seed) >> 8) % (cost + 1);
    met_error error;

    while ((error = met__quota_admit(table, key, number, cost, 0, 0, &ticket,
                                     &state))
           == MET_E_NOT_FOUND) {
        error = met__quota_prepare(table, key, &period);
        if (error == MET_E_CONFLICT) {
            return;
        }
        CHECK(error == MET_OK);
    }
    CHECK(error == MET_OK);
    if (!state.is_allowed) {
        ADD(refused, 1);
        return;
    }
    ADD(admitted, 1);
    if (*seed % 8 == 0) {
        CHECK(met__quota_release(table, &ticket) == MET_OK);
        return;
    }
    CHECK(met__quota_complete_begin(table, &ticket, true_cost) == MET_OK);
    ADD(used[number], true_cost);
    CHECK(met__quota_complete_end(table, &ticket) == MET_OK);
}

static void *work(void *argument)
{
    uint64_t me = *(uint64_t *)argument;
    uint64_t seed = 1000 + me;
    met__quota_state state;

    pthread_barrier_wait(&start);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t number = 1 + i * PERIODS / ROUNDS;
        met__hash128 key = quota_key_of(number * 2 + i % 2);

        request(&seed, number, quota_key_of(0));
        if (i % 16 == me) {
            CHECK(met__quota_prepare(
                      table, key, &(met__quota_period){.number = number})
                  == MET_OK);
            met__quota_read(table, quota_key_of(0), number, &state);
            /* The same all the time: only the race is of interest. */
            quota_set_limit(table, quota_key_of(0), number, GRANTED);
        }
    }
    return NULL;
}

static void threads_share_a_cell(void **state)
{
    char home[64];
    met__platform platform;
    pthread_t threads[THREADS];
    uint64_t numbers[THREADS];
    uint32_t is_empty;

    temp_directory(home, sizeof home);
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    assert_int_equal(met__quota_open(&platform, temp_path(home, "quota.map"),
                                     quota_store, 16, &table, &is_empty,
                                     NULL),
                     MET_OK);
    pthread_barrier_init(&start, NULL, THREADS);
    for (uint64_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(failures, 0);
    assert_true(admitted > 0);
    assert_true(refused > 0);
    for (uint64_t number = 1; number <= PERIODS; number++) {
        assert_true(used[number] <= GRANTED);
    }
    for (uint64_t number = PERIODS - 1; number <= PERIODS; number++) {
        met__quota_state there =
            quota_state_of(table, quota_key_of(0), number);
        assert_int_equal(there.taken, used[number]);
        assert_int_equal(there.reserved_in_flight, 0);
        assert_int_equal(there.limit, GRANTED);
        /* One cell per key, whoever made it. */
        for (uint64_t k = 0; k < 2; k++) {
            quota_state_of(table, quota_key_of(number * 2 + k), number);
        }
    }
    pthread_barrier_destroy(&start);
    met__quota_close(table);
    temp_remove(home);
}

/* --- What is left over ---------------------------------------------------- */
#define ROLLS 300
#define POOL 200000

static uint64_t current; /* the period of everybody's clock; 0: all is over */
static int64_t given;    /* to requests, of all periods */
static uint64_t asked;   /* requests answered, of all periods */

/* Until the last period has gone: one unit after the other, some given back. */
static void *take_units(void *argument)
{
    uint64_t seed = 77 + *(uint64_t *)argument;
    uint64_t number;

    pthread_barrier_wait(&start);
    while ((number = LOAD(current)) != 0) {
        met__quota_ticket ticket;
        met__quota_state state;
        met_error error = met__quota_admit(table, quota_key_of(1), number, 1,
                                           0, 0, &ticket, &state);
        CHECK(error == MET_OK || error == MET_E_NOT_FOUND);
        ADD(asked, 1);
        if (error != MET_OK || !state.is_allowed) {
            ADD(refused, 1);
            continue;
        }
        if (quota_random(&seed) % 4 == 0) {
            CHECK(met__quota_release(table, &ticket) == MET_OK);
            continue;
        }
        CHECK(met__quota_complete_begin(table, &ticket, 1) == MET_OK);
        ADD(given, 1);
        CHECK(met__quota_complete_end(table, &ticket) == MET_OK);
    }
    return NULL;
}

/* One who settles: a period ends, what it has left is granted in the next,
 * while grants come and go in between. */
static void *roll_over(void *argument)
{
    int64_t left = POOL;

    (void)argument;
    pthread_barrier_wait(&start);
    for (uint64_t number = 1; number < ROLLS; number++) {
        met__quota_period period = quota_period_of(number, left);
        uint64_t asked_before = LOAD(asked);
        int64_t taken = 0;
        /* However few cores there are, every period is asked of. */
        while (LOAD(asked) == asked_before) {
            sched_yield();
        }
        for (int i = 0; i < 20; i++) {
            period.limit = i % 2 == 0 ? left / 2 : left;
            CHECK(met__quota_prepare(table, quota_key_of(1), &period)
                  == MET_OK);
        }
        CHECK(met__quota_seal(table, quota_key_of(1), number, 0, &taken)
              == MET_OK);
        CHECK(taken <= left);
        left -= taken;
        period = quota_period_of(number + 1, left);
        CHECK(met__quota_prepare(table, quota_key_of(1), &period) == MET_OK);
        __atomic_store_n(&current, number + 1, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&current, 0, __ATOMIC_RELEASE);
    return NULL;
}

static void what_is_left_over_is_given_once(void **state)
{
    char home[64];
    met__platform platform;
    pthread_t threads[THREADS];
    uint64_t numbers[THREADS];
    uint32_t is_empty;

    (void)state;
    temp_directory(home, sizeof home);
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    assert_int_equal(met__quota_open(&platform, temp_path(home, "quota.map"),
                                     quota_store, 16, &table, &is_empty,
                                     NULL),
                     MET_OK);
    met__quota_period first = quota_period_of(1, POOL);
    assert_int_equal(met__quota_prepare(table, quota_key_of(1), &first),
                     MET_OK);
    current = 1;
    pthread_barrier_init(&start, NULL, THREADS);
    for (uint64_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i == 0 ? roll_over : take_units,
                                        &numbers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(failures, 0);
    assert_true(given > 0);
    assert_true(given <= POOL);
    pthread_barrier_destroy(&start);
    met__quota_close(table);
    temp_remove(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_cell),
        cmocka_unit_test(what_is_left_over_is_given_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
