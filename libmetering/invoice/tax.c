/* Taxes at fixed rates. In: net or gross totals of a line. Out: the same with
 * the tax in them. Rates are percent; an amount is rounded once, half away
 * from zero, at the line or over the invoice. */
#include "invoice/tax.h"

#include "base/check.h"
#include "base/limits.h"

#define EXACT_PLACES 12

/* --- Documents ------------------------------------------------------------ */
static met_error read_code(const met__node *node, const met__path *path,
                           met__tax_code *code_out, met_error_info *info)
{
    met__fields fields;

    *code_out = (met__tax_code){.rate = met__decimal_zero()};
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_key(&fields, "key", MET__REQUIRED, &code_out->key);
    (void)met__fields_text(&fields, "name", MET__OPTIONAL, 1,
                           MET__NAME_SIZE_MAX, &code_out->name);
    (void)met__fields_decimal(&fields, "rate", MET__REQUIRED, 0,
                              &code_out->rate);
    if (fields.error == MET_OK
        && met__decimal_compare(code_out->rate, met__decimal_from_i64(1000))
               > 0) {
        (void)met__fields_fail(&fields, "rate", "must be at most 1000");
    }
    return met__fields_end(&fields);
}

static met_error read_codes(const met__node *array, const met__path *path,
                            met__arena *arena, met__tax_rules *rules,
                            met_error_info *info)
{
    met_error error = MET_OK;

    rules->codes =
        met__arena_allocate(arena, (array->count + 1) * sizeof *rules->codes);
    if (rules->codes == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        met__path item = {path, NULL, i};
        met__tax_code *code = &rules->codes[i];
        met__tax_config named = {0};
        error = read_code(array->as.items[i], &item, code, info);
        named.code = code->key;
        if (error == MET_OK && met__tax_code_of(rules, &named) != NULL) {
            char field[64];
            met__path_print(&item, "key", field, sizeof field);
            error = met__fail(info, MET_E_INVALID, field, "is there twice");
        }
        rules->code_count++;
    }
    return error;
}

/* A default that nobody knows would be no tax at all. */
static met_error check_fallback(const met__tax_rules *rules,
                                const met__path *path, met_error_info *info)
{
    char field[64];
    met__tax_rules all = *rules;

    all.is_enabled = 1;
    if (rules->fallback.code.size == 0
        || met__tax_code_of(&all, &rules->fallback) != NULL) {
        return MET_OK;
    }
    met__path_print(path, "default.tax_code", field, sizeof field);
    return met__fail(info, MET_E_INVALID, field, "is not among the codes");
}

met_error met__tax_rules_read(const met__node *node, const met__path *path,
                              met__arena *arena, met__tax_rules *rules_out,
                              met_error_info *info)
{
    static const char *const roundings[] = {"line", "invoice", NULL};
    met__path codes_path = {path, "codes", 0};
    met__path default_path = {path, "default", 0};
    const met__node *codes = NULL;
    const met__node *fallback = NULL;
    met__tax_rules rules = {.is_enabled = 1};
    uint32_t rounding = 0;
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_boolean(&fields, "enabled", MET__OPTIONAL,
                              &rules.is_enabled);
    (void)met__fields_choice(&fields, "rounding", MET__OPTIONAL, roundings,
                             &rounding);
    (void)met__fields_object(&fields, "default", MET__OPTIONAL, &fallback);
    (void)met__fields_array(&fields, "codes", MET__OPTIONAL,
                            MET__TAX_CODES_MAX, &codes);
    met_error error = met__fields_end(&fields);
    rules.is_rounded_by_invoice = rounding == 1;
    if (error == MET_OK && codes != NULL) {
        error = read_codes(codes, &codes_path, arena, &rules, info);
    }
    if (error == MET_OK && fallback != NULL) {
        error = met__tax_config_read(fallback, &default_path,
                                     &rules.fallback, info);
    }
    if (error == MET_OK) {
        error = check_fallback(&rules, path, info);
    }
    if (error == MET_OK) {
        *rules_out = rules;
    }
    return error;
}

const met__tax_code *met__tax_code_of(const met__tax_rules *rules,
                                      const met__tax_config *config)
{
    for (size_t i = 0; i < rules->code_count; i++) {
        if (config->code.size > 0
            && met__text_equal(rules->codes[i].key, config->code)) {
            return &rules->codes[i];
        }
    }
    return NULL;
}

/* --- Amounts -------------------------------------------------------------- */
/* What is in (inclusive) or comes on top of an amount: amount * rate / 100, or
 * amount * rate / (100 + rate). */
static met_error tax_of(const met__tax_code *code, uint32_t behavior,
                        met_decimal amount, uint32_t places, met_decimal *out)
{
    met_decimal hundred = met__decimal_from_i64(100);
    met_decimal divisor = hundred;
    met_decimal product;
    met_error error = MET_OK;

    if (behavior == MET__TAX_INCLUSIVE) {
        error = met__decimal_add(hundred, code->rate, &divisor);
    }
    if (error == MET_OK) {
        error = met__decimal_multiply(amount, code->rate, &product);
    }
    return error == MET_OK ? met__decimal_divide(product, divisor, places,
                                                 MET_ROUND_HALF_AWAY, out)
                           : error;
}

static met__tax_sum *sum_of(met__tax_sums *sums, const met__tax_code *code,
                            uint32_t behavior)
{
    for (size_t i = 0; i < sums->count; i++) {
        if (sums->list[i].code == code
            && sums->list[i].behavior == behavior) {
            return &sums->list[i];
        }
    }
    met__tax_sum *sum = &sums->list[sums->count++];
    *sum = (met__tax_sum){.code = code,
                          .behavior = behavior,
                          .exact = met__decimal_zero(),
                          .rounded = met__decimal_zero()};
    return sum;
}

/* The step that the rounded sum makes. */
static met_error next_step(met__tax_sum *sum, met_decimal exact,
                           const met__currency *currency, met_decimal *out)
{
    met_decimal rounded = met__decimal_zero();
    met_error error = met__decimal_add(sum->exact, exact, &sum->exact);

    if (error == MET_OK) {
        error = met__currency_round(currency, sum->exact, &rounded);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(rounded, sum->rounded, out);
    }
    if (error == MET_OK) {
        sum->rounded = rounded;
    }
    return error;
}

met_error met__tax_apply(const met__tax_rules *rules,
                         const met__tax_code *code, uint32_t behavior,
                         const met__currency *currency, met__tax_sums *sums,
                         met__totals *totals)
{
    int is_summed = rules->is_rounded_by_invoice;
    met_decimal tax;
    met_error error =
        tax_of(code, behavior, totals->total,
               is_summed ? EXACT_PLACES : currency->places, &tax);

    MET__ASSERT(sums->count <= 2 * MET__TAX_CODES_MAX);
    if (error == MET_OK && is_summed) {
        error = next_step(sum_of(sums, code, behavior), tax, currency, &tax);
    }
    if (error != MET_OK) {
        return error;
    }
    totals->taxes_total = tax;
    if (behavior == MET__TAX_INCLUSIVE) {
        totals->taxes_inclusive_total = tax;
        return MET_OK;
    }
    totals->taxes_exclusive_total = tax;
    return met__decimal_add(totals->total, tax, &totals->total);
}
