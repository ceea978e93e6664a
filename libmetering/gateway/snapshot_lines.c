/* Header lines that tell the upstream who it is, compiled. All lines of a
 * consumer are one text, in their order, with the first key's own line among
 * them: then a decision hands them out as they lie.
 * In: a consumer's node. Out: texts of the snapshot. */
#include "gateway/snapshot_compile.h"

#include "gateway/entity_parts.h"

static void put_headers(met__buffer *text, const met__node *node)
{
    static const struct {
        const char *header;
        const char *member;
    } lines[] = {{"X-Consumer-ID: ", "id"},
                 {"X-Consumer-Custom-ID: ", "custom_id"},
                 {"X-Consumer-Username: ", "username"}};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        met__text value = met__node_text_at(node, lines[i].member);
        if (value.size > 0) {
            met__buffer_text(text, lines[i].header);
            met__buffer_append(text, value.data, value.size);
            met__buffer_text(text, "\r\n");
        }
    }
}

static void put_credential(met__buffer *text, const met__node *credential)
{
    met__text id = met__node_text_at(credential, "id");

    met__buffer_text(text, MET__CREDENTIAL_HEADER);
    met__buffer_append(text, id.data, id.size);
    met__buffer_text(text, "\r\n");
}

static void put_groups(met__buffer *text, const met__node *list)
{
    met__buffer_text(text, "X-Consumer-Groups: ");
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        met__text name = met__node_text_at(list->as.items[i], "group");
        met__buffer_text(text, i > 0 ? ", " : "");
        met__buffer_append(text, name.data, name.size);
    }
    met__buffer_text(text, "\r\n");
}

/* Of a text, what lies between two sizes that its buffer had. */
static met__ref part_of(met__ref text, size_t from, size_t to)
{
    return (met__ref){text.offset + (uint32_t)from, (uint32_t)(to - from)};
}

met_error met__compile_lines(met__compile *compile, const met__node *node,
                             met__snapshot_consumer *consumer,
                             met__ref *credential_out)
{
    const met__node *keys = met__node_get(node, "keyauth_credentials");
    met__buffer text;

    met__buffer_init(&text, compile->arena->platform);
    put_headers(&text, node);
    size_t headers = text.size;
    if (keys != NULL && keys->count > 0) {
        put_credential(&text, keys->as.items[0]);
    }
    size_t credential = text.size;
    put_groups(&text, met__node_get(node, "acls"));
    met_error error = text.error;
    if (error == MET_OK) {
        met__ref lines = met__snapshot_add_text(
            compile->writer, met__text_of(text.data, text.size));
        consumer->headers = part_of(lines, 0, headers);
        *credential_out = part_of(lines, headers, credential);
        consumer->groups_header = part_of(lines, credential, text.size);
    }
    met__buffer_release(&text);
    return error;
}

met_error met__compile_line(met__compile *compile,
                            const met__node *credential,
                            met__ref *header_out)
{
    met__buffer line;

    met__buffer_init(&line, compile->arena->platform);
    put_credential(&line, credential);
    met_error error = line.error;
    *header_out = met__snapshot_add_text(
        compile->writer,
        met__text_of(line.data, error == MET_OK ? line.size : 0));
    met__buffer_release(&line);
    return error;
}
