/* How far a billing run is: BILLING["run"], while one is under way. It only
 * saves looking at everybody anew. Only for this room. */
#ifndef MET_INVOICE_BILLING_PLACE_H
#define MET_INVOICE_BILLING_PLACE_H

#include "store/store.h"

/* Where planning goes on. */
typedef struct met__billing_place {
    int64_t as_of_ns;
    size_t size; /* 0: at the first one */
    unsigned char key[MET__LMDB_KEY_SIZE_MAX]; /* was the last one */
} met__billing_place;

void met__billing_place_set(met__billing_place *place, met__text key);

/* MET_E_NOT_FOUND: no run is under way. */
met_error met__billing_place_get(met_store *store,
                                 met__billing_place *place_out);
/* All customers up to this one are done. */
met_error met__billing_place_put(met__txn *txn, int64_t as_of_ns,
                                 met__text after, met__arena *arena);
/* The run is over; also when it has no place. */
met_error met__billing_place_remove(met_store *store);

#endif
