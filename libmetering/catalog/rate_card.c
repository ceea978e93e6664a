/* Rate cards: reading one and writing it back. In: a node and the plan's
 * cadence. Out: the card as a struct, or a document with every default filled
 * in. What concerns other objects (features, the plan) is plan_issues.c's. */
#include "catalog/rate_card.h"

#include "base/check.h"
#include "base/limits.h"
#include "catalog/identity.h"
#include "catalog/price.h"
#include "catalog/tax_config.h"
#include "store/object.h"

static const char *const unserved[] = {"metadata",  "currency",
                                       "commitments", "payment_term", NULL};

/* --- Entitlement templates ------------------------------------------------ */
static const char *const types[] = {"metered", "static", "boolean", NULL};

static met_error read_metered(met__fields *fields,
                              const met__duration *cadence,
                              met__entitlement_template *template_out)
{
    met__duration period = {0};
    int64_t priority = -1;
    met_error error;

    template_out->has_limit = met__node_get(fields->object, "limit") != NULL;
    if (template_out->has_limit) {
        template_out->has_limit =
            met__node_get(fields->object, "limit")->kind != MET__NODE_NULL;
    }
    (void)met__fields_decimal(fields, "limit", MET__OPTIONAL, 0,
                              &template_out->limit);
    (void)met__fields_boolean(fields, "is_soft_limit", MET__OPTIONAL,
                              &template_out->is_soft_limit);
    (void)met__fields_boolean(fields, "preserve_overage_at_reset",
                              MET__OPTIONAL,
                              &template_out->preserves_overage);
    (void)met__fields_integer(fields, "issue_after_reset_priority",
                              MET__OPTIONAL, 0, 255, &priority);
    template_out->has_priority = priority >= 0;
    template_out->priority =
        priority >= 0 ? (uint32_t)priority : MET__ISSUE_PRIORITY;
    error = met__fields_span(fields, "usage_period", MET__OPTIONAL,
                             "entitlement_template_negative_usage_period",
                             &period);
    if (error == MET_OK && met__duration_is_zero(&period)) {
        period = *cadence;
    }
    template_out->usage_period = period;
    template_out->has_usage_period = !met__duration_is_zero(&period);
    return error;
}

/* The config of a static template comes with every answer about access, so it
 * has to be short. */
static met_error read_config(met__fields *fields, met__arena *arena,
                             met__entitlement_template *template_out)
{
    met__buffer buffer;
    met_error error =
        met__fields_any(fields, "config", MET__OPTIONAL,
                        &template_out->config);

    if (error != MET_OK) {
        return error;
    }
    if (template_out->config == NULL) {
        return met__fields_fail(
            fields, "config",
            "entitlement_template_invalid_json_config: is required");
    }
    met__buffer_init(&buffer, arena->platform);
    met__json_write(template_out->config, 0, &buffer);
    error = buffer.error;
    size_t size = buffer.size;
    met__buffer_release(&buffer);
    if (error == MET_OK && size > MET__CONFIG_SIZE_MAX) {
        return met__fields_fail(fields, "config",
                                "must have at most %d bytes as JSON, has %zu",
                                MET__CONFIG_SIZE_MAX, size);
    }
    fields->error = error;
    return error;
}

static met_error read_entitlement(const met__node *node,
                                  const met__path *path,
                                  const met__duration *cadence,
                                  met__arena *arena,
                                  met__entitlement_template *template_out,
                                  met_error_info *info)
{
    static const char *const later[] = {"priority", "issue_after_reset",
                                        NULL};
    met__fields fields;
    uint32_t type = 0;
    met_error error = met__refuse_unserved(node, path, later, info);

    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&fields, node, path, info);
    error = met__fields_choice(&fields, "type", MET__REQUIRED, types, &type);
    if (error != MET_OK) {
        return error;
    }
    template_out->type = type + 1;
    if (template_out->type == MET__ENTITLEMENT_METERED) {
        (void)read_metered(&fields, cadence, template_out);
    } else if (template_out->type == MET__ENTITLEMENT_STATIC) {
        (void)read_config(&fields, arena, template_out);
    }
    return met__fields_end(&fields);
}

