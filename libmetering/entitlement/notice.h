/* Notices: what the host is told about a customer's entitlements, when it
 * happens. A threshold tells when the balance of a usage period is known anew
 * (settlement, a grant, a reset, another subscription), a reset when a usage
 * period begins.
 *
 * Everything is written in the transaction that changed the balance, so that
 * a notice is there exactly when its cause is. */
#ifndef MET_ENTITLEMENT_NOTICE_H
#define MET_ENTITLEMENT_NOTICE_H

#include "entitlement/balance.h"
#include "entitlement/notice_told.h"

/* Thresholds of the rules against the balance of a period, grants included.
 * A period that has been over for longer than MET__NOTICE_LATE_NS tells
 * nothing, and neither does a balance that cannot be told. */
met_error met__notice_balance(met__txn *txn, const met__notice_rules *rules,
                              const met__holder *holder,
                              const met__allowance *allowance,
                              met__period period, met__arena *arena);

/* A usage period of the allowance has begun: tells it once, unless is_silent
 * or the entitlement is new to the rule, and notes when the next one does. */
met_error met__notice_period(met__txn *txn, const met__notice_rules *rules,
                             const met__holder *holder,
                             const met__allowance *allowance,
                             met__period period, int is_silent,
                             met__arena *arena);

/* Everything that is in force for the customer now, after a change of it. In
 * the transaction of the change. A customer who is not there has nothing. */
met_error met__notice_announce(met__txn *txn, met__text customer_key);

#endif
