/* Where a key is found: Kong's matrix, its single cases, and requests that
 * were made to hurt. */
#include "gateway/key_auth.h"

#include "unit/gateway/gateway_support.h"

#define ALL (MET__KEY_IN_HEADER | MET__KEY_IN_QUERY | MET__KEY_ON_PREFLIGHT)

static char scratch[MET_GATEWAY_KEY_SIZE_MAX + 1];

static met__key_auth names_of(uint32_t flags, const char *first,
                              const char *second)
{
    met__key_auth auth = {.flags = flags, .name_count = second ? 2 : 1};

    auth.names[0] = met__text_z(first);
    auth.names[1] = met__text_z(second);
    return auth;
}

static met_gateway_request query_of(const char *query)
{
    return (met_gateway_request){.struct_size = sizeof(met_gateway_request),
                                 .query = query,
                                 .query_size = strlen(query)};
}

/* --- Golden --------------------------------------------------------------- */

static void matrix(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;

    met__arena_init(&arena, &platform);
    const met__node *rows =
        read_golden(&arena, "kong_rate_limiting.json", "key_auth_matrix");
    assert_true(rows->count > 100);
    for (uint32_t i = 0; i < rows->count; i++) {
        const met__node *row = rows->as.items[i];
        met__text header = golden_text(row, "header");
        met__text query = golden_text(row, "query");
        met__text body = golden_text(row, "body");
        char query_text[64] = "";
        char form[64] = "";
        met_pair pair = {"ApiKey", 6, header.data, header.size};
        met__key_auth auth = names_of(
            (golden_integer(row, "key_in_header", 0) ? MET__KEY_IN_HEADER : 0u)
                | (golden_integer(row, "key_in_query", 0) ? MET__KEY_IN_QUERY
                                                          : 0u)
                | (golden_integer(row, "key_in_body", 0) ? MET__KEY_IN_BODY
                                                         : 0u),
            "apikey", NULL);
        met__key_place place;

        if (query.size > 0) {
            snprintf(query_text, sizeof query_text, "apikey=%s", query.data);
        }
        if (body.size > 0) {
            snprintf(form, sizeof form, "apikey=%s", body.data);
        }
        met_gateway_request request = query_of(query_text);
        request.form = form;
        request.form_size = strlen(form);
        request.headers = &pair;
        request.header_count = header.size > 0;
        uint32_t found = met__key_auth_find(&auth, &request, scratch, &place);
        int passes = found == MET__KEY_FOUND
                     && met__text_equal(place.key, MET__TEXT("right"));
        if (golden_integer(row, "status", 0) != (passes ? 200 : 401)) {
            fail_msg("%s", golden_text(row, "id").data);
        }
    }
    met__arena_release(&arena);
}

/* --- Single rules --------------------------------------------------------- */

typedef struct query_row {
    const char *why;
    const char *query;
    uint32_t found;
    const char *key;
} query_row;

static void queries(void **state)
{
    static const query_row rows[] = {
        {"plain", "apikey=kong", MET__KEY_FOUND, "kong"},
        {"between others", "a=1&apikey=kong&b", MET__KEY_FOUND, "kong"},
        {"no value", "apikey", MET__KEY_MISSING, NULL},
        {"empty value", "apikey=", MET__KEY_MISSING, NULL},
        {"twice", "apikey=a&apikey=b", MET__KEY_DUPLICATE, NULL},
        {"twice, once without value", "apikey&apikey=b", MET__KEY_DUPLICATE,
         NULL},
        {"case matters", "ApiKey=kong", MET__KEY_MISSING, NULL},
        {"brackets", "apikey[]=a&apikey[1]=b", MET__KEY_MISSING, NULL},
        {"escaped name", "api%6B%65y=kong", MET__KEY_FOUND, "kong"},
        {"escaped value", "apikey=k%6Fng%20x", MET__KEY_FOUND, "kong x"},
        {"plus is a blank", "apikey=a+b", MET__KEY_FOUND, "a b"},
        {"broken escapes stand", "apikey=%zz%4", MET__KEY_FOUND, "%zz%4"},
        {"value has '='", "apikey=a=b=", MET__KEY_FOUND, "a=b="},
        {"longer name", "apikeys=a&xapikey=b", MET__KEY_MISSING, NULL},
        {"no name", "=kong&apikey=k", MET__KEY_FOUND, "k"},
        {"only separators", "&&&&", MET__KEY_MISSING, NULL},
        {"a NUL in the name", "apikey%00=a", MET__KEY_MISSING, NULL},
    };
    met__key_auth auth = names_of(ALL, "apikey", NULL);
    met__key_place place;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_gateway_request request = query_of(rows[i].query);
        uint32_t found = met__key_auth_find(&auth, &request, scratch, &place);
        if (found != rows[i].found
            || (found == MET__KEY_FOUND
                && !met__text_equal(place.key, met__text_z(rows[i].key)))) {
            fail_msg("%s: %u", rows[i].why, found);
        }
    }
}

