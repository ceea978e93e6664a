/* The table: opening under every condition of the file, finding, filling,
 * failing memory and disks, and bytes that nobody of us wrote. */
#include "quota_support.h"

#include <fcntl.h>

static char home[64];
static char path[128];
static met__platform platform;
static const char *boot_text = NULL; /* another boot's id */

static int other_boot_id(void *context, char text_out[64])
{
    if (boot_text == NULL) {
        return met__os_default()->boot_id(NULL, text_out);
    }
    snprintf(text_out, 64, "%s", boot_text);
    return 0;
}

static met__os table_of_calls;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(path, sizeof path, "%s/quota.map", home);
    assert_int_equal(met__platform_init(&platform, NULL, NULL), MET_OK);
    table_of_calls = *met__os_default();
    table_of_calls.boot_id = other_boot_id;
    platform.os = &table_of_calls;
    boot_text = NULL;
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

static met__quota_table *open_table(uint64_t capacity, uint32_t is_empty)
{
    met__quota_table *table = NULL;
    uint32_t found = 9;

    assert_int_equal(met__quota_open(&platform, path, quota_store, capacity,
                                     &table, &found, NULL),
                     MET_OK);
    assert_int_equal(found, is_empty);
    return table;
}

static int count_files(void *context, const met__os_entry *entry)
{
    ++*(int *)context;
    return 0;
}

static int files_in_home(void)
{
    int count = 0;

    assert_true(met__os_default()->list(NULL, home, &count, count_files) >= 0);
    return count;
}

static void keeps_cells_between_opens(void **state)
{
    met__quota_table *table = open_table(10, 1);
    met__quota_period period = quota_period_of(7, 100);
    met__quota_ticket ticket;

    assert_int_equal(met__quota_prepare(table, quota_key_of(1), &period),
                     MET_OK);
    assert_int_equal(quota_ask(table, quota_key_of(1), 7, 30, 0, &ticket), 1);
    met__quota_close(table);
    /* The one who filled it may have died before he was done. */
    table = open_table(10, 1);
    met__quota_set_filled(table);
    met__quota_table *second = open_table(99999, 0);
    assert_int_equal(quota_state_of(second, quota_key_of(1), 7).taken, 30);
    quota_done(second, &ticket, 20);
    assert_int_equal(quota_state_of(table, quota_key_of(1), 7).left, 80);
    met__quota_close(table);
    met__quota_close(second);
    met__quota_close(NULL);
    assert_int_equal(files_in_home(), 1);
}

static void is_empty_after_a_boot(void **state)
{
    met__quota_table *table = open_table(10, 1);
    met__quota_period period = quota_period_of(7, 100);
    met__quota_state answer;

    assert_int_equal(met__quota_prepare(table, quota_key_of(1), &period),
                     MET_OK);
    met__quota_set_filled(table);
    boot_text = "00000000-0000-0000-0000-000000000001";
    met__quota_table *later = open_table(20, 1);
    assert_int_equal(met__quota_read(later, quota_key_of(1), 7, &answer),
                     MET_E_NOT_FOUND);
    /* Who still has the old one is not disturbed. */
    assert_int_equal(quota_state_of(table, quota_key_of(1), 7).left, 100);
    met__quota_set_filled(later);
    met__quota_close(later);
    met__quota_close(open_table(20, 0));
    met__quota_close(table);
    assert_int_equal(files_in_home(), 1);
}

static void refuses_while_another_replaces(void **state)
{
    uint32_t is_empty;
    met__quota_table *table = open_table(10, 1);

    met__quota_close(table);
    boot_text = "00000000-0000-0000-0000-000000000001";
    int file = met__os_default()->open(NULL, path, 0);
    assert_true(file >= 0);
    assert_int_equal(met__os_default()->lock(NULL, file, MET__OS_LOCK_TRY, 0),
                     0);
    table = NULL;
    assert_int_equal(met__quota_open(&platform, path, quota_store, 10, &table,
                                     &is_empty, NULL),
                     MET_E_BUSY);
    assert_null(table);
    met__os_default()->close(NULL, file);
    met__quota_close(open_table(10, 1));
}

static void write_at(uint64_t offset, const void *bytes, size_t size)
{
    int file = met__os_default()->open(NULL, path, 0);

    assert_true(file >= 0);
    assert_int_equal(
        met__os_default()->write_at(NULL, file, bytes, size, offset), size);
    met__os_default()->close(NULL, file);
}

