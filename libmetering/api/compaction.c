/* meter.h: compaction and its settings; arguments checked here. */
#include "metering/meter.h"

#include "api/document_call.h"
#include "base/caller_struct.h"
#include "entitlement/grant_guard.h"

/* --- Compaction ----------------------------------------------------------- */
static met_error report_document(const met__compact_report *report,
                                 met__arena *arena, met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_integer(&builder, "transactions",
                       (int64_t)report->transactions);
    met__build_integer(&builder, "parts", (int64_t)report->parts);
    met__build_integer(&builder, "hours", (int64_t)report->hours);
    met__build_integer(&builder, "hours_folded",
                       (int64_t)report->hours_folded);
    met__build_integer(&builder, "days", (int64_t)report->days);
    met__build_integer(&builder, "bytes_freed", (int64_t)report->bytes_freed);
    met__build_integer(&builder, "bytes_written",
                       (int64_t)report->bytes_written);
    met__build_integer(&builder, "duration_ns", report->duration_ns);
    return met__builder_end(&builder, node_out);
}

static met_error read_config(met_store *store, const met_compact_config *config,
                             met_compact_config *known, met_error_info *info)
{
    int64_t now_ns = met__now_utc_ns(met__store_platform(store));
    met_error error = MET_OK;

    if (config != NULL) {
        error = met__struct_read(known, sizeof *known,
                                 sizeof known->struct_size, config, "config",
                                 info);
    }
    if (error == MET_OK && known->flags != 0) {
        error = met__fail(info, MET_E_UNSUPPORTED, "config.flags",
                          "has an unknown bit");
    }
    if (error == MET_OK && (known->as_of_ns < 0 || known->as_of_ns > now_ns)) {
        error = met__fail(info, MET_E_INVALID, "config.as_of_ns", "%s",
                          known->as_of_ns < 0 ? "is before 1970"
                                              : "is in the future");
    }
    known->as_of_ns = known->as_of_ns == 0 ? now_ns : known->as_of_ns;
    return error;
}

met_error met_store_compact(met_store *store, const met_compact_config *config,
                            met_buffer *report_out, met_error_info *info)
{
    met_compact_config known = {.struct_size = sizeof known};
    met__compact_report report = {0};
    met__call call;
    met__node *document = NULL;
    met__period_guard *periods = NULL;
    met_error error = met__call_begin(&call, store, info);

    if (error == MET_OK) {
        error = read_config(store, config, &known, &call.why);
    }
    if (error == MET_OK) {
        error = met__period_guard_create(store, &met__grant_guard,
                                         &periods);
    }
    if (error == MET_OK) {
        const met__compact_guard guard = met__period_guard_of(periods);
        error = met__compact(store, known.as_of_ns, known.records_max,
                             MET__COMPACT_STEP, &guard, &report, &call.why);
    }
    met__period_guard_destroy(periods);
    if (error == MET_OK && report_out != NULL) {
        error = report_document(&report, &call.arena, &document);
    }
    return met__call_end(&call, error, document, report_out);
}

/* --- Settings ------------------------------------------------------------- */
met_error met_usage_settings_put(met_store *store, const char *json,
                                 size_t json_size, met_buffer *json_out,
                                 met_error_info *info)
{
    return met__call_put_settings(store, json, json_size,
                                  met__usage_settings_put,
                                  met__usage_settings_describe, json_out, info);
}

met_error met_usage_settings_get(met_store *store, met_buffer *json_out,
                                 met_error_info *info)
{
    return met__call_describe(store, met__usage_settings_describe, json_out,
                              info);
}
