/* The ledger: rows, grants, resets and usage of a customer's feature put into
 * the engine. In: an allowance and its holder, the store. Out: states, values,
 * runs. It changes nothing. */
#include "entitlement/ledger.h"

#include "base/check.h"
#include "entitlement/balance.h"
#include "entitlement/customer_usage.h"
#include "entitlement/entitled_parts.h"
#include "entitlement/ledger_state.h"
#include "entitlement/usage_period.h"

#define OWN_PREFIX "own/"

int met__ledger_is_own(met__text grant_id)
{
    return grant_id.size > sizeof OWN_PREFIX - 1
           && memcmp(grant_id.data, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0;
}

static uint32_t measure_of(const met__meter *meter)
{
    return met__meter_is_additive(meter) ? MET__MEASURE_ADDS
           : meter->aggregation == MET__AGGREGATION_UNIQUE_COUNT
               ? MET__MEASURE_DISTINCT
               : MET__MEASURE_LEVEL;
}

/* --- Rows ----------------------------------------------------------------- */
static met__period measured(const met__allowance *allowance)
{
    return (met__period){met__minute_first(allowance->measured_from_ns),
                         met__minute_first(allowance->row.to_ns)};
}

/* Rows of the feature that were in force before, of the same kind of meter. */
static int precedes(const met__ledger *self, const met__allowance *other)
{
    const met__allowance *last = self->allowance;

    return other == last
           || (other->row.type == MET__ENTITLEMENT_METERED
               && other->meter != NULL
               && other->row.from_ns < last->row.from_ns
               && other->row.from_ns < other->row.to_ns
               && measure_of(other->meter) == self->measure
               && met__text_equal(other->card->feature_key,
                                  last->card->feature_key));
}

/* By time; a later one takes the minutes that it measures from those before,
 * and rows without a minute are left out. */
static met_error find_rows(met__ledger *self)
{
    const met__holder *holder = self->holder;
    size_t kept = 0;

    self->rows = met__arena_allocate(
        self->arena, (holder->count + 1) * sizeof *self->rows);
    if (self->rows == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *other = &holder->allowances[i];
        size_t at = self->row_count;
        if (!precedes(self, other)) {
            continue;
        }
        for (; at > 0
               && self->rows[at - 1].allowance->row.from_ns
                      > other->row.from_ns;
             at--) {
            self->rows[at] = self->rows[at - 1];
        }
        self->rows[at] = (met__ledger_row){other, measured(other)};
        self->row_count++;
    }
    for (size_t i = self->row_count; i > 1; i--) {
        met__period *before = &self->rows[i - 2].bounds;
        const met__period *after = &self->rows[i - 1].bounds;
        if (before->to_ns > after->from_ns) {
            before->to_ns = after->from_ns;
        }
        if (before->to_ns < before->from_ns) {
            *before = (met__period){before->to_ns, before->to_ns};
        }
    }
    for (size_t i = 0; i < self->row_count; i++) {
        if (self->rows[i].bounds.from_ns < self->rows[i].bounds.to_ns) {
            self->rows[kept++] = self->rows[i];
        }
    }
    self->row_count = kept;
    return MET_OK;
}

/* --- Grants --------------------------------------------------------------- */
/* What an entitlement issues by itself: topped up at every reset. */
static met_error add_own(met__ledger *self, size_t first)
{
    const met__allowance *allowance = self->rows[first].allowance;
    met_decimal limit = allowance->card->entitlement.limit;
    met__period life = self->rows[first].bounds;

    if (!allowance->card->entitlement.has_limit
        || met__decimal_is_zero(limit)) {
        return MET_OK;
    }
    for (size_t i = first + 1; i < self->row_count; i++) {
        if (self->rows[i].allowance->life.from_ns == allowance->life.from_ns
            && met__text_equal(self->rows[i].allowance->id, allowance->id)) {
            life.to_ns = self->rows[i].bounds.to_ns;
        }
    }
    char *id = met__arena_print(self->arena, OWN_PREFIX "%.*s/%lld",
                                (int)allowance->id.size, allowance->id.data,
                                (long long)allowance->life.from_ns);
    if (id == NULL) {
        return MET_E_NO_MEMORY;
    }
    self->grants[self->grant_count++] =
        (met__grant){.id = met__text_z(id),
                     .amount = limit,
                     .rollover_min = limit,
                     .rollover_max = limit,
                     .created_at_ns = life.from_ns,
                     .effective_at_ns = life.from_ns,
                     .expires_at_ns = MET__NEVER,
                     .voided_at_ns = MET__NEVER,
                     .deleted_at_ns = life.to_ns,
                     .priority = allowance->priority};
    return MET_OK;
}

static void add_stored(met__ledger *self, const met__stored_grant *stored)
{
    self->grants[self->grant_count++] = met__grant_by_minutes(&stored->terms);
    self->carries = 1;
}

static met_error find_grants(met__ledger *self)
{
    const met__entitled *entitled = &self->holder->entitled;
    met_error error = MET_OK;

    self->grants = met__arena_allocate(
        self->arena, (self->row_count + entitled->grant_count + 1)
                         * sizeof *self->grants);
    if (self->grants == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < entitled->grant_count; i++) {
        if (met__text_equal(entitled->grants[i].owner.feature_key,
                            self->allowance->card->feature_key)) {
            add_stored(self, &entitled->grants[i]);
        }
    }
    for (size_t i = 0; error == MET_OK && i < self->row_count; i++) {
        const met__allowance *at = self->rows[i].allowance;
        self->carries |= at->preserves_overage || at->begins_with_reset == 2;
        if (i == 0
            || self->rows[i - 1].allowance->life.from_ns != at->life.from_ns
            || !met__text_equal(self->rows[i - 1].allowance->id, at->id)) {
            error = add_own(self, i);
        }
    }
    return error;
}

met_error met__ledger_open(met__txn *txn, const met__holder *holder,
                           const met__allowance *allowance,
                           met__arena *arena, met_error_info *info,
                           met__ledger *ledger_out)
{
    met__ledger self = {.txn = txn,
                        .holder = holder,
                        .allowance = allowance,
                        .arena = arena,
                        .info = info};

    MET__ASSERT(allowance->row.type == MET__ENTITLEMENT_METERED
                && allowance->meter != NULL);
    self.now_end_ns = met__minute_last(met__txn_now_ns(txn)) + 1;
    self.measure = measure_of(allowance->meter);
    met_error error = find_rows(&self);
    if (error == MET_OK) {
        error = find_grants(&self);
    }
    if (error == MET_OK) {
        *ledger_out = self;
    }
    return error;
}

/* --- Usage ---------------------------------------------------------------- */
/* Of one row, in its own unit. What settlement keeps is used where the time
 * asked for ends with the usage period or with now. */
static met_error usage_in(const met__ledger *self, const met__ledger_row *row,
                          met__period part, met_decimal *usage_out)
{
    const met__allowance *allowance = row->allowance;
    const met__burn_state *start = &self->start;
    met_decimal before = met__decimal_zero();
    met__period period;
    uint64_t number;
    met_error error =
        met__allowance_period(allowance, part.from_ns, &number, &period);
    int64_t from_ns = met__minute_first(period.from_ns);
    int is_last = part.to_ns >= self->now_end_ns
                  || part.to_ns >= met__minute_first(period.to_ns);
    int is_known = part.from_ns == from_ns;

    if (!is_known && part.from_ns == start->at_ns
        && start->since_ns == from_ns) {
        is_known = 1;
        before = start->usage;
    }
    if (error == MET_OK && is_last && is_known
        && row->bounds.from_ns <= from_ns
        && row->bounds.to_ns >= met__minute_first(period.to_ns)) {
        met__balance balance;
        error = met__balance_get(self->txn, self->holder, allowance, period,
                                 self->arena, &balance, self->info);
        *usage_out = balance.total;
    } else if (error == MET_OK) {
        before = met__decimal_zero();
        error = met__customer_level(self->txn, self->holder->customer,
                                    allowance->feature, allowance->meter, part,
                                    MET__USAGE_ANY, usage_out, self->info);
    }
    if (error == MET_OK) {
        error = met__allowance_usage(allowance, *usage_out, usage_out);
    }
    return error == MET_OK
               ? met__decimal_subtract(*usage_out, before, usage_out)
               : error;
}

/* What of [from, to) is a row's; of the last minute all counts. 0: nothing. */
static int part_of(const met__ledger *self, const met__ledger_row *row,
                   int64_t from_ns, int64_t to_ns, met__period *part_out)
{
    if (to_ns % MET__MINUTE_NS != 0) {
        to_ns = met__minute_last(to_ns) + 1;
    }
    return !self->is_frozen
           && met__period_intersection(
               row->bounds, (met__period){from_ns, to_ns}, part_out);
}

static met_error usage_between(void *context, int64_t from_ns, int64_t to_ns,
                               met_decimal *usage_out)
{
    const met__ledger *self = context;
    met_decimal sum = met__decimal_zero();
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->row_count; i++) {
        met_decimal usage;
        met__period part;
        if (!part_of(self, &self->rows[i], from_ns, to_ns, &part)) {
            continue;
        }
        error = usage_in(self, &self->rows[i], part, &usage);
        if (error == MET_OK) {
            error = met__decimal_add(sum, usage, &sum);
        }
    }
    *usage_out = sum;
    return error;
}