static void build_entitlement(met__builder *card,
                              const met__entitlement_template *from)
{
    met__builder builder;

    if (from->type == MET__ENTITLEMENT_NONE) {
        return;
    }
    met__builder_begin(&builder, card->arena);
    met__build_text(&builder, "type", met__text_z(types[from->type - 1]));
    if (from->type == MET__ENTITLEMENT_METERED) {
        if (from->has_limit) {
            met__build_decimal(&builder, "limit", from->limit);
        }
        if (from->has_usage_period) {
            met__build_duration(&builder, "usage_period",
                                &from->usage_period);
        }
        met__build_boolean(&builder, "is_soft_limit", from->is_soft_limit);
        if (from->has_priority) {
            met__build_integer(&builder, "issue_after_reset_priority",
                               from->priority);
        }
        if (from->preserves_overage) {
            met__build_boolean(&builder, "preserve_overage_at_reset", 1);
        }
    }
    met__build_node(&builder, "config", from->config);
    met__build_object(card, "entitlement", &builder);
}

/* --- Parts that price.c reads --------------------------------------------- */
/* Checks a part by its own reader and keeps it in canonical form. */
static met_error keep_price(const met__node *node, const met__path *path,
                            met__arena *arena, const met__node **kept_out,
                            met_error_info *info)
{
    met__price *price = NULL;
    met_error error = met__price_read(node, path, arena, &price, info);

    return error == MET_OK ? met__node_canonical(arena, node, kept_out)
                           : error;
}

static met_error keep_discounts(const met__node *node, const met__path *path,
                                met__arena *arena, const met__node **kept_out,
                                met_error_info *info)
{
    met__discounts *discounts = NULL;
    met_error error = met__discounts_read(node, path, arena, &discounts, info);

    return error == MET_OK ? met__node_canonical(arena, node, kept_out)
                           : error;
}

static met_error keep_unit_config(const met__node *node,
                                  const met__path *path, met__arena *arena,
                                  const met__node **kept_out,
                                  met_error_info *info)
{
    met__unit_config *config = NULL;
    const met__node *precision;
    met_error error = met__unit_config_read(node, path, arena, &config, info);

    if (error == MET_OK) {
        error = met__node_canonical(arena, node, kept_out);
    }
    if (error != MET_OK) {
        return error;
    }
    /* The one number of a card that is a count, not a decimal. */
    precision = met__node_get(node, "precision");
    return precision == NULL || precision->kind != MET__NODE_INTEGER
               ? MET_OK
               : met__node_set(arena, (met__node *)*kept_out, "precision",
                               (met__node *)precision);
}

/* --- The card ------------------------------------------------------------- */
static met_error read_feature(const met__node *node, const met__path *path,
                              met__rate_card *card, met_error_info *info)
{
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_key(&fields, "key", MET__REQUIRED, &card->feature_key);
    met_error error = met__fields_text(&fields, "id", MET__OPTIONAL, 1,
                                       MET__KEY_SIZE_MAX, &card->feature_id);
    if (error == MET_OK && card->feature_id.size > 0
        && !met__text_looks_like_id(card->feature_id)) {
        return met__fields_fail(&fields, "id", "is not an id");
    }
    return met__fields_end(&fields);
}

typedef struct parts {
    const met__node *feature;
    const met__node *price;
    const met__node *entitlement;
    const met__node *discounts;
    const met__node *unit_config;
    const met__node *tax_config;
} parts;

static met_error keep_tax_config(const met__node *node, const met__path *path,
                                 met__arena *arena, const met__node **out,
                                 met_error_info *info)
{
    met__tax_config config;
    met_error error = met__tax_config_read(node, path, &config, info);

    return error == MET_OK ? met__node_canonical(arena, node, out) : error;
}

