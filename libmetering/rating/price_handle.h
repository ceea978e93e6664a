/* A price as a handle: read once, rated from documents. */
#ifndef MET_RATING_PRICE_HANDLE_H
#define MET_RATING_PRICE_HANDLE_H

#include "metering/types.h"
#include "rating/rating.h"

/* json: a price document, or {"price", "discounts"?, "unit_config"?, "name"?,
 * "currency"?}. MET_E_INVALID · MET_E_OVERFLOW · MET_E_LIMIT ·
 * MET_E_NO_MEMORY */
met_error met__price_open(const met__platform *platform, met__text json,
                          met_price **price_out, met_error_info *info);
void met__price_close(met_price *price);
/* {"issues": [...]}: every broken rule of what met__price_open takes. Errors of
 * the JSON itself are errors. */
met_error met__price_check(const met__platform *platform, met__text json,
                           met_buffer *json_out, met_error_info *info);

/* The request and the answer of met_price_rate. */
met_error met__price_rate(const met_price *price, met__text json,
                          met_buffer *json_out, met_error_info *info);
/* Whole periods, cumulative from 0. On failure nothing is written. */
met_error met__price_rate_all(const met_price *price,
                              const met_decimal *quantities, size_t count,
                              met_decimal *totals_out, met_error_info *info);

#endif
