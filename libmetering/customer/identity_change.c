/* Renames and erasures of customers and subjects. In: names. Out: changed
 * records of customers, subscriptions, usage; the audit gets its counts. */
#include "customer/identity_change.h"

#include "base/check.h"
#include "customer/customer_record.h"
#include "customer/subscription_document.h"
#include "store/object.h"

typedef struct change {
    met__txn *txn;
    met__arena *arena;
    int64_t now_ns;
    met__audit *audit;
    met_error_info *info;
} change;

/* "erased:" and a new id. */
static met_error erased_name(const change *self, met__text *name_out)
{
    met__text id = {NULL, 0};
    met_error error =
        met__object_id(self->txn, self->now_ns, self->arena, &id);

    if (error != MET_OK) {
        return error;
    }
    char *name = met__arena_print(self->arena, "erased:%.*s", (int)id.size,
                                  id.data);
    *name_out = met__text_z(name);
    return name != NULL ? MET_OK : MET_E_NO_MEMORY;
}

/* --- Subscriptions -------------------------------------------------------- */
/* Those of one customer, removed ones too, move to another key. */
static met_error move_subscription(change *self, met__text id,
                                   const met__customer *customer,
                                   met__text to, int is_erased)
{
    met__subscription *found = NULL;
    met__text index;
    met_error error =
        met__subscription_get(self->txn, id, self->arena, &found);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    if (!met__text_equal(found->customer_id, customer->id)) {
        return MET_OK; /* an earlier customer's of this key */
    }
    error = met__object_key(self->arena, found->customer_key, found->id,
                            &index);
    if (error == MET_OK) {
        error = met__txn_remove(self->txn, MET__TABLE_SUBSCRIPTION_OF,
                                index.data, index.size);
    }
    found->customer_key = to;
    if (is_erased) {
        found->name = met__text_z("");
        found->description = met__text_z("");
        found->labels = NULL;
    }
    self->audit->subscriptions++;
    return error == MET_OK
               ? met__subscription_put(self->txn, found, self->arena)
               : error;
}

static met_error move_subscriptions(change *self,
                                    const met__customer *customer,
                                    met__text to, int is_erased)
{
    met__scan scan;
    met__text prefix;
    met__text key;
    met__text value;
    met_error error = met__object_key(self->arena, customer->key,
                                      met__text_z(""), &prefix);

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(self->txn, MET__TABLE_SUBSCRIPTION_OF,
                            prefix.data, prefix.size, &scan);
    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error != MET_OK) {
            break;
        }
        size_t size = key.size - prefix.size;
        char *id = met__arena_copy(self->arena, key.data + prefix.size, size);
        error = id == NULL ? MET_E_NO_MEMORY
                           : move_subscription(self, met__text_of(id, size),
                                               customer, to, is_erased);
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* --- Erasing -------------------------------------------------------------- */
static met_error forget_subject(change *self, met__text subject,
                                met__erasure *out)
{
    met__text name = {NULL, 0};
    met_error error = erased_name(self, &name);

    if (error == MET_OK) {
        error = met__subject_rename(self->txn, subject, name, 1,
                                    &self->audit->counts);
    }
    if (error == MET_OK) {
        error = met__audit_forget(self->txn, subject, name, self->arena);
    }
    out->subjects[out->subject_count++] = (met__renamed){subject, name};
    return error;
}

/* A removed customer's record: what is left of it says only that it was. */
static met_error blank(change *self, met__text store_key,
                       met__customer_stored *one, met__erasure *out)
{
    met__text kept;
    met_error error =
        move_subscriptions(self, &one->customer, out->name, 1);

    for (size_t i = 0; error == MET_OK && i < one->customer.subject_count;
         i++) {
        met__text owner;
        error = met__customer_owner_of(self->txn, one->customer.subjects[i],
                                       &owner);
        if (error == MET_OK && owner.size == 0) { /* else its usage is his */
            error = forget_subject(self, one->customer.subjects[i], out);
        }
    }
    if (error == MET_OK) {
        error = met__txn_remove(self->txn, MET__TABLE_CUSTOMER,
                                store_key.data, store_key.size);
    }
    if (error == MET_OK) {
        error = met__object_key(self->arena, out->name, one->customer.id,
                                &kept);
    }
    one->customer = (met__customer){.id = one->customer.id,
                                    .key = out->name,
                                    .name = MET__TEXT("erased"),
                                    .currency = one->customer.currency,
                                    .subject_count = 1,
                                    .subjects = {out->name},
                                    .deleted_at_ns =
                                        one->customer.deleted_at_ns};
    one->updated_at_ns = self->now_ns;
    self->audit->customers++;
    out->customer_ids[out->customer_count++] = one->customer.id;
    return error == MET_OK ? met__customer_put_stored(self->txn, kept, one,
                                                      self->arena)
                           : error;
}

