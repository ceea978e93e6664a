/* limiter.h: the table of windows; arguments are checked here. */
#include "metering/limiter.h"

#include <stdio.h>
#include <string.h>

#include "base/caller_struct.h"
#include "base/check.h"
#include "base/error.h"
#include "limit/limiter.h"

#define PATH_SIZE_MAX 3900
#define POLICY_FLAGS (MET_LIMITER_COUNT_DENIED | MET_LIMITER_WARN_ONLY)
#define RESULT_SIZE_MIN offsetof(met_limiter_result, windows)

met_error met_limiter_open(const met_limiter_config *config,
                           met_limiter **limiter_out, met_error_info *info)
{
    met_limiter_config known;
    met__platform platform;

    if (limiter_out == NULL) {
        return met__fail(info, MET_E_INVALID, "limiter_out", "is NULL");
    }
    met_error error = met__struct_read(&known, sizeof known,
                                       sizeof known.struct_size, config,
                                       "config", info);
    if (error == MET_OK) {
        error = met__platform_init(&platform, known.platform, info);
    }
    if (error != MET_OK) {
        return error;
    }
    if (known.path != NULL
        && (known.path[0] == '\0'
            || strnlen(known.path, PATH_SIZE_MAX + 1) > PATH_SIZE_MAX)) {
        return met__fail(info, MET_E_INVALID, "config.path",
                         "must have 1 to %d bytes", PATH_SIZE_MAX);
    }
    if (known.memory == NULL && known.memory_size != 0) {
        return met__fail(info, MET_E_INVALID, "config.memory", "is NULL");
    }
    if (known.full_policy == 0) {
        known.full_policy = MET_LIMITER_FULL_OPEN;
    }
    if (known.full_policy > MET_LIMITER_FULL_CLOSED) {
        return met__fail(info, MET_E_UNSUPPORTED, "config.full_policy",
                         "is not known");
    }
    if (known.clock > MET_LIMITER_CLOCK_CHEAP) {
        return met__fail(info, MET_E_UNSUPPORTED, "config.clock",
                         "is not known");
    }
    return met__limiter_open(&platform, &known, limiter_out, info);
}

void met_limiter_close(met_limiter *limiter)
{
    met__limiter_close(limiter);
}

static met_error check_window(const met_limiter_policy *policy, size_t index,
                              met_error_info *info)
{
    const met_limiter_window *window = &policy->windows[index];
    char field[64];

    if (window->limit == 0 || window->limit > MET_LIMITER_LIMIT_MAX) {
        snprintf(field, sizeof field, "policy.windows[%zu].limit", index);
        return met__fail(info, MET_E_INVALID, field, "must be 1 to %d",
                         MET_LIMITER_LIMIT_MAX);
    }
    if (window->window_ns < MET_LIMITER_WINDOW_NS_MIN
        || window->window_ns > MET_LIMITER_WINDOW_NS_MAX) {
        snprintf(field, sizeof field, "policy.windows[%zu].window_ns", index);
        return met__fail(info, MET_E_INVALID, field,
                         "must be 1 ms to 366 days");
    }
    if (window->reserved != 0 || window->reserved_more[0] != 0
        || window->reserved_more[1] != 0) {
        snprintf(field, sizeof field, "policy.windows[%zu].reserved", index);
        return met__fail(info, MET_E_UNSUPPORTED, field, "must be 0");
    }
    for (size_t i = 0; i < index; i++) {
        const met_limiter_window *other = &policy->windows[i];
        uint32_t mine = window->algorithm ? window->algorithm
                                          : MET_LIMITER_SLIDING;
        uint32_t theirs = other->algorithm ? other->algorithm
                                           : MET_LIMITER_SLIDING;
        if (other->window_ns == window->window_ns && mine == theirs) {
            snprintf(field, sizeof field, "policy.windows[%zu]", index);
            return met__fail(info, MET_E_INVALID, field,
                             "has the length and algorithm of windows[%zu]",
                             i);
        }
    }
    return MET_OK;
}

static met_error check_policy(const met_limiter_policy *policy,
                              met_error_info *info)
{
    if (policy->name == NULL || policy->name_size == 0
        || policy->name_size > MET_LIMITER_POLICY_NAME_SIZE_MAX) {
        return met__fail(info, MET_E_INVALID, "policy.name",
                         "must have 1 to %d bytes",
                         MET_LIMITER_POLICY_NAME_SIZE_MAX);
    }
    if (policy->windows == NULL || policy->window_count == 0
        || policy->window_count > MET_LIMITER_WINDOWS_MAX) {
        return met__fail(info, MET_E_INVALID, "policy.windows",
                         "must be 1 to %d", MET_LIMITER_WINDOWS_MAX);
    }
    if ((policy->flags & ~(uint32_t)POLICY_FLAGS) != 0) {
        return met__fail(info, MET_E_UNSUPPORTED, "policy.flags",
                         "has an unknown bit");
    }
    if (policy->reserved != 0) {
        return met__fail(info, MET_E_UNSUPPORTED, "policy.reserved",
                         "must be 0");
    }
    for (size_t i = 0; i < policy->window_count; i++) {
        met_error error = check_window(policy, i, info);
        if (error != MET_OK) {
            return error;
        }
    }
    return MET_OK;
}

