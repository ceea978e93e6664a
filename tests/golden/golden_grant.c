/* What the kinds of grants share: cases into terms of a run, its answers into
 * documents. */
#include "golden_grant.h"

#include "entitlement/allowance.h"

/* --- Reading -------------------------------------------------------------- */
static int64_t time_or(golden *self, const met__node *item, const char *name,
                       int64_t otherwise)
{
    return golden_has(item, name) ? golden_time(self, item, name) : otherwise;
}

static met_decimal decimal_or_zero(golden *self, const met__node *item,
                                   const char *path)
{
    const met__node *found = golden_get(self, item, path);

    return found != NULL && found->kind != MET__NODE_NULL
               ? golden_decimal(self, item, path)
               : met__decimal_zero();
}

static int64_t expiry_of(golden *self, const met__node *item,
                         int64_t effective_at_ns)
{
    static const char *const units[] = {"HOUR", "DAY", "WEEK", "MONTH",
                                        "YEAR"};
    met__text unit = golden_text(self, item, "unit");
    int64_t count = 0;
    int64_t at_ns = MET__NEVER;

    (void)met__decimal_to_i64(golden_decimal(self, item, "count"), &count);
    for (uint32_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (met__text_equal(unit, met__text_z(units[i]))
            && met__grant_expiry(effective_at_ns, i, count, &at_ns)
                   != MET_OK) {
            golden_fail(self, "no expiry");
        }
    }
    return at_ns;
}

met__grant golden_grant(golden *self, const met__node *item)
{
    met__grant grant = {.id = golden_has(item, "id")
                                  ? golden_text(self, item, "id")
                                  : MET__TEXT("grant"),
                        .amount = met__decimal_from_i64(1)};
    int64_t priority = 0;

    if (golden_has(item, "amount")) {
        grant.amount = golden_decimal(self, item, "amount");
    }
    (void)met__decimal_to_i64(decimal_or_zero(self, item, "priority"),
                              &priority);
    grant.priority = (uint32_t)priority;
    grant.created_at_ns = time_or(self, item, "created_at", 0);
    grant.effective_at_ns = time_or(self, item, "effective_at", 0);
    grant.voided_at_ns = time_or(self, item, "voided_at", MET__NEVER);
    grant.deleted_at_ns = time_or(self, item, "deleted_at", MET__NEVER);
    grant.expires_at_ns = time_or(self, item, "expires_at", MET__NEVER);
    if (grant.expires_at_ns == MET__NEVER && golden_has(item, "expiration")) {
        grant.expires_at_ns = expiry_of(self, met__node_get(item,
                                                            "expiration"),
                                        grant.effective_at_ns);
    }
    grant.rollover_min = decimal_or_zero(self, item, "rollover.min");
    grant.rollover_max = decimal_or_zero(self, item, "rollover.max");
    if (golden_has(item, "recurrence")) {
        grant.has_recurrence = 1;
        grant.recurrence.interval = golden_duration(self, item,
                                                    "recurrence.interval");
        grant.recurrence.anchor_ns =
            time_or(self, met__node_get(item, "recurrence"), "anchor",
                    grant.effective_at_ns);
    }
    return grant;
}

/* grant-0, grant-1, …; some are otherwise. */
static size_t generate(golden *self, const met__node *rule,
                       met__grant **grants_out)
{
    met__grant like = golden_grant(self, rule);
    const met__node *others = met__node_get(rule, "override");
    int64_t count = 0;

    (void)met__decimal_to_i64(golden_decimal(self, rule, "count"), &count);
    met__grant *grants = met__arena_allocate(
        self->arena, ((size_t)count + 1) * sizeof *grants);
    for (int64_t i = 0; i < count; i++) {
        char *id = met__arena_print(self->arena, "grant-%lld", (long long)i);
        const met__node *own = others ? met__node_get(others, id) : NULL;
        /* Any order must do: here every 7919th. */
        met__grant *at = &grants[(i * 7919) % count];
        *at = like;
        at->id = met__text_z(id);
        if (own != NULL && golden_has(own, "expiration")) {
            at->expires_at_ns = expiry_of(self,
                                          met__node_get(own, "expiration"),
                                          at->effective_at_ns);
        }
    }
    *grants_out = grants;
    return (size_t)count;
}

