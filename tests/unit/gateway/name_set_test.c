/* Names by kind: found again after growth, apart by kind, out of memory. */
#include "unit/gateway/gateway_support.h"

#include "gateway/name_set.h"

static void many_names(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__secret secret = {{1}};
    met__arena arena;
    met__name_set set;

    (void)state;
    met__arena_init(&arena, &platform);
    met__name_set_init(&set, &arena, &secret);
    assert_null(met__name_set_find(&set, "a", MET__TEXT("1")));
    for (uintptr_t i = 1; i <= 5000; i++) {
        char *name = met__arena_print(&arena, "%u", (unsigned)i);
        met__name_slot *slot =
            met__name_set_slot(&set, i % 2 ? "a" : "b", met__text_z(name));
        assert_non_null(slot);
        assert_null(slot->value);
        slot->value = (void *)i;
    }
    assert_int_equal(set.count, 5000);
    for (uintptr_t i = 1; i <= 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", (unsigned)i);
        const met__name_slot *slot = met__name_set_find(
            &set, i % 2 ? "a" : "b", met__text_z(name));
        assert_non_null(slot);
        assert_ptr_equal(slot->value, (void *)i);
        assert_null(met__name_set_find(&set, i % 2 ? "b" : "a",
                                       met__text_z(name)));
    }
    /* Bytes are compared, also zeros and the empty name. */
    assert_non_null(met__name_set_slot(&set, "a", met__text_of("1\0", 2)));
    assert_non_null(met__name_set_slot(&set, "a", met__text_of("", 0)));
    assert_int_equal(set.count, 5002);
    assert_null(met__name_set_slot(&set, "a", met__text_of("1\0", 2))->value);
    assert_int_equal(set.count, 5002);
    met__arena_release(&arena);
}

static void failing_memory(void **state)
{
    faulty_memory memory = {.fail_at = 1, .for_ever = 1};
    met__platform platform = faulty_platform(&memory, NULL);
    met__secret secret = {{1}};
    met__arena arena;
    met__name_set set;

    (void)state;
    met__arena_init(&arena, &platform);
    met__name_set_init(&set, &arena, &secret);
    assert_null(met__name_set_slot(&set, "a", MET__TEXT("x")));
    assert_null(met__name_set_find(&set, "a", MET__TEXT("x")));
    assert_int_equal(set.count, 0);
    met__arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_names),
        cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
