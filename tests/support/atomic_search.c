/* The search of atomic_model.h: every choice in turn. Threads are coroutines,
 * so nothing else runs meanwhile. At every choice the moment is kept with the
 * threads' stacks, and gone on from once more for what else could be chosen.
 *
 * A state is the books, the words that were changed, what each thread can still
 * see in weak searches, and where it stands: either all that it was answered,
 * or its stack and registers. States that are alike in one of both are one: the
 * first is blind to what the thread has forgotten, the second to what it has
 * left lying about. (Hashes of 64 bits; those that are equal are taken for
 * equal states.)
 *
 * Others run only before an operation that they could notice or that could
 * notice them: a load of a word that no other thread has changed so far is
 * joined to the operation before it. When a later execution changes such a
 * word, the search begins anew with that known, so the last one, which counts,
 * joins nothing that matters. */
#include "atomic_engine.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FRAMES (2 * LENGTH)
#define DIRTY 4096 /* bytes below a stack that calls have left something in */

/* A choice, and how it was before. */
typedef struct frame {
    moment before;
    size_t image[THREADS]; /* of the threads' stacks, in the pool */
    size_t pool_used;
    void *shared;
    int picker; /* the thread that asked; -1: who runs next */
    int who[2 * THREADS];
    unsigned taken;
    unsigned count;
} frame;

enum { STOPPED = 1, PICKING };

int model_tries = 2;

engine model = {.now = {.current = -1}};

static struct {
    char *stack[THREADS];
    jmp_buf base[THREADS];
    jmp_buf scheduler;
    ucontext_t start;
    frame frame[FRAMES];
    unsigned depth;
    unsigned position; /* of a loud repetition */
    unsigned wanted;   /* a thread asks for one of so many ... */
    unsigned given;    /* ... and gets this one */
    char *pool;        /* images of stacks */
    size_t pool_used;
    size_t pool_size;
    size_t image[THREADS];
    int has_image[THREADS]; /* the stack is as its last image */
    uint64_t *visited;
    uint64_t visited_size;
} search;

_Noreturn void model_die(const char *what)
{
    fprintf(stderr, "atomic_model.c: %s\n", what);
    abort();
}

/* --- States -------------------------------------------------------------- */
static uint64_t *slot_of(uint64_t hash)
{
    uint64_t place = hash & (search.visited_size - 1);

    while (search.visited[place] != 0 && search.visited[place] != hash) {
        place = (place + 1) & (search.visited_size - 1);
    }
    return &search.visited[place];
}

static void grow_visited(void)
{
    uint64_t old_size = search.visited_size;
    uint64_t *old = search.visited;

    search.visited_size = old_size == 0 ? 1 << 16 : old_size * 2;
    search.visited = calloc(search.visited_size, sizeof *search.visited);
    if (search.visited == NULL) {
        model_die("out of memory");
    }
    for (uint64_t i = 0; i < old_size; i++) {
        if (old[i] != 0) {
            *slot_of(old[i]) = old[i];
        }
    }
    free(old);
}

/* All that is not a thread's own. */
static uint64_t shared_now(void)
{
    const model_spec *spec = model.spec;
    uint64_t hash = XXH3_64bits(spec->shared, spec->shared_size);

    for (int i = 0; i < spec->threads; i++) {
        const thread *it = &model.now.thread[i];
        hash = model_mix(hash, (uint64_t)(it->is_started + it->is_done));
    }
    if (spec->is_weak) {
        hash = model_mix(hash, model_memory_hash());
    }
    if (spec->switches_max != 0) {
        hash = model_mix(hash, (uint64_t)(model.now.switches * 8
                                          + model.now.last + 1));
    }
    return model_mix(model_mix(hash, model.now.sum),
                     (uint64_t)model.now.kills);
}

static int is_known(uint64_t hash)
{
    return *slot_of(hash) == hash;
}

