package metering_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libmetering/metering"
)

func newTokens(t testing.TB) *metering.Store {
	t.Helper()
	store := newStore(t)
	must(store.Apply([]byte(`{"meters": [
		{"key": "tokens", "name": "Tokens", "event_type": "llm",
		 "aggregation": "sum", "value_property": "$.tokens",
		 "dimensions": {"model": "$.model"}},
		{"key": "calls", "name": "Calls", "event_type": "llm",
		 "aggregation": "count"}]}`)))
	return store
}

func tokens(subject, value string) metering.Event {
	return metering.Event{Type: "llm", Subject: subject,
		Attributes: []metering.Pair{{Name: "model", Value: "m1"}},
		Quantities: []metering.Quantity{{Name: "tokens",
			Value: must(metering.ParseDecimal(value))}}}
}

func TestRecorder(t *testing.T) {
	store := newTokens(t)
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	for i := 0; i < 3; i++ {
		if err := recorder.Record(tokens("ariel", "0.1")); err != nil {
			t.Fatal(err)
		}
	}
	err := recorder.RecordAll([]metering.Event{tokens("ariel", "1"),
		{Type: "none", Subject: "ariel"}, tokens("rosario", "2")})
	wantCode(t, err, metering.ErrNotFound, "events[1].type")
	if err := recorder.RecordAll(nil); err != nil {
		t.Fatal(err)
	}
	prepared := must(recorder.Prepare(metering.Event{Type: "llm",
		Subject: "rosario"}))
	if err := prepared.Record(time.Time{}, metering.Quantity{Name: "tokens",
		Value: metering.DecimalOf(5)}); err != nil {
		t.Fatal(err)
	}
	if err := prepared.Close(); err != nil {
		t.Fatal(err)
	}
	if err := prepared.Record(time.Time{}); !errors.Is(err,
		metering.ErrClosed) {
		t.Fatal(err)
	}
	must(recorder.Prepare(metering.Event{Type: "llm", Subject: "s"}))
	if got := total(t, store, "tokens"); got != "8.3" {
		t.Fatal(got)
	}
	if got := total(t, store, "calls"); got != "6" {
		t.Fatal(got)
	}
}

func TestRecorderErrors(t *testing.T) {
	store := newTokens(t)
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	wantCode(t, recorder.Record(metering.Event{}), metering.ErrInvalid, "type")
	wantCode(t, recorder.Record(metering.Event{Type: "llm"}),
		metering.ErrInvalid, "subject")
	bad := tokens("s", "1")
	bad.Subject = "\xff"
	wantCode(t, recorder.Record(bad), metering.ErrInvalid, "subject")
	bad.Subject = strings.Repeat("x", 100000)
	wantCode(t, recorder.Record(bad), metering.ErrLimit, "subject")
	wantCode(t, recorder.Record(tokens("s", "0.1234567891")),
		metering.ErrInvalid, "quantities[0].value")
	_, err := store.Recorder(metering.RecorderOptions{ShapesMax: 1 << 60})
	wantCode(t, err, metering.ErrInvalid, "")
	if got := total(t, store, "calls"); got != "0" {
		t.Fatal("what was refused was counted:", got)
	}
}

