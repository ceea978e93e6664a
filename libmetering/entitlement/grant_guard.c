/* Instants at which balances part usage. In: a customer, a period. Out: whether
 * one of them lies inside. A recurrence is known by its last point before the
 * end, also after the grant has ended: an hour too many stays in minutes. */
#include "entitlement/grant_guard.h"

#include "entitlement/allowance.h"

static met_error read_holder(met__txn *txn, const met__customer *customer,
                             met__arena *arena, void **extra_out)
{
    met__terms_cache terms = {0};
    met__holder *holder = NULL;
    met_error error =
        met__holder_of(txn, customer, &terms, arena, &holder);

    *extra_out = holder;
    return error;
}

static met_error grant_inside(const met__grant *grant, met__period bounds,
                              int *is_inside_out)
{
    if (met__instant_parts(grant->effective_at_ns, bounds)
        || met__instant_parts(grant->expires_at_ns, bounds)
        || met__instant_parts(grant->voided_at_ns, bounds)) {
        *is_inside_out = 1;
        return MET_OK;
    }
    if (!grant->has_recurrence || grant->effective_at_ns >= bounds.to_ns
        || met__grant_active(grant).to_ns < bounds.from_ns) {
        return MET_OK;
    }
    return met__recurrence_parts(&grant->recurrence, bounds, is_inside_out);
}

static met_error allowance_inside(const met__allowance *allowance,
                                  met__period bounds, int *is_inside_out)
{
    if (met__instant_parts(allowance->row.from_ns, bounds)
        || met__instant_parts(allowance->row.to_ns, bounds)
        || met__instant_parts(allowance->measured_from_ns, bounds)) {
        *is_inside_out = 1;
        return MET_OK;
    }
    if (allowance->row.type != MET__ENTITLEMENT_METERED
        || allowance->measured_from_ns >= bounds.to_ns
        || allowance->row.to_ns < bounds.from_ns) {
        return MET_OK;
    }
    return met__recurrence_parts(&allowance->row.usage_period, bounds,
                                 is_inside_out);
}

static met_error inside(const void *extra, met__period bounds,
                        int *is_inside_out)
{
    const met__holder *holder = extra;
    const met__entitled *entitled = &holder->entitled;
    met_error error = MET_OK;

    for (size_t i = 0;
         error == MET_OK && !*is_inside_out && i < entitled->grant_count;
         i++) {
        error = grant_inside(&entitled->grants[i].terms, bounds,
                             is_inside_out);
    }
    for (size_t i = 0;
         error == MET_OK && !*is_inside_out && i < holder->count; i++) {
        error = allowance_inside(&holder->allowances[i], bounds,
                                 is_inside_out);
    }
    return error;
}

const met__period_extra met__grant_guard = {read_holder, inside};
