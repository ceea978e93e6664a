/* Files of recorders that somebody cuts short while they are in use: whoever
 * reads them gets an error and never a signal, at whatever moment it happens;
 * their owner goes on with another file from its next tick on. */
#include "usage_support.h"

#include <unistd.h>

#include "meter/recorder_state.h"
#include "meter/tally_report.h"
#include "store/object.h"

static char home[64];
static met_store *store;

/* --- A disk on which a file is cut ---------------------------------------- */
static met__os cutting;
static int64_t reads;
static int64_t cut_at; /* the read before which it happens; 0: never */
static long cut_to;
static int is_full; /* no block is left */

static const char *path_of(const char *name)
{
    char relative[64];

    snprintf(relative, sizeof relative, "s/tally/%s", name);
    return temp_path(home, relative);
}

static int64_t read_at(void *context, int file, void *bytes, size_t size,
                       uint64_t offset)
{
    if (++reads == cut_at) {
        assert_int_equal(truncate(path_of("0000.map"), cut_to), 0);
    }
    return met__os_default()->read_at(context, file, bytes, size, offset);
}

static int allocate(void *context, int file, uint64_t size)
{
    return is_full ? -ENOSPC
                   : met__os_default()->allocate(context, file, size);
}

static int setup(void **state)
{
    met__platform platform = test_platform(NULL, NULL);

    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    cutting = *met__os_default();
    cutting.read_at = read_at;
    cutting.allocate = allocate;
    platform.os = &cutting;
    reads = 0;
    cut_at = 0;
    is_full = 0;
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
    temp_remove(home);
    return 0;
}

typedef struct contents {
    unsigned char bytes[4 << 20];
    size_t size;
} contents;

static contents whole;

static void read_slot(void)
{
    FILE *file = fopen(path_of("0000.map"), "rb");

    assert_non_null(file);
    whole.size = fread(whole.bytes, 1, sizeof whole.bytes, file);
    assert_true(whole.size > 300000 && whole.size < sizeof whole.bytes);
    assert_int_equal(fclose(file), 0);
}

static void write_slot(void)
{
    FILE *file = fopen(path_of("0000.map"), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(whole.bytes, 1, whole.size, file), whole.size);
    assert_int_equal(fclose(file), 0);
}

/* --- Readers -------------------------------------------------------------- */
/* What a dead recorder left: subjects "0" to "9", three times each. */
static void leave_slot(void)
{
    met_recorder *recorder = must_recorder(store, 64);
    char subject[8];

    for (int i = 0; i < 30; i++) {
        test_event event = {.type = "t", .subject = subject, .a = "x",
                            .quantity = "2"};
        snprintf(subject, sizeof subject, "%d", i % 10);
        assert_int_equal(add_event(recorder, &event), MET_OK);
    }
    met__recorder_close(recorder);
    read_slot();
}

static met_error describe(void)
{
    met__arena arena;

    met__arena_init(&arena, met__store_platform(store));
    met_error error = met__tally_describe(store, &arena,
                                          met__node_object(&arena));
    met__arena_release(&arena);
    return error;
}

/* Cut before every read of a settlement, of a report, and of the question
 * whether all recorders know a plan. */
static void test_cut__while_it_is_read(void **state)
{
    static const long sizes[] = {0, 100, 4096, 8192, 20000, 49152, 60000,
                                 180224, 200000};
    uint64_t damaged = 0;
    uint64_t unreadable = 0;

    leave_slot();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int64_t at = 1;; at++) {
            met__settle_report report = {0};
            int published = 0;
            write_slot();
            cut_to = sizes[i];
            reads = 0;
            cut_at = at;
            assert_int_equal(met__settle(store, NULL, 0, 0, &report, NULL),
                             MET_OK);
            int was_read = reads >= at;
            damaged += report.slots_damaged;
            unreadable += report.cells_unreadable;
            if (!was_read) {
                break; /* all of it was settled: nothing is left to read */
            }
            write_slot();
            reads = 0;
            assert_int_equal(describe(), MET_OK);
            write_slot();
            reads = 0;
            assert_int_equal(met__slots_have_published(store, 1, &published),
                             MET_OK);
            if (report.slots_damaged + report.cells_unreadable > 0) {
                assert_true(report.held_up_count > 0);
            }
        }
    }
    assert_true(damaged > 10 && unreadable > 10);
    cut_at = 0;
    write_slot();
    must_settle(store);
    assert_int_equal(settled_events(store), 30);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_damaged + report.cells_unreadable, 0);
}

/* A cell that its owner goes on with while it is read: the copy in force of
 * some moment in between. */
static void test_copies__of_a_moving_cell(void **state)
{
    met_recorder *recorder = must_recorder(store, 64);
    uint64_t copy[MET__COPY_WORDS_MAX];
    met__slot slot = {0};
    uint32_t segment = 0;

    must_add(recorder, "t", "1", "x");
    assert_int_equal(met__slot_look(store, 0, &slot, NULL), MET_OK);
    while (met__slot_segment_kind(&slot, segment) >> 8
           != MET__SEGMENT_CELLS) {
        segment++;
    }
    uint32_t cell_class = met__slot_segment_kind(&slot, segment) & 0xff;
    assert_int_equal(met__slot_fetch(&slot, segment), MET_OK);
    for (uint64_t i = 1; i < 50; i++) {
        assert_int_equal(met__slot_read_cell(&slot, segment, cell_class, 0,
                                             copy),
                         MET__CELL_READ);
        assert_int_equal(copy[MET__COPY_COUNT], i);
        /* An event, or two, behind the copies, and then the sequence. */
        must_add(recorder, "t", "1", "x");
        slot.copies->later[0]++;
        if (i % 2 != 0) {
            must_add(recorder, "t", "1", "x");
            slot.copies->later[0]++;
            i++;
        }
        assert_int_equal(met__slot_read_cell(&slot, segment, cell_class, 0,
                                             copy),
                         MET__CELL_READ);
        assert_in_range(copy[MET__COPY_COUNT], i - 1, i + 1);
        assert_int_equal(met__slot_fetch(&slot, segment), MET_OK);
    }
    met__slot_close(&slot);
    met__recorder_close(recorder);
}

