/* Mapped files: made whole, checked before use, nothing left behind when a
 * call of the operating system fails. */
#include "base_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mapped_file.h"

static char directory[64];

static met__mapped_spec some_spec(void)
{
    met__mapped_spec spec = {.magic = "METTEST1", .layout = 3, .size = 16384,
                             .store_id = {1, 2, 3}, .config_hash = 77,
                             .parameters = {5, 6}};
    return spec;
}

static met_error fill(void *context, unsigned char *memory, uint64_t size)
{
    memset(memory + MET__FILE_HEADER_SIZE, 'b',
           size - MET__FILE_HEADER_SIZE);
    return *(met_error *)context;
}

static int entries(void)
{
    DIR *listing = opendir(directory);
    int count = -2;

    while (readdir(listing) != NULL) {
        count++;
    }
    closedir(listing);
    return count;
}

static met_error open_as(const met__mapped_spec *spec, int create,
                         met__mapped_file *out, met_error_info *info)
{
    met__platform platform = faulty_platform(NULL, NULL);
    return met__mapped_file_open(&platform, temp_path(directory, "file"),
                                 spec, create, out, info);
}

static void close_it(met__mapped_file *file)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__mapped_file_close(&platform, file);
}

static int start(void **state)
{
    temp_directory(directory, sizeof directory);
    return 0;
}

static int stop(void **state)
{
    temp_remove(directory);
    return 0;
}

