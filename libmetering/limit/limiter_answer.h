/* Pieces of an answer that both ways of a decision write. */
#ifndef MET_LIMIT_LIMITER_ANSWER_H
#define MET_LIMIT_LIMITER_ANSWER_H

#include "limit/limiter_ticket.h"

static inline int64_t met__answer_ns(uint64_t ns)
{
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

/* Everything but the windows; the ticket is empty. */
static inline void met__answer_begin(met_limiter_result *out,
                                     uint32_t is_allowed, uint32_t reason,
                                     uint32_t count)
{
    out->is_allowed = is_allowed;
    out->reason = reason;
    out->window_count = count;
    out->refused = 0;
    out->reported = 0;
    out->reserved = 0;
    out->wait_ns = 0;
    met__ticket_clear(&out->ticket);
}

/* A window without its times. */
static inline void met__answer_window(met_limiter_window_result *out,
                                      const met__shape *shape,
                                      uint64_t limit, uint64_t used,
                                      uint32_t is_refusing)
{
    out->limit = limit;
    out->remaining = used < limit ? limit - used : 0;
    out->window_ns = (int64_t)shape->window_ns;
    out->reset_ns = 0;
    out->wait_ns = 0;
    out->algorithm = shape->algorithm;
    out->is_refusing = is_refusing;
}

/* The times of a window without predecessors in which `used` weighs. A record
 * that was given away holds nothing. */
void met__answer_times(met_limiter_window_result *out,
                       const met__shape *shape, const met__record *record,
                       uint64_t name, uint64_t used,
                       const met__window_ask *ask);

#endif
