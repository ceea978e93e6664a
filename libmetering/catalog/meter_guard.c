/* What features need of meters is not taken from them. In: changes of meters.
 * Out: the change, or who stands against it. */
#include "catalog/meter_guard.h"

#include "catalog/feature.h"

static met_error check_dropped(met__txn *txn, const met__meter *meter,
                               const met__path *path, met__arena *arena,
                               met_error_info *info)
{
    met__text names[MET__DIMENSIONS_MAX];
    size_t count = 0;
    met_error error = met__meter_dropped(txn, meter, arena, names, &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__text user = {NULL, 0};
        error = met__feature_using_meter(txn, meter->key, names[i], arena,
                                         &user);
        if (error == MET_OK && user.size > 0) {
            error = met__fail_at(info, MET_E_CONFLICT, path, "dimensions",
                                 "the feature %.*s filters by %.*s",
                                 (int)user.size, user.data,
                                 (int)names[i].size, names[i].data);
        }
    }
    return error;
}

met_error met__meter_put_guarded(met__txn *txn, const met__node *node,
                                 const met__path *path, uint32_t *change_out,
                                 met_error_info *info)
{
    met__arena arena;
    met__meter *meter = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__meter_read(node, path, &arena, &meter, info);
    if (error == MET_OK) {
        error = check_dropped(txn, meter, path, &arena, info);
    }
    met__arena_release(&arena);
    return error == MET_OK ? met__meter_put(txn, node, path, change_out, info)
                           : error;
}

met_error met__meter_remove_guarded(met__txn *txn, met__text key,
                                    met_error_info *info)
{
    met__arena arena;
    met__text user = {NULL, 0};

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__feature_using_meter(txn, key, met__text_z(""),
                                               &arena, &user);
    if (error == MET_OK && user.size > 0) {
        error = met__fail(info, MET_E_CONFLICT, "key",
                          "the feature %.*s measures it: archive that first",
                          (int)user.size, user.data);
    }
    met__arena_release(&arena);
    return error == MET_OK ? met__meter_remove(txn, key, info) : error;
}