size_t golden_grants(golden *self, const met__node *list,
                     met__grant **grants_out)
{
    if (list != NULL && list->kind == MET__NODE_OBJECT
        && golden_has(list, "generator")) {
        return generate(self, met__node_get(list, "generator"), grants_out);
    }
    size_t count = list != NULL && list->kind == MET__NODE_ARRAY ? list->count
                                                                 : 0;
    met__grant *grants = met__arena_allocate(self->arena,
                                             (count + 1) * sizeof *grants);
    for (size_t i = 0; i < count; i++) {
        grants[i] = golden_grant(self, list->as.items[i]);
    }
    *grants_out = grants;
    return count;
}

met__burn_state golden_state(golden *self, const met__node *item)
{
    const met__node *balances = met__node_get(item, "balances");
    met__burn_state state = {.at_ns = golden_time(self, item, "at"),
                             .usage = decimal_or_zero(self, item,
                                                      "period_usage"),
                             .grant_usage = decimal_or_zero(
                                 self, item, "period_grant_usage"),
                             .overage = decimal_or_zero(self, item,
                                                        "overage")};

    state.since_ns = time_or(self, item, "usage_since", state.at_ns);
    if (balances != NULL && balances->kind == MET__NODE_OBJECT) {
        state.count = balances->count;
    }
    state.balances = met__arena_allocate(
        self->arena, (state.count + 1) * sizeof *state.balances);
    for (size_t i = 0; i < state.count; i++) {
        const met__member *member = &balances->as.members[i];
        state.balances[i].grant_id = member->name;
        state.balances[i].balance = golden_decimal(self, member->node, "");
    }
    return state;
}

/* --- Usage ---------------------------------------------------------------- */
void golden_meter_add(golden *self, golden_meter *meter,
                      const met__node *item)
{
    golden_usage *events = met__arena_allocate(
        self->arena, (meter->count + 1) * sizeof *events);
    golden_usage added = {golden_time(self, item, "at"),
                          golden_decimal(self, item, "value")};
    size_t at = meter->count;

    if (at > 0) {
        memcpy(events, meter->events, at * sizeof *events);
    }
    for (; at > 0 && events[at - 1].at_ns > added.at_ns; at--) {
        events[at] = events[at - 1];
    }
    events[at] = added;
    meter->events = events;
    meter->count++;
}

void golden_meter_begin(golden *self, const met__node *input,
                        golden_meter *meter)
{
    met__text aggregation = golden_text(self, input, "aggregation");
    const met__node *list = met__node_get(input, "usage_events");

    *meter = (golden_meter){.measure = MET__MEASURE_LEVEL};
    if (met__text_equal(aggregation, MET__TEXT("SUM"))
        || met__text_equal(aggregation, MET__TEXT("COUNT"))) {
        meter->measure = MET__MEASURE_ADDS;
    } else if (met__text_equal(aggregation, MET__TEXT("UNIQUE_COUNT"))) {
        meter->measure = MET__MEASURE_DISTINCT;
    } else if (!met__text_equal(aggregation, MET__TEXT("LATEST"))) {
        golden_skip(self, "another aggregation");
    }
    if (golden_has(input, "usage_rule")) {
        meter->rule = golden_text(self, input, "usage_rule");
    }
    for (uint32_t i = 0;
         list != NULL && list->kind == MET__NODE_ARRAY && i < list->count;
         i++) {
        golden_meter_add(self, meter, list->as.items[i]);
    }
}

