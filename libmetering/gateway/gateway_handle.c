/* Opening and keeping a gateway handle: files, tables, the snapshot in force,
 * counters. In: a store. Out: a handle that admit and complete can use without
 * asking the store. */
#include "gateway/gateway_handle.h"

#include "base/check.h"
#include "base/fork_guard.h"
#include "store/object.h"
#include "store/store_open.h"

#define COMPILE_EVERY_NS MET__SECOND_NS
/* For whoever compiles right now: 4 s in all. */
#define COMPILE_TRIES 400
#define COMPILE_PAUSE_NS 10000000
/* Lines that are added to a consumer's own; a list of groups grows by a space
 * for each comma. */
#define UPSTREAM_EXTRA (512 + 2 * MET_GATEWAY_GROUPS_BYTES)
#define QUERY_ROOM 8000

/* --- The snapshot in force ------------------------------------------------ */
/* The policy of one limit. */
static met_error set_policy(met_gateway *gateway,
                            const met__snapshot *snapshot,
                            const met__snapshot_limit *limit,
                            uint32_t *number_out)
{
    met_limiter_window windows[MET__WINDOWS_MAX] = {{0}};
    met__text id = met__snapshot_text(snapshot, limit->id);
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = id.data,
                                 .name_size = id.size,
                                 .windows = windows,
                                 .window_count = limit->window_count};

    if (limit->window_count == 0 || limit->window_count > MET__WINDOWS_MAX
        || id.size == 0 || id.size > MET_LIMITER_POLICY_NAME_SIZE_MAX) {
        return MET_E_CORRUPT;
    }
    for (uint32_t i = 0; i < limit->window_count; i++) {
        windows[i].limit = limit->windows[i].limit;
        windows[i].window_ns = limit->windows[i].window_ns;
        windows[i].algorithm = limit->algorithm;
        if (windows[i].limit == 0 || windows[i].limit > MET_LIMITER_LIMIT_MAX
            || windows[i].window_ns < MET_LIMITER_WINDOW_NS_MIN
            || windows[i].window_ns > MET_LIMITER_WINDOW_NS_MAX) {
            return MET_E_INVALID;
        }
    }
    return met__limiter_policy_set(gateway->limiter, &policy, number_out,
                                   NULL);
}

static met_error set_policies(met_gateway *gateway,
                              const met__snapshot *snapshot,
                              uint32_t **policies_out)
{
    uint32_t count = snapshot->count[MET__SECTION_LIMIT];
    uint32_t *policies = met__allocate(gateway->platform,
                                       ((size_t)count + 1) * sizeof *policies);

    if (policies == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const met__snapshot_limit *limit =
            met__snapshot_limit_at(snapshot, i);
        if (set_policy(gateway, snapshot, limit, &policies[i]) != MET_OK) {
            policies[i] = MET__NONE;
        }
    }
    *policies_out = policies;
    return MET_OK;
}

/* Room for the longest lines of any consumer. */
static met_error make_room(met_gateway *gateway,
                           const met__snapshot *snapshot)
{
    size_t room = UPSTREAM_EXTRA;

    for (uint32_t i = 0; i < snapshot->count[MET__SECTION_CONSUMER]; i++) {
        const met__snapshot_consumer *consumer =
            met__snapshot_consumer_at(snapshot, i);
        size_t wanted = (size_t)consumer->headers.size
                        + consumer->groups_header.size + UPSTREAM_EXTRA;
        room = wanted > room ? wanted : room;
    }
    if (room > gateway->upstream_room) {
        char *upstream = met__allocate(gateway->platform, room);
        if (upstream == NULL) {
            return MET_E_NO_MEMORY;
        }
        met__release(gateway->platform, gateway->upstream,
                     gateway->upstream_room);
        gateway->upstream = upstream;
        gateway->upstream_room = room;
    }
    return MET_OK;
}

uint32_t met__gateway_policy_again(met_gateway *gateway, uint32_t index)
{
    const met__snapshot *snapshot = &gateway->snapshot;
    uint32_t number = MET__NONE;

    /* A newer catalog has no such limit, or will bring its own. */
    if (snapshot->number == met__snapshot_files_current(&gateway->files)
        && set_policy(gateway, snapshot, met__snapshot_limit_at(snapshot,
                                                                index),
                      &number) == MET_OK) {
        gateway->policies[index] = number;
    }
    return number;
}

static void count_policies(met_gateway *gateway)
{
    gateway->without_policy = 0;
    for (uint32_t i = 0; i < gateway->policy_count; i++) {
        gateway->without_policy += gateway->policies[i] == MET__NONE;
    }
}

