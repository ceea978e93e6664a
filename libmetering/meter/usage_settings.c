/* Settings of kept usage. In: a document. Out: a record of META. */
#include "meter/usage_settings.h"

#include "meter/settings_record.h"

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
                               void *settings_out, met_error_info *info)
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
        *(met__usage_settings *)settings_out = settings;
    }
    return error;
}

static void build_settings(met__builder *builder, const void *of)
{
    const met__usage_settings *settings = of;

    met__build_duration(builder, "keep_minutes", &settings->minutes);
    met__build_duration(builder, "keep_hours", &settings->hours);
}

static const met__settings_kind kind = {"usage_settings", read_settings,
                                        build_settings};

met_error met__usage_settings_get(met__txn *txn,
                                  met__usage_settings *settings_out)
{
    return met__settings_get(txn, &kind, settings_out);
}

met_error met__usage_settings_put(met__txn *txn, const met__node *node,
                                  const met__path *path, met_error_info *info)
{
    met__usage_settings settings;

    return met__settings_put(txn, &kind, node, path, &settings, info);
}

met_error met__usage_settings_describe(met__txn *txn, met__arena *arena,
                                       met__node **node_out)
{
    met__usage_settings settings;
    met__builder builder;
    met_error error = met__usage_settings_get(txn, &settings);

    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    build_settings(&builder, &settings);
    return met__builder_end(&builder, node_out);
}
