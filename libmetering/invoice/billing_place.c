/* The record of a run under way. In: its instant and the last customer that is
 * billed. Out: where another run goes on. */
#include "invoice/billing_place.h"

#include "store/object.h"

#define RECORD MET__TEXT("run")

void met__billing_place_set(met__billing_place *place, met__text key)
{
    memcpy(place->key, key.data, key.size);
    place->size = key.size;
}

static met_error read_record(const met__node *node, met__billing_place *out)
{
    static const met__path path = {NULL, "run", 0};
    met__text after = {NULL, 0};
    met__fields fields;

    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_time(&fields, "as_of", MET__REQUIRED, &out->as_of_ns);
    (void)met__fields_text(&fields, "after", MET__OPTIONAL, 1,
                           sizeof out->key - 1, &after);
    if (met__fields_end(&fields) != MET_OK) {
        return MET_E_CORRUPT;
    }
    if (after.size > 0) {
        met__billing_place_set(out, after);
    }
    return MET_OK;
}

met_error met__billing_place_get(met_store *store,
                                 met__billing_place *place_out)
{
    met__billing_place place = {0};
    met__arena arena;
    met__txn *txn;
    met__node *node;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, met__store_platform(store));
    error = met__record_get(txn, MET__TABLE_BILLING, RECORD.data, RECORD.size,
                            &arena, &node);
    if (error == MET_OK) {
        error = read_record(node, &place);
    }
    met__txn_abort(txn);
    met__arena_release(&arena);
    if (error == MET_OK) {
        *place_out = place;
    }
    return error;
}

met_error met__billing_place_put(met__txn *txn, int64_t as_of_ns,
                                 met__text after, met__arena *arena)
{
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, arena);
    met__build_time(&builder, "as_of", as_of_ns);
    met__build_text(&builder, "after", after);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK
               ? met__record_put(txn, MET__TABLE_BILLING, RECORD.data,
                                 RECORD.size, node)
               : error;
}

met_error met__billing_place_remove(met_store *store)
{
    met__txn *txn;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__txn_remove(txn, MET__TABLE_BILLING, RECORD.data,
                            RECORD.size);
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    return met__txn_commit(txn);
}
