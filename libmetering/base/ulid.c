/* ULIDs: sortable by the time of their making. In: a time and randomness of
 * the OS table. Out: 26 characters. Source: the ULID specification (48 bits of
 * milliseconds, 80 random bits, Crockford's base 32). */
#include "base/ulid.h"

#include <string.h>

#include "base/check.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define NUMBER_SIZE 5
#define BITS_SIZE 16

/* 130 bits of text for 128 of value: the first character holds three. */
static void print(const unsigned char bits[BITS_SIZE], char *text_out)
{
    uint64_t high = 0;
    uint64_t low = 0;

    for (int i = 0; i < BITS_SIZE / 2; i++) {
        high = high << 8 | bits[i];
        low = low << 8 | bits[i + BITS_SIZE / 2];
    }
    for (int i = MET__ULID_SIZE - 1; i >= 0; i--) {
        text_out[i] = alphabet[low & 31];
        low = low >> 5 | high << 59;
        high >>= 5;
    }
    text_out[MET__ULID_SIZE] = '\0';
}

static void put_number(unsigned char *out, size_t size, uint64_t number)
{
    while (size-- > 0) {
        out[size] = (unsigned char)number;
        number >>= 8;
    }
}

/* The bits from `given` on are random. */
static met_error fill(const met__platform *platform, int64_t utc_ns,
                      unsigned char bits[BITS_SIZE], size_t given)
{
    if (utc_ns < 0) {
        return MET_E_INVALID;
    }
    int result = platform->os->random(platform->os->context, bits + given,
                                      BITS_SIZE - given);
    if (result < 0) {
        return met__os_error(result);
    }
    put_number(bits, 6, (uint64_t)utc_ns / 1000000);
    return MET_OK;
}

/* 79 random bits and room to count: no carry reaches the time. */
met_error met__ulid_create(const met__platform *platform,
                           met__ulid_series *series, int64_t utc_ns,
                           char *text_out)
{
    uint64_t milliseconds = (uint64_t)utc_ns / 1000000;

    MET__ASSERT(platform != NULL && text_out != NULL);
    if (!series->is_begun || series->milliseconds != milliseconds) {
        met_error error = fill(platform, utc_ns, series->bits, 6);
        if (error != MET_OK) {
            return error;
        }
        series->bits[6] &= 0x7f;
        series->milliseconds = milliseconds;
        series->is_begun = 1;
    } else {
        for (int i = BITS_SIZE - 1; ++series->bits[i] == 0; i--) {
        }
    }
    print(series->bits, text_out);
    return MET_OK;
}

met_error met__ulid_create_ordered(const met__platform *platform,
                                   int64_t utc_ns, uint64_t number,
                                   char *text_out)
{
    unsigned char bits[BITS_SIZE];

    MET__ASSERT(platform != NULL && text_out != NULL && number >> 40 == 0);
    put_number(bits + 6, NUMBER_SIZE, number);
    met_error error = fill(platform, utc_ns, bits, 6 + NUMBER_SIZE);
    if (error == MET_OK) {
        print(bits, text_out);
    }
    return error;
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
