/* An invoice on its way through the states. Only for this room. */
#ifndef MET_INVOICE_INVOICE_FLOW_H
#define MET_INVOICE_INVOICE_FLOW_H

#include "invoice/bill.h"
#include "invoice/invoice_record.h"

typedef struct met__invoice_flow {
    met__txn *txn;
    met__arena *arena;
    met_error_info *info;
    const met__billing_profile *profile;
    const met__usage_source *source; /* NULL: the store is asked */
    int64_t source_number;
    met__invoice *invoice;
    const met__invoice *before; /* as it is stored; NULL: not yet */
    int64_t now_ns;
    int is_booked_open; /* its lines are booked as ones that may change */
    int is_taken_back;  /* they are not booked any more */
} met__invoice_flow;

/* Fills a bill of what is due, or of what runs. The request's customer. */
met_error met__bill_make(met__bill *bill);
/* What a new bill begins with. */
met_error met__bill_begin(met__txn *txn, const met__invoice_request *request,
                          const met__customer *customer,
                          const met__billing_profile *profile,
                          const met__usage_source *source, met__arena *arena,
                          met_error_info *info, met__bill *bill);
/* The draft of a bill: nothing is written. */
met_error met__draft_of(const met__bill *bill, met__invoice **invoice_out);
/* Until when it may still change, counted from when it was made. */
met_error met__draft_set_until(const met__billing_profile *profile,
                               met__invoice *invoice);
/* The credit notes of what a bill gives back: numbered, stored. */
met_error met__bill_give_back(const met__bill *bill);

/* As far as nobody has to be asked. */
met_error met__flow_advance(met__invoice_flow *flow);
/* Collection is not waited for, and nobody is asked to approve. */
met_error met__flow_force(met__invoice_flow *flow);
/* One step by name, then as far as it goes. MET_E_CONFLICT */
met_error met__flow_act(met__invoice_flow *flow, uint32_t action);
/* A stored invoice, ready to go on. MET_E_NOT_FOUND */
met_error met__flow_load(met__invoice_flow *flow, met__text id);
met_error met__flow_store(met__invoice_flow *flow);

#endif
