/* Reading an object field by field. In: a node and where it stands. Out: typed
 * values, or one error that names the field and the reason; it sticks, so that
 * a reader asks for all its fields and looks once. What nobody asked for is
 * refused. */
#include "document/document.h"

#include <stdio.h>

#include "base/check.h"
#include "base/limits.h"

#define PATH_DEPTH_MAX (MET__DOCUMENT_DEPTH_MAX + 4)

void met__path_print(const met__path *path, const char *name, char *out,
                     size_t size)
{
    const met__path *steps[PATH_DEPTH_MAX];
    size_t count = 0;
    size_t used = 0;

    for (; path != NULL && count < PATH_DEPTH_MAX; path = path->parent) {
        steps[count++] = path;
    }
    if (size > 0) {
        out[0] = '\0';
    }
    while (count > 0 && used < size) {
        const met__path *step = steps[--count];
        int put = step->name != NULL
                      ? snprintf(out + used, size - used, "%s%s",
                                 used ? "." : "", step->name)
                      : snprintf(out + used, size - used, "[%zu]",
                                 step->index);
        used += put > 0 ? (size_t)put : 0;
    }
    if (name != NULL && used < size) {
        snprintf(out + used, size - used, "%s%s", used ? "." : "", name);
    }
}

static met_error refuse(met__fields *fields, const char *name, met_error code,
                        const char *reason)
{
    char path[MET_ERROR_FIELD_SIZE];

    if (fields->error == MET_OK) {
        met__path_print(fields->path, name, path, sizeof path);
        fields->error = met__fail(fields->info, code, path, "%s", reason);
    }
    return fields->error;
}

met_error met__fields_fail(met__fields *fields, const char *name,
                           const char *reason, ...)
{
    char text[MET_ERROR_REASON_SIZE];
    va_list arguments;

    va_start(arguments, reason);
    vsnprintf(text, sizeof text, reason, arguments);
    va_end(arguments);
    return refuse(fields, name, MET_E_INVALID, text);
}

met_error met__fields_begin(met__fields *fields, const met__node *node,
                            const met__path *path, met_error_info *info)
{
    MET__ASSERT(fields != NULL);
    *fields = (met__fields){.object = node, .path = path, .info = info};
    if (node == NULL || node->kind != MET__NODE_OBJECT) {
        return refuse(fields, NULL, MET_E_INVALID, "must be an object");
    }
    if (node->count > sizeof fields->seen * 8) {
        return refuse(fields, NULL, MET_E_LIMIT, "has too many fields");
    }
    return MET_OK;
}

/* The value of a field, or NULL when there is nothing to read: an error, or
 * an optional field that is missing or null. */
static const met__node *take(met__fields *fields, const char *name,
                             unsigned flags)
{
    if (fields->error != MET_OK) {
        return NULL;
    }
    const met__node *object = fields->object;
    met__text wanted = met__text_z(name);
    uint32_t i = fields->next; /* most are asked for as they stand */
    for (uint32_t left = object->count; left > 0; left--, i++) {
        i = i < object->count ? i : 0;
        if (met__text_equal(object->as.members[i].name, wanted)) {
            fields->seen[i / 64] |= UINT64_C(1) << (i % 64);
            fields->next = i + 1;
            if (object->as.members[i].node->kind != MET__NODE_NULL) {
                return object->as.members[i].node;
            }
        }
    }
    if (flags & MET__REQUIRED) {
        refuse(fields, name, MET_E_INVALID, "is required");
    }
    return NULL;
}

met_error met__fields_text(met__fields *fields, const char *name,
                           unsigned flags, size_t size_min, size_t size_max,
                           met__text *out)
{
    const met__node *node = take(fields, name, flags);

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind != MET__NODE_TEXT) {
        return met__fields_fail(fields, name, "must be a text");
    }
    if (node->as.text.size < size_min || node->as.text.size > size_max) {
        return met__fields_fail(fields, name,
                                "must have %zu to %zu bytes, has %zu",
                                size_min, size_max, node->as.text.size);
    }
    if (!met__text_is_clean(node->as.text)) {
        return met__fields_fail(fields, name,
                                "must not contain control characters");
    }
    *out = node->as.text;
    return MET_OK;
}

/* ^[a-z0-9]+(?:_[a-z0-9]+)*$ */
static int is_key(met__text text)
{
    int is_word = 0; /* the previous character was not an underscore */

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            is_word = 1;
        } else if (c == '_' && is_word) {
            is_word = 0;
        } else {
            return 0;
        }
    }
    return is_word;
}

met_error met__fields_key(met__fields *fields, const char *name,
                          unsigned flags, met__text *out)
{
    met__text found = {0};
    met_error error = met__fields_text(fields, name, flags, 1,
                                       MET__KEY_SIZE_MAX, &found);

    if (error != MET_OK || found.data == NULL) {
        return error;
    }
    if (!is_key(found)) {
        return met__fields_fail(fields, name, "must be lower-case words of "
                                "letters and digits joined by one _");
    }
    *out = found;
    return MET_OK;
}

