/* Golden kinds of billing: periods and schedules, collection, numbers, profiles
 * and taxes. Each runs the function that bills by. */
#include "golden_rating.h"

#include "support/temp_directory.h"

#include "invoice/billing_profile.h"
#include "invoice/invoice_record.h"
#include "invoice/item_periods.h"
#include "invoice/line_tax.h"
#include "metering/store.h"
#include "store/object.h"

static const met__node *input_of(const met__node *item)
{
    return met__node_get(item, "input");
}

static int has(const met__node *node, const char *name)
{
    const met__node *member = node != NULL ? met__node_get(node, name) : NULL;

    return member != NULL && member->kind != MET__NODE_NULL;
}

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

    if (has(item, name)) {
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

    if (!has(input, "billing_anchor_offset")) {
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
                    .has_index = has(given, "cadence")};
    met__text subscription = golden_text(self, input, "subscription_id");
    met__text phase = golden_text(self, input, "phase_key");

    if (met__text_equal(type, MET__TEXT("none"))) {
        return;
    }
    item.phase = (met__period){start_ns, MET__TIME_MAX};
    if (has(input, "phase_end")) {
        item.phase.to_ns =
            second_of(golden_time(self, input, "phase_end"));
    }
    item.active.from_ns =
        second_of(after(self, start_ns, given, "start_after", start_ns));
    item.active.to_ns = second_of(
        after(self, start_ns, given, "end_after", item.phase.to_ns));
    if (item.phase.to_ns == MET__TIME_MAX && !has(given, "end_after")) {
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
    const met__node *input = input_of(item);
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
    if (has(version, "active_from")) {
        item.active.from_ns = golden_time(self, version, "active_from");
    }
    if (has(version, "active_to")) {
        item.active.to_ns = golden_time(self, version, "active_to");
    }
    item.anchor_ns = has(input, "billing_anchor")
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
    const met__node *input = input_of(item);
    const met__node *given = golden_get(self, input, "item");
    const met__node *versions = met__node_get(given, "versions");
    schedule to = {.self = self,
                   .array = met__node_array(self->arena),
                   .is_prorated = 1};
    int64_t until_ns = golden_time(self, input, "until");

    if (has(input, "proration_enabled")) {
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
    const met__node *input = input_of(item);
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
    if (has(input, "phase_end")) {
        once.phase.to_ns = golden_time(self, input, "phase_end");
    }
    once.active = once.phase;
    once.anchor_ns = has(input, "billing_anchor")
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

/* --- Collection ----------------------------------------------------------- */
static int lines_of(golden *self, const met__node *input,
                    met__collected_line **lines_out, size_t *count_out)
{
    const met__node *lines = met__node_get(input, "lines");

    if (lines == NULL || lines->kind != MET__NODE_ARRAY) {
        return 0; /* not loaded */
    }
    *count_out = lines->count;
    *lines_out = met__arena_allocate(
        self->arena, (lines->count + 1) * sizeof **lines_out);
    for (uint32_t i = 0; i < lines->count; i++) {
        const met__node *line = lines->as.items[i];
        met__collected_line *out = &(*lines_out)[i];
        out->invoice_at_ns = golden_time(self, line, "invoice_at");
        out->is_deleted =
            has(line, "deleted") && golden_flag(self, line, "deleted");
        out->is_metered =
            has(line, "price")
            && !met__text_equal(golden_text(self, line, "price"),
                                MET__TEXT("flat"));
        if (has(line, "collection_end_override")) {
            out->override_ns =
                golden_time(self, line, "collection_end_override");
        }
    }
    return 1;
}

/* The profile that a case means, as a document of ours. */
static met_error profile_of(golden *self, const met__node *input,
                            met__billing_profile **out)
{
    met__node *document = met__node_object(self->arena);
    met__node *workflow = met__node_object(self->arena);
    met__node *collection = met__node_object(self->arena);
    const met__node *anchored = met__node_get(input, "anchored");

    golden_set(self, collection, "alignment",
               met__node_get(input, "alignment"));
    golden_set(self, collection, "interval",
               met__node_get(input, has(input, "collection_interval")
                                        ? "collection_interval"
                                        : "interval"));
    golden_set(self, collection, "anchored", anchored);
    golden_set(self, workflow, "collection", collection);
    golden_set(self, document, "workflow", workflow);
    return met__billing_profile_read(document, NULL, self->arena, out, NULL);
}

static void same_at(golden *self, const met__node *item, met_error error,
                    int64_t at_ns)
{
    const met__node *expect = met__node_get(item, "expect");
    const met__node *at = met__node_get(expect, "collection_at");

    if (met__node_get(expect, "error") != NULL || error != MET_OK) {
        golden_same_flag(self, met__node_get(expect, "error"),
                         error != MET_OK);
        return;
    }
    golden_same(self, at,
                at_ns == 0 ? met__node_null(self->arena)
                           : time_node(self, at_ns));
}

static void run_gathering(golden *self, const met__node *item)
{
    met__billing_profile *profile = NULL;
    met__collected_line *lines = NULL;
    size_t count = 0;
    int64_t at_ns = 0;
    met_error error = lines_of(self, input_of(item), &lines, &count)
                          ? MET_OK
                          : MET_E_INVALID;

    if (error == MET_OK) {
        error = profile_of(self, input_of(item), &profile);
    }
    if (error == MET_OK) {
        error = met__gathering_at(profile, lines, count, &at_ns);
    }
    same_at(self, item, error, at_ns);
}

static void run_standard(golden *self, const met__node *item)
{
    met__billing_profile *profile = NULL;
    met__collected_line *lines = NULL;
    size_t count = 0;
    int64_t at_ns = 0;
    met_error error = lines_of(self, input_of(item), &lines, &count)
                          ? MET_OK
                          : MET_E_INVALID;

    if (error == MET_OK) {
        error = profile_of(self, input_of(item), &profile);
    }
    if (error == MET_OK) {
        error = met__collection_at(profile, lines, count, &at_ns);
    }
    same_at(self, item, error, at_ns);
}

static void run_validate_collection(golden *self, const met__node *item)
{
    met__billing_profile *profile = NULL;

    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     profile_of(self, input_of(item), &profile) == MET_OK);
}

static void run_validate_invoicing(golden *self, const met__node *item)
{
    met__node *document = met__node_object(self->arena);
    met__node *workflow = met__node_object(self->arena);
    met__billing_profile *profile = NULL;

    golden_set(self, workflow, "invoicing", input_of(item));
    golden_set(self, document, "workflow", workflow);
    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     met__billing_profile_read(document, NULL, self->arena,
                                               &profile, NULL)
                         == MET_OK);
}

/* --- Taxes ---------------------------------------------------------------- */
/* {"behavior", "stripe": CODE, "tax_code_id"} as a document of ours. */
static met_error config_of(golden *self, const met__node *node,
                           met__tax_config *out)
{
    met__node *document = met__node_object(self->arena);
    met__node *inner;

    *out = (met__tax_config){0};
    if (node == NULL || node->kind == MET__NODE_NULL) {
        return MET_OK;
    }
    golden_set(self, document, "behavior", met__node_get(node, "behavior"));
    if (met__node_get(node, "stripe") != NULL) {
        inner = met__node_object(self->arena);
        golden_set(self, inner, "code", met__node_get(node, "stripe"));
        golden_set(self, document, "stripe", inner);
    }
    if (met__node_get(node, "tax_code_id") != NULL) {
        inner = met__node_object(self->arena);
        golden_set(self, inner, "key", met__node_get(node, "tax_code_id"));
        golden_set(self, document, "tax_code", inner);
    }
    return met__tax_config_read(document, NULL, out, NULL);
}

static void run_validate_tax(golden *self, const met__node *item)
{
    met__tax_config config;

    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     config_of(self,
                               golden_get(self, item, "input.tax_config"),
                               &config)
                         == MET_OK);
}

