/* Decimals as 128-bit integers of a fixed unit and back: how usage is added up
 * where every nanosecond counts. Exact, or an error. */
#include "base/check.h"
#include "base/decimal_bits.h"

#define PLACES_MAX 18

met_error met__decimal_to_wide(met_decimal value, uint32_t places,
                               uint64_t words_out[2])
{
    MET__ASSERT(places <= PLACES_MAX && words_out != NULL);
    if (!met__decimal_is_valid(value)) {
        return MET_E_INVALID;
    }
    met__wide digits = met__decimal_coefficient(value);
    int power = met__decimal_exponent(value) + (int)places;

    if (digits == 0) {
        power = 0;
    }
    if (power >= 0 && power <= 9 && digits >> 64 == 0) {
        /* the common case: at most 94 bits */
        digits *= met__powers_of_ten[power];
        power = 0;
    }
    for (; power > 0 && digits < met__decimal_digits_end(); power--) {
        digits *= 10;
    }
    for (; power < 0; power++) {
        if (digits % 10 != 0) {
            return MET_E_INVALID;
        }
        digits /= 10;
    }
    if (digits >= met__decimal_digits_end()) {
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
    met__wide digits = (met__wide)words[1] << 64 | words[0];
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
    if (digits >= met__decimal_digits_end()) {
        return MET_E_OVERFLOW;
    }
    *value_out = met__decimal_make((int)sign, digits, -(int)places);
    return MET_OK;
}
