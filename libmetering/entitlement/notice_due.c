/* Usage periods that begin. In: the clock. Out: notices of resets, the next
 * begins, the survey's mark. */
#include "entitlement/notice_due.h"

#include "entitlement/notice.h"

#define SURVEY_KEY "notice_survey"

/* --- Begins --------------------------------------------------------------- */
met_error met__notice_due_put(met__txn *txn, int64_t at_ns,
                              const met__holder *holder,
                              const met__allowance *allowance,
                              met__arena *arena)
{
    met__text customer = holder->customer->key;
    met__text id = allowance->id;
    met__text feature = allowance->card->feature_key;
    size_t size = 8 + id.size + 1 + feature.size;

    if (at_ns >= MET__TIME_MAX) {
        return MET_OK;
    }
    char *key = met__arena_allocate(arena, size);
    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__put_u64((unsigned char *)key, (uint64_t)at_ns);
    memcpy(key + 8, id.data, id.size);
    memcpy(key + 8 + id.size + 1, feature.data, feature.size);
    return met__txn_put(txn, MET__TABLE_NOTICE_DUE, key, size, customer.data,
                        customer.size);
}

met_error met__notice_due_ahead(met__txn *txn, const met__notice_rules *rules,
                                const met__holder *holder, int64_t now_ns,
                                met__arena *arena)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        int is_wanted = 0;
        for (size_t j = 0; j < rules->count; j++) {
            is_wanted |= met__notice_rule_wants(rules->list[j],
                                                MET__NOTICE_RESET,
                                                allowance->card->feature_key);
        }
        if (is_wanted && allowance->row.type == MET__ENTITLEMENT_METERED
            && allowance->row.from_ns > met__minute_last(now_ns)
            && allowance->row.from_ns
                   == (allowance->subscription != NULL
                           ? allowance->subscription->active_from_ns
                           : allowance->life.from_ns)) {
            error = met__notice_due_put(txn, allowance->row.from_ns, holder,
                                        allowance, arena);
        }
    }
    return error;
}

/* The period that begins at at_ns for one entitlement, told. What
 * does not begin then any more is forgotten. */
static met_error tell_begin(met__txn *txn, const met__notice_rules *rules,
                            int64_t at_ns, met__text customer_key,
                            met__text id, met__text feature,
                            met__arena *arena)
{
    met__holder *holder = NULL;
    met_error error =
        met__holder_by_key(txn, customer_key, arena, &holder, NULL);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        met__period period;
        uint64_t number;
        if (met__text_equal(allowance->id, id)
            && met__text_equal(allowance->card->feature_key, feature)
            && met__quota_row_period(&allowance->row, at_ns, &number, &period)
                   == MET_OK
            && period.from_ns == at_ns) {
            error = met__notice_period(txn, rules, holder, allowance, period,
                                       0, arena);
        }
    }
    return error;
}

/* The first begin that is not after now. */
static met_error first_due(met__txn *txn, int64_t now_ns, met__arena *arena,
                           met__text *key_out, met__text *customer_out)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error =
        met__scan_begin(txn, MET__TABLE_NOTICE_DUE, NULL, 0, &scan);

    if (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
    }
    if (error == MET_OK && key.size <= 8) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK
        && met__get_u64((const unsigned char *)key.data)
               > (uint64_t)now_ns) {
        error = MET_E_NOT_FOUND;
    }
    if (error == MET_OK) {
        const char *key_copy = met__arena_copy(arena, key.data, key.size);
        const char *copy = met__arena_copy(arena, value.data, value.size);
        error = key_copy == NULL || copy == NULL ? MET_E_NO_MEMORY : MET_OK;
        *key_out = met__text_of(key_copy, key.size);
        *customer_out = met__text_of(copy, value.size);
    }
    met__scan_end(&scan);
    return error;
}

