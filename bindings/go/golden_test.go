package metering_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"libmetering/metering"
)

// readGolden reads a file of golden cases.
func readGolden(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../tests/golden", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// differs says whether a case is listed as a difference on purpose.
func differs(t *testing.T, id string) bool {
	t.Helper()
	list, err := os.ReadFile("../../tests/golden/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(list), "| "+id+" |")
}

// document is JSON of any shape.
type document = map[string]any

// innerPrice follows the cases' vocabulary: no price is free, and a flat one
// without a term is in advance.
func innerPrice(price any) any {
	members, ok := price.(document)
	if !ok {
		return document{"type": "free"}
	}
	if members["type"] == "flat" && members["payment_term"] == nil {
		members["payment_term"] = "in_advance"
	}
	return members
}

// card is the rate card of a case.
func card(input document) []byte {
	card := document{"price": innerPrice(input["price"])}
	for from, to := range map[string]string{"line_name": "name",
		"discounts": "discounts", "currency": "currency",
		"unit_config": "unit_config"} {
		if input[from] != nil {
			card[to] = input[from]
		}
	}
	if input["unit_config_enabled"] != true && input["position"] != nil {
		delete(card, "unit_config")
	}
	return must(json.Marshal(card))
}

// question is what a rate_line asks.
func question(input document) []byte {
	usage, _ := input["usage"].(document)
	options, _ := input["options"].(document)
	position := input["position"]
	question := document{"quantity": usage["line_quantity"],
		"quantity_before": usage["pre_line_quantity"],
		"is_first":        position == "single" || position == "first",
		"is_last":         position == "single" || position == "last",
		"policies":        document{"unit_conversion": "per_line"}}
	if billed := input["previously_billed_amount"]; billed != nil {
		question["already_billed"] = billed
	}
	if options["ignore_minimum_commitment"] == true {
		question["is_minimum_applied"] = false
	}
	if credits := input["credits"]; credits != nil &&
		options["disable_credits"] != true {
		question["credits"] = credits
	}
	return must(json.Marshal(question))
}

// contains says whether got has every member of want; numbers in strings are
// compared as decimals.
func contains(want, got any) bool {
	switch want := want.(type) {
	case document:
		other, ok := got.(document)
		for name, value := range want {
			ok = ok && contains(value, other[name])
		}
		return ok
	case []any:
		other, ok := got.([]any)
		ok = ok && len(want) == len(other)
		for i := 0; ok && i < len(want); i++ {
			ok = contains(want[i], other[i])
		}
		return ok
	case string:
		text, _ := got.(string)
		a, errA := metering.ParseDecimal(want)
		b, errB := metering.ParseDecimal(text)
		return want == text || errA == nil && errB == nil && a.Cmp(b) == 0
	}
	return want == got
}

func TestGoldenRating(t *testing.T) {
	var file struct {
		Cases []struct {
			ID     string   `json:"id"`
			Kind   string   `json:"kind"`
			Input  document `json:"input"`
			Expect document `json:"expect"`
		} `json:"cases"`
	}
	readGolden(t, "openmeter_rating.json", &file)
	count := 0
	for _, item := range file.Cases {
		if item.Kind != "rate_line" && item.Kind != "price_total" ||
			differs(t, item.ID) {
			continue
		}
		count++
		t.Run(item.ID, func(t *testing.T) {
			price, err := metering.NewPrice(card(item.Input))
			if err != nil {
				t.Fatal(err)
			}
			defer price.Close()
			if item.Kind == "price_total" {
				quantity := must(metering.ParseDecimal(
					item.Input["quantity"].(string)))
				rated := must(price.Rate(quantity))
				if !contains(item.Expect["total"],
					rated.Totals.Total.String()) {
					t.Errorf("got %v, want %v", rated.Totals.Total,
						item.Expect["total"])
				}
				return
			}
			rated, err := price.RateDocument(question(item.Input))
			if item.Expect["error"] != nil {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got document
			if err := json.Unmarshal(rated.Document, &got); err != nil {
				t.Fatal(err)
			}
			if !contains(item.Expect, got) {
				t.Errorf("got %s, want %v", rated.Document, item.Expect)
			}
		})
	}
	if count < 40 {
		t.Errorf("only %d cases", count)
	}
}

// periods of Kong's plugin, which name its windows.
var periods = map[string]time.Duration{"second": time.Second,
	"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
	"month": 30 * 24 * time.Hour, "year": 365 * 24 * time.Hour}

type sequence struct {
	ID      string   `json:"id"`
	Engine  string   `json:"engine"`
	Verdict string   `json:"verdict"`
	Config  document `json:"config"`
	Epoch   float64  `json:"epoch_s"`

	Requests []struct {
		T        float64  `json:"t"`
		Consumer string   `json:"consumer"`
		IP       string   `json:"ip"`
		Down     bool     `json:"redis_down"`
		Config   document `json:"config"`
		Expect   struct {
			Status  int                `json:"status"`
			Headers map[string]float64 `json:"headers"`
		} `json:"expect"`
	} `json:"requests"`
}

// windows of a sequence, and whether they are a client's of this library: those
// by consumer, of whole requests, at a store that is up.
func (s *sequence) windows() ([]metering.Window, metering.PolicyOptions, bool) {
	var windows []metering.Window
	var options metering.PolicyOptions
	by, _ := s.Config["limit_by"].(string)
	if s.Verdict == "quirk" || by != "" && by != "consumer" {
		return nil, options, false
	}
	for _, request := range s.Requests {
		if request.Down || request.Consumer == "" || request.Config != nil {
			return nil, options, false
		}
	}
	if strings.Contains(s.Engine, "oss") {
		for name, length := range periods {
			if limit, ok := s.Config[name].(float64); ok {
				if limit != float64(int(limit)) {
					return nil, options, false
				}
				windows = append(windows, metering.Window{Limit: uint64(limit),
					Length: length, Algorithm: metering.CalendarUTC})
			}
		}
		return windows, options, len(windows) > 0
	}
	algorithm := metering.FixedEpoch
	if strings.Contains(s.Engine, "(sliding") {
		algorithm = metering.SlidingCounter
		options.CountDenied = s.Config["disable_penalty"] != true
	}
	limits, lengths := s.Config["limit"].([]any), s.Config["window_size"].([]any)
	for i := range limits {
		windows = append(windows, metering.Window{
			Limit:     uint64(limits[i].(float64)),
			Length:    time.Duration(lengths[i].(float64)) * time.Second,
			Algorithm: algorithm})
	}
	return windows, options, true
}

func TestGoldenLimiter(t *testing.T) {
	var file struct {
		Sequences []sequence `json:"sequences"`
	}
	readGolden(t, "kong_rate_limiting.json", &file)
	count := 0
	for i := range file.Sequences {
		sequence := &file.Sequences[i]
		windows, options, isOurs := sequence.windows()
		if !isOurs || differs(t, sequence.ID) {
			continue
		}
		count++
		t.Run(sequence.ID, func(t *testing.T) {
			limiter := newLimiter(t, metering.LimiterOptions{})
			policy := must(limiter.SetPolicy("golden", options, windows...))
			isHidden := sequence.Config["hide_client_headers"] == true
			for n, request := range sequence.Requests {
				at := time.Unix(0, int64((sequence.Epoch+request.T)*1e9))
				result := must(limiter.Check(metering.Request{Policy: policy,
					Key: request.Consumer, MonotonicNs: at.UnixNano(),
					UTC: at}))
				if result.Allowed != (request.Expect.Status == 200) {
					t.Fatalf("request %d: %v", n, result.Allowed)
				}
				if isHidden {
					continue
				}
				header := http.Header{}
				if err := result.WriteHeader(header); err != nil {
					t.Fatal(err)
				}
				isSliding := windows[0].Algorithm == metering.SlidingCounter
				for name, want := range request.Expect.Headers {
					if isSliding && !result.Allowed &&
						(name == "Retry-After" || name == "RateLimit-Reset") {
						continue // differences.md: the exact wait
					}
					if got := header.Get(name); got != strconv.FormatFloat(want, 'f', -1, 64) {
						t.Errorf("request %d: %s is %q, want %v", n, name, got,
							want)
					}
				}
			}
		})
	}
	if count < 10 {
		t.Errorf("only %d sequences", count)
	}
}
