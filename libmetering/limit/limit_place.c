/* Places of records: finding, making, giving idle ones to other keys. In: a
 * key's hash. Out: its one record, whatever other threads and processes do and
 * whenever they are killed.
 *
 * A key may be in any place of its two blocks. What a place holds is said by
 * the record's name and head; the control words' tags only make it quick to
 * find, and are repaired when they are wrong.
 *
 *   head         closed, "open for": the name is there, uniqueness is not yet
 *                closed, given up: free for anybody
 *                anything else: the record counts
 *
 * Insert: (1) take a place by one compare-and-swap of head and name together,
 * from empty, idle, given up, or "open for" another name for longer than
 * LEASE_MS: it is "open for" this one; (2) set the tag; (3) full fence, look at
 * every place: an established twin wins, of two that are not established yet
 * the one at the lower place; the loser's head is given up, so that only one
 * compare-and-swap can succeed; (4) head becomes 0. Whoever finds "open for"
 * completes it. A closed head never comes twice, so who sleeps at any of these
 * steps finds that the place has gone on. */
#include "limit/limit_find.h"

#define LEASE_MS 1000
#ifndef MET__PLACE_TRIES
#define MET__PLACE_TRIES 64
#endif
#define TAG_TRIES 1000

#define OPEN_FOR (UINT64_C(1) << 61)
#define CLOSED (MET__HEAD_FROZEN | MET__HEAD_CLOSED)

met__record *met__place_find_far(const met__limit_table *table,
                                 const met__place_key *key,
                                 const met__place_name *name)
{
    met__record *record = NULL;

    for (int choice = 0; choice < MET__CHOICES; choice++) {
        uint64_t home = met__place_home(name->name);
        for (uint64_t i = 0; record == NULL && i < MET__BLOCK_GROUPS; i++) {
            uint64_t group = (home ^ i) * MET__GROUP_PLACES;
            record = met__place_find_in(table, key->block[choice] + group,
                                        name);
        }
    }
    return record;
}

/* --- Tags ----------------------------------------------------------------- */
/* Hints, as what `choose` reads: whoever follows one looks at the record, so
 * they are read without an order. */
static void set_tag(met__limit_table *table, const met__record *record,
                    uint32_t tag)
{
    uint64_t place = (uint64_t)(record - table->records);
    met__atomic_u64 *control = &table->controls[place / MET__GROUP_PLACES];
    uint64_t shift = place % MET__GROUP_PLACES * 8;
    uint64_t word = met__load_relaxed(control);

    for (int i = 0; i < TAG_TRIES; i++) {
        if ((word >> shift & 0xff) == tag) {
            return;
        }
        if (met__cas(control, &word,
                     (word & ~(UINT64_C(0xff) << shift))
                         | (uint64_t)tag << shift)) {
            return;
        }
    }
}

/* --- Heads of closed places ----------------------------------------------- */
static uint64_t now_ms(const met__window_time *time)
{
    return time->monotonic_ns / 1000000 & UINT32_MAX;
}

/* Closed at a moment, never twice the same word. */
static uint64_t closed_at(met__limit_table *table, uint64_t ms)
{
    uint64_t number = met__fetch_add_relaxed(
        &table->head->counters[MET__COUNT_CLAIMS], 1);

    return CLOSED | (ms & UINT32_MAX) << 29
           | (number & ((UINT64_C(1) << 29) - 1));
}

static int is_free(met__limit_table *table, uint64_t head, uint64_t name,
                   const met__window_time *time)
{
    if (head & MET__HEAD_CLOSED) {
        uint64_t age = (now_ms(time) - (head >> 29)) & UINT32_MAX;
        return age >= LEASE_MS && age < UINT32_MAX - LEASE_MS;
    }
    if (name == 0) {
        return head == 0;
    }
    met__shape spare;
    const met__shape *shape = met__shape_get(table, (uint32_t)(name & 0xff),
                                             &spare);
    met__window_time moment = *time;
    if (shape != NULL && shape->ops->needs_utc && moment.utc_ns == 0) {
        moment.utc_ns = (uint64_t)met__now_utc_ns(table->platform);
    }
    return shape == NULL
           || shape->ops->is_idle(head & ~MET__HEAD_FROZEN, shape, &moment);
}

