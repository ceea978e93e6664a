/* met_catalog_apply: a whole declarative document in one write transaction.
 * Each kind is read and stored by its own room; here are the order in which
 * kinds need each other, the report, and what follows the commit. */
#include "api/document_call.h"
#include "catalog/meter_guard.h"
#include "customer/subscription.h"
#include "entitlement/access.h"
#include "entitlement/entitled_transfer.h"
#include "entitlement/notice.h"
#include "gateway/entity.h"
#include "invoice/billing_profile.h"
#include "invoice/billing_transfer.h"
#include "meter/plan_signal.h"
#include "metering/catalog.h"

#include <stdlib.h>

/* Kinds of the product's part, in the order of what needs what. */
enum { METERS, FEATURES, NOTICE_RULES, PLANS, CUSTOMERS, SUBSCRIPTIONS,
       ENTITLEMENTS, GRANTS, RESETS, PROFILES, LIST_COUNT };

static const struct list {
    const char *member;
    const char *kind;
} lists[LIST_COUNT] = {{"meters", "meter"},
                       {"features", "feature"},
                       {"notice_rules", "notice_rule"},
                       {"plans", "plan"},
                       {"customers", "customer"},
                       {"subscriptions", "subscription"},
                       {"entitlements", "entitlement"},
                       {"grants", "grant"},
                       {"resets", "reset"},
                       {"billing_profiles", "billing_profile"}};

typedef struct apply {
    met__call call;
    int64_t now_ns; /* the library's clock, or virtual */
    int64_t at_ns;  /* as given */
    int allow_past;
    int is_strict;
    int is_dry_run;
    int is_import; /* of what met_catalog_export gave */
    int reserved;
    const met__node *lists[LIST_COUNT]; /* NULL: not in the document */
    met__node *gateway;                 /* the members of the gateway's part */
    met__node *changes;
    met__node *ignored;
} apply;

/* --- The report ----------------------------------------------------------- */
static met_error report_change(apply *self, met__text kind, met__text key,
                               uint32_t change)
{
    static const char *const names[] = {"unchanged", "created", "updated"};
    met__arena *arena = &self->call.arena;
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, arena);
    met__build_text(&builder, "kind", kind);
    met__build_text(&builder, "key", key);
    met__build_text(&builder, "change", met__text_z(names[change]));
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__node_append(arena, self->changes, node)
                           : error;
}

static met_error report_entity(void *context, const met__entity_note *note)
{
    apply *self = context;
    met__arena *arena = &self->call.arena;
    met__builder builder;
    met__node *node;

    if (!note->is_ignored) {
        return report_change(self, note->kind, note->name, note->change);
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "kind", note->kind);
    met__build_text(&builder, "name", note->name);
    met__build_text(&builder, "reason", note->reason);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__node_append(arena, self->ignored, node)
                           : error;
}

/* --- The parts of the document -------------------------------------------- */
static met_error take_list(apply *self, const met__member *member, size_t index)
{
    if (member->node->kind == MET__NODE_NULL) {
        return MET_OK;
    }
    if (member->node->kind != MET__NODE_ARRAY) {
        return met__fail(&self->call.why, MET_E_INVALID, lists[index].member,
                         "must be a list");
    }
    self->lists[index] = member->node;
    return MET_OK;
}

static met_error take_member(apply *self, const met__member *member)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        if (met__text_equal(member->name, met__text_z(lists[i].member))) {
            return take_list(self, member, i);
        }
    }
    if (met__text_equal(member->name, MET__TEXT("_export_version"))) {
        self->is_import = 1;
        return member->node->kind == MET__NODE_INTEGER
                       && member->node->as.integer == 1
                   ? MET_OK
                   : met__fail(&self->call.why, MET_E_UNSUPPORTED,
                               "_export_version", "must be 1");
    }
    char *name = met__arena_copy(&self->call.arena, member->name.data,
                                 member->name.size);
    if (name == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (!met__gateway_owns(member->name)) {
        return met__fail(&self->call.why, MET_E_INVALID, name,
                         "is not a known member of a declarative document");
    }
    return met__node_set(&self->call.arena, self->gateway, name, member->node);
}

static met_error take_document(apply *self, const met__node *root)
{
    met_error error = MET_OK;

    if (root->kind != MET__NODE_OBJECT) {
        return met__fail(&self->call.why, MET_E_INVALID, "",
                         "must be an object of lists");
    }
    self->gateway = met__node_object(&self->call.arena);
    self->changes = met__node_array(&self->call.arena);
    self->ignored = met__node_array(&self->call.arena);
    if (!self->gateway || !self->changes || !self->ignored) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < root->count; i++) {
        error = take_member(self, &root->as.members[i]);
    }
    return error;
}

/* The text at item.name, empty when there is none. */
static met__text text_of(const met__node *item, const char *name)
{
    const met__node *node = item->kind == MET__NODE_OBJECT
                                ? met__node_get(item, name)
                                : NULL;

    return node != NULL && node->kind == MET__NODE_TEXT ? node->as.text
                                                        : met__text_z("");
}

