/* A batch says what single calls in the same order say, whatever the keys, and
 * refuses what cannot be a batch before it counts anything. */
#include "limit_support.h"

#include "limit/limiter_plan.h"

#define CAPACITY 1024
#define ITEMS 50
#define KEY_BYTES 2000

static void *memories[2];
static met_limiter *limiters[2]; /* single calls, batches */

static int setup(void **state)
{
    for (int i = 0; i < 2; i++) {
        memories[i] = shared_memory(TABLE_BYTES(CAPACITY));
        limiters[i] = open_memory(memories[i], TABLE_BYTES(CAPACITY),
                                  CAPACITY, MET_LIMITER_FULL_CLOSED);
    }
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < 2; i++) {
        met_limiter_close(limiters[i]);
        munmap(memories[i], TABLE_BYTES(CAPACITY));
    }
    return 0;
}

typedef struct items {
    char keys[KEY_BYTES];
    uint32_t offsets[ITEMS + 1];
    uint64_t costs[ITEMS];
    uint32_t is_allowed[ITEMS];
    uint32_t reason[ITEMS];
    uint32_t refused[ITEMS];
    uint64_t remaining[ITEMS];
    int64_t reset_ns[ITEMS];
    int64_t wait_ns[ITEMS];
    met_limiter_ticket tickets[ITEMS];
    met_limiter_batch batch;
    met_limiter_verdicts verdicts;
} items;

/* Random keys of 0 to 30 bytes, often the same. */
static void fill(items *it, size_t count, uint32_t policy, int64_t now)
{
    size_t used = 0;

    memset(it, 0x5a, sizeof *it);
    for (size_t i = 0; i < count; i++) {
        uint64_t key = random_below(12);
        it->offsets[i] = (uint32_t)used;
        memset(it->keys + used, (int)('a' + key), key * 30 / 11);
        used += key * 30 / 11;
        it->costs[i] = random_below(4);
    }
    it->offsets[count] = (uint32_t)used;
    it->batch = (met_limiter_batch){.struct_size = sizeof it->batch,
                                    .keys = it->keys,
                                    .key_offsets = it->offsets,
                                    .costs = it->costs,
                                    .count = count,
                                    .policy = policy,
                                    .kind = 7,
                                    .monotonic_ns = now,
                                    .utc_ns = now};
    it->verdicts = (met_limiter_verdicts){
        .struct_size = sizeof it->verdicts,
        .is_allowed = it->is_allowed,
        .reason = it->reason,
        .refused = it->refused,
        .remaining = it->remaining,
        .reset_ns = it->reset_ns,
        .wait_ns = it->wait_ns,
        .tickets = it->tickets};
}

static met_limiter_result single(const items *it, size_t i, uint32_t flags)
{
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = {
        .struct_size = sizeof request,
        .policy = it->batch.policy,
        .kind = it->batch.kind,
        .key = it->keys + it->offsets[i],
        .key_size = it->offsets[i + 1] - it->offsets[i],
        .cost = it->batch.costs ? it->costs[i] : 1,
        .monotonic_ns = it->batch.monotonic_ns,
        .utc_ns = it->batch.utc_ns,
        .flags = flags};

    assert_int_equal(met_limiter_check(limiters[0], &request, &result),
                     MET_OK);
    return result;
}

static void compare(items *it, int is_brief)
{
    uint32_t flags = is_brief ? MET_LIMITER_BRIEF : 0;
    met_limiter_ticket tickets[ITEMS];

    if (is_brief) {
        it->verdicts.reset_ns = NULL;
        it->verdicts.wait_ns = NULL;
    }
    assert_int_equal(met_limiter_check_batch(limiters[1], &it->batch,
                                             &it->verdicts, NULL),
                     MET_OK);
    for (size_t i = 0; i < it->batch.count; i++) {
        met_limiter_result want = single(it, i, flags);
        const met_limiter_window_result *window =
            &want.windows[want.reported];
        assert_int_equal(it->is_allowed[i], want.is_allowed);
        assert_int_equal(it->reason[i], want.reason);
        assert_int_equal(it->refused[i], want.refused);
        assert_int_equal(it->remaining[i], window->remaining);
        if (!is_brief) {
            assert_int_equal(it->reset_ns[i], window->reset_ns);
            assert_int_equal(it->wait_ns[i], want.wait_ns);
        }
        assert_memory_equal(it->tickets[i].private_, want.ticket.private_,
                            MET_LIMITER_WINDOWS_MAX * 8);
        tickets[i] = want.ticket;
    }
    /* Some are given back, to both. */
    for (size_t i = 0; i < it->batch.count; i++) {
        uint32_t withheld[2];
        if (random_below(8) == 0) {
            assert_int_equal(met_limiter_refund(limiters[0], &tickets[i], 0,
                                                &withheld[0]), MET_OK);
            assert_int_equal(met_limiter_refund(limiters[1], &it->tickets[i],
                                                0, &withheld[1]), MET_OK);
            assert_int_equal(withheld[0], withheld[1]);
        }
    }
}

