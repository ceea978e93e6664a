/* What comes before and after a price's model: unit conversion, usage
 * discount, percentage discount, maximum, minimum, credits.
 *
 * Rule: OpenMeter, billing/rating/service/mutator; each amount is rounded by
 * itself, nothing is rounded in sum. */
#include "base/check.h"
#include "rating/rating_parts.h"

/* --- Before the model ----------------------------------------------------- */
/* Division follows the peer's Div: 12 exact decimals, else 16 rounded. */
met_error met__convert_units(const met__unit_config *config, met_decimal raw,
                             met_decimal *converted_out,
                             met_decimal *billed_out)
{
    met_decimal converted = raw;
    met_decimal billed;
    met_error error = MET_OK;

    if (config != NULL) {
        error = config->operation == MET__CONVERT_DIVIDE
                    ? met__decimal_divide_peer(raw, config->factor, &converted)
                    : met__decimal_multiply(raw, config->factor, &converted);
    }
    billed = converted;
    if (error == MET_OK && config != NULL && config->rounding != 0) {
        uint32_t places = config->places;
        if (places > MET_DECIMAL_PLACES_MAX) {
            places = MET_DECIMAL_PLACES_MAX;
        }
        MET__ASSERT(
            met__decimal_round(converted, places, config->rounding, &billed)
            == MET_OK);
        if (places != config->places
            && met__decimal_compare(billed, converted) != 0) {
            error = MET_E_OVERFLOW;
        }
    }
    if (error == MET_OK) {
        *converted_out = converted;
        *billed_out = billed;
    }
    return error;
}

met_error met__rating_convert(met__rating *rating)
{
    const met__unit_config *config = rating->input->unit_config;
    met_decimal exact;
    met_decimal before = rating->before;
    met_decimal sum = rating->quantity;
    met_error error = MET_OK;

    if (config == NULL) {
        return MET_OK;
    }
    if (!met__price_takes_unit_config(rating->input->price->type)) {
        return met__fail(rating->info, MET_E_INVALID, "unit_config",
                         "goes only with a unit, graduated or volume price "
                         "(unit_config_requires_usage_based_price)");
    }
    if (!rating->input->policies.is_converted_apart) {
        error = met__decimal_add(rating->before, rating->quantity, &sum);
    }
    if (error == MET_OK) {
        error = met__convert_units(config, rating->before, &exact, &before);
    }
    if (error == MET_OK) {
        error = met__convert_units(config, sum, &exact, &sum);
    }
    if (error == MET_OK && !rating->input->policies.is_converted_apart) {
        error = met__decimal_subtract(sum, before, &sum);
    }
    rating->quantity = sum;
    rating->before = before;
    return error;
}

static met_decimal smaller(met_decimal a, met_decimal b)
{
    return met__decimal_compare(a, b) < 0 ? a : b;
}

static met_error discount_id(const met__rating *rating,
                             met__text correlation_id, met__text *out)
{
    const char *text = met__rating_print(
        rating, "rateCardDiscount/correlationID=%.*s",
        (int)correlation_id.size,
        correlation_id.size ? correlation_id.data : "");

    *out = met__text_z(text);
    return text != NULL ? MET_OK : MET_E_NO_MEMORY;
}

/* The first units of the period are free, those before this line first. */
met_error met__rating_discount_usage(met__rating *rating)
{
    const met__discounts *discounts = rating->input->discounts;
    met__usage_discount *out = &rating->rated->usage_discount;

    if (discounts == NULL || !discounts->has_usage) {
        return MET_OK;
    }
    met_decimal spent = smaller(rating->before, discounts->usage);
    met_decimal left;
    met_error error = met__decimal_subtract(discounts->usage, spent, &left);
    if (error != MET_OK) {
        return error;
    }
    met_decimal used = smaller(rating->quantity, left);
    error = met__decimal_subtract(rating->before, spent, &rating->before);
    if (error == MET_OK) {
        error =
            met__decimal_subtract(rating->quantity, used, &rating->quantity);
    }
    if (error != MET_OK || met__decimal_is_zero(used)) {
        return error;
    }
    out->quantity = used;
    out->quantity_before = spent;
    return discount_id(rating, discounts->usage_id, &out->child_id);
}

