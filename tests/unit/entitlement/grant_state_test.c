/* States: how they begin, what they are extended by, and matching by id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "entitlement/grant_state.h"
#include "support/faults.h"

static met__grant grant_of(const char *id, int64_t from_ns, int64_t to_ns)
{
    return (met__grant){.id = met__text_z(id),
                        .amount = met__decimal_from_i64(9),
                        .effective_at_ns = from_ns,
                        .expires_at_ns = to_ns,
                        .voided_at_ns = MET__NEVER,
                        .deleted_at_ns = MET__NEVER};
}

static void test_begin_extend_and_match(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met__arena arena;
    met__grant grants[] = {grant_of("c", 5, MET__NEVER), grant_of("a", 6, 9),
                           grant_of("b", 1, 5), grant_of("b", 1, 5)};
    met_error_info info = {.struct_size = sizeof info};
    met__burn_state first;
    met__burn_state more = {.count = 77};
    size_t *indexes = NULL;

    met__arena_init(&arena, &platform);
    assert_int_equal(met__burn_begin(grants, 2, 5, &arena, &first), MET_OK);
    assert_int_equal(first.count, 2);
    assert_int_equal(met__decimal_compare(first.balances[0].balance,
                                          grants[0].amount), 0);
    assert_true(first.balances[0].is_issued);
    assert_true(met__decimal_is_zero(first.balances[1].balance));
    assert_false(first.balances[1].is_issued);
    assert_true(first.at_ns == 5 && first.since_ns == 5);

    assert_int_equal(met__burn_match(&first, grants, 3, &arena, &indexes,
                                     NULL), MET_OK);
    assert_true(indexes[0] == 0 && indexes[1] == 1
                && indexes[2] == MET__NO_BALANCE);
    assert_int_equal(met__burn_extend(&first, grants, 4, &arena, &more,
                                      &info), MET_E_INVALID);
    assert_string_equal(info.field, "grants");
    assert_int_equal(more.count, 77);
    assert_int_equal(met__burn_extend(&first, grants, 3, &arena, &more,
                                      NULL), MET_OK);
    assert_int_equal(more.count, 3);
    assert_true(met__decimal_is_zero(more.balances[2].balance));
    assert_true(more.balances[0].is_issued);
    /* A balance of nobody, and one twice. */
    assert_int_equal(met__burn_match(&more, grants, 2, &arena, &indexes,
                                     &info), MET_E_INVALID);
    assert_string_equal(info.field, "balances");
    more.balances[2] = more.balances[1];
    assert_int_equal(met__burn_match(&more, grants, 3, &arena, &indexes,
                                     &info), MET_E_INVALID);
    assert_string_equal(info.field, "balances");
    assert_int_equal(met__burn_begin(NULL, 0, 5, &arena, &first), MET_OK);
    assert_int_equal(met__burn_match(&first, NULL, 0, &arena, &indexes,
                                     NULL), MET_OK);
    met__arena_release(&arena);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_extend_and_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
