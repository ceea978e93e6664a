package metering_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libmetering/metering"
)

var limiterKinds = map[string]goldenKind{
	"sequences": sequence, "sliding_window_arithmetic": arithmetic,
	"epoch_windows": epochWindows, "calendar_windows": calendarWindows,
	"config_validation": configValidation,
}

func TestGoldenLimiter(t *testing.T) {
	golden(t, "kong_rate_limiting.json", limiterKinds, 60)
}

// periods of the plugin, which name its windows.
var periods = map[string]time.Duration{"second": time.Second,
	"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour,
	"month": 30 * 24 * time.Hour, "year": 365 * 24 * time.Hour}

// nanoseconds of seconds in a case.
func nanoseconds(value any) int64 {
	seconds, ok := new(big.Rat).SetString(amount(value))
	if !ok {
		fail("%v is no number", value)
	}
	ns := seconds.Mul(seconds, big.NewRat(1e9, 1))
	return new(big.Int).Quo(ns.Num(), ns.Denom()).Int64()
}

func whole(value any) uint64 {
	number, _ := value.(json.Number)
	return uint64(must(number.Int64()))
}

// goldenTable is a policy of its own, asked in virtual time: the moment of a
// case stands for the monotonic clock, too.
type goldenTable struct {
	limiter *metering.Limiter
	policy  metering.Policy
}

func newTable(t *testing.T, isPenalty bool,
	windows ...metering.Window) *goldenTable {
	limiter := newLimiter(t, metering.LimiterOptions{Capacity: 512})
	return &goldenTable{limiter, must(limiter.SetPolicy("golden",
		metering.PolicyOptions{CountDenied: isPenalty}, windows...))}
}

func (table *goldenTable) request(key string, now int64,
	cost uint64) metering.Request {
	return metering.Request{Policy: table.policy, Key: key, Cost: cost,
		MonotonicNs: now, UTC: time.Unix(0, now)}
}

func (table *goldenTable) check(key string, now int64) *metering.Result {
	return must(table.limiter.Check(table.request(key, now, 1)))
}

func (table *goldenTable) peek(key string, now int64) *metering.Result {
	return must(table.limiter.Peek(table.request(key, now, 1)))
}

// decide asks for a request of a case and compares what clients are told.
func (table *goldenTable) decide(key string, now int64, request document,
	isSliding, isHidden bool) *metering.Result {
	want := object(request["expect"])
	result := table.check(key, now)
	expect(amount(want["status"]) == "200", result.Allowed, "at %v",
		request["t"])
	if isHidden && len(object(want["headers"])) > 0 {
		fail("hidden headers are expected")
	}
	header := http.Header{}
	if err := result.WriteHeader(header); err != nil {
		fail("%v", err)
	}
	for name, value := range object(want["headers"]) {
		if isSliding && !result.Allowed &&
			(name == "Retry-After" || name == "RateLimit-Reset") {
			continue // differences.md: the exact wait
		}
		expect(value, header.Get(name), "at %v: %s", request["t"], name)
	}
	return result
}

func sequence(t *testing.T, item document) {
	config := object(item["config"])
	if strings.Contains(text(item["engine"]), "oss") {
		calendarSequence(t, item, config)
		return
	}
	isSliding := strings.Contains(text(item["engine"]), "(sliding")
	algorithm := metering.FixedEpoch
	if isSliding {
		algorithm = metering.SlidingCounter
	}
	var windows []metering.Window
	for i, limit := range array(config["limit"]) {
		windows = append(windows, metering.Window{Limit: whole(limit),
			Length:    time.Duration(nanoseconds(array(config["window_size"])[i])),
			Algorithm: algorithm})
	}
	table := newTable(t, isSliding && config["disable_penalty"] != true,
		windows...)
	for _, request := range array(item["requests"]) {
		request := object(request)
		key := text(request["consumer"])
		now := nanoseconds(item["epoch_s"]) + nanoseconds(request["t"])
		result := table.decide(key, now, request, isSliding, false)
		if wait := int64(result.Wait); !result.Allowed &&
			(table.peek(key, now+wait-1).Allowed ||
				!table.peek(key, now+wait).Allowed) {
			fail("the wait is not exact")
		}
	}
}

func calendarSequence(t *testing.T, item, config document) {
	if item["verdict"] == "quirk" {
		skip("a defect of the plugin that is not shared")
	}
	var windows []metering.Window
	for name, length := range periods {
		if config[name] == nil {
			continue
		}
		if strings.Contains(string(config[name].(json.Number)), ".") {
			skip("a fraction of a request cannot be limited")
		}
		windows = append(windows, metering.Window{Limit: whole(config[name]),
			Length: length, Algorithm: metering.CalendarUTC})
	}
	table := newTable(t, false, windows...)
	for _, request := range array(item["requests"]) {
		request := object(request)
		if _, isDown := request["redis_down"]; isDown {
			skip("there is no store of counters that could be down")
		}
		table.decide(identityOf(config, request),
			nanoseconds(item["epoch_s"])+nanoseconds(request["t"]), request,
			false, config["hide_client_headers"] == true)
	}
}

