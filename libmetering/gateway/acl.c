/* The rules of Kong's acl plugin over facts, not over texts: which groups
 * count, and who gets 401 in place of 403. In: what is known of the client.
 * Out: a status and which header goes upstream. It knows no snapshot. */
#include "gateway/acl.h"

static met__acl_result denied(const met__acl_input *input, int is_known)
{
    return (met__acl_result){is_known ? 403 : 401, MET__ACL_HEADER_NONE};
}

/* Groups that another authentication has set decide alone. */
static met__acl_result by_authenticated(const met__acl_input *input)
{
    if ((input->is_deny_list != 0) == (input->authenticated_overlap != 0)) {
        return denied(input, 1);
    }
    return (met__acl_result){200, input->is_deny_list
                                      ? MET__ACL_HEADER_NONE
                                      : MET__ACL_HEADER_AUTHENTICATED};
}

met__acl_result met__acl_decide(const met__acl_input *input)
{
    int asks_authenticated = !input->has_consumer || !input->has_credential
                             || input->always_authenticated;

    if (asks_authenticated && input->has_authenticated) {
        return by_authenticated(input);
    }
    if (!input->has_consumer) {
        return denied(input, input->has_credential != 0);
    }
    if (!input->has_groups && !input->is_deny_list) {
        return denied(input, input->has_credential != 0);
    }
    if ((input->is_deny_list != 0) == (input->groups_overlap != 0)) {
        return denied(input, 1);
    }
    return (met__acl_result){200, MET__ACL_HEADER_CONSUMER};
}

int met__acl_overlap(const met__text *groups, size_t group_count,
                     const met__text *list, size_t list_count)
{
    for (size_t i = 0; i < group_count; i++) {
        for (size_t k = 0; k < list_count; k++) {
            if (met__text_equal(groups[i], list[k])) {
                return 1;
            }
        }
    }
    return 0;
}
