/* The gateway: one call before a request is served, one after. It knows the
 * route, the consumer behind an API key, the groups it belongs to, the limits
 * it is held to and the allowance its customer has left; and it counts what
 * was served. Entities come from documents in Kong's declarative format.
 *
 * One handle per worker thread. Windows, quotas and the compiled catalog are
 * shared by all handles of all processes through mapped files. */
#ifndef METERING_GATEWAY_H
#define METERING_GATEWAY_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"
#include "metering/types.h"

MET_BEGIN_DECLS

#define MET_GATEWAY_KEY_SIZE_MAX 512     /* bytes of an API key */
#define MET_GATEWAY_ATTRIBUTES_MAX 16    /* of one request */
#define MET_GATEWAY_ATTRIBUTE_BYTES 1024 /* their names and values together */
#define MET_GATEWAY_GROUPS_BYTES 1024    /* that the host gives */
#define MET_GATEWAY_BATCH_MAX 4096       /* requests of one call */
#define MET_GATEWAY_QUOTAS_MAX 8         /* allowances one request may need */

/* What happens when something needed for the decision fails. */
enum {
    MET_GATEWAY_FAIL_CLOSED = 1, /* refuse; the default */
    MET_GATEWAY_FAIL_OPEN = 2    /* let it through, and count the failure */
};

/* Which rate limit headers a decision carries. */
enum {
    MET_GATEWAY_HEADERS_KONG = 1, /* X-RateLimit-… and RateLimit-…; default */
    MET_GATEWAY_HEADERS_NONE = 2, /* none, also no Retry-After */
    MET_GATEWAY_HEADERS_IETF = 3  /* RateLimit-Policy, RateLimit, Retry-After */
};

/* Flags of a gateway. */
enum {
    /* A request that a feature measures is served only to a customer that is
     * entitled to it; a preflight that key-auth lets pass is nobody's usage.
     * Without this flag allowances are kept, and who has none is not held
     * back. */
    MET_GATEWAY_REQUIRE_ENTITLEMENT = 1,
    /* met_gateway_tick leaves compiling a changed catalog to others: to a
     * gateway without this flag, or to met_store_settle, which does it at its
     * end. For event loops. */
    MET_GATEWAY_NEVER_COMPILE = 2
};

/* Flags of an outcome. */
enum {
    /* Admitted, but never served: nothing is counted and what was reserved of
     * an allowance is given back exactly. Hits in rate limits stay. */
    MET_GATEWAY_NOT_SERVED = 1
};

/* Why a request is refused. Pinned. */
enum {
    MET_GATEWAY_REASON_NONE = 0,
    MET_GATEWAY_REASON_NO_ROUTE = 1,            /* 404 */
    MET_GATEWAY_REASON_NO_KEY = 2,              /* 401 */
    MET_GATEWAY_REASON_DUPLICATE_KEY = 3,       /* 401 */
    MET_GATEWAY_REASON_BAD_KEY = 4,             /* 401 */
    MET_GATEWAY_REASON_NOT_ALLOWED = 5,         /* 403, or 401: access list */
    MET_GATEWAY_REASON_RATE_LIMITED = 6,        /* 429 */
    MET_GATEWAY_REASON_USAGE_LIMIT_REACHED = 7, /* 429 */
    MET_GATEWAY_REASON_FEATURE_UNAVAILABLE = 8, /* 403 */
    MET_GATEWAY_REASON_CUSTOMER_NOT_FOUND = 9,  /* 403 */
    MET_GATEWAY_REASON_COST_NEVER = 10, /* 429: above a limit, waiting is no
                                           use */
    MET_GATEWAY_REASON_FAILURE = 11,    /* 500 or 503: see failure */
    MET_GATEWAY_REASON_FEATURE_NOT_FOUND = 12, /* 403: request.feature */
    MET_GATEWAY_REASON_NO_CREDIT_AVAILABLE = 13 /* 402: reserved, as at the
                                                   peer; never given now */
};

