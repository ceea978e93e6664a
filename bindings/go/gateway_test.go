package metering_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libmetering/metering"
)

// serve asks a handler once.
func serve(handler http.Handler, key string) *httptest.ResponseRecorder {
	request := httptest.NewRequest("GET", "/anything?a=1", strings.NewReader("hello"))
	if key != "" {
		request.Header.Set("apikey", key)
	}
	request.Header.Set("X-Consumer-Username", "somebody-else")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func TestGatewayHandler(t *testing.T) {
	store := newStory(t)
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	var asked *http.Request
	handler := gateway.Handler(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		asked = r
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Tokens", "7")
		w.WriteHeader(http.StatusCreated)
		w.(http.Flusher).Flush()
	}), metering.HandlerOptions{Failed: func(_ *http.Request, err error) {
		t.Error(err)
	}})
	for key, want := range map[string]int{"": 401, "wrong": 401,
		"guest-key": 403} {
		answer := serve(handler, key)
		if answer.Code != want || !strings.Contains(answer.Body.String(),
			`"message"`) || asked != nil {
			t.Errorf("%q: %d %s", key, answer.Code, answer.Body)
		}
	}
	for i := 1; i <= 6; i++ {
		answer := serve(handler, "ariel-key")
		want := 201
		if i == 6 {
			want = 429
			if answer.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		if answer.Code != want ||
			answer.Header().Get("X-RateLimit-Limit-Minute") != "5" {
			t.Errorf("%d: %d %v", i, answer.Code, answer.Header())
		}
	}
	if got := asked.Header["X-Consumer-Username"]; len(got) != 1 ||
		got[0] != "ariel" {
		t.Error("the upstream is told", got)
	}
	if got := total(t, store, "api_requests"); got != "5" {
		t.Error(got)
	}
	left := must(store.Entitlement("ariel", "example_service", time.Time{}))
	if !left.HasAccess || left.Balance.String() != "995" ||
		left.Usage.String() != "5" || left.CurrentUsagePeriod == nil {
		t.Errorf("%+v", left)
	}
}

func TestGatewayPanic(t *testing.T) {
	store := newStory(t)
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	handler := gateway.Handler(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		panic(http.ErrAbortHandler)
	}), metering.HandlerOptions{Failed: func(_ *http.Request, err error) {
		t.Error(err)
	}})
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the panic does not come through")
			}
		}()
		answer := serve(handler, "ariel-key")
		t.Error("answered", answer.Code, answer.Body)
	}()
	if got := total(t, store, "api_requests"); got != "1" {
		t.Error(got)
	}
}

func TestGatewayCalls(t *testing.T) {
	store := newStory(t)
	gateway := must(store.Gateway(metering.GatewayOptions{Handles: 2,
		Headers: metering.HeadersIETF, RequireEntitlement: true}))
	request := metering.GatewayRequest{Method: "GET", Path: "/anything",
		Headers: []metering.Pair{{Name: "apikey", Value: "rosario-key"}}}
	admission := must(gateway.Admit(&request))
	if !admission.IsAdmitted || admission.Consumer != "rosario" ||
		admission.Service != "example_service" {
		t.Fatalf("%+v", admission)
	}
	if !strings.Contains(admission.ResponseHeaders, "RateLimit-Policy: ") {
		t.Error(admission.ResponseHeaders)
	}
	if err := admission.Complete(metering.Outcome{Status: 200}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, admission.Complete(metering.Outcome{}), metering.ErrInvalid, "")
	wantCode(t, (&metering.Admission{}).Complete(metering.Outcome{}),
		metering.ErrInvalid, "admission")
	given := must(gateway.Admit(&request))
	if err := given.Complete(metering.Outcome{NotServed: true}); err != nil {
		t.Fatal(err)
	}
	request.Path = "/nowhere"
	if refused := must(gateway.Admit(&request)); refused.IsAdmitted ||
		refused.Reason != metering.NoRoute || refused.Status != 404 {
		t.Errorf("%+v", refused)
	}
	request.Attributes = make([]metering.Pair, 1000)
	_, err := gateway.Admit(&request)
	wantCode(t, err, metering.ErrLimit, "")
	if got := total(t, store, "api_requests"); got != "1" {
		t.Error(got)
	}
	if got := must(gateway.Stats()); len(got) != 2 {
		t.Error(got)
	}
	store.Close() // the gateway works on
	if err := gateway.Tick(); err != nil {
		t.Fatal(err)
	}
	if err := gateway.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Admit(&request); !errors.Is(err, metering.ErrClosed) {
		t.Fatal(err)
	}
	if err := gateway.Close(); !errors.Is(err, metering.ErrClosed) {
		t.Fatal(err)
	}
}

