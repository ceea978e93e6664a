/* Features: what is sold, and which usage it stands for. In: documents. Out:
 * records of the table FEATURE and the feature as a struct. It does not know
 * who uses a feature: plans pin the id they were published with. */
#include "catalog/feature.h"

#include "base/check.h"
#include "catalog/identity.h"
#include "meter/usage_request.h"
#include "store/records.h"

static const char *const unserved[] = {"unit_cost", "metadata", NULL};

/* A feature and the times of its record. */
typedef struct stored {
    met__feature feature;
    int64_t created_at_ns;
    int64_t updated_at_ns;
} stored;

/* --- Reading -------------------------------------------------------------- */
static met_error read_meter(const met__node *node, const met__path *path,
                            met__arena *arena, met__feature *feature,
                            met_error_info *info)
{
    met__fields fields;
    const met__node *filters = NULL;
    met__path here = {path, "filters", 0};

    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_key(&fields, "key", MET__REQUIRED, &feature->meter_key);
    (void)met__fields_object(&fields, "filters", MET__OPTIONAL, &filters);
    met_error error = met__fields_end(&fields);
    if (error != MET_OK || filters == NULL) {
        return error;
    }
    return met__filters_read(filters, &here, arena, feature->filters,
                             &feature->filter_count, info);
}

/* Both kinds of documents: a caller's, and with is_record the stored one. */
static met_error read_feature(const met__node *node, const met__path *path,
                              int is_record, met__arena *arena,
                              stored **stored_out, met_error_info *info)
{
    met__fields fields;
    met__identity identity = {0};
    const met__node *meter = NULL;
    met__path here = {path, "meter", 0};
    met_error error = met__refuse_unserved(node, path, unserved, info);

    if (error != MET_OK) {
        return error;
    }
    stored *made = met__arena_allocate(arena, sizeof *made);
    if (made == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__feature *feature = &made->feature;
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__identity_read(&fields, &identity);
    (void)met__fields_labels(&fields, arena, &feature->labels);
    (void)met__fields_object(&fields, "meter", MET__OPTIONAL, &meter);
    if (is_record) {
        (void)met__fields_stamp(&fields, &feature->id, &made->created_at_ns,
                                &made->updated_at_ns);
        (void)met__fields_time(&fields, "archived_at", MET__OPTIONAL,
                               &feature->archived_at_ns);
    }
    error = met__fields_end(&fields);
    if (error == MET_OK && meter != NULL) {
        error = read_meter(meter, &here, arena, feature, info);
    }
    feature->key = identity.key;
    feature->name = identity.name;
    feature->description = identity.description;
    *stored_out = made;
    return error;
}

/* --- Documents and records ------------------------------------------------ */
static void build_meter(met__builder *builder, const met__feature *feature)
{
    met__builder meter;
    met__builder filters;

    if (feature->meter_key.size == 0) {
        return;
    }
    met__builder_begin(&meter, builder->arena);
    met__build_text(&meter, "key", feature->meter_key);
    if (feature->filter_count > 0) {
        met__builder_begin(&filters, builder->arena);
        for (size_t i = 0; i < feature->filter_count; i++) {
            const met__filter *filter = &feature->filters[i];
            met__node *condition = NULL;
            const char *name = met__arena_copy(builder->arena,
                                               filter->dimension.data,
                                               filter->dimension.size);
            met_error error = met__condition_document(
                filter->condition, builder->arena, &condition);
            if (name == NULL || error != MET_OK) {
                filters.error = name == NULL ? MET_E_NO_MEMORY : error;
            } else {
                met__build_node(&filters, name, condition);
            }
        }
        met__build_object(&meter, "filters", &filters);
    }
    met__build_object(builder, "meter", &meter);
}

static met_error build(const stored *from, met__arena *arena,
                       met__node **node_out)
{
    const met__feature *feature = &from->feature;
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_stamp(&builder, feature->id, from->created_at_ns,
                     from->updated_at_ns);
    met__build_text(&builder, "key", feature->key);
    met__build_text(&builder, "name", feature->name);
    met__build_text(&builder, "description", feature->description);
    met__build_node(&builder, "labels", feature->labels);
    build_meter(&builder, feature);
    met__build_time(&builder, "archived_at", feature->archived_at_ns);
    return met__builder_end(&builder, node_out);
}

static met_error get_stored(met__txn *txn, met__text store_key,
                            met__arena *arena, stored **stored_out)
{
    met__node *node = NULL;
    met_error error = met__record_get(txn, MET__TABLE_FEATURE, store_key.data,
                                      store_key.size, arena, &node);

    if (error != MET_OK) {
        return error;
    }
    return met__record_error(
        read_feature(node, NULL, 1, arena, stored_out, NULL));
}

static met_error put_stored(met__txn *txn, met__text store_key,
                            const stored *made, met__arena *arena)
{
    met__node *node = NULL;
    met_error error = build(made, arena, &node);

    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_FEATURE, store_key.data,
                                store_key.size, node);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

/* --- Putting -------------------------------------------------------------- */
/* The meter exists, can be added up, and has the filtered dimensions. */
static met_error check_meter(met__txn *txn, const met__feature *feature,
                             const met__path *path, met__arena *arena,
                             met_error_info *info)
{
    met__meter *meter = NULL;
    met__path here = {path, "meter", 0};
    met__path filters = {&here, "filters", 0};

    if (feature->meter_key.size == 0) {
        return MET_OK;
    }
    met_error error = met__meter_get(txn, feature->meter_key, arena, &meter);
    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(info, error, &here, "key",
                            "there is no meter \"%.*s\"",
                            (int)feature->meter_key.size,
                            feature->meter_key.data);
    }
    if (error != MET_OK) {
        return error;
    }
    for (size_t i = 0; i < feature->filter_count; i++) {
        met__text name = feature->filters[i].dimension;
        if (met__meter_dimension(meter, name) == NULL) {
            return met__fail_at(info, MET_E_INVALID, &filters, name.data,
                                "the meter \"%.*s\" has no such dimension",
                                (int)meter->key.size, meter->key.data);
        }
    }
    return MET_OK;
}

