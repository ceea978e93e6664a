/* A line rated from JSON, and its lines as one text:
 * "child_id: quantity x per unit = total -discounts; ...". */
#ifndef TESTS_UNIT_RATING_RATING_SUPPORT_H
#define TESTS_UNIT_RATING_RATING_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "rating/rating.h"
#include "support/faults.h"

static met__platform platform;
static met__arena arena;

static inline int begin_memory(void **state)
{
    (void)state;
    met__arena_init(&arena, &platform);
    return met__platform_init(&platform, NULL, NULL);
}

static inline int end_memory(void **state)
{
    (void)state;
    met__arena_release(&arena);
    return 0;
}

/* Single quotes stand for double ones. */
static inline const met__node *node_of(const char *json)
{
    met__node *node = NULL;
    met_error_info info = {.struct_size = sizeof info};
    char *text = met__arena_copy(&arena, json, strlen(json));

    assert_non_null(text);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    if (met__json_parse(&arena, met__text_z(text), &node, &info) != MET_OK) {
        fail_msg("%s: %s", text, info.reason);
    }
    return node;
}

static inline met_decimal decimal_of(const char *text)
{
    met_decimal value;

    assert_int_equal(met__decimal_parse(met__text_z(text), &value), MET_OK);
    return value;
}

static inline const char *text_of(met_decimal value)
{
    met__buffer buffer;

    met__buffer_init(&buffer, &platform);
    assert_int_equal(met__decimal_print(value, &buffer), MET_OK);
    char *text = met__arena_copy(&arena, buffer.data, buffer.size);
    met__buffer_release(&buffer);
    return text;
}

static inline met__currency currency_of(const char *code)
{
    met__currency currency;

    assert_int_equal(met__currency_of(met__text_z(code), &currency), MET_OK);
    return currency;
}

/* card: {"price", "discounts"?, "unit_config"?}. Single split, USD. */
static inline met__rate_input input_of(const char *card, const char *quantity)
{
    const met__node *node = node_of(card);
    met_error_info info = {.struct_size = sizeof info};
    met__price *price = NULL;
    met__discounts *discounts = NULL;
    met__unit_config *config = NULL;
    met_error error = met__price_read(met__node_get(node, "price"), NULL,
                                      &arena, &price, &info);

    if (error == MET_OK && met__node_get(node, "discounts") != NULL) {
        error = met__discounts_read(met__node_get(node, "discounts"), NULL,
                                    &arena, &discounts, &info);
    }
    if (error == MET_OK && met__node_get(node, "unit_config") != NULL) {
        error = met__unit_config_read(met__node_get(node, "unit_config"), NULL,
                                      &arena, &config, &info);
    }
    if (error != MET_OK) {
        fail_msg("%s: %s %s", card, info.field, info.reason);
    }
    return (met__rate_input){.name = MET__TEXT("L"),
                             .price = price,
                             .discounts = discounts,
                             .unit_config = config,
                             .currency = currency_of("USD"),
                             .quantity = decimal_of(quantity),
                             .quantity_before = met__decimal_zero(),
                             .is_first = 1,
                             .is_last = 1,
                             .already_billed = met__decimal_zero()};
}

static inline const char *lines_of(const met__rated *rated)
{
    char *text = met__arena_copy(&arena, "", 0);

    for (size_t i = 0; i < rated->line_count; i++) {
        const met__line *line = &rated->lines[i];
        text = met__arena_print(&arena, "%s%s%.*s: %s x %s = %s", text,
                                i ? "; " : "", (int)line->child_id.size,
                                line->child_id.data, text_of(line->quantity),
                                text_of(line->per_unit_amount),
                                text_of(line->totals.total));
        if (!met__decimal_is_zero(line->totals.discounts_total)) {
            text = met__arena_print(&arena, "%s -%s", text,
                                    text_of(line->totals.discounts_total));
        }
    }
    return text;
}

static inline met__rated *rate(const met__rate_input *input)
{
    met__rated *rated = NULL;
    met_error_info info = {.struct_size = sizeof info};

    if (met__rate(input, &arena, &rated, &info) != MET_OK) {
        fail_msg("%s: %s", info.field, info.reason);
    }
    return rated;
}

#endif
