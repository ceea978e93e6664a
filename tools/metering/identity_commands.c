/* Commands that rename or erase customers and subjects, or give a consumer
 * another key, and their audit. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

typedef met_error (*identity_call)(met_store *store, const char *key,
                                   size_t key_size, const char *json,
                                   size_t json_size, met_buffer *json_out,
                                   met_error_info *info);

/* {"reason", "actor"} out of the options. */
static json_t *audit_document(const tool *self)
{
    static const char *const names[] = {"reason", "actor"};
    json_t *document = json_object();

    for (size_t i = 0; i < 2; i++) {
        const char *text = tool_option(self, names[i], 0);
        if (text != NULL) {
            json_object_set_new(document, names[i], json_string(text));
        }
    }
    return document;
}

static char *text_of(json_t *document)
{
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
    json_t *document = audit_document(self);
    if (self->argument_count > 1) {
        json_object_set_new(document, "to", json_string(self->arguments[1]));
    }
    char *text = text_of(document);
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

/* The first line of a file, so that no key is on a command line. */
static int add_key(const tool *self, json_t *document)
{
    const char *name = tool_option(self, "key", 0);
    char line[MET_GATEWAY_KEY_SIZE_MAX + 3];

    if (name == NULL) {
        return TOOL_OK;
    }
    FILE *file = tool_input_open(self, name);
    if (file == NULL) {
        return TOOL_FAILED;
    }
    int is_read = fgets(line, sizeof line, file) != NULL;
    tool_input_close(file);
    size_t size = is_read ? strcspn(line, "\r\n") : 0;
    json_t *key = json_stringn(line, size);
    if (size == 0 || key == NULL) {
        json_decref(key);
        return tool_fail(self, "%s: its first line is no key", name);
    }
    json_object_set_new(document, "key", key);
    return TOOL_OK;
}

static int add_seconds(const tool *self, const char *option,
                       const char *member, json_t *document)
{
    const char *text = tool_option(self, option, 0);
    int64_t ns = text != NULL ? tool_duration(text) : 0;

    if (text == NULL) {
        return TOOL_OK;
    }
    if ((ns <= 0 && strcmp(text, "0") != 0) || ns % 1000000000 != 0) {
        return tool_usage(self, "--%s: \"%s\" is not a duration like 60s, 24h "
                                "or 7d", option, text);
    }
    json_object_set_new(document, member, json_integer(ns / 1000000000));
    return TOOL_OK;
}

static char *rotation_text(tool *self, int *status_out)
{
    const char *id = tool_option(self, "id", 0);
    json_t *document = audit_document(self);

    if (id != NULL) {
        json_object_set_new(document, "id", json_string(id));
    }
    *status_out = add_key(self, document);
    if (*status_out == TOOL_OK) {
        *status_out = add_seconds(self, "grace", "grace_seconds", document);
    }
    if (*status_out == TOOL_OK) {
        *status_out = add_seconds(self, "ttl", "ttl", document);
    }
    if (*status_out != TOOL_OK) {
        json_decref(document);
        return NULL;
    }
    char *text = text_of(document);
    if (text == NULL) {
        *status_out = tool_fail(self, "out of memory");
    }
    return text;
}

int command_credential_rotate(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    const char *consumer = self->arguments[0];
    int status;
    char *text = rotation_text(self, &status);

    if (status == TOOL_OK) {
        status = tool_open(self, 0);
    }
    if (status == TOOL_OK) {
        met_error error = met_credential_rotate(
            self->store, consumer, strlen(consumer), text, strlen(text),
            &answer, &info);
        status = tool_print_answer(self, error, &answer, &info);
    }
    free(text);
    return status;
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
