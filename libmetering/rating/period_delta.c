/* What is to be billed now, each line on the period whose usage it is: the
 * form of a difference for those who report by period. It sums to what
 * met__rate_delta gives.
 *
 * Rule: OpenMeter, billing/charges/usagebased/service/rating/periodpreserving.
 * The charge is rated up to the end of every run, as its usage is known now;
 * what one run adds to the runs before it lies on its period, and a line that
 * is no longer there is taken back from the first period that had it. Of this
 * every period's booked lines are taken away. Child ids end in
 * "@[from..to]". */
#include "base/check.h"
#include "rating/rating_parts.h"

/* One rating under way. */
typedef struct charge {
    const met__rate_input *input;
    const met__rated_run *runs;
    size_t run_count;
    met__arena *arena;
    met_error_info *info;
    met__line *lines; /* what all runs together come to */
    size_t line_count;
    met__rated *last; /* the whole charge as one */
} charge;

static int is_period(const met__line *line, const met__rated_run *run)
{
    return line->period.from_ns == run->period.from_ns
           && line->period.to_ns == run->period.to_ns;
}

static met_error check_runs(const charge *self)
{
    const met__price *price = self->input->price;

    if (price->type == MET__PRICE_MATRIX || price->has_fixed) {
        return met__fail(self->info, MET_E_UNSUPPORTED, "earlier_runs",
                         "do not go with a price by event or dimension");
    }
    if (self->input->policies.round_at == MET__ROUND_AT_TOTAL) {
        return met__fail(self->info, MET_E_UNSUPPORTED, "earlier_runs",
                         "do not go with what is rounded in total");
    }
    for (size_t i = 0; i < self->run_count; i++) {
        const met__period *period = &self->runs[i].period;
        if (period->from_ns % MET__SECOND_NS != 0
            || period->to_ns % MET__SECOND_NS != 0
            || period->from_ns >= period->to_ns) {
            return met__fail(self->info, MET_E_INVALID, "earlier_runs",
                             "period of run %zu must be whole seconds, and "
                             "not empty",
                             i);
        }
        if (i > 0 && period->from_ns < self->runs[i - 1].period.to_ns) {
            return met__fail(self->info, MET_E_INVALID, "earlier_runs",
                             "period of run %zu begins before the one before "
                             "it ends",
                             i);
        }
    }
    return MET_OK;
}

static met_error check_booked(const charge *self, const met__line *booked,
                              size_t booked_count)
{
    for (size_t i = 0; i < booked_count; i++) {
        size_t run = 0;
        while (run < self->run_count
               && !is_period(&booked[i], &self->runs[run])) {
            run++;
        }
        if (run == self->run_count) {
            return met__fail(self->info, MET_E_INVALID, "booked",
                             "item %zu has the service_period of no run", i);
        }
    }
    return MET_OK;
}

/* met__rate says by itself what is too long. */
static met_error told(const charge *self, met_error error)
{
    return error == MET_E_OVERFLOW
               ? met__fail(self->info, error, "booked", "cannot be subtracted")
               : error;
}

/* Adds what the run's quantity comes to beyond the runs before it. */
static met_error add_run(charge *self, size_t index)
{
    met__rate_input input = *self->input;
    met__line *more = NULL;
    size_t count = 0;

    input.quantity = self->runs[index].quantity;
    if (index + 1 < self->run_count) {
        input.is_minimum_ignored = 1;
    }
    met_error error =
        met__rate(&input, self->arena, &self->last, self->info);
    if (error != MET_OK) {
        return error;
    }
    for (size_t i = 0; i < self->last->line_count; i++) {
        self->last->lines[i].period = self->runs[index].period;
    }
    error = met__lines_difference(self->last->lines, self->last->line_count,
                                  self->lines, self->line_count,
                                  MET__REVERSE_UNNAMED, self->arena, &more,
                                  &count);
    if (error != MET_OK) {
        return told(self, error);
    }
    met__line *all = met__arena_allocate(
        self->arena, (self->line_count + count) * sizeof *all);
    if (all == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < self->line_count + count; i++) {
        all[i] = i < self->line_count ? self->lines[i]
                                      : more[i - self->line_count];
    }
    self->lines = all;
    self->line_count += count;
    return MET_OK;
}

