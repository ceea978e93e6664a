/* Rules of notices. In: documents. Out: records of NOTICE_RULE, and the rules
 * as structs. A rule that is made, or enabled, is shown every customer by the
 * survey (notice_due.h). */
#include "entitlement/notice_rule.h"

#include "catalog/feature.h"
#include "catalog/identity.h"
#include "entitlement/notice_due.h"
#include "store/records.h"

static const char *const type_names[] = {"entitlements.balance.threshold",
                                         "entitlements.reset", NULL};
static const char *const unserved_types[] = {"invoice.created",
                                             "invoice.updated", NULL};
static const char *const unserved[] = {"channels", "metadata", "labels", NULL};

const char *met__notice_type_name(uint32_t type)
{
    return type_names[type];
}

/* --- Reading -------------------------------------------------------------- */
static met_error refuse_unserved_type(const met__node *node,
                                      const met__path *path,
                                      met_error_info *info)
{
    const met__node *type = node->kind == MET__NODE_OBJECT
                                ? met__node_get(node, "type")
                                : NULL;

    for (size_t i = 0; unserved_types[i] != NULL; i++) {
        if (type != NULL && type->kind == MET__NODE_TEXT
            && met__text_equal(type->as.text,
                               met__text_z(unserved_types[i]))) {
            return met__fail_at(info, MET_E_UNSUPPORTED, path, "type",
                                "invoices tell nothing: ask for their list");
        }
    }
    return MET_OK;
}

static met_error read_threshold(const met__node *node, const met__path *path,
                                met__threshold *out, met_error_info *info)
{
    met_error_info why = {.struct_size = sizeof why};
    met__fields fields;

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_choice(&fields, "type", MET__REQUIRED,
                             met__threshold_names, &out->kind);
    (void)met__fields_decimal(&fields, "value", MET__REQUIRED, INT64_MIN,
                              &out->value);
    if (fields.error == MET_OK && met__threshold_check(out, &why) != MET_OK) {
        return met__fields_fail(&fields, "value", "%s", why.reason);
    }
    return met__fields_end(&fields);
}

static met_error read_thresholds(const met__node *array,
                                 const met__path *parent,
                                 met__notice_rule *rule, met_error_info *info)
{
    met__path root = {parent, "thresholds", 0};
    met_error error = MET_OK;

    if (array == NULL || array->count == 0) {
        return met__fail_at(info, MET_E_INVALID, parent, "thresholds",
                            "a rule of this type has at least one");
    }
    for (uint32_t i = 0; error == MET_OK && i < array->count; i++) {
        met__path path = {&root, NULL, i};
        error = read_threshold(array->as.items[i], &path,
                               &rule->thresholds[i], info);
    }
    rule->threshold_count = array->count;
    return error;
}

static met_error read_features(const met__node *array,
                               const met__path *parent, met__arena *arena,
                               met__notice_rule *rule, met_error_info *info)
{
    met__path root = {parent, "features", 0};

    rule->features =
        met__arena_allocate(arena, array->count * sizeof *rule->features);
    if (rule->features == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < array->count; i++) {
        const met__node *item = array->as.items[i];
        met__path path = {&root, NULL, i};
        if (item->kind != MET__NODE_TEXT || item->as.text.size == 0
            || item->as.text.size > MET__KEY_SIZE_MAX) {
            return met__fail_at(info, MET_E_INVALID, &path, NULL,
                                "must be the key of a feature");
        }
        for (uint32_t j = 0; j < i; j++) {
            if (met__text_equal(rule->features[j], item->as.text)) {
                return met__fail_at(info, MET_E_INVALID, &path, NULL,
                                    "is there twice");
            }
        }
        rule->features[i] = item->as.text;
    }
    rule->feature_count = array->count;
    return MET_OK;
}

/* What the types have of their own. */
static met_error read_terms(const met__node *thresholds,
                            const met__node *features, int has_reached,
                            const met__path *path, met__arena *arena,
                            met__notice_rule *rule, met_error_info *info)
{
    met_error error = MET_OK;

    if (rule->type == MET__NOTICE_THRESHOLD) {
        error = read_thresholds(thresholds, path, rule, info);
    } else if (thresholds != NULL || has_reached) {
        error = met__fail_at(info, MET_E_INVALID, path,
                             thresholds != NULL ? "thresholds"
                                                : "when_reached",
                             "is for entitlements.balance.threshold");
    }
    return error == MET_OK && features != NULL
               ? read_features(features, path, arena, rule, info)
               : error;
}

