/* The life of an invoice: every state, every action, and which step leads
 * where. Pure. Source: OpenMeter, billing/service/stdinvoicestate.go; void
 * from overdue is from Kong's table. */
#ifndef MET_INVOICE_INVOICE_STATE_H
#define MET_INVOICE_INVOICE_STATE_H

#include "base/bytes.h"

/* name, what documents call it. The status is the part before the point. */
#define MET__STATE_MAP(X)                                                    \
    X(MET__STATE_CREATED, "draft.created")                                   \
    X(MET__STATE_WAITING, "draft.waiting_for_collection")                    \
    X(MET__STATE_COLLECTING, "draft.collecting")                             \
    X(MET__STATE_UPDATING, "draft.updating")                                 \
    X(MET__STATE_VALIDATING, "draft.validating")                             \
    X(MET__STATE_INVALID, "draft.invalid")                                   \
    X(MET__STATE_SYNCING, "draft.syncing")                                   \
    X(MET__STATE_SYNC_FAILED, "draft.sync_failed")                           \
    X(MET__STATE_AUTO_APPROVAL, "draft.waiting_auto_approval")               \
    X(MET__STATE_MANUAL_APPROVAL, "draft.manual_approval_needed")            \
    X(MET__STATE_READY, "draft.ready_to_issue")                              \
    X(MET__STATE_FINALIZING, "issuing.line_finalization")                    \
    X(MET__STATE_FINALIZING_FAILED, "issuing.line_finalization_failed")      \
    X(MET__STATE_ISSUE_SYNCING, "issuing.syncing")                           \
    X(MET__STATE_ISSUE_SYNC_FAILED, "issuing.sync_failed")                   \
    X(MET__STATE_CHARGE_BOOKING, "issuing.charge_booking")                   \
    X(MET__STATE_CHARGE_BOOKING_FAILED, "issuing.charge_booking_failed")     \
    X(MET__STATE_ISSUED, "issued")                                           \
    X(MET__STATE_PENDING, "payment_processing.pending")                      \
    X(MET__STATE_BOOKING_AUTHORIZED, "payment_processing.booking_authorized") \
    X(MET__STATE_BOOKING_BOTH,                                               \
      "payment_processing.booking_authorized_and_settled")                   \
    X(MET__STATE_AUTHORIZED, "payment_processing.authorized")                \
    X(MET__STATE_BOOKING_SETTLED, "payment_processing.booking_settled")      \
    X(MET__STATE_PAYMENT_FAILED, "payment_processing.failed")                \
    X(MET__STATE_ACTION_REQUIRED, "payment_processing.action_required")      \
    X(MET__STATE_OVERDUE, "overdue")                                         \
    X(MET__STATE_PAID, "paid")                                               \
    X(MET__STATE_UNCOLLECTIBLE, "uncollectible")                             \
    X(MET__STATE_VOIDED, "voided")                                           \
    X(MET__STATE_DELETING, "delete.in_progress")                             \
    X(MET__STATE_DELETE_SYNCING, "delete.syncing")                           \
    X(MET__STATE_DELETE_FAILED, "delete.failed")                             \
    X(MET__STATE_DELETED, "deleted")

enum {
    MET__STATE_NONE = 0,
#define MET__STATE_ENUM(name, text) name,
    MET__STATE_MAP(MET__STATE_ENUM)
#undef MET__STATE_ENUM
        MET__STATE_END
};

#define MET__ACTION_MAP(X)                                    \
    X(MET__ACTION_NEXT, "next")                               \
    X(MET__ACTION_FAIL, "fail")                               \
    X(MET__ACTION_UPDATE, "update")                           \
    X(MET__ACTION_COLLECT, "collect")                         \
    X(MET__ACTION_RETRY, "retry")                             \
    X(MET__ACTION_APPROVE, "approve")                         \
    X(MET__ACTION_DELETE, "delete")                           \
    X(MET__ACTION_VOID, "void")                               \
    X(MET__ACTION_AUTHORIZED, "authorized")                   \
    X(MET__ACTION_PAID, "paid")                               \
    X(MET__ACTION_PAYMENT_FAILED, "payment_failed")           \
    X(MET__ACTION_ACTION_REQUIRED, "action_required")         \
    X(MET__ACTION_OVERDUE, "overdue")                         \
    X(MET__ACTION_UNCOLLECTIBLE, "uncollectible")

enum {
    MET__ACTION_NONE = 0,
#define MET__ACTION_ENUM(name, text) name,
    MET__ACTION_MAP(MET__ACTION_ENUM)
#undef MET__ACTION_ENUM
        MET__ACTION_END
};

/* What a step may wait for. */
enum {
    MET__WHEN_ALWAYS = 0,
    MET__WHEN_COLLECTED, /* now >= collection_at, or there is none */
    MET__WHEN_DRAFT_OVER, /* now >= draft_until */
    MET__WHEN_AUTO,       /* auto_advance, */
    MET__WHEN_MANUAL,     /* and the opposite */
    MET__WHEN_VALID,      /* nothing critical is known against it */
    MET__WHEN_LINES,      /* something is on it, */
    MET__WHEN_EMPTY       /* and the opposite */
};

typedef struct met__invoice_step {
    uint8_t from;   /* MET__STATE_* */
    uint8_t action; /* MET__ACTION_* */
    uint8_t to;
    uint8_t when; /* MET__WHEN_* */
} met__invoice_step;

/* What steps wait for, as it is now. */
typedef struct met__invoice_moment {
    int64_t now_ns;
    int64_t collection_at_ns; /* 0: nothing to wait for */
    int64_t draft_until_ns;
    int is_auto;
    int is_valid;
    int has_lines;
    int reserved;
} met__invoice_moment;

/* NULL: no such step, or none whose condition holds. */
const met__invoice_step *met__invoice_step_find(
    uint32_t state, uint32_t action, const met__invoice_moment *moment);
/* Some step of this action leads on from the state, now or later. */
int met__invoice_step_is_legal(uint32_t state, uint32_t action);
/* Not given to the customer: it has no final number. */
int met__invoice_is_draft(uint32_t state);

met__text met__invoice_state_name(uint32_t state);
met__text met__invoice_status_name(uint32_t state); /* up to the point */
met__text met__invoice_action_name(uint32_t action);
/* MET__STATE_NONE, MET__ACTION_NONE: no such name. */
uint32_t met__invoice_state_of(met__text name);
uint32_t met__invoice_action_of(met__text name);

#endif
