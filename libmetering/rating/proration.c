/* A flat price for a part of its period.
 *
 * Rule: OpenMeter, billing/charges/flatfee and subscription sync: the ratio of
 * the two durations, cut to whole seconds, with 16 decimals; the product is
 * rounded to the currency, and that is the amount of the line. A period of no
 * length, and one that is not shorter than the full one, pay in full.
 *
 * Own decision: engines that count days do so in the customer's time zone; here
 * a day is one of UTC. */
#include "base/check.h"
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
    MET__ASSERT(met__decimal_divide_peer(met__decimal_from_i64(service),
                                         met__decimal_from_i64(full), &ratio)
                == MET_OK);
    return met__decimal_multiply_rounded(amount, ratio, currency->places,
                                         MET_ROUND_HALF_AWAY, out);
}

static int64_t floor_of(int64_t ns, int64_t unit)
{
    return ns / unit - (ns % unit < 0);
}

static int64_t days_of(met__period period, int is_begun_counted)
{
    int is_begun = period.to_ns % MET__DAY_NS != 0;

    return floor_of(period.to_ns, MET__DAY_NS)
           - floor_of(period.from_ns, MET__DAY_NS)
           + (is_begun_counted && is_begun);
}

static int64_t seconds_of(met__period period)
{
    return period.to_ns / MET__SECOND_NS - period.from_ns / MET__SECOND_NS;
}

void met__flat_lengths(const met__flat_part *part, int64_t *service_out,
                       int64_t *full_out)
{
    if (part->unit == MET__PRORATE_SECOND) {
        *service_out = seconds_of(part->service);
        *full_out = seconds_of(part->full);
    } else {
        int is_begun_counted = part->unit == MET__PRORATE_DAY_INCLUSIVE;
        *service_out = days_of(part->service, is_begun_counted);
        *full_out = part->unit == MET__PRORATE_FIXED_30
                        ? 30
                        : days_of(part->full, is_begun_counted);
    }
}

int met__flat_is_prorated(const met__flat_part *part)
{
    int64_t service;
    int64_t full;

    met__flat_lengths(part, &service, &full);
    /* What is as long as the full period is whole in every unit: February. */
    if (!part->is_prorated || seconds_of(part->service) <= 0
        || seconds_of(part->service) >= seconds_of(part->full)
        || service >= full) {
        return 0;
    }
    return !part->is_full_at_end || part->ends_at_ns == 0
           || part->service.to_ns != part->ends_at_ns;
}

met_error met__flat_amount(const met__flat_part *part,
                           const met__currency *currency, met_decimal *out)
{
    int64_t service;
    int64_t full;

    if (!met__flat_is_prorated(part)) {
        return met__currency_round(currency, part->amount, out);
    }
    met__flat_lengths(part, &service, &full);
    return met__prorate(part->amount, service * MET__SECOND_NS,
                        full * MET__SECOND_NS, currency, out);
}
