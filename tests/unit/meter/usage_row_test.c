/* Rows as documents: where each group stands. */
#include "usage_ask.h"

static void test_row__document(void **state)
{
    static met__meter meter = {.key = {"m", 1}};
    const met__usage_customer customers[] = {
        {.id = MET__TEXT("01A"), .key = MET__TEXT("acme")},
        {.id = MET__TEXT("01B"), .key = MET__TEXT("bell")}};
    const met__text groups[] = {MET__TEXT("y"), MET__TEXT("customer_id"),
                                MET__TEXT("x"), MET__TEXT("subject")};
    const met__text values[] = {MET__TEXT("1"), MET__TEXT("bell"),
                                MET__TEXT(""), MET__TEXT("s")};
    met__usage_query query = {.meter = &meter,
                              .customer_count = 2,
                              .customers = customers,
                              .group_count = 4,
                              .groups = groups};
    met__usage_row row = {START_NS, START_NS + MET__HOUR_NS,
                          met__decimal_from_i64(-7), values};
    faulty_memory memory = {0};
    met__platform platform = test_platform(&memory, NULL);
    met__arena arena;
    met__buffer buffer;
    met__node *node = NULL;
    met_error error;

    do { /* with every allocation failing once */
        memory.calls = 0;
        memory.fail_at++;
        met__arena_init(&arena, &platform);
        node = NULL;
        error = met__usage_row_document(&query, &row, &arena, &node);
        if (error != MET_OK) {
            assert_int_equal(error, MET_E_NO_MEMORY);
            assert_null(node);
            met__arena_release(&arena);
            assert_int_equal(memory.live, 0);
        }
    } while (error != MET_OK);
    memory.fail_at = 0;
    met__buffer_init(&buffer, &platform);
    met__json_write(node, 0, &buffer);
    assert_string_equal(buffer.data,
                        "{\"from\":\"2026-03-01T00:00:00Z\","
                        "\"to\":\"2026-03-01T01:00:00Z\",\"value\":\"-7\","
                        "\"customer_id\":\"01B\",\"customer\":\"bell\","
                        "\"subject\":\"s\","
                        "\"dimensions\":{\"y\":\"1\",\"x\":\"\"}}");
    met__buffer_release(&buffer);
    met__arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row__document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
