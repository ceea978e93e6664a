/* Allowances out of subscriptions, the plan versions they are pinned to, and
 * entitlements that stand alone. In: a customer. Out: its entitlements, flat,
 * parted at resets by hand. It reads no usage. */
#include "entitlement/allowance.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/error.h"
#include "meter/amount.h"

typedef struct terms_card {
    const met__rate_card *card;
    const met__feature *feature;
    const met__meter *meter;
    const met__unit_config *unit_config;
    size_t phase;
} terms_card;

struct met__plan_terms {
    met__plan_terms *next;
    met__plan *plan;
    size_t count; /* cards that entitle to something */
    terms_card *cards;
};

/* --- Terms of a plan version ---------------------------------------------- */
/* What is stored refers to something that is not: damage, not absence. */
static met_error must_be_there(met_error error)
{
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

static met_error read_meter(met__txn *txn, const met__feature *feature,
                            met__arena *arena, const met__meter **meter_out)
{
    met__meter *meter = NULL;
    met_error error =
        met__meter_get(txn, feature->meter_key, arena, &meter);

    *meter_out = meter;
    /* The meter of an archived feature may be gone. */
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error read_card(met__txn *txn, const met__rate_card *card,
                           met__arena *arena, terms_card *out)
{
    met__feature *feature = NULL;
    met__unit_config *unit_config = NULL;
    met_error error =
        must_be_there(met__rate_card_feature(txn, card, arena, &feature));

    out->card = card;
    out->feature = feature;
    if (error == MET_OK && card->entitlement.type == MET__ENTITLEMENT_METERED
        && feature->meter_key.size > 0) {
        error = read_meter(txn, feature, arena, &out->meter);
    }
    if (error == MET_OK && card->unit_config != NULL) {
        met__path path = {NULL, "unit_config", 0};
        error = met__unit_config_read(card->unit_config, &path, arena,
                                      &unit_config, NULL);
        error = error == MET_E_INVALID ? MET_E_CORRUPT : error;
    }
    out->unit_config = unit_config;
    return error;
}

static int entitles(const met__rate_card *card)
{
    return card->entitlement.type != MET__ENTITLEMENT_NONE
           && card->feature_key.size > 0;
}

static met_error read_terms(met__txn *txn,
                            const met__subscription *subscription,
                            met__arena *arena, met__plan_terms **terms_out)
{
    met__plan_terms *terms = met__arena_allocate(arena, sizeof *terms);
    size_t count = 0;

    if (terms == NULL) {
        return MET_E_NO_MEMORY;
    }
    met_error error = must_be_there(
        met__subscription_plan(txn, subscription, arena, &terms->plan));
    for (size_t p = 0; error == MET_OK && p < terms->plan->phase_count; p++) {
        count += terms->plan->phases[p].rate_card_count;
    }
    if (error == MET_OK) {
        terms->cards = met__arena_allocate(arena, count * sizeof(terms_card));
        error = terms->cards == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    for (size_t p = 0; error == MET_OK && p < terms->plan->phase_count; p++) {
        const met__phase *phase = &terms->plan->phases[p];
        for (size_t c = 0; error == MET_OK && c < phase->rate_card_count;
             c++) {
            if (entitles(phase->rate_cards[c])) {
                terms_card *out = &terms->cards[terms->count++];
                out->phase = p;
                error = read_card(txn, phase->rate_cards[c], arena, out);
            }
        }
    }
    *terms_out = terms;
    return error;
}

static met_error terms_of(met__txn *txn,
                          const met__subscription *subscription,
                          met__terms_cache *cache, met__arena *arena,
                          met__plan_terms **terms_out)
{
    met__plan_terms **link = &cache->first;

    for (; *link != NULL; link = &(*link)->next) {
        met__plan_terms *terms = *link;
        if (terms->plan->version == subscription->plan_version
            && met__text_equal(terms->plan->key, subscription->plan_key)) {
            *link = terms->next; /* the next customer asks for it first */
            terms->next = cache->first;
            cache->first = terms;
            *terms_out = terms;
            return MET_OK;
        }
    }
    int is_kept = cache->arena == NULL || cache->count < MET__TERMS_MAX;
    met_error error =
        read_terms(txn, subscription,
                   is_kept && cache->arena != NULL ? cache->arena : arena,
                   terms_out);
    if (error == MET_OK && is_kept) {
        (*terms_out)->next = cache->first;
        cache->first = *terms_out;
        cache->count++;
    }
    return error;
}

/* --- Rows ----------------------------------------------------------------- */
met_error met__allowance_metered(const met__allowance *allowance,
                                 met_decimal amount, met_decimal *out)
{
    const met__unit_config *config = allowance->unit_config;
    met_error error = MET_OK;

    if (config != NULL && config->operation == MET__CONVERT_MULTIPLY) {
        error = met__decimal_divide(amount, config->factor, MET__AMOUNT_PLACES,
                                    MET_ROUND_FLOOR, &amount);
    } else if (config != NULL) {
        error = met__decimal_multiply_rounded(amount, config->factor,
                                              MET__AMOUNT_PLACES,
                                              MET_ROUND_FLOOR, &amount);
    }
    /* What is beyond the cell's bound is cut there: the rest of it is granted,
     * but not let in (docs/entitlements.md). */
    if (error == MET_E_OVERFLOW && !met__decimal_is_negative(amount)) {
        amount = met__decimal_from_i64(MET__QUOTA_AMOUNT_MAX);
        error = MET_OK;
    }
    *out = amount;
    return error;
}

/* The allowance of a period by itself; what nobody counts cannot be given. */
static met_error issue_row(met__allowance *allowance)
{
    met_error error = MET_OK;

    allowance->issued = met__decimal_zero();
    if (allowance->meter != NULL
        && allowance->card->entitlement.has_limit) {
        error = met__allowance_metered(allowance,
                                       allowance->card->entitlement.limit,
                                       &allowance->issued);
    }
    if (error == MET_OK) {
        allowance->row.limit = met__quota_limit(allowance->issued);
    }
    return error;
}

/* Numbers rise with time by themselves: the first is an eighth of its
 * nanosecond (so that it fits 60 bits until 2200), the next ones rise by one
 * in at least an hour. Where the row before ends, the first number is moved by
 * one if its lowest bit is that of its neighbour. */
static met_error number_row(met__quota_row *row, const met__quota_row *before)
{
    uint64_t number = (uint64_t)row->from_ns >> 3;
    met__period period;
    int64_t n;
    met_error error;

    if (before != NULL && before->to_ns == row->from_ns) {
        error = met__recurrence_period_within(
            &before->usage_period, before->to_ns - 1, &period, &n);
        if (error != MET_OK) {
            return error;
        }
        number += (((before->number_base + (uint64_t)n) ^ number) & 1) == 0;
    }
    error = met__recurrence_period_within(&row->usage_period, row->from_ns,
                                          &period, &n);
    row->number_base = number - (uint64_t)n;
    return error;
}

static int compare_rows(const void *a, const void *b)
{
    const met__allowance *one = *(met__allowance *const *)a;
    const met__allowance *other = *(met__allowance *const *)b;
    int order = met__text_compare(one->card->feature_key,
                                  other->card->feature_key);

    if (order == 0) {
        order = (one->row.from_ns > other->row.from_ns)
                - (one->row.from_ns < other->row.from_ns);
    }
    /* Of no length first: it is nobody's neighbour. */
    return order != 0 ? order
                      : (one->row.to_ns > other->row.to_ns)
                            - (one->row.to_ns < other->row.to_ns);
}

/* Neighbours are those of one feature, wherever they come from. */
static met_error number_rows(met__holder *holder, met__arena *arena)
{
    size_t count = 0;
    met__allowance **list =
        met__arena_allocate(arena, (holder->count + 1) * sizeof *list);
    met_error error = MET_OK;

    if (list == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < holder->count; i++) {
        met__allowance *at = &holder->allowances[i];
        if (at->row.type == MET__ENTITLEMENT_METERED
            && at->row.from_ns < at->row.to_ns) {
            list[count++] = at;
        }
    }
    if (count > 1) {
        qsort(list, count, sizeof *list, compare_rows);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        int follows = i > 0
                      && met__text_equal(list[i - 1]->card->feature_key,
                                         list[i]->card->feature_key);
        error = number_row(&list[i]->row,
                           follows ? &list[i - 1]->row : NULL);
    }
    return error;
}

/* Appends one entitlement, whose fields but the row's bounds are set, parted
 * at its resets by hand. */
static met_error add_rows(met__txn *txn, met__holder *holder,
                          const met__allowance *whole, int64_t from_ns)
{
    met__allowance *last = &holder->allowances[holder->count++];
    met_error error;

    *last = *whole;
    last->measured_from_ns = whole->life.from_ns;
    last->row.key =
        met__quota_key(met__store_secret(met__txn_store(txn)),
                       holder->customer->id, whole->card->feature_key);
    last->row.from_ns = from_ns;
    last->row.to_ns = whole->life.to_ns;
    if (last->row.type != MET__ENTITLEMENT_METERED) {
        return MET_OK;
    }
    error = issue_row(last);
    for (size_t i = 0; error == MET_OK && i < holder->entitled.reset_count;
         i++) {
        const met__stored_reset *reset = &holder->entitled.resets[i];
        if (reset->at_ns <= last->row.from_ns
            || reset->at_ns >= last->row.to_ns
            || !met__text_equal(reset->feature_key,
                                whole->card->feature_key)) {
            continue;
        }
        met__allowance *next = &holder->allowances[holder->count++];
        *next = *last;
        last->row.to_ns = reset->at_ns;
        next->row.from_ns = reset->at_ns;
        next->measured_from_ns = reset->at_ns;
        next->begins_with_reset = reset->preserves_overage ? 2 : 1;
        if (!reset->retains_anchor) {
            next->row.usage_period.anchor_ns =
                reset->at_ns - reset->at_ns % MET__MINUTE_NS;
        }
        last = next;
    }
    return error;
}

static met_error add_card(met__txn *txn, met__holder *holder,
                          const met__subscription *subscription,
                          const terms_card *card, met__period bounds)
{
    const met__entitlement_template *template = &card->card->entitlement;
    met__allowance whole = {
        .subscription = subscription,
        .id = subscription->id,
        .card = card->card,
        .feature = card->feature,
        .meter = card->meter,
        .unit_config = card->unit_config,
        .life = bounds,
        .priority = template->has_priority ? template->priority
                                           : MET__ISSUE_PRIORITY,
        .preserves_overage = template->preserves_overage,
        .row = {.type = template->type,
                .flags = template->is_soft_limit ? MET__QUOTA_SOFT : 0}};

    if (template->type == MET__ENTITLEMENT_METERED) {
        whole.row.usage_period.anchor_ns = subscription->billing_anchor_ns;
        whole.row.usage_period.interval = template->usage_period;
    }
    return add_rows(txn, holder, &whole, bounds.from_ns);
}

/* Appends the allowances of one subscription, phase by phase. */
static met_error add_subscription(met__txn *txn,
                                  const met__subscription *subscription,
                                  const met__plan_terms *terms,
                                  met__holder *holder)
{
    int64_t at = subscription->active_from_ns;
    met__period bounds = {at, at};
    size_t phase;

    for (;;) {
        met_error error = met__subscription_phase_at(
            subscription, terms->plan, at, &phase, &bounds);
        if (error == MET_E_NOT_FOUND) {
            return MET_OK;
        }
        for (size_t i = 0; error == MET_OK && i < terms->count; i++) {
            if (terms->cards[i].phase == phase) {
                error = add_card(txn, holder, subscription, &terms->cards[i],
                                 bounds);
            }
        }
        if (error != MET_OK) {
            return error;
        }
        if (bounds.to_ns <= at || bounds.to_ns >= MET__TIME_MAX) {
            return MET_OK;
        }
        at = bounds.to_ns;
    }
}

/* Appends one that stands alone: a card of no plan. */
static met_error add_lone(met__txn *txn, const met__lone *lone,
                          met__arena *arena, met__holder *holder)
{
    met__rate_card *card = met__arena_allocate(arena, sizeof *card);
    met__feature *feature = NULL;
    met__allowance whole = {
        .id = lone->id,
        .life = {lone->active_from_ns, lone->active_to_ns},
        .priority = lone->priority,
        .preserves_overage = lone->preserves_overage,
        .row = {.type = lone->terms.type,
                .flags = lone->terms.is_soft_limit ? MET__QUOTA_SOFT : 0,
                .usage_period = lone->usage_period}};

    if (card == NULL) {
        return MET_E_NO_MEMORY;
    }
    card->key = lone->owner.feature_key;
    card->feature_key = lone->owner.feature_key;
    card->feature_id = lone->feature_id;
    card->entitlement = lone->terms;
    met_error error = must_be_there(
        met__feature_of(txn, lone->owner.feature_key, lone->feature_id, arena,
                        &feature));
    whole.card = card;
    whole.feature = feature;
    if (lone->terms.type == MET__ENTITLEMENT_METERED) {
        whole.life.from_ns = lone->measured_from_ns;
        if (error == MET_OK && feature->meter_key.size > 0) {
            error = read_meter(txn, feature, arena, &whole.meter);
        }
    }
    return error == MET_OK
               ? add_rows(txn, holder, &whole, lone->active_from_ns)
               : error;
}

static met_error fill_holder(met__txn *txn, met__holder *holder,
                             met__subscription **subscriptions, size_t found,
                             met__terms_cache *cache, met__arena *arena)
{
    const met__entitled *entitled = &holder->entitled;
    size_t room = entitled->lone_count + entitled->reset_count;
    met_error error = MET_OK;
    met__plan_terms **terms =
        met__arena_allocate(arena, found * sizeof *terms);

    if (terms == NULL) {
        return MET_E_NO_MEMORY;
    }
    /* A key may have had another owner before: his are not ours. */
    for (size_t i = 0; error == MET_OK && i < found; i++) {
        if (met__text_equal(subscriptions[i]->customer_id,
                            holder->customer->id)) {
            error = terms_of(txn, subscriptions[i], cache, arena, &terms[i]);
            holder->subscription_count++;
            room += error == MET_OK ? terms[i]->count : 0;
        }
    }
    if (error == MET_OK) {
        holder->allowances =
            met__arena_allocate(arena, room * sizeof *holder->allowances);
        error = holder->allowances == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    for (size_t i = 0; error == MET_OK && i < found; i++) {
        if (terms[i] != NULL) {
            error = add_subscription(txn, subscriptions[i], terms[i], holder);
        }
    }
    for (size_t i = 0; error == MET_OK && i < entitled->lone_count; i++) {
        error = add_lone(txn, &entitled->lones[i], arena, holder);
    }
    MET__ASSERT(error != MET_OK || holder->count <= room);
    return error == MET_OK ? number_rows(holder, arena) : error;
}

met_error met__holder_of(met__txn *txn, const met__customer *customer,
                         met__terms_cache *cache, met__arena *arena,
                         met__holder **holder_out)
{
    met__holder *holder = met__arena_allocate(arena, sizeof *holder);
    met__subscription **subscriptions = NULL;
    size_t found = 0;

    if (holder == NULL) {
        return MET_E_NO_MEMORY;
    }
    holder->customer = customer;
    MET__ASSERT(customer->version.size > 0);
    met_error error = met__subscriptions_of(txn, customer, arena,
                                            &subscriptions, &found);
    if (error == MET_OK) {
        error = met__entitled_each(txn, customer->id, arena,
                                   &holder->entitled);
    }
    if (error == MET_OK) {
        error = fill_holder(txn, holder, subscriptions, found, cache, arena);
    }
    *holder_out = holder;
    return error;
}

met_error met__holder_load(met__txn *txn, met__text customer_key,
                           met__terms_cache *terms, met__arena *arena,
                           met__holder **holder_out, met_error_info *info)
{
    met__customer *customer;
    met_error error = met__customer_get(txn, customer_key, arena, &customer);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(info, error, "customer_key",
                         "there is no customer \"%.*s\"",
                         (int)customer_key.size, customer_key.data);
    }
    if (error != MET_OK) {
        return error;
    }
    return met__holder_of(txn, customer, terms, arena, holder_out);
}

met_error met__holder_by_key(met__txn *txn, met__text customer_key,
                             met__arena *arena, met__holder **holder_out,
                             met_error_info *info)
{
    met__terms_cache terms = {0};

    return met__holder_load(txn, customer_key, &terms, arena, holder_out,
                            info);
}

/* --- Looking up ----------------------------------------------------------- */
const met__allowance *met__holder_find(const met__holder *holder,
                                       met__text feature_key, int64_t at_ns)
{
    int64_t at = met__minute_last(at_ns);

    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        if (at >= allowance->row.from_ns && at < allowance->row.to_ns
            && met__text_equal(allowance->card->feature_key, feature_key)) {
            return allowance;
        }
    }
    return NULL;
}

const met__allowance *met__allowance_after(const met__holder *holder,
                                           const met__allowance *allowance,
                                           int64_t at_ns)
{
    if (at_ns < allowance->row.to_ns) {
        return allowance;
    }
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *next = &holder->allowances[i];
        if (next->row.from_ns == allowance->row.to_ns
            && next->row.to_ns > next->row.from_ns
            && next->row.type == MET__ENTITLEMENT_METERED
            && met__text_equal(next->card->feature_key,
                               allowance->card->feature_key)) {
            return next;
        }
    }
    return NULL;
}

const met__allowance *met__holder_twice(const met__holder *holder)
{
    for (size_t i = 0; i < holder->count; i++) {
        for (size_t j = 0; j < i; j++) {
            const met__allowance *a = &holder->allowances[i];
            const met__allowance *b = &holder->allowances[j];
            if (a->row.from_ns < a->row.to_ns && b->row.from_ns < b->row.to_ns
                && a->row.from_ns < b->row.to_ns
                && b->row.from_ns < a->row.to_ns
                && met__text_equal(a->card->feature_key,
                                   b->card->feature_key)) {
                return a;
            }
        }
    }
    return NULL;
}

met_error met__allowance_period(const met__allowance *allowance, int64_t at_ns,
                                uint64_t *number_out, met__period *period_out)
{
    met__quota_row row = allowance->row;

    row.from_ns = row.type == MET__ENTITLEMENT_METERED
                      ? allowance->measured_from_ns
                      : row.from_ns;
    return met__quota_row_period(&row, at_ns, number_out, period_out);
}

int met__holder_carries(const met__holder *holder, met__text feature_key)
{
    int carries = 0;

    for (size_t i = 0; i < holder->entitled.grant_count; i++) {
        carries |= met__text_equal(
            holder->entitled.grants[i].owner.feature_key, feature_key);
    }
    for (size_t i = 0; i < holder->count; i++) {
        const met__allowance *at = &holder->allowances[i];
        carries |= (at->preserves_overage || at->begins_with_reset == 2)
                   && met__text_equal(at->card->feature_key, feature_key);
    }
    return carries;
}

int met__meter_is_additive(const met__meter *meter)
{
    return meter->aggregation == MET__AGGREGATION_SUM
           || meter->aggregation == MET__AGGREGATION_COUNT;
}

met_error met__allowance_usage(const met__allowance *allowance,
                               met_decimal usage, met_decimal *out)
{
    const met__unit_config *config = allowance->unit_config;

    if (config == NULL) {
        *out = usage;
        return MET_OK;
    }
    if (config->operation == MET__CONVERT_MULTIPLY) {
        return met__decimal_multiply(usage, config->factor, out);
    }
    return met__decimal_divide_peer(usage, config->factor, out);
}
