/* What the rooms have against removing a customer. */
#ifndef MET_API_CUSTOMER_GUARD_H
#define MET_API_CUSTOMER_GUARD_H

#include "api/document_call.h"

/* Subscriptions first, then invoices that are not issued, then what is not
 * billed. MET_E_NOT_FOUND · MET_E_CONFLICT, and what the bill says. */
met_error met__call_check_removal(met__call *call, met__text customer_key);

#endif
