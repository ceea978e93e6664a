/* Every rule that refuses a plan, by the peer's issue codes (OpenMeter
 * productcatalog/errors.go). In: a plan that was read, and the features of a
 * transaction. Out: a list of issues. It decides nothing: plan_store.c refuses
 * critical ones for a draft and all of them for a publication. */
#include "catalog/plan.h"

#include "base/check.h"
#include "catalog/price.h"
#include "meter/amount.h"

typedef struct report {
    met__txn *txn; /* NULL: features are not looked at */
    met__arena *arena;
    met__node *array;
    met_error error; /* sticky */
    uint32_t reserved;
} report;

enum {
    ERROR = 0, /* refused when publishing */
    CRITICAL   /* refused for a draft too */
};

static void add(report *to, const met__path *path, const char *name,
                int severity, const char *code, const char *message)
{
    char field[MET_ERROR_FIELD_SIZE];
    met__builder builder;
    met__node *node = NULL;

    if (to->error != MET_OK) {
        return;
    }
    met__path_print(path, name, field, sizeof field);
    met__builder_begin(&builder, to->arena);
    met__build_text(&builder, "code", met__text_z(code));
    met__build_text(&builder, "field", met__text_z(field));
    met__build_text(&builder, "severity",
                    met__text_z(severity == CRITICAL ? "critical" : "error"));
    met__build_text(&builder, "message", met__text_z(message));
    to->error = met__builder_end(&builder, &node);
    if (to->error == MET_OK) {
        to->error = met__node_append(to->arena, to->array, node);
    }
}

/* --- Rate cards ----------------------------------------------------------- */
static void check_price_feature(report *to, const met__rate_card *card,
                                const met__path *path,
                                const met__feature *feature)
{
    int is_usage = met__price_is_usage_based(card->price);

    if (is_usage && card->feature_key.size == 0) {
        add(to, path, "feature", ERROR, "usage_based_price_with_no_feature",
            "a price per usage needs a feature");
    }
    if (feature == NULL || feature->meter_key.size > 0) {
        return;
    }
    if (is_usage) {
        add(to, path, "feature", ERROR,
            "usage_based_price_with_feature_and_no_meter",
            "a price per usage needs a feature with a meter");
    }
    if (card->entitlement.type == MET__ENTITLEMENT_METERED) {
        add(to, path, "entitlement", ERROR,
            "entitlement_template_with_feature_and_no_meter",
            "a metered entitlement needs a feature with a meter");
    }
}

/* What a price goes by must be measured in a way that bills can add up. */
static void check_meter(report *to, const met__rate_card *card,
                        const met__path *path, const met__feature *feature)
{
    met__path price = {path, "price", 0};
    met__text dimension = met__price_dimension(card->price);
    met__meter *meter = NULL;

    if (!met__price_is_usage_based(card->price) || feature == NULL
        || to->error != MET_OK || feature->meter_key.size == 0) {
        return;
    }
    met_error error =
        met__meter_get(to->txn, feature->meter_key, to->arena, &meter);
    if (error == MET_OK && meter->aggregation != MET__AGGREGATION_SUM
        && meter->aggregation != MET__AGGREGATION_COUNT) {
        add(to, path, "feature", ERROR,
            "usage_based_price_with_feature_and_unbillable_meter",
            "a price per usage needs a meter that sums or counts");
    }
    if (error == MET_OK && dimension.size > 0
        && met__meter_dimension(meter, dimension) == NULL) {
        add(to, &price, "dimension", ERROR, "price_dimension_not_found",
            "the feature's meter has no dimension of this name");
    } else if (error != MET_OK && error != MET_E_NOT_FOUND) {
        to->error = error;
    }
}

