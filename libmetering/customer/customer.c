/* Customers: who pays, and whose usage is theirs. In: documents. Out: records
 * of the tables CUSTOMER and SUBJECT. A subject belongs to one customer at
 * most, whether it is a key or is listed. */
#include "customer/customer.h"

#include "base/check.h"
#include "catalog/identity.h"
#include "customer/subscription.h"

static const char *const unserved[] = {
    "metadata", "primary_email", "billing_address", "timezone",
    "external_id", NULL};

/* A customer and the times of its record. */
typedef struct stored {
    met__customer customer;
    int64_t created_at_ns;
    int64_t updated_at_ns;
} stored;

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

static met_error read_customer(const met__node *node, const met__path *path,
                               int is_record, met__arena *arena,
                               stored **stored_out, met_error_info *info)
{
    met__fields fields;
    const met__node *attribution = NULL;
    met__path here = {path, "usage_attribution", 0};
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error != MET_OK) {
        return error;
    }
    stored *made = met__arena_allocate(arena, sizeof *made);
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

met_error met__customer_read(const met__node *node, const met__path *path,
                             met__arena *arena, met__customer **customer_out,
                             met_error_info *info)
{
    stored *made = NULL;
    met_error error = read_customer(node, path, 0, arena, &made, info);

    if (error == MET_OK) {
        *customer_out = &made->customer;
    }
    return error;
}

/* --- Documents and records ------------------------------------------------ */
static met_error build(const stored *from, met__arena *arena,
                       met__node **node_out)
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

static met_error get_stored(met__txn *txn, met__text key, met__arena *arena,
                            stored **stored_out)
{
    met__node *node = NULL;
    met_error error = met__record_get(txn, MET__TABLE_CUSTOMER, key.data,
                                      key.size, arena, &node);

    return error == MET_OK ? met__record_error(read_customer(
                                 node, NULL, 1, arena, stored_out, NULL))
                           : error;
}

static met_error put_stored(met__txn *txn, met__text store_key,
                            const stored *made, met__arena *arena)
{
    met__node *node = NULL;
    met_error error = build(made, arena, &node);

    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_CUSTOMER, store_key.data,
                                store_key.size, node);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

