/* The step that settlement runs: every change of usage finds the allowances it
 * uses up; at the end of the transaction the balances are written in key order,
 * the quota cells are set, and thresholds that were passed make notices.
 * In: changes of one write transaction. Out: BALANCE records, quota cells,
 * notices.
 * Everything it remembers lives from begin to end of one transaction. */
#include <stdlib.h>

#include "base/check.h"
#include "entitlement/balance.h"
#include "entitlement/due.h"
#include "entitlement/ledger_state.h"
#include "entitlement/notice.h"
#include "entitlement/quota_file.h"

/* A growing table of pointers by text key; keys live in the arena. */
typedef struct map_entry {
    met__text key; /* NULL data: free */
    void *value;
} map_entry;

typedef struct text_map {
    map_entry *entries;
    size_t room; /* 0 or a power of two */
    size_t count;
} text_map;

/* What the transaction changes in one usage period. */
typedef struct touched {
    const met__holder *holder;
    const met__allowance *allowance;
    met__period period;
    int64_t minute_ns; /* the first that changes */
    met__balance change;
    met__balance balance; /* with it; not known when is_folded */
    int is_folded;
    int reserved;
} touched;

/* The subjects of one customer share it; holder is NULL for nobody's usage. */
typedef struct owner {
    met__holder *holder;
} owner;

struct met__balance_step {
    met_store *store;
    met__quota_table *table; /* NULL: not opened, or not filled yet */
    met__arena arena;
    int is_begun;
    int reserved;
    met__terms_cache terms;
    text_map owners;  /* by subject */
    text_map holders; /* by customer id */
    text_map balances; /* by allowance and start of the period */
    met__notice_rules rules;
};

/* --- Map ------------------------------------------------------------------ */
static map_entry *map_place(const met_store *store, const text_map *map,
                            met__text key)
{
    size_t at = (size_t)met__hash64(met__store_secret(store), key.data,
                                    key.size);

    for (;; at++) {
        map_entry *entry = &map->entries[at & (map->room - 1)];
        if (entry->key.data == NULL || met__text_equal(entry->key, key)) {
            return entry;
        }
    }
}

static void *map_find(const met_store *store, const text_map *map,
                      met__text key)
{
    return map->room == 0 ? NULL : map_place(store, map, key)->value;
}

