/* Subscriptions as documents: the caller's request, the record, what is
 * shown. In: nodes. Out: structs and nodes. No store: subscription_store.c. */
#include "customer/subscription_document.h"

#include "base/check.h"
#include "base/limits.h"
#include "catalog/identity.h"

static const char *const unserved[] = {
    "metadata", "timing",          "settlement_mode", "currency",
    "addons",   "pro_rating_mode", NULL};

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
    if (is_record) { /* the key of a custom plan is an id */
        (void)met__fields_text(&fields, "key", MET__REQUIRED, 1,
                               MET__KEY_SIZE_MAX, &subscription->plan_key);
    } else {
        (void)met__fields_key(&fields, "key", MET__REQUIRED,
                              &subscription->plan_key);
    }
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

/* The parts of a document that are objects themselves. */
typedef struct parts {
    const met__node *customer;
    const met__node *plan;
    const met__node *custom;
} parts;

static void read_parts(met__fields *fields, int states, parts *found)
{
    int is_new = states == MET__STATES_NEW || states == MET__STATES_RECORD;

    if (states == MET__STATES_MIGRATION) {
        return;
    }
    (void)met__fields_object(fields, "customer",
                             is_new ? MET__REQUIRED : MET__OPTIONAL,
                             &found->customer);
    if (states != MET__STATES_RECORD) {
        (void)met__fields_object(fields, "custom_plan", MET__OPTIONAL,
                                 &found->custom);
    }
    (void)met__fields_object(fields, "plan",
                             found->custom != NULL ? MET__OPTIONAL
                                                   : MET__REQUIRED,
                             &found->plan);
    if (fields->error == MET_OK && found->custom != NULL
        && found->plan != NULL) {
        (void)met__fields_fail(fields, "custom_plan",
                               "is given, and a plan, too");
    }
}

/* What the library adds; only in records. */
static void read_added(met__fields *fields, met__subscription *made)
{
    (void)met__fields_stamp(fields, &made->id, &made->created_at_ns,
                            &made->updated_at_ns);
    (void)met__fields_text(fields, "previous_subscription_id", MET__OPTIONAL,
                           1, MET__KEY_SIZE_MAX, &made->previous_id);
    (void)met__fields_text(fields, "superseding_subscription_id",
                           MET__OPTIONAL, 1, MET__KEY_SIZE_MAX,
                           &made->superseding_id);
    (void)met__fields_time(fields, "deleted_at", MET__OPTIONAL,
                           &made->deleted_at_ns);
}

static void read_terms(met__fields *fields, int states, met__arena *arena,
                       met__subscription *made)
{
    unsigned flags =
        states == MET__STATES_RECORD ? MET__REQUIRED : MET__OPTIONAL;
    int64_t version = 0;

    if (states == MET__STATES_MIGRATION) {
        (void)met__fields_integer(fields, "target_version", MET__OPTIONAL, 1,
                                  UINT32_MAX, &version);
        made->plan_version = (uint32_t)version;
    } else {
        (void)met__fields_text(fields, "name", MET__OPTIONAL, 1,
                               MET__NAME_SIZE_MAX, &made->name);
        (void)met__fields_text(fields, "description", MET__OPTIONAL, 1,
                               MET__DESCRIPTION_SIZE_MAX,
                               &made->description);
        (void)met__fields_labels(fields, arena, &made->labels);
    }
    if (states == MET__STATES_NEW || states == MET__STATES_RECORD) {
        read_time(fields, "active_from", flags, &made->active_from_ns);
        read_time(fields, "active_to", MET__OPTIONAL, &made->active_to_ns);
    }
    read_time(fields, "billing_anchor", flags, &made->billing_anchor_ns);
    (void)met__fields_key(fields, "starting_phase", MET__OPTIONAL,
                          &made->starting_phase);
}

met_error met__subscription_read(const met__node *node, const met__path *path,
                                 int states, met__arena *arena,
                                 met__subscription **subscription_out,
                                 const met__node **custom_out,
                                 met_error_info *info)
{
    int is_record = states == MET__STATES_RECORD;
    met__fields fields;
    parts found = {0};
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
    read_parts(&fields, states, &found);
    read_terms(&fields, states, arena, made);
    if (is_record) {
        read_added(&fields, made);
    }
    error = met__fields_end(&fields);
    if (error == MET_OK && found.customer != NULL) {
        error = read_customer(found.customer, &customer_path, is_record, made,
                              info);
    }
    if (error == MET_OK && found.plan != NULL) {
        error = read_plan(found.plan, &plan_path, is_record, made, info);
    }
    if (custom_out != NULL) {
        *custom_out = found.custom;
    }
    *subscription_out = made;
    return error;
}

