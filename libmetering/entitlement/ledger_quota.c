/* What a quota cell may give, from the ledger. In: a ledger, an instant. Out:
 * amounts in the meter's unit, never too large: what is granted is usage of
 * the period so far, and what is left or owed. Usage that is not settled yet
 * changes that sum in one direction only, as long as no usage period ends: it
 * is paid by what would have expired, or it is not; so the sum only rises. */
#include "base/check.h"
#include "entitlement/entitled_parts.h"
#include "entitlement/ledger.h"

/* How far ahead changes are looked at; a store is settled more often. */
#define AHEAD_NS (7 * MET__DAY_NS)

static met_error granted_of(const met__ledger *self, met_decimal usage,
                            met_decimal balance, met_decimal overage,
                            met_decimal *granted_out)
{
    met_decimal sum;
    met_error error = met__decimal_add(usage, balance, &sum);

    if (error == MET_OK) {
        error = met__decimal_subtract(sum, overage, &sum);
    }
    return error == MET_OK
               ? met__allowance_metered(self->allowance, sum, granted_out)
               : error;
}

static met_error granted_at(const met__ledger *self,
                            const met__burn_state *state,
                            met_decimal *granted_out)
{
    met_decimal balance = met__decimal_zero();
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < state->count; i++) {
        error = met__decimal_add(balance, state->balances[i].balance,
                                 &balance);
    }
    return error == MET_OK ? granted_of(self, state->usage, balance,
                                        state->overage, granted_out)
                           : error;
}

/* What changes by itself until the period ends, as if nothing was used. */
static met_error look_ahead(met__ledger *self, const met__burn_state *now,
                            int64_t end_ns, met__ledger_quota *quota)
{
    met__burn_result result;
    met__burn_terms terms;
    met_error error =
        met__ledger_terms(self, now->at_ns, now->at_ns, &terms);

    if (end_ns > now->at_ns + AHEAD_NS) {
        end_ns = now->at_ns + AHEAD_NS;
    }
    if (error != MET_OK || end_ns <= now->at_ns) {
        return error;
    }
    terms.keeps_segments = 1;
    terms.first = NULL; /* each of them counts */
    self->is_frozen = 1;
    error = met__burn_run(&terms, now, end_ns, self->arena, &result, NULL);
    self->is_frozen = 0;
    for (size_t i = 1; error == MET_OK && i < result.segment_count; i++) {
        const met__burn_state *state = &result.segments[i].start;
        met_decimal granted;
        error = granted_at(self, state, &granted);
        if (i == 1) {
            quota->next_at_ns = state->at_ns;
        }
        if (i == 1
            || met__decimal_compare(granted, quota->next_granted) < 0) {
            quota->next_granted = granted;
        }
    }
    return error;
}

static met_error quota_now(met__ledger *self, int64_t at_ns,
                           met__period period, met__ledger_quota *quota)
{
    met__burn_result result;
    met_error error =
        met__ledger_run(self, met__minute_last(at_ns), 0, &result);

    if (error == MET_OK && self->measure != MET__MEASURE_ADDS) {
        /* Nothing is taken of it, so all that is granted is what is left. */
        return met__allowance_metered(self->allowance, result.value.balance,
                                      &quota->granted);
    }
    if (error == MET_OK) {
        error = granted_of(self, result.value.usage, result.value.balance,
                           result.value.overage, &quota->granted);
    }
    if (error == MET_OK) {
        error = look_ahead(self, &result.end,
                           met__minute_first(period.to_ns) - 1, quota);
    }
    return error;
}

/* Grants in force throughout the period: what each has when it was used up
 * before, and less what is owed now, if debt is kept. */
static met_error quota_then(met__ledger *self, met__period period,
                            met__ledger_quota *quota)
{
    int64_t from_ns = met__minute_first(period.from_ns);
    int64_t to_ns = met__minute_first(period.to_ns);
    met_decimal sum = met__decimal_zero();
    met__burn_value now = {.overage = met__decimal_zero()};
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->grant_count; i++) {
        const met__grant *grant = &self->grants[i];
        met__period active = met__grant_active(grant);
        met_decimal balance = grant->rollover_min;
        int64_t recurs_ns = MET__NEVER;
        if (!met__period_contains(active, from_ns) || active.to_ns < to_ns) {
            continue;
        }
        error = met__grant_recurs(grant, from_ns, 1, &recurs_ns);
        if (met__decimal_compare(balance, grant->rollover_max) > 0) {
            balance = grant->rollover_max;
        }
        if (active.from_ns == from_ns || recurs_ns == from_ns) {
            balance = grant->amount;
        }
        if (error == MET_OK) {
            error = met__decimal_add(sum, balance, &sum);
        }
    }
    if (error == MET_OK && self->allowance->preserves_overage
        && from_ns >= self->now_end_ns) {
        error = met__ledger_value(self, self->now_end_ns - 1, &now);
    }
    return error == MET_OK ? granted_of(self, met__decimal_zero(), sum,
                                        now.overage, &quota->granted)
                           : error;
}

met_error met__ledger_quota_of(met__ledger *self, int64_t at_ns,
                               met__ledger_quota *quota_out)
{
    met__ledger_quota quota = {self->allowance->issued, met__decimal_zero(),
                               0};
    int64_t now_ns = self->now_end_ns - 1;
    met__period period;
    uint64_t number;
    met_error error = met__allowance_period(self->allowance, at_ns, &number,
                                            &period);

    if (error == MET_OK
        && (self->carries || self->measure != MET__MEASURE_ADDS)) {
        if (period.from_ns > now_ns) {
            error = quota_then(self, period, &quota);
        } else if (period.to_ns > now_ns) {
            error = quota_now(self, now_ns, period, &quota);
        } /* else: it is over, nobody asks for it */
    }
    if (error == MET_OK) {
        *quota_out = quota;
    }
    return error;
}
