/* Commands that make and change objects of the catalog, customers and
 * subscriptions: a document in a file, or an id and options. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#include "yaml.h"

/* --- Documents ------------------------------------------------------------ */
int command_meter_put(tool *self)
{
    return tool_put(self, met_meter_put);
}

int command_feature_put(tool *self)
{
    return tool_put(self, met_feature_put);
}

int command_plan_put(tool *self)
{
    return tool_put(self, met_plan_put);
}

int command_customer_put(tool *self)
{
    return tool_put(self, met_customer_put);
}

int command_export(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_catalog_export(self->store, &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}

/* --- Subscriptions -------------------------------------------------------- */
int command_subscription_create(tool *self)
{
    return tool_create(self, met_subscription_create);
}

/* --at, --next-billing-cycle, --allow-past. */
static int read_timing(const tool *self, int64_t *at_ns_out,
                       uint64_t *flags_out)
{
    int status = tool_option_time(self, "at", 0, at_ns_out);

    *flags_out = tool_past_flag(self);
    if (tool_flag(self, "next-billing-cycle")) {
        *flags_out |= MET_CANCEL_NEXT_BILLING_CYCLE;
        if (tool_flag(self, "at")) {
            return tool_usage(self, "either --at or --next-billing-cycle");
        }
    }
    return status;
}

int command_subscription_cancel(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *id = self->arguments[0];
    int64_t at_ns;
    uint64_t flags;
    int status = read_timing(self, &at_ns, &flags);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_subscription_cancel(self->store, id, strlen(id),
                                              at_ns, flags, &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}

int command_subscription_change(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *id = self->arguments[0];
    char *text = NULL;
    int64_t at_ns;
    uint64_t flags;
    int status = read_timing(self, &at_ns, &flags);

    if (status == TOOL_OK) {
        text = yaml_read_text(self, self->arguments[1]);
        status = text != NULL ? tool_open(self, 0) : TOOL_FAILED;
    }
    if (status == TOOL_OK) {
        met_error error = met_subscription_change(
            self->store, id, strlen(id), text, strlen(text), at_ns, flags,
            &answer, &info);
        status = tool_print_answer(self, error, &answer, &info);
    }
    free(text);
    return status;
}

/* The document that --version and --phase are. */
static char *migration_document(const tool *self, int64_t version)
{
    json_t *document = json_object();
    const char *phase = tool_option(self, "phase", 0);

    if (version != 0) {
        json_object_set_new(document, "target_version",
                            json_integer(version));
    }
    if (phase != NULL) {
        json_object_set_new(document, "starting_phase", json_string(phase));
    }
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    return text;
}

int command_subscription_migrate(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *id = self->arguments[0];
    int64_t at_ns;
    int64_t version = 0;
    uint64_t flags;
    int status = read_timing(self, &at_ns, &flags);

    if (status == TOOL_OK) {
        status = tool_option_number(self, "version", 0, 1, UINT32_MAX,
                                    &version);
    }
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    char *text = migration_document(self, version);
    if (text == NULL) {
        return tool_fail(self, "--phase: is not UTF-8, or out of memory");
    }
    met_error error = met_subscription_migrate(self->store, id, strlen(id),
                                               text, strlen(text), at_ns,
                                               flags, &answer, &info);
    free(text);
    return tool_print_answer(self, error, &answer, &info);
}

/* A call that takes an id or a key alone. */
static int change_now(tool *self,
                      met_error (*call)(met_store *store, const char *id,
                                        size_t id_size, met_buffer *json_out,
                                        met_error_info *info))
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *id = self->arguments[0];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = call(self->store, id, strlen(id), &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}

int command_plan_next(tool *self)
{
    return change_now(self, met_plan_next);
}

int command_subscription_continue(tool *self)
{
    return change_now(self, met_subscription_continue);
}

int command_subscription_restore(tool *self)
{
    return change_now(self, met_subscription_restore);
}

int command_subscription_show(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *id = self->arguments[0];
    int64_t at_ns;
    int status = tool_option_time(self, "at", 0, &at_ns);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_subscription_get(self->store, id, strlen(id), at_ns,
                                           &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}
