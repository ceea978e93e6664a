/* The rules of rate cards that look at nothing but the card: pure, each with
 * its section in tests/golden/catalog_rules.json. */
#include "catalog/rate_card.h"

met__text met__price_type(const met__node *price)
{
    const met__node *type = met__node_get(price, "type");

    return type != NULL && type->kind == MET__NODE_TEXT ? type->as.text
                                                        : met__text_z("");
}

met__text met__price_dimension(const met__node *price)
{
    const met__node *dimension =
        met__text_equal(met__price_type(price), MET__TEXT("matrix"))
            ? met__node_get(price, "dimension")
            : NULL;

    return dimension != NULL && dimension->kind == MET__NODE_TEXT
               ? dimension->as.text
               : MET__TEXT("");
}

int met__price_is_billable(const met__node *price)
{
    met__text type = met__price_type(price);

    return type.size > 0 && !met__text_equal(type, MET__TEXT("free"));
}

int met__price_is_usage_based(const met__node *price)
{
    return met__price_is_billable(price)
           && !met__text_equal(met__price_type(price), MET__TEXT("flat"));
}

int met__unit_config_is_allowed(met__text price_type)
{
    static const char *const allowed[] = {"unit", "graduated", "volume",
                                          "tiered", NULL};

    for (size_t i = 0; allowed[i] != NULL; i++) {
        if (met__text_equal(price_type, met__text_z(allowed[i]))) {
            return 1;
        }
    }
    return 0;
}

int met__cadence_is_aligned(const met__duration *plan_cadence,
                            const met__duration *card_cadence)
{
    return met__duration_divides(plan_cadence, card_cadence)
           || met__duration_divides(card_cadence, plan_cadence);
}

int met__cadence_is_single(const met__rate_card *const *cards, size_t count)
{
    const met__duration *first = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!met__price_is_billable(cards[i]->price)
            || !cards[i]->has_billing_cadence) {
            continue;
        }
        if (first == NULL) {
            first = &cards[i]->billing_cadence;
        } else if (memcmp(first, &cards[i]->billing_cadence, sizeof *first)
                   != 0) {
            return 0;
        }
    }
    return 1;
}

int met__duration_is_hour_or_more(const met__duration *duration)
{
    /* The shortest it can be: months of 28 days, days of 23 hours. */
    int64_t days = ((int64_t)duration->years * 12 + duration->months) * 28
                   + (int64_t)duration->weeks * 7 + duration->days;
    int64_t seconds = (days * 23 + duration->hours) * 3600
                      + (int64_t)duration->minutes * 60 + duration->seconds;

    return seconds >= 3600;
}
