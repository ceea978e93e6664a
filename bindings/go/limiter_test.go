package metering_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libmetering/metering"
)

func newLimiter(t testing.TB, options metering.LimiterOptions) *metering.Limiter {
	t.Helper()
	limiter, err := metering.OpenLimiter(
		filepath.Join(t.TempDir(), "limits.map"), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { limiter.Close() })
	return limiter
}

const second = int64(time.Second)

func TestLimiterSlides(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("free", metering.PolicyOptions{},
		metering.Window{Limit: 2, Length: time.Minute},
		metering.Window{Limit: 3, Length: time.Hour}))
	ask := func(at int64) *metering.Result {
		return must(limiter.Check(metering.Request{Policy: policy,
			Key: "ariel", MonotonicNs: at * second}))
	}
	if !ask(100).Allowed || !ask(110).Allowed {
		t.Fatal("refused below the limit")
	}
	refused := ask(120)
	if refused.Allowed || refused.Reason != metering.ReasonLimit {
		t.Fatalf("%+v", refused)
	}
	if refused.Wait < 40*time.Second || refused.Wait > 41*time.Second {
		t.Fatal(refused.Wait)
	}
	if reported := refused.Reported(); reported.Limit != 2 ||
		reported.Remaining != 0 || !reported.Refusing {
		t.Fatalf("%+v", reported)
	}
	if windows := refused.Windows(); len(windows) != 2 ||
		windows[1].Remaining != 1 || windows[1].Length != time.Hour {
		t.Fatalf("%+v", windows)
	}
	header := http.Header{}
	if err := refused.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if header.Get("X-RateLimit-Limit-Minute") != "2" ||
		header.Get("Retry-After") == "" {
		t.Fatal(header)
	}
	if !ask(161).Allowed {
		t.Fatal("refused when there was room")
	}
	if ask(300).Allowed {
		t.Fatal("the hour has room for three")
	}
}

func TestLimiterGivesBack(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("one", metering.PolicyOptions{},
		metering.Window{Limit: 1, Length: time.Minute}))
	request := metering.Request{Policy: policy, Key: "k", MonotonicNs: second}
	first := must(limiter.Check(request))
	if must(limiter.Peek(request)).Allowed {
		t.Fatal("peek sees room")
	}
	if withheld := must(limiter.Refund(first, 0)); withheld != 0 {
		t.Fatal(withheld)
	}
	if !must(limiter.Check(request)).Allowed {
		t.Fatal("what was given back is not there")
	}
	if err := limiter.Reset(policy, 0, "k"); err != nil {
		t.Fatal(err)
	}
	if must(limiter.Charge(request)).Reported().Remaining != 0 {
		t.Fatal("charge does not count")
	}
	own := must(limiter.SetPolicy("own", metering.PolicyOptions{},
		metering.Window{Limit: 10, Length: time.Minute}))
	for i := 0; i < 2; i++ {
		result := must(limiter.Check(metering.Request{Policy: own, Key: "k",
			Own: []metering.Window{{Limit: 1, Length: time.Minute}}}))
		if result.Allowed != (i == 0) {
			t.Fatal("a request's own limit does not hold")
		}
	}
	busy := must(limiter.SetPolicy("busy", metering.PolicyOptions{},
		metering.Window{Limit: 1, Length: time.Minute,
			Algorithm: metering.InFlight}))
	held := must(limiter.Check(metering.Request{Policy: busy, Key: "k"}))
	if must(limiter.Allow(busy, "k")) {
		t.Fatal("two in flight")
	}
	must(limiter.Release(held))
	if !must(limiter.Allow(busy, "k")) {
		t.Fatal("none in flight")
	}
}

