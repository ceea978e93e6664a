/* Commands that make and change objects of the catalog, customers and
 * subscriptions: a document in a file, or an id and options. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#include "yaml.h"

/* --- Documents ------------------------------------------------------------ */
/* The file (YAML or JSON) as JSON text; the caller frees it. */
static int read_document(const tool *self, const char *file, char **text_out)
{
    char reason[320];
    FILE *stream = tool_input_open(self, file);

    if (stream == NULL) {
        return TOOL_FAILED;
    }
    json_t *document = yaml_load(stream, reason, sizeof reason);
    tool_input_close(stream);
    if (document == NULL) {
        return tool_fail(self, "%s: %s", file, reason);
    }
    *text_out = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(document);
    return *text_out != NULL
               ? TOOL_OK
               : tool_fail(self, "%s: holds what cannot be written as JSON",
                           file);
}

typedef met_error (*put_call)(met_store *store, const char *json,
                              size_t json_size, met_buffer *json_out,
                              met_error_info *info);

static int put(tool *self, put_call call)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    char *text = NULL;
    int status = read_document(self, self->arguments[0], &text);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status == TOOL_OK) {
        met_error error =
            call(self->store, text, strlen(text), &answer, &info);
        status = tool_print_answer(self, error, &answer, &info);
    }
    free(text);
    return status;
}

int command_meter_put(tool *self)
{
    return put(self, met_meter_put);
}

int command_feature_put(tool *self)
{
    return put(self, met_feature_put);
}

int command_plan_put(tool *self)
{
    return put(self, met_plan_put);
}

int command_customer_put(tool *self)
{
    return put(self, met_customer_put);
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
static uint64_t past_flag(const tool *self)
{
    return tool_flag(self, "allow-past") ? MET_ALLOW_PAST : 0;
}

int command_subscription_create(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    char *text = NULL;
    int status = read_document(self, self->arguments[0], &text);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status == TOOL_OK) {
        met_error error =
            met_subscription_create(self->store, text, strlen(text),
                                    past_flag(self), &answer, &info);
        status = tool_print_answer(self, error, &answer, &info);
    }
    free(text);
    return status;
}

/* --at, --next-billing-cycle, --allow-past. */
static int read_timing(const tool *self, int64_t *at_ns_out,
                       uint64_t *flags_out)
{
    int status = tool_option_time(self, "at", 0, at_ns_out);

    *flags_out = past_flag(self);
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
        status = read_document(self, self->arguments[1], &text);
    }
    status = status == TOOL_OK ? tool_open(self, 0) : status;
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
    met_error error = met_subscription_get_at(self->store, id, strlen(id),
                                              at_ns, &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}
