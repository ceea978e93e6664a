/* Open addressing, at most half full. */
#include "base/index_map.h"

#include "base/check.h"

#define ROOM_MIN 64u

/* Callers' hashes may be plain numbers: spread them. */
static size_t start_of(const met__index_map *map, uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 32) & (map->room - 1);
}

void met__index_map_init(met__index_map *map, met__arena *arena,
                         size_t count_max)
{
    *map = (met__index_map){.arena = arena, .count_max = count_max};
}

int met__index_map_next(const met__index_map *map, uint64_t hash,
                        met__index_cursor *cursor)
{
    if (map->room == 0) {
        return 0;
    }
    for (size_t start = start_of(map, hash);; cursor->step++) {
        const met__index_entry *entry =
            &map->entries[(start + cursor->step) & (map->room - 1)];
        if (entry->place == 0) {
            return 0;
        }
        if (entry->hash == hash) {
            cursor->step++;
            cursor->index = (size_t)entry->place - 1;
            return 1;
        }
    }
}

static void put(met__index_map *map, uint64_t hash, uint64_t place)
{
    size_t at = start_of(map, hash);

    while (map->entries[at].place != 0) {
        at = (at + 1) & (map->room - 1);
    }
    map->entries[at] = (met__index_entry){hash, place};
}

static met_error grow(met__index_map *map)
{
    met__index_map wider = {.arena = map->arena,
                            .room = map->room == 0 ? ROOM_MIN
                                                   : map->room * 2,
                            .count = map->count,
                            .count_max = map->count_max};

    wider.entries = met__arena_allocate(map->arena,
                                        wider.room * sizeof *wider.entries);
    if (wider.entries == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < map->room; i++) {
        if (map->entries[i].place != 0) {
            put(&wider, map->entries[i].hash, map->entries[i].place);
        }
    }
    *map = wider;
    return MET_OK;
}

met_error met__index_map_add(met__index_map *map, uint64_t hash, size_t index)
{
    if (map->count >= map->count_max) {
        return MET_E_LIMIT;
    }
    met_error error = map->count * 2 >= map->room ? grow(map) : MET_OK;

    if (error == MET_OK) {
        put(map, hash, (uint64_t)index + 1);
        map->count++;
    }
    return error;
}
