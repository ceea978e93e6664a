/* gateway.h, limiter.h, limiter_key.h. */
#include "contract/world.h"

/* --- The gateway ---------------------------------------------------------- */
static const met_gateway_config config = {.struct_size = sizeof config,
                                          .limiter_capacity = 1024};
static met_gateway_batch_result batch_results[1];

CALL(gateway_open, w.store, &config, &w.gateway, INFO)
static met_error call_gateway_close(void)
{
    met_gateway_close(w.gateway);
    w.gateway = NULL;
    return MET_OK;
}
static void open_gateway(void)
{
    assert_ok(call_gateway_open());
}

static met_gateway_request request_now(void)
{
    return (met_gateway_request){.struct_size = sizeof(met_gateway_request),
                                 .method = "GET", .method_size = 3,
                                 .path = "/s", .path_size = 2,
                                 .client_ip = "203.0.113.7",
                                 .client_ip_size = 11, .key = "ada-key",
                                 .key_size = 7, .utc_ns = w.now_ns,
                                 .monotonic_ns = w.now_ns};
}

static met_error call_gateway_admit(void)
{
    met_gateway_request request = request_now();

    w.decision.struct_size = sizeof w.decision;
    return met_gateway_admit(w.gateway, &request, &w.decision);
}
static met_error call_gateway_admit_batch(void)
{
    static const uint32_t offsets[] = {0, 7};
    met_gateway_request request = request_now();

    request.key_size = 0;
    return met_gateway_admit_batch(w.gateway, &request, "ada-key", offsets, 1,
                                   batch_results);
}
CALL(gateway_complete, w.gateway, &w.decision.ticket, NULL)
CALL(gateway_tick, w.gateway)
CALL(gateway_stats, w.gateway, OUT)
CALL(gateway_entity_list, w.store, T("consumer"), OUT)
CALL(gateway_entity_get, w.store, T("consumer"), T("ada"), OUT)
CALL(gateway_entity_remove, w.store, T("consumer"), T("ada"), INFO)

CALL(credential_rotate, w.store, T("ada"),
     J("{'grace_seconds':60,'reason':'r','actor':'a'}"), OUT)

static void admit_one(void)
{
    if (w.gateway == NULL) {
        open_gateway();
    }
    assert_ok(call_gateway_admit());
    assert_int_equal(w.decision.is_admitted, 1);
}

/* Somebody has changed what is compiled. */
static void change_entities(void)
{
    open_gateway();
    assert_ok(call_gateway_entity_remove());
    w.now_ns += INT64_C(120) * 1000000000;
}

/* --- The limiter ---------------------------------------------------------- */
static met_error call_limiter_open(void)
{
    met_limiter_config table = {.struct_size = sizeof table,
                                .path = temp_path(w.home, "limits.map"),
                                .capacity = 1024, .platform = &w.platform};

    return met_limiter_open(&table, &w.limiter, INFO);
}
static met_error call_limiter_close(void)
{
    met_limiter_close(w.limiter);
    w.limiter = NULL;
    return MET_OK;
}
static met_error call_limiter_policy_set(void)
{
    static const met_limiter_window windows[] = {
        {.limit = 5, .window_ns = 60000000000},
        {.limit = 3, .window_ns = 1000000000,
         .algorithm = MET_LIMITER_IN_FLIGHT}};
    met_limiter_policy policy = {.struct_size = sizeof policy, .name = "p",
                                 .name_size = 1, .windows = windows,
                                 .window_count = 2};

    return met_limiter_policy_set(w.limiter, &policy, &w.policy, INFO);
}
CALL(limiter_policy_remove, w.limiter, w.policy, INFO)

