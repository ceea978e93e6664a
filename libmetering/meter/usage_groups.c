/* A table of groups with a bound. In: values of usage. Out: where their group
 * is, and the groups of a window in order. When the table is full, the upper
 * half of its keys is dropped: what is dropped can never come back in the same
 * pass, so whatever stays has seen every part of its window. */
#include "meter/usage_groups.h"

#include <stdlib.h>

#define ROOM_MIN 64u
#define INDEX_MAX (SIZE_MAX / 64)

static int compare(const met__text *a, const met__text *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int order = met__text_compare(a[i], b[i]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static int compare_groups(const void *left, const void *right)
{
    const met__usage_group *a = *(met__usage_group *const *)left;
    const met__usage_group *b = *(met__usage_group *const *)right;

    return compare(a->values, b->values, a->value_count);
}

void met__usage_key_copy(met__usage_key *key, const met__text *values,
                         size_t value_count)
{
    char *at = key->bytes;

    key->value_count = value_count;
    for (size_t i = 0; i < value_count; i++) {
        met__text value = values[i];
        if (value.size > 0) {
            memcpy(at, value.data, value.size);
        }
        key->values[i] = met__text_of(at, value.size);
        at += value.size;
    }
}

/* --- The table ------------------------------------------------------------ */
static void clear(met__usage_groups *self)
{
    met__arena_release(&self->arena);
    met__arena_init(&self->arena, self->platform);
    met__index_map_init(&self->map, &self->arena, INDEX_MAX);
    self->list = NULL;
    self->touched = NULL;
    self->count = 0;
    self->room = 0;
    self->touched_count = 0;
    self->version++;
}

void met__usage_groups_init(met__usage_groups *self,
                            const met__platform *platform,
                            const met__secret *secret, size_t value_count,
                            size_t count_max)
{
    memset(self, 0, sizeof *self);
    self->platform = platform;
    self->secret = secret;
    self->value_count = value_count;
    self->count_max = count_max < MET__NO_GROUP ? count_max
                                                : MET__NO_GROUP - 1;
    met__arena_init(&self->arena, platform);
    clear(self);
}

void met__usage_groups_release(met__usage_groups *self)
{
    met__arena_release(&self->arena);
}

void met__usage_groups_begin(met__usage_groups *self, int is_further)
{
    if (is_further) {
        met__usage_key_copy(&self->from, self->before.values,
                            self->before.value_count);
    }
    if (is_further || self->has_from || self->has_before
        || self->count > self->count_max / 2) {
        clear(self);
    }
    for (size_t i = 0; i < self->touched_count; i++) {
        self->touched[i]->is_touched = 0;
        self->touched[i]->aggregate = (met__aggregate){0};
    }
    self->touched_count = 0;
    self->has_from = is_further != 0;
    self->has_before = 0;
}

static met__usage_group **widen(met__arena *arena, met__usage_group **old,
                                size_t count, size_t room)
{
    met__usage_group **wide = met__arena_allocate(
        arena, room * sizeof(met__usage_group *));

    if (wide != NULL && count > 0) {
        memcpy(wide, old, count * sizeof(met__usage_group *));
    }
    return wide;
}

static met_error make_room(met__usage_groups *self)
{
    size_t room = self->room == 0 ? ROOM_MIN : self->room * 2;

    if (self->count < self->room) {
        return MET_OK;
    }
    met__usage_group **list = widen(&self->arena, self->list, self->count,
                                    room);
    met__usage_group **touched = widen(&self->arena, self->touched,
                                       self->touched_count, room);
    if (list == NULL || touched == NULL) {
        return MET_E_NO_MEMORY;
    }
    self->list = list;
    self->touched = touched;
    self->room = room;
    return MET_OK;
}

static uint64_t hash_of(const met__usage_groups *self,
                        const met__text *values)
{
    uint64_t hash = self->value_count + 1;

    for (size_t i = 0; i < self->value_count; i++) {
        hash = (hash << 7 | hash >> 57)
               ^ met__hash64(self->secret, values[i].data, values[i].size);
    }
    return hash;
}

static met_error add(met__usage_groups *self, const met__text *values,
                     uint64_t hash)
{
    met_error error = make_room(self);
    met__usage_group *group = met__arena_allocate(&self->arena,
                                                  sizeof *group);
    met__text *copies = met__arena_allocate(
        &self->arena, self->value_count * sizeof *copies);

    if (error != MET_OK || group == NULL || copies == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < self->value_count; i++) {
        copies[i].data = met__arena_copy(&self->arena, values[i].data,
                                         values[i].size);
        copies[i].size = values[i].size;
        if (copies[i].data == NULL) {
            return MET_E_NO_MEMORY;
        }
    }
    group->values = copies;
    group->value_count = self->value_count;
    error = met__index_map_add(&self->map, hash, self->count);
    if (error == MET_OK) {
        self->list[self->count++] = group;
    }
    return error;
}

/* Drops the upper half. */
static met_error shrink(met__usage_groups *self)
{
    met__usage_groups old = *self;
    size_t kept = self->count / 2;
    met_error error = MET_OK;

    qsort(old.list, old.count, sizeof *old.list, compare_groups);
    met__usage_key_copy(&self->before, old.list[kept]->values,
                        self->value_count);
    self->has_before = 1;
    met__arena_init(&self->arena, self->platform); /* old's is kept so far */
    clear(self);
    for (size_t i = 0; error == MET_OK && i < kept; i++) {
        const met__usage_group *from = old.list[i];
        error = add(self, from->values, hash_of(self, from->values));
        if (error == MET_OK && from->is_touched) {
            self->list[i]->aggregate = from->aggregate;
            met__usage_groups_touch(self, (uint32_t)i);
        }
    }
    met__arena_release(&old.arena);
    return error;
}

static int is_of_pass(const met__usage_groups *self, const met__text *values)
{
    return (!self->has_from
            || compare(values, self->from.values, self->value_count) >= 0)
           && (!self->has_before
               || compare(values, self->before.values, self->value_count)
                      < 0);
}

met_error met__usage_groups_find(met__usage_groups *self,
                                 const met__text *values, uint32_t *place_out)
{
    met__index_cursor place = {0};
    uint64_t hash = hash_of(self, values);
    met_error error = MET_OK;

    while (met__index_map_next(&self->map, hash, &place)) {
        if (compare(self->list[place.index]->values, values,
                    self->value_count)
            == 0) {
            *place_out = (uint32_t)place.index;
            return MET_OK;
        }
    }
    if (is_of_pass(self, values) && self->count == self->count_max) {
        error = shrink(self);
    }
    if (error != MET_OK || !is_of_pass(self, values)) {
        *place_out = MET__NO_GROUP;
        return error;
    }
    error = add(self, values, hash);
    if (error == MET_OK) {
        *place_out = (uint32_t)(self->count - 1);
    }
    return error;
}

met__usage_group *met__usage_groups_touch(met__usage_groups *self,
                                          uint32_t place)
{
    met__usage_group *group = self->list[place];

    if (!group->is_touched) {
        group->is_touched = 1;
        self->touched[self->touched_count++] = group;
    }
    return group;
}

void met__usage_groups_sort(met__usage_groups *self)
{
    if (self->touched_count > 1) {
        qsort(self->touched, self->touched_count,
              sizeof(met__usage_group *), compare_groups);
    }
}
