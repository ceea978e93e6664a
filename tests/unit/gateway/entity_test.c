/* Documents in Kong's format: what is stored, what is noted, what is refused
 * with which field, and that a second time changes nothing. */
#include "gateway/credential.h"
#include "unit/gateway/gateway_support.h"

static char directory[64];
static int stores;

static met_store *fresh(void)
{
    char name[32];

    snprintf(name, sizeof name, "store-%d", ++stores);
    return open_store(temp_path(directory, name));
}

/* An entity as JSON, "" when there is none. */
static const char *show(met_store *store, const char *kind, const char *name)
{
    static char text[4][4096];
    static unsigned turn;
    char *out = text[turn++ % 4];
    met__arena arena;
    met__node *node;
    met__txn *txn;
    met__buffer buffer;

    out[0] = '\0';
    met__arena_init(&arena, met__store_platform(store));
    met__buffer_init(&buffer, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    if (met__entity_document(txn, met__text_z(kind), met__text_z(name),
                             &arena, &node)
        == MET_OK) {
        met__json_write(node, 0, &buffer);
        snprintf(out, 4096, "%s", buffer.data);
    }
    met__txn_abort(txn);
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return out;
}

static void assert_shows(met_store *store, const char *kind, const char *name,
                         const char *part)
{
    const char *text = show(store, kind, name);

    if (strstr(text, part) == NULL) {
        fail_msg("%s %s: no %s in %s", kind, name, part, text);
    }
}

/* The username behind a key, "" when it is nobody's. */
static const char *who_has(met_store *store, const char *key)
{
    static char name[256];
    met__credential_hash hash;
    met__text found;
    met__txn *txn;

    name[0] = '\0';
    met__credential_hash_of(met__store_credential_key(store),
                            met__text_z(key), &hash);
    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    if (met__txn_get(txn, MET__TABLE_CREDENTIAL, &hash, sizeof hash, &found)
        == MET_OK) {
        snprintf(name, sizeof name, "%.*s", (int)found.size, found.data);
    }
    met__txn_abort(txn);
    return name;
}

static uint64_t catalog_number(met_store *store)
{
    uint64_t number;
    met__txn *txn;

    assert_int_equal(met__txn_begin(store, 0, &txn), MET_OK);
    assert_int_equal(met__txn_catalog_number(txn, &number), MET_OK);
    met__txn_abort(txn);
    return number;
}

static met_error remove_entity(met_store *store, const char *kind,
                               const char *name)
{
    met__txn *txn;

    last_info = (met_error_info){.struct_size = sizeof last_info};
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    met_error error = met__entity_remove(txn, met__text_z(kind),
                                         met__text_z(name), &last_info);
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    return met__txn_commit(txn);
}

static const char story[] =
    "{\"_format_version\":\"3.0\","
    "\"services\":[{\"name\":\"example_service\","
    " \"url\":\"http://localhost:8000/anything\","
    " \"routes\":[{\"name\":\"example_route\",\"paths\":[\"/anything\"]}]}],"
    "\"consumers\":["
    " {\"username\":\"ariel\",\"keyauth_credentials\":[{\"key\":\"a-key\"}],"
    "  \"acls\":[{\"group\":\"free\"}]},"
    " {\"username\":\"rosario\",\"keyauth_credentials\":[{\"key\":\"r-key\"}],"
    "  \"acls\":[{\"group\":\"premium\"}]}],"
    "\"plugins\":["
    " {\"name\":\"key-auth\",\"config\":{\"key_names\":[\"apikey\"]}},"
    " {\"name\":\"rate-limiting\",\"config\":{\"minute\":5,\"hour\":1000}},"
    " {\"name\":\"acl\",\"service\":\"example_service\","
    "  \"config\":{\"allow\":[\"free\",\"premium\"]}}]}";

static void the_story(void **state)
{
    met_store *store = fresh();
    notes all;

    assert_int_equal(apply(store, story, &all), MET_OK);
    assert_string_equal(all.text, "service example_service created\n"
                                  "route example_route created\n"
                                  "consumer ariel created\n"
                                  "consumer rosario created\n"
                                  "plugin key-auth created\n"
                                  "plugin rate-limiting created\n"
                                  "plugin acl service=example_service "
                                  "created\n");
    assert_shows(store, "service", "example_service",
                 "\"protocol\":\"http\",\"host\":\"localhost\",\"port\":8000,"
                 "\"path\":\"/anything\",\"enabled\":true");
    assert_shows(store, "route", "example_route",
                 "\"service\":\"example_service\",\"paths\":[\"/anything\"],"
                 "\"by_name_only\":false");
    assert_shows(store, "consumer", "ariel", "\"subject\":\"consumer:ariel\"");
    assert_shows(store, "consumer", "ariel", "\"acls\":[{\"group\":\"free\"}]");
    assert_null(strstr(show(store, "consumer", "ariel"), "hash"));
    assert_null(strstr(show(store, "consumer", "ariel"), "a-key"));
    assert_shows(store, "plugin", "rate-limiting",
                 "\"config\":{\"minute\":5,\"hour\":1000,"
                 "\"limit_by\":\"consumer\",\"hide_client_headers\":false,"
                 "\"error_code\":429,\"error_message\":"
                 "\"API rate limit exceeded\"}");
    assert_string_equal(who_has(store, "a-key"), "ariel");
    met__store_close(store);
}

/* Applied again, later, in another spelling: nothing is written. */
static void unchanged(void **state)
{
    static const char other[] =
        "{\"routes\":[{\"paths\":[\"/anything\"],\"name\":\"example_route\","
        "  \"service\":{\"name\":\"example_service\"}}],"
        "\"services\":[{\"name\":\"example_service\",\"host\":\"localhost\","
        "  \"port\":8000,\"protocol\":\"http\",\"path\":\"/anything\"}],"
        "\"acls\":[{\"consumer\":\"ariel\",\"group\":\"free\"}],"
        "\"keyauth_credentials\":[{\"consumer\":\"ariel\",\"key\":\"a-key\"}],"
        "\"consumers\":[{\"username\":\"ariel\"}],"
        "\"plugins\":[{\"name\":\"acl\",\"service\":{\"name\":"
        "\"example_service\"},\"config\":{\"allow\":[\"free\",\"premium\"]}}]}";
    met_store *store = fresh();
    char before[4096];
    notes all;

    must_apply(store, story);
    uint64_t number = catalog_number(store);
    snprintf(before, sizeof before, "%s", show(store, "consumer", "ariel"));
    assert_int_equal(apply_at(store, story, 0, NOW + 5, &all), MET_OK);
    assert_null(strstr(all.text, "created"));
    assert_null(strstr(all.text, "updated"));
    assert_int_equal(apply_at(store, other, 0, NOW + 9, &all), MET_OK);
    assert_string_equal(all.text, "service example_service unchanged\n"
                                  "route example_route unchanged\n"
                                  "consumer ariel unchanged\n"
                                  "plugin acl service=example_service "
                                  "unchanged\n");
    assert_string_equal(show(store, "consumer", "ariel"), before);
    assert_int_equal(catalog_number(store), number);
    met__store_close(store);
}

static void keys_of_a_consumer(void **state)
{
    met_store *store = fresh();
    notes all;

    must_apply(store, story);
    /* Not mentioned: they stay. */
    must_apply(store, "{\"consumers\":[{\"username\":\"ariel\","
                      "\"custom_id\":\"c1\"}]}");
    assert_string_equal(who_has(store, "a-key"), "ariel");
    assert_shows(store, "consumer", "ariel", "\"group\":\"free\"");
    /* Mentioned: these are all. */
    must_apply(store, "{\"consumers\":[{\"username\":\"ariel\","
                      "\"custom_id\":\"c1\",\"keyauth_credentials\":"
                      "[{\"key\":\"new\",\"ttl\":60},{\"key\":\"more\"}]}]}");
    assert_string_equal(who_has(store, "a-key"), "");
    assert_string_equal(who_has(store, "more"), "ariel");
    assert_shows(store, "consumer", "ariel", "\"ttl\":60");
    /* A key moves, in either order of the document. */
    must_apply(store, "{\"consumers\":[{\"username\":\"rosario\","
                      "\"keyauth_credentials\":[{\"key\":\"new\"}]},"
                      "{\"username\":\"ariel\",\"keyauth_credentials\":[]}]}");
    assert_string_equal(who_has(store, "new"), "rosario");
    assert_string_equal(who_has(store, "more"), "");
    assert_string_equal(who_has(store, "r-key"), "");
    /* Somebody else's key, and nothing changed by it. */
    assert_int_equal(apply(store,
                           "{\"consumers\":[{\"username\":\"ariel\"}],"
                           "\"keyauth_credentials\":[{\"consumer\":"
                           "\"ariel\",\"key\":\"mine\"},{\"consumer\":"
                           "\"ariel\",\"key\":\"new\"}]}",
                           &all),
                     MET_E_CONFLICT);
    assert_string_equal(last_info.field, "keyauth_credentials[1].key");
    assert_null(strstr(last_info.reason, "new"));
    assert_string_equal(who_has(store, "mine"), "");
    /* The custom id is free when its owner gave it up. */
    assert_int_equal(apply(store, "{\"consumers\":[{\"username\":\"x\","
                                  "\"custom_id\":\"c1\"}]}", &all),
                     MET_OK);
    assert_int_equal(apply(store, "{\"consumers\":[{\"username\":\"y\","
                                  "\"custom_id\":\"c1\"}]}", &all),
                     MET_E_CONFLICT);
    assert_string_equal(last_info.field, "consumers[0]");
    met__store_close(store);
}

static void ids(void **state)
{
    static const char given[] =
        "{\"services\":[{\"name\":\"s\",\"id\":\"11-22\"}],"
        "\"consumers\":[{\"username\":\"bob\",\"id\":\"aa-bb\"}],"
        "\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"hour\":9},"
        "\"consumer\":{\"id\":\"aa-bb\"},\"service\":\"11-22\"}]}";
    met_store *store = fresh();
    notes all;

    must_apply(store, given);
    assert_shows(store, "consumer", "bob", "{\"id\":\"aa-bb\"");
    assert_shows(store, "consumer", "bob", "\"subject\":\"consumer:aa-bb\"");
    assert_shows(store, "plugin", "rate-limiting service=s consumer=bob",
                 "\"hour\":9");
    assert_int_equal(apply(store, "{\"consumers\":[{\"username\":\"bob\","
                                  "\"id\":\"other\"}]}", &all),
                     MET_E_CONFLICT);
    assert_string_equal(last_info.field, "consumers[0].id");
    assert_int_equal(apply(store, "{\"consumers\":[{\"username\":\"eve\","
                                  "\"id\":\"aa-bb\"}]}", &all),
                     MET_E_CONFLICT);
    met__store_close(store);
}

static void ignored(void **state)
{
    static const char document[] =
        "{\"_info\":{},\"_comment\":\"x\",\"upstreams\":[{\"name\":\"u\"}],"
        "\"services\":[{\"name\":\"s\",\"retries\":5,\"tags\":[\"a\"],"
        "  \"routes\":[{\"name\":\"r\",\"hosts\":[\"a.b\"],\"paths\":"
        "[\"/r\"],\"strip_path\":true}],"
        "  \"plugins\":[{\"name\":\"cors\"}]}],"
        "\"plugins\":[{\"name\":\"rate-limiting\",\"condition\":\"x\","
        "  \"config\":{\"minute\":1}},"
        " {\"name\":\"rate-limiting\",\"config\":{\"minute\":1,\"policy\":"
        "\"redis\",\"redis\":{\"host\":\"h\"},\"fault_tolerant\":true}}]}";
    met_store *store = fresh();
    notes all;

    assert_int_equal(apply(store, document, &all), MET_OK);
    assert_string_equal(
        all.text,
        "document _info ignored is not served by this version\n"
        "document upstreams ignored is not served by this version\n"
        "service s created\n"
        "service s ignored retries, tags: is left to the host\n"
        "route r created\n"
        "route r ignored hosts, strip_path: is left to the host, which must "
        "name the route\n"
        "plugin cors ignored name: this plugin is not served and does "
        "nothing\n"
        "plugin rate-limiting ignored condition: this plugin is not "
        "served and does nothing\n"
        "plugin rate-limiting created\n"
        "plugin rate-limiting ignored policy, fault_tolerant, redis: is not "
        "served by this version\n");
    assert_shows(store, "route", "r", "\"by_name_only\":true");
    assert_string_equal(show(store, "plugin", "cors"), "");
    met__store_close(store);
    /* Strict: each of them is refused, and nothing is stored. */
    store = fresh();
    assert_int_equal(apply_at(store, document, 1, NOW, &all),
                     MET_E_UNSUPPORTED);
    assert_string_equal(last_info.field, "_info");
    assert_int_equal(apply_at(store, "{\"services\":[{\"name\":\"s\","
                                     "\"retries\":5}]}", 1, NOW, &all),
                     MET_E_UNSUPPORTED);
    assert_string_equal(last_info.field, "services[0].retries");
    assert_int_equal(apply_at(store, "{\"plugins\":[{\"name\":\"cors\"}]}", 1,
                              NOW, &all),
                     MET_E_UNSUPPORTED);
    assert_string_equal(last_info.field, "plugins[0].name");
    assert_string_equal(show(store, "service", "s"), "");
    assert_int_equal(apply_at(store, story, 1, NOW, &all), MET_OK);
    met__store_close(store);
}

typedef struct bad_row {
    const char *json;
    met_error error;
    const char *field;
} bad_row;

static const bad_row bad[] = {
    {"[]", MET_E_INVALID, ""},
    {"{\"_format_version\":3.0}", MET_E_UNSUPPORTED, "_format_version"},
    {"{\"_format_version\":\"4.0\"}", MET_E_UNSUPPORTED, "_format_version"},
    {"{\"services\":{}}", MET_E_INVALID, "services"},
    {"{\"services\":[7]}", MET_E_INVALID, "services[0]"},
    {"{\"services\":[{}]}", MET_E_INVALID, "services[0].name"},
    {"{\"services\":[{\"name\":\"a b\"}]}", MET_E_INVALID,
     "services[0].name"},
    {"{\"services\":[{\"name\":\"\"}]}", MET_E_INVALID, "services[0].name"},
    {"{\"services\":[{\"name\":7}]}", MET_E_INVALID, "services[0].name"},
    {"{\"services\":[{\"name\":\"a\",\"hots\":\"x\"}]}", MET_E_INVALID,
     "services[0].hots"},
    {"{\"services\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", MET_E_INVALID,
     "services[1].name"},
    {"{\"services\":[{\"name\":\"a\",\"url\":\"localhost\"}]}", MET_E_INVALID,
     "services[0].url"},
    {"{\"services\":[{\"name\":\"a\",\"url\":\"http://:80\"}]}",
     MET_E_INVALID, "services[0].url"},
    {"{\"services\":[{\"name\":\"a\",\"url\":\"http://h:99999\"}]}",
     MET_E_INVALID, "services[0].url"},
    {"{\"services\":[{\"name\":\"a\",\"url\":\"http://h:8x\"}]}",
     MET_E_INVALID, "services[0].url"},
    {"{\"services\":[{\"name\":\"a\",\"port\":-1}]}", MET_E_INVALID,
     "services[0].port"},
    {"{\"services\":[{\"name\":\"a\",\"routes\":[{\"name\":\"r\",\"paths\":"
     "[\"x\"]}]}]}", MET_E_INVALID, "services[0].routes[0].paths[0]"},
    {"{\"routes\":[{\"name\":\"r\",\"service\":\"none\"}]}", MET_E_NOT_FOUND,
     "routes[0].service"},
    {"{\"routes\":[{\"name\":\"r\",\"service\":{\"name\":\"a\",\"id\":\"b\"}}"
     "]}", MET_E_INVALID, "routes[0].service"},
    {"{\"routes\":[{\"name\":\"r\",\"methods\":[\"get\"]}]}", MET_E_INVALID,
     "routes[0].methods[0]"},
    {"{\"routes\":[{\"name\":\"r\",\"paths\":[\"/a\",\"/a\"]}]}",
     MET_E_INVALID, "routes[0].paths[1]"},
    {"{\"consumers\":[{\"custom_id\":\"x\"}]}", MET_E_INVALID,
     "consumers[0].username"},
    {"{\"consumers\":[{\"username\":\"a\\u0000b\"}]}", MET_E_INVALID, "*"},
    {"{\"consumers\":[{\"username\":\"a\\nb\"}]}", MET_E_INVALID,
     "consumers[0].username"},
    {"{\"consumers\":[{\"username\":\"a\",\"keyauth_credentials\":[{}]}]}",
     MET_E_INVALID, "consumers[0].keyauth_credentials[0].key"},
    {"{\"consumers\":[{\"username\":\"a\",\"keyauth_credentials\":[{\"key\":"
     "\"\"}]}]}", MET_E_INVALID, "consumers[0].keyauth_credentials[0].key"},
    {"{\"consumers\":[{\"username\":\"a\",\"keyauth_credentials\":[{\"key\":"
     "\"k\",\"ttl\":-1}]}]}", MET_E_INVALID,
     "consumers[0].keyauth_credentials[0].ttl"},
    {"{\"consumers\":[{\"username\":\"a\",\"keyauth_credentials\":[{\"key\":"
     "\"k\"}]},{\"username\":\"b\",\"keyauth_credentials\":[{\"key\":\"k\"}]}"
     "]}", MET_E_INVALID, "consumers[1].keyauth_credentials[0].key"},
    {"{\"consumers\":[{\"username\":\"a\",\"acls\":[{\"group\":\"g\"},"
     "{\"group\":\"g\"}]}]}", MET_E_INVALID, "consumers[0].acls[1].group"},
    {"{\"keyauth_credentials\":[{\"key\":\"k\"}]}", MET_E_INVALID,
     "keyauth_credentials[0].consumer"},
    {"{\"keyauth_credentials\":[{\"key\":\"k\",\"consumer\":\"none\"}]}",
     MET_E_NOT_FOUND, "keyauth_credentials[0].consumer"},
    {"{\"acls\":[{\"group\":\"g\",\"consumer\":\"none\"}]}", MET_E_NOT_FOUND,
     "acls[0].consumer"},
    {"{\"plugins\":[{\"config\":{}}]}", MET_E_INVALID, "plugins[0].name"},
    {"{\"plugins\":[{\"name\":\"acl\"}]}", MET_E_INVALID,
     "plugins[0].config.allow"},
    {"{\"plugins\":[{\"name\":\"acl\",\"config\":{\"allow\":[\"a\"],"
     "\"deny\":[\"b\"]}}]}", MET_E_INVALID, "plugins[0].config.deny"},
    {"{\"plugins\":[{\"name\":\"acl\",\"config\":{\"allow\":[7]}}]}",
     MET_E_INVALID, "plugins[0].config.allow"},
    {"{\"plugins\":[{\"name\":\"acl\",\"service\":\"none\",\"config\":"
     "{\"allow\":[\"a\"]}}]}", MET_E_NOT_FOUND, "plugins[0].service"},
    {"{\"plugins\":[{\"name\":\"key-auth\"},{\"name\":\"key-auth\"}]}",
     MET_E_INVALID, "plugins[1].name"},
    {"{\"plugins\":[{\"name\":\"key-auth\",\"config\":{\"key_names\":"
     "[\"a b\"]}}]}", MET_E_INVALID, "plugins[0].config.key_names"},
    {"{\"plugins\":[{\"name\":\"key-auth\",\"config\":{\"realm\":\"a\\\"b\"}}"
     "]}", MET_E_INVALID, "plugins[0].config.realm"},
    {"{\"consumers\":[{\"username\":\"a\",\"plugins\":[{\"name\":"
     "\"key-auth\"}]}]}", MET_E_INVALID, "consumers[0].plugins[0].consumer"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\"}]}", MET_E_INVALID,
     "plugins[0].config"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"minute\":0}}]}",
     MET_E_INVALID, "plugins[0].config.minute"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"minute\":"
     "1048577}}]}", MET_E_INVALID, "plugins[0].config.minute"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"minute\":2.5}}]"
     "}", MET_E_UNSUPPORTED, "plugins[0].config.minute"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"minute\":\"5\"}"
     "}]}", MET_E_INVALID, "plugins[0].config.minute"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"second\":20,"
     "\"hour\":10}}]}", MET_E_INVALID, "plugins[0].config.hour"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"second\":2,"
     "\"limit_by\":\"header\"}}]}", MET_E_INVALID,
     "plugins[0].config.header_name"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"second\":2,"
     "\"limit_by\":\"path\"}}]}", MET_E_INVALID, "plugins[0].config.path"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"second\":2,"
     "\"algorithm\":\"slide\"}}]}", MET_E_INVALID,
     "plugins[0].config.algorithm"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"second\":2,"
     "\"limit_by\":\"consumer-group\"}}]}", MET_E_UNSUPPORTED,
     "plugins[0].config.limit_by"},
    {"{\"plugins\":[{\"name\":\"rate-limiting\",\"config\":{\"second\":2,"
     "\"error_code\":200}}]}", MET_E_INVALID, "plugins[0].config.error_code"},
};

/* Each is refused with its field, alone and behind a good document. */
static void refused(void **state)
{
    met_store *store = fresh();
    notes all;
    uint64_t number = catalog_number(store);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        met_error error = apply(store, bad[i].json, &all);
        if (error != bad[i].error
            || (bad[i].field[0] != '*'
                && strcmp(last_info.field, bad[i].field) != 0)
            || last_info.reason[0] == '\0') {
            fail_msg("%s: %s, \"%s\" \"%s\"", bad[i].json,
                     met_error_name(error), last_info.field,
                     last_info.reason);
        }
    }
    assert_int_equal(catalog_number(store), number);
    assert_string_equal(who_has(store, "k"), "");
    met__store_close(store);
}

