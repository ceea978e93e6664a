/* Metrics in the OpenMetrics text format: the numbers that reports have, each
 * with its name, type and help. Which they are stands in the tables below;
 * a number that a report lacks is left out.
 * In: reports. Out: text. */
#include "gateway/metrics.h"

#include "gateway/gateway_handle.h"
#include "meter/tally_report.h"
#include "store/store_open.h"

typedef struct metric {
    const char *name; /* without _total */
    const char *help;
    const char *parent; /* the object that member is in; NULL: the report */
    const char *member; /* with a label: an object of numbers */
    const char *label;
    int is_counter;
    int reserved;
} metric;

/* --- What there is -------------------------------------------------------- */
static const metric store_metrics[] = {
    {"metering_store_map_bytes", "Address space of the store.", NULL,
     "map_size_bytes", NULL, 0, 0},
    {"metering_store_used_bytes", "Bytes of the store that are in use.", NULL,
     "used_bytes", NULL, 0, 0},
    {"metering_store_transactions", "Transactions that changed the store.",
     NULL, "transactions", NULL, 1, 0},
    {"metering_store_readers", "Transactions that read the store now.", NULL,
     "readers", NULL, 0, 0},
    {"metering_store_oldest_reader_transactions",
     "Transactions since the oldest reader began.", "oldest_reader",
     "transactions_behind", NULL, 0, 0},
    {"metering_store_records", "Records of a table.", NULL, "tables", "table",
     0, 0},
    {"metering_recorder_slots", "Slot files of recorders.", "tally", "slots",
     NULL, 0, 0},
    {"metering_recorder_slots_live", "Slot files whose recorder lives.",
     "tally", "slots_live", NULL, 0, 0},
    {"metering_recorder_slots_dead",
     "Slot files of dead recorders that wait to be settled.", "tally",
     "slots_dead", NULL, 0, 0},
    {"metering_recorder_slots_damaged", "Slot files that cannot be read.",
     "tally", "slots_damaged", NULL, 0, 0},
    {"metering_recorder_cells_unsettled",
     "Cells of usage that are not in the store yet.", "tally",
     "cells_unsettled", NULL, 0, 0},
    {"metering_recorder_cells_unreadable",
     "Cells of usage that cannot be read.", "tally", "cells_unreadable", NULL,
     0, 0},
    {"metering_recorder_oldest_unsettled_seconds",
     "Age of the oldest usage that is not in the store yet.", "tally",
     "oldest_unsettled_seconds", NULL, 0, 0},
    {"metering_recorder_full_percent", "How full the fullest recorder is.",
     "tally", "full_percent", NULL, 0, 0},
    {"metering_recorder_overflowed",
     "Events whose attributes became __overflow__.", "tally", "overflowed",
     NULL, 1, 0},
    {"metering_recorder_refused", "Events that found no room.", "tally",
     "refused", NULL, 1, 0},
    {"metering_recorder_files_lost",
     "Slot files that were cut short under their recorder.", "tally",
     "files_lost", NULL, 0, 0},
    {"metering_recorder_events_lost_most",
     "Events that were not settled in them, at most.", "tally",
     "events_lost_most", NULL, 0, 0}};

static const metric gateway_metrics[] = {
    {"metering_gateway_requests", "Requests decided.", NULL, "requests", NULL,
     1, 0},
    {"metering_gateway_admitted", "Requests let through.", NULL, "admitted",
     NULL, 1, 0},
    {"metering_gateway_refused", "Requests refused, by reason.", NULL,
     "refused", "reason", 1, 0},
    {"metering_gateway_completed", "Admitted requests that were counted.",
     NULL, "completed", NULL, 1, 0},
    {"metering_gateway_not_served", "Admitted requests that count nothing.",
     NULL, "not_served", NULL, 1, 0},
    {"metering_gateway_failures", "Failures on the request path, by cause.",
     NULL, "failures", "cause", 1, 0},
    {"metering_gateway_failed_open",
     "Requests let through because something failed.", NULL, "failed_open",
     NULL, 1, 0},
    {"metering_gateway_without_subject",
     "Completed requests that are nobody's usage.", NULL, "without_subject",
     NULL, 1, 0},
    {"metering_gateway_keys", "API keys looked up, by how they were known.",
     NULL, "keys", "known", 1, 0},
    {"metering_gateway_snapshot_number", "Number of the catalog in force.",
     "snapshot", "number", NULL, 0, 0},
    {"metering_gateway_consumers", "Consumers in the catalog in force.",
     "snapshot", "consumers", NULL, 0, 0},
    {"metering_gateway_credentials", "API keys in the catalog in force.",
     "snapshot", "credentials", NULL, 0, 0},
    {"metering_gateway_limits_missing",
     "Limits that the limiter has no room for.", "snapshot",
     "limits_missing", NULL, 0, 0},
    {"metering_gateway_snapshots_refused",
     "Compiled catalogs that could not be used.", "snapshot", "refused", NULL,
     1, 0}};

