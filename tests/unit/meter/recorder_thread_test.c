/* Threads that record beside threads that settle: one mapping of every slot
 * for each of them, as processes would have. Worth most under the thread
 * sanitizer. */
#include "usage_support.h"

#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"

#define RECORDERS 3
#define SETTLERS 2
#define EVENTS 2000 /* at least, of each recorder */
/* Of settlers, beside them; the thread sanitizer makes a mapping dear. */
#ifdef __SANITIZE_THREAD__
#define PASSES 20
#else
#define PASSES 60
#endif

static char home[64];
static met_store *store;
static met__atomic_u64 now_ns;
static met__atomic_u64 counted;
static met__atomic_u64 summed;
static met__atomic_u64 failures;
static met__atomic_u64 recorders_done;
static met__atomic_u64 passes;

static int64_t thread_clock(void *context)
{
    return (int64_t)met__load_relaxed(&now_ns);
}

static met_error add_plain(met_recorder *recorder, int turn)
{
    char subject = (char)('a' + turn % 5);
    met_pair pair = {"a", 1, &subject, 1};
    met_quantity quantity = {"v", 1, met__decimal_from_i64(turn % 7)};
    met_event event = {.struct_size = sizeof event, .type = "t",
                       .type_size = 1, .subject = &subject,
                       .subject_size = 1, .attributes = &pair,
                       .attribute_count = 1, .quantities = &quantity,
                       .quantity_count = 1};

    return met__recorder_add(recorder, &event, 0, NULL);
}

static void *record(void *context)
{
    met_recorder *recorder = NULL;
    met_error error = met__recorder_open(store, 16, &recorder, NULL);

    for (int i = 0; error == MET_OK
                    && (i < EVENTS || met__load_relaxed(&passes) < PASSES);
         i++) {
        error = add_plain(recorder, i);
        if (error == MET_OK) {
            met__fetch_add(&counted, 1);
            met__fetch_add(&summed, (uint64_t)(i % 7));
        } else if (error == MET_E_TALLY_FULL) {
            error = MET_OK; /* nobody has settled for a while */
        }
        if (error == MET_OK && i % 50 == 49) {
            met__fetch_add(&now_ns, 20 * MET__SECOND_NS);
            error = met__recorder_tick(recorder);
            sched_yield();
        }
        if (error == MET_OK && i % 1000 == 999) {
            met__recorder_close(recorder);
            recorder = NULL;
            error = met__recorder_open(store, 16, &recorder, NULL);
        }
    }
    met__recorder_close(recorder);
    met__fetch_add(&failures, error != MET_OK);
    met__fetch_add(&recorders_done, 1);
    return NULL;
}

static void *settle(void *context)
{
    met_error error = MET_OK;

    while (error == MET_OK && met__load_acquire(&recorders_done) < RECORDERS) {
        error = met__settle(store, NULL, 0, 0, NULL, NULL);
        met__fetch_add(&passes, error == MET_OK ? 1 : PASSES);
    }
    met__fetch_add(&failures, error != MET_OK);
    return NULL;
}

static void add_sums(void *context, uint32_t minute,
                     const met__usage_shape *shape, const uint64_t *words)
{
    uint64_t *found = context;

    found[0] += words[MET__PART_COUNT];
    found[1] += (uint64_t)(met__amount_get(words + MET__PART_QUANTITIES
                                           + MET__QUANTITY_SUM)
                           / 1000000000);
}

static void test_thread__record_and_settle(void **state)
{
    pthread_t threads[RECORDERS + SETTLERS];
    uint64_t found[2] = {0, 0};

    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("s", "t", "v", ""));
    for (int i = 0; i < RECORDERS + SETTLERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < RECORDERS ? record : settle,
                                        NULL),
                         0);
    }
    for (int i = 0; i < RECORDERS + SETTLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(met__load_relaxed(&failures), 0);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.cells_unreadable, 0);
    assert_int_equal(must_settle(store).cells, 0);
    each_part(store, found, add_sums);
    assert_int_equal(found[0], met__load_relaxed(&counted));
    assert_int_equal(found[1], met__load_relaxed(&summed));
    assert_true(found[0] > EVENTS);
}

static int setup(void **state)
{
    met__platform platform = test_platform(NULL, NULL);

    temp_directory_fast(home, sizeof home);
    met__store_relaxed(&now_ns, (uint64_t)START_NS);
    platform.clock = (met_clock){NULL, thread_clock, thread_clock};
    return met__store_open(&platform, temp_path(home, "s"), MAP_SIZE, 1,
                           &store, NULL)
           != MET_OK;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_thread__record_and_settle, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
