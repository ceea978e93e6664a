/* Rate limits of one request: which limit holds, whom it counts, whether there
 * is room. One instance holds, the one with the narrowest scope; and those that
 * are additive hold beside it.
 * In: a snapshot and a request. Out: the limiter's answer, as headers. */
#include "gateway/admission.h"
#include "gateway/plugin_config.h"

#define ADDITIVE_MAX 8 /* of one request */

/* --- Which limit ---------------------------------------------------------- */
static int is_of(const met__admission *admission,
                 const met__snapshot_scope *scope)
{
    return (scope->service == MET__NONE
            || scope->service == admission->service)
           && (scope->route == MET__NONE || scope->route == admission->route)
           && admission->utc_ns >= scope->from_ns
           && admission->utc_ns < scope->to_ns;
}

uint32_t met__admit_limit_of(const met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_plugins *plugins = admission->plugins;
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, admission->consumer);

    if (consumer != NULL) {
        met__range scopes = met__snapshot_range(snapshot, MET__SECTION_SCOPE,
                                                consumer->scopes);
        for (uint32_t i = 0; i < scopes.count; i++) { /* best rank first */
            const met__snapshot_scope *scope =
                met__snapshot_scope_at(snapshot, scopes.first + i);
            if (scope->rank < plugins->rank[MET__PLUGIN_LIMIT]
                && is_of(admission, scope)) {
                return scope->limit;
            }
        }
    }
    return plugins->record[MET__PLUGIN_LIMIT];
}

/* --- Whom it counts ------------------------------------------------------- */
/* A subject that the host gives is no consumer's id, even if it reads so. */
#define BY_SUBJECT (MET__LIMIT_BY_PATH + 1)

static int same_header(met__text a, const char *name, size_t size)
{
    if (a.size != size) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        char x = a.data[i];
        char y = name[i];
        x = (char)(x >= 'A' && x <= 'Z' ? x + 32 : x);
        y = (char)(y >= 'A' && y <= 'Z' ? y + 32 : y);
        if (x != y) {
            return 0;
        }
    }
    return 1;
}

static met__text header_value(const met_gateway_request *request,
                              met__text name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const met_pair *header = &request->headers[i];
        if (same_header(name, header->key, header->key_size)) {
            return met__text_of(header->value, header->value_size);
        }
    }
    return met__text_of(NULL, 0);
}

met__text met__admit_identity(const met__admission *admission,
                              const met__snapshot_limit *limit,
                              uint32_t *kind)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met_gateway_request *request = admission->request;
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, admission->consumer);
    const met__snapshot_credential *credential =
        met__snapshot_credential_at(snapshot, admission->credential);
    const met__snapshot_service *service =
        met__snapshot_service_at(snapshot, admission->service);
    met__text none = {NULL, 0};
    met__text path = {request->path, request->path_size};

    *kind = limit->by;
    switch (limit->by) {
    case MET__LIMIT_BY_CONSUMER:
        if (consumer != NULL) {
            return met__snapshot_text(snapshot, consumer->id);
        }
        if (request->subject_size > 0) {
            *kind = BY_SUBJECT;
            return met__text_of(request->subject, request->subject_size);
        }
        *kind = MET__LIMIT_BY_CREDENTIAL;
        return credential != NULL
                   ? met__snapshot_credential_id(snapshot, credential)
                   : none;
    case MET__LIMIT_BY_CREDENTIAL:
        return credential != NULL
                   ? met__snapshot_credential_id(snapshot, credential)
                   : none;
    case MET__LIMIT_BY_SERVICE:
        return service != NULL ? met__snapshot_text(snapshot, service->id)
                               : none;
    case MET__LIMIT_BY_HEADER:
        return header_value(request,
                            met__snapshot_text(snapshot,
                                               limit->header_name));
    case MET__LIMIT_BY_PATH:
        return met__text_equal(path, met__snapshot_text(snapshot, limit->path))
                   ? path
                   : none;
    default:
        return none;
    }
}

/* A client of IPv6 has a network of addresses: they are one client. What is no
 * address is taken as it is. */
static met__text address_key(met__admission *admission)
{
    const met_gateway_request *request = admission->request;
    met_limiter_identity identity = {
        .kind = MET__LIMIT_BY_IP,
        .form = MET_LIMITER_FORM_ADDRESS,
        .value = request->client_ip,
        .value_size = request->client_ip_size,
        .prefix_v4 = 32,
        .prefix_v6 = 64};
    size_t size = 0;

    return met__limiter_key_build(&identity, admission->address_key,
                                  sizeof admission->address_key, &size, NULL)
                   == MET_OK
               ? met__text_of(admission->address_key, size)
               : met__text_of(request->client_ip, request->client_ip_size);
}

