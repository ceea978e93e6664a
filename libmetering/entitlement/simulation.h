/* What-if: an entitlement, its grants, resets and usage as one document, what
 * is left at some instants as the answer. Pure. */
#ifndef MET_ENTITLEMENT_SIMULATION_H
#define MET_ENTITLEMENT_SIMULATION_H

#include "document/document.h"

#define MET__SIMULATION_LIST_MAX 100000 /* of each list */

/* The documents of met_entitlement_simulate. MET_E_INVALID with path and
 * reason · MET_E_UNSUPPORTED · MET_E_LIMIT · MET_E_OVERFLOW ·
 * MET_E_NO_MEMORY */
met_error met__simulate(const met__node *node, met__arena *arena,
                        met__node **node_out, met_error_info *info);

#endif