/* What is sold by its value is never lumped together with other values,
 * whatever a condition asks about it. */
static met_error pin_filters(met__txn *txn, const met__feature *feature)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < feature->filter_count; i++) {
        error = met__meter_pin(txn, feature->meter_key,
                               feature->filters[i].dimension);
    }
    return error;
}

static int same_usage(const met__feature *a, const met__feature *b)
{
    int is_same = met__text_equal(a->meter_key, b->meter_key)
                  && a->filter_count == b->filter_count;

    for (size_t i = 0; is_same && i < a->filter_count; i++) {
        is_same = met__text_equal(a->filters[i].dimension,
                                  b->filters[i].dimension)
                  && met__text_equal(a->filters[i].condition,
                                     b->filters[i].condition);
    }
    return is_same;
}

/* Name, description and labels of a feature in service. */
static met_error update(met__txn *txn, stored *now, const met__feature *wanted,
                        const met__path *path, met__arena *arena,
                        uint32_t *change, met_error_info *info)
{
    if (!same_usage(&now->feature, wanted)) {
        return met__fail_at(info, MET_E_CONFLICT, path, "meter",
                            "a feature in service keeps its meter and "
                            "filters: archive it, then use its key again");
    }
    if (met__text_equal(now->feature.name, wanted->name)
        && met__text_equal(now->feature.description, wanted->description)
        && met__labels_equal(now->feature.labels, wanted->labels)) {
        *change = MET__CHANGE_NONE;
        return MET_OK;
    }
    *change = MET__CHANGE_UPDATED;
    now->feature.name = wanted->name;
    now->feature.description = wanted->description;
    now->feature.labels = wanted->labels;
    now->updated_at_ns = met__txn_now_ns(txn);
    return put_stored(txn, wanted->key, now, arena);
}

/* The archived owner of a key makes room and is found by its id from now on. */
static met_error move_away(met__txn *txn, const stored *archived,
                           met__arena *arena)
{
    met__text store_key;
    met_error error = met__object_key(arena, archived->feature.key,
                                      archived->feature.id, &store_key);

    return error == MET_OK ? put_stored(txn, store_key, archived, arena)
                           : error;
}

