/* Commands that go on with an invoice: act, void, credit, recompute. */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

/* "invoice void ID" and "invoice act ID ACTION". */
int command_invoice_act(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    const char *id = self->arguments[0];
    const char *action =
        self->argument_count > 1 ? self->arguments[1] : "void";
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error =
        met_invoice_act(self->store, id, strlen(id), action, strlen(action),
                        &document, &info);
    return error == MET_OK ? tool_print_invoice(self, &document)
                           : tool_error(self, error, &info);
}

/* "3" or "3=1.50". NULL: neither. */
static json_t *read_line(const char *text)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    json_t *line;

    if (end == text || (*end != '\0' && *end != '=')) {
        return NULL;
    }
    line = json_pack("{s:I}", "line", (json_int_t)number);
    if (*end == '=') {
        json_object_set_new(line, "amount", json_string(end + 1));
    }
    return line;
}

static int read_credit(tool *self, json_t *request)
{
    const char *reason = tool_option(self, "reason", 0);
    const char *amount = tool_option(self, "amount", 0);
    json_t *lines = json_array();

    if (reason == NULL) {
        json_decref(lines);
        return tool_usage(self, "--reason is missing");
    }
    json_object_set_new(request, "reason", json_string(reason));
    if (amount != NULL) {
        json_object_set_new(request, "amount", json_string(amount));
    }
    for (int i = 0; tool_option(self, "line", i) != NULL; i++) {
        json_t *line = read_line(tool_option(self, "line", i));
        if (line == NULL) {
            json_decref(lines);
            return tool_usage(self, "--line \"%s\" is not N or N=AMOUNT",
                              tool_option(self, "line", i));
        }
        json_array_append_new(lines, line);
    }
    if (json_array_size(lines) > 0) {
        json_object_set(request, "lines", lines);
    }
    json_decref(lines);
    return TOOL_OK;
}

int command_invoice_credit(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    const char *id = self->arguments[0];
    json_t *request = json_object();
    int status = read_credit(self, request);
    char *text = json_dumps(request, JSON_COMPACT);

    json_decref(request);
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        free(text);
        return status;
    }
    met_error error = met_invoice_credit(self->store, id, strlen(id), text,
                                         strlen(text), &document, &info);
    free(text);
    return error == MET_OK ? tool_print_invoice(self, &document)
                           : tool_error(self, error, &info);
}

/* --- Again ---------------------------------------------------------------- */
static int is_true(const met_buffer *document, const char *name)
{
    json_t *root = json_loadb(document->data, document->size, 0, NULL);
    int is = json_is_true(json_object_get(root, name));

    json_decref(root);
    return is;
}

int command_invoice_recompute(tool *self)
{
    static const char *const columns[] = {"line", "key", "quantity",
                                          "quantity_now", "total",
                                          "total_now", NULL};
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    const char *id = self->arguments[0];
    int is_usage = tool_flag(self, "usage");
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error =
        met_invoice_recompute(self->store, id, strlen(id),
                              is_usage ? MET_INVOICE_USAGE : 0, &document,
                              &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    if (self->is_json || tool_flag(self, "field")) {
        status = tool_print_document(self, document.data, document.size);
    } else if (is_usage) {
        status = tool_print_list(self, document.data, document.size, "lines",
                                 columns);
    } else {
        printf("%s: %s\n", id,
               is_true(&document, "is_identical") ? "the same"
                                                  : "NOT the same");
    }
    if (status == TOOL_OK && !is_usage
        && !is_true(&document, "is_identical")) {
        status = TOOL_FAILED;
    }
    met_buffer_release(&document);
    return status;
}
