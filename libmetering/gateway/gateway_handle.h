/* One gateway handle: the mapped snapshot, the shared tables, a recorder, and
 * the space its answers are written into. gateway_handle.c opens and keeps it,
 * admit.c and complete.c use it. One thread at a time. */
#ifndef MET_GATEWAY_GATEWAY_HANDLE_H
#define MET_GATEWAY_GATEWAY_HANDLE_H

#include "base/wall_clock.h"
#include "gateway/snapshot_files.h"
#include "limit/limiter.h"
#include "limit/limiter_lines.h"
#include "meter/recorder.h"

#define MET__REASONS (MET_GATEWAY_REASON_NO_CREDIT_AVAILABLE + 1)
#define MET__FAILURES (MET_GATEWAY_FAILURE_CONFIG + 1)
#define MET__RESPONSE_HEADERS_SIZE (MET_LIMITER_HEADERS_SIZE + 1024)

/* Beside the bits of attributes that have a number. */
#define MET__WANTS_REQUEST_SIZE (UINT32_C(1) << 30)
#define MET__WANTS_RESPONSE_SIZE (UINT32_C(1) << 31)

typedef struct met__gateway_counters {
    uint64_t requests;
    uint64_t admitted;
    uint64_t refused[MET__REASONS];
    uint64_t completed;
    uint64_t not_served;
    uint64_t failures[MET__FAILURES];
    uint64_t failed_open;
    uint64_t without_subject;
    uint64_t keys_cached;   /* known from the cache */
    uint64_t keys_verified; /* hashed and found */
    uint64_t keys_unknown;
    uint64_t mapped;   /* snapshots */
    uint64_t unmapped; /* that could not be used: the older one serves on */
} met__gateway_counters;

/* Shapes of events that were counted, each at a place that the mark of its
 * ticket names: most requests are like one before. */
#define MET__SEEN_EVENTS 512u
typedef struct met__seen_event {
    met__hash128 mark;
    met__seen_shape shape;
} met__seen_event;

/* What the event of every request of a route says of route and service, as the
 * ticket has it; at the place that the route's number names. */
#define MET__ROUTE_EVENTS 16u
#define MET__ROUTE_EVENT_SIZE 232u
typedef struct met__route_event {
    uint64_t plan; /* of the meters whose wishes these are */
    uint32_t generation; /* of the snapshot; 0: nobody's */
    uint32_t route;
    uint32_t service;
    uint16_t count; /* of attributes */
    uint16_t size;
    unsigned char bytes[MET__ROUTE_EVENT_SIZE];
} met__route_event;

/* What a route that was found by a request's path comes to; at the place that
 * its number names. Texts lie in the snapshot. */
#define MET__KNOWN_ROUTES 16u
typedef struct met__known_route {
    uint32_t generation; /* of the snapshot; 0: nobody's */
    uint32_t route;
    uint32_t service;
    uint32_t reserved;
    const met__snapshot_plugins *plugins;
    const met__snapshot_key_auth *auth; /* NULL: keys are not asked for */
    met__text name;
    met__text service_name;
    met__text drop; /* headers that must not go upstream */
} met__known_route;

/* What the event says of a key on a route, when nothing in it is of the
 * request: the ticket's texts, and the mark of them. */
#define MET__KNOWN_EVENT_SIZE 104u
typedef struct met__known_event {
    uint64_t plan; /* of the meters whose wishes these are */
    met__hash128 mark;
    uint16_t is_known;
    uint16_t subject_size;
    uint16_t count; /* of attributes */
    uint16_t size;
    unsigned char bytes[MET__KNOWN_EVENT_SIZE];
} met__known_event;

/* What a key comes to on a route: the same for all its requests, as long as the
 * snapshot is this one and the time is in [from, to): expiries and plans begin
 * and end. Of keys that come again, at the place that their number and the
 * route's name. Texts lie in the snapshot. */
#define MET__KNOWN_KEYS 2048u
typedef struct met__known_key {
    uint32_t generation; /* of the snapshot; 0: nobody's */
    uint32_t credential;
    uint32_t service;
    uint32_t route;
    int64_t from_ns;
    int64_t to_ns;
    uint32_t consumer;
    uint32_t header; /* MET__ACL_HEADER_* */
    met__text lines; /* for the upstream; empty: to be put together */
    met__text username;
    met__text subject;
    met__range rows;
    uint64_t quota_place;  /* of the first row's cell, or 0 */
    uint32_t limit;        /* or none */
    uint32_t has_additive; /* limits beside it */
    met__text limit_name;  /* whom it counts; empty: the request tells */
    uint32_t limit_kind;
    uint32_t policy; /* limit_key is of it; none: of none yet */
    met__limiter_key limit_key;
    met__known_event event;
} met__known_key;