static void check_feature(report *to, const met__rate_card *card,
                          const met__path *path)
{
    met__feature *feature = NULL;

    if (card->feature_key.size > 0
        && !met__text_equal(card->key, card->feature_key)) {
        add(to, path, "key", CRITICAL, "rate_card_key_feature_key_mismatch",
            "a rate card has the key of its feature");
    }
    if (card->feature_key.size > 0 && to->txn != NULL
        && to->error == MET_OK) {
        met_error error = met__feature_of(to->txn, card->feature_key,
                                          card->feature_id, to->arena,
                                          &feature);
        if (error == MET_OK && feature->archived_at_ns != 0) {
            add(to, path, "feature", ERROR, "rate_card_feature_archived",
                "the feature is archived");
        } else if (error == MET_E_NOT_FOUND && card->feature_id.size > 0) {
            add(to, path, "feature", CRITICAL, "rate_card_feature_mismatch",
                "no feature has this key and this id");
        } else if (error == MET_E_NOT_FOUND) {
            add(to, path, "feature", ERROR, "rate_card_feature_not_found",
                "there is no such feature");
        } else if (error != MET_OK) {
            to->error = error;
        }
        feature = error == MET_OK ? feature : NULL;
    }
    check_price_feature(to, card, path, feature);
    check_meter(to, card, path, feature);
}

static void check_cadence(report *to, const met__rate_card *card,
                          const met__path *path, const met__plan *plan)
{
    if (!card->has_billing_cadence) {
        if (met__price_is_usage_based(card->price)) {
            add(to, path, "billing_cadence", ERROR,
                "billing_cadence_invalid_value",
                "a price per usage needs a billing cadence");
        }
        return;
    }
    if (!met__duration_is_hour_or_more(&card->billing_cadence)) {
        add(to, path, "billing_cadence", ERROR,
            "billing_cadence_invalid_value", "must be an hour or more");
    } else if (met__duration_is_long(&card->billing_cadence)) {
        add(to, path, "billing_cadence", ERROR,
            "billing_cadence_invalid_value", "must be at most P10Y");
    } else if (met__price_is_billable(card->price)
               && !met__cadence_is_aligned(&plan->billing_cadence,
                                           &card->billing_cadence)) {
        add(to, path, "billing_cadence", ERROR,
            "rate_card_billing_cadence_unaligned",
            "must divide the plan's billing cadence or be divided by it");
    }
}

static void check_entitlement(report *to, const met__rate_card *card,
                              const met__path *path)
{
    const met__entitlement_template *template = &card->entitlement;
    met__path here = {path, "entitlement", 0};

    if (template->type == MET__ENTITLEMENT_NONE) {
        return;
    }
    if (card->feature_key.size == 0) {
        add(to, &here, NULL, ERROR, "entitlement_template_with_no_feature",
            "an entitlement needs a feature");
    }
    if (template->type != MET__ENTITLEMENT_METERED) {
        return;
    }
    if (!template->has_limit && template->has_priority) {
        add(to, &here, "issue_after_reset_priority", ERROR,
            "entitlement_template_invalid_issue_after_reset_with_priority",
            "there is nothing to issue");
    } else if (!template->has_limit) {
        add(to, &here, "limit", ERROR,
            "entitlement_template_issue_after_reset_required",
            "a metered entitlement needs an allowance");
    }
    if (template->has_limit && !met__decimal_is_quantity(template->limit)) {
        add(to, &here, "limit", ERROR,
            "entitlement_template_limit_too_many_digits",
            "must have at most 15 digits before the point and 9 behind it");
    }
    if (template->has_usage_period
        && !met__duration_is_hour_or_more(&template->usage_period)) {
        add(to, &here, "usage_period", ERROR,
            "entitlement_template_usage_period_less_then_an_hour",
            "must be an hour or more");
    }
}

static void check_card(report *to, const met__rate_card *card,
                       const met__path *path, const met__plan *plan)
{
    met__pricing pricing = {card->price, card->discounts, card->unit_config};

    check_feature(to, card, path);
    check_cadence(to, card, path, plan);
    check_entitlement(to, card, path);
    if (to->error == MET_OK) {
        to->error = met__pricing_issues(&pricing, path, to->arena, to->array);
    }
}

