/* Declarative grants, entitlements and resets. In: nodes of a document, or a
 * customer. Out: records, or nodes. What may be created is decided in
 * grant_change.c and lone_change.c. */
#include "entitlement/entitled_transfer.h"

#include "base/check.h"
#include "catalog/feature.h"
#include "entitlement/entitled_parts.h"
#include "store/records.h"

/* --- What is stated ------------------------------------------------------- */
static int same_amount(const met__node *a, const met__node *b)
{
    met_decimal x;
    met_decimal y;

    if (a->kind == MET__NODE_INTEGER && b->kind == MET__NODE_TEXT) {
        x = met__decimal_from_i64(a->as.integer);
    } else if (a->kind != MET__NODE_TEXT || b->kind != MET__NODE_TEXT
               || met__decimal_parse(a->as.text, &x) != MET_OK) {
        return 0;
    }
    return met__decimal_parse(b->as.text, &y) == MET_OK
           && met__decimal_compare(x, y) == 0;
}

static int same_instant(const met__node *a, const met__node *b)
{
    int64_t x = 0;
    int64_t y = 0;

    return a->kind == MET__NODE_TEXT && b->kind == MET__NODE_TEXT
           && met__time_parse(a->as.text, &x) == MET_OK
           && met__time_parse(b->as.text, &y) == MET_OK && x == y;
}

/* Whether everything that is stated is so in a stored document. */
static int holds(const met__node *stated, const met__node *present)
{
    if (stated->kind == MET__NODE_NULL) {
        return 1;
    }
    if (present == NULL) {
        return 0;
    }
    if (stated->kind != MET__NODE_OBJECT
        || present->kind != MET__NODE_OBJECT) {
        return met__node_equal(stated, present)
               || same_amount(stated, present)
               || same_instant(stated, present);
    }
    for (uint32_t i = 0; i < stated->count; i++) {
        const met__member *member = &stated->as.members[i];
        const met__node *other = NULL;
        for (uint32_t j = 0; j < present->count; j++) {
            if (met__text_equal(present->as.members[j].name, member->name)) {
                other = present->as.members[j].node;
            }
        }
        /* "now" and its like were made an instant when it was created. */
        int is_word = met__text_equal(member->name,
                                      MET__TEXT("measure_usage_from"))
                      && !same_instant(member->node, member->node);
        if (!is_word && !holds(member->node, other)) {
            return 0;
        }
    }
    return 1;
}

/* What the customer has; nothing when it is not there, which is told later. */
static met_error load(const met__entitled_call *call, met__text customer_key,
                      met__entitled *found)
{
    met__customer *customer = NULL;
    met_error error = met__customer_get(call->txn, customer_key, call->arena,
                                        &customer);

    *found = (met__entitled){0};
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    return met__entitled_each(call->txn, customer->id, call->arena, found);
}

met_error met__lone_apply(const met__entitled_call *call,
                          const met__node *node, uint32_t *change_out,
                          met__text *customer_key_out)
{
    met__lone made;
    met__entitled found = {0};
    met_error error = met__lone_read(node, call->path, 0, call->arena, &made,
                                     call->info);

    if (error == MET_OK) {
        *customer_key_out = made.owner.customer_key;
        error = load(call, made.owner.customer_key, &found);
    }
    for (size_t i = 0; error == MET_OK && i < found.lone_count; i++) {
        const met__lone *one = &found.lones[i];
        met__node *document = NULL;
        if (one->active_to_ns <= call->now_ns
            || one->active_to_ns <= one->active_from_ns
            || !met__text_equal(one->owner.feature_key,
                                made.owner.feature_key)) {
            continue;
        }
        error = met__lone_document(one, call->arena, &document);
        if (error == MET_OK && holds(node, document)) {
            *change_out = MET__CHANGE_NONE;
            return MET_OK;
        }
        if (error == MET_OK) {
            error = met__fail_at(call->info, MET_E_CONFLICT, call->path, NULL,
                                 "the customer has another entitlement to "
                                 "\"%.*s\"",
                                 (int)made.owner.feature_key.size,
                                 made.owner.feature_key.data);
        }
    }
    *change_out = MET__CHANGE_CREATED;
    return error == MET_OK ? met__lone_create(call, node, 0, &made) : error;
}

