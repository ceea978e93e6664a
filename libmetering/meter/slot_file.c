/* Slot files: opening, locking and growing them, and reading what their owner
 * wrote while it goes on writing. In: a store and a slot's number. Out: cells
 * and shapes that were checked, whatever the bytes are: offsets come from
 * private numbers, lengths are bounded, loops end. */
#include "meter/slot_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/check.h"
#include "base/fork_guard.h"
#include "meter/usage_part.h"

#define PATH_SIZE 4200
#define READ_TRIES 8
#define MINUTE_LAST (MET__TIME_MAX / MET__MINUTE_NS)

MET__STATIC_ASSERT(sizeof(met__slot_owner) <= 4096, owner_fits);
MET__STATIC_ASSERT(12288 + 8 * MET__SLOT_SEGMENTS_MAX <= MET__SEGMENTS_OFFSET,
                   directory_fits);

/* --- Opening and locking -------------------------------------------------- */
static void slot_path(const met_store *store, uint32_t number,
                      char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/tally/%04u.map", met__store_path(store),
             number);
}

met_error met__slot_open(met_store *store, uint32_t number, int create,
                         met__slot *slot_out, met_error_info *info)
{
    char path[PATH_SIZE];
    met__mapped_spec spec = {.magic = MET__SLOT_MAGIC,
                             .layout = MET__SLOT_LAYOUT,
                             .size = MET__SEGMENTS_OFFSET};
    met__slot slot = {.platform = met__store_platform(store),
                      .number = number};

    memcpy(spec.store_id, met__store_id(store), sizeof spec.store_id);
    slot_path(store, number, path);
    met__process_lock();
    met_error error = met__mapped_file_open(slot.platform, path, &spec,
                                            create, &slot.file, info);
    if (error == MET_OK && slot.file.size < MET__SEGMENTS_OFFSET) {
        error = met__fail(info, MET_E_CORRUPT, path, "is too short");
        met__mapped_file_close(slot.platform, &slot.file);
    }
    if (error == MET_OK) {
        error = met__fork_close_in_child(slot.file.file);
        if (error != MET_OK) {
            met__mapped_file_close(slot.platform, &slot.file);
            met__fail(info, error, path, "too many slots are open");
        }
    }
    met__process_unlock();
    if (error == MET_OK) {
        slot.head = slot.file.memory;
        *slot_out = slot;
    }
    return error;
}

void met__slot_close(met__slot *slot)
{
    if (slot->platform == NULL) {
        return;
    }
    met__process_lock();
    met__fork_forget(slot->file.file);
    met__mapped_file_close(slot->platform, &slot->file);
    met__process_unlock();
    met__release(slot->platform, slot->copies, sizeof *slot->copies);
    *slot = (met__slot){0};
}

met_error met__slot_try_lock(met__slot *slot, int *is_locked_out)
{
    const met__os *os = slot->platform->os;
    int result = os->lock(os->context, slot->file.file, MET__OS_LOCK_TRY, 0);
    met_error error = result < 0 ? met__os_error(result) : MET_OK;

    if (error != MET_OK && error != MET_E_BUSY) {
        return error;
    }
    slot->is_locked = error == MET_OK;
    *is_locked_out = error == MET_OK;
    return MET_OK;
}

/* --- Segments ------------------------------------------------------------- */
/* A power cut may have taken back the count of segments but not what was in
 * them: nothing old may be taken for cells. */
static void clear_segment(met__slot *slot, uint32_t segment)
{
    met__atomic_u64 *words =
        (met__atomic_u64 *)(void *)(slot->file.memory
                                    + met__segment_offset(segment));

    for (uint64_t i = 0; i < MET__SEGMENT_SIZE / sizeof *words; i++) {
        met__store_relaxed(words + i, 0);
    }
}

