/* What happens to subscriptions: create, apply, cancel. In: documents and
 * instants. Out: one changed record, or the reason against it. One customer
 * has one subscription at a time, and the version of the plan is pinned. */
#include "base/check.h"
#include "customer/subscription_document.h"

#define LATE_NS (2 * MET__MINUTE_NS) /* how late "now" may arrive here */

/* --- Creating ------------------------------------------------------------- */
typedef struct creation {
    met__txn *txn;
    met__arena *arena;
    const met__path *path;
    const met__subscribe *when;
    met_error_info *info;
    met__subscription *made;
    met__customer *customer;
    met__plan *plan;
} creation;

static met_error find_customer(creation *c)
{
    met__path here = {c->path, "customer", 0};
    met_error error = met__customer_get(c->txn, c->made->customer_key,
                                        c->arena, &c->customer);

    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(c->info, error, &here, "key",
                            "there is no such customer");
    }
    if (error == MET_OK) {
        c->made->customer_id = c->customer->id;
    }
    return error;
}

/* The stated or else the highest active version; it must be active now. */
static met_error find_plan(creation *c)
{
    met__path here = {c->path, "plan", 0};
    uint32_t version = c->made->plan_version;
    met_error error = met__plan_get(c->txn, c->made->plan_key, version,
                                    c->when->now_ns, c->arena, &c->plan);

    if (error == MET_E_NOT_FOUND && version == 0) {
        error = met__plan_latest(c->txn, c->made->plan_key, c->arena,
                                 &c->plan);
    }
    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(c->info, error, &here, version ? "version" : "key",
                            version ? "the plan has no such version"
                                    : "there is no such plan");
    }
    if (error != MET_OK) {
        return error;
    }
    uint32_t status = met__plan_status_at(c->plan->effective_from_ns,
                                          c->plan->effective_to_ns,
                                          c->when->now_ns);
    if (status != MET__PLAN_ACTIVE) {
        return met__fail_at(c->info, MET_E_CONFLICT, &here, NULL,
                            "the plan is not active: version %u is %s",
                            (unsigned)c->plan->version,
                            met__plan_status_name(status));
    }
    c->made->plan_version = c->plan->version;
    return MET_OK;
}

static met_error set_times(creation *c)
{
    met__subscription *made = c->made;
    int64_t now_ns = c->when->now_ns;
    met__period period;

    if (made->active_from_ns == 0) {
        made->active_from_ns = now_ns;
    }
    if (made->active_from_ns < now_ns - LATE_NS && !c->when->allow_past) {
        return met__fail_at(c->info, MET_E_INVALID, c->path, "active_from",
                            "must not lie more than 2 minutes in the past");
    }
    if (made->active_to_ns != 0
        && made->active_to_ns <= made->active_from_ns) {
        return met__fail_at(c->info, MET_E_INVALID, c->path, "active_to",
                            "must be after active_from");
    }
    if (made->billing_anchor_ns == 0) {
        made->billing_anchor_ns = made->active_from_ns;
    }
    if (met__subscription_billing_period(made, c->plan, made->active_from_ns,
                                         &period)
        != MET_OK) {
        return met__fail_at(c->info, MET_E_INVALID, c->path,
                            "billing_anchor",
                            "gives a first billing period outside of the "
                            "years 1970 to 2200");
    }
    return MET_OK;
}

static int is_billable(const met__plan *plan)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        for (size_t j = 0; j < plan->phases[i].rate_card_count; j++) {
            if (met__price_is_billable(plan->phases[i].rate_cards[j]->price)) {
                return 1;
            }
        }
    }
    return 0;
}

static met_error settle_currency(creation *c)
{
    met__text currency = c->customer->currency;

    if (!is_billable(c->plan)) {
        return MET_OK;
    }
    if (currency.size == 0) {
        return met__customer_set_currency(c->txn, c->customer->key,
                                          c->plan->currency,
                                          c->when->now_ns);
    }
    if (!met__text_equal(currency, c->plan->currency)) {
        return met__fail_at(c->info, MET_E_CONFLICT, c->path, "plan",
                            "is in %.*s, the customer pays in %.*s",
                            (int)c->plan->currency.size,
                            c->plan->currency.data, (int)currency.size,
                            currency.data);
    }
    return MET_OK;
}

