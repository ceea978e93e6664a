/* Changes of meters with an eye on the features that measure them. */
#ifndef MET_CATALOG_METER_GUARD_H
#define MET_CATALOG_METER_GUARD_H

#include "meter/meter_def.h"

/* As met__meter_put; MET_E_CONFLICT also when a dimension would go or change
 * its path that a feature in service filters by. */
met_error met__meter_put_guarded(met__txn *txn, const met__node *node,
                                 const met__path *path, uint32_t *change_out,
                                 met_error_info *info);
/* As met__meter_remove; MET_E_CONFLICT also while a feature in service
 * measures the meter. */
met_error met__meter_remove_guarded(met__txn *txn, met__text key,
                                    met_error_info *info);

#endif
