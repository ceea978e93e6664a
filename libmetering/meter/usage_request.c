/* Reading usage queries and filters. In: documents. Out: structs whose shape
 * is right; whether the names in them exist is asked when the meter is known.
 */
#include "meter/usage_request.h"

/* --- Filters -------------------------------------------------------------- */
static met_error read_dimension(const met__member *member,
                                const met__path *path, met__arena *arena,
                                const char **name_out, met_error_info *info)
{
    if (member->name.size == 0 || member->name.size > MET__KEY_SIZE_MAX
        || !met__text_is_clean(member->name)) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "names a dimension that no meter can have");
    }
    *name_out = met__arena_copy(arena, member->name.data, member->name.size);
    return *name_out != NULL ? MET_OK : MET_E_NO_MEMORY;
}

static met_error read_filter(const met__member *member, const met__path *path,
                             uint32_t flags, met__arena *arena,
                             met__filter *filter, met_error_info *info)
{
    const char *name = NULL;
    met_error error = read_dimension(member, path, arena, &name, info);

    if (error != MET_OK) {
        return error;
    }
    met__path here = {path, name, 0};
    filter->dimension = met__text_of(name, member->name.size);
    return met__condition_read(member->node, &here, MET__CONDITION_DEPTH_MAX,
                               flags, arena, &filter->condition, info);
}

static met_error check_count(const met__node *object, const met__path *path,
                             met_error_info *info)
{
    return object->count <= MET__FILTERS_MAX
               ? MET_OK
               : met__fail_at(info, MET_E_LIMIT, path, NULL,
                              "must have at most %d, has %u",
                              MET__FILTERS_MAX, object->count);
}

/* Filters in the order of their names, so that two spellings are equal. */
static void sort_filters(met__filter *filters, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        met__filter filter = filters[i];
        size_t at = i;
        for (; at > 0
               && met__text_compare(filters[at - 1].dimension,
                                    filter.dimension) > 0;
             at--) {
            filters[at] = filters[at - 1];
        }
        filters[at] = filter;
    }
}

met_error met__filters_read(const met__node *object, const met__path *path,
                            met__arena *arena, met__filter *filters_out,
                            size_t *count_out, met_error_info *info)
{
    met_error error = check_count(object, path, info);

    for (uint32_t i = 0; error == MET_OK && i < object->count; i++) {
        met__member member = object->as.members[i];
        if (member.node->kind == MET__NODE_TEXT) {
            met__node *equal = met__node_object(arena);
            if (equal == NULL) {
                return MET_E_NO_MEMORY;
            }
            error = met__node_set(arena, equal, "eq", member.node);
            member.node = equal;
        }
        if (error == MET_OK) {
            error = read_filter(&member, path, MET__CONDITION_UNORDERED,
                                arena, &filters_out[i], info);
        }
    }
    if (error == MET_OK) {
        sort_filters(filters_out, object->count);
        *count_out = object->count;
    }
    return error;
}

/* --- Checking against the meter ------------------------------------------- */
static met_error check_bound(int64_t at_ns, const char *name,
                              met_error_info *info)
{
    if (at_ns < 0 || at_ns > MET__TIME_MAX + 1) {
        return met__fail(info, MET_E_INVALID, name,
                         "must lie between 1970 and 2200");
    }
    return MET_OK;
}

static met_error check_range(const met__usage_query *query,
                             met_error_info *info)
{
    met_error error = MET_OK;

    if (query->from_ns != MET__USAGE_FIRST) {
        error = check_bound(query->from_ns, "from", info);
    }
    if (error == MET_OK && query->to_ns != MET__USAGE_LAST) {
        error = check_bound(query->to_ns, "to", info);
    }
    if (error == MET_OK && query->from_ns == query->to_ns) {
        error = met__fail(info, MET_E_INVALID, "to",
                          "from and to cannot be equal");
    }
    if (error == MET_OK && query->from_ns > query->to_ns) {
        error = met__fail(info, MET_E_INVALID, "to",
                          "from must be before to");
    }
    return error;
}

static met_error fail_name(const met__usage_query *query, const char *field,
                           met__text name, const char *reason,
                           met_error_info *info)
{
    return met__fail(info, MET_E_INVALID, field, "%.*s %s the meter %.*s",
                     (int)name.size, name.data, reason,
                     (int)query->meter->key.size, query->meter->key.data);
}