static inline met_limiter_request request_of(const met__admission *admission,
                                             uint32_t policy, uint32_t kind,
                                             met__text key)
{
    return (met_limiter_request){.struct_size = sizeof(met_limiter_request),
                                 .policy = policy,
                                 .kind = kind,
                                 .key = key.data,
                                 .key_size = key.size,
                                 .cost = admission->cost,
                                 .monotonic_ns = admission->monotonic_ns,
                                 .utc_ns = admission->utc_ns};
}

static void ask_of(met__admission *admission, uint32_t policy, uint32_t kind,
                   met__text key)
{
    admission->limit_request = request_of(admission, policy, kind, key);
    admission->has_room = 0;
    admission->limit_key = NULL;
}

/* Every miss goes by the client's address: nobody is exempt. */
static void fill_request(met__admission *admission,
                         const met__snapshot_limit *limit, uint32_t policy)
{
    uint32_t kind;
    met__text key = met__admit_identity(admission, limit, &kind);

    if (key.size == 0) {
        kind = MET__LIMIT_BY_IP;
        key = address_key(admission);
    }
    ask_of(admission, policy, kind, key);
}

/* The same of what is known. */
static void fill_known(met__admission *admission, met__known_key *known,
                       const met__snapshot_limit *limit, uint32_t policy)
{
    if (known->limit_name.size == 0) {
        fill_request(admission, limit, policy);
        return;
    }
    ask_of(admission, policy, known->limit_kind, known->limit_name);
    if (known->policy != policy) {
        met__limiter_key_of(admission->gateway->limiter,
                            &admission->limit_request, &known->limit_key);
        known->policy = policy;
    }
    admission->limit_key = &known->limit_key;
}

static uint32_t policy_of(const met__admission *admission, uint32_t limit)
{
    const met_gateway *gateway = admission->gateway;

    return limit < gateway->policy_count ? gateway->policies[limit]
                                         : MET__NONE;
}

int met__admit_limit_request(const met__admission *admission,
                             met_limiter_request *request_out)
{
    uint32_t number = met__admit_limit_of(admission);
    uint32_t policy = policy_of(admission, number);
    const met__snapshot_limit *limit =
        met__snapshot_limit_at(admission->snapshot, number);
    uint32_t kind;

    if (limit == NULL || policy == MET__NONE) {
        return 0;
    }
    met__text key = met__admit_identity(admission, limit, &kind);
    *request_out = request_of(admission, policy, kind, key);
    return key.size > 0;
}

/* --- Deciding ------------------------------------------------------------- */
static int refuse(met__admission *admission)
{
    const met__snapshot_limit *limit =
        met__snapshot_limit_at(admission->snapshot, admission->limit);
    int is_never =
        admission->limit_result.reason == MET_LIMITER_REASON_NEVER;

    admission->decision->wait_ns = is_never
                                           || admission->limit_result.wait_ns
                                                  < 0
                                       ? 0
                                       : admission->limit_result.wait_ns;
    return met__refuse(admission, limit->status >= 400 ? limit->status : 429,
                       is_never ? MET_GATEWAY_REASON_COST_NEVER
                                : MET_GATEWAY_REASON_RATE_LIMITED,
                       met__snapshot_text(admission->snapshot, limit->body));
}

/* 1: the limiter's failure is forgiven, and nothing is counted. */
static int failed(met__admission *admission)
{
    admission->limit = MET__NONE;
    return met__admission_failed(admission, MET_GATEWAY_FAILURE_LIMITER);
}

/* is_peek: without counting. */
static met_error call(met__admission *admission, int is_peek)
{
    met_limiter *limiter = admission->gateway->limiter;
    const met_limiter_request *request = &admission->limit_request;
    met_limiter_result *result = &admission->limit_result;

    if (is_peek) {
        return met__limiter_peek(limiter, request, result);
    }
    return admission->has_room
               ? met__limiter_check_room(&admission->room, request, result)
               : met__limiter_check_key(limiter, request,
                                        admission->limit_key, result);
}

/* 1: the limiter has answered; 0: nothing holds the request, or *status_out is
 * what its failure means. A policy that another process has removed is one of a
 * catalog that is older or newer than ours: of a newer one, the limit is gone
 * and we shall know in a moment; else it is set again. */
