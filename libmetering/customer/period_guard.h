/* Which instants part the usage of a customer: the guard of compaction. What
 * entitlements and invoices will ever ask for begins and ends with phases,
 * billing periods and usage periods of its subscriptions. */
#ifndef MET_CUSTOMER_PERIOD_GUARD_H
#define MET_CUSTOMER_PERIOD_GUARD_H

#include "customer/subscription.h"
#include "meter/compaction.h"

typedef struct met__period_guard met__period_guard;

/* What a later room adds: more instants of a customer. read is called once per
 * customer and transaction, its answer lives in the arena; inside says whether
 * an instant of it parts [from, to), by met__instant_parts. */
typedef struct met__period_extra {
    met_error (*read)(met__txn *txn, const met__customer *customer,
                      met__arena *arena, void **extra_out);
    met_error (*inside)(const void *extra, met__period bounds,
                        int *is_inside_out);
} met__period_extra;

/* Instants apply to usage from the start of their minute on. */
int met__instant_parts(int64_t at_ns, met__period bounds);
/* Whether a point of the recurrence parts it. */
met_error met__recurrence_parts(const met__recurrence *recurrence,
                                met__period bounds, int *is_inside_out);

/* extra must outlive the guard; NULL: nothing more. */
met_error met__period_guard_create(met_store *store,
                                   const met__period_extra *extra,
                                   met__period_guard **guard_out);
void met__period_guard_destroy(met__period_guard *guard); /* may be NULL */
/* For one compaction, while the guard lives. */
met__compact_guard met__period_guard_of(met__period_guard *guard);

#endif
