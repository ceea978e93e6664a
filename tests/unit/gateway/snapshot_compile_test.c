/* Consumers, groups and keys as the request path finds them; many of them;
 * memory that runs out anywhere. */
#include "unit/gateway/snapshot_support.h"

#include "gateway/snapshot_compile.h"

static const char story[] =
    "{\"services\":[{\"name\":\"s\",\"host\":\"h\",\"port\":8000}],"
    "\"routes\":[{\"name\":\"r\",\"service\":{\"name\":\"s\"},"
    "\"paths\":[\"/r\"]}],"
    "\"consumers\":[{\"username\":\"ariel\",\"custom_id\":\"c-1\",\"id\":"
    "\"id-1\",\"acls\":[{\"group\":\"free\"},{\"group\":\"more\"}],"
    "\"keyauth_credentials\":[{\"key\":\"a-key\"},{\"key\":\"b-key\","
    "\"ttl\":60}]},{\"username\":\"none\"}],"
    "\"plugins\":[{\"name\":\"key-auth\",\"config\":{\"anonymous\":\"none\","
    "\"hide_credentials\":true}},{\"name\":\"acl\",\"config\":{\"allow\":"
    "[\"more\"]}},{\"name\":\"rate-limiting\",\"config\":{\"minute\":5}},"
    "{\"name\":\"rate-limiting\",\"consumer\":\"ariel\",\"config\":"
    "{\"minute\":9}}]}";

static void consumers(void **state)
{
    met_store *store;
    met__snapshot snapshot = map_json(story, &store);
    const met__snapshot_consumer *ariel = consumer_of(&snapshot, "ariel");
    const met__snapshot_consumer *none = consumer_of(&snapshot, "none");

    (void)state;
    assert_ref(&snapshot, ariel->id, "id-1");
    assert_ref(&snapshot, ariel->subject, "consumer:id-1");
    assert_ref(&snapshot, ariel->headers,
               "X-Consumer-ID: id-1\r\nX-Consumer-Custom-ID: c-1\r\n"
               "X-Consumer-Username: ariel\r\n");
    assert_ref(&snapshot, ariel->groups_header,
               "X-Consumer-Groups: free, more\r\n");
    assert_ref(&snapshot, none->groups_header, "X-Consumer-Groups: \r\n");
    assert_int_equal(ariel->groups.count, 2);
    assert_int_equal(none->groups.count, 0);
    assert_int_equal(ariel->has_customer, 0);
    assert_int_equal(ariel->rows.count, 0);
    assert_ref(&snapshot, met__snapshot_service_at(&snapshot, 0)->port,
               "8000");
    const met__snapshot_acl *acl = met__snapshot_acl_at(&snapshot, 0);
    assert_true(met__snapshot_groups_overlap(&snapshot, ariel->groups,
                                             acl->groups));
    assert_false(met__snapshot_groups_overlap(&snapshot, none->groups,
                                              acl->groups));
    let_go(store, &snapshot);
}

static void keys(void **state)
{
    met_store *store;
    met__snapshot snapshot = map_json(story, &store);
    met__credential_hash hash;

    (void)state;
    assert_text(holder_of(store, &snapshot, "a-key"), "ariel");
    assert_text(holder_of(store, &snapshot, "c-key"), "");
    assert_text(holder_of(store, &snapshot, ""), "");
    met__credential_hash_of(met__store_credential_key(store),
                            MET__TEXT("b-key"), &hash);
    assert_int_equal(
        met__snapshot_credential_at(
            &snapshot, met__snapshot_credential_find(&snapshot, &hash))
            ->expires_at_ns,
        NOW + 60 * INT64_C(1000000000));
    let_go(store, &snapshot);
}

