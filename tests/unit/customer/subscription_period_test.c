/* Phases and periods of a subscription, by tables; and that periods follow
 * each other without gap or overlap over years. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "customer/subscription.h"

static int64_t at(const char *text)
{
    int64_t utc_ns = 0;

    if (text == NULL) {
        return 0;
    }
    if (strcmp(text, "never") == 0) {
        return MET__TIME_MAX;
    }
    assert_int_equal(met__time_parse(met__text_z(text), &utc_ns), MET_OK);
    return utc_ns;
}

static met__duration span(const char *text)
{
    met__duration duration;

    assert_int_equal(met__duration_parse(met__text_z(text), &duration),
                     MET_OK);
    return duration;
}

static void test_period__status(void **state)
{
    static const struct {
        const char *why;
        int64_t from_ns;
        int64_t to_ns;
        uint32_t status; /* at 100 */
    } rows[] = {
        {"begins later", 101, 0, MET__SUBSCRIPTION_SCHEDULED},
        {"begins and ends later", 101, 200, MET__SUBSCRIPTION_SCHEDULED},
        {"begins now", 100, 0, MET__SUBSCRIPTION_ACTIVE},
        {"ends later", 50, 101, MET__SUBSCRIPTION_CANCELED},
        {"ends now", 50, 100, MET__SUBSCRIPTION_INACTIVE},
        {"of no length, now", 100, 100, MET__SUBSCRIPTION_INACTIVE},
        {"of no length, later", 200, 200, MET__SUBSCRIPTION_INACTIVE},
        {"ends before it begins", 200, 150, MET__SUBSCRIPTION_INACTIVE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__subscription subscription = {.active_from_ns = rows[i].from_ns,
                                          .active_to_ns = rows[i].to_ns};
        if (met__subscription_status_at(&subscription, 100)
            != rows[i].status) {
            fail_msg("%s", rows[i].why);
        }
    }
    assert_string_equal(
        met__subscription_status_name(MET__SUBSCRIPTION_SCHEDULED),
        "scheduled");
    assert_string_equal(
        met__subscription_status_name(MET__SUBSCRIPTION_INACTIVE),
        "inactive");
    assert_string_equal(met__subscription_status_name(0), "inactive");
    assert_string_equal(met__subscription_status_name(5), "inactive");
}

/* A month of trial, then three months of ramp, then for ever. */
static void test_period__phases(void **state)
{
    static const struct {
        const char *why;
        const char *end; /* of the subscription; NULL: none */
        const char *at;
        int index; /* -1: outside */
        const char *from;
        const char *to;
    } rows[] = {
        {"before", NULL, "2026-01-31T11:59:59Z", -1, NULL, NULL},
        {"its first instant", NULL, "2026-01-31T12:00:00Z", 0,
         "2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z"},
        {"the last of the trial", NULL, "2026-02-28T11:59:59.999999999Z", 0,
         "2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z"},
        {"the first of the ramp: counted from the beginning, so 31 May", NULL,
         "2026-02-28T12:00:00Z", 1, "2026-02-28T12:00:00Z",
         "2026-05-31T12:00:00Z"},
        {"the rest", NULL, "2150-01-01T00:00:00Z", 2, "2026-05-31T12:00:00Z",
         "never"},
        {"cut in the ramp", "2026-03-10T00:00:00Z", "2026-03-01T00:00:00Z", 1,
         "2026-02-28T12:00:00Z", "2026-03-10T00:00:00Z"},
        {"at its end", "2026-03-10T00:00:00Z", "2026-03-10T00:00:00Z", -1,
         NULL, NULL},
        {"of no length", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z", -1,
         NULL, NULL},
    };
    met__phase phases[3] = {
        {.has_duration = 1, .duration = span("P1M")},
        {.has_duration = 1, .duration = span("P3M")},
        {.has_duration = 0},
    };
    met__plan plan = {.phase_count = 3, .phases = phases};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__subscription subscription = {
            .active_from_ns = at("2026-01-31T12:00:00Z"),
            .active_to_ns = at(rows[i].end)};
        size_t index = 99;
        met__period bounds = {1, 1};
        met_error error = met__subscription_phase_at(
            &subscription, &plan, at(rows[i].at), &index, &bounds);
        if (rows[i].index < 0 ? error != MET_E_NOT_FOUND || index != 99
                              : error != MET_OK
                                    || index != (size_t)rows[i].index
                                    || bounds.from_ns != at(rows[i].from)
                                    || bounds.to_ns != at(rows[i].to)) {
            fail_msg("%s: phase %zu, %lld to %lld", rows[i].why, index,
                     (long long)bounds.from_ns, (long long)bounds.to_ns);
        }
    }
}

/* Durations that lead out of all times: the phase never ends. */
static void test_period__phases_beyond(void **state)
{
    static const char *const durations[] = {"P1000000000Y", "P500Y",
                                            "PT1000000000S"};

    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        met__phase phases[6];
        met__plan plan = {.phase_count = 6, .phases = phases};
        met__subscription subscription = {
            .active_from_ns = at("2026-01-31T12:00:00Z")};
        met__period bounds;
        size_t index;
        for (int j = 0; j < 6; j++) {
            phases[j] = (met__phase){.has_duration = j < 5,
                                     .duration = span(durations[i])};
        }
        assert_int_equal(met__subscription_phase_at(
                             &subscription, &plan,
                             at("2200-01-01T00:00:00Z"), &index, &bounds),
                         MET_OK);
        assert_int_equal(index, i < 2 ? 0 : 5);
        assert_int_equal(bounds.to_ns, MET__TIME_MAX);
    }
}

