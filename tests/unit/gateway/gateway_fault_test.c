/* What a gateway does when memory, its files or the process fail it: a clear
 * error or the older snapshot, nothing lost and nothing leaked. */
#include "support/gateway_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/gateway_handle.h"
#include "metering/limiter.h"

static void must_have_story(void)
{
    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "free", "{\"type\":\"free\"}", "1000", "false");
}

/* A route whose path has that number: another snapshot is due. */
static void change_catalog(int number)
{
    char json[512];

    snprintf(json, sizeof json,
             "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\","
             "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"s\","
             "\"paths\":[\"/s%d\"]}]}]}",
             number);
    assert_ok(apply_document(json));
    clock_now_ns += 2 * MET__SECOND_NS;
}

/* --- Memory --------------------------------------------------------------- */
/* Every allocation of open fails once, alone and with all that follow. */
static void test_fault__open_without_memory(void **state)
{
    (void)state;
    must_have_story();
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        for (long k = 1;; k += for_ever ? 5 : 1) {
            long live = memory.live;
            assert_true(k < 5000);
            change_catalog((int)k); /* a snapshot is due */
            met_gateway *opened = NULL;
            fresh();
            memory.fail_at = memory.calls + k;
            memory.for_ever = for_ever;
            met_error error = met_gateway_open(store, NULL, &opened, &told);
            int is_over = memory.calls < memory.fail_at;
            memory.fail_at = 0;
            if (error != MET_OK) {
                assert_int_equal(error, MET_E_NO_MEMORY);
                assert_int_equal(told.code, MET_E_NO_MEMORY);
                assert_null(opened);
                assert_int_equal(memory.live, live);
                continue;
            }
            gateway = opened;
            assert_int_equal(serve("/anything", "ariel-key"), 200);
            clock_now_ns += MET__MINUTE_NS;
            met_gateway_close(gateway);
            gateway = NULL;
            assert_int_equal(memory.live, live);
            if (is_over) {
                break;
            }
        }
    }
}

/* A tick that must compile: it says so, the older snapshot serves on, and the
 * next tick gets there. */
static void test_fault__tick_without_memory(void **state)
{
    int failed = 0;

    (void)state;
    must_have_story();
    must_open_gateway(0);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        for (long k = 1;; k += for_ever ? 5 : 1) {
            assert_true(k < 5000);
            change_catalog((int)k);
            memory.fail_at = memory.calls + k;
            memory.for_ever = for_ever;
            met_error error = met_gateway_tick(gateway);
            int is_over = memory.calls < memory.fail_at;
            memory.fail_at = 0;
            assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
            failed += error != MET_OK;
            clock_now_ns += MET__MINUTE_NS;
            assert_int_equal(serve("/anything", "ariel-key"), 200);
            assert_int_equal(met_gateway_tick(gateway), MET_OK);
            assert_int_equal(gateway->snapshot.number,
                             met__snapshot_files_current(&gateway->files));
            if (is_over) {
                break;
            }
        }
    }
    assert_true(failed > 20);
}

/* Somebody else has compiled; admit is the first to see it. */
static void test_fault__new_snapshot_without_memory(void **state)
{
    met_gateway *other;
    int served_by_old = 0;

    (void)state;
    must_have_story();
    must_open_gateway(0);
    fresh();
    assert_ok(met_gateway_open(store, NULL, &other, &told));
    for (long k = 1;; k++) {
        assert_true(k < 200);
        change_catalog((int)k);
        assert_int_equal(met_gateway_tick(other), MET_OK);
        clock_now_ns += MET__MINUTE_NS;
        memory.fail_at = memory.calls + k;
        memory.for_ever = 1;
        assert_int_equal(serve("/anything", "ariel-key"), 200);
        int is_over = memory.calls < memory.fail_at;
        memory.fail_at = 0;
        if (decision.failure != 0) {
            assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_SNAPSHOT);
            served_by_old++;
        }
        uint64_t compiled = gateway->files.compiled;
        assert_int_equal(met_gateway_tick(gateway), MET_OK);
        assert_int_equal(gateway->files.compiled, compiled); /* it is whole */
        assert_int_equal(serve("/anything", "ariel-key"), 200);
        assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_NONE);
        if (is_over) {
            break;
        }
    }
    assert_true(served_by_old > 0);
    met_gateway_close(other);
}

