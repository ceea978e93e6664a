/* The search of atomic_model.h: every choice in turn. Threads are coroutines,
 * so nothing else runs meanwhile. A state is the books, the words that were
 * changed, what each thread was answered and, in weak searches, what it can
 * still see (a 64-bit hash; two states with one hash are taken for one).
 *
 * Others run only before an operation that they could notice or that could
 * notice them: a load of a word that no other thread has changed so far is
 * joined to the operation before it. When a later execution changes such a
 * word, the search begins anew with that known, so the last one, which counts,
 * joins nothing that matters. */
#include "atomic_engine.h"

engine model = {.current = -1};

static uint64_t hash_of(const void *bytes, size_t size)
{
    uint64_t hash = 1;
    uint64_t word;

    for (size_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, (const char *)bytes + i, 8);
        hash = model_mix(hash, word);
    }
    return hash;
}

_Noreturn void model_die(const char *what)
{
    fprintf(stderr, "atomic_model.c: %s\n", what);
    abort();
}

/* --- Choices -------------------------------------------------------------- */
unsigned model_pick(unsigned count)
{
    if (count <= 1) {
        return 0;
    }
    if (model.position == model.choices) {
        if (model.choices == DEPTH) {
            model_die("an execution is too long");
        }
        model.choice[model.choices++] = (choice){0, (uint16_t)count};
    }
    return model.choice[model.position++].taken;
}

static uint64_t *slot_of(uint64_t hash)
{
    uint64_t place = hash & (model.visited_size - 1);

    while (model.visited[place] != 0 && model.visited[place] != hash) {
        place = (place + 1) & (model.visited_size - 1);
    }
    return &model.visited[place];
}

static void grow_visited(void)
{
    uint64_t old_size = model.visited_size;
    uint64_t *old = model.visited;

    model.visited_size = old_size == 0 ? 1 << 16 : old_size * 2;
    model.visited = calloc(model.visited_size, sizeof *model.visited);
    if (model.visited == NULL) {
        model_die("out of memory");
    }
    for (uint64_t i = 0; i < old_size; i++) {
        if (old[i] != 0) {
            *slot_of(old[i]) = old[i];
        }
    }
    free(old);
}

/* 1: the state is new. */
static int visit(uint64_t hash)
{
    hash |= hash == 0;
    if ((model.result->states + 1) * 2 > model.visited_size) {
        grow_visited();
    }
    uint64_t *slot = slot_of(hash);
    if (*slot == hash) {
        return 0;
    }
    *slot = hash;
    model.result->states++;
    return 1;
}

static uint64_t state_now(void)
{
    const model_spec *spec = model.spec;
    uint64_t hash = hash_of(spec->shared, spec->shared_size);

    for (int i = 0; i < spec->threads; i++) {
        const thread *it = &model.thread[i];
        hash = model_mix(hash, it->history);
        hash = model_mix(hash, (uint64_t)it->is_done);
    }
    if (spec->is_weak) {
        hash = model_mix(hash, model_memory_hash());
    }
    if (spec->switches_max != 0) {
        hash = model_mix(hash, (uint64_t)(model.switches * 8 + model.last + 1));
    }
    return model_mix(model_mix(hash, model.sum), (uint64_t)model.kills);
}

/* What it was answered no longer matters. */
static void end_thread(int i)
{
    model.thread[i].is_done = 1;
    model.thread[i].history = 0;
    model.last = -1;
}

/* --- Switching ------------------------------------------------------------ */
static void enter(void)
{
    static ucontext_t unused;

    if (_setjmp(model.thread[model.current].base) == 0) {
        swapcontext(&unused, &model.start);
    }
    model.spec->thread(model.current);
    end_thread(model.current);
    _longjmp(model.scheduler, 1);
}

static void create(int i)
{
    static ucontext_t fresh;

    model.thread[i].stack = malloc(STACK);
    if (model.thread[i].stack == NULL || getcontext(&fresh) != 0) {
        model_die("no room for a thread");
    }
    fresh.uc_stack.ss_sp = model.thread[i].stack;
    fresh.uc_stack.ss_size = STACK;
    makecontext(&fresh, enter, 0);
    model.current = i;
    swapcontext(&model.start, &fresh);
    model.current = -1;
}

