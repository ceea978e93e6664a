/* meter.h: meters and settlement; arguments checked here. */
#include "metering/meter.h"

#include "api/document_call.h"
#include "api/settle_steps.h"
#include "base/caller_struct.h"
#include "catalog/meter_guard.h"
#include "customer/subscription.h"
#include "invoice/billed_until.h"
#include "meter/plan_signal.h"
#include "meter/recorder.h"

/* --- Meters --------------------------------------------------------------- */
met_error met_meter_put(met_store *store, const char *json, size_t json_size,
                        met_buffer *json_out, met_error_info *info)
{
    met_error error = met__call_put_keyed(store, json, json_size, "meter",
                                          met__meter_put_guarded,
                                          met__meter_document, json_out, info);

    if (error == MET_OK) {
        (void)met__plan_announce(store); /* else the next tick does it */
    }
    return error;
}

met_error met_meter_get(met_store *store, const char *key, size_t key_size,
                        met_buffer *json_out, met_error_info *info)
{
    return met__call_show(store, key, key_size, met__meter_document, json_out,
                          info);
}

met_error met_meter_list(met_store *store, met_buffer *json_out,
                         met_error_info *info)
{
    return met__call_list(store, met__meter_list, json_out, info);
}

/* Features may be archived while subscriptions to them go on; and what was used
 * before a subscription ended is still to be billed. */
static met_error check_subscriptions(met__call *call, met__text meter_key)
{
    met__meter_use use = {{NULL, 0}, 0};
    met_error error = met__subscription_using_meter(
        call->txn, meter_key, met__txn_now_ns(call->txn), met__billed_to_end,
        &call->arena, &use);

    return error == MET_OK && use.customer_key.size > 0
               ? met__fail(&call->why, MET_E_CONFLICT, "key",
                           use.is_over
                               ? "the subscription of %.*s that ended is not "
                                 "billed to its end"
                               : "the subscription of %.*s counts by it",
                           (int)use.customer_key.size, use.customer_key.data)
               : error;
}

met_error met_meter_remove(met_store *store, const char *key, size_t key_size,
                           met_error_info *info)
{
    met__call call;
    met__text text = {NULL, 0};
    met_error error =
        met__call_by_key(&call, store, key, key_size, 1, &text, info);

    if (error == MET_OK) {
        error = met__meter_remove_guarded(call.txn, text, &call.why);
    }
    if (error == MET_OK) {
        error = check_subscriptions(&call, text);
    }
    error = met__call_end(&call, error, NULL, NULL);
    if (error == MET_OK) {
        (void)met__plan_announce(store); /* else the next tick does it */
    }
    return error;
}

/* --- Settlement ----------------------------------------------------------- */
static met_error report_document(const met__settle_report *report,
                                 met__arena *arena, met__node **node_out)
{
    met__builder builder;
    met__node *held_up = met__node_array(arena);
    met_error error = held_up != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (size_t i = 0; error == MET_OK && i < report->held_up_count; i++) {
        error = met__hold_up_append(arena, held_up, &report->held_up[i]);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_integer(&builder, "transactions",
                       (int64_t)report->transactions);
    met__build_integer(&builder, "cells", (int64_t)report->cells);
    met__build_integer(&builder, "parts", (int64_t)report->parts);
    met__build_integer(&builder, "events", (int64_t)report->events);
    met__build_integer(&builder, "slots", (int64_t)report->slots);
    met__build_integer(&builder, "slots_live", (int64_t)report->slots_live);
    met__build_integer(&builder, "slots_retired",
                       (int64_t)report->slots_retired);
    met__build_integer(&builder, "slots_damaged",
                       (int64_t)report->slots_damaged);
    met__build_integer(&builder, "cells_unreadable",
                       (int64_t)report->cells_unreadable);
    met__build_time(&builder, "oldest_unsettled",
                    report->oldest_unsettled_ns);
    if (held_up->count > 0) {
        met__build_node(&builder, "held_up_by", held_up);
    }
    met__build_integer(&builder, "duration_ns", report->duration_ns);
    return met__builder_end(&builder, node_out);
}

met_error met_store_settle(met_store *store, const met_settle_config *config,
                           met_buffer *report_out, met_error_info *info)
{
    met_settle_config known = {.struct_size = sizeof known};
    met__settle_report report = {0};
    met__call call;
    met__node *document = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK && config != NULL) {
        error = met__struct_read(&known, sizeof known,
                                 sizeof known.struct_size, config, "config",
                                 &call.why);
    }
    if (error == MET_OK && known.flags != 0) {
        error = met__fail(&call.why, MET_E_UNSUPPORTED, "config.flags",
                          "has an unknown bit");
    }
    if (error == MET_OK) {
        error = met__settle_all(store, known.cells_max, &report, &call.why);
    }
    if (error == MET_OK && report_out != NULL) {
        error = report_document(&report, &call.arena, &document);
    }
    return met__call_end(&call, error, document, report_out);
}
