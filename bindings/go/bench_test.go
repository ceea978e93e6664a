package metering_test

import (
	"fmt"
	"testing"
	"time"

	"libmetering/metering"
)

func benchLimiter(b *testing.B, limit uint64) (*metering.Limiter,
	metering.Policy) {
	limiter := newLimiter(b, metering.LimiterOptions{Capacity: 1 << 18})
	return limiter, must(limiter.SetPolicy("bench", metering.PolicyOptions{},
		metering.Window{Limit: limit, Length: time.Second}))
}

// BenchmarkAllow is one decision of a hot key; most are refused.
func BenchmarkAllow(b *testing.B) {
	limiter, policy := benchLimiter(b, 1000)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if _, err := limiter.Allow(policy, "ariel"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAllowParallel is the same on every processor.
func BenchmarkAllowParallel(b *testing.B) {
	limiter, policy := benchLimiter(b, 1000)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := limiter.Allow(policy, "ariel"); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkAllowBatch is one decision of 64 keys that are decided together.
func BenchmarkAllowBatch(b *testing.B) {
	limiter, policy := benchLimiter(b, 1000)
	var batch metering.Batch
	for i := 0; i < 64; i++ {
		batch.Add(fmt.Sprint("key", i), 1)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += batch.Len() {
		if err := limiter.AllowBatch(policy, 0, &batch, true); err != nil {
			b.Fatal(err)
		}
	}
}

var benchEvent = metering.Event{Type: "llm", Subject: "consumer:ariel",
	Attributes: []metering.Pair{{Name: "model", Value: "m1"}},
	Quantities: []metering.Quantity{{Name: "tokens",
		Value: metering.DecimalOf(7)}}}

// BenchmarkRecord counts one event.
func BenchmarkRecord(b *testing.B) {
	recorder := must(newTokens(b).Recorder(metering.RecorderOptions{}))
	defer recorder.Close()
	event := benchEvent
	event.Time = time.Now()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if err := recorder.Record(event); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatcherParallel gathers events on every processor.
func BenchmarkBatcherParallel(b *testing.B) {
	batcher := must(newTokens(b).Batcher(metering.BatcherOptions{}))
	defer batcher.Close()
	event := benchEvent
	event.Time = time.Now()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := batcher.Record(event); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkGateway admits and completes one request.
func BenchmarkGateway(b *testing.B) {
	store := newStory(b)
	must(store.Apply([]byte(`{"_format_version": "3.0", "plugins": [
		{"name": "rate-limiting", "config": {"minute": 1000000,
		 "limit_by": "consumer"}}]}`)))
	gateway := must(store.Gateway(metering.GatewayOptions{}))
	defer gateway.Close()
	request := metering.GatewayRequest{Method: "GET", Path: "/anything",
		Headers: []metering.Pair{{Name: "apikey", Value: "rosario-key"}}}
	var admission metering.Admission
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if err := gateway.AdmitInto(&request, &admission); err != nil {
			b.Fatal(err)
		}
		if admission.IsAdmitted {
			if err := admission.Complete(metering.Outcome{Status: 200}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkRate rates one quantity, JSON included.
func BenchmarkRate(b *testing.B) {
	price := must(metering.NewPrice([]byte(
		`{"type": "package", "amount": "1", "quantity_per_package": "5000"}`)))
	defer price.Close()
	quantity := metering.DecimalOf(6421)
	for i := 0; i < b.N; i++ {
		if _, err := price.Rate(quantity); err != nil {
			b.Fatal(err)
		}
	}
}
