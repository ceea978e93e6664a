/* Leaps of a run over time in which nothing is used. In: a run between two
 * segments. Out: the same run at the last instant, before anything else
 * changes, at which a usage period begins or a grant recurs.
 *
 * Between the two only resets of one cycle and recurrences of the grants in
 * force happen. Without debt none of them depends on those before but through
 * a balance: a recurrence makes it the amount, and resets make of it the same,
 * however many they are. While there is debt, all of them leave balances at 0,
 * so each pays as if it were the only one, and what n of them pay is n times
 * as much. */
#include "base/check.h"
#include "entitlement/grant_run.h"

typedef struct stretch {
    int64_t at_ns;
    int64_t to_ns; /* nothing but points of recurrences is between */
    int64_t first_ns; /* of those, behind at_ns; or MET__NEVER */
    int64_t last_ns;  /* not behind to_ns; or at_ns */
    const met__burn_cycle *cycle; /* of the resets; NULL: there are none */
} stretch;

/* --- How far -------------------------------------------------------------- */
static void end_at(stretch *self, int64_t instant_ns)
{
    if (instant_ns > self->at_ns && instant_ns < self->to_ns) {
        self->to_ns = instant_ns;
    }
}

/* 0: two cycles make resets at once. */
static int find_cycle(const met__run *run, stretch *self)
{
    const met__burn_terms *terms = run->terms;

    for (size_t i = 0; i < terms->cycle_count; i++) {
        const met__burn_cycle *cycle = &terms->cycles[i];
        end_at(self, cycle->between.from_ns);
        end_at(self, cycle->between.to_ns);
        if (cycle->between.from_ns > self->at_ns
            || cycle->between.to_ns <= self->at_ns) {
            continue;
        }
        if (self->cycle != NULL) {
            return 0;
        }
        self->cycle = cycle;
    }
    return 1;
}

static int has_debt(const met__run *run)
{
    return run->terms->measure != MET__MEASURE_LEVEL
           && !met__decimal_is_zero(run->overage)
           && !met__decimal_is_negative(run->overage);
}

static void find_end(const met__run *run, stretch *self)
{
    for (size_t i = 0; i < run->count; i++) {
        const met__grant *grant = run->lines[i].grant;
        end_at(self, grant->effective_at_ns);
        end_at(self, grant->expires_at_ns);
        end_at(self, grant->voided_at_ns);
        end_at(self, grant->deleted_at_ns);
    }
    if (run->reset_index < run->terms->reset_count) {
        end_at(self, run->terms->resets[run->reset_index].at_ns);
    }
    if (has_debt(run) && run->has_reset && !run->reset.preserves_overage) {
        end_at(self, run->reset.at_ns); /* which forgets it */
    }
}

static int is_active(const stretch *self, const met__run_line *line)
{
    return met__period_contains(line->active, self->at_ns);
}

/* No point of the cycle or of a grant in force lies at the end of either. */
static int64_t not_behind(int64_t to_ns, int64_t end_ns)
{
    return to_ns < end_ns ? to_ns : end_ns - 1;
}

static void later(stretch *self, int64_t point_ns)
{
    if (point_ns > self->last_ns) {
        self->last_ns = point_ns;
    }
}

static met_error find_last(const met__run *run, stretch *self)
{
    met__period around = {0, 0};
    met_error error = MET_OK;

    self->last_ns = self->at_ns;
    if (self->cycle != NULL) {
        error = met__run_cycle_at(
            self->cycle,
            not_behind(self->to_ns, self->cycle->between.to_ns), &around,
            NULL);
        later(self, around.from_ns);
    }
    for (size_t i = 0; error == MET_OK && i < run->count; i++) {
        const met__run_line *line = &run->lines[i];
        if (!is_active(self, line) || line->next_ns == MET__NEVER) {
            continue;
        }
        error = met__recurrence_period_within(
            &line->grant->recurrence,
            not_behind(self->to_ns, line->active.to_ns), &around, NULL);
        later(self, around.from_ns);
    }
    return error;
}

static met_error find_first(const met__run *run, stretch *self)
{
    met_error error = MET_OK;

    self->first_ns = run->has_reset ? run->reset.at_ns : MET__NEVER;
    for (size_t i = 0; error == MET_OK && i < run->count; i++) {
        const met__run_line *line = &run->lines[i];
        int64_t next_ns = line->next_ns;
        if (next_ns == self->at_ns) {
            error = met__grant_recurs(line->grant, next_ns, 0, &next_ns);
        }
        if (next_ns < self->first_ns) {
            self->first_ns = next_ns;
        }
    }
    return error;
}

