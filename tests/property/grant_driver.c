/* Answers one question a line, for the oracle of grants. A question is JSON:
 *   {"measure", "grants": [{"id", "amount", "priority", "created", "effective",
 *    "unit"?, "count"?, "voided"?, "deleted"?, "min", "max", "every"?,
 *    "anchor"?}], "usage": [[NS, TEXT]], "resets": [[NS, PRESERVES]],
 *    "start": {"at", "since", "usage", "paid", "overage", "balances": [[ID,
 *    TEXT, ISSUED]]} or {"at"}, "until": [NS], "bounds": [NS],
 *    "begins": [[NS, PRESERVES]]?, "cycles": [[ANCHOR, EVERY, FROM, TO,
 *    PRESERVES, BY_MINUTES]]?, "thresholds": [[KIND, TEXT]], "when_reached"}
 * Runs go from instant to instant of "until"; segments are those of the last.
 * All is run twice, by every segment and with leaps, for which "begins" and
 * "cycles" are the same as "resets"; both must come to the same.
 * Answers: "= balance usage overage total | since paid owed | id:balance:issued
 * … | windows | segments | passed", or "! ERROR". Times are nanoseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document/document.h"
#include "entitlement/grant_history.h"
#include "entitlement/threshold.h"

static met__platform platform;
static met__arena arena; /* of one question */
static met__buffer out;

typedef struct meter {
    uint32_t measure;
    const met__node *events;
} meter;

/* --- Reading -------------------------------------------------------------- */
static int64_t integer(const met__node *object, const char *name,
                       int64_t otherwise)
{
    const met__node *found = met__node_get(object, name);

    return found != NULL ? found->as.integer : otherwise;
}

static met_decimal decimal_of(const met__node *node)
{
    met_decimal value = met__decimal_zero();

    if (node == NULL || node->kind != MET__NODE_TEXT
        || met__decimal_parse(node->as.text, &value) != MET_OK) {
        fprintf(stderr, "a number is none\n");
        exit(2);
    }
    return value;
}

static met_decimal decimal(const met__node *object, const char *name)
{
    return decimal_of(met__node_get(object, name));
}

static size_t count_of(const met__node *list)
{
    return list != NULL ? list->count : 0;
}

static met_error grant_of(const met__node *item, met__grant *grant)
{
    const met__node *every = met__node_get(item, "every");
    met_error error = MET_OK;

    *grant = (met__grant){
        .id = met__node_get(item, "id")->as.text,
        .amount = decimal(item, "amount"),
        .rollover_min = decimal(item, "min"),
        .rollover_max = decimal(item, "max"),
        .created_at_ns = integer(item, "created", 0),
        .effective_at_ns = integer(item, "effective", 0),
        .expires_at_ns = MET__NEVER,
        .voided_at_ns = integer(item, "voided", MET__NEVER),
        .deleted_at_ns = integer(item, "deleted", MET__NEVER),
        .priority = (uint32_t)integer(item, "priority", 0)};
    if (met__node_get(item, "unit") != NULL) {
        error = met__grant_expiry(grant->effective_at_ns,
                                  (uint32_t)integer(item, "unit", 0),
                                  integer(item, "count", 0),
                                  &grant->expires_at_ns);
    }
    if (error == MET_OK && every != NULL) {
        grant->has_recurrence = 1;
        grant->recurrence.anchor_ns = integer(item, "anchor", 0);
        error = met__duration_parse(every->as.text,
                                    &grant->recurrence.interval);
    }
    return error;
}

