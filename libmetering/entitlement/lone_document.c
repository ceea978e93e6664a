/* Entitlements that stand alone, and resets, as documents. In: what a caller
 * wants, or a record. Out: structs, or what is stored and shown. */
#include "entitlement/entitled_parts.h"

#include "base/limits.h"

static const char *const types[] = {"metered", "static", "boolean", NULL};

static const char *const unserved[] = {
    "labels",      "annotations", "subject_key", "subscription", "grants",
    "is_unlimited", "name",       "description", NULL};

static void read_priority(met__fields *fields, met__lone *made)
{
    int64_t priority = -1;

    (void)met__fields_integer(fields, "issue_after_reset_priority",
                              MET__OPTIONAL, 0, MET__GRANT_PRIORITY_MAX,
                              &priority);
    made->has_priority = priority >= 0;
    made->priority = priority >= 0 ? (uint32_t)priority : 1;
}

/* A time, or one of two words. */
static void read_measure(met__fields *fields, met__lone *made)
{
    const met__node *node = NULL;

    if (met__fields_any(fields, "measure_usage_from", MET__OPTIONAL, &node)
            != MET_OK
        || node == NULL || node->kind == MET__NODE_NULL) {
        return;
    }
    if (node->kind != MET__NODE_TEXT) {
        (void)met__fields_fail(fields, "measure_usage_from",
                               "must be a time, \"now\" or "
                               "\"current_period_start\"");
    } else if (met__text_equal(node->as.text,
                               MET__TEXT("current_period_start"))) {
        made->measure_from = MET__MEASURE_FROM_PERIOD;
    } else if (!met__text_equal(node->as.text, MET__TEXT("now"))) {
        made->measure_from = MET__MEASURE_FROM_AT;
        if (met__time_parse(node->as.text, &made->measured_from_ns)
            != MET_OK) {
            (void)met__fields_fail(fields, "measure_usage_from",
                                   "must be a time, \"now\" or "
                                   "\"current_period_start\"");
        }
    }
}

void met__lone_read_metered(met__fields *fields, met__lone *made)
{
    int has_period = 0;

    made->usage_period.anchor_ns = -1;
    (void)met__recurrence_read(fields, "usage_period", &made->usage_period,
                               &has_period);
    if (fields->error == MET_OK && !has_period) {
        (void)met__fields_fail(fields, "usage_period", "is required");
    }
    made->terms.usage_period = made->usage_period.interval;
    made->terms.has_usage_period = 1;
    made->terms.has_limit = 1;
    (void)met__fields_decimal(fields, "issue_after_reset", MET__OPTIONAL, 0,
                              &made->terms.limit);
    read_priority(fields, made);
    if (fields->error == MET_OK && made->has_priority
        && met__decimal_is_zero(made->terms.limit)) {
        (void)met__fields_fail(
            fields, "issue_after_reset_priority",
            "entitlement_template_invalid_issue_after_reset_with_priority: "
            "needs an issue_after_reset");
    }
    (void)met__fields_boolean(fields, "is_soft_limit", MET__OPTIONAL,
                              &made->terms.is_soft_limit);
    (void)met__fields_boolean(fields, "preserve_overage_at_reset",
                              MET__OPTIONAL, &made->preserves_overage);
    read_measure(fields, made);
}

static void read_config(met__fields *fields, met__arena *arena,
                        met__lone *made)
{
    met__buffer buffer;

    (void)met__fields_any(fields, "config", MET__OPTIONAL,
                          &made->terms.config);
    if (fields->error == MET_OK && made->terms.config == NULL) {
        (void)met__fields_fail(
            fields, "config",
            "entitlement_template_invalid_json_config: is required");
        return;
    }
    if (fields->error != MET_OK) {
        return;
    }
    met__buffer_init(&buffer, arena->platform);
    met__json_write(made->terms.config, 0, &buffer);
    fields->error = buffer.error;
    if (fields->error == MET_OK && buffer.size > MET__CONFIG_SIZE_MAX) {
        (void)met__fields_fail(fields, "config",
                               "must have at most %d bytes as JSON",
                               MET__CONFIG_SIZE_MAX);
    }
    met__buffer_release(&buffer);
}

