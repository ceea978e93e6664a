/* The usage periods of an entitlement over its life: a list of entries, each
 * in force from an instant on. The first is made with the entitlement, every
 * manual reset appends one. Pure.
 *
 * A period is that of the entry's recurrence, its start cut to the entry's
 * effective_from, its end to the next entry's; one that the range of times cuts
 * lasts to its end. Before the first entry the first period is meant. */
#ifndef MET_ENTITLEMENT_USAGE_PERIOD_H
#define MET_ENTITLEMENT_USAGE_PERIOD_H

#include "entitlement/grant_burn.h"

typedef struct met__usage_entry {
    int64_t effective_from_ns;
    met__recurrence usage_period; /* interval of at least an hour */
} met__usage_entry;

/* At least one entry, ascending, every interval at least one hour, every
 * anchor in the range of times. */
int met__usage_entries_are_valid(const met__usage_entry *entries,
                                 size_t count);
met_error met__usage_period_at(const met__usage_entry *entries, size_t count,
                               int64_t at_ns, met__period *period_out);
/* Adds to the terms of a run in (from, to] what of one entry lies in it: the
 * reset that it begins with, at cycle->between.from, and those behind that. The
 * terms' resets and cycles have room for one more each. */
void met__usage_add_resets(const met__burn_cycle *cycle,
                           int begin_preserves_overage, int64_t from_ns,
                           int64_t to_ns, met__burn_reset *resets,
                           met__burn_cycle *cycles,
                           met__burn_terms *terms);
/* The entry that a reset by hand at at_ns appends: not in the future, not
 * before the usage period of now, and not in the minute of the last entry. The
 * anchor stays, or moves to the minute of the reset. MET_E_INVALID with the
 * reason. */
met_error met__usage_reset(const met__usage_entry *entries, size_t count,
                           int64_t at_ns, int64_t now_ns, int retains_anchor,
                           met__usage_entry *entry_out, met_error_info *info);

#endif