/* MET_E_UNSUPPORTED: other words than these. */
static met_error usage_by_rule(met__text rule, int64_t from_ns, int64_t to_ns,
                               met_decimal *usage_out)
{
    char text[128] = "";
    char time[40];
    long long first;
    long long later;
    int64_t at_ns = 0;

    memcpy(text, rule.data,
           rule.size < sizeof text ? rule.size : sizeof text - 1);
    if (sscanf(text, "any interval uses %lld", &first) == 1) {
        *usage_out = met__decimal_from_i64(first);
        return MET_OK;
    }
    if (sscanf(text,
               "intervals starting before %39s use %lld, later ones %lld",
               time, &first, &later) == 3
        && met__time_parse(met__text_z(time), &at_ns) == MET_OK) {
        *usage_out = met__decimal_from_i64(from_ns < at_ns ? first : later);
        return MET_OK;
    }
    if (sscanf(text, "%lld per hour of interval length", &first) == 1) {
        return met__decimal_divide(
            met__decimal_from_i64(first * ((to_ns - from_ns)
                                           / MET__SECOND_NS)),
            met__decimal_from_i64(3600), 9, MET_ROUND_DOWN, usage_out);
    }
    return MET_E_UNSUPPORTED;
}

static int is_new(const golden_meter *meter, size_t index, int64_t from_ns)
{
    for (size_t i = 0; i < index; i++) {
        if (meter->events[i].at_ns >= from_ns
            && met__decimal_compare(meter->events[i].value,
                                    meter->events[index].value) == 0) {
            return 0;
        }
    }
    return 1;
}

met_error golden_meter_usage(void *context, int64_t from_ns, int64_t to_ns,
                             met_decimal *usage_out)
{
    const golden_meter *meter = context;
    met_decimal usage = met__decimal_zero();
    met_error error = MET_OK;

    if (meter->rule.size > 0) {
        return usage_by_rule(meter->rule, from_ns, to_ns, usage_out);
    }
    for (size_t i = 0; error == MET_OK && i < meter->count; i++) {
        const golden_usage *at = &meter->events[i];
        if (at->at_ns < from_ns || at->at_ns >= to_ns) {
            continue;
        }
        if (meter->measure == MET__MEASURE_ADDS) {
            error = met__decimal_add(usage, at->value, &usage);
        } else if (meter->measure == MET__MEASURE_LEVEL) {
            usage = at->value;
        } else if (is_new(meter, i, from_ns)) {
            error = met__decimal_add(usage, met__decimal_from_i64(1), &usage);
        }
    }
    if (error == MET_OK && meter->allowance != NULL) {
        error = met__allowance_usage(meter->allowance, usage, &usage);
    }
    *usage_out = usage;
    return error;
}

const char *golden_grant_rule(const met__burn_terms *terms)
{
    if (terms->measure == MET__MEASURE_LEVEL) {
        return "rule.level";
    }
    for (size_t r = 0; r < terms->reset_count; r++) {
        const met__burn_reset *reset = &terms->resets[r];
        for (size_t i = 0;
             reset->preserves_overage && i < terms->grant_count; i++) {
            int64_t at_ns = MET__NEVER;
            (void)met__grant_recurs(&terms->grants[i], reset->at_ns, 1,
                                    &at_ns);
            if (at_ns == reset->at_ns
                || terms->grants[i].effective_at_ns == reset->at_ns) {
                return "rule.debt";
            }
        }
    }
    return NULL;
}

/* --- Answers as documents ------------------------------------------------- */
static void put(golden *self, met__node *object, const char *name,
                met__node *node)
{
    (void)met__node_set(self->arena, object, name, node);
}

static void put_decimal(golden *self, met__node *object, const char *name,
                        met_decimal value)
{
    put(self, object, name, met__node_decimal(self->arena, value));
}

static met_decimal sum_of(const met__burn_state *state)
{
    met_decimal sum = met__decimal_zero();

    for (size_t i = 0; i < state->count; i++) {
        (void)met__decimal_add(sum, state->balances[i].balance, &sum);
    }
    return sum;
}

met__node *golden_balances_node(golden *self, const met__burn_state *state)
{
    met__node *object = met__node_object(self->arena);

    for (size_t i = 0; i < state->count; i++) {
        (void)met__node_add(self->arena, object, state->balances[i].grant_id,
                            met__node_decimal(self->arena,
                                              state->balances[i].balance));
    }
    return object;
}

