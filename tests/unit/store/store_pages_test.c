/* Damage inside data.mdb: bits flipped anywhere, in a child so that a signal
 * is seen. Whatever is flipped, opening and checking answer; and what they
 * pass has the content it had. */
#include "store_support.h"

#include <signal.h>

#include "store/store_env.h"
#include "store/store_pages.h"

static char home[64];
static char dir[128];
static char data_path[160];
static unsigned char *whole;
static size_t whole_size;
static uint64_t content;

static uint64_t random_state = 20260131;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Several levels, big values, free pages, tables of every size. */
static void fill(met_store *store)
{
    static char big[40000];
    char key[64];
    met__txn *txn;

    memset(big, 'b', sizeof big);
    for (int round = 0; round < 4; round++) {
        assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
        for (int i = 0; i < 600; i++) {
            snprintf(key, sizeof key, "key-%d-%08d", i % 7, i);
            must_put(txn, MET__TABLE_CUSTOMER, key, key,
                     (size_t)(8 + (i + round) % 40));
            if (i % 40 == round) {
                must_put(txn, MET__TABLE_PLAN, key, big,
                         (size_t)(3000 + i * 30));
            }
        }
        must_put(txn, MET__TABLE_METER, "one", "1", 1);
        assert_int_equal(met__txn_commit(txn), MET_OK);
    }
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    for (int i = 0; i < 600; i += 3) {
        snprintf(key, sizeof key, "key-%d-%08d", i % 7, i);
        assert_int_equal(met__txn_remove(txn, MET__TABLE_CUSTOMER, key,
                                         strlen(key)),
                         MET_OK);
    }
    assert_int_equal(met__txn_commit(txn), MET_OK);
}

static int setup(void **state)
{
    temp_directory_fast(home, sizeof home);
    snprintf(dir, sizeof dir, "%s/s", home);
    snprintf(data_path, sizeof data_path, "%s/data.mdb", dir);
    met_store *store = must_open(dir, 1);
    fill(store);
    assert_int_equal(digest(store, &content), MET_OK);
    assert_int_equal(check_all(store), MET_OK);
    met_store_close(store);
    whole = read_whole(data_path, &whole_size);
    return 0;
}

static int teardown(void **state)
{
    free(whole);
    temp_remove(home);
    return 0;
}

enum { SAME = 0, REFUSED = 1, FOUND = 2, SILENT = 3, ODD = 4 };

/* What a process makes of the file as it is. */
static int examine(void *context)
{
    met_store *store = NULL;
    uint64_t now;
    met_error error = try_open(dir, 0, &store);

    if (error != MET_OK) {
        return error == MET_E_CORRUPT || error == MET_E_FOREIGN
                       || error == MET_E_LAYOUT
                   ? REFUSED
                   : ODD;
    }
    error = check_all(store);
    if (error != MET_OK) {
        met_store_close(store);
        return error == MET_E_CORRUPT ? FOUND : ODD;
    }
    error = digest(store, &now);
    met_store_close(store);
    return error == MET_OK && now == content ? SAME : SILENT;
}

/* A sanitizer ends the test at a signal, and makes a child cost tenfold. */
static int examine_safely(void)
{
#ifdef __SANITIZE_ADDRESS__
    return examine(NULL);
#else
    return in_child(examine, NULL);
#endif
}

static int examine_with(const unsigned char *bytes, size_t size)
{
    write_whole(data_path, bytes, size);
    return examine_safely();
}

static void flip(const size_t *bits, int count)
{
    int file = open(data_path, O_WRONLY);

    assert_true(file >= 0);
    for (int i = 0; i < count; i++) {
        size_t at = bits[i] / 8;
        whole[at] ^= (unsigned char)(1u << (bits[i] % 8));
        assert_int_equal(pwrite(file, whole + at, 1, (off_t)at), 1);
    }
    close(file);
}

static int flip_and_examine(const size_t *bits, int count, unsigned *seen)
{
    flip(bits, count);
    int result = examine_safely();
    flip(bits, count);
    if (result > FOUND) {
        fail_msg("bit %zu of byte %zu (and %d more): result %d", bits[0] % 8,
                 bits[0] / 8, count - 1, result);
    }
    seen[result]++;
    return result;
}

static void test_pages__whole(void **state)
{
    met__page_report report;
    met__txn *txn;
    met_store *store = must_open(dir, 0);

    assert_int_equal(met__pages_begin(store, MET__PAGES_ALL, &txn, &report),
                     MET_OK);
    met__txn_abort(txn);
    /* every page has an owner or is free, but the two meta pages */
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    assert_int_equal(report.visited, info.me_last_pgno + 1 - 2);
    assert_null(report.reason);
    assert_int_equal(met__pages_begin(store, MET__PAGES_TOP, &txn, &report),
                     MET_OK);
    met__txn_abort(txn);
    assert_true(report.visited >= 1 && report.visited < 5);
    met_store_close(store);
}

