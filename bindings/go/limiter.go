package metering

// #include <stdlib.h>
// #include <metering/metering.h>
//
// typedef struct {
//     met_error error;
//     uint32_t is_allowed;
// } metgo_allowed;
//
// // Where every nanosecond counts, the limiter is a number: cgo looks at each
// // pointer to a type that it does not know.
// static inline metgo_allowed metgo_limiter_allow(
//     uintptr_t limiter, uint32_t policy, const char *key, size_t key_size,
//     uint64_t cost)
// {
//     met_limiter_request request = {sizeof request, policy, 0, key,
//                                    key_size, cost, 0, 0,
//                                    MET_LIMITER_BRIEF, 0, NULL, 0};
//     met_limiter_result result;
//     metgo_allowed answer;
//
//     result.struct_size = sizeof result;
//     answer.error = met_limiter_check((met_limiter *)limiter, &request,
//                                      &result);
//     answer.is_allowed = answer.error == MET_OK && result.is_allowed;
//     return answer;
// }
//
// enum { METGO_CHECK, METGO_PEEK, METGO_CHARGE };
//
// static inline met_error metgo_limiter_ask(
//     int what, met_limiter *limiter, uint32_t policy, uint32_t kind,
//     const char *key, size_t key_size, uint64_t cost, int64_t monotonic_ns,
//     int64_t utc_ns, const met_limiter_window *own, size_t own_count,
//     met_limiter_result *result)
// {
//     met_limiter_request request = {sizeof request, policy, kind, key,
//                                    key_size, cost, monotonic_ns, utc_ns,
//                                    0, 0, own, own_count};
//
//     result->struct_size = sizeof *result;
//     return what == METGO_CHECK ? met_limiter_check(limiter, &request, result)
//         : what == METGO_PEEK ? met_limiter_peek(limiter, &request, result)
//         : met_limiter_charge(limiter, &request, result);
// }
//
// static inline met_error metgo_limiter_reset(
//     met_limiter *limiter, uint32_t policy, uint32_t kind, const char *key,
//     size_t key_size)
// {
//     met_limiter_request request = {sizeof request, policy, kind, key,
//                                    key_size, 0, 0, 0, 0, 0, NULL, 0};
//
//     return met_limiter_reset(limiter, &request);
// }
import "C"

