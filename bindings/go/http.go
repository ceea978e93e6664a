package metering

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// HandlerOptions are how [Gateway.Handler] asks.
type HandlerOptions struct {
	// Service and Route name stored entities; both empty: found by path and
	// method.
	Service, Route string
	// ClientIP says who asks; nil: the address of the connection. Behind
	// proxies that are trusted, read their header.
	ClientIP func(*http.Request) string
	// Attributes are added to the usage event; nil: none.
	Attributes func(*http.Request) []Pair
	// Cost of a request; nil: 1.
	Cost func(*http.Request) uint64
	// Quantity is the true value of what meters sum up, for example tokens,
	// known when the request was served; nil: the cost.
	Quantity func(*http.Request, http.Header) uint64
	// More adds what the host knows of a request: its Subject, Key, Groups, a
	// Feature that it uses; nil: nothing.
	More func(*http.Request, *GatewayRequest)
	// Failed is told of errors; nil: nobody. With an error a request is
	// answered 500 and not served.
	Failed func(*http.Request, error)
}

// Handler is middleware: it answers what is refused, passes on what is admitted,
// with the fields that tell the upstream who asks, and counts it.
//
// A request is counted when next returns, before the end of the answer is sent
// when that is small enough to lie in the server's buffer. A panic of next
// counts, as an answer of 500.
func (g *Gateway) Handler(next http.Handler,
	options HandlerOptions) http.Handler {
	return &gatewayHandler{gateway: g, next: next, options: options}
}

type gatewayHandler struct {
	gateway *Gateway
	next    http.Handler
	options HandlerOptions
	spare   sync.Pool // of *exchange
}

// exchange is what one request needs; it is used again.
type exchange struct {
	request   GatewayRequest
	admission Admission
	answer    statusWriter
}

func (h *gatewayHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, _ := h.spare.Get().(*exchange)
	if x == nil {
		x = &exchange{}
	}
	defer h.spare.Put(x)
	h.ask(&x.request, r)
	if err := h.gateway.AdmitInto(&x.request, &x.admission); err != nil {
		h.fail(w, r, err)
		return
	}
	setHeaders(w.Header(), x.admission.ResponseHeaders)
	if !x.admission.IsAdmitted {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(x.admission.Status)
		if r.Method != http.MethodHead {
			w.Write([]byte(x.admission.Body))
		}
		return
	}
	h.serve(w, r, x)
}

// serve passes an admitted request on and completes it, whatever happens.
func (h *gatewayHandler) serve(w http.ResponseWriter, r *http.Request,
	x *exchange) {
	served := r.Clone(r.Context())
	for _, name := range strings.Split(x.admission.DropHeaders, "\r\n") {
		served.Header.Del(name)
	}
	setHeaders(served.Header, x.admission.UpstreamHeaders)
	served.URL.RawQuery = x.admission.UpstreamQuery
	body := &countingBody{}
	if r.Body != nil {
		body.ReadCloser = r.Body
		served.Body = body
	}
	x.answer = statusWriter{ResponseWriter: w}
	isDone := false
	defer func() {
		outcome := Outcome{Status: x.answer.status,
			RequestSizeBytes: body.size, ResponseSizeBytes: x.answer.size}
		if outcome.Status == 0 {
			outcome.Status = http.StatusOK
		}
		if !isDone {
			outcome.Status = http.StatusInternalServerError
		} else if h.options.Quantity != nil {
			outcome.Quantity = h.options.Quantity(r, w.Header())
		}
		err := x.admission.Complete(outcome)
		if err != nil && h.options.Failed != nil {
			h.options.Failed(r, err)
		}
	}()
	h.next.ServeHTTP(&x.answer, served)
	isDone = true
}

// ask says what the gateway is to decide.
func (h *gatewayHandler) ask(c *GatewayRequest, r *http.Request) {
	headers, attributes := c.Headers[:0], []Pair(nil)
	for name, values := range r.Header {
		for _, value := range values {
			headers = append(headers, Pair{name, value})
		}
	}
	if h.options.Attributes != nil {
		attributes = h.options.Attributes(r)
	}
	*c = GatewayRequest{Service: h.options.Service, Route: h.options.Route,
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Host: r.Host, UserAgent: r.UserAgent(), Headers: headers,
		Attributes: attributes}
	if h.options.ClientIP != nil {
		c.ClientIP = h.options.ClientIP(r)
	} else if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.ClientIP = host
	}
	if h.options.Cost != nil {
		c.Cost = h.options.Cost(r)
	}
	if h.options.More != nil {
		h.options.More(r, c)
	}
}

func (h *gatewayHandler) fail(w http.ResponseWriter, r *http.Request,
	err error) {
	if h.options.Failed != nil {
		h.options.Failed(r, err)
	}
	http.Error(w, http.StatusText(http.StatusInternalServerError),
		http.StatusInternalServerError)
}

// countingBody counts what is read of a request.
type countingBody struct {
	io.ReadCloser
	size uint64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.size += uint64(n)
	return n, err
}

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
	size   uint64
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(data)
	w.size += uint64(n)
	return n, err
}

func (w *statusWriter) Flush() {
	if flusher, ok := w.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}

func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if hijacker, ok := w.ResponseWriter.(http.Hijacker); ok {
		if w.status == 0 {
			w.status = http.StatusSwitchingProtocols
		}
		return hijacker.Hijack()
	}
	return nil, nil, http.ErrNotSupported
}

// Handler is middleware that only limits: key says whose windows a request
// counts in. With an error of the limiter the request is served.
func (l *Limiter) Handler(next http.Handler, policy Policy,
	key func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result, err := l.Check(Request{Policy: policy, Key: key(r)})
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		result.WriteHeader(w.Header())
		if !result.Allowed {
			w.Header().Set("Content-Type",
				"application/json; charset=utf-8")
			w.WriteHeader(http.StatusTooManyRequests)
			w.Write([]byte(`{"message":"API rate limit exceeded"}`))
			return
		}
		next.ServeHTTP(w, r)
	})
}