/* When the first of all rows' usage is. */
static met_error first_between(void *context, int64_t from_ns, int64_t to_ns,
                               int64_t *at_ns_out)
{
    const met__ledger *self = context;
    int64_t first_ns = to_ns;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->row_count; i++) {
        const met__allowance *allowance = self->rows[i].allowance;
        int64_t at_ns = to_ns;
        met__period part;
        if (!part_of(self, &self->rows[i], from_ns, to_ns, &part)) {
            continue;
        }
        error = met__customer_first(self->txn, self->holder->customer,
                                    allowance->feature, allowance->meter,
                                    part, &at_ns);
        if (at_ns < part.to_ns && at_ns < first_ns) {
            first_ns = at_ns;
        }
    }
    *at_ns_out = first_ns;
    return error;
}

/* --- Resets --------------------------------------------------------------- */
met_error met__ledger_terms(met__ledger *self, int64_t from_ns,
                            int64_t to_ns, met__burn_terms *terms_out)
{
    size_t room = self->row_count + 1;
    met__burn_reset *begins =
        met__arena_allocate(self->arena, room * sizeof *begins);
    met__burn_cycle *cycles =
        met__arena_allocate(self->arena, room * sizeof *cycles);
    met__burn_terms terms = {.grants = self->grants,
                             .grant_count = self->grant_count,
                             .resets = begins,
                             .cycles = cycles,
                             .measure = self->measure,
                             .usage = usage_between,
                             .first = first_between,
                             .context = self};

    if (begins == NULL || cycles == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < self->row_count; i++) {
        const met__allowance *allowance = self->rows[i].allowance;
        met__burn_cycle cycle = {allowance->row.usage_period,
                                 self->rows[i].bounds,
                                 allowance->preserves_overage, 1};
        met__usage_add_resets(&cycle, allowance->begins_with_reset == 2,
                              from_ns, to_ns, begins, cycles, &terms);
    }
    *terms_out = terms;
    return MET_OK;
}

