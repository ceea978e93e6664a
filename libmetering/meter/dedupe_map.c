/* The index of ids. In: batches of hashes out of the store. Out: whether an id
 * is in one of them. The header says up to which batch it has them; while
 * entries are written it says so too, so that a kill at any moment is seen by
 * whoever comes next, and the index is built anew. A sum over all entries is
 * checked when the file is opened. */
#include "meter/dedupe_map.h"

#include <stdio.h>

#include "base/check.h"
#include "meter/event_batch.h"

#define PATH_SIZE 4200
#define STATE_OFFSET MET__FILE_HEADER_SIZE
#define ENTRIES_OFFSET (2 * MET__FILE_HEADER_SIZE)
#define PLACES_MIN (UINT64_C(1) << 14)
#define PLACES_MAX (UINT64_C(1) << 36)
#define BATCH_BITS 46
#define AHEAD 16u

/* In the file, at STATE_OFFSET. */
typedef struct map_state {
    uint64_t boot_hash;
    uint64_t applied; /* batches up to here are in */
    uint64_t used;    /* entries that are not empty */
    uint64_t sum;     /* of digests of all entries */
    uint64_t is_busy; /* entries are being written */
    uint64_t batch;   /* the last one that is in, and its chain: the store's */
    uint64_t chain;   /* is another one when it went another way */
    uint64_t checksum;
} map_state;

static uint32_t day_of(uint64_t mark)
{
    return (uint32_t)(mark >> BATCH_BITS);
}

static uint64_t digest(const met__dedupe_entry *entry)
{
    uint64_t mixed = (entry->low ^ entry->mark << 17 ^ entry->mark >> 47)
                     * UINT64_C(0x9e3779b97f4a7c15);
    return (mixed ^ mixed >> 29 ^ entry->high) + entry->mark;
}

/* --- The file's state ----------------------------------------------------- */
static uint64_t checksum_of(const map_state *state)
{
    return met__checksum(state, offsetof(map_state, checksum));
}

static map_state *state_place(const met__dedupe *dedupe)
{
    return (map_state *)(void *)(dedupe->file.memory + STATE_OFFSET);
}

static void write_state(met__dedupe *dedupe, map_state *state)
{
    state->checksum = checksum_of(state);
    memcpy(state_place(dedupe), state, sizeof *state);
}

static void path_of(const met_store *store, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/dedupe.map", met__store_path(store));
}

static met__mapped_spec spec_of(const met_store *store, uint64_t places)
{
    met__mapped_spec spec = {
        .magic = "METDEDUP",
        .layout = 1,
        .size = ENTRIES_OFFSET + places * sizeof(met__dedupe_entry),
        .parameters = {places},
    };

    memcpy(spec.store_id, met__store_id(store), sizeof spec.store_id);
    return spec;
}

/* --- Opening -------------------------------------------------------------- */
met_error met__dedupe_init(met__dedupe *dedupe, met_store *store)
{
    *dedupe = (met__dedupe){.store = store};
    return met__boot_hash(met__store_platform(store), &dedupe->boot_hash);
}

void met__dedupe_close(met__dedupe *dedupe)
{
    if (dedupe->file.memory != NULL) {
        met__mapped_file_close(met__store_platform(dedupe->store),
                               &dedupe->file);
    }
    dedupe->entries = NULL;
    dedupe->mask = 0;
}

/* Maps the file that is there, or a new empty one of so many places. */
static met_error map_file(met__dedupe *dedupe, uint64_t places, int create)
{
    const met__platform *platform = met__store_platform(dedupe->store);
    const met__os *os = platform->os;
    met__mapped_spec spec = spec_of(dedupe->store, places);
    met__os_stat found;
    char path[PATH_SIZE];

    path_of(dedupe->store, path);
    met_error error = met__mapped_file_open(platform, path, &spec, create,
                                            &dedupe->file, NULL);
    if (error != MET_OK) {
        return error;
    }
    int result = os->fstat(os->context, dedupe->file.file, &found);
    uint64_t has = met__mapped_file_header(&dedupe->file)->parameters[0];
    int is_right = has >= PLACES_MIN && has <= PLACES_MAX
                   && (has & (has - 1)) == 0
                   && dedupe->file.size
                          >= ENTRIES_OFFSET + has * sizeof(met__dedupe_entry);
    if (result < 0 || !is_right) {
        met__dedupe_close(dedupe);
        return result < 0 ? met__os_error(result) : MET_E_CORRUPT;
    }
    dedupe->inode = found.inode;
    dedupe->mask = has - 1;
    dedupe->entries = (met__dedupe_entry *)(void *)(dedupe->file.memory
                                                    + ENTRIES_OFFSET);
    return MET_OK;
}