static void test_made_whole_then_found(void **state)
{
    met_error answer = MET_OK;
    met_error_info info = empty_info();
    met__mapped_spec spec = some_spec();
    met__mapped_file one;
    met__mapped_file two;

    spec.prepare = fill;
    spec.context = &answer;
    assert_int_equal(open_as(&spec, 0, &one, NULL), MET_E_NOT_FOUND);
    assert_int_equal(open_as(&spec, 1, &one, &info), MET_OK);
    assert_string_equal(info.reason, ""); /* there is nothing to tell */
    assert_true(one.is_new && one.size == 16384);
    assert_true(one.memory[MET__FILE_HEADER_SIZE] == 'b');
    assert_int_equal(open_as(&spec, 1, &two, NULL), MET_OK);
    assert_false(two.is_new);
    one.memory[9000] = 'z'; /* shared */
    assert_true(two.memory[9000] == 'z');
    assert_true(met__mapped_file_header(&two)->parameters[1] == 6);
    assert_int_equal(entries(), 1);
    struct stat found;
    assert_int_equal(stat(temp_path(directory, "file"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_true(found.st_blocks * 512 >= 16384); /* not sparse */
    close_it(&one);
    close_it(&two);
    close_it(&two); /* closing twice is harmless */
}

static void test_a_failing_prepare_leaves_nothing(void **state)
{
    met_error answer = MET_E_LIMIT;
    met__mapped_spec spec = some_spec();
    met__mapped_file file = {0};

    spec.prepare = fill;
    spec.context = &answer;
    assert_int_equal(open_as(&spec, 1, &file, NULL), MET_E_LIMIT);
    assert_int_equal(entries(), 0);
    assert_null(file.memory);
}

static void test_what_is_not_ours_is_refused(void **state)
{
    met__mapped_spec spec = some_spec();
    met__mapped_spec other;
    met__mapped_file file;
    met_error_info info = empty_info();

    assert_int_equal(open_as(&spec, 1, &file, NULL), MET_OK);
    close_it(&file);
    other = spec;
    other.magic = "METTEST2";
    assert_int_equal(open_as(&other, 1, &file, &info), MET_E_FOREIGN);
    assert_non_null(strstr(info.field, "file"));
    other = spec;
    other.layout = 4;
    assert_int_equal(open_as(&other, 1, &file, &info), MET_E_LAYOUT);
    other = spec;
    other.store_id[0] = 9;
    assert_int_equal(open_as(&other, 1, &file, &info), MET_E_FOREIGN);
    other = spec;
    other.config_hash = 78;
    assert_int_equal(open_as(&other, 1, &file, &info), MET_E_LAYOUT);
    other.config_hash = 0; /* any configuration */
    assert_int_equal(open_as(&other, 1, &file, &info), MET_OK);
    close_it(&file);
}

static void test_every_flipped_bit_of_the_header_is_seen(void **state)
{
    met__mapped_spec spec = some_spec();
    met__mapped_file file;

    assert_int_equal(open_as(&spec, 1, &file, NULL), MET_OK);
    for (size_t bit = 0; bit < sizeof(met__file_header) * 8; bit++) {
        met__mapped_file second = {0};
        file.memory[bit / 8] ^= (unsigned char)(1 << bit % 8);
        met_error error = open_as(&spec, 0, &second, NULL);
        if (error != MET_E_CORRUPT && error != MET_E_FOREIGN
            && error != MET_E_LAYOUT) {
            fail_msg("bit %zu: %s", bit, met_error_name(error));
        }
        file.memory[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    close_it(&file);
}

static void test_cut_and_foreign_files(void **state)
{
    met__mapped_spec spec = some_spec();
    met__mapped_file file;
    static const off_t sizes[] = {0, 1, MET__FILE_HEADER_SIZE - 1,
                                  MET__FILE_HEADER_SIZE, 16383};

    assert_int_equal(open_as(&spec, 1, &file, NULL), MET_OK);
    close_it(&file);
    for (size_t i = sizeof sizes / sizeof *sizes; i-- > 0;) {
        assert_int_equal(truncate(temp_path(directory, "file"), sizes[i]), 0);
        assert_int_equal(open_as(&spec, 1, &file, NULL), MET_E_CORRUPT);
    }
    unlink(temp_path(directory, "file"));
    assert_int_equal(symlink("/dev/zero", temp_path(directory, "file")), 0);
    assert_int_equal(open_as(&spec, 1, &file, NULL), MET_E_IO);
    unlink(temp_path(directory, "file"));
    assert_int_equal(mkfifo(temp_path(directory, "file"), 0600), 0);
    assert_int_equal(open_as(&spec, 1, &file, NULL), MET_E_FOREIGN);
    unlink(temp_path(directory, "file"));
    assert_int_equal(mkdir(temp_path(directory, "file"), 0700), 0);
    assert_true(open_as(&spec, 1, &file, NULL) != MET_OK);
}

static void test_growing_keeps_the_content(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__mapped_spec spec = some_spec();
    met__mapped_file file;
    met__mapped_file again;

    assert_int_equal(open_as(&spec, 1, &file, NULL), MET_OK);
    file.memory[16383] = 'q';
    assert_int_equal(met__mapped_file_grow(&platform, &file, 65536), MET_OK);
    assert_true(file.size == 65536 && file.memory[16383] == 'q'
                && file.memory[65535] == 0);
    assert_int_equal(open_as(&spec, 0, &again, NULL), MET_OK);
    assert_true(again.size == 65536);
    close_it(&again);
    close_it(&file);
}

static void test_every_failing_call_leaves_nothing_open(void **state)
{
    for (int for_ever = 0; for_ever <= 1; for_ever++) {
        int is_done = 0;
        for (long k = 1; !is_done && k < 100; k++) {
            met__mapped_spec spec = some_spec();
            met__mapped_file file = {0};
            faulty_disk disk;
            faulty_disk_init(&disk);
            disk.fail_at = k;
            disk.for_ever = for_ever;
            disk.error = ENOSPC;
            met__platform platform = faulty_platform(NULL, &disk);
            met_error error = met__mapped_file_open(
                &platform, temp_path(directory, "file"), &spec, 1, &file,
                NULL);
            if (error == MET_OK) {
                is_done = disk.last[0] == '\0';
                met__mapped_file_close(&platform, &file);
            } else {
                assert_int_equal(error, MET_E_DISK_FULL);
            }
            assert_int_equal(disk.open_files, 0);
            /* What failed can be done now. */
            assert_int_equal(open_as(&spec, 1, &file, NULL), MET_OK);
            close_it(&file);
            temp_remove(directory);
            assert_int_equal(mkdir(directory, 0700), 0);
        }
        assert_true(is_done);
    }
}

static void test_another_boot_has_another_hash(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    uint64_t one;
    uint64_t two;

    assert_int_equal(met__boot_hash(&platform, &one), MET_OK);
    assert_int_equal(met__boot_hash(&platform, &two), MET_OK);
    assert_true(one == two && one != met__checksum("", 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_made_whole_then_found),
        TEST(test_a_failing_prepare_leaves_nothing),
        TEST(test_what_is_not_ours_is_refused),
        TEST(test_every_flipped_bit_of_the_header_is_seen),
        TEST(test_cut_and_foreign_files),
        TEST(test_growing_keeps_the_content),
        TEST(test_every_failing_call_leaves_nothing_open),
        TEST(test_another_boot_has_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
