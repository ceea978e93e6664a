package metering_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"libmetering/metering"
)

// wrongTexts are what nobody should pass as a key, a document or a path.
var wrongTexts = []string{"", "\x00", "\xff\xfe", "a\x00b", "☃", "\u202eabc",
	strings.Repeat("x", 1<<17), "{}", "[]", "null", "0", `"text"`, "{",
	`{"key": null}`, `{"key": 1.5, "name": []}`, `{"key": "k", "key": "k"}`,
	strings.Repeat("[", 5000), `{"at": "9999-99-99T00:00:00Z"}`,
	`{"customer": {"key": "ariel"}, "feature": {"key": "example_service"},
	  "amount": "99999999999999999999999999999999999"}`}

// wrongValue is a value of a parameter's type.
func wrongValue(random *rand.Rand, kind reflect.Type) reflect.Value {
	switch kind {
	case reflect.TypeOf([]byte(nil)), reflect.TypeOf(metering.Document(nil)):
		text := wrongTexts[random.Intn(len(wrongTexts))]
		return reflect.ValueOf([]byte(text)).Convert(kind)
	case reflect.TypeOf(time.Time{}):
		times := []time.Time{{}, time.Unix(0, 1), time.Unix(1<<33, 0),
			time.Now(), time.Unix(-1, 0)}
		return reflect.ValueOf(times[random.Intn(len(times))])
	}
	switch kind.Kind() {
	case reflect.String:
		return reflect.ValueOf(wrongTexts[random.Intn(len(wrongTexts))]).
			Convert(kind)
	case reflect.Uint32, reflect.Uint64:
		return reflect.ValueOf([]uint32{0, 1, math.MaxUint32}[random.Intn(3)]).
			Convert(kind)
	case reflect.Int64:
		return reflect.ValueOf([]int64{0, -1, 1, math.MaxInt64,
			math.MinInt64}[random.Intn(5)]).Convert(kind)
	}
	return reflect.Zero(kind)
}

// notSwept are what leaves this process or ends what the others need.
var notSwept = map[string]bool{"Close": true, "Backup": true,
	"BackupWithoutSecrets": true,
	"Gateway":              true,
	"Batcher":              true, "Recorder": true, "Ingest": true, "MetricsHandler": true}

// sweep calls every method of a handle with wrong values. An answer is as good
// as an error; what must not be is a crash or a bug.
func sweep(t *testing.T, handle any, rounds int) {
	t.Helper()
	random := rand.New(rand.NewSource(1))
	value := reflect.ValueOf(handle)
	for i := 0; i < value.NumMethod(); i++ {
		name := value.Type().Method(i).Name
		if notSwept[name] {
			continue
		}
		method := value.Method(i)
		for round := 0; round < rounds; round++ {
			var arguments []reflect.Value
			for p := 0; p < method.Type().NumIn(); p++ {
				kind := method.Type().In(p)
				if method.Type().IsVariadic() && p == method.Type().NumIn()-1 {
					break
				}
				arguments = append(arguments, wrongValue(random, kind))
			}
			for _, answer := range method.Call(arguments) {
				err, _ := answer.Interface().(error)
				if errors.Is(err, metering.ErrBug) ||
					errors.Is(err, metering.ErrCorrupt) {
					t.Errorf("%s(%.200v): %v", name, arguments, err)
				}
			}
		}
	}
}

// wantClosed calls every method that answers with an error.
func wantClosed(t *testing.T, handle any) {
	t.Helper()
	random := rand.New(rand.NewSource(2))
	value := reflect.ValueOf(handle)
	for i := 0; i < value.NumMethod(); i++ {
		method := value.Method(i)
		results := method.Type().NumOut()
		if results == 0 || method.Type().Out(results-1) !=
			reflect.TypeOf((*error)(nil)).Elem() {
			continue
		}
		var arguments []reflect.Value
		for p := 0; p < method.Type().NumIn(); p++ {
			if method.Type().IsVariadic() && p == method.Type().NumIn()-1 {
				break
			}
			argument := wrongValue(random, method.Type().In(p))
			if argument.Kind() == reflect.Pointer && argument.IsNil() {
				argument = reflect.New(argument.Type().Elem())
			}
			arguments = append(arguments, argument)
		}
		name := value.Type().Method(i).Name
		if name == "RecordAll" || name == "Run" {
			continue
		}
		err, _ := method.Call(arguments)[results-1].Interface().(error)
		if !errors.Is(err, metering.ErrClosed) {
			t.Errorf("%s of what is closed: %v", name, err)
		}
	}
}

