/* Exact decimal128 arithmetic: the only includer of the decimal library.
 * In and out: finite canonical values, a zero always as plain +0. A result is
 * exact, or rounded once where places and mode are named, or MET_E_OVERFLOW. */
#include "base/decimal.h"

#define DECIMAL_CALL_BY_REFERENCE 0
#define DECIMAL_GLOBAL_ROUNDING 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0
#include <bid_conf.h>
#include <bid_functions.h>

#include "base/check.h"
#include "base/decimal_bits.h"

#define FLAG_INVALID 0x01u
#define FLAG_ZERO_DIVIDE 0x04u
#define FLAG_OVERFLOW 0x08u
#define FLAG_INEXACT 0x20u
#define HALF_EVEN 0u
#define TO_FLOOR 1u
#define TO_CEILING 2u
#define TO_ZERO 3u
#define HALF_AWAY 4u

/* --- Bits ----------------------------------------------------------------- */
static BID_UINT128 to_bid(met_decimal value)
{
    BID_UINT128 bits;
    bits.w[0] = value.bits[0];
    bits.w[1] = value.bits[1];
    return bits;
}

static met_decimal from_bid(BID_UINT128 bits)
{
    return (met_decimal){{bits.w[0], bits.w[1]}};
}

static int is_finite(met_decimal value)
{
    return (value.bits[1] >> 61 & 3) != 3;
}

int met__decimal_is_valid(met_decimal value)
{
    return is_finite(value)
           && met__decimal_coefficient(value) < met__decimal_digits_end();
}

/* A zero loses sign and exponent. */
static met_decimal clean(met_decimal value)
{
    return met__decimal_coefficient(value) == 0 ? met__decimal_zero() : value;
}

/* --- Rounding modes ------------------------------------------------------- */
/* The library's mode; away from zero depends on the sign. 5 = unknown. */
static unsigned native_mode(uint32_t rounding, int negative)
{
    switch (rounding) {
    case MET_ROUND_HALF_AWAY:
        return HALF_AWAY;
    case MET_ROUND_HALF_EVEN:
        return HALF_EVEN;
    case MET_ROUND_DOWN:
        return TO_ZERO;
    case MET_ROUND_UP:
        return negative ? TO_FLOOR : TO_CEILING;
    case MET_ROUND_FLOOR:
        return TO_FLOOR;
    case MET_ROUND_CEILING:
        return TO_CEILING;
    default:
        return 5;
    }
}

met_error met__decimal_self_test(void)
{
    unsigned flags = 0;

    (void)bid128_div(to_bid(met__decimal_make(0, 1, 0)),
                     to_bid(met__decimal_make(0, 3, 0)), HALF_EVEN, &flags);
    MET__ASSERT(flags == FLAG_INEXACT);
    return MET_OK;
}

/* --- Integers ------------------------------------------------------------- */
met_decimal met__decimal_from_scaled(int64_t value, uint32_t places)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    return clean(met__decimal_make(value < 0, size, -(int)places));
}

met_decimal met__decimal_from_i64(int64_t value)
{
    return met__decimal_from_scaled(value, 0);
}

met_error met__decimal_to_i64(met_decimal value, int64_t *value_out)
{
    met__wide digits = met__decimal_coefficient(value);
    int power = met__decimal_exponent(value);

    MET__ASSERT(value_out != NULL);
    if (digits == 0) {
        *value_out = 0;
        return MET_OK;
    }
    for (; power < 0; power++) {
        if (digits % 10 != 0) {
            return MET_E_INVALID;
        }
        digits /= 10;
    }
    met__wide most = (met__wide)INT64_MAX + (met__wide)met__decimal_sign(value);
    for (; power > 0 && digits <= most; power--) {
        digits *= 10;
    }
    if (digits > most) {
        return MET_E_OVERFLOW;
    }
    *value_out = met__decimal_sign(value) ? (int64_t)(0 - (uint64_t)digits)
                                 : (int64_t)digits;
    return MET_OK;
}

