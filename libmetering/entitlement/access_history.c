/* History: how an allowance was used, window by window, and what burned it.
 * In: a customer, a feature, a time. Out: a document. It changes nothing.
 *
 * Instants are cut to their minutes, as usage is: what begins inside a minute
 * owns all of it. */
#include "base/check.h"
#include "base/error.h"
#include "entitlement/access.h"
#include "entitlement/allowance.h"
#include "entitlement/customer_usage.h"
#include "entitlement/grant_history.h"
#include "entitlement/usage_period.h"

typedef struct story {
    met__txn *txn;
    const met__holder *holder;
    const met__allowance *allowance;
    met__arena *arena;
    met_error_info *info;
    met__grant grant; /* the allowance, rolled over to its limit */
    met__burn_terms terms;
    met__burn_state start; /* at the first bound */
    size_t bound_count;
    int64_t *bounds;
} story;

static int64_t minute_of(int64_t at_ns)
{
    return at_ns - at_ns % MET__MINUTE_NS;
}

static met_error usage_between(void *context, int64_t from_ns, int64_t to_ns,
                               met_decimal *usage_out)
{
    const story *self = context;
    met_decimal usage;
    met_error error = met__customer_usage(
        self->txn, self->holder->customer, self->allowance->feature,
        self->allowance->meter, (met__period){from_ns, to_ns}, MET__USAGE_ANY,
        &usage, self->info);

    return error != MET_OK
               ? error
               : met__allowance_usage(self->allowance, usage, usage_out);
}

/* --- Which entitlement, from when to when --------------------------------- */
static met_error find_allowance(story *self, met__text feature_key,
                                int64_t last_ns)
{
    const met__allowance *allowance =
        met__holder_find(self->holder, feature_key, last_ns);

    if (allowance == NULL) {
        return met__fail(self->info, MET_E_NOT_FOUND, "feature_key",
                         "there is no entitlement to \"%.*s\" then",
                         (int)feature_key.size, feature_key.data);
    }
    if (allowance->row.type != MET__ENTITLEMENT_METERED) {
        return met__fail(self->info, MET_E_INVALID, "feature_key",
                         "the entitlement to \"%.*s\" is not metered",
                         (int)feature_key.size, feature_key.data);
    }
    if (allowance->meter == NULL) {
        return met__fail(self->info, MET_E_NOT_FOUND, "feature_key",
                         "the meter of \"%.*s\" is gone",
                         (int)feature_key.size, feature_key.data);
    }
    self->allowance = allowance;
    return MET_OK;
}

static met_error make_bounds(story *self, met__period period,
                             int64_t window_ns, int64_t end_ns)
{
    const met__quota_row *row = &self->allowance->row;
    int64_t grid_ns = period.from_ns - period.from_ns % window_ns;
    int64_t begin_ns = minute_of(row->from_ns);

    if (period.from_ns < begin_ns) {
        return met__fail(self->info, MET_E_INVALID, "from_ns",
                         "the entitlement began later");
    }
    if (end_ns > row->to_ns) {
        end_ns = minute_of(row->to_ns);
    }
    int64_t count = (period.to_ns - grid_ns + window_ns - 1) / window_ns;
    if (count > MET__HISTORY_WINDOWS_MAX) {
        return met__fail(self->info, MET_E_LIMIT, "from_ns",
                         "more than %d windows", MET__HISTORY_WINDOWS_MAX);
    }
    self->bounds = met__arena_allocate(
        self->arena, ((size_t)count + 1) * sizeof *self->bounds);
    if (self->bounds == NULL) {
        return MET_E_NO_MEMORY;
    }
    self->bounds[self->bound_count++] =
        grid_ns > begin_ns ? grid_ns : begin_ns;
    for (int64_t i = 1; i <= count; i++) {
        int64_t at_ns = grid_ns + i * window_ns;
        self->bounds[self->bound_count++] = at_ns < end_ns ? at_ns : end_ns;
        if (at_ns >= end_ns) {
            break;
        }
    }
    return MET_OK;
}

/* --- The run -------------------------------------------------------------- */
/* Resets inside the history; a period that begins with its end is not shown. */
static met_error make_resets(story *self)
{
    const met__quota_row *row = &self->allowance->row;
    met__usage_entry entry = {row->from_ns, row->usage_period};
    int64_t first_ns = self->bounds[0];
    int64_t last_ns = self->bounds[self->bound_count - 1];
    int64_t *times = NULL;
    size_t count = 0;
    met_error error = met__usage_resets(
        &entry, 1,
        (met__period){first_ns, met__minute_last(last_ns)}, self->arena,
        &times, &count);

    if (error != MET_OK) {
        return error;
    }
    met__burn_reset *resets =
        met__arena_allocate(self->arena, (count + 1) * sizeof *resets);
    if (resets == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t at_ns = minute_of(times[i]);
        if (at_ns > first_ns && at_ns < last_ns) {
            resets[self->terms.reset_count++] = (met__burn_reset){at_ns, 0};
        }
    }
    self->terms.resets = resets;
    return MET_OK;
}

/* Every usage period begins with the whole allowance, so the run up to the
 * first bound begins with the period around it. */
