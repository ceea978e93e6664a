/* A map from hashes to places in a list of the caller's: who has a list of
 * things and wants to find one again. Lives in an arena; grows up to a
 * bound. */
#ifndef MET_BASE_INDEX_MAP_H
#define MET_BASE_INDEX_MAP_H

#include "base/platform.h"

typedef struct met__index_entry {
    uint64_t hash;
    uint64_t place; /* index + 1; 0: free */
} met__index_entry;

typedef struct met__index_map {
    met__arena *arena;
    met__index_entry *entries;
    size_t room; /* a power of two, or 0 */
    size_t count;
    size_t count_max;
} met__index_map;

/* Where a look-up stands; begin with all zero. */
typedef struct met__index_cursor {
    size_t step;
    size_t index; /* of the last hit */
} met__index_cursor;

void met__index_map_init(met__index_map *map, met__arena *arena,
                         size_t count_max);
/* The next index that was added under this hash: the caller compares what lies
 * there, since different things may share a hash. 0: no more. */
int met__index_map_next(const met__index_map *map, uint64_t hash,
                        met__index_cursor *cursor);
/* MET_E_LIMIT (count_max are in) · MET_E_NO_MEMORY: the map is as it was. */
met_error met__index_map_add(met__index_map *map, uint64_t hash,
                             size_t index);

#endif
