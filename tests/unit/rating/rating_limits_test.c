/* Where 34 digits or memory end: the right answer or a named error, and
 * nothing written. Each allocation fails once; seeded numbers up to the last
 * digit go into every place that takes one. */
#include "unit/rating/price_support.h"

#include "rating/rate_request.h"

#define BLOCK_SIZE 16384 /* of an arena */
#define ROUNDS 6000

static uint64_t seed = 42;

static unsigned roll(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

/* --- Cards and requests --------------------------------------------------- */
static const char *const cards[] = {
    "{'price': {'type': 'unit', 'amount': '%1', 'commitments': {'minimum': "
    "'%0', 'maximum': '%9'}}, 'discounts': {'usage': '%2', 'percentage': "
    "'12.5'}, 'unit_config': {'operation': 'multiply', 'conversion_factor': "
    "'%3', 'rounding': 'ceiling', 'precision': 30}}",
    "{'price': {'type': 'package', 'amount': '%1', 'quantity_per_package': "
    "'%3', 'commitments': {'minimum': '%9'}}}",
    "{'price': {'type': 'dynamic', 'multiplier': '%1', 'commitments': "
    "{'maximum': '%9'}}, 'discounts': {'percentage': '0.000000000001'}}",
    "{'price': {'type': 'percentage', 'percentage': '%1', 'fixed_amount': "
    "'%2', 'free_units': '%9', 'free_events': '%9'}}",
    "{'price': {'type': 'graduated', 'tiers': [{'up_to': '0', 'flat': '%1'}, "
    "{'up_to': '%3', 'unit': '%1'}, {'unit': '%2', 'flat': '%9'}]}, "
    "'unit_config': {'operation': 'divide', 'conversion_factor': '%3'}}",
    "{'price': {'type': 'volume', 'tiers': [{'up_to': '%3', 'unit': '%1', "
    "'flat': '%2'}, {'unit': '%2', 'flat': '%9'}], 'commitments': "
    "{'maximum': '%9'}}, 'discounts': {'percentage': '33.3333333333'}}",
    "{'price': {'type': 'matrix', 'dimension': 'd', 'values': [{'value': 'x', "
    "'amount': '%1'}], 'default_amount': '%2'}}",
    "{'price': {'type': 'flat', 'amount': '%1'}, 'discounts': {'percentage': "
    "'99.9999999'}}",
};

static const char *const requests[] = {
    "{'quantity': '%1', 'quantity_before': '%2', 'is_first': false}",
    "{'quantity': '%1', 'already_billed': '%2', 'credits': ['%3', '%3'], "
    "'currency': 'JPY', 'policies': {'round_at': 'line'}}",
    "{'quantity': '-%1', 'quantity_before': '-%2', 'policies': {'round_at': "
    "'total'}}",
    "{'quantity': '%1', 'events': '%2', 'events_before': '%3', 'currency': "
    "'KWD', 'policies': {'unit_conversion': 'per_line'}}",
    "{'quantity': '%1', 'groups': [{'value': 'x', 'quantity': '%2'}, "
    "{'value': 'y', 'quantity': '%3'}]}",
    "{'quantity': '%1', 'groups': [{'value': 'y', 'quantity': '%1'}]}",
    "{'quantity': '%1', 'booked': [{'id': 'a', 'name': 'x', 'child_id': "
    "'usage', 'category': 'regular', 'payment_term': 'in_arrears', "
    "'quantity': '%2', 'per_unit_amount': '%3', 'discounts': [{'child_id': "
    "'d', 'reason': 'r', 'amount': '%1'}], 'totals': {'amount': '%2', "
    "'credits_total': '%3', 'total': '%1'}}, {'id': 'b', 'name': 'x', "
    "'child_id': 'usage', 'category': 'regular', 'payment_term': "
    "'in_arrears', 'quantity': '%2', 'per_unit_amount': '%3', 'discounts': "
    "[{'child_id': 'd', 'reason': 'r', 'amount': '-%1'}], 'totals': "
    "{'amount': '%2', 'total': '%1'}}]}",
    "{'quantity': '%1', 'period': " PERIOD("02", "03") ", 'earlier_runs': "
    "[{'period': " PERIOD("01", "02") ", 'quantity': '%2'}], 'booked': ["
    USAGE("'amount': '%3', 'total': '%3'") "]}",
    "{'quantity': '1', 'period': " PERIOD("02", "03") ", 'full_period': "
    PERIOD("01", "09") "}",
};

/* A number for each %: often so long that sums of two do not fit. */
static const char *some_number(char digit)
{
    static const char *const numbers[] = {
        "0",
        "1",
        "0.000000000001",
        "9999999999999999999999999999999999",
        "9999999999999999999999.999999999999",
        "0.9999999999999999999999999999999999",
        "1234567890123456789.012345678901234",
        "1000000000000000000000",
        "123456789",
    };

    if (digit == '0') {
        return roll(2) ? "0" : "0.000000000001";
    }
    if (digit == '9') {
        return roll(2) ? "9999999999999999999999999999999999" : "5000";
    }
    return digit == '3' ? numbers[1 + roll(8)] : numbers[roll(9)];
}

static met__text filled(const char *pattern)
{
    met__buffer text;

    met__buffer_init(&text, &platform);
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c == '%') {
            met__buffer_text(&text, some_number(*++c));
        } else {
            met__buffer_byte(&text, *c);
        }
    }
    met__buffer_byte(&text, '\0');
    assert_int_equal(text.error, MET_OK);
    met__text json = json_of(text.data);
    met__buffer_release(&text);
    return json;
}

