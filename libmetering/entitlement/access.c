/* Access: may a customer use a feature at an instant, and what is left.
 * In: a customer, an instant, the store. Out: documents, and rows for the
 * gateway's snapshot. It changes nothing. */
#include "entitlement/access.h"

#include "base/check.h"
#include "entitlement/balance.h"
#include "entitlement/holder_cache.h"
#include "entitlement/ledger.h"

/* --- Documents ------------------------------------------------------------ */
static void build_no_access(met__builder *builder, met__text feature_key,
                            const char *reason)
{
    met__build_text(builder, "feature_key", feature_key);
    met__build_boolean(builder, "has_access", 0);
    met__build_text(builder, "reason", met__text_z(reason));
}

static void build_period(met__builder *builder, met__arena *arena,
                         met__period period)
{
    met__builder inner;
    int64_t inside = period.from_ns % MET__MINUTE_NS;

    met__builder_begin(&inner, arena);
    met__build_time(&inner, "from", period.from_ns);
    met__build_time(&inner, "to", period.to_ns);
    met__build_object(builder, "current_usage_period", &inner);
    if (inside != 0) {
        met__build_time(builder, "applied_at", period.from_ns - inside);
    }
}

static met_error build_metered(met__txn *txn, const met__holder *holder,
                               const met__allowance *allowance, int64_t at_ns,
                               met__arena *arena, met__builder *builder,
                               met_error_info *info)
{
    const met__entitlement_template *template = &allowance->card->entitlement;
    met__burn_value value;
    met__ledger ledger;
    met__period period;
    uint64_t number;

    if (allowance->meter == NULL) {
        met__build_boolean(builder, "has_access", 0);
        met__build_text(builder, "reason", MET__TEXT("meter_not_found"));
        return MET_OK;
    }
    met_error error = met__allowance_period(allowance, at_ns, &number, &period);
    if (error == MET_OK) {
        error = met__ledger_open(txn, holder, allowance, arena, info, &ledger);
    }
    if (error == MET_OK) {
        error = met__ledger_value(&ledger, at_ns, &value);
    }
    if (error != MET_OK) {
        return error;
    }
    int has_access = template->is_soft_limit
                     || (!met__decimal_is_negative(value.balance)
                         && !met__decimal_is_zero(value.balance));
    met__build_boolean(builder, "has_access", has_access);
    met__build_decimal(builder, "balance", value.balance);
    met__build_decimal(builder, "usage", value.usage);
    met__build_decimal(builder, "overage", value.overage);
    met__build_decimal(builder, "total_available", value.total_available);
    met__build_boolean(builder, "is_soft_limit", template->is_soft_limit);
    build_period(builder, arena, period);
    if (!has_access) {
        met__build_text(builder, "reason", MET__TEXT("usage_limit_reached"));
    }
    return MET_OK;
}

static met_error allowance_document(met__txn *txn, const met__holder *holder,
                                    const met__allowance *allowance,
                                    int64_t at_ns, met__arena *arena,
                                    met__node **node_out,
                                    met_error_info *info)
{
    static const char *const names[] = {"none", "metered", "static",
                                        "boolean"};
    uint32_t type = allowance->row.type;
    met__builder builder;
    met_error error = MET_OK;

    MET__ASSERT(type <= MET__ENTITLEMENT_BOOLEAN);
    met__builder_begin(&builder, arena);
    met__build_text(&builder, "feature_key", allowance->card->feature_key);
    if (allowance->subscription == NULL) {
        met__build_text(&builder, "entitlement_id", allowance->id);
    }
    met__build_text(&builder, "type", met__text_z(names[type]));
    if (type == MET__ENTITLEMENT_METERED) {
        error = build_metered(txn, holder, allowance, at_ns, arena, &builder,
                              info);
    } else {
        int64_t inside = allowance->row.from_ns % MET__MINUTE_NS;
        met__build_boolean(&builder, "has_access", 1);
        if (type == MET__ENTITLEMENT_STATIC) {
            met__build_node(&builder, "config",
                            allowance->card->entitlement.config);
        }
        if (inside != 0) {
            met__build_time(&builder, "applied_at",
                            allowance->row.from_ns - inside);
        }
    }
    met_error built = met__builder_end(&builder, node_out);
    return error == MET_OK ? built : error;
}

