/* Names and keys of the request path: comparing and copying a few bytes
 * without a call. */
#ifndef MET_METER_RECORDER_KEY_H
#define MET_METER_RECORDER_KEY_H

#include <string.h>

#include "base/bytes.h"

/* A name that many events are compared with: its first and its last bytes, as
 * many as a register takes, beside its text. */
typedef struct met__name {
    met__text text;
    uint64_t head;
    uint64_t tail;
} met__name;

/* The first and the last 8, 4 or 1 bytes; together all of them up to 16. */
static inline void met__name_edges(const char *data, size_t size,
                                   uint64_t *head_out, uint64_t *tail_out)
{
    if (size >= 8) {
        memcpy(head_out, data, 8);
        memcpy(tail_out, data + size - 8, 8);
    } else if (size >= 4) {
        uint32_t head;
        uint32_t tail;
        memcpy(&head, data, 4);
        memcpy(&tail, data + size - 4, 4);
        *head_out = head;
        *tail_out = tail;
    } else if (size > 0) {
        *head_out = (unsigned char)data[0]
                    | (uint64_t)(unsigned char)data[size / 2] << 8;
        *tail_out = (unsigned char)data[size - 1];
    } else {
        *head_out = 0;
        *tail_out = 0;
    }
}

static inline met__name met__name_of(met__text text)
{
    met__name name = {.text = text};

    met__name_edges(text.data, text.size, &name.head, &name.tail);
    return name;
}

static inline int met__name_is(const met__name *name, const char *data,
                               size_t size)
{
    uint64_t head;
    uint64_t tail;

    if (size != name->text.size) {
        return 0;
    }
    met__name_edges(data, size, &head, &tail);
    return ((head ^ name->head) | (tail ^ name->tail)) == 0
           && (size <= 16 || memcmp(name->text.data, data, size) == 0);
}

static inline void met__copy_short(unsigned char *to, const char *from,
                                   size_t size)
{
    if (size > 16) {
        memcpy(to, from, size);
    } else if (size >= 8) {
        uint64_t head;
        uint64_t tail;
        memcpy(&head, from, 8);
        memcpy(&tail, from + size - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + size - 8, &tail, 8);
    } else if (size >= 4) {
        uint32_t head;
        uint32_t tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + size - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + size - 4, &tail, 4);
    } else if (size > 0) {
        to[0] = (unsigned char)from[0];
        to[size / 2] = (unsigned char)from[size / 2];
        to[size - 1] = (unsigned char)from[size - 1];
    }
}

#endif
