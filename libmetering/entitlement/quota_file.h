/* Opening DIR/quota.map without filling it. Only for this room. */
#ifndef MET_ENTITLEMENT_QUOTA_FILE_H
#define MET_ENTITLEMENT_QUOTA_FILE_H

#include "entitlement/access.h"

/* The table when it is there and every cell of it was prepared; *table_out is
 * NULL otherwise: nobody enforces yet. */
met_error met__quota_file_open_filled(met_store *store,
                                      met__quota_table **table_out);

#endif
