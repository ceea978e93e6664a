/* Every pair of state and action of one kind of object, by one table: what is
 * allowed changes the store, unless it asks only or says what is so already;
 * what is refused names its code and its field, and changes nothing. Plans and
 * subscriptions have tables of their own. */
#ifndef TESTS_UNIT_API_OBJECT_STATES_H
#define TESTS_UNIT_API_OBJECT_STATES_H

#include "support/catalog_calls.h"
#include "support/meter_calls.h"

#include "metering/catalog.h"
#include "metering/entitlement.h"
#include "metering/grant.h"

#define STATES_MAX 8

typedef struct expected {
    met_error error;
    const char *field; /* of MET_OK: "" changes something, "=" nothing */
} expected;

#define CHANGES {MET_OK, ""}
#define STAYS {MET_OK, "="}
#define REFUSED(CODE, FIELD) {MET_E_##CODE, FIELD}

typedef struct action {
    const char *name;
    met_error (*run)(void);
    expected in[STATES_MAX];
} action;

typedef struct state_of {
    const char *name;
    void (*make)(void);
} state_of;

typedef struct kind {
    const char *name;
    void (*before)(void);
    const state_of *states;
    size_t state_count;
    const action *actions;
    size_t action_count;
} kind;

/* --- The runner ----------------------------------------------------------- */
/* Whether it is as expected; *is_changed_out whether the state is used up. */
static inline int check_pair(const kind *of, const state_of *in,
                             const action *done, const expected *wanted,
                             int *is_changed_out)
{
    uint64_t before = stored_digest();
    met_error error = done->run();
    int is_changed = stored_digest() != before;
    const char *field = error != MET_OK ? told.field
                        : is_changed    ? ""
                                        : "=";
    int is_right = error == wanted->error && strcmp(field, wanted->field) == 0
                   && !(is_changed && error != MET_OK);

    if (!is_right) {
        print_error("%s, %s, %s: %s \"%s\" (%s), not %s \"%s\"\n", of->name,
                    in->name, done->name, met_error_name(error), field,
                    error != MET_OK ? told.reason : "",
                    met_error_name(wanted->error), wanted->field);
    }
    *is_changed_out = is_changed;
    return is_right;
}

/* What changed nothing leaves the state to the next action. */
static inline void every_pair(const kind *of)
{
    int wrong = 0;

    assert_true(of->state_count <= STATES_MAX);
    for (size_t s = 0; s < of->state_count; s++) {
        int is_made = 0;
        for (size_t a = 0; a < of->action_count; a++) {
            int is_changed;
            if (!is_made) {
                documents_setup(NULL);
                of->before();
                of->states[s].make();
                is_made = 1;
            }
            wrong += !check_pair(of, &of->states[s], &of->actions[a],
                                 &of->actions[a].in[s], &is_changed);
            if (is_changed || a + 1 == of->action_count) {
                documents_teardown(NULL);
                is_made = 0;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

/* --- Calls ---------------------------------------------------------------- */
#define METER(NAME, AGGREGATION, DIMENSIONS)                                 \
    "{\"key\":\"m\",\"name\":\"" NAME "\",\"event_type\":\"t\","             \
    "\"aggregation\":\"" AGGREGATION "\",\"dimensions\":{" DIMENSIONS "}}"
#define SERVICE "\"service\":\"$.service\""
#define ROUTE "\"route\":\"$.route\""
#define FEATURE(NAME, SERVED)                                              \
    "{\"key\":\"f\",\"name\":\"" NAME "\",\"meter\":{\"key\":\"m\","       \
    "\"filters\":{\"service\":{\"eq\":\"" SERVED "\"}}}}"
#define PLAN(KEY)                                                          \
    "{\"key\":\"" KEY "\",\"name\":\"P\",\"currency\":\"USD\","            \
    "\"billing_cadence\":\"P1M\",\"phases\":[{\"key\":\"d\",\"name\":"     \
    "\"D\",\"rate_cards\":[{\"key\":\"f\",\"name\":\"F\",\"feature\":{"    \
    "\"key\":\"f\"},\"billing_cadence\":\"P1M\",\"price\":{\"type\":"      \
    "\"free\"},\"entitlement\":{\"type\":\"metered\",\"limit\":\"5\"}}]}]}"
#define CUSTOMER(NAME, CURRENCY, SUBJECT)                                 \
    "{\"key\":\"c\",\"name\":\"" NAME "\",\"currency\":\"" CURRENCY "\"," \
    "\"usage_attribution\":{\"subject_keys\":[\"" SUBJECT "\"]}}"
#define LATER "2026-06-01T00:00:00Z"
#define OF_C "\"customer\":{\"key\":\"c\"},\"feature\":{\"key\":\"f\"}"
#define METERED                                                     \
    ",\"type\":\"metered\",\"issue_after_reset\":\"5\","            \
    "\"usage_period\":{\"interval\":\"P1M\"}"

/* Grants are of entitlements to it that are in force, or begin. */
#define NOT_ENTITLED REFUSED(NOT_FOUND, "grant.feature.key")
#define TOO_EARLY REFUSED(INVALID, "grant.effective_at")

static inline met_error entitle_with(const char *members, int overrides)
{
    char json[512];
    met_buffer *out = fresh();

    snprintf(json, sizeof json, "{" OF_C "%s}", members);
    return keep((overrides ? met_entitlement_override
                           : met_entitlement_create)(
                    store, json, strlen(json), 0, out, &told),
                out);
}

static inline met_error end_entitlement(void)
{
    fresh();
    return keep(met_entitlement_remove(store, "c", 1, "f", 1, &told), fresh());
}

static inline met_error grant_with(const char *members)
{
    char json[256];
    met_buffer *out = fresh();

    snprintf(json, sizeof json, "{" OF_C "%s}", members);
    return keep(met_grant_create(store, json, strlen(json), 0, out, &told),
                out);
}

static inline met_error do_grant(void)
{
    return grant_with(",\"amount\":\"3\"");
}

static inline met_error do_entitle(void)
{
    return entitle_with(METERED, 0);
}

static inline met_error do_subscribe(void)
{
    return subscribe("{\"customer\":{\"key\":\"c\"},\"plan\":{\"key\":\"p\"}}",
                     0);
}

static inline void nothing(void)
{
}

static inline void have_meter(void)
{
    assert_ok(meter_put(METER("M", "count", SERVICE "," ROUTE)));
}

static inline void have_feature(void)
{
    have_meter();
    assert_ok(feature_put(FEATURE("F", "s")));
}

/* A plan of the feature, and the customer. */
static inline void have_all(void)
{
    have_feature();
    assert_ok(plan_put(PLAN("p")));
    assert_ok(plan_publish("p"));
    assert_ok(customer_put(CUSTOMER("C", "USD", "s")));
}

static inline void subscribed(void)
{
    assert_ok(do_subscribe());
}

static inline void entitled(void)
{
    assert_ok(do_entitle());
}

#endif
