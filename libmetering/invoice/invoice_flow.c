/* Going from state to state: what happens where an invoice arrives. In: an
 * invoice and an action. Out: the invoice as it is then, and the bookings that
 * belong to it. Which step is legal, invoice_state.c knows. */
#include "invoice/invoice_flow.h"

#include "base/check.h"
#include "base/ulid.h"

#define STEPS_MAX 64 /* more is a circle in the table */

/* --- Bookings of the lines ------------------------------------------------ */
static met_error text_of(const met__node *line, const char *name,
                         met__text *out)
{
    const met__node *node = met__node_get(line, name);

    if (node == NULL || node->kind != MET__NODE_TEXT) {
        return MET_E_CORRUPT;
    }
    *out = node->as.text;
    return MET_OK;
}

/* Where a line is booked, and how much of the quantity is its own. */
static met_error place_of(const met__node *line, met__booked_place *place,
                          met_decimal *quantity_out)
{
    const met__node *basis = met__node_get(line, "basis");
    const met__node *period = met__node_get(line, "period");
    met__text from;
    met__text quantity;
    met_error error = text_of(line, "subscription_id",
                              &place->subscription_id);

    if (error == MET_OK) {
        error = text_of(line, "key", &place->card_key);
    }
    if (error == MET_OK) {
        error = text_of(line, "quantity", &quantity);
    }
    if (error == MET_OK
        && (basis == NULL || text_of(basis, "booked_from", &from) != MET_OK)) {
        error = period == NULL ? MET_E_CORRUPT
                               : text_of(period, "from", &from);
    }
    if (error == MET_OK
        && (met__time_parse(from, &place->from_ns) != MET_OK
            || met__decimal_parse(quantity, quantity_out) != MET_OK)) {
        error = MET_E_CORRUPT;
    }
    return error;
}

/* Line by line, in one of two ways. */
static met_error each_booking(met__invoice_flow *flow, int is_taken_back)
{
    const met__invoice *invoice = flow->invoice;
    met_error error = MET_OK;

    for (uint32_t i = 0; error == MET_OK && i < invoice->lines->count; i++) {
        met__booked_place place;
        met_decimal quantity;
        error = place_of(invoice->lines->as.items[i], &place, &quantity);
        if (error == MET_OK) {
            error = is_taken_back
                        ? met__booked_take_back(flow->txn, &place,
                                                invoice->id, quantity,
                                                flow->arena)
                        : met__booked_close(flow->txn, &place, invoice->id,
                                            flow->arena);
        }
    }
    return error;
}

static met_error take_back(met__invoice_flow *flow)
{
    met_error error = MET_OK;

    if (!flow->is_taken_back) {
        error = each_booking(flow, 1);
        flow->is_taken_back = 1;
        flow->is_booked_open = 0;
    }
    return error;
}

/* --- Reading the quantities again ----------------------------------------- */
static met_error bill_again(met__invoice_flow *flow,
                            const met__customer *customer)
{
    met__invoice *invoice = flow->invoice;
    met__invoice_request request = {.customer_key = invoice->customer_key,
                                    .as_of_ns = invoice->as_of_ns,
                                    .now_ns = flow->now_ns,
                                    .is_open_included = invoice->is_interim,
                                    .is_interim = invoice->is_interim};
    met__invoice *made = NULL;
    met__bill bill;
    met_error error = met__bill_begin(flow->txn, &request, customer,
                                      flow->profile, flow->source,
                                      flow->arena, flow->info, &bill);

    bill.invoice_id = invoice->id;
    bill.source_number = flow->source_number;
    if (error == MET_OK) {
        error = met__bill_make(&bill);
    }
    if (error == MET_OK) {
        error = met__draft_of(&bill, &made);
    }
    if (error == MET_OK) {
        error = met__bill_book(&bill, 1);
    }
    if (error == MET_OK) {
        error = met__bill_give_back(&bill);
    }
    if (error != MET_OK) {
        return error;
    }
    flow->is_booked_open = 1;
    flow->is_taken_back = 0;
    invoice->lines = made->lines;
    invoice->totals = made->totals;
    if (made->service_period.to_ns != 0) {
        invoice->service_period = made->service_period;
        invoice->collection_at_ns = made->collection_at_ns;
        error = met__draft_set_until(flow->profile, invoice);
    }
    invoice->snapshot_at_ns = flow->now_ns;
    return error;
}

