/* Cells become parts: every cell overwrites its part as it stands, when its
 * sequence is greater; nothing is ever added. New shapes enter the dictionary
 * first, and the steps of later rooms see every change. */
#include <stdlib.h>

#include "base/check.h"
#include "meter/settle_run.h"

static int compare_cell(const void *a, const void *b)
{
    return met__part_key_compare(&((const met__settle_cell *)a)->key,
                                 &((const met__settle_cell *)b)->key);
}

/* --- Shapes --------------------------------------------------------------- */
/* The cell's shape out of its slot; MET_E_CORRUPT when it is torn. */
static met_error read_shape(met__settle_run *run, met__settle_cell *cell,
                            met__new_shape *shape)
{
    unsigned char key[MET__SHAPE_SIZE_MAX];
    unsigned char value[MET__SHAPE_VALUE_MAX];
    const met__secret *secret = met__store_secret(run->store);
    size_t size = 0;

    if (run->plan == NULL || run->plan->number != cell->plan) {
        met_error found = met__recording_plan_get(run->txn, cell->plan,
                                                  &run->local, &run->plan);
        if (found != MET_OK) {
            return found == MET_E_NOT_FOUND ? MET_E_CORRUPT : found;
        }
    }
    met_error error = met__slot_read_shape(&run->slots[cell->slot].slot,
                                           secret, cell->entry, cell->hash,
                                           key, &size);
    if (error == MET_OK) {
        error = met__usage_shape_encode(run->plan, key, size, value, &size);
    }
    if (error == MET_OK && value[2] != cell->quantities) {
        error = MET_E_CORRUPT;
    }
    if (error != MET_OK) {
        return error;
    }
    char *copy = met__arena_copy(&run->local, value, size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    *shape = (met__new_shape){met__hash128_of(secret, copy, size),
                              met__text_of(copy, size), &cell->shape};
    return MET_OK;
}

/* A part's word for plan and quantities; no cell ever changes it. */
static uint64_t plan_word(const met__settle_cell *cell)
{
    return (uint64_t)cell->plan << 32 | cell->quantities;
}

/* Which cells bring something new, and the number of every shape. Cells that
 * do not, or cannot be read, get the sequence 0. */
static met_error resolve(met__settle_run *run)
{
    uint64_t stored[MET__PART_WORDS_MAX];
    met__new_shape *shapes = met__arena_allocate(
        &run->local, run->cell_count * sizeof *shapes);
    size_t count = 0;

    if (shapes == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < run->cell_count; i++) {
        met__settle_cell *cell = &run->cells[i];
        met_error error = met__part_get(run->txn, &cell->key, stored);
        if (error == MET_OK && stored[MET__PART_PLAN] != plan_word(cell)) {
            error = MET_E_CORRUPT;
        }
        if (error == MET_OK) {
            cell->shape = stored[MET__PART_SHAPE];
            if (cell->sequence <= stored[MET__PART_SEQUENCE]) {
                cell->sequence = 0;
            }
            continue;
        }
        if (error == MET_E_NOT_FOUND) {
            error = read_shape(run, cell, &shapes[count]);
            count += error == MET_OK;
        }
        if (error == MET_E_CORRUPT) {
            cell->sequence = 0;
            run->slots[cell->slot].unreadable++;
            run->report->cells_unreadable++;
        } else if (error != MET_OK) {
            return error;
        }
    }
    return met__usage_shapes_number(run->txn, shapes, count);
}

/* --- Parts ---------------------------------------------------------------- */
static met_error write_cell(met__settle_run *run, met__settle_cell *cell)
{
    uint64_t words[MET__PART_WORDS_MAX];
    uint64_t stored[MET__PART_WORDS_MAX];
    met_error found = met__part_get(run->txn, &cell->key, stored);

    MET__ASSERT(found == MET_E_NOT_FOUND
                || (found == MET_OK
                    && stored[MET__PART_PLAN] == plan_word(cell)));
    words[MET__PART_SEQUENCE] = cell->sequence;
    words[MET__PART_SHAPE] = cell->shape;
    words[MET__PART_COUNT] = cell->count;
    words[MET__PART_PLAN] = plan_word(cell);
    if (cell->quantities > 0) {
        memcpy(words + MET__PART_QUANTITIES, run->words + cell->words,
               cell->quantities * MET__QUANTITY_WORDS * sizeof *words);
    }
    met_error error = met__part_put(run->txn, &cell->key, words);
    run->new_parts++;
    run->new_events += cell->count
                       - (found == MET_OK ? stored[MET__PART_COUNT] : 0);
    return error == MET_OK
               ? met__steps_tell(&run->telling, cell->shape, cell->key.minute,
                                 found == MET_OK ? stored : NULL, words)
               : error;
}

met_error met__settle_write(met__settle_run *run)
{
    if (run->cell_count == 0) {
        return MET_OK;
    }
    qsort(run->cells, run->cell_count, sizeof *run->cells, compare_cell);
    met_error error = resolve(run);
    for (size_t i = 0; error == MET_OK && i < run->cell_count; i++) {
        if (run->cells[i].sequence > 0) {
            error = write_cell(run, &run->cells[i]);
        }
    }
    return error;
}
