/* What counting an event costs: met_recorder_add beside the least there could
 * be, an atomic add to one shared counter. Nanoseconds are processor time. */
#define BENCH_PROCESSOR_TIME
#include "bench.h"

#include <ftw.h>
#include <pthread.h>
#include <unistd.h>

#include <metering/meter.h>
#include <metering/recorder.h>
#include <metering/store.h>

#define ATTRIBUTES 6
#define EVERY_SECOND 1000000u /* events between two ticks, about a second */

#define BATCH 16u

typedef struct recording {
    met_recorder *recorder;
    met_prepared *prepared;
    met_event event;
    met_pair pairs[ATTRIBUTES];
    met_quantity quantity;
    char subject[16];
    uint64_t subjects; /* as many live shapes */
    uint64_t state;
    uint64_t turn;
    uint64_t counter;
    uint64_t half; /* of a round, for each of two threads */
} recording;

/* Time stands still, or every shape would need a cell for every minute that a
 * slow machine takes; one case reads the real clock. */
static int64_t still_ns;

static int64_t clock_ns(void *context)
{
    struct timespec now;

    (void)context;
    if (still_ns != 0) {
        return still_ns;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void must(met_error error, const char *what)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s\n", what, met_error_name(error));
        exit(1);
    }
}

static void name_subject(recording *r, uint64_t number)
{
    for (size_t i = 0; i < 8; i++) {
        r->subject[i] = "0123456789abcdef"[number >> (4 * i) & 15];
    }
}

static void choose_subject(recording *r)
{
    name_subject(r, bench_random(&r->state) % r->subjects);
}

static void record(void *context, uint64_t count)
{
    recording *r = context;

    for (uint64_t i = 0; i < count; i++) {
        if (r->subjects > 1) {
            choose_subject(r);
        }
        must(met_recorder_add(r->recorder, &r->event, NULL), "add");
        if (++r->turn % EVERY_SECOND == 0) {
            must(met_recorder_tick(r->recorder), "tick");
        }
    }
}

static void record_prepared(void *context, uint64_t count)
{
    recording *r = context;

    for (uint64_t i = 0; i < count; i++) {
        must(met_prepared_add(r->prepared, NULL, 0, r->event.utc_ns, NULL),
             "prepared");
        if (++r->turn % EVERY_SECOND == 0) {
            must(met_recorder_tick(r->recorder), "tick");
        }
    }
}

static void record_batch(void *context, uint64_t count)
{
    recording *r = context;
    met_event events[BATCH];
    char subjects[BATCH][sizeof r->subject];
    met_error errors[BATCH];

    for (uint64_t i = 0; i < count; i += BATCH) {
        for (size_t k = 0; k < BATCH; k++) {
            choose_subject(r);
            memcpy(subjects[k], r->subject, sizeof r->subject);
            events[k] = r->event;
            events[k].subject = subjects[k];
        }
        must(met_recorder_add_batch(r->recorder, events, BATCH, errors, NULL),
             "batch");
        r->turn += BATCH;
        if (r->turn % EVERY_SECOND < BATCH) {
            must(met_recorder_tick(r->recorder), "tick");
        }
    }
}

static void atomic_add(void *context, uint64_t count)
{
    recording *r = context;

    for (uint64_t i = 0; i < count; i++) {
        __atomic_fetch_add(&r->counter, 1, __ATOMIC_RELAXED);
    }
    bench_keep(r->counter);
}

/* The memory of an event and nothing else: a line that says where its cell is,
 * a line of the cell, the cell's sequence. A batch sends for the next before
 * it has this one; one event is too long for that, so each waits for the one
 * before. */
static struct {
    uint64_t *places; /* 64 bytes each, half as many again as shapes_max */
    uint64_t *cells;  /* two copies of 64 bytes each */
    uint64_t *sequences;
    uint64_t place_count;
} bare;

static void touch(recording *r, uint64_t at)
{
    uint64_t cell = bare.places[at * 8];

    bare.cells[cell * 16]++;
    bare.sequences[cell]++;
    r->turn += cell;
}

static void bare_batch(void *context, uint64_t count)
{
    recording *r = context;

    for (uint64_t i = 0; i < count; i++) {
        choose_subject(r);
        touch(r, bench_random(&r->state) % bare.place_count);
    }
}