/* 1: the present state is new. */
static int visit(void)
{
    uint64_t shared = shared_now();
    uint64_t answered = shared;
    uint64_t standing = ~shared;

    for (int i = 0; i < model.spec->threads; i++) {
        const thread *it = &model.now.thread[i];
        answered = model_mix(answered, it->history);
        standing = model_mix(model_mix(standing, it->place), it->numbers);
    }
    answered |= answered == 0;
    standing |= standing == 0;
    if (model.result->states / 2 * 5 + 5 > search.visited_size) {
        grow_visited();
    }
    __builtin_prefetch(&search.visited[standing & (search.visited_size - 1)]);
    if (is_known(answered) || is_known(standing)) {
        return 0;
    }
    *slot_of(answered) = answered;
    *slot_of(standing) = standing;
    model.result->states++;
    return 1;
}

/* Where it was no longer matters. */
static void end_thread(int i)
{
    model.now.thread[i].is_done = 1;
    model.now.thread[i].history = 0;
    model.now.thread[i].place = 0;
    model.now.thread[i].numbers = 0;
    model.now.last = -1;
}

/* --- Threads -------------------------------------------------------------- */
static void enter(void)
{
    static ucontext_t unused;

    if (_setjmp(search.base[model.now.current]) == 0) {
        swapcontext(&unused, &search.start);
    }
    model.spec->thread(model.now.current);
    end_thread(model.now.current);
    _longjmp(search.scheduler, STOPPED);
}

static void create(int i)
{
    static ucontext_t fresh;

    search.stack[i] = malloc(STACK);
    if (search.stack[i] == NULL || getcontext(&fresh) != 0) {
        model_die("no room for a thread");
    }
    fresh.uc_stack.ss_sp = search.stack[i];
    fresh.uc_stack.ss_size = STACK;
    makecontext(&fresh, enter, 0);
    model.now.current = i;
    swapcontext(&search.start, &fresh);
    model.now.current = -1;
}

static char *stack_pointer(void)
{
    char *low;

#ifdef __x86_64__
    __asm__ __volatile__("mov %%rsp, %0" : "=r"(low));
#else
    __asm__ __volatile__("mov %0, sp" : "=r"(low));
#endif
    return low;
}

/* Back to the scheduler, until it lets this thread go on. */
static __attribute__((noinline)) void leave(int why)
{
    thread *it = &model.now.thread[model.now.current];

    it->low = stack_pointer();
    if (_setjmp(it->here) == 0) {
        _longjmp(search.scheduler, why);
    }
}

static size_t stack_size(int i)
{
    return (size_t)(search.stack[i] + STACK - model.now.thread[i].low);
}

/* The registers at the beginning of jmp_buf are all that comes back. */
static uint64_t place_of(int i)
{
    const thread *it = &model.now.thread[i];

    return model_mix(XXH3_64bits(it->low, stack_size(i)),
                     XXH3_64bits(it->here, sizeof it->here[0].__jmpbuf));
}

/* Why the thread came back. */
static int resume(int i)
{
    model.now.current = i;
    search.has_image[i] = 0;
    switch (_setjmp(search.scheduler)) {
    case 0:
        if (model.now.thread[i].is_started) {
            memset(model.now.thread[i].low - DIRTY, 0, DIRTY);
            _longjmp(model.now.thread[i].here, 1);
        }
        model.now.thread[i].is_started = 1;
        _longjmp(search.base[i], 1);
    case PICKING:
        return PICKING;
    default:
        model.now.current = -1;
        if (!model.now.thread[i].is_done) {
            model.now.thread[i].place = place_of(i);
        }
        return STOPPED;
    }
}

void model_note(uint64_t value)
{
    if (model.now.current >= 0) {
        thread *it = &model.now.thread[model.now.current];
        it->history = model_mix(it->history, value + 1);
    }
}

void model_forget(void)
{
    if (model.now.current >= 0) {
        model.now.thread[model.now.current].history =
            (uint64_t)model.now.current;
    }
}

