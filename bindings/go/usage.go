package metering

// #include <metering/metering.h>
import "C"

import (
	"encoding/json"
	"runtime"
	"time"
	"unsafe"
)

// A UsageQuery asks for settled usage of a meter or of a feature. From is
// inclusive, To exclusive; inside a minute only where all of its usage is of
// retained events.
type UsageQuery struct {
	Meter     string         `json:"meter,omitempty"`
	Feature   string         `json:"feature,omitempty"`
	Customer  string         `json:"customer,omitempty"`
	Customers []string       `json:"customers,omitempty"`
	Subjects  []string       `json:"subjects,omitempty"`
	From      *time.Time     `json:"from,omitempty"`
	To        *time.Time     `json:"to,omitempty"`
	Window    string         `json:"window,omitempty"`    // "hour", "day", …
	TimeZone  string         `json:"time_zone,omitempty"` // of days and months
	GroupBy   []string       `json:"group_by,omitempty"`
	Filters   map[string]any `json:"filters,omitempty"` // {"eq": "GET"}
	// SettleFirst settles before it reads.
	SettleFirst bool `json:"settle_first,omitempty"`
}

// A UsageRow is the usage of one window and group.
type UsageRow struct {
	From       time.Time         `json:"from"`
	To         time.Time         `json:"to"`
	Value      Decimal           `json:"value"`
	Subject    string            `json:"subject"`
	CustomerID string            `json:"customer_id"`
	Customer   string            `json:"customer"`
	Dimensions map[string]string `json:"dimensions"`
}

// UsageRows are the rows of a query, one after the other, however many there
// are. Close it soon: it holds back the reuse of pages.
//
//	rows, err := store.Usage(query)
//	…
//	defer rows.Close()
//	for rows.Next() {
//		use(rows.Row())
//	}
//	return rows.Err()
//
// It is of one goroutine at a time.
type UsageRows struct {
	store *Store
	c     *C.met_usage_cursor // nil when closed
	row   UsageRow
	err   error
}

// Usage begins a query.
func (s *Store) Usage(query UsageQuery) (*UsageRows, error) {
	document, err := json.Marshal(query)
	if err != nil {
		return nil, err
	}
	return s.UsageDocument(document)
}

// UsageDocument is Usage with the query as a document.
func (s *Store) UsageDocument(query []byte) (*UsageRows, error) {
	if err := s.retain(); err != nil {
		return nil, err
	}
	rows := &UsageRows{store: s}
	info := newInfo()
	err := info.failed(C.met_usage_query_open(s.c, bytesPointer(query),
		C.size_t(len(query)), &rows.c, &info.c))
	if err != nil {
		s.release()
		return nil, err
	}
	safetyNet(rows, func(r *UsageRows) { r.Close() })
	return rows, nil
}

// Next goes to the next row; false at the end and after an error.
func (r *UsageRows) Next() bool {
	if r.c == nil || r.err != nil {
		return false
	}
	var text *C.char
	var size C.size_t
	info := newInfo()
	code := C.met_usage_query_next(r.c, &text, &size, &info.c)
	if code == C.MET_E_NOT_FOUND {
		return false
	}
	if code == C.MET_OK {
		r.row = UsageRow{}
		r.err = json.Unmarshal(unsafe.Slice((*byte)(unsafe.Pointer(text)),
			int(size)), &r.row)
	} else {
		r.err = info.failed(code)
	}
	return r.err == nil
}

// Row is the row that Next went to.
func (r *UsageRows) Row() UsageRow { return r.row }

// Err is what ended the rows before their end.
func (r *UsageRows) Err() error { return r.err }

// Close ends the query.
func (r *UsageRows) Close() error {
	if r.c == nil {
		return ErrClosed
	}
	runtime.SetFinalizer(r, nil)
	C.met_usage_query_close(r.c)
	r.c = nil
	r.store.release()
	return nil
}