static met_error check_names(const met__usage_query *query,
                             met_error_info *info)
{
    size_t count = query->filter_count + query->condition_count;

    for (size_t i = 0; i < count; i++) {
        const met__filter *filter =
            i < query->filter_count
                ? &query->filters[i]
                : &query->conditions[i - query->filter_count];
        if (met__meter_dimension(query->meter, filter->dimension) == NULL) {
            return fail_name(query, "filters", filter->dimension,
                             "is no dimension of", info);
        }
    }
    for (size_t i = 0; i < query->group_count; i++) {
        met__text name = query->groups[i];
        if (met__text_equal(name, MET__TEXT("customer_id"))) {
            if (query->customer_count == 0) {
                return met__fail(info, MET_E_INVALID, "group_by",
                                 "customer_id needs customers that are asked "
                                 "for");
            }
        } else if (!met__text_equal(name, MET__TEXT("subject"))
                   && met__meter_dimension(query->meter, name) == NULL) {
            return fail_name(query, "group_by", name,
                             "is neither \"subject\", \"customer_id\" nor a "
                             "dimension of",
                             info);
        }
    }
    return MET_OK;
}

met_error met__usage_query_check(const met__usage_query *query,
                                 met_error_info *info)
{
    met_error error = check_range(query, info);
    return error == MET_OK ? check_names(query, info) : error;
}

/* --- Requests ------------------------------------------------------------- */
static met_error read_conditions(const met__node *object,
                                 const met__path *path, met__arena *arena,
                                 met__usage_request *request,
                                 met_error_info *info)
{
    met_error error = check_count(object, path, info);

    for (uint32_t i = 0; error == MET_OK && i < object->count; i++) {
        error = read_filter(&object->as.members[i], path, 0, arena,
                            &request->conditions[i], info);
    }
    request->query.conditions = request->conditions;
    request->query.condition_count = object->count;
    return error;
}

/* Texts of one list, each once. */
static met_error read_texts(const met__node *array, const met__path *path,
                            size_t size_max, met__text *texts_out,
                            size_t *count_out, met_error_info *info)
{
    for (uint32_t i = 0; array != NULL && i < array->count; i++) {
        const met__node *item = array->as.items[i];
        met__path here = {path, NULL, i};
        if (item->kind != MET__NODE_TEXT || item->as.text.size == 0
            || item->as.text.size > size_max
            || !met__text_is_clean(item->as.text)) {
            return met__fail_at(info, MET_E_INVALID, &here, NULL,
                                "must be a text of 1 to %zu bytes", size_max);
        }
        for (size_t j = 0; j < i; j++) {
            if (met__text_equal(texts_out[j], item->as.text)) {
                return met__fail_at(info, MET_E_INVALID, &here, NULL,
                                    "is there twice");
            }
        }
        texts_out[i] = item->as.text;
        *count_out = i + 1;
    }
    return MET_OK;
}

met_error met__choice_read(const met__node *node, const met__path *path,
                           size_t size_max, met__text *texts_out,
                           size_t *count_out, met_error_info *info)
{
    met__node one = {.kind = MET__NODE_ARRAY, .count = 1};
    met__node *item;
    int is_object = node != NULL && node->kind == MET__NODE_OBJECT;
    const met__node *in = is_object ? met__node_get(node, "in") : NULL;
    const met__node *eq = is_object ? met__node_get(node, "eq") : NULL;

    if (node == NULL) {
        return MET_OK;
    }
    if (is_object && (node->count != 1 || (in == NULL && eq == NULL))) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            "takes one operator, eq or in");
    }
    if (eq != NULL) {
        item = (met__node *)(uintptr_t)eq;
        one.as.items = &item;
        in = &one;
    } else if (in == NULL) {
        in = node;
    }
    if (in->kind != MET__NODE_ARRAY || in->count == 0) {
        return met__fail_at(info, MET_E_INVALID, path, NULL,
                            in->kind == MET__NODE_ARRAY
                                ? "must not be empty: leave it out for all"
                                : "must be a list of texts");
    }
    if (in->count > MET__FILTER_VALUES_MAX) {
        return met__fail_at(info, MET_E_LIMIT, path, NULL,
                            "has more than %d", MET__FILTER_VALUES_MAX);
    }
    return read_texts(in, path, size_max, texts_out, count_out, info);
}

