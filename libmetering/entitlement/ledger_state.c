/* States of ledgers in the store. In: a ledger, an instant. Out: records of
 * BURN_STATE and their proofs. */
#include "entitlement/ledger_state.h"

#include "entitlement/entitled_parts.h"
#include "entitlement/grant_history.h"

#define LOOK_BACK_NS MET__DAY_NS /* at first */

/* --- Keys ----------------------------------------------------------------- */
static met_error key_of(met__text customer_id, met__text feature_key,
                        int64_t at_ns, met__arena *arena, met__text *key_out)
{
    size_t size = customer_id.size + 1 + feature_key.size + 1 + 8;
    char *key = met__arena_allocate(arena, size);

    if (key == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(key, customer_id.data, customer_id.size);
    memcpy(key + customer_id.size + 1, feature_key.data, feature_key.size);
    met__put_u64((unsigned char *)key + size - 8, (uint64_t)at_ns);
    *key_out = met__text_of(key, size);
    return MET_OK;
}

static int64_t at_of(met__text key)
{
    return (int64_t)met__get_u64(
        (const unsigned char *)key.data + key.size - 8);
}

/* --- Proof ---------------------------------------------------------------- */
static void add_number(met__buffer *buffer, int64_t number)
{
    unsigned char bytes[8];

    met__put_u64(bytes, (uint64_t)number);
    met__buffer_append(buffer, bytes, sizeof bytes);
}

static void add_text(met__buffer *buffer, met__text text)
{
    add_number(buffer, (int64_t)text.size);
    met__buffer_append(buffer, text.data, text.size);
}

static void add_recurrence(met__buffer *buffer,
                           const met__recurrence *recurrence)
{
    add_number(buffer, recurrence->anchor_ns);
    met__buffer_append(buffer, &recurrence->interval,
                       sizeof recurrence->interval);
}

/* An end behind the state is all the same to it. */
static int64_t end_before(int64_t end_ns, int64_t at_ns)
{
    return end_ns > at_ns ? MET__NEVER : end_ns;
}

static void add_row(met__buffer *buffer, const met__ledger_row *row,
                    int64_t at_ns)
{
    const met__allowance *allowance = row->allowance;
    const met__feature *feature = allowance->feature;

    add_number(buffer, row->bounds.from_ns);
    add_number(buffer, end_before(row->bounds.to_ns, at_ns));
    add_number(buffer, allowance->measured_from_ns);
    add_number(buffer, allowance->begins_with_reset * 2
                           + allowance->preserves_overage);
    add_recurrence(buffer, &allowance->row.usage_period);
    add_text(buffer, feature->id);
    add_text(buffer, allowance->meter->id);
    for (size_t i = 0; i < feature->filter_count; i++) {
        add_text(buffer, feature->filters[i].dimension);
        add_text(buffer, feature->filters[i].condition);
    }
    if (allowance->unit_config != NULL) {
        add_number(buffer, (int64_t)allowance->unit_config->operation);
        met__buffer_append(buffer, &allowance->unit_config->factor,
                           sizeof allowance->unit_config->factor);
    }
}

static void add_grant(met__buffer *buffer, const met__grant *grant,
                      int64_t at_ns)
{
    add_text(buffer, grant->id);
    met__buffer_append(buffer, &grant->amount, sizeof grant->amount);
    met__buffer_append(buffer, &grant->rollover_min,
                       sizeof grant->rollover_min);
    met__buffer_append(buffer, &grant->rollover_max,
                       sizeof grant->rollover_max);
    add_number(buffer, (int64_t)grant->priority);
    add_number(buffer, grant->created_at_ns);
    add_number(buffer, grant->effective_at_ns);
    add_number(buffer, grant->expires_at_ns); /* part of the order */
    add_number(buffer, end_before(grant->voided_at_ns, at_ns));
    add_number(buffer, end_before(grant->deleted_at_ns, at_ns));
    if (grant->has_recurrence) {
        add_recurrence(buffer, &grant->recurrence);
    }
}

/* Everything up to at_ns that a state is made of beside usage itself. */
static met_error proof_of(const met__ledger *ledger, int64_t at_ns,
                          int64_t *proof_out)
{
    const met__holder *holder = ledger->holder;
    met__buffer buffer;

    met__buffer_init(&buffer, ledger->arena->platform);
    add_text(&buffer, holder->customer->version);
    for (size_t i = 0; i < holder->customer->subject_count; i++) {
        add_text(&buffer, holder->customer->subjects[i]);
    }
    for (size_t i = 0; i < ledger->row_count; i++) {
        if (ledger->rows[i].bounds.from_ns <= at_ns) {
            add_row(&buffer, &ledger->rows[i], at_ns);
        }
    }
    for (size_t i = 0; i < ledger->grant_count; i++) {
        if (ledger->grants[i].effective_at_ns <= at_ns) {
            add_grant(&buffer, &ledger->grants[i], at_ns);
        }
    }
    if (buffer.error == MET_OK) {
        *proof_out = (int64_t)(met__checksum(buffer.data, buffer.size) >> 1);
    }
    met_error error = buffer.error;
    met__buffer_release(&buffer);
    return error;
}

/* --- Records -------------------------------------------------------------- */
static met_error build_balances(const met__burn_state *state,
                                met__arena *arena, met__builder *builder)
{
    met__node *list = met__node_array(arena);
    met_error error = list == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (size_t i = 0; error == MET_OK && i < state->count; i++) {
        const met__burn_balance *balance = &state->balances[i];
        met__builder one;
        met__node *node;
        met__builder_begin(&one, arena);
        met__build_text(&one, "grant", balance->grant_id);
        met__build_decimal(&one, "balance", balance->balance);
        met__build_boolean(&one, "is_issued", balance->is_issued);
        error = met__builder_end(&one, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, list, node);
        }
    }
    met__build_node(builder, "balances", list);
    return error;
}