/* The lines of one period, in their order. */
static met_error pick(const charge *self, const met__line *lines, size_t count,
                      const met__rated_run *run, met__line **out,
                      size_t *count_out)
{
    met__line *picked =
        met__arena_allocate(self->arena, count * sizeof *picked);

    if (picked == NULL) {
        return MET_E_NO_MEMORY;
    }
    *count_out = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_period(&lines[i], run)) {
            picked[(*count_out)++] = lines[i];
        }
    }
    *out = picked;
    return MET_OK;
}

static met_error name_line(const charge *self, size_t run, met__line *line)
{
    char text[96];
    met__buffer period = {.platform = self->arena->platform,
                          .data = text,
                          .capacity = sizeof text};

    MET__ASSERT(met__time_print(line->period.from_ns, &period) == MET_OK);
    met__buffer_text(&period, "..");
    MET__ASSERT(met__time_print(line->period.to_ns, &period) == MET_OK);
    char *child_id = met__arena_print(
        self->arena, "%.*s@[%.*s]", (int)line->child_id.size,
        line->child_id.data, (int)period.size, text);
    if (child_id == NULL) {
        return MET_E_NO_MEMORY;
    }
    line->child_id = met__text_z(child_id);
    if (run + 1 < self->run_count) {
        line->corrects_run_id = self->runs[run].id;
    }
    return MET_OK;
}

/* Appends what one period is still to be billed. */
static met_error bill_period(const charge *self, size_t run,
                             const met__line *booked, size_t booked_count,
                             met__rated *rated)
{
    met__line *due = NULL;
    met__line *paid = NULL;
    met__line *rest = NULL;
    size_t due_count = 0;
    size_t paid_count = 0;
    size_t count = 0;
    met_error error = pick(self, self->lines, self->line_count,
                           &self->runs[run], &due, &due_count);

    if (error == MET_OK) {
        error = pick(self, booked, booked_count, &self->runs[run], &paid,
                     &paid_count);
    }
    if (error == MET_OK) {
        error = met__lines_difference(due, due_count, paid, paid_count,
                                      MET__REVERSE_BY_LINE, self->arena, &rest,
                                      &count);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        rest[i].corrects_run_id = met__text_of(NULL, 0);
        error = name_line(self, run, &rest[i]);
        if (error == MET_OK) {
            rated->lines[rated->line_count++] = rest[i];
            error = met__totals_add(&rated->totals, &rest[i].totals);
        }
    }
    return error;
}

met_error met__rate_by_period(const met__rate_input *input,
                              const met__rated_run *runs, size_t run_count,
                              const met__line *booked, size_t booked_count,
                              met__arena *arena, met__rated **rated_out,
                              met_error_info *info)
{
    charge self = {.input = input,
                   .runs = runs,
                   .run_count = run_count,
                   .arena = arena,
                   .info = info};

    MET__ASSERT(input != NULL && run_count > 0 && rated_out != NULL);
    met_error error = check_runs(&self);
    if (error == MET_OK) {
        error = check_booked(&self, booked, booked_count);
    }
    for (size_t i = 0; error == MET_OK && i < run_count; i++) {
        error = add_run(&self, i);
    }
    if (error != MET_OK) {
        return error;
    }
    met__rated *rated = met__arena_allocate(arena, sizeof *rated);
    if (rated == NULL) {
        return MET_E_NO_MEMORY;
    }
    *rated = *self.last;
    met__totals_clear(&rated->totals);
    rated->line_count = 0;
    rated->lines = met__arena_allocate(
        arena, (self.line_count + booked_count) * sizeof *rated->lines);
    if (rated->lines == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < run_count; i++) {
        error =
            told(&self, bill_period(&self, i, booked, booked_count, rated));
    }
    if (error == MET_OK) {
        error = met__lines_arrange(rated->lines, rated->line_count,
                                   MET__REVERSE_BY_LINE);
    }
    if (error == MET_OK) {
        *rated_out = rated;
    }
    return error;
}
