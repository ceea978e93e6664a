/* Compiles what the request path must know of customers: which features a
 * request of which route uses, what each consumer's customer is entitled to,
 * and which plans it is subscribed to. Usage of features whose meters take
 * other events than kong.api_request is measured elsewhere; who names one is
 * held to it all the same.
 * In: features, meters, customers, entitlements. Out: rows of a snapshot. */
#include "gateway/snapshot_compile.h"

#include "catalog/feature.h"
#include "customer/customer.h"
#include "gateway/entity_parts.h"
#include "gateway/event.h"

/* --- Features ------------------------------------------------------------- */

static uint32_t attribute_number(met__text name)
{
    for (uint32_t i = 0; i < MET__ATTRIBUTE_CUSTOM; i++) {
        if (met__text_equal(name, met__text_z(met__attribute_names[i]))) {
            return i;
        }
    }
    if (met__text_equal(name, MET__TEXT("request_size_bytes"))) {
        return MET__ATTRIBUTE_REQUEST_SIZE;
    }
    return met__text_equal(name, MET__TEXT("response_size_bytes"))
               ? MET__ATTRIBUTE_RESPONSE_SIZE
               : MET__ATTRIBUTE_CUSTOM;
}

static void add_filters(met__compile *compile, const met__feature *feature,
                        const met__meter *meter,
                        met__snapshot_feature *record)
{
    met__snapshot_writer *writer = compile->writer;

    record->filters.first =
        met__snapshot_count(writer, MET__SECTION_FILTER);
    for (size_t i = 0; i < feature->filter_count; i++) {
        const met__dimension *dimension =
            met__meter_dimension(meter, feature->filters[i].dimension);
        /* By a dimension that is not there nothing is counted. */
        met__text attribute = dimension != NULL ? dimension->attribute
                                                : (met__text){"", 0};
        met__snapshot_filter filter = {
            .attribute = dimension != NULL ? attribute_number(attribute)
                                           : MET__NONE,
            .name = met__snapshot_add_text(writer, attribute),
            .condition = met__snapshot_add_text(
                writer, feature->filters[i].condition)};
        met__snapshot_add(writer, MET__SECTION_FILTER, &filter);
        record->filters.count++;
    }
}

/* The meter of a feature that requests of ours are events of; NULL when it has
 * none such. */
static met_error request_meter(met__compile *compile,
                               const met__feature *feature,
                               met__arena *arena, met__meter **meter_out)
{
    met_error error = MET_E_NOT_FOUND;

    *meter_out = NULL;
    if (feature->meter_key.size > 0) {
        error = met__meter_get(compile->txn, feature->meter_key, arena,
                               meter_out);
    }
    if (error == MET_OK
        && !met__text_equal((*meter_out)->event_type,
                            MET__TEXT(MET__EVENT_TYPE_REQUEST))) {
        *meter_out = NULL;
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* Holds for no request: the feature is used only by who names it. */
static void add_never(met__compile *compile, met__snapshot_feature *record)
{
    met__snapshot_filter filter = {.attribute = MET__NONE};

    record->filters.first = met__snapshot_add(
        compile->writer, MET__SECTION_FILTER, &filter);
    record->filters.count = 1;
}

/* The record of a feature, added when it is new. */
static met_error feature_number(met__compile *compile,
                                const met__feature *feature,
                                met__arena *arena, uint32_t *number_out)
{
    met__meter *meter;
    met_error error;

    *number_out = met__compile_number(compile, "feature", feature->id);
    if (*number_out != MET__NONE) {
        return MET_OK;
    }
    error = request_meter(compile, feature, arena, &meter);
    if (error != MET_OK) {
        return error;
    }
    met__snapshot_feature record = {
        .key = met__snapshot_add_text(compile->writer, feature->key),
        .in_service = feature->archived_at_ns == 0};
    if (meter != NULL) {
        record.value_attribute = met__snapshot_add_text(
            compile->writer, meter->value_attribute);
        record.aggregation = meter->aggregation;
        add_filters(compile, feature, meter, &record);
    } else {
        add_never(compile, &record);
    }
    *number_out =
        met__snapshot_add(compile->writer, MET__SECTION_FEATURE, &record);
    return met__compile_name(compile, "feature", feature->id, *number_out);
}

met_error met__compile_features(met__compile *compile)
{
    met__arena arena;
    met__node *list;
    met_error error;

    met__arena_init(&arena, compile->arena->platform);
    error = met__feature_list(compile->txn, &arena, &list);
    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        const met__node *item = list->as.items[i];
        met__feature *feature;
        uint32_t number;
        if (met__node_text_at(item, "archived_at").size > 0) {
            continue;
        }
        error = met__feature_get(compile->txn, met__node_text_at(item, "key"),
                                 &arena, &feature);
        if (error == MET_OK) {
            error = feature_number(compile, feature, &arena, &number);
        }
    }
    met__arena_release(&arena);
    return error;
}

/* --- Rows ----------------------------------------------------------------- */

typedef struct row_visit {
    met__compile *compile;
    met__arena *arena;
    met__snapshot_consumer *consumer;
} row_visit;

static met_error add_row(void *context, const met__quota_visit *visit)
{
    row_visit *to = context;
    met__snapshot_row row = {.row = visit->row,
                             .limit = visit->limit,
                             .taken = visit->taken};
    met_error error = feature_number(to->compile, visit->feature, to->arena,
                                     &row.feature);

    if (met__quota_row_period(&row.row, to->compile->now_ns, &row.number,
                              &row.period)
        != MET_OK) {
        row.number = 0;
        row.period = (met__period){0, 0};
    }
    if (error == MET_OK) {
        met__snapshot_add(to->compile->writer, MET__SECTION_ROW, &row);
        to->consumer->rows.count++;
    }
    return error;
}

/* Which plans with limits it is subscribed to, and from when to when: a change
 * that is known holds from its very instant on. */
static met_error add_plans(met__compile *compile,
                           const met__customer *customer, met__arena *arena)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error =
        compile->plan_count > 0
            ? met__subscriptions_of(compile->txn, customer, arena, &list,
                                    &count)
            : MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        met__membership member = {
            met__compile_number(compile, "plan", list[i]->plan_key),
            met__snapshot_count(compile->writer, MET__SECTION_CONSUMER),
            list[i]->active_from_ns,
            list[i]->active_to_ns != 0 ? list[i]->active_to_ns : INT64_MAX};
        if (member.circle != MET__NONE && member.to_ns > compile->now_ns
            && member.to_ns > member.from_ns) {
            met__buffer_append(&compile->memberships, &member,
                               sizeof member);
        }
    }
    return error == MET_OK ? compile->memberships.error : error;
}

met_error met__compile_rows(met__compile *compile,
                            met__snapshot_consumer *consumer,
                            met__text subject)
{
    met__arena arena;
    met__customer *customer;
    row_visit visit = {compile, &arena, consumer};
    met_error error;

    consumer->rows.first =
        met__snapshot_count(compile->writer, MET__SECTION_ROW);
    met__arena_init(&arena, compile->arena->platform);
    error = met__customer_of_subject(compile->txn, subject, &arena, &customer);
    if (error == MET_OK) {
        consumer->has_customer = 1;
        error = met__entitlements_each(compile->txn, customer,
                                       compile->now_ns, &compile->terms,
                                       &arena, &visit, add_row);
        if (error == MET_OK) {
            error = add_plans(compile, customer, &arena);
        }
    } else if (error == MET_E_NOT_FOUND) {
        error = MET_OK;
    }
    met__arena_release(&arena);
    return error;
}
