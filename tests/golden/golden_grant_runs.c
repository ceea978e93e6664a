/* Golden kinds of grants: their terms, their order, whole runs, and thresholds
 * of what is left. */
#include "golden_grant.h"

#include <stdlib.h>

#include "entitlement/allowance.h"
#include "entitlement/notice_told.h"
#include "entitlement/threshold.h"

/* --- One grant ------------------------------------------------------------ */
static void run_effective_period(golden *self, const met__node *item)
{
    met__grant grant = golden_grant(self, met__node_get(item, "input"));
    met__period active = met__grant_active(&grant);

    golden_same_time(self, golden_get(self, item, "expect.from"), MET_OK,
                     active.from_ns);
    if (golden_has(met__node_get(item, "expect"), "to")) {
        golden_same_time(self, golden_get(self, item, "expect.to"), MET_OK,
                         active.to_ns);
    } else if (active.to_ns != MET__NEVER) {
        golden_fail(self, "the grant ends");
    }
}

static void run_active_at(golden *self, const met__node *item)
{
    met__grant grant = golden_grant(self, met__node_get(item, "input"));

    golden_same_flag(
        self, golden_get(self, item, "expect.active"),
        met__period_contains(met__grant_active(&grant),
                             golden_time(self, item, "input.at")));
}

static void run_expiration(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    met__node *document = met__node_object(self->arena);

    (void)met__node_set(self->arena, document, "effective_at",
                        met__node_time(self->arena,
                                       golden_time(self, input,
                                                   "effective_at")));
    /* The case has the two fields of an expiration beside the time. */
    (void)met__node_set(self->arena, document, "expiration",
                        (met__node *)(uintptr_t)input);
    met__grant grant = golden_grant(self, document);
    golden_same_time(self, golden_get(self, item, "expect.expires_at"),
                     MET_OK, grant.expires_at_ns);
}

static int compare_grants(const void *a, const void *b)
{
    return met__grant_compare(a, b);
}

static void run_order(golden *self, const met__node *item)
{
    met__grant *grants;
    size_t count = golden_grants(self, golden_get(self, item, "input.grants"),
                                 &grants);
    met__node *order = met__node_array(self->arena);

    qsort(grants, count, sizeof *grants, compare_grants);
    for (size_t i = 0; i < count; i++) {
        (void)met__node_append(self->arena, order,
                               met__node_text(self->arena, grants[i].id));
    }
    golden_same(self, golden_get(self, item, "expect.order"), order);
}

/* --- States --------------------------------------------------------------- */
static void run_starting_snapshot(golden *self, const met__node *item)
{
    met__burn_state state;
    met__grant *grants;
    size_t count = golden_grants(self, golden_get(self, item, "input.grants"),
                                 &grants);
    met_error error = met__burn_begin(
        grants, count, golden_time(self, item, "input.at"), self->arena,
        &state);

    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    golden_same(self, met__node_get(item, "expect"),
                golden_state_node(self, &state));
}

/* A run of no length says whether state and grants fit. */
static met_error try_run(golden *self, const met__grant *grants, size_t count,
                         const met__burn_state *state)
{
    golden_meter meter = {0};
    met__burn_terms terms = {.grants = grants,
                             .grant_count = count,
                             .usage = golden_meter_usage,
                             .context = &meter};
    met__burn_result result;

    return met__burn_run(&terms, state, state->at_ns, self->arena, &result,
                         NULL);
}

