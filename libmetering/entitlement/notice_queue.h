/* The queue of notices: durable, oldest first, until they are acknowledged.
 *
 * NOTICE[id] is the notice as the host gets it, with "deliveries" (how often
 * it was handed out) and "leased_until" (until when nobody else gets it).
 * Ids are ULIDs that rise with every notice, whatever the clock does, so the
 * order of keys is the order of making. META["notice_queue"] has the last id
 * and two counters. */
#ifndef MET_ENTITLEMENT_NOTICE_QUEUE_H
#define MET_ENTITLEMENT_NOTICE_QUEUE_H

#include "store/object.h"

/* Of those that wait; one more drops the oldest, and is counted. */
#define MET__NOTICES_MAX 1000000
#define MET__NOTICE_BATCH_MAX 1000
#define MET__NOTICE_LEASE_MAX_NS MET__DAY_NS

/* The members of a notice but id, created_at and deliveries, which it adds in
 * front and behind. */
met_error met__notice_append(met__txn *txn, const met__node *members,
                             met__arena *arena);

/* Whether there is one that nobody holds now. */
met_error met__notice_is_waiting(met__txn *txn, met__arena *arena,
                                 int *is_waiting_out);
/* The oldest that nobody holds, at most count_max; held from now on for
 * lease_ns. An empty array when there is none. */
met_error met__notice_next(met__txn *txn, size_t count_max, int64_t lease_ns,
                           met__arena *arena, met__node **array_out);
/* Forgets one, or with and_older all up to it. MET_E_NOT_FOUND: it does not
 * wait (any more), nothing was changed. */
met_error met__notice_ack(met__txn *txn, met__text id, int and_older,
                          met__arena *arena);
/* {"items": the oldest count_max, "waiting": of all, "dropped": ever}. */
met_error met__notice_list(met__txn *txn, size_t count_max, met__arena *arena,
                           met__node **node_out);

#endif
