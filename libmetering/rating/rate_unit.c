/* Unit: every unit costs the same.
 *
 * Rule: OpenMeter, billing/rating/service/rate/unit.go: a line only when the
 * quantity is above 0. */
#include "rating/rating_parts.h"

met_error met__rate_unit(met__rating *rating)
{
    met__draft draft = {.child_id = "unit-price-usage",
                        .part = "usage in period",
                        .category = MET__LINE_REGULAR,
                        .term = MET__TERM_IN_ARREARS,
                        .quantity = rating->quantity,
                        .per_unit_amount = rating->input->price->amount};

    if (met__decimal_is_zero(rating->quantity)) {
        return MET_OK;
    }
    draft.explanation =
        met__rating_explain(rating, "", draft.quantity, draft.per_unit_amount);
    return met__rating_emit(rating, &draft);
}
