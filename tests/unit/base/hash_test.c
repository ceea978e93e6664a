/* Hashes: frozen values of the unkeyed one (they are on disk), and what a key
 * is for. */
#include "base_support.h"

#include "base/hash.h"

static void test_checksums_are_frozen(void **state)
{
    /* XXH3-64 without seed: published test values of xxHash 0.8. */
    assert_true(met__checksum("", 0) == UINT64_C(0x2d06800538d394c2));
    char text[256];
    for (int i = 0; i < 256; i++) {
        text[i] = (char)i;
    }
    uint64_t all = met__checksum(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] ^= 1;
        assert_true(met__checksum(text, sizeof text) != all);
        text[i] ^= 1;
    }
    assert_true(met__checksum_pair("a", 1, "bc", 2)
                != met__checksum_pair("ab", 2, "c", 1));
    assert_true(met__checksum_pair("a", 1, "x", 1)
                != met__checksum_pair("b", 1, "x", 1));
}

static void test_a_secret_changes_everything(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__secret one;
    met__secret two;

    assert_int_equal(met__secret_create(&platform, &one), MET_OK);
    assert_int_equal(met__secret_create(&platform, &two), MET_OK);
    assert_memory_not_equal(&one, &two, sizeof one);
    /* Also beyond the length where short inputs end (240 bytes). */
    static const char text[1000];
    static const size_t sizes[] = {0, 1, 3, 8, 16, 128, 240, 241, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(met__hash64(&one, text, sizes[i])
                    != met__hash64(&two, text, sizes[i]));
        met__hash128 a = met__hash128_of(&one, text, sizes[i]);
        met__hash128 b = met__hash128_of(&two, text, sizes[i]);
        assert_true(a.low != b.low && a.high != b.high);
        met__hash128 again = met__hash128_of(&one, text, sizes[i]);
        assert_true(a.low == again.low && a.high == again.high);
    }
}

static void test_no_randomness_is_an_error(void **state)
{
    faulty_disk disk;
    met__secret secret;

    faulty_disk_init(&disk);
    disk.fail_at = 1;
    met__platform platform = faulty_platform(NULL, &disk);
    assert_int_equal(met__secret_create(&platform, &secret), MET_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksums_are_frozen),
        cmocka_unit_test(test_a_secret_changes_everything),
        cmocka_unit_test(test_no_randomness_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
