/* The list of settlement's steps. */
#include "api/settle_steps.h"

met_error met__settle_all(met_store *store, uint64_t cells_max,
                          met__settle_report *report_out,
                          met_error_info *info)
{
    return met__settle(store, NULL, 0, cells_max, report_out, info);
}
