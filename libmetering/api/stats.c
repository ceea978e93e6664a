/* stats.h: metrics; arguments checked here. */
#include "metering/stats.h"

#include "base/caller_struct.h"
#include "base/fork_guard.h"
#include "gateway/gateway_handle.h"
#include "gateway/metrics.h"

static met_error write_all(const met_stats_sources *sources,
                           met__arena *arena, met__buffer *out)
{
    met__metrics metrics = {out, arena, sources->flags};
    met_error error = MET_OK;

    if (sources->store != NULL) {
        error = met__metrics_store(&metrics, sources->store,
                                   sources->limiter == NULL);
    }
    if (error == MET_OK && sources->gateway != NULL) {
        error = sources->gateway->fork_generation == met__fork_generation()
                    ? met__metrics_gateway(&metrics, sources->gateway)
                    : MET_E_FORKED;
    }
    if (error == MET_OK && sources->limiter != NULL) {
        error = met__metrics_limiter(&metrics, sources->limiter);
    }
    met__metrics_end(&metrics);
    return error;
}

static met_error check_sources(const met_stats_sources *sources,
                               met_error_info *info)
{
    if ((sources->flags & ~(uint64_t)MET_STATS_PROMETHEUS) != 0) {
        return met__fail(info, MET_E_UNSUPPORTED, "sources.flags",
                         "has an unknown bit");
    }
    return sources->store == NULL && sources->gateway == NULL
                   && sources->limiter == NULL
               ? met__fail(info, MET_E_INVALID, "sources", "names none")
               : MET_OK;
}

met_error met_stats_write(const met_stats_sources *sources,
                          met_buffer *text_out, met_error_info *info)
{
    met_stats_sources known = {.struct_size = sizeof known};
    met__platform own;
    met__arena arena;
    met__buffer buffer;

    if (sources == NULL || text_out == NULL) {
        return met__fail(info, MET_E_INVALID,
                         sources == NULL ? "sources" : "text_out", "is NULL");
    }
    met_error error = met__struct_read(&known, sizeof known,
                                       sizeof known.struct_size, sources,
                                       "sources", info);
    if (error != MET_OK) {
        return error;
    }
    error = check_sources(&known, info);
    if (error == MET_OK) {
        error = met__platform_init(&own, NULL, info);
    }
    if (error != MET_OK) {
        return error;
    }
    const met__platform *platform =
        known.store != NULL     ? met__store_platform(known.store)
        : known.gateway != NULL ? known.gateway->platform
                                : &own;
    met__arena_init(&arena, platform);
    met__buffer_init(&buffer, platform);
    error = write_all(&known, &arena, &buffer);
    if (error == MET_OK) {
        error = met__buffer_give(&buffer, text_out);
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return error == MET_OK ? MET_OK : met__fail_code(info, error);
}
