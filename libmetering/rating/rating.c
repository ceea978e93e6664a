/* Rates one line: unit conversion, usage discount, the price's model, then
 * percentage discount, maximum, minimum and credits, in this order. In: price,
 * quantities, what was billed. Out: lines and totals. Pure.
 *
 * Rule: OpenMeter, billing/rating/service/pricer.go. Own decision: one rule
 * for negative quantities; they count as 0 and are reported. */
#include "rating/rating.h"

#include <stdarg.h>

#include "base/check.h"
#include "rating/rating_parts.h"

/* A price model: the line is flat (only percentage and credits apply), or by
 * usage. */
typedef struct model {
    met_error (*rate)(met__rating *rating);
    int is_by_usage;
} model;

static const model models[] = {
    [MET__PRICE_FREE] = {met__rate_free, 0},
    [MET__PRICE_FLAT] = {met__rate_flat, 0},
    [MET__PRICE_UNIT] = {met__rate_unit, 1},
    [MET__PRICE_PACKAGE] = {met__rate_package, 1},
    [MET__PRICE_GRADUATED] = {met__rate_graduated, 1},
    [MET__PRICE_VOLUME] = {met__rate_volume, 1},
    [MET__PRICE_DYNAMIC] = {met__rate_dynamic, 1},
    [MET__PRICE_PERCENTAGE] = {met__rate_percentage, 1},
    [MET__PRICE_GRADUATED_PERCENTAGE] = {met__rate_graduated, 1},
    [MET__PRICE_STAIRSTEP] = {met__rate_volume, 1},
    [MET__PRICE_MATRIX] = {met__rate_matrix, 1},
};

