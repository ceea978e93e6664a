/* Texts and the growing buffer. */
#include "base_support.h"

#include "base/bytes.h"

static void test_order_is_by_bytes(void **state)
{
    assert_int_equal(met__text_compare(MET__TEXT("a"), MET__TEXT("b")), -1);
    assert_int_equal(met__text_compare(MET__TEXT("ab"), MET__TEXT("a")), 1);
    assert_int_equal(met__text_compare(MET__TEXT(""), MET__TEXT("")), 0);
    assert_int_equal(met__text_compare(MET__TEXT("\xff"), MET__TEXT("a")), 1);
    assert_true(met__text_equal(met__text_of(NULL, 0), MET__TEXT("")));
    assert_false(met__text_equal(MET__TEXT("a"), MET__TEXT("b")));
}

static void test_clean_is_utf8_without_controls(void **state)
{
    static const char *const good[] = {"", "a", "\xc3\xa9", "\xe2\x82\xac",
                                       "\xf0\x9f\x92\xa9", "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x01", "\x7f", "\n", "\x80", "\xc0\xaf", "\xc1\xbf", "\xc3",
        "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3(",
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(met__text_is_clean(met__text_z(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(met__text_is_clean(met__text_z(bad[i])));
    }
    assert_false(met__text_is_clean(met__text_of("a\0b", 3)));
}

static void test_buffer_grows_and_gives(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met__buffer buffer;
    met_buffer given;

    met__buffer_init(&buffer, &platform);
    for (int i = 0; i < 1000; i++) {
        met__buffer_print(&buffer, "%d,", i);
    }
    met__buffer_byte(&buffer, '!');
    met__buffer_text(&buffer, "?");
    met__buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.error, MET_OK);
    size_t size = buffer.size;
    assert_int_equal(met__buffer_give(&buffer, &given), MET_OK);
    assert_true(given.size == size && given.data[size] == '\0');
    assert_null(buffer.data);
    met_buffer_release(&given);
    met_buffer_release(&given);
    met_buffer_release(NULL);
    assert_int_equal(memory.live, 0);
    /* An empty one is a text too. */
    met__buffer_init(&buffer, &platform);
    assert_int_equal(met__buffer_give(&buffer, &given), MET_OK);
    assert_true(given.size == 0 && given.data[0] == '\0');
    met_buffer_release(&given);
    assert_int_equal(memory.bytes, 0);
}

static void test_failed_append_sticks(void **state)
{
    for (long k = 1; k <= 4; k++) {
        faulty_memory memory = {.fail_at = k};
        met__platform platform = faulty_platform(&memory, NULL);
        met__buffer buffer;
        met_buffer given = {0};

        met__buffer_init(&buffer, &platform);
        for (int i = 0; i < 200; i++) {
            met__buffer_text(&buffer, "0123456789");
        }
        met_error error = met__buffer_give(&buffer, &given);
        if (error == MET_OK) {
            assert_int_equal(given.size, 2000);
            assert_true(memory.calls < k);
        } else {
            assert_int_equal(error, MET_E_NO_MEMORY);
            assert_null(given.data);
        }
        met_buffer_release(&given);
        met__buffer_release(&buffer);
        assert_int_equal(memory.live, 0);
    }
    met__platform platform = faulty_platform(NULL, NULL);
    met__buffer buffer;
    met__buffer_init(&buffer, &platform);
    met__buffer_append(&buffer, "", SIZE_MAX);
    assert_int_equal(buffer.error, MET_E_NO_MEMORY);
    met__buffer_release(&buffer);
}

static void test_integers_keep_their_order(void **state)
{
    static const uint64_t values[] = {0, 1, 255, 256, UINT32_MAX,
                                      UINT64_C(1) << 63, UINT64_MAX};
    unsigned char last[8] = {0};
    unsigned char four[4];

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        unsigned char now[8];
        met__put_u64(now, values[i]);
        assert_true(met__get_u64(now) == values[i]);
        assert_true(i == 0 || memcmp(last, now, 8) < 0);
        memcpy(last, now, 8);
        met__put_u32(four, (uint32_t)values[i]);
        assert_true(met__get_u32(four) == (uint32_t)values[i]);
    }
}

static void check_digits(uint64_t value)
{
    char out[MET__DIGITS_MAX];
    char expected[32];

    snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
    size_t size = met__put_digits(out, value);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(out, expected, size);
}

static void test_digits(void **state)
{
    uint64_t power = 1;

    check_digits(0);
    check_digits(UINT64_MAX);
    for (int i = 0; i < MET__DIGITS_MAX; i++) {
        check_digits(power - 1);
        check_digits(power);
        check_digits(power + 1);
        check_digits(power + power / 10 * 2 + 7);
        power *= 10;
    }
    for (uint64_t value = 0; value < 2000; value++) {
        check_digits(value);
        check_digits(value * 99991 + 57); /* beyond eight digits, too */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_by_bytes),
        cmocka_unit_test(test_clean_is_utf8_without_controls),
        cmocka_unit_test(test_buffer_grows_and_gives),
        cmocka_unit_test(test_failed_append_sticks),
        cmocka_unit_test(test_integers_keep_their_order),
        cmocka_unit_test(test_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
