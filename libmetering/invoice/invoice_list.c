/* Reading invoices. In: an id, a number or a customer. Out: documents as they
 * are shown. */
#include <stdlib.h>

#include "invoice/invoice_record.h"

met_error met__invoice_document(met__txn *txn, met__text name,
                                met__arena *arena, met__node **node_out)
{
    met__text id;
    met_error error = met__invoice_find(txn, name, arena, &id);

    if (error != MET_OK) {
        return error;
    }
    error = met__record_get(txn, MET__TABLE_INVOICE, id.data, id.size, arena,
                            node_out);
    if (error == MET_E_NOT_FOUND && !met__text_equal(id, name)) {
        error = MET_E_CORRUPT; /* an index without its invoice */
    }
    return error == MET_OK ? met__invoice_show(*node_out, arena) : error;
}

static met__text number_of(const met__node *invoice)
{
    const met__node *number = met__node_get(invoice, "number");

    return number != NULL && number->kind == MET__NODE_TEXT
               ? number->as.text
               : met__text_of(NULL, 0);
}

/* "INV-9999" before "INV-10000". */
static int compare_numbers(const void *a, const void *b)
{
    met__text one = number_of(*(met__node *const *)a);
    met__text other = number_of(*(met__node *const *)b);

    if (one.size != other.size) {
        return one.size < other.size ? -1 : 1;
    }
    return met__text_compare(one, other);
}

/* The invoices that a scan of INVOICE, or with id_at of INVOICE_OF, meets.
 * id_at: where in the key the id begins. */
static met_error collect(met__txn *txn, met__table table, met__text prefix,
                         size_t id_at, met__arena *arena, met__node *array)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__node *node;
    met_error error =
        met__scan_begin(txn, table, prefix.data, prefix.size, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK && key.size <= id_at) {
            error = MET_E_CORRUPT;
        }
        if (error == MET_OK) {
            error = met__record_get(txn, MET__TABLE_INVOICE,
                                    key.data + id_at, key.size - id_at, arena,
                                    &node);
            error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
            if (error == MET_OK) {
                error = met__invoice_show(node, arena);
            }
            if (error == MET_OK) {
                error = met__node_append(arena, array, node);
            }
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__invoice_list(met__txn *txn, met__text customer_key,
                            met__arena *arena, met__node **array_out)
{
    met__node *array = met__node_array(arena);
    met_error error;

    if (array == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (customer_key.size == 0) {
        error = collect(txn, MET__TABLE_INVOICE, met__text_of(NULL, 0), 0,
                        arena, array);
    } else {
        /* The copy has a NUL behind it: the prefix's end. */
        char *prefix =
            met__arena_copy(arena, customer_key.data, customer_key.size);
        if (prefix == NULL) {
            return MET_E_NO_MEMORY;
        }
        error = collect(txn, MET__TABLE_INVOICE_OF,
                        met__text_of(prefix, customer_key.size + 1),
                        customer_key.size + 9, arena, array);
    }
    if (error == MET_OK && array->count > 1) {
        qsort(array->as.items, array->count, sizeof *array->as.items,
              compare_numbers);
    }
    *array_out = array;
    return error;
}
