/* Slots of names: one for all, whoever sets, removes and is killed at the same
 * time; what a killed writer has promised is kept by the next. */
#include "limit_support.h"

#include "limit/limit_policy_slot.h"
#include "limit/limiter_plan.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define CAPACITY 64
#define ROUNDS 400
#define NAMES 6

typedef struct shared_state {
    met_limiter *limiter;
    pthread_barrier_t barrier;
    uint32_t numbers[THREADS][ROUNDS];
    uint32_t next_thread;
    uint32_t reserved;
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

static met_error set_name(met_limiter *limiter, const char *name,
                          uint64_t limit, uint32_t *number_out)
{
    met_limiter_window window = {.limit = limit, .window_ns = HOUR};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = name,
                                 .name_size = strlen(name),
                                 .windows = &window,
                                 .window_count = 1};

    return met_limiter_policy_set(limiter, &policy, number_out, NULL);
}

static uint64_t policies_of(met_limiter *limiter)
{
    met_limiter_stats stats = {.struct_size = sizeof stats};

    assert_int_equal(met_limiter_stats_get(limiter, &stats), MET_OK);
    return stats.policies;
}

/* All set the same new name while one of them removes those of earlier rounds,
 * so that free slots come and go before and behind the others. */
static void *set_together(void *context)
{
    shared_state *s = context;
    uint32_t self = __atomic_fetch_add(&s->next_thread, 1, __ATOMIC_RELAXED);
    char name[32];

    for (uint32_t round = 0; round < ROUNDS; round++) {
        snprintf(name, sizeof name, "round %u", round);
        pthread_barrier_wait(&s->barrier);
        if (self == 0 && round > 8
            && met_limiter_policy_remove(
                   s->limiter, s->numbers[0][round - 1 - round % 7], NULL)
                   == MET_E_INVALID) {
            abort();
        }
        if (set_name(s->limiter, name, 5, &s->numbers[self][round])
            != MET_OK) {
            abort();
        }
    }
    return NULL;
}

static void a_name_has_one_slot(void **state)
{
    static shared_state s;
    pthread_t threads[THREADS];

    memset(&s, 0, sizeof s);
    s.limiter = open_memory(memory, TABLE_BYTES(CAPACITY), CAPACITY, 0);
    pthread_barrier_init(&s.barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, set_together, &s),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&s.barrier);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 1; i < THREADS; i++) {
            assert_int_equal(s.numbers[i][round], s.numbers[0][round]);
        }
    }
    met_limiter_close(s.limiter);
}

/* What was promised by a writer that was killed before the version moved. */
static void promises_are_kept(void **state)
{
    met_limiter *limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                       CAPACITY, 0);
    met__limit_table *table = &limiter->table;
    uint32_t number;

    assert_int_equal(set_name(limiter, "a", 5, &number), MET_OK);
    assert_int_equal(number, 0);
    /* As if the writer of "a" had been killed after its promise. */
    assert_int_equal(met__load_acquire(&table->policies[0].version), 1);
    met__store_release(&table->policies[0].version, 0);
    assert_int_equal(policies_of(limiter), 0);
    assert_int_equal(set_name(limiter, "b", 5, &number), MET_OK);
    assert_int_equal(number, 1);
    assert_int_equal(policies_of(limiter), 2);
    assert_int_equal(set_name(limiter, "a", 5, &number), MET_OK);
    assert_int_equal(number, 0);
    /* An old promise moves nothing back. */
    uint64_t names = met__policy_names(table);
    assert_int_equal(met_limiter_policy_remove(limiter, 1, NULL), MET_OK);
    assert_int_equal(met__policy_names(table), names);
    assert_int_equal(policies_of(limiter), 1);
    /* And who looked before another name was given away has to look again. */
    assert_int_equal(set_name(limiter, "c", 5, &number), MET_OK);
    assert_int_equal(met__policy_names_set(table, names, 5, 1), 0);
    assert_int_equal(policies_of(limiter), 2);
    met_limiter_close(limiter);
}

static void work_until_killed(met_limiter *limiter, uint64_t seed)
{
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

    for (;;) {
        char name[8];
        uint32_t number;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        snprintf(name, sizeof name, "n%d", (int)(random % NAMES));
        if (set_name(limiter, name, 1 + random / 8 % 3, &number) == MET_OK
            && random / 64 % 2) {
            (void)!met_limiter_policy_remove(limiter, number, NULL);
        }
    }
}

static void killed_writers_leave_one_slot(void **state)
{
    for (unsigned round = 0; round < 60; round++) {
        memset(memory, 0, TABLE_BYTES(CAPACITY));
        met_limiter *limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                           CAPACITY, 0);
        met_limiter *other = open_memory(memory, TABLE_BYTES(CAPACITY),
                                         CAPACITY, 0);
        pid_t children[2];
        for (unsigned i = 0; i < 2; i++) {
            children[i] = fork();
            assert_true(children[i] >= 0);
            if (children[i] == 0) {
                work_until_killed(limiter, round * 2 + i + 1);
            }
        }
        usleep(200 + round * 37 % 700);
        for (int i = 0; i < 2; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        assert_in_range(policies_of(limiter), 0, NAMES);
        for (int i = 0; i < NAMES; i++) {
            char name[8];
            uint32_t one = 0;
            uint32_t two = 1;
            snprintf(name, sizeof name, "n%d", i);
            met_error error = set_name(limiter, name, 2, &one);
            /* At most: four changes that nobody's decisions have outlived. */
            assert_true(error == MET_OK || error == MET_E_BUSY);
            if (error == MET_OK) {
                assert_int_equal(set_name(other, name, 2, &two), MET_OK);
                assert_int_equal(one, two);
            }
        }
        assert_int_equal(policies_of(limiter), NAMES);
        met_limiter_close(other);
        met_limiter_close(limiter);
    }
}

/* Any bits where promises and slots are: bounded, and nothing faults. */
static void hostile_words(void **state)
{
    met_limiter *limiter = open_memory(memory, TABLE_BYTES(CAPACITY),
                                       CAPACITY, 0);
    met__limit_table *table = &limiter->table;
    uint64_t *words = (uint64_t *)(void *)table->policies;

    random_state = 88172645463325252u;
    for (int i = 0; i < 2000; i++) {
        uint32_t number = (uint32_t)next_random();
        char name[8];
        table->head->names = next_random() >> random_below(60);
        for (int hit = 0; hit < 50; hit++) {
            words[random_below(8 * sizeof(met__policy_slot) / 8)] =
                next_random() >> random_below(64);
        }
        snprintf(name, sizeof name, "n%d", i % 9);
        met_error error = set_name(limiter, name, 1 + random_below(5),
                                   &number);
        assert_true(error == MET_OK || error == MET_E_BUSY
                    || error == MET_E_LIMIT);
        error = met_limiter_policy_remove(limiter, number, NULL);
        assert_true(error == MET_OK || error == MET_E_BUSY
                    || error == MET_E_NOT_FOUND);
    }
    met_limiter_close(limiter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_has_one_slot),
        TEST(promises_are_kept),
        TEST(killed_writers_leave_one_slot),
        TEST(hostile_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