static void bare_events(void *context, uint64_t count)
{
    recording *r = context;
    uint64_t zero = 0;

    for (uint64_t i = 0; i < count; i++) {
        choose_subject(r);
        uint64_t at = (bench_random(&r->state) + zero) % bare.place_count;
        touch(r, at);
        zero = bare.sequences[bare.places[at * 8]] >> 63;
    }
}

static void make_bare(uint64_t shapes)
{
    uint64_t most = shapes > 65536 ? 2 * shapes : 65536;

    bare.place_count = (most + most / 8) * 3 / 2;
    bare.places = aligned_alloc(64, bare.place_count * 64);
    bare.cells = aligned_alloc(64, shapes * 128);
    bare.sequences = aligned_alloc(64, shapes * 64);
    if (bare.places == NULL || bare.cells == NULL || bare.sequences == NULL) {
        exit(1);
    }
    memset(bare.places, 0, bare.place_count * 64);
    memset(bare.cells, 0, shapes * 128);
    memset(bare.sequences, 0, shapes * 64);
    for (uint64_t i = 0; i < bare.place_count; i++) {
        bare.places[i * 8] = i % shapes;
    }
}

static void free_bare(void)
{
    free(bare.places);
    free(bare.cells);
    free(bare.sequences);
}

static void fill(recording *r, met_store *store, uint64_t shapes)
{
    static const char *const names[ATTRIBUTES] = {
        "consumer", "method", "region", "route", "service", "status"};
    static const char *const values[ATTRIBUTES] = {
        "acme-production", "GET", "eu-west-1", "orders-list", "orders", "200"};
    met_recorder_config config = {.struct_size = sizeof config,
                                  .shapes_max = shapes > 65536 ? 2 * shapes
                                                               : 0};

    *r = (recording){.subjects = shapes};
    memcpy(r->subject, "customer-0001", 14);
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        r->pairs[i] = (met_pair){names[i], strlen(names[i]), values[i],
                                 strlen(values[i])};
    }
    r->quantity = (met_quantity){.key = "bytes", .key_size = 5};
    must(met_decimal_parse("1234.5", 6, &r->quantity.value), "decimal");
    r->event = (met_event){
        .struct_size = sizeof r->event,
        .type = "request",
        .type_size = 7,
        .subject_size = 13,
        .attributes = r->pairs,
        .attribute_count = ATTRIBUTES,
        .utc_ns = still_ns,
    };
    must(met_recorder_open(store, &config, &r->recorder, NULL), "recorder");
}

/* The struct has moved: pointers into it are set where it rests. */
static void rest(recording *r)
{
    r->event.subject = r->subject;
    r->event.attributes = r->pairs;
    r->event.quantities = &r->quantity;
}

static void put_meter(met_store *store, const char *json)
{
    must(met_meter_put(store, json, strlen(json), NULL, NULL), "meter");
}

/* All subjects live, room made by ticks. */
static void warm_up(recording *r)
{
    for (uint64_t i = 0; i < r->subjects; i++) {
        if (i % 2000 == 0) {
            must(met_recorder_tick(r->recorder), "tick");
        }
        name_subject(r, i);
        must(met_recorder_add(r->recorder, &r->event, NULL), "add");
    }
}

typedef struct measured {
    const char *name;
    const char *type;
    uint64_t shapes;
    bench_run run;
    int with_quantity;
    int own_clock;
} measured;

static void measure(met_store *store, const measured *m)
{
    recording r;

    still_ns = INT64_C(1772323200000000000); /* 2026-03-01 */
    fill(&r, store, m->shapes);
    rest(&r);
    r.event.type = m->type;
    r.event.type_size = strlen(m->type);
    if (m->run == record_prepared) {
        r.event.utc_ns = 0;
        must(met_prepared_open(r.recorder, &r.event, &r.prepared, NULL),
             "prepared");
        r.event.utc_ns = still_ns;
    }
    r.event.quantity_count = m->with_quantity ? 1 : 0;
    if (m->own_clock) {
        r.event.utc_ns = 0;
        still_ns = 0;
    }
    if (m->shapes > 1) {
        warm_up(&r);
        make_bare(m->shapes);
        if (m->run == record_batch) {
            bench_case(m->name, m->run, &r, "its memory alone, overlapped",
                       bare_batch, &r);
        } else {
            bench_case(m->name, m->run, &r, "its memory alone", bare_events,
                       &r);
        }
        free_bare();
    } else {
        bench_case(m->name, m->run, &r, "atomic add", atomic_add, &r);
    }
    met_prepared_close(r.prepared);
    met_recorder_close(r.recorder);
}

