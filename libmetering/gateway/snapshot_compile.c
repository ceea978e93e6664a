/* Compiles stored entities into a snapshot: services, routes and their paths,
 * consumers with groups and keys. Texts that a request would have to put
 * together are put together here.
 * In: one read transaction. Out: the sections of a snapshot. */
#include "gateway/snapshot_compile.h"

#include <stdlib.h>

#include "base/check.h"
#include "gateway/entity_parts.h"

/* --- Helpers -------------------------------------------------------------- */

int64_t met__node_integer_at(const met__node *object, const char *name,
                             int64_t standard)
{
    const met__node *node =
        object != NULL && object->kind == MET__NODE_OBJECT
            ? met__node_get(object, name)
            : NULL;

    if (node != NULL && node->kind == MET__NODE_INTEGER) {
        return node->as.integer;
    }
    return node != NULL && node->kind == MET__NODE_BOOLEAN ? node->as.boolean
                                                           : standard;
}

uint32_t met__compile_number(const met__compile *compile, const char *kind,
                             met__text name)
{
    const met__name_slot *slot =
        name.size > 0 ? met__name_set_find(&compile->names, kind, name)
                      : NULL;

    return slot != NULL ? (uint32_t)(uintptr_t)slot->value - 1 : MET__NONE;
}

met_error met__compile_name(met__compile *compile, const char *kind,
                            met__text name, uint32_t number)
{
    char *copy = met__arena_copy(compile->arena, name.data, name.size);
    met__name_slot *slot =
        copy != NULL ? met__name_set_slot(&compile->names, kind,
                                          met__text_of(copy, name.size))
                     : NULL;

    if (slot == NULL) {
        return MET_E_NO_MEMORY;
    }
    slot->value = (void *)(uintptr_t)(number + 1);
    return MET_OK;
}

met_error met__compile_group(met__compile *compile, met__text name,
                             uint32_t *number_out)
{
    uint32_t number = met__compile_number(compile, "group", name);

    if (number == MET__NONE) {
        number = compile->group_count++;
        met_error error = met__compile_name(compile, "group", name, number);
        if (error != MET_OK) {
            return error;
        }
    }
    *number_out = number;
    return MET_OK;
}

/* A stored entity; the node lives only during the call. */
typedef met_error (*compile_entity)(met__compile *compile,
                                    const met__node *node);

/* Stored objects are read with an arena of their own each: there may be a
 * million. */