/* What failed; also set when MET_GATEWAY_FAIL_OPEN let the request through. */
enum {
    MET_GATEWAY_FAILURE_NONE = 0,
    MET_GATEWAY_FAILURE_SNAPSHOT = 1, /* the compiled catalog is damaged */
    MET_GATEWAY_FAILURE_LIMITER = 2,
    /* Also of a request that is usage of more than MET_GATEWAY_QUOTAS_MAX
     * allowances, or whose conditions on the outcome (statuses, sizes) do not
     * fit into its ticket: they have 1,187 bytes together, less the attributes
     * that the host gives, but 131 at least. */
    MET_GATEWAY_FAILURE_QUOTA = 3,
    MET_GATEWAY_FAILURE_TALLY = 4,  /* usage cannot be counted */
    MET_GATEWAY_FAILURE_CONFIG = 5  /* the anonymous consumer is missing */
};

/* Zero means default for every field. */
typedef struct met_gateway_config {
    size_t struct_size;
    uint32_t fail_policy;      /* MET_GATEWAY_FAIL_… */
    uint32_t header_style;     /* MET_GATEWAY_HEADERS_… */
    uint64_t limiter_capacity; /* of a new table: live keys and windows */
    uint64_t flags;            /* MET_GATEWAY_REQUIRE_ENTITLEMENT, … */
} met_gateway_config;

/* One request. All texts are borrowed during the call, none needs a NUL, all
 * may be empty. */
typedef struct met_gateway_request {
    size_t struct_size;
    /* Names of stored entities. Both empty: found by path and method. */
    const char *service;
    size_t service_size;
    const char *route;
    size_t route_size;
    const char *method;
    size_t method_size;
    const char *path; /* normalised by the host, without the query */
    size_t path_size;
    const char *query; /* as received, without '?' */
    size_t query_size;
    const char *form; /* an application/x-www-form-urlencoded body, when
                         key_in_body is used and the host has it */
    size_t form_size;
    const char *host; /* for the usage event: request_host */
    size_t host_size;
    const char *user_agent; /* for the usage event: request_user_agent */
    size_t user_agent_size;
    const char *client_ip; /* of the client, behind trusted proxies: text. A
                              limit counts IPv6 by the first 64 bits */
    size_t client_ip_size;
    const met_pair *headers; /* as received, repeated ones repeated */
    size_t header_count;
    const met_pair *attributes; /* of the usage event, in addition */
    size_t attribute_count;
    uint64_t cost;        /* 0 = 1: hits of rate limits, and what is reserved
                             of an allowance that a meter sums up. Of bytes
                             nothing is reserved: such an allowance may be
                             overshot by the requests in flight */
    int64_t utc_ns;       /* 0 = the library reads the store's clock. That
                             the system's was set it sees within 1 ms */
    int64_t monotonic_ns; /* 0 = the library reads the store's clock */
    /* Whose usage it is, when the host knows it: at most 128 bytes of UTF-8.
     * Then no key is asked for. "consumer:USERNAME" of a stored consumer is
     * that consumer; any other text is the subject of the event as it stands,
     * a limit by consumer counts by it, and allowances are not looked up. */
    const char *subject;
    size_t subject_size;
    /* The API key, when the host has found it by itself (in a body of another
     * type, say): then it is looked for nowhere else. */
    const char *key;
    size_t key_size;
    /* Groups that another authentication of the host has found, with commas
     * between them, at most MET_GATEWAY_GROUPS_BYTES of UTF-8. NULL: it has
     * found nothing; none but commas: that there are none. Access lists ask
     * them of who has no consumer or no key, and of everybody when their
     * always_use_authenticated_groups is set. Never what a client can write. */
    const char *groups;
    size_t groups_size;
    /* The key of a feature that the request uses, metered or not: it is served
     * only to a customer that is entitled to it, and that has something left of
     * it. What meters of requests count of it is taken as ever. */
    const char *feature;
    size_t feature_size;
    /* An application/json body, when key_in_body is used and the host has it:
     * a text in its outermost object is a key. */
    const char *json;
    size_t json_size;
} met_gateway_request;

/* What a request carries from admit to complete. Plain data that names no
 * memory: may be copied, and outlives snapshots. Frozen; private. */
