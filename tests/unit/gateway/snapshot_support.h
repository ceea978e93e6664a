/* For tests of snapshots: a store's entities compiled and mapped. */
#ifndef TESTS_UNIT_GATEWAY_SNAPSHOT_SUPPORT_H
#define TESTS_UNIT_GATEWAY_SNAPSHOT_SUPPORT_H

#include "unit/gateway/gateway_support.h"

#include "gateway/plugin_config.h"
#include "gateway/snapshot_files.h"

static char directory[64];
static int stores;

static inline met_store *fresh_store(void)
{
    char name[32];

    snprintf(name, sizeof name, "store-%d", ++stores);
    return open_store(temp_path(directory, name));
}

/* Compiles when that is needed, and maps. */
static inline met__snapshot map_store(met_store *store)
{
    met__snapshot_files files;
    met__snapshot snapshot;
    uint64_t number = 0;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    if (met__snapshot_files_open(store, 1, &files, &last_info) != MET_OK
        || met__snapshot_files_compile(&files, 0, &number, &last_info)
               != MET_OK
        || met__snapshot_files_map(&files, &snapshot, &last_info) != MET_OK) {
        fail_msg("%s: %s", last_info.field, last_info.reason);
    }
    assert_int_equal(snapshot.number, number);
    met__snapshot_files_close(&files);
    return snapshot;
}

/* Applied to a store of its own, which stays open. */
static inline met__snapshot map_json(const char *json, met_store **store_out)
{
    *store_out = fresh_store();
    must_apply(*store_out, json);
    return map_store(*store_out);
}

static inline void let_go(met_store *store, met__snapshot *snapshot)
{
    met__snapshot_close(met__store_platform(store), snapshot);
    met__store_close(store);
}

static inline void assert_text(met__text found, const char *expected)
{
    if (!met__text_equal(found, met__text_z(expected))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int)found.size, found.data,
                 expected);
    }
}

static inline void assert_ref(const met__snapshot *snapshot, met__ref ref,
                              const char *expected)
{
    assert_text(met__snapshot_text(snapshot, ref), expected);
}

/* The consumer of this name; there are few. */
static inline const met__snapshot_consumer *consumer_of(
    const met__snapshot *snapshot, const char *username)
{
    for (uint32_t i = 0; i < snapshot->count[MET__SECTION_CONSUMER]; i++) {
        const met__snapshot_consumer *one =
            met__snapshot_consumer_at(snapshot, i);
        if (met__text_equal(met__snapshot_text(snapshot, one->username),
                            met__text_z(username))) {
            return one;
        }
    }
    fail_msg("no consumer %s", username);
    return NULL;
}

/* The username behind a key, "" when it is nobody's. */
static inline met__text holder_of(met_store *store,
                                  const met__snapshot *snapshot,
                                  const char *key)
{
    met__credential_hash hash;

    met__credential_hash_of(met__store_credential_key(store),
                            met__text_z(key), &hash);
    const met__snapshot_credential *found = met__snapshot_credential_at(
        snapshot, met__snapshot_credential_find(snapshot, &hash));
    const met__snapshot_consumer *consumer =
        found != NULL ? met__snapshot_consumer_at(snapshot, found->consumer)
                      : NULL;
    return consumer != NULL ? met__snapshot_text(snapshot, consumer->username)
                            : (met__text){"", 0};
}

#define SNAPSHOT_TESTS(tests)                             \
    (temp_directory(directory, sizeof directory),         \
     snapshot_failed = cmocka_run_group_tests(tests, NULL, NULL), \
     temp_remove(directory), snapshot_failed)
static int snapshot_failed;

#endif