static met_error write_state(const met__ledger *ledger,
                             const met__burn_state *state)
{
    met__arena *arena = ledger->arena;
    met__builder builder;
    met__node *node = NULL;
    met__text key;
    int64_t proof = 0;
    met_error error = proof_of(ledger, state->at_ns, &proof);

    met__builder_begin(&builder, arena);
    met__build_integer(&builder, "proof", proof);
    met__build_integer(&builder, "since", state->since_ns);
    met__build_decimal(&builder, "usage", state->usage);
    met__build_decimal(&builder, "grant_usage", state->grant_usage);
    met__build_decimal(&builder, "overage", state->overage);
    if (error == MET_OK) {
        error = build_balances(state, arena, &builder);
    }
    if (error == MET_OK) {
        error = met__builder_end(&builder, &node);
    }
    if (error == MET_OK) {
        error = key_of(ledger->holder->customer->id,
                       ledger->allowance->card->feature_key, state->at_ns,
                       arena, &key);
    }
    return error == MET_OK
               ? met__record_put(ledger->txn, MET__TABLE_BURN_STATE, key.data,
                                 key.size, node)
               : error;
}

static met_error read_balances(const met__node *list, met__arena *arena,
                               met__burn_state *state)
{
    met_error error = MET_OK;

    state->count = list->count;
    state->balances = met__arena_allocate(
        arena, (list->count + 1u) * sizeof *state->balances);
    if (state->balances == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        met__burn_balance *balance = &state->balances[i];
        met__path path = {NULL, "balances", 0};
        met__fields fields;
        (void)met__fields_begin(&fields, list->as.items[i], &path, NULL);
        (void)met__fields_text(&fields, "grant", MET__REQUIRED, 1, 256,
                               &balance->grant_id);
        (void)met__fields_decimal(&fields, "balance", MET__REQUIRED, 0,
                                  &balance->balance);
        (void)met__fields_boolean(&fields, "is_issued", MET__REQUIRED,
                                  &balance->is_issued);
        error = met__fields_end(&fields);
    }
    return error;
}

/* MET_E_INVALID: it is damaged, or another's. */
static met_error read_state(const met__ledger *ledger, met__text key,
                            met__burn_state *state_out)
{
    met__burn_state state = {.at_ns = at_of(key)};
    met__path path = {NULL, "state", 0};
    const met__node *balances = NULL;
    met__node *node = NULL;
    met__fields fields;
    int64_t stored = 0;
    int64_t proof = 0;
    met_error error = met__record_get(ledger->txn, MET__TABLE_BURN_STATE,
                                      key.data, key.size, ledger->arena,
                                      &node);

    if (error == MET_OK) {
        (void)met__fields_begin(&fields, node, &path, NULL);
        (void)met__fields_integer(&fields, "proof", MET__REQUIRED, 0,
                                  INT64_MAX, &stored);
        (void)met__fields_integer(&fields, "since", MET__REQUIRED, 0,
                                  state.at_ns, &state.since_ns);
        (void)met__fields_decimal(&fields, "usage", MET__REQUIRED, INT64_MIN,
                                  &state.usage);
        (void)met__fields_decimal(&fields, "grant_usage", MET__REQUIRED, 0,
                                  &state.grant_usage);
        (void)met__fields_decimal(&fields, "overage", MET__REQUIRED,
                                  INT64_MIN, &state.overage);
        (void)met__fields_array(&fields, "balances", MET__REQUIRED,
                                UINT32_MAX, &balances);
        error = met__fields_end(&fields);
    }
    if (error == MET_OK) {
        error = read_balances(balances, ledger->arena, &state);
    }
    if (error == MET_OK) {
        error = proof_of(ledger, state.at_ns, &proof);
    }
    if (error == MET_OK && proof == stored) {
        return met__burn_extend(&state, ledger->grants, ledger->grant_count,
                                ledger->arena, state_out, NULL);
    }
    return error == MET_OK || error == MET_E_CORRUPT ? MET_E_INVALID : error;
}