/* Gives a closed place up: its lease is over. */
static int give_up(met__limit_table *table, met__record *record,
                   uint64_t head, const met__window_time *time)
{
    return met__cas(&record->head, &head,
                    closed_at(table, now_ms(time) - LEASE_MS));
}

/* --- Looking at every place ----------------------------------------------- */
static met__record *place_at(const met__limit_table *table,
                             const met__place_key *key, uint64_t index)
{
    return &table->records[key->block[index / MET__BLOCK_PLACES]
                           + index % MET__BLOCK_PLACES];
}

#define PLACES ((uint64_t)MET__CHOICES * MET__BLOCK_PLACES)

/* The established record of this name; else NULL and the lowest one that is
 * "open for" it (and its head), if any. `but` is not looked at. */
static met__record *look(const met__limit_table *table,
                         const met__place_key *key, uint64_t name,
                         const met__record *but, met__record **open_out,
                         uint64_t *open_head_out)
{
    *open_out = NULL;
    for (uint64_t i = 0; i < PLACES; i++) {
        met__record *record = place_at(table, key, i);
        if (record == but || !met__window_is_of(record, name)) {
            continue;
        }
        uint64_t head = met__load_acquire(&record->head);
        if (!met__window_is_of(record, name)) {
            continue;
        }
        if (!(head & MET__HEAD_CLOSED)) {
            return record;
        }
        if ((head & OPEN_FOR) && (*open_out == NULL || record < *open_out)) {
            *open_out = record;
            *open_head_out = head;
        }
    }
    return NULL;
}

met__record *met__place_search(met__limit_table *table,
                               const met__place_key *key,
                               const met__place_name *name, int is_barred)
{
    met__record *open;
    uint64_t open_head;
    const met__window_time never = {0};

    if (is_barred) {
        met__fence_full();
    }
    for (int i = 0; i < MET__PLACE_TRIES; i++) {
        met__record *record = look(table, key, name->name, NULL, &open,
                                   &open_head);
        if (record != NULL) {
            set_tag(table, record, name->tag);
            return record;
        }
        if (open == NULL || !is_barred) {
            return NULL;
        }
        met__cas(&open->head, &open_head, closed_at(table, now_ms(&never)));
    }
    return NULL;
}

/* The first place of a block that nobody ever used, from the home group on;
 * *count_out: how many there are. */
static met__record *unused(met__limit_table *table, uint64_t base,
                           uint64_t home, uint64_t *count_out)
{
    met__record *first = NULL;

    *count_out = 0;
    for (uint64_t i = 0; i < MET__BLOCK_PLACES; i++) {
        uint64_t place = base + (i ^ home * MET__GROUP_PLACES);
        met__record *record = &table->records[place];
        if (met__load_relaxed(&record->name) == 0
            && met__load_relaxed(&record->head) == 0) {
            first = first == NULL ? record : first;
            ++*count_out;
        }
    }
    return first;
}

/* A free place: one that nobody ever used, in the first block that is at most
 * three quarters full, else in the emptier one; else an idle one, if
 * possible not one that has yet to count. So most keys are found by their
 * first control word, and blocks fill evenly. */
static met__record *choose(met__limit_table *table,
                           const met__place_key *key,
                           const met__place_name *name,
                           const met__window_time *time)
{
    met__record *best = NULL;
    uint64_t best_count = 0;

    for (int choice = 0; choice < MET__CHOICES; choice++) {
        uint64_t count;
        met__record *record = unused(table, key->block[choice],
                                     met__place_home(name->name), &count);
        if (count > best_count) {
            best = record;
            best_count = count;
        }
        if (count * 4 > MET__BLOCK_PLACES) {
            break;
        }
    }
    for (uint64_t i = 0; best_count == 0 && i < PLACES; i++) {
        met__record *record = place_at(table, key, i);
        uint64_t head = met__load_relaxed(&record->head);
        uint64_t found = met__load_relaxed(&record->name);
        if (is_free(table, head, found, time)) {
            if (head != 0) {
                return record;
            }
            best = record;
        }
    }
    return best;
}

