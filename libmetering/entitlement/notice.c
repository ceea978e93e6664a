/* Notices. In: a balance that has changed, a period that has begun. Out:
 * notices in the queue, and the memory of what was told. */
#include "entitlement/notice.h"

#include "entitlement/ledger.h"
#include "entitlement/notice_due.h"
#include "entitlement/notice_queue.h"

/* There is one tenant to a store; the peer's name of the only one. */
#define TENANT "default"

/* One look at one entitlement. */
typedef struct look {
    met__txn *txn;
    const met__notice_rules *rules;
    const met__holder *holder;
    const met__allowance *allowance;
    met__period period; /* uncut at its end: a subscription that is canceled
                           in the middle has the same one as before */
    met__arena *arena;
    met__burn_value value;
    met__told_list told;
    int is_changed;
    int reserved;
} look;

static int is_wanted(const met__notice_rules *rules, uint32_t type,
                     const met__allowance *allowance)
{
    int wanted = 0;

    for (size_t i = 0; i < rules->count && !wanted; i++) {
        wanted = met__notice_rule_wants(rules->list[i], type,
                                        allowance->card->feature_key);
    }
    return wanted && allowance->row.type == MET__ENTITLEMENT_METERED
           && allowance->meter != NULL;
}

static met_error look_begin(look *self, met__txn *txn,
                            const met__notice_rules *rules,
                            const met__holder *holder,
                            const met__allowance *allowance,
                            met__period period, met__arena *arena)
{
    met__period whole;

    *self = (look){.txn = txn,
                   .rules = rules,
                   .holder = holder,
                   .allowance = allowance,
                   .period = period,
                   .arena = arena};
    if (met__recurrence_period_within(&allowance->row.usage_period,
                                      period.from_ns, &whole, NULL)
        == MET_OK) {
        self->period.to_ns = whole.to_ns;
    }
    return met__told_read(txn, allowance, rules->count, arena, &self->told);
}

static met_error look_end(look *self, met_error error)
{
    return error == MET_OK && self->is_changed
               ? met__told_write(self->txn, self->allowance, self->rules,
                                 &self->told, self->arena)
               : error;
}

static met_error key_of(const look *self, const met__notice_rule *rule,
                        uint32_t kind, met__text *key_out)
{
    const met__repetition repetition = {
        .kind = met__told_kind_name(kind),
        .rule_id = rule->id,
        .tenant = MET__TEXT(TENANT),
        .period = self->period,
        .subject = self->holder->customer->id, /* survives a rename */
        .entitlement_id = self->allowance->id,
        .feature_id = self->allowance->feature->id,
        .measured_from_ns = self->allowance->row.from_ns};

    return met__repetition_key(&repetition, self->arena, key_out);
}

/* The memory of a key; made when it is not there. */
static met__told *told_of(look *self, const met__notice_rule *rule,
                          uint32_t kind, met__text key)
{
    met__told *told = met__told_find(&self->told, key);

    if (told == NULL) {
        told = &self->told.items[self->told.count++];
        *told = (met__told){.rule_id = rule->id,
                            .key = key,
                            .kind = kind,
                            .period = self->period};
    }
    return told;
}

/* --- What a notice says --------------------------------------------------- */
static void build_name(met__builder *builder, const char *member,
                       met__text id, met__text key)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    met__build_text(&inner, "id", id);
    met__build_text(&inner, "key", key);
    met__build_object(builder, member, &inner);
}

static void build_period(met__builder *builder, met__period period)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    met__build_time(&inner, "from", period.from_ns);
    met__build_time(&inner, "to", period.to_ns);
    met__build_object(builder, "current_usage_period", &inner);
}

static void build_threshold(met__builder *builder,
                            const met__threshold *threshold)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    met__build_text(&inner, "type",
                    met__text_z(met__threshold_names[threshold->kind]));
    met__build_decimal(&inner, "value", threshold->value);
    met__build_object(builder, "threshold", &inner);
}

