/* Gateway entities of Kong's declarative format, stored: services, routes,
 * consumers (with keyauth_credentials and acls), plugins (key-auth,
 * rate-limiting, acl). Records: GATEWAY[kind 0 name]; CREDENTIAL[keyed hash]
 * -> consumer. Keys of credentials are hashed at once and never stored. */
#ifndef MET_GATEWAY_ENTITY_H
#define MET_GATEWAY_ENTITY_H

#include "customer/audit.h"
#include "store/object.h"
#include "store/store.h"

/* What met__gateway_apply found or did, for reports. */
typedef struct met__entity_note {
    met__text kind; /* "consumer" */
    met__text name;
    uint32_t change;     /* MET__CHANGE_* */
    uint32_t is_ignored; /* we do not serve it: why is in reason */
    met__text reason;
} met__entity_note;

/* The gateway part of a declarative document: "_format_version", "services",
 * "routes", "consumers", "consumer_groups", "plugins"; whatever else of Kong's
 * format is there (upstreams, certificates, …) is noted as ignored. Entities
 * that are not in the document stay. References are checked.
 * is_strict: what is not served is MET_E_UNSUPPORTED instead. */
met_error met__gateway_apply(met__txn *txn, const met__node *document,
                             const met__path *path, int64_t now_ns,
                             int is_strict, met__arena *arena, void *context,
                             met_error (*note)(void *context,
                                               const met__entity_note *note),
                             met_error_info *info);
/* Whether a member of a declarative document is of the gateway's part. */
int met__gateway_owns(met__text member);
/* Another kind is MET_E_INVALID in the calls below. */
#define MET__ENTITY_KINDS \
    "must be service, route, consumer, consumer_group or plugin"
int met__entity_is_kind(met__text kind);
/* Without the hashes of credentials. MET_E_NOT_FOUND. */
met_error met__entity_document(met__txn *txn, met__text kind, met__text name,
                               met__arena *arena, met__node **node_out);
met_error met__entity_list(met__txn *txn, met__text kind, met__arena *arena,
                           met__node **array_out);
/* With what belongs to it: a consumer's keys and groups, plugins scoped to it.
 * MET_E_NOT_FOUND · MET_E_CONFLICT: a service that has routes, a consumer that
 * stands for anonymous clients. */
met_error met__entity_remove(met__txn *txn, met__text kind, met__text name,
                             met_error_info *info);

/* Removes the plugins that are scoped to a plan. */
met_error met__plugins_forget_plan(met__txn *txn, met__text key,
                                   met__arena *arena);
/* Another key in place of one: {"id"?, "key"?, "grace_seconds"?, "ttl"?,
 * "reason", "actor"}. The answer has the new key when it was made here; what
 * the audit shall say is in *audit_out (action NULL: nothing has happened). */
met_error met__credential_rotate(met__txn *txn, met__text consumer,
                                 const met__node *request, met__arena *arena,
                                 met__node **node_out, met__audit *audit_out,
                                 met_error_info *info);
/* Removes the consumers of a subject; *count_out grows by them. */
met_error met__consumer_erase(met__txn *txn, met__text subject,
                              met__arena *arena, size_t *count_out,
                              met_error_info *info);

#endif
