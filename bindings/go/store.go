package metering

// #include <metering/metering.h>
import "C"

import (
	"encoding/json"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Document is JSON of the library: the fields are those of the C headers and
// of docs/documents.md. Amounts in it are decimal strings.
type Document = json.RawMessage

// A Store is one directory that any number of processes use at once. Opening
// it again in the same process gives the same store.
type Store struct {
	mutex    sync.RWMutex // held for reading by calls
	isClosed bool
	c        *C.met_store
	users    atomic.Int64 // the store itself and its handles
}

// StoreOptions are how a store is opened; the zero value opens one that is
// there.
type StoreOptions struct {
	// Create makes the store when there is none.
	Create bool
	// MapSize is its address space in bytes; 0 is 1 TiB, of which only what
	// is used takes memory or disk.
	MapSize uint64
	// Clock is the time in place of the system's, for tests.
	Clock *Clock
}

// Open opens the store in a directory that has one. [ErrNotFound] when it has
// none: see [Create].
func Open(path string) (*Store, error) {
	return OpenStore(path, StoreOptions{})
}

// Create opens the store in a directory, and makes it when there is none.
func Create(path string) (*Store, error) {
	return OpenStore(path, StoreOptions{Create: true})
}

// OpenStore opens a store with options.
func OpenStore(path string, options StoreOptions) (*Store, error) {
	if err := tooOld(); err != nil {
		return nil, err
	}
	c, err := openStore(path, &options)
	if err != nil {
		return nil, err
	}
	store := &Store{c: c}
	store.users.Store(1)
	safetyNet(store, func(s *Store) { s.Close() })
	return store, nil
}

// Close lets go of the store, after the calls that run. Recorders, gateways
// and other handles of it work on; the files are closed with the last one.
func (s *Store) Close() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.isClosed {
		return ErrClosed
	}
	s.isClosed = true
	runtime.SetFinalizer(s, nil)
	s.release()
	return nil
}

// retain gives a handle its share of the store; with release it goes.
func (s *Store) retain() error {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if s.isClosed {
		return ErrClosed
	}
	s.users.Add(1)
	return nil
}

func (s *Store) release() {
	if s.users.Add(-1) == 0 {
		C.met_store_close(s.c)
		s.c = nil
	}
}

// call runs do with the store of C, which is not closed meanwhile.
func (s *Store) call(do func(c *C.met_store, info *callInfo) C.met_error) error {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if s.isClosed {
		return ErrClosed
	}
	info := newInfo()
	return info.failed(do(s.c, info))
}

// answer is call for what answers with a document.
func (s *Store) answer(do func(c *C.met_store, out *C.met_buffer,
	info *callInfo) C.met_error) (Document, error) {
	var buffer C.met_buffer
	err := s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return do(c, &buffer, info)
	})
	if err != nil {
		return nil, err
	}
	return taken(&buffer), nil
}

// Settled is what a settlement did.
type Settled struct {
	Transactions    uint64 `json:"transactions"`
	Cells           uint64 `json:"cells"`
	Parts           uint64 `json:"parts"`
	Events          uint64 `json:"events"`
	Slots           uint64 `json:"slots"`
	SlotsLive       uint64 `json:"slots_live"`
	SlotsRetired    uint64 `json:"slots_retired"`
	SlotsDamaged    uint64 `json:"slots_damaged"`
	CellsUnreadable uint64 `json:"cells_unreadable"`
	// OldestUnsettled is zero when everything is settled.
	OldestUnsettled time.Time `json:"oldest_unsettled"`
	// HeldUpBy names who keeps a slot from being settled to its end.
	HeldUpBy []struct {
		Slot      uint32 `json:"slot"`
		ProcessID int    `json:"process_id"`
		Reason    string `json:"reason"`
	} `json:"held_up_by"`
	Duration time.Duration `json:"duration_ns"`
}

// Settle moves what all recorders of all processes counted into the store,
// exactly once, and brings balances up to date. Call it every second or so from
// one process; [Gateway.Run] does.
func (s *Store) Settle() (Settled, error) { return s.SettleUpTo(0) }

// SettleUpTo is Settle that stops after so many cells that are new; 0: never.
func (s *Store) SettleUpTo(cells uint64) (Settled, error) {
	var settled Settled
	var config C.met_settle_config
	config.struct_size = C.sizeof_met_settle_config
	config.cells_max = C.uint64_t(cells)
	report, err := s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_store_settle(c, &config, out, &info.c)
	})
	if err == nil {
		err = json.Unmarshal(report, &settled)
	}
	return settled, err
}

// Compact folds settled usage that is old: minutes into hours, hours into
// days, as the usage settings say. Call it now and then from one process.
func (s *Store) Compact() (Document, error) {
	return s.CompactUpTo(0, time.Time{})
}

// CompactUpTo is Compact that stops after so many records, 0: never, and takes
// another time for now, unless it is zero.
func (s *Store) CompactUpTo(records uint64, asOf time.Time) (Document, error) {
	var config C.met_compact_config
	config.struct_size = C.sizeof_met_compact_config
	config.records_max = C.uint64_t(records)
	config.as_of_ns = utcNs(asOf)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_store_compact(c, &config, out, &info.c)
	})
}

// Backup copies the store while it is in use into a directory that does not
// exist. What is not settled is not in it. The copy holds the secrets under
// which API keys are hashed.
func (s *Store) Backup(path string) error { return s.backup(path, 0) }

// BackupWithoutSecrets is Backup without the hashes of API keys and the secrets:
// the keys do not work in the copy.
func (s *Store) BackupWithoutSecrets(path string) error {
	return s.backup(path, C.MET_BACKUP_WITHOUT_SECRETS)
}

func (s *Store) backup(path string, flags C.uint64_t) error {
	text, size := cText(path)
	return s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return C.met_store_backup(c, text, size, flags, &info.c)
	})
}

// Check reads everything and verifies it; [ErrCorrupt] when something is
// damaged.
func (s *Store) Check() (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_store_check(c, out, &info.c)
	})
}

// Stats says how the store is: sizes, readers, what is not settled yet.
func (s *Store) Stats() (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.met_store_stats(c, out, &info.c)
	})
}
