/* How usage burns grants: from the state of one entitlement at an instant to
 * its state at a later one. Pure: usage comes by a call, resets in a list.
 *
 * A usage period ends at a reset. Between resets the time is cut into segments
 * wherever a grant begins, ends or recurs. In each, the usage and what was
 * still owed burn the grants in force, in their order; what no grant pays is
 * overage, and a later grant of the period pays it. At a reset a balance b
 * becomes min(rollover_max, max(rollover_min, b)); overage is forgotten, or
 * preserved and paid from what was rolled over. A grant that is issued at the
 * reset pays in the segment behind it, so no debt is lost.
 *
 * Changes at the first instant of a run are made by it; at its last instant
 * only resets and recurrences are, and the state says which grants were issued
 * then. So a run that is split anywhere comes to the same balances, as long as
 * no part of the usage is negative; and a run of no length makes the changes of
 * its instant.
 *
 * Where nothing is used, segments are not gone through one by one: a run leaps
 * to the last reset or recurrence before something does change (usage, a grant
 * that begins or ends, other terms), to the state that all those between would
 * have led to. It costs what was used and granted, not how many periods lie
 * between. */
#ifndef MET_ENTITLEMENT_GRANT_BURN_H
#define MET_ENTITLEMENT_GRANT_BURN_H

#include "entitlement/grant_state.h"

#define MET__SEGMENTS_MAX 1000000          /* of one run */
#define MET__SEGMENT_BALANCES_MAX 10000000 /* in all that are kept */

/* What a number of usage means, by the meter's aggregation. */
enum {
    MET__MEASURE_ADDS,     /* sum, count: parts of the time add up */
    MET__MEASURE_DISTINCT, /* unique_count: new ones since the period began */
    MET__MEASURE_LEVEL     /* latest, avg, min, max: a value of the period so
                              far; grants are limits that it is held against,
                              and nothing is owed when it falls */
};

/* Usage of [from, to), from < to. ADDS asks for the parts, the others for the
 * usage period up to an instant. */
typedef met_error (*met__burn_usage)(void *context, int64_t from_ns,
                                     int64_t to_ns, met_decimal *usage_out);

typedef struct met__burn_reset {
    int64_t at_ns;
    int preserves_overage;
} met__burn_reset;

/* Resets that come by themselves: at the points of a recurrence that lie
 * between two instants, neither of which is one. */
typedef struct met__burn_cycle {
    met__recurrence points;
    met__period between;
    int preserves_overage;
    int by_minutes; /* a reset is at the start of its point's minute */
} met__burn_cycle;

/* An instant of [from, to] before which nothing was used; to: nothing at all
 * was. */
typedef met_error (*met__burn_first)(void *context, int64_t from_ns,
                                     int64_t to_ns, int64_t *at_ns_out);

typedef struct met__burn_terms {
    const met__grant *grants; /* in any order */
    size_t grant_count;
    const met__burn_reset *resets; /* ascending, all after the start's instant
                                      and none after the run's end */
    size_t reset_count;
    const met__burn_cycle *cycles; /* where one of the resets lies on a point,
                                      it is the one that counts */
    size_t cycle_count;
    uint32_t measure;   /* MET__MEASURE_* */
    int keeps_segments; /* memory for segments times grants */
    met__burn_usage usage;
    met__burn_first first; /* NULL: every segment is gone through, and kept */
    void *context;
} met__burn_terms;

/* Why a segment ended; 0: the run did. */
#define MET__ENDED_ACTIVITY 1u   /* a grant began or ended */
#define MET__ENDED_RECURRENCE 2u /* one was issued anew */
#define MET__ENDED_RESET 4u
#define MET__ENDED_ROLLOVER 8u /* the moment of a reset itself, empty */

typedef struct met__burned {
    met__text grant_id;
    met_decimal amount;
    int is_exhausted;
} met__burned;

typedef struct met__burn_segment {
    int64_t to_ns;
    uint32_t ended_by; /* MET__ENDED_* */
    met_decimal usage;
    met_decimal overage; /* at its end */
    size_t burned_count; /* of grants in force with a balance, in order */
    met__burned *burned;
    met__burn_state start; /* grants of its first instant issued */
} met__burn_segment;

/* What a customer is told. */
typedef struct met__burn_value {
    met_decimal balance; /* of the grants in force, and usage taken back that
                            none has paid; never with overage */
    met_decimal usage;
    met_decimal overage;
    met_decimal total_available; /* what the grants in force have left, and
                                    what grants have paid */
} met__burn_value;

typedef struct met__burn_result {
    met__burn_state end; /* balances in the order of paying */
    met__burn_value value;
    size_t segment_count; /* 0 unless the terms keep them; what was leapt over
                             is not among them */
    met__burn_segment *segments;
} met__burn_result;

/* From start to until. The balances must be of the grants, one each, except
 * of those that are in force at no instant of the run. MET_E_INVALID: terms or
 * state are not sound · MET_E_LIMIT: too many segments · MET_E_OVERFLOW: more
 * than 34 digits · what usage answers. */
met_error met__burn_run(const met__burn_terms *terms,
                        const met__burn_state *start, int64_t until_ns,
                        met__arena *arena, met__burn_result *result_out,
                        met_error_info *info);

#endif
