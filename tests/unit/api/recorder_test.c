/* recorder.h: batches and prepared events from outside: arguments, errors by
 * event, structs of another size. Rules have their tests in unit/meter. */
#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#include <sys/wait.h>
#include <unistd.h>

/* A caller built when the struct was longer. */
typedef struct longer_event {
    met_event event;
    uint64_t more;
} longer_event;

static met_event event_of(const char *subject)
{
    return (met_event){.struct_size = sizeof(met_event),
                       .type = "kong.api_request",
                       .type_size = 16,
                       .subject = subject,
                       .subject_size = strlen(subject)};
}

static met_recorder *open_recorder(void)
{
    met_recorder *recorder = NULL;

    must_put_requests_meter();
    fresh();
    assert_ok(met_recorder_open(store, NULL, &recorder, &told));
    return recorder;
}

static void assert_settled(const char *events)
{
    assert_ok(settle());
    assert_shown("events", events);
}

static void test_api_recorder__batch(void **state)
{
    met_recorder *recorder = open_recorder();
    met_event events[40];
    met_error errors[40];

    for (int i = 0; i < 40; i++) {
        events[i] = event_of(i % 2 ? "a" : "b");
    }
    fresh();
    assert_ok(met_recorder_add_batch(recorder, events, 40, errors, &told));
    assert_ok(met_recorder_add_batch(recorder, NULL, 0, NULL, &told));
    events[33].subject_size = 0;
    events[37].type = "kong.api_other!!";
    fresh();
    assert_told(met_recorder_add_batch(recorder, events, 40, errors, &told),
                MET_E_INVALID, "events[33].subject", "is missing");
    for (int i = 0; i < 40; i++) {
        assert_int_equal(errors[i], i == 33   ? MET_E_INVALID
                                    : i == 37 ? MET_E_NOT_FOUND
                                              : MET_OK);
    }
    assert_settled("78");
    met_recorder_close(recorder);
}

static void test_api_recorder__batch_arguments(void **state)
{
    met_recorder *recorder = open_recorder();
    met_event events[2] = {event_of("a"), event_of("b")};
    longer_event longer[3] = {{.event = event_of("a")},
                              {.event = event_of("")},
                              {.event = event_of("c")}};
    met_error errors[3];

    fresh();
    assert_told(met_recorder_add_batch(NULL, events, 2, errors, &told),
                MET_E_INVALID, "recorder", "is NULL");
    assert_told(met_recorder_add_batch(recorder, NULL, 2, errors, &told),
                MET_E_INVALID, "events", "is NULL");
    assert_told(met_recorder_add_batch(recorder, events, 2, NULL, &told),
                MET_E_INVALID, "errors_out", "is NULL");
    events[1].struct_size -= 8;
    assert_told(met_recorder_add_batch(recorder, events, 2, errors, &told),
                MET_E_INVALID, "events", "same struct_size");
    for (int i = 0; i < 3; i++) {
        longer[i].event.struct_size = sizeof longer[i];
    }
    assert_told(met_recorder_add_batch(recorder, &longer[0].event, 3, errors,
                                       &told),
                MET_E_INVALID, "events[1].subject", "is missing");
    longer[2].more = 1;
    longer[1].event.subject = "b";
    longer[1].event.subject_size = 1;
    fresh();
    assert_told(met_recorder_add_batch(recorder, &longer[0].event, 3, errors,
                                       &told),
                MET_E_UNSUPPORTED, "events[2].event", "");
    assert_int_equal(errors[0], MET_OK);
    assert_int_equal(errors[1], MET_OK);
    assert_settled("4");
    met_recorder_close(recorder);
}

