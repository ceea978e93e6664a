/* What befalls a settlement from outside: a map that is full, slot files cut
 * short or full of garbage, settlers and recorders that stand still, a clock
 * that jumps, forks in the middle, a store that is open twice. Clear answers,
 * no signal, and afterwards every event is there once. */
#include "usage_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/atomic.h"
#include "meter/slot_file.h"
#include "meter/tally_report.h"

static char home[64];
static met_store *store;
static uint64_t random_state;

/* In memory that a child shares: which child's turn it is, and OPENED for each
 * that has opened the store. */
static met__atomic_u64 *go;
#define OPENED 1000

static void pause_briefly(void)
{
    struct timespec some = {0, 500000};

    nanosleep(&some, NULL);
}

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static met_error open_at(const char *name, uint64_t map_size,
                         met_store **store_out)
{
    met__platform platform = test_platform(NULL, NULL);

    return met__store_open(&platform, temp_path(home, name), map_size, 1,
                           store_out, NULL);
}

static void make(met_store *at)
{
    must_meter(at, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(at, SUM_METER("s", "t", "v", ""));
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    random_state = 4711;
    go = mmap(NULL, sizeof *go, PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(go != MAP_FAILED);
    assert_int_equal(open_at("s", MAP_SIZE, &store), MET_OK);
    make(store);
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    munmap(go, sizeof *go);
    temp_remove(home);
    return 0;
}

/* --- A full map ----------------------------------------------------------- */
static void test_settlement_fault__map_full(void **state)
{
    met__settle_report report;
    met_store *small = NULL;
    met_error error = MET_OK;
    uint64_t counted = 0;
    uint64_t settled = 0;

    assert_int_equal(open_at("small", UINT64_C(1) << 20, &small), MET_OK);
    make(small);
    met_recorder *recorder = must_recorder(small, 512);
    while (error == MET_OK) {
        settled = counted;
        for (int i = 0; i < 400; i++) {
            char subject[16];
            snprintf(subject, sizeof subject, "s%d", i);
            must_add(recorder, "t", subject, "x");
            counted++;
        }
        test_now_ns += MET__MINUTE_NS;
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        error = met__settle(small, NULL, 0, 0, NULL, NULL);
    }
    assert_int_equal(error, MET_E_MAP_FULL);
    assert_true(settled > 0);
    assert_int_equal(settled_events(small), settled); /* whole, or nothing */
    assert_int_equal(met__settle(small, NULL, 0, 0, &report, NULL),
                     MET_E_MAP_FULL);
    must_add(recorder, "t", "s1", "x"); /* recording goes on */
    met__recorder_close(recorder);
    met_store_close(small);

    assert_int_equal(open_at("small", MAP_SIZE, &small), MET_OK);
    must_settle(small);
    assert_int_equal(settled_events(small), counted + 1);
    met_store_close(small);
}

/* --- Slot files that are not whole ---------------------------------------- */
typedef struct contents {
    unsigned char *bytes;
    size_t size;
} contents;

static const char *slot_path(void)
{
    return temp_path(home, "s/tally/0000.map");
}

static contents read_slot(void)
{
    FILE *file = fopen(slot_path(), "rb");
    contents out;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    out.size = (size_t)ftell(file);
    rewind(file);
    out.bytes = malloc(out.size);
    assert_non_null(out.bytes);
    assert_int_equal(fread(out.bytes, 1, out.size, file), out.size);
    fclose(file);
    return out;
}

static void write_slot(const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(slot_path(), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A recorder that was closed before it was settled, in slot 0, and one that
 * lives, in slot 1. */
static met_recorder *two_slots(void)
{
    met_recorder *first = must_recorder(store, 64);
    met_recorder *second = must_recorder(store, 64);
    test_event event = {.type = "t", .subject = "1", .a = "x",
                        .quantity = "2"};

    for (int i = 0; i < 5; i++) {
        assert_int_equal(add_event(first, &event), MET_OK);
    }
    met__recorder_close(first);
    return second;
}

/* The file of slot 0 is as bad as it is: everybody else goes on. */
static void check_others(met_recorder *second)
{
    met__settle_report report = {0};

    must_add(second, "t", "2", "x");
    assert_int_equal(met__recorder_tick(second), MET_OK);
    assert_int_equal(met__settle(store, NULL, 0, 0, &report, &last_info),
                     MET_OK);
    met_recorder *third = must_recorder(store, 64);
    must_add(third, "t", "2", "x");
    met__recorder_close(third);
    assert_int_equal(met__settle(store, NULL, 0, 0, &report, &last_info),
                     MET_OK);
}

static uint64_t events_of_2;

static void add_subject_2(void *context, uint32_t minute,
                          const met__usage_shape *shape, const uint64_t *words)
{
    if (met__text_equal(shape->subject, MET__TEXT("2"))) {
        *(uint64_t *)context += words[MET__PART_COUNT];
    }
}

static void assert_others(uint64_t rounds)
{
    events_of_2 = 0;
    each_part(store, &events_of_2, add_subject_2);
    assert_int_equal(events_of_2, 2 * rounds);
}

/* Cut anywhere; whole again, it delivers what is in it. */
static void test_settlement_fault__cut_short(void **state)
{
    met_recorder *second = two_slots();
    contents whole = read_slot();
    uint64_t rounds = 0;
    size_t sizes[] = {0, 1, 127, 4095, 4096, 8192, 12288, 49151, 49152,
                      49153, 100000, 180224, whole.size - 1};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(sizes[i] < whole.size);
        write_slot(whole.bytes, sizes[i]);
        check_others(second);
        assert_others(++rounds);
    }
    write_slot(whole.bytes, whole.size);
    must_settle(store);
    met__recorder_close(second);
    must_settle(store);
    assert_int_equal(settled_events(store), 5 + 2 * rounds);
    free(whole.bytes);
}

/* Random bytes: all of the file, or from one of its parts on, or here and
 * there in it. */
static void test_settlement_fault__garbage(void **state)
{
    static const size_t parts[] = {0, 4096, 8192, 12288, 49152, 60000};
    met_recorder *second = two_slots();
    contents whole = read_slot();
    unsigned char *bytes = malloc(whole.size);
    uint64_t rounds = 0;

    assert_non_null(bytes);
    for (int turn = 0; turn < 60; turn++) {
        memcpy(bytes, whole.bytes, whole.size);
        size_t from = parts[turn % 6];
        size_t step = turn < 24 ? 1 : 8 + next_random(2000);
        for (size_t at = from; at < whole.size;
             at += 1 + (step > 1 ? next_random(step) : 0)) {
            bytes[at] = (unsigned char)next_random(256);
        }
        write_slot(bytes, whole.size);
        check_others(second);
        assert_others(++rounds);
    }
    write_slot(whole.bytes, whole.size);
    met__recorder_close(second);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_live, 0);
    assert_others(rounds);
    free(bytes);
    free(whole.bytes);
}

/* A cell whose checksum is right and whose minute cannot be: it is not read,
 * and reports go on. */
static void test_settlement_fault__impossible_minute(void **state)
{
    met_recorder *recorder = must_recorder(store, 64);
    uint64_t copy[MET__COPY_WORDS_MAX];
    met__slot slot = {0};
    met__arena arena;

    must_add(recorder, "t", "1", "x");
    met__recorder_close(recorder);
    assert_int_equal(met__slot_open(store, 0, 0, &slot, NULL), MET_OK);
    uint32_t segment = 0;
    uint32_t kind = met__slot_segment_kind(&slot, 0);
    while (kind >> 8 != MET__SEGMENT_CELLS
           || met__slot_read_cell(&slot, segment, kind & 0xff, 0, copy)
                  != MET__CELL_READ) {
        kind = met__slot_segment_kind(&slot, ++segment);
        assert_true(kind != 0);
    }
    met__atomic_u64 *words = met__slot_copy(&slot, segment, kind & 0xff, 0,
                                            copy[MET__COPY_SEQUENCE] & 1);
    uint64_t quantities = copy[MET__COPY_PLAN] & UINT32_MAX;
    copy[MET__COPY_EPOCH] |= UINT32_MAX;
    met__store_relaxed(words + MET__COPY_EPOCH, copy[MET__COPY_EPOCH]);
    met__store_relaxed(words + MET__COPY_QUANTITIES
                           + quantities * MET__QUANTITY_WORDS,
                       met__copy_checksum(copy, quantities));
    assert_int_equal(met__slot_read_cell(&slot, segment, kind & 0xff, 0, copy),
                     MET__CELL_UNREADABLE);
    met__slot_close(&slot);
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__tally_describe(store, &arena,
                                         met__node_object(&arena)),
                     MET_OK);
    met__arena_release(&arena);
    assert_int_equal(must_settle(store).cells_unreadable, 1);
    assert_int_equal(settled_events(store), 0);
}

/* --- Who stands still ----------------------------------------------------- */
static met_error stop_in_change(void *context, met__txn *txn,
                                const met__usage_change *change)
{
    raise(SIGSTOP);
    return MET_OK;
}

static void stop_after_commit(void *context)
{
    raise(SIGSTOP);
}

/* A process that opens the store and settles when `go` says so; it says when
 * the store is open. */
static pid_t start_settler(uint64_t when, const met__settle_step *step)
{
    fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody outlives the test */
        met_store *own = NULL;
        while (met__load_acquire(go) % OPENED < when) {
            pause_briefly();
        }
        met_error error = open_at("s", MAP_SIZE, &own);
        if (error == MET_OK) {
            met__fetch_add(go, OPENED);
            error = met__settle(own, step, step != NULL, 0, NULL, NULL);
        }
        met_store_close(own);
        _exit(error == MET_OK ? 0 : 1);
    }
    return child;
}

