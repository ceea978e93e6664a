/* Billing profiles as items of a declarative document. In: nodes, or the store.
 * Out: records, or nodes. Their rules are billing_profile.c's. */
#include "invoice/billing_transfer.h"

#include "customer/customer.h"
#include "invoice/billing_profile.h"
#include "store/records.h"

/* The document without its customer, whose key it reads. */
static met_error split(met__txn *txn, const met__node *node,
                       const met__path *path, met__arena *arena,
                       met__text *key_out, met__node **rest_out,
                       met_error_info *info)
{
    met__path here = {path, "customer", 0};
    met__node *rest = met__node_object(arena);
    met__customer *customer = NULL;
    met__fields fields;
    met_error error = rest != NULL ? MET_OK : MET_E_NO_MEMORY;

    if (error == MET_OK && node->kind != MET__NODE_OBJECT) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "must be an object");
    }
    for (uint32_t i = 0; error == MET_OK && i < node->count; i++) {
        const met__member *member = &node->as.members[i];
        if (!met__text_equal(member->name, MET__TEXT("customer"))) {
            error = met__node_add(arena, rest, member->name, member->node);
            continue;
        }
        (void)met__fields_begin(&fields, member->node, &here, info);
        (void)met__fields_text(&fields, "key", MET__REQUIRED, 1,
                               MET__SUBJECT_SIZE_MAX, key_out);
        error = met__fields_end(&fields);
        if (error == MET_OK) {
            error = met__customer_get(txn, *key_out, arena, &customer);
        }
        if (error == MET_E_NOT_FOUND) {
            error = met__fail_at(info, error, &here, "key",
                                 "there is no such customer");
        }
    }
    *rest_out = rest;
    return error;
}

static met_error stored_key(met__text customer_key, met__arena *arena,
                            met__text *key_out)
{
    *key_out = MET__TEXT("profile");
    return customer_key.size == 0
               ? MET_OK
               : met__object_key(arena, *key_out, customer_key, key_out);
}

met_error met__billing_profile_apply(met__txn *txn, const met__node *node,
                                     const met__path *path, met__arena *arena,
                                     uint32_t *change_out,
                                     met__text *customer_key_out,
                                     met_error_info *info)
{
    const met__node *canonical = NULL;
    met__node *present = NULL;
    met__node *rest = NULL;
    met__text key;
    met_error error =
        split(txn, node, path, arena, customer_key_out, &rest, info);

    if (error == MET_OK) {
        error = met__node_canonical(arena, rest, &canonical);
    }
    if (error == MET_OK) {
        error = stored_key(*customer_key_out, arena, &key);
    }
    if (error != MET_OK) {
        return error;
    }
    *change_out = MET__CHANGE_CREATED;
    error = met__record_get(txn, MET__TABLE_BILLING, key.data, key.size,
                            arena, &present);
    if (error == MET_OK) {
        int is_same = met__node_equal(canonical, present);
        *change_out = is_same ? MET__CHANGE_NONE : MET__CHANGE_UPDATED;
        if (is_same) {
            return MET_OK;
        }
    }
    return error == MET_OK || error == MET_E_NOT_FOUND
               ? met__billing_profile_store(txn, *customer_key_out, rest, arena,
                                            info)
               : error;
}

typedef struct exporting {
    met__txn *txn;
    met__arena *arena;
    met__node *array;
} exporting;

static met_error build_item(exporting *to, met__text customer_key,
                            const met__node *record)
{
    met__builder builder;
    met__builder inner;
    met__node *node = NULL;

    met__builder_begin(&builder, to->arena);
    if (customer_key.size > 0) {
        met__builder_begin(&inner, to->arena);
        met__build_text(&inner, "key", customer_key);
        met__build_object(&builder, "customer", &inner);
    }
    met_error error = builder.error;
    for (uint32_t i = 0; error == MET_OK && i < record->count; i++) {
        error = met__node_add(to->arena, builder.object,
                              record->as.members[i].name,
                              record->as.members[i].node);
    }
    if (error == MET_OK) {
        error = met__builder_end(&builder, &node);
    }
    return error == MET_OK ? met__node_append(to->arena, to->array, node)
                           : error;
}

static met_error export_one(void *context, met__text key, met__node *record)
{
    exporting *to = context;
    met__text start = MET__TEXT("profile");
    met__customer *customer = NULL;

    if (key.size == start.size) {
        return build_item(to, met__text_z(""), record);
    }
    char *copy = met__arena_copy(to->arena, key.data + start.size + 1,
                                 key.size - start.size - 1);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__text owner = met__text_of(copy, key.size - start.size - 1);
    met_error error = met__customer_get(to->txn, owner, to->arena, &customer);
    if (error == MET_OK) {
        error = build_item(to, owner, record);
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error; /* removed */
}

met_error met__billing_profile_export(met__txn *txn, met__arena *arena,
                                      met__node *array)
{
    exporting to = {txn, arena, array};

    return met__records_each(txn, MET__TABLE_BILLING, MET__TEXT("profile"),
                             arena, &to, export_one);
}