void met__gateway_policies_again(met_gateway *gateway)
{
    const met__snapshot *snapshot = &gateway->snapshot;

    for (uint32_t i = 0; i < gateway->policy_count; i++) {
        if (set_policy(gateway, snapshot, met__snapshot_limit_at(snapshot, i),
                       &gateway->policies[i]) != MET_OK) {
            gateway->policies[i] = MET__NONE;
        }
    }
    count_policies(gateway);
}

/* Policies of limits that the catalog no longer has make room for others. */
static void remove_policies(met_gateway *gateway, const uint32_t *old,
                            uint32_t old_count)
{
    for (uint32_t i = 0; i < old_count; i++) {
        int is_kept = old[i] == MET__NONE;
        for (uint32_t j = 0; j < gateway->policy_count && !is_kept; j++) {
            is_kept = gateway->policies[j] == old[i];
        }
        if (!is_kept) {
            /* Somebody else may have been faster. */
            (void)!met__limiter_policy_remove(gateway->limiter, old[i], NULL);
        }
    }
}

static void release_policies(const met_gateway *gateway, uint32_t *policies,
                             uint32_t count)
{
    if (policies != NULL) {
        met__release(gateway->platform, policies,
                     ((size_t)count + 1) * sizeof *policies);
    }
}

static void let_go(met_gateway *gateway)
{
    if (gateway->has_snapshot) {
        met__snapshot_close(gateway->platform, &gateway->snapshot);
        gateway->has_snapshot = 0;
    }
    release_policies(gateway, gateway->policies, gateway->policy_count);
    gateway->policies = NULL;
}

met_error met__gateway_follow(met_gateway *gateway)
{
    met__snapshot snapshot;
    uint32_t *policies = NULL;
    uint64_t current = met__snapshot_files_current(&gateway->files);

    if (gateway->has_snapshot && gateway->snapshot.number == current) {
        return MET_OK;
    }
    if (current == gateway->refused_number) {
        return MET_E_CORRUPT; /* tried before */
    }
    met_error error = met__snapshot_files_map(&gateway->files, &snapshot,
                                              NULL);
    if (error == MET_OK) {
        error = set_policies(gateway, &snapshot, &policies);
        if (error == MET_OK) {
            error = make_room(gateway, &snapshot);
        }
        if (error != MET_OK) {
            release_policies(gateway, policies,
                             snapshot.count[MET__SECTION_LIMIT]);
            met__snapshot_close(gateway->platform, &snapshot);
        }
    }
    if (error != MET_OK) {
        gateway->refused_number = current;
        gateway->is_damaged = error != MET_E_NO_MEMORY;
        gateway->counters.unmapped++;
        return error;
    }
    uint32_t *old = gateway->policies;
    uint32_t old_count = gateway->policy_count;
    gateway->policies = NULL;
    let_go(gateway);
    gateway->snapshot = snapshot;
    gateway->has_snapshot = 1;
    gateway->policies = policies;
    gateway->policy_count = snapshot.count[MET__SECTION_LIMIT];
    count_policies(gateway);
    if (old != NULL) {
        remove_policies(gateway, old, old_count);
        release_policies(gateway, old, old_count);
    }
    gateway->generation++;
    gateway->counters.mapped++;
    return MET_OK;
}

/* Compiles when the catalog has changed, and maps what is in force. */
static met_error keep_up(met_gateway *gateway, met_error_info *info)
{
    uint64_t number;
    uint64_t current = met__snapshot_files_current(&gateway->files);
    int is_damaged = current != 0 && current == gateway->refused_number
                     && gateway->is_damaged;
    met_error error = met__snapshot_files_compile(&gateway->files, is_damaged,
                                                  &number, info);

    if (error == MET_OK) {
        gateway->refused_number = 0;
    }
    gateway->compiled_ns = met__now_monotonic_ns(gateway->platform);
    met_error mapped = met__gateway_follow(gateway);
    return error != MET_OK ? error : mapped;
}

/* --- Opening -------------------------------------------------------------- */
/* Somebody else may be compiling the first one. */
static met_error first_snapshot(met_gateway *gateway, met_error_info *info)
{
    met_error error = met__snapshot_files_open(gateway->store, 1,
                                               &gateway->files, info);

    if (error != MET_OK) {
        return error;
    }
    for (int i = 0; i < COMPILE_TRIES; i++) {
        error = keep_up(gateway, info);
        if (error != MET_OK && error != MET_E_BUSY
            && gateway->refused_number != 0) {
            error = keep_up(gateway, info); /* what was there is damaged */
        }
        if (error != MET_E_BUSY || gateway->has_snapshot) {
            break;
        }
        gateway->platform->os->pause(gateway->platform->os->context,
                                     COMPILE_PAUSE_NS);
    }
    return gateway->has_snapshot ? MET_OK : error;
}