static void wait_until_stopped(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
}

static void assert_ends_well(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Frozen behind its commit, before it tells the owners: others go on, and what
 * it says when it wakes is old and harmless. */
static void test_settlement_fault__frozen_after_commit(void **state)
{
    static const met__settle_step step = {.committed = stop_after_commit};

    met_store_close(store);
    pid_t frozen = start_settler(1, &step);
    assert_int_equal(open_at("s", MAP_SIZE, &store), MET_OK);
    met_recorder *recorder = must_recorder(store, 64);
    must_add(recorder, "t", "1", "x");
    met__store_release(go, 1);
    wait_until_stopped(frozen);
    for (int i = 0; i < 20; i++) {
        must_add(recorder, "t", "1", "x");
        test_now_ns += MET__MINUTE_NS;
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        must_settle(store);
        assert_int_equal(settled_events(store), 2 + i);
    }
    kill(frozen, SIGCONT);
    assert_ends_well(frozen);
    for (int i = 0; i < 20; i++) {
        must_add(recorder, "t", "1", "x");
        test_now_ns += MET__MINUTE_NS;
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        must_settle(store);
    }
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), 41);
}

/* The process that the store's report names as the one that writes; 0: none. */
static int64_t writer(void)
{
    met__arena arena;
    int64_t process = 0;

    met__arena_init(&arena, met__store_platform(store));
    met__node *report = met__node_object(&arena);
    assert_int_equal(met__store_describe(store, &arena, report), MET_OK);
    const met__node *found = met__node_get(report, "writer");
    if (found != NULL) {
        process = met__node_get(found, "process_id")->as.integer;
    }
    met__arena_release(&arena);
    return process;
}

