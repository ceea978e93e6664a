/* Customers with their allowances, kept with the open store. In: a transaction,
 * the key of a customer. Out: the holder, read or kept. Everything that a
 * holder is made of touches the catalog number when it changes, so the number
 * of the transaction says whether what is kept is what is stored. */
#include "entitlement/holder_cache.h"

typedef struct kept_holder {
    met__arena arena;
    met__holder *holder; /* NULL: none */
} kept_holder;

typedef struct holder_cache {
    met__kept kept;
    const met__platform *platform;
    uint64_t catalog_number;
    met__arena arena; /* of the plans */
    met__terms_cache terms;
    kept_holder holders[MET__HOLDERS_KEPT];
} holder_cache;

static void release(met__kept *kept)
{
    holder_cache *self = (holder_cache *)kept;

    for (size_t i = 0; i < MET__HOLDERS_KEPT; i++) {
        met__arena_release(&self->holders[i].arena);
    }
    met__arena_release(&self->arena);
    met__release(self->platform, self, sizeof *self);
}

static holder_cache *make(const met__platform *platform, uint64_t number)
{
    holder_cache *self = met__allocate(platform, sizeof *self);

    if (self != NULL) {
        self->kept.release = release;
        self->platform = platform;
        self->catalog_number = number;
        met__arena_init(&self->arena, platform);
        self->terms.arena = &self->arena;
        for (size_t i = 0; i < MET__HOLDERS_KEPT; i++) {
            met__arena_init(&self->holders[i].arena, platform);
        }
    }
    return self;
}

/* What is known of the transaction's catalog. */
static met_error cache_of(met__txn *txn, holder_cache **cache_out)
{
    holder_cache *self = (holder_cache *)met__txn_kept(txn);
    uint64_t number;
    met_error error = met__txn_catalog_number(txn, &number);

    if (error == MET_OK && (self == NULL || self->catalog_number != number)) {
        self = make(met__store_platform(met__txn_store(txn)), number);
        if (self == NULL) {
            return MET_E_NO_MEMORY;
        }
        met__txn_keep(txn, &self->kept);
    }
    *cache_out = self;
    return error;
}

met_error met__holder_kept(met__txn *txn, met__text customer_key,
                           const met__holder **holder_out,
                           met_error_info *info)
{
    holder_cache *self = NULL;
    met_error error = cache_of(txn, &self);

    if (error != MET_OK) {
        return error;
    }
    kept_holder *place =
        &self->holders[met__checksum(customer_key.data, customer_key.size)
                       % MET__HOLDERS_KEPT];
    if (place->holder == NULL
        || !met__text_equal(place->holder->customer->key, customer_key)) {
        met__arena_release(&place->arena);
        place->holder = NULL;
        error = met__holder_load(txn, customer_key, &self->terms,
                                 &place->arena, &place->holder, info);
    }
    if (error == MET_OK) {
        *holder_out = place->holder;
    } else { /* half of something may lie in there */
        met__txn_keep(txn, NULL);
    }
    return error;
}
