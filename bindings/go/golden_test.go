package metering_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"libmetering/metering"
)

// The golden cases of tests/golden through the package: rating, limiter,
// entitlements. Kinds that are about functions which are not public are left
// to the runner in C.

// document is JSON of any shape, numbers as they are written.
type document = map[string]any

// A goldenKind proves one case. It panics with a failure or a skip.
type goldenKind func(t *testing.T, item document)

// goldenSkip says why a case is not for this package.
type goldenSkip string

// goldenFailure says what differs; rule is the row of differences.md that
// allows it.
type goldenFailure struct{ text, rule string }

func skip(format string, arguments ...any) {
	panic(goldenSkip(fmt.Sprintf(format, arguments...)))
}

func fail(format string, arguments ...any) {
	panic(goldenFailure{text: fmt.Sprintf(format, arguments...)})
}

func expect(want, got any, what string, arguments ...any) {
	if !same(want, got) {
		fail("%s: expected %v, got %v", fmt.Sprintf(what, arguments...), want,
			got)
	}
}

// readDocument reads JSON.
func readDocument(data []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		fail("%v: %.200s", err, data)
	}
	return value
}

func decimal(value any) (metering.Decimal, bool) {
	switch value.(type) {
	case string, json.Number, int, uint64, int64:
		number, err := metering.ParseDecimal(fmt.Sprint(value))
		return number, err == nil
	}
	return metering.Decimal{}, false
}

// amount is a number of a case as a document has it.
func amount(value any) string {
	number, ok := decimal(value)
	if !ok {
		fail("%v is no number", value)
	}
	return number.String()
}

// same says whether everything that a case expects is there: numbers and times
// by value, null is what is not there.
func same(want, got any) bool {
	switch want := want.(type) {
	case nil:
		return got == nil
	case document:
		members, ok := got.(document)
		for name, value := range want {
			ok = ok && same(value, members[name])
		}
		return ok
	case []any:
		items, ok := got.([]any)
		ok = ok && len(want) == len(items)
		for i := 0; ok && i < len(want); i++ {
			ok = same(want[i], items[i])
		}
		return ok
	case bool:
		return want == got
	}
	if a, ok := decimal(want); ok {
		b, ok := decimal(got)
		return ok && a.Cmp(b) == 0
	}
	a, errA := time.Parse(time.RFC3339Nano, fmt.Sprint(want))
	b, errB := time.Parse(time.RFC3339Nano, fmt.Sprint(got))
	return want == got || errA == nil && errB == nil && a.Equal(b)
}

func object(value any) document {
	members, _ := value.(document)
	return members
}

func array(value any) []any {
	items, _ := value.([]any)
	return items
}

func text(value any) string {
	found, _ := value.(string)
	return found
}

// with is a copy of a document with members in addition.
func with(base, more document) document {
	all := document{}
	for _, members := range []document{base, more} {
		for name, value := range members {
			all[name] = value
		}
	}
	return all
}

// listed are the ids and rules of differences.md, with their reasons.
func listed(t *testing.T) map[string]string {
	t.Helper()
	list := must(os.ReadFile("../../tests/golden/differences.md"))
	row := regexp.MustCompile("(?m)^\\| ?`?([^`| ]+)`? \\| (.*?) *\\|$")
	found := map[string]string{}
	for _, match := range row.FindAllSubmatch(list, -1) {
		found[string(match[1])] = string(match[2])
	}
	return found
}

// proved runs a case.
func proved(t *testing.T, kind goldenKind, item document) (failure *goldenFailure,
	skipped goldenSkip) {
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case goldenSkip:
			skipped = reason
		case goldenFailure:
			failure = &reason
		case error:
			failure = &goldenFailure{text: reason.Error()}
		default:
			panic(reason)
		}
	}()
	kind(t, item)
	return nil, ""
}

// golden runs the cases of a file whose kind is in kinds; at least so many
// pass.
func golden(t *testing.T, name string, kinds map[string]goldenKind, least int) {
	data := must(os.ReadFile(filepath.Join("../../tests/golden", name)))
	differences := listed(t)
	count := map[string]int{}
	for section, items := range object(readDocument(data)) {
		for _, item := range array(items) {
			item := object(item)
			id, kind := text(item["id"]), section
			if section == "cases" {
				kind = text(item["kind"])
			}
			if kinds[kind] == nil {
				continue
			}
			failure, skipped := proved(t, kinds[kind], item)
			switch reason, isListed := differences[id]; {
			case skipped != "":
				count["skipped"]++
			case failure == nil && isListed:
				t.Errorf("%s is listed as a difference, but is none", id)
			case failure == nil:
				count["passed"]++
			case reason != "" || differences[failure.rule] != "":
				count["skipped"]++
			default:
				t.Errorf("%s %s: %s", kind, id, failure.text)
			}
		}
	}
	t.Logf("%s: %d passed, %d skipped", name, count["passed"], count["skipped"])
	if count["passed"] < least {
		t.Errorf("only %d passed", count["passed"])
	}
}

// reasonOf is the code at the end of an error's reason.
func reasonOf(err error) string {
	var found *metering.Error
	if !errors.As(err, &found) {
		return ""
	}
	code := found.Reason[strings.LastIndexByte(found.Reason, '(')+1:]
	if end := strings.IndexAny(code, ");"); end >= 0 {
		code = code[:end]
	}
	return code
}

// TestGoldenSeesErrors changes cases: they fail then.
func TestGoldenSeesErrors(t *testing.T) {
	data := must(os.ReadFile("../../tests/golden/openmeter_rating.json"))
	count := 0
	for _, item := range array(object(readDocument(data))["cases"]) {
		item := object(item)
		if item["kind"] != "price_total" {
			continue
		}
		count++
		wrong := with(object(item["expect"]), nil)
		wrong["total"] = amount(wrong["total"]) + "1"
		failure, _ := proved(t, ratingKinds["price_total"],
			with(item, document{"expect": wrong}))
		if failure == nil {
			t.Error(item["id"], "is not asked")
		}
	}
	if count == 0 {
		t.Error("no case")
	}
}
