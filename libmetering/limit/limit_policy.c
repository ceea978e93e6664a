/* Policies in the shared table. In: a name and its windows. Out: a number that
 * is the same in all processes, and rows that change as a whole.
 *
 * A slot belongs to a name until it is removed. Its version names the row in
 * force, one of four. A change claims a row that is not in force, writes it and
 * moves the version by compare-and-swap. Every word of a row carries the low 16
 * bits of its version: a reader sees whether the words belong together, and a
 * late writer's compare-and-swap meets a word that has changed. A writer killed
 * half-way leaves a claim that is void once a later version is in force.
 *
 * A window that is replaced stays in the row as a predecessor of the one that
 * follows it: its records are frozen by the first decision that meets them, and
 * what they counted weighs until it is forgotten. So a limit's change is exact
 * and at no moment more than the greater of both is let through. */
#include "limit/limit_policy.h"

#include "limit/limit_policy_slot.h"

#include <stdio.h>

#include "base/error.h"

#define TRIES MET__POLICY_TRIES
#define PAYLOAD MET__POLICY_PAYLOAD
#define HALF MET__POLICY_HALF

static uint64_t tag_of(uint64_t version)
{
    return (version & 0xffff) << MET__POLICY_TAG_SHIFT;
}

static int read_word(const met__atomic_u64 *word, uint64_t version,
                     uint64_t *payload_out)
{
    *payload_out = met__policy_untag(word, version);
    return *payload_out <= PAYLOAD;
}

int met__policy_read_predecessors(const met__policy_row *row,
                                  met__policy_view *view, uint32_t left)
{
    for (uint32_t i = 0; i < MET__PREDECESSORS && i < left; i++) {
        uint64_t payload;
        if (!read_word(&row->predecessors[i], view->version, &payload)) {
            return 0;
        }
        met__policy_window window = {
            .shape = (uint32_t)(payload & 0xff),
            .born = (uint32_t)(payload >> 8 & 0xffff),
            .follows = (uint32_t)(payload >> HALF & 7),
            .row = i,
        };
        if (window.shape != 0 && window.follows < view->count) {
            view->predecessors[view->predecessor_count++] = window;
        }
    }
    return 1;
}

int met__policy_weighs(const met__policy_view *view,
                       const met__policy_window *predecessor,
                       uint64_t window_ns, uint64_t now_ns)
{
    met__policy_row *row =
        &view->slot->rows[view->version % MET__POLICY_ROWS];
    met__atomic_u64 *word = &row->until_ms[predecessor->row];
    uint64_t payload;

    if (!read_word(word, view->version, &payload)) {
        return 1;
    }
    if (payload == 0) {
        uint64_t found = tag_of(view->version);
        uint64_t until = (now_ns + 2 * window_ns) / 1000000 + 2;
        met__cas(word, &found, found | (until & PAYLOAD));
        return 1;
    }
    return now_ns / 1000000 <= payload;
}

/* --- Changing ------------------------------------------------------------- */
typedef struct draft {
    met__policy_window windows[MET_LIMITER_WINDOWS_MAX];
    met__policy_window predecessors[MET__PREDECESSORS];
    uint64_t until_ms[MET__PREDECESSORS];
    uint64_t name[2];
    uint32_t count;
    uint32_t predecessor_count;
    uint32_t flags;
    uint32_t generation;
} draft;

static int is_same(const met__policy_view *view, const draft *want)
{
    int same = view->count == want->count && view->flags == want->flags;

    for (uint32_t i = 0; same && i < view->count; i++) {
        same = view->windows[i].shape == want->windows[i].shape;
    }
    return same;
}

static int add_predecessor(draft *want, met__policy_window window,
                           uint32_t follows, uint64_t until_ms)
{
    if (want->predecessor_count == MET__PREDECESSORS) {
        return 0;
    }
    window.follows = follows;
    want->until_ms[want->predecessor_count] = until_ms;
    want->predecessors[want->predecessor_count++] = window;
    return 1;
}

