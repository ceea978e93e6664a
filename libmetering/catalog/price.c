/* Reads prices out of documents, and lists what is wrong about a rate card's
 * price, discounts and unit conversion together. One pass serves both uses:
 * a reader stops its caller at the first broken rule, the list names all.
 *
 * Rules: OpenMeter's product catalog (price), with its issue codes where it
 * has one. */
#include "catalog/price.h"

#include "base/limits.h"
#include "catalog/problems.h"

/* --- Tiers ---------------------------------------------------------------- */
/* Order of two tiers; open-ended ones are last and equal to each other. */
static int compare_tiers(const met__tier *a, const met__tier *b)
{
    if (!a->has_up_to || !b->has_up_to) {
        return b->has_up_to - a->has_up_to;
    }
    return met__decimal_compare(a->up_to, b->up_to);
}

void met__tiers_sort(met__tier *tiers, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        met__tier moved = tiers[i];
        size_t j = i;
        while (j > 0 && compare_tiers(&tiers[j - 1], &moved) > 0) {
            tiers[j] = tiers[j - 1];
            j--;
        }
        tiers[j] = moved;
    }
}

/* A percentage >= 0 as its hundredth. */
static int read_ratio(met__rules *rules, unsigned flags, const char *code,
                      met_decimal *ratio, int *has_out)
{
    int is_good =
        met__rules_amount(rules, "percentage", flags, code, ratio, has_out);

    if (is_good
        && met__decimal_multiply(*ratio, met__decimal_from_scaled(1, 2), ratio)
               != MET_OK) {
        met__rules_refuse(rules, "percentage", code, "has too many digits");
        is_good = 0;
    }
    return is_good;
}

/* What a unit in the tier costs, by the kind of price. */
static int read_tier_unit(met__rules *rules, uint32_t type, met__tier *tier)
{
    if (type == MET__PRICE_STAIRSTEP) {
        return 1;
    }
    if (type == MET__PRICE_GRADUATED_PERCENTAGE) {
        return read_ratio(rules, MET__OPTIONAL, "price_tier_percentage_invalid",
                          &tier->unit, &tier->has_unit);
    }
    return met__rules_amount(rules, "unit", MET__OPTIONAL,
                             "price_tier_amount_invalid", &tier->unit,
                             &tier->has_unit);
}

static void refuse_empty_tier(met__rules *rules, uint32_t type)
{
    if (type == MET__PRICE_STAIRSTEP) {
        met__rules_refuse(rules, "flat", "price_tier_without_price",
                          "is needed in a step");
    } else if (type == MET__PRICE_GRADUATED_PERCENTAGE) {
        met__rules_refuse(rules, "percentage", "price_tier_without_price",
                          "or flat is needed in a tier");
    } else {
        met__rules_refuse(rules, "unit", "price_tier_without_price",
                          "or flat is needed in a tier");
    }
}

static void read_tier(met__problems *list, const met__node *node,
                      const met__path *path, uint32_t type, met__tier *tier)
{
    met__rules rules;

    if (!met__rules_begin(&rules, list, node, path, "price_tier_invalid")) {
        return;
    }
    int is_bound_good = met__rules_amount(&rules, "up_to", MET__OPTIONAL,
                                          "price_tier_up_to_invalid",
                                          &tier->up_to, &tier->has_up_to);
    int are_parts_good = read_tier_unit(&rules, type, tier);
    are_parts_good &= met__rules_amount(&rules, "flat", MET__OPTIONAL,
                                        "price_tier_amount_invalid",
                                        &tier->flat, &tier->has_flat);
    if (are_parts_good && !tier->has_unit && !tier->has_flat) {
        refuse_empty_tier(&rules, type);
    }
    if (!is_bound_good) {
        tier->has_up_to = -1; /* its order says nothing about the others */
    }
    met__rules_end(&rules, "price_field_unknown");
}

static void check_tiers(met__rules *rules, const met__path *tiers_path,
                        const met__tier *tiers, size_t count)
{
    int has_open_end = 0;
    met__path item = {tiers_path, NULL, 0};

    for (size_t i = 0; i < count; i++) {
        has_open_end |= tiers[i].has_up_to <= 0;
        for (size_t j = 0; j < i; j++) {
            if (tiers[i].has_up_to != 1 || tiers[j].has_up_to != 1
                || met__decimal_is_zero(tiers[i].up_to)
                || met__decimal_compare(tiers[i].up_to, tiers[j].up_to) != 0) {
                continue;
            }
            char field[MET_ERROR_FIELD_SIZE];
            item.index = i;
            met__path_print(&item, "up_to", field, sizeof field);
            met__fail(&rules->problem, MET_E_INVALID, field,
                      "is also the bound of tier %zu", j);
            met__problems_report(rules->list, "price_tiers_duplicate_up_to",
                                 "critical", &rules->problem);
            break;
        }
    }
    if (!has_open_end) {
        met__rules_refuse(rules, "tiers", "price_tiers_without_open_end",
                          "must have one without up_to");
    }
}

