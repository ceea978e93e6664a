/* What holds for any price and quantity: parts sum to the whole, more usage
 * never costs less, the order of groups does not matter, and without memory
 * there is no number. Seeded. */
#include "unit/rating/rating_support.h"

#define ROUNDS 300
#define PARTS_MAX 6

static uint64_t seed;

/* 0 … below - 1; xorshift. */
static unsigned roll(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

/* 0 … 999.999, and often what makes ties of cents. */
static met_decimal some_decimal(void)
{
    static const char *const ties[] = {"0", "0.005", "0.015", "10", "0.001"};

    return decimal_of(roll(3) == 0
                          ? ties[roll(5)]
                          : met__arena_print(&arena, "%u.%03u", roll(1000),
                                             roll(1000)));
}

static met_decimal sum_of(met_decimal a, met_decimal b)
{
    met_decimal sum;

    assert_int_equal(met__decimal_add(a, b, &sum), MET_OK);
    return sum;
}

static const char *const cards[] = {
    "{'price': {'type': 'unit', 'amount': '0.0015'}}",
    "{'price': {'type': 'package', 'amount': '0.7', 'quantity_per_package': "
    "'30'}}",
    "{'price': {'type': 'dynamic', 'multiplier': '1.337'}}",
    "{'price': {'type': 'percentage', 'percentage': '2.9', 'free_units': "
    "'50'}}",
    "{'price': {'type': 'graduated', 'tiers': [{'up_to': '0', 'flat': '1'}, "
    "{'up_to': '10', 'unit': '0.015', 'flat': '2'}, {'up_to': '500', 'unit': "
    "'0.005'}, {'unit': '0.0001', 'flat': '0.5'}]}}",
    "{'price': {'type': 'graduated', 'tiers': [{'up_to': '100', 'unit': '0.3'}"
    ", {'unit': '0.1'}], 'commitments': {'minimum': '20', 'maximum': '60'}}, "
    "'discounts': {'percentage': '33', 'usage': '7'}}",
    "{'price': {'type': 'graduated_percentage', 'tiers': [{'up_to': '200', "
    "'percentage': '1.5', 'flat': '0.25'}, {'percentage': '0.7'}]}}",
    "{'price': {'type': 'unit', 'amount': '0.35', 'commitments': {'maximum': "
    "'90'}}, 'unit_config': {'operation': 'divide', 'conversion_factor': '7', "
    "'rounding': 'ceiling'}}",
};
#define CARD_COUNT (sizeof cards / sizeof *cards)
/* These may cost less with more usage, but their parts sum too. */
static const char *const bending_cards[] = {
    "{'price': {'type': 'volume', 'tiers': [{'up_to': '100', 'unit': '1'}, "
    "{'unit': '0.1', 'flat': '3'}]}, 'discounts': {'percentage': '10'}}",
    "{'price': {'type': 'stairstep', 'tiers': [{'up_to': '100', 'flat': '9'}, "
    "{'flat': '5'}], 'commitments': {'minimum': '6'}}}",
};
#define BENDING_COUNT (sizeof bending_cards / sizeof *bending_cards)

/* Bills the growing quantity part by part; what all parts came to. */
static met_decimal bill_in_parts(met__rate_input input, unsigned parts,
                                 const met_decimal *quantities)
{
    met__line booked[PARTS_MAX * 32];
    met__currency currency = input.currency;
    met_decimal paid = met__decimal_zero();
    size_t count = 0;

    for (unsigned i = 0; i < parts; i++) {
        met__rated *rated = NULL;
        input.quantity = quantities[i];
        input.is_minimum_ignored = i + 1 < parts;
        assert_int_equal(met__rate_delta(rate(&input), booked, count, &currency,
                                         &arena, &rated),
                         MET_OK);
        for (size_t k = 0; k < rated->line_count; k++) {
            assert_true(count < sizeof booked / sizeof *booked);
            booked[count] = rated->lines[k];
            booked[count].id = met__text_z(
                met__arena_print(&arena, "part-%u-line-%zu", i, k));
            count++;
        }
        paid = sum_of(paid, rated->totals.total);
    }
    return paid;
}

static void parts_sum_to_the_whole(void **state)
{
    (void)state;
    seed = 20251125;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t which = roll(CARD_COUNT + BENDING_COUNT);
        const char *card = which < CARD_COUNT
                               ? cards[which]
                               : bending_cards[which - CARD_COUNT];
        met__rate_input input = input_of(card, "0");
        met_decimal quantities[PARTS_MAX];
        unsigned parts = 1 + roll(PARTS_MAX);
        for (unsigned i = 0; i < parts; i++) {
            /* Late events and corrections: it may also go down. */
            quantities[i] = roll(5) == 0 || i == 0
                                ? some_decimal()
                                : sum_of(quantities[i - 1], some_decimal());
        }
        met_decimal paid = bill_in_parts(input, parts, quantities);
        input.quantity = quantities[parts - 1];
        const char *whole = text_of(rate(&input)->totals.total);
        if (strcmp(whole, text_of(paid)) != 0) {
            fail_msg("round %u, %s: %u parts up to %s are %s, the whole is %s",
                     round, card, parts, text_of(input.quantity),
                     text_of(paid), whole);
        }
    }
}

