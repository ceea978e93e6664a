/* What holds for the documents of every bill: lines sum to their document,
 * details to their line, and numbers have no gap. */
#ifndef TESTS_PROPERTY_BILLING_DOCUMENTS_H
#define TESTS_PROPERTY_BILLING_DOCUMENTS_H

#include "unit/invoice/billing_support.h"

static inline met_decimal decimal_at(const met__node *node, const char *name)
{
    const met__node *member = met__node_get(node, name);
    met_decimal value = met__decimal_zero();

    assert_non_null(member);
    assert_int_equal(met__decimal_parse(member->as.text, &value), MET_OK);
    return value;
}

static inline met_decimal total_of(const met__node *node)
{
    return decimal_at(met__node_get(node, "totals"), "total");
}

static inline void add_to(met_decimal *sum, met_decimal more)
{
    assert_int_equal(met__decimal_add(*sum, more, sum), MET_OK);
}

static inline void assert_sum(met_decimal sum, met_decimal expected,
                              const char *what)
{
    if (met__decimal_compare(sum, expected) != 0) {
        met__buffer text;
        met__buffer_init(&text, answer_arena.platform);
        (void)met__decimal_print(sum, &text);
        met__buffer_text(&text, ", not ");
        (void)met__decimal_print(expected, &text);
        fail_msg("%s: %s", what, text.data);
    }
}

/* Lines sum to the document, detailed lines to the line. */
static inline void check_sums(const met__node *document)
{
    const met__node *lines = met__node_get(document, "lines");
    met_decimal sum = met__decimal_zero();

    for (uint32_t i = 0; i < lines->count; i++) {
        const met__node *line = lines->as.items[i];
        const met__node *details = met__node_get(line, "detailed_lines");
        met_decimal part = met__decimal_zero();
        for (uint32_t j = 0; j < details->count; j++) {
            add_to(&part, total_of(details->as.items[j]));
        }
        add_to(&part, decimal_at(met__node_get(line, "totals"),
                                 "taxes_exclusive_total"));
        assert_sum(part, total_of(line), "details do not sum to their line");
        add_to(&sum, total_of(line));
    }
    assert_sum(sum, total_of(document),
               "lines do not sum to their document");
}

static inline void check_numbers(const met__node *items)
{
    static const char *const series[] = {"INV-", "CN-"};

    for (int s = 0; s < 2; s++) {
        unsigned long next = 1;
        for (uint32_t i = 0; i < items->count; i++) {
            met__text number =
                met__node_get(items->as.items[i], "number")->as.text;
            size_t size = strlen(series[s]);
            if (number.size > size
                && memcmp(number.data, series[s], size) == 0) {
                char digits[32];
                snprintf(digits, sizeof digits, "%.*s",
                         (int)(number.size - size), number.data + size);
                assert_int_equal(strtoul(digits, NULL, 10), next++);
            }
        }
    }
}

#endif