/* Up to the first usage. */
static met_error find_usage(met__run *run, stretch *self)
{
    const met__burn_terms *terms = run->terms;
    met_error error = MET_OK;

    if (run->unused_to_ns <= self->at_ns) {
        error = terms->first(terms->context, self->at_ns, self->to_ns,
                             &run->unused_to_ns);
    }
    if (error == MET_OK && run->unused_to_ns < self->to_ns) {
        self->to_ns = run->unused_to_ns;
        error = find_last(run, self);
    }
    return error;
}

/* --- What is issued and paid ---------------------------------------------- */
/* How often a grant in force is issued in [from, to), and when for the last
 * time. */
static met_error issues(const met__run_line *line, int64_t from_ns,
                        int64_t to_ns, int64_t *count_out, int64_t *last_out)
{
    met__period around;
    int64_t first_ns = line->next_ns;
    int64_t first = 0;
    int64_t last = -1;
    met_error error = MET_OK;

    *count_out = line->active.from_ns == from_ns;
    *last_out = from_ns;
    if (first_ns < from_ns) {
        error = met__grant_recurs(line->grant, from_ns, 1, &first_ns);
    }
    if (error != MET_OK || first_ns >= to_ns) {
        return error;
    }
    error = met__recurrence_period_within(&line->grant->recurrence, first_ns,
                                          &around, &first);
    if (error == MET_OK) {
        error = met__recurrence_period_within(&line->grant->recurrence,
                                              to_ns - 1, &around, &last);
    }
    *count_out += last - first + 1 - (*count_out && first_ns == from_ns);
    *last_out = around.from_ns;
    return error;
}

/* How many resets lie in (from, to), and the last of them. */
static met_error resets(const stretch *self, int64_t from_ns, int64_t to_ns,
                        int64_t *count_out, int64_t *last_out)
{
    met__period around;
    int64_t first = 0;
    int64_t last = 0;

    *count_out = 0;
    if (self->cycle == NULL || from_ns + 1 >= to_ns) {
        return MET_OK;
    }
    met_error error =
        met__run_cycle_at(self->cycle, from_ns, &around, &first);
    if (error == MET_OK) {
        error = met__run_cycle_at(self->cycle, to_ns - 1, &around, &last);
    }
    *count_out = last - first;
    *last_out = around.from_ns;
    return error;
}

/* How many of the resets in (from, to) pay what a grant is left: not those at
 * which it is issued anew. MET_E_UNSUPPORTED: that cannot be told. */
static met_error paying_resets(const stretch *self, const met__run_line *line,
                               int64_t from_ns, int64_t to_ns,
                               int64_t *count_out)
{
    met__recurrence points;
    int64_t last_ns;
    int64_t shared = 0;
    met_error error = resets(self, from_ns, to_ns, count_out, &last_ns);

    if (error != MET_OK || *count_out == 0 || line->next_ns == MET__NEVER) {
        return error;
    }
    points = self->cycle->points;
    if (self->cycle->by_minutes) {
        if (points.interval.seconds != 0 || points.interval.nanoseconds != 0) {
            return MET_E_UNSUPPORTED;
        }
        points.anchor_ns -= points.anchor_ns % MET__MINUTE_NS;
    }
    error = met__recurrence_shared(&points, &line->grant->recurrence, from_ns,
                                   to_ns, &shared);
    *count_out -= shared;
    return error;
}

/* What is paid of a great debt by what is issued in [from, to) and by the
 * resets in (resets_from, to). */
static met_error payments(const met__run *run, const stretch *self,
                          int64_t from_ns, int64_t resets_from_ns,
                          int64_t to_ns, met_decimal *sum_out)
{
    met_decimal sum = met__decimal_zero();
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < run->count; i++) {
        const met__run_line *line = &run->lines[i];
        met_decimal left = met__run_rolled(line->grant, met__decimal_zero());
        met_decimal paid = left;
        int64_t count = 0;
        int64_t reset_count = 0;
        int64_t last_ns;
        if (!is_active(self, line)) {
            continue;
        }
        error = issues(line, from_ns, to_ns, &count, &last_ns);
        if (error == MET_OK && !met__decimal_is_zero(left)) {
            error = paying_resets(self, line, resets_from_ns, to_ns,
                                  &reset_count);
        }
        if (error == MET_OK) {
            error = met__decimal_multiply(met__decimal_from_i64(count),
                                          line->grant->amount, &paid);
        }
        if (error == MET_OK) {
            error = met__decimal_multiply(
                met__decimal_from_i64(reset_count), left, &left);
        }
        if (error == MET_OK) {
            error = met__decimal_add(sum, paid, &sum);
        }
        if (error == MET_OK) {
            error = met__decimal_add(sum, left, &sum);
        }
    }
    *sum_out = sum;
    return error;
}

