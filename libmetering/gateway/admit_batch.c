/* Many requests that differ in their keys only: while some are decided, what
 * the next ones will read is on its way, for of consumers among many nothing is
 * near. In: requests. Out: decisions without their words, one by one as
 * met__gateway_admit makes them. */
#include "base/fork_guard.h"
#include "gateway/admission.h"

#define GROUP 16u

/* One of the next keys. */
typedef struct ahead {
    met__text key;
    met__credential_tag tag;
    met__credential_hash hash; /* when it is new */
    uint32_t is_new;           /* not one of the cache's */
    uint32_t credential;       /* or none */
    met_limiter_request limit_request;
    met__limiter_key limit_key; /* when there is a policy */
} ahead;

/* --- Looking ahead -------------------------------------------------------- */
static void hash_keys(met_gateway *gateway, ahead *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ahead *one = &keys[i];
        one->is_new = 0;
        one->credential = MET__NONE;
        if (one->key.size == 0 || one->key.size > MET_GATEWAY_KEY_SIZE_MAX) {
            continue;
        }
        one->tag = met__credential_cache_tag(gateway->cache, one->key);
        uint32_t found = met__credential_cache_get(
            gateway->cache, gateway->generation, one->tag);
        if (found == MET__CREDENTIAL_MISS) {
            one->is_new = 1;
            met__credential_hash_of(met__store_credential_key(gateway->store),
                                    one->key, &one->hash);
            met__snapshot_credential_fetch(&gateway->snapshot, &one->hash);
        } else {
            one->credential = found; /* an unknown one is no record's */
        }
    }
}

static void find_keys(met_gateway *gateway, ahead *keys, size_t count)
{
    const met__snapshot *snapshot = &gateway->snapshot;

    for (size_t i = 0; i < count; i++) {
        if (keys[i].is_new) {
            met__snapshot_credential_fetch_record(snapshot, &keys[i].hash);
        }
    }
    for (size_t i = 0; i < count; i++) {
        ahead *one = &keys[i];
        if (one->is_new) {
            one->credential = met__admit_found_key(
                gateway, one->tag,
                met__snapshot_credential_find(snapshot, &one->hash));
        }
        const met__snapshot_credential *credential =
            met__snapshot_credential_at(snapshot, one->credential);
        if (credential != NULL) {
            met__admit_fetch_consumer(snapshot, credential->consumer);
        }
    }
}

/* The admission stands for the request of a key; 0: of none. */
static int stand_for(met__admission *admission, const ahead *one)
{
    const met__snapshot_credential *credential =
        met__snapshot_credential_at(admission->snapshot, one->credential);

    if (credential == NULL) {
        return 0;
    }
    admission->credential = one->credential;
    admission->consumer = credential->consumer;
    return 1;
}

/* In three rounds, as one piece of memory tells of the next. */
static void fetch_limits(met__admission *admission, ahead *keys, size_t count)
{
    met_limiter *limiter = admission->gateway->limiter;

    for (size_t i = 0; i < count; i++) {
        if (stand_for(admission, &keys[i])) {
            met__admit_fetch(admission);
        }
    }
    for (size_t i = 0; i < count; i++) {
        ahead *one = &keys[i];
        one->limit_request.policy = MET__NONE;
        if (stand_for(admission, one)) {
            met__admit_fetch_quota(admission);
            if (met__admit_limit_request(admission, &one->limit_request)) {
                met__limiter_key_of(limiter, &one->limit_request,
                                    &one->limit_key);
                met__limiter_fetch(limiter, &one->limit_key);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (keys[i].limit_request.policy != MET__NONE) {
            met__limiter_fetch_records(limiter, &keys[i].limit_request,
                                       &keys[i].limit_key);
        }
    }
}

/* admission: of a request that came just before, and whose route these have. */
static void look_ahead(met__admission *admission, ahead *keys, size_t count)
{
    met_gateway *gateway = admission->gateway;

    hash_keys(gateway, keys, count);
    find_keys(gateway, keys, count);
    admission->known = NULL;
    fetch_limits(admission, keys, count);
}

/* --- Deciding ------------------------------------------------------------- */
/* What is in use of it. */
static void keep_ticket(const met__ticket *from, met_gateway_ticket *to)
{
    met__ticket *out = (met__ticket *)(void *)to;
    size_t at = sizeof from->text - from->filter_bytes;

    memcpy(out, from,
           offsetof(met__ticket, quotas)
               + from->quota_count * sizeof *from->quotas);
    memcpy(out->text, from->text, from->text_size);
    memcpy(out->text + at, from->text + at, from->filter_bytes);
    out->filter_bytes = from->filter_bytes;
}

static void write_result(const met__admission *admission, met_error error,
                         met_gateway_batch_result *result)
{
    const met_gateway_decision *decision = admission->decision;

    if (error != MET_OK) {
        *result = (met_gateway_batch_result){.error = error};
        return;
    }
    result->error = MET_OK;
    result->is_admitted = decision->is_admitted;
    result->status = decision->status;
    result->reason = decision->reason;
    result->failure = decision->failure;
    result->reserved = 0;
    result->wait_ns = decision->wait_ns;
    keep_ticket(admission->ticket, &result->ticket);
}

/* Whether looking ahead pays, and what it needs is known: the admission before
 * found a route of the snapshot that is still the gateway's. */
static int can_look(const met__admission *admission, uint32_t generation)
{
    const met_gateway *gateway = admission->gateway;

    return generation == gateway->generation && admission->plugins != NULL
           && admission->plugins->record[MET__PLUGIN_KEY_AUTH] != MET__NONE
           && admission->request->subject_size == 0
           && met__admit_are_many(&gateway->snapshot);
}

met_error met__gateway_admit_batch(met_gateway *gateway,
                                   const met_gateway_request *common,
                                   const char *keys,
                                   const uint32_t *key_offsets, size_t count,
                                   met_gateway_batch_result *results)
{
    met_gateway_request request = *common;
    met_gateway_decision decision;
    met__admission admission;
    ahead next[GROUP];
    uint32_t generation = 0; /* of the admission's route; 0: of none */

    if (gateway->fork_generation != met__fork_generation()) {
        return MET_E_FORKED;
    }
    for (size_t begin = 0; begin < count;) {
        size_t size = begin == 0 ? 1 : count - begin;
        size = size < GROUP ? size : GROUP;
        for (size_t i = 0; i < size; i++) {
            uint32_t from = key_offsets[begin + i];
            next[i].key = met__text_of(keys + from,
                                       key_offsets[begin + i + 1] - from);
            next[i].is_new = 0;
        }
        if (generation != 0 && can_look(&admission, generation)) {
            look_ahead(&admission, next, size);
        }
        for (size_t i = 0; i < size; i++) {
            request.key = next[i].key.data;
            request.key_size = next[i].key.size;
            admission.is_first = next[i].is_new;
            met_error error =
                met__admit(&admission, gateway, &request, &decision);
            generation = error == MET_OK ? gateway->generation : 0;
            write_result(&admission, error, &results[begin + i]);
        }
        begin += size;
    }
    return MET_OK;
}
