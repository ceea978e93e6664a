/* One run of the grants of an entitlement. In: terms, a state, an end. Out: the
 * state there, what a customer is told, and the segments between. */
#include <stdlib.h>

#include "base/check.h"
#include "base/error.h"
#include "entitlement/grant_run.h"

/* --- Segments ------------------------------------------------------------- */
static met_error state_of(const met__run *self, int64_t at_ns,
                          met__burn_state *state_out)
{
    met__burn_state state = {.at_ns = at_ns,
                             .since_ns = self->since_ns,
                             .usage = self->usage,
                             .grant_usage = self->grant_usage,
                             .overage = self->overage,
                             .count = self->count};

    state.balances = met__arena_allocate(
        self->arena, (self->count + 1) * sizeof *state.balances);
    if (state.balances == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < self->count; i++) {
        const met__run_line *at = &self->lines[i];
        state.balances[i] =
            (met__burn_balance){.grant_id = at->grant->id,
                                .balance = at->balance,
                                .is_issued = at->issued_at_ns == at_ns};
    }
    *state_out = state;
    return MET_OK;
}

static met_error grow(met__run *self)
{
    size_t capacity = self->capacity == 0 ? 16 : self->capacity * 2;
    met__burn_segment *segments =
        met__arena_allocate(self->arena, capacity * sizeof *segments);

    if (segments == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (self->segment_count > 0) {
        memcpy(segments, self->segments,
               self->segment_count * sizeof *segments);
    }
    self->segments = segments;
    self->capacity = capacity;
    return MET_OK;
}

/* NULL when segments are not kept. */
static met_error begin_segment(met__run *self, int64_t from_ns,
                               met__burn_segment **segment_out)
{
    met_error error = MET_OK;

    *segment_out = NULL;
    if (self->steps++ == MET__SEGMENTS_MAX) {
        return met__fail(self->info, MET_E_LIMIT, "segments",
                         "more than %d lie between", MET__SEGMENTS_MAX);
    }
    if (!self->terms->keeps_segments) {
        return MET_OK;
    }
    if (self->steps * (self->count + 1) > MET__SEGMENT_BALANCES_MAX) {
        return met__fail(self->info, MET_E_LIMIT, "segments",
                         "have more than %d balances in all",
                         MET__SEGMENT_BALANCES_MAX);
    }
    if (self->segment_count == self->capacity) {
        error = grow(self);
    }
    if (error != MET_OK) {
        return error;
    }
    met__burn_segment *segment = &self->segments[self->segment_count];
    *segment = (met__burn_segment){.usage = met__decimal_zero()};
    segment->burned = met__arena_allocate(
        self->arena, (self->count + 1) * sizeof *segment->burned);
    error = segment->burned == NULL
                ? MET_E_NO_MEMORY
                : state_of(self, from_ns, &segment->start);
    if (error == MET_OK) {
        self->segment_count++;
        *segment_out = segment;
    }
    return error;
}

/* --- Burning -------------------------------------------------------------- */
/* need is paid by the grants in force at at_ns, as far as they reach; the rest
 * is overage. At a reset only what was rolled over pays. */
static met_error burn(met__run *self, int64_t at_ns, int at_reset,
                      met_decimal need, met__burn_segment *segment)
{
    met_decimal zero = met__decimal_zero();
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        met__run_line *at = &self->lines[i];
        if (!met__period_contains(at->active, at_ns)
            || met__decimal_is_zero(at->balance)
            || (at_reset && met__run_line_is_due(at, at_ns))) {
            continue;
        }
        met_decimal part = met__decimal_is_negative(need) ? zero : need;
        int is_exhausted = met__decimal_compare(at->balance, part) <= 0;
        if (is_exhausted) {
            part = at->balance;
        }
        error = met__decimal_subtract(at->balance, part, &at->balance);
        if (error == MET_OK) {
            error = met__decimal_subtract(need, part, &need);
        }
        if (error == MET_OK) {
            error = met__decimal_add(self->grant_usage, part,
                                     &self->grant_usage);
        }
        if (segment != NULL) {
            segment->burned[segment->burned_count++] =
                (met__burned){at->grant->id, part, is_exhausted};
        }
    }
    self->overage = need;
    if (segment != NULL) {
        segment->overage = need;
    }
    return error;
}

