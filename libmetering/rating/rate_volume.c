/* Volume: all units cost what the tier says in which the whole quantity lies.
 *
 * Rule: OpenMeter, billing/rating/service/rate/tieredvolume.go: only on the
 * last split of the period and never with usage billed before; the flat part
 * also at zero usage. Own decision: the error has the right name.
 * A stair-step price is the tier's flat price alone. */
#include "rating/rating_parts.h"

size_t met__volume_tier(const met__price *price, met_decimal quantity)
{
    size_t i = 0;

    while (i + 1 < price->tier_count && price->tiers[i].has_up_to
           && met__decimal_compare(quantity, price->tiers[i].up_to) > 0) {
        i++;
    }
    return i;
}

static met_error emit(met__rating *rating, size_t index, const char *child_id,
                      const char *kind, met_decimal quantity,
                      met_decimal amount)
{
    met__draft draft = {.child_id = child_id,
                        .part = met__rating_print(
                            rating, "%s price for tier %zu", kind, index + 1),
                        .category = MET__LINE_REGULAR,
                        .term = MET__TERM_IN_ARREARS,
                        .quantity = quantity,
                        .per_unit_amount = amount};
    const char *beginning = met__rating_print(rating, "tier %zu: ", index + 1);

    if (draft.part == NULL || beginning == NULL) {
        return MET_E_NO_MEMORY;
    }
    draft.explanation =
        met__rating_explain(rating, beginning, quantity, amount);
    return met__rating_emit(rating, &draft);
}

met_error met__rate_volume(met__rating *rating)
{
    const met__price *price = rating->input->price;
    met_error error = MET_OK;

    if (!met__decimal_is_zero(rating->before)) {
        return met__fail(rating->info, MET_E_INVALID, "quantity_before",
                         "a volume price cannot be billed in splits "
                         "(invoice_line_volume_split_not_supported)");
    }
    if (!rating->input->is_last) {
        return MET_OK;
    }
    size_t index = met__volume_tier(price, rating->quantity);
    const met__tier *tier = &price->tiers[index];
    if (price->type == MET__PRICE_STAIRSTEP) {
        return emit(rating, index, "stairstep-price", "step",
                    met__decimal_from_i64(1), tier->flat);
    }
    if (tier->has_flat) {
        error = emit(rating, index, "volume-flat-price", "flat",
                     met__decimal_from_i64(1), tier->flat);
    }
    if (error == MET_OK && tier->has_unit
        && !met__decimal_is_zero(rating->quantity)) {
        error = emit(rating, index, "volume-tiered-price", "unit",
                     rating->quantity, tier->unit);
    }
    return error;
}
