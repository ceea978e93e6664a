/* Commands on stored objects: list and show of every kind, and what takes one
 * out of service. One table of kinds. */
#include "tool.h"

#include <string.h>

typedef met_error list_call(met_store *store, met_buffer *json_out,
                            met_error_info *info);
typedef met_error list_of_call(met_store *store, const char *customer_key,
                               size_t customer_key_size, met_buffer *json_out,
                               met_error_info *info);

typedef struct kind {
    const char *name;
    const char *plural;
    list_call *list;       /* all; NULL: only of a customer */
    list_of_call *list_of; /* of a customer; NULL: they are nobody's */
    met_error (*get)(met_store *store, const char *key, size_t key_size,
                     met_buffer *json_out, met_error_info *info);
    const char *columns[8];
} kind;

static met_error list_subscriptions(met_store *store, met_buffer *json_out,
                                    met_error_info *info)
{
    return met_subscription_list(store, NULL, 0, json_out, info);
}

static met_error list_invoices(met_store *store, met_buffer *json_out,
                               met_error_info *info)
{
    return met_invoice_list(store, NULL, 0, json_out, info);
}

static met_error list_entitlements(met_store *store, const char *customer_key,
                                   size_t customer_key_size,
                                   met_buffer *json_out, met_error_info *info)
{
    return met_entitlement_list(store, customer_key, customer_key_size, 0,
                                json_out, info);
}

static met_error list_grants(met_store *store, const char *customer_key,
                             size_t customer_key_size, met_buffer *json_out,
                             met_error_info *info)
{
    return met_grant_list(store, customer_key, customer_key_size, NULL, 0,
                          json_out, info);
}

static met_error get_plan(met_store *store, const char *key, size_t key_size,
                          met_buffer *json_out, met_error_info *info)
{
    return met_plan_get(store, key, key_size, 0, 0, json_out, info);
}

static met_error get_subscription(met_store *store, const char *id,
                                  size_t id_size, met_buffer *json_out,
                                  met_error_info *info)
{
    return met_subscription_get(store, id, id_size, 0, json_out, info);
}

#define ENTITY(kind_name)                                                     \
    static met_error list_##kind_name(met_store *store,                       \
                                      met_buffer *json_out,                   \
                                      met_error_info *info)                   \
    {                                                                         \
        return met_gateway_entity_list(store, #kind_name,                     \
                                       sizeof #kind_name - 1, json_out,       \
                                       info);                                 \
    }                                                                         \
    static met_error get_##kind_name(met_store *store, const char *key,       \
                                     size_t key_size, met_buffer *json_out,   \
                                     met_error_info *info)                    \
    {                                                                         \
        return met_gateway_entity_get(store, #kind_name,                      \
                                      sizeof #kind_name - 1, key, key_size,   \
                                      json_out, info);                        \
    }
ENTITY(service)
ENTITY(route)
ENTITY(consumer)
ENTITY(consumer_group)
ENTITY(plugin)

static const kind kinds[] = {
    {"meter", "meters", met_meter_list, NULL, met_meter_get,
     {"key", "name", "event_type", "aggregation", "counting_since"}},
    {"feature", "features", met_feature_list, NULL, met_feature_get,
     {"key", "name", "meter.key", "meter.filters", "archived_at"}},
    {"plan", "plans", met_plan_list, NULL, get_plan,
     {"key", "version", "status", "name", "currency", "billing_cadence",
      "effective_from"}},
    {"customer", "customers", met_customer_list, NULL, met_customer_get,
     {"key", "name", "currency", "usage_attribution.subject_keys"}},
    {"subscription", "subscriptions", list_subscriptions,
     met_subscription_list, get_subscription,
     {"id", "customer.key", "plan.key", "plan.version", "status",
      "active_from", "active_to"}},
    {"entitlement", "entitlements", NULL, list_entitlements, NULL,
     {"feature_key", "type", "has_access", "balance", "usage", "overage",
      "is_soft_limit"}},
    {"grant", "grants", NULL, list_grants, met_grant_get,
     TOOL_GRANT_COLUMNS},
    {"invoice", "invoices", list_invoices, met_invoice_list, met_invoice_get,
     {"number", "id", "customer.key", "status", "totals.total", "currency"}},
    {"service", "services", list_service, NULL, get_service, {"name", "url"}},
    {"route", "routes", list_route, NULL, get_route,
     {"name", "service", "paths"}},
    {"consumer", "consumers", list_consumer, NULL, get_consumer,
     {"username", "subject", "acls"}},
    {"consumer_group", "consumer_groups", list_consumer_group, NULL,
     get_consumer_group, {"name"}},
    {"plugin", "plugins", list_plugin, NULL, get_plugin,
     {"entity", "enabled", "config"}}};

