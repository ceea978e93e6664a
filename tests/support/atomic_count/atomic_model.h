/* The library's atomic operations, counted: a call that makes more of them than
 * a bound is one without end. Found in place of the model checker's header. */
#ifndef TESTS_SUPPORT_ATOMIC_COUNT_H
#define TESTS_SUPPORT_ATOMIC_COUNT_H

#undef MET__ATOMIC_MODEL
#undef MET_BASE_ATOMIC_H
#define met__prefetch atomic_count_prefetch /* the header goes on to its own */
#include "base/atomic.h"
#undef met__prefetch

extern _Thread_local uint64_t atomic_count; /* of this call */

/* Counts one; ends the process beyond the bound. */
void atomic_count_step(void);

#define met__load_relaxed(word) (atomic_count_step(), met__load_relaxed(word))
#define met__load_acquire(word) (atomic_count_step(), met__load_acquire(word))
#define met__store_relaxed(word, value) \
    (atomic_count_step(), met__store_relaxed(word, value))
#define met__store_release(word, value) \
    (atomic_count_step(), met__store_release(word, value))
#define met__cas(word, expected, desired) \
    (atomic_count_step(), met__cas(word, expected, desired))
#define met__cas_pair(pair, expected, desired) \
    (atomic_count_step(), met__cas_pair(pair, expected, desired))
#define met__fetch_add(word, value) \
    (atomic_count_step(), met__fetch_add(word, value))
#define met__fetch_add_relaxed(word, value) \
    (atomic_count_step(), met__fetch_add_relaxed(word, value))
#define met__exchange(word, value) \
    (atomic_count_step(), met__exchange(word, value))

#endif
