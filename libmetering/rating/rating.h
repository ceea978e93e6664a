/* Rating: price times quantity gives lines. Pure: no clock, no store.
 * The source of every rule is named in the file that has it. */
#ifndef MET_RATING_RATING_H
#define MET_RATING_RATING_H

#include "catalog/price.h"

typedef struct met__currency {
    met__text code;
    uint32_t places; /* minor units: USD 2, JPY 0 */
    uint32_t reserved;
} met__currency;
/* ISO 4217. MET_E_NOT_FOUND. */
met_error met__currency_of(met__text code, met__currency *currency_out);

typedef struct met__rate_input {
    met__text name; /* of the line: begins the names of its parts */
    const met__price *price;
    const met__discounts *discounts;     /* NULL = none */
    const met__unit_config *unit_config; /* NULL = none */
    met__currency currency;
    met_decimal quantity;          /* of this line */
    met_decimal quantity_before;   /* in the same period, before it */
    int is_first;                  /* first and last split of the period */
    int is_last;
    met_decimal already_billed;
    int is_minimum_ignored; /* interim runs of the delta engine */
    int reserved;
} met__rate_input;

enum {
    MET__LINE_REGULAR = 1,
    MET__LINE_COMMITMENT = 2
};

typedef struct met__line_discount {
    met__text child_id;
    met__text reason; /* "ratecard_percentage", "maximum_spend" */
    met_decimal amount;
} met__line_discount;

typedef struct met__totals {
    met_decimal amount;
    met_decimal charges_total;
    met_decimal discounts_total;
    met_decimal credits_total;
    met_decimal taxes_total;
    met_decimal taxes_inclusive_total;
    met_decimal taxes_exclusive_total;
    met_decimal total;
} met__totals;

typedef struct met__line {
    met__text name;
    met__text child_id; /* part of the contract */
    met__text explanation; /* "2 packages of 5000 x 1" */
    uint32_t category;     /* MET__LINE_* */
    uint32_t term;         /* MET__TERM_* */
    met_decimal quantity;  /* may be negative: a correction */
    met_decimal per_unit_amount;
    size_t discount_count;
    met__line_discount *discounts;
    met__totals totals;
} met__line;

typedef struct met__rated {
    size_t line_count;
    met__line *lines;
    met__totals totals;
    met_decimal usage_discount; /* quantity */
} met__rated;

/* MET_E_INVALID · MET_E_OVERFLOW · MET_E_UNSUPPORTED · MET_E_NO_MEMORY */
met_error met__rate(const met__rate_input *input, met__arena *arena,
                    met__rated **rated_out, met_error_info *info);
/* Current minus booked (pricing rules 3.2): what is to be billed now. */
met_error met__rate_delta(const met__rated *current, const met__line *booked,
                          size_t booked_count, const met__currency *currency,
                          met__arena *arena, met__rated **rated_out);
/* round(amount * service / full), half away from zero (rules section 4). */
met_error met__prorate(met_decimal amount, int64_t service_ns, int64_t full_ns,
                       const met__currency *currency, met_decimal *out);

/* Lines as documents and back: what an invoice stores. */
met_error met__line_document(const met__line *line,
                             const met__currency *currency, met__arena *arena,
                             met__node **node_out);
met_error met__line_read(const met__node *node, const met__path *path,
                         met__arena *arena, met__line *line_out,
                         met_error_info *info);
met_error met__totals_document(const met__totals *totals,
                               const met__currency *currency,
                               met__arena *arena, met__node **node_out);
met_error met__totals_read(const met__node *node, const met__path *path,
                           met__totals *totals_out, met_error_info *info);
met_error met__totals_add(met__totals *sum, const met__totals *totals);

#endif