/* --- Subjects ------------------------------------------------------------- */
/* The customer that has this subject, as its key or listed; empty: none. */
static met_error owner_of(met__txn *txn, met__text subject,
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
static met_error check_subjects(met__txn *txn, const met__customer *customer,
                                const met__node *node, const met__path *path,
                                met_error_info *info)
{
    met__path attribution = {path, "usage_attribution", 0};
    met__path list = {&attribution, "subject_keys", 0};

    for (size_t i = 0; i < customer->subject_count; i++) {
        met__text owner;
        met_error error = owner_of(txn, customer->subjects[i], &owner);
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

static int same_subjects(const met__customer *a, const met__customer *b)
{
    int is_same = a->subject_count == b->subject_count;

    for (size_t i = 0; is_same && i < a->subject_count; i++) {
        is_same = has_subject(b, a->subjects[i]);
    }
    return is_same;
}

/* Replaces the index entries of `before` (may be NULL) by those of `after`
 * (may be NULL). */
static met_error index_subjects(met__txn *txn, const met__customer *before,
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

/* --- Putting -------------------------------------------------------------- */
/* What may not change while a subscription runs or is to run. */
static met_error check_subscriptions(met__txn *txn, const met__customer *now,
                                     const met__customer *wanted,
                                     const met__path *path, int64_t now_ns,
                                     met__arena *arena, met_error_info *info)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(txn, now->key, arena, &list,
                                             &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        uint32_t status = met__subscription_status_at(list[i], now_ns);
        if (status == MET__SUBSCRIPTION_INACTIVE) {
            continue;
        }
        if (status != MET__SUBSCRIPTION_SCHEDULED
            && !same_subjects(now, wanted)) {
            return met__fail_at(info, MET_E_CONFLICT, path,
                                "usage_attribution",
                                "the subjects of a customer stay while a "
                                "subscription runs");
        }
        if (now->currency.size > 0
            && !met__text_equal(now->currency, wanted->currency)) {
            return met__fail_at(info, MET_E_CONFLICT, path, "currency",
                                "the currency of a customer stays while a "
                                "subscription runs or is scheduled");
        }
    }
    return error;
}

static int same_customer(const met__customer *a, const met__customer *b)
{
    int is_same = met__text_equal(a->name, b->name)
                  && met__text_equal(a->description, b->description)
                  && met__labels_equal(a->labels, b->labels)
                  && met__text_equal(a->currency, b->currency)
                  && a->subject_count == b->subject_count;

    /* The order is kept as it was stated last. */
    for (size_t i = 0; is_same && i < a->subject_count; i++) {
        is_same = met__text_equal(a->subjects[i], b->subjects[i]);
    }
    return is_same;
}

/* The time of a change is later than that of the one before, also when the
 * clock stands still or steps back: balances tell by it that a customer is no
 * longer the one they were added up for. now is NULL before the first. */
static int64_t changed_at(const stored *now, int64_t now_ns)
{
    return now != NULL && now_ns <= now->updated_at_ns
               ? now->updated_at_ns + 1
               : now_ns;
}

static met_error put(met__txn *txn, const met__node *node,
                     const met__path *path, int64_t now_ns, met__arena *arena,
                     uint32_t *change, met_error_info *info)
{
    stored *wanted = NULL;
    stored *now = NULL;
    met_error error = read_customer(node, path, 0, arena, &wanted, info);

    if (error == MET_OK) {
        error = check_subjects(txn, &wanted->customer, node, path, info);
    }
    if (error != MET_OK) {
        return error;
    }
    error = get_stored(txn, wanted->customer.key, arena, &now);
    if (error == MET_OK) {
        if (wanted->customer.currency.size == 0) {
            wanted->customer.currency = now->customer.currency;
        }
        if (same_customer(&now->customer, &wanted->customer)) {
            *change = MET__CHANGE_NONE;
            return MET_OK;
        }
        *change = MET__CHANGE_UPDATED;
        wanted->customer.id = now->customer.id;
        wanted->created_at_ns = now->created_at_ns;
        error = check_subscriptions(txn, &now->customer, &wanted->customer,
                                    path, now_ns, arena, info);
    } else if (error == MET_E_NOT_FOUND) {
        *change = MET__CHANGE_CREATED;
        wanted->created_at_ns = now_ns;
        error = met__object_id(txn, now_ns, arena, &wanted->customer.id);
    }
    wanted->updated_at_ns = changed_at(now, now_ns);
    if (error == MET_OK) {
        error = index_subjects(txn, now != NULL ? &now->customer : NULL,
                               &wanted->customer);
    }
    return error == MET_OK
               ? put_stored(txn, wanted->customer.key, wanted, arena)
               : error;
}

met_error met__customer_put(met__txn *txn, const met__node *node,
                            const met__path *path, int64_t now_ns,
                            uint32_t *change_out, met_error_info *info)
{
    met__arena arena;
    uint32_t change = MET__CHANGE_NONE;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = put(txn, node, path, now_ns, &arena, &change, info);
    met__arena_release(&arena);
    if (error == MET_OK && change_out != NULL) {
        *change_out = change;
    }
    return error;
}

met_error met__customer_set_currency(met__txn *txn, met__text key,
                                     met__text currency, int64_t now_ns)
{
    met__arena arena;
    stored *now = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = get_stored(txn, key, &arena, &now);
    if (error == MET_OK && now->customer.currency.size == 0) {
        now->customer.currency = currency;
        now->updated_at_ns = changed_at(now, now_ns);
        error = put_stored(txn, key, now, &arena);
    }
    met__arena_release(&arena);
    return error;
}

/* --- Removing ------------------------------------------------------------- */
met_error met__customer_check_removal(met__txn *txn, met__text key,
                                      int64_t now_ns, met__arena *arena,
                                      met_error_info *info)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(txn, key, arena, &list, &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        uint32_t status = met__subscription_status_at(list[i], now_ns);
        if (status != MET__SUBSCRIPTION_INACTIVE) {
            return met__fail(
                info, MET_E_CONFLICT, "key",
                "deleting_customer_with_active_subscriptions: the "
                "subscription %.*s to the plan \"%.*s\" is %s",
                (int)list[i]->id.size, list[i]->id.data,
                (int)list[i]->plan_key.size, list[i]->plan_key.data,
                met__subscription_status_name(status));
        }
    }
    return error;
}

static met_error remove_customer(met__txn *txn, met__text key, int64_t now_ns,
                                 met__arena *arena, met_error_info *info)
{
    stored *now = NULL;
    met__text kept_key;
    met_error error = get_stored(txn, key, arena, &now);

    if (error == MET_OK) {
        error = met__customer_check_removal(txn, key, now_ns, arena, info);
    }
    if (error == MET_OK) {
        error = met__object_key(arena, key, now->customer.id, &kept_key);
    }
    if (error == MET_OK) {
        error = index_subjects(txn, &now->customer, NULL);
    }
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_CUSTOMER, key.data, key.size);
    }
    if (error == MET_OK) {
        now->customer.deleted_at_ns = now_ns;
        now->updated_at_ns = changed_at(now, now_ns);
        error = put_stored(txn, kept_key, now, arena);
    }
    return error;
}

met_error met__customer_remove(met__txn *txn, met__text key, int64_t now_ns,
                               met_error_info *info)
{
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = remove_customer(txn, key, now_ns, &arena, info);
    met__arena_release(&arena);
    return error;
}

/* --- Getting -------------------------------------------------------------- */
met_error met__customer_get(met__txn *txn, met__text key, met__arena *arena,
                            met__customer **customer_out)
{
    stored *found = NULL;
    met_error error = get_stored(txn, key, arena, &found);

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
    met_error error = owner_of(txn, subject, &owner);

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
    stored *found = NULL;
    met_error error = get_stored(txn, key, arena, &found);

    return error == MET_OK ? build(found, arena, node_out) : error;
}

typedef struct listing {
    met__arena *arena;
    met__node *array;
} listing;

static met_error add_to_list(void *context, met__text key, met__node *record)
{
    listing *list = context;
    stored *found = NULL;
    met__node *node = NULL;

    (void)key;
    met_error error = met__record_error(
        read_customer(record, NULL, 1, list->arena, &found, NULL));
    if (error != MET_OK || found->customer.deleted_at_ns != 0) {
        return error;
    }
    error = build(found, list->arena, &node);
    return error == MET_OK ? met__node_append(list->arena, list->array, node)
                           : error;
}

met_error met__customer_list(met__txn *txn, met__arena *arena,
                             met__node **array_out)
{
    listing list = {arena, met__node_array(arena)};
    met_error error =
        list.array == NULL
            ? MET_E_NO_MEMORY
            : met__records_each(txn, MET__TABLE_CUSTOMER, met__text_z(""),
                                arena, &list, add_to_list);

    if (error == MET_OK) {
        *array_out = list.array;
    }
    return error;
}