static void expect_refused(met_error expected)
{
    met__quota_table *table = NULL;
    uint32_t is_empty = 5;
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met__quota_open(&platform, path, quota_store, 10, &table,
                                     &is_empty, &info),
                     expected);
    assert_null(table);
    assert_int_equal(is_empty, 5);
    assert_int_equal(info.code, expected);
}

static void refuses_files_of_others(void **state)
{
    static const uint8_t other[16] = {9};
    met__quota_table *table = open_table(10, 1);
    uint32_t is_empty;
    int file;

    met__quota_close(table);
    assert_int_equal(met__quota_open(&platform, path, other, 10, &table,
                                     &is_empty, NULL),
                     MET_E_FOREIGN);
    /* A flipped bit in every byte of the header's used part. */
    for (uint64_t i = 0; i < sizeof(met__file_header); i++) {
        unsigned char byte;
        file = met__os_default()->open(NULL, path, 0);
        assert_int_equal(
            met__os_default()->read_at(NULL, file, &byte, 1, i), 1);
        met__os_default()->close(NULL, file);
        byte ^= 4;
        write_at(i, &byte, 1);
        table = NULL;
        assert_int_not_equal(met__quota_open(&platform, path, quota_store, 10,
                                             &table, &is_empty, NULL),
                             MET_OK);
        assert_null(table);
        byte ^= 4;
        write_at(i, &byte, 1);
    }
    met__quota_close(open_table(10, 1));
}

/* Cut short or emptied: nothing that is needed was in it. */
static void makes_anew_what_was_cut_short(void **state)
{
    static const uint64_t sizes[] = {8192, 4096, 2048, 1024, 100, 8, 1, 0};
    uint32_t is_empty;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        met__quota_table *table = open_table(10, 1);
        met__quota_set_filled(table);
        met__quota_close(table);
        int file = met__os_default()->open(NULL, path, 0);
        assert_int_equal(met__os_default()->truncate(NULL, file, sizes[i]),
                         0);
        met__os_default()->close(NULL, file);
        is_empty = 5;
        int is_short = sizes[i] < QUOTA_CELLS_OFFSET + 13 * 128;
        assert_int_equal(met__quota_open(&platform, path, quota_store, 10,
                                         &table, &is_empty, NULL),
                         MET_OK);
        assert_int_equal(is_empty, is_short);
        met__quota_close(table);
        temp_remove(path);
    }
}

/* A header that is whole and lies about the number of cells. */
static void refuses_counts_beyond_the_file(void **state)
{
    static const uint64_t counts[] = {0, 14, UINT64_MAX, UINT64_C(1) << 57,
                                      UINT64_MAX / 128 + 2};
    met__file_header header;

    met__quota_close(open_table(10, 1));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int file = met__os_default()->open(NULL, path, 0);
        assert_int_equal(met__os_default()->read_at(NULL, file, &header,
                                                    sizeof header, 0),
                         sizeof header);
        met__os_default()->close(NULL, file);
        header.parameters[0] = counts[i];
        header.checksum = met__checksum(&header,
                                        offsetof(met__file_header, checksum));
        write_at(0, &header, sizeof header);
        expect_refused(MET_E_CORRUPT);
    }
    header.parameters[0] = 1; /* fewer than there is room for: fine */
    header.checksum = met__checksum(&header,
                                    offsetof(met__file_header, checksum));
    write_at(0, &header, sizeof header);
    met__quota_table *table = open_table(10, 1);
    met__quota_period period = quota_period_of(1, 1);
    assert_int_equal(met__quota_prepare(table, quota_key_of(1), &period),
                     MET_OK);
    assert_int_equal(met__quota_prepare(table, quota_key_of(2), &period),
                     MET_E_TABLE_FULL);
    met__quota_close(table);
}

static void refuses_capacities(void **state)
{
    met__quota_table *table = NULL;
    uint32_t is_empty;
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met__quota_open(&platform, path, quota_store, 0, &table,
                                     &is_empty, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "capacity");
    assert_int_equal(met__quota_open(&platform, path, quota_store,
                                     MET__QUOTA_CAPACITY_MAX + 1, &table,
                                     &is_empty, NULL),
                     MET_E_INVALID);
    assert_int_equal(files_in_home(), 0);
}

