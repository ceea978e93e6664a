/* The staircase tape as a plain list of quanta. */
#ifndef TESTS_LIMIT_TAPE_MODEL_H
#define TESTS_LIMIT_TAPE_MODEL_H

#include "limit_support.h"

/* Slots of complete quanta, oldest first, as far as they weigh. */
typedef struct model {
    uint64_t quanta[800];
    size_t count;
    uint64_t pending; /* hits of the newest slot, and less than a quantum */
    uint64_t newest;
} model;

/* As it is in a slot, without a hit there. */
static inline model model_at(const model *m, const met__shape *shape,
                             uint64_t slot)
{
    size_t most = (shape->limit + shape->quantum - 1) / shape->quantum;
    model now = *m;
    size_t gone = 0;

    if (slot <= m->newest) {
        return now;
    }
    if (slot > m->newest + shape->slots) {
        return (model){.newest = slot};
    }
    uint64_t fresh = m->pending / shape->quantum;
    for (uint64_t i = 0; i < fresh && i < most; i++) {
        now.quanta[now.count++] = m->newest;
    }
    now.pending = m->pending % shape->quantum;
    while (gone < now.count
           && (now.count - gone > most
               || slot > now.quanta[gone] + shape->slots)) {
        gone++;
    }
    memmove(now.quanta, now.quanta + gone,
            (now.count - gone) * sizeof now.quanta[0]);
    now.count -= gone;
    now.newest = slot;
    return now;
}

static inline uint64_t model_used(const model *m, const met__shape *shape)
{
    return m->count * shape->quantum + m->pending;
}

#endif
