/* Settings as records. In: documents, and who can read them. Out: a record of
 * META, or a struct of which every field has a value. */
#include "meter/settings_record.h"

#include <string.h>

met_error met__settings_get(met__txn *txn, const met__settings_kind *kind,
                            void *settings_out)
{
    met__arena arena;
    met__node *node = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__record_get(txn, MET__TABLE_META, kind->key,
                                      strlen(kind->key), &arena, &node);
    if (error == MET_E_NOT_FOUND) {
        node = met__node_object(&arena);
        error = node != NULL ? MET_OK : MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = kind->read(node, NULL, settings_out, NULL);
        error = error == MET_E_INVALID ? MET_E_CORRUPT : error;
    }
    met__arena_release(&arena);
    return error;
}

met_error met__settings_put(met__txn *txn, const met__settings_kind *kind,
                            const met__node *node, const met__path *path,
                            void *settings, met_error_info *info)
{
    met__arena arena;
    met__builder builder;
    met__node *record = NULL;
    met_error error = kind->read(node, path, settings, info);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met__builder_begin(&builder, &arena);
    kind->build(&builder, settings);
    error = met__builder_end(&builder, &record);
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_META, kind->key,
                                strlen(kind->key), record);
    }
    met__arena_release(&arena);
    return error;
}
