/* Customers as records, for the files of this room that change them. */
#ifndef MET_CUSTOMER_CUSTOMER_RECORD_H
#define MET_CUSTOMER_CUSTOMER_RECORD_H

#include "customer/customer.h"

/* A customer and the times of its record. */
typedef struct met__customer_stored {
    met__customer customer;
    int64_t created_at_ns;
    int64_t updated_at_ns;
} met__customer_stored;

/* A caller's document, or with is_record the stored one. */
met_error met__customer_read_stored(const met__node *node,
                                    const met__path *path, int is_record,
                                    met__arena *arena,
                                    met__customer_stored **stored_out,
                                    met_error_info *info);
met_error met__customer_build(const met__customer_stored *from,
                              met__arena *arena, met__node **node_out);
met_error met__customer_get_stored(met__txn *txn, met__text key,
                                   met__arena *arena,
                                   met__customer_stored **stored_out);
met_error met__customer_put_stored(met__txn *txn, met__text store_key,
                                   const met__customer_stored *made,
                                   met__arena *arena);

/* The time of a change is later than that of the one before (0: none), also
 * when the clock stands still or steps back: balances tell by it that a
 * customer is no longer the one they were added up for. */
int64_t met__customer_changed_at(int64_t before_ns, int64_t now_ns);

/* The customer that has this subject, as its key or listed; empty: none. */
met_error met__customer_owner_of(met__txn *txn, met__text subject,
                                 met__text *owner_out);
/* Nobody else has one of the customer's subjects; node is its document. */
met_error met__customer_check_subjects(met__txn *txn,
                                       const met__customer *customer,
                                       const met__node *node,
                                       const met__path *path,
                                       met_error_info *info);
/* In whatever order. */
int met__customer_same_subjects(const met__customer *a,
                                const met__customer *b);
/* Replaces the index entries of `before` (may be NULL) by those of `after`
 * (may be NULL). */
met_error met__customer_index_subjects(met__txn *txn,
                                       const met__customer *before,
                                       const met__customer *after);

#endif