/* Of a customer that is gone the quantities stay as they are. */
static met_error refresh(met__invoice_flow *flow)
{
    met__customer *customer = NULL;
    met_error error;

    if (flow->invoice->snapshot_at_ns == flow->now_ns) {
        return MET_OK;
    }
    error = met__customer_get(flow->txn, flow->invoice->customer_key,
                              flow->arena, &customer);
    if (error == MET_E_NOT_FOUND) {
        return MET_OK;
    }
    if (error == MET_OK) {
        error = take_back(flow);
    }
    return error == MET_OK ? bill_again(flow, customer) : error;
}

/* --- Arriving ------------------------------------------------------------- */
static met_error set_due(met__invoice_flow *flow)
{
    met__invoice *invoice = flow->invoice;
    int64_t from = invoice->issued_at_ns;
    met_error error;

    /* Who approves earlier decides when it is issued. */
    if (flow->profile->is_auto && invoice->draft_until_ns < from) {
        from = invoice->draft_until_ns;
    }
    error = met__duration_add(from, &flow->profile->due_after, 1,
                              &invoice->due_at_ns);
    if (error == MET_OK && invoice->due_at_ns < invoice->issued_at_ns) {
        /* It is issued long after its time. */
        error = met__duration_add(invoice->issued_at_ns,
                                  &flow->profile->due_after, 1,
                                  &invoice->due_at_ns);
    }
    invoice->due_at_ns -= invoice->due_at_ns % MET__SECOND_NS;
    return error;
}

static met_error issue(met__invoice_flow *flow)
{
    met__invoice *invoice = flow->invoice;
    const met__node *name = met__node_get(invoice->customer, "name");
    met_error error = MET_OK;

    if (flow->is_booked_open) {
        error = each_booking(flow, 0);
        flow->is_booked_open = 0;
    }
    if (error == MET_OK) {
        error = met__invoice_number(
            flow->txn, flow->profile, 0,
            name != NULL ? name->as.text : MET__TEXT(""), flow->arena,
            &invoice->number);
    }
    invoice->issued_at_ns = flow->now_ns;
    return error == MET_OK ? set_due(flow) : error;
}

static met_error arrive(met__invoice_flow *flow)
{
    switch (flow->invoice->state) {
    case MET__STATE_COLLECTING:
    case MET__STATE_UPDATING:
        return refresh(flow);
    case MET__STATE_READY:
        return flow->profile->late_usage == MET__LATE_DRAFT_REFRESH
                   ? refresh(flow)
                   : MET_OK;
    case MET__STATE_ISSUED:
        return issue(flow);
    case MET__STATE_DELETING:
    case MET__STATE_DELETE_SYNCING:
        return take_back(flow);
    case MET__STATE_DELETED:
    case MET__STATE_PAID:
    case MET__STATE_VOIDED:
        flow->invoice->ended_at_ns = flow->now_ns;
        return MET_OK;
    default:
        return MET_OK;
    }
}

/* --- Steps ---------------------------------------------------------------- */
static met__invoice_moment moment_of(const met__invoice_flow *flow)
{
    const met__invoice *invoice = flow->invoice;

    return (met__invoice_moment){
        .now_ns = flow->now_ns,
        .collection_at_ns = invoice->collection_at_ns,
        .draft_until_ns = invoice->draft_until_ns,
        .is_auto = flow->profile->is_auto,
        .is_valid = !met__decimal_is_negative(invoice->totals.total),
        .has_lines = invoice->lines->count > 0};
}

