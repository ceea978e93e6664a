/* Decimals as text and back. Texts never reach the decimal library's own
 * parser, which accepts too much. */
#include "base/check.h"
#include "base/decimal_bits.h"

/* Powers of ten a text may reach: its exponent and all its digits. */
#define SHIFT_MAX (MET_DECIMAL_EXPONENT_MAX + MET_DECIMAL_DIGITS_MAX)

typedef struct scan {
    met__wide digits;
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
    *value_out = met__decimal_make(negative, s.digits, (int)shift);
    return MET_OK;
}

/* Digits of the coefficient, most significant first; returns their count. A
 * division of 128 bits costs ten of 64, and nearly all fit into these. */
static int digits_of(met__wide value, char out[40])
{
    char reversed[40];
    uint64_t low;
    int count = 0;

    while (value > UINT64_MAX) {
        reversed[count++] = (char)('0' + (int)(value % 10));
        value /= 10;
    }
    low = (uint64_t)value;
    do {
        reversed[count++] = (char)('0' + (int)(low % 10));
        low /= 10;
    } while (low != 0);
    for (int i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}

/* Zeros at the end that are behind the last of these places go. */
static met__wide without_zeros(met__wide whole, int places_min, int *power)
{
    while (*power < -places_min && whole > UINT64_MAX && whole % 10 == 0) {
        whole /= 10;
        ++*power;
    }
    if (whole <= UINT64_MAX) {
        uint64_t low = (uint64_t)whole;
        while (*power < -places_min && low != 0 && low % 10 == 0) {
            low /= 10;
            ++*power;
        }
        whole = low;
    }
    return whole;
}

/* Plain notation with at least `places_min` decimals. */
static met_error print(met_decimal value, int places_min, met__buffer *buffer)
{
    char digits[40];
    char text[MET_DECIMAL_TEXT_SIZE];
    size_t size = 0;
    int power = met__decimal_exponent(value);
    met__wide whole =
        without_zeros(met__decimal_coefficient(value), places_min, &power);

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
    if (met__decimal_sign(value) && whole != 0) {
        text[size++] = '-';
    }
    if (integer <= 0) {
        text[size++] = '0';
    }
    for (int i = 0; i < integer; i++) {
        text[size++] = i < count ? digits[i] : '0';
    }
    for (int i = 0; i < shown; i++) {
        int at = integer + i;
        if (i == 0) {
            text[size++] = '.';
        }
        text[size++] = at >= 0 && at < count ? digits[at] : '0';
    }
    met__buffer_append(buffer, text, size);
    return buffer->error;
}

met_error met__decimal_print(met_decimal value, met__buffer *buffer)
{
    MET__ASSERT(met__decimal_is_valid(value) && buffer != NULL);
    return print(value, 0, buffer);
}

/* Sign, 34 digits and zeros up to the point, or "0." and the decimals. */
int met__decimal_is_printable(met_decimal value)
{
    int power = met__decimal_exponent(value);

    return power <= MET_DECIMAL_TEXT_SIZE - 2 - MET_DECIMAL_DIGITS_MAX
           && power >= -(MET_DECIMAL_TEXT_SIZE - 4);
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
