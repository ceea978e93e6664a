package metering_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"libmetering/metering"
)

// A file that is cut short under the process is an error, and no end.
func TestGuardFaults(t *testing.T) {
	for i := 0; i < 2; i++ {
		if err := metering.GuardFaults(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "limits.map")
	for i := 0; i < 3; i++ {
		limiter, err := metering.OpenLimiter(path, metering.LimiterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		policy := must(limiter.SetPolicy("p", metering.PolicyOptions{},
			metering.Window{Limit: 1, Length: time.Hour}))
		if !must(limiter.Allow(policy, "a")) ||
			must(limiter.Allow(policy, "a")) {
			t.Fatal("not one of one")
		}
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := limiter.Allow(policy, "a"); !errors.Is(err,
			metering.ErrCorrupt) {
			t.Fatal(err)
		}
		limiter.Close()
	}
	// What is not of these files is Go's as before.
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	var nowhere *int
	*nowhere = 1
}
