/* kill -9 at any instruction of workers that share a quota: the last unit is
 * never given twice, and at most max(cost, true cost) of the request a dead
 * worker was in stays withheld. --count N: kills. */
#include "quota_support.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 4
#define GRANTED 30000
#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELEASE)
#define ADD(word, value) __atomic_fetch_add(&(word), value, __ATOMIC_ACQ_REL)

/* Shared with the workers; what happened, beside what the cell says. */
typedef struct witness {
    int64_t clock_ns;
    uint64_t number; /* of the period in force */
    uint64_t phase;
    int64_t used;    /* recorded in this period */
    int64_t over;    /* of it: true costs beyond what was asked */
    int64_t withheld_max;
    uint64_t idle[WORKERS];  /* the phase in which it met a used-up quota */
    uint64_t started[WORKERS];
    int64_t request[WORKERS]; /* max(cost, true cost) of the one it is in */
    uint64_t deaths_inside;
} witness;

static witness *seen;
static long kills = 3000;
static char home[64];
static char path[128];
static met__platform platform;
static const met__hash128 key = {77, 88};

static met__quota_table *open_table(void)
{
    met__quota_table *table = NULL;
    uint32_t is_empty;

    if (met__quota_open(&platform, path, quota_store, 4, &table, &is_empty,
                        NULL)
        != MET_OK) {
        _exit(3);
    }
    return table;
}

/* One request; 0: the quota is used up. */
static int serve(met__quota_table *table, int me, int64_t cost,
                 int64_t true_cost, int is_aborted)
{
    met__quota_period period = quota_period_of(LOAD(seen->number), GRANTED);
    met__quota_ticket ticket;
    met__quota_state state;
    met_error error;

    STORE(seen->request[me], cost > true_cost ? cost : true_cost);
    while ((error = met__quota_admit(table, key, period.number, cost,
                                     LOAD(seen->clock_ns), 0, &ticket, &state))
           == MET_E_NOT_FOUND) {
        if (met__quota_prepare(table, key, &period) != MET_OK) {
            _exit(4);
        }
    }
    if (error != MET_OK) {
        _exit(5);
    }
    if (state.is_allowed && is_aborted) {
        if (met__quota_release(table, &ticket) != MET_OK) {
            _exit(6);
        }
    } else if (state.is_allowed) {
        if (met__quota_complete_begin(table, &ticket, true_cost) != MET_OK) {
            _exit(7);
        }
        ADD(seen->over, true_cost > cost ? true_cost - cost : 0);
        ADD(seen->used, true_cost);
        if (met__quota_complete_end(table, &ticket) != MET_OK) {
            _exit(8);
        }
    }
    STORE(seen->request[me], 0);
    return (int)state.is_allowed;
}

static void work(int me, uint64_t seed)
{
    met__quota_table *table = open_table();

    STORE(seen->started[me], 1);
    for (;;) {
        uint64_t phase = LOAD(seen->phase);
        uint64_t dice = quota_random(&seed);
        int64_t cost = 1 + (int64_t)(dice >> 8) % 3;
        int64_t true_cost = dice % 16 == 0 ? cost + 2
                                           : (int64_t)(dice >> 16) % (cost + 1);

        if (!serve(table, me, cost, true_cost, dice % 7 == 0)
            && !serve(table, me, 1, 1, 0)) {
            STORE(seen->idle[me], phase);
            while (LOAD(seen->phase) == phase) {
                sched_yield();
            }
        }
    }
}

static pid_t start(int me)
{
    static uint64_t seeds = 4711;
    uint64_t seed = quota_random(&seeds);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody */
        work(me, seed);
    }
    return child;
}

static int all_idle(void)
{
    for (int i = 0; i < WORKERS; i++) {
        if (LOAD(seen->idle[i]) != seen->phase) {
            return 0;
        }
    }
    return 1;
}