typedef struct met_gateway_ticket {
    uint64_t private_[416];
} met_gateway_ticket;

/* Set struct_size; the rest is written by the library. Texts are borrowed
 * until the next call on the handle and are never NULL; a NUL follows each. */
typedef struct met_gateway_decision {
    size_t struct_size;
    uint32_t is_admitted;
    uint32_t status;  /* HTTP status of a refusal; 200 when admitted */
    uint32_t reason;  /* MET_GATEWAY_REASON_… */
    uint32_t failure; /* MET_GATEWAY_FAILURE_… */
    const char *reason_name; /* "USAGE_LIMIT_REACHED"; "" when admitted */
    const char *body;        /* JSON of a refusal: {"message":"…"} */
    size_t body_size;
    /* "Name: value\r\n" lines for the client: rate limits, Retry-After,
     * WWW-Authenticate. */
    const char *response_headers;
    size_t response_headers_size;
    /* Names of headers, "Name\r\n" lines, that must not go upstream as the
     * client sent them: those below, and with hide_credentials the key's. */
    const char *drop_headers;
    size_t drop_headers_size;
    /* "Name: value\r\n" lines to send upstream instead: X-Consumer-ID,
     * X-Consumer-Username, X-Credential-Identifier, X-Consumer-Groups, … */
    const char *upstream_headers;
    size_t upstream_headers_size;
    /* The query to send upstream: the request's own, or, when hide_credentials
     * is set, without every argument that could be a key. A form (key_in_body)
     * is the host's: it takes the key out by itself. */
    const char *upstream_query;
    size_t upstream_query_size;
    const char *consumer; /* username; empty when nobody is known */
    size_t consumer_size;
    const char *service; /* what was matched */
    size_t service_size;
    const char *route;
    size_t route_size;
    int64_t wait_ns; /* of a refusal: the same request may be admitted then;
                        0 = waiting is no use, or not known */
    met_gateway_ticket ticket; /* of an admitted request */
} met_gateway_decision;

/* What is decided of one request of a batch. Frozen for ever. */
typedef struct met_gateway_batch_result {
    met_error error;       /* as met_gateway_admit; then the rest is 0 */
    uint32_t is_admitted;
    uint32_t status;
    uint32_t reason;       /* MET_GATEWAY_REASON_… */
    uint32_t failure;      /* MET_GATEWAY_FAILURE_… */
    uint32_t reserved;
    int64_t wait_ns;
    met_gateway_ticket ticket;
} met_gateway_batch_result;

/* How a request ended. Zero means not known. */
typedef struct met_gateway_outcome {
    size_t struct_size;
    uint32_t status;          /* HTTP, of the answer to the client */
    uint32_t upstream_status; /* HTTP, of the upstream */
    uint64_t request_size_bytes;
    uint64_t response_size_bytes;
    uint64_t quantity; /* true value of what meters sum up, whatever they
                          call it; 0 = the cost given to admit */
    uint32_t flags;    /* MET_GATEWAY_NOT_SERVED */
    uint32_t reserved;
} met_gateway_outcome;

/**
 * Open a gateway on a store: compile the catalog for the request path when
 * that is needed, open the shared tables, claim a recorder.
 *
 * Files made when missing: DIR/gateway, DIR/limits-N.map, DIR/quota-N.map. The
 * handle keeps the store open by itself.
 *
 * @param store        open store
 * @param config       NULL for the defaults
 * @param gateway_out  written only on MET_OK; close with met_gateway_close
 * @param info         may be NULL
 * @return MET_OK · MET_E_INVALID · MET_E_UNSUPPORTED (an unknown flag or a
 *         field of a newer version) · MET_E_NO_MEMORY · MET_E_LIMIT (1,000
 *         recorders and gateways are live or wait to be settled, or entities
 *         beyond 2^31 bytes) ·
 *         MET_E_CONFLICT · MET_E_NOT_FOUND (a directory is gone) ·
 *         MET_E_FOREIGN · MET_E_LAYOUT · MET_E_CORRUPT · MET_E_DISK_FULL ·
 *         MET_E_MAP_FULL · MET_E_IO · MET_E_BUSY · MET_E_FORKED · MET_E_BUG
 * @blocks reads the whole catalog when it must be compiled (3 s of processor
 *         time for a million consumers, 330 bytes each; 16 s when each is a
 *         customer with a subscription, 29 s when DIR/quota-N.map is new, too),
 *         writes files
 * @thread any; the handle then belongs to one thread at a time
 * @fork open after the fork, in the process that uses it      @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_open(
    met_store *store, const met_gateway_config *config,
    met_gateway **gateway_out, met_error_info *info);

/**
 * Close a handle: what it counted stays and is settled. Complete or forget
 * tickets before; of a forgotten one the reservation ends by itself after two
 * slices of ten minutes.
 *
 * @param gateway  may be NULL
 * @blocks for file operations      @thread one
 * @fork in a forked child it only frees memory      @since 0.1
 */
