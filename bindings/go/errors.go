package metering

// #include <metering/metering.h>
import "C"

import (
	"errors"
	"unsafe"
)

// A Code is the kind of an error, for errors.Is.
type Code int32

// The codes of the library.
const (
	ErrInvalid     = Code(C.MET_E_INVALID)     // an argument or document is wrong
	ErrNoMemory    = Code(C.MET_E_NO_MEMORY)   // out of memory
	ErrOverflow    = Code(C.MET_E_OVERFLOW)    // more digits than are kept
	ErrNotFound    = Code(C.MET_E_NOT_FOUND)   // no such object
	ErrExists      = Code(C.MET_E_EXISTS)      // it exists already
	ErrConflict    = Code(C.MET_E_CONFLICT)    // in use or in another state
	ErrUnsupported = Code(C.MET_E_UNSUPPORTED) // not by this version
	ErrForked      = Code(C.MET_E_FORKED)      // of the parent process
	ErrLimit       = Code(C.MET_E_LIMIT)       // beyond a documented bound
	ErrBusy        = Code(C.MET_E_BUSY)        // somebody else holds it
	ErrIO          = Code(C.MET_E_IO)          // a file operation failed
	ErrDiskFull    = Code(C.MET_E_DISK_FULL)   // no space is left
	ErrMapFull     = Code(C.MET_E_MAP_FULL)    // the store's address space
	ErrForeign     = Code(C.MET_E_FOREIGN)     // of another store or program
	ErrLayout      = Code(C.MET_E_LAYOUT)      // another layout or version
	ErrTableFull   = Code(C.MET_E_TABLE_FULL)  // the limiter table is full
	ErrTallyFull   = Code(C.MET_E_TALLY_FULL)  // unsettled usage: settle
	ErrCorrupt     = Code(C.MET_E_CORRUPT)     // stored data is damaged
	ErrBug         = Code(C.MET_E_BUG)         // an internal check failed
)

// ErrClosed is what a call on something closed answers.
var ErrClosed = errors.New("metering: closed")

// Name is the symbol of a code, "MET_E_NOT_FOUND".
func (c Code) Name() string {
	return C.GoString(C.met_error_name(C.met_error(c)))
}

// Error is one sentence about the code.
func (c Code) Error() string {
	return "metering: " + C.GoString(C.met_error_message(C.met_error(c)))
}

// An Error is what went wrong: the code, and for people the field and reason.
type Error struct {
	Code   Code
	Field  string // "plan.phases[0].key"; may be empty
	Reason string // may be empty
}

// Error is a sentence that names the field and the reason.
func (e *Error) Error() string {
	text := e.Code.Error()
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Unwrap gives the code, so that errors.Is(err, metering.ErrNotFound) holds.
func (e *Error) Unwrap() error { return e.Code }

// plainError is the error of a call that says no more than its code.
func plainError(code C.met_error) error {
	if code == C.MET_OK {
		return nil
	}
	return &Error{Code: Code(code)}
}

// callInfo is where a call says what is wrong.
type callInfo struct{ c C.met_error_info }

func newInfo() *callInfo {
	info := &callInfo{}
	info.c.struct_size = C.size_t(unsafe.Sizeof(info.c))
	return info
}

// failed is the error of a call that was given info.
func (info *callInfo) failed(code C.met_error) error {
	if code == C.MET_OK {
		return nil
	}
	return &Error{
		Code:   Code(code),
		Field:  C.GoString(&info.c.field[0]),
		Reason: C.GoString(&info.c.reason[0]),
	}
}
