/* decimal.h: exact arithmetic for callers, arguments checked. */
#include "metering/decimal.h"

#include "base/decimal.h"

static int are_valid(const met_decimal *a, const met_decimal *b,
                     const void *out)
{
    return a != NULL && b != NULL && out != NULL && met__decimal_is_valid(*a)
           && met__decimal_is_valid(*b);
}

met_error met_decimal_parse(const char *text, size_t text_size,
                            met_decimal *value_out)
{
    if (text == NULL || value_out == NULL) {
        return MET_E_INVALID;
    }
    return met__decimal_parse(met__text_of(text, text_size), value_out);
}

met_error met_decimal_format(const met_decimal *value, char *text_out,
                             size_t *size_out)
{
    met__platform platform;
    met__buffer buffer;

    if (!are_valid(value, value, text_out)) {
        return MET_E_INVALID;
    }
    /* The value's digits go straight into the caller's bytes. */
    met_error error = met__platform_init(&platform, NULL, NULL);
    if (error != MET_OK) {
        return error;
    }
    buffer = (met__buffer){.platform = &platform,
                           .data = text_out,
                           .capacity = MET_DECIMAL_TEXT_SIZE};
    error = met__decimal_print(*value, &buffer);
    if (error == MET_OK && size_out != NULL) {
        *size_out = buffer.size;
    }
    return error;
}

met_error met_decimal_add(const met_decimal *a, const met_decimal *b,
                          met_decimal *value_out)
{
    return are_valid(a, b, value_out) ? met__decimal_add(*a, *b, value_out)
                                      : MET_E_INVALID;
}

met_error met_decimal_subtract(const met_decimal *a, const met_decimal *b,
                               met_decimal *value_out)
{
    return are_valid(a, b, value_out)
               ? met__decimal_subtract(*a, *b, value_out)
               : MET_E_INVALID;
}

met_error met_decimal_multiply(const met_decimal *a, const met_decimal *b,
                               met_decimal *value_out)
{
    return are_valid(a, b, value_out)
               ? met__decimal_multiply(*a, *b, value_out)
               : MET_E_INVALID;
}

met_error met_decimal_divide(const met_decimal *a, const met_decimal *b,
                             uint32_t places, uint32_t rounding,
                             met_decimal *value_out)
{
    return are_valid(a, b, value_out)
               ? met__decimal_divide(*a, *b, places, rounding, value_out)
               : MET_E_INVALID;
}

met_error met_decimal_round(const met_decimal *value, uint32_t places,
                            uint32_t rounding, met_decimal *value_out)
{
    return are_valid(value, value, value_out)
               ? met__decimal_round(*value, places, rounding, value_out)
               : MET_E_INVALID;
}

met_error met_decimal_compare(const met_decimal *a, const met_decimal *b,
                              int32_t *order_out)
{
    if (!are_valid(a, b, order_out)) {
        return MET_E_INVALID;
    }
    *order_out = met__decimal_compare(*a, *b);
    return MET_OK;
}
