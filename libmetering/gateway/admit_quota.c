/* Allowances of one request: which of the customer's features it uses, and what
 * it takes of each. A cell that is missing is made from the snapshot's row: a
 * new customer's first request is not refused for being new.
 * In: a snapshot, a request, quota cells. Out: reservations in the ticket. */
#include "entitlement/allowance.h"
#include "gateway/admission.h"

#define USED_UP                                                      \
    "{\"message\":\"Customer has reached usage limit for feature.\"," \
    "\"reason\":\"USAGE_LIMIT_REACHED\"}"
#define UNAVAILABLE                                                     \
    "{\"message\":\"Feature is not available for the customer.\","       \
    "\"reason\":\"FEATURE_UNAVAILABLE\"}"
#define NO_FEATURE \
    "{\"message\":\"Feature not found.\",\"reason\":\"FEATURE_NOT_FOUND\"}"
#define UNKNOWN_CUSTOMER                                  \
    "{\"message\":\"Customer is not found by subject.\"," \
    "\"reason\":\"CUSTOMER_NOT_FOUND\"}"

/* --- Which features ------------------------------------------------------- */
/* Whether the request is usage of the feature, as far as is known now. */
static int is_usage(const met__admission *admission,
                    const met__snapshot_feature *feature)
{
    const met__snapshot *snapshot = admission->snapshot;
    met__range filters = met__snapshot_range(snapshot, MET__SECTION_FILTER,
                                             feature->filters);

    for (uint32_t i = 0; i < filters.count; i++) {
        const met__snapshot_filter *filter =
            met__snapshot_filter_at(snapshot, filters.first + i);
        if (filter->attribute == MET__NONE
            || (!met__attribute_is_of_outcome(filter->attribute)
                && !met__condition_holds(
                    met__snapshot_text(snapshot, filter->condition),
                    met__admission_attribute(
                        admission, filter->attribute,
                        met__snapshot_text(snapshot, filter->name))))) {
            return 0;
        }
    }
    return 1;
}

/* What its end must answer goes along in the ticket, as long as all of the
 * event has room, too. 0: it has not. */
static int keep_filters(const met__admission *admission,
                        const met__snapshot_feature *feature,
                        met__ticket_quota *use)
{
    met__ticket *ticket = admission->ticket;
    const met__snapshot *snapshot = admission->snapshot;
    met__range filters = met__snapshot_range(snapshot, MET__SECTION_FILTER,
                                             feature->filters);
    size_t at = sizeof ticket->text - ticket->filter_bytes;
    size_t end = at;

    for (uint32_t i = 0; i < filters.count; i++) {
        const met__snapshot_filter *filter =
            met__snapshot_filter_at(snapshot, filters.first + i);
        if (!met__attribute_is_of_outcome(filter->attribute)) {
            continue;
        }
        met__text condition = met__snapshot_text(snapshot, filter->condition);
        size_t event = met__admit_event_room(admission);
        if (at < event || at - event < 3
            || condition.size > at - event - 3) {
            return 0;
        }
        at -= 3 + condition.size;
        ticket->text[at] = (unsigned char)filter->attribute;
        ticket->text[at + 1] = (unsigned char)(condition.size & 0xff);
        ticket->text[at + 2] = (unsigned char)(condition.size >> 8);
        if (condition.size > 0) {
            memcpy(ticket->text + at + 3, condition.data, condition.size);
        }
    }
    use->filters_at = (uint16_t)at;
    use->filters_size = (uint16_t)(end - at);
    return 1;
}

/* How much the request takes now, and how the true cost will be known. If only
 * its end tells whether it is usage at all, it is held to be, and given back
 * then. Sizes are not known now: then only something must be left. */
static int64_t cost_of(const met__admission *admission,
                       const met__snapshot_feature *feature,
                       met__ticket_quota *use)
{
    met__text name = met__snapshot_text(admission->snapshot,
                                        feature->value_attribute);

    if (feature->aggregation == MET__AGGREGATION_COUNT) {
        use->cost = MET__COST_EVENT;
        return MET__QUOTA_UNIT;
    }
    if (feature->aggregation != MET__AGGREGATION_SUM) {
        use->cost = MET__COST_NONE;
        return 0;
    }
    if (met__text_equal(name, MET__TEXT("request_size_bytes"))) {
        use->cost = MET__COST_REQUEST_SIZE;
        return 0;
    }
    if (met__text_equal(name, MET__TEXT("response_size_bytes"))) {
        use->cost = MET__COST_RESPONSE_SIZE;
        return 0;
    }
    use->cost = MET__COST_QUANTITY;
    return (int64_t)admission->cost * MET__QUOTA_UNIT;
}

/* --- Reserving ------------------------------------------------------------ */
/* As met__quota_row_period, which takes longer: most requests come in the
 * period that the row was compiled in, and not in its last minute. */