/* --- After the model ------------------------------------------------------ */
/* Adds a discount to a line and its totals. */
static met_error add_discount(met__line *line, met__text child_id,
                              const char *reason, met_decimal amount,
                              met__arena *arena)
{
    size_t count = line->discount_count;
    met__line_discount *grown =
        met__arena_allocate(arena, (count + 1) * sizeof *grown);

    if (grown == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (count > 0) {
        memcpy(grown, line->discounts, count * sizeof *grown);
    }
    grown[count] = (met__line_discount){
        .child_id = child_id, .reason = met__text_z(reason), .amount = amount};
    met_error error = met__decimal_add(line->totals.discounts_total, amount,
                                       &line->totals.discounts_total);
    if (error == MET_OK) {
        error = met__totals_settle(&line->totals);
    }
    line->discounts = grown;
    line->discount_count = count + 1;
    return error;
}

met_error met__rating_discount_percentage(met__rating *rating)
{
    const met__discounts *discounts = rating->input->discounts;
    met__rated *rated = rating->rated;
    met_decimal ratio;
    met__text child_id;

    if (discounts == NULL || !discounts->has_percentage) {
        return MET_OK;
    }
    MET__ASSERT(met__decimal_multiply(discounts->percentage,
                                      met__decimal_from_scaled(1, 2), &ratio)
                == MET_OK);
    met_error error =
        discount_id(rating, discounts->percentage_id, &child_id);
    for (size_t i = 0; error == MET_OK && i < rated->line_count; i++) {
        met__line *line = &rated->lines[i];
        met_decimal amount;
        error = met__rating_multiply(rating, line->totals.total, ratio,
                                     &amount);
        if (error == MET_OK && !met__decimal_is_zero(amount)) {
            error = add_discount(line, child_id, "ratecard_percentage",
                                 amount, rating->arena);
        }
    }
    return error;
}

/* What of a line lies above the maximum when `billed` came before it. */
static met_error excess(const met__rating *rating, const met__line *line,
                        met_decimal billed, met_decimal sum, met_decimal *out)
{
    met_decimal maximum = rating->input->price->maximum;

    if (met__decimal_compare(billed, maximum) >= 0) {
        *out = line->totals.total;
        return MET_OK;
    }
    if (met__decimal_compare(sum, maximum) <= 0) {
        *out = met__decimal_zero();
        return MET_OK;
    }
    met_error error = met__decimal_subtract(sum, maximum, out);
    return error == MET_OK ? met__rating_round(rating, *out, out) : error;
}

met_error met__rating_cap(met__rating *rating)
{
    const met__price *price = rating->input->price;
    met__rated *rated = rating->rated;
    met_decimal billed = rating->input->already_billed;
    met_error error = MET_OK;

    if (!price->has_maximum) {
        return MET_OK;
    }
    for (size_t i = 0; error == MET_OK && i < rated->line_count; i++) {
        met__line *line = &rated->lines[i];
        met_decimal sum;
        met_decimal amount;
        error = met__decimal_add(billed, line->totals.total, &sum);
        if (error == MET_OK) {
            error = excess(rating, line, billed, sum, &amount);
        }
        if (error == MET_OK && !met__decimal_is_zero(amount)) {
            error =
                add_discount(line, MET__TEXT("line_maximum_spend"),
                             "maximum_spend", amount, rating->arena);
        }
        billed = sum;
    }
    return error;
}

met_error met__rating_fill_up(met__rating *rating)
{
    const met__rate_input *input = rating->input;
    met_decimal billed = input->already_billed;
    met_decimal gap;
    met_error error = MET_OK;

    if (!input->price->has_minimum || !input->is_last
        || input->is_minimum_ignored) {
        return MET_OK;
    }
    for (size_t i = 0; error == MET_OK && i < rating->rated->line_count; i++) {
        error = met__decimal_add(billed, rating->rated->lines[i].totals.total,
                                 &billed);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(input->price->minimum, billed, &gap);
    }
    if (error == MET_OK) {
        error = met__rating_round(rating, gap, &gap);
    }
    if (error != MET_OK || met__decimal_is_negative(gap)
        || met__decimal_is_zero(gap)) {
        return error;
    }
    met__draft draft = {.child_id = "min-spend",
                        .part = "minimum spend",
                        .category = MET__LINE_COMMITMENT,
                        .term = MET__TERM_IN_ARREARS,
                        .quantity = met__decimal_from_i64(1),
                        .per_unit_amount = gap};
    const char *minimum = met__rating_text(rating, input->price->minimum);
    const char *paid = met__rating_text(rating, billed);
    if (minimum == NULL || paid == NULL) {
        return MET_E_NO_MEMORY;
    }
    draft.explanation =
        met__rating_print(rating, "minimum %s, billed %s", minimum, paid);
    return met__rating_emit(rating, &draft);
}

/* --- Credits -------------------------------------------------------------- */
/* One credit over the lines that still cost something. */
static met_error apply_credit(met__line *lines, size_t line_count,
                              met_decimal credit, size_t room)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < line_count; i++) {
        met__line *line = &lines[i];
        if (met__decimal_is_zero(credit)) {
            return MET_OK;
        }
        if (met__decimal_is_negative(line->totals.total)
            || met__decimal_is_zero(line->totals.total)) {
            continue;
        }
        MET__ASSERT(line->credit_count < room);
        met_decimal part = smaller(line->totals.total, credit);
        line->credits[line->credit_count++] = part;
        error = met__decimal_add(line->totals.credits_total, part,
                                 &line->totals.credits_total);
        if (error == MET_OK) {
            error = met__totals_settle(&line->totals);
        }
        if (error == MET_OK) {
            error = met__decimal_subtract(credit, part, &credit);
        }
    }
    if (error == MET_OK && !met__decimal_is_zero(credit)) {
        error = MET_E_CONFLICT;
    }
    return error;
}

