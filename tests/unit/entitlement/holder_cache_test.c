/* Customers that a store keeps from one call to the next: whatever changes, the
 * answer is that of a store that keeps nothing. */
#include "support/entitled.h"
#include "support/catalog_calls.h"

#include <pthread.h>

#include "entitlement/access.h"
#include "entitlement/holder_cache.h"

#define EVERYBODY (3 * MET__HOLDERS_KEPT)

/* A write transaction keeps nothing, so it reads what is stored. */
static met_error read_anew(const char *customer, const char *feature,
                           met__buffer *json)
{
    met__txn *txn;
    met__arena arena;
    met__node *node = NULL;

    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    met__arena_init(&arena, met__store_platform(store));
    met_error error =
        met__access_document(txn, met__text_z(customer), met__text_z(feature),
                             clock_now_ns, &arena, &node, NULL);
    if (error == MET_OK) {
        met__json_write(node, 0, json);
        assert_int_equal(json->error, MET_OK);
    }
    met__txn_abort(txn);
    met__arena_release(&arena);
    return error;
}

static void assert_as_stored_of(const char *customer, const char *feature)
{
    met__buffer json;
    met_buffer kept = {0};

    met__buffer_init(&json, met__store_platform(store));
    met_error error = read_anew(customer, feature, &json);
    for (int i = 0; i < 2; i++) { /* the second time it is kept */
        assert_int_equal(met_entitlement_get(store, customer, strlen(customer),
                                             feature, strlen(feature), 0,
                                             &kept, NULL),
                         error);
        if (error == MET_OK) {
            assert_int_equal(kept.size, json.size);
            assert_memory_equal(kept.data, json.data, json.size);
        }
        met_buffer_release(&kept);
    }
    met__buffer_release(&json);
}

static void assert_as_stored(void)
{
    assert_as_stored_of("ariel", "example_service");
    assert_as_stored_of("ariel", "other");
    assert_as_stored_of("rosario", "example_service");
    assert_as_stored_of("nobody", "example_service");
}

#define WITHOUT_PRICE \
    "{\"key\":\"other\",\"name\":\"Other\",\"feature\":{\"key\":\"other\"}," \
    "\"price\":{\"type\":\"free\"},\"billing_cadence\":\"P1M\"," \
    "\"entitlement\":{\"type\":\"static\",\"config\":{\"n\":%d}}}"

static void publish_other(int number)
{
    char card[512];

    snprintf(card, sizeof card, WITHOUT_PRICE, number);
    must_publish_card("free", card);
}

static void whatever_changes_is_seen_at_once(void **state)
{
    char id[32];

    (void)state;
    assert_as_stored();
    snprintf(id, sizeof id, "%s", must_subscribe_ariel());
    assert_as_stored();
    must_put_customer("rosario");
    assert_as_stored();
    must_use("consumer:ariel", "2026-03-10T10:00:00Z", 7);
    assert_as_stored();
    must_settle(); /* the catalog is as it was; balances are read each time */
    assert_as_stored();
    look("2026-03-15T10:30:00Z");
    assert_shown("usage", "7");
    const char *given = must_grant(",\"amount\":\"50\"");
    assert_as_stored();
    look("2026-03-15T10:30:00Z");
    assert_shown("balance", "1043");
    met_buffer *buffer = fresh();
    assert_ok(keep(met_grant_void(store, given, strlen(given), 0, 0, buffer,
                                  &told),
                   buffer));
    assert_as_stored();
    assert_ok(reset("{}"));
    assert_as_stored();
    must_put_feature("{\"key\":\"other\",\"name\":\"Other\"}");
    publish_other(1);
    assert_as_stored();
    assert_ok(subscription_migrate(id, NULL, 0, 0));
    assert_as_stored();
    look("2026-03-15T10:30:00Z");
    assert_shown("reason", "no_entitlement");
    assert_ok(feature_archive("other"));
    assert_as_stored();
    assert_ok(customer_put("{\"key\":\"rosario\",\"name\":\"R\"}"));
    assert_as_stored();
    assert_ok(change_identity(met_customer_rename, "rosario",
                              "{\"to\":\"renamed\"," BECAUSE));
    assert_as_stored();
    assert_as_stored_of("renamed", "example_service");
    assert_ok(change_identity(met_customer_erase, "renamed", "{" BECAUSE));
    assert_as_stored();
    assert_as_stored_of("renamed", "example_service");
}

static void what_was_given_up_is_not_kept(void **state)
{
    met__txn *txn;
    met__arena arena;
    met__node *node = NULL;

    (void)state;
    must_subscribe_ariel();
    assert_as_stored();
    /* Two transactions have the next catalog number; the first one loses. */
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_touch_catalog(txn), MET_OK);
    assert_int_equal(
        met__access_document(txn, met__text_z("ariel"),
                             met__text_z("example_service"), clock_now_ns,
                             &arena, &node, NULL),
        MET_OK);
    assert_true(met__txn_kept(txn) != NULL);
    met__txn_abort(txn);
    met__arena_release(&arena);
    must_grant(",\"amount\":\"1\"");
    assert_as_stored();
}

static void more_customers_than_are_kept(void **state)
{
    char key[16];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < EVERYBODY; i++) {
            snprintf(key, sizeof key, "c%d", i);
            if (round == 0) {
                must_put_customer(key);
                must_subscribe(key, i % 2 ? "free" : "premium", "");
            }
            assert_as_stored_of(key, "example_service");
        }
    }
}

/* --- Threads -------------------------------------------------------------- */
#define THREADS 4
#define ASKED 200

static void *ask(void *context)
{
    size_t *failures = context;
    char key[16];

    for (int i = 0; i < ASKED; i++) {
        met_buffer json = {0};
        snprintf(key, sizeof key, "c%d", i % 5);
        met_error error = met_entitlement_get(store, key, strlen(key),
                                              "example_service", 15, 0, &json,
                                              NULL);
        *failures += error != MET_OK
                     || strstr(json.data, "\"has_access\":true") == NULL;
        met_buffer_release(&json);
    }
    return NULL;
}

static void threads_ask_while_the_catalog_changes(void **state)
{
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, stopped_utc_ns, stopped_utc_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .map_size_bytes = SMALL_MAP};
    pthread_t threads[THREADS];
    size_t failures[THREADS] = {0};
    char key[16];

    (void)state;
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "c%d", i);
        must_put_customer(key);
        must_subscribe(key, "free", "");
    }
    /* The counting memory of documents.h is of one thread. */
    met_store_close(store);
    fresh();
    const char *path = temp_path(home, "s");
    assert_ok(met_store_open(path, strlen(path), &config, &store, &told));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &failures[i]),
                         0);
    }
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof key, "more%d", i);
        must_put_customer(key);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

int main(void)
{
#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, billing_setup, billing_teardown)
    const struct CMUnitTest tests[] = {
        CASE(whatever_changes_is_seen_at_once),
        CASE(what_was_given_up_is_not_kept),
        CASE(more_customers_than_are_kept),
        CASE(threads_ask_while_the_catalog_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
