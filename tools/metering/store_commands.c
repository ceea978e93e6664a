/* Commands on the store as a whole: init, info, check, backup. */
#include "tool.h"

#include <string.h>

int command_init(tool *self)
{
    int status = tool_open(self, 1);

    if (status == TOOL_OK) {
        fprintf(stderr, "%s is a store\n", self->directory);
    }
    return status;
}

/* Prints the report of a call that may find damage, then its error. */
static int print_report(tool *self, met_error error, met_buffer *report,
                        const met_error_info *info)
{
    int status = report->size ? tool_print_document(self, report->data,
                                                    report->size)
                              : TOOL_OK;

    met_buffer_release(report);
    return error == MET_OK ? status : tool_error(self, error, info);
}

/* Usage of a minute that goes on waits until the minute is closed; what is
 * older than this is not being settled. */
#define SETTLED_WITHIN_SECONDS 120

/* One line for people: does usage reach the store? */
static void say_if_billing_lives(const met_buffer *report)
{
    json_t *root = json_loadb(report->data, report->size, 0, NULL);
    json_t *tally = json_object_get(root, "tally");
    json_t *waits = json_object_get(tally, "oldest_unsettled_seconds");
    json_t *held_up = json_object_get(tally, "held_up_by");

    if (waits == NULL) {
        fputs("billing: no usage waits to be settled\n", stderr);
    } else {
        long long seconds = json_integer_value(waits);
        const char *hint = "";
        if (json_array_size(held_up) > 0) {
            hint = ", see tally.held_up_by";
        } else if (seconds > SETTLED_WITHIN_SECONDS) {
            hint = "; does anybody settle?";
        }
        fprintf(stderr, "billing: usage waits since %lld s%s\n", seconds,
                hint);
    }
    json_decref(root);
}

int command_info(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_store_stats(self->store, &report, &info);
    if (error == MET_OK && !self->is_json && !tool_flag(self, "field")) {
        say_if_billing_lives(&report);
    }
    return print_report(self, error, &report, &info);
}

int command_check(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_store_check(self->store, &report, &info);
    return print_report(self, error, &report, &info);
}

int command_backup(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    const char *path = self->arguments[0];
    int is_bare = tool_flag(self, "without-secrets");
    met_error error = met_store_backup(
        self->store, path, strlen(path),
        is_bare ? MET_BACKUP_WITHOUT_SECRETS : 0, &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    fprintf(stderr, "%s is a copy of %s; it holds %s\n", path,
            self->directory,
            is_bare ? "nothing of API keys" : "the secrets too");
    return TOOL_OK;
}
