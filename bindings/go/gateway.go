package metering

// #include <metering/metering.h>
import "C"

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// GatewayOptions are how a gateway decides. The zero value of each field is
// its default.
type GatewayOptions struct {
	// FailOpen lets a request through when something that is needed for the
	// decision fails; otherwise it is refused.
	FailOpen bool
	// RequireEntitlement serves a request that a feature measures only to a
	// customer that is entitled to it.
	RequireEntitlement bool
	// NeverCompile leaves compiling a changed catalog, which may take seconds,
	// to other processes: to their gateways, or to whoever settles.
	NeverCompile bool
	// Headers is which rate limit fields answers carry.
	Headers HeaderStyle
	// LimiterCapacity of a new table: live keys and windows.
	LimiterCapacity uint64
	// Handles is how many requests are decided at the same time; 0 =
	// GOMAXPROCS.
	Handles int
}

// HeaderStyle is which rate limit fields are written.
type HeaderStyle uint32

// The styles.
const (
	HeadersKong HeaderStyle = C.MET_GATEWAY_HEADERS_KONG
	HeadersNone HeaderStyle = C.MET_GATEWAY_HEADERS_NONE
	HeadersIETF HeaderStyle = C.MET_GATEWAY_HEADERS_IETF
)

// A Gateway decides requests and counts them: routes, API keys, groups, rate
// limits and allowances come from the store.
type Gateway struct {
	store   *Store
	handles []*gatewayHandle
	// keeper compiles a changed catalog, so that no request waits for it; the
	// handles of requests take it in. nil: others compile.
	keeper *gatewayHandle
	next   atomic.Uint32
}

// gatewayHandle is one handle of the library, of one goroutine at a time.
type gatewayHandle struct {
	mutex    sync.Mutex
	c        *C.met_gateway // nil when closed
	memory   arena
	decision *C.met_gateway_decision // in memory of C
}

// Gateway opens a gateway on the store. [Gateway.Run] keeps it going.
func (s *Store) Gateway(options GatewayOptions) (*Gateway, error) {
	if err := s.retain(); err != nil {
		return nil, err
	}
	if options.Handles <= 0 {
		options.Handles = runtime.GOMAXPROCS(0)
	}
	gateway := &Gateway{store: s}
	if err := gateway.openHandles(options); err != nil {
		gateway.closeHandles()
		s.release()
		return nil, err
	}
	safetyNet(gateway, func(g *Gateway) { g.Close() })
	return gateway, nil
}

func (g *Gateway) openHandles(options GatewayOptions) (err error) {
	if !options.NeverCompile {
		if g.keeper, err = openHandle(g.store.c, &options); err != nil {
			return err
		}
		options.NeverCompile = true
	}
	for len(g.handles) < options.Handles {
		handle, err := openHandle(g.store.c, &options)
		if err != nil {
			return err
		}
		g.handles = append(g.handles, handle)
	}
	return nil
}

func openHandle(store *C.met_store,
	options *GatewayOptions) (*gatewayHandle, error) {
	var config C.met_gateway_config
	config.struct_size = C.sizeof_met_gateway_config
	config.header_style = C.uint32_t(options.Headers)
	config.limiter_capacity = C.uint64_t(options.LimiterCapacity)
	if options.FailOpen {
		config.fail_policy = C.MET_GATEWAY_FAIL_OPEN
	}
	if options.RequireEntitlement {
		config.flags |= C.MET_GATEWAY_REQUIRE_ENTITLEMENT
	}
	if options.NeverCompile {
		config.flags |= C.MET_GATEWAY_NEVER_COMPILE
	}
	handle := &gatewayHandle{}
	info := newInfo()
	err := info.failed(C.met_gateway_open(store, &config, &handle.c, &info.c))
	return handle, err
}

// all are the handles that are kept up to date, the one that compiles first.
func (g *Gateway) all() []*gatewayHandle {
	if g.keeper == nil {
		return g.handles
	}
	return append([]*gatewayHandle{g.keeper}, g.handles...)
}

// closeHandles closes what is open, and says whether anything was.
func (g *Gateway) closeHandles() bool {
	isAny := false
	for _, handle := range g.all() {
		handle.mutex.Lock()
		if handle.c != nil {
			isAny = true
			C.met_gateway_close(handle.c)
			handle.c = nil
			handle.memory.release()
		}
		handle.mutex.Unlock()
	}
	return isAny
}

