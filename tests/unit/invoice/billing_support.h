/* Runs and profiles, for the tests of this room. */
#ifndef TESTS_UNIT_INVOICE_BILLING_SUPPORT_H
#define TESTS_UNIT_INVOICE_BILLING_SUPPORT_H

#include "unit/invoice/invoice_support.h"

#include "metering/billing.h"

static met_billing_report report;

static inline met_error run_on(met_store *on, const char *as_of)
{
    met_billing_run *run = NULL;

    fresh();
    report = (met_billing_report){.struct_size = sizeof report};
    met_error error = met_billing_run_open(
        on, as_of == NULL ? 0 : time_of(as_of), &run, &told);
    while (error == MET_OK && report.stage != MET_BILLING_DONE) {
        error = met_billing_run_step(run, &report, &told);
    }
    met_billing_run_close(run);
    return error;
}

/* To its end, and nobody failed. */
static inline void must_run(const char *as_of)
{
    if (as_of != NULL && time_of(as_of) > clock_now_ns) {
        clock_now_ns = time_of(as_of);
    }
    assert_ok(run_on(store, as_of));
    if (report.failed > 0) {
        fail_msg("%s: %s", report.failed_name, report.failed_reason);
    }
}

static inline met_error put_profile(const char *customer, const char *json)
{
    met_buffer *buffer = fresh();

    return keep(met_billing_profile_put(store, customer,
                                        customer ? strlen(customer) : 0, json,
                                        strlen(json), buffer, &told),
                buffer);
}

static inline met_error act(const char *id, const char *action)
{
    met_buffer *buffer = fresh();

    return keep(met_invoice_act(store, id, strlen(id), action, strlen(action),
                                buffer, &told),
                buffer);
}

static inline met_error credit(const char *id, const char *json)
{
    met_buffer *buffer = fresh();

    return keep(met_invoice_credit(store, id, strlen(id), json, strlen(json),
                                   buffer, &told),
                buffer);
}

#define UNIT_1 "{\"type\":\"unit\",\"amount\":\"1\"}"
static inline void must_publish_unit(void)
{
    must_publish_card("unit", story_card(UNIT_1, NULL));
}

#define CARD_1                                                              \
    "{\"key\":\"example_service\",\"name\":\"x\",\"feature\":{\"key\":"        \
    "\"example_service\"},\"billing_cadence\":\"P1M\",\"price\":" UNIT_1 "}"
#define FEE_3                                                               \
    "{\"key\":\"fee\",\"name\":\"Fee\",\"billing_cadence\":\"P1M\",\"price\":" \
    "{\"type\":\"flat\",\"amount\":\"3\",\"payment_term\":\"in_advance\"}}"
/* A plan with a minimum of 10 a month. */
static inline void must_publish_least(const char *cards)
{
    char json[1024];

    snprintf(json, sizeof json,
             "{\"key\":\"least\",\"name\":\"Least\",\"currency\":\"USD\","
             "\"billing_cadence\":\"P1M\",\"commitments\":{\"minimum\":"
             "\"10\"},\"phases\":[{\"key\":\"default\",\"name\":\"Default\","
             "\"rate_cards\":[%s]}]}",
             cards);
    must_publish("least", json);
}

static inline void must_cancel(const char *id, const char *at)
{
    fresh();
    assert_ok(met_subscription_cancel(store, id, strlen(id), time_of(at),
                                      MET_ALLOW_PAST, NULL, &told));
}

#endif
