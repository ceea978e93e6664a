/* Another key in place of one: what works when, who may ask twice, what is told
 * of it afterwards. */
#include "support/gateway_calls.h"

#define WHO "\"reason\":\"leaked\",\"actor\":\"ada\""

static met_error rotate(const char *consumer, const char *json)
{
    met_buffer *out = fresh();
    return keep(met_credential_rotate(store, consumer, strlen(consumer), json,
                                      strlen(json), out, &told),
                out);
}

static void tick(void)
{
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
}

static void must_have_gateway(void)
{
    must_apply_story("");
    must_open_gateway(0);
}

/* A key of its own: text that outlives the answer. */
static const char *kept(const char *path)
{
    static char texts[8][64];
    static unsigned turn;
    char *text = texts[turn++ % 8];

    snprintf(text, 64, "%s", shown(path));
    return text;
}

/* Revoked with the tick that the documents state, and not before it can be. */
static void test_rotate__at_once(void **state)
{
    must_have_gateway();
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_ok(rotate("ariel", "{" WHO "}"));
    const char *key = kept("key");
    assert_int_equal(strlen(key), 43);
    assert_shown("consumer", "ariel");
    assert_shown("old_credential", "");
    assert_shown("credential.hash", "");
    tick();
    assert_int_equal(serve("/anything", "ariel-key"), 401);
    assert_int_equal(serve("/anything", key), 200);
    assert_int_equal(serve("/anything", "rosario-key"), 200);
    /* Another one is another one, and the first is stored nowhere. */
    assert_ok(rotate("ariel", "{" WHO "}"));
    assert_string_not_equal(shown("key"), key);
    met_buffer *out = fresh();
    assert_ok(keep(met_gateway_entity_get(store, "consumer", 8, "ariel", 5,
                                          out, &told),
                   out));
    assert_null(strstr(shown("keyauth_credentials"), key));
    assert_shown("keyauth_credentials.1", "");
}

/* The old one works until its grace ends, to the second, without a tick. */
static void test_rotate__with_grace(void **state)
{
    must_have_gateway();
    clock_now_ns += MET__HOUR_NS + 1;
    int64_t ends = clock_now_ns - 1 + 3601 * MET__SECOND_NS;
    assert_ok(rotate("ariel", "{\"grace_seconds\":3600," WHO "}"));
    const char *key = kept("key");
    const char *id = kept("credential.id");
    assert_shown("old_credential.replaced_by", id);
    assert_shown("old_credential.id", kept("credential.replaces"));
    tick();
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    assert_int_equal(serve("/anything", key), 200);
    clock_now_ns = ends - 1;
    assert_int_equal(serve("/anything", "ariel-key"), 200);
    clock_now_ns = ends;
    assert_int_equal(serve("/anything", "ariel-key"), 401);
    assert_int_equal(serve("/anything", key), 200);
    /* What is over goes with the next rotation. */
    assert_ok(rotate("ariel", "{\"grace_seconds\":10,\"ttl\":60," WHO "}"));
    assert_shown("credential.ttl", "60");
    met_buffer *out = fresh();
    assert_ok(keep(met_gateway_entity_get(store, "consumer", 8, "ariel", 5,
                                          out, &told),
                   out));
    assert_shown("keyauth_credentials.0.id", id);
    assert_shown("keyauth_credentials.2", "");
}

/* A grace is never longer than the old one's own time, and a key that has a
 * time gives way to one that has it, too. */
static void test_rotate__keeps_times(void **state)
{
    must_have_gateway();
    assert_ok(apply_document("{\"keyauth_credentials\":[{\"consumer\":"
                             "\"stranger\",\"key\":\"short\",\"ttl\":100}]}"));
    clock_now_ns += 40 * MET__SECOND_NS;
    assert_ok(rotate("stranger", "{\"grace_seconds\":3600," WHO "}"));
    assert_shown("old_credential.ttl", "100");
    assert_shown("credential.ttl", "100");
    const char *id = kept("credential.id");
    clock_now_ns += 200 * MET__SECOND_NS; /* both are over by now */
    assert_told(rotate("stranger", "{" WHO "}"), MET_E_NOT_FOUND, "consumer",
                "no key in force");
    char json[256];
    snprintf(json, sizeof json, "{\"id\":\"%s\",\"ttl\":0," WHO "}", id);
    assert_ok(rotate("stranger", json));
    assert_shown("credential.ttl", "");
    assert_shown("old_credential", "");
}

