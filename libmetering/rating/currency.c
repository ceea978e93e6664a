/* Currencies: how many decimals an amount has, and how people read it.
 *
 * Rule: rounding is half away from zero at the currency's minor unit, for
 * custom currencies too (OpenMeter, pkg/currencyx; its README speaks of
 * bankers' rounding, its code and tests do not). Custom codes as there. */
#include "base/check.h"
#include "rating/currency_table.h"
#include "rating/rating_parts.h"

#define CUSTOM_CODE_SIZE_MIN 4
#define CUSTOM_CODE_SIZE_MAX 24
#define CUSTOM_PLACES_MAX 12
#define CUSTOM_NAME_SIZE_MAX 256
#define CUSTOM_SYMBOL_SIZE_MAX 16

/* --- Finding -------------------------------------------------------------- */
met_error met__currency_of(met__text code, met__currency *currency_out)
{
    const met__currency_row *row = met__currency_find(code);

    if (row == NULL) {
        return MET_E_NOT_FOUND;
    }
    *currency_out = (met__currency){.code = met__text_z(row->code),
                                    .places = row->places,
                                    .symbol = met__text_z(row->symbol)};
    return MET_OK;
}

static met_error read_fiat(met__fields *fields, met__text code,
                           met__currency *currency)
{
    if (met__currency_of(code, currency) == MET_OK) {
        return MET_OK;
    }
    return met__fields_fail(fields, fields->object != NULL ? "code" : NULL,
                            "is not a currency of ISO 4217");
}

static met_error read_custom(met__fields *fields, met__text code,
                             met__currency *currency)
{
    met__text name;
    int64_t places = 0;
    met__currency custom = {.code = code, .is_custom = 1};

    met__fields_text(fields, "name", MET__REQUIRED, 1, CUSTOM_NAME_SIZE_MAX,
                     &name);
    met__fields_integer(fields, "precision", MET__REQUIRED, 0,
                        CUSTOM_PLACES_MAX, &places);
    met__fields_text(fields, "symbol", MET__OPTIONAL, 0, CUSTOM_SYMBOL_SIZE_MAX,
                     &custom.symbol);
    if (fields->error != MET_OK) {
        return fields->error;
    }
    if (code.size < CUSTOM_CODE_SIZE_MIN) { /* it was read with its maximum */
        return met__fields_fail(fields, "code", "must have %d to %d bytes",
                                CUSTOM_CODE_SIZE_MIN, CUSTOM_CODE_SIZE_MAX);
    }
    if (memchr(code.data, '|', code.size) != NULL || code.data[0] == ' '
        || code.data[code.size - 1] == ' ') {
        return met__fields_fail(fields, "code",
                                "must not have a | in it or "
                                "a blank at an end");
    }
    custom.places = (uint32_t)places;
    *currency = custom;
    return MET_OK;
}

met_error met__currency_read(const met__node *node, const met__path *path,
                             met__currency *currency_out, met_error_info *info)
{
    static const char *const types[] = {"fiat", "custom", NULL};
    uint32_t type = 0;
    met__text code = {0};
    met__currency currency = {0};
    met__fields fields;

    if (node != NULL && node->kind == MET__NODE_TEXT) {
        fields = (met__fields){.path = path, .info = info};
        met_error error = read_fiat(&fields, node->as.text, &currency);
        if (error == MET_OK) {
            *currency_out = currency;
        }
        return error;
    }
    met__fields_begin(&fields, node, path, info);
    met__fields_choice(&fields, "type", MET__REQUIRED, types, &type);
    met__fields_text(&fields, "code", MET__REQUIRED, 1, CUSTOM_CODE_SIZE_MAX,
                     &code);
    if (fields.error == MET_OK) {
        if (type == 0) {
            read_fiat(&fields, code, &currency);
        } else {
            read_custom(&fields, code, &currency);
        }
    }
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        *currency_out = currency;
    }
    return error;
}

/* --- Rounding ------------------------------------------------------------- */
met_decimal met__currency_unit(const met__currency *currency)
{
    return met__decimal_from_scaled(1, currency->places);
}

met_error met__currency_round(const met__currency *currency, met_decimal amount,
                              met_decimal *out)
{
    return met__decimal_round(amount, currency->places, MET_ROUND_HALF_AWAY,
                              out);
}

int met__currency_is_rounded(const met__currency *currency, met_decimal amount)
{
    met_decimal rounded;

    MET__ASSERT_OR(met__currency_round(currency, amount, &rounded) == MET_OK,
                   0);
    return met__decimal_compare(rounded, amount) == 0;
}

met_error met__amount_document(met_decimal amount,
                               const met__currency *currency, met__arena *arena,
                               met__node **node_out)
{
    char text[MET_DECIMAL_TEXT_SIZE];
    met__buffer buffer = {
        .platform = arena->platform, .data = text, .capacity = sizeof text};

    met_error error =
        met__currency_is_rounded(currency, amount)
            ? met__decimal_print_fixed(amount, currency->places, &buffer)
            : met__decimal_print(amount, &buffer);
    if (error != MET_OK) {
        return error;
    }
    *node_out = met__node_text(arena, met__text_of(text, buffer.size));
    return *node_out != NULL ? MET_OK : MET_E_NO_MEMORY;
}

/* --- For people ----------------------------------------------------------- */
/* Copies "1234567.50" as "1,234,567.50" with the currency's own marks. */
static void append_grouped(const char *digits, size_t size, const char *group,
                           const char *mark, met__buffer *buffer)
{
    const char *point = memchr(digits, '.', size);
    size_t whole = point != NULL ? (size_t)(point - digits) : size;

    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0) {
            met__buffer_text(buffer, group);
        }
        met__buffer_byte(buffer, digits[i]);
    }
    if (point != NULL) {
        met__buffer_text(buffer, mark);
        met__buffer_append(buffer, point + 1, size - whole - 1);
    }
}

met_error met__currency_format(const met__currency *currency,
                               met_decimal amount, met__buffer *buffer)
{
    char digits[MET_DECIMAL_TEXT_SIZE];
    met__buffer plain = {.platform = buffer->platform,
                         .data = digits,
                         .capacity = sizeof digits};
    const met__currency_row *row =
        currency->is_custom ? NULL : met__currency_find(currency->code);
    int is_negative = met__decimal_is_negative(amount);
    met_decimal size = is_negative ? met__decimal_negate(amount) : amount;
    met_decimal whole;

    MET__ASSERT(met__decimal_round(size, 0, MET_ROUND_DOWN, &whole) == MET_OK);
    if (met__decimal_compare(whole, size) == 0) {
        MET__ASSERT(met__decimal_print(size, &plain) == MET_OK);
    } else {
        MET__ASSERT(met__currency_round(currency, size, &size) == MET_OK);
        MET__ASSERT(met__decimal_print_fixed(size, currency->places, &plain)
                    == MET_OK);
    }
    if (is_negative) {
        met__buffer_byte(buffer, '-');
    }
    if (currency->symbol.size > 0) {
        met__buffer_append(buffer, currency->symbol.data,
                           currency->symbol.size);
    } else {
        met__buffer_append(buffer, currency->code.data, currency->code.size);
        met__buffer_byte(buffer, ' ');
    }
    int has_comma = row != NULL && row->has_comma;
    append_grouped(digits, plain.size, has_comma ? "." : ",",
                   has_comma ? "," : ".", buffer);
    return buffer->error;
}
