/* The history of balances. In: a run's terms and instants. Out: a row for each
 * time between two of them, and the state that is worth keeping. */
#include "entitlement/grant_history.h"

#include "base/check.h"
#include "base/error.h"

const met__burn_state *met__burn_state_before(const met__burn_result *result,
                                              int64_t limit_ns)
{
    for (size_t i = result->segment_count; i > 1; i--) {
        const met__burn_state *state = &result->segments[i - 1].start;
        if (state->at_ns <= limit_ns) {
            return state->at_ns > result->segments[0].start.at_ns ? state
                                                                  : NULL;
        }
    }
    return NULL;
}

/* What is left when the window begins, and what was used in it. */
static met_error row_of(const met__burn_value *start,
                        const met__burn_result *result, met__period period,
                        uint32_t measure, met__burn_window *row)
{
    met_error error = MET_OK;

    *row = (met__burn_window){period, met__decimal_zero(), start->balance,
                              start->overage};
    for (size_t i = 0; error == MET_OK && i < result->segment_count; i++) {
        if (measure == MET__MEASURE_LEVEL) {
            row->usage = result->segments[i].usage;
        } else {
            error = met__decimal_add(row->usage, result->segments[i].usage,
                                     &row->usage);
        }
    }
    return error;
}

met_error met__burn_windows(const met__burn_terms *terms,
                            const met__burn_state *start,
                            const int64_t *bounds, size_t bound_count,
                            met__arena *arena, met__burn_window **windows_out,
                            met_error_info *info)
{
    met__burn_terms part = *terms;
    met__burn_state state = *start;
    met__burn_result begun;
    met__burn_result result;
    size_t done = 0; /* resets */
    met_error error = MET_OK;

    MET__ASSERT(bounds != NULL && bound_count > 1
                && bounds[0] == start->at_ns);
    met__burn_window *windows =
        met__arena_allocate(arena, bound_count * sizeof *windows);
    if (windows == NULL) {
        return MET_E_NO_MEMORY;
    }
    part.keeps_segments = 1;
    for (size_t i = 0; error == MET_OK && i + 1 < bound_count; i++) {
        met__period period = {bounds[i], bounds[i + 1]};
        if (!met__period_is_valid(period)) {
            return met__fail(info, MET_E_INVALID, "bounds",
                             "windows must come one after another");
        }
        part.reset_count = 0;
        error = met__burn_run(&part, &state, period.from_ns, arena, &begun,
                              info);
        part.resets = terms->resets + done;
        while (done < terms->reset_count
               && terms->resets[done].at_ns <= period.to_ns) {
            part.reset_count++;
            done++;
        }
        if (error == MET_OK) {
            error = met__burn_run(&part, &begun.end, period.to_ns, arena,
                                  &result, info);
        }
        if (error == MET_OK) {
            error = row_of(&begun.value, &result, period, terms->measure,
                           &windows[i]);
            state = result.end;
        }
    }
    if (error == MET_OK) {
        *windows_out = windows;
    }
    return error;
}
