/* The compiled catalog at full size: consumers with a key and a group each,
 * half of them with a limit of their own group. How long applying, compiling
 * and mapping take, how large the file is, and what a request costs whose key
 * was not seen before, at random among all, alone and in batches, and one that
 * was.
 *
 *     bench_snapshot [--consumers N]      100,000, or what is said */
#define BENCH_PROCESSOR_TIME
#include "bench.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <metering/metering.h>

#define CHUNK 10000 /* consumers of one document */
#define LOOKUPS 100000
#define BATCH 64

static void must(met_error error, const met_error_info *info)
{
    if (error != MET_OK) {
        fprintf(stderr, "%s %s %s\n", met_error_name(error), info->field,
                info->reason);
        exit(1);
    }
}

static double seconds_since(uint64_t began)
{
    return (double)(bench_now_ns() - began) * 1e-9;
}

static void apply(met_store *store, const char *json, size_t size)
{
    met_error_info info = {.struct_size = sizeof info};
    met_buffer out = {0};

    must(met_catalog_apply(store, json, size, 0, 0, &out, &info), &info);
    met_buffer_release(&out);
}

static void apply_rules(met_store *store)
{
    static const char rules[] =
        "{\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\","
        "\"url\":\"http://127.0.0.1:9/\",\"routes\":[{\"name\":\"r\","
        "\"paths\":[\"/\"]}]}],\"consumer_groups\":[{\"name\":\"gold\"}],"
        "\"plugins\":[{\"name\":\"key-auth\"},{\"name\":\"acl\",\"config\":"
        "{\"allow\":[\"all\"]}},{\"name\":\"rate-limiting\","
        "\"consumer_group\":\"gold\",\"config\":{\"minute\":1000}}]}";

    apply(store, rules, sizeof rules - 1);
}

static void apply_consumers(met_store *store, unsigned long from,
                            unsigned long to)
{
    size_t room = (to - from) * 200 + 100;
    char *json = malloc(room);
    size_t size = 0;

    if (json == NULL) {
        exit(1);
    }
    size += (size_t)snprintf(json, room, "{\"consumers\":[");
    for (unsigned long i = from; i < to; i++) {
        size += (size_t)snprintf(
            json + size, room - size,
            "%s{\"username\":\"c%lu\",\"keyauth_credentials\":[{\"key\":"
            "\"key-%lu\"}],\"acls\":[{\"group\":\"all\"}]%s}",
            i > from ? "," : "", i, i,
            i % 2 ? ",\"groups\":[\"gold\"]" : "");
    }
    size += (size_t)snprintf(json + size, room - size, "]}");
    apply(store, json, size);
    free(json);
}

static unsigned long long snapshot_bytes(const char *home)
{
    char path[512];
    unsigned long long bytes = 0;
    struct stat stat_of;

    snprintf(path, sizeof path, "%s/gateway", home);
    DIR *directory = opendir(path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char file[1024];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (strncmp(entry->d_name, "snapshot-", 9) == 0
            && stat(file, &stat_of) == 0
            && (unsigned long long)stat_of.st_size > bytes) {
            bytes = (unsigned long long)stat_of.st_size;
        }
    }
    closedir(directory);
    return bytes;
}

/* Nanoseconds of an admission and its release. */
static double admit(met_gateway *gateway, unsigned long among,
                    unsigned long count)
{
    met_gateway_decision decision = {.struct_size = sizeof decision};
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .flags = MET_GATEWAY_NOT_SERVED};
    char key[32];
    met_pair header = {"apikey", 6, key, 0};
    met_gateway_request request = {.struct_size = sizeof request,
                                   .method = "GET",
                                   .method_size = 3,
                                   .path = "/x",
                                   .path_size = 2,
                                   .headers = &header,
                                   .header_count = 1};
    static uint64_t random = 1;
    uint64_t began = bench_now_ns();

    for (unsigned long i = 0; i < count; i++) {
        header.value_size = (size_t)snprintf(
            key, sizeof key, "key-%lu", bench_random(&random) % among);
        if (met_gateway_admit(gateway, &request, &decision) != MET_OK
            || (!decision.is_admitted
                && decision.reason != MET_GATEWAY_REASON_RATE_LIMITED)) {
            fprintf(stderr, "refused: %s\n", decision.reason_name);
            exit(1);
        }
        if (decision.is_admitted) {
            (void)!met_gateway_complete(gateway, &decision.ticket, &outcome);
        }
    }
    return (double)(bench_now_ns() - began) / (double)count;
}