met_error met_limiter_policy_set(met_limiter *limiter,
                                 const met_limiter_policy *policy,
                                 uint32_t *number_out, met_error_info *info)
{
    met_limiter_policy known;

    if (limiter == NULL || number_out == NULL) {
        return met__fail(info, MET_E_INVALID,
                         limiter == NULL ? "limiter" : "number_out",
                         "is NULL");
    }
    met_error error = met__struct_read(&known, sizeof known,
                                       sizeof known.struct_size, policy,
                                       "policy", info);
    if (error == MET_OK) {
        error = check_policy(&known, info);
    }
    return error != MET_OK ? error
                           : met__limiter_policy_set(limiter, &known,
                                                     number_out, info);
}

static met_error check_own_windows(const met_limiter_request *request)
{
    if (request->own_window_count > MET_LIMITER_WINDOWS_MAX
        || request->own_windows == NULL) {
        return MET_E_INVALID;
    }
    for (size_t i = 0; i < request->own_window_count; i++) {
        const met_limiter_window *own = &request->own_windows[i];
        if (own->limit == 0 || own->limit > MET_LIMITER_LIMIT_MAX) {
            return MET_E_INVALID;
        }
        if (own->reserved != 0 || own->reserved_more[0] != 0
            || own->reserved_more[1] != 0) {
            return MET_E_UNSUPPORTED;
        }
    }
    return MET_OK;
}

static inline met_error check_request(const met_limiter_request *request)
{
    if ((request->key == NULL && request->key_size != 0)
        || request->cost > MET_LIMITER_LIMIT_MAX
        || (request->monotonic_ns | request->utc_ns) < 0) {
        return MET_E_INVALID;
    }
    if (request->own_window_count != 0) {
        met_error error = check_own_windows(request);
        if (error != MET_OK) {
            return error;
        }
    }
    return (request->flags & ~(uint32_t)MET_LIMITER_BRIEF) != 0
                   || request->reserved != 0
               ? MET_E_UNSUPPORTED
               : MET_OK;
}

met_error met_limiter_policy_remove(met_limiter *limiter, uint32_t number,
                                    met_error_info *info)
{
    return limiter == NULL
               ? met__fail(info, MET_E_INVALID, "limiter", "is NULL")
               : met__limiter_policy_remove(limiter, number, info);
}

/* The request as this version knows it: where it lies, or a copy in *known. */
static met_error read_request(const met_limiter_request **request,
                              met_limiter_request *known)
{
    if ((*request)->struct_size != sizeof **request) {
        met_error error = met__struct_read(known, sizeof *known,
                                           offsetof(met_limiter_request, cost),
                                           *request, "request", NULL);
        if (error != MET_OK) {
            return error;
        }
        *request = known;
    }
    return check_request(*request);
}

typedef met_error decider(met_limiter *limiter,
                          const met_limiter_request *request,
                          met_limiter_result *result_out);

/* With structs of another version's size. */
static met_error decide_converted(decider *function, met_limiter *limiter,
                                  const met_limiter_request *request,
                                  met_limiter_result *result_out)
{
    met_limiter_request known;
    met_limiter_result result;
    met_error error = read_request(&request, &known);

    if (error != MET_OK) {
        return error;
    }
    memset(&result, 0, sizeof result);
    result.struct_size = sizeof result;
    error = function(limiter, request, &result);
    return error != MET_OK ? error
                           : met__struct_write(result_out, RESULT_SIZE_MIN,
                                               &result, sizeof result);
}

/* Structs of this version's size are used where they lie. */
static inline met_error decide(decider *function, met_limiter *limiter,
                               const met_limiter_request *request,
                               met_limiter_result *result_out)
{
    if (limiter == NULL || request == NULL || result_out == NULL
        || result_out->struct_size < RESULT_SIZE_MIN
        || result_out->struct_size > MET__STRUCT_SIZE_MAX) {
        return MET_E_INVALID;
    }
    if (request->struct_size != sizeof *request
        || result_out->struct_size != sizeof *result_out) {
        return decide_converted(function, limiter, request, result_out);
    }
    met_error error = check_request(request);
    return error != MET_OK ? error : function(limiter, request, result_out);
}

met_error met_limiter_check(met_limiter *limiter,
                            const met_limiter_request *request,
                            met_limiter_result *result_out)
{
    return decide(met__limiter_check, limiter, request, result_out);
}

