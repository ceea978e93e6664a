package metering

// #include <metering/fault.h>
import "C"

// GuardFaults lets the process live on when somebody cuts a file short that it
// has mapped: a slot file, a table of limits or quotas, a snapshot. Without it
// whoever touches what is gone ends the process with SIGBUS. With it the call
// answers ErrIO or ErrCorrupt, and the next tick of a recorder or gateway goes
// on with another file; a Limiter is closed and opened again.
//
// It puts a handler in front of the one of Go's runtime, which still gets every
// SIGBUS that is not of these files. It holds for the whole process and cannot
// be taken back; signal.Notify of SIGBUS, called later, replaces it.
func GuardFaults() error {
	return plainError(C.met_fault_guard_install())
}