/* Both kinds of documents: a caller's, and with is_record the stored one. */
static met_error read_rule(const met__node *node, const met__path *path,
                           int is_record, met__arena *arena,
                           met__notice_rule **rule_out, met_error_info *info)
{
    met__fields fields;
    met__identity identity = {0};
    const met__node *thresholds = NULL;
    const met__node *features = NULL;
    int when_reached = -1;
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error == MET_OK) {
        error = refuse_unserved_type(node, path, info);
    }
    if (error != MET_OK) {
        return error;
    }
    met__notice_rule *rule = met__arena_allocate(arena, sizeof *rule);
    if (rule == NULL) {
        return MET_E_NO_MEMORY;
    }
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__identity_read(&fields, &identity);
    (void)met__fields_choice(&fields, "type", MET__REQUIRED, type_names,
                             &rule->type);
    (void)met__fields_boolean(&fields, "disabled", MET__OPTIONAL,
                              &rule->is_disabled);
    (void)met__fields_array(&fields, "thresholds", MET__OPTIONAL,
                            MET__NOTICE_THRESHOLDS_MAX, &thresholds);
    (void)met__fields_boolean(&fields, "when_reached", MET__OPTIONAL,
                              &when_reached);
    (void)met__fields_array(&fields, "features", MET__OPTIONAL,
                            MET__NOTICE_FEATURES_MAX, &features);
    if (is_record) {
        (void)met__fields_stamp(&fields, &rule->id, &rule->created_at_ns,
                                &rule->updated_at_ns);
    }
    error = met__fields_end(&fields);
    rule->key = identity.key;
    rule->name = identity.name;
    rule->description = identity.description;
    rule->when_reached = when_reached > 0;
    if (error == MET_OK) {
        error = read_terms(thresholds, features, when_reached >= 0, path,
                           arena, rule, info);
    }
    *rule_out = rule;
    return error;
}

/* --- Documents ------------------------------------------------------------ */
static met_error add_thresholds(met__builder *builder,
                                const met__notice_rule *rule)
{
    met__node *array = met__node_array(builder->arena);
    met_error error = array == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (size_t i = 0; error == MET_OK && i < rule->threshold_count; i++) {
        const met__threshold *threshold = &rule->thresholds[i];
        met__builder inner;
        met__node *node;
        met__builder_begin(&inner, builder->arena);
        met__build_text(&inner, "type",
                        met__text_z(met__threshold_names[threshold->kind]));
        met__build_decimal(&inner, "value", threshold->value);
        error = met__builder_end(&inner, &node);
        if (error == MET_OK) {
            error = met__node_append(builder->arena, array, node);
        }
    }
    met__build_node(builder, "thresholds", array);
    met__build_boolean(builder, "when_reached", rule->when_reached);
    return error;
}

static met_error add_features(met__builder *builder,
                              const met__notice_rule *rule)
{
    met__node *array = met__node_array(builder->arena);
    met_error error = array == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (size_t i = 0; error == MET_OK && i < rule->feature_count; i++) {
        error = met__node_append(builder->arena, array,
                                 met__node_text(builder->arena,
                                                rule->features[i]));
    }
    met__build_node(builder, "features", array);
    return error;
}

static met_error build(const met__notice_rule *rule, met__arena *arena,
                       met__node **node_out)
{
    met__builder builder;
    met_error error = MET_OK;

    met__builder_begin(&builder, arena);
    met__build_stamp(&builder, rule->id, rule->created_at_ns,
                     rule->updated_at_ns);
    met__build_text(&builder, "key", rule->key);
    met__build_text(&builder, "name", rule->name);
    met__build_text(&builder, "description", rule->description);
    met__build_text(&builder, "type", met__text_z(type_names[rule->type]));
    met__build_boolean(&builder, "disabled", rule->is_disabled);
    if (rule->type == MET__NOTICE_THRESHOLD) {
        error = add_thresholds(&builder, rule);
    }
    if (error == MET_OK && rule->feature_count > 0) {
        error = add_features(&builder, rule);
    }
    met_error built = met__builder_end(&builder, node_out);
    return error == MET_OK ? built : error;
}

/* --- Putting -------------------------------------------------------------- */
static met_error check_features(met__txn *txn, const met__notice_rule *rule,
                                const met__path *parent, met__arena *arena,
                                met_error_info *info)
{
    met__path root = {parent, "features", 0};
    met__feature *feature;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < rule->feature_count; i++) {
        met__path path = {&root, NULL, i};
        error = met__feature_get(txn, rule->features[i], arena, &feature);
        if (error == MET_E_NOT_FOUND) {
            error = met__fail_at(info, error, &path, NULL,
                                 "there is no feature \"%.*s\"",
                                 (int)rule->features[i].size,
                                 rule->features[i].data);
        }
    }
    return error;
}

static met_error get_stored(met__txn *txn, met__text key, met__arena *arena,
                            met__node **record_out,
                            met__notice_rule **rule_out)
{
    met_error error = met__record_get(txn, MET__TABLE_NOTICE_RULE, key.data,
                                      key.size, arena, record_out);

    return error == MET_OK ? met__record_error(read_rule(*record_out, NULL, 1,
                                                         arena, rule_out,
                                                         NULL))
                           : error;
}

