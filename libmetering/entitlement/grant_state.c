/* States of a run: how one begins, and which balance is of which grant.
 * In: grants, a state. Out: a state, indexes. */
#include "entitlement/grant_state.h"

#include <stdlib.h>

#include "base/error.h"

typedef struct named {
    met__text id;
    size_t index;
    int is_balance;
} named;

static int compare_named(const void *a, const void *b)
{
    const named *x = a;
    const named *y = b;
    int order = met__text_compare(x->id, y->id);

    return order != 0 ? order : x->is_balance - y->is_balance;
}

met_error met__burn_match(const met__burn_state *state,
                          const met__grant *grants, size_t count,
                          met__arena *arena, size_t **indexes_out,
                          met_error_info *info)
{
    size_t all = count + state->count;
    named *names = met__arena_allocate(arena, (all + 1) * sizeof *names);
    size_t *indexes =
        met__arena_allocate(arena, (count + 1) * sizeof *indexes);

    if (names == NULL || indexes == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = (named){grants[i].id, i, 0};
        indexes[i] = MET__NO_BALANCE;
    }
    for (size_t i = 0; i < state->count; i++) {
        names[count + i] = (named){state->balances[i].grant_id, i, 1};
    }
    if (all > 0) {
        qsort(names, all, sizeof *names, compare_named);
    }
    for (size_t i = 0; i < all; i++) {
        int follows = i > 0 && met__text_equal(names[i].id, names[i - 1].id);
        if (names[i].is_balance) {
            if (!follows || names[i - 1].is_balance) {
                return met__fail(info, MET_E_INVALID, "balances",
                                 "\"%.*s\" is no grant, or there twice",
                                 (int)names[i].id.size, names[i].id.data);
            }
            indexes[names[i - 1].index] = names[i].index;
        } else if (follows) {
            return met__fail(info, MET_E_INVALID, "grants",
                             "the grant \"%.*s\" is there twice",
                             (int)names[i].id.size, names[i].id.data);
        }
    }
    *indexes_out = indexes;
    return MET_OK;
}

met_error met__burn_begin(const met__grant *grants, size_t count,
                          int64_t at_ns, met__arena *arena,
                          met__burn_state *state_out)
{
    met_decimal zero = met__decimal_zero();
    met__burn_state state = {.at_ns = at_ns,
                             .since_ns = at_ns,
                             .usage = zero,
                             .grant_usage = zero,
                             .overage = zero,
                             .count = count};

    state.balances =
        met__arena_allocate(arena, (count + 1) * sizeof *state.balances);
    if (state.balances == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        int is_active =
            met__period_contains(met__grant_active(&grants[i]), at_ns);
        state.balances[i] = (met__burn_balance){
            .grant_id = grants[i].id,
            .balance = is_active ? grants[i].amount : zero,
            .is_issued = is_active};
    }
    *state_out = state;
    return MET_OK;
}

met_error met__burn_extend(const met__burn_state *state,
                           const met__grant *grants, size_t count,
                           met__arena *arena, met__burn_state *state_out,
                           met_error_info *info)
{
    met__burn_state extended = *state;
    size_t *indexes;
    met_error error =
        met__burn_match(state, grants, count, arena, &indexes, info);

    if (error != MET_OK) {
        return error;
    }
    extended.count = count;
    extended.balances =
        met__arena_allocate(arena, (count + 1) * sizeof *extended.balances);
    if (extended.balances == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        extended.balances[i] =
            indexes[i] != MET__NO_BALANCE
                ? state->balances[indexes[i]]
                : (met__burn_balance){.grant_id = grants[i].id,
                                      .balance = met__decimal_zero()};
    }
    *state_out = extended;
    return MET_OK;
}