static met_error step_once(met__invoice_flow *flow, uint32_t action,
                           int *is_done)
{
    met__invoice_moment moment = moment_of(flow);
    const met__invoice_step *step =
        met__invoice_step_find(flow->invoice->state, action, &moment);

    *is_done = step != NULL;
    if (step == NULL) {
        return MET_OK;
    }
    flow->invoice->state = step->to;
    return arrive(flow);
}

/* What would be below zero is no invoice: its lines wait for the next one. */
static int is_to_be_given_up(const met__invoice_flow *flow)
{
    uint32_t state = flow->invoice->state;

    return (state == MET__STATE_VALIDATING || state == MET__STATE_READY)
           && met__decimal_is_negative(flow->invoice->totals.total);
}

met_error met__flow_advance(met__invoice_flow *flow)
{
    int is_done = 1;
    met_error error = MET_OK;

    for (int i = 0; error == MET_OK && is_done; i++) {
        MET__ASSERT(i < STEPS_MAX);
        if (flow->invoice->state == MET__STATE_ISSUED) {
            break; /* what comes next is not the library's to say */
        }
        error = step_once(flow,
                          is_to_be_given_up(flow) ? MET__ACTION_DELETE
                                                  : MET__ACTION_NEXT,
                          &is_done);
    }
    return error;
}

met_error met__flow_force(met__invoice_flow *flow)
{
    int is_done = 0;
    met_error error = met__flow_advance(flow);

    if (error == MET_OK && flow->invoice->state == MET__STATE_WAITING) {
        error = step_once(flow, MET__ACTION_COLLECT, &is_done);
        if (error == MET_OK) {
            error = met__flow_advance(flow);
        }
    }
    if (error == MET_OK
        && met__invoice_step_is_legal(flow->invoice->state,
                                      MET__ACTION_APPROVE)) {
        error = step_once(flow, MET__ACTION_APPROVE, &is_done);
        if (error == MET_OK) {
            error = met__flow_advance(flow);
        }
    }
    return error;
}

met_error met__flow_act(met__invoice_flow *flow, uint32_t action)
{
    uint32_t state = flow->invoice->state;
    met__text name = met__invoice_state_name(state);
    met__text done = met__invoice_action_name(action);
    int is_done = 0;
    met_error error = step_once(flow, action, &is_done);

    if (error == MET_OK && !is_done) {
        return met__fail(
            flow->info, MET_E_CONFLICT, "action",
            met__invoice_step_is_legal(state, action)
                ? "%.*s has to wait: the invoice is %.*s"
                : "%.*s does not lead on: the invoice is %.*s",
            (int)done.size, done.data, (int)name.size, name.data);
    }
    return error == MET_OK ? met__flow_advance(flow) : error;
}

/* --- Stored --------------------------------------------------------------- */
met_error met__flow_load(met__invoice_flow *flow, met__text id)
{
    static const met__path path = {NULL, "billing_profile", 0};
    met__billing_profile *profile = NULL;
    met__invoice *before = NULL;
    met_error error =
        met__invoice_get(flow->txn, id, flow->arena, &before);

    if (error != MET_OK) {
        return error;
    }
    flow->before = before;
    flow->invoice = met__arena_allocate(flow->arena, sizeof *before);
    if (flow->invoice == NULL) {
        return MET_E_NO_MEMORY;
    }
    *flow->invoice = *before;
    flow->is_booked_open = met__invoice_is_draft(before->state)
                           && before->state < MET__STATE_ISSUED;
    flow->is_taken_back = before->state >= MET__STATE_DELETING;
    error = met__billing_profile_read(before->profile, &path, flow->arena,
                                      &profile, NULL);
    flow->profile = profile;
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

met_error met__flow_store(met__invoice_flow *flow)
{
    met__invoice *invoice = flow->invoice;
    const met__node *name = met__node_get(invoice->customer, "name");
    met_error error = MET_OK;

    if (invoice->number.size == 0) {
        error = met__draft_number(flow->txn,
                                  name != NULL ? name->as.text
                                               : MET__TEXT(""),
                                  flow->arena, &invoice->number);
    }
    return error == MET_OK ? met__invoice_put(flow->txn, invoice,
                                              flow->before, flow->arena)
                           : error;
}
