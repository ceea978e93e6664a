/* CloudEvents out of JSON. In: one event, an array of them, or lines. Out:
 * events as the callers of C give them, with what the meters of their type ask
 * for; what is wrong with one by itself is its verdict and no failure. */
#include <stdio.h>

#include "meter/attribute_path.h"
#include "meter/event_state.h"

typedef struct list {
    met__event *events;
    size_t count;
    size_t room;
} list;

/* --- Where one event ends ------------------------------------------------- */
static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Past a value that begins at `at`: to the comma or the bracket behind it. */
static size_t skip_value(met__text json, size_t at)
{
    size_t depth = 0;
    int in_text = 0;

    for (; at < json.size; at++) {
        char c = json.data[at];
        if (in_text) {
            at += c == '\\';
            in_text = c != '"';
        } else if (c == '"') {
            in_text = 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ']')) {
            break;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
    }
    return at < json.size ? at : json.size;
}

/* --- Texts ---------------------------------------------------------------- */
static met_error say(met__ingest *ingest, met__event *event, const char *field,
                     const char *reason)
{
    return met__event_say(ingest, &event->said, MET_VERDICT_INVALID, field,
                          "%s", reason);
}

static met_error copy_text(met__arena *arena, met__text text,
                           const char **data_out, size_t *size_out)
{
    *data_out = met__arena_copy(arena, text.data, text.size);
    *size_out = text.size;
    return *data_out != NULL ? MET_OK : MET_E_NO_MEMORY;
}

/* A member that must be a text; its bounds are checked with all others. */
static met_error take_text(met__ingest *ingest, met__event *event,
                           const met__node *node, const char *name,
                           const char **data_out, size_t *size_out)
{
    const met__node *member = met__node_get(node, name);

    if (event->said.verdict != 0) {
        return MET_OK;
    }
    if (member == NULL || member->kind == MET__NODE_NULL) {
        return say(ingest, event, name, "is missing");
    }
    if (member->kind != MET__NODE_TEXT) {
        return say(ingest, event, name, "must be a text");
    }
    if (member->as.text.size == 0) {
        return say(ingest, event, name, "must not be empty");
    }
    return copy_text(&ingest->arena, member->as.text, data_out, size_out);
}

static int same_letters(met__text text, const char *word)
{
    size_t size = strlen(word);

    for (size_t i = 0; i < size && i < text.size; i++) {
        char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != word[i]) {
            return 0;
        }
    }
    return text.size == size
           || (text.size > size
               && (text.data[size] == ';' || text.data[size] == ' '));
}

/* What has no place in the struct. */
static met_error check_rest(met__ingest *ingest, met__event *event,
                            const met__node *node)
{
    const met__node *version = met__node_get(node, "specversion");
    const met__node *content = met__node_get(node, "datacontenttype");
    const met__node *time = met__node_get(node, "time");
    const met__node *bytes = met__node_get(node, "data_base64");

    if (version == NULL || version->kind != MET__NODE_TEXT
        || !met__text_equal(version->as.text, MET__TEXT("1.0"))) {
        return say(ingest, event, "specversion", "must be \"1.0\"");
    }
    if (content != NULL && content->kind != MET__NODE_NULL
        && (content->kind != MET__NODE_TEXT
            || !same_letters(content->as.text, "application/json"))) {
        return say(ingest, event, "datacontenttype",
                   "must be application/json");
    }
    if (bytes != NULL && bytes->kind != MET__NODE_NULL) {
        return say(ingest, event, "data_base64",
                   "is not served: data must be JSON");
    }
    if (time == NULL || time->kind == MET__NODE_NULL) {
        return MET_OK;
    }
    if (time->kind != MET__NODE_TEXT
        || met__time_parse(time->as.text, &event->given.utc_ns) != MET_OK
        || event->given.utc_ns <= 0) {
        return say(ingest, event, "time",
                   "must be an RFC 3339 time after 1970");
    }
    return MET_OK;
}

