/* Making a store: names, modes, what is there already, and many at once. */
#include "store_support.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>

#include "metering/store.h"

static char home[64];

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    return 0;
}

static int teardown(void **state)
{
    temp_remove(home);
    return 0;
}

static int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = -2; /* . and .. */

    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

static unsigned mode_of(const char *path)
{
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    return found.st_mode & 0777;
}

static void test_create__files_and_modes(void **state)
{
    char path[128];

    snprintf(path, sizeof path, "%s/s", home);
    umask(0);
    met_store_close(must_open(path, 1));
    assert_int_equal(mode_of(path), 0700);
    assert_int_equal(mode_of(temp_path(path, "META")), 0600);
    assert_int_equal(mode_of(temp_path(path, "data.mdb")), 0600);
    assert_int_equal(mode_of(temp_path(path, "lock.mdb")), 0600);
    assert_int_equal(mode_of(temp_path(path, "tally")), 0700);
    assert_int_equal(mode_of(temp_path(path, "gateway")), 0700);
    assert_int_equal(count_entries(path), 5);
    assert_int_equal(count_entries(home), 1);
    /* creating what is there opens it */
    met_store *store = must_open(path, 1);
    assert_int_equal(put_one(store, "k", "v"), MET_OK);
    met_store_close(store);
    store = must_open(path, 1);
    assert_true(has_one(store, "k", "v"));
    met_store_close(store);
}

static void test_create__places(void **state)
{
    char cwd[512];
    met_store *store = NULL;

    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(home), 0);
    /* an empty directory, with slashes at the end; a relative name */
    assert_int_equal(mkdir("empty", 0755), 0);
    met_store_close(must_open("empty//", 1));
    assert_int_equal(mode_of("empty"), 0700);
    met_store_close(must_open("name", 1));
    met_store_close(must_open("./other", 1));
    met_store_close(must_open("name/../third/", 1));
    /* inside a directory that is a link */
    assert_int_equal(mkdir("real", 0755), 0);
    assert_int_equal(symlink("real", "link"), 0);
    met_store_close(must_open("link/s", 1));
    assert_true(temp_exists("real/s/META"));
    /* where one stands: opening is fine, creating needs a name */
    assert_int_equal(chdir("name"), 0);
    store = must_open(".", 1);
    met_store_close(store);
    assert_int_equal(mkdir("../bare", 0755), 0);
    assert_int_equal(chdir("../bare"), 0);
    store = NULL;
    assert_int_equal(try_open(".", 1, &store), MET_E_INVALID);
    assert_non_null(strstr(last_info.reason, "by its own name"));
    assert_int_equal(try_open("../bare/.", 1, &store), MET_E_INVALID);
    assert_int_equal(count_entries("."), 0);
    assert_int_equal(try_open("no/such/parent", 1, &store), MET_E_NOT_FOUND);
    assert_int_equal(try_open("", 1, &store), MET_E_INVALID);
    assert_null(store);
    assert_int_equal(chdir(cwd), 0);
    assert_int_equal(count_entries(home), 7);
}

static void test_create__refuses_what_is_there(void **state)
{
    static const struct {
        const char *reason;
        const char *make; /* a file to make, or a directory with / */
        met_error error;
        const char *says;
    } rows[] = {
        {"a file", "s", MET_E_EXISTS, "is not a directory"},
        {"somebody's directory", "s/notes.txt", MET_E_EXISTS,
         "neither a store nor an empty directory"},
        {"a directory in it", "s/x/", MET_E_EXISTS, "neither a store"},
        {"a hidden file", "s/.keep", MET_E_EXISTS, "neither a store"},
        {"LMDB without META", "s/data.mdb", MET_E_CORRUPT, "META is missing"},
        {"META without LMDB", "s/META", MET_E_CORRUPT, "is missing"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128];
        char made[160];
        met_store *store = NULL;
        snprintf(path, sizeof path, "%s/s", home);
        snprintf(made, sizeof made, "%s/%s", home, rows[i].make);
        size_t size = strlen(made);
        if (strchr(rows[i].make, '/') != NULL) {
            assert_int_equal(mkdir(path, 0755), 0);
        }
        if (made[size - 1] == '/') {
            assert_int_equal(mkdir(made, 0755), 0);
        } else {
            write_whole(made, "mine", 4);
        }
        met_error error = try_open(path, 1, &store);
        if (error != rows[i].error || store != NULL
            || strstr(last_info.reason, rows[i].says) == NULL) {
            fail_msg("%s: %s \"%s\"", rows[i].reason, met_error_name(error),
                     last_info.reason);
        }
        assert_true(temp_exists(made));
        assert_int_equal(count_entries(home), 1);
        temp_remove(path);
    }
}