static met_error period_of(const met__snapshot_row *row, int64_t utc_ns,
                           uint64_t *number_out, met__period *period_out)
{
    if (utc_ns >= row->period.from_ns
        && utc_ns < row->period.to_ns - MET__MINUTE_NS) {
        *number_out = row->number;
        *period_out = row->period;
        return MET_OK;
    }
    return met__quota_row_period(&row->row, utc_ns, number_out, period_out);
}

/* What the row says of this period: usage was read in the row's own. */
static met_error make_cell(met_gateway *gateway,
                           const met__snapshot_row *row, uint64_t number)
{
    met__quota_period period = {.number = number,
                                .limit = row->row.limit,
                                .flags = row->row.flags
                                         | MET__QUOTA_PROVISIONAL};

    if (row->period.from_ns < row->period.to_ns && row->number == number) {
        period.limit = row->limit;
        period.taken = row->taken;
    }
    return met__quota_prepare(gateway->quota, row->row.key, &period);
}

static met_error take(met__admission *admission,
                      const met__snapshot_row *row, uint64_t number,
                      int64_t cost, met__quota_ticket *ticket,
                      met__quota_state *state)
{
    met__quota_table *quota = admission->gateway->quota;
    uint64_t unknown = 0;
    uint64_t *place = admission->known != NULL
                              && row
                                     == met__snapshot_row_at(
                                         admission->snapshot,
                                         admission->known->rows.first)
                          ? &admission->known->quota_place
                          : &unknown;
    met_error error = met__quota_admit_again(
        quota, row->row.key, place, number, cost, admission->monotonic_ns,
        admission->utc_ns, ticket, state);

    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    error = make_cell(admission->gateway, row, number);
    return error == MET_OK
               ? met__quota_admit(quota, row->row.key, number, cost,
                                  admission->monotonic_ns,
                                  admission->utc_ns, ticket, state)
               : error;
}

/* One row of the customer. 1: go on. */
static int reserve(met__admission *admission, const met__snapshot_row *row,
                   const met__snapshot_feature *feature)
{
    met__ticket *ticket = admission->ticket;
    met__quota_state state;
    met__period period;
    uint64_t number;

    if (period_of(row, admission->utc_ns, &number, &period) != MET_OK
        || row->row.type != MET__ENTITLEMENT_METERED) {
        return 1;
    }
    if (ticket->quota_count == MET_GATEWAY_QUOTAS_MAX) {
        return met__admission_failed(admission, MET_GATEWAY_FAILURE_QUOTA);
    }
    met__ticket_quota *use = &ticket->quotas[ticket->quota_count];
    if (!keep_filters(admission, feature, use)) {
        return met__admission_failed(admission, MET_GATEWAY_FAILURE_QUOTA);
    }
    int64_t cost = cost_of(admission, feature, use);
    met_error error = take(admission, row, number, cost, &use->quota, &state);
    if (error != MET_OK) {
        return met__admission_failed(admission, MET_GATEWAY_FAILURE_QUOTA);
    }
    if (!state.is_allowed) {
        /* As far as one knows: who needs more than is ever granted waits in
         * vain. */
        admission->decision->wait_ns =
            period.to_ns == INT64_MAX
                    || (cost > state.limit && cost > row->row.limit)
                ? 0
                : period.to_ns - admission->utc_ns;
        return met__refuse(admission, 429,
                           MET_GATEWAY_REASON_USAGE_LIMIT_REACHED,
                           MET__TEXT(USED_UP));
    }
    use->table = met__quota_id(admission->gateway->quota);
    ticket->filter_bytes += use->filters_size;
    ticket->quota_count++;
    return 1;
}

static met__range rows_of(const met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_consumer *consumer;

    if (admission->known != NULL) {
        return admission->known->rows;
    }
    consumer = met__snapshot_consumer_at(snapshot, admission->consumer);
    return consumer != NULL ? met__snapshot_range(snapshot, MET__SECTION_ROW,
                                                  consumer->rows)
                            : (met__range){0, 0};
}

static int reserve_rows(met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    met__range rows = rows_of(admission);

    for (uint32_t i = 0; i < rows.count; i++) {
        const met__snapshot_row *row =
            met__snapshot_row_at(snapshot, rows.first + i);
        const met__snapshot_feature *feature =
            met__snapshot_feature_at(snapshot, row->feature);
        if (row->row.type == MET__ENTITLEMENT_NONE) {
            /* Zeros of a file that was cut short, and no signal told so. */
            return met__admission_failed(admission,
                                         MET_GATEWAY_FAILURE_SNAPSHOT);
        }
        if (feature != NULL
            && (feature->filters.count == 0 || is_usage(admission, feature))
            && !reserve(admission, row, feature)) {
            return 0;
        }
    }
    return 1;
}