/* Somebody else built another file, or cut this one: a map of it would be a
 * signal. */
static met_error leave_stale(met__dedupe *dedupe)
{
    const met__os *os = met__store_platform(dedupe->store)->os;
    met__os_stat found;
    char path[PATH_SIZE];

    if (dedupe->file.memory == NULL) {
        return MET_OK;
    }
    path_of(dedupe->store, path);
    int result = os->stat(os->context, path, &found);
    if (result < 0 && met__os_error(result) != MET_E_NOT_FOUND) {
        return met__os_error(result);
    }
    if (result < 0 || found.inode != dedupe->inode
        || met__mapped_file_is_lost(&dedupe->file)
        || found.size < dedupe->file.size) {
        met__dedupe_close(dedupe);
    }
    return MET_OK;
}

/* --- Entries -------------------------------------------------------------- */
int met__dedupe_find(const met__dedupe *dedupe, met__hash128 hash,
                     uint32_t horizon_day, uint64_t *batch_out)
{
    uint64_t at = hash.low & dedupe->mask;

    for (uint64_t steps = 0; steps <= dedupe->mask; steps++) {
        const met__dedupe_entry *entry = &dedupe->entries[at];
        if (entry->mark == 0) {
            return 0;
        }
        if (entry->low == hash.low && entry->high == hash.high
            && day_of(entry->mark) >= horizon_day) {
            *batch_out = entry->mark & ((UINT64_C(1) << BATCH_BITS) - 1);
            return 1;
        }
        at = (at + 1) & dedupe->mask;
    }
    return 0;
}

/* Into the first free place. 0: there is none. */
static int insert(met__dedupe *dedupe, map_state *state,
                  const met__dedupe_entry *new, uint32_t horizon_day)
{
    uint64_t at = new->low & dedupe->mask;

    for (uint64_t steps = 0; steps <= dedupe->mask; steps++) {
        met__dedupe_entry *entry = &dedupe->entries[at];
        if (entry->mark == 0 || day_of(entry->mark) < horizon_day) {
            if (entry->mark == 0) {
                state->used++;
            } else {
                state->sum -= digest(entry);
            }
            state->sum += digest(new);
            *entry = *new;
            return 1;
        }
        at = (at + 1) & dedupe->mask;
    }
    return 0;
}

static int insert_batch(met__dedupe *dedupe, map_state *state,
                        const met__event_batch *batch, uint64_t number,
                        uint32_t horizon_day)
{
    uint64_t mark = (uint64_t)batch->day << BATCH_BITS | number;

    state->batch = number;
    state->chain = batch->chain;

    for (uint32_t i = 0; i < batch->count; i++) {
        if (i + AHEAD < batch->count) {
            met__dedupe_prefetch(dedupe,
                                 met__event_batch_hash(batch, i + AHEAD));
        }
        met__hash128 hash = met__event_batch_hash(batch, i);
        met__dedupe_entry entry = {hash.low, hash.high, mark};
        if (!insert(dedupe, state, &entry, horizon_day)) {
            return 0;
        }
    }
    return 1;
}

/* At most three quarters full. */
static int has_room(const met__dedupe *dedupe, const map_state *state,
                    uint64_t more)
{
    return state->used + more <= (dedupe->mask + 1) / 4 * 3;
}

