/* JSON text to a tree, strictly by RFC 8259: no duplicates, NaN, bad UTF-8, NUL
 * or trailing text, and bounds on depth and values. Our own, because a library
 * that takes its memory elsewhere cannot promise what ours does when memory is
 * out: see docs/decisions.md. Knows nothing of what a document means. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "document/document.h"

#define DIGITS_EXACT 15    /* decimal digits that survive a double elsewhere */
#define EXPONENT_END 100000000
#define FEW_MEMBERS 8u

typedef struct reader {
    met__text text;
    size_t at;
    size_t values;
    met__arena *arena;
    met_error_info *info;
} reader;

/* --- Refusing ------------------------------------------------------------- */
static met_error refuse_at(const reader *r, size_t at, const char *reason)
{
    size_t line = 1;
    size_t column = 1;

    for (size_t i = 0; i < at && i < r->text.size; i++) {
        column = r->text.data[i] == '\n' ? 1 : column + 1;
        line += r->text.data[i] == '\n';
    }
    return met__fail(r->info, MET_E_INVALID, "", "line %zu, column %zu: %s",
                     line, column, reason);
}

static met_error refuse(const reader *r, const char *reason)
{
    return refuse_at(r, r->at,
                     r->at < r->text.size ? reason : "the text ends too early");
}

/* --- Tokens --------------------------------------------------------------- */
static void skip_space(reader *r)
{
    while (r->at < r->text.size
           && (r->text.data[r->at] == ' ' || r->text.data[r->at] == '\n'
               || r->text.data[r->at] == '\t'
               || r->text.data[r->at] == '\r')) {
        r->at++;
    }
}

static int is_next(const reader *r, char c)
{
    return r->at < r->text.size && r->text.data[r->at] == c;
}

static int is_digit(const reader *r, size_t at)
{
    return at < r->text.size && r->text.data[at] >= '0'
           && r->text.data[at] <= '9';
}

static int take_word(reader *r, met__text word)
{
    if (r->text.size - r->at < word.size
        || memcmp(r->text.data + r->at, word.data, word.size) != 0) {
        return 0;
    }
    r->at += word.size;
    return 1;
}

/* --- Numbers -------------------------------------------------------------- */
/* What a number token is made of. */
typedef struct number {
    int64_t digits;   /* significant ones: without zeros at either end */
    int64_t zeros;    /* seen since the last of them */
    int64_t scale;    /* power of ten of the last digit seen */
    int64_t exponent; /* as written, at most EXPONENT_END */
    int is_fraction;
    int is_exponent;
    int is_negative; /* the exponent */
    int reserved;
} number;

static void take_digits(reader *r, number *n)
{
    for (; is_digit(r, r->at); r->at++) {
        char c = r->text.data[r->at];
        if (n->is_exponent) {
            if (n->exponent < EXPONENT_END) {
                n->exponent = n->exponent * 10 + (c - '0');
            }
            continue;
        }
        n->scale -= n->is_fraction;
        if (c == '0') {
            n->zeros += n->digits > 0;
        } else {
            n->digits += n->zeros + 1;
            n->zeros = 0;
        }
    }
}

/* Power of ten of the first significant digit. */
static int64_t first_power(const number *n)
{
    return n->scale + n->zeros + n->digits - 1
           + (n->is_negative ? -n->exponent : n->exponent);
}

/* Whether other readers of JSON, which use doubles, would keep it; and powers
 * of ten that we accept in texts too. */
static int is_exact(const number *n)
{
    int64_t first = first_power(n);

    return n->digits == 0
           || (n->digits <= DIGITS_EXACT && first >= -MET_DECIMAL_EXPONENT_MAX
               && first <= MET_DECIMAL_EXPONENT_MAX);
}

/* An exact one as a decimal: 12E-41 is 1.2e-40, since powers are bounded by
 * the first digit's. */
static met_error to_decimal(met__text token, const number *n, met_decimal *out)
{
    char text[40];
    size_t size = 0;
    size_t digits = 0;

    if (n->digits == 0) {
        *out = met__decimal_zero();
        return MET_OK;
    }
    if (token.data[0] == '-') {
        text[size++] = '-';
    }
    for (size_t i = 0; digits < (size_t)n->digits; i++) {
        char c = token.data[i];
        if (c >= '0' && c <= '9' && (digits > 0 || c != '0')) {
            text[size++] = c;
            if (++digits == 1 && n->digits > 1) {
                text[size++] = '.';
            }
        }
    }
    size += (size_t)snprintf(text + size, sizeof text - size, "e%d",
                             (int)first_power(n));
    return met__decimal_parse(met__text_of(text, size), out);
}

