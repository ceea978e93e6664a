/* Ingest's own records. In: a transaction. Out: state, ids of batches,
 * cursors and settings, each checked when it is read. */
#include "meter/event_batch.h"

#include "base/check.h"
#include "meter/settings_record.h"

#define STATE_KEY "ingest"
#define STATE_WORDS (4 + MET__VERDICTS)
#define BOUND_MAX_DAYS 366
#define RETAIN_MAX_DAYS 3660

const char *const met__verdict_names[MET__VERDICTS] = {
    "", "accepted", "duplicate", "late", "future", "no_meter", "no_value",
    "invalid"};

/* --- State ---------------------------------------------------------------- */
met_error met__ingest_state_get(met__txn *txn, met__ingest_state *state_out)
{
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_META, STATE_KEY,
                                   sizeof STATE_KEY - 1, &value);

    *state_out = (met__ingest_state){0};
    if (error == MET_E_NOT_FOUND) {
        return MET_OK;
    }
    if (error == MET_OK && value.size != STATE_WORDS * 8) {
        error = MET_E_CORRUPT;
    }
    if (error != MET_OK) {
        return error;
    }
    const unsigned char *at = (const unsigned char *)value.data;
    state_out->batch = met__get_u64(at);
    state_out->horizon_ns = (int64_t)met__get_u64(at + 8);
    state_out->recorded_ns = (int64_t)met__get_u64(at + 16);
    state_out->chain = met__get_u64(at + 24);
    for (size_t i = 0; i < MET__VERDICTS; i++) {
        state_out->counters[i] = met__get_u64(at + 32 + 8 * i);
    }
    return MET_OK;
}

met_error met__ingest_state_put(met__txn *txn, const met__ingest_state *state)
{
    unsigned char value[STATE_WORDS * 8];

    met__put_u64(value, state->batch);
    met__put_u64(value + 8, (uint64_t)state->horizon_ns);
    met__put_u64(value + 16, (uint64_t)state->recorded_ns);
    met__put_u64(value + 24, state->chain);
    for (size_t i = 0; i < MET__VERDICTS; i++) {
        met__put_u64(value + 32 + 8 * i, state->counters[i]);
    }
    return met__txn_put(txn, MET__TABLE_META, STATE_KEY, sizeof STATE_KEY - 1,
                        value, sizeof value);
}

met_error met__ingest_next_batch(met__txn *txn, uint64_t *number_out)
{
    met__ingest_state state;
    met_error error = met__ingest_state_get(txn, &state);

    state.batch++;
    *number_out = state.batch;
    return error == MET_OK ? met__ingest_state_put(txn, &state) : error;
}

int64_t met__ingest_future(const met__ingest_settings *settings,
                           int64_t now_ns)
{
    int64_t future_ns;

    return met__duration_add(now_ns, &settings->future, 1, &future_ns)
                   == MET_OK
               ? future_ns
               : MET__TIME_MAX;
}

met_error met__ingest_horizon(const met__ingest_settings *settings,
                              int64_t now_ns, int64_t *horizon_ns)
{
    int64_t at = 0;
    met_error error = met__duration_add(now_ns, &settings->late, -1, &at);

    if (error == MET_OK && at > *horizon_ns) {
        *horizon_ns = at;
    }
    /* Before 1970: nothing is late yet. */
    return error == MET_E_NO_MEMORY || error == MET_E_BUG ? error : MET_OK;
}

/* --- Settings ------------------------------------------------------------- */
static met_error check_bound(met__fields *fields, const char *name,
                             const met__duration *bound, int days)
{
    int64_t at = 0;

    if (fields->error == MET_OK
        && (met__duration_add(0, bound, 1, &at) != MET_OK
            || at > days * MET__DAY_NS)) {
        return met__fields_fail(fields, name, "must be at most P%dD", days);
    }
    return fields->error;
}