/* The same in batches. */
static double admit_batches(met_gateway *gateway, unsigned long among,
                            unsigned long count)
{
    static met_gateway_batch_result results[BATCH];
    static char keys[BATCH * 32];
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .flags = MET_GATEWAY_NOT_SERVED};
    met_gateway_request request = {.struct_size = sizeof request,
                                   .method = "GET",
                                   .method_size = 3,
                                   .path = "/x",
                                   .path_size = 2};
    uint32_t offsets[BATCH + 1] = {0};
    static uint64_t random = 2;
    uint64_t began = bench_now_ns();

    for (unsigned long done = 0; done < count; done += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            offsets[i + 1] =
                offsets[i]
                + (uint32_t)snprintf(keys + offsets[i], 32, "key-%lu",
                                     bench_random(&random) % among);
        }
        if (met_gateway_admit_batch(gateway, &request, keys, offsets, BATCH,
                                    results)
            != MET_OK) {
            fputs("no batch\n", stderr);
            exit(1);
        }
        for (uint32_t i = 0; i < BATCH; i++) {
            if (results[i].is_admitted) {
                (void)!met_gateway_complete(gateway, &results[i].ticket,
                                            &outcome);
            } else if (results[i].reason != MET_GATEWAY_REASON_RATE_LIMITED) {
                fprintf(stderr, "refused: %u\n", results[i].status);
                exit(1);
            }
        }
    }
    return (double)(bench_now_ns() - began) / (double)count;
}

int main(int count, char **words)
{
    unsigned long consumers =
        count == 3 && strcmp(words[1], "--consumers") == 0
            ? strtoul(words[2], NULL, 10)
            : 100000;
    char home[] = "/tmp/bench-snapshot-XXXXXX";
    char command[64];
    met_error_info info = {.struct_size = sizeof info};
    met_store_config config = {.struct_size = sizeof config,
                               .flags = MET_STORE_CREATE};
    met_store *store;
    met_gateway *first;
    met_gateway *second;

    if (consumers == 0 || mkdtemp(home) == NULL) {
        return 2;
    }
    must(met_store_open(home, strlen(home), &config, &store, &info), &info);
    uint64_t began = bench_now_ns();
    apply_rules(store);
    for (unsigned long i = 0; i < consumers; i += CHUNK) {
        apply_consumers(store, i,
                        i + CHUNK < consumers ? i + CHUNK : consumers);
    }
    double applied = seconds_since(began);
    began = bench_now_ns();
    must(met_gateway_open(store, NULL, &first, &info), &info);
    double compiled = seconds_since(began);
    began = bench_now_ns();
    must(met_gateway_open(store, NULL, &second, &info), &info);
    double mapped = seconds_since(began);
    double rounds[3][BENCH_ROUNDS];
    (void)admit(first, consumers, consumers); /* most windows are there */
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        rounds[0][i] = admit(first, consumers, LOOKUPS);
        rounds[1][i] = admit_batches(first, consumers, LOOKUPS);
        rounds[2][i] = admit(second, 16, LOOKUPS);
    }
    double fresh = bench_summary(rounds[0]).median_ns;
    double batch = bench_summary(rounds[1]).median_ns;
    double seen = bench_summary(rounds[2]).median_ns;
    printf("{\"case\": \"gateway: snapshot\", \"consumers\": %lu, "
           "\"apply_s\": %.2f, \"compile_s\": %.3f, \"map_s\": %.4f, "
           "\"bytes\": %llu, \"bytes_per_consumer\": %.0f, "
           "\"request_any_key_ns\": %.0f, \"in_batches_ns\": %.0f, "
           "\"request_few_keys_ns\": %.0f}\n",
           consumers, applied, compiled, mapped, snapshot_bytes(home),
           (double)snapshot_bytes(home) / (double)consumers, fresh, batch,
           seen);
    met_gateway_close(first);
    met_gateway_close(second);
    met_store_close(store);
    snprintf(command, sizeof command, "rm -r %s", home);
    return system(command) != 0;
}
