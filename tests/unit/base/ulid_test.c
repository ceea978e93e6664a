/* ULIDs: the example of the specification, order, refusals. */
#include "base_support.h"

#include "base/ulid.h"

static int fixed_random(void *context, void *bytes, size_t size)
{
    memset(bytes, *(int *)context, size);
    return 0;
}

static void test_known_values(void **state)
{
    met__os os = *met__os_default();
    met__platform platform = faulty_platform(NULL, NULL);
    met__ulid_series series = {0};
    char text[MET__ULID_SIZE + 1];
    int byte = 0;

    os.context = &byte;
    os.random = fixed_random;
    platform.os = &os;
    assert_int_equal(met__ulid_create(&platform, &series, 0, text), MET_OK);
    assert_string_equal(text, "00000000000000000000000000");
    byte = 0xff;
    /* 1469918176385 ms is 01ARYZ6S41 in the specification's example. */
    assert_int_equal(met__ulid_create(&platform, &series,
                                      INT64_C(1469918176385000000), text),
                     MET_OK);
    /* all ones but the first, which leaves room to count */
    assert_string_equal(text, "01ARYZ6S41FZZZZZZZZZZZZZZZ");
    assert_true(met__ulid_is(text, MET__ULID_SIZE));
    assert_int_equal(met__ulid_create(&platform, &series, -1, text),
                     MET_E_INVALID);
}

/* Of one instant: also where it carries. */
static void test_order_is_that_of_making(void **state)
{
    met__os os = *met__os_default();
    met__platform platform = faulty_platform(NULL, NULL);
    met__ulid_series series = {0};
    char last[MET__ULID_SIZE + 1] = "";
    int byte = 0xff;

    os.context = &byte;
    os.random = fixed_random;
    platform.os = &os;
    for (int i = 0; i < 100000; i++) {
        char text[MET__ULID_SIZE + 1];
        /* within a millisecond */
        assert_int_equal(met__ulid_create(&platform, &series,
                                          5000000 + i % 1000, text),
                         MET_OK);
        assert_true(strcmp(last, text) < 0);
        assert_memory_equal(text, "0000000005", 10);
        memcpy(last, text, sizeof last);
    }
}

static void test_order_is_time(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__ulid_series series = {0};
    char last[MET__ULID_SIZE + 1] = "";

    for (int64_t ms = 1; ms < INT64_C(9000000000000); ms = ms * 3 + 1) {
        char text[MET__ULID_SIZE + 1];
        assert_int_equal(
            met__ulid_create(&platform, &series, ms * 1000000, text), MET_OK);
        assert_true(strcmp(last, text) < 0);
        memcpy(last, text, sizeof last);
    }
}

static void test_what_is_none(void **state)
{
    static const char *const bad[] = {
        "", "01ARYZ6S41ZZZZZZZZZZZZZZZ", "01ARYZ6S41ZZZZZZZZZZZZZZZZZ",
        "81ARYZ6S41ZZZZZZZZZZZZZZZZ", "01ARYZ6S41ZZZZZZZZZZZZZZZI",
        "01ARYZ6S41ZZZZZZZZZZZZZZZu", "01ARYZ6S41 ZZZZZZZZZZZZZZZ",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(met__ulid_is(bad[i], strlen(bad[i])));
    }
    assert_false(met__ulid_is("0000000000000\0" "000000000000", 26));
}

static void test_no_randomness_is_an_error(void **state)
{
    faulty_disk disk;
    met__ulid_series series = {0};
    char text[MET__ULID_SIZE + 1];

    faulty_disk_init(&disk);
    disk.fail_at = 1;
    met__platform platform = faulty_platform(NULL, &disk);
    assert_int_equal(met__ulid_create(&platform, &series, 5, text), MET_E_IO);
    assert_int_equal(series.is_begun, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_order_is_time),
        cmocka_unit_test(test_order_is_that_of_making),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_no_randomness_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
