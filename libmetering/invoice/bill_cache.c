/* What many customers have in common, read once. In: subscriptions and rate
 * cards. Out: plans, features, meters; when there are more than fit, they are
 * read as if there was no cache. */
#include "invoice/bill_cache.h"

static met__plan *find_plan(const met__bill_cache *cache,
                            const met__subscription *subscription)
{
    for (size_t i = 0; i < cache->plan_count; i++) {
        met__plan *plan = cache->plans[i];
        if (plan->version == subscription->plan_version
            && met__text_equal(plan->key, subscription->plan_key)) {
            return plan;
        }
    }
    return NULL;
}

met_error met__cached_plan(met__bill_cache *cache, met__txn *txn,
                           const met__subscription *subscription,
                           met__arena *arena, met__plan **plan_out)
{
    int is_kept = cache != NULL && !met__plan_is_custom(subscription->plan_key)
                  && cache->plan_count < MET__CACHED_PLANS_MAX;
    met__plan *plan = cache != NULL ? find_plan(cache, subscription) : NULL;
    met_error error = MET_OK;

    if (plan == NULL) {
        error = met__subscription_plan(txn, subscription,
                                       is_kept ? cache->arena : arena, &plan);
        if (error == MET_OK && is_kept) {
            cache->plans[cache->plan_count++] = plan;
        }
    }
    if (error == MET_OK) {
        *plan_out = plan;
    }
    return error;
}

/* Only cards of plans in the cache stay where they are. */
static int is_cached(const met__bill_cache *cache, const met__rate_card *card)
{
    for (size_t i = 0; i < cache->plan_count; i++) {
        const met__plan *plan = cache->plans[i];
        for (size_t p = 0; p < plan->phase_count; p++) {
            for (size_t c = 0; c < plan->phases[p].rate_card_count; c++) {
                if (plan->phases[p].rate_cards[c] == card) {
                    return 1;
                }
            }
        }
    }
    return 0;
}

static met_error load(met__txn *txn, const met__rate_card *card,
                      met__arena *arena, met__feature **feature_out,
                      met__meter **meter_out)
{
    met__feature *feature = NULL;
    met_error error = met__rate_card_feature(txn, card, arena, &feature);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    *feature_out = feature;
    return met__meter_get(txn, feature->meter_key, arena, meter_out);
}

met_error met__cached_meter(met__bill_cache *cache, met__txn *txn,
                            const met__rate_card *card, met__arena *arena,
                            met__feature **feature_out,
                            met__meter **meter_out)
{
    for (size_t i = 0; cache != NULL && i < cache->card_count; i++) {
        if (cache->cards[i].card == card) {
            *feature_out = cache->cards[i].feature;
            *meter_out = cache->cards[i].meter;
            return MET_OK;
        }
    }
    int is_kept = cache != NULL && cache->card_count < MET__CACHED_CARDS_MAX
                  && is_cached(cache, card);
    met_error error = load(txn, card, is_kept ? cache->arena : arena,
                           feature_out, meter_out);
    if (error == MET_OK && is_kept) {
        cache->cards[cache->card_count++] =
            (met__cached_card){card, *feature_out, *meter_out};
    }
    return error;
}