/* --- Digits --------------------------------------------------------------- */
static met_decimal at(const met__node *object, const char *name)
{
    met_decimal value = met__decimal_zero();
    const met__node *node = met__node_get(object, name);

    assert_non_null(node);
    assert_int_equal(met__decimal_parse(node->as.text, &value), MET_OK);
    return value;
}

/* Every total of the answer is the sum of its parts. */
static void assert_sums(const char *json)
{
    const met__node *answer = node_of(json);
    const met__node *lines = met__node_get(answer, "lines");
    met_decimal sum = met__decimal_zero();

    for (uint32_t i = 0; i < lines->count; i++) {
        const met__node *totals = met__node_get(lines->as.items[i], "totals");
        met__totals parts;
        met_decimal total = at(totals, "total");
        assert_int_equal(met__totals_read(totals, NULL, &parts, NULL), MET_OK);
        assert_int_equal(met__decimal_add(parts.amount, parts.charges_total,
                                          &parts.amount),
                         MET_OK);
        assert_int_equal(met__decimal_subtract(parts.amount,
                                               parts.discounts_total,
                                               &parts.amount),
                         MET_OK);
        assert_int_equal(met__decimal_subtract(parts.amount,
                                               parts.credits_total,
                                               &parts.amount),
                         MET_OK);
        assert_int_equal(met__decimal_compare(parts.amount, total), 0);
        assert_int_equal(met__decimal_add(sum, total, &sum), MET_OK);
    }
    assert_int_equal(
        met__decimal_compare(sum,
                             at(met__node_get(answer, "totals"), "total")),
        0);
}

static void no_answer_is_a_rounded_surprise(void **state)
{
    unsigned answered = 0;
    unsigned too_long = 0;

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        met_error_info info = {.struct_size = sizeof info};
        met_price *price = NULL;
        met_buffer out = {0};
        unsigned which = roll(9);
        met__text card = filled(cards[roll(8)]);
        met__text request = filled(requests[which]);
        met_error error =
            met_price_create(card.data, card.size, NULL, &price, &info);
        if (error == MET_OK) {
            error = met_price_rate(price, request.data, request.size, &out,
                                   &info);
        }
        if (error == MET_OK) {
            answered++;
            if (which != 2) { /* there only the sum is rounded */
                assert_sums(out.data);
            }
        } else {
            assert_null(out.data);
            too_long += error == MET_E_OVERFLOW;
            if (error == MET_E_NO_MEMORY || error == MET_E_BUG
                || info.reason[0] == '\0') {
                fail_msg("%s %s: %s", card.data, request.data,
                         met_error_name(error));
            }
        }
        met_buffer_release(&out);
        met_price_destroy(price);
        met__arena_release(&arena);
    }
    assert_true(answered > ROUNDS / 8 && too_long > ROUNDS / 8);
}

