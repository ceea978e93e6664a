/* When usage periods begin, so that their rules are told without anybody
 * looking at every customer: NOTICE_DUE has the next begin of every entitlement
 * that a rule of resets is about.
 *
 * A new rule is shown the customers that are there already by a survey, some
 * in every pass; how far it came is META["notice_survey"]. */
#ifndef MET_ENTITLEMENT_NOTICE_DUE_H
#define MET_ENTITLEMENT_NOTICE_DUE_H

#include "entitlement/allowance.h"
#include "entitlement/notice_rule.h"

/* Of one transaction, so that other writers need not wait. */
#define MET__NOTICE_STEPS_MAX 500

met_error met__notice_due_put(met__txn *txn, int64_t at_ns,
                              const met__holder *holder,
                              const met__allowance *allowance,
                              met__arena *arena);
/* What begins later than now for the first time. */
met_error met__notice_due_ahead(met__txn *txn, const met__notice_rules *rules,
                                const met__holder *holder, int64_t now_ns,
                                met__arena *arena);
/* From the first customer on, again if one is under way. */
met_error met__notice_survey_begin(met__txn *txn);

/* Tells the periods that have begun by now and goes on with the survey, in
 * transactions of its own, until nothing is left. */
met_error met__notice_tick(met_store *store);

#endif
