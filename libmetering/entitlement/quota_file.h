/* Opening DIR/quota-N.map without filling it. Only for this room. */
#ifndef MET_ENTITLEMENT_QUOTA_FILE_H
#define MET_ENTITLEMENT_QUOTA_FILE_H

#include "entitlement/access.h"

/* The table when it is there and every cell of it was prepared; *table_out is
 * NULL otherwise: nobody enforces yet. */
met_error met__quota_file_open_filled(met_store *store,
                                      met__quota_table **table_out);

/* met__quota_refresh of the customer with this key, if there is one. */
met_error met__quota_refresh_key(met__txn *txn, met__quota_table *table,
                                 met__text customer_key, int64_t at_ns,
                                 met__terms_cache *terms);

#endif
