/* Memory, clocks and the arena. */
#include "base_support.h"

#include "base/platform.h"

static int64_t five(void *context)
{
    return 5;
}

static void test_hooks_come_all_or_not_at_all(void **state)
{
    faulty_memory memory = {0};
    met_platform caller = {.struct_size = sizeof caller};
    met__platform platform;
    met_error_info info = empty_info();

    assert_int_equal(met__platform_init(&platform, &caller, &info), MET_OK);
    caller.allocator.allocate = faulty_allocate;
    assert_int_equal(met__platform_init(&platform, &caller, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "platform.allocator");
    caller.allocator = (met_allocator){&memory, faulty_allocate,
                                       faulty_reallocate, faulty_release};
    caller.clock.utc_ns = five;
    assert_int_equal(met__platform_init(&platform, &caller, &info),
                     MET_E_INVALID);
    assert_string_equal(info.field, "platform.clock");
    caller.clock.monotonic_ns = five;
    assert_int_equal(met__platform_init(&platform, &caller, &info), MET_OK);
    assert_true(met__now_utc_ns(&platform) == 5
                && met__now_monotonic_ns(&platform) == 5);
    caller.struct_size = 0;
    assert_int_equal(met__platform_init(&platform, &caller, &info),
                     MET_E_INVALID);
}

static void test_memory_is_zeroed_and_counted(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    unsigned char *block = met__allocate(&platform, 100);

    for (int i = 0; i < 100; i++) {
        assert_int_equal(block[i], 0);
    }
    block = met__reallocate(&platform, block, 100, 200);
    assert_int_equal(memory.bytes, 200);
    met__release(&platform, block, 200);
    met__release(&platform, NULL, 7);
    void *nothing = met__allocate(&platform, 0);
    assert_non_null(nothing);
    met__release(&platform, nothing, 0);
    block = met__reallocate(&platform, NULL, 0, 0);
    assert_non_null(block);
    met__release(&platform, block, 0);
    assert_true(memory.bytes == 0 && memory.live == 0);
}

/* On a cache line; of a large one all but the ends in huge pages, if the
 * system likes. */
static void test_tables_are_aligned_and_zeroed(void **state)
{
    static const size_t sizes[] = {1, 64, 1000, (2 << 20) - 1, 2 << 20,
                                   (5 << 20) + 64};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        faulty_memory memory = {0};
        met__platform platform = faulty_platform(&memory, NULL);
        met__table_memory table;
        assert_int_equal(met__table_allocate(&platform, sizes[i], &table),
                         MET_OK);
        assert_int_equal((uintptr_t)table.memory
                             % (sizes[i] < 2 << 20 ? 64 : 2 << 20),
                         0);
        unsigned char any = 0;
        for (size_t k = 0; k < sizes[i]; k++) {
            any |= ((unsigned char *)table.memory)[k];
        }
        assert_int_equal(any, 0);
        memset(table.memory, 'x', sizes[i]);
        met__table_release(&platform, &table);
        met__table_release(&platform, &table); /* none */
        assert_true(memory.bytes == 0 && memory.live == 0);
        memory = (faulty_memory){.fail_at = 1};
        assert_int_equal(met__table_allocate(&platform, sizes[i], &table),
                         MET_E_NO_MEMORY);
        assert_null(table.memory);
        met__table_release(&platform, &table);
    }
    met__platform platform = faulty_platform(&(faulty_memory){0}, NULL);
    met__table_memory table;
    assert_int_equal(met__table_allocate(&platform, SIZE_MAX - 5, &table),
                     MET_E_NO_MEMORY);
}

static void test_arena_pieces_are_aligned_and_zeroed(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met__arena arena;

    met__arena_init(&arena, &platform);
    for (size_t size = 0; size < 600; size += 7) {
        unsigned char *piece = met__arena_allocate(&arena, size);
        assert_int_equal((uintptr_t)piece % 16, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(piece[i], 0);
        }
        memset(piece, 'x', size);
    }
    assert_non_null(met__arena_allocate(&arena, 100000)); /* own block */
    assert_string_equal(met__arena_copy(&arena, "abc", 2), "ab");
    assert_string_equal(met__arena_copy(&arena, NULL, 0), "");
    assert_string_equal(met__arena_print(&arena, "%d-%s", 5, "x"), "5-x");
    assert_null(met__arena_allocate(&arena, SIZE_MAX));
    assert_null(met__arena_copy(&arena, "", SIZE_MAX));
    assert_true(memory.live > 2);
    met__arena_release(&arena);
    met__arena_release(&arena);
    assert_true(memory.live == 0 && memory.bytes == 0);
}

static void test_arena_without_memory(void **state)
{
    faulty_memory memory = {.fail_at = 1, .for_ever = 1};
    met__platform platform = faulty_platform(&memory, NULL);
    met__arena arena;

    met__arena_init(&arena, &platform);
    assert_null(met__arena_allocate(&arena, 1));
    assert_null(met__arena_copy(&arena, "a", 1));
    assert_null(met__arena_print(&arena, "a"));
    memory.for_ever = 0; /* the next call works */
    assert_non_null(met__arena_allocate(&arena, 1));
    met__arena_release(&arena);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hooks_come_all_or_not_at_all),
        cmocka_unit_test(test_memory_is_zeroed_and_counted),
        cmocka_unit_test(test_tables_are_aligned_and_zeroed),
        cmocka_unit_test(test_arena_pieces_are_aligned_and_zeroed),
        cmocka_unit_test(test_arena_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