/* --- Files ---------------------------------------------------------------- */
static void path_to(const char *name, char path[256])
{
    snprintf(path, 256, "%s/s/%s", home, name);
}

/* Changes one byte, or cuts the file there. */
static void damage(const char *name, off_t at, int is_cut)
{
    char path[256];
    struct stat status;
    unsigned char byte;

    path_to(name, path);
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &status), 0);
    at = at < 0 ? status.st_size + at : at;
    if (is_cut) {
        assert_int_equal(ftruncate(file, at), 0);
    } else {
        assert_int_equal(pread(file, &byte, 1, at), 1);
        byte ^= 0x55;
        assert_int_equal(pwrite(file, &byte, 1, at), 1);
    }
    close(file);
}

static void snapshot_name(char name[64])
{
    met__snapshot_files files;

    assert_int_equal(met__snapshot_files_open(store, 0, &files, NULL),
                     MET_OK);
    snprintf(name, 64, "gateway/snapshot-%llu-%u.map",
             (unsigned long long)met__snapshot_files_current(&files),
             MET__SNAPSHOT_LAYOUT);
    met__snapshot_files_close(&files);
}

/* A snapshot that was damaged on the disk is compiled anew by who opens. */
static void test_fault__damaged_snapshot_at_open(void **state)
{
    static const struct {
        off_t at;
        int is_cut;
    } rows[] = {{0, 0},     {12, 0},  {4096, 0}, {5000, 0}, {-1, 0},
                {0, 1},     {100, 1}, {4096, 1}, {4100, 1}, {5000, 1},
                {-1, 1}};
    char name[64];
    char path[256];

    (void)state;
    must_have_story();
    must_open_gateway(0);
    met_gateway_close(gateway);
    for (size_t i = 0; i <= sizeof rows / sizeof *rows; i++) {
        snapshot_name(name);
        if (i < sizeof rows / sizeof *rows) {
            damage(name, rows[i].at, rows[i].is_cut);
        } else {
            path_to(name, path);
            assert_int_equal(unlink(path), 0);
        }
        must_open_gateway(0);
        assert_int_equal(gateway->files.compiled, 1);
        assert_int_equal(serve("/anything", "ariel-key"), 200);
        assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_NONE);
        clock_now_ns += MET__MINUTE_NS;
        met_gateway_close(gateway);
        gateway = NULL;
    }
}

/* A newer snapshot that cannot be used: the one at hand serves on, counted,
 * and a tick makes a whole one. */
static void test_fault__damaged_snapshot_while_serving(void **state)
{
    met_gateway *other;
    char name[64];

    (void)state;
    must_have_story();
    must_open_gateway(0);
    fresh();
    assert_ok(met_gateway_open(store, NULL, &other, &told));
    change_catalog(1);
    assert_int_equal(met_gateway_tick(other), MET_OK);
    snapshot_name(name);
    damage(name, -9, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(serve("/anything", "ariel-key"), 200);
        assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_SNAPSHOT);
        assert_int_equal(serve("/s1", "ariel-key"), 404);
    }
    assert_int_equal(gateway->counters.unmapped, 1); /* tried once */
    assert_int_equal(gateway->counters.failures[MET_GATEWAY_FAILURE_SNAPSHOT],
                     6);
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/s1", "ariel-key"), 200);
    assert_int_equal(decision.failure, MET_GATEWAY_FAILURE_NONE);
    met_gateway_close(other);
}