func TestUsage(t *testing.T) {
	store := newTokens(t)
	recorder := must(store.Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	now := time.Now().UTC().Truncate(time.Minute)
	for i := 0; i < 10; i++ {
		event := tokens(fmt.Sprint("s", i%2), "1")
		event.Time = now
		if err := recorder.Record(event); err != nil {
			t.Fatal(err)
		}
	}
	to := now.Add(time.Minute)
	rows := must(store.Usage(metering.UsageQuery{Meter: "tokens", From: &now,
		To: &to, Window: "minute", GroupBy: []string{"subject", "model"},
		Filters:     map[string]any{"model": map[string]string{"eq": "m1"}},
		SettleFirst: true}))
	count := 0
	for rows.Next() {
		row := rows.Row()
		if row.Value.Cmp(metering.DecimalOf(5)) != 0 ||
			row.Subject != fmt.Sprint("s", count) ||
			row.Dimensions["model"] != "m1" || !row.From.Equal(now) ||
			!row.To.Equal(to) {
			t.Fatalf("%+v", row)
		}
		count++
	}
	if rows.Err() != nil || count != 2 {
		t.Fatal(rows.Err(), count)
	}
	rows.Close()
	if rows.Next() || !errors.Is(rows.Close(), metering.ErrClosed) {
		t.Fatal("rows go on after Close")
	}
	inside := now.Add(time.Second)
	_, err := store.Usage(metering.UsageQuery{Meter: "tokens", From: &inside})
	wantCode(t, err, metering.ErrInvalid, "from")
	_, err = store.Usage(metering.UsageQuery{Meter: "none"})
	wantCode(t, err, metering.ErrNotFound, "")
}

func TestIngest(t *testing.T) {
	store := newTokens(t)
	ingest := must(store.Ingest())
	defer ingest.Close()
	event := metering.SourceEvent{ID: "1", Source: "//import",
		Event: tokens("ariel", "7")}
	old := event
	old.ID, old.Time = "2", time.Now().AddDate(-1, 0, 0)
	wrong := event
	wrong.ID, wrong.Subject = "3", ""
	verdicts := must(ingest.Add([]metering.SourceEvent{event, event, old, wrong},
		&metering.Cursor{Name: "file", Offset: 4}))
	for i, want := range []metering.Verdict{metering.Accepted,
		metering.Duplicate, metering.Late, metering.Invalid} {
		if verdicts[i].Verdict != want {
			t.Errorf("%d: %+v", i, verdicts[i])
		}
	}
	if verdicts[3].Field != "subject" || verdicts[3].Reason == "" {
		t.Errorf("%+v", verdicts[3])
	}
	if cursor := must(store.Cursor("file")); cursor.Offset != 4 {
		t.Error(cursor)
	}
	_, err := ingest.Add(nil, &metering.Cursor{Name: "file", Offset: 3})
	wantCode(t, err, metering.ErrConflict, "")
	line := `{"specversion":"1.0","id":"%d","source":"//import","type":"llm",` +
		`"subject":"ariel","data":{"tokens":"0.5","model":"m2"}}` + "\n"
	lines := fmt.Sprintf(line+line+"nonsense\n", 1, 4)
	ingested := must(ingest.AddLines([]byte(lines), nil))
	if ingested.Events != 3 || ingested.Accepted != 1 ||
		ingested.Duplicate != 1 || ingested.Invalid != 1 {
		t.Errorf("%+v", ingested)
	}
	_, err = ingest.AddJSON(nil, nil)
	wantCode(t, err, metering.ErrInvalid, "")
	if got := total(t, store, "tokens"); got != "7.5" {
		t.Error(got)
	}
}

func TestBatcher(t *testing.T) {
	const goroutines, each = 8, 500
	store := newTokens(t)
	var rejected atomic.Int64
	batcher := must(store.Batcher(metering.BatcherOptions{Size: 16,
		Rejected: func(event *metering.Event, code metering.Code) {
			if code != metering.ErrNotFound || event.Type != "none" {
				t.Error(event, code)
			}
			rejected.Add(1)
		}}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- batcher.Run(ctx, 0) }()
	var group sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		group.Add(1)
		go func(g int) {
			defer group.Done()
			for i := 0; i < each; i++ {
				batcher.Record(tokens(fmt.Sprint("s", g), "1"))
			}
		}(g)
	}
	group.Wait()
	batcher.Record(metering.Event{Type: "none", Subject: "s"})
	cancel()
	<-ended
	if err := batcher.Close(); err != nil {
		t.Fatal(err)
	}
	if got := total(t, store, "calls"); got != fmt.Sprint(goroutines*each) {
		t.Fatal(got)
	}
	if rejected.Load() != 1 {
		t.Fatal(rejected.Load())
	}
	if err := batcher.Record(metering.Event{Type: "llm", Subject: "s"}); err != nil {
		t.Fatal(err)
	}
	if err := batcher.Flush(); !errors.Is(err, metering.ErrClosed) {
		t.Fatal(err)
	}
}
