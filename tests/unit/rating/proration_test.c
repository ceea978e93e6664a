/* Shares of a period: what they are counted in, and what pays in full. */
#include "metering/rating.h"

#include "unit/rating/rating_support.h"

static const char *share_of(const char *term, const char *from, const char *to,
                            const char *unit, met_error_info *info)
{
    met_price *price = NULL;
    met_buffer out = {0};
    char *card = met__arena_print(
        &arena, "{\"type\":\"flat\",\"amount\":\"310\",\"payment_term\":"
                "\"%s\"}",
        term);
    char *request = met__arena_print(
        &arena,
        "{\"quantity\":\"1\",\"period\":{\"from\":\"%s\",\"to\":\"%s\"},"
        "\"full_period\":{\"from\":\"2025-01-01T00:00:00Z\",\"to\":"
        "\"2025-02-01T00:00:00Z\"},\"policies\":{\"proration\":\"%s\"}}",
        from, to, unit);

    assert_int_equal(
        met_price_create(card, strlen(card), NULL, &price, info), MET_OK);
    met_error error =
        met_price_rate(price, request, strlen(request), &out, info);
    met_price_destroy(price);
    if (error != MET_OK) {
        return NULL;
    }
    const met__node *answer = node_of(out.data);
    met_buffer_release(&out);
    const met__node *lines = met__node_get(answer, "lines");
    if (lines->count == 0) {
        return "none";
    }
    const met__node *line = lines->as.items[0];
    return met__arena_print(
        &arena, "%s: %s", met__node_get(line, "explanation")->as.text.data,
        met__node_get(met__node_get(line, "totals"), "total")->as.text.data);
}

#define IN_JANUARY(day, time) "2025-01-" day "T" time "Z"

static void counts_in_every_unit(void **state)
{
    static const struct {
        const char *why;
        const char *from;
        const char *to;
        const char *unit;
        const char *expected;
    } rows[] = {
        {"half a day more than one", IN_JANUARY("10", "00:00:00"),
         IN_JANUARY("11", "12:00:00"), "second",
         "once, in arrears, for 129600 of 2678400 seconds: 15.00"},
        {"the day begun counts", IN_JANUARY("10", "00:00:00"),
         IN_JANUARY("11", "12:00:00"), "day_inclusive",
         "once, in arrears, for 2 of 31 days: 20.00"},
        {"the day begun does not count", IN_JANUARY("10", "00:00:00"),
         IN_JANUARY("11", "12:00:00"), "day_exclusive",
         "once, in arrears, for 1 of 31 days: 10.00"},
        {"a day that ends at midnight is one", IN_JANUARY("10", "00:00:00"),
         IN_JANUARY("11", "00:00:00"), "day_inclusive",
         "once, in arrears, for 1 of 31 days: 10.00"},
        {"a second of a day", IN_JANUARY("10", "23:59:59"),
         IN_JANUARY("11", "00:00:01"), "day_inclusive",
         "once, in arrears, for 2 of 31 days: 20.00"},
        {"no whole day", IN_JANUARY("10", "08:00:00"),
         IN_JANUARY("10", "09:00:00"), "day_exclusive", "none"},
        {"out of 30", IN_JANUARY("01", "00:00:00"),
         IN_JANUARY("16", "00:00:00"), "fixed_30",
         "once, in arrears, for 15 of 30 days: 155.00"},
        {"30 of 30 is all", IN_JANUARY("01", "00:00:00"),
         IN_JANUARY("31", "00:00:00"), "fixed_30", "once, in arrears: 310.00"},
        {"the full period is whole", IN_JANUARY("01", "00:00:00"),
         "2025-02-01T00:00:00Z", "fixed_30", "once, in arrears: 310.00"},
        {"no length pays in full", IN_JANUARY("10", "08:00:00"),
         IN_JANUARY("10", "08:00:00"), "day_inclusive",
         "once, in arrears: 310.00"},
        {"all days are begun", IN_JANUARY("01", "12:00:00"),
         "2025-02-01T00:00:00Z", "day_inclusive", "once, in arrears: 310.00"},
        {"seconds that come to nothing", IN_JANUARY("10", "08:00:00"),
         IN_JANUARY("10", "08:00:01"), "second", "none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        const char *got = share_of("in_arrears", rows[i].from, rows[i].to,
                                   rows[i].unit, &info);
        if (got == NULL || strcmp(got, rows[i].expected) != 0) {
            fail_msg("%s: got %s (%s %s)", rows[i].why, got ? got : "an error",
                     info.field, info.reason);
        }
    }
    met_error_info info = {.struct_size = sizeof info};
    assert_string_equal(share_of("in_advance", IN_JANUARY("10", "00:00:00"),
                                 IN_JANUARY("11", "00:00:00"), "day_inclusive",
                                 &info),
                        "once, in advance, for 1 of 31 days: 10.00");
    assert_null(share_of("in_advance", IN_JANUARY("11", "00:00:00"),
                         IN_JANUARY("10", "00:00:00"), "second", &info));
    assert_string_equal(info.field, "period");
    assert_null(share_of("in_advance", IN_JANUARY("11", "00:00:00"),
                         IN_JANUARY("12", "00:00:00"), "fixed_31", &info));
    assert_string_equal(info.field, "policies.proration");
}

