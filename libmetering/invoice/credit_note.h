/* Credit notes: what is given back of an issued invoice, as a document of its
 * own with a number of its own series. Its amounts are below zero, so that
 * documents of a customer add up to what it owes. */
#ifndef MET_INVOICE_CREDIT_NOTE_H
#define MET_INVOICE_CREDIT_NOTE_H

#include "invoice/invoice_record.h"

/* {"reason", "amount"?} or {"reason", "lines": [{"line": from 1, "amount"?}]};
 * without an amount all that is left. Usage is not billed again. name is the
 * invoice's id or number. MET_E_NOT_FOUND · MET_E_CONFLICT (it is a draft, void
 * or a credit note; nothing is left) · MET_E_INVALID (more than is left) */
met_error met__credit_note_create(met__txn *txn, met__text name,
                                  const met__node *node,
                                  const met__path *path, int64_t now_ns,
                                  met__arena *arena, met__node **node_out,
                                  met_error_info *info);

/* What can still be given back of an invoice: 0 when nobody has to pay it. */
met_error met__credit_left(met__txn *txn, const met__invoice *invoice,
                           met__arena *arena, met_decimal *left_out);

/* A note is found from its invoice. */
met_error met__credit_note_index(met__txn *txn, const met__invoice *note,
                                 met__arena *arena);

#endif