static met_error check_batch(met_limiter *limiter,
                             const met_limiter_batch *batch,
                             met_error_info *info)
{
    if (batch->flags != 0 || batch->reserved != 0) {
        return met__fail(info, MET_E_UNSUPPORTED,
                         batch->flags != 0 ? "batch.flags" : "batch.reserved",
                         "must be 0");
    }
    if (batch->monotonic_ns < 0 || batch->utc_ns < 0) {
        return met__fail(info, MET_E_INVALID,
                         batch->utc_ns < 0 ? "batch.utc_ns"
                                           : "batch.monotonic_ns",
                         "must not be negative");
    }
    if (batch->count > UINT32_MAX
        || (batch->count > 0 && batch->key_offsets == NULL)) {
        return met__fail(info, MET_E_INVALID,
                         batch->key_offsets == NULL ? "batch.key_offsets"
                                                    : "batch.count",
                         batch->key_offsets == NULL ? "is NULL"
                                                    : "is above 2^32 - 1");
    }
    for (size_t i = 0; i < batch->count; i++) {
        char field[64];
        if (batch->key_offsets[i] > batch->key_offsets[i + 1]) {
            snprintf(field, sizeof field, "batch.key_offsets[%zu]", i + 1);
            return met__fail(info, MET_E_INVALID, field,
                             "is smaller than the one before");
        }
        if (batch->costs != NULL
            && batch->costs[i] > MET_LIMITER_LIMIT_MAX) {
            snprintf(field, sizeof field, "batch.costs[%zu]", i);
            return met__fail(info, MET_E_INVALID, field,
                             "must be at most %d", MET_LIMITER_LIMIT_MAX);
        }
    }
    if (batch->keys == NULL && batch->count > 0
        && batch->key_offsets[batch->count] != 0) {
        return met__fail(info, MET_E_INVALID, "batch.keys", "is NULL");
    }
    met_error error = met__limiter_knows(limiter, batch->policy);
    return error == MET_OK
               ? MET_OK
               : met__fail(info, error, "batch.policy",
                           error == MET_E_CORRUPT
                               ? "the table's file was cut short"
                               : "there is no policy with this number");
}

met_error met_limiter_check_batch(met_limiter *limiter,
                                  const met_limiter_batch *batch,
                                  const met_limiter_verdicts *verdicts,
                                  met_error_info *info)
{
    met_limiter_batch known;
    met_limiter_verdicts out;

    if (limiter == NULL) {
        return met__fail(info, MET_E_INVALID, "limiter", "is NULL");
    }
    met_error error = met__struct_read(
        &known, sizeof known, sizeof known.struct_size, batch, "batch", info);
    if (error == MET_OK) {
        error = met__struct_read(&out, sizeof out, sizeof out.struct_size,
                                 verdicts, "verdicts", info);
    }
    if (error == MET_OK) {
        error = check_batch(limiter, &known, info);
    }
    if (error == MET_OK && out.is_allowed == NULL && known.count > 0) {
        error = met__fail(info, MET_E_INVALID, "verdicts.is_allowed",
                          "is NULL");
    }
    return error != MET_OK ? error
                           : met__limiter_check_batch(limiter, &known, &out);
}

met_error met_limiter_peek(met_limiter *limiter,
                           const met_limiter_request *request,
                           met_limiter_result *result_out)
{
    return decide(met__limiter_peek, limiter, request, result_out);
}

met_error met_limiter_charge(met_limiter *limiter,
                             const met_limiter_request *request,
                             met_limiter_result *result_out)
{
    return decide(met__limiter_charge, limiter, request, result_out);
}

met_error met_limiter_refund(met_limiter *limiter, met_limiter_ticket *ticket,
                             uint64_t cost, uint32_t *withheld_out)
{
    if (limiter == NULL || ticket == NULL || withheld_out == NULL) {
        return MET_E_INVALID;
    }
    return met__limiter_refund(limiter, ticket, cost, withheld_out);
}

met_error met_limiter_release(met_limiter *limiter,
                              met_limiter_ticket *ticket,
                              uint32_t *withheld_out)
{
    if (limiter == NULL || ticket == NULL || withheld_out == NULL) {
        return MET_E_INVALID;
    }
    return met__limiter_release(limiter, ticket, withheld_out);
}

met_error met_limiter_reset(met_limiter *limiter,
                            const met_limiter_request *request)
{
    met_limiter_request known;

    if (limiter == NULL || request == NULL) {
        return MET_E_INVALID;
    }
    met_error error = read_request(&request, &known);
    return error != MET_OK ? error : met__limiter_reset(limiter, request);
}

met_error met_limiter_stats_get(met_limiter *limiter,
                                met_limiter_stats *stats_out)
{
    met_limiter_stats stats;

    if (limiter == NULL || stats_out == NULL) {
        return MET_E_INVALID;
    }
    met_error error = met__limiter_stats(limiter, &stats);
    return error != MET_OK
               ? error
               : met__struct_write(stats_out,
                                   offsetof(met_limiter_stats, records_used),
                                   &stats, sizeof stats);
}
