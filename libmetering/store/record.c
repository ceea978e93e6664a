/* Documents as msgpack: the only includer of msgpack. Packing goes through a
 * callback into our buffer, so memory stays ours. Unpacking happens only to
 * bytes whose checksum was right, and still after a walk that bounds every
 * count by the bytes that are left: five bytes may claim eight gigabytes. */
#include <msgpack.h>

#include "base/check.h"
#include "store/store.h"

/* What readers accept; documents have MET__DOCUMENT_DEPTH_MAX, and rooms wrap
 * a few levels around them. */
#define DEPTH_MAX (MET__DOCUMENT_DEPTH_MAX + 4)
#define TOO_DEEP (-2)
#define EXT_DECIMAL 1 /* 16 bytes: a decimal128, high word first */

/* --- Packing -------------------------------------------------------------- */
static int write_bytes(void *context, const char *bytes, size_t size)
{
    met__buffer *buffer = context;

    met__buffer_append(buffer, bytes, size);
    return buffer->error == MET_OK ? 0 : -1;
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

static int pack(msgpack_packer *packer, const met__node *node, int depth)
{
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
        return pack_text(packer, node->as.text);
    case MET__NODE_ARRAY:
        result = msgpack_pack_array(packer, node->count);
        for (uint32_t i = 0; result == 0 && i < node->count; i++) {
            result = pack(packer, node->as.items[i], depth + 1);
        }
        return result;
    case MET__NODE_OBJECT:
        result = msgpack_pack_map(packer, node->count);
        for (uint32_t i = 0; result == 0 && i < node->count; i++) {
            result = pack_text(packer, node->as.members[i].name);
            if (result == 0) {
                result = pack(packer, node->as.members[i].node, depth + 1);
            }
        }
        return result;
    default:
        return msgpack_pack_nil(packer);
    }
}

met_error met__record_put(met__txn *txn, met__table table, const void *key,
                          size_t key_size, const met__node *node)
{
    met__buffer buffer;
    msgpack_packer packer;

    MET__ASSERT(txn != NULL && node != NULL);
    met__buffer_init(&buffer, met__store_platform(met__txn_store(txn)));
    msgpack_packer_init(&packer, &buffer, write_bytes);
    int result = pack(&packer, node, 0);
    met_error error = result == 0          ? MET_OK
                      : result == TOO_DEEP ? MET_E_LIMIT
                                           : MET_E_NO_MEMORY;
    if (error == MET_OK) {
        error = met__txn_put(txn, table, key, key_size, buffer.data,
                             buffer.size);
    }
    met__buffer_release(&buffer);
    return error;
}

/* --- The walk before unpacking -------------------------------------------- */
typedef struct walk {
    const unsigned char *at;
    const unsigned char *end;
} walk;

static int take(walk *w, size_t size, uint64_t *value_out)
{
    uint64_t value = 0;

    if ((size_t)(w->end - w->at) < size) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | *w->at++;
    }
    *value_out = value;
    return 1;
}

static int skip(walk *w, uint64_t size)
{
    if ((uint64_t)(w->end - w->at) < size) {
        return 0;
    }
    w->at += size;
    return 1;
}

static int walk_value(walk *w, int depth);

static int walk_values(walk *w, uint64_t count, int depth)
{
    if (count > (uint64_t)(w->end - w->at)) {
        return 0; /* every value has at least one byte */
    }
    while (count-- > 0) {
        if (!walk_value(w, depth)) {
            return 0;
        }
    }
    return 1;
}

/* One value of the kinds that pack() writes. */
static int walk_value(walk *w, int depth)
{
    uint64_t tag;
    uint64_t count;

    if (depth > DEPTH_MAX || !take(w, 1, &tag)) {
        return 0;
    }
    if (tag <= 0x7f || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2
        || tag == 0xc3) {
        return 1;
    }
    if (tag >= 0xa0 && tag <= 0xbf) {
        return skip(w, tag & 31);
    }
    if (tag >= 0x80 && tag <= 0x9f) {
        count = tag & 15;
        return walk_values(w, tag < 0x90 ? count * 2 : count, depth + 1);
    }
    switch (tag) {
    case 0xcc: /* unsigned and signed integers of 1, 2, 4, 8 bytes */
    case 0xd0:
        return skip(w, 1);
    case 0xcd:
    case 0xd1:
        return skip(w, 2);
    case 0xce:
    case 0xd2:
        return skip(w, 4);
    case 0xcf:
    case 0xd3:
        return skip(w, 8);
    case 0xd8: /* extension of 16 bytes */
        return skip(w, 17);
    case 0xd9: /* texts */
    case 0xda:
    case 0xdb:
        return take(w, (size_t)1 << (tag - 0xd9), &count) && skip(w, count);
    case 0xdc: /* arrays and maps */
    case 0xdd:
        return take(w, tag == 0xdc ? 2 : 4, &count)
               && walk_values(w, count, depth + 1);
    case 0xde:
    case 0xdf:
        return take(w, tag == 0xde ? 2 : 4, &count)
               && walk_values(w, count * 2, depth + 1);
    default:
        return 0;
    }
}