static met_error start_of(const met__node *item, const met__grant *grants,
                          size_t count, met__burn_state *state)
{
    const met__node *balances = met__node_get(item, "balances");
    met__burn_state given = {.at_ns = integer(item, "at", 0)};

    if (balances == NULL) {
        return met__burn_begin(grants, count, given.at_ns, &arena, state);
    }
    given.since_ns = integer(item, "since", 0);
    given.usage = decimal(item, "usage");
    given.grant_usage = decimal(item, "paid");
    given.overage = decimal(item, "overage");
    given.balances = met__arena_allocate(
        &arena, (balances->count + 1) * sizeof *given.balances);
    for (uint32_t i = 0; i < balances->count; i++) {
        met__node **row = balances->as.items[i]->as.items;
        given.balances[given.count++] = (met__burn_balance){
            row[0]->as.text, decimal_of(row[1]), (int)row[2]->as.integer};
    }
    /* What is new since then begins with nothing. */
    return met__burn_extend(&given, grants, count, &arena, state, NULL);
}

/* --- Usage ---------------------------------------------------------------- */
static int is_new(const met__node *events, uint32_t index, int64_t from_ns)
{
    const met__node *event = events->as.items[index];

    for (uint32_t i = 0; i < index; i++) {
        met__node **other = events->as.items[i]->as.items;
        if (other[0]->as.integer >= from_ns
            && met__text_equal(other[1]->as.text,
                               event->as.items[1]->as.text)) {
            return 0;
        }
    }
    return 1;
}

static met_error usage_between(void *context, int64_t from_ns, int64_t to_ns,
                               met_decimal *usage_out)
{
    const meter *self = context;
    met_decimal usage = met__decimal_zero();
    met_error error = MET_OK;

    if (from_ns >= to_ns) {
        return MET_E_BUG; /* nobody asks for nothing */
    }
    for (uint32_t i = 0; error == MET_OK && i < self->events->count; i++) {
        met__node **event = self->events->as.items[i]->as.items;
        int64_t at_ns = event[0]->as.integer;
        if (at_ns < from_ns || at_ns >= to_ns) {
            continue;
        }
        if (self->measure == MET__MEASURE_ADDS) {
            error = met__decimal_add(usage, decimal_of(event[1]), &usage);
        } else if (self->measure == MET__MEASURE_LEVEL) {
            usage = decimal_of(event[1]);
        } else if (is_new(self->events, i, from_ns)) {
            error = met__decimal_add(usage, met__decimal_from_i64(1), &usage);
        }
    }
    *usage_out = usage;
    return error;
}

/* --- Answers -------------------------------------------------------------- */
static void say(met_decimal value)
{
    met__buffer_byte(&out, ' ');
    (void)met__decimal_print(value, &out);
}

static void say_state(const met__burn_result *result)
{
    say(result->value.balance);
    say(result->value.usage);
    say(result->value.overage);
    say(result->value.total_available);
    met__buffer_print(&out, " | %lld", (long long)result->end.since_ns);
    say(result->end.grant_usage);
    say(result->end.overage);
    met__buffer_text(&out, " |");
    for (size_t i = 0; i < result->end.count; i++) {
        const met__burn_balance *at = &result->end.balances[i];
        met__buffer_print(&out, " %.*s:", (int)at->grant_id.size,
                          at->grant_id.data);
        (void)met__decimal_print(at->balance, &out);
        met__buffer_print(&out, ":%d", at->is_issued);
    }
}

static void say_segments(const met__burn_result *result)
{
    met__buffer_text(&out, " |");
    for (size_t i = 0; i < result->segment_count; i++) {
        const met__burn_segment *at = &result->segments[i];
        met__buffer_print(&out, " [%lld,%lld,%u",
                          (long long)at->start.at_ns, (long long)at->to_ns,
                          at->ended_by);
        say(at->usage);
        say(at->overage);
        for (size_t j = 0; j < at->burned_count; j++) {
            met__buffer_print(&out, " %.*s%s",
                              (int)at->burned[j].grant_id.size,
                              at->burned[j].grant_id.data,
                              at->burned[j].is_exhausted ? "!" : "");
            say(at->burned[j].amount);
        }
        met__buffer_text(&out, "]");
    }
}

