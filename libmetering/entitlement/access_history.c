/* History: how an allowance was used, window by window, and what burned it.
 * In: a customer, a feature, a time. Out: a document. It changes nothing.
 *
 * Instants are cut to their minutes, as usage is: what begins inside a minute
 * owns all of it. */
#include "base/check.h"
#include "base/error.h"
#include "entitlement/access.h"
#include "entitlement/entitled_parts.h"
#include "entitlement/grant_history.h"
#include "entitlement/holder_cache.h"
#include "entitlement/ledger.h"

typedef struct story {
    met__txn *txn;
    const met__holder *holder;
    const met__allowance *allowance;
    met__arena *arena;
    met_error_info *info;
    met__ledger ledger;
    size_t bound_count;
    int64_t *bounds;
} story;

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
    int64_t begin_ns = met__minute_first(self->allowance->life.from_ns);

    if (period.from_ns < begin_ns) {
        return met__fail(self->info, MET_E_INVALID, "from_ns",
                         "the entitlement began later");
    }
    if (end_ns > row->to_ns) {
        end_ns = met__minute_first(row->to_ns);
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

/* Which grant paid how much; what the entitlement itself issues has no id. */
static met_error build_burned(story *self, const met__burn_segment *segment,
                              met__builder *builder)
{
    met__node *list = met__node_array(self->arena);
    met_decimal sum = met__decimal_zero();
    met_error error = list == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (size_t i = 0; error == MET_OK && i < segment->burned_count; i++) {
        const met__burned *burned = &segment->burned[i];
        met__builder one;
        met__node *node;
        met__builder_begin(&one, self->arena);
        if (!met__ledger_is_own(burned->grant_id)) {
            met__build_text(&one, "grant_id", burned->grant_id);
        }
        met__build_decimal(&one, "amount", burned->amount);
        met__build_boolean(&one, "is_exhausted", burned->is_exhausted);
        error = met__builder_end(&one, &node);
        if (error == MET_OK) {
            error = met__node_append(self->arena, list, node);
        }
        if (error == MET_OK) {
            error = met__decimal_add(sum, burned->amount, &sum);
        }
    }
    met__build_decimal(builder, "burned", sum);
    met__build_node(builder, "burned_by", list);
    return error;
}

static void build_reasons(story *self, uint32_t ended_by,
                          met__builder *builder)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } reasons[] = {{MET__ENDED_ACTIVITY, "activity"},
                   {MET__ENDED_RECURRENCE, "recurrence"},
                   {MET__ENDED_RESET, "reset"}};
    met__node *list = met__node_array(self->arena);

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (list != NULL && (ended_by & reasons[i].bit) != 0
            && met__node_append(self->arena, list,
                                met__node_text_z(self->arena,
                                                 reasons[i].name))
                   != MET_OK) {
            list = NULL;
        }
    }
    if (list == NULL) {
        builder->error = MET_E_NO_MEMORY;
    }
    met__build_node(builder, "ended_by", list);
}

static met_error add_segment(story *self, const met__burn_segment *segment,
                             met__node *list)
{
    met_decimal balance = met__decimal_zero();
    met__builder builder;
    met__node *node;
    met_error error = MET_OK;

    if (segment->start.at_ns == segment->to_ns) {
        return MET_OK; /* the moment of a reset */
    }
    for (size_t i = 0; error == MET_OK && i < segment->start.count; i++) {
        error = met__decimal_add(balance, segment->start.balances[i].balance,
                                 &balance);
    }
    met__builder_begin(&builder, self->arena);
    met__build_time(&builder, "from", segment->start.at_ns);
    met__build_time(&builder, "to", segment->to_ns);
    met__build_decimal(&builder, "usage", segment->usage);
    met__build_decimal(&builder, "balance_at_start", balance);
    if (error == MET_OK) {
        error = build_burned(self, segment, &builder);
    }
    met__build_decimal(&builder, "overage_at_end",
                       met__decimal_is_negative(segment->overage)
                           ? met__decimal_zero()
                           : segment->overage);
    build_reasons(self, segment->ended_by, &builder);
    if (error == MET_OK) {
        error = met__builder_end(&builder, &node);
    }
    return error == MET_OK ? met__node_append(self->arena, list, node)
                           : error;
}

