// Package metering limits, meters and bills API traffic in the process that
// serves it. It is the Go face of the C library libmetering.
//
// A [Store] is one directory that any number of processes use at once: this
// package, the metering tool, nginx, Python. A [Limiter] works without one.
// A [Gateway] does everything a request needs in two calls, [Gateway.Admit]
// and [Admission.Complete]; [Gateway.Handler] is the same as middleware of
// net/http. A [Recorder] counts events, an [Ingest] takes in events that carry
// an id, and a [Price] says what a quantity costs.
//
// # What blocks
//
// Nothing on the path of a request waits for a lock that a dead process can
// hold, for the disk or for the network, so there is no context to pass. Calls
// on a [Store] may wait for the disk; they cannot be interrupted half-way.
//
// # Numbers and times
//
// Money, prices and quantities are [Decimal], exact with 34 digits; there are
// no floats. Documents are JSON whose amounts are decimal strings. Times are
// time.Time; the zero time means now.
//
// # Errors
//
// Every error of the library is an [*Error] with the field that is wrong and
// the reason; errors.Is compares it with [ErrNotFound] and the other codes. A
// request that is refused is an answer, never an error.
//
// # Threads and processes
//
// Every type is safe for use by many goroutines, but for those that say
// otherwise. Close waits for calls that run; it closes once, and a later call
// answers [ErrClosed]. A program that is killed loses nothing of what was
// counted: it lies in files that the next settlement reads.
package metering
