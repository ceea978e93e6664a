/* The versions of plans, for the files of this room that change them. */
#ifndef MET_CATALOG_PLAN_VERSIONS_H
#define MET_CATALOG_PLAN_VERSIONS_H

#include "catalog/plan.h"

/* The versions of one plan, or of all, in the order of their keys. */
typedef struct met__plan_versions {
    met__arena *arena;
    size_t count;
    met__plan **plans;
} met__plan_versions;

met_error met__plan_version_key(met__arena *arena, met__text key,
                                uint32_t version, met__text *key_out);
met_error met__plan_version_put(met__txn *txn, const met__plan *plan,
                                met__arena *arena);
/* MET_E_NOT_FOUND when there is none. */
met_error met__plan_versions_load(met__txn *txn, met__text key,
                                  met__arena *arena,
                                  met__plan_versions *list_out);
uint32_t met__plan_status(const met__plan *plan, int64_t at_ns);
/* Refuses by the first issue of that severity, or (NULL) by the first at
 * all, and says how many others there are. */
met_error met__plan_refuse(const met__node *issues, const char *severity,
                           met_error_info *info);

/* Some of what can be said in a plan cannot be billed: MET_E_UNSUPPORTED. */
met_error met__plan_check_served(const met__plan *plan, const met__path *path,
                                 met_error_info *info);

#endif
