/* Slots in a settlement, one by one: cells and records that are not as a
 * recorder or a settler leaves them, limits of a transaction, memory that ends,
 * files that grow or are cut between two steps. */
#include "usage_support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fault_guard.h"
#include "meter/settle_run.h"
#include "meter/tally_report.h"
#include "support/syscalls.h"

static char home[64];
static met_store *store;
static faulty_memory memory;

/* --- A system that does something between two calls ----------------------- */
static met__os hooked;
static void (*at_lock)(void); /* before the next lock; once */
static int64_t fstats;
static int64_t fstat_fails; /* the call that answers EIO; 0: none */
static int64_t fstat_cuts;  /* the call behind which slot 0 is cut; 0: none */

static const char *slot_path(void)
{
    return temp_path(home, "s/tally/0000.map");
}

static int hooked_lock(void *context, int file, int operation,
                       uint64_t offset)
{
    void (*now)(void) = at_lock;

    at_lock = NULL;
    if (now != NULL) {
        now();
    }
    return met__os_default()->lock(context, file, operation, offset);
}

static int hooked_fstat(void *context, int file, met__os_stat *out)
{
    int result = met__os_default()->fstat(context, file, out);

    fstats++;
    if (fstats == fstat_fails) {
        return -EIO;
    }
    if (fstats == fstat_cuts) {
        assert_int_equal(truncate(slot_path(), 4096), 0);
    }
    return result;
}

static int setup(void **state)
{
    met__platform platform;

    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    memory = (faulty_memory){0};
    hooked = *met__os_default();
    hooked.lock = hooked_lock;
    hooked.fstat = hooked_fstat;
    at_lock = NULL;
    fstats = fstat_fails = fstat_cuts = 0;
    platform = test_platform(&memory, NULL);
    platform.os = &hooked;
    assert_int_equal(met__store_open(&platform, temp_path(home, "s"),
                                     MAP_SIZE, 1, &store, NULL),
                     MET_OK);
    must_meter(store, COUNT_METER("c", "t", "\"x\":\"$.a\""));
    must_meter(store, SUM_METER("s", "t", "v", ""));
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    assert_int_equal(memory.live, 0);
    temp_remove(home);
    return 0;
}

static void add_subjects(met_recorder *recorder, int from, int to)
{
    char subject[16];

    for (int i = from; i < to; i++) {
        snprintf(subject, sizeof subject, "s%d", i);
        must_add(recorder, "t", subject, "x");
    }
}

/* --- Cells that are written over ------------------------------------------ */
/* Calls change for every cell of slot 0, from 0 on; its checksum is right
 * afterwards. How many there are. */
static uint64_t forge(void (*change)(uint64_t *copy, uint64_t cell))
{
    uint64_t copy[MET__COPY_WORDS_MAX];
    met__slot slot = {0};
    uint64_t cells = 0;

    assert_int_equal(met__slot_open(store, 0, 0, &slot, NULL), MET_OK);
    for (uint32_t i = 0; met__slot_segment_kind(&slot, i) != 0; i++) {
        uint32_t kind = met__slot_segment_kind(&slot, i);
        uint32_t cell_class = kind & 0xff;
        for (uint32_t k = 0; kind >> 8 == MET__SEGMENT_CELLS
                             && k < met__cell_class_count(cell_class); k++) {
            if (met__slot_read_cell(&slot, i, cell_class, k, copy)
                != MET__CELL_READ) {
                continue;
            }
            met__atomic_u64 *words = met__slot_copy(
                &slot, i, cell_class, k, copy[MET__COPY_SEQUENCE] & 1);
            change(copy, cells++);
            uint64_t quantities = copy[MET__COPY_PLAN] & UINT32_MAX;
            uint64_t end = MET__COPY_QUANTITIES
                           + quantities * MET__QUANTITY_WORDS;
            copy[end] = met__copy_checksum(copy, quantities);
            for (uint64_t w = 0; w <= end; w++) {
                met__store_relaxed(words + w, copy[w]);
            }
        }
    }
    met__slot_close(&slot);
    return cells;
}

