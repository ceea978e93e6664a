/* Who asks for what: the route of a request, the consumer behind its key, and
 * whether its groups are let in. In: a snapshot and a request. Out: records, or
 * the answer 401, 403, 404. */
#include "gateway/acl.h"
#include "gateway/admission.h"

#define NO_ROUTE "{\"message\":\"no Route matched with those values\"}"
#define NO_KEY "{\"message\":\"No API key found in request\"}"
#define DUPLICATE_KEY "{\"message\":\"Duplicate API key found\"}"
#define UNAUTHORIZED "{\"message\":\"Unauthorized\"}"
#define NOT_ALLOWED "{\"message\":\"You cannot consume this service\"}"

/* --- Route ---------------------------------------------------------------- */
static int no_route(met__admission *admission)
{
    return met__refuse(admission, 404, MET_GATEWAY_REASON_NO_ROUTE,
                       MET__TEXT(NO_ROUTE));
}

/* Whether the catalog has neither services nor routes: then the host knows
 * them, and only what is global holds. */
static int is_without_routes(const met__snapshot *snapshot)
{
    return snapshot->count[MET__SECTION_SERVICE] == 0
           && snapshot->count[MET__SECTION_ROUTE] == 0;
}

/* The service, and what both are called; 0: the answer is 404. */
static int find_service(met__admission *admission,
                        const met__snapshot_route *found)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met_gateway_request *request = admission->request;
    met_gateway_decision *decision = admission->decision;
    met__text service = {request->service, request->service_size};

    admission->service = service.size > 0
                             ? met__snapshot_service_find(snapshot, service)
                             : found->service;
    const met__snapshot_service *owner =
        met__snapshot_service_at(snapshot, admission->service);
    if ((service.size > 0
         && (owner == NULL
             || (found != NULL && found->service != admission->service)))
        || (owner != NULL && !owner->is_enabled)) {
        return no_route(admission);
    }
    if (found != NULL) {
        met__text name = met__snapshot_text(snapshot, found->name);
        decision->route = name.data;
        decision->route_size = name.size;
    }
    if (owner != NULL) {
        met__text name = met__snapshot_text(snapshot, owner->name);
        decision->service = name.data;
        decision->service_size = name.size;
    }
    admission->plugins = found != NULL ? &found->plugins : &owner->plugins;
    return 1;
}

static void find_auth(met__admission *admission)
{
    met_gateway_decision *decision = admission->decision;
    met__text drop = MET__TEXT(MET__DROP_ALWAYS);

    admission->auth = met__snapshot_key_auth_at(
        admission->snapshot,
        admission->plugins->record[MET__PLUGIN_KEY_AUTH]);
    if (admission->auth != NULL) {
        drop = met__snapshot_text(admission->snapshot, admission->auth->drop);
    }
    decision->drop_headers = drop.data;
    decision->drop_headers_size = drop.size;
}

static int find_route(met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met_gateway_request *request = admission->request;

    if (is_without_routes(snapshot)) {
        admission->plugins = &snapshot->global;
        find_auth(admission);
        return 1;
    }
    const met__snapshot_route *found =
        met__snapshot_route_at(snapshot, admission->route);
    if (found == NULL
        && (request->route_size > 0 || request->service_size == 0)) {
        return no_route(admission);
    }
    if (!find_service(admission, found)) {
        return 0;
    }
    find_auth(admission);
    return 1;
}

/* Of a route that a path has led to, all of it is known. */
static void as_known_route(met__admission *admission,
                           const met__known_route *known)
{
    met_gateway_decision *decision = admission->decision;

    admission->service = known->service;
    admission->plugins = known->plugins;
    admission->auth = known->auth;
    decision->route = known->name.data;
    decision->route_size = known->name.size;
    decision->service = known->service_name.data;
    decision->service_size = known->service_name.size;
    decision->drop_headers = known->drop.data;
    decision->drop_headers_size = known->drop.size;
}

static void learn_route(const met__admission *admission,
                        met__known_route *known)
{
    const met_gateway_decision *decision = admission->decision;

    *known = (met__known_route){
        .generation = admission->gateway->generation,
        .route = admission->route,
        .service = admission->service,
        .plugins = admission->plugins,
        .auth = admission->auth,
        .name = met__text_of(decision->route, decision->route_size),
        .service_name = met__text_of(decision->service,
                                     decision->service_size),
        .drop = met__text_of(decision->drop_headers,
                             decision->drop_headers_size)};
}