static void the_wording_of_kong(void **state)
{
    met_store *store = fresh();
    notes all;

    assert_int_equal(apply(store, "{\"plugins\":[{\"name\":\"rate-limiting\","
                                  "\"config\":{\"second\":10,\"minute\":20,"
                                  "\"hour\":30,\"day\":40,\"month\":60,"
                                  "\"year\":50}}]}", &all),
                     MET_E_INVALID);
    assert_string_equal(last_info.reason,
                        "The limit for year(50.0) cannot be lower than the "
                        "limit for month(60.0)");
    met__store_close(store);
}

static void removing(void **state)
{
    met_store *store = fresh();

    must_apply(store, story);
    assert_int_equal(remove_entity(store, "service", "example_service"),
                     MET_E_CONFLICT);
    assert_non_null(strstr(last_info.reason, "example_route"));
    assert_int_equal(remove_entity(store, "route", "example_route"), MET_OK);
    assert_int_equal(remove_entity(store, "service", "example_service"),
                     MET_OK);
    assert_string_equal(show(store, "plugin", "acl service=example_service"),
                        "");
    assert_shows(store, "plugin", "key-auth", "apikey");
    uint64_t number = catalog_number(store);
    assert_int_equal(remove_entity(store, "consumer", "ariel"), MET_OK);
    assert_true(catalog_number(store) > number);
    assert_string_equal(who_has(store, "a-key"), "");
    assert_string_equal(who_has(store, "r-key"), "rosario");
    assert_int_equal(remove_entity(store, "consumer", "ariel"),
                     MET_E_NOT_FOUND);
    assert_int_equal(remove_entity(store, "gnome", "ariel"), MET_E_INVALID);
    assert_int_equal(remove_entity(store, "consumer", ""), MET_E_NOT_FOUND);
    /* The id of what was removed is free. */
    must_apply(store, "{\"consumers\":[{\"username\":\"anon\",\"id\":\"7\"}],"
                      "\"plugins\":[{\"name\":\"key-auth\",\"config\":"
                      "{\"anonymous\":\"7\"}}]}");
    assert_int_equal(remove_entity(store, "consumer", "anon"),
                     MET_E_CONFLICT);
    assert_int_equal(remove_entity(store, "plugin", "key-auth"), MET_OK);
    assert_int_equal(remove_entity(store, "consumer", "anon"), MET_OK);
    must_apply(store, "{\"consumers\":[{\"username\":\"b\",\"id\":\"7\"}]}");
    met__store_close(store);
}

