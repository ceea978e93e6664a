/* Stored balances and their proof, derived anew when it does not hold, and the
 * quota cells that follow from them.
 * In: allowances, periods, changes. Out: records of BALANCE, cells. */
#include "entitlement/balance.h"

#include "base/check.h"
#include "entitlement/customer_usage.h"

/* --- Record --------------------------------------------------------------- */
static met_error balance_key(const met__allowance *allowance,
                             met__period period, met__arena *arena,
                             met__text *key_out)
{
    met__text id = allowance->subscription->id;
    met__text feature = allowance->card->feature_key;
    size_t size = id.size + 1 + feature.size + 1 + 8;
    char *key = met__arena_allocate(arena, size);

    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(key, id.data, id.size);
    memcpy(key + id.size + 1, feature.data, feature.size);
    met__put_u64((unsigned char *)key + size - 8, (uint64_t)period.from_ns);
    *key_out = met__text_of(key, size);
    return MET_OK;
}

static void append_text(met__buffer *buffer, met__text text)
{
    unsigned char size[8];

    met__put_u64(size, text.size);
    met__buffer_append(buffer, size, sizeof size);
    met__buffer_append(buffer, text.data, text.size);
}

/* A number of everything the sum depends on beside the parts themselves: whose
 * usage, of what, from when to when. */
static met_error proof_of(const met__holder *holder,
                          const met__allowance *allowance,
                          met__period period, met__arena *arena,
                          int64_t *proof_out)
{
    const met__customer *customer = holder->customer;
    const met__feature *feature = allowance->feature;
    unsigned char bounds[16];
    met__buffer buffer;

    met__buffer_init(&buffer, arena->platform);
    met__put_u64(bounds, (uint64_t)period.from_ns);
    met__put_u64(bounds + 8, (uint64_t)period.to_ns);
    met__buffer_append(&buffer, bounds, sizeof bounds);
    append_text(&buffer, customer->id);
    append_text(&buffer, holder->version);
    for (size_t i = 0; i < customer->subject_count; i++) {
        append_text(&buffer, customer->subjects[i]);
    }
    append_text(&buffer, feature->id);
    append_text(&buffer, allowance->meter->id);
    append_text(&buffer, allowance->meter->key);
    for (size_t i = 0; i < feature->filter_count; i++) {
        append_text(&buffer, feature->filters[i].dimension);
        append_text(&buffer, feature->filters[i].value);
    }
    if (buffer.error == MET_OK) {
        /* 63 bits: a record's integers are signed. */
        *proof_out =
            (int64_t)(met__checksum(buffer.data, buffer.size) >> 1);
    }
    met_error error = buffer.error;
    met__buffer_release(&buffer);
    return error;
}

/* MET_E_NOT_FOUND when there is none whose proof holds. */
static met_error read_record(met__txn *txn, met__text key, int64_t proof,
                             met__arena *arena, met__balance *balance_out)
{
    met__path path = {NULL, "balance", 0};
    int64_t stored = 0;
    met__fields fields;
    met__node *node;
    met_error error = met__record_get(txn, MET__TABLE_BALANCE, key.data,
                                      key.size, arena, &node);

    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_integer(&fields, "proof", MET__REQUIRED, 0, INT64_MAX,
                              &stored);
    (void)met__fields_decimal(&fields, "total", MET__REQUIRED, INT64_MIN,
                              &balance_out->total);
    (void)met__fields_decimal(&fields, "admitted", MET__REQUIRED, INT64_MIN,
                              &balance_out->admitted);
    error = met__fields_end(&fields);
    if (error != MET_OK) {
        return error == MET_E_NO_MEMORY ? error : MET_E_CORRUPT;
    }
    return stored == proof ? MET_OK : MET_E_NOT_FOUND;
}

static met_error write_record(met__txn *txn, met__text key, int64_t proof,
                              const met__balance *balance, met__arena *arena)
{
    met__builder builder;
    met__node *node;

    met__builder_begin(&builder, arena);
    met__build_integer(&builder, "proof", proof);
    met__build_decimal(&builder, "total", balance->total);
    met__build_decimal(&builder, "admitted", balance->admitted);
    met_error error = met__builder_end(&builder, &node);
    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_BALANCE, key.data, key.size,
                                node);
    }
    return error;
}

/* --- Reading and changing ------------------------------------------------- */
static met_error derive(met__txn *txn, const met__holder *holder,
                        const met__allowance *allowance, met__period period,
                        met__balance *balance_out, met_error_info *info)
{
    met_error error = met__customer_usage(
        txn, holder->customer, allowance->feature, allowance->meter, period,
        MET__USAGE_ANY, &balance_out->total, info);

    balance_out->admitted = met__decimal_zero();
    if (error == MET_OK && met__meter_is_additive(allowance->meter)) {
        error = met__customer_usage(
            txn, holder->customer, allowance->feature, allowance->meter,
            period, MET__USAGE_ADMITTED, &balance_out->admitted, info);
    }
    return error;
}