met__node *golden_state_node(golden *self, const met__burn_state *state)
{
    met__node *object = met__node_object(self->arena);

    put(self, object, "at", met__node_time(self->arena, state->at_ns));
    put(self, object, "balances", golden_balances_node(self, state));
    put_decimal(self, object, "balance_total", sum_of(state));
    put_decimal(self, object, "overage", state->overage);
    put_decimal(self, object, "period_usage", state->usage);
    put_decimal(self, object, "period_grant_usage", state->grant_usage);
    put(self, object, "usage_since",
        met__node_time(self->arena, state->since_ns));
    return object;
}

static met__node *ended_by_node(golden *self, uint32_t ended_by)
{
    static const char *const names[] = {"activity_change", "recurrence",
                                        "usage_reset", "rollover"};
    met__node *list = met__node_array(self->arena);

    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (ended_by & 1u << i) {
            (void)met__node_append(self->arena, list,
                                   met__node_text_z(self->arena, names[i]));
        }
    }
    return list;
}

static met__node *segment_node(golden *self, const met__burn_segment *segment,
                               size_t index, const met__burn_state *next)
{
    met__node *object = met__node_object(self->arena);
    met__node *burned = met__node_array(self->arena);
    met__burn_state end = segment->start;
    size_t j = 0;

    end.balances = met__arena_allocate(self->arena,
                                       (end.count + 1) * sizeof *end.balances);
    memcpy(end.balances, segment->start.balances,
           end.count * sizeof *end.balances);
    for (size_t i = 0; i < segment->burned_count; i++) {
        const met__burned *at = &segment->burned[i];
        met__node *one = met__node_object(self->arena);
        put(self, one, "grant", met__node_text(self->arena, at->grant_id));
        put_decimal(self, one, "amount", at->amount);
        put(self, one, "ended_by",
            met__node_text_z(self->arena,
                             at->is_exhausted ? "exhausted" : "segment_end"));
        (void)met__node_append(self->arena, burned, one);
        /* Both are in the order of paying. */
        while (j < end.count
               && !met__text_equal(end.balances[j].grant_id, at->grant_id)) {
            j++;
        }
        if (j == end.count) {
            golden_fail(self, "segment %zu burned out of order", index);
            break;
        }
        (void)met__decimal_subtract(end.balances[j].balance, at->amount,
                                    &end.balances[j].balance);
    }
    if (next != NULL && next->at_ns != segment->to_ns) {
        golden_fail(self, "segment %zu has a gap behind it", index);
    }
    put(self, object, "index", met__node_integer(self->arena,
                                                 (int64_t)index));
    put(self, object, "from",
        met__node_time(self->arena, segment->start.at_ns));
    put(self, object, "to", met__node_time(self->arena, segment->to_ns));
    put_decimal(self, object, "usage", segment->usage);
    put(self, object, "balance_at_start",
        golden_balances_node(self, &segment->start));
    put(self, object, "balance_at_end", golden_balances_node(self, &end));
    put_decimal(self, object, "balance_total_at_start",
                sum_of(&segment->start));
    put_decimal(self, object, "balance_total_at_end", sum_of(&end));
    put_decimal(self, object, "overage_at_start", segment->start.overage);
    put_decimal(self, object, "overage_at_end", segment->overage);
    put(self, object, "burned", burned);
    put(self, object, "ended_by", ended_by_node(self, segment->ended_by));
    put(self, object, "usage_reset",
        met__node_boolean(self->arena,
                          (segment->ended_by & MET__ENDED_RESET) != 0));
    put(self, object, "rollover",
        met__node_boolean(self->arena,
                          (segment->ended_by & MET__ENDED_ROLLOVER) != 0));
    return object;
}

met__node *golden_segments_node(golden *self, const met__burn_result *result)
{
    met__node *list = met__node_array(self->arena);

    for (size_t i = 0; i < result->segment_count; i++) {
        (void)met__node_append(
            self->arena, list,
            segment_node(self, &result->segments[i], i,
                         i + 1 < result->segment_count
                             ? &result->segments[i + 1].start
                             : &result->end));
    }
    return list;
}
