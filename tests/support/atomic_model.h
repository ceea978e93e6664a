/* A model checker for the library's own lock-free code. A test defines
 * MET__ATOMIC_MODEL, includes the .c file under test, and model_search runs a
 * few threads of it through every interleaving of their atomic operations,
 * with kills between any two, and if asked with every stale value that C11
 * lets a load return. Threads are coroutines, so nothing else runs meanwhile.
 *
 * Executions are repeated from the start with the next choice; one that comes
 * to a state seen before ends there. A state is the shared bytes and what each
 * thread was answered so far (64-bit hash). Not for sanitizer builds. */
#ifndef TESTS_SUPPORT_ATOMIC_MODEL_H
#define TESTS_SUPPORT_ATOMIC_MODEL_H

#undef _FORTIFY_SOURCE /* its longjmp refuses another stack */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define MODEL_THREADS 4
#define MODEL_WORDS 48  /* atomic words touched, weak searches */
#define MODEL_WRITES 40 /* of one word, weak searches */
#define MODEL_DEPTH 8192
#define MODEL_STACK 65536

typedef struct model_spec {
    int threads;
    int kills;   /* at most so many threads are killed */
    int is_weak; /* loads may return older values */
    void (*setup)(void); /* before each execution */
    void (*thread)(int me);
    void (*killed)(int me); /* may be NULL */
    void (*finish)(void);   /* after each: model_require what must hold */
    void *shared;           /* all the threads share, the test's books too */
    size_t shared_size;
    uint64_t states_max; /* 0: no bound */
} model_spec;

typedef struct model_result {
    uint64_t states;
    uint64_t executions;
    const char *failure;  /* NULL: every execution went well */
    int is_complete;
} model_result;

typedef struct model_view {
    uint8_t seen[MODEL_WORDS];
} model_view;

typedef struct model_write {
    uint64_t value;
    model_view view;
} model_write;

typedef struct model_word {
    const void *address;
    unsigned writes;
    uint64_t hash;
    model_write write[MODEL_WRITES];
} model_word;

typedef struct model_thread {
    jmp_buf base;
    jmp_buf here;
    char *stack;
    uint64_t history;
    model_view now;
    model_view acquired; /* what an acquire fence would make visible */
    model_view released; /* what relaxed stores carry since the last fence */
    int is_started;
    int is_done;
} model_thread;

typedef struct model_choice {
    uint16_t taken;
    uint16_t count;
} model_choice;

static struct {
    const model_spec *spec;
    model_result *result;
    model_thread thread[MODEL_THREADS];
    model_word word[MODEL_WORDS];
    unsigned words;
    model_choice choice[MODEL_DEPTH];
    unsigned choices;
    unsigned position;
    int current; /* -1: outside of the threads */
    int kills;
    int is_pruned;
    int is_loud; /* prints the operations of a failed execution */
    uint64_t *visited;
    uint64_t visited_size;
    jmp_buf scheduler;
    ucontext_t start;
} model = {.current = -1};

static inline uint64_t model_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 29;
}

static inline uint64_t model_hash(const void *bytes, size_t size)
{
    uint64_t hash = 1;
    uint64_t word;

    for (size_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, (const char *)bytes + i, 8);
        hash = model_mix(hash, word);
    }
    return hash;
}

static void model_die(const char *what)
{
    fprintf(stderr, "atomic_model.h: %s\n", what);
    abort();
}

/* --- Choices ---------------------------------------------------------------- */
static unsigned model_pick(unsigned count)
{
    if (count <= 1) {
        return 0;
    }
    if (model.position == model.choices) {
        if (model.choices == MODEL_DEPTH) {
            model_die("an execution is too long");
        }
        model.choice[model.choices++] = (model_choice){0, (uint16_t)count};
    }
    return model.choice[model.position++].taken;
}

