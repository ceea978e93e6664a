/* Many requests of one policy in one call. In: keys in one buffer. Out: what
 * single calls in the same order would say.
 *
 * A decision waits for memory twice: for the control word of its key, and for
 * the record. Requests go through in groups: all keys are hashed and their
 * control words asked for; then all records are found by them and asked for;
 * then all are decided, by which time both have arrived. */
#include "limit/limiter_quick.h"

#define GROUP 16

typedef struct batch_run {
    met_limiter *limiter;
    const met_limiter_batch *batch;
    const met_limiter_verdicts *verdicts;
    met_limiter_request request; /* of the item at hand */
    met_limiter_result result;
} batch_run;

static void ask_for(batch_run *run, size_t item)
{
    const met_limiter_batch *batch = run->batch;
    uint32_t begin = batch->key_offsets[item];

    run->request.key = batch->keys + begin;
    run->request.key_size = batch->key_offsets[item + 1] - begin;
    run->request.cost = batch->costs != NULL ? batch->costs[item] : 0;
}

static void write_verdict(const batch_run *run, size_t item)
{
    const met_limiter_verdicts *out = run->verdicts;
    const met_limiter_result *result = &run->result;
    const met_limiter_window_result *window =
        &result->windows[result->reported];

    out->is_allowed[item] = result->is_allowed;
    if (out->reason != NULL) {
        out->reason[item] = result->reason;
    }
    if (out->refused != NULL) {
        out->refused[item] = result->refused;
    }
    if (out->remaining != NULL) {
        out->remaining[item] = window->remaining;
    }
    if (out->reset_ns != NULL) {
        out->reset_ns[item] = window->reset_ns;
    }
    if (out->wait_ns != NULL) {
        out->wait_ns[item] = result->wait_ns;
    }
    if (out->tickets != NULL) {
        out->tickets[item] = result->ticket;
    }
}

/* Hashes the keys, then finds the windows; asks for the memory of both. */
static void find_group(batch_run *run, size_t begin, size_t count,
                       met__quick *group, int *is_quick)
{
    const met__limit_table *table = &run->limiter->table;

    for (size_t i = 0; i < count; i++) {
        ask_for(run, begin + i);
        met__quick_start(&group[i], run->limiter, &run->request);
        met__quick_fetch(table, &group[i].key);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t version;
        is_quick[i] = met__quick_find(&group[i], &version);
        if (is_quick[i]) {
            met__quick_fetch_records(&group[i]);
        }
    }
}

met_error met__limiter_check_batch(met_limiter *limiter,
                                   const met_limiter_batch *batch,
                                   const met_limiter_verdicts *verdicts)
{
    met__quick group[GROUP];
    int is_quick[GROUP];
    met_error error = MET_OK;
    uint64_t made = 0;
    uint64_t refused = 0;
    batch_run run = {
        .limiter = limiter,
        .batch = batch,
        .verdicts = verdicts,
        .request = {.struct_size = sizeof run.request,
                    .policy = batch->policy,
                    .kind = batch->kind,
                    .monotonic_ns = batch->monotonic_ns,
                    .utc_ns = batch->utc_ns,
                    .flags = verdicts->reset_ns == NULL
                                     && verdicts->wait_ns == NULL
                                 ? MET_LIMITER_BRIEF
                                 : 0},
        .result = {.struct_size = sizeof run.result}};

    if (run.request.monotonic_ns == 0) {
        run.request.monotonic_ns = met__now_monotonic_ns(&limiter->platform);
    }
    for (size_t begin = 0; begin < batch->count; begin += GROUP) {
        size_t count = batch->count - begin;
        count = count < GROUP ? count : GROUP;
        find_group(&run, begin, count, group, is_quick);
        for (size_t i = 0; i < count; i++) {
            if (is_quick[i] && met__quick_look(&group[i], 1)
                && met__quick_decide(&group[i], &run.result)) {
                made++;
                refused += !run.result.is_allowed;
            } else {
                ask_for(&run, begin + i);
                met_error failed = met__limiter_check(limiter, &run.request,
                                                      &run.result);
                if (failed != MET_OK) {
                    error = failed;
                    run.result = (met_limiter_result){
                        .struct_size = sizeof run.result};
                }
            }
            write_verdict(&run, begin + i);
        }
    }
    if (met__limit_table_is_lost(&limiter->table) && batch->count > 0) {
        memset(verdicts->is_allowed, 0,
               batch->count * sizeof *verdicts->is_allowed);
        return MET_E_CORRUPT;
    }
    met__plan_decided(limiter, group, made, refused);
    return error;
}

met_error met__limiter_knows(met_limiter *limiter, uint32_t policy)
{
    met__policy_view view;
    met_error error = met__policy_read(&limiter->table, policy, &view);

    return error == MET_E_NOT_FOUND
               ? met__limit_table_answer(&limiter->table, error)
               : MET_OK;
}
