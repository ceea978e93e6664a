/* When usage begins. In: whose, of which meter, a range of minutes. Out: an
 * instant before which there is none in it. */
#include "base/check.h"
#include "meter/subject_index.h"
#include "meter/usage_pass.h"

#define SHAPES_MAX (1u << 16) /* of the subjects that are asked for */

/* The last shape that was looked at: neighbours often have the same. */
typedef struct last_shape {
    uint64_t number; /* 0: none yet */
    uint32_t quantity;
    int passes;
} last_shape;

static met_error look_at(met__txn *txn, const met__usage_query *query,
                         uint64_t number, last_shape *last)
{
    met__usage_shape shape;
    met__usage_match match;

    if (last->number == number) {
        return MET_OK;
    }
    met_error error = met__usage_shape_get(txn, number, &shape);
    if (error == MET_OK) {
        last->number = number;
        last->passes = met__usage_passes(query, &shape, &match);
        last->quantity = last->passes ? match.quantity : 0;
    }
    return error;
}

/* *minute_out: the first minute from `from` on, or unchanged. Of an hour or a
 * day that was folded the first usage may come behind that of a later item. */
static met_error find(met__txn *txn, const met__usage_query *query,
                      met__usage_scan *scan, int64_t from,
                      int64_t *minute_out)
{
    const met__usage_item *item = NULL;
    last_shape shape = {0};
    met_error error = MET_OK;

    while ((error = met__usage_scan_next(scan, &item)) == MET_OK
           && item->key.minute < *minute_out) {
        int64_t first = 0;
        int64_t last = 0;
        error = look_at(txn, query, item->words[MET__PART_SHAPE], &shape);
        if (error != MET_OK) {
            break;
        }
        if (shape.passes
            && met__usage_item_span(item, shape.quantity, &first, &last)
            && last >= from && first < *minute_out) {
            *minute_out = first > from ? first : from;
        }
    }
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__usage_first(met__txn *txn, const met__usage_query *query,
                           int64_t *at_ns_out)
{
    int64_t from = query->from_ns / MET__MINUTE_NS;
    int64_t to = query->to_ns / MET__MINUTE_NS;
    int64_t minute = to;
    int is_known = 0;
    met__shape_set shapes;
    met__usage_scan scan;
    met__arena arena;

    MET__ASSERT(query->subject_count > 0 && query->from_ns >= 0
                && from <= to && to <= MET__MINUTES_END);
    met__arena_init(&arena, met__store_platform(met__txn_store(txn)));
    met_error error = met__subject_index_find(
        txn, query->subjects, query->subject_count, SHAPES_MAX, &arena,
        &shapes, &is_known);
    if (error == MET_OK && from < to) {
        error = met__usage_scan_begin(txn, from, to,
                                      is_known ? &shapes : NULL, &scan);
        if (error == MET_OK) {
            error = find(txn, query, &scan, from, &minute);
        }
        met__usage_scan_end(&scan);
    }
    met__arena_release(&arena);
    if (error == MET_OK) {
        *at_ns_out = minute * MET__MINUTE_NS;
    }
    return error;
}