// Close closes the gateway; what it counted is settled later. Complete what was
// admitted before.
func (g *Gateway) Close() error {
	if !g.closeHandles() {
		return ErrClosed
	}
	runtime.SetFinalizer(g, nil)
	g.store.release()
	return nil
}

// lock gives a handle that nobody uses, locked; when all are in use it waits
// for one, which takes microseconds.
func (g *Gateway) lock() *gatewayHandle {
	count := uint32(len(g.handles))
	first := g.next.Add(1)
	for i := uint32(0); i < count; i++ {
		if handle := g.handles[(first+i)%count]; handle.mutex.TryLock() {
			return handle
		}
	}
	handle := g.handles[first%count]
	handle.mutex.Lock()
	return handle
}

// A GatewayRequest is what a gateway decides. Everything may be empty.
type GatewayRequest struct {
	// Service and Route are names of stored entities; both empty: found by
	// path and method.
	Service, Route string
	Method         string
	Path           string // normalised, without the query
	Query          string // as received, without "?"
	Form           string // an urlencoded body, when keys may be in it
	JSON           string // an application/json body, likewise
	Host           string
	UserAgent      string
	ClientIP       string
	Headers        []Pair // as received, repeated ones repeated
	Attributes     []Pair // of the usage event, in addition
	Cost           uint64 // 0 = 1
	// Subject is whose usage it is, when the caller knows it; then no key is
	// asked for. "consumer:USERNAME" is a stored consumer.
	Subject string
	// Key is the API key, when the caller has found it; then it is looked for
	// nowhere else.
	Key string
	// Groups are those that another authentication has found, with commas
	// between them, for access lists: "" when it has found nothing, "," when
	// there are none. Never what a client can write.
	Groups string
	// Feature is the key of one that the request uses, metered or not: it is
	// served only to a customer that is entitled to it and has some of it left.
	Feature string
	// MonotonicNs and UTC are the time in place of the store's clock.
	MonotonicNs int64
	UTC         time.Time
}

// A GatewayReason says why a request is refused.
type GatewayReason uint32

// The reasons, with the status that a refusal has.
const (
	Admitted            GatewayReason = C.MET_GATEWAY_REASON_NONE
	NoRoute             GatewayReason = C.MET_GATEWAY_REASON_NO_ROUTE      // 404
	NoKey               GatewayReason = C.MET_GATEWAY_REASON_NO_KEY        // 401
	DuplicateKey        GatewayReason = C.MET_GATEWAY_REASON_DUPLICATE_KEY // 401
	BadKey              GatewayReason = C.MET_GATEWAY_REASON_BAD_KEY       // 401
	NotAllowed          GatewayReason = C.MET_GATEWAY_REASON_NOT_ALLOWED   // 403
	RateLimited         GatewayReason = C.MET_GATEWAY_REASON_RATE_LIMITED  // 429
	UsageLimitReached   GatewayReason = C.MET_GATEWAY_REASON_USAGE_LIMIT_REACHED
	FeatureUnavailable  GatewayReason = C.MET_GATEWAY_REASON_FEATURE_UNAVAILABLE
	CustomerNotFound    GatewayReason = C.MET_GATEWAY_REASON_CUSTOMER_NOT_FOUND
	CostNever           GatewayReason = C.MET_GATEWAY_REASON_COST_NEVER
	GatewayFailedReason GatewayReason = C.MET_GATEWAY_REASON_FAILURE
	FeatureNotFound     GatewayReason = C.MET_GATEWAY_REASON_FEATURE_NOT_FOUND
	NoCreditAvailable   GatewayReason = C.MET_GATEWAY_REASON_NO_CREDIT_AVAILABLE
)

// A GatewayFailure says what failed, also of a request that was let through all
// the same ([GatewayOptions].FailOpen).
type GatewayFailure uint32

// The failures.
const (
	FailureNone     GatewayFailure = C.MET_GATEWAY_FAILURE_NONE
	FailureSnapshot GatewayFailure = C.MET_GATEWAY_FAILURE_SNAPSHOT // catalog
	FailureLimiter  GatewayFailure = C.MET_GATEWAY_FAILURE_LIMITER
	FailureQuota    GatewayFailure = C.MET_GATEWAY_FAILURE_QUOTA
	FailureTally    GatewayFailure = C.MET_GATEWAY_FAILURE_TALLY // counting
	FailureConfig   GatewayFailure = C.MET_GATEWAY_FAILURE_CONFIG
)

