/* Adjustments: a signed amount that one meter gets, in a part of its own. In:
 * a document. Out: a part whose shape names the meter, and a record of who did
 * it and why. */
#include "base/check.h"
#include "meter/correction.h"
#include "meter/usage_match.h"
#include "meter/usage_part.h"
#include "meter/usage_shape.h"

typedef struct adjustment {
    met__text id;
    met__text meter_key;
    met__text subject;
    met__text reason;
    met__text actor;
    const met__node *dimensions;
    met_decimal value;
    int64_t utc_ns;
} adjustment;

/* --- Reading -------------------------------------------------------------- */
static met_error read_fields(const met__node *node, const met__path *path,
                             adjustment *read, met_error_info *info)
{
    met__fields fields;

    if (met__fields_begin(&fields, node, path, info) != MET_OK) {
        return fields.error;
    }
    (void)met__fields_text(&fields, "id", MET__REQUIRED, 1,
                           MET__EVENT_ID_SIZE_MAX, &read->id);
    (void)met__fields_key(&fields, "meter", MET__REQUIRED, &read->meter_key);
    (void)met__fields_text(&fields, "subject", MET__REQUIRED, 1,
                           MET__SUBJECT_SIZE_MAX, &read->subject);
    (void)met__fields_object(&fields, "dimensions", MET__OPTIONAL,
                             &read->dimensions);
    (void)met__fields_time(&fields, "time", MET__REQUIRED, &read->utc_ns);
    (void)met__fields_decimal(&fields, "value", MET__REQUIRED, INT64_MIN,
                              &read->value);
    (void)met__fields_text(&fields, "reason", MET__REQUIRED, 1,
                           MET__DESCRIPTION_SIZE_MAX, &read->reason);
    (void)met__fields_text(&fields, "actor", MET__REQUIRED, 1,
                           MET__NAME_SIZE_MAX, &read->actor);
    if (fields.error == MET_OK && met__decimal_is_zero(read->value)) {
        (void)met__fields_fail(&fields, "value", "must not be 0");
    }
    return met__fields_end(&fields);
}

/* As for events: not before the meter, and no further ahead than those. */
static met_error check_time(met__txn *txn, const adjustment *read,
                            const met__meter *meter, const met__path *path,
                            met_error_info *info)
{
    met__ingest_settings settings;
    met_error error = met__ingest_settings_get(txn, &settings);

    if (error != MET_OK) {
        return error;
    }
    if (read->utc_ns / MET__MINUTE_NS < met__usage_first_minute(meter)) {
        return met__fail_at(info, MET_E_INVALID, path, "time",
                            "is before the meter counts");
    }
    return read->utc_ns
                   <= met__ingest_future(&settings, met__txn_now_ns(txn))
               ? MET_OK
               : met__fail_at(info, MET_E_INVALID, path, "time",
                              "is further ahead of the clock than "
                              "future_after of the events' settings");
}

/* The meter's dimensions; those that are not given are "". */
static met_error read_dimensions(const adjustment *read,
                                 const met__meter *meter,
                                 const met__path *path,
                                 met__usage_shape *shape,
                                 met_error_info *info)
{
    met__path here = {path, "dimensions", 0};
    uint32_t given = read->dimensions != NULL ? read->dimensions->count : 0;

    for (size_t i = 0; i < meter->dimension_count; i++) {
        shape->names[i] = meter->dimensions[i].attribute;
        shape->values[i] = MET__TEXT("");
    }
    shape->attribute_count = (uint32_t)meter->dimension_count;
    for (uint32_t i = 0; i < given; i++) {
        const met__member *member = &read->dimensions->as.members[i];
        const met__dimension *dimension = met__meter_dimension(meter,
                                                               member->name);
        if (dimension == NULL) {
            return met__fail_at(info, MET_E_INVALID, &here, NULL,
                                "%.*s is no dimension of the meter",
                                (int)member->name.size, member->name.data);
        }
        if (member->node->kind != MET__NODE_TEXT
            || member->node->as.text.size > MET__VALUE_SIZE_MAX
            || !met__text_is_clean(member->node->as.text)) {
            return met__fail_at(info, MET_E_INVALID, &here, NULL,
                                "must be texts of at most %d bytes",
                                MET__VALUE_SIZE_MAX);
        }
        shape->values[dimension - meter->dimensions] = member->node->as.text;
    }
    return MET_OK;
}

