/* A backup without secrets: no byte of a hash of a key, nor of the key that
 * they were made with, and all the rest of the store. */
#include "support/gateway_calls.h"

#include <dirent.h>
#include <sys/stat.h>

#include "gateway/credential.h"
#include "gateway/entity_parts.h"

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

/* All files of a directory, one behind the other. */
static bytes read_all(const char *directory)
{
    DIR *listing = opendir(directory);
    struct dirent *entry;
    bytes all = {NULL, 0};

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        struct stat status;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        assert_int_equal(stat(path, &status), 0);
        if (!S_ISREG(status.st_mode)) {
            continue;
        }
        size_t size = (size_t)status.st_size;
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        all.data = realloc(all.data, all.size + size + 1);
        assert_non_null(all.data);
        assert_int_equal(fread(all.data + all.size, 1, size, file), size);
        fclose(file);
        all.size += size;
    }
    closedir(listing);
    return all;
}

static int has(bytes all, const void *what, size_t size)
{
    return memmem(all.data, all.size, what, size) != NULL;
}

static met_error back_up(const char *path, uint64_t flags)
{
    fresh();
    return met_store_backup(store, path, strlen(path), flags, &told);
}

/* What must not be in the copy. */
typedef struct secrets {
    met__credential_hash hashes[3];
    char hex[3][2 * MET__CREDENTIAL_HASH_SIZE + 1];
    uint8_t key[32];
} secrets;

static void note_secrets(secrets *out)
{
    static const char *const names[] = {"ariel-key", "rosario-key",
                                        "stranger-key"};

    memcpy(out->key, met__store_credential_key(store), sizeof out->key);
    for (int i = 0; i < 3; i++) {
        met__credential_hash_of(out->key, met__text_z(names[i]),
                                &out->hashes[i]);
        for (size_t k = 0; k < sizeof out->hashes[i].bytes; k++) {
            snprintf(out->hex[i] + 2 * k, 3, "%02x", out->hashes[i].bytes[k]);
        }
    }
}

static int count_of(bytes all, const secrets *secret)
{
    int count = has(all, secret->key, sizeof secret->key);

    for (int i = 0; i < 3; i++) {
        count += has(all, secret->hashes[i].bytes,
                     sizeof secret->hashes[i].bytes);
        count += has(all, secret->hex[i], strlen(secret->hex[i]));
    }
    return count;
}

/* So that freed pages and the rest of pages have them, too. */
static void move_keys_about(void)
{
    char json[512];

    for (int i = 0; i < 40; i++) {
        snprintf(json, sizeof json,
                 "{\"_format_version\":\"3.0\",\"consumers\":[{\"username\":"
                 "\"stranger\",\"custom_id\":\"number %d\","
                 "\"keyauth_credentials\":[{\"key\":\"stranger-key\"}%s]}]}",
                 i, i % 2 ? ",{\"key\":\"another\"}" : "");
        assert_ok(apply_document(json));
    }
}

static void test_redact__nothing_of_keys(void **state)
{
    char whole[160];
    char bare[160];
    secrets secret;

    must_apply_story(STORY_LIMIT);
    must_sell("ariel", "free", "{\"type\":\"free\"}", "1000", "false");
    move_keys_about();
    must_open_gateway(0);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    met_gateway_close(gateway);
    gateway = NULL;
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 1);
    note_secrets(&secret);
    snprintf(whole, sizeof whole, "%s/whole", home);
    snprintf(bare, sizeof bare, "%s/bare", home);
    assert_ok(back_up(whole, 0));
    assert_ok(back_up(bare, MET_BACKUP_WITHOUT_SECRETS));
    bytes all = read_all(whole);
    assert_int_equal(count_of(all, &secret), 7);
    free(all.data);
    all = read_all(bare);
    assert_int_equal(count_of(all, &secret), 0);
    assert_true(has(all, "ariel", 5));
    free(all.data);
    assert_int_equal(back_up(bare, MET_BACKUP_WITHOUT_SECRETS),
                     MET_E_EXISTS);

    /* It is a store, and keys may be given again. */
    met_store_close(store);
    assert_int_equal(open_documents("bare", 0, &store), MET_OK);
    met_buffer *out = fresh();
    assert_ok(keep(met_store_check(store, out, &told), out));
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 1);
    must_open_gateway(0);
    assert_int_equal(serve("/anything", "ariel-key"), 401);
    assert_ok(apply_document(
        "{\"_format_version\":\"3.0\",\"consumers\":[{\"username\":\"ariel\","
        "\"keyauth_credentials\":[{\"key\":\"ariel-key\"}]}]}"));
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(serve("/anything", "rosario-key"), 401);
    note_secrets(&secret);
    met_gateway_close(gateway);
    gateway = NULL;
    assert_int_equal(usage_of("{\"meter\":\"api_requests\"}"), 2);
}

/* The second transaction, and memory that is out. */
static void test_redact__many_and_no_memory(void **state)
{
    char path[160];
    char name[32];
    met__txn *txn;

    must_apply_story(STORY_LIMIT);
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    for (int i = 0; i < 25000; i++) {
        int size = snprintf(name, sizeof name, "%08d", i);
        assert_int_equal(met__txn_put(txn, MET__TABLE_AUDIT, name,
                                      (size_t)size, name, (size_t)size),
                         MET_OK);
    }
    assert_int_equal(met__txn_commit(txn), MET_OK);
    snprintf(path, sizeof path, "%s/copy", home);
    long live = memory.live;
    met_error error = MET_E_NO_MEMORY;
    long k = 0;
    while (error != MET_OK) {
        struct stat status;
        assert_int_not_equal(stat(path, &status), 0);
        memory.fail_at = memory.calls + ++k;
        error = back_up(path, MET_BACKUP_WITHOUT_SECRETS);
        memory.fail_at = 0;
        assert_true(error == MET_OK || error == MET_E_NO_MEMORY);
        assert_int_equal(memory.live, live);
    }
    assert_true(k > 5);
    met_store_close(store);
    assert_int_equal(open_documents("copy", 0, &store), MET_OK);
    met__text value;
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    for (int i = 0; i < 25000; i += 4999) {
        int size = snprintf(name, sizeof name, "%08d", i);
        assert_int_equal(met__txn_get(txn, MET__TABLE_AUDIT, name,
                                      (size_t)size, &value),
                         MET_OK);
    }
    met__txn_abort(txn);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_redact__nothing_of_keys),
        TEST(test_redact__many_and_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