met_error met__decimal_to_scaled(met_decimal value, uint32_t places,
                                 uint32_t rounding, int64_t *value_out)
{
    met_decimal rounded;
    met_error error = met__decimal_round(value, places, rounding, &rounded);

    if (error != MET_OK) {
        return error;
    }
    if (met__decimal_coefficient(rounded) == 0) {
        *value_out = 0;
        return MET_OK;
    }
    int power = met__decimal_exponent(rounded) + (int)places;
    if (power > 40) {
        return MET_E_OVERFLOW;
    }
    rounded = met__decimal_make(met__decimal_sign(rounded),
                                met__decimal_coefficient(rounded), power);
    return met__decimal_to_i64(rounded, value_out);
}

/* --- Short ones ------------------------------------------------------------
 * Nearly all numbers of a bill have few digits. For these the exact result is
 * computed in integers of 128 bits, with the exponent that IEEE 754 prefers
 * for it, so that it is bit for bit what the library gives; where anything
 * might not fit, the library is asked. */
const uint64_t met__powers_of_ten[MET__POWERS_OF_TEN] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u};

/* digits * 10^by, below 2^124; 0: cannot be. */
static int scale_short(met__wide *digits, int by)
{
    if (by >= MET__POWERS_OF_TEN || *digits >> 64 != 0) {
        return 0;
    }
    *digits *= met__powers_of_ten[by];
    return 1;
}

/* Both coefficients at the smaller exponent, *power; 0: cannot be. */
static int align_short(met_decimal a, met_decimal b, met__wide *left,
                       met__wide *right, int *power)
{
    int first = met__decimal_exponent(a);
    int second = met__decimal_exponent(b);

    *left = met__decimal_coefficient(a);
    *right = met__decimal_coefficient(b);
    *power = first < second ? first : second;
    return first == second ? 1
           : first > second ? scale_short(left, first - second)
                            : scale_short(right, second - first);
}

static int is_plain_zero(met_decimal value)
{
    return value.bits[0] == 0 && value.bits[1] == MET__DECIMAL_ZERO_HIGH;
}

static int add_short(met_decimal a, met_decimal b, met_decimal *out)
{
    met__wide left;
    met__wide right;
    met__wide sum;
    int power;
    int negative = met__decimal_sign(a);

    if (is_plain_zero(b) && met__decimal_exponent(a) <= 0) {
        *out = clean(a); /* what most sums of totals are */
        return 1;
    }
    if (is_plain_zero(a) && met__decimal_exponent(b) <= 0) {
        *out = clean(b);
        return 1;
    }
    if (!align_short(a, b, &left, &right, &power)) {
        return 0;
    }
    if (negative == met__decimal_sign(b)) {
        sum = left + right;
    } else if (left >= right) {
        sum = left - right;
    } else {
        sum = right - left;
        negative = !negative;
    }
    if (sum >= met__decimal_digits_end()) {
        return 0;
    }
    *out = clean(met__decimal_make(negative, sum, power));
    return 1;
}

static int multiply_short(met_decimal a, met_decimal b, met_decimal *out)
{
    met__wide left = met__decimal_coefficient(a);
    met__wide right = met__decimal_coefficient(b);
    int power = met__decimal_exponent(a) + met__decimal_exponent(b);

    if (left >> 64 != 0 || right >> 64 != 0 || power < -MET__DECIMAL_BIAS
        || power > MET__DECIMAL_BIAS - 2 * MET_DECIMAL_DIGITS_MAX
        || left * right >= met__decimal_digits_end()) {
        return 0;
    }
    *out = clean(met__decimal_make(met__decimal_sign(a) != met__decimal_sign(b),
                                   left * right, power));
    return 1;
}

/* To 10^-places, which is above the exponent. */
static int round_short(met_decimal value, uint32_t places, unsigned mode,
                       met_decimal *out)
{
    met__wide digits = met__decimal_coefficient(value);
    int drop = -(int)places - met__decimal_exponent(value);
    int negative = met__decimal_sign(value);
    int is_up = 0;

    if (drop >= MET__POWERS_OF_TEN || digits >> 64 != 0) {
        return 0;
    }
    uint64_t unit = met__powers_of_ten[drop];
    uint64_t whole = (uint64_t)digits / unit;
    uint64_t rest = (uint64_t)digits % unit; /* twice it has 61 bits at most */
    if (mode == HALF_AWAY) {
        is_up = 2 * rest >= unit;
    } else if (mode == HALF_EVEN) {
        is_up = 2 * rest > unit || (2 * rest == unit && whole % 2 != 0);
    } else if (mode != TO_ZERO) {
        is_up = rest != 0 && (mode == TO_FLOOR) == negative;
    }
    *out = clean(
        met__decimal_make(negative, (met__wide)whole + (met__wide)is_up,
                          -(int)places));
    return 1;
}