static const kind *find_kind(const tool *self, const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0
            || strcmp(kinds[i].plural, name) == 0) {
            return &kinds[i];
        }
    }
    tool_usage(self, "no kind \"%s\": meter, feature, plan, customer, "
                     "subscription, entitlement, grant, invoice, service, "
                     "route, consumer, consumer_group, plugin",
               name);
    return NULL;
}

int command_list(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const kind *found = find_kind(self, self->arguments[0]);
    const char *customer =
        self->argument_count > 1 ? self->arguments[1] : NULL;

    if (found == NULL) {
        return TOOL_USAGE;
    }
    if (customer == NULL && found->list == NULL) {
        return tool_usage(self, "whose %s? Name a CUSTOMER", found->plural);
    }
    if (customer != NULL && found->list_of == NULL) {
        return tool_usage(self, "%s are of no customer", found->plural);
    }
    int status = tool_open(self, 0);
    if (status != TOOL_OK) {
        return status;
    }
    met_error error =
        customer == NULL
            ? found->list(self->store, &answer, &info)
            : found->list_of(self->store, customer, strlen(customer), &answer,
                             &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = tool_print_list(self, answer.data, answer.size, "items",
                             found->columns);
    met_buffer_release(&answer);
    return status;
}

static int show_entitlement(tool *self)
{
    if (tool_flag(self, "version")) {
        return tool_usage(self, "--version is for plans");
    }
    if (self->argument_count < 3) {
        return tool_usage(self, "of which FEATURE?");
    }
    return tool_show_entitlement(self, self->arguments[1],
                                 self->arguments[2]);
}

int command_show(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const kind *found = find_kind(self, self->arguments[0]);
    const char *key = self->arguments[1];
    int64_t version;
    int64_t at_ns;
    met_error error;

    if (found == NULL) {
        return TOOL_USAGE;
    }
    if (found->get == NULL) {
        return show_entitlement(self);
    }
    if (self->argument_count > 2) {
        return tool_usage(self, "a %s has one KEY", found->name);
    }
    int is_subscription = found->get == get_subscription;
    if (tool_flag(self, "version") && found->get != get_plan) {
        return tool_usage(self, "--version is for plans");
    }
    if (tool_flag(self, "at") && found->get != get_plan && !is_subscription) {
        return tool_usage(self, "--at is for plans, subscriptions and "
                                "entitlements");
    }
    int status = tool_option_number(self, "version", 0, 1, UINT32_MAX,
                                    &version);
    if (status == TOOL_OK) {
        status = tool_option_time(self, "at", 0, &at_ns);
    }
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    if (found->get == get_plan) {
        error = met_plan_get(self->store, key, strlen(key), (uint32_t)version,
                             at_ns, &answer, &info);
    } else if (is_subscription) {
        error = met_subscription_get(self->store, key, strlen(key), at_ns,
                                     &answer, &info);
    } else {
        error = found->get(self->store, key, strlen(key), &answer, &info);
    }
    return tool_print_answer(self, error, &answer, &info);
}

/* --- Taking out of service ------------------------------------------------ */
/* A call that takes a key and gives nothing. */
static int change(tool *self, const char *done,
                  met_error (*call)(met_store *store, const char *key,
                                    size_t key_size, met_error_info *info))
{
    met_error_info info = {.struct_size = sizeof info};
    const char *key = self->arguments[0];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = call(self->store, key, strlen(key), &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    fprintf(stderr, "%s %s\n", key, done);
    return TOOL_OK;
}

int command_meter_remove(tool *self)
{
    return change(self, "is removed", met_meter_remove);
}

int command_feature_archive(tool *self)
{
    return change(self, "is archived", met_feature_archive);
}

int command_plan_archive(tool *self)
{
    return change(self, "is archived", met_plan_archive);
}

int command_customer_remove(tool *self)
{
    return change(self, "is removed", met_customer_remove);
}

int command_plan_remove(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    const char *key = self->arguments[0];
    int64_t version;
    int status = tool_option_number(self, "version", 0, 1, UINT32_MAX,
                                    &version);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_plan_remove(self->store, key, strlen(key),
                                      (uint32_t)version, &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    fprintf(stderr, "%s is removed\n", key);
    return TOOL_OK;
}

int command_plan_publish(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *key = self->arguments[0];
    int64_t at_ns;
    int status = tool_option_time(self, "at", 0, &at_ns);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error =
        met_plan_publish(self->store, key, strlen(key), at_ns,
                         tool_past_flag(self), &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}

int command_subscription_remove(tool *self)
{
    return change(self, "is removed", met_subscription_remove);
}

int command_gateway_remove(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    const char *noun = self->arguments[0];
    const char *name = self->arguments[1];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_gateway_entity_remove(
        self->store, noun, strlen(noun), name, strlen(name), &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    fprintf(stderr, "%s %s is removed\n", noun, name);
    return TOOL_OK;
}
