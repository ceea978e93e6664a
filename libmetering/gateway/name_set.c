/* A hash table of names with linear probing, at most half full. In: names.
 * Out: slots. It knows nothing of what the values are. */
#include "gateway/name_set.h"

void met__name_set_init(met__name_set *set, met__arena *arena,
                        const met__secret *secret)
{
    *set = (met__name_set){.arena = arena, .secret = secret};
}

/* Where a name is, or would be. capacity is not 0. */
static size_t place_of(const met__name_set *set, const char *kind,
                       met__text name)
{
    size_t mask = set->capacity - 1;
    size_t at = (size_t)met__hash64(set->secret, name.data, name.size) & mask;

    while (set->slots[at].kind != NULL
           && (strcmp(set->slots[at].kind, kind) != 0
               || !met__text_equal(set->slots[at].name, name))) {
        at = (at + 1) & mask;
    }
    return at;
}

static int grow(met__name_set *set)
{
    met__name_slot *old = set->slots;
    size_t old_capacity = set->capacity;
    size_t capacity = old_capacity > 0 ? old_capacity * 2 : 64;
    met__name_slot *slots =
        met__arena_allocate(set->arena, capacity * sizeof *slots);

    if (slots == NULL) {
        return 0;
    }
    set->slots = slots;
    set->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].kind != NULL) {
            slots[place_of(set, old[i].kind, old[i].name)] = old[i];
        }
    }
    return 1;
}

met__name_slot *met__name_set_slot(met__name_set *set, const char *kind,
                                   met__text name)
{
    if (set->count * 2 >= set->capacity && !grow(set)) {
        return NULL;
    }
    met__name_slot *slot = &set->slots[place_of(set, kind, name)];
    if (slot->kind == NULL) {
        *slot = (met__name_slot){.kind = kind, .name = name};
        set->count++;
    }
    return slot;
}

const met__name_slot *met__name_set_find(const met__name_set *set,
                                         const char *kind, met__text name)
{
    if (set->capacity == 0) {
        return NULL;
    }
    const met__name_slot *slot = &set->slots[place_of(set, kind, name)];
    return slot->kind != NULL ? slot : NULL;
}