static const metric limiter_metrics[] = {
    {"metering_limiter_capacity_records", "Records of the table.", "limiter",
     "capacity", NULL, 0, 0},
    {"metering_limiter_used_records",
     "Records that were ever claimed; idle ones are used again.", "limiter",
     "records_used", NULL, 0, 0},
    {"metering_limiter_live_records", "Records that are not idle.", "limiter",
     "records_live", NULL, 0, 0},
    {"metering_limiter_policies", "Limits that are set.", "limiter",
     "policies", NULL, 0, 0},
    {"metering_limiter_decisions", "Decisions of this handle.", "limiter",
     "decisions", NULL, 1, 0},
    {"metering_limiter_refusals", "Refusals of this handle.", "limiter",
     "refusals", NULL, 1, 0},
    {"metering_limiter_reclaimed", "Idle records given to another key.",
     "limiter", "reclaimed", NULL, 1, 0},
    {"metering_limiter_full_allowed",
     "Decisions that let through because the table was full.", "limiter",
     "full_allowed", NULL, 1, 0},
    {"metering_limiter_full_refused",
     "Decisions that refused because the table was full.", "limiter",
     "full_refused", NULL, 1, 0},
    {"metering_limiter_withheld", "Hits that could not be given back.",
     "limiter", "withheld", NULL, 1, 0},
    {"metering_limiter_contended", "Decisions that gave up after many races.",
     "limiter", "contended", NULL, 1, 0}};

/* --- Text ----------------------------------------------------------------- */
static void put_name(const met__metrics *to, const metric *one, int is_sample)
{
    met__buffer_text(to->out, one->name);
    if (one->is_counter
        && (is_sample || (to->flags & MET_STATS_PROMETHEUS) != 0)) {
        met__buffer_text(to->out, "_total");
    }
}

static void put_head(const met__metrics *to, const metric *one)
{
    met__buffer_text(to->out, "# HELP ");
    put_name(to, one, 0);
    met__buffer_print(to->out, " %s\n# TYPE ", one->help);
    put_name(to, one, 0);
    met__buffer_text(to->out, one->is_counter ? " counter\n" : " gauge\n");
}

/* value: of the label, without anything that needs escaping; or empty. */
static void put_sample(const met__metrics *to, const metric *one,
                       met__text value, uint64_t number)
{
    put_name(to, one, 1);
    if (one->label != NULL) {
        met__buffer_print(to->out, "{%s=\"%.*s\"}", one->label,
                          (int)value.size, value.data);
    }
    met__buffer_print(to->out, " %llu\n", (unsigned long long)number);
}

static void put_metric(const met__metrics *to, const metric *one,
                       const met__node *report)
{
    met__text none = {"", 0};
    const met__node *parent = one->parent != NULL
                                  ? met__node_get(report, one->parent)
                                  : report;
    const met__node *node =
        parent != NULL ? met__node_get(parent, one->member) : NULL;

    if (node == NULL) {
        return;
    }
    put_head(to, one);
    if (one->label == NULL) {
        put_sample(to, one, none, (uint64_t)node->as.integer);
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const met__member *member = &node->as.members[i];
        put_sample(to, one, member->name, (uint64_t)member->node->as.integer);
    }
}

static void put_all(const met__metrics *to, const metric *metrics,
                    size_t count, const met__node *report)
{
    for (size_t i = 0; i < count; i++) {
        put_metric(to, &metrics[i], report);
    }
}

