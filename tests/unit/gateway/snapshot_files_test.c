/* Which snapshot is in force: compiled when objects changed and only then,
 * older ones cleared up, damage repaired, a disk that fails anywhere. */
#include "unit/gateway/snapshot_support.h"

#define ONE "{\"consumers\":[{\"username\":\"one\"}]}"
#define TWO "{\"consumers\":[{\"username\":\"two\"}]}"

static const char *file_of(met_store *store, uint64_t number)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/gateway/snapshot-%llu-%u.map",
             met__store_path(store), (unsigned long long)number,
             MET__SNAPSHOT_LAYOUT);
    return path;
}

static uint64_t compile(met__snapshot_files *files, int is_damaged)
{
    uint64_t number = 0;

    assert_int_equal(
        met__snapshot_files_compile(files, is_damaged, &number, NULL),
        MET_OK);
    return number;
}

static void follows_the_store(void **state)
{
    met_store *store = fresh_store();
    met__snapshot_files files;
    met__snapshot old;
    met__snapshot snapshot;

    (void)state;
    assert_int_equal(met__snapshot_files_open(store, 0, &files, NULL),
                     MET_E_NOT_FOUND);
    assert_int_equal(met__gateway_refresh(store, NULL), MET_OK);
    assert_int_equal(met__snapshot_files_open(store, 1, &files, NULL),
                     MET_OK);
    must_apply(store, ONE);
    uint64_t first = compile(&files, 0);
    assert_int_equal(met__snapshot_files_map(&files, &old, NULL), MET_OK);
    assert_int_equal(files.compiled, 1);
    assert_int_equal(compile(&files, 0), first);
    assert_int_equal(files.compiled, 1);

    must_apply(store, TWO);
    assert_int_equal(met__snapshot_files_current(&files), first);
    assert_int_equal(met__gateway_refresh(store, NULL), MET_OK);
    uint64_t second = met__snapshot_files_current(&files);
    assert_true(second > first);
    assert_int_equal(met__snapshot_files_map(&files, &snapshot, NULL),
                     MET_OK);
    assert_int_equal(snapshot.count[MET__SECTION_CONSUMER], 2);
    /* Who has mapped the old one keeps it, also when its file is gone. */
    must_apply(store, "{\"consumers\":[{\"username\":\"three\"}]}");
    uint64_t third = compile(&files, 0);
    assert_false(temp_exists(file_of(store, first)));
    assert_true(temp_exists(file_of(store, third)));
    assert_int_equal(old.count[MET__SECTION_CONSUMER], 1);
    assert_ref(&old, met__snapshot_consumer_at(&old, 0)->username, "one");
    met__snapshot_close(met__store_platform(store), &old);
    met__snapshot_files_close(&files);
    let_go(store, &snapshot);
}

static void damaged(void **state)
{
    met_store *store = fresh_store();
    met__snapshot_files files;
    met__snapshot snapshot;

    (void)state;
    assert_int_equal(met__snapshot_files_open(store, 1, &files, NULL),
                     MET_OK);
    must_apply(store, ONE);
    uint64_t number = compile(&files, 0);
    FILE *file = fopen(file_of(store, number), "r+b");
    assert_non_null(file);
    fseek(file, 4100, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, 4100, SEEK_SET);
    fputc(byte ^ 0x55, file);
    fclose(file);
    assert_int_equal(met__snapshot_files_map(&files, &snapshot, NULL),
                     MET_E_CORRUPT);
    assert_int_equal(compile(&files, 1), number);
    assert_int_equal(met__snapshot_files_map(&files, &snapshot, NULL),
                     MET_OK);
    met__snapshot_files_close(&files);
    let_go(store, &snapshot);
}

/* Each call of the disk fails in turn: what was in force stays so, or the new
 * one is in force and whole. */
static void failing_disk(void **state)
{
    faulty_disk disk;
    unsigned refused = 0;

    (void)state;
    faulty_disk_init(&disk);
    disk.error = ENOSPC;
    met__platform platform = faulty_platform(NULL, &disk);
    met_store *store = open_store_on(&platform, temp_path(directory, "disk"));
    met__snapshot_files files;
    uint32_t before = 0;

    assert_int_equal(met__snapshot_files_open(store, 1, &files, NULL),
                     MET_OK);
    (void)compile(&files, 0);
    long open_files = disk.open_files;
    for (long k = 1;; k++) {
        met__snapshot snapshot;
        char json[64];
        uint64_t number;
        snprintf(json, sizeof json, "{\"consumers\":[{\"username\":\"%ld\"}]}",
                 k);
        must_apply(store, json);
        disk.calls = 0;
        disk.fail_at = k;
        met_error error =
            met__snapshot_files_compile(&files, 0, &number, NULL);
        disk.fail_at = 0;
        assert_int_equal(disk.open_files, open_files);
        assert_int_equal(met__snapshot_files_map(&files, &snapshot, NULL),
                         MET_OK);
        uint32_t count = snapshot.count[MET__SECTION_CONSUMER];
        assert_int_equal(count, error == MET_OK ? (uint32_t)k : before);
        before = count;
        met__snapshot_close(&platform, &snapshot);
        refused += error != MET_OK;
        if (disk.calls < k) {
            break;
        }
    }
    assert_true(refused > 3);
    met__snapshot_files_close(&files);
    met__store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_store),
        cmocka_unit_test(damaged),
        cmocka_unit_test(failing_disk),
    };
    return SNAPSHOT_TESTS(tests);
}
