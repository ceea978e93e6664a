/* metering usage plot: usage as bars in a terminal of 80 columns. A bar below 0
 * is drawn by its amount, the sign stands in front of the number. */
#include "bar.h"
#include "usage_query.h"

#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 30, ROWS_MAX = 10000 };

typedef struct plot_row {
    char from[32];
    char to[32];
    char *label;
    char value[MET_DECIMAL_TEXT_SIZE];
    met_decimal amount; /* without its sign */
} plot_row;

typedef struct plot {
    json_t *groups;
    plot_row *rows;
    size_t count;
    size_t room;
    met_decimal most;
    int from_width;
    int label_width;
    int value_width;
    int is_ascii;
} plot;

/* The terminal's characters, as its locale says. */
static int is_ascii_terminal(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text != NULL && *text != '\0') {
            return strstr(text, "UTF-8") == NULL && strstr(text, "utf8") == NULL
                   && strstr(text, "UTF8") == NULL
                   && strstr(text, "utf-8") == NULL;
        }
    }
    return 1;
}

/* --- Gathering ------------------------------------------------------------ */
/* At most LABEL_MAX characters, cut between characters of UTF-8. */
static void append(char *label, size_t size, const char *text)
{
    size_t used = strlen(label);
    int width = tool_width(label);

    if (used > 0 && width < LABEL_MAX) {
        label[used++] = ' ';
        width++;
    }
    while (*text != '\0') {
        size_t bytes = 1;
        while (((unsigned char)text[bytes] & 0xc0) == 0x80) {
            bytes++;
        }
        if (width >= LABEL_MAX || used + bytes >= size) {
            break;
        }
        memcpy(label + used, text, bytes);
        used += bytes;
        text += bytes;
        width++;
    }
    label[used] = '\0';
}

static char *label_of(const plot *self, json_t *row)
{
    char label[LABEL_MAX * 4 + 8] = "";
    size_t index;
    json_t *group;

    json_array_foreach(self->groups, index, group) {
        const char *text = usage_row_group(row, json_string_value(group));
        append(label, sizeof label, *text ? text : "\"\"");
    }
    return strdup(label);
}

static void widen(int width, int *widest)
{
    *widest = width > *widest ? width : *widest;
}

static int add_row(const tool *self, void *context, json_t *json)
{
    plot *out = context;
    plot_row row = {.label = label_of(out, json)};
    const char *value = json_string_value(json_object_get(json, "value"));
    const char *digits = value + (*value == '-');

    if (out->count == ROWS_MAX) {
        free(row.label);
        return tool_fail(self, "more than %d bars: choose a greater window or "
                               "a shorter range", ROWS_MAX);
    }
    if (out->count == out->room) {
        size_t room = out->room * 2 + 64;
        plot_row *rows = realloc(out->rows, room * sizeof *rows);
        if (rows != NULL) {
            out->rows = rows;
            out->room = room;
        }
    }
    if (row.label == NULL || out->count == out->room
        || met_decimal_parse(digits, strlen(digits), &row.amount) != MET_OK) {
        free(row.label);
        return tool_fail(self, "out of memory");
    }
    snprintf(row.from, sizeof row.from, "%s",
             json_string_value(json_object_get(json, "from")));
    snprintf(row.to, sizeof row.to, "%s",
             json_string_value(json_object_get(json, "to")));
    snprintf(row.value, sizeof row.value, "%s", value);
    widen((int)strlen(row.from), &out->from_width);
    widen(tool_width(row.label), &out->label_width);
    widen((int)strlen(row.value), &out->value_width);
    if (bar_is_more(&row.amount, &out->most)) {
        out->most = row.amount;
    }
    out->rows[out->count++] = row;
    return TOOL_OK;
}

/* --- Drawing -------------------------------------------------------------- */
static void draw_row(const plot *self, const plot_row *row,
                     const plot_row *before)
{
    int is_next = before == NULL || strcmp(before->from, row->from) != 0;
    int used = self->from_width + 2 + self->value_width + 2
               + (self->label_width > 0 ? self->label_width + 2 : 0);
    int room = used < BAR_COLUMNS - BAR_ROOM_MIN ? BAR_COLUMNS - used
                                                 : BAR_ROOM_MIN;

    if (before != NULL && is_next && strcmp(before->to, row->from) < 0) {
        printf("%s\n", self->is_ascii ? ":" : "\u22ee"); /* nothing was used */
    }
    printf("%-*s", self->from_width, is_next ? row->from : "");
    if (self->label_width > 0) {
        printf("  %s%*s", row->label,
               self->label_width - tool_width(row->label), "");
    }
    printf("  %*s", self->value_width, row->value);
    bar_draw(&row->amount, &self->most, room, self->is_ascii);
    putchar('\n');
}

int command_usage_plot(tool *self)
{
    plot out = {.groups = usage_query_groups(self), .most = bar_whole(0)};

    if (self->is_json) {
        json_decref(out.groups);
        return tool_usage(self, "a plot is no JSON: usage query --json has "
                                "the rows");
    }
    out.is_ascii = tool_flag(self, "ascii") || is_ascii_terminal();
    int status = usage_query_rows(self, &out, add_row);
    for (size_t i = 0; i < out.count && status == TOOL_OK; i++) {
        draw_row(&out, &out.rows[i], i > 0 ? &out.rows[i - 1] : NULL);
    }
    if (status == TOOL_OK && out.count == 0) {
        fputs("nothing was used\n", stderr);
    }
    for (size_t i = 0; i < out.count; i++) {
        free(out.rows[i].label);
    }
    free(out.rows);
    json_decref(out.groups);
    return status;
}