/* What each usage period used, and what paid for it. */
static met_error add_periods(story *self, const met__burn_state *start,
                             const met__burn_result *result, met__node *list)
{
    met__burn_chunk *chunks = NULL;
    size_t count = 0;
    met_error error = met__burn_history_check(
        start, result->segments, result->segment_count, NULL);

    if (error == MET_OK) {
        error = met__burn_chunks(start, result->segments,
                                 result->segment_count, self->arena, &chunks,
                                 &count);
    } else {
        error = MET_E_BUG; /* a run gives nothing else */
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        size_t last = chunks[i].first + chunks[i].count - 1;
        met__builder builder;
        met__node *node;
        if (result->segments[last].to_ns
            == result->segments[chunks[i].first].start.at_ns) {
            continue;
        }
        met__builder_begin(&builder, self->arena);
        met__build_time(&builder, "from",
                        result->segments[chunks[i].first].start.at_ns);
        met__build_time(&builder, "to", result->segments[last].to_ns);
        met__build_decimal(&builder, "usage", chunks[i].usage);
        met__build_decimal(&builder, "burned", chunks[i].burned);
        error = met__builder_end(&builder, &node);
        if (error == MET_OK) {
            error = met__node_append(self->arena, list, node);
        }
    }
    return error;
}

static met_error build(story *self, met__node **node_out)
{
    met__node *windows = met__node_array(self->arena);
    met__node *segments = met__node_array(self->arena);
    met__node *periods = met__node_array(self->arena);
    int64_t last_ns = self->bounds[self->bound_count - 1];
    met__burn_window *rows = NULL;
    met__burn_result result = {0};
    met__burn_terms terms;
    met__burn_state start;
    met__builder builder;
    met_error error = windows == NULL || segments == NULL || periods == NULL
                          ? MET_E_NO_MEMORY
                          : met__ledger_state(&self->ledger, self->bounds[0],
                                              &start);

    if (error == MET_OK) { /* what begins with the end is not shown */
        error = met__ledger_terms(&self->ledger, self->bounds[0], last_ns - 1,
                                  &terms);
    }
    if (error == MET_OK) {
        met__burn_terms all = terms;
        all.keeps_segments = 1;
        all.first = NULL; /* segments without usage are shown, too */
        error = met__burn_run(&all, &start, last_ns, self->arena, &result,
                              self->info);
    }
    if (error == MET_OK) {
        error = met__burn_windows(&terms, &start, self->bounds,
                                  self->bound_count, self->arena, &rows,
                                  self->info);
    }
    for (size_t i = 0; error == MET_OK && i + 1 < self->bound_count; i++) {
        error = add_window(self, &rows[i], windows);
    }
    for (size_t i = 0; error == MET_OK && i < result.segment_count; i++) {
        error = add_segment(self, &result.segments[i], segments);
    }
    if (error == MET_OK) {
        error = add_periods(self, &start, &result, periods);
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
    met__build_node(&builder, "periods", periods);
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
        met__holder_kept(txn, customer_key, &self.holder, info);
    if (error == MET_OK) {
        error = find_allowance(&self, feature_key, period.to_ns - 1);
    }
    if (error == MET_OK && period.from_ns == 0) {
        error = met__allowance_period(self.allowance, period.to_ns - 1,
                                      &number, &usage_period);
        period.from_ns = met__minute_first(usage_period.from_ns);
    }
    if (error == MET_OK) {
        error = make_bounds(&self, period, window_ns, end_ns);
    }
    if (error == MET_OK) {
        error = met__ledger_open(txn, self.holder, self.allowance, arena, info,
                                 &self.ledger);
    }
    return error == MET_OK ? build(&self, node_out) : error;
}
