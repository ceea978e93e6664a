/* Commands on what is kept of old usage: compact, usage settings. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static void print_report(const char *data, size_t size, int is_quiet)
{
    json_t *root = json_loadb(data, size, 0, NULL);
    json_int_t parts = json_integer_value(json_object_get(root, "parts"));
    json_int_t hours = json_integer_value(json_object_get(root,
                                                          "hours_folded"));

    if (!is_quiet || parts > 0 || hours > 0) {
        printf("folded %lld parts into %lld hours, %lld hours into %lld days; "
               "%lld bytes became %lld\n",
               parts, json_integer_value(json_object_get(root, "hours")),
               hours, json_integer_value(json_object_get(root, "days")),
               json_integer_value(json_object_get(root, "bytes_freed")),
               json_integer_value(json_object_get(root, "bytes_written")));
    }
    json_decref(root);
}

int tool_compact(tool *self, const met_compact_config *config, int is_quiet)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    int status = TOOL_OK;
    met_error error = met_store_compact(self->store, config, &report, &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    if (!is_quiet && (self->is_json || tool_flag(self, "field"))) {
        status = tool_print_document(self, report.data, report.size);
    } else if (!self->is_json) {
        print_report(report.data, report.size, is_quiet);
    }
    met_buffer_release(&report);
    return status;
}

int command_compact(tool *self)
{
    met_compact_config config = {.struct_size = sizeof config};
    int64_t records = 0;
    int status = tool_option_time(self, "as-of", 0, &config.as_of_ns);

    if (status == TOOL_OK) {
        status = tool_option_number(self, "records-max", 0, 1, INT64_MAX,
                                    &records);
    }
    if (status == TOOL_OK) {
        status = tool_open(self, 0);
    }
    config.records_max = (uint64_t)records;
    return status == TOOL_OK ? tool_compact(self, &config, 0) : status;
}

/* Options that are given, as a document; NULL: none is. */
static char *settings_text(const tool *self)
{
    const char *minutes = tool_option(self, "keep-minutes", 0);
    const char *hours = tool_option(self, "keep-hours", 0);
    json_t *document = json_object();
    char *text = NULL;

    if (minutes != NULL) {
        json_object_set_new(document, "keep_minutes", json_string(minutes));
    }
    if (hours != NULL) {
        json_object_set_new(document, "keep_hours", json_string(hours));
    }
    if (json_object_size(document) > 0) {
        text = json_dumps(document, JSON_COMPACT);
    }
    json_decref(document);
    return text;
}

int command_usage_settings(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    char *text = settings_text(self);
    met_error error =
        text != NULL ? met_usage_settings_put(self->store, text, strlen(text),
                                              &answer, &info)
                     : met_usage_settings_get(self->store, &answer, &info);
    free(text);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = tool_print_document(self, answer.data, answer.size);
    met_buffer_release(&answer);
    return status;
}