static met_error read_settings(const met__node *node, const met__path *path,
                               void *settings_out, met_error_info *info)
{
    met__fields fields;
    met__ingest_settings read = {.late = {.days = 32}, .future = {.days = 1}};

    if (met__fields_begin(&fields, node, path, info) != MET_OK) {
        return fields.error;
    }
    (void)met__fields_duration(&fields, "late_after", MET__OPTIONAL,
                               &read.late);
    (void)check_bound(&fields, "late_after", &read.late, BOUND_MAX_DAYS);
    (void)met__fields_duration(&fields, "future_after", MET__OPTIONAL,
                               &read.future);
    (void)check_bound(&fields, "future_after", &read.future, BOUND_MAX_DAYS);
    (void)met__fields_duration(&fields, "retain", MET__OPTIONAL,
                               &read.retain);
    (void)check_bound(&fields, "retain", &read.retain, RETAIN_MAX_DAYS);
    met_error error = met__fields_end(&fields);
    if (error == MET_OK) {
        *(met__ingest_settings *)settings_out = read;
    }
    return error;
}

static void build_settings(met__builder *builder, const void *of)
{
    const met__ingest_settings *settings = of;

    met__build_duration(builder, "late_after", &settings->late);
    met__build_duration(builder, "future_after", &settings->future);
    if (!met__duration_is_zero(&settings->retain)) {
        met__build_duration(builder, "retain", &settings->retain);
    }
}

static const met__settings_kind kind = {"ingest_settings", read_settings,
                                        build_settings};

met_error met__ingest_settings_get(met__txn *txn,
                                   met__ingest_settings *settings_out)
{
    return met__settings_get(txn, &kind, settings_out);
}

met_error met__ingest_settings_put(met__txn *txn, const met__node *node,
                                   const met__path *path, met_error_info *info)
{
    met__ingest_settings settings;

    return met__settings_put(txn, &kind, node, path, &settings, info);
}

met_error met__ingest_describe(met__txn *txn, met__arena *arena,
                               met__node **node_out)
{
    met__ingest_settings settings;
    met__ingest_state state;
    met__builder builder;
    met__builder counters;
    met_error error = met__ingest_settings_get(txn, &settings);

    if (error == MET_OK) {
        error = met__ingest_state_get(txn, &state);
    }
    if (error != MET_OK) {
        return error;
    }
    met__builder_begin(&builder, arena);
    build_settings(&builder, &settings);
    met__build_time(&builder, "refused_before", state.horizon_ns);
    met__builder_begin(&counters, arena);
    for (size_t i = 1; i < MET__VERDICTS; i++) {
        met__build_integer(&counters, met__verdict_names[i],
                           (int64_t)state.counters[i]);
    }
    met__build_object(&builder, "events", &counters);
    return met__builder_end(&builder, node_out);
}

/* --- Cursors -------------------------------------------------------------- */
met_error met__event_cursor_read(met__txn *txn, met__text name,
                                 uint64_t *generation_out,
                                 uint64_t *offset_out)
{
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_CURSOR, name.data,
                                   name.size, &value);

    if (error == MET_OK && value.size != 16) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        *generation_out = met__get_u64((const unsigned char *)value.data);
        *offset_out = met__get_u64((const unsigned char *)value.data + 8);
    }
    return error;
}

met_error met__event_cursor_move(met__txn *txn, const met_event_cursor *cursor,
                                 met_error_info *info)
{
    unsigned char value[16];
    uint64_t generation = 0;
    uint64_t offset = 0;
    met_error error = met__event_cursor_read(
        txn, met__text_of(cursor->name, cursor->name_size), &generation,
        &offset);

    if (error != MET_OK && error != MET_E_NOT_FOUND) {
        return error;
    }
    if (cursor->generation < generation
        || (cursor->generation == generation && cursor->offset < offset)) {
        return met__fail(info, MET_E_CONFLICT, "cursor",
                         "the source was read to generation %llu, offset %llu",
                         (unsigned long long)generation,
                         (unsigned long long)offset);
    }
    met__put_u64(value, cursor->generation);
    met__put_u64(value + 8, cursor->offset);
    return met__txn_put(txn, MET__TABLE_CURSOR, cursor->name,
                        cursor->name_size, value, sizeof value);
}

