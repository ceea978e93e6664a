/* The usage event of a request, kept in its ticket as texts: what is known at
 * admit under Kong's names, and what the host adds. Values longer than a
 * recorder keeps are cut. In: a request. Out: the ticket's texts. */
#include "gateway/admission.h"
#include "meter/recorder_key.h"

static met__text text_of(const met__admission *admission, uint32_t number)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met_gateway_request *request = admission->request;
    const met__snapshot_service *service =
        met__snapshot_service_at(snapshot, admission->service);
    const met__snapshot_route *route =
        met__snapshot_route_at(snapshot, admission->route);
    met__text none = {"", 0};

    switch (number) {
    case MET__ATTRIBUTE_SERVICE_NAME:
        return service != NULL ? met__snapshot_text(snapshot, service->name)
                               : met__text_of(request->service,
                                              request->service_size);
    case MET__ATTRIBUTE_SERVICE_ID:
        return service != NULL ? met__snapshot_text(snapshot, service->id)
                               : none;
    case MET__ATTRIBUTE_SERVICE_PROTOCOL:
        return service != NULL
                   ? met__snapshot_text(snapshot, service->protocol)
                   : none;
    case MET__ATTRIBUTE_SERVICE_PORT:
        return service != NULL ? met__snapshot_text(snapshot, service->port)
                               : none;
    case MET__ATTRIBUTE_ROUTE_NAME:
        return route != NULL ? met__snapshot_text(snapshot, route->name)
                             : met__text_of(request->route,
                                            request->route_size);
    case MET__ATTRIBUTE_ROUTE_ID:
        return route != NULL ? met__snapshot_text(snapshot, route->id) : none;
    case MET__ATTRIBUTE_REQUEST_METHOD:
        return met__text_of(request->method, request->method_size);
    case MET__ATTRIBUTE_REQUEST_HOST:
        return met__text_of(request->host, request->host_size);
    case MET__ATTRIBUTE_REQUEST_URI:
        return met__text_of(request->path, request->path_size);
    case MET__ATTRIBUTE_REQUEST_USER_AGENT:
        return met__text_of(request->user_agent, request->user_agent_size);
    case MET__ATTRIBUTE_CLIENT_IP:
        return met__text_of(request->client_ip, request->client_ip_size);
    default:
        return none;
    }
}

/* What a recorder keeps of a value: no character is cut in two. */
static met__text cut(met__text text)
{
    if (text.size > MET__VALUE_SIZE_MAX) {
        text.size = MET__VALUE_SIZE_MAX;
        while (text.size > 0
               && ((unsigned char)text.data[text.size] & 0xc0) == 0x80) {
            text.size--;
        }
    }
    return text;
}

met__text met__admission_attribute(const met__admission *admission,
                                   uint32_t number, met__text name)
{
    const met_gateway_request *request = admission->request;

    if (number < MET__ATTRIBUTE_CUSTOM) {
        met__text value = cut(text_of(admission, number));
        if (value.size > 0) {
            return value;
        }
        name = met__text_z(met__attribute_names[number]); /* the host's */
    }
    for (size_t i = 0; i < request->attribute_count; i++) {
        const met_pair *pair = &request->attributes[i];
        if (met__text_equal(name, met__text_of(pair->key, pair->key_size))) {
            return cut(met__text_of(pair->value, pair->value_size));
        }
    }
    return met__text_of("", 0);
}

size_t met__admit_event_room(const met__admission *admission)
{
    const met_gateway_request *request = admission->request;
    size_t size = MET__SUBJECT_SIZE_MAX
                  + MET__ATTRIBUTE_RESPONSE_STATUS * (3 + MET__VALUE_SIZE_MAX);

    for (size_t i = 0; i < request->attribute_count; i++) {
        size += 3 + request->attributes[i].key_size
                + request->attributes[i].value_size;
    }
    return size;
}

