/* Marks of usage that changed late. In: parts, as they are written. Out: days
 * of subjects.
 *
 * A moment raises the sequence, a mark only reads it. So a mark of before a
 * moment has a lesser number, and one of behind it has not. */
#include "meter/usage_late.h"

#include "meter/usage_cell.h"
#include "meter/usage_shape.h"

#define WATCHED "usage_watched"
#define MOMENT "billing"
#define MARK_KEY_SIZE 12
#define EVERY_DAY UINT32_MAX

static met_error watched_until(met__txn *txn, uint32_t *minute_out)
{
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_META, WATCHED,
                                   sizeof WATCHED - 1, &value);

    *minute_out = 0;
    if (error == MET_OK && value.size != 4) {
        return MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        *minute_out = met__get_u32((const unsigned char *)value.data);
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__usage_watch(met__txn *txn, int64_t until_ns)
{
    int64_t minute = (until_ns + MET__MINUTE_NS - 1) / MET__MINUTE_NS;
    unsigned char bytes[4];
    uint32_t before;
    met_error error = watched_until(txn, &before);

    if (error != MET_OK || minute <= before) {
        return error;
    }
    met__put_u32(bytes, minute < UINT32_MAX ? (uint32_t)minute : UINT32_MAX);
    return met__txn_put(txn, MET__TABLE_META, WATCHED, sizeof WATCHED - 1,
                        bytes, sizeof bytes);
}

met_error met__usage_moment(met__txn *txn, uint64_t *number_out)
{
    return met__txn_sequence(txn, MOMENT, number_out);
}

/* --- Marks ---------------------------------------------------------------- */
static uint64_t hash_of(met__txn *txn, met__text subject)
{
    return met__hash64(met__store_secret(met__txn_store(txn)), subject.data,
                       subject.size);
}

static met_error mark(met__txn *txn, met__text subject, uint32_t day)
{
    unsigned char key[MARK_KEY_SIZE];
    unsigned char bytes[8];
    uint64_t number;
    met_error error = met__txn_sequence_last(txn, MOMENT, &number);

    if (error != MET_OK) {
        return error;
    }
    met__put_u64(key, hash_of(txn, subject));
    met__put_u32(key + 8, day);
    met__put_u64(bytes, number);
    return met__txn_put(txn, MET__TABLE_CHANGED, key, sizeof key, bytes,
                        sizeof bytes);
}

met_error met__usage_late(met__txn *txn, uint64_t shape, uint32_t minute)
{
    met__usage_shape what;
    uint32_t until;
    met_error error = watched_until(txn, &until);

    if (error != MET_OK || minute >= until) {
        return error;
    }
    error = met__usage_shape_get(txn, shape, &what);
    return error == MET_OK
               ? mark(txn, what.subject, minute / MET__DAY_MINUTES)
               : error;
}

met_error met__usage_late_all(met__txn *txn, met__text subject)
{
    return mark(txn, subject, EVERY_DAY);
}

/* --- Reading -------------------------------------------------------------- */
static met_error read_mark(met__text key, met__text value,
                           met__usage_mark *mark_out)
{
    if (key.size != MARK_KEY_SIZE || value.size != 8) {
        return MET_E_CORRUPT;
    }
    uint32_t day = met__get_u32((const unsigned char *)key.data + 8);
    mark_out->number = met__get_u64((const unsigned char *)value.data);
    mark_out->period = (met__period){0, MET__TIME_MAX};
    if (day != EVERY_DAY) {
        mark_out->period.from_ns = (int64_t)day * MET__DAY_NS;
        mark_out->period.to_ns = mark_out->period.from_ns + MET__DAY_NS;
    }
    return MET_OK;
}

/* context, the key, and the mark; it may write. */
typedef met_error (*mark_visitor)(void *context, met__text key,
                                  const met__usage_mark *mark);

static met_error each_mark(met__txn *txn, met__text subject, void *context,
                           mark_visitor visit)
{
    unsigned char prefix[8];
    met__usage_mark found;
    met__scan scan;
    met__text key;
    met__text value;

    met__put_u64(prefix, hash_of(txn, subject));
    met_error error = met__scan_begin(txn, MET__TABLE_CHANGED, prefix,
                                      sizeof prefix, &scan);
    while (error == MET_OK
           && (error = met__scan_next(&scan, &key, &value)) == MET_OK) {
        error = read_mark(key, value, &found);
        if (error == MET_OK) {
            error = visit(context, key, &found);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

typedef struct mark_list {
    met__arena *arena;
    met__usage_mark *items;
    size_t count;
} mark_list;

static met_error keep(void *context, met__text key,
                      const met__usage_mark *found)
{
    mark_list *list = context;

    (void)key;
    if ((list->count & (list->count - 1)) == 0) {
        met__usage_mark *more = met__arena_allocate(
            list->arena, met__list_bytes(list->count + 1, sizeof *more));
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (list->count > 0) {
            memcpy(more, list->items, list->count * sizeof *more);
        }
        list->items = more;
    }
    list->items[list->count++] = *found;
    return MET_OK;
}

met_error met__usage_marks(met__txn *txn, const met__text *subjects,
                           size_t subject_count, met__arena *arena,
                           met__usage_mark **marks_out, size_t *count_out)
{
    mark_list list = {.arena = arena};
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < subject_count; i++) {
        error = each_mark(txn, subjects[i], &list, keep);
    }
    if (error == MET_OK) {
        *marks_out = list.items;
        *count_out = list.count;
    }
    return error;
}

typedef struct forgetting {
    met__txn *txn;
    uint64_t number;
} forgetting;

static met_error forget(void *context, met__text key,
                        const met__usage_mark *found)
{
    const forgetting *self = context;
    unsigned char copy[MARK_KEY_SIZE];

    if (found->number >= self->number) {
        return MET_OK;
    }
    memcpy(copy, key.data, sizeof copy);
    return met__txn_remove(self->txn, MET__TABLE_CHANGED, copy, sizeof copy);
}

met_error met__usage_marks_forget(met__txn *txn, const met__text *subjects,
                                  size_t subject_count, uint64_t number)
{
    forgetting self = {txn, number};
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < subject_count; i++) {
        error = each_mark(txn, subjects[i], &self, forget);
    }
    return error;
}
