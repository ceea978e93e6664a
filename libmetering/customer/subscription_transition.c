/* What becomes of a subscription: cancel, continue, change, migrate, restore,
 * remove, by one table of states. In: an id and instants. Out: changed records,
 * or the reason against it. What follows another begins exactly where that
 * ends, and each of the two names the other.
 * Rules: OpenMeter openmeter/subscription (state.go, timing.go, workflow). */
#include "base/check.h"
#include "customer/subscription_document.h"
#include "store/object.h"

/* --- States --------------------------------------------------------------- */
enum { CANCEL, CONTINUE, CHANGE, MIGRATE, RESTORE, REMOVE };

#define IN(state) (1u << MET__SUBSCRIPTION_##state)

/* A scheduled one may be canceled here, unlike in OpenMeter: it ends where it
 * would begin. */
static const struct transition {
    const char *name;
    unsigned states;
} transitions[] = {{"cancel", IN(SCHEDULED) | IN(ACTIVE)},
                   {"continue", IN(CANCELED)},
                   {"change", IN(ACTIVE)},
                   {"migrate", IN(ACTIVE)},
                   {"restore", IN(CANCELED)},
                   {"delete", IN(SCHEDULED)}};

typedef struct work {
    met__txn *txn;
    met__arena *arena;
    met_error_info *info;
    int64_t now_ns;
    met__subscription *one;
} work;

static met_error begin(work *self, met__text id, int transition)
{
    met_error error =
        met__subscription_get(self->txn, id, self->arena, &self->one);

    if (error != MET_OK) {
        return error;
    }
    uint32_t status = met__subscription_status_at(self->one, self->now_ns);
    if (self->one->deleted_at_ns != 0
        || !(transitions[transition].states & (1u << status))) {
        return met__fail(self->info, MET_E_CONFLICT, "id",
                         "transition %s in state %s not allowed",
                         transitions[transition].name,
                         met__subscription_status_name(status));
    }
    return MET_OK;
}

static met_error put(const work *self, met__subscription *one)
{
    one->updated_at_ns = self->now_ns;
    return met__subscription_put(self->txn, one, self->arena);
}

