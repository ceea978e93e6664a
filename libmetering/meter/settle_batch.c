/* Cells become parts: every cell overwrites its part as it stands, when its
 * sequence is greater; nothing is ever added. New shapes enter the dictionary
 * first, and the steps of later rooms see every change. */
#include <stdlib.h>

#include "base/check.h"
#include "meter/amount.h"
#include "meter/settle_run.h"
#include "meter/usage_match.h"

/* A shape that the dictionary may not have. */
typedef struct new_shape {
    met__hash128 hash;
    met__text value;
    met__settle_cell *cell;
} new_shape;

/* A shape as the steps want it. */
typedef struct known_shape {
    uint64_t number;
    met__usage_shape shape;
    size_t match_count;
    const met__meter **meters;
    met__usage_match *matches;
} known_shape;

#define KNOWN_PLACES 1024u

static int compare_cell(const void *a, const void *b)
{
    return met__part_key_compare(&((const met__settle_cell *)a)->key,
                                 &((const met__settle_cell *)b)->key);
}

static int compare_shape(const void *a, const void *b)
{
    const new_shape *x = a;
    const new_shape *y = b;

    if (x->hash.high != y->hash.high) {
        return x->hash.high < y->hash.high ? -1 : 1;
    }
    return x->hash.low < y->hash.low ? -1 : x->hash.low > y->hash.low;
}

/* --- Shapes ---------------------------------------------------------------- */
/* The cell's shape out of its slot; MET_E_CORRUPT when it is torn. */
static met_error read_shape(met__settle_run *run, met__settle_cell *cell,
                            new_shape *shape)
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
    *shape = (new_shape){met__hash128_of(secret, copy, size),
                         met__text_of(copy, size), cell};
    return MET_OK;
}

/* Finds or makes the numbers of all these; in the order of their hashes, so
 * that both tables of the dictionary are written in the order of their keys. */
static met_error number_shapes(met__settle_run *run, new_shape *shapes,
                               size_t count)
{
    met_error error = MET_OK;

    if (count > 1) {
        qsort(shapes, count, sizeof *shapes, compare_shape);
    }
    for (size_t i = 0; error == MET_OK && i < count; i++) {
        uint64_t number = 0;
        if (i > 0 && compare_shape(&shapes[i - 1], &shapes[i]) == 0) {
            if (!met__text_equal(shapes[i - 1].value, shapes[i].value)) {
                return MET_E_CORRUPT;
            }
            shapes[i].cell->shape = shapes[i - 1].cell->shape;
            continue;
        }
        error = met__usage_shape_find(run->txn, shapes[i].hash,
                                      shapes[i].value, &number);
        if (error == MET_OK && number == 0) {
            error = met__usage_shape_add(run->txn, shapes[i].hash,
                                         shapes[i].value, &number);
            if (error == MET_OK) {
                const unsigned char *type =
                    (const unsigned char *)shapes[i].value.data + 4;
                error = met__recorded_type_mark(
                    run->txn,
                    met__text_of((const char *)type + 1, *type));
            }
        }
        shapes[i].cell->shape = number;
    }
    return error;
}

/* Which cells bring something new, and the number of every shape. Cells that
 * do not, or cannot be read, get the sequence 0. */