func TestWrongValues(t *testing.T) {
	store := newStory(t)
	sweep(t, store, 60)
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	ingest := must(store.Ingest())
	defer ingest.Close()
	for _, text := range wrongTexts {
		event := metering.Event{Type: text, Subject: text,
			Attributes: []metering.Pair{{Name: text, Value: text}},
			Quantities: []metering.Quantity{{Name: text}}}
		recorder.Record(event)
		ingest.Add([]metering.SourceEvent{{ID: text, Source: text,
			Event: event}}, &metering.Cursor{Name: text})
		ingest.AddJSON([]byte(text), nil)
		ingest.AddLines([]byte(text), nil)
		metering.NewPrice([]byte(text))
		metering.SimulateEntitlement([]byte(text))
		metering.RenderInvoice([]byte(text), metering.InvoiceAsHTML)
		metering.ParseDecimal(text)
		metering.Open(text)
	}
	if _, err := store.Check(); err != nil {
		t.Error(err)
	}
	if got := total(t, store, "api_requests"); got != "0" {
		t.Error("something was counted:", got)
	}
	limiter := newLimiter(t, metering.LimiterOptions{})
	policy := must(limiter.SetPolicy("p", metering.PolicyOptions{},
		metering.Window{Limit: 1, Length: time.Second}))
	for _, request := range []metering.Request{{}, {Policy: 1 << 31},
		{Policy: policy, Cost: math.MaxUint64},
		{Policy: policy, MonotonicNs: math.MinInt64},
		{Policy: policy, MonotonicNs: math.MaxInt64},
		{Policy: policy, Own: make([]metering.Window, 100)}} {
		limiter.Check(request)
		limiter.Peek(request)
		limiter.Charge(request)
	}
	limiter.Refund(&metering.Result{}, math.MaxUint64)
	limiter.Release(&metering.Result{})
}

func TestClosedHandles(t *testing.T) {
	store := newStory(t)
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	ingest := must(store.Ingest())
	limiter := newLimiter(t, metering.LimiterOptions{})
	for _, close := range []func() error{recorder.Close, gateway.Close,
		ingest.Close, limiter.Close, store.Close} {
		if err := close(); err != nil {
			t.Error(err)
		}
	}
	for _, handle := range []any{recorder, gateway, ingest, limiter, store} {
		wantClosed(t, handle)
	}
}

// resident is the memory of this process in bytes, C's included, without files.
func resident(t *testing.T) int {
	t.Helper()
	for _, line := range strings.Split(string(must(
		os.ReadFile("/proc/self/status"))), "\n") {
		var kilobytes int
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	t.Fatal("no RssAnon in /proc/self/status")
	return 0
}

// TestLeaks opens and closes everything again and again: neither memory nor
// files nor goroutines stay.
func TestLeaks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	story := catalog(t)
	must(must(metering.Create(path)).Apply(story))
	work := func() {
		store := must(metering.Open(path))
		gateway := must(store.Gateway(metering.GatewayOptions{Handles: 1}))
		handler := gateway.Handler(http.NotFoundHandler(),
			metering.HandlerOptions{})
		serve(handler, "ariel-key")
		recorder := must(store.Recorder(metering.RecorderOptions{ShapesMax: 16}))
		must(recorder.Prepare(metering.Event{Type: "kong.api_request",
			Subject: "s"}))
		ingest := must(store.Ingest())
		must(store.Settle())
		rows := must(store.Usage(metering.UsageQuery{Meter: "api_requests"}))
		rows.Next()
		must(store.Customers())
		store.Meter("none")
		rows.Close()
		ingest.Close()
		recorder.Close()
		gateway.Close()
		store.Close()
		limiter := must(metering.OpenLimiter(path+".map",
			metering.LimiterOptions{}))
		limiter.Close()
		must(metering.Rate([]byte(`{"type": "unit", "amount": "1"}`),
			metering.DecimalOf(2)))
	}
	files := func() int { return len(must(os.ReadDir("/proc/self/fd"))) }
	warm := 20
	if os.Getenv("MALLOC_ARENA_MAX") == "" {
		warm = 150 // until each of malloc's arenas has been in use
	}
	for i := 0; i < warm; i++ {
		work()
	}
	debug.FreeOSMemory()
	open, goroutines := files(), runtime.NumGoroutine()
	// A new thread or a larger heap is a step once; a leak is in every part.
	const parts, rounds = 3, 25
	least := math.MaxInt
	for part := 0; part < parts; part++ {
		memory := resident(t)
		for i := 0; i < rounds; i++ {
			work()
		}
		debug.FreeOSMemory()
		if grown := resident(t) - memory; grown < least {
			least = grown
		}
	}
	if least > rounds*20<<10 {
		t.Errorf("%d bytes stay of every round", least/rounds)
	}
	if now := files(); now > open {
		t.Errorf("%d files stay open", now-open)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("%d goroutines stay", now-goroutines)
	}
}
