/* A snapshot: everything the request path knows, in one file that is mapped
 * and never changed. Fixed-size records in sections; texts and lists are
 * offsets into sections. Nothing in it is trusted: sections are bounded when
 * it is opened, each reference when it is followed.
 *
 * File: 4,096 bytes of met__file_header, met__snapshot_directory, sections.
 * Numbers of records are 32 bits; MET__NONE is none. */
#ifndef MET_GATEWAY_SNAPSHOT_H
#define MET_GATEWAY_SNAPSHOT_H

#include "base/hash.h"
#include "base/mapped_file.h"
#include "entitlement/access.h"
#include "gateway/credential.h"
#include "gateway/key_auth.h"

#define MET__SNAPSHOT_MAGIC "METSNAP1"
#define MET__SNAPSHOT_LAYOUT 6u /* in the names of files, too */
#define MET__SNAPSHOT_SIZE_MAX (UINT64_C(1) << 31)
#define MET__NONE UINT32_MAX

enum {
    MET__SECTION_TEXT, /* bytes */
    MET__SECTION_SERVICE,
    MET__SECTION_ROUTE,
    MET__SECTION_PATH,
    MET__SECTION_CONSUMER,
    MET__SECTION_CREDENTIAL,
    MET__SECTION_CREDENTIAL_SLOT, /* u32: credential + 1, 0 = free */
    MET__SECTION_GROUP,           /* u32: numbers of groups, in lists */
    MET__SECTION_KEY_AUTH,
    MET__SECTION_ACL,
    MET__SECTION_LIMIT,
    MET__SECTION_SCOPE,
    MET__SECTION_FEATURE,
    MET__SECTION_FILTER,
    MET__SECTION_ROW,
    MET__SECTION_CONSUMER_SLOT, /* u32: consumer + 1, 0 = free */
    MET__SECTION_COUNT
};

typedef struct met__ref { /* a text */
    uint32_t offset;
    uint32_t size;
} met__ref;

typedef struct met__range { /* records of a section */
    uint32_t first;
    uint32_t count;
} met__range;

/* Plugins by number; their records are in sections of their own. */
enum {
    MET__PLUGIN_KEY_AUTH,
    MET__PLUGIN_ACL,
    MET__PLUGIN_LIMIT,
    MET__PLUGIN_COUNT
};

/* Which plugins hold for a service or a route, when no consumer has something
 * narrower, and how narrow they are. */
typedef struct met__snapshot_plugins {
    uint32_t record[MET__PLUGIN_COUNT]; /* or none */
    uint32_t rank[MET__PLUGIN_COUNT];   /* MET__RANK_* */
} met__snapshot_plugins;

/* Sorted by name, as are routes. */
typedef struct met__snapshot_service {
    met__ref name;
    met__ref id;
    met__ref protocol;
    met__ref port; /* as text */
    met__snapshot_plugins plugins;
    uint32_t is_enabled;
    uint32_t reserved;
} met__snapshot_service;

typedef struct met__snapshot_route {
    met__ref name;
    met__ref id;
    uint32_t service; /* or none */
    uint32_t reserved;
    met__snapshot_plugins plugins;
} met__snapshot_route;

/* Sorted by path, then method. parent: last record of the longest other path
 * that this one begins with. */
typedef struct met__snapshot_path {
    met__ref path;
    met__ref method; /* empty: any */
    uint32_t route;
    uint32_t parent;
} met__snapshot_path;

typedef struct met__snapshot_consumer {
    met__ref username;
    met__ref id;
    met__ref subject;
    met__ref headers;       /* "X-Consumer-…" lines for the upstream */
    met__ref groups_header; /* "X-Consumer-Groups: a, b\r\n" */
    met__range groups;
    met__range scopes; /* limits of this consumer */
    met__range rows;   /* its allowances */
    uint32_t has_customer;
    uint32_t reserved;
} met__snapshot_consumer;

typedef struct met__snapshot_credential {
    met__credential_hash hash;
    met__ref header; /* "X-Credential-Identifier: ID\r\n" */
    int64_t expires_at_ns; /* 0 = never */
    uint32_t consumer;
    uint32_t reserved;
} met__snapshot_credential;

