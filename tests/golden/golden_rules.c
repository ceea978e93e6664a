/* Golden kinds of rules: what a price, a discount, a conversion, a rate card
 * or a plan may not be; and the sections of the catalog. */
#include "catalog/plan.h"
#include "catalog/rate_card.h"
#include "golden_rating.h"

static const met__node *present(const met__node *node)
{
    return node != NULL && node->kind != MET__NODE_NULL ? node : NULL;
}

/* --- Prices and what goes with them --------------------------------------- */
/* valid, and the codes of every broken rule. */
static void same_issues(golden *self, const met__node *item,
                        const met__pricing *pricing)
{
    met__node *issues = met__node_array(self->arena);
    met__node *codes = met__node_array(self->arena);
    met__node *got = met__node_object(self->arena);

    if (met__pricing_issues(pricing, NULL, self->arena, issues) != MET_OK) {
        golden_fail(self, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < issues->count; i++) {
        (void)met__node_append(
            self->arena, codes,
            (met__node *)met__node_get(issues->as.items[i], "code"));
    }
    golden_set(self, got, "valid",
               met__node_boolean(self->arena, issues->count == 0));
    golden_set(self, got, "errors", codes);
    golden_set(self, got, "error",
               issues->count > 0 ? codes->as.items[0] : NULL);
    golden_same(self, met__node_get(item, "expect"), got);
}

/* The cases name inner prices: null is free, the fields are ours. */
static void run_validate_price(golden *self, const met__node *item)
{
    met__pricing pricing = {.price =
                                present(golden_get(self, item, "input.price"))};

    same_issues(self, item, &pricing);
}

static void run_validate_discounts(golden *self, const met__node *item)
{
    met__pricing pricing = {
        .price = present(golden_get(self, item, "input.price")),
        .discounts = present(golden_get(self, item, "input.discounts"))};

    same_issues(self, item, &pricing);
}

static void run_validate_unit_config(golden *self, const met__node *item)
{
    met__pricing pricing = {
        .price = golden_json(
            self, MET__TEXT("{\"type\": \"unit\", \"amount\": \"1\"}")),
        .unit_config = present(golden_get(self, item, "input.unit_config"))};

    same_issues(self, item, &pricing);
}

static void run_supports_unit_config(golden *self, const met__node *item)
{
    golden_same_flag(self, golden_get(self, item, "expect.supported"),
                     met__unit_config_is_allowed(
                         golden_text(self, item, "input.price_type")));
}

/* A line of a correction may be negative, its price may not. */
static void run_validate_line(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__node *line = met__node_object(self->arena);
    met__line read;

    for (uint32_t i = 0; i < input->count; i++) {
        met__text name = input->as.members[i].name;
        golden_set(self, line,
                   met__arena_copy(self->arena, name.data, name.size),
                   input->as.members[i].node);
    }
    golden_set(self, line, "category",
               met__node_text_z(self->arena, "regular"));
    golden_set(self, line, "payment_term",
               met__node_text_z(self->arena, "in_arrears"));
    golden_set(self, line, "totals", met__node_object(self->arena));
    golden_same_flag(self, golden_get(self, item, "expect.valid"),
                     met__line_read(line, NULL, self->arena, &read, NULL)
                         == MET_OK);
}

/* --- Cadences ------------------------------------------------------------- */
static int cadence_of(golden *self, const met__node *node, met__duration *out)
{
    if (present(node) == NULL) {
        return 0;
    }
    if (node->kind != MET__NODE_TEXT
        || met__duration_parse(node->as.text, out) != MET_OK) {
        golden_fail(self, "no duration");
    }
    return 1;
}

static int is_single(golden *self, const met__node *list,
                     const char *cadence_name)
{
    met__rate_card *cards =
        met__arena_allocate(self->arena, (list->count + 1) * sizeof *cards);
    const met__rate_card **pointers =
        met__arena_allocate(self->arena, (list->count + 1) * sizeof *pointers);
    met__node *unit = (met__node *)golden_json(
        self, MET__TEXT("{\"type\": \"unit\", \"amount\": \"1\"}"));

    for (uint32_t i = 0; i < list->count; i++) {
        const met__node *card = list->as.items[i];
        cards[i].price = golden_flag(self, card, "has_price") ? unit : NULL;
        cards[i].has_billing_cadence = cadence_of(
            self, met__node_get(card, cadence_name), &cards[i].billing_cadence);
        pointers[i] = &cards[i];
    }
    return met__cadence_is_single(pointers, list->count);
}

static void run_single_cadence(golden *self, const met__node *item)
{
    golden_same_flag(
        self, golden_get(self, item, "expect.single"),
        is_single(self, golden_get(self, item, "input.rate_cards"), "cadence"));
}

static void run_plan_cadence(golden *self, const met__node *item)
{
    const met__node *cards = golden_get(self, item, "input.rate_card_cadences");
    met__duration plan = golden_duration(self, item, "input.plan_cadence");
    int valid = 1;

    for (uint32_t i = 0; i < cards->count; i++) {
        met__duration card = {0};
        if (cadence_of(self, cards->as.items[i], &card)) {
            valid &= met__cadence_is_aligned(&plan, &card);
        }
    }
    golden_same_flag(self, golden_get(self, item, "expect.valid"), valid);
}

/* --- Rate cards ----------------------------------------------------------- */
/* The case's card as a document of ours. */
static void run_rate_card(golden *self, const met__node *item)
{
    const met__node *given = golden_get(self, item, "input.rate_card");
    met__pricing pricing = {
        .price = present(met__node_get(given, "price")),
        .discounts = present(met__node_get(given, "discounts")),
        .unit_config = present(met__node_get(given, "unit_config"))};
    const met__node *key = present(met__node_get(given, "key"));
    const met__node *feature = present(met__node_get(given, "feature_key"));
    met__node *issues = met__node_array(self->arena);
    met__duration cadence;
    int has_cadence =
        cadence_of(self, met__node_get(given, "cadence"), &cadence);

    if (met__pricing_issues(&pricing, NULL, self->arena, issues) != MET_OK) {
        golden_fail(self, "out of memory");
        return;
    }
    int valid = issues->count == 0;
    if (key != NULL && feature != NULL && !met__node_equal(key, feature)) {
        valid = 0;
    }
    if (has_cadence && !met__duration_is_hour_or_more(&cadence)) {
        valid = 0;
    }
    golden_same_flag(self, golden_get(self, item, "expect.valid"), valid);
}

const golden_kind golden_rule_kinds[] = {
    {"validate_price", run_validate_price, NULL},
    {"validate_discounts", run_validate_discounts, NULL},
    {"validate_unit_config", run_validate_unit_config, NULL},
    {"supports_unit_config", run_supports_unit_config, NULL},
    {"validate_detailed_line", run_validate_line, NULL},
    {"validate_rate_card", run_rate_card, NULL},
    {"single_billing_cadence", run_single_cadence, NULL},
    {"plan_cadence", run_plan_cadence, NULL},
    {NULL, NULL, NULL},
};

/* --- Sections of catalog_rules.json --------------------------------------- */
static int64_t instant(golden *self, const met__node *node, const char *name)
{
    return present(met__node_get(node, name)) ? golden_time(self, node, name)
                                              : 0;
}

static void run_plan_status(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    uint32_t status = met__plan_status_at(
        instant(self, input, "effective_from"),
        instant(self, input, "effective_to"), instant(self, input, "now"));

    golden_same(self, met__node_get(item, "expect"),
                met__node_text_z(self->arena, met__plan_status_name(status)));
}

static void run_effective_period(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    const met__node *expect = met__node_get(item, "expect");
    const char *issue =
        met__effective_period_issue(instant(self, input, "effective_from"),
                                    instant(self, input, "effective_to"));
    met__node *got = met__node_object(self->arena);

    golden_set(self, got, "error",
               issue ? met__node_text_z(self->arena, issue)
                     : met__node_null(self->arena));
    golden_set(self, got, "valid",
               met__node_boolean(self->arena, issue == NULL));
    golden_same(self, expect, got);
}

/* {"percentage": 50} and {"usage": "100"}, as v3 writes them. */
static void run_discounts(golden *self, const met__node *item)
{
    run_validate_discounts(self, item);
}

static void run_unit_config_allowed(golden *self, const met__node *item)
{
    golden_same_flag(self, golden_get(self, item, "expect.unit_config_allowed"),
                     met__unit_config_is_allowed(
                         golden_text(self, item, "input.price_type")));
}

/* The section has the commitments beside the price's own fields. */
static void run_price_section(golden *self, const met__node *item)
{
    const met__node *input = golden_input(item);
    met__node *price = met__node_object(self->arena);
    met__node *commitments = met__node_object(self->arena);
    met__pricing pricing = {.price = price};

    for (uint32_t i = 0; i < input->count; i++) {
        met__text name = input->as.members[i].name;
        int is_commitment = met__text_equal(name, MET__TEXT("minimum"))
                            || met__text_equal(name, MET__TEXT("maximum"));
        golden_set(self, is_commitment ? commitments : price,
                   met__arena_copy(self->arena, name.data, name.size),
                   input->as.members[i].node);
    }
    if (commitments->count > 0) {
        golden_set(self, price, "commitments", commitments);
    }
    same_issues(self, item, &pricing);
}

static void run_single_section(golden *self, const met__node *item)
{
    golden_same_flag(self, met__node_get(item, "expect"),
                     is_single(self, golden_input(item), "billing_cadence"));
}

const golden_kind golden_catalog_sections[] = {
    {"plan_status", run_plan_status, NULL},
    {"effective_period", run_effective_period, NULL},
    {"discounts", run_discounts, NULL},
    {"unit_config", run_unit_config_allowed, NULL},
    {"price_validation", run_price_section, NULL},
    {"tier_order", golden_tier_order, NULL},
    {"single_billing_cadence", run_single_section, NULL},
    {NULL, NULL, NULL},
};
