/* Keys that cannot be mistaken for one another. In: a scope, a kind, a value.
 * Out: bytes that are equal only when all three are.
 *
 *   1 byte   what follows: 1 any bytes, 4 an IPv4, 6 an IPv6 address
 *   4 bytes  kind, 4 bytes length of the scope, the scope
 *   value    its bytes; of an address: how many bits count, then all its bytes,
 *            those beyond the prefix 0
 *
 * Source of the text forms: RFC 4291 section 2.2, and dotted quads without
 * leading zeros (RFC 6943 section 3.1.1). */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "limit/limiter.h"

#define HEAD 9
#define GROUPS 8
#define CLASS_BYTES 1
#define CLASS_V4 4
#define CLASS_V6 6

typedef struct address {
    unsigned char bytes[16]; /* IPv4: the first four */
    size_t size;             /* 4 or 16 */
} address;

/* --- Addresses as text ---------------------------------------------------- */
/* Four numbers up to 255, without leading zeros, to the end of the text. */
static int parse_v4(const char *text, size_t size, unsigned char out[4])
{
    size_t at = 0;

    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        size_t begin = at;
        while (at < size && text[at] >= '0' && text[at] <= '9'
               && at - begin < 3) {
            value = value * 10 + (unsigned)(text[at++] - '0');
        }
        if (at == begin || value > 255
            || (text[begin] == '0' && at - begin > 1)) {
            return 0;
        }
        out[i] = (unsigned char)value;
        if (i < 3 && (at == size || text[at++] != '.')) {
            return 0;
        }
    }
    return at == size;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four digits; how many were read, 0: none. */
static size_t parse_group(const char *text, size_t size, unsigned *value_out)
{
    size_t at = 0;
    unsigned value = 0;

    while (at < size && at < 4 && hex_digit(text[at]) >= 0) {
        value = value << 4 | (unsigned)hex_digit(text[at++]);
    }
    *value_out = value;
    return at;
}

/* Groups of a text without "::" at its ends; the last two may be a dotted quad.
 * How many 16-bit groups; -1: not an address. */
static int parse_groups(const char *text, size_t size, unsigned char *out)
{
    int count = 0;
    size_t at = 0;

    while (at < size) {
        unsigned value;
        size_t digits = parse_group(text + at, size - at, &value);
        size_t end = at + digits;
        if (end < size && text[end] == '.' && count <= GROUPS - 2) {
            return parse_v4(text + at, size - at, out + 2 * count)
                       ? count + 2
                       : -1;
        }
        if (digits == 0 || count == GROUPS) {
            return -1;
        }
        out[2 * count] = (unsigned char)(value >> 8);
        out[2 * count + 1] = (unsigned char)value;
        count++;
        if (end == size) {
            return count;
        }
        at = end + 1;
        if (text[end] != ':' || at == size) {
            return -1;
        }
    }
    return count;
}

static int parse_v6(const char *text, size_t size, unsigned char out[16])
{
    unsigned char left[16] = {0};
    unsigned char right[16] = {0};
    size_t gap = 0;

    while (gap + 1 < size && (text[gap] != ':' || text[gap + 1] != ':')) {
        gap++;
    }
    if (gap + 1 >= size) { /* no "::" */
        return parse_groups(text, size, out) == GROUPS;
    }
    /* A dotted quad ends an address, so none is before the gap. */
    if (memchr(text, '.', gap) != NULL) {
        return 0;
    }
    int before = parse_groups(text, gap, left);
    int after = parse_groups(text + gap + 2, size - gap - 2, right);
    if (before < 0 || after < 0 || before + after >= GROUPS) {
        return 0;
    }
    memset(out, 0, 16);
    memcpy(out, left, (size_t)before * 2);
    memcpy(out + 16 - after * 2, right, (size_t)after * 2);
    return 1;
}

/* --- Addresses ------------------------------------------------------------ */
/* ::ffff:a.b.c.d is the IPv4 address it maps. */
static void unmap(address *a)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};

    if (a->size == 16 && memcmp(a->bytes, mapped, sizeof mapped) == 0) {
        memmove(a->bytes, a->bytes + 12, 4);
        a->size = 4;
    }
}

static int read_address(const met_limiter_identity *identity, address *out)
{
    const char *value = identity->value;
    size_t size = identity->value_size;

    if (identity->form == MET_LIMITER_FORM_ADDRESS_BYTES) {
        if (size != 4 && size != 16) {
            return 0;
        }
        memcpy(out->bytes, value, size);
        out->size = size;
    } else if (size > 0 && memchr(value, ':', size) == NULL) {
        out->size = 4;
        if (!parse_v4(value, size, out->bytes)) {
            return 0;
        }
    } else {
        out->size = 16;
        if (size == 0 || !parse_v6(value, size, out->bytes)) {
            return 0;
        }
    }
    unmap(out);
    return 1;
}

static void keep_prefix(address *a, uint32_t bits)
{
    for (size_t i = 0; i < a->size; i++) {
        uint32_t before = (uint32_t)i * 8;
        uint32_t kept = bits <= before ? 0 : bits - before;
        if (kept < 8) {
            a->bytes[i] &= (unsigned char)(0xff00u >> kept);
        }
    }
}

/* --- Keys ----------------------------------------------------------------- */
static size_t put(char *out, size_t at, const void *bytes, size_t size)
{
    if (size != 0) {
        memcpy(out + at, bytes, size);
    }
    return at + size;
}

met_error met__limiter_key_build(const met_limiter_identity *identity,
                                 char *key_out, size_t key_room,
                                 size_t *key_size_out, met_error_info *info)
{
    const void *value = identity->value;
    size_t value_size = identity->value_size;
    unsigned char head[HEAD] = {CLASS_BYTES};
    unsigned char tail[1 + 16];
    address parsed;

    if (identity->form != MET_LIMITER_FORM_BYTES) {
        if (!read_address(identity, &parsed)) {
            return met__fail(info, MET_E_INVALID, "identity.value",
                             "is not an IP address");
        }
        int is_v4 = parsed.size == 4;
        uint32_t bits = is_v4 ? identity->prefix_v4 : identity->prefix_v6;
        keep_prefix(&parsed, bits);
        head[0] = is_v4 ? CLASS_V4 : CLASS_V6;
        tail[0] = (unsigned char)bits;
        memcpy(tail + 1, parsed.bytes, parsed.size);
        value = tail;
        value_size = 1 + parsed.size;
    }
    if (value_size > key_room || identity->scope_size > key_room - value_size
        || HEAD > key_room - value_size - identity->scope_size) {
        return met__fail(info, MET_E_LIMIT, "key_room",
                         "must be the sizes of scope and value and %d",
                         MET_LIMITER_KEY_EXTRA);
    }
    met__put_u32(head + 1, identity->kind);
    met__put_u32(head + 5, (uint32_t)identity->scope_size);
    size_t at = put(key_out, 0, head, sizeof head);
    at = put(key_out, at, identity->scope, identity->scope_size);
    *key_size_out = put(key_out, at, value, value_size);
    return MET_OK;
}