/* Whether debt is left of all that lies in [at, to). */
static met_error lasts(const met__run *run, const stretch *self,
                       int64_t to_ns, int *lasts_out)
{
    met_decimal sum;
    met_error error =
        payments(run, self, self->at_ns, self->at_ns, to_ns, &sum);

    *lasts_out =
        error == MET_OK && met__decimal_compare(sum, run->overage) < 0;
    return error;
}

/* The last event before which all is still paid to a debt. */
static met_error cut_by_debt(const met__run *run, stretch *self)
{
    int64_t low = self->at_ns;
    int64_t high = self->last_ns;
    int is_owed = 0;
    met_error error = lasts(run, self, high, &is_owed);

    while (error == MET_OK && !is_owed && high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        int is_left = 0;
        error = lasts(run, self, middle, &is_left);
        if (is_left) {
            low = middle;
        } else {
            high = middle;
        }
    }
    if (!is_owed) {
        self->last_ns = low;
    }
    return error;
}

/* --- The state there ------------------------------------------------------ */
static met_error pay_debt(met__run *run, const stretch *self,
                          int64_t reset_count, int64_t reset_ns)
{
    met_decimal sum;
    met_decimal of_period;
    met_error error = payments(run, self, self->at_ns, self->at_ns,
                               self->last_ns, &sum);

    of_period = sum;
    if (error == MET_OK && reset_count > 0) {
        error = payments(run, self, reset_ns, reset_ns - 1, self->last_ns,
                         &of_period);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(run->overage, sum, &run->overage);
    }
    if (error == MET_OK) {
        error = met__decimal_add(
            reset_count > 0 ? met__decimal_zero() : run->grant_usage,
            of_period, &run->grant_usage);
    }
    for (size_t i = 0; i < run->count; i++) {
        run->lines[i].balance = met__decimal_zero();
    }
    return error;
}

static met_error renew(met__run *run, const stretch *self,
                       int64_t reset_count, int64_t reset_ns)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < run->count; i++) {
        met__run_line *line = &run->lines[i];
        int64_t count = 0;
        int64_t last_ns = 0;
        if (!is_active(self, line)) {
            line->balance = met__decimal_zero();
            continue;
        }
        error = issues(line, self->at_ns, self->last_ns, &count, &last_ns);
        if (count > 0) {
            line->balance = line->grant->amount;
        }
        if (reset_count > 0 && (count == 0 || reset_ns > last_ns)) {
            line->balance = met__run_rolled(line->grant, line->balance);
        }
    }
    if (reset_count > 0) {
        run->grant_usage = met__decimal_zero();
        if (!self->cycle->preserves_overage
            || run->terms->measure == MET__MEASURE_LEVEL) {
            run->overage = met__decimal_zero();
        }
    }
    return error;
}

static met_error move(met__run *run, const stretch *self)
{
    int64_t reset_count = 0;
    int64_t reset_ns = 0;
    met_error error = resets(self, self->at_ns, self->last_ns, &reset_count,
                             &reset_ns);

    if (error == MET_OK) {
        error = has_debt(run) ? pay_debt(run, self, reset_count, reset_ns)
                              : renew(run, self, reset_count, reset_ns);
    }
    if (reset_count > 0) {
        run->since_ns = reset_ns;
        run->usage = met__decimal_zero();
    }
    for (size_t i = 0; error == MET_OK && i < run->count; i++) {
        met__run_line *line = &run->lines[i];
        line->issued_at_ns = -1;
        error = met__grant_recurs(line->grant, self->last_ns, 1,
                                  &line->next_ns);
    }
    return error == MET_OK ? met__run_find_reset(run, self->last_ns - 1)
                           : error;
}

met_error met__run_leap(met__run *run, int64_t *at_ns)
{
    stretch self = {.at_ns = *at_ns, .to_ns = run->until_ns};
    met_error error = MET_OK;

    if (run->terms->first == NULL || !find_cycle(run, &self)) {
        return MET_OK;
    }
    find_end(run, &self);
    error = find_last(run, &self);
    if (error == MET_OK) {
        error = find_first(run, &self);
    }
    if (error == MET_OK && self.last_ns > self.first_ns) {
        error = find_usage(run, &self);
    }
    if (error == MET_OK && self.last_ns > self.first_ns && has_debt(run)) {
        error = cut_by_debt(run, &self);
        if (error == MET_E_UNSUPPORTED || error == MET_E_OVERFLOW) {
            return MET_OK; /* step by step, then */
        }
    }
    if (error != MET_OK || self.last_ns <= self.first_ns) {
        return error;
    }
    error = move(run, &self);
    *at_ns = self.last_ns;
    return error;
}
