/* Golden kinds of billing: periods of items and schedules. Each runs the
 * function that bills by. */
#include "golden_rating.h"

#include "invoice/item_periods.h"

static int64_t second_of(int64_t utc_ns)
{
    return utc_ns - utc_ns % MET__SECOND_NS;
}

static met__node *time_node(golden *self, int64_t utc_ns)
{
    return met__node_time(self->arena, utc_ns);
}

static met__node *period_node(golden *self, met__period period)
{
    met__node *node = met__node_array(self->arena);

    (void)met__node_append(self->arena, node,
                           time_node(self, period.from_ns));
    (void)met__node_append(self->arena, node, time_node(self, period.to_ns));
    return node;
}

/* --- Periods of items ----------------------------------------------------- */
typedef struct collected {
    golden *self;
    met__node *array;
    const char *prefix; /* of keys */
    size_t version;
    size_t count;
    int has_index;
} collected;

static met_error add_item(void *context, const met__item_period *period)
{
    collected *to = context;
    golden *self = to->self;
    met__node *node = met__node_object(self->arena);
    const char *key =
        to->has_index
            ? met__arena_print(self->arena, "%s/v[%zu]/period[%zu]",
                               to->prefix, to->version, to->count)
            : met__arena_print(self->arena, "%s/v[%zu]", to->prefix,
                               to->version);

    to->count++;
    golden_set(self, node, "key", met__node_text_z(self->arena, key));
    golden_set(self, node, "service_period",
               period_node(self, period->service));
    golden_set(self, node, "full_service_period",
               period_node(self, period->full));
    golden_set(self, node, "billing_period",
               period_node(self, period->billing));
    return met__node_append(self->arena, to->array, node);
}

static int64_t after(golden *self, int64_t from_ns, const met__node *item,
                     const char *name, int64_t fallback)
{
    int64_t at = fallback;

    if (golden_has(item, name)) {
        met__duration span = golden_duration(self, item, name);
        if (met__duration_add(from_ns, &span, 1, &at) != MET_OK) {
            golden_fail(self, "no such time");
        }
    }
    return at;
}

/* "-PT1H" from the start. */
static int64_t anchor_of(golden *self, const met__node *input,
                         int64_t start_ns)
{
    met__text text;
    met__duration span;
    int64_t anchor_ns = start_ns;

    if (!golden_has(input, "billing_anchor_offset")) {
        return start_ns;
    }
    text = golden_text(self, input, "billing_anchor_offset");
    int is_before = text.size > 0 && text.data[0] == '-';
    if (is_before) {
        text = met__text_of(text.data + 1, text.size - 1);
    }
    if (met__duration_parse(text, &span) != MET_OK
        || met__duration_add(start_ns, &span, is_before ? -1 : 1, &anchor_ns)
               != MET_OK) {
        golden_fail(self, "no such offset");
    }
    return anchor_ns;
}

static size_t version_of(golden *self, const met__node *items, uint32_t index)
{
    met__text key = golden_text(self, items->as.items[index], "key");
    size_t version = 0;

    for (uint32_t i = 0; i < index; i++) {
        version += (size_t)met__text_equal(
            key, golden_text(self, items->as.items[i], "key"));
    }
    return version;
}

static void generate_one(golden *self, const met__node *input,
                         const met__node *items, uint32_t index,
                         int64_t start_ns, met__node *array)
{
    const met__node *given = items->as.items[index];
    met__text type = golden_text(self, given, "price_type");
    met__item item = {.billing_cadence =
                          golden_duration(self, input, "billing_cadence")};
    met__text key = golden_text(self, given, "key");
    collected to = {.self = self,
                    .array = array,
                    .version = version_of(self, items, index),
                    .has_index = golden_has(given, "cadence")};
    met__text subscription = golden_text(self, input, "subscription_id");
    met__text phase = golden_text(self, input, "phase_key");

    if (met__text_equal(type, MET__TEXT("none"))) {
        return;
    }
    item.phase = (met__period){start_ns, MET__TIME_MAX};
    if (golden_has(input, "phase_end")) {
        item.phase.to_ns =
            second_of(golden_time(self, input, "phase_end"));
    }
    item.active.from_ns =
        second_of(after(self, start_ns, given, "start_after", start_ns));
    item.active.to_ns = second_of(
        after(self, start_ns, given, "end_after", item.phase.to_ns));
    if (item.phase.to_ns == MET__TIME_MAX && !golden_has(given, "end_after")) {
        item.active.to_ns = MET__TIME_MAX;
    }
    item.anchor_ns = anchor_of(self, input, start_ns);
    item.is_in_advance = met__text_equal(type, MET__TEXT("flat_in_advance"));
    if (to.has_index) {
        item.cadence = golden_duration(self, given, "cadence");
    }
    to.prefix = met__arena_print(
        self->arena, "%.*s/%.*s/%.*s", (int)subscription.size,
        subscription.data, (int)phase.size, phase.data, (int)key.size,
        key.data);
    met_error error = met__item_periods_each(
        &item, second_of(golden_time(self, input, "generate_until")), &to,
        add_item);
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    }
}

