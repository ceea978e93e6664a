/* A tree as JSON text. In: nodes. Out: bytes in a buffer, whose error
 * sticks. */
#include "document/document.h"

void met__json_write_text(met__text text, met__buffer *buffer)
{
    size_t start = 0;

    met__buffer_byte(buffer, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char *escape = c == '"'    ? "\\\""
                             : c == '\\' ? "\\\\"
                             : c == '\n' ? "\\n"
                             : c == '\r' ? "\\r"
                             : c == '\t' ? "\\t"
                                         : NULL;
        if (escape == NULL && c >= 0x20) {
            continue;
        }
        met__buffer_append(buffer, text.data + start, i - start);
        if (escape != NULL) {
            met__buffer_text(buffer, escape);
        } else {
            met__buffer_print(buffer, "\\u%04x", c);
        }
        start = i + 1;
    }
    met__buffer_append(buffer, text.data + start, text.size - start);
    met__buffer_byte(buffer, '"');
}

static void new_line(met__buffer *buffer, int indent)
{
    if (indent >= 0) {
        met__buffer_byte(buffer, '\n');
        for (int i = 0; i < indent; i++) {
            met__buffer_text(buffer, "  ");
        }
    }
}

/* indent < 0: compact. */
static void write_node(const met__node *node, int indent, met__buffer *buffer)
{
    int is_object = node->kind == MET__NODE_OBJECT;
    int inner = indent >= 0 ? indent + 1 : indent;

    met__buffer_byte(buffer, is_object ? '{' : '[');
    for (uint32_t i = 0; i < node->count; i++) {
        const met__node *child = is_object ? node->as.members[i].node
                                           : node->as.items[i];
        if (i > 0) {
            met__buffer_byte(buffer, ',');
        }
        new_line(buffer, inner);
        if (is_object) {
            met__json_write_text(node->as.members[i].name, buffer);
            met__buffer_text(buffer, indent >= 0 ? ": " : ":");
        }
        if (child->kind == MET__NODE_OBJECT
            || child->kind == MET__NODE_ARRAY) {
            write_node(child, inner, buffer);
        } else {
            met__json_write(child, 0, buffer);
        }
    }
    if (node->count > 0) {
        new_line(buffer, indent);
    }
    met__buffer_byte(buffer, is_object ? '}' : ']');
}

/* Always with a point: without one it would be read as an integer, and as one
 * that is too big beyond 2^63. */
static void write_decimal(met_decimal value, met__buffer *buffer)
{
    size_t start = buffer->size;
    met_error error = met__decimal_print(value, buffer);

    if (error != MET_OK && buffer->error == MET_OK) {
        buffer->error = error;
    }
    if (buffer->error == MET_OK
        && memchr(buffer->data + start, '.', buffer->size - start) == NULL) {
        met__buffer_text(buffer, ".0");
    }
}

void met__json_write(const met__node *node, int pretty, met__buffer *buffer)
{
    switch (node->kind) {
    case MET__NODE_BOOLEAN:
        met__buffer_text(buffer, node->as.boolean ? "true" : "false");
        break;
    case MET__NODE_INTEGER:
        met__buffer_print(buffer, "%lld", (long long)node->as.integer);
        break;
    case MET__NODE_DECIMAL:
        write_decimal(node->as.decimal, buffer);
        break;
    case MET__NODE_TEXT:
        met__json_write_text(node->as.text, buffer);
        break;
    case MET__NODE_ARRAY:
    case MET__NODE_OBJECT:
        write_node(node, pretty ? 0 : -1, buffer);
        break;
    default:
        met__buffer_text(buffer, "null");
        break;
    }
}
