/* What the rooms have against removing a customer. */
#ifndef MET_API_CUSTOMER_GUARD_H
#define MET_API_CUSTOMER_GUARD_H

#include "api/document_call.h"

/* Subscriptions first, then entitlements that stand alone, invoices that are
 * not issued, and what is not billed. MET_E_NOT_FOUND ·
 * MET_E_CONFLICT, and what the bill says. */
met_error met__call_check_removal(met__call *call, met__text customer_key);
/* MET_E_CONFLICT while an invoice of the customer is not issued. */
met_error met__call_check_invoices(met__call *call, met__text customer_key);

#endif
