/* What stored objects share: failures with a path, readers and writers of
 * common fields, the canonical form of a document.
 * In: nodes and texts. Out: nodes and texts in the caller's arena.
 * It knows no single kind of object and writes nothing into the store. */
#include "store/object.h"

#include <stdio.h>

#include "base/check.h"
#include "base/ulid.h"

met_error met__fail_at(met_error_info *info, met_error code,
                       const met__path *path, const char *name,
                       const char *reason, ...)
{
    char field[MET_ERROR_FIELD_SIZE];
    char text[MET_ERROR_REASON_SIZE];
    va_list arguments;

    met__path_print(path, name, field, sizeof field);
    va_start(arguments, reason);
    (void)vsnprintf(text, sizeof text, reason, arguments);
    va_end(arguments);
    return met__fail(info, code, field, "%s", text);
}

met_error met__refuse_unserved(const met__node *object, const met__path *path,
                               const char *const *names, met_error_info *info)
{
    if (object->kind != MET__NODE_OBJECT) {
        return MET_OK; /* the field reader says what is wrong */
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        if (met__node_get(object, names[i]) != NULL) {
            return met__fail_at(info, MET_E_UNSUPPORTED, path, names[i],
                                "is not served by this version");
        }
    }
    return MET_OK;
}

met_error met__fields_span(met__fields *fields, const char *name,
                           unsigned flags, const char *negative_code,
                           met__duration *out)
{
    const met__node *node;

    if (fields->error != MET_OK) {
        return fields->error;
    }
    node = met__node_get(fields->object, name);
    if (node != NULL && node->kind == MET__NODE_TEXT && node->as.text.size > 0
        && node->as.text.data[0] == '-') {
        return met__fields_fail(fields, name, "%s: must not be negative",
                                negative_code);
    }
    return met__fields_duration(fields, name, flags, out);
}

met_error met__fields_currency(met__fields *fields, const char *name,
                               unsigned flags, met__text *out)
{
    met__text code = {NULL, 0};
    met_error error = met__fields_text(fields, name, flags, 1,
                                       MET__NAME_SIZE_MAX, &code);

    if (error != MET_OK || code.data == NULL) {
        return error;
    }
    int is_valid = code.size == 3;
    for (size_t i = 0; is_valid && i < code.size; i++) {
        is_valid = code.data[i] >= 'A' && code.data[i] <= 'Z';
    }
    if (!is_valid) {
        return met__fields_fail(
            fields, name, "currency_invalid: must be three capital letters");
    }
    *out = code;
    return MET_OK;
}

met_error met__fields_stamp(met__fields *fields, met__text *id_out,
                            int64_t *created_at_out, int64_t *updated_at_out)
{
    (void)met__fields_text(fields, "id", MET__REQUIRED, MET__ULID_SIZE,
                           MET__ULID_SIZE, id_out);
    (void)met__fields_time(fields, "created_at", MET__REQUIRED,
                           created_at_out);
    return met__fields_time(fields, "updated_at", MET__REQUIRED,
                            updated_at_out);
}

