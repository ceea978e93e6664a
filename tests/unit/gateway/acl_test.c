/* Kong's acl plugin, case by case: what its own code answered. */
#include "gateway/acl.h"

#include "unit/gateway/gateway_support.h"

static size_t texts_of(const met__node *list, met__text *out)
{
    size_t count = 0;

    for (uint32_t i = 0; list != NULL && list->kind == MET__NODE_ARRAY
                         && i < list->count;
         i++) {
        out[count++] = list->as.items[i]->as.text;
    }
    return count;
}

/* The header as Kong writes it. */
static void header_of(const met__acl_result *result, const met__text *groups,
                      size_t count, const met__text *authenticated,
                      size_t authenticated_count, char *out, size_t size)
{
    const met__text *list = groups;

    if (result->header == MET__ACL_HEADER_AUTHENTICATED) {
        list = authenticated;
        count = authenticated_count;
    }
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        snprintf(out + strlen(out), size - strlen(out), "%s%.*s",
                 i > 0 ? ", " : "", (int)list[i].size, list[i].data);
    }
}

static void one_case(const met__node *row)
{
    met__text groups[8];
    met__text authenticated[8];
    met__text list[8];
    char header[256];
    const met__node *input = met__node_get(row, "input");
    const met__node *config = met__node_get(row, "config");
    const met__node *expect = met__node_get(row, "expect");
    const met__node *wanted = met__node_get(expect, "upstream_headers");
    const met__node *set = met__node_get(input, "authenticated_groups");
    size_t group_count = texts_of(met__node_get(input, "acl_groups"), groups);
    size_t authenticated_count = texts_of(set, authenticated);
    int is_deny = met__node_get(config, "deny") != NULL;
    size_t list_count = texts_of(
        met__node_get(config, is_deny ? "deny" : "allow"), list);
    met__acl_input facts = {
        .is_deny_list = (uint32_t)is_deny,
        .always_authenticated = (uint32_t)golden_integer(
            config, "always_use_authenticated_groups", 0),
        .has_consumer = met__node_get(input, "consumer") != NULL,
        .has_credential = met__node_get(input, "credential") != NULL,
        .has_groups = group_count > 0,
        .groups_overlap = (uint32_t)met__acl_overlap(groups, group_count,
                                                     list, list_count),
        .has_authenticated = set != NULL && set->kind == MET__NODE_ARRAY,
        .authenticated_overlap = (uint32_t)met__acl_overlap(
            authenticated, authenticated_count, list, list_count)};
    met__acl_result result = met__acl_decide(&facts);
    const char *id = golden_text(row, "id").data;

    if (result.status != (uint32_t)golden_integer(expect, "status", 0)) {
        fail_msg("%s: status %u", id, result.status);
    }
    if ((wanted != NULL) != (result.header != MET__ACL_HEADER_NONE)) {
        fail_msg("%s: header %u", id, result.header);
    }
    if (wanted != NULL) {
        header_of(&result, groups, group_count, authenticated,
                  authenticated_count, header, sizeof header);
        met__text value = golden_text(
            wanted, result.header == MET__ACL_HEADER_CONSUMER
                        ? "X-Consumer-Groups"
                        : "X-Authenticated-Groups");
        assert_int_equal(wanted->count, 1);
        assert_int_equal(value.size, strlen(header));
        assert_memory_equal(value.data, header, value.size);
    }
}

static void golden_cases(void **state)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;

    met__arena_init(&arena, &platform);
    const met__node *rows =
        read_golden(&arena, "kong_rate_limiting.json", "acl_cases");
    assert_true(rows->count > 100);
    for (uint32_t i = 0; i < rows->count; i++) {
        one_case(rows->as.items[i]);
    }
    met__arena_release(&arena);
}

static void overlap_is_exact(void **state)
{
    const met__text groups[] = {MET__TEXT("Free"), MET__TEXT("fre")};
    const met__text list[] = {MET__TEXT("free"), MET__TEXT("fre")};

    assert_false(met__acl_overlap(groups, 1, list, 2));
    assert_true(met__acl_overlap(groups, 2, list, 2));
    assert_false(met__acl_overlap(groups, 2, list, 0));
    assert_false(met__acl_overlap(groups, 0, list, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_cases),
                                       cmocka_unit_test(overlap_is_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
