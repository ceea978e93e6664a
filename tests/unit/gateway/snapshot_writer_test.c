/* Sections that grow, errors that stay, a size that is told before. */
#include "unit/gateway/gateway_support.h"

#include "gateway/snapshot_writer.h"

static void sections(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__snapshot_writer writer;
    uint64_t size;

    (void)state;
    met__snapshot_writer_init(&writer, &platform);
    assert_int_equal(met__snapshot_writer_size(&writer, &size), MET_OK);
    uint64_t empty = size;
    uint32_t group = 7;
    assert_int_equal(met__snapshot_add(&writer, MET__SECTION_GROUP, &group),
                     0);
    assert_int_equal(met__snapshot_add(&writer, MET__SECTION_GROUP, &group),
                     1);
    assert_int_equal(met__snapshot_count(&writer, MET__SECTION_GROUP), 2);
    assert_null(met__snapshot_get(&writer, MET__SECTION_GROUP, 2));
    assert_null(met__snapshot_get(&writer, MET__SECTION_ACL, MET__NONE));
    met__ref ref = met__snapshot_add_text(&writer, MET__TEXT("abc"));
    assert_int_equal(ref.offset, 0);
    ref = met__snapshot_add_text(&writer, MET__TEXT("de"));
    assert_int_equal(ref.offset, 4); /* a NUL follows each */
    assert_int_equal(ref.size, 2);
    assert_int_equal(met__snapshot_writer_size(&writer, &size), MET_OK);
    assert_int_equal(size, empty + 16);
    met__snapshot_writer_release(&writer);
}

static void too_much(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__snapshot_writer writer;

    (void)state;
    met__snapshot_writer_init(&writer, &platform);
    (void)met__snapshot_add_text(
        &writer, met__text_of("", (size_t)MET__SNAPSHOT_SIZE_MAX + 1));
    assert_int_equal(met__snapshot_writer_error(&writer), MET_E_LIMIT);
    (void)met__snapshot_add_text(&writer, MET__TEXT("a"));
    assert_int_equal(met__snapshot_writer_error(&writer), MET_E_LIMIT);
    met__snapshot_writer_release(&writer);
}

static void failing_memory(void **state)
{
    faulty_memory memory = {.fail_at = 1, .for_ever = 1};
    met__platform platform = faulty_platform(&memory, NULL);
    met__snapshot_writer writer;
    uint32_t group = 7;

    (void)state;
    met__snapshot_writer_init(&writer, &platform);
    met__snapshot_add(&writer, MET__SECTION_GROUP, &group);
    assert_int_equal(met__snapshot_writer_error(&writer), MET_E_NO_MEMORY);
    assert_null(met__snapshot_get(&writer, MET__SECTION_GROUP, 0));
    met__snapshot_writer_release(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections),
        cmocka_unit_test(too_much),
        cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
