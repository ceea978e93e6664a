/* What counting an event costs: met_recorder_add beside the least there could
 * be, an atomic add to one shared counter. */
#include "bench.h"

#include <ftw.h>
#include <unistd.h>

#include <metering/meter.h>
#include <metering/store.h>

#define ATTRIBUTES 6
#define EVERY_SECOND 1000000u /* events between two ticks, about a second */

typedef struct recording {
    met_recorder *recorder;
    met_event event;
    met_pair pairs[ATTRIBUTES];
    met_quantity quantity;
    char subject[16];
    uint64_t subjects; /* as many live shapes */
    uint64_t state;
    uint64_t turn;
    uint64_t counter;
} recording;

static void must(met_error error, const char *what)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s: %s\n", what, met_error_name(error));
        exit(1);
    }
}

static void choose_subject(recording *r)
{
    uint64_t number = bench_random(&r->state) % r->subjects;

    for (size_t i = 0; i < 8; i++) {
        r->subject[i] = "0123456789abcdef"[number >> (4 * i) & 15];
    }
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

static void atomic_add(void *context, uint64_t count)
{
    recording *r = context;

    for (uint64_t i = 0; i < count; i++) {
        __atomic_fetch_add(&r->counter, 1, __ATOMIC_RELAXED);
    }
    bench_keep(r->counter);
}

/* One 64-byte line of many, at random: what memory alone costs. */
static uint64_t *lines;

static void random_lines(void *context, uint64_t count)
{
    recording *r = context;

    for (uint64_t i = 0; i < count; i++) {
        choose_subject(r);
        lines[bench_random(&r->state) % r->subjects * 8]++;
    }
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
        .utc_ns = (int64_t)time(NULL) * 1000000000,
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

static void measure(met_store *store, const char *name, uint64_t shapes,
                    const char *type, int with_quantity, int own_clock)
{
    recording r;

    fill(&r, store, shapes);
    rest(&r);
    r.event.type = type;
    r.event.type_size = strlen(type);
    r.event.quantity_count = with_quantity ? 1 : 0;
    if (own_clock) {
        r.event.utc_ns = 0;
    }
    if (shapes > 1) { /* all of them live, room made by ticks */
        for (uint64_t i = 0; i < 4 * shapes; i += 2000) {
            record(&r, 2000);
            must(met_recorder_tick(r.recorder), "tick");
        }
        lines = calloc(shapes, 64);
        if (lines == NULL) {
            exit(1);
        }
        bench_case(name, record, &r, "one random 64-byte line", random_lines,
                   &r);
        free(lines);
    } else {
        bench_case(name, record, &r, "atomic add", atomic_add, &r);
    }
    met_recorder_close(r.recorder);
}

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
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};
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
    measure(store, "record: one shape of 6 attributes", 1, "request", 0, 0);
    measure(store, "record: the same, time by the clock", 1, "request", 0, 1);
    measure(store, "record: a sum, one shape of 1 attribute", 1, "transfer",
            1, 0);
    measure(store, "record: 100,000 shapes of 6 attributes", 100000,
            "request", 0, 0);
    met_store_close(store);
    nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
