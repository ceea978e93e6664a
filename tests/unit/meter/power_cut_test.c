/* A power cut: the slot file comes back with any mixture of old and new
 * sectors, the store as it was committed. Nothing that was settled is lost or
 * counted twice, nothing is made up, and the slot serves again. */
#include "usage_support.h"

#include "meter/slot_file.h"
#include "meter/tally_report.h"

#define SNAPSHOTS 6
#define SUBJECTS 3
#define MINUTES 16
#define SECTOR 512

static char home[64];
static uint64_t states_wanted = 20;
static met_store *store;
static faulty_disk disk;
static const char *boot;
static uint64_t random_state;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static int boot_id(void *context, char text_out[64])
{
    (void)context;
    snprintf(text_out, 64, "%s", boot);
    return 0;
}

static void start(const char *boot_name)
{
    met__platform platform;

    boot = boot_name;
    faulty_disk_init(&disk);
    disk.table.boot_id = boot_id;
    platform = test_platform(NULL, &disk);
    assert_int_equal(met__store_open(&platform, temp_path(home, "s"), MAP_SIZE,
                                     1, &store, NULL),
                     MET_OK);
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    test_now_ns = START_NS;
    start("one");
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

/* --- The slot file at several times --------------------------------------- */
typedef struct snapshot {
    unsigned char *bytes;
    size_t size;
} snapshot;

static snapshot snapshots[SNAPSHOTS];

static const char *slot_path(void)
{
    return temp_path(home, "s/tally/0000.map");
}

static void take_snapshot(int number)
{
    FILE *file = fopen(slot_path(), "rb");
    snapshot *taken = &snapshots[number];

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    taken->size = (size_t)ftell(file);
    rewind(file);
    free(taken->bytes);
    taken->bytes = malloc(taken->size);
    assert_non_null(taken->bytes);
    assert_int_equal(fread(taken->bytes, 1, taken->size, file), taken->size);
    fclose(file);
}

/* Every sector as it was at one of the times; the size is the last one. */
static void cut_power(void)
{
    const snapshot *last = &snapshots[SNAPSHOTS - 1];
    FILE *file = fopen(slot_path(), "wb");
    static const unsigned char zeros[SECTOR];

    assert_non_null(file);
    for (size_t at = 0; at < last->size; at += SECTOR) {
        const snapshot *from = &snapshots[next_random(SNAPSHOTS)];
        fwrite(at < from->size ? from->bytes + at : zeros, 1, SECTOR, file);
    }
    assert_int_equal(fclose(file), 0);
}

/* --- What was counted ----------------------------------------------------- */
typedef struct tallies {
    int64_t counts[MINUTES][SUBJECTS];
    int64_t sums[MINUTES][SUBJECTS];
} tallies;

static tallies counted;

static void note_part(void *context, uint32_t minute,
                      const met__usage_shape *shape, const uint64_t *words)
{
    tallies *found = context;
    int64_t m = (int64_t)minute - START_NS / MET__MINUTE_NS;
    int subject = shape->subject.data[0] - '0';

    assert_true(m >= 0 && m < MINUTES);
    assert_true(subject >= 0 && subject < SUBJECTS);
    found->counts[m][subject] += (int64_t)words[MET__PART_COUNT];
    found->sums[m][subject] += (int64_t)met__amount_get(
        words + MET__PART_QUANTITIES + MET__QUANTITY_SUM);
}

static void read_parts(tallies *found)
{
    *found = (tallies){0};
    each_part(store, found, note_part);
}

static void count_one(met_recorder *recorder)
{
    char subject[2] = {(char)('0' + next_random(SUBJECTS)), 0};
    char value[2] = {(char)('a' + next_random(2)), 0};
    test_event event = {.type = "t", .subject = subject, .a = value,
                        .quantity = "2"};
    int64_t minute = (test_now_ns - START_NS) / MET__MINUTE_NS;

    assert_int_equal(add_event(recorder, &event), MET_OK);
    counted.counts[minute][subject[0] - '0']++;
    counted.sums[minute][subject[0] - '0'] += 2 * INT64_C(1000000000);
}

static void work(met_recorder *recorder, int64_t last_minute)
{
    for (int i = 0; i < 30; i++) {
        count_one(recorder);
        if (next_random(8) == 0
            && test_now_ns < START_NS + last_minute * MET__MINUTE_NS) {
            test_now_ns += MET__MINUTE_NS;
        }
        if (next_random(10) == 0) {
            assert_int_equal(met__recorder_tick(recorder), MET_OK);
        }
        if (next_random(12) == 0) {
            must_settle(store);
        }
    }
}

static uint64_t unsettled(const char *name)
{
    met__arena arena;
    met__node *report;

    met__arena_init(&arena, met__store_platform(store));
    report = met__node_object(&arena);
    assert_int_equal(met__tally_describe(store, &arena, report), MET_OK);
    const met__node *tally = met__node_get(report, "tally");
    uint64_t value = (uint64_t)met__node_get(tally, name)->as.integer;
    met__arena_release(&arena);
    return value;
}

/* --- One cut -------------------------------------------------------------- */
static void check_between(const tallies *low, const tallies *found,
                          const tallies *high, uint64_t seed)
{
    for (int m = 0; m < MINUTES; m++) {
        for (int s = 0; s < SUBJECTS; s++) {
            if (found->counts[m][s] < low->counts[m][s]
                || found->counts[m][s] > high->counts[m][s]
                || found->sums[m][s]
                       != found->counts[m][s] * 2 * INT64_C(1000000000)) {
                fail_msg("seed %llu, minute %d, subject %d: %lld, not in "
                         "%lld to %lld",
                         (unsigned long long)seed, m, s,
                         (long long)found->counts[m][s],
                         (long long)low->counts[m][s],
                         (long long)high->counts[m][s]);
            }
        }
    }
}

static void run_seed(uint64_t seed)
{
    tallies settled;
    tallies found;

    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    counted = (tallies){0};
    met_recorder *recorder = must_recorder(store, 64);
    for (int i = 0; i < SNAPSHOTS; i++) {
        work(recorder, 8);
        take_snapshot(i);
    }
    snapshots[0].size = 4096; /* as it was made: a header and nothing */
    met__recorder_close(recorder);
    read_parts(&settled);
    met_store_close(store);
    cut_power();

    start("two");
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_retired, 1);
    read_parts(&found);
    check_between(&settled, &found, &counted, seed);
    report = must_settle(store);
    assert_int_equal(report.cells, 0);
    assert_int_equal(report.cells_unreadable, 0);

    /* The same slot serves again, to the last event. */
    counted = found;
    recorder = must_recorder(store, 64);
    assert_false(temp_exists(temp_path(home, "s/tally/0001.map")));
    for (int i = 0; i < 3; i++) {
        work(recorder, 14);
        report = must_settle(store);
        assert_int_equal(report.cells_unreadable, 0);
        read_parts(&found);
        check_between(&counted, &found, &counted, seed);
    }
    met__recorder_close(recorder);
    report = must_settle(store);
    assert_int_equal(report.slots_retired, 1);
    read_parts(&found);
    check_between(&counted, &found, &counted, seed);
    assert_int_equal(unsettled("cells_unreadable"), 0);
}

