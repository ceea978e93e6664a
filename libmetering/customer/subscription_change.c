/* How subscriptions begin: create, apply. In: documents and instants. Out: one
 * new record, or the reason against it. One customer has one subscription at a
 * time, and the version of the plan is pinned. */
#include "base/check.h"
#include "catalog/identity.h"
#include "customer/subscription_document.h"

#define LATE_NS (2 * MET__MINUTE_NS) /* how late "now" may arrive here */

/* --- Creating ------------------------------------------------------------- */
static met_error find_customer(met__creation *c)
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

/* The stated or else the highest active version; it must be active now, or for
 * a migration have been. */
static met_error find_version(met__creation *c)
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
    if (status != MET__PLAN_ACTIVE
        && !(c->allows_archived && status == MET__PLAN_ARCHIVED)) {
        return met__fail_at(c->info, MET_E_CONFLICT, &here, NULL,
                            "the plan is not active: version %u is %s",
                            (unsigned)c->plan->version,
                            met__plan_status_name(status));
    }
    c->made->plan_version = c->plan->version;
    return MET_OK;
}

/* Its own plan, under its own id. */
static met_error make_plan(met__creation *c)
{
    met__path here = {c->path, "custom_plan", 0};
    met_error error =
        met__plan_put_custom(c->txn, c->custom, &here, c->made->id,
                             c->when->now_ns, c->arena, &c->plan, c->info);

    if (error == MET_OK) {
        c->made->plan_key = c->plan->key;
        c->made->plan_version = c->plan->version;
    }
    return error;
}

static met_error find_plan(met__creation *c)
{
    size_t index;
    met_error error = met__object_id(c->txn, c->when->now_ns, c->arena,
                                     &c->made->id);

    if (error == MET_OK) {
        error = c->custom != NULL ? make_plan(c) : find_version(c);
    }
    if (error == MET_OK && c->made->starting_phase.size > 0
        && !met__plan_find_phase(c->plan, c->made->starting_phase, &index)) {
        return met__fail_at(c->info, MET_E_INVALID, c->path,
                            "starting_phase",
                            "the plan has no such phase");
    }
    return error;
}

static met_error set_times(met__creation *c)
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
    met__recurrence billing = {made->billing_anchor_ns,
                               c->plan->billing_cadence};
    if (met__recurrence_period_at(&billing, made->active_from_ns, &period,
                                  NULL)
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

static met_error settle_currency(met__creation *c)
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

met_error met__subscription_check_others(met__txn *txn,
                                         const met__subscription *one,
                                         const met__path *path,
                                         const char *name, met__arena *arena,
                                         met_error_info *info)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(txn, one->customer_key, arena,
                                             &list, &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        if (!met__text_equal(list[i]->id, one->id) && overlap(list[i], one)) {
            return met__fail_at(
                info, MET_E_CONFLICT, path, name,
                "only_single_subscription_allowed_per_customer_at_a_time: "
                "%.*s to the plan \"%.*s\"",
                (int)list[i]->id.size, list[i]->id.data,
                (int)list[i]->plan_key.size, list[i]->plan_key.data);
        }
    }
    return error;
}

