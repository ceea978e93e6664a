/* Subscriptions as documents: the caller's request, the record, what is
 * shown. In: nodes. Out: structs and nodes. No store: subscription_store.c. */
#include "customer/subscription_document.h"

#include "base/check.h"
#include "base/limits.h"
#include "catalog/identity.h"

static const char *const unserved[] = {
    "labels",        "metadata",        "name",     "timing",
    "starting_phase", "settlement_mode", "currency", "addons",
    "pro_rating_mode", "description",    NULL};

static met_error read_customer(const met__node *node, const met__path *path,
                               int is_record,
                               met__subscription *subscription,
                               met_error_info *info)
{
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    if (is_record) {
        (void)met__fields_text(&fields, "id", MET__REQUIRED, 1,
                               MET__KEY_SIZE_MAX, &subscription->customer_id);
    }
    (void)met__fields_text(&fields, "key", MET__REQUIRED, 1,
                           MET__SUBJECT_SIZE_MAX,
                           &subscription->customer_key);
    return met__fields_end(&fields);
}

static met_error read_plan(const met__node *node, const met__path *path,
                           int is_record, met__subscription *subscription,
                           met_error_info *info)
{
    met__fields fields;
    int64_t version = 0;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_key(&fields, "key", MET__REQUIRED,
                          &subscription->plan_key);
    (void)met__fields_integer(&fields, "version",
                              is_record ? MET__REQUIRED : MET__OPTIONAL, 1,
                              UINT32_MAX, &version);
    subscription->plan_version = (uint32_t)version;
    return met__fields_end(&fields);
}

/* In the struct 0 is "not stated", so the very first instant is no time. */
static void read_time(met__fields *fields, const char *name, unsigned flags,
                      int64_t *utc_ns_out)
{
    const met__node *node =
        fields->error == MET_OK ? met__node_get(fields->object, name) : NULL;
    int64_t utc_ns = 0;

    met_error error = met__fields_time(fields, name, flags, &utc_ns);
    if (error == MET_OK && node != NULL && node->kind != MET__NODE_NULL
        && utc_ns == 0) {
        (void)met__fields_fail(fields, name,
                               "must be after 1970-01-01T00:00:00Z");
        return;
    }
    *utc_ns_out = utc_ns;
}

met_error met__subscription_read(const met__node *node, const met__path *path,
                                 int is_record, met__arena *arena,
                                 met__subscription **subscription_out,
                                 met_error_info *info)
{
    unsigned flags = is_record ? MET__REQUIRED : MET__OPTIONAL;
    met__fields fields;
    const met__node *customer = NULL;
    const met__node *plan = NULL;
    met__path customer_path = {path, "customer", 0};
    met__path plan_path = {path, "plan", 0};
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error != MET_OK) {
        return error;
    }
    met__subscription *made = met__arena_allocate(arena, sizeof *made);
    if (made == NULL) {
        return MET_E_NO_MEMORY;
    }
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_object(&fields, "customer", MET__REQUIRED, &customer);
    (void)met__fields_object(&fields, "plan", MET__REQUIRED, &plan);
    read_time(&fields, "active_from", flags, &made->active_from_ns);
    read_time(&fields, "active_to", MET__OPTIONAL, &made->active_to_ns);
    read_time(&fields, "billing_anchor", flags, &made->billing_anchor_ns);
    if (is_record) {
        (void)met__fields_stamp(&fields, &made->id, &made->created_at_ns,
                                &made->updated_at_ns);
    }
    error = met__fields_end(&fields);
    if (error == MET_OK) {
        error = read_customer(customer, &customer_path, is_record, made, info);
    }
    if (error == MET_OK) {
        error = read_plan(plan, &plan_path, is_record, made, info);
    }
    *subscription_out = made;
    return error;
}

met_error met__subscription_build(const met__subscription *subscription,
                                  const char *status, met__arena *arena,
                                  met__node **node_out)
{
    met__builder builder;
    met__builder customer;
    met__builder plan;

    met__builder_begin(&builder, arena);
    met__builder_begin(&customer, arena);
    met__builder_begin(&plan, arena);
    met__build_stamp(&builder, subscription->id, subscription->created_at_ns,
                     subscription->updated_at_ns);
    met__build_text(&builder, "status", met__text_z(status));
    met__build_text(&customer, "id", subscription->customer_id);
    met__build_text(&customer, "key", subscription->customer_key);
    met__build_object(&builder, "customer", &customer);
    met__build_text(&plan, "key", subscription->plan_key);
    met__build_integer(&plan, "version", subscription->plan_version);
    met__build_object(&builder, "plan", &plan);
    met__build_time(&builder, "active_from", subscription->active_from_ns);
    met__build_time(&builder, "active_to", subscription->active_to_ns);
    met__build_time(&builder, "billing_anchor",
                    subscription->billing_anchor_ns);
    return met__builder_end(&builder, node_out);
}

met_error met__subscription_document(const met__subscription *subscription,
                                     int64_t now_ns, met__arena *arena,
                                     met__node **node_out)
{
    uint32_t status = met__subscription_status_at(subscription, now_ns);

    return met__subscription_build(subscription,
                                   met__subscription_status_name(status),
                                   arena, node_out);
}
