/* Counting one admitted request: its reservations become usage, its ticket an
 * event. What costs more than was reserved is taken before the event is
 * recorded, what costs less is given back after: a kill between errs to the
 * side of the seller by one request.
 * In: a ticket and an outcome. Out: one recorded event. */
#include "base/fork_guard.h"
#include "gateway/admission.h"
#include "gateway/event.h"

#define NUMBER_MAX UINT64_C(999999999999999) /* of what meters hold */
/* Known at admit, the host's, and four of the outcome. */
#define PAIRS_MAX (MET__ATTRIBUTE_CUSTOM + MET_GATEWAY_ATTRIBUTES_MAX + 4)

typedef struct completion {
    met_gateway *gateway;
    met__ticket *ticket;
    const met_gateway_outcome *outcome;
    uint64_t quantity;
    met_pair pairs[PAIRS_MAX];
    size_t pair_count;
    met_quantity quantities[MET__QUANTITIES_MAX + 2];
    size_t quantity_count;
    char numbers[4][MET__DIGITS_MAX];
    met__hash128 mark;
    met__seen_event *seen; /* of the mark's place */
    int is_seen;           /* the mark is the same: pairs are not read yet */
} completion;

/* --- Reservations --------------------------------------------------------- */
static int64_t units_of(uint64_t amount) /* at most NUMBER_MAX */
{
    return (int64_t)amount * MET__QUOTA_UNIT;
}

/* What the event says of it: 0 is not said. */
static uint64_t outcome_number(const met_gateway_outcome *outcome,
                               uint32_t attribute)
{
    switch (attribute) {
    case MET__ATTRIBUTE_RESPONSE_STATUS:
        return outcome->status;
    case MET__ATTRIBUTE_UPSTREAM_STATUS:
        return outcome->upstream_status;
    case MET__ATTRIBUTE_REQUEST_SIZE:
        return outcome->request_size_bytes;
    default:
        return outcome->response_size_bytes;
    }
}

/* Whether it was usage of the feature after all. */
static int is_usage(const completion *c, const met__ticket_quota *quota)
{
    const unsigned char *text = c->ticket->text;
    size_t at = quota->filters_at;
    size_t end = at + quota->filters_size;
    char digits[MET__DIGITS_MAX];

    while (end <= sizeof c->ticket->text && end - at >= 3) {
        uint64_t number = outcome_number(c->outcome, text[at]);
        size_t size = text[at + 1] | (size_t)text[at + 2] << 8;
        size_t digit_count = number != 0 ? met__put_digits(digits, number) : 0;
        at += 3;
        if (size > end - at
            || !met__condition_holds(
                met__text_of((const char *)text + at, size),
                met__text_of(digits, digit_count))) {
            return 0;
        }
        at += size;
    }
    return 1;
}

static int64_t true_cost(const completion *c, const met__ticket_quota *quota)
{
    if (!is_usage(c, quota)) {
        return 0;
    }
    switch (quota->cost) {
    case MET__COST_EVENT:
        return MET__QUOTA_UNIT;
    case MET__COST_QUANTITY:
        return units_of(c->quantity);
    case MET__COST_REQUEST_SIZE:
        return units_of(c->outcome->request_size_bytes);
    case MET__COST_RESPONSE_SIZE:
        return units_of(c->outcome->response_size_bytes);
    default:
        return 0;
    }
}

static void begin_quotas(completion *c)
{
    met__ticket_forget(c->gateway, c->ticket);
    for (uint16_t i = 0; i < c->ticket->quota_count; i++) {
        met__ticket_quota *quota = &c->ticket->quotas[i];
        (void)met__quota_complete_begin(c->gateway->quota, &quota->quota,
                                        true_cost(c, quota));
    }
}

static void end_quotas(completion *c)
{
    for (uint16_t i = 0; i < c->ticket->quota_count; i++) {
        met__quota_ticket *quota = &c->ticket->quotas[i].quota;
        /* One that could not begin holds what admit reserved. */
        if (met__quota_complete_end(c->gateway->quota, quota) != MET_OK) {
            (void)met__quota_release(c->gateway->quota, quota);
        }
    }
}

/* --- The event ------------------------------------------------------------ */
static void add_pair(completion *c, met__text name, const char *value,
                     size_t size)
{
    if (c->pair_count < PAIRS_MAX) {
        c->pairs[c->pair_count++] =
            (met_pair){name.data, name.size, value, size};
    }
}

static void add_number(completion *c, size_t index, met__text name,
                       uint64_t value)
{
    if (value != 0) {
        size_t size = met__put_digits(c->numbers[index], value);
        add_pair(c, name, c->numbers[index], size);
    }
}