static void holds_as_many_cells_as_asked(void **state)
{
    static const uint64_t capacities[] = {1, 2, 3, 7, 10, 100, 5000};

    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        met__quota_table *table = open_table(capacities[i], 1);
        met_error error = MET_OK;
        uint64_t count = 0;

        while (error == MET_OK) {
            met__quota_period period = quota_period_of(1, (int64_t)count);
            error = met__quota_prepare(table, quota_key_of(count), &period);
            count += error == MET_OK;
        }
        assert_int_equal(error, MET_E_TABLE_FULL);
        assert_true(count >= capacities[i]);
        for (uint64_t k = 0; k < count; k++) {
            assert_int_equal(quota_state_of(table, quota_key_of(k), 1).limit,
                             k);
        }
        /* What is there can still be changed and used. */
        met__quota_period next = quota_period_of(2, 5);
        met__quota_ticket ticket;
        assert_int_equal(met__quota_prepare(table, quota_key_of(0), &next),
                         MET_OK);
        assert_int_equal(quota_ask(table, quota_key_of(0), 2, 5, 0, &ticket),
                         1);
        met__quota_close(table);
        temp_remove(path);
    }
}

static void tells_keys_apart_by_both_halves(void **state)
{
    met__quota_table *table = open_table(50, 1);
    met__hash128 keys[] = {{0, 0}, {5, 5}, {5, 6}, {6, 5}, {5, 0}, {0, 5},
                           {UINT64_MAX, UINT64_MAX}};
    met__quota_state answer;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        met__quota_period period = quota_period_of(3, (int64_t)i + 1);
        assert_int_equal(met__quota_read(table, keys[i], 3, &answer),
                         MET_E_NOT_FOUND);
        assert_int_equal(met__quota_prepare(table, keys[i], &period), MET_OK);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(quota_state_of(table, keys[i], 3).limit, i + 1);
    }
    met__quota_close(table);
}

/* Killed between the two halves of a key: the place is found again by the
 * next who wants it, and by nobody else with another first half. */
static void completes_a_half_made_cell(void **state)
{
    met__quota_table *table = open_table(2, 1); /* 3 cells */
    met__hash128 key = {0x1234, 0x5678};
    met__quota_period period = quota_period_of(1, 4);
    met__quota_state answer;
    uint64_t low = key.low;

    met__quota_close(table);
    write_at(QUOTA_CELLS_OFFSET, &low, sizeof low); /* its first place */
    table = open_table(2, 1);
    assert_int_equal(met__quota_read(table, key, 1, &answer),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__quota_prepare(table, quota_key_of(1), &period),
                     MET_OK);
    assert_int_equal(met__quota_prepare(table, quota_key_of(2), &period),
                     MET_OK);
    assert_int_equal(met__quota_prepare(table, quota_key_of(3), &period),
                     MET_E_TABLE_FULL);
    assert_int_equal(met__quota_prepare(table, key, &period), MET_OK);
    assert_int_equal(quota_state_of(table, key, 1).left, 4);
    met__quota_close(table);
}

