/* Our own ingest of the events that the peers take in: met_event_ingest in
 * batches of 1,000, each committed to the disk. */
#include "../events.h"

#include <ftw.h>
#include <unistd.h>

#include <metering/event.h>
#include <metering/meter.h>
#include <metering/store.h>

#define FILL_BATCH 10000

typedef struct ingest {
    met_store *store;
    met_ingest *handle;
    events events;
    uint64_t accepted;
} ingest;

typedef struct batch {
    event raw[FILL_BATCH];
    met_pair pairs[FILL_BATCH];
    met_quantity quantities[FILL_BATCH];
    met_ingest_event events[FILL_BATCH];
    met_event_verdict verdicts[FILL_BATCH];
} batch;

static ingest the_ingest;
static batch the_batch;

static void must(met_error error, const met_error_info *info)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s %s %s\n", met_error_name(error), info->field,
                info->reason);
        exit(1);
    }
}

static void describe(batch *b, size_t i)
{
    static const met_error_info none = {.struct_size = sizeof none};
    const event *e = &b->raw[i];

    b->pairs[i] = (met_pair){"service", 7, e->service, strlen(e->service)};
    b->quantities[i] = (met_quantity){.key = "bytes", .key_size = 5};
    must(met_decimal_parse(e->bytes, strlen(e->bytes),
                           &b->quantities[i].value),
         &none);
    b->events[i] = (met_ingest_event){
        .id = e->id,
        .id_size = EVENTS_ID_SIZE,
        .source = EVENTS_SOURCE,
        .source_size = strlen(EVENTS_SOURCE),
        .type = EVENTS_TYPE,
        .type_size = strlen(EVENTS_TYPE),
        .subject = e->subject,
        .subject_size = strlen(e->subject),
        .attributes = &b->pairs[i],
        .attribute_count = 1,
        .quantities = &b->quantities[i],
        .quantity_count = 1,
        .utc_ns = e->utc_ns,
    };
}

static void take_in(ingest *in, batch *b, size_t count)
{
    met_error_info info = {.struct_size = sizeof info};

    must(met_event_ingest(in->handle, b->events, count, NULL, b->verdicts,
                          &info),
         &info);
    for (size_t i = 0; i < count; i++) {
        in->accepted += b->verdicts[i].verdict == MET_VERDICT_ACCEPTED;
    }
}

/* Known ids count nothing: their bytes are 0. */
static void fill(ingest *in, batch *b)
{
    for (uint64_t done = 0; done < in->events.known;) {
        uint64_t left = in->events.known - done;
        size_t count = left < FILL_BATCH ? (size_t)left : FILL_BATCH;
        for (size_t i = 0; i < count; i++) {
            events_fill(&in->events, done + i, &b->raw[i]);
            snprintf(b->raw[i].bytes, sizeof b->raw[i].bytes, "0");
            describe(b, i);
        }
        take_in(in, b, count);
        done += count;
    }
    in->accepted = 0;
}

static void open_ingest(ingest *in, const char *path)
{
    static const char meter[] =
        "{\"key\": \"bytes\", \"name\": \"Bytes\", \"event_type\": "
        "\"" EVENTS_TYPE "\", \"aggregation\": \"sum\", \"value_property\": "
        "\"$.bytes\", \"events_from\": \"2020-01-01T00:00:00Z\", "
        "\"dimensions\": {\"service\": \"$.service\"}}";
    met_error_info info = {.struct_size = sizeof info};
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};

    must(met_store_open(path, strlen(path), &config, &in->store, &info),
         &info);
    must(met_meter_put(in->store, meter, strlen(meter), NULL, &info), &info);
    must(met_ingest_open(in->store, NULL, &in->handle, &info), &info);
    in->events = events_begin();
    fill(in, &the_batch);
}

static double run(const peer_case *c, uint64_t count, uint64_t *allowed_out)
{
    uint64_t (*clock_ns)(void) = c->context == NULL ? bench_now_ns
                                                    : peer_cpu_ns;
    ingest *in = &the_ingest;
    uint64_t took = 0;

    (void)allowed_out;
    for (uint64_t done = 0; done < count; done += EVENTS_BATCH) {
        for (size_t i = 0; i < EVENTS_BATCH; i++) {
            events_next(&in->events, &the_batch.raw[i]);
            describe(&the_batch, i);
        }
        uint64_t began = clock_ns();
        take_in(in, &the_batch, EVENTS_BATCH);
        took += clock_ns() - began;
    }
    if (in->accepted != in->events.made - in->events.duplicates) {
        fprintf(stderr, "accepted %llu of %llu\n",
                (unsigned long long)in->accepted,
                (unsigned long long)(in->events.made
                                     - in->events.duplicates));
        exit(1);
    }
    return (double)took;
}

/* What is stored of the rounds so far. */
static void print_results(const peer_case *c, uint64_t count)
{
    static const char query[] = "{\"meter\": \"bytes\"}";
    static const char value[] = "\"value\":\"";
    met_error_info info = {.struct_size = sizeof info};
    met_buffer json = {0};

    (void)c;
    (void)count;
    must(met_usage_query(the_ingest.store, query, strlen(query), &json,
                         &info),
         &info);
    const char *at = memmem(json.data, json.size, value, strlen(value));
    if (at == NULL) {
        fprintf(stderr, "%.*s\n", (int)json.size, (const char *)json.data);
        exit(1);
    }
    at += strlen(value);
    printf("\"%.*s bytes\"", (int)strcspn(at, "\""), at);
    met_buffer_release(&json);
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

int main(int count, char **words)
{
    const peer_case cases[] = {
        {"durable event, wall clock", "libmetering",
         ", \"is_base\": true, \"count\": 20000", run, print_results, NULL},
        {"durable event, processor time", "libmetering",
         ", \"is_base\": true, \"count\": 20000", run, NULL, &the_ingest},
    };
    char path[512];

    if (count != 2) {
        fprintf(stderr, "usage: peer_ingest FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/ingest-%ld", words[1], (long)getpid());
    open_ingest(&the_ingest, path);
    int status = peer_serve(cases, 2);
    met_ingest_close(the_ingest.handle);
    met_store_close(the_ingest.store);
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}
