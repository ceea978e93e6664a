/* What a store keeps from one call to the next is no leak, and would spare a
 * call the work that a test wants to see fail. */
#ifndef TESTS_SUPPORT_KEPT_H
#define TESTS_SUPPORT_KEPT_H

#include "store/store.h"

static inline void forget_kept(met_store *of)
{
    met__txn *txn;

    if (of != NULL && met__txn_begin(of, 0, &txn) == MET_OK) {
        (void)met__txn_kept(txn);
        met__txn_keep(txn, NULL);
        met__txn_abort(txn);
    }
}

#endif