/* --- Two items of one key ------------------------------------------------- */
typedef struct keyed {
    met__text key;
    size_t index;
} keyed;

static int compare_keyed(const void *a, const void *b)
{
    const keyed *left = a;
    const keyed *right = b;
    int order = met__text_compare(left->key, right->key);

    return order != 0 ? order : left->index < right->index ? -1 : 1;
}

static met_error refuse_duplicates(apply *self, size_t list)
{
    const met__node *array = self->lists[list];
    keyed *keys = met__arena_allocate(&self->call.arena,
                                      array->count * sizeof *keys);
    met__path root = {NULL, lists[list].member, 0};
    size_t count = 0;

    if (keys == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < array->count; i++) {
        met__text key = text_of(array->as.items[i], "key");
        if (key.size > 0) {
            keys[count++] = (keyed){key, i};
        }
    }
    qsort(keys, count, sizeof *keys, compare_keyed);
    for (size_t i = 1; i < count; i++) {
        if (met__text_equal(keys[i - 1].key, keys[i].key)) {
            met__path path = {&root, NULL, keys[i].index};
            return met__fail_at(&self->call.why, MET_E_INVALID, &path, "key",
                                "\"%.*s\" is the key of %s[%zu] already",
                                (int)keys[i].key.size, keys[i].key.data,
                                lists[list].member, keys[i - 1].index);
        }
    }
    return MET_OK;
}

/* --- Storing -------------------------------------------------------------- */
static met_error apply_subscription(apply *self, const met__node *item,
                                    const met__path *path,
                                    uint32_t *change_out, met__text *key_out)
{
    met__subscribe when = {self->now_ns, self->allow_past};
    met__subscription *subscription = NULL;
    met_error error =
        self->is_import
            ? met__subscription_import(self->call.txn, item, path,
                                       &self->call.arena, change_out,
                                       &subscription, &self->call.why)
            : met__subscription_apply(self->call.txn, item, path, &when,
                                      &self->call.arena, change_out,
                                      &subscription, &self->call.why);

    if (error == MET_OK) {
        *key_out = subscription->customer_key;
        error = met__entitlements_check(self->call.txn, *key_out,
                                        &self->call.arena, &self->call.why);
        if (error == MET_OK && !self->is_dry_run) {
            (void)met__quota_announce(self->call.txn, *key_out);
        }
        if (error == MET_OK) {
            error = met__notice_announce(self->call.txn, *key_out);
        }
    }
    return error;
}

/* Grants, entitlements that stand alone; resets, which are only exported. */
static met_error apply_entitled(apply *self, size_t list,
                                const met__node *item, const met__path *path,
                                uint32_t *change_out, met__text *key_out)
{
    met__entitled_call call = {self->call.txn,   path,
                               self->now_ns,     self->allow_past,
                               &self->call.arena, &self->call.why};
    met_error error;

    if (list == RESETS && !self->is_import) {
        return met__fail_at(&self->call.why, MET_E_UNSUPPORTED, path, NULL,
                            "a reset is only in what was exported");
    }
    if (self->is_import) {
        error = (list == ENTITLEMENTS ? met__lone_import
                 : list == GRANTS     ? met__grant_import
                                      : met__reset_import)(
            &call, item, change_out, key_out);
    } else {
        error = (list == ENTITLEMENTS ? met__lone_apply : met__grant_apply)(
            &call, item, change_out, key_out);
    }
    if (error == MET_OK && *change_out != MET__CHANGE_NONE
        && !self->is_dry_run) {
        (void)met__quota_announce(self->call.txn, *key_out);
    }
    return error == MET_OK && *change_out != MET__CHANGE_NONE
               ? met__notice_announce(self->call.txn, *key_out)
               : error;
}

static met_error apply_item(apply *self, size_t list, const met__node *item,
                            const met__path *path)
{
    met__txn *txn = self->call.txn;
    met_error_info *why = &self->call.why;
    met__publish publish = {self->at_ns, self->now_ns, self->allow_past};
    met__text key = text_of(item, "key");
    uint32_t change = MET__CHANGE_NONE;
    met_error error = MET_E_BUG;

    switch (list) {
    case METERS:
        error = met__meter_put_guarded(txn, item, path, &change, why);
        break;
    case FEATURES:
        error = self->is_import
                    ? met__feature_import(txn, item, path, &change, why)
                    : met__feature_put(txn, item, path, &change, why);
        break;
    case NOTICE_RULES:
        error = met__notice_rule_put(txn, item, path, &change, why);
        break;
    case PLANS:
        error = self->is_import
                    ? met__plan_import(txn, item, path, &change, why)
                    : met__plan_apply(txn, item, path, &publish, &change, why);
        break;
    case CUSTOMERS:
        error = self->is_import
                    ? met__customer_import(txn, item, path, &change, why)
                    : met__customer_put(txn, item, path, self->now_ns, &change,
                                        why);
        break;
    case SUBSCRIPTIONS:
        error = apply_subscription(self, item, path, &change, &key);
        break;
    case ENTITLEMENTS:
    case GRANTS:
    case RESETS:
        error = apply_entitled(self, list, item, path, &change, &key);
        break;
    case PROFILES:
        key = met__text_z("");
        error = met__billing_profile_apply(txn, item, path,
                                           &self->call.arena, &change, &key,
                                           why);
        break;
    default:
        break;
    }
    return error == MET_OK ? report_change(self,
                                           met__text_z(lists[list].kind), key,
                                           change)
                           : error;
}

