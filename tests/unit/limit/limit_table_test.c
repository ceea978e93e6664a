/* Opening the table under every condition of file and memory, failing memory
 * and disks, and policies and shapes until there is no room. */
#include "limit_support.h"

#include <fcntl.h>

#include "limit/limiter.h"
#include "support/faults.h"
#include "support/temp_directory.h"

static char home[64];
static char path[128];
static faulty_memory heap;
static faulty_disk disk;
static met__platform platform;
static const char *boot_text;

static int other_boot_id(void *context, char text_out[64])
{
    FAULTY_CALL("boot_id",
                boot_text == NULL
                    ? FAULTY_REAL->boot_id(NULL, text_out)
                    : (snprintf(text_out, 64, "%s", boot_text), 0));
}

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    snprintf(path, sizeof path, "%s/limits.map", home);
    memset(&heap, 0, sizeof heap);
    faulty_disk_init(&disk);
    disk.table.boot_id = other_boot_id;
    platform = faulty_platform(&heap, &disk);
    boot_text = NULL;
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(heap.live, 0);
    assert_int_equal(disk.open_files, 0);
    temp_remove(home);
    return 0;
}

static met_error open_at(const char *where, uint64_t capacity,
                         met_limiter **out, met_error_info *info)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .path = where,
                                 .capacity = capacity,
                                 .full_policy = MET_LIMITER_FULL_OPEN};

    *out = NULL;
    return met__limiter_open(&platform, &config, out, info);
}

static met_limiter *open_file(uint64_t capacity)
{
    met_limiter *limiter;
    met_error_info info = {.struct_size = sizeof info};

    if (open_at(path, capacity, &limiter, &info) != MET_OK) {
        fail_msg("%s: %s", info.field, info.reason);
    }
    return limiter;
}

static void keeps_counts_between_opens(void **state)
{
    met_limiter *limiter = open_file(1000);
    uint32_t policy = one_window(limiter, "p", 3, MINUTE, 0);

    assert_int_equal(check_cost(limiter, policy, "a", HOUR, 3).is_allowed, 1);
    met__limiter_close(limiter);
    limiter = open_file(0);
    met_limiter *second = open_file(1000);
    assert_int_equal(one_window(second, "p", 3, MINUTE, 0), policy);
    assert_int_equal(check(limiter, policy, "a", HOUR).is_allowed, 0);
    assert_int_equal(check(second, policy, "a", HOUR).is_allowed, 0);
    assert_int_equal(check_cost(second, policy, "b", HOUR, 2).is_allowed, 1);
    assert_int_equal(check(limiter, policy, "b", HOUR).windows[0].remaining,
                     0);
    met__limiter_close(second);
    met__limiter_close(limiter);
    met__limiter_close(NULL);
}

static void is_emptied_after_a_boot(void **state)
{
    met_limiter *limiter = open_file(100);
    uint32_t policy = one_window(limiter, "p", 3, MINUTE, 0);

    assert_int_equal(check_cost(limiter, policy, "a", HOUR, 3).is_allowed, 1);
    met__limiter_close(limiter);
    boot_text = "00000000-0000-0000-0000-000000000001";
    limiter = open_file(100);
    met_limiter_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(met__limiter_stats(limiter, &stats), MET_OK);
    assert_int_equal(stats.records_used, 0);
    assert_int_equal(stats.policies, 0);
    policy = one_window(limiter, "p", 3, MINUTE, 0);
    assert_int_equal(check_cost(limiter, policy, "a", 1, 3).is_allowed, 1);
    met__limiter_close(limiter);
}

static void refuses_memory_of_another_boot(void **state)
{
    size_t size = TABLE_BYTES(100);
    void *memory = shared_memory(size);
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = memory,
                                 .memory_size = size,
                                 .full_policy = MET_LIMITER_FULL_OPEN};
    met_limiter *limiter = NULL;
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(met__limiter_open(&platform, &config, &limiter, &info),
                     MET_OK);
    met__limiter_close(limiter);
    boot_text = "00000000-0000-0000-0000-000000000002";
    limiter = NULL;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, &info),
                     MET_E_CONFLICT);
    assert_null(limiter);
    memset(memory, 0, size);
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, &info),
                     MET_OK);
    met__limiter_close(limiter);
    memset(memory, 0x77, size);
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, &info),
                     MET_E_FOREIGN);
    munmap(memory, size);
}

static void refuses_odd_memory(void **state)
{
    size_t size = TABLE_BYTES(1000);
    unsigned char *memory = shared_memory(size);
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = memory + 8,
                                 .memory_size = size - 64,
                                 .full_policy = MET_LIMITER_FULL_OPEN};
    met_limiter *limiter = NULL;

    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_E_INVALID);
    config.memory = memory;
    config.memory_size = 1000;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_E_INVALID);
    config.memory_size = size;
    config.capacity = 1000000;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_E_INVALID);
    config.capacity = UINT64_MAX;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_E_INVALID);
    config.capacity = 500;
    config.path = path;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_E_INVALID);
    config.path = NULL;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_OK);
    met__limiter_close(limiter);
    config.capacity = 900;
    assert_int_equal(met__limiter_open(&platform, &config, &limiter, NULL),
                     MET_E_LAYOUT);
    munmap(memory, size);
}