static met_error compile_each(met__compile *compile, const char *kind,
                              compile_entity entity)
{
    met__scan scan;
    met__text prefix;
    met__text key;
    met__text value;
    met_error error = met__object_key(compile->arena, met__text_z(kind),
                                      (met__text){NULL, 0}, &prefix);

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(compile->txn, MET__TABLE_GATEWAY, prefix.data,
                            prefix.size, &scan);
    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            met__arena arena;
            met__node *node;
            met__arena_init(&arena, compile->arena->platform);
            error = met__record_unpack(&arena, value, &node);
            if (error == MET_OK) {
                error = entity(compile, node);
            }
            met__arena_release(&arena);
        }
        if (error == MET_OK) {
            error = met__snapshot_writer_error(compile->writer);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met__ref text_at(met__compile *compile, const met__node *node,
                        const char *name)
{
    return met__snapshot_add_text(compile->writer,
                                  met__node_text_at(node, name));
}

static met__snapshot_plugins no_plugins(void)
{
    met__snapshot_plugins plugins;

    for (uint32_t i = 0; i < MET__PLUGIN_COUNT; i++) {
        plugins.record[i] = MET__NONE;
        plugins.rank[i] = MET__RANK_NONE;
    }
    return plugins;
}

/* --- Services and routes -------------------------------------------------- */

static met_error add_service(met__compile *compile, const met__node *node)
{
    met__snapshot_service service = {
        .name = text_at(compile, node, "name"),
        .id = text_at(compile, node, "id"),
        .protocol = text_at(compile, node, "protocol"),
        .plugins = no_plugins(),
        .is_enabled =
            (uint32_t)(met__node_integer_at(node, "enabled", 1) != 0)};
    int64_t port = met__node_integer_at(node, "port", 0);

    if (port > 0) {
        const char *text =
            met__arena_print(compile->arena, "%lld", (long long)port);
        if (text == NULL) {
            return MET_E_NO_MEMORY;
        }
        service.port =
            met__snapshot_add_text(compile->writer, met__text_z(text));
    }
    return met__compile_name(compile, "service",
                             met__node_text_at(node, "name"),
                             met__snapshot_add(compile->writer,
                                               MET__SECTION_SERVICE,
                                               &service));
}

/* A record for each path and method. */
static void add_paths(met__compile *compile, const met__node *node,
                      uint32_t route)
{
    const met__node *paths = met__node_get(node, "paths");
    const met__node *methods = met__node_get(node, "methods");
    uint32_t path_count = paths != NULL ? paths->count : 1;
    uint32_t method_count = methods != NULL ? methods->count : 1;

    for (uint32_t i = 0; i < path_count; i++) {
        met__text text = paths != NULL ? paths->as.items[i]->as.text
                                       : (met__text){"", 0};
        met__ref ref = met__snapshot_add_text(compile->writer, text);
        for (uint32_t k = 0; k < method_count; k++) {
            met__text method = methods != NULL ? methods->as.items[k]->as.text
                                               : (met__text){"", 0};
            met__snapshot_path path = {
                .path = ref,
                .method = met__snapshot_add_text(compile->writer, method),
                .route = route,
                .parent = MET__NONE};
            met__snapshot_add(compile->writer, MET__SECTION_PATH, &path);
        }
    }
}

static met_error add_route(met__compile *compile, const met__node *node)
{
    met__text service = met__node_text_at(node, "service");
    met__snapshot_route route = {
        .name = text_at(compile, node, "name"),
        .id = text_at(compile, node, "id"),
        .service = met__compile_number(compile, "service", service),
        .plugins = no_plugins()};
    const met__snapshot_service *owner = met__snapshot_get(
        compile->writer, MET__SECTION_SERVICE, route.service);
    uint32_t number =
        met__snapshot_add(compile->writer, MET__SECTION_ROUTE, &route);

    if (met__node_integer_at(node, "by_name_only", 0) == 0
        && (owner == NULL || owner->is_enabled)) {
        add_paths(compile, node, number);
    }
    return met__compile_name(compile, "route", met__node_text_at(node, "name"),
                             number);
}

/* --- Paths in order ------------------------------------------------------- */

/* What the sort below looks at: texts in place of references. */
typedef struct path_entry {
    met__text path;
    met__text method;
    met__snapshot_path record;
} path_entry;

static int compare_paths(const void *left, const void *right)
{
    const path_entry *a = left;
    const path_entry *b = right;
    int order = met__text_compare(a->path, b->path);

    if (order == 0) {
        order = met__text_compare(a->method, b->method);
    }
    if (order == 0) { /* the same twice: the first name wins */
        order = a->record.route < b->record.route ? 1 : -1;
    }
    return order;
}

static int begins_with(met__text path, met__text prefix)
{
    return prefix.size < path.size
           && (prefix.size == 0
               || memcmp(prefix.data, path.data, prefix.size) == 0);
}

/* The last record before `index` whose path this one begins with: it stands on
 * the chain of parents of the record before. */
static uint32_t parent_of(const path_entry *entries, uint32_t index)
{
    uint32_t at = index > 0 ? index - 1 : MET__NONE;

    while (at != MET__NONE
           && !begins_with(entries[index].path, entries[at].path)) {
        at = entries[at].record.parent;
    }
    return at;
}

static met_error sort_paths(met__compile *compile)
{
    met__snapshot_writer *writer = compile->writer;
    uint32_t count = met__snapshot_count(writer, MET__SECTION_PATH);
    const char *texts = writer->sections[MET__SECTION_TEXT].data;
    path_entry *entries =
        met__arena_allocate(compile->arena, (count + 1) * sizeof *entries);

    if (entries == NULL || met__snapshot_writer_error(writer) != MET_OK) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const met__snapshot_path *path =
            met__snapshot_get(writer, MET__SECTION_PATH, i);
        entries[i].record = *path;
        entries[i].path = met__text_of(texts + path->path.offset,
                                       path->path.size);
        entries[i].method = met__text_of(texts + path->method.offset,
                                         path->method.size);
    }
    qsort(entries, count, sizeof *entries, compare_paths);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].record.parent = parent_of(entries, i);
        memcpy(met__snapshot_get(writer, MET__SECTION_PATH, i),
               &entries[i].record, sizeof entries[i].record);
    }
    return MET_OK;
}