static void read_tiers(met__rules *rules, met__price *price)
{
    const met__node *array = NULL;
    met__path path = {rules->fields.path, "tiers", 0};

    met__fields_array(&rules->fields, "tiers", MET__REQUIRED, MET__TIERS_MAX,
                      &array);
    if (!met__rules_settle(rules, "price_tiers_invalid")) {
        return;
    }
    if (array->count == 0) {
        met__rules_refuse(rules, "tiers", "price_without_tiers",
                          "must not be empty");
        return;
    }
    price->tiers = met__arena_allocate(rules->list->arena,
                                       array->count * sizeof *price->tiers);
    if (price->tiers == NULL) {
        rules->list->error = MET_E_NO_MEMORY;
        return;
    }
    price->tier_count = array->count;
    for (uint32_t i = 0; i < array->count; i++) {
        met__path item = {&path, NULL, i};
        read_tier(rules->list, array->as.items[i], &item, price->type,
                  &price->tiers[i]);
    }
    check_tiers(rules, &path, price->tiers, price->tier_count);
}

/* --- Prices --------------------------------------------------------------- */
static void read_commitments(met__rules *rules, met__price *price)
{
    const met__node *node = NULL;
    met__path path = {rules->fields.path, "commitments", 0};
    met__rules c;

    met__fields_object(&rules->fields, "commitments", MET__OPTIONAL, &node);
    if (!met__rules_settle(rules, "price_commitments_invalid") || node == NULL
        || !met__rules_begin(&c, rules->list, node, &path,
                             "price_commitments_invalid")) {
        return;
    }
    met__rules_amount(&c, "minimum", MET__OPTIONAL, "price_minimum_invalid",
                      &price->minimum, &price->has_minimum);
    met__rules_amount(&c, "maximum", MET__OPTIONAL, "price_maximum_invalid",
                      &price->maximum, &price->has_maximum);
    /* The peer compares them only when neither is 0: a maximum of 0 makes
     * usage free and leaves the minimum. */
    if (price->has_minimum && price->has_maximum
        && !met__decimal_is_zero(price->maximum)
        && met__decimal_compare(price->minimum, price->maximum) > 0) {
        met__rules_refuse(&c, "minimum", "price_minimum_above_maximum",
                          "must not be more than maximum");
    }
    met__rules_end(&c, "price_field_unknown");
}

static void read_flat(met__rules *rules, met__price *price)
{
    static const char *const terms[] = {"in_advance", "in_arrears", NULL};
    uint32_t term = MET__TERM_IN_ARREARS - 1;

    met__rules_amount(rules, "amount", MET__REQUIRED, "price_amount_invalid",
                      &price->amount, NULL);
    met__fields_choice(&rules->fields, "payment_term", MET__OPTIONAL, terms,
                       &term);
    met__rules_settle(rules, "price_payment_term_invalid");
    price->term = term + 1;
}

static void read_package(met__rules *rules, met__price *price)
{
    met__rules_amount(rules, "amount", MET__REQUIRED, "price_amount_invalid",
                      &price->amount, NULL);
    if (met__rules_amount(rules, "quantity_per_package", MET__REQUIRED,
                          "price_package_quantity_invalid",
                          &price->quantity_per_package, NULL)
        && met__decimal_is_zero(price->quantity_per_package)) {
        met__rules_refuse(rules, "quantity_per_package",
                          "price_package_quantity_invalid",
                          "must be more than 0");
    }
}

static void read_percentage(met__rules *rules, met__price *price)
{
    int has_free = 0;

    read_ratio(rules, MET__REQUIRED, "price_percentage_invalid", &price->ratio,
               NULL);
    met__rules_amount(rules, "fixed_amount", MET__OPTIONAL,
                      "price_amount_invalid", &price->amount,
                      &price->has_fixed);
    price->free_units = met__decimal_zero();
    met__rules_amount(rules, "free_units", MET__OPTIONAL,
                      "price_free_units_invalid", &price->free_units, NULL);
    price->free_events = met__decimal_zero();
    if (met__rules_amount(rules, "free_events", MET__OPTIONAL,
                          "price_free_events_invalid", &price->free_events,
                          &has_free)
        && has_free && !price->has_fixed) {
        met__rules_refuse(rules, "free_events", "price_free_events_invalid",
                          "goes only with fixed_amount");
    }
}