func TestLimiterBatch(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("free", metering.PolicyOptions{},
		metering.Window{Limit: 2, Length: time.Hour}))
	var batch metering.Batch
	if err := limiter.AllowBatch(policy, 0, &batch, true); err != nil ||
		len(batch.Allowed) != 0 {
		t.Fatal(err)
	}
	for i := 0; i < 6; i++ {
		batch.Add("key"+strconv.Itoa(i%2), 1)
	}
	for _, isBrief := range []bool{true, false} {
		if err := limiter.AllowBatch(policy, 0, &batch, isBrief); err != nil {
			t.Fatal(err)
		}
	}
	for i, allowed := range batch.Allowed { // of the second time
		if allowed != 0 || batch.Remaining[i] != 0 || batch.WaitNs[i] <= 0 {
			t.Fatal(i, allowed, batch.Remaining[i], batch.WaitNs[i])
		}
	}
	batch.Reset()
	batch.Add("new", 0)
	if err := limiter.AllowBatch(policy, 0, &batch, true); err != nil ||
		batch.Allowed[0] != 1 || batch.Len() != 1 {
		t.Fatal(err)
	}
	batch.Add("never", 1<<40)
	wantCode(t, limiter.AllowBatch(policy, 0, &batch, true),
		metering.ErrInvalid, "batch.costs[1]")
	if batch.Allowed[0] != 0 || len(batch.Allowed) != 2 {
		t.Error("an answer of the call before:", batch.Allowed)
	}
}

// Costs are told from the first one on that is not 1; keys may be anything.
func TestLimiterBatchWeighs(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("free", metering.PolicyOptions{},
		metering.Window{Limit: 10, Length: time.Hour}))
	var batch metering.Batch
	for round := 0; round < 2; round++ {
		batch.Reset()
		for _, key := range []string{"", "\x00", "\x00\x00", "g\u00fc", "\xff"} {
			batch.Add(key, 1)
			batch.Add(key, uint64(round*4))
			batch.Add(key, 1)
		}
		if err := limiter.AllowBatch(policy, 7, &batch, false); err != nil {
			t.Fatal(err)
		}
		for i, want := range [][]uint64{{9, 8, 7}, {6, 2, 1}}[round] {
			for k := i; k < batch.Len(); k += 3 {
				if batch.Remaining[k] != want || batch.Allowed[k] != 1 ||
					batch.Reasons[k] != metering.ReasonNone {
					t.Error(round, k, batch.Remaining[k], want)
				}
			}
		}
	}
}

// What a batch took is given back one by one, at the time the batch says.
func TestLimiterBatchTickets(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("both", metering.PolicyOptions{},
		metering.Window{Limit: 2, Length: time.Minute,
			Algorithm: metering.InFlight},
		metering.Window{Limit: 4, Length: time.Hour}))
	batch := metering.Batch{KeepTickets: true, MonotonicNs: 100 * second}
	for i := 0; i < 3; i++ {
		batch.Add("ariel", 1)
	}
	decide := func(want ...uint32) {
		t.Helper()
		if err := limiter.AllowBatch(policy, 0, &batch, false); err != nil {
			t.Fatal(err)
		}
		for i, is := range want {
			if batch.Allowed[i] != is {
				t.Fatal(batch.Allowed, want)
			}
		}
	}
	give := func(i int, do func(int) (uint32, error)) {
		t.Helper()
		if withheld, err := do(i); err != nil || withheld != 0 {
			t.Fatal(i, withheld, err)
		}
	}
	decide(1, 1, 0)
	if batch.Reasons[2] != metering.ReasonLimit {
		t.Error(batch.Reasons)
	}
	for i := 0; i < 3; i++ {
		give(i, batch.Release)
		give(i, batch.Release) // twice gives back nothing
	}
	batch.MonotonicNs += second
	decide(1, 1, 0) // now the hour is full
	give(1, func(i int) (uint32, error) { return batch.Refund(i, 0) })
	give(0, batch.Release)
	decide(1, 0, 0)
	if _, err := batch.Refund(0, 2); err == nil {
		t.Error("more was given back than taken")
	}
	limiter.Close()
	if _, err := batch.Release(0); !errors.Is(err, metering.ErrClosed) {
		t.Error(err)
	}
	if err := limiter.AllowBatch(policy, 0, &batch, true); !errors.Is(err,
		metering.ErrClosed) || batch.Allowed[0] != 0 {
		t.Error(err, batch.Allowed)
	}
}

