/* Answers for the oracle of stored grants: one command a line, each with the
 * clock's nanoseconds behind its verb.
 *   begin NS {entitlement of the customer "c"} (of a new customer) ·
 *   grant NS {terms} · void NS N (the n-th grant since begin) · reset NS {} ·
 *   use NS AT VALUE (waits in a recorder) · settle NS · value NS AT (0: now)
 * value answers "= balance usage overage available", the others "=", or
 * "! ERROR FIELD: REASON". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document/document.h"
#include "metering/customer.h"
#include "metering/entitlement.h"
#include "metering/grant.h"
#include "metering/meter.h"
#include "metering/recorder.h"
#include "metering/store.h"
#include "support/temp_directory.h"

#define GRANTS_MAX 64
#define FEATURE "f"

static char home[64];
static met_store *store;
static met_recorder *recorder;
static met__platform platform;
static met_error_info info;
static int64_t now_ns = 1;
static char customer[32];
static char ids[GRANTS_MAX][32];
static int grant_count;

static int64_t read_clock(void *context)
{
    (void)context;
    return now_ns;
}

static void tell(met_error error)
{
    if (error == MET_OK) {
        puts("=");
    } else {
        printf("! %s %s: %s\n", met_error_name(error), info.field,
               info.reason);
    }
}

/* A text of the answer at the top, which is released. */
static void member(met_buffer *answer, const char *const *names, char *out,
                   size_t out_size)
{
    met__arena arena;
    met__node *node = NULL;

    out[0] = '\0';
    met__arena_init(&arena, &platform);
    if (met__json_parse(&arena, met__text_of(answer->data, answer->size),
                        &node, NULL)
        == MET_OK) {
        for (; *names != NULL; names++) {
            const met__node *found = met__node_get(node, *names);
            size_t used = strlen(out);
            if (found != NULL && found->kind == MET__NODE_TEXT) {
                snprintf(out + used, out_size - used, "%s%.*s",
                         used > 0 ? " " : "", (int)found->as.text.size,
                         found->as.text.data);
            }
        }
    }
    met__arena_release(&arena);
    met_buffer_release(answer);
}

static met_error open_store(void)
{
    static const char meter[] =
        "{\"key\":\"m\",\"name\":\"M\",\"event_type\":\"u\",\"aggregation\":"
        "\"sum\",\"value_property\":\"$.value\"}";
    static const char feature[] =
        "{\"key\":\"" FEATURE "\",\"name\":\"F\",\"meter\":{\"key\":\"m\"}}";
    met_platform given = {.struct_size = sizeof given};

    temp_directory_fast(home, sizeof home);
    given.clock = (met_clock){NULL, read_clock, read_clock};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &given,
                               .flags = MET_STORE_CREATE};
    const char *path = temp_path(home, "s");
    met_error error =
        met_store_open(path, strlen(path), &config, &store, &info);
    if (error == MET_OK) {
        error = met_meter_put(store, meter, strlen(meter), NULL, &info);
    }
    if (error == MET_OK) {
        error = met_feature_put(store, feature, strlen(feature), NULL, &info);
    }
    return error == MET_OK ? met_recorder_open(store, NULL, &recorder, &info)
                           : error;
}

/* --- Commands ------------------------------------------------------------- */
/* rest: the members of a document, without its braces. */
static const char *owned(const char *rest)
{
    static char json[2048];

    snprintf(json, sizeof json,
             "{\"customer\":{\"key\":\"%s\"},\"feature\":{\"key\":\"" FEATURE
             "\"},%s}",
             customer, rest);
    return json;
}

static void do_begin(const char *rest)
{
    static int number;
    char json[128];

    grant_count = 0;
    snprintf(customer, sizeof customer, "c%d", ++number);
    snprintf(json, sizeof json, "{\"key\":\"%s\",\"name\":\"C\"}", customer);
    met_error error =
        met_customer_put(store, json, strlen(json), NULL, &info);
    const char *text = owned(rest);
    tell(error == MET_OK ? met_entitlement_create(store, text, strlen(text), 0,
                                                  NULL, &info)
                         : error);
}

static void do_grant(const char *rest)
{
    static const char *const names[] = {"id", NULL};
    met_buffer answer = {0};
    const char *text = owned(rest);
    met_error error = met_grant_create(store, text, strlen(text), 0, &answer,
                                       &info);

    if (error == MET_OK && grant_count < GRANTS_MAX) {
        member(&answer, names, ids[grant_count], sizeof ids[0]);
        grant_count++;
    }
    tell(error);
}

static void do_void(const char *rest)
{
    tell(met_grant_void(store, ids[atoi(rest)], 26, 0, 0, NULL, &info));
}

static void do_reset(const char *rest)
{
    tell(met_entitlement_reset(store, customer, strlen(customer), FEATURE, 1,
                               rest, strlen(rest), NULL, &info));
}

static void do_use(const char *rest)
{
    char value[64];
    long long at_ns;

    if (sscanf(rest, "%lld %63s", &at_ns, value) != 2) {
        puts("! usage");
        return;
    }
    met_quantity quantity = {"value", 5, {{0, 0}}};
    if (met_decimal_parse(value, strlen(value), &quantity.value)
        != MET_OK) {
        puts("! value");
        return;
    }
    met_event event = {.struct_size = sizeof event,
                       .type = "u",
                       .type_size = 1,
                       .subject = customer,
                       .subject_size = strlen(customer),
                       .quantities = &quantity,
                       .quantity_count = 1,
                       .utc_ns = at_ns};
    tell(met_recorder_add(recorder, &event, &info));
}

static void do_value(const char *rest)
{
    static const char *const names[] = {"balance", "usage", "overage",
                                        "total_available", NULL};
    met_buffer answer = {0};
    char text[256];
    met_error error = met_entitlement_get(store, customer, strlen(customer),
                                          FEATURE, 1, atoll(rest), &answer,
                                          &info);

    if (error != MET_OK) {
        tell(error);
        return;
    }
    member(&answer, names, text, sizeof text);
    printf("= %s\n", text);
}

static void do_settle(const char *rest)
{
    (void)rest;
    met_error error = met_recorder_tick(recorder);

    tell(error == MET_OK ? met_store_settle(store, NULL, NULL, &info) : error);
}

static const struct {
    const char *verb;
    void (*run)(const char *rest);
} commands[] = {{"begin", do_begin}, {"grant", do_grant}, {"void", do_void},
                {"reset", do_reset}, {"use", do_use},     {"value", do_value},
                {"settle", do_settle}};

int main(void)
{
    static char line[4096];
    char verb[16];
    long long ns;
    int used;

    info = (met_error_info){.struct_size = sizeof info};
    if (met__platform_init(&platform, NULL, NULL) != MET_OK
        || open_store() != MET_OK) {
        fprintf(stderr, "%s: %s\n", info.field, info.reason);
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%15s %lld %n", verb, &ns, &used) < 2) {
            return 2;
        }
        now_ns = ns;
        for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
            if (strcmp(commands[i].verb, verb) == 0) {
                commands[i].run(line + used);
            }
        }
    }
    met_recorder_close(recorder);
    met_store_close(store);
    temp_remove(home);
    return 0;
}
