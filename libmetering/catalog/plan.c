/* Plans as documents: reading, writing, and what status an effective period
 * gives. In: nodes. Out: structs and nodes. No store: plan_store.c keeps the
 * versions, plan_issues.c knows the rules between a plan's parts. */
#include "catalog/plan.h"

#include "base/check.h"
#include "catalog/identity.h"
#include "store/records.h"

static const char *const unserved[] = {
    "metadata", "alignment", "pro_rating", "pro_rating_config", "addons",
    NULL};

static const char *const settlement_modes[] = {"credit_then_invoice",
                                               "credit_only", NULL};

/* --- Status --------------------------------------------------------------- */
uint32_t met__plan_status_at(int64_t effective_from_ns,
                             int64_t effective_to_ns, int64_t at_ns)
{
    if (met__effective_period_issue(effective_from_ns, effective_to_ns)
            != NULL
        && effective_from_ns != 0) {
        return MET__PLAN_INVALID;
    }
    if (effective_to_ns != 0 && effective_to_ns <= at_ns) {
        return MET__PLAN_ARCHIVED;
    }
    if (effective_from_ns == 0) {
        return effective_to_ns == 0 ? MET__PLAN_DRAFT : MET__PLAN_INVALID;
    }
    return effective_from_ns > at_ns ? MET__PLAN_SCHEDULED : MET__PLAN_ACTIVE;
}

const char *met__plan_status_name(uint32_t status)
{
    static const char *const names[] = {"draft", "scheduled", "active",
                                        "archived", "invalid"};

    return status >= MET__PLAN_DRAFT && status <= MET__PLAN_INVALID
               ? names[status - MET__PLAN_DRAFT]
               : "invalid";
}

const char *met__effective_period_issue(int64_t effective_from_ns,
                                        int64_t effective_to_ns)
{
    if (effective_to_ns == 0) {
        return NULL;
    }
    if (effective_from_ns == 0) {
        return "effective_period_from_not_set";
    }
    return effective_from_ns > effective_to_ns
               ? "effective_period_from_after_to"
               : NULL;
}

int met__plan_find_phase(const met__plan *plan, met__text key,
                         size_t *index_out)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        if (met__text_equal(plan->phases[i].key, key)) {
            *index_out = i;
            return 1;
        }
    }
    return 0;
}

/* --- Reading -------------------------------------------------------------- */
static met_error read_cards(const met__node *array, const met__path *path,
                            const met__duration *cadence, met__arena *arena,
                            met__phase *phase, met_error_info *info)
{
    met_error error = MET_OK;

    phase->rate_cards = met__arena_allocate(
        arena, array->count * sizeof *phase->rate_cards);
    if (phase->rate_cards == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        met__path here = {path, NULL, i};
        error = met__rate_card_read(array->as.items[i], &here, cadence, arena,
                                    &phase->rate_cards[i], info);
    }
    phase->rate_card_count = array->count;
    return error;
}

static met_error read_phase(const met__node *node, const met__path *path,
                            const met__duration *cadence, met__arena *arena,
                            met__phase *phase, met_error_info *info)
{
    static const char *const later[] = {"metadata", "discounts", NULL};
    met__fields fields;
    met__identity identity = {0};
    const met__node *cards = NULL;
    met__path here = {path, "rate_cards", 0};
    met_error error = met__refuse_unserved(node, path, later, info);

    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__identity_read(&fields, &identity);
    (void)met__fields_labels(&fields, arena, &phase->labels);
    (void)met__fields_span(&fields, "duration", MET__OPTIONAL,
                           "plan_phase_with_negative_duration",
                           &phase->duration);
    (void)met__fields_array(&fields, "rate_cards", MET__OPTIONAL,
                            MET__RATE_CARDS_MAX, &cards);
    error = met__fields_end(&fields);
    phase->key = identity.key;
    phase->name = identity.name;
    phase->description = identity.description;
    phase->has_duration = !met__duration_is_zero(&phase->duration);
    if (error == MET_OK && cards != NULL) {
        error = read_cards(cards, &here, cadence, arena, phase, info);
    }
    return error;
}

static met_error read_phases(const met__node *array, const met__path *path,
                             met__arena *arena, met__plan *plan,
                             met_error_info *info)
{
    met_error error = MET_OK;

    plan->phases =
        met__arena_allocate(arena, array->count * sizeof *plan->phases);
    if (plan->phases == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        met__path here = {path, NULL, i};
        error = read_phase(array->as.items[i], &here, &plan->billing_cadence,
                           arena, &plan->phases[i], info);
    }
    plan->phase_count = array->count;
    return error;
}

