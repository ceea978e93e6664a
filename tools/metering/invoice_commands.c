/* Commands on invoices: preview, finalize, list, show, render, export. */
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

/* For a person as text, with --json or --field as the document. Releases the
 * document. */
int tool_print_invoice(tool *self, met_buffer *document)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer text = {0};
    int status = TOOL_OK;

    if (self->is_json || tool_flag(self, "field")) {
        status = tool_print_document(self, document->data, document->size);
    } else {
        met_error error = met_invoice_render(document->data, document->size,
                                             MET_INVOICE_TEXT, &text, &info);
        if (error != MET_OK) {
            status = tool_error(self, error, &info);
        } else {
            fwrite(text.data, 1, text.size, stdout);
            met_buffer_release(&text);
        }
    }
    met_buffer_release(document);
    return status;
}

static int preview(tool *self, uint64_t flags)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    const char *customer = self->arguments[0];
    int64_t as_of_ns;
    int status = tool_option_time(self, "as-of", 0, &as_of_ns);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_invoice_preview(self->store, customer,
                                          strlen(customer), as_of_ns, flags,
                                          &document, &info);
    return error == MET_OK ? tool_print_invoice(self, &document)
                           : tool_error(self, error, &info);
}

int command_invoice_preview(tool *self)
{
    return preview(self,
                   tool_flag(self, "due") ? 0 : MET_INVOICE_OPEN_PERIOD);
}

int command_invoice_finalize(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    const char *customer = self->arguments[0];
    int64_t as_of_ns;

    if (tool_flag(self, "dry-run")) {
        return preview(self, 0);
    }
    int status = tool_option_time(self, "as-of", 0, &as_of_ns);
    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error =
        tool_flag(self, "interim")
            ? met_invoice_interim(self->store, customer, strlen(customer),
                                  as_of_ns, &document, &info)
            : met_invoice_finalize(self->store, customer, strlen(customer),
                                   as_of_ns, &document, &info);
    return error == MET_OK ? tool_print_invoice(self, &document)
                           : tool_error(self, error, &info);
}

/* A customer without invoices is one; a name that nobody has is a slip. */
static int check_customer(tool *self, const char *key, const met_buffer *list)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer customer = {0};
    json_t *root = json_loadb(list->data, list->size, 0, NULL);
    size_t count = json_array_size(json_object_get(root, "items"));

    json_decref(root);
    if (count > 0) {
        return TOOL_OK; /* also of a removed one */
    }
    met_error error = met_customer_get(self->store, key, strlen(key),
                                       &customer, &info);
    met_buffer_release(&customer);
    return error == MET_OK ? TOOL_OK : tool_error(self, error, &info);
}

/* --status leaves out all others. */
static void keep_status(tool *self, met_buffer *answer)
{
    const char *wanted = tool_option(self, "status", 0);
    json_t *root;
    json_t *items;
    char *text;

    if (wanted == NULL) {
        return;
    }
    root = json_loadb(answer->data, answer->size, 0, NULL);
    items = json_object_get(root, "items");
    for (size_t i = json_array_size(items); i-- > 0;) {
        const char *status = json_string_value(
            json_object_get(json_array_get(items, i), "status"));
        if (status == NULL || strcmp(status, wanted) != 0) {
            json_array_remove(items, i);
        }
    }
    /* What is left is not longer than what there was. */
    text = json_dumps(root, JSON_COMPACT);
    if (text != NULL) {
        answer->size = strlen(text);
        memcpy(answer->data, text, answer->size + 1);
    }
    free(text);
    json_decref(root);
}

/* A status that no invoice can have would be an empty list. */
static int check_status(const tool *self)
{
    static const char *const all[] = {
        "draft", "issuing", "issued", "payment_processing", "overdue", "paid",
        "uncollectible", "voided", "delete", "deleted"};
    const char *wanted = tool_option(self, "status", 0);

    for (size_t i = 0; wanted != NULL && i < sizeof all / sizeof *all; i++) {
        if (strcmp(wanted, all[i]) == 0) {
            return TOOL_OK;
        }
    }
    return wanted == NULL
               ? TOOL_OK
               : tool_usage(self, "--status: \"%s\" is none of draft, "
                                  "issuing, issued, payment_processing, "
                                  "overdue, paid, uncollectible, voided, "
                                  "delete and deleted", wanted);
}

/* Invoices of the customer that is named, or of all. TOOL_OK or an exit
 * status. */