/* --- Consumers ------------------------------------------------------------ */

static met_error add_groups(met__compile *compile, const met__node *list,
                            met__snapshot_consumer *consumer)
{
    met__snapshot_writer *writer = compile->writer;
    met_error error = MET_OK;

    consumer->groups.first = met__snapshot_count(writer, MET__SECTION_GROUP);
    for (uint32_t i = 0; error == MET_OK && list != NULL && i < list->count;
         i++) {
        uint32_t number;
        error = met__compile_group(
            compile, met__node_text_at(list->as.items[i], "group"), &number);
        if (error == MET_OK) {
            met__snapshot_add(writer, MET__SECTION_GROUP, &number);
            consumer->groups.count++;
        }
    }
    return error;
}

/* first: the line of the first key. */
static met_error add_keys(met__compile *compile, const met__node *list,
                          uint32_t consumer, met__ref first)
{
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        const met__node *item = list->as.items[i];
        met__snapshot_credential credential = {.header = first,
                                               .consumer = consumer};
        met_error error = i == 0 ? MET_OK
                                 : met__compile_line(compile, item,
                                                     &credential.header);
        if (error != MET_OK) {
            return error;
        }
        if (!met__credential_hash_parse(met__node_text_at(item, "hash"),
                                        &credential.hash)
            || met__credential_end(item, &credential.expires_at_ns)
                   != MET_OK) {
            return MET_E_CORRUPT;
        }
        met__snapshot_add(compile->writer, MET__SECTION_CREDENTIAL,
                          &credential);
    }
    return MET_OK;
}

/* Which consumer groups it is in; one that is gone is none. */
static met_error add_memberships(met__compile *compile,
                                 const met__node *list, uint32_t consumer)
{
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        met__membership member = {
            met__compile_number(compile, "consumer_group",
                                list->as.items[i]->as.text),
            consumer, INT64_MIN, INT64_MAX};
        if (member.circle != MET__NONE) {
            met__buffer_append(&compile->memberships, &member,
                               sizeof member);
        }
    }
    return compile->memberships.error;
}

static met_error add_consumer_group(met__compile *compile,
                                    const met__node *node)
{
    return met__compile_name(compile, "consumer_group",
                             met__node_text_at(node, "name"),
                             compile->circle_count++);
}

/* Plans that limits are scoped to; of others nobody need know who is. */
static met_error add_plan(met__compile *compile, const met__node *node)
{
    met__text key = met__node_text_at(node, "plan");

    if (key.size == 0
        || met__compile_number(compile, "plan", key) != MET__NONE) {
        return MET_OK;
    }
    compile->plan_count++;
    return met__compile_name(compile, "plan", key, compile->circle_count++);
}

static met_error add_consumer(met__compile *compile, const met__node *node)
{
    met__text username = met__node_text_at(node, "username");
    met__text id = met__node_text_at(node, "id");
    uint32_t number =
        met__snapshot_count(compile->writer, MET__SECTION_CONSUMER);
    met__snapshot_consumer consumer = {
        .username = text_at(compile, node, "username"),
        .id = text_at(compile, node, "id"),
        .subject = text_at(compile, node, "subject")};
    met__ref credential = {0, 0};
    met_error error = met__compile_lines(compile, node, &consumer,
                                         &credential);

    if (error == MET_OK) {
        error = add_groups(compile, met__node_get(node, "acls"), &consumer);
    }
    if (error == MET_OK) {
        error = add_keys(compile, met__node_get(node, "keyauth_credentials"),
                         number, credential);
    }
    if (error == MET_OK) {
        error = add_memberships(compile, met__node_get(node, "groups"),
                                number);
    }
    if (error == MET_OK) {
        error = met__compile_rows(compile, &consumer,
                                  met__node_text_at(node, "subject"));
    }
    if (error == MET_OK) {
        met__snapshot_add(compile->writer, MET__SECTION_CONSUMER, &consumer);
        error = met__compile_name(compile, "consumer", username, number);
    }
    return error != MET_OK
               ? error
               : met__compile_name(compile, "consumer_id", id, number);
}