/* Numbers that no text of ours can hold, or that need 35 digits. */
static void names_what_is_too_long(void **state)
{
    static const char *const rows[][2] = {
        {"{'price': {'type': 'unit', 'amount': '1'}, 'unit_config': "
         "{'operation': 'multiply', 'conversion_factor': '1e-40'}}",
         "{'quantity': '1.2345678901234567e-40'}"},
        {"{'price': {'type': 'dynamic', 'multiplier': '1e-40'}}",
         "{'quantity': '1.2345678901234567e-40', 'policies': {'round_at': "
         "'total'}}"},
        {"{'price': {'type': 'package', 'amount': '1', "
         "'quantity_per_package': '0.000000000007'}}",
         "{'quantity': '9999999999999999999999999999999999'}"},
        {"{'price': {'type': 'package', 'amount': '1', "
         "'quantity_per_package': '0.000000000007'}}",
         "{'quantity': '0', 'is_first': false, 'quantity_before': "
         "'9999999999999999999999999999999999'}"},
        /* two discounts, two credits whose sum has one digit more */
        {"{'price': {'type': 'unit', 'amount': '1', 'commitments': "
         "{'maximum': '0.01'}}, 'discounts': {'percentage': '90'}}",
         "{'quantity': '100000000000000000000000000000000.5'}"},
        {"{'price': {'type': 'unit', 'amount': '1'}}",
         "{'quantity': '100000000000000000000000000000000.5', 'credits': "
         "['90000000000000000000000000000000.45', "
         "'10000000000000000000000000000000.04']}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        met_error_info info = {.struct_size = sizeof info};
        met_price *price = create(rows[i][0]);
        met_buffer out = {0};
        met__text request = json_of(rows[i][1]);
        assert_int_equal(
            met_price_rate(price, request.data, request.size, &out, &info),
            MET_E_OVERFLOW);
        assert_string_equal(info.field, "quantity");
        assert_null(out.data);
        met_price_destroy(price);
    }
}

/* --- Memory --------------------------------------------------------------- */
static const char *const whole_cards[] = {
    "{'price': {'type': 'graduated', 'tiers': [{'up_to': '0', 'flat': '1'}, "
    "{'up_to': '3', 'unit': '1'}, {'unit': '2', 'flat': '1'}], "
    "'commitments': {'minimum': '90', 'maximum': '100'}}, 'discounts': "
    "{'percentage': '1', 'usage': '1'}}",
    "{'price': {'type': 'volume', 'tiers': [{'up_to': '3', 'unit': '1', "
    "'flat': '1'}, {'unit': '1', 'flat': '3'}]}}",
    "{'price': {'type': 'package', 'amount': '1', 'quantity_per_package': "
    "'2'}}",
    "{'price': {'type': 'stairstep', 'tiers': [{'flat': '1'}]}}",
    "{'price': {'type': 'dynamic', 'multiplier': '2'}}",
    "{'price': {'type': 'percentage', 'percentage': '2', 'fixed_amount': "
    "'1'}}",
    "{'price': {'type': 'matrix', 'dimension': 'd', 'values': [{'value': 'x', "
    "'amount': '1'}], 'default_amount': '2'}}",
    "{'price': {'type': 'flat', 'amount': '31'}, 'discounts': {'percentage': "
    "'1'}}",
};

/* What was rated and booked in healthy memory, for the steps below. */
typedef struct charge {
    met__rate_input input;
    met__rated *rated;
    met__line *booked;
    met__node *document; /* of the first booked line, or NULL */
    const met__node *request;
    met__rated_run runs[2];
} charge;

static met_error step_rate(const charge *c, met__arena *memory)
{
    met__rated *rated = NULL;
    met_decimal credit = met__decimal_from_i64(1);
    met__rate_input input = c->input;

    input.credits = &credit;
    input.credit_count = 1;
    return met__rate(&input, memory, &rated, NULL);
}

static met_error step_delta(const charge *c, met__arena *memory)
{
    met__rated *rest = NULL;

    return met__rate_delta(c->rated, c->booked, c->rated->line_count,
                           &c->input.currency, memory, &rest);
}

static met_error step_values(const charge *c, met__arena *memory)
{
    met__line *lines = NULL;
    size_t count = 0;

    return met__lines_subtract(c->rated->lines, c->rated->line_count,
                               c->booked, c->rated->line_count,
                               MET__REVERSE_BY_VALUES, memory, &lines, &count);
}

static met_error step_by_period(const charge *c, met__arena *memory)
{
    met__rated *rest = NULL;

    return c->input.price->type == MET__PRICE_MATRIX
                   || c->input.price->has_fixed
               ? MET_OK
               : met__rate_by_period(&c->input, c->runs, 2, c->booked,
                                     c->rated->line_count, memory, &rest,
                                     NULL);
}

static met_error step_write(const charge *c, met__arena *memory)
{
    met__node *node = NULL;
    met_error error = MET_OK;

    for (size_t i = 0; error == MET_OK && i < c->rated->line_count; i++) {
        error = met__line_document(&c->booked[i], &c->input.currency, memory,
                                   &node);
    }
    return error;
}

static met_error step_read(const charge *c, met__arena *memory)
{
    met__line line;

    return c->document == NULL
               ? MET_OK
               : met__line_read(c->document, NULL, memory, &line, NULL);
}

static met_error step_request(const charge *c, met__arena *memory)
{
    met__rate_request asked = {.arena = memory, .input = c->input};

    return met__rate_request_read(c->request, &asked);
}

static met_error step_allocate(const charge *c, met__arena *memory)
{
    met__share shares[3] = {{.weight = met__decimal_from_i64(1)},
                            {.weight = met__decimal_from_i64(2)},
                            {.weight = met__decimal_from_i64(4)}};

    return met__allocate_amount(&c->input.currency, met__decimal_from_i64(5),
                                0, shares, 3, memory, NULL);
}

static charge charge_of(const char *card, const char *request)
{
    static met__rate_group groups[2];
    charge c = {.input = input_of(card, "4"), .request = node_of(request)};

    groups[0] = (met__rate_group){MET__TEXT("x"), met__decimal_from_i64(2)};
    groups[1] = (met__rate_group){MET__TEXT("y"), met__decimal_from_i64(2)};
    c.input.groups = groups;
    c.input.group_count = 2;
    c.input.has_events = 1;
    c.input.events = c.input.events_before = met__decimal_from_i64(1);
    c.rated = rate(&c.input);
    c.booked = met__arena_allocate(&arena,
                                   c.rated->line_count * sizeof *c.booked);
    assert_non_null(c.booked);
    for (int i = 0; i < 2; i++) {
        c.runs[i] = (met__rated_run){
            .id = MET__TEXT("run"),
            .period = {i * MET__DAY_NS, (i + 1) * MET__DAY_NS},
            .quantity = c.input.quantity};
    }
    for (size_t i = 0; i < c.rated->line_count; i++) {
        c.booked[i] = c.rated->lines[i];
        c.booked[i].id = MET__TEXT("id");
        c.booked[i].period = c.runs[0].period;
        c.booked[i].per_unit_amount = met__decimal_from_i64(77);
        c.booked[i].credits = &c.booked[i].per_unit_amount;
        c.booked[i].credit_count = 1;
    }
    if (c.rated->line_count > 0) {
        assert_int_equal(met__line_document(&c.booked[0], &c.input.currency,
                                            &arena, &c.document),
                         MET_OK);
    }
    return c;
}

/* Requests that take memory to be read; they go with any price but one. */
static const char *const whole_requests[] = {
    "{'quantity': '1', 'credits': ['1', '2'], 'groups': [{'value': 'x', "
    "'quantity': '1'}], 'booked': [" USAGE("'total': '0'") "]}",
    "{'quantity': '1', 'period': " PERIOD("02", "03") ", 'earlier_runs': "
    "[{'period': " PERIOD("01", "02") ", 'quantity': '1'}]}",
    "{'quantity': '1', 'period': " PERIOD("02", "03") ", 'full_period': "
    PERIOD("01", "09") "}", /* flat */
};

/* The arena's first blocks are there; the next one is refused. What came
 * before it moves by 16 bytes from try to try, so that each allocation is once
 * the one that is refused. */
static void every_allocation_may_fail(void **state)
{
    static met_error (*const steps[])(const charge *, met__arena *) = {
        step_rate,  step_delta, step_values,  step_by_period,
        step_write, step_read,  step_request, step_allocate};

    (void)state;
    for (size_t i = 0; i < sizeof whole_cards / sizeof *whole_cards; i++) {
        charge c = charge_of(whole_cards[i],
                             whole_requests[i == 7 ? 2 : i % 2]);
        for (size_t at = 0; at < 8 * (BLOCK_SIZE / 16); at++) {
            size_t pad = at / 8 * 16;
            for (long block = 2, is_done = 0; !is_done; block++) {
                faulty_memory memory = {.fail_at = block, .for_ever = 1};
                met__platform faulty = platform;
                met__arena own;
                faulty.allocator =
                    (met_allocator){&memory, faulty_allocate,
                                    faulty_reallocate, faulty_release};
                met__arena_init(&own, &faulty);
                assert_non_null(met__arena_allocate(&own, pad));
                met_error error = steps[at % 8](&c, &own);
                is_done = memory.calls < block;
                assert_int_equal(error, is_done ? MET_OK : MET_E_NO_MEMORY);
                met__arena_release(&own);
                assert_int_equal(memory.live, 0);
            }
        }
        met__arena_release(&arena);
    }
}

/* --- Memory of the public calls ------------------------------------------- */
/* Creates and rates with the fail_at-th block refused, until none is. */
static void refuse_each_block(met__text card, met__text request)
{
    for (long fail_at = 1, is_done = 0; !is_done; fail_at++) {
        faulty_memory memory = {.fail_at = fail_at};
        met_platform caller = {.struct_size = sizeof caller};
        met_price *price = NULL;
        met_buffer out = {0};

        caller.allocator = (met_allocator){&memory, faulty_allocate,
                                           faulty_reallocate, faulty_release};
        met_error error =
            met_price_create(card.data, card.size, &caller, &price, NULL);
        if (error == MET_OK) {
            error = met_price_rate(price, request.data, request.size, &out,
                                   NULL);
        }
        is_done = memory.calls < fail_at;
        assert_int_equal(error, is_done ? MET_OK : MET_E_NO_MEMORY);
        met_buffer_release(&out);
        met_price_destroy(price);
        assert_int_equal(memory.live, 0);
    }
}

/* Credits of nothing fill the first block, a name moves what comes behind them
 * by 16 bytes. */
static void rating_may_fail_anywhere(void **state)
{
    static const char *const rows[][2] = {
        {"{'price': {'type': 'flat', 'amount': '31'}}",
         "{'quantity': '1', 'period': " PERIOD("01", "02") ", 'full_period': "
         PERIOD("01", "09") ", 'name': '%0*u', 'credits': [%s]}"},
        {"{'price': {'type': 'matrix', 'dimension': 'd', 'values': [], "
         "'default_amount': '2'}}",
         "{'quantity': '3', 'groups': [{'value': 'x', 'quantity': '4'}, "
         "{'value': 'y', 'quantity': '-1'}], 'name': '%0*u', 'credits': "
         "[%s]}"},
        {"{'price': {'type': 'unit', 'amount': '1'}, 'discounts': {'usage': "
         "'1', 'percentage': '1'}}",
         "{'quantity': '3', 'quantity_before': '-1', 'name': '%0*u', "
         "'credits': [%s], 'booked': []}"},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (unsigned count = 1; count < 180; count++) {
            char *credits = met__arena_allocate(&arena, 4 * count + 1);
            assert_non_null(credits);
            for (unsigned k = 0; k < count; k++) {
                memcpy(credits + 4 * k, k ? ",'0'" : " '0'", 4);
            }
            for (int pad = 1; pad < 80; pad += 16) {
                refuse_each_block(json_of(rows[i][0]),
                                  json_of(met__arena_print(
                                      &arena, rows[i][1], pad, 7u, credits)));
            }
            met__arena_release(&arena);
        }
    }
}

/* Prices of 1 to 64 tiers: their blocks end anywhere. */
static void creating_may_fail_anywhere(void **state)
{
    (void)state;
    for (unsigned tiers = 1; tiers <= 64; tiers++) {
        for (unsigned pad = 0; pad < 128; pad += 16) {
            char *list = met__arena_print(&arena, "{'unit': '1'}");
            for (unsigned i = 1; i < tiers; i++) {
                list = met__arena_print(
                    &arena, "{'up_to': '%u', 'unit': '1', 'flat': '2'}, %s",
                    i, list);
            }
            met__text card = json_of(met__arena_print(
                &arena,
                "{'name': '%0*u', 'price': {'type': 'graduated', 'tiers': "
                "[%s]}, 'discounts': {'usage': '1'}, 'unit_config': "
                "{'operation': 'divide', 'conversion_factor': '2'}}",
                (int)pad + 1, 7u, list));
            refuse_each_block(card, json_of("{'quantity': '3'}"));
            met__arena_release(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_answer_is_a_rounded_surprise,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(names_what_is_too_long, begin_memory,
                                        end_memory),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(rating_may_fail_anywhere,
                                        begin_memory, end_memory),
        cmocka_unit_test_setup_teardown(creating_may_fail_anywhere,
                                        begin_memory, end_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
