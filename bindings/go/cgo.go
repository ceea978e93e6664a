package metering

// #cgo pkg-config: metering
// #include <stdlib.h>
// #include <metering/metering.h>
import "C"

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// Version is that of the library that is linked, "0.1.0".
func Version() string { return C.GoString(C.met_version_string()) }

// tooOld is the error of a library that is older than the headers which this
// package was built with: structures may have fields that it does not know.
func tooOld() error {
	built, loaded := int(C.MET_VERSION_NUMBER), int(C.met_version_number())
	if loaded/1000 >= built/1000 {
		return nil
	}
	return &Error{Code: ErrUnsupported, Field: "library",
		Reason: fmt.Sprintf("built for libmetering %s, %s is loaded",
			C.MET_VERSION_STRING, Version())}
}

// bytesPointer is where data begins, for the length of one call; nil for none.
func bytesPointer(data []byte) *C.char {
	if len(data) == 0 {
		return nil
	}
	return (*C.char)(unsafe.Pointer(&data[0]))
}

// cText is a text as C takes it.
func cText(text string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(stringData(text))), C.size_t(len(text))
}

// taken copies a buffer that the library handed out, and gives it back.
func taken(buffer *C.met_buffer) []byte {
	if buffer.data == nil {
		return nil
	}
	data := C.GoBytes(unsafe.Pointer(buffer.data), C.int(buffer.size))
	C.met_buffer_release(buffer)
	return data
}

// utcNs is a time as the library counts it; the zero time is 0: now.
func utcNs(at time.Time) C.int64_t {
	if at.IsZero() {
		return 0
	}
	return C.int64_t(at.UnixNano())
}

// arena is memory of C that a call's texts and arrays are laid out in: C may
// not be given memory of Go that itself points to memory of Go.
type arena struct {
	base unsafe.Pointer
	size uintptr
	used uintptr
}

// reserve makes room for so many bytes and forgets what was there.
func (a *arena) reserve(size uintptr) {
	a.used = 0
	if size <= a.size {
		return
	}
	C.free(a.base)
	for a.size < size {
		a.size = 2*a.size + 4096
	}
	a.base = C.malloc(C.size_t(a.size))
	if a.base == nil {
		panic("metering: out of memory")
	}
}

// take is the next so many bytes, aligned for any type; they hold anything.
func (a *arena) take(size uintptr) unsafe.Pointer {
	place := unsafe.Add(a.base, a.used)
	a.used += (size + 15) &^ 15
	return place
}

// text copies a text into the arena.
func (a *arena) text(text string) (*C.char, C.size_t) {
	if len(text) == 0 {
		return nil, 0
	}
	place := a.take(uintptr(len(text)))
	copy(unsafe.Slice((*byte)(place), len(text)), text)
	return (*C.char)(place), C.size_t(len(text))
}

// room is what text takes of an arena.
func room(text string) uintptr { return (uintptr(len(text)) + 15) &^ 15 }

func (a *arena) release() {
	C.free(a.base)
	*a = arena{}
}

// Pair is a name and its value.
type Pair struct{ Name, Value string }

// pairRoom is what pairs takes of an arena.
func pairRoom(pairs []Pair) uintptr {
	size := uintptr(len(pairs))*unsafe.Sizeof(C.met_pair{}) + 15
	for _, pair := range pairs {
		size += room(pair.Name) + room(pair.Value)
	}
	return size
}

// pairs copies pairs into the arena.
func (a *arena) pairs(pairs []Pair) (*C.met_pair, C.size_t) {
	if len(pairs) == 0 {
		return nil, 0
	}
	place := a.take(uintptr(len(pairs)) * unsafe.Sizeof(C.met_pair{}))
	list := unsafe.Slice((*C.met_pair)(place), len(pairs))
	for i, pair := range pairs {
		list[i].key, list[i].key_size = a.text(pair.Name)
		list[i].value, list[i].value_size = a.text(pair.Value)
	}
	return &list[0], C.size_t(len(pairs))
}

// handle is an object of C that calls share without a lock, and that Close
// takes away after the calls that run.
type handle struct {
	c    unsafe.Pointer // nil when closed
	uses [handleUses]inUse
}

// handleUses is how many counters a handle has; a power of two.
const handleUses = 8

// inUse counts calls that run. Goroutines have one by where their stack lies, so
// that processors seldom write to the same line of memory.
type inUse struct {
	count atomic.Int64
	_     [56]byte
}

// enter begins a call; what it gives is nil when the handle is closed, and is
// not freed before leave otherwise.
func (h *handle) enter() (unsafe.Pointer, *inUse) {
	var here byte
	place := uint32(uintptr(unsafe.Pointer(&here))>>11) * 2654435769
	u := &h.uses[place>>16%handleUses]
	u.count.Add(1) // before c is read: close looks the other way round
	c := atomic.LoadPointer(&h.c)
	if c == nil {
		u.leave()
	}
	return c, u
}

// leave ends a call. It also keeps the handle's owner from the finaliser.
func (u *inUse) leave() { u.count.Add(-1) }

// close takes the object away and waits for calls that have it.
func (h *handle) close() unsafe.Pointer {
	c := atomic.SwapPointer(&h.c, nil)
	for i := range h.uses {
		for c != nil && h.uses[i].count.Load() != 0 {
			time.Sleep(10 * time.Microsecond)
		}
	}
	return c
}

// safetyNet closes what was forgotten. It is no way to close things: nobody
// knows when it runs.
func safetyNet[T any](handle *T, close func(*T)) {
	runtime.SetFinalizer(handle, close)
}
