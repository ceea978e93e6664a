/* A flat price for a part of its period.
 *
 * Rule: OpenMeter, billing/charges/flatfee and subscription sync: the ratio of
 * the two durations, cut to whole seconds, with 16 decimals; the product is
 * rounded to the currency, and that is the amount of the line. A period of no
 * length, and one that is not shorter than the full one, pay in full. */
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

int met__flat_is_prorated(const met__flat_part *part)
{
    int64_t service = part->service.to_ns / MET__SECOND_NS
                      - part->service.from_ns / MET__SECOND_NS;
    int64_t full =
        part->full.to_ns / MET__SECOND_NS - part->full.from_ns / MET__SECOND_NS;

    if (!part->is_prorated || service <= 0 || service >= full) {
        return 0;
    }
    return !part->is_full_at_end || part->ends_at_ns == 0
           || part->service.to_ns != part->ends_at_ns;
}

met_error met__flat_amount(const met__flat_part *part,
                           const met__currency *currency, met_decimal *out)
{
    int64_t from = part->service.from_ns / MET__SECOND_NS;
    int64_t to = part->service.to_ns / MET__SECOND_NS;
    int64_t full_from = part->full.from_ns / MET__SECOND_NS;
    int64_t full_to = part->full.to_ns / MET__SECOND_NS;

    if (!met__flat_is_prorated(part)) {
        return met__currency_round(currency, part->amount, out);
    }
    return met__prorate(part->amount, (to - from) * MET__SECOND_NS,
                        (full_to - full_from) * MET__SECOND_NS, currency, out);
}
