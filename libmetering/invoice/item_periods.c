/* Which periods an item has. In: bounds, cadences, an anchor. Out: calls, one
 * for each period, in order of time. Points are counted from the anchor, so
 * that a month's end stays one. */
#include "invoice/item_periods.h"

#include "base/check.h"

static met__period cut(met__period period, met__period by)
{
    if (period.from_ns < by.from_ns) {
        period.from_ns = by.from_ns;
    }
    if (period.to_ns > by.to_ns) {
        period.to_ns = by.to_ns;
    }
    return period;
}

static met_error billing_at(const met__item *item, int64_t at_ns,
                            met__period *out)
{
    const met__recurrence billing = {item->anchor_ns, item->billing_cadence};
    met_error error = met__recurrence_period_at(&billing, at_ns, out, NULL);

    if (error == MET_OK) {
        *out = cut(*out, item->phase);
    }
    return error;
}

met_error met__billing_horizon(const met__item *item, int64_t until_ns,
                               int64_t *horizon_out)
{
    const met__recurrence billing = {item->anchor_ns, item->billing_cadence};
    met__period period;
    met_error error =
        met__recurrence_period_at(&billing, until_ns, &period, NULL);

    if (error == MET_OK) {
        *horizon_out =
            period.from_ns == until_ns ? until_ns : period.to_ns;
    }
    return error;
}

/* The fee of a whole phase: it has no cadence, so no share either. */
static met_error visit_once(const met__item *item, int64_t until_ns,
                            void *context, met__item_visitor visit)
{
    met__period service = item->active;
    met__item_period period;
    int is_known = service.to_ns < MET__TIME_MAX;
    met_error error = billing_at(item, service.from_ns, &period.billing);

    if (error != MET_OK || service.from_ns > until_ns
        || (!item->is_in_advance && !is_known)) {
        return error;
    }
    if (!is_known) {
        service.to_ns = service.from_ns;
    }
    period.service = service;
    period.full = service;
    period.invoice_at_ns =
        item->is_in_advance ? service.from_ns : service.to_ns;
    return visit(context, &period);
}

static int is_wanted(const met__item *item, const met__item_period *period,
                     int64_t until_ns)
{
    return item->is_in_advance ? period->billing.from_ns <= until_ns
                               : period->billing.from_ns < until_ns;
}

met_error met__item_periods_each(const met__item *item, int64_t until_ns,
                                 void *context, met__item_visitor visit)
{
    const met__recurrence recurrence = {item->anchor_ns, item->cadence};
    int64_t at = item->from_ns > item->active.from_ns ? item->from_ns
                                                      : item->active.from_ns;
    met_error error = MET_OK;

    if (item->active.from_ns >= item->active.to_ns) {
        return MET_OK;
    }
    if (met__duration_is_zero(&item->cadence)) {
        return visit_once(item, until_ns, context, visit);
    }
    while (error == MET_OK && at < item->active.to_ns) {
        met__item_period period;
        error = met__recurrence_period_at(&recurrence, at, &period.full,
                                          NULL);
        if (error != MET_OK) {
            return error;
        }
        period.service = cut(period.full, item->active);
        error = billing_at(item,
                           item->is_in_advance ? period.service.from_ns
                                               : period.service.to_ns - 1,
                           &period.billing);
        if (error != MET_OK || !is_wanted(item, &period, until_ns)) {
            return error;
        }
        period.invoice_at_ns = period.billing.from_ns;
        if (!item->is_in_advance) {
            period.invoice_at_ns = period.service.to_ns > period.billing.to_ns
                                       ? period.service.to_ns
                                       : period.billing.to_ns;
        }
        error = visit(context, &period);
        at = period.service.to_ns;
    }
    return error;
}
