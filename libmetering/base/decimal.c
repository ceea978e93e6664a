/* Exact decimal128 arithmetic: the only includer of the decimal library.
 * In and out: finite canonical values, a zero always as plain +0. A result is
 * exact, or rounded once where places and mode are named, or MET_E_OVERFLOW.
 * Texts never reach the library's own parser, which accepts too much. */
#include "base/decimal.h"

#define DECIMAL_CALL_BY_REFERENCE 0
#define DECIMAL_GLOBAL_ROUNDING 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0
#include <bid_conf.h>
#include <bid_functions.h>

#include "base/check.h"

__extension__ typedef unsigned __int128 wide;

#define FLAG_INVALID 0x01u
#define FLAG_ZERO_DIVIDE 0x04u
#define FLAG_OVERFLOW 0x08u
#define FLAG_INEXACT 0x20u
#define BIAS 6176
#define HALF_EVEN 0u
#define TO_ZERO 3u
/* Powers of ten a text may reach: its exponent and all its digits. */
#define SHIFT_MAX (MET_DECIMAL_EXPONENT_MAX + MET_DECIMAL_DIGITS_MAX)

/* --- Bits: sign 1, exponent 14, coefficient 113 ---------------------------- */
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

static wide coefficient(met_decimal value)
{
    return (wide)(value.bits[1] & ((UINT64_C(1) << 49) - 1)) << 64
           | value.bits[0];
}

static int exponent(met_decimal value)
{
    return (int)(value.bits[1] >> 49 & 0x3fff) - BIAS;
}

static int sign_bit(met_decimal value)
{
    return (int)(value.bits[1] >> 63);
}

static met_decimal make(int negative, wide digits, int power)
{
    return (met_decimal){
        {(uint64_t)digits,
         (uint64_t)negative << 63 | (uint64_t)(power + BIAS) << 49
             | (uint64_t)(digits >> 64)}};
}

/* 10^34: one more than the largest coefficient. */
static wide coefficient_end(void)
{
    return (wide)UINT64_C(100000000000000000) * UINT64_C(100000000000000000);
}

static int is_finite(met_decimal value)
{
    return (value.bits[1] >> 61 & 3) != 3;
}

int met__decimal_is_valid(met_decimal value)
{
    return is_finite(value) && coefficient(value) < coefficient_end();
}

met_decimal met__decimal_zero(void)
{
    return make(0, 0, 0);
}

/* A zero loses sign and exponent. */
static met_decimal clean(met_decimal value)
{
    return coefficient(value) == 0 ? met__decimal_zero() : value;
}

/* --- Rounding modes -------------------------------------------------------- */
/* The library's mode; away from zero depends on the sign. 5 = unknown. */
static unsigned native_mode(uint32_t rounding, int negative)
{
    switch (rounding) {
    case MET_ROUND_HALF_AWAY:
        return 4;
    case MET_ROUND_HALF_EVEN:
        return HALF_EVEN;
    case MET_ROUND_DOWN:
        return TO_ZERO;
    case MET_ROUND_UP:
        return negative ? 1 : 2;
    case MET_ROUND_FLOOR:
        return 1;
    case MET_ROUND_CEILING:
        return 2;
    default:
        return 5;
    }
}

met_error met__decimal_self_test(void)
{
    unsigned flags = 0;

    (void)bid128_div(to_bid(make(0, 1, 0)), to_bid(make(0, 3, 0)), HALF_EVEN,
                     &flags);
    return flags == FLAG_INEXACT ? MET_OK : MET_E_BUG;
}

/* --- Integers -------------------------------------------------------------- */
met_decimal met__decimal_from_scaled(int64_t value, uint32_t places)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    return clean(make(value < 0, size, -(int)places));
}

met_decimal met__decimal_from_i64(int64_t value)
{
    return met__decimal_from_scaled(value, 0);
}

met_error met__decimal_to_i64(met_decimal value, int64_t *value_out)
{
    wide digits = coefficient(value);
    int power = exponent(value);

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
    wide most = (wide)INT64_MAX + (wide)sign_bit(value);
    for (; power > 0 && digits <= most; power--) {
        digits *= 10;
    }
    if (digits > most) {
        return MET_E_OVERFLOW;
    }
    *value_out = sign_bit(value) ? (int64_t)(0 - (uint64_t)digits)
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
    if (coefficient(rounded) == 0) {
        *value_out = 0;
        return MET_OK;
    }
    int power = exponent(rounded) + (int)places;
    if (power > 40) {
        return MET_E_OVERFLOW;
    }
    return met__decimal_to_i64(make(sign_bit(rounded), coefficient(rounded),
                                    power),
                               value_out);
}

