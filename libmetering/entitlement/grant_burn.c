/* One run of the grants of an entitlement. In: terms, a state, an end. Out: the
 * state there, what a customer is told, and the segments between. */
#include "entitlement/grant_burn.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/error.h"

/* One grant on its way through a run. */
typedef struct line {
    const met__grant *grant;
    met__period active;
    met_decimal balance;
    int64_t next_ns;      /* its next recurrence, or MET__NEVER */
    int64_t issued_at_ns; /* the last time it got its amount; -1: not yet */
} line;

typedef struct run {
    const met__burn_terms *terms;
    met__arena *arena;
    line *lines; /* in the order of paying */
    size_t count;
    int64_t since_ns;
    met_decimal usage;
    met_decimal grant_usage;
    met_decimal overage;
    size_t steps; /* segments, kept or not */
    size_t capacity;
    size_t segment_count;
    met__burn_segment *segments;
} run;

/* --- Segments ------------------------------------------------------------- */
static met_error state_of(const run *self, int64_t at_ns,
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
        const line *at = &self->lines[i];
        state.balances[i] =
            (met__burn_balance){.grant_id = at->grant->id,
                                .balance = at->balance,
                                .is_issued = at->issued_at_ns == at_ns};
    }
    *state_out = state;
    return MET_OK;
}

static met_error grow(run *self)
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
static met_error begin_segment(run *self, int64_t from_ns,
                               met__burn_segment **segment_out)
{
    met_error error = MET_OK;

    *segment_out = NULL;
    if (self->steps++ == MET__SEGMENTS_MAX) {
        return MET_E_LIMIT;
    }
    if (!self->terms->keeps_segments) {
        return MET_OK;
    }
    if (self->steps * (self->count + 1) > MET__SEGMENT_BALANCES_MAX) {
        return MET_E_LIMIT;
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
static int is_due(const line *at, int64_t at_ns)
{
    return at->active.from_ns == at_ns || at->next_ns == at_ns;
}

/* need is paid by the grants in force at at_ns, as far as they reach; the rest
 * is overage. At a reset only what was rolled over pays. */
static met_error burn(run *self, int64_t at_ns, int at_reset,
                      met_decimal need, met__burn_segment *segment)
{
    met_decimal zero = met__decimal_zero();
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        line *at = &self->lines[i];
        if (!met__period_contains(at->active, at_ns)
            || met__decimal_is_zero(at->balance)
            || (at_reset && is_due(at, at_ns))) {
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
static met_error issue(run *self, int64_t at_ns)
{
    int is_level = self->terms->measure == MET__MEASURE_LEVEL;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->count; i++) {
        line *at = &self->lines[i];
        if (!met__period_contains(at->active, at_ns)) {
            at->balance = met__decimal_zero();
        } else if (is_level
                   || (is_due(at, at_ns) && at->issued_at_ns != at_ns)) {
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
static met_error measure(run *self, int64_t from_ns, int64_t to_ns,
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
    if (error == MET_OK && adds) {
        *usage_out = usage;
        return met__decimal_add(before, usage, &self->usage);
    }
    self->usage = usage;
    *usage_out = usage;
    if (error == MET_OK && terms->measure == MET__MEASURE_DISTINCT) {
        error = met__decimal_subtract(usage, before, usage_out);
    }
    return error;
}

static met_error burn_segment(run *self, int64_t from_ns, int64_t to_ns,
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
static int64_t next_cut(const run *self, met__period rest, int ends,
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

static met_error burn_span(run *self, int64_t from_ns, int64_t to_ns,
                           int ends)
{
    int goes_on = 1;

    while (goes_on) {
        uint32_t why;
        met_error error = issue(self, from_ns);
        int64_t cut =
            next_cut(self, (met__period){from_ns, to_ns}, ends, &why);
        if (cut == to_ns) {
            /* What recurs at the very end makes an empty segment there. */
            goes_on = ends && (why & MET__ENDED_RECURRENCE);
            why |= ends ? 0 : MET__ENDED_RESET;
        }
        if (error == MET_OK) {
            error = burn_segment(self, from_ns, cut, why);
        }
        if (error != MET_OK) {
            return error;
        }
        from_ns = cut;
    }
    return MET_OK;
}

static met_error roll_over(run *self, const met__burn_reset *reset)
{
    int keeps = reset->preserves_overage
                && self->terms->measure != MET__MEASURE_LEVEL;
    met__burn_segment *segment;

    for (size_t i = 0; i < self->count; i++) {
        line *at = &self->lines[i];
        if (!met__period_contains(at->active, reset->at_ns)) {
            continue;
        }
        if (met__decimal_compare(at->balance, at->grant->rollover_min) < 0) {
            at->balance = at->grant->rollover_min;
        }
        if (met__decimal_compare(at->balance, at->grant->rollover_max) > 0) {
            at->balance = at->grant->rollover_max;
        }
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
    return met__grant_compare(((const line *)a)->grant,
                              ((const line *)b)->grant);
}

static met_error open_lines(run *self, const met__burn_state *start,
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
        line at = {.grant = &terms->grants[i], .issued_at_ns = -1};
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

static met_error value_of(const run *self, int64_t at_ns,
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
    run self = {.terms = terms, .arena = arena};
    met__burn_result result = {0};

    MET__ASSERT(terms != NULL && start != NULL && result_out != NULL
                && terms->measure <= MET__MEASURE_LEVEL);
    int64_t from_ns = start->at_ns;
    met_error error = check_terms(terms, start, until_ns, info);
    if (error == MET_OK) {
        self.since_ns = start->since_ns;
        self.usage = start->usage;
        self.grant_usage = start->grant_usage;
        self.overage = start->overage;
        error = open_lines(&self, start, until_ns, info);
    }
    for (size_t i = 0; error == MET_OK && i < terms->reset_count; i++) {
        error = burn_span(&self, from_ns, terms->resets[i].at_ns, 0);
        if (error == MET_OK) {
            error = roll_over(&self, &terms->resets[i]);
        }
        from_ns = terms->resets[i].at_ns;
    }
    if (error == MET_OK) {
        error = burn_span(&self, from_ns, until_ns, 1);
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
    return error;
}