static void run_balances_match(golden *self, const met__node *item)
{
    const met__node *balances = golden_get(self, item, "input.balance_ids");
    const met__node *ids = golden_get(self, item, "input.grant_ids");
    met__burn_state state = {.count = balances ? balances->count : 0};
    size_t count = ids ? ids->count : 0;
    met__grant *grants = met__arena_allocate(self->arena,
                                             (count + 1) * sizeof *grants);

    state.usage = state.grant_usage = state.overage = met__decimal_zero();
    state.balances = met__arena_allocate(
        self->arena, (state.count + 1) * sizeof *state.balances);
    for (size_t i = 0; i < state.count; i++) {
        state.balances[i].grant_id = balances->as.items[i]->as.text;
        state.balances[i].balance = met__decimal_zero();
    }
    for (size_t i = 0; i < count; i++) {
        grants[i] = (met__grant){.id = ids->as.items[i]->as.text,
                                 .amount = met__decimal_from_i64(1),
                                 .rollover_min = met__decimal_zero(),
                                 .rollover_max = met__decimal_zero(),
                                 .expires_at_ns = MET__NEVER,
                                 .voided_at_ns = MET__NEVER,
                                 .deleted_at_ns = MET__NEVER};
    }
    golden_same_flag(self, golden_get(self, item, "expect.match"),
                     try_run(self, grants, count, &state) == MET_OK);
}

static void run_starting_valid(golden *self, const met__node *item)
{
    const met__node *paid = golden_get(self, item,
                                       "input.period_grant_usage");
    met__burn_state state = {.usage = met__decimal_zero(),
                             .grant_usage = met__decimal_zero(),
                             .overage = met__decimal_zero()};

    if (paid == NULL || paid->kind == MET__NODE_NULL
        || (paid->kind == MET__NODE_TEXT
            && met__decimal_parse(paid->as.text, &state.grant_usage)
                   != MET_OK)) {
        /* Nothing, NaN and infinities: no finite number. */
        state.grant_usage = (met_decimal){{0, UINT64_C(0x7c) << 56}};
    } else {
        state.grant_usage = golden_decimal(self, paid, "");
    }
    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     try_run(self, NULL, 0, &state) == MET_OK);
}

/* --- Runs ----------------------------------------------------------------- */
static void same_segments(golden *self, const met__node *expected,
                          const met__node *got)
{
    for (uint32_t i = 0; expected != NULL && i < expected->count; i++) {
        const met__node *item = expected->as.items[i];
        const met__node *index = met__node_get(item, "index");
        int64_t at = index != NULL ? index->as.integer : i;
        if (at < 0 || at >= got->count) {
            golden_fail(self, "there is no segment %lld", (long long)at);
            return;
        }
        golden_same(self, item, got->as.items[at]);
    }
}

static void same_run(golden *self, const met__node *expect,
                     const met__burn_result *result)
{
    met__node *got = golden_state_node(self, &result->end);
    met__node *segments = golden_segments_node(self, result);

    (void)met__node_set(self->arena, got, "total_available",
                        met__node_decimal(self->arena,
                                          result->value.total_available));
    (void)met__node_set(self->arena, got, "segment_count",
                        met__node_integer(self->arena, segments->count));
    for (uint32_t i = 0; i < expect->count; i++) {
        const met__member *member = &expect->as.members[i];
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)member->name.size,
                 member->name.data);
        if (strcmp(name, "segments") == 0) {
            same_segments(self, member->node, segments);
        } else if (strcmp(name, "end") == 0) {
            golden_same(self, member->node, got);
        } else if (strcmp(name, "balances_complete") == 0) {
            const met__node *balances = met__node_get(expect, "balances");
            if (balances == NULL || balances->count != result->end.count) {
                golden_fail(self, "there are %zu balances",
                            result->end.count);
            }
        } else if (member->node->kind != MET__NODE_NULL) {
            golden_same(self, member->node, met__node_get(got, name));
        }
    }
}

static size_t resets_of(golden *self, const met__node *input,
                        met__burn_reset **resets_out)
{
    const met__node *list = met__node_get(input, "resets");
    size_t count = list != NULL && list->kind == MET__NODE_ARRAY ? list->count
                                                                 : 0;
    met__burn_reset *resets = met__arena_allocate(
        self->arena, (count + 1) * sizeof *resets);

    for (size_t i = 0; i < count; i++) {
        resets[i].at_ns = golden_time(self, list->as.items[i], "");
        resets[i].preserves_overage =
            golden_flag(self, input, "preserve_overage_at_reset");
    }
    *resets_out = resets;
    return count;
}