static met_error make_start(story *self)
{
    const met__allowance *allowance = self->allowance;
    met_decimal limit = allowance->card->entitlement.limit;
    met__burn_result before;
    met__burn_state begin;
    met__period period;
    uint64_t number;
    met_error error = met__quota_row_period(&allowance->row, self->bounds[0],
                                            &number, &period);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_BUG : error;
    }
    self->grant = (met__grant){
        .id = allowance->card->feature_key,
        .amount = limit,
        .rollover_min = limit,
        .rollover_max = limit,
        .effective_at_ns = minute_of(allowance->row.from_ns),
        .expires_at_ns = MET__NEVER,
        .voided_at_ns = MET__NEVER,
        .deleted_at_ns = MET__NEVER};
    self->terms = (met__burn_terms){
        .grants = &self->grant,
        .grant_count = !met__decimal_is_zero(limit),
        .measure = MET__MEASURE_ADDS,
        .keeps_segments = 1,
        .usage = usage_between,
        .context = self};
    error = met__burn_begin(self->terms.grants, self->terms.grant_count,
                            minute_of(period.from_ns), self->arena, &begin);
    if (error == MET_OK) {
        error = met__burn_run(&self->terms, &begin, self->bounds[0],
                              self->arena, &before, self->info);
    }
    if (error == MET_OK) {
        self->start = before.end;
    }
    return error;
}

/* --- Document ------------------------------------------------------------- */
static met_error add_window(story *self, const met__burn_window *window,
                            met__node *list)
{
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, self->arena);
    met__build_time(&builder, "from", window->period.from_ns);
    met__build_time(&builder, "to", window->period.to_ns);
    met__build_decimal(&builder, "usage", window->usage);
    met__build_decimal(&builder, "balance_at_start",
                       window->balance_at_start);
    met__build_decimal(&builder, "overage_at_start",
                       window->overage_at_start);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__node_append(self->arena, list, node)
                           : error;
}

static met_error add_segment(story *self, const met__burn_segment *segment,
                             met__node *list)
{
    met_decimal zero = met__decimal_zero();
    met__builder builder;
    met__node *node;

    if (segment->ended_by & MET__ENDED_ROLLOVER) {
        return MET_OK; /* the moment of a reset: nothing is carried over it */
    }
    met__builder_begin(&builder, self->arena);
    met__build_time(&builder, "from", segment->start.at_ns);
    met__build_time(&builder, "to", segment->to_ns);
    met__build_decimal(&builder, "usage", segment->usage);
    /* One grant, or none when the allowance is 0. */
    met__build_decimal(&builder, "balance_at_start",
                       segment->start.count > 0
                           ? segment->start.balances[0].balance
                           : zero);
    met__build_decimal(&builder, "burned",
                       segment->burned_count > 0 ? segment->burned[0].amount
                                                 : zero);
    met__build_decimal(&builder, "overage_at_end",
                       met__decimal_is_negative(segment->overage)
                           ? zero
                           : segment->overage);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__node_append(self->arena, list, node)
                           : error;
}

static met_error build(story *self, met__node **node_out)
{
    met__node *windows = met__node_array(self->arena);
    met__node *segments = met__node_array(self->arena);
    int64_t last_ns = self->bounds[self->bound_count - 1];
    met__burn_window *rows = NULL;
    met__burn_result result = {0};
    met__builder builder;
    met_error error =
        windows == NULL || segments == NULL
            ? MET_E_NO_MEMORY
            : met__burn_run(&self->terms, &self->start, last_ns, self->arena,
                            &result, self->info);

    if (error == MET_OK) {
        error = met__burn_windows(&self->terms, &self->start, self->bounds,
                                  self->bound_count, self->arena, &rows,
                                  self->info);
    }
    for (size_t i = 0; error == MET_OK && i + 1 < self->bound_count; i++) {
        error = add_window(self, &rows[i], windows);
    }
    for (size_t i = 0; error == MET_OK && i < result.segment_count; i++) {
        error = add_segment(self, &result.segments[i], segments);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, self->arena);
    met__build_text(&builder, "feature_key",
                    self->allowance->card->feature_key);
    met__build_time(&builder, "from", self->bounds[0]);
    met__build_time(&builder, "to", last_ns);
    met__build_node(&builder, "windows", windows);
    met__build_node(&builder, "segments", segments);
    return met__builder_end(&builder, node_out);
}

met_error met__access_history(met__txn *txn, met__text customer_key,
                              met__text feature_key, met__period period,
                              int64_t window_ns, met__arena *arena,
                              met__node **node_out, met_error_info *info)
{
    int64_t now_ns = met__txn_now_ns(txn);
    int64_t end_ns = met__minute_last(now_ns) + 1;
    story self = {.txn = txn, .arena = arena, .info = info};
    met__holder *holder = NULL;
    met__period usage_period;
    uint64_t number;

    MET__ASSERT(window_ns == MET__HOUR_NS || window_ns == MET__DAY_NS);
    if (period.to_ns == 0) {
        period.to_ns = end_ns;
    }
    if (period.to_ns > end_ns) {
        return met__fail(info, MET_E_INVALID, "to_ns", "is in the future");
    }
    if (period.from_ns >= period.to_ns) {
        return met__fail(info, MET_E_INVALID, "from_ns",
                         "must lie before to_ns");
    }
    met_error error =
        met__holder_by_key(txn, customer_key, arena, &holder, info);
    self.holder = holder;
    if (error == MET_OK) {
        error = find_allowance(&self, feature_key, period.to_ns - 1);
    }
    if (error == MET_OK && period.from_ns == 0) {
        error = met__quota_row_period(&self.allowance->row, period.to_ns - 1,
                                      &number, &usage_period);
        period.from_ns = minute_of(usage_period.from_ns);
    }
    if (error == MET_OK) {
        error = make_bounds(&self, period, window_ns, end_ns);
    }
    if (error == MET_OK) {
        error = make_start(&self);
    }
    if (error == MET_OK) {
        error = make_resets(&self);
    }
    return error == MET_OK ? build(&self, node_out) : error;
}