static void checks_arguments(void **state)
{
    met__quota_table *table = open_table(10, 1);
    met__hash128 key = quota_key_of(1);
    met__quota_ticket ticket = {0};
    met__quota_state answer;
    int64_t max = MET__QUOTA_AMOUNT_MAX;
    const struct {
        met__quota_period period;
        met_error expected;
    } rows[] = {
        {{.number = 0}, MET_E_INVALID},
        {{.number = MET__QUOTA_NUMBER_MAX + 1}, MET_E_INVALID},
        {{.number = UINT64_MAX}, MET_E_INVALID},
        {{.number = 1, .next_limit = -1}, MET_E_INVALID},
        {{.number = 1, .taken = -1}, MET_E_INVALID},
        {{.number = 1, .flags = 4}, MET_E_INVALID},
        {{.number = 1, .limit = max + 1}, MET_E_LIMIT},
        {{.number = 1, .limit = INT64_MAX}, MET_E_LIMIT},
        {{.number = 1, .limit = -max - 1}, MET_E_LIMIT},
        {{.number = 1, .limit = INT64_MIN}, MET_E_LIMIT},
        {{.number = 1, .next_limit = max + 1}, MET_E_LIMIT},
        {{.number = 1, .taken = max + 1}, MET_E_LIMIT},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(met__quota_prepare(table, key, &rows[i].period),
                         rows[i].expected);
        assert_int_equal(met__quota_read(table, key, rows[i].period.number,
                                         &answer),
                         MET_E_NOT_FOUND);
    }
    met__quota_period period = quota_period_of(MET__QUOTA_NUMBER_MAX, 5);
    assert_int_equal(met__quota_prepare(table, key, &period), MET_OK);
    assert_int_equal(met__quota_admit(table, key, MET__QUOTA_NUMBER_MAX, -1,
                                      0, 0, &ticket, &answer),
                     MET_E_INVALID);
    assert_int_equal(met__quota_admit(table, key, MET__QUOTA_NUMBER_MAX, 1,
                                      -1, 0, &ticket, &answer),
                     MET_E_INVALID);
    assert_int_equal(met__quota_admit(table, key, MET__QUOTA_NUMBER_MAX,
                                      max + 1, 0, 0, &ticket, &answer),
                     MET_E_LIMIT);
    assert_int_equal(met__quota_admit(table, key, 0, 1, 0, 0, &ticket, &answer),
                     MET_E_INVALID);
    assert_int_equal(met__quota_admit(table, quota_key_of(2), 1, 1, 0, 0,
                                      &ticket, &answer),
                     MET_E_NOT_FOUND);
    assert_int_equal(quota_set_limit(table, key, 1, 0), MET_E_NOT_FOUND);
    assert_int_equal(quota_set_limit(table, quota_key_of(2), 1, 0),
                     MET_E_NOT_FOUND);
    /* Tickets that never were: an empty one is fine, a wild one is not. */
    assert_int_equal(met__quota_release(table, &ticket), MET_OK);
    assert_int_equal(met__quota_complete_begin(table, &ticket, 5), MET_OK);
    assert_int_equal(met__quota_complete_end(table, &ticket), MET_OK);
    assert_int_equal(met__quota_complete_begin(table, &ticket, -5),
                     MET_E_INVALID);
    ticket.place = 27; /* 13 cells have 26 sides */
    assert_int_equal(met__quota_release(table, &ticket), MET_E_INVALID);
    ticket.place = UINT64_MAX;
    assert_int_equal(met__quota_complete_begin(table, &ticket, 1),
                     MET_E_INVALID);
    assert_int_equal(met__quota_complete_end(table, &ticket), MET_E_INVALID);
    met__quota_close(table);
}

/* Any bytes in the cells: answers, never a signal (the sanitizers watch), and
 * every loop ends. */
static void survives_hostile_bytes(void **state)
{
    uint64_t seed = 99;
    uint64_t words[13 * 16];

    for (int round = 0; round < 300; round++) {
        met__quota_table *table = open_table(10, 1);
        met__quota_close(table);
        for (size_t i = 0; i < 13 * 16; i++) {
            words[i] = round % 3 == 0   ? quota_random(&seed)
                       : round % 3 == 1 ? UINT64_MAX
                                        : quota_random(&seed) & 0x8f;
            if (i % 8 == 0 && round % 2 == 0) {
                met__hash128 key = quota_key_of(quota_random(&seed) % 8);
                words[i] = i % 16 == 0 ? key.low : key.high;
            }
        }
        write_at(QUOTA_CELLS_OFFSET, words, sizeof words);
        table = open_table(10, 1);
        for (int i = 0; i < 200; i++) {
            met__hash128 key = quota_key_of(quota_random(&seed) % 8);
            uint64_t number = 1 + (words[i % 208] & MET__QUOTA_NUMBER_MAX) % 3;
            met__quota_period period = quota_period_of(number, 1000);
            met__quota_ticket ticket;
            met__quota_state answer;

            met__quota_prepare(table, key, &period);
            quota_set_limit(table, key, number, -3);
            met__quota_read(table, key, number, &answer);
            if (met__quota_admit(table, key, number, i, i * SLICE, 0, &ticket,
                                 &answer)
                == MET_OK) {
                ticket.place = quota_random(&seed) % 30;
                met__quota_complete_begin(table, &ticket, i * 7 % 300);
                met__quota_complete_end(table, &ticket);
                met__quota_release(table, &ticket);
            }
        }
        met__quota_close(table);
        temp_remove(path);
    }
}

