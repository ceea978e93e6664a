/* The events that every peer of ingest takes in: random ids, one in a hundred
 * sent before; 10,000 subjects, 8 services, two minutes. The same in every
 * peer. */
#ifndef BENCH_PEERS_EVENTS_H
#define BENCH_PEERS_EVENTS_H

#include "peer.h"

#define EVENTS_BATCH 1000
#define EVENTS_ID_SIZE 32
#define EVENTS_SUBJECTS 10000
#define EVENTS_SERVICES 8
#define EVENTS_SOURCE "gateway-1"
#define EVENTS_TYPE "transfer"

typedef struct event {
    char id[EVENTS_ID_SIZE + 1];
    char subject[16];
    char service[16];
    char bytes[16];
    uint32_t byte_count; /* the same as a number */
    int64_t utc_ns;
} event;

typedef struct events {
    uint64_t known; /* ids that were sent before the first round */
    uint64_t made;  /* events since then */
    uint64_t duplicates;
    int64_t begin_ns; /* a minute's begin */
} events;

static inline void events_id(uint64_t number, char text[EVENTS_ID_SIZE + 1])
{
    uint64_t state = number * 2 + 1;
    unsigned long long high = bench_random(&state);
    unsigned long long low = bench_random(&state);

    snprintf(text, EVENTS_ID_SIZE + 1, "%016llx%016llx", high, low);
}

static inline void events_fill(const events *all, uint64_t number, event *out)
{
    uint64_t state = ~number;
    uint64_t random = bench_random(&state);

    events_id(number, out->id);
    snprintf(out->subject, sizeof out->subject, "customer-%05u",
             (unsigned)(random % EVENTS_SUBJECTS));
    snprintf(out->service, sizeof out->service, "service-%u",
             (unsigned)((random >> 20) % EVENTS_SERVICES));
    out->byte_count = (uint32_t)(random >> 32) % 1000000;
    snprintf(out->bytes, sizeof out->bytes, "%u", (unsigned)out->byte_count);
    out->utc_ns = all->begin_ns
                  + (int64_t)(random >> 40) % 120 * INT64_C(1000000000);
}

/* The next event of the rounds: known ids are 0 to known - 1. */
static inline void events_next(events *all, event *out)
{
    uint64_t at = all->made++;

    if (at % 100 == 99 && all->known > 0) {
        uint64_t state = at;
        events_fill(all, bench_random(&state) % all->known, out);
        all->duplicates++;
    } else {
        events_fill(all, all->known + at, out);
    }
}

static inline events events_begin(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    /* Two whole minutes that have passed, an hour ago. */
    return (events){.known = peer_option("BENCH_KNOWN", 1000000),
                    .begin_ns = (now.tv_sec / 3600 - 1) * 3600
                                * INT64_C(1000000000)};
}

#endif
