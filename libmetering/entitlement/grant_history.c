/* The history of balances. In: a run's terms and instants. Out: a row for each
 * time between two of them, and the state that is worth keeping. */
#include "entitlement/grant_history.h"

#include <stdlib.h>

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

/* --- Segments as a history ------------------------------------------------ */
static int compare_segments(const void *a, const void *b)
{
    const met__burn_segment *one = a;
    const met__burn_segment *other = b;

    if (one->start.at_ns != other->start.at_ns) {
        return one->start.at_ns < other->start.at_ns ? -1 : 1;
    }
    return (one->ended_by & MET__ENDED_ROLLOVER) != 0   ? -1
           : (other->ended_by & MET__ENDED_ROLLOVER) != 0 ? 1
                                                          : 0;
}

void met__burn_order(met__burn_segment *segments, size_t count)
{
    if (count > 1) {
        qsort(segments, count, sizeof *segments, compare_segments);
    }
}

met_error met__burn_history_check(const met__burn_state *start,
                                  const met__burn_segment *segments,
                                  size_t count, met_error_info *info)
{
    if (!met__decimal_is_valid(start->usage)
        || !met__decimal_is_valid(start->grant_usage)) {
        return met__fail(info, MET_E_INVALID, "state",
                         "its usage snapshot is missing");
    }
    if (count > 0 && segments[0].start.at_ns != start->at_ns) {
        return met__fail(info, MET_E_INVALID, "segments",
                         "expected starting snapshot at another instant");
    }
    if (count > 0
        && met__decimal_compare(segments[0].start.overage, start->overage)
               != 0) {
        return met__fail(info, MET_E_INVALID, "segments",
                         "expected starting snapshot overage to be another");
    }
    for (size_t i = 1; i < count; i++) {
        if (segments[i].start.at_ns != segments[i - 1].to_ns) {
            return met__fail(info, MET_E_INVALID, "segments",
                             "%zu and %zu are not contiguous", i - 1, i);
        }
    }
    return MET_OK;
}

static met_error add_segment(met__burn_chunk *chunk,
                             const met__burn_segment *segment)
{
    met_error error =
        met__decimal_add(chunk->usage, segment->usage, &chunk->usage);

    for (size_t i = 0; error == MET_OK && i < segment->burned_count; i++) {
        error = met__decimal_add(chunk->burned, segment->burned[i].amount,
                                 &chunk->burned);
    }
    chunk->count++;
    return error;
}

met_error met__burn_chunks(const met__burn_state *start,
                           const met__burn_segment *segments, size_t count,
                           met__arena *arena, met__burn_chunk **chunks_out,
                           size_t *chunk_count_out)
{
    met_decimal zero = met__decimal_zero();
    met__burn_chunk *chunks =
        met__arena_allocate(arena, (count + 1) * sizeof *chunks);
    size_t chunk_count = 0;
    met_error error = chunks == NULL ? MET_E_NO_MEMORY : MET_OK;

    for (size_t i = 0; error == MET_OK && i < count; i++) {
        if (i == 0) {
            chunks[chunk_count++] = (met__burn_chunk){
                .since_ns = start->since_ns,
                .usage_at_start = start->usage,
                .grant_usage_at_start = start->grant_usage,
                .usage = zero,
                .burned = zero};
        } else if ((segments[i - 1].ended_by & MET__ENDED_RESET) != 0) {
            chunks[chunk_count++] =
                (met__burn_chunk){.first = i,
                                  .since_ns = segments[i - 1].to_ns,
                                  .usage_at_start = zero,
                                  .grant_usage_at_start = zero,
                                  .usage = zero,
                                  .burned = zero};
        }
        error = add_segment(&chunks[chunk_count - 1], &segments[i]);
    }
    *chunks_out = chunks;
    *chunk_count_out = chunk_count;
    return error;
}

/* --- Windows of the time -------------------------------------------------- */
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
