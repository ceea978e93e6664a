/* The word that tells recorders of a new plan. In: the number committed in the
 * store. Out: a word in shared memory that only rises. */
#include "meter/plan_signal.h"

#include <stdio.h>

#include "base/check.h"
#include "meter/recording_plan.h"

#define PATH_SIZE 4200
#define FILE_SIZE 8192u

static met_error open_file(met_store *store, const char *path,
                           met__plan_signal *signal_out, met_error_info *info)
{
    met__mapped_spec spec = {.magic = "METPLANN",
                             .layout = 1,
                             .size = FILE_SIZE};
    met__plan_signal made = {.platform = met__store_platform(store)};

    memcpy(spec.store_id, met__store_id(store), sizeof spec.store_id);
    met_error error = met__mapped_file_open(made.platform, path, &spec, 1,
                                            &made.file, info);
    if (error == MET_OK && made.file.size < FILE_SIZE) {
        met__mapped_file_close(made.platform, &made.file);
        error = met__fail(info, MET_E_CORRUPT, path, "is too short");
    }
    if (error == MET_OK) {
        *signal_out = made;
    }
    return error;
}

/* One that was cut short is made anew: who still has the old one raises the
 * word there at every tick. */
met_error met__plan_signal_open(met_store *store, met__plan_signal *signal_out,
                                met_error_info *info)
{
    const met__os *os = met__store_platform(store)->os;
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/tally/plan.map", met__store_path(store));
    met_error error = open_file(store, path, signal_out, NULL);
    if (error == MET_E_CORRUPT) {
        (void)os->unlink(os->context, path);
    }
    return error == MET_OK ? error : open_file(store, path, signal_out, info);
}

void met__plan_signal_close(met__plan_signal *signal)
{
    if (signal->platform != NULL) {
        met__mapped_file_close(signal->platform, &signal->file);
        *signal = (met__plan_signal){0};
    }
}

static met__atomic_u64 *word_of(const met__plan_signal *signal)
{
    return (met__atomic_u64 *)(void *)(signal->file.memory
                                       + MET__FILE_HEADER_SIZE);
}

const met__atomic_u64 *met__plan_signal_word(const met__plan_signal *signal)
{
    return word_of(signal);
}

met_error met__plan_signal_raise(met_store *store, met__plan_signal *signal)
{
    met__txn *txn = NULL;
    uint64_t number = 0;
    met_error error = met__txn_begin(store, 0, &txn);

    if (error != MET_OK) {
        return error;
    }
    error = met__recording_plan_number(txn, &number);
    met__txn_abort(txn);
    if (error != MET_OK) {
        return error;
    }
    met__raise(word_of(signal), number);
    return MET_OK;
}

met_error met__plan_announce(met_store *store)
{
    met__plan_signal signal = {0};
    met_error error = met__plan_signal_open(store, &signal, NULL);

    if (error == MET_OK) {
        error = met__plan_signal_raise(store, &signal);
    }
    met__plan_signal_close(&signal);
    return error;
}