/* Copies of the lines with room for every credit. */
static met_error make_room(met__line *lines, size_t line_count, size_t more,
                           met__arena *arena)
{
    for (size_t i = 0; i < line_count; i++) {
        met__line *line = &lines[i];
        met_decimal *grown = met__arena_allocate(
            arena, (line->credit_count + more) * sizeof *grown);
        if (grown == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (line->credit_count > 0) {
            memcpy(grown, line->credits, line->credit_count * sizeof *grown);
        }
        line->credits = grown;
    }
    return MET_OK;
}

met_error met__apply_credits(met__line *lines, size_t line_count,
                             const met_decimal *credits, size_t credit_count,
                             const met__currency *currency, met__arena *arena)
{
    met_error error = MET_OK;

    if (credit_count == 0) {
        return MET_OK;
    }
    met__line *copies = met__arena_allocate(arena, line_count * sizeof *copies);
    if (copies == NULL) {
        return MET_E_NO_MEMORY;
    }
    size_t room = credit_count;
    for (size_t i = 0; i < line_count; i++) {
        copies[i] = lines[i];
        if (lines[i].credit_count + credit_count > room) {
            room = lines[i].credit_count + credit_count;
        }
    }
    error = make_room(copies, line_count, credit_count, arena);
    for (size_t i = 0; error == MET_OK && i < credit_count; i++) {
        met_decimal credit;
        if (met__decimal_is_negative(credits[i])) {
            return MET_E_INVALID;
        }
        MET__ASSERT(met__currency_round(currency, credits[i], &credit)
                    == MET_OK);
        error = apply_credit(copies, line_count, credit, room);
    }
    for (size_t i = 0; error == MET_OK && i < line_count; i++) {
        lines[i] = copies[i];
    }
    return error;
}