/* --- Into the ticket ------------------------------------------------------ */
/* Those that are known at admit, and of them those that the route knows. */
#define WANTED_NOW ((UINT32_C(1) << MET__ATTRIBUTE_RESPONSE_STATUS) - 1)
#define OF_ROUTE_SIZE \
    (MET__ATTRIBUTE_REQUEST_METHOD * (3 + MET__VALUE_SIZE_MAX))
#define OF_ROUTE ((UINT32_C(1) << MET__ATTRIBUTE_REQUEST_METHOD) - 1)

/* Where in the ticket's text the next one goes. */
typedef struct place {
    unsigned char *at;
    const unsigned char *end;
    uint16_t count;
} place;

static inline void put_text(place *to, met__text text)
{
    met__copy_short(to->at, text.data, text.size);
    to->at += text.size;
}

static inline void put_attribute(place *to, uint32_t number, met__text name,
                                 met__text value)
{
    if (3 + name.size + value.size > (size_t)(to->end - to->at)) {
        return; /* cannot be: the sizes were checked */
    }
    *to->at++ = (unsigned char)number;
    if (number == MET__ATTRIBUTE_CUSTOM) {
        *to->at++ = (unsigned char)name.size;
    }
    *to->at++ = (unsigned char)value.size;
    put_text(to, name);
    put_text(to, value);
    to->count++;
}

/* Allowances go by the outcome, and so must the event. */
static int is_of_outcome(met__text name)
{
    return met__text_equal(
               name, met__text_z(
                         met__attribute_names[MET__ATTRIBUTE_RESPONSE_STATUS]))
           || met__text_equal(
               name, met__text_z(
                         met__attribute_names[MET__ATTRIBUTE_UPSTREAM_STATUS]))
           || met__text_equal(name, MET__TEXT("request_size_bytes"))
           || met__text_equal(name, MET__TEXT("response_size_bytes"));
}

static void put_wanted(const met__admission *admission, uint32_t wanted,
                       place *to)
{
    met__text none = {NULL, 0};

    for (; wanted != 0; wanted &= wanted - 1) {
        uint32_t number = (uint32_t)__builtin_ctz(wanted);
        met__text value = cut(text_of(admission, number));
        if (value.size > 0) {
            put_attribute(to, number, none, value);
        }
    }
}

/* Nothing that is longer is kept. */
static void learn_route(const met__admission *admission,
                        met__route_event *known)
{
    unsigned char bytes[OF_ROUTE_SIZE];
    place to = {bytes, bytes + sizeof bytes, 0};

    put_wanted(admission, admission->gateway->wanted & OF_ROUTE, &to);
    size_t size = (size_t)(to.at - bytes);
    known->generation = 0;
    if (size <= sizeof known->bytes) {
        memcpy(known->bytes, bytes, size);
        known->plan = admission->gateway->value_plan;
        known->generation = admission->gateway->generation;
        known->route = admission->route;
        known->service = admission->service;
        known->size = (uint16_t)size;
        known->count = to.count;
    }
}

/* What the route and its service say; 0: it must be read. */
static int put_route(const met__admission *admission, place *to)
{
    met_gateway *gateway = admission->gateway;
    met__route_event *known =
        &gateway->route_events[admission->route % MET__ROUTE_EVENTS];

    if (admission->route == MET__NONE || admission->service == MET__NONE) {
        return 0; /* the request may name them */
    }
    if (known->generation != gateway->generation
        || known->route != admission->route
        || known->service != admission->service
        || known->plan != gateway->value_plan) {
        learn_route(admission, known);
    }
    if (known->generation == 0
        || known->size > (size_t)(to->end - to->at)) {
        return 0;
    }
    memcpy(to->at, known->bytes, known->size);
    to->at += known->size;
    to->count = (uint16_t)(to->count + known->count);
    return 1;
}