static void build_value(met__builder *builder, const met__burn_value *value)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    met__build_decimal(&inner, "balance", value->balance);
    met__build_decimal(&inner, "usage", value->usage);
    met__build_decimal(&inner, "overage", value->overage);
    met__build_decimal(&inner, "total_available", value->total_available);
    met__build_object(builder, "value", &inner);
}

/* threshold is NULL for a reset. */
static met_error tell(const look *self, const met__notice_rule *rule,
                      const met__threshold *threshold, met__text key)
{
    const met__customer *customer = self->holder->customer;
    const met__allowance *allowance = self->allowance;
    met__builder builder;
    met__node *members;

    met__builder_begin(&builder, self->arena);
    met__build_text(&builder, "type",
                    met__text_z(met__notice_type_name(rule->type)));
    build_name(&builder, "rule", rule->id, rule->key);
    build_name(&builder, "customer", customer->id, customer->key);
    build_name(&builder, "feature", allowance->feature->id,
               allowance->card->feature_key);
    met__build_text(&builder, allowance->subscription != NULL
                                  ? "subscription_id"
                                  : "entitlement_id",
                    allowance->id);
    build_period(&builder, self->period);
    if (threshold != NULL) {
        build_threshold(&builder, threshold);
        build_value(&builder, &self->value);
    }
    met__build_text(&builder, "repetition_key", key);
    met_error error = met__builder_end(&builder, &members);
    return error == MET_OK
               ? met__notice_append(self->txn, members, self->arena)
               : error;
}

/* --- Thresholds ----------------------------------------------------------- */
/* Told when another one than the last is passed. When none is any more, the
 * same one tells again the next time. */
static met_error tell_winner(look *self, const met__notice_rule *rule,
                             uint32_t kind, size_t winner)
{
    met__text key;
    met_error error = key_of(self, rule, kind, &key);

    if (error != MET_OK) {
        return error;
    }
    if (winner == MET__NO_THRESHOLD) {
        met__told *told = met__told_find(&self->told, key);
        if (told != NULL && told->has_last) {
            told->has_last = 0;
            self->is_changed = 1;
        }
        return MET_OK;
    }
    const met__threshold *threshold = &rule->thresholds[winner];
    met__told *told = told_of(self, rule, kind, key);
    if (told->has_last && told->last.kind == threshold->kind
        && met__decimal_compare(told->last.value, threshold->value) == 0) {
        return MET_OK;
    }
    told->has_last = 1;
    told->last = *threshold;
    self->is_changed = 1;
    return tell(self, rule, threshold, key);
}

static met_error tell_thresholds(look *self)
{
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < self->rules->count; i++) {
        const met__notice_rule *rule = self->rules->list[i];
        size_t usage;
        size_t balance;
        if (!met__notice_rule_wants(rule, MET__NOTICE_THRESHOLD,
                                    self->allowance->card->feature_key)
            || met__threshold_passed(rule->thresholds, rule->threshold_count,
                                     &self->value, rule->when_reached, &usage,
                                     &balance)
                   != MET_OK) {
            continue;
        }
        error = tell_winner(self, rule, MET__TOLD_USAGE, usage);
        if (error == MET_OK) {
            error = tell_winner(self, rule, MET__TOLD_BALANCE, balance);
        }
    }
    return error;
}

/* MET_E_NOT_FOUND: there is nothing to tell. */
static met_error read_value(look *self, met__period period)
{
    int64_t at_ns = met__txn_now_ns(self->txn);
    met__ledger ledger;

    if (at_ns < period.from_ns) {
        at_ns = period.from_ns; /* usage that came before its time */
    } else if (at_ns >= period.to_ns) {
        at_ns = period.to_ns - 1;
    }
    if (self->allowance->meter == NULL) {
        return MET_E_NOT_FOUND;
    }
    met_error error = met__ledger_open(self->txn, self->holder,
                                       self->allowance, self->arena, NULL,
                                       &ledger);
    if (error == MET_OK) {
        error = met__ledger_value(&ledger, at_ns, &self->value);
    }
    return met__ledger_is_hopeless(error) ? MET_E_NOT_FOUND : error;
}