static met_error resolve(met__settle_run *run)
{
    uint64_t stored[MET__PART_WORDS_MAX];
    new_shape *shapes = met__arena_allocate(&run->local,
                                            run->cell_count * sizeof *shapes);
    size_t count = 0;

    if (shapes == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < run->cell_count; i++) {
        met__settle_cell *cell = &run->cells[i];
        met_error error = met__part_get(run->txn, &cell->key, stored);
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
    return number_shapes(run, shapes, count);
}

/* --- Changes for the steps ------------------------------------------------- */
static met_error load_meters(met__settle_run *run)
{
    met__scan scan;
    met__text key;
    met__text value;
    size_t room = 0;
    met_error error = met__scan_begin(run->txn, MET__TABLE_METER, NULL, 0,
                                      &scan);

    while (error == MET_OK) {
        met__meter *meter = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__meter_unpack(&run->local, value, &meter);
        }
        if (error == MET_OK && run->meter_count == room) {
            room = room * 2 + 16;
            const met__meter **more = met__arena_allocate(
                &run->local, room * sizeof(const met__meter *));
            if (more == NULL) {
                error = MET_E_NO_MEMORY;
                break;
            }
            if (run->meter_count > 0) {
                memcpy(more, run->meters,
                       run->meter_count * sizeof(const met__meter *));
            }
            run->meters = more;
        }
        if (error == MET_OK) {
            run->meters[run->meter_count++] = meter;
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error know_shape(met__settle_run *run, uint64_t number,
                            known_shape *known)
{
    unsigned char key[8];
    met__text value;

    known->number = 0;
    met__put_u64(key, number);
    met_error error = met__txn_get(run->txn, MET__TABLE_SHAPE, key, sizeof key,
                                   &value);
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    /* Steps write, and a value lives until the next write. */
    char *copy = met__arena_copy(&run->local, value.data, value.size);
    known->meters = met__arena_allocate(
        &run->local, run->meter_count * sizeof(const met__meter *));
    known->matches = met__arena_allocate(
        &run->local, run->meter_count * sizeof *known->matches);
    if (copy == NULL || known->meters == NULL || known->matches == NULL) {
        return MET_E_NO_MEMORY;
    }
    error = met__usage_shape_decode(met__text_of(copy, value.size),
                                    &known->shape);
    known->match_count = 0;
    for (size_t i = 0; error == MET_OK && i < run->meter_count; i++) {
        if (met__usage_matches(run->meters[i], &known->shape,
                               &known->matches[known->match_count])) {
            known->meters[known->match_count++] = run->meters[i];
        }
    }
    known->number = error == MET_OK ? number : 0;
    return error;
}

/* New minus stored; stored may be NULL. */
static met_error difference(const met__meter *meter,
                            const met__usage_match *match,
                            const uint64_t *stored, const uint64_t *words,
                            met_decimal *delta_out)
{
    if (meter->aggregation == MET__AGGREGATION_COUNT) {
        uint64_t before = stored != NULL ? stored[MET__PART_COUNT] : 0;
        *delta_out = met__decimal_from_i64(
            (int64_t)(words[MET__PART_COUNT] - before));
        return MET_OK;
    }
    if (meter->aggregation != MET__AGGREGATION_SUM) {
        *delta_out = met__decimal_zero();
        return MET_OK;
    }
    size_t at = MET__PART_QUANTITIES
                + (size_t)match->quantity * MET__QUANTITY_WORDS
                + MET__QUANTITY_SUM;
    met__wide sum = met__amount_get(words + at);
    if (stored != NULL && !met__amount_add(&sum,
                                           -met__amount_get(stored + at))) {
        return MET_E_OVERFLOW;
    }
    return met__amount_to_decimal(sum, delta_out);
}

static met_error tell_steps(met__settle_run *run, const known_shape *known,
                            const met__settle_cell *cell,
                            const uint64_t *stored, const uint64_t *words)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < known->match_count; i++) {
        met__usage_change change = {
            .meter = known->meters[i],
            .subject = known->shape.subject,
            .minute_ns = (int64_t)cell->key.minute * MET__MINUTE_NS,
            .is_admitted = known->shape.flags & 1,
        };
        if ((int64_t)cell->key.minute
            < met__usage_first_minute(known->meters[i])) {
            continue;
        }
        memcpy(change.values, known->matches[i].values, sizeof change.values);
        error = difference(known->meters[i], &known->matches[i], stored, words,
                           &change.delta);
        for (size_t k = 0; error == MET_OK && k < run->step_count; k++) {
            if (run->steps[k].change != NULL) {
                error = run->steps[k].change(run->steps[k].context, run->txn,
                                             &change);
            }
        }
    }
    return error;
}

/* --- Parts ----------------------------------------------------------------- */
static met_error write_cell(met__settle_run *run, met__settle_cell *cell,
                            known_shape *places)
{
    uint64_t words[MET__PART_WORDS_MAX];
    uint64_t stored[MET__PART_WORDS_MAX];
    met_error found = met__part_get(run->txn, &cell->key, stored);

    if (found != MET_OK && found != MET_E_NOT_FOUND) {
        return found;
    }
    words[MET__PART_SEQUENCE] = cell->sequence;
    words[MET__PART_SHAPE] = cell->shape;
    words[MET__PART_COUNT] = cell->count;
    words[MET__PART_PLAN] = (uint64_t)cell->plan << 32 | cell->quantities;
    if (cell->quantities > 0) {
        memcpy(words + MET__PART_QUANTITIES, run->words + cell->words,
               cell->quantities * MET__QUANTITY_WORDS * sizeof *words);
    }
    if (found == MET_OK && stored[MET__PART_PLAN] != words[MET__PART_PLAN]) {
        return MET_E_CORRUPT;
    }
    met_error error = met__part_put(run->txn, &cell->key, words);
    run->new_parts++;
    run->new_events += cell->count
                       - (found == MET_OK ? stored[MET__PART_COUNT] : 0);
    if (error != MET_OK || places == NULL) {
        return error;
    }
    known_shape *known = &places[cell->shape % KNOWN_PLACES];
    if (known->number != cell->shape) {
        error = know_shape(run, cell->shape, known);
    }
    return error == MET_OK
               ? tell_steps(run, known, cell, found == MET_OK ? stored : NULL,
                            words)
               : error;
}

met_error met__settle_write(met__settle_run *run)
{
    known_shape *places = NULL;
    met_error error = MET_OK;

    if (run->cell_count == 0) {
        return MET_OK;
    }
    if (run->step_count > 0) {
        places = met__arena_allocate(&run->local,
                                     KNOWN_PLACES * sizeof *places);
        error = places != NULL ? load_meters(run) : MET_E_NO_MEMORY;
    }
    qsort(run->cells, run->cell_count, sizeof *run->cells, compare_cell);
    if (error == MET_OK) {
        error = resolve(run);
    }
    for (size_t i = 0; error == MET_OK && i < run->cell_count; i++) {
        if (run->cells[i].sequence > 0) {
            error = write_cell(run, &run->cells[i], places);
        }
    }
    return error;
}
