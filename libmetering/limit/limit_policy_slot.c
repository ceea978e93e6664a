/* Which slot a policy's name has. In: the keyed hash of a name. Out: its slot,
 * one for all processes; slots of removed policies are given to other names.
 *
 * A slot whose row in force has no windows is free. To give a slot to a name,
 * the row is written under a claim; then one word of the table, `names`, says
 * which slot goes to which version. Only one can change that word from what
 * somebody saw before looking for the name in vain, so no name gets two slots.
 * Whoever finds the word completes what it says: a killed writer leaves nothing
 * half done. A slot and its versions never come back, so neither does the
 * word. */
#include "limit/limit_policy_slot.h"

#define VERSION_SHIFT MET__POLICY_SLOT_BITS
#define SLOT_MASK ((UINT64_C(1) << MET__POLICY_SLOT_BITS) - 1)
#define TRIES MET__POLICY_TRIES

/* 1: what the word says is in force. */
static int finish(met__limit_table *table, uint64_t names)
{
    met__policy_slot *slot = &table->policies[names & SLOT_MASK];
    uint64_t wanted = names >> VERSION_SHIFT;
    uint64_t found = met__load_acquire(&slot->version);

    if (found < wanted && wanted - found < MET__POLICY_ROWS) {
        return met__cas(&slot->version, &found, wanted) || found >= wanted;
    }
    return found >= wanted;
}

uint64_t met__policy_names(met__limit_table *table)
{
    uint64_t names = met__load_acquire(&table->head->names);

    (void)finish(table, names);
    return names;
}

int met__policy_names_set(met__limit_table *table, uint64_t before,
                          uint32_t slot, uint64_t version)
{
    uint64_t wanted = version << VERSION_SHIFT | slot;

    return met__cas(&table->head->names, &before, wanted)
           && finish(table, wanted);
}

/* 1: the row in force of the slot has this name. */
static int has_name(const met__policy_slot *slot, const uint64_t name[2])
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t version = met__load_acquire(&slot->version);
        const met__policy_row *row = &slot->rows[version % MET__POLICY_ROWS];
        uint64_t first = met__policy_untag(&row->name[0], version);
        if (version == 0 || (first <= MET__POLICY_PAYLOAD
                             && first != name[0])) {
            return 0;
        }
        uint64_t second = met__policy_untag(&row->name[1], version);
        if (first == name[0] && second <= MET__POLICY_PAYLOAD) {
            return second == name[1];
        }
    }
    return 0;
}

int met__policy_find(const met__limit_table *table, const uint64_t name[2],
                     uint32_t *slot_out)
{
    for (uint32_t i = 0; i < MET_LIMITER_POLICIES_MAX; i++) {
        if (has_name(&table->policies[i], name)) {
            *slot_out = i;
            return 1;
        }
    }
    return 0;
}
