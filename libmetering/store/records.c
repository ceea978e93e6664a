/* Walking the records of a table. In: a transaction, a table. Out: nodes in the
 * caller's arena. It knows no single kind of record and writes nothing. */
#include "store/records.h"

met_error met__record_error(met_error error)
{
    switch (error) {
    case MET_E_INVALID:
    case MET_E_UNSUPPORTED:
    case MET_E_LIMIT:
    case MET_E_OVERFLOW:
        return MET_E_CORRUPT;
    default:
        return error;
    }
}

met_error met__records_each(met__txn *txn, met__table table, met__text prefix,
                            met__arena *arena, void *context,
                            met__record_visit visit)
{
    met__scan scan;
    met_error error = met__scan_begin(txn, table, prefix.data, prefix.size,
                                      &scan);

    while (error == MET_OK) {
        met__text key;
        met__text value;
        met__node *record = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_E_NOT_FOUND) {
            met__scan_end(&scan);
            return MET_OK;
        }
        if (error == MET_OK) {
            error = met__record_unpack(arena, value, &record);
        }
        if (error == MET_OK) {
            error = visit(context, key, record);
        }
    }
    met__scan_end(&scan);
    return error;
}

typedef struct listing {
    met__record_show show;
    met__arena *arena;
    met__node *array;
} listing;

static met_error add_to_list(void *context, met__text key, met__node *record)
{
    const listing *list = context;
    met__node *node = list->show == NULL ? record : NULL;

    (void)key;
    met_error error = list->show == NULL
                          ? MET_OK
                          : list->show(record, list->arena, &node);
    return error == MET_OK && node != NULL
               ? met__node_append(list->arena, list->array, node)
               : error;
}

met_error met__records_list(met__txn *txn, met__table table,
                            met__record_show show, met__arena *arena,
                            met__node **array_out)
{
    listing list = {show, arena, met__node_array(arena)};
    met_error error =
        list.array == NULL
            ? MET_E_NO_MEMORY
            : met__records_each(txn, table, MET__TEXT(""), arena, &list,
                                add_to_list);

    if (error == MET_OK) {
        *array_out = list.array;
    }
    return error;
}

met_error met__import_same(const met__node *imported, const met__node *present,
                           const met__path *path, met_error_info *info)
{
    return met__node_equal(imported, present)
               ? MET_OK
               : met__fail_at(info, MET_E_CONFLICT, path, NULL,
                              "differs from the one in the store: an export "
                              "is for an empty one");
}