/* What begins, ends or recurs at the first instant of a segment. */
static met_error issue(met__run *self, int64_t at_ns)
{
    int is_level = self->terms->measure == MET__MEASURE_LEVEL;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        met__run_line *at = &self->lines[i];
        if (!met__period_contains(at->active, at_ns)) {
            at->balance = met__decimal_zero();
        } else if (is_level
                   || (met__run_line_is_due(at, at_ns)
                       && at->issued_at_ns != at_ns)) {
            at->balance = at->grant->amount;
            at->issued_at_ns = at_ns;
        }
        if (at->next_ns == at_ns) {
            error = met__grant_recurs(at->grant, at_ns, 0, &at->next_ns);
        }
    }
    return error;
}

/* The usage of a segment, and that of the period with it. */
static met_error measure(met__run *self, int64_t from_ns, int64_t to_ns,
                         met_decimal *usage_out)
{
    const met__burn_terms *terms = self->terms;
    int adds = terms->measure == MET__MEASURE_ADDS;
    int64_t since_ns = adds ? from_ns : self->since_ns;
    met_decimal usage = met__decimal_zero();
    met_decimal before = self->usage;
    met_error error = MET_OK;

    if (since_ns < to_ns) {
        error = terms->usage(terms->context, since_ns, to_ns, &usage);
    }
    if (error == MET_OK && !met__decimal_is_valid(usage)) {
        error = MET_E_INVALID;
    }
    *usage_out = usage;
    if (error == MET_OK && adds) {
        self->is_idle = met__decimal_is_zero(usage);
        return met__decimal_add(before, usage, &self->usage);
    }
    self->usage = usage;
    self->is_idle = met__decimal_compare(usage, before) == 0;
    if (error == MET_OK && terms->measure == MET__MEASURE_DISTINCT) {
        error = met__decimal_subtract(usage, before, usage_out);
    }
    return error;
}

static met_error burn_segment(met__run *self, int64_t from_ns, int64_t to_ns,
                              uint32_t ended_by)
{
    met__burn_segment *segment;
    met_decimal need;
    met_error error = begin_segment(self, from_ns, &segment);

    if (error == MET_OK) {
        error = measure(self, from_ns, to_ns, &need);
    }
    if (error != MET_OK) {
        return error;
    }
    if (segment != NULL) {
        segment->to_ns = to_ns;
        segment->ended_by = ended_by;
        segment->usage = need;
    }
    if (self->terms->measure == MET__MEASURE_LEVEL) {
        self->grant_usage = met__decimal_zero();
    } else {
        error = met__decimal_add(need, self->overage, &need);
    }
    return error == MET_OK ? burn(self, from_ns, 0, need, segment) : error;
}

/* --- The way from reset to reset ------------------------------------------ */
static void cut_at(int64_t at_ns, met__period inside, int64_t *cut)
{
    if (at_ns > inside.from_ns && at_ns < inside.to_ns && at_ns < *cut) {
        *cut = at_ns;
    }
}

/* Where the segment that begins at rest.from ends, and why. `ends` says that
 * the run does where rest ends: recurrences there are its own. */