/* A torn cell is copied anew until it is whole or cannot be read: the first
 * read that finds the file cut is the last. */
static void test_copies__of_a_torn_cell(void **state)
{
    uint64_t copy[MET__COPY_WORDS_MAX];

    leave_slot();
    cut_to = 0;
    for (int64_t at = 1; at < 5; at++) {
        met__slot slot = {0};
        uint32_t segment = 0;
        write_slot();
        cut_at = 0;
        assert_int_equal(met__slot_look(store, 0, &slot, NULL), MET_OK);
        while (met__slot_segment_kind(&slot, segment) >> 8
               != MET__SEGMENT_CELLS) {
            segment++;
        }
        uint32_t cell_class = met__slot_segment_kind(&slot, segment) & 0xff;
        assert_int_equal(met__slot_fetch(&slot, segment), MET_OK);
        memset(slot.copies->cells + met__cell_class_head(cell_class), 0x5a,
               2 * met__cell_class_words(cell_class) * sizeof *copy);
        reads = 0;
        cut_at = at;
        assert_int_equal(met__slot_read_cell(&slot, segment, cell_class, 0,
                                             copy),
                         at < 4 ? MET__CELL_UNREADABLE : MET__CELL_READ);
        assert_int_equal(reads, at < 4 ? at : 3);
        met__slot_close(&slot);
    }
}

/* --- Owners --------------------------------------------------------------- */
static void test_cut__under_its_owner(void **state)
{
    static const long sizes[] = {0, 4096, 5000, 49152, 49152 + 131072};
    met_recorder *recorder = must_recorder(store, 64);
    met__settle_report report;
    uint64_t settled = 0;
    met_prepared *prepared = NULL;
    met_event event = {.struct_size = sizeof event,
                       .type = "t",
                       .type_size = 1,
                       .subject = "p",
                       .subject_size = 1};

    assert_int_equal(met__prepared_open(recorder, &event, &prepared, NULL),
                     MET_OK);
    for (size_t turn = 0; turn < 10; turn++) {
        char name[16] = "plan.map";
        if (turn % 2 == 0) {
            snprintf(name, sizeof name, "%04u.map", recorder->slot.number);
        }
        long size = turn % 2 ? sizes[turn / 2] % 8192 : sizes[turn / 2];
        must_add(recorder, "t", "1", "x");
        assert_int_equal(met__prepared_add(prepared, NULL, 0, 0, NULL),
                         MET_OK);
        must_settle(store);
        settled += 2;
        assert_int_equal(settled_events(store), settled);
        assert_int_equal(truncate(path_of(name), size), 0);
        if (turn % 2 == 0) { /* said by who settles, too */
            assert_int_equal(met__settle(store, NULL, 0, 0, &report, NULL),
                             MET_OK);
            assert_true(report.slots_damaged + report.cells_unreadable > 0);
            assert_true(report.held_up_count > 0);
        }
        assert_int_equal(met__recorder_tick(recorder), MET_E_CORRUPT);
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        assert_int_equal(met__prepared_add(prepared, NULL, 0, 0, NULL),
                         MET_OK);
        settled++;
        test_now_ns += MET__MINUTE_NS;
        assert_int_equal(met__recorder_tick(recorder), MET_OK);
        must_settle(store);
        assert_int_equal(settled_events(store), settled);
        if (turn % 2 == 0) { /* the file is nobody's any more */
            assert_int_equal(unlink(path_of(name)), 0);
        }
        report = must_settle(store);
        assert_int_equal(report.slots_damaged + report.cells_unreadable, 0);
    }
    met__prepared_close(prepared);
    met__recorder_close(recorder);
}

/* No room for another file: events are refused with a reason until a tick
 * finds some. */
static void test_cut__and_no_room(void **state)
{
    met_recorder *recorder = must_recorder(store, 64);
    test_event event = {.type = "t", .subject = "1"};

    must_add(recorder, "t", "1", "x");
    must_settle(store);
    assert_int_equal(truncate(path_of("0000.map"), 8192), 0);
    is_full = 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(met__recorder_tick(recorder), MET_E_DISK_FULL);
        assert_int_equal(add_event(recorder, &event), MET_E_IO);
        assert_non_null(strstr(last_info.reason, "was cut short"));
        assert_int_equal(met__recorder_plan(recorder) > 0, 1);
    }
    is_full = 0;
    assert_int_equal(met__recorder_tick(recorder), MET_OK);
    must_add(recorder, "t", "1", "x");
    met__recorder_close(recorder);
    must_settle(store);
    assert_int_equal(settled_events(store), 2);

    recorder = must_recorder(store, 64); /* closed while it has no file */
    assert_int_equal(truncate(path_of("plan.map"), 0), 0);
    is_full = 1;
    assert_int_equal(met__recorder_tick(recorder), MET_E_DISK_FULL);
    met__recorder_close(recorder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cut__while_it_is_read),
        TEST(test_copies__of_a_moving_cell),
        TEST(test_copies__of_a_torn_cell),
        TEST(test_cut__under_its_owner),
        TEST(test_cut__and_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