/* The amount as a part has it: events for a count, else one quantity. */
static met_error read_value(const adjustment *read, const met__meter *meter,
                            const met__path *path, met__usage_shape *shape,
                            uint64_t *words, met_error_info *info)
{
    uint64_t value[2];
    int is_count = meter->aggregation == MET__AGGREGATION_COUNT;

    if (!is_count && meter->aggregation != MET__AGGREGATION_SUM) {
        return met__fail_at(info, MET_E_UNSUPPORTED, path, "meter",
                            "only meters that count or sum can be adjusted: "
                            "of the others a signed amount says nothing");
    }
    met_error error = met__decimal_to_wide(
        read->value, is_count ? 0 : MET__AMOUNT_PLACES, value);
    met__wide amount = error == MET_OK ? met__amount_get(value) : 0;
    if (error != MET_OK
        || !met__amount_is_quantity(is_count ? amount * 1000000000 : amount)) {
        return met__fail_at(info, MET_E_INVALID, path, "value",
                            is_count ? "must be a whole number of at most 15 "
                                       "digits"
                                     : "must have at most 15 digits before "
                                       "the point and 9 behind it");
    }
    if (is_count) {
        words[MET__PART_COUNT] = (uint64_t)(int64_t)amount;
        return MET_OK;
    }
    uint64_t *quantity = words + MET__PART_QUANTITIES;
    words[MET__PART_PLAN] = 1;
    quantity[MET__QUANTITY_COUNT] = 1;
    met__amount_set(quantity + MET__QUANTITY_SUM, amount);
    shape->quantity_count = 1;
    shape->quantities[0] = meter->value_attribute;
    return MET_OK;
}

/* --- Storing -------------------------------------------------------------- */
/* What the caller says of it. */
static void build(met__builder *builder, met__arena *arena,
                  const adjustment *read)
{
    met__builder_begin(builder, arena);
    met__build_text(builder, "id", read->id);
    met__build_text(builder, "meter", read->meter_key);
    met__build_text(builder, "subject", read->subject);
    met__build_node(builder, "dimensions", read->dimensions);
    met__build_time(builder, "time", read->utc_ns);
    met__build_decimal(builder, "value", read->value);
    met__build_text(builder, "reason", read->reason);
    met__build_text(builder, "actor", read->actor);
}

static met_error write_record(met__txn *txn, const adjustment *read,
                              met__arena *arena, int64_t created_ns,
                              met__node **node_out)
{
    met__builder builder;

    build(&builder, arena, read);
    met__build_time(&builder, "created_at", created_ns);
    met_error error = met__builder_end(&builder, node_out);
    return error == MET_OK
               ? met__record_put(txn, MET__TABLE_ADJUSTMENT, read->id.data,
                                 read->id.size, *node_out)
               : error;
}

/* MET_E_EXISTS: the same document is stored. */
static met_error compare_stored(met__txn *txn, const adjustment *read,
                                const met__path *path, met__arena *arena,
                                met__node **node_out, met_error_info *info)
{
    static const char *const names[] = {"meter", "subject", "dimensions",
                                        "time", "value", "reason", "actor"};
    met__node *stored = NULL;
    met__node *given = NULL;
    met__builder builder;
    met_error error = met__record_get(txn, MET__TABLE_ADJUSTMENT,
                                      read->id.data, read->id.size, arena,
                                      &stored);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    build(&builder, arena, read);
    error = met__builder_end(&builder, &given);
    for (size_t i = 0; error == MET_OK && i < sizeof names / sizeof *names;
         i++) {
        const met__node *a = met__node_get(given, names[i]);
        const met__node *b = met__node_get(stored, names[i]);
        if ((a == NULL) != (b == NULL)
            || (a != NULL && !met__node_equal(a, b))) {
            return met__fail_at(info, MET_E_CONFLICT, path, "id",
                                "is that of another adjustment: its %s "
                                "differs", names[i]);
        }
    }
    *node_out = stored;
    return error == MET_OK ? MET_E_EXISTS : error;
}

