/* Commands that rename or erase customers and subjects, and their audit. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

typedef met_error (*identity_call)(met_store *store, const char *key,
                                   size_t key_size, const char *json,
                                   size_t json_size, met_buffer *json_out,
                                   met_error_info *info);

/* {"to"?, "reason", "actor"} out of the arguments and options. */
static char *request_document(const tool *self)
{
    static const char *const names[] = {"reason", "actor"};
    json_t *document = json_object();

    for (size_t i = 0; i < 2; i++) {
        const char *text = tool_option(self, names[i], 0);
        if (text != NULL) {
            json_object_set_new(document, names[i], json_string(text));
        }
    }
    if (self->argument_count > 1) {
        json_object_set_new(document, "to", json_string(self->arguments[1]));
    }
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    return text;
}

static int change(tool *self, identity_call call)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *key = self->arguments[0];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    char *text = request_document(self);
    if (text == NULL) {
        return tool_fail(self, "out of memory");
    }
    met_error error = call(self->store, key, strlen(key), text, strlen(text),
                           &answer, &info);
    free(text);
    return tool_print_answer(self, error, &answer, &info);
}

int command_customer_erase(tool *self)
{
    return change(self, met_customer_erase);
}

int command_customer_rename(tool *self)
{
    return change(self, met_customer_rename);
}

int command_subject_erase(tool *self)
{
    return change(self, met_subject_erase);
}

int command_subject_rename(tool *self)
{
    return change(self, met_subject_rename);
}

int command_audit(tool *self)
{
    static const char *const columns[] = {"at", "action", "from", "to",
                                          "actor", "reason", NULL};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_audit_list(self->store, &answer, &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = tool_print_list(self, answer.data, answer.size, "items", columns);
    met_buffer_release(&answer);
    return status;
}
