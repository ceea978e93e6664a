/* Compiling meters into the recording plan, and reading it back.
 * In: every meter of the store. Out: per event type the attributes and
 * quantities somebody asks for, each once, in the order of their names, so
 * that equal wishes give equal plans. */
#include "meter/recording_plan.h"

#include <stdlib.h>

#include "base/check.h"
#include "meter/meter_def.h"

#define NUMBER_KEY "recording_plan"
#define RECORDED_PREFIX "recorded_type."

/* --- Collecting ----------------------------------------------------------- */
typedef struct wish {
    met__text name;
    int is_pinned;
} wish;

typedef struct wanted {
    met__text type;
    size_t attribute_count;
    wish attributes[MET__ATTRIBUTES_MAX];
    size_t quantity_count;
    met__text quantities[MET__QUANTITIES_MAX];
    int counts;
    int times;
    uint64_t since;
    struct wanted *next; /* by type */
} wanted;

static met_error find_type(met__arena *arena, wanted **list, met__text type,
                           wanted **found_out)
{
    while (*list != NULL && met__text_compare((*list)->type, type) < 0) {
        list = &(*list)->next;
    }
    if (*list == NULL || !met__text_equal((*list)->type, type)) {
        wanted *made = met__arena_allocate(arena, sizeof *made);
        if (made == NULL) {
            return MET_E_NO_MEMORY;
        }
        made->type = type;
        made->next = *list;
        *list = made;
    }
    *found_out = *list;
    return MET_OK;
}

static met_error want_attribute(wanted *type, met__text name, int is_pinned)
{
    size_t at = 0;

    while (at < type->attribute_count
           && met__text_compare(type->attributes[at].name, name) < 0) {
        at++;
    }
    if (at < type->attribute_count
        && met__text_equal(type->attributes[at].name, name)) {
        type->attributes[at].is_pinned |= is_pinned;
        return MET_OK;
    }
    if (type->attribute_count == MET__ATTRIBUTES_MAX) {
        return MET_E_LIMIT;
    }
    memmove(&type->attributes[at + 1], &type->attributes[at],
            (type->attribute_count - at) * sizeof(wish));
    type->attributes[at] = (wish){name, is_pinned};
    type->attribute_count++;
    return MET_OK;
}

static met_error want_quantity(wanted *type, met__text name)
{
    size_t at = 0;

    while (at < type->quantity_count
           && met__text_compare(type->quantities[at], name) < 0) {
        at++;
    }
    if (at < type->quantity_count
        && met__text_equal(type->quantities[at], name)) {
        return MET_OK;
    }
    if (type->quantity_count == MET__QUANTITIES_MAX) {
        return MET_E_LIMIT;
    }
    memmove(&type->quantities[at + 1], &type->quantities[at],
            (type->quantity_count - at) * sizeof(met__text));
    type->quantities[at] = name;
    type->quantity_count++;
    return MET_OK;
}

static met_error want_meter(wanted *type, const met__meter *meter)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < meter->dimension_count; i++) {
        error = want_attribute(type, meter->dimensions[i].attribute,
                               (meter->pinned >> i & 1) != 0);
    }
    if (error != MET_OK) {
        return error;
    }
    switch (meter->aggregation) {
    case MET__AGGREGATION_COUNT:
        type->counts = 1;
        return MET_OK;
    case MET__AGGREGATION_UNIQUE_COUNT:
        /* Every distinct value is a shape. */
        type->counts = 1;
        return want_attribute(type, meter->value_attribute, 1);
    case MET__AGGREGATION_LATEST:
        type->times = 1;
        return want_quantity(type, meter->value_attribute);
    default:
        return want_quantity(type, meter->value_attribute);
    }
}