static met_error ask(met_error (*verb)(met_limiter *,
                                       const met_limiter_request *,
                                       met_limiter_result *))
{
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = w.policy, .key = "k",
                                   .key_size = 1};

    w.result.struct_size = sizeof w.result;
    return verb(w.limiter, &request, &w.result);
}
static met_error call_limiter_check(void)
{
    return ask(met_limiter_check);
}
static met_error call_limiter_peek(void)
{
    return ask(met_limiter_peek);
}
static met_error call_limiter_charge(void)
{
    return ask(met_limiter_charge);
}
static met_error call_limiter_check_batch(void)
{
    static const uint32_t offsets[] = {0, 1, 2};
    uint32_t is_allowed[2];
    met_limiter_batch batch = {.struct_size = sizeof batch, .keys = "ab",
                               .key_offsets = offsets, .count = 2,
                               .policy = w.policy};
    met_limiter_verdicts verdicts = {.struct_size = sizeof verdicts,
                                     .is_allowed = is_allowed};

    return met_limiter_check_batch(w.limiter, &batch, &verdicts, INFO);
}
static uint32_t withheld;
CALL(limiter_refund, w.limiter, &w.result.ticket, 0, &withheld)
CALL(limiter_release, w.limiter, &w.result.ticket, &withheld)
static met_error call_limiter_reset(void)
{
    met_limiter_request request = {.struct_size = sizeof request,
                                   .policy = w.policy, .key = "k",
                                   .key_size = 1};

    return met_limiter_reset(w.limiter, &request);
}
static met_error call_limiter_stats_get(void)
{
    met_limiter_stats stats = {.struct_size = sizeof stats};

    return met_limiter_stats_get(w.limiter, &stats);
}
static char text[MET_LIMITER_HEADERS_SIZE];
static size_t text_size;
CALL(limiter_headers_write, &w.result, NULL, text, sizeof text, &text_size,
     INFO)
static met_error call_limiter_key_build(void)
{
    met_limiter_identity identity = {.struct_size = sizeof identity,
                                     .scope = "r", .scope_size = 1,
                                     .form = MET_LIMITER_FORM_ADDRESS,
                                     .value = "203.0.113.7",
                                     .value_size = 11};

    return met_limiter_key_build(&identity, text, sizeof text, &text_size,
                                 INFO);
}

static void open_limiter(void)
{
    assert_ok(call_limiter_open());
}
static void set_policy(void)
{
    open_limiter();
    assert_ok(call_limiter_policy_set());
}
/* Not in flight, so that it can be charged. */
static void set_paced(void)
{
    static const met_limiter_window window = {.limit = 5,
                                              .window_ns = 60000000000};
    met_limiter_policy policy = {.struct_size = sizeof policy, .name = "q",
                                 .name_size = 1, .windows = &window,
                                 .window_count = 1};

    open_limiter();
    assert_ok(met_limiter_policy_set(w.limiter, &policy, &w.policy, INFO));
}
static void check_one(void)
{
    set_policy();
    assert_ok(call_limiter_check());
}

const contract_row gateway_rows[] = {
    ROW(gateway_open, NULL, ROW_COPES | ROW_AGAIN),
    ROW(gateway_close, open_gateway, 0),
    ROW(gateway_admit, open_gateway, ROW_COPES),
    ROW(gateway_admit_batch, open_gateway, ROW_COPES),
    ROW(gateway_complete, admit_one, ROW_AGAIN),
    ROW(gateway_tick, change_entities, ROW_COPES),
    ROW(gateway_stats, open_gateway, 0),
    ROW(gateway_entity_list, NULL, 0),
    ROW(gateway_entity_get, NULL, 0),
    ROW(gateway_entity_remove, NULL, ROW_WRITES),
    ROW(credential_rotate, NULL, ROW_WRITES),
    ROW(limiter_open, NULL, ROW_PURE | ROW_COPES | ROW_AGAIN),
    ROW(limiter_close, open_limiter, ROW_PURE),
    ROW(limiter_policy_set, open_limiter, ROW_PURE),
    ROW(limiter_policy_remove, set_policy, ROW_PURE),
    ROW(limiter_check, set_policy, ROW_PURE),
    ROW(limiter_check_batch, set_policy, ROW_PURE),
    ROW(limiter_peek, set_policy, ROW_PURE),
    ROW(limiter_charge, set_paced, ROW_PURE),
    ROW(limiter_refund, check_one, ROW_PURE),
    ROW(limiter_release, check_one, ROW_PURE),
    ROW(limiter_reset, set_policy, ROW_PURE),
    ROW(limiter_stats_get, open_limiter, ROW_PURE),
    ROW(limiter_headers_write, check_one, ROW_PURE),
    ROW(limiter_key_build, NULL, ROW_PURE),
};
const size_t gateway_row_count = sizeof gateway_rows / sizeof *gateway_rows;
