/* Errors that docstrings name and that no other test comes by: each provoked
 * once, for census.py. The guard (guard.c) looks at the rest: that there is a
 * reason, and that no output is written. */
#include "contract/guard.h"
#include "contract/world.h"

#include <signal.h>

#include "metering/fault.h"

/* More than any number has. */
#define DIGITS "'1234567890123456789012345678901234567890'"
#define LONG_PLAN                                                           \
    "'name':'B','currency':'USD','billing_cadence':'P1M','phases':[{"       \
    "'key':'p','name':'P','rate_cards':[{'key':'fee','name':'F','price':{"  \
    "'type':'flat','amount':" DIGITS "}}]}]}"
#define WHO "'reason':'r','actor':'a'}"
#define ODD_FLAG (UINT64_C(1) << 62)

/* --- Nothing at all ------------------------------------------------------- */
static void check_nothing(const char *function, met_error error)
{
    if (error != MET_E_INVALID && error != MET_OK
        && error != MET_E_NOT_FOUND) {
        fail_msg("%s of nothing: %s", function, met_error_name(error));
    }
}

static void test_nothing(void **state)
{
    (void)state;
    each_nothing(check_nothing);
}

/* --- Documents that are too long ------------------------------------------ */
#define HUGE "{}", (size_t)1 << 40

