/* rating.h: prices as handles; arguments checked here. */
#include "metering/rating.h"

#include "rating/price_handle.h"

met_error met_price_create(const char *json, size_t json_size,
                           const met_platform *platform, met_price **price_out,
                           met_error_info *info)
{
    met__platform known;

    if (json == NULL || price_out == NULL) {
        return met__fail(info, MET_E_INVALID, json ? "price_out" : "json",
                         "is NULL");
    }
    met_error error = met__platform_init(&known, platform, info);
    if (error != MET_OK) {
        return error;
    }
    return met__price_open(&known, met__text_of(json, json_size), price_out,
                           info);
}

met_error met_price_check(const char *json, size_t json_size,
                          const met_platform *platform, met_buffer *json_out,
                          met_error_info *info)
{
    met__platform known;

    if (json == NULL || json_out == NULL) {
        return met__fail(info, MET_E_INVALID, json ? "json_out" : "json",
                         "is NULL");
    }
    met_error error = met__platform_init(&known, platform, info);
    if (error != MET_OK) {
        return error;
    }
    return met__price_check(&known, met__text_of(json, json_size), json_out,
                            info);
}

void met_price_destroy(met_price *price)
{
    met__price_close(price);
}

met_error met_price_rate(const met_price *price, const char *json,
                         size_t json_size, met_buffer *json_out,
                         met_error_info *info)
{
    if (price == NULL || json == NULL || json_out == NULL) {
        return met__fail(info, MET_E_INVALID,
                         price == NULL  ? "price"
                         : json == NULL ? "json"
                                        : "json_out",
                         "is NULL");
    }
    return met__price_rate(price, met__text_of(json, json_size), json_out,
                           info);
}

met_error met_price_rate_batch(const met_price *price,
                               const met_decimal *quantities, size_t count,
                               met_decimal *totals_out, met_error_info *info)
{
    if (price == NULL
        || (count > 0 && (quantities == NULL || totals_out == NULL))) {
        return met__fail(info, MET_E_INVALID,
                         price == NULL        ? "price"
                         : quantities == NULL ? "quantities"
                                              : "totals_out",
                         "is NULL");
    }
    if (count > MET_PRICE_BATCH_MAX) {
        return met__fail(info, MET_E_LIMIT, "count", "is more than %zu",
                         MET_PRICE_BATCH_MAX);
    }
    return met__price_rate_all(price, quantities, count, totals_out, info);
}
