/* Opening the shared memory of a limiter, its shapes and its figures. In: a
 * file or memory of the caller. Out: a view whose bounds are private.
 *
 * Nothing needs a lock: every word that users must agree on is 0 until the
 * first of them puts it there by compare-and-swap, so a user killed half-way is
 * completed by the next. Only a file that was written before this boot is
 * emptied under a file lock. */
#include "limit/limit_table.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "limit/limiter.h"

#define FILE_MAGIC "METLIMIT"
#define TABLE_MAGIC UINT64_C(0x31544d494c54454d) /* "METLIMT1" */
/* Layout and the numbers it hangs on. */
#define LAYOUT_WORD \
    ((uint64_t)MET__LIMIT_LAYOUT << 32 | MET__BLOCK_PLACES << 8 | MET__CHOICES)
#define BOOT_EMPTYING UINT64_C(1)
#define CAPACITY_DEFAULT 65536
#define CAPACITY_MAX (UINT64_C(1) << 32)
#define LOCK_TRIES 2000000 /* about a second */

MET__STATIC_ASSERT(sizeof(met__record) == 64, record_size);
MET__STATIC_ASSERT((MET__BLOCK_GROUPS & (MET__BLOCK_GROUPS - 1)) == 0,
                   groups_are_found_by_bits);
MET__STATIC_ASSERT(sizeof(met__table_head) % 64 == 0, head_size);
MET__STATIC_ASSERT(sizeof(met__policy_slot) % 64 == 0, slot_size);

#define BEFORE_CONTROLS                                      \
    (sizeof(met__table_head)                                 \
     + MET__SHAPE_ROWS * sizeof(met__shape_row)              \
     + MET_LIMITER_POLICIES_MAX * sizeof(met__policy_slot))
#define BLOCK_SIZE \
    (MET__BLOCK_PLACES * sizeof(met__record) + MET__BLOCK_GROUPS * 8)

/* Control words fill whole lines, so that records keep theirs. */
static uint64_t controls_size(uint64_t blocks)
{
    return (blocks * MET__BLOCK_GROUPS * 8 + 63) / 64 * 64;
}

static uint64_t table_size(uint64_t blocks)
{
    return BEFORE_CONTROLS + controls_size(blocks)
           + blocks * MET__BLOCK_PLACES * sizeof(met__record);
}

static void lay_out(met__limit_table *table, unsigned char *memory,
                    uint64_t blocks)
{
    table->head = (met__table_head *)(void *)memory;
    memory += sizeof(met__table_head);
    table->shapes = (met__shape_row *)(void *)memory;
    memory += MET__SHAPE_ROWS * sizeof(met__shape_row);
    table->policies = (met__policy_slot *)(void *)memory;
    memory += MET_LIMITER_POLICIES_MAX * sizeof(met__policy_slot);
    table->controls = (met__atomic_u64 *)(void *)memory;
    table->records =
        (met__record *)(void *)(memory + controls_size(blocks));
    table->blocks = blocks;
}

/* What the word holds for everybody: value, or what was there first. */
static uint64_t agree(met__atomic_u64 *word, uint64_t value)
{
    uint64_t found = 0;

    return met__cas(word, &found, value) ? value : found;
}

/* Magic, layout, size and secret, which all users share. */
static met_error agree_head(met__limit_table *table, uint64_t boot,
                            const char *what, met_error_info *info)
{
    met__table_head *head = table->head;
    met__secret mine;

    if (agree(&head->magic, TABLE_MAGIC) != TABLE_MAGIC) {
        return met__fail(info, MET_E_FOREIGN, what,
                         "is not a table of windows");
    }
    if (agree(&head->layout, LAYOUT_WORD) != LAYOUT_WORD) {
        return met__fail(info, MET_E_LAYOUT, what,
                         "has another layout than this version knows");
    }
    if (agree(&head->boot, boot) != boot) {
        return met__fail(info, MET_E_CONFLICT, what,
                         "was used before this boot: zero it first");
    }
    met_error error = met__secret_create(table->platform, &mine);
    if (error != MET_OK) {
        return met__fail(info, error, what, "no random bytes for its secret");
    }
    for (size_t i = 0; i < MET__SECRET_WORDS; i++) {
        uint64_t word;
        memcpy(&word, mine.bytes + i * 8, sizeof word);
        word = agree(&head->secret[i], word | 1);
        memcpy(table->secret.bytes + i * 8, &word, sizeof word);
    }
    return MET_OK;
}