static met_error put(met__txn *txn, const met__node *node,
                     const met__path *path, met__arena *arena,
                     uint32_t *change, met_error_info *info)
{
    stored *wanted = NULL;
    stored *now = NULL;
    met_error error = read_feature(node, path, 0, arena, &wanted, info);

    if (error == MET_OK) {
        error = check_meter(txn, &wanted->feature, path, arena, info);
    }
    if (error == MET_OK) {
        error = pin_filters(txn, &wanted->feature);
    }
    if (error != MET_OK) {
        return error;
    }
    error = get_stored(txn, wanted->feature.key, arena, &now);
    if (error == MET_OK && now->feature.archived_at_ns == 0) {
        return update(txn, now, &wanted->feature, path, arena, change, info);
    }
    wanted->created_at_ns = met__txn_now_ns(txn);
    if (error == MET_OK) {
        /* The order of a key's owners, which an import goes by. */
        if (wanted->created_at_ns <= now->created_at_ns) {
            wanted->created_at_ns = now->created_at_ns + 1;
        }
        error = move_away(txn, now, arena);
    } else if (error == MET_E_NOT_FOUND) {
        error = MET_OK;
    }
    wanted->updated_at_ns = wanted->created_at_ns;
    if (error == MET_OK) {
        error = met__object_id(txn, wanted->created_at_ns, arena,
                               &wanted->feature.id);
    }
    *change = MET__CHANGE_CREATED;
    return error == MET_OK
               ? put_stored(txn, wanted->feature.key, wanted, arena)
               : error;
}

met_error met__feature_put(met__txn *txn, const met__node *node,
                           const met__path *path, uint32_t *change_out,
                           met_error_info *info)
{
    met__arena arena;
    uint32_t change = MET__CHANGE_NONE;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = put(txn, node, path, &arena, &change, info);
    met__arena_release(&arena);
    if (error == MET_OK && change_out != NULL) {
        *change_out = change;
    }
    return error;
}

/* The latest of a key has the key to itself; an import may bring the owners of
 * a key in any order. */
static met_error import_key(met__txn *txn, const stored *made,
                            met__arena *arena, met__text *key_out)
{
    stored *latest = NULL;
    met_error error =
        get_stored(txn, made->feature.key, arena, &latest);

    *key_out = made->feature.key;
    if (error == MET_E_NOT_FOUND
        || (error == MET_OK
            && met__text_equal(latest->feature.id, made->feature.id))) {
        return MET_OK;
    }
    if (error == MET_OK
        && (made->feature.archived_at_ns == 0
            || (latest->feature.archived_at_ns != 0
                && latest->created_at_ns < made->created_at_ns))) {
        return latest->feature.archived_at_ns == 0
                   ? MET_E_EXISTS
                   : move_away(txn, latest, arena);
    }
    return error == MET_OK ? met__object_key(arena, made->feature.key,
                                             made->feature.id, key_out)
                           : error;
}

static met_error import(met__txn *txn, const met__node *node,
                        const met__path *path, met__arena *arena,
                        uint32_t *change, met_error_info *info)
{
    stored *made = NULL;
    stored *now = NULL;
    met__text store_key = {NULL, 0};
    met__node *wanted = NULL;
    met__node *present = NULL;
    met_error error = read_feature(node, path, 1, arena, &made, info);

    if (error == MET_OK && made->feature.archived_at_ns == 0) {
        error = check_meter(txn, &made->feature, path, arena, info);
        if (error == MET_OK) {
            error = pin_filters(txn, &made->feature);
        }
    }
    if (error == MET_OK) {
        error = import_key(txn, made, arena, &store_key);
    }
    if (error == MET_E_EXISTS) {
        return met__fail_at(info, MET_E_CONFLICT, path, "key",
                            "belongs to another feature in the store");
    }
    if (error != MET_OK) {
        return error;
    }
    *change = MET__CHANGE_CREATED;
    error = get_stored(txn, store_key, arena, &now);
    if (error == MET_E_NOT_FOUND
        || (error == MET_OK
            && !met__text_equal(now->feature.id, made->feature.id))) {
        return put_stored(txn, store_key, made, arena);
    }
    *change = MET__CHANGE_NONE;
    if (error == MET_OK) {
        error = build(made, arena, &wanted);
    }
    if (error == MET_OK) {
        error = build(now, arena, &present);
    }
    return error == MET_OK ? met__import_same(wanted, present, path, info)
                           : error;
}