/* --- Building ------------------------------------------------------------- */
/* Calls for every batch that is still needed: counts ids, or enters them. */
static met_error each_batch(met__dedupe *dedupe, met__txn *txn,
                            uint32_t horizon_day, map_state *state,
                            uint64_t *count_out)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__event_batch batch;
    met_error error = met__scan_begin(txn, MET__TABLE_EVENT_BATCH, NULL, 0,
                                      &scan);

    *count_out = 0;
    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = key.size == 8 ? met__event_batch_read(value, &batch)
                                  : MET_E_CORRUPT;
        }
        if (error != MET_OK || batch.day < horizon_day) {
            continue;
        }
        *count_out += batch.count;
        if (state != NULL
            && !insert_batch(dedupe, state, &batch,
                             met__get_u64((const unsigned char *)key.data),
                             horizon_day)) {
            error = MET_E_BUG;
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__dedupe_rebuild(met__dedupe *dedupe, met__txn *txn,
                              uint64_t last_batch, uint32_t horizon_day)
{
    const met__os *os = met__store_platform(dedupe->store)->os;
    map_state state = {.boot_hash = dedupe->boot_hash, .is_busy = 1};
    uint64_t count = 0;
    uint64_t places = PLACES_MIN;
    char path[PATH_SIZE];
    met_error error = each_batch(dedupe, txn, horizon_day, NULL, &count);

    if (error != MET_OK) {
        return error;
    }
    /* Less than half full: it lasts until there are half as many more. */
    while (places < PLACES_MAX && places < count * 2) {
        places *= 2;
    }
    met__dedupe_close(dedupe);
    path_of(dedupe->store, path);
    int result = os->unlink(os->context, path);
    if (result < 0 && met__os_error(result) != MET_E_NOT_FOUND) {
        return met__os_error(result);
    }
    error = map_file(dedupe, places, 1);
    if (error != MET_OK) {
        return error;
    }
    write_state(dedupe, &state);
    error = each_batch(dedupe, txn, horizon_day, &state, &count);
    if (error == MET_OK) {
        state.is_busy = 0;
        state.applied = last_batch;
        write_state(dedupe, &state);
        dedupe->rebuilds++;
    }
    return error;
}

/* --- Following ------------------------------------------------------------ */
/* What the header says, when it can be believed. */
static met_error read_state(const met__dedupe *dedupe, met__txn *txn,
                            uint64_t last_batch, map_state *state_out,
                            int *is_good_out)
{
    met__event_batch batch;
    met_error error = MET_OK;

    memcpy(state_out, state_place(dedupe), sizeof *state_out);
    *is_good_out = state_out->checksum == checksum_of(state_out)
                   && state_out->boot_hash == dedupe->boot_hash
                   && !state_out->is_busy && state_out->applied <= last_batch
                   && state_out->used <= dedupe->mask + 1;
    if (*is_good_out && state_out->batch != 0) {
        error = met__event_batch_get(txn, state_out->batch, &batch);
        *is_good_out = error == MET_OK && batch.chain == state_out->chain;
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    return error;
}

static int sum_is_right(const met__dedupe *dedupe, const map_state *state)
{
    uint64_t used = 0;
    uint64_t sum = 0;

    for (uint64_t i = 0; i <= dedupe->mask; i++) {
        if (dedupe->entries[i].mark != 0) {
            used++;
            sum += digest(&dedupe->entries[i]);
        }
    }
    return used == state->used && sum == state->sum;
}

/* Enters the batches that were committed since. MET_E_LIMIT: no room. */
static met_error follow(met__dedupe *dedupe, met__txn *txn,
                        uint64_t last_batch, uint32_t horizon_day,
                        map_state *state)
{
    met__event_batch batch;
    met_error error = MET_OK;

    if (state->applied == last_batch) {
        return MET_OK;
    }
    state->is_busy = 1;
    write_state(dedupe, state);
    while (error == MET_OK && state->applied < last_batch) {
        uint64_t number = state->applied + 1;
        error = met__event_batch_get(txn, number, &batch);
        if (error == MET_E_NOT_FOUND) { /* expired in the meantime */
            batch.count = 0;
            error = MET_OK;
        }
        if (error == MET_OK && !has_room(dedupe, state, batch.count)) {
            error = MET_E_LIMIT;
        }
        if (error == MET_OK && batch.count > 0
            && batch.day >= horizon_day
            && !insert_batch(dedupe, state, &batch, number, horizon_day)) {
            error = MET_E_LIMIT;
        }
        state->applied += error == MET_OK;
    }
    if (error == MET_OK) {
        state->is_busy = 0;
        write_state(dedupe, state);
    }
    return error;
}

met_error met__dedupe_catch_up(met__dedupe *dedupe, met__txn *txn,
                               uint64_t last_batch, uint32_t horizon_day)
{
    map_state state;
    int is_good = 0;
    int is_new = 0;
    met_error error = leave_stale(dedupe);

    if (error != MET_OK) {
        return error;
    }
    if (dedupe->file.memory == NULL) {
        error = map_file(dedupe, PLACES_MIN, 0);
        if (error == MET_E_NO_MEMORY || error == MET_E_IO
            || error == MET_E_DISK_FULL) {
            return error;
        }
        is_new = 1;
    }
    if (dedupe->file.memory != NULL) {
        error = read_state(dedupe, txn, last_batch, &state, &is_good);
        if (error != MET_OK) {
            return error;
        }
        is_good = is_good && (!is_new || sum_is_right(dedupe, &state));
    }
    error = is_good ? follow(dedupe, txn, last_batch, horizon_day, &state)
                    : MET_E_LIMIT;
    return error == MET_E_LIMIT
               ? met__dedupe_rebuild(dedupe, txn, last_batch, horizon_day)
               : error;
}