/* Past a number token, which begins at a digit or a minus. */
static met_error scan_number(reader *r, number *n)
{
    r->at += (size_t)is_next(r, '-');
    if (is_next(r, '0') && is_digit(r, r->at + 1)) {
        return refuse(r, "a number must not begin with 0");
    }
    if (!is_digit(r, r->at)) {
        return refuse(r, "a digit is missing");
    }
    take_digits(r, n);
    if (is_next(r, '.')) {
        r->at++;
        n->is_fraction = 1;
        if (!is_digit(r, r->at)) {
            return refuse(r, "a digit is missing");
        }
        take_digits(r, n);
    }
    if (is_next(r, 'e') || is_next(r, 'E')) {
        r->at++;
        n->is_exponent = 1;
        n->is_negative = is_next(r, '-');
        r->at += (size_t)(is_next(r, '-') || is_next(r, '+'));
        if (!is_digit(r, r->at)) {
            return refuse(r, "a digit is missing");
        }
        take_digits(r, n);
    }
    return MET_OK;
}

static met_error read_number(reader *r, met__node *node)
{
    number n = {0};
    size_t start = r->at;
    met_error error = scan_number(r, &n);
    met__text token = {r->text.data + start, r->at - start};

    if (error != MET_OK) {
        return error;
    }
    if (n.is_fraction || n.is_exponent) {
        if (!is_exact(&n)) {
            return refuse_at(r, start, "a number with more than 15 digits or "
                             "a great exponent: write it as a string");
        }
        node->kind = MET__NODE_DECIMAL;
        error = to_decimal(token, &n, &node->as.decimal);
        return error == MET_OK ? MET_OK : met__fail_code(r->info, error);
    }
    node->kind = MET__NODE_INTEGER;
    int is_negative = token.data[0] == '-';
    for (size_t i = (size_t)is_negative; i < token.size; i++) {
        int64_t digit = token.data[i] - '0';
        if (__builtin_mul_overflow(node->as.integer, 10, &node->as.integer)
            || __builtin_add_overflow(node->as.integer,
                                      is_negative ? -digit : digit,
                                      &node->as.integer)) {
            return refuse_at(r, start, "an integer beyond 64 bits: write it "
                             "as a string");
        }
    }
    return MET_OK;
}

