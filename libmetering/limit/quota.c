/* The table of quota cells: a mapped file that lives as long as the machine is
 * up, cells found by double hashing, made by compare-and-swap and never freed.
 * What a cell does is in quota_cell.c; arguments are checked here. */
#include "limit/quota.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "limit/quota_cell.h"

#define MAGIC "METQUOTA"
#define PARAMETER_CELLS 0
/* Cells looked at for one key. At 80 % load a key finds no room here once in
 * 10^12 times. */
#define PROBES_MAX 128
#define REOPEN_TRIES 1000

/* Between the file's header and the cells. */
typedef struct table_words {
    met__atomic_u64 is_filled; /* every cell was prepared since it was made */
    met__atomic_u64 reserved[15];
} table_words;

struct met__quota_table {
    met__platform platform;
    met__mapped_file file;
    table_words *words;
    met__quota_cell *cells;
    uint64_t count; /* private copy: the file is not trusted */
    uint64_t probes;
    uint64_t id;
};

/* --- Sizes ---------------------------------------------------------------- */
static int is_prime(uint64_t number)
{
    for (uint64_t i = 2; i * i <= number; i++) {
        if (number % i == 0) {
            return 0;
        }
    }
    return number >= 2;
}

/* A quarter more than asked for, and a prime, so that any stride visits every
 * cell. */
static uint64_t cells_for(uint64_t capacity)
{
    uint64_t count = capacity + (capacity + 3) / 4;

    while (!is_prime(count)) {
        count++;
    }
    return count;
}

static uint64_t file_size(uint64_t cells)
{
    return MET__FILE_HEADER_SIZE + sizeof(table_words)
           + cells * sizeof(met__quota_cell);
}

/* --- Opening -------------------------------------------------------------- */
static met_error open_file(const met__platform *platform, const char *path,
                           const met__mapped_spec *spec,
                           met__mapped_file *file_out, met_error_info *info)
{
    uint64_t boot;
    met_error error = met__boot_hash(platform, &boot);

    if (error != MET_OK) {
        return met__fail(info, error, path, "this boot's id cannot be read");
    }
    for (int i = 0; i < REOPEN_TRIES; i++) {
        error = met__mapped_file_open_whole(platform, path, spec, 0, file_out,
                                            info);
        if (error != MET_OK
            || met__mapped_file_header(file_out)->boot_hash == boot) {
            return error;
        }
        error = met__mapped_file_unlink(platform, file_out->file, path);
        met__mapped_file_close(platform, file_out);
        if (error != MET_OK && error != MET_E_BUSY) {
            return met__fail(info, error, path,
                             "was written before this boot and cannot be "
                             "removed");
        }
    }
    return met__fail(info, MET_E_BUSY, path, "another process replaces it");
}

/* The number of cells, if they all lie in the file. */
static met_error count_cells(const met__mapped_file *file, const char *path,
                             uint64_t *count_out, met_error_info *info)
{
    uint64_t count =
        met__mapped_file_header(file)->parameters[PARAMETER_CELLS];
    uint64_t empty = file_size(0);

    if (count == 0 || file->size < empty
        || count > (file->size - empty) / sizeof(met__quota_cell)) {
        return met__fail(info, MET_E_CORRUPT, path,
                         "%llu bytes do not hold %llu cells",
                         (unsigned long long)file->size,
                         (unsigned long long)count);
    }
    *count_out = count;
    return MET_OK;
}

static met_error find_id(const met__quota_table *table, const char *path,
                         uint64_t *id_out, met_error_info *info)
{
    const met__os *os = table->platform.os;
    met__os_stat found;
    int result = os->fstat(os->context, table->file.file, &found);

    if (result < 0) {
        return met__fail(info, met__os_error(result), path,
                         "cannot be looked at");
    }
    *id_out = found.inode;
    return MET_OK;
}