void model_step(void)
{
    model_note(0); /* having come here is a part of the state */
    if (model.now.current >= 0) {
        leave(STOPPED);
    }
}

unsigned model_pick(unsigned count)
{
    if (count <= 1) {
        return 0;
    }
    search.wanted = count;
    leave(PICKING);
    return search.given;
}

unsigned model_choose(unsigned count)
{
    unsigned picked = model_pick(count);

    model_note(picked);
    return picked;
}

void model_must(int holds, const char *what)
{
    if (!holds && model.result->failure == NULL) {
        model.result->failure = what;
    }
    if (!holds && model.now.current >= 0) {
        _longjmp(search.scheduler, STOPPED);
    }
}

/* --- Moments -------------------------------------------------------------- */
static int is_under_way(int i)
{
    return model.now.thread[i].is_started && !model.now.thread[i].is_done;
}

static void keep_stack(int i)
{
    size_t size = stack_size(i);

    if (search.has_image[i]) {
        return;
    }
    if (search.pool_used + size > search.pool_size) {
        search.pool_size = 2 * search.pool_size + STACK;
        search.pool = realloc(search.pool, search.pool_size);
        if (search.pool == NULL) {
            model_die("out of memory");
        }
    }
    memcpy(search.pool + search.pool_used, model.now.thread[i].low, size);
    search.image[i] = search.pool_used;
    search.has_image[i] = 1;
    search.pool_used += size;
}

/* The first of `count` ways to go on; the others will be had from here. */
static unsigned keep_choice(int picker, const int *who, unsigned count)
{
    if (count == 1) {
        return 0;
    }
    if (model.is_loud) {
        return search.frame[search.position++].taken;
    }
    if (search.depth == FRAMES) {
        model_die("an execution is too long");
    }
    frame *here = &search.frame[search.depth++];
    for (int i = 0; i < model.spec->threads; i++) {
        if (is_under_way(i)) {
            keep_stack(i);
        }
        here->image[i] = search.image[i];
    }
    here->before = model.now;
    here->pool_used = search.pool_used;
    here->shared = here->shared != NULL ? here->shared
                                        : malloc(model.spec->shared_size);
    if (here->shared == NULL) {
        model_die("out of memory");
    }
    memcpy(here->shared, model.spec->shared, model.spec->shared_size);
    here->picker = picker;
    if (who != NULL) {
        memcpy(here->who, who, sizeof here->who);
    }
    here->taken = 0;
    here->count = count;
    return 0;
}

static void go_back(const frame *here)
{
    model_change_back(here->before.changes);
    memcpy(model.spec->shared, here->shared, model.spec->shared_size);
    model.now = here->before;
    search.pool_used = here->pool_used;
    for (int i = 0; i < model.spec->threads; i++) {
        if (is_under_way(i)
            && !(search.has_image[i] && search.image[i] == here->image[i])) {
            memcpy(model.now.thread[i].low, search.pool + here->image[i],
                   stack_size(i));
            search.image[i] = here->image[i];
            search.has_image[i] = 1;
        }
    }
}

/* --- The search ----------------------------------------------------------- */
static void begin(void)
{
    model_change_back(0);
    model.now = (moment){.current = -1, .last = -1};
    for (int i = 0; i < model.spec->threads; i++) {
        model.now.thread[i].history = (uint64_t)i;
        search.has_image[i] = 0;
    }
    search.pool_used = 0;
    model.spec->setup();
}

static void kill_thread(int i)
{
    model.now.kills++;
    end_thread(i);
    if (model.is_loud) {
        fprintf(stderr, "  thread %d is killed\n", i);
    }
    if (model.spec->killed != NULL) {
        model.spec->killed(i);
    }
}