met_error met__slot_grow(met__slot *slot, const uint32_t *kinds,
                         uint32_t count)
{
    met__slot_owner *owner = met__slot_owner_of(slot);
    uint64_t have = met__load_relaxed(&owner->segment_count);

    MET__ASSERT(slot->is_locked);
    if (have + count > MET__SLOT_SEGMENTS_MAX) {
        return MET_E_LIMIT;
    }
    uint64_t size = met__segment_offset((uint32_t)have + count);
    uint64_t size_before = slot->file.size;
    if (size > size_before) {
        met_error error = met__mapped_file_grow(slot->platform, &slot->file,
                                                size);
        if (error != MET_OK) {
            return error;
        }
        slot->head = slot->file.memory;
        owner = met__slot_owner_of(slot);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (met__segment_offset((uint32_t)have + i) < size_before) {
            clear_segment(slot, (uint32_t)have + i);
        }
        met__store_relaxed(met__slot_directory(slot) + have + i, kinds[i]);
    }
    met__store_release(&owner->segment_count, have + count);
    return MET_OK;
}

met_error met__slot_reach(met__slot *slot, uint64_t segments)
{
    const met__os *os = slot->platform->os;
    met__os_stat found;

    if (segments > MET__SLOT_SEGMENTS_MAX) {
        return MET_E_CORRUPT;
    }
    uint64_t size = met__segment_offset((uint32_t)segments);
    if (size <= slot->file.size) {
        return MET_OK;
    }
    int result = os->fstat(os->context, slot->file.file, &found);
    if (result < 0) {
        return met__os_error(result);
    }
    if (found.size < size) {
        return MET_E_CORRUPT;
    }
    met_error error = met__mapped_file_grow(slot->platform, &slot->file,
                                            found.size);
    if (error == MET_OK && slot->copies == NULL) {
        slot->head = slot->file.memory;
    }
    return error;
}

uint32_t met__slot_segment_kind(const met__slot *slot, uint32_t segment)
{
    if (segment >= MET__SLOT_SEGMENTS_MAX
        || met__segment_offset(segment + 1) > slot->file.size) {
        return 0;
    }
    uint64_t word = met__load_relaxed(met__slot_directory(slot) + segment);
    uint64_t kind = word >> 8;
    uint64_t most = kind == MET__SEGMENT_CELLS    ? MET__CELL_CLASSES
                    : kind == MET__SEGMENT_SHAPES ? MET__SHAPE_CLASSES
                                                  : 0;
    return (word & 0xff) < most ? (uint32_t)word : 0;
}

int met__slot_is_freed(const met__slot *slot, uint64_t boot_hash)
{
    const met__slot_owner *owner = met__slot_owner_of(slot);
    const met__slot_settlers *settlers = met__slot_settlers_of(slot);

    return met__load_acquire(&settlers->freed_boot) == boot_hash
           && met__load_acquire(&settlers->freed_generation)
                  == met__load_acquire(&owner->generation)
           && met__load_acquire(&owner->plan) != MET__PLAN_UNKNOWN;
}

/* --- Cells ---------------------------------------------------------------- */
uint64_t met__copy_checksum(const uint64_t *words, uint64_t quantities)
{
    return met__checksum(words,
                         (MET__COPY_QUANTITIES
                          + quantities * MET__QUANTITY_WORDS)
                             * sizeof *words);
}

/* The first word of a segment of cells, where it is mapped or was copied. */
static const met__atomic_u64 *words_of(const met__slot *slot,
                                       uint32_t segment)
{
    const unsigned char *bytes =
        slot->copies == NULL
            ? slot->file.memory + met__segment_offset(segment)
            : slot->copies->cells;

    return (const met__atomic_u64 *)(const void *)bytes;
}

int met__slot_read_copy(const met__slot *slot, uint32_t segment,
                        uint32_t cell_class, uint32_t index, uint32_t which,
                        uint64_t *copy_out)
{
    const met__atomic_u64 *from =
        words_of(slot, segment)
        + met__cell_class_head(cell_class) / sizeof *copy_out
        + (size_t)(index * 2 + which) * met__cell_class_words(cell_class);

    for (int i = 0; i < MET__COPY_QUANTITIES; i++) {
        copy_out[i] = met__load_relaxed(from + i);
    }
    uint64_t quantities = copy_out[MET__COPY_PLAN] & UINT32_MAX;
    if (quantities > met__cell_class_room(cell_class)) {
        return 0;
    }
    uint64_t words = MET__COPY_QUANTITIES + quantities * MET__QUANTITY_WORDS;
    for (uint64_t i = MET__COPY_QUANTITIES; i <= words; i++) {
        copy_out[i] = met__load_relaxed(from + i);
    }
    return copy_out[words] == met__copy_checksum(copy_out, quantities)
           && copy_out[MET__COPY_CELL] >> 32
                  == segment * MET__SEGMENT_ITEMS_MAX + index
           && copy_out[MET__COPY_GENERATION] >= MET__GENERATION_FIRST
           && (uint32_t)copy_out[MET__COPY_EPOCH] <= MINUTE_LAST;
}

