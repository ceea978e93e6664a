/* Exact decimals for the rooms: the public calls plus what engines need.
 * decimal.c is the only includer of the decimal library. Values are finite
 * and canonical; a zero carries no sign. */
#ifndef MET_BASE_DECIMAL_H
#define MET_BASE_DECIMAL_H

#include "base/bytes.h"
#include "metering/decimal.h"

/* Archive and rounding self-test: 1/3 must set the inexact flag. Called at
 * every open; MET_E_BUG when the wrong archive variant was linked. */
met_error met__decimal_self_test(void);

/* Finite and canonical: what a value from outside must be. */
int met__decimal_is_valid(met_decimal value);
/* The one zero that there is: no sign, exponent 0. */
#define MET__DECIMAL_ZERO_HIGH (UINT64_C(6176) << 49)
static inline met_decimal met__decimal_zero(void)
{
    return (met_decimal){{0, MET__DECIMAL_ZERO_HIGH}};
}
met_decimal met__decimal_from_i64(int64_t value);
/* coefficient * 10^-places, places 0..18. */
met_decimal met__decimal_from_scaled(int64_t coefficient, uint32_t places);
/* Exact integer value, MET_E_INVALID when there is a fraction, MET_E_OVERFLOW
 * beyond int64. */
met_error met__decimal_to_i64(met_decimal value, int64_t *value_out);
/* value * 10^places rounded by `rounding` into int64. */
met_error met__decimal_to_scaled(met_decimal value, uint32_t places,
                                 uint32_t rounding, int64_t *value_out);

/* value * 10^places as a signed 128-bit integer, low word first.
 * MET_E_INVALID when digits would be lost, MET_E_OVERFLOW beyond 34 digits. */
met_error met__decimal_to_wide(met_decimal value, uint32_t places,
                               uint64_t words_out[2]);
/* And back, without trailing zeros of the fraction. MET_E_OVERFLOW: more than
 * 34 digits. */
met_error met__decimal_from_wide(const uint64_t words[2], uint32_t places,
                                 met_decimal *value_out);

met_error met__decimal_parse(met__text text, met_decimal *value_out);
/* Plain notation without needless zeros. */
met_error met__decimal_print(met_decimal value, met__buffer *buffer);
/* 1: met__decimal_print surely takes it; known without printing. */
int met__decimal_is_printable(met_decimal value);
/* Exactly `places` decimals ("1.00"); MET_E_INVALID if digits would be lost. */
met_error met__decimal_print_fixed(met_decimal value, uint32_t places,
                                   met__buffer *buffer);

/* Operands must be values of this library (not checked again). */
int met__decimal_compare(met_decimal a, met_decimal b);
static inline int met__decimal_is_zero(met_decimal value)
{
    return value.bits[0] == 0 && value.bits[1] << 15 == 0; /* coefficient 0 */
}
int met__decimal_is_negative(met_decimal value); /* 0 is not */
met_decimal met__decimal_negate(met_decimal value);
met_error met__decimal_add(met_decimal a, met_decimal b, met_decimal *out);
met_error met__decimal_subtract(met_decimal a, met_decimal b,
                                met_decimal *out);
met_error met__decimal_multiply(met_decimal a, met_decimal b,
                                met_decimal *out);
/* Rounded once, from the infinitely precise result (recipe G). */
met_error met__decimal_multiply_rounded(met_decimal a, met_decimal b,
                                        uint32_t places, uint32_t rounding,
                                        met_decimal *out);
met_error met__decimal_divide(met_decimal a, met_decimal b, uint32_t places,
                              uint32_t rounding, met_decimal *out);
met_error met__decimal_round(met_decimal value, uint32_t places,
                             uint32_t rounding, met_decimal *out);
/* The peer's Div: exact when the quotient fits 12 decimals, otherwise rounded
 * half away from zero to 16 decimals. */
met_error met__decimal_divide_peer(met_decimal a, met_decimal b,
                                   met_decimal *out);
/* Whole quotient floor(a / b) and exact remainder a - quotient * b, b > 0. */
met_error met__decimal_divide_whole(met_decimal a, met_decimal b,
                                    met_decimal *quotient_out,
                                    met_decimal *remainder_out);

#endif
