/* Golden kinds that are scripts over one metered entitlement: usage, grants,
 * resets by hand, balances, history. What a store would keep is kept here; the
 * rules are the library's. */
#include "golden_grant.h"

#include "entitlement/allowance.h"
#include "entitlement/usage_period.h"

#define LIST_MAX 64 /* of grants, resets, stored states of one script */

typedef struct script {
    golden *self;
    golden_meter meter;
    int64_t measured_from_ns;
    met__duration grace;
    size_t grant_count;
    met__grant grants[LIST_MAX];
    size_t entry_count;
    met__usage_entry entries[LIST_MAX];
    int preserves[LIST_MAX]; /* of the reset that begins an entry */
    int preserves_by_default;
    size_t state_count;
    met__burn_state states[LIST_MAX]; /* stored, in the order of time */
} script;

/* --- Stored states -------------------------------------------------------- */
static void store_state(script *now, const met__burn_state *state)
{
    size_t at = now->state_count;

    if (at == LIST_MAX) {
        golden_fail(now->self, "the script is too long");
        return;
    }
    for (; at > 0 && now->states[at - 1].at_ns > state->at_ns; at--) {
        now->states[at] = now->states[at - 1];
    }
    now->states[at] = *state;
    now->state_count++;
}

/* The last one of an instant up to at_ns, or NULL. */
static const met__burn_state *stored_before(const script *now, int64_t at_ns)
{
    const met__burn_state *found = NULL;

    for (size_t i = 0;
         i < now->state_count && now->states[i].at_ns <= at_ns; i++) {
        found = &now->states[i];
    }
    return found;
}

/* --- Runs ----------------------------------------------------------------- */
/* Resets in (from, to], with what each does to overage. */
static met_error resets_between(script *now, int64_t from_ns, int64_t to_ns,
                                met__burn_terms *terms)
{
    met__burn_reset *resets = met__arena_allocate(
        now->self->arena, now->entry_count * sizeof *resets);
    met__burn_cycle *cycles = met__arena_allocate(
        now->self->arena, now->entry_count * sizeof *cycles);

    terms->resets = resets;
    terms->cycles = cycles;
    terms->reset_count = 0;
    terms->cycle_count = 0;
    for (size_t i = 0; i < now->entry_count; i++) {
        const met__usage_entry *entry = &now->entries[i];
        met__burn_cycle cycle = {
            entry->usage_period,
            {entry->effective_from_ns,
             i + 1 < now->entry_count ? entry[1].effective_from_ns
                                      : MET__TIME_MAX},
            now->preserves_by_default,
            0};
        met__usage_add_resets(&cycle, i == 0 ? now->preserves_by_default
                                             : now->preserves[i],
                              from_ns, to_ns, resets, cycles, terms);
    }
    return MET_OK;
}

/* From the last stored state before `from_ns` + 1, or from the beginning. */
static met_error begin_run(script *now, int64_t from_ns, int64_t to_ns,
                           met__burn_terms *terms, met__burn_state *start)
{
    const met__burn_state *stored = stored_before(now, from_ns);
    met_error error;

    if (stored != NULL && now->meter.measure != MET__MEASURE_LEVEL) {
        error = met__burn_extend(stored, now->grants, now->grant_count,
                                 now->self->arena, start, NULL);
    } else {
        error = met__burn_begin(now->grants, now->grant_count,
                                now->measured_from_ns, now->self->arena,
                                start);
    }
    *terms = (met__burn_terms){.grants = now->grants,
                               .grant_count = now->grant_count,
                               .measure = now->meter.measure,
                               .keeps_segments = 1,
                               .usage = golden_meter_usage,
                               .context = &now->meter};
    if (error == MET_OK) {
        error = resets_between(now, start->at_ns, to_ns, terms);
    }
    if (now->self->rule == NULL) {
        now->self->rule = golden_grant_rule(terms);
    }
    return error;
}

