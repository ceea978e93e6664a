/* Graduated: every unit costs what the tier says in which it lies.
 *
 * Rule: OpenMeter, billing/rating/service/rate/tieredgraduated.go. The walk
 * goes over (before, before + quantity]; a touched tier gives its usage and
 * then its flat part. The flat part is due when the tier is entered, that of
 * the first tier on the first split, also without any usage. Own decisions:
 * tiers are sorted also at zero usage, and an empty tier up to 0 is entered
 * with the first unit. A graduated percentage is the same over an amount of
 * money: the price of a unit is the tier's percentage of it. */
#include "base/limits.h"
#include "rating/rating_parts.h"

/* How child ids of the price begin. */
static const char *beginning_of(const met__rating *rating)
{
    return rating->input->price->type == MET__PRICE_GRADUATED
               ? "graduated-tiered"
               : "graduated-percentage";
}

static met_error emit_usage(met__rating *rating, const met__tier_part *part)
{
    const char *beginning =
        met__rating_print(rating, "tier %zu: ", part->number);
    met__draft draft = {
        .child_id = met__rating_print(rating, "%s-%zu-price-usage",
                                      beginning_of(rating), part->number),
        .part = met__rating_print(rating, "usage price for tier %zu",
                                  part->number),
        .category = MET__LINE_REGULAR,
        .term = MET__TERM_IN_ARREARS,
        .quantity = part->quantity,
        .per_unit_amount = part->tier->unit};

    if (beginning == NULL || draft.child_id == NULL || draft.part == NULL) {
        return MET_E_NO_MEMORY;
    }
    draft.explanation = met__rating_explain(rating, beginning, part->quantity,
                                            part->tier->unit);
    return met__rating_emit(rating, &draft);
}

static met_error emit_flat(met__rating *rating, const met__tier_part *part)
{
    met__draft draft = {
        .child_id = met__rating_print(rating, "%s-%zu-flat-price",
                                      beginning_of(rating), part->number),
        .part = met__rating_print(rating, "flat price for tier %zu",
                                  part->number),
        .explanation =
            met__rating_print(rating, "tier %zu: entered", part->number),
        .category = MET__LINE_REGULAR,
        .term = MET__TERM_IN_ARREARS,
        .quantity = met__decimal_from_i64(1),
        .per_unit_amount = part->tier->flat};

    if (draft.child_id == NULL || draft.part == NULL) {
        return MET_E_NO_MEMORY;
    }
    return met__rating_emit(rating, &draft);
}

static met_error emit_part(met__rating *rating, const met__tier_part *part)
{
    met_error error = MET_OK;

    if (part->tier->has_unit && part->has_usage) {
        error = emit_usage(rating, part);
    }
    if (error == MET_OK && part->tier->has_flat && part->is_entered) {
        error = emit_flat(rating, part);
    }
    return error;
}

/* The part of (from, to] in the tier that begins at start. */
static met_error cut_part(const met__tier *tier, met_decimal start,
                          met_decimal from, met_decimal to,
                          met__tier_part *part)
{
    met_decimal lower = met__decimal_compare(start, from) > 0 ? start : from;
    met_decimal upper = to;

    if (tier->has_up_to && met__decimal_compare(tier->up_to, to) < 0) {
        upper = tier->up_to;
    }
    part->from = lower;
    part->is_entered = met__decimal_compare(from, start) <= 0;
    part->has_usage = met__decimal_compare(upper, lower) > 0;
    if (!part->has_usage) {
        part->quantity = met__decimal_zero();
        return MET_OK;
    }
    return met__decimal_subtract(upper, lower, &part->quantity);
}

met_error met__graduated_parts(const met__price *price, met_decimal from,
                               met_decimal to,
                               met__tier_part parts[MET__TIERS_MAX],
                               size_t *count_out)
{
    met_decimal start = met__decimal_zero();
    met_error error = MET_OK;
    size_t count = 0;

    *count_out = 0;
    if (met__decimal_is_zero(to)) {
        parts[0] = (met__tier_part){.number = 1,
                                    .tier = &price->tiers[0],
                                    .from = start,
                                    .quantity = start,
                                    .is_entered = 1,
                                    .has_usage = 1};
        *count_out = 1;
        return MET_OK;
    }
    for (size_t i = 0; i < price->tier_count; i++) {
        met__tier_part *part = &parts[count];
        *part = (met__tier_part){.number = i + 1, .tier = &price->tiers[i]};
        error = cut_part(part->tier, start, from, to, part);
        if (error != MET_OK) {
            return error;
        }
        /* An empty tier at 0 is entered where the walk begins at 0. */
        count += part->has_usage || part->is_entered;
        if (!part->tier->has_up_to
            || met__decimal_compare(part->tier->up_to, to) >= 0) {
            break; /* later tiers begin where the walk has ended */
        }
        start = part->tier->up_to;
    }
    *count_out = count;
    return MET_OK;
}

met_error met__rate_graduated(met__rating *rating)
{
    met__tier_part parts[MET__TIERS_MAX];
    size_t count = 0;
    int is_free_unused =
        rating->input->policies.zero_usage == MET__ZERO_USAGE_FREE;
    met_decimal to;

    met_error error = met__decimal_add(rating->before, rating->quantity, &to);
    if (error == MET_OK) { /* no part when nothing is new */
        error = met__graduated_parts(rating->input->price, rating->before, to,
                                     parts, &count);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        /* Tier 1 is entered by the first split alone; or, when no usage is
         * to cost nothing, by the one with the first usage. */
        parts[i].is_entered =
            parts[i].is_entered
            && (is_free_unused ? !met__decimal_is_zero(to)
                               : parts[i].number > 1
                                     || rating->input->is_first);
        error = emit_part(rating, &parts[i]);
    }
    return error;
}
