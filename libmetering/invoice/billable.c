/* Periods to bill. In: a subscription, its plan, an instant. Out: calls, one
 * for each rate card and period. It reads neither usage nor what was booked.
 * Which periods there are, item_periods.c knows. */
#include "invoice/billable.h"

#include "catalog/rate_card.h"
#include "invoice/item_periods.h"

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

typedef struct card_visit {
    const period_walk *walk;
    met__billable *billable;
} card_visit;

static met_error visit_period(void *context, const met__item_period *period)
{
    card_visit *visit = context;

    visit->billable->period = period->service;
    visit->billable->full = period->full;
    visit->billable->billing = period->billing;
    visit->billable->booked_from_ns = period->service.from_ns;
    return offer(visit->walk, visit->billable, period->invoice_at_ns);
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
    met__item item = {.phase = phase,
                      .active = phase,
                      .anchor_ns = walk->subscription->billing_anchor_ns,
                      .billing_cadence = walk->plan->billing_cadence,
                      .cadence = card->billing_cadence,
                      .is_in_advance = is_in_advance(price)};
    card_visit visit = {walk, &billable};
    return met__item_periods_each(&item, walk->as_of_ns + 1, &visit,
                                  visit_period);
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