/* What the library adds; only in records. */
static void read_added(met__fields *fields, met__plan *plan)
{
    int64_t version = 0;

    (void)met__fields_stamp(fields, &plan->id, &plan->created_at_ns,
                            &plan->updated_at_ns);
    (void)met__fields_integer(fields, "version", MET__REQUIRED, 1, UINT32_MAX,
                              &version);
    (void)met__fields_time(fields, "effective_from", MET__OPTIONAL,
                           &plan->effective_from_ns);
    (void)met__fields_time(fields, "effective_to", MET__OPTIONAL,
                           &plan->effective_to_ns);
    plan->version = (uint32_t)version;
}

/* What is read. */
enum {
    STATED,
    RECORD,
    CUSTOM /* a subscription's own: it has no key */
};

/* The key of a record may be the id of the subscription whose own it is. */
static void read_identity(met__fields *fields, int kind,
                          met__identity *identity)
{
    if (kind == STATED) {
        (void)met__identity_read(fields, identity);
        return;
    }
    if (kind == RECORD) {
        (void)met__fields_text(fields, "key", MET__REQUIRED, 1,
                               MET__KEY_SIZE_MAX, &identity->key);
    }
    (void)met__identity_read_name(fields, &identity->name,
                                  &identity->description);
}

/* {"minimum"}: what a billing period comes to at least. */
static met_error read_commitments(const met__node *node,
                                  const met__path *path, met__plan *plan,
                                  met_error_info *info)
{
    met__path here = {path, "commitments", 0};
    met__fields fields;

    (void)met__fields_begin(&fields, node, &here, info);
    (void)met__fields_decimal(&fields, "minimum", MET__REQUIRED, 0,
                              &plan->minimum);
    return met__fields_end(&fields);
}

static met_error read_plan(const met__node *node, const met__path *path,
                           int kind, met__arena *arena,
                           met__plan **plan_out, met_error_info *info)
{
    met__fields fields;
    met__identity identity = {0};
    const met__node *commitments = NULL;
    const met__node *phases = NULL;
    met__path here = {path, "phases", 0};
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error != MET_OK) {
        return error;
    }
    met__plan *plan = met__arena_allocate(arena, sizeof *plan);
    if (plan == NULL) {
        return MET_E_NO_MEMORY;
    }
    (void)met__fields_begin(&fields, node, path, info);
    read_identity(&fields, kind, &identity);
    (void)met__fields_currency(&fields, "currency", MET__REQUIRED,
                               &plan->currency);
    (void)met__fields_span(&fields, "billing_cadence", MET__REQUIRED,
                           "plan_billing_cadence_invalid",
                           &plan->billing_cadence);
    (void)met__fields_labels(&fields, arena, &plan->labels);
    plan->is_prorating = 1;
    plan->minimum = met__decimal_zero();
    (void)met__fields_object(&fields, "commitments", MET__OPTIONAL,
                             &commitments);
    (void)met__fields_boolean(&fields, "pro_rating_enabled", MET__OPTIONAL,
                              &plan->is_prorating);
    (void)met__fields_choice(&fields, "settlement_mode", MET__OPTIONAL,
                             settlement_modes, &plan->settlement_mode);
    (void)met__fields_array(&fields, "phases", MET__OPTIONAL,
                            MET__PHASES_MAX, &phases);
    if (kind == STATED) {
        int64_t version = 0;
        (void)met__fields_integer(&fields, "version", MET__OPTIONAL, 1,
                                  UINT32_MAX, &version);
        plan->version = (uint32_t)version;
    } else if (kind == RECORD) {
        read_added(&fields, plan);
    }
    error = met__fields_end(&fields);
    plan->key = identity.key;
    plan->name = identity.name;
    plan->description = identity.description;
    if (error == MET_OK && commitments != NULL) {
        error = read_commitments(commitments, path, plan, info);
    }
    if (error == MET_OK && phases != NULL) {
        error = read_phases(phases, &here, arena, plan, info);
    }
    if (error == MET_OK) {
        *plan_out = plan;
    }
    return error;
}

met_error met__plan_read(const met__node *node, const met__path *path,
                         met__arena *arena, met__plan **plan_out,
                         met_error_info *info)
{
    return read_plan(node, path, STATED, arena, plan_out, info);
}

met_error met__plan_read_custom(const met__node *node, const met__path *path,
                                met__arena *arena, met__plan **plan_out,
                                met_error_info *info)
{
    return read_plan(node, path, CUSTOM, arena, plan_out, info);
}

