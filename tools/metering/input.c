/* Input of the commands: files, stdin by "-", NDJSON line by line with a
 * message that names file, line and member. */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE_MAX (1024u * 1024u)

FILE *tool_input_open(const tool *self, const char *name)
{
    if (strcmp(name, "-") == 0) {
        return stdin;
    }
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        tool_fail(self, "%s: %s", name, strerror(errno));
    }
    return file;
}

void tool_input_close(FILE *file)
{
    if (file != NULL && file != stdin) {
        fclose(file);
    }
}

/* One line without its end into *buffer: 1 read, 0 end, -1 too long, -2 the
 * file cannot be read. Never keeps more than LINE_SIZE_MAX bytes. */
static int read_line(FILE *file, char *buffer, size_t *size_out)
{
    size_t size = 0;
    int byte;

    while ((byte = getc_unlocked(file)) != EOF && byte != '\n') {
        if (size == LINE_SIZE_MAX) {
            return -1;
        }
        buffer[size++] = (char)byte;
    }
    *size_out = size;
    if (byte == EOF && ferror(file)) {
        return -2;
    }
    return byte != EOF || size > 0;
}

static json_t *parse_line(const tool *self, const char *name, long long line,
                          const char *text, size_t size)
{
    json_error_t error;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

    if (object == NULL) {
        tool_fail(self, "%s line %lld: not a whole JSON object: %s", name,
                  line, error.text);
    } else if (!json_is_object(object)) {
        tool_fail(self, "%s line %lld: must be a JSON object", name, line);
        json_decref(object);
        object = NULL;
    }
    return object;
}

int tool_input_lines(const tool *self, const char *name, void *context,
                     int (*visit)(const tool *self, void *context,
                                  long long line, json_t *object))
{
    FILE *file = tool_input_open(self, name);
    char *buffer = malloc(LINE_SIZE_MAX);
    int status = file && buffer ? TOOL_OK : TOOL_FAILED;
    long long line = 0;

    while (status == TOOL_OK) {
        size_t size;
        int got = read_line(file, buffer, &size);
        if (got == 0) {
            break;
        }
        line++;
        if (got < 0) {
            status = got == -1 ? tool_fail(self, "%s line %lld: longer than "
                                                 "1 MiB", name, line)
                               : tool_fail(self, "%s: %s", name,
                                           strerror(errno));
            break;
        }
        size_t blank = 0;
        while (blank < size && strchr(" \t\r", buffer[blank]) != NULL
               && buffer[blank] != '\0') {
            blank++;
        }
        if (blank == size) {
            continue;
        }
        json_t *object = parse_line(self, name, line, buffer, size);
        status = object ? visit(self, context, line, object) : TOOL_FAILED;
        json_decref(object);
    }
    free(buffer);
    tool_input_close(file);
    return status;
}

void tool_line_failed(tool_line *line, const char *name, const char *format,
                      ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (line->status == TOOL_OK) {
        line->status = tool_fail(line->self, "%s line %lld: %s: %s",
                                 line->file, line->number, name, text);
    }
}

static json_t *member(tool_line *line, const char *name)
{
    json_t *value = json_object_get(line->object, name);

    if (line->known_count < TOOL_LINE_MEMBERS_MAX) {
        line->known[line->known_count++] = name;
    }
    return json_is_null(value) || line->status != TOOL_OK ? NULL : value;
}

void tool_line_text(tool_line *line, const char *name, int is_required,
                    const char **text_out, size_t *size_out)
{
    json_t *value = member(line, name);

    if (value == NULL) {
        if (is_required) {
            tool_line_failed(line, name, "is missing");
        }
    } else if (!json_is_string(value)) {
        tool_line_failed(line, name, "must be a text");
    } else {
        *text_out = json_string_value(value);
        *size_out = json_string_length(value);
    }
}

void tool_line_number(tool_line *line, const char *name, int64_t minimum,
                      int64_t maximum, int64_t *number_out)
{
    json_t *value = member(line, name);

    if (value == NULL) {
        return;
    }
    if (!json_is_integer(value) || json_integer_value(value) < minimum
        || json_integer_value(value) > maximum) {
        tool_line_failed(line, name,
                         "must be a whole number from %lld to %lld",
                         (long long)minimum, (long long)maximum);
        return;
    }
    *number_out = json_integer_value(value);
}

void tool_line_time(tool_line *line, const char *name, int64_t *utc_ns_out)
{
    const char *text = NULL;
    size_t size = 0;

    tool_line_text(line, name, 1, &text, &size);
    if (text != NULL && met_time_parse(text, size, utc_ns_out) != MET_OK) {
        tool_line_failed(line, name, "\"%.40s\" is not a time like "
                                     "2026-01-31T00:00:00Z", text);
    }
}

int tool_line_end(tool_line *line)
{
    const char *name;
    json_t *value;

    json_object_foreach(line->object, name, value) {
        size_t i = 0;
        while (i < line->known_count && strcmp(line->known[i], name) != 0) {
            i++;
        }
        if (i == line->known_count) {
            tool_line_failed(line, name, "is not a known member");
        }
    }
    return line->status;
}