/* --- Text ------------------------------------------------------------------ */
typedef struct scan {
    wide digits;
    int64_t count; /* significant digits so far */
    int64_t power; /* of ten */
    int64_t zeros; /* pending: they count only if another digit follows */
} scan;

static int add_digit(scan *s, int digit, int is_fraction)
{
    s->power -= is_fraction;
    if (digit == 0) {
        s->zeros += s->count > 0;
        return 1;
    }
    int64_t length = s->count + s->zeros + 1;
    if (length > MET_DECIMAL_DIGITS_MAX) {
        return 0;
    }
    for (; s->zeros > 0; s->zeros--) {
        s->digits *= 10;
    }
    s->digits = s->digits * 10 + (unsigned)digit;
    s->count = length;
    return 1;
}

/* [+-]?digits after the e; bounded. */
static met_error scan_exponent(const char **at, const char *end, int *power)
{
    int negative = 0;
    int value = 0;

    if (*at < end && (**at == '+' || **at == '-')) {
        negative = **at == '-';
        (*at)++;
    }
    if (*at >= end) {
        return MET_E_INVALID;
    }
    for (; *at < end; (*at)++) {
        if (**at < '0' || **at > '9') {
            return MET_E_INVALID;
        }
        if (value <= MET_DECIMAL_EXPONENT_MAX) {
            value = value * 10 + (**at - '0');
        }
    }
    *power = negative ? -value : value;
    return value > MET_DECIMAL_EXPONENT_MAX ? MET_E_OVERFLOW : MET_OK;
}

/* All digits of a run; `is_long` when there are more than 34 that count. */
static int scan_run(const char **at, const char *end, scan *s, int is_fraction,
                    int *is_long)
{
    const char *start = *at;

    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (!*is_long && !add_digit(s, **at - '0', is_fraction)) {
            *is_long = 1;
        }
    }
    return *at > start;
}

met_error met__decimal_parse(met__text text, met_decimal *value_out)
{
    const char *at = text.data;
    const char *end = text.data + text.size;
    scan s = {0};
    int is_long = 0;
    int power = 0;
    int negative = 0;

    MET__ASSERT(value_out != NULL);
    if (text.size == 0) {
        return MET_E_INVALID;
    }
    if (*at == '-') {
        negative = 1;
        at++;
    }
    if (!scan_run(&at, end, &s, 0, &is_long)) {
        return MET_E_INVALID;
    }
    if (at < end && *at == '.') {
        at++;
        if (!scan_run(&at, end, &s, 1, &is_long)) {
            return MET_E_INVALID;
        }
    }
    met_error error = MET_OK;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        error = scan_exponent(&at, end, &power);
    }
    if (at != end || error == MET_E_INVALID) {
        return MET_E_INVALID;
    }
    if (is_long || error != MET_OK) {
        return MET_E_OVERFLOW;
    }
    if (s.count == 0) {
        *value_out = met__decimal_zero();
        return MET_OK;
    }
    int64_t shift = s.power + power + s.zeros;
    if (shift < -SHIFT_MAX || shift > SHIFT_MAX) {
        return MET_E_OVERFLOW;
    }
    *value_out = make(negative, s.digits, (int)shift);
    return MET_OK;
}