static met_error say_windows(const met__burn_terms *terms,
                             const met__burn_state *start,
                             const met__node *list)
{
    size_t count = count_of(list);
    int64_t *bounds = met__arena_allocate(&arena,
                                          (count + 1) * sizeof *bounds);
    met__burn_window *windows;
    met_error error = MET_OK;

    met__buffer_text(&out, " |");
    for (size_t i = 0; i < count; i++) {
        bounds[i] = list->as.items[i]->as.integer;
    }
    if (count > 1) {
        error = met__burn_windows(terms, start, bounds, count, &arena,
                                  &windows, NULL);
    }
    for (size_t i = 0; error == MET_OK && i + 1 < count; i++) {
        say(windows[i].usage);
        say(windows[i].balance_at_start);
        say(windows[i].overage_at_start);
    }
    return error;
}

static met_error say_thresholds(const met__node *question,
                                const met__burn_value *value)
{
    const met__node *list = met__node_get(question, "thresholds");
    size_t count = count_of(list);
    met__threshold *thresholds = met__arena_allocate(
        &arena, (count + 1) * sizeof *thresholds);
    size_t usage = 0;
    size_t balance = 0;

    for (size_t i = 0; i < count; i++) {
        met__node **row = list->as.items[i]->as.items;
        thresholds[i] = (met__threshold){(uint32_t)row[0]->as.integer,
                                         decimal_of(row[1])};
    }
    met_error error = met__threshold_passed(
        thresholds, count, value,
        (int)integer(question, "when_reached", 0), &usage, &balance);
    met__buffer_print(&out, " | %lld %lld",
                      usage == MET__NO_THRESHOLD ? -1LL : (long long)usage,
                      balance == MET__NO_THRESHOLD ? -1LL
                                                   : (long long)balance);
    return error;
}

static size_t resets_of(const met__node *list, int64_t after_ns,
                        int64_t until_ns, met__burn_reset *resets)
{
    size_t count = 0;

    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        met__node **row = list->as.items[i]->as.items;
        if (row[0]->as.integer > after_ns
            && row[0]->as.integer <= until_ns) {
            resets[count++] = (met__burn_reset){row[0]->as.integer,
                                                (int)row[1]->as.integer};
        }
    }
    return count;
}

/* The first usage of any time, which is all that is promised. */
static met_error first_between(void *context, int64_t from_ns, int64_t to_ns,
                               int64_t *at_ns_out)
{
    const meter *self = context;
    int64_t first_ns = to_ns;

    for (uint32_t i = 0; i < self->events->count; i++) {
        int64_t at_ns = self->events->as.items[i]->as.items[0]->as.integer;
        if (at_ns >= from_ns && at_ns < first_ns) {
            first_ns = at_ns;
        }
    }
    *at_ns_out = first_ns;
    return from_ns < to_ns ? MET_OK : MET_E_BUG;
}

static met_error cycles_of(const met__node *list, met__burn_terms *terms)
{
    met__burn_cycle *cycles = met__arena_allocate(
        &arena, (count_of(list) + 1) * sizeof *cycles);
    met_error error = MET_OK;

    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        met__node **row = list->as.items[i]->as.items;
        cycles[i] = (met__burn_cycle){
            .points = {.anchor_ns = row[0]->as.integer},
            .between = {row[2]->as.integer, row[3]->as.integer},
            .preserves_overage = (int)row[4]->as.integer,
            .by_minutes = (int)row[5]->as.integer};
        if (error == MET_OK) {
            error = met__duration_parse(row[1]->as.text,
                                        &cycles[i].points.interval);
        }
    }
    terms->cycles = cycles;
    terms->cycle_count = count_of(list);
    return error;
}

/* The runs once more, with leaps: MET_E_BUG when they come to anything else
 * than what is said already from `mark` on. */
