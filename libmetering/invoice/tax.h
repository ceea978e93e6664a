/* Taxes at fixed rates: which rate a line has, and what it comes to. No
 * provider is asked. */
#ifndef MET_INVOICE_TAX_H
#define MET_INVOICE_TAX_H

#include "catalog/tax_config.h"
#include "rating/rating.h"

#define MET__TAX_CODES_MAX 64

typedef struct met__tax_code {
    met__text key;
    met__text name;
    met_decimal rate; /* percent */
} met__tax_code;

typedef struct met__tax_rules {
    int is_enabled;
    int is_rounded_by_invoice; /* else every line by itself */
    met__tax_config fallback;
    size_t code_count;
    met__tax_code *codes;
} met__tax_rules;

met_error met__tax_rules_read(const met__node *node, const met__path *path,
                              met__arena *arena, met__tax_rules *rules_out,
                              met_error_info *info);
/* NULL: the line has no tax. */
const met__tax_code *met__tax_code_of(const met__tax_rules *rules,
                                      const met__tax_config *config);

/* What was taxed so far at one rate and behavior, for rounding by invoice. */
typedef struct met__tax_sum {
    const met__tax_code *code;
    uint32_t behavior;
    uint32_t reserved;
    met_decimal exact;   /* unrounded */
    met_decimal rounded; /* what lines got */
} met__tax_sum;
typedef struct met__tax_sums {
    size_t count;
    met__tax_sum list[2 * MET__TAX_CODES_MAX];
} met__tax_sums;

/* Puts the tax into totals that have none yet. With rounding by invoice a line
 * gets the step of the rounded sum, so that lines still sum to the invoice. */
met_error met__tax_apply(const met__tax_rules *rules,
                         const met__tax_code *code, uint32_t behavior,
                         const met__currency *currency, met__tax_sums *sums,
                         met__totals *totals);

#endif
