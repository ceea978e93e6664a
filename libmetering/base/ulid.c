/* ULIDs: sortable by the time of their making. In: a time and randomness of
 * the OS table. Out: 26 characters. Source: the ULID specification (48 bits of
 * milliseconds, 80 random bits, Crockford's base 32). */
#include "base/ulid.h"

#include <string.h>

#include "base/check.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

met_error met__ulid_create(const met__platform *platform, int64_t utc_ns,
                           char *text_out)
{
    unsigned char bits[16];
    uint64_t milliseconds;

    MET__ASSERT(platform != NULL && text_out != NULL);
    if (utc_ns < 0) {
        return MET_E_INVALID;
    }
    int result = platform->os->random(platform->os->context, bits + 6, 10);
    if (result < 0) {
        return met__os_error(result);
    }
    milliseconds = (uint64_t)utc_ns / 1000000;
    for (int i = 5; i >= 0; i--) {
        bits[i] = (unsigned char)milliseconds;
        milliseconds >>= 8;
    }
    /* 130 bits of text for 128 of value: the first character holds three. */
    for (int i = 0; i < MET__ULID_SIZE; i++) {
        unsigned digit = 0;
        for (int j = 0; j < 5; j++) {
            int bit = i * 5 + j - 2;
            unsigned one = bit < 0 ? 0u
                                   : (unsigned)(bits[bit / 8]
                                                >> (7 - bit % 8)) & 1u;
            digit = digit << 1 | one;
        }
        text_out[i] = alphabet[digit];
    }
    text_out[MET__ULID_SIZE] = '\0';
    return MET_OK;
}

int met__ulid_is(const char *text, size_t size)
{
    if (size != MET__ULID_SIZE || text[0] > '7') {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\0' || strchr(alphabet, text[i]) == NULL) {
            return 0;
        }
    }
    return 1;
}
