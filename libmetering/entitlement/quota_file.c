/* DIR/quota-N.map of a store: opened, and filled from the balances when it is
 * new, when the machine was started anew, or when who filled it was killed.
 * In: a store. Out: a table of prepared cells. */
#include "entitlement/quota_file.h"

#include "base/check.h"
#include "entitlement/balance.h"
#include "entitlement/entitled.h"

/* Cells of a new table: at least this many (8 MiB). */
#define CAPACITY_MIN UINT64_C(65536)

static met_error file_path(met_store *store, met__arena *arena,
                           const char **path_out)
{
    *path_out = met__arena_print(arena, "%s/quota-%u.map",
                                 met__store_path(store), MET__QUOTA_LAYOUT);
    return *path_out == NULL ? MET_E_NO_MEMORY : MET_OK;
}

met_error met__quota_file_open_filled(met_store *store,
                                      met__quota_table **table_out)
{
    const met__platform *platform = met__store_platform(store);
    met__quota_table *table = NULL;
    uint32_t is_empty = 0;
    met__os_stat found;
    const char *path;
    met__arena arena;

    *table_out = NULL;
    met__arena_init(&arena, platform);
    met_error error = file_path(store, &arena, &path);
    if (error == MET_OK) {
        int result =
            platform->os->stat(platform->os->context, path, &found);
        error = result < 0 ? met__os_error(result) : MET_OK;
    }
    if (error == MET_OK) {
        error = met__quota_open(platform, path, met__store_id(store),
                                CAPACITY_MIN, &table, &is_empty, NULL);
    }
    if (error == MET_OK && is_empty) {
        met__quota_close(table);
        table = NULL;
    }
    met__arena_release(&arena);
    if (error == MET_E_NOT_FOUND) {
        return MET_OK;
    }
    if (error == MET_OK) {
        *table_out = table;
    }
    return error;
}

/* --- Filling -------------------------------------------------------------- */
met_error met__quota_refresh(met__txn *txn, met__quota_table *table,
                             const met__customer *customer, int64_t at_ns,
                             met__terms_cache *terms)
{
    met__holder *holder;
    met__arena arena;

    MET__ASSERT(txn != NULL && table != NULL && customer != NULL);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__holder_of(txn, customer, terms, &arena, &holder);
    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        int64_t last_ns = met__minute_last(at_ns);
        if (allowance->row.type == MET__ENTITLEMENT_METERED
            && allowance->row.from_ns <= last_ns
            && last_ns < allowance->row.to_ns) {
            error = met__balance_cells(txn, table, holder, allowance, at_ns,
                                       NULL, &arena);
            error = error == MET_E_UNSUPPORTED ? MET_OK : error;
        }
    }
    met__arena_release(&arena);
    return error;
}

/* Calls for every customer that has a subscription. Keys of the index are
 * "customer key 0 id", so that one customer's stand together. */
