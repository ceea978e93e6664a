/* Records of settled usage: their keys, values, and the marks that say which
 * epochs of a generation can never change again. */
#include "meter/usage_part.h"

#include "base/check.h"
#include "meter/usage_late.h"

int met__part_key_compare(const met__part_key *a, const met__part_key *b)
{
    if (a->minute != b->minute) {
        return a->minute < b->minute ? -1 : 1;
    }
    if (a->generation != b->generation) {
        return a->generation < b->generation ? -1 : 1;
    }
    if (a->epoch != b->epoch) {
        return a->epoch < b->epoch ? -1 : 1;
    }
    return a->cell < b->cell ? -1 : a->cell > b->cell;
}

void met__part_key_put(const met__part_key *key,
                       unsigned char out[MET__PART_KEY_SIZE])
{
    met__put_u32(out, key->minute);
    met__put_u64(out + 4, key->generation);
    met__put_u32(out + 12, key->epoch);
    met__put_u32(out + 16, key->cell);
}

met_error met__part_read(met__text value, uint64_t *words_out)
{
    size_t head = MET__PART_QUANTITIES * sizeof *words_out;

    if (value.size < head) {
        return MET_E_CORRUPT;
    }
    memcpy(words_out, value.data, head);
    uint64_t quantities = words_out[MET__PART_PLAN] & UINT32_MAX;
    if (quantities > MET__QUANTITIES_MAX
        || value.size
               != head + quantities * MET__QUANTITY_WORDS * sizeof(uint64_t)) {
        return MET_E_CORRUPT;
    }
    memcpy(words_out + MET__PART_QUANTITIES, value.data + head,
           value.size - head);
    return MET_OK;
}

met_error met__part_get(met__txn *txn, const met__part_key *key,
                        uint64_t *words_out)
{
    unsigned char bytes[MET__PART_KEY_SIZE];
    met__text value;

    met__part_key_put(key, bytes);
    met_error error = met__txn_get(txn, MET__TABLE_PART, bytes, sizeof bytes,
                                   &value);
    return error == MET_OK ? met__part_read(value, words_out) : error;
}

met_error met__part_put(met__txn *txn, const met__part_key *key,
                        const uint64_t *words)
{
    unsigned char bytes[MET__PART_KEY_SIZE];
    uint64_t quantities = words[MET__PART_PLAN] & UINT32_MAX;

    met__part_key_put(key, bytes);
    met_error error = met__txn_put(txn, MET__TABLE_PART, bytes, sizeof bytes,
                                   words,
                                   (MET__PART_QUANTITIES
                                    + quantities * MET__QUANTITY_WORDS)
                                       * sizeof *words);
    return error == MET_OK ? met__usage_late(txn, words[MET__PART_SHAPE],
                                               key->minute)
                           : error;
}

met_error met__part_remove(met__txn *txn, const met__part_key *key,
                           const uint64_t *words)
{
    unsigned char bytes[MET__PART_KEY_SIZE];

    met__part_key_put(key, bytes);
    met_error error = met__txn_remove(txn, MET__TABLE_PART, bytes,
                                      sizeof bytes);
    return error == MET_OK ? met__usage_late(txn, words[MET__PART_SHAPE],
                                               key->minute)
                           : error;
}

/* --- Generations ---------------------------------------------------------- */
met_error met__generation_get(met__txn *txn, uint64_t generation,
                              met__generation_state *state_out)
{
    unsigned char key[8];
    met__text value;

    met__put_u64(key, generation);
    met_error error = met__txn_get(txn, MET__TABLE_SETTLED, key, sizeof key,
                                   &value);
    if (error == MET_E_NOT_FOUND) {
        *state_out = (met__generation_state){0};
        return MET_OK;
    }
    if (error == MET_OK && value.size != 16) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        const unsigned char *bytes = (const unsigned char *)value.data;
        *state_out = (met__generation_state){met__get_u64(bytes),
                                             met__get_u64(bytes + 8)};
    }
    return error;
}

met_error met__generation_put(met__txn *txn, uint64_t generation,
                              const met__generation_state *state)
{
    unsigned char key[8];
    unsigned char value[16];

    met__put_u64(key, generation);
    met__put_u64(value, state->settled_epoch);
    met__put_u64(value + 8, state->is_retired);
    return met__txn_put(txn, MET__TABLE_SETTLED, key, sizeof key, value,
                        sizeof value);
}