/* Frozen inside of its transaction: recorders and readers go on, the report
 * says who it is; whoever wants to write waits, and goes on when it is
 * killed. */
static void test_settlement_fault__frozen_in_transaction(void **state)
{
    static const met__settle_step step = {.change = stop_in_change};

    met_store_close(store);
    pid_t frozen = start_settler(1, &step);
    pid_t waiting = start_settler(2, NULL);
    assert_int_equal(open_at("s", MAP_SIZE, &store), MET_OK);
    met_recorder *recorder = must_recorder(store, 64);
    must_add(recorder, "t", "1", "x");
    met__store_release(go, 1);
    wait_until_stopped(frozen);
    assert_int_equal(writer(), frozen);
    met__store_release(go, 2);
    while (met__load_acquire(go) != OPENED + 2) { /* opening needs no turn */
        pause_briefly();
    }
    for (int i = 0; i < 100; i++) {
        must_add(recorder, "t", "1", "x");
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
    }
    assert_int_equal(settled_events(store), 0);
    assert_int_equal(waitpid(waiting, NULL, WNOHANG), 0);
    kill(frozen, SIGKILL);
    assert_int_equal(waitpid(frozen, NULL, 0), frozen);
    assert_ends_well(waiting);
    assert_int_equal(writer(), 0);
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), 101);
}

