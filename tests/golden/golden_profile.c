/* Golden kinds of billing profiles: collection, taxes, numbers. Each runs the
 * function that bills by. */
#include "golden_rating.h"

#include "support/temp_directory.h"

#include "invoice/billing_profile.h"
#include "invoice/invoice_record.h"
#include "invoice/line_tax.h"
#include "metering/store.h"
#include "store/object.h"

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
            golden_has(line, "deleted") && golden_flag(self, line, "deleted");
        out->is_metered =
            golden_has(line, "price")
            && !met__text_equal(golden_text(self, line, "price"),
                                MET__TEXT("flat"));
        if (golden_has(line, "collection_end_override")) {
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
               met__node_get(input, golden_has(input, "collection_interval")
                                        ? "collection_interval"
                                        : "interval"));
    golden_set(self, collection, "anchored", anchored);
    golden_set(self, workflow, "collection", collection);
    golden_set(self, document, "workflow", workflow);
    return met__billing_profile_read(document, NULL, self->arena, out, NULL);
}

typedef met_error collected_at(const met__billing_profile *profile,
                               const met__collected_line *lines, size_t count,
                               int64_t *at_ns_out);

static void run_collected(golden *self, const met__node *item,
                          collected_at *when)
{
    const met__node *expect = met__node_get(item, "expect");
    met__billing_profile *profile = NULL;
    met__collected_line *lines = NULL;
    size_t count = 0;
    int64_t at_ns = 0;
    met_error error = lines_of(self, golden_input(item), &lines, &count)
                          ? MET_OK
                          : MET_E_INVALID;

    if (error == MET_OK) {
        error = profile_of(self, golden_input(item), &profile);
    }
    if (error == MET_OK) {
        error = when(profile, lines, count, &at_ns);
    }
    if (met__node_get(expect, "error") != NULL || error != MET_OK) {
        golden_same_flag(self, met__node_get(expect, "error"),
                         error != MET_OK);
        return;
    }
    golden_same(self, met__node_get(expect, "collection_at"),
                at_ns == 0 ? met__node_null(self->arena)
                           : met__node_time(self->arena, at_ns));
}

static void run_gathering(golden *self, const met__node *item)
{
    run_collected(self, item, met__gathering_at);
}

static void run_standard(golden *self, const met__node *item)
{
    run_collected(self, item, met__collection_at);
}

static void run_validate_collection(golden *self, const met__node *item)
{
    met__billing_profile *profile = NULL;

    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     profile_of(self, golden_input(item), &profile) == MET_OK);
}

static void run_validate_invoicing(golden *self, const met__node *item)
{
    met__node *document = met__node_object(self->arena);
    met__node *workflow = met__node_object(self->arena);
    met__billing_profile *profile = NULL;

    golden_set(self, workflow, "invoicing", golden_input(item));
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
        self, met__node_get(golden_input(item), "base"), &base);

    if (error == MET_OK) {
        error = config_of(self, met__node_get(golden_input(item), "override"),
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
    const met__node *input = golden_input(item);
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
    temp_directory_fast(home, sizeof home);
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

const golden_kind golden_profile_kinds[] = {
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
