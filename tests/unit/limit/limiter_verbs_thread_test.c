/* Checks, charges, refunds and resets of one key by threads and by processes
 * that are killed: never more than what was made room for. */
#include "limit_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define CAPACITY 1024
#define ROUNDS 200
#define LIMIT 24

typedef struct shared_state {
    met_limiter *limiter;
    uint32_t policy;
    int limit;
    pthread_barrier_t barrier;
    uint64_t counted;  /* units that stay counted */
    uint64_t withheld; /* units that could not be given back */
    uint64_t resets;
} shared_state;

static void *memory;

static int setup(void **state)
{
    memory = shared_memory(TABLE_BYTES(CAPACITY));
    return 0;
}

static int teardown(void **state)
{
    munmap(memory, TABLE_BYTES(CAPACITY));
    return 0;
}

static void add(uint64_t *word, uint64_t value)
{
    __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

/* 1: admitted, its ticket in *result. */
static int ask(const shared_state *s, const char *key,
               met_limiter_result *result)
{
    met_limiter_request request = request_for(s->policy, key, HOUR);

    result->struct_size = sizeof *result;
    if (met_limiter_check(s->limiter, &request, result) != MET_OK) {
        abort();
    }
    return (int)result->is_allowed;
}

static void run_threads(shared_state *s, void *(*first)(void *),
                        void *(*others)(void *))
{
    pthread_t threads[THREADS];

    pthread_barrier_init(&s->barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i == 0 ? first : others, s), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&s->barrier);
}

static void *take_and_give_back(void *context)
{
    shared_state *s = context;
    char key[32];

    for (int round = 0; round < ROUNDS; round++) {
        snprintf(key, sizeof key, "round %d", round);
        pthread_barrier_wait(&s->barrier);
        for (int i = 0; i < 2 * s->limit; i++) {
            met_limiter_result result;
            if (!ask(s, key, &result)) {
                continue;
            }
            uint32_t kept = 1;
            if (i % 2 == 0
                && met_limiter_refund(s->limiter, &result.ticket, 0, &kept)
                       != MET_OK) {
                abort();
            }
            add(i % 2 == 0 && kept ? &s->withheld : &s->counted, kept);
        }
    }
    return NULL;
}

/* All hits have one moment, so that every one can be given back: in the end
 * exactly the limit is counted of every key. */
static void refunds_are_exact_at_one_moment(void **state)
{
    static const int limits[] = {LIMIT, 5, 100}; /* logs and a tape */

    for (int n = 0; n < 3; n++) {
        shared_state s = {.limiter = open_memory(memory,
                                                 TABLE_BYTES(CAPACITY),
                                                 CAPACITY, 0),
                          .limit = limits[n]};
        char name[16];
        snprintf(name, sizeof name, "p%d", n);
        s.policy = one_window(s.limiter, name, (uint64_t)s.limit, MINUTE,
                              MET_LIMITER_SLIDING);
        run_threads(&s, take_and_give_back, take_and_give_back);
        assert_int_equal(s.withheld, 0);
        assert_int_equal(s.counted, (uint64_t)ROUNDS * (uint64_t)s.limit);
        met_limiter_close(s.limiter);
    }
}

static void *take_all(void *context)
{
    shared_state *s = context;

    for (int i = 0; i < ROUNDS * LIMIT; i++) {
        met_limiter_result result;
        add(&s->counted, (uint64_t)ask(s, "key", &result));
    }
    return NULL;
}

static void *forget_all(void *context)
{
    shared_state *s = context;

    for (int i = 0; i < ROUNDS; i++) {
        met_limiter_request request = request_for(s->policy, "key", 0);
        if (met_limiter_reset(s->limiter, &request) != MET_OK) {
            abort();
        }
        s->resets++;
        sched_yield();
    }
    return NULL;
}

static void resets_make_room_for_the_limit(void **state)
{
    shared_state s = {.limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                             CAPACITY, 0)};

    s.policy = one_window(s.limiter, "p", LIMIT, MINUTE, MET_LIMITER_SLIDING);
    run_threads(&s, forget_all, take_all);
    assert_in_range(s.counted, LIMIT, (s.resets + 1) * LIMIT);
    met_limiter_close(s.limiter);
}

static void *charge_all(void *context)
{
    shared_state *s = context;

    for (int round = 0; round < ROUNDS; round++) {
        char key[32];
        snprintf(key, sizeof key, "round %d", round);
        pthread_barrier_wait(&s->barrier);
        met_limiter_request request = request_for(s->policy, key, HOUR);
        met_limiter_result result = {.struct_size = sizeof result};
        request.cost = 5;
        if (met_limiter_charge(s->limiter, &request, &result) != MET_OK) {
            abort();
        }
    }
    return NULL;
}

/* 4 charges of 5 at once: 20 of 24 are used, whoever came first. */
static void charges_are_not_lost(void **state)
{
    shared_state s = {.limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                             CAPACITY, 0)};
    window_spec specs[] = {{LIMIT, MINUTE, MET_LIMITER_SLIDING},
                           {100, HOUR, MET_LIMITER_SLIDING_COUNTER}};

    s.policy = set_policy(s.limiter, "p", 0, specs, 2);
    run_threads(&s, charge_all, charge_all);
    for (int round = 0; round < ROUNDS; round++) {
        char key[32];
        snprintf(key, sizeof key, "round %d", round);
        met_limiter_result result = peek_cost(s.limiter, s.policy, key, HOUR,
                                              1);
        assert_int_equal(result.windows[0].remaining, 4);
        assert_int_equal(result.windows[1].remaining, 80);
    }
    met_limiter_close(s.limiter);
}