static int ask(met__admission *admission, int is_peek, int *status_out)
{
    met_limiter_request *request = &admission->limit_request;
    met_error error = call(admission, is_peek);

    *status_out = 1;
    admission->has_room = 0;
    if (error == MET_E_NOT_FOUND) {
        admission->limit_key = NULL;
        request->policy = met__gateway_policy_again(admission->gateway,
                                                    admission->limit);
        if (request->policy == MET__NONE) {
            admission->limit = MET__NONE;
            return 0;
        }
        error = call(admission, is_peek);
    }
    if (error != MET_OK) {
        *status_out = failed(admission);
        return 0;
    }
    return 1;
}

static int has_rows(const met__admission *admission)
{
    const met__snapshot_consumer *consumer;

    if (admission->known != NULL) {
        return admission->known->rows.count > 0;
    }
    consumer = met__snapshot_consumer_at(admission->snapshot,
                                         admission->consumer);
    return consumer != NULL && consumer->rows.count > 0;
}

int met__admit_peek(met__admission *admission)
{
    int status;
    met_gateway *gateway = admission->gateway;
    met__known_key *known = admission->known;

    admission->limit = known != NULL ? known->limit
                                     : met__admit_limit_of(admission);
    const met__snapshot_limit *limit =
        met__snapshot_limit_at(admission->snapshot, admission->limit);
    if (limit == NULL) {
        admission->limit = MET__NONE;
        return 1;
    }
    uint32_t policy = policy_of(admission, admission->limit);
    if (policy == MET__NONE) {
        return failed(admission);
    }
    if (known != NULL) {
        fill_known(admission, known, limit, policy);
    } else {
        fill_request(admission, limit, policy);
    }
    if (!has_rows(admission)
        && admission->request->feature_size == 0
        && (gateway->flags & MET_GATEWAY_REQUIRE_ENTITLEMENT) == 0) {
        return 1; /* nothing to reserve between looking and counting */
    }
    /* When it has room, the times of the windows are asked when it counts. */
    admission->limit_request.flags = MET_LIMITER_BRIEF;
    if (met__limiter_has_room(gateway->limiter, &admission->limit_request,
                              admission->limit_key, &admission->room)) {
        admission->has_room = 1;
        return 1;
    }
    if (!ask(admission, 1, &status)) {
        return status;
    }
    if (admission->limit_result.is_allowed) {
        return 1;
    }
    admission->limit_request.flags = 0;
    if (!ask(admission, 1, &status)) {
        return status;
    }
    return admission->limit_result.is_allowed ? 1 : refuse(admission);
}

/* flags: of the limiter's request. */
static int count_main(met__admission *admission, uint32_t flags)
{
    int status;

    if (admission->limit == MET__NONE) {
        return 1;
    }
    /* Kong's lines tell of one window when it ends. */
    admission->limit_request.flags =
        admission->gateway->header_style == MET_GATEWAY_HEADERS_IETF
            ? flags
            : flags | MET__LIMITER_REPORTED;
    if (!ask(admission, 0, &status)) {
        return status;
    }
    return admission->limit_result.is_allowed ? 1 : refuse(admission);
}

/* --- Beside it ------------------------------------------------------------ */
/* What has been counted so far, and which of it is nearest to its end. */
typedef struct counted {
    met_limiter_ticket tickets[ADDITIVE_MAX + 1];
    uint32_t count;
    uint32_t limit; /* whose result is told */
    met_limiter_result result;
} counted;

static void keep(met__admission *admission, counted *all)
{
    const met_limiter_result *result = &admission->limit_result;

    if (admission->limit == MET__NONE) {
        return;
    }
    if (all->count == 0
        || (result->window_count > 0 && all->result.window_count > 0
            && result->windows[result->reported].remaining
                   < all->result.windows[all->result.reported].remaining)) {
        all->limit = admission->limit;
        all->result = *result;
    }
    all->tickets[all->count++] = result->ticket;
}

/* All count, or none does: what was counted is given back. */
static void give_back(const met__admission *admission, counted *all)
{
    uint32_t withheld;

    for (uint32_t i = 0; i < all->count; i++) {
        (void)!met__limiter_refund(admission->gateway->limiter,
                                   &all->tickets[i], 0, &withheld);
    }
}