typedef struct met__snapshot_key_auth {
    uint32_t flags; /* MET__KEY_* */
    uint32_t name_count;
    met__ref names[MET__KEY_NAMES_MAX];
    met__ref challenge;    /* "WWW-Authenticate: …\r\n" */
    met__ref drop;         /* header names that must not go upstream */
    uint32_t anonymous;    /* consumer; none = refuse */
    uint32_t is_anonymous; /* 1 with anonymous none: it does not exist */
    met__ref missing_body; /* the answer then */
} met__snapshot_key_auth;

/* Never sent upstream as the client sent them. */
#define MET__DROP_ALWAYS                                       \
    "X-Consumer-ID\r\nX-Consumer-Custom-ID\r\n"                \
    "X-Consumer-Username\r\nX-Credential-Identifier\r\n"       \
    "X-Anonymous-Consumer\r\nX-Consumer-Groups\r\n"            \
    "X-Authenticated-Groups\r\n"

typedef struct met__snapshot_acl {
    uint32_t is_deny_list;
    uint32_t always_authenticated;
    uint32_t hide_header;
    uint32_t reserved;
    met__range groups;
    met__ref names; /* the same as texts, each with a '\n' behind it */
} met__snapshot_acl;

typedef struct met__snapshot_window {
    int64_t window_ns;
    uint64_t limit;
} met__snapshot_window;

typedef struct met__snapshot_limit {
    met__ref id; /* name of the policy in the limiter's table */
    met__ref header_name;
    met__ref path;
    met__ref body; /* of a refusal */
    uint16_t by;   /* MET__LIMIT_BY_* */
    uint16_t algorithm; /* MET_LIMITER_*; 0: sliding */
    uint32_t hide_headers;
    uint32_t status;
    uint32_t window_count;
    met__snapshot_window windows[MET__WINDOWS_MAX];
} met__snapshot_limit;

/* Kong's order of precedence, best first; a plan comes before a group. */
enum {
    MET__RANK_ROUTE_SERVICE_CONSUMER = 1,
    MET__RANK_ROUTE_SERVICE_PLAN,
    MET__RANK_ROUTE_SERVICE_GROUP,
    MET__RANK_ROUTE_CONSUMER,
    MET__RANK_SERVICE_CONSUMER,
    MET__RANK_ROUTE_PLAN,
    MET__RANK_SERVICE_PLAN,
    MET__RANK_ROUTE_GROUP,
    MET__RANK_SERVICE_GROUP,
    MET__RANK_ROUTE_SERVICE,
    MET__RANK_CONSUMER,
    MET__RANK_PLAN,
    MET__RANK_GROUP,
    MET__RANK_ROUTE,
    MET__RANK_SERVICE,
    MET__RANK_GLOBAL,
    MET__RANK_NONE
};

/* Beside the ranks: limits that hold in addition to the one that precedence
 * picks. Those of all consumers are the first records of their section. */
enum { MET__RANK_ADDITIVE = 1000, MET__RANK_ADDITIVE_ALL = 1001 };

typedef struct met__snapshot_scope {
    uint32_t service; /* none = any */
    uint32_t route;   /* none = any */
    uint32_t limit;
    uint32_t rank;
    int64_t from_ns; /* holds [from, to): while the plan is subscribed to */
    int64_t to_ns;
} met__snapshot_scope;

/* A feature. One that counts no kong.api_request events has a filter that holds
 * for no request. */
typedef struct met__snapshot_feature {
    met__ref key;
    met__ref value_attribute; /* of a sum; empty: counts events */
    met__range filters;       /* all must hold */
    uint32_t aggregation;     /* MET__AGGREGATION_* */
    uint32_t in_service;      /* 0: archived, only rows name it */
} met__snapshot_feature;

typedef struct met__snapshot_filter {
    uint32_t attribute; /* MET__ATTRIBUTE_*; none: holds for no request */
    uint32_t reserved;
    met__ref name; /* of MET__ATTRIBUTE_CUSTOM */
    met__ref condition; /* as meter/usage_condition.h packs it */
} met__snapshot_filter;

