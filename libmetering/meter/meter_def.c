/* The document that defines a meter: its rules, read and written. In: a
 * document. Out: the meter, or the field that breaks a rule and why. It knows
 * no store; meter_record.c does. */
#include "meter/meter_def.h"

#include <stdio.h>

#include "base/check.h"
#include "meter/attribute_path.h"
#include "meter/meter_record.h"

static const char *const aggregations[] = {
    "sum", "count", "unique_count", "avg", "min", "max", "latest", NULL};

/* --- Reading -------------------------------------------------------------- */
static int is_reserved_type(met__text type)
{
    return (type.size >= 3 && memcmp(type.data, "om.", 3) == 0)
           || (type.size >= 2 && memcmp(type.data, "_.", 2) == 0);
}

/* ^[a-zA-Z_][0-9a-zA-Z_]*$ */
static int is_dimension_name(met__text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                        || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) {
            return 0;
        }
    }
    return name.size > 0 && name.size <= MET__KEY_SIZE_MAX;
}

/* A path that is wrong in itself, told at its field. */
static met_error read_path(met__fields *fields, const met__path *path,
                           const char *name, met__text text,
                           met__arena *arena, met__text *attribute_out)
{
    const char *reason = NULL;
    met_error error = met__attribute_path_read(text, arena, attribute_out,
                                               &reason);

    if (error != MET_OK && fields->error == MET_OK) {
        fields->error = met__fail_at(fields->info, error, path, name, "%s",
                                     reason);
    }
    return error;
}

static met_error read_value(met__fields *fields, met__arena *arena,
                            met__meter *meter)
{
    met__text text = {NULL, 0};
    unsigned needs = meter->aggregation == MET__AGGREGATION_COUNT
                         ? MET__OPTIONAL
                         : MET__REQUIRED;

    if (met__fields_text(fields, "value_property", needs, 1,
                         MET__DESCRIPTION_SIZE_MAX, &text)
            != MET_OK
        || text.data == NULL) {
        return fields->error;
    }
    if (meter->aggregation == MET__AGGREGATION_COUNT) {
        return met__fields_fail(fields, "value_property",
                                "is not allowed when the aggregation is "
                                "count");
    }
    return read_path(fields, fields->path, "value_property", text, arena,
                     &meter->value_attribute);
}

static met_error add_dimension(met__fields *fields, const met__path *path,
                               const met__member *member, met__arena *arena,
                               met__meter *meter)
{
    met__dimension read = {.name = member->name};
    char name[MET_ERROR_FIELD_SIZE];

    snprintf(name, sizeof name, "%.*s", (int)member->name.size,
             member->name.data);
    if (!is_dimension_name(member->name)) {
        fields->error = met__fail_at(
            fields->info, MET_E_INVALID, path, name,
            "a dimension's name must be a letter or _, then letters, digits "
            "and _, at most %d", MET__KEY_SIZE_MAX);
    } else if (met__text_equal(member->name, MET__TEXT("subject"))
               || met__text_equal(member->name, MET__TEXT("customer_id"))) {
        fields->error = met__fail_at(fields->info, MET_E_INVALID, path, name,
                                     "is a reserved name");
    } else if (member->node->kind != MET__NODE_TEXT) {
        fields->error = met__fail_at(fields->info, MET_E_INVALID, path, name,
                                     "must be a text that starts with $");
    } else {
        (void)read_path(fields, path, name, member->node->as.text, arena,
                        &read.attribute);
    }
    if (fields->error == MET_OK && meter->value_attribute.size > 0
        && met__text_equal(read.attribute, meter->value_attribute)) {
        fields->error = met__fail_at(fields->info, MET_E_INVALID, path, name,
                                     "must not be the value_property");
    }
    if (fields->error != MET_OK) {
        return fields->error;
    }
    size_t at = 0;
    while (at < meter->dimension_count
           && met__text_compare(meter->dimensions[at].name, read.name) < 0) {
        at++;
    }
    if (at < meter->dimension_count
        && met__text_equal(meter->dimensions[at].name, read.name)) {
        fields->error = met__fail_at(fields->info, MET_E_INVALID, path, name,
                                     "is there twice");
        return fields->error;
    }
    memmove(&meter->dimensions[at + 1], &meter->dimensions[at],
            (meter->dimension_count - at) * sizeof read);
    meter->dimensions[at] = read;
    meter->dimension_count++;
    return MET_OK;
}

