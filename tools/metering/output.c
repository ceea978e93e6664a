/* Output of the commands: tables, documents, NDJSON lines, progress. In: what
 * the library answered, as JSON. Out: stdout, and progress on stderr. */
#define _GNU_SOURCE
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_MAX 12
/* Numbers in documents have at most 15 digits (the library refuses more). */
#define DUMP_FLAGS (JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

static json_t *parse(const tool *self, const char *answer, size_t size)
{
    json_error_t error;
    json_t *root = json_loadb(answer, size, JSON_DECODE_ANY, &error);

    if (root == NULL) {
        tool_fail(self, "the answer cannot be read: %s", error.text);
    }
    return root;
}

/* "totals.total", "phases.0.key": borrowed, or NULL. */
static json_t *at_path(json_t *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        char name[128];
        size_t size = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)size, path);
        node = json_is_array(node)
                   ? json_array_get(node, (size_t)strtoul(name, NULL, 10))
                   : json_object_get(node, name);
        path += size + (path[size] == '.');
    }
    return node;
}

static char *cell(json_t *node);

/* "a, b"; of objects with one member, that member. NULL: out of memory. */
static char *joined(json_t *array)
{
    char *text = strdup("");
    size_t index;
    json_t *item;

    json_array_foreach(array, index, item) {
        if (json_object_size(item) == 1) {
            item = json_object_iter_value(json_object_iter(item));
        }
        char *more = cell(item);
        char *both = NULL;
        if (text == NULL || more == NULL
            || asprintf(&both, "%s%s%s", text, index > 0 ? ", " : "", more)
                   < 0) {
            both = NULL;
        }
        free(text);
        free(more);
        text = both;
    }
    return text;
}

/* What stands in a cell; free it. */
static char *cell(json_t *node)
{
    if (json_array_size(node) > 0) {
        return joined(node);
    }
    if (node == NULL || json_is_null(node)) {
        return strdup("-");
    }
    if (json_is_string(node)) {
        return strdup(json_string_length(node) ? json_string_value(node)
                                               : "\"\"");
    }
    return json_dumps(node, DUMP_FLAGS | JSON_COMPACT);
}

/* Characters of UTF-8, not bytes. */
int tool_width(const char *text)
{
    int count = 0;

    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return count;
}

static void print_cell(const char *text, int column_width, int is_last)
{
    fputs(text, stdout);
    if (!is_last) {
        printf("%*s", column_width - tool_width(text) + 2, "");
    }
}

static void print_title(const char *path, int column_width, int is_last)
{
    char title[64];

    snprintf(title, sizeof title, "%s", path);
    for (char *at = title; *at != '\0'; at++) {
        *at = *at == '.' || *at == '_'       ? ' '
              : *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A')
                                             : *at;
    }
    print_cell(title, column_width, is_last);
}

/* cells: row after row. */
static void print_table(const char *const *columns, int column_count,
                        char **cells, size_t row_count)
{
    int widths[COLUMNS_MAX];

    for (int c = 0; c < column_count; c++) {
        widths[c] = tool_width(columns[c]);
        for (size_t r = 0; r < row_count; r++) {
            int w = tool_width(cells[r * (size_t)column_count + (size_t)c]);
            widths[c] = w > widths[c] ? w : widths[c];
        }
        print_title(columns[c], widths[c], c + 1 == column_count);
    }
    fputc('\n', stdout);
    for (size_t r = 0; r < row_count; r++) {
        for (int c = 0; c < column_count; c++) {
            print_cell(cells[r * (size_t)column_count + (size_t)c], widths[c],
                       c + 1 == column_count);
        }
        fputc('\n', stdout);
    }
}

static int print_items(const tool *self, json_t *items,
                       const char *const *columns)
{
    size_t row_count = json_array_size(items);
    size_t column_count = 0;
    int status = TOOL_OK;

    while (columns[column_count] != NULL && column_count < COLUMNS_MAX) {
        column_count++;
    }
    char **cells = calloc(row_count * column_count + 1, sizeof *cells);
    for (size_t i = 0; cells != NULL && i < row_count * column_count; i++) {
        cells[i] = cell(at_path(json_array_get(items, i / column_count),
                                columns[i % column_count]));
        if (cells[i] == NULL) {
            status = TOOL_FAILED;
        }
    }
    if (cells == NULL || status != TOOL_OK) {
        status = tool_fail(self, "out of memory");
    } else {
        print_table(columns, (int)column_count, cells, row_count);
    }
    for (size_t i = 0; cells != NULL && i < row_count * column_count; i++) {
        free(cells[i]);
    }
    free(cells);
    return status;
}