/* --- Whether it must be entitled ------------------------------------------ */
static const met__snapshot_row *
row_in_force(const met__admission *admission,
             const met__snapshot_consumer *consumer, uint32_t feature,
             uint64_t *number_out)
{
    met__range rows = met__snapshot_range(admission->snapshot,
                                          MET__SECTION_ROW, consumer->rows);

    for (uint32_t i = 0; i < rows.count; i++) {
        const met__snapshot_row *row =
            met__snapshot_row_at(admission->snapshot, rows.first + i);
        met__period period;
        if (row->feature == feature
            && period_of(row, admission->utc_ns, number_out, &period)
                   == MET_OK) {
            return row;
        }
    }
    return NULL;
}

/* Its row in *row_out, or the answer 403. */
static int must_be_entitled(met__admission *admission, uint32_t feature,
                            const met__snapshot_row **row_out,
                            uint64_t *number_out)
{
    const met__snapshot_consumer *consumer = met__snapshot_consumer_at(
        admission->snapshot, admission->consumer);

    if (consumer == NULL || !consumer->has_customer) {
        return met__refuse(admission, 403,
                           MET_GATEWAY_REASON_CUSTOMER_NOT_FOUND,
                           MET__TEXT(UNKNOWN_CUSTOMER));
    }
    *row_out = row_in_force(admission, consumer, feature, number_out);
    return *row_out != NULL
               ? 1
               : met__refuse(admission, 403,
                             MET_GATEWAY_REASON_FEATURE_UNAVAILABLE,
                             MET__TEXT(UNAVAILABLE));
}

static int check_entitled(met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    const met__snapshot_row *row;
    uint64_t number;

    for (uint32_t i = 0; i < snapshot->count[MET__SECTION_FEATURE]; i++) {
        const met__snapshot_feature *feature =
            met__snapshot_feature_at(snapshot, i);
        if (feature->in_service && is_usage(admission, feature)
            && !must_be_entitled(admission, i, &row, &number)) {
            return 0;
        }
    }
    return 1;
}

/* --- A feature that the host names ---------------------------------------- */
/* What is usage of it is reserved with everything else; of what is measured
 * elsewhere something must be left. */
static int check_left(met__admission *admission, uint32_t feature,
                      const met__snapshot_row *row, uint64_t number)
{
    met__quota_state state = {0};
    met__quota_ticket nothing;

    if (row->row.type != MET__ENTITLEMENT_METERED
        || is_usage(admission, met__snapshot_feature_at(admission->snapshot,
                                                        feature))) {
        return 1;
    }
    if (take(admission, row, number, 0, &nothing, &state) != MET_OK) {
        return met__admission_failed(admission, MET_GATEWAY_FAILURE_QUOTA);
    }
    return state.is_allowed
               ? 1
               : met__refuse(admission, 429,
                             MET_GATEWAY_REASON_USAGE_LIMIT_REACHED,
                             MET__TEXT(USED_UP));
}

static int check_named(met__admission *admission)
{
    const met__snapshot *snapshot = admission->snapshot;
    met__text name = {admission->request->feature,
                      admission->request->feature_size};
    const met__snapshot_row *row;
    uint64_t number;

    for (uint32_t i = 0; i < snapshot->count[MET__SECTION_FEATURE]; i++) {
        const met__snapshot_feature *feature =
            met__snapshot_feature_at(snapshot, i);
        if (feature->in_service
            && met__text_equal(met__snapshot_text(snapshot, feature->key),
                               name)) {
            return must_be_entitled(admission, i, &row, &number)
                   && check_left(admission, i, row, number);
        }
    }
    return met__refuse(admission, 403, MET_GATEWAY_REASON_FEATURE_NOT_FOUND,
                       MET__TEXT(NO_FEATURE));
}

int met__admit_reserve(met__admission *admission)
{
    if ((admission->gateway->flags & MET_GATEWAY_REQUIRE_ENTITLEMENT) != 0
        && !admission->is_preflight && !check_entitled(admission)) {
        return 0;
    }
    if (admission->request->feature_size > 0 && !admission->is_preflight
        && !check_named(admission)) {
        return 0;
    }
    return reserve_rows(admission);
}

void met__ticket_forget(const met_gateway *gateway, met__ticket *ticket)
{
    uint64_t table = met__quota_id(gateway->quota);

    for (uint16_t i = 0;
         i < ticket->quota_count && i < MET_GATEWAY_QUOTAS_MAX; i++) {
        if (ticket->quotas[i].table != table) {
            ticket->quotas[i].quota = (met__quota_ticket){0};
        }
    }
}

void met__ticket_release(met_gateway *gateway, met__ticket *ticket)
{
    met__ticket_forget(gateway, ticket);
    for (uint16_t i = 0;
         i < ticket->quota_count && i < MET_GATEWAY_QUOTAS_MAX; i++) {
        (void)met__quota_release(gateway->quota, &ticket->quotas[i].quota);
    }
    ticket->quota_count = 0;
}
