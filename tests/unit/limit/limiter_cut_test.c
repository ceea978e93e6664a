/* The limiter's file, cut short by another process while four threads decide:
 * nobody dies, whoever is told opens it anew, and then the limit is exact. */
#include "limit_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault_guard.h"
#include "support/temp_directory.h"

#define THREADS 4
#define ROUNDS 24
#define LIMIT 500u
#define WAIT_US 1000
#define WAITS_MAX 100000

enum { RUN, LAST };

typedef struct scene {
    met__atomic_u64 phase;
    met__atomic_u64 failed; /* line */
    met__atomic_u64 decided[THREADS];
    met__atomic_u64 opened; /* anew, in all */
    met__atomic_u64 ready;  /* for the last phase */
    met__atomic_u64 allowed;
    met__atomic_u64 refused;
} scene;

static scene *shared;
static char home[64];

#define NEED(condition)                                              \
    do {                                                             \
        if (!(condition)) {                                          \
            met__store_release(&shared->failed, (uint64_t)__LINE__); \
        }                                                            \
    } while (0)

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    munmap(shared, sizeof *shared);
    temp_remove(home);
    return 0;
}

/* --- The process that decides --------------------------------------------- */
static met_limiter *open_table(uint32_t *policy_out)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .path = temp_path(home, "limits.map"),
                                 .capacity = 4096};
    met_limiter_window window = {.limit = LIMIT,
                                 .window_ns = INT64_C(3600000000000)};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "p",
                                 .name_size = 1,
                                 .windows = &window,
                                 .window_count = 1};
    met_limiter *limiter = NULL;

    /* It may be cut while it is opened, or somebody else replaces it. */
    while (met__load_relaxed(&shared->failed) == 0) {
        met_error error = met_limiter_open(&config, &limiter, NULL);
        if (error == MET_OK) {
            error = met_limiter_policy_set(limiter, &policy, policy_out, NULL);
            if (error == MET_OK) {
                return limiter;
            }
            met_limiter_close(limiter);
        }
        NEED(error == MET_E_CORRUPT || error == MET_E_BUSY
             || error == MET_E_NOT_FOUND || error == MET_E_FOREIGN
             || error == MET_E_LAYOUT);
    }
    _exit(1);
}

static met_error ask(met_limiter *limiter, uint32_t policy, const char *key,
                     size_t size, int *is_allowed)
{
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = policy,
                                   .key = key,
                                   .key_size = size};
    met_limiter_result result = {.struct_size = sizeof result};
    met_error error = met_limiter_check(limiter, &request, &result);

    *is_allowed = error == MET_OK && result.is_allowed;
    return error;
}

static met_limiter *open_anew(met_limiter *limiter, uint32_t *policy)
{
    met_limiter_close(limiter);
    met__fetch_add(&shared->opened, 1);
    return open_table(policy);
}

static void *decide(void *context)
{
    int thread = (int)(intptr_t)context;
    uint32_t policy;
    met_limiter *limiter = open_table(&policy);
    met_limiter_stats stats = {.struct_size = sizeof stats};
    int is_allowed;

    for (uint32_t i = 0; met__load_acquire(&shared->phase) == RUN; i++) {
        uint32_t key = i * 4 + (uint32_t)thread;
        met_error error = ask(limiter, policy, (const char *)&key, sizeof key,
                              &is_allowed);
        NEED(error == MET_OK || error == MET_E_CORRUPT);
        if (error == MET_E_CORRUPT) {
            limiter = open_anew(limiter, &policy);
        }
        met__fetch_add(&shared->decided[thread], 1);
    }
    met_error error;
    while ((error = met_limiter_stats_get(limiter, &stats)) != MET_OK
           && met__load_relaxed(&shared->failed) == 0) {
        NEED(error == MET_E_CORRUPT);
        limiter = open_anew(limiter, &policy);
    }
    met__fetch_add(&shared->ready, 1);
    while (met__load_acquire(&shared->ready) < THREADS
           && met__load_relaxed(&shared->failed) == 0) {
        usleep(WAIT_US);
    }
    for (uint32_t i = 0; i < LIMIT; i++) {
        NEED(ask(limiter, policy, "last", 4, &is_allowed) == MET_OK);
        met__fetch_add(is_allowed ? &shared->allowed : &shared->refused, 1);
    }
    met_limiter_close(limiter);
    return NULL;
}

static void decide_in_threads(void)
{
    pthread_t threads[THREADS];

    NEED(met__fault_guard_install() == MET_OK);
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[i], NULL, decide, (void *)(intptr_t)i)
             == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
}

/* --- The process that cuts ------------------------------------------------ */
static void wait_for(const met__atomic_u64 *word, uint64_t at_least)
{
    for (int i = 0; met__load_acquire(word) < at_least; i++) {
        uint64_t line = met__load_acquire(&shared->failed);
        if (line != 0 || i == WAITS_MAX) {
            fail_msg("the deciding process: line %d", (int)line);
        }
        usleep(WAIT_US);
    }
}

static void test_cut__four_threads(void **state)
{
    /* Of header, head and shapes, policies, the first records. */
    static const long sizes[] = {0, 2048, 4096, 6144, 32768, 200000};
    int status;
    pid_t child = fork();

    if (child == 0) {
        decide_in_threads();
        _exit(met__load_relaxed(&shared->failed) != 0);
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        for (size_t k = 0; k < THREADS; k++) {
            wait_for(&shared->decided[k],
                     met__load_acquire(&shared->decided[k]) + 100);
        }
        uint64_t opened = met__load_acquire(&shared->opened);
        assert_int_equal(truncate(temp_path(home, "limits.map"),
                                  sizes[i % (sizeof sizes / sizeof *sizes)]),
                         0);
        wait_for(&shared->opened, opened + 1);
    }
    met__store_release(&shared->phase, LAST);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("ended with %d, line %d", status, (int)shared->failed);
    }
    assert_int_equal(shared->allowed, LIMIT);
    assert_int_equal(shared->refused, (THREADS - 1) * LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cut__four_threads, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
