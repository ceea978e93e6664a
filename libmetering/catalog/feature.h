/* Features: a name for something that is sold, and which usage of which meter
 * it stands for.
 *
 * Document: {"key", "name", "description"?, "labels"?,
 *            "meter"?: {"key", "filters"?: {DIMENSION: condition, ...}}}
 * The library adds id, created_at, updated_at and, once archived, archived_at.
 *
 * Records: FEATURE[key] is the latest feature of that key, archived or not;
 * when the key is used again the archived one moves to FEATURE[key 0 id], so
 * that plans which named it by id still find it. */
#ifndef MET_CATALOG_FEATURE_H
#define MET_CATALOG_FEATURE_H

#include "base/limits.h"
#include "store/object.h"
#include "meter/usage_query.h"
#include "store/store.h"

typedef struct met__feature {
    met__text id; /* empty before it is stored */
    met__text key;
    met__text name;
    met__text description;
    const met__node *labels; /* NULL when none */
    met__text meter_key; /* empty: a feature that nothing measures */
    size_t filter_count;
    met__filter filters[MET__FILTERS_MAX];
    int64_t archived_at_ns; /* 0 = in service */
} met__feature;

/* Creates, or updates name, description and labels; a new meter or new filters
 * of a feature in service are MET_E_CONFLICT (archive it, then use the key
 * again). The meter must exist and own every filtered dimension. change_out
 * (may be NULL) is MET__CHANGE_*. */
met_error met__feature_put(met__txn *txn, const met__node *node,
                           const met__path *path, uint32_t *change_out,
                           met_error_info *info);

/* The latest feature of a key, archived or not (look at archived_at_ns).
 * MET_E_NOT_FOUND. */
met_error met__feature_get(met__txn *txn, met__text key, met__arena *arena,
                           met__feature **feature_out);

/* The feature a rate card was published with, also after its key got another
 * owner. An empty id means the latest. MET_E_NOT_FOUND. */
met_error met__feature_of(met__txn *txn, met__text key, met__text id,
                          met__arena *arena, met__feature **feature_out);

/* Takes a feature out of service: new plans may not name it, what uses it goes
 * on. MET_E_NOT_FOUND also when it is archived already. */
met_error met__feature_archive(met__txn *txn, met__text key, int64_t now_ns,
                               met_error_info *info);

/* As it was exported, with its id and times; the meter of an archived one may
 * be gone. MET_E_CONFLICT when the store has another one in its place. */
met_error met__feature_import(met__txn *txn, const met__node *node,
                              const met__path *path, uint32_t *change_out,
                              met_error_info *info);

/* The stored document, and all of them ordered by key (archived ones too,
 * earlier owners of a key after the latest). */
met_error met__feature_document(met__txn *txn, met__text key,
                                met__arena *arena, met__node **node_out);
met_error met__feature_list(met__txn *txn, met__arena *arena,
                            met__node **array_out);

/* Whether a feature in service measures this meter and, unless dimension is
 * empty, filters by that dimension: the guard of removing either. Names the
 * first one in feature_key_out (arena), empty when none. */
met_error met__feature_using_meter(met__txn *txn, met__text meter_key,
                                   met__text dimension, met__arena *arena,
                                   met__text *feature_key_out);

#endif
