/* Matrix: a unit price for every value of a dimension.
 *
 * No model of OpenMeter. One line for a value with usage, in the order in
 * which the usage is given; a value without a price of its own takes the
 * default, and without a default it is an error, never free. */
#include "rating/rating_parts.h"

static met_error price_of(const met__rating *rating,
                          const met__rate_group *group, met_decimal *amount_out)
{
    const met__price *price = rating->input->price;

    for (size_t i = 0; i < price->value_count; i++) {
        if (met__text_equal(price->values[i].value, group->value)) {
            *amount_out = price->values[i].amount;
            return MET_OK;
        }
    }
    if (!price->has_default) {
        return met__fail(rating->info, MET_E_INVALID, "groups",
                         "\"%.*s\" has no price (price_value_unknown)",
                         (int)group->value.size,
                         group->value.size ? group->value.data : "");
    }
    *amount_out = price->amount;
    return MET_OK;
}

static met_error emit(met__rating *rating, const met__rate_group *group,
                      met_decimal quantity)
{
    int size = (int)group->value.size;
    const char *value = size ? group->value.data : "";
    met__draft draft = {
        .child_id =
            met__rating_print(rating, "matrix-price:%.*s", size, value),
        .part = met__rating_print(rating, "usage of %.*s", size, value),
        .category = MET__LINE_REGULAR,
        .term = MET__TERM_IN_ARREARS,
        .quantity = quantity};
    const char *beginning = met__rating_print(rating, "%.*s: ", size, value);
    met_error error = price_of(rating, group, &draft.per_unit_amount);

    if (error != MET_OK) {
        return error;
    }
    if (draft.child_id == NULL || draft.part == NULL || beginning == NULL) {
        return MET_E_NO_MEMORY;
    }
    draft.explanation = met__rating_explain(rating, beginning, quantity,
                                            draft.per_unit_amount);
    return met__rating_emit(rating, &draft);
}

static int is_repeated(const met__rate_input *input, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (met__text_equal(input->groups[i].value,
                            input->groups[index].value)) {
            return 1;
        }
    }
    return 0;
}

/* The sum of the groups is the quantity; nothing may be left without a
 * value. */
static met_error check_sum(const met__rating *rating)
{
    const met__rate_input *input = rating->input;
    met_decimal sum = met__decimal_zero();

    for (size_t i = 0; i < input->group_count; i++) {
        met_error error =
            met__decimal_add(sum, input->groups[i].quantity, &sum);
        if (error != MET_OK) {
            return error;
        }
        if (is_repeated(input, i)) {
            return met__fail(rating->info, MET_E_INVALID, "groups",
                             "item %zu has a value that is there already", i);
        }
    }
    if (met__decimal_compare(sum, input->quantity) != 0) {
        return met__fail(rating->info, MET_E_INVALID, "groups",
                         "must sum to quantity (price_groups_sum)");
    }
    return MET_OK;
}

met_error met__rate_matrix(met__rating *rating)
{
    const met__rate_input *input = rating->input;
    met__rated *rated = rating->rated;
    met_error error = check_sum(rating);

    rated->quantity = met__decimal_zero();
    rated->unrated = met__decimal_zero();
    for (size_t i = 0; error == MET_OK && i < input->group_count; i++) {
        met_decimal quantity = input->groups[i].quantity;
        met_decimal *side = met__decimal_is_negative(quantity)
                                ? &rated->unrated
                                : &rated->quantity;
        error = met__decimal_add(*side, quantity, side);
        if (error == MET_OK && side == &rated->quantity
            && !met__decimal_is_zero(quantity)) {
            error = emit(rating, &input->groups[i], quantity);
        }
    }
    if (error == MET_OK && met__decimal_is_negative(rated->unrated)
        && input->policies.negative == MET__NEGATIVE_REFUSED) {
        error = met__fail(rating->info, MET_E_INVALID, "groups",
                          "must not be below 0 (negative_usage)");
    }
    return error;
}
