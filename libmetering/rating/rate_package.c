/* Package: started packages of so many units each.
 *
 * Rule: OpenMeter, billing/rating/service/rate/package.go: packages of all
 * usage so far, less those of the usage before; counted by whole division,
 * where the peer's 16 digit quotient can be one too many. */
#include "rating/rating_parts.h"

met_error met__package_count(met_decimal quantity, met_decimal size,
                             met_decimal *count_out)
{
    met_decimal whole;
    met_decimal rest;
    met_error error = met__decimal_divide_whole(quantity, size, &whole, &rest);

    if (error != MET_OK) {
        return error;
    }
    if (met__decimal_is_zero(rest)) {
        *count_out = whole;
        return MET_OK;
    }
    return met__decimal_add(whole, met__decimal_from_i64(1), count_out);
}

static const char *explain(met__rating *rating, met_decimal count)
{
    const met__price *price = rating->input->price;
    const char *packages = met__rating_text(rating, count);
    const char *size = met__rating_text(rating, price->quantity_per_package);
    const char *amount = met__rating_text(rating, price->amount);

    if (packages == NULL || size == NULL || amount == NULL) {
        return NULL;
    }
    return met__rating_print(rating, "%s package%s of %s x %s", packages,
                             strcmp(packages, "1") ? "s" : "", size, amount);
}

met_error met__rate_package(met__rating *rating)
{
    const met__price *price = rating->input->price;
    met_decimal size = price->quantity_per_package;
    met_decimal sum;
    met_decimal earlier = met__decimal_zero();
    met__draft draft = {.child_id = "usage",
                        .part = "usage in period",
                        .category = MET__LINE_REGULAR,
                        .term = MET__TERM_IN_ARREARS,
                        .per_unit_amount = price->amount};

    met_error error = met__decimal_add(rating->before, rating->quantity, &sum);
    if (error == MET_OK) {
        error = met__package_count(sum, size, &draft.quantity);
    }
    if (error == MET_OK && !rating->input->is_first) {
        error = met__package_count(rating->before, size, &earlier);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(draft.quantity, earlier, &draft.quantity);
    }
    if (error != MET_OK || met__decimal_is_zero(draft.quantity)) {
        return error;
    }
    draft.explanation = explain(rating, draft.quantity);
    return met__rating_emit(rating, &draft);
}