func TestGatewayBatchIsCompletedAtOnce(t *testing.T) {
	store := newStory(t)
	gateway := must(store.Gateway(metering.GatewayOptions{Handles: 3}))
	common := metering.GatewayRequest{Method: "GET", Path: "/anything"}
	var batch metering.KeyBatch
	for _, key := range []string{"ariel-key", "wrong", "ariel-key",
		"rosario-key"} {
		batch.Add(key)
	}
	if err := gateway.AdmitBatch(&common, &batch); err != nil {
		t.Fatal(err)
	}
	wantCode(t, batch.CompleteAll(make([]metering.Outcome, 3)),
		metering.ErrInvalid, "outcomes")
	if err := batch.Complete(0, metering.Outcome{Status: 200}); err != nil {
		t.Fatal(err)
	}
	outcomes := []metering.Outcome{{Status: 200}, {}, {NotServed: true},
		{Status: 200, Quantity: 1 << 60}}
	wantCode(t, batch.CompleteAll(outcomes), metering.ErrInvalid, "")
	outcomes[3].Quantity = 0 // and what was wrong may be tried again
	for i := 0; i < 2; i++ {
		if err := batch.CompleteAll(outcomes); err != nil {
			t.Fatal(err)
		}
	}
	if got := total(t, store, "api_requests"); got != "2" {
		t.Error(got)
	}
	metrics := must(gateway.Metrics()) // of all handles
	for _, line := range []string{"metering_gateway_requests_total 4\n",
		"metering_gateway_refused_total{reason=\"BAD_KEY\"} 1\n",
		"metering_gateway_completed_total 2\n",
		"metering_gateway_not_served_total 1\n",
		"metering_gateway_consumers 3\n", "\n# EOF\n"} {
		if strings.Count(metrics, line) != 1 {
			t.Errorf("lacks %q:\n%s", line, metrics)
		}
	}
	answer := httptest.NewRecorder()
	gateway.MetricsHandler().ServeHTTP(answer,
		httptest.NewRequest("GET", "/", nil))
	for _, word := range []string{"\nmetering_gateway_requests_total 4\n",
		"\nmetering_store_"} {
		if !strings.Contains(answer.Body.String(), word) {
			t.Error(word, answer.Body)
		}
	}
	gateway.Close()
	if err := batch.CompleteAll(outcomes); !errors.Is(err, metering.ErrClosed) {
		t.Error(err)
	}
	if _, err := gateway.Metrics(); !errors.Is(err, metering.ErrClosed) {
		t.Error(err)
	}
}

