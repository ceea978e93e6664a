/* Decimals as 128-bit integers of a fixed unit and back: how usage is added up
 * where every nanosecond counts. Exact, or an error. */
#include "base/decimal.h"

#include "base/check.h"

__extension__ typedef unsigned __int128 wide;

#define BIAS 6176
#define PLACES_MAX 18

/* 10^34: one more than the largest coefficient. */
static wide end_of_digits(void)
{
    return (wide)UINT64_C(100000000000000000) * UINT64_C(100000000000000000);
}

static const uint64_t powers[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

met_error met__decimal_to_wide(met_decimal value, uint32_t places,
                               uint64_t words_out[2])
{
    MET__ASSERT(places <= PLACES_MAX && words_out != NULL);
    if (!met__decimal_is_valid(value)) {
        return MET_E_INVALID;
    }
    wide digits = (wide)(value.bits[1] & ((UINT64_C(1) << 49) - 1)) << 64
                  | value.bits[0];
    int power = (int)(value.bits[1] >> 49 & 0x3fff) - BIAS + (int)places;

    if (digits == 0) {
        power = 0;
    }
    if (power >= 0 && power <= 9 && digits >> 64 == 0) {
        digits *= powers[power]; /* the common case: at most 94 bits */
        power = 0;
    }
    for (; power > 0 && digits < end_of_digits(); power--) {
        digits *= 10;
    }
    for (; power < 0; power++) {
        if (digits % 10 != 0) {
            return MET_E_INVALID;
        }
        digits /= 10;
    }
    if (digits >= end_of_digits()) {
        return MET_E_OVERFLOW;
    }
    if (value.bits[1] >> 63) {
        digits = 0 - digits;
    }
    words_out[0] = (uint64_t)digits;
    words_out[1] = (uint64_t)(digits >> 64);
    return MET_OK;
}

met_error met__decimal_from_wide(const uint64_t words[2], uint32_t places,
                                 met_decimal *value_out)
{
    wide digits = (wide)words[1] << 64 | words[0];
    uint64_t sign = words[1] >> 63;

    MET__ASSERT(places <= PLACES_MAX && value_out != NULL);
    if (sign) {
        digits = 0 - digits;
    }
    if (digits == 0) {
        *value_out = met__decimal_zero();
        return MET_OK;
    }
    for (; places > 0 && digits % 10 == 0; places--) {
        digits /= 10;
    }
    if (digits >= end_of_digits()) {
        return MET_E_OVERFLOW;
    }
    *value_out = (met_decimal){
        {(uint64_t)digits, sign << 63 | (uint64_t)(BIAS - places) << 49
                               | (uint64_t)(digits >> 64)}};
    return MET_OK;
}
