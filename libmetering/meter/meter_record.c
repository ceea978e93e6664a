/* Meters in the store: their records, the recording plan that follows from
 * them, and from when on each counts. In: documents and keys inside a write
 * transaction. Out: records of METER, a new plan when what is recorded
 * changes. */
#include "meter/meter_record.h"

#include "base/check.h"
#include "meter/recording_plan.h"
#include "meter/slot_file.h"

#define PENDING_KEY "meters_pending"

/* --- As a record ---------------------------------------------------------- */
/* What is not told: */
static void build_private(met__builder *builder, const met__meter *meter)
{
    met__build_boolean(builder, "counts_all",
                       meter->counts_from_ns == INT64_MIN);
    met__build_integer(builder, "plan", (int64_t)meter->plan);
    met__build_integer(builder, "pinned", meter->pinned);
}

static met_error write_record(met__txn *txn, met__arena *arena,
                              const met__meter *meter)
{
    met__builder builder;
    met__node *node = NULL;

    met__builder_begin(&builder, arena);
    met__meter_build(&builder, meter, arena);
    build_private(&builder, meter);
    met_error error = met__builder_end(&builder, &node);
    return error == MET_OK
               ? met__record_put(txn, MET__TABLE_METER, meter->key.data,
                                 meter->key.size, node)
               : error;
}

static met_error from_record(met__arena *arena, const met__node *node,
                             met__meter **meter_out)
{
    met__fields fields;
    int counts_all = 0;
    int64_t plan = 0;
    int64_t pinned = 0;
    met__meter *meter = met__arena_allocate(arena, sizeof *meter);

    if (meter == NULL) {
        return MET_E_NO_MEMORY;
    }
    (void)met__fields_begin(&fields, node, NULL, NULL);
    if (fields.error != MET_OK) {
        return MET_E_CORRUPT;
    }
    met__meter_read_body(&fields, arena, meter);
    (void)met__fields_stamp(&fields, &meter->id, &meter->created_at_ns,
                            &meter->updated_at_ns);
    (void)met__fields_time(&fields, "counting_since", MET__OPTIONAL,
                           &meter->counting_since_ns);
    (void)met__fields_boolean(&fields, "counts_all", MET__REQUIRED,
                              &counts_all);
    (void)met__fields_integer(&fields, "plan", MET__REQUIRED, 0, UINT32_MAX,
                              &plan);
    (void)met__fields_integer(&fields, "pinned", MET__REQUIRED, 0, UINT32_MAX,
                              &pinned);
    met_error error = met__fields_end(&fields);
    if (error != MET_OK) {
        return error == MET_E_NO_MEMORY ? error : MET_E_CORRUPT;
    }
    meter->plan = (uint64_t)plan;
    meter->pinned = (uint32_t)pinned;
    meter->counts_from_ns = counts_all ? INT64_MIN
                            : meter->counting_since_ns != 0
                                ? meter->counting_since_ns
                                : INT64_MAX;
    *meter_out = meter;
    return MET_OK;
}

met_error met__meter_unpack(met__arena *arena, met__text value,
                            met__meter **meter_out)
{
    met__node *node = NULL;
    met_error error = met__record_unpack(arena, value, &node);

    return error == MET_OK ? from_record(arena, node, meter_out) : error;
}

met_error met__meter_get(met__txn *txn, met__text key, met__arena *arena,
                         met__meter **meter_out)
{
    met__node *node = NULL;
    met_error error = met__record_get(txn, MET__TABLE_METER, key.data,
                                      key.size, arena, &node);

    return error == MET_OK ? from_record(arena, node, meter_out) : error;
}

/* --- From when on a meter counts ------------------------------------------ */
static int64_t next_minute(int64_t now_ns)
{
    int64_t inside = now_ns % MET__MINUTE_NS;
    return inside == 0 ? now_ns : now_ns - inside + MET__MINUTE_NS;
}