static met_error map_add(met__balance_step *step, text_map *map, met__text key,
                         void *value)
{
    if ((map->count + 1) * 2 > map->room) {
        text_map larger = {.room = map->room == 0 ? 64 : map->room * 2};
        larger.entries = met__arena_allocate(
            &step->arena, larger.room * sizeof *larger.entries);
        if (larger.entries == NULL) {
            return MET_E_NO_MEMORY;
        }
        for (size_t i = 0; i < map->room; i++) {
            if (map->entries[i].key.data != NULL) {
                *map_place(step->store, &larger, map->entries[i].key) =
                    map->entries[i];
            }
        }
        larger.count = map->count;
        *map = larger;
    }
    char *copy = met__arena_copy(&step->arena, key.data, key.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    map_entry *entry =
        map_place(step->store, map, met__text_of(copy, key.size));
    entry->key = met__text_of(copy, key.size);
    entry->value = value;
    map->count++;
    return MET_OK;
}

/* --- Whose usage ---------------------------------------------------------- */
/* One holder per customer, whichever of its subjects comes first: a balance
 * must not be met twice in one transaction. */
static met_error find_holder(met__balance_step *step, met__txn *txn,
                             met__text subject, met__holder **holder_out)
{
    met__customer *customer;
    met_error error = met__customer_of_subject(txn, subject, &step->arena,
                                               &customer);

    *holder_out = NULL;
    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    *holder_out = map_find(step->store, &step->holders, customer->id);
    if (*holder_out != NULL) {
        return MET_OK;
    }
    error = met__holder_of(txn, customer, &step->terms, &step->arena,
                           holder_out);
    if (error == MET_OK) {
        error = map_add(step, &step->holders, customer->id, *holder_out);
    }
    return error;
}

static met_error find_owner(met__balance_step *step, met__txn *txn,
                            met__text subject, met__holder **holder_out)
{
    owner *found = map_find(step->store, &step->owners, subject);
    met_error error = MET_OK;

    if (found == NULL) {
        found = met__arena_allocate(&step->arena, sizeof *found);
        if (found == NULL) {
            return MET_E_NO_MEMORY;
        }
        error = find_holder(step, txn, subject, &found->holder);
        if (error == MET_OK) {
            error = map_add(step, &step->owners, subject, found);
        }
    }
    *holder_out = found->holder;
    return error;
}

/* --- Which allowance ------------------------------------------------------ */
static met_error touch(met__balance_step *step, const met__holder *holder,
                       const met__allowance *allowance, met__period period,
                       const met__usage_change *change)
{
    unsigned char bytes[sizeof allowance + sizeof period.from_ns];
    met__text key = {(const char *)bytes, sizeof bytes};
    met_error error = MET_OK;

    memcpy(bytes, &allowance, sizeof allowance);
    memcpy(bytes + sizeof allowance, &period.from_ns, sizeof period.from_ns);
    touched *found = map_find(step->store, &step->balances, key);
    if (found == NULL) {
        found = met__arena_allocate(&step->arena, sizeof *found);
        if (found == NULL) {
            return MET_E_NO_MEMORY;
        }
        *found = (touched){holder, allowance, period, change->minute_ns,
                           .change = {met__decimal_zero(),
                                      met__decimal_zero()}};
        error = map_add(step, &step->balances, key, found);
    }
    if (change->minute_ns < found->minute_ns) {
        found->minute_ns = change->minute_ns;
    }
    if (!met__meter_is_additive(change->meter)) {
        return error; /* nothing is kept: it is asked for when it is read */
    }
    if (error == MET_OK) {
        error = met__decimal_add(found->change.total, change->delta,
                                 &found->change.total);
    }
    if (error == MET_OK && change->is_admitted) {
        error = met__decimal_add(found->change.admitted, change->delta,
                                 &found->change.admitted);
    }
    return error;
}

static met_error step_change(void *context, met__txn *txn,
                             const met__usage_change *change)
{
    met__balance_step *step = context;
    met__holder *holder;

    met_error error = find_owner(step, txn, change->subject, &holder);
    if (error != MET_OK || holder == NULL) {
        return error;
    }
    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        met__period period;
        uint64_t number;
        if (allowance->row.type != MET__ENTITLEMENT_METERED
            || allowance->meter == NULL
            || !met__text_equal(allowance->meter->key, change->meter->key)
            || !met__filters_hold(change->meter, allowance->feature->filters,
                                  allowance->feature->filter_count,
                                  change->values)) {
            continue;
        }
        error = met__allowance_period(allowance, change->minute_ns, &number,
                                      &period);
        if (error == MET_OK) {
            error = touch(step, holder, allowance, period, change);
        } else if (error == MET_E_NOT_FOUND) {
            error = MET_OK;
        }
    }
    return error;
}

/* --- From begin to end ---------------------------------------------------- */
static void forget(met__balance_step *step)
{
    if (step->is_begun) {
        met__arena_release(&step->arena);
        step->is_begun = 0;
    }
}

static met_error step_begin(void *context, met__txn *txn)
{
    met__balance_step *step = context;

    (void)txn;
    forget(step);
    met__arena_init(&step->arena, met__store_platform(step->store));
    step->is_begun = 1;
    step->terms = (met__terms_cache){0};
    step->owners = (text_map){0};
    step->holders = (text_map){0};
    step->balances = (text_map){0};
    return MET_OK;
}

/* By record key, so that the store is written in its order. */
static int compare_touched(const void *a, const void *b)
{
    const touched *one = *(touched *const *)a;
    const touched *other = *(touched *const *)b;
    int order = met__text_compare(one->allowance->id, other->allowance->id);

    if (order == 0) {
        order = met__text_compare(one->allowance->card->feature_key,
                                  other->allowance->card->feature_key);
    }
    if (order == 0) {
        order = (one->period.from_ns > other->period.from_ns)
                - (one->period.from_ns < other->period.from_ns);
    }
    return order;
}

/* What is kept of the period, and of what grants had left after its first
 * change: that is as wrong as it was right. */
