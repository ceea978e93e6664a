/* Documents as msgpack: the only includer of msgpack. Packing goes through a
 * callback into our buffer, so memory stays ours. Unpacking is our own: a
 * million records are read at once where a catalog is compiled, and five bytes
 * may claim eight gigabytes. */
#include <msgpack.h>

#include "base/check.h"
#include "store/store.h"
#include "store/write_log.h"

/* What readers accept; documents have MET__DOCUMENT_DEPTH_MAX, and rooms wrap
 * a few levels around them. */
#define DEPTH_MAX (MET__DOCUMENT_DEPTH_MAX + 4)
#define TOO_DEEP (-2)
#define EXT_DECIMAL 1 /* 16 bytes: a decimal128, high word first */

/* --- Packing -------------------------------------------------------------- */
static int write_bytes(void *context, const char *bytes, size_t size)
{
    met__buffer *buffer = context;

    if (buffer->capacity - buffer->size <= size) {
        met__buffer_append(buffer, bytes, size);
        return buffer->error == MET_OK ? 0 : -1;
    }
    /* Most are a byte or a few. */
    char *at = buffer->data + buffer->size;
    if (size == 1) {
        *at = *bytes;
    } else {
        memcpy(at, bytes, size);
    }
    at[size] = '\0';
    buffer->size += size;
    return 0;
}

static int pack_text(msgpack_packer *packer, met__text text)
{
    return msgpack_pack_str_with_body(packer, text.data, text.size);
}

static int pack_decimal(msgpack_packer *packer, met_decimal value)
{
    unsigned char bytes[16];

    met__put_u64(bytes, value.bits[1]);
    met__put_u64(bytes + 8, value.bits[0]);
    return msgpack_pack_ext_with_body(packer, bytes, sizeof bytes,
                                      EXT_DECIMAL);
}

typedef struct writer {
    met__buffer buffer;
    msgpack_packer packer;
    const met__record_names *names;
    met__write_log *log; /* or NULL */
} writer;

static int pack_name(writer *to, met__text name)
{
    int number = met__record_name_number(to->names, name);

    return number < 0 ? pack_text(&to->packer, name)
                      : msgpack_pack_uint8(&to->packer, (uint8_t)number);
}

static int pack(writer *to, const met__node *node, int depth)
{
    msgpack_packer *packer = &to->packer;
    int result = 0;

    if (depth > DEPTH_MAX) {
        return TOO_DEEP;
    }
    switch (node->kind) {
    case MET__NODE_BOOLEAN:
        return node->as.boolean ? msgpack_pack_true(packer)
                                : msgpack_pack_false(packer);
    case MET__NODE_INTEGER:
        return msgpack_pack_int64(packer, node->as.integer);
    case MET__NODE_DECIMAL:
        return pack_decimal(packer, node->as.decimal);
    case MET__NODE_TEXT:
        if (to->log != NULL && met__log_is_number(node->as.text)) {
            met__log_hole(to->log, to->buffer.size);
            return 0;
        }
        return pack_text(packer, node->as.text);
    case MET__NODE_ARRAY:
        result = msgpack_pack_array(packer, node->count);
        for (uint32_t i = 0; result == 0 && i < node->count; i++) {
            result = pack(to, node->as.items[i], depth + 1);
        }
        return result;
    case MET__NODE_OBJECT:
        result = msgpack_pack_map(packer, node->count);
        for (uint32_t i = 0; result == 0 && i < node->count; i++) {
            result = pack_name(to, node->as.members[i].name);
            if (result == 0) {
                result = pack(to, node->as.members[i].node, depth + 1);
            }
        }
        return result;
    default:
        return msgpack_pack_nil(packer);
    }
}

static met_error put(met__txn *txn, met__table table, met__text key,
                     const met__node *node, int is_append)
{
    const met_store *store = met__txn_store(txn);
    writer to = {.names = met__store_names(store),
                 .log = met__txn_log_of(txn)};

    MET__ASSERT(txn != NULL && node != NULL);
    met__buffer_init(&to.buffer, met__store_platform(store));
    msgpack_packer_init(&to.packer, &to.buffer, write_bytes);
    int result = pack(&to, node, 0);
    met_error error = result == 0          ? MET_OK
                      : result == TOO_DEEP ? MET_E_LIMIT
                                           : MET_E_NO_MEMORY;
    if (error == MET_OK) {
        error = (is_append ? met__txn_append : met__txn_put)(
            txn, table, key.data, key.size, to.buffer.data, to.buffer.size);
    }
    met__buffer_release(&to.buffer);
    return error;
}

