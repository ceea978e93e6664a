/* A table of groups that holds few of them: pass by pass every group is
 * gathered once, whole and in order. */
#include "meter_support.h"

#include "meter/usage_groups.h"

#define KEYS 300
#define ADDS 2000

static met__usage_groups groups;

static uint64_t next_random(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

/* Adds the same keys in the same order, as a scan of parts does. */
static void add_all(int64_t *counts)
{
    uint64_t random = 7;

    for (int i = 0; i < ADDS; i++) {
        char texts[2][8];
        uint32_t place = 0;
        uint64_t key = next_random(&random, KEYS);
        snprintf(texts[0], sizeof texts[0], "%02d", (int)(key / 20));
        snprintf(texts[1], sizeof texts[1], "%02d", (int)(key % 20));
        met__text values[] = {met__text_z(texts[0]), met__text_z(texts[1])};
        if (counts != NULL) {
            counts[key]++;
            continue;
        }
        assert_int_equal(met__usage_groups_find(&groups, values, &place),
                         MET_OK);
        if (place != MET__NO_GROUP) {
            met__usage_groups_touch(&groups, place)->aggregate.value++;
        }
    }
}

static void test_groups__passes(void **state)
{
    static const size_t bounds[] = {2, 3, 7, 64, KEYS - 1, KEYS, 1u << 20};
    static int64_t counts[KEYS];
    met__platform platform = test_platform(NULL, NULL);
    met__secret secret = {{0}};

    memset(counts, 0, sizeof counts);
    add_all(counts);
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        int key = 0;
        int passes = 0;
        met__usage_groups_init(&groups, &platform, &secret, 2, bounds[b]);
        for (int window = 0; window < 2; window++) {
            key = 0;
            met__usage_groups_begin(&groups, 0);
            for (;; passes++) {
                add_all(NULL);
                assert_true(groups.count <= bounds[b]);
                met__usage_groups_sort(&groups);
                for (size_t i = 0; i < groups.touched_count; i++, key++) {
                    char text[24];
                    snprintf(text, sizeof text, "%02d%02d", key / 20,
                             key % 20);
                    assert_memory_equal(groups.touched[i]->values[0].data,
                                        text, 2);
                    assert_memory_equal(groups.touched[i]->values[1].data,
                                        text + 2, 2);
                    assert_true(groups.touched[i]->aggregate.value
                                == counts[key]);
                }
                if (!groups.has_before) {
                    break;
                }
                met__usage_groups_begin(&groups, 1);
            }
            assert_int_equal(key, KEYS);
        }
        assert_int_equal(passes > 0, bounds[b] < KEYS);
        met__usage_groups_release(&groups);
    }
}

static void test_groups__memory(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = test_platform(&memory, NULL);
    met__secret secret = {{0}};

    for (long k = 1; k < 60; k++) {
        met_error error = MET_OK;
        memory = (faulty_memory){.fail_at = k};
        met__usage_groups_init(&groups, &platform, &secret, 1, 100);
        met__usage_groups_begin(&groups, 0);
        for (int i = 0; error == MET_OK && i < 500; i++) {
            char text[300];
            uint32_t place;
            snprintf(text, sizeof text, "%0128d", i * 7919 % 500);
            met__text value = met__text_z(text);
            error = met__usage_groups_find(&groups, &value, &place);
        }
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        assert_int_equal(error == MET_OK, memory.calls < k);
        met__usage_groups_release(&groups);
        assert_int_equal(memory.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups__passes),
        cmocka_unit_test(test_groups__memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
