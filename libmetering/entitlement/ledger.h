/* The ledger of one metered entitlement: everything that was ever granted for
 * a customer's feature, and what usage has burned of it, as of an instant. It
 * puts stored things and settled usage into the engine (grant_burn.h).
 *
 * A grant is the customer's, for a feature: when one entitlement follows
 * another (the next phase, another plan, an override), what is left of grants
 * goes on, by the rules of a reset. What an entitlement issues by itself ends
 * with it, and so does its debt. In a gap between entitlements nothing burns.
 * An entitlement that measures from before it is in force takes that time's
 * usage over from the one before.
 *
 * Instants apply at the start of their minute. Only for this room. */
#ifndef MET_ENTITLEMENT_LEDGER_H
#define MET_ENTITLEMENT_LEDGER_H

#include "entitlement/allowance.h"
#include "entitlement/grant_burn.h"

/* An allowance, and the minutes whose usage is its own. */
typedef struct met__ledger_row {
    const met__allowance *allowance;
    met__period bounds;
} met__ledger_row;

typedef struct met__ledger {
    met__txn *txn;
    const met__holder *holder;
    const met__allowance *allowance; /* in force */
    met__arena *arena;
    met_error_info *info;
    int64_t now_end_ns; /* of the minute that runs; no usage is behind it */
    size_t row_count; /* up to the allowance's, by time */
    met__ledger_row *rows;
    size_t grant_count;
    met__grant *grants;
    int carries; /* something outlives usage periods: what was matters */
    uint32_t measure;
    int is_frozen; /* what is still to come counts as no usage */
    met__burn_state start; /* of the run that goes on */
} met__ledger;

/* allowance: metered, with a meter, of the holder. All memory is the arena's.
 * info may be NULL. */
met_error met__ledger_open(met__txn *txn, const met__holder *holder,
                           const met__allowance *allowance,
                           met__arena *arena, met_error_info *info,
                           met__ledger *ledger_out);
/* The run from a state that is known up to an instant of the allowance's. With
 * segments it begins where the usage period of from_ns does, or earlier.
 * Errors: as met__burn_run and met__customer_usage. */
met_error met__ledger_run(met__ledger *ledger, int64_t until_ns,
                          int keeps_segments, met__burn_result *result_out);
/* The terms of a run in (from, to], and a state at from_ns. */
met_error met__ledger_terms(met__ledger *ledger, int64_t from_ns,
                            int64_t to_ns, met__burn_terms *terms_out);
met_error met__ledger_state(met__ledger *ledger, int64_t at_ns,
                            met__burn_state *state_out);
/* What is left, and usage, with all usage of at_ns's minute. */
met_error met__ledger_value(met__ledger *ledger, int64_t at_ns,
                            met__burn_value *value_out);
/* What the quota cell of the period around at_ns grants, in the meter's unit.
 * Of a period that runs: what is left now, and from the next instant on when
 * that changes by itself, the least that it will be in the next days (in 0: it
 * does not change). Of one that is to come: the least, whatever is used until
 * then. */
typedef struct met__ledger_quota {
    met_decimal granted;
    met_decimal next_granted;
    int64_t next_at_ns;
} met__ledger_quota;
met_error met__ledger_quota_of(met__ledger *ledger, int64_t at_ns,
                               met__ledger_quota *quota_out);
/* Errors of one customer's ledger that must not stop everybody's. */
static inline int met__ledger_is_hopeless(met_error error)
{
    return error == MET_E_UNSUPPORTED || error == MET_E_OVERFLOW
           || error == MET_E_LIMIT || error == MET_E_INVALID;
}
/* Whether a grant id is one that the entitlement issues by itself. */
int met__ledger_is_own(met__text grant_id);

#endif