/* --- Where runs begin ----------------------------------------------------- */
/* The usage period around an instant, or the next beginning of a row. */
static met_error period_start(const met__ledger *self, int64_t at_ns,
                              int64_t *start_out)
{
    met_error error = MET_OK;
    size_t last = 0;
    uint64_t number;

    for (size_t i = 0; i < self->row_count; i++) {
        last = self->rows[i].bounds.from_ns <= at_ns ? i : last;
    }
    const met__ledger_row *row = &self->rows[last];
    if (at_ns >= row->bounds.to_ns) {
        at_ns = row->bounds.to_ns - 1; /* in a gap: what was before it */
    }
    if (at_ns < row->bounds.from_ns) {
        at_ns = row->bounds.from_ns;
    }
    met__period period;
    error = met__allowance_period(row->allowance, at_ns, &number, &period);
    if (error == MET_OK) {
        *start_out = met__minute_first(period.from_ns);
    }
    if (error == MET_OK && *start_out < row->bounds.from_ns) {
        *start_out = row->bounds.from_ns;
    }
    return error;
}

/* Before the first grant every usage period begins as the one before, unless
 * debt is carried over. */
static met_error first_start(const met__ledger *self, int64_t at_ns,
                             int64_t *start_out)
{
    int64_t first_ns = at_ns;

    if (self->measure == MET__MEASURE_LEVEL) {
        return period_start(self, at_ns, start_out); /* a level owes nothing */
    }
    for (size_t i = 0; i < self->row_count; i++) {
        if (self->rows[i].allowance->preserves_overage
            || self->rows[i].allowance->begins_with_reset == 2) {
            *start_out = self->rows[0].bounds.from_ns;
            return MET_OK;
        }
    }
    for (size_t i = 0; self->carries && i < self->grant_count; i++) {
        if (!met__ledger_is_own(self->grants[i].id)
            && self->grants[i].effective_at_ns < first_ns) {
            first_ns = self->grants[i].effective_at_ns;
        }
    }
    return period_start(self, first_ns, start_out);
}