/* Header lines of limits, at the place that their number names. */
#define MET__KNOWN_LINES 16u

struct met_gateway {
    met_store *store; /* a reference of its own */
    const met__platform *platform;
    uint64_t store_mark; /* of tickets */
    uint64_t flags;
    uint64_t limiter_capacity; /* as it was asked for */
    uint32_t fork_generation;
    uint32_t fail_policy;
    uint32_t header_style;
    uint32_t generation; /* grows with every snapshot that is mapped, and with
                            every other table of windows */
    met__wall_clock wall_clock;
    met__snapshot_files files;
    met__snapshot snapshot;
    uint32_t has_snapshot;
    uint32_t is_tally_full; /* since the last tick */
    uint64_t refused_number; /* of the snapshot that could not be used */
    uint32_t is_damaged;     /* because of what is in it */
    uint32_t without_policy; /* limits that the limiter has no room for */
    int64_t compiled_ns;     /* monotonic, of the last look at the catalog */
    uint32_t *policies; /* beside the snapshot's limits; none: not to be had */
    uint32_t policy_count;
    uint32_t value_count;
    uint32_t reserved;
    uint32_t wanted;     /* bits: MET__ATTRIBUTE_*, MET__WANTS_* */
    uint64_t value_plan; /* whose wishes these are: what meters sum up */
    uint32_t has_quantities; /* any meter does */
    uint32_t reserved_quantities;
    met__text values[MET__QUANTITIES_MAX];
    char value_texts[MET__QUANTITIES_MAX][MET__ATTRIBUTE_SIZE_MAX];
    met_limiter *limiter;
    met__quota_table *quota;
    met_recorder *recorder;
    met__credential_cache *cache;
    char *upstream; /* header lines for the upstream */
    size_t upstream_room;
    met__buffer query; /* without the key */
    const met__snapshot_key_auth *key_names_of; /* whose names these are */
    uint32_t key_names_generation;
    uint32_t reserved_names;
    met__key_auth key_names;
    char scratch[MET_GATEWAY_KEY_SIZE_MAX + 1];
    char response[MET__RESPONSE_HEADERS_SIZE];
    met__gateway_counters counters;
    met__seen_event seen[MET__SEEN_EVENTS];
    met__lines lines[MET__KNOWN_LINES];
    met__known_route known_routes[MET__KNOWN_ROUTES];
    met__route_event route_events[MET__ROUTE_EVENTS];
    met__known_key known_keys[MET__KNOWN_KEYS];
};

/* Arguments were checked by the caller. Errors as the public calls. */
met_error met__gateway_open(met_store *store,
                            const met_gateway_config *config,
                            met_gateway **gateway_out, met_error_info *info);
void met__gateway_close(met_gateway *gateway);
met_error met__gateway_tick(met_gateway *gateway);
met_error met__gateway_describe(met_gateway *gateway, met__arena *arena,
                                met__node **node_out);
met_error met__gateway_admit(met_gateway *gateway,
                             const met_gateway_request *request,
                             met_gateway_decision *decision);
met_error met__gateway_admit_batch(met_gateway *gateway,
                                   const met_gateway_request *common,
                                   const char *keys,
                                   const uint32_t *key_offsets, size_t count,
                                   met_gateway_batch_result *results);
met_error met__gateway_complete(met_gateway *gateway,
                                met_gateway_ticket *ticket,
                                const met_gateway_outcome *outcome);

/* Maps the snapshot in force when it is another one. What cannot be used is
 * counted, and the one at hand serves on. */
met_error met__gateway_follow(met_gateway *gateway);

/* The same after what is mapped was cut short. */
void met__gateway_follow_anew(met_gateway *gateway);
/* Opens anew what was cut short. MET_E_CORRUPT: something was, and is whole
 * again; any other error: what is cut is still in use, and says so. */
met_error met__gateway_mend(met_gateway *gateway);
met_error met__gateway_open_limiter(const met_gateway *gateway,
                                    met_limiter **limiter_out,
                                    met_error_info *info);

/* Looks what the recorder's meters want of events, when they are others. */
void met__gateway_follow_meters(met_gateway *gateway);

/* Sets the policy of a limit once more when somebody has removed it, and gives
 * its number; none: the catalog at hand is not the newest. */
uint32_t met__gateway_policy_again(met_gateway *gateway, uint32_t index);

/* Of the table of windows; NULL when memory is out. */
char *met__gateway_limits_path(const met_store *store, met__arena *arena);

/* Sets all of them, in a table that is new. */
void met__gateway_policies_again(met_gateway *gateway);

/* The reason's name in answers and reports; "" for none. */
const char *met__gateway_reason_name(uint32_t reason);

#endif