met_error met__plan_read_exported(const met__node *node,
                                  const met__path *path, met__arena *arena,
                                  met__plan **plan_out, met_error_info *info)
{
    return read_plan(node, path, RECORD, arena, plan_out, info);
}

met_error met__plan_read_record(const met__node *node, met__arena *arena,
                                met__plan **plan_out)
{
    return met__record_error(
        read_plan(node, NULL, RECORD, arena, plan_out, NULL));
}

/* --- Writing -------------------------------------------------------------- */
static met_error build_cards(const met__phase *phase, int with_ids,
                             met__arena *arena, met__node **array_out)
{
    met__node *array = met__node_array(arena);
    met_error error = array != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (size_t i = 0; error == MET_OK && i < phase->rate_card_count; i++) {
        met__node *card = NULL;
        error = met__rate_card_document(phase->rate_cards[i], with_ids, arena,
                                        &card);
        if (error == MET_OK) {
            error = met__node_append(arena, array, card);
        }
    }
    *array_out = array;
    return error;
}

static met_error build_phase(const met__phase *phase, int with_ids,
                             met__arena *arena, met__node **node_out)
{
    met__builder builder;
    met__node *cards = NULL;
    met_error error = build_cards(phase, with_ids, arena, &cards);

    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "key", phase->key);
    met__build_text(&builder, "name", phase->name);
    met__build_text(&builder, "description", phase->description);
    met__build_node(&builder, "labels", phase->labels);
    if (phase->has_duration) {
        met__build_duration(&builder, "duration", &phase->duration);
    }
    met__build_node(&builder, "rate_cards", cards);
    return met__builder_end(&builder, node_out);
}

static met_error build_phases(const met__plan *plan, int with_ids,
                              met__arena *arena, met__node **array_out)
{
    met__node *array = met__node_array(arena);
    met_error error = array != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (size_t i = 0; error == MET_OK && i < plan->phase_count; i++) {
        met__node *phase = NULL;
        error = build_phase(&plan->phases[i], with_ids, arena, &phase);
        if (error == MET_OK) {
            error = met__node_append(arena, array, phase);
        }
    }
    *array_out = array;
    return error;
}

met_error met__plan_build(const met__plan *plan, uint32_t form,
                          const char *status, const met__node *issues,
                          met__arena *arena, met__node **node_out)
{
    met__builder commitments;
    met__builder builder;
    met__node *phases = NULL;
    int is_whole = form == MET__PLAN_WHOLE;
    met_error error = build_phases(plan, is_whole, arena, &phases);

    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    if (is_whole) {
        met__build_stamp(&builder, plan->id, plan->created_at_ns,
                         plan->updated_at_ns);
    }
    if (form != MET__PLAN_CUSTOM) {
        met__build_text(&builder, "key", plan->key);
    }
    met__build_text(&builder, "name", plan->name);
    met__build_text(&builder, "description", plan->description);
    met__build_node(&builder, "labels", plan->labels);
    if (is_whole) {
        met__build_integer(&builder, "version", plan->version);
        met__build_text(&builder, "status", met__text_z(status));
        met__build_time(&builder, "effective_from", plan->effective_from_ns);
        met__build_time(&builder, "effective_to", plan->effective_to_ns);
    }
    met__build_text(&builder, "currency", plan->currency);
    met__build_duration(&builder, "billing_cadence", &plan->billing_cadence);
    met__build_boolean(&builder, "pro_rating_enabled", plan->is_prorating);
    met__build_text(&builder, "settlement_mode",
                    met__text_z(settlement_modes[plan->settlement_mode]));
    if (!met__decimal_is_zero(plan->minimum)) {
        met__builder_begin(&commitments, arena);
        met__build_decimal(&commitments, "minimum", plan->minimum);
        met__build_object(&builder, "commitments", &commitments);
    }
    met__build_node(&builder, "phases", phases);
    met__build_node(&builder, "validation_errors", issues);
    return met__builder_end(&builder, node_out);
}

met_error met__plan_document(met__txn *txn, const met__plan *plan,
                             int64_t now_ns, met__arena *arena,
                             met__node **node_out)
{
    met__node *issues = NULL;
    uint32_t status = met__plan_status_at(plan->effective_from_ns,
                                          plan->effective_to_ns, now_ns);

    if (status == MET__PLAN_DRAFT) {
        met_error error = met__plan_issues(txn, plan, NULL, arena, &issues);
        if (error != MET_OK) {
            return error;
        }
        issues = issues->count > 0 ? issues : NULL;
    }
    return met__plan_build(plan, MET__PLAN_WHOLE,
                           met__plan_status_name(status), issues, arena,
                           node_out);
}