/* Calls work for one transition in an arena of its own. */
static met_error run(met__txn *txn, met__text id, int transition,
                     int64_t now_ns, met_error (*does)(work *self),
                     met_error_info *info)
{
    met__arena arena;
    work self = {txn, &arena, info, now_ns, NULL};

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = begin(&self, id, transition);
    if (error == MET_OK) {
        error = does(&self);
    }
    met__arena_release(&arena);
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
        return met__fail(info, MET_E_INVALID, "at_ns",
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
        return met__fail(info, MET_E_INVALID, "at_ns",
                         "must be 0 with the next billing cycle");
    }
    if (when->at_ns != 0) {
        if (when->at_ns < when->now_ns && !when->allow_past) {
            return met__fail(info, MET_E_INVALID, "at_ns", "is in the past");
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

/* Its end, not stored yet. */
static met_error end(work *self, const met__cancel *when)
{
    met__plan *plan = NULL;
    int64_t to_ns = 0;
    met_error error =
        met__subscription_plan(self->txn, self->one, self->arena, &plan);

    if (error == MET_E_NOT_FOUND) {
        return MET_E_CORRUPT; /* a pinned version is never removed */
    }
    if (error == MET_OK) {
        error = end_of(self->one, plan, when, &to_ns, self->info);
    }
    if (error == MET_OK) {
        self->one->active_to_ns = to_ns;
    }
    return error;
}

met_error met__subscription_cancel(met__txn *txn, met__text id,
                                   const met__cancel *when,
                                   met_error_info *info)
{
    met__arena arena;
    work self = {txn, &arena, info, when->now_ns, NULL};

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = begin(&self, id, CANCEL);
    if (error == MET_OK) {
        error = end(&self, when);
    }
    if (error == MET_OK) {
        error = put(&self, self.one);
    }
    met__arena_release(&arena);
    return error;
}

static met_error go_on(work *self)
{
    self->one->active_to_ns = 0;
    met_error error = met__subscription_check_others(
        self->txn, self->one, NULL, "id", self->arena, self->info);
    return error == MET_OK ? put(self, self->one) : error;
}

met_error met__subscription_continue(met__txn *txn, met__text id,
                                     int64_t now_ns, met_error_info *info)
{
    return run(txn, id, CONTINUE, now_ns, go_on, info);
}

/* --- Removing ------------------------------------------------------------- */
/* What it was to follow has no successor any more. */
static met_error unlink_previous(work *self, const met__subscription *one)
{
    met__subscription *previous = NULL;

    if (one->previous_id.size == 0) {
        return MET_OK;
    }
    met_error error = met__subscription_get(self->txn, one->previous_id,
                                            self->arena, &previous);
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    previous->superseding_id = met__text_z("");
    return put(self, previous);
}

/* Of no length, so that whoever meets it finds nothing in force. */
static met_error remove_it(work *self, met__subscription *one)
{
    one->active_to_ns = one->active_from_ns;
    one->deleted_at_ns = self->now_ns;
    met_error error = put(self, one);
    return error == MET_OK ? unlink_previous(self, one) : error;
}

static met_error remove_one(work *self)
{
    return remove_it(self, self->one);
}

met_error met__subscription_remove(met__txn *txn, met__text id,
                                   int64_t now_ns, met_error_info *info)
{
    return run(txn, id, REMOVE, now_ns, remove_one, info);
}

static met_error restore(work *self)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(
        self->txn, self->one->customer_key, self->arena, &list, &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        if (met__subscription_status_at(list[i], self->now_ns)
            == MET__SUBSCRIPTION_SCHEDULED) {
            error = remove_it(self, list[i]);
        }
    }
    if (error == MET_OK) { /* what followed it may just have been removed */
        error = met__subscription_get(self->txn, self->one->id, self->arena,
                                      &self->one);
    }
    return error == MET_OK ? go_on(self) : error;
}

met_error met__subscription_restore(met__txn *txn, met__text id,
                                    int64_t now_ns, met_error_info *info)
{
    return run(txn, id, RESTORE, now_ns, restore, info);
}

/* --- Following ------------------------------------------------------------ */
static void inherit_text(met__text *to, met__text from)
{
    *to = to->size > 0 ? *to : from;
}

/* Ends the one and makes the next, which is read already. */
static met_error follow(work *self, const met__cancel *when,
                        const met__path *path, met__subscription *next,
                        const met__node *custom, int is_migration,
                        met__succession *out)
{
    met__subscribe as = {when->now_ns, when->allow_past};
    met__creation c = {.txn = self->txn, .arena = self->arena,
                       .path = path, .when = &as, .info = self->info,
                       .made = next, .custom = custom,
                       .allows_archived = is_migration};
    met_error error = end(self, when);

    if (error == MET_OK) { /* so that both do not overlap */
        error = put(self, self->one);
    }
    next->customer_key = self->one->customer_key;
    next->active_from_ns = self->one->active_to_ns;
    next->previous_id = self->one->id;
    if (next->billing_anchor_ns == 0) {
        next->billing_anchor_ns = self->one->billing_anchor_ns;
    }
    inherit_text(&next->name, self->one->name);
    inherit_text(&next->description, self->one->description);
    next->labels = next->labels != NULL ? next->labels : self->one->labels;
    if (error == MET_OK) {
        error = met__subscription_make(&c);
    }
    if (error == MET_OK) {
        self->one->superseding_id = next->id;
        error = put(self, self->one);
    }
    if (error == MET_OK) {
        *out = (met__succession){self->one, next};
    }
    return error;
}

met_error met__subscription_change(met__txn *txn, met__text id,
                                   const met__node *node,
                                   const met__path *path,
                                   const met__cancel *when, met__arena *arena,
                                   met__succession *out,
                                   met_error_info *info)
{
    work self = {txn, arena, info, when->now_ns, NULL};
    met__path customer = {path, "customer", 0};
    met__subscription *next = NULL;
    const met__node *custom = NULL;
    met_error error = met__subscription_read(node, path, MET__STATES_CHANGE,
                                             arena, &next, &custom, info);

    if (error == MET_OK) {
        error = begin(&self, id, CHANGE);
    }
    if (error == MET_OK && next->customer_key.size > 0
        && !met__text_equal(next->customer_key, self.one->customer_key)) {
        error = met__fail_at(info, MET_E_CONFLICT, &customer, "key",
                             "the subscription is of \"%.*s\"",
                             (int)self.one->customer_key.size,
                             self.one->customer_key.data);
    }
    return error == MET_OK
               ? follow(&self, when, path, next, custom, 0, out)
               : error;
}

/* The stated version, or the highest that was ever in force; a later one. */
static met_error find_target(work *self, const met__path *path,
                             met__subscription *next)
{
    met__plan *plan = NULL;
    met__text key = self->one->plan_key;
    uint32_t version = next->plan_version;

    if (met__plan_is_custom(key)) {
        return met__fail(self->info, MET_E_CONFLICT, "id",
                         "a custom plan has no versions");
    }
    if (version == 0) {
        met_error error = met__plan_highest(self->txn, key, self->now_ns,
                                            self->arena, &plan);
        if (error != MET_OK) {
            return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
        }
        version = plan->version;
    }
    if (version <= self->one->plan_version) {
        return met__fail_at(self->info, MET_E_CONFLICT, path,
                            "target_version",
                            "version %u is not later than the present one, "
                            "%u",
                            (unsigned)version,
                            (unsigned)self->one->plan_version);
    }
    next->plan_key = key;
    next->plan_version = version;
    return MET_OK;
}

met_error met__subscription_migrate(met__txn *txn, met__text id,
                                    const met__node *node,
                                    const met__path *path,
                                    const met__cancel *when,
                                    met__arena *arena, met__succession *out,
                                    met_error_info *info)
{
    work self = {txn, arena, info, when->now_ns, NULL};
    met__subscription *next = NULL;
    met_error error = MET_OK;

    if (node == NULL) {
        node = met__node_object(arena);
        error = node != NULL ? MET_OK : MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = met__subscription_read(node, path, MET__STATES_MIGRATION,
                                       arena, &next, NULL, info);
    }
    if (error == MET_OK) {
        error = begin(&self, id, MIGRATE);
    }
    if (error == MET_OK) {
        error = find_target(&self, path, next);
    }
    return error == MET_OK ? follow(&self, when, path, next, NULL, 1, out)
                           : error;
}