static unsigned char whole[1 << 20];
static size_t whole_size;

static void keep_file(void)
{
    FILE *file = fopen(slot_path(), "rb");

    assert_non_null(file);
    whole_size = fread(whole, 1, sizeof whole, file);
    assert_in_range(whole_size, 1, sizeof whole - 1);
    assert_int_equal(fclose(file), 0);
}

static void put_file_back(void)
{
    FILE *file = fopen(slot_path(), "r+b");

    assert_non_null(file);
    assert_int_equal(fwrite(whole, 1, whole_size, file), whole_size);
    assert_int_equal(fclose(file), 0);
}

static void other_plan(uint64_t *copy, uint64_t cell)
{
    if (cell == 0) {
        copy[MET__COPY_PLAN] += UINT64_C(77) << 32;
    }
}

static void fewer_quantities(uint64_t *copy, uint64_t cell)
{
    if (cell == 0) {
        assert_int_equal(copy[MET__COPY_PLAN] & UINT32_MAX, 1);
        copy[MET__COPY_PLAN]--;
    }
}

static void no_recorder(uint64_t *copy, uint64_t cell)
{
    if (cell == 0) {
        copy[MET__COPY_GENERATION] = MET__GENERATION_FIRST - 1;
    }
}

/* One of three cells says what cannot be: the other two are settled, the slot
 * is not given away, and whole again it delivers the third. */
static void test_settle__impossible_cells(void **state)
{
    static void (*const changes[])(uint64_t *, uint64_t) = {
        other_plan, fewer_quantities, no_recorder};

    for (uint64_t i = 0; i < 3; i++) {
        met_recorder *recorder = must_recorder(store, 16);
        add_subjects(recorder, 0, 3);
        met__recorder_close(recorder);
        keep_file();
        assert_int_equal(forge(changes[i]), 3);
        for (int pass = 0; pass < 2; pass++) {
            met__settle_report report = must_settle(store);
            assert_int_equal(report.cells_unreadable, 1);
            assert_int_equal(report.slots_retired, 0);
            assert_int_equal(report.held_up_count, 1);
            assert_string_equal(report.held_up[0].reason,
                                MET__HELD_UP_BY_CELLS);
            assert_int_equal(settled_events(store), 3 * i + 2);
        }
        put_file_back();
        assert_int_equal(must_settle(store).slots_retired, 1);
        assert_int_equal(settled_events(store), 3 * i + 3);
    }
}

static void later_plan(uint64_t *copy, uint64_t cell)
{
    copy[MET__COPY_SEQUENCE] += 2;
    other_plan(copy, cell);
}

/* A cell that was settled has another plan by now: what is stored stays, and
 * everybody else goes on. */
static void test_settle__cell_of_another_plan(void **state)
{
    met_recorder *recorder = must_recorder(store, 16);
    met_recorder *other = must_recorder(store, 16);

    add_subjects(recorder, 0, 1);
    must_settle(store);
    met__recorder_close(recorder);
    assert_int_equal(forge(later_plan), 1);
    add_subjects(other, 0, 1);
    assert_int_equal(must_settle(store).cells_unreadable, 1);
    assert_int_equal(settled_events(store), 2);
    met__recorder_close(other);
}

/* --- Records that are not whole ------------------------------------------- */
static uint64_t seen[MET__COPY_WORDS_MAX];

static void see(uint64_t *copy, uint64_t cell)
{
    memcpy(seen, copy, sizeof seen);
}

/* Three bytes, or nothing, where a record is. */
static void put_record(met__table table, const void *key, size_t size,
                       const char *value)
{
    met__txn *txn = NULL;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(value != NULL
                         ? met__txn_put(txn, table, key, size, value, 3)
                         : met__txn_remove(txn, table, key, size),
                     MET_OK);
    assert_int_equal(met__txn_commit(txn), MET_OK);
}