/* The record of the removed customer of this id, or of all that had the key. */
static met_error blank_removed(change *self, met__text key, met__text id,
                               met__erasure *out)
{
    met__scan scan;
    met__text prefix;
    met__text found;
    met__text value;
    met_error error =
        met__object_key(self->arena, key, met__text_z(""), &prefix);

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(self->txn, MET__TABLE_CUSTOMER, prefix.data,
                            prefix.size, &scan);
    while (error == MET_OK) {
        met__customer_stored *one = NULL;
        error = met__scan_next(&scan, &found, &value);
        if (error != MET_OK) {
            break;
        }
        char *copy = met__arena_copy(self->arena, found.data, found.size);
        met__text store_key = met__text_of(copy, found.size);
        error = copy == NULL ? MET_E_NO_MEMORY
                             : met__customer_get_stored(self->txn, store_key,
                                                        self->arena, &one);
        if (error == MET_OK) {
            met__text *ids = met__arena_allocate(
                self->arena, (out->customer_count + 1) * sizeof *ids);
            error = ids != NULL ? MET_OK : MET_E_NO_MEMORY;
            if (error == MET_OK && out->customer_count > 0) {
                memcpy(ids, out->customer_ids,
                       out->customer_count * sizeof *ids);
            }
            out->customer_ids = ids;
        }
        if (error == MET_OK) {
            met__renamed *more = met__arena_allocate(
                self->arena,
                (out->subject_count + one->customer.subject_count)
                    * sizeof *more);
            error = more != NULL ? MET_OK : MET_E_NO_MEMORY;
            if (error == MET_OK && out->subject_count > 0) {
                memcpy(more, out->subjects,
                       out->subject_count * sizeof *more);
            }
            out->subjects = more;
        }
        if (error == MET_OK
            && (id.size == 0 || met__text_equal(id, one->customer.id))) {
            error = blank(self, store_key, one, out);
        }
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__customer_erase(met__txn *txn, met__text key, int64_t now_ns,
                              met__arena *arena, met__audit *audit,
                              met__erasure *out, met_error_info *info)
{
    change self = {txn, arena, now_ns, audit, info};
    met__customer *present = NULL;
    met__text id = {NULL, 0};
    met_error error = met__customer_get(txn, key, arena, &present);

    *out = (met__erasure){.customer_key = key};
    if (error == MET_OK) {
        id = present->id;
        error = met__customer_remove(txn, key, now_ns, info);
    }
    if (error == MET_OK || error == MET_E_NOT_FOUND) {
        error = erased_name(&self, &out->name);
    }
    if (error == MET_OK) {
        error = blank_removed(&self, key, id, out);
    }
    if (error == MET_OK && audit->customers == 0) {
        error = MET_E_NOT_FOUND;
    }
    if (error == MET_OK) {
        error = met__audit_forget(txn, key, out->name, arena);
    }
    audit->to = out->name;
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

/* --- Subjects ------------------------------------------------------------- */
/* Who lists a subject lists it by its new name. */
static met_error rename_listed(change *self, met__text owner, met__text from,
                               met__text to)
{
    met__customer_stored *one = NULL;
    met_error error = met__customer_get_stored(self->txn, owner, self->arena,
                                               &one);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    met__customer before = one->customer;
    for (size_t i = 1; i < one->customer.subject_count; i++) {
        if (met__text_equal(one->customer.subjects[i], from)) {
            one->customer.subjects[i] = to;
        }
    }
    one->updated_at_ns =
        met__customer_changed_at(one->updated_at_ns, self->now_ns);
    self->audit->customers++;
    error = met__customer_index_subjects(self->txn, &before, &one->customer);
    return error == MET_OK ? met__customer_put_stored(self->txn, owner, one,
                                                      self->arena)
                           : error;
}

/* Whose subject it is; a customer's key is refused. */
static met_error find_owner(change *self, met__text subject,
                            met__text *owner_out)
{
    met__text owner;
    met_error error = met__customer_owner_of(self->txn, subject, &owner);

    if (error == MET_OK && met__text_equal(owner, subject)) {
        return met__fail(self->info, MET_E_CONFLICT, "subject",
                         "is the key of a customer");
    }
    if (error == MET_OK) { /* it lives until the next write */
        char *copy = met__arena_copy(self->arena, owner.data, owner.size);
        *owner_out = met__text_of(copy, owner.size);
        error = copy != NULL ? MET_OK : MET_E_NO_MEMORY;
    }
    return error;
}

met_error met__subject_erase(met__txn *txn, met__text subject, int64_t now_ns,
                             met__arena *arena, met__audit *audit,
                             met__erasure *out, met_error_info *info)
{
    change self = {txn, arena, now_ns, audit, info};
    met__text owner = {NULL, 0};
    met_error error = find_owner(&self, subject, &owner);

    *out = (met__erasure){
        .subjects = met__arena_allocate(arena, sizeof *out->subjects)};
    if (error == MET_OK && out->subjects == NULL) {
        error = MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = forget_subject(&self, subject, out);
    }
    if (error == MET_OK) {
        out->name = out->subjects[0].to;
        audit->to = out->name;
    }
    if (error == MET_OK && owner.size > 0) {
        error = rename_listed(&self, owner, subject, out->name);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

/* A name that nobody has. */
static met_error check_free(change *self, const char *field, met__text to)
{
    met__text owner;
    met_error error = met__customer_owner_of(self->txn, to, &owner);

    if (error == MET_OK && owner.size > 0) {
        return met__fail(self->info, MET_E_CONFLICT, field,
                         "is a subject of the customer \"%.*s\"",
                         (int)owner.size, owner.data);
    }
    return error;
}

met_error met__subject_rename_to(met__txn *txn, met__text subject,
                                 met__text to, int64_t now_ns,
                                 met__arena *arena, met__audit *audit,
                                 met__text *owner_out, met_error_info *info)
{
    change self = {txn, arena, now_ns, audit, info};
    met_error error = find_owner(&self, subject, owner_out);

    if (error == MET_OK) {
        error = check_free(&self, "to", to);
    }
    if (error == MET_OK) {
        error = met__subject_rename(txn, subject, to, 0, &audit->counts);
    }
    if (error == MET_OK && owner_out->size > 0) {
        error = rename_listed(&self, *owner_out, subject, to);
    }
    audit->from = subject;
    audit->to = to;
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

/* --- Renaming a customer -------------------------------------------------- */
met_error met__customer_rename(met__txn *txn, met__text key, met__text to,
                               int64_t now_ns, met__arena *arena,
                               met__audit *audit, met_error_info *info)
{
    change self = {txn, arena, now_ns, audit, info};
    met__customer_stored *one = NULL;
    met_error error = met__customer_get_stored(txn, key, arena, &one);

    if (error == MET_OK) {
        error = check_free(&self, "to", to);
    }
    if (error == MET_OK
        && one->customer.subject_count > MET__SUBJECT_KEYS_MAX) {
        error = met__fail(info, MET_E_LIMIT, "key",
                          "stays a subject key, and %d are there already",
                          MET__SUBJECT_KEYS_MAX);
    }
    if (error == MET_OK) {
        error = move_subscriptions(&self, &one->customer, to, 0);
    }
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_CUSTOMER, key.data, key.size);
    }
    if (error != MET_OK) {
        return error;
    }
    one->customer.subjects[one->customer.subject_count++] = key;
    one->customer.subjects[0] = to;
    one->customer.key = to;
    one->updated_at_ns = met__customer_changed_at(one->updated_at_ns, now_ns);
    audit->from = key;
    audit->to = to;
    audit->customers++;
    error = met__customer_index_subjects(txn, NULL, &one->customer);
    return error == MET_OK ? met__customer_put_stored(txn, to, one, arena)
                           : error;
}
