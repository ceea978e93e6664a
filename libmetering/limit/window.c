/* The table of window algorithms, and what they share. In: limit, length,
 * algorithm. Out: a shape with every number worked out. */
#include "limit/window.h"

#include <stddef.h>

#include "metering/limiter.h"

#define SNAPSHOT_TRIES 1000
#define UNDO_TRIES 100000

/* The first row of an algorithm that accepts the numbers serves them. */
static const met__window_ops *const algorithms[] = {
    &met__window_log,
    &met__window_tape,
    &met__window_counter,
    &met__window_epoch,
    &met__window_calendar,
    &met__window_gcra,
    &met__window_flight,
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

/* With s = floor(log2 d) and m = floor(2^(64+s) / d), (n + 1) * m >> (64+s) is
 * n / d for every n < 2^63: rounding m down takes less than n + 1 <= 2^63 off
 * the product, and the 1 that was added is worth 2^(64+s) / d > 2^63. Of a
 * power of two m would be 2^64; one less does the same for every n. */
void met__window_divider(met__shape *shape)
{
    uint64_t divisor = shape->tick_ns;
    uint32_t log = 63 - (uint32_t)__builtin_clzll(divisor);
    met__wide power = (met__wide)1 << (64 + log);

    shape->magic = (divisor & (divisor - 1)) == 0
                       ? UINT64_MAX
                       : (uint64_t)(power / divisor);
    shape->shift = log;
}

/* A copy of head and name that is older than a reset cannot be swapped any
 * more: the reset has turned the name. One that is newer is of another turn
 * than the mark's. */
int met__window_undo(met__record *record, const met__shape *shape,
                     const met__window_mark *mark, uint64_t cost)
{
    uint64_t shut = shape->ops->is_held ? MET__HEAD_CLOSED : MET__HEAD_FROZEN;

    for (int i = 0; i < UNDO_TRIES; i++) {
        uint64_t found[2] = {met__load_acquire(&record->head), mark->name};
        uint64_t less[2] = {0, mark->name};
        if ((found[0] & shut)
            || met__load_acquire(&record->name) != mark->name) {
            return 0;
        }
        int is_newest = shape->ops->undo(record, shape, found[0], mark->stamp,
                                         cost, &less[0]);
        if (is_newest && met__cas_pair(&record->head, found, less)) {
            return 1;
        }
        if (!is_newest && met__load_acquire(&record->head) == found[0]) {
            return 0;
        }
    }
    return 0;
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
