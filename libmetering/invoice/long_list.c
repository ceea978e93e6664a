/* Growing by half, in place when the allocator can. */
#include "invoice/long_list.h"

#define FIRST_ROOM 256

/* New room is not touched: it takes no memory before somebody writes there. */
static met_error grow(const met__platform *platform, met__long_list *list,
                      size_t count)
{
    size_t room = list->room == 0 ? FIRST_ROOM : list->room;
    void *items;

    while (room < count) {
        room += room / 2;
    }
    if (room == list->room) {
        return MET_OK;
    }
    items = met__reallocate(platform, list->items, list->room * list->size,
                            room * list->size);
    if (items == NULL) {
        return MET_E_NO_MEMORY;
    }
    list->items = items;
    list->room = room;
    return MET_OK;
}

met_error met__long_list_reach(const met__platform *platform,
                               met__long_list *list, size_t count)
{
    met_error error = grow(platform, list, count);

    if (error == MET_OK && count > list->count) {
        memset(met__long_list_at(list, list->count), 0,
               (count - list->count) * list->size);
        list->count = count;
    }
    return error;
}

met_error met__long_list_add(const met__platform *platform,
                             met__long_list *list, void **item_out)
{
    met_error error = met__long_list_reach(platform, list, list->count + 1);

    if (error == MET_OK) {
        *item_out = met__long_list_at(list, list->count - 1);
    }
    return error;
}

void met__long_list_drop(const met__platform *platform, met__long_list *list)
{
    met__release(platform, list->items, list->room * list->size);
    list->items = NULL;
    list->count = 0;
    list->room = 0;
}
