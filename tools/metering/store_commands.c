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

int command_info(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_store_stats(self->store, &report, &info);
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
    met_error error = met_store_backup(self->store, path, strlen(path), 0,
                                       &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    fprintf(stderr, "%s is a copy of %s; it holds the secrets too\n", path,
            self->directory);
    return TOOL_OK;
}
