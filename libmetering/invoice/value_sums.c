/* Sums by the value of a dimension: each wish has a chain of its own, at most
 * as long as a price by dimension has values. */
#include "invoice/value_sums.h"

#include <stdlib.h>

#include "base/limits.h"

typedef struct value_sum {
    met__wide sum;
    met__text value;
    uint32_t next; /* of the same wish, from 1; 0: the last */
    uint32_t has_usage;
} value_sum;

static value_sum *sum_at(const met__value_sums *sums, uint32_t place)
{
    return met__long_list_at(&sums->list, place - 1);
}

void met__value_sums_init(met__value_sums *sums, met__arena *arena)
{
    *sums = (met__value_sums){.arena = arena,
                              .list = {.size = sizeof(value_sum)}};
}

void met__value_sums_drop(met__value_sums *sums)
{
    met__long_list_drop(sums->arena->platform, &sums->list);
}

met_error met__value_sums_place(met__value_sums *sums, uint32_t *first,
                                met__text value, uint32_t *place_out)
{
    uint32_t count = 0;
    void *item;

    for (uint32_t at = *first; at != 0; at = sum_at(sums, at)->next) {
        count++;
        if (met__text_equal(sum_at(sums, at)->value, value)) {
            *place_out = at;
            return MET_OK;
        }
    }
    if (count == MET__PRICE_VALUES_MAX || sums->list.count == UINT32_MAX) {
        return MET_E_LIMIT;
    }
    const char *copy = met__arena_copy(sums->arena, value.data, value.size);
    met_error error = copy == NULL
                          ? MET_E_NO_MEMORY
                          : met__long_list_add(sums->arena->platform,
                                               &sums->list, &item);
    if (error == MET_OK) {
        *(value_sum *)item = (value_sum){
            .value = met__text_of(copy, value.size), .next = *first};
        *first = (uint32_t)sums->list.count;
        *place_out = *first;
    }
    return error;
}

void met__value_sums_clear(met__value_sums *sums)
{
    for (uint32_t at = 1; at <= sums->list.count; at++) {
        sum_at(sums, at)->sum = 0;
        sum_at(sums, at)->has_usage = 0;
    }
}

met_error met__value_sums_add(met__value_sums *sums, uint32_t place,
                              met__wide amount)
{
    value_sum *to = sum_at(sums, place);

    to->has_usage = 1;
    return met__amount_add(&to->sum, amount) ? MET_OK : MET_E_OVERFLOW;
}

static int compare_value(const void *a, const void *b)
{
    return met__text_compare(((const met__value_usage *)a)->value,
                             ((const met__value_usage *)b)->value);
}

static met_error copy_out(const value_sum *from, uint32_t decimal_places,
                          met__arena *arena, met__value_usage *out)
{
    uint64_t words[2];
    const char *copy =
        met__arena_copy(arena, from->value.data, from->value.size);

    if (copy == NULL) {
        return MET_E_NO_MEMORY;
    }
    out->value = met__text_of(copy, from->value.size);
    met__amount_set(words, from->sum);
    return met__decimal_from_wide(words, decimal_places, &out->quantity);
}

met_error met__value_sums_collect(const met__value_sums *sums, uint32_t first,
                                  uint32_t decimal_places, met__arena *arena,
                                  met__value_usage **usage_out,
                                  size_t *count_out)
{
    size_t room = 1;
    size_t count = 0;
    met_error error = MET_OK;

    for (uint32_t at = first; at != 0; at = sum_at(sums, at)->next) {
        room++;
    }
    met__value_usage *usage = met__arena_allocate(arena, room * sizeof *usage);
    if (usage == NULL) {
        return MET_E_NO_MEMORY;
    }
    for (uint32_t at = first; error == MET_OK && at != 0;
         at = sum_at(sums, at)->next) {
        if (sum_at(sums, at)->has_usage) {
            error = copy_out(sum_at(sums, at), decimal_places, arena,
                             &usage[count++]);
        }
    }
    qsort(usage, count, sizeof *usage, compare_value);
    *usage_out = usage;
    *count_out = count;
    return error;
}