int met__admit_route(met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met_gateway_request *request = admission->request;
    met_gateway *gateway = admission->gateway;

    if (request->route_size > 0) {
        admission->route = met__snapshot_route_find(
            snapshot, met__text_of(request->route, request->route_size));
        return find_route(admission);
    }
    if (request->service_size > 0) {
        return find_route(admission);
    }
    admission->route = met__snapshot_route_match(
        snapshot, met__text_of(request->path, request->path_size),
        met__text_of(request->method, request->method_size));
    met__known_route *known =
        &gateway->known_routes[admission->route % MET__KNOWN_ROUTES];
    if (known->generation == gateway->generation
        && known->route == admission->route) {
        as_known_route(admission, known);
        return 1;
    }
    int is_found = find_route(admission);
    if (is_found) {
        learn_route(admission, known);
    }
    return is_found;
}

/* --- Key ------------------------------------------------------------------ */
uint32_t met__admit_found_key(met_gateway *gateway, met__credential_tag tag,
                              uint32_t found)
{
    if (found == MET__NONE) {
        found = MET__CREDENTIAL_UNKNOWN;
        gateway->counters.keys_unknown++;
    } else {
        gateway->counters.keys_verified++;
    }
    met__credential_cache_put(gateway->cache, gateway->generation, tag,
                              found);
    return found;
}

/* The credential of a key, or none. Unknown keys cost the same work. */
static uint32_t find_credential(met__admission *admission, met__text key)
{
    met_gateway *gateway = admission->gateway;

    if (key.size > MET_GATEWAY_KEY_SIZE_MAX) {
        gateway->counters.keys_unknown++;
        return MET__NONE;
    }
    met__credential_tag tag = met__credential_cache_tag(gateway->cache, key);
    uint32_t found = met__credential_cache_get(gateway->cache,
                                               gateway->generation, tag);
    if (found == MET__CREDENTIAL_MISS) {
        met__credential_hash hash;
        met__credential_hash_of(met__store_credential_key(gateway->store),
                                key, &hash);
        found = met__admit_found_key(
            gateway, tag,
            met__snapshot_credential_find(&gateway->snapshot, &hash));
    } else {
        admission->is_again = !admission->is_first;
        gateway->counters.keys_cached++;
    }
    return found == MET__CREDENTIAL_UNKNOWN ? MET__NONE : found;
}

/* Nobody, or the consumer that stands for all who are nobody. */
static int without_key(met__admission *admission,
                       const met__snapshot_key_auth *auth, uint32_t reason,
                       met__text body)
{
    met__text challenge = met__snapshot_text(admission->snapshot,
                                             auth->challenge);

    if (auth->is_anonymous) {
        admission->is_anonymous = 1;
        admission->consumer = auth->anonymous;
        if (met__snapshot_consumer_at(admission->snapshot, auth->anonymous)
            != NULL) {
            return 1;
        }
        admission->decision->failure = MET_GATEWAY_FAILURE_CONFIG;
        admission->gateway->counters.failures[MET_GATEWAY_FAILURE_CONFIG]++;
        return met__refuse(admission, 500, MET_GATEWAY_REASON_FAILURE,
                           met__snapshot_text(admission->snapshot,
                                              auth->missing_body));
    }
    admission->decision->response_headers = challenge.data;
    admission->decision->response_headers_size = challenge.size;
    return met__refuse(admission, 401, reason, body);
}

static int with_key(met__admission *admission,
                    const met__snapshot_key_auth *auth, met__text key)
{
    uint32_t number = find_credential(admission, key);

    if (admission->is_again && met__admit_know(admission, number)) {
        return 1;
    }
    const met__snapshot_credential *credential =
        met__snapshot_credential_at(admission->snapshot, number);

    if (credential == NULL
        || (credential->expires_at_ns != 0
            && admission->utc_ns >= credential->expires_at_ns)) {
        return without_key(admission, auth, MET_GATEWAY_REASON_BAD_KEY,
                           MET__TEXT(UNAUTHORIZED));
    }
    admission->credential = number;
    admission->consumer = credential->consumer;
    return 1;
}

/* Names of keys: those of the request before are mostly those of this one. */
static const met__key_auth *read_names(met__admission *admission,
                                       const met__snapshot_key_auth *auth)
{
    met_gateway *gateway = admission->gateway;
    const met__snapshot *snapshot = admission->snapshot;
    met__key_auth *names = &gateway->key_names;

    if (gateway->key_names_of == auth
        && gateway->key_names_generation == gateway->generation) {
        return names;
    }
    gateway->key_names_of = auth;
    gateway->key_names_generation = gateway->generation;
    names->flags = auth->flags;
    names->name_count = auth->name_count < MET__KEY_NAMES_MAX
                            ? auth->name_count
                            : MET__KEY_NAMES_MAX;
    for (uint32_t i = 0; i < names->name_count; i++) {
        names->names[i] = met__snapshot_text(snapshot, auth->names[i]);
    }
    return names;
}

