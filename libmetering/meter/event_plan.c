/* A handle for ingest: opening, closing, and the meters it counts for. Meters
 * are read again when the catalog's number says that something changed. */
#include "meter/event_state.h"
#include "meter/usage_match.h"

/* --- Meters --------------------------------------------------------------- */
static uint32_t index_of(const met__text *names, size_t count, met__text name)
{
    for (size_t i = 0; i < count; i++) {
        if (met__text_equal(names[i], name)) {
            return (uint32_t)i;
        }
    }
    return MET__NO_INDEX;
}

static met_error add_meter(met__ingest *ingest, const met__meter *meter)
{
    met__event_type *type = met__ingest_type(ingest, meter->event_type);

    MET__ASSERT(type != NULL);
    const met__recording_type *kept = type->kept;
    met__event_meter *list = met__arena_allocate(
        &ingest->plan_arena, (type->meter_count + 1) * sizeof *list);
    if (list == NULL) {
        return MET_E_NO_MEMORY;
    }
    if (type->meter_count > 0) {
        memcpy(list, type->meters, type->meter_count * sizeof *list);
    }
    met__event_meter *made = &list[type->meter_count];
    *made = (met__event_meter){met__usage_first_minute(meter), MET__NO_INDEX,
                               MET__NO_INDEX};
    if (meter->aggregation == MET__AGGREGATION_UNIQUE_COUNT) {
        made->attribute = index_of(kept->attributes, kept->attribute_count,
                                   meter->value_attribute);
        MET__ASSERT(made->attribute != MET__NO_INDEX);
    } else if (meter->aggregation != MET__AGGREGATION_COUNT) {
        made->quantity = index_of(kept->quantities, kept->quantity_count,
                                  meter->value_attribute);
        MET__ASSERT(made->quantity != MET__NO_INDEX);
    }
    type->meters = list;
    type->meter_count++;
    return MET_OK;
}

static met_error read_meters(met__ingest *ingest, met__txn *txn)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error = met__scan_begin(txn, MET__TABLE_METER, NULL, 0, &scan);

    while (error == MET_OK) {
        met__meter *meter = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__meter_unpack(&ingest->plan_arena, value, &meter);
        }
        if (error == MET_OK) {
            error = add_meter(ingest, meter);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error read_types(met__ingest *ingest)
{
    const met__recording_plan *plan = ingest->plan;

    ingest->types = met__arena_allocate(
        &ingest->plan_arena, plan->type_count * sizeof *ingest->types);
    if (ingest->types == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < plan->type_count; i++) {
        const met__recording_type *kept = &plan->types[i];
        met__event_type *type = &ingest->types[i];
        type->kept = kept;
        type->shape.type = kept->type;
        type->shape.attribute_count = (uint32_t)kept->attribute_count;
        type->shape.quantity_count = (uint32_t)kept->quantity_count;
        memcpy(type->shape.names, kept->attributes,
               kept->attribute_count * sizeof *kept->attributes);
        memcpy(type->shape.quantities, kept->quantities,
               kept->quantity_count * sizeof *kept->quantities);
    }
    return MET_OK;
}

static void forget_plan(met__ingest *ingest)
{
    met__arena_release(&ingest->plan_arena);
    ingest->has_plan = 0;
    ingest->last_type = 0;
    ingest->plan = NULL;
    ingest->types = NULL;
}

met_error met__ingest_take_plan(met__ingest *ingest, met__txn *txn,
                                int *is_new_out)
{
    uint64_t catalog = 0;
    uint64_t number = 0;
    met_error error = met__txn_catalog_number(txn, &catalog);

    *is_new_out = 0;
    if (error != MET_OK || (ingest->has_plan && ingest->catalog == catalog)) {
        return error;
    }
    forget_plan(ingest);
    error = met__recording_plan_number(txn, &number);
    if (error == MET_OK) {
        error = met__recording_plan_get(txn, number, &ingest->plan_arena,
                                        &ingest->plan);
    }
    if (error == MET_OK) {
        error = read_types(ingest);
    }
    if (error == MET_OK) {
        error = read_meters(ingest, txn);
    }
    if (error != MET_OK) {
        forget_plan(ingest);
        return error;
    }
    ingest->has_plan = 1;
    ingest->catalog = catalog;
    *is_new_out = 1;
    return MET_OK;
}

met__event_type *met__ingest_type(met__ingest *ingest, met__text type)
{
    if (ingest->plan->type_count > 0
        && met__text_equal(ingest->types[ingest->last_type].kept->type,
                           type)) {
        return &ingest->types[ingest->last_type];
    }
    const met__recording_type *found = met__recording_plan_type(ingest->plan,
                                                                type);
    if (found == NULL) {
        return NULL;
    }
    ingest->last_type = (uint32_t)(found - ingest->plan->types);
    return &ingest->types[ingest->last_type];
}

/* --- Handle --------------------------------------------------------------- */
void met__ingest_forget_shapes(met__ingest *ingest)
{
    met__arena_release(&ingest->shape_arena);
    met__index_map_init(&ingest->shape_map, &ingest->shape_arena,
                        MET__EVENT_SHAPES_MAX + MET__BATCH_EVENTS_MAX);
    ingest->shapes = NULL;
    ingest->shape_count = 0;
    ingest->shape_room = 0;
}

met_error met__ingest_open(met_store *store, const met__settle_step *steps,
                           size_t step_count, met__ingest **ingest_out,
                           met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    met_error error = met__store_check_handle(store);

    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    met__ingest *ingest = met__allocate(platform, sizeof *ingest);
    if (ingest == NULL) {
        return met__fail_code(info, MET_E_NO_MEMORY);
    }
    error = met__dedupe_init(&ingest->dedupe, store);
    if (error != MET_OK) {
        met__release(platform, ingest, sizeof *ingest);
        return met__fail_code(info, error);
    }
    ingest->store = store;
    ingest->platform = platform;
    ingest->steps = (met__steps){steps, step_count, 0};
    met__arena_init(&ingest->plan_arena, platform);
    met__arena_init(&ingest->shape_arena, platform);
    met__arena_init(&ingest->arena, platform);
    met__ingest_forget_shapes(ingest);
    *ingest_out = ingest;
    return MET_OK;
}

void met__ingest_close(met__ingest *ingest)
{
    if (ingest == NULL) {
        return;
    }
    met__dedupe_close(&ingest->dedupe);
    met__arena_release(&ingest->plan_arena);
    met__arena_release(&ingest->shape_arena);
    met__arena_release(&ingest->arena);
    met__release(ingest->platform, ingest, sizeof *ingest);
}
