/* XXH3 behind our names: keyed with a secret of 192 random bytes for anything
 * a stranger may choose, unkeyed for the integrity of our own bytes. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"

MET__STATIC_ASSERT(MET__SECRET_SIZE >= XXH3_SECRET_SIZE_MIN, secret_size);

met_error met__secret_create(const met__platform *platform,
                             met__secret *secret_out)
{
    MET__ASSERT(platform != NULL && secret_out != NULL);
    int result = platform->os->random(platform->os->context, secret_out,
                                      sizeof *secret_out);
    return result < 0 ? met__os_error(result) : MET_OK;
}

uint64_t met__hash64(const met__secret *secret, const void *data, size_t size)
{
    return XXH3_64bits_withSecret(data, size, secret->bytes,
                                  sizeof secret->bytes);
}

met__hash128 met__hash128_of(const met__secret *secret, const void *data,
                             size_t size)
{
    XXH128_hash_t hash = XXH3_128bits_withSecret(data, size, secret->bytes,
                                                 sizeof secret->bytes);
    return (met__hash128){hash.low64, hash.high64};
}

uint64_t met__checksum(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

met__hash128 met__fingerprint(const void *data, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits(data, size);
    return (met__hash128){hash.low64, hash.high64};
}

uint64_t met__checksum_pair(const void *key, size_t key_size,
                            const void *value, size_t value_size)
{
    return XXH3_64bits_withSeed(value, value_size,
                                XXH3_64bits(key, key_size));
}