typedef struct met__snapshot_row {
    met__quota_row row;
    /* When it was compiled, as met__quota_row_period tells; limit and taken are
     * of it. Empty when the row was not in force. */
    met__period period;
    uint64_t number;
    int64_t limit;
    int64_t taken;
    uint32_t feature;
    uint32_t reserved;
} met__snapshot_row;

/* Attributes of an event that the gateway knows, by number. */
enum {
    MET__ATTRIBUTE_SERVICE_NAME,
    MET__ATTRIBUTE_SERVICE_ID,
    MET__ATTRIBUTE_SERVICE_PROTOCOL,
    MET__ATTRIBUTE_SERVICE_PORT,
    MET__ATTRIBUTE_ROUTE_NAME,
    MET__ATTRIBUTE_ROUTE_ID,
    MET__ATTRIBUTE_REQUEST_METHOD,
    MET__ATTRIBUTE_REQUEST_HOST,
    MET__ATTRIBUTE_REQUEST_URI,
    MET__ATTRIBUTE_REQUEST_USER_AGENT,
    MET__ATTRIBUTE_CLIENT_IP,
    MET__ATTRIBUTE_RESPONSE_STATUS, /* known at complete only, as all after */
    MET__ATTRIBUTE_UPSTREAM_STATUS,
    MET__ATTRIBUTE_CUSTOM,
    /* Of filters; in events they are among the custom ones. */
    MET__ATTRIBUTE_REQUEST_SIZE, /* known at complete only */
    MET__ATTRIBUTE_RESPONSE_SIZE
};

static inline int met__attribute_is_of_outcome(uint32_t number)
{
    return number == MET__ATTRIBUTE_RESPONSE_STATUS
           || number == MET__ATTRIBUTE_UPSTREAM_STATUS
           || number == MET__ATTRIBUTE_REQUEST_SIZE
           || number == MET__ATTRIBUTE_RESPONSE_SIZE;
}

/* Names by number, without the custom ones. */
extern const char *const met__attribute_names[MET__ATTRIBUTE_CUSTOM];

typedef struct met__snapshot_section {
    uint64_t offset; /* of the file, a multiple of 8 */
    uint64_t count;
} met__snapshot_section;

typedef struct met__snapshot_directory {
    uint64_t checksum; /* of all that follows in the file */
    uint64_t number;   /* the N of its name: see snapshot_files.h */
    int64_t made_at_ns;
    met__snapshot_plugins global; /* for a catalog without services */
    met__snapshot_section sections[MET__SECTION_COUNT];
} met__snapshot_directory;

/* An open one: bounds are private copies. */
typedef struct met__snapshot {
    met__mapped_file file;
    uint64_t number;
    met__snapshot_plugins global;
    const unsigned char *data[MET__SECTION_COUNT];
    uint32_t count[MET__SECTION_COUNT];
    uint32_t reserved;
} met__snapshot;

size_t met__snapshot_record_size(uint32_t section);
/* Checks header, checksum and bounds of every section.
 * MET_E_NOT_FOUND · MET_E_CORRUPT · MET_E_LAYOUT · MET_E_FOREIGN · … */
met_error met__snapshot_open(const met__platform *platform, const char *path,
                             const uint8_t store_id[16],
                             met__snapshot *snapshot_out,
                             met_error_info *info);
void met__snapshot_close(const met__platform *platform,
                         met__snapshot *snapshot);

/* Record `index` of a section, NULL when there is none. */
static inline const void *met__snapshot_at(const met__snapshot *snapshot,
                                           uint32_t section, uint32_t index,
                                           size_t size)
{
    return index < snapshot->count[section]
               ? snapshot->data[section] + (size_t)index * size
               : NULL;
}