// identityOf is whom a request counts for: who has no such thing goes by the
// address.
func identityOf(config, request document) string {
	kinds := map[string]uint32{"consumer": 1, "credential": 2, "ip": 3,
		"service": 4, "header": 5, "path": 6}
	by := text(config["limit_by"])
	if by == "" {
		by = "consumer"
	}
	value := text(request[by])
	switch by {
	case "header":
		for name, found := range object(request["headers"]) {
			if strings.EqualFold(name, text(config["header_name"])) {
				value = text(found)
			}
		}
	case "path":
		if value != text(config["path"]) {
			value = ""
		}
	case "consumer":
		if value == "" {
			by, value = "credential", text(request["credential"])
		}
	}
	if value == "" {
		by, value = "ip", text(request["ip"])
	}
	return must(metering.Identity{Kind: kinds[by], Value: value}.Key())
}

func arithmetic(t *testing.T, item document) {
	length := nanoseconds(item["window_s"])
	now := 1000*length + nanoseconds(item["offset_s"])
	cost, limit := whole(item["cost"]), whole(item["limit"])
	table := newTable(t, true, metering.Window{Limit: limit,
		Length: time.Duration(length), Algorithm: metering.SlidingCounter})
	sameWait := func(name string) {
		want, isThere := object(item["exact_min_wait_s"])[name]
		if isThere && limit >= cost {
			wait := table.peek("key", now).Wait
			expect(want, int64((wait+time.Second-1)/time.Second), name)
		}
	}
	for i := uint64(0); i < whole(item["prev_count"]); i++ {
		table.check("key", 1000*length-1)
	}
	for i := uint64(0); i < whole(item["cur_count_before"]); i++ {
		table.check("key", 1000*length)
	}
	sameWait("denied_not_counted")
	ask := table.limiter.Check
	if cost == 0 {
		ask = table.limiter.Peek
	}
	result := must(ask(table.request("key", now, cost)))
	expect(item["admit_exact"], result.Allowed, "admitted")
	if cost <= limit {
		expect(item["remaining"], result.Windows()[0].Remaining, "remaining")
	}
	sameWait("denied_counted")
}

// bounds proves where a window begins and ends: a limit of 1, used a nanosecond
// before it and in it.
func bounds(t *testing.T, length time.Duration, algorithm metering.Algorithm,
	start, now int64, reset any) {
	table := newTable(t, false, metering.Window{Limit: 1, Length: length,
		Algorithm: algorithm})
	if now < 1 {
		now = 1
	}
	if start > 1 && !table.check("key", start-1).Allowed {
		fail("%v: the first is refused", length)
	}
	if start < 1 {
		start = 1
	}
	if !table.check("key", start).Allowed {
		fail("%v: begins elsewhere", length)
	}
	refused := table.check("key", now)
	if refused.Allowed {
		fail("%v: ends before", length)
	}
	expect(reset, int64((refused.Wait+time.Second-1)/time.Second), "%v", length)
	if !table.peek("key", now+int64(refused.Wait)).Allowed {
		fail("%v: the wait is too short", length)
	}
}

func epochWindows(t *testing.T, item document) {
	bounds(t, time.Duration(nanoseconds(item["window_s"])), metering.FixedEpoch,
		nanoseconds(item["window_start_s"]), nanoseconds(item["now_s"]),
		item["fixed_reset_s"])
}

func calendarWindows(t *testing.T, item document) {
	for name, length := range periods {
		bounds(t, length, metering.CalendarUTC,
			int64(whole(object(item["window_start_ms"])[name]))*1e6,
			nanoseconds(item["now_s"]), object(item["true_reset_s"])[name])
	}
}

// configValidation goes through the catalog: a configuration is taken or not.
func configValidation(t *testing.T, item document) {
	store := must(metering.Create(filepath.Join(t.TempDir(), "store")))
	defer store.Close()
	report, err := store.ApplyDryRun(must(json.Marshal(document{
		"plugins": []any{document{"name": "rate-limiting",
			"config": item["config"]}}})))
	if errors.Is(err, metering.ErrUnsupported) {
		skip("%v", err)
	}
	isOk := item["ok"] == true
	if err != nil {
		want := text(item["error"])
		isQuoted := strings.HasPrefix(want, "The limit for ") ||
			want == "required field missing"
		if isOk || !errors.Is(err, metering.ErrInvalid) ||
			isQuoted && !strings.Contains(err.Error(), want) {
			fail("expected %q, got %v", want, err)
		}
		return
	}
	ignored := array(object(readDocument(report))["ignored"])
	if !isOk && len(ignored) > 0 {
		skip("%v is not served", ignored[0])
	}
	if !isOk {
		fail("taken: %s", report)
	}
}
