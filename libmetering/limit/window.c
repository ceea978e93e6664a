/* The table of window algorithms, and what they share. In: limit, length,
 * algorithm. Out: a shape with every number worked out. */
#include "limit/window.h"

#include <stddef.h>

#include "metering/limiter.h"

#define SNAPSHOT_TRIES 1000

/* The first row of an algorithm that accepts the numbers serves them. */
static const met__window_ops *const algorithms[] = {
    &met__window_log,
    &met__window_tape,
    &met__window_counter,
    &met__window_epoch,
    &met__window_calendar,
    &met__window_gcra,
};

met_error met__window_shape(met__shape *shape, uint64_t limit,
                            uint64_t window_ns, uint32_t algorithm)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (algorithms[i]->algorithm != algorithm) {
            continue;
        }
        *shape = (met__shape){.ops = algorithms[i],
                              .limit = limit,
                              .window_ns = window_ns,
                              .algorithm = algorithm};
        if (algorithms[i]->shape(shape) == MET_OK) {
            return MET_OK;
        }
    }
    return MET_E_UNSUPPORTED;
}

/* With s = floor(log2 d) and m = ceil(2^(64+s) / d), n * m >> (64+s) is n / d
 * for every n < 2^63: the error n * (m * d - 2^(64+s)) stays below 2^(64+s).
 * A power of two uses half of both, so that m fits. */
void met__window_divider(met__shape *shape)
{
    uint64_t divisor = shape->tick_ns;
    uint32_t log = 63 - (uint32_t)__builtin_clzll(divisor);

    if ((divisor & (divisor - 1)) == 0) {
        shape->magic = UINT64_C(1) << 63;
        shape->shift = 63 + log;
        return;
    }
    met__wide power = (met__wide)1 << (64 + log);
    shape->magic = (uint64_t)((power + divisor - 1) / divisor);
    shape->shift = 64 + log;
}

int met__window_snapshot(const met__record *record, met__snapshot *copy_out)
{
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        uint64_t head = met__load_acquire(&record->head);
        for (int word = 0; word < MET__HISTORY_WORDS; word++) {
            copy_out->history[word] =
                met__load_acquire(&record->history[word]);
        }
        if (met__load_acquire(&record->head) == head) {
            copy_out->head =
                head & ~(MET__HEAD_FROZEN | MET__HEAD_CLOSED);
            return (head & MET__HEAD_CLOSED) == 0;
        }
    }
    return 0;
}
