/* Flat: the amount once, at the period's beginning or end.
 *
 * Rule: OpenMeter, billing/rating/service/rate/flat.go: in advance only on the
 * first split of the period, in arrears only on the last. */
#include "rating/rating_parts.h"

met_error met__rate_flat(met__rating *rating)
{
    const met__price *price = rating->input->price;
    met__draft draft = {.child_id = "flat-price",
                        .category = MET__LINE_REGULAR,
                        .term = price->term,
                        .quantity = met__decimal_from_i64(1),
                        .per_unit_amount = price->amount};

    if (price->term == MET__TERM_IN_ADVANCE ? !rating->input->is_first
                                            : !rating->input->is_last) {
        return MET_OK;
    }
    const char *when = price->term == MET__TERM_IN_ADVANCE
                           ? "once, in advance"
                           : "once, in arrears";
    draft.explanation = rating->input->share == NULL
                            ? when
                            : met__rating_print(rating, "%s, for %s",
                                                when, rating->input->share);
    return met__rating_emit(rating, &draft);
}
