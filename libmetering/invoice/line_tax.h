/* The tax of one line, in its totals and as the line says it. Only for this
 * room. */
#ifndef MET_INVOICE_LINE_TAX_H
#define MET_INVOICE_LINE_TAX_H

#include "invoice/tax.h"

/* *node_out is NULL when there is none. */
met_error met__line_tax(const met__tax_rules *rules,
                        const met__tax_config *config,
                        const met__currency *currency, met__tax_sums *sums,
                        met__totals *totals, met__arena *arena,
                        met__node **node_out);

#endif