static void refuses_other_files(void **state)
{
    met_limiter *limiter;
    met_error_info info = {.struct_size = sizeof info};

    assert_int_equal(open_at("/nowhere/limits.map", 10, &limiter, &info),
                     MET_E_NOT_FOUND);
    int file = open(path, O_CREAT | O_RDWR, 0600);
    assert_int_equal(write(file, "hello, world", 12), 12);
    assert_int_equal(open_at(path, 10, &limiter, &info), MET_E_CORRUPT);
    assert_string_equal(info.field, path);
    assert_int_equal(ftruncate(file, 8192), 0);
    assert_int_equal(open_at(path, 10, &limiter, &info), MET_E_FOREIGN);
    close(file);
    temp_remove(path);
    met__limiter_close(open_file(1000));
    assert_int_equal(open_at(path, 5000, &limiter, &info), MET_E_LAYOUT);
    /* The file's own head, and the table's. */
    file = open(path, O_RDWR);
    assert_int_equal(pwrite(file, "\xff\xff\xff\xff", 4, 64), 4);
    assert_int_equal(open_at(path, 0, &limiter, &info), MET_E_CORRUPT);
    close(file);
    temp_remove(path);
    met__limiter_close(open_file(1000));
    file = open(path, O_RDWR);
    assert_int_equal(pwrite(file, "\xff\xff\xff\xff", 4, 4096), 4);
    assert_int_equal(open_at(path, 0, &limiter, &info), MET_E_FOREIGN);
    assert_int_equal(pwrite(file, "METLIMT1", 8, 4096), 8);
    assert_int_equal(open_at(path, 0, &limiter, &info), MET_OK);
    met__limiter_close(limiter);
    assert_int_equal(pwrite(file, "\x09", 1, 4096 + 12), 1);
    assert_int_equal(open_at(path, 0, &limiter, &info), MET_E_LAYOUT);
    assert_int_equal(ftruncate(file, 6000), 0);
    assert_int_equal(open_at(path, 0, &limiter, &info), MET_E_CORRUPT);
    close(file);
}

/* Every allocation and every call of the disk fails once; then it works. */
static void fails_cleanly(void **state)
{
    met_limiter *limiter;
    met_error error;

    for (long k = 1; k < 20; k++) {
        temp_remove(path);
        heap.calls = 0;
        heap.fail_at = k;
        error = open_at(path, 100, &limiter, NULL);
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        if (error == MET_OK) {
            met__limiter_close(limiter);
        } else {
            assert_null(limiter);
        }
        assert_int_equal(heap.live, 0);
    }
    heap.fail_at = 0;
    long failures = 0;
    for (int is_there = 0; is_there < 2; is_there++) {
        for (long k = 1; k < 60; k++) {
            if (!is_there) {
                temp_remove(path);
            }
            disk.calls = 0;
            disk.fail_at = k;
            error = open_at(path, 100, &limiter, NULL);
            if (error == MET_OK) {
                disk.fail_at = 0;
                uint32_t policy = one_window(limiter, "p", 1, MINUTE, 0);
                assert_int_equal(peek_cost(limiter, policy, "new", HOUR, 1)
                                     .is_allowed, 1);
                met__limiter_close(limiter);
            } else {
                failures++;
                assert_null(limiter);
            }
            assert_int_equal(disk.open_files, 0);
            assert_int_equal(heap.live, 0);
        }
        disk.fail_at = 0;
        met__limiter_close(open_file(100));
    }
    assert_true(failures > 5);
}

static void policies_and_shapes_have_an_end(void **state)
{
    met_limiter *limiter = open_file(1000);
    met_limiter_window window = {.limit = 1, .window_ns = SECOND};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .windows = &window,
                                 .window_count = 1};
    met_error_info info = {.struct_size = sizeof info};
    uint32_t number = 0;
    char name[32];

    policy.name = name;
    for (int i = 0; i < MET_LIMITER_POLICIES_MAX; i++) {
        policy.name_size = (size_t)snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(met__limiter_policy_set(limiter, &policy, &number,
                                                 &info),
                         MET_OK);
        assert_int_equal(number, i);
    }
    policy.name_size = (size_t)snprintf(name, sizeof name, "one more");
    assert_int_equal(met__limiter_policy_set(limiter, &policy, &number,
                                             &info),
                     MET_E_LIMIT);
    assert_string_equal(info.field, "policy.name");
    policy.name_size = (size_t)snprintf(name, sizeof name, "p7");
    for (int i = 2; i <= MET_LIMITER_SHAPES_MAX; i++) {
        window.window_ns = i * SECOND;
        policy.name_size = (size_t)snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(met__limiter_policy_set(limiter, &policy, &number,
                                                 &info),
                         MET_OK);
        assert_int_equal(number, i);
    }
    window.window_ns = HOUR;
    assert_int_equal(met__limiter_policy_set(limiter, &policy, &number,
                                             &info),
                     MET_E_LIMIT);
    assert_string_equal(info.field, "policy.windows[0]");
    /* Nothing changed, and what is there works. */
    assert_int_equal(check(limiter, number, "a", HOUR).windows[0].window_ns,
                     MET_LIMITER_SHAPES_MAX * SECOND);
    window.limit = MET_LIMITER_LIMIT_MAX + 1;
    window.window_ns = SECOND;
    assert_int_equal(met__limiter_policy_set(limiter, &policy, &number,
                                             &info),
                     MET_E_UNSUPPORTED);
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_request request = request_for(MET_LIMITER_POLICIES_MAX, "a",
                                              1);
    assert_int_equal(met__limiter_check(limiter, &request, &result),
                     MET_E_NOT_FOUND);
    met__limiter_close(limiter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_counts_between_opens),
        TEST(is_emptied_after_a_boot),
        TEST(refuses_memory_of_another_boot),
        TEST(refuses_odd_memory),
        TEST(refuses_other_files),
        TEST(fails_cleanly),
        TEST(policies_and_shapes_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
