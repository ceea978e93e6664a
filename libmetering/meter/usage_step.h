/* Changes of usage, told to later rooms inside the transaction that writes
 * them: balances follow usage, whichever way it came in. */
#ifndef MET_METER_USAGE_STEP_H
#define MET_METER_USAGE_STEP_H

#include "meter/usage_query.h"
#include "meter/usage_shape.h"

/* What one part changed for one meter: the step functions see every change of
 * a transaction, inside it. Dimensions and the subject are of the meter. */
typedef struct met__usage_change {
    const met__meter *meter;
    met__text subject;
    met__text values[MET__DIMENSIONS_MAX]; /* beside meter->dimensions */
    int64_t minute_ns;
    uint32_t is_admitted; /* came through admit */
    uint32_t reserved;
    met_decimal delta; /* new minus stored: count, or sum; other aggregations
                          0: look at the store */
} met__usage_change;

/* A later room's part of every transaction that writes usage (api hands the
 * list in). Called in order; any may be NULL. committed may touch shared
 * memory. */
typedef struct met__settle_step {
    void *context;
    met_error (*begin)(void *context, met__txn *txn);
    met_error (*change)(void *context, met__txn *txn,
                        const met__usage_change *change);
    met_error (*end)(void *context, met__txn *txn);
    void (*committed)(void *context); /* after a successful commit */
    void (*aborted)(void *context);
} met__settle_step;

typedef struct met__steps {
    const met__settle_step *list;
    size_t count;
    size_t begun; /* of the transaction that is running */
} met__steps;

met_error met__steps_begin(met__steps *steps, met__txn *txn);
met_error met__steps_end(met__steps *steps, met__txn *txn);
/* After the transaction: tells those that began how it went. */
void met__steps_over(met__steps *steps, int is_committed);

/* What is known of meters and shapes while one transaction writes parts. */
typedef struct met__telling {
    const met__steps *steps;
    met__txn *txn;
    met__arena *arena;
    const met__meter **meters;
    size_t meter_count;
    struct met__known_shape *places; /* NULL: nothing was told yet */
    met__usage_shape *shape;         /* the one that is being looked at */
} met__telling;

void met__telling_begin(met__telling *telling, const met__steps *steps,
                        met__txn *txn, met__arena *arena);
/* words are a part's (usage_part.h), stored what it was before or NULL: every
 * meter the usage belongs to is told of the difference. */
met_error met__steps_tell(met__telling *telling, uint64_t shape,
                          uint32_t minute, const uint64_t *stored,
                          const uint64_t *words);

#endif
