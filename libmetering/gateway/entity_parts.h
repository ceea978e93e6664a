/* Between the files that read, store and show gateway entities: entity.c walks
 * a document, entity_service.c, entity_consumer.c and entity_plugin.c read one
 * kind each, entity_store.c puts and gets. Nobody else includes this. */
#ifndef MET_GATEWAY_ENTITY_PARTS_H
#define MET_GATEWAY_ENTITY_PARTS_H

#include "gateway/credential.h"
#include "metering/gateway.h"
#include "gateway/entity.h"
#include "gateway/name_set.h"

#define MET__ENTITY_NAME_MAX 128
#define MET__ENTITY_ID_MAX 64
#define MET__PLUGIN_NAME_MAX 448
#define MET__ROUTE_PATHS_MAX 256
#define MET__ROUTE_PATH_MAX 1024
#define MET__GROUPS_MAX 64      /* of a consumer, of an access list */
#define MET__CREDENTIALS_MAX 64 /* of a consumer */

typedef struct met__pending_consumer met__pending_consumer;

/* One run of met__gateway_apply. */
typedef struct met__entity_run {
    met__txn *txn;
    int64_t now_ns;
    int is_strict;
    uint32_t reserved;
    met__arena *arena;
    void *context;
    met_error (*note)(void *context, const met__entity_note *note);
    met_error_info *info;
    met__name_set names; /* of this document: an entity may be there once */
    met__pending_consumer *first; /* in the order of the document */
    met__pending_consumer *last;
    uint64_t changes; /* entities created or updated */
} met__entity_run;

/* --- entity.c ------------------------------------------------------------- */
/* The slot of a name, made when it is missing; NULL when memory is out. */
met__name_slot *met__entity_slot(met__entity_run *run, const char *kind,
                                 met__text name);
/* Marks a name as seen; MET_E_INVALID when it was. */
met_error met__entity_once(met__entity_run *run, const char *kind,
                           met__text name, const met__path *path,
                           const char *field);
/* Reads away the members of the list that are there, and adds their names to
 * *ignored_out ("retries, tags"). Strict: MET_E_UNSUPPORTED. names: ends with
 * NULL. */
met_error met__entity_ignore(met__entity_run *run, met__fields *fields,
                             const char *const *names, met__text *ignored_out);
met_error met__entity_note_change(met__entity_run *run, const char *kind,
                                  met__text name, uint32_t change);
/* An entity, or fields of it ("tags"), that are not served. */
met_error met__entity_note_ignored(met__entity_run *run, const char *kind,
                                   met__text name, met__text fields,
                                   const char *reason);
typedef met_error (*met__entity_reader)(met__entity_run *run,
                                        const met__node *item,
                                        const met__path *path,
                                        met__text parent);
/* Every item of a list through one reader; list may be NULL. */
met_error met__entity_each(met__entity_run *run, const met__node *list,
                           const met__path *path, const char *name,
                           met__entity_reader reader, met__text parent);

/* --- entity_store.c ------------------------------------------------------- */
/* Creates or updates: content is the document without id and times; a given
 * id is in given_id. The stored id and created_at stay. */
met_error met__entity_put(met__entity_run *run, const char *kind,
                          met__text name, met__builder *content,
                          met__text given_id, const met__path *path);
met_error met__entity_load(met__txn *txn, met__text kind, met__text name,
                           met__arena *arena, met__node **node_out);
/* The name behind a name or an id. MET_E_NOT_FOUND. */
met_error met__entity_resolve(met__txn *txn, const char *kind, met__text name,
                              met__arena *arena, met__text *name_out);
/* A field "service": NAME, or {"name": …}, or {"id": …}: the entity's name;
 * empty when the field is missing. Unknown: MET_E_NOT_FOUND with the path. */
met_error met__entity_reference(met__entity_run *run, met__fields *fields,
                                const char *field, const char *kind,
                                const met__path *path, met__text *name_out);
met_error met__entity_index_put(met__txn *txn, const char *kind,
                                met__text from, met__text name,
                                met__arena *arena);
met_error met__entity_index_get(met__txn *txn, const char *kind,
                                met__text from, met__arena *arena,
                                met__text *name_out);
/* "" when the member is missing or no text. */
met__text met__node_text_at(const met__node *object, const char *name);

/* --- entity_service.c ----------------------------------------------------- */
met_error met__service_read(met__entity_run *run, const met__node *item,
                            const met__path *path, met__text parent);
met_error met__route_read(met__entity_run *run, const met__node *item,
                          const met__path *path, met__text service);

/* --- entity_consumer.c ---------------------------------------------------- */
met_error met__consumer_read(met__entity_run *run, const met__node *item,
                             const met__path *path, met__text parent);
/* Items of the lists "keyauth_credentials" and "acls"; consumer is empty for
 * those at the top of the document. */
met_error met__keyauth_read(met__entity_run *run, const met__node *item,
                            const met__path *path, met__text consumer);
met_error met__acl_read(met__entity_run *run, const met__node *item,
                        const met__path *path, met__text consumer);
/* Stores all consumers that were read. */
met_error met__consumers_flush(met__entity_run *run);
/* Removes what belongs to a consumer: credentials, custom id. */
met_error met__consumer_forget(met__txn *txn, const met__node *document,
                               met__arena *arena);

/* --- entity_credential.c -------------------------------------------------- */
#define MET__CREDENTIAL_HEX_SIZE (2 * MET__CREDENTIAL_HASH_SIZE)
#define MET__CREDENTIAL_TTL_MAX INT64_C(100000000) /* seconds */
/* As it is stored: hexadecimal, MET__CREDENTIAL_HEX_SIZE bytes. */
void met__credential_hash_print(const met__credential_hash *hash,
                                char *hex_out);
/* Of a text that is stored; 0 when it is none. */
int met__credential_hash_parse(met__text hex, met__credential_hash *hash_out);
/* When a stored credential ends; 0: never. MET_E_CORRUPT */
met_error met__credential_end(const met__node *credential, int64_t *ends_out);
/* What everybody may see of a stored credential. */
met_error met__credential_shown(const met__node *credential,
                                met__arena *arena, met__node **node_out);

/* --- entity_group.c ------------------------------------------------------- */
met_error met__group_read(met__entity_run *run, const met__node *item,
                          const met__path *path, met__text parent);
/* Nobody is in the group any more: another one of its name begins empty. */
met_error met__group_forget(met__txn *txn, met__text name, met__arena *arena);
/* The list "groups" of a consumer: names of stored consumer groups. */
met_error met__memberships_read(met__entity_run *run, const met__node *list,
                                const met__path *path, met__node **names_out);

/* --- entity_plugin.c, plugin_config.c ------------------------------------- */
typedef struct met__plugin_scope {
    met__text service;
    met__text route;
    met__text consumer;
    met__text consumer_group;
    met__text plan; /* who has a subscription to it */
} met__plugin_scope;

met_error met__plugin_read(met__entity_run *run, const met__node *item,
                           const met__path *path,
                           const met__plugin_scope *nested);
/* The config of a plugin we serve, with defaults filled in; config may be
 * NULL. MET_E_NOT_FOUND: no such plugin here, nothing is written. */
met_error met__plugin_config_read(met__entity_run *run, met__text plugin,
                                  const met__node *config,
                                  const met__path *path,
                                  const met__node **config_out,
                                  met__text *ignored_out);

#endif
