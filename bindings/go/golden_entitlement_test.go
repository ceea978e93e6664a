package metering_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"libmetering/metering"
)

// Kinds that are scripts: usage, grants, resets by hand, balances, history;
// each in a store of its own, in virtual time. What is about stored states stays
// with the runner in C: nobody outside sees them.
var entitlementKinds = map[string]goldenKind{
	"entitlement_balance": runScript, "entitlement_history": runScript,
	"entitlement_reset": runScript, "engine_runs": engineRun,
}

func TestGoldenEntitlements(t *testing.T) {
	golden(t, "entitlement_engine.json", entitlementKinds, 30)
}

func moment(value any) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text(value))
	if err != nil {
		fail("%v", err)
	}
	return at
}

// wholeMinute: usage is known by the minute, and what began has ended.
func wholeMinute(at time.Time) time.Time {
	return at.Add(time.Minute - 1).Truncate(time.Minute)
}

// A script is a customer with one entitlement, from before its first moment on.
type script struct {
	clock    *metering.Clock
	store    *metering.Store
	recorder *metering.Recorder
}

const scriptCatalog = `{
	"meters": [{"key": "units", "name": "Units", "event_type": "use",
		"aggregation": "AGGREGATION", "value_property": "$.value"}],
	"features": [{"key": "units", "name": "Units", "meter": {"key": "units"}}],
	"customers": [{"key": "who", "name": "Who", "currency": "USD",
		"usage_attribution": {"subject_keys": ["who"]}}]}`

func newScript(t *testing.T, given document, steps []any) *script {
	period := object(given["usage_period"])
	begin := moment(period["effective_from"])
	moments := []any{given["measure_usage_from"]}
	for _, step := range steps {
		moments = append(moments, object(step)["at"], object(step)["now"])
	}
	for _, at := range moments {
		if text(at) != "" && moment(at).Before(begin) {
			begin = moment(at)
		}
	}
	s := &script{clock: metering.NewClock(begin.AddDate(0, 0, -2))}
	s.store = must(metering.OpenStore(filepath.Join(t.TempDir(), "store"),
		metering.StoreOptions{Create: true, Clock: s.clock}))
	must(s.store.Apply([]byte(strings.Replace(scriptCatalog, "AGGREGATION",
		strings.ToLower(text(given["aggregation"])), 1))))
	s.set(begin)
	must(s.store.CreateEntitlement(must(json.Marshal(document{
		"customer": document{"key": "who"}, "feature": document{"key": "units"},
		"type": "metered", "is_soft_limit": true,
		"active_from":               period["effective_from"],
		"usage_period":              members(period, "interval", "anchor"),
		"measure_usage_from":        given["measure_usage_from"],
		"preserve_overage_at_reset": given["preserve_overage_at_reset"] == true,
	})), metering.AllowPast))
	s.recorder = must(s.store.Recorder(metering.RecorderOptions{}))
	return s
}

func (s *script) close() {
	s.recorder.Close()
	s.store.Close()
}

func (s *script) set(at time.Time) {
	if at.After(s.clock.Now()) {
		if err := s.clock.Set(at); err != nil {
			fail("%v", err)
		}
	}
}

func (s *script) usage(step document) {
	value, _ := decimal(step["value"])
	if err := s.recorder.Record(metering.Event{Type: "use", Subject: "who",
		Time:       moment(step["at"]),
		Quantities: []metering.Quantity{{Name: "value", Value: value}}}); err != nil {
		fail("%v", err)
	}
}

// rollover has the members of a grant that say what is left at a reset.
func rollover(grant document) document {
	limits := document{"min_rollover_amount": "0", "max_rollover_amount": "0"}
	if found := object(grant["rollover"]); found != nil {
		limits["min_rollover_amount"] = amount(found["min"])
		limits["max_rollover_amount"] = amount(found["max"])
	}
	return limits
}

