/* The search behind atomic_model.h. Threads are coroutines, so nothing else
 * runs meanwhile. A state is the books, the words that were changed, what each
 * thread was answered and, in weak searches, what it can have seen (a 64-bit
 * hash; two states with one hash are taken for one).
 *
 * Others run only before an operation that they could notice or that could
 * notice them: a load of a word that no other thread has changed so far is
 * joined to the operation before it. When a later execution changes such a
 * word, the search begins anew with that known, so the last one, which counts,
 * joins nothing that matters. */
#undef _FORTIFY_SOURCE /* its longjmp refuses another stack */
#include "atomic_model.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define THREADS 4
#define WORDS 64  /* atomic words changed, weak searches */
#define WRITES 60 /* of one word, weak searches */
#define DEPTH 65536
#define LENGTH 700 /* choices; nothing in the library goes on that long */
#define STACK 131072
#define PLACES 8192 /* of words: a power of two */
#define SITES 256

typedef struct view {
    uint8_t seen[WORDS];
} view;

typedef struct write {
    uint64_t value;
    view view;
} write;

typedef struct weak_word {
    const uint64_t *address;
    unsigned writes;
    uint64_t hash;
    write write[WRITES];
} weak_word;

/* A word that some thread has changed in this search. */
typedef struct known_word {
    const uint64_t *address;
    unsigned writers; /* a bit a thread */
    unsigned weak;    /* its number in this execution, from 1 */
    uint64_t execution;
} known_word;

typedef struct thread {
    jmp_buf base;
    jmp_buf here;
    char *stack;
    uint64_t history;
    uint64_t numbers; /* got from counters */
    view now;
    view acquired; /* what an acquire fence would make visible */
    view released; /* what relaxed stores carry since the last fence */
    int is_started;
    int is_done;
} thread;

typedef struct choice {
    uint16_t taken;
    uint16_t count;
} choice;

typedef struct change {
    uint64_t *address;
    uint64_t old;
} change;

static struct {
    const model_spec *spec;
    model_result *result;
    thread thread[THREADS];
    weak_word word[WORDS];
    unsigned words;
    known_word known[PLACES];
    unsigned knowns;
    view full; /* what full fences have passed on */
    choice choice[DEPTH];
    unsigned choices;
    unsigned position;
    change change[DEPTH];
    unsigned changes;
    uint64_t sum; /* of the changed words */
    uint64_t execution;
    int current; /* -1: outside of the threads */
    int last;    /* thread that ran last; -1: none, or it has ended */
    int switches;
    int kills;
    int is_searching;
    int is_new; /* a word got a writer it had not: begin anew */
    int is_loud; /* prints the operations of a failed execution */
    uint64_t *visited;
    uint64_t visited_size;
    jmp_buf scheduler;
    ucontext_t start;
    model_site sites[SITES];
    int orders[SITES];
    size_t site_count;
    const model_site *weakened;
    int weakened_order;
} model = {.current = -1};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const void *bytes, size_t size)
{
    uint64_t hash = 1;
    uint64_t word;

    for (size_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, (const char *)bytes + i, 8);
        hash = mix(hash, word);
    }
    return hash;
}

static void die(const char *what)
{
    fprintf(stderr, "atomic_model.c: %s\n", what);
    abort();
}

