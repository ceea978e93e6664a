/* Conditions on a value of a query: {OPERATOR: operand}, {} holds always.
 *
 *   "eq", "ne" (also "neq")    a text
 *   "in", "nin"                1 to 100 texts
 *   "exists"                   true: not ""; false: ""
 *   "contains", "ncontains"    a part of it, a-z and A-Z being the same
 *   "gt", "gte", "lt", "lte"   a text: order of bytes; a number: by amount,
 *                              and what is no number is in no order to it
 *   "and", "or"                1 to 10 conditions, nested up to a depth
 */
#ifndef MET_METER_USAGE_CONDITION_H
#define MET_METER_USAGE_CONDITION_H

#include "base/limits.h"
#include "document/document.h"

#define MET__CONDITION_PARTS_MAX 10
#define MET__CONDITION_DEPTH_MAX 2 /* of "and" and "or" */

typedef struct met__condition met__condition;

/* Texts point into the document. MET_E_INVALID · MET_E_LIMIT · MET_E_NO_MEMORY
 * · MET_E_UNSUPPORTED (like, nlike, ilike, nilike), with path and reason. */
met_error met__condition_read(const met__node *node, const met__path *path,
                              int depth_max, met__arena *arena,
                              const met__condition **condition_out,
                              met_error_info *info);
int met__condition_holds(const met__condition *condition, met__text value);

#endif
