/* The list of what a gathering counts. */
#include "invoice/usage_terms.h"

#define TERMS_MAX 4096

void met__usage_terms_init(met__usage_terms *terms, met__arena *arena)
{
    *terms = (met__usage_terms){.arena = arena,
                                .list = {.size = sizeof(met__usage_term)}};
}

void met__usage_terms_drop(met__usage_terms *terms)
{
    met__long_list_drop(terms->arena->platform, &terms->list);
}

const met__usage_term *met__usage_term_at(const met__usage_terms *terms,
                                          uint32_t index)
{
    return met__long_list_at(&terms->list, index);
}

static size_t dimension_of(const met__meter *meter, met__text name)
{
    const met__dimension *found =
        name.size > 0 ? met__meter_dimension(meter, name) : NULL;

    return found != NULL ? (size_t)(found - meter->dimensions)
                         : MET__TERM_WHOLE;
}

int met__usage_terms_find(const met__usage_terms *terms,
                          const met__usage_wish *wish, uint32_t *index_out)
{
    for (uint32_t i = 0; i < terms->list.count; i++) {
        const met__usage_term *known = met__usage_term_at(terms, i);
        if (known->meter.aggregation == wish->meter->aggregation
            && known->dimension
                   == dimension_of(&known->meter, wish->dimension)
            && met__text_equal(known->feature.id, wish->feature->id)) {
            *index_out = i;
            return 1;
        }
    }
    return 0;
}

/* Copies what lives no longer than the caller's arena. */
static met_error copy_term(met__usage_terms *terms, met__txn *txn,
                           const met__usage_wish *wish, met__usage_term *out)
{
    const met__feature *feature = wish->feature;
    met__feature *copy = NULL;
    met__meter *meter = NULL;
    met_error error =
        met__feature_of(txn, feature->key, feature->id, terms->arena, &copy);

    if (error == MET_OK) {
        error = met__meter_get(txn, copy->meter_key, terms->arena, &meter);
    }
    if (error == MET_OK) {
        out->feature = *copy;
        out->meter = *meter;
        out->dimension = dimension_of(meter, wish->dimension);
        /* of a sum also its events are asked for */
        out->meter.aggregation = wish->meter->aggregation;
    }
    return error == MET_E_NOT_FOUND ? MET_E_CORRUPT : error;
}

met_error met__usage_terms_need(met__usage_terms *terms, met__txn *txn,
                                const met__usage_wish *wish,
                                uint32_t *index_out)
{
    met__usage_term made;
    void *item;

    if (met__usage_terms_find(terms, wish, index_out)) {
        return MET_OK;
    }
    if (terms->list.count == TERMS_MAX) {
        return MET_E_LIMIT;
    }
    met_error error = copy_term(terms, txn, wish, &made);
    if (error == MET_OK) {
        error = met__long_list_add(terms->arena->platform, &terms->list,
                                   &item);
    }
    if (error == MET_OK) {
        *(met__usage_term *)item = made;
        *index_out = (uint32_t)terms->list.count - 1;
    }
    return error;
}
