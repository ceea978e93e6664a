/* Stored states of ledgers: what grants had left when a segment began, so that
 * a run need not begin with the first grant. They are a cache: each carries a
 * proof of all that it was made of, and usage that comes in late for the time
 * before it removes it. One that is damaged is passed over. Only for this
 * room.
 *
 * Records: BURN_STATE[customer id 0 feature key 0 at:8]: the last one, and one
 * for every usage period before. */
#ifndef MET_ENTITLEMENT_LEDGER_STATE_H
#define MET_ENTITLEMENT_LEDGER_STATE_H

#include "entitlement/ledger.h"

/* The last one of an instant up to at_ns that holds, with a balance for every
 * grant. MET_E_NOT_FOUND. */
met_error met__ledger_state_get(const met__ledger *ledger, int64_t at_ns,
                                met__burn_state *state_out);
/* Runs to now and stores where its last segment began. In a write
 * transaction. */
met_error met__ledger_state_bring(met__ledger *ledger);
/* Usage of the minute at_ns has changed: what was stored of later instants is
 * gone. */
met_error met__ledger_states_forget(met__txn *txn, met__text customer_id,
                                    met__text feature_key, int64_t at_ns,
                                    met__arena *arena);

#endif