/* Space for some of a new store: an answer at every page, never a signal. */
static int create_with_little_space(const char *path)
{
    static char zeros[4096];
    char fill[160];
    char name[160];
    int whole = 0;

    snprintf(fill, sizeof fill, "%s/fill", path);
    snprintf(name, sizeof name, "%s/s2", path);
    for (int pages = 1; pages <= 80; pages++) {
        met_store *store = NULL;
        int file = open(fill, O_CREAT | O_WRONLY, 0600);
        while (write(file, zeros, sizeof zeros) > 0) {
        }
        if (ftruncate(file, lseek(file, 0, SEEK_END) - 4096 * pages) != 0) {
            return 0;
        }
        close(file);
        met_error error = try_open(name, 1, &store);
        unlink(fill);
        if (error == MET_OK) {
            met_store_close(store);
            temp_remove(name);
            whole++;
        } else if (error != MET_E_DISK_FULL || store != NULL
                   || count_entries(path) != 1) {
            return 0;
        }
    }
    return whole > 0 && whole < 80;
}

/* A mount point cannot be renamed over: the answer says what to do. */
static int create_on_mount(void *context)
{
    const char *path = context;
    met_store *store = NULL;
    char inside[160];

    if (unshare(CLONE_NEWNS) != 0
        || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("none", path, "tmpfs", 0, "size=8m") != 0) {
        return 77; /* not allowed to try */
    }
    if (try_open(path, 1, &store) != MET_E_INVALID || store != NULL
        || strstr(last_info.reason, "is a mount point") == NULL) {
        return 1;
    }
    snprintf(inside, sizeof inside, "%s/s", path);
    if (try_open(inside, 1, &store) != MET_OK
        || put_one(store, "k", "v") != MET_OK) {
        return 2;
    }
    if (!create_with_little_space(path)) {
        return 9;
    }
    /* and a real full disk: a clear error, whole afterwards, and it goes on
     * when there is space again */
    static char big[1 << 20];
    char fill[160];
    met__txn *txn;
    met_error error = met__txn_begin(store, 1, &txn);
    for (int i = 0; error == MET_OK && i < 12; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        error = met__txn_put(txn, MET__TABLE_METER, key, strlen(key), big,
                             sizeof big);
    }
    error = error == MET_OK ? met__txn_commit(txn) : MET_E_BUG;
    if (error != MET_E_DISK_FULL) {
        return 3;
    }
    if (met__store_check_handle(store) != MET_OK
        || check_all(store) != MET_OK || !has_one(store, "k", "v")) {
        return 4;
    }
    /* no space for another store or a copy: nothing half done */
    snprintf(fill, sizeof fill, "%s/fill", path);
    int file = open(fill, O_CREAT | O_WRONLY, 0600);
    while (write(file, big, 4096) > 0) {
    }
    close(file);
    met_store *other = NULL;
    char name[200];
    snprintf(name, sizeof name, "%s/s2", path);
    error = try_open(name, 1, &other);
    if (error != MET_E_DISK_FULL || other != NULL || temp_exists(name)) {
        return 5;
    }
    error = met__store_backup(store, name, NULL, NULL);
    if (error != MET_E_DISK_FULL || temp_exists(name)
        || count_entries(path) != 2) {
        return 6;
    }
    unlink(fill);
    if (put_one(store, "k2", "v2") != MET_OK || !has_one(store, "k2", "v2")
        || check_all(store) != MET_OK) {
        return 7;
    }
    met_store_close(store);
    store = NULL;
    if (try_open(inside, 0, &store) != MET_OK || !has_one(store, "k2", "v2")) {
        return 8;
    }
    met_store_close(store);
    return 0;
}