/* --- Comparing ------------------------------------------------------------ */
int met__decimal_is_negative(met_decimal value)
{
    return met__decimal_sign(value) && met__decimal_coefficient(value) != 0;
}

int met__decimal_compare(met_decimal a, met_decimal b)
{
    unsigned flags = 0;
    met__wide left;
    met__wide right;
    int power;

    if (met__decimal_sign(a) == met__decimal_sign(b)
        && align_short(a, b, &left, &right, &power)) {
        int order = (left > right) - (left < right);
        return met__decimal_sign(a) ? -order : order;
    }
    if (bid128_quiet_less(to_bid(a), to_bid(b), &flags)) {
        return -1;
    }
    return bid128_quiet_greater(to_bid(a), to_bid(b), &flags) ? 1 : 0;
}

met_decimal met__decimal_negate(met_decimal value)
{
    return met__decimal_coefficient(value) == 0
               ? met__decimal_zero()
               : met__decimal_make(!met__decimal_sign(value),
                                   met__decimal_coefficient(value),
                                   met__decimal_exponent(value));
}

/* --- Arithmetic ----------------------------------------------------------- */
typedef enum operation { MULTIPLY, DIVIDE } operation;

static met_error exact(BID_UINT128 result, unsigned flags, met_decimal *out)
{
    if (flags != 0) { /* of finite numbers, so also when the result is not */
        return MET_E_OVERFLOW;
    }
    *out = clean(from_bid(result));
    return MET_OK;
}

met_error met__decimal_add(met_decimal a, met_decimal b, met_decimal *out)
{
    unsigned flags = 0;

    if (add_short(a, b, out)) {
        return MET_OK;
    }
    BID_UINT128 sum = bid128_add(to_bid(a), to_bid(b), HALF_EVEN, &flags);
    return exact(sum, flags, out);
}

met_error met__decimal_subtract(met_decimal a, met_decimal b, met_decimal *out)
{
    return met__decimal_add(a, met__decimal_negate(b), out);
}

met_error met__decimal_multiply(met_decimal a, met_decimal b, met_decimal *out)
{
    unsigned flags = 0;

    if (multiply_short(a, b, out)) {
        return MET_OK;
    }
    BID_UINT128 product = bid128_mul(to_bid(a), to_bid(b), HALF_EVEN, &flags);
    return exact(product, flags, out);
}

static met_decimal apply(operation what, met_decimal a, met_decimal b,
                         unsigned mode, unsigned *flags)
{
    *flags = 0;
    return from_bid(what == MULTIPLY
                        ? bid128_mul(to_bid(a), to_bid(b), mode, flags)
                        : bid128_div(to_bid(a), to_bid(b), mode, flags));
}

static met_error quantize(met_decimal value, uint32_t places, unsigned mode,
                          met_decimal *out)
{
    unsigned flags = 0;
    met_decimal quantum = met__decimal_make(0, 1, -(int)places);
    met_decimal rounded = from_bid(
        bid128_quantize(to_bid(value), to_bid(quantum), mode, &flags));

    if ((flags & FLAG_INVALID) != 0) { /* it was rounded up to 35 digits */
        return MET_E_OVERFLOW;
    }
    *out = clean(rounded);
    return MET_OK;
}

/* One rounding of the infinitely precise result: truncate to 34 digits, let
 * the last digit say "there is more", then round to the places. */
