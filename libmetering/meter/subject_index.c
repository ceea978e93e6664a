/* The index from subjects to their shapes. In: the dictionary of shapes. Out:
 * ascending numbers. What is in the index stays true for ever: shapes never
 * change and never go. */
#include "meter/subject_index.h"

#include <stdlib.h>

#include "meter/usage_shape.h"

#define KEY "shapes_indexed"
#define ENTRY_SIZE 16

typedef struct entry {
    uint64_t subject; /* its hash */
    uint64_t number;
} entry;

static met_error last_indexed(met__txn *txn, uint64_t *number_out)
{
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_META, KEY, sizeof KEY - 1,
                                   &value);

    *number_out = 0;
    if (error == MET_OK && value.size == 8) {
        *number_out = met__get_u64((const unsigned char *)value.data);
        return MET_OK;
    }
    return error == MET_E_NOT_FOUND ? MET_OK
           : error == MET_OK        ? MET_E_CORRUPT
                                    : error;
}

static uint64_t hash_of(met__txn *txn, met__text subject)
{
    return met__hash64(met__store_secret(met__txn_store(txn)), subject.data,
                       subject.size);
}

/* Goes to the first shape behind this one. */
static met_error begin_behind(met__txn *txn, uint64_t number, met__scan *scan)
{
    unsigned char start[8];
    met_error error = met__scan_begin(txn, MET__TABLE_SHAPE, NULL, 0, scan);

    met__put_u64(start, number + 1);
    return error == MET_OK ? met__scan_seek(scan, start, sizeof start)
                           : error;
}

/* --- Extending ------------------------------------------------------------ */
static int compare_entry(const void *a, const void *b)
{
    const entry *x = a;
    const entry *y = b;

    if (x->subject != y->subject) {
        return x->subject < y->subject ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

/* *last: where to go on, and the last one that was read. */
static met_error collect(met__txn *txn, entry *list, size_t list_max,
                         uint64_t *last, size_t *count_out)
{
    met__usage_shape shape;
    met__scan scan;
    met__text key;
    met__text value;
    size_t count = 0;
    met_error error = begin_behind(txn, *last, &scan);

    while (error == MET_OK && count < list_max) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK && key.size != 8) {
            error = MET_E_CORRUPT;
        }
        if (error == MET_OK) {
            error = met__usage_shape_decode(value, &shape);
        }
        if (error == MET_OK) {
            *last = met__get_u64((const unsigned char *)key.data);
            list[count++] = (entry){hash_of(txn, shape.subject), *last};
        }
    }
    met__scan_end(&scan);
    *count_out = count;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error put_entries(met__txn *txn, const entry *list, size_t count)
{
    unsigned char key[ENTRY_SIZE];
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__put_u64(key, list[i].subject);
        met__put_u64(key + 8, list[i].number);
        error = met__txn_put(txn, MET__TABLE_SHAPE_OF, key, sizeof key, NULL,
                             0);
    }
    return error;
}

met_error met__subject_index_extend(met__txn *txn, size_t shapes_max,
                                    int *is_done_out)
{
    met__arena arena;
    unsigned char bytes[8];
    uint64_t last = 0;
    size_t count = 0;
    met_error error = last_indexed(txn, &last);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    entry *list = met__arena_allocate(&arena, shapes_max * sizeof *list);
    error = list != NULL ? collect(txn, list, shapes_max, &last, &count)
                         : MET_E_NO_MEMORY;
    if (error == MET_OK && count > 0) {
        qsort(list, count, sizeof *list, compare_entry);
        error = put_entries(txn, list, count);
        met__put_u64(bytes, last);
        if (error == MET_OK) {
            error = met__txn_put(txn, MET__TABLE_META, KEY, sizeof KEY - 1,
                                 bytes, sizeof bytes);
        }
    }
    *is_done_out = count < shapes_max;
    met__arena_release(&arena);
    return error;
}

/* --- Finding -------------------------------------------------------------- */
typedef struct found {
    met__arena *arena;
    uint64_t *numbers;
    size_t count;
    size_t room;
    size_t count_max;
} found;

/* MET_E_LIMIT: they are more than wanted. */
static met_error keep(void *context, uint64_t number)
{
    found *list = context;

    if (list->count == list->count_max) {
        return MET_E_LIMIT;
    }
    if (list->count == list->room) {
        size_t room = list->room * 2 + 64;
        uint64_t *more = met__arena_allocate(list->arena,
                                             room * sizeof *more);
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (list->count > 0) {
            memcpy(more, list->numbers, list->count * sizeof *more);
        }
        list->numbers = more;
        list->room = room;
    }
    list->numbers[list->count++] = number;
    return MET_OK;
}

met_error met__subject_index_each(met__txn *txn, met__text subject,
                                  met_error (*visit)(void *context,
                                                     uint64_t number),
                                  void *context)
{
    unsigned char prefix[8];
    met__scan scan;
    met__text key;
    met__text value;

    met__put_u64(prefix, hash_of(txn, subject));
    met_error error = met__scan_begin(txn, MET__TABLE_SHAPE_OF, prefix,
                                      sizeof prefix, &scan);
    while (error == MET_OK
           && (error = met__scan_next(&scan, &key, &value)) == MET_OK) {
        error = key.size == ENTRY_SIZE
                    ? visit(context,
                            met__get_u64((const unsigned char *)key.data + 8))
                    : MET_E_CORRUPT;
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static int compare_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static met_error look_behind(met__txn *txn, met__shape_set *set)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = begin_behind(txn, set->known, &scan);

    if (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
    }
    met__scan_end(&scan);
    set->has_later = error == MET_OK;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__subject_index_known(met__txn *txn, met__shape_set *set_out)
{
    met__shape_set set = {0};
    met_error error = last_indexed(txn, &set.known);

    if (error == MET_OK) {
        error = look_behind(txn, &set);
    }
    *set_out = set;
    return error;
}

met_error met__subject_index_find(met__txn *txn, const met__text *subjects,
                                  size_t subject_count, size_t shapes_max,
                                  met__arena *arena, met__shape_set *set_out,
                                  int *is_known_out)
{
    met__shape_set set;
    found list = {.arena = arena, .count_max = shapes_max};
    met_error error = met__subject_index_known(txn, &set);

    *is_known_out = 0;
    if (error != MET_OK || set.known == 0) {
        return error;
    }
    for (size_t i = 0; error == MET_OK && i < subject_count; i++) {
        error = met__subject_index_each(txn, subjects[i], keep, &list);
    }
    if (error != MET_OK) {
        return error == MET_E_LIMIT ? MET_OK : error;
    }
    if (list.count > 1) {
        qsort(list.numbers, list.count, sizeof *list.numbers, compare_number);
    }
    set.numbers = list.numbers;
    set.count = list.count;
    *set_out = set;
    *is_known_out = 1;
    return MET_OK;
}

met_error met__subject_index_is_empty(met__txn *txn,
                                      const met__text *subjects,
                                      size_t subject_count, int *is_empty_out)
{
    met__shape_set set;
    found list = {.count_max = 0}; /* the first one ends it */
    met_error error = met__subject_index_known(txn, &set);

    *is_empty_out = error == MET_OK && !set.has_later;
    for (size_t i = 0; *is_empty_out && error == MET_OK && i < subject_count;
         i++) {
        error = met__subject_index_each(txn, subjects[i], keep, &list);
    }
    *is_empty_out &= error == MET_OK;
    return error == MET_E_LIMIT ? MET_OK : error;
}
