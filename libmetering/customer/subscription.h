/* Subscriptions: one customer, one plan version, from when to when, and the
 * periods that follow from it.
 *
 * Document to create: {"customer": {"key"}, "plan": {"key", "version"?} or
 *   "custom_plan": {a plan without key}, "name"?, "description"?, "labels"?,
 *   "active_from"?, "active_to"?, "billing_anchor"?, "starting_phase"?}
 * Stored and shown: also id, status, created_at, updated_at, deleted_at and
 * the subscriptions before and after a change of plan.
 *
 * Records: SUBSCRIPTION[id]; SUBSCRIPTION_OF[customer key 0 id]. */
#ifndef MET_CUSTOMER_SUBSCRIPTION_H
#define MET_CUSTOMER_SUBSCRIPTION_H

#include "catalog/plan.h"
#include "customer/customer.h"

enum {
    MET__SUBSCRIPTION_SCHEDULED = 1,
    MET__SUBSCRIPTION_ACTIVE,
    MET__SUBSCRIPTION_CANCELED, /* still running, its end is known */
    MET__SUBSCRIPTION_INACTIVE
};

typedef struct met__subscription {
    met__text id;
    met__text name;
    met__text description;
    const met__node *labels; /* NULL when none */
    met__text customer_id;
    met__text customer_key;
    met__text plan_key;    /* of a custom plan: the subscription's id */
    uint32_t plan_version; /* pinned */
    uint32_t reserved;
    met__text starting_phase; /* empty: the plan's first */
    met__text previous_id;    /* what it followed by a change of plan */
    met__text superseding_id; /* what followed it */
    int64_t active_from_ns;
    int64_t active_to_ns; /* 0 = no end */
    int64_t billing_anchor_ns;
    int64_t created_at_ns;
    int64_t updated_at_ns;
    int64_t deleted_at_ns; /* 0 = not removed */
} met__subscription;

/* --- Pure ----------------------------------------------------------------- */
/* [active_from, active_to); one of zero length is inactive. */
uint32_t met__subscription_status_at(const met__subscription *subscription,
                                     int64_t at_ns);
const char *met__subscription_status_name(uint32_t status);

/* The phase that contains at_ns and its bounds, cut at active_to; an end that
 * is not known is MET__TIME_MAX. MET_E_NOT_FOUND outside the subscription.
 * A phase starts at active_from + the sum of the durations before it, from the
 * starting phase on. */
met_error met__subscription_phase_at(const met__subscription *subscription,
                                     const met__plan *plan, int64_t at_ns,
                                     size_t *phase_index_out,
                                     met__period *bounds_out);
/* The period of recurrence(plan's cadence, billing anchor) that contains
 * at_ns, clipped to the phase: the first and the last may be short. */
met_error met__subscription_billing_period(
    const met__subscription *subscription, const met__plan *plan,
    int64_t at_ns, met__period *period_out);
/* Usage is known per minute: an instant that parts usage is applied at the
 * start of its minute. */
met__period met__usage_bounds(met__period period);

/* --- Stored --------------------------------------------------------------- */
typedef struct met__subscribe {
    int64_t now_ns; /* the library's clock, or virtual in a replay */
    int allow_past; /* imports and replays */
} met__subscribe;

/* Creates now or at active_from (not more than 2 minutes in the past). The
 * plan must be active now; one subscription per customer at a time.
 * MET_E_NOT_FOUND names customer or plan, MET_E_CONFLICT the reason. */
met_error met__subscription_create(met__txn *txn, const met__node *node,
                                   const met__path *path,
                                   const met__subscribe *when,
                                   met__arena *arena,
                                   met__subscription **subscription_out,
                                   met_error_info *info);
/* A declarative catalog: a customer that has a running or scheduled
 * subscription to the plan keeps it (MET__CHANGE_NONE), otherwise one is
 * created. Another plan, or other stated times: MET_E_CONFLICT. */
met_error met__subscription_apply(met__txn *txn, const met__node *node,
                                  const met__path *path,
                                  const met__subscribe *when,
                                  met__arena *arena, uint32_t *change_out,
                                  met__subscription **subscription_out,
                                  met_error_info *info);

/* As it was exported, after its customer and its plan. MET_E_CONFLICT when the
 * store has another one in its place, or at the same time. */
met_error met__subscription_import(met__txn *txn, const met__node *node,
                                   const met__path *path, met__arena *arena,
                                   uint32_t *change_out,
                                   met__subscription **subscription_out,
                                   met_error_info *info);
/* Appends every record of a customer that is there to subscriptions, and the
 * custom plans of these to plans. */
met_error met__subscription_export_all(met__txn *txn, met__arena *arena,
                                       met__node *subscriptions,
                                       met__node *plans);

