/* Finding in a snapshot, and that a damaged one is never believed. */
#include "unit/gateway/snapshot_support.h"

#define FEW \
    "{\"services\":[{\"name\":\"s\",\"host\":\"h\"}," \
    "{\"name\":\"off\",\"host\":\"h\",\"enabled\":false}]," \
    "\"routes\":[" \
    "{\"name\":\"a\",\"service\":{\"name\":\"s\"},\"paths\":[\"/a\"]}," \
    "{\"name\":\"ab\",\"service\":{\"name\":\"s\"},\"paths\":[\"/a/b\"," \
    "\"/x\"]}," \
    "{\"name\":\"post\",\"service\":{\"name\":\"s\"},\"paths\":[\"/a/b\"]," \
    "\"methods\":[\"POST\"]}," \
    "{\"name\":\"put\",\"service\":{\"name\":\"s\"},\"paths\":[\"/only\"]," \
    "\"methods\":[\"PUT\"]}"

static const char few_routes[] = FEW "]}";
static const char routes[] =
    FEW ","
    "{\"name\":\"t2\",\"service\":{\"name\":\"s\"},\"paths\":[\"/t\"]},"
    "{\"name\":\"t1\",\"service\":{\"name\":\"s\"},\"paths\":[\"/t\"]},"
    "{\"name\":\"u2\",\"service\":{\"name\":\"s\"},\"paths\":[\"/t\"],"
    "\"methods\":[\"PUT\"]},"
    "{\"name\":\"u1\",\"service\":{\"name\":\"s\"},\"paths\":[\"/t\"],"
    "\"methods\":[\"PUT\"]},"
    "{\"name\":\"dark\",\"service\":{\"name\":\"off\"},\"paths\":[\"/d\"]}]}";

static void find_routes(const char *json)
{
    static const struct {
        const char *reason;
        const char *path;
        const char *method;
        const char *route; /* "" = none */
    } rows[] = {
        {"itself", "/a", "GET", "a"},
        {"begins with it", "/a/x", "GET", "a"},
        {"a prefix need not end at a slash", "/abc", "GET", "a"},
        {"the longest", "/a/b", "GET", "ab"},
        {"the longest, further on", "/a/bz", "GET", "ab"},
        {"the one that names the method", "/a/b/c", "POST", "post"},
        {"its second path", "/x/y", "POST", "ab"},
        {"a sibling between prefix and path", "/a/a", "GET", "a"},
        {"no such method", "/only", "GET", ""},
        {"the method", "/only", "PUT", "put"},
        {"methods are case-sensitive", "/only", "put", ""},
        {"the same path twice: the first name", "/t", "GET", "t1"},
        {"the same method twice: the first name", "/t", "PUT", "u1"},
        {"a service out of service", "/d", "GET", ""},
        {"before all", "", "GET", ""},
        {"shorter than any", "/", "GET", ""},
        {"behind all", "/zzz", "GET", ""},
    };
    met_store *store;
    met__snapshot snapshot = map_json(json, &store);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const met__snapshot_route *route = met__snapshot_route_at(
            &snapshot,
            met__snapshot_route_match(&snapshot, met__text_z(rows[i].path),
                                      met__text_z(rows[i].method)));
        int is_there = json == routes || rows[i].path[0] == '\0'
                       || rows[i].path[1] != 't';
        met__text wanted = met__text_z(is_there ? rows[i].route : "");
        met__text name = route != NULL
                             ? met__snapshot_text(&snapshot, route->name)
                             : (met__text){"", 0};
        if (!met__text_equal(name, wanted)) {
            fail_msg("%s: %.*s", rows[i].reason, (int)name.size, name.data);
        }
    }
    let_go(store, &snapshot);
}

/* Few are looked through, of many the place is found: the same answers. */
static void routes_by_path(void **state)
{
    (void)state;
    find_routes(routes);
    find_routes(few_routes);
}

static void by_name(void **state)
{
    met_store *store;
    met__snapshot snapshot = map_json(routes, &store);
    uint32_t service = met__snapshot_service_find(&snapshot, MET__TEXT("s"));
    uint32_t route = met__snapshot_route_find(&snapshot, MET__TEXT("put"));

    (void)state;
    assert_ref(&snapshot, met__snapshot_service_at(&snapshot, service)->name,
               "s");
    assert_ref(&snapshot, met__snapshot_route_at(&snapshot, route)->name,
               "put");
    assert_int_equal(met__snapshot_route_at(&snapshot, route)->service,
                     service);
    assert_int_equal(met__snapshot_service_find(&snapshot, MET__TEXT("S")),
                     MET__NONE);
    assert_int_equal(met__snapshot_route_find(&snapshot, MET__TEXT("")),
                     MET__NONE);
    assert_int_equal(met__snapshot_route_find(&snapshot, MET__TEXT("s")),
                     MET__NONE);
    let_go(store, &snapshot);
}