static void test_huge_documents(void **state)
{
    met_event_verdict verdict;
    (void)state;
    (void)verdict;

    EXPECT(MET_E_LIMIT, met_billing_profile_put(w.store, NULL, 0, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_customer_put(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_customer_erase(w.store, T("ada"), HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_customer_rename(w.store, T("ada"), HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_subject_erase(w.store, T("ada"), HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_subject_rename(w.store, T("ada"), HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_entitlement_create(w.store, HUGE, 0, OUT));
    EXPECT(MET_E_LIMIT, met_entitlement_override(w.store, HUGE, 0, OUT));
    EXPECT(MET_E_LIMIT, met_entitlement_reset(w.store, T("ada"), T("calls"),
                                              HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_entitlement_simulate(HUGE, NULL, OUT));
    EXPECT(MET_E_LIMIT, met_grant_create(w.store, HUGE, 0, OUT));
    EXPECT(MET_E_LIMIT, met_event_list(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_event_retract(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_event_settings_put(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_usage_settings_put(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_usage_adjust(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_usage_query(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_usage_query_open(w.store, HUGE, &w.cursor, INFO));
    EXPECT(MET_E_LIMIT, met_invoice_credit(w.store, T("INV-0001"), HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_meter_put(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_plan_put(w.store, HUGE, OUT));
    EXPECT(MET_E_LIMIT, met_price_check(HUGE, NULL, OUT));
    EXPECT(MET_E_LIMIT, met_price_create(HUGE, NULL, &w.price, INFO));
    EXPECT(MET_E_LIMIT, met_subscription_create(w.store, HUGE, 0, OUT));
    EXPECT(MET_E_LIMIT, met_subscription_change(w.store, ID(running), HUGE, 0,
                                                0, OUT));
    EXPECT(MET_E_LIMIT, met_subscription_migrate(w.store, ID(running), HUGE,
                                                 0, 0, OUT));
    met_ingest *ingest;
    assert_ok(met_ingest_open(w.store, NULL, &ingest, INFO));
    EXPECT(MET_E_LIMIT, met_event_ingest_json(ingest, HUGE, 0, NULL, OUT));
    met_ingest_close(ingest);
}

/* --- Numbers that are too long -------------------------------------------- */
static void test_long_numbers(void **state)
{
    met_decimal big;
    met_decimal small;
    met_decimal sum;
    (void)state;

    EXPECT(MET_E_OVERFLOW, met_decimal_parse(T("1e41"), &sum));
    assert_ok(met_decimal_parse(T("9999999999999999999999999999999999"),
                                &big));
    assert_ok(met_decimal_parse(T("0.000000000000000000007"), &small));
    EXPECT(MET_E_OVERFLOW, met_decimal_add(&big, &small, &sum));
    EXPECT(MET_E_OVERFLOW, met_decimal_subtract(&big, &small, &sum));
    EXPECT(MET_E_OVERFLOW, met_decimal_multiply(&big, &big, &sum));
    EXPECT(MET_E_OVERFLOW, met_decimal_divide(&big, &small, 20,
                                              MET_ROUND_UP, &sum));
    EXPECT(MET_E_INVALID, met_decimal_subtract(&big, NULL, &sum));
    /* Of no number that this library makes, but a number all the same. */
    const met_decimal vast = {{1, (uint64_t)(6176 + 6000) << 49}};
    char text[MET_DECIMAL_TEXT_SIZE];
    EXPECT(MET_E_OVERFLOW, met_decimal_format(&vast, text, NULL));
    EXPECT(MET_E_OVERFLOW,
           met_plan_put(w.store, J("{'key':'long'," LONG_PLAN), OUT));
    EXPECT(MET_E_OVERFLOW,
           met_catalog_apply(w.store,
                             J("{'plans':[{'key':'long'," LONG_PLAN "]}"), 0,
                             0, OUT));
    EXPECT(MET_E_OVERFLOW,
           met_subscription_create(
               w.store,
               J("{'customer':{'key':'fay'},'custom_plan':{" LONG_PLAN "}"),
               0, OUT));
    EXPECT(MET_E_OVERFLOW,
           met_subscription_change(w.store, ID(running),
                                   J("{'custom_plan':{" LONG_PLAN "}"), 0, 0,
                                   OUT));
    EXPECT(MET_E_OVERFLOW,
           met_entitlement_create(
               w.store,
               J("{'customer':{'key':'fay'},'feature':{'key':'calls'},"
                 "'type':'metered','usage_period':{'interval':'P1M'},"
                 "'issue_after_reset':" DIGITS "}"),
               0, OUT));
    EXPECT(MET_E_OVERFLOW,
           met_entitlement_override(
               w.store,
               J("{'customer':{'key':'cy'},'feature':{'key':'calls'},"
                 "'type':'metered','usage_period':{'interval':'P1M'},"
                 "'issue_after_reset':" DIGITS "}"),
               0, OUT));
    EXPECT(MET_E_OVERFLOW,
           met_entitlement_simulate(
               J("{'entitlement':{'usage_period':{'interval':'P1M'},"
                 "'measure_usage_from':'2026-01-01T00:00:00Z'},'grants':[{"
                 "'amount':" DIGITS "}],'usage':[],'at':"
                 "'2026-01-20T00:00:00Z'}"),
               NULL, OUT));
    EXPECT(MET_E_OVERFLOW,
           met_grant_create(w.store,
                            J("{'customer':{'key':'ada'},'feature':{'key':"
                              "'calls'},'amount':" DIGITS "}"),
                            0, OUT));
    EXPECT(MET_E_OVERFLOW,
           met_notice_rule_put(
               w.store,
               J("{'key':'long','name':'N','features':['calls'],'type':"
                 "'entitlements.balance.threshold','thresholds':[{'type':"
                 "'usage_value','value':" DIGITS "}]}"),
               OUT));
    EXPECT(MET_E_OVERFLOW,
           met_usage_adjust(
               w.store,
               J("{'id':'a9','meter':'requests','subject':'consumer:ada',"
                 "'dimensions':{'service_name':'s'},'time':"
                 "'2026-04-15T10:00:00Z','value':" DIGITS "," WHO),
               OUT));
}

/* --- What this version does not know -------------------------------------- */
static void test_unknown_flags(void **state)
{
    met_ingest_config ingest_config = {.struct_size = sizeof ingest_config,
                                       .flags = ODD_FLAG};
    met_ingest *ingest;
    (void)state;

    EXPECT(MET_E_UNSUPPORTED,
           met_ingest_open(w.store, &ingest_config, &ingest, INFO));
    EXPECT(MET_E_UNSUPPORTED,
           met_grant_void(w.store, ID(grant), 0, ODD_FLAG, OUT));
    EXPECT(MET_E_UNSUPPORTED,
           met_subscription_migrate(w.store, ID(running), NULL, 0, 0,
                                    ODD_FLAG, OUT));
    EXPECT(MET_E_UNSUPPORTED,
           met_entitlement_override(
               w.store,
               J("{'customer':{'key':'cy'},'feature':{'key':'calls'},"
                 "'type':'metered','usage_period':{'interval':'P1M'}}"),
               ODD_FLAG, OUT));
    EXPECT(MET_E_UNSUPPORTED,
           met_meter_put(w.store,
                         J("{'key':'m2','name':'M','event_type':'e',"
                           "'aggregation':'sum','value_property':'$..v'}"),
                         OUT));
}

/* A struct of a newer program, with a field that is set. */
typedef struct newer_event {
    met_event known;
    uint64_t more;
} newer_event;

static void test_newer_structs(void **state)
{
    struct {
        met_gateway_request known;
        uint64_t more;
    } request = {.known = {.struct_size = sizeof request, .method = "GET",
                           .method_size = 3, .path = "/s", .path_size = 2},
                 .more = 1};
    met_gateway_decision decision = {.struct_size = sizeof decision};
    met_gateway_batch_result results[1];
    uint32_t offsets[2] = {0, 0};
    newer_event event = {.known = {.struct_size = sizeof event,
                                   .type = "kong.api_request",
                                   .type_size = 16, .subject = "consumer:ada",
                                   .subject_size = 12},
                         .more = 1};
    struct {
        met_gateway_outcome known;
        uint64_t more;
    } outcome = {.known = {.struct_size = sizeof outcome}, .more = 1};
    (void)state;

    assert_ok(met_gateway_open(w.store, NULL, &w.gateway, INFO));
    EXPECT(MET_E_UNSUPPORTED,
           met_gateway_admit(w.gateway, &request.known, &decision));
    EXPECT(MET_E_UNSUPPORTED,
           met_gateway_admit_batch(w.gateway, &request.known, "", offsets, 1,
                                   results));
    request.more = 0;
    EXPECT(MET_E_LIMIT,
           met_gateway_admit_batch(w.gateway, &request.known, "", offsets,
                                   MET_GATEWAY_BATCH_MAX + 1, results));
    request.known.key = "ada-key";
    request.known.key_size = 7;
    assert_ok(met_gateway_admit(w.gateway, &request.known, &decision));
    assert_true(decision.is_admitted);
    EXPECT(MET_E_UNSUPPORTED,
           met_gateway_complete(w.gateway, &decision.ticket, &outcome.known));

    assert_ok(met_recorder_open(w.store, NULL, &w.recorder, INFO));
    EXPECT(MET_E_UNSUPPORTED,
           met_recorder_add(w.recorder, &event.known, INFO));
    EXPECT(MET_E_UNSUPPORTED, met_prepared_open(w.recorder, &event.known,
                                                &w.prepared, INFO));
}

static void test_unknown_fields(void **state)
{
    const struct {
        met_event_cursor known;
        uint64_t more;
    } cursor = {.known = {.struct_size = sizeof cursor, .name = "q",
                          .name_size = 1, .generation = 1, .offset = 1},
                .more = 1};
    const met_event_cursor earlier = {.struct_size = sizeof earlier,
                                      .name = "queue", .name_size = 5,
                                      .generation = 1, .offset = 1};
    const met_ingest_event event = {
        .id = "n9", .id_size = 2, .source = "s", .source_size = 1,
        .type = "kong.api_request", .type_size = 16,
        .subject = "consumer:ada", .subject_size = 12};
    met_event_verdict verdict;
    (void)state;

    assert_ok(met_ingest_open(w.store, NULL, &w.ingest, INFO));
    EXPECT(MET_E_UNSUPPORTED,
           met_event_ingest(w.ingest, &event, 1, &cursor.known, &verdict,
                            INFO));
    EXPECT(MET_E_CONFLICT,
           met_event_ingest(w.ingest, &event, 1, &earlier, &verdict, INFO));
}

/* --- What is not there, or is there already ------------------------------- */
#define NO_ID "01ARZ3NDEKTSV4RRFFQ69G5FAV", 26

static void test_not_found(void **state)
{
    (void)state;
    EXPECT(MET_E_NOT_FOUND, met_feature_get(w.store, T("nope"), OUT));
    EXPECT(MET_E_NOT_FOUND, met_grant_get(w.store, NO_ID, OUT));
    EXPECT(MET_E_NOT_FOUND, met_invoice_interim(w.store, T("nope"), 0, OUT));
    EXPECT(MET_E_NOT_FOUND,
           met_gateway_entity_get(w.store, T("route"), T("nope"), OUT));
    EXPECT(MET_E_NOT_FOUND,
           met_entitlement_create(
               w.store,
               J("{'customer':{'key':'nobody'},'feature':{'key':'calls'},"
                 "'type':'boolean'}"),
               0, OUT));
    EXPECT(MET_E_CONFLICT,
           met_gateway_entity_remove(w.store, T("service"), T("s"), INFO));
}

static met_error open_limiter_at(const char *path, uint64_t capacity)
{
    met_limiter_config config = {.struct_size = sizeof config, .path = path,
                                 .capacity = capacity};
    met_limiter *limiter = NULL;
    met_error error = met_limiter_open(&config, &limiter, INFO);

    met_limiter_close(limiter);
    return error;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    for (int i = 0; i < 4096; i++) {
        assert_true(fputs(text, file) >= 0);
    }
    assert_int_equal(fclose(file), 0);
}

static void test_places(void **state)
{
    char path[128];
    (void)state;

    snprintf(path, sizeof path, "%s/nowhere/s", w.home);
    EXPECT(MET_E_NOT_FOUND, open_at(path, 0));
    EXPECT(MET_E_NOT_FOUND, open_limiter_at(path, 64));
    EXPECT(MET_E_IO, open_limiter_at(w.home, 64));
    snprintf(path, sizeof path, "%s/text.map", w.home);
    write_file(path, "what somebody else wrote\n");
    EXPECT(MET_E_FOREIGN, open_limiter_at(path, 0));
    snprintf(path, sizeof path, "%s/two.map", w.home);
    assert_ok(open_limiter_at(path, 64));
    EXPECT(MET_E_LAYOUT, open_limiter_at(path, 1 << 20));
    snprintf(path, sizeof path, "%s/full", w.home);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/full/file", w.home);
    write_file(path, "x");
    snprintf(path, sizeof path, "%s/full", w.home);
    EXPECT(MET_E_EXISTS, open_at(path, MET_STORE_CREATE));
}

/* As a host's own handler does; that of test_nothing is behind cmocka's. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (met_fault_handle(info->si_addr) != MET_OK) {
        signal(number, SIG_DFL);
    }
}

static void must_live_on(void)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO};

    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

/* A table whose file another process has cut short. */
static void test_cut_table(void **state)
{
    char path[128];
    uint32_t number = 0;
    uint32_t withheld = 0;
    const met_limiter_window window = {.limit = 5, .window_ns = 60000000000};
    met_limiter_policy policy = {.struct_size = sizeof policy, .name = "p",
                                 .name_size = 1, .windows = &window,
                                 .window_count = 1};
    met_limiter_request request = {.struct_size = sizeof request, .key = "k",
                                   .key_size = 1};
    met_limiter_result result = {.struct_size = sizeof result};
    met_limiter_stats stats = {.struct_size = sizeof stats};
    (void)state;

    snprintf(path, sizeof path, "%s/cut.map", w.home);
    met_limiter_config config = {.struct_size = sizeof config, .path = path,
                                 .capacity = 1 << 14};
    must_live_on();
    assert_ok(met_limiter_open(&config, &w.limiter, INFO));
    assert_ok(met_limiter_policy_set(w.limiter, &policy, &number, INFO));
    request.policy = number;
    EXPECT(MET_OK, met_limiter_check(w.limiter, &request, &result));
    assert_int_equal(truncate(path, 0), 0);
    EXPECT(MET_E_CORRUPT, met_limiter_charge(w.limiter, &request, &result));
    EXPECT(MET_E_CORRUPT,
           met_limiter_refund(w.limiter, &result.ticket, 0, &withheld));
    EXPECT(MET_E_CORRUPT,
           met_limiter_release(w.limiter, &result.ticket, &withheld));
    EXPECT(MET_E_CORRUPT, met_limiter_reset(w.limiter, &request));
    policy.name = "q";
    EXPECT(MET_E_CORRUPT,
           met_limiter_policy_set(w.limiter, &policy, &number, INFO));
    EXPECT(MET_E_CORRUPT,
           met_limiter_policy_remove(w.limiter, request.policy, INFO));
    EXPECT(MET_E_CORRUPT, met_limiter_stats_get(w.limiter, &stats));
    world_close_handles();
}

/* --- Recorders ------------------------------------------------------------ */
static met_event event_of(const char *type, const char *subject,
                          size_t subject_size)
{
    return (met_event){.struct_size = sizeof(met_event), .type = type,
                       .type_size = strlen(type), .subject = subject,
                       .subject_size = subject_size};
}

static void test_recorder_bounds(void **state)
{
    const met_recorder_config small = {.struct_size = sizeof small,
                                       .shapes_max = 64};
    char name[200] = "";
    char text[16];
    met_event event = event_of("n", name, 129);
    met_quantity one = {.key = "v", .key_size = 1};
    met_error errors[2];
    met_error error = MET_OK;
    (void)state;

    memset(name, 'x', sizeof name);
    assert_ok(met_decimal_parse(T("1"), &one.value));
    assert_ok(met_recorder_open(w.store, &small, &w.recorder, INFO));
    EXPECT(MET_E_LIMIT, met_recorder_add(w.recorder, &event, INFO));
    EXPECT(MET_E_LIMIT,
           met_recorder_add_batch(w.recorder, &event, 1, errors, INFO));
    EXPECT(MET_E_LIMIT, met_prepared_open(w.recorder, &event, &w.prepared,
                                          INFO));
    for (int i = 0; error != MET_E_TALLY_FULL && i < 100000; i++) {
        event = event_of("n", text, (size_t)snprintf(text, sizeof text, "%d",
                                                     i));
        event.quantities = &one;
        event.quantity_count = 1;
        error = met_recorder_add(w.recorder, &event, INFO);
    }
    assert_int_equal(error, MET_E_TALLY_FULL);
    EXPECT(MET_E_TALLY_FULL,
           met_recorder_add_batch(w.recorder, &event, 1, errors, INFO));
}

/* Slots whose files another process has cut short. */
static void test_cut_slot(void **state)
{
    met_event event = event_of("kong.api_request", T("consumer:ada"));
    met_event unknown = event_of("nobody.wants", T("u"));
    met_error errors[1];
    char path[128];
    (void)state;

    must_live_on();
    assert_ok(met_recorder_open(w.store, NULL, &w.recorder, INFO));
    EXPECT(MET_E_NOT_FOUND,
           met_recorder_add_batch(w.recorder, &unknown, 1, errors, INFO));
    assert_ok(met_prepared_open(w.recorder, &event, &w.prepared, INFO));
    for (int slot = 0; slot < 8; slot++) {
        snprintf(path, sizeof path, "%s/tally/%04d.map", w.path, slot);
        if (truncate(path, 0) != 0) {
            break;
        }
    }
    EXPECT(MET_E_IO, met_recorder_add(w.recorder, &event, INFO));
    EXPECT(MET_E_IO,
           met_recorder_add_batch(w.recorder, &event, 1, errors, INFO));
    EXPECT(MET_E_IO, met_prepared_add(w.prepared, NULL, 0, 0, INFO));
    world_close_handles(); /* while zeros are in the place of the files */
}

static int restore(void **state)
{
    (void)state;
    world_restore();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, restore)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),       TEST(test_huge_documents),
        TEST(test_long_numbers),  TEST(test_unknown_flags),
        TEST(test_newer_structs), TEST(test_unknown_fields),
        TEST(test_not_found),
        TEST(test_places),        TEST(test_cut_table),
        TEST(test_recorder_bounds), TEST(test_cut_slot),
    };

    return cmocka_run_group_tests(tests, world_make, world_remove);
}
