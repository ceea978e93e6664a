/* Billing profiles in declarative documents: {"customer"?: {"key"}, and the
 * members of a profile}; without a customer the default one. */
#ifndef MET_INVOICE_BILLING_TRANSFER_H
#define MET_INVOICE_BILLING_TRANSFER_H

#include "store/object.h"

/* Stores it; when all are stored, met__billing_profile_check. MET_E_NOT_FOUND:
 * the customer. *customer_key_out is empty for the default. */
met_error met__billing_profile_apply(met__txn *txn, const met__node *node,
                                     const met__path *path, met__arena *arena,
                                     uint32_t *change_out,
                                     met__text *customer_key_out,
                                     met_error_info *info);
/* Of customers that are there, and the default, appended. */
met_error met__billing_profile_export(met__txn *txn, met__arena *arena,
                                      met__node *array);

#endif