/* Two periods [from, to) share an instant; to 0 = no end. */
static int overlap(const met__subscription *a, const met__subscription *b)
{
    int is_empty =
        (a->active_to_ns != 0 && a->active_to_ns <= a->active_from_ns)
        || (b->active_to_ns != 0 && b->active_to_ns <= b->active_from_ns);

    return !is_empty
           && (a->active_to_ns == 0 || a->active_to_ns > b->active_from_ns)
           && (b->active_to_ns == 0 || b->active_to_ns > a->active_from_ns);
}

static met_error check_others(creation *c)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(c->txn, c->customer->key,
                                             c->arena, &list, &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        if (overlap(list[i], c->made)) {
            return met__fail_at(
                c->info, MET_E_CONFLICT, c->path, NULL,
                "only_single_subscription_allowed_per_customer_at_a_time: "
                "%.*s to the plan \"%.*s\"",
                (int)list[i]->id.size, list[i]->id.data,
                (int)list[i]->plan_key.size, list[i]->plan_key.data);
        }
    }
    return error;
}

static met_error create(creation *c)
{
    met_error error = find_customer(c);

    if (error == MET_OK) {
        error = find_plan(c);
    }
    if (error == MET_OK) {
        error = set_times(c);
    }
    if (error == MET_OK) {
        error = check_others(c);
    }
    if (error == MET_OK) {
        error = settle_currency(c);
    }
    if (error == MET_OK) {
        error = met__object_id(c->txn, c->when->now_ns, c->arena,
                               &c->made->id);
    }
    c->made->created_at_ns = c->when->now_ns;
    c->made->updated_at_ns = c->when->now_ns;
    return error == MET_OK
               ? met__subscription_put(c->txn, c->made, c->arena)
               : error;
}

met_error met__subscription_create(met__txn *txn, const met__node *node,
                                   const met__path *path,
                                   const met__subscribe *when,
                                   met__arena *arena,
                                   met__subscription **subscription_out,
                                   met_error_info *info)
{
    creation c = {txn, arena, path, when, info, NULL, NULL, NULL};
    met_error error =
        met__subscription_read(node, path, 0, arena, &c.made, info);

    if (error == MET_OK) {
        error = create(&c);
    }
    if (error == MET_OK) {
        *subscription_out = c.made;
    }
    return error;
}

/* --- Applying ------------------------------------------------------------- */
/* What a declarative document states about a subscription that is there. */
static met_error compare(const creation *c, const met__subscription *now)
{
    const met__subscription *stated = c->made;
    const char *field = NULL;

    if (!met__text_equal(stated->plan_key, now->plan_key)
        || (stated->plan_version != 0
            && stated->plan_version != now->plan_version)) {
        return met__fail_at(c->info, MET_E_CONFLICT, c->path, "plan",
                            "the customer is subscribed to version %u of "
                            "\"%.*s\"",
                            (unsigned)now->plan_version,
                            (int)now->plan_key.size, now->plan_key.data);
    }
    if (stated->active_from_ns != 0
        && stated->active_from_ns != now->active_from_ns) {
        field = "active_from";
    } else if (stated->active_to_ns != 0
               && stated->active_to_ns != now->active_to_ns) {
        field = "active_to";
    } else if (stated->billing_anchor_ns != 0
               && stated->billing_anchor_ns != now->billing_anchor_ns) {
        field = "billing_anchor";
    }
    return field == NULL ? MET_OK
                         : met__fail_at(c->info, MET_E_CONFLICT, c->path,
                                        field,
                                        "differs from the subscription's");
}