/* Steps 1 and 2. NULL: somebody else was faster. *head_out: "open for". */
static met__record *claim(met__limit_table *table, met__record *record,
                          const met__place_name *name,
                          const met__window_time *time, uint64_t *head_out)
{
    uint64_t head = met__load_acquire(&record->head);
    uint64_t before = met__load_acquire(&record->name);

    if ((met__name_is(before, name->name) && !(head & MET__HEAD_CLOSED))
        || !is_free(table, head, before, time)) {
        return NULL;
    }
    uint64_t found[2] = {head, before};
    uint64_t mine[2] = {closed_at(table, now_ms(time)) | OPEN_FOR,
                        met__name_turned(before, name->name)};
    if (!met__cas_pair(&record->head, found, mine)) {
        return NULL;
    }
    *head_out = mine[0];
    if (before != 0) {
        met__limit_count(table, MET__COUNT_RECLAIMED);
    }
    set_tag(table, record, name->tag);
    return record;
}

/* Steps 3 and 4 for a record that is "open for" this name. */
static int establish(met__limit_table *table, const met__place_key *key,
                     const met__place_name *name,
                     const met__window_time *time, met__record *record,
                     uint64_t head, const met__atomic_u64 *version,
                     uint64_t expected, met__record **record_out)
{
    for (int i = 0; i < MET__PLACE_TRIES; i++) {
        met__record *other;
        uint64_t other_head;
        met__fence_full();
        if (met__load_acquire(version) != expected) {
            give_up(table, record, head, time);
            return MET__PLACE_STALE;
        }
        met__record *twin = look(table, key, name->name, record, &other,
                                 &other_head);
        if (twin != NULL) {
            give_up(table, record, head, time);
            met__limit_count(table, MET__COUNT_DUPLICATES);
            *record_out = twin;
            return MET__PLACE_FOUND;
        }
        if (other == NULL) {
            int is_mine = met__cas(&record->head, &head, 0);
            if (is_mine) {
                met__limit_count(table, MET__COUNT_INSERTED);
            }
            *record_out = record;
            return is_mine || !(head & MET__HEAD_CLOSED)
                       ? MET__PLACE_FOUND
                       : MET__PLACE_CONTENDED;
        }
        if (other < record) {
            give_up(table, record, head, time);
            met__limit_count(table, MET__COUNT_DUPLICATES);
            record = other;
            head = other_head;
        } else {
            give_up(table, other, other_head, time);
        }
    }
    return MET__PLACE_CONTENDED;
}

int met__place_insert(met__limit_table *table, const met__place_key *key,
                      const met__place_name *name,
                      const met__window_time *time,
                      const met__atomic_u64 *version, uint64_t expected,
                      met__record **record_out)
{
    for (int i = 0; i < MET__PLACE_TRIES; i++) {
        uint64_t head = 0;
        met__record *open;
        met__record *record = look(table, key, name->name, NULL, &open,
                                   &head);
        if (record != NULL) {
            set_tag(table, record, name->tag);
            *record_out = record;
            return MET__PLACE_FOUND;
        }
        if (open == NULL) {
            record = choose(table, key, name, time);
            if (record == NULL) {
                return MET__PLACE_FULL;
            }
            open = claim(table, record, name, time, &head);
        }
        if (open != NULL) {
            int result = establish(table, key, name, time, open, head,
                                   version, expected, record_out);
            if (result != MET__PLACE_CONTENDED) {
                return result;
            }
        }
    }
    return MET__PLACE_CONTENDED;
}