func (s *script) grant(step document) {
	given := object(step["grant"])
	grant := with(members(given, "priority", "effective_at", "recurrence"),
		rollover(given))
	grant["customer"] = document{"key": "who"}
	grant["feature"] = document{"key": "units"}
	grant["amount"] = amount(given["amount"])
	if given["expires_at"] != nil {
		lasts := moment(given["expires_at"]).Sub(moment(given["effective_at"]))
		if lasts%time.Hour != 0 {
			skip("grants end after whole hours")
		}
		grant["expiration"] = document{"duration": "hour",
			"count": int(lasts / time.Hour)}
	}
	must(s.store.CreateGrant(must(json.Marshal(grant)), metering.AllowPast))
}

// sameValue compares what a step is to answer with a value of an entitlement.
func sameValue(step, got document) {
	value := members(got, "balance", "usage", "overage", "total_available")
	value["start_of_period"] = object(got["current_usage_period"])["from"]
	for _, name := range []string{"expect", "derived"} {
		want := with(object(step[name]), nil)
		delete(want, "grant_balances")
		expect(want, value, name)
	}
}

// found is a whole document again, of what was read into a structure.
func found(value any) document {
	return object(readDocument(must(json.Marshal(value))))
}

func (s *script) balance(step document) {
	at := wholeMinute(moment(step["at"]))
	s.set(at)
	if step["now"] != nil {
		s.set(moment(step["now"]))
	}
	must(s.store.Settle())
	sameValue(step, found(must(s.store.Entitlement("who", "units", at))))
}

func (s *script) reset(step document) {
	s.set(moment(step["now"]))
	must(s.store.Settle())
	got, err := s.store.ResetEntitlement("who", "units", must(json.Marshal(
		members(step, "at", "retain_anchor", "preserve_overage"))))
	want, isError := object(step["expect"])["error"]
	if isError != (err != nil) || err != nil &&
		!errors.Is(err, metering.ErrInvalid) {
		fail("expected %v, got %s and %v", want, got, err)
	}
	if !isError {
		sameValue(step, object(readDocument(got)))
		return
	}
	for _, words := range []string{"before current usage period start",
		"must be after last reset"} {
		if strings.Contains(text(want), words) &&
			!strings.Contains(err.Error(), words) {
			fail("expected %v, got %v", want, err)
		}
	}
}

func (s *script) history(step document) {
	s.set(moment(step["now"]))
	must(s.store.Settle())
	var from, to time.Time
	if step["from"] != nil {
		from = moment(step["from"])
	}
	if step["to"] != nil {
		to = moment(step["to"])
	}
	want := object(step["expect"])
	answer, err := s.store.EntitlementHistory("who", "units", from, to,
		step["window"] == "DAY")
	if _, isError := want["error"]; isError != (err != nil) {
		fail("expected %v, got %v", want, err)
	} else if isError {
		return
	}
	got := object(readDocument(answer))
	sameSegments(want, array(got["segments"]))
	windows := array(got["windows"])
	if want["window_count"] != nil {
		expect(want["window_count"], len(windows), "windows")
	}
	for _, row := range array(want["windows"]) {
		row := with(object(row), nil)
		index := whole(row["index"])
		delete(row, "index")
		expect(row, windows[index], "window %d", index)
	}
	if derived := object(step["derived"])["windows"]; derived != nil {
		expect(derived, windows, "derived")
	}
}

// sameSegments leaves out what is not answered: a segment without length, and
// what began or ended one.
func sameSegments(want document, got []any) {
	var segments []document
	empty := 0
	for _, row := range array(want["segments"]) {
		row := with(object(row), nil)
		if row["from"] != nil && row["from"] == row["to"] {
			empty++
			continue
		}
		for _, name := range []string{"index", "usage_reset", "rollover"} {
			delete(row, name)
		}
		segments = append(segments, row)
	}
	if want["segment_count"] != nil {
		expect(want["segment_count"], len(got)+empty, "segments")
	}
	for i, row := range segments {
		expect(row, got[i], "segment %d", i)
	}
}

func runScript(t *testing.T, item document) {
	given, steps := object(item["input"]), array(item["steps"])
	for _, step := range steps {
		if do := object(step)["do"]; do == "save_snapshot" ||
			do == "stored_reset" {
			skip("a stored state is given, which nobody outside can")
		}
	}
	if given["aggregation"] != "SUM" && given["aggregation"] != "COUNT" {
		skip("allowances of meters that neither count nor sum")
	}
	s := newScript(t, given, steps)
	defer s.close()
	do := map[string]func(document){"usage": s.usage, "grant": s.grant,
		"balance": s.balance, "reset": s.reset, "history": s.history}
	for _, step := range steps {
		switch name := text(object(step)["do"]); name {
		case "latest_snapshot", "snapshot_count", "usage_period_rule",
			"last_reset": // what is stored, not what is answered
		default:
			do[name](object(step))
		}
	}
}