static void test_pages__random_flips(void **state)
{
    unsigned seen[3] = {0};

    for (int i = 0; i < 400; i++) {
        size_t bits[4];
        int count = 1 + (int)(next_random() % 4);
        for (int k = 0; k < count; k++) {
            bits[k] = next_random() % (whole_size * 8);
        }
        flip_and_examine(bits, count, seen);
    }
    print_message("400 flips anywhere: %u harmless, %u refused, %u found\n",
                  seen[SAME], seen[REFUSED], seen[FOUND]);
    assert_true(seen[FOUND] > 100);
}

/* Headers of pages and nodes: where LMDB keeps what it trusts. */
static void test_pages__flips_in_headers(void **state)
{
    unsigned seen[3] = {0};

    for (int i = 0; i < 400; i++) {
        size_t page = 2 + next_random() % (whole_size / 4096 - 2);
        size_t bit = page * 4096 * 8;
        switch (i % 3) {
        case 0: /* the header itself */
            bit += next_random() % 128;
            break;
        case 1: /* the offsets */
            bit += 128 + next_random() % 512;
            break;
        default: { /* a node's header */
            uint16_t offset;
            memcpy(&offset, whole + page * 4096 + 16, sizeof offset);
            bit += (offset % 4088u) * 8u + next_random() % 64;
            break;
        }
        }
        flip_and_examine(&bit, 1, seen);
    }
    print_message("400 flips in headers: %u harmless, %u refused, %u found\n",
                  seen[SAME], seen[REFUSED], seen[FOUND]);
    assert_true(seen[FOUND] > 100);
}

/* Every bit of both meta pages. Out of reach is what makes the older of two
 * neighbours the newer one: the second bit of a transaction number. LMDB keeps
 * nothing else that could tell, and the store is whole, one commit ago. */
static void test_pages__flips_in_meta(void **state)
{
    unsigned seen[3] = {0};

    for (size_t page = 0; page < 2; page++) {
        for (size_t bit = 0; bit < (16 + 136) * 8; bit++) {
            size_t at = (page * 4096) * 8 + bit;
            size_t id_bit = (page * 4096 + 16 + 128) * 8 + 1;
            if (at == id_bit) {
                continue;
            }
            flip_and_examine(&at, 1, seen);
        }
    }
    print_message("%u flips in meta pages: %u harmless, %u refused, %u "
                  "found\n", seen[0] + seen[1] + seen[2], seen[SAME],
                  seen[REFUSED], seen[FOUND]);
    assert_true(seen[REFUSED] > 200);
}

/* The file ends anywhere: at every page, and in the middle of one. */
static void test_pages__cut(void **state)
{
    unsigned seen[5] = {0};

    for (size_t size = 0; size < whole_size; size += 4096) {
        int result = examine_with(whole, size);
        if (result > FOUND) {
            fail_msg("cut at %zu: %d", size, result);
        }
        seen[result]++;
        result = examine_with(whole, size + 1 + next_random() % 4094);
        if (result > FOUND) {
            fail_msg("cut behind %zu: %d", size, result);
        }
        seen[result]++;
    }
    assert_true(seen[REFUSED] > whole_size / 4096);
    print_message("cut at %u places: %u harmless, %u refused, %u found\n",
                  seen[SAME] + seen[REFUSED] + seen[FOUND], seen[SAME],
                  seen[REFUSED], seen[FOUND]);
}

/* Pages in each other's place, and pages of nothing. */
static void test_pages__swapped_and_blank(void **state)
{
    unsigned char *copy = malloc(whole_size);
    unsigned seen[5] = {0};
    size_t pages = whole_size / 4096;

    assert_non_null(copy);
    for (int i = 0; i < 90; i++) {
        size_t a = 2 + next_random() % (pages - 2);
        size_t b = 2 + next_random() % (pages - 2);
        memcpy(copy, whole, whole_size);
        memcpy(copy + a * 4096, whole + b * 4096, 4096);
        if (i % 3 == 1) { /* with the right number */
            memcpy(copy + a * 4096, whole + a * 4096, 8);
        } else if (i % 3 == 2) {
            memset(copy + a * 4096, i % 2 ? 0 : 0xff, 4096);
        }
        int result = examine_with(copy, whole_size);
        if (result > FOUND) {
            fail_msg("%zu as %zu: %d", b, a, result);
        }
        seen[result]++;
    }
    free(copy);
    print_message("90 wrong pages: %u harmless, %u refused, %u found\n",
                  seen[SAME], seen[REFUSED], seen[FOUND]);
    assert_true(seen[FOUND] > 30);
}