/* A place nobody ever wrote to. */
static int is_zero(const uint64_t *copy)
{
    uint64_t any = 0;

    for (int i = 0; i <= MET__COPY_QUANTITIES; i++) {
        any |= copy[i];
    }
    return any == 0;
}

/* Of a cell that its owner went on with while it was copied: the copy that was
 * in force at some moment in between, if that is whole. */
static int read_moving(const met__slot *slot, uint32_t segment,
                       uint32_t cell_class, uint32_t index, uint64_t first,
                       uint64_t last, uint64_t *copy_out)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (met__slot_read_copy(slot, segment, cell_class, index,
                                (last + i) & 1, copy_out)
            && copy_out[MET__COPY_SEQUENCE] >= first
            && copy_out[MET__COPY_SEQUENCE] <= last) {
            return 1;
        }
    }
    return 0;
}

int met__slot_read_cell(const met__slot *slot, uint32_t segment,
                        uint32_t cell_class, uint32_t index,
                        uint64_t *copy_out)
{
    const met__atomic_u64 *word = words_of(slot, segment) + index;

    for (int i = 0; i < READ_TRIES; i++) {
        uint64_t sequence = met__load_acquire(word);
        int is_whole = met__slot_read_copy(slot, segment, cell_class, index,
                                           sequence & 1, copy_out);
        met__fence_acquire();
        uint64_t later = slot->copies != NULL ? slot->copies->later[index]
                                              : met__load_relaxed(word);
        if (later != sequence) {
            is_whole = slot->copies != NULL
                       && read_moving(slot, segment, cell_class, index,
                                      sequence, later, copy_out);
        }
        if (is_whole) {
            return MET__CELL_READ;
        }
        if (later == sequence && is_zero(copy_out)) {
            return MET__CELL_EMPTY;
        }
        if (slot->copies != NULL
            && met__slot_fetch_cell(slot, segment, cell_class, index)
                   != MET_OK) {
            break;
        }
    }
    return MET__CELL_UNREADABLE;
}

static met_error read_key(const met__slot *slot, const met__secret *secret,
                          uint32_t shape_class, uint32_t index, uint64_t hash,
                          unsigned char *key_out, size_t *key_size_out)
{
    const met__atomic_u64 *from =
        (const met__atomic_u64 *)(const void *)slot->copies->shapes
        + (size_t)index * met__shape_class_size(shape_class)
              / sizeof(uint64_t);
    uint64_t size = met__load_relaxed(from);

    if (size > met__shape_class_size(shape_class) - MET__SHAPE_KEY_OFFSET) {
        return MET_E_CORRUPT;
    }
    for (uint64_t i = 0; i < (size + 7) / 8; i++) {
        uint64_t word = met__load_relaxed(from + 1 + i);
        memcpy(key_out + i * 8, &word, sizeof word);
    }
    if (met__hash64(secret, key_out, size) != hash) {
        return MET_E_CORRUPT;
    }
    *key_size_out = size;
    return MET_OK;
}

met_error met__slot_read_shape(const met__slot *slot,
                               const met__secret *secret, uint32_t shape,
                               uint64_t hash, unsigned char *key_out,
                               size_t *key_size_out)
{
    uint32_t segment = shape / MET__SEGMENT_ITEMS_MAX;
    uint32_t index = shape % MET__SEGMENT_ITEMS_MAX;
    uint32_t kind = met__slot_segment_kind(slot, segment);
    uint32_t shape_class = kind & 0xff;

    if (kind >> 8 != MET__SEGMENT_SHAPES
        || index >= met__shape_class_count(shape_class)) {
        return MET_E_CORRUPT;
    }
    /* A copy may be older than the key that a cell names. */
    int is_fresh = slot->copies->shape_segment != segment + 1;
    met_error error = is_fresh ? met__slot_fetch(slot, segment) : MET_OK;
    if (error == MET_OK) {
        error = read_key(slot, secret, shape_class, index, hash, key_out,
                         key_size_out);
    }
    if (error == MET_E_CORRUPT && !is_fresh
        && (error = met__slot_fetch(slot, segment)) == MET_OK) {
        error = read_key(slot, secret, shape_class, index, hash, key_out,
                         key_size_out);
    }
    return error;
}

