/* In: a customer's id and two keys. Out: its grants and entitlements with the
 * new one; what was due under the old one is forgotten. */
#include "entitlement/entitled_rename.h"

#define AT_SIZE 8

static met_error forget_due(met__txn *txn, met__text customer_key,
                            met__arena *arena)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_DUE, NULL, 0, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error != MET_OK || key.size != AT_SIZE + customer_key.size
            || memcmp(key.data + AT_SIZE, customer_key.data,
                      customer_key.size)
                   != 0) {
            continue;
        }
        char *copy = met__arena_copy(arena, key.data, key.size);
        error = copy == NULL
                    ? MET_E_NO_MEMORY
                    : met__txn_remove(txn, MET__TABLE_DUE, copy, key.size);
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__entitled_rename(met__txn *txn, met__text customer_id,
                               met__text from, met__text to, int is_erased,
                               met__arena *arena)
{
    met__entitled found;
    met_error error = met__entitled_each(txn, customer_id, arena, &found);

    for (size_t i = 0; error == MET_OK && i < found.lone_count; i++) {
        met__lone *lone = &found.lones[i];
        lone->owner.customer_key = to;
        lone->metadata = is_erased ? NULL : lone->metadata;
        error = met__lone_put(txn, lone, arena);
    }
    for (size_t i = 0; error == MET_OK && i < found.grant_count; i++) {
        met__stored_grant *grant = &found.grants[i];
        grant->owner.customer_key = to;
        grant->metadata = is_erased ? NULL : grant->metadata;
        error = met__grant_put(txn, grant, arena);
    }
    if (error == MET_OK) {
        error = forget_due(txn, from, arena);
    }
    return error == MET_OK && is_erased ? forget_due(txn, to, arena) : error;
}
