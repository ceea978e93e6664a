/* The list of settlement's steps. */
#include "api/settle_steps.h"

#include "entitlement/access.h"
#include "entitlement/notice_due.h"
#include "gateway/snapshot_files.h"

met_error met__settle_all(met_store *store, uint64_t cells_max,
                          met__settle_report *report_out,
                          met_error_info *info)
{
    met__balance_step *step = NULL;
    /* Periods that have begun are told before what was used in them. */
    met_error error = met__notice_tick(store);

    if (error == MET_OK) {
        error = met__balance_step_create(store, &step);
    } else {
        error = met__fail_code(info, error);
    }
    if (error == MET_OK) {
        const met__settle_step steps[] = {met__balance_step_of(step)};
        error = met__settle(store, steps, sizeof steps / sizeof *steps,
                            cells_max, report_out, info);
        met__balance_step_destroy(step);
    }
    /* What gateways know of the catalog; their ticks do it too. */
    return error == MET_OK ? met__gateway_refresh(store, info) : error;
}