met_error met__fields_choice(met__fields *fields, const char *name,
                             unsigned flags, const char *const *choices,
                             uint32_t *out)
{
    const met__node *node = take(fields, name, flags);
    char reason[MET_ERROR_REASON_SIZE] = "must be one of";
    size_t used = strlen(reason);

    if (node == NULL) {
        return fields->error;
    }
    for (uint32_t i = 0; choices[i] != NULL; i++) {
        if (node->kind == MET__NODE_TEXT
            && met__text_equal(node->as.text, met__text_z(choices[i]))) {
            *out = i;
            return MET_OK;
        }
        if (used < sizeof reason) {
            int put = snprintf(reason + used, sizeof reason - used, "%s %s",
                               i ? "," : "", choices[i]);
            used += put > 0 ? (size_t)put : 0;
        }
    }
    return refuse(fields, name, MET_E_INVALID, reason);
}

met_error met__fields_boolean(met__fields *fields, const char *name,
                              unsigned flags, int *out)
{
    const met__node *node = take(fields, name, flags);

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind != MET__NODE_BOOLEAN) {
        return met__fields_fail(fields, name, "must be true or false");
    }
    *out = (int)node->as.boolean;
    return MET_OK;
}

met_error met__fields_integer(met__fields *fields, const char *name,
                              unsigned flags, int64_t minimum,
                              int64_t maximum, int64_t *out)
{
    const met__node *node = take(fields, name, flags);

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind != MET__NODE_INTEGER || node->as.integer < minimum
        || node->as.integer > maximum) {
        return met__fields_fail(fields, name,
                                "must be a whole number from %lld to %lld",
                                (long long)minimum, (long long)maximum);
    }
    *out = node->as.integer;
    return MET_OK;
}

met_error met__fields_decimal(met__fields *fields, const char *name,
                              unsigned flags, int64_t minimum,
                              met_decimal *out)
{
    const met__node *node = take(fields, name, flags);
    met_decimal value;
    met_error error = MET_E_INVALID;

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind == MET__NODE_TEXT) {
        error = met__decimal_parse(node->as.text, &value);
    } else if (node->kind == MET__NODE_INTEGER) {
        value = met__decimal_from_i64(node->as.integer);
        error = MET_OK;
    }
    if (error == MET_E_OVERFLOW) {
        return refuse(fields, name, MET_E_OVERFLOW,
                      "needs more than 34 digits");
    }
    int is_low = error == MET_OK && minimum != INT64_MIN
                 && met__decimal_compare(value,
                                         met__decimal_from_i64(minimum)) < 0;
    if (error != MET_OK || is_low) {
        if (minimum == INT64_MIN) {
            return met__fields_fail(fields, name, "must be a decimal string");
        }
        return met__fields_fail(fields, name,
                                "must be a decimal string >= %lld",
                                (long long)minimum);
    }
    *out = value;
    return MET_OK;
}

met_error met__fields_time(met__fields *fields, const char *name,
                           unsigned flags, int64_t *utc_ns_out)
{
    const met__node *node = take(fields, name, flags);

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind != MET__NODE_TEXT
        || met__time_parse(node->as.text, utc_ns_out) != MET_OK) {
        return met__fields_fail(fields, name, "must be a time of the years "
                                "1970 to 2200 like 2026-01-31T00:00:00Z");
    }
    return MET_OK;
}

met_error met__fields_duration(met__fields *fields, const char *name,
                               unsigned flags, met__duration *out)
{
    const met__node *node = take(fields, name, flags);
    met__duration value;

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind != MET__NODE_TEXT
        || met__duration_parse(node->as.text, &value) != MET_OK
        || met__duration_is_zero(&value)) {
        return met__fields_fail(fields, name,
                                "must be a duration > 0 like P1M or PT1H");
    }
    *out = value;
    return MET_OK;
}

met_error met__fields_object(met__fields *fields, const char *name,
                             unsigned flags, const met__node **out)
{
    const met__node *node = take(fields, name, flags);

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind != MET__NODE_OBJECT) {
        return met__fields_fail(fields, name, "must be an object");
    }
    *out = node;
    return MET_OK;
}

met_error met__fields_array(met__fields *fields, const char *name,
                            unsigned flags, size_t count_max,
                            const met__node **out)
{
    const met__node *node = take(fields, name, flags);

    if (node == NULL) {
        return fields->error;
    }
    if (node->kind != MET__NODE_ARRAY) {
        return met__fields_fail(fields, name, "must be a list");
    }
    if (node->count > count_max) {
        return met__fields_fail(fields, name,
                                "must have at most %zu items, has %u",
                                count_max, node->count);
    }
    *out = node;
    return MET_OK;
}

met_error met__fields_any(met__fields *fields, const char *name,
                          unsigned flags, const met__node **out)
{
    const met__node *node = take(fields, name, flags);

    if (node != NULL) {
        *out = node;
    }
    return fields->error;
}

met_error met__fields_end(met__fields *fields)
{
    if (fields->error != MET_OK) {
        return fields->error;
    }
    for (uint32_t i = 0; i < fields->object->count; i++) {
        if ((fields->seen[i / 64] >> (i % 64) & 1) == 0) {
            char name[MET_ERROR_FIELD_SIZE];
            met__text text = fields->object->as.members[i].name;
            snprintf(name, sizeof name, "%.*s", (int)text.size, text.data);
            return refuse(fields, name, MET_E_INVALID, "is not a known field");
        }
    }
    return MET_OK;
}
