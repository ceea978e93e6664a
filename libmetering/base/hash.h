/* Hashes. Keyed ones take the store's or the table's random secret: without
 * it nobody can choose keys that collide. The only includer of xxHash is
 * hash.c; hot paths that need it inlined include hash_inline.h from there. */
#ifndef MET_BASE_HASH_H
#define MET_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/platform.h"

#define MET__SECRET_SIZE 192

typedef struct met__secret {
    uint8_t bytes[MET__SECRET_SIZE];
} met__secret;

typedef struct met__hash128 {
    uint64_t low;
    uint64_t high;
} met__hash128;

met_error met__secret_create(const met__platform *platform,
                             met__secret *secret_out);
uint64_t met__hash64(const met__secret *secret, const void *data, size_t size);
met__hash128 met__hash128_of(const met__secret *secret, const void *data,
                             size_t size);
/* Unkeyed XXH3-64: integrity of our own bytes, never a defence. */
uint64_t met__checksum(const void *data, size_t size);
/* Unkeyed XXH3-128: a name for a text that has one elsewhere, too. */
met__hash128 met__fingerprint(const void *data, size_t size);
/* Of a value under its key: the same bytes elsewhere have another one. */
uint64_t met__checksum_pair(const void *key, size_t key_size,
                            const void *value, size_t value_size);

#endif
