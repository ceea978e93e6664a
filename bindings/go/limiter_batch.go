package metering

// #include <metering/metering.h>
//
// // The limiter is a number: see metgo_limiter_allow.
// static inline met_error metgo_limiter_batch(
//     uintptr_t limiter, uint32_t policy, uint32_t kind, const char *keys,
//     const uint32_t *offsets, const uint64_t *costs, size_t count,
//     int64_t monotonic_ns, int64_t utc_ns, uint32_t *is_allowed,
//     uint32_t *reason, uint64_t *remaining, int64_t *wait_ns,
//     met_limiter_ticket *tickets, met_error_info *info)
// {
//     met_limiter_batch batch = {sizeof batch, keys, offsets, costs, count,
//                                policy, kind, monotonic_ns, utc_ns, 0, 0};
//     met_limiter_verdicts verdicts = {.struct_size = sizeof verdicts,
//                                      .is_allowed = is_allowed,
//                                      .reason = reason,
//                                      .remaining = remaining,
//                                      .wait_ns = wait_ns,
//                                      .tickets = tickets};
//
//     return met_limiter_check_batch((met_limiter *)limiter, &batch,
//                                    &verdicts, info);
// }
import "C"

import (
	"math"
	"time"
)

// A Batch is keys to decide together: over many keys that is several times as
// fast as one after the other. It is of one goroutine at a time.
type Batch struct {
	// KeepTickets keeps what is counted for each key, for [Batch.Refund] and
	// [Batch.Release]; it takes 96 bytes a key.
	KeepTickets bool
	// MonotonicNs and UTC are the time in place of the library's clock.
	MonotonicNs int64
	UTC         time.Time
	// Allowed, Reasons, Remaining and WaitNs are the answers, one per key. Who
	// could not be decided is not allowed.
	Allowed   []uint32
	Reasons   []Reason
	Remaining []uint64
	WaitNs    []int64

	flatKeys
	costs   []uint64 // none while all are 1
	tickets []C.met_limiter_ticket
	limiter *Limiter // of the tickets
	info    *callInfo
}

// Add appends a key that weighs cost; 0 is 1.
func (b *Batch) Add(key string, cost uint64) {
	if cost != 1 || len(b.costs) != 0 {
		b.weigh(cost)
	}
	b.add(key)
}

// weigh appends the cost of the next key, after the ones of those before it.
func (b *Batch) weigh(cost uint64) {
	for len(b.costs) < b.Len() {
		b.costs = append(b.costs, 1)
	}
	b.costs = append(b.costs, cost)
}

// Len is how many keys there are.
func (b *Batch) Len() int { return b.count() }

// Reset forgets the keys and the answers, and keeps the memory.
func (b *Batch) Reset() {
	b.keys, b.offsets, b.costs = b.keys[:0], b.offsets[:0], b.costs[:0]
	b.tickets = b.tickets[:0]
}

// AllowBatch decides every key of a batch in its order. With isBrief, Reasons,
// Remaining and WaitNs are not worked out.
func (l *Limiter) AllowBatch(policy Policy, kind uint32, batch *Batch,
	isBrief bool) error {
	count := batch.Len()
	batch.Allowed = cleared(batch.Allowed, count)
	c, use := l.c.enter()
	if c == nil {
		return ErrClosed
	}
	defer use.leave()
	if err := keysFit(batch.keys); err != nil || count == 0 {
		return err
	}
	if batch.info == nil {
		batch.info = newInfo()
	}
	var costs, remaining *C.uint64_t
	var reason *C.uint32_t
	var wait *C.int64_t
	var tickets *C.met_limiter_ticket
	if len(batch.costs) != 0 {
		costs = (*C.uint64_t)(&batch.costs[0])
	}
	if !isBrief {
		batch.Reasons = resized(batch.Reasons, count)
		batch.Remaining = resized(batch.Remaining, count)
		batch.WaitNs = resized(batch.WaitNs, count)
		reason = (*C.uint32_t)(&batch.Reasons[0])
		remaining = (*C.uint64_t)(&batch.Remaining[0])
		wait = (*C.int64_t)(&batch.WaitNs[0])
	}
	if batch.KeepTickets {
		batch.tickets = cleared(batch.tickets, count)
		batch.limiter = l
		tickets = &batch.tickets[0]
	}
	info := &batch.info.c
	code := C.metgo_limiter_batch(C.uintptr_t(uintptr(c)), C.uint32_t(policy),
		C.uint32_t(kind), bytesPointer(batch.keys),
		(*C.uint32_t)(&batch.offsets[0]), costs, C.size_t(count),
		C.int64_t(batch.MonotonicNs), utcNs(batch.UTC),
		(*C.uint32_t)(&batch.Allowed[0]), reason, remaining, wait, tickets,
		info)
	return batch.info.failed(code)
}

// Refund is [Limiter.Refund] of the key i; it needs KeepTickets.
func (b *Batch) Refund(i int, cost uint64) (withheld uint32, err error) {
	ticket := &b.tickets[i]
	return b.limiter.giveBack(func(c *C.met_limiter,
		out *C.uint32_t) C.met_error {
		return C.met_limiter_refund(c, ticket, C.uint64_t(cost), out)
	})
}

// Release is [Limiter.Release] of the key i; it needs KeepTickets.
func (b *Batch) Release(i int) (withheld uint32, err error) {
	ticket := &b.tickets[i]
	return b.limiter.giveBack(func(c *C.met_limiter,
		out *C.uint32_t) C.met_error {
		return C.met_limiter_release(c, ticket, out)
	})
}

// flatKeys are keys one behind the other, and where each begins and the last
// one ends.
type flatKeys struct {
	keys    []byte
	offsets []uint32
}

// add appends a key; mostly there is room, which one look says.
func (f *flatKeys) add(key string) {
	begin, count := len(f.keys), len(f.offsets)
	end := begin + len(key)
	if count == 0 || count == cap(f.offsets) || end > cap(f.keys) {
		f.grow(key)
		return
	}
	f.keys = f.keys[:end]
	copy(f.keys[begin:], key)
	f.offsets = f.offsets[:count+1]
	f.offsets[count] = uint32(end)
}

func (f *flatKeys) grow(key string) {
	if len(f.offsets) == 0 {
		f.offsets = append(f.offsets, 0)
	}
	f.keys = append(f.keys, key...)
	f.offsets = append(f.offsets, uint32(len(f.keys)))
}

// count is how many keys lie between offsets.
func (f *flatKeys) count() int {
	if len(f.offsets) == 0 {
		return 0
	}
	return len(f.offsets) - 1
}

// keysFit says when offsets of 32 bits cannot tell where keys lie.
func keysFit(keys []byte) error {
	if uint64(len(keys)) <= math.MaxUint32 {
		return nil
	}
	return &Error{Code: ErrLimit, Field: "batch.keys",
		Reason: "must be less than 4 GiB together"}
}

// resized is a slice of so many entries, in the same memory when there is room.
func resized[T any](slice []T, count int) []T {
	if cap(slice) < count {
		return make([]T, count)
	}
	return slice[:count]
}

// cleared is resized with nothing in it.
func cleared[T any](slice []T, count int) []T {
	slice = resized(slice, count)
	var none T
	for i := range slice {
		slice[i] = none
	}
	return slice
}