static void says_what_single_calls_say(void **state)
{
    static const window_spec policies[][3] = {
        {{5, MINUTE, MET_LIMITER_SLIDING}},
        {{20, SECOND, MET_LIMITER_SLIDING}},
        {{60, MINUTE, MET_LIMITER_SLIDING},
         {200, HOUR, MET_LIMITER_SLIDING_COUNTER}},
        {{4, SECOND, MET_LIMITER_FIXED_EPOCH},
         {10, MINUTE, MET_LIMITER_CALENDAR_UTC},
         {30, HOUR, MET_LIMITER_GCRA}}};
    static const size_t counts[] = {1, 1, 2, 3};
    items it;
    char name[16];

    for (size_t p = 0; p < 4; p++) {
        uint32_t flags = p == 1 ? MET_LIMITER_COUNT_DENIED : 0;
        int64_t now = EPOCH;
        uint32_t policy = 0;
        snprintf(name, sizeof name, "policy %zu", p);
        for (int i = 0; i < 2; i++) {
            policy = set_policy(limiters[i], name, flags, policies[p],
                                counts[p]);
        }
        for (int round = 0; round < 300; round++) {
            fill(&it, random_below(ITEMS + 1), policy, now);
            it.batch.costs = random_below(2) ? it.costs : NULL;
            compare(&it, random_below(2) != 0);
            now += (int64_t)random_below(
                (uint64_t)policies[p][0].window_ns / 2);
        }
    }
}

static void is_refused_whole(void **state)
{
    uint32_t policy = one_window(limiters[1], "p", 5, MINUTE,
                                 MET_LIMITER_SLIDING);
    met_error_info info = {.struct_size = sizeof info};
    items it;

#define REFUSED(change, error, name)                                       \
    do {                                                                   \
        fill(&it, 20, policy, HOUR);                                       \
        change;                                                            \
        assert_int_equal(met_limiter_check_batch(limiters[1], &it.batch,   \
                                                 &it.verdicts, &info),     \
                         error);                                           \
        assert_string_equal(info.field, name);                             \
    } while (0)

    REFUSED(it.offsets[7] = it.offsets[6] - 1, MET_E_INVALID,
            "batch.key_offsets[7]");
    REFUSED(it.costs[19] = MET_LIMITER_LIMIT_MAX + 1, MET_E_INVALID,
            "batch.costs[19]");
    REFUSED(it.batch.keys = NULL, MET_E_INVALID, "batch.keys");
    REFUSED(it.batch.key_offsets = NULL, MET_E_INVALID, "batch.key_offsets");
    REFUSED(it.batch.count = (size_t)UINT32_MAX + 1, MET_E_INVALID,
            "batch.count");
    REFUSED(it.batch.monotonic_ns = -1, MET_E_INVALID, "batch.monotonic_ns");
    REFUSED(it.batch.utc_ns = -1, MET_E_INVALID, "batch.utc_ns");
    REFUSED(it.batch.flags = MET_LIMITER_BRIEF, MET_E_UNSUPPORTED,
            "batch.flags");
    REFUSED(it.batch.reserved = 1, MET_E_UNSUPPORTED, "batch.reserved");
    REFUSED(it.batch.policy = policy + 1, MET_E_NOT_FOUND, "batch.policy");
    REFUSED(it.batch.policy = UINT32_MAX, MET_E_NOT_FOUND, "batch.policy");
    REFUSED(it.batch.struct_size = 7, MET_E_INVALID, "batch");
    REFUSED(it.verdicts.struct_size = 7, MET_E_INVALID, "verdicts");
    REFUSED(it.verdicts.is_allowed = NULL, MET_E_INVALID,
            "verdicts.is_allowed");
#undef REFUSED
    /* Nothing was counted by any of them. */
    met_limiter_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(met_limiter_stats_get(limiters[1], &stats), MET_OK);
    assert_int_equal(stats.records_used, 0);
    /* An empty one needs nothing. */
    fill(&it, 0, policy, HOUR);
    it.batch.keys = NULL;
    it.batch.key_offsets = NULL;
    it.verdicts.is_allowed = NULL;
    assert_int_equal(met_limiter_check_batch(limiters[1], &it.batch,
                                             &it.verdicts, NULL),
                     MET_OK);
}

/* A row that names a shape nobody entered: not decided is not allowed. */
static void garbage_is_not_allowed(void **state)
{
    uint32_t policy = one_window(limiters[1], "p", 5, MINUTE,
                                 MET_LIMITER_SLIDING);
    met__policy_slot *slot = &limiters[1]->table.policies[policy];
    items it;

    slot->rows[slot->version % MET__POLICY_ROWS].windows[0] ^= 0x80;
    fill(&it, 20, policy, HOUR);
    assert_int_equal(met_limiter_check_batch(limiters[1], &it.batch,
                                             &it.verdicts, NULL),
                     MET_E_CORRUPT);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(it.is_allowed[i], 0);
        assert_int_equal(it.reason[i], MET_LIMITER_REASON_NONE);
    }
}

/* The platform's clock is read once for all. */
static int64_t readings;

static int64_t count_reading(void *context)
{
    readings++;
    return HOUR + readings;
}

static void reads_the_clock_once(void **state)
{
    met_platform platform = {
        .struct_size = sizeof platform,
        .clock = {NULL, count_reading, count_reading}};
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory_size = TABLE_BYTES(CAPACITY),
                                 .platform = &platform};
    met_limiter *limiter = NULL;
    items it;

    config.memory = shared_memory(TABLE_BYTES(CAPACITY));
    assert_int_equal(met_limiter_open(&config, &limiter, NULL), MET_OK);
    uint32_t policy = one_window(limiter, "p", 5, MINUTE,
                                 MET_LIMITER_SLIDING);
    fill(&it, 40, policy, 0);
    readings = 0;
    assert_int_equal(met_limiter_check_batch(limiter, &it.batch,
                                             &it.verdicts, NULL),
                     MET_OK);
    assert_int_equal(readings, 1);
    met_limiter_close(limiter);
    munmap(config.memory, config.memory_size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_what_single_calls_say),
        TEST(is_refused_whole),
        TEST(garbage_is_not_allowed),
        TEST(reads_the_clock_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