/* How well a new window follows an old one: 0 not at all. */
static int kinship(met__limit_table *table, uint32_t from, uint32_t to)
{
    met__shape spare[2];
    const met__shape *a = met__shape_get(table, from, &spare[0]);
    const met__shape *b = met__shape_get(table, to, &spare[1]);

    if (a == NULL || b == NULL) {
        return 0;
    }
    return 1 + 2 * (a->window_ns == b->window_ns)
           + (a->algorithm == b->algorithm);
}

/* Which new window follows each old one; a window that stays follows itself.
 * -1: dropped. */
static void pair_windows(met__limit_table *table, const met__policy_view *old,
                         draft *want, uint32_t born, int *follows)
{
    int is_taken[MET_LIMITER_WINDOWS_MAX] = {0};

    for (uint32_t i = 0; i < old->count; i++) {
        follows[i] = -1;
        for (uint32_t j = 0; j < want->count; j++) {
            if (want->windows[j].shape == old->windows[i].shape) {
                want->windows[j].born = old->windows[i].born;
                follows[i] = (int)j;
                is_taken[j] = 1;
            }
        }
    }
    for (uint32_t j = 0; j < want->count; j++) {
        if (!is_taken[j]) {
            want->windows[j].born = born;
        }
    }
    for (int least = 4; least >= 1; least--) {
        for (uint32_t i = 0; i < old->count; i++) {
            for (uint32_t j = 0; j < want->count && follows[i] < 0; j++) {
                if (!is_taken[j]
                    && kinship(table, old->windows[i].shape,
                               want->windows[j].shape) >= least) {
                    follows[i] = (int)j;
                    is_taken[j] = 1;
                }
            }
        }
    }
}

/* Fills want's births and predecessors from the row in force. 0: too many
 * changes are still weighing. */
static int succeed(met__limit_table *table, const met__policy_view *old,
                   draft *want, uint64_t version)
{
    int follows[MET_LIMITER_WINDOWS_MAX];
    uint64_t now_ms =
        (uint64_t)met__now_monotonic_ns(table->platform) / 1000000;
    int fits = 1;

    pair_windows(table, old, want, (uint32_t)(version & 0xffff), follows);
    want->predecessor_count = 0;
    for (uint32_t i = 0; i < old->count; i++) {
        if (follows[i] >= 0
            && want->windows[follows[i]].shape != old->windows[i].shape) {
            fits &= add_predecessor(want, old->windows[i],
                                    (uint32_t)follows[i], 0);
        }
    }
    for (uint32_t i = 0; i < old->predecessor_count; i++) {
        const met__policy_window *window = &old->predecessors[i];
        const met__policy_row *row =
            &old->slot->rows[old->version % MET__POLICY_ROWS];
        uint64_t until;
        if (!read_word(&row->until_ms[window->row], old->version, &until)) {
            return 0;
        }
        int to = follows[window->follows];
        if (to < 0 || (until != 0 && until < now_ms)) {
            continue;
        }
        fits &= add_predecessor(want, *window, (uint32_t)to, until);
    }
    return fits;
}

static uint64_t half_of(const met__policy_window *window)
{
    return window->shape | (uint64_t)window->born << 8;
}

/* Writes one word of a claimed row; 0 when the claim was lost. */
static int write_word(const met__atomic_u64 *claim, uint64_t mine,
                      met__atomic_u64 *word, uint64_t value)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t found = met__load_acquire(word);
        if (met__load_acquire(claim) != mine) {
            return 0;
        }
        if (found == value || met__cas(word, &found, value)) {
            return 1;
        }
    }
    return 0;
}

