package metering

// #include <metering/metering.h>
//
// // Every admitted request that is not completed; the first error of them.
// static inline met_error metgo_complete_batch(
//     met_gateway *gateway, met_gateway_batch_result *results,
//     const met_gateway_outcome *outcomes, uint32_t *is_completed,
//     size_t count)
// {
//     met_error first = MET_OK;
//
//     for (size_t i = 0; i < count; i++) {
//         if (results[i].is_admitted && !is_completed[i]) {
//             met_error error = met_gateway_complete(
//                 gateway, &results[i].ticket, &outcomes[i]);
//             first = first != MET_OK ? first : error;
//             is_completed[i] = error != MET_E_INVALID;
//         }
//     }
//     return first;
// }
import "C"

import "time"

// A KeyBatch is API keys of requests that are alike in everything else, to be
// decided together by [Gateway.AdmitBatch]. It is of one goroutine at a time.
type KeyBatch struct {
	flatKeys
	results []C.met_gateway_batch_result
	gateway *Gateway // of the results
	// Of each result: 1 when it is completed.
	completed []uint32
	outcomes  []C.met_gateway_outcome
}

// Add appends the key of a request; "" is a request without one.
func (b *KeyBatch) Add(key string) { b.add(key) }

// Len is how many keys there are.
func (b *KeyBatch) Len() int { return b.count() }

// Reset forgets the keys and the results, and keeps the memory. Complete what
// was admitted before.
func (b *KeyBatch) Reset() {
	b.keys, b.offsets = b.keys[:0], b.offsets[:0]
	b.results, b.completed = b.results[:0], b.completed[:0]
}

// A KeyResult is what was decided of one request of a batch.
type KeyResult struct {
	Err        error // then the rest is empty
	IsAdmitted bool
	Status     int
	Reason     GatewayReason
	Failure    GatewayFailure // what failed, also when it was let through
	Wait       time.Duration
}

// Result of the request with the key i.
func (b *KeyBatch) Result(i int) KeyResult {
	c := &b.results[i]
	return KeyResult{plainError(c.error), c.is_admitted != 0, int(c.status),
		GatewayReason(c.reason), GatewayFailure(c.failure), time.Duration(c.wait_ns)}
}

// Complete is [Admission.Complete] of the request with the key i.
func (b *KeyBatch) Complete(i int, outcome Outcome) error {
	err := b.gateway.complete(&b.results[i].ticket, &outcome)
	if err == nil {
		b.completed[i] = 1
	}
	return err
}

// CompleteAll completes every admitted request that is not completed, in one
// call: that with the key i with outcomes[i]. The error is the first one; it
// does not keep the others from being counted.
func (b *KeyBatch) CompleteAll(outcomes []Outcome) error {
	count := len(b.results)
	if len(outcomes) != count {
		return &Error{Code: ErrInvalid, Field: "outcomes",
			Reason: "must be one for each result"}
	}
	if count == 0 {
		return nil
	}
	b.outcomes = resized(b.outcomes, count)
	for i := range outcomes {
		b.outcomes[i] = outcomes[i].c()
	}
	handle := b.gateway.lock()
	defer handle.mutex.Unlock()
	if handle.c == nil {
		return ErrClosed
	}
	return plainError(C.metgo_complete_batch(handle.c, &b.results[0],
		&b.outcomes[0], (*C.uint32_t)(&b.completed[0]), C.size_t(count)))
}

// AdmitBatch decides a request for each key of a batch, one after the other, as
// [Gateway.Admit] would, but in one call and without what a decision says in
// words. Of common everything counts but its key.
func (g *Gateway) AdmitBatch(common *GatewayRequest, batch *KeyBatch) error {
	handle := g.lock()
	defer handle.mutex.Unlock()
	if handle.c == nil {
		return ErrClosed
	}
	count := batch.Len()
	batch.results, batch.completed = batch.results[:0], batch.completed[:0]
	if count > C.MET_GATEWAY_BATCH_MAX {
		return &Error{Code: ErrLimit, Field: "batch",
			Reason: "has more requests than MET_GATEWAY_BATCH_MAX"}
	}
	if count == 0 {
		return nil
	}
	if err := keysFit(batch.keys); err != nil {
		return err
	}
	batch.results = resized(batch.results, count)
	code := C.met_gateway_admit_batch(handle.c, handle.fill(common),
		bytesPointer(batch.keys), (*C.uint32_t)(&batch.offsets[0]),
		C.size_t(count), &batch.results[0])
	if code != C.MET_OK {
		batch.results = batch.results[:0]
		return plainError(code)
	}
	batch.gateway = g
	batch.completed = cleared(batch.completed, count)
	return nil
}