static void print_json(const json_t *root)
{
    json_dumpf(root, stdout, DUMP_FLAGS | JSON_INDENT(2));
    fputc('\n', stdout);
}

int tool_print_list(const tool *self, const char *answer, size_t size,
                    const char *name, const char *const *columns)
{
    json_t *root = parse(self, answer, size);
    json_t *items = json_object_get(root, name);
    int status = root ? TOOL_OK : TOOL_FAILED;

    if (root != NULL && self->is_json) {
        print_json(root);
    } else if (root != NULL && !json_is_array(items)) {
        status = tool_fail(self, "the answer has no \"%s\"", name);
    } else if (root != NULL) {
        status = print_items(self, items, columns);
    }
    json_decref(root);
    return status;
}

int tool_print_member(const tool *self, const char *answer, size_t size,
                      const char *path)
{
    json_t *root = parse(self, answer, size);
    int status = root ? TOOL_OK : TOOL_FAILED;

    if (root != NULL && path == NULL) {
        print_json(root);
    } else if (root != NULL) {
        json_t *node = at_path(root, path);
        if (node == NULL) {
            char *text = json_dumps(root, JSON_COMPACT);
            status = tool_fail(self, "there is no \"%s\" in %s", path,
                               text != NULL ? text : "the answer");
            free(text);
        } else if (json_is_string(node)) {
            puts(json_string_value(node));
        } else {
            print_json(node);
        }
    }
    json_decref(root);
    return status;
}

int tool_print_document(const tool *self, const char *answer, size_t size)
{
    return tool_print_member(self, answer, size,
                             tool_option(self, "field", 0));
}

int tool_print_line(const tool *self, json_t *object)
{
    int failed = object == NULL
                 || json_dumpf(object, stdout, DUMP_FLAGS | JSON_COMPACT) != 0;

    json_decref(object);
    if (failed || fputc('\n', stdout) == EOF) {
        return tool_fail(self, "cannot write the output");
    }
    return TOOL_OK;
}

static int progress_is_shown;

void tool_progress(const char *what, unsigned long long done,
                   unsigned long long total)
{
    static int is_terminal = -1;
    static struct timespec last;
    static struct timespec begun;
    static unsigned long long begun_with;
    struct timespec now;

    if (is_terminal < 0) {
        is_terminal = isatty(STDERR_FILENO);
    }
    if (!is_terminal) {
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (begun.tv_sec == 0 || done < begun_with) {
        begun = now;
        begun_with = done;
    }
    double seconds = (double)(now.tv_sec - begun.tv_sec)
                     + (double)(now.tv_nsec - begun.tv_nsec) / 1e9;
    double rate = seconds > 0 ? (double)(done - begun_with) / seconds : 0;
    if ((now.tv_sec - last.tv_sec) * 1000
            + (now.tv_nsec - last.tv_nsec) / 1000000 < 500) {
        return;
    }
    last = now;
    progress_is_shown = 1;
    fprintf(stderr, "\r%s: %llu", what, done);
    if (total > 0) {
        fprintf(stderr, " of %llu (%llu %%)", total, done * 100 / total);
    }
    fprintf(stderr, ", %.0f/s", rate);
    if (rate > 0 && total > done) {
        fprintf(stderr, ", %.0f s left", (double)(total - done) / rate);
    }
    fputs("\033[K", stderr);
}

void tool_progress_end(void)
{
    if (progress_is_shown) {
        fputs("\r\033[K", stderr);
        progress_is_shown = 0;
    }
}

int tool_print_answer(const tool *self, met_error error, met_buffer *answer,
                      const met_error_info *info)
{
    if (error != MET_OK) {
        return tool_error(self, error, info);
    }
    int status = tool_print_document(self, answer->data, answer->size);
    met_buffer_release(answer);
    return status;
}