static void *hold_and_release(void *context)
{
    shared_state *s = context;

    for (int i = 0; i < 4 * ROUNDS; i++) {
        met_limiter_result result;
        uint32_t withheld = 0;
        if (!ask(s, "key", &result)) {
            sched_yield();
            continue;
        }
        /* At most 2 at once, whoever they are. */
        if (__atomic_add_fetch(&s->counted, 1, __ATOMIC_ACQ_REL) > 2) {
            add(&s->withheld, 1);
        }
        __atomic_fetch_sub(&s->counted, 1, __ATOMIC_ACQ_REL);
        if (met_limiter_release(s->limiter, &result.ticket, &withheld)
                != MET_OK
            || withheld != 0) {
            abort();
        }
        add(&s->resets, 1);
    }
    return NULL;
}

static void no_more_are_in_flight(void **state)
{
    shared_state s = {.limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                             CAPACITY, 0)};

    s.policy = one_window(s.limiter, "p", 2, MINUTE, MET_LIMITER_IN_FLIGHT);
    run_threads(&s, hold_and_release, hold_and_release);
    assert_int_equal(s.withheld, 0);
    assert_true(s.resets > 4 * ROUNDS / 2);
    assert_int_equal(peek_cost(s.limiter, s.policy, "key", HOUR, 2)
                         .is_allowed, 1);
    met_limiter_close(s.limiter);
}

/* What killed holders had is there again when their leases are over. */
static void killed_holders_are_forgotten(void **state)
{
    shared_state s = {.limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                             CAPACITY, 0)};

    s.policy = one_window(s.limiter, "p", LIMIT, MINUTE,
                          MET_LIMITER_IN_FLIGHT);
    for (unsigned round = 0; round < 40; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        while (child == 0) {
            met_limiter_result result;
            uint32_t withheld;
            if (ask(&s, "key", &result) && next_random() % 8 != 0) {
                (void)!met_limiter_release(s.limiter, &result.ticket,
                                           &withheld);
            }
        }
        usleep(200 + round * 37 % 700);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        uint64_t left = peek_cost(s.limiter, s.policy, "key", HOUR, 1)
                            .windows[0].remaining;
        assert_in_range(left, 0, LIMIT);
        assert_int_equal(peek_cost(s.limiter, s.policy, "key", HOUR + MINUTE,
                                   1).windows[0].remaining, left);
        assert_int_equal(peek_cost(s.limiter, s.policy, "key",
                                   HOUR + 2 * MINUTE, 1)
                             .windows[0].remaining, LIMIT);
        if (round % 8 == 7) {
            reset_key(s.limiter, s.policy, "key");
        }
    }
    met_limiter_close(s.limiter);
}

/* A child that takes, gives back and forgets until it is killed. */
static void work_until_killed(shared_state *s, uint64_t *allowed,
                              uint64_t *forgotten)
{
    for (uint64_t i = 0;; i++) {
        met_limiter_result result;
        uint32_t withheld;
        add(allowed, 1); /* told before: never less than what is true */
        if (!ask(s, "key", &result)) {
            add(allowed, (uint64_t)-1);
        } else if (i % 3 == 0
                   && met_limiter_refund(s->limiter, &result.ticket, 0,
                                         &withheld) == MET_OK
                   && withheld == 0) {
            add(allowed, (uint64_t)-1);
        }
        if (i % 100 == 99) {
            met_limiter_request request = request_for(s->policy, "key", 0);
            add(forgotten, 1);
            if (met_limiter_reset(s->limiter, &request) != MET_OK) {
                abort();
            }
        }
    }
}

static void killed_processes_leave_a_sound_key(void **state)
{
    shared_state s = {.limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                             CAPACITY, 0)};
    uint64_t *told = shared_memory(4096);

    s.policy = one_window(s.limiter, "p", LIMIT, MINUTE, MET_LIMITER_SLIDING);
    for (unsigned round = 0; round < 60; round++) {
        pid_t children[2];
        told[0] = 0;
        told[1] = 0;
        reset_key(s.limiter, s.policy, "key");
        for (int i = 0; i < 2; i++) {
            children[i] = fork();
            assert_true(children[i] >= 0);
            if (children[i] == 0) {
                work_until_killed(&s, &told[0], &told[1]);
            }
        }
        usleep(300 + round * 37 % 900);
        for (int i = 0; i < 2; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        /* The rest is there for who comes next. */
        uint64_t rest = 0;
        met_limiter_result result;
        while (ask(&s, "key", &result)) {
            rest++;
        }
        assert_true(rest <= LIMIT);
        assert_true(told[0] + rest <= (told[1] + 1) * LIMIT + 2);
    }
    munmap(told, 4096);
    met_limiter_close(s.limiter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refunds_are_exact_at_one_moment),
        TEST(resets_make_room_for_the_limit),
        TEST(charges_are_not_lost),
        TEST(no_more_are_in_flight),
        TEST(killed_holders_are_forgotten),
        TEST(killed_processes_leave_a_sound_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