/* What our reads say of the file as it is; LMDB does not walk it. */
static const char *reason_of(const unsigned char *bytes)
{
    met__page_report report;
    met__txn *txn;
    met_store *store = NULL;

    write_whole(data_path, bytes, whole_size);
    if (try_open(dir, 0, &store) != MET_OK) {
        return strstr(last_info.reason, "has ");
    }
    if (met__pages_begin(store, MET__PAGES_ALL, &txn, &report) == MET_OK) {
        met__txn_abort(txn);
    }
    met_store_close(store);
    return report.reason != NULL ? report.reason : "";
}

/* A last page for which one bit each would be a gigabyte of memory. */
static void test_pages__far_end(void **state)
{
    uint64_t ids[2];
    uint64_t keep;
    uint64_t far = UINT64_C(1) << 33;

    memcpy(&ids[0], whole + 16 + 128, 8);
    memcpy(&ids[1], whole + 4096 + 16 + 128, 8);
    unsigned char *last = whole + (ids[1] > ids[0] ? 4096 : 0) + 16 + 120;
    memcpy(&keep, last, 8);
    memcpy(last, &far, 8);
    assert_non_null(strstr(reason_of(whole), "far beyond the file's end"));
    memcpy(last, &keep, 8);
}

/* The order of two keys exchanged, everything else right. */
static void test_pages__order(void **state)
{
    unsigned seen = 0;

    for (size_t page = 2; page < whole_size / 4096 && seen < 5; page++) {
        unsigned char *at = whole + page * 4096;
        uint16_t flags;
        uint16_t lower;
        memcpy(&flags, at + 10, 2);
        memcpy(&lower, at + 12, 2);
        if (flags != 2 || lower < 16 + 6) {
            continue;
        }
        unsigned char first[2];
        memcpy(first, at + 16, 2);
        memcpy(at + 16, at + 18, 2);
        memcpy(at + 18, first, 2);
        seen += strcmp(reason_of(whole), "has keys out of order") == 0;
        memcpy(first, at + 16, 2);
        memcpy(at + 16, at + 18, 2);
        memcpy(at + 18, first, 2);
    }
    assert_int_equal(seen, 5);
}

/* A page in use that the list of free pages offers to the next writer. */
static void test_pages__used_and_free(void **state)
{
    uint64_t ids[2];
    uint64_t free_root;
    uint64_t main_root;
    uint16_t lower;
    int is_found = 0;

    memcpy(&ids[0], whole + 16 + 128, 8);
    memcpy(&ids[1], whole + 4096 + 16 + 128, 8);
    const unsigned char *meta = whole + (ids[1] > ids[0] ? 4096 : 0) + 16;
    memcpy(&free_root, meta + 24 + 40, 8);
    memcpy(&main_root, meta + 72 + 40, 8);
    unsigned char *page = whole + free_root * 4096;
    memcpy(&lower, page + 12, 2);
    for (size_t i = 0; i < (lower - 16u) / 2 && !is_found; i++) {
        uint16_t offset;
        uint16_t node[4]; /* low, high, flags, key size */
        uint64_t count;
        uint64_t keep;
        memcpy(&offset, page + 16 + 2 * i, 2);
        memcpy(node, page + offset, 8);
        if (node[2] != 0) {
            continue; /* the list is elsewhere */
        }
        unsigned char *list = page + offset + 8 + node[3];
        memcpy(&count, list, 8);
        if (count > 0) {
            memcpy(&keep, list + 8, 8);
            memcpy(list + 8, &main_root, 8);
            assert_string_equal(reason_of(whole), "has two owners");
            memcpy(list + 8, &keep, 8);
            is_found = 1;
        }
    }
    assert_true(is_found);
}

/* Checking while two others write: never a false alarm. */
static int write_on(void *context)
{
    met_store *store = NULL;
    char key[32];

    if (try_open(dir, 0, &store) != MET_OK) {
        return 1;
    }
    for (int i = 0; i < 150; i++) {
        snprintf(key, sizeof key, "w%d", i % 50);
        if (put_one(store, key, key) != MET_OK) {
            return 2;
        }
    }
    met_store_close(store);
    return 0;
}

static void test_pages__beside_writers(void **state)
{
    pid_t writers[2];
    int left = 2;

    write_whole(data_path, whole, whole_size);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        writers[i] = fork();
        if (writers[i] == 0) {
            _exit(write_on(NULL));
        }
    }
    while (left > 0) {
        int status;
        met_store *store = must_open(dir, 0);
        assert_int_equal(check_all(store), MET_OK);
        met_store_close(store);
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            left--;
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pages__whole),
        TEST(test_pages__random_flips),
        TEST(test_pages__flips_in_headers),
        TEST(test_pages__flips_in_meta),
        TEST(test_pages__cut),
        TEST(test_pages__swapped_and_blank),
        TEST(test_pages__far_end),
        TEST(test_pages__order),
        TEST(test_pages__used_and_free),
        TEST(test_pages__beside_writers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
