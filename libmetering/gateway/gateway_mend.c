/* Files that somebody cut short while a gateway has them mapped: seen by the
 * tick, or by a request that met what is gone. In: a gateway handle. Out: the
 * same handle with whole files. What was in them is in the store, or is gone:
 * windows begin empty, quotas with what is settled. */
#include "entitlement/quota_file.h"
#include "gateway/gateway_handle.h"

static met_error mend_limiter(met_gateway *gateway)
{
    met_limiter *limiter = NULL;
    met_error error = met__limiter_check_file(gateway->limiter);

    if (error != MET_E_CORRUPT) {
        return error;
    }
    error = met__gateway_open_limiter(gateway, &limiter, NULL);
    if (error != MET_OK) {
        return error;
    }
    met__limiter_close(gateway->limiter);
    gateway->limiter = limiter;
    gateway->generation++;
    met__gateway_policies_again(gateway);
    return MET_E_CORRUPT;
}

static met_error mend_quota(met_gateway *gateway)
{
    met__quota_table *quota = NULL;
    met_error error = met__quota_check(gateway->quota);

    if (error != MET_E_CORRUPT) {
        return error;
    }
    /* Before the old one is closed, so that they are never taken for one. */
    error = met__quota_open_store(gateway->store, &quota, NULL);
    if (error != MET_OK) {
        return error;
    }
    met__quota_close(gateway->quota);
    gateway->quota = quota;
    return MET_E_CORRUPT;
}

static met_error mend_snapshot(met_gateway *gateway)
{
    met__snapshot_files *files = &gateway->files;
    met_error current = met__mapped_file_check(gateway->platform,
                                               &files->current);
    met_error snapshot = met__mapped_file_check(gateway->platform,
                                                &gateway->snapshot.file);

    if (current == MET_E_CORRUPT) {
        met__snapshot_files fresh;
        met_error error = met__snapshot_files_open(files->store, 1, &fresh,
                                                   NULL);
        if (error != MET_OK) {
            return error;
        }
        fresh.compiled = files->compiled;
        met__snapshot_files_close(files);
        *files = fresh;
    }
    if (snapshot == MET_E_CORRUPT) {
        met__gateway_follow_anew(gateway);
    }
    if (current == MET_E_CORRUPT || snapshot == MET_E_CORRUPT) {
        gateway->compiled_ns = INT64_MAX; /* look at the catalog at once */
        return MET_E_CORRUPT;
    }
    return current == MET_OK ? snapshot : current;
}

void met__gateway_follow_anew(met_gateway *gateway)
{
    gateway->snapshot.number = 0; /* no other has it */
    gateway->refused_number = 0;
    (void)met__gateway_follow(gateway); /* else the next tick compiles it */
}

met_error met__gateway_mend(met_gateway *gateway)
{
    met_error errors[] = {mend_limiter(gateway), mend_quota(gateway),
                          mend_snapshot(gateway)};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i] != MET_OK) {
            return errors[i];
        }
    }
    return MET_OK;
}