/* --- What may become of one: the table of subscription_transition.c ------- */
typedef struct met__cancel {
    int64_t at_ns;  /* 0 = now, else a boundary of a billing period */
    int64_t now_ns;
    int at_next_billing_cycle; /* the end of the current period, at_ns = 0 */
    int allow_past;
} met__cancel;

/* Each: MET_E_NOT_FOUND, and MET_E_CONFLICT "transition X in state Y not
 * allowed". Sets active_to; a scheduled one ends where it would begin. */
met_error met__subscription_cancel(met__txn *txn, met__text id,
                                   const met__cancel *when,
                                   met_error_info *info);
/* Takes a cancellation back; MET_E_CONFLICT also when another one follows. */
met_error met__subscription_continue(met__txn *txn, met__text id,
                                     int64_t now_ns, met_error_info *info);
/* Removes one that has not begun: what it was to follow keeps its end. */
met_error met__subscription_remove(met__txn *txn, met__text id,
                                   int64_t now_ns, met_error_info *info);
/* Removes what is scheduled for the customer, and continues this one. */
met_error met__subscription_restore(met__txn *txn, met__text id,
                                    int64_t now_ns, met_error_info *info);

/* Cancels, and creates what follows at that very instant: by another plan
 * (change) or by a later version of the same (migrate; node may be NULL). The
 * billing anchor stays unless node states one. Both in the arena. */
typedef struct met__succession {
    met__subscription *current;
    met__subscription *next;
} met__succession;

met_error met__subscription_change(met__txn *txn, met__text id,
                                   const met__node *node,
                                   const met__path *path,
                                   const met__cancel *when, met__arena *arena,
                                   met__succession *out,
                                   met_error_info *info);
met_error met__subscription_migrate(met__txn *txn, met__text id,
                                    const met__node *node,
                                    const met__path *path,
                                    const met__cancel *when,
                                    met__arena *arena, met__succession *out,
                                    met_error_info *info);

met_error met__subscription_get(met__txn *txn, met__text id,
                                met__arena *arena,
                                met__subscription **subscription_out);
/* With its customer, whatever key that has by now. MET_E_NOT_FOUND: either is
 * gone. */
met_error met__subscription_owner(met__txn *txn, met__text id,
                                  met__arena *arena,
                                  met__subscription **subscription_out,
                                  met__customer **customer_out);
/* The one that runs at at_ns (active or canceled). MET_E_NOT_FOUND. */
met_error met__subscription_at(met__txn *txn, met__text customer_key,
                               int64_t at_ns, met__arena *arena,
                               met__subscription **subscription_out);
/* All of a stored customer, by active_from; subscriptions of an earlier
 * customer of this key are not its own, and removed ones are left out. */
met_error met__subscriptions_of(met__txn *txn, const met__customer *customer,
                                met__arena *arena,
                                met__subscription ***array_out,
                                size_t *count_out);
/* Of the customer with this key. MET_E_NOT_FOUND. */
met_error met__subscription_each(met__txn *txn, met__text customer_key,
                                 met__arena *arena,
                                 met__subscription ***array_out,
                                 size_t *count_out);
/* The pinned plan version. */
met_error met__subscription_plan(met__txn *txn,
                                 const met__subscription *subscription,
                                 met__arena *arena, met__plan **plan_out);

/* A subscription that counts by a meter, archived features included. */
typedef struct met__meter_use {
    met__text customer_key; /* empty: there is none */
    int is_over;            /* and still needed */
} met__meter_use;

/* One that is over needs the meter until is_done says 1. */
typedef met_error met__subscription_done(met__txn *txn,
                                         const met__subscription *subscription,
                                         met__arena *arena, int *is_done_out);
met_error met__subscription_using_meter(met__txn *txn, met__text meter_key,
                                        int64_t now_ns,
                                        met__subscription_done *is_done,
                                        met__arena *arena,
                                        met__meter_use *use_out);
/* How many were ever made to a version of a plan: the guard of removing it. */
met_error met__subscription_to_plan(met__txn *txn, met__text plan_key,
                                    uint32_t plan_version, size_t *count_out);

/* With its status at an instant. */
met_error met__subscription_document(met__txn *txn,
                                     const met__subscription *subscription,
                                     int64_t at_ns, met__arena *arena,
                                     met__node **node_out);
/* The same, and the phase and the billing period that the instant is in. */
met_error met__subscription_document_at(met__txn *txn,
                                        const met__subscription *subscription,
                                        int64_t at_ns, met__arena *arena,
                                        met__node **node_out);
/* Of one customer, or of all when customer_key is empty. */
met_error met__subscription_list(met__txn *txn, met__text customer_key,
                                 int64_t now_ns, met__arena *arena,
                                 met__node **array_out);

#endif
