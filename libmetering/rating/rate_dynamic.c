/* Dynamic: the quantity is an amount of money, marked up by a multiplier.
 *
 * Rule: OpenMeter, billing/rating/service/rate/dynamic.go: one line of
 * quantity 1 whose price is round(quantity * multiplier). */
#include "rating/rating_parts.h"

met_error met__rate_dynamic(met__rating *rating)
{
    met__draft draft = {.child_id = "usage",
                        .part = "usage in period",
                        .category = MET__LINE_REGULAR,
                        .term = MET__TERM_IN_ARREARS,
                        .quantity = met__decimal_from_i64(1)};
    met_decimal multiplier = rating->input->price->multiplier;

    if (met__decimal_is_zero(rating->quantity)) {
        return MET_OK;
    }
    met_error error = met__rating_multiply(
        rating, rating->quantity, multiplier, &draft.per_unit_amount);
    if (error != MET_OK) {
        return error;
    }
    draft.explanation =
        met__rating_explain(rating, "", rating->quantity, multiplier);
    return met__rating_emit(rating, &draft);
}
