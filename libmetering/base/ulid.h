/* ULID: 48 bits of milliseconds, 80 random bits, 26 characters of Crockford
 * base 32 whose byte order is the order of time. */
#ifndef MET_BASE_ULID_H
#define MET_BASE_ULID_H

#include "base/platform.h"

#define MET__ULID_SIZE 26

/* Ids of one maker: those of one millisecond are in the order of their making,
 * so that what is made together lies together. Begins all zero. */
typedef struct met__ulid_series {
    uint64_t milliseconds;
    unsigned char bits[16]; /* of the last one */
    uint32_t is_begun;
    uint32_t reserved;
} met__ulid_series;

/* text_out: 27 bytes, NUL-terminated. MET_E_IO when no randomness is had. */
met_error met__ulid_create(const met__platform *platform,
                           met__ulid_series *series, int64_t utc_ns,
                           char *text_out);
/* One with a number before the randomness: ids of one instant are in the
 * order of their numbers, which are below 2^40. */
met_error met__ulid_create_ordered(const met__platform *platform,
                                   int64_t utc_ns, uint64_t number,
                                   char *text_out);
int met__ulid_is(const char *text, size_t size);

#endif