/* Who may run next, or (+ THREADS) be killed. */
static unsigned ready(int *who)
{
    const model_spec *spec = model.spec;
    int must_go_on = spec->switches_max != 0 && model.now.last >= 0
                     && model.now.switches >= spec->switches_max;
    unsigned count = 0;

    for (int i = 0; i < spec->threads; i++) {
        if (!model.now.thread[i].is_done
            && (!must_go_on || i == model.now.last)) {
            who[count++] = i;
        }
    }
    /* A thread that has not begun is not worth killing. */
    for (int i = 0; i < spec->threads && model.now.kills < spec->kills; i++) {
        if (is_under_way(i)) {
            who[count++] = i + THREADS;
        }
    }
    return count;
}

/* Lets a thread go on to its next operation. */
static void go_on(int i)
{
    while (resume(i) == PICKING) {
        search.given = keep_choice(i, NULL, search.wanted);
    }
}

/* A thread's next operation, or its death. */
static void follow(int next)
{
    if (next >= THREADS) {
        kill_thread(next - THREADS);
        return;
    }
    if (search.depth > LENGTH) {
        model.result->failure = "an execution comes to an end";
        return;
    }
    model.now.switches += model.now.last >= 0 && model.now.last != next;
    model.now.last = next;
    go_on(next);
}

/* To the end of the execution, or to a state that was there before. */
static void advance(void)
{
    while (model.result->failure == NULL) {
        int who[2 * THREADS] = {0};
        unsigned count = ready(who);

        if (count == 0) {
            model.spec->finish();
            return;
        }
        if (!model.is_loud && !visit()) {
            return;
        }
        follow(who[keep_choice(-1, who, count)]);
    }
}

/* From the last choice that has another way; 0: there is none. */
static int take_next(void)
{
    while (search.depth > 0
           && search.frame[search.depth - 1].taken + 1
                  >= search.frame[search.depth - 1].count) {
        search.depth--;
    }
    if (search.depth == 0) {
        return 0;
    }
    frame *here = &search.frame[search.depth - 1];
    go_back(here);
    here->taken++;
    if (here->picker < 0) {
        follow(here->who[here->taken]);
    } else {
        search.given = here->taken;
        go_on(here->picker);
    }
    advance();
    return 1;
}

static void start_anew(void)
{
    search.depth = 0;
    model.is_new = 0;
    model.result->states = 0;
    model.result->executions = 0;
    free(search.visited);
    search.visited = NULL;
    search.visited_size = 0;
    begin();
    advance();
}

static void tell_failure(void)
{
    const char *failure = model.result->failure;

    if (!model.is_weakened) {
        fprintf(stderr, "fails: %s\n", failure);
    }
    if (getenv("MODEL_TRACE") != NULL) {
        model.is_loud = 1;
        model.result->failure = NULL;
        search.position = 0;
        begin();
        advance();
        model.is_loud = 0;
        model.result->failure = failure;
    }
}

static void prepare(const model_spec *spec, model_result *result_out)
{
    model.spec = spec;
    model.result = result_out;
    *result_out = (model_result){0};
    memset(model.known, 0, sizeof model.known);
    model.knowns = 0;
    model.is_searching = 1;
    model.now.changes = 0;
    for (int i = 0; i < spec->threads; i++) {
        if (search.stack[i] == NULL) {
            create(i);
        }
    }
    for (int i = 0; i < FRAMES; i++) { /* another search's have another size */
        free(search.frame[i].shared);
        search.frame[i].shared = NULL;
    }
}

int model_search(const model_spec *spec, model_result *result_out)
{
    prepare(spec, result_out);
    start_anew();
    for (;;) {
        result_out->executions++;
        if (result_out->failure != NULL) {
            tell_failure();
            break;
        }
        if (model.is_new) {
            start_anew();
            continue;
        }
        if (spec->states_max != 0 && result_out->states >= spec->states_max) {
            break;
        }
        if (!take_next()) {
            result_out->is_complete = 1;
            break;
        }
    }
    model_change_back(0);
    model.now = (moment){.current = -1};
    model.is_searching = 0;
    return result_out->failure == NULL;
}
