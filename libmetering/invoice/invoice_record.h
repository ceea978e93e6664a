/* An invoice or credit note as it is stored. Only for this room. */
#ifndef MET_INVOICE_INVOICE_RECORD_H
#define MET_INVOICE_INVOICE_RECORD_H

#include "invoice/billing_profile.h"
#include "invoice/invoice.h"
#include "invoice/invoice_state.h"

typedef struct met__invoice {
    met__text id;
    met__text number; /* empty: none yet */
    uint32_t state;   /* MET__STATE_* */
    int is_credit_note;
    met__text corrects_id;     /* of a credit note: the invoice, */
    met__text corrects_number; /* and its number */
    met__text reason;
    met__currency currency;
    const met__node *customer; /* as it was */
    met__text customer_key;
    met__period service_period; /* to 0: none */
    int64_t as_of_ns;           /* what was due then is on it */
    int64_t created_at_ns;
    int64_t collection_at_ns; /* 0: nothing to wait for */
    int64_t snapshot_at_ns;   /* when its quantities were read last */
    int64_t draft_until_ns;
    int64_t issued_at_ns;
    int64_t due_at_ns;
    int64_t ended_at_ns; /* paid, voided or deleted */
    int is_interim; /* of a period that goes on */
    int reserved;
    const met__node *profile; /* as it was; NULL: the defaults */
    met__node *lines;
    met__totals totals;
} met__invoice;

met_error met__invoice_read(const met__node *node, met__arena *arena,
                            met__invoice **invoice_out);
met_error met__invoice_build(const met__invoice *invoice, met__arena *arena,
                             met__node **node_out);
/* By id. MET_E_NOT_FOUND */
met_error met__invoice_get(met__txn *txn, met__text id, met__arena *arena,
                           met__invoice **invoice_out);
/* Its customer, whatever key that has by now. MET_E_NOT_FOUND: it is gone. */
met_error met__invoice_owner(met__txn *txn, const met__invoice *invoice,
                             met__arena *arena, met__customer **customer_out);
/* With all its indexes; before is what is stored now, NULL: nothing. */
met_error met__invoice_put(met__txn *txn, const met__invoice *invoice,
                           const met__invoice *before, met__arena *arena);
/* The stored id of a number or an id. MET_E_NOT_FOUND */
met_error met__invoice_find(met__txn *txn, met__text name, met__arena *arena,
                            met__text *id_out);
/* The document with "available_actions". */
met_error met__invoice_show(met__node *node, met__arena *arena);
/* When the next step is due that nobody has to ask for; 0: none. */
int64_t met__invoice_due_at(const met__invoice *invoice);

/* The final number of an invoice or credit note, in this transaction. */
met_error met__invoice_number(met__txn *txn,
                              const met__billing_profile *profile,
                              int is_credit_note, met__text customer_name,
                              met__arena *arena, met__text *number_out);
/* "DRAFT-PETU-17": there may be gaps. */
met_error met__draft_number(met__txn *txn, met__text customer_name,
                            met__arena *arena, met__text *number_out);

#endif