#define MET__SNAPSHOT_READER(noun, section)                              \
    static inline const met__snapshot_##noun *met__snapshot_##noun##_at( \
        const met__snapshot *snapshot, uint32_t index)                   \
    {                                                                    \
        return met__snapshot_at(snapshot, section, index,                \
                                sizeof(met__snapshot_##noun));           \
    }
MET__SNAPSHOT_READER(service, MET__SECTION_SERVICE)
MET__SNAPSHOT_READER(route, MET__SECTION_ROUTE)
MET__SNAPSHOT_READER(path, MET__SECTION_PATH)
MET__SNAPSHOT_READER(consumer, MET__SECTION_CONSUMER)
MET__SNAPSHOT_READER(credential, MET__SECTION_CREDENTIAL)
MET__SNAPSHOT_READER(key_auth, MET__SECTION_KEY_AUTH)
MET__SNAPSHOT_READER(acl, MET__SECTION_ACL)
MET__SNAPSHOT_READER(limit, MET__SECTION_LIMIT)
MET__SNAPSHOT_READER(scope, MET__SECTION_SCOPE)
MET__SNAPSHOT_READER(feature, MET__SECTION_FEATURE)
MET__SNAPSHOT_READER(filter, MET__SECTION_FILTER)
MET__SNAPSHOT_READER(row, MET__SECTION_ROW)
#undef MET__SNAPSHOT_READER

/* "" when it points outside. */
static inline met__text met__snapshot_text(const met__snapshot *snapshot,
                                           met__ref ref)
{
    uint32_t room = snapshot->count[MET__SECTION_TEXT];

    if (ref.offset > room || ref.size > room - ref.offset) {
        return (met__text){"", 0};
    }
    return (met__text){
        (const char *)snapshot->data[MET__SECTION_TEXT] + ref.offset,
        ref.size};
}

#define MET__CREDENTIAL_HEADER "X-Credential-Identifier: "

/* What its header line says. */
static inline met__text
met__snapshot_credential_id(const met__snapshot *snapshot,
                            const met__snapshot_credential *credential)
{
    enum { BEFORE = sizeof MET__CREDENTIAL_HEADER - 1, BEHIND = 2 };
    met__text line = met__snapshot_text(snapshot, credential->header);

    return line.size > BEFORE + BEHIND
               ? (met__text){line.data + BEFORE,
                             line.size - BEFORE - BEHIND}
               : (met__text){"", 0};
}

/* The part of a range that is there. */
static inline met__range met__snapshot_range(const met__snapshot *snapshot,
                                             uint32_t section,
                                             met__range range)
{
    uint32_t count = snapshot->count[section];

    if (range.first > count) {
        return (met__range){0, 0};
    }
    if (range.count > count - range.first) {
        range.count = count - range.first;
    }
    return range;
}

/* Whether two lists of group numbers have one in common. */
int met__snapshot_groups_overlap(const met__snapshot *snapshot, met__range a,
                                 met__range b);
/* By name, or by username and its hash; MET__NONE when there is none. */
uint32_t met__snapshot_service_find(const met__snapshot *snapshot,
                                    met__text name);
uint32_t met__snapshot_route_find(const met__snapshot *snapshot,
                                  met__text name);
uint32_t met__snapshot_consumer_find(const met__snapshot *snapshot,
                                     met__text username, uint64_t hash);
/* The route with the longest path that `path` begins with and that takes the
 * method; of equal paths the one that names the method. */
uint32_t met__snapshot_route_match(const met__snapshot *snapshot,
                                   met__text path, met__text method);
/* Where the slots of a table begin: of a store, nobody can choose names that
 * come together. */
static inline uint64_t met__snapshot_name_hash(const met__secret *secret,
                                               met__text name)
{
    return met__hash64(secret, name.data, name.size);
}
/* Asks for the memory that finding it will read: the slot, then the record that
 * the slot names. */
void met__snapshot_credential_fetch(const met__snapshot *snapshot,
                                    const met__credential_hash *hash);
void met__snapshot_credential_fetch_record(const met__snapshot *snapshot,
                                           const met__credential_hash *hash);
/* By the hash of a key. */
uint32_t met__snapshot_credential_find(const met__snapshot *snapshot,
                                       const met__credential_hash *hash);

#endif
