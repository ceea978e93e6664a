/* Golden kinds of histories: segments in order, contiguous, and parted into
 * usage periods. */
#include "golden_grant.h"

static met_decimal amount_of(golden *self, const met__node *item,
                             const char *name)
{
    return golden_has(item, name) ? golden_decimal(self, item, name)
                                  : met__decimal_zero();
}

static int flag_of(golden *self, const met__node *item, const char *name)
{
    return golden_has(item, name) && golden_flag(self, item, name);
}

static size_t read_segments(golden *self, const met__node *list,
                            met__burn_segment **segments_out)
{
    size_t count = list != NULL ? list->count : 0;
    met__burn_segment *segments = met__arena_allocate(
        self->arena, (count + 1) * sizeof *segments);

    for (size_t i = 0; i < count; i++) {
        const met__node *item = list->as.items[i];
        met__burn_segment *segment = &segments[i];
        segment->start.at_ns = golden_time(self, item, "from");
        segment->start.overage = amount_of(self, item, "overage_at_start");
        segment->to_ns = golden_time(self, item, "to");
        segment->usage = amount_of(self, item, "usage");
        segment->burned =
            met__arena_allocate(self->arena, sizeof *segment->burned);
        segment->burned[segment->burned_count++] = (met__burned){
            MET__TEXT("g"), amount_of(self, item, "burned"), 0};
        segment->ended_by =
            (flag_of(self, item, "usage_reset") ? MET__ENDED_RESET : 0)
            | (flag_of(self, item, "rollover") ? MET__ENDED_ROLLOVER : 0);
    }
    *segments_out = segments;
    return count;
}

static met__burn_state read_start(golden *self, const met__node *item)
{
    met__burn_state state = {
        .at_ns = golden_has(item, "at") ? golden_time(self, item, "at") : 0,
        .since_ns = golden_has(item, "usage_since")
                        ? golden_time(self, item, "usage_since")
                        : 0,
        .usage = amount_of(self, item, "period_usage"),
        .grant_usage = amount_of(self, item, "period_grant_usage"),
        .overage = amount_of(self, item, "overage")};

    if (golden_has(item, "has_period_usage")
        && !golden_flag(self, item, "has_period_usage")) {
        state.usage.bits[1] = UINT64_C(0x7c) << 56; /* no number */
    }
    return state;
}

static void set(golden *self, met__node *object, const char *name,
                met__node *value)
{
    (void)met__node_set(self->arena, object, name, value);
}

static met__node *chunk_node(golden *self, const met__burn_chunk *chunk)
{
    met__node *node = met__node_object(self->arena);

    set(self, node, "segments",
        met__node_integer(self->arena, (int64_t)chunk->count));
    set(self, node, "burned",
        met__node_decimal(self->arena, chunk->burned));
    set(self, node, "usage_since",
        met__node_time(self->arena, chunk->since_ns));
    set(self, node, "period_usage_at_start",
        met__node_decimal(self->arena, chunk->usage_at_start));
    set(self, node, "period_grant_usage_at_start",
        met__node_decimal(self->arena, chunk->grant_usage_at_start));
    return node;
}

/* What grants had paid in its usage period when a segment began. */
static void same_at(golden *self, const met__node *expect,
                    const met__burn_chunk *chunks, size_t chunk_count,
                    const met__burn_segment *segments, size_t index)
{
    met__node *node = met__node_object(self->arena);

    for (size_t i = 0; i < chunk_count; i++) {
        met_decimal paid = chunks[i].grant_usage_at_start;
        if (index < chunks[i].first
            || index >= chunks[i].first + chunks[i].count) {
            continue;
        }
        for (size_t j = chunks[i].first; j < index; j++) {
            (void)met__decimal_add(paid, segments[j].burned[0].amount, &paid);
        }
        set(self, node, "period_grant_usage",
            met__node_decimal(self->arena, paid));
    }
    golden_same(self, expect, node);
}

static void same_order(golden *self, const met__node *input,
                       const met__node *expect)
{
    met__node *order = met__node_array(self->arena);
    met__burn_segment *segments = NULL;
    size_t count = read_segments(
        self, met__node_get(input, "segments_in_given_order"), &segments);

    met__burn_order(segments, count);
    for (size_t i = 0; i < count; i++) {
        (void)met__node_append(
            self->arena, order,
            met__node_text_z(self->arena,
                             segments[i].ended_by & MET__ENDED_ROLLOVER
                                 ? "rollover"
                                 : "usage"));
    }
    golden_same(self, met__node_get(expect, "order"), order);
}

static void run_chunks(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *expect = met__node_get(item, "expect");
    met__node *list = met__node_array(self->arena);
    met__burn_segment *segments = NULL;
    met__burn_chunk *chunks = NULL;
    size_t chunk_count = 0;

    if (golden_has(input, "segments_in_given_order")) {
        same_order(self, input, expect);
        return;
    }
    met__burn_state start = read_start(self, met__node_get(input, "start"));
    size_t count =
        read_segments(self, met__node_get(input, "segments"), &segments);
    met__burn_order(segments, count);
    met_error error = met__burn_chunks(&start, segments, count, self->arena,
                                       &chunks, &chunk_count);
    if (error != MET_OK) {
        golden_fail(self, "got %s", met_error_name(error));
        return;
    }
    for (size_t i = 0; i < chunk_count; i++) {
        (void)met__node_append(self->arena, list,
                               chunk_node(self, &chunks[i]));
    }
    golden_same(self, met__node_get(expect, "chunks"), list);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "at_start_of_segment_%zu", i);
        if (golden_has(expect, name)) {
            same_at(self, met__node_get(expect, name), chunks, chunk_count,
                    segments, i);
        }
    }
}

static void run_validation(golden *self, const met__node *item)
{
    const met__node *input = met__node_get(item, "input");
    const met__node *expect = met__node_get(item, "expect");
    met_error_info info = {.struct_size = sizeof info};
    met__burn_segment *segments = NULL;
    met__burn_state start = read_start(self, met__node_get(input, "start"));
    size_t count =
        read_segments(self, met__node_get(input, "segments"), &segments);

    met__burn_order(segments, count);
    met_error error =
        met__burn_history_check(&start, segments, count, &info);
    golden_same_flag(self, met__node_get(expect, "valid"), error == MET_OK);
    if (golden_has(expect, "error_contains")) {
        char text[128] = "";
        met__text wanted = golden_text(self, expect, "error_contains");
        memcpy(text, wanted.data, wanted.size < 127 ? wanted.size : 127);
        if (strstr(info.reason, text) == NULL) {
            golden_fail(self, "refused because %s", info.reason);
        }
    }
}

const golden_kind golden_history_sections[] = {
    {"history_chunking", run_chunks, NULL},
    {"history_validation", run_validation, NULL},
    {NULL, NULL, NULL},
};
