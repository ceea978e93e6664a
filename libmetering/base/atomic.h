/* Every atomic operation of the library, so that a model checker can stand in
 * for them (define MET__ATOMIC_MODEL and give these names). Orders are in the
 * names. The words live in shared memory: lock-free, 64 bits or a pair of
 * them. */
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

/* Both of two neighbouring words (16-byte aligned) or none; strong as
 * met__cas, but what was found is not told. An operation of the processor, not
 * of a compiler's library, whose locks other processes do not know. */
static inline int met__cas_pair(met__atomic_u64 *pair,
                                const uint64_t expected[2],
                                const uint64_t desired[2])
{
#if defined(__x86_64__)
    unsigned char is_done;
    uint64_t low = expected[0];
    uint64_t high = expected[1];

    __asm__ __volatile__("lock cmpxchg16b %1\n\tsete %0"
                         : "=q"(is_done), "+m"(*(uint64_t(*)[2])pair),
                           "+a"(low), "+d"(high)
                         : "b"(desired[0]), "c"(desired[1])
                         : "cc", "memory");
    return is_done;
#elif defined(__aarch64__)
    uint64_t low;
    uint64_t high;
    uint32_t is_lost;

    do {
        __asm__ __volatile__("ldaxp %0, %1, [%2]"
                             : "=&r"(low), "=&r"(high)
                             : "r"(pair)
                             : "memory");
        if (low != expected[0] || high != expected[1]) {
            __asm__ __volatile__("clrex" : : : "memory");
            return 0;
        }
        __asm__ __volatile__("stlxp %w0, %1, %2, [%3]"
                             : "=&r"(is_lost)
                             : "r"(desired[0]), "r"(desired[1]), "r"(pair)
                             : "memory");
    } while (is_lost);
    return 1;
#else
#error "the limiter needs a compare-and-swap of 16 bytes"
#endif
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

/* Makes the word at least so great; others may be raising it, too. */
static inline void met__raise(met__atomic_u64 *word, uint64_t value)
{
    uint64_t found = met__load_relaxed(word);

    while (found < value && !met__cas(word, &found, value)) {
    }
}

#endif

/* Asks for a line that will be read or written soon. Never faults. */
static inline void met__prefetch(const void *line)
{
    __builtin_prefetch(line, 1, 3);
}

#endif
