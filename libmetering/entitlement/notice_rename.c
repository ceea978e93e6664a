/* In: two keys of a customer. Out: notices that nobody has acknowledged yet,
 * and begins of usage periods, with the new one. */
#include "entitlement/notice_rename.h"

#include "store/records.h"

typedef struct renaming {
    met__txn *txn;
    met__arena *arena;
    met__text from;
    met__text to;
    size_t count;
} renaming;

static met_error rename_one(void *context, met__text key, met__node *record)
{
    renaming *self = context;
    met__node *customer = (met__node *)met__node_get(record, "customer");
    const met__node *name = met__node_get(customer, "key");

    if (name == NULL || name->kind != MET__NODE_TEXT
        || !met__text_equal(name->as.text, self->from)) {
        return MET_OK;
    }
    char *copy = met__arena_copy(self->arena, key.data, key.size);
    met_error error =
        copy == NULL ? MET_E_NO_MEMORY
                     : met__node_set(self->arena, customer, "key",
                                     met__node_text(self->arena, self->to));
    self->count++;
    return error == MET_OK ? met__record_put(self->txn, MET__TABLE_NOTICE,
                                             copy, key.size, record)
                           : error;
}

/* Begins of usage periods go by the customer's key, too. */
static met_error rename_begins(met__txn *txn, met__text from, met__text to,
                               met__arena *arena)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error =
        met__scan_begin(txn, MET__TABLE_NOTICE_DUE, NULL, 0, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK && met__text_equal(value, from)) {
            const char *copy = met__arena_copy(arena, key.data, key.size);
            error = copy == NULL
                        ? MET_E_NO_MEMORY
                        : met__txn_put(txn, MET__TABLE_NOTICE_DUE, copy,
                                       key.size, to.data, to.size);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__notice_rename(met__txn *txn, met__text from, met__text to,
                             met__arena *arena, size_t *count_out)
{
    renaming self = {txn, arena, from, to, 0};
    met_error error = met__records_each(txn, MET__TABLE_NOTICE,
                                        met__text_z(""), arena, &self,
                                        rename_one);

    *count_out += self.count;
    return error == MET_OK ? rename_begins(txn, from, to, arena) : error;
}