/* A part that nobody can read holds up its own cell, in any pass. */
static void test_settle__damaged_part(void **state)
{
    unsigned char key[MET__PART_KEY_SIZE];
    met_recorder *recorder = must_recorder(store, 16);
    met__settle_report report;

    add_subjects(recorder, 0, 1);
    assert_int_equal(forge(see), 1);
    met__part_key part = {
        .generation = seen[MET__COPY_GENERATION],
        .minute = (uint32_t)seen[MET__COPY_EPOCH],
        .epoch = (uint32_t)(seen[MET__COPY_EPOCH] >> 32),
        .cell = (uint32_t)(seen[MET__COPY_CELL] >> 32),
    };
    met__part_key_put(&part, key);
    put_record(MET__TABLE_PART, key, sizeof key, "abc");
    for (uint64_t bound = 0; bound < 20; bound += 10) {
        add_subjects(recorder, 1, 2);
        assert_int_equal(met__settle(store, NULL, 0, bound, &report, NULL),
                         MET_OK);
        assert_int_equal(report.cells_unreadable, 1);
        assert_int_equal(report.events, 1);
    }
    put_record(MET__TABLE_PART, key, sizeof key, NULL);
    assert_int_equal(must_settle(store).cells_unreadable, 0);
    assert_int_equal(settled_events(store), 3);
    met__recorder_close(recorder);
}

/* What is settled of a generation is not known, of one that cells name or of
 * the last owner's, who was killed before the first: nothing is done. */
static void test_settle__damaged_generation(void **state)
{
    unsigned char key[8];

    for (uint64_t i = 0; i < 2; i++) {
        met__slot slot = {0};
        met_recorder *recorder = must_recorder(store, 16);
        add_subjects(recorder, 0, 1);
        met__recorder_close(recorder);
        assert_int_equal(met__slot_open(store, 0, 0, &slot, NULL), MET_OK);
        met__atomic_u64 *word = &met__slot_owner_of(&slot)->generation;
        met__store_relaxed(word, met__load_relaxed(word) ^ i);
        met__put_u64(key, met__load_relaxed(word));
        met__slot_close(&slot);
        put_record(MET__TABLE_SETTLED, key, sizeof key, "abc");
        assert_int_equal(met__settle(store, NULL, 0, 0, NULL, NULL),
                         MET_E_CORRUPT);
        assert_int_equal(settled_events(store), i);
        put_record(MET__TABLE_SETTLED, key, sizeof key, NULL);
        assert_int_equal(must_settle(store).slots_retired, 1);
        assert_int_equal(settled_events(store), i + 1);
    }
}

/* --- A power cut ---------------------------------------------------------- */
/* The copy in force is torn, whichever it is: the one before it is taken. */
static void test_settle__copy_before_the_torn_one(void **state)
{
    uint64_t settled = 0;

    for (uint64_t events = 2; events < 4; events++) {
        met__slot slot = {0};
        met_recorder *recorder = must_recorder(store, 16);
        for (uint64_t i = 0; i < events; i++) {
            add_subjects(recorder, 0, 1);
        }
        met__recorder_close(recorder);
        assert_int_equal(forge(see), 1);
        assert_int_equal(met__slot_open(store, 0, 0, &slot, NULL), MET_OK);
        uint32_t cell = (uint32_t)(seen[MET__COPY_CELL] >> 32);
        uint32_t segment = cell / MET__SEGMENT_ITEMS_MAX;
        met__atomic_u64 *words = met__slot_copy(
            &slot, segment, met__slot_segment_kind(&slot, segment) & 0xff,
            cell % MET__SEGMENT_ITEMS_MAX, events & 1);
        met__store_relaxed(words + MET__COPY_COUNT, 4711);
        met__store_relaxed(&met__slot_owner_of(&slot)->boot_hash, 1);
        met__slot_close(&slot);
        met__settle_report report = must_settle(store);
        assert_int_equal(report.cells_unreadable, 1);
        assert_int_equal(report.slots_retired, 1);
        settled += events - 1;
        assert_int_equal(settled_events(store), settled);
        assert_int_equal(unlink(slot_path()), 0);
    }
}

