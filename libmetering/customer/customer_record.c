/* Customers as documents and records, and whose a subject is. In: nodes, keys.
 * Out: structs, nodes, records of the tables CUSTOMER and SUBJECT. What may
 * become of a customer is decided in customer.c. */
#include "customer/customer_record.h"

#include "base/check.h"
#include "catalog/identity.h"
#include "store/records.h"

static const char *const unserved[] = {
    "metadata", "primary_email", "billing_address", "timezone",
    "external_id", NULL};

/* --- Reading -------------------------------------------------------------- */
static met_error read_subject(const met__node *node, const met__path *path,
                              met__customer *customer, met_error_info *info)
{
    if (node->kind != MET__NODE_TEXT) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "must be a text");
    }
    met__text subject = node->as.text;
    if (subject.size == 0 || subject.size > MET__SUBJECT_SIZE_MAX) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "must have 1 to %d bytes, has %zu",
                            MET__SUBJECT_SIZE_MAX, subject.size);
    }
    if (!met__text_is_clean(subject)) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "must not contain control characters");
    }
    /* The key is one of the subjects; to list it too says nothing new. */
    for (size_t i = 0; i < customer->subject_count; i++) {
        if (met__text_equal(customer->subjects[i], subject)) {
            return i == 0 ? MET_OK
                          : met__fail_at(info, MET_E_INVALID, path, NULL,
                                         "is listed twice");
        }
    }
    customer->subjects[customer->subject_count++] = subject;
    return MET_OK;
}

static met_error read_subjects(const met__node *node, const met__path *path,
                               met__customer *customer, met_error_info *info)
{
    met__fields fields;
    const met__node *array = NULL;
    met__path list = {path, "subject_keys", 0};

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_array(&fields, "subject_keys", MET__OPTIONAL,
                            MET__SUBJECT_KEYS_MAX, &array);
    met_error error = met__fields_end(&fields);
    for (uint32_t i = 0; error == MET_OK && array != NULL && i < array->count;
         i++) {
        met__path here = {&list, NULL, i};
        error = read_subject(array->as.items[i], &here, customer, info);
    }
    return error;
}

/* A key may be anything a gateway calls its consumers. */
static met_error read_key(met__fields *fields, met__text *key_out)
{
    met_error error = met__fields_text(fields, "key", MET__REQUIRED, 1,
                                       MET__SUBJECT_SIZE_MAX, key_out);

    if (error == MET_OK && met__text_looks_like_id(*key_out)) {
        return met__fields_fail(fields, "key", "must not look like an id");
    }
    return error;
}

met_error met__customer_read_stored(const met__node *node,
                                    const met__path *path, int is_record,
                                    met__arena *arena,
                                    met__customer_stored **stored_out,
                                    met_error_info *info)
{
    met__fields fields;
    const met__node *attribution = NULL;
    met__path here = {path, "usage_attribution", 0};
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error != MET_OK) {
        return error;
    }
    met__customer_stored *made = met__arena_allocate(arena, sizeof *made);
    if (made == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__customer *customer = &made->customer;
    (void)met__fields_begin(&fields, node, path, info);
    (void)read_key(&fields, &customer->key);
    (void)met__identity_read_name(&fields, &customer->name,
                                  &customer->description);
    (void)met__fields_labels(&fields, arena, &customer->labels);
    (void)met__fields_currency(&fields, "currency", MET__OPTIONAL,
                               &customer->currency);
    (void)met__fields_object(&fields, "usage_attribution", MET__OPTIONAL,
                             &attribution);
    if (is_record) {
        (void)met__fields_stamp(&fields, &customer->id, &made->created_at_ns,
                                &made->updated_at_ns);
        (void)met__fields_time(&fields, "deleted_at", MET__OPTIONAL,
                               &customer->deleted_at_ns);
        const met__node *changed = met__node_get(node, "updated_at");
        if (changed != NULL && changed->kind == MET__NODE_TEXT) {
            customer->version = changed->as.text; /* else refused below */
        }
    }
    error = met__fields_end(&fields);
    customer->subjects[0] = customer->key;
    customer->subject_count = 1;
    if (error == MET_OK && attribution != NULL) {
        error = read_subjects(attribution, &here, customer, info);
    }
    *stored_out = made;
    return error;
}

