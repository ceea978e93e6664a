/* A model checker for the library's own lock-free code. A test's objects are
 * compiled with MET__ATOMIC_MODEL, and model_search runs a few threads of them
 * through every interleaving of their atomic operations, with kills between any
 * two, and if asked with every stale value that C11 lets a load return.
 *
 * Executions are repeated from the start with the next choice; one that comes
 * to a state seen before ends there. Stores of one word take effect in the
 * order in which they are run: a load may be late, a store never goes before
 * one that was made earlier. Not for sanitizer builds. */
#ifndef TESTS_SUPPORT_ATOMIC_MODEL_H
#define TESTS_SUPPORT_ATOMIC_MODEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct model_spec {
    int threads;
    int kills;   /* at most so many threads are killed */
    int is_weak; /* loads may return older values */
    int is_remembered; /* model_sites tells what it ran ... */
    unsigned number;   /* ... under this number, below 64 */
    void (*setup)(void); /* before each execution; atomic words are as they
                            were before the first one */
    void (*thread)(int me);
    void (*killed)(int me); /* may be NULL */
    void (*finish)(void);   /* after each: model_require what must hold */
    void *shared; /* what the threads share beside atomic words: the books */
    size_t shared_size;
    /* Words that only count, and give each number once: nobody else runs
     * before them, and their values are no part of the state but for one. */
    struct {
        const void *first;
        size_t size;
    } counters[2];
    const uint64_t *counter_kept;
    int splits_pairs; /* a planted bug: of two words, one after the other */
    uint64_t states_max; /* 0: no bound */
    int switches_max;    /* 0: no bound on leaving a thread that could go on */
} model_spec;

typedef struct model_result {
    uint64_t states;
    uint64_t executions;
    const char *failure;  /* NULL: every execution went well */
    int is_complete;
} model_result;

/* 1: every execution, or states_max states of them, went well. MODEL_TRACE=1
 * in the environment prints the operations of one that did not. */
int model_search(const model_spec *spec, model_result *result_out);

/* --- In a thread ---------------------------------------------------------- */
/* A point where others may run or this thread may be killed. Before every
 * atomic operation that others can see; a test may add some. */
void model_step(void);
/* One of 0 ... count - 1, all of them in turn. */
unsigned model_choose(unsigned count);
/* What a test read out of `shared` and goes on with. */
void model_note(uint64_t value);
/* What it was answered so far no longer matters but for what stands in
 * `shared`. */
void model_forget(void);
void model_must(int holds, const char *what);
#define model_require(condition) model_must((condition) != 0, #condition)

/* For code that is compiled to ask here how often it tries again. */
extern int model_tries;

/* --- Orders --------------------------------------------------------------- */
/* Where in the source an operation stands, and the orders it asks for. */
typedef struct model_site {
    const char *file;
    const char *function;
    const char *operation;
    const char *word;
    int line;
} model_site;

enum { MODEL_ACQUIRE = 1, MODEL_RELEASE = 2, MODEL_FULL = 4 };

/* A site that weak searches ran: what it asks for, and which searches (a bit
 * for each spec's number). */
typedef struct model_site_use {
    model_site site;
    int orders;
    uint64_t searches;
} model_site_use;

/* All of them, of searches with is_remembered, sorted by place. */
size_t model_sites(const model_site_use **uses_out);
/* From now on this site goes without that order; NULL: none does. */
void model_weaken(const model_site *site, int order);

/* --- What base/atomic.h has ----------------------------------------------- */
typedef uint64_t met__atomic_u64;

uint64_t model_load(const uint64_t *word, int orders, const model_site *site);
void model_store(uint64_t *word, uint64_t value, int orders,
                 const model_site *site);
uint64_t model_update(uint64_t *word, uint64_t factor, uint64_t value,
                      int orders, const model_site *site);
int model_cas(uint64_t *words, uint64_t *expected, const uint64_t *desired,
              int count, const model_site *site);
int model_cas_pair(uint64_t *words, const uint64_t *expected,
                   const uint64_t *desired, const model_site *site);
void model_fence(int orders, const model_site *site);

#define MODEL_SITE(operation, word) \
    (&(const model_site){__FILE__, __func__, operation, word, __LINE__})

#define met__load_relaxed(word) \
    model_load((word), 0, MODEL_SITE("load_relaxed", #word))
#define met__load_acquire(word) \
    model_load((word), MODEL_ACQUIRE, MODEL_SITE("load_acquire", #word))
#define met__store_relaxed(word, value) \
    model_store((word), (value), 0, MODEL_SITE("store_relaxed", #word))
#define met__store_release(word, value)           \
    model_store((word), (value), MODEL_RELEASE,   \
                MODEL_SITE("store_release", #word))
#define met__cas(word, expected, desired)              \
    model_cas((word), (expected), (uint64_t[]){(desired)}, 1, \
              MODEL_SITE("cas", #word))
#define met__cas_pair(words, expected, desired) \
    model_cas_pair((words), (expected), (desired), \
                   MODEL_SITE("cas_pair", #words))
#define met__fetch_add(word, value)                              \
    model_update((word), 1, (value), MODEL_ACQUIRE | MODEL_RELEASE, \
                 MODEL_SITE("fetch_add", #word))
#define met__fetch_add_relaxed(word, value) \
    model_update((word), 1, (value), 0,     \
                 MODEL_SITE("fetch_add_relaxed", #word))
#define met__exchange(word, value)                                \
    model_update((word), 0, (value), MODEL_ACQUIRE | MODEL_RELEASE, \
                 MODEL_SITE("exchange", #word))
#define met__fence_acquire() \
    model_fence(MODEL_ACQUIRE, MODEL_SITE("fence_acquire", ""))
#define met__fence_release() \
    model_fence(MODEL_RELEASE, MODEL_SITE("fence_release", ""))
#define met__fence_full()                                    \
    model_fence(MODEL_ACQUIRE | MODEL_RELEASE | MODEL_FULL,  \
                MODEL_SITE("fence_full", ""))

#endif
