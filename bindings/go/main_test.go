package metering_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"libmetering/metering"
)

// catalog is that of the get-started story.
func catalog(t testing.TB) []byte {
	t.Helper()
	document, err := os.ReadFile("examples/get_started/catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// newStore is an empty store that is closed with the test.
func newStore(t testing.TB) *metering.Store {
	t.Helper()
	store, err := metering.Create(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// newStory is a store with the story's catalog.
func newStory(t testing.TB) *metering.Store {
	t.Helper()
	store := newStore(t)
	if _, err := store.Apply(catalog(t)); err != nil {
		t.Fatal(err)
	}
	return store
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// wantCode fails the test unless err has the code, and the field.
func wantCode(t *testing.T, err error, code metering.Code, field string) {
	t.Helper()
	var found *metering.Error
	if !errors.Is(err, code) || !errors.As(err, &found) {
		t.Fatalf("got %v, want %v", err, code.Name())
	}
	if field != "" && found.Field != field {
		t.Fatalf("field %q, want %q (%v)", found.Field, field, err)
	}
	if field != "" && found.Reason == "" {
		t.Fatalf("no reason: %v", err)
	}
}

// total is the usage of a meter.
func total(t testing.TB, store *metering.Store, meter string) string {
	t.Helper()
	rows, err := store.Usage(metering.UsageQuery{Meter: meter,
		SettleFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	sum := metering.Decimal{}
	for rows.Next() {
		sum = must(sum.Add(rows.Row().Value))
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return sum.String()
}

func TestStoreErrors(t *testing.T) {
	_, err := metering.Open(filepath.Join(t.TempDir(), "none"))
	wantCode(t, err, metering.ErrNotFound, "")
	_, err = metering.Open("")
	wantCode(t, err, metering.ErrInvalid, "path")

	store := newStore(t)
	_, err = store.Apply([]byte(`{"meters": [{"key": "A B"}]}`))
	wantCode(t, err, metering.ErrInvalid, "meters[0].key")
	_, err = store.Apply(nil)
	wantCode(t, err, metering.ErrInvalid, "")
	_, err = store.Meter("none")
	wantCode(t, err, metering.ErrNotFound, "")
	if metering.ErrNotFound.Name() != "MET_E_NOT_FOUND" {
		t.Fatal(metering.ErrNotFound.Name())
	}
}

func TestStoreCloses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	store := must(metering.Create(path))
	again := must(metering.Open(path)) // the same store once more
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); !errors.Is(err, metering.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := store.Settle(); !errors.Is(err, metering.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := store.Recorder(metering.RecorderOptions{}); !errors.Is(err,
		metering.ErrClosed) {
		t.Fatal(err)
	}
	must(again.Settle())
	if err := recorder.Tick(); err != nil { // works on
		t.Fatal(err)
	}
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	if err := recorder.Record(metering.Event{}); !errors.Is(err,
		metering.ErrClosed) {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// usedStory is the story in January 2026, with a clock that stands at its
// beginning: rosario has asked once.
func usedStory(t *testing.T) (*metering.Store, *metering.Clock, time.Time) {
	t.Helper()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := metering.NewClock(begin)
	store := must(metering.OpenStore(filepath.Join(t.TempDir(), "store"),
		metering.StoreOptions{Create: true, Clock: clock}))
	t.Cleanup(func() { store.Close() })
	must(store.Apply(catalog(t)))
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	if err := recorder.Record(metering.Event{Type: "kong.api_request",
		Subject: "consumer:rosario", Attributes: []metering.Pair{
			{Name: "service_name", Value: "example_service"}}}); err != nil {
		t.Fatal(err)
	}
	return store, clock, begin
}

// TestClock bills months that pass in no time.
func TestClock(t *testing.T) {
	store, clock, begin := usedStory(t)
	if err := clock.Set(begin.AddDate(0, 1, 0).Add(
		time.Minute)); err != nil {
		t.Fatal(err)
	}
	must(store.Settle())
	billed := must(store.BillingRun(time.Time{}, nil))
	if !billed.IsDone || billed.Customers != 2 || billed.Measured != 1 ||
		billed.Drafts != 1 || billed.Issued != 0 || billed.Waiting != 0 {
		t.Errorf("%+v", billed)
	}
	draft := must(store.Invoices("rosario"))[0]
	for _, at := range []struct{ day, collected, issued, overdue uint64 }{
		{1, 1, 1, 0}, {60, 0, 1, 1}} {
		if err := clock.Set(begin.AddDate(0, 1, int(at.day))); err != nil {
			t.Fatal(err)
		}
		billed = must(store.BillingRun(time.Time{}, nil))
		if billed.Collected != at.collected || billed.Issued != at.issued ||
			billed.Overdue != at.overdue || billed.Deleted != 0 {
			t.Errorf("day %d: %+v", at.day, billed)
		}
	}
	invoice := must(store.Invoice(member(t, draft, "id")))
	if got := member(t, invoice, "number"); got != "INV-0001" {
		t.Error(got)
	}
	wantCode(t, clock.Set(begin), metering.ErrInvalid, "at")
	if got := clock.Now(); !got.Equal(begin.AddDate(0, 1, 60)) {
		t.Error(got)
	}
}

func TestDocuments(t *testing.T) {
	store := newStory(t)
	if _, err := store.ApplyDryRun(catalog(t)); err != nil {
		t.Fatal(err)
	}
	meters := must(store.Meters())
	if len(meters) != 1 {
		t.Fatal(len(meters))
	}
	must(store.Customer("ariel"))
	must(store.PutMeter([]byte(`{"key": "more", "name": "More",
		"event_type": "more", "aggregation": "count"}`)))
	if err := store.RemoveMeter("more"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, store.RemoveMeter("more"), metering.ErrNotFound, "")
	wantCode(t, store.RemoveMeter("api_requests"), metering.ErrConflict, "")
	must(store.Stats())
	must(store.Check())
	must(store.Compact())
	backup := filepath.Join(t.TempDir(), "backup")
	if err := store.Backup(backup); err != nil {
		t.Fatal(err)
	}
	copied := must(metering.Open(backup))
	defer copied.Close()
	must(copied.Customer("rosario"))
	bare := filepath.Join(t.TempDir(), "bare")
	if err := store.BackupWithoutSecrets(bare); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]metering.GatewayReason{
		backup: metering.Admitted, bare: metering.BadKey} {
		opened := must(metering.Open(path))
		defer opened.Close()
		gateway := must(opened.Gateway(metering.GatewayOptions{}))
		defer gateway.Close()
		if got := must(gateway.Admit(&metering.GatewayRequest{Method: "GET",
			Path: "/anything", Key: "rosario-key"})).Reason; got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, text := range []string{"0", "-15", "0.2", "123456789.123456789",
		"9999999999999999999999999999999999"} {
		if got := must(metering.ParseDecimal(text)).String(); got != text {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"", "x", "1,5", " 1", "0x10", "NaN", "inf",
		"12345678901234567890123456789012345"} {
		if _, err := metering.ParseDecimal(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	var zero metering.Decimal
	a, b := metering.DecimalOf(3), must(metering.ParseDecimal("0.1"))
	if zero.String() != "0" || must(zero.Add(a)).Cmp(a) != 0 {
		t.Error("the zero value is not 0")
	}
	if got := must(a.Sub(b)).String(); got != "2.9" {
		t.Error(got)
	}
	if got := must(must(a.Mul(b)).Round(0, metering.HalfAway)); got.Cmp(
		zero) != 0 {
		t.Error(got)
	}
	if got := must(metering.ParseDecimal("2.5")).Rat().RatString(); got != "5/2" {
		t.Error(got)
	}
	large := must(metering.ParseDecimal("9999999999999999999999999999999999"))
	_, err := large.Mul(large)
	wantCode(t, err, metering.ErrOverflow, "")
	if got := must(a.Div(metering.DecimalOf(7), 4, metering.Up)).String(); got != "0.4286" {
		t.Error(got)
	}
	_, err = a.Div(zero, 4, metering.Up)
	wantCode(t, err, metering.ErrInvalid, "other")
	_, err = a.Div(b, -1, metering.Up)
	wantCode(t, err, metering.ErrInvalid, "places")
	_, err = a.Round(99, metering.HalfAway)
	wantCode(t, err, metering.ErrInvalid, "places")
}

func TestPrice(t *testing.T) {
	price := must(metering.NewPrice([]byte(
		`{"type": "package", "amount": "1", "quantity_per_package": "5000"}`)))
	for quantity, want := range map[int64]string{0: "0", 1: "1", 5000: "1",
		5001: "2"} {
		rated := must(price.Rate(metering.DecimalOf(quantity)))
		if rated.Totals.Total.String() != want {
			t.Errorf("%d: %v", quantity, rated.Totals.Total)
		}
	}
	totals := must(price.Totals([]metering.Decimal{{},
		metering.DecimalOf(5001), metering.DecimalOf(1)}))
	if fmt.Sprint(totals) != "[0 2 1]" {
		t.Error(totals)
	}
	if got := must(price.Totals(nil)); len(got) != 0 {
		t.Error(got)
	}
	dear := must(metering.NewPrice([]byte(`{"type": "unit", "amount": "1.5"}`)))
	defer dear.Close()
	_, err := dear.Totals([]metering.Decimal{{}, must(metering.ParseDecimal(
		"9999999999999999999999999999999999"))})
	wantCode(t, err, metering.ErrOverflow, "quantities[1]")
	issues := must(metering.CheckPrice([]byte(
		`{"type": "unit", "amount": "-1", "commitments": {"maximum": "-2"}}`)))
	if len(issues) != 2 || issues[0].Code == "" || issues[0].Message == "" {
		t.Errorf("%+v", issues)
	}
	if got := must(metering.CheckPrice([]byte(`{"type": "free"}`))); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	_, err = metering.CheckPrice([]byte(`[]`))
	wantCode(t, err, metering.ErrInvalid, "")
	_, err = metering.NewPrice([]byte(`{"type": "unit", "amount": "-1"}`))
	wantCode(t, err, metering.ErrInvalid, "price.amount")
	_, err = price.RateDocument([]byte(`{"quantity": "x"}`))
	wantCode(t, err, metering.ErrInvalid, "quantity")
	price.Close()
	if _, err := price.Totals(totals); !errors.Is(err, metering.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := price.Rate(metering.Decimal{}); !errors.Is(err,
		metering.ErrClosed) {
		t.Fatal(err)
	}
}

func Example() {
	directory := must(os.MkdirTemp("", "metering-"))
	defer os.RemoveAll(directory)
	limiter := must(metering.OpenLimiter(filepath.Join(directory, "limits.map"),
		metering.LimiterOptions{}))
	defer limiter.Close()
	free := must(limiter.SetPolicy("free", metering.PolicyOptions{},
		metering.Window{Limit: 5, Length: time.Minute},
		metering.Window{Limit: 1000, Length: time.Hour}))
	for i := 1; i <= 6; i++ {
		fmt.Println(i, must(limiter.Allow(free, "ariel")))
	}
	// Output:
	// 1 true
	// 2 true
	// 3 true
	// 4 true
	// 5 true
	// 6 false
}

func ExampleRate() {
	price := []byte(`{"type": "package", "amount": "1",
		"quantity_per_package": "5000"}`)
	rated, err := metering.Rate(price, metering.DecimalOf(6421))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rated.Totals.Total, rated.Currency)
	// Output: 2 USD
}

func ExampleGateway_Handler() {
	directory := must(os.MkdirTemp("", "metering-"))
	defer os.RemoveAll(directory)
	store := must(metering.Create(directory))
	defer store.Close()
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	upstream := http.NotFoundHandler()
	server := &http.Server{Handler: gateway.Handler(upstream,
		metering.HandlerOptions{})}
	fmt.Println(server.Handler != nil)
	// Output: true
}
