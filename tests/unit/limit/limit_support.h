/* What the tests of the limiter share: a table in memory, requests in virtual
 * time, seeded random numbers, and the exact list that every algorithm is held
 * against. */
#ifndef TESTS_LIMIT_SUPPORT_H
#define TESTS_LIMIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "limit/limit_policy.h"
#include "limit/limit_table.h"
#include "metering/limiter.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (3600 * SECOND)
#define YEAR (INT64_C(31536000) * SECOND)
#define EPOCH (INT64_C(1767225600) * SECOND) /* 2026-01-01 */

static uint64_t random_state = 88172645463325252u;

static inline uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* 0 … below - 1 */
static inline uint64_t random_below(uint64_t below)
{
    return next_random() % below;
}

/* Gives back what was counted in this turn of the record. */
static inline int give_back(met__record *record, const met__shape *shape,
                            uint64_t stamp, uint64_t cost)
{
    met__window_mark mark = {.name = record->name, .stamp = stamp};

    return met__window_undo(record, shape, &mark, cost);
}

/* Shared memory, zeroed, for a table of `capacity` records. */
static inline void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

#define TABLE_BYTES(capacity) (((size_t)(capacity) + 64) * 66 + (1u << 20))

static inline met_limiter *open_memory(void *memory, size_t size,
                                       uint64_t capacity,
                                       uint32_t full_policy)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = memory,
                                 .memory_size = size,
                                 .capacity = capacity,
                                 .full_policy = full_policy};
    met_limiter *limiter = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met_limiter_open(&config, &limiter, &info) != MET_OK) {
        fail_msg("open: %s %s", info.field, info.reason);
    }
    return limiter;
}

/* Up to three windows as (limit, length, algorithm); 0 ends. */
typedef struct window_spec {
    uint64_t limit;
    int64_t window_ns;
    uint32_t algorithm;
} window_spec;

static inline uint32_t set_policy(met_limiter *limiter, const char *name,
                                  uint32_t flags, const window_spec *specs,
                                  size_t count)
{
    met_limiter_window windows[MET_LIMITER_WINDOWS_MAX] = {{0}};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = name,
                                 .name_size = strlen(name),
                                 .windows = windows,
                                 .window_count = count,
                                 .flags = flags};
    met_error_info info = {.struct_size = sizeof info};
    uint32_t number = 0;

    for (size_t i = 0; i < count; i++) {
        windows[i].limit = specs[i].limit;
        windows[i].window_ns = specs[i].window_ns;
        windows[i].algorithm = specs[i].algorithm;
    }
    if (met_limiter_policy_set(limiter, &policy, &number, &info) != MET_OK) {
        fail_msg("policy %s: %s %s", name, info.field, info.reason);
    }
    return number;
}

static inline uint32_t one_window(met_limiter *limiter, const char *name,
                                  uint64_t limit, int64_t window_ns,
                                  uint32_t algorithm)
{
    window_spec spec = {limit, window_ns, algorithm};

    return set_policy(limiter, name, 0, &spec, 1);
}

static inline met_limiter_request request_for(uint32_t policy,
                                              const char *key, int64_t now)
{
    return (met_limiter_request){.struct_size = sizeof(met_limiter_request),
                                 .policy = policy,
                                 .kind = 1,
                                 .key = key,
                                 .key_size = strlen(key),
                                 .monotonic_ns = now,
                                 .utc_ns = now};
}

typedef met_error limiter_verb(met_limiter *limiter,
                               const met_limiter_request *request,
                               met_limiter_result *result_out);

static inline met_limiter_result ask_cost(limiter_verb *verb,
                                          met_limiter *limiter,
                                          uint32_t policy, const char *key,
                                          int64_t now, uint64_t cost)
{
    met_limiter_request request = request_for(policy, key, now);
    met_limiter_result result;

    request.cost = cost;
    memset(&result, 0x5a, sizeof result);
    result.struct_size = sizeof result;
    assert_int_equal(verb(limiter, &request, &result), MET_OK);
    return result;
}

static inline met_limiter_result check_cost(met_limiter *limiter,
                                            uint32_t policy, const char *key,
                                            int64_t now, uint64_t cost)
{
    return ask_cost(met_limiter_check, limiter, policy, key, now, cost);
}

static inline met_limiter_result check(met_limiter *limiter, uint32_t policy,
                                       const char *key, int64_t now)
{
    return check_cost(limiter, policy, key, now, 1);
}

static inline met_limiter_result peek_cost(met_limiter *limiter,
                                           uint32_t policy, const char *key,
                                           int64_t now, uint64_t cost)
{
    return ask_cost(met_limiter_peek, limiter, policy, key, now, cost);
}

