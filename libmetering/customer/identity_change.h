/* Another name for a customer or a subject, or none at all. What is done here
 * is done to customers, subscriptions and usage; api asks the other rooms.
 *
 * Whom nobody shall know any more is called "erased:" and an id that stands in
 * no other place: usage, bookings and invoices stay what they are. */
#ifndef MET_CUSTOMER_IDENTITY_CHANGE_H
#define MET_CUSTOMER_IDENTITY_CHANGE_H

#include "customer/audit.h"
#include "customer/customer.h"

/* Where a name is gone, and what stands there now. */
typedef struct met__renamed {
    met__text from;
    met__text to;
} met__renamed;

/* What an erasure reached, for the rooms that come after: subjects with the
 * names they have now; in the arena. */
typedef struct met__erasure {
    met__text customer_key; /* empty: a subject alone */
    met__text name;         /* in its place */
    size_t customer_count; /* the ids of those who are erased */
    met__text *customer_ids;
    size_t subject_count;
    met__renamed *subjects;
} met__erasure;

/* The customer of this key; if there is none, those of the key that were
 * removed. Subscriptions and subjects too. MET_E_NOT_FOUND · MET_E_CONFLICT
 * while a subscription runs or is scheduled. */
met_error met__customer_erase(met__txn *txn, met__text key, int64_t now_ns,
                              met__arena *arena, met__audit *audit,
                              met__erasure *out, met_error_info *info);
/* MET_E_CONFLICT: the key of a customer. A customer that lists it lists the
 * new name. */
met_error met__subject_erase(met__txn *txn, met__text subject, int64_t now_ns,
                             met__arena *arena, met__audit *audit,
                             met__erasure *out, met_error_info *info);
/* The old key stays as a subject key, so that usage is whose it was.
 * MET_E_NOT_FOUND · MET_E_CONFLICT the new key is somebody's · MET_E_LIMIT no
 * room for another subject key. */
met_error met__customer_rename(met__txn *txn, met__text key, met__text to,
                               int64_t now_ns, met__arena *arena,
                               met__audit *audit, met_error_info *info);
/* MET_E_CONFLICT: the key of a customer, or the new name is somebody's.
 * *owner_out (may be empty): whose subject it is. */
met_error met__subject_rename_to(met__txn *txn, met__text subject,
                                 met__text to, int64_t now_ns,
                                 met__arena *arena, met__audit *audit,
                                 met__text *owner_out, met_error_info *info);

#endif
