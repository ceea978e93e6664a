/* metering usage query: options into a query, and its answer as table, JSON or
 * CSV. CSV is written row by row, however many there are. */
#include "usage_query.h"

#include <stdlib.h>
#include <string.h>

/* --- Options into a query ------------------------------------------------- */
/* Every value of a repeated option, split at commas, as a list. */
static json_t *texts_of(const tool *self, const char *name)
{
    json_t *list = json_array();

    for (int i = 0; tool_option(self, name, i) != NULL; i++) {
        const char *at = tool_option(self, name, i);
        for (;;) {
            size_t size = strcspn(at, ",");
            json_array_append_new(list, json_stringn(at, size));
            if (at[size] == '\0') {
                break;
            }
            at += size + 1;
        }
    }
    return list;
}

/* Every value of a repeated option as it is. What is no UTF-8 goes to the
 * library as what it is not: a text. */
static json_t *values_of(const tool *self, const char *name)
{
    json_t *list = json_array();

    for (int i = 0; tool_option(self, name, i) != NULL; i++) {
        json_t *value = json_string(tool_option(self, name, i));
        json_array_append_new(list, value ? value : json_integer(0));
    }
    return list;
}

/* A number, when all of the text is one; else the text. */
static json_t *number_or_text(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (value != NULL && json_is_number(value)) {
        return value;
    }
    json_decref(value);
    return json_string(text);
}

/* What stands behind a dimension's name, as a condition; NULL: none. */
static json_t *condition_of(const char *text)
{
    static const struct {
        const char *sign;
        const char *name;
        int is_order;
    } signs[] = {{"!=", "ne", 0}, {"!~", "ncontains", 0}, {">=", "gte", 1},
                 {"<=", "lte", 1}, {"=", "eq", 0}, {"~", "contains", 0},
                 {">", "gt", 1}, {"<", "lt", 1}};

    if (*text == ':') {
        return json_loads(text + 1, 0, NULL);
    }
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t size = strlen(signs[i].sign);
        if (strncmp(text, signs[i].sign, size) == 0) {
            json_t *operand = signs[i].is_order ? number_or_text(text + size)
                                                : json_string(text + size);
            return operand ? json_pack("{s:o}", signs[i].name, operand)
                           : NULL;
        }
    }
    return NULL;
}

/* --filter … as {"NAME": condition}. NULL with a message. */
static json_t *filters_of(const tool *self)
{
    json_t *filters = json_object();

    for (int i = 0; tool_option(self, "filter", i) != NULL; i++) {
        const char *text = tool_option(self, "filter", i);
        size_t size = strcspn(text, "=!~<>:");
        char name[160];
        json_t *condition = size > 0 && size < sizeof name
                                ? condition_of(text + size)
                                : NULL;
        if (condition == NULL) {
            tool_usage(self, "--filter: \"%s\" is not NAME=VALUE, or with "
                             "!=, ~, !~, <, <=, >, >= or :JSON", text);
            json_decref(filters);
            return NULL;
        }
        snprintf(name, sizeof name, "%.*s", (int)size, text);
        if (json_object_get(filters, name) != NULL) {
            tool_usage(self, "--filter: \"%s\" is given twice", name);
            json_decref(condition);
            json_decref(filters);
            return NULL;
        }
        json_object_set_new(filters, name, condition);
    }
    return filters;
}

static void set_text(json_t *query, const tool *self, const char *option,
                     const char *name)
{
    const char *text = tool_option(self, option, 0);

    if (text != NULL) {
        json_t *value = json_string(text);
        json_object_set_new(query, name, value ? value : json_integer(0));
    }
}

char *usage_query_text(const tool *self, int *status_out)
{
    json_t *filters = filters_of(self);
    json_t *query = filters ? json_object() : NULL;

    if (query == NULL) {
        *status_out = TOOL_USAGE;
        return NULL;
    }
    set_text(query, self, "meter", "meter");
    set_text(query, self, "feature", "feature");
    set_text(query, self, "from", "from");
    set_text(query, self, "to", "to");
    set_text(query, self, "window", "window");
    set_text(query, self, "time-zone", "time_zone");
    if (tool_option(self, "customer", 1) != NULL) {
        json_object_set_new(query, "customers", values_of(self, "customer"));
    } else {
        set_text(query, self, "customer", "customer");
    }
    if (tool_flag(self, "subject")) {
        json_object_set_new(query, "subjects", values_of(self, "subject"));
    }
    if (json_object_size(filters) > 0) {
        json_object_set(query, "filters", filters);
    }
    if (tool_flag(self, "group-by")) {
        json_object_set_new(query, "group_by", texts_of(self, "group-by"));
    }
    if (tool_flag(self, "settle")) {
        json_object_set_new(query, "settle_first", json_true());
    }
    json_decref(filters);
    char *text = json_dumps(query, JSON_COMPACT);
    json_decref(query);
    *status_out = text ? TOOL_OK : tool_fail(self, "out of memory");
    return text;
}

/* --- Rows ----------------------------------------------------------------- */
static void add_group(json_t *groups, const char *name)
{
    size_t index;
    json_t *group;

    json_array_foreach(groups, index, group) {
        if (strcmp(json_string_value(group), name) == 0) {
            return;
        }
    }
    json_array_append_new(groups, json_string(name));
}

json_t *usage_query_groups(const tool *self)
{
    json_t *groups = texts_of(self, "group-by");

    if (tool_flag(self, "subject")) {
        add_group(groups, "subject");
    }
    if (tool_option(self, "customer", 1) != NULL) {
        add_group(groups, "customer_id");
    }
    return groups;
}

