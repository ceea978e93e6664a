/* The groups of one window of a query: usage that has the same values, with
 * what it comes to. Only so many are held at once: beyond that the greatest
 * are let go, and a further pass over the same parts gathers them. */
#ifndef MET_METER_USAGE_GROUPS_H
#define MET_METER_USAGE_GROUPS_H

#include "base/index_map.h"
#include "meter/aggregate.h"

#define MET__NO_GROUP UINT32_MAX
/* Dimensions, "subject", "customer_id", and a value that is counted once. */
#define MET__GROUP_VALUES_MAX (MET__DIMENSIONS_MAX + 3)

typedef struct met__usage_group {
    const met__text *values;
    size_t value_count;
    met__aggregate aggregate;
    uint32_t is_touched; /* it has usage in this window */
    uint32_t reserved;
} met__usage_group;

/* Values that outlive the groups they are copied from. */
typedef struct met__usage_key {
    size_t value_count;
    met__text values[MET__GROUP_VALUES_MAX];
    char bytes[MET__GROUP_VALUES_MAX * MET__VALUE_SIZE_MAX];
} met__usage_key;

typedef struct met__usage_groups {
    const met__platform *platform;
    const met__secret *secret;
    size_t value_count;
    size_t count_max;
    uint64_t version; /* another one: places of before mean nothing */
    met__arena arena;
    met__index_map map;
    met__usage_group **list;
    met__usage_group **touched; /* sorted by met__usage_groups_sort */
    size_t count;
    size_t room;
    size_t touched_count;
    uint32_t has_from;   /* this pass leaves out what is less */
    uint32_t has_before; /* and what is not less: a further pass is needed */
    met__usage_key from;
    met__usage_key before;
} met__usage_groups;

/* count_max is at least 2. */
void met__usage_groups_init(met__usage_groups *self,
                            const met__platform *platform,
                            const met__secret *secret, size_t value_count,
                            size_t count_max);
void met__usage_groups_release(met__usage_groups *self);
/* A new window, or (is_further, when has_before is set) the next pass over the
 * same. */
void met__usage_groups_begin(met__usage_groups *self, int is_further);
/* The place of these values, of at most MET__VALUE_SIZE_MAX bytes each;
 * MET__NO_GROUP: not of this pass. MET_E_NO_MEMORY · MET_E_LIMIT */
met_error met__usage_groups_find(met__usage_groups *self,
                                 const met__text *values,
                                 uint32_t *place_out);
/* The group of a place has usage in this window. */
met__usage_group *met__usage_groups_touch(met__usage_groups *self,
                                          uint32_t place);
/* Groups with usage into the order of their values. */
void met__usage_groups_sort(met__usage_groups *self);
void met__usage_key_copy(met__usage_key *key, const met__text *values,
                         size_t value_count);

#endif
