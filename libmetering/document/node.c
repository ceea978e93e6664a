/* Building and comparing document trees. Everything lives in the arena it was
 * built in; a builder that is out of memory answers NULL. */
#include "document/document.h"

#include "base/check.h"

static met__node *make(met__arena *arena, uint32_t kind)
{
    met__node *node = met__arena_allocate(arena, sizeof *node);

    if (node != NULL) {
        node->kind = kind;
    }
    return node;
}

met__node *met__node_null(met__arena *arena)
{
    return make(arena, MET__NODE_NULL);
}

met__node *met__node_boolean(met__arena *arena, int value)
{
    met__node *node = make(arena, MET__NODE_BOOLEAN);

    if (node != NULL) {
        node->as.boolean = value != 0;
    }
    return node;
}

met__node *met__node_integer(met__arena *arena, int64_t value)
{
    met__node *node = make(arena, MET__NODE_INTEGER);

    if (node != NULL) {
        node->as.integer = value;
    }
    return node;
}

met__node *met__node_text(met__arena *arena, met__text text)
{
    met__node *node = make(arena, MET__NODE_TEXT);
    char *copy = met__arena_copy(arena, text.data, text.size);

    if (node == NULL || copy == NULL) {
        return NULL;
    }
    node->as.text = met__text_of(copy, text.size);
    return node;
}

met__node *met__node_text_z(met__arena *arena, const char *text)
{
    return met__node_text(arena, met__text_z(text));
}

/* Prints into a buffer of the arena's platform, then keeps the text. */
static met__node *from_buffer(met__arena *arena, met_error error,
                              met__buffer *buffer)
{
    met__node *node = NULL;

    if (error == MET_OK && buffer->error == MET_OK) {
        node = met__node_text(arena, met__text_of(buffer->data, buffer->size));
    }
    met__buffer_release(buffer);
    return node;
}

met__node *met__node_decimal(met__arena *arena, met_decimal value)
{
    met__buffer buffer;

    met__buffer_init(&buffer, arena->platform);
    met_error error = met__decimal_print(value, &buffer);
    return from_buffer(arena, error, &buffer);
}

met__node *met__node_time(met__arena *arena, int64_t utc_ns)
{
    met__buffer buffer;

    met__buffer_init(&buffer, arena->platform);
    met_error error = met__time_print(utc_ns, &buffer);
    return from_buffer(arena, error, &buffer);
}

met__node *met__node_array(met__arena *arena)
{
    return make(arena, MET__NODE_ARRAY);
}

met__node *met__node_object(met__arena *arena)
{
    return make(arena, MET__NODE_OBJECT);
}

size_t met__list_bytes(size_t count, size_t element_size)
{
    size_t capacity = count > 0;

    while (capacity < count) {
        capacity *= 2;
    }
    return capacity * element_size;
}

/* Lists grow at powers of two, so that the count tells the capacity. */
static void *grown(met__arena *arena, void *list, uint32_t count, size_t size)
{
    if ((count & (count - 1)) != 0) {
        return list;
    }
    void *more = met__arena_allocate(
        arena, met__list_bytes((size_t)count + 1, size));
    if (more != NULL && count > 0) {
        memcpy(more, list, count * size);
    }
    return more;
}

met_error met__node_append(met__arena *arena, met__node *array,
                           met__node *item)
{
    MET__ASSERT(array == NULL || array->kind == MET__NODE_ARRAY);
    if (array == NULL || item == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__node **items = grown(arena, array->as.items, array->count,
                              sizeof *items);
    if (items == NULL) {
        return MET_E_NO_MEMORY;
    }
    items[array->count++] = item;
    array->as.items = items;
    return MET_OK;
}

met_error met__node_add(met__arena *arena, met__node *object, met__text name,
                        met__node *node)
{
    MET__ASSERT(object == NULL || object->kind == MET__NODE_OBJECT);
    if (object == NULL || node == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__member *members = grown(arena, object->as.members, object->count,
                                 sizeof *members);
    if (members == NULL) {
        return MET_E_NO_MEMORY;
    }
    members[object->count++] = (met__member){name, node};
    object->as.members = members;
    return MET_OK;
}

static met__member *find(const met__node *object, met__text name)
{
    for (uint32_t i = 0; i < object->count; i++) {
        if (met__text_equal(object->as.members[i].name, name)) {
            return &object->as.members[i];
        }
    }
    return NULL;
}

met_error met__node_set(met__arena *arena, met__node *object,
                        const char *name, met__node *node)
{
    MET__ASSERT(object == NULL || object->kind == MET__NODE_OBJECT);
    if (object == NULL || node == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__member *member = find(object, met__text_z(name));
    if (member != NULL) {
        member->node = node;
        return MET_OK;
    }
    return met__node_add(arena, object, met__text_z(name), node);
}

const met__node *met__node_get(const met__node *object, const char *name)
{
    if (object == NULL || object->kind != MET__NODE_OBJECT) {
        return NULL;
    }
    const met__member *member = find(object, met__text_z(name));
    return member ? member->node : NULL;
}

static int equal_children(const met__node *a, const met__node *b)
{
    if (a->count != b->count) {
        return 0;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->kind == MET__NODE_ARRAY) {
            if (!met__node_equal(a->as.items[i], b->as.items[i])) {
                return 0;
            }
            continue;
        }
        /* The order of members does not matter. */
        const met__member *other = find(b, a->as.members[i].name);
        if (other == NULL
            || !met__node_equal(a->as.members[i].node, other->node)) {
            return 0;
        }
    }
    return 1;
}

int met__node_equal(const met__node *a, const met__node *b)
{
    if (a == NULL || b == NULL || a->kind != b->kind) {
        return a == b;
    }
    switch (a->kind) {
    case MET__NODE_BOOLEAN:
        return a->as.boolean == b->as.boolean;
    case MET__NODE_INTEGER:
        return a->as.integer == b->as.integer;
    case MET__NODE_DECIMAL:
        return met__decimal_compare(a->as.decimal, b->as.decimal) == 0;
    case MET__NODE_TEXT:
        return met__text_equal(a->as.text, b->as.text);
    case MET__NODE_ARRAY:
    case MET__NODE_OBJECT:
        return equal_children(a, b);
    default:
        return 1;
    }
}
