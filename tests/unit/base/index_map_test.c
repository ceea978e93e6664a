/* The map from hashes to indexes: everything is found again, also under one
 * hash, and nothing else is. */
#include "base_support.h"

#include "base/index_map.h"

static size_t hits(const met__index_map *map, uint64_t hash, size_t wanted)
{
    met__index_cursor cursor = {0};
    size_t found = 0;

    while (met__index_map_next(map, hash, &cursor)) {
        found += cursor.index == wanted;
    }
    return found;
}

static void test_finds_what_was_added(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met__arena arena;
    met__index_map map;
    met__index_cursor cursor = {0};

    met__arena_init(&arena, &platform);
    met__index_map_init(&map, &arena, 5000);
    assert_false(met__index_map_next(&map, 7, &cursor));
    for (size_t i = 0; i < 5000; i++) {
        /* plain numbers, high bits only, and ten that share a hash */
        uint64_t hash = i % 3 == 0 ? i : i % 3 == 1 ? i << 40 : i / 30;
        assert_int_equal(met__index_map_add(&map, hash, i), MET_OK);
    }
    for (size_t i = 0; i < 5000; i++) {
        uint64_t hash = i % 3 == 0 ? i : i % 3 == 1 ? i << 40 : i / 30;
        assert_int_equal(hits(&map, hash, i), 1);
        assert_int_equal(hits(&map, hash, i + 5000), 0);
    }
    assert_int_equal(hits(&map, UINT64_MAX, 0), 0);
    assert_int_equal(met__index_map_add(&map, 1, 5000), MET_E_LIMIT);
    assert_int_equal(hits(&map, 1, 5000), 0);
    assert_int_equal(map.count, 5000);
    met__arena_release(&arena);
    assert_int_equal(memory.live, 0);
}

static void test_out_of_memory_changes_nothing(void **state)
{
    for (long fail = 1; fail < 12; fail++) {
        faulty_memory memory = {.fail_at = fail};
        met__platform platform = faulty_platform(&memory, NULL);
        met__arena arena;
        met__index_map map;

        met__arena_init(&arena, &platform);
        met__index_map_init(&map, &arena, 5000);
        for (size_t i = 0; i < 3000; i++) {
            met_error error = met__index_map_add(&map, i, i);
            if (error != MET_OK) {
                assert_int_equal(error, MET_E_NO_MEMORY);
                assert_int_equal(map.count, i);
                error = met__index_map_add(&map, i, i); /* once only */
            }
            assert_int_equal(error, MET_OK);
        }
        for (size_t i = 0; i < 3000; i++) {
            assert_int_equal(hits(&map, i, i), 1);
        }
        met__arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_was_added),
        cmocka_unit_test(test_out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