/* A name that is not there is refused wherever names are read. */
static void test_api_recorder__null_names(void **state)
{
    met_recorder *recorder = open_recorder();
    met_event event = event_of("a");
    met_pair pairs[] = {{"x", 1, NULL, 1}, {NULL, 1, "y", 1}};
    met_quantity quantity = {NULL, 1, {{0, 0}}};
    met_prepared *prepared = NULL;
    met_event plain = event;

    event.attributes = pairs;
    event.attribute_count = 2;
    fresh();
    assert_told(met_recorder_add(recorder, &event, &told), MET_E_INVALID,
                "attributes[1].key", "is NULL");
    assert_told(met_prepared_open(recorder, &event, &prepared, &told),
                MET_E_INVALID, "attributes[1].key", "is NULL");
    event.attribute_count = 1; /* a value that nobody asks for */
    fresh();
    assert_ok(met_prepared_open(recorder, &event, &prepared, &told));
    met_prepared_close(prepared);
    assert_ok(meter_put("{\"key\":\"s\",\"name\":\"n\",\"event_type\":"
                        "\"sums\",\"aggregation\":\"sum\","
                        "\"value_property\":\"$.v\"}"));
    assert_ok(met_recorder_tick(recorder));
    plain.type = "sums";
    plain.type_size = 4;
    assert_ok(met_prepared_open(recorder, &plain, &prepared, &told));
    assert_told(met_prepared_add(prepared, &quantity, 1, 0, &told),
                MET_E_INVALID, "quantities[0].key", "is NULL");
    met_prepared_close(prepared);
    plain.quantities = &quantity;
    plain.quantity_count = 1;
    assert_told(met_recorder_add(recorder, &plain, &told), MET_E_INVALID,
                "quantities[0].key", "is NULL");
    met_recorder_close(recorder);
}

static void test_api_recorder__prepared(void **state)
{
    met_recorder *recorder = open_recorder();
    met_event event = event_of("a");
    met_quantity quantity = {"v", 1, {{0, 0}}};
    met_prepared *prepared = NULL;

    fresh();
    assert_told(met_prepared_open(NULL, &event, &prepared, &told),
                MET_E_INVALID, "recorder", "is NULL");
    assert_told(met_prepared_open(recorder, NULL, &prepared, &told),
                MET_E_INVALID, "event", "is NULL");
    assert_told(met_prepared_open(recorder, &event, NULL, &told),
                MET_E_INVALID, "prepared_out", "is NULL");
    assert_told(met_prepared_add(NULL, NULL, 0, 0, &told), MET_E_INVALID,
                "prepared", "is NULL");
    event.utc_ns = 1;
    assert_told(met_prepared_open(recorder, &event, &prepared, &told),
                MET_E_INVALID, "utc_ns", "when the event is counted");
    event.utc_ns = 0;
    event.type_size = 4;
    assert_told(met_prepared_open(recorder, &event, &prepared, &told),
                MET_E_NOT_FOUND, "type", "");
    event.type_size = 16;
    assert_null(prepared);
    memory.calls = 0;
    memory.fail_at = 1;
    assert_told(met_prepared_open(recorder, &event, &prepared, &told),
                MET_E_NO_MEMORY, "", "");
    memory.fail_at = 0;
    assert_null(prepared);
    assert_ok(met_prepared_open(recorder, &event, &prepared, &told));
    for (int i = 0; i < 5; i++) {
        assert_ok(met_prepared_add(prepared, NULL, 0, 0, &told));
    }
    fresh();
    assert_told(met_prepared_add(prepared, NULL, 1, 0, &told), MET_E_INVALID,
                "quantities", "is NULL");
    assert_told(met_prepared_add(prepared, &quantity, SIZE_MAX, 0, &told),
                MET_E_LIMIT, "quantities", "");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int is_right = met_prepared_add(prepared, NULL, 0, 0, NULL)
                           == MET_E_FORKED
                       && met_recorder_add_batch(recorder, &event, 1,
                                                 &(met_error){0}, NULL)
                              == MET_E_FORKED;
        met_prepared_close(prepared);
        _exit(is_right ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_settled("5");
    met_prepared_close(prepared);
    met_prepared_close(NULL);
    met_recorder_close(recorder);
}

int main(void)
{
#define TEST(name)                                         \
    cmocka_unit_test_setup_teardown(name, documents_setup, \
                                    documents_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_api_recorder__batch),
        TEST(test_api_recorder__batch_arguments),
        TEST(test_api_recorder__prepared),
        TEST(test_api_recorder__null_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
