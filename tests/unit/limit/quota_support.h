/* What the tests of quota cells share. */
#ifndef TESTS_LIMIT_QUOTA_SUPPORT_H
#define TESTS_LIMIT_QUOTA_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "limit/quota.h"
#include "limit/quota_cell.h"
#include "support/faults.h"
#include "support/temp_directory.h"

#define QUOTA_CELLS_OFFSET (4096 + 128)
#define SLICE MET__QUOTA_SLICE_NS

static const uint8_t quota_store[16] = {1, 2, 3};

static inline met__hash128 quota_key_of(uint64_t number)
{
    uint64_t mixed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    mixed ^= mixed >> 29;
    mixed *= UINT64_C(0xbf58476d1ce4e5b9);
    return (met__hash128){mixed ^ mixed >> 32,
                          mixed * UINT64_C(0x94d049bb133111eb) ^ number};
}

static inline uint64_t quota_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline met__quota_period quota_period_of(uint64_t number,
                                                int64_t limit)
{
    return (met__quota_period){.number = number, .limit = limit};
}

static inline met__quota_state quota_state_of(met__quota_table *table,
                                              met__hash128 key,
                                              uint64_t number)
{
    met__quota_state state;

    assert_int_equal(met__quota_read(table, key, number, &state), MET_OK);
    return state;
}

/* Overwrites the limit of a period that is there, as settlement does. */
static inline met_error quota_set_limit(met__quota_table *table,
                                        met__hash128 key, uint64_t number,
                                        int64_t limit)
{
    met__quota_state state;
    met_error error = met__quota_read(table, key, number, &state);

    if (error != MET_OK) {
        return error;
    }
    met__quota_period period = {.number = number,
                                .limit = limit,
                                .flags = state.flags,
                                .next_at_ns = state.next_at_ns,
                                .next_limit = state.next_limit};
    return met__quota_prepare(table, key, &period);
}

/* An admitted or refused request; the answer is is_allowed. */
static inline uint32_t quota_ask(met__quota_table *table, met__hash128 key,
                                 uint64_t number, int64_t cost,
                                 int64_t now_ns, met__quota_ticket *ticket)
{
    met__quota_state state;

    assert_int_equal(met__quota_admit(table, key, number, cost, now_ns, 0,
                                      ticket, &state),
                     MET_OK);
    return state.is_allowed;
}

static inline void quota_done(met__quota_table *table,
                              met__quota_ticket *ticket, int64_t true_cost)
{
    assert_int_equal(met__quota_complete_begin(table, ticket, true_cost),
                     MET_OK);
    assert_int_equal(met__quota_complete_end(table, ticket), MET_OK);
    assert_int_equal(ticket->place, 0);
}

#endif