func TestLimiterErrors(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	_, err := limiter.SetPolicy("none", metering.PolicyOptions{})
	wantCode(t, err, metering.ErrInvalid, "")
	_, err = limiter.SetPolicy("bad", metering.PolicyOptions{},
		metering.Window{Limit: 0, Length: time.Minute})
	wantCode(t, err, metering.ErrInvalid, "policy.windows[0].limit")
	_, err = limiter.Allow(77, "k")
	wantCode(t, err, metering.ErrNotFound, "")
	_, err = metering.OpenLimiter("a\x00b", metering.LimiterOptions{})
	wantCode(t, err, metering.ErrInvalid, "path")
	_, err = metering.OpenLimiter(filepath.Join(t.TempDir(), "no", "such"),
		metering.LimiterOptions{})
	wantCode(t, err, metering.ErrNotFound, "")
	policy := must(limiter.SetPolicy("k", metering.PolicyOptions{},
		metering.Window{Limit: 1, Length: time.Minute}))
	for _, key := range []string{"", "\x00", strings.Repeat("x", 1<<16), "é☃"} {
		if !must(limiter.Allow(policy, key)) || must(limiter.Allow(policy, key)) {
			t.Errorf("%.8q", key)
		}
	}
	if err := limiter.RemovePolicy(policy); err != nil {
		t.Fatal(err)
	}
	_, err = limiter.Allow(policy, "k")
	wantCode(t, err, metering.ErrNotFound, "")
	limiter.Close()
	if _, err := limiter.Allow(policy, "k"); !errors.Is(err,
		metering.ErrClosed) {
		t.Fatal(err)
	}
	if err := limiter.Close(); !errors.Is(err, metering.ErrClosed) {
		t.Fatal(err)
	}
}

func TestLimiterManyGoroutines(t *testing.T) {
	const limit, goroutines, each = 1000, 8, 1000
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("many", metering.PolicyOptions{},
		metering.Window{Limit: limit, Length: time.Hour}))
	var allowed atomic.Int64
	var group sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < each; i++ {
				if is, err := limiter.Allow(policy, "shared"); err != nil {
					t.Error(err)
				} else if is {
					allowed.Add(1)
				}
			}
		}()
	}
	group.Wait()
	if allowed.Load() > limit || allowed.Load() < limit*99/100 {
		t.Fatal(allowed.Load())
	}
}

