/* Periods to bill. In: a subscription, its plan, an instant. Out: calls, one
 * for each rate card and period. It reads neither usage nor what was booked.
 * Which periods there are, item_periods.c knows. */
#include "invoice/billable.h"

#include "catalog/rate_card.h"
#include "invoice/item_periods.h"

typedef struct period_walk {
    const met__billables *wanted;
    const met__subscription *subscription;
    int64_t from_ns;      /* what ended by then is not looked at */
    int64_t void_from_ns; /* 0: what is walked is owed */
    void *context;
    met__billable_visitor visit;
} period_walk;

static int is_in_advance(const met__price *price)
{
    return price->type == MET__PRICE_FLAT
           && price->term == MET__TERM_IN_ADVANCE;
}

/* --- What is left out ----------------------------------------------------- */
static int is_marked(const met__billables *wanted, met__period period)
{
    for (size_t i = 0; i < wanted->mark_count; i++) {
        const met__usage_mark *mark = &wanted->marks[i];
        if (mark->number >= wanted->number
            && mark->period.from_ns < period.to_ns
            && mark->period.to_ns > period.from_ns) {
            return 1;
        }
    }
    return 0;
}

/* A minimum is of all rate cards of a billing period together. */
static int is_done(const met__billables *wanted, const met__billable *billable)
{
    return billable->invoice_at_ns <= wanted->done_to_ns
           && (met__decimal_is_zero(wanted->plan->minimum)
               || billable->billing.to_ns <= wanted->done_to_ns)
           && !is_marked(wanted, billable->period);
}

/* Everything is looked at when a plan with a minimum has a mark. */
static met_error find_start(const met__billables *wanted, period_walk *walk)
{
    const met__recurrence billing = {wanted->subscription->billing_anchor_ns,
                                     wanted->plan->billing_cadence};
    met__period period;
    int has_minimum = !met__decimal_is_zero(wanted->plan->minimum);
    met_error error = met__recurrence_period_at(&billing, wanted->done_to_ns,
                                                &period, NULL);

    if (error != MET_OK) {
        return error;
    }
    walk->from_ns = period.from_ns;
    for (size_t i = 0; i < wanted->mark_count; i++) {
        const met__usage_mark *mark = &wanted->marks[i];
        if (mark->number < wanted->number) {
            continue;
        }
        if (has_minimum) {
            walk->from_ns = 0;
        } else if (mark->period.from_ns < walk->from_ns) {
            walk->from_ns = mark->period.from_ns;
        }
    }
    return MET_OK;
}

/* --- Offering ------------------------------------------------------------- */
/* Calls visit when it is due or shown. */
static met_error offer(const period_walk *walk, met__billable *billable,
                       int64_t invoice_at_ns)
{
    const met__billables *wanted = walk->wanted;
    int is_due = invoice_at_ns <= wanted->as_of_ns;

    billable->invoice_at_ns = invoice_at_ns;
    if (walk->void_from_ns != 0) {
        billable->is_void = 1;
        return billable->booked_from_ns < walk->void_from_ns
                   ? MET_OK
                   : walk->visit(walk->context, billable);
    }
    if (walk->from_ns > 0 && is_done(wanted, billable)) {
        return MET_OK;
    }
    if (!is_due
        && !(wanted->is_open_included
             && billable->period.from_ns <= wanted->as_of_ns)) {
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
                              .plan = walk->wanted->plan,
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
                      .billing_cadence = walk->wanted->plan->billing_cadence,
                      .cadence = card->billing_cadence,
                      .from_ns = walk->from_ns,
                      .is_in_advance = is_in_advance(price)};
    card_visit visit = {walk, &billable};
    return met__item_periods_each(&item, walk->wanted->as_of_ns + 1, &visit,
                                  visit_period);
}

/* Every phase that has begun, card by card. */
static met_error visit_phases(const period_walk *walk, met__arena *arena,
                              met_error_info *info)
{
    const met__plan *plan = walk->wanted->plan;
    int64_t at = walk->subscription->active_from_ns;

    while (at <= walk->wanted->as_of_ns) {
        met__period bounds;
        size_t phase;
        met_error error = met__subscription_phase_at(walk->subscription, plan,
                                                     at, &phase, &bounds);
        if (error == MET_E_NOT_FOUND) {
            return MET_OK;
        }
        for (size_t i = 0;
             error == MET_OK && bounds.to_ns > walk->from_ns
             && i < plan->phases[phase].rate_card_count;
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

/* Only what has no end can be ended: it was billed without one. */
static met_error visit_void(const period_walk *owed, met__arena *arena,
                            met_error_info *info)
{
    met__subscription endless = *owed->subscription;
    int64_t to_ns = endless.active_to_ns;
    period_walk walk = *owed;

    if (to_ns == 0 || to_ns > owed->wanted->as_of_ns
        || to_ns <= owed->wanted->done_to_ns) {
        return MET_OK;
    }
    endless.active_to_ns = 0;
    walk.subscription = &endless;
    walk.void_from_ns = to_ns;
    walk.from_ns = 0;
    return visit_phases(&walk, arena, info);
}

met_error met__billables_each(const met__billables *wanted, met__arena *arena,
                              void *context, met__billable_visitor visit,
                              met_error_info *info)
{
    period_walk walk = {.wanted = wanted,
                        .subscription = wanted->subscription,
                        .context = context,
                        .visit = visit};
    met_error error =
        wanted->done_to_ns != 0 ? find_start(wanted, &walk) : MET_OK;

    if (error == MET_OK) {
        error = visit_phases(&walk, arena, info);
    }
    return error == MET_OK ? visit_void(&walk, arena, info) : error;
}
