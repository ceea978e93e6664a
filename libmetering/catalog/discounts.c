/* Reads the discounts of a rate card out of documents.
 *
 * Rules: OpenMeter's product catalog (discount), with its issue codes. */
#include "catalog/price.h"
#include "catalog/problems.h"

#define CORRELATION_ID_SIZE_MAX 128

/* A discount is its value alone, or an object that also names its id. */
static int read_discount(met__rules *rules, const char *name,
                         const char *value_name, const char *code,
                         met_decimal *value, met__text *id)
{
    const met__node *node = met__node_get(rules->fields.object, name);
    met__path path = {rules->fields.path, name, 0};
    met__rules d;

    if (node == NULL || node->kind != MET__NODE_OBJECT) {
        int has = 0;
        met__rules_amount(rules, name, MET__OPTIONAL, code, value, &has);
        return has;
    }
    met__fields_object(&rules->fields, name, MET__REQUIRED, &node);
    if (!met__rules_begin(&d, rules->list, node, &path, code)) {
        return 0;
    }
    int is_good =
        met__rules_amount(&d, value_name, MET__REQUIRED, code, value, NULL);
    met__fields_text(&d.fields, "correlation_id", MET__OPTIONAL, 0,
                     CORRELATION_ID_SIZE_MAX, id);
    met__rules_settle(&d, "discount_correlation_id_invalid");
    met__rules_end(&d, "discount_field_unknown");
    return is_good;
}

void met__discounts_collect(met__problems *list, const met__node *node,
                            const met__path *path, met__discounts *discounts)
{
    met__rules rules;

    if (!met__rules_begin(&rules, list, node, path, "discounts_invalid")) {
        return;
    }
    discounts->has_percentage = read_discount(
        &rules, "percentage", "percentage", "percentage_discount_invalid_value",
        &discounts->percentage, &discounts->percentage_id);
    if (discounts->has_percentage
        && met__decimal_compare(discounts->percentage,
                                met__decimal_from_i64(100))
               > 0) {
        met__rules_refuse(&rules, "percentage",
                          "percentage_discount_invalid_value",
                          "must be 0 to 100");
    }
    discounts->has_usage = read_discount(
        &rules, "usage", "quantity", "usage_discount_negative_quantity",
        &discounts->usage, &discounts->usage_id);
    met__rules_end(&rules, "discount_field_unknown");
}

met_error met__discounts_read(const met__node *node, const met__path *path,
                              met__arena *arena, met__discounts **out,
                              met_error_info *info)
{
    met__problems list;
    met__discounts *discounts = met__arena_allocate(arena, sizeof *discounts);

    if (discounts == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__problems_begin(&list, arena, NULL);
    met__discounts_collect(&list, node, path, discounts);
    met_error error = met__problems_end(&list, info);
    if (error == MET_OK) {
        *out = discounts;
    }
    return error;
}