met_error met__record_put(met__txn *txn, met__table table, const void *key,
                          size_t key_size, const met__node *node)
{
    return put(txn, table, met__text_of(key, key_size), node, 0);
}

met_error met__record_append(met__txn *txn, met__table table, const void *key,
                             size_t key_size, const met__node *node)
{
    return put(txn, table, met__text_of(key, key_size), node, 1);
}

/* --- Unpacking ------------------------------------------------------------ */
/* Straight into the tree. Of the kinds that pack() writes, and no others; every
 * count is bounded by the bytes that are left before anything is allocated. */
typedef struct reader {
    met__arena *arena;
    const unsigned char *at;
    const unsigned char *end;
} reader;

static uint64_t left(const reader *r)
{
    return (uint64_t)(r->end - r->at);
}

static int take(reader *r, size_t size, uint64_t *value_out)
{
    uint64_t value = 0;

    if (left(r) < size) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | *r->at++;
    }
    *value_out = value;
    return 1;
}

/* The length of a text whose tag was read; not 0 when it is none. */
static int text_size(reader *r, uint64_t tag, uint64_t *size_out)
{
    if (tag >= 0xa0 && tag <= 0xbf) {
        *size_out = tag & 31;
    } else if (tag < 0xd9 || tag > 0xdb
               || !take(r, (size_t)1 << (tag - 0xd9), size_out)) {
        return -1;
    }
    return *size_out <= left(r) ? 0 : -1;
}

static met_error read_text(reader *r, uint64_t tag, met__text *text_out)
{
    uint64_t size;

    if (text_size(r, tag, &size) != 0) {
        return MET_E_CORRUPT;
    }
    char *copy = met__arena_copy(r->arena, r->at, (size_t)size);
    r->at += size;
    *text_out = met__text_of(copy, (size_t)size);
    return copy != NULL ? MET_OK : MET_E_NO_MEMORY;
}

static met_error read_name(reader *r, uint64_t tag, met__text *name_out)
{
    if (tag > 0x7f) {
        return read_text(r, tag, name_out);
    }
    *name_out = met__record_name(tag);
    return name_out->size > 0 ? MET_OK : MET_E_CORRUPT;
}

static met_error read_value(reader *r, int depth, met__node **node_out);

static met_error read_list(reader *r, uint64_t count, int depth,
                           met__node *node)
{
    node->kind = MET__NODE_ARRAY;
    if (count > left(r)) { /* every value has at least one byte */
        return MET_E_CORRUPT;
    }
    node->as.items = met__arena_allocate(
        r->arena, met__list_bytes((uint32_t)count, sizeof *node->as.items));
    met_error error = node->as.items != NULL ? MET_OK : MET_E_NO_MEMORY;
    for (uint32_t i = 0; error == MET_OK && i < count; i++) {
        error = read_value(r, depth + 1, &node->as.items[i]);
    }
    node->count = (uint32_t)count;
    return error;
}

static met_error read_map(reader *r, uint64_t count, int depth,
                          met__node *node)
{
    uint64_t tag = 0;

    node->kind = MET__NODE_OBJECT;
    if (count > left(r) / 2) {
        return MET_E_CORRUPT;
    }
    node->as.members = met__arena_allocate(
        r->arena, met__list_bytes((uint32_t)count, sizeof *node->as.members));
    met_error error = node->as.members != NULL ? MET_OK : MET_E_NO_MEMORY;
    for (uint32_t i = 0; error == MET_OK && i < count; i++) {
        met__member *member = &node->as.members[i];
        error = take(r, 1, &tag) ? read_name(r, tag, &member->name)
                                 : MET_E_CORRUPT;
        if (error == MET_OK) {
            error = read_value(r, depth + 1, &member->node);
        }
    }
    node->count = (uint32_t)count;
    return error;
}

