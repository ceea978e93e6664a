/* Rate cards: what one feature costs inside one phase of a plan, and what it
 * entitles to.
 *
 * Document: {"key", "name", "description"?, "labels"?,
 *   "feature"?: {"key", "id"?}, "billing_cadence"?,
 *   "price"?: {...} (see price.h), "entitlement"?:
 *   {"type": "metered", "limit", "usage_period"?, "is_soft_limit"?,
 *    "issue_after_reset_priority"?, "preserve_overage_at_reset"?} |
 *   {"type": "static", "config": JSON} | {"type": "boolean"},
 *   "discounts"?: {"percentage"?, "usage"?}, "unit_config"?: {...},
 *   "tax_config"?: {...} (see tax_config.h)} */
#ifndef MET_CATALOG_RATE_CARD_H
#define MET_CATALOG_RATE_CARD_H

#include "base/calendar.h"
#include "base/decimal.h"
#include "document/document.h"

enum {
    MET__ENTITLEMENT_NONE = 0,
    MET__ENTITLEMENT_METERED = 1,
    MET__ENTITLEMENT_STATIC = 2,
    MET__ENTITLEMENT_BOOLEAN = 3
};

#define MET__ISSUE_PRIORITY 1 /* unless it is stated */

typedef struct met__entitlement_template {
    uint32_t type; /* MET__ENTITLEMENT_* */
    int has_limit;
    int is_soft_limit;
    int has_usage_period;
    int preserves_overage; /* over the end of a usage period */
    int has_priority;
    uint32_t priority; /* of what each period is issued, among grants */
    uint32_t reserved;
    met_decimal limit;          /* the allowance of one usage period */
    met__duration usage_period; /* default: the billing cadence, filled in */
    const met__node *config;    /* of a static one */
} met__entitlement_template;

typedef struct met__rate_card {
    met__text key;
    met__text name;
    met__text description;
    const met__node *labels; /* NULL when none */
    met__text feature_key; /* empty: a fee without a feature */
    met__text feature_id;  /* pinned when the plan was published */
    const met__node *price; /* NULL or {"type":"free"}: nothing is billed */
    int has_billing_cadence; /* 0: a flat fee that is billed once */
    met__duration billing_cadence;
    met__entitlement_template entitlement;
    const met__node *discounts;   /* NULL when none */
    const met__node *unit_config; /* NULL when none */
    const met__node *tax_config;  /* NULL when none */
} met__rate_card;

/* Reads one rate card; the plan's cadence fills usage_period's default. Shape
 * and the price's own rules; what concerns other objects is reported by
 * met__plan_issues. */
met_error met__rate_card_read(const met__node *node, const met__path *path,
                              const met__duration *plan_cadence,
                              met__arena *arena, met__rate_card **card_out,
                              met_error_info *info);
/* The canonical document; with feature ids only if with_ids. */
met_error met__rate_card_document(const met__rate_card *card, int with_ids,
                                  met__arena *arena, met__node **node_out);

/* --- Rules by themselves, each with its golden section -------------------- */
/* The price's "type"; empty when there is no price. */
met__text met__price_type(const met__node *price);
/* The dimension that a matrix price goes by; empty for other prices. */
met__text met__price_dimension(const met__node *price);
/* Neither NULL nor free. */
int met__price_is_billable(const met__node *price);
/* Neither free nor flat. */
int met__price_is_usage_based(const met__node *price);
/* A unit conversion goes with usage prices that do not group units
 * themselves: unit, graduated, volume, tiered. */
int met__unit_config_is_allowed(met__text price_type);
/* One divides the other, or they are equal. */
int met__cadence_is_aligned(const met__duration *plan_cadence,
                            const met__duration *card_cadence);
/* All cards with a price and a cadence share one cadence. */
int met__cadence_is_single(const met__rate_card *const *cards, size_t count);
/* At least one hour, counting a day as 23 hours or more. */
int met__duration_is_hour_or_more(const met__duration *duration);

#endif
