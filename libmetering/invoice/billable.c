/* Periods to bill. In: a subscription, its plan, an instant. Out: calls, one
 * for each rate card and period. It reads neither usage nor what was booked.
 * Rules: pricing of OpenMeter, productcatalog/subscription: service period =
 * cadence on the billing anchor, clipped; invoice_at in advance = start of the
 * billing period, else the later end. */
#include "invoice/billable.h"

#include "catalog/rate_card.h"

typedef struct period_walk {
    const met__subscription *subscription;
    const met__plan *plan;
    int64_t as_of_ns;
    int is_open_included;
    int reserved;
    int64_t void_from_ns; /* 0: what is walked is owed */
    void *context;
    met__billable_visitor visit;
} period_walk;

static int is_in_advance(const met__price *price)
{
    return price->type == MET__PRICE_FLAT
           && price->term == MET__TERM_IN_ADVANCE;
}

/* Calls visit when it is due or shown. */
static met_error offer(const period_walk *walk, met__billable *billable,
                       int64_t invoice_at_ns)
{
    int is_due = invoice_at_ns <= walk->as_of_ns;

    billable->invoice_at_ns = invoice_at_ns;
    if (walk->void_from_ns != 0) {
        billable->is_void = 1;
        return billable->booked_from_ns < walk->void_from_ns
                   ? MET_OK
                   : walk->visit(walk->context, billable);
    }
    if (!is_due
        && !(walk->is_open_included
             && billable->period.from_ns <= walk->as_of_ns)) {
        return MET_OK;
    }
    billable->is_open = !is_due;
    return walk->visit(walk->context, billable);
}

/* A fee that is billed once in its phase. */
static met_error visit_once(const period_walk *walk, met__billable *billable,
                            met__period phase)
{
    int in_advance = is_in_advance(billable->price);
    int64_t at = in_advance ? phase.from_ns : phase.to_ns - 1;

    if ((in_advance && phase.from_ns > walk->as_of_ns)
        || (!in_advance && phase.to_ns >= MET__TIME_MAX)) {
        return MET_OK; /* its end is not known yet */
    }
    met_error error = met__subscription_billing_period(
        walk->subscription, walk->plan, at, &billable->period);
    if (error != MET_OK) {
        return error;
    }
    billable->full = billable->period;
    billable->booked_from_ns = phase.from_ns;
    return offer(walk, billable, in_advance ? phase.from_ns : phase.to_ns);
}

static met_error visit_periods(const period_walk *walk, met__billable *billable,
                               met__period phase)
{
    const met__recurrence recurrence = {
        .anchor_ns = walk->subscription->billing_anchor_ns,
        .interval = billable->card->billing_cadence};
    int in_advance = is_in_advance(billable->price);
    int64_t at = phase.from_ns;
    met__period billing;
    int64_t invoice_at;
    int64_t n;
    met_error error = MET_OK;

    while (error == MET_OK && at < phase.to_ns) {
        if (at > walk->as_of_ns && !in_advance) {
            return MET_OK;
        }
        error = met__subscription_period(walk->subscription, walk->plan,
                                         &recurrence.interval, at,
                                         &billable->period);
        if (error == MET_OK) {
            error = met__recurrence_period_at(&recurrence, at,
                                              &billable->full, &n);
        }
        if (error == MET_OK) {
            error = met__subscription_billing_period(
                walk->subscription, walk->plan,
                in_advance ? at : billable->period.to_ns - 1, &billing);
        }
        if (error != MET_OK) {
            return error;
        }
        invoice_at = billing.from_ns;
        if (in_advance && invoice_at > walk->as_of_ns) {
            return MET_OK;
        }
        if (!in_advance) {
            invoice_at = billable->period.to_ns > billing.to_ns
                             ? billable->period.to_ns
                             : billing.to_ns;
        }
        billable->booked_from_ns = billable->period.from_ns;
        error = offer(walk, billable, invoice_at);
        at = billable->period.to_ns;
    }
    return error;
}

static met_error visit_card(const period_walk *walk, const met__rate_card *card,
                            met__period phase, met__arena *arena,
                            met_error_info *info)
{
    met__billable billable = {.subscription = walk->subscription,
                              .plan = walk->plan,
                              .card = card};
    met__path path = {NULL, "price", 0};
    met__price *price;

    if (!met__price_is_billable(card->price)) {
        return MET_OK;
    }
    met_error error =
        met__price_read(card->price, &path, arena, &price, info);
    if (error != MET_OK) {
        return error == MET_E_INVALID ? MET_E_CORRUPT : error;
    }
    billable.price = price;
    return card->has_billing_cadence ? visit_periods(walk, &billable, phase)
                                     : visit_once(walk, &billable, phase);
}

/* Every phase that has begun, card by card. */
static met_error visit_phases(const period_walk *walk, met__arena *arena,
                              met_error_info *info)
{
    const met__plan *plan = walk->plan;
    int64_t at = walk->subscription->active_from_ns;

    while (at <= walk->as_of_ns) {
        met__period bounds;
        size_t phase;
        met_error error = met__subscription_phase_at(walk->subscription, plan,
                                                     at, &phase, &bounds);
        if (error == MET_E_NOT_FOUND) {
            return MET_OK;
        }
        for (size_t i = 0;
             error == MET_OK && i < plan->phases[phase].rate_card_count;
             i++) {
            error = visit_card(walk, plan->phases[phase].rate_cards[i],
                               bounds, arena, info);
        }
        if (error != MET_OK || bounds.to_ns <= at) {
            return error;
        }
        at = bounds.to_ns;
    }
    return MET_OK;
}

met_error met__billables_each(const met__subscription *subscription,
                              const met__plan *plan, int64_t as_of_ns,
                              int is_open_included, met__arena *arena,
                              void *context, met__billable_visitor visit,
                              met_error_info *info)
{
    met__subscription endless = *subscription;
    period_walk walk = {.subscription = subscription,
                        .plan = plan,
                        .as_of_ns = as_of_ns,
                        .is_open_included = is_open_included,
                        .context = context,
                        .visit = visit};
    met_error error = visit_phases(&walk, arena, info);

    if (error == MET_OK && subscription->active_to_ns != 0
        && subscription->active_to_ns <= as_of_ns) {
        /* Only what has no end can be ended: it was billed without one. */
        endless.active_to_ns = 0;
        walk.subscription = &endless;
        walk.void_from_ns = subscription->active_to_ns;
        error = visit_phases(&walk, arena, info);
    }
    return error;
}