/* --- Choices ---------------------------------------------------------------- */
static unsigned pick(unsigned count)
{
    if (count <= 1) {
        return 0;
    }
    if (model.position == model.choices) {
        if (model.choices == DEPTH) {
            die("an execution is too long");
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
        die("out of memory");
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

/* By address: a word's number depends on who touched it first. */
static uint64_t view_hash(const view *of)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < model.words; i++) {
        if (of->seen[i] != 0) {
            sum += mix((uint64_t)(uintptr_t)model.word[i].address,
                       of->seen[i]);
        }
    }
    return sum;
}

static uint64_t state_now(void)
{
    const model_spec *spec = model.spec;
    uint64_t hash = hash_of(spec->shared, spec->shared_size);

    for (int i = 0; i < spec->threads; i++) {
        const thread *it = &model.thread[i];
        hash = mix(hash, it->history);
        hash = mix(hash, (uint64_t)it->is_done);
        if (spec->is_weak && !it->is_done) {
            hash = mix(hash, view_hash(&it->now));
            hash = mix(hash, view_hash(&it->acquired));
            hash = mix(hash, view_hash(&it->released));
        }
    }
    if (spec->is_weak) {
        uint64_t sum = view_hash(&model.full);
        for (unsigned i = 0; i < model.words; i++) {
            sum += mix(model.word[i].hash,
                       (uint64_t)(uintptr_t)model.word[i].address);
        }
        hash = mix(hash, sum);
    }
    if (spec->switches_max != 0) {
        hash = mix(hash, (uint64_t)(model.switches * 8 + model.last + 1));
    }
    return mix(mix(hash, model.sum), (uint64_t)model.kills);
}

/* What it was answered no longer matters. */
static void end_thread(int i)
{
    model.thread[i].is_done = 1;
    model.thread[i].history = 0;
    model.last = -1;
}

/* --- Switching -------------------------------------------------------------- */
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
        die("no room for a thread");
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
        it->history = mix(it->history, value + 1);
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
    unsigned picked = pick(count);

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

/* --- Words ------------------------------------------------------------------ */
static known_word *known_of(const uint64_t *address)
{
    uint64_t place = mix(1, (uint64_t)(uintptr_t)address) & (PLACES - 1);

    while (model.known[place].address != NULL
           && model.known[place].address != address) {
        place = (place + 1) & (PLACES - 1);
    }
    return &model.known[place];
}

static int is_counter(const uint64_t *address)
{
    const char *first = model.spec->counters;

    return first != NULL && (const char *)address >= first
           && (const char *)address < first + model.spec->counters_size;
}

/* Whether another thread may have changed it. */
static int is_contended(const uint64_t *address)
{
    return (known_of(address)->writers & ~(1u << model.current)) != 0;
}

static void change_word(uint64_t *address, uint64_t value)
{
    if (!model.is_searching) {
        *address = value;
        return;
    }
    if (model.changes == DEPTH) {
        die("an execution changes too much");
    }
    model.change[model.changes++] = (change){address, *address};
    if (!is_counter(address) || address == model.spec->counter_kept) {
        model.sum += mix((uint64_t)(uintptr_t)address, value)
                     - mix((uint64_t)(uintptr_t)address, *address);
    }
    *address = value;
    if (model.current >= 0 && !is_counter(address)) {
        known_word *known = known_of(address);
        unsigned bit = 1u << model.current;
        if (known->address == NULL && ++model.knowns == PLACES / 2) {
            die("too many words");
        }
        known->address = address;
        model.is_new |= (known->writers & bit) == 0;
        known->writers |= bit;
    }
}

static void change_back(void)
{
    while (model.changes > 0) {
        const change *last = &model.change[--model.changes];
        *last->address = last->old;
    }
    model.sum = 0;
}

/* --- Older values ----------------------------------------------------------- */
static weak_word *weak_of(const uint64_t *address, unsigned *number_out)
{
    known_word *known = known_of(address);

    if (known->address == NULL) {
        if (++model.knowns == PLACES / 2) {
            die("too many words");
        }
        known->address = address;
    }
    if (known->execution != model.execution) {
        if (model.words == WORDS) {
            die("too many words");
        }
        weak_word *word = &model.word[model.words];
        memset(&word->write[0].view, 0, sizeof word->write[0].view);
        word->address = address;
        word->writes = 1;
        word->write[0].value = *address;
        word->hash = *address;
        known->execution = model.execution;
        known->weak = model.words++;
    }
    *number_out = known->weak;
    return &model.word[known->weak];
}

static void join(view *to, const view *more)
{
    for (int i = 0; i < WORDS; i++) {
        to->seen[i] = to->seen[i] < more->seen[i] ? more->seen[i]
                                                  : to->seen[i];
    }
}

/* The value of write k, and what comes with it. */
static uint64_t read_write(weak_word *word, unsigned number, unsigned k,
                           int orders)
{
    thread *it = &model.thread[model.current];

    it->now.seen[number] = (uint8_t)k;
    join(&it->acquired, &word->write[k].view);
    if (orders & MODEL_ACQUIRE) {
        join(&it->now, &word->write[k].view);
    }
    return word->write[k].value;
}

static uint64_t read_any(const uint64_t *address, int orders)
{
    unsigned number;
    weak_word *word = weak_of(address, &number);
    unsigned last = word->writes - 1;
    unsigned first = model.thread[model.current].now.seen[number];

    return read_write(word, number, last - pick(last - first + 1), orders);
}

/* Several words at once when values has more than one. is_update: it goes on
 * with what the write before it carried. */
static void put(uint64_t *address, const uint64_t *values, int count,
                int orders, int is_update)
{
    thread *it = &model.thread[model.current];
    weak_word *word[2];
    unsigned number[2];
    view carried;

    for (int i = 0; i < count && model.spec->is_weak; i++) {
        word[i] = weak_of(address + i, &number[i]);
        if (word[i]->writes == WRITES) {
            die("too many writes of one word");
        }
        it->now.seen[number[i]] = (uint8_t)word[i]->writes++;
    }
    for (int i = 0; i < count && model.spec->is_weak; i++) {
        unsigned k = word[i]->writes - 1u;
        carried = orders & MODEL_RELEASE ? it->now : it->released;
        for (int j = 0; j < count; j++) {
            carried.seen[number[j]] = it->now.seen[number[j]];
        }
        if (is_update) {
            join(&carried, &word[i]->write[k - 1].view);
        }
        word[i]->write[k] = (write){values[i], carried};
        word[i]->hash = mix(word[i]->hash, values[i])
                        + view_hash(&carried);
    }
    for (int i = 0; i < count; i++) {
        change_word(address + i, values[i]);
    }
}

/* --- Sites ------------------------------------------------------------------ */
static int compare_sites(const model_site *a, const model_site *b)
{
    int order = strcmp(a->file, b->file);

    if (order == 0) {
        order = a->line - b->line;
    }
    if (order == 0) {
        order = strcmp(a->operation, b->operation);
    }
    return order == 0 ? strcmp(a->word, b->word) : order;
}

/* The orders this site is to have. */
static int orders_at(const model_site *site, int orders)
{
    size_t low = 0;
    size_t high = model.site_count;

    if (!model.spec->is_weak || orders == 0) {
        return orders;
    }
    if (model.weakened != NULL) {
        return site->line == model.weakened->line
                       && compare_sites(site, model.weakened) == 0
                   ? orders & ~model.weakened_order
                   : orders;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_sites(&model.sites[middle], site);
        if (order == 0) {
            return orders;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (model.site_count == SITES) {
        die("too many sites");
    }
    memmove(&model.sites[low + 1], &model.sites[low],
            (model.site_count - low) * sizeof *model.sites);
    memmove(&model.orders[low + 1], &model.orders[low],
            (model.site_count - low) * sizeof *model.orders);
    model.sites[low] = *site;
    model.orders[low] = orders;
    model.site_count++;
    return orders;
}

size_t model_sites(const model_site **sites_out, const int **orders_out)
{
    *sites_out = model.sites;
    *orders_out = model.orders;
    return model.site_count;
}

void model_weaken(const model_site *site, int order)
{
    model.weakened = site;
    model.weakened_order = order;
}

/* --- Operations ------------------------------------------------------------- */
static void say(const model_site *site, const char *what, const void *address,
                uint64_t value)
{
    if (model.is_loud && model.current >= 0) {
        const char *file = strrchr(site->file, '/');
        fprintf(stderr, "  thread %d %-9s %016llx  %s:%d %s [..%05zx]\n",
                model.current, what, (unsigned long long)value,
                file == NULL ? site->file : file + 1, site->line, site->word,
                (size_t)(uintptr_t)address & 0xfffff);
    }
}

uint64_t model_load(const uint64_t *word, int orders, const model_site *site)
{
    if (model.current < 0 || !is_contended(word)) {
        return *word;
    }
    model_step();
    uint64_t value = model.spec->is_weak
                         ? read_any(word, orders_at(site, orders))
                         : *word;
    model_note(value);
    say(site, "load", word, value);
    return value;
}

void model_store(uint64_t *word, uint64_t value, int orders,
                 const model_site *site)
{
    if (model.current < 0) {
        change_word(word, value);
        return;
    }
    model_step();
    put(word, &value, 1, orders_at(site, orders), 0);
    say(site, "store", word, value);
}

/* What a counter answers: as in life, nobody gets it twice. Numbers of a
 * thread's own keep states alike that differ in who counted first. */
static uint64_t next_number(void)
{
    return (uint64_t)(model.current + 1) << 20
           | model.thread[model.current].numbers++;
}

uint64_t model_update(uint64_t *word, uint64_t factor, uint64_t value,
                      int orders, const model_site *site)
{
    uint64_t old = *word;
    uint64_t next = old * factor + value;

    if (model.current < 0 || is_counter(word)) {
        change_word(word, next);
        return model.current < 0 ? old : next_number();
    }
    model_step();
    old = *word;
    next = old * factor + value;
    orders = orders_at(site, orders);
    if (model.spec->is_weak) {
        unsigned number;
        weak_word *weak = weak_of(word, &number);
        read_write(weak, number, weak->writes - 1, orders);
    }
    put(word, &next, 1, orders, 1);
    model_note(old);
    say(site, "update", word, old);
    return old;
}

/* A swap that is lost is a load: it may see an older value. */
static uint64_t read_lost(const uint64_t *address, uint64_t expected,
                          int orders, int *is_lost)
{
    unsigned number;
    weak_word *word = weak_of(address, &number);
    unsigned last = word->writes - 1;
    unsigned first = model.thread[model.current].now.seen[number];
    unsigned lost[WRITES];
    unsigned count = 0;

    lost[count++] = last;
    for (unsigned k = last; k-- > first;) {
        if (word->write[k].value != expected) {
            lost[count++] = k;
        }
    }
    unsigned k = lost[pick(count)];
    *is_lost = word->write[k].value != expected;
    return read_write(word, number, k, orders);
}

int model_cas(uint64_t *words, uint64_t *expected, const uint64_t *desired,
              int count, const model_site *site)
{
    int orders = MODEL_ACQUIRE | MODEL_RELEASE;
    int is_lost = 0;

    if (model.current >= 0) {
        model_step();
        orders = orders_at(site, orders);
    }
    for (int i = 0; i < count && !is_lost; i++) {
        uint64_t old = words[i];
        if (model.current >= 0 && model.spec->is_weak) {
            old = read_lost(&words[i], expected[i], orders, &is_lost);
        } else {
            is_lost = old != expected[i];
        }
        if (is_lost) {
            expected[i] = old;
            model_note(old);
            say(site, "cas lost", &words[i], old);
        }
    }
    if (is_lost) {
        return 0;
    }
    model_note(1);
    if (model.current < 0) {
        for (int i = 0; i < count; i++) {
            change_word(&words[i], desired[i]);
        }
    } else {
        put(words, desired, count, orders, 1);
    }
    say(site, "cas", words, desired[0]);
    return 1;
}

int model_cas_pair(uint64_t *words, const uint64_t *expected,
                   const uint64_t *desired, const model_site *site)
{
    uint64_t found[2] = {expected[0], expected[1]};

    if (model.spec != NULL && model.spec->splits_pairs) {
        return model_cas(words, found, desired, 1, site)
               && model_cas(words + 1, found + 1, desired + 1, 1, site);
    }
    return model_cas(words, found, desired, 2, site);
}

void model_fence(int orders, const model_site *site)
{
    if (model.current < 0 || !model.spec->is_weak) {
        return;
    }
    thread *it = &model.thread[model.current];
    if (orders & MODEL_FULL) {
        model_step();
        orders = orders_at(site, orders & MODEL_FULL);
        if (orders == 0) {
            return;
        }
        orders = MODEL_ACQUIRE | MODEL_RELEASE | MODEL_FULL;
    } else {
        orders = orders_at(site, orders);
    }
    if (orders & MODEL_ACQUIRE) {
        join(&it->now, &it->acquired);
    }
    if (orders & MODEL_FULL) {
        join(&it->now, &model.full);
        model.full = it->now;
    }
    if (orders & MODEL_RELEASE) {
        it->released = it->now;
    }
    say(site, "fence", NULL, (uint64_t)orders);
}

/* --- The search ------------------------------------------------------------- */
static void begin(void)
{
    change_back();
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
        int next = who[pick(count)];
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

    if (model.weakened == NULL) {
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
    change_back();
    model.is_searching = 0;
    return result_out->failure == NULL;
}