static met_error read_parts(const parts *found, const met__path *path,
                            const met__duration *cadence, met__arena *arena,
                            met__rate_card *card, met_error_info *info)
{
    met__path feature = {path, "feature", 0};
    met__path price = {path, "price", 0};
    met__path entitlement = {path, "entitlement", 0};
    met__path discounts = {path, "discounts", 0};
    met__path unit_config = {path, "unit_config", 0};
    met__path tax_config = {path, "tax_config", 0};
    met_error error = MET_OK;

    if (found->feature != NULL) {
        error = read_feature(found->feature, &feature, card, info);
    }
    if (error == MET_OK && found->price != NULL) {
        error = keep_price(found->price, &price, arena, &card->price, info);
    }
    if (error == MET_OK && found->entitlement != NULL) {
        error = read_entitlement(found->entitlement, &entitlement, cadence,
                                 arena, &card->entitlement, info);
    }
    if (error == MET_OK && found->discounts != NULL) {
        error = keep_discounts(found->discounts, &discounts, arena,
                               &card->discounts, info);
    }
    if (error == MET_OK && found->unit_config != NULL) {
        error = keep_unit_config(found->unit_config, &unit_config, arena,
                                 &card->unit_config, info);
    }
    if (error == MET_OK && found->tax_config != NULL) {
        error = keep_tax_config(found->tax_config, &tax_config, arena,
                                &card->tax_config, info);
    }
    return error;
}

met_error met__rate_card_read(const met__node *node, const met__path *path,
                              const met__duration *plan_cadence,
                              met__arena *arena, met__rate_card **card_out,
                              met_error_info *info)
{
    met__fields fields;
    met__identity identity = {0};
    parts found = {0};
    met_error error = met__refuse_unserved(node, path, unserved, info);

    MET__ASSERT(plan_cadence != NULL);
    if (error != MET_OK) {
        return error;
    }
    met__rate_card *card = met__arena_allocate(arena, sizeof *card);
    if (card == NULL) {
        return MET_E_NO_MEMORY;
    }
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__identity_read(&fields, &identity);
    (void)met__fields_labels(&fields, arena, &card->labels);
    (void)met__fields_object(&fields, "feature", MET__OPTIONAL,
                             &found.feature);
    (void)met__fields_span(&fields, "billing_cadence", MET__OPTIONAL,
                           "billing_cadence_invalid_value",
                           &card->billing_cadence);
    (void)met__fields_object(&fields, "price", MET__OPTIONAL, &found.price);
    (void)met__fields_object(&fields, "entitlement", MET__OPTIONAL,
                             &found.entitlement);
    (void)met__fields_object(&fields, "discounts", MET__OPTIONAL,
                             &found.discounts);
    (void)met__fields_object(&fields, "unit_config", MET__OPTIONAL,
                             &found.unit_config);
    (void)met__fields_object(&fields, "tax_config", MET__OPTIONAL,
                             &found.tax_config);
    error = met__fields_end(&fields);
    card->key = identity.key;
    card->name = identity.name;
    card->description = identity.description;
    card->has_billing_cadence = !met__duration_is_zero(&card->billing_cadence);
    if (error == MET_OK) {
        error = read_parts(&found, path,
                           card->has_billing_cadence ? &card->billing_cadence
                                                     : plan_cadence,
                           arena, card, info);
    }
    if (error == MET_OK) {
        *card_out = card;
    }
    return error;
}

met_error met__rate_card_document(const met__rate_card *card, int with_ids,
                                  met__arena *arena, met__node **node_out)
{
    met__builder builder;
    met__builder feature;

    met__builder_begin(&builder, arena);
    met__build_text(&builder, "key", card->key);
    met__build_text(&builder, "name", card->name);
    met__build_text(&builder, "description", card->description);
    met__build_node(&builder, "labels", card->labels);
    if (card->feature_key.size > 0) {
        met__builder_begin(&feature, arena);
        met__build_text(&feature, "key", card->feature_key);
        if (with_ids) {
            met__build_text(&feature, "id", card->feature_id);
        }
        met__build_object(&builder, "feature", &feature);
    }
    if (card->has_billing_cadence) {
        met__build_duration(&builder, "billing_cadence",
                            &card->billing_cadence);
    }
    met__build_node(&builder, "price", card->price);
    build_entitlement(&builder, &card->entitlement);
    met__build_node(&builder, "discounts", card->discounts);
    met__build_node(&builder, "unit_config", card->unit_config);
    met__build_node(&builder, "tax_config", card->tax_config);
    return met__builder_end(&builder, node_out);
}
