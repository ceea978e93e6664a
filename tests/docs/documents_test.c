/* Puts every JSON example of docs/documents.md through the library, in the
 * order of the page and into one fresh store. The word behind "```json" says
 * what the example is; an answer must be exactly what the library answers to
 * the story that the page tells, ids apart. */
#include "support/documents.h"

#include "metering/customer.h"
#include "metering/entitlement.h"
#include "metering/gateway.h"
#include "metering/grant.h"
#include "metering/event.h"
#include "metering/billing.h"
#include "metering/invoice.h"
#include "metering/meter.h"
#include "metering/notice.h"
#include "metering/recorder.h"
#include "metering/rating.h"

#define BLOCK_MAX 8192
#define ID_SIZE 26

static const char *page;
static char block[BLOCK_MAX];
static size_t block_size;
static char query[BLOCK_MAX];

static met_error put(met_error (*call)(met_store *store, const char *json,
                                       size_t json_size, met_buffer *json_out,
                                       met_error_info *info))
{
    met_buffer *out = fresh();
    return keep(call(store, block, block_size, out, &told), out);
}

static met_error put_meter(void)
{
    return put(met_meter_put);
}

static met_error put_feature(void)
{
    return put(met_feature_put);
}

static met_error put_customer(void)
{
    return put(met_customer_put);
}

static met_error put_event(void)
{
    met_ingest *ingest = NULL;
    met_buffer *out = fresh();

    assert_ok(met_ingest_open(store, NULL, &ingest, &told));
    met_error error = keep(met_event_ingest_json(ingest, block, block_size, 0,
                                                 NULL, out, &told),
                           out);
    met_ingest_close(ingest);
    assert_shown("verdicts", "[\"accepted\"]");
    return error;
}

static met_error put_event_settings(void)
{
    return put(met_event_settings_put);
}

static met_error put_usage_settings(void)
{
    return put(met_usage_settings_put);
}

/* As of the calls that take a customer, too. */
static met_error put_profile(met_store *of, const char *json, size_t size,
                             met_buffer *out, met_error_info *info)
{
    return met_billing_profile_put(of, NULL, 0, json, size, out, info);
}

/* The invoice below is one without. */
static met_error put_billing_profile(void)
{
    met_error error = put(put_profile);

    assert_ok(met_billing_profile_remove(store, NULL, 0, &told));
    return error;
}

static met_error put_adjustment(void)
{
    return put(met_usage_adjust);
}

/* The last one shown: what a rate_request is about. */
static met_price *price;

static met_error put_price(void)
{
    met_price_destroy(price);
    price = NULL;
    fresh();
    return met_price_create(block, block_size, NULL, &price, &told);
}

static met_error run_rate_request(void)
{
    met_buffer *out = fresh();
    return keep(met_price_rate(price, block, block_size, out, &told), out);
}

/* A plan must be fit to be published too. */
static met_error put_plan(void)
{
    char key[64];
    met_error error = put(met_plan_put);

    if (error == MET_OK) {
        snprintf(key, sizeof key, "%s", shown("key"));
        met_buffer *out = fresh();
        error = keep(met_plan_publish(store, key, strlen(key), 0, 0, out,
                                      &told),
                     out);
    }
    return error;
}

static met_error put_plan_of(const char *before)
{
    char json[BLOCK_MAX + 512];
    static unsigned count;
    int size = snprintf(json, sizeof json,
                        "{\"key\":\"card_%u\",\"name\":\"Card\",\"currency\":"
                        "\"USD\",\"billing_cadence\":\"P1M\",\"phases\":[{"
                        "\"key\":\"default\",\"name\":\"Default\","
                        "\"rate_cards\":[%s%.*s%s]}]}",
                        ++count, before, (int)block_size, block,
                        *before ? "}" : "");
    memcpy(block, json, (size_t)size + 1);
    block_size = (size_t)size;
    return put_plan();
}

static met_error put_rate_card(void)
{
    return put_plan_of("");
}

static met_error put_entitlement(void)
{
    return put_plan_of("{\"key\":\"example_service\",\"name\":\"E\","
                       "\"feature\":{\"key\":\"example_service\"},"
                       "\"entitlement\":");
}

static met_error put_subscription(void)
{
    met_buffer *out = fresh();
    return keep(met_subscription_create(store, block, block_size,
                                        MET_ALLOW_PAST, out, &told),
                out);
}

static met_error apply(const char *before, const char *after)
{
    char json[BLOCK_MAX + 64];
    int size = snprintf(json, sizeof json, "%s%.*s%s", before,
                        (int)block_size, block, after);
    met_buffer *out = fresh();
    return keep(met_catalog_apply(store, json, (size_t)size, 0,
                                  MET_APPLY_STRICT, out, &told),
                out);
}

static met_error put_service(void)
{
    return apply("{\"services\":[", "]}");
}

static met_error put_route(void)
{
    return apply("{\"routes\":[", "]}");
}

static met_error put_consumer(void)
{
    return apply("{\"consumers\":[", "]}");
}

