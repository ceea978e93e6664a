/* From stored objects to a snapshot. snapshot_compile.c reads the entities,
 * snapshot_plugins.c the plugins, snapshot_quota.c allowances. */
#ifndef MET_GATEWAY_SNAPSHOT_COMPILE_H
#define MET_GATEWAY_SNAPSHOT_COMPILE_H

#include "entitlement/access.h"
#include "gateway/name_set.h"
#include "gateway/snapshot_writer.h"

/* A circle of consumers is a consumer group, or all who are subscribed to a
 * plan: groups are numbered in the order of their names, then plans.
 * One limit that is scoped to a consumer, by itself or through a circle. */
typedef struct met__scoped_limit {
    uint32_t consumer;
    uint32_t circle; /* number; 0 for the consumer's own */
    met__snapshot_scope scope;
} met__scoped_limit;

typedef struct met__circle_limit {
    uint32_t circle;
    uint32_t reserved;
    met__snapshot_scope scope;
} met__circle_limit;

/* One consumer in a circle, from when to when. */
typedef struct met__membership {
    uint32_t circle;
    uint32_t consumer;
    int64_t from_ns;
    int64_t to_ns;
} met__membership;

typedef struct met__compile {
    met__txn *txn;
    met__arena *arena; /* for the whole run */
    met__snapshot_writer *writer;
    met_error_info *info;
    met__terms_cache terms; /* of plans */
    met__name_set names; /* "service", "route", "consumer", "group",
                            "feature", "consumer_group", "plan" (that some
                            plugin is scoped to) -> number + 1 */
    int64_t now_ns;
    met__buffer scoped;  /* of met__scoped_limit */
    met__buffer circle_limits; /* of met__circle_limit */
    met__buffer memberships;   /* of met__membership */
    met__buffer additive;     /* of met__snapshot_scope: of all consumers */
    uint32_t group_count;
    uint32_t circle_count;
    uint32_t plan_count; /* among them */
    uint32_t reserved;
} met__compile;

/* Everything of a read transaction into the writer. */
met_error met__snapshot_compile(met__txn *txn, met__snapshot_writer *writer,
                                met_error_info *info);

/* --- Between the files ---------------------------------------------------- */
/* Numbers of a kind by name; MET__NONE when there is none. */
uint32_t met__compile_number(const met__compile *compile, const char *kind,
                             met__text name);
met_error met__compile_name(met__compile *compile, const char *kind,
                            met__text name, uint32_t number);
/* The number of a group, given when it is new. */
met_error met__compile_group(met__compile *compile, met__text name,
                             uint32_t *number_out);
int64_t met__node_integer_at(const met__node *object, const char *name,
                             int64_t standard);
met_error met__compile_plugin(met__compile *compile, const met__node *node);
/* The consumer-scoped limits, when all plugins are read. */
met_error met__compile_scopes(met__compile *compile);
/* Features in service, before the consumers. */
met_error met__compile_features(met__compile *compile);
/* The allowances and plans of the customer behind a consumer, the next one of
 * its section. */
met_error met__compile_rows(met__compile *compile,
                            met__snapshot_consumer *consumer,
                            met__text subject);
/* The lines for the upstream, without those of the second and later keys. */
met_error met__compile_lines(met__compile *compile, const met__node *node,
                             met__snapshot_consumer *consumer,
                             met__ref *credential_out);
met_error met__compile_line(met__compile *compile,
                            const met__node *credential,
                            met__ref *header_out);

#endif
