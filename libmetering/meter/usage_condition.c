/* Reading conditions, and asking them about a value. In: a document of one
 * operator. Out: a tree, whose answer for a text is yes or no. */
#include "meter/usage_condition.h"

#include "base/check.h"
#include "store/object.h"

enum {
    IS_EQUAL,
    IS_OTHER,
    IS_ONE_OF,
    IS_NONE_OF,
    EXISTS,
    HAS,
    HAS_NOT,
    IS_GREATER,
    IS_AT_LEAST,
    IS_LESS,
    IS_AT_MOST,
    ALL_OF,
    ANY_OF,
    ALWAYS
};

enum {
    TAKES_TEXT,
    TAKES_TEXTS,
    TAKES_BOOLEAN,
    TAKES_ORDER, /* a text or a number */
    TAKES_PARTS,
    UNSERVED
};

static const struct {
    const char *name;
    uint32_t operator;
    uint32_t takes;
} operators[] = {
    {"eq", IS_EQUAL, TAKES_TEXT},
    {"ne", IS_OTHER, TAKES_TEXT},
    {"neq", IS_OTHER, TAKES_TEXT},
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

struct met__condition {
    uint32_t operator;
    uint32_t is_number; /* number, not text */
    met__text text;
    met_decimal number;
    int exists;
    uint32_t count; /* of texts or parts */
    const met__text *texts;
    const met__condition **parts;
};

/* --- Reading -------------------------------------------------------------- */
static met_error read_text(const met__node *node, const met__path *path,
                           met__text *out, met_error_info *info)
{
    if (node->kind != MET__NODE_TEXT || node->as.text.size == 0
        || node->as.text.size > MET__VALUE_SIZE_MAX
        || !met__text_is_clean(node->as.text)) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "must be a text of 1 to %d bytes",
                            MET__VALUE_SIZE_MAX);
    }
    *out = node->as.text;
    return MET_OK;
}

static met_error read_order(const met__node *node, const met__path *path,
                            met__condition *condition, met_error_info *info)
{
    condition->is_number = node->kind == MET__NODE_INTEGER
                           || node->kind == MET__NODE_DECIMAL;
    if (node->kind == MET__NODE_INTEGER) {
        condition->number = met__decimal_from_i64(node->as.integer);
    } else if (node->kind == MET__NODE_DECIMAL) {
        condition->number = node->as.decimal;
    }
    return condition->is_number
               ? MET_OK
               : read_text(node, path, &condition->text, info);
}

static met_error check_list(const met__node *node, const met__path *path,
                            uint32_t count_max, met_error_info *info)
{
    if (node->kind != MET__NODE_ARRAY || node->count == 0
        || node->count > count_max) {
        return met__fail_at(info,
                            node->kind == MET__NODE_ARRAY && node->count > 0
                                ? MET_E_LIMIT
                                : MET_E_INVALID,
                            path, NULL, "must be a list of 1 to %u",
                            count_max);
    }
    return MET_OK;
}

static met_error read_texts(const met__node *node, const met__path *path,
                            met__arena *arena, met__condition *condition,
                            met_error_info *info)
{
    met_error error = check_list(node, path, MET__FILTER_VALUES_MAX, info);

    if (error != MET_OK) {
        return error;
    }
    met__text *texts = met__arena_allocate(arena,
                                           node->count * sizeof *texts);
    if (texts == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < node->count; i++) {
        met__path here = {path, NULL, i};
        error = read_text(node->as.items[i], &here, &texts[i], info);
    }
    condition->texts = texts;
    condition->count = node->count;
    return error;
}

static met_error read_parts(const met__node *node, const met__path *path,
                            int depth_max, met__arena *arena,
                            met__condition *condition, met_error_info *info)
{
    if (depth_max <= 0) {
        return met__fail_at(info, MET_E_LIMIT, path, NULL,
                            "is nested too deep");
    }
    met_error error = check_list(node, path, MET__CONDITION_PARTS_MAX, info);
    if (error != MET_OK) {
        return error;
    }
    const met__condition **parts = met__arena_allocate(
        arena, node->count * sizeof(const met__condition *));
    if (parts == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < node->count; i++) {
        met__path here = {path, NULL, i};
        error = met__condition_read(node->as.items[i], &here, depth_max - 1,
                                    arena, &parts[i], info);
    }
    condition->parts = parts;
    condition->count = node->count;
    return error;
}

