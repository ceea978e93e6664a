/* Parts: the settled usage of one cell. PART[minute:4 generation:8 epoch:4
 * cell:4]; the value is words: sequence, shape number, count, plan << 32 |
 * quantities, then the words of every quantity (slot_file.h). */
#ifndef MET_METER_USAGE_PART_H
#define MET_METER_USAGE_PART_H

#include "meter/slot_file.h"
#include "store/store.h"

/* Recorders draw generations from here on. Below are parts that no recorder
 * counted, of events and corrections: generation and epoch are the halves of
 * the number of the transaction that wrote them, and they never change, but
 * for an event that is taken back. */
#define MET__GENERATION_FIRST (UINT64_C(1) << 32)

#define MET__PART_KEY_SIZE 20
enum {
    MET__PART_SEQUENCE,
    MET__PART_SHAPE,
    MET__PART_COUNT,
    MET__PART_PLAN,
    MET__PART_QUANTITIES
};
#define MET__PART_WORDS_MAX \
    (MET__PART_QUANTITIES + MET__QUANTITIES_MAX * MET__QUANTITY_WORDS)

typedef struct met__part_key {
    uint64_t generation;
    uint32_t minute;
    uint32_t epoch;
    uint32_t cell;
    uint32_t reserved;
} met__part_key;

int met__part_key_compare(const met__part_key *a, const met__part_key *b);
void met__part_key_put(const met__part_key *key,
                       unsigned char out[MET__PART_KEY_SIZE]);
/* words_out has MET__PART_WORDS_MAX. MET_E_NOT_FOUND · MET_E_CORRUPT */
met_error met__part_get(met__txn *txn, const met__part_key *key,
                        uint64_t *words_out);
met_error met__part_put(met__txn *txn, const met__part_key *key,
                        const uint64_t *words);
/* words: as they are stored. */
met_error met__part_remove(met__txn *txn, const met__part_key *key,
                           const uint64_t *words);
/* A value as it lies in the store. MET_E_CORRUPT */
met_error met__part_read(met__text value, uint64_t *words_out);

/* What is durable about a generation: SETTLED[generation]. */
typedef struct met__generation_state {
    uint64_t settled_epoch;
    uint64_t is_retired;
} met__generation_state;

/* Zero when nothing is stored. */
met_error met__generation_get(met__txn *txn, uint64_t generation,
                              met__generation_state *state_out);
met_error met__generation_put(met__txn *txn, uint64_t generation,
                              const met__generation_state *state);

#endif
