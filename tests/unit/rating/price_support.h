/* Prices made and rated through the public calls. */
#ifndef TESTS_UNIT_RATING_PRICE_SUPPORT_H
#define TESTS_UNIT_RATING_PRICE_SUPPORT_H

#include "metering/rating.h"

#include "unit/rating/rating_support.h"

/* A period of whole days of January 2026. */
#define PERIOD(from, to)                                                       \
    "{'from': '2026-01-" from "T00:00:00Z', 'to': '2026-01-" to                \
    "T00:00:00Z'}"
/* A booked line of the first two of them. */
#define USAGE(totals)                                                          \
    "{'id': 'a', 'name': 'x', 'child_id': "                                    \
    "'volume-tiered-price@[2026-01-01T00:00:00Z..2026-01-02T00:00:00Z]', "     \
    "'pricer_id': 'volume-tiered-price', 'category': 'regular', "              \
    "'payment_term': 'in_arrears', 'quantity': '1', 'per_unit_amount': '1', "  \
    "'service_period': " PERIOD("01", "02") ", 'totals': {" totals "}}"

/* Single quotes stand for double ones; the text lives until the test ends. */
static inline met__text json_of(const char *json)
{
    char *text = met__arena_copy(&arena, json, strlen(json));

    assert_non_null(text);
    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return met__text_z(text);
}

static inline met_price *create(const char *json)
{
    met_price *price = NULL;
    met_error_info info = {.struct_size = sizeof info};
    met__text text = json_of(json);

    if (met_price_create(text.data, text.size, NULL, &price, &info) != MET_OK) {
        fail_msg("%s: %s %s", json, info.field, info.reason);
    }
    return price;
}

static inline void assert_answer(const met_price *price, const char *request,
                          const char *answer)
{
    met_buffer out = {0};
    met_error_info info = {.struct_size = sizeof info};
    met__text text = json_of(request);

    if (met_price_rate(price, text.data, text.size, &out, &info) != MET_OK) {
        fail_msg("%s: %s %s", request, info.field, info.reason);
    }
    assert_string_equal(out.data, json_of(answer).data);
    met_buffer_release(&out);
}

typedef struct refusal {
    met_error error;
    const char *json;
    const char *field;
} refusal;

#endif