met_error met__grant_apply(const met__entitled_call *call,
                           const met__node *node, uint32_t *change_out,
                           met__text *customer_key_out)
{
    met__stored_grant made;
    met__entitled found = {0};
    met_error error = met__grant_read(node, call->path, 0, call->arena, &made,
                                      call->info);

    if (error == MET_OK && met__node_get(node, "effective_at") == NULL) {
        error = met__fail_at(call->info, MET_E_INVALID, call->path,
                             "effective_at",
                             "is required in a declarative document, so that "
                             "applying it twice grants once");
    }
    if (error == MET_OK) {
        *customer_key_out = made.owner.customer_key;
        error = load(call, made.owner.customer_key, &found);
    }
    for (size_t i = 0; error == MET_OK && i < found.grant_count; i++) {
        met__node *document = NULL;
        error = met__grant_document(&found.grants[i], call->arena, &document);
        if (error == MET_OK && holds(node, document)) {
            *change_out = MET__CHANGE_NONE;
            return MET_OK;
        }
    }
    *change_out = MET__CHANGE_CREATED;
    return error == MET_OK ? met__grant_create(call, node, &made) : error;
}

/* --- Exporting ------------------------------------------------------------ */
static met_error reset_document(const met__customer *customer,
                                const met__stored_reset *reset,
                                met__arena *arena, met__node **node_out)
{
    met__entitled_owner owner = {customer->id, customer->key,
                                 reset->feature_key};
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__owner_build(&builder, &owner);
    met__build_instant(&builder, "at", reset->at_ns);
    met__build_boolean(&builder, "retain_anchor", reset->retains_anchor);
    met__build_boolean(&builder, "preserve_overage",
                       reset->preserves_overage);
    return met__builder_end(&builder, node_out);
}

met_error met__entitled_export(met__txn *txn, const met__customer *customer,
                               met__arena *arena, met__node *entitlements,
                               met__node *grants, met__node *resets)
{
    met__entitled found;
    met__node *node = NULL;
    met_error error = met__entitled_each(txn, customer->id, arena, &found);

    for (size_t i = 0; error == MET_OK && i < found.lone_count; i++) {
        error = met__lone_document(&found.lones[i], arena, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, entitlements, node);
        }
    }
    for (size_t i = 0; error == MET_OK && i < found.grant_count; i++) {
        error = met__grant_document(&found.grants[i], arena, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, grants, node);
        }
    }
    for (size_t i = 0; error == MET_OK && i < found.reset_count; i++) {
        error = reset_document(customer, &found.resets[i], arena, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, resets, node);
        }
    }
    return error;
}

/* --- Importing ------------------------------------------------------------ */
static met_error check_owner(const met__entitled_call *call,
                             const met__entitled_owner *owner,
                             met__text feature_id)
{
    met__path path = {call->path, "customer", 0};
    met__customer *customer = NULL;
    met__feature *feature = NULL;
    met_error error = met__customer_get(call->txn, owner->customer_key,
                                        call->arena, &customer);

    if (error == MET_E_NOT_FOUND
        || (error == MET_OK
            && !met__text_equal(customer->id, owner->customer_id))) {
        return met__fail_at(call->info, MET_E_NOT_FOUND, &path, "key",
                            "there is no such customer");
    }
    if (error == MET_OK) {
        error = met__feature_of(call->txn, owner->feature_key, feature_id,
                                call->arena, &feature);
    }
    path.name = "feature";
    return error == MET_E_NOT_FOUND
               ? met__fail_at(call->info, error, &path, "key",
                              "there is no such feature")
               : error;
}

