/* The fork counter, and the descriptors a forked child must not keep. The
 * child handler only stores and closes: both are async-signal-safe. */
#include "base/fork_guard.h"

#include <pthread.h>
#include <unistd.h>

#include "base/check.h"

#define CLOSE_MAX 1024

static uint32_t generation;
static int close_in_child[CLOSE_MAX]; /* file + 1, 0 is free */
static pthread_mutex_t process_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int start_result;

static void before_fork(void)
{
    pthread_mutex_lock(&process_lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&process_lock);
}

static void in_child(void)
{
    pthread_mutex_unlock(&process_lock);
    __atomic_fetch_add(&generation, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < CLOSE_MAX; i++) {
        int file = __atomic_exchange_n(&close_in_child[i], 0,
                                       __ATOMIC_RELAXED);
        if (file != 0) {
            close(file - 1);
        }
    }
}

static void start(void)
{
    start_result = pthread_atfork(before_fork, in_parent, in_child);
}

met_error met__fork_guard_start(uint32_t *generation_out)
{
    MET__ASSERT(generation_out != NULL);
    pthread_once(&once, start);
    if (start_result != 0) {
        return MET_E_NO_MEMORY;
    }
    *generation_out = met__fork_generation();
    return MET_OK;
}

uint32_t met__fork_generation(void)
{
    return __atomic_load_n(&generation, __ATOMIC_RELAXED);
}

void met__process_lock(void)
{
    pthread_mutex_lock(&process_lock);
}

void met__process_unlock(void)
{
    pthread_mutex_unlock(&process_lock);
}

met_error met__fork_close_in_child(int file)
{
    MET__ASSERT(file >= 0);
    for (int i = 0; i < CLOSE_MAX; i++) {
        int expected = 0;
        if (__atomic_compare_exchange_n(&close_in_child[i], &expected,
                                        file + 1, 0, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            return MET_OK;
        }
    }
    return MET_E_LIMIT;
}

void met__fork_forget(int file)
{
    for (int i = 0; i < CLOSE_MAX; i++) {
        int expected = file + 1;
        if (__atomic_compare_exchange_n(&close_in_child[i], &expected, 0, 0,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            return;
        }
    }
}
