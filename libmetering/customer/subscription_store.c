/* Subscriptions in the store: keeping and finding them. In: structs, keys. Out:
 * records of the tables SUBSCRIPTION and SUBSCRIPTION_OF, and lists. What may
 * be stored is decided in subscription_change.c. */
#include "base/check.h"
#include "customer/subscription_document.h"
#include "store/records.h"

/* --- Records -------------------------------------------------------------- */
met_error met__subscription_put(met__txn *txn,
                                const met__subscription *subscription,
                                met__arena *arena)
{
    met__node *node = NULL;
    met__text index;
    met_error error = met__subscription_build(subscription, arena, &node);

    if (error == MET_OK) {
        error = met__record_put(txn, MET__TABLE_SUBSCRIPTION,
                                subscription->id.data, subscription->id.size,
                                node);
    }
    if (error == MET_OK) {
        error = met__object_key(arena, subscription->customer_key,
                                subscription->id, &index);
    }
    if (error == MET_OK) {
        error = met__txn_put(txn, MET__TABLE_SUBSCRIPTION_OF, index.data,
                             index.size, "", 0);
    }
    return error == MET_OK ? met__txn_touch_catalog(txn) : error;
}

met_error met__subscription_get(met__txn *txn, met__text id,
                                met__arena *arena,
                                met__subscription **subscription_out)
{
    met__node *node = NULL;
    met__subscription *found = NULL;
    met_error error = met__record_get(txn, MET__TABLE_SUBSCRIPTION, id.data,
                                      id.size, arena, &node);

    if (error == MET_OK) {
        error = met__record_error(
            met__subscription_read(node, NULL, MET__STATES_RECORD, arena,
                                   &found, NULL, NULL));
    }
    if (error == MET_OK) {
        *subscription_out = found;
    }
    return error;
}

met_error met__subscription_owner(met__txn *txn, met__text id,
                                  met__arena *arena,
                                  met__subscription **subscription_out,
                                  met__customer **customer_out)
{
    met_error error = met__subscription_get(txn, id, arena, subscription_out);

    if (error == MET_OK) {
        error = met__customer_get(txn, (*subscription_out)->customer_key,
                                  arena, customer_out);
    }
    return error == MET_OK && !met__text_equal((*customer_out)->id,
                                               (*subscription_out)->customer_id)
               ? MET_E_NOT_FOUND
               : error;
}

/* --- Finding -------------------------------------------------------------- */
typedef struct found_list {
    met__arena *arena;
    size_t count;
    met__subscription **items;
} found_list;

static met_error add_found(found_list *list, met__subscription *subscription)
{
    if ((list->count & (list->count - 1)) == 0) {
        met__subscription **more = met__arena_allocate(
            list->arena,
            met__list_bytes(list->count + 1, sizeof *list->items));
        if (more == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (list->count > 0) {
            memcpy(more, list->items, list->count * sizeof *more);
        }
        list->items = more;
    }
    list->items[list->count++] = subscription;
    return MET_OK;
}

/* Earlier beginnings first; of equal ones the one created earlier. */
static void sort_found(found_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        met__subscription *moved = list->items[i];
        size_t at = i;
        for (; at > 0
               && list->items[at - 1]->active_from_ns > moved->active_from_ns;
             at--) {
            list->items[at] = list->items[at - 1];
        }
        list->items[at] = moved;
    }
}

