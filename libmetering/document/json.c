/* JSON text to a tree and back: the only includer of the JSON library, which
 * refuses duplicates, NaN, bad UTF-8 and trailing text by itself. What it
 * cannot do is done by one scan over the text first: depth, and numbers that
 * a double would spoil. Knows nothing of what a document means. */
#include "document/document.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"

#define DIGITS_EXACT 15    /* decimal digits that survive a double */
#define EXPONENT_END 100000000

/* --- The scan before parsing ----------------------------------------------- */
typedef struct place {
    size_t line;
    size_t column;
} place;

static place place_of(met__text text, size_t at)
{
    place found = {1, 1};

    for (size_t i = 0; i < at && i < text.size; i++) {
        if (text.data[i] == '\n') {
            found.line++;
            found.column = 1;
        } else {
            found.column++;
        }
    }
    return found;
}

static met_error refuse(met__text text, size_t at, met_error_info *info,
                        const char *reason)
{
    place where = place_of(text, at);
    return met__fail(info, MET_E_INVALID, "", "line %zu, column %zu: %s",
                     where.line, where.column, reason);
}

/* Past a string that begins at `at` (which is a quote). */
static size_t skip_string(met__text text, size_t at)
{
    for (at++; at < text.size && text.data[at] != '"'; at++) {
        at += text.data[at] == '\\';
    }
    return at < text.size ? at + 1 : text.size;
}

/* What a number token is made of. */
typedef struct number {
    int64_t digits;   /* significant ones: without zeros at either end */
    int64_t zeros;    /* seen since the last of them */
    int64_t scale;    /* power of ten of the last digit seen */
    int64_t exponent; /* as written, at most EXPONENT_END */
    int is_fraction;
    int is_exponent;
    int is_negative; /* the exponent */
} number;

static void take_digit(number *n, char c)
{
    if (n->is_exponent) {
        if (n->exponent < EXPONENT_END) {
            n->exponent = n->exponent * 10 + (c - '0');
        }
        return;
    }
    n->scale -= n->is_fraction;
    if (c == '0') {
        n->zeros += n->digits > 0;
    } else {
        n->digits += n->zeros + 1;
        n->zeros = 0;
    }
}

/* Past a number; *is_exact says whether a double keeps it: few enough digits,
 * and powers of ten that we accept in texts too. */
static size_t skip_number(met__text text, size_t at, int *is_exact)
{
    number n = {0};

    for (; at < text.size; at++) {
        char c = text.data[at];
        if (c >= '0' && c <= '9') {
            take_digit(&n, c);
        } else if (c == '.') {
            n.is_fraction = 1;
        } else if (c == 'e' || c == 'E') {
            n.is_exponent = 1;
        } else if (c == '-' && n.is_exponent) {
            n.is_negative = 1;
        } else if (c != '+' && c != '-') {
            break;
        }
    }
    int64_t first = n.scale + n.zeros + n.digits - 1
                    + (n.is_negative ? -n.exponent : n.exponent);
    *is_exact = !(n.is_fraction || n.is_exponent) || n.digits == 0
                || (n.digits <= DIGITS_EXACT
                    && first >= -MET_DECIMAL_EXPONENT_MAX
                    && first <= MET_DECIMAL_EXPONENT_MAX);
    return at;
}

