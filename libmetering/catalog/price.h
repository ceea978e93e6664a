/* Prices: what a quantity costs. Immutable once read.
 *
 * {"type": "free"} | {"type": "flat", "amount", "payment_term"?} |
 * {"type": "unit", "amount"} | {"type": "package", "amount",
 * "quantity_per_package"} | {"type": "graduated"|"volume", "tiers"} |
 * {"type": "tiered", "mode": "graduated"|"volume", "tiers"} |
 * {"type": "dynamic", "multiplier"} |
 * {"type": "percentage", "percentage", "fixed_amount"?, "free_units"?,
 * "free_events"?} | {"type": "graduated_percentage"|"stairstep", "tiers"} |
 * {"type": "matrix", "dimension", "values": [{"value", "amount"}],
 * "default_amount"?}; usage prices also take "commitments"?: {"minimum"?,
 * "maximum"?}.
 * A tier is {"up_to": decimal or null, "unit"?, "flat"?}; of a graduated
 * percentage {"up_to", "percentage"?, "flat"?}, of a stair-step {"up_to",
 * "flat"}. */
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
    MET__PRICE_DYNAMIC,
    MET__PRICE_PERCENTAGE,
    MET__PRICE_GRADUATED_PERCENTAGE,
    MET__PRICE_STAIRSTEP,
    MET__PRICE_MATRIX
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
    met_decimal unit;  /* a percentage: its hundredth */
    met_decimal flat;
} met__tier;

/* The price of one value of a matrix price's dimension. */
typedef struct met__price_value {
    met__text value;
    met_decimal amount;
} met__price_value;

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
    met_decimal ratio; /* of a percentage price: its hundredth */
    int has_fixed;     /* it also has an amount for every event */
    int has_default;   /* a matrix price: amount is that of other values */
    met_decimal free_units;  /* of the amount, the first ones */
    met_decimal free_events; /* without the fixed amount, the first ones */
    met__text dimension;
    size_t value_count;
    met__price_value *values; /* no two of one value */
} met__price;

/* Refuses whatever met__pricing_issues would list for the price alone: the
 * first problem is in info, with its code and the number of others in the
 * reason. Nothing is copied: the node's texts must live as long as the price.
 * MET_E_INVALID · MET_E_OVERFLOW (a number beyond 34 digits) ·
 * MET_E_NO_MEMORY */
met_error met__price_read(const met__node *node, const met__path *path,
                          met__arena *arena, met__price **price_out,
                          met_error_info *info);

/* Usage and percentage discounts of a rate card: {"percentage"?: decimal or
 * {"percentage", "correlation_id"?}, "usage"?: decimal or {"quantity",
 * "correlation_id"?}}. */
typedef struct met__discounts {
    int has_percentage;
    int has_usage;
    met_decimal percentage;  /* 0 … 100 */
    met_decimal usage;       /* quantity, >= 0 */
    met__text percentage_id; /* correlation ids, may be empty */
    met__text usage_id;
} met__discounts;
met_error met__discounts_read(const met__node *node, const met__path *path,
                              met__arena *arena, met__discounts **out,
                              met_error_info *info);

/* {"operation": "multiply"|"divide", "conversion_factor", "rounding"?:
 * "none"|"ceiling"|"floor"|"half_up", "precision"?, "display_unit"?} */
enum { MET__CONVERT_MULTIPLY = 1, MET__CONVERT_DIVIDE };
typedef struct met__unit_config {
    uint32_t operation; /* MET__CONVERT_* */
    uint32_t rounding;  /* 0 = none, MET_ROUND_CEILING, _FLOOR, _HALF_AWAY */
    uint32_t places;    /* of the rounding; 0 when there is none */
    uint32_t reserved;
    met_decimal factor; /* > 0 */
} met__unit_config;
met_error met__unit_config_read(const met__node *node, const met__path *path,
                                met__arena *arena, met__unit_config **out,
                                met_error_info *info);

/* What a rate card says about money; each may be NULL. */
typedef struct met__pricing {
    const met__node *price;
    const met__node *discounts;
    const met__node *unit_config;
} met__pricing;
/* Appends every rule that the three break, together and each by itself, as
 * {"code", "field", "severity", "message"}: paths are path.price…,
 * path.discounts…, path.unit_config…. "critical" is what the readers above
 * refuse. MET_E_NO_MEMORY */
met_error met__pricing_issues(const met__pricing *pricing,
                              const met__path *path, met__arena *arena,
                              met__node *array);
/* Unit, graduated and volume; of MET__PRICE_*. */
int met__price_takes_unit_config(uint32_t type);
/* Stable; open-ended tiers last. */
void met__tiers_sort(met__tier *tiers, size_t count);

#endif