/* Builds with other layouts, which may serve at the same time while one takes
 * the other's place, have tables of their own. */
char *met__gateway_limits_path(const met_store *store, met__arena *arena)
{
    return met__arena_print(arena, "%s/limits-%d.map", met__store_path(store),
                            MET__LIMIT_LAYOUT);
}

met_error met__gateway_open_limiter(const met_gateway *gateway,
                                    met_limiter **limiter_out,
                                    met_error_info *info)
{
    met_limiter_config config = {.struct_size = sizeof config,
                                 .capacity = gateway->limiter_capacity};
    met__arena arena;

    met__arena_init(&arena, gateway->platform);
    config.path = met__gateway_limits_path(gateway->store, &arena);
    met_error error =
        config.path == NULL
            ? MET_E_NO_MEMORY
            : met__limiter_open(gateway->platform, &config, limiter_out,
                                info);
    met__arena_release(&arena);
    return error;
}

/* Room for most queries, so that requests do not allocate. */
static met_error open_query(met_gateway *gateway)
{
    static const char room[QUERY_ROOM];

    met__buffer_append(&gateway->query, room, sizeof room);
    return gateway->query.error;
}

static met_error open_parts(met_gateway *gateway, met_store *store,
                            met_error_info *info)
{
    met_error error = met__fork_guard_start(&gateway->fork_generation);

    if (error == MET_OK) {
        error = met__credential_start();
    }
    if (error == MET_OK) {
        error = met__store_open(met__store_platform(store),
                                met__store_path(store), 0, 0,
                                &gateway->store, info);
    }
    if (error == MET_OK) {
        error = met__credential_cache_create(gateway->platform,
                                             &gateway->cache);
    }
    if (error == MET_OK) {
        error = open_query(gateway);
    }
    if (error == MET_OK) {
        error = met__gateway_open_limiter(gateway, &gateway->limiter, info);
    }
    if (error == MET_OK) {
        error = first_snapshot(gateway, info);
    }
    if (error == MET_OK) {
        error = met__quota_open_store(gateway->store, &gateway->quota, info);
    }
    return error == MET_OK ? met__recorder_open(gateway->store, 0,
                                                &gateway->recorder, info)
                           : error;
}

met_error met__gateway_open(met_store *store,
                            const met_gateway_config *config,
                            met_gateway **gateway_out, met_error_info *info)
{
    const met__platform *platform = met__store_platform(store);
    met_error_info why = {.struct_size = sizeof why};
    met_error error = met__store_check_handle(store);
    met_gateway *gateway =
        error == MET_OK ? met__allocate(platform, sizeof *gateway) : NULL;

    if (gateway == NULL) {
        return met__fail_code(info, error == MET_OK ? MET_E_NO_MEMORY
                                                    : error);
    }
    gateway->platform = platform;
    gateway->fail_policy = config->fail_policy ? config->fail_policy
                                               : MET_GATEWAY_FAIL_CLOSED;
    gateway->header_style = config->header_style ? config->header_style
                                                 : MET_GATEWAY_HEADERS_KONG;
    gateway->flags = config->flags;
    gateway->limiter_capacity = config->limiter_capacity;
    gateway->store_mark = met__checksum(met__store_id(store), 16);
    gateway->value_plan = UINT64_MAX;
    met__buffer_init(&gateway->query, platform);
    error = open_parts(gateway, store, &why);
    if (error != MET_OK) {
        met__gateway_close(gateway);
        return why.code == error
                   ? met__fail(info, error, why.field, "%s", why.reason)
                   : met__fail_code(info, error);
    }
    *gateway_out = gateway;
    return MET_OK;
}

void met__gateway_close(met_gateway *gateway)
{
    if (gateway == NULL) {
        return;
    }
    const met__platform *platform = gateway->platform;
    met_store *store = gateway->store;
    met__recorder_close(gateway->recorder);
    met__quota_close(gateway->quota);
    let_go(gateway);
    if (gateway->files.store != NULL) {
        met__snapshot_files_close(&gateway->files);
    }
    met__limiter_close(gateway->limiter);
    met__credential_cache_destroy(gateway->cache);
    met__buffer_release(&gateway->query);
    met__release(platform, gateway->upstream, gateway->upstream_room);
    met__platform kept = *platform; /* it may go with the store */
    if (store != NULL) {
        met__store_close(store);
    }
    met__release(&kept, gateway, sizeof *gateway);
}