/* The state in which a run to at_ns begins. */
static met_error find_start(met__ledger *self, int64_t at_ns)
{
    int64_t start_ns = 0;
    met_error error = MET_E_NOT_FOUND;

    if (self->carries && self->measure == MET__MEASURE_ADDS) {
        error = met__ledger_state_get(self, at_ns, &self->start);
    }
    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    error = first_start(self, at_ns, &start_ns);
    return error == MET_OK
               ? met__burn_begin(self->grants, self->grant_count, start_ns,
                                 self->arena, &self->start)
               : error;
}

met_error met__ledger_state(met__ledger *self, int64_t at_ns,
                            met__burn_state *state_out)
{
    met__burn_result result;
    met__burn_terms terms;
    met_error error = find_start(self, at_ns);

    if (error != MET_OK || at_ns <= self->start.at_ns) {
        *state_out = self->start;
        return error;
    }
    error = met__ledger_terms(self, self->start.at_ns, at_ns, &terms);
    if (error == MET_OK) {
        error = met__burn_run(&terms, &self->start, at_ns, self->arena,
                              &result, self->info);
    }
    if (error == MET_OK) {
        *state_out = result.end;
    }
    return error;
}

met_error met__ledger_run(met__ledger *self, int64_t until_ns,
                          int keeps_segments, met__burn_result *result_out)
{
    met__burn_terms terms;
    met_error error = find_start(self, until_ns);

    if (error == MET_OK) {
        error = met__ledger_terms(self, self->start.at_ns, until_ns, &terms);
    }
    if (error != MET_OK) {
        return error;
    }
    terms.keeps_segments = keeps_segments;
    return met__burn_run(&terms, &self->start, until_ns, self->arena,
                         result_out, self->info);
}

met_error met__ledger_value(met__ledger *self, int64_t at_ns,
                            met__burn_value *value_out)
{
    met__burn_result result;
    met_error error =
        met__ledger_run(self, met__minute_last(at_ns), 0, &result);

    if (error == MET_OK) {
        *value_out = result.value;
    }
    return error;
}