static void read_value(met__problems *list, const met__node *node,
                       const met__path *path, met__price *price, uint32_t index)
{
    met__price_value *value = &price->values[index];
    met__rules rules;

    if (!met__rules_begin(&rules, list, node, path, "price_value_invalid")) {
        return;
    }
    met__fields_text(&rules.fields, "value", MET__REQUIRED, 0,
                     MET__VALUE_SIZE_MAX, &value->value);
    if (met__rules_settle(&rules, "price_value_invalid")) {
        for (uint32_t i = 0; i < index; i++) {
            if (price->values[i].value.data != NULL
                && met__text_equal(price->values[i].value, value->value)) {
                met__rules_refuse(&rules, "value", "price_values_duplicate",
                                  "has a price already");
                break;
            }
        }
    }
    met__rules_amount(&rules, "amount", MET__REQUIRED, "price_amount_invalid",
                      &value->amount, NULL);
    met__rules_end(&rules, "price_field_unknown");
}

static void read_matrix(met__rules *rules, met__price *price)
{
    const met__node *array = NULL;
    met__path path = {rules->fields.path, "values", 0};

    met__fields_text(&rules->fields, "dimension", MET__REQUIRED, 1,
                     MET__KEY_SIZE_MAX, &price->dimension);
    met__rules_settle(rules, "price_dimension_invalid");
    met__rules_amount(rules, "default_amount", MET__OPTIONAL,
                      "price_amount_invalid", &price->amount,
                      &price->has_default);
    met__fields_array(&rules->fields, "values", MET__REQUIRED,
                      MET__PRICE_VALUES_MAX, &array);
    if (!met__rules_settle(rules, "price_values_invalid")) {
        return;
    }
    price->values = met__arena_allocate(
        rules->list->arena, (array->count + 1) * sizeof *price->values);
    if (price->values == NULL) {
        rules->list->error = MET_E_NO_MEMORY;
        return;
    }
    price->value_count = array->count;
    for (uint32_t i = 0; i < array->count; i++) {
        met__path item = {&path, NULL, i};
        read_value(rules->list, array->as.items[i], &item, price, i);
    }
}

static const char *const price_types[] = {
    "free",    "flat",       "unit",                 "package",
    "graduated", "volume",   "tiered",               "dynamic",
    "percentage", "graduated_percentage", "stairstep", "matrix",
    NULL};
static const uint32_t price_type_numbers[] = {MET__PRICE_FREE,
                                              MET__PRICE_FLAT,
                                              MET__PRICE_UNIT,
                                              MET__PRICE_PACKAGE,
                                              MET__PRICE_GRADUATED,
                                              MET__PRICE_VOLUME,
                                              0 /* its mode says which */,
                                              MET__PRICE_DYNAMIC,
                                              MET__PRICE_PERCENTAGE,
                                              MET__PRICE_GRADUATED_PERCENTAGE,
                                              MET__PRICE_STAIRSTEP,
                                              MET__PRICE_MATRIX};

static uint32_t read_type(met__rules *rules)
{
    static const char *const modes[] = {"graduated", "volume", NULL};
    uint32_t index = 0;
    uint32_t mode = 0;

    met__fields_choice(&rules->fields, "type", MET__REQUIRED, price_types,
                       &index);
    if (!met__rules_settle(rules, "price_type_invalid")) {
        return 0;
    }
    if (price_type_numbers[index] != 0) {
        return price_type_numbers[index];
    }
    met__fields_choice(&rules->fields, "mode", MET__REQUIRED, modes, &mode);
    /* With a wrong mode the tiers are still worth looking at. */
    met__rules_settle(rules, "price_tier_mode_invalid");
    return mode == 0 ? MET__PRICE_GRADUATED : MET__PRICE_VOLUME;
}