/* Before 1970 a day begins at its midnight too. */
static void counts_days_before_1970(void **state)
{
    met__flat_part part = {.is_prorated = 1,
                           .unit = MET__PRORATE_DAY_EXCLUSIVE,
                           .service = {-MET__DAY_NS - 1, -1},
                           .full = {-31 * MET__DAY_NS, 0}};
    int64_t service = 0;
    int64_t full = 0;

    (void)state;
    met__flat_lengths(&part, &service, &full);
    assert_int_equal(service, 1);
    assert_int_equal(full, 31);
}

/* The policy of a subscription's last part: in full, when it is the last. */
static void pays_the_last_part_in_full(void **state)
{
    static const struct {
        int is_prorated;
        int is_full_at_end;
        int64_t ends_at_ns;
        int expected;
    } rows[] = {
        {1, 0, 0, 1},  {1, 0, 10 * MET__DAY_NS, 1}, {1, 1, 0, 1},
        {1, 1, 10 * MET__DAY_NS, 0}, {1, 1, 11 * MET__DAY_NS, 1},
        {0, 0, 0, 0},
    };
    met__currency currency = currency_of("USD");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met__flat_part part = {.amount = decimal_of("30"),
                               .is_prorated = rows[i].is_prorated,
                               .is_full_at_end = rows[i].is_full_at_end,
                               .ends_at_ns = rows[i].ends_at_ns,
                               .service = {0, 10 * MET__DAY_NS},
                               .full = {0, 30 * MET__DAY_NS}};
        met_decimal amount;
        assert_int_equal(met__flat_is_prorated(&part), rows[i].expected);
        assert_int_equal(met__flat_amount(&part, &currency, &amount), MET_OK);
        assert_string_equal(text_of(amount), rows[i].expected ? "10" : "30");
    }
}

static void refuses_periods_without_length(void **state)
{
    met__currency currency = currency_of("USD");
    met_decimal amount = decimal_of("30");

    (void)state;
    assert_int_equal(
        met__prorate(amount, 0, 999999999, &currency, &amount),
        MET_E_INVALID);
    assert_int_equal(
        met__prorate(amount, -MET__SECOND_NS, MET__SECOND_NS, &currency,
                     &amount),
        MET_E_INVALID);
    assert_int_equal(
        met__prorate(amount, 0, -MET__SECOND_NS, &currency, &amount),
        MET_E_INVALID);
    assert_string_equal(text_of(amount), "30");
    assert_int_equal(met__prorate(amount, -1, MET__SECOND_NS, &currency,
                                  &amount),
                     MET_OK); /* cut to 0 seconds */
    assert_string_equal(text_of(amount), "0");
}

static void refuses_half_a_question(void **state)
{
#define DAY "{'from': '2025-01-01T00:00:00Z', 'to': '2025-01-02T00:00:00Z'}"
    static const char *const rows[][3] = {
        {"flat", "{'quantity': '1', 'period': " DAY "}", "full_period"},
        {"flat", "{'quantity': '1', 'full_period': " DAY "}", "period"},
        {"flat", "{'quantity': '1', 'period': " DAY ", 'full_period': {}}",
         "full_period.from"},
        {"flat", "{'quantity': '1', 'period': 1, 'full_period': " DAY "}",
         "period"},
        {"unit",
         "{'quantity': '1', 'period': " DAY ", 'full_period': " DAY "}",
         "full_period"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_price *price = NULL;
        met_buffer out = {0};
        met_error_info info = {.struct_size = sizeof info};
        char *card = met__arena_print(
            &arena, "{\"type\":\"%s\",\"amount\":\"1\"}", rows[i][0]);
        char *request =
            met__arena_copy(&arena, rows[i][1], strlen(rows[i][1]));
        for (char *c = request; *c != '\0'; c++) {
            *c = *c == '\'' ? '"' : *c;
        }
        assert_int_equal(
            met_price_create(card, strlen(card), NULL, &price, &info), MET_OK);
        assert_int_equal(
            met_price_rate(price, request, strlen(request), &out, &info),
            MET_E_INVALID);
        assert_string_equal(info.field, rows[i][2]);
        met_price_destroy(price);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(counts_in_every_unit),
        TEST(counts_days_before_1970),
        TEST(pays_the_last_part_in_full),
        TEST(refuses_periods_without_length),
        TEST(refuses_half_a_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
