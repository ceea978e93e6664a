/* Policies in the shared table: which windows a number stands for. */
#ifndef MET_LIMIT_LIMIT_POLICY_H
#define MET_LIMIT_LIMIT_POLICY_H

#include "limit/limit_table.h"

typedef struct met__policy_window {
    uint32_t shape;
    uint32_t born;    /* with the shape: whose records these are */
    uint32_t follows; /* of a predecessor: the window that took its place */
    uint32_t row;     /* of a predecessor: its index in the row */
} met__policy_window;

/* What a policy says at one moment. */
typedef struct met__policy_view {
    met__policy_slot *slot;
    uint64_t version;
    uint32_t flags;
    uint32_t count;
    uint32_t predecessor_count;
    uint32_t generation; /* how often the slot was given to another name */
    met__policy_window windows[MET_LIMITER_WINDOWS_MAX];
    met__policy_window predecessors[MET__PREDECESSORS];
} met__policy_view;

/* --- Reading: on the way of every request, therefore inlined -------------- */
/* A number is the generation of a slot above the slot. */
#define MET__POLICY_SLOT_BITS 10
#define MET__POLICY_GENERATIONS (UINT32_C(1) << (32 - MET__POLICY_SLOT_BITS))
#define MET__POLICY_SLOT(number) ((number) % MET_LIMITER_POLICIES_MAX)
#define MET__POLICY_GENERATION(number) ((number) >> MET__POLICY_SLOT_BITS)
#define MET__POLICY_GENERATION_SHIFT 16 /* in the word of flags */

#define MET__POLICY_TRIES 64
#define MET__POLICY_TAG_SHIFT 48
#define MET__POLICY_PAYLOAD ((UINT64_C(1) << MET__POLICY_TAG_SHIFT) - 1)
#define MET__POLICY_HALF 24 /* shape 8 bits, born 16 */
#define MET__POLICY_HALF_MASK ((UINT64_C(1) << MET__POLICY_HALF) - 1)

/* A word without its version; of another version: above the payload. */
static inline uint64_t met__policy_untag(const met__atomic_u64 *word,
                                         uint64_t version)
{
    return met__load_acquire(word) ^ version << MET__POLICY_TAG_SHIFT;
}

/* 0: another version's. */
int met__policy_read_predecessors(const met__policy_row *row,
                                  met__policy_view *view, uint32_t left);

static inline void met__policy_add_window(met__policy_view *view,
                                          uint64_t half)
{
    view->windows[view->count] = (met__policy_window){
        .shape = (uint32_t)(half & 0xff),
        .born = (uint32_t)(half >> 8 & 0xffff),
    };
    view->count += (half & 0xff) != 0;
}

/* Windows fill a row from its beginning, so an empty half ends them. 0: the
 * row is another version's. */
static inline int met__policy_read_row(const met__policy_row *row,
                                       met__policy_view *view)
{
    uint64_t flags = met__policy_untag(&row->flags, view->version);
    uint64_t seen = flags;

    view->count = 0;
    view->predecessor_count = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t pair = met__policy_untag(&row->windows[i], view->version);
        seen |= pair;
        met__policy_add_window(view, pair);
        if ((pair >> MET__POLICY_HALF & 0xff) == 0) {
            break;
        }
        met__policy_add_window(view, pair >> MET__POLICY_HALF);
    }
    view->flags = (uint32_t)(flags & 0xff);
    view->generation = (uint32_t)(flags >> MET__POLICY_GENERATION_SHIFT)
                       % MET__POLICY_GENERATIONS;
    uint32_t left = (uint32_t)(flags >> 8 & 0xff);
    return seen <= MET__POLICY_PAYLOAD
           && (left == 0 || met__policy_read_predecessors(row, view, left));
}

/* What a slot says, whosever it is; no windows: nobody's. MET_E_NOT_FOUND
 * (never used) · MET_E_BUSY (a row that never holds still). */
static inline met_error met__policy_read_slot(met__limit_table *table,
                                              uint32_t index,
                                              met__policy_view *view_out)
{
    met__policy_slot *slot = &table->policies[index];

    view_out->slot = slot;
    for (int i = 0; i < MET__POLICY_TRIES; i++) {
        view_out->version = met__load_acquire(&slot->version);
        if (view_out->version == 0) {
            return MET_E_NOT_FOUND;
        }
        if (met__policy_read_row(
                &slot->rows[view_out->version % MET__POLICY_ROWS],
                view_out)) {
            return MET_OK;
        }
    }
    return MET_E_BUSY;
}

/* MET_E_NOT_FOUND · MET_E_BUSY */
static inline met_error met__policy_read(met__limit_table *table,
                                         uint32_t number,
                                         met__policy_view *view_out)
{
    met_error error = met__policy_read_slot(table, MET__POLICY_SLOT(number),
                                            view_out);

    return error == MET_OK
                   && (view_out->count == 0
                       || view_out->generation
                              != MET__POLICY_GENERATION(number))
               ? MET_E_NOT_FOUND
               : error;
}

/* Whether a predecessor still weighs; the first one who asks starts its time,
 * twice its window's length. */
int met__policy_weighs(const met__policy_view *view,
                       const met__policy_window *predecessor,
                       uint64_t window_ns, uint64_t now_ns);
/* windows: checked, shortest first. */
met_error met__policy_set(met__limit_table *table,
                          const met_limiter_policy *policy,
                          const met_limiter_window *windows,
                          uint32_t *number_out, met_error_info *info);
/* The number is nobody's afterwards. */
met_error met__policy_remove(met__limit_table *table, uint32_t number,
                             met_error_info *info);

#endif