static void kill_one(pid_t *children, int victim)
{
    int status;

    assert_int_equal(kill(children[victim], SIGKILL), 0);
    assert_int_equal(waitpid(children[victim], &status, 0),
                     children[victim]);
    assert_true(WIFSIGNALED(status)); /* else it ended by itself: an error */
    seen->withheld_max += seen->request[victim];
    seen->deaths_inside += seen->request[victim] != 0;
    seen->request[victim] = 0;
    seen->idle[victim] = 0;
    seen->started[victim] = 0;
}

static void check(met__quota_table *table)
{
    met__quota_state state = quota_state_of(table, key, seen->number);

    assert_int_equal(state.left, 0);
    assert_true(seen->used <= GRANTED + seen->over);
    assert_true(state.taken >= seen->used);
    assert_true(state.taken - seen->used <= seen->withheld_max);
    assert_true(state.reserved_in_flight <= state.taken - seen->used);
}

/* Everybody met a used-up quota: the dead ones' reservations expire, or the
 * next period begins. */
static void next_phase(uint64_t *seed, int64_t *expired)
{
    if (quota_random(seed) % 3 != 0) {
        seen->clock_ns += 2 * SLICE;
        ++*expired;
    } else {
        seen->used = 0;
        seen->over = 0;
        seen->withheld_max = 0;
        STORE(seen->number, seen->number + 1 + quota_random(seed) % 3);
    }
    STORE(seen->phase, seen->phase + 1);
}

/* A grant is voided, or given back; what a later minute grants changes too, and
 * nobody's clock is there. */
static void change_grants(met__quota_table *table, int *is_lowered)
{
    met__quota_period period = quota_period_of(seen->number, GRANTED);

    *is_lowered = !*is_lowered;
    if (*is_lowered) {
        period.limit = GRANTED / 2;
        period.next_at_ns = INT64_C(60000000000);
        period.next_limit = GRANTED / 3;
    }
    assert_int_equal(met__quota_prepare(table, key, &period), MET_OK);
    if (!*is_lowered) { /* who met a used-up quota looks again */
        STORE(seen->phase, seen->phase + 1);
    }
}

static void survives_kills(void **state)
{
    pid_t children[WORKERS];
    uint64_t seed = 1234567;
    int64_t expired = 0;
    int64_t freed = 0;
    int64_t changes = 0;
    int is_lowered = 0;
    met__quota_table *table = open_table();
    met__quota_period period = quota_period_of(1, GRANTED);

    assert_int_equal(met__quota_prepare(table, key, &period), MET_OK);
    for (int i = 0; i < WORKERS; i++) {
        children[i] = start(i);
    }
    for (long done = 0; done < kills;) {
        struct timespec pause = {0, (long)(quota_random(&seed) % 300000)};
        int victim = (int)(quota_random(&seed) % WORKERS);

        nanosleep(&pause, NULL);
        if (quota_random(&seed) % 8 == 0) {
            change_grants(table, &is_lowered);
            changes++;
        }
        if (all_idle() && is_lowered) {
            change_grants(table, &is_lowered);
        } else if (all_idle()) {
            int64_t reserved =
                quota_state_of(table, key, seen->number).reserved_in_flight;
            check(table);
            next_phase(&seed, &expired);
            freed += reserved;
        } else if (LOAD(seen->started[victim])
                   && LOAD(seen->idle[victim]) != seen->phase) {
            kill_one(children, victim);
            children[victim] = start(victim);
            done++;
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        kill_one(children, i);
    }
    printf("%ld kills, %llu inside a request, %lld expiries, period %llu\n",
           kills, (unsigned long long)seen->deaths_inside,
           (long long)expired, (unsigned long long)seen->number);
    assert_true(seen->deaths_inside > (uint64_t)kills / 20);
    assert_true(freed > 0);
    assert_true(changes > 0);
    assert_true(seen->number > 3);
    met__quota_close(table);
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    snprintf(path, sizeof path, "%s/quota.map", home);
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    *seen = (witness){.number = 1, .phase = 1};
    return met__platform_init(&platform, NULL, NULL);
}

static int teardown(void **state)
{
    munmap(seen, sizeof *seen);
    temp_remove(home);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(survives_kills, setup, teardown),
    };

    if (argc == 3 && strcmp(argv[1], "--count") == 0) {
        kills = atol(argv[2]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
