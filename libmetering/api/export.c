/* met_catalog_export: what met_catalog_apply makes the same store of again. The
 * product's own objects with ids, times and all versions, as they are stored;
 * meters, notice rules and the gateway's entities as a person would state them:
 * nothing refers to their ids. Keys of credentials are stored as hashes that
 * only this store can check, and stay here. */
#include "api/document_call.h"
#include "catalog/plan.h"
#include "customer/subscription.h"
#include "entitlement/entitled_transfer.h"
#include "entitlement/notice_rule.h"
#include "gateway/entity.h"
#include "invoice/billing_transfer.h"
#include "metering/catalog.h"

/* What the library adds to an object. */
static const char *const added[] = {
    "id",     "created_at", "updated_at", "counting_since",
    "entity", "subject",    "keyauth_credentials", NULL};

/* Whether its usage goes by the id that its document gave it. */
static int is_known_by_id(const met__node *item)
{
    const met__node *subject = met__node_get(item, "subject");
    const met__node *name = met__node_get(item, "username");

    return subject != NULL && name != NULL
           && (subject->as.text.size < name->as.text.size
               || memcmp(subject->as.text.data + subject->as.text.size
                             - name->as.text.size,
                         name->as.text.data, name->as.text.size)
                      != 0);
}

static int is_added(const met__node *item, met__text name)
{
    for (size_t i = 0; added[i] != NULL; i++) {
        if (met__text_equal(name, met__text_z(added[i]))) {
            return i != 0 || !is_known_by_id(item);
        }
    }
    return 0;
}

static met_error stated(const met__node *item, met__arena *arena,
                        met__node **node_out)
{
    met__node *node = met__node_object(arena);
    met_error error = node != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (uint32_t i = 0; error == MET_OK && i < item->count; i++) {
        const met__member *member = &item->as.members[i];
        if (!is_added(item, member->name)) {
            error = met__node_add(arena, node, member->name, member->node);
        }
    }
    *node_out = node;
    return error;
}

static met_error add_stated(met__call *call, met__node *document,
                            const char *name, const met__node *array)
{
    met__node *list = met__node_array(&call->arena);
    met_error error = list != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        met__node *node = NULL;
        error = stated(array->as.items[i], &call->arena, &node);
        if (error == MET_OK) {
            error = met__node_append(&call->arena, list, node);
        }
    }
    return error == MET_OK
               ? met__node_set(&call->arena, document, name, list)
               : error;
}

static met_error add_catalog(met__call *call, met__node *document)
{
    met__arena *arena = &call->arena;
    met__node *list = NULL;
    met_error error = met__meter_list(call->txn, arena, &list);

    if (error == MET_OK) {
        error = add_stated(call, document, "meters", list);
    }
    if (error == MET_OK) {
        error = met__feature_list(call->txn, arena, &list);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, document, "features", list);
    }
    if (error == MET_OK) {
        error = met__notice_rule_list(call->txn, arena, &list);
    }
    return error == MET_OK
               ? add_stated(call, document, "notice_rules", list)
               : error;
}

static met_error add_entitled(met__call *call, met__node *document,
                              const met__node *customers)
{
    static const char *const names[] = {"entitlements", "grants", "resets"};
    met__node *lists[3];
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < 3; i++) {
        lists[i] = met__node_array(&call->arena);
        error = met__node_set(&call->arena, document, names[i], lists[i]);
    }
    for (uint32_t i = 0; error == MET_OK && i < customers->count; i++) {
        const met__node *one = customers->as.items[i];
        met__customer customer = {.id = met__node_get(one, "id")->as.text,
                                  .key = met__node_get(one, "key")->as.text};
        error = met__entitled_export(call->txn, &customer, &call->arena,
                                     lists[0], lists[1], lists[2]);
    }
    return error;
}

static met_error add_profiles(met__call *call, met__node *document)
{
    met__node *list = met__node_array(&call->arena);
    met_error error = met__node_set(&call->arena, document,
                                    "billing_profiles", list);

    return error == MET_OK ? met__billing_profile_export(
                                 call->txn, &call->arena, list)
                           : error;
}

static met_error add_customers(met__call *call, met__node *document)
{
    met__arena *arena = &call->arena;
    met__node *plans = met__node_array(arena);
    met__node *subscriptions = met__node_array(arena);
    met__node *customers = NULL;
    met_error error = plans != NULL && subscriptions != NULL
                          ? met__plan_export_all(call->txn, arena, plans)
                          : MET_E_NO_MEMORY;

    if (error == MET_OK) {
        error = met__customer_list(call->txn, arena, &customers);
    }
    if (error == MET_OK) {
        error = met__subscription_export_all(call->txn, arena, subscriptions,
                                             plans);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, document, "plans", plans);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, document, "customers", customers);
    }
    if (error == MET_OK) {
        error = met__node_set(arena, document, "subscriptions",
                              subscriptions);
    }
    if (error == MET_OK) {
        error = add_entitled(call, document, customers);
    }
    return error == MET_OK ? add_profiles(call, document) : error;
}

static met_error add_gateway(met__call *call, met__node *document)
{
    static const char *const kinds[][2] = {{"service", "services"},
                                           {"route", "routes"},
                                           {"consumer_group",
                                            "consumer_groups"},
                                           {"consumer", "consumers"},
                                           {"plugin", "plugins"}};
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < sizeof kinds / sizeof *kinds;
         i++) {
        met__node *list = NULL;
        error = met__entity_list(call->txn, met__text_z(kinds[i][0]),
                                 &call->arena, &list);
        if (error == MET_OK) {
            error = add_stated(call, document, kinds[i][1], list);
        }
    }
    return error;
}

met_error met_catalog_export(met_store *store, met_buffer *json_out,
                             met_error_info *info)
{
    met__call call;
    met__node *document = NULL;
    met_error error = met__call_read(&call, store, json_out, info);

    if (error == MET_OK) {
        met__builder builder;
        met__builder_begin(&builder, &call.arena);
        met__build_text(&builder, "_format_version", MET__TEXT("3.0"));
        met__build_integer(&builder, "_export_version", 1);
        error = met__builder_end(&builder, &document);
    }
    if (error == MET_OK) {
        error = add_catalog(&call, document);
    }
    if (error == MET_OK) {
        error = add_customers(&call, document);
    }
    if (error == MET_OK) {
        error = add_gateway(&call, document);
    }
    return met__call_end(&call, error, document, json_out);
}
