/* Amounts of usage inside the room: 128-bit integers of 10^-9, two words, low
 * first. A quantity has at most 15 digits before the point and 9 behind it, so
 * a sum is exact for 10^10 of the greatest ones and refused beyond. */
#ifndef MET_METER_AMOUNT_H
#define MET_METER_AMOUNT_H

#include <stdint.h>

#include "base/decimal.h"

#define MET__AMOUNT_PLACES 9

__extension__ typedef __int128 met__wide;
__extension__ typedef unsigned __int128 met__unsigned_wide;

static inline met__wide met__amount_get(const uint64_t *words)
{
    return (met__wide)((met__unsigned_wide)words[1] << 64 | words[0]);
}

static inline void met__amount_set(uint64_t *words, met__wide value)
{
    words[0] = (uint64_t)value;
    words[1] = (uint64_t)((met__unsigned_wide)value >> 64);
}

/* 10^power, power <= 38. */
static inline met__wide met__amount_power(int power)
{
    met__wide value = 1;

    for (; power > 0; power--) {
        value *= 10;
    }
    return value;
}

/* Sums stay below 10^34, which a decimal can hold. 0 when this one would
 * not; *sum is then as it was. */
static inline int met__amount_add(met__wide *sum, met__wide value)
{
    /* 10^34 = 0x1ed09bead87c0378d8e6400000000 */
    const met__wide end = (met__wide)((met__unsigned_wide)0x1ed09bead87c0
                                          << 64
                                      | 0x378d8e6400000000);
    met__wide added;

    if (__builtin_add_overflow(*sum, value, &added) || added >= end
        || added <= -end) {
        return 0;
    }
    *sum = added;
    return 1;
}

/* |value| < 10^24: 15 digits and 9. */
static inline int met__amount_is_quantity(met__wide value)
{
    /* 10^24 = 0xd3c21bcecceda1000000 */
    const met__wide end = (met__wide)((met__unsigned_wide)0xd3c2 << 64
                                      | 0x1bcecceda1000000);
    return value < end && value > -end;
}

/* The same of a decimal. */
static inline int met__decimal_is_quantity(met_decimal value)
{
    uint64_t words[2];

    return met__decimal_to_wide(value, MET__AMOUNT_PLACES, words) == MET_OK
           && met__amount_is_quantity(met__amount_get(words));
}

static inline met_error met__amount_to_decimal(met__wide value,
                                               met_decimal *out)
{
    uint64_t words[2];

    met__amount_set(words, value);
    return met__decimal_from_wide(words, MET__AMOUNT_PLACES, out);
}

#endif
