/* Making an invoice again from what it stores. */
#ifndef MET_INVOICE_RECOMPUTE_H
#define MET_INVOICE_RECOMPUTE_H

#include "invoice/invoice_record.h"

/* {"id", "number", "is_identical", "invoice": the document made again}.
 * MET_E_NOT_FOUND · MET_E_UNSUPPORTED: a credit note that was given by hand, or
 * corrections of an earlier build, which lack what they correct */
met_error met__invoice_recompute(met__txn *txn, met__text name,
                                 met__arena *arena, met__node **node_out,
                                 met_error_info *info);
/* What usage that is known now would make of it: {"id", "number",
 * "is_changed", "total", "total_now", "lines": [{"line", "key", "quantity",
 * "quantity_now", "total", "total_now"}]}, of metered lines only. */
met_error met__invoice_compare_usage(met__txn *txn, met__text name,
                                     met__arena *arena, met__node **node_out,
                                     met_error_info *info);

#endif