/* Remembers that some meter waits for its plan to be published. */
static met_error set_pending(met__txn *txn, int is_pending)
{
    met_error error = is_pending
                          ? met__txn_put(txn, MET__TABLE_META, PENDING_KEY,
                                         sizeof PENDING_KEY - 1, NULL, 0)
                          : met__txn_remove(txn, MET__TABLE_META, PENDING_KEY,
                                            sizeof PENDING_KEY - 1);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* Was any event of this type recorded, or may one be right now? */
static met_error is_recorded(met__txn *txn, const met__meter *meter,
                             met__arena *arena, int *is_recorded_out)
{
    met__recording_plan *plan = NULL;
    met_error error = met__recorded_type_is_marked(txn, meter->event_type,
                                                   is_recorded_out);

    if (error != MET_OK || *is_recorded_out) {
        return error;
    }
    error = met__recording_plan_get(txn, meter->plan, arena, &plan);
    if (error != MET_OK) {
        return error;
    }
    const met__recording_type *type =
        met__recording_plan_type(plan, meter->event_type);
    MET__ASSERT(type != NULL);
    return met__slots_may_hold(met__txn_store(txn), type->since,
                               is_recorded_out);
}

static met_error begin_counting(met__txn *txn, met__meter *meter,
                                met__arena *arena)
{
    int recorded = 0;
    int published = 0;
    met_error error = is_recorded(txn, meter, arena, &recorded);

    if (error == MET_OK && !recorded) {
        meter->counts_from_ns = INT64_MIN;
        meter->counting_since_ns =
            meter->created_at_ns - meter->created_at_ns % MET__MINUTE_NS;
        return MET_OK;
    }
    if (error == MET_OK) {
        error = met__slots_have_published(met__txn_store(txn), meter->plan,
                                          &published);
    }
    if (error == MET_OK && published) {
        meter->counting_since_ns = next_minute(met__txn_now_ns(txn));
        meter->counts_from_ns = meter->counting_since_ns;
        return MET_OK;
    }
    meter->counts_from_ns = INT64_MAX;
    return error == MET_OK ? set_pending(txn, 1) : error;
}

static met_error publish(met__txn *txn, met__arena *arena)
{
    met__scan scan;
    met__text key;
    met__text value;
    int waits = 0;
    met_error error = met__scan_begin(txn, MET__TABLE_METER, NULL, 0, &scan);

    while (error == MET_OK) {
        met__meter *meter = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__meter_unpack(arena, value, &meter);
        }
        if (error == MET_OK && meter->counts_from_ns == INT64_MAX) {
            int published = 0;
            error = met__slots_have_published(met__txn_store(txn),
                                              meter->plan, &published);
            if (error == MET_OK && published) {
                meter->counting_since_ns = next_minute(met__txn_now_ns(txn));
                error = write_record(txn, arena, meter);
                if (error == MET_OK) {
                    error = met__txn_touch_catalog(txn);
                }
            }
            waits |= !published;
        }
    }
    met__scan_end(&scan);
    if (error == MET_E_NOT_FOUND) {
        error = waits ? MET_OK : set_pending(txn, 0);
    }
    return error;
}

met_error met__meters_publish(met__txn *txn)
{
    met__arena arena;
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_META, PENDING_KEY,
                                   sizeof PENDING_KEY - 1, &value);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    error = publish(txn, &arena);
    met__arena_release(&arena);
    return error;
}

/* --- Storing -------------------------------------------------------------- */
static met_error refuse_change(met__text key, const met__path *path,
                               const char *name, met_error_info *info)
{
    return met__fail_at(info, MET_E_CONFLICT, path, name,
                        "of meter \"%.*s\" cannot be changed", (int)key.size,
                        key.data);
}

static met_error check_update(const met__meter *old, const met__meter *new,
                              const met__path *path, met_error_info *info)
{
    if (!met__text_equal(old->event_type, new->event_type)) {
        return refuse_change(old->key, path, "event_type", info);
    }
    if (old->aggregation != new->aggregation) {
        return refuse_change(old->key, path, "aggregation", info);
    }
    if (!met__text_equal(old->value_attribute, new->value_attribute)) {
        return refuse_change(old->key, path, "value_property", info);
    }
    if (old->events_from_ns != new->events_from_ns) {
        return refuse_change(old->key, path, "events_from", info);
    }
    return MET_OK;
}