/* Changes every bucket whose lowest byte is `amount`; how many. */
static int damage_buckets(uint8_t amount, int change)
{
    uint64_t words[13 * 16];
    int file = met__os_default()->open(NULL, path, 0);
    int found = 0;

    assert_true(file >= 0);
    assert_int_equal(met__os_default()->read_at(NULL, file, words,
                                                sizeof words,
                                                QUOTA_CELLS_OFFSET),
                     sizeof words);
    met__os_default()->close(NULL, file);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (i % 8 >= 6 && (words[i] & 0xff) == amount) {
            words[i] += (uint64_t)(int64_t)change;
            write_at(QUOTA_CELLS_OFFSET + i * 8, &words[i], sizeof *words);
            found++;
        }
    }
    return found;
}

/* A bucket that says less than it holds withholds; one that says more gives
 * back recorded units too, but taken is never below 0. */
static void survives_wrong_buckets(void **state)
{
    static const int changes[] = {-5, -2, 1, 90};

    for (uint64_t i = 0; i < 4; i++) {
        met__hash128 key = quota_key_of(1);
        met__quota_table *table = open_table(10, 1);
        met__quota_period period = quota_period_of(1, 100);
        met__quota_ticket ticket;
        met__quota_ticket later;

        assert_int_equal(met__quota_prepare(table, key, &period), MET_OK);
        assert_int_equal(quota_ask(table, key, 1, 5, 0, &ticket), 1);
        assert_int_equal(damage_buckets(5, changes[i]), 1);
        quota_done(table, &ticket, 2);
        met__quota_state found = quota_state_of(table, key, 1);
        assert_int_equal(found.taken, changes[i] < 0 ? 7 : 2);
        assert_int_equal(quota_ask(table, key, 1, 1, 3 * SLICE, &later), 1);
        found = quota_state_of(table, key, 1);
        assert_int_equal(found.reserved_in_flight, 1);
        assert_int_equal(found.taken, changes[i] == -5   ? 8
                                      : changes[i] == -2 ? 5
                                      : changes[i] == 1  ? 2
                                                         : 1);
        met__quota_close(table);
        temp_remove(path);
    }
}

static void fails_cleanly(void **state)
{
    faulty_memory memory = {0};
    faulty_disk disk;

    for (long k = 1;; k++) {
        met__quota_table *table = NULL;
        uint32_t is_empty;
        faulty_disk_init(&disk);
        met__platform broken = faulty_platform(&memory, &disk);
        disk.fail_at = k;
        met_error error = met__quota_open(&broken, path, quota_store, 10,
                                          &table, &is_empty, NULL);
        /* Closing and tidying up may fail without harm. */
        assert_true(error == MET_E_IO
                    || (error == MET_OK
                        && (disk.calls < k || strcmp(disk.last, "close") == 0
                            || strcmp(disk.last, "unlink") == 0
                            || strcmp(disk.last, "lock") == 0)));
        met__quota_close(table);
        assert_int_equal(disk.open_files, 0);
        assert_int_equal(memory.live, 0);
        if (error == MET_OK && disk.calls < k) {
            assert_true(k > 8);
            break;
        }
        temp_remove(path);
    }
    memory.fail_at = memory.calls + 1;
    met__quota_table *table = NULL;
    uint32_t is_empty;
    met__platform broken = faulty_platform(&memory, NULL);
    assert_int_equal(met__quota_open(&broken, path, quota_store, 10, &table,
                                     &is_empty, NULL),
                     MET_E_NO_MEMORY);
    assert_null(table);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(keeps_cells_between_opens),
        TEST(is_empty_after_a_boot),
        TEST(refuses_while_another_replaces),
        TEST(refuses_files_of_others),
        TEST(makes_anew_what_was_cut_short),
        TEST(refuses_counts_beyond_the_file),
        TEST(refuses_capacities),
        TEST(holds_as_many_cells_as_asked),
        TEST(tells_keys_apart_by_both_halves),
        TEST(completes_a_half_made_cell),
        TEST(checks_arguments),
        TEST(survives_hostile_bytes),
        TEST(survives_wrong_buckets),
        TEST(fails_cleanly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
