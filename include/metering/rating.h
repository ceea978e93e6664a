/* Prices and rating without a store: what would this quantity cost? Money,
 * prices and quantities are decimal strings; nothing passes through a double.
 * docs/documents.md has an example of every price. */
#ifndef METERING_RATING_H
#define METERING_RATING_H

#include <stddef.h>

#include "metering/decimal.h"
#include "metering/platform.h"
#include "metering/types.h"

MET_BEGIN_DECLS

/**
 * Read a price once, to rate with it many times.
 *
 * @param json       a price, {"type": "free"} · {"type": "flat", "amount",
 *                   "payment_term"?: "in_advance"|"in_arrears"} ·
 *                   {"type": "unit", "amount"} · {"type": "package",
 *                   "amount", "quantity_per_package"} · {"type":
 *                   "graduated"|"volume", "tiers": [{"up_to"?, "unit"?,
 *                   "flat"?}]} · {"type": "dynamic", "multiplier"} · {"type":
 *                   "percentage", "percentage", "fixed_amount"?: of every
 *                   event, "free_units"?, "free_events"?} · {"type":
 *                   "graduated_percentage", "tiers": [{"up_to"?,
 *                   "percentage"?, "flat"?}]} · {"type": "stairstep", "tiers":
 *                   [{"up_to"?, "flat"}]} · {"type": "matrix", "dimension",
 *                   "values": [{"value", "amount"}], "default_amount"?}, all
 *                   but the first two with "commitments"?: {"minimum"?,
 *                   "maximum"?}; or a rate card's {"price", "discounts"?:
 *                   {"percentage"?, "usage"?}, "unit_config"?: {"operation":
 *                   "multiply"|"divide", "conversion_factor", "rounding"?,
 *                   "precision"?}, "name"?, "currency"?: code of ISO 4217
 *                   (default USD) or {"type": "custom", "code", "name",
 *                   "precision", "symbol"?}}
 * @param json_size  bytes; no NUL needed
 * @param platform   memory to use; NULL for the defaults
 * @param price_out  written only on MET_OK
 * @param info       NULL, or where to put field path and reason; the reason
 *                   names the rule's code and how many others are broken:
 *                   met_price_check lists them
 * @return MET_OK · MET_E_INVALID (not JSON, an unknown field, or a rule of
 *         prices is broken) · MET_E_OVERFLOW (a number beyond 34 digits) ·
 *         MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_BUG (the library was linked
 *         with a wrong decimal archive)
 * @owner  caller keeps json; price_out with met_price_destroy
 * @blocks no
 * @thread any      @fork any      @since 0.1
 */
MET_API MET_NODISCARD met_error met_price_create(const char *json,
                                                 size_t json_size,
                                                 const met_platform *platform,
                                                 met_price **price_out,
                                                 met_error_info *info);

/**
 * Everything that is wrong about a price at once, where met_price_create stops
 * at the first rule.
 *
 * @param json       what met_price_create takes
 * @param json_size  bytes; no NUL needed
 * @param platform   memory to use; NULL for the defaults
 * @param json_out   {"issues": [{"code", "field", "severity", "message"}]};
 *                   no issues: met_price_create takes it; written only on
 *                   MET_OK
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (an argument is NULL; not JSON, or not an
 *         object) · MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_BUG
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks no
 * @thread any      @fork any      @since 0.1
 */
MET_API MET_NODISCARD met_error met_price_check(const char *json,
                                                size_t json_size,
                                                const met_platform *platform,
                                                met_buffer *json_out,
                                                met_error_info *info);

/**
 * Forget a price.
 *
 * @param price  may be NULL; nobody else may be rating with it
 * @owner the library frees it      @blocks no
 * @thread one      @fork any      @since 0.1
 */
MET_API void met_price_destroy(met_price *price);