/* --- Unpacking ------------------------------------------------------------ */
static met_error convert(met__arena *arena, const msgpack_object *from,
                         met__node **node_out);

static met_error convert_text(met__arena *arena, const msgpack_object *from,
                              met__text *text_out)
{
    if (from->type != MSGPACK_OBJECT_STR) {
        return MET_E_CORRUPT;
    }
    char *copy = met__arena_copy(arena, from->via.str.ptr, from->via.str.size);
    *text_out = met__text_of(copy, from->via.str.size);
    return copy != NULL ? MET_OK : MET_E_NO_MEMORY;
}

static met_error convert_list(met__arena *arena, const msgpack_object *from,
                              met__node *node)
{
    uint32_t count = from->via.array.size;

    node->kind = MET__NODE_ARRAY;
    node->as.items = met__arena_allocate(
        arena, met__list_bytes(count, sizeof *node->as.items));
    if (node->as.items == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        met_error error = convert(arena, &from->via.array.ptr[i],
                                  &node->as.items[i]);
        if (error != MET_OK) {
            return error;
        }
    }
    node->count = count;
    return MET_OK;
}

static met_error convert_map(met__arena *arena, const msgpack_object *from,
                             met__node *node)
{
    uint32_t count = from->via.map.size;

    node->kind = MET__NODE_OBJECT;
    node->as.members = met__arena_allocate(
        arena, met__list_bytes(count, sizeof *node->as.members));
    if (node->as.members == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const msgpack_object_kv *pair = &from->via.map.ptr[i];
        met__member *member = &node->as.members[i];
        met_error error = convert_text(arena, &pair->key, &member->name);
        if (error == MET_OK) {
            error = convert(arena, &pair->val, &member->node);
        }
        if (error != MET_OK) {
            return error;
        }
    }
    node->count = count;
    return MET_OK;
}

static met_error convert_decimal(const msgpack_object *from, met__node *node)
{
    const unsigned char *bytes = (const unsigned char *)from->via.ext.ptr;

    if (from->via.ext.type != EXT_DECIMAL || from->via.ext.size != 16) {
        return MET_E_CORRUPT;
    }
    node->kind = MET__NODE_DECIMAL;
    node->as.decimal.bits[1] = met__get_u64(bytes);
    node->as.decimal.bits[0] = met__get_u64(bytes + 8);
    return met__decimal_is_valid(node->as.decimal) ? MET_OK : MET_E_CORRUPT;
}

static met_error convert(met__arena *arena, const msgpack_object *from,
                         met__node **node_out)
{
    met_error error = MET_OK;
    met__node *node = met__node_null(arena);

    if (node == NULL) {
        return MET_E_NO_MEMORY;
    }
    switch (from->type) {
    case MSGPACK_OBJECT_NIL:
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        node->kind = MET__NODE_BOOLEAN;
        node->as.boolean = from->via.boolean;
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        node->kind = MET__NODE_INTEGER;
        node->as.integer = (int64_t)from->via.u64;
        error = from->via.u64 <= INT64_MAX ? MET_OK : MET_E_CORRUPT;
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        node->kind = MET__NODE_INTEGER;
        node->as.integer = from->via.i64;
        break;
    case MSGPACK_OBJECT_STR:
        node->kind = MET__NODE_TEXT;
        error = convert_text(arena, from, &node->as.text);
        break;
    case MSGPACK_OBJECT_ARRAY:
        error = convert_list(arena, from, node);
        break;
    case MSGPACK_OBJECT_MAP:
        error = convert_map(arena, from, node);
        break;
    case MSGPACK_OBJECT_EXT:
        error = convert_decimal(from, node);
        break;
    default:
        error = MET_E_CORRUPT;
        break;
    }
    if (error == MET_OK) {
        *node_out = node;
    }
    return error;
}

met_error met__record_unpack(met__arena *arena, met__text value,
                             met__node **node_out)
{
    walk w = {(const unsigned char *)value.data,
              (const unsigned char *)value.data + value.size};
    msgpack_unpacked unpacked;
    size_t offset = 0;

    MET__ASSERT(arena != NULL && node_out != NULL);
    if (!walk_value(&w, 0) || w.at != w.end) {
        return MET_E_CORRUPT;
    }
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_return result = msgpack_unpack_next(
        &unpacked, value.data, value.size, &offset);
    met_error error = result == MSGPACK_UNPACK_SUCCESS ? MET_OK
                      : result == MSGPACK_UNPACK_NOMEM_ERROR
                          ? MET_E_NO_MEMORY
                          : MET_E_CORRUPT;
    if (error == MET_OK) {
        error = convert(arena, &unpacked.data, node_out);
    }
    msgpack_unpacked_destroy(&unpacked);
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
