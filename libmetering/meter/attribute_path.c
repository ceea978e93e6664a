/* The subset of JSONPath that names an attribute: members and array items. In:
 * "$.a.b", "$['x'][0]". Out: "a.b", "x[0]", and where that leads to. Two
 * spellings of one path become one name, so that what a recorder is given can
 * be compared. */
#include "meter/attribute_path.h"

#include "base/check.h"
#include "base/limits.h"

#define STEPS_MAX MET__DOCUMENT_DEPTH_MAX
#define INDEX_DIGITS_MAX 9

typedef struct reading {
    const char *at;
    const char *end;
    char out[MET__ATTRIBUTE_SIZE_MAX + 8];
    size_t size;
    const char *reason;
} reading;

static int is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_word(char c)
{
    return is_word_start(c) || (c >= '0' && c <= '9') || c == '-';
}

static met_error refuse(reading *r, met_error error, const char *reason)
{
    r->reason = reason;
    return error;
}

static met_error put(reading *r, const char *bytes, size_t size)
{
    if (r->size + size > MET__ATTRIBUTE_SIZE_MAX) {
        return refuse(r, MET_E_LIMIT, "is longer than 128 bytes");
    }
    memcpy(r->out + r->size, bytes, size);
    r->size += size;
    return MET_OK;
}

static met_error put_word(reading *r, const char *word, size_t size)
{
    met_error error = r->size > 0 ? put(r, ".", 1) : MET_OK;

    return error == MET_OK ? put(r, word, size) : error;
}

/* .name */
static met_error read_member(reading *r)
{
    const char *word = ++r->at;

    if (word == r->end) {
        return refuse(r, MET_E_INVALID, "ends with a dot");
    }
    if (*word == '.' || *word == '*') {
        return refuse(r, MET_E_UNSUPPORTED,
                      "only $.a.b, $['x'] and $[n] are served");
    }
    if (!is_word_start(*word)) {
        return refuse(r, MET_E_INVALID, "has a member that is not a word; "
                      "write it as ['...']");
    }
    while (r->at < r->end && is_word(*r->at)) {
        r->at++;
    }
    return put_word(r, word, (size_t)(r->at - word));
}

/* ['name'] or ["name"]; r->at is at the quote. */
static met_error read_quoted(reading *r)
{
    char quote = *r->at++;
    const char *name = r->at;

    while (r->at < r->end && *r->at != quote) {
        if (*r->at == '\\' || *r->at == '\'' || *r->at == '"') {
            return refuse(r, MET_E_UNSUPPORTED,
                          "has a quote or a backslash inside of ['...']");
        }
        r->at++;
    }
    size_t size = (size_t)(r->at - name);
    if (r->end - r->at < 2 || r->at[1] != ']') {
        return refuse(r, MET_E_INVALID, "has a bracket that is not closed");
    }
    r->at += 2;
    if (size == 0) {
        return refuse(r, MET_E_INVALID, "has an empty member name");
    }
    int is_plain = is_word_start(name[0]);
    for (size_t i = 1; is_plain && i < size; i++) {
        is_plain = is_word(name[i]);
    }
    if (is_plain) {
        return put_word(r, name, size);
    }
    met_error error = put(r, "['", 2);
    error = error == MET_OK ? put(r, name, size) : error;
    return error == MET_OK ? put(r, "']", 2) : error;
}

/* [n] */
static met_error read_index(reading *r)
{
    const char *digits = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        r->at++;
    }
    size_t size = (size_t)(r->at - digits);
    if (r->at == r->end) {
        return refuse(r, MET_E_INVALID, "has a bracket that is not closed");
    }
    if (*r->at != ']' || size == 0) {
        return refuse(r, MET_E_UNSUPPORTED,
                      "only $.a.b, $['x'] and $[n] are served");
    }
    if (size > INDEX_DIGITS_MAX || (size > 1 && digits[0] == '0')) {
        return refuse(r, MET_E_INVALID, "has an index that is not a plain "
                      "number of at most 9 digits");
    }
    r->at++;
    met_error error = put(r, "[", 1);
    error = error == MET_OK ? put(r, digits, size) : error;
    return error == MET_OK ? put(r, "]", 1) : error;
}

