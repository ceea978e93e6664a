/* Rating the line of an invoice. In: a basis. Out: lines. Pure: an invoice
 * that stores its bases can be made again, to the byte. */
#include "invoice/line_basis.h"

#include "base/check.h"
#include "catalog/rate_card.h"

/* A flat fee is a share of its full period. MET_E_NOT_FOUND: nothing is left
 * of it, then there is no line at all. */
static met_error share_of(const met__line_basis *basis, met__price *price)
{
    met__flat_part part = {.amount = price->amount,
                           .service = basis->period,
                           .full = basis->full,
                           .is_prorated = basis->is_prorated,
                           .unit = basis->policies.proration};

    if (!met__flat_is_prorated(&part)) {
        return MET_OK;
    }
    met_error error =
        met__flat_amount(&part, &basis->currency, &price->amount);
    return error == MET_OK && met__decimal_is_zero(price->amount)
               ? MET_E_NOT_FOUND
               : error;
}

/* What the rate card says beside the price; a stored one that cannot be read
 * is damage. */
static met_error read_terms(const met__line_basis *basis, met__arena *arena,
                            met__rate_input *input, met_error_info *info)
{
    met__path discounts_path = {NULL, "discounts", 0};
    met__path unit_path = {NULL, "unit_config", 0};
    met__discounts *discounts = NULL;
    met__unit_config *unit_config = NULL;
    met_error error = MET_OK;

    if (basis->discounts != NULL) {
        error = met__discounts_read(basis->discounts, &discounts_path, arena,
                                    &discounts, info);
    }
    if (error == MET_OK && basis->unit_config != NULL) {
        error = met__unit_config_read(basis->unit_config, &unit_path, arena,
                                      &unit_config, info);
    }
    input->discounts = discounts;
    input->unit_config = unit_config;
    return error == MET_E_INVALID ? MET_E_CORRUPT : error;
}

static met_error rate_nothing(met__arena *arena, met__rated **rated_out)
{
    met__rated *rated = met__arena_allocate(arena, sizeof *rated);

    if (rated == NULL) {
        return MET_E_NO_MEMORY;
    }
    met__totals_clear(&rated->totals);
    *rated_out = rated;
    return MET_OK;
}

met_error met__basis_rate_whole(const met__line_basis *basis,
                                met__arena *arena, met__rated **rated_out,
                                met_error_info *info)
{
    if (basis->is_void) {
        return rate_nothing(arena, rated_out);
    }
    met__price price = *basis->price;
    met__rate_input input = {
        .name = basis->name,
        .price = &price,
        .currency = basis->currency,
        .quantity = basis->quantity,
        .quantity_before = met__decimal_zero(),
        .is_first = 1,
        .is_last = 1,
        .already_billed = met__decimal_zero(),
        .is_minimum_ignored = basis->is_minimum_ignored,
        .policies = basis->policies,
        .has_events = basis->has_events,
        .events = basis->events,
        .events_before = met__decimal_zero(),
        .groups = basis->groups,
        .group_count = basis->group_count,
    };
    met_error error = read_terms(basis, arena, &input, info);

    if (error == MET_OK && price.type == MET__PRICE_FLAT) {
        error = share_of(basis, &price);
    }
    return error == MET_OK ? met__rate(&input, arena, rated_out, info)
                           : error;
}

met_error met__basis_rate(const met__line_basis *basis, met__arena *arena,
                          met__rated **rated_out, met_error_info *info)
{
    met__rated *rated = NULL;
    met_error error = met__basis_rate_whole(basis, arena, &rated, info);

    if (error == MET_OK && basis->is_booked) {
        error = met__rate_delta(rated, basis->booked, basis->booked_count,
                                &basis->currency, arena, &rated);
        if (error == MET_OK && rated->line_count == 0) {
            error = MET_E_NOT_FOUND; /* nothing new to bill */
        }
    }
    if (error == MET_OK) {
        *rated_out = rated;
    }
    return error;
}

/* "<invoice id>.<line>.<detailed line>" */
static met_error make_id(met__text invoice_id, uint64_t line, uint64_t detail,
                         met__arena *arena, met__text *id_out)
{
    char numbers[2 * (1 + MET__DIGITS_MAX)];
    size_t size = 0;

    numbers[size++] = '.';
    size += met__put_digits(numbers + size, line);
    numbers[size++] = '.';
    size += met__put_digits(numbers + size, detail);
    char *id = met__arena_allocate(arena, invoice_id.size + size);
    if (id == NULL) {
        return MET_E_NO_MEMORY;
    }
    memcpy(id, invoice_id.data, invoice_id.size);
    memcpy(id + invoice_id.size, numbers, size);
    *id_out = met__text_of(id, invoice_id.size + size);
    return MET_OK;
}

met_error met__basis_details(const met__rated *rated,
                             const met__currency *currency,
                             met__text invoice_id, uint32_t line_number,
                             met__arena *arena, met__node **array_out)
{
    met__node *array = met__node_array(arena);
    met_error error = array != NULL ? MET_OK : MET_E_NO_MEMORY;

    for (size_t i = 0; error == MET_OK && i < rated->line_count; i++) {
        met__line line = rated->lines[i];
        met__node *node;
        if (invoice_id.size > 0) {
            error = make_id(invoice_id, line_number, i + 1, arena, &line.id);
            if (error != MET_OK) {
                return error;
            }
        }
        error = met__line_document(&line, currency, arena, &node);
        if (error == MET_OK) {
            error = met__node_append(arena, array, node);
        }
    }
    *array_out = array;
    return error;
}
