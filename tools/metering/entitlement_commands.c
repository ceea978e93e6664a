/* Commands on entitlements that stand alone, resets, grants and what-if. */
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Entitlements --------------------------------------------------------- */
int command_entitlement_create(tool *self)
{
    return tool_create(self, met_entitlement_create);
}

int command_entitlement_override(tool *self)
{
    return tool_create(self, met_entitlement_override);
}

int command_entitlement_remove(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    const char *customer = self->arguments[0];
    const char *feature = self->arguments[1];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error =
        met_entitlement_remove(self->store, customer, strlen(customer),
                               feature, strlen(feature), &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    fprintf(stderr, "the entitlement of %s to %s has ended\n", customer,
            feature);
    return TOOL_OK;
}

int command_entitlement_reset(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *customer = self->arguments[0];
    const char *feature = self->arguments[1];
    const char *at = tool_option(self, "at", 0);
    const char *overage = tool_option(self, "overage", 0);
    char json[256];
    int64_t ignored_ns;
    int status = tool_option_time(self, "at", 0, &ignored_ns);

    if (overage != NULL && strcmp(overage, "keep") != 0
        && strcmp(overage, "forget") != 0) {
        return tool_usage(self, "--overage: \"%s\" is not keep or forget",
                          overage);
    }
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    snprintf(json, sizeof json, "{%s%s%s\"retain_anchor\":%s%s%s}",
             at != NULL ? "\"at\":\"" : "", at != NULL ? at : "",
             at != NULL ? "\"," : "",
             tool_flag(self, "retain-anchor") ? "true" : "false",
             overage != NULL ? ",\"preserve_overage\":" : "",
             overage == NULL                ? ""
             : strcmp(overage, "keep") == 0 ? "true"
                                            : "false");
    met_error error = met_entitlement_reset(
        self->store, customer, strlen(customer), feature, strlen(feature),
        json, strlen(json), &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}

int command_entitlement_simulate(tool *self)
{
    static const char *const columns[] = {
        "at", "usage", "balance", "overage", "total_available",
        "usage_period_from", NULL};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    char *text = yaml_read_text(self, self->arguments[0]);

    if (text == NULL) {
        return TOOL_FAILED;
    }
    met_error error =
        met_entitlement_simulate(text, strlen(text), NULL, &answer, &info);
    free(text);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    int status = tool_print_list(self, answer.data, answer.size, "values",
                                 columns);
    met_buffer_release(&answer);
    return status;
}

/* --- Grants --------------------------------------------------------------- */
int command_grant_create(tool *self)
{
    return tool_create(self, met_grant_create);
}

int command_grant_list(tool *self)
{
    static const char *const columns[] = TOOL_GRANT_COLUMNS;
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *customer = self->arguments[0];
    const char *feature = self->argument_count > 1 ? self->arguments[1] : NULL;
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_grant_list(
        self->store, customer, strlen(customer), feature,
        feature != NULL ? strlen(feature) : 0, &answer, &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = tool_print_list(self, answer.data, answer.size, "items", columns);
    met_buffer_release(&answer);
    return status;
}

int command_grant_show(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *id = self->arguments[0];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error =
        met_grant_get(self->store, id, strlen(id), &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}

int command_grant_void(tool *self)
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
    met_error error = met_grant_void(self->store, id, strlen(id), at_ns,
                                     tool_past_flag(self), &answer, &info);
    return tool_print_answer(self, error, &answer, &info);
}
