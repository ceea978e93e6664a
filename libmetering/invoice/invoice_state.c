/* The table of steps, and look-ups in it. Nothing else in the library knows
 * which step is legal. */
#include "invoice/invoice_state.h"

#include "base/check.h"

#define STEP(from, action, to)                                      \
    {MET__STATE_##from, MET__ACTION_##action, MET__STATE_##to, \
     MET__WHEN_ALWAYS}
#define STEP_WHEN(from, action, to, when)                           \
    {MET__STATE_##from, MET__ACTION_##action, MET__STATE_##to, \
     MET__WHEN_##when}
#define DELETABLE(from) STEP(from, DELETE, DELETING)
#define EDITABLE(from) STEP(from, UPDATE, UPDATING), DELETABLE(from)

/* Every legal step, ended by one of state 0. */
static const met__invoice_step steps[] = {
    STEP(CREATED, NEXT, WAITING),
    STEP(CREATED, FAIL, INVALID),
    EDITABLE(CREATED),

    STEP_WHEN(WAITING, NEXT, COLLECTING, COLLECTED),
    STEP(WAITING, COLLECT, COLLECTING),
    EDITABLE(WAITING),

    STEP(COLLECTING, NEXT, VALIDATING),
    STEP(COLLECTING, FAIL, INVALID),
    EDITABLE(COLLECTING),

    STEP(UPDATING, NEXT, WAITING),
    STEP(UPDATING, FAIL, INVALID),
    DELETABLE(UPDATING),

    STEP_WHEN(VALIDATING, NEXT, SYNCING, VALID),
    STEP(VALIDATING, FAIL, INVALID),
    EDITABLE(VALIDATING),

    STEP(INVALID, RETRY, VALIDATING),
    EDITABLE(INVALID),
    STEP(SYNC_FAILED, RETRY, VALIDATING),
    EDITABLE(SYNC_FAILED),

    STEP_WHEN(SYNCING, NEXT, AUTO_APPROVAL, AUTO),
    STEP_WHEN(SYNCING, NEXT, MANUAL_APPROVAL, MANUAL),
    STEP(SYNCING, FAIL, SYNC_FAILED),
    DELETABLE(SYNCING),

    STEP_WHEN(AUTO_APPROVAL, NEXT, READY, DRAFT_OVER),
    STEP(AUTO_APPROVAL, APPROVE, READY),
    EDITABLE(AUTO_APPROVAL),
    STEP(MANUAL_APPROVAL, APPROVE, READY),
    EDITABLE(MANUAL_APPROVAL),

    STEP_WHEN(READY, NEXT, FINALIZING, LINES),
    STEP_WHEN(READY, NEXT, DELETE_SYNCING, EMPTY),
    EDITABLE(READY),

    STEP(FINALIZING, NEXT, ISSUE_SYNCING),
    STEP(FINALIZING, FAIL, FINALIZING_FAILED),
    DELETABLE(FINALIZING),
    STEP(FINALIZING_FAILED, RETRY, FINALIZING),
    DELETABLE(FINALIZING_FAILED),
    STEP(ISSUE_SYNCING, NEXT, CHARGE_BOOKING),
    STEP(ISSUE_SYNCING, FAIL, ISSUE_SYNC_FAILED),
    DELETABLE(ISSUE_SYNCING),
    STEP(ISSUE_SYNC_FAILED, RETRY, ISSUE_SYNCING),
    DELETABLE(ISSUE_SYNC_FAILED),
    STEP(CHARGE_BOOKING, NEXT, ISSUED),
    STEP(CHARGE_BOOKING, FAIL, CHARGE_BOOKING_FAILED),
    DELETABLE(CHARGE_BOOKING),
    STEP(CHARGE_BOOKING_FAILED, RETRY, CHARGE_BOOKING),
    DELETABLE(CHARGE_BOOKING_FAILED),

    STEP(ISSUED, NEXT, PENDING),
    STEP(ISSUED, VOID, VOIDED),

    STEP(PENDING, AUTHORIZED, BOOKING_AUTHORIZED),
    STEP(PENDING, PAID, BOOKING_BOTH),
    STEP(PENDING, PAYMENT_FAILED, PAYMENT_FAILED),
    STEP(PENDING, ACTION_REQUIRED, ACTION_REQUIRED),
    STEP(PENDING, OVERDUE, OVERDUE),
    STEP(PENDING, UNCOLLECTIBLE, UNCOLLECTIBLE),
    STEP(PENDING, VOID, VOIDED),
    STEP(BOOKING_AUTHORIZED, NEXT, AUTHORIZED),
    STEP(BOOKING_BOTH, NEXT, PAID),

    STEP(AUTHORIZED, PAID, BOOKING_SETTLED),
    STEP(AUTHORIZED, PAYMENT_FAILED, PAYMENT_FAILED),
    STEP(AUTHORIZED, ACTION_REQUIRED, ACTION_REQUIRED),
    STEP(AUTHORIZED, OVERDUE, OVERDUE),
    STEP(AUTHORIZED, UNCOLLECTIBLE, UNCOLLECTIBLE),
    STEP(AUTHORIZED, VOID, VOIDED),
    STEP(BOOKING_SETTLED, NEXT, PAID),

    STEP(PAYMENT_FAILED, AUTHORIZED, BOOKING_AUTHORIZED),
    STEP(PAYMENT_FAILED, PAID, BOOKING_BOTH),
    STEP(PAYMENT_FAILED, RETRY, PENDING),
    STEP(PAYMENT_FAILED, ACTION_REQUIRED, ACTION_REQUIRED),
    STEP(PAYMENT_FAILED, OVERDUE, OVERDUE),
    STEP(PAYMENT_FAILED, UNCOLLECTIBLE, UNCOLLECTIBLE),
    STEP(PAYMENT_FAILED, VOID, VOIDED),

    STEP(ACTION_REQUIRED, AUTHORIZED, BOOKING_AUTHORIZED),
    STEP(ACTION_REQUIRED, PAID, BOOKING_BOTH),
    STEP(ACTION_REQUIRED, RETRY, PENDING),
    STEP(ACTION_REQUIRED, PAYMENT_FAILED, PAYMENT_FAILED),
    STEP(ACTION_REQUIRED, OVERDUE, OVERDUE),
    STEP(ACTION_REQUIRED, UNCOLLECTIBLE, UNCOLLECTIBLE),
    STEP(ACTION_REQUIRED, VOID, VOIDED),

    STEP(OVERDUE, AUTHORIZED, BOOKING_AUTHORIZED),
    STEP(OVERDUE, PAID, BOOKING_BOTH),
    STEP(OVERDUE, PAYMENT_FAILED, PAYMENT_FAILED),
    STEP(OVERDUE, RETRY, PENDING),
    STEP(OVERDUE, ACTION_REQUIRED, ACTION_REQUIRED),
    STEP(OVERDUE, UNCOLLECTIBLE, UNCOLLECTIBLE),
    STEP(OVERDUE, VOID, VOIDED),

    STEP(UNCOLLECTIBLE, AUTHORIZED, BOOKING_AUTHORIZED),
    STEP(UNCOLLECTIBLE, PAID, BOOKING_BOTH),
    STEP(UNCOLLECTIBLE, VOID, VOIDED),

    STEP(DELETING, NEXT, DELETE_SYNCING),
    STEP(DELETE_SYNCING, NEXT, DELETED),
    STEP(DELETE_SYNCING, FAIL, DELETE_FAILED),
    DELETABLE(DELETE_FAILED),
    {0, 0, 0, 0},
};

/* --- Names ---------------------------------------------------------------- */
static const char *const state_names[] = {
    "",
#define STATE_NAME(name, text) text,
    MET__STATE_MAP(STATE_NAME)
};

static const char *const action_names[] = {
    "",
#define ACTION_NAME(name, text) text,
    MET__ACTION_MAP(ACTION_NAME)
};

met__text met__invoice_state_name(uint32_t state)
{
    return met__text_z(state_names[state < MET__STATE_END ? state : 0]);
}

met__text met__invoice_status_name(uint32_t state)
{
    met__text name = met__invoice_state_name(state);
    const char *point = name.size > 0 ? strchr(name.data, '.') : NULL;

    return point != NULL
               ? met__text_of(name.data, (size_t)(point - name.data))
               : name;
}

met__text met__invoice_action_name(uint32_t action)
{
    return met__text_z(action_names[action < MET__ACTION_END ? action : 0]);
}

static uint32_t find_name(const char *const *names, uint32_t end,
                          met__text name)
{
    for (uint32_t i = 1; i < end; i++) {
        if (met__text_equal(met__text_z(names[i]), name)) {
            return i;
        }
    }
    return 0;
}

uint32_t met__invoice_state_of(met__text name)
{
    return find_name(state_names, MET__STATE_END, name);
}

uint32_t met__invoice_action_of(met__text name)
{
    return find_name(action_names, MET__ACTION_END, name);
}

/* --- Steps ---------------------------------------------------------------- */
static int holds(uint32_t when, const met__invoice_moment *moment)
{
    switch (when) {
    case MET__WHEN_COLLECTED:
        return moment->now_ns >= moment->collection_at_ns;
    case MET__WHEN_DRAFT_OVER:
        return moment->now_ns >= moment->draft_until_ns;
    case MET__WHEN_AUTO:
        return moment->is_auto;
    case MET__WHEN_MANUAL:
        return !moment->is_auto;
    case MET__WHEN_VALID:
        return moment->is_valid;
    case MET__WHEN_LINES:
        return moment->has_lines;
    case MET__WHEN_EMPTY:
        return !moment->has_lines;
    default:
        return 1;
    }
}

const met__invoice_step *met__invoice_step_find(
    uint32_t state, uint32_t action, const met__invoice_moment *moment)
{
    MET__ASSERT_OR(moment != NULL, NULL);
    for (const met__invoice_step *step = steps; step->from != 0;
         step++) {
        if (step->from == state && step->action == action
            && holds(step->when, moment)) {
            return step;
        }
    }
    return NULL;
}

int met__invoice_step_is_legal(uint32_t state, uint32_t action)
{
    for (const met__invoice_step *step = steps; step->from != 0;
         step++) {
        if (step->from == state && step->action == action) {
            return 1;
        }
    }
    return 0;
}

int met__invoice_is_draft(uint32_t state)
{
    return state < MET__STATE_ISSUED || state >= MET__STATE_DELETING;
}