MET_API void met_gateway_close(met_gateway *gateway);

/**
 * Decide one request: route, key, access list, rate limits, allowance.
 *
 * All windows and allowances count an admitted request, or none does; a
 * refused request changes nothing. When both a rate limit and an allowance
 * refuse, the rate limit is reported. The last unit of an allowance is never
 * given twice, whatever is killed. A new customer's first request is never
 * refused for being new. Every admitted request must be completed.
 *
 * A key that was revoked stops to work with the next request after the
 * catalog was compiled anew: see met_gateway_tick. A subscription that begins
 * or ends at an instant that was known then changes the limits of its plan at
 * that very instant.
 *
 * @param gateway       open gateway
 * @param request       borrowed during the call
 * @param decision_out  set its struct_size; valid only on MET_OK
 * @return MET_OK (admitted or not: see is_admitted) · MET_E_INVALID (a NULL
 *         with a size, a struct_size, a subject or groups of no clean UTF-8) ·
 *         MET_E_LIMIT (attributes beyond MET_GATEWAY_ATTRIBUTES_MAX or _BYTES,
 *         a cost beyond 10^12, a subject beyond 128 bytes, groups beyond
 *         MET_GATEWAY_GROUPS_BYTES) ·
 *         MET_E_UNSUPPORTED (a field of a newer version) · MET_E_NO_MEMORY ·
 *         MET_E_FORKED · MET_E_BUG; nothing is counted then
 * @alloc none, but for a new snapshot and for a query that is longer than
 *        2,600 bytes and than all before
 * @blocks never on a lock; the first call after the catalog was compiled anew
 *         maps a file and reads it once (40 ms for a million consumers),
 *         unless met_gateway_tick came before
 * @thread one at a time      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_admit(
    met_gateway *gateway, const met_gateway_request *request,
    met_gateway_decision *decision_out);

/**
 * Decide many requests that are alike but for their API keys, one after the
 * other, as met_gateway_admit would: one call where a call is dear. What a
 * decision says in words (headers, bodies) is left out.
 *
 * @param gateway      open gateway
 * @param common       all but the key; borrowed
 * @param keys         the keys, one behind the other; borrowed
 * @param key_offsets  count + 1 of them, not falling: key i is the bytes from
 *                     key_offsets[i] to key_offsets[i + 1]; empty: none
 * @param count        of requests, 0 (does nothing) to MET_GATEWAY_BATCH_MAX
 * @param results_out  count entries, all written on MET_OK
 * @return MET_OK (each has its own error and verdict) · MET_E_INVALID (NULL,
 *         or offsets that fall) · MET_E_LIMIT (count) · MET_E_UNSUPPORTED ·
 *         MET_E_FORKED; nothing is decided then
 * @alloc as met_gateway_admit      @blocks as met_gateway_admit
 * @thread one at a time      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_admit_batch(
    met_gateway *gateway, const met_gateway_request *common, const char *keys,
    const uint32_t *key_offsets, size_t count,
    met_gateway_batch_result *results_out);

/**
 * Count an admitted request: an event of type kong.api_request at the time of
 * admit, with the subject consumer:<id or username> and Kong's field names;
 * and settle its reservation.
 *
 * Every admitted request counts, whatever its status, unless the outcome says
 * MET_GATEWAY_NOT_SERVED. Call it before the last byte of the answer is handed
 * to the kernel: a kill may then leave one counted and unanswered request per
 * thread, never one answered and not counted. Without a subject (no consumer)
 * there is no event. A request that takes longer than 20 minutes may overshoot
 * the allowance by its own cost.
 *
 * @param gateway  open gateway
 * @param ticket   of an admitted request, of any handle of the same store; is
 *                 empty afterwards, whatever is returned but MET_E_INVALID and
 *                 MET_E_FORKED
 * @param outcome  NULL: nothing is known about it
 * @return MET_OK (counted, or nothing to count) · MET_E_INVALID (not a ticket
 *         of this store, completed already, or a number of the outcome has
 *         more than 15 digits) · MET_E_UNSUPPORTED · MET_E_LIMIT ·
 *         MET_E_OVERFLOW · MET_E_TALLY_FULL (settle: nothing was counted; the
 *         allowance is taken all the same) · MET_E_CORRUPT · MET_E_IO ·
 *         MET_E_FORKED · MET_E_BUG
 * @alloc none      @blocks never      @thread one at a time
 * @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_complete(
    met_gateway *gateway, met_gateway_ticket *ticket,
    const met_gateway_outcome *outcome);

/**
 * Housekeeping; call it about once a second from the handle's thread. Closes
 * minutes of the recorder, and when stored objects have changed compiles the
 * catalog anew (one handle of all does, at most once a second each).
 *
 * A change such as a revoked key is in force on every handle of every process
 * as soon as any handle of the store finished a tick that began at least one
 * second after that handle's previous compilation: with a tick a second
 * everywhere, two seconds and the time of one compilation.
 *
 * A file that was cut short since the last tick is opened anew, and the tick
 * says MET_E_CORRUPT once: limits begin empty then, and quotas with what is
 * settled, for which the tick settles first (fault.h).
 *
 * The limiter has room for 1,024 instances of rate-limiting at a time. Requests
 * that one without room holds to are a failure of the limiter; each tick then
 * says MET_E_LIMIT.
 *
 * @param gateway  open gateway
 * @return MET_OK · MET_E_NO_MEMORY · MET_E_LIMIT · MET_E_CONFLICT ·
 *         MET_E_NOT_FOUND · MET_E_FOREIGN · MET_E_LAYOUT · MET_E_CORRUPT ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_BUSY ·
 *         MET_E_TALLY_FULL · MET_E_INVALID · MET_E_FORKED · MET_E_BUG; the
 *         handle works on with what it has
 * @alloc yes when it compiles
 * @blocks reads the store: 50 µs when nothing changed, 3 s for a million
 *         consumers when something did, 16 s when each is a customer with a
 *         subscription (a thread of its own, with a handle of
 *         its own, keeps that off an event loop); a table of quotas that is
 *         made anew waits for the store's one writer
 * @thread one at a time      @fork no: MET_E_FORKED in a child
 * @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_tick(met_gateway *gateway);

/**
 * Counters of this handle as JSON: requests, admitted, refused {reason: n},
 * completed, not_served, failures {cause: n}, failed_open, without_subject,
 * keys {cached, verified, unknown}, snapshot {number, consumers, credentials,
 * routes, limits, limits_missing, mapped, compiled, refused}.
 *
 * @param gateway   open gateway
 * @param json_out  written only on MET_OK
 * @param info      may be NULL
 * @return MET_OK · MET_E_INVALID · MET_E_NO_MEMORY · MET_E_IO (the store is
 *         over) · MET_E_FORKED · MET_E_BUG
 * @owner json_out with met_buffer_release
 * @blocks never      @thread one at a time
 * @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_stats(met_gateway *gateway,
                                                  met_buffer *json_out,
                                                  met_error_info *info);

/**
 * Stored entities of one kind, by name: {"items": [...]}. Keys of credentials
 * are never shown: they are not stored.
 *
 * @param store     open store
 * @param kind      "service", "route", "consumer", "consumer_group" or
 *                  "plugin"
 * @param json_out  written only on MET_OK
 * @param info      may be NULL
 * @return MET_OK · MET_E_INVALID (no such kind) · MET_E_NO_MEMORY · MET_E_BUSY
 *         (too many readers) · MET_E_IO · MET_E_MAP_FULL · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG
 * @owner json_out with met_buffer_release
 * @blocks reads the store      @thread any
 * @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_entity_list(
    met_store *store, const char *kind, size_t kind_size,
    met_buffer *json_out, met_error_info *info);

/**
 * One stored entity.
 *
 * @param store     open store
 * @param kind      as for met_gateway_entity_list
 * @param name      a service's or route's name, a consumer's username, a
 *                  plugin's name with its scope: "acl service=example_service",
 *                  "rate-limiting plan=premium"
 * @param json_out  written only on MET_OK
 * @param info      may be NULL
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_NO_MEMORY ·
 *         MET_E_BUSY (too many readers) · MET_E_IO · MET_E_MAP_FULL ·
 *         MET_E_CORRUPT · MET_E_FORKED · MET_E_BUG
 * @owner json_out with met_buffer_release
 * @blocks reads the store      @thread any
 * @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_entity_get(
    met_store *store, const char *kind, size_t kind_size, const char *name,
    size_t name_size, met_buffer *json_out, met_error_info *info);

/**
 * Remove an entity: a consumer with its keys and groups; a service, route,
 * consumer or consumer group with the plugins that are scoped to it.
 *
 * @param store  open store
 * @param kind   as for met_gateway_entity_list
 * @param name   as for met_gateway_entity_get
 * @param info   may be NULL
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND · MET_E_CONFLICT (a service
 *         that has routes, an anonymous consumer in use) · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is removed then
 * @blocks waits for the store's one writer and for the disk      @thread any
 * @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_gateway_entity_remove(
    met_store *store, const char *kind, size_t kind_size, const char *name,
    size_t name_size, met_error_info *info);

/**
 * Give a consumer another API key in place of one. The old one works on for
 * the grace that is asked for, or is revoked at once; both as fast as any
 * change of the catalog is in force (met_gateway_tick), but for the end of a
 * grace, which holds to the second. Keys of the consumer whose time is over are
 * removed.
 *
 * Who names the id and asks twice changes nothing the second time: with a key
 * of its own it gets the same answer, and else MET_E_CONFLICT, because a key
 * that was made here is told once and stored nowhere. A declarative document
 * says which keys there are, also after a rotation.
 *
 * @param store     open store
 * @param consumer  username or id, not necessarily NUL-terminated
 * @param json      {"id"? (of the credential; needed when several keys are in
 *                  force), "key"? (1 to 512 bytes; else one of 256 random bits
 *                  is made), "grace_seconds"? (0 to 10^8; 0: revoked at once),
 *                  "ttl"? (of the new one, seconds, 0: none; else that of the
 *                  old one), "reason", "actor"}
 * @param json_out  {"consumer", "key"? (when it was made), "credential": {"id",
 *                  "ttl"?, "created_at", "replaces"}, "old_credential"? (while
 *                  its grace lasts)}
 * @param info      may be NULL
 * @return MET_OK · MET_E_INVALID · MET_E_NOT_FOUND (consumer, credential) ·
 *         MET_E_CONFLICT (rotated already; the key is somebody's) ·
 *         MET_E_LIMIT (64 keys in force) · MET_E_NO_MEMORY ·
 *         MET_E_DISK_FULL · MET_E_MAP_FULL · MET_E_IO · MET_E_CORRUPT ·
 *         MET_E_FORKED · MET_E_BUG; nothing is stored then
 * @units  seconds
 * @owner  caller keeps json; json_out with met_buffer_release
 * @blocks waits for the store's one writer and for the disk
 * @thread any      @fork no: MET_E_FORKED in a child      @since 0.1
 */
MET_API MET_NODISCARD met_error met_credential_rotate(
    met_store *store, const char *consumer, size_t consumer_size,
    const char *json, size_t json_size, met_buffer *json_out,
    met_error_info *info);

MET_END_DECLS

#endif