/* The id and the time of making of the rule that is replaced, or new ones. */
static met_error stamp(met__txn *txn, met__notice_rule *rule,
                       const met__notice_rule *before, met__arena *arena,
                       met_error_info *info)
{
    met__notice_rules rules;
    int64_t now_ns = met__txn_now_ns(txn);

    rule->updated_at_ns = now_ns;
    if (before != NULL) {
        rule->id = before->id;
        rule->created_at_ns = before->created_at_ns;
        return MET_OK;
    }
    met_error error = met__notice_rules_read(txn, arena, &rules);
    if (error == MET_OK && rules.count == MET__NOTICE_RULES_MAX) {
        error = met__fail(info, MET_E_LIMIT, "notice_rule",
                          "there are %d rules already",
                          MET__NOTICE_RULES_MAX);
    }
    rule->created_at_ns = now_ns;
    return error == MET_OK
               ? met__object_id(txn, now_ns, arena, &rule->id)
               : error;
}

static met_error store_rule(met__txn *txn, met__notice_rule *rule,
                            const met__notice_rule *before,
                            const met__node *record, uint32_t *change,
                            met__arena *arena, met_error_info *info)
{
    met__node *node = NULL;
    met_error error = stamp(txn, rule, before, arena, info);

    if (error == MET_OK && before != NULL) {
        /* Unchanged but for its time? */
        int64_t now_ns = rule->updated_at_ns;
        rule->updated_at_ns = before->updated_at_ns;
        error = build(rule, arena, &node);
        if (error == MET_OK && met__node_equal(node, record)) {
            *change = MET__CHANGE_NONE;
            return MET_OK;
        }
        rule->updated_at_ns = now_ns;
    }
    *change = before != NULL ? MET__CHANGE_UPDATED : MET__CHANGE_CREATED;
    if (error == MET_OK) {
        error = build(rule, arena, &node);
    }
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_NOTICE_RULE, rule->key.data,
                                rule->key.size, node);
    }
    return error == MET_OK && rule->type == MET__NOTICE_RESET
                   && !rule->is_disabled
               ? met__notice_survey_begin(txn)
               : error;
}

static met_error put(met__txn *txn, const met__node *node,
                     const met__path *path, met__arena *arena,
                     uint32_t *change, met_error_info *info)
{
    met__notice_rule *rule = NULL;
    met__notice_rule *before = NULL;
    met__node *record = NULL;
    met_error error = read_rule(node, path, 0, arena, &rule, info);

    if (error == MET_OK) {
        error = check_features(txn, rule, path, arena, info);
    }
    if (error != MET_OK) {
        return error;
    }
    error = get_stored(txn, rule->key, arena, &record, &before);
    if (error == MET_E_NOT_FOUND) {
        before = NULL;
        error = MET_OK;
    }
    if (error == MET_OK && before != NULL && before->type != rule->type) {
        error = met__fail_at(info, MET_E_CONFLICT, path, "type",
                             "a rule keeps its type: remove it first");
    }
    return error == MET_OK
               ? store_rule(txn, rule, before, record, change, arena, info)
               : error;
}

met_error met__notice_rule_put(met__txn *txn, const met__node *node,
                               const met__path *path, uint32_t *change_out,
                               met_error_info *info)
{
    uint32_t change = MET__CHANGE_NONE;
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = put(txn, node, path, &arena, &change, info);
    met__arena_release(&arena);
    if (error == MET_OK && change_out != NULL) {
        *change_out = change;
    }
    return error;
}

met_error met__notice_rule_remove(met__txn *txn, met__text key)
{
    return met__txn_remove(txn, MET__TABLE_NOTICE_RULE, key.data, key.size);
}

/* --- Getting -------------------------------------------------------------- */
met_error met__notice_rule_document(met__txn *txn, met__text key,
                                    met__arena *arena, met__node **node_out)
{
    return met__record_get(txn, MET__TABLE_NOTICE_RULE, key.data, key.size,
                           arena, node_out);
}

met_error met__notice_rule_list(met__txn *txn, met__arena *arena,
                                met__node **array_out)
{
    return met__records_list(txn, MET__TABLE_NOTICE_RULE, NULL, arena,
                             array_out);
}

typedef struct reading {
    met__arena *arena;
    met__notice_rules *rules;
} reading;

static met_error add_rule(void *context, met__text key, met__node *record)
{
    const reading *self = context;

    (void)key;
    if (self->rules->count == MET__NOTICE_RULES_MAX) {
        return MET_E_CORRUPT;
    }
    return met__record_error(
        read_rule(record, NULL, 1, self->arena,
                  &self->rules->list[self->rules->count++], NULL));
}

met_error met__notice_rules_read(met__txn *txn, met__arena *arena,
                                 met__notice_rules *rules_out)
{
    reading self = {arena, rules_out};

    rules_out->count = 0;
    return met__records_each(txn, MET__TABLE_NOTICE_RULE, met__text_z(""),
                             arena, &self, add_rule);
}

int met__notice_rule_wants(const met__notice_rule *rule, uint32_t type,
                           met__text feature_key)
{
    size_t i = 0;

    if (rule->is_disabled || rule->type != type) {
        return 0;
    }
    while (i < rule->feature_count
           && !met__text_equal(rule->features[i], feature_key)) {
        i++;
    }
    return rule->feature_count == 0 || i < rule->feature_count;
}
