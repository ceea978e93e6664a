/* What anybody may do to the parts of settled epochs: all of them become one
 * part of their shape, and are gone. A settler that writes one of them again
 * counts it twice. */
#ifndef TESTS_PROPERTY_FOLD_PARTS_H
#define TESTS_PROPERTY_FOLD_PARTS_H

#include "unit/meter/usage_support.h"

#define FOLDED (MET__GENERATION_FIRST - 1) /* the generation of folded parts */
#define SHAPES_MOST 64

typedef struct folding {
    uint64_t words[SHAPES_MOST][MET__PART_WORDS_MAX];
    uint32_t count;
    uint32_t reserved;
} folding;

static inline met__part_key folded_key(uint64_t shape)
{
    return (met__part_key){.generation = FOLDED,
                           .minute = (uint32_t)(START_NS / MET__MINUTE_NS),
                           .cell = (uint32_t)shape};
}

/* Where the sums of a shape are; what is folded already comes from the store.
 * NULL: as many shapes as there are cannot be. */
static inline uint64_t *sums_of(met__txn *txn, folding *sums,
                                const uint64_t *part, met_error *error_out)
{
    uint64_t shape = part[MET__PART_SHAPE];
    met__part_key key = folded_key(shape);

    for (uint32_t i = 0; i < sums->count; i++) {
        if (sums->words[i][MET__PART_SHAPE] == shape) {
            return sums->words[i];
        }
    }
    if (sums->count == SHAPES_MOST) {
        *error_out = MET_E_LIMIT;
        return NULL;
    }
    uint64_t *words = sums->words[sums->count++];
    *error_out = met__part_get(txn, &key, words);
    if (*error_out == MET_E_NOT_FOUND) {
        memset(words, 0, sizeof sums->words[0]);
        words[MET__PART_SEQUENCE] = 1;
        words[MET__PART_SHAPE] = shape;
        words[MET__PART_PLAN] = part[MET__PART_PLAN];
        *error_out = MET_OK;
    }
    return words;
}

static inline met_error is_foldable(met__txn *txn, const met__part_key *key,
                                    int *is_foldable_out)
{
    met__generation_state state = {0};
    met_error error = MET_OK;

    if (key->generation >= MET__GENERATION_FIRST) {
        error = met__generation_get(txn, key->generation, &state);
    }
    *is_foldable_out = key->generation < FOLDED || state.is_retired
                       || (key->generation > FOLDED
                           && key->epoch <= state.settled_epoch);
    return error;
}

static inline met_error fold_part(met__txn *txn, folding *sums,
                                  const met__part_key *key,
                                  const uint64_t *part)
{
    unsigned char bytes[MET__PART_KEY_SIZE];
    int is_settled = 0;
    met_error error = is_foldable(txn, key, &is_settled);

    if (error != MET_OK || !is_settled) {
        return error;
    }
    uint64_t *words = sums_of(txn, sums, part, &error);
    if (error != MET_OK) {
        return error;
    }
    words[MET__PART_COUNT] += part[MET__PART_COUNT];
    if ((uint32_t)part[MET__PART_PLAN] > 0) {
        uint64_t *sum = words + MET__PART_QUANTITIES + MET__QUANTITY_SUM;
        met__amount_set(sum, met__amount_get(sum)
                                 + met__amount_get(part + MET__PART_QUANTITIES
                                                   + MET__QUANTITY_SUM));
    }
    met__part_key_put(key, bytes);
    return met__txn_remove(txn, MET__TABLE_PART, bytes, sizeof bytes);
}

/* All parts that may never change again become one of their shape. */
static inline met_error fold_parts(met_store *store)
{
    static folding sums;
    met__part_scan scan;
    met__part_key key;
    uint64_t part[MET__PART_WORDS_MAX];
    met__txn *txn = NULL;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    sums.count = 0;
    error = met__part_scan_begin(txn, 0, UINT32_MAX, &scan);
    while (error == MET_OK
           && (error = met__part_scan_next(&scan, &key, part)) == MET_OK) {
        error = fold_part(txn, &sums, &key, part);
    }
    error = error == MET_E_NOT_FOUND ? MET_OK : error;
    met__part_scan_end(&scan);
    for (uint32_t i = 0; error == MET_OK && i < sums.count; i++) {
        key = folded_key(sums.words[i][MET__PART_SHAPE]);
        error = met__part_put(txn, &key, sums.words[i]);
    }
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    return met__txn_commit(txn);
}

#endif