/* References that point outside give nothing. */
static void bounds(void **state)
{
    met_store *store;
    met__snapshot snapshot = map_json(routes, &store);
    uint32_t room = snapshot.count[MET__SECTION_TEXT];
    uint32_t count = snapshot.count[MET__SECTION_ROUTE];

    (void)state;
    assert_text(met__snapshot_text(&snapshot, (met__ref){room, 1}), "");
    assert_text(met__snapshot_text(&snapshot, (met__ref){1, room}), "");
    assert_text(met__snapshot_text(&snapshot, (met__ref){1, UINT32_MAX}), "");
    assert_null(met__snapshot_route_at(&snapshot, MET__NONE));
    assert_null(met__snapshot_consumer_at(&snapshot, 0));
    met__range range = met__snapshot_range(&snapshot, MET__SECTION_ROUTE,
                                           (met__range){count - 1, UINT32_MAX});
    assert_int_equal(range.count, 1);
    range = met__snapshot_range(&snapshot, MET__SECTION_ROUTE,
                                (met__range){count + 1, 1});
    assert_int_equal(range.count, 0);
    assert_false(met__snapshot_groups_overlap(
        &snapshot, (met__range){0, 9}, (met__range){7, UINT32_MAX}));
    let_go(store, &snapshot);
}

/* A table without a free slot, of records that are not there: a search ends. */
static void full_table(void **state)
{
    met_store *store;
    met__snapshot snapshot = map_json(routes, &store);
    uint32_t slots[4] = {7, 7, UINT32_MAX, 7};
    met__credential_hash hash = {{3}};

    (void)state;
    snapshot.data[MET__SECTION_CONSUMER_SLOT] = (unsigned char *)slots;
    snapshot.count[MET__SECTION_CONSUMER_SLOT] = 4;
    snapshot.data[MET__SECTION_CREDENTIAL_SLOT] = (unsigned char *)slots;
    snapshot.count[MET__SECTION_CREDENTIAL_SLOT] = 4;
    assert_int_equal(
        met__snapshot_consumer_find(&snapshot, MET__TEXT("a"), 7), MET__NONE);
    assert_int_equal(met__snapshot_credential_find(&snapshot, &hash),
                     MET__NONE);
    let_go(store, &snapshot);
}

/* Every byte of the file, and every length. */
static void damage(void **state)
{
    met_store *store;
    met__snapshot snapshot = map_json(routes, &store);
    met__platform platform = faulty_platform(NULL, NULL);
    size_t size = (size_t)snapshot.file.size;
    unsigned char *good = malloc(size);
    const char *path = temp_path(directory, "damaged");
    unsigned refused = 0;

    (void)state;
    assert_non_null(good);
    memcpy(good, snapshot.file.memory, size);
    for (size_t at = 4096; at < size; at += at < 4400 ? 1 : 7) {
        FILE *file = fopen(path, "wb");
        good[at] ^= 0x10;
        assert_int_equal(fwrite(good, 1, size, file), size);
        fclose(file);
        good[at] ^= 0x10;
        met__snapshot other;
        assert_int_equal(met__snapshot_open(&platform, path,
                                            met__store_id(store), &other,
                                            NULL),
                         MET_E_CORRUPT);
        refused++;
    }
    assert_true(refused > 300);
    for (size_t cut = 0; cut < size; cut += 97) {
        FILE *file = fopen(path, "wb");
        assert_int_equal(fwrite(good, 1, cut, file), cut);
        fclose(file);
        met__snapshot other;
        assert_int_not_equal(met__snapshot_open(&platform, path,
                                                met__store_id(store), &other,
                                                NULL),
                             MET_OK);
    }
    uint8_t stranger[16] = {9};
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(good, 1, size, file), size);
    fclose(file);
    met__snapshot other;
    assert_int_equal(
        met__snapshot_open(&platform, path, stranger, &other, NULL),
        MET_E_FOREIGN);
    assert_int_equal(met__snapshot_open(&platform, path,
                                        met__store_id(store), &other, NULL),
                     MET_OK);
    met__snapshot_close(&platform, &other);
    free(good);
    let_go(store, &snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_by_path),
        cmocka_unit_test(by_name),
        cmocka_unit_test(bounds),
        cmocka_unit_test(full_table),
        cmocka_unit_test(damage),
    };
    return SNAPSHOT_TESTS(tests);
}
