/* Golden sections of Kong's plugins key-auth and acl. */
#include "gateway/acl.h"
#include "gateway/key_auth.h"
#include "golden.h"
#include "gateway/entity_parts.h"

#define LIST_MAX 16

static int64_t integer_at(const met__node *node, const char *name)
{
    const met__node *member = node != NULL ? met__node_get(node, name) : NULL;

    if (member == NULL) {
        return 0;
    }
    return member->kind == MET__NODE_BOOLEAN   ? member->as.boolean
           : member->kind == MET__NODE_INTEGER ? member->as.integer
                                               : 0;
}

/* Where a key is looked for, and that the first place decides. */
static void run_key_auth(golden *self, const met__node *item)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } places[] = {{"key_in_header", MET__KEY_IN_HEADER},
                  {"key_in_query", MET__KEY_IN_QUERY},
                  {"key_in_body", MET__KEY_IN_BODY}};
    char scratch[MET_GATEWAY_KEY_SIZE_MAX + 1];
    char query[64] = "";
    char form[64] = "";
    met__text header = met__node_text_at(item, "header");
    met__text in_query = met__node_text_at(item, "query");
    met__text in_body = met__node_text_at(item, "body");
    met_pair pair = {"ApiKey", 6, header.data, header.size};
    met__key_auth auth = {.name_count = 1, .names = {MET__TEXT("apikey")}};
    met__key_place place;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        auth.flags |= integer_at(item, places[i].name) ? places[i].flag : 0;
    }
    if (in_query.size > 0) {
        snprintf(query, sizeof query, "apikey=%s", in_query.data);
    }
    if (in_body.size > 0) {
        snprintf(form, sizeof form, "apikey=%s", in_body.data);
    }
    met_gateway_request request = {.struct_size = sizeof request,
                                   .query = query,
                                   .query_size = strlen(query),
                                   .form = form,
                                   .form_size = strlen(form),
                                   .headers = &pair,
                                   .header_count = header.size > 0};
    uint32_t found = met__key_auth_find(&auth, &request, scratch, &place);
    int status = found == MET__KEY_FOUND
                         && met__text_equal(place.key, MET__TEXT("right"))
                     ? 200
                     : 401;
    if (integer_at(item, "status") != status) {
        golden_fail(self, "status %d", status);
    }
}

static size_t texts_of(const met__node *list, met__text out[LIST_MAX])
{
    size_t count = 0;

    for (uint32_t i = 0; list != NULL && list->kind == MET__NODE_ARRAY
                         && i < list->count && count < LIST_MAX;
         i++) {
        out[count++] = list->as.items[i]->as.text;
    }
    return count;
}

/* The status, and which header of groups goes upstream with what. */
static void same_acl(golden *self, const met__node *expect,
                     const met__acl_result *result, const met__text *groups,
                     size_t count)
{
    const met__node *wanted = met__node_get(expect, "upstream_headers");
    const char *name = result->header == MET__ACL_HEADER_CONSUMER
                           ? "X-Consumer-Groups"
                           : "X-Authenticated-Groups";
    char value[512] = "";
    size_t size = 0;

    if (integer_at(expect, "status") != result->status) {
        golden_fail(self, "status %u", result->status);
        return;
    }
    if ((wanted != NULL) != (result->header != MET__ACL_HEADER_NONE)) {
        golden_fail(self, "header %u", result->header);
        return;
    }
    for (size_t i = 0; i < count && size < sizeof value; i++) {
        size += (size_t)snprintf(value + size, sizeof value - size,
                                 "%s%.*s", i > 0 ? ", " : "",
                                 (int)groups[i].size, groups[i].data);
    }
    if (wanted != NULL
        && (wanted->count != 1 || met__node_get(wanted, name) == NULL
            || !met__text_equal(met__node_text_at(wanted, name),
                                met__text_z(value)))) {
        golden_fail(self, "%s: %s", name, value);
    }
}

static void run_acl(golden *self, const met__node *item)
{
    met__text groups[LIST_MAX];
    met__text authenticated[LIST_MAX];
    met__text list[LIST_MAX];
    const met__node *input = golden_get(self, item, "input");
    const met__node *config = golden_get(self, item, "config");
    const met__node *expect = golden_get(self, item, "expect");

    if (input == NULL || config == NULL || expect == NULL) {
        return;
    }
    const met__node *set = met__node_get(input, "authenticated_groups");
    const met__node *deny = met__node_get(config, "deny");
    size_t group_count = texts_of(met__node_get(input, "acl_groups"), groups);
    size_t authenticated_count = texts_of(set, authenticated);
    size_t list_count = texts_of(
        deny != NULL ? deny : met__node_get(config, "allow"), list);
    met__acl_input facts = {
        .is_deny_list = deny != NULL,
        .always_authenticated = (uint32_t)integer_at(
            config, "always_use_authenticated_groups"),
        .has_consumer = met__node_get(input, "consumer") != NULL,
        .has_credential = met__node_get(input, "credential") != NULL,
        .has_groups = group_count > 0,
        .groups_overlap = (uint32_t)met__acl_overlap(groups, group_count,
                                                     list, list_count),
        .has_authenticated = set != NULL && set->kind == MET__NODE_ARRAY,
        .authenticated_overlap = (uint32_t)met__acl_overlap(
            authenticated, authenticated_count, list, list_count)};
    met__acl_result result = met__acl_decide(&facts);

    if (result.header == MET__ACL_HEADER_AUTHENTICATED) {
        same_acl(self, expect, &result, authenticated, authenticated_count);
    } else {
        same_acl(self, expect, &result, groups, group_count);
    }
}

const golden_kind golden_gateway_sections[] = {
    {"key_auth_matrix", run_key_auth, NULL},
    {"key_auth_cases", golden_run_key_auth_case, NULL},
    {"acl_cases", run_acl, NULL},
    {NULL, NULL, NULL},
};