static int count_one(met__admission *admission, uint32_t limit, counted *all)
{
    const met__snapshot_limit *record =
        met__snapshot_limit_at(admission->snapshot, limit);

    if (record == NULL) {
        return 1;
    }
    uint32_t policy = policy_of(admission, limit);
    admission->limit = limit;
    if (policy == MET__NONE || all->count > ADDITIVE_MAX) {
        return failed(admission);
    }
    fill_request(admission, record, policy);
    int is_counted = count_main(admission, 0);
    if (is_counted) {
        keep(admission, all);
    }
    return is_counted;
}

/* The limits that are there in addition: of everybody, then of the consumer,
 * whose are the last of its own. */
static int count_additive(met__admission *admission, counted *all)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, admission->consumer);
    const met__snapshot_scope *scope;

    for (uint32_t i = 0;
         (scope = met__snapshot_scope_at(snapshot, i)) != NULL
         && scope->rank == MET__RANK_ADDITIVE_ALL;
         i++) {
        if (is_of(admission, scope)
            && !count_one(admission, scope->limit, all)) {
            return 0;
        }
    }
    met__range own = met__snapshot_range(
        snapshot, MET__SECTION_SCOPE,
        consumer != NULL ? consumer->scopes : (met__range){0, 0});
    for (uint32_t i = own.count; i > 0; i--) {
        scope = met__snapshot_scope_at(snapshot, own.first + i - 1);
        if (scope->rank != MET__RANK_ADDITIVE) {
            break;
        }
        if (is_of(admission, scope)
            && !count_one(admission, scope->limit, all)) {
            return 0;
        }
    }
    return 1;
}

int met__admit_has_additive(const met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, admission->consumer);
    const met__snapshot_scope *first = met__snapshot_scope_at(snapshot, 0);
    const met__snapshot_scope *last =
        consumer != NULL && consumer->scopes.count > 0
            ? met__snapshot_scope_at(snapshot, consumer->scopes.first
                                                   + consumer->scopes.count
                                                   - 1)
            : NULL;

    return (first != NULL && first->rank == MET__RANK_ADDITIVE_ALL)
           || (last != NULL && last->rank == MET__RANK_ADDITIVE);
}

int met__admit_count(met__admission *admission)
{
    if (admission->known != NULL ? !admission->known->has_additive
                                 : !met__admit_has_additive(admission)) {
        return count_main(admission, MET__LIMITER_NO_TICKET);
    }
    counted all;
    all.count = 0;
    all.limit = MET__NONE;
    if (!count_main(admission, 0)) {
        return 0;
    }
    keep(admission, &all);
    if (!count_additive(admission, &all)) {
        give_back(admission, &all);
        return 0;
    }
    admission->limit = all.limit;
    if (all.limit != MET__NONE) {
        admission->limit_result = all.result;
    }
    return 1;
}

/* --- Telling -------------------------------------------------------------- */
void met__admit_limit_headers(met__admission *admission)
{
    met_gateway *gateway = admission->gateway;
    met_gateway_decision *decision = admission->decision;
    const met__snapshot_limit *limit =
        met__snapshot_limit_at(admission->snapshot, admission->limit);
    met_limiter_headers_options options = {
        .styles = gateway->header_style == MET_GATEWAY_HEADERS_IETF
                      ? MET_LIMITER_HEADERS_IETF
                      : MET_LIMITER_HEADERS_KONG};
    size_t size = 0;
    met__text lines = {NULL, 0};

    if (limit == NULL || limit->hide_headers
        || gateway->header_style == MET_GATEWAY_HEADERS_NONE) {
        return;
    }
    if ((admission->limit_request.flags & MET_LIMITER_BRIEF) != 0) {
        /* An allowance has refused; without times there are still counts. */
        admission->limit_request.flags = 0;
        (void)!met__limiter_peek(gateway->limiter, &admission->limit_request,
                                 &admission->limit_result);
    }
    if (admission->limit_result.window_count == 0) {
        return;
    }
    if (options.styles == MET_LIMITER_HEADERS_KONG) {
        lines = met__lines_write(
            &gateway->lines[admission->limit % MET__KNOWN_LINES],
            &admission->limit_result);
    }
    if (lines.size == 0
        && met__limiter_headers(&admission->limit_result, &options,
                                gateway->response, sizeof gateway->response,
                                &size)
               == MET_OK) {
        lines = met__text_of(gateway->response, size);
    }
    if (lines.size > 0) {
        decision->response_headers = lines.data;
        decision->response_headers_size = lines.size;
    }
}
