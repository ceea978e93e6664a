/* What is left of every grant of an entitlement at an instant: all that a later
 * run needs, so what is stored between two. Pure. */
#ifndef MET_ENTITLEMENT_GRANT_STATE_H
#define MET_ENTITLEMENT_GRANT_STATE_H

#include "entitlement/grant.h"

typedef struct met__burn_balance {
    met__text grant_id;
    met_decimal balance;
    int is_issued; /* at the state's instant: not again */
} met__burn_balance;

typedef struct met__burn_state {
    int64_t at_ns;
    int64_t since_ns;        /* the usage period's begin */
    met_decimal usage;       /* of the period so far */
    met_decimal grant_usage; /* what grants paid in it; never negative */
    met_decimal overage;     /* owed; negative: usage was taken back, and pays
                                what comes next */
    size_t count;
    met__burn_balance *balances; /* one a grant, of ended ones too */
} met__burn_state;

/* The state in which measurement begins: grants in force have their amount,
 * the others nothing. */
met_error met__burn_begin(const met__grant *grants, size_t count,
                          int64_t at_ns, met__arena *arena,
                          met__burn_state *state_out);

/* A state with a balance of 0 for every grant that it does not name: what was
 * granted since. It shares nothing with `state` but the texts. */
met_error met__burn_extend(const met__burn_state *state,
                           const met__grant *grants, size_t count,
                           met__arena *arena, met__burn_state *state_out,
                           met_error_info *info);

#define MET__NO_BALANCE SIZE_MAX

/* For every grant the index of its balance, or MET__NO_BALANCE. MET_E_INVALID:
 * a grant or a balance is there twice, or a balance is of no grant. */
met_error met__burn_match(const met__burn_state *state,
                          const met__grant *grants, size_t count,
                          met__arena *arena, size_t **indexes_out,
                          met_error_info *info);

#endif