static void more_never_costs_less(void **state)
{
    (void)state;
    seed = 1125;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const char *card = cards[roll(CARD_COUNT)];
        met__rate_input input = input_of(card, "0");
        input.policies.round_at = roll(3);
        input.quantity = some_decimal();
        met_decimal less = rate(&input)->totals.total;
        met_decimal before = input.quantity;
        input.quantity = sum_of(input.quantity, some_decimal());
        met_decimal more = rate(&input)->totals.total;
        if (met__decimal_compare(less, more) > 0) {
            fail_msg("round %u, %s: %s costs %s, %s costs %s", round, card,
                     text_of(before), text_of(less), text_of(input.quantity),
                     text_of(more));
        }
    }
}

static void the_order_of_groups_does_not_matter(void **state)
{
    static const char *const values[] = {"eu", "us", "asia", ""};

    (void)state;
    seed = 77;
    for (unsigned round = 0; round < ROUNDS; round++) {
        met__rate_group groups[4];
        met__rate_input input = input_of(
            "{'price': {'type': 'matrix', 'dimension': 'region', 'values': "
            "[{'value': 'eu', 'amount': '0.015'}, {'value': 'us', 'amount': "
            "'0.0005'}], 'default_amount': '0.3', 'commitments': {'maximum': "
            "'150'}}, 'discounts': {'percentage': '12.5'}}",
            "0");
        input.groups = groups;
        input.group_count = 4;
        for (unsigned i = 0; i < 4; i++) {
            groups[i] =
                (met__rate_group){met__text_z(values[i]), some_decimal()};
            input.quantity = sum_of(input.quantity, groups[i].quantity);
        }
        const char *total = text_of(rate(&input)->totals.total);
        for (unsigned i = 3; i > 0; i--) {
            unsigned other = roll(i + 1);
            met__rate_group moved = groups[i];
            groups[i] = groups[other];
            groups[other] = moved;
        }
        assert_string_equal(text_of(rate(&input)->totals.total), total);
    }
}

/* Rates with `used` times 16 bytes of the arena's block gone, and no more. */
static met_error rate_in_little_room(const met__rate_input *input,
                                     unsigned used, int *has_failed)
{
    faulty_memory memory = {.for_ever = 1};
    met__platform faulty = platform;
    met__arena scratch;
    met__rated *rated = NULL;

    faulty.allocator = (met_allocator){&memory, faulty_allocate,
                                       faulty_reallocate, faulty_release};
    met__arena_init(&scratch, &faulty);
    for (unsigned i = 0; i < used; i++) {
        assert_non_null(met__arena_allocate(&scratch, 16));
    }
    memory.fail_at = memory.calls + 1;
    met_error error = met__rate(input, &scratch, &rated, NULL);
    assert_true((rated == NULL) == (error != MET_OK));
    *has_failed = memory.calls >= memory.fail_at;
    met__arena_release(&scratch);
    assert_int_equal(memory.live, 0);
    return error;
}

/* With ever less room, each small allocation is once the one that fails. */
static void no_number_without_memory(void **state)
{
    met__rate_group groups[] = {{MET__TEXT("eu"), decimal_of("20")},
                                {MET__TEXT("us"), decimal_of("80")}};

    (void)state;
    for (size_t i = 0; i < CARD_COUNT + BENDING_COUNT + 2; i++) {
        const char *card =
            i < CARD_COUNT ? cards[i]
            : i < CARD_COUNT + BENDING_COUNT
                ? bending_cards[i - CARD_COUNT]
            : i == CARD_COUNT + BENDING_COUNT
                ? "{'price': {'type': 'matrix', 'dimension': 'd', 'values': "
                  "[{'value': 'eu', 'amount': '1'}], 'default_amount': '2'}}"
                : "{'price': {'type': 'percentage', 'percentage': '1', "
                  "'fixed_amount': '1', 'free_events': '1'}}";
        met__rate_input input = input_of(card, "100");
        unsigned failures = 0;
        input.has_events = 1;
        input.events = decimal_of("5");
        input.events_before = met__decimal_zero();
        input.groups = groups;
        input.group_count = 2;
        for (unsigned used = 1; used < 1024; used++) {
            int has_failed = 0;
            met_error error = rate_in_little_room(&input, used, &has_failed);
            assert_int_equal(error, has_failed ? MET_E_NO_MEMORY : MET_OK);
            failures += (unsigned)has_failed;
        }
        assert_true(failures > 0 && failures < 1023);
    }
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, begin_memory, end_memory)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(parts_sum_to_the_whole),
        TEST(more_never_costs_less),
        TEST(the_order_of_groups_does_not_matter),
        TEST(no_number_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
