/* Reading conditions, and asking them about a value. In: a document of one
 * operator. Out: bytes, whose answer for a text is yes or no. */
#include "meter/usage_condition.h"

#include "base/check.h"
#include "store/object.h"

/* The first byte. Kept in snapshots and proofs: never renumbered. */
enum {
    IS_OTHER = 1,
    IS_ONE_OF,
    IS_NONE_OF,
    EXISTS,
    EXISTS_NOT,
    HAS,
    HAS_NOT,
    IS_GREATER,
    IS_AT_LEAST,
    IS_LESS,
    IS_AT_MOST,
    ALL_OF,
    ANY_OF,
    ALWAYS,
    IS_EQUAL = 0x20 /* and above: there is no such byte, only the text */
};

/* Of an order, behind the first byte. */
enum { ORDER_OF_TEXT = 1, ORDER_OF_NUMBER = 2 };

enum {
    TAKES_TEXT,
    TAKES_TEXTS,
    TAKES_BOOLEAN,
    TAKES_ORDER, /* a text or a number */
    TAKES_PARTS,
    UNSERVED
};

/* The first name of an operator is the one that documents show. */
static const struct {
    const char *name;
    uint32_t operator;
    uint32_t takes;
} operators[] = {
    {"eq", IS_EQUAL, TAKES_TEXT},
    {"neq", IS_OTHER, TAKES_TEXT},
    {"ne", IS_OTHER, TAKES_TEXT},
    {"in", IS_ONE_OF, TAKES_TEXTS},
    {"nin", IS_NONE_OF, TAKES_TEXTS},
    {"exists", EXISTS, TAKES_BOOLEAN},
    {"contains", HAS, TAKES_TEXT},
    {"ncontains", HAS_NOT, TAKES_TEXT},
    {"gt", IS_GREATER, TAKES_ORDER},
    {"gte", IS_AT_LEAST, TAKES_ORDER},
    {"lt", IS_LESS, TAKES_ORDER},
    {"lte", IS_AT_MOST, TAKES_ORDER},
    {"and", ALL_OF, TAKES_PARTS},
    {"or", ANY_OF, TAKES_PARTS},
    {"like", ALWAYS, UNSERVED},
    {"nlike", ALWAYS, UNSERVED},
    {"ilike", ALWAYS, UNSERVED},
    {"nilike", ALWAYS, UNSERVED},
};
#define OPERATORS (sizeof operators / sizeof *operators)

/* --- Bytes ---------------------------------------------------------------- */
static met_error pack(met__arena *arena, uint32_t operator, const void *bytes,
                      size_t size, met__text *out)
{
    char *packed = met__arena_allocate(arena, 1 + size);

    if (packed == NULL) {
        return MET_E_NO_MEMORY;
    }
    packed[0] = (char)operator;
    if (size > 0) {
        memcpy(packed + 1, bytes, size);
    }
    *out = met__text_of(packed, 1 + size);
    return MET_OK;
}

/* Each with its size before it. */
static met_error pack_list(met__arena *arena, uint32_t operator,
                           const met__text *parts, uint32_t count,
                           met__text *out)
{
    size_t size = 1;

    for (uint32_t i = 0; i < count; i++) {
        size += 4 + parts[i].size;
    }
    unsigned char *packed = met__arena_allocate(arena, size);
    if (packed == NULL) {
        return MET_E_NO_MEMORY;
    }
    *out = met__text_of((const char *)packed, size);
    *packed++ = (unsigned char)operator;
    for (uint32_t i = 0; i < count; i++) {
        met__put_u32(packed, (uint32_t)parts[i].size);
        if (parts[i].size > 0) {
            memcpy(packed + 4, parts[i].data, parts[i].size);
        }
        packed += 4 + parts[i].size;
    }
    return MET_OK;
}

/* 0 at the end, or where no part is. */
static int next_part(met__text *list, met__text *part)
{
    if (list->size < 4) {
        return 0;
    }
    part->size = met__get_u32((const unsigned char *)list->data);
    part->data = list->data + 4;
    if (part->size > list->size - 4) {
        return 0;
    }
    list->data += 4 + part->size;
    list->size -= 4 + part->size;
    return 1;
}