static void owned_members(void **state)
{
    assert_true(met__gateway_owns(MET__TEXT("services")));
    assert_true(met__gateway_owns(MET__TEXT("_anything")));
    assert_true(met__gateway_owns(MET__TEXT("consumer_groups")));
    assert_false(met__gateway_owns(MET__TEXT("meters")));
    assert_false(met__gateway_owns(MET__TEXT("customers")));
    assert_false(met__gateway_owns(MET__TEXT("")));
}

/* Whichever allocation fails: an error, nothing stored, nothing leaked. */
static void failing_memory(void **state)
{
    faulty_memory memory = {0};
    met__platform platform = faulty_platform(&memory, NULL);
    char name[32];
    notes all;

    snprintf(name, sizeof name, "store-%d", ++stores);
    met_store *store = open_store_on(&platform, temp_path(directory, name));
    long live = memory.live;
    uint64_t number = catalog_number(store);
    long k = 1;
    for (;; k++) {
        memory.calls = 0;
        memory.fail_at = k;
        met_error error = apply(store, story, &all);
        memory.fail_at = 0;
        assert_int_equal(memory.live, live);
        if (error == MET_OK) {
            break;
        }
        assert_int_equal(error, MET_E_NO_MEMORY);
        assert_int_equal(catalog_number(store), number);
    }
    assert_true(k > 3);
    assert_string_equal(who_has(store, "a-key"), "ariel");
    met__store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_story),
        cmocka_unit_test(unchanged),
        cmocka_unit_test(keys_of_a_consumer),
        cmocka_unit_test(ids),
        cmocka_unit_test(ignored),
        cmocka_unit_test(refused),
        cmocka_unit_test(the_wording_of_kong),
        cmocka_unit_test(removing),
        cmocka_unit_test(owned_members),
        cmocka_unit_test(failing_memory),
    };
    temp_directory(directory, sizeof directory);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(directory);
    return failed;
}