static int fails(script *now, met_error error)
{
    if (error != MET_OK) {
        golden_fail(now->self, "got %s", met_error_name(error));
    }
    return error != MET_OK;
}

static void same_value(script *now, const met__node *step,
                       const met__burn_result *result)
{
    golden *self = now->self;
    met__node *got = met__node_object(self->arena);
    const struct {
        const char *name;
        met_decimal value;
    } numbers[] = {{"balance", result->value.balance},
                   {"usage", result->value.usage},
                   {"overage", result->value.overage},
                   {"total_available", result->value.total_available}};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        (void)met__node_set(self->arena, got, numbers[i].name,
                            met__node_decimal(self->arena,
                                              numbers[i].value));
    }
    (void)met__node_set(self->arena, got, "grant_balances",
                        golden_balances_node(self, &result->end));
    (void)met__node_set(self->arena, got, "start_of_period",
                        met__node_time(self->arena, result->end.since_ns));
    golden_same(self, met__node_get(step, "expect"), got);
    if (golden_has(step, "derived")) {
        golden_same(self, met__node_get(step, "derived"), got);
    }
}

/* --- Steps ---------------------------------------------------------------- */
static void do_usage(script *now, const met__node *step)
{
    golden_meter_add(now->self, &now->meter, step);
}

static void do_grant(script *now, const met__node *step)
{
    if (now->grant_count == LIST_MAX) {
        golden_fail(now->self, "the script is too long");
        return;
    }
    now->grants[now->grant_count++] =
        golden_grant(now->self, met__node_get(step, "grant"));
}

static void do_save_snapshot(script *now, const met__node *step)
{
    const met__node *item = met__node_get(step, "snapshot");
    met__burn_state state = golden_state(now->self, item);
    met__period period;

    if (!golden_has(item, "usage_since")
        && met__usage_period_at(now->entries, now->entry_count, state.at_ns,
                                &period) == MET_OK) {
        state.since_ns = period.from_ns;
    }
    store_state(now, &state);
}

static void append_entry(script *now, met__usage_entry entry, int preserves)
{
    if (now->entry_count == LIST_MAX) {
        golden_fail(now->self, "the script is too long");
        return;
    }
    now->preserves[now->entry_count] = preserves;
    now->entries[now->entry_count++] = entry;
}

static met__usage_entry entry_of(golden *self, const met__node *item,
                                 const char *from)
{
    met__usage_entry entry = {.effective_from_ns = golden_time(self, item,
                                                               from)};

    entry.usage_period.anchor_ns = golden_time(self, item, "anchor");
    entry.usage_period.interval = golden_duration(self, item, "interval");
    return entry;
}

static void do_stored_reset(script *now, const met__node *step)
{
    append_entry(now, entry_of(now->self, step, "at"),
                 now->preserves_by_default);
}

static void do_balance(script *now, const met__node *step)
{
    golden *self = now->self;
    int64_t at_ns = golden_time(self, step, "at");
    int64_t now_ns = golden_has(step, "now") ? golden_time(self, step, "now")
                                             : at_ns;
    int64_t limit_ns = 0;
    met__burn_terms terms;
    met__burn_state start;
    met__burn_result result;

    /* Usage is known by the minute: what began, ended. */
    at_ns += (MET__MINUTE_NS - at_ns % MET__MINUTE_NS) % MET__MINUTE_NS;
    met_error error = begin_run(now, at_ns, at_ns, &terms, &start);
    if (error == MET_OK) {
        error = met__burn_run(&terms, &start, at_ns, self->arena, &result,
                              NULL);
    }
    if (golden_has(met__node_get(step, "expect"), "error")) {
        if (error == MET_OK) {
            golden_fail(self, "a balance, not an error");
        }
        return;
    }
    if (error == MET_OK) {
        error = met__duration_add(now_ns, &now->grace, -1, &limit_ns);
    }
    if (fails(now, error)) {
        return;
    }
    same_value(now, step, &result);
    if (limit_ns < result.end.since_ns) {
        limit_ns = result.end.since_ns;
    }
    const met__burn_state *state = met__burn_state_before(&result, limit_ns);
    if (state != NULL && now->meter.measure != MET__MEASURE_LEVEL) {
        store_state(now, state);
    }
}

