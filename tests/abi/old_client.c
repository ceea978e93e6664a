/* A program as somebody wrote it when the baseline was made: every struct that
 * may grow is given to the library or filled by it, in virtual time, and what
 * comes back is printed. It is compiled with the baseline's headers and run
 * with the library of today; old_client.txt is what it must say for ever.
 *
 * With GROWN the structs have fields that the library does not know. What is
 * given without setting them is as good as before, and set it is refused. */
#include <metering/metering.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JANUARY INT64_C(1767225600000000000) /* 2026-01-01T00:00:00Z */
#define HOUR INT64_C(3600000000000)
#define STRUCT(type) (type){.struct_size = sizeof(type)}
#define TEXT(text) text, strlen(text)

static met_error_info info;
static met_store *store;
static int64_t now_ns = JANUARY + HOUR;

#ifdef GROWN
/* given is refused once its new fields are set, by whatever is called. */
#define REFUSES_GROWN(given, call)                                            \
    do {                                                                      \
        (given).grown_[1] = 1;                                                \
        if ((call) != MET_E_UNSUPPORTED) {                                    \
            printf("line %d: a new field is not refused\n", __LINE__);        \
        }                                                                     \
        (given).grown_[1] = 0;                                                \
    } while (0)
#define UNTOUCHED(filled)                                                     \
    if ((filled).grown_[0] != 0 || (filled).grown_[1] != 0) {                 \
        printf("line %d: a new field is written\n", __LINE__);                \
    }
#else
#define REFUSES_GROWN(given, call)
#define UNTOUCHED(filled)
#endif

static int64_t read_clock(void *context)
{
    return *(const int64_t *)context;
}

static void must(met_error error)
{
    if (error != MET_OK) {
        printf("%s: \"%s\" %s\n", met_error_name(error), info.field,
               info.reason);
        exit(1);
    }
}

/* What stands behind a member's name, the first that has it. */
static void show(const char *title, const met_buffer *json, const char *member)
{
    const char *at = json->data != NULL ? strstr(json->data, member) : NULL;

    if (at == NULL) {
        printf("%s: no %s\n", title, member);
        return;
    }
    at += strlen(member);
    printf("%s: %.*s\n", title, (int)strcspn(at, ",}]\n"), at);
}

static void limits(void)
{
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {&now_ns, read_clock, read_clock}};
    met_limiter_config config = {.struct_size = sizeof config,
                                 .path = "limits.map",
                                 .capacity = 1024,
                                 .platform = &platform};
    const met_limiter_window windows[] = {{.limit = 2,
                                           .window_ns = 60000000000}};
    met_limiter_policy policy = {.struct_size = sizeof policy,
                                 .name = "free",
                                 .name_size = 4,
                                 .windows = windows,
                                 .window_count = 1};
    met_limiter_identity who = {.struct_size = sizeof who,
                                .kind = 1,
                                .form = MET_LIMITER_FORM_ADDRESS,
                                .value = "192.0.2.1",
                                .value_size = 9};
    met_limiter_request request = STRUCT(met_limiter_request);
    met_limiter_result result = STRUCT(met_limiter_result);
    met_limiter_headers_options options = STRUCT(met_limiter_headers_options);
    met_limiter_stats stats = STRUCT(met_limiter_stats);
    const uint32_t offsets[] = {0, 1, 2};
    met_limiter_batch batch = {.struct_size = sizeof batch,
                               .keys = "aa",
                               .key_offsets = offsets,
                               .count = 2};
    uint32_t allowed[2] = {9, 9};
    met_limiter_verdicts verdicts = {.struct_size = sizeof verdicts,
                                     .is_allowed = allowed};
    met_limiter *limiter = NULL;
    char key[64];
    char lines[MET_LIMITER_HEADERS_SIZE];
    size_t size = 0;

    REFUSES_GROWN(platform, met_limiter_open(&config, &limiter, &info));
    REFUSES_GROWN(config, met_limiter_open(&config, &limiter, &info));
    must(met_limiter_open(&config, &limiter, &info));
    REFUSES_GROWN(policy, met_limiter_policy_set(limiter, &policy,
                                                 &request.policy, &info));
    must(met_limiter_policy_set(limiter, &policy, &request.policy, &info));
    REFUSES_GROWN(who, met_limiter_key_build(&who, key, sizeof key, &size,
                                             &info));
    must(met_limiter_key_build(&who, key, sizeof key, &size, &info));
    request.key = key;
    request.key_size = size;
    for (int i = 0; i < 3; i++) {
        must(met_limiter_check(limiter, &request, &result));
        printf("limit: %u, %llu left\n", result.is_allowed,
               (unsigned long long)result.windows[0].remaining);
    }
    UNTOUCHED(result);
    REFUSES_GROWN(request, met_limiter_check(limiter, &request, &result));
    REFUSES_GROWN(options, met_limiter_headers_write(&result, &options, lines,
                                                     sizeof lines, &size,
                                                     &info));
    must(met_limiter_headers_write(&result, &options, lines, sizeof lines,
                                   &size, &info));
    printf("limit: %.*s\n", (int)strcspn(lines, "\r"), lines);
    batch.policy = request.policy;
    REFUSES_GROWN(batch, met_limiter_check_batch(limiter, &batch, &verdicts,
                                                 &info));
    REFUSES_GROWN(verdicts, met_limiter_check_batch(limiter, &batch, &verdicts,
                                                    &info));
    must(met_limiter_check_batch(limiter, &batch, &verdicts, &info));
    must(met_limiter_stats_get(limiter, &stats));
    UNTOUCHED(stats);
    printf("limit: batch %u %u, %llu decisions, %llu refused\n", allowed[0],
           allowed[1], (unsigned long long)stats.decisions,
           (unsigned long long)stats.refusals);
    met_limiter_close(limiter);
}

