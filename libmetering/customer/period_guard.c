/* The guard of compaction. In: a subject, an hour or a day. Out: whether a
 * period of its customer's subscriptions begins or ends in there. Customers and
 * plans are read once per transaction. */
#include "customer/period_guard.h"

#include "base/check.h"
#include "base/index_map.h"

#define OWNERS_MAX (1u << 20)

typedef struct plan_entry {
    struct plan_entry *next;
    met__plan *plan;
} plan_entry;

typedef struct subscription_entry {
    const met__subscription *subscription;
    const met__plan *plan;
} subscription_entry;

typedef struct owner {
    met__text subject;
    subscription_entry *list;
    size_t count;
    void *extra; /* NULL: nobody's */
} owner;

struct met__period_guard {
    met_store *store;
    const met__period_extra *extra;
    int is_begun;
    met__arena arena; /* of the transaction */
    plan_entry *plans;
    met__index_map map; /* hash of the subject -> owners */
    owner **owners;
    size_t count;
    size_t room;
};

/* --- Whose ---------------------------------------------------------------- */
static met_error find_plan(met__period_guard *self, met__txn *txn,
                           const met__subscription *subscription,
                           const met__plan **plan_out)
{
    for (plan_entry *at = self->plans; at != NULL; at = at->next) {
        if (at->plan->version == subscription->plan_version
            && met__text_equal(at->plan->key, subscription->plan_key)) {
            *plan_out = at->plan;
            return MET_OK;
        }
    }
    plan_entry *entry = met__arena_allocate(&self->arena, sizeof *entry);
    if (entry == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = met__subscription_plan(txn, subscription, &self->arena,
                                             &entry->plan);
    if (error == MET_OK) {
        entry->next = self->plans;
        self->plans = entry;
        *plan_out = entry->plan;
    }
    return error;
}

static met_error read_owner(met__period_guard *self, met__txn *txn,
                            owner *made)
{
    met__customer *customer = NULL;
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__customer_of_subject(txn, made->subject,
                                               &self->arena, &customer);

    if (error == MET_OK) {
        error = met__subscription_each(txn, customer->key, &self->arena, &list,
                                       &count);
    }
    if (error == MET_E_NOT_FOUND) {
        return MET_OK; /* nobody's */
    }
    if (error == MET_OK && count > 0) {
        made->list = met__arena_allocate(&self->arena,
                                         count * sizeof *made->list);
        error = made->list != NULL ? MET_OK : MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        made->list[i].subscription = list[i];
        error = find_plan(self, txn, list[i], &made->list[i].plan);
        made->count += error == MET_OK;
    }
    if (error == MET_OK && self->extra != NULL) {
        error = self->extra->read(txn, customer, &self->arena, &made->extra);
    }
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

static met_error add_owner(met__period_guard *self, uint64_t hash, owner *made)
{
    if (self->count == self->room) {
        size_t room = self->room * 2 + 64;
        owner **list = met__arena_allocate(&self->arena, room * sizeof *list);
        if (list == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (self->count > 0) {
            memcpy(list, self->owners, self->count * sizeof *list);
        }
        self->owners = list;
        self->room = room;
    }
    met_error error = met__index_map_add(&self->map, hash, self->count);
    if (error == MET_OK) {
        self->owners[self->count++] = made;
    }
    return error;
}

static met_error find_owner(met__period_guard *self, met__txn *txn,
                            met__text subject, const owner **owner_out)
{
    uint64_t hash = met__hash128_of(met__store_secret(self->store),
                                    subject.data, subject.size)
                        .low;
    met__index_cursor place = {0};

    while (met__index_map_next(&self->map, hash, &place)) {
        if (met__text_equal(self->owners[place.index]->subject, subject)) {
            *owner_out = self->owners[place.index];
            return MET_OK;
        }
    }
    owner *made = met__arena_allocate(&self->arena, sizeof *made);
    char *copy = met__arena_copy(&self->arena, subject.data, subject.size);
    if (made == NULL || copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *made = (owner){.subject = met__text_of(copy, subject.size)};
    met_error error = read_owner(self, txn, made);
    if (error == MET_OK) {
        error = add_owner(self, hash, made);
    }
    if (error == MET_OK) {
        *owner_out = made;
    }
    return error;
}

/* --- Instants ------------------------------------------------------------- */
int met__instant_parts(int64_t at_ns, met__period bounds)
{
    return at_ns >= bounds.from_ns + MET__MINUTE_NS && at_ns < bounds.to_ns;
}

/* The last point before the end decides: an earlier one is in there only when
 * it is, too. */
met_error met__recurrence_parts(const met__recurrence *recurrence,
                                met__period bounds, int *is_inside_out)
{
    met__period period;
    int64_t n;
    met_error error = met__recurrence_period_within(
        recurrence, bounds.to_ns - 1, &period, &n);

    *is_inside_out |=
        error == MET_OK && met__instant_parts(period.from_ns, bounds);
    return error;
}

static met_error recurs_inside(const met__subscription *subscription,
                               const met__duration *interval,
                               met__period bounds, int *is_inside_out)
{
    met__recurrence recurrence = {subscription->billing_anchor_ns, *interval};

    return met__recurrence_parts(&recurrence, bounds, is_inside_out);
}

static met_error cards_inside(const subscription_entry *entry,
                              met__period bounds, int *is_inside_out)
{
    const met__plan *plan = entry->plan;
    met_error error = MET_OK;

    for (size_t i = 0; i < plan->phase_count; i++) {
        const met__phase *phase = &plan->phases[i];
        for (size_t k = 0; error == MET_OK && !*is_inside_out
                           && k < phase->rate_card_count; k++) {
            const met__rate_card *card = phase->rate_cards[k];
            if (card->has_billing_cadence) {
                error = recurs_inside(entry->subscription,
                                      &card->billing_cadence, bounds,
                                      is_inside_out);
            }
            if (error == MET_OK
                && card->entitlement.type == MET__ENTITLEMENT_METERED) {
                error = recurs_inside(entry->subscription,
                                      &card->entitlement.usage_period, bounds,
                                      is_inside_out);
            }
        }
    }
    return error;
}

static met_error entry_inside(const subscription_entry *entry,
                              met__period bounds, int *is_inside_out)
{
    const met__subscription *subscription = entry->subscription;
    met__period phase;
    size_t index;

    if (met__instant_parts(subscription->active_from_ns, bounds)
        || (subscription->active_to_ns != 0
            && met__instant_parts(subscription->active_to_ns, bounds))) {
        *is_inside_out = 1;
        return MET_OK;
    }
    met_error error = met__subscription_phase_at(
        subscription, entry->plan, bounds.to_ns - 1, &index, &phase);
    if (error != MET_OK) { /* not in force: it has no part in here */
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    if (met__instant_parts(phase.from_ns, bounds)) {
        *is_inside_out = 1;
        return MET_OK;
    }
    error = recurs_inside(subscription, &entry->plan->billing_cadence, bounds,
                          is_inside_out);
    return error == MET_OK ? cards_inside(entry, bounds, is_inside_out)
                           : error;
}

/* --- The guard ------------------------------------------------------------ */
static void forget(met__period_guard *self)
{
    if (self->is_begun) {
        met__arena_release(&self->arena);
        self->is_begun = 0;
    }
}

static met_error guard_begin(void *context, met__txn *txn)
{
    met__period_guard *self = context;

    (void)txn;
    forget(self);
    met__arena_init(&self->arena, met__store_platform(self->store));
    met__index_map_init(&self->map, &self->arena, OWNERS_MAX);
    self->is_begun = 1;
    self->plans = NULL;
    self->owners = NULL;
    self->count = 0;
    self->room = 0;
    return MET_OK;
}

static met_error guard_parts(void *context, met__txn *txn, met__text subject,
                             int64_t from_ns, int64_t to_ns, int *parts_out)
{
    met__period_guard *self = context;
    const owner *found = NULL;
    int is_parted = 0;

    MET__ASSERT(self->is_begun);
    met_error error = find_owner(self, txn, subject, &found);
    for (size_t i = 0; error == MET_OK && !is_parted && i < found->count;
         i++) {
        error = entry_inside(&found->list[i], (met__period){from_ns, to_ns},
                             &is_parted);
    }
    if (error == MET_OK && !is_parted && found->extra != NULL) {
        error = self->extra->inside(found->extra,
                                    (met__period){from_ns, to_ns}, &is_parted);
    }
    if (error == MET_OK) {
        *parts_out = is_parted;
    }
    return error;
}

met_error met__period_guard_create(met_store *store,
                                   const met__period_extra *extra,
                                   met__period_guard **guard_out)
{
    met__period_guard *self = met__allocate(met__store_platform(store),
                                            sizeof *self);

    if (self == NULL) {
        return MET_E_NO_MEMORY;
    }
    self->store = store;
    self->extra = extra;
    *guard_out = self;
    return MET_OK;
}

void met__period_guard_destroy(met__period_guard *self)
{
    if (self != NULL) {
        forget(self);
        met__release(met__store_platform(self->store), self, sizeof *self);
    }
}

met__compact_guard met__period_guard_of(met__period_guard *self)
{
    return (met__compact_guard){self, guard_begin, guard_parts};
}