static met_error each_subscriber(met__txn *txn, void *context,
                                 met__entitled_visit visit)
{
    unsigned char last[MET__LMDB_KEY_SIZE_MAX];
    size_t last_size = 0;
    met__scan scan;
    met__text key;
    met__text value;
    met_error error =
        met__scan_begin(txn, MET__TABLE_SUBSCRIPTION_OF, NULL, 0, &scan);

    while (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
        if (error != MET_OK) {
            break;
        }
        const char *zero = memchr(key.data, 0, key.size);
        if (zero == NULL) {
            error = MET_E_CORRUPT;
            break;
        }
        met__text customer = {key.data, (size_t)(zero - key.data)};
        if (last_size == 0
            || !met__text_equal(customer,
                                met__text_of((const char *)last,
                                             last_size))) {
            memcpy(last, customer.data, customer.size);
            last_size = customer.size;
            error = visit(context, txn,
                          met__text_of((const char *)last, last_size));
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* And for those with an entitlement that stands alone. */
static met_error each_customer(met__txn *txn, void *context,
                               met__entitled_visit visit)
{
    met_error error = each_subscriber(txn, context, visit);

    return error == MET_OK ? met__entitled_customers(txn, context, visit)
                           : error;
}

met_error met__quota_refresh_key(met__txn *txn, met__quota_table *table,
                                 met__text customer_key, int64_t at_ns,
                              met__terms_cache *terms)
{
    met__customer *customer;
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__customer_get(txn, customer_key, &arena, &customer);
    if (error == MET_OK) {
        error = met__quota_refresh(txn, table, customer, at_ns, terms);
    } else if (error == MET_E_NOT_FOUND) {
        error = MET_OK; /* removed */
    }
    met__arena_release(&arena);
    return error;
}

typedef struct fill_context {
    met__quota_table *table;
    int64_t now_ns;
    met__terms_cache terms;
} fill_context;

static met_error fill_customer(void *context, met__txn *txn,
                               met__text customer_key)
{
    fill_context *fill = context;

    return met__quota_refresh_key(txn, fill->table, customer_key,
                                  fill->now_ns, &fill->terms);
}

met_error met__quota_announce(met__txn *txn, met__text customer_key)
{
    fill_context fill = {.now_ns = met__txn_now_ns(txn)};
    met_error error =
        met__quota_file_open_filled(met__txn_store(txn), &fill.table);

    if (error == MET_OK && fill.table != NULL) {
        error = fill_customer(&fill, txn, customer_key);
        met__quota_close(fill.table);
    }
    return error;
}

/* In a write transaction, which keeps when cells change by themselves: settlers
 * wait, and whoever waited to fill finds the work done. */
static met_error fill_table(met_store *store, met__quota_table *table)
{
    met__arena terms;
    met__txn *txn;
    met_error error = met__txn_begin(store, 1, &txn);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&terms, met__store_platform(store));
    fill_context fill = {table, met__txn_now_ns(txn), {.arena = &terms}};
    error = each_customer(txn, &fill, fill_customer);
    met__arena_release(&terms);
    if (error != MET_OK) {
        met__txn_abort(txn);
        return error;
    }
    met__quota_set_filled(table);
    return met__txn_commit(txn);
}

/* What was counted before the machine was started anew is usage too. */
static met_error settle_first(met_store *store, met_error_info *info)
{
    met__settle_report report;
    met__balance_step *step;
    met_error error = met__balance_step_create(store, &step);

    if (error == MET_OK) {
        met__settle_step steps[1] = {met__balance_step_of(step)};
        error = met__settle(store, steps, 1, 0, &report, info);
        met__balance_step_destroy(step);
    }
    return error;
}

/* --- Opening -------------------------------------------------------------- */
static met_error count_subscriber(void *context, met__txn *txn,
                                  met__text customer_key)
{
    uint64_t *count = context;

    (void)txn;
    (void)customer_key;
    ++*count;
    return MET_OK;
}

/* Room for four times the customers there are. It is asked for at every open,
 * but only a new file takes it. */
static met_error capacity_for(met_store *store, uint64_t *capacity_out)
{
    uint64_t count = 0;
    met__txn *txn;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error == MET_OK) {
        error = each_customer(txn, &count, count_subscriber);
        met__txn_abort(txn);
    }
    *capacity_out = count > CAPACITY_MIN / 4 ? count * 4 : CAPACITY_MIN;
    if (*capacity_out > MET__QUOTA_CAPACITY_MAX) {
        *capacity_out = MET__QUOTA_CAPACITY_MAX;
    }
    return error;
}

met_error met__quota_open_store(met_store *store, met__quota_table **table_out,
                                met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    met__quota_table *table = NULL;
    uint64_t capacity = CAPACITY_MIN;
    uint32_t is_empty = 0;
    met__arena arena;
    const char *path;

    MET__ASSERT(table_out != NULL);
    met__arena_init(&arena, platform);
    met_error error = file_path(store, &arena, &path);
    if (error == MET_OK) {
        error = capacity_for(store, &capacity);
    }
    if (error == MET_OK) {
        error = met__quota_open(platform, path, met__store_id(store),
                                capacity, &table, &is_empty, info);
    }
    if (error == MET_OK && is_empty) {
        error = settle_first(store, info);
        if (error == MET_OK) {
            error = fill_table(store, table);
            if (error != MET_OK) {
                (void)met__fail_code(info, error);
            }
        }
    }
    met__arena_release(&arena);
    if (error != MET_OK) {
        met__quota_close(table);
        return error;
    }
    *table_out = table;
    return MET_OK;
}
