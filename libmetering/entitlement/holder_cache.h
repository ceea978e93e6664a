/* Customers with their allowances, kept from one call to the next for as long
 * as nothing in the catalog changes. Only for this room. */
#ifndef MET_ENTITLEMENT_HOLDER_CACHE_H
#define MET_ENTITLEMENT_HOLDER_CACHE_H

#include "entitlement/allowance.h"

/* As many customers are kept at once, and MET__TERMS_MAX plan versions. */
#define MET__HOLDERS_KEPT 32

/* As met__holder_by_key. The holder is not to be changed, and lives until the
 * transaction ends or asks for another customer. */
met_error met__holder_kept(met__txn *txn, met__text customer_key,
                           const met__holder **holder_out,
                           met_error_info *info);

#endif
