/* A flat price for a part of its period.
 *
 * Rule: OpenMeter, billing/charges/flatfee and subscription sync: the ratio of
 * the two durations, cut to whole seconds, with 16 decimals; the product is
 * rounded to the currency, and that is the amount of the line. */
#include "base/calendar.h"
#include "rating/rating.h"

met_error met__prorate(met_decimal amount, int64_t service_ns, int64_t full_ns,
                       const met__currency *currency, met_decimal *out)
{
    met_decimal ratio;
    int64_t service = service_ns / MET__SECOND_NS;
    int64_t full = full_ns / MET__SECOND_NS;

    if (full <= 0 || service < 0) {
        return MET_E_INVALID;
    }
    met_error error = met__decimal_divide_peer(
        met__decimal_from_i64(service), met__decimal_from_i64(full), &ratio);
    if (error != MET_OK) {
        return error;
    }
    return met__decimal_multiply_rounded(amount, ratio, currency->places,
                                         MET_ROUND_HALF_AWAY, out);
}