met_error met__feature_import(met__txn *txn, const met__node *node,
                              const met__path *path, uint32_t *change_out,
                              met_error_info *info)
{
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = import(txn, node, path, &arena, change_out, info);
    met__arena_release(&arena);
    return error;
}

met_error met__feature_archive(met__txn *txn, met__text key, int64_t now_ns,
                               met_error_info *info)
{
    met__arena arena;
    stored *now = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = get_stored(txn, key, &arena, &now);
    if (error == MET_OK && now->feature.archived_at_ns != 0) {
        error = met__fail(info, MET_E_NOT_FOUND, "key",
                          "the feature is archived already");
    } else if (error == MET_OK) {
        now->feature.archived_at_ns = now_ns;
        now->updated_at_ns = now_ns;
        error = put_stored(txn, key, now, &arena);
    }
    met__arena_release(&arena);
    return error;
}

/* --- Getting -------------------------------------------------------------- */
met_error met__feature_get(met__txn *txn, met__text key, met__arena *arena,
                           met__feature **feature_out)
{
    stored *found = NULL;
    met_error error = get_stored(txn, key, arena, &found);

    if (error == MET_OK) {
        *feature_out = &found->feature;
    }
    return error;
}

met_error met__feature_of(met__txn *txn, met__text key, met__text id,
                          met__arena *arena, met__feature **feature_out)
{
    met__text store_key;
    met_error error = met__feature_get(txn, key, arena, feature_out);

    if (error != MET_OK || id.size == 0
        || met__text_equal((*feature_out)->id, id)) {
        return error;
    }
    error = met__object_key(arena, key, id, &store_key);
    return error == MET_OK
               ? met__feature_get(txn, store_key, arena, feature_out)
               : error;
}

met_error met__feature_document(met__txn *txn, met__text key,
                                met__arena *arena, met__node **node_out)
{
    stored *found = NULL;
    met_error error = get_stored(txn, key, arena, &found);

    return error == MET_OK ? build(found, arena, node_out) : error;
}

static met_error show(met__node *record, met__arena *arena,
                      met__node **node_out)
{
    stored *found = NULL;
    met_error error = met__record_error(
        read_feature(record, NULL, 1, arena, &found, NULL));

    return error == MET_OK ? build(found, arena, node_out) : error;
}

met_error met__feature_list(met__txn *txn, met__arena *arena,
                            met__node **array_out)
{
    return met__records_list(txn, MET__TABLE_FEATURE, show, arena, array_out);
}

typedef struct usage_search {
    met__arena *arena;
    met__text meter_key;
    met__text dimension;
    met__text found;
} usage_search;

static met_error look_for_meter(void *context, met__text key,
                                met__node *record)
{
    usage_search *search = context;
    stored *found = NULL;

    (void)key;
    met_error error = met__record_error(
        read_feature(record, NULL, 1, search->arena, &found, NULL));
    if (error != MET_OK || search->found.size > 0
        || found->feature.archived_at_ns != 0
        || !met__text_equal(found->feature.meter_key, search->meter_key)) {
        return error;
    }
    int is_user = search->dimension.size == 0;
    for (size_t i = 0; i < found->feature.filter_count; i++) {
        is_user = is_user
                  || met__text_equal(found->feature.filters[i].dimension,
                                     search->dimension);
    }
    if (is_user) {
        search->found = found->feature.key;
    }
    return MET_OK;
}

met_error met__feature_using_meter(met__txn *txn, met__text meter_key,
                                   met__text dimension, met__arena *arena,
                                   met__text *feature_key_out)
{
    usage_search search = {arena, meter_key, dimension, {NULL, 0}};
    met_error error =
        met__records_each(txn, MET__TABLE_FEATURE, met__text_z(""), arena,
                          &search, look_for_meter);

    if (error == MET_OK) {
        *feature_key_out = search.found;
    }
    return error;
}
