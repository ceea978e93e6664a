/* Prices: what a quantity costs. Immutable once read.
 *
 * {"type": "free"} | {"type": "flat", "amount", "payment_term"?} |
 * {"type": "unit", "amount"} | {"type": "package", "amount",
 * "quantity_per_package"} | {"type": "graduated"|"volume", "tiers"} |
 * {"type": "tiered", "mode", "tiers"} | {"type": "dynamic", "multiplier"};
 * usage prices also take "commitments"?: {"minimum"?, "maximum"?}. */
#ifndef MET_CATALOG_PRICE_H
#define MET_CATALOG_PRICE_H

#include "base/decimal.h"
#include "document/document.h"

enum {
    MET__PRICE_FREE = 1,
    MET__PRICE_FLAT,
    MET__PRICE_UNIT,
    MET__PRICE_PACKAGE,
    MET__PRICE_GRADUATED,
    MET__PRICE_VOLUME,
    MET__PRICE_DYNAMIC
};

enum {
    MET__TERM_IN_ADVANCE = 1,
    MET__TERM_IN_ARREARS = 2 /* the default of v3 documents */
};

typedef struct met__tier {
    int has_up_to; /* the last one is open ended */
    int has_unit;
    int has_flat;
    int reserved;
    met_decimal up_to; /* inclusive */
    met_decimal unit;
    met_decimal flat;
} met__tier;

typedef struct met__price {
    uint32_t type; /* MET__PRICE_* */
    uint32_t term; /* of flat: MET__TERM_* */
    met_decimal amount;
    met_decimal quantity_per_package;
    met_decimal multiplier;
    size_t tier_count;
    met__tier *tiers; /* sorted by up_to, open ended last */
    int has_minimum;
    int has_maximum;
    met_decimal minimum;
    met_decimal maximum;
} met__price;

/* MET_E_INVALID with path and reason · MET_E_UNSUPPORTED · MET_E_NO_MEMORY */
met_error met__price_read(const met__node *node, const met__path *path,
                          met__arena *arena, met__price **price_out,
                          met_error_info *info);

/* Usage and percentage discounts of a rate card. */
typedef struct met__discounts {
    int has_percentage;
    int has_usage;
    met_decimal percentage; /* 0 … 100 */
    met_decimal usage;      /* quantity, >= 0 */
    met__text percentage_id; /* correlation ids, may be empty */
    met__text usage_id;
} met__discounts;
met_error met__discounts_read(const met__node *node, const met__path *path,
                              met__arena *arena, met__discounts **out,
                              met_error_info *info);

enum {
    MET__CONVERT_MULTIPLY = 1,
    MET__CONVERT_DIVIDE
};
typedef struct met__unit_config {
    uint32_t operation; /* MET__CONVERT_* */
    uint32_t rounding;  /* 0 = none, MET_ROUND_CEILING, _FLOOR, _HALF_AWAY */
    uint32_t places;
    uint32_t reserved;
    met_decimal factor; /* > 0 */
} met__unit_config;
met_error met__unit_config_read(const met__node *node, const met__path *path,
                                met__arena *arena, met__unit_config **out,
                                met_error_info *info);

#endif
