/* Settings of kept usage. In: a document. Out: a record of META. */
#include "meter/usage_settings.h"

#include "store/object.h"

#define KEY "usage_settings"
#define KEEP_MAX_DAYS 36600

static void read_keep(met__fields *fields, const char *name,
                      met__duration *keep)
{
    int64_t at = 0;

    if (met__fields_duration(fields, name, MET__OPTIONAL, keep) == MET_OK
        && (met__duration_add(0, keep, 1, &at) != MET_OK
            || at > KEEP_MAX_DAYS * MET__DAY_NS)) {
        (void)met__fields_fail(fields, name, "must be at most P%dD",
                               KEEP_MAX_DAYS);
    }
}

static met_error read_settings(const met__node *node, const met__path *path,
                      met__usage_settings *settings_out, met_error_info *info)
{
    met__fields fields;
    met__usage_settings settings = {.minutes = {.days = 35},
                                    .hours = {.days = 400}};

    if (met__fields_begin(&fields, node, path, info) != MET_OK) {
        return fields.error;
    }
    read_keep(&fields, "keep_minutes", &settings.minutes);
    read_keep(&fields, "keep_hours", &settings.hours);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        *settings_out = settings;
    }
    return error;
}

static met_error build(const met__usage_settings *settings, met__arena *arena,
                       met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__build_duration(&builder, "keep_minutes", &settings->minutes);
    met__build_duration(&builder, "keep_hours", &settings->hours);
    return met__builder_end(&builder, node_out);
}

met_error met__usage_settings_get(met__txn *txn,
                                  met__usage_settings *settings_out)
{
    met__arena arena;
    met__node *node = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__record_get(txn, MET__TABLE_META, KEY,
                                      sizeof KEY - 1, &arena, &node);
    if (error == MET_E_NOT_FOUND) {
        node = met__node_object(&arena);
        error = node != NULL ? MET_OK : MET_E_NO_MEMORY;
    }
    if (error == MET_OK) {
        error = read_settings(node, NULL, settings_out, NULL);
        error = error == MET_E_INVALID ? MET_E_CORRUPT : error;
    }
    met__arena_release(&arena);
    return error;
}

met_error met__usage_settings_put(met__txn *txn, const met__node *node,
                                  const met__path *path, met_error_info *info)
{
    met__arena arena;
    met__node *record = NULL;
    met__usage_settings settings;
    met_error error = read_settings(node, path, &settings, info);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    error = build(&settings, &arena, &record);
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_META, KEY, sizeof KEY - 1,
                                record);
    }
    met__arena_release(&arena);
    return error;
}

met_error met__usage_settings_describe(met__txn *txn, met__arena *arena,
                                       met__node **node_out)
{
    met__usage_settings settings;
    met_error error = met__usage_settings_get(txn, &settings);

    return error == MET_OK ? build(&settings, arena, node_out) : error;
}