static met_error number_shape(met__txn *txn, const met__usage_shape *shape,
                              met__arena *arena, uint64_t *number_out)
{
    unsigned char bytes[MET__SHAPE_VALUE_MAX];
    size_t size = met__usage_shape_write(shape, bytes);
    char *copy = met__arena_copy(arena, bytes, size);

    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__new_shape new = {
        met__hash128_of(met__store_secret(met__txn_store(txn)), copy, size),
        met__text_of(copy, size), number_out};
    return met__usage_shapes_number(txn, &new, 1);
}

static met_error write_part(met__txn *txn, const met__steps *steps,
                            const adjustment *read,
                            const met__usage_shape *shape, uint64_t *words,
                            met__arena *arena)
{
    met__telling telling;
    uint64_t batch = 0;
    uint32_t minute = (uint32_t)(read->utc_ns / MET__MINUTE_NS);
    met_error error = number_shape(txn, shape, arena,
                                   &words[MET__PART_SHAPE]);

    if (error == MET_OK) {
        error = met__ingest_next_batch(txn, &batch);
    }
    met__part_key key = {.minute = minute,
                         .generation = batch >> 32,
                         .epoch = (uint32_t)batch};
    words[MET__PART_SEQUENCE] = 1;
    if (error == MET_OK) {
        error = met__part_put(txn, &key, words);
    }
    met__telling_begin(&telling, steps, txn, arena);
    return error == MET_OK ? met__steps_tell(&telling, words[MET__PART_SHAPE],
                                             minute, NULL, words)
                           : error;
}

met_error met__usage_adjust(met__txn *txn, const met__steps *steps,
                            const met__node *node, const met__path *path,
                            met__arena *arena, met__node **node_out,
                            met_error_info *info)
{
    uint64_t words[MET__PART_WORDS_MAX] = {0};
    adjustment read = {0};
    met__meter *meter = NULL;
    met__usage_shape *shape = met__arena_allocate(arena, sizeof *shape);
    met_error error = read_fields(node, path, &read, info);

    if (error != MET_OK || shape == NULL) {
        return error != MET_OK ? error : MET_E_NO_MEMORY;
    }
    error = compare_stored(txn, &read, path, arena, node_out, info);
    if (error != MET_OK) {
        return error == MET_E_EXISTS ? MET_OK : error;
    }
    error = met__meter_get(txn, read.meter_key, arena, &meter);
    if (error == MET_E_NOT_FOUND) {
        return met__fail_at(info, error, path, "meter",
                            "there is no meter \"%.*s\"",
                            (int)read.meter_key.size, read.meter_key.data);
    }
    if (error == MET_OK) {
        error = check_time(txn, &read, meter, path, info);
    }
    if (error == MET_OK) {
        *shape = (met__usage_shape){.type = meter->key,
                                    .subject = read.subject,
                                    .flags = MET__SHAPE_ADJUSTS};
        error = read_dimensions(&read, meter, path, shape, info);
    }
    if (error == MET_OK) {
        error = read_value(&read, meter, path, shape, words, info);
    }
    if (error == MET_OK) {
        error = write_part(txn, steps, &read, shape, words, arena);
    }
    return error == MET_OK ? write_record(txn, &read, arena,
                                          met__txn_now_ns(txn), node_out)
                           : error;
}

/* --- Telling -------------------------------------------------------------- */
static int is_of(const met__node *node, met__text subject, int64_t minute)
{
    const met__node *whose = met__node_get(node, "subject");
    const met__node *time = met__node_get(node, "time");
    int64_t utc_ns = 0;

    return whose != NULL && whose->kind == MET__NODE_TEXT && time != NULL
           && time->kind == MET__NODE_TEXT
           && met__text_equal(whose->as.text, subject)
           && met__time_parse(time->as.text, &utc_ns) == MET_OK
           && utc_ns / MET__MINUTE_NS == minute;
}

met_error met__adjustment_list(met__txn *txn, met__text subject,
                               int64_t minute, met__arena *arena,
                               met__node **array_out)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__node *array = met__node_array(arena);
    met_error error = met__scan_begin(txn, MET__TABLE_ADJUSTMENT, NULL, 0,
                                      &scan);

    while (error == MET_OK) {
        met__node *node = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__record_unpack(arena, value, &node);
        }
        if (error == MET_OK
            && (subject.size == 0 || is_of(node, subject, minute))) {
            error = met__node_append(arena, array, node);
        }
    }
    met__scan_end(&scan);
    *array_out = array;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}