/* --- Tables --------------------------------------------------------------- */
/* Where the search for a record begins. */
typedef uint64_t start_of(const met__compile *compile, uint32_t index);

static uint64_t start_of_key(const met__compile *compile, uint32_t index)
{
    const met__snapshot_credential *credential = met__snapshot_get(
        compile->writer, MET__SECTION_CREDENTIAL, index);
    uint64_t at;

    memcpy(&at, credential->hash.bytes, sizeof at);
    return at;
}

static uint64_t start_of_name(const met__compile *compile, uint32_t index)
{
    const met__snapshot_consumer *consumer = met__snapshot_get(
        compile->writer, MET__SECTION_CONSUMER, index);
    const char *texts = compile->writer->sections[MET__SECTION_TEXT].data;

    return met__snapshot_name_hash(
        met__store_secret(met__txn_store(compile->txn)),
        met__text_of(texts + consumer->username.offset,
                     consumer->username.size));
}

/* The table of a section's records, at most half full. */
static met_error add_slots(met__compile *compile, uint32_t section,
                           uint32_t slots, start_of *start)
{
    met__snapshot_writer *writer = compile->writer;
    uint32_t count = met__snapshot_count(writer, section);
    uint32_t capacity = 1;

    while (capacity < 2 * (uint64_t)count) {
        capacity *= 2;
    }
    for (uint32_t i = 0; count > 0 && i < capacity; i++) {
        uint32_t free_slot = 0;
        met__snapshot_add(writer, slots, &free_slot);
    }
    if (met__snapshot_writer_error(writer) != MET_OK) {
        return met__snapshot_writer_error(writer);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = start(compile, i);
        uint32_t *slot;
        do {
            slot = met__snapshot_get(writer, slots,
                                     (uint32_t)(at++ & (capacity - 1)));
        } while (*slot != 0);
        *slot = i + 1;
    }
    return MET_OK;
}

/* --- All of it ------------------------------------------------------------ */

static met_error compile_all(met__compile *compile)
{
    met_error error = compile_each(compile, "service", add_service);

    if (error == MET_OK) {
        error = compile_each(compile, "route", add_route);
    }
    if (error == MET_OK) {
        error = sort_paths(compile);
    }
    if (error == MET_OK) {
        error = met__compile_features(compile);
    }
    if (error == MET_OK) {
        error = compile_each(compile, "consumer_group", add_consumer_group);
    }
    if (error == MET_OK) {
        error = compile_each(compile, "plugin", add_plan);
    }
    if (error == MET_OK) {
        error = compile_each(compile, "consumer", add_consumer);
    }
    if (error == MET_OK) {
        error = add_slots(compile, MET__SECTION_CREDENTIAL,
                          MET__SECTION_CREDENTIAL_SLOT, start_of_key);
    }
    if (error == MET_OK) {
        error = add_slots(compile, MET__SECTION_CONSUMER,
                          MET__SECTION_CONSUMER_SLOT, start_of_name);
    }
    if (error == MET_OK) {
        error = compile_each(compile, "plugin", met__compile_plugin);
    }
    if (error == MET_OK) {
        error = met__compile_scopes(compile);
    }
    return error == MET_OK ? met__snapshot_writer_error(compile->writer)
                           : error;
}

met_error met__snapshot_compile(met__txn *txn, met__snapshot_writer *writer,
                                met_error_info *info)
{
    const met__platform *platform = met__store_platform(met__txn_store(txn));
    met__arena arena;
    met__compile compile = {.txn = txn,
                            .arena = &arena,
                            .writer = writer,
                            .info = info,
                            .terms = {.arena = &arena},
                            .now_ns = met__txn_now_ns(txn)};

    met__arena_init(&arena, platform);
    met__buffer_init(&compile.scoped, platform);
    met__buffer_init(&compile.circle_limits, platform);
    met__buffer_init(&compile.memberships, platform);
    met__buffer_init(&compile.additive, platform);
    met__name_set_init(&compile.names, &arena,
                       met__store_secret(met__txn_store(txn)));
    met_error error = compile_all(&compile);
    met__buffer_release(&compile.scoped);
    met__buffer_release(&compile.circle_limits);
    met__buffer_release(&compile.memberships);
    met__buffer_release(&compile.additive);
    met__arena_release(&arena);
    return error;
}