import (
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// Algorithm is how a window counts.
type Algorithm uint32

// The algorithms; docs/limiter.md says what each guarantees.
const (
	// Sliding never lets more than the limit through in any window, wherever
	// it begins.
	Sliding Algorithm = C.MET_LIMITER_SLIDING
	// SlidingCounter weighs two buckets; can let almost twice the limit through.
	SlidingCounter Algorithm = C.MET_LIMITER_SLIDING_COUNTER
	// FixedEpoch begins its windows at multiples of their length since 1970.
	FixedEpoch Algorithm = C.MET_LIMITER_FIXED_EPOCH
	// CalendarUTC counts seconds to years of the calendar.
	CalendarUTC Algorithm = C.MET_LIMITER_CALENDAR_UTC
	// GCRA paces: a burst of the limit, then evenly.
	GCRA Algorithm = C.MET_LIMITER_GCRA
	// InFlight bounds how many are served at once; give back with
	// [Limiter.Release].
	InFlight Algorithm = C.MET_LIMITER_IN_FLIGHT
)

// A Window is one limit: at most Limit in Length.
type Window struct {
	Limit     uint64
	Length    time.Duration
	Algorithm Algorithm // 0 = Sliding
}

// LimiterOptions are how a table is opened. The zero value of each field is
// its default.
type LimiterOptions struct {
	// Capacity is how many keys and windows are live at once; 0 = 65,536.
	Capacity uint64
	// RefuseWhenFull refuses a new key for which there is no room; otherwise
	// it passes uncounted. Nothing live is ever thrown out.
	RefuseWhenFull bool
	// CheapClock reads the processor's counter in place of the system's clock.
	CheapClock bool
}

// A Limiter is a table of windows in a file that any number of processes
// share. It needs no store. Its calls take no lock.
type Limiter struct{ c handle }

// A Policy is the number of a set of windows.
type Policy uint32

// PolicyOptions of a policy.
type PolicyOptions struct {
	// CountDenied makes refused requests weigh like admitted ones.
	CountDenied bool
	// WarnOnly refuses nobody: the answer says what would have been.
	WarnOnly bool
}

// OpenLimiter opens the table in a file, or makes it.
func OpenLimiter(path string, options LimiterOptions) (*Limiter, error) {
	if err := tooOld(); err != nil {
		return nil, err
	}
	if strings.IndexByte(path, 0) >= 0 {
		return nil, &Error{Code: ErrInvalid, Field: "path",
			Reason: "must not contain a NUL"}
	}
	file := C.CString(path)
	defer C.free(unsafe.Pointer(file))
	config := (*C.met_limiter_config)(C.calloc(1, C.sizeof_met_limiter_config))
	defer C.free(unsafe.Pointer(config))
	config.struct_size = C.sizeof_met_limiter_config
	config.path = file
	config.capacity = C.uint64_t(options.Capacity)
	if options.RefuseWhenFull {
		config.full_policy = C.MET_LIMITER_FULL_CLOSED
	}
	if options.CheapClock {
		config.clock = C.MET_LIMITER_CLOCK_CHEAP
	}
	var c *C.met_limiter
	info := newInfo()
	err := info.failed(C.met_limiter_open(config, &c, &info.c))
	if err != nil {
		return nil, err
	}
	limiter := &Limiter{}
	limiter.c.c = unsafe.Pointer(c)
	safetyNet(limiter, func(l *Limiter) { l.Close() })
	return limiter, nil
}

// Close lets go of the table, after the calls that run; its file and counts stay.
func (l *Limiter) Close() error {
	c := (*C.met_limiter)(l.c.close())
	if c == nil {
		return ErrClosed
	}
	runtime.SetFinalizer(l, nil)
	C.met_limiter_close(c)
	return nil
}

// enter begins a call; nil when the limiter is closed.
func (l *Limiter) enter() (*C.met_limiter, *inUse) {
	c, use := l.c.enter()
	return (*C.met_limiter)(c), use
}

// SetPolicy makes windows known under a name, for all who use the table. The
// same windows again change nothing; other ones keep what was used.
func (l *Limiter) SetPolicy(name string, options PolicyOptions,
	windows ...Window) (Policy, error) {
	c, use := l.enter()
	if c == nil {
		return 0, ErrClosed
	}
	defer use.leave()
	var memory arena
	defer memory.release()
	memory.reserve(C.sizeof_met_limiter_policy + 32 + room(name) +
		uintptr(len(windows)+1)*C.sizeof_met_limiter_window)
	policy := (*C.met_limiter_policy)(memory.take(C.sizeof_met_limiter_policy))
	*policy = C.met_limiter_policy{struct_size: C.sizeof_met_limiter_policy}
	policy.name, policy.name_size = memory.text(name)
	policy.windows, policy.window_count = memory.windows(windows)
	if options.CountDenied {
		policy.flags |= C.MET_LIMITER_COUNT_DENIED
	}
	if options.WarnOnly {
		policy.flags |= C.MET_LIMITER_WARN_ONLY
	}
	var number C.uint32_t
	info := newInfo()
	err := info.failed(C.met_limiter_policy_set(c, policy, &number, &info.c))
	return Policy(number), err
}

// RemovePolicy forgets a policy and what it counted, for all who use the table.
func (l *Limiter) RemovePolicy(policy Policy) error {
	c, use := l.enter()
	if c == nil {
		return ErrClosed
	}
	defer use.leave()
	info := newInfo()
	err := info.failed(C.met_limiter_policy_remove(c, C.uint32_t(policy),
		&info.c))
	return err
}

// windows copies windows into the arena.
func (a *arena) windows(windows []Window) (*C.met_limiter_window, C.size_t) {
	if len(windows) == 0 {
		return nil, 0
	}
	place := a.take(uintptr(len(windows)) * C.sizeof_met_limiter_window)
	list := unsafe.Slice((*C.met_limiter_window)(place), len(windows))
	for i, window := range windows {
		list[i] = C.met_limiter_window{
			limit:     C.uint64_t(window.Limit),
			window_ns: C.int64_t(window.Length),
			algorithm: C.uint32_t(window.Algorithm),
		}
	}
	return &list[0], C.size_t(len(windows))
}

// Allow decides one request of a key: all windows count it, or none. The
// cheapest question; [Limiter.Check] also says how long to wait.
func (l *Limiter) Allow(policy Policy, key string) (bool, error) {
	return l.AllowN(policy, key, 1)
}

// AllowN is Allow for a request that weighs n.
func (l *Limiter) AllowN(policy Policy, key string, n uint64) (bool, error) {
	c, use := l.c.enter()
	if c == nil {
		return false, ErrClosed
	}
	text, size := cText(key)
	answer := C.metgo_limiter_allow(C.uintptr_t(uintptr(c)),
		C.uint32_t(policy), text, size, C.uint64_t(n))
	use.leave()
	if answer.error != C.MET_OK {
		return false, plainError(answer.error)
	}
	return answer.is_allowed != 0, nil
}

// A Request is what a limiter decides.
type Request struct {
	Policy Policy
	Key    string
	// Kind is the host's own number for what the key identifies: keys of
	// different kinds never share a window.
	Kind uint32
	Cost uint64 // 0 = 1
	// MonotonicNs and UTC are the time in place of the library's clock.
	MonotonicNs int64
	UTC         time.Time
	// Own are limits of this request below the policy's.
	Own []Window
}

// A WindowResult is what one window says after a decision.
type WindowResult struct {
	Window
	Remaining uint64
	Reset     time.Duration // until the oldest counted hit is forgotten
	Wait      time.Duration // 0: there is room; -1: never
	Refusing  bool
}

// A Reason says why a request is not allowed, or allowed uncounted.
type Reason uint32

// The reasons.
const (
	ReasonNone      Reason = C.MET_LIMITER_REASON_NONE
	ReasonLimit     Reason = C.MET_LIMITER_REASON_LIMIT
	ReasonNever     Reason = C.MET_LIMITER_REASON_NEVER
	ReasonTableFull Reason = C.MET_LIMITER_REASON_TABLE_FULL
)

// A Result is a decision.
type Result struct {
	Allowed bool
	Reason  Reason
	// Wait until the same request would be allowed if nothing else arrived;
	// 0: now, -1: never.
	Wait time.Duration
	c    C.met_limiter_result
}

// Windows are the windows of the decision, shortest first.
func (r *Result) Windows() []WindowResult {
	windows := make([]WindowResult, r.c.window_count)
	for i := range windows {
		windows[i] = windowResult(&r.c.windows[i])
	}
	return windows
}

// Reported is the window to tell the client about: the smallest remaining.
func (r *Result) Reported() WindowResult {
	if r.c.reported >= C.MET_LIMITER_WINDOWS_MAX {
		return WindowResult{}
	}
	return windowResult(&r.c.windows[r.c.reported])
}

func windowResult(c *C.met_limiter_window_result) WindowResult {
	return WindowResult{
		Window: Window{uint64(c.limit), time.Duration(c.window_ns),
			Algorithm(c.algorithm)},
		Remaining: uint64(c.remaining),
		Reset:     time.Duration(c.reset_ns),
		Wait:      time.Duration(c.wait_ns),
		Refusing:  c.is_refusing != 0,
	}
}

// Check decides a request and says everything about it.
func (l *Limiter) Check(request Request) (*Result, error) {
	return l.ask(C.METGO_CHECK, &request)
}

// Peek is what Check would answer now, without counting anything.
func (l *Limiter) Peek(request Request) (*Result, error) {
	return l.ask(C.METGO_PEEK, &request)
}

// Charge counts what has happened already, whether there is room or not.
func (l *Limiter) Charge(request Request) (*Result, error) {
	return l.ask(C.METGO_CHARGE, &request)
}

func (l *Limiter) ask(what C.int, request *Request) (*Result, error) {
	c, use := l.enter()
	if c == nil {
		return nil, ErrClosed
	}
	defer use.leave()
	var memory arena
	var own *C.met_limiter_window
	var count C.size_t
	if len(request.Own) > 0 {
		memory.reserve(uintptr(len(request.Own)+1) *
			C.sizeof_met_limiter_window)
		defer memory.release()
		own, count = memory.windows(request.Own)
	}
	result := &Result{}
	text, size := cText(request.Key)
	code := C.metgo_limiter_ask(what, c, C.uint32_t(request.Policy),
		C.uint32_t(request.Kind), text, size, C.uint64_t(request.Cost),
		C.int64_t(request.MonotonicNs), utcNs(request.UTC), own, count,
		&result.c)
	if code != C.MET_OK {
		return nil, plainError(code)
	}
	result.Allowed = result.c.is_allowed != 0
	result.Reason = Reason(result.c.reason)
	result.Wait = time.Duration(result.c.wait_ns)
	return result, nil
}

// Refund gives back what a decision counted: cost of it, or with 0 all that is
// left. Where others were counted since, a window withholds it and keeps its
// bit in withheld.
func (l *Limiter) Refund(result *Result, cost uint64) (withheld uint32, err error) {
	return l.giveBack(func(c *C.met_limiter, out *C.uint32_t) C.met_error {
		return C.met_limiter_refund(c, &result.c.ticket, C.uint64_t(cost), out)
	})
}

// Release gives back what a served request held in [InFlight] windows.
func (l *Limiter) Release(result *Result) (withheld uint32, err error) {
	return l.giveBack(func(c *C.met_limiter, out *C.uint32_t) C.met_error {
		return C.met_limiter_release(c, &result.c.ticket, out)
	})
}

func (l *Limiter) giveBack(do func(c *C.met_limiter,
	out *C.uint32_t) C.met_error) (uint32, error) {
	c, use := l.enter()
	if c == nil {
		return 0, ErrClosed
	}
	defer use.leave()
	var withheld C.uint32_t
	code := do(c, &withheld)
	return uint32(withheld), plainError(code)
}

// LimiterStats are counters of a table. Those from Inserted to Duplicates run
// since it was made and are shared by all who use it.
type LimiterStats struct {
	Capacity    uint64 // records, one per live key and window
	RecordsUsed uint64 // claimed at least once; idle ones are used again
	RecordsLive uint64 // of these, not idle now
	Policies    uint64
	Shapes      uint64 // distinct windows of all policies
	Inserted    uint64
	Reclaimed   uint64 // idle records given to another key
	FullAllowed uint64 // let through because the table was full
	FullRefused uint64
	Undone      uint64 // hits given back after a race
	Withheld    uint64 // hits that could not be given back
	Contended   uint64 // decisions that gave up after many races
	Duplicates  uint64 // records given up for an earlier twin
	Decisions   uint64 // of this handle
	Refusals    uint64 // of these
}

// Stats reads every record of the table: for operators, not for requests.
func (l *Limiter) Stats() (LimiterStats, error) {
	c, use := l.enter()
	if c == nil {
		return LimiterStats{}, ErrClosed
	}
	defer use.leave()
	var s C.met_limiter_stats
	s.struct_size = C.size_t(unsafe.Sizeof(s))
	err := plainError(C.met_limiter_stats_get(c, &s))
	if err != nil {
		return LimiterStats{}, err
	}
	return LimiterStats{uint64(s.capacity), uint64(s.records_used),
		uint64(s.records_live), uint64(s.policies), uint64(s.shapes),
		uint64(s.inserted), uint64(s.reclaimed), uint64(s.full_allowed),
		uint64(s.full_refused), uint64(s.undone), uint64(s.withheld),
		uint64(s.contended), uint64(s.duplicates), uint64(s.decisions),
		uint64(s.refusals)}, nil
}

// Reset forgets what a key has used in all windows of a policy.
func (l *Limiter) Reset(policy Policy, kind uint32, key string) error {
	c, use := l.enter()
	if c == nil {
		return ErrClosed
	}
	defer use.leave()
	text, size := cText(key)
	code := C.metgo_limiter_reset(c, C.uint32_t(policy), C.uint32_t(kind),
		text, size)
	return plainError(code)
}
