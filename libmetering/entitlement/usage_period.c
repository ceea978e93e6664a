/* Usage periods and their resets. In: the entries. Out: the period around an
 * instant, or the resets of a run. Source of the rule: the peer's
 * usage periods as its tests assert them (tests/golden). */
#include "entitlement/usage_period.h"

#include "base/check.h"
#include "base/error.h"
#include "catalog/rate_card.h"

int met__usage_entries_are_valid(const met__usage_entry *entries,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const met__usage_entry *entry = &entries[i];
        if (entry->usage_period.anchor_ns < 0
            || entry->usage_period.anchor_ns > MET__TIME_MAX
            || entry->effective_from_ns < 0
            || entry->effective_from_ns > MET__TIME_MAX
            || !met__duration_is_hour_or_more(&entry->usage_period.interval)
            || (i > 0
                && entry->effective_from_ns
                       <= entries[i - 1].effective_from_ns)) {
            return 0;
        }
    }
    return count > 0;
}

/* The end of what an entry rules. */
static int64_t end_of(const met__usage_entry *entries, size_t count,
                      size_t index)
{
    return index + 1 < count ? entries[index + 1].effective_from_ns
                             : MET__TIME_MAX;
}

/* The period of one entry at an instant in its reign. */
static met_error period_of(const met__usage_entry *entries, size_t count,
                           size_t index, int64_t at_ns,
                           met__period *period_out)
{
    met__period period;
    met_error error = met__recurrence_period_within(
        &entries[index].usage_period, at_ns, &period, NULL);

    if (error != MET_OK) {
        return error;
    }
    int64_t end_ns = end_of(entries, count, index);
    if (period.from_ns < entries[index].effective_from_ns) {
        period.from_ns = entries[index].effective_from_ns;
    }
    if (period.to_ns > end_ns) {
        period.to_ns = end_ns;
    }
    *period_out = period;
    return MET_OK;
}

met_error met__usage_period_at(const met__usage_entry *entries, size_t count,
                               int64_t at_ns, met__period *period_out)
{
    size_t index = 0;

    MET__ASSERT(entries != NULL && period_out != NULL);
    if (!met__usage_entries_are_valid(entries, count)) {
        return MET_E_INVALID;
    }
    while (index + 1 < count
           && entries[index + 1].effective_from_ns <= at_ns) {
        index++;
    }
    if (at_ns < entries[0].effective_from_ns) {
        at_ns = entries[0].effective_from_ns;
    }
    return period_of(entries, count, index, at_ns, period_out);
}

void met__usage_add_resets(const met__burn_cycle *cycle,
                           int begin_preserves_overage, int64_t from_ns,
                           int64_t to_ns, met__burn_reset *resets,
                           met__burn_cycle *cycles,
                           met__burn_terms *terms)
{
    met__period between = cycle->between;

    if (between.from_ns > to_ns || between.to_ns <= from_ns) {
        return;
    }
    if (between.from_ns > from_ns) {
        resets[terms->reset_count++] =
            (met__burn_reset){between.from_ns, begin_preserves_overage};
    } else {
        between.from_ns = from_ns;
    }
    if (between.to_ns > to_ns) {
        between.to_ns = to_ns + 1;
    }
    cycles[terms->cycle_count] = *cycle;
    cycles[terms->cycle_count++].between = between;
}

/* --- Resets by hand ------------------------------------------------------- */
met_error met__usage_reset(const met__usage_entry *entries, size_t count,
                           int64_t at_ns, int64_t now_ns, int retains_anchor,
                           met__usage_entry *entry_out, met_error_info *info)
{
    met__period now;
    met_error error = met__usage_period_at(entries, count, now_ns, &now);

    MET__ASSERT(entry_out != NULL);
    if (error != MET_OK) {
        return error;
    }
    if (at_ns > now_ns) {
        return met__fail(info, MET_E_INVALID, "at",
                         "a reset cannot be in the future");
    }
    if (at_ns < now.from_ns) {
        return met__fail(info, MET_E_INVALID, "at",
                         "the reset is before current usage period start");
    }
    met__usage_entry last = entries[count - 1];
    if (at_ns / MET__MINUTE_NS
        <= last.effective_from_ns / MET__MINUTE_NS) {
        return met__fail(info, MET_E_INVALID, "at",
                         "the reset must be after last reset, in another "
                         "minute");
    }
    last.effective_from_ns = at_ns;
    if (!retains_anchor) {
        last.usage_period.anchor_ns = at_ns - at_ns % MET__MINUTE_NS;
    }
    *entry_out = last;
    return MET_OK;
}