/* Our words for the peer's reasons; others need only be refused. */
static void same_refusal(script *now, met__text expected, met_error error,
                         const met_error_info *info)
{
    static const char *const reasons[] = {"before current usage period start",
                                          "must be after last reset"};

    if (error != MET_E_INVALID) {
        golden_fail(now->self, "got %s", met_error_name(error));
    }
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        char text[128] = "";
        memcpy(text, expected.data,
               expected.size < sizeof text ? expected.size : 127);
        if (strstr(text, reasons[i]) != NULL
            && strstr(info->reason, reasons[i]) == NULL) {
            golden_fail(now->self, "refused because %s", info->reason);
        }
    }
}

static void do_reset(script *now, const met__node *step)
{
    golden *self = now->self;
    int64_t at_ns = golden_time(self, step, "at");
    met_error_info info = {.struct_size = sizeof info};
    met__usage_entry entry;
    met__burn_terms terms;
    met__burn_state start;
    met__burn_result result;
    met_error error = met__usage_reset(
        now->entries, now->entry_count, at_ns, golden_time(self, step, "now"),
        golden_has(step, "retain_anchor")
            && golden_flag(self, step, "retain_anchor"),
        &entry, &info);

    if (golden_has(met__node_get(step, "expect"), "error")) {
        same_refusal(now, golden_text(self, step, "expect.error"), error,
                     &info);
        return;
    }
    if (fails(now, error)) {
        return;
    }
    append_entry(now, entry,
                 golden_has(step, "preserve_overage")
                     ? golden_flag(self, step, "preserve_overage")
                     : now->preserves_by_default);
    error = begin_run(now, at_ns - 1, at_ns, &terms, &start);
    if (error == MET_OK) {
        error = met__burn_run(&terms, &start, at_ns, self->arena, &result,
                              NULL);
    }
    if (fails(now, error)) {
        return;
    }
    same_value(now, step, &result);
    while (now->state_count > 0
           && now->states[now->state_count - 1].at_ns >= at_ns) {
        now->state_count--;
    }
    if (now->meter.measure != MET__MEASURE_LEVEL) {
        store_state(now, &result.end);
    }
}

static void do_latest_snapshot(script *now, const met__node *step)
{
    const met__node *expect = met__node_get(step, "expect");
    const met__burn_state *state =
        stored_before(now, golden_time(now->self, step, "at"));

    if (expect == NULL || expect->kind == MET__NODE_NULL) {
        if (state != NULL) {
            golden_fail(now->self, "there is a snapshot");
        }
        return;
    }
    golden_same(now->self, expect,
                state ? golden_state_node(now->self, state) : NULL);
}

static void do_snapshot_count(script *now, const met__node *step)
{
    golden_same(now->self, met__node_get(step, "expect"),
                met__node_integer(now->self->arena,
                                  (int64_t)now->state_count));
}

static void do_last_reset(script *now, const met__node *step)
{
    golden_same_time(now->self, met__node_get(step, "expect"), MET_OK,
                     now->entries[now->entry_count - 1].effective_from_ns);
}

static void do_usage_period_rule(script *now, const met__node *step)
{
    golden *self = now->self;
    int64_t at_ns = golden_time(self, step, "at");
    const met__node *expect = met__node_get(step, "expect");
    size_t at = 0;

    while (at + 1 < now->entry_count
           && now->entries[at + 1].effective_from_ns <= at_ns) {
        at++;
    }
    const met__recurrence *rule = &now->entries[at].usage_period;
    met__duration interval = golden_duration(self, expect, "interval");
    golden_same_time(self, met__node_get(expect, "anchor"), MET_OK,
                     rule->anchor_ns);
    if (memcmp(&interval, &rule->interval, sizeof interval) != 0) {
        golden_fail(self, "another interval");
    }
}

