/* Random histories of usage that comes in time, late and very late, of bills
 * in between: every request is billed exactly once, at the price of its whole
 * period, and a preview is what is then issued. */
#include "unit/invoice/invoice_support.h"

#include <time.h>

#define MONTHS 24 /* from March 2026 on */
#define HISTORIES 6
#define STEPS 90

/* --- The model ------------------------------------------------------------ */
typedef struct buyer {
    const char *key;
    const char *card_price;
    int64_t (*price)(int64_t quantity); /* in cents */
    int64_t waiting[MONTHS];            /* counted, not settled */
    int64_t settled[MONTHS];
} buyer;

/* 0.003 each, half away from zero. */
static int64_t unit_price(int64_t quantity)
{
    return (quantity * 3 + 5) / 10;
}

/* 1.00 for seven or a part of them. */
static int64_t package_price(int64_t quantity)
{
    return (quantity + 6) / 7 * 100;
}

/* Up to ten 1.00 each, else 0.50 each: the eleventh makes the bill smaller. */
static int64_t volume_price(int64_t quantity)
{
    return quantity <= 10 ? quantity * 100 : quantity * 50;
}

/* 0.05 each, at least 0.40 a month. */
static int64_t minimum_price(int64_t quantity)
{
    return quantity * 5 > 40 ? quantity * 5 : 40;
}

static buyer buyers[] = {
    {"unit", "{\"type\":\"unit\",\"amount\":\"0.003\"}", unit_price, {0}, {0}},
    {"package",
     "{\"type\":\"package\",\"amount\":\"1\",\"quantity_per_package\":\"7\"}",
     package_price, {0}, {0}},
    {"volume",
     "{\"type\":\"volume\",\"tiers\":[{\"up_to\":\"10\",\"unit\":\"1\"},"
     "{\"unit\":\"0.5\"}]}",
     volume_price, {0}, {0}},
    {"minimum",
     "{\"type\":\"unit\",\"amount\":\"0.05\",\"commitments\":{\"minimum\":"
     "\"0.4\"}}",
     minimum_price, {0}, {0}},
};
#define BUYERS (sizeof buyers / sizeof *buyers)

static uint64_t seed;

static unsigned dice(unsigned sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % sides;
}

static int month_of(int64_t utc_ns)
{
    time_t seconds = (time_t)(utc_ns / MET__SECOND_NS);
    struct tm date;

    assert_non_null(gmtime_r(&seconds, &date));
    return (date.tm_year - 126) * 12 + date.tm_mon - 2;
}

/* "-12.34" in hundredths. */
static int64_t cents_of(const char *text)
{
    int is_negative = text[0] == '-';
    char *rest;
    int64_t whole = strtol(text + is_negative, &rest, 10);

    assert_int_equal(*rest, '.');
    assert_int_equal(strlen(rest), 3);
    whole = whole * 100 + strtol(rest + 1, NULL, 10);
    return is_negative ? -whole : whole;
}

/* --- Steps ---------------------------------------------------------------- */
static void use_some(buyer *one)
{
    char subject[32];
    int64_t first = time_of(MARCH);
    int64_t at = clock_now_ns - (int64_t)dice(60 * 86400) * MET__SECOND_NS;
    unsigned count = 1 + dice(5);

    if (at < first) {
        at = first;
    }
    snprintf(subject, sizeof subject, "%s%s", dice(2) ? "consumer:" : "",
             one->key);
    must_use_at(subject, "example_service", at, count,
                dice(2) ? MET__RECORD_ADMITTED : 0);
    one->waiting[month_of(at)] += count;
    must_use_at(subject, "other", at, 1, 0);
}

static void settle_all(void)
{
    must_settle();
    for (size_t i = 0; i < BUYERS; i++) {
        for (unsigned month = 0; month < MONTHS; month++) {
            buyers[i].settled[month] += buyers[i].waiting[month];
            buyers[i].waiting[month] = 0;
        }
    }
}

/* Everything billed to one customer so far, month by month. */
static void check_buyer(const buyer *one)
{
    int64_t quantities[MONTHS] = {0};
    int64_t amounts[MONTHS] = {0};
    int ended = month_of(clock_now_ns);

    assert_ok(list(one->key));
    const met__node *items = met__node_get(answer, "items");
    for (unsigned i = 0; i < items->count; i++) {
        const met__node *lines = met__node_get(items->as.items[i], "lines");
        for (unsigned j = 0; j < lines->count; j++) {
            const met__node *line = lines->as.items[j];
            int month = month_of(time_of(
                met__node_get(met__node_get(line, "period"), "from")
                    ->as.text.data));
            quantities[month] += strtol(
                met__node_get(line, "quantity")->as.text.data, NULL, 10);
            amounts[month] += cents_of(
                met__node_get(met__node_get(line, "totals"), "total")
                    ->as.text.data);
        }
    }
    for (int month = 0; month < MONTHS; month++) {
        int64_t used = month < ended ? one->settled[month] : 0;
        assert_int_equal(amounts[month],
                         month < ended ? one->price(used) : 0);
        /* A line is made only when it costs something. */
        if (one->price(used) != one->price(quantities[month])) {
            fail_msg("%s, month %d: %d of %d", one->key, month,
                     (int)quantities[month], (int)used);
        }
    }
}

