/* Percentage: a part of an amount of money, and a fixed amount for every event
 * behind it.
 *
 * No model of OpenMeter. Own decisions: the first free_units of the amount and
 * the first free_events are free, those before this line first; both are told
 * over the whole period, so that parts sum to the whole. An event that is free
 * of the fixed amount still pays its percentage. */
#include "rating/rating_parts.h"

/* quantity less what is free of it: the first ones of before + quantity. */
static met_error leave_out(met_decimal before, met_decimal quantity,
                           met_decimal free_ones, met_decimal *out)
{
    met_decimal end;
    met_decimal start =
        met__decimal_compare(before, free_ones) > 0 ? before : free_ones;
    met_error error = met__decimal_add(before, quantity, &end);

    if (error != MET_OK) {
        return error;
    }
    if (met__decimal_compare(end, start) <= 0) {
        *out = met__decimal_zero();
        return MET_OK;
    }
    return met__decimal_subtract(end, start, out);
}

static met_error emit(met__rating *rating, const char *child_id,
                      const char *part, met_decimal quantity,
                      met_decimal amount)
{
    met__draft draft = {.child_id = child_id,
                        .part = part,
                        .category = MET__LINE_REGULAR,
                        .term = MET__TERM_IN_ARREARS,
                        .quantity = quantity,
                        .per_unit_amount = amount};

    if (met__decimal_is_zero(quantity)) {
        return MET_OK;
    }
    draft.explanation = met__rating_explain(rating, "", quantity, amount);
    return met__rating_emit(rating, &draft);
}

static met_error rate_events(met__rating *rating)
{
    const met__price *price = rating->input->price;
    met_decimal events = rating->input->events;
    met_decimal before = rating->input->events_before;

    if (!rating->input->has_events) {
        return met__fail(rating->info, MET_E_INVALID, "events",
                         "are needed by a price with a fixed amount "
                         "(price_events_missing)");
    }
    if (met__decimal_is_negative(events) || met__decimal_is_negative(before)) {
        return met__fail(rating->info, MET_E_INVALID, "events",
                         "must not be below 0 (price_events_negative)");
    }
    met_error error = leave_out(before, events, price->free_events, &events);
    return error == MET_OK ? emit(rating, "percentage-events",
                                  "events in period", events, price->amount)
                           : error;
}

met_error met__rate_percentage(met__rating *rating)
{
    const met__price *price = rating->input->price;
    met_decimal quantity;
    met_error error = leave_out(rating->before, rating->quantity,
                                price->free_units, &quantity);

    if (error == MET_OK) {
        error = emit(rating, "percentage-usage", "usage in period", quantity,
                     price->ratio);
    }
    return error == MET_OK && price->has_fixed ? rate_events(rating) : error;
}
