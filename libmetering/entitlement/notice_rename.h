/* Waiting notices of a customer that has another name now. */
#ifndef MET_ENTITLEMENT_NOTICE_RENAME_H
#define MET_ENTITLEMENT_NOTICE_RENAME_H

#include "store/object.h"

/* *count_out grows by how many there were. */
met_error met__notice_rename(met__txn *txn, met__text from, met__text to,
                             met__arena *arena, size_t *count_out);

#endif