static inline met__text subject_of(const met__admission *admission)
{
    const met_gateway_request *request = admission->request;
    const met__snapshot_consumer *consumer;

    if (admission->known != NULL) {
        return admission->known->subject;
    }
    consumer = met__snapshot_consumer_at(admission->snapshot,
                                         admission->consumer);
    return consumer != NULL
               ? met__snapshot_text(admission->snapshot, consumer->subject)
               : met__text_of(request->subject, request->subject_size);
}

/* --- Known before --------------------------------------------------------- */
/* Keeps the ticket's texts, when all of them are of key and route. */
static void learn(met__admission *admission, met__known_event *known)
{
    const met__ticket *ticket = admission->ticket;
    met_gateway *gateway = admission->gateway;
    unsigned char bytes[MET__KNOWN_EVENT_SIZE + 2 * sizeof(uint16_t)];
    uint16_t counts[2] = {ticket->subject_size, ticket->attribute_count};

    if ((gateway->wanted & WANTED_NOW & ~OF_ROUTE) != 0
        || admission->route == MET__NONE || admission->service == MET__NONE
        || ticket->text_size > sizeof known->bytes) {
        return;
    }
    memcpy(bytes, counts, sizeof counts);
    memcpy(bytes + sizeof counts, ticket->text, ticket->text_size);
    *known = (met__known_event){.plan = gateway->value_plan,
                                .is_known = 1,
                                .subject_size = ticket->subject_size,
                                .count = ticket->attribute_count,
                                .size = ticket->text_size};
    memcpy(known->bytes, ticket->text, ticket->text_size);
    known->mark = met__hash128_of(met__store_secret(gateway->store), bytes,
                                  sizeof counts + ticket->text_size);
}

/* 1: it is the same as that of a request before. */
static inline int put_known(met__ticket *ticket, uint64_t plan,
                            const met__known_event *known)
{
    if (!known->is_known || known->plan != plan
        || ticket->filter_bytes
               > sizeof ticket->text - MET__KNOWN_EVENT_SIZE) {
        return 0;
    }
    memcpy(ticket->text, known->bytes, MET__KNOWN_EVENT_SIZE);
    ticket->subject_size = known->subject_size;
    ticket->text_size = known->size;
    ticket->attribute_count = known->count;
    ticket->mark = known->mark;
    return 1;
}

static void put_event(met__admission *admission)
{
    met__ticket *ticket = admission->ticket;
    const met_gateway_request *request = admission->request;
    met__text subject = subject_of(admission);
    if (subject.size == 0 || subject.size > MET__SUBJECT_SIZE_MAX) {
        return; /* nobody's usage */
    }
    place to = {ticket->text,
                ticket->text + sizeof ticket->text - ticket->filter_bytes, 0};
    put_text(&to, subject);
    ticket->subject_size = (uint16_t)subject.size;
    uint32_t wanted = admission->gateway->wanted & WANTED_NOW;
    put_wanted(admission,
               put_route(admission, &to) ? wanted & ~OF_ROUTE : wanted, &to);
    for (size_t i = 0; i < request->attribute_count; i++) {
        const met_pair *pair = &request->attributes[i];
        met__text name = {pair->key, pair->key_size};
        if (name.size > 0 && !is_of_outcome(name)) {
            put_attribute(&to, MET__ATTRIBUTE_CUSTOM, name,
                          cut(met__text_of(pair->value, pair->value_size)));
        }
    }
    ticket->text_size = (uint16_t)(to.at - ticket->text);
    ticket->attribute_count = to.count;
}

void met__admit_event(met__admission *admission)
{
    met_gateway *gateway = admission->gateway;
    met__known_key *known =
        admission->request->attribute_count == 0 ? admission->known : NULL;

    met__gateway_follow_meters(gateway);
    if (known != NULL
        && put_known(admission->ticket, gateway->value_plan, &known->event)) {
        return;
    }
    put_event(admission);
    if (known != NULL && admission->ticket->subject_size > 0) {
        learn(admission, &known->event);
    }
}