met_error met__quota_open(const met__platform *platform, const char *path,
                          const uint8_t store_id[16], uint64_t capacity,
                          met__quota_table **table_out,
                          uint32_t *is_empty_out, met_error_info *info)
{
    met__mapped_spec spec = {.magic = MAGIC, .layout = MET__QUOTA_LAYOUT};
    met__quota_table *table;
    met_error error;

    MET__ASSERT(platform != NULL && path != NULL && store_id != NULL
                && table_out != NULL && is_empty_out != NULL);
    if (capacity == 0 || capacity > MET__QUOTA_CAPACITY_MAX) {
        return met__fail(info, MET_E_INVALID, "capacity",
                         "must be 1 to %llu",
                         (unsigned long long)MET__QUOTA_CAPACITY_MAX);
    }
    table = met__allocate(platform, sizeof *table);
    if (table == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    table->platform = *platform;
    spec.parameters[PARAMETER_CELLS] = cells_for(capacity);
    spec.size = file_size(spec.parameters[PARAMETER_CELLS]);
    memcpy(spec.store_id, store_id, sizeof spec.store_id);
    error = open_file(&table->platform, path, &spec, &table->file, info);
    if (error == MET_OK) {
        error = count_cells(&table->file, path, &table->count, info);
        if (error == MET_OK) {
            error = find_id(table, path, &table->id, info);
        }
        if (error != MET_OK) {
            met__mapped_file_close(&table->platform, &table->file);
        }
    }
    if (error != MET_OK) {
        met__release(platform, table, sizeof *table);
        return error;
    }
    table->words =
        (table_words *)(void *)(table->file.memory + MET__FILE_HEADER_SIZE);
    table->cells = (met__quota_cell *)(void *)(table->words + 1);
    table->probes = table->count < PROBES_MAX ? table->count : PROBES_MAX;
    *is_empty_out = met__load_acquire(&table->words->is_filled) != 1;
    *table_out = table;
    return MET_OK;
}

void met__quota_close(met__quota_table *table)
{
    if (table != NULL) {
        met__platform platform = table->platform;

        met__mapped_file_close(&platform, &table->file);
        met__release(&platform, table, sizeof *table);
    }
}

uint64_t met__quota_id(const met__quota_table *table)
{
    return table->id;
}

met_error met__quota_check(const met__quota_table *table)
{
    return met__mapped_file_check(&table->platform, &table->file);
}

void met__quota_set_filled(met__quota_table *table)
{
    if (table != NULL) {
        met__store_release(&table->words->is_filled, 1);
    }
}

/* --- Finding a cell ------------------------------------------------------- */
/* The first half of the key claims the cell, the second completes it. One
 * that was claimed by somebody who then died is completed by the next who
 * wants the same half; nobody skips a cell that could become his, so a key
 * never has two. */
static met_error claim(met__quota_cell *cell, met__hash128 key)
{
    uint64_t low = 0;
    uint64_t high = 0;

    if (met__cas(&cell->side[0].key, &low, key.low)) {
        low = key.low;
    }
    if (low != key.low) {
        return MET_E_NOT_FOUND;
    }
    if (met__cas(&cell->side[1].key, &high, key.high)) {
        high = key.high;
    }
    return high == key.high ? MET_OK : MET_E_NOT_FOUND;
}

/* Zero means free. */
static met__hash128 never_free(met__hash128 key)
{
    return (met__hash128){key.low != 0 ? key.low : 1,
                          key.high != 0 ? key.high : 1};
}

/* Where the search for a cell begins. */
static uint64_t home(const met__quota_table *table, met__hash128 key)
{
    return ((never_free(key).low >> 32) * table->count) >> 32;
}

static met_error find(const met__quota_table *table, met__hash128 key,
                      int may_create, met__quota_cell **cell_out)
{
    met__hash128 whole = never_free(key);
    uint64_t place = home(table, key);
    uint64_t stride = 1 + (((whole.high >> 32) * (table->count - 1)) >> 32);

    for (uint64_t i = 0; i < table->probes; i++) {
        met__quota_cell *cell = &table->cells[place];
        uint64_t low = met__load_acquire(&cell->side[0].key);

        if (low == whole.low || low == 0) {
            uint64_t high = met__load_acquire(&cell->side[1].key);

            if ((low == whole.low && high == whole.high)
                || (may_create && claim(cell, whole) == MET_OK)) {
                *cell_out = cell;
                return MET_OK;
            }
            if (!may_create && (low == 0 || high == 0)) {
                return MET_E_NOT_FOUND;
            }
        }
        place += stride;
        place -= place >= table->count ? table->count : 0;
    }
    return may_create ? MET_E_TABLE_FULL : MET_E_NOT_FOUND;
}

void met__quota_fetch(const met__quota_table *table, met__hash128 key)
{
    const met__quota_cell *cell = &table->cells[home(table, key)];

    met__prefetch(&cell->side[0]);
    met__prefetch(&cell->side[1]);
}

/* Of what was cut off nothing is known; that a cell is missing least of all. */
static met_error answer(const met__quota_table *table, met_error error)
{
    return met__mapped_file_is_lost(&table->file) ? MET_E_CORRUPT : error;
}

static int is_amount(int64_t amount)
{
    return amount <= MET__QUOTA_AMOUNT_MAX && amount >= -MET__QUOTA_AMOUNT_MAX;
}

/* NULL: no ticket of ours. */
static met__quota_side *ticket_side(const met__quota_table *table,
                                    const met__quota_ticket *ticket)
{
    uint64_t place = ticket->place - 1;

    if (place / 2 >= table->count
        || (uint64_t)ticket->cost > (uint64_t)MET__QUOTA_AMOUNT_MAX
        || (uint64_t)ticket->owed > (uint64_t)MET__QUOTA_AMOUNT_MAX) {
        return NULL;
    }
    return &table->cells[place / 2].side[place % 2];
}

/* --- Calls ---------------------------------------------------------------- */
static int is_number(uint64_t number)
{
    return number >= 1 && number <= MET__QUOTA_NUMBER_MAX;
}

met_error met__quota_prepare(met__quota_table *table, met__hash128 key,
                             const met__quota_period *period)
{
    met__quota_cell *cell;

    MET__ASSERT(table != NULL && period != NULL);
    if (!is_number(period->number) || period->taken < 0
        || period->next_at_ns < 0 || period->next_limit < 0
        || (period->flags & ~(MET__QUOTA_SOFT | MET__QUOTA_PROVISIONAL))
               != 0) {
        return MET_E_INVALID;
    }
    if (!is_amount(period->limit) || !is_amount(period->taken)
        || !is_amount(period->next_limit)) {
        return MET_E_LIMIT;
    }
    met_error error = find(table, key, 1, &cell);
    if (error == MET_OK) {
        error = met__quota_cell_prepare(cell, period);
    }
    return answer(table, error);
}

/* Whether a place that was found before is the key's. */
static inline int is_at(const met__quota_table *table, met__hash128 key,
                        uint64_t place)
{
    return place < table->count && key.low != 0 && key.high != 0
           && met__load_acquire(&table->cells[place].side[0].key) == key.low
           && met__load_acquire(&table->cells[place].side[1].key) == key.high;
}

met_error met__quota_admit(met__quota_table *table, met__hash128 key,
                           uint64_t number, int64_t cost, int64_t now_ns,
                           int64_t utc_ns, met__quota_ticket *ticket_out,
                           met__quota_state *state_out)
{
    uint64_t place = 0;

    return met__quota_admit_again(table, key, &place, number, cost, now_ns,
                                  utc_ns, ticket_out, state_out);
}

met_error met__quota_admit_again(met__quota_table *table, met__hash128 key,
                                 uint64_t *place, uint64_t number,
                                 int64_t cost, int64_t now_ns,
                                 int64_t utc_ns,
                                 met__quota_ticket *ticket_out,
                                 met__quota_state *state_out)
{
    met__quota_cell *cell;

    MET__ASSERT(table != NULL && place != NULL && ticket_out != NULL
                && state_out != NULL);
    ticket_out->place = 0;
    if (!is_number(number) || cost < 0 || now_ns < 0) {
        return MET_E_INVALID;
    }
    if (!is_amount(cost)) {
        return MET_E_LIMIT;
    }
    met_error error = MET_OK;
    if (is_at(table, key, *place - 1)) {
        cell = &table->cells[*place - 1];
    } else {
        error = find(table, key, 0, &cell);
        if (error != MET_OK) {
            return answer(table, error);
        }
        *place = (uint64_t)(cell - table->cells) + 1;
    }
    error = met__quota_cell_admit(cell, number, cost, now_ns, utc_ns,
                                  ticket_out, state_out);
    if (ticket_out->place != 0) {
        ticket_out->place += 2 * (*place - 1);
    }
    if (met__mapped_file_is_lost(&table->file)) {
        *ticket_out = (met__quota_ticket){0};
        return MET_E_CORRUPT;
    }
    return error;
}

met_error met__quota_complete_begin(met__quota_table *table,
                                    met__quota_ticket *ticket,
                                    int64_t true_cost)
{
    MET__ASSERT(table != NULL && ticket != NULL);
    if (true_cost < 0) {
        return MET_E_INVALID;
    }
    if (ticket->place == 0) {
        return MET_OK;
    }
    met__quota_side *side = ticket_side(table, ticket);
    if (side == NULL) {
        return MET_E_INVALID;
    }
    if (!is_amount(true_cost)) {
        return MET_E_LIMIT;
    }
    return met__quota_cell_complete_begin(side, ticket, true_cost);
}

met_error met__quota_complete_end(met__quota_table *table,
                                  met__quota_ticket *ticket)
{
    MET__ASSERT(table != NULL && ticket != NULL);
    if (ticket->place == 0) {
        return MET_OK;
    }
    met__quota_side *side = ticket_side(table, ticket);
    return side == NULL ? MET_E_INVALID
                        : met__quota_cell_complete_end(side, ticket);
}

met_error met__quota_release(met__quota_table *table,
                             met__quota_ticket *ticket)
{
    MET__ASSERT(table != NULL && ticket != NULL);
    if (ticket->place == 0) {
        return MET_OK;
    }
    met__quota_side *side = ticket_side(table, ticket);
    return side == NULL ? MET_E_INVALID
                        : met__quota_cell_release(side, ticket);
}

met_error met__quota_seal(met__quota_table *table, met__hash128 key,
                          uint64_t number, int64_t now_ns,
                          int64_t *taken_out)
{
    met__quota_cell *cell;

    MET__ASSERT(table != NULL && taken_out != NULL);
    met_error error = find(table, key, 0, &cell);
    if (error == MET_OK) {
        error = met__quota_cell_seal(cell, number, now_ns, taken_out);
    }
    return answer(table, error);
}

met_error met__quota_read(met__quota_table *table, met__hash128 key,
                          uint64_t number, met__quota_state *state_out)
{
    met__quota_cell *cell;

    MET__ASSERT(table != NULL && state_out != NULL);
    met_error error = find(table, key, 0, &cell);
    if (error == MET_OK) {
        error = met__quota_cell_read(cell, number, state_out);
    }
    return answer(table, error);
}