static void headers(void **state)
{
    met_pair pairs[] = {{"API-Key", 7, "h", 1},
                        {"x", 1, "", 0},
                        {"api-key", 7, "i", 1}};
    met_gateway_request request = query_of("api_key=q");
    met__key_auth auth = names_of(ALL, "api_key", NULL);
    met__key_place place;

    request.headers = pairs;
    request.header_count = 2;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_FOUND);
    assert_int_equal(place.where, MET__KEY_IN_HEADER);
    assert_true(met__text_equal(place.key, MET__TEXT("h")));
    request.header_count = 3;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_DUPLICATE);
    /* The exact spelling goes before the one with hyphens. */
    pairs[2].key = "API_KEY";
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_FOUND);
    assert_true(met__text_equal(place.key, MET__TEXT("i")));
    /* An empty header decides: no falling through to the query. */
    pairs[2].value_size = 0;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_MISSING);
    auth.flags &= ~(uint32_t)MET__KEY_IN_HEADER;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_FOUND);
    assert_int_equal(place.where, MET__KEY_IN_QUERY);
}

static void several_names(void **state)
{
    met_gateway_request request = query_of("second=2&first");
    met__key_auth auth = names_of(ALL, "first", "second");
    met__key_place place;

    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_FOUND);
    assert_int_equal(place.name, 1);
    request = query_of("second=2&first=");
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_MISSING);
    auth.name_count = UINT32_MAX; /* never beyond the array */
    memset(&auth.names[2], 0, sizeof auth.names[2] * 6);
    request = query_of("x=1");
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_MISSING);
}

static void preflight(void **state)
{
    met_gateway_request request = query_of("");
    met__key_auth auth = names_of(ALL, "apikey", NULL);
    met__key_place place;

    request.method = "OPTIONS";
    request.method_size = 7;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_MISSING);
    auth.flags &= ~(uint32_t)MET__KEY_ON_PREFLIGHT;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_NOT_NEEDED);
    request.method = "options";
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_MISSING);
}

/* Whatever is sent: it ends, within the scratch, and sanitizers see. */
static void hostile(void **state)
{
    met__key_auth auth = names_of(ALL | MET__KEY_IN_BODY, "apikey", NULL);
    size_t size = 65536;
    char *query = malloc(size);
    met_pair *pairs = calloc(10000, sizeof *pairs);
    met_gateway_request request = {.struct_size = sizeof request};
    met__key_place place;

    memset(query, 'a', size);
    memcpy(query, "apikey=%41", 10);
    request.query = query;
    request.query_size = size;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_FOUND);
    assert_int_equal(place.key.size, sizeof scratch); /* cut: no key is */
    for (size_t i = 0; i < 10000; i++) {
        pairs[i] = (met_pair){"apikey", i % 7, NULL, 0};
    }
    request.headers = pairs;
    request.header_count = 10000;
    assert_int_equal(met__key_auth_find(&auth, &request, scratch, &place),
                     MET__KEY_DUPLICATE);
    request.header_count = 0;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        static const char letters[] = "apikey=&%41+\0[]";
        request.query_size = (size_t)rand() % 40;
        for (size_t i = 0; i < request.query_size; i++) {
            query[i] = letters[(size_t)rand() % (sizeof letters - 1)];
        }
        char *exact = malloc(request.query_size + 1);
        memcpy(exact, query, request.query_size);
        request.query = exact;
        (void)met__key_auth_find(&auth, &request, scratch, &place);
        free(exact);
    }
    free(query);
    free(pairs);
}

static void hiding(void **state)
{
    static const struct {
        const char *query;
        const char *rest;
    } rows[] = {
        {"c=value1&b=value2&apikey=kong&a=value3",
         "c=value1&b=value2&a=value3"},
        {"c=valu%651&b=value2&api%6B%65%79=kong&a=valu%653",
         "c=value1&b=value2&a=value3"},
        {"apikey=kong", ""},
        {"apikey", ""},
        {"a=%26%3D&apikey=x&b=%C3%A9&c", "a=%26%3D&b=%C3%A9&c"},
        {"a=1&&=2&b=+&apikey", "a=1&b=%20"},
        {"a=1&&=2&b=+", "a=1&&=2&b=+"}, /* no key: as it came */
        {"a=1&my_key=2&apikey=3", "a=1"},
    };
    met__key_auth hidden = {
        .name_count = 2,
        .names = {MET__TEXT("apikey"), MET__TEXT("my_key")}};
    met__platform platform = faulty_platform(NULL, NULL);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__buffer out;
        met__buffer_init(&out, &platform);
        met__key_auth_hide(&hidden, met__text_z(rows[i].query), &out);
        assert_string_equal(out.size > 0 ? out.data : "", rows[i].rest);
        met__buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrix),        cmocka_unit_test(queries),
        cmocka_unit_test(headers),       cmocka_unit_test(several_names),
        cmocka_unit_test(preflight),     cmocka_unit_test(hostile),
        cmocka_unit_test(hiding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