static void test_period__billing(void **state)
{
    static const struct {
        const char *why;
        const char *cadence;
        const char *from;
        const char *to;
        const char *anchor;
        const char *at;
        const char *period_from;
        const char *period_to;
    } rows[] = {
        {"calendar months: a short first one", "P1M", "2026-03-15T10:30:00Z",
         NULL, "2026-01-01T00:00:00Z", "2026-03-15T10:30:00Z",
         "2026-03-15T10:30:00Z", "2026-04-01T00:00:00Z"},
        {"then whole ones", "P1M", "2026-03-15T10:30:00Z", NULL,
         "2026-01-01T00:00:00Z", "2026-04-30T23:59:59Z",
         "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"},
        {"and a short last one", "P1M", "2026-03-15T10:30:00Z",
         "2026-04-10T00:00:00Z", "2026-01-01T00:00:00Z",
         "2026-04-09T00:00:00Z", "2026-04-01T00:00:00Z",
         "2026-04-10T00:00:00Z"},
        {"an anchor to come", "P1M", "2026-03-15T10:30:00Z", NULL,
         "2027-06-20T00:00:00Z", "2026-03-15T10:30:00Z",
         "2026-03-15T10:30:00Z", "2026-03-20T00:00:00Z"},
        {"the 31st in February", "P1M", "2026-01-31T00:00:00Z", NULL,
         "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z",
         "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
        {"weeks", "P1W", "2026-03-15T10:30:00Z", NULL, "2026-03-15T10:30:00Z",
         "2026-03-22T10:29:59Z", "2026-03-15T10:30:00Z",
         "2026-03-22T10:30:00Z"},
        {"a year", "P1Y", "2024-02-29T00:00:00Z", NULL,
         "2024-02-29T00:00:00Z", "2025-03-01T00:00:00Z",
         "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z"},
    };
    met__phase phase = {.has_duration = 0};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__plan plan = {.phase_count = 1, .phases = &phase,
                          .billing_cadence = span(rows[i].cadence)};
        met__subscription subscription = {
            .active_from_ns = at(rows[i].from),
            .active_to_ns = at(rows[i].to),
            .billing_anchor_ns = at(rows[i].anchor)};
        met__period period = {1, 1};
        met_error error = met__subscription_billing_period(
            &subscription, &plan, at(rows[i].at), &period);
        if (error != MET_OK || period.from_ns != at(rows[i].period_from)
            || period.to_ns != at(rows[i].period_to)) {
            fail_msg("%s: %lld to %lld", rows[i].why,
                     (long long)period.from_ns, (long long)period.to_ns);
        }
    }
}

/* Walking from period to period visits every instant once. */
static void test_period__no_gap(void **state)
{
    static const char *const cadences[] = {"P1W", "P2W", "P4W",  "P1M",
                                           "P3M", "P6M", "P12M", "P1Y"};
    static const char *const anchors[] = {
        "2026-01-31T00:00:00Z", "2024-02-29T23:59:59.5Z",
        "2031-12-31T12:00:00Z", "1971-05-17T08:15:00Z"};
    met__phase phases[2] = {
        {.has_duration = 1, .duration = span("P100D")},
        {.has_duration = 0},
    };

    for (size_t c = 0; c < 8; c++) {
        for (size_t a = 0; a < 4; a++) {
            met__plan plan = {.phase_count = 2, .phases = phases,
                              .billing_cadence = span(cadences[c])};
            met__subscription subscription = {
                .active_from_ns = at("2026-03-15T10:30:00.25Z"),
                .active_to_ns = at("2036-03-15T10:30:00Z"),
                .billing_anchor_ns = at(anchors[a])};
            int64_t next_ns = subscription.active_from_ns;
            int64_t phase_ns = next_ns + 100 * MET__DAY_NS;
            int met_phase = 0;
            int count = 0;
            while (next_ns < subscription.active_to_ns) {
                met__period period;
                met__period last;
                assert_int_equal(
                    met__subscription_billing_period(&subscription, &plan,
                                                     next_ns, &period),
                    MET_OK);
                assert_int_equal(period.from_ns, next_ns);
                assert_true(period.to_ns > period.from_ns);
                assert_int_equal(met__subscription_billing_period(
                                     &subscription, &plan, period.to_ns - 1,
                                     &last),
                                 MET_OK);
                assert_int_equal(last.from_ns, period.from_ns);
                assert_int_equal(last.to_ns, period.to_ns);
                next_ns = period.to_ns;
                met_phase |= next_ns == phase_ns;
                count++;
            }
            assert_int_equal(next_ns, subscription.active_to_ns);
            assert_true(met_phase); /* a phase always ends a period */
            assert_true(count >= 10);
        }
    }
}

static void test_period__usage_bounds(void **state)
{
    met__period period = {at("2026-03-15T10:30:59.999999999Z"),
                          at("2026-04-01T00:00:00Z")};

    period = met__usage_bounds(period);
    assert_int_equal(period.from_ns, at("2026-03-15T10:30:00Z"));
    assert_int_equal(period.to_ns, at("2026-04-01T00:00:00Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_period__status),
        cmocka_unit_test(test_period__phases),
        cmocka_unit_test(test_period__phases_beyond),
        cmocka_unit_test(test_period__billing),
        cmocka_unit_test(test_period__no_gap),
        cmocka_unit_test(test_period__usage_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