/* The lines without the ids that only issued ones have. */
static void print_lines(char *text, size_t size)
{
    const met__node *lines = met__node_get(answer, "lines");
    size_t used = 0;

    assert_non_null(lines);
    for (unsigned i = 0; i < lines->count; i++) {
        static const char *const names[] = {"period", "quantity",
                                            "quantity_total", "totals",
                                            "price", "is_correction"};
        met__buffer buffer;
        met__buffer_init(&buffer, answer_arena.platform);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            const met__node *member =
                met__node_get(lines->as.items[i], names[n]);
            if (member != NULL) {
                met__json_write(member, 0, &buffer);
            }
        }
        const met__node *details =
            met__node_get(lines->as.items[i], "detailed_lines");
        for (unsigned d = 0; d < details->count; d++) {
            met__json_write(
                met__node_get(details->as.items[d], "child_id"), 0, &buffer);
            met__json_write(met__node_get(details->as.items[d], "totals"), 0,
                            &buffer);
        }
        assert_int_equal(buffer.error, MET_OK);
        assert_true(used + buffer.size < size);
        memcpy(text + used, buffer.data, buffer.size);
        used += buffer.size;
        met__buffer_release(&buffer);
    }
    text[used] = '\0';
}

/* Returns whether something was issued. */
static unsigned bill(const buyer *one, unsigned issued)
{
    static char before[65536];
    static char after[65536];
    char total[64];
    char number[32];
    uint64_t stored = stored_digest();

    assert_ok(preview(one->key, NULL, 0));
    print_lines(before, sizeof before);
    snprintf(total, sizeof total, "%s", shown("totals.total"));
    met_error error = finalize(one->key, NULL);
    if (error != MET_OK) {
        assert_true(error == MET_E_CONFLICT || error == MET_E_UNSUPPORTED);
        assert_true((error == MET_E_CONFLICT) == (before[0] == '\0'));
        assert_true((error == MET_E_UNSUPPORTED) == (total[0] == '-'));
        assert_true(stored_digest() == stored);
        return 0;
    }
    print_lines(after, sizeof after);
    assert_string_equal(after, before);
    assert_shown("totals.total", total);
    snprintf(number, sizeof number, "INV-%04u", issued + 1);
    assert_shown("number", number);
    check_buyer(one);
    assert_told(finalize(one->key, NULL), MET_E_CONFLICT, "as_of_ns",
                "nothing is due");
    return 1;
}

static void begin(void)
{
    for (size_t i = 0; i < BUYERS; i++) {
        memset(buyers[i].waiting, 0, sizeof buyers[i].waiting);
        memset(buyers[i].settled, 0, sizeof buyers[i].settled);
        must_publish_card(buyers[i].key,
                          story_card(buyers[i].card_price, NULL));
        subscribe_from(buyers[i].key, buyers[i].key, MARCH);
    }
}

static unsigned history(void)
{
    unsigned issued = 0;

    begin();
    for (unsigned step = 0; step < STEPS; step++) {
        buyer *one = &buyers[dice(BUYERS)];
        switch (dice(6)) {
        case 0:
            clock_now_ns += (int64_t)dice(15 * 86400) * MET__SECOND_NS;
            break;
        case 1:
            settle_all();
            break;
        case 2:
            issued += bill(one, issued);
            break;
        default:
            use_some(one);
        }
    }
    clock_now_ns += 40 * MET__DAY_NS;
    settle_all();
    for (size_t i = 0; i < BUYERS; i++) {
        issued += bill(&buyers[i], issued);
    }
    assert_true(month_of(clock_now_ns) < MONTHS);
    assert_int_equal(check_all(store), MET_OK);
    return issued;
}

static void every_request_is_billed_once(void **state)
{
    unsigned issued = 0;

    seed = 20260301;
    for (unsigned i = 0; i < HISTORIES; i++) {
        issued += history();
        assert_int_equal(billing_teardown(state), 0);
        assert_int_equal(billing_setup(state), 0);
    }
    assert_true(issued > 5 * HISTORIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_request_is_billed_once,
                                        billing_setup, billing_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