static uint32_t operator_of(met__text condition)
{
    uint32_t first = condition.size > 0 ? (unsigned char)condition.data[0]
                                        : IS_EQUAL;
    return first < IS_EQUAL ? first : IS_EQUAL;
}

static met__text operand_of(met__text condition)
{
    return met__text_of(condition.data + 1, condition.size - 1);
}

/* --- Reading -------------------------------------------------------------- */
typedef struct reading {
    met__arena *arena;
    met_error_info *info;
    uint32_t flags;
    uint32_t reserved;
} reading;

static met_error read_one(const reading *self, const met__node *node,
                          const met__path *path, int depth_max,
                          met__text *out);

static met_error read_text(const reading *self, const met__node *node,
                           const met__path *path, met__text *out)
{
    if (node->kind != MET__NODE_TEXT || node->as.text.size == 0
        || node->as.text.size > MET__VALUE_SIZE_MAX
        || !met__text_is_clean(node->as.text)) {
        return met__fail_at(self->info, MET_E_INVALID, path, NULL,
                            "must be a text of 1 to %d bytes",
                            MET__VALUE_SIZE_MAX);
    }
    *out = node->as.text;
    return MET_OK;
}

static met_error read_order(const reading *self, uint32_t operator,
                            const met__node *node, const met__path *path,
                            met__text *out)
{
    char order[1 + MET__VALUE_SIZE_MAX] = {ORDER_OF_NUMBER};
    met_decimal number;
    met__text text = {(const char *)&number, sizeof number};

    if ((self->flags & MET__CONDITION_UNORDERED) != 0) {
        return met__fail_at(self->info, MET_E_UNSUPPORTED, path, NULL,
                            "is served in queries only");
    }
    if (node->kind == MET__NODE_INTEGER) {
        number = met__decimal_from_i64(node->as.integer);
    } else if (node->kind == MET__NODE_DECIMAL) {
        number = node->as.decimal;
    } else {
        met_error error = read_text(self, node, path, &text);
        if (error != MET_OK) {
            return error;
        }
        order[0] = ORDER_OF_TEXT;
    }
    memcpy(order + 1, text.data, text.size);
    return pack(self->arena, operator, order, 1 + text.size, out);
}

static met_error check_list(const reading *self, const met__node *node,
                            const met__path *path, uint32_t count_max)
{
    if (node->kind != MET__NODE_ARRAY || node->count == 0
        || node->count > count_max) {
        return met__fail_at(self->info,
                            node->kind == MET__NODE_ARRAY && node->count > 0
                                ? MET_E_LIMIT
                                : MET_E_INVALID,
                            path, NULL, "must be a list of 1 to %u",
                            count_max);
    }
    return MET_OK;
}

/* Texts, or with depth_max >= 0 conditions. */
static met_error read_list(const reading *self, uint32_t operator,
                           const met__node *node, const met__path *path,
                           int depth_max, met__text *out)
{
    met_error error = check_list(self, node, path,
                                 depth_max < 0 ? MET__FILTER_VALUES_MAX
                                               : MET__CONDITION_PARTS_MAX);

    if (error != MET_OK) {
        return error;
    }
    met__text *parts = met__arena_allocate(self->arena,
                                           node->count * sizeof *parts);
    if (parts == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < node->count; i++) {
        met__path here = {path, NULL, i};
        error = depth_max < 0
                    ? read_text(self, node->as.items[i], &here, &parts[i])
                    : read_one(self, node->as.items[i], &here, depth_max,
                               &parts[i]);
    }
    return error == MET_OK ? pack_list(self->arena, operator, parts,
                                       node->count, out)
                           : error;
}