static met_error read_step(reading *r)
{
    if (*r->at == '.') {
        return read_member(r);
    }
    if (*r->at != '[') {
        return refuse(r, MET_E_INVALID,
                      "must go on with . or [ after $ or a member");
    }
    r->at++;
    if (r->at < r->end && (*r->at == '\'' || *r->at == '"')) {
        return read_quoted(r);
    }
    return read_index(r);
}

met_error met__attribute_path_read(met__text path, met__arena *arena,
                                   met__text *name_out,
                                   const char **reason_out)
{
    reading r = {.at = path.data, .end = path.data + path.size};
    met_error error = MET_OK;

    MET__ASSERT(arena != NULL && name_out != NULL && reason_out != NULL);
    if (path.size == 0 || path.data[0] != '$') {
        error = refuse(&r, MET_E_INVALID, "must start with $");
    } else if (path.size == 1) {
        error = refuse(&r, MET_E_INVALID, "must name a member after $");
    } else if (!met__text_is_clean(path)) {
        error = refuse(&r, MET_E_INVALID,
                       "must be UTF-8 without control characters");
    } else {
        r.at++;
    }
    for (int steps = 0; error == MET_OK && r.at < r.end; steps++) {
        error = steps < STEPS_MAX
                    ? read_step(&r)
                    : refuse(&r, MET_E_LIMIT, "has more than 16 steps");
    }
    *reason_out = r.reason;
    if (error != MET_OK) {
        return error;
    }
    char *copy = met__arena_copy(arena, r.out, r.size);
    if (copy == NULL) {
        *reason_out = "out of memory";
        return MET_E_NO_MEMORY;
    }
    *name_out = met__text_of(copy, r.size);
    return MET_OK;
}

met__text met__attribute_path_of(met__text name, met__arena *arena)
{
    int is_bracket = name.size > 0 && name.data[0] == '[';
    char *text = met__arena_print(arena, is_bracket ? "$%.*s" : "$.%.*s",
                                  (int)name.size, name.data);

    return met__text_z(text);
}

/* --- Following a path ----------------------------------------------------- */
static const met__node *member_of(const met__node *node, met__text name)
{
    for (uint32_t i = 0;
         node->kind == MET__NODE_OBJECT && i < node->count; i++) {
        if (met__text_equal(node->as.members[i].name, name)) {
            return node->as.members[i].node;
        }
    }
    return NULL;
}

static const met__node *item_of(const met__node *node, met__text digits)
{
    uint32_t index = 0;

    for (size_t i = 0; i < digits.size && i < INDEX_DIGITS_MAX; i++) {
        index = index * 10 + (uint32_t)(digits.data[i] - '0');
    }
    return node->kind == MET__NODE_ARRAY && index < node->count
               ? node->as.items[index]
               : NULL;
}

const met__node *met__attribute_path_find(met__text name,
                                          const met__node *root)
{
    const char *at = name.data;
    const char *end = name.data + name.size;
    const met__node *node = root;

    while (node != NULL && at < end) {
        const char *from = at;
        if (*at != '[') {
            from += *at == '.';
            for (at = from; at < end && *at != '.' && *at != '['; at++) {
            }
            node = member_of(node, met__text_of(from, (size_t)(at - from)));
            continue;
        }
        int is_quoted = end - at > 1 && at[1] == '\'';
        from += 1 + is_quoted;
        for (at = from; at < end && *at != (is_quoted ? '\'' : ']'); at++) {
        }
        met__text step = {from, (size_t)(at - from)};
        at += 1 + is_quoted;
        node = is_quoted ? member_of(node, step) : item_of(node, step);
    }
    return node;
}