met_error met__lone_import(const met__entitled_call *call,
                           const met__node *node, uint32_t *change_out,
                           met__text *customer_key_out)
{
    met__lone made;
    met__entitled found = {0};
    met__node *wanted = NULL;
    met__node *present = NULL;
    met_error error = met__lone_read(node, call->path, 1, call->arena, &made,
                                     call->info);

    if (error == MET_OK) {
        *customer_key_out = made.owner.customer_key;
        error = check_owner(call, &made.owner, made.feature_id);
    }
    if (error == MET_OK) {
        error = met__entitled_each(call->txn, made.owner.customer_id,
                                   call->arena, &found);
    }
    if (error == MET_OK) {
        error = met__lone_document(&made, call->arena, &wanted);
    }
    for (size_t i = 0; error == MET_OK && i < found.lone_count; i++) {
        if (met__text_equal(found.lones[i].id, made.id)) {
            *change_out = MET__CHANGE_NONE;
            error = met__lone_document(&found.lones[i], call->arena,
                                       &present);
            return error == MET_OK ? met__import_same(wanted, present,
                                                      call->path, call->info)
                                   : error;
        }
    }
    *change_out = MET__CHANGE_CREATED;
    if (error == MET_OK) {
        error = met__lone_put(call->txn, &made, call->arena);
    }
    return error == MET_OK
               ? met__entitlements_check(call->txn, made.owner.customer_key,
                                         call->arena, call->info)
               : error;
}

met_error met__grant_import(const met__entitled_call *call,
                            const met__node *node, uint32_t *change_out,
                            met__text *customer_key_out)
{
    met__stored_grant made;
    met__stored_grant found;
    met__node *wanted = NULL;
    met__node *present = NULL;
    met_error error = met__grant_read(node, call->path, 1, call->arena, &made,
                                      call->info);

    if (error == MET_OK) {
        *customer_key_out = made.owner.customer_key;
        error = check_owner(call, &made.owner, met__text_z(""));
    }
    if (error == MET_OK) {
        error = met__grant_check(&made.terms, call->info);
    }
    if (error != MET_OK) {
        return error;
    }
    *change_out = MET__CHANGE_CREATED;
    error = met__grant_get(call->txn, made.terms.id, call->arena, &found);
    if (error == MET_E_NOT_FOUND) {
        return met__grant_put(call->txn, &made, call->arena);
    }
    *change_out = MET__CHANGE_NONE;
    if (error == MET_OK) {
        error = met__grant_document(&made, call->arena, &wanted);
    }
    if (error == MET_OK) {
        error = met__grant_document(&found, call->arena, &present);
    }
    return error == MET_OK
               ? met__import_same(wanted, present, call->path, call->info)
               : error;
}

met_error met__reset_import(const met__entitled_call *call,
                            const met__node *node, uint32_t *change_out,
                            met__text *customer_key_out)
{
    met__entitled_owner owner = {0};
    met__stored_reset reset = {0};
    met__entitled found = {0};
    met__fields fields;

    (void)met__fields_begin(&fields, node, call->path, call->info);
    (void)met__owner_read(&fields, 1, &owner);
    (void)met__fields_time(&fields, "at", MET__REQUIRED, &reset.at_ns);
    (void)met__fields_boolean(&fields, "retain_anchor", MET__REQUIRED,
                              &reset.retains_anchor);
    (void)met__fields_boolean(&fields, "preserve_overage", MET__REQUIRED,
                              &reset.preserves_overage);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        *customer_key_out = owner.customer_key;
        error = check_owner(call, &owner, met__text_z(""));
    }
    if (error == MET_OK) {
        error = met__entitled_each(call->txn, owner.customer_id, call->arena,
                                   &found);
    }
    reset.feature_key = owner.feature_key;
    for (size_t i = 0; error == MET_OK && i < found.reset_count; i++) {
        const met__stored_reset *one = &found.resets[i];
        if (one->at_ns == reset.at_ns
            && met__text_equal(one->feature_key, reset.feature_key)) {
            *change_out = MET__CHANGE_NONE;
            return one->retains_anchor == reset.retains_anchor
                           && one->preserves_overage
                                  == reset.preserves_overage
                       ? MET_OK
                       : met__fail_at(call->info, MET_E_CONFLICT, call->path,
                                      NULL, "differs from the one in the "
                                            "store: an export is for an "
                                            "empty one");
        }
    }
    *change_out = MET__CHANGE_CREATED;
    return error == MET_OK
               ? met__reset_put(call->txn, &owner, &reset, call->arena)
               : error;
}
