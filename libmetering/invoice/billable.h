/* What a subscription owes for when: rate card by rate card, period by period.
 * Only for this room. */
#ifndef MET_INVOICE_BILLABLE_H
#define MET_INVOICE_BILLABLE_H

#include "catalog/price.h"
#include "customer/subscription.h"
#include "meter/usage_late.h"

typedef struct met__billable {
    const met__subscription *subscription;
    const met__plan *plan;
    const met__rate_card *card;
    const met__price *price;
    met__period period; /* of service, clipped to phase and subscription */
    met__period full;   /* not clipped: what a flat fee is a share of */
    met__period billing; /* the billing period that it belongs to */
    int64_t booked_from_ns; /* names the period in BOOKED */
    int64_t invoice_at_ns;  /* when it falls due */
    int is_open;            /* not due yet, shown by a preview */
    int is_void; /* the subscription was ended before it: nothing is owed */
} met__billable;

/* Calls visit for every period of every billable rate card that is due at
 * as_of_ns, and with is_open_included also for those that have begun. Due is a
 * flat fee in advance when its billing period begins, everything else when the
 * billing period in which the service ends is over; a fee without a cadence
 * once, at the beginning or at the (known) end of its phase.
 *
 * A subscription may be ended in the past, after what followed was billed:
 * those periods come last, as void.
 *
 * With done_to_ns, what fell due by then is left out, unless its usage has a
 * mark of the number or of a greater one; of a plan with a minimum nothing is
 * left out whose billing period is not over. */
typedef met_error (*met__billable_visitor)(void *context,
                                           const met__billable *billable);
typedef struct met__billables {
    const met__subscription *subscription;
    const met__plan *plan;
    int64_t as_of_ns;
    int is_open_included;
    int reserved;
    int64_t done_to_ns; /* 0: all are wanted */
    uint64_t number;
    const met__usage_mark *marks;
    size_t mark_count;
} met__billables;
met_error met__billables_each(const met__billables *wanted, met__arena *arena,
                              void *context, met__billable_visitor visit,
                              met_error_info *info);

#endif
