/* Rates one line: unit conversion, usage discount, the price's model, then
 * percentage discount, maximum, minimum and credits, in this order. In: price,
 * quantities, what was billed. Out: lines and totals. Pure.
 *
 * Rule: OpenMeter, billing/rating/service/pricer.go. Own decision: one rule
 * for negative quantities; they count as 0 and are reported. */
#include "rating/rating.h"

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
};

/* --- Lines -----------------------------------------------------------------
 */
static met_error grow(met__rating *rating)
{
    met__rated *rated = rating->rated;
    size_t capacity = rating->capacity ? rating->capacity * 2 : 4;
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

    if (part == NULL) {
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
        met__totals_clear(&line->totals);
        error = met__decimal_multiply_rounded(
            draft->quantity, draft->per_unit_amount,
            rating->input->currency.places, MET_ROUND_HALF_AWAY,
            draft->category == MET__LINE_COMMITMENT
                ? &line->totals.charges_total
                : &line->totals.amount);
    }
    if (error == MET_OK) {
        error = met__totals_settle(&line->totals);
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

    if (met__decimal_print(value, &buffer) != MET_OK) {
        return NULL;
    }
    return met__arena_copy(rating->arena, text, buffer.size);
}

const char *met__rating_explain(met__rating *rating, const char *beginning,
                                met_decimal quantity, met_decimal unit)
{
    const char *left = met__rating_text(rating, quantity);
    const char *right = met__rating_text(rating, unit);

    return left != NULL && right != NULL ? met__arena_print(
               rating->arena, "%s%s x %s", beginning, left, right)
                                         : NULL;
}

/* --- The pipeline ----------------------------------------------------------
 */
/* Quantities below 0 count as 0; the rest is reported. */
static met_error clamp(met__rating *rating)
{
    const met__rate_input *input = rating->input;

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

static met_error finish(met__rating *rating)
{
    const met__rate_input *input = rating->input;
    met__rated *rated = rating->rated;
    met_error error = met__apply_credits(rated->lines, rated->line_count,
                                         input->credits, input->credit_count,
                                         &input->currency, rating->arena);

    if (error == MET_E_CONFLICT) {
        return met__fail(rating->info, MET_E_INVALID, "credits",
                         "are more than the lines "
                         "(invoice_line_credits_not_consumed_fully)");
    }
    for (size_t i = 0; error == MET_OK && i < rated->line_count; i++) {
        error = met__totals_add(&rated->totals, &rated->lines[i].totals);
    }
    return error;
}

met_error met__rate(const met__rate_input *input, met__arena *arena,
                    met__rated **rated_out, met_error_info *info)
{
    met__rating rating = {.input = input, .arena = arena, .info = info};

    MET__ASSERT(input != NULL && input->price != NULL && input->price->type > 0
                && input->price->type < sizeof models / sizeof *models);
    const model *how = &models[input->price->type];
    rating.rated = met__arena_allocate(arena, sizeof *rating.rated);
    if (rating.rated == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__totals_clear(&rating.rated->totals);
    rating.rated->quantity = met__decimal_zero();
    rating.rated->quantity_before = met__decimal_zero();
    rating.rated->unrated = met__decimal_zero();
    rating.rated->usage_discount.quantity = met__decimal_zero();
    rating.rated->usage_discount.quantity_before = met__decimal_zero();
    met_error error =
        how->is_by_usage ? rate_usage(&rating, how) : rate_flat(&rating, how);
    if (error == MET_OK) {
        error = finish(&rating);
    }
    if (error == MET_OK) {
        *rated_out = rating.rated;
    } else if (error == MET_E_OVERFLOW) {
        met__fail(info, error, "quantity",
                  "times the price needs more than 34 digits");
    }
    return error;
}
