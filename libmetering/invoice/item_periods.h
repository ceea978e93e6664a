/* The periods of one thing that is billed, and when each falls due. Pure.
 * Rules: OpenMeter, productcatalog/subscription: full period = cadence on the
 * billing anchor; service = that, while the item is active; billing period =
 * billing cadence on the same anchor, clipped to the phase. */
#ifndef MET_INVOICE_ITEM_PERIODS_H
#define MET_INVOICE_ITEM_PERIODS_H

#include "base/calendar.h"

typedef struct met__item {
    met__period phase;  /* to MET__TIME_MAX: its end is not known */
    met__period active; /* inside the phase */
    int64_t anchor_ns;
    met__duration billing_cadence;
    met__duration cadence; /* zero: billed once */
    int64_t from_ns; /* periods that ended by then are left out */
    int is_in_advance;     /* a flat fee that is due when its billing period
                              begins */
    int reserved;
} met__item;

typedef struct met__item_period {
    met__period service;
    met__period full;
    met__period billing;
    int64_t invoice_at_ns;
} met__item_period;

typedef met_error (*met__item_visitor)(void *context,
                                       const met__item_period *period);

/* Every period whose billing period begins before until_ns; of what is due in
 * advance also the next one. What is billed once in arrears has no period
 * until the end of the phase is known. */
met_error met__item_periods_each(const met__item *item, int64_t until_ns,
                                 void *context, met__item_visitor visit);
/* until_ns, up to the end of the billing period that it lies in. */
met_error met__billing_horizon(const met__item *item, int64_t until_ns,
                               int64_t *horizon_out);

#endif
