/* Stored balances and their proof, derived anew when it does not hold, and the
 * quota cells that follow from them.
 * In: allowances, periods, changes. Out: records of BALANCE, cells. */
#include "entitlement/balance.h"

#include "base/check.h"
#include "entitlement/customer_usage.h"
#include "entitlement/due.h"
#include "entitlement/entitled_parts.h"
#include "entitlement/ledger.h"

/* From then on nothing of the period before is under way. */
#define SETTLED_NS (2 * MET__QUOTA_SLICE_NS)

/* --- Record --------------------------------------------------------------- */
static met_error balance_key(const met__allowance *allowance,
                             met__period period, met__arena *arena,
                             met__text *key_out)
{
    met__text id = allowance->id;
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
    append_text(&buffer, holder->customer->version);
    for (size_t i = 0; i < customer->subject_count; i++) {
        append_text(&buffer, customer->subjects[i]);
    }
    append_text(&buffer, feature->id);
    append_text(&buffer, allowance->meter->id);
    append_text(&buffer, allowance->meter->key);
    for (size_t i = 0; i < feature->filter_count; i++) {
        append_text(&buffer, feature->filters[i].dimension);
        append_text(&buffer, feature->filters[i].condition);
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

/* MET_E_NOT_FOUND when there is none that can be read. */
static met_error read_record(met__txn *txn, met__text key, met__arena *arena,
                             met__balance *balance_out, int64_t *proof_out)
{
    met__path path = {NULL, "balance", 0};
    met__fields fields;
    met__node *node;
    met_error error = met__record_get(txn, MET__TABLE_BALANCE, key.data,
                                      key.size, arena, &node);

    if (error == MET_E_CORRUPT) {
        return MET_E_NOT_FOUND; /* it is told by the store's check */
    }
    if (error != MET_OK) {
        return error;
    }
    (void)met__fields_begin(&fields, node, &path, NULL);
    (void)met__fields_integer(&fields, "proof", MET__REQUIRED, 0, INT64_MAX,
                              proof_out);
    (void)met__fields_decimal(&fields, "total", MET__REQUIRED, INT64_MIN,
                              &balance_out->total);
    (void)met__fields_decimal(&fields, "admitted", MET__REQUIRED, INT64_MIN,
                              &balance_out->admitted);
    error = met__fields_end(&fields);
    return error == MET_OK || error == MET_E_NO_MEMORY ? error
                                                       : MET_E_NOT_FOUND;
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
    int is_unused;
    met_error error =
        met__customer_is_unused(txn, holder->customer, &is_unused);

    balance_out->total = met__decimal_zero();
    balance_out->admitted = met__decimal_zero();
    if (error != MET_OK || is_unused) {
        return error;
    }
    error = met__customer_level(txn, holder->customer, allowance->feature,
                                allowance->meter, period, MET__USAGE_ANY,
                                &balance_out->total, info);
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
    int64_t stored = 0;
    int64_t proof = 0;
    met__text key;
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
        error = read_record(txn, key, arena, balance_out, &stored);
    }
    if (error == MET_OK) {
        error = proof_of(holder, allowance, period, arena, &proof);
    }
    if (error == MET_E_NOT_FOUND || (error == MET_OK && stored != proof)) {
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
    int64_t stored = 0;
    int64_t proof;
    met__text key;

    MET__ASSERT(allowance->meter != NULL);
    met_error error = balance_key(allowance, period, arena, &key);
    if (error == MET_OK) {
        error = proof_of(holder, allowance, period, arena, &proof);
    }
    if (error != MET_OK) {
        return error;
    }
    error = read_record(txn, key, arena, balance_out, &stored);
    if (error == MET_OK && stored != proof) {
        error = MET_E_NOT_FOUND;
    }
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
met_error met__balance_limit(const met__balance *balance, met_decimal granted,
                             int64_t *limit_out)
{
    met_decimal base;
    met_error error =
        met__decimal_subtract(balance->total, balance->admitted, &base);

    if (error == MET_OK) {
        error = met__decimal_subtract(granted, base, &granted);
    }
    if (error == MET_OK) {
        *limit_out = met__quota_limit(granted);
    }
    return error;
}

static int64_t less(int64_t amount, int64_t taken)
{
    return amount > taken ? amount - taken : 0;
}

/* What was admitted in the period before and is not settled yet: it will burn
 * what seems to be left over. Nobody is admitted to that period any more. */
static met_error unsettled_before(met__txn *txn, met__quota_table *table,
                                  const met__ledger *ledger,
                                  met__period period, int64_t *units_out)
{
    const met__platform *platform = met__store_platform(met__txn_store(txn));
    int64_t last_ns = met__minute_first(period.from_ns) - 1;
    met__balance balance;
    met__period before;
    uint64_t number;
    int64_t taken = 0;
    met_error error = MET_OK;

    *units_out = 0;
    for (size_t i = 0; i < ledger->row_count; i++) {
        const met__allowance *allowance = ledger->rows[i].allowance;
        if (!met__period_contains(ledger->rows[i].bounds, last_ns)
            || met__allowance_period(allowance, last_ns, &number, &before)
                   != MET_OK
            || met__quota_seal(table, allowance->row.key, number,
                               met__now_monotonic_ns(platform), &taken)
                   != MET_OK) {
            continue;
        }
        error = met__balance_for_cell(txn, ledger->holder, allowance, before,
                                      ledger->arena, &balance);
        if (error == MET_OK) {
            *units_out += less(taken, met__quota_taken(balance.admitted));
        }
    }
    return error;
}

/* One cell on its way to the table. */
typedef struct filling {
    met__txn *txn;
    met__quota_table *table;
    const met__holder *holder;
    const met__allowance *allowance;
    met__arena *arena;
    met__period period;
    int64_t now_ns;
    int is_early; /* the period before is still needed */
    met__balance balance;
    met__quota_period cell;
} filling;

static void lower(met__quota_period *cell, int64_t amount)
{
    cell->limit = cell->limit > amount - MET__QUOTA_AMOUNT_MAX
                      ? cell->limit - amount
                      : -MET__QUOTA_AMOUNT_MAX;
    cell->next_limit = less(cell->next_limit, amount);
}

/* What grants have, beside what the entitlement issues by itself. */
static met_error add_grants(filling *self)
{
    met__quota_period *cell = &self->cell;
    int64_t from_ns = self->period.from_ns;
    int64_t due_ns = self->period.to_ns;
    int64_t unsettled = 0;
    met__ledger_quota quota;
    met__ledger ledger;
    met_error error = met__ledger_open(self->txn, self->holder,
                                       self->allowance, self->arena, NULL,
                                       &ledger);

    if (error == MET_OK) {
        error = met__ledger_quota_of(&ledger, from_ns, &quota);
    }
    if (error == MET_OK && met__period_contains(self->period, self->now_ns)) {
        error = unsettled_before(self->txn, self->table, &ledger, self->period,
                                 &unsettled);
        self->is_early |= unsettled > 0
                          && self->now_ns - from_ns
                                 < (self->period.to_ns - from_ns) / 2;
        if (quota.next_at_ns != 0) {
            due_ns = quota.next_at_ns;
        }
        if (self->now_ns < from_ns + SETTLED_NS
            && due_ns > from_ns + SETTLED_NS) {
            due_ns = from_ns + SETTLED_NS;
        }
        if (error == MET_OK) {
            error = met__due_put(self->txn, due_ns,
                                 self->holder->customer->key, self->arena);
        }
    }
    if (error == MET_OK) {
        error = met__balance_limit(&self->balance, quota.granted,
                                   &cell->limit);
    }
    if (error == MET_OK) {
        error = met__balance_limit(&self->balance, quota.next_granted,
                                   &cell->next_limit);
    }
    if (error == MET_OK) {
        cell->next_at_ns = quota.next_at_ns;
        lower(cell, unsettled);
    }
    return error;
}

/* A change of plan or a reset by hand is known to workers a moment later. What
 * they admit until then is taken in the cell of the period before. */
static void add_strangers(met__quota_table *table, met__hash128 key,
                          met__quota_period *cell)
{
    met__quota_state there;

    if (met__quota_read(table, key, cell->number, &there) == MET_OK) {
        lower(cell, less(cell->taken, there.taken));
    }
}

static met_error fill_cell(filling *self, int64_t at_ns,
                           const met__balance *balance)
{
    const met__allowance *allowance = self->allowance;
    met_error error = met__allowance_period(allowance, at_ns,
                                            &self->cell.number, &self->period);

    if (error != MET_OK) {
        return error;
    }
    self->cell.flags = allowance->row.flags;
    self->is_early =
        met__period_contains(self->period, self->now_ns)
        && self->now_ns < self->period.from_ns + SETTLED_NS;
    if (balance != NULL) {
        self->balance = *balance;
    } else {
        error = met__balance_for_cell(self->txn, self->holder, allowance,
                                      self->period, self->arena,
                                      &self->balance);
    }
    if (error == MET_OK) {
        self->cell.taken = met__quota_taken(self->balance.admitted);
        error = met__balance_limit(&self->balance, allowance->issued,
                                   &self->cell.limit);
    }
    if (error == MET_OK && allowance->meter != NULL
        && (!met__meter_is_additive(allowance->meter)
            || met__holder_carries(self->holder,
                                   allowance->card->feature_key))) {
        error = add_grants(self);
        if (met__ledger_is_hopeless(error)) {
            return MET_OK; /* the cell stays as it is */
        }
    }
    if (error == MET_OK) {
        add_strangers(self->table, allowance->row.key, &self->cell);
        (void)met__quota_prepare(self->table, allowance->row.key, &self->cell);
    }
    return error;
}

met_error met__balance_cells(met__txn *txn, met__quota_table *table,
                             const met__holder *holder,
                             const met__allowance *allowance, int64_t at_ns,
                             const met__balance *balance, met__arena *arena)
{
    filling first = {.txn = txn,
                     .table = table,
                     .holder = holder,
                     .allowance = allowance,
                     .arena = arena,
                     .now_ns = met__txn_now_ns(txn)};
    filling next = first;
    met_error error = fill_cell(&first, at_ns, balance);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    next.allowance =
        met__allowance_after(holder, allowance, first.period.to_ns);
    if (next.allowance == NULL || first.is_early) {
        return MET_OK;
    }
    error = fill_cell(&next, first.period.to_ns, NULL);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}