static met_error read_operand(uint32_t takes, const met__node *node,
                              const met__path *path, int depth_max,
                              met__arena *arena, met__condition *condition,
                              met_error_info *info)
{
    switch (takes) {
    case TAKES_TEXT:
        return read_text(node, path, &condition->text, info);
    case TAKES_TEXTS:
        return read_texts(node, path, arena, condition, info);
    case TAKES_ORDER:
        return read_order(node, path, condition, info);
    case TAKES_PARTS:
        return read_parts(node, path, depth_max, arena, condition, info);
    case TAKES_BOOLEAN:
        condition->exists = node->kind == MET__NODE_BOOLEAN
                            && node->as.boolean;
        return node->kind == MET__NODE_BOOLEAN
                   ? MET_OK
                   : met__fail_at(info, MET_E_INVALID, path, NULL,
                                  "must be true or false");
    default:
        return met__fail_at(info, MET_E_UNSUPPORTED, path, NULL,
                            "is not served");
    }
}

met_error met__condition_read(const met__node *node, const met__path *path,
                              int depth_max, met__arena *arena,
                              const met__condition **condition_out,
                              met_error_info *info)
{
    met__condition *condition = met__arena_allocate(arena, sizeof *condition);
    size_t at = 0;

    MET__ASSERT(condition_out != NULL);
    if (condition == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (node->kind != MET__NODE_OBJECT || node->count > 1) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            node->kind == MET__NODE_OBJECT
                                ? "has multiple operators: join them by and"
                                : "must be an object like {\"eq\": text}");
    }
    condition->operator = ALWAYS;
    if (node->count == 0) {
        *condition_out = condition;
        return MET_OK;
    }
    met__text name = node->as.members[0].name;
    while (at < sizeof operators / sizeof *operators
           && !met__text_equal(met__text_z(operators[at].name), name)) {
        at++;
    }
    if (at == sizeof operators / sizeof *operators) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "has an unknown operator");
    }
    met__path here = {path, operators[at].name, 0};
    condition->operator = operators[at].operator;
    met_error error = read_operand(operators[at].takes,
                                   node->as.members[0].node, &here, depth_max,
                                   arena, condition, info);
    if (error == MET_OK) {
        *condition_out = condition;
    }
    return error;
}

/* --- Asking --------------------------------------------------------------- */
static int is_one_of(const met__condition *condition, met__text value)
{
    for (uint32_t i = 0; i < condition->count; i++) {
        if (met__text_equal(condition->texts[i], value)) {
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

static int is_in_order(const met__condition *condition, met__text value)
{
    met_decimal number;
    int order;

    if (!condition->is_number) {
        order = met__text_compare(value, condition->text);
    } else if (met__decimal_parse(value, &number) == MET_OK) {
        order = met__decimal_compare(number, condition->number);
    } else {
        return 0;
    }
    switch (condition->operator) {
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

int met__condition_holds(const met__condition *condition, met__text value)
{
    int is_any = condition->operator == ANY_OF;

    switch (condition->operator) {
    case IS_EQUAL:
        return met__text_equal(condition->text, value);
    case IS_OTHER:
        return !met__text_equal(condition->text, value);
    case IS_ONE_OF:
        return is_one_of(condition, value);
    case IS_NONE_OF:
        return !is_one_of(condition, value);
    case EXISTS:
        return condition->exists == (value.size > 0);
    case HAS:
        return has(value, condition->text);
    case HAS_NOT:
        return !has(value, condition->text);
    case ALL_OF:
    case ANY_OF:
        for (uint32_t i = 0; i < condition->count; i++) {
            if (met__condition_holds(condition->parts[i], value) == is_any) {
                return is_any;
            }
        }
        return !is_any;
    case ALWAYS:
        return 1;
    default:
        return is_in_order(condition, value);
    }
}
