/* API keys: what is stored of them, and how the request path recognises them.
 * The only room file pair that touches libsodium, with credential_cache. */
#ifndef MET_GATEWAY_CREDENTIAL_H
#define MET_GATEWAY_CREDENTIAL_H

#include "base/bytes.h"

#define MET__CREDENTIAL_HASH_SIZE 32

typedef struct met__credential_hash {
    uint8_t bytes[MET__CREDENTIAL_HASH_SIZE];
} met__credential_hash;

/* Once per process and handle; MET_E_IO when the system has no randomness. */
met_error met__credential_start(void);
/* Keyed BLAKE2b-256 of an API key, under the store's credential key of 32
 * bytes: what is stored in place of the key. */
void met__credential_hash_of(const uint8_t *credential_key, met__text api_key,
                             met__credential_hash *hash_out);
/* In constant time. */
int met__credential_hash_equal(const void *a, const void *b);

/* --- Cache: keys that were verified against the snapshot in force --------- */
/* One per handle, so of one thread. Bounded, all memory at creation. Keys are
 * known by 128-bit SipHash under a random key of this cache. Unknown keys have
 * a part of their own, so that guessing pushes out nobody. */
typedef struct met__credential_cache met__credential_cache;

#define MET__CREDENTIAL_MISS UINT32_MAX
#define MET__CREDENTIAL_UNKNOWN (UINT32_MAX - 1)

/* A key's name in the cache. */
typedef struct met__credential_tag {
    uint64_t low;
    uint64_t high;
} met__credential_tag;

met_error met__credential_cache_create(const met__platform *platform,
                                       met__credential_cache **cache_out);
void met__credential_cache_destroy(met__credential_cache *cache); /* or NULL */
met__credential_tag met__credential_cache_tag(
    const met__credential_cache *cache, met__text api_key);
/* What was put under the same generation of the snapshot: the number of a
 * credential, MET__CREDENTIAL_UNKNOWN, or MET__CREDENTIAL_MISS. */
uint32_t met__credential_cache_get(const met__credential_cache *cache,
                                   uint32_t generation,
                                   met__credential_tag tag);
void met__credential_cache_put(met__credential_cache *cache,
                               uint32_t generation, met__credential_tag tag,
                               uint32_t value);

#endif