static met_error read_operand(const reading *self, size_t at,
                              const met__node *node, const met__path *path,
                              int depth_max, met__text *out)
{
    uint32_t operator = operators[at].operator;
    met_error error;

    switch (operators[at].takes) {
    case TAKES_TEXT:
        error = read_text(self, node, path, out);
        return error != MET_OK || operator == IS_EQUAL
                   ? error
                   : pack(self->arena, operator, out->data, out->size, out);
    case TAKES_TEXTS:
        return read_list(self, operator, node, path, -1, out);
    case TAKES_ORDER:
        return read_order(self, operator, node, path, out);
    case TAKES_PARTS:
        return depth_max > 0
                   ? read_list(self, operator, node, path, depth_max - 1, out)
                   : met__fail_at(self->info, MET_E_LIMIT, path, NULL,
                                  "is nested too deep");
    case TAKES_BOOLEAN:
        if (node->kind != MET__NODE_BOOLEAN) {
            return met__fail_at(self->info, MET_E_INVALID, path, NULL,
                                "must be true or false");
        }
        return pack(self->arena, node->as.boolean ? EXISTS : EXISTS_NOT, NULL,
                    0, out);
    default:
        return met__fail_at(self->info, MET_E_UNSUPPORTED, path, NULL,
                            "is not served");
    }
}

static met_error read_one(const reading *self, const met__node *node,
                          const met__path *path, int depth_max,
                          met__text *out)
{
    size_t at = 0;

    if (node->kind != MET__NODE_OBJECT || node->count > 1) {
        return met__fail_at(self->info, MET_E_INVALID, path, NULL,
                            node->kind == MET__NODE_OBJECT
                                ? "has multiple operators: join them by and"
                                : "must be an object like {\"eq\": text}");
    }
    if (node->count == 0) {
        return pack(self->arena, ALWAYS, NULL, 0, out);
    }
    met__text name = node->as.members[0].name;
    while (at < OPERATORS
           && !met__text_equal(met__text_z(operators[at].name), name)) {
        at++;
    }
    if (at == OPERATORS) {
        return met__fail_at(self->info, MET_E_INVALID, path, NULL,
                            "has an unknown operator");
    }
    met__path here = {path, operators[at].name, 0};
    return read_operand(self, at, node->as.members[0].node, &here, depth_max,
                        out);
}

met_error met__condition_read(const met__node *node, const met__path *path,
                              int depth_max, uint32_t flags,
                              met__arena *arena, met__text *condition_out,
                              met_error_info *info)
{
    reading self = {arena, info, flags, 0};
    met__text condition;

    MET__ASSERT(condition_out != NULL);
    met_error error = read_one(&self, node, path, depth_max, &condition);
    if (error == MET_OK) {
        *condition_out = condition;
    }
    return error;
}