/* Who was not answered asks again: nothing happens twice. */
static void test_rotate__asked_twice(void **state)
{
    char json[256];

    must_have_gateway();
    met_buffer *out = fresh();
    assert_ok(keep(met_gateway_entity_get(store, "consumer", 8, "ariel", 5,
                                          out, &told),
                   out));
    const char *id = kept("keyauth_credentials.0.id");
    snprintf(json, sizeof json,
             "{\"id\":\"%s\",\"grace_seconds\":60,\"key\":\"mine\"," WHO "}",
             id);
    assert_ok(rotate("ariel", json));
    assert_shown("key", ""); /* the caller has it */
    const char *next = kept("credential.id");
    uint64_t before = stored_digest();
    clock_now_ns += MET__SECOND_NS;
    assert_ok(rotate("ariel", json));
    assert_shown("credential.id", next);
    assert_shown("old_credential.id", id);
    assert_int_equal(stored_digest(), before);
    /* With another key it is another wish. */
    snprintf(json, sizeof json, "{\"id\":\"%s\",\"key\":\"yours\"," WHO "}",
             id);
    assert_told(rotate("ariel", json), MET_E_CONFLICT, "request.id", next);
    snprintf(json, sizeof json, "{\"id\":\"%s\"," WHO "}", id);
    assert_told(rotate("ariel", json), MET_E_CONFLICT, "request.id",
                "rotated already");
    assert_int_equal(stored_digest(), before);
    /* Also when the old one is gone. */
    snprintf(json, sizeof json, "{\"id\":\"%s\",\"key\":\"third\"," WHO "}",
             next);
    assert_ok(rotate("ariel", json));
    before = stored_digest();
    assert_ok(rotate("ariel", json));
    assert_shown("old_credential", "");
    assert_int_equal(stored_digest(), before);
    tick();
    assert_int_equal(serve("/anything", "third"), 200);
    assert_int_equal(serve("/anything", "mine"), 401);
}

static void test_rotate__audit(void **state)
{
    must_have_gateway();
    assert_ok(rotate("ariel", "{" WHO "}"));
    const char *old = kept("credential.replaces");
    const char *id = kept("credential.id");
    assert_ok(audit_list());
    assert_shown("items.0.action", "credential.rotate");
    assert_shown("items.0.to", "consumer:ariel");
    assert_shown("items.0.from", "");
    assert_shown("items.0.old_credential", old);
    assert_shown("items.0.new_credential", id);
    assert_shown("items.0.reason", "leaked");
    assert_shown("items.0.actor", "ada");
    /* It forgets who it was. */
    assert_ok(change_identity(met_subject_erase, "consumer:ariel",
                              "{" BECAUSE));
    assert_ok(audit_list());
    assert_null(strstr(shown("items.0.to"), "ariel"));
}

/* A document says which keys there are; what it knows stays what it was. */
static void test_rotate__and_documents(void **state)
{
    must_have_gateway();
    assert_ok(rotate("ariel", "{\"key\":\"mine\"," WHO "}"));
    assert_ok(apply_document("{\"consumers\":[{\"username\":\"ariel\","
                             "\"acls\":[{\"group\":\"free\"}],"
                             "\"keyauth_credentials\":[{\"key\":\"mine\"}"
                             "]}]}"));
    assert_shown("changes.0.change", "unchanged");
    assert_ok(apply_document("{\"consumers\":[{\"username\":\"ariel\","
                             "\"keyauth_credentials\":[{\"key\":\"ariel-key\"}"
                             "]}]}"));
    tick();
    assert_int_equal(serve("/anything", "mine"), 401);
    assert_int_equal(serve("/anything", "ariel-key"), 200);
}

