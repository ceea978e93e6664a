/* store.h: opening, copying and examining a store; arguments checked here. */
#include "metering/store.h"

#include "base/caller_struct.h"
#include "gateway/entity_redact.h"
#include "gateway/metrics.h"
#include "meter/tally_report.h"
#include "store/store_open.h"

#define PATH_SIZE_MAX 3900

/* A NUL-terminated copy of a caller's path. */
static met_error copy_path(const char *path, size_t path_size,
                           char out[PATH_SIZE_MAX + 1], met_error_info *info)
{
    if (path == NULL || path_size == 0 || path_size > PATH_SIZE_MAX) {
        return met__fail(info, MET_E_INVALID, "path",
                         "must have 1 to %d bytes", PATH_SIZE_MAX);
    }
    if (memchr(path, '\0', path_size) != NULL) {
        return met__fail(info, MET_E_INVALID, "path", "contains a NUL");
    }
    memcpy(out, path, path_size);
    out[path_size] = '\0';
    return MET_OK;
}

met_error met_store_open(const char *path, size_t path_size,
                         const met_store_config *config,
                         met_store **store_out, met_error_info *info)
{
    met_store_config known = {.struct_size = sizeof known};
    char copy[PATH_SIZE_MAX + 1];
    met__platform platform;

    if (store_out == NULL) {
        return met__fail(info, MET_E_INVALID, "store_out", "is NULL");
    }
    met_error error = copy_path(path, path_size, copy, info);
    if (error == MET_OK && config != NULL) {
        error = met__struct_read(&known, sizeof known,
                                 sizeof known.struct_size, config, "config",
                                 info);
    }
    if (error == MET_OK && (known.flags & ~(uint64_t)MET_STORE_CREATE) != 0) {
        error = met__fail(info, MET_E_UNSUPPORTED, "config.flags",
                          "has an unknown bit");
    }
    if (error == MET_OK) {
        error = met__platform_init(&platform, known.platform, info);
    }
    if (error != MET_OK) {
        return error;
    }
    return met__store_open(&platform, copy, known.map_size_bytes,
                           (known.flags & MET_STORE_CREATE) != 0, store_out,
                           info);
}

void met_store_close(met_store *store)
{
    met__store_close(store);
}

met_error met_store_backup(met_store *store, const char *path,
                           size_t path_size, uint64_t flags,
                           met_error_info *info)
{
    char copy[PATH_SIZE_MAX + 1];

    if (store == NULL) {
        return met__fail(info, MET_E_INVALID, "store", "is NULL");
    }
    met_error error = copy_path(path, path_size, copy, info);
    if (error != MET_OK) {
        return error;
    }
    if ((flags & ~(uint64_t)MET_BACKUP_WITHOUT_SECRETS) != 0) {
        return met__fail(info, MET_E_UNSUPPORTED, "flags",
                         "has an unknown bit");
    }
    return met__store_backup(store, copy,
                             flags != 0 ? met__entity_redact : NULL, info);
}

/* Adds its members to a report. */
typedef met_error (*report_part)(met_store *store, met__arena *arena,
                                 met__node *report);

/* One object out of all parts, as JSON; with is_of_damage also when damage was
 * found. Any other error gives nothing. */
static met_error give_report(met_store *store, const report_part *parts,
                             size_t part_count, int is_of_damage,
                             met_buffer *report_out, met_error_info *info)
{
    met__arena arena;
    met__buffer buffer;

    if (store == NULL || report_out == NULL) {
        return met__fail(info, MET_E_INVALID,
                         store ? "report_out" : "store", "is NULL");
    }
    met_error error = met__store_check_handle(store);
    if (error != MET_OK) {
        return met__fail_code(info, error);
    }
    met__arena_init(&arena, met__store_platform(store));
    met__buffer_init(&buffer, met__store_platform(store));
    met__node *report = met__node_object(&arena);
    if (report == NULL) {
        error = MET_E_NO_MEMORY;
    }
    for (size_t i = 0; error == MET_OK && i < part_count; i++) {
        error = parts[i](store, &arena, report);
    }
    if (error == MET_OK
        || (error == MET_E_CORRUPT && is_of_damage && report->count > 0)) {
        met__json_write(report, 0, &buffer);
        met_error given = met__buffer_give(&buffer, report_out);
        error = given == MET_OK ? error : given;
    }
    met__buffer_release(&buffer);
    met__arena_release(&arena);
    return error == MET_OK ? MET_OK : met__fail_code(info, error);
}

met_error met_store_check(met_store *store, met_buffer *report_out,
                          met_error_info *info)
{
    static const report_part parts[] = {met__store_verify};
    return give_report(store, parts, sizeof parts / sizeof *parts, 1,
                       report_out, info);
}

met_error met_store_stats(met_store *store, met_buffer *report_out,
                          met_error_info *info)
{
    static const report_part parts[] = {met__store_describe,
                                        met__tally_describe,
                                        met__limits_describe};
    return give_report(store, parts, sizeof parts / sizeof *parts, 0,
                       report_out, info);
}
