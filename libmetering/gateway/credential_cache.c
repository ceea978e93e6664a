/* Keys seen since the snapshot in force: a hit costs a SipHash (30 ns) where
 * BLAKE2b costs 300. Two ways per set; known and unknown keys apart.
 * In: keys and the number of a credential. Knows no snapshot. */
#include <sodium.h>

#include "gateway/credential.h"

#define KNOWN_SETS 4096u
#define UNKNOWN_SETS 512u

typedef struct entry {
    met__credential_tag tag;
    uint32_t generation; /* 0 = empty */
    uint32_t value;
} entry;

struct met__credential_cache {
    const met__platform *platform;
    unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
    entry known[KNOWN_SETS][2];
    entry unknown[UNKNOWN_SETS][2];
};

met_error met__credential_cache_create(const met__platform *platform,
                                       met__credential_cache **cache_out)
{
    met__credential_cache *cache = met__allocate(platform, sizeof *cache);

    if (cache == NULL) {
        return MET_E_NO_MEMORY;
    }
    cache->platform = platform;
    int result = platform->os->random(platform->os->context, cache->key,
                                      sizeof cache->key);
    if (result < 0) {
        met__release(platform, cache, sizeof *cache);
        return met__os_error(result);
    }
    *cache_out = cache;
    return MET_OK;
}

void met__credential_cache_destroy(met__credential_cache *cache)
{
    if (cache != NULL) {
        const met__platform *platform = cache->platform;
        sodium_memzero(cache, sizeof *cache);
        met__release(platform, cache, sizeof *cache);
    }
}

met__credential_tag met__credential_cache_tag(
    const met__credential_cache *cache, met__text api_key)
{
    unsigned char bytes[crypto_shorthash_siphashx24_BYTES];
    met__credential_tag tag;

    (void)crypto_shorthash_siphashx24(
        bytes, (const unsigned char *)api_key.data, api_key.size, cache->key);
    memcpy(&tag.low, bytes, sizeof tag.low);
    memcpy(&tag.high, bytes + sizeof tag.low, sizeof tag.high);
    return tag;
}

/* Without a branch on the bytes of the tag. */
static int is_same(const entry *one, uint32_t generation,
                   met__credential_tag tag)
{
    return ((one->tag.low ^ tag.low) | (one->tag.high ^ tag.high)
            | (uint64_t)(one->generation ^ generation))
           == 0;
}

uint32_t met__credential_cache_get(const met__credential_cache *cache,
                                   uint32_t generation,
                                   met__credential_tag tag)
{
    const entry *known = cache->known[tag.low % KNOWN_SETS];
    const entry *unknown = cache->unknown[tag.low % UNKNOWN_SETS];

    for (int way = 0; way < 2; way++) {
        if (is_same(&known[way], generation, tag)) {
            return known[way].value;
        }
    }
    for (int way = 0; way < 2; way++) {
        if (is_same(&unknown[way], generation, tag)) {
            return unknown[way].value;
        }
    }
    return MET__CREDENTIAL_MISS;
}

void met__credential_cache_put(met__credential_cache *cache,
                               uint32_t generation, met__credential_tag tag,
                               uint32_t value)
{
    entry *set = value == MET__CREDENTIAL_UNKNOWN
                     ? cache->unknown[tag.low % UNKNOWN_SETS]
                     : cache->known[tag.low % KNOWN_SETS];

    if (!is_same(&set[0], generation, tag)) {
        set[1] = set[0];
    }
    set[0] = (entry){tag, generation, value};
}
