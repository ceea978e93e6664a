/* Forgetting what a key has used. In: policy and key. Out: its records count
 * nothing; each is emptied by one compare-and-swap, so that who counts at the
 * same time is counted before or after it. It turns the name, so that nobody
 * gives back what was counted before: it would be a hit from after it. */
#include "limit/limiter_plan.h"

#define EMPTY_TRIES 100000

/* Empties a record that is still this name's. 0: it was frozen meanwhile, or
 * others were faster too often. */
static int make_empty(met__record *record, uint64_t name, uint64_t emptied)
{
    uint64_t head = met__load_acquire(&record->head);

    for (int i = 0; i < EMPTY_TRIES; i++) {
        uint64_t found = met__load_acquire(&record->name);
        if ((head & MET__HEAD_CLOSED) || !met__name_is(found, name)) {
            return 1; /* given up, so it was idle */
        }
        if ((head & MET__HEAD_FROZEN) > emptied) {
            return 0;
        }
        if (met__window_turn(record, &head, emptied, &found)) {
            return 1;
        }
    }
    return 0;
}

/* A predecessor is frozen as well: nobody adds to it any more. */
static int forget(met_limiter *limiter, const met_limiter_request *request,
                  const met__place_key *key, const met__policy_window *window,
                  int is_predecessor)
{
    met__place_name name = met__place_name_of(key, request->policy,
                                              window->shape, window->born);
    met__record *record = met__place_search(&limiter->table, key, &name,
                                            is_predecessor);

    return record == NULL
           || make_empty(record, name.name,
                         is_predecessor ? MET__HEAD_FROZEN : 0);
}

met_error met__limiter_reset(met_limiter *limiter,
                             const met_limiter_request *request)
{
    met__place_key key =
        met__place_key_of(&limiter->table, request->policy, request->kind,
                          request->key, request->key_size);
    met__policy_view view;

    for (int i = 0; i < MET__PLAN_TRIES; i++) {
        int is_done = 1;
        met_error error = met__policy_read(&limiter->table, request->policy,
                                           &view);
        if (error == MET_E_BUSY) {
            continue;
        }
        if (error != MET_OK) {
            return met__limit_table_answer(&limiter->table, error);
        }
        for (uint32_t w = 0; w < view.predecessor_count; w++) {
            is_done &= forget(limiter, request, &key, &view.predecessors[w],
                              1);
        }
        for (uint32_t w = 0; w < view.count; w++) {
            is_done &= forget(limiter, request, &key, &view.windows[w], 0);
        }
        if (is_done && met__load_acquire(&view.slot->version)
                           == view.version) {
            return met__limit_table_answer(&limiter->table, MET_OK);
        }
    }
    return MET_E_BUSY;
}
