/* metering apply: several declarative files as one document, applied at once.
 * In: YAML or JSON files. Out: what changed and what is ignored; an error
 * names the file and the place in it. */
#include "tool.h"
#include "yaml.h"

#include <stdlib.h>
#include <string.h>

/* Which items of a merged list came from which file. */
typedef struct origin {
    const char *list; /* borrowed from the merged document */
    const char *file;
    size_t first;
    size_t count;
} origin;

typedef struct merged {
    json_t *root;
    origin *origins;
    size_t origin_count;
} merged;

static int add_list(const tool *self, merged *all, const char *file,
                    const char *name, json_t *items)
{
    json_t *list = json_object_get(all->root, name);

    if (list == NULL || json_is_null(list)) {
        list = json_array();
        if (json_object_set_new(all->root, name, list) != 0) {
            return tool_fail(self, "out of memory");
        }
    }
    if (!json_is_array(list)) {
        return tool_fail(self, "%s: %s: is not a list in another file", file,
                         name);
    }
    origin *grown = realloc(all->origins, (all->origin_count + 1)
                                              * sizeof *all->origins);
    if (grown == NULL) {
        return tool_fail(self, "out of memory");
    }
    all->origins = grown;
    all->origins[all->origin_count++] =
        (origin){name, file, json_array_size(list), json_array_size(items)};
    return json_array_extend(list, items) == 0
               ? TOOL_OK
               : tool_fail(self, "out of memory");
}

static int add_value(const tool *self, merged *all, const char *file,
                     const char *name, json_t *value)
{
    json_t *present = json_object_get(all->root, name);

    if (present != NULL && !json_is_null(present)) {
        return json_is_null(value) || json_equal(present, value)
                   ? TOOL_OK
                   : tool_fail(self, "%s: %s: is another one in an earlier "
                                     "file", file, name);
    }
    return json_object_set(all->root, name, value) == 0
               ? TOOL_OK
               : tool_fail(self, "out of memory");
}

static int add_file(const tool *self, merged *all, const char *file,
                    json_t **document_out)
{
    char reason[320];
    const char *name;
    json_t *value;
    FILE *stream = tool_input_open(self, file);

    if (stream == NULL) {
        return TOOL_FAILED;
    }
    json_t *document = yaml_load(stream, reason, sizeof reason);
    tool_input_close(stream);
    *document_out = document;
    if (document == NULL) {
        return tool_fail(self, "%s: %s", file, reason);
    }
    if (!json_is_object(document)) {
        return tool_fail(self, "%s: must be a mapping of lists such as "
                               "\"consumers\" and \"plans\"", file);
    }
    int status = TOOL_OK;
    json_object_foreach(document, name, value) {
        if (status == TOOL_OK) {
            status = json_is_array(value)
                         ? add_list(self, all, file, name, value)
                         : add_value(self, all, file, name, value);
        }
    }
    return status;
}

/* "plans[3].key" of the merged document as "catalog.yaml: plans[1].key". */
static int say_error(const tool *self, const merged *all, met_error error,
                     met_error_info *info)
{
    size_t name_size = strcspn(info->field, "[.");
    const char *bracket = info->field + name_size;

    if (*bracket == '[') {
        char *end;
        size_t index = (size_t)strtoull(bracket + 1, &end, 10);
        for (size_t i = 0; i < all->origin_count; i++) {
            const origin *at = &all->origins[i];
            if (strlen(at->list) == name_size
                && strncmp(at->list, info->field, name_size) == 0
                && index >= at->first && index - at->first < at->count) {
                return tool_fail(self, "%s: %s[%zu%s: %s (%s)", at->file,
                                 at->list, index - at->first, end,
                                 info->reason, met_error_name(error));
            }
        }
    }
    return tool_error(self, error, info);
}

/* How often a change happened. */
static size_t count_changes(json_t *changes, const char *wanted)
{
    size_t count = 0;
    size_t index;
    json_t *item;

    json_array_foreach(changes, index, item) {
        const char *change = json_string_value(json_object_get(item,
                                                               "change"));
        count += change != NULL && strcmp(change, wanted) == 0;
    }
    return count;
}

static int print_report(const tool *self, const met_buffer *report)
{
    static const char *const change_columns[] = {"change", "kind", "key",
                                                 NULL};
    static const char *const ignored_columns[] = {"kind", "name", "reason",
                                                  NULL};
    json_t *root = json_loadb(report->data, report->size, 0, NULL);
    json_t *changes = json_object_get(root, "changes");
    int status = tool_print_list(self, report->data, report->size, "changes",
                                 change_columns);

    if (status == TOOL_OK && !self->is_json
        && json_array_size(json_object_get(root, "ignored")) > 0) {
        puts("\nIgnored, not served:");
        status = tool_print_list(self, report->data, report->size, "ignored",
                                 ignored_columns);
    }
    fprintf(stderr, "%zu created, %zu updated, %zu unchanged%s\n",
            count_changes(changes, "created"),
            count_changes(changes, "updated"),
            count_changes(changes, "unchanged"),
            tool_flag(self, "dry-run") ? " if it were applied" : "");
    json_decref(root);
    return status;
}

static int apply(tool *self, const merged *all, int64_t at_ns)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    int is_dry = tool_flag(self, "dry-run");
    uint64_t flags = (is_dry ? MET_APPLY_DRY_RUN : 0)
                     | (tool_flag(self, "strict") ? MET_APPLY_STRICT : 0)
                     | (at_ns != 0 ? MET_ALLOW_PAST : 0);
    char *text = json_dumps(all->root, JSON_COMPACT);

    if (text == NULL) {
        return tool_fail(self, "the files hold what cannot be written as "
                               "JSON");
    }
    self->virtual_ns = at_ns;
    int status = tool_open(self, !is_dry);
    if (status == TOOL_OK) {
        met_error error = met_catalog_apply(self->store, text, strlen(text),
                                            at_ns, flags, &report, &info);
        status = error == MET_OK ? print_report(self, &report)
                                 : say_error(self, all, error, &info);
        met_buffer_release(&report);
    }
    free(text);
    return status;
}

int command_apply(tool *self)
{
    merged all = {.root = json_object()};
    size_t file_count = (size_t)self->argument_count;
    json_t **documents = calloc(file_count, sizeof *documents);
    int64_t at_ns;
    int status = tool_option_time(self, "at", 0, &at_ns);

    if (all.root == NULL || documents == NULL) {
        status = tool_fail(self, "out of memory");
    }
    for (size_t i = 0; status == TOOL_OK && i < file_count; i++) {
        status = add_file(self, &all, self->arguments[i], &documents[i]);
    }
    if (status == TOOL_OK) {
        status = apply(self, &all, at_ns);
    }
    for (size_t i = 0; documents != NULL && i < file_count; i++) {
        json_decref(documents[i]);
    }
    free(documents);
    free(all.origins);
    json_decref(all.root);
    return status;
}
