/* Until when all of a subscription is billed: what a bill need not look at
 * again while nothing that it depends on has changed. Only for this room.
 *
 * BILLED[subscription id] -> until:8 number:8 terms:8. It is written by bills
 * that met no draft of another one, in the transaction that books; without it
 * everything is looked at. */
#ifndef MET_INVOICE_BILLED_UNTIL_H
#define MET_INVOICE_BILLED_UNTIL_H

#include "customer/customer.h"
#include "customer/subscription.h"
#include "rating/rating.h"

typedef struct met__billed_until {
    int64_t to_ns;   /* what fell due by then is billed; 0: nothing is known */
    uint64_t number; /* of the moment whose usage was measured */
    uint64_t terms;  /* hash of the rest: below */
} met__billed_until;

/* What else decides about bills that were made: the subscription's times and
 * plan, the customer's subjects, how the profile rounds. */
uint64_t met__billed_terms(met__txn *txn, const met__customer *customer,
                           const met__rate_policies *policies,
                           const met__subscription *subscription);
/* All 0 when there is none, or it was of other terms. */
met_error met__billed_until_get(met__txn *txn, met__text subscription_id,
                                uint64_t terms, met__billed_until *out);
met_error met__billed_until_put(met__txn *txn, met__text subscription_id,
                                const met__billed_until *until);

/* Whether what fell due until its end is billed: usage that comes in later, and
 * other terms, are another matter. Of one that goes on, 0. A subscription whose
 * customer is gone is nobody's bill: 1. */
met_error met__billed_to_end(met__txn *txn,
                             const met__subscription *subscription,
                             met__arena *arena, int *is_billed_out);

#endif