/* --- Writing -------------------------------------------------------------- */
static void build_plan(met__builder *builder,
                       const met__subscription *subscription)
{
    met__builder plan;

    met__builder_begin(&plan, builder->arena);
    met__build_text(&plan, "key", subscription->plan_key);
    met__build_integer(&plan, "version", subscription->plan_version);
    met__build_object(builder, "plan", &plan);
}

/* status and custom: NULL in a record, which names its plan in any case. */
static void build(met__builder *builder, const met__subscription *subscription,
                  const char *status, const met__node *custom)
{
    met__builder customer;

    met__build_stamp(builder, subscription->id, subscription->created_at_ns,
                     subscription->updated_at_ns);
    met__build_time(builder, "deleted_at", subscription->deleted_at_ns);
    met__build_text(builder, "status", met__text_z(status));
    met__build_text(builder, "name", subscription->name);
    met__build_text(builder, "description", subscription->description);
    met__build_node(builder, "labels", subscription->labels);
    met__builder_begin(&customer, builder->arena);
    met__build_text(&customer, "id", subscription->customer_id);
    met__build_text(&customer, "key", subscription->customer_key);
    met__build_object(builder, "customer", &customer);
    if (custom != NULL) {
        met__build_node(builder, "custom_plan", custom);
    } else {
        build_plan(builder, subscription);
    }
    met__build_text(builder, "starting_phase", subscription->starting_phase);
    met__build_time(builder, "active_from", subscription->active_from_ns);
    met__build_time(builder, "active_to", subscription->active_to_ns);
    met__build_time(builder, "billing_anchor",
                    subscription->billing_anchor_ns);
    met__build_text(builder, "previous_subscription_id",
                    subscription->previous_id);
    met__build_text(builder, "superseding_subscription_id",
                    subscription->superseding_id);
}

met_error met__subscription_build(const met__subscription *subscription,
                                  met__arena *arena, met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    build(&builder, subscription, NULL, NULL);
    return met__builder_end(&builder, node_out);
}

/* A pinned version is never removed. */
static met_error pinned_plan(met__txn *txn,
                             const met__subscription *subscription,
                             met__arena *arena, met__plan **plan_out)
{
    met_error error =
        met__subscription_plan(txn, subscription, arena, plan_out);

    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

static met_error begin_document(met__txn *txn,
                                const met__subscription *subscription,
                                int64_t at_ns, met__builder *builder)
{
    uint32_t status = met__subscription_status_at(subscription, at_ns);
    met__plan *plan = NULL;
    met__node *custom = NULL;
    met_error error = MET_OK;

    if (met__plan_is_custom(subscription->plan_key)) {
        error = pinned_plan(txn, subscription, builder->arena, &plan);
        if (error == MET_OK) {
            error = met__plan_build(plan, MET__PLAN_CUSTOM, NULL, NULL,
                                    builder->arena, &custom);
        }
    }
    if (error == MET_OK) {
        build(builder, subscription, met__subscription_status_name(status),
              custom);
    }
    return error;
}

met_error met__subscription_document(met__txn *txn,
                                     const met__subscription *subscription,
                                     int64_t at_ns, met__arena *arena,
                                     met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met_error error = begin_document(txn, subscription, at_ns, &builder);
    return error == MET_OK ? met__builder_end(&builder, node_out) : error;
}

static void build_bounds(met__builder *builder, met__period bounds)
{
    met__build_time(builder, "from", bounds.from_ns);
    if (bounds.to_ns < MET__TIME_MAX) {
        met__build_time(builder, "to", bounds.to_ns);
    }
}

met_error met__subscription_document_at(met__txn *txn,
                                        const met__subscription *subscription,
                                        int64_t at_ns, met__arena *arena,
                                        met__node **node_out)
{
    met__builder builder;
    met__builder inner;
    met__plan *plan = NULL;
    met__period bounds;
    size_t phase;

    met__builder_begin(&builder, arena);
    met_error error = begin_document(txn, subscription, at_ns, &builder);
    if (error == MET_OK) {
        error = pinned_plan(txn, subscription, arena, &plan);
    }
    if (error != MET_OK) {
        return error;
    }
    error = met__subscription_phase_at(subscription, plan, at_ns, &phase,
                                       &bounds);
    if (error == MET_OK) {
        met__builder_begin(&inner, arena);
        met__build_text(&inner, "key", plan->phases[phase].key);
        build_bounds(&inner, bounds);
        met__build_object(&builder, "current_phase", &inner);
        error = met__subscription_billing_period(subscription, plan, at_ns,
                                                 &bounds);
    }
    if (error == MET_OK) {
        met__builder_begin(&inner, arena);
        build_bounds(&inner, bounds);
        met__build_object(&builder, "current_billing_period", &inner);
    }
    return error == MET_OK || error == MET_E_NOT_FOUND
               ? met__builder_end(&builder, node_out)
               : error;
}