met_error met__subscription_make(met__creation *c)
{
    met_error error = find_customer(c);

    if (error == MET_OK) {
        error = find_plan(c);
    }
    if (error == MET_OK) {
        error = set_times(c);
    }
    if (error == MET_OK) {
        error = met__subscription_check_others(c->txn, c->made, c->path, NULL,
                                               c->arena, c->info);
    }
    if (error == MET_OK) {
        error = settle_currency(c);
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
    met__creation c = {.txn = txn, .arena = arena, .path = path,
                       .when = when, .info = info};
    met_error error = met__subscription_read(
        node, path, MET__STATES_NEW, arena, &c.made, &c.custom, info);

    if (error == MET_OK) {
        error = met__subscription_make(&c);
    }
    if (error == MET_OK) {
        *subscription_out = c.made;
    }
    return error;
}

/* --- Applying ------------------------------------------------------------- */
/* Whether the stated plan is the one it has. */
static met_error same_plan(const met__creation *c,
                           const met__subscription *now, int *is_same)
{
    met__path here = {c->path, "custom_plan", 0};
    const met__subscription *stated = c->made;
    met__plan *plan = NULL;
    met__node *a = NULL;
    met__node *b = NULL;

    *is_same = met__text_equal(stated->plan_key, now->plan_key)
               && (stated->plan_version == 0
                   || stated->plan_version == now->plan_version);
    if (c->custom == NULL || !met__plan_is_custom(now->plan_key)) {
        return MET_OK;
    }
    met_error error = met__plan_read_custom(c->custom, &here, c->arena, &plan,
                                            c->info);
    if (error == MET_OK) {
        error = met__plan_build(plan, MET__PLAN_CUSTOM, NULL, NULL, c->arena,
                                &a);
    }
    if (error == MET_OK) {
        error = met__subscription_plan(c->txn, now, c->arena, &plan);
    }
    if (error == MET_OK) {
        error = met__plan_build(plan, MET__PLAN_CUSTOM, NULL, NULL, c->arena,
                                &b);
    }
    if (error == MET_OK) {
        *is_same = met__node_equal(a, b);
    }
    return error;
}

/* What a declarative document states about a subscription that is there. */
static met_error compare(const met__creation *c, const met__subscription *now)
{
    const met__subscription *stated = c->made;
    const char *field = NULL;
    int is_same = 0;
    met_error error = same_plan(c, now, &is_same);

    if (error != MET_OK) {
        return error;
    }
    if (!is_same) {
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
    } else if (stated->starting_phase.size > 0
               && !met__text_equal(stated->starting_phase,
                                   now->starting_phase)) {
        field = "starting_phase";
    }
    return field == NULL ? MET_OK
                         : met__fail_at(c->info, MET_E_CONFLICT, c->path,
                                        field,
                                        "differs from the subscription's");
}

static int rename_text(met__text *now, met__text stated)
{
    if (stated.size == 0 || met__text_equal(*now, stated)) {
        return 0;
    }
    *now = stated;
    return 1;
}

/* What may differ: how it is called. */
static met_error rename_present(const met__creation *c,
                                met__subscription *now, uint32_t *change_out)
{
    const met__subscription *stated = c->made;
    int is_new = rename_text(&now->name, stated->name)
                 | rename_text(&now->description, stated->description);

    if (stated->labels != NULL
        && !met__labels_equal(now->labels, stated->labels)) {
        now->labels = stated->labels;
        is_new = 1;
    }
    *change_out = is_new ? MET__CHANGE_UPDATED : MET__CHANGE_NONE;
    if (!is_new) {
        return MET_OK;
    }
    now->updated_at_ns = c->when->now_ns;
    return met__subscription_put(c->txn, now, c->arena);
}

/* The customer's subscription that runs or is scheduled, or NULL. */
static met_error find_present(met__creation *c, met__subscription **found_out)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(c->txn, c->made->customer_key,
                                             c->arena, &list, &count);

    int has_meant = 0;

    *found_out = NULL;
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        if (met__subscription_status_at(list[i], c->when->now_ns)
            == MET__SUBSCRIPTION_INACTIVE) {
            continue;
        }
        /* After a change of plan both may be meant. */
        int is_meant = met__text_equal(list[i]->plan_key, c->made->plan_key);
        if (*found_out == NULL || (is_meant && !has_meant)) {
            *found_out = list[i];
            has_meant = is_meant;
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
    met__creation c = {.txn = txn, .arena = arena, .path = path,
                       .when = when, .info = info};
    met__subscription *now = NULL;
    uint32_t change = MET__CHANGE_CREATED;
    met_error error = met__subscription_read(
        node, path, MET__STATES_NEW, arena, &c.made, &c.custom, info);

    if (error == MET_OK) {
        error = find_present(&c, &now);
    }
    if (error == MET_OK && now != NULL) {
        error = compare(&c, now);
        if (error == MET_OK) {
            error = rename_present(&c, now, &change);
        }
    } else if (error == MET_OK) {
        error = met__subscription_make(&c);
    }
    if (error == MET_OK) {
        *change_out = change;
        *subscription_out = now != NULL ? now : c.made;
    }
    return error;
}