static int write_row(met__policy_slot *slot, uint64_t version, uint64_t mine,
                     const draft *want)
{
    uint32_t index = (uint32_t)(version % MET__POLICY_ROWS);
    met__policy_row *row = &slot->rows[index];
    const met__atomic_u64 *claim = &slot->claims[index];
    uint64_t tag = tag_of(version);
    int is_mine = 1;

    for (uint32_t i = 0; i < 3; i++) {
        uint64_t pair = 0;
        for (uint32_t half = 0; half < 2; half++) {
            if (2 * i + half < want->count) {
                pair |= half_of(&want->windows[2 * i + half])
                        << (half * HALF);
            }
        }
        is_mine &= write_word(claim, mine, &row->windows[i], tag | pair);
    }
    is_mine &= write_word(claim, mine, &row->name[0], tag | want->name[0]);
    is_mine &= write_word(claim, mine, &row->name[1], tag | want->name[1]);
    is_mine &= write_word(claim, mine, &row->flags,
                          tag | (uint64_t)want->generation
                                    << MET__POLICY_GENERATION_SHIFT
                              | want->predecessor_count << 8 | want->flags);
    for (uint32_t i = 0; i < want->predecessor_count; i++) {
        const met__policy_window *window = &want->predecessors[i];
        is_mine &= write_word(claim, mine, &row->predecessors[i],
                              tag | half_of(window)
                                  | (uint64_t)window->follows << HALF);
        is_mine &= write_word(claim, mine, &row->until_ms[i],
                              tag | want->until_ms[i]);
    }
    return is_mine;
}

/* The version to write, its row claimed; 0: all rows are claimed. */
static uint64_t claim_row(met__limit_table *table, met__policy_slot *slot,
                          uint64_t current, uint64_t *claim_out)
{
    for (uint64_t version = current + 1;
         version < current + MET__POLICY_ROWS; version++) {
        met__atomic_u64 *claim = &slot->claims[version % MET__POLICY_ROWS];
        uint64_t found = met__load_acquire(claim);
        uint64_t nonce = met__fetch_add_relaxed(
            &table->head->counters[MET__COUNT_CLAIMS], 1);
        if ((found & PAYLOAD) > current) {
            continue;
        }
        *claim_out = (version & PAYLOAD) | nonce << MET__POLICY_TAG_SHIFT;
        if (met__cas(claim, &found, *claim_out)) {
            return version;
        }
    }
    return 0;
}

static met_error enter_shapes(met__limit_table *table,
                              const met_limiter_window *windows,
                              size_t count, draft *want,
                              met_error_info *info)
{
    char field[64];

    for (size_t i = 0; i < count; i++) {
        met__shape shape;
        met_error error = met__window_shape(&shape, windows[i].limit,
                                            (uint64_t)windows[i].window_ns,
                                            windows[i].algorithm);
        if (error == MET_OK && (want->flags & MET_LIMITER_COUNT_DENIED)
            && !shape.ops->can_force) {
            error = MET_E_UNSUPPORTED;
        }
        if (error == MET_OK) {
            error = met__shape_enter(table, windows[i].limit,
                                     (uint64_t)windows[i].window_ns,
                                     windows[i].algorithm,
                                     &want->windows[i].shape);
        }
        if (error != MET_OK) {
            snprintf(field, sizeof field, "policy.windows[%zu]", i);
            return error == MET_E_LIMIT
                       ? met__fail(info, error, field,
                                   "the table holds %d different windows",
                                   MET_LIMITER_SHAPES_MAX)
                       : met__fail(info, error, field,
                                   "algorithm %u does not serve limit %llu "
                                   "in %lld ns%s",
                                   (unsigned)windows[i].algorithm,
                                   (unsigned long long)windows[i].limit,
                                   (long long)windows[i].window_ns,
                                   want->flags & MET_LIMITER_COUNT_DENIED
                                       ? " with refused requests counted"
                                       : "");
        }
    }
    want->count = (uint32_t)count;
    return MET_OK;
}

enum { DONE, AGAIN, BUSY, FULL };

/* Changes the windows of a slot that has the name. */
static int change(met__limit_table *table, uint32_t index, draft *want,
                  uint32_t *number_out)
{
    met__policy_view old;
    uint64_t claim;
    met_error error = met__policy_read_slot(table, index, &old);

    if (error != MET_OK || old.count == 0) {
        return error == MET_E_BUSY ? BUSY : AGAIN;
    }
    uint32_t number = old.generation << MET__POLICY_SLOT_BITS | index;
    if (is_same(&old, want)) {
        *number_out = number;
        return DONE;
    }
    uint64_t version = claim_row(table, old.slot, old.version, &claim);
    if (version == 0) {
        return BUSY;
    }
    if (!succeed(table, &old, want, version)) {
        met__cas(&old.slot->claims[version % MET__POLICY_ROWS], &claim, 0);
        return BUSY;
    }
    want->generation = old.generation;
    if (write_row(old.slot, version, claim, want)
        && met__cas(&old.slot->version, &old.version, version)) {
        *number_out = number;
        return DONE;
    }
    return AGAIN;
}