/* The ticket's texts. 0: no ticket of ours. */
static int read_texts(completion *c)
{
    const met__ticket *ticket = c->ticket;
    const unsigned char *text = ticket->text;
    size_t at = ticket->subject_size;
    size_t end = ticket->text_size;

    if (end > sizeof ticket->text || at > end
        || ticket->attribute_count
               > MET__ATTRIBUTE_CUSTOM + MET_GATEWAY_ATTRIBUTES_MAX) {
        return 0;
    }
    for (uint16_t i = 0; i < ticket->attribute_count; i++) {
        if (end - at < 3) {
            return 0;
        }
        uint32_t number = text[at++];
        size_t name = number >= MET__ATTRIBUTE_CUSTOM ? text[at++] : 0;
        size_t value = text[at++];
        if (number > MET__ATTRIBUTE_CUSTOM || end - at < name + value) {
            return 0;
        }
        add_pair(c,
                 number < MET__ATTRIBUTE_CUSTOM
                     ? met__text_z(met__attribute_names[number])
                     : met__text_of((const char *)text + at, name),
                 (const char *)text + at + name, value);
        at += name + value;
    }
    return 1;
}

static void add_quantity(completion *c, met__text name, uint64_t value)
{
    c->quantities[c->quantity_count++] = (met_quantity){
        name.data, name.size, met__decimal_from_i64((int64_t)value)};
}

static void read_quantities(completion *c)
{
    const met_gateway_outcome *outcome = c->outcome;

    c->quantity_count = 0;
    if (!c->gateway->has_quantities) {
        return;
    }
    add_quantity(c, MET__TEXT("request_size_bytes"),
                 outcome->request_size_bytes);
    add_quantity(c, MET__TEXT("response_size_bytes"),
                 outcome->response_size_bytes);
    for (uint32_t i = 0; i < c->gateway->value_count; i++) {
        add_quantity(c, c->gateway->values[i], c->quantity);
    }
}

/* Numbers of the outcome that may be attributes. */
#define NUMBERS 4
static const struct {
    uint32_t wanted;
    uint32_t attribute;
    met__text name;
} numbers[NUMBERS] = {
    {UINT32_C(1) << MET__ATTRIBUTE_RESPONSE_STATUS,
     MET__ATTRIBUTE_RESPONSE_STATUS,
     {"response_http_status", sizeof "response_http_status" - 1}},
    {UINT32_C(1) << MET__ATTRIBUTE_UPSTREAM_STATUS,
     MET__ATTRIBUTE_UPSTREAM_STATUS,
     {"upstream_status", sizeof "upstream_status" - 1}},
    {MET__WANTS_REQUEST_SIZE, MET__ATTRIBUTE_REQUEST_SIZE,
     {"request_size_bytes", sizeof "request_size_bytes" - 1}},
    {MET__WANTS_RESPONSE_SIZE, MET__ATTRIBUTE_RESPONSE_SIZE,
     {"response_size_bytes", sizeof "response_size_bytes" - 1}}};

/* All attributes; 0: no ticket of ours. Those of the outcome stand before the
 * host's: the first one holds. */
static int read_pairs(completion *c)
{
    c->is_seen = 0;
    c->pair_count = 0;
    for (size_t i = 0; i < NUMBERS; i++) {
        if ((c->gateway->wanted & numbers[i].wanted) != 0) {
            add_number(c, i, numbers[i].name,
                       outcome_number(c->outcome, numbers[i].attribute));
        }
    }
    return read_texts(c);
}

#define OF_OUTCOME                                      \
    (UINT32_C(1) << MET__ATTRIBUTE_RESPONSE_STATUS      \
     | UINT32_C(1) << MET__ATTRIBUTE_UPSTREAM_STATUS    \
     | MET__WANTS_REQUEST_SIZE | MET__WANTS_RESPONSE_SIZE)

/* Where a shape with the mark would be. */
static void look_up(completion *c)
{
    c->seen = &c->gateway->seen[c->mark.low % MET__SEEN_EVENTS];
    c->is_seen = c->seen->mark.low == c->mark.low
                 && c->seen->mark.high == c->mark.high;
}

/* Everything that the shape comes from, hashed with the store's secret: the
 * ticket's texts, and behind them what else counts. Only of a ticket that was
 * read once, and is well-formed, is the mark known. */
static void find_seen(completion *c)
{
    uint64_t more[NUMBERS + 1] = {
        c->ticket->subject_size
        | (uint64_t)c->ticket->attribute_count << 16
        | (uint64_t)c->gateway->wanted << 32};
    size_t size = c->ticket->text_size;

    c->is_seen = 0;
    c->seen = NULL;
    if (size > sizeof c->ticket->text - sizeof more
        || size + sizeof more
               > sizeof c->ticket->text - c->ticket->filter_bytes) {
        return;
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        more[i + 1] = (c->gateway->wanted & numbers[i].wanted) != 0
                          ? outcome_number(c->outcome, numbers[i].attribute)
                          : 0;
    }
    memcpy(c->ticket->text + size, more, sizeof more);
    c->mark = met__hash128_of(met__store_secret(c->gateway->store),
                              c->ticket->text, size + sizeof more);
    look_up(c);
}