static met__node *config_node(golden *self, const met__tax_config *config)
{
    static const char *const names[] = {"", "inclusive", "exclusive"};
    met__builder builder;
    met__node *node = NULL;

    if (config->behavior == MET__TAX_UNSET && config->code.size == 0
        && config->provider.size == 0) {
        return met__node_null(self->arena);
    }
    met__builder_begin(&builder, self->arena);
    met__build_text(&builder, "behavior",
                    met__text_z(names[config->behavior]));
    met__build_text(&builder, "stripe", config->provider);
    met__build_text(&builder, "tax_code_id", config->code);
    (void)met__builder_end(&builder, &node);
    return node;
}

static void run_merge_tax(golden *self, const met__node *item)
{
    const met__node *expected = golden_get(self, item, "expect.merged");
    met__tax_config base;
    met__tax_config over;
    met_error error = config_of(
        self, met__node_get(input_of(item), "base"), &base);

    if (error == MET_OK) {
        error = config_of(self, met__node_get(input_of(item), "override"),
                          &over);
    }
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    met__tax_config merged = met__tax_config_merge(&base, &over);
    met__node *got = config_node(self, &merged);
    golden_same(self, expected, got);
    if (!self->failed && expected->count != got->count) {
        golden_fail(self, "got more than is expected");
    }
}