/* Where a row has the value of a group. */
static void path_of(const char *group, char *path, size_t size)
{
    int is_beside = strcmp(group, "subject") == 0;

    if (strcmp(group, "customer_id") == 0) {
        group = "customer";
        is_beside = 1;
    }
    snprintf(path, size, "%s%s", is_beside ? "" : "dimensions.", group);
}

const char *usage_row_group(json_t *row, const char *group)
{
    char path[160];
    json_t *at = row;

    path_of(group, path, sizeof path);
    if (strncmp(path, "dimensions.", 11) == 0) {
        at = json_object_get(json_object_get(row, "dimensions"), path + 11);
    } else {
        at = json_object_get(row, path);
    }
    return json_is_string(at) ? json_string_value(at) : "";
}

int usage_query_rows(tool *self, void *context,
                     int (*visit)(const tool *self, void *context,
                                  json_t *row))
{
    met_error_info info = {.struct_size = sizeof info};
    met_usage_cursor *cursor = NULL;
    met_error error = MET_OK;
    int status;
    char *query = usage_query_text(self, &status);

    status = query ? tool_open(self, 0) : status;
    if (status == TOOL_OK) {
        error = met_usage_query_open(self->store, query, strlen(query),
                                     &cursor, &info);
    }
    while (status == TOOL_OK && error == MET_OK) {
        const char *text;
        size_t size;
        error = met_usage_query_next(cursor, &text, &size, &info);
        if (error == MET_OK) {
            json_t *row = json_loadb(text, size, 0, NULL);
            status = row ? visit(self, context, row)
                         : tool_fail(self, "out of memory");
            json_decref(row);
        }
    }
    if (status == TOOL_OK && error != MET_E_NOT_FOUND) {
        status = tool_error(self, error, &info);
    } else if (status == TOOL_OK && cursor == NULL) {
        status = tool_error(self, error, &info); /* nothing was opened */
    }
    met_usage_query_close(cursor);
    free(query);
    return status;
}

/* --- CSV ------------------------------------------------------------------ */
static void print_csv(const char *text, int is_last)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, stdout);
    } else {
        putchar('"');
        for (; *text != '\0'; text++) {
            if (*text == '"') {
                putchar('"');
            }
            putchar(*text);
        }
        putchar('"');
    }
    fputs(is_last ? "\r\n" : ",", stdout);
}

typedef struct csv {
    json_t *groups;
    int has_title;
} csv;

static void print_titles(csv *self)
{
    size_t index;
    json_t *group;

    self->has_title = 1;
    fputs("from,to,", stdout);
    json_array_foreach(self->groups, index, group) {
        const char *name = json_string_value(group);
        print_csv(strcmp(name, "customer_id") == 0 ? "customer" : name, 0);
    }
    fputs("value\r\n", stdout);
}

static int print_csv_row(const tool *self, void *context, json_t *row)
{
    csv *out = context;
    size_t index;
    json_t *group;

    (void)self;
    if (!out->has_title) {
        print_titles(out);
    }
    print_csv(json_string_value(json_object_get(row, "from")), 0);
    print_csv(json_string_value(json_object_get(row, "to")), 0);
    json_array_foreach(out->groups, index, group) {
        print_csv(usage_row_group(row, json_string_value(group)), 0);
    }
    print_csv(json_string_value(json_object_get(row, "value")), 1);
    return TOOL_OK;
}

static int query_csv(tool *self)
{
    csv out = {usage_query_groups(self), 0};
    int status = usage_query_rows(self, &out, print_csv_row);

    if (status == TOOL_OK && !out.has_title) {
        print_titles(&out);
    }
    json_decref(out.groups);
    return status;
}

/* --- Table and JSON ------------------------------------------------------- */
#define GROUPS_SHOWN 9 /* beside from, to and value */

/* from, to, the groups in the order they were asked for, value. */
static int print_usage(const tool *self, const met_buffer *answer)
{
    char paths[GROUPS_SHOWN][160];
    const char *columns[GROUPS_SHOWN + 4] = {"from", "to"};
    size_t count = 2;
    json_t *groups = usage_query_groups(self);

    if (!self->is_json && json_array_size(groups) > GROUPS_SHOWN) {
        json_decref(groups);
        return tool_usage(self, "a table has room for %d groups: --csv or "
                                "--json has them all", GROUPS_SHOWN);
    }
    for (size_t i = 0; i < json_array_size(groups) && i < GROUPS_SHOWN; i++) {
        path_of(json_string_value(json_array_get(groups, i)), paths[i],
                sizeof paths[i]);
        columns[count++] = paths[i];
    }
    columns[count] = "value";
    int status = tool_print_list(self, answer->data, answer->size, "data",
                                 columns);
    json_decref(groups);
    return status;
}

int command_usage_query(tool *self)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer answer = {0};
    int status;

    if (tool_flag(self, "csv")) {
        return self->is_json || tool_flag(self, "field")
                   ? tool_usage(self, "--csv goes without --json and --field")
                   : query_csv(self);
    }
    char *text = usage_query_text(self, &status);
    status = text ? tool_open(self, 0) : status;
    if (status == TOOL_OK) {
        met_error error = met_usage_query(self->store, text, strlen(text),
                                          &answer, &info);
        if (error != MET_OK) {
            status = tool_error(self, error, &info);
        } else if (tool_flag(self, "field")) {
            status = tool_print_document(self, answer.data, answer.size);
        } else {
            status = print_usage(self, &answer);
        }
        met_buffer_release(&answer);
    }
    free(text);
    return status;
}
