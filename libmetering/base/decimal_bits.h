/* The bits of a decimal: sign 1, exponent 14, coefficient 113. For the files
 * that compute with them. */
#ifndef MET_BASE_DECIMAL_BITS_H
#define MET_BASE_DECIMAL_BITS_H

#include "base/decimal.h"

__extension__ typedef unsigned __int128 met__wide;

#define MET__DECIMAL_BIAS 6176 /* what the exponent's bits are above it */

static inline met__wide met__decimal_coefficient(met_decimal value)
{
    return (met__wide)(value.bits[1] & ((UINT64_C(1) << 49) - 1)) << 64
           | value.bits[0];
}

static inline int met__decimal_exponent(met_decimal value)
{
    return (int)(value.bits[1] >> 49 & 0x3fff) - MET__DECIMAL_BIAS;
}

static inline int met__decimal_sign(met_decimal value)
{
    return (int)(value.bits[1] >> 63);
}

static inline met_decimal met__decimal_make(int negative, met__wide digits,
                                            int power)
{
    return (met_decimal){
        {(uint64_t)digits,
         (uint64_t)negative << 63
             | (uint64_t)(power + MET__DECIMAL_BIAS) << 49
             | (uint64_t)(digits >> 64)}};
}

/* 10^34: one more than the largest coefficient. */
static inline met__wide met__decimal_digits_end(void)
{
    return (met__wide)UINT64_C(100000000000000000)
           * UINT64_C(100000000000000000);
}

#define MET__POWERS_OF_TEN 19
extern const uint64_t met__powers_of_ten[MET__POWERS_OF_TEN];

#endif
