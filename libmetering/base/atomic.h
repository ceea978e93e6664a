/* Every atomic operation of the library, so that a model checker can stand in
 * for them (define MET__ATOMIC_MODEL and give these names). Orders are in the
 * names. The words live in shared memory: lock-free 64-bit only. */
#ifndef MET_BASE_ATOMIC_H
#define MET_BASE_ATOMIC_H

#include <stdint.h>

#ifdef MET__ATOMIC_MODEL
#include "atomic_model.h"
#else

typedef uint64_t met__atomic_u64;

static inline uint64_t met__load_relaxed(const met__atomic_u64 *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t met__load_acquire(const met__atomic_u64 *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void met__store_relaxed(met__atomic_u64 *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void met__store_release(met__atomic_u64 *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Strong compare-and-swap, acquire-release; expected is updated on failure. */
static inline int met__cas(met__atomic_u64 *word, uint64_t *expected,
                           uint64_t desired)
{
    return __atomic_compare_exchange_n(word, expected, desired, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint64_t met__fetch_add(met__atomic_u64 *word, uint64_t value)
{
    return __atomic_fetch_add(word, value, __ATOMIC_ACQ_REL);
}

static inline uint64_t met__fetch_add_relaxed(met__atomic_u64 *word,
                                              uint64_t value)
{
    return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

static inline uint64_t met__exchange(met__atomic_u64 *word, uint64_t value)
{
    return __atomic_exchange_n(word, value, __ATOMIC_ACQ_REL);
}

static inline void met__fence_acquire(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void met__fence_release(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Sequentially consistent: of two threads that each write, pass this and read
 * what the other wrote, at least one sees it. */
static inline void met__fence_full(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
#endif
