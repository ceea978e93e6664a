/* Which phase and which billing period of a subscription an instant lies in.
 * Pure: subscription, plan and instant in, bounds out; no store, no clock.
 * Rules: OpenMeter openmeter/subscription (timing.go, aligned periods). */
#include "customer/subscription.h"

#include "base/check.h"

uint32_t met__subscription_status_at(const met__subscription *subscription,
                                     int64_t at_ns)
{
    int64_t from_ns = subscription->active_from_ns;
    int64_t to_ns = subscription->active_to_ns;

    if (to_ns != 0 && (to_ns <= from_ns || to_ns <= at_ns)) {
        return MET__SUBSCRIPTION_INACTIVE;
    }
    if (from_ns > at_ns) {
        return MET__SUBSCRIPTION_SCHEDULED;
    }
    return to_ns == 0 ? MET__SUBSCRIPTION_ACTIVE
                      : MET__SUBSCRIPTION_CANCELED;
}

const char *met__subscription_status_name(uint32_t status)
{
    static const char *const names[] = {"scheduled", "active", "canceled",
                                        "inactive"};

    return status >= MET__SUBSCRIPTION_SCHEDULED
                   && status <= MET__SUBSCRIPTION_INACTIVE
               ? names[status - MET__SUBSCRIPTION_SCHEDULED]
               : "inactive";
}

/* Where a phase begins whose start_after is known; beyond the range of times:
 * never. */
static int64_t start_of(const met__subscription *subscription,
                        const met__duration *start_after, int is_small)
{
    int64_t start_ns;

    if (!is_small
        || met__duration_add(subscription->active_from_ns, start_after, 1,
                             &start_ns)
               != MET_OK) {
        return MET__TIME_MAX;
    }
    return start_ns;
}

met_error met__subscription_phase_at(const met__subscription *subscription,
                                     const met__plan *plan, int64_t at_ns,
                                     size_t *phase_index_out,
                                     met__period *bounds_out)
{
    met__duration start_after = {0};
    int64_t end_ns = subscription->active_to_ns != 0
                         ? subscription->active_to_ns
                         : MET__TIME_MAX;
    int64_t from_ns = subscription->active_from_ns;
    size_t first = 0;
    int is_small = 1;

    MET__ASSERT(phase_index_out != NULL && bounds_out != NULL);
    if (at_ns < from_ns || at_ns >= end_ns) {
        return MET_E_NOT_FOUND;
    }
    if (subscription->starting_phase.size > 0
        && !met__plan_find_phase(plan, subscription->starting_phase, &first)) {
        return MET_E_CORRUPT; /* it was there when the plan was pinned */
    }
    for (size_t i = first; i < plan->phase_count; i++) {
        int64_t to_ns = MET__TIME_MAX;
        if (i + 1 < plan->phase_count) {
            is_small &= met__duration_sum(&start_after,
                                          &plan->phases[i].duration);
            to_ns = start_of(subscription, &start_after, is_small);
        }
        if (at_ns < to_ns) {
            *phase_index_out = i;
            *bounds_out =
                (met__period){from_ns, to_ns < end_ns ? to_ns : end_ns};
            return MET_OK;
        }
        from_ns = to_ns;
    }
    return MET_E_NOT_FOUND;
}

met_error met__subscription_billing_period(
    const met__subscription *subscription, const met__plan *plan,
    int64_t at_ns, met__period *period_out)
{
    met__recurrence recurrence = {subscription->billing_anchor_ns,
                                  plan->billing_cadence};
    met__period phase;
    met__period period;
    size_t index;
    met_error error = met__subscription_phase_at(subscription, plan, at_ns,
                                                 &index, &phase);

    MET__ASSERT(period_out != NULL);
    if (error == MET_OK) {
        error = met__recurrence_period_within(&recurrence, at_ns, &period,
                                              NULL);
    }
    if (error != MET_OK) {
        return error;
    }
    period_out->from_ns =
        period.from_ns > phase.from_ns ? period.from_ns : phase.from_ns;
    period_out->to_ns =
        period.to_ns < phase.to_ns ? period.to_ns : phase.to_ns;
    return MET_OK;
}

met__period met__usage_bounds(met__period period)
{
    return (met__period){period.from_ns - period.from_ns % MET__MINUTE_NS,
                         period.to_ns - period.to_ns % MET__MINUTE_NS};
}
