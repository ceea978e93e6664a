/* Opening the table under every condition of file and memory, failing memory
 * and disks, and policies and shapes until there is no room. */
#include "limit_support.h"

#include <fcntl.h>
#include <sys/wait.h>

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

/* A zone of a host: in the middle of its memory, without a number of records,
 * found again by a handle that asks for none, and kept within its bounds. */
static void a_zone_of_the_host(void **state)
{
    size_t size = TABLE_BYTES(1000);
    unsigned char *zone = shared_memory(size + 8192);
    met_limiter_config config = {.struct_size = sizeof config,
                                 .memory = zone + 4096,
                                 .memory_size = size,
                                 .full_policy = MET_LIMITER_FULL_OPEN};
    met_limiter *one = NULL;
    met_limiter *two = NULL;
    met_limiter_stats stats = {.struct_size = sizeof stats};
    char key[32];

    memset(zone, 0xa5, 4096);
    memset(zone + 4096 + size, 0xa5, 4096);
    assert_int_equal(met__limiter_open(&platform, &config, &one, NULL),
                     MET_OK);
    assert_int_equal(met__limiter_open(&platform, &config, &two, NULL),
                     MET_OK);
    uint32_t policy = one_window(one, "p", 3, MINUTE, 0);
    assert_int_equal(one_window(two, "p", 3, MINUTE, 0), policy);
    for (int i = 0; i < 12000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        (void)check(i % 2 ? one : two, policy, key, HOUR);
    }
    assert_int_equal(met__limiter_stats(one, &stats), MET_OK);
    assert_true(stats.capacity >= 900);
    assert_in_range(stats.records_used, stats.capacity * 9 / 10,
                    stats.capacity);
    assert_int_equal(stats.full_allowed, 12000 - stats.records_used);
    assert_int_equal(stats.decisions, 6000);
    assert_int_equal(stats.refusals, 0);
    for (size_t i = 0; i < 4096; i++) {
        assert_int_equal(zone[i], 0xa5);
        assert_int_equal(zone[4096 + size + i], 0xa5);
    }
    met__limiter_close(two);
    met__limiter_close(one);
    /* The host's memory stays: who comes back finds what was counted. */
    assert_int_equal(met__limiter_open(&platform, &config, &one, NULL),
                     MET_OK);
    assert_int_equal(check(one, policy, "key 0", HOUR).windows[0].remaining,
                     1);
    met__limiter_close(one);
    /* Somebody else's bytes, or another version's, are not touched. */
    uint64_t *words = (uint64_t *)(void *)(zone + 4096);
    words[1] += UINT64_C(1) << 32;
    assert_int_equal(met__limiter_open(&platform, &config, &one, NULL),
                     MET_E_LAYOUT);
    words[0] = 0x0123456789abcdefu;
    unsigned char *before = malloc(size);
    assert_non_null(before);
    memcpy(before, zone + 4096, size);
    assert_int_equal(met__limiter_open(&platform, &config, &one, NULL),
                     MET_E_FOREIGN);
    assert_memory_equal(before, zone + 4096, size);
    free(before);
    munmap(zone, size + 8192);
}

/* Two processes over a file, as in a rolling reload: the one that has come sets
 * other limits, the one that goes serves on, and nothing is forgotten. */
static void a_rolling_reload_keeps_the_counters(void **state)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .path = path,
                                 .full_policy = MET_LIMITER_FULL_OPEN};
    window_spec before[] = {{10, MINUTE, 0}, {200, HOUR, 0}};
    window_spec after[] = {{15, MINUTE, 0},
                           {200, HOUR, 0},
                           {1000, 24 * HOUR, MET_LIMITER_FIXED_EPOCH}};
    met_limiter *old = NULL;
    int64_t now = 1000 * HOUR;

    assert_int_equal(met__limiter_open(&platform, &config, &old, NULL),
                     MET_OK);
    uint32_t policy = set_policy(old, "p", 0, before, 2);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(check(old, policy, "a", now).is_allowed, 1);
    }
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        met_limiter *new = NULL;
        if (met__limiter_open(&platform, &config, &new, NULL) != MET_OK
            || set_policy(new, "p", 0, after, 3) != policy) {
            _exit(100);
        }
        met_limiter_result result = check(new, policy, "a", now + 1);
        _exit((int)(result.windows[0].remaining * 10
                    + (200 - result.windows[1].remaining)));
    }
    int status;
    assert_int_equal(waitpid(process, &status, 0), process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 8 * 10 + 7);
    /* The old process meets the new limits with its own number. */
    met_limiter_result result = check(old, policy, "a", now + 2);
    assert_int_equal(result.window_count, 3);
    assert_int_equal(result.windows[0].limit, 15);
    assert_int_equal(result.windows[0].remaining, 7);
    assert_int_equal(result.windows[1].remaining, 192);
    assert_int_equal(result.windows[2].remaining, 998);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(check(old, policy, "a", now + 3).is_allowed, i < 7);
    }
    /* And a worker that still has the old configuration sets it back. */
    assert_int_equal(set_policy(old, "p", 0, before, 2), policy);
    assert_int_equal(check(old, policy, "a", now + 4).is_allowed, 0);
    assert_int_equal(check(old, policy, "b", now + 4).is_allowed, 1);
    met__limiter_close(old);
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
    assert_int_equal(pwrite(file, "\x03", 1, 4096 + 12), 1);
    /* One that was cut short is made anew: nothing that is needed was in it. */
    assert_int_equal(ftruncate(file, 6000), 0);
    assert_int_equal(open_at(path, 0, &limiter, &info), MET_OK);
    met__limiter_close(limiter);
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
        TEST(a_zone_of_the_host),
        TEST(a_rolling_reload_keeps_the_counters),
        TEST(refuses_other_files),
        TEST(fails_cleanly),
        TEST(policies_and_shapes_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
