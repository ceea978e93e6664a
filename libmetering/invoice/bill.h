/* A bill under way: the lines that one rating run adds up. Only for this room.
 */
#ifndef MET_INVOICE_BILL_H
#define MET_INVOICE_BILL_H

#include "invoice/billable.h"
#include "invoice/invoice.h"

#define MET__INVOICE_LINES_MAX 4096

typedef struct met__bill {
    met__txn *txn;
    const met__invoice_request *request;
    const met__customer *customer;
    met__arena *arena;
    met_error_info *info;
    met__text invoice_id; /* empty: a preview, nothing is booked */
    met__currency currency;
    int has_currency;
    int reserved;
    met__node *lines; /* array of documents */
    met__totals totals;
    met__period service_period; /* from the first to the last line's */
} met__bill;

/* A visitor of met__billables_each; context: the bill. Rates the period, takes
 * away what was booked, and adds a line for the rest; books it when the bill
 * has an id. */
met_error met__bill_add(void *context, const met__billable *billable);

#endif