/* The host knows who it is. */
static void with_subject(met__admission *admission)
{
    static const char prefix[] = "consumer:";
    enum { PREFIX = sizeof prefix - 1 };
    const met_gateway_request *request = admission->request;

    if (request->subject_size > PREFIX
        && memcmp(request->subject, prefix, PREFIX) == 0) {
        met__text name = {request->subject + PREFIX,
                          request->subject_size - PREFIX};
        admission->consumer = met__snapshot_consumer_find(
            admission->snapshot, name,
            met__snapshot_name_hash(
                met__store_secret(admission->gateway->store), name));
    }
}

int met__admit_key(met__admission *admission)
{
    const met__snapshot_key_auth *auth = admission->auth;
    met__key_place place;

    if (auth == NULL || admission->request->subject_size > 0) {
        with_subject(admission);
        return 1;
    }
    if (admission->request->key_size > 0) {
        return with_key(admission, auth,
                        met__text_of(admission->request->key,
                                     admission->request->key_size));
    }
    uint32_t found = met__key_auth_find(read_names(admission, auth),
                                        admission->request,
                                        admission->gateway->scratch, &place);
    if (found == MET__KEY_NOT_NEEDED) {
        admission->is_preflight = 1;
        return 1;
    }
    if (found == MET__KEY_FOUND) {
        return with_key(admission, auth, place.key);
    }
    return found == MET__KEY_DUPLICATE
               ? without_key(admission, auth,
                             MET_GATEWAY_REASON_DUPLICATE_KEY,
                             MET__TEXT(DUPLICATE_KEY))
               : without_key(admission, auth, MET_GATEWAY_REASON_NO_KEY,
                             MET__TEXT(NO_KEY));
}

/* Every argument that could hold a key is hidden, also when another place was
 * the one that decided. */
met_error met__admit_query(met__admission *admission)
{
    met_gateway_decision *decision = admission->decision;
    met__buffer *out = &admission->gateway->query;
    met__text query = {admission->request->query,
                       admission->request->query_size};
    const met__snapshot_key_auth *auth = admission->auth;

    if (query.size == 0) {
        return MET_OK;
    }
    out->size = 0;
    out->error = MET_OK;
    if (auth != NULL && (auth->flags & MET__KEY_HIDE) != 0) {
        met__key_auth_hide(read_names(admission, auth), query, out);
    } else {
        met__buffer_append_quick(out, query.data, query.size);
    }
    if (out->size > 0 && out->error == MET_OK) {
        decision->upstream_query = out->data;
        decision->upstream_query_size = out->size;
    }
    return out->error;
}

/* --- Groups --------------------------------------------------------------- */
static void add_lines(met_gateway *gateway, size_t *size, met__text text)
{
    /* make_room has counted everything that is ever added. */
    if (text.size < gateway->upstream_room - *size) {
        memcpy(gateway->upstream + *size, text.data, text.size);
        *size += text.size;
        gateway->upstream[*size] = '\0';
    }
}

/* The next name of a list with commas; 0 at the end. */
static int next_name(met__text list, size_t *at, met__text *name_out)
{
    while (*at < list.size) {
        const char *start = list.data + *at;
        const char *comma = memchr(start, ',', list.size - *at);
        size_t size = comma != NULL ? (size_t)(comma - start)
                                    : list.size - *at;
        *at += size + (comma != NULL);
        for (; size > 0 && *start == ' '; size--) {
            start++;
        }
        for (; size > 0 && start[size - 1] == ' '; size--) {
        }
        if (size > 0) {
            *name_out = met__text_of(start, size);
            return 1;
        }
    }
    return 0;
}

/* Whether a name is among lines. */
static int has_line(met__text lines, met__text name)
{
    size_t at = 0;

    while (at < lines.size) {
        const char *end = memchr(lines.data + at, '\n', lines.size - at);
        size_t size = end != NULL ? (size_t)(end - lines.data) - at
                                  : lines.size - at;
        if (met__text_equal(met__text_of(lines.data + at, size), name)) {
            return 1;
        }
        at += size + 1;
    }
    return 0;
}

static met__text given_groups(const met__admission *admission)
{
    return (met__text){admission->request->groups,
                       admission->request->groups_size};
}

static int given_groups_overlap(const met__admission *admission,
                                const met__snapshot_acl *acl)
{
    met__text lines = met__snapshot_text(admission->snapshot, acl->names);
    met__text name;
    size_t at = 0;

    while (next_name(given_groups(admission), &at, &name)) {
        if (has_line(lines, name)) {
            return 1;
        }
    }
    return 0;
}