/* --- All slots of a store ------------------------------------------------- */
typedef struct listing {
    met__arena *arena;
    uint32_t *numbers;
    size_t count;
    size_t room;
    met_error error;
    uint32_t reserved;
} listing;

static int visit_file(void *context, const met__os_entry *entry)
{
    listing *list = context;
    uint32_t number = 0;

    if (strlen(entry->name) != 8 || strcmp(entry->name + 4, ".map") != 0) {
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        if (entry->name[i] < '0' || entry->name[i] > '9') {
            return 0;
        }
        number = number * 10 + (uint32_t)(entry->name[i] - '0');
    }
    if (list->count == list->room) {
        size_t room = list->room * 2 + 16;
        uint32_t *more = met__arena_allocate(list->arena, room * sizeof *more);
        if (more == NULL) {
            list->error = MET_E_NO_MEMORY;
            return 1;
        }
        if (list->count > 0) {
            memcpy(more, list->numbers, list->count * sizeof *more);
        }
        list->numbers = more;
        list->room = room;
    }
    list->numbers[list->count++] = number;
    return 0;
}

static int compare_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

met_error met__slots_list(met_store *store, met__arena *arena,
                          uint32_t **numbers_out, size_t *count_out)
{
    const met__os *os = met__store_platform(store)->os;
    listing list = {.arena = arena};
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/tally", met__store_path(store));
    int result = os->list(os->context, path, &list, visit_file);
    if (list.error != MET_OK) {
        return list.error;
    }
    if (result < 0) {
        return met__os_error(result);
    }
    if (list.count > 1) {
        qsort(list.numbers, list.count, sizeof *list.numbers, compare_number);
    }
    *numbers_out = list.numbers;
    *count_out = list.count;
    return MET_OK;
}

/* Calls ask for every slot that is not free until it answers non-zero. A file
 * that cannot be opened answers if_damaged: it must not hold up the others. */
static met_error any_slot(met_store *store, uint64_t plan, int if_damaged,
                          int (*ask)(met__slot *slot, uint64_t plan,
                                     met_error *error_out),
                          int *answer_out)
{
    met__arena arena;
    uint32_t *numbers = NULL;
    size_t count = 0;
    uint64_t boot;
    int answer = 0;

    met__arena_init(&arena, met__store_platform(store));
    met_error error = met__boot_hash(met__store_platform(store), &boot);
    if (error == MET_OK) {
        error = met__slots_list(store, &arena, &numbers, &count);
    }
    for (size_t i = 0; error == MET_OK && !answer && i < count; i++) {
        met__slot slot = {0};
        error = met__slot_look(store, numbers[i], &slot, NULL);
        if (error == MET_E_CORRUPT || error == MET_E_LAYOUT
            || error == MET_E_FOREIGN) {
            error = MET_OK;
            answer = if_damaged;
        } else if (error == MET_OK && !met__slot_is_freed(&slot, boot)) {
            answer = ask(&slot, plan, &error);
        }
        met__slot_close(&slot);
    }
    met__arena_release(&arena);
    *answer_out = answer;
    return error;
}

static int is_behind(met__slot *slot, uint64_t plan, met_error *error_out)
{
    uint64_t has = met__load_acquire(&met__slot_owner_of(slot)->plan);
    int is_dead = 0;

    if (has != MET__PLAN_UNKNOWN && has >= plan) {
        return 0;
    }
    *error_out = met__slot_try_lock(slot, &is_dead);
    return !is_dead;
}

static int may_hold(met__slot *slot, uint64_t plan, met_error *error_out)
{
    return met__load_acquire(&met__slot_owner_of(slot)->plan) >= plan;
}

met_error met__slots_have_published(met_store *store, uint64_t plan,
                                    int *published_out)
{
    int behind = 0;
    met_error error = any_slot(store, plan, 0, is_behind, &behind);

    *published_out = !behind;
    return error;
}

met_error met__slots_may_hold(met_store *store, uint64_t plan,
                              int *may_hold_out)
{
    return any_slot(store, plan, 1, may_hold, may_hold_out);
}
