/* A run under way. Only for grant_burn.c and grant_leap.c. */
#ifndef MET_ENTITLEMENT_GRANT_RUN_H
#define MET_ENTITLEMENT_GRANT_RUN_H

#include "entitlement/grant_burn.h"

/* One grant on its way through a run. */
typedef struct met__run_line {
    const met__grant *grant;
    met__period active;
    met_decimal balance;
    int64_t next_ns;      /* its next recurrence, or MET__NEVER */
    int64_t issued_at_ns; /* the last time it got its amount; -1: not yet */
} met__run_line;

typedef struct met__run {
    const met__burn_terms *terms;
    met__arena *arena;
    met_error_info *info;
    met__run_line *lines; /* in the order of paying */
    size_t count;
    int64_t until_ns;
    int64_t since_ns;
    met_decimal usage;
    met_decimal grant_usage;
    met_decimal overage;
    int is_idle;           /* the last segment brought no usage */
    int has_reset;         /* one is to come */
    size_t reset_index;    /* in the list of the terms, not before it */
    met__burn_reset reset; /* the next one */
    int64_t unused_to_ns;  /* up to there nothing is used */
    size_t steps;          /* segments, kept or not */
    size_t capacity;
    size_t segment_count;
    met__burn_segment *segments;
} met__run;

/* Issued at at_ns by its beginning or its recurrence. */
static inline int met__run_line_is_due(const met__run_line *line,
                                       int64_t at_ns)
{
    return line->active.from_ns == at_ns || line->next_ns == at_ns;
}
/* min(rollover_max, max(rollover_min, balance)) */
met_decimal met__run_rolled(const met__grant *grant, met_decimal balance);
/* The resets around at_ns: the last one up to it and the next one, which is
 * MET__TIME_MAX when there is none, and the number of the last. */
met_error met__run_cycle_at(const met__burn_cycle *cycle, int64_t at_ns,
                            met__period *around_out, int64_t *n_out);
/* The next reset behind after_ns, if any. */
met_error met__run_find_reset(met__run *self, int64_t after_ns);
/* From *at_ns on, where resets are done and grants not issued yet, to a later
 * instant in the same position: but for a reset there, which is not done. */
met_error met__run_leap(met__run *self, int64_t *at_ns);

#endif
