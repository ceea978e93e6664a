/* Golden kinds of grants and collection that other sections have in other
 * words: they are said in those words and run by the same code. */
#include "golden_rating.h"

#include "invoice/billing_profile.h"
#include "invoice/invoice_state.h"

static void copy(golden *self, met__node *to, const char *as,
                 const met__node *from, const char *name)
{
    if (golden_has(from, name)) {
        golden_set(self, to, as, met__node_get(from, name));
    }
}

/* --- Grants --------------------------------------------------------------- */
static met__node *grant_of(golden *self, const met__node *given)
{
    met__node *grant = met__node_object(self->arena);
    met__node *rollover = met__node_object(self->arena);

    copy(self, grant, "id", given, "id");
    copy(self, grant, "amount", given, "amount");
    copy(self, grant, "priority", given, "priority");
    copy(self, grant, "created_at", given, "created");
    copy(self, grant, "effective_at", given, "effective");
    copy(self, grant, "deleted_at", given, "deleted");
    copy(self, grant, "voided_at", given, "voided");
    copy(self, grant, "recurrence", given, "recurrence");
    copy(self, rollover, "min", given, "min_rollover");
    copy(self, rollover, "max", given, "max_rollover");
    golden_set(self, grant, "rollover", rollover);
    if (golden_has(given, "expires_after")) {
        met__duration span = golden_duration(self, given, "expires_after");
        int64_t at_ns = 0;
        if (met__duration_add(golden_time(self, given, "effective"), &span, 1,
                              &at_ns)
            == MET_OK) {
            golden_set(self, grant, "expires_at",
                       met__node_time(self->arena, at_ns));
        }
    }
    return grant;
}

static met__node *grants_of(golden *self, const met__node *given)
{
    met__node *array = met__node_array(self->arena);

    for (uint32_t i = 0; given != NULL && i < given->count; i++) {
        (void)met__node_append(self->arena, array,
                               grant_of(self, given->as.items[i]));
    }
    return array;
}

static void run_section(golden *self, const char *name, met__node *input,
                        const met__node *expect)
{
    met__node *item = met__node_object(self->arena);

    golden_set(self, item, "input", input);
    golden_set(self, item, "expect", expect);
    for (const golden_kind *kind = golden_grant_sections; kind->name != NULL;
         kind++) {
        if (strcmp(kind->name, name) == 0) {
            kind->run(self, item);
            return;
        }
    }
    golden_fail(self, "nothing runs %s", name);
}

static void run_grant_order(golden *self, const met__node *item)
{
    met__node *input = met__node_object(self->arena);

    golden_set(self, input, "grants",
               grants_of(self, golden_get(self, item, "input.grants")));
    run_section(self, "grant_order", input, met__node_get(item, "expect"));
}

static void run_grant_burn(golden *self, const met__node *item)
{
    const met__node *given = met__node_get(item, "input");
    const met__node *expect = met__node_get(item, "expect");
    met__node *expected = met__node_object(self->arena);
    met__node *input = met__node_object(self->arena);
    met__node *start = met__node_object(self->arena);

    golden_set(self, input, "aggregation",
               met__node_text_z(self->arena, "SUM"));
    golden_set(self, input, "grants",
               grants_of(self, met__node_get(given, "grants")));
    copy(self, input, "usage_events", given, "usage");
    copy(self, input, "resets", given, "resets");
    golden_set(self, input, "preserve_overage_at_reset",
               met__node_boolean(self->arena,
                                 golden_has(given, "preserve_overage")
                                     && golden_flag(self, given,
                                                    "preserve_overage")));
    copy(self, input, "until", given, "end");
    copy(self, start, "at", given, "start");
    copy(self, start, "balances", given, "starting_balances");
    copy(self, start, "overage", given, "starting_overage");
    golden_set(self, input, "start", start);
    for (uint32_t i = 0; i < expect->count; i++) {
        const met__member *member = &expect->as.members[i];
        (void)met__node_add(self->arena, expected, member->name,
                            member->node);
    }
    if (golden_has(expect, "error")) {
        (void)met__node_set(self->arena, expected, "error",
                            met__node_text_z(self->arena, "any"));
    }
    run_section(self, "engine_runs", input, expected);
}

/* --- Collection ----------------------------------------------------------- */
typedef struct invoice {
    golden *self;
    const met__node *input;
    met__billing_profile *profile;
    met__invoice_moment moment;
    uint32_t state;
    int has_added; /* lines that came later are on it */
    int64_t snapshot_ns; /* usage stored before it is known */
} invoice;

static int is_on(const invoice *self, const met__node *line)
{
    return self->has_added || !golden_has(line, "added_after_collection");
}