static met_error collect(met__txn *txn, met__arena *arena,
                         const met__path *path, wanted **list_out,
                         met_error_info *info)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_METER, NULL, 0, &scan);

    *list_out = NULL;
    while (error == MET_OK) {
        met__meter *meter = NULL;
        wanted *type = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__meter_unpack(arena, value, &meter);
        }
        if (error == MET_OK) {
            error = find_type(arena, list_out, meter->event_type, &type);
        }
        if (error == MET_OK) {
            error = want_meter(type, meter);
        }
        if (error == MET_E_LIMIT) {
            met__fail_at(info, MET_E_LIMIT, path, "event_type",
                         "the meters of \"%.*s\" want more than %d attributes "
                         "or %d quantities", (int)type->type.size,
                         type->type.data, MET__ATTRIBUTES_MAX,
                         MET__QUANTITIES_MAX);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* --- As a record ---------------------------------------------------------- */
static met_error append(met__arena *arena, met__node *array, met__node *item)
{
    return item == NULL ? MET_E_NO_MEMORY
                        : met__node_append(arena, array, item);
}

static met_error type_node(met__arena *arena, const wanted *type,
                           met__node **node_out)
{
    met__node *attributes = met__node_array(arena);
    met__node *pinned = met__node_array(arena);
    met__node *quantities = met__node_array(arena);
    met_error error = attributes && pinned && quantities ? MET_OK
                                                         : MET_E_NO_MEMORY;
    met__builder builder;

    for (size_t i = 0; error == MET_OK && i < type->attribute_count; i++) {
        error = append(arena, attributes,
                       met__node_text(arena, type->attributes[i].name));
        if (error == MET_OK) {
            error = append(
                arena, pinned,
                met__node_boolean(arena, type->attributes[i].is_pinned));
        }
    }
    for (size_t i = 0; error == MET_OK && i < type->quantity_count; i++) {
        error = append(arena, quantities,
                       met__node_text(arena, type->quantities[i]));
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "type", type->type);
    met__build_node(&builder, "attributes", attributes);
    met__build_node(&builder, "pinned", pinned);
    met__build_node(&builder, "quantities", quantities);
    met__build_boolean(&builder, "counts", type->counts);
    met__build_boolean(&builder, "times", type->times);
    met__build_integer(&builder, "since", (int64_t)type->since);
    return met__builder_end(&builder, node_out);
}

static met_error plan_node(met__arena *arena, const wanted *list,
                           met__node **node_out)
{
    met__node *types = met__node_array(arena);
    met__node *plan = met__node_object(arena);
    met_error error = types && plan ? MET_OK : MET_E_NO_MEMORY;

    for (; error == MET_OK && list != NULL; list = list->next) {
        met__node *node = NULL;
        error = type_node(arena, list, &node);
        if (error == MET_OK) {
            error = append(arena, types, node);
        }
    }
    if (error == MET_OK) {
        error = met__node_set(arena, plan, "types", types);
    }
    *node_out = plan;
    return error;
}

static met_error record_get(met__txn *txn, uint64_t number, met__arena *arena,
                            met__node **node_out)
{
    unsigned char key[4];

    if (number == 0) {
        return plan_node(arena, NULL, node_out);
    }
    if (number > UINT32_MAX) {
        return MET_E_NOT_FOUND;
    }
    met__put_u32(key, (uint32_t)number);
    return met__record_get(txn, MET__TABLE_PLAN_REC, key, sizeof key, arena,
                           node_out);
}

static met_error record_put(met__txn *txn, uint64_t number,
                            const met__node *node)
{
    unsigned char key[4];
    unsigned char value[8];

    if (number > UINT32_MAX) {
        return MET_E_LIMIT;
    }
    met__put_u32(key, (uint32_t)number);
    met__put_u64(value, number);
    met_error error = met__record_put(txn, MET__TABLE_PLAN_REC, key,
                                      sizeof key, node);
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_META, NUMBER_KEY,
                             sizeof NUMBER_KEY - 1, value, sizeof value);
    }
    return error;
}

met_error met__recording_plan_number(met__txn *txn, uint64_t *number_out)
{
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_META, NUMBER_KEY,
                                   sizeof NUMBER_KEY - 1, &value);

    MET__ASSERT(number_out != NULL);
    if (error == MET_E_NOT_FOUND) {
        *number_out = 0;
        return MET_OK;
    }
    if (error == MET_OK && value.size != 8) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        *number_out = met__get_u64((const unsigned char *)value.data);
    }
    return error;
}

/* A type keeps the number it came with. */
static void keep_since(wanted *list, const met__recording_plan *old,
                       uint64_t number)
{
    for (; list != NULL; list = list->next) {
        const met__recording_type *type = met__recording_plan_type(old,
                                                                   list->type);
        list->since = type != NULL ? type->since : number;
    }
}

static met_error compile(met__txn *txn, met__arena *arena,
                         const met__path *path, uint64_t *number_out,
                         met_error_info *info)
{
    met__recording_plan *old = NULL;
    met__node *before = NULL;
    met__node *after = NULL;
    wanted *list = NULL;
    uint64_t number = 0;
    met_error error = met__recording_plan_number(txn, &number);

    if (error == MET_OK) {
        error = record_get(txn, number, arena, &before);
    }
    if (error == MET_OK) {
        error = met__recording_plan_get(txn, number, arena, &old);
    }
    if (error == MET_OK) {
        error = collect(txn, arena, path, &list, info);
    }
    if (error != MET_OK) {
        return error;
    }
    keep_since(list, old, number + 1);
    error = plan_node(arena, list, &after);
    if (error != MET_OK) {
        return error;
    }
    if (!met__node_equal(before, after)) {
        number++;
        error = record_put(txn, number, after);
    }
    if (error == MET_OK) {
        *number_out = number;
    }
    return error;
}

met_error met__recording_plan_compile(met__txn *txn, const met__path *path,
                                      uint64_t *number_out,
                                      met_error_info *info)
{
    met__arena arena;

    MET__ASSERT(txn != NULL && number_out != NULL);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = compile(txn, &arena, path, number_out, info);
    met__arena_release(&arena);
    return error;
}