/* MET_E_NOT_FOUND: none has. */
static met_error tell_first(met__txn *txn, const met__notice_rules *rules,
                            met__arena *arena)
{
    met__text key;
    met__text customer;
    met_error error =
        first_due(txn, met__txn_now_ns(txn), arena, &key, &customer);

    if (error != MET_OK) {
        return error;
    }
    const char *zero = memchr(key.data + 8, 0, key.size - 8);
    if (zero == NULL) {
        return MET_E_CORRUPT;
    }
    size_t id_size = (size_t)(zero - key.data) - 8;
    error = met__txn_remove(txn, MET__TABLE_NOTICE_DUE, key.data, key.size);
    if (error == MET_OK) {
        error = tell_begin(
            txn, rules,
            (int64_t)met__get_u64((const unsigned char *)key.data), customer,
            met__text_of(key.data + 8, id_size),
            met__text_of(zero + 1, key.size - 9 - id_size), arena);
    }
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

/* --- Survey --------------------------------------------------------------- */
static met_error survey_put(met__txn *txn, met__text after)
{
    return met__txn_put(txn, MET__TABLE_META, SURVEY_KEY,
                        sizeof SURVEY_KEY - 1, after.data, after.size);
}

met_error met__notice_survey_begin(met__txn *txn)
{
    return survey_put(txn, met__text_z(""));
}

/* The customer behind `after`: keys are "key", and of removed ones "key 0 id".
 * MET_E_NOT_FOUND: there is none. */
static met_error next_customer(met__txn *txn, met__text after,
                               met__arena *arena, met__text *customer_out)
{
    met__scan scan;
    met__text key;
    met__text value;
    met_error error =
        met__scan_begin(txn, MET__TABLE_CUSTOMER, NULL, 0, &scan);

    if (error == MET_OK && after.size > 0) {
        char *start = met__arena_copy(arena, after.data, after.size + 1);
        if (start == NULL) {
            error = MET_E_NO_MEMORY;
        } else {
            start[after.size] = 1; /* behind every "after 0 id" */
            error = met__scan_seek(&scan, start, after.size + 1);
        }
    }
    if (error == MET_OK) {
        error = met__scan_next(&scan, &key, &value);
    }
    if (error == MET_OK) {
        const char *zero = memchr(key.data, 0, key.size);
        size_t size = zero != NULL ? (size_t)(zero - key.data) : key.size;
        const char *copy = met__arena_copy(arena, key.data, size);
        error = copy == NULL ? MET_E_NO_MEMORY : MET_OK;
        *customer_out = met__text_of(copy, size);
    }
    met__scan_end(&scan);
    return error;
}

static met_error survey_customer(met__txn *txn,
                                 const met__notice_rules *rules,
                                 met__text customer_key, met__arena *arena)
{
    int64_t now_ns = met__txn_now_ns(txn);
    met__holder *holder = NULL;
    met_error error =
        met__holder_by_key(txn, customer_key, arena, &holder, NULL);

    if (error != MET_OK) {
        return error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        met__period period;
        uint64_t number;
        if (allowance->row.type == MET__ENTITLEMENT_METERED
            && met__quota_row_period(&allowance->row, now_ns, &number,
                                     &period)
                   == MET_OK) {
            error = met__notice_period(txn, rules, holder, allowance, period,
                                       1, arena);
        }
    }
    return error == MET_OK
               ? met__notice_due_ahead(txn, rules, holder, now_ns, arena)
               : error;
}

/* One customer. MET_E_NOT_FOUND: no survey is under way (any more). */
static met_error survey_next(met__txn *txn, const met__notice_rules *rules,
                             met__arena *arena)
{
    met__text value;
    met__text customer;
    met_error error = met__txn_get(txn, MET__TABLE_META, SURVEY_KEY,
                                   sizeof SURVEY_KEY - 1, &value);

    if (error != MET_OK) {
        return error;
    }
    const char *after = met__arena_copy(arena, value.data, value.size);
    if (after == NULL) {
        return MET_E_NO_MEMORY;
    }
    error = next_customer(txn, met__text_of(after, value.size), arena,
                          &customer);
    if (error == MET_E_NOT_FOUND) {
        error = met__txn_remove(txn, MET__TABLE_META, SURVEY_KEY,
                                sizeof SURVEY_KEY - 1);
        return error == MET_OK ? MET_E_NOT_FOUND : error;
    }
    if (error == MET_OK) {
        error = survey_customer(txn, rules, customer, arena);
    }
    return error == MET_OK ? survey_put(txn, customer) : error;
}

/* --- From time to time ---------------------------------------------------- */
static met_error has_work(met_store *store, int *has_out)
{
    met__arena arena;
    met__text key;
    met__text value;
    met__txn *txn;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    met__arena_init(&arena, met__store_platform(store));
    error = first_due(txn, met__txn_now_ns(txn), &arena, &key, &value);
    if (error == MET_E_NOT_FOUND) {
        error = met__txn_get(txn, MET__TABLE_META, SURVEY_KEY,
                             sizeof SURVEY_KEY - 1, &value);
    }
    met__arena_release(&arena);
    met__txn_abort(txn);
    *has_out = error == MET_OK;
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* What one transaction does: begins first, so that the survey never passes
 * over one that is to be told. */
static met_error work(met__txn *txn)
{
    const met__platform *platform =
        met__store_platform(met__txn_store(txn));
    met__notice_rules rules;
    met__arena of_rules;
    met__arena arena;

    met__arena_init(&of_rules, platform);
    met_error error = met__notice_rules_read(txn, &of_rules, &rules);
    for (int i = 0; error == MET_OK && i < MET__NOTICE_STEPS_MAX; i++) {
        met__arena_init(&arena, platform);
        error = tell_first(txn, &rules, &arena);
        if (error == MET_E_NOT_FOUND) {
            error = survey_next(txn, &rules, &arena);
        }
        met__arena_release(&arena);
    }
    met__arena_release(&of_rules);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__notice_tick(met_store *store)
{
    int has = 0;
    met_error error = has_work(store, &has);

    while (error == MET_OK && has) {
        met__txn *txn;
        error = met__txn_begin(store, 1, &txn);
        if (error == MET_OK) {
            error = work(txn);
            if (error == MET_OK) {
                error = met__txn_commit(txn);
            } else {
                met__txn_abort(txn);
            }
        }
        if (error == MET_OK) {
            error = has_work(store, &has);
        }
    }
    return error;
}
