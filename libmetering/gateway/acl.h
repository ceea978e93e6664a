/* Access by group, as Kong's acl plugin decides it. Pure. */
#ifndef MET_GATEWAY_ACL_H
#define MET_GATEWAY_ACL_H

#include "base/bytes.h"

/* What is known when the access list is asked. Overlap: one of the groups is
 * in the list. authenticated: groups that another authentication has set. */
typedef struct met__acl_input {
    uint32_t is_deny_list; /* else an allow list */
    uint32_t always_authenticated; /* always_use_authenticated_groups */
    uint32_t has_consumer;
    uint32_t has_credential;
    uint32_t has_groups; /* the consumer is in some group */
    uint32_t groups_overlap;
    uint32_t has_authenticated; /* they are set; may be none */
    uint32_t authenticated_overlap;
} met__acl_input;

/* Which header the upstream gets. */
enum {
    MET__ACL_HEADER_NONE = 0,
    MET__ACL_HEADER_CONSUMER,     /* X-Consumer-Groups: of the consumer, may
                                     be empty */
    MET__ACL_HEADER_AUTHENTICATED /* X-Authenticated-Groups */
};

typedef struct met__acl_result {
    uint32_t status; /* 200, 401 "Unauthorized", 403 "You cannot consume this
                        service" */
    uint32_t header; /* unless hide_groups_header */
} met__acl_result;

met__acl_result met__acl_decide(const met__acl_input *input);

/* Whether one of the groups is in the list: exact, in either case of letters
 * another one. */
int met__acl_overlap(const met__text *groups, size_t group_count,
                     const met__text *list, size_t list_count);

#endif