// Calls that run when somebody closes end before the table is let go of, and
// those that come later say ErrClosed: nothing is used that was freed.
func TestCloseWaitsForCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits.map")
	for round := 0; round < 20; round++ {
		limiter := must(metering.OpenLimiter(path, metering.LimiterOptions{}))
		policy := must(limiter.SetPolicy("p", metering.PolicyOptions{},
			metering.Window{Limit: 1000, Length: time.Hour}))
		price := must(metering.NewPrice([]byte(`{"type": "free"}`)))
		const goroutines = 4
		var running, ended sync.WaitGroup
		running.Add(goroutines)
		ended.Add(goroutines)
		for g := 0; g < goroutines; g++ {
			go func() {
				defer ended.Done()
				for i := 0; ; i++ {
					_, err := limiter.Allow(policy, "shared")
					if err == nil {
						_, err = price.Totals(make([]metering.Decimal, 9))
					}
					if i == 0 {
						running.Done() // all are at it when it is closed
					}
					if err != nil {
						if !errors.Is(err, metering.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			}()
		}
		running.Wait()
		if err := limiter.Close(); err != nil {
			t.Fatal(err)
		}
		if err := price.Close(); err != nil {
			t.Fatal(err)
		}
		ended.Wait()
	}
}

func TestLimiterHeaderFields(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("free", metering.PolicyOptions{},
		metering.Window{Limit: 1, Length: time.Minute}))
	request := metering.Request{Policy: policy, Key: "k", MonotonicNs: second}
	must(limiter.Check(request))
	refused := must(limiter.Check(request))
	header := http.Header{}
	if err := refused.WriteHeaderFields(header, metering.HeaderOptions{
		Fields: metering.HeaderIETF, PartitionKey: "me"}); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("RateLimit-Policy"); !strings.Contains(got, "q=1") ||
		!strings.Contains(got, "pk=") {
		t.Error(header)
	}
	if header.Get("RateLimit") == "" || header.Get("RateLimit-Limit") != "" {
		t.Error(header)
	}
	exact := must(strconv.Atoi(header.Get("Retry-After")))
	var later bool
	for seed := uint64(0); seed < 50; seed++ {
		err := refused.WriteHeaderFields(header, metering.HeaderOptions{
			Fields:           metering.HeaderWindows + metering.HeaderReported,
			JitterMaxSeconds: 10, JitterSeed: seed})
		wait := must(strconv.Atoi(header.Get("Retry-After")))
		if err != nil || wait < exact || wait > exact+10 {
			t.Fatal(wait, exact, err)
		}
		later = later || wait > exact
	}
	if !later || header.Get("X-RateLimit-Limit-Minute") != "1" {
		t.Error(header)
	}
	err := refused.WriteHeaderFields(header, metering.HeaderOptions{
		PartitionKey: strings.Repeat("x", 1000)})
	wantCode(t, err, metering.ErrInvalid, "options.partition_key")
	err = refused.WriteHeaderFields(header, metering.HeaderOptions{Fields: 1 << 9})
	wantCode(t, err, metering.ErrUnsupported, "options.styles")
}

func TestLimiterKeys(t *testing.T) {
	keys := map[string]bool{}
	for _, identity := range []metering.Identity{{}, {Value: "a"},
		{Scope: "a"}, {Value: "a", Kind: 1}, {Scope: "route", Value: "a"},
		{Value: "127.0.0.1"}, {Value: "127.0.0.1", IsAddress: true},
		{Value: "2001:db8::1", IsAddress: true},
		{Value: "2001:db8::1", IsAddress: true, PrefixV6: 128},
		{Value: strings.Repeat("x", 1000)}} {
		keys[must(identity.Key())] = true
	}
	if len(keys) != 10 {
		t.Error(len(keys), "keys")
	}
	same := must(metering.Identity{Value: "2001:db8:0::ffff",
		IsAddress: true}.Key())
	if !keys[same] {
		t.Error("one network, two keys")
	}
	_, err := metering.Identity{Value: "127.0.0.01", IsAddress: true}.Key()
	wantCode(t, err, metering.ErrInvalid, "identity.value")
	_, err = metering.Identity{Value: "127.0.0.1", IsAddress: true,
		PrefixV4: 33}.Key()
	wantCode(t, err, metering.ErrInvalid, "identity.prefix_v4")
}

func TestLimiterStats(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{Capacity: 1000})
	policy := must(limiter.SetPolicy("one", metering.PolicyOptions{},
		metering.Window{Limit: 1, Length: time.Hour}))
	for _, key := range []string{"a", "b", "a"} {
		must(limiter.Allow(policy, key))
	}
	stats := must(limiter.Stats())
	if stats.Capacity < 1000 || stats.Policies != 1 || stats.Shapes != 1 || stats.Inserted != 2 ||
		stats.RecordsLive != 2 || stats.Decisions != 3 || stats.Refusals != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestLimiterHandler(t *testing.T) {
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("free", metering.PolicyOptions{},
		metering.Window{Limit: 1, Length: time.Hour}))
	handler := limiter.Handler(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		w.Write([]byte("served"))
	}), policy, func(r *http.Request) string { return r.Header.Get("Key") })
	for i, want := range []int{200, 429} {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header.Set("Key", "ariel")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != want ||
			answer.Header().Get("RateLimit-Remaining") != "0" {
			t.Fatal(i, answer.Code, answer.Header())
		}
	}
}

func TestAllocations(t *testing.T) {
	if strings.HasPrefix(runtime.Version(), "go1.19") {
		t.Skip("needs unsafe.StringData of Go 1.20")
	}
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("free", metering.PolicyOptions{},
		metering.Window{Limit: 1000000, Length: time.Hour}))
	if n := testing.AllocsPerRun(100, func() {
		must(limiter.Allow(policy, "ariel"))
	}); n != 0 {
		t.Errorf("Allow allocates %v times", n)
	}
	recorder := must(newStory(t).Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	event := metering.Event{Type: "kong.api_request", Subject: "s",
		Attributes: []metering.Pair{{Name: "service_name", Value: "x"}}}
	if n := testing.AllocsPerRun(100, func() {
		if err := recorder.Record(event); err != nil {
			panic(err)
		}
	}); n != 0 {
		t.Errorf("Record allocates %v times", n)
	}
}
