/* A list that grows, of millions of items: such do not live in an arena, which
 * keeps what was outgrown. Only for this room. */
#ifndef MET_INVOICE_LONG_LIST_H
#define MET_INVOICE_LONG_LIST_H

#include "base/bytes.h"
#include "base/platform.h"

/* Begins all zero, but for the size. */
typedef struct met__long_list {
    void *items;
    size_t count;
    size_t room;
    size_t size; /* of an item */
} met__long_list;

static inline void *met__long_list_at(const met__long_list *list,
                                      size_t index)
{
    return (char *)list->items + index * list->size;
}

/* So many at least; new ones are all zero. */
met_error met__long_list_reach(const met__platform *platform,
                               met__long_list *list, size_t count);
/* A new one, all zero. */
met_error met__long_list_add(const met__platform *platform,
                             met__long_list *list, void **item_out);
void met__long_list_drop(const met__platform *platform,
                         met__long_list *list);

#endif