static int64_t collection_of(invoice *self)
{
    const met__node *lines = met__node_get(self->input, "lines");
    met__collected_line *list = met__arena_allocate(
        self->self->arena, (lines->count + 1) * sizeof *list);
    int64_t at_ns = 0;

    for (uint32_t i = 0; i < lines->count; i++) {
        const met__node *line = lines->as.items[i];
        list[i] = (met__collected_line){
            .invoice_at_ns = golden_time(self->self, line, "invoice_at"),
            .is_metered = 1,
            .is_deleted = !is_on(self, line)};
    }
    if (met__collection_at(self->profile, list, lines->count, &at_ns)
        != MET_OK) {
        golden_fail(self->self, "no collection time");
    }
    return at_ns;
}

static met_decimal usage_of(invoice *self, const met__node *line)
{
    const met__node *period = met__node_get(line, "service_period");
    const met__node *events = met__node_get(self->input, "events");
    int64_t from_ns = golden_time(self->self, period->as.items[0], "");
    int64_t to_ns = golden_time(self->self, period->as.items[1], "");
    met_decimal sum = met__decimal_zero();

    for (uint32_t i = 0; i < events->count; i++) {
        const met__node *event = events->as.items[i];
        int64_t at_ns = golden_time(self->self, event, "at");
        if (at_ns >= from_ns && at_ns < to_ns
            && golden_time(self->self, event, "stored_before")
                   <= self->snapshot_ns) {
            (void)met__decimal_add(
                sum, golden_decimal(self->self, event, "value"), &sum);
        }
    }
    return sum;
}

static met_decimal amount_of(invoice *self)
{
    const met__node *lines = met__node_get(self->input, "lines");
    met_decimal sum = met__decimal_zero();

    for (uint32_t i = 0; i < lines->count; i++) {
        const met__node *line = lines->as.items[i];
        met__rate_input input = {
            .price = golden_room_price(self->self,
                                       met__node_get(line, "price")),
            .currency = golden_currency(self->self, self->input),
            .quantity = usage_of(self, line),
            .quantity_before = met__decimal_zero(),
            .already_billed = met__decimal_zero(),
            .is_first = 1,
            .is_last = 1};
        met__rated *rated = NULL;
        if (!is_on(self, line)) {
            continue;
        }
        if (self->self->failed
            || met__rate(&input, self->self->arena, &rated, NULL) != MET_OK) {
            golden_fail(self->self, "cannot be rated");
            return sum;
        }
        (void)met__decimal_add(sum, rated->totals.total, &sum);
    }
    return sum;
}

/* As far as nobody has to be asked, up to an approval that waits. */
static void go_on(invoice *self, int64_t now_ns)
{
    const met__invoice_step *step;

    self->moment.now_ns = now_ns;
    self->moment.collection_at_ns = collection_of(self);
    self->moment.draft_until_ns = INT64_MAX;
    while ((step = met__invoice_step_find(self->state, MET__ACTION_NEXT,
                                          &self->moment))
           != NULL) {
        self->state = step->to;
        if (self->state == MET__STATE_COLLECTING) {
            self->snapshot_ns = now_ns;
        }
    }
}

static void same_state(invoice *self, const met__node *expect,
                       const char *amount, const char *status)
{
    golden *with = self->self;

    if (golden_has(expect, amount)) {
        golden_same(with, met__node_get(expect, amount),
                    golden_decimal_node(with, amount_of(self)));
    }
    if (golden_has(expect, status)) {
        golden_same(with, met__node_get(expect, status),
                    met__node_text(with->arena,
                                   met__invoice_state_name(self->state)));
    }
}

static void run_late_events(golden *self, const met__node *item)
{
    const met__node *expect = met__node_get(item, "expect");
    invoice it = {.self = self,
                  .input = met__node_get(item, "input"),
                  .moment = {.is_auto = 1, .is_valid = 1, .has_lines = 1},
                  .state = MET__STATE_CREATED};
    int64_t created_ns = golden_time(self, it.input, "created_at");

    if (met__billing_profile_read(NULL, NULL, self->arena, &it.profile, NULL)
        != MET_OK) {
        golden_fail(self, "no profile");
        return;
    }
    it.profile->interval =
        golden_duration(self, it.input, "collection_interval");
    it.snapshot_ns = created_ns;
    go_on(&it, created_ns);
    same_state(&it, expect, "amount_at_creation", "status_at_creation");
    if (golden_has(expect, "status_after_line_added")) {
        const met__invoice_step *step = met__invoice_step_find(
            it.state, MET__ACTION_UPDATE, &it.moment);
        it.has_added = 1;
        it.state = step != NULL ? step->to : MET__STATE_NONE;
        go_on(&it, created_ns);
        same_state(&it, expect, "amount_after_line_added",
                   "status_after_line_added");
    }
    golden_same(self, golden_get(self, item, "expect.collection_at"),
                met__node_time(self->arena, collection_of(&it)));
    go_on(&it, collection_of(&it));
    same_state(&it, expect, "amount_after_collection",
               "status_after_collection");
}

const golden_kind golden_burn_kinds[] = {
    {"grant_order", run_grant_order, NULL},
    {"grant_burn", run_grant_burn, NULL},
    {"late_events", run_late_events, NULL},
    {"retro_change", NULL, NULL},
    {NULL, NULL, NULL},
};