/* Depth, number of values and numbers, before anything is built. */
static met_error scan(met__text text, met_error_info *info)
{
    size_t depth = 0;
    size_t values = 1;

    for (size_t at = 0; at < text.size;) {
        char c = text.data[at];
        if (c == '"') {
            at = skip_string(text, at);
            continue;
        }
        if (c == '-' || (c >= '0' && c <= '9')) {
            int is_exact;
            size_t end = skip_number(text, at, &is_exact);
            if (!is_exact) {
                return refuse(text, at, info, "a number with more than 15 "
                              "digits or a great exponent: write it as a "
                              "string");
            }
            at = end;
            continue;
        }
        if (c == '{' || c == '[') {
            if (++depth > MET__DOCUMENT_DEPTH_MAX) {
                return refuse(text, at, info, "nested too deeply");
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        values += c == ',' || c == '[' || c == ':';
        if (values > MET__DOCUMENT_VALUES_MAX) {
            return refuse(text, at, info, "too many values");
        }
        at++;
    }
    return MET_OK;
}

/* --- Building the tree ----------------------------------------------------- */
static met__node *convert(met__arena *arena, json_t *value,
                          met_error *error_out);

static met__node *new_node(met__arena *arena, uint32_t kind)
{
    met__node *node = met__arena_allocate(arena, sizeof *node);

    if (node != NULL) {
        node->kind = kind;
    }
    return node;
}

static int convert_items(met__arena *arena, json_t *value, met__node *node,
                         met_error *error_out)
{
    size_t count = json_array_size(value);

    node->as.items = met__arena_allocate(
        arena, met__list_bytes(count, sizeof *node->as.items));
    if (node->as.items == NULL) {
        return 0;
    }
    node->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        node->as.items[i] = convert(arena, json_array_get(value, i),
                                    error_out);
        if (node->as.items[i] == NULL) {
            return 0;
        }
    }
    return 1;
}

static int convert_members(met__arena *arena, json_t *value, met__node *node,
                           met_error *error_out)
{
    size_t count = json_object_size(value);
    const char *name;
    json_t *member;
    size_t i = 0;

    node->as.members = met__arena_allocate(
        arena, met__list_bytes(count, sizeof *node->as.members));
    if (node->as.members == NULL) {
        return 0;
    }
    node->count = (uint32_t)count;
    json_object_foreach(value, name, member) {
        size_t size = strlen(name);
        char *copy = met__arena_copy(arena, name, size);
        node->as.members[i].name = met__text_of(copy, size);
        node->as.members[i].node = convert(arena, member, error_out);
        if (copy == NULL || node->as.members[i].node == NULL) {
            return 0;
        }
        i++;
    }
    return 1;
}

/* The shortest decimal of a double that had at most 15 digits. */
static int convert_real(double value, met__node *node)
{
    char text[40];

    snprintf(text, sizeof text, "%.*g", DIGITS_EXACT, value);
    /* The host's locale may write another decimal point. */
    for (char *at = text; *at != '\0'; at++) {
        if (strchr("0123456789+-e", *at) == NULL) {
            *at = '.';
        }
    }
    return met__decimal_parse(met__text_z(text), &node->as.decimal) == MET_OK;
}

static met__node *convert(met__arena *arena, json_t *value,
                          met_error *error_out)
{
    met__node *node = new_node(arena, MET__NODE_NULL);
    int is_done = 1;

    if (node == NULL) {
        return NULL;
    }
    switch (json_typeof(value)) {
    case JSON_NULL:
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        node->kind = MET__NODE_BOOLEAN;
        node->as.boolean = json_is_true(value);
        break;
    case JSON_INTEGER:
        node->kind = MET__NODE_INTEGER;
        node->as.integer = json_integer_value(value);
        break;
    case JSON_REAL:
        node->kind = MET__NODE_DECIMAL;
        is_done = convert_real(json_real_value(value), node);
        if (!is_done) {
            *error_out = MET_E_OVERFLOW;
        }
        break;
    case JSON_STRING: {
        size_t size = json_string_length(value);
        node->kind = MET__NODE_TEXT;
        node->as.text = met__text_of(
            met__arena_copy(arena, json_string_value(value), size), size);
        is_done = node->as.text.data != NULL;
        break;
    }
    case JSON_ARRAY:
        node->kind = MET__NODE_ARRAY;
        is_done = convert_items(arena, value, node, error_out);
        break;
    case JSON_OBJECT:
        node->kind = MET__NODE_OBJECT;
        is_done = convert_members(arena, value, node, error_out);
        break;
    }
    return is_done ? node : NULL;
}

met_error met__json_parse(met__arena *arena, met__text text,
                          met__node **node_out, met_error_info *info)
{
    json_error_t problem;

    MET__ASSERT(arena != NULL && node_out != NULL);
    if (text.size == 0) {
        return met__fail(info, MET_E_INVALID, "", "is empty");
    }
    if (text.size > MET__DOCUMENT_SIZE_MAX) {
        return met__fail(info, MET_E_LIMIT, "", "has %zu bytes, at most %d",
                         text.size, MET__DOCUMENT_SIZE_MAX);
    }
    met_error error = scan(text, info);
    if (error != MET_OK) {
        return error;
    }
    json_t *root = json_loadb(text.data, text.size,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                              &problem);
    if (root == NULL) {
        /* The library says so only sometimes: its scanner takes a string it
         * could not allocate for a wrong token, and before the first token it
         * says nothing at all. */
        if (json_error_code(&problem) == json_error_out_of_memory
            || problem.text[0] == '\0') {
            return met__fail_code(info, MET_E_NO_MEMORY);
        }
        return met__fail(info, MET_E_INVALID, "", "line %d, column %d: %s",
                         problem.line, problem.column, problem.text);
    }
    error = MET_E_NO_MEMORY;
    met__node *node = convert(arena, root, &error);
    json_decref(root);
    if (node == NULL) {
        return met__fail_code(info, error);
    }
    *node_out = node;
    return MET_OK;
}

/* --- Writing --------------------------------------------------------------- */
void met__json_write_text(met__text text, met__buffer *buffer)
{
    size_t start = 0;

    met__buffer_byte(buffer, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char *escape = c == '"'    ? "\\\""
                             : c == '\\' ? "\\\\"
                             : c == '\n' ? "\\n"
                             : c == '\r' ? "\\r"
                             : c == '\t' ? "\\t"
                                         : NULL;
        if (escape == NULL && c >= 0x20) {
            continue;
        }
        met__buffer_append(buffer, text.data + start, i - start);
        if (escape != NULL) {
            met__buffer_text(buffer, escape);
        } else {
            met__buffer_print(buffer, "\\u%04x", c);
        }
        start = i + 1;
    }
    met__buffer_append(buffer, text.data + start, text.size - start);
    met__buffer_byte(buffer, '"');
}

static void new_line(met__buffer *buffer, int indent)
{
    if (indent >= 0) {
        met__buffer_byte(buffer, '\n');
        for (int i = 0; i < indent; i++) {
            met__buffer_text(buffer, "  ");
        }
    }
}

/* indent < 0: compact. */
static void write_node(const met__node *node, int indent, met__buffer *buffer)
{
    int is_object = node->kind == MET__NODE_OBJECT;
    int inner = indent >= 0 ? indent + 1 : indent;

    met__buffer_byte(buffer, is_object ? '{' : '[');
    for (uint32_t i = 0; i < node->count; i++) {
        const met__node *child = is_object ? node->as.members[i].node
                                           : node->as.items[i];
        if (i > 0) {
            met__buffer_byte(buffer, ',');
        }
        new_line(buffer, inner);
        if (is_object) {
            met__json_write_text(node->as.members[i].name, buffer);
            met__buffer_text(buffer, indent >= 0 ? ": " : ":");
        }
        if (child->kind == MET__NODE_OBJECT
            || child->kind == MET__NODE_ARRAY) {
            write_node(child, inner, buffer);
        } else {
            met__json_write(child, 0, buffer);
        }
    }
    if (node->count > 0) {
        new_line(buffer, indent);
    }
    met__buffer_byte(buffer, is_object ? '}' : ']');
}

/* Always with a point: without one it would be read as an integer, and as one
 * that is too big beyond 2^63. */
static void write_decimal(met_decimal value, met__buffer *buffer)
{
    size_t start = buffer->size;
    met_error error = met__decimal_print(value, buffer);

    if (error != MET_OK && buffer->error == MET_OK) {
        buffer->error = error;
    }
    if (buffer->error == MET_OK
        && memchr(buffer->data + start, '.', buffer->size - start) == NULL) {
        met__buffer_text(buffer, ".0");
    }
}

void met__json_write(const met__node *node, int pretty, met__buffer *buffer)
{
    switch (node->kind) {
    case MET__NODE_BOOLEAN:
        met__buffer_text(buffer, node->as.boolean ? "true" : "false");
        break;
    case MET__NODE_INTEGER:
        met__buffer_print(buffer, "%lld", (long long)node->as.integer);
        break;
    case MET__NODE_DECIMAL:
        write_decimal(node->as.decimal, buffer);
        break;
    case MET__NODE_TEXT:
        met__json_write_text(node->as.text, buffer);
        break;
    case MET__NODE_ARRAY:
    case MET__NODE_OBJECT:
        write_node(node, pretty ? 0 : -1, buffer);
        break;
    default:
        met__buffer_text(buffer, "null");
        break;
    }
}