/* --- History -------------------------------------------------------------- */
/* Windows whose start is measured; the last one is whole. */
static size_t bounds_of(script *now, const met__node *step, int64_t **out)
{
    golden *self = now->self;
    int64_t width_ns = met__text_equal(golden_text(self, step, "window"),
                                       MET__TEXT("DAY"))
                           ? MET__DAY_NS
                           : MET__HOUR_NS;
    int64_t to_ns = golden_time(self, step,
                                golden_has(step, "to") ? "to" : "now");
    int64_t from_ns = now->entries[now->entry_count - 1].effective_from_ns;
    size_t count = 0;

    if (now->entry_count == 1) {
        from_ns = now->measured_from_ns;
    }
    if (golden_has(step, "from")) {
        from_ns = golden_time(self, step, "from");
    }
    if (from_ns < now->measured_from_ns || to_ns < from_ns) {
        return 0;
    }
    from_ns -= from_ns % width_ns;
    while (from_ns < now->measured_from_ns) {
        from_ns += width_ns;
    }
    int64_t *bounds = met__arena_allocate(
        self->arena,
        ((size_t)((to_ns - from_ns) / width_ns) + 3) * sizeof *bounds);
    for (; from_ns < to_ns + width_ns; from_ns += width_ns) {
        bounds[count++] = from_ns;
    }
    *out = bounds;
    return count;
}

static met__node *windows_node(golden *self, const met__burn_window *windows,
                               size_t count)
{
    met__node *list = met__node_array(self->arena);

    for (size_t i = 0; i < count; i++) {
        met__node *one = met__node_object(self->arena);
        (void)met__node_set(self->arena, one, "index",
                            met__node_integer(self->arena, (int64_t)i));
        (void)met__node_set(self->arena, one, "from",
                            met__node_time(self->arena,
                                           windows[i].period.from_ns));
        (void)met__node_set(self->arena, one, "to",
                            met__node_time(self->arena,
                                           windows[i].period.to_ns));
        (void)met__node_set(self->arena, one, "usage",
                            met__node_decimal(self->arena,
                                              windows[i].usage));
        (void)met__node_set(self->arena, one, "balance_at_start",
                            met__node_decimal(self->arena,
                                              windows[i].balance_at_start));
        (void)met__node_set(self->arena, one, "overage_at_start",
                            met__node_decimal(self->arena,
                                              windows[i].overage_at_start));
        (void)met__node_append(self->arena, list, one);
    }
    return list;
}

static void same_by_index(golden *self, const met__node *expected,
                          const met__node *got)
{
    for (uint32_t i = 0; expected != NULL && i < expected->count; i++) {
        const met__node *index = met__node_get(expected->as.items[i],
                                               "index");
        int64_t at = index != NULL ? index->as.integer : i;
        golden_same(self, expected->as.items[i],
                    at < got->count ? got->as.items[at] : NULL);
    }
}