static void test_rotate__refused(void **state)
{
    static const struct {
        const char *consumer;
        const char *json;
        met_error error;
        const char *field;
        const char *reason;
    } rows[] = {
        {"nobody", "{" WHO "}", MET_E_NOT_FOUND, "consumer", "no consumer"},
        {"", "{" WHO "}", MET_E_INVALID, "consumer", ""},
        {"ariel", "{\"actor\":\"a\"}", MET_E_INVALID, "request.reason",
         "required"},
        {"ariel", "{\"reason\":\"a\"}", MET_E_INVALID, "request.actor",
         "required"},
        {"ariel", "{\"id\":\"none\"," WHO "}", MET_E_NOT_FOUND, "request.id",
         "no such credential"},
        {"ariel", "{\"key\":\"rosario-key\"," WHO "}", MET_E_CONFLICT,
         "request.key", "is a key already"},
        {"ariel", "{\"key\":\"ariel-key\"," WHO "}", MET_E_CONFLICT,
         "request.key", "is a key already"},
        {"ariel", "{\"key\":\"\"," WHO "}", MET_E_INVALID, "request.key", ""},
        {"ariel", "{\"grace_seconds\":-1," WHO "}", MET_E_INVALID,
         "request.grace_seconds", ""},
        {"ariel", "{\"grace_seconds\":100000001," WHO "}", MET_E_INVALID,
         "request.grace_seconds", ""},
        {"ariel", "{\"ttl\":\"1\"," WHO "}", MET_E_INVALID, "request.ttl", ""},
        {"ariel", "{\"days\":1," WHO "}", MET_E_INVALID, "request.days", ""},
        {"ariel", "[]", MET_E_INVALID, "request", ""},
        {"two", "{" WHO "}", MET_E_INVALID, "request.id",
         "the consumer has 2 keys"},
        {"none", "{" WHO "}", MET_E_NOT_FOUND, "consumer", "no key in force"},
    };

    must_have_gateway();
    assert_ok(apply_document(
        "{\"consumers\":[{\"username\":\"none\"},{\"username\":\"two\","
        "\"keyauth_credentials\":[{\"key\":\"a\"},{\"key\":\"b\"}]}]}"));
    uint64_t before = stored_digest();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_told(rotate(rows[i].consumer, rows[i].json), rows[i].error,
                    rows[i].field, rows[i].reason);
    }
    assert_int_equal(met_credential_rotate(store, "ariel", 5, "{" WHO "}",
                                           sizeof "{" WHO "}" - 1, NULL,
                                           &told),
                     MET_E_INVALID); /* nobody would know the key */
    assert_string_equal(told.field, "json_out");
    assert_int_equal(stored_digest(), before);
}

/* As many keys as there may be, while their graces last. */
static void test_rotate__bounded(void **state)
{
    must_have_gateway();
    for (int i = 1; i < 64; i++) {
        assert_ok(rotate("ariel", "{\"grace_seconds\":60," WHO "}"));
    }
    assert_told(rotate("ariel", "{\"grace_seconds\":60," WHO "}"),
                MET_E_LIMIT, "consumer", "64 keys in force");
    assert_ok(rotate("ariel", "{" WHO "}"));
    clock_now_ns += 61 * MET__SECOND_NS;
    assert_ok(rotate("ariel", "{\"grace_seconds\":60," WHO "}"));
}

/* Memory that fails anywhere: an error, and nothing is stored. */
static void test_rotate__faults(void **state)
{
    must_have_gateway();
    uint64_t before = stored_digest();
    met_error error = MET_E_NO_MEMORY;
    int i = 0;

    for (; error != MET_OK && i < 2000; i++) {
        met_buffer *out = fresh();
        memory.fail_at = memory.calls + 1 + i;
        error = met_credential_rotate(store, "ariel", 5, "{" WHO "}",
                                      sizeof "{" WHO "}" - 1, out, &told);
        memory.fail_at = 0;
        if (error != MET_OK) {
            assert_int_equal(error, MET_E_NO_MEMORY);
            open_again_if_over();
            assert_int_equal(stored_digest(), before);
        }
    }
    assert_in_range(i, 5, 1999);
    fresh();
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_rotate__at_once),
        TEST(test_rotate__with_grace),
        TEST(test_rotate__keeps_times),
        TEST(test_rotate__asked_twice),
        TEST(test_rotate__audit),
        TEST(test_rotate__and_documents),
        TEST(test_rotate__refused),
        TEST(test_rotate__bounded),
        TEST(test_rotate__faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