static met_error read_dimensions(met__fields *fields, met__arena *arena,
                                 met__meter *meter)
{
    const met__node *object = NULL;
    met__path path = {fields->path, "dimensions", 0};

    if (met__fields_object(fields, "dimensions", MET__OPTIONAL, &object)
            != MET_OK
        || object == NULL) {
        return fields->error;
    }
    if (object->count > MET__DIMENSIONS_MAX) {
        fields->error = met__fail_at(fields->info, MET_E_LIMIT, fields->path,
                                     "dimensions", "has more than %d",
                                     MET__DIMENSIONS_MAX);
    }
    for (uint32_t i = 0; fields->error == MET_OK && i < object->count; i++) {
        (void)add_dimension(fields, &path, &object->as.members[i], arena,
                            meter);
    }
    return fields->error;
}

void met__meter_read_body(met__fields *fields, met__arena *arena,
                          met__meter *meter)
{
    uint32_t aggregation = 0;

    (void)met__fields_key(fields, "key", MET__REQUIRED, &meter->key);
    if (fields->error == MET_OK && met__text_looks_like_id(meter->key)) {
        (void)met__fields_fail(fields, "key", "must not look like an id");
    }
    (void)met__fields_text(fields, "name", MET__REQUIRED, 1,
                           MET__NAME_SIZE_MAX, &meter->name);
    (void)met__fields_text(fields, "description", MET__OPTIONAL, 1,
                           MET__DESCRIPTION_SIZE_MAX, &meter->description);
    (void)met__fields_text(fields, "event_type", MET__REQUIRED, 1,
                           MET__EVENT_TYPE_SIZE_MAX, &meter->event_type);
    if (fields->error == MET_OK && is_reserved_type(meter->event_type)) {
        (void)met__fields_fail(fields, "event_type",
                               "types that begin with om. or _. are reserved");
    }
    (void)met__fields_choice(fields, "aggregation", MET__REQUIRED,
                             aggregations, &aggregation);
    meter->aggregation = aggregation + 1;
    (void)read_value(fields, arena, meter);
    (void)read_dimensions(fields, arena, meter);
    (void)met__fields_time(fields, "events_from", MET__OPTIONAL,
                           &meter->events_from_ns);
    if (fields->error == MET_OK && meter->events_from_ns == 0
        && met__node_get(fields->object, "events_from") != NULL
        && met__node_get(fields->object, "events_from")->kind
               != MET__NODE_NULL) {
        (void)met__fields_fail(fields, "events_from", "must not be zero");
    }
}

met_error met__meter_read(const met__node *node, const met__path *path,
                          met__arena *arena, met__meter **meter_out,
                          met_error_info *info)
{
    static const char *const unserved[] = {"labels", "metadata", NULL};
    met__fields fields;

    MET__ASSERT(arena != NULL && meter_out != NULL);
    met__meter *meter = met__arena_allocate(arena, sizeof *meter);
    if (meter == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (met__fields_begin(&fields, node, path, info) != MET_OK) {
        return fields.error;
    }
    met_error error = met__refuse_unserved(node, path, unserved, info);
    if (error != MET_OK) {
        return error;
    }
    met__meter_read_body(&fields, arena, meter);
    error = met__fields_end(&fields);
    if (error == MET_OK) {
        *meter_out = meter;
    }
    return error;
}

const met__dimension *met__meter_dimension(const met__meter *meter,
                                           met__text name)
{
    for (size_t i = 0; i < meter->dimension_count; i++) {
        if (met__text_equal(meter->dimensions[i].name, name)) {
            return &meter->dimensions[i];
        }
    }
    return NULL;
}

/* --- Writing -------------------------------------------------------------- */
void met__meter_build(met__builder *builder, const met__meter *meter,
                      met__arena *arena)
{
    met__builder dimensions;

    met__build_text(builder, "key", meter->key);
    met__build_text(builder, "name", meter->name);
    met__build_text(builder, "description", meter->description);
    met__build_text(builder, "event_type", meter->event_type);
    met__build_text(builder, "aggregation",
                    met__text_z(aggregations[meter->aggregation - 1]));
    if (meter->value_attribute.size > 0) {
        met__build_text(builder, "value_property",
                        met__attribute_path_of(meter->value_attribute, arena));
    }
    met__builder_begin(&dimensions, arena);
    for (size_t i = 0; i < meter->dimension_count; i++) {
        char *name = met__arena_copy(arena, meter->dimensions[i].name.data,
                                     meter->dimensions[i].name.size);
        met__text of = met__attribute_path_of(meter->dimensions[i].attribute,
                                              arena);
        if (name == NULL || of.data == NULL) {
            builder->error = MET_E_NO_MEMORY;
            return;
        }
        met__build_text(&dimensions, name, of);
    }
    if (meter->dimension_count > 0) {
        met__build_object(builder, "dimensions", &dimensions);
    }
    met__build_time(builder, "events_from", meter->events_from_ns);
    met__build_stamp(builder, meter->id, meter->created_at_ns,
                     meter->updated_at_ns);
    met__build_time(builder, "counting_since", meter->counting_since_ns);
}