/* --- In a file ------------------------------------------------------------ */
/* Neither 0 nor BOOT_EMPTYING. */
static uint64_t boot_word(uint64_t hash)
{
    return hash | 2;
}

/* Throws out what an earlier boot left. Others wait: until it is done, the
 * boot's word is not theirs. */
static met_error empty_old(met__limit_table *table, uint64_t boot,
                           const char *path, met_error_info *info)
{
    const met__os *os = table->platform->os;
    met__table_head *head = table->head;
    int file = table->file.file;

    for (int i = 0; i < LOCK_TRIES; i++) {
        uint64_t found = met__load_acquire(&head->boot);
        if (found == boot || found == 0) {
            return MET_OK;
        }
        int result = os->lock(os->context, file, MET__OS_LOCK_TRY, 0);
        if (result == 0) {
            found = met__load_acquire(&head->boot);
            if (found != boot && found != 0) {
                met__store_release(&head->boot, BOOT_EMPTYING);
                unsigned char *begin = (unsigned char *)head;
                size_t boot_at = offsetof(met__table_head, boot);
                size_t after = boot_at + sizeof head->boot;
                memset(begin, 0, boot_at);
                memset(begin + after, 0,
                       (size_t)table_size(table->blocks) - after);
                met__store_release(&head->boot, boot);
            }
            os->lock(os->context, file, MET__OS_LOCK_FREE, 0);
            return MET_OK;
        }
        if (met__os_error(result) != MET_E_BUSY) {
            return met__fail(info, met__os_error(result), path,
                             "cannot be locked");
        }
    }
    return met__fail(info, MET_E_BUSY, path, "somebody is emptying it");
}

/* How many there are in the file, which may say anything. */
static met_error blocks_of(const met__limit_table *table, const char *path,
                           uint64_t *blocks_out, met_error_info *info)
{
    met__file_header header = *met__mapped_file_header(&table->file);
    uint64_t blocks = header.parameters[0];

    if (blocks == 0 || blocks > CAPACITY_MAX
        || MET__FILE_HEADER_SIZE + table_size(blocks) > table->file.size) {
        return met__fail(info, MET_E_CORRUPT, path,
                         "its size is not that of its records");
    }
    *blocks_out = blocks;
    return MET_OK;
}

static met_error open_file(met__limit_table *table,
                           const met_limiter_config *config, uint64_t boot,
                           met_error_info *info)
{
    uint64_t wanted = config->capacity ? config->capacity : CAPACITY_DEFAULT;
    met__mapped_spec spec = {.magic = FILE_MAGIC, .layout = MET__LIMIT_LAYOUT};

    spec.parameters[0] = (wanted + MET__BLOCK_PLACES - 1) / MET__BLOCK_PLACES;
    spec.size = MET__FILE_HEADER_SIZE + table_size(spec.parameters[0]);
    /* Without head and policies nobody counts in one that was cut short. */
    met_error error = met__mapped_file_open_whole(
        table->platform, config->path, &spec,
        MET__FILE_HEADER_SIZE + BEFORE_CONTROLS, &table->file, info);
    if (error != MET_OK) {
        return error;
    }
    uint64_t blocks = 0;
    error = blocks_of(table, config->path, &blocks, info);
    if (error != MET_OK) {
        return error;
    }
    if (config->capacity != 0 && blocks != spec.parameters[0]) {
        return met__fail(info, MET_E_LAYOUT, config->path,
                         "has %llu records",
                         (unsigned long long)blocks * MET__BLOCK_PLACES);
    }
    lay_out(table, table->file.memory + MET__FILE_HEADER_SIZE, blocks);
    uint64_t found = met__load_acquire(&table->head->boot);
    if (found != 0 && found != boot) {
        error = empty_old(table, boot, config->path, info);
    }
    return error == MET_OK ? agree_head(table, boot, config->path, info)
                           : error;
}