/* Subscriptions of a removed customer of this key are not the new one's. */
static met_error load_index(met__txn *txn, const met__customer *customer,
                            found_list *list)
{
    met__scan scan;
    met__text prefix;
    met__text key;
    met__text value;
    met_error error = met__object_key(list->arena, customer->key,
                                      met__text_z(""), &prefix);

    if (error != MET_OK) {
        return error;
    }
    error = met__scan_begin(txn, MET__TABLE_SUBSCRIPTION_OF, prefix.data,
                            prefix.size, &scan);
    while (error == MET_OK) {
        met__subscription *found = NULL;
        error = met__scan_next(&scan, &key, &value);
        if (error != MET_OK) {
            break;
        }
        error = met__subscription_get(
            txn,
            met__text_of(key.data + prefix.size, key.size - prefix.size),
            list->arena, &found);
        /* The index names what is not there. */
        error = error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
        if (error == MET_OK
            && met__text_equal(found->customer_id, customer->id)
            && found->deleted_at_ns == 0) {
            error = add_found(list, found);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__subscriptions_of(met__txn *txn, const met__customer *customer,
                                met__arena *arena,
                                met__subscription ***array_out,
                                size_t *count_out)
{
    found_list list = {arena, 0, NULL};
    met_error error = load_index(txn, customer, &list);

    if (error != MET_OK) {
        return error;
    }
    sort_found(&list);
    *array_out = list.items;
    *count_out = list.count;
    return MET_OK;
}

met_error met__subscription_each(met__txn *txn, met__text customer_key,
                                 met__arena *arena,
                                 met__subscription ***array_out,
                                 size_t *count_out)
{
    met__customer *customer = NULL;
    met_error error = met__customer_get(txn, customer_key, arena, &customer);

    return error == MET_OK ? met__subscriptions_of(txn, customer, arena,
                                                   array_out, count_out)
                           : error;
}

met_error met__subscription_at(met__txn *txn, met__text customer_key,
                               int64_t at_ns, met__arena *arena,
                               met__subscription **subscription_out)
{
    met__subscription **list = NULL;
    size_t count = 0;
    met_error error = met__subscription_each(txn, customer_key, arena, &list,
                                             &count);

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        uint32_t status = met__subscription_status_at(list[i], at_ns);
        if (status == MET__SUBSCRIPTION_ACTIVE
            || status == MET__SUBSCRIPTION_CANCELED) {
            *subscription_out = list[i];
            return MET_OK;
        }
    }
    return error == MET_OK ? MET_E_NOT_FOUND : error;
}

met_error met__subscription_plan(met__txn *txn,
                                 const met__subscription *subscription,
                                 met__arena *arena, met__plan **plan_out)
{
    MET__ASSERT(subscription->plan_version > 0);
    return met__plan_get(txn, subscription->plan_key,
                         subscription->plan_version, 0, arena, plan_out);
}

typedef struct listing {
    found_list found;
    met__text plan_key; /* empty: every plan */
    uint32_t plan_version;
    uint32_t reserved;
} listing;

static met_error add_record(void *context, met__text key, met__node *record)
{
    listing *list = context;
    met__subscription *found = NULL;

    (void)key;
    met_error error = met__record_error(
        met__subscription_read(record, NULL, MET__STATES_RECORD,
                               list->found.arena, &found, NULL, NULL));
    if (error != MET_OK) {
        return error;
    }
    /* A removed one is in no list, but still names its plan. */
    int is_asked = list->plan_key.size == 0
                       ? found->deleted_at_ns == 0
                       : met__text_equal(found->plan_key, list->plan_key)
                             && found->plan_version == list->plan_version;
    if (!is_asked) {
        return MET_OK;
    }
    return add_found(&list->found, found);
}

met_error met__subscription_to_plan(met__txn *txn, met__text plan_key,
                                    uint32_t plan_version, size_t *count_out)
{
    met__arena arena;
    listing list = {.plan_key = plan_key, .plan_version = plan_version};

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    list.found.arena = &arena;
    met_error error = met__records_each(txn, MET__TABLE_SUBSCRIPTION,
                                        met__text_z(""), &arena, &list,
                                        add_record);
    *count_out = list.found.count;
    met__arena_release(&arena);
    return error;
}

/* --- Who needs a meter ---------------------------------------------------- */
typedef struct meter_search {
    met__txn *txn;
    met__arena *arena;
    met__text meter_key;
    int64_t now_ns;
    met__subscription_done *is_done;
    met__text plan_key; /* of the last subscription: most have the same */
    uint32_t plan_version;
    int plan_uses;
    met__meter_use use;
} meter_search;

static met_error plan_uses_meter(const meter_search *search,
                                 const met__plan *plan, int *uses_out)
{
    *uses_out = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        for (size_t j = 0; j < plan->phases[i].rate_card_count; j++) {
            const met__rate_card *card = plan->phases[i].rate_cards[j];
            met__feature *feature = NULL;
            if (card->feature_key.size == 0) {
                continue;
            }
            met_error error = met__rate_card_feature(
                search->txn, card, search->arena, &feature);
            if (error == MET_OK) {
                *uses_out |= met__text_equal(feature->meter_key,
                                             search->meter_key);
            } else if (error != MET_E_NOT_FOUND) {
                return error;
            }
        }
    }
    return MET_OK;
}

static met_error look_for_meter(void *context, met__text key,
                                met__node *record)
{
    meter_search *search = context;
    met__subscription *found = NULL;
    met__plan *plan = NULL;
    int is_over;
    int is_done = 0;

    (void)key;
    if (search->use.customer_key.size > 0) {
        return MET_OK;
    }
    met_error error = met__record_error(
        met__subscription_read(record, NULL, MET__STATES_RECORD,
                               search->arena, &found, NULL, NULL));
    if (error != MET_OK) {
        return error;
    }
    is_over = met__subscription_status_at(found, search->now_ns)
              == MET__SUBSCRIPTION_INACTIVE;
    if (is_over) {
        error = search->is_done(search->txn, found, search->arena, &is_done);
    }
    if (error != MET_OK || is_done) {
        return error;
    }
    if (!met__text_equal(found->plan_key, search->plan_key)
        || found->plan_version != search->plan_version) {
        error = met__subscription_plan(search->txn, found, search->arena,
                                       &plan);
        if (error == MET_OK) {
            error = plan_uses_meter(search, plan, &search->plan_uses);
        }
        search->plan_key = found->plan_key;
        search->plan_version = found->plan_version;
    }
    if (error == MET_OK && search->plan_uses) {
        search->use = (met__meter_use){found->customer_key, is_over};
    }
    return error;
}

met_error met__subscription_using_meter(met__txn *txn, met__text meter_key,
                                        int64_t now_ns,
                                        met__subscription_done *is_done,
                                        met__arena *arena,
                                        met__meter_use *use_out)
{
    meter_search search = {.txn = txn, .arena = arena,
                           .meter_key = meter_key, .now_ns = now_ns,
                           .is_done = is_done};
    met_error error =
        met__records_each(txn, MET__TABLE_SUBSCRIPTION, met__text_z(""),
                          arena, &search, look_for_meter);

    if (error == MET_OK) {
        *use_out = search.use;
    }
    return error;
}

/* --- Documents ------------------------------------------------------------ */
met_error met__subscription_list(met__txn *txn, met__text customer_key,
                                 int64_t now_ns, met__arena *arena,
                                 met__node **array_out)
{
    listing list = {.found = {arena, 0, NULL}};
    met__node *array = met__node_array(arena);
    met_error error = array != NULL ? MET_OK : MET_E_NO_MEMORY;

    if (error == MET_OK && customer_key.size > 0) {
        error = met__subscription_each(txn, customer_key, arena,
                                       &list.found.items, &list.found.count);
    } else if (error == MET_OK) {
        error = met__records_each(txn, MET__TABLE_SUBSCRIPTION,
                                  met__text_z(""), arena, &list, add_record);
    }
    for (size_t i = 0; error == MET_OK && i < list.found.count; i++) {
        met__node *node = NULL;
        error = met__subscription_document(txn, list.found.items[i], now_ns,
                                           arena, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, array, node);
        }
    }
    if (error == MET_OK) {
        *array_out = array;
    }
    return error;
}