static void test_create__mount_point_and_full_disk(void **state)
{
    char path[128];

    snprintf(path, sizeof path, "%s/mount", home);
    assert_int_equal(mkdir(path, 0755), 0);
    int result = in_child(create_on_mount, path);
    if (result == 77) {
        print_message("mounting is not allowed here\n");
        skip();
    }
    assert_int_equal(result, 0);
}

/* Several processes create the same store at once: one store. */
typedef struct race {
    char path[128];
    int start[2];  /* closed to start */
    int answer[2]; /* ids */
} race;

static int create_in_race(race *it)
{
    met_store *store = NULL;
    char byte;

    close(it->start[1]);
    if (read(it->start[0], &byte, 1) != 0) {
        return 1;
    }
    if (try_open(it->path, 1, &store) != MET_OK) {
        dprintf(2, "%s\n", last_info.reason);
        return 2;
    }
    if (write(it->answer[1], met__store_id(store), 16) != 16
        || put_one(store, "k", "v") != MET_OK) {
        return 3;
    }
    met_store_close(store);
    return 0;
}

static void test_create__many_at_once(void **state)
{
    enum { RACERS = 4, ROUNDS = 15 };

    for (int round = 0; round < ROUNDS; round++) {
        race it;
        pid_t racers[RACERS];
        unsigned char ids[RACERS][16];
        snprintf(it.path, sizeof it.path, "%s/s%d", home, round);
        if (round % 2) {
            assert_int_equal(mkdir(it.path, 0700), 0);
        }
        assert_int_equal(pipe(it.start), 0);
        assert_int_equal(pipe(it.answer), 0);
        fflush(NULL);
        for (int i = 0; i < RACERS; i++) {
            racers[i] = fork();
            if (racers[i] == 0) {
                _exit(create_in_race(&it));
            }
        }
        close(it.start[0]);
        close(it.start[1]);
        for (int i = 0; i < RACERS; i++) {
            int status;
            assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
        }
        for (int i = 0; i < RACERS; i++) {
            assert_int_equal(read(it.answer[0], ids[i], 16), 16);
            assert_memory_equal(ids[i], ids[0], 16);
        }
        close(it.answer[0]);
        close(it.answer[1]);
        assert_int_equal(count_entries(home), round + 1);
    }
}

/* A store that is renamed into place while somebody looks: first there is no
 * META, a moment later there is. */
static int looks_left;

static int stat_too_early(void *context, const char *path,
                          met__os_stat *stat_out)
{
    const char *name = strrchr(path, '/');

    if (name != NULL && strcmp(name, "/META") == 0 && looks_left > 0) {
        looks_left--;
        return -ENOENT;
    }
    return met__os_default()->stat(met__os_default()->context, path,
                                   stat_out);
}

static void test_create__renamed_in_between(void **state)
{
    met__os table = *met__os_default();
    met__platform platform = faulty_platform(NULL, NULL);
    met_error_info info = {.struct_size = sizeof info};
    met_store *store = NULL;
    char path[128];

    snprintf(path, sizeof path, "%s/s", home);
    met_store_close(must_open(path, 1));
    table.stat = stat_too_early;
    platform.os = &table;
    looks_left = 1;
    if (met__store_open(&platform, path, SMALL_MAP, 1, &store, &info)
        != MET_OK) {
        fail_msg("%s", info.reason);
    }
    met_store_close(store);
    /* Without META for good it is no store. */
    looks_left = 1000;
    assert_int_equal(met__store_open(&platform, path, SMALL_MAP, 1, &store,
                                     &info),
                     MET_E_CORRUPT);
    assert_string_equal(info.reason, "META is missing");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_create__files_and_modes),
        TEST(test_create__places),
        TEST(test_create__refuses_what_is_there),
        TEST(test_create__mount_point_and_full_disk),
        TEST(test_create__many_at_once),
        TEST(test_create__renamed_in_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