static const char catalog[] =
    "{\"meters\":[{\"key\":\"requests\",\"name\":\"R\",\"event_type\":"
    "\"kong.api_request\",\"aggregation\":\"count\",\"dimensions\":"
    "{\"service_name\":\"$.service_name\"}}],"
    "\"features\":[{\"key\":\"calls\",\"name\":\"C\",\"meter\":{\"key\":"
    "\"requests\"}}],"
    "\"plans\":[{\"key\":\"basic\",\"name\":\"B\",\"currency\":\"USD\","
    "\"billing_cadence\":\"P1M\",\"publish\":true,\"phases\":[{\"key\":"
    "\"default\",\"name\":\"D\",\"rate_cards\":[{\"key\":\"calls\",\"name\":"
    "\"C\",\"feature\":{\"key\":\"calls\"},\"billing_cadence\":\"P1M\","
    "\"price\":{\"type\":\"unit\",\"amount\":\"0.25\"},\"entitlement\":"
    "{\"type\":\"metered\",\"limit\":\"100\",\"usage_period\":\"P1M\","
    "\"is_soft_limit\":false}}]}]}],"
    "\"customers\":[{\"key\":\"ariel\",\"name\":\"A\",\"currency\":\"USD\","
    "\"usage_attribution\":{\"subject_keys\":[\"consumer:ariel\"]}}],"
    "\"subscriptions\":[{\"customer\":{\"key\":\"ariel\"},\"plan\":{\"key\":"
    "\"basic\"}}],"
    "\"_format_version\":\"3.0\",\"services\":[{\"name\":\"s\",\"url\":"
    "\"http://127.0.0.1/\",\"routes\":[{\"name\":\"r\",\"paths\":[\"/a\"]}]}],"
    "\"consumers\":[{\"username\":\"ariel\",\"keyauth_credentials\":[{\"key\":"
    "\"secret\"}]}],\"plugins\":[{\"name\":\"key-auth\",\"config\":"
    "{\"key_names\":[\"apikey\"]}}]}";

static void open_store(void)
{
    met_platform platform = {.struct_size = sizeof platform,
                             .clock = {&now_ns, read_clock, read_clock}};
    met_store_config config = {.struct_size = sizeof config,
                               .platform = &platform,
                               .flags = MET_STORE_CREATE};

    REFUSES_GROWN(config, met_store_open(TEXT("store"), &config, &store,
                                         &info));
    must(met_store_open(TEXT("store"), &config, &store, &info));
    must(met_catalog_apply(store, TEXT(catalog), JANUARY, MET_ALLOW_PAST, NULL,
                           &info));
}

static void count(void)
{
    met_recorder_config config = STRUCT(met_recorder_config);
    const met_pair attribute = {"service_name", 12, "x", 1};
    met_event events[2] = {{.struct_size = sizeof *events,
                            .type = "kong.api_request",
                            .type_size = 16,
                            .subject = "consumer:ariel",
                            .subject_size = 14,
                            .attributes = &attribute,
                            .attribute_count = 1}};
    met_settle_config settle = STRUCT(met_settle_config);
    met_error errors[2];
    met_recorder *recorder = NULL;
    met_prepared *prepared = NULL;

    events[1] = events[0];
    REFUSES_GROWN(config, met_recorder_open(store, &config, &recorder, &info));
    must(met_recorder_open(store, &config, &recorder, &info));
    REFUSES_GROWN(events[0], met_recorder_add(recorder, events, &info));
    must(met_recorder_add(recorder, events, &info));
    must(met_recorder_add_batch(recorder, events, 2, errors, &info));
    must(met_prepared_open(recorder, events, &prepared, &info));
    must(met_prepared_add(prepared, NULL, 0, 0, &info));
    met_prepared_close(prepared);
    REFUSES_GROWN(settle, met_store_settle(store, &settle, NULL, &info));
    must(met_store_settle(store, &settle, NULL, &info));
    met_recorder_close(recorder);
}