/* What only records have. */
static void read_stamp(met__fields *fields, met__lone *made)
{
    (void)met__fields_stamp(fields, &made->id, &made->created_at_ns,
                            &made->updated_at_ns);
    (void)met__fields_text(fields, "feature_id", MET__REQUIRED, 1,
                           MET__KEY_SIZE_MAX, &made->feature_id);
}

met_error met__lone_read(const met__node *node, const met__path *path,
                         int is_record, met__arena *arena,
                         met__lone *lone_out, met_error_info *info)
{
    met__lone made = {.terms = {.limit = met__decimal_zero()},
                      .priority = 1,
                      .measured_from_ns = -1,
                      .active_from_ns = -1,
                      .active_to_ns = MET__TIME_MAX};
    uint32_t type = 0;
    met__fields fields;
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__owner_read(&fields, is_record, &made.owner);
    (void)met__fields_choice(&fields, "type", MET__REQUIRED, types, &type);
    (void)met__fields_time(&fields, "active_from", MET__OPTIONAL,
                           &made.active_from_ns);
    (void)met__fields_time(&fields, "active_to", MET__OPTIONAL,
                           &made.active_to_ns);
    (void)met__metadata_read(&fields, arena, &made.metadata);
    made.terms.type = type + 1;
    if (made.terms.type == MET__ENTITLEMENT_METERED) {
        met__lone_read_metered(&fields, &made);
    } else if (made.terms.type == MET__ENTITLEMENT_STATIC) {
        read_config(&fields, arena, &made);
    }
    if (is_record) {
        read_stamp(&fields, &made);
    }
    error = met__fields_end(&fields);
    if (error == MET_OK && !is_record) {
        error = met__amount_check(made.terms.limit, path, "issue_after_reset",
                                  info);
    }
    if (error == MET_OK) {
        *lone_out = made;
    }
    return error;
}

static void build_metered(const met__lone *lone, met__builder *builder)
{
    met__recurrence_build(builder, "usage_period", &lone->usage_period);
    met__build_instant(builder, "measure_usage_from", lone->measured_from_ns);
    met__build_decimal(builder, "issue_after_reset", lone->terms.limit);
    if (lone->has_priority) {
        met__build_integer(builder, "issue_after_reset_priority",
                           lone->priority);
    }
    met__build_boolean(builder, "is_soft_limit", lone->terms.is_soft_limit);
    met__build_boolean(builder, "preserve_overage_at_reset",
                       lone->preserves_overage);
}

met_error met__lone_document(const met__lone *lone, met__arena *arena,
                             met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_stamp(&builder, lone->id, lone->created_at_ns,
                     lone->updated_at_ns);
    met__owner_build(&builder, &lone->owner);
    met__build_text(&builder, "feature_id", lone->feature_id);
    met__build_text(&builder, "type",
                    met__text_z(types[lone->terms.type - 1]));
    met__build_instant(&builder, "active_from", lone->active_from_ns);
    if (lone->active_to_ns != MET__TIME_MAX) {
        met__build_instant(&builder, "active_to", lone->active_to_ns);
    }
    if (lone->terms.type == MET__ENTITLEMENT_METERED) {
        build_metered(lone, &builder);
    }
    met__build_node(&builder, "config", lone->terms.config);
    met__build_node(&builder, "metadata", lone->metadata);
    return met__builder_end(&builder, node_out);
}

/* --- Resets --------------------------------------------------------------- */
met_error met__reset_read(const met__node *node, const met__path *path,
                          met__reset_request *request_out,
                          met_error_info *info)
{
    met__reset_request made = {-1, 0, -1};
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_time(&fields, "at", MET__OPTIONAL, &made.at_ns);
    (void)met__fields_boolean(&fields, "retain_anchor", MET__OPTIONAL,
                              &made.retains_anchor);
    (void)met__fields_boolean(&fields, "preserve_overage", MET__OPTIONAL,
                              &made.preserves_overage);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        *request_out = made;
    }
    return error;
}