/* --- Lines ---------------------------------------------------------------- */
static met_error grow(met__rating *rating)
{
    met__rated *rated = rating->rated;
    size_t capacity = rating->capacity ? rating->capacity * 2 : 2;
    met__line *lines =
        met__arena_allocate(rating->arena, capacity * sizeof *lines);

    if (lines == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (rated->line_count > 0) {
        memcpy(lines, rated->lines, rated->line_count * sizeof *lines);
    }
    rated->lines = lines;
    rating->capacity = capacity;
    return MET_OK;
}

static met_error name_line(met__rating *rating, const char *part,
                           met__text *name_out)
{
    met__text name = rating->input->name;

    if (part == NULL || rating->input->is_unnamed) {
        *name_out = name;
        return MET_OK;
    }
    size_t part_size = strlen(part);
    char *text =
        met__arena_allocate(rating->arena, name.size + 2 + part_size + 1);
    if (text == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (name.size > 0) {
        memcpy(text, name.data, name.size);
    }
    memcpy(text + name.size, ": ", 2);
    memcpy(text + name.size + 2, part, part_size);
    *name_out = met__text_of(text, name.size + 2 + part_size);
    return MET_OK;
}

/* --- Rounding ------------------------------------------------------------- */
static uint32_t mode_of(const met__rate_input *input)
{
    uint32_t rounding = input->policies.rounding;

    return rounding != 0 ? rounding : MET_ROUND_HALF_AWAY;
}

met_error met__rating_round(const met__rating *rating, met_decimal amount,
                            met_decimal *out)
{
    if (rating->input->policies.round_at == MET__ROUND_AT_TOTAL) {
        *out = amount;
        return MET_OK;
    }
    return met__decimal_round(amount, rating->input->currency.places,
                              mode_of(rating->input), out);
}

met_error met__rating_multiply(const met__rating *rating, met_decimal a,
                               met_decimal b, met_decimal *out)
{
    if (rating->input->policies.round_at == MET__ROUND_AT_TOTAL) {
        return met__decimal_multiply(a, b, out);
    }
    return met__decimal_multiply_rounded(a, b, rating->input->currency.places,
                                         mode_of(rating->input), out);
}

/* What rounding the sum of all lines so far adds to it. */
static met_error round_together(met__rating *rating, const met__draft *draft,
                                met_decimal *out)
{
    met_decimal product;
    met_decimal rounded;
    met_error error = met__decimal_multiply(draft->quantity,
                                            draft->per_unit_amount, &product);

    if (error == MET_OK) {
        error = met__decimal_add(rating->exact_sum, product,
                                 &rating->exact_sum);
    }
    if (error == MET_OK) {
        error = met__rating_round(rating, rating->exact_sum, &rounded);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(rounded, rating->rounded_sum, out);
    }
    if (error == MET_OK) {
        rating->rounded_sum = rounded;
    }
    return error;
}

static met_error fill_totals(met__rating *rating, const met__draft *draft,
                             met__totals *totals)
{
    int is_commitment = draft->category == MET__LINE_COMMITMENT;
    met_decimal *amount =
        is_commitment ? &totals->charges_total : &totals->amount;

    met__totals_clear(totals);
    met_error error =
        rating->input->policies.round_at == MET__ROUND_AT_LINE && !is_commitment
            ? round_together(rating, draft, amount)
            : met__rating_multiply(rating, draft->quantity,
                                   draft->per_unit_amount, amount);
    return error == MET_OK ? met__totals_settle(totals) : error;
}

met_error met__rating_emit(met__rating *rating, const met__draft *draft)
{
    met__rated *rated = rating->rated;

    if (draft->explanation == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (rated->line_count == rating->capacity) {
        met_error error = grow(rating);
        if (error != MET_OK) {
            return error;
        }
    }
    met__line *line = &rated->lines[rated->line_count];
    *line = (met__line){.child_id = met__text_z(draft->child_id),
                        .explanation = met__text_z(draft->explanation),
                        .category = draft->category,
                        .term = draft->term,
                        .index = (uint32_t)rated->line_count,
                        .quantity = draft->quantity,
                        .per_unit_amount = draft->per_unit_amount};
    line->pricer_id = line->child_id;
    line->is_full_period = draft->category == MET__LINE_COMMITMENT;
    met_error error = name_line(rating, draft->part, &line->name);
    if (error == MET_OK) {
        error = fill_totals(rating, draft, &line->totals);
    }
    if (error == MET_OK) {
        rated->line_count++;
    }
    return error;
}

const char *met__rating_text(met__rating *rating, met_decimal value)
{
    char text[MET_DECIMAL_TEXT_SIZE];
    met__buffer buffer = {.platform = rating->arena->platform,
                          .data = text,
                          .capacity = sizeof text};

    if (rating->input->is_unnamed && met__decimal_is_printable(value)) {
        return "";
    }
    if (met__decimal_print(value, &buffer) != MET_OK) {
        rating->is_too_long = 1;
        return NULL;
    }
    return met__arena_copy(rating->arena, text, buffer.size);
}

const char *met__rating_print(const met__rating *rating, const char *format,
                              ...)
{
    va_list arguments;

    if (rating->input->is_unnamed) {
        return "";
    }
    va_start(arguments, format);
    char *text = met__arena_print_list(rating->arena, format, arguments);
    va_end(arguments);
    return text;
}

const char *met__rating_explain(met__rating *rating, const char *beginning,
                                met_decimal quantity, met_decimal unit)
{
    const char *left = met__rating_text(rating, quantity);
    const char *right = met__rating_text(rating, unit);

    return left != NULL && right != NULL
               ? met__rating_print(rating, "%s%s x %s", beginning, left, right)
               : NULL;
}

/* --- The pipeline --------------------------------------------------------- */
/* Quantities below 0 count as 0 and the rest is reported; or they are
 * refused. */
static met_error clamp(met__rating *rating)
{
    const met__rate_input *input = rating->input;

    if (input->policies.negative == MET__NEGATIVE_REFUSED
        && (met__decimal_is_negative(input->quantity)
            || met__decimal_is_negative(input->quantity_before))) {
        return met__fail(rating->info, MET_E_INVALID, "quantity",
                         "must not be below 0 (negative_usage)");
    }
    rating->quantity = input->quantity;
    rating->before = input->quantity_before;
    rating->rated->unrated = met__decimal_zero();
    if (met__decimal_is_negative(rating->before)) {
        rating->rated->unrated = rating->before;
        rating->before = met__decimal_zero();
    }
    if (met__decimal_is_negative(rating->quantity)) {
        met_error error = met__decimal_add(
            rating->rated->unrated, rating->quantity, &rating->rated->unrated);
        if (error != MET_OK) {
            return error;
        }
        rating->quantity = met__decimal_zero();
    }
    return MET_OK;
}

static met_error rate_usage(met__rating *rating, const model *how)
{
    met_error error = clamp(rating);

    if (error == MET_OK) {
        error = met__rating_convert(rating);
    }
    if (error == MET_OK) {
        error = met__rating_discount_usage(rating);
    }
    rating->rated->quantity = rating->quantity;
    rating->rated->quantity_before = rating->before;
    if (error == MET_OK) {
        error = how->rate(rating);
    }
    if (error == MET_OK) {
        error = met__rating_discount_percentage(rating);
    }
    if (error == MET_OK) {
        error = met__rating_cap(rating);
    }
    if (error == MET_OK) {
        error = met__rating_fill_up(rating);
    }
    return error;
}

static met_error rate_flat(met__rating *rating, const model *how)
{
    met_error error = MET_OK;

    if (rating->input->unit_config != NULL) {
        return met__fail(rating->info, MET_E_INVALID, "unit_config",
                         "goes only with a usage price "
                         "(unit_config_requires_usage_based_price)");
    }
    error = how->rate(rating);
    return error == MET_OK ? met__rating_discount_percentage(rating) : error;
}

met_error met__rated_settle(met__rated *rated, const met__rate_input *input,
                            met__arena *arena, met_error_info *info)
{
    met_error error = met__apply_credits(rated->lines, rated->line_count,
                                         input->credits, input->credit_count,
                                         &input->currency, arena);

    if (error == MET_E_CONFLICT) {
        return met__fail(info, MET_E_INVALID, "credits",
                         "are more than the lines "
                         "(invoice_line_credits_not_consumed_fully)");
    }
    met__totals_clear(&rated->totals);
    for (size_t i = 0; error == MET_OK && i < rated->line_count; i++) {
        error = met__totals_add(&rated->totals, &rated->lines[i].totals);
    }
    if (error == MET_OK && input->policies.round_at == MET__ROUND_AT_TOTAL) {
        error = met__decimal_round(rated->totals.total, input->currency.places,
                                   mode_of(input), &rated->totals.total);
    }
    return error;
}

met_error met__rate(const met__rate_input *input, met__arena *arena,
                    met__rated **rated_out, met_error_info *info)
{
    met__rating rating = {.input = input,
                          .arena = arena,
                          .exact_sum = met__decimal_zero(),
                          .rounded_sum = met__decimal_zero(),
                          .info = info};

    MET__ASSERT(input != NULL && input->price != NULL && input->price->type > 0
                && input->price->type < sizeof models / sizeof *models);
    const model *how = &models[input->price->type];
    rating.rated = met__arena_allocate(arena, sizeof *rating.rated);
    if (rating.rated == NULL) {
        return MET_E_NO_MEMORY;
    }
    rating.rated->quantity = met__decimal_zero();
    rating.rated->quantity_before = met__decimal_zero();
    rating.rated->unrated = met__decimal_zero();
    rating.rated->usage_discount.quantity = met__decimal_zero();
    rating.rated->usage_discount.quantity_before = met__decimal_zero();
    met_error error =
        how->is_by_usage ? rate_usage(&rating, how) : rate_flat(&rating, how);
    if (error == MET_OK) {
        error = met__rated_settle(rating.rated, input, arena, info);
    }
    if (error == MET_OK) {
        *rated_out = rating.rated;
    } else if (error == MET_E_OVERFLOW || rating.is_too_long) {
        error = met__fail(info, MET_E_OVERFLOW, "quantity",
                          "times the price needs more than 34 digits");
    }
    return error;
}
