package metering

// #include <metering/metering.h>
import "C"

import (
	"encoding/json"
	"runtime"
	"sync"
	"unsafe"
)

// A Verdict says what became of an event with an id. Only an accepted one is
// counted and remembered; any other may be sent again.
type Verdict uint32

// The verdicts.
const (
	Accepted  Verdict = C.MET_VERDICT_ACCEPTED
	Duplicate Verdict = C.MET_VERDICT_DUPLICATE
	Late      Verdict = C.MET_VERDICT_LATE
	Future    Verdict = C.MET_VERDICT_FUTURE
	NoMeter   Verdict = C.MET_VERDICT_NO_METER
	NoValue   Verdict = C.MET_VERDICT_NO_VALUE
	Invalid   Verdict = C.MET_VERDICT_INVALID
)

// An EventVerdict is the verdict of one event, and why.
type EventVerdict struct {
	Verdict Verdict
	Field   string
	Reason  string
}

// A SourceEvent is an event that carries an id: it counts once, however often
// it is sent.
type SourceEvent struct {
	ID     string
	Source string
	Event
}

// A Cursor says how far a source was read. It is stored in the transaction of
// the batch that ends there.
type Cursor struct {
	Name       string
	Generation uint64 // rises when the source begins anew
	Offset     uint64 // behind the last event of the batch
}

// An Ingest takes in events that carry ids, each once.
type Ingest struct {
	mutex  sync.Mutex
	store  *Store
	c      *C.met_ingest // nil when closed
	memory arena
}

// Ingest begins to take in events.
func (s *Store) Ingest() (*Ingest, error) {
	if err := s.retain(); err != nil {
		return nil, err
	}
	ingest := &Ingest{store: s}
	info := newInfo()
	err := info.failed(C.met_ingest_open(s.c, nil, &ingest.c, &info.c))
	if err != nil {
		s.release()
		return nil, err
	}
	safetyNet(ingest, func(i *Ingest) { i.Close() })
	return ingest, nil
}

// Close ends it. Everything that was accepted is stored already.
func (i *Ingest) Close() error {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.c == nil {
		return ErrClosed
	}
	runtime.SetFinalizer(i, nil)
	C.met_ingest_close(i.c)
	i.c = nil
	i.memory.release()
	i.store.release()
	return nil
}

// Add takes in a batch, all in one transaction: without an error every accepted
// event is on stable storage. A batch costs one flush of the disk, however large
// it is. With [ErrIO] and [ErrDiskFull] the batch may be stored: send it again
// with the same ids.
func (i *Ingest) Add(events []SourceEvent,
	cursor *Cursor) ([]EventVerdict, error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.c == nil {
		return nil, ErrClosed
	}
	count := len(events)
	size := uintptr(count)*(C.sizeof_met_ingest_event+
		C.sizeof_met_event_verdict) + 64
	for n := range events {
		size += eventRoom(&events[n].Event) + room(events[n].ID) +
			room(events[n].Source)
	}
	if cursor != nil {
		size += C.sizeof_met_event_cursor + 16 + room(cursor.Name)
	}
	i.memory.reserve(size)
	list, verdicts := i.fill(events)
	info := newInfo()
	err := info.failed(C.met_event_ingest(i.c, list, C.size_t(count),
		i.memory.cursor(cursor), verdicts, &info.c))
	if err != nil || count == 0 {
		return nil, err
	}
	answers := make([]EventVerdict, count)
	for n, verdict := range unsafe.Slice(verdicts, count) {
		answers[n] = EventVerdict{Verdict(verdict.verdict),
			C.GoString(verdict.field), C.GoString(verdict.reason)}
	}
	return answers, nil
}

// fill lays events out, with room for their verdicts.
func (i *Ingest) fill(events []SourceEvent) (*C.met_ingest_event,
	*C.met_event_verdict) {
	if len(events) == 0 {
		return nil, nil
	}
	count := uintptr(len(events))
	list := unsafe.Slice((*C.met_ingest_event)(i.memory.take(
		count*C.sizeof_met_ingest_event)), len(events))
	verdicts := (*C.met_event_verdict)(i.memory.take(
		count * C.sizeof_met_event_verdict))
	for n := range events {
		event, c := &events[n], &list[n]
		c.id, c.id_size = i.memory.text(event.ID)
		c.source, c.source_size = i.memory.text(event.Source)
		c._type, c.type_size = i.memory.text(event.Type)
		c.subject, c.subject_size = i.memory.text(event.Subject)
		c.attributes, c.attribute_count = i.memory.pairs(event.Attributes)
		c.quantities, c.quantity_count = i.memory.quantities(event.Quantities)
		c.utc_ns = utcNs(event.Time)
	}
	return &list[0], verdicts
}

// cursor copies a cursor into the arena.
func (a *arena) cursor(cursor *Cursor) *C.met_event_cursor {
	if cursor == nil {
		return nil
	}
	c := (*C.met_event_cursor)(a.take(C.sizeof_met_event_cursor))
	*c = C.met_event_cursor{struct_size: C.sizeof_met_event_cursor}
	c.name, c.name_size = a.text(cursor.Name)
	c.generation = C.uint64_t(cursor.Generation)
	c.offset = C.uint64_t(cursor.Offset)
	return c
}

// Ingested counts the verdicts of a batch of CloudEvents.
type Ingested struct {
	Events    int      `json:"events"`
	Accepted  int      `json:"accepted"`
	Duplicate int      `json:"duplicate"`
	Late      int      `json:"late"`
	Future    int      `json:"future"`
	NoMeter   int      `json:"no_meter"`
	NoValue   int      `json:"no_value"`
	Invalid   int      `json:"invalid"`
	Verdicts  []string `json:"verdicts"`
	Problems  []struct {
		Index   int    `json:"index"`
		Verdict string `json:"verdict"`
		Field   string `json:"field"`
		Reason  string `json:"reason"`
	} `json:"problems"`
}

// AddJSON takes in CloudEvents: one, or an array of them.
func (i *Ingest) AddJSON(events []byte, cursor *Cursor) (Ingested, error) {
	return i.addJSON(events, cursor, 0)
}

// AddLines takes in CloudEvents, one a line (NDJSON).
func (i *Ingest) AddLines(events []byte, cursor *Cursor) (Ingested, error) {
	return i.addJSON(events, cursor, C.MET_EVENTS_LINES)
}

func (i *Ingest) addJSON(events []byte, cursor *Cursor,
	flags C.uint64_t) (Ingested, error) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	var parsed Ingested
	if i.c == nil {
		return parsed, ErrClosed
	}
	if cursor != nil {
		i.memory.reserve(C.sizeof_met_event_cursor + 16 + room(cursor.Name))
	}
	var report C.met_buffer
	info := newInfo()
	err := info.failed(C.met_event_ingest_json(i.c, bytesPointer(events),
		C.size_t(len(events)), flags, i.memory.cursor(cursor), &report,
		&info.c))
	if err == nil {
		err = json.Unmarshal(taken(&report), &parsed)
	}
	return parsed, err
}

// Cursor is how far a source was read; [ErrNotFound] when nothing of it was.
func (s *Store) Cursor(name string) (Cursor, error) {
	cursor := Cursor{Name: name}
	var c C.met_event_cursor
	c.struct_size = C.sizeof_met_event_cursor
	text, size := cText(name)
	err := s.call(func(store *C.met_store, info *callInfo) C.met_error {
		return C.met_event_cursor_get(store, text, size, &c, &info.c)
	})
	cursor.Generation, cursor.Offset = uint64(c.generation), uint64(c.offset)
	return cursor, err
}