met_error met__notice_balance(met__txn *txn, const met__notice_rules *rules,
                              const met__holder *holder,
                              const met__allowance *allowance,
                              met__period period, met__arena *arena)
{
    look self;

    if (!is_wanted(rules, MET__NOTICE_THRESHOLD, allowance)
        || period.to_ns <= met__txn_now_ns(txn) - MET__NOTICE_LATE_NS) {
        return MET_OK;
    }
    met_error error =
        look_begin(&self, txn, rules, holder, allowance, period, arena);
    if (error == MET_OK) {
        error = read_value(&self, period);
    }
    if (error == MET_OK) {
        error = tell_thresholds(&self);
    } else if (error == MET_E_NOT_FOUND) {
        return MET_OK;
    }
    return look_end(&self, error);
}

/* --- Resets --------------------------------------------------------------- */
static met_error tell_reset(look *self, const met__notice_rule *rule,
                            int is_silent)
{
    met__told *told = met__told_reset_of(&self->told, rule->id);
    met__text key;
    met_error error = key_of(self, rule, MET__TOLD_RESET, &key);

    if (error != MET_OK
        || (told != NULL && told->period.from_ns >= self->period.from_ns)) {
        return error;
    }
    if (told == NULL) {
        is_silent = 1; /* the first that is known of it is no reset */
        told = told_of(self, rule, MET__TOLD_RESET, key);
    }
    told->key = key;
    told->period = self->period;
    self->is_changed = 1;
    return is_silent ? MET_OK : tell(self, rule, NULL, key);
}

met_error met__notice_period(met__txn *txn, const met__notice_rules *rules,
                             const met__holder *holder,
                             const met__allowance *allowance,
                             met__period period, int is_silent,
                             met__arena *arena)
{
    look self;

    if (!is_wanted(rules, MET__NOTICE_RESET, allowance)) {
        return MET_OK;
    }
    met_error error =
        look_begin(&self, txn, rules, holder, allowance, period, arena);
    for (size_t i = 0; error == MET_OK && i < rules->count; i++) {
        if (met__notice_rule_wants(rules->list[i], MET__NOTICE_RESET,
                                   allowance->card->feature_key)) {
            error = tell_reset(&self, rules->list[i], is_silent);
        }
    }
    if (error == MET_OK) {
        error = met__notice_due_put(txn, period.to_ns, holder, allowance,
                                    arena);
    }
    return look_end(&self, error);
}

/* --- After a change ------------------------------------------------------- */
static met_error announce(met__txn *txn, const met__notice_rules *rules,
                          const met__holder *holder, met__arena *arena)
{
    int64_t now_ns = met__txn_now_ns(txn);
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < holder->count; i++) {
        const met__allowance *allowance = &holder->allowances[i];
        met__period period;
        uint64_t number;
        if (allowance->row.type != MET__ENTITLEMENT_METERED
            || met__quota_row_period(&allowance->row, now_ns, &number,
                                     &period)
                   != MET_OK) {
            continue;
        }
        error = met__notice_balance(txn, rules, holder, allowance, period,
                                    arena);
        if (error == MET_OK) {
            error = met__notice_period(txn, rules, holder, allowance, period,
                                       0, arena);
        }
    }
    return error == MET_OK
               ? met__notice_due_ahead(txn, rules, holder, now_ns, arena)
               : error;
}

met_error met__notice_announce(met__txn *txn, met__text customer_key)
{
    met__notice_rules rules;
    met__holder *holder = NULL;
    met__arena arena;

    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__notice_rules_read(txn, &arena, &rules);
    if (error == MET_OK && rules.count > 0) {
        error = met__holder_by_key(txn, customer_key, &arena, &holder, NULL);
        if (error == MET_OK) {
            error = announce(txn, &rules, holder, &arena);
        } else if (error == MET_E_NOT_FOUND) {
            error = MET_OK;
        }
    }
    met__arena_release(&arena);
    return error;
}
