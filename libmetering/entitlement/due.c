/* Customers whose quota cells change by themselves, in the order of time. In: a
 * write transaction, the instant. Out: cells set, records of DUE. */
#include "entitlement/due.h"

#include "entitlement/quota_file.h"

#define AT_SIZE 8
#define DUE_MAX 4096 /* of one transaction: others wait for the writer */

met_error met__due_put(met__txn *txn, int64_t at_ns, met__text customer_key,
                       met__arena *arena)
{
    size_t size = AT_SIZE + customer_key.size;
    unsigned char *key = met__arena_allocate(arena, size);
    met__text value;

    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__put_u64(key, (uint64_t)at_ns);
    memcpy(key + AT_SIZE, customer_key.data, customer_key.size);
    met_error error = met__txn_get(txn, MET__TABLE_DUE, key, size, &value);
    return error == MET_E_NOT_FOUND
               ? met__txn_put(txn, MET__TABLE_DUE, key, size, "", 0)
               : error;
}

/* The first one that is due; MET_E_NOT_FOUND. The key lives as a scan's. */
static met_error first_due(met__scan *scan, int64_t now_ns, met__text *key_out)
{
    met__text value;
    met_error error = met__scan_next(scan, key_out, &value);

    if (error == MET_OK && key_out->size < AT_SIZE) {
        return MET_E_CORRUPT;
    }
    if (error == MET_OK
        && (int64_t)met__get_u64((const unsigned char *)key_out->data)
               > now_ns) {
        return MET_E_NOT_FOUND;
    }
    return error;
}

met_error met__due_any(met__txn *txn, int64_t now_ns, int *is_due_out)
{
    met__scan scan;
    met__text key;
    met_error error = met__scan_begin(txn, MET__TABLE_DUE, NULL, 0, &scan);

    if (error == MET_OK) {
        error = first_due(&scan, now_ns, &key);
    }
    met__scan_end(&scan);
    *is_due_out = error == MET_OK;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__due_run(met__txn *txn, met__quota_table *table, int64_t now_ns)
{
    unsigned char copy[MET__LMDB_KEY_SIZE_MAX];
    met__arena arena;
    met__terms_cache terms = {.arena = &arena};
    met__scan scan;
    met_error error = met__scan_begin(txn, MET__TABLE_DUE, NULL, 0, &scan);

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    for (int i = 0; error == MET_OK && i < DUE_MAX; i++) {
        met__text key;
        error = first_due(&scan, now_ns, &key);
        if (error != MET_OK) {
            break;
        }
        memcpy(copy, key.data, key.size);
        error = met__txn_remove(txn, MET__TABLE_DUE, copy, key.size);
        if (error == MET_OK && table != NULL) {
            error = met__quota_refresh_key(
                txn, table,
                met__text_of((const char *)copy + AT_SIZE,
                             key.size - AT_SIZE),
                now_ns, &terms);
        }
    }
    met__scan_end(&scan);
    met__arena_release(&arena);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}