/* --- Finding -------------------------------------------------------------- */
typedef struct found_keys {
    size_t count;
    size_t room;
    met__text *keys; /* ascending */
} found_keys;

static met_error add_key(found_keys *found, met__text key, met__arena *arena)
{
    if (found->count == found->room) {
        size_t room = found->room * 2 + 16;
        met__text *keys = met__arena_allocate(arena, room * sizeof *keys);
        if (keys == NULL) {
            return MET_E_NO_MEMORY;
        }
        if (found->count > 0) {
            memcpy(keys, found->keys, found->count * sizeof *keys);
        }
        found->keys = keys;
        found->room = room;
    }
    char *copy = met__arena_copy(arena, key.data, key.size);
    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    found->keys[found->count++] = met__text_of(copy, key.size);
    return MET_OK;
}

/* Those of instants in [from, to]. */
static met_error find_keys(met__txn *txn, met__text customer_id,
                           met__text feature_key, met__period between,
                           met__arena *arena, found_keys *found)
{
    met__scan scan;
    met__text start;
    met_error error =
        key_of(customer_id, feature_key, between.from_ns, arena, &start);

    if (error == MET_OK) {
        error = met__scan_begin(txn, MET__TABLE_BURN_STATE, start.data,
                                start.size - 8, &scan);
        if (error == MET_OK) {
            error = met__scan_seek(&scan, start.data, start.size);
        }
        while (error == MET_OK) {
            met__text key;
            met__text value;
            error = met__scan_next(&scan, &key, &value);
            if (error == MET_E_CORRUPT) {
                error = MET_OK; /* told when it is read */
            }
            if (error == MET_OK && at_of(key) > between.to_ns) {
                break;
            }
            if (error == MET_OK) {
                error = add_key(found, key, arena);
            }
        }
        met__scan_end(&scan);
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

/* The last one that holds of those in [from, to]. */
static met_error get_within(const met__ledger *ledger, met__period within,
                            met__burn_state *state_out)
{
    found_keys found = {0};
    met_error error =
        find_keys(ledger->txn, ledger->holder->customer->id,
                  ledger->allowance->card->feature_key, within, ledger->arena,
                  &found);

    for (size_t i = found.count; error == MET_OK && i > 0; i--) {
        error = read_state(ledger, found.keys[i - 1], state_out);
        if (error != MET_E_INVALID) {
            return error;
        }
        error = MET_OK;
    }
    return error == MET_OK ? MET_E_NOT_FOUND : error;
}

/* Backwards, by ever longer times: it is the last one as a rule, and of a short
 * usage period there may be one for every hour of years. */
met_error met__ledger_state_get(const met__ledger *ledger, int64_t at_ns,
                                met__burn_state *state_out)
{
    int64_t span_ns = LOOK_BACK_NS;
    met_error error = MET_E_NOT_FOUND;

    while (error == MET_E_NOT_FOUND && at_ns >= 0) {
        int64_t from_ns = at_ns > span_ns ? at_ns - span_ns : 0;
        error = get_within(ledger, (met__period){from_ns, at_ns}, state_out);
        at_ns = from_ns - 1;
        span_ns = span_ns < MET__TIME_MAX / 8 ? span_ns * 8 : MET__TIME_MAX;
    }
    return error;
}

/* --- Changing ------------------------------------------------------------- */
met_error met__ledger_states_forget(met__txn *txn, met__text customer_id,
                                    met__text feature_key, int64_t at_ns,
                                    met__arena *arena)
{
    found_keys found = {0};
    met_error error = find_keys(txn, customer_id, feature_key,
                                (met__period){at_ns + 1, INT64_MAX}, arena,
                                &found);

    for (size_t i = 0; error == MET_OK && i < found.count; i++) {
        error = met__txn_remove(txn, MET__TABLE_BURN_STATE,
                                found.keys[i].data, found.keys[i].size);
    }
    return error;
}

met_error met__ledger_state_bring(met__ledger *ledger)
{
    int64_t start_ns;
    met__burn_result result;
    met_error error =
        met__ledger_run(ledger, ledger->now_end_ns - 1, 1, &result);

    if (error != MET_OK) {
        return error;
    }
    start_ns = ledger->start.at_ns;
    const met__burn_state *state =
        met__burn_state_before(&result, ledger->now_end_ns - 1);
    if (state == NULL || state->at_ns <= start_ns) {
        return MET_OK;
    }
    error = write_state(ledger, state);
    /* Of a usage period only the first is kept when it is over. */
    if (error == MET_OK && ledger->start.since_ns != start_ns) {
        met__text key;
        error = key_of(ledger->holder->customer->id,
                       ledger->allowance->card->feature_key, start_ns,
                       ledger->arena, &key);
        if (error == MET_OK) {
            error = met__txn_remove(ledger->txn, MET__TABLE_BURN_STATE,
                                    key.data, key.size);
        }
        error = error == MET_E_NOT_FOUND ? MET_OK : error;
    }
    return error;
}
