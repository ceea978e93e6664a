/* Plans, features and meters that many bills of one transaction share. Only
 * for this room. */
#ifndef MET_INVOICE_BILL_CACHE_H
#define MET_INVOICE_BILL_CACHE_H

#include "catalog/feature.h"
#include "customer/subscription.h"

#define MET__CACHED_PLANS_MAX 64
#define MET__CACHED_CARDS_MAX 256

typedef struct met__cached_card {
    const met__rate_card *card; /* of a plan in the cache */
    met__feature *feature;
    met__meter *meter;
} met__cached_card;

/* Begins all zero, but for the arena. It is of one transaction: what is in it
 * cannot change before that ends. */
typedef struct met__bill_cache {
    met__arena *arena;
    size_t plan_count;
    met__plan *plans[MET__CACHED_PLANS_MAX];
    size_t card_count;
    met__cached_card cards[MET__CACHED_CARDS_MAX];
} met__bill_cache;

/* As met__subscription_plan; cache may be NULL. */
met_error met__cached_plan(met__bill_cache *cache, met__txn *txn,
                           const met__subscription *subscription,
                           met__arena *arena, met__plan **plan_out);
/* The feature of a rate card and its meter. MET_E_NOT_FOUND: *feature_out is
 * written when it is the meter that is gone. */
met_error met__cached_meter(met__bill_cache *cache, met__txn *txn,
                            const met__rate_card *card, met__arena *arena,
                            met__feature **feature_out,
                            met__meter **meter_out);

#endif