static int same_dimensions(const met__meter *a, const met__meter *b)
{
    int same = a->dimension_count == b->dimension_count;

    for (size_t i = 0; same && i < a->dimension_count; i++) {
        same = met__text_equal(a->dimensions[i].name, b->dimensions[i].name)
               && met__text_equal(a->dimensions[i].attribute,
                                  b->dimensions[i].attribute);
    }
    return same;
}

/* What the library knows of the old meter goes over to the new one. */
static void keep_known(const met__meter *old, met__meter *new)
{
    new->id = old->id;
    new->created_at_ns = old->created_at_ns;
    new->counting_since_ns = old->counting_since_ns;
    new->counts_from_ns = old->counts_from_ns;
    new->plan = old->plan;
    for (size_t i = 0; i < old->dimension_count; i++) {
        const met__dimension *kept = met__meter_dimension(
            new, old->dimensions[i].name);
        if (kept != NULL && (old->pinned >> i & 1) != 0) {
            new->pinned |= 1u << (kept - new->dimensions);
        }
    }
}

static met_error create(met__txn *txn, met__meter *meter,
                        const met__path *path, met__arena *arena,
                        met_error_info *info)
{
    int64_t now_ns = met__txn_now_ns(txn);
    met_error error = met__object_id(txn, now_ns, arena, &meter->id);

    meter->created_at_ns = now_ns;
    meter->updated_at_ns = now_ns;
    meter->counts_from_ns = INT64_MAX;
    if (error == MET_OK) {
        error = write_record(txn, arena, meter);
    }
    if (error == MET_OK) {
        error = met__recording_plan_compile(txn, path, &meter->plan, info);
    }
    if (error == MET_OK) {
        error = begin_counting(txn, meter, arena);
    }
    return error == MET_OK ? write_record(txn, arena, meter) : error;
}

static met_error update(met__txn *txn, const met__meter *old,
                        met__meter *meter, const met__path *path,
                        met__arena *arena, met_error_info *info)
{
    uint64_t number;

    keep_known(old, meter);
    meter->updated_at_ns = met__txn_now_ns(txn);
    met_error error = write_record(txn, arena, meter);
    if (error == MET_OK && !same_dimensions(old, meter)) {
        error = met__recording_plan_compile(txn, path, &number, info);
    }
    return error;
}

static met_error put(met__txn *txn, const met__node *node,
                     const met__path *path, met__arena *arena,
                     uint32_t *change_out, met_error_info *info)
{
    met__meter *meter = NULL;
    met__meter *old = NULL;
    uint32_t change;
    met_error error = met__meter_read(node, path, arena, &meter, info);

    if (error != MET_OK) {
        return error;
    }
    error = met__meter_get(txn, meter->key, arena, &old);
    if (error == MET_E_NOT_FOUND) {
        change = MET__CHANGE_CREATED;
        error = create(txn, meter, path, arena, info);
    } else if (error == MET_OK) {
        error = check_update(old, meter, path, info);
        if (error != MET_OK) {
            return error;
        }
        int same = met__text_equal(old->name, meter->name)
                   && met__text_equal(old->description, meter->description)
                   && same_dimensions(old, meter);
        change = same ? MET__CHANGE_NONE : MET__CHANGE_UPDATED;
        if (!same) {
            error = update(txn, old, meter, path, arena, info);
        }
    } else {
        return error;
    }
    if (error == MET_OK && change != MET__CHANGE_NONE) {
        error = met__txn_touch_catalog(txn);
    }
    if (error == MET_OK && change_out != NULL) {
        *change_out = change;
    }
    return error;
}