/* Of a slot that has an owner nothing is saved so: he will be read. */
static void test_settle__torn_and_alive(void **state)
{
    met__slot slot = {0};
    met_recorder *recorder = must_recorder(store, 16);

    for (int i = 0; i < 3; i++) {
        add_subjects(recorder, 0, 1);
    }
    assert_int_equal(forge(see), 1);
    assert_int_equal(met__slot_open(store, 0, 0, &slot, NULL), MET_OK);
    uint32_t cell = (uint32_t)(seen[MET__COPY_CELL] >> 32);
    uint32_t segment = cell / MET__SEGMENT_ITEMS_MAX;
    met__atomic_u64 *count =
        met__slot_copy(&slot, segment,
                       met__slot_segment_kind(&slot, segment) & 0xff,
                       cell % MET__SEGMENT_ITEMS_MAX, 1)
        + MET__COPY_COUNT;
    met__store_relaxed(count, 4711);
    assert_int_equal(must_settle(store).cells_unreadable, 1);
    assert_int_equal(settled_events(store), 0);
    met__store_relaxed(count, 3);
    met__slot_close(&slot);
    assert_int_equal(must_settle(store).cells_unreadable, 0);
    assert_int_equal(settled_events(store), 3);
    met__recorder_close(recorder);
}

/* --- Limits --------------------------------------------------------------- */
#define MANY 2000

static void own_generation(uint64_t *copy, uint64_t cell)
{
    copy[MET__COPY_GENERATION] = MET__GENERATION_FIRST + 1 + cell;
}

/* Each allocation of a pass fails in turn, while a meter waits for a recorder:
 * nothing is settled, and then everything, of all generations in a slot. */
static void test_settle__memory_of_many(void **state)
{
    met_recorder *recorder = must_recorder(store, MANY + 100);
    met_error error = MET_E_NO_MEMORY;
    long k = 0;

    for (int i = 0; i < MANY; i += 500) {
        add_subjects(recorder, i, i + 500);
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
    }
    met__recorder_close(recorder);
    assert_int_equal(forge(own_generation), MANY);
    recorder = must_recorder(store, 16);
    must_meter(store, COUNT_METER("d", "t", "\"y\":\"$.b\""));
    while (error == MET_E_NO_MEMORY) {
        assert_int_equal(settled_events(store), 0);
        memory.calls = 0;
        memory.fail_at = ++k;
        error = met__settle(store, NULL, 0, 0, NULL, NULL);
        memory.fail_at = 0;
    }
    assert_int_equal(error, MET_OK);
    assert_true(k > 20);
    assert_int_equal(settled_events(store), MANY);
    assert_int_equal(must_settle(store).cells, 0);
    met__recorder_close(recorder);
}

/* More slots than are open at once; and a slot that fills a transaction, or a
 * pass with a bound, while others wait. */
static void test_settle__many_slots(void **state)
{
    static met_recorder *recorders[MET__SETTLE_SLOTS_MAX + 6];
    size_t count = sizeof recorders / sizeof *recorders;
    met__settle_report report;

    for (size_t i = 0; i < count; i++) {
        recorders[i] = must_recorder(store, i ? 16 : 12000);
        add_subjects(recorders[i], 0, 1);
    }
    report = must_settle(store);
    assert_int_equal(report.transactions, 2);
    assert_int_equal(report.slots, count);
    assert_int_equal(report.events, count);
    for (size_t i = 0; i < count; i++) {
        add_subjects(recorders[i], 0, i ? 1 : 5);
    }
    assert_int_equal(met__settle(store, NULL, 0, 3, &report, NULL), MET_OK);
    assert_int_equal(report.slots, 1);
    assert_int_equal(report.parts, 3);
    must_settle(store);
    assert_int_equal(settled_events(store), 2 * count + 4);
    for (int i = 0; i < 11000; i += 1000) {
        add_subjects(recorders[0], i, i + 1000);
        assert_int_equal(met__recorder_tick(recorders[0]), MET_OK);
    }
    add_subjects(recorders[1], 0, 1);
    report = must_settle(store);
    assert_int_equal(report.events, 11001);
    assert_int_equal(report.transactions, 3);
    for (size_t i = 0; i < count; i++) {
        met__recorder_close(recorders[i]);
    }
}