// An Admission is the decision about one request. An admitted one must be
// completed; it is of one goroutine at a time.
type Admission struct {
	IsAdmitted bool
	Status     int           // of a refusal; 200 when admitted
	Reason     GatewayReason // why it is refused
	ReasonName string        // "USAGE_LIMIT_REACHED"; empty when admitted
	Failure    GatewayFailure
	Body       string // JSON of a refusal
	// ResponseHeaders are "Name: value\r\n" lines for the client.
	ResponseHeaders string
	// UpstreamHeaders are lines to send upstream, in place of what the client
	// sent under the names in DropHeaders ("Name\r\n" lines).
	UpstreamHeaders string
	DropHeaders     string
	UpstreamQuery   string // the query to send upstream
	Consumer        string // empty when nobody is known
	Service, Route  string // what was matched
	Wait            time.Duration

	gateway *Gateway
	ticket  C.met_gateway_ticket
}

// Admit decides a request.
func (g *Gateway) Admit(request *GatewayRequest) (*Admission, error) {
	admission := &Admission{}
	return admission, g.AdmitInto(request, admission)
}

// AdmitInto is Admit into an admission that is used again.
func (g *Gateway) AdmitInto(request *GatewayRequest,
	admission *Admission) error {
	handle := g.lock()
	defer handle.mutex.Unlock()
	if handle.c == nil {
		return ErrClosed
	}
	c := handle.fill(request)
	if code := C.met_gateway_admit(handle.c, c,
		handle.decision); code != C.MET_OK {
		return plainError(code)
	}
	admission.gateway = g
	admission.take(handle.decision)
	return nil
}

// fill lays a request out in memory of C, with room for the decision.
func (h *gatewayHandle) fill(request *GatewayRequest) *C.met_gateway_request {
	texts := [...]string{request.Service, request.Route, request.Method,
		request.Path, request.Query, request.Form, request.Host,
		request.UserAgent, request.ClientIP, request.Subject, request.Key,
		request.Groups, request.Feature, request.JSON}
	size := uintptr(C.sizeof_met_gateway_request+
		C.sizeof_met_gateway_decision+32) + pairRoom(request.Headers) +
		pairRoom(request.Attributes)
	for _, text := range texts {
		size += room(text)
	}
	m := &h.memory
	m.reserve(size)
	h.decision = (*C.met_gateway_decision)(m.take(
		C.sizeof_met_gateway_decision))
	*h.decision = C.met_gateway_decision{
		struct_size: C.sizeof_met_gateway_decision}
	c := (*C.met_gateway_request)(m.take(C.sizeof_met_gateway_request))
	*c = C.met_gateway_request{struct_size: C.sizeof_met_gateway_request}
	c.service, c.service_size = m.text(request.Service)
	c.route, c.route_size = m.text(request.Route)
	c.method, c.method_size = m.text(request.Method)
	c.path, c.path_size = m.text(request.Path)
	c.query, c.query_size = m.text(request.Query)
	c.form, c.form_size = m.text(request.Form)
	c.host, c.host_size = m.text(request.Host)
	c.user_agent, c.user_agent_size = m.text(request.UserAgent)
	c.client_ip, c.client_ip_size = m.text(request.ClientIP)
	c.subject, c.subject_size = m.text(request.Subject)
	c.key, c.key_size = m.text(request.Key)
	c.groups, c.groups_size = m.text(request.Groups)
	c.feature, c.feature_size = m.text(request.Feature)
	c.json, c.json_size = m.text(request.JSON)
	c.headers, c.header_count = m.pairs(request.Headers)
	c.attributes, c.attribute_count = m.pairs(request.Attributes)
	c.cost = C.uint64_t(request.Cost)
	c.utc_ns = utcNs(request.UTC)
	c.monotonic_ns = C.int64_t(request.MonotonicNs)
	return c
}

