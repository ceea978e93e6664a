/* Structs that grow: older and newer callers, forgotten sizes. */
#include "base_support.h"

#include "base/caller_struct.h"

typedef struct version_1 {
    size_t struct_size;
    uint64_t first;
} version_1;

typedef struct version_2 {
    size_t struct_size;
    uint64_t first;
    uint64_t second;
} version_2;

static met_error read_it(version_2 *known, const void *caller,
                         met_error_info *info)
{
    return met__struct_read(known, sizeof *known, sizeof(version_1), caller,
                            "config", info);
}

static void test_older_caller_gets_defaults(void **state)
{
    version_1 old = {sizeof old, 7};
    version_2 known = {1, 1, 1};

    assert_int_equal(read_it(&known, &old, NULL), MET_OK);
    assert_true(known.struct_size == sizeof known && known.first == 7
                && known.second == 0);
}

static void test_newer_caller_works_while_the_field_is_unset(void **state)
{
    struct {
        version_2 known;
        uint64_t third;
    } newer = {{sizeof newer, 7, 8}, 0};
    met_error_info info = empty_info();
    version_2 known;

    assert_int_equal(read_it(&known, &newer, &info), MET_OK);
    assert_true(known.second == 8);
    newer.third = 1;
    assert_int_equal(read_it(&known, &newer, &info), MET_E_UNSUPPORTED);
    assert_string_equal(info.field, "config");
}

static void test_sizes_that_cannot_be(void **state)
{
    static const size_t sizes[] = {0, 1, sizeof(version_1) - 1,
                                   MET__STRUCT_SIZE_MAX + 1, SIZE_MAX};
    version_2 known = {9, 9, 9};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        version_1 caller = {sizes[i], 7};
        met_error_info info = empty_info();
        assert_int_equal(read_it(&known, &caller, &info), MET_E_INVALID);
        assert_non_null(strstr(info.reason, "struct_size"));
    }
    assert_int_equal(read_it(&known, NULL, NULL), MET_E_INVALID);
    assert_true(known.first == 9);
}

static void test_results_write_no_more_than_the_caller_has(void **state)
{
    struct {
        version_1 caller;
        uint64_t canary;
    } old = {{sizeof(version_1), 0}, 42};
    version_2 known = {sizeof known, 7, 8};
    version_2 same = {sizeof same, 0, 0};
    version_1 small = {1, 5};

    assert_int_equal(met__struct_write(&old.caller, sizeof(version_1), &known,
                                       sizeof known), MET_OK);
    assert_true(old.caller.first == 7 && old.canary == 42
                && old.caller.struct_size == sizeof(version_1));
    assert_int_equal(met__struct_write(&same, sizeof(version_1), &known,
                                       sizeof known), MET_OK);
    assert_true(same.second == 8);
    assert_int_equal(met__struct_write(&small, sizeof(version_1), &known,
                                       sizeof known), MET_E_INVALID);
    assert_true(small.first == 5);
    assert_int_equal(met__struct_write(NULL, sizeof(version_1), &known,
                                       sizeof known), MET_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_caller_gets_defaults),
        cmocka_unit_test(test_newer_caller_works_while_the_field_is_unset),
        cmocka_unit_test(test_sizes_that_cannot_be),
        cmocka_unit_test(test_results_write_no_more_than_the_caller_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
