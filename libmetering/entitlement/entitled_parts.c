/* Parts of documents. In: fields. Out: owners, recurrences, metadata. */
#include "entitlement/entitled_parts.h"

#include "base/limits.h"
#include "meter/amount.h"

static met_error read_key(met__fields *fields, const char *name,
                          int is_record, met__text *id_out,
                          met__text *key_out)
{
    const met__node *object = NULL;
    met__path path = {fields->path, name, 0};
    met__fields inner;
    met_error error =
        met__fields_object(fields, name, MET__REQUIRED, &object);

    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&inner, object, &path, fields->info);
    if (is_record && id_out != NULL) {
        (void)met__fields_text(&inner, "id", MET__REQUIRED, 1,
                               MET__KEY_SIZE_MAX, id_out);
    }
    (void)met__fields_text(&inner, "key", MET__REQUIRED, 1,
                           id_out != NULL ? MET__SUBJECT_SIZE_MAX
                                          : MET__KEY_SIZE_MAX,
                           key_out);
    fields->error = met__fields_end(&inner);
    return fields->error;
}

met_error met__owner_read(met__fields *fields, int is_record,
                          met__entitled_owner *owner_out)
{
    (void)read_key(fields, "customer", is_record, &owner_out->customer_id,
                   &owner_out->customer_key);
    return read_key(fields, "feature", is_record, NULL,
                    &owner_out->feature_key);
}

void met__owner_build(met__builder *builder,
                      const met__entitled_owner *owner)
{
    met__builder customer;
    met__builder feature;

    met__builder_begin(&customer, builder->arena);
    met__build_text(&customer, "id", owner->customer_id);
    met__build_text(&customer, "key", owner->customer_key);
    met__build_object(builder, "customer", &customer);
    met__builder_begin(&feature, builder->arena);
    met__build_text(&feature, "key", owner->feature_key);
    met__build_object(builder, "feature", &feature);
}

met_error met__metadata_read(met__fields *fields, met__arena *arena,
                             const met__node **metadata_out)
{
    const met__node *object = NULL;
    met__buffer buffer;
    met_error error = met__fields_object(fields, "metadata", MET__OPTIONAL,
                                         &object);

    if (error != MET_OK || object == NULL) {
        return error;
    }
    met__buffer_init(&buffer, arena->platform);
    met__json_write(object, 0, &buffer);
    error = buffer.error;
    size_t size = buffer.size;
    met__buffer_release(&buffer);
    if (error == MET_OK && size > MET__CONFIG_SIZE_MAX) {
        return met__fields_fail(fields, "metadata",
                                "must have at most %d bytes as JSON",
                                MET__CONFIG_SIZE_MAX);
    }
    fields->error = error;
    *metadata_out = object;
    return error;
}

met_error met__amount_check(met_decimal amount, const met__path *path,
                            const char *name, met_error_info *info)
{
    return met__decimal_is_quantity(amount)
               ? MET_OK
               : met__fail_at(info, MET_E_INVALID, path, name,
                              "must have at most 15 digits before the point "
                              "and 9 behind it");
}

met_error met__recurrence_read(met__fields *fields, const char *name,
                               met__recurrence *recurrence_out,
                               int *has_out)
{
    const met__node *object = NULL;
    met__path path = {fields->path, name, 0};
    met__fields inner;
    met_error error =
        met__fields_object(fields, name, MET__OPTIONAL, &object);

    *has_out = 0;
    if (error != MET_OK || object == NULL) {
        return error;
    }
    (void)met__fields_begin(&inner, object, &path, fields->info);
    (void)met__fields_duration(&inner, "interval", MET__REQUIRED,
                               &recurrence_out->interval);
    error = met__fields_time(&inner, "anchor", MET__OPTIONAL,
                             &recurrence_out->anchor_ns);
    if (error == MET_OK
        && !met__duration_is_hour_or_more(&recurrence_out->interval)) {
        error = met__fields_fail(&inner, "interval",
                                 "must be at least an hour");
    }
    if (error == MET_OK
        && (recurrence_out->interval.seconds != 0
            || recurrence_out->interval.nanoseconds != 0)) {
        error = met__fields_fail(&inner, "interval",
                                 "must be of whole minutes");
    }
    error = met__fields_end(&inner);
    fields->error = error;
    *has_out = error == MET_OK;
    return error;
}

void met__recurrence_build(met__builder *builder, const char *name,
                           const met__recurrence *recurrence)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    met__build_duration(&inner, "interval", &recurrence->interval);
    met__build_instant(&inner, "anchor", recurrence->anchor_ns);
    met__build_object(builder, name, &inner);
}

void met__build_instant(met__builder *builder, const char *name,
                        int64_t at_ns)
{
    met__node *node;

    if (at_ns == MET__NEVER || builder->error != MET_OK) {
        return;
    }
    node = met__node_time(builder->arena, at_ns);
    builder->error = node == NULL ? MET_E_NO_MEMORY : MET_OK;
    met__build_node(builder, name, node);
}

int64_t met__minute_first(int64_t at_ns)
{
    return at_ns < 0 || at_ns > MET__TIME_MAX - 1
               ? at_ns
               : at_ns - at_ns % MET__MINUTE_NS;
}
