/* Totals of lines and invoices: added field by field, never rounded in sum.
 *
 * Rule: OpenMeter, billing/models/totals: total = amount + charges +
 * exclusive taxes - discounts - credits. */
#include "base/check.h"
#include "rating/rating_parts.h"

#define FIELDS 8

/* The fields in their order, for what treats all alike. */
static void list_fields(met__totals *totals, met_decimal *fields[FIELDS])
{
    fields[0] = &totals->amount;
    fields[1] = &totals->charges_total;
    fields[2] = &totals->discounts_total;
    fields[3] = &totals->credits_total;
    fields[4] = &totals->taxes_total;
    fields[5] = &totals->taxes_inclusive_total;
    fields[6] = &totals->taxes_exclusive_total;
    fields[7] = &totals->total;
}

static const char *const names[FIELDS] = {"amount",
                                          "charges_total",
                                          "discounts_total",
                                          "credits_total",
                                          "taxes_total",
                                          "taxes_inclusive_total",
                                          "taxes_exclusive_total",
                                          "total"};

void met__totals_clear(met__totals *totals)
{
    met_decimal zero = met__decimal_zero();

    *totals = (met__totals){zero, zero, zero, zero, zero, zero, zero, zero};
}

met_error met__totals_combine(met__totals *out, const met__totals *other,
                              int sign)
{
    met__totals sum = *out;
    met__totals copy = *other;
    met_decimal *left[FIELDS];
    met_decimal *right[FIELDS];
    met_error error = MET_OK;

    list_fields(&sum, left);
    list_fields(&copy, right);
    for (int i = 0; error == MET_OK && i < FIELDS; i++) {
        if (met__decimal_is_zero(*right[i])) {
            continue; /* most are */
        }
        error = sign < 0 ? met__decimal_subtract(*left[i], *right[i], left[i])
                         : met__decimal_add(*left[i], *right[i], left[i]);
    }
    if (error == MET_OK) {
        *out = sum;
    }
    return error;
}

met_error met__totals_add(met__totals *sum, const met__totals *totals)
{
    return met__totals_combine(sum, totals, 1);
}

int met__totals_are_zero(const met__totals *totals)
{
    met__totals copy = *totals;
    met_decimal *fields[FIELDS];

    list_fields(&copy, fields);
    for (int i = 0; i < FIELDS; i++) {
        if (!met__decimal_is_zero(*fields[i])) {
            return 0;
        }
    }
    return 1;
}

met_error met__totals_settle(met__totals *totals)
{
    met_decimal total;
    met_error error =
        met__decimal_add(totals->amount, totals->charges_total, &total);

    if (error == MET_OK) {
        error = met__decimal_add(total, totals->taxes_exclusive_total, &total);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(total, totals->discounts_total, &total);
    }
    if (error == MET_OK) {
        error = met__decimal_subtract(total, totals->credits_total, &total);
    }
    if (error == MET_OK) {
        totals->total = total;
    }
    return error;
}

met_error met__totals_round(met__totals *totals, const met__currency *currency)
{
    met_decimal *fields[FIELDS];

    list_fields(totals, fields);
    for (int i = 0; i < FIELDS; i++) {
        MET__ASSERT(met__currency_round(currency, *fields[i], fields[i])
                    == MET_OK);
    }
    return MET_OK;
}

met_error met__totals_document(const met__totals *totals,
                               const met__currency *currency, met__arena *arena,
                               met__node **node_out)
{
    met__totals copy = *totals;
    met_decimal *fields[FIELDS];
    met__node *object = met__node_object(arena);
    met_error error = object != NULL ? MET_OK : MET_E_NO_MEMORY;

    list_fields(&copy, fields);
    for (int i = 0; error == MET_OK && i < FIELDS; i++) {
        met__node *node = NULL;
        error = met__amount_document(*fields[i], currency, arena, &node);
        if (error == MET_OK) {
            error = met__node_set(arena, object, names[i], node);
        }
    }
    if (error == MET_OK) {
        *node_out = object;
    }
    return error;
}

met_error met__totals_read(const met__node *node, const met__path *path,
                           met__totals *totals_out, met_error_info *info)
{
    met__totals totals;
    met_decimal *places[FIELDS];
    met__fields fields;

    met__totals_clear(&totals);
    list_fields(&totals, places);
    met__fields_begin(&fields, node, path, info);
    for (int i = 0; i < FIELDS; i++) {
        met__fields_decimal(&fields, names[i], MET__OPTIONAL, INT64_MIN,
                            places[i]);
    }
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        *totals_out = totals;
    }
    return error;
}