static void do_history(script *now, const met__node *step)
{
    golden *self = now->self;
    const met__node *expect = met__node_get(step, "expect");
    int64_t *bounds = NULL;
    met__burn_terms terms;
    met__burn_state start;
    met__burn_result before;
    met__burn_result result;
    met__burn_window *windows = NULL;
    size_t count = bounds_of(now, step, &bounds);

    if (count < 2 || golden_has(expect, "error")) {
        if (count >= 2 || !golden_has(expect, "error")) {
            golden_fail(self, "refused or not, but should not or should");
        }
        return;
    }
    met_error error = begin_run(now, bounds[0], bounds[0], &terms, &start);
    if (error == MET_OK) {
        error = met__burn_run(&terms, &start, bounds[0], self->arena, &before,
                              NULL);
    }
    if (error == MET_OK) {
        error = resets_between(now, bounds[0], bounds[count - 1], &terms);
    }
    if (error == MET_OK) {
        error = met__burn_run(&terms, &before.end, bounds[count - 1],
                              self->arena, &result, NULL);
    }
    if (error == MET_OK) {
        error = met__burn_windows(&terms, &before.end, bounds, count,
                                  self->arena, &windows, NULL);
    }
    if (fails(now, error)) {
        return;
    }
    met__node *rows = windows_node(self, windows, count - 1);
    met__node *segments = golden_segments_node(self, &result);
    if (golden_has(expect, "window_count")) {
        golden_same(self, met__node_get(expect, "window_count"),
                    met__node_integer(self->arena, rows->count));
    }
    if (golden_has(expect, "segment_count")) {
        golden_same(self, met__node_get(expect, "segment_count"),
                    met__node_integer(self->arena, segments->count));
    }
    same_by_index(self, met__node_get(expect, "windows"), rows);
    same_by_index(self, met__node_get(expect, "segments"), segments);
    same_by_index(self, golden_get(self, step, "derived.windows"), rows);
}

/* --- Scripts -------------------------------------------------------------- */
static const struct {
    const char *name;
    void (*run)(script *now, const met__node *step);
} steps[] = {
    {"usage", do_usage},
    {"grant", do_grant},
    {"save_snapshot", do_save_snapshot},
    {"stored_reset", do_stored_reset},
    {"balance", do_balance},
    {"reset", do_reset},
    {"latest_snapshot", do_latest_snapshot},
    {"snapshot_count", do_snapshot_count},
    {"last_reset", do_last_reset},
    {"usage_period_rule", do_usage_period_rule},
    {"history", do_history},
};

static void run_script(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *list = met__node_get(item, "steps");
    script *now = met__arena_allocate(self->arena, sizeof *now);
    met__unit_config config = {.operation = MET__CONVERT_DIVIDE};
    met__allowance allowance = {.unit_config = &config};

    now->self = self;
    golden_meter_begin(self, input, &now->meter);
    if (golden_has(input, "unit_conversion")) {
        config.factor = golden_decimal(self, input, "unit_conversion.factor");
        if (met__text_equal(golden_text(self, input,
                                        "unit_conversion.operation"),
                            MET__TEXT("multiply"))) {
            config.operation = MET__CONVERT_MULTIPLY;
        }
        now->meter.allowance = &allowance;
    }
    now->measured_from_ns = golden_time(self, input, "measure_usage_from");
    now->grace = golden_duration(self, input, "snapshot_grace_period");
    now->preserves_by_default =
        golden_has(input, "preserve_overage_at_reset")
        && golden_flag(self, input, "preserve_overage_at_reset");
    append_entry(now,
                 entry_of(self, met__node_get(input, "usage_period"),
                          "effective_from"),
                 0);
    for (uint32_t i = 0; list != NULL && i < list->count && !self->failed
                         && !self->skipped;
         i++) {
        met__text name = golden_text(self, list->as.items[i], "do");
        size_t at = 0;
        while (at < sizeof steps / sizeof *steps
               && !met__text_equal(name, met__text_z(steps[at].name))) {
            at++;
        }
        if (at == sizeof steps / sizeof *steps) {
            golden_skip(self, "another step of a script");
        } else {
            steps[at].run(now, list->as.items[i]);
        }
        if (self->failed) {
            char text[sizeof self->text];
            memcpy(text, self->text, sizeof text);
            snprintf(self->text, sizeof self->text, "step %u: %.4000s", i,
                     text);
        }
    }
}

const golden_kind golden_entitlement_sections[] = {
    {"entitlement_balance", run_script, NULL},
    {"entitlement_history", run_script, NULL},
    {"entitlement_reset", run_script, NULL},
    {NULL, NULL, NULL},
};