static int64_t next_cut(const met__run *self, met__period rest, int ends,
                        uint32_t *why_out)
{
    int64_t cut = rest.to_ns;
    uint32_t why = 0;

    for (size_t i = 0; i < self->count; i++) {
        const met__grant *grant = self->lines[i].grant;
        cut_at(grant->effective_at_ns, rest, &cut);
        cut_at(grant->expires_at_ns, rest, &cut);
        cut_at(grant->voided_at_ns, rest, &cut);
        cut_at(grant->deleted_at_ns, rest, &cut);
        cut_at(self->lines[i].next_ns, rest, &cut);
    }
    for (size_t i = 0; i < self->count; i++) {
        const met__grant *grant = self->lines[i].grant;
        if (self->lines[i].next_ns == cut && (cut < rest.to_ns || ends)) {
            why |= MET__ENDED_RECURRENCE;
        }
        if (cut < rest.to_ns
            && (grant->effective_at_ns == cut || grant->expires_at_ns == cut
                || grant->voided_at_ns == cut
                || grant->deleted_at_ns == cut)) {
            why |= MET__ENDED_ACTIVITY;
        }
    }
    *why_out = why;
    return cut;
}

met_decimal met__run_rolled(const met__grant *grant, met_decimal balance)
{
    if (met__decimal_compare(balance, grant->rollover_min) < 0) {
        balance = grant->rollover_min;
    }
    return met__decimal_compare(balance, grant->rollover_max) > 0
               ? grant->rollover_max
               : balance;
}

static met_error roll_over(met__run *self, const met__burn_reset *reset)
{
    int keeps = reset->preserves_overage
                && self->terms->measure != MET__MEASURE_LEVEL;
    met__burn_segment *segment;

    for (size_t i = 0; i < self->count; i++) {
        met__run_line *at = &self->lines[i];
        if (!met__period_contains(at->active, reset->at_ns)) {
            continue;
        }
        at->balance = met__run_rolled(at->grant, at->balance);
    }
    self->since_ns = reset->at_ns;
    self->usage = met__decimal_zero();
    self->grant_usage = met__decimal_zero();
    if (!keeps) {
        self->overage = met__decimal_zero();
    }
    met_error error = begin_segment(self, reset->at_ns, &segment);
    if (error == MET_OK && segment != NULL) {
        segment->to_ns = reset->at_ns;
        segment->ended_by = MET__ENDED_ROLLOVER;
        segment->overage = self->overage;
    }
    if (error == MET_OK && !met__decimal_is_negative(self->overage)
        && !met__decimal_is_zero(self->overage)) {
        error = burn(self, reset->at_ns, 1, self->overage, segment);
    }
    return error;
}

met_error met__run_cycle_at(const met__burn_cycle *cycle, int64_t at_ns,
                            met__period *around_out, int64_t *n_out)
{
    int64_t rest_ns = at_ns % MET__MINUTE_NS;

    if (cycle->by_minutes
        && at_ns - rest_ns <= MET__TIME_MAX - MET__MINUTE_NS) {
        at_ns += MET__MINUTE_NS - 1 - rest_ns; /* all points of the minute */
    }
    met_error error = met__recurrence_period_within(&cycle->points, at_ns,
                                                    around_out, n_out);
    if (error == MET_OK && cycle->by_minutes) {
        around_out->from_ns -= around_out->from_ns % MET__MINUTE_NS;
        if (around_out->to_ns < MET__TIME_MAX) {
            around_out->to_ns -= around_out->to_ns % MET__MINUTE_NS;
        }
    }
    return error;
}

met_error met__run_find_reset(met__run *self, int64_t after_ns)
{
    const met__burn_terms *terms = self->terms;
    met__burn_reset next = {MET__NEVER, 0};
    met_error error = MET_OK;

    while (self->reset_index < terms->reset_count
           && terms->resets[self->reset_index].at_ns <= after_ns) {
        self->reset_index++;
    }
    if (self->reset_index < terms->reset_count) {
        next = terms->resets[self->reset_index];
    }
    for (size_t i = 0; error == MET_OK && i < terms->cycle_count; i++) {
        const met__burn_cycle *cycle = &terms->cycles[i];
        met__period around;
        int64_t from_ns = after_ns > cycle->between.from_ns
                              ? after_ns
                              : cycle->between.from_ns;
        if (from_ns >= cycle->between.to_ns || from_ns >= self->until_ns) {
            continue;
        }
        error = met__run_cycle_at(cycle, from_ns, &around, NULL);
        if (error == MET_OK && around.to_ns < MET__TIME_MAX
            && around.to_ns < cycle->between.to_ns
            && around.to_ns < next.at_ns) {
            next = (met__burn_reset){around.to_ns, cycle->preserves_overage};
        }
    }
    self->reset = next;
    self->has_reset = next.at_ns <= self->until_ns;
    return error;
}

