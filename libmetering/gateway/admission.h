/* One request while it is decided: what the files of admit hand each other.
 * admit.c leads, admit_access.c finds out who asks for what, admit_limits.c and
 * admit_quota.c whether there is room. */
#ifndef MET_GATEWAY_ADMISSION_H
#define MET_GATEWAY_ADMISSION_H

#include "gateway/gateway_handle.h"
#include "gateway/ticket.h"
#include "limit/limiter.h"

typedef struct met__admission {
    met_gateway *gateway;
    const met__snapshot *snapshot;
    const met_gateway_request *request;
    met_gateway_decision *decision;
    met__ticket *ticket; /* inside decision */
    int64_t utc_ns;
    int64_t monotonic_ns;
    uint64_t cost;
    const met__snapshot_plugins *plugins;
    const met__snapshot_key_auth *auth; /* of plugins; NULL: no key is asked */
    uint32_t service; /* records of the snapshot, or none */
    uint32_t route;
    uint32_t consumer;
    uint32_t credential;
    uint32_t is_anonymous;
    uint32_t is_first; /* the caller has just learned of the key: not again */
    uint32_t is_again; /* the key is one that came before */
    uint32_t header;   /* for the upstream: MET__ACL_HEADER_* */
    met__known_key *known; /* what all of it comes to, or NULL */
    uint32_t is_preflight; /* that key-auth lets pass: nobody's usage */
    uint32_t limit;         /* record, or none */
    met_limiter_request limit_request;
    met__limiter_key *limit_key; /* of limit_request, or NULL */
    char address_key[64]; /* of limit_request */
    uint32_t has_room; /* 1: room is of limit_request */
    uint32_t reserved;
    met_limiter_result limit_result;
    met__limiter_room room;
} met__admission;

/* The answer is no. Each returns 0, so that a step ends with `return
 * met__refuse(…)`. body: JSON; its text outlives the decision. */
int met__refuse(met__admission *admission, uint32_t status, uint32_t reason,
                met__text body);
/* Something needed is not to be had: 0 when that refuses, 1 when the policy
 * lets the request through. */
int met__admission_failed(met__admission *admission, uint32_t failure);

/* Decides. is_first is set, all else of the admission is written: what of it
 * was found stays true as long as the gateway has the same generation. Errors
 * as the public call. */
met_error met__admit(met__admission *admission, met_gateway *gateway,
                     const met_gateway_request *request,
                     met_gateway_decision *decision);

/* --- admit_fetch.c -------------------------------------------------------- */
/* Of a consumer among many nothing is near. What the next steps read of it is
 * asked for at once, and not by one step after the other. */
void met__admit_fetch(const met__admission *admission);
void met__admit_fetch_quota(const met__admission *admission);
/* Whether there are so many. */
int met__admit_are_many(const met__snapshot *snapshot);
/* The record itself. */
void met__admit_fetch_consumer(const met__snapshot *snapshot, uint32_t number);

/* --- admit_access.c: 1 = go on, 0 = decided ------------------------------- */
int met__admit_route(met__admission *admission);
int met__admit_key(met__admission *admission);
int met__admit_groups(met__admission *admission);
/* Header lines for the upstream, MET__ACL_HEADER_*: who it is, its groups. */
void met__admit_tell(met__admission *admission, uint32_t header);
/* The query that goes upstream. MET_E_NO_MEMORY */
met_error met__admit_query(met__admission *admission);

/* --- admit_known.c -------------------------------------------------------- */
/* 1: it is known what a credential comes to on this route at this time, and
 * the admission has it: neither its expiry nor groups are to be asked. */
int met__admit_know(met__admission *admission, uint32_t credential);
/* What is known, into the decision. */
void met__admit_as_known(met__admission *admission);
/* Keeps it, of a request that groups let in. */
void met__admit_learn(met__admission *admission);

/* --- admit_access.c, of keys that come in a batch ------------------------- */
/* What a look-up of a key found, and counts it. */
uint32_t met__admit_found_key(met_gateway *gateway, met__credential_tag tag,
                              uint32_t found);

/* --- admit_limits.c ------------------------------------------------------- */
/* The limit that holds, and whether it has room, without counting. */
int met__admit_peek(met__admission *admission);
/* Record of the limit that holds now, but for those beside it, or none. */
uint32_t met__admit_limit_of(const met__admission *admission);
/* Whether there are limits beside it. */
int met__admit_has_additive(const met__admission *admission);
/* What a limit goes by; empty when the request has no such thing. */
met__text met__admit_identity(const met__admission *admission,
                              const met__snapshot_limit *limit,
                              uint32_t *kind_out);
/* What the limiter will be asked for it, without changing the admission; 0:
 * nothing, or what only the request tells. */
int met__admit_limit_request(const met__admission *admission,
                             met_limiter_request *request_out);
/* Counts in all windows. */
int met__admit_count(met__admission *admission);
/* Rate limit headers of what the limiter said last. */
void met__admit_limit_headers(met__admission *admission);

/* --- admit_quota.c -------------------------------------------------------- */
/* Reserves what the request needs of every allowance. */
int met__admit_reserve(met__admission *admission);
/* What was reserved in a table that is not the one in use any more. */
void met__ticket_forget(const met_gateway *gateway, met__ticket *ticket);
/* Gives back what is reserved. */
void met__ticket_release(met_gateway *gateway, met__ticket *ticket);

/* --- admit_event.c -------------------------------------------------------- */
/* Bytes of the ticket's text that the event takes at most. */
size_t met__admit_event_room(const met__admission *admission);
/* Value of an attribute of the event; "" when it is not known now. */
met__text met__admission_attribute(const met__admission *admission,
                                   uint32_t number, met__text name);
/* Subject and texts of the event into the ticket. */
void met__admit_event(met__admission *admission);

#endif
