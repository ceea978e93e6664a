/* Finding the API key of a request as Kong's key-auth does: per key name the
 * header, the query, the body; the first place that has the name decides and
 * there is no falling through. In: configuration and request. Out: the key.
 * It knows no store and no consumer. */
#include "gateway/key_auth.h"

#include "base/check.h"

#define ARGUMENT_SIZE (MET_GATEWAY_KEY_SIZE_MAX + 1)

/* --- Headers -------------------------------------------------------------- */

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* as_hyphen: an underscore of the wanted name stands for a hyphen. */
static int same_name(const char *name, met__text wanted, int as_hyphen)
{
    for (size_t i = 0; i < wanted.size; i++) {
        char c = as_hyphen && wanted.data[i] == '_' ? '-' : wanted.data[i];
        if (name[i] != c && lower(name[i]) != lower(c)) {
            return 0;
        }
    }
    return 1;
}

/* Whether two characters of names may be the same: says it of a few more. */
static int may_be(char c, char wanted)
{
    return ((c ^ wanted) & 0xdf) == 0 || wanted == '_';
}

/* 0: the wanted name; 1: it with hyphens for its underscores; -1: another. */
static int name_of(const char *name, met__text wanted)
{
    if (wanted.size > 0 && !may_be(name[wanted.size - 1],
                                   wanted.data[wanted.size - 1])) {
        return -1;
    }
    if (met__bytes_equal(name, wanted.data, wanted.size)
        || same_name(name, wanted, 0)) {
        return 0;
    }
    return memchr(wanted.data, '_', wanted.size) != NULL
                   && same_name(name, wanted, 1)
               ? 1
               : -1;
}

/* How often a header is there, 0 to 2; its first value. */
static int count_header(const met_gateway_request *request, met__text wanted,
                        met__text *value_out)
{
    int count[2] = {0, 0};
    met__text value[2] = {{NULL, 0}, {NULL, 0}};

    for (size_t i = 0; i < request->header_count; i++) {
        const met_pair *header = &request->headers[i];
        if (header->key_size != wanted.size) {
            continue; /* most headers differ in length */
        }
        int way = name_of(header->key, wanted);
        if (way >= 0 && count[way]++ == 0) {
            value[way] = met__text_of(header->value, header->value_size);
        }
    }
    int which = count[0] > 0 ? 0 : 1;
    *value_out = value[which];
    return count[which];
}

/* --- Arguments of a query or a form --------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes the byte at `at` and moves behind it; a broken escape stands for
 * itself. */
static char decode(met__text text, size_t *at)
{
    char c = text.data[*at];

    if (c == '%' && text.size - *at > 2) {
        int high = hex_digit(text.data[*at + 1]);
        int low = hex_digit(text.data[*at + 2]);
        if (high >= 0 && low >= 0) {
            *at += 3;
            return (char)(high << 4 | low);
        }
    }
    (*at)++;
    return c == '+' ? ' ' : c;
}

static int decodes_to(met__text encoded, met__text wanted)
{
    size_t at = 0;

    for (size_t i = 0; i < wanted.size; i++) {
        if (at >= encoded.size || decode(encoded, &at) != wanted.data[i]) {
            return 0;
        }
    }
    return at == encoded.size;
}

typedef struct argument {
    met__text name;
    met__text value;
    int has_value; /* there is a '=' */
} argument;

/* The next argument from `at` on; 0 at the end. Nameless ones are skipped. */
static int next_argument(met__text text, size_t *at, argument *out)
{
    while (*at < text.size) {
        const char *start = text.data + *at;
        size_t left = text.size - *at;
        const char *end = memchr(start, '&', left);
        size_t size = end != NULL ? (size_t)(end - start) : left;
        const char *equals = size > 0 ? memchr(start, '=', size) : NULL;
        size_t name = equals != NULL ? (size_t)(equals - start) : size;

        *at += size + (end != NULL);
        if (name > 0) {
            out->name = met__text_of(start, name);
            out->has_value = equals != NULL;
            out->value = equals != NULL
                             ? met__text_of(equals + 1, size - name - 1)
                             : met__text_of(start, 0);
            return 1;
        }
    }
    return 0;
}

/* How often an argument is there, 0 to 2, and the first of them. */
static int count_argument(met__text text, met__text wanted, argument *out)
{
    size_t at = 0;
    int count = 0;
    argument found;

    while (count < 2 && next_argument(text, &at, &found)) {
        if (decodes_to(found.name, wanted) && count++ == 0) {
            *out = found;
        }
    }
    return count;
}

static met__text decode_value(met__text value, char *scratch)
{
    size_t at = 0;
    size_t size = 0;

    if (memchr(value.data, '%', value.size) == NULL
        && memchr(value.data, '+', value.size) == NULL) {
        return value;
    }
    while (at < value.size && size < ARGUMENT_SIZE) {
        scratch[size++] = decode(value, &at);
    }
    return met__text_of(scratch, size);
}

