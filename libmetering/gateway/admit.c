/* Deciding one request: route, key, groups, limits, allowances, in Kong's
 * order, so that who is not let in consumes nothing. Windows are looked at
 * first, then allowances are reserved, then the windows count: when one of
 * them is full after all, what was reserved goes back exactly.
 * In: a request. Out: a decision, and a ticket of what was taken. */
#include "base/fork_guard.h"
#include "gateway/admission.h"

#define COST_MAX UINT64_C(1000000000000)

/* --- Saying no ------------------------------------------------------------ */
int met__refuse(met__admission *admission, uint32_t status, uint32_t reason,
                met__text body)
{
    met_gateway_decision *decision = admission->decision;

    decision->is_admitted = 0;
    decision->status = status;
    decision->reason = reason;
    decision->reason_name = met__gateway_reason_name(reason);
    decision->body = body.data;
    decision->body_size = body.size;
    admission->gateway->counters.refused[reason]++;
    return 0;
}

int met__admission_failed(met__admission *admission, uint32_t failure)
{
    met_gateway *gateway = admission->gateway;

    admission->decision->failure = failure;
    gateway->counters.failures[failure]++;
    if (gateway->fail_policy == MET_GATEWAY_FAIL_OPEN) {
        return 1;
    }
    return met__refuse(admission, 503, MET_GATEWAY_REASON_FAILURE,
                       MET__TEXT("{\"message\":\"An unexpected error "
                                 "occurred\"}"));
}

/* --- Checking the request ------------------------------------------------- */
static int is_text(const char *text, size_t size)
{
    return text != NULL || size == 0;
}

static int is_clean(const char *text, size_t size)
{
    return size == 0 || met__text_is_clean(met__text_of(text, size));
}

static int are_pairs(const met_pair *pairs, size_t count)
{
    if (pairs == NULL && count > 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_text(pairs[i].key, pairs[i].key_size)
            || !is_text(pairs[i].value, pairs[i].value_size)) {
            return 0;
        }
    }
    return 1;
}

static met_error check(const met_gateway_request *request)
{
    size_t bytes = 0;
    int is_valid = is_text(request->service, request->service_size)
                   && is_text(request->route, request->route_size)
                   && is_text(request->method, request->method_size)
                   && is_text(request->path, request->path_size)
                   && is_text(request->query, request->query_size)
                   && is_text(request->form, request->form_size)
                   && is_text(request->host, request->host_size)
                   && is_text(request->user_agent, request->user_agent_size)
                   && is_text(request->client_ip, request->client_ip_size)
                   && are_pairs(request->headers, request->header_count)
                   && is_text(request->subject, request->subject_size)
                   && is_text(request->key, request->key_size)
                   && is_text(request->groups, request->groups_size)
                   && is_text(request->feature, request->feature_size)
                   && is_text(request->json, request->json_size)
                   && request->utc_ns >= 0 && request->utc_ns <= MET__TIME_MAX
                   && request->monotonic_ns >= 0;

    if (!is_valid) {
        return MET_E_INVALID;
    }
    if (request->attribute_count > MET_GATEWAY_ATTRIBUTES_MAX
        || request->cost > COST_MAX
        || request->subject_size > MET__SUBJECT_SIZE_MAX
        || request->groups_size > MET_GATEWAY_GROUPS_BYTES) {
        return MET_E_LIMIT;
    }
    if (!is_clean(request->subject, request->subject_size)
        || !is_clean(request->groups, request->groups_size)) {
        return MET_E_INVALID;
    }
    if (!are_pairs(request->attributes, request->attribute_count)) {
        return MET_E_INVALID;
    }
    for (size_t i = 0; i < request->attribute_count; i++) {
        const met_pair *pair = &request->attributes[i];
        if (pair->key_size > MET__ATTRIBUTE_SIZE_MAX
            || pair->value_size > MET_GATEWAY_ATTRIBUTE_BYTES) {
            return MET_E_LIMIT;
        }
        bytes += pair->key_size + pair->value_size;
    }
    return bytes > MET_GATEWAY_ATTRIBUTE_BYTES ? MET_E_LIMIT : MET_OK;
}

/* --- The answer ----------------------------------------------------------- */
/* Everything but struct_size and the ticket's bytes. */
static void clear(met_gateway_decision *decision, met__ticket *ticket)
{
    decision->is_admitted = 0;
    decision->status = 200;
    decision->reason = MET_GATEWAY_REASON_NONE;
    decision->failure = MET_GATEWAY_FAILURE_NONE;
    decision->reason_name = "";
    decision->body = "";
    decision->body_size = 0;
    decision->response_headers = "";
    decision->response_headers_size = 0;
    decision->drop_headers = "";
    decision->drop_headers_size = 0;
    decision->upstream_headers = "";
    decision->upstream_headers_size = 0;
    decision->upstream_query = "";
    decision->upstream_query_size = 0;
    decision->consumer = "";
    decision->consumer_size = 0;
    decision->service = "";
    decision->service_size = 0;
    decision->route = "";
    decision->route_size = 0;
    decision->wait_ns = 0;
    ticket->magic = 0;
    ticket->quota_count = 0;
    ticket->subject_size = 0;
    ticket->text_size = 0;
    ticket->attribute_count = 0;
    ticket->mark = (met__hash128){0, 0};
    ticket->filter_bytes = 0;
}