/* --- Batches -------------------------------------------------------------- */
met_error met__event_batch_read(met__text value, met__event_batch *batch_out)
{
    const unsigned char *at = (const unsigned char *)value.data;

    if (value.size < MET__BATCH_HEAD) {
        return MET_E_CORRUPT;
    }
    uint32_t count = met__get_u32(at + 4);
    uint32_t times = met__get_u32(at + 8);
    if ((times != 0 && times != count)
        || value.size != MET__BATCH_HEAD + (size_t)count * MET__BATCH_HASH
                             + (size_t)times * 8) {
        return MET_E_CORRUPT;
    }
    *batch_out = (met__event_batch){
        .day = met__get_u32(at),
        .count = count,
        .chain = met__get_u64(at + 16),
        .hashes = at + MET__BATCH_HEAD,
        .times = times == 0 ? NULL
                            : at + MET__BATCH_HEAD
                                  + (size_t)count * MET__BATCH_HASH,
    };
    return MET_OK;
}

met_error met__event_batch_get(met__txn *txn, uint64_t number,
                               met__event_batch *batch_out)
{
    unsigned char key[8];
    met__text value;

    met__put_u64(key, number);
    met_error error = met__txn_get(txn, MET__TABLE_EVENT_BATCH, key,
                                   sizeof key, &value);
    return error == MET_OK ? met__event_batch_read(value, batch_out) : error;
}

met_error met__event_batch_put(met__txn *txn, uint64_t number, uint32_t day,
                               const met__hash128 *hashes,
                               const int64_t *times, uint32_t count,
                               uint64_t *chain, met__arena *arena)
{
    unsigned char key[8];
    size_t hashes_size = (size_t)count * MET__BATCH_HASH;
    size_t size = MET__BATCH_HEAD + hashes_size
                  + (times != NULL ? (size_t)count * 8 : 0);
    unsigned char *value = met__arena_allocate(arena, size);

    if (value == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__put_u64(key, number);
    met__put_u32(value, day);
    met__put_u32(value + 4, count);
    met__put_u32(value + 8, times != NULL ? count : 0);
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *at = value + MET__BATCH_HEAD
                            + (size_t)i * MET__BATCH_HASH;
        memcpy(at, &hashes[i].low, 8);
        memcpy(at + 8, &hashes[i].high, 8);
        if (times != NULL) {
            met__put_u64(value + MET__BATCH_HEAD + hashes_size + (size_t)i * 8,
                         (uint64_t)times[i]);
        }
    }
    *chain = met__checksum_pair(chain, sizeof *chain, value + MET__BATCH_HEAD,
                                hashes_size);
    met__put_u64(value + 16, *chain);
    return met__txn_put(txn, MET__TABLE_EVENT_BATCH, key, sizeof key, value,
                        size);
}

met_error met__event_batch_expire(met__txn *txn, uint32_t horizon_day,
                                  uint32_t most)
{
    met__scan scan;
    met__text key;
    met__text value;
    met__event_batch batch;
    met_error error = met__scan_begin(txn, MET__TABLE_EVENT_BATCH, NULL, 0,
                                      &scan);

    while (error == MET_OK && most-- > 0) {
        error = met__scan_next(&scan, &key, &value);
        if (error == MET_OK) {
            error = met__event_batch_read(value, &batch);
        }
        if (error == MET_OK && batch.day >= horizon_day) {
            error = MET_E_NOT_FOUND;
        }
        if (error == MET_OK) {
            unsigned char copy[8];
            if (key.size != sizeof copy) {
                error = MET_E_CORRUPT;
                break;
            }
            memcpy(copy, key.data, sizeof copy);
            error = met__txn_remove(txn, MET__TABLE_EVENT_BATCH, copy,
                                    sizeof copy);
        }
    }
    met__scan_end(&scan);
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}