/* --- Read back ------------------------------------------------------------ */
/* Our own record with a checksum: another form is damage. */
static met_error read_texts(met__arena *arena, const met__node *object,
                            const char *name, size_t count_max,
                            const met__text **texts_out, size_t *count_out)
{
    const met__node *list = met__node_get(object, name);

    if (list == NULL || list->kind != MET__NODE_ARRAY
        || list->count > count_max) {
        return MET_E_CORRUPT;
    }
    met__text *texts = met__arena_allocate(arena,
                                           list->count * sizeof *texts);
    if (texts == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->as.items[i]->kind != MET__NODE_TEXT) {
            return MET_E_CORRUPT;
        }
        texts[i] = list->as.items[i]->as.text;
    }
    *texts_out = texts;
    *count_out = list->count;
    return MET_OK;
}

static int read_flag(const met__node *object, const char *name)
{
    const met__node *node = met__node_get(object, name);

    return node != NULL && node->kind == MET__NODE_BOOLEAN
           && node->as.boolean;
}

static met_error read_type(met__arena *arena, const met__node *object,
                           met__recording_type *type)
{
    const met__node *name = met__node_get(object, "type");
    const met__node *since = met__node_get(object, "since");
    const met__node *pinned = met__node_get(object, "pinned");

    if (name == NULL || name->kind != MET__NODE_TEXT || since == NULL
        || since->kind != MET__NODE_INTEGER || pinned == NULL
        || pinned->kind != MET__NODE_ARRAY) {
        return MET_E_CORRUPT;
    }
    type->type = name->as.text;
    type->since = (uint64_t)since->as.integer;
    type->counts = (uint32_t)read_flag(object, "counts");
    type->times = (uint32_t)read_flag(object, "times");
    met_error error = read_texts(arena, object, "attributes",
                                 MET__ATTRIBUTES_MAX, &type->attributes,
                                 &type->attribute_count);
    if (error == MET_OK) {
        error = read_texts(arena, object, "quantities", MET__QUANTITIES_MAX,
                           &type->quantities, &type->quantity_count);
    }
    if (error != MET_OK || pinned->count != type->attribute_count) {
        return error != MET_OK ? error : MET_E_CORRUPT;
    }
    uint8_t *is_free = met__arena_allocate(arena, type->attribute_count);
    if (is_free == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < type->attribute_count; i++) {
        is_free[i] = pinned->as.items[i]->kind == MET__NODE_BOOLEAN
                     && !pinned->as.items[i]->as.boolean;
    }
    type->is_free = is_free;
    return MET_OK;
}

met_error met__recording_plan_get(met__txn *txn, uint64_t number,
                                  met__arena *arena,
                                  met__recording_plan **plan_out)
{
    met__node *node = NULL;
    met_error error = record_get(txn, number, arena, &node);

    MET__ASSERT(plan_out != NULL);
    if (error != MET_OK) {
        return error;
    }
    const met__node *list = met__node_get(node, "types");
    if (list == NULL || list->kind != MET__NODE_ARRAY) {
        return MET_E_CORRUPT;
    }
    met__recording_plan *plan = met__arena_allocate(arena, sizeof *plan);
    met__recording_type *types = met__arena_allocate(
        arena, list->count * sizeof *types);
    if (plan == NULL || types == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        error = read_type(arena, list->as.items[i], &types[i]);
    }
    if (error == MET_OK) {
        *plan = (met__recording_plan){number, list->count, types};
        *plan_out = plan;
    }
    return error;
}

static int compare_type(const void *key, const void *element)
{
    return met__text_compare(*(const met__text *)key,
                             ((const met__recording_type *)element)->type);
}

const met__recording_type *
met__recording_plan_type(const met__recording_plan *plan, met__text type)
{
    return plan->type_count == 0
               ? NULL
               : bsearch(&type, plan->types, plan->type_count,
                         sizeof *plan->types, compare_type);
}

/* --- Types that were recorded --------------------------------------------- */
static size_t recorded_key(met__text type, char out[])
{
    size_t size = type.size < MET__EVENT_TYPE_SIZE_MAX
                      ? type.size
                      : MET__EVENT_TYPE_SIZE_MAX;

    memcpy(out, RECORDED_PREFIX, sizeof RECORDED_PREFIX - 1);
    memcpy(out + sizeof RECORDED_PREFIX - 1, type.data, size);
    return sizeof RECORDED_PREFIX - 1 + size;
}

met_error met__recorded_type_is_marked(met__txn *txn, met__text type,
                                       int *is_marked_out)
{
    char key[sizeof RECORDED_PREFIX + MET__EVENT_TYPE_SIZE_MAX];
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_META, key,
                                   recorded_key(type, key), &value);

    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    *is_marked_out = error == MET_OK;
    return MET_OK;
}

met_error met__recorded_type_mark(met__txn *txn, met__text type)
{
    char key[sizeof RECORDED_PREFIX + MET__EVENT_TYPE_SIZE_MAX];
    int is_marked = 0;
    met_error error = met__recorded_type_is_marked(txn, type, &is_marked);

    if (error == MET_OK && !is_marked) {
        error = met__txn_put(txn, MET__TABLE_META, key,
                             recorded_key(type, key), NULL, 0);
    }
    return error;
}
