// libmetering through its Go package, beside itself in C: what a call costs
// on top. See bench/peers.py for the protocol.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"libmetering/metering"
)

const (
	batchSize = 16
	keySize   = 24
)

type work struct {
	Case    string `json:"case"`
	Who     string `json:"who"`
	Cpus    int    `json:"cpus"`
	Refuses bool   `json:"refuses"`
	window  metering.Window
	keys    int
	isBatch bool
	isCheap bool // the clock of the processor
	names   string
	limiter *metering.Limiter
	policy  metering.Policy
	random  uint64
}

// SplitMix64: the same keys in every peer.
func (c *work) next() uint64 {
	c.random += 0x9e3779b97f4a7c15
	z := c.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (c *work) prepare() {
	directory := must(os.MkdirTemp("/dev/shm", "metering-"))
	defer os.RemoveAll(directory)
	c.limiter = must(metering.OpenLimiter(filepath.Join(directory, "limits.map"),
		metering.LimiterOptions{Capacity: uint64(c.keys) * 5 / 4,
			CheapClock: c.isCheap}))
	c.policy = must(c.limiter.SetPolicy("bench", metering.PolicyOptions{},
		c.window))
	// One behind the other, as in the other peers.
	var text strings.Builder
	for i := range c.keys {
		fmt.Fprintf(&text, "consumer:%015d", i)
	}
	c.names = text.String()
	for i := range c.keys {
		must(c.limiter.Allow(c.policy, c.name(uint64(i))))
	}
	c.random = 1
}

func (c *work) name(which uint64) string {
	return c.names[which*keySize : (which+1)*keySize]
}

func (c *work) decide(count int) (allowed uint64) {
	mask := uint64(c.keys - 1)
	if !c.isBatch {
		for range count {
			if must(c.limiter.Allow(c.policy, c.name(c.next()&mask))) {
				allowed++
			}
		}
		return allowed
	}
	var batch metering.Batch
	for done := 0; done < count; {
		batch.Reset()
		for ; batch.Len() < batchSize && done < count; done++ {
			batch.Add(c.name(c.next()&mask), 1)
		}
		check(c.limiter.AllowBatch(c.policy, 0, &batch, true))
		for _, is := range batch.Allowed {
			allowed += uint64(is)
		}
	}
	return allowed
}

// Of the whole process: what else the machine does is not in it.
func processorTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func allWork(many int) []*work {
	const who = "libmetering from Go"
	const batches = "libmetering from Go, batches of 16"
	free := metering.Window{Limit: 1 << 20, Length: 10 * time.Millisecond}
	minutely := metering.Window{Limit: 1000, Length: time.Minute}
	hourly := metering.Window{Limit: 5, Length: time.Hour}
	return []*work{
		{Case: "one key", Who: who, Cpus: 1, window: free, keys: 1},
		{Case: "one key", Who: batches, Cpus: 1, window: free, keys: 1,
			isBatch: true},
		{Case: "one key", Who: who + ", cheap clock", Cpus: 1, window: free,
			keys: 1, isCheap: true},
		{Case: "many keys", Who: who, Cpus: 1, window: minutely, keys: many},
		{Case: "many keys", Who: batches, Cpus: 1, window: minutely,
			keys: many, isBatch: true},
		{Case: "one key, refused", Who: who, Cpus: 1, window: hourly, keys: 1,
			Refuses: true},
	}
}

func main() {
	many, err := strconv.Atoi(os.Getenv("BENCH_KEYS"))
	if err != nil {
		many = 1 << 20
	}
	all := allWork(many)
	out := json.NewEncoder(os.Stdout)
	check(out.Encode(map[string]any{"cases": all}))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var index, count int
		_, err := fmt.Sscan(lines.Text(), &index, &count)
		check(err)
		c := all[index]
		if c.limiter == nil {
			c.prepare()
		}
		began := processorTime()
		allowed := c.decide(count)
		took := processorTime() - began
		check(out.Encode(map[string]any{"ns": took.Nanoseconds(),
			"count": count, "allowed": allowed}))
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