/* The reset of this instant, if there is one. */
static met_error reset_at(met__run *self, int64_t at_ns)
{
    met_error error = MET_OK;

    if (self->has_reset && self->reset.at_ns == at_ns) {
        error = roll_over(self, &self->reset);
        if (error == MET_OK) {
            error = met__run_find_reset(self, at_ns);
        }
    }
    return error;
}

/* The segment that begins at *at_ns, to its end. */
static met_error step(met__run *self, int64_t *at_ns, int *goes_on)
{
    int ends = !self->has_reset;
    met__period rest = {*at_ns,
                        ends ? self->until_ns : self->reset.at_ns};
    uint32_t why = 0;
    met_error error = issue(self, *at_ns);
    int64_t cut = next_cut(self, rest, ends, &why);

    if (cut == rest.to_ns) {
        /* What recurs at the very end makes an empty segment there. */
        *goes_on = !ends || (why & MET__ENDED_RECURRENCE);
        why |= ends ? 0 : MET__ENDED_RESET;
    }
    if (error == MET_OK) {
        error = burn_segment(self, *at_ns, cut, why);
    }
    *at_ns = cut;
    return error;
}

static met_error advance(met__run *self, int64_t at_ns)
{
    int goes_on = 1;
    met_error error = met__run_find_reset(self, at_ns);

    while (error == MET_OK && goes_on) {
        error = reset_at(self, at_ns);
        if (error == MET_OK && self->is_idle) {
            error = met__run_leap(self, &at_ns);
            if (error == MET_OK) {
                error = reset_at(self, at_ns);
            }
        }
        if (error == MET_OK) {
            error = step(self, &at_ns, &goes_on);
        }
    }
    return error;
}

/* --- Runs ----------------------------------------------------------------- */
static met_error check_terms(const met__burn_terms *terms,
                             const met__burn_state *start, int64_t until_ns,
                             met_error_info *info)
{
    int64_t after_ns = start->at_ns;
    met_error error = MET_OK;

    if (start->at_ns < 0 || until_ns > MET__TIME_MAX
        || until_ns < start->at_ns || start->since_ns > start->at_ns
        || start->since_ns < 0) {
        return met__fail(info, MET_E_INVALID, "at",
                         "a run goes from its state on");
    }
    if (!met__decimal_is_valid(start->usage)
        || !met__decimal_is_valid(start->overage)
        || !met__decimal_is_valid(start->grant_usage)
        || met__decimal_is_negative(start->grant_usage)) {
        return met__fail(info, MET_E_INVALID, "state",
                         "a number of the state is none, or grants have paid "
                         "less than nothing");
    }
    for (size_t i = 0; i < start->count; i++) {
        if (!met__decimal_is_valid(start->balances[i].balance)
            || met__decimal_is_negative(start->balances[i].balance)) {
            return met__fail(info, MET_E_INVALID, "balances",
                             "a balance is negative");
        }
    }
    for (size_t i = 0; i < terms->reset_count; i++) {
        if (terms->resets[i].at_ns <= after_ns
            || terms->resets[i].at_ns > until_ns) {
            return met__fail(info, MET_E_INVALID, "resets",
                             "resets come one after another, after the state "
                             "and not after the end of the run");
        }
        after_ns = terms->resets[i].at_ns;
    }
    for (size_t i = 0; error == MET_OK && i < terms->grant_count; i++) {
        error = met__grant_check(&terms->grants[i], info);
    }
    return error;
}