static void run_engine(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *expect = met__node_get(item, "expect");
    const met__node *start = golden_get(self, input, "start.balances");
    met__grant *grants;
    met__burn_reset *resets;
    met__burn_state state;
    golden_meter meter;
    met__burn_result result;
    met_error_info info = {.struct_size = sizeof info};
    size_t count = golden_grants(self, met__node_get(input, "grants"),
                                 &grants);
    size_t reset_count = resets_of(self, input, &resets);

    golden_meter_begin(self, input, &meter);
    state = golden_state(self, met__node_get(input, "start"));
    if (start != NULL && start->kind == MET__NODE_TEXT) {
        /* "every grant = 100" */
        (void)met__burn_begin(grants, count, state.at_ns, self->arena,
                              &state);
    }
    int64_t until_ns = golden_time(self, input, "until");
    if (self->failed || self->skipped) {
        return;
    }
    met__burn_terms terms = {.grants = grants,
                             .grant_count = count,
                             .resets = resets,
                             .reset_count = reset_count,
                             .measure = meter.measure,
                             .keeps_segments = 1,
                             .usage = golden_meter_usage,
                             .context = &meter};
    self->rule = golden_grant_rule(&terms);
    met_error error = met__burn_run(&terms, &state, until_ns, self->arena,
                                    &result, &info);
    if (error == MET_E_UNSUPPORTED) {
        golden_skip(self, "usage by a rule in other words");
    } else if (golden_has(expect, "error")) {
        if (error != MET_E_INVALID || info.reason[0] == '\0') {
            golden_fail(self, "got %s, not an error with a reason",
                        met_error_name(error));
        }
    } else if (error != MET_OK) {
        golden_fail(self, "got %s: %s", met_error_name(error), info.reason);
    } else {
        same_run(self, expect, &result);
        if (golden_has(item, "derived")) {
            same_run(self, met__node_get(item, "derived"), &result);
        }
    }
}

/* --- Units and thresholds ------------------------------------------------- */
static void run_unit_conversion(golden *self, const met__node *item)
{
    met__unit_config config = {.operation = MET__CONVERT_DIVIDE};
    met__allowance allowance = {0};
    met_decimal usage = golden_decimal(self, item, "input.usage");

    if (golden_has(met__node_get(item, "input"), "conversion")) {
        config.factor = golden_decimal(self, item, "input.conversion.factor");
        if (met__text_equal(golden_text(self, item,
                                        "input.conversion.operation"),
                            MET__TEXT("multiply"))) {
            config.operation = MET__CONVERT_MULTIPLY;
        }
        allowance.unit_config = &config;
    }
    met_error error = met__allowance_usage(&allowance, usage, &usage);
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    /* Ours is exact up to its rounding; how near floats come, the case says. */
    met_decimal off = met__decimal_zero();
    met_decimal bound = golden_decimal(self, item, "expect.tolerance");
    (void)met__decimal_subtract(usage,
                                golden_decimal(self, item, "expect.usage"),
                                &off);
    if (met__decimal_is_negative(off)) {
        off = met__decimal_negate(off);
    }
    if (met__decimal_compare(off, bound) > 0) {
        golden_same(self, golden_get(self, item, "expect.usage"),
                    met__node_decimal(self->arena, usage));
    }
}

static met_decimal number_of(golden *self, const met__node *item,
                             const char *name)
{
    return golden_has(item, name) ? golden_decimal(self, item, name)
                                  : met__decimal_zero();
}

static uint32_t threshold_kind(golden *self, met__text type)
{
    static const char *const names[] = {"usage_value", "usage_percentage",
                                        "balance_value", "NUMBER", "PERCENT"};

    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (met__text_equal(type, met__text_z(names[i]))) {
            return i % 3; /* the last two are old names */
        }
    }
    golden_fail(self, "another type of threshold");
    return 0;
}