static void run_tax_total(golden *self, const met__node *item)
{
    met__tax_code code = {.key = MET__TEXT("tax"),
                          .rate = golden_decimal(self, item,
                                                 "input.tax_percentage")};
    met__tax_rules rules = {
        .is_enabled = 1, .code_count = 1, .codes = &code};
    met__tax_config config = {.code = code.key};
    met__tax_sums sums = {0};
    met__currency currency;
    met__totals totals;
    met__node *tax = NULL;

    config.behavior =
        met__text_equal(golden_text(self, item, "input.behavior"),
                        MET__TEXT("inclusive"))
            ? MET__TAX_INCLUSIVE
            : MET__TAX_EXCLUSIVE;
    met__totals_clear(&totals);
    totals.amount = golden_decimal(self, item, "input.amount");
    totals.total = totals.amount;
    (void)met__currency_of(MET__TEXT("USD"), &currency);
    if (met__line_tax(&rules, &config, &currency, &sums, &totals, self->arena,
                      &tax)
        != MET_OK) {
        golden_fail(self, "cannot be taxed");
        return;
    }
    golden_same(self, golden_get(self, item, "expect.total"),
                golden_decimal_node(self, totals.total));
}

/* --- Numbers -------------------------------------------------------------- */
static void run_prefix(golden *self, const met__node *item)
{
    char prefix[5];

    met__customer_prefix(golden_text(self, item, "input.customer_name"),
                         prefix);
    golden_same(self, golden_get(self, item, "expect.prefix"),
                met__node_text_z(self->arena, prefix));
}

/* `count` numbers in one transaction, which ends as it is told. */
static met__node *take_numbers(golden *self, met_store *store,
                               const met__node *input, int64_t count,
                               int is_kept)
{
    met__billing_profile profile = {
        .series = golden_text(self, input, "prefix"),
        .has_customer_prefix = 1};
    met__node *array = met__node_array(self->arena);
    met__txn *txn = NULL;
    met_error error = met__txn_begin(store, 1, &txn);

    for (int64_t i = 0; error == MET_OK && i < count; i++) {
        met__text number;
        error = met__invoice_number(
            txn, &profile, 0, golden_text(self, input, "customer_name"),
            self->arena, &number);
        if (error == MET_OK) {
            error = met__node_append(self->arena, array,
                                     met__node_text(self->arena, number));
        }
    }
    if (error == MET_OK && is_kept) {
        error = met__txn_commit(txn);
    } else {
        met__txn_abort(txn);
    }
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
    }
    return array;
}

static void run_number(golden *self, const met__node *item)
{
    const met__node *input = input_of(item);
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};
    met_error_info info = {.struct_size = sizeof info};
    met_store *store = NULL;
    char home[64];
    char path[80];
    int64_t count = 0;

    if (met__text_equal(golden_text(self, input, "commit_mode"),
                        MET__TEXT("independent"))) {
        self->rule = "rule.gapless";
    }
    (void)met__decimal_to_i64(golden_decimal(self, input, "allocated"),
                              &count);
    temp_directory(home, sizeof home);
    snprintf(path, sizeof path, "%s/s", home);
    if (met_store_open(path, strlen(path), &config, &store, &info) != MET_OK) {
        golden_fail(self, "%s: %s", info.field, info.reason);
        return;
    }
    golden_same(self, golden_get(self, item, "expect.first"),
                take_numbers(self, store, input, count,
                             !golden_flag(self, input, "rolled_back")));
    met__node *next = take_numbers(self, store, input, 1, 1);
    golden_same(self, golden_get(self, item, "expect.next"),
                next->count > 0 ? next->as.items[0] : next);
    met_store_close(store);
    temp_remove(home);
}

const golden_kind golden_billing_kinds[] = {
    {"generate_items", run_generate, NULL},
    {"schedule", run_schedule, NULL},
    {"one_time_fee", run_one_time, NULL},
    {"gathering_collection_at", run_gathering, NULL},
    {"standard_collection_at", run_standard, NULL},
    {"validate_collection_config", run_validate_collection, NULL},
    {"validate_invoicing_config", run_validate_invoicing, NULL},
    {"validate_tax_config", run_validate_tax, NULL},
    {"merge_tax_config", run_merge_tax, NULL},
    {"tax_total", run_tax_total, NULL},
    {"customer_prefix", run_prefix, NULL},
    {"invoice_number", run_number, NULL},
    {NULL, NULL, NULL},
};
