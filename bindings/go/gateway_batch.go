package metering

// #include <metering/metering.h>
import "C"

import "time"

// A KeyBatch is API keys of requests that are alike in everything else, to be
// decided together by [Gateway.AdmitBatch]. It is of one goroutine at a time.
type KeyBatch struct {
	keys    []byte
	offsets []uint32
	results []C.met_gateway_batch_result
	gateway *Gateway // of the results
}

// Add appends the key of a request; "" is a request without one.
func (b *KeyBatch) Add(key string) {
	if len(b.offsets) == 0 {
		b.offsets = append(b.offsets, 0)
	}
	b.keys = append(b.keys, key...)
	b.offsets = append(b.offsets, uint32(len(b.keys)))
}

// Len is how many keys there are.
func (b *KeyBatch) Len() int {
	if len(b.offsets) == 0 {
		return 0
	}
	return len(b.offsets) - 1
}

// Reset forgets the keys and the results, and keeps the memory. Complete what
// was admitted before.
func (b *KeyBatch) Reset() {
	b.keys, b.offsets, b.results = b.keys[:0], b.offsets[:0], b.results[:0]
}

// A KeyResult is what was decided of one request of a batch.
type KeyResult struct {
	Err        error // then the rest is empty
	IsAdmitted bool
	Status     int
	Reason     GatewayReason
	Failure    uint32 // what failed, also when it was let through
	Wait       time.Duration
}

// Result of the request with the key i.
func (b *KeyBatch) Result(i int) KeyResult {
	c := &b.results[i]
	return KeyResult{plainError(c.error), c.is_admitted != 0, int(c.status),
		GatewayReason(c.reason), uint32(c.failure), time.Duration(c.wait_ns)}
}

// Complete is [Admission.Complete] of the request with the key i.
func (b *KeyBatch) Complete(i int, outcome Outcome) error {
	return b.gateway.complete(&b.results[i].ticket, &outcome)
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
	if count > C.MET_GATEWAY_BATCH_MAX {
		return &Error{Code: ErrLimit, Field: "batch",
			Reason: "has more requests than MET_GATEWAY_BATCH_MAX"}
	}
	batch.results = resized(batch.results, count)
	if count == 0 {
		return nil
	}
	code := C.met_gateway_admit_batch(handle.c, handle.fill(common),
		bytesPointer(batch.keys), (*C.uint32_t)(&batch.offsets[0]),
		C.size_t(count), &batch.results[0])
	if code != C.MET_OK {
		batch.results = batch.results[:0]
		return plainError(code)
	}
	batch.gateway = g
	return nil
}