/* --- Between two steps ---------------------------------------------------- */
static met_recorder *growing;
static int grown;

static long file_size(void)
{
    struct stat found;

    assert_int_equal(stat(slot_path(), &found), 0);
    return (long)found.st_size;
}

static void grow(void)
{
    long before = file_size();

    for (int i = 0; file_size() == before; i++) {
        assert_true(i < 100);
        add_subjects(growing, grown, grown + 100);
        grown += 100;
        assert_int_equal(met__recorder_tick(growing), MET_OK);
    }
}

static void grow_and_fail(void)
{
    grow();
    fstat_fails = fstats + 1;
}

/* The owner makes its file longer while it is opened: all of it is read. Not
 * even its size can be asked for: nothing is settled, until the next pass. */
static void test_settle__growing_meanwhile(void **state)
{
    growing = must_recorder(store, 20000);
    grown = 0;
    at_lock = grow;
    met__settle_report report = must_settle(store);
    assert_true(grown > 0);
    assert_int_equal(report.events, grown);
    int before = grown;
    at_lock = grow_and_fail;
    assert_int_equal(met__settle(store, NULL, 0, 0, NULL, NULL), MET_E_IO);
    assert_true(grown > before);
    assert_int_equal(settled_events(store), before);
    must_settle(store);
    assert_int_equal(settled_events(store), grown);
    met__recorder_close(growing);
}

/* Cut after it was looked at for the last time: the guard covers it, and the
 * pass says that it is damaged. */
static void test_settle__cut_while_it_is_told(void **state)
{
    met_recorder *recorder = must_recorder(store, 16);

    assert_int_equal(met__fault_guard_install(), MET_OK);
    add_subjects(recorder, 0, 1);
    must_settle(store);
    fstats = 0;
    assert_int_equal(must_settle(store).held_up_count, 0);
    fstat_cuts = fstats;
    fstats = 0;
    met__settle_report report = must_settle(store);
    assert_int_equal(fstats, fstat_cuts);
    assert_int_equal(report.held_up_count, 1);
    assert_string_equal(report.held_up[0].reason, MET__HELD_UP_BY_DAMAGE);
    assert_int_equal(report.slots_retired, 0);
    fstat_cuts = 0;
    assert_int_equal(met__recorder_tick(recorder), MET_E_CORRUPT);
    add_subjects(recorder, 0, 1);
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), 2);
}

/* A commit that the disk refused: this handle settles nothing any more, and
 * what it had begun is not told. */
static void test_settle__after_a_refused_commit(void **state)
{
    met_recorder *recorder = must_recorder(store, 16);
    met__settle_report report = {.events = 4711};

    for (long k = 1; met__store_check_handle(store) == MET_OK; k++) {
        assert_true(k < 20);
        add_subjects(recorder, 0, 1);
        syscall_arm(&write_faults, k, 1, EIO);
        assert_int_equal(met__settle(store, NULL, 0, 0, NULL, NULL),
                         MET_E_IO);
        write_faults.is_armed = 0;
    }
    assert_int_equal(met__settle(store, NULL, 0, 0, &report, NULL),
                     MET_E_IO);
    assert_int_equal(report.events, 4711);
    met__recorder_close(recorder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_settle__impossible_cells),
        TEST(test_settle__cell_of_another_plan),
        TEST(test_settle__damaged_part),
        TEST(test_settle__damaged_generation),
        TEST(test_settle__copy_before_the_torn_one),
        TEST(test_settle__torn_and_alive),
        TEST(test_settle__memory_of_many),
        TEST(test_settle__many_slots),
        TEST(test_settle__growing_meanwhile),
        TEST(test_settle__cut_while_it_is_told),
        TEST(test_settle__after_a_refused_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