/* 1: the state is new. */
static int model_visit(uint64_t hash)
{
    uint64_t place;

    hash |= hash == 0;
    if ((model.result->states + 1) * 2 > model.visited_size) {
        uint64_t old_size = model.visited_size;
        uint64_t *old = model.visited;

        model.visited_size = old_size == 0 ? 1 << 16 : old_size * 2;
        model.visited = calloc(model.visited_size, sizeof *model.visited);
        if (model.visited == NULL) {
            model_die("out of memory");
        }
        for (uint64_t i = 0; i < old_size; i++) {
            if (old[i] != 0) {
                place = old[i] & (model.visited_size - 1);
                while (model.visited[place] != 0) {
                    place = (place + 1) & (model.visited_size - 1);
                }
                model.visited[place] = old[i];
            }
        }
        free(old);
    }
    place = hash & (model.visited_size - 1);
    while (model.visited[place] != 0) {
        if (model.visited[place] == hash) {
            return 0;
        }
        place = (place + 1) & (model.visited_size - 1);
    }
    model.visited[place] = hash;
    model.result->states++;
    return 1;
}

static uint64_t model_state(void)
{
    uint64_t hash = model_hash(model.spec->shared, model.spec->shared_size);

    for (int i = 0; i < model.spec->threads; i++) {
        hash = model_mix(hash, model.thread[i].history);
        hash = model_mix(hash, (uint64_t)model.thread[i].is_done);
    }
    /* A word's place among the others depends on who touched it first. */
    uint64_t sum = 0;
    for (unsigned i = 0; i < model.words; i++) {
        sum += model_mix(model.word[i].hash,
                         (uint64_t)(uintptr_t)model.word[i].address);
    }
    return model_mix(model_mix(hash, sum), (uint64_t)model.kills);
}

/* What it was answered no longer matters. */
static void model_end(int i)
{
    model.thread[i].is_done = 1;
    model.thread[i].history = 0;
}

/* --- Switching -------------------------------------------------------------- */
static void model_entry(void)
{
    static ucontext_t unused;

    if (_setjmp(model.thread[model.current].base) == 0) {
        swapcontext(&unused, &model.start);
    }
    model.spec->thread(model.current);
    model_end(model.current);
    _longjmp(model.scheduler, 1);
}

static void model_create(int i)
{
    static ucontext_t fresh;

    model.thread[i].stack = malloc(MODEL_STACK);
    if (model.thread[i].stack == NULL || getcontext(&fresh) != 0) {
        model_die("no room for a thread");
    }
    fresh.uc_stack.ss_sp = model.thread[i].stack;
    fresh.uc_stack.ss_size = MODEL_STACK;
    makecontext(&fresh, model_entry, 0);
    model.current = i;
    swapcontext(&model.start, &fresh);
    model.current = -1;
}

static void model_resume(int i)
{
    model.current = i;
    if (_setjmp(model.scheduler) == 0) {
        if (model.thread[i].is_started) {
            _longjmp(model.thread[i].here, 1);
        }
        model.thread[i].is_started = 1;
        _longjmp(model.thread[i].base, 1);
    }
    model.current = -1;
}

static void model_note(uint64_t value)
{
    if (model.current >= 0) {
        model_thread *thread = &model.thread[model.current];
        thread->history = model_mix(thread->history, value + 1);
    }
}

/* A point where others may run or this thread may be killed. Before every
 * atomic operation; a test may add some. */
static void model_step(void)
{
    model_note(0); /* having come here is a part of the state */
    if (model.current >= 0 && _setjmp(model.thread[model.current].here) == 0) {
        _longjmp(model.scheduler, 1);
    }
}

/* One of 0 … count - 1, all of them in turn. */
static inline unsigned model_choose(unsigned count)
{
    unsigned picked = model_pick(count);

    model_note(picked);
    return picked;
}

#define model_require(condition) model_must((condition) != 0, #condition)

static void model_must(int holds, const char *what)
{
    if (!holds && model.result->failure == NULL) {
        model.result->failure = what;
    }
    if (!holds && model.current >= 0) {
        _longjmp(model.scheduler, 1);
    }
}

/* --- Words with their older values ------------------------------------------ */
static unsigned model_find(const uint64_t *address)
{
    unsigned i = 0;

    while (i < model.words && model.word[i].address != address) {
        i++;
    }
    if (i == model.words) {
        if (i == MODEL_WORDS) {
            model_die("too many words");
        }
        model.words++;
        memset(&model.word[i].write[0], 0, sizeof model.word[i].write[0]);
        model.word[i].address = address;
        model.word[i].writes = 1;
        model.word[i].write[0].value = *address;
        model.word[i].hash = *address;
    }
    return i;
}