// A gateway that never compiles takes in what another one has compiled.
func TestGatewayNeverCompiles(t *testing.T) {
	store := newStory(t)
	compiles := must(store.Gateway(metering.GatewayOptions{Handles: 1}))
	defer compiles.Close()
	never := must(store.Gateway(metering.GatewayOptions{Handles: 1,
		NeverCompile: true}))
	defer never.Close()
	must(store.Apply([]byte(`{"_format_version": "3.0", "consumers": [
		{"username": "vera", "keyauth_credentials": [{"key": "vera-key"}]}]}`)))
	status := func() int {
		return must(never.Admit(&metering.GatewayRequest{Method: "GET",
			Path: "/anything", Key: "vera-key"})).Status
	}
	compiled := func(gateway *metering.Gateway) (times int) {
		var stats struct{ Snapshot struct{ Compiled int } }
		for _, document := range must(gateway.Stats()) {
			if err := json.Unmarshal(document, &stats); err != nil {
				t.Fatal(err)
			}
			times += stats.Snapshot.Compiled
		}
		return times
	}
	for i := 0; i < 3; i++ {
		if err := never.Tick(); err != nil {
			t.Fatal(err)
		}
	}
	if got := status(); got != 401 {
		t.Fatal("it has compiled:", got)
	}
	for i := 0; status() == 401; i++ {
		if i > 1000 {
			t.Fatal("nobody has compiled")
		}
		time.Sleep(10 * time.Millisecond) // one compilation a second
		for _, gateway := range []*metering.Gateway{compiles, never} {
			if err := gateway.Tick(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := status(); got != 403 { // known now, and not on the access list
		t.Error(got)
	}
	if compiled(compiles) != 0 || compiled(never) != 0 {
		t.Error("a handle of requests has compiled")
	}
}

func TestGatewayBatch(t *testing.T) {
	store := newStory(t)
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	common := metering.GatewayRequest{Method: "GET", Path: "/anything",
		Key: "is not looked at"}
	var batch metering.KeyBatch
	if err := gateway.AdmitBatch(&common, &batch); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"ariel-key", "", "wrong", "guest-key",
		"ariel-key", "ariel-key", "ariel-key", "ariel-key", "ariel-key",
		"rosario-key"} {
		batch.Add(key)
	}
	if err := gateway.AdmitBatch(&common, &batch); err != nil {
		t.Fatal(err)
	}
	for i, want := range []metering.GatewayReason{metering.Admitted,
		metering.NoKey, metering.BadKey, metering.NotAllowed, metering.Admitted,
		metering.Admitted, metering.Admitted, metering.Admitted,
		metering.RateLimited, metering.Admitted} {
		result := batch.Result(i)
		if result.Reason != want || result.Err != nil ||
			result.IsAdmitted != (want == metering.Admitted) ||
			(result.Wait > 0) != (want == metering.RateLimited) {
			t.Errorf("%d: %+v", i, result)
		}
		err := batch.Complete(i, metering.Outcome{Status: 200})
		if (err == nil) != result.IsAdmitted {
			t.Error(i, err)
		}
	}
	if got := total(t, store, "api_requests"); got != "6" {
		t.Error(got)
	}
	batch.Reset()
	for i := 0; i < 4097; i++ {
		batch.Add("k")
	}
	wantCode(t, gateway.AdmitBatch(&common, &batch), metering.ErrLimit, "batch")
	batch.Reset()
	batch.Add("ariel-key")
	common.Subject = "\x00"
	if err := gateway.AdmitBatch(&common, &batch); err != nil {
		t.Fatal(err)
	}
	wantCode(t, batch.Result(0).Err, metering.ErrInvalid, "")
	common.Subject, common.Key = "consumer:rosario", ""
	known := must(gateway.Admit(&common))
	if err := known.Complete(metering.Outcome{}); err != nil || !known.IsAdmitted {
		t.Errorf("%+v %v", known, err)
	}
	if got := total(t, store, "api_requests"); got != "7" {
		t.Error(got)
	}
}

// What only the host knows: groups of its own authentication, a key in a body,
// a feature that a request uses.
func TestGatewayHostKnows(t *testing.T) {
	store := newStory(t)
	must(store.Apply([]byte(`{"_format_version": "3.0", "services": [
		{"name": "hosted", "url": "http://localhost", "routes": [
		 {"name": "hosted", "paths": ["/hosted"]},
		 {"name": "body", "paths": ["/body"], "plugins": [
		  {"name": "key-auth", "config": {"key_names": ["apikey"],
		   "key_in_body": true}}]}]}],
		"plugins": [{"name": "acl", "route": "hosted",
		 "config": {"allow": ["staff"]}}]}`)))
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	ask := func(more func(*metering.GatewayRequest)) metering.GatewayReason {
		t.Helper()
		request := metering.GatewayRequest{Method: "GET", Path: "/hosted",
			Subject: "somebody"}
		more(&request)
		admission := must(gateway.Admit(&request))
		if admission.IsAdmitted {
			if err := admission.Complete(metering.Outcome{}); err != nil {
				t.Error(err)
			}
		}
		return admission.Reason
	}
	for groups, want := range map[string]metering.GatewayReason{
		"staff": metering.Admitted, "others,staff": metering.Admitted,
		"others": metering.NotAllowed, ",": metering.NotAllowed} {
		if got := ask(func(r *metering.GatewayRequest) {
			r.Groups = groups
		}); got != want {
			t.Errorf("groups %q: %d", groups, got)
		}
	}
	for text, want := range map[string]metering.GatewayReason{
		`{"apikey": "rosario-key"}`: metering.Admitted,
		`{"apikey": "wrong"}`:       metering.BadKey,
		`{}`:                        metering.NoKey} {
		if got := ask(func(r *metering.GatewayRequest) {
			r.Path, r.Subject, r.JSON = "/body", "", text
		}); got != want {
			t.Errorf("body %s: %d", text, got)
		}
	}
	for feature, want := range map[string]metering.GatewayReason{
		"example_service": metering.Admitted,
		"no_such":         metering.FeatureNotFound} {
		if got := ask(func(r *metering.GatewayRequest) {
			r.Path, r.Subject, r.Feature = "/anything", "consumer:rosario", feature
		}); got != want {
			t.Errorf("feature %q: %d", feature, got)
		}
	}
	handler := gateway.Handler(http.NotFoundHandler(), metering.HandlerOptions{
		Route: "hosted", More: func(r *http.Request,
			request *metering.GatewayRequest) {
			request.Subject, request.Groups = "somebody", r.Header.Get("Apikey")
		}})
	for groups, want := range map[string]int{"staff": 404, "others": 403} {
		if got := serve(handler, groups).Code; got != want {
			t.Errorf("groups %q: %d", groups, got)
		}
	}
}

// TestGatewayServer asks a true server from many goroutines while it ticks,
// settles, and its catalog changes: what was answered 200 is what was counted.
func TestGatewayServer(t *testing.T) {
	store := newStory(t)
	must(store.Apply([]byte(`{"_format_version": "3.0", "plugins": [
		{"name": "rate-limiting", "config": {"hour": 1000, "minute": 500,
		 "limit_by": "consumer"}}]}`)))
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- gateway.Run(ctx, func(err error) { t.Error(err) })
	}()
	server := httptest.NewServer(gateway.Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello")
		}), metering.HandlerOptions{}))
	defer server.Close()
	var answered atomic.Int64
	var group sync.WaitGroup
	for g := 0; g < 4; g++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 200; i++ {
				request, _ := http.NewRequest("GET", server.URL+"/anything", nil)
				request.Header.Set("apikey", "rosario-key")
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode == 200 {
					answered.Add(1)
				} else if answer.StatusCode != 429 {
					t.Error(answer.Status)
				}
			}
		}()
	}
	for i := 0; i < 3; i++ {
		must(store.Apply([]byte(fmt.Sprintf(`{"_format_version": "3.0",
			"consumers": [{"username": "new%d"}]}`, i))))
		if err := gateway.Tick(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if answered.Load() == 0 || answered.Load() > 500 {
		t.Error(answered.Load())
	}
	if got := total(t, store, "api_requests"); got != fmt.Sprint(
		answered.Load()) {
		t.Errorf("answered %d, counted %s", answered.Load(), got)
	}
}

// TestSharedWithTool lets the command settle and read while this process counts.
func TestSharedWithTool(t *testing.T) {
	tool := os.Getenv("METERING_TOOL")
	if tool == "" {
		t.Skip("METERING_TOOL does not name the metering command")
	}
	path := filepath.Join(t.TempDir(), "store")
	store := must(metering.Create(path))
	defer store.Close()
	must(store.Apply(catalog(t)))
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	handler := gateway.Handler(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
	}), metering.HandlerOptions{})
	run := func(arguments ...string) string {
		command := exec.Command(tool, append([]string{"-d", path},
			arguments...)...)
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", arguments, err, output)
		}
		return string(output)
	}
	for i := 0; i < 3; i++ {
		if answer := serve(handler, "ariel-key"); answer.Code != 200 {
			t.Fatal(answer.Code)
		}
		run("settle")
	}
	if got := run("usage", "query", "--meter", "api_requests", "--json"); !strings.Contains(got, `"3"`) {
		t.Error(got)
	}
	if got := total(t, store, "api_requests"); got != "3" {
		t.Error(got)
	}
}
