/* Finding the record of a key: on the way of every request, therefore inlined.
 * In: a key. Out: its blocks, its records' names, and a record by its tag. */
#ifndef MET_LIMIT_LIMIT_FIND_H
#define MET_LIMIT_LIMIT_FIND_H

#include <string.h>

#include "limit/limit_table.h"

#define MET__ODD_1 UINT64_C(0x9e3779b97f4a7c15)
#define MET__ODD_2 UINT64_C(0xd6e8feb86659fd93)

/* Both halves of the product: every bit of the result hangs on all bits. */
static inline uint64_t met__place_mix(uint64_t a, uint64_t b)
{
    met__wide product = (met__wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t met__place_secret(const met__limit_table *table,
                                         size_t index)
{
    uint64_t word;

    memcpy(&word, table->secret.bytes + index * 8, sizeof word);
    return word;
}

static inline met__place_key met__place_key_of(const met__limit_table *table,
                                               uint32_t policy, uint32_t kind,
                                               const void *key,
                                               size_t key_size)
{
    met__hash128 hash = met__hash128_of(&table->secret, key, key_size);
    uint64_t scope = (uint64_t)policy << 32 | kind;
    uint64_t low = met__place_mix(hash.low ^ met__place_secret(table, 3),
                                  scope ^ met__place_secret(table, 4));
    met__place_key out = {
        .bits = met__place_mix(hash.high ^ met__place_secret(table, 5),
                               scope ^ met__place_secret(table, 6)),
    };

    /* Multiply-shift: an even share of every block without a division. */
    out.block[0] = (uint64_t)(((met__wide)low * table->blocks) >> 64)
                   * MET__BLOCK_PLACES;
    for (int i = 1; i < MET__CHOICES; i++) {
        low = met__place_mix(low ^ MET__ODD_1, hash.high ^ MET__ODD_2);
        out.block[i] = (uint64_t)(((met__wide)low * table->blocks) >> 64)
                       * MET__BLOCK_PLACES;
    }
    return out;
}

static inline met__place_name met__place_name_of(const met__place_key *key,
                                                 uint32_t policy,
                                                 uint32_t shape,
                                                 uint32_t born)
{
    uint64_t window = (uint64_t)policy << 32 | born << 8 | shape;
    uint64_t bits = met__place_mix(key->bits ^ MET__ODD_2,
                                   (window + 1) * MET__ODD_1);
    uint32_t tag = (uint32_t)(bits & 0xff);

    return (met__place_name){.name = (bits & MET__NAME_MASK & ~UINT64_C(0xff))
                                     | shape,
                             .tag = tag == 0 ? 255 : tag};
}

/* A bit (the highest of its byte) for every byte of word that may equal tag;
 * the lowest one is right, higher ones are checked by the name. */
static inline uint64_t met__place_matches(uint64_t word, uint32_t tag)
{
    uint64_t ones = 0x0101010101010101u;
    uint64_t zero = word ^ ones * tag;

    return (zero - ones) & ~zero & ones << 7;
}

/* The group of a block in which a record is put if it has room. */
static inline uint64_t met__place_home(uint64_t name)
{
    return name >> 8 & (MET__BLOCK_GROUPS - 1);
}

/* The place in the home group with the name's tag, or NULL: nothing of the
 * record is read. */
static inline met__record *met__place_guess(const met__limit_table *table,
                                            const met__place_key *key,
                                            const met__place_name *name)
{
    uint64_t base = key->block[0]
                    + met__place_home(name->name) * MET__GROUP_PLACES;
    uint64_t word =
        met__load_relaxed(&table->controls[base / MET__GROUP_PLACES]);
    uint64_t hits = met__place_matches(word, name->tag);

    return hits == 0
               ? NULL
               : &table->records[base + (uint64_t)__builtin_ctzll(hits) / 8];
}

/* The record in one group, whose first place is `base`; else NULL. */
static inline met__record *met__place_find_in(const met__limit_table *table,
                                              uint64_t base,
                                              const met__place_name *name)
{
    uint64_t word =
        met__load_relaxed(&table->controls[base / MET__GROUP_PLACES]);

    for (uint64_t hits = met__place_matches(word, name->tag); hits != 0;
         hits &= hits - 1) {
        met__record *record =
            &table->records[base + (uint64_t)__builtin_ctzll(hits) / 8];
        if (met__window_is_of(record, name->name)
            && !(met__load_acquire(&record->head) & MET__HEAD_CLOSED)) {
            return record;
        }
    }
    return NULL;
}

/* The same in every group of a key's blocks. */
met__record *met__place_find_far(const met__limit_table *table,
                                 const met__place_key *key,
                                 const met__place_name *name);

/* The record by its tag, or NULL: absent, or not seen by its tag. */
static inline met__record *met__place_find(const met__limit_table *table,
                                           const met__place_key *key,
                                           const met__place_name *name)
{
    uint64_t home = key->block[0]
                    + met__place_home(name->name) * MET__GROUP_PLACES;
    met__record *record = met__place_find_in(table, home, name);

    return record != NULL ? record : met__place_find_far(table, key, name);
}

#endif