/* --- In the caller's memory ----------------------------------------------- */
static met_error open_memory(met__limit_table *table,
                             const met_limiter_config *config, uint64_t boot,
                             met_error_info *info)
{
    uint64_t blocks = (config->capacity + MET__BLOCK_PLACES - 1)
                      / MET__BLOCK_PLACES;

    if ((uintptr_t)config->memory % 64 != 0) {
        return met__fail(info, MET_E_INVALID, "config.memory",
                         "must be aligned to 64 bytes");
    }
    if (table_size(blocks == 0 ? 1 : blocks) + 64 > config->memory_size) {
        return met__fail(info, MET_E_INVALID, "config.memory_size",
                         "must be at least %llu bytes",
                         (unsigned long long)table_size(
                             blocks == 0 ? 1 : blocks) + 64);
    }
    uint64_t most = (config->memory_size - 64 - BEFORE_CONTROLS) / BLOCK_SIZE;
    if (most > CAPACITY_MAX / MET__BLOCK_PLACES) {
        most = CAPACITY_MAX / MET__BLOCK_PLACES;
    }
    if (blocks == 0) {
        blocks = most;
    }
    lay_out(table, config->memory, blocks);
    met_error error = agree_head(table, boot, "config.memory", info);
    if (error != MET_OK) {
        return error;
    }
    uint64_t agreed = agree(&table->head->blocks, blocks);
    if (agreed != blocks
        && (config->capacity != 0 || agreed == 0 || agreed > most)) {
        return met__fail(info, MET_E_LAYOUT, "config.memory",
                         "is used with another number of records");
    }
    lay_out(table, config->memory, agreed);
    return MET_OK;
}

met_error met__limit_table_open(met__limit_table *table,
                                const met_limiter_config *config,
                                met_error_info *info)
{
    uint64_t boot;

    if ((config->path == NULL) == (config->memory == NULL)) {
        return met__fail(info, MET_E_INVALID, "config.path",
                         "give a path or memory, one of them");
    }
    if (config->capacity > CAPACITY_MAX) {
        return met__fail(info, MET_E_INVALID, "config.capacity",
                         "must be at most %llu",
                         (unsigned long long)CAPACITY_MAX);
    }
    met_error error = met__boot_hash(table->platform, &boot);
    if (error != MET_OK) {
        return met__fail(info, error, "", "no boot id");
    }
    boot = boot_word(boot);
    error = config->path != NULL ? open_file(table, config, boot, info)
                                 : open_memory(table, config, boot, info);
    if (error != MET_OK) {
        met__limit_table_close(table);
    }
    return error;
}

void met__limit_table_close(met__limit_table *table)
{
    met__mapped_file_close(table->platform, &table->file);
}

met_error met__limit_table_answer(const met__limit_table *table,
                                  met_error error)
{
    const met__mapped_file *file = &table->file;

    if (file->memory == NULL || (error == MET_OK
                                 && !met__limit_table_is_lost(table))) {
        return error;
    }
    return met__mapped_file_check(table->platform, file) == MET_E_CORRUPT
               ? MET_E_CORRUPT
               : error;
}

/* --- Shapes --------------------------------------------------------------- */
static uint64_t shape_first(uint64_t limit, uint32_t algorithm)
{
    return UINT64_C(1) << 63 | (uint64_t)algorithm << 32 | limit;
}

static met_error shape_of_row(uint64_t first, uint64_t window_ns,
                              met__shape *shape)
{
    uint64_t limit = first & UINT32_MAX;

    if (limit == 0 || limit > MET_LIMITER_LIMIT_MAX
        || window_ns < MET_LIMITER_WINDOW_NS_MIN
        || window_ns > MET_LIMITER_WINDOW_NS_MAX) {
        return MET_E_CORRUPT;
    }
    return met__window_shape(shape, limit, window_ns,
                             (uint32_t)(first >> 32 & INT32_MAX));
}

met_error met__shape_enter(met__limit_table *table, uint64_t limit,
                           uint64_t window_ns, uint32_t algorithm,
                           uint32_t *number_out)
{
    uint64_t first = shape_first(limit, algorithm);
    met__shape shape;
    met_error error = shape_of_row(first, window_ns, &shape);

    if (error != MET_OK) {
        return error;
    }
    for (uint32_t i = 1; i < MET__SHAPE_ROWS; i++) {
        met__shape_row *row = &table->shapes[i];
        uint64_t found = met__load_acquire(&row->first);
        if (found != first && found != 0) {
            continue;
        }
        if (found == first || agree(&row->first, first) == first) {
            if (agree(&row->window_ns, window_ns) == window_ns) {
                *number_out = i;
                return MET_OK;
            }
        }
    }
    return MET_E_LIMIT;
}

