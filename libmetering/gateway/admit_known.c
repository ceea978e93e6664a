/* Requests whose key came before: what consumer, groups, limit and header lines
 * come to is a function of snapshot, key, route and time, and need not be
 * worked out again. In: an admission whose route is found. Out: the same, with
 * all of that; or what is learned for the next one. */
#include "gateway/acl.h"
#include "gateway/admission.h"
#include "gateway/plugin_config.h"

static met__known_key *place_of(const met__admission *admission,
                                uint32_t credential)
{
    uint32_t at = credential + admission->route * UINT32_C(0x9e3779b1)
                  + admission->service * UINT32_C(0x85ebca6b);

    return &admission->gateway->known_keys[at % MET__KNOWN_KEYS];
}

int met__admit_know(met__admission *admission, uint32_t credential)
{
    met__known_key *known = place_of(admission, credential);

    if (known->generation != admission->gateway->generation
        || known->credential != credential
        || known->service != admission->service
        || known->route != admission->route
        || admission->utc_ns < known->from_ns
        || admission->utc_ns >= known->to_ns
        || admission->request->groups != NULL) {
        return 0;
    }
    admission->known = known;
    admission->credential = credential;
    admission->consumer = known->consumer;
    return 1;
}

void met__admit_as_known(met__admission *admission)
{
    const met__known_key *known = admission->known;
    met_gateway_decision *decision = admission->decision;

    if (known->lines.size == 0) {
        met__admit_tell(admission, known->header);
        return;
    }
    decision->consumer = known->username.data;
    decision->consumer_size = known->username.size;
    decision->upstream_headers = known->lines.data;
    decision->upstream_headers_size = known->lines.size;
}

/* --- Learning ------------------------------------------------------------- */
/* From then on, or until then, it may be otherwise. */
static void bound(const met__admission *admission, met__known_key *known,
                  int64_t at_ns)
{
    if (at_ns <= admission->utc_ns) {
        known->from_ns = at_ns > known->from_ns ? at_ns : known->from_ns;
    } else {
        known->to_ns = at_ns < known->to_ns ? at_ns : known->to_ns;
    }
}

static void learn_times(const met__admission *admission,
                        const met__snapshot_consumer *consumer,
                        const met__snapshot_credential *credential,
                        met__known_key *known)
{
    const met__snapshot *snapshot = admission->snapshot;
    met__range scopes = met__snapshot_range(snapshot, MET__SECTION_SCOPE,
                                            consumer->scopes);

    known->from_ns = INT64_MIN;
    known->to_ns = INT64_MAX;
    if (credential->expires_at_ns != 0) {
        bound(admission, known, credential->expires_at_ns);
    }
    for (uint32_t i = 0; i < scopes.count; i++) {
        const met__snapshot_scope *scope =
            met__snapshot_scope_at(snapshot, scopes.first + i);
        bound(admission, known, scope->from_ns);
        bound(admission, known, scope->to_ns);
    }
}

/* What tells whom the limit counts is of the request, unless it is one of
 * these. */
static int is_of_key(const met__snapshot_limit *limit)
{
    return limit->by == MET__LIMIT_BY_CONSUMER
           || limit->by == MET__LIMIT_BY_CREDENTIAL
           || limit->by == MET__LIMIT_BY_SERVICE;
}

static void learn_limit(const met__admission *admission,
                        met__known_key *known)
{
    known->limit = met__admit_limit_of(admission);
    known->has_additive = (uint32_t)met__admit_has_additive(admission);
    known->limit_name = met__text_of("", 0);
    known->limit_kind = 0;
    known->policy = MET__NONE;
    const met__snapshot_limit *limit =
        met__snapshot_limit_at(admission->snapshot, known->limit);
    if (limit != NULL && is_of_key(limit)) {
        known->limit_name =
            met__admit_identity(admission, limit, &known->limit_kind);
    }
}

void met__admit_learn(met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met_gateway_decision *decision = admission->decision;
    const met__snapshot_consumer *consumer =
        met__snapshot_consumer_at(snapshot, admission->consumer);
    const met__snapshot_credential *credential =
        met__snapshot_credential_at(snapshot, admission->credential);

    if (credential == NULL || consumer == NULL
        || admission->request->groups != NULL) {
        return;
    }
    met__known_key *known = place_of(admission, admission->credential);
    known->generation = admission->gateway->generation;
    known->credential = admission->credential;
    known->service = admission->service;
    known->route = admission->route;
    known->consumer = admission->consumer;
    known->header = admission->header;
    known->username = met__text_of(decision->consumer,
                                   decision->consumer_size);
    known->lines = decision->upstream_headers != admission->gateway->upstream
                       ? met__text_of(decision->upstream_headers,
                                      decision->upstream_headers_size)
                       : met__text_of("", 0);
    known->subject = met__snapshot_text(snapshot, consumer->subject);
    known->rows = met__snapshot_range(snapshot, MET__SECTION_ROW,
                                      consumer->rows);
    known->event.is_known = 0;
    known->quota_place = 0;
    learn_times(admission, consumer, credential, known);
    learn_limit(admission, known);
    admission->known = known;
}