/* --- The rule ------------------------------------------------------------- */

/* What is not in the header: how often the key is in the query, else in the
 * body; -1: neither a key nor another place. */
static int count_arguments(const met__key_auth *auth, met__text name,
                           const met_gateway_request *request, char *scratch,
                           met__key_place *place)
{
    const struct {
        uint32_t where;
        met__text text;
    } places[] = {
        {MET__KEY_IN_QUERY, met__text_of(request->query, request->query_size)},
        {MET__KEY_IN_BODY, met__text_of(request->form, request->form_size)},
    };
    int count = 0;

    for (size_t i = 0; count == 0 && i < 2; i++) {
        argument found = {0};
        if ((auth->flags & places[i].where) != 0 && places[i].text.size > 0) {
            count = count_argument(places[i].text, name, &found);
        }
        if (count == 1 && !found.has_value) {
            return -1; /* "?apikey" */
        }
        if (count == 1) {
            place->key = decode_value(found.value, scratch);
        }
        place->where = places[i].where;
    }
    if (count == 0 && (auth->flags & MET__KEY_IN_BODY) != 0
        && request->json_size > 0) {
        count = met__key_json_count(
            met__text_of(request->json, request->json_size), name, scratch,
            &place->key);
        place->where = MET__KEY_IN_BODY;
    }
    return count;
}

/* One name. 0: go on with the next one. */
static uint32_t find_name(const met__key_auth *auth, uint32_t index,
                          const met_gateway_request *request, char *scratch,
                          met__key_place *place)
{
    met__text name = auth->names[index];
    int count = 0;

    if ((auth->flags & MET__KEY_IN_HEADER) != 0) {
        count = count_header(request, name, &place->key);
        place->where = MET__KEY_IN_HEADER;
    }
    if (count == 0) {
        count = count_arguments(auth, name, request, scratch, place);
    }
    if (count <= 0) {
        return 0;
    }
    place->name = index;
    if (count > 1) {
        return MET__KEY_DUPLICATE;
    }
    return place->key.size > 0 ? MET__KEY_FOUND : MET__KEY_MISSING;
}

uint32_t met__key_auth_find(const met__key_auth *auth,
                            const met_gateway_request *request,
                            char *scratch, met__key_place *place_out)
{
    met__text preflight = MET__TEXT("OPTIONS");

    *place_out = (met__key_place){{NULL, 0}, 0, 0};
    if ((auth->flags & MET__KEY_ON_PREFLIGHT) == 0
        && request->method_size == preflight.size
        && met__bytes_equal(request->method, preflight.data,
                            preflight.size)) {
        return MET__KEY_NOT_NEEDED;
    }
    for (uint32_t i = 0; i < auth->name_count && i < MET__KEY_NAMES_MAX;
         i++) {
        uint32_t found = find_name(auth, i, request, scratch, place_out);
        if (found != 0) {
            return found;
        }
        *place_out = (met__key_place){{NULL, 0}, 0, 0};
    }
    return MET__KEY_MISSING;
}

/* --- Hiding --------------------------------------------------------------- */

/* What nginx leaves as it is in an argument. */
static int is_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
           || (c != '\0' && strchr("-._~", c) != NULL);
}

static void encode(met__text text, met__buffer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;

    while (at < text.size) {
        unsigned char c = (unsigned char)decode(text, &at);
        if (is_plain(c)) {
            met__buffer_byte(out, (char)c);
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            met__buffer_append(out, escape, sizeof escape);
        }
    }
}

static int is_key(const met__key_auth *auth, const argument *found)
{
    for (uint32_t i = 0; i < auth->name_count && i < MET__KEY_NAMES_MAX;
         i++) {
        if (decodes_to(found->name, auth->names[i])) {
            return 1;
        }
    }
    return 0;
}

static int has_key(const met__key_auth *auth, met__text query)
{
    size_t at = 0;
    argument found;

    while (next_argument(query, &at, &found)) {
        if (is_key(auth, &found)) {
            return 1;
        }
    }
    return 0;
}

void met__key_auth_hide(const met__key_auth *auth, met__text query,
                        met__buffer *out)
{
    size_t at = 0;
    argument found;

    if (!has_key(auth, query)) {
        met__buffer_append(out, query.data, query.size);
        return;
    }
    while (next_argument(query, &at, &found)) {
        if (is_key(auth, &found)) {
            continue;
        }
        if (out->size > 0) {
            met__buffer_byte(out, '&');
        }
        encode(found.name, out);
        if (found.has_value) {
            met__buffer_byte(out, '=');
            encode(found.value, out);
        }
    }
}
