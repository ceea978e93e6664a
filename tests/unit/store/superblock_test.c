/* META alone: what is written is read, and every bit of it counts. */
#include "store_support.h"

#include "store/superblock.h"

static char home[64];
static char path[128];
static met__platform platform;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(path, sizeof path, "%s/META", home);
    platform = faulty_platform(NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

static void test_superblock__round_trip(void **state)
{
    static const unsigned char zeros[MET__SECRET_SIZE];
    met__superblock one;
    met__superblock two;
    struct stat found;

    assert_int_equal(met__superblock_create(&platform, 7, &one), MET_OK);
    assert_int_equal(met__superblock_create(&platform, 7, &two), MET_OK);
    assert_memory_not_equal(one.store_id, two.store_id, 16);
    assert_memory_not_equal(&one.secret, &two.secret, sizeof one.secret);
    assert_memory_not_equal(&one.secret, zeros, sizeof one.secret);
    assert_memory_not_equal(one.credential_key, two.credential_key, 32);
    assert_memory_not_equal(one.credential_key, zeros, 32);
    assert_true(one.created_at_ns > 0);

    assert_int_equal(met__superblock_write(&platform, path, &one, NULL),
                     MET_OK);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(met__superblock_read(&platform, path, &two, NULL),
                     MET_OK);
    assert_memory_equal(&one, &two, sizeof one);
    /* never over another one */
    assert_int_equal(met__superblock_write(&platform, path, &one, NULL),
                     MET_E_EXISTS);
    assert_int_equal(met__superblock_read(&platform, temp_path(home, "no"),
                                          &two, NULL),
                     MET_E_NOT_FOUND);
}

static void test_superblock__every_bit_and_size(void **state)
{
    met__superblock block;
    met__superblock back;
    size_t size;

    assert_int_equal(met__superblock_create(&platform, 7, &block), MET_OK);
    assert_int_equal(met__superblock_write(&platform, path, &block, NULL),
                     MET_OK);
    unsigned char *bytes = read_whole(path, &size);
    assert_int_equal(size, sizeof block);
    memset(&back, 0x5a, sizeof back);
    for (size_t bit = 0; bit < size * 8; bit++) {
        met_error_info info = {.struct_size = sizeof info};
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        write_whole(path, bytes, size);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        met_error error = met__superblock_read(&platform, path, &back, &info);
        met_error expect = bit < 64    ? MET_E_FOREIGN
                           : bit < 128 ? MET_E_LAYOUT
                                       : MET_E_CORRUPT;
        if (error != expect || info.code != error
            || strcmp(info.field, path) != 0) {
            fail_msg("bit %zu: %s %s", bit, met_error_name(error), info.field);
        }
    }
    for (size_t cut = 0; cut < size; cut++) {
        write_whole(path, bytes, cut);
        assert_int_equal(met__superblock_read(&platform, path, &back, NULL),
                         MET_E_CORRUPT);
    }
    free(bytes);
    const unsigned char *untouched = (const unsigned char *)&back;
    for (size_t i = 0; i < sizeof back; i++) {
        assert_int_equal(untouched[i], 0x5a);
    }
}

static void test_superblock__links_are_not_followed(void **state)
{
    met__superblock block;
    char other[128];

    snprintf(other, sizeof other, "%s/other", home);
    assert_int_equal(met__superblock_create(&platform, 7, &block), MET_OK);
    assert_int_equal(met__superblock_write(&platform, other, &block, NULL),
                     MET_OK);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(met__superblock_read(&platform, path, &block, NULL),
                     MET_E_IO);
    assert_int_equal(met__superblock_write(&platform, path, &block, NULL),
                     MET_E_EXISTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_superblock__round_trip),
        TEST(test_superblock__every_bit_and_size),
        TEST(test_superblock__links_are_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
