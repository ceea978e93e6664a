/* Grants as documents. In: what a caller wants, or a record. Out: a grant, or
 * what is stored and shown. No store: entitled_store.c. */
#include "entitlement/entitled_parts.h"

static const char *const units[] = {"hour", "day", "week", "month", "year",
                                    NULL};

static const char *const unserved[] = {
    "labels",          "annotations",       "entitlement", "subscription",
    "key",             "expires_after",     "charge",      "name",
    "description",     NULL};

static met_error read_expiration(met__fields *fields, met__stored_grant *made)
{
    const met__node *object = NULL;
    met__path path = {fields->path, "expiration", 0};
    met__fields inner;
    met_error error = met__fields_object(fields, "expiration", MET__OPTIONAL,
                                         &object);

    if (error != MET_OK || object == NULL) {
        return error;
    }
    (void)met__fields_begin(&inner, object, &path, fields->info);
    (void)met__fields_choice(&inner, "duration", MET__REQUIRED, units,
                             &made->expiration_unit);
    (void)met__fields_integer(&inner, "count", MET__REQUIRED, 1, 1000000,
                              &made->expiration_count);
    fields->error = met__fields_end(&inner);
    return fields->error;
}

/* "recurrence"?; its anchor is effective_at unless it is stated. */
static void read_recurrence(met__fields *fields, met__grant *terms)
{
    terms->recurrence.anchor_ns = terms->effective_at_ns;
    (void)met__recurrence_read(fields, "recurrence", &terms->recurrence,
                               &terms->has_recurrence);
}

static void read_amounts(met__fields *fields, met__grant *terms)
{
    int64_t priority = 0;

    (void)met__fields_decimal(fields, "amount", MET__REQUIRED, 0,
                              &terms->amount);
    if (fields->error == MET_OK && met__decimal_is_zero(terms->amount)) {
        (void)met__fields_fail(fields, "amount", "must be above 0");
    }
    (void)met__fields_integer(fields, "priority", MET__OPTIONAL, 0,
                              MET__GRANT_PRIORITY_MAX, &priority);
    terms->priority = (uint32_t)priority;
    terms->rollover_max = terms->amount;
    (void)met__fields_decimal(fields, "max_rollover_amount", MET__OPTIONAL, 0,
                              &terms->rollover_max);
    (void)met__fields_decimal(fields, "min_rollover_amount", MET__OPTIONAL, 0,
                              &terms->rollover_min);
    (void)met__fields_time(fields, "effective_at", MET__OPTIONAL,
                           &terms->effective_at_ns);
}

void met__grant_read_terms(met__fields *fields, met__arena *arena,
                           met__stored_grant *made)
{
    *made = (met__stored_grant){
        .terms = {.rollover_min = met__decimal_zero(),
                  .effective_at_ns = -1,
                  .expires_at_ns = MET__NEVER,
                  .voided_at_ns = MET__NEVER,
                  .deleted_at_ns = MET__NEVER}};
    read_amounts(fields, &made->terms);
    (void)read_expiration(fields, made);
    read_recurrence(fields, &made->terms);
    (void)met__metadata_read(fields, arena, &made->metadata);
}

met_error met__grant_set_times(met__stored_grant *made,
                               const met__path *path, met_error_info *info)
{
    met__grant *terms = &made->terms;

    if (terms->recurrence.anchor_ns < 0) {
        terms->recurrence.anchor_ns = terms->effective_at_ns;
    }
    if (made->expiration_count > 0
        && met__grant_expiry(terms->effective_at_ns, made->expiration_unit,
                             made->expiration_count, &terms->expires_at_ns)
               != MET_OK) {
        return met__fail_at(info, MET_E_INVALID, path, "expiration",
                            "is behind the year 2200");
    }
    return MET_OK;
}

met__grant met__grant_by_minutes(const met__grant *terms)
{
    met__grant grant = *terms;

    grant.effective_at_ns = met__minute_first(grant.effective_at_ns);
    grant.expires_at_ns = met__minute_first(grant.expires_at_ns);
    grant.voided_at_ns = met__minute_first(grant.voided_at_ns);
    grant.recurrence.anchor_ns = met__minute_first(grant.recurrence.anchor_ns);
    return grant;
}

met_error met__grant_check_amounts(const met__grant *terms,
                                   const met__path *path,
                                   met_error_info *info)
{
    met_error error = met__amount_check(terms->amount, path, "amount", info);

    if (error == MET_OK) {
        error = met__amount_check(terms->rollover_max, path,
                                  "max_rollover_amount", info);
    }
    return error == MET_OK
               ? met__amount_check(terms->rollover_min, path,
                                   "min_rollover_amount", info)
               : error;
}

/* What only records have. */
static void read_stamp(met__fields *fields, met__stored_grant *made)
{
    int64_t ignored_ns = 0;

    (void)met__fields_stamp(fields, &made->terms.id,
                            &made->terms.created_at_ns,
                            &made->updated_at_ns);
    (void)met__fields_time(fields, "voided_at", MET__OPTIONAL,
                           &made->terms.voided_at_ns);
    (void)met__fields_time(fields, "expires_at", MET__OPTIONAL,
                           &made->terms.expires_at_ns);
    (void)met__fields_time(fields, "applied_at", MET__OPTIONAL, &ignored_ns);
}

met_error met__grant_read(const met__node *node, const met__path *path,
                          int is_record, met__arena *arena,
                          met__stored_grant *grant_out, met_error_info *info)
{
    met__stored_grant made;
    met__fields fields;
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&fields, node, path, info);
    met__grant_read_terms(&fields, arena, &made);
    (void)met__owner_read(&fields, is_record, &made.owner);
    if (is_record) {
        read_stamp(&fields, &made);
    }
    error = met__fields_end(&fields);
    if (error == MET_OK && !is_record) {
        error = met__grant_check_amounts(&made.terms, path, info);
    }
    if (error == MET_OK) {
        *grant_out = made;
    }
    return error;
}

met_error met__grant_document(const met__stored_grant *grant,
                              met__arena *arena, met__node **node_out)
{
    const met__grant *terms = &grant->terms;
    met__builder expiration;
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_stamp(&builder, terms->id, terms->created_at_ns,
                     grant->updated_at_ns);
    met__owner_build(&builder, &grant->owner);
    met__build_decimal(&builder, "amount", terms->amount);
    met__build_integer(&builder, "priority", terms->priority);
    met__build_instant(&builder, "effective_at", terms->effective_at_ns);
    if (grant->expiration_count > 0) {
        met__builder_begin(&expiration, arena);
        met__build_text(&expiration, "duration",
                        met__text_z(units[grant->expiration_unit]));
        met__build_integer(&expiration, "count", grant->expiration_count);
        met__build_object(&builder, "expiration", &expiration);
        met__build_instant(&builder, "expires_at", terms->expires_at_ns);
    }
    met__build_decimal(&builder, "max_rollover_amount", terms->rollover_max);
    met__build_decimal(&builder, "min_rollover_amount", terms->rollover_min);
    if (terms->has_recurrence) {
        met__recurrence_build(&builder, "recurrence", &terms->recurrence);
    }
    met__build_instant(&builder, "voided_at", terms->voided_at_ns);
    if (terms->effective_at_ns % MET__MINUTE_NS != 0) {
        met__build_instant(&builder, "applied_at",
                           met__minute_first(terms->effective_at_ns));
    }
    met__build_node(&builder, "metadata", grant->metadata);
    return met__builder_end(&builder, node_out);
}