/* --- Documents and records ------------------------------------------------ */
met_error met__customer_build(const met__customer_stored *from,
                              met__arena *arena, met__node **node_out)
{
    const met__customer *customer = &from->customer;
    met__builder builder;
    met__builder attribution;
    met__node *subjects = met__node_array(arena);

    met__builder_begin(&builder, arena);
    met__build_stamp(&builder, customer->id, from->created_at_ns,
                     from->updated_at_ns);
    met__build_text(&builder, "key", customer->key);
    met__build_text(&builder, "name", customer->name);
    met__build_text(&builder, "description", customer->description);
    met__build_node(&builder, "labels", customer->labels);
    met__build_text(&builder, "currency", customer->currency);
    if (customer->subject_count > 1) {
        met__builder_begin(&attribution, arena);
        for (size_t i = 1;
             attribution.error == MET_OK && i < customer->subject_count; i++) {
            attribution.error = met__node_append(
                arena, subjects,
                met__node_text(arena, customer->subjects[i]));
        }
        met__build_node(&attribution, "subject_keys", subjects);
        met__build_object(&builder, "usage_attribution", &attribution);
    }
    met__build_time(&builder, "deleted_at", customer->deleted_at_ns);
    return met__builder_end(&builder, node_out);
}

met_error met__customer_get_stored(met__txn *txn, met__text key,
                                   met__arena *arena,
                                   met__customer_stored **stored_out)
{
    met__node *node = NULL;
    met_error error = met__record_get(txn, MET__TABLE_CUSTOMER, key.data,
                                      key.size, arena, &node);

    return error == MET_OK ? met__record_error(met__customer_read_stored(
                                 node, NULL, 1, arena, stored_out, NULL))
                           : error;
}

met_error met__customer_put_stored(met__txn *txn, met__text store_key,
                            const met__customer_stored *made, met__arena *arena)
{
    met__node *node = NULL;
    met_error error = met__customer_build(made, arena, &node);

    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_CUSTOMER, store_key.data,
                                store_key.size, node);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

int64_t met__customer_changed_at(int64_t before_ns, int64_t now_ns)
{
    return now_ns <= before_ns ? before_ns + 1 : now_ns;
}

