/* Error names and the caller's info. */
#include "base_support.h"

#include "base/error.h"

static void test_numbers_are_pinned(void **state)
{
    /* Never renumbered: a change here breaks compiled callers. */
    static const struct {
        met_error code;
        int number;
        const char *name;
    } rows[] = {
        {MET_E_INVALID, -1, "MET_E_INVALID"},
        {MET_E_NO_MEMORY, -2, "MET_E_NO_MEMORY"},
        {MET_E_OVERFLOW, -3, "MET_E_OVERFLOW"},
        {MET_E_NOT_FOUND, -4, "MET_E_NOT_FOUND"},
        {MET_E_EXISTS, -5, "MET_E_EXISTS"},
        {MET_E_CONFLICT, -6, "MET_E_CONFLICT"},
        {MET_E_UNSUPPORTED, -7, "MET_E_UNSUPPORTED"},
        {MET_E_FORKED, -8, "MET_E_FORKED"},
        {MET_E_LIMIT, -9, "MET_E_LIMIT"},
        {MET_E_BUSY, -10, "MET_E_BUSY"},
        {MET_E_IO, -100, "MET_E_IO"},
        {MET_E_DISK_FULL, -101, "MET_E_DISK_FULL"},
        {MET_E_MAP_FULL, -102, "MET_E_MAP_FULL"},
        {MET_E_FOREIGN, -103, "MET_E_FOREIGN"},
        {MET_E_LAYOUT, -104, "MET_E_LAYOUT"},
        {MET_E_TABLE_FULL, -200, "MET_E_TABLE_FULL"},
        {MET_E_TALLY_FULL, -300, "MET_E_TALLY_FULL"},
        {MET_E_CORRUPT, -900, "MET_E_CORRUPT"},
        {MET_E_BUG, -901, "MET_E_BUG"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(rows[i].code, rows[i].number);
        assert_string_equal(met_error_name(rows[i].code), rows[i].name);
        assert_true(strlen(met_error_message(rows[i].code)) > 0);
    }
    assert_string_equal(met_error_name(-12345), "MET_E_UNKNOWN");
    assert_non_null(met_error_message(INT32_MIN));
    assert_non_null(met_error_name(MET_OK));
}

static void test_info_respects_its_size(void **state)
{
    struct {
        met_error_info info;
        char canary[8];
    } small = {{.struct_size = offsetof(met_error_info, reason)}, "canary"};

    memset(small.info.reason, 'x', sizeof small.info.reason);
    assert_int_equal(met__fail(&small.info, MET_E_INVALID, "a.b", "%d", 5),
                     MET_E_INVALID);
    assert_string_equal(small.info.field, "a.b");
    assert_true(small.info.reason[0] == 'x');
    small.info.struct_size = 0; /* forgotten: nothing is written */
    assert_int_equal(met__fail(&small.info, MET_E_IO, "c", "d"), MET_E_IO);
    assert_int_equal(small.info.code, MET_E_INVALID);
    assert_int_equal(met__fail(NULL, MET_E_IO, "c", "d"), MET_E_IO);
}

static void test_long_texts_are_cut_between_characters(void **state)
{
    met_error_info info = empty_info();
    char text[1024];

    for (size_t i = 0; i + 1 < sizeof text; i += 2) {
        memcpy(text + i, "\xc3\xa9", 2);
    }
    text[sizeof text - 2] = '\0';
    met__fail(&info, MET_E_INVALID, text, "%s", text);
    assert_true(strlen(info.field) < sizeof info.field);
    assert_int_equal(strlen(info.field) % 2, 0);
    assert_int_equal(strlen(info.reason) % 2, 0);
    met__fail_code(&info, MET_E_BUSY);
    assert_string_equal(info.field, "");
    assert_string_equal(info.reason, met_error_message(MET_E_BUSY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_pinned),
        cmocka_unit_test(test_info_respects_its_size),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