static int read_list(tool *self, met_buffer *answer_out)
{
    met_error_info info = {.struct_size = sizeof info};
    const char *customer = self->argument_count ? self->arguments[0] : NULL;
    int status = check_status(self);

    status = status == TOOL_OK ? tool_open(self, 0) : status;
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_invoice_list(self->store, customer,
                                       customer ? strlen(customer) : 0,
                                       answer_out, &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = customer ? check_customer(self, customer, answer_out) : TOOL_OK;
    keep_status(self, answer_out);
    if (status != TOOL_OK) {
        met_buffer_release(answer_out);
    }
    return status;
}

int command_invoice_list(tool *self)
{
    static const char *const columns[] = {
        "number",       "id",           "customer.key", "status",
        "service_period.from", "service_period.to", "totals.total",
        "currency",     NULL};
    met_buffer answer = {0};
    int status = read_list(self, &answer);

    if (status == TOOL_OK) {
        status = tool_print_list(self, answer.data, answer.size, "items",
                                 columns);
    }
    met_buffer_release(&answer);
    return status;
}

int command_invoice_show(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    const char *id = self->arguments[0];
    int status = tool_open(self, 0);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_invoice_get(self->store, id, strlen(id), &document,
                                      &info);
    return error == MET_OK ? tool_print_invoice(self, &document)
                           : tool_error(self, error, &info);
}

/* --- render and export ---------------------------------------------------- */
/* One of --text, --html, --csv and --json; fallback when none is given.
 * TOOL_OK or an exit status. */
static int read_format(const tool *self, uint32_t fallback,
                       uint32_t *format_out)
{
    static const struct {
        const char *name;
        uint32_t format;
    } formats[] = {{"text", MET_INVOICE_TEXT},
                   {"html", MET_INVOICE_HTML},
                   {"csv", MET_INVOICE_CSV}};
    int count = self->is_json;

    *format_out = self->is_json ? MET_INVOICE_JSON : fallback;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (tool_flag(self, formats[i].name)) {
            *format_out = formats[i].format;
            count++;
        }
    }
    return count <= 1 ? TOOL_OK
                      : tool_usage(self, "one of --text, --html, --csv and "
                                         "--json");
}

static int print_rendered(const tool *self, const char *json, size_t size,
                          uint32_t format, int without_header)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer text = {0};
    met_error error = met_invoice_render(json, size, format, &text, &info);

    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    const char *begin = text.data;
    if (without_header) {
        const char *end = memchr(text.data, '\n', text.size);
        begin = end != NULL ? end + 1 : text.data + text.size;
    }
    fwrite(begin, 1, (size_t)(text.data + text.size - begin), stdout);
    met_buffer_release(&text);
    return TOOL_OK;
}

/* A document from a file: it needs no store. */
static int render_file(const tool *self, const char *name, uint32_t format)
{
    char *text = yaml_read_text(self, name);

    if (text == NULL) {
        return TOOL_FAILED;
    }
    int status = print_rendered(self, text, strlen(text), format, 0);
    free(text);
    return status;
}

int command_invoice_render(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer document = {0};
    const char *id = self->arguments[0];
    uint32_t format;
    int status = read_format(self, MET_INVOICE_TEXT, &format);

    if (status != TOOL_OK || strcmp(id, "-") == 0) {
        return status == TOOL_OK ? render_file(self, id, format) : status;
    }
    status = tool_open(self, 0);
    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_invoice_usage(self->store, id, strlen(id), &document,
                                        &info);
    if (error != MET_OK) {
        return tool_error(self, error, &info);
    }
    status = print_rendered(self, document.data, document.size, format, 0);
    met_buffer_release(&document);
    return status;
}

static int export_one(const tool *self, json_t *invoice, uint32_t format,
                      int is_first)
{
    if (format == MET_INVOICE_JSON) {
        return tool_print_line(self, json_incref(invoice));
    }
    char *text = json_dumps(invoice, JSON_COMPACT);
    if (text == NULL) {
        return tool_fail(self, "out of memory");
    }
    int status = print_rendered(self, text, strlen(text), format, !is_first);
    free(text);
    return status;
}

int command_invoice_export(tool *self)
{
    met_buffer answer = {0};
    uint32_t format;
    int status = read_format(self, MET_INVOICE_CSV, &format);

    status = status == TOOL_OK ? read_list(self, &answer) : status;
    if (status != TOOL_OK) {
        return status;
    }
    json_t *root = json_loadb(answer.data, answer.size, 0, NULL);
    json_t *items = json_object_get(root, "items");
    met_buffer_release(&answer);
    for (size_t i = 0; status == TOOL_OK && i < json_array_size(items); i++) {
        status = export_one(self, json_array_get(items, i), format, i == 0);
    }
    json_decref(root);
    return status;
}