static void ingest(void)
{
    met_ingest_config config = STRUCT(met_ingest_config);
    met_event_cursor cursor = {.struct_size = sizeof cursor,
                               .name = "file",
                               .name_size = 4,
                               .offset = 77};
    const met_ingest_event event = {.id = "1",
                                    .id_size = 1,
                                    .source = "s",
                                    .source_size = 1,
                                    .type = "kong.api_request",
                                    .type_size = 16,
                                    .subject = "consumer:ariel",
                                    .subject_size = 14};
    met_event_verdict verdict;
    met_ingest *handle = NULL;

    REFUSES_GROWN(config, met_ingest_open(store, &config, &handle, &info));
    must(met_ingest_open(store, &config, &handle, &info));
    REFUSES_GROWN(cursor, met_event_ingest(handle, &event, 1, &cursor,
                                           &verdict, &info));
    must(met_event_ingest(handle, &event, 1, &cursor, &verdict, &info));
    printf("ingest: verdict %u\n", verdict.verdict);
    cursor.offset = 0;
    must(met_event_cursor_get(store, TEXT("file"), &cursor, &info));
    UNTOUCHED(cursor);
    printf("ingest: offset %llu\n", (unsigned long long)cursor.offset);
    met_ingest_close(handle);
}

static void serve(void)
{
    met_gateway_config config = STRUCT(met_gateway_config);
    const met_pair header = {"apikey", 6, "secret", 6};
    met_gateway_request request = {.struct_size = sizeof request,
                                   .method = "GET",
                                   .method_size = 3,
                                   .path = "/a/b",
                                   .path_size = 4,
                                   .headers = &header,
                                   .header_count = 1};
    met_gateway_decision decision = STRUCT(met_gateway_decision);
    met_gateway_outcome outcome = {.struct_size = sizeof outcome,
                                   .status = 200};
    met_stats_sources sources = {.struct_size = sizeof sources};
    met_buffer text = {0};
    met_gateway *gateway = NULL;

    REFUSES_GROWN(config, met_gateway_open(store, &config, &gateway, &info));
    must(met_gateway_open(store, &config, &gateway, &info));
    REFUSES_GROWN(request, met_gateway_admit(gateway, &request, &decision));
    must(met_gateway_admit(gateway, &request, &decision));
    UNTOUCHED(decision);
    printf("gateway: %u %.*s %.*s\n", decision.status,
           (int)decision.consumer_size, decision.consumer,
           (int)decision.route_size, decision.route);
    REFUSES_GROWN(outcome, met_gateway_complete(gateway, &decision.ticket,
                                                &outcome));
    must(met_gateway_complete(gateway, &decision.ticket, &outcome));
    request.header_count = 0;
    must(met_gateway_admit(gateway, &request, &decision));
    printf("gateway: %u %s\n", decision.status, decision.reason_name);
    sources.gateway = gateway;
    REFUSES_GROWN(sources, met_stats_write(&sources, &text, &info));
    must(met_stats_write(&sources, &text, &info));
    met_buffer_release(&text);
    must(met_store_settle(store, NULL, NULL, &info));
    met_gateway_close(gateway);
}

static void ask(void)
{
    static const char query[] =
        "{\"meter\":\"requests\",\"subjects\":[\"consumer:ariel\"],\"from\":"
        "\"2026-01-01T00:00:00Z\",\"to\":\"2026-02-01T00:00:00Z\"}";
    met_compact_config compact = STRUCT(met_compact_config);
    met_buffer json = {0};

    must(met_usage_query(store, TEXT(query), &json, &info));
    show("usage", &json, "\"value\":");
    met_buffer_release(&json);
    must(met_entitlement_get(store, TEXT("ariel"), TEXT("calls"), 0, &json,
                             &info));
    show("balance", &json, "\"balance\":");
    met_buffer_release(&json);
    REFUSES_GROWN(compact, met_store_compact(store, &compact, NULL, &info));
    must(met_store_compact(store, &compact, NULL, &info));
}

static void bill(void)
{
    met_billing_report report = STRUCT(met_billing_report);
    met_billing_run *run = NULL;
    met_price *price = NULL;
    met_buffer json = {0};

    must(met_price_create(TEXT("{\"type\":\"unit\",\"amount\":\"0.25\"}"),
                          NULL, &price, &info));
    must(met_price_rate(price, TEXT("{\"quantity\":\"3\"}"), &json, &info));
    show("price", &json, "\"total\":");
    met_buffer_release(&json);
    met_price_destroy(price);
    now_ns = JANUARY + 31 * 24 * HOUR;
    must(met_invoice_preview(store, TEXT("ariel"), now_ns, 0, &json, &info));
    show("invoice", &json, "\"total\":");
    met_buffer_release(&json);
    must(met_billing_run_open(store, 0, &run, &info));
    while (report.stage != MET_BILLING_DONE) {
        must(met_billing_run_step(run, &report, &info));
    }
    UNTOUCHED(report);
    printf("run: %llu customers, %llu drafts, %llu failed\n",
           (unsigned long long)report.customers,
           (unsigned long long)report.drafts,
           (unsigned long long)report.failed);
    met_billing_run_close(run);
}

static void refuse(void)
{
    met_error error = met_meter_put(store, TEXT("{\"key\":\"\"}"), NULL,
                                    &info);

    UNTOUCHED(info);
    printf("refused: %s, %s\n", met_error_name(error), info.field);
}

int main(void)
{
    info = STRUCT(met_error_info);
    limits();
    open_store();
    count();
    ingest();
    serve();
    ask();
    bill();
    refuse();
    met_store_close(store);
    return 0;
}
