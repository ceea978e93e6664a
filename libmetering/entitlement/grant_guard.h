/* Which instants part the usage of a customer beside its subscriptions: grants,
 * resets, entitlements that stand alone. For the guard of compaction. */
#ifndef MET_ENTITLEMENT_GRANT_GUARD_H
#define MET_ENTITLEMENT_GRANT_GUARD_H

#include "customer/period_guard.h"

extern const met__period_extra met__grant_guard;

#endif
