/* Conditions on a dimension's value: {OPERATOR: operand}, {} holds always.
 *
 *   "eq", "ne" (also "neq")    a text
 *   "in", "nin"                1 to 100 texts
 *   "exists"                   true: not ""; false: ""
 *   "contains", "ncontains"    a part of it, a-z and A-Z being the same
 *   "gt", "gte", "lt", "lte"   a text: order of bytes; a number: by amount,
 *                              and what is no number is in no order to it
 *   "and", "or"                1 to 10 conditions, nested up to a depth
 *
 * Read, a condition is a text: of "eq" the operand itself, which never begins
 * with a control character; of the others a byte that says which, and the
 * operand's bytes. So it is compared, hashed, copied and put into files like
 * any other text, and a value alone is the condition to be equal to it. */
#ifndef MET_METER_USAGE_CONDITION_H
#define MET_METER_USAGE_CONDITION_H

#include "base/limits.h"
#include "document/document.h"

#define MET__CONDITION_PARTS_MAX 10
#define MET__CONDITION_DEPTH_MAX 2 /* of "and" and "or" */

enum { MET__CONDITION_UNORDERED = 1 }; /* no gt, gte, lt, lte */

/* MET_E_INVALID · MET_E_LIMIT · MET_E_NO_MEMORY · MET_E_UNSUPPORTED (like,
 * nlike, ilike, nilike, and what flags exclude), with path and reason. */
met_error met__condition_read(const met__node *node, const met__path *path,
                              int depth_max, uint32_t flags,
                              met__arena *arena, met__text *condition_out,
                              met_error_info *info);
/* Any bytes may be asked: what is no condition holds for nothing. */
int met__condition_holds(met__text condition, met__text value);
/* Whether it is "eq". */
int met__condition_is_equal(met__text condition);
/* The document it was read from, with "neq" for "ne". MET_E_NO_MEMORY ·
 * MET_E_CORRUPT (bytes that are no condition, or one with an order) */
met_error met__condition_document(met__text condition, met__arena *arena,
                                  met__node **node_out);

#endif
