/* The invoices of a customer under another key: they stay as they were issued
 * and are found by the new key. In: two keys. Out: the index INVOICE_OF. */
#include "base/check.h"
#include "base/ulid.h"
#include "invoice/invoice.h"

static met_error is_of(met__txn *txn, met__text id, met__text customer_id,
                       met__arena *arena, int *is_of_out)
{
    met__node *invoice = NULL;
    met_error error = met__record_get(txn, MET__TABLE_INVOICE, id.data,
                                      id.size, arena, &invoice);
    const met__node *found =
        error == MET_OK
            ? met__node_get(met__node_get(invoice, "customer"), "id")
            : NULL;

    *is_of_out = found != NULL && found->kind == MET__NODE_TEXT
                 && met__text_equal(found->as.text, customer_id);
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

static met_error move(met__txn *txn, met__text key, size_t prefix_size,
                      met__text to, met__arena *arena)
{
    met__text moved;
    met_error error = met__object_key(
        arena, to,
        met__text_of(key.data + prefix_size, key.size - prefix_size), &moved);

    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_INVOICE_OF, key.data,
                                key.size);
    }
    return error == MET_OK ? met__txn_put(txn, MET__TABLE_INVOICE_OF,
                                          moved.data, moved.size, "", 0)
                           : error;
}

/* Its own billing profile: to empty: forgotten. */
static met_error move_profile(met__txn *txn, met__text from, met__text to,
                              met__arena *arena)
{
    met__node *profile = NULL;
    met__text key;
    met_error error =
        met__object_key(arena, MET__TEXT("profile"), from, &key);

    if (error == MET_OK) {
        error = met__record_get(txn, MET__TABLE_BILLING, key.data, key.size,
                                arena, &profile);
    }
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_BILLING, key.data, key.size);
    }
    if (error == MET_OK && to.size > 0) {
        error = met__object_key(arena, MET__TEXT("profile"), to, &key);
        if (error == MET_OK) {
            error = met__record_put(txn, MET__TABLE_BILLING, key.data,
                                    key.size, profile);
        }
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__billing_forget(met__txn *txn, met__text customer_key,
                              met__arena *arena)
{
    return move_profile(txn, customer_key, met__text_z(""), arena);
}

met_error met__invoice_rekey(met__txn *txn, met__text customer_id,
                             met__text from, met__text to, met__arena *arena)
{
    met__scan scan;
    met__text prefix;
    met__text found;
    met__text value;
    met_error error = move_profile(txn, from, to, arena);

    if (error == MET_OK) {
        error = met__object_key(arena, from, met__text_z(""), &prefix);
    }
    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(txn, MET__TABLE_INVOICE_OF, prefix.data,
                            prefix.size, &scan);
    while (error == MET_OK) {
        int is_his = 0;
        error = met__scan_next(&scan, &found, &value);
        if (error != MET_OK) {
            break;
        }
        char *copy = met__arena_copy(arena, found.data, found.size);
        if (copy == NULL) {
            error = MET_E_NO_MEMORY;
            break;
        }
        met__text key = met__text_of(copy, found.size);
        error = key.size < prefix.size + 8 + MET__ULID_SIZE
                    ? MET_E_CORRUPT
                    : is_of(txn,
                            met__text_of(key.data + key.size - MET__ULID_SIZE,
                                         MET__ULID_SIZE),
                            customer_id, arena, &is_his);
        if (error == MET_OK && is_his) {
            error = move(txn, key, prefix.size, to, arena);
        }
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}