/* --- Asking --------------------------------------------------------------- */
static int is_one_of(met__text texts, met__text value)
{
    met__text text;

    while (next_part(&texts, &text)) {
        if (met__text_equal(text, value)) {
            return 1;
        }
    }
    return 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int has(met__text value, met__text part)
{
    for (size_t at = 0; at + part.size <= value.size; at++) {
        size_t i = 0;
        while (i < part.size
               && lower(value.data[at + i]) == lower(part.data[i])) {
            i++;
        }
        if (i == part.size) {
            return 1;
        }
    }
    return 0;
}

static int is_in_order(uint32_t operator, met__text operand, met__text value)
{
    met_decimal number;
    met_decimal bound;
    int order;

    if (operand.size > 0 && operand.data[0] == ORDER_OF_TEXT) {
        order = met__text_compare(value, operand_of(operand));
    } else if (operand.size == 1 + sizeof bound
               && met__decimal_parse(value, &number) == MET_OK) {
        memcpy(&bound, operand.data + 1, sizeof bound);
        if (!met__decimal_is_valid(bound)) {
            return 0;
        }
        order = met__decimal_compare(number, bound);
    } else {
        return 0;
    }
    switch (operator) {
    case IS_GREATER:
        return order > 0;
    case IS_AT_LEAST:
        return order >= 0;
    case IS_LESS:
        return order < 0;
    default:
        return order <= 0;
    }
}

static int holds(met__text condition, met__text value, int depth_max)
{
    uint32_t operator = operator_of(condition);
    int is_any = operator == ANY_OF;
    met__text operand;
    met__text part;

    if (operator == IS_EQUAL) {
        return met__text_equal(condition, value);
    }
    operand = operand_of(condition);
    switch (operator) {
    case IS_OTHER:
        return !met__text_equal(operand, value);
    case IS_ONE_OF:
        return is_one_of(operand, value);
    case IS_NONE_OF:
        return !is_one_of(operand, value);
    case EXISTS:
        return value.size > 0;
    case EXISTS_NOT:
        return value.size == 0;
    case HAS:
        return has(value, operand);
    case HAS_NOT:
        return !has(value, operand);
    case ALL_OF:
    case ANY_OF:
        while (depth_max > 0 && next_part(&operand, &part)) {
            if (holds(part, value, depth_max - 1) == is_any) {
                return is_any;
            }
        }
        return !is_any && depth_max > 0;
    case ALWAYS:
        return 1;
    case IS_GREATER:
    case IS_AT_LEAST:
    case IS_LESS:
    case IS_AT_MOST:
        return is_in_order(operator, operand, value);
    default:
        return 0;
    }
}

int met__condition_holds(met__text condition, met__text value)
{
    return holds(condition, value, MET__DOCUMENT_DEPTH_MAX);
}

int met__condition_is_equal(met__text condition)
{
    return operator_of(condition) == IS_EQUAL;
}

/* --- Documents ------------------------------------------------------------ */
static met_error document_of(met__text condition, met__arena *arena,
                             int depth_max, met__node **node_out);

static met_error list_of(met__text list, int is_parts, met__arena *arena,
                         int depth_max, met__node **node_out)
{
    met__node *array = met__node_array(arena);
    met_error error = array == NULL ? MET_E_NO_MEMORY : MET_OK;
    met__text part;

    while (error == MET_OK && next_part(&list, &part)) {
        met__node *item = NULL;
        if (is_parts) {
            error = document_of(part, arena, depth_max - 1, &item);
        } else {
            item = met__node_text(arena, part);
        }
        if (error == MET_OK) {
            error = met__node_append(arena, array, item);
        }
    }
    *node_out = array;
    return error == MET_OK && list.size > 0 ? MET_E_CORRUPT : error;
}

static met_error operand_document(uint32_t takes, met__text condition,
                                  met__arena *arena, int depth_max,
                                  met__node **node_out)
{
    met__text operand = condition;

    if (!met__condition_is_equal(condition)) {
        operand = operand_of(condition);
    }
    switch (takes) {
    case TAKES_TEXT:
        *node_out = met__node_text(arena, operand);
        return MET_OK;
    case TAKES_TEXTS:
        return list_of(operand, 0, arena, depth_max, node_out);
    case TAKES_PARTS:
        return list_of(operand, 1, arena, depth_max, node_out);
    case TAKES_BOOLEAN:
        *node_out = met__node_boolean(arena,
                                      operator_of(condition) == EXISTS);
        return MET_OK;
    default:
        return MET_E_CORRUPT; /* an order: only queries have one */
    }
}

static met_error document_of(met__text condition, met__arena *arena,
                             int depth_max, met__node **node_out)
{
    uint32_t operator = operator_of(condition);
    met__node *object = met__node_object(arena);
    met__node *operand = NULL;
    size_t at = 0;

    if (object == NULL) {
        return MET_E_NO_MEMORY;
    }
    *node_out = object;
    if (operator == ALWAYS) {
        return MET_OK;
    }
    operator = operator == EXISTS_NOT ? EXISTS : operator;
    while (at < OPERATORS && operators[at].operator != operator) {
        at++;
    }
    if (at == OPERATORS || depth_max <= 0) {
        return MET_E_CORRUPT;
    }
    met_error error = operand_document(operators[at].takes, condition, arena,
                                       depth_max, &operand);
    return error == MET_OK
               ? met__node_add(arena, object, met__text_z(operators[at].name),
                               operand)
               : error;
}

met_error met__condition_document(met__text condition, met__arena *arena,
                                  met__node **node_out)
{
    return document_of(condition, arena, MET__DOCUMENT_DEPTH_MAX, node_out);
}
