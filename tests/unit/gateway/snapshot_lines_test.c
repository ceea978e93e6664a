/* Header lines for the upstream: the first key's lie in the snapshot as they
 * are told, another one's are put together, and nobody sees a difference. */
#include "support/gateway_calls.h"

#define DOCUMENT(GROUP, MORE)                                               \
    "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\",\"url\":"   \
    "\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"r\",\"paths\":["       \
    "\"/a\"]}]}],\"consumers\":[{\"username\":\"ann\",\"custom_id\":\"7\"," \
    "\"keyauth_credentials\":[{\"key\":\"first\"},{\"key\":\"second\"}],"   \
    "\"acls\":[{\"group\":\"" GROUP "\"}]}],\"plugins\":[{\"name\":"        \
    "\"key-auth\"},{\"name\":\"acl\",\"config\":{\"allow\":[\"red\","       \
    "\"blue\"]" MORE "}}]," STORY_METER "}"

static void must_apply(const char *json)
{
    assert_ok(apply_document(json));
    if (gateway == NULL) {
        must_open_gateway(0);
        return;
    }
    clock_now_ns += 2 * MET__SECOND_NS;
    assert_int_equal(met_gateway_tick(gateway), MET_OK);
}

static int is_told(const char *line)
{
    return strstr(decision.upstream_headers, line) != NULL;
}

/* The lines of a key, its own one apart. */
static void lines_of(const char *key, char lines[1024], char own[128])
{
    assert_int_equal(serve("/a", key), 200);
    assert_int_equal(strlen(decision.upstream_headers),
                     decision.upstream_headers_size);
    const char *at = strstr(decision.upstream_headers,
                            "X-Credential-Identifier: ");
    assert_non_null(at);
    size_t size = strcspn(at, "\n") + 1;
    snprintf(own, 128, "%.*s", (int)size, at);
    snprintf(lines, 1024, "%.*s%s", (int)(at - decision.upstream_headers),
             decision.upstream_headers, at + size);
}

static void assert_same_lines(void)
{
    char lines[2][1024];
    char own[2][128];

    lines_of("second", lines[1], own[1]);
    lines_of("first", lines[0], own[0]);
    assert_string_equal(lines[0], lines[1]);
    assert_string_not_equal(own[0], own[1]);
    assert_true(is_told("X-Consumer-ID: "));
    assert_true(is_told("X-Consumer-Custom-ID: 7\r\nX-Consumer-Username: "
                        "ann\r\nX-Credential-Identifier: "));
}

static void test_lines__of_every_key(void **state)
{
    must_apply(DOCUMENT("red", ""));
    assert_same_lines();
    assert_true(is_told("\r\nX-Consumer-Groups: red\r\n"));
    /* The next catalog's hold from the first request on. */
    must_apply(DOCUMENT("blue", ""));
    assert_same_lines();
    assert_true(is_told("blue"));
    must_apply(DOCUMENT("blue", ",\"hide_groups_header\":true"));
    assert_same_lines();
    assert_false(is_told("X-Consumer-Groups"));
}

/* A host that says who it is has no key to tell of. */
static void test_lines__without_a_key(void **state)
{
    met_gateway_request request;

    must_apply(DOCUMENT("red", ""));
    request = request_of("/a", NULL);
    request.subject = "consumer:ann";
    request.subject_size = strlen(request.subject);
    decision.struct_size = sizeof decision;
    assert_int_equal(met_gateway_admit(gateway, &request, &decision), MET_OK);
    assert_int_equal(decision.status, 200);
    assert_false(is_told("X-Credential-Identifier"));
    assert_true(is_told("X-Consumer-Username: ann\r\nX-Consumer-Groups: red"
                        "\r\n"));
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, gateway_setup, gateway_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lines__of_every_key),
        TEST(test_lines__without_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