/* The fields that the type has of its own. */
static void read_model(met__rules *rules, met__price *price)
{
    switch (price->type) {
    case MET__PRICE_FLAT:
        read_flat(rules, price);
        break;
    case MET__PRICE_UNIT:
        met__rules_amount(rules, "amount", MET__REQUIRED,
                          "price_amount_invalid", &price->amount, NULL);
        break;
    case MET__PRICE_PACKAGE:
        read_package(rules, price);
        break;
    case MET__PRICE_GRADUATED:
    case MET__PRICE_VOLUME:
    case MET__PRICE_GRADUATED_PERCENTAGE:
    case MET__PRICE_STAIRSTEP:
        read_tiers(rules, price);
        break;
    case MET__PRICE_DYNAMIC:
        met__rules_amount(rules, "multiplier", MET__REQUIRED,
                          "price_multiplier_invalid", &price->multiplier, NULL);
        break;
    case MET__PRICE_PERCENTAGE:
        read_percentage(rules, price);
        break;
    case MET__PRICE_MATRIX:
        read_matrix(rules, price);
        break;
    default:
        break; /* free has none */
    }
}

static void read_price(met__problems *list, const met__node *node,
                       const met__path *path, met__price *price)
{
    met__rules rules;

    if (!met__rules_begin(&rules, list, node, path, "price_invalid")) {
        return;
    }
    price->type = read_type(&rules);
    if (price->type == 0) {
        return; /* nothing is known about its other fields */
    }
    read_model(&rules, price);
    if (price->type != MET__PRICE_FREE && price->type != MET__PRICE_FLAT) {
        price->term = MET__TERM_IN_ARREARS;
        read_commitments(&rules, price);
    }
    met__rules_end(&rules, "price_field_unknown");
}

met_error met__price_read(const met__node *node, const met__path *path,
                          met__arena *arena, met__price **price_out,
                          met_error_info *info)
{
    met__problems list;
    met__price *price = met__arena_allocate(arena, sizeof *price);

    if (price == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__problems_begin(&list, arena, NULL);
    read_price(&list, node, path, price);
    met_error error = met__problems_end(&list, info);
    if (error == MET_OK) {
        met__tiers_sort(price->tiers, price->tier_count);
        *price_out = price;
    }
    return error;
}

/* --- All together --------------------------------------------------------- */
static void report_at(met__problems *list, const char *code,
                      const met__path *path, const char *name,
                      const char *reason)
{
    met_error_info problem = {.struct_size = sizeof problem};
    char field[MET_ERROR_FIELD_SIZE];

    met__path_print(path, name, field, sizeof field);
    met__fail(&problem, MET_E_INVALID, field, "%s", reason);
    met__problems_report(list, code, "error", &problem);
}

int met__price_takes_unit_config(uint32_t type)
{
    return type == MET__PRICE_UNIT || type == MET__PRICE_GRADUATED
           || type == MET__PRICE_VOLUME;
}

static const met__node *present(const met__node *node)
{
    return node != NULL && node->kind != MET__NODE_NULL ? node : NULL;
}

met_error met__pricing_issues(const met__pricing *pricing,
                              const met__path *path, met__arena *arena,
                              met__node *array)
{
    met__path price_path = {path, "price", 0};
    met__path discounts_path = {path, "discounts", 0};
    met__path config_path = {path, "unit_config", 0};
    met__price price = {.type = MET__PRICE_FREE};
    met__discounts discounts = {0};
    met__unit_config config;
    met__problems list;

    met__problems_begin(&list, arena, array);
    if (present(pricing->price) != NULL) {
        read_price(&list, pricing->price, &price_path, &price);
    }
    if (present(pricing->discounts) != NULL) {
        met__discounts_collect(&list, pricing->discounts, &discounts_path,
                               &discounts);
    }
    int is_free = price.type == MET__PRICE_FREE;
    if (is_free && (discounts.has_percentage || discounts.has_usage)) {
        report_at(&list, "discount_without_price", path, "discounts",
                  "are possible only with a price");
    } else if (price.type == MET__PRICE_FLAT && discounts.has_usage) {
        report_at(&list, "usage_discount_with_flat_price", &discounts_path,
                  "usage", "is not possible with a flat price");
    } else if (price.type == MET__PRICE_MATRIX && discounts.has_usage) {
        report_at(&list, "usage_discount_with_matrix_price", &discounts_path,
                  "usage", "is not possible with a matrix price");
    }
    if (present(pricing->unit_config) != NULL) {
        met__unit_config_collect(&list, pricing->unit_config, &config_path,
                                 &config);
        if (price.type != 0 && !met__price_takes_unit_config(price.type)) {
            report_at(&list, "unit_config_requires_usage_based_price", path,
                      "unit_config",
                      "goes only with a unit, graduated or "
                      "volume price");
        }
    }
    return list.error == MET_E_NO_MEMORY ? MET_E_NO_MEMORY : MET_OK;
}