/* --- Calls ---------------------------------------------------------------- */
/* A subscription that owns at_ns? It need not entitle to anything. */
static met_error has_subscription(met__txn *txn, const met__holder *holder,
                                  int64_t at_ns, met__arena *arena,
                                  int *has_out)
{
    met__subscription *subscription = NULL;
    met_error error =
        met__subscription_at(txn, holder->customer->key,
                             met__minute_last(at_ns), arena, &subscription);

    *has_out = error == MET_OK
               && met__text_equal(subscription->customer_id,
                                  holder->customer->id);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

static met_error refusal_document(met__txn *txn, const met__holder *holder,
                                  met__text feature_key, int64_t at_ns,
                                  met__arena *arena, met__node **node_out)
{
    const char *reason = "no_entitlement";
    met__feature *feature;
    met__builder builder;
    int has_one = 0;
    met_error error =
        has_subscription(txn, holder, at_ns, arena, &has_one);

    if (error == MET_OK && !has_one) {
        reason = "no_subscription";
    }
    if (error == MET_OK) {
        error = met__feature_get(txn, feature_key, arena, &feature);
        if (error == MET_E_NOT_FOUND) {
            reason = "feature_not_found";
            error = MET_OK;
        }
    }
    met__builder_begin(&builder, arena);
    build_no_access(&builder, feature_key, reason);
    met_error built = met__builder_end(&builder, node_out);
    return error == MET_OK ? built : error;
}

met_error met__access_document(met__txn *txn, met__text customer_key,
                               met__text feature_key, int64_t at_ns,
                               met__arena *arena, met__node **node_out,
                               met_error_info *info)
{
    const met__holder *holder = NULL;
    met_error error = met__holder_kept(txn, customer_key, &holder, info);

    if (error != MET_OK) {
        return error;
    }
    const met__allowance *allowance =
        met__holder_find(holder, feature_key, at_ns);
    if (allowance == NULL) {
        return refusal_document(txn, holder, feature_key, at_ns, arena,
                                node_out);
    }
    return allowance_document(txn, holder, allowance, at_ns, arena, node_out,
                              info);
}

met_error met__access_list(met__txn *txn, met__text customer_key,
                           int64_t at_ns, met__arena *arena,
                           met__node **node_out, met_error_info *info)
{
    met__node *items = met__node_array(arena);
    const met__holder *holder = NULL;
    met__node *item;
    int64_t at = met__minute_last(at_ns);
    met_error error =
        items == NULL
            ? MET_E_NO_MEMORY
            : met__holder_kept(txn, customer_key, &holder, info);

    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        if (at < allowance->row.from_ns || at >= allowance->row.to_ns) {
            continue;
        }
        error = allowance_document(txn, holder, allowance, at_ns, arena,
                                   &item, info);
        if (error == MET_OK) {
            error = met__node_append(arena, items, item);
        }
    }
    if (error == MET_OK) {
        met__node *object = met__node_object(arena);
        error = met__node_set(arena, object, "items", items);
        *node_out = object;
    }
    return error;
}

/* --- Rows for a snapshot -------------------------------------------------- */
/* A cell that is made from the row must not give what debt has taken. What
 * grants add comes with the cell that settlement sets. */
static met_error granted_to_row(met__txn *txn, const met__holder *holder,
                                const met__allowance *allowance, int64_t at_ns,
                                met__arena *arena, met_decimal *granted_out)
{
    met__ledger_quota quota;
    met__ledger ledger;

    *granted_out = allowance->issued;
    if (allowance->meter == NULL
        || (met__meter_is_additive(allowance->meter)
            && !met__holder_carries(holder, allowance->card->feature_key))) {
        return MET_OK;
    }
    met_error error =
        met__ledger_open(txn, holder, allowance, arena, NULL, &ledger);
    if (error == MET_OK) {
        error = met__ledger_quota_of(&ledger, at_ns, &quota);
    }
    if (met__ledger_is_hopeless(error)) {
        quota.granted = met__decimal_zero();
        error = MET_OK;
    }
    if (error == MET_OK
        && met__decimal_compare(quota.granted, *granted_out) < 0) {
        *granted_out = quota.granted;
    }
    return error;
}

static met_error fill_visit(met__txn *txn, const met__holder *holder,
                            const met__allowance *allowance, int64_t at_ns,
                            met__arena *arena, met__quota_visit *visit)
{
    met_decimal granted;
    met__balance balance;
    met__period period;
    uint64_t number;

    *visit = (met__quota_visit){.customer = holder->customer,
                                .feature = allowance->feature,
                                .card = allowance->card,
                                .row = allowance->row};
    if (allowance->row.type != MET__ENTITLEMENT_METERED) {
        return MET_OK;
    }
    met_error error =
        met__quota_row_period(&allowance->row, at_ns, &number, &period);
    if (error == MET_E_NOT_FOUND) {
        return MET_OK; /* begins later: nothing is used yet */
    }
    if (error == MET_OK) {
        error = met__balance_for_cell(txn, holder, allowance, period, arena,
                                      &balance);
    }
    if (error == MET_OK) {
        error = granted_to_row(txn, holder, allowance, at_ns, arena,
                               &granted);
    }
    if (error == MET_OK) {
        visit->row.limit = met__quota_limit(granted);
        visit->taken = met__quota_taken(balance.admitted);
        error = met__balance_limit(&balance, granted, &visit->limit);
    }
    return error;
}

met_error met__entitlements_each(met__txn *txn, const met__customer *customer,
                                 int64_t at_ns, met__terms_cache *terms,
                                 met__arena *arena, void *context,
                                 met__quota_visitor visit)
{
    met__holder *holder;
    met__quota_visit found;
    int64_t at = met__minute_last(at_ns);
    met_error error =
        met__holder_of(txn, customer, terms, arena, &holder);

    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        if (allowance->row.to_ns > at) {
            error = fill_visit(txn, holder, allowance, at_ns, arena, &found);
            if (error == MET_OK) {
                error = visit(context, &found);
            }
        }
    }
    return error;
}
