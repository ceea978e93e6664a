/* Memory as the model checker's threads see it: in weak searches each word with
 * all values it had in this execution, each thread with what it must see. */
#include "atomic_engine.h"

/* --- Words ---------------------------------------------------------------- */
static known_word *known_of(const uint64_t *address)
{
    uint64_t place = model_mix(1, (uint64_t)(uintptr_t)address) & (PLACES - 1);

    while (model.known[place].address != NULL
           && model.known[place].address != address) {
        place = (place + 1) & (PLACES - 1);
    }
    return &model.known[place];
}

static int is_counter(const uint64_t *address)
{
    uintptr_t at = (uintptr_t)address;

    for (int i = 0; i < 2; i++) {
        uintptr_t first = (uintptr_t)model.spec->counters[i].first;
        if (at - first < model.spec->counters[i].size) {
            return 1;
        }
    }
    return 0;
}

/* Whether another thread may have changed it. */
static int is_contended(const uint64_t *address)
{
    return (known_of(address)->writers & ~(1u << model.now.current)) != 0;
}

static void change_word(uint64_t *address, uint64_t value)
{
    if (!model.is_searching) {
        *address = value;
        return;
    }
    if (model.now.changes == DEPTH) {
        model_die("an execution changes too much");
    }
    model.change[model.now.changes++] = (change){address, *address};
    if (!is_counter(address) || address == model.spec->counter_kept) {
        model.now.sum += model_mix((uint64_t)(uintptr_t)address, value)
                     - model_mix((uint64_t)(uintptr_t)address, *address);
    }
    *address = value;
    if (model.now.current >= 0 && !is_counter(address)) {
        known_word *known = known_of(address);
        unsigned bit = 1u << model.now.current;
        if (known->address == NULL && ++model.knowns == PLACES / 2) {
            model_die("too many words");
        }
        known->address = address;
        model.is_new |= (known->writers & bit) == 0;
        known->writers |= bit;
    }
}

void model_change_back(unsigned changes)
{
    while (model.now.changes > changes) {
        const change *last = &model.change[--model.now.changes];
        *last->address = last->old;
    }
}

