/* Consumer groups, and which of them consumers are in. A group is there for
 * the plugins that are scoped to it; it has nothing to do with the groups of
 * access lists. In: document items. Out: stored groups, lists of names. */
#include "base/check.h"
#include "gateway/entity_parts.h"

met_error met__group_read(met__entity_run *run, const met__node *item,
                          const met__path *path, met__text parent)
{
    static const char *const unserved[] = {"tags", "consumers", NULL};
    met__text ignored = {NULL, 0};
    met__text name = {NULL, 0};
    met__text id = {NULL, 0};
    const met__node *plugins = NULL;
    met__builder content;
    met__fields fields;
    met_error error = met__fields_begin(&fields, item, path, run->info);

    if (error == MET_OK) {
        (void)met__fields_text(&fields, "name", MET__REQUIRED, 1,
                               MET__ENTITY_NAME_MAX, &name);
        (void)met__fields_text(&fields, "id", MET__OPTIONAL, 1,
                               MET__ENTITY_ID_MAX, &id);
        (void)met__fields_any(&fields, "plugins", MET__OPTIONAL, &plugins);
        (void)met__entity_ignore(run, &fields, unserved, &ignored);
        error = met__fields_end(&fields);
    }
    if (error == MET_OK) {
        error = met__entity_once(run, "consumer_group", name, path, "name");
    }
    if (error == MET_OK) {
        met__builder_begin(&content, run->arena);
        met__build_text(&content, "name", name);
        error = met__entity_put(run, "consumer_group", name, &content, id,
                                path);
    }
    return error == MET_OK && ignored.size > 0
               ? met__entity_note_ignored(run, "consumer_group", name,
                                          ignored,
                                          "is not served by this version")
               : error;
}

/* --- Leaving -------------------------------------------------------------- */
static int is_in(const met__node *consumer, met__text group)
{
    const met__node *groups = met__node_get(consumer, "groups");

    for (uint32_t i = 0; groups != NULL && i < groups->count; i++) {
        if (met__text_equal(groups->as.items[i]->as.text, group)) {
            return 1;
        }
    }
    return 0;
}

static met_error leave(met__txn *txn, met__text key, const met__node *consumer,
                       met__text group, met__arena *arena)
{
    const met__node *groups = met__node_get(consumer, "groups");
    met__node *left = met__node_array(arena);
    met__node *node = NULL;
    met__builder builder;
    met_error error = left != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (uint32_t i = 0; error == MET_OK && i < groups->count; i++) {
        if (!met__text_equal(groups->as.items[i]->as.text, group)) {
            error = met__node_append(arena, left, groups->as.items[i]);
        }
    }
    met__builder_begin(&builder, arena);
    for (uint32_t i = 0; error == MET_OK && i < consumer->count; i++) {
        met__node *value = consumer->as.members[i].node;
        met__build_node(&builder, consumer->as.members[i].name.data,
                        value == groups ? left : value);
    }
    if (error == MET_OK) {
        error = met__builder_end(&builder, &node);
    }
    return error != MET_OK ? error
                           : met__record_put(txn, MET__TABLE_GATEWAY,
                                             key.data, key.size, node);
}

/* Keys of the consumers that are in the group. */
static met_error members_of(met__txn *txn, met__text group,
                            met__arena *arena, met__node **keys_out)
{
    met__scan scan;
    met__text prefix;
    met__text key;
    met__text value;
    met__node *keys = met__node_array(arena);
    met_error error = keys == NULL
                          ? MET_E_NO_MEMORY
                          : met__object_key(arena, MET__TEXT("consumer"),
                                            (met__text){NULL, 0}, &prefix);

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(txn, MET__TABLE_GATEWAY, prefix.data, prefix.size,
                            &scan);
    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            met__arena one;
            met__node *consumer;
            met__arena_init(&one, arena->platform);
            error = met__record_unpack(&one, value, &consumer);
            if (error == MET_OK && is_in(consumer, group)) {
                error = met__node_append(arena, keys,
                                         met__node_text(arena, key));
            }
            met__arena_release(&one);
        }
    }
    met__scan_end(&scan);
    *keys_out = keys;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__group_forget(met__txn *txn, met__text name, met__arena *arena)
{
    met__node *keys = NULL;
    met_error error = members_of(txn, name, arena, &keys);

    for (uint32_t i = 0; error == MET_OK && i < keys->count; i++) {
        met__text key = keys->as.items[i]->as.text;
        met__node *consumer;
        error = met__record_get(txn, MET__TABLE_GATEWAY, key.data, key.size,
                                arena, &consumer);
        if (error == MET_OK) {
            error = leave(txn, key, consumer, name, arena);
        }
    }
    return error;
}

/* --- Being in it ---------------------------------------------------------- */
/* NAME, or {"name": NAME}, or {"id": ID}. */
static met_error read_membership(met__entity_run *run, const met__node *item,
                                 const met__path *path, met__text *name_out)
{
    met__text named =
        item->kind == MET__NODE_TEXT ? item->as.text : (met__text){NULL, 0};

    if (item->kind == MET__NODE_OBJECT && item->count == 1) {
        named = met__node_text_at(item, "name");
        named = named.size > 0 ? named : met__node_text_at(item, "id");
    }
    if (named.size == 0) {
        return met__fail_at(run->info, MET_E_INVALID, path, NULL,
                            "must be a name, or an object with one name or "
                            "id");
    }
    met_error error = met__entity_resolve(run->txn, "consumer_group", named,
                                          run->arena, name_out);
    return error == MET_E_NOT_FOUND
               ? met__fail_at(run->info, error, path, NULL,
                              "no consumer_group of that name")
               : error;
}

met_error met__memberships_read(met__entity_run *run, const met__node *list,
                                const met__path *path, met__node **names_out)
{
    met__path list_path = {path, "groups", 0};
    met__node *names = met__node_array(run->arena);
    met_error error = names != NULL ? MET_OK : MET_E_NO_MEMORY;

    if (error == MET_OK && list->kind != MET__NODE_ARRAY) {
        error = met__fail_at(run->info, MET_E_INVALID, path, "groups",
                             "must be a list");
    }
    if (error == MET_OK && list->count > MET__GROUPS_MAX) {
        error = met__fail_at(run->info, MET_E_LIMIT, path, "groups",
                             "a consumer is in at most %d groups",
                             MET__GROUPS_MAX);
    }
    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        met__path item_path = {&list_path, NULL, i};
        met__text name;
        error = read_membership(run, list->as.items[i], &item_path, &name);
        met__node *node =
            error == MET_OK ? met__node_text(run->arena, name) : NULL;
        for (uint32_t k = 0; node != NULL && k < names->count; k++) {
            if (met__node_equal(names->as.items[k], node)) {
                return met__fail_at(run->info, MET_E_INVALID, &item_path,
                                    NULL, "the consumer is in it already");
            }
        }
        if (error == MET_OK) {
            error = node != NULL
                        ? met__node_append(run->arena, names, node)
                        : MET_E_NO_MEMORY;
        }
    }
    *names_out = names;
    return error;
}