static void model_join(model_view *view, const model_view *more)
{
    for (int i = 0; i < MODEL_WORDS; i++) {
        if (view->seen[i] < more->seen[i]) {
            view->seen[i] = more->seen[i];
        }
    }
}

static uint64_t model_read(const uint64_t *address, int is_acquire,
                           int is_latest)
{
    if (!model.spec->is_weak) {
        return *address;
    }
    model_thread *thread = &model.thread[model.current];
    unsigned i = model_find(address);
    unsigned last = model.word[i].writes - 1;
    unsigned k = last;
    if (!is_latest) {
        k -= model_choose(last - thread->now.seen[i] + 1);
    }
    thread->now.seen[i] = (uint8_t)k;
    model_join(&thread->acquired, &model.word[i].write[k].view);
    if (is_acquire) {
        model_join(&thread->now, &model.word[i].write[k].view);
    }
    return model.word[i].write[k].value;
}

/* is_update: a read-modify-write goes on with what it read from carried. */
static void model_put(uint64_t *address, uint64_t value, int is_release,
                      int is_update)
{
    if (model.spec->is_weak) {
        model_thread *thread = &model.thread[model.current];
        unsigned i = model_find(address);
        model_word *word = &model.word[i];
        unsigned k = word->writes++;

        if (k == MODEL_WRITES) {
            model_die("too many writes of one word");
        }
        thread->now.seen[i] = (uint8_t)k;
        word->write[k].value = value;
        word->write[k].view = is_release ? thread->now : thread->released;
        word->write[k].view.seen[i] = (uint8_t)k;
        if (is_update) {
            model_join(&word->write[k].view, &word->write[k - 1].view);
        }
        word->hash = model_mix(word->hash, value);
        /* by address, not by the order in which words were first touched */
        for (unsigned j = 0; j < model.words; j++) {
            word->hash += model_mix((uint64_t)(uintptr_t)model.word[j].address,
                                    word->write[k].view.seen[j]);
        }
    }
    *address = value;
}

static uint64_t model_say(const char *what, const void *address,
                          uint64_t value)
{
    model_note(value);
    if (model.is_loud && model.current >= 0) {
        fprintf(stderr, "  thread %d %-8s +%03zx %016llx\n", model.current,
                what,
                (size_t)((const char *)address
                         - (const char *)model.spec->shared),
                (unsigned long long)value);
    }
    return value;
}

/* --- What base/atomic.h has ------------------------------------------------- */
typedef uint64_t met__atomic_u64;

static inline uint64_t model_load(const uint64_t *word, int is_acquire)
{
    if (model.current < 0) {
        return *word;
    }
    model_step();
    return model_say("load", word, model_read(word, is_acquire, 0));
}

static inline void model_store(uint64_t *word, uint64_t value, int is_release)
{
    if (model.current < 0) {
        *word = value;
        return;
    }
    model_step();
    model_put(word, value, is_release, 0);
    model_say("store", word, value);
}

static inline uint64_t model_update(uint64_t *word, uint64_t factor,
                                    uint64_t value, int is_ordered)
{
    if (model.current >= 0) {
        model_step();
    }
    uint64_t old = model.current < 0 ? *word : model_read(word, is_ordered, 1);
    if (model.current < 0) {
        *word = old * factor + value;
    } else {
        model_put(word, old * factor + value, is_ordered, 1);
        model_say("update", word, old);
    }
    return old;
}

static inline uint64_t met__load_relaxed(const met__atomic_u64 *word)
{
    return model_load(word, 0);
}

static inline uint64_t met__load_acquire(const met__atomic_u64 *word)
{
    return model_load(word, 1);
}

static inline void met__store_relaxed(met__atomic_u64 *word, uint64_t value)
{
    model_store(word, value, 0);
}

static inline void met__store_release(met__atomic_u64 *word, uint64_t value)
{
    model_store(word, value, 1);
}

static inline int met__cas(met__atomic_u64 *word, uint64_t *expected,
                           uint64_t desired)
{
    if (model.current >= 0) {
        model_step();
    }
    uint64_t old = model.current < 0 ? *word : model_read(word, 1, 1);
    if (old != *expected) {
        *expected = model_say("cas lost", word, old);
        return 0;
    }
    if (model.current < 0) {
        *word = desired;
    } else {
        model_put(word, desired, 1, 1);
        model_say("cas", word, desired);
    }
    return 1;
}