/* The expected items are a set: each has to be found by its key. */
static void same_set(golden *self, const met__node *expected,
                     const met__node *got)
{
    if (expected->count != got->count) {
        golden_fail(self, "got %u items, not %u", got->count,
                    expected->count);
        return;
    }
    for (uint32_t i = 0; i < expected->count; i++) {
        met__text key = golden_text(self, expected->as.items[i], "key");
        const met__node *found = NULL;
        for (uint32_t j = 0; j < got->count; j++) {
            if (met__text_equal(
                    key, golden_text(self, got->as.items[j], "key"))) {
                found = got->as.items[j];
            }
        }
        if (found == NULL) {
            golden_fail(self, "no %.*s", (int)key.size, key.data);
            return;
        }
        golden_same(self, expected->as.items[i], found);
    }
}

static void run_generate(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    const met__node *items = golden_get(self, input, "items");
    met__node *array = met__node_array(self->arena);
    int64_t start_ns = second_of(golden_time(self, input, "start"));

    for (uint32_t i = 0; !self->failed && i < items->count; i++) {
        generate_one(self, input, items, i, start_ns, array);
    }
    if (!self->failed) {
        same_set(self, golden_get(self, item, "expect.items"), array);
    }
}

/* --- Schedules ------------------------------------------------------------ */
typedef struct schedule {
    golden *self;
    met__node *array;
    const met__price *price;
    int is_prorated;
} schedule;

static met_error add_line(void *context, const met__item_period *period)
{
    schedule *to = context;
    golden *self = to->self;
    met__currency currency;
    met__node *node = met__node_object(self->arena);
    met_decimal amount = to->price->amount;
    met_error error = met__currency_of(MET__TEXT("USD"), &currency);

    if (error == MET_OK && to->price->type == MET__PRICE_FLAT) {
        met__flat_part part = {.amount = amount,
                               .service = period->service,
                               .full = period->full,
                               .is_prorated = to->is_prorated};
        error = met__flat_amount(&part, &currency, &amount);
    }
    golden_set(self, node, "service_period",
               period_node(self, period->service));
    golden_set(self, node, "invoice_at",
               time_node(self, period->invoice_at_ns));
    golden_set(self, node, "amount", golden_decimal_node(self, amount));
    return error == MET_OK ? met__node_append(self->arena, to->array, node)
                           : error;
}

static void schedule_version(golden *self, const met__node *input,
                             const met__node *version, int64_t until_ns,
                             schedule *to)
{
    const met__node *price = golden_get(self, version, "price");
    met__item item = {.billing_cadence =
                          golden_duration(self, input, "billing_cadence")};

    to->price = golden_room_price(self, price);
    if (self->failed) {
        return;
    }
    item.phase = (met__period){golden_time(self, input, "start"),
                               MET__TIME_MAX};
    item.active = item.phase;
    if (golden_has(version, "active_from")) {
        item.active.from_ns = golden_time(self, version, "active_from");
    }
    if (golden_has(version, "active_to")) {
        item.active.to_ns = golden_time(self, version, "active_to");
    }
    item.anchor_ns = golden_has(input, "billing_anchor")
                         ? golden_time(self, input, "billing_anchor")
                         : item.phase.from_ns;
    item.cadence = golden_duration(self, version, "cadence");
    item.is_in_advance = to->price->type == MET__PRICE_FLAT
                         && to->price->term == MET__TERM_IN_ADVANCE;
    met_error error = met__billing_horizon(&item, until_ns, &until_ns);
    if (error == MET_OK) {
        error = met__item_periods_each(&item, until_ns, to, add_line);
    }
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    }
}

static void run_schedule(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    const met__node *given = golden_get(self, input, "item");
    const met__node *versions = met__node_get(given, "versions");
    schedule to = {.self = self,
                   .array = met__node_array(self->arena),
                   .is_prorated = 1};
    int64_t until_ns = golden_time(self, input, "until");

    if (golden_has(input, "proration_enabled")) {
        to.is_prorated = golden_flag(self, input, "proration_enabled");
    }
    if (versions == NULL) {
        schedule_version(self, input, given, until_ns, &to);
    }
    for (uint32_t i = 0; versions != NULL && i < versions->count; i++) {
        schedule_version(self, input, versions->as.items[i], until_ns, &to);
    }
    golden_same(self, golden_get(self, item, "expect.lines"), to.array);
}

static void run_one_time(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__price price = {.type = MET__PRICE_FLAT,
                        .amount = golden_decimal(self, input, "amount")};
    schedule to = {.self = self,
                   .array = met__node_array(self->arena),
                   .price = &price};
    met__item once = {
        .billing_cadence = golden_duration(self, input, "billing_cadence"),
        .is_in_advance =
            met__text_equal(golden_text(self, input, "payment_term"),
                            MET__TEXT("in_advance"))};

    once.phase = (met__period){golden_time(self, input, "start"),
                               MET__TIME_MAX};
    if (golden_has(input, "phase_end")) {
        once.phase.to_ns = golden_time(self, input, "phase_end");
    }
    once.active = once.phase;
    once.anchor_ns = golden_has(input, "billing_anchor")
                         ? golden_time(self, input, "billing_anchor")
                         : once.phase.from_ns;
    met_error error =
        met__item_periods_each(&once, MET__TIME_MAX, &to, add_line);
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    golden_same(self, golden_get(self, item, "expect.lines"), to.array);
}

const golden_kind golden_billing_kinds[] = {
    {"generate_items", run_generate, NULL},
    {"schedule", run_schedule, NULL},
    {"one_time_fee", run_one_time, NULL},
    {NULL, NULL, NULL},
};
