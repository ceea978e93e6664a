/* Consumers of a subject that nobody shall know any more, with their keys and
 * groups. In: a subject. Out: entities that are gone. */
#include "gateway/entity_parts.h"

met_error met__consumer_erase(met__txn *txn, met__text subject,
                              met__arena *arena, size_t *count_out,
                              met_error_info *info)
{
    met__node *list = NULL;
    met_error error =
        met__entity_list(txn, MET__TEXT("consumer"), arena, &list);

    for (uint32_t i = 0; error == MET_OK && i < list->count; i++) {
        const met__node *consumer = list->as.items[i];
        if (met__text_equal(met__node_text_at(consumer, "subject"), subject)) {
            error = met__entity_remove(
                txn, MET__TEXT("consumer"),
                met__node_text_at(consumer, "username"), info);
            (*count_out)++;
        }
    }
    return error;
}