/* Unsigned ones of 1, 2, 4, 8 bytes, then signed ones. */
static met_error read_integer(reader *r, uint64_t tag, met__node *node)
{
    int is_signed = tag >= 0xd0;
    size_t size = (size_t)1 << (tag - (is_signed ? 0xd0 : 0xcc));
    uint64_t value;

    if (!take(r, size, &value)) {
        return MET_E_CORRUPT;
    }
    if (is_signed && size < 8 && (value >> (size * 8 - 1)) != 0) {
        value |= UINT64_MAX << (size * 8);
    }
    node->kind = MET__NODE_INTEGER;
    node->as.integer = (int64_t)value;
    return is_signed || value <= INT64_MAX ? MET_OK : MET_E_CORRUPT;
}

static met_error read_decimal(reader *r, met__node *node)
{
    uint64_t type;

    if (!take(r, 1, &type) || type != EXT_DECIMAL || left(r) < 16) {
        return MET_E_CORRUPT;
    }
    node->kind = MET__NODE_DECIMAL;
    node->as.decimal.bits[1] = met__get_u64(r->at);
    node->as.decimal.bits[0] = met__get_u64(r->at + 8);
    r->at += 16;
    return met__decimal_is_valid(node->as.decimal) ? MET_OK : MET_E_CORRUPT;
}

/* What has more than its tag. */
static met_error read_long(reader *r, uint64_t tag, int depth,
                           met__node *node)
{
    uint64_t count;

    if (tag >= 0xcc && tag <= 0xd3) {
        return read_integer(r, tag, node);
    }
    switch (tag) {
    case 0xd8: /* an extension of 16 bytes */
        return read_decimal(r, node);
    case 0xdc: /* arrays and maps */
    case 0xdd:
        return take(r, tag == 0xdc ? 2 : 4, &count)
                   ? read_list(r, count, depth, node)
                   : MET_E_CORRUPT;
    case 0xde:
    case 0xdf:
        return take(r, tag == 0xde ? 2 : 4, &count)
                   ? read_map(r, count, depth, node)
                   : MET_E_CORRUPT;
    default:
        node->kind = MET__NODE_TEXT;
        return read_text(r, tag, &node->as.text);
    }
}

static met_error read_value(reader *r, int depth, met__node **node_out)
{
    met_error error = MET_OK;
    uint64_t tag;

    if (depth > DEPTH_MAX || !take(r, 1, &tag)) {
        return MET_E_CORRUPT;
    }
    met__node *node = met__node_null(r->arena);
    if (node == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (tag <= 0x7f || tag >= 0xe0) {
        node->kind = MET__NODE_INTEGER;
        node->as.integer = (int64_t)tag - (tag <= 0x7f ? 0 : 0x100);
    } else if (tag == 0xc2 || tag == 0xc3) {
        node->kind = MET__NODE_BOOLEAN;
        node->as.boolean = tag == 0xc3;
    } else if (tag >= 0x80 && tag <= 0x8f) {
        error = read_map(r, tag & 15, depth, node);
    } else if (tag >= 0x90 && tag <= 0x9f) {
        error = read_list(r, tag & 15, depth, node);
    } else if (tag != 0xc0) {
        error = read_long(r, tag, depth, node);
    }
    if (error == MET_OK) {
        *node_out = node;
    }
    return error;
}

met_error met__record_unpack(met__arena *arena, met__text value,
                             met__node **node_out)
{
    const unsigned char *bytes = (const unsigned char *)value.data;
    reader r = {arena, bytes, bytes + value.size};
    met__node *node = NULL;

    MET__ASSERT(arena != NULL && node_out != NULL);
    met_error error = read_value(&r, 0, &node);
    if (error == MET_OK && r.at != r.end) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        *node_out = node;
    }
    return error;
}

met_error met__record_get(met__txn *txn, met__table table, const void *key,
                          size_t key_size, met__arena *arena,
                          met__node **node_out)
{
    met__text value;
    met_error error = met__txn_get(txn, table, key, key_size, &value);

    return error == MET_OK ? met__record_unpack(arena, value, node_out)
                           : error;
}