static void nothing_at_all(void **state)
{
    met_store *store = fresh_store();
    met__snapshot snapshot = map_store(store);

    (void)state;
    assert_text(holder_of(store, &snapshot, "a-key"), "");
    assert_int_equal(met__snapshot_route_match(&snapshot, MET__TEXT("/"),
                                               MET__TEXT("GET")),
                     MET__NONE);
    assert_int_equal(
        met__snapshot_consumer_find(&snapshot, MET__TEXT("a"), 7), MET__NONE);
    assert_int_equal(snapshot.global.record[MET__PLUGIN_KEY_AUTH],
                     MET__NONE);
    let_go(store, &snapshot);
}

#define MANY 10000

#define PER_DOCUMENT 250 /* notes of one apply have 8 KiB */

static void apply_many(met_store *store, int first, int count)
{
    size_t room = (size_t)count * 110 + 64;
    char *json = malloc(room);
    size_t size;

    assert_non_null(json);
    size = (size_t)snprintf(json, room, "{\"consumers\":[");
    for (int i = first; i < first + count; i++) {
        size += (size_t)snprintf(
            json + size, room - size,
            "%s{\"username\":\"u%d\",\"keyauth_credentials\":[{\"key\":"
            "\"k%d\"}],\"acls\":[{\"group\":\"g%d\"}]}",
            i > first ? "," : "", i, i, i % 7);
    }
    snprintf(json + size, room - size, "]}");
    must_apply(store, json);
    free(json);
}

/* As the gateway finds who is named as a subject. */
static uint32_t named(const met_store *store, const met__snapshot *snapshot,
                      const char *username)
{
    met__text name = met__text_z(username);

    return met__snapshot_consumer_find(
        snapshot, name,
        met__snapshot_name_hash(met__store_secret(store), name));
}

static void many_consumers(void **state)
{
    met_store *store = fresh_store();

    (void)state;
    for (int i = 0; i < MANY; i += PER_DOCUMENT) {
        apply_many(store, i, PER_DOCUMENT);
    }
    met__snapshot snapshot = map_store(store);
    assert_int_equal(snapshot.count[MET__SECTION_CONSUMER], MANY);
    for (int i = 0; i < MANY; i++) {
        char key[16];
        char name[16];
        snprintf(key, sizeof key, "k%d", i);
        snprintf(name, sizeof name, "u%d", i);
        assert_text(holder_of(store, &snapshot, key), name);
        assert_ref(&snapshot,
                   met__snapshot_consumer_at(&snapshot,
                                             named(store, &snapshot, name))
                       ->username,
                   name);
    }
    assert_text(holder_of(store, &snapshot, "k10000"), "");
    assert_int_equal(named(store, &snapshot, "u10000"), MET__NONE);
    assert_int_equal(named(store, &snapshot, ""), MET__NONE);
    let_go(store, &snapshot);
}

/* Fails with each allocation in turn: an error each time, never a snapshot
 * that lacks something, and nothing is left. */
static void failing_memory(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    met_store *store =
        open_store_on(&platform, temp_path(directory, "memory"));
    met__snapshot_writer whole;
    met__txn *txn;
    long k = 1;

    (void)state;
    must_apply(store, story);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    met__snapshot_writer_init(&whole, &platform);
    assert_int_equal(met__snapshot_compile(txn, &whole, NULL), MET_OK);
    long live = memory.live;
    for (;; k++) {
        met__snapshot_writer writer;
        met__snapshot_writer_init(&writer, &platform);
        memory.calls = 0;
        memory.fail_at = k;
        met_error error = met__snapshot_compile(txn, &writer, NULL);
        memory.fail_at = 0;
        for (uint32_t i = 0; error == MET_OK && i < MET__SECTION_COUNT; i++) {
            assert_int_equal(writer.sections[i].size, whole.sections[i].size);
        }
        met__snapshot_writer_release(&writer);
        assert_int_equal(memory.live, live);
        if (error == MET_OK) {
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
    }
    assert_true(k > 20);
    met__snapshot_writer_release(&whole);
    met__txn_abort(txn);
    met__store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consumers),      cmocka_unit_test(keys),
        cmocka_unit_test(nothing_at_all), cmocka_unit_test(many_consumers),
        cmocka_unit_test(failing_memory),
    };
    return SNAPSHOT_TESTS(tests);
}