static void test_power_cut__seeds(void **state)
{
    for (uint64_t seed = 1; seed <= states_wanted; seed++) {
        run_seed(seed);
        teardown(NULL);
        setup(NULL);
    }
    for (int i = 0; i < SNAPSHOTS; i++) {
        free(snapshots[i].bytes);
    }
}

/* --- Damage in this boot -------------------------------------------------- */
static void flip(uint64_t offset)
{
    FILE *file = fopen(slot_path(), "r+b");
    int byte;

    assert_non_null(file);
    fseek(file, (long)offset, SEEK_SET);
    byte = fgetc(file);
    fseek(file, (long)offset, SEEK_SET);
    fputc(byte ^ 0x10, file);
    fclose(file);
}

/* Where the copy in force of the first cell with a quantity lies. */
static uint64_t first_cell_offset(void)
{
    met__slot slot = {0};
    uint64_t copy[MET__COPY_WORDS_MAX];
    uint64_t offset = 0;

    assert_int_equal(met__slot_open(store, 0, 0, &slot, NULL), MET_OK);
    for (uint32_t i = 0; offset == 0; i++) {
        uint32_t kind = met__slot_segment_kind(&slot, i);
        assert_true(kind != 0);
        if (kind >> 8 == MET__SEGMENT_CELLS
            && met__slot_read_cell(&slot, i, kind & 0xff, 0, copy)
                   == MET__CELL_READ) {
            offset = (uint64_t)((unsigned char *)met__slot_copy(
                                    &slot, i, kind & 0xff, 0,
                                    copy[MET__COPY_SEQUENCE] & 1)
                                - slot.file.memory);
        }
    }
    met__slot_close(&slot);
    return offset;
}

