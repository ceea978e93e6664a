/* Borrowed texts, a growing byte buffer, big-endian integers for keys. */
#ifndef MET_BASE_BYTES_H
#define MET_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/platform.h"
#include "metering/types.h"

/* Borrowed bytes. data may be NULL only when size is 0. */
typedef struct met__text {
    const char *data;
    size_t size;
} met__text;

#define MET__TEXT(literal) ((met__text){(literal), sizeof(literal) - 1})

static inline met__text met__text_of(const char *data, size_t size)
{
    return (met__text){data, size};
}

static inline met__text met__text_z(const char *text)
{
    return (met__text){text, text ? strlen(text) : 0};
}

static inline int met__text_equal(met__text a, met__text b)
{
    return a.size == b.size
           && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The same, in place: of names that are usually short. */
static inline int met__bytes_equal(const char *a, const char *b, size_t size)
{
    uint64_t first[2];
    uint64_t last[2];
    uint32_t half[2];

    if (size > 2 * sizeof *first) {
        return memcmp(a, b, size) == 0;
    }
    if (size >= sizeof *first) {
        memcpy(&first[0], a, sizeof *first);
        memcpy(&first[1], b, sizeof *first);
        memcpy(&last[0], a + size - sizeof *last, sizeof *last);
        memcpy(&last[1], b + size - sizeof *last, sizeof *last);
        return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
    }
    for (; size >= sizeof *half; size -= sizeof *half) {
        memcpy(&half[0], a, sizeof *half);
        memcpy(&half[1], b, sizeof *half);
        if (half[0] != half[1]) {
            return 0;
        }
        a += sizeof *half;
        b += sizeof *half;
    }
    for (; size > 0; size--) {
        if (*a++ != *b++) {
            return 0;
        }
    }
    return 1;
}

/* Byte order, shorter first when one is the other's beginning. */
int met__text_compare(met__text a, met__text b);

/* Length of the well-formed UTF-8 sequence at s (at most `left` bytes, at least
 * 1), or 0. Source: Unicode 15, table 3-7. */
size_t met__utf8_sequence(const unsigned char *s, size_t left);
/* Well-formed UTF-8 without control characters below 0x20 and 0x7f. */
int met__text_is_clean(met__text text);

/* --- Growing buffer. After a failed append, error is sticky. -------------- */
typedef struct met__buffer {
    const met__platform *platform;
    char *data; /* always NUL-terminated once anything was appended */
    size_t size;
    size_t capacity;
    met_error error;
    uint32_t reserved;
} met__buffer;

void met__buffer_init(met__buffer *buffer, const met__platform *platform);
void met__buffer_append(met__buffer *buffer, const void *data, size_t size);
/* The same, quicker where there is room. */
static inline void met__buffer_append_quick(met__buffer *buffer,
                                            const char *data, size_t size)
{
    if (buffer->error != MET_OK || size == 0
        || size >= buffer->capacity - buffer->size) {
        met__buffer_append(buffer, data, size);
        return;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}
void met__buffer_text(met__buffer *buffer, const char *text);
void met__buffer_byte(met__buffer *buffer, char byte);
void met__buffer_print(met__buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void met__buffer_release(met__buffer *buffer);
/* Hands the bytes to the caller as a public buffer and empties this one. */
met_error met__buffer_give(met__buffer *buffer, met_buffer *buffer_out);
/* What met_buffer_release does. */
void met__buffer_take_back(met_buffer *buffer);

/* --- Numbers as text, on paths where printf is too slow ------------------- */
#define MET__DIGITS_MAX 20

/* Two by two. */
static inline size_t met__put_long_digits(char out[MET__DIGITS_MAX],
                                          uint64_t value)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "68697071727374757677787980818283848586878889909192939495969798"
        "99";
    /* The least number that has more digits than any of fewer bits. */
    static const uint64_t powers[] = {
        0,
        UINT64_C(10),
        UINT64_C(100),
        UINT64_C(1000),
        UINT64_C(10000),
        UINT64_C(100000),
        UINT64_C(1000000),
        UINT64_C(10000000),
        UINT64_C(100000000),
        UINT64_C(1000000000),
        UINT64_C(10000000000),
        UINT64_C(100000000000),
        UINT64_C(1000000000000),
        UINT64_C(10000000000000),
        UINT64_C(100000000000000),
        UINT64_C(1000000000000000),
        UINT64_C(10000000000000000),
        UINT64_C(100000000000000000),
        UINT64_C(1000000000000000000),
        UINT64_C(10000000000000000000)};
    uint32_t bits = 64 - (uint32_t)__builtin_clzll(value | 1);
    uint32_t power = bits * 1233 >> 12; /* log10(2) = 1233 / 4096 */
    size_t size = power + (value >= powers[power]);

    for (size_t at = size; at > 1; at -= 2, value /= 100) {
        memcpy(out + at - 2, pairs + value % 100 * 2, 2);
    }
    if (size % 2 != 0) {
        out[0] = (char)('0' + value);
    }
    return size;
}

/* Decimal digits without a NUL; how many. May write over all of out. Eight
 * digits are found at once: halves of fours, of twos, of ones, each in a lane
 * of its own, the first digit in the lowest byte. */
static inline size_t met__put_digits(char out[MET__DIGITS_MAX],
                                     uint64_t value)
{
    if (value >= UINT64_C(100000000)
        || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
        return met__put_long_digits(out, value);
    }
    uint64_t fours = value / 10000 | value % 10000 << 32;
    uint64_t high = (fours * 10486) >> 20 & UINT64_C(0x7f0000007f);
    uint64_t twos = high | (fours - high * 100) << 16;
    high = (twos * 103) >> 10 & UINT64_C(0x000f000f000f000f);
    uint64_t ones = high | (twos - high * 10) << 8;
    uint32_t zeros = ones == 0 ? 7 : (uint32_t)__builtin_ctzll(ones) / 8;
    ones = (ones | UINT64_C(0x3030303030303030)) >> (zeros * 8);
    memcpy(out, &ones, sizeof ones);
    return 8 - zeros;
}

/* --- Big-endian integers: their byte order is their numeric order. -------- */
static inline void met__put_u32(unsigned char *out, uint32_t value)
{
    for (int i = 3; i >= 0; i--) {
        out[i] = (unsigned char)value;
        value >>= 8;
    }
}

static inline void met__put_u64(unsigned char *out, uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (unsigned char)value;
        value >>= 8;
    }
}

static inline uint32_t met__get_u32(const unsigned char *in)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

static inline uint64_t met__get_u64(const unsigned char *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

#endif