/* --- Subjects ------------------------------------------------------------- */
/* The customer that has this subject, as its key or listed; empty: none. */
met_error met__customer_owner_of(met__txn *txn, met__text subject,
                          met__text *owner_out)
{
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_CUSTOMER, subject.data,
                                   subject.size, &value);

    *owner_out = (met__text){NULL, 0};
    if (error == MET_OK) {
        *owner_out = subject;
    } else if (error == MET_E_NOT_FOUND) {
        error = met__txn_get(txn, MET__TABLE_SUBJECT, subject.data,
                             subject.size, owner_out);
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* Nobody else has one of the customer's subjects. */
met_error met__customer_check_subjects(met__txn *txn,
                                       const met__customer *customer,
                                       const met__node *node,
                                       const met__path *path,
                                       met_error_info *info)
{
    met__path attribution = {path, "usage_attribution", 0};
    met__path list = {&attribution, "subject_keys", 0};

    for (size_t i = 0; i < customer->subject_count; i++) {
        met__text owner;
        met_error error =
            met__customer_owner_of(txn, customer->subjects[i], &owner);
        if (error != MET_OK) {
            return error;
        }
        if (owner.size == 0 || met__text_equal(owner, customer->key)) {
            continue;
        }
        if (i == 0) {
            return met__fail_at(info, MET_E_CONFLICT, path, "key",
                                "is a subject of the customer \"%.*s\"",
                                (int)owner.size, owner.data);
        }
        /* Where it stands in the document, which may list the key as well. */
        const met__node *keys = met__node_get(
            met__node_get(node, "usage_attribution"), "subject_keys");
        met__path here = {&list, NULL, 0};
        while (!met__text_equal(keys->as.items[here.index]->as.text,
                                customer->subjects[i])) {
            here.index++;
        }
        return met__fail_at(info, MET_E_CONFLICT, &here, NULL,
                            "is a subject of the customer \"%.*s\"",
                            (int)owner.size, owner.data);
    }
    return MET_OK;
}

static int has_subject(const met__customer *customer, met__text subject)
{
    for (size_t i = 0; i < customer->subject_count; i++) {
        if (met__text_equal(customer->subjects[i], subject)) {
            return 1;
        }
    }
    return 0;
}

int met__customer_same_subjects(const met__customer *a, const met__customer *b)
{
    int is_same = a->subject_count == b->subject_count;

    for (size_t i = 0; is_same && i < a->subject_count; i++) {
        is_same = has_subject(b, a->subjects[i]);
    }
    return is_same;
}

/* Replaces the index entries of `before` (may be NULL) by those of `after`
 * (may be NULL). */
met_error met__customer_index_subjects(met__txn *txn,
                                       const met__customer *before,
                                       const met__customer *after)
{
    met_error error = MET_OK;

    for (size_t i = 1; error == MET_OK && before != NULL
                       && i < before->subject_count;
         i++) {
        if (after == NULL || !has_subject(after, before->subjects[i])) {
            error = met__txn_remove(txn, MET__TABLE_SUBJECT,
                                    before->subjects[i].data,
                                    before->subjects[i].size);
        }
    }
    for (size_t i = 1;
         error == MET_OK && after != NULL && i < after->subject_count; i++) {
        error = met__txn_put(txn, MET__TABLE_SUBJECT, after->subjects[i].data,
                             after->subjects[i].size, after->key.data,
                             after->key.size);
    }
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

/* --- Getting -------------------------------------------------------------- */
met_error met__customer_get(met__txn *txn, met__text key, met__arena *arena,
                            met__customer **customer_out)
{
    met__customer_stored *found = NULL;
    met_error error = met__customer_get_stored(txn, key, arena, &found);

    if (error == MET_OK) {
        *customer_out = &found->customer;
    }
    return error;
}

met_error met__customer_of_subject(met__txn *txn, met__text subject,
                                   met__arena *arena,
                                   met__customer **customer_out)
{
    met__text owner;
    met_error error = met__customer_owner_of(txn, subject, &owner);

    if (error == MET_OK && owner.size == 0) {
        return MET_E_NOT_FOUND;
    }
    if (error == MET_OK) {
        error = met__customer_get(txn, owner, arena, customer_out);
        /* An entry of the index without its customer. */
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    return error;
}

met_error met__customer_document(met__txn *txn, met__text key,
                                 met__arena *arena, met__node **node_out)
{
    met__customer_stored *found = NULL;
    met_error error = met__customer_get_stored(txn, key, arena, &found);

    return error == MET_OK ? met__customer_build(found, arena, node_out)
                           : error;
}

static met_error show(met__node *record, met__arena *arena,
                      met__node **node_out)
{
    met__customer_stored *found = NULL;
    met_error error = met__record_error(
        met__customer_read_stored(record, NULL, 1, arena, &found, NULL));

    return error == MET_OK && found->customer.deleted_at_ns == 0
               ? met__customer_build(found, arena, node_out)
               : error;
}

met_error met__customer_list(met__txn *txn, met__arena *arena,
                             met__node **array_out)
{
    return met__records_list(txn, MET__TABLE_CUSTOMER, show, arena, array_out);
}