/* --- The clock ------------------------------------------------------------ */
#define TIMES 400

static void note_minute(void *context, uint32_t minute,
                        const met__usage_shape *shape, const uint64_t *words)
{
    uint32_t *minutes = context; /* one for every event, in any order */

    for (uint64_t n = words[MET__PART_COUNT]; n > 0; n--) {
        int i = 0;
        while (i < TIMES && minutes[i] != minute) {
            i++;
        }
        assert_true(i < TIMES);
        minutes[i] = UINT32_MAX;
    }
}

/* Seconds, days and years, forward and back: every event is counted in the
 * minute that the clock said. */
static void test_settlement_fault__clock_steps(void **state)
{
    static const int64_t steps[] = {1, 59, 60, 3600, 86400, 31536000};
    static uint32_t minutes[TIMES];
    met_recorder *recorder = must_recorder(store, 64);

    for (int i = 0; i < TIMES; i++) {
        int64_t by = steps[next_random(6)] * MET__SECOND_NS;
        test_now_ns += next_random(2) == 0 && test_now_ns > 2 * by ? -by : by;
        if (test_now_ns > START_NS + 3 * INT64_C(31536000) * MET__SECOND_NS) {
            test_now_ns = START_NS;
        }
        must_add(recorder, "t", "1", "x");
        minutes[i] = (uint32_t)(test_now_ns / MET__MINUTE_NS);
        if (next_random(3) == 0) {
            assert_int_equal(met__recorder_tick(recorder), MET_OK);
        }
        if (next_random(4) == 0) {
            must_settle(store);
        }
    }
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), TIMES);
    each_part(store, minutes, note_minute);
}

/* --- Forks and double handles --------------------------------------------- */
/* A child that is forked in the middle of the transaction. */
static met_error fork_in_change(void *context, met__txn *txn,
                                const met__usage_change *change)
{
    met_recorder *recorder = context;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        met__txn *own = NULL;
        int good = met__settle(store, NULL, 0, 0, NULL, NULL) == MET_E_FORKED
                   && met__txn_begin(store, 0, &own) == MET_E_FORKED
                   && met__txn_commit(txn) == MET_E_FORKED
                   && met__recorder_tick(recorder) == MET_E_FORKED;
        met__recorder_close(recorder);
        met_store_close(store);
        _exit(good ? 0 : 1);
    }
    assert_ends_well(child);
    return MET_OK;
}

static void test_settlement_fault__fork(void **state)
{
    met_recorder *recorder = must_recorder(store, 64);
    const met__settle_step step = {.context = recorder,
                                   .change = fork_in_change};

    must_add(recorder, "t", "1", "x");
    assert_int_equal(met__settle(store, &step, 1, 0, NULL, NULL), MET_OK);
    must_add(recorder, "t", "1", "x");
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_live, 1); /* the child took no lock away */
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), 2);
}

/* One of two handles is closed: the other one's recorder keeps its slot, which
 * nobody takes for a dead one. */
static void test_settlement_fault__open_twice(void **state)
{
    met_store *again = NULL;

    assert_int_equal(open_at("s", MAP_SIZE, &again), MET_OK);
    met_recorder *recorder = must_recorder(store, 64);
    met_recorder *other = must_recorder(again, 64);
    must_add(recorder, "t", "1", "x");
    must_add(other, "t", "1", "x");
    met__recorder_close(other);
    met_store_close(again);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_live, 1);
    assert_int_equal(report.slots_retired, 1);
    must_add(recorder, "t", "1", "x");
    report = must_settle(store);
    assert_int_equal(report.slots_live, 1);
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_settlement_fault__map_full),
        TEST(test_settlement_fault__cut_short),
        TEST(test_settlement_fault__garbage),
        TEST(test_settlement_fault__impossible_minute),
        TEST(test_settlement_fault__frozen_after_commit),
        TEST(test_settlement_fault__frozen_in_transaction),
        TEST(test_settlement_fault__clock_steps),
        TEST(test_settlement_fault__fork),
        TEST(test_settlement_fault__open_twice),
    };

    return cmocka_run_group_tests_name("settlement_fault", tests, NULL, NULL);
}