/* --- Phases --------------------------------------------------------------- */
static void check_duration(report *to, const met__phase *phase,
                           const met__path *path, int is_last)
{
    if (is_last && phase->has_duration) {
        add(to, path, "duration", ERROR,
            "plan_has_last_phase_with_duration", "the last phase has no end");
    } else if (!is_last && !phase->has_duration) {
        add(to, path, "duration", ERROR,
            "plan_has_non_last_phase_with_no_duration",
            "every phase but the last has a duration");
    } else if (phase->has_duration
               && !met__duration_is_hour_or_more(&phase->duration)) {
        add(to, path, "duration", ERROR,
            "plan_phase_duration_less_then_an_hour",
            "must be an hour or more");
    }
}

static void check_phase(report *to, const met__plan *plan, size_t index,
                        const met__path *path)
{
    const met__phase *phase = &plan->phases[index];
    met__path cards = {path, "rate_cards", 0};

    for (size_t i = 0; i < index; i++) {
        if (met__text_equal(plan->phases[i].key, phase->key)) {
            add(to, path, "key", CRITICAL, "plan_phase_duplicated_key",
                "another phase has this key");
            break;
        }
    }
    check_duration(to, phase, path, index + 1 == plan->phase_count);
    if (phase->rate_card_count == 0) {
        add(to, &cards, NULL, ERROR, "plan_phase_has_no_rate_cards",
            "a phase has one rate card or more");
    }
    for (size_t i = 0; to->error == MET_OK && i < phase->rate_card_count;
         i++) {
        met__path here = {&cards, NULL, i};
        for (size_t j = 0; j < i; j++) {
            if (met__text_equal(phase->rate_cards[j]->key,
                                phase->rate_cards[i]->key)) {
                add(to, &here, "key", CRITICAL, "rate_card_duplicated_key",
                    "another rate card of this phase has this key");
                break;
            }
        }
        check_card(to, phase->rate_cards[i], &here, plan);
    }
}

/* --- The plan ------------------------------------------------------------- */
static int is_plan_cadence(const met__duration *cadence)
{
    static const met__duration allowed[] = {
        {.weeks = 1},  {.weeks = 2},  {.weeks = 4},   {.months = 1},
        {.months = 3}, {.months = 6}, {.months = 12}, {.years = 1}};

    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        if (memcmp(cadence, &allowed[i], sizeof *cadence) == 0) {
            return 1;
        }
    }
    return 0;
}

met_error met__plan_issues(met__txn *txn, const met__plan *plan,
                           const met__path *path, met__arena *arena,
                           met__node **array_out)
{
    met__path phases = {path, "phases", 0};
    report to = {txn, arena, met__node_array(arena), MET_OK, 0};
    const char *period = met__effective_period_issue(plan->effective_from_ns,
                                                     plan->effective_to_ns);

    MET__ASSERT(array_out != NULL);
    if (to.array == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (period != NULL) {
        add(&to, path, "effective_to", ERROR, period,
            "a period begins before it ends");
    }
    if (!is_plan_cadence(&plan->billing_cadence)) {
        add(&to, path, "billing_cadence", CRITICAL,
            "plan_billing_cadence_invalid",
            "must be one of P1W, P2W, P4W, P1M, P3M, P6M, P12M, P1Y");
    }
    if (plan->phase_count == 0) {
        add(&to, &phases, NULL, ERROR, "plan_with_no_phases",
            "a plan has one phase or more");
    }
    for (size_t i = 0; to.error == MET_OK && i < plan->phase_count; i++) {
        met__path here = {&phases, NULL, i};
        check_phase(&to, plan, i, &here);
    }
    if (to.error == MET_OK) {
        *array_out = to.array;
    }
    return to.error;
}