/* --- Older values --------------------------------------------------------- */
static weak_word *weak_of(const uint64_t *address, unsigned *number_out)
{
    known_word *known = known_of(address);

    if (known->address == NULL) {
        if (++model.knowns == PLACES / 2) {
            model_die("too many words");
        }
        known->address = address;
    }
    if (known->weak >= model.now.words
        || model.word[known->weak].address != address) {
        if (model.now.words == WORDS) {
            model_die("too many words");
        }
        weak_word *word = &model.word[model.now.words];
        memset(&word->write[0].view, 0, sizeof word->write[0].view);
        word->address = address;
        word->write[0].value = *address;
        model.now.writes[model.now.words] = 1;
        known->weak = model.now.words++;
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
    thread *it = &model.now.thread[model.now.current];

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
    unsigned last = model.now.writes[number] - 1u;
    unsigned first = model.now.thread[model.now.current].now.seen[number];

    return read_write(word, number, last - model_pick(last - first + 1),
                      orders);
}

/* Several words at once when values has more than one. is_update: it goes on
 * with what the write before it carried. */
static void put(uint64_t *address, const uint64_t *values, int count,
                int orders, int is_update)
{
    thread *it = &model.now.thread[model.now.current];
    weak_word *word[2];
    unsigned number[2];
    view carried;

    for (int i = 0; i < count && model.spec->is_weak; i++) {
        word[i] = weak_of(address + i, &number[i]);
        if (model.now.writes[number[i]] == WRITES) {
            model_die("too many writes of one word");
        }
        it->now.seen[number[i]] = model.now.writes[number[i]]++;
    }
    for (int i = 0; i < count && model.spec->is_weak; i++) {
        unsigned k = model.now.writes[number[i]] - 1u;
        carried = orders & MODEL_RELEASE ? it->now : it->released;
        for (int j = 0; j < count; j++) {
            carried.seen[number[j]] = it->now.seen[number[j]];
        }
        if (is_update) {
            join(&carried, &word[i]->write[k - 1].view);
        }
        word[i]->write[k] = (write){values[i], carried};
    }
    for (int i = 0; i < count; i++) {
        change_word(address + i, values[i]);
    }
}

/* --- The state ------------------------------------------------------------ */
/* The oldest write of each word that a thread which goes on may still see. What
 * is older than that, in a word or in what comes with one, can be seen no more:
 * states that differ in it only are one. */
static view oldest_seen(void)
{
    view oldest;

    memset(&oldest, 0xff, sizeof oldest);
    for (int i = 0; i < model.spec->threads; i++) {
        const thread *it = &model.now.thread[i];
        for (int k = 0; k < WORDS && !it->is_done; k++) {
            oldest.seen[k] = oldest.seen[k] < it->now.seen[k]
                                 ? oldest.seen[k]
                                 : it->now.seen[k];
        }
    }
    return oldest;
}

/* By address: a word's number depends on who touched it first. Most of a view
 * is as old as the oldest: eight words at a time. */
static uint64_t view_hash(const view *of, const view *oldest)
{
    view newer;
    uint64_t sum = 0;

    for (unsigned i = 0; i < WORDS; i++) {
        newer.seen[i] = of->seen[i] > oldest->seen[i]
                            ? (uint8_t)(of->seen[i] - oldest->seen[i])
                            : 0;
    }
    for (unsigned first = 0; first < model.now.words; first += 8) {
        uint64_t eight;
        memcpy(&eight, newer.seen + first, sizeof eight);
        for (unsigned i = first; eight != 0 && i < first + 8; i++) {
            if (newer.seen[i] != 0) {
                sum += model_mix((uint64_t)(uintptr_t)model.word[i].address,
                                 newer.seen[i]);
            }
        }
    }
    return sum;
}

uint64_t model_memory_hash(void)
{
    view oldest = oldest_seen();
    uint64_t hash = view_hash(&model.now.full, &oldest);

    for (int i = 0; i < model.spec->threads; i++) {
        const thread *it = &model.now.thread[i];
        if (!it->is_done) {
            hash = model_mix(hash, view_hash(&it->now, &oldest));
            hash = model_mix(hash, view_hash(&it->acquired, &oldest));
            hash = model_mix(hash, view_hash(&it->released, &oldest));
        }
    }
    for (unsigned i = 0; i < model.now.words; i++) {
        const weak_word *word = &model.word[i];
        uint64_t mine = (uint64_t)(uintptr_t)word->address;
        if (oldest.seen[i] + 1u == model.now.writes[i]
            && view_hash(&word->write[oldest.seen[i]].view, &oldest) == 0) {
            continue; /* everybody has seen the last one */
        }
        for (unsigned k = oldest.seen[i]; k < model.now.writes[i]; k++) {
            mine = model_mix(mine, word->write[k].value);
            mine = model_mix(mine, view_hash(&word->write[k].view, &oldest));
        }
        hash += mine;
    }
    return hash;
}

/* --- Operations ----------------------------------------------------------- */
uint64_t model_load(const uint64_t *word, int orders, const model_site *site)
{
    if (model.now.current < 0 || !is_contended(word)) {
        return *word;
    }
    model_step();
    uint64_t value = model.spec->is_weak
                         ? read_any(word, model_orders_at(site, orders))
                         : *word;
    model_note(value);
    model_say(site, "load", word, value);
    return value;
}

void model_store(uint64_t *word, uint64_t value, int orders,
                 const model_site *site)
{
    if (model.now.current < 0) {
        change_word(word, value);
        return;
    }
    model_step();
    put(word, &value, 1, model_orders_at(site, orders), 0);
    model_say(site, "store", word, value);
}

/* What a counter answers: as in life, nobody gets it twice. Numbers of a
 * thread's own keep states alike that differ in who counted first. */
static uint64_t next_number(void)
{
    return (uint64_t)(model.now.current + 1) << 20
           | model.now.thread[model.now.current].numbers++;
}

uint64_t model_update(uint64_t *word, uint64_t factor, uint64_t value,
                      int orders, const model_site *site)
{
    uint64_t old = *word;
    uint64_t next = old * factor + value;

    if (model.now.current < 0 || is_counter(word)) {
        change_word(word, next);
        return model.now.current < 0 ? old : next_number();
    }
    model_step();
    old = *word;
    next = old * factor + value;
    orders = model_orders_at(site, orders);
    if (model.spec->is_weak) {
        unsigned number;
        weak_word *weak = weak_of(word, &number);
        read_write(weak, number, model.now.writes[number] - 1u, orders);
    }
    put(word, &next, 1, orders, 1);
    model_note(old);
    model_say(site, "update", word, old);
    return old;
}

/* A swap that is lost is a load: it may see an older value. */
static uint64_t read_lost(const uint64_t *address, uint64_t expected,
                          int orders, int *is_lost)
{
    unsigned number;
    weak_word *word = weak_of(address, &number);
    unsigned last = model.now.writes[number] - 1u;
    unsigned first = model.now.thread[model.now.current].now.seen[number];
    unsigned lost[WRITES];
    unsigned count = 0;

    lost[count++] = last;
    for (unsigned k = last; k-- > first;) {
        if (word->write[k].value != expected) {
            lost[count++] = k;
        }
    }
    unsigned k = lost[model_pick(count)];
    *is_lost = word->write[k].value != expected;
    return read_write(word, number, k, orders);
}

int model_cas(uint64_t *words, uint64_t *expected, const uint64_t *desired,
              int count, const model_site *site)
{
    int orders = MODEL_ACQUIRE | MODEL_RELEASE;
    int is_lost = 0;

    if (model.now.current >= 0) {
        model_step();
        orders = model_orders_at(site, orders);
    }
    for (int i = 0; i < count && !is_lost; i++) {
        uint64_t old = words[i];
        if (model.now.current >= 0 && model.spec->is_weak) {
            old = read_lost(&words[i], expected[i], orders, &is_lost);
        } else {
            is_lost = old != expected[i];
        }
        if (is_lost) {
            expected[i] = old;
            model_note(old);
            model_say(site, "cas lost", &words[i], old);
        }
    }
    if (is_lost) {
        return 0;
    }
    model_note(1);
    /* A second word that stays what it is was only read: that others read the
     * older write of the same value lets them see less, never more. */
    count -= count == 2 && desired[1] == words[1];
    if (model.now.current < 0) {
        for (int i = 0; i < count; i++) {
            change_word(&words[i], desired[i]);
        }
    } else {
        put(words, desired, count, orders, 1);
    }
    model_say(site, "cas", words, desired[0]);
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
    if (model.now.current < 0 || !model.spec->is_weak) {
        return;
    }
    thread *it = &model.now.thread[model.now.current];
    if (orders & MODEL_FULL) {
        model_step();
        orders = model_orders_at(site, orders & MODEL_FULL);
        if (orders == 0) {
            return;
        }
        orders = MODEL_ACQUIRE | MODEL_RELEASE | MODEL_FULL;
    } else {
        orders = model_orders_at(site, orders);
    }
    if (orders & MODEL_ACQUIRE) {
        join(&it->now, &it->acquired);
    }
    if (orders & MODEL_FULL) {
        join(&it->now, &model.now.full);
        model.now.full = it->now;
    }
    if (orders & MODEL_RELEASE) {
        it->released = it->now;
    }
    model_say(site, "fence", NULL, (uint64_t)orders);
}