/* --- Two threads, each with a recorder ------------------------------------ */
static uint64_t shared_counter;

static void *record_half(void *context)
{
    record(context, ((recording *)context)->half);
    return NULL;
}

static void *atomic_half(void *context)
{
    for (uint64_t i = ((recording *)context)->half; i > 0; i--) {
        __atomic_fetch_add(&shared_counter, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Both do half of it at once; processor time is that of both. */
static void in_halves(void *(*run)(void *), recording **pair, uint64_t count)
{
    pthread_t thread;

    pair[0]->half = pair[1]->half = count / 2;
    if (pthread_create(&thread, NULL, run, pair[1]) != 0) {
        exit(1);
    }
    (void)run(pair[0]);
    pthread_join(thread, NULL);
}

static void record_by_two(void *context, uint64_t count)
{
    in_halves(record_half, context, count);
}

static void atomic_by_two(void *context, uint64_t count)
{
    in_halves(atomic_half, context, count);
}

static void measure_two(met_store *store, const char *name, uint64_t shapes)
{
    /* Each on lines of its own: what is shared is not the benchmark's. */
    static struct {
        recording of;
        char apart[256];
    } both[2];

    still_ns = INT64_C(1772323200000000000);
    for (size_t i = 0; i < 2; i++) {
        fill(&both[i].of, store, shapes);
        rest(&both[i].of);
        both[i].of.state = i;
        if (shapes > 1) {
            warm_up(&both[i].of);
        }
    }
    recording *pair[] = {&both[0].of, &both[1].of};
    bench_case(name, record_by_two, pair, "two threads add to one atomic",
               atomic_by_two, pair);
    for (size_t i = 0; i < 2; i++) {
        met_recorder_close(both[i].of.recorder);
    }
}

static const measured cases[] = {
    {"record: one shape of 6 attributes", "request", 1, record, 0, 0},
    {"record: the same, prepared", "request", 1, record_prepared, 0, 0},
    {"record: the same, time by the clock", "request", 1, record, 0, 1},
    {"record: a sum, one shape of 1 attribute", "transfer", 1, record, 1, 0},
    {"record: 100,000 shapes of 6 attributes", "request", 100000, record, 0,
     0},
    {"record: the same, batches of 16", "request", 100000, record_batch, 0, 0},
    {"record: 1,000,000 shapes of 6 attributes", "request", 1000000, record,
     0, 0},
    {"record: 1,000,000 shapes, batches of 16", "request", 1000000,
     record_batch, 0, 0},
};

static int remove_entry(const char *path, const struct stat *found, int kind,
                        struct FTW *where)
{
    (void)found;
    (void)kind;
    (void)where;
    return remove(path);
}

/* In memory: a disk would write dirty pages back now and then, and a recorder
 * that touches such a page waits for the disk, not for us. */
int main(void)
{
    char home[] = "/dev/shm/bench-record-XXXXXX";
    char path[64];
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {NULL, clock_ns, clock_ns}};
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE,
                               .platform = &platform};
    met_store *store = NULL;

    if (mkdtemp(home) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/store", home);
    must(met_store_open(path, strlen(path), &config, &store, NULL), "store");
    put_meter(store,
              "{\"key\":\"requests\",\"name\":\"Requests\",\"event_type\":"
              "\"request\",\"aggregation\":\"count\",\"dimensions\":{"
              "\"consumer\":\"$.consumer\",\"method\":\"$.method\","
              "\"region\":\"$.region\",\"route\":\"$.route\","
              "\"service\":\"$.service\",\"status\":\"$.status\"}}");
    put_meter(store,
              "{\"key\":\"bytes\",\"name\":\"Bytes\",\"event_type\":"
              "\"transfer\",\"aggregation\":\"sum\",\"value_property\":"
              "\"$.bytes\",\"dimensions\":{\"service\":\"$.service\"}}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        measure(store, &cases[i]);
    }
    measure_two(store, "record: two threads, one shape each", 1);
    measure_two(store, "record: two threads, 100,000 shapes each", 100000);
    met_store_close(store);
    nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