static met_error rounded_once(operation what, met_decimal a, met_decimal b,
                              uint32_t places, uint32_t rounding,
                              met_decimal *out)
{
    unsigned flags;
    unsigned mode =
        native_mode(rounding, met__decimal_sign(a) != met__decimal_sign(b));

    MET__ASSERT(out != NULL);
    if (mode > HALF_AWAY || places > MET_DECIMAL_PLACES_MAX) {
        return MET_E_INVALID;
    }
    met_decimal value;
    if (what == MULTIPLY && multiply_short(a, b, &value)) {
        return met__decimal_round(value, places, rounding, out);
    }
    value = apply(what, a, b, TO_ZERO, &flags);
    if ((flags & (FLAG_INVALID | FLAG_ZERO_DIVIDE)) != 0) {
        return MET_E_INVALID;
    }
    if ((flags & FLAG_OVERFLOW) != 0) {
        return MET_E_OVERFLOW;
    }
    if ((flags & FLAG_INEXACT) == 0) {
        return met__decimal_round(value, places, rounding, out);
    }
    int power = met__decimal_exponent(value);
    if (power > -(int)places) {
        return MET_E_OVERFLOW;
    }
    if (power == -(int)places) {
        value = apply(what, a, b, mode, &flags);
    } else if (met__decimal_coefficient(value) % 5 == 0) {
        value = met__decimal_make(met__decimal_sign(value),
                                  met__decimal_coefficient(value) + 1, power);
    }
    return quantize(value, places, mode, out);
}

met_error met__decimal_multiply_rounded(met_decimal a, met_decimal b,
                                        uint32_t places, uint32_t rounding,
                                        met_decimal *out)
{
    return rounded_once(MULTIPLY, a, b, places, rounding, out);
}

met_error met__decimal_divide(met_decimal a, met_decimal b, uint32_t places,
                              uint32_t rounding, met_decimal *out)
{
    return rounded_once(DIVIDE, a, b, places, rounding, out);
}

met_error met__decimal_round(met_decimal value, uint32_t places,
                             uint32_t rounding, met_decimal *out)
{
    unsigned mode = native_mode(rounding, met__decimal_sign(value));

    MET__ASSERT(out != NULL);
    if (mode > HALF_AWAY || places > MET_DECIMAL_PLACES_MAX) {
        return MET_E_INVALID;
    }
    if (met__decimal_exponent(value) >= -(int)places) {
        *out = clean(value); /* nothing to round, and no digits to add */
        return MET_OK;
    }
    return round_short(value, places, mode, out)
               ? MET_OK
               : quantize(value, places, mode, out);
}

met_error met__decimal_divide_peer(met_decimal a, met_decimal b,
                                   met_decimal *out)
{
    met_decimal quotient;
    met_decimal twelve;
    met_decimal product;

    if (met__decimal_is_zero(b)) {
        return MET_E_INVALID;
    }
    met_error error = met__decimal_divide(a, b, 12, MET_ROUND_DOWN, &twelve);
    if (error == MET_OK
        && met__decimal_multiply(twelve, b, &product) == MET_OK
        && met__decimal_compare(product, a) == 0) {
        *out = twelve;
        return MET_OK;
    }
    error = met__decimal_divide(a, b, 16, MET_ROUND_HALF_AWAY, &quotient);
    if (error == MET_OK) {
        *out = quotient;
    }
    return error;
}

met_error met__decimal_divide_whole(met_decimal a, met_decimal b,
                                    met_decimal *quotient_out,
                                    met_decimal *remainder_out)
{
    unsigned flags = 0;
    met_decimal quotient;
    met_decimal remainder;

    if (met__decimal_is_zero(b) || met__decimal_is_negative(b)) {
        return MET_E_INVALID;
    }
    met_error error = met__decimal_divide(a, b, 0, MET_ROUND_FLOOR, &quotient);
    if (error != MET_OK) {
        return error;
    }
    BID_UINT128 rest = bid128_fma(to_bid(met__decimal_negate(quotient)),
                                  to_bid(b), to_bid(a), HALF_EVEN, &flags);
    /* Below b, and no finer than a and b are: it has the digits of one. */
    error = exact(rest, flags, &remainder);
    MET__ASSERT(error == MET_OK);
    *quotient_out = quotient;
    *remainder_out = remainder;
    return MET_OK;
}