static met_error put_consumer_group(void)
{
    return apply("{\"consumer_groups\":[", "]}");
}

static met_error put_credential(void)
{
    return apply("{\"keyauth_credentials\":[", "]}");
}

/* Of rosario, whose only key stands above it. */
static met_error put_rotation(void)
{
    met_buffer *out = fresh();

    return keep(met_credential_rotate(store, "rosario", 7, block, block_size,
                                      out, &told),
                out);
}

static met_error put_acl(void)
{
    return apply("{\"acls\":[", "]}");
}

static met_error put_plugin(void)
{
    return apply("{\"plugins\":[", "]}");
}

static met_error put_declarative(void)
{
    return apply("", "");
}

/* --- Answers -------------------------------------------------------------- */
static met_error run_query(void)
{
    snprintf(query, sizeof query, "%s", block);
    met_buffer *out = fresh();
    return keep(met_usage_query(store, query, strlen(query), out, &told),
                out);
}

static int is_id(const char *text)
{
    for (int i = 0; i < ID_SIZE; i++) {
        if (!((text[i] >= '0' && text[i] <= '9')
              || (text[i] >= 'A' && text[i] <= 'Z'))) {
            return 0;
        }
    }
    /* the whole text, or the part of a detailed line's id before its place */
    return text[-1] == '"' && strchr("\".", text[ID_SIZE]) != NULL;
}

/* As text, every id the same. */
static void canonical(const met__node *node, char *text, size_t text_size)
{
    met__buffer buffer;

    met__buffer_init(&buffer, answer_arena.platform);
    met__json_write(node, 0, &buffer);
    assert_int_equal(buffer.error, MET_OK);
    assert_true(buffer.size < text_size);
    memcpy(text, buffer.data, buffer.size);
    text[buffer.size] = '\0';
    met__buffer_release(&buffer);
    for (char *at = text + 1; strlen(at) > ID_SIZE; at++) {
        if (is_id(at)) {
            memset(at, '0', ID_SIZE);
        }
    }
}

static met_error must_be_answer(void)
{
    static char expected[BLOCK_MAX];
    static char found[BLOCK_MAX];
    met__arena arena;
    met__node *node = NULL;

    met__arena_init(&arena, answer_arena.platform);
    fresh();
    met_error error = met__json_parse(
        &arena, met__text_of(block, block_size), &node, &told);
    if (error == MET_OK) {
        canonical(node, expected, sizeof expected);
        canonical(answer, found, sizeof found);
    }
    met__arena_release(&arena);
    if (error == MET_OK && strcmp(expected, found) != 0) {
        /* longer than fail_msg takes */
        fprintf(stderr, "the page says\n%s\nbut the answer is\n%s\n",
                expected, found);
        fail_msg("another answer than on the page");
    }
    return error;
}

static met_error entitlement_answer(void)
{
    met_buffer *out = fresh();
    assert_ok(keep(met_entitlement_get(store, "rosario", 7, "example_service",
                                       15, time_of("2026-03-31T12:00:00Z"),
                                       out, &told),
                   out));
    return must_be_answer();
}

static met_error entitlement_history_answer(void)
{
    met_buffer *out = fresh();
    assert_ok(keep(met_entitlement_history(
                       store, "rosario", 7, "example_service", 15,
                       time_of("2026-03-14T00:00:00Z"),
                       time_of("2026-03-17T00:00:00Z"), MET_HISTORY_DAY, out,
                       &told),
                   out));
    return must_be_answer();
}

static met_error put_notice_rule(void)
{
    return put(met_notice_rule_put);
}

/* Keys of repetition are made of ids. */
static met_error notice_answer(void)
{
    met_buffer *out = fresh();
    assert_ok(keep(met_notice_next(store, 1, 0, out, &told), out));
    const char *there = shown("items.0.repetition_key");
    char *here = strstr(block, "bsnap_v2_");
    if (here != NULL && strlen(there) == 41) {
        memcpy(here, there, 41);
    }
    return must_be_answer();
}

static met_error put_grant(void)
{
    met_buffer *out = fresh();
    return keep(met_grant_create(store, block, block_size, 0, out, &told),
                out);
}

static met_error put_lone_entitlement(void)
{
    met_buffer *out = fresh();
    return keep(met_entitlement_create(store, block, block_size, 0, out,
                                       &told),
                out);
}

/* Of the entitlement that stands alone. */
static met_error put_reset(void)
{
    met_buffer *out = fresh();
    return keep(met_entitlement_reset(store, "ariel", 5, "example_service", 15,
                                      block, block_size, out, &told),
                out);
}

static met_error granted_answer(void)
{
    met_buffer *out = fresh();
    assert_ok(keep(met_entitlement_get(store, "ariel", 5, "example_service",
                                       15, 0, out, &told),
                   out));
    return must_be_answer();
}

static met_error invoice_answer(void)
{
    met_buffer *out = fresh();
    assert_ok(keep(met_invoice_finalize(store, "rosario", 7, 0, out, &told),
                   out));
    return must_be_answer();
}

