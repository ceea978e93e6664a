/* Keys in JSON bodies: texts of the outermost object by their names, found
 * without memory. In: a body that a client wrote. Out: how often a name is
 * there. What is wrong behind a key may go unseen; what is wrong before it, or
 * around it, makes it no key. */
#include "gateway/key_auth.h"

#define DEPTH_MAX 64

typedef struct reader {
    const char *at;
    const char *end;
} reader;

/* --- Steps ---------------------------------------------------------------- */
static void skip_space(reader *in)
{
    while (in->at < in->end
           && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n'
               || *in->at == '\r')) {
        in->at++;
    }
}

static int take(reader *in, char c)
{
    skip_space(in);
    if (in->at == in->end || *in->at != c) {
        return 0;
    }
    in->at++;
    return 1;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind "\u" as UTF-8, 1 to 3 bytes; 0: none, or half of a
 * pair, which no key needs. */
static size_t take_unicode(reader *in, char bytes_out[3])
{
    unsigned code = 0;

    for (int i = 0; i < 4; i++) {
        int digit = in->at < in->end ? hex_value(*in->at++) : -1;
        if (digit < 0) {
            return 0;
        }
        code = code << 4 | (unsigned)digit;
    }
    if (code >= 0xd800 && code < 0xe000) {
        return 0;
    }
    if (code < 0x80) {
        bytes_out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        bytes_out[0] = (char)(0xc0 | code >> 6);
        bytes_out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    bytes_out[0] = (char)(0xe0 | code >> 12);
    bytes_out[1] = (char)(0x80 | (code >> 6 & 63));
    bytes_out[2] = (char)(0x80 | (code & 63));
    return 3;
}

/* One character of a text: its bytes, 0 when it is none. */
static size_t take_character(reader *in, char bytes_out[3])
{
    static const char names[] = "\"\\/bfnrt";
    static const char means[] = "\"\\/\b\f\n\r\t";
    char c = *in->at++;

    bytes_out[0] = c;
    if (c != '\\') {
        return (unsigned char)c >= 0x20;
    }
    if (in->at == in->end) {
        return 0;
    }
    c = *in->at++;
    if (c == 'u') {
        return take_unicode(in, bytes_out);
    }
    const char *found = c != '\0' ? strchr(names, c) : NULL;
    if (found == NULL) {
        return 0;
    }
    bytes_out[0] = means[found - names];
    return 1;
}

/* A text behind its quote; what does not fit is cut. -1: it has no end, or no
 * meaning. */
static int take_text(reader *in, char *text, size_t room, size_t *size_out)
{
    char bytes[3];

    *size_out = 0;
    while (in->at < in->end) {
        if (*in->at == '"') {
            in->at++;
            return 0;
        }
        size_t size = take_character(in, bytes);
        if (size == 0) {
            return -1;
        }
        if (size <= room - *size_out) {
            memcpy(text + *size_out, bytes, size);
            *size_out += size;
        } else {
            *size_out = room;
        }
    }
    return -1;
}

/* --- What is passed over -------------------------------------------------- */
static int skip_text(reader *in)
{
    char bytes[3];

    while (in->at < in->end) {
        if (*in->at == '"') {
            in->at++;
            return 0;
        }
        if (take_character(in, bytes) == 0) {
            return -1;
        }
    }
    return -1;
}

/* A value that is no text. */
static int skip_value(reader *in)
{
    int depth = 0;
    int is_begun = 0;

    for (; in->at < in->end; is_begun = 1) {
        char c = *in->at;
        if (depth == 0 && is_begun
            && (c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\n'
                || c == '\r')) {
            return 0;
        }
        in->at++;
        if (c == '"') {
            if (depth == 0 || skip_text(in) != 0) {
                return -1;
            }
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth < 0) {
            return -1;
        }
        if (depth > DEPTH_MAX) {
            return -1;
        }
        if (depth == 0 && (c == '}' || c == ']')) {
            return 0;
        }
    }
    return -1;
}

/* --- Members -------------------------------------------------------------- */
/* The value of a member that has the name; how many it counts as, or -1. */
static int count_value(reader *in, int is_first, char *scratch,
                       met__text *value_out)
{
    char other[1];
    size_t size;

    skip_space(in);
    if (in->at == in->end) {
        return -1;
    }
    if (*in->at != '"') {
        int is_table = *in->at == '{' || *in->at == '[';
        return skip_value(in) != 0 ? -1 : is_table ? 2 : 0;
    }
    in->at++;
    if (!is_first) {
        return take_text(in, other, 0, &size) != 0 ? -1 : 1;
    }
    if (take_text(in, scratch, MET_GATEWAY_KEY_SIZE_MAX + 1, &size) != 0) {
        return -1;
    }
    *value_out = met__text_of(scratch, size);
    return 1;
}

int met__key_json_count(met__text json, met__text name, char *scratch,
                        met__text *value_out)
{
    reader in = {json.data, json.data + json.size};
    char label[65]; /* one more than a name may have */
    size_t size;
    int count = 0;

    if (json.size == 0 || !take(&in, '{')) {
        return 0;
    }
    if (take(&in, '}')) {
        return 0;
    }
    do {
        met__text ignored;
        if (!take(&in, '"')
            || take_text(&in, label, sizeof label, &size) != 0
            || !take(&in, ':')) {
            return 0;
        }
        int is_it = met__text_equal(met__text_of(label, size), name);
        int found = count_value(&in, is_it && count == 0, scratch,
                                is_it && count == 0 ? value_out : &ignored);
        if (found < 0) {
            return 0;
        }
        count += is_it ? found : 0;
    } while (take(&in, ','));
    if (!take(&in, '}')) {
        return 0;
    }
    skip_space(&in);
    return in.at != in.end ? 0 : count < 2 ? count : 2;
}