/**
 * Rate one quantity: lines and totals. A price is never changed by it.
 *
 * With "booked", the lines are the difference to what was billed before for
 * the same period: rate the quantity of the whole period so far, and give all
 * lines booked for it, each with its "id". With "earlier_runs" too, each line
 * lies on the period whose usage it is.
 *
 * @param price      may be used by many threads at once
 * @param json       {"quantity", "quantity_before"?: of the same period,
 *                   before this one, "is_first"?: true, "is_last"?: true
 *                   (first and last part of the period), "period"? and
 *                   "full_period"?: {"from", "to"} (a flat price is paid for
 *                   this share of it; no line when it comes to 0),
 *                   "already_billed"?: amount or {"gross", "net"},
 *                   "is_minimum_applied"?: true, "currency"?, "name"?,
 *                   "credits"?: [amount], "booked"?: [line], "earlier_runs"?:
 *                   [{"id"?, "period", "quantity"}] (in time order, each with
 *                   the quantity of the whole charge up to its end, as it is
 *                   known now; then "period" is that of this run, and booked
 *                   lines have a "service_period" of a run), "events"?,
 *                   "events_before"? (for a fixed_amount), "groups"?:
 *                   [{"value", "quantity"}] (for a matrix price; their sum is
 *                   quantity), "policies"?: {"preset"?:
 *                   "openmeter"|"lago"|"stripe", "round_at"?:
 *                   "tier"|"line"|"total", "rounding"?: "half_away"|
 *                   "half_even"|"up"|"down"|"ceiling"|"floor",
 *                   "negative_usage"?: "clamp"|"refuse", "zero_usage_flat"?:
 *                   "charge"|"free" (the flat part of a graduated price's
 *                   first tier), "unit_conversion"?: "cumulative"|"per_line",
 *                   "already_billed"?: "net"|"gross" (which of {"gross",
 *                   "net"} counts), "proration"?: "second"|"day_inclusive"|
 *                   "day_exclusive"|"fixed_30" (days of UTC, with or without
 *                   the one that is begun; or of 30)}}; the first of each is
 *                   the default. A preset sets all of them as that engine
 *                   bills, named ones go before it. round_at line: a price's
 *                   tiers are rounded together; total: lines stay exact, and
 *                   only totals.total is rounded. Quantities below 0 count as
 *                   0 and are reported as "unrated"
 * @param json_size  bytes; no NUL needed
 * @param json_out   {"lines": [{"name", "child_id", "explanation",
 *                   "category", "payment_term", "index", "quantity",
 *                   "per_unit_amount", "service_period"?,
 *                   "corrects_run_id"?, "discounts"?, "credits_applied"?,
 *                   "totals"}], "totals": {"amount", "charges_total",
 *                   "discounts_total", "credits_total", "taxes_total",
 *                   "taxes_inclusive_total", "taxes_exclusive_total",
 *                   "total"}, "currency", "quantity" and "quantity_before":
 *                   what was priced, "usage_discount"?, "unrated"?}; written
 *                   only on MET_OK
 * @param info       NULL, or where to put field path and reason
 * @return MET_OK · MET_E_INVALID (a field is wrong or unknown; usage before
 *         with a volume price; events or groups are missing; more credits
 *         than lines; runs that overlap) · MET_E_UNSUPPORTED (booked or
 *         earlier_runs with round_at total; earlier_runs with a price of
 *         every event or by dimension) · MET_E_OVERFLOW (an amount beyond 34
 *         digits) · MET_E_CONFLICT (booked lines give two lines with one
 *         child_id) · MET_E_LIMIT · MET_E_NO_MEMORY ·
 *         MET_E_BUG
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks no
 * @thread any      @fork any      @since 0.1
 */
MET_API MET_NODISCARD met_error met_price_rate(const met_price *price,
                                               const char *json,
                                               size_t json_size,
                                               met_buffer *json_out,
                                               met_error_info *info);

/**
 * The totals of many quantities, each the usage of one whole period.
 *
 * @param price       may be used by many threads at once
 * @param quantities  count values of this library
 * @param count       may be 0
 * @param totals_out  room for count values, quantities[i] gives totals_out[i];
 *                    may be quantities; written only on MET_OK
 * @param info        NULL, or where to put which item failed
 * @return MET_OK · MET_E_INVALID (an argument is NULL, an item is not finite
 *         and canonical) · MET_E_OVERFLOW (an amount beyond 34 digits) ·
 *         MET_E_LIMIT (more than MET_PRICE_BATCH_MAX) · MET_E_NO_MEMORY ·
 *         MET_E_BUG
 * @owner  caller keeps both arrays      @blocks no
 * @thread any      @fork any      @since 0.1
 */
MET_API MET_NODISCARD met_error met_price_rate_batch(
    const met_price *price, const met_decimal *quantities, size_t count,
    met_decimal *totals_out, met_error_info *info);

#define MET_PRICE_BATCH_MAX ((size_t)1 << 24)

MET_END_DECLS

#endif
