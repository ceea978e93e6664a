/* Consumers with their API keys and groups: reading them out of a document,
 * where keys and groups stand inside the consumer or in lists of their own.
 * What a document says of a consumer's keys (or groups) is all of them: who is
 * not named any more is revoked. Keys are hashed here and go no further.
 * In: document items. Out: consumers, CREDENTIAL[hash] -> username. */
#include "base/check.h"
#include "gateway/entity_parts.h"

#define USERNAME_MAX (MET__SUBJECT_SIZE_MAX - 9) /* "consumer:" before it */

typedef struct pending_key {
    struct pending_key *next;
    met__credential_hash hash;
    met__text id; /* given */
    int64_t ttl;
    char *field; /* where it stood, for errors */
} pending_key;

struct met__pending_consumer {
    met__pending_consumer *next;
    met__text username;
    met__text custom_id;
    met__text id;
    int has_document; /* else only keys or groups of a stored one */
    int has_keys;
    int has_groups;
    uint32_t key_count;
    pending_key *first_key;
    pending_key *last_key;
    met__node *groups;
    met__node *memberships; /* consumer groups; NULL: not said */
    char *field;
};

static char *print_field(met__entity_run *run, const met__path *path,
                         const char *name)
{
    char text[MET_ERROR_FIELD_SIZE];

    met__path_print(path, name, text, sizeof text);
    return met__arena_copy(run->arena, text, strlen(text));
}