static met_error read_lists(met__usage_request *request,
                            const met__node *filters,
                            const met__node *subjects,
                            const met__node *customers,
                            const met__node *groups, const met__path *path,
                            met__arena *arena, met_error_info *info)
{
    met__usage_query *query = &request->query;
    met__path filters_path = {path, "filters", 0};
    met__path subjects_path = {path, "subjects", 0};
    met__path customers_path = {path, "customers", 0};
    met__path groups_path = {path, "group_by", 0};
    met_error error = MET_OK;

    query->subjects = request->subjects;
    query->groups = request->groups;
    if (filters != NULL) {
        error = read_conditions(filters, &filters_path, arena, request, info);
    }
    if (error == MET_OK) {
        error = met__choice_read(subjects, &subjects_path,
                                 MET__SUBJECT_SIZE_MAX, request->subjects,
                                 &query->subject_count, info);
    }
    if (error == MET_OK) {
        error = met__choice_read(customers, &customers_path,
                                 MET__SUBJECT_SIZE_MAX, request->customers,
                                 &request->customer_count, info);
    }
    if (error == MET_OK) {
        error = read_texts(groups, &groups_path, MET__KEY_SIZE_MAX,
                           request->groups, &query->group_count, info);
    }
    return error;
}

met_error met__usage_request_read(const met__node *node,
                                  const met__path *path, met__arena *arena,
                                  met__usage_request **request_out,
                                  met_error_info *info)
{
    static const char *const windows[] = {"minute", "hour", "day", "month",
                                          "PT1M",   "PT1H", "P1D", "P1M",
                                          NULL};
    met__fields fields;
    const met__node *filters = NULL;
    const met__node *subjects = NULL;
    const met__node *customers = NULL;
    const met__node *groups = NULL;
    uint32_t window = UINT32_MAX;
    met__usage_request *request = met__arena_allocate(arena, sizeof *request);

    if (request == NULL) {
        return MET_E_NO_MEMORY;
    }
    request->query.from_ns = MET__USAGE_FIRST;
    request->query.to_ns = MET__USAGE_LAST;
    (void)met__fields_begin(&fields, node, path, info);
    (void)met__fields_key(&fields, "meter", MET__OPTIONAL, &request->meter);
    (void)met__fields_key(&fields, "feature", MET__OPTIONAL,
                          &request->feature);
    (void)met__fields_text(&fields, "customer", MET__OPTIONAL, 1,
                           MET__SUBJECT_SIZE_MAX, &request->customer);
    (void)met__fields_any(&fields, "customers", MET__OPTIONAL, &customers);
    (void)met__fields_any(&fields, "subjects", MET__OPTIONAL, &subjects);
    (void)met__fields_object(&fields, "filters", MET__OPTIONAL, &filters);
    (void)met__fields_time(&fields, "from", MET__OPTIONAL,
                           &request->query.from_ns);
    (void)met__fields_time(&fields, "to", MET__OPTIONAL,
                           &request->query.to_ns);
    (void)met__fields_choice(&fields, "window", MET__OPTIONAL, windows,
                             &window);
    (void)met__fields_text(&fields, "time_zone", MET__OPTIONAL, 1,
                           MET__ZONE_NAME_SIZE_MAX, &request->time_zone);
    (void)met__fields_array(&fields, "group_by", MET__OPTIONAL,
                            MET__GROUPS_MAX, &groups);
    (void)met__fields_boolean(&fields, "settle_first", MET__OPTIONAL,
                              &request->settle_first);
    if (fields.error == MET_OK
        && (request->meter.size == 0) == (request->feature.size == 0)) {
        (void)met__fields_fail(&fields, "meter",
                               "either a meter or a feature must be named");
    }
    if (fields.error == MET_OK && request->customer.size > 0
        && customers != NULL) {
        (void)met__fields_fail(&fields, "customers",
                               "is not taken beside customer");
    }
    met_error error = met__fields_end(&fields);
    request->query.window = window == UINT32_MAX
                                ? MET__WINDOW_NONE
                                : MET__WINDOW_MINUTE + window % 4;
    if (error == MET_OK) {
        error = read_lists(request, filters, subjects, customers, groups, path,
                           arena, info);
    }
    if (error == MET_OK) {
        *request_out = request;
    }
    return error;
}
