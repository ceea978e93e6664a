/* A subscription's document in both of its forms: what a caller states, and
 * with is_record what is stored. For the files of this room. */
#ifndef MET_CUSTOMER_SUBSCRIPTION_DOCUMENT_H
#define MET_CUSTOMER_SUBSCRIPTION_DOCUMENT_H

#include "customer/subscription.h"

met_error met__subscription_read(const met__node *node, const met__path *path,
                                 int is_record, met__arena *arena,
                                 met__subscription **subscription_out,
                                 met_error_info *info);
/* status NULL: none, as in a record. */
met_error met__subscription_build(const met__subscription *subscription,
                                  const char *status, met__arena *arena,
                                  met__node **node_out);
/* The record and its entry in the index. */
met_error met__subscription_put(met__txn *txn,
                                const met__subscription *subscription,
                                met__arena *arena);

#endif