/* Gives the slot to the name, if it is free and its row can be claimed; FULL:
 * it cannot be had. */
static int add_at(met__limit_table *table, uint32_t index, uint64_t names,
                  draft *want, uint32_t *number_out)
{
    met__policy_view old;
    uint64_t claim;
    met_error error = met__policy_read_slot(table, index, &old);

    want->generation = 0;
    if (error == MET_OK && old.count == 0) {
        want->generation = (old.generation + 1) % MET__POLICY_GENERATIONS;
    } else if (error != MET_E_NOT_FOUND) {
        return FULL;
    }
    uint64_t version = claim_row(table, old.slot, old.version, &claim);
    if (version == 0) {
        return FULL;
    }
    for (uint32_t i = 0; i < want->count; i++) {
        want->windows[i].born = (uint32_t)(version & 0xffff);
    }
    want->predecessor_count = 0;
    if (write_row(old.slot, version, claim, want)
        && met__policy_names_set(table, names, index, version)) {
        *number_out = want->generation << MET__POLICY_SLOT_BITS | index;
        return DONE;
    }
    met__cas(&old.slot->claims[version % MET__POLICY_ROWS], &claim, 0);
    return AGAIN;
}

static int set_windows(met__limit_table *table, draft *want,
                       uint32_t *number_out)
{
    uint64_t names = met__policy_names(table);
    uint32_t index;
    int result = FULL;

    if (met__policy_find(table, want->name, &index)) {
        return change(table, index, want, number_out);
    }
    for (uint32_t i = 0; i < MET_LIMITER_POLICIES_MAX && result == FULL;
         i++) {
        result = add_at(table, i, names, want, number_out);
    }
    return result;
}

met_error met__policy_set(met__limit_table *table,
                          const met_limiter_policy *policy,
                          const met_limiter_window *windows,
                          uint32_t *number_out, met_error_info *info)
{
    met__hash128 hash = met__hash128_of(&table->secret, policy->name,
                                        policy->name_size);
    draft want = {.flags = policy->flags,
                  .name = {(hash.low | 1) & PAYLOAD, hash.high & PAYLOAD}};
    met_error error = enter_shapes(table, windows, policy->window_count,
                                   &want, info);
    int result = AGAIN;

    if (error != MET_OK) {
        return error;
    }
    for (int i = 0; i < TRIES && result == AGAIN; i++) {
        result = set_windows(table, &want, number_out);
    }
    if (result == FULL) {
        return met__fail(info, MET_E_LIMIT, "policy.name",
                         "the table holds %d policies",
                         MET_LIMITER_POLICIES_MAX);
    }
    return result == DONE ? MET_OK
                          : met__fail(info, MET_E_BUSY, "policy.windows",
                                      "earlier changes are still at work");
}

met_error met__policy_remove(met__limit_table *table, uint32_t number,
                             met_error_info *info)
{
    for (int i = 0; i < TRIES; i++) {
        met__policy_view old;
        uint64_t claim;
        met_error error = met__policy_read(table, number, &old);
        if (error == MET_E_NOT_FOUND) {
            return met__fail(info, error, "number", "is no policy");
        }
        uint64_t version = error == MET_OK
                               ? claim_row(table, old.slot, old.version,
                                           &claim)
                               : 0;
        if (version == 0) {
            break;
        }
        draft none = {.generation = old.generation};
        if (write_row(old.slot, version, claim, &none)
            && met__cas(&old.slot->version, &old.version, version)) {
            return MET_OK;
        }
    }
    return met__fail(info, MET_E_BUSY, "number",
                     "earlier changes are still at work");
}
