/* Golden kinds of usage periods: entries, the current period, resets. */
#include "golden.h"

#include "entitlement/usage_period.h"

static met__usage_entry *entries_of(golden *self, const met__node *list,
                                    size_t *count_out)
{
    if (list == NULL || list->kind != MET__NODE_ARRAY) {
        golden_fail(self, "the case has no entries");
        *count_out = 0;
        return NULL;
    }
    met__usage_entry *entries = met__arena_allocate(
        self->arena, (list->count + 1) * sizeof *entries);
    for (uint32_t i = 0; i < list->count; i++) {
        const met__node *item = list->as.items[i];
        const met__node *anchor = met__node_get(item, "anchor");
        const met__node *interval = met__node_get(item, "interval");
        entries[i].effective_from_ns = golden_time(self, item,
                                                   "effective_from");
        /* What is not set is no anchor, no interval. */
        entries[i].usage_period.anchor_ns =
            anchor == NULL || anchor->kind == MET__NODE_NULL
                ? -1
                : golden_time(self, item, "anchor");
        if (interval != NULL && interval->kind == MET__NODE_TEXT) {
            (void)met__duration_parse(interval->as.text,
                                      &entries[i].usage_period.interval);
        }
    }
    *count_out = list->count;
    return entries;
}

static void run_valid(golden *self, const met__node *item)
{
    size_t count;
    met__usage_entry *entries = entries_of(
        self, met__node_get(item, "input"), &count);

    golden_same_flag(self, met__node_get(item, "expect"),
                     met__usage_entries_are_valid(entries, count));
}

static void run_current(golden *self, const met__node *item)
{
    size_t count;
    met__usage_entry *entries = entries_of(
        self, golden_get(self, item, "input.entries"), &count);
    int64_t at_ns = golden_time(self, item, "input.at");
    met__period period;

    if (self->failed || self->skipped) {
        return;
    }
    met_error error = met__usage_period_at(entries, count, at_ns, &period);
    golden_same_time(self, golden_get(self, item, "expect.from"), error,
                     error == MET_OK ? period.from_ns : 0);
    golden_same_time(self, golden_get(self, item, "expect.to"), error,
                     error == MET_OK ? period.to_ns : 0);
}

/* Every instant of [from, to] at which a period begins. */
static met_error begins_of(const met__usage_entry *entries, size_t count,
                           met__period between, met__arena *arena,
                           met__node *list)
{
    int64_t at_ns = between.from_ns;
    met__period period;
    met_error error = MET_OK;

    if (at_ns < entries[0].effective_from_ns) {
        at_ns = entries[0].effective_from_ns;
    }
    while (error == MET_OK && at_ns <= between.to_ns) {
        error = met__usage_period_at(entries, count, at_ns, &period);
        if (error == MET_OK && period.from_ns >= between.from_ns) {
            error = met__node_append(arena, list,
                                     met__node_time(arena, period.from_ns));
        }
        at_ns = period.to_ns;
    }
    return error;
}

static void run_resets(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *expect = met__node_get(item, "expect");
    size_t count;
    met__usage_entry *entries = entries_of(
        self, met__node_get(input, "entries"), &count);
    met__period between = {golden_time(self, input, "from"),
                           golden_time(self, input, "to")};
    met__node *got = met__node_array(self->arena);

    if (self->failed || self->skipped) {
        return;
    }
    if (golden_flag(self, input, "always_include_first_entry")
        && between.from_ns > entries[0].effective_from_ns) {
        (void)met__node_append(
            self->arena, got,
            met__node_time(self->arena, entries[0].effective_from_ns));
    }
    met_error error = begins_of(entries, count, between, self->arena, got);
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    if (expect == NULL || expect->kind == MET__NODE_ARRAY) {
        golden_same(self, expect, got);
        return;
    }
    golden_same(self, golden_get(self, expect, "count"),
                met__node_integer(self->arena, got->count));
    if (self->failed == 0 && got->count > 0) {
        const met__node *all = golden_get(self, expect, "derived_all");
        const met__node *last = golden_get(self, expect, "last");
        golden_same(self, golden_get(self, expect, "first"),
                    got->as.items[0]);
        if (last != NULL) {
            golden_same(self, last, got->as.items[got->count - 1]);
        }
        if (all != NULL) {
            golden_same(self, all, got);
        }
    }
}

const golden_kind golden_usage_period_sections[] = {
    {"usage_period_valid", run_valid, NULL},
    {"usage_period_current", run_current, NULL},
    {"usage_period_reset_timeline", run_resets, NULL},
    {NULL, NULL, NULL},
};