static met_error leap(const met__node *question, const met__burn_terms *terms,
                      const met__burn_state *first, size_t mark)
{
    const met__node *untils = met__node_get(question, "until");
    const met__node *begins = met__node_get(question, "begins");
    size_t end = out.size;
    met__burn_terms leaping = *terms;
    met__burn_state start = *first;
    met__burn_result result = {0};

    if (begins == NULL) {
        begins = met__node_get(question, "resets");
    }
    met__burn_reset *resets = met__arena_allocate(
        &arena, (count_of(begins) + 1) * sizeof *resets);
    met_error error = cycles_of(met__node_get(question, "cycles"), &leaping);
    leaping.resets = resets;
    leaping.first = first_between;
    leaping.keeps_segments = 0;
    for (uint32_t i = 0; error == MET_OK && i < untils->count; i++) {
        int64_t until_ns = untils->as.items[i]->as.integer;
        leaping.reset_count = resets_of(begins, start.at_ns, until_ns,
                                        resets);
        error = met__burn_run(&leaping, &start, until_ns, &arena, &result,
                              NULL);
        start = result.end;
    }
    if (error == MET_OK) {
        say_state(&result);
        if (out.size - end != end - mark
            || memcmp(out.data + end, out.data + mark, end - mark) != 0) {
            fprintf(stderr, "%s\n", out.data);
            error = MET_E_BUG;
        }
        out.size = end;
        out.data[end] = 0;
    }
    return error;
}

static met_error answer(const met__node *question)
{
    const met__node *list = met__node_get(question, "grants");
    const met__node *untils = met__node_get(question, "until");
    const met__node *resets_list = met__node_get(question, "resets");
    meter usage = {(uint32_t)integer(question, "measure", 0),
                   met__node_get(question, "usage")};
    size_t count = count_of(list);
    met__grant *grants = met__arena_allocate(&arena,
                                             (count + 1) * sizeof *grants);
    met__burn_reset *resets = met__arena_allocate(
        &arena, (count_of(resets_list) + 1) * sizeof *resets);
    met__burn_terms terms = {.grants = grants,
                             .grant_count = count,
                             .resets = resets,
                             .measure = usage.measure,
                             .keeps_segments = 1,
                             .usage = usage_between,
                             .context = &usage};
    met__burn_state start = {0};
    met__burn_state first;
    met__burn_result result = {0};
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        error = grant_of(list->as.items[i], &grants[i]);
    }
    if (error == MET_OK) {
        error = start_of(met__node_get(question, "start"), grants, count,
                         &start);
    }
    first = start;
    for (uint32_t i = 0; error == MET_OK && i < untils->count; i++) {
        int64_t until_ns = untils->as.items[i]->as.integer;
        terms.reset_count = resets_of(resets_list, start.at_ns, until_ns,
                                      resets);
        error = met__burn_run(&terms, &start, until_ns, &arena, &result,
                              NULL);
        start = result.end;
    }
    if (error == MET_OK) {
        size_t mark = out.size;
        say_state(&result);
        error = leap(question, &terms, &first, mark);
    }
    if (error == MET_OK) {
        terms.reset_count = resets_of(resets_list, first.at_ns,
                                      result.end.at_ns, resets);
        error = say_windows(&terms, &first, met__node_get(question,
                                                          "bounds"));
    }
    if (error == MET_OK) {
        say_segments(&result);
        error = say_thresholds(question, &result.value);
    }
    return error;
}

int main(void)
{
    static char line[1 << 20];

    if (met__platform_init(&platform, NULL, NULL) != MET_OK) {
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        met__node *question;
        met__arena_init(&arena, &platform);
        met__buffer_init(&out, &platform);
        if (met__json_parse(&arena, met__text_of(line, strlen(line)),
                            &question, NULL) != MET_OK) {
            return 2;
        }
        met_error error = answer(question);
        if (error == MET_OK) {
            printf("=%s\n", out.data);
        } else {
            printf("! %s\n", met_error_name(error));
        }
        met__buffer_release(&out);
        met__arena_release(&arena);
    }
    return 0;
}
