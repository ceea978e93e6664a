/* Telling the steps of later rooms what a part changed. In: the words of a
 * part, before and after. Out: a change for every meter that the usage belongs
 * to. Meters and shapes are read once per transaction. */
#include "meter/usage_step.h"

#include "base/check.h"
#include "meter/amount.h"
#include "meter/usage_match.h"
#include "meter/usage_part.h"

#define KNOWN_PLACES 1024u

/* A shape as the steps want it: little of it, since a transaction may meet
 * thousands. */
typedef struct met__known_shape {
    uint64_t number; /* 0: free */
    met__text subject;
    uint32_t flags;
    uint32_t reserved;
    size_t match_count;
    const met__meter **meters;
    met__usage_match *matches;
} known_shape;

/* --- The steps of one transaction ----------------------------------------- */
met_error met__steps_begin(met__steps *steps, met__txn *txn)
{
    met_error error = MET_OK;

    for (steps->begun = 0; error == MET_OK && steps->begun < steps->count;
         ++steps->begun) {
        const met__settle_step *step = &steps->list[steps->begun];
        error = step->begin != NULL ? step->begin(step->context, txn)
                                    : MET_OK;
    }
    return error;
}

met_error met__steps_end(met__steps *steps, met__txn *txn)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < steps->count; i++) {
        const met__settle_step *step = &steps->list[i];
        error = step->end != NULL ? step->end(step->context, txn) : MET_OK;
    }
    return error;
}

void met__steps_over(met__steps *steps, int is_committed)
{
    for (size_t i = 0; i < steps->begun; i++) {
        const met__settle_step *step = &steps->list[i];
        if (is_committed && step->committed != NULL) {
            step->committed(step->context);
        } else if (!is_committed && step->aborted != NULL) {
            step->aborted(step->context);
        }
    }
    steps->begun = 0;
}

/* --- Meters and shapes ---------------------------------------------------- */
static met_error load_meters(met__telling *telling)
{
    met__scan scan;
    met__text key;
    met__text value;
    size_t room = 0;
    met_error error = met__scan_begin(telling->txn, MET__TABLE_METER, NULL, 0,
                                      &scan);

    while (error == MET_OK) {
        met__meter *meter = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__meter_unpack(telling->arena, value, &meter);
        }
        if (error == MET_OK && telling->meter_count == room) {
            room = room * 2 + 16;
            const met__meter **more = met__arena_allocate(
                telling->arena, room * sizeof(const met__meter *));
            if (more == NULL) {
                error = MET_E_NO_MEMORY;
                break;
            }
            if (telling->meter_count > 0) {
                memcpy(more, telling->meters,
                       telling->meter_count * sizeof(const met__meter *));
            }
            telling->meters = more;
        }
        if (error == MET_OK) {
            telling->meters[telling->meter_count++] = meter;
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* The meters that the shape's usage is of. */
static met_error match_meters(const met__telling *telling,
                              const met__usage_shape *shape,
                              known_shape *known)
{
    met__usage_match match;
    size_t count = 0;

    for (size_t i = 0; i < telling->meter_count; i++) {
        count += (size_t)met__usage_matches(telling->meters[i], shape,
                                            &match);
    }
    known->match_count = 0;
    known->meters = met__arena_allocate(
        telling->arena, count * sizeof(const met__meter *));
    /* One more: what does not match may be written into, too. */
    known->matches = met__arena_allocate(
        telling->arena, (count + 1) * sizeof *known->matches);
    if (known->meters == NULL || known->matches == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < telling->meter_count; i++) {
        if (met__usage_matches(telling->meters[i], shape,
                               &known->matches[known->match_count])) {
            known->meters[known->match_count++] = telling->meters[i];
        }
    }
    return MET_OK;
}

static met_error know_shape(met__telling *telling, uint64_t number,
                            known_shape *known)
{
    unsigned char key[8];
    met__text value;

    known->number = 0;
    met__put_u64(key, number);
    met_error error = met__txn_get(telling->txn, MET__TABLE_SHAPE, key,
                                   sizeof key, &value);
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
    }
    /* Steps write, and a value lives until the next write. */
    char *copy = met__arena_copy(telling->arena, value.data, value.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__usage_shape *shape = telling->shape;
    error = met__usage_shape_decode(met__text_of(copy, value.size), shape);
    if (error == MET_OK) {
        error = match_meters(telling, shape, known);
    }
    known->subject = shape->subject;
    known->flags = shape->flags;
    known->number = error == MET_OK ? number : 0;
    return error;
}

/* --- Telling -------------------------------------------------------------- */
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

static met_error tell(const met__telling *telling, const known_shape *known,
                      uint32_t minute, const uint64_t *stored,
                      const uint64_t *words)
{
    const met__steps *steps = telling->steps;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < known->match_count; i++) {
        met__usage_change change = {
            .meter = known->meters[i],
            .subject = known->subject,
            .minute_ns = (int64_t)minute * MET__MINUTE_NS,
            .is_admitted = known->flags & 1,
        };
        if (minute < met__usage_first_minute(known->meters[i])) {
            continue;
        }
        memcpy(change.values, known->matches[i].values, sizeof change.values);
        error = difference(known->meters[i], &known->matches[i], stored, words,
                           &change.delta);
        for (size_t k = 0; error == MET_OK && k < steps->count; k++) {
            if (steps->list[k].change != NULL) {
                error = steps->list[k].change(steps->list[k].context,
                                              telling->txn, &change);
            }
        }
    }
    return error;
}

void met__telling_begin(met__telling *telling, const met__steps *steps,
                        met__txn *txn, met__arena *arena)
{
    *telling = (met__telling){.steps = steps, .txn = txn, .arena = arena};
}

met_error met__steps_tell(met__telling *telling, uint64_t shape,
                          uint32_t minute, const uint64_t *stored,
                          const uint64_t *words)
{
    met_error error = MET_OK;

    if (telling->steps->count == 0) {
        return MET_OK;
    }
    if (telling->places == NULL) {
        telling->places = met__arena_allocate(
            telling->arena, KNOWN_PLACES * sizeof *telling->places);
        telling->shape = met__arena_allocate(telling->arena,
                                             sizeof *telling->shape);
        error = telling->places != NULL && telling->shape != NULL
                    ? load_meters(telling)
                    : MET_E_NO_MEMORY;
    }
    if (error != MET_OK) {
        return error;
    }
    known_shape *known = &telling->places[shape % KNOWN_PLACES];
    if (known->number != shape) {
        error = know_shape(telling, shape, known);
    }
    return error == MET_OK ? tell(telling, known, minute, stored, words)
                           : error;
}