// take copies a decision, whose texts live until the handle's next call.
func (a *Admission) take(c *C.met_gateway_decision) {
	a.IsAdmitted = c.is_admitted != 0
	a.Status = int(c.status)
	a.Reason = GatewayReason(c.reason)
	a.Failure = GatewayFailure(c.failure)
	a.ReasonName = ""
	if !a.IsAdmitted {
		a.ReasonName = C.GoString(c.reason_name)
	}
	a.Wait = time.Duration(c.wait_ns)
	a.ticket = c.ticket

	texts := [...]struct {
		c    *C.char
		size C.size_t
		to   *string
	}{
		{c.body, c.body_size, &a.Body},
		{c.response_headers, c.response_headers_size, &a.ResponseHeaders},
		{c.drop_headers, c.drop_headers_size, &a.DropHeaders},
		{c.upstream_headers, c.upstream_headers_size, &a.UpstreamHeaders},
		{c.upstream_query, c.upstream_query_size, &a.UpstreamQuery},
		{c.consumer, c.consumer_size, &a.Consumer},
		{c.service, c.service_size, &a.Service},
		{c.route, c.route_size, &a.Route},
	}
	size := 0
	for i := range texts {
		size += int(texts[i].size)
	}
	var copied strings.Builder // one allocation for all of them
	copied.Grow(size)
	for i := range texts {
		copied.Write(unsafe.Slice((*byte)(unsafe.Pointer(texts[i].c)),
			int(texts[i].size)))
	}
	rest := copied.String()
	for i := range texts {
		*texts[i].to, rest = rest[:texts[i].size], rest[texts[i].size:]
	}
}

// An Outcome is how an admitted request ended. Zero means not known.
type Outcome struct {
	Status            int // of the answer to the client
	UpstreamStatus    int
	RequestSizeBytes  uint64
	ResponseSizeBytes uint64
	// Quantity is the true value of what meters sum up; 0 = the cost given to
	// admit.
	Quantity uint64
	// NotServed counts nothing and gives back what was reserved.
	NotServed bool
}

// c is the outcome as the library takes it.
func (o *Outcome) c() (c C.met_gateway_outcome) {
	c.struct_size = C.sizeof_met_gateway_outcome
	c.status = C.uint32_t(o.Status)
	c.upstream_status = C.uint32_t(o.UpstreamStatus)
	c.request_size_bytes = C.uint64_t(o.RequestSizeBytes)
	c.response_size_bytes = C.uint64_t(o.ResponseSizeBytes)
	c.quantity = C.uint64_t(o.Quantity)
	if o.NotServed {
		c.flags = C.MET_GATEWAY_NOT_SERVED
	}
	return c
}

// Complete counts an admitted request and settles what it had reserved. Call it
// before the last byte of the answer is sent: then nothing is answered that is
// not counted, whatever is killed.
func (a *Admission) Complete(outcome Outcome) error {
	if a.gateway == nil {
		return &Error{Code: ErrInvalid, Field: "admission",
			Reason: "was not admitted"}
	}
	return a.gateway.complete(&a.ticket, &outcome)
}

func (g *Gateway) complete(ticket *C.met_gateway_ticket,
	outcome *Outcome) error {
	handle := g.lock()
	defer handle.mutex.Unlock()
	if handle.c == nil {
		return ErrClosed
	}
	c := outcome.c()
	return plainError(C.met_gateway_complete(handle.c, ticket, &c))
}

// Tick does the housekeeping of every handle: minutes of usage are closed, and
// a changed catalog is compiled and taken into use. Call it about once a second.
func (g *Gateway) Tick() error {
	var first error
	for _, handle := range g.all() {
		handle.mutex.Lock()
		err := ErrClosed
		if handle.c != nil {
			err = plainError(C.met_gateway_tick(handle.c))
		}
		handle.mutex.Unlock()
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Run ticks and settles every second until ctx is done. Errors go to report,
// which may be nil: the gateway works on with what it has. It ends with
// [ErrClosed] when the gateway is closed.
func (g *Gateway) Run(ctx context.Context, report func(error)) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := g.Tick()
		if errors.Is(err, ErrClosed) {
			return err
		}
		if err != nil && report != nil {
			report(err)
		}
		if err := g.settle(); err != nil && report != nil {
			report(err)
		}
	}
}

// settle settles, also when the caller has closed the store already.
func (g *Gateway) settle() error {
	info := newInfo()
	err := info.failed(C.met_store_settle(g.store.c, nil, nil, &info.c))
	runtime.KeepAlive(g)
	return err
}

// Stats are counters of the gateway's handles as JSON, one document each.
func (g *Gateway) Stats() ([]Document, error) {
	var documents []Document
	for _, handle := range g.handles {
		var buffer C.met_buffer
		handle.mutex.Lock()
		err := error(ErrClosed)
		if handle.c != nil {
			info := newInfo()
			err = info.failed(C.met_gateway_stats(handle.c, &buffer, &info.c))
		}
		handle.mutex.Unlock()
		if err != nil {
			return nil, err
		}
		documents = append(documents, taken(&buffer))
	}
	return documents, nil
}
