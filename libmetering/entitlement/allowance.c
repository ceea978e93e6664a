/* Allowances out of subscriptions and the plan versions they are pinned to.
 * In: a customer. Out: its entitlements, flat, with rows for the quota cells.
 * It reads no usage. */
#include "entitlement/allowance.h"

#include "base/check.h"
#include "base/error.h"

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

static met_error read_card(met__txn *txn, const met__rate_card *card,
                           met__arena *arena, terms_card *out)
{
    met__feature *feature = NULL;
    met__meter *meter = NULL;
    met__unit_config *unit_config = NULL;
    met_error error =
        must_be_there(met__rate_card_feature(txn, card, arena, &feature));

    if (error == MET_OK && card->entitlement.type == MET__ENTITLEMENT_METERED
        && feature->meter_key.size > 0) {
        /* The meter of an archived feature may be gone. */
        error = met__meter_get(txn, feature->meter_key, arena, &meter);
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    if (error == MET_OK && card->unit_config != NULL) {
        met__path path = {NULL, "unit_config", 0};
        error = met__unit_config_read(card->unit_config, &path, arena,
                                      &unit_config, NULL);
        error = error == MET_E_INVALID ? MET_E_CORRUPT : error;
    }
    out->card = card;
    out->feature = feature;
    out->meter = meter;
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
    for (met__plan_terms *terms = cache->first; terms != NULL;
         terms = terms->next) {
        if (terms->plan->version == subscription->plan_version
            && met__text_equal(terms->plan->key, subscription->plan_key)) {
            *terms_out = terms;
            return MET_OK;
        }
    }
    met_error error = read_terms(txn, subscription, arena, terms_out);
    if (error == MET_OK) {
        (*terms_out)->next = cache->first;
        cache->first = *terms_out;
    }
    return error;
}

/* --- Rows ----------------------------------------------------------------- */
/* The allowance in the meter's unit, in quota units. What is beyond the cell's
 * bound is cut there: nobody uses 10^12 units a period. */
static met_error granted_of(const terms_card *card, int64_t *granted_out)
{
    met_decimal limit = card->card->entitlement.limit;
    const met__unit_config *config = card->unit_config;
    met_error error = MET_OK;

    if (card->meter == NULL || !met__meter_is_additive(card->meter)
        || !card->card->entitlement.has_limit) {
        *granted_out = 0; /* what nobody counts cannot be given */
        return MET_OK;
    }
    if (config != NULL && config->operation == MET__CONVERT_MULTIPLY) {
        error = met__decimal_divide(limit, config->factor, MET__QUOTA_PLACES,
                                    MET_ROUND_FLOOR, &limit);
    } else if (config != NULL) {
        error = met__decimal_multiply_rounded(limit, config->factor,
                                              MET__QUOTA_PLACES,
                                              MET_ROUND_FLOOR, &limit);
    }
    if (error == MET_OK) {
        error = met__decimal_to_scaled(limit, MET__QUOTA_PLACES,
                                       MET_ROUND_FLOOR, granted_out);
    }
    if (error == MET_E_OVERFLOW
        || (error == MET_OK && *granted_out > MET__QUOTA_AMOUNT_MAX)) {
        *granted_out = MET__QUOTA_AMOUNT_MAX;
        error = MET_OK;
    }
    return error;
}

/* Numbers rise with time by themselves: the first is an eighth of its
 * nanosecond (so that it fits 60 bits until 2200), the next ones rise by one
 * in at least an hour. Where the row of an earlier phase ends, the first
 * number is moved by one if its lowest bit is that of its neighbour. */
static met_error number_row(met__quota_row *row, const met__quota_row *before)
{
    uint64_t number = (uint64_t)row->from_ns >> 3;
    met__period period;
    int64_t n;
    met_error error;

    if (before != NULL && before->to_ns == row->from_ns) {
        error = met__recurrence_period_at(&before->usage_period,
                                          before->to_ns - 1, &period, &n);
        if (error != MET_OK) {
            return error;
        }
        number += (((before->number_base + (uint64_t)n) ^ number) & 1) == 0;
    }
    error = met__recurrence_period_at(&row->usage_period, row->from_ns,
                                      &period, &n);
    row->number_base = number - (uint64_t)n;
    return error;
}

static met_error fill_row(met__txn *txn, const met__holder *holder,
                          size_t first, const terms_card *card,
                          met__period bounds, met__allowance *out)
{
    const met__entitlement_template *template = &card->card->entitlement;
    const met__quota_row *before = NULL;
    met__quota_row *row = &out->row;
    met_error error = MET_OK;

    out->card = card->card;
    out->feature = card->feature;
    out->meter = card->meter;
    out->unit_config = card->unit_config;
    row->key =
        met__quota_key(met__store_secret(met__txn_store(txn)),
                       holder->customer->id, card->card->feature_key);
    row->type = template->type;
    row->flags = template->is_soft_limit ? MET__QUOTA_SOFT : 0;
    row->from_ns = bounds.from_ns;
    row->to_ns = bounds.to_ns;
    if (row->type != MET__ENTITLEMENT_METERED) {
        return MET_OK;
    }
    row->usage_period.anchor_ns = out->subscription->billing_anchor_ns;
    row->usage_period.interval = template->usage_period;
    for (size_t i = first; i < holder->count; i++) {
        const met__quota_row *other = &holder->allowances[i].row;
        if (other->type == MET__ENTITLEMENT_METERED
            && other->key.low == row->key.low
            && other->key.high == row->key.high) {
            before = other;
        }
    }
    error = granted_of(card, &row->granted);
    return error == MET_OK ? number_row(row, before) : error;
}

/* Appends the allowances of one subscription, phase by phase. */
static met_error add_subscription(met__txn *txn,
                                  const met__subscription *subscription,
                                  const met__plan_terms *terms,
                                  met__holder *holder)
{
    size_t first = holder->count;
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
                met__allowance *out = &holder->allowances[holder->count];
                out->subscription = subscription;
                error = fill_row(txn, holder, first, &terms->cards[i], bounds,
                                 out);
                holder->count++;
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

/* The stored customer's time of change. */
static met_error version_of(met__txn *txn, const met__customer *customer,
                            met__arena *arena, met__text *version_out)
{
    met__node *document = NULL;
    met_error error =
        met__customer_document(txn, customer->key, arena, &document);

    if (error == MET_OK) {
        const met__node *node = met__node_get(document, "updated_at");
        MET__ASSERT(node != NULL && node->kind == MET__NODE_TEXT);
        *version_out = node->as.text;
    }
    return must_be_there(error);
}

met_error met__holder_of(met__txn *txn, const met__customer *customer,
                         met__terms_cache *cache, met__arena *arena,
                         met__holder **holder_out)
{
    met__holder *holder = met__arena_allocate(arena, sizeof *holder);
    met__subscription **subscriptions = NULL;
    met__plan_terms **terms = NULL;
    size_t found = 0;
    size_t room = 0;

    if (holder == NULL) {
        return MET_E_NO_MEMORY;
    }
    holder->customer = customer;
    met_error error = version_of(txn, customer, arena, &holder->version);
    if (error == MET_OK) {
        error = met__subscription_each(txn, customer->key, arena,
                                       &subscriptions, &found);
    }
    if (error == MET_OK) {
        terms = met__arena_allocate(arena, found * sizeof *terms);
        error = terms == NULL ? MET_E_NO_MEMORY : MET_OK;
    }
    /* A key may have had another owner before: his are not ours. */
    for (size_t i = 0; error == MET_OK && i < found; i++) {
        if (met__text_equal(subscriptions[i]->customer_id, customer->id)) {
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
    *holder_out = holder;
    return error;
}

met_error met__holder_by_key(met__txn *txn, met__text customer_key,
                             met__arena *arena, met__holder **holder_out,
                             met_error_info *info)
{
    met__terms_cache terms = {0};
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
    return met__holder_of(txn, customer, &terms, arena, holder_out);
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
        if (next->subscription == allowance->subscription
            && next->row.from_ns == allowance->row.to_ns
            && met__text_equal(next->card->feature_key,
                               allowance->card->feature_key)) {
            return next;
        }
    }
    return NULL;
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
