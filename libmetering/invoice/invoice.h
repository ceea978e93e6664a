/* Invoices: the periods to bill of a customer, their lines, totals, states and
 * numbers. An invoice stores the quantities it rated with their bounds and is
 * a pure function of them, the plan version and the policies.
 *
 * The document is described in metering/invoice.h. Records: INVOICE[id];
 * INVOICE_OF[customer key 0 period from:8 id]; INVOICE_NUMBER[number];
 * INVOICE_DUE[time:8 id]. */
#ifndef MET_INVOICE_INVOICE_H
#define MET_INVOICE_INVOICE_H

#include "customer/subscription.h"
#include "rating/rating.h"

typedef struct met__invoice_request {
    met__text customer_key;
    int64_t as_of_ns; /* bills periods that ended at or before it */
    int64_t now_ns;   /* created_at, issued_at */
    int is_open_included; /* preview: also the period that is still running */
    int is_interim; /* bills it, without the minimum and up to the last whole
                       minute */
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
/* One step by name, and what follows by itself: invoice_flow.c. MET_E_NOT_FOUND
 * · MET_E_INVALID (action) · MET_E_CONFLICT: not from this state, or not yet */
met_error met__invoice_act(met__txn *txn, met__text id, met__text action,
                           int64_t now_ns, met__arena *arena,
                           met__node **node_out, met_error_info *info);

/* By id or by number, as it is shown: with the actions that are legal now. */
met_error met__invoice_document(met__txn *txn, met__text id, met__arena *arena,
                                met__node **node_out);
/* The same, and every metered line has its "usage": as it was snapshotted, or
 * as it is known now, with "as_of" (line_usage.c). */
met_error met__invoice_with_usage(met__txn *txn, met__text id,
                                  met__arena *arena, met__node **node_out);
/* Of one customer, or of all when customer_key is empty; oldest first. */
met_error met__invoice_list(met__txn *txn, met__text customer_key,
                            met__arena *arena, met__node **array_out);

/* "Péter Túri" is "PETU"; out has room for 5 bytes. Rule: OpenMeter,
 * billing/service/sequence.go. */
void met__customer_prefix(met__text name, char out[5]);

/* The invoices of a customer are found by another key from now on, and so is
 * what is said of its bills. */
met_error met__invoice_rekey(met__txn *txn, met__text customer_id,
                             met__text from, met__text to, met__arena *arena);
/* What is said of its bills is forgotten; its invoices stay. */
met_error met__billing_forget(met__txn *txn, met__text customer_key,
                              met__arena *arena);

/* For a person: 80 columns, or a page that stands alone. */
void met__invoice_text(const met__node *invoice, met__buffer *buffer);
void met__invoice_html(const met__node *invoice, met__buffer *buffer);
/* For a spreadsheet: RFC 4180, a header and a row for every line. */
void met__invoice_csv(const met__node *invoice, met__buffer *buffer);

#endif
