/* metering apply: several declarative files as one document, applied at once.
 * In: YAML or JSON files. Out: what changed and what is ignored; an error
 * names the file and the place in it. */
#define _XOPEN_SOURCE 700 /* nftw */

#include "tool.h"
#include "yaml.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    const char *name;
    json_t *value;
    json_t *document = yaml_read(self, file);

    *document_out = document;
    if (document == NULL) {
        return TOOL_FAILED;
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

/* Into self's store. What is printed when it is not a rehearsal: the report. */
static int apply_into(tool *self, const merged *all, const char *text,
                      uint64_t flags, int is_create, int is_printed)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer report = {0};
    int status = tool_open(self, is_create);

    if (status != TOOL_OK) {
        return status;
    }
    met_error error = met_catalog_apply(self->store, text, strlen(text),
                                        self->virtual_ns, flags, &report,
                                        &info);
    if (error != MET_OK) {
        status = say_error(self, all, error, &info);
    } else if (is_printed) {
        status = print_report(self, &report);
    }
    met_buffer_release(&report);
    return status;
}

static int is_missing(const tool *self)
{
    struct stat found;

    return self->directory != NULL && self->directory[0] != '\0'
           && stat(self->directory, &found) != 0;
}

static int remove_one(const char *path, const struct stat *found, int type,
                      struct FTW *place)
{
    (void)found;
    (void)type;
    (void)place;
    return remove(path);
}

/* Where there is no store yet: into one of its own that is gone afterwards, so
 * that files with a mistake, or a dry run, leave no store behind. */
static int rehearse(const tool *self, const merged *all, const char *text,
                    uint64_t flags)
{
    const char *temporary = getenv("TMPDIR");
    char directory[4096];
    tool scratch = *self;

    if (temporary == NULL || temporary[0] == '\0') {
        temporary = "/tmp";
    }
    int size = snprintf(directory, sizeof directory, "%s/metering.XXXXXX",
                        temporary);
    if (size < 0 || (size_t)size >= sizeof directory
        || mkdtemp(directory) == NULL) {
        return tool_fail(self, "%s: no temporary directory can be made there",
                         temporary);
    }
    scratch.directory = directory;
    int status = apply_into(&scratch, all, text, flags, 1,
                            (flags & MET_APPLY_DRY_RUN) != 0);
    if (scratch.store != NULL) {
        met_store_close(scratch.store);
    }
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return status;
}

static int apply(tool *self, const merged *all, int64_t at_ns)
{
    int is_dry = tool_flag(self, "dry-run");
    uint64_t flags = (is_dry ? MET_APPLY_DRY_RUN : 0)
                     | (tool_flag(self, "strict") ? MET_APPLY_STRICT : 0)
                     | (at_ns != 0 ? MET_ALLOW_PAST : 0);
    char *text = json_dumps(all->root, JSON_COMPACT);
    int status = TOOL_OK;
    int is_first = is_missing(self);

    if (text == NULL) {
        return tool_fail(self, "the files hold what cannot be written as "
                               "JSON");
    }
    self->virtual_ns = at_ns;
    if (is_first) {
        status = rehearse(self, all, text, flags);
    }
    if (status == TOOL_OK && !(is_first && is_dry)) {
        status = apply_into(self, all, text, flags, !is_dry, 1);
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