static int compare_lines(const void *a, const void *b)
{
    return met__grant_compare(((const met__run_line *)a)->grant,
                              ((const met__run_line *)b)->grant);
}

static met_error open_lines(met__run *self, const met__burn_state *start,
                            int64_t until_ns, met_error_info *info)
{
    const met__burn_terms *terms = self->terms;
    size_t *indexes;
    met_error error = met__burn_match(start, terms->grants,
                                      terms->grant_count, self->arena,
                                      &indexes, info);

    if (error == MET_OK) {
        self->lines = met__arena_allocate(
            self->arena, (terms->grant_count + 1) * sizeof *self->lines);
        error = self->lines == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    for (size_t i = 0; error == MET_OK && i < terms->grant_count; i++) {
        met__run_line at = {.grant = &terms->grants[i], .issued_at_ns = -1};
        at.active = met__grant_active(at.grant);
        if (indexes[i] != MET__NO_BALANCE) {
            const met__burn_balance *balance = &start->balances[indexes[i]];
            at.balance = balance->balance;
            at.issued_at_ns = balance->is_issued ? start->at_ns : -1;
        } else if (at.active.from_ns <= until_ns
                   && at.active.to_ns >= start->at_ns) {
            error = met__fail(info, MET_E_INVALID, "balances",
                              "the grant \"%.*s\" has no balance",
                              (int)at.grant->id.size, at.grant->id.data);
        } else {
            continue; /* over before the run, or not begun by its end */
        }
        if (error == MET_OK) {
            error = met__grant_recurs(at.grant, start->at_ns, 1, &at.next_ns);
        }
        self->lines[self->count++] = at;
    }
    if (error == MET_OK && self->count > 0) {
        qsort(self->lines, self->count, sizeof *self->lines, compare_lines);
    }
    return error;
}

static met_error value_of(const met__run *self, int64_t at_ns,
                          met__burn_value *value_out)
{
    met__burn_value value = {.balance = met__decimal_zero(),
                             .usage = self->usage,
                             .overage = self->overage};
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        if (met__period_contains(self->lines[i].active, at_ns)) {
            error = met__decimal_add(value.balance, self->lines[i].balance,
                                     &value.balance);
        }
    }
    if (error == MET_OK) {
        error = met__decimal_add(value.balance, self->grant_usage,
                                 &value.total_available);
    }
    if (error == MET_OK && met__decimal_is_negative(value.overage)) {
        error = met__decimal_subtract(value.balance, value.overage,
                                      &value.balance);
        value.overage = met__decimal_zero();
    }
    *value_out = value;
    return error;
}

met_error met__burn_run(const met__burn_terms *terms,
                        const met__burn_state *start, int64_t until_ns,
                        met__arena *arena, met__burn_result *result_out,
                        met_error_info *info)
{
    met__run self = {.terms = terms,
                     .arena = arena,
                     .info = info,
                     .until_ns = until_ns};
    met__burn_result result = {0};

    MET__ASSERT(terms != NULL && start != NULL && result_out != NULL
                && terms->measure <= MET__MEASURE_LEVEL);
    met_error error = check_terms(terms, start, until_ns, info);
    if (error == MET_OK) {
        self.since_ns = start->since_ns;
        self.usage = start->usage;
        self.grant_usage = start->grant_usage;
        self.overage = start->overage;
        self.unused_to_ns = start->at_ns;
        error = open_lines(&self, start, until_ns, info);
    }
    if (error == MET_OK) {
        error = advance(&self, start->at_ns);
    }
    if (error == MET_OK) {
        error = value_of(&self, until_ns, &result.value);
    }
    if (error == MET_OK) {
        error = state_of(&self, until_ns, &result.end);
    }
    if (error == MET_OK) {
        result.segment_count = self.segment_count;
        result.segments = self.segments;
        *result_out = result;
    }
    if (error == MET_E_OVERFLOW && info != NULL && info->code != error) {
        (void)met__fail(info, error, "balance",
                        "needs more digits than a decimal has");
    }
    return error;
}