/* The customer's subscription that runs or is scheduled, or NULL. */
static met_error find_present(creation *c, met__subscription **found_out)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(c->txn, c->made->customer_key,
                                             c->arena, &list, &count);

    *found_out = NULL;
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        if (*found_out == NULL
            && met__subscription_status_at(list[i], c->when->now_ns)
                   != MET__SUBSCRIPTION_INACTIVE) {
            *found_out = list[i];
        }
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__subscription_apply(met__txn *txn, const met__node *node,
                                  const met__path *path,
                                  const met__subscribe *when,
                                  met__arena *arena, uint32_t *change_out,
                                  met__subscription **subscription_out,
                                  met_error_info *info)
{
    creation c = {txn, arena, path, when, info, NULL, NULL, NULL};
    met__subscription *now = NULL;
    uint32_t change = MET__CHANGE_CREATED;
    met_error error =
        met__subscription_read(node, path, 0, arena, &c.made, info);

    if (error == MET_OK) {
        error = find_present(&c, &now);
    }
    if (error == MET_OK && now != NULL) {
        change = MET__CHANGE_NONE;
        error = compare(&c, now);
    } else if (error == MET_OK) {
        error = create(&c);
    }
    if (error == MET_OK) {
        *change_out = change;
        *subscription_out = now != NULL ? now : c.made;
    }
    return error;
}

/* --- Cancelling ----------------------------------------------------------- */
/* An instant at which one of its billing periods begins. */
static met_error check_boundary(const met__subscription *subscription,
                                const met__plan *plan, int64_t at_ns,
                                met_error_info *info)
{
    met__period period;
    met_error error = met__subscription_billing_period(subscription, plan,
                                                       at_ns, &period);

    if (error != MET_OK || period.from_ns != at_ns) {
        return met__fail(info, MET_E_INVALID, "at",
                         "is not the start of one of its billing periods");
    }
    return MET_OK;
}

/* Where it ends. The subscription is still as it was: its periods are. */
static met_error end_of(const met__subscription *subscription,
                        const met__plan *plan, const met__cancel *when,
                        int64_t *to_ns_out, met_error_info *info)
{
    met__period period;
    int is_scheduled = subscription->active_from_ns > when->now_ns;

    if (when->at_ns != 0 && when->at_next_billing_cycle) {
        return met__fail(info, MET_E_INVALID, "at",
                         "must be 0 with the next billing cycle");
    }
    if (when->at_ns != 0) {
        if (when->at_ns < when->now_ns && !when->allow_past) {
            return met__fail(info, MET_E_INVALID, "at", "is in the past");
        }
        *to_ns_out = when->at_ns;
        return check_boundary(subscription, plan, when->at_ns, info);
    }
    if (is_scheduled) {
        *to_ns_out = subscription->active_from_ns;
        return MET_OK;
    }
    *to_ns_out = when->now_ns;
    if (!when->at_next_billing_cycle) {
        return MET_OK;
    }
    met_error error = met__subscription_billing_period(
        subscription, plan, when->now_ns, &period);
    *to_ns_out = period.to_ns;
    return error;
}

static met_error cancel(met__txn *txn, met__text id, const met__cancel *when,
                        met__arena *arena, met_error_info *info)
{
    met__subscription *subscription = NULL;
    met__plan *plan = NULL;
    int64_t to_ns = 0;
    met_error error = met__subscription_get(txn, id, arena, &subscription);

    if (error != MET_OK) {
        return error;
    }
    uint32_t status = met__subscription_status_at(subscription, when->now_ns);
    if (status == MET__SUBSCRIPTION_CANCELED
        || status == MET__SUBSCRIPTION_INACTIVE) {
        return met__fail(info, MET_E_CONFLICT, "id",
                         "transition cancel in state %s not allowed",
                         met__subscription_status_name(status));
    }
    error = met__subscription_plan(txn, subscription, arena, &plan);
    if (error == MET_E_NOT_FOUND) {
        return MET_E_CORRUPT; /* a pinned version is never removed */
    }
    if (error == MET_OK) {
        error = end_of(subscription, plan, when, &to_ns, info);
    }
    subscription->active_to_ns = to_ns;
    subscription->updated_at_ns = when->now_ns;
    return error == MET_OK ? met__subscription_put(txn, subscription, arena)
                           : error;
}

met_error met__subscription_cancel(met__txn *txn, met__text id,
                                   const met__cancel *when,
                                   met_error_info *info)
{
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = cancel(txn, id, when, &arena, info);
    met__arena_release(&arena);
    return error;
}
