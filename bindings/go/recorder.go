package metering

// #include <metering/metering.h>
import "C"

import (
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// A Quantity is a number that meters sum up, by the path of its property.
type Quantity struct {
	Name  string
	Value Decimal
}

// An Event is what happened. Names of attributes are canonical paths: a meter's
// "$.a.b" is "a.b".
type Event struct {
	Type       string
	Subject    string // whose usage it is
	Attributes []Pair
	Quantities []Quantity
	Time       time.Time // zero: now
}

// eventRoom is what an event takes of an arena.
func eventRoom(event *Event) uintptr {
	size := C.sizeof_met_event + 15 + room(event.Type) + room(event.Subject) +
		pairRoom(event.Attributes) + quantityRoom(event.Quantities)
	return size
}

func quantityRoom(quantities []Quantity) uintptr {
	size := uintptr(len(quantities))*C.sizeof_met_quantity + 15
	for i := range quantities {
		size += room(quantities[i].Name)
	}
	return size
}

// quantities copies numbers into the arena.
func (a *arena) quantities(list []Quantity) (*C.met_quantity, C.size_t) {
	if len(list) == 0 {
		return nil, 0
	}
	place := a.take(uintptr(len(list)) * C.sizeof_met_quantity)
	copied := unsafe.Slice((*C.met_quantity)(place), len(list))
	for i := range list {
		copied[i].key, copied[i].key_size = a.text(list[i].Name)
		copied[i].value = list[i].Value.value()
	}
	return &copied[0], C.size_t(len(list))
}

// fill lays an event out at a place of C's memory.
func (a *arena) fill(c *C.met_event, event *Event) {
	*c = C.met_event{struct_size: C.sizeof_met_event}
	c._type, c.type_size = a.text(event.Type)
	c.subject, c.subject_size = a.text(event.Subject)
	c.attributes, c.attribute_count = a.pairs(event.Attributes)
	c.quantities, c.quantity_count = a.quantities(event.Quantities)
	c.utc_ns = utcNs(event.Time)
}

// RecorderOptions are how a recorder counts.
type RecorderOptions struct {
	// ShapesMax is how many combinations of subject and attribute values are
	// kept apart; 0 = 65,536.
	ShapesMax uint64
}

// A Recorder counts events in memory that survives the death of the process;
// [Store.Settle] moves them into the store. Goroutines that use one wait for
// each other: see [Batcher] for many of them.
type Recorder struct {
	mutex  sync.Mutex
	store  *Store
	c      *C.met_recorder // nil when closed
	memory arena
	// prepared are closed with it, when they were forgotten.
	prepared map[*Prepared]struct{}
}

// Recorder begins to count in this process.
func (s *Store) Recorder(options RecorderOptions) (*Recorder, error) {
	if err := s.retain(); err != nil {
		return nil, err
	}
	var config C.met_recorder_config
	config.struct_size = C.sizeof_met_recorder_config
	config.shapes_max = C.uint64_t(options.ShapesMax)
	recorder := &Recorder{store: s, prepared: map[*Prepared]struct{}{}}
	info := newInfo()
	err := info.failed(C.met_recorder_open(s.c, &config, &recorder.c, &info.c))
	if err != nil {
		s.release()
		return nil, err
	}
	safetyNet(recorder, func(r *Recorder) { r.Close() })
	return recorder, nil
}

// Close ends counting, also of prepared events. What was counted waits to be
// settled.
func (r *Recorder) Close() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.c == nil {
		return ErrClosed
	}
	runtime.SetFinalizer(r, nil)
	for prepared := range r.prepared {
		prepared.close()
	}
	C.met_recorder_close(r.c)
	r.c = nil
	r.memory.release()
	r.store.release()
	return nil
}

// Record counts one event. Without an error no death of any process loses it;
// with one it is not counted.
func (r *Recorder) Record(event Event) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.c == nil {
		return ErrClosed
	}
	r.memory.reserve(eventRoom(&event))
	c := (*C.met_event)(r.memory.take(C.sizeof_met_event))
	r.memory.fill(c, &event)
	if C.met_recorder_add(r.c, c, nil) == C.MET_OK {
		return nil
	}
	// Once more, to be told the field and the reason.
	info := newInfo()
	return info.failed(C.met_recorder_add(r.c, c, &info.c))
}

// recordAll counts many events; the error of each goes to failed.
func (r *Recorder) recordAll(events []Event,
	failed func(event *Event, code Code)) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.c == nil {
		return ErrClosed
	}
	if len(events) == 0 {
		return nil
	}
	size := uintptr(len(events))*(C.sizeof_met_event+C.sizeof_met_error) + 32
	for i := range events {
		size += eventRoom(&events[i])
	}
	r.memory.reserve(size)
	count := len(events)
	list := unsafe.Slice((*C.met_event)(r.memory.take(
		uintptr(count)*C.sizeof_met_event)), count)
	codes := unsafe.Slice((*C.met_error)(r.memory.take(
		uintptr(count)*C.sizeof_met_error)), count)
	for i := range events {
		codes[i] = C.MET_OK
		r.memory.fill(&list[i], &events[i])
	}
	info := newInfo()
	code := C.met_recorder_add_batch(r.c, &list[0], C.size_t(count), &codes[0],
		&info.c)
	if code == C.MET_OK {
		return nil
	}
	for i := range events {
		if codes[i] != C.MET_OK && failed != nil {
			failed(&events[i], Code(codes[i]))
		}
	}
	return info.failed(code)
}

// RecordAll counts many events. One that cannot be counted does not keep the
// others from being counted; the error is that of the first such event.
func (r *Recorder) RecordAll(events []Event) error {
	return r.recordAll(events, nil)
}

// Tick does the housekeeping; call it about once a second.
func (r *Recorder) Tick() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.c == nil {
		return ErrClosed
	}
	return plainError(C.met_recorder_tick(r.c))
}

// A Prepared is an event that comes again and again: its type, subject and
// attributes are looked up once.
type Prepared struct {
	recorder *Recorder
	c        *C.met_prepared // nil when closed
}

// Prepare looks an event up. It brings neither quantities nor a time.
func (r *Recorder) Prepare(event Event) (*Prepared, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.c == nil {
		return nil, ErrClosed
	}
	r.memory.reserve(eventRoom(&event))
	c := (*C.met_event)(r.memory.take(C.sizeof_met_event))
	r.memory.fill(c, &event)
	prepared := &Prepared{recorder: r}
	info := newInfo()
	err := info.failed(C.met_prepared_open(r.c, c, &prepared.c, &info.c))
	if err != nil {
		return nil, err
	}
	r.prepared[prepared] = struct{}{}
	return prepared, nil
}

// Record counts the event with quantities at a time; the zero time is now.
func (p *Prepared) Record(at time.Time, quantities ...Quantity) error {
	r := p.recorder
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if p.c == nil {
		return ErrClosed
	}
	r.memory.reserve(quantityRoom(quantities))
	list, count := r.memory.quantities(quantities)
	if C.met_prepared_add(p.c, list, count, utcNs(at), nil) == C.MET_OK {
		return nil
	}
	info := newInfo()
	return info.failed(C.met_prepared_add(p.c, list, count, utcNs(at),
		&info.c))
}

// Close lets go of it; what it counted stays.
func (p *Prepared) Close() error {
	p.recorder.mutex.Lock()
	defer p.recorder.mutex.Unlock()
	if p.c == nil {
		return ErrClosed
	}
	p.close()
	return nil
}

// close is Close with the recorder's mutex held.
func (p *Prepared) close() {
	C.met_prepared_close(p.c)
	p.c = nil
	delete(p.recorder.prepared, p)
}