void met__metrics_end(const met__metrics *metrics)
{
    if ((metrics->flags & MET_STATS_PROMETHEUS) == 0) {
        met__buffer_text(metrics->out, "# EOF\n");
    }
}

/* --- Sources -------------------------------------------------------------- */
met_error met__metrics_gateway(const met__metrics *metrics,
                               met_gateway *gateway)
{
    met__node *report = NULL;
    met_error error =
        met__gateway_describe(gateway, metrics->arena, &report);

    if (error == MET_OK) {
        put_all(metrics, gateway_metrics,
                sizeof gateway_metrics / sizeof *gateway_metrics, report);
    }
    return error;
}

/* The table's own counters; of the handle, and of its records, what is not
 * known without it is left out. */
static met_error describe_limiter(const met_limiter_stats *stats,
                                  int is_of_handle, met__arena *arena,
                                  met__node *report)
{
    const struct {
        const char *name;
        uint64_t number;
        int is_of_handle;
    } rows[] = {{"capacity", stats->capacity, 0},
                {"records_used", stats->records_used, 0},
                {"records_live", stats->records_live, 1},
                {"policies", stats->policies, 0},
                {"decisions", stats->decisions, 1},
                {"refusals", stats->refusals, 1},
                {"inserted", stats->inserted, 0},
                {"reclaimed", stats->reclaimed, 0},
                {"full_allowed", stats->full_allowed, 0},
                {"full_refused", stats->full_refused, 0},
                {"undone", stats->undone, 0},
                {"withheld", stats->withheld, 0},
                {"contended", stats->contended, 0},
                {"duplicates", stats->duplicates, 0}};
    met__builder builder;
    met__node *node = NULL;

    met__builder_begin(&builder, arena);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (is_of_handle || !rows[i].is_of_handle) {
            met__build_integer(&builder, rows[i].name,
                               (int64_t)rows[i].number);
        }
    }
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK ? met__node_set(arena, report, "limiter", node)
                           : error;
}

met_error met__limits_describe(met_store *store, met__arena *arena,
                               met__node *report)
{
    met_limiter_stats stats = {.struct_size = sizeof stats};
    char *path = met__gateway_limits_path(store, arena);
    met_error error =
        path == NULL ? MET_E_NO_MEMORY
                     : met__limiter_look(met__store_platform(store), path,
                                         &stats);

    if (error == MET_E_NOT_FOUND || error == MET_E_CORRUPT
        || error == MET_E_FOREIGN || error == MET_E_LAYOUT) {
        return MET_OK; /* there is none that counts */
    }
    return error == MET_OK ? describe_limiter(&stats, 0, arena, report)
                           : error;
}

met_error met__metrics_limiter(const met__metrics *metrics,
                               met_limiter *limiter)
{
    met_limiter_stats stats = {.struct_size = sizeof stats};
    met__node *report = met__node_object(metrics->arena);
    met_error error = report != NULL ? met__limiter_stats(limiter, &stats)
                                     : MET_E_NO_MEMORY;

    if (error == MET_OK) {
        error = describe_limiter(&stats, 1, metrics->arena, report);
    }
    if (error == MET_OK) {
        put_all(metrics, limiter_metrics,
                sizeof limiter_metrics / sizeof *limiter_metrics, report);
    }
    return error;
}

met_error met__metrics_store(const met__metrics *metrics, met_store *store,
                             int with_limiter)
{
    met_error error = met__store_check_handle(store);
    met__node *report = met__node_object(metrics->arena);

    if (error == MET_OK && report == NULL) {
        error = MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = met__store_describe(store, metrics->arena, report);
    }
    if (error == MET_OK) {
        error = met__tally_describe(store, metrics->arena, report);
    }
    if (error == MET_OK && with_limiter) {
        error = met__limits_describe(store, metrics->arena, report);
    }
    if (error == MET_OK) {
        put_all(metrics, store_metrics,
                sizeof store_metrics / sizeof *store_metrics, report);
        put_all(metrics, limiter_metrics,
                sizeof limiter_metrics / sizeof *limiter_metrics, report);
    }
    return error;
}