/* Damage without a power cut is never forgotten, and holds up nobody else. */
static void test_power_cut__damage_is_kept(void **state)
{
    met_recorder *bad = must_recorder(store, 64);
    met_recorder *good = must_recorder(store, 64);

    counted = (tallies){0};
    random_state = 7;
    test_event event = {.type = "t", .subject = "1", .a = "a",
                        .quantity = "2"};
    assert_int_equal(add_event(bad, &event), MET_OK);
    met__recorder_close(bad);
    uint64_t damaged = first_cell_offset() + 8 * MET__COPY_COUNT;
    flip(damaged);
    assert_int_equal(add_event(good, &event), MET_OK);
    for (int i = 0; i < 2; i++) {
        met__settle_report report = must_settle(store);
        assert_int_equal(report.cells_unreadable, 1);
        assert_int_equal(report.slots_retired, 0);
        assert_int_equal(settled_events(store), 1);
        assert_int_equal(unsettled("cells_unreadable"), 1);
    }
    flip(damaged);
    must_settle(store);
    assert_int_equal(settled_events(store), 2);
    met__recorder_close(good);
}

/* A header that is wrong: the file is passed over, others and new meters go
 * on; repaired, it delivers. */
static void test_power_cut__bad_header(void **state)
{
    met_recorder *bad = must_recorder(store, 64);
    met_recorder *good = must_recorder(store, 64);
    test_event event = {.type = "t", .subject = "1", .a = "a",
                        .quantity = "2"};

    assert_int_equal(add_event(bad, &event), MET_OK);
    met__recorder_close(bad);
    flip(20);
    assert_int_equal(add_event(good, &event), MET_OK);
    must_meter(store, COUNT_METER("late", "t", "\"z\":\"$.z\""));
    assert_int_equal(met__recorder_tick(good), MET_OK);
    met__settle_report report = must_settle(store);
    assert_int_equal(report.slots_damaged, 1);
    assert_int_equal(settled_events(store), 1);
    assert_int_equal(unsettled("slots_damaged"), 1);
    must_settle(store);
    assert_null(strstr(meter_json(store, "late"), "null"));
    assert_non_null(strstr(meter_json(store, "late"), "counting_since"));
    flip(20);
    report = must_settle(store);
    assert_int_equal(report.slots_damaged, 0);
    assert_int_equal(report.slots_retired, 1);
    assert_int_equal(settled_events(store), 2);
    met__recorder_close(good);
}

/* Every byte of a slot's first pages, wrong once: an answer, never a signal,
 * and the other recorder's usage arrives. */
static void test_power_cut__any_byte(void **state)
{
    met_recorder *bad = must_recorder(store, 64);
    met_recorder *good = must_recorder(store, 64);
    test_event event = {.type = "t", .subject = "1", .a = "a",
                        .quantity = "2"};

    assert_int_equal(add_event(bad, &event), MET_OK);
    met__recorder_close(bad);
    take_snapshot(0);
    for (size_t at = 0; at < 60000; at += at % 4096 < 128 ? 3 : 401) {
        snapshot *whole = &snapshots[0];
        FILE *file = fopen(slot_path(), "r+b");
        assert_non_null(file);
        fwrite(whole->bytes, 1, whole->size, file);
        fclose(file);
        flip(at);
        assert_int_equal(add_event(good, &event), MET_OK);
        met__settle_report report = {0};
        assert_int_equal(met__settle(store, NULL, 0, 0, &report, NULL),
                         MET_OK);
    }
    free(snapshots[0].bytes);
    snapshots[0].bytes = NULL;
    met__recorder_close(good);
}

/* power_cut_test [STATES] */
int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_power_cut__damage_is_kept),
        TEST(test_power_cut__bad_header),
        TEST(test_power_cut__any_byte),
        TEST(test_power_cut__seeds),
    };

    if (argc > 1) {
        states_wanted = strtoull(argv[1], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