static met_error put_credit(void)
{
    met_buffer *out = fresh();
    return keep(met_invoice_credit(store, "INV-0001", 8, block, block_size,
                                   out, &told),
                out);
}

/* --- The story ------------------------------------------------------------ */
static int is_told;

/* 5,001 requests of rosario in March; then it is April. */
static void tell_story(void)
{
    const met_pair attributes[] = {{"service_name", 12, "example_service", 15},
                                   {"route_name", 10, "example_route", 13},
                                   {"request_method", 14, "GET", 3}};
    const met_event event = {.struct_size = sizeof event,
                             .type = "kong.api_request",
                             .type_size = 16,
                             .subject = "consumer:rosario",
                             .subject_size = 16,
                             .attributes = attributes,
                             .attribute_count = 3};
    met_recorder *recorder = NULL;

    fresh();
    assert_ok(met_recorder_open(store, NULL, &recorder, &told));
    for (int i = 0; i < 5001; i++) {
        assert_ok(met_recorder_add(recorder, &event, &told));
    }
    met_recorder_close(recorder);
    clock_now_ns = time_of("2026-04-01T00:00:00Z");
    assert_ok(met_store_settle(store, NULL, NULL, &told));
    is_told = 1;
}

static struct kind {
    const char *name;
    met_error (*run)(void);
    int needs_story;
    unsigned count;
} kinds[] = {
    {"meter", put_meter, 0, 0},
    {"feature", put_feature, 0, 0},
    {"price", put_price, 0, 0},
    {"rate_request", run_rate_request, 0, 0},
    {"rate_answer", must_be_answer, 0, 0},
    {"rate_card", put_rate_card, 0, 0},
    {"entitlement", put_entitlement, 0, 0},
    {"plan", put_plan, 0, 0},
    {"customer", put_customer, 0, 0},
    {"subscription", put_subscription, 0, 0},
    {"service", put_service, 0, 0},
    {"route", put_route, 0, 0},
    {"consumer", put_consumer, 0, 0},
    {"consumer_group", put_consumer_group, 0, 0},
    {"credential", put_credential, 0, 0},
    {"rotation", put_rotation, 0, 0},
    {"acl", put_acl, 0, 0},
    {"plugin", put_plugin, 0, 0},
    {"declarative", put_declarative, 0, 0},
    {"event", put_event, 0, 0},
    {"event_settings", put_event_settings, 0, 0},
    {"usage_settings", put_usage_settings, 0, 0},
    {"adjustment", put_adjustment, 0, 0},
    {"billing_profile", put_billing_profile, 0, 0},
    {"notice_rule", put_notice_rule, 0, 0},
    {"usage_query", run_query, 1, 0},
    {"usage_answer", must_be_answer, 1, 0},
    {"entitlement_answer", entitlement_answer, 1, 0},
    {"entitlement_history_answer", entitlement_history_answer, 1, 0},
    {"notice_answer", notice_answer, 1, 0},
    {"lone_entitlement", put_lone_entitlement, 1, 0},
    {"grant", put_grant, 1, 0},
    {"reset", put_reset, 1, 0},
    {"granted_answer", granted_answer, 1, 0},
    {"invoice_answer", invoice_answer, 1, 0},
    {"credit", put_credit, 1, 0},
    {"credit_note_answer", must_be_answer, 1, 0},
};
#define KIND_COUNT (sizeof kinds / sizeof *kinds)

static void run_block(const char *name, int line)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            if (kinds[i].needs_story && !is_told) {
                tell_story();
            }
            kinds[i].count++;
            met_error error = kinds[i].run();
            if (error != MET_OK) {
                fail_msg("line %d, %s: %s at \"%s\": \"%s\"", line, name,
                         met_error_name(error), told.field, told.reason);
            }
            return;
        }
    }
    fail_msg("line %d: an example of an unknown kind \"%s\"", line, name);
}

static void test_documents__every_example(void **state)
{
    char name[64] = "";
    char row[1024];
    int line = 0;
    int begins = 0;
    int is_inside = 0;
    FILE *file = fopen(page, "r");

    assert_non_null(file);
    while (fgets(row, sizeof row, file) != NULL) {
        line++;
        if (is_inside && strcmp(row, "```\n") == 0) {
            is_inside = 0;
            run_block(name, begins);
        } else if (is_inside) {
            size_t size = strlen(row);
            assert_true(block_size + size < sizeof block);
            memcpy(block + block_size, row, size + 1);
            block_size += size;
        } else if (strncmp(row, "```json", 7) == 0) {
            is_inside = 1;
            begins = line;
            block_size = 0;
            name[0] = '\0';
            sscanf(row + 7, "%63s", name);
        }
    }
    fclose(file);
    assert_false(is_inside);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].count == 0) {
            fail_msg("no example of kind %s", kinds[i].name);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_documents__every_example,
                                        documents_setup, documents_teardown),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: docs_documents PAGE.md\n");
        return 2;
    }
    page = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