int met__text_looks_like_id(met__text text)
{
    char upper[MET__ULID_SIZE];

    if (text.size != MET__ULID_SIZE) {
        return 0;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return met__ulid_is(upper, sizeof upper);
}

/* --- Building ------------------------------------------------------------- */

void met__builder_begin(met__builder *builder, met__arena *arena)
{
    *builder = (met__builder){.arena = arena};
    builder->object = met__node_object(arena);
    if (builder->object == NULL) {
        builder->error = MET_E_NO_MEMORY;
    }
}

/* A NULL node here is memory that ran out. */
static void set(met__builder *builder, const char *name, met__node *node)
{
    if (builder->error == MET_OK) {
        builder->error =
            met__node_set(builder->arena, builder->object, name, node);
    }
}

void met__build_node(met__builder *builder, const char *name,
                     const met__node *node)
{
    if (node != NULL) {
        /* Trees share what is never changed after it was built. */
        set(builder, name, (met__node *)node);
    }
}

void met__build_text(met__builder *builder, const char *name, met__text text)
{
    if (text.size > 0) {
        set(builder, name, met__node_text(builder->arena, text));
    }
}

void met__build_boolean(met__builder *builder, const char *name, int value)
{
    set(builder, name, met__node_boolean(builder->arena, value));
}

void met__build_integer(met__builder *builder, const char *name,
                        int64_t value)
{
    set(builder, name, met__node_integer(builder->arena, value));
}

void met__build_decimal(met__builder *builder, const char *name,
                        met_decimal value)
{
    set(builder, name, met__node_decimal(builder->arena, value));
}

void met__build_time(met__builder *builder, const char *name, int64_t utc_ns)
{
    if (utc_ns != 0) {
        set(builder, name, met__node_time(builder->arena, utc_ns));
    }
}

void met__build_duration(met__builder *builder, const char *name,
                         const met__duration *duration)
{
    met__buffer buffer;

    if (builder->error != MET_OK) {
        return;
    }
    met__buffer_init(&buffer, builder->arena->platform);
    builder->error = met__duration_print(duration, &buffer);
    if (builder->error == MET_OK) {
        builder->error = buffer.error;
    }
    if (builder->error == MET_OK) {
        met__build_text(builder, name,
                        met__text_of(buffer.data, buffer.size));
    }
    met__buffer_release(&buffer);
}

void met__build_object(met__builder *parent, const char *name,
                       met__builder *builder)
{
    met__node *node = NULL;
    met_error error = met__builder_end(builder, &node);

    if (error != MET_OK) {
        parent->error = parent->error == MET_OK ? error : parent->error;
        return;
    }
    set(parent, name, node);
}

void met__build_stamp(met__builder *builder, met__text id,
                      int64_t created_at_ns, int64_t updated_at_ns)
{
    if (id.size > 0) {
        met__build_text(builder, "id", id);
        met__build_time(builder, "created_at", created_at_ns);
        met__build_time(builder, "updated_at", updated_at_ns);
    }
}

met_error met__builder_end(met__builder *builder, met__node **node_out)
{
    if (builder->error == MET_OK) {
        *node_out = builder->object;
    }
    return builder->error;
}

/* --- The canonical form --------------------------------------------------- */

static met_error canonical_number(met__arena *arena, met_decimal value,
                                  const met__node **node_out)
{
    *node_out = met__node_decimal(arena, value);
    return *node_out != NULL ? MET_OK : MET_E_NO_MEMORY;
}

static met_error canonical_array(met__arena *arena, const met__node *node,
                                 const met__node **node_out)
{
    met__node *array = met__node_array(arena);
    met_error error = array != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (uint32_t i = 0; error == MET_OK && i < node->count; i++) {
        const met__node *item = NULL;
        error = met__node_canonical(arena, node->as.items[i], &item);
        if (error == MET_OK) {
            error = met__node_append(arena, array, (met__node *)item);
        }
    }
    *node_out = array;
    return error;
}

/* The member that follows `after` (NULL = the first) by name. */
static const met__member *next_by_name(const met__node *object,
                                       const met__member *after)
{
    const met__member *next = NULL;

    for (uint32_t i = 0; i < object->count; i++) {
        const met__member *member = &object->as.members[i];
        if ((after == NULL || met__text_compare(member->name, after->name) > 0)
            && (next == NULL
                || met__text_compare(member->name, next->name) < 0)) {
            next = member;
        }
    }
    return next;
}

static met_error canonical_object(met__arena *arena, const met__node *node,
                                  const met__node **node_out)
{
    met__node *object = met__node_object(arena);
    met_error error = object != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (const met__member *member = next_by_name(node, NULL);
         error == MET_OK && member != NULL;
         member = next_by_name(node, member)) {
        const met__node *value = NULL;
        if (member->node->kind == MET__NODE_NULL) {
            continue;
        }
        error = met__node_canonical(arena, member->node, &value);
        char *name = met__arena_copy(arena, member->name.data,
                                     member->name.size);
        if (error == MET_OK && name == NULL) {
            error = MET_E_NO_MEMORY;
        }
        if (error == MET_OK) {
            error = met__node_set(arena, object, name, (met__node *)value);
        }
    }
    *node_out = object;
    return error;
}

met_error met__node_canonical(met__arena *arena, const met__node *node,
                              const met__node **node_out)
{
    if (node == NULL) {
        *node_out = NULL;
        return MET_OK;
    }
    switch (node->kind) {
    case MET__NODE_INTEGER:
        return canonical_number(arena,
                                met__decimal_from_i64(node->as.integer),
                                node_out);
    case MET__NODE_DECIMAL:
        return canonical_number(arena, node->as.decimal, node_out);
    case MET__NODE_ARRAY:
        return canonical_array(arena, node, node_out);
    case MET__NODE_OBJECT:
        return canonical_object(arena, node, node_out);
    default:
        *node_out = node;
        return MET_OK;
    }
}

/* --- Keys and ids --------------------------------------------------------- */

int64_t met__txn_now_ns(const met__txn *txn)
{
    int64_t now_ns = met__now_utc_ns(met__store_platform(met__txn_store(txn)));

    return now_ns > 0 ? now_ns : 1; /* in documents 0 means: not set */
}

static met_error keep_id(met_error error, const char *text,
                         met__arena *arena, met__text *id_out)
{
    if (error != MET_OK) {
        return error;
    }
    char *copy = met__arena_copy(arena, text, MET__ULID_SIZE);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *id_out = met__text_of(copy, MET__ULID_SIZE);
    return MET_OK;
}

met_error met__object_id(met__txn *txn, int64_t now_ns, met__arena *arena,
                         met__text *id_out)
{
    char text[MET__ULID_SIZE + 1];
    met_error error =
        met__ulid_create(met__store_platform(met__txn_store(txn)),
                         met__txn_ids(txn), now_ns, text);

    return keep_id(error, text, arena, id_out);
}

met_error met__object_id_ordered(met__txn *txn, int64_t now_ns,
                                 uint64_t number, met__arena *arena,
                                 met__text *id_out)
{
    char text[MET__ULID_SIZE + 1];
    met_error error = met__ulid_create_ordered(
        met__store_platform(met__txn_store(txn)), now_ns, number, text);

    return keep_id(error, text, arena, id_out);
}

met_error met__object_key(met__arena *arena, met__text first,
                          met__text second, met__text *key_out)
{
    size_t size = first.size + 1 + second.size;
    char *data;

    MET__ASSERT(first.size > 0);
    data = met__arena_allocate(arena, size);
    if (data == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(data, first.data, first.size);
    if (second.size > 0) {
        memcpy(data + first.size + 1, second.data, second.size);
    }
    *key_out = met__text_of(data, size);
    return MET_OK;
}