static void test_fault__damaged_tables(void **state)
{
    static const char *const names[] = {"limits-3.map", "quota-2.map",
                                        "gateway/current-6.map"};
    static const struct {
        off_t at;
        int is_cut;
    } rows[] = {{0, 0}, {10, 0}, {100, 1}, {4096, 1}};
    char path[256];

    (void)state;
    must_have_story();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            long live;
            must_open_gateway(0);
            met_gateway_close(gateway);
            gateway = NULL;
            damage(names[i], rows[k].at, rows[k].is_cut);
            live = memory.live;
            fresh();
            met_error error = met_gateway_open(store, NULL, &gateway, &told);
            if (rows[k].is_cut) { /* what was in it is made anew */
                assert_int_equal(error, MET_OK);
                assert_int_equal(serve("/anything", "ariel-key"), 200);
                clock_now_ns += MET__MINUTE_NS;
                met_gateway_close(gateway);
                gateway = NULL;
                continue;
            }
            if (error == MET_OK) {
                fail_msg("%s opens, damaged at %d", names[i],
                         (int)rows[k].at);
            }
            assert_true(error == MET_E_CORRUPT || error == MET_E_FOREIGN
                        || error == MET_E_LAYOUT);
            assert_int_equal(told.code, error);
            assert_non_null(strstr(told.field, names[i]));
            assert_true(strlen(told.reason) > 0);
            assert_int_equal(memory.live, live);
            path_to(names[i], path);
            assert_int_equal(unlink(path), 0);
        }
    }
    must_open_gateway(0);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
}

/* More limits than the limiter has room for: those without say so, and only
 * those. */
static void test_fault__too_many_limits(void **state)
{
    static char json[512 * 1024];
    size_t size = 0;
    int count = MET_LIMITER_POLICIES_MAX + 2;
    int refused = 0;

    (void)state;
#define SAY(...) size += (size_t)snprintf(json + size, sizeof json - size, \
                                          __VA_ARGS__)
    SAY("{\"_format_version\":\"3.0\",\"plugins\":[{\"name\":\"key-auth\"}],"
        "\"consumers\":[");
    for (int i = 0; i < count; i++) {
        SAY("%s{\"username\":\"c%d\",\"keyauth_credentials\":[{\"key\":"
            "\"k%d\"}],\"plugins\":[{\"name\":\"rate-limiting\",\"config\":"
            "{\"minute\":5}}]}",
            i ? "," : "", i, i);
    }
    SAY("]}");
    assert_ok(apply_document(json));
    must_open_gateway(0);
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        uint32_t status = serve("/", key);
        refused += status == 503;
        assert_true(status == 200
                    || decision.failure == MET_GATEWAY_FAILURE_LIMITER);
    }
    assert_int_equal(refused, 2);
    assert_int_equal(met_gateway_tick(gateway), MET_E_LIMIT);
    met_buffer out = {0};
    assert_ok(met_gateway_stats(gateway, &out, NULL));
    assert_non_null(strstr(out.data, "\"limits_missing\":2"));
    met_buffer_release(&out);
}

/* --- Fork ----------------------------------------------------------------- */
static int is_useless_here(met_gateway_ticket *ticket)
{
    met_gateway_request request = request_of("/anything", "ariel-key");
    met_buffer json = {0};
    met_gateway *opened;

    decision.struct_size = sizeof decision;
    return met_gateway_admit(gateway, &request, &decision) == MET_E_FORKED
           && met_gateway_complete(gateway, ticket, NULL) == MET_E_FORKED
           && met_gateway_tick(gateway) == MET_E_FORKED
           && met_gateway_stats(gateway, &json, NULL) == MET_E_FORKED
           && met_gateway_open(store, NULL, &opened, NULL) == MET_E_FORKED;
}

static void test_fault__forked(void **state)
{
    int status;

    (void)state;
    must_have_story();
    must_open_gateway(0);
    assert_int_equal(admit("/anything", "ariel-key"), 200);
    met_gateway_ticket ticket = decision.ticket;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int is_right = is_useless_here(&ticket);
        met_gateway_close(gateway);
        met_store_close(store);
        /* A store and a gateway of its own complete it. */
        is_right = is_right && open_documents("s", 0, &store) == MET_OK
                   && met_gateway_open(store, NULL, &gateway, NULL) == MET_OK
                   && met_gateway_complete(gateway, &ticket, NULL) == MET_OK;
        met_gateway_close(gateway);
        met_store_close(store);
        _exit(is_right && memory.live == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 2);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_fault__open_without_memory),
        TEST(test_fault__tick_without_memory),
        TEST(test_fault__new_snapshot_without_memory),
        TEST(test_fault__damaged_snapshot_at_open),
        TEST(test_fault__damaged_snapshot_while_serving),
        TEST(test_fault__damaged_tables),
        TEST(test_fault__too_many_limits),
        TEST(test_fault__forked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