/* --- Strings -------------------------------------------------------------- */
static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at `at`; -1 when they are not there. */
static int32_t unit_at(const reader *r, size_t at)
{
    int32_t unit = 0;

    if (r->text.size - at < 4) {
        return -1;
    }
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_of(r->text.data[at + i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

static char *put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
        return out;
    }
    if (point < 0x800) {
        *out++ = (char)(0xc0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *out++ = (char)(0xe0 | point >> 12);
        } else {
            *out++ = (char)(0xf0 | point >> 18);
            *out++ = (char)(0x80 | (point >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (point >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (point & 0x3f));
    return out;
}

/* \uXXXX, or a pair of them; r->at is at the u. */
static met_error read_unicode(reader *r, char **out)
{
    int32_t unit = unit_at(r, r->at + 1);

    if (unit < 0) {
        return refuse(r, "\\u needs four hexadecimal digits");
    }
    if (unit == 0) {
        return refuse(r, "\\u0000 is not allowed");
    }
    r->at += 5;
    if (unit < 0xd800 || unit > 0xdfff) {
        *out = put_utf8(*out, (uint32_t)unit);
        return MET_OK;
    }
    int32_t low = -1;
    if (unit < 0xdc00 && r->text.size - r->at >= 6
        && r->text.data[r->at] == '\\' && r->text.data[r->at + 1] == 'u') {
        low = unit_at(r, r->at + 2);
    }
    if (low < 0xdc00 || low > 0xdfff) {
        return refuse(r, "half a surrogate pair");
    }
    r->at += 6;
    *out = put_utf8(*out, 0x10000u + (((uint32_t)unit - 0xd800u) << 10)
                              + ((uint32_t)low - 0xdc00u));
    return MET_OK;
}

static met_error read_escape(reader *r, char **out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->text.size ? r->text.data[r->at] : '\0';
    const char *found = c != '\0' ? strchr(names, c) : NULL;

    if (c == 'u') {
        return read_unicode(r, out);
    }
    if (found == NULL) {
        return refuse(r, "an unknown escape");
    }
    *(*out)++ = meanings[found - names];
    r->at++;
    return MET_OK;
}

/* Bytes to the closing quote, escapes not yet read. */
static met_error measure(const reader *r, size_t *size_out)
{
    size_t at = r->at;

    while (at < r->text.size && r->text.data[at] != '"') {
        at += r->text.data[at] == '\\' ? 2 : 1;
    }
    if (at >= r->text.size) {
        return refuse_at(r, r->text.size, "a string without an end");
    }
    *size_out = at - r->at;
    return MET_OK;
}

/* r->at is at the opening quote. A text is never longer than its escapes. */
static met_error read_string(reader *r, met__text *text_out)
{
    size_t size = 0;

    r->at++;
    met_error error = measure(r, &size);
    if (error != MET_OK) {
        return error;
    }
    char *text = met__arena_allocate(r->arena, size + 1);
    char *out = text;
    if (text == NULL) {
        return met__fail_code(r->info, MET_E_NO_MEMORY);
    }
    while (r->text.data[r->at] != '"') {
        unsigned char c = (unsigned char)r->text.data[r->at];
        if (c == '\\') {
            r->at++;
            error = read_escape(r, &out);
            if (error != MET_OK) {
                return error;
            }
            continue;
        }
        size_t length = met__utf8_sequence(
            (const unsigned char *)r->text.data + r->at,
            r->text.size - r->at);
        if (c < 0x20 || length == 0) {
            return refuse(r, c < 0x20 ? "a control character in a string"
                                      : "not UTF-8");
        }
        memcpy(out, r->text.data + r->at, length);
        out += length;
        r->at += length;
    }
    r->at++;
    *text_out = met__text_of(text, (size_t)(out - text));
    return MET_OK;
}

/* --- Values --------------------------------------------------------------- */
static met_error read_value(reader *r, size_t depth, met__node **node_out);

/* After a value of a list: 1 when another one follows. */
static met_error read_comma(reader *r, char end, int *has_more)
{
    skip_space(r);
    if (is_next(r, end)) {
        r->at++;
        *has_more = 0;
        return MET_OK;
    }
    if (!is_next(r, ',')) {
        return refuse(r, end == ']' ? "',' or ']' is expected"
                                    : "',' or '}' is expected");
    }
    r->at++;
    skip_space(r);
    return MET_OK;
}

/* Past the opening bracket; *has_more is 0 for an empty list. */
static void open_list(reader *r, char end, int *has_more)
{
    r->at++;
    skip_space(r);
    *has_more = !is_next(r, end);
    r->at += (size_t)!*has_more;
}

static met_error read_array(reader *r, size_t depth, met__node *array)
{
    int has_more;
    met_error error = MET_OK;

    array->kind = MET__NODE_ARRAY;
    open_list(r, ']', &has_more);
    while (error == MET_OK && has_more) {
        met__node *item = NULL;
        error = read_value(r, depth, &item);
        if (error == MET_OK
            && met__node_append(r->arena, array, item) != MET_OK) {
            error = met__fail_code(r->info, MET_E_NO_MEMORY);
        }
        if (error == MET_OK) {
            error = read_comma(r, ']', &has_more);
        }
    }
    return error;
}

static int compare_members(const void *left, const void *right)
{
    const met__member *const *a = left;
    const met__member *const *b = right;
    int order = met__text_compare((*a)->name, (*b)->name);

    return order != 0 ? order : (*a > *b) - (*a < *b);
}

static met_error refuse_duplicate(const reader *r, met__text name)
{
    char reason[160];

    snprintf(reason, sizeof reason, "the name \"%.*s\" is there twice",
             name.size < 100 ? (int)name.size : 100, name.data);
    return refuse_at(r, r->at - 1, reason);
}

/* By comparing each with each, or in their order when there are many: names
 * that somebody chose cost no more than others. */
static met_error check_names(const reader *r, const met__node *object)
{
    const met__member *members = object->as.members;

    if (object->count <= FEW_MEMBERS) {
        for (uint32_t i = 1; i < object->count; i++) {
            for (uint32_t k = 0; k < i; k++) {
                if (met__text_equal(members[i].name, members[k].name)) {
                    return refuse_duplicate(r, members[i].name);
                }
            }
        }
        return MET_OK;
    }
    const met__member **sorted = met__arena_allocate(
        r->arena, object->count * sizeof *sorted);
    if (sorted == NULL) {
        return met__fail_code(r->info, MET_E_NO_MEMORY);
    }
    for (uint32_t i = 0; i < object->count; i++) {
        sorted[i] = &members[i];
    }
    qsort(sorted, object->count, sizeof *sorted, compare_members);
    for (uint32_t i = 1; i < object->count; i++) {
        if (met__text_equal(sorted[i - 1]->name, sorted[i]->name)) {
            return refuse_duplicate(r, sorted[i]->name);
        }
    }
    return MET_OK;
}

static met_error read_member(reader *r, size_t depth, met__node *object)
{
    met__text name;
    met__node *value = NULL;

    if (!is_next(r, '"')) {
        return refuse(r, "a name in double quotes is expected");
    }
    met_error error = read_string(r, &name);
    if (error != MET_OK) {
        return error;
    }
    skip_space(r);
    if (!is_next(r, ':')) {
        return refuse(r, "':' is expected");
    }
    r->at++;
    skip_space(r);
    error = read_value(r, depth, &value);
    if (error == MET_OK
        && met__node_add(r->arena, object, name, value) != MET_OK) {
        error = met__fail_code(r->info, MET_E_NO_MEMORY);
    }
    return error;
}

static met_error read_object(reader *r, size_t depth, met__node *object)
{
    int has_more;
    met_error error = MET_OK;

    object->kind = MET__NODE_OBJECT;
    open_list(r, '}', &has_more);
    while (error == MET_OK && has_more) {
        error = read_member(r, depth, object);
        if (error == MET_OK) {
            error = read_comma(r, '}', &has_more);
        }
    }
    return error == MET_OK ? check_names(r, object) : error;
}

static met_error read_word(reader *r, met__node *node)
{
    node->kind = MET__NODE_BOOLEAN;
    if (take_word(r, MET__TEXT("true"))) {
        node->as.boolean = 1;
        return MET_OK;
    }
    if (take_word(r, MET__TEXT("false"))) {
        return MET_OK;
    }
    node->kind = MET__NODE_NULL;
    return take_word(r, MET__TEXT("null")) ? MET_OK
                                           : refuse(r, "a value is expected");
}

/* depth: lists around this value. */
static met_error read_value(reader *r, size_t depth, met__node **node_out)
{
    met__node *node = met__arena_allocate(r->arena, sizeof *node);
    char c = r->at < r->text.size ? r->text.data[r->at] : '\0';

    *node_out = node;
    if (node == NULL) {
        return met__fail_code(r->info, MET_E_NO_MEMORY);
    }
    if (++r->values > MET__DOCUMENT_VALUES_MAX) {
        return refuse(r, "too many values");
    }
    if ((c == '{' || c == '[') && depth == MET__DOCUMENT_DEPTH_MAX) {
        return refuse(r, "nested too deeply");
    }
    if (c == '{') {
        return read_object(r, depth + 1, node);
    }
    if (c == '[') {
        return read_array(r, depth + 1, node);
    }
    if (c == '"') {
        node->kind = MET__NODE_TEXT;
        return read_string(r, &node->as.text);
    }
    return c == '-' || (c >= '0' && c <= '9') ? read_number(r, node)
                                               : read_word(r, node);
}

met_error met__json_parse(met__arena *arena, met__text text,
                          met__node **node_out, met_error_info *info)
{
    reader r = {.text = text, .arena = arena, .info = info};
    met__node *node = NULL;

    MET__ASSERT(arena != NULL && node_out != NULL);
    if (text.size == 0) {
        return met__fail(info, MET_E_INVALID, "", "is empty");
    }
    if (text.size > MET__DOCUMENT_SIZE_MAX) {
        return met__fail(info, MET_E_LIMIT, "", "has %zu bytes, at most %d",
                         text.size, MET__DOCUMENT_SIZE_MAX);
    }
    skip_space(&r);
    met_error error = read_value(&r, 0, &node);
    if (error == MET_OK) {
        skip_space(&r);
        if (r.at < text.size) {
            error = refuse(&r, "text behind the document");
        }
    }
    if (error == MET_OK) {
        *node_out = node;
    }
    return error;
}
