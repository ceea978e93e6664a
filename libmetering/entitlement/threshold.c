/* Thresholds against a balance. In: a rule's list, what the customer has. Out:
 * which one of each kind says it best. */
#include "entitlement/threshold.h"

#include "base/check.h"
#include "base/error.h"

/* Below it a balance or an overage is dust of somebody's floating point. */
#define DUST_PLACES 9

const char *const met__threshold_names[] = {
    "usage_value", "usage_percentage", "balance_value", NULL};

met_error met__threshold_check(const met__threshold *threshold,
                               met_error_info *info)
{
    int is_balance = threshold->kind == MET__THRESHOLD_BALANCE_VALUE;

    if (threshold->kind > MET__THRESHOLD_BALANCE_VALUE
        || !met__decimal_is_valid(threshold->value)
        || met__decimal_is_negative(threshold->value)
        || (!is_balance && met__decimal_is_zero(threshold->value))) {
        return met__fail(info, MET_E_INVALID, "value",
                         is_balance ? "a balance to warn at is 0 or more"
                                    : "usage to warn at is above 0");
    }
    return MET_OK;
}

/* 100 times the usage that the threshold stands for, as it is or with the
 * places that converted usage has, or that usage has: rounded so that what is
 * passed stays so. MET_E_OVERFLOW: more than anybody can use. */
static met_error usage_of(const met__threshold *threshold,
                          met_decimal available, int when_reached,
                          met_decimal *out)
{
    static const uint32_t places[] = {16, 7};
    met_decimal factor = threshold->kind == MET__THRESHOLD_USAGE_PERCENTAGE
                             ? available
                             : met__decimal_from_i64(100);
    met_error error = met__decimal_multiply(threshold->value, factor, out);

    for (size_t i = 0; error == MET_E_OVERFLOW
                       && i < sizeof places / sizeof *places; i++) {
        error = met__decimal_multiply_rounded(
            threshold->value, factor, places[i],
            when_reached ? MET_ROUND_UP : MET_ROUND_DOWN, out);
    }
    return error;
}

static int is_passed(met_decimal lower, met_decimal higher, int when_reached)
{
    int order = met__decimal_compare(lower, higher);

    return order < 0 || (order == 0 && when_reached);
}

met_error met__threshold_passed(const met__threshold *thresholds,
                                size_t count, const met__burn_value *value,
                                int when_reached, size_t *usage_out,
                                size_t *balance_out)
{
    met_decimal dust = met__decimal_from_scaled(1, DUST_PLACES);
    met_decimal used;
    met_decimal highest = met__decimal_zero();
    size_t usage = MET__NO_THRESHOLD;
    size_t balance = MET__NO_THRESHOLD;

    MET__ASSERT(value != NULL && usage_out != NULL && balance_out != NULL);
    if (met__decimal_compare(value->balance, dust) > 0
        && met__decimal_compare(value->overage, dust) > 0) {
        return MET_E_INVALID;
    }
    met_error error = met__decimal_multiply(
        value->usage, met__decimal_from_i64(100), &used);
    if (met__decimal_is_zero(value->total_available)) {
        count = 0;
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        const met__threshold *at = &thresholds[i];
        met_decimal limit;
        if (at->kind == MET__THRESHOLD_BALANCE_VALUE) {
            int is_nothing = met__decimal_is_zero(at->value)
                             && !is_passed(met__decimal_zero(),
                                           value->balance, 0);
            if ((is_nothing
                 || is_passed(value->balance, at->value, when_reached))
                && (balance == MET__NO_THRESHOLD
                    || met__decimal_compare(at->value,
                                            thresholds[balance].value)
                           < 0)) {
                balance = i;
            }
            continue;
        }
        if (usage_of(at, value->total_available, when_reached, &limit) == MET_OK
            && is_passed(limit, used, when_reached)
            && (usage == MET__NO_THRESHOLD
                || met__decimal_compare(limit, highest) >= 0)) {
            usage = i;
            highest = limit;
        }
    }
    if (error == MET_OK) {
        *usage_out = usage;
        *balance_out = balance;
    }
    return error;
}
