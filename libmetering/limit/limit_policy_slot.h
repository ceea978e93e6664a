/* Which slot a policy's name has. */
#ifndef MET_LIMIT_LIMIT_POLICY_SLOT_H
#define MET_LIMIT_LIMIT_POLICY_SLOT_H

#include "limit/limit_policy.h"

/* What the word of names says before a name is looked for. */
uint64_t met__policy_names(met__limit_table *table);
/* The slot that has a name (two words of MET__POLICY_PAYLOAD, the first never
 * 0); 0: none. */
int met__policy_find(const met__limit_table *table, const uint64_t name[2],
                     uint32_t *slot_out);
/* Puts a written row of a free slot in force, if no name has got a slot since
 * `before`. */
int met__policy_names_set(met__limit_table *table, uint64_t before,
                          uint32_t slot, uint64_t version);

#endif