/* --- Data ----------------------------------------------------------------- */
static met_error text_of(met__arena *arena, const met__node *node,
                         met_pair *pair)
{
    met__buffer buffer;
    met__text text = MET__TEXT("");
    met_error error = MET_OK;

    met__buffer_init(&buffer, arena->platform);
    if (node != NULL && node->kind == MET__NODE_TEXT) {
        text = node->as.text;
    } else if (node != NULL && node->kind == MET__NODE_DECIMAL) {
        error = met__decimal_print(node->as.decimal, &buffer);
        text = met__text_of(buffer.data, buffer.size);
    } else if (node != NULL && node->kind != MET__NODE_ARRAY
               && node->kind != MET__NODE_OBJECT) {
        met__json_write(node, 0, &buffer);
        text = met__text_of(buffer.data, buffer.size);
    }
    if (error == MET_OK) {
        error = buffer.error;
    }
    if (error == MET_OK) {
        error = copy_text(arena, text, &pair->value, &pair->value_size);
    }
    met__buffer_release(&buffer);
    return error;
}

/* 0, with the reason, when it is no number. */
static int number_of(const met__node *node, met_decimal *value_out,
                     const char **reason_out)
{
    *reason_out = "is no number";
    if (node == NULL) {
        *reason_out = "is missing";
        return 0;
    }
    switch (node->kind) {
    case MET__NODE_INTEGER:
        *value_out = met__decimal_from_i64(node->as.integer);
        return 1;
    case MET__NODE_DECIMAL:
        *value_out = node->as.decimal;
        return 1;
    case MET__NODE_TEXT:
        return met__decimal_parse(node->as.text, value_out) == MET_OK;
    case MET__NODE_NULL:
        *reason_out = "is null";
        return 0;
    default:
        return 0;
    }
}

static met_error take_quantity(met__ingest *ingest, met__event *event,
                               met__text name, const met__node *data,
                               met_quantity *quantity, size_t *count)
{
    const char *reason;
    const met__node *node =
        data == NULL ? NULL : met__attribute_path_find(name, data);

    if (number_of(node, &quantity->value, &reason)) {
        quantity->key = name.data;
        quantity->key_size = name.size;
        ++*count;
        return MET_OK;
    }
    if (event->said.reason[0] != '\0') {
        return MET_OK;
    }
    const char *field = met__arena_print(&ingest->arena, "data.%.*s",
                                         (int)name.size, name.data);
    return field == NULL ? MET_E_NO_MEMORY
                         : met__event_say(ingest, &event->said, 0, field,
                                          "%s", reason);
}

/* What the meters of the type ask for. Names are the plan's: this batch does
 * not outlive it. */
static met_error take_data(met__ingest *ingest, met__event *event,
                           const met__node *data)
{
    met__arena *arena = &ingest->arena;
    const met__event_type *type = met__ingest_type(
        ingest, met__text_of(event->given.type, event->given.type_size));
    met_error error = MET_OK;

    if (type == NULL) {
        return MET_OK;
    }
    const met__usage_shape *shape = &type->shape;
    met_pair *pairs = met__arena_allocate(
        arena, (shape->attribute_count + 1) * sizeof *pairs);
    met_quantity *quantities = met__arena_allocate(
        arena, (shape->quantity_count + 1) * sizeof *quantities);
    if (pairs == NULL || quantities == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < shape->attribute_count; i++) {
        met__text name = shape->names[i];
        pairs[i].key = name.data;
        pairs[i].key_size = name.size;
        error = text_of(arena,
                        data == NULL ? NULL
                                     : met__attribute_path_find(name, data),
                        &pairs[i]);
    }
    size_t count = 0;
    for (uint32_t i = 0; error == MET_OK && i < shape->quantity_count; i++) {
        error = take_quantity(ingest, event, shape->quantities[i], data,
                              &quantities[count], &count);
    }
    event->given.attributes = pairs;
    event->given.attribute_count = shape->attribute_count;
    event->given.quantities = quantities;
    event->given.quantity_count = count;
    return error;
}

/* --- One event ------------------------------------------------------------ */
static met_error take_node(met__ingest *ingest, met__event *event,
                           const met__node *node)
{
    met_ingest_event *given = &event->given;

    if (node->kind != MET__NODE_OBJECT) {
        return say(ingest, event, "", "must be an object");
    }
    met_error error = check_rest(ingest, event, node);
    if (error == MET_OK) {
        error = take_text(ingest, event, node, "id", &given->id,
                          &given->id_size);
    }
    if (error == MET_OK) {
        error = take_text(ingest, event, node, "source", &given->source,
                          &given->source_size);
    }
    if (error == MET_OK) {
        error = take_text(ingest, event, node, "type", &given->type,
                          &given->type_size);
    }
    if (error == MET_OK) {
        error = take_text(ingest, event, node, "subject", &given->subject,
                          &given->subject_size);
    }
    if (error != MET_OK || event->said.verdict != 0) {
        return error;
    }
    return take_data(ingest, event, met__node_get(node, "data"));
}