/* The pending consumer of a username, made when it is missing. */
static met_error pending(met__entity_run *run, met__text username,
                         const met__path *path,
                         met__pending_consumer **consumer_out)
{
    met__name_slot *slot = met__entity_slot(run, "pending", username);

    if (slot == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__pending_consumer *consumer = slot->value;
    if (consumer == NULL) {
        consumer = met__arena_allocate(run->arena, sizeof *consumer);
        if (consumer == NULL) {
            return MET_E_NO_MEMORY;
        }
        consumer->username = username;
        consumer->groups = met__node_array(run->arena);
        consumer->field = print_field(run, path, NULL);
        if (consumer->groups == NULL || consumer->field == NULL) {
            return MET_E_NO_MEMORY;
        }
        slot->value = consumer;
        if (run->last != NULL) {
            run->last->next = consumer;
        } else {
            run->first = consumer;
        }
        run->last = consumer;
    }
    *consumer_out = consumer;
    return MET_OK;
}

/* Whose key or group an item is: the consumer around it, or its field. */
static met_error owner(met__entity_run *run, met__fields *fields,
                       const met__path *path, met__text around,
                       met__pending_consumer **consumer_out)
{
    met__text username = around;
    const met__node *node = NULL;

    if (around.size == 0) {
        (void)met__fields_any(fields, "consumer", MET__REQUIRED, &node);
        if (fields->error != MET_OK) {
            return fields->error;
        }
        username = node->kind == MET__NODE_OBJECT
                       ? met__node_text_at(node, "username")
                       : (met__text){NULL, 0};
        username = node->kind == MET__NODE_TEXT ? node->as.text : username;
        met__name_slot *slot = username.size > 0
                                   ? met__entity_slot(run, "pending", username)
                                   : NULL;
        if (slot == NULL || slot->value == NULL) {
            (void)met__entity_reference(run, fields, "consumer", "consumer",
                                        path, &username);
        }
    }
    return fields->error != MET_OK
               ? fields->error
               : pending(run, username, path, consumer_out);
}

/* --- Reading -------------------------------------------------------------- */

static met_error add_key(met__entity_run *run, met__pending_consumer *who,
                         const pending_key *key)
{
    pending_key *copy = met__arena_allocate(run->arena, sizeof *copy);

    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *copy = *key;
    if (who->last_key != NULL) {
        who->last_key->next = copy;
    } else {
        who->first_key = copy;
    }
    who->last_key = copy;
    who->key_count++;
    return MET_OK;
}

met_error met__keyauth_read(met__entity_run *run, const met__node *item,
                            const met__path *path, met__text consumer)
{
    static const char *const unserved[] = {"tags", "created_at", NULL};
    met__pending_consumer *who = NULL;
    met__text ignored = {NULL, 0};
    met__text key = {NULL, 0};
    pending_key one = {0};
    met__fields fields;
    met_error error = met__fields_begin(&fields, item, path, run->info);

    if (error == MET_OK) {
        (void)met__fields_text(&fields, "key", MET__REQUIRED, 1,
                               MET_GATEWAY_KEY_SIZE_MAX, &key);
        (void)met__fields_text(&fields, "id", MET__OPTIONAL, 1,
                               MET__ENTITY_ID_MAX, &one.id);
        (void)met__fields_integer(&fields, "ttl", MET__OPTIONAL, 0,
                                  MET__CREDENTIAL_TTL_MAX, &one.ttl);
        (void)met__entity_ignore(run, &fields, unserved, &ignored);
        (void)owner(run, &fields, path, consumer, &who);
        error = met__fields_end(&fields);
    }
    if (error != MET_OK) {
        return error;
    }
    met__credential_hash_of(
        met__store_credential_key(met__txn_store(run->txn)), key, &one.hash);
    char *name = met__arena_copy(run->arena, &one.hash, sizeof one.hash);
    one.field = print_field(run, path, "key");
    if (name == NULL || one.field == NULL) {
        return MET_E_NO_MEMORY;
    }
    error = met__entity_once(run, "key", met__text_of(name, sizeof one.hash),
                             path, "key");
    if (error == MET_OK && who->key_count == MET__CREDENTIALS_MAX) {
        error = met__fail_at(run->info, MET_E_LIMIT, path, NULL,
                             "a consumer has at most %d keys",
                             MET__CREDENTIALS_MAX);
    }
    if (error == MET_OK) {
        who->has_keys = 1;
        error = add_key(run, who, &one);
    }
    if (error == MET_OK) {
        error = ignored.size == 0
                    ? MET_OK
                    : met__entity_note_ignored(run, "keyauth_credential",
                                               who->username, ignored,
                                               "is not kept");
    }
    return error;
}

met_error met__acl_read(met__entity_run *run, const met__node *item,
                        const met__path *path, met__text consumer)
{
    static const char *const unserved[] = {"id", "tags", "created_at", NULL};
    met__pending_consumer *who = NULL;
    met__text ignored = {NULL, 0};
    met__text group = {NULL, 0};
    met__fields fields;
    met__builder entry;
    met__node *node;
    met_error error = met__fields_begin(&fields, item, path, run->info);

    if (error == MET_OK) {
        (void)met__fields_text(&fields, "group", MET__REQUIRED, 1,
                               MET__ENTITY_NAME_MAX, &group);
        (void)met__entity_ignore(run, &fields, unserved, &ignored);
        (void)owner(run, &fields, path, consumer, &who);
        error = met__fields_end(&fields);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&entry, run->arena);
    met__build_text(&entry, "group", group);
    error = met__builder_end(&entry, &node);
    for (uint32_t i = 0; error == MET_OK && i < who->groups->count; i++) {
        if (met__node_equal(who->groups->as.items[i], node)) {
            return met__fail_at(run->info, MET_E_INVALID, path, "group",
                                "the consumer is in it already");
        }
    }
    if (error == MET_OK && who->groups->count == MET__GROUPS_MAX) {
        error = met__fail_at(run->info, MET_E_LIMIT, path, NULL,
                             "a consumer is in at most %d groups",
                             MET__GROUPS_MAX);
    }
    if (error == MET_OK) {
        who->has_groups = 1;
        error = met__node_append(run->arena, who->groups, node);
    }
    return error == MET_OK && ignored.size > 0
               ? met__entity_note_ignored(run, "acl", who->username, ignored,
                                          "is not kept")
               : error;
}

met_error met__consumer_read(met__entity_run *run, const met__node *item,
                             const met__path *path, met__text parent)
{
    static const char *const unserved[] = {
        "tags", "basicauth_credentials", "hmacauth_credentials",
        "jwt_secrets", "oauth2_credentials", "mtls_auth_credentials", NULL};
    met__pending_consumer *who = NULL;
    met__text ignored = {NULL, 0};
    met__text username = {NULL, 0};
    met__text custom_id = {NULL, 0};
    met__text id = {NULL, 0};
    const met__node *keys = NULL;
    const met__node *groups = NULL;
    const met__node *plugins = NULL;
    const met__node *members = NULL;
    met__fields fields;
    met_error error = met__fields_begin(&fields, item, path, run->info);

    if (error == MET_OK) {
        (void)met__fields_text(&fields, "username", MET__REQUIRED, 1,
                               USERNAME_MAX, &username);
        (void)met__fields_text(&fields, "custom_id", MET__OPTIONAL, 1,
                               MET__ENTITY_NAME_MAX, &custom_id);
        (void)met__fields_text(&fields, "id", MET__OPTIONAL, 1,
                               MET__ENTITY_ID_MAX, &id);
        (void)met__fields_any(&fields, "keyauth_credentials", MET__OPTIONAL,
                              &keys);
        (void)met__fields_any(&fields, "acls", MET__OPTIONAL, &groups);
        (void)met__fields_any(&fields, "groups", MET__OPTIONAL, &members);
        (void)met__fields_any(&fields, "plugins", MET__OPTIONAL, &plugins);
        (void)met__entity_ignore(run, &fields, unserved, &ignored);
        error = met__fields_end(&fields);
    }
    if (error == MET_OK) {
        error = met__entity_once(run, "consumer", username, path, "username");
    }
    if (error == MET_OK) {
        error = pending(run, username, path, &who);
    }
    if (error == MET_OK) {
        who->has_document = 1;
        who->custom_id = custom_id;
        who->id = id;
        who->has_keys |= keys != NULL;
        who->has_groups |= groups != NULL;
        if (members != NULL) {
            error = met__memberships_read(run, members, path,
                                          &who->memberships);
        }
    }
    if (error == MET_OK) {
        error = met__entity_each(run, keys, path, "keyauth_credentials",
                                 met__keyauth_read, username);
    }
    if (error == MET_OK) {
        error = met__entity_each(run, groups, path, "acls", met__acl_read,
                                 username);
    }
    return error == MET_OK && ignored.size > 0
               ? met__entity_note_ignored(run, "consumer", username, ignored,
                                          "is not served by this version")
               : error;
}

/* --- Keys in the store ---------------------------------------------------- */

static const met__node *find_key(const met__node *list,
                                 const met__credential_hash *hash)
{
    char hex[MET__CREDENTIAL_HEX_SIZE];

    met__credential_hash_print(hash, hex);
    for (uint32_t i = 0; list != NULL && list->kind == MET__NODE_ARRAY
                         && i < list->count;
         i++) {
        if (met__text_equal(met__node_text_at(list->as.items[i], "hash"),
                            met__text_of(hex, sizeof hex))) {
            return list->as.items[i];
        }
    }
    return NULL;
}

/* Takes the keys out of the table that are in the list and not pending. */
static met_error drop_keys(met__txn *txn, const met__node *list,
                           const met__pending_consumer *who)
{
    met_error error = MET_OK;

    for (uint32_t i = 0; error == MET_OK && list != NULL
                         && list->kind == MET__NODE_ARRAY && i < list->count;
         i++) {
        met__credential_hash hash;
        int is_kept = 0;
        if (!met__credential_hash_parse(
                met__node_text_at(list->as.items[i], "hash"), &hash)) {
            return MET_E_CORRUPT;
        }
        for (const pending_key *key = who ? who->first_key : NULL; key != NULL;
             key = key->next) {
            is_kept |= memcmp(&key->hash, &hash, sizeof hash) == 0;
        }
        if (!is_kept) {
            error = met__txn_remove(txn, MET__TABLE_CREDENTIAL, &hash,
                                    sizeof hash);
            error = error == MET_E_NOT_FOUND ? MET_OK : error;
        }
    }
    return error;
}

/* A key of another consumer is refused; else it is this one's. */
static met_error claim_key(met__entity_run *run,
                           const met__pending_consumer *who,
                           const pending_key *key)
{
    met__text owner_name;
    met_error error = met__txn_get(run->txn, MET__TABLE_CREDENTIAL,
                                   &key->hash, sizeof key->hash, &owner_name);

    if (error == MET_OK) {
        return met__text_equal(owner_name, who->username)
                   ? MET_OK
                   : met__fail(run->info, MET_E_CONFLICT, key->field,
                               "is the key of another consumer");
    }
    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    return met__txn_put(run->txn, MET__TABLE_CREDENTIAL, &key->hash,
                        sizeof key->hash, who->username.data,
                        who->username.size);
}

/* {"id", "hash", "ttl"?, "created_at"} with what is known of it already. */
static met_error key_node(met__entity_run *run, const pending_key *key,
                          const met__node *stored, met__node **node_out)
{
    const met__node *known = find_key(stored, &key->hash);
    met__text id = key->id;
    int64_t created_at = run->now_ns;
    char hex[MET__CREDENTIAL_HEX_SIZE];
    met__builder builder;
    met_error error = MET_OK;

    if (known != NULL) {
        id = id.size > 0 ? id : met__node_text_at(known, "id");
        (void)met__time_parse(met__node_text_at(known, "created_at"),
                              &created_at);
    }
    if (id.size == 0) {
        error = met__object_id(run->txn, run->now_ns, run->arena, &id);
    }
    if (error != MET_OK) {
        return error;
    }
    met__credential_hash_print(&key->hash, hex);
    met__builder_begin(&builder, run->arena);
    met__build_text(&builder, "id", id);
    met__build_text(&builder, "hash", met__text_of(hex, sizeof hex));
    if (key->ttl > 0) {
        met__build_integer(&builder, "ttl", key->ttl);
    }
    met__build_time(&builder, "created_at", created_at);
    if (known != NULL) {
        met__build_text(&builder, "replaces",
                        met__node_text_at(known, "replaces"));
    }
    return met__builder_end(&builder, node_out);
}

static met_error key_list(met__entity_run *run,
                          const met__pending_consumer *who,
                          const met__node *stored, const met__node **list_out)
{
    met__node *list = met__node_array(run->arena);
    met_error error = list != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (const pending_key *key = who->first_key;
         error == MET_OK && key != NULL; key = key->next) {
        met__node *node;
        error = claim_key(run, who, key);
        if (error == MET_OK) {
            error = key_node(run, key, stored, &node);
        }
        if (error == MET_OK) {
            error = met__node_append(run->arena, list, node);
        }
    }
    *list_out = list;
    return error;
}

/* --- Storing -------------------------------------------------------------- */

/* custom_id is unique; its index follows a change. */
static met_error claim_custom_id(met__entity_run *run,
                                 const met__pending_consumer *who,
                                 met__text stored)
{
    met__text owner_name;
    met_error error = MET_OK;

    if (met__text_equal(stored, who->custom_id)) {
        return MET_OK;
    }
    if (stored.size > 0) {
        error = met__entity_index_put(run->txn, "consumer_custom", stored,
                                      (met__text){"", 0}, run->arena);
    }
    if (error != MET_OK || who->custom_id.size == 0) {
        return error;
    }
    error = met__entity_index_get(run->txn, "consumer_custom", who->custom_id,
                                  run->arena, &owner_name);
    if (error == MET_OK && owner_name.size > 0
        && !met__text_equal(owner_name, who->username)) {
        return met__fail(run->info, MET_E_CONFLICT, who->field,
                         "custom_id belongs to the consumer \"%.*s\"",
                         (int)owner_name.size, owner_name.data);
    }
    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    return met__entity_index_put(run->txn, "consumer_custom", who->custom_id,
                                 who->username, run->arena);
}

/* "consumer:<id>" when the document names an id, else of the username; what a
 * stored consumer has stays. */
static met_error build_subject(met__entity_run *run,
                               const met__pending_consumer *who,
                               const met__node *stored, met__builder *content)
{
    met__text subject = met__node_text_at(stored, "subject");

    if (subject.size == 0) {
        met__text name = who->id.size > 0 ? who->id : who->username;
        char *text = met__arena_print(run->arena, "consumer:%.*s",
                                      (int)name.size, name.data);
        if (text == NULL) {
            return MET_E_NO_MEMORY;
        }
        subject = met__text_z(text);
    }
    met__build_text(content, "subject", subject);
    return MET_OK;
}

static met_error store_consumer(met__entity_run *run,
                                met__pending_consumer *who)
{
    met__node *stored = NULL;
    met__builder content;
    met_error error = met__entity_load(run->txn, MET__TEXT("consumer"),
                                       who->username, run->arena, &stored);
    error = error == MET_E_NOT_FOUND ? MET_OK : error;
    if (error != MET_OK) {
        return error;
    }
    const met__node *keys =
        stored ? met__node_get(stored, "keyauth_credentials") : NULL;
    const met__node *groups = stored ? met__node_get(stored, "acls") : NULL;
    met__text custom_id = met__node_text_at(stored, "custom_id");
    if (!who->has_document) {
        who->custom_id = custom_id;
    }
    error = claim_custom_id(run, who, custom_id);
    if (error == MET_OK && who->has_keys) {
        error = key_list(run, who, keys, &keys);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&content, run->arena);
    met__build_text(&content, "username", who->username);
    met__build_text(&content, "custom_id", who->custom_id);
    error = build_subject(run, who, stored, &content);
    met__build_node(&content, "keyauth_credentials", keys);
    met__build_node(&content, "acls", who->has_groups ? who->groups : groups);
    met__build_node(&content, "groups",
                    who->memberships != NULL || stored == NULL
                        ? who->memberships
                        : met__node_get(stored, "groups"));
    met__path path = {NULL, who->field, 0};
    return error != MET_OK ? error
                           : met__entity_put(run, "consumer", who->username,
                                             &content, who->id, &path);
}

met_error met__consumers_flush(met__entity_run *run)
{
    met_error error = MET_OK;

    /* First what is given up, so that a key may move to another consumer. */
    for (met__pending_consumer *who = run->first;
         error == MET_OK && who != NULL; who = who->next) {
        met__node *stored = NULL;
        error = met__entity_load(run->txn, MET__TEXT("consumer"),
                                 who->username, run->arena, &stored);
        if (error == MET_OK && who->has_keys) {
            error = drop_keys(run->txn,
                              met__node_get(stored, "keyauth_credentials"),
                              who);
        }
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    for (met__pending_consumer *who = run->first;
         error == MET_OK && who != NULL; who = who->next) {
        error = store_consumer(run, who);
    }
    return error;
}

met_error met__consumer_forget(met__txn *txn, const met__node *document,
                               met__arena *arena)
{
    met__text custom_id = met__node_text_at(document, "custom_id");
    met_error error = drop_keys(
        txn, met__node_get(document, "keyauth_credentials"), NULL);

    if (error == MET_OK && custom_id.size > 0) {
        error = met__entity_index_put(txn, "consumer_custom", custom_id,
                                      (met__text){"", 0}, arena);
    }
    return error;
}