/* --- Housekeeping --------------------------------------------------------- */
/* A damaged snapshot is made anew by whoever finds it. */
static met_error look_after_catalog(met_gateway *gateway)
{
    int may_compile = (gateway->flags & MET_GATEWAY_NEVER_COMPILE) == 0
                      || gateway->is_damaged;

    return may_compile ? keep_up(gateway, NULL) : met__gateway_follow(gateway);
}

met_error met__gateway_tick(met_gateway *gateway)
{
    if (gateway->fork_generation != met__fork_generation()) {
        return MET_E_FORKED;
    }
    met_error error = met__recorder_tick(gateway->recorder);
    met_error mended = met__gateway_mend(gateway);
    error = error == MET_OK ? mended : error;
    int64_t now = met__now_monotonic_ns(gateway->platform);

    gateway->is_tally_full = 0;
    if (now - gateway->compiled_ns >= COMPILE_EVERY_NS
        || now < gateway->compiled_ns) {
        met_error kept = look_after_catalog(gateway);
        if (kept != MET_OK && kept != MET_E_BUSY) {
            error = error == MET_OK ? kept : error;
        }
    }
    return error == MET_OK && gateway->without_policy > 0 ? MET_E_LIMIT
                                                          : error;
}

/* --- Telling -------------------------------------------------------------- */
const char *met__gateway_reason_name(uint32_t reason)
{
    static const char *const names[MET__REASONS] = {
        "",
        "NO_ROUTE",
        "NO_KEY",
        "DUPLICATE_KEY",
        "BAD_KEY",
        "NOT_ALLOWED",
        "RATE_LIMITED",
        "USAGE_LIMIT_REACHED",
        "FEATURE_UNAVAILABLE",
        "CUSTOMER_NOT_FOUND",
        "COST_NEVER",
        "FAILURE",
        "FEATURE_NOT_FOUND",
        "NO_CREDIT_AVAILABLE"};

    return reason < MET__REASONS ? names[reason] : "";
}

static void build_count(met__builder *builder, const char *name,
                        uint64_t count)
{
    met__build_integer(builder, name, (int64_t)count);
}

static void build_counts(met__builder *builder, const char *name,
                         const char *const *names, const uint64_t *counts,
                         size_t size)
{
    met__builder inner;

    met__builder_begin(&inner, builder->arena);
    for (size_t i = 1; i < size; i++) {
        build_count(&inner, names[i], counts[i]);
    }
    met__build_object(builder, name, &inner);
}

met_error met__gateway_describe(met_gateway *gateway, met__arena *arena,
                                met__node **node_out)
{
    static const char *const failures[MET__FAILURES] = {
        "", "snapshot", "limiter", "quota", "tally", "config"};
    const char *reasons[MET__REASONS];
    const met__gateway_counters *c = &gateway->counters;
    met__builder builder;
    met__builder inner;

    for (uint32_t i = 0; i < MET__REASONS; i++) {
        reasons[i] = met__gateway_reason_name(i);
    }
    met__builder_begin(&builder, arena);
    build_count(&builder, "requests", c->requests);
    build_count(&builder, "admitted", c->admitted);
    build_counts(&builder, "refused", reasons, c->refused, MET__REASONS);
    build_count(&builder, "completed", c->completed);
    build_count(&builder, "not_served", c->not_served);
    build_counts(&builder, "failures", failures, c->failures, MET__FAILURES);
    build_count(&builder, "failed_open", c->failed_open);
    build_count(&builder, "without_subject", c->without_subject);
    met__builder_begin(&inner, arena);
    build_count(&inner, "cached", c->keys_cached);
    build_count(&inner, "verified", c->keys_verified);
    build_count(&inner, "unknown", c->keys_unknown);
    met__build_object(&builder, "keys", &inner);
    met__builder_begin(&inner, arena);
    build_count(&inner, "number", gateway->snapshot.number);
    build_count(&inner, "consumers",
                gateway->snapshot.count[MET__SECTION_CONSUMER]);
    build_count(&inner, "credentials",
                gateway->snapshot.count[MET__SECTION_CREDENTIAL]);
    build_count(&inner, "routes",
                gateway->snapshot.count[MET__SECTION_ROUTE]);
    build_count(&inner, "limits", gateway->policy_count);
    build_count(&inner, "limits_missing", gateway->without_policy);
    build_count(&inner, "mapped", c->mapped);
    build_count(&inner, "compiled", gateway->files.compiled);
    build_count(&inner, "refused", c->unmapped);
    met__build_object(&builder, "snapshot", &inner);
    return met__builder_end(&builder, node_out);
}
