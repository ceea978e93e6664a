/* Parts of a minute, cut by an instant inside it. In: the events of the minute
 * as they are retained. Out: parts as they would be if only the events within
 * the bounds had come; or the reason why nobody can know. */
#include "meter/event_minute.h"

#include "base/check.h"
#include "base/index_map.h"
#include "meter/event_recount.h"
#include "meter/usage_shape.h"

/* Events of one batch and shape: one part. */
typedef struct group {
    uint64_t batch;
    uint64_t shape;
    uint32_t quantities;
    uint32_t reserved;
    uint64_t *all;    /* words of a part: every event, */
    uint64_t *kept;   /* but those taken back, */
    uint64_t *within; /* and of these what lies within the bounds */
} group;

struct met__event_minute {
    met__arena *arena;
    met__index_map map;
    group **groups;
    size_t count;
    size_t room;
};

static uint64_t hash_of(uint64_t batch, uint64_t shape)
{
    return batch * UINT64_C(0x9e3779b97f4a7c15) ^ shape;
}

static group *find(const met__event_minute *minute, uint64_t batch,
                   uint64_t shape)
{
    met__index_cursor place = {0};

    while (met__index_map_next(&minute->map, hash_of(batch, shape), &place)) {
        group *found = minute->groups[place.index];
        if (found->batch == batch && found->shape == shape) {
            return found;
        }
    }
    return NULL;
}

static int make_room(met__event_minute *minute)
{
    if (minute->count < minute->room) {
        return 1;
    }
    size_t room = minute->room * 2 + 64;
    group **more = met__arena_allocate(minute->arena, room * sizeof *more);
    if (more == NULL) {
        return 0;
    }
    if (minute->count > 0) {
        memcpy(more, minute->groups, minute->count * sizeof *more);
    }
    minute->groups = more;
    minute->room = room;
    return 1;
}

static met_error add_group(met__txn *txn, met__event_minute *minute,
                           uint64_t batch, uint64_t shape, group **group_out)
{
    met__usage_shape decoded;
    group *made = met__arena_allocate(minute->arena, sizeof *made);
    met_error error = met__usage_shape_get(txn, shape, &decoded);

    if (error != MET_OK) {
        return error;
    }
    size_t size = (MET__PART_QUANTITIES
                   + decoded.quantity_count * MET__QUANTITY_WORDS)
                  * sizeof(uint64_t);
    if (made == NULL || !make_room(minute)) {
        return MET_E_NO_MEMORY;
    }
    *made = (group){.batch = batch,
                    .shape = shape,
                    .quantities = decoded.quantity_count,
                    .all = met__arena_allocate(minute->arena, size),
                    .kept = met__arena_allocate(minute->arena, size),
                    .within = met__arena_allocate(minute->arena, size)};
    if (made->all == NULL || made->kept == NULL || made->within == NULL) {
        return MET_E_NO_MEMORY;
    }
    minute->groups[minute->count] = made;
    error = met__index_map_add(&minute->map, hash_of(batch, shape),
                               minute->count);
    minute->count += error == MET_OK;
    *group_out = made;
    return error;
}

static met_error add_event(met__txn *txn, met__event_minute *minute,
                           const met__logged_event *event, int is_within)
{
    group *into = find(minute, event->batch, event->shape);
    met_error error = MET_OK;

    if (into == NULL) {
        error = add_group(txn, minute, event->batch, event->shape, &into);
    }
    if (error == MET_OK) {
        error = met__recount_add(into->all, event, into->quantities);
    }
    if (error == MET_OK && event->retracted_ns == 0) {
        error = met__recount_add(into->kept, event, into->quantities);
    }
    if (error == MET_OK && event->retracted_ns == 0 && is_within) {
        error = met__recount_add(into->within, event, into->quantities);
    }
    return error;
}

met_error met__event_minute_read(met__txn *txn, met__arena *arena,
                                 int64_t minute, int64_t from_ns,
                                 int64_t to_ns,
                                 met__event_minute **minute_out)
{
    met__event_minute *made = met__arena_allocate(arena, sizeof *made);
    met__logged_event event;
    unsigned char start[8];
    met__scan scan;
    met__text key;
    met__text value;
    uint32_t count = 0;
    met_error error = met__scan_begin(txn, MET__TABLE_EVENT, NULL, 0, &scan);

    if (made == NULL) {
        met__scan_end(&scan);
        return MET_E_NO_MEMORY;
    }
    made->arena = arena;
    met__index_map_init(&made->map, arena, MET__MINUTE_EVENTS_MAX);
    met__put_u64(start, (uint64_t)(minute * MET__MINUTE_NS));
    if (error == MET_OK) {
        error = met__scan_seek(&scan, start, sizeof start);
    }
    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__event_log_read(key, value, &event);
        }
        if (error == MET_OK && event.utc_ns / MET__MINUTE_NS != minute) {
            error = MET_E_NOT_FOUND;
        }
        if (error == MET_OK && count++ == MET__MINUTE_EVENTS_MAX) {
            error = MET_E_LIMIT;
        }
        if (error == MET_OK) {
            error = add_event(txn, made, &event,
                              event.utc_ns >= from_ns
                                  && event.utc_ns < to_ns);
        }
    }
    met__scan_end(&scan);
    *minute_out = made;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__event_minute_cut(met__txn *txn,
                                const met__event_minute *minute,
                                const met__usage_item *part,
                                met__usage_item *part_out,
                                const char **hindrance_out)
{
    const uint64_t *words = part->words;
    uint64_t batch = part->key.generation << 32 | part->key.epoch;
    const group *found = find(minute, batch, words[MET__PART_SHAPE]);
    met__usage_shape shape;
    int64_t shift = 0;
    met_error error = met__usage_shape_get(txn, words[MET__PART_SHAPE],
                                           &shape);

    *hindrance_out = NULL;
    part_out->key = part->key;
    part_out->minutes = 1;
    memcpy(part_out->words, words, MET__PART_QUANTITIES * sizeof *words);
    part_out->words[MET__PART_COUNT] = 0;
    if (error != MET_OK) {
        return error;
    }
    if ((shape.flags & MET__SHAPE_ADJUSTS) != 0) {
        *hindrance_out = "that was adjusted";
    } else if (part->key.generation >= MET__GENERATION_FIRST) {
        *hindrance_out = "in which a recorder counted";
    } else if (words[MET__PART_COUNT] == (uint64_t)-1) {
        return MET_OK; /* an event that was taken back is in no count */
    } else if (found == NULL
               || (!met__recount_fits(words, found->all, found->quantities,
                                      &shift)
                   && !met__recount_fits(words, found->kept,
                                         found->quantities, &shift))) {
        *hindrance_out = "whose usage is not all of events that are retained";
    } else {
        memcpy(part_out->words + MET__PART_QUANTITIES,
               found->within + MET__PART_QUANTITIES,
               found->quantities * MET__QUANTITY_WORDS * sizeof *words);
        part_out->words[MET__PART_COUNT] = found->within[MET__PART_COUNT];
        met__recount_shift(part_out->words, found->quantities, shift);
    }
    return MET_OK;
}