static void same_threshold(golden *self, const met__node *item,
                           const char *name, size_t index)
{
    const met__node *list = golden_get(self, item, "input.thresholds");
    const met__node *expect = met__node_get(met__node_get(item, "expect"),
                                            name);

    if (expect == NULL) {
        return;
    }
    if (expect->kind != MET__NODE_NULL) {
        golden_same(self, expect,
                    index == MET__NO_THRESHOLD ? NULL
                                               : list->as.items[index]);
    } else if (index != MET__NO_THRESHOLD) {
        golden_fail(self, "the %s threshold %zu is passed", name, index);
    }
}

static void run_threshold(golden *self, const met__node *item)
{
    const met__node *list = golden_get(self, item, "input.thresholds");
    const met__node *value = golden_get(self, item, "input.value");
    const met__node *refused = golden_get(self, item, "expect.error");
    met__burn_value now = {number_of(self, value, "balance"),
                           number_of(self, value, "usage"),
                           number_of(self, value, "overage"),
                           number_of(self, value, "total_available")};
    size_t count = list ? list->count : 0;
    met__threshold *thresholds = met__arena_allocate(
        self->arena, (count + 1) * sizeof *thresholds);
    size_t usage = 0;
    size_t balance = 0;

    for (size_t i = 0; i < count; i++) {
        const met__node *one = list->as.items[i];
        thresholds[i].kind = threshold_kind(self,
                                            golden_text(self, one, "type"));
        thresholds[i].value = golden_decimal(self, one, "value");
        if (met__threshold_check(&thresholds[i], NULL) != MET_OK) {
            golden_fail(self, "threshold %zu is refused", i);
        }
    }
    met_error error = met__threshold_passed(thresholds, count, &now, 0,
                                            &usage, &balance);
    if (refused != NULL) {
        golden_same_flag(self, refused, error != MET_OK);
    } else if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    } else {
        same_threshold(self, item, "usage", usage);
        same_threshold(self, item, "balance", balance);
    }
}

/* The second of the two keys that a case has: the first one's only use to the
 * peer is to know notices that it made before it had the second. */
static void run_repetition(golden *self, const met__node *item)
{
    met__text kind = golden_text(self, item, "input.kind");
    met__repetition repetition = {
        .kind = met__arena_copy(self->arena, kind.data, kind.size),
        .rule_id = golden_text(self, item, "input.rule_id"),
        .tenant = golden_text(self, item, "input.namespace"),
        .period = {golden_time(self, item, "input.period_from"),
                   golden_time(self, item, "input.period_to")},
        .subject = golden_text(self, item, "input.subject"),
        .entitlement_id = golden_text(self, item, "input.entitlement_id"),
        .feature_id = golden_text(self, item, "input.feature_id"),
        .measured_from_ns =
            golden_time(self, item, "input.measure_usage_from")};
    met__text key;
    met_error error = met__repetition_key(&repetition, self->arena, &key);

    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    } else {
        golden_same(self, golden_get(self, item, "expect.v2"),
                    met__node_text(self->arena, key));
    }
}

const golden_kind golden_grant_sections[] = {
    {"grant_effective_period", run_effective_period, NULL},
    {"grant_active_at", run_active_at, NULL},
    {"grant_expiration", run_expiration, NULL},
    {"grant_order", run_order, NULL},
    {"starting_snapshot", run_starting_snapshot, NULL},
    {"balances_match_grants", run_balances_match, NULL},
    {"starting_snapshot_validation", run_starting_valid, NULL},
    {"engine_runs", run_engine, NULL},
    {"unit_conversion", run_unit_conversion, NULL},
    {"thresholds", run_threshold, NULL},
    {"threshold_dedupe_hash", run_repetition, NULL},
    {NULL, NULL, NULL},
};
