/* Invoices: the periods to bill of a customer, their lines, totals, states and
 * numbers. An invoice stores the quantities it rated with their bounds and is
 * a pure function of them, the plan version and the policies.
 *
 * Document: {"id", "number", "status": "draft"|"issued", "currency",
 *  "customer": {"key","name","id"}, "service_period": {"from","to"},
 *  "created_at", "issued_at", "lines": [{"key","name","feature_key"?,
 *    "subscription_id","plan": {"key","version"}, "period": {"from","to"},
 *    "quantity", "price": {...}, "detailed_lines": [...], "totals"}],
 *  "totals"} */
#ifndef MET_INVOICE_INVOICE_H
#define MET_INVOICE_INVOICE_H

#include "customer/subscription.h"
#include "rating/rating.h"

typedef struct met__invoice_request {
    met__text customer_key;
    int64_t as_of_ns; /* bills periods that ended at or before it */
    int64_t now_ns;   /* created_at, issued_at */
    int is_open_included; /* preview: also the period that is still running */
    int reserved;
} met__invoice_request;

/* What would be billed; stores nothing. MET_E_NOT_FOUND: no such customer. An
 * invoice without lines is a document with empty lines and total 0. */
met_error met__invoice_preview(met__txn *txn,
                               const met__invoice_request *request,
                               met__arena *arena, met__node **node_out,
                               met_error_info *info);
/* Bills what is due, books it, gives the number and issues, in the caller's
 * write transaction. MET_E_NOT_FOUND: no such customer · MET_E_CONFLICT:
 * nothing is due. */
met_error met__invoice_finalize(met__txn *txn,
                                const met__invoice_request *request,
                                met__arena *arena, met__node **node_out,
                                met_error_info *info);
/* By id or by number. */
met_error met__invoice_document(met__txn *txn, met__text id, met__arena *arena,
                                met__node **node_out);
/* Of one customer, or of all when customer_key is empty; oldest first. */
met_error met__invoice_list(met__txn *txn, met__text customer_key,
                            met__arena *arena, met__node **array_out);
/* For a person: 80 columns, or a page that stands alone. */
void met__invoice_text(const met__node *invoice, met__buffer *buffer);
void met__invoice_html(const met__node *invoice, met__buffer *buffer);
/* For a spreadsheet: RFC 4180, a header and a row for every line. */
void met__invoice_csv(const met__node *invoice, met__buffer *buffer);

#endif