/* Digits of the coefficient, most significant first; returns their count. */
static int digits_of(wide value, char out[40])
{
    char reversed[40];
    int count = 0;

    do {
        reversed[count++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value != 0);
    for (int i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}

/* Plain notation with at least `places_min` decimals. */
static met_error print(met_decimal value, int places_min, met__buffer *buffer)
{
    char digits[40];
    wide whole = coefficient(value);
    int power = exponent(value);

    while (power < -places_min && whole != 0 && whole % 10 == 0) {
        whole /= 10;
        power++;
    }
    if (whole == 0) {
        power = -places_min;
    }
    int count = digits_of(whole, digits);
    int places = power < 0 ? -power : 0;
    int shown = places > places_min ? places : places_min;
    int integer = count + power; /* digits before the point */
    /* sign, at least one digit, point, decimals, NUL */
    if (1 + (integer > 0 ? integer : 1) + (shown > 0) + shown + 1
        > MET_DECIMAL_TEXT_SIZE) {
        return MET_E_OVERFLOW;
    }
    if (sign_bit(value) && whole != 0) {
        met__buffer_byte(buffer, '-');
    }
    if (integer <= 0) {
        met__buffer_byte(buffer, '0');
    }
    for (int i = 0; i < integer; i++) {
        met__buffer_byte(buffer, i < count ? digits[i] : '0');
    }
    for (int i = 0; i < shown; i++) {
        int at = integer + i;
        if (i == 0) {
            met__buffer_byte(buffer, '.');
        }
        met__buffer_byte(buffer,
                         at >= 0 && at < count ? digits[at] : '0');
    }
    return buffer->error;
}

met_error met__decimal_print(met_decimal value, met__buffer *buffer)
{
    MET__ASSERT(met__decimal_is_valid(value) && buffer != NULL);
    return print(value, 0, buffer);
}

met_error met__decimal_print_fixed(met_decimal value, uint32_t places,
                                   met__buffer *buffer)
{
    met_decimal rounded;

    MET__ASSERT(met__decimal_is_valid(value) && buffer != NULL);
    met_error error = met__decimal_round(value, places, MET_ROUND_DOWN,
                                         &rounded);
    if (error != MET_OK) {
        return error;
    }
    if (met__decimal_compare(rounded, value) != 0) {
        return MET_E_INVALID;
    }
    return print(rounded, (int)places, buffer);
}

/* --- Comparing ------------------------------------------------------------- */
int met__decimal_is_zero(met_decimal value)
{
    return coefficient(value) == 0;
}

int met__decimal_is_negative(met_decimal value)
{
    return sign_bit(value) && coefficient(value) != 0;
}

int met__decimal_compare(met_decimal a, met_decimal b)
{
    unsigned flags = 0;

    if (bid128_quiet_less(to_bid(a), to_bid(b), &flags)) {
        return -1;
    }
    return bid128_quiet_greater(to_bid(a), to_bid(b), &flags) ? 1 : 0;
}

met_decimal met__decimal_negate(met_decimal value)
{
    return coefficient(value) == 0
               ? met__decimal_zero()
               : make(!sign_bit(value), coefficient(value), exponent(value));
}

/* --- Arithmetic ------------------------------------------------------------ */
typedef enum operation { MULTIPLY, DIVIDE } operation;

static met_error exact(BID_UINT128 result, unsigned flags, met_decimal *out)
{
    met_decimal value = from_bid(result);

    if (flags != 0 || !is_finite(value)) {
        return MET_E_OVERFLOW;
    }
    *out = clean(value);
    return MET_OK;
}

met_error met__decimal_add(met_decimal a, met_decimal b, met_decimal *out)
{
    unsigned flags = 0;
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
    met_decimal quantum = make(0, 1, -(int)places);
    met_decimal rounded = from_bid(
        bid128_quantize(to_bid(value), to_bid(quantum), mode, &flags));

    if ((flags & FLAG_INVALID) != 0 || !is_finite(rounded)) {
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
    unsigned mode = native_mode(rounding, sign_bit(a) != sign_bit(b));

    MET__ASSERT(out != NULL);
    if (mode > 4 || places > MET_DECIMAL_PLACES_MAX) {
        return MET_E_INVALID;
    }
    met_decimal value = apply(what, a, b, TO_ZERO, &flags);
    if ((flags & (FLAG_INVALID | FLAG_ZERO_DIVIDE)) != 0) {
        return MET_E_INVALID;
    }
    if ((flags & FLAG_OVERFLOW) != 0 || !is_finite(value)) {
        return MET_E_OVERFLOW;
    }
    if ((flags & FLAG_INEXACT) == 0) {
        return met__decimal_round(value, places, rounding, out);
    }
    int power = exponent(value);
    if (power > -(int)places) {
        return MET_E_OVERFLOW;
    }
    if (power == -(int)places) {
        value = apply(what, a, b, mode, &flags);
    } else if (coefficient(value) % 5 == 0) {
        value = make(sign_bit(value), coefficient(value) + 1, power);
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
    unsigned mode = native_mode(rounding, sign_bit(value));

    MET__ASSERT(out != NULL);
    if (mode > 4 || places > MET_DECIMAL_PLACES_MAX) {
        return MET_E_INVALID;
    }
    if (exponent(value) >= -(int)places) {
        *out = clean(value); /* nothing to round, and no digits to add */
        return MET_OK;
    }
    return quantize(value, places, mode, out);
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
    error = exact(rest, flags, &remainder);
    if (error == MET_OK) {
        *quotient_out = quotient;
        *remainder_out = remainder;
    }
    return error;
}