static met_error write_balance(met__txn *txn, touched *item,
                               met__arena *arena)
{
    met__text feature_key = item->allowance->card->feature_key;

    if (!met__meter_is_additive(item->allowance->meter)) {
        return MET_OK;
    }
    met_error error = met__balance_change(txn, item->holder, item->allowance,
                                          item->period, &item->change, arena,
                                          &item->balance);

    if (error == MET_E_UNSUPPORTED) {
        /* A period made up after its minutes were folded: nothing is kept of
         * it, and who asks is told. Settling goes on. */
        item->is_folded = 1;
        error = MET_OK;
    }
    if (error == MET_OK && met__holder_carries(item->holder, feature_key)) {
        error = met__ledger_states_forget(txn, item->holder->customer->id,
                                          feature_key, item->minute_ns,
                                          arena);
    }
    return error;
}

/* What grants have left now is brought forward. */
static met_error bring_ledger(met__txn *txn, const touched *item,
                              met__arena *arena)
{
    met__ledger ledger;
    met_error error = MET_OK;

    if (!met__period_contains(item->period, met__txn_now_ns(txn))
        || !met__meter_is_additive(item->allowance->meter)
        || !met__holder_carries(item->holder,
                                item->allowance->card->feature_key)) {
        return MET_OK;
    }
    error = met__ledger_open(txn, item->holder, item->allowance, arena, NULL,
                             &ledger);
    if (error == MET_OK) {
        error = met__ledger_state_bring(&ledger);
    }
    return met__ledger_is_hopeless(error) ? MET_OK : error;
}

static met_error tell_balance(met__balance_step *step, met__txn *txn,
                              const touched *item, met__arena *arena)
{
    met_error error = bring_ledger(txn, item, arena);

    if (error == MET_OK && step->table != NULL) {
        error = met__balance_cells(txn, step->table, item->holder,
                                   item->allowance, item->minute_ns,
                                   &item->balance, arena);
    }
    if (error == MET_OK) {
        error = met__notice_balance(txn, &step->rules, item->holder,
                                    item->allowance, item->period, arena);
    }
    return error == MET_E_UNSUPPORTED ? MET_OK : error;
}

/* First all balances, because what grants have left is made of several. */
static met_error write_balances(met__balance_step *step, met__txn *txn,
                                touched **list, size_t count)
{
    met__arena arena;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < 2 * count; i++) {
        touched *item = list[i % count];
        met__arena_init(&arena, met__store_platform(step->store));
        if (i < count) {
            error = write_balance(txn, item, &arena);
        } else if (!item->is_folded) {
            error = tell_balance(step, txn, item, &arena);
        }
        met__arena_release(&arena);
    }
    return error;
}

static met_error step_end(void *context, met__txn *txn)
{
    met__balance_step *step = context;
    int64_t now_ns = met__txn_now_ns(txn);
    size_t count = 0;
    int is_due = 0;

    MET__ASSERT(step->is_begun);
    met_error error = met__due_any(txn, now_ns, &is_due);
    touched **list = met__arena_allocate(
        &step->arena, step->balances.count * sizeof *list);
    if (list == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (size_t i = 0; i < step->balances.room; i++) {
        if (step->balances.entries[i].key.data != NULL) {
            list[count++] = step->balances.entries[i].value;
        }
    }
    if (error == MET_OK && (count > 0 || is_due) && step->table == NULL) {
        error = met__quota_file_open_filled(step->store, &step->table);
    }
    if (error == MET_OK) {
        error = met__notice_rules_read(txn, &step->arena, &step->rules);
    }
    if (error == MET_OK && count > 0) {
        qsort(list, count, sizeof *list, compare_touched);
        error = write_balances(step, txn, list, count);
    }
    if (error == MET_OK && is_due) {
        error = met__due_run(txn, step->table, now_ns);
    }
    forget(step);
    return error;
}

static void step_aborted(void *context)
{
    forget(context);
}

/* --- Handle --------------------------------------------------------------- */
met_error met__balance_step_create(met_store *store,
                                   met__balance_step **step_out)
{
    met__balance_step *step =
        met__allocate(met__store_platform(store), sizeof *step);

    if (step == NULL) {
        return MET_E_NO_MEMORY;
    }
    step->store = store;
    *step_out = step;
    return MET_OK;
}

void met__balance_step_destroy(met__balance_step *step)
{
    if (step != NULL) {
        forget(step);
        met__quota_close(step->table);
        met__release(met__store_platform(step->store), step, sizeof *step);
    }
}

met__settle_step met__balance_step_of(met__balance_step *step)
{
    return (met__settle_step){.context = step,
                              .begin = step_begin,
                              .change = step_change,
                              .end = step_end,
                              .aborted = step_aborted};
}
