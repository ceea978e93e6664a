/* What a plan holds on to when it is published: the features by their ids, and
 * the dimensions by which they are priced, so that no value of them is ever
 * lumped together with others. In: a plan, the features. Out: the plan with
 * ids, meters with pinned dimensions. */
#include "catalog/plan.h"

static met_error pin_dimension(met__txn *txn, const met__rate_card *card,
                               const met__feature *feature)
{
    met__text dimension = met__price_dimension(card->price);

    if (dimension.size == 0) {
        return MET_OK;
    }
    met_error error = met__meter_pin(txn, feature->meter_key, dimension);
    /* What is missing was reported by met__plan_issues. */
    return error == MET_E_NOT_FOUND ? MET_OK : error;
}

met_error met__plan_pin(met__txn *txn, met__plan *plan, met__arena *arena)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        for (size_t j = 0; j < plan->phases[i].rate_card_count; j++) {
            met__rate_card *card = plan->phases[i].rate_cards[j];
            met__feature *feature = NULL;
            if (card->feature_key.size == 0) {
                continue;
            }
            met_error error =
                met__rate_card_feature(txn, card, arena, &feature);
            if (error == MET_OK) {
                card->feature_id = feature->id;
                error = pin_dimension(txn, card, feature);
            }
            if (error != MET_OK) {
                return error;
            }
        }
    }
    return MET_OK;
}