static met_error take_one(met__ingest *ingest, list *l, met__text text)
{
    met__arena scratch;
    met__node *node = NULL;
    met_error_info why = {.struct_size = sizeof why};

    if (l->count == MET__BATCH_EVENTS_MAX) {
        return MET_E_LIMIT;
    }
    if (l->count == l->room) {
        size_t room = l->room * 2 + 16;
        met__event *more = met__arena_allocate(&ingest->arena,
                                               room * sizeof *more);
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (l->count > 0) {
            memcpy(more, l->events, l->count * sizeof *more);
        }
        l->events = more;
        l->room = room;
    }
    met__event *event = &l->events[l->count++];
    *event = (met__event){.raw = text, .said = {0, 0, "", ""}};
    if (text.size > MET__EVENT_SIZE_MAX) {
        return say(ingest, event, "", "has more than 65,536 bytes");
    }
    met__arena_init(&scratch, ingest->platform);
    met_error error = met__json_parse(&scratch, text, &node, &why);
    if (error == MET_E_INVALID || error == MET_E_LIMIT) {
        error = say(ingest, event, why.field, why.reason);
    } else if (error == MET_OK) {
        error = take_node(ingest, event, node);
    }
    met__arena_release(&scratch);
    return error;
}

/* --- All of them ---------------------------------------------------------- */
static met__text trimmed(met__text text)
{
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    while (text.size > 0 && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

static met_error take_lines(met__ingest *ingest, list *l, met__text json)
{
    met_error error = MET_OK;

    for (size_t at = 0; error == MET_OK && at < json.size;) {
        const char *from = json.data + at;
        const char *end = memchr(from, '\n', json.size - at);
        size_t size = end != NULL ? (size_t)(end - from) : json.size - at;
        met__text line = trimmed(met__text_of(from, size));
        if (line.size > 0) {
            error = take_one(ingest, l, line);
        }
        at += size + 1;
    }
    return error;
}

static met_error take_array(met__ingest *ingest, list *l, met__text json,
                            met_error_info *info)
{
    met_error error = MET_OK;
    size_t at = 1;

    while (at < json.size && is_space(json.data[at])) {
        at++;
    }
    if (at + 1 == json.size && json.data[at] == ']') {
        return MET_OK;
    }
    while (error == MET_OK) {
        size_t end = skip_value(json, at);
        if (end == json.size) {
            return met__fail(info, MET_E_INVALID, "json",
                             "is an array without an end");
        }
        error = take_one(ingest, l, trimmed(met__text_of(json.data + at,
                                                         end - at)));
        at = end + 1;
        if (json.data[end] == ']') {
            break;
        }
    }
    return error != MET_OK || at == json.size
               ? error
               : met__fail(info, MET_E_INVALID, "json",
                           "has text behind the array");
}

met_error met__events_read(met__ingest *ingest, met__text json, int is_lines,
                           met__event **events_out, size_t *count_out,
                           met_error_info *info)
{
    list l = {0};
    met_error error = MET_OK;

    if (json.size > MET__DOCUMENT_SIZE_MAX) {
        return met__fail(info, MET_E_LIMIT, "json",
                         "has more than %d bytes", MET__DOCUMENT_SIZE_MAX);
    }
    met__text text = trimmed(json);
    if (is_lines) {
        error = take_lines(ingest, &l, text);
    } else if (text.size == 0) {
        error = met__fail(info, MET_E_INVALID, "json", "is empty");
    } else if (text.data[0] == '[') {
        error = take_array(ingest, &l, text, info);
    } else if (text.data[0] == '{') {
        error = take_one(ingest, &l, text);
    } else {
        error = met__fail(info, MET_E_INVALID, "json",
                          "is neither an event nor an array of events");
    }
    if (error == MET_E_LIMIT && l.count == MET__BATCH_EVENTS_MAX) {
        return met__fail(info, error, "events", "there are more than %d",
                         MET__BATCH_EVENTS_MAX);
    }
    *events_out = l.events;
    *count_out = l.count;
    return error;
}
