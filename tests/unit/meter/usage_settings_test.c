/* How long usage is kept fine: defaults, what is refused, what is stored. */
#include "meter_support.h"

#include "meter/usage_settings.h"

static char home[64];
static met_store *store;

static int setup(void **state)
{
    temp_directory(home, sizeof home);
    test_now_ns = START_NS;
    store = test_store(temp_path(home, "s"));
    return 0;
}

static int teardown(void **state)
{
    met_store_close(store);
    temp_remove(home);
    return 0;
}

/* The settings after the call, as JSON; "" when it was refused. */
static const char *put(const char *json)
{
    static char text[256];
    static const met__path path = {NULL, "settings", 0};
    met__arena arena;
    met__buffer buffer;
    met__node *node = NULL;
    met__txn *txn = NULL;

    text[0] = '\0';
    last_info = (met_error_info){.struct_size = sizeof last_info};
    met__arena_init(&arena, met__store_platform(store));
    met__buffer_init(&buffer, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    met_error error = MET_OK;
    if (json != NULL) {
        assert_int_equal(met__json_parse(&arena, met__text_z(json), &node,
                                         NULL),
                         MET_OK);
        error = met__usage_settings_put(txn, node, &path, &last_info);
    }
    if (error == MET_OK) {
        assert_int_equal(met__usage_settings_describe(txn, &arena, &node),
                         MET_OK);
        met__json_write(node, 0, &buffer);
        snprintf(text, sizeof text, "%s", buffer.data);
        assert_int_equal(met__txn_commit(txn), MET_OK);
    } else {
        assert_int_equal(error, MET_E_INVALID);
        met__txn_abort(txn);
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return text;
}

static void test_settings__stored(void **state)
{
    static const char defaults[] =
        "{\"keep_minutes\":\"P35D\",\"keep_hours\":\"P400D\"}";
    static const char both[] =
        "{\"keep_minutes\":\"PT2H\",\"keep_hours\":\"P2D\"}";

    assert_string_equal(put(NULL), defaults);
    assert_string_equal(put(both), both);
    assert_string_equal(put(NULL), both);
    assert_string_equal(put("{\"keep_hours\":\"P1Y\"}"),
                        "{\"keep_minutes\":\"P35D\",\"keep_hours\":\"P1Y\"}");
    assert_string_equal(put("{}"), defaults);
}

static void test_settings__refused(void **state)
{
    assert_string_equal(put("{\"keep_minutes\":\"P36601D\"}"), "");
    assert_string_equal(last_info.field, "settings.keep_minutes");
    assert_string_equal(put("{\"keep_hours\":\"1 day\"}"), "");
    assert_string_equal(last_info.field, "settings.keep_hours");
    assert_string_equal(put("{\"keep_days\":\"P1D\"}"), "");
    assert_string_equal(last_info.field, "settings.keep_days");
    assert_string_equal(put("[]"), "");
}

static void test_settings__damaged(void **state)
{
    met__usage_settings settings;
    met__arena arena;
    met__node *node = NULL;
    met__txn *txn = NULL;

    met__arena_init(&arena, met__store_platform(store));
    assert_int_equal(met__txn_begin(store, 1, &txn), MET_OK);
    assert_int_equal(met__json_parse(&arena, MET__TEXT("{\"keep_hours\":1}"),
                                     &node, NULL),
                     MET_OK);
    assert_int_equal(met__record_put(txn, MET__TABLE_META, "usage_settings",
                                     14, node),
                     MET_OK);
    assert_int_equal(met__usage_settings_get(txn, &settings), MET_E_CORRUPT);
    met__txn_abort(txn);
    met__arena_release(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_settings__stored),
        TEST(test_settings__refused),
        TEST(test_settings__damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