static inline uint64_t met__fetch_add(met__atomic_u64 *word, uint64_t value)
{
    return model_update(word, 1, value, 1);
}

static inline uint64_t met__fetch_add_relaxed(met__atomic_u64 *word,
                                              uint64_t value)
{
    return model_update(word, 1, value, 0);
}

static inline uint64_t met__exchange(met__atomic_u64 *word, uint64_t value)
{
    return model_update(word, 0, value, 1);
}

static inline void met__fence_acquire(void)
{
    if (model.current >= 0) {
        model_thread *thread = &model.thread[model.current];
        model_join(&thread->now, &thread->acquired);
    }
}

static inline void met__fence_release(void)
{
    if (model.current >= 0) {
        model_thread *thread = &model.thread[model.current];
        thread->released = thread->now;
    }
}

/* --- The search ------------------------------------------------------------- */
static void model_execute(void)
{
    const model_spec *spec = model.spec;

    model.position = 0;
    model.words = 0;
    model.kills = 0;
    model.is_pruned = 0;
    for (int i = 0; i < spec->threads; i++) {
        model_thread *thread = &model.thread[i];
        thread->history = (uint64_t)i;
        thread->is_started = 0;
        thread->is_done = 0;
        memset(&thread->now, 0, sizeof thread->now);
        memset(&thread->acquired, 0, sizeof thread->acquired);
        memset(&thread->released, 0, sizeof thread->released);
    }
    spec->setup();
    while (model.result->failure == NULL) {
        int ready[2 * MODEL_THREADS];
        unsigned count = 0;

        for (int i = 0; i < spec->threads; i++) {
            if (!model.thread[i].is_done) {
                ready[count++] = i;
            }
        }
        if (count == 0) {
            break;
        }
        /* Every state but those that the choices lead through again. */
        if (model.position == model.choices && !model.is_loud
            && !model_visit(model_state())) {
            model.is_pruned = 1;
            return;
        }
        /* A thread that has not begun is not worth killing. */
        for (int i = 0; i < spec->threads && model.kills < spec->kills; i++) {
            if (!model.thread[i].is_done && model.thread[i].is_started) {
                ready[count++] = i + MODEL_THREADS;
            }
        }
        int next = ready[model_pick(count)];
        if (next < MODEL_THREADS) {
            model_resume(next);
        } else {
            next -= MODEL_THREADS;
            model.kills++;
            model_end(next);
            if (model.is_loud) {
                fprintf(stderr, "  thread %d is killed\n", next);
            }
            if (spec->killed != NULL) {
                spec->killed(next);
            }
        }
    }
    if (model.result->failure == NULL) {
        spec->finish();
    }
}

/* 1: every execution, or states_max states of them, went well. */
static inline int model_search(const model_spec *spec,
                               model_result *result_out)
{
    model.spec = spec;
    model.result = result_out;
    *result_out = (model_result){0};
    model.choices = 0;
    free(model.visited);
    model.visited = NULL;
    model.visited_size = 0;
    for (int i = 0; i < spec->threads; i++) {
        if (model.thread[i].stack == NULL) {
            model_create(i);
        }
    }
    for (;;) {
        model_execute();
        result_out->executions++;
        if (result_out->failure != NULL) {
            const char *failure = result_out->failure;
            fprintf(stderr, "fails: %s\n", failure);
            if (getenv("MODEL_TRACE") != NULL) {
                model.is_loud = 1;
                result_out->failure = NULL;
                model_execute();
                model.is_loud = 0;
                result_out->failure = failure;
            }
            return 0;
        }
        if (spec->states_max != 0 && result_out->states >= spec->states_max) {
            return 1;
        }
        while (model.choices > 0
               && model.choice[model.choices - 1].taken + 1
                      >= model.choice[model.choices - 1].count) {
            model.choices--;
        }
        if (model.choices == 0) {
            result_out->is_complete = 1;
            return 1;
        }
        model.choice[model.choices - 1].taken++;
    }
}

#endif