static void begin(met__admission *admission, met_gateway *gateway,
                  const met_gateway_request *request,
                  met_gateway_decision *decision)
{
    const met__platform *platform = gateway->platform;

    admission->gateway = gateway;
    admission->snapshot = &gateway->snapshot;
    admission->request = request;
    admission->decision = decision;
    admission->ticket = (met__ticket *)(void *)&decision->ticket;
    admission->utc_ns = request->utc_ns;
    admission->monotonic_ns = request->monotonic_ns;
    if (admission->monotonic_ns == 0) {
        admission->monotonic_ns = met__now_monotonic_ns(platform);
        if (admission->utc_ns == 0) {
            admission->utc_ns = met__wall_clock_ns(
                &gateway->wall_clock, platform, admission->monotonic_ns);
        }
    } else if (admission->utc_ns == 0) {
        admission->utc_ns = met__now_utc_ns(platform);
    }
    admission->cost = request->cost ? request->cost : 1;
    admission->plugins = NULL;
    admission->service = MET__NONE;
    admission->route = MET__NONE;
    admission->consumer = MET__NONE;
    admission->credential = MET__NONE;
    admission->is_anonymous = 0;
    admission->is_again = 0;
    admission->known = NULL;
    admission->is_preflight = 0;
    admission->limit = MET__NONE;
    admission->limit_result.window_count = 0;
    clear(decision, admission->ticket);
    admission->ticket->store_mark = gateway->store_mark;
    admission->ticket->utc_ns = admission->utc_ns;
    admission->ticket->cost = admission->cost;
}

/* Nothing is known of anybody: the snapshot was cut short. What a client may
 * never say is kept back all the same. */
static met_error decide_blindly(met__admission *admission)
{
    met_gateway *gateway = admission->gateway;

    admission->auth = NULL;
    met_error error = met__admit_query(admission);
    if (error != MET_OK) {
        return error;
    }
    admission->decision->drop_headers = MET__DROP_ALWAYS;
    admission->decision->drop_headers_size = sizeof MET__DROP_ALWAYS - 1;
    if (met__admission_failed(admission, MET_GATEWAY_FAILURE_SNAPSHOT)) {
        admission->ticket->magic = MET__TICKET_MAGIC;
        admission->decision->is_admitted = 1;
        gateway->counters.admitted++;
        gateway->counters.failed_open++;
    }
    return MET_OK;
}

/* Whether groups let the request in; 0 = decided. */
static inline int let_in(met__admission *admission)
{
    if (admission->known != NULL) {
        met__admit_as_known(admission);
        return 1;
    }
    met__admit_fetch(admission);
    if (!met__admit_groups(admission)) {
        return 0;
    }
    met__admit_fetch_quota(admission);
    if (admission->is_again) {
        met__admit_learn(admission);
    }
    return 1;
}

/* MET_E_NO_MEMORY: nothing is decided, and nothing has changed. */
static met_error decide(met__admission *admission)
{
    met_gateway *gateway = admission->gateway;

    if (met__gateway_follow(gateway) != MET_OK) {
        /* The snapshot at hand serves on: it is whole, only not the newest. */
        gateway->counters.failures[MET_GATEWAY_FAILURE_SNAPSHOT]++;
        admission->decision->failure = MET_GATEWAY_FAILURE_SNAPSHOT;
    }
    if (met__mapped_file_is_lost(&gateway->snapshot.file)) {
        return decide_blindly(admission);
    }
    if (gateway->is_tally_full
        && !met__admission_failed(admission, MET_GATEWAY_FAILURE_TALLY)) {
        return MET_OK;
    }
    if (!met__admit_route(admission)) {
        return MET_OK;
    }
    /* Also of who is refused: the host may write it into a log. */
    met_error error = met__admit_query(admission);
    if (error != MET_OK || !met__admit_key(admission)) {
        return error;
    }
    if (!let_in(admission) || !met__admit_peek(admission)) {
        return MET_OK;
    }
    if (!met__admit_reserve(admission) || !met__admit_count(admission)) {
        met__ticket_release(gateway, admission->ticket);
        return MET_OK;
    }
    met__admit_event(admission);
    admission->ticket->magic = MET__TICKET_MAGIC;
    admission->decision->is_admitted = 1;
    gateway->counters.admitted++;
    if (admission->decision->failure != MET_GATEWAY_FAILURE_NONE
        && admission->decision->failure != MET_GATEWAY_FAILURE_SNAPSHOT) {
        gateway->counters.failed_open++;
    }
    return MET_OK;
}

met_error met__admit(met__admission *admission, met_gateway *gateway,
                     const met_gateway_request *request,
                     met_gateway_decision *decision)
{
    if (gateway->fork_generation != met__fork_generation()) {
        return MET_E_FORKED;
    }
    met_error error = check(request);
    if (error != MET_OK) {
        return error;
    }
    begin(admission, gateway, request, decision);
    gateway->counters.requests++;
    int was_lost = met__mapped_file_is_lost(&gateway->snapshot.file);
    error = decide(admission);
    if (met__mapped_file_is_lost(&gateway->snapshot.file) && !was_lost) {
        met__ticket_release(gateway, admission->ticket);
        met__gateway_follow_anew(gateway);
        begin(admission, gateway, request, decision);
        error = decide(admission);
    }
    if (error == MET_OK) {
        met__admit_limit_headers(admission);
    }
    return error;
}

met_error met__gateway_admit(met_gateway *gateway,
                             const met_gateway_request *request,
                             met_gateway_decision *decision)
{
    met__admission admission;

    admission.is_first = 0;
    return met__admit(&admission, gateway, request, decision);
}