met_error met__meter_put(met__txn *txn, const met__node *node,
                         const met__path *path, uint32_t *change_out,
                         met_error_info *info)
{
    met__arena arena;

    MET__ASSERT(txn != NULL);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = put(txn, node, path, &arena, change_out, info);
    met__arena_release(&arena);
    return error;
}

/* A later meter of the same type must not take over what this one counted. */
static met_error mark_type(met__txn *txn, met__text key)
{
    met__arena arena;
    met__meter *meter = NULL;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__meter_get(txn, key, &arena, &meter);
    if (error == MET_OK) {
        error = met__recorded_type_mark(txn, meter->event_type);
    }
    met__arena_release(&arena);
    return error;
}

met_error met__meter_remove(met__txn *txn, met__text key, met_error_info *info)
{
    uint64_t number;
    met_error error = mark_type(txn, key);

    if (error == MET_E_NOT_FOUND) {
        return met__fail(info, error, "key", "there is no meter \"%.*s\"",
                         (int)key.size, key.data);
    }
    if (error == MET_OK) {
        error = met__txn_remove(txn, MET__TABLE_METER, key.data, key.size);
    }
    if (error == MET_OK) {
        error = met__recording_plan_compile(txn, NULL, &number, info);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

met_error met__meter_pin(met__txn *txn, met__text key, met__text dimension)
{
    met__arena arena;
    met__meter *meter = NULL;
    uint64_t number;

    MET__ASSERT(txn != NULL);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__meter_get(txn, key, &arena, &meter);
    if (error == MET_OK) {
        const met__dimension *found = met__meter_dimension(meter, dimension);
        if (found == NULL) {
            error = MET_E_NOT_FOUND;
        } else if ((meter->pinned >> (found - meter->dimensions) & 1) == 0) {
            meter->pinned |= 1u << (found - meter->dimensions);
            error = write_record(txn, &arena, meter);
            if (error == MET_OK) {
                error = met__recording_plan_compile(txn, NULL, &number, NULL);
            }
        }
    }
    met__arena_release(&arena);
    return error;
}

/* --- Telling -------------------------------------------------------------- */
met_error met__meter_dropped(met__txn *txn, const met__meter *meter,
                             met__arena *arena, met__text *names_out,
                             size_t *count_out)
{
    met__meter *old = NULL;
    met_error error = met__meter_get(txn, meter->key, arena, &old);

    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    *count_out = 0;
    for (size_t i = 0; error == MET_OK && i < old->dimension_count; i++) {
        const met__dimension *kept = met__meter_dimension(
            meter, old->dimensions[i].name);
        if (kept == NULL
            || !met__text_equal(kept->attribute,
                                old->dimensions[i].attribute)) {
            names_out[(*count_out)++] = old->dimensions[i].name;
        }
    }
    return MET_OK;
}

static met_error tell(const met__meter *meter, met__arena *arena,
                      met__node **node_out)
{
    met__builder builder;

    met__builder_begin(&builder, arena);
    met__meter_build(&builder, meter, arena);
    return met__builder_end(&builder, node_out);
}

met_error met__meter_document(met__txn *txn, met__text key, met__arena *arena,
                              met__node **node_out)
{
    met__meter *meter = NULL;
    met_error error = met__meter_get(txn, key, arena, &meter);

    return error == MET_OK ? tell(meter, arena, node_out) : error;
}

met_error met__meter_list(met__txn *txn, met__arena *arena,
                          met__node **array_out)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__node *array = met__node_array(arena);
    met_error error = met__scan_begin(txn, MET__TABLE_METER, NULL, 0, &scan);

    while (error == MET_OK) {
        met__meter *meter = NULL;
        met__node *node = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__meter_unpack(arena, value, &meter);
        }
        if (error == MET_OK) {
            error = tell(meter, arena, &node);
        }
        if (error == MET_OK) {
            error = met__node_append(arena, array, node);
        }
    }
    met__scan_end(&scan);
    if (error != MET_E_NOT_FOUND) {
        return error;
    }
    *array_out = array;
    return MET_OK;
}