static void resume(int i)
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

void model_note(uint64_t value)
{
    if (model.current >= 0) {
        thread *it = &model.thread[model.current];
        it->history = model_mix(it->history, value + 1);
    }
}

void model_forget(void)
{
    if (model.current >= 0) {
        model.thread[model.current].history = (uint64_t)model.current;
    }
}

void model_step(void)
{
    model_note(0); /* having come here is a part of the state */
    if (model.current >= 0 && _setjmp(model.thread[model.current].here) == 0) {
        _longjmp(model.scheduler, 1);
    }
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
    if (!holds && model.current >= 0) {
        _longjmp(model.scheduler, 1);
    }
}

/* --- The search ----------------------------------------------------------- */
static void begin(void)
{
    model_change_back();
    model.execution++;
    model.position = 0;
    model.words = 0;
    model.kills = 0;
    model.switches = 0;
    model.last = -1;
    memset(&model.full, 0, sizeof model.full);
    for (int i = 0; i < model.spec->threads; i++) {
        thread *it = &model.thread[i];
        it->history = (uint64_t)i;
        it->numbers = 0;
        it->is_started = 0;
        it->is_done = 0;
        memset(&it->now, 0, sizeof it->now);
        memset(&it->acquired, 0, sizeof it->acquired);
        memset(&it->released, 0, sizeof it->released);
    }
    model.spec->setup();
}

static void kill_thread(int i)
{
    model.kills++;
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
    int must_go_on = spec->switches_max != 0 && model.last >= 0
                     && model.switches >= spec->switches_max;
    unsigned count = 0;

    for (int i = 0; i < spec->threads; i++) {
        if (!model.thread[i].is_done && (!must_go_on || i == model.last)) {
            who[count++] = i;
        }
    }
    /* A thread that has not begun is not worth killing. */
    for (int i = 0; i < spec->threads && model.kills < spec->kills; i++) {
        if (!model.thread[i].is_done && model.thread[i].is_started) {
            who[count++] = i + THREADS;
        }
    }
    return count;
}

static void execute(void)
{
    begin();
    while (model.result->failure == NULL) {
        int who[2 * THREADS];
        unsigned count = ready(who);

        if (count == 0) {
            break;
        }
        /* Every state but those that the choices lead through again. */
        if (model.position == model.choices && !model.is_loud
            && !visit(state_now())) {
            return;
        }
        int next = who[model_pick(count)];
        if (next >= THREADS) {
            kill_thread(next - THREADS);
            continue;
        }
        if (model.position > LENGTH) {
            model.result->failure = "an execution comes to an end";
            return;
        }
        model.switches += model.last >= 0 && model.last != next;
        model.last = next;
        resume(next);
    }
    if (model.result->failure == NULL) {
        model.spec->finish();
    }
}

static void forget_states(void)
{
    model.choices = 0;
    model.is_new = 0;
    model.result->states = 0;
    model.result->executions = 0;
    free(model.visited);
    model.visited = NULL;
    model.visited_size = 0;
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
        execute();
        model.is_loud = 0;
        model.result->failure = failure;
    }
}

int model_search(const model_spec *spec, model_result *result_out)
{
    model.spec = spec;
    model.result = result_out;
    *result_out = (model_result){0};
    memset(model.known, 0, sizeof model.known);
    model.knowns = 0;
    model.is_searching = 1;
    forget_states();
    for (int i = 0; i < spec->threads; i++) {
        if (model.thread[i].stack == NULL) {
            create(i);
        }
    }
    for (;;) {
        execute();
        result_out->executions++;
        if (result_out->failure != NULL) {
            tell_failure();
            break;
        }
        if (model.is_new) {
            forget_states();
            continue;
        }
        if (spec->states_max != 0 && result_out->states >= spec->states_max) {
            break;
        }
        while (model.choices > 0
               && model.choice[model.choices - 1].taken + 1
                      >= model.choice[model.choices - 1].count) {
            model.choices--;
        }
        if (model.choices == 0) {
            result_out->is_complete = 1;
            break;
        }
        model.choice[model.choices - 1].taken++;
    }
    model_change_back();
    model.is_searching = 0;
    return result_out->failure == NULL;
}