/* The same of a ticket whose texts were known: nothing of the outcome tells
 * shapes apart, and what is wanted is the store's. */
static inline int find_seen_known(completion *c)
{
    const met__ticket *ticket = c->ticket;

    if ((ticket->mark.low | ticket->mark.high) == 0
        || (c->gateway->wanted & OF_OUTCOME) != 0) {
        return 0;
    }
    c->mark = ticket->mark;
    c->mark.high ^= c->gateway->wanted;
    look_up(c);
    return 1;
}

/* Clients may send any bytes: what is no text becomes one. */
static void mend(completion *c)
{
    for (size_t i = 0; i < c->pair_count; i++) {
        met__text value = {c->pairs[i].value, c->pairs[i].value_size};
        if (!met__text_is_clean(value)) {
            size_t at = (size_t)((const unsigned char *)value.data
                                 - c->ticket->text);
            for (size_t k = 0; k < value.size; k++) {
                unsigned char *byte = &c->ticket->text[at + k];
                *byte = *byte < 0x20 || *byte >= 0x7f ? '?' : *byte;
            }
        }
    }
}

static met_error try_record(completion *c)
{
    const met__ticket *ticket = c->ticket;
    read_quantities(c);
    met_event event = {.struct_size = sizeof event,
                       .type = MET__EVENT_TYPE_REQUEST,
                       .type_size = sizeof MET__EVENT_TYPE_REQUEST - 1,
                       .subject = (const char *)ticket->text,
                       .subject_size = ticket->subject_size,
                       .quantities = c->quantities,
                       .quantity_count = c->quantity_count,
                       .utc_ns = ticket->utc_ns};
    met__seen_shape unseen;

    if (c->is_seen) {
        met_error error = met__recorder_add_again(
            c->gateway->recorder, &c->seen->shape, &event, NULL);
        if (error != MET_E_BUSY || !read_pairs(c)) {
            return error;
        }
    }
    event.attributes = c->pairs;
    event.attribute_count = c->pair_count;
    if (c->seen != NULL) {
        c->seen->mark = c->mark;
    }
    return met__recorder_add_first(c->gateway->recorder, &event,
                                   MET__RECORD_ADMITTED,
                                   c->seen != NULL ? &c->seen->shape : &unseen,
                                   NULL);
}

static met_error record(completion *c)
{
    met_error error = try_record(c);

    if (error == MET_E_INVALID) { /* a text, or meters changed just now */
        if (c->is_seen && !read_pairs(c)) {
            return MET_E_INVALID;
        }
        mend(c);
        error = try_record(c);
    }
    if (error == MET_E_TALLY_FULL || error == MET_E_IO) {
        c->gateway->is_tally_full = 1;
        c->gateway->counters.failures[MET_GATEWAY_FAILURE_TALLY]++;
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error; /* nobody meters it */
}

/* --- Completing ----------------------------------------------------------- */
static met_error count(completion *c)
{
    met_error error = MET_OK;

    begin_quotas(c);
    if (c->ticket->subject_size > 0) {
        error = record(c);
    } else {
        c->gateway->counters.without_subject++;
    }
    end_quotas(c);
    c->gateway->counters.completed++;
    return error;
}

met_error met__gateway_complete(met_gateway *gateway,
                                met_gateway_ticket *ticket,
                                const met_gateway_outcome *outcome)
{
    completion c;

    if (gateway->fork_generation != met__fork_generation()) {
        return MET_E_FORKED;
    }
    c.gateway = gateway;
    c.ticket = (met__ticket *)(void *)ticket;
    c.outcome = outcome;
    c.quantity_count = 0;
    if (c.ticket->magic != MET__TICKET_MAGIC
        || c.ticket->store_mark != gateway->store_mark
        || c.ticket->quota_count > MET_GATEWAY_QUOTAS_MAX
        || outcome->quantity > NUMBER_MAX
        || outcome->request_size_bytes > NUMBER_MAX
        || outcome->response_size_bytes > NUMBER_MAX) {
        return MET_E_INVALID;
    }
    met__gateway_follow_meters(gateway);
    if (!find_seen_known(&c)) {
        find_seen(&c);
    }
    if (!c.is_seen && !read_pairs(&c)) {
        return MET_E_INVALID;
    }
    c.quantity = outcome->quantity ? outcome->quantity : c.ticket->cost;
    met_error error = MET_OK;
    if ((outcome->flags & MET_GATEWAY_NOT_SERVED) != 0) {
        met__ticket_release(gateway, c.ticket);
        gateway->counters.not_served++;
    } else {
        error = count(&c);
    }
    c.ticket->magic = 0;
    return error;
}
