// golang.org/x/time/rate (token bucket) beside libmetering: one limiter, and
// one for each key in a map behind a read-write mutex, as gateways in Go keep
// them. See bench/peers.py for the protocol.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

type limits struct {
	mutex    sync.RWMutex
	limiters map[string]*rate.Limiter
	limit    rate.Limit
	burst    int
}

func (l *limits) of(key string) *rate.Limiter {
	l.mutex.RLock()
	limiter, known := l.limiters[key]
	l.mutex.RUnlock()
	if known {
		return limiter
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if limiter, known = l.limiters[key]; !known {
		limiter = rate.NewLimiter(l.limit, l.burst)
		l.limiters[key] = limiter
	}
	return limiter
}

type worker struct {
	random  uint64
	now     time.Time
	allowed uint64
}

// SplitMix64: the same keys in every peer.
func (w *worker) next() uint64 {
	w.random += 0x9e3779b97f4a7c15
	z := w.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

type work struct {
	Case    string `json:"case"`
	Who     string `json:"who"`
	Cpus    int    `json:"cpus"`
	Refuses bool   `json:"refuses"`
	limit   rate.Limit
	burst   int
	keys    int
	step    time.Duration
	isKeyed bool
	names   []string
	limits  *limits
	workers [2]worker
}

func (c *work) prepare() {
	c.limits = &limits{limiters: map[string]*rate.Limiter{}, limit: c.limit,
		burst: c.burst}
	for i := range c.keys {
		c.names = append(c.names, fmt.Sprintf("consumer:%015d", i))
		c.limits.of(c.names[i]).Allow()
	}
	for i := range c.workers {
		c.workers[i] = worker{random: uint64(i + 1), now: time.Now()}
	}
}

func (c *work) decide(w *worker, count int) {
	mask := uint64(c.keys - 1)
	w.allowed = 0
	if !c.isKeyed {
		limiter := c.limits.of(c.names[0])
		for range count {
			allowed := false
			if c.step != 0 {
				w.now = w.now.Add(c.step)
				allowed = limiter.AllowN(w.now, 1)
			} else {
				allowed = limiter.Allow()
			}
			if allowed {
				w.allowed++
			}
		}
		return
	}
	for range count {
		if c.limits.of(c.names[w.next()&mask]).Allow() {
			w.allowed++
		}
	}
}

// Of the whole process: what else the machine does is not in it.
func processorTime() time.Duration {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (c *work) run(count int) (time.Duration, uint64) {
	if c.limits == nil {
		c.prepare()
	}
	var started, ended sync.WaitGroup
	begin := make(chan struct{})
	for i := range c.Cpus {
		started.Add(1)
		ended.Add(1)
		go func() {
			started.Done()
			<-begin
			c.decide(&c.workers[i], count)
			ended.Done()
		}()
	}
	started.Wait()
	began := processorTime()
	close(begin)
	ended.Wait()
	took := processorTime() - began
	allowed := uint64(0)
	for i := range c.Cpus {
		allowed += c.workers[i].allowed
	}
	return took / time.Duration(c.Cpus), allowed / uint64(c.Cpus)
}

func allWork(many int) []*work {
	const bare = "x/time/rate, no key"
	const keyed = "x/time/rate, map by key"
	hourly := rate.Every(time.Hour / 5)
	minutely := rate.Every(time.Minute / 1000)
	free := rate.Limit(1e12)
	all := []*work{
		{Case: "one key", Who: bare, Cpus: 1, limit: free, burst: 1 << 30},
		{Case: "one key", Who: keyed, Cpus: 1, limit: free, burst: 1 << 30},
		{Case: "one key, time given", Who: bare, Cpus: 1, limit: minutely,
			burst: 1000, step: 2*time.Minute/1000 + 1},
		{Case: "many keys", Who: keyed, Cpus: 1, limit: minutely, burst: 1000,
			keys: many},
		{Case: "one key, refused", Who: bare, Cpus: 1, limit: hourly,
			burst: 5},
		{Case: "one key, refused", Who: keyed, Cpus: 1, limit: hourly,
			burst: 5},
		{Case: "one key, 2 threads", Who: keyed, Cpus: 2, limit: free,
			burst: 1 << 30},
		{Case: "many keys, 2 threads", Who: keyed, Cpus: 2, limit: minutely,
			burst: 1000, keys: many},
		{Case: "one key, refused, 2 threads", Who: keyed, Cpus: 2,
			limit: hourly, burst: 5},
	}
	for _, c := range all {
		c.keys = max(c.keys, 1)
		c.isKeyed = c.Who == keyed
		c.Refuses = strings.Contains(c.Case, "refused")
	}
	return all
}

func main() {
	many, err := strconv.Atoi(os.Getenv("BENCH_KEYS"))
	if err != nil {
		many = 1 << 20
	}
	all := allWork(many)
	out := json.NewEncoder(os.Stdout)
	must(out.Encode(map[string]any{"cases": all}))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var index, count int
		_, err := fmt.Sscan(lines.Text(), &index, &count)
		must(err)
		took, allowed := all[index].run(count)
		must(out.Encode(map[string]any{"ns": took.Nanoseconds(),
			"count": count, "allowed": allowed}))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
