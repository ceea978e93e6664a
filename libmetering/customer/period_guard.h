/* Which instants part the usage of a customer: the guard of compaction. What
 * entitlements and invoices will ever ask for begins and ends with phases,
 * billing periods and usage periods of its subscriptions. */
#ifndef MET_CUSTOMER_PERIOD_GUARD_H
#define MET_CUSTOMER_PERIOD_GUARD_H

#include "customer/subscription.h"
#include "meter/compaction.h"

typedef struct met__period_guard met__period_guard;

met_error met__period_guard_create(met_store *store,
                                   met__period_guard **guard_out);
void met__period_guard_destroy(met__period_guard *guard); /* may be NULL */
/* For one compaction, while the guard lives. */
met__compact_guard met__period_guard_of(met__period_guard *guard);

#endif
