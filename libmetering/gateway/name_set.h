/* Names with a value each, by kind: for one run over documents or entities.
 * Memory is the arena's. Hashed with the store's secret: nobody can choose
 * names that collide. */
#ifndef MET_GATEWAY_NAME_SET_H
#define MET_GATEWAY_NAME_SET_H

#include "base/bytes.h"
#include "base/hash.h"

typedef struct met__name_slot {
    const char *kind; /* NULL = free; compared as a text */
    met__text name;   /* borrowed: lives as long as the set */
    void *value;
} met__name_slot;

typedef struct met__name_set {
    met__arena *arena;
    const met__secret *secret;
    met__name_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
} met__name_set;

void met__name_set_init(met__name_set *set, met__arena *arena,
                        const met__secret *secret);
/* The slot of a name, made when it is missing (value NULL, name as given);
 * NULL when memory is out. Lives until the next call. */
met__name_slot *met__name_set_slot(met__name_set *set, const char *kind,
                                   met__text name);
/* NULL when it is not there. */
const met__name_slot *met__name_set_find(const met__name_set *set,
                                         const char *kind, met__text name);

#endif