met_error met__balance_get(met__txn *txn, const met__holder *holder,
                           const met__allowance *allowance,
                           met__period period, met__arena *arena,
                           met__balance *balance_out, met_error_info *info)
{
    met__text key;
    int64_t proof;
    met_error error;

    if (allowance->meter == NULL) {
        balance_out->total = met__decimal_zero();
        balance_out->admitted = met__decimal_zero();
        return MET_OK;
    }
    if (!met__meter_is_additive(allowance->meter)) {
        return derive(txn, holder, allowance, period, balance_out, info);
    }
    error = balance_key(allowance, period, arena, &key);
    if (error == MET_OK) {
        error = proof_of(holder, allowance, period, arena, &proof);
    }
    if (error == MET_OK) {
        error = read_record(txn, key, proof, arena, balance_out);
    }
    if (error == MET_E_NOT_FOUND) {
        error = derive(txn, holder, allowance, period, balance_out, info);
    }
    return error;
}

met_error met__balance_for_cell(met__txn *txn, const met__holder *holder,
                                const met__allowance *allowance,
                                met__period period, met__arena *arena,
                                met__balance *balance_out)
{
    if (allowance->meter != NULL
        && !met__meter_is_additive(allowance->meter)) {
        balance_out->total = met__decimal_zero();
        balance_out->admitted = met__decimal_zero();
        return MET_OK;
    }
    return met__balance_get(txn, holder, allowance, period, arena,
                            balance_out, NULL);
}

met_error met__balance_change(met__txn *txn, const met__holder *holder,
                              const met__allowance *allowance,
                              met__period period, const met__balance *change,
                              met__arena *arena, met__balance *balance_out)
{
    met__text key;
    int64_t proof;

    MET__ASSERT(allowance->meter != NULL);
    met_error error = balance_key(allowance, period, arena, &key);
    if (error == MET_OK) {
        error = proof_of(holder, allowance, period, arena, &proof);
    }
    if (error != MET_OK) {
        return error;
    }
    error = read_record(txn, key, proof, arena, balance_out);
    if (error == MET_OK) {
        error = met__decimal_add(balance_out->total, change->total,
                                 &balance_out->total);
        if (error == MET_OK) {
            error = met__decimal_add(balance_out->admitted, change->admitted,
                                     &balance_out->admitted);
        }
    } else if (error == MET_E_NOT_FOUND) {
        /* The parts of this change are written already. */
        error = derive(txn, holder, allowance, period, balance_out, NULL);
    }
    if (error == MET_OK) {
        error = write_record(txn, key, proof, balance_out, arena);
    }
    return error;
}

/* --- Quota cells ---------------------------------------------------------- */
/* Up, so that rounding never gives anything away; cut at the cell's bounds. */
static met_error to_units(met_decimal usage, int64_t minimum,
                          int64_t *units_out)
{
    met_error error = met__decimal_to_scaled(usage, MET__QUOTA_PLACES,
                                             MET_ROUND_CEILING, units_out);

    if (error == MET_E_OVERFLOW) {
        *units_out =
            met__decimal_is_negative(usage) ? minimum : MET__QUOTA_AMOUNT_MAX;
        error = MET_OK;
    }
    if (*units_out > MET__QUOTA_AMOUNT_MAX) {
        *units_out = MET__QUOTA_AMOUNT_MAX;
    } else if (*units_out < minimum) {
        *units_out = minimum;
    }
    return error;
}

met_error met__balance_units(const met__balance *balance, int64_t *base_out,
                             int64_t *taken_out)
{
    met_decimal base;
    met_error error =
        met__decimal_subtract(balance->total, balance->admitted, &base);

    if (error == MET_OK) {
        error = to_units(base, -MET__QUOTA_AMOUNT_MAX, base_out);
    }
    if (error == MET_OK) {
        error = to_units(balance->admitted, 0, taken_out);
    }
    return error;
}

met_error met__balance_cell(met__txn *txn, met__quota_table *table,
                            const met__holder *holder,
                            const met__allowance *allowance, int64_t at_ns,
                            const met__balance *balance, met__arena *arena)
{
    met__quota_period cell = {.granted = allowance->row.granted,
                              .flags = allowance->row.flags};
    met__balance read;
    met__period period;
    met_error error = met__quota_row_period(&allowance->row, at_ns,
                                            &cell.number, &period);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    if (balance == NULL) {
        error = met__balance_for_cell(txn, holder, allowance, period, arena,
                                      &read);
        balance = &read;
    }
    if (error == MET_OK) {
        error = met__balance_units(balance, &cell.base, &cell.taken);
    }
    if (error == MET_OK) {
        (void)met__quota_prepare(table, allowance->row.key, &cell);
    }
    return error;
}