static void add_given_groups(const met__admission *admission, size_t *size)
{
    met_gateway *gateway = admission->gateway;
    met__text name;
    size_t at = 0;

    add_lines(gateway, size, MET__TEXT("X-Authenticated-Groups: "));
    for (int i = 0; next_name(given_groups(admission), &at, &name); i++) {
        add_lines(gateway, size, i > 0 ? MET__TEXT(", ") : MET__TEXT(""));
        add_lines(gateway, size, name);
    }
    add_lines(gateway, size, MET__TEXT("\r\n"));
}

/* The lines of consumer, credential and groups when they lie one behind the
 * other, as they are compiled for a consumer's first key; else empty. */
static met__text lines_together(const met__snapshot *snapshot,
                                const met__snapshot_consumer *consumer,
                                const met__snapshot_credential *credential)
{
    met__ref all = consumer->headers;
    met__ref groups = consumer->groups_header;

    if (credential == NULL
        || credential->header.offset != all.offset + all.size
        || groups.offset
               != credential->header.offset + credential->header.size) {
        return (met__text){"", 0};
    }
    all.size += credential->header.size + groups.size;
    return met__snapshot_text(snapshot, all);
}

/* The same put together, MET__ACL_HEADER_*. */
static void put_lines(met__admission *admission, uint32_t header,
                      const met__snapshot_consumer *consumer,
                      const met__snapshot_credential *credential)
{
    met_gateway *gateway = admission->gateway;
    const met__snapshot *snapshot = admission->snapshot;
    size_t size = 0;

    if (header == MET__ACL_HEADER_AUTHENTICATED) {
        add_given_groups(admission, &size);
    }
    if (consumer != NULL) {
        add_lines(gateway, &size,
                  met__snapshot_text(snapshot, consumer->headers));
        if (credential != NULL) {
            add_lines(gateway, &size,
                      met__snapshot_text(snapshot, credential->header));
        } else if (admission->is_anonymous) {
            add_lines(gateway, &size,
                      MET__TEXT("X-Anonymous-Consumer: true\r\n"));
        }
        if (header == MET__ACL_HEADER_CONSUMER) {
            add_lines(gateway, &size,
                      met__snapshot_text(snapshot, consumer->groups_header));
        }
    }
    admission->decision->upstream_headers = gateway->upstream;
    admission->decision->upstream_headers_size = size;
}

void met__admit_tell(met__admission *admission, uint32_t header)
{
    met_gateway_decision *decision = admission->decision;
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, admission->consumer);
    const met__snapshot_credential *credential =
        met__snapshot_credential_at(snapshot, admission->credential);

    if (consumer != NULL) {
        met__text name = met__snapshot_text(snapshot, consumer->username);
        decision->consumer = name.data;
        decision->consumer_size = name.size;
        if (header == MET__ACL_HEADER_CONSUMER) {
            met__text lines = lines_together(snapshot, consumer, credential);
            decision->upstream_headers = lines.data;
            decision->upstream_headers_size = lines.size;
            if (lines.size > 0) {
                return;
            }
        }
    }
    if (consumer != NULL || header == MET__ACL_HEADER_AUTHENTICATED) {
        put_lines(admission, header, consumer, credential);
    }
}

int met__admit_groups(met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, admission->consumer);
    const met__snapshot_acl *acl = met__snapshot_acl_at(
        snapshot, admission->plugins->record[MET__PLUGIN_ACL]);

    admission->header = MET__ACL_HEADER_NONE;
    if (acl == NULL) {
        met__admit_tell(admission, MET__ACL_HEADER_NONE);
        return 1;
    }
    met__range groups = consumer != NULL ? consumer->groups
                                         : (met__range){0, 0};
    met__acl_input input = {
        .is_deny_list = acl->is_deny_list,
        .always_authenticated = acl->always_authenticated,
        .has_consumer = consumer != NULL,
        .has_credential = admission->credential != MET__NONE
                          || admission->request->subject_size > 0,
        .has_groups = groups.count > 0,
        .groups_overlap = (uint32_t)met__snapshot_groups_overlap(
            snapshot, groups, acl->groups),
        .has_authenticated = admission->request->groups != NULL};
    if (input.has_authenticated) {
        input.authenticated_overlap =
            (uint32_t)given_groups_overlap(admission, acl);
    }
    met__acl_result result = met__acl_decide(&input);
    if (!acl->hide_header) {
        admission->header = result.header;
    }
    met__admit_tell(admission, admission->header);
    if (result.status == 200) {
        return 1;
    }
    return met__refuse(admission, result.status,
                       MET_GATEWAY_REASON_NOT_ALLOWED,
                       result.status == 403 ? MET__TEXT(NOT_ALLOWED)
                                            : MET__TEXT(UNAUTHORIZED));
}