// engineGrant is a grant of a run as SimulateEntitlement takes it.
func engineGrant(given document) document {
	grant := with(members(given, "id", "priority", "effective_at", "created_at",
		"voided_at"), rollover(given))
	grant["amount"] = amount(given["amount"])
	if ends := object(given["expiration"]); ends != nil {
		grant["expiration"] = document{"count": ends["count"],
			"duration": strings.ToLower(text(ends["unit"]))}
	}
	if again := object(given["recurrence"]); again != nil {
		grant["recurrence"] = members(again, "interval", "anchor")
	}
	return grant
}

// skipStored leaves to C what does not begin with fresh grants, or has usage
// inside a minute.
func skipStored(given document) {
	start := object(given["start"])
	if given["grants"] != nil && array(given["grants"]) == nil ||
		object(start["balances"]) == nil {
		skip("grants are to be generated")
	}
	begin, until := moment(start["at"]), moment(given["until"])
	isStored := !until.After(begin)
	for _, name := range []string{"overage", "period_usage",
		"period_grant_usage"} {
		isStored = isStored || start[name] != nil && amount(start[name]) != "0"
	}
	for _, grant := range array(given["grants"]) {
		effective := moment(object(grant)["effective_at"])
		left := object(start["balances"])[text(object(grant)["id"])]
		isStored = isStored || effective.Before(begin) ||
			effective.Equal(begin) && !same(object(grant)["amount"], left)
	}
	if isStored {
		skip("a stored state is given, which nobody outside can")
	}
	if given["aggregation"] != "SUM" {
		skip("allowances of meters that neither count nor sum")
	}
	for _, event := range append(array(given["usage_events"]),
		document{"at": given["until"]}) {
		if at := moment(object(event)["at"]); !at.Equal(wholeMinute(at)) {
			skip("usage is known by the minute")
		}
	}
}

// engineRun is what-if, from the beginning.
func engineRun(t *testing.T, item document) {
	given, want := object(item["input"]), object(item["expect"])
	if _, isError := want["error"]; isError {
		skip("a stored state is given, which nobody outside can")
	}
	skipStored(given)
	grants, resets, usage := []any{}, []any{}, []document{}
	for _, grant := range array(given["grants"]) {
		grants = append(grants, engineGrant(object(grant)))
	}
	for _, reset := range array(given["resets"]) {
		if members := object(reset); members != nil {
			reset = members["at"]
		}
		resets = append(resets, document{"at": reset, "retain_anchor": true})
	}
	for _, event := range array(given["usage_events"]) {
		usage = append(usage, document{"at": object(event)["at"],
			"value": amount(object(event)["value"])})
	}
	sort.SliceStable(usage, func(i, j int) bool {
		return moment(usage[i]["at"]).Before(moment(usage[j]["at"]))
	})
	begin := object(given["start"])["at"]
	answer := must(metering.SimulateEntitlement(must(json.Marshal(document{
		"entitlement": document{"measure_usage_from": begin,
			"usage_period":              document{"interval": "P100Y", "anchor": begin},
			"preserve_overage_at_reset": given["preserve_overage_at_reset"] == true},
		"grants": grants, "resets": resets, "usage": usage,
		"at": given["until"]}))))
	values := array(object(readDocument(answer))["values"])
	got := object(values[len(values)-1])
	left := document{}
	for _, grant := range array(got["grants"]) {
		left[text(object(grant)["id"])] = object(grant)["balance"]
	}
	for id, balance := range object(want["balances"]) {
		if left[id] == nil {
			left[id] = "0"
		}
		expect(balance, left[id], id)
	}
	for name, ours := range map[string]string{"overage": "overage",
		"period_usage": "usage"} {
		if want[name] != nil {
			expect(want[name], got[ours], name)
		}
	}
}
