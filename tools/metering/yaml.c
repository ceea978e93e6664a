/* YAML to a JSON tree by libyaml's events. In: a stream. Out: one tree whose
 * scalars follow the JSON schema of YAML 1.2 (null, true, false, integers;
 * everything else is text). Knows nothing of what the document means. */
#include "yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 16
#define SIZE_MAX_BYTES (16u * 1024u * 1024u)

typedef struct loader {
    yaml_parser_t parser;
    FILE *file;
    size_t size; /* read so far */
    int is_too_long;
    char *reason;
    size_t reason_size;
} loader;

static json_t *fail(loader *load, const yaml_mark_t *mark, const char *format,
                    ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(load->reason, load->reason_size, "line %zu, column %zu: %s",
             mark->line + 1, mark->column + 1, text);
    return NULL;
}

static int next_event(loader *load, yaml_event_t *event)
{
    if (yaml_parser_parse(&load->parser, event)) {
        return 1;
    }
    if (load->is_too_long) {
        snprintf(load->reason, load->reason_size, "more than 16 MiB");
    } else if (load->parser.error != YAML_MEMORY_ERROR) {
        fail(load, &load->parser.problem_mark, "%s",
             load->parser.problem ? load->parser.problem : "not valid YAML");
    }
    return 0;
}

/* libyaml's source: the file, up to the bound. */
static int read_some(void *context, unsigned char *buffer, size_t size,
                     size_t *size_out)
{
    loader *load = context;

    *size_out = fread(buffer, 1, size, load->file);
    load->size += *size_out;
    load->is_too_long = load->size > SIZE_MAX_BYTES;
    return !load->is_too_long && !ferror(load->file);
}

/* -?(0|[1-9][0-9]*) that fits: the only plain numbers that become numbers. */
static int is_integer(const char *text, size_t size, json_int_t *value_out)
{
    size_t at = size > 0 && text[0] == '-' ? 1 : 0;
    char *end;

    if (at == size || (text[at] == '0' && size > at + 1)
        || strspn(text + at, "0123456789") != size - at) {
        return 0;
    }
    errno = 0;
    *value_out = strtoll(text, &end, 10);
    return errno == 0 && end == text + size;
}

static json_t *scalar(loader *load, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    json_int_t integer;
    json_t *value;

    if (event->data.scalar.anchor != NULL) {
        return fail(load, &event->start_mark, "anchors are not supported");
    }
    if (strlen(text) != size) {
        return fail(load, &event->start_mark, "a text may not contain NUL");
    }
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
        && event->data.scalar.tag == NULL) {
        if (size == 0 || strcmp(text, "null") == 0 || strcmp(text, "~") == 0) {
            return json_null();
        }
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
            return json_boolean(text[0] == 't');
        }
        if (is_integer(text, size, &integer)) {
            return json_integer(integer);
        }
    }
    value = json_stringn(text, size);
    return value ? value
                 : fail(load, &event->start_mark, "text is not valid UTF-8");
}

static json_t *node(loader *load, yaml_event_t *event, int depth);

static json_t *sequence(loader *load, int depth)
{
    json_t *array = json_array();
    yaml_event_t event;

    for (;;) {
        if (!next_event(load, &event)) {
            break;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return array;
        }
        json_t *item = node(load, &event, depth);
        yaml_event_delete(&event);
        if (item == NULL || json_array_append_new(array, item) != 0) {
            break;
        }
    }
    json_decref(array);
    return NULL;
}

static int member(loader *load, json_t *object, yaml_event_t *key, int depth)
{
    yaml_event_t event;

    if (key->type != YAML_SCALAR_EVENT) {
        fail(load, &key->start_mark, "a key must be a text");
        return 0;
    }
    const char *name = (const char *)key->data.scalar.value;
    if (strlen(name) != key->data.scalar.length
        || json_object_get(object, name) != NULL) {
        fail(load, &key->start_mark, "duplicate or unusable key \"%s\"", name);
        return 0;
    }
    if (!next_event(load, &event)) {
        return 0;
    }
    json_t *value = node(load, &event, depth);
    yaml_event_delete(&event);
    if (value == NULL) {
        return 0;
    }
    if (json_object_set_new(object, name, value) != 0) {
        fail(load, &key->start_mark, "key is not valid UTF-8");
        return 0;
    }
    return 1;
}

static json_t *mapping(loader *load, int depth)
{
    json_t *object = json_object();
    yaml_event_t event;

    for (;;) {
        if (!next_event(load, &event)) {
            break;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return object;
        }
        int is_read = member(load, object, &event, depth);
        yaml_event_delete(&event);
        if (!is_read) {
            break;
        }
    }
    json_decref(object);
    return NULL;
}

static json_t *node(loader *load, yaml_event_t *event, int depth)
{
    if (depth >= DEPTH_MAX) {
        return fail(load, &event->start_mark, "nested deeper than %d",
                    DEPTH_MAX);
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return scalar(load, event);
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor
                   ? fail(load, &event->start_mark,
                          "anchors are not supported")
                   : sequence(load, depth + 1);
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor
                   ? fail(load, &event->start_mark,
                          "anchors are not supported")
                   : mapping(load, depth + 1);
    case YAML_ALIAS_EVENT:
        return fail(load, &event->start_mark, "aliases are not supported");
    default:
        return fail(load, &event->start_mark, "a value is missing");
    }
}

/* Stream start, one document, stream end. */
static json_t *document(loader *load)
{
    json_t *root = NULL;
    yaml_event_t event;

    for (;;) {
        if (!next_event(load, &event)) {
            json_decref(root);
            return NULL;
        }
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && root != NULL) {
            fail(load, &event.start_mark, "more than one document");
            json_decref(root);
            yaml_event_delete(&event);
            return NULL;
        }
        if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT
            || type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT) {
            root = node(load, &event, 0);
            if (root == NULL) {
                yaml_event_delete(&event);
                return NULL;
            }
        }
        if (type == YAML_STREAM_END_EVENT) {
            if (root == NULL) {
                fail(load, &event.start_mark, "no document");
            }
            yaml_event_delete(&event);
            return root;
        }
        yaml_event_delete(&event);
    }
}

json_t *yaml_load(FILE *file, char *reason_out, size_t reason_size)
{
    loader load = {.file = file, .reason = reason_out,
                   .reason_size = reason_size};

    if (!yaml_parser_initialize(&load.parser)) {
        snprintf(reason_out, reason_size, "out of memory");
        return NULL;
    }
    snprintf(reason_out, reason_size, "out of memory");
    yaml_parser_set_input(&load.parser, read_some, &load);
    json_t *root = document(&load);
    yaml_parser_delete(&load.parser);
    return root;
}

json_t *yaml_read(const tool *self, const char *name)
{
    char reason[320];
    FILE *file = tool_input_open(self, name);

    if (file == NULL) {
        return NULL;
    }
    json_t *document = yaml_load(file, reason, sizeof reason);
    tool_input_close(file);
    if (document == NULL) {
        tool_fail(self, "%s: %s", name, reason);
    }
    return document;
}

char *yaml_read_text(const tool *self, const char *name)
{
    json_t *document = yaml_read(self, name);

    if (document == NULL) {
        return NULL;
    }
    char *text = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(document);
    if (text == NULL) {
        tool_fail(self, "out of memory");
    }
    return text;
}