const met__shape *met__shape_work_out(met__limit_table *table,
                                      uint32_t number, met__shape *spare)
{
    if (number == 0 || number >= MET__SHAPE_ROWS) {
        return NULL;
    }
    met__atomic_u64 *state = &table->shape_states[number];
    uint64_t found = 0;
    met__shape_row *row = &table->shapes[number];
    if (shape_of_row(met__load_acquire(&row->first),
                     met__load_acquire(&row->window_ns), spare)
        != MET_OK) {
        return NULL;
    }
    spare->number = number;
    if (met__cas(state, &found, 1)) {
        table->shape_cache[number] = *spare;
        met__store_release(state, MET__SHAPE_READY);
    }
    return spare;
}

/* --- Figures -------------------------------------------------------------- */
/* All but the records, which are many. */
static void read_counters(const met__limit_table *table,
                          met_limiter_stats *stats_out)
{
    const met__atomic_u64 *counters = table->head->counters;

    *stats_out = (met_limiter_stats){
        .struct_size = sizeof *stats_out,
        .capacity = table->blocks * MET__BLOCK_PLACES,
        .inserted = met__load_relaxed(&counters[MET__COUNT_INSERTED]),
        .reclaimed = met__load_relaxed(&counters[MET__COUNT_RECLAIMED]),
        .full_allowed = met__load_relaxed(&counters[MET__COUNT_FULL_ALLOWED]),
        .full_refused = met__load_relaxed(&counters[MET__COUNT_FULL_REFUSED]),
        .undone = met__load_relaxed(&counters[MET__COUNT_UNDONE]),
        .withheld = met__load_relaxed(&counters[MET__COUNT_WITHHELD]),
        .contended = met__load_relaxed(&counters[MET__COUNT_CONTENDED]),
        .duplicates = met__load_relaxed(&counters[MET__COUNT_DUPLICATES]),
    };
    for (uint32_t i = 0; i < MET_LIMITER_POLICIES_MAX; i++) {
        const met__policy_slot *slot = &table->policies[i];
        uint64_t version = met__load_acquire(&slot->version);
        const met__policy_row *row = &slot->rows[version % MET__POLICY_ROWS];
        stats_out->policies +=
            version != 0 && (met__load_relaxed(&row->windows[0]) & 0xff) != 0;
    }
    for (uint32_t i = 1; i < MET__SHAPE_ROWS; i++) {
        stats_out->shapes += met__load_relaxed(&table->shapes[i].window_ns)
                             != 0;
    }
}

/* A place that was ever claimed has a tag. */
static uint64_t tags_of(const met__limit_table *table)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < table->blocks * MET__BLOCK_GROUPS; i++) {
        uint64_t tags = met__load_relaxed(&table->controls[i]);
        for (; tags != 0; tags >>= 8) {
            count += (tags & 0xff) != 0;
        }
    }
    return count;
}

met_error met__limit_table_look(const met__platform *platform,
                                const char *path,
                                met_limiter_stats *stats_out)
{
    met__limit_table table = {.platform = platform};
    met__mapped_spec spec = {.magic = FILE_MAGIC, .layout = MET__LIMIT_LAYOUT};
    uint64_t blocks = 0;
    uint64_t boot;
    met_error error = met__boot_hash(platform, &boot);

    if (error == MET_OK) {
        error = met__mapped_file_open(platform, path, &spec, 0, &table.file,
                                      NULL);
    }
    if (error != MET_OK) {
        return error;
    }
    error = blocks_of(&table, path, &blocks, NULL);
    if (error == MET_OK) {
        lay_out(&table, table.file.memory + MET__FILE_HEADER_SIZE, blocks);
        error = met__load_acquire(&table.head->boot) == boot_word(boot)
                    ? MET_OK
                    : MET_E_NOT_FOUND;
    }
    if (error == MET_OK) {
        read_counters(&table, stats_out);
        stats_out->records_used = tags_of(&table);
    }
    met__limit_table_close(&table);
    return error;
}

void met__limit_table_stats(met__limit_table *table,
                            const met__window_time *time,
                            met_limiter_stats *stats_out)
{
    read_counters(table, stats_out);
    for (uint64_t i = 0; i < stats_out->capacity; i++) {
        met__shape spare;
        uint64_t name = met__load_relaxed(&table->records[i].name);
        uint64_t head = met__load_acquire(&table->records[i].head);
        const met__shape *shape =
            met__shape_get(table, (uint32_t)(name & 0xff), &spare);
        stats_out->records_used += name != 0;
        stats_out->records_live +=
            name != 0 && shape != NULL && !(head & MET__HEAD_CLOSED)
            && !shape->ops->is_idle(head & ~MET__HEAD_FROZEN, shape, time);
    }
}
