/* Where billing engines disagree: each policy by its name, and presets that
 * set them together as one engine has them.
 *
 * Sources. openmeter: the rules of pricing (sections 2.3 and 2.4): every
 * detailed line is rounded, split lines are converted each by itself, what
 * was billed is counted before discounts. lago: getlago/lago-api, a fee is
 * rounded once over all tiers (fees/charge_service.rb), the first flat amount
 * is due without usage too (pull request 5760), negative units are 0
 * (fees/charge_service.rb), a fee for a part of a period pays for the day that
 * is begun at either end (fees/subscription_service.rb). stripe:
 * docs.stripe.com, a line item is a whole number of minor units and each tier
 * has its own, the first flat fee is billed at quantity 0 (pricing-models),
 * negative usage of a period is 0 (billing meters), prorations go by the
 * second (billing/scripts/prorations). fixed_30 is Kill Bill's proration of 30
 * fixed days (killbill/killbill#1942). */
#include "rating/rating.h"

static const char *const mode_names[] = {"half_away", "half_even", "up",
                                         "down",      "ceiling",   "floor",
                                         NULL};
static const uint32_t mode_numbers[] = {MET_ROUND_HALF_AWAY,
                                        MET_ROUND_HALF_EVEN,
                                        MET_ROUND_UP,
                                        MET_ROUND_DOWN,
                                        MET_ROUND_CEILING,
                                        MET_ROUND_FLOOR};

static const char *const preset_names[] = {"openmeter", "lago", "stripe",
                                           NULL};
static const met__rate_policies presets[] = {
    {.round_at = MET__ROUND_AT_TIER,
     .rounding = MET_ROUND_HALF_AWAY,
     .negative = MET__NEGATIVE_CLAMPED,
     .zero_usage = MET__ZERO_USAGE_CHARGED,
     .is_converted_apart = 1,
     .is_billed_gross = 1},
    {.round_at = MET__ROUND_AT_LINE,
     .rounding = MET_ROUND_HALF_AWAY,
     .negative = MET__NEGATIVE_CLAMPED,
     .zero_usage = MET__ZERO_USAGE_CHARGED,
     .proration = MET__PRORATE_DAY_INCLUSIVE},
    {.round_at = MET__ROUND_AT_TIER,
     .rounding = MET_ROUND_HALF_AWAY,
     .negative = MET__NEGATIVE_CLAMPED,
     .zero_usage = MET__ZERO_USAGE_CHARGED,
     .proration = MET__PRORATE_SECOND},
};

static met_error read_preset(met__fields *fields, met__rate_policies *out)
{
    uint32_t preset = UINT32_MAX;

    met_error error = met__fields_choice(fields, "preset", MET__OPTIONAL,
                                         preset_names, &preset);
    if (error == MET_OK && preset != UINT32_MAX) {
        *out = presets[preset];
    }
    return error;
}

static void read_mode(met__fields *fields, met__rate_policies *out)
{
    uint32_t mode = UINT32_MAX;

    if (met__fields_choice(fields, "rounding", MET__OPTIONAL, mode_names, &mode)
            == MET_OK
        && mode != UINT32_MAX) {
        out->rounding = mode_numbers[mode];
    }
}

met_error met__policies_read(const met__node *node, const met__path *path,
                             met__rate_policies *policies_out,
                             met_error_info *info)
{
    static const char *const conversions[] = {"cumulative", "per_line", NULL};
    static const char *const places[] = {"tier", "line", "total", NULL};
    static const char *const negatives[] = {"clamp", "refuse", NULL};
    static const char *const zeros[] = {"charge", "free", NULL};
    static const char *const billed[] = {"net", "gross", NULL};
    static const char *const units[] = {"second", "day_inclusive",
                                        "day_exclusive", "fixed_30", NULL};
    met__rate_policies out = {0};
    met__fields fields;

    met__fields_begin(&fields, node, path, info);
    read_preset(&fields, &out);
    met__fields_choice(&fields, "proration", MET__OPTIONAL, units,
                       &out.proration);
    uint32_t conversion = (uint32_t)out.is_converted_apart;
    uint32_t is_gross = (uint32_t)out.is_billed_gross;
    met__fields_choice(&fields, "unit_conversion", MET__OPTIONAL, conversions,
                       &conversion);
    met__fields_choice(&fields, "round_at", MET__OPTIONAL, places,
                       &out.round_at);
    read_mode(&fields, &out);
    met__fields_choice(&fields, "negative_usage", MET__OPTIONAL, negatives,
                       &out.negative);
    met__fields_choice(&fields, "zero_usage_flat", MET__OPTIONAL, zeros,
                       &out.zero_usage);
    met__fields_choice(&fields, "already_billed", MET__OPTIONAL, billed,
                       &is_gross);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        out.is_converted_apart = conversion == 1;
        out.is_billed_gross = is_gross == 1;
        *policies_out = out;
    }
    return error;
}