static inline met_limiter_result charge_cost(met_limiter *limiter,
                                             uint32_t policy, const char *key,
                                             int64_t now, uint64_t cost)
{
    return ask_cost(met_limiter_charge, limiter, policy, key, now, cost);
}

/* Bit i: window i kept it. */
static inline uint32_t refund(met_limiter *limiter,
                              met_limiter_ticket *ticket, uint64_t cost)
{
    uint32_t withheld = UINT32_MAX;

    assert_int_equal(met_limiter_refund(limiter, ticket, cost, &withheld),
                     MET_OK);
    return withheld;
}

static inline void reset_key(met_limiter *limiter, uint32_t policy,
                             const char *key)
{
    met_limiter_request request = request_for(policy, key, 0);

    assert_int_equal(met_limiter_reset(limiter, &request), MET_OK);
}

/* An allowed request of two windows, as headers are written from. */
static inline met_limiter_result result_of(void)
{
    met_limiter_result result = {.struct_size = sizeof result,
                                 .is_allowed = 1,
                                 .window_count = 2,
                                 .reported = 0};

    result.windows[0] = (met_limiter_window_result){
        .limit = 5, .remaining = 4, .window_ns = MINUTE,
        .reset_ns = 50 * SECOND};
    result.windows[1] = (met_limiter_window_result){
        .limit = 1000, .remaining = 999, .window_ns = HOUR,
        .reset_ns = 3590 * SECOND};
    return result;
}

/* --- The exact list ------------------------------------------------------- */
typedef struct exact_list {
    uint64_t *times; /* every admitted unit, oldest first */
    uint64_t *sums;  /* units up to and with this entry */
    size_t count;
    size_t room;
} exact_list;

static inline void exact_add(exact_list *list, uint64_t time, uint64_t cost)
{
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 1024;
        list->times = realloc(list->times, list->room * 8);
        list->sums = realloc(list->sums, list->room * 8);
        assert_non_null(list->times);
        assert_non_null(list->sums);
    }
    list->sums[list->count] =
        cost + (list->count ? list->sums[list->count - 1] : 0);
    list->times[list->count++] = time;
}

static inline void exact_remove_last(exact_list *list)
{
    list->count--;
}

/* Units with time >= from. */
static inline uint64_t exact_since(const exact_list *list, uint64_t from)
{
    size_t low = 0;
    size_t high = list->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list->times[middle] < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (list->count == 0) {
        return 0;
    }
    return list->sums[list->count - 1] - (low ? list->sums[low - 1] : 0);
}

static inline void exact_free(exact_list *list)
{
    free(list->times);
    free(list->sums);
    memset(list, 0, sizeof *list);
}

/* --- Arrivals ------------------------------------------------------------- */
enum {
    ARRIVE_PACED,     /* exactly W / L apart */
    ARRIVE_RANDOM,    /* around the limit's rate */
    ARRIVE_FLOOD,     /* many times the rate */
    ARRIVE_BURSTS,    /* bursts and silence */
    ARRIVE_EDGES,     /* just before and after a window's length */
    ARRIVE_SAME_TIME, /* a clock that stands */
    ARRIVE_IDLE,      /* long silences */
    ARRIVE_STEPS,     /* late readings of the clock */
    ARRIVE_KINDS
};

/* The next moment; `latest` is the greatest so far. */
static inline uint64_t next_arrival(int kind, uint64_t latest,
                                    uint64_t window_ns, uint64_t limit,
                                    uint64_t tick_ns)
{
    uint64_t gap = window_ns / limit;

    switch (kind) {
    case ARRIVE_PACED:
        return latest + gap;
    case ARRIVE_RANDOM:
        return latest + random_below(2 * gap + 1);
    case ARRIVE_FLOOD:
        return latest + random_below(gap / 8 + 2);
    case ARRIVE_BURSTS:
        return latest
               + (random_below(limit * 2) == 0 ? random_below(2 * window_ns)
                                               : random_below(gap / 50 + 2));
    case ARRIVE_EDGES:
        return latest
               + (random_below(limit + 1) == 0
                      ? window_ns - 2 * tick_ns + random_below(4 * tick_ns)
                      : random_below(3));
    case ARRIVE_SAME_TIME:
        return latest + (random_below(3 * limit) == 0 ? window_ns + tick_ns
                                                      : 0);
    case ARRIVE_IDLE:
        return latest
               + (random_below(limit + 2) == 0
                      ? random_below(1000) * window_ns
                            + random_below(window_ns)
                      : random_below(gap + 1));
    default:
        return random_below(4) == 0 && latest > window_ns
                   ? latest - random_below(window_ns / 2)
                   : latest + random_below(gap + 1);
    }
}

#endif