/* Default and customers' own fit when all of them are there. */
static met_error check_profiles(apply *self)
{
    const met__node *array = self->lists[PROFILES];
    met_error error = MET_OK;

    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        const met__node *customer =
            met__node_get(array->as.items[i], "customer");
        error = met__billing_profile_check(
            self->call.txn,
            customer != NULL ? text_of(customer, "key") : met__text_z(""),
            &self->call.arena, &self->call.why);
    }
    return error;
}

static met_error apply_list(apply *self, size_t list)
{
    const met__node *array = self->lists[list];
    met__path root = {NULL, lists[list].member, 0};
    met_error error = MET_OK;

    if (array == NULL) {
        return MET_OK;
    }
    /* Versions of a plan and owners of a key are exported one by one. */
    if (list < SUBSCRIPTIONS && !self->is_import) {
        error = refuse_duplicates(self, list);
    }
    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        met__path path = {&root, NULL, i};
        error = apply_item(self, list, array->as.items[i], &path);
    }
    return error == MET_OK && list == PROFILES ? check_profiles(self) : error;
}

static met_error apply_all(apply *self)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < LIST_COUNT; i++) {
        error = apply_list(self, i);
    }
    if (error == MET_OK && self->gateway->count > 0) {
        error = met__gateway_apply(self->call.txn, self->gateway, NULL,
                                   self->now_ns, self->is_strict,
                                   &self->call.arena, self, report_entity,
                                   &self->call.why);
    }
    return error;
}

/* --- The front door ------------------------------------------------------- */
static met_error check_arguments(apply *self, uint64_t flags)
{
    const uint64_t known = MET_ALLOW_PAST | MET_APPLY_DRY_RUN
                           | MET_APPLY_STRICT;
    int64_t now_ns = met__now_utc_ns(met__store_platform(self->call.store));

    self->allow_past = (flags & MET_ALLOW_PAST) != 0;
    self->is_strict = (flags & MET_APPLY_STRICT) != 0;
    self->is_dry_run = (flags & MET_APPLY_DRY_RUN) != 0;
    self->now_ns = self->at_ns != 0 ? self->at_ns : now_ns;
    met_error error = met__call_flags(&self->call, flags, known);
    if (error != MET_OK) {
        return error;
    }
    if (self->at_ns < 0 || self->at_ns > MET__TIME_MAX) {
        return met__fail(&self->call.why, MET_E_INVALID, "at_ns",
                         "must be 0 or an instant until the year 2200");
    }
    if (self->at_ns != 0 && self->at_ns < now_ns && !self->allow_past) {
        return met__fail(&self->call.why, MET_E_INVALID, "at_ns",
                         "lies in the past, and MET_ALLOW_PAST is not given");
    }
    return MET_OK;
}

static met_error build_report(apply *self, met__node **report_out)
{
    met__node *report = met__node_object(&self->call.arena);
    met_error error = met__node_set(&self->call.arena, report, "changes",
                                    self->changes);

    if (error == MET_OK) {
        error = met__node_set(&self->call.arena, report, "ignored",
                              self->ignored);
    }
    *report_out = report;
    return error;
}

met_error met_catalog_apply(met_store *store, const char *json,
                            size_t json_size, int64_t at_ns, uint64_t flags,
                            met_buffer *report_out, met_error_info *info)
{
    apply self = {.at_ns = at_ns};
    met__node *root = NULL;
    met__node *report = NULL;
    met_error error = met__call_begin(&self.call, store, info);

    if (error != MET_OK) {
        return met__call_end(&self.call, error, NULL, NULL);
    }
    error = check_arguments(&self, flags);
    if (error == MET_OK) {
        error = met__call_parse(&self.call, json, json_size, &root);
    }
    if (error == MET_OK) {
        error = take_document(&self, root);
    }
    if (error == MET_OK) {
        error = met__call_transact(&self.call, 1);
    }
    if (error == MET_OK) {
        error = apply_all(&self);
    }
    if (error == MET_OK) {
        error = build_report(&self, &report);
    }
    if (self.is_dry_run) {
        self.call.is_write = 0; /* ends as one that only looked */
    }
    error = met__call_end(&self.call, error, report, report_out);
    if (error == MET_OK && !self.is_dry_run) {
        (void)met__plan_announce(store); /* else the next tick does it */
    }
    return error;
}
