package metering

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Batcher counts events of many goroutines: it gathers them per processor
// and hands them to recorders together. What is gathered and not handed over
// is lost when the process is killed; [Recorder.Record] waits for nothing.
type Batcher struct {
	shards   []*shard
	hints    sync.Pool // of *shard: sync.Pool keeps one per processor
	next     atomic.Uint32
	size     int
	rejected func(event *Event, code Code)
}

type shard struct {
	mutex    sync.Mutex
	recorder *Recorder
	events   []Event
}

// BatcherOptions are how a batcher gathers.
type BatcherOptions struct {
	Recorder RecorderOptions
	// Size is how many events are handed over together; 0 = 64.
	Size int
	// Shards is how many recorders there are; 0 = GOMAXPROCS.
	Shards int
	// Rejected is told of every event that could not be counted; it must not
	// call the batcher. The event is only valid during the call.
	Rejected func(event *Event, code Code)
}

// Batcher begins to count in this process, in one recorder per processor.
func (s *Store) Batcher(options BatcherOptions) (*Batcher, error) {
	if options.Size <= 0 {
		options.Size = 64
	}
	if options.Shards <= 0 {
		options.Shards = runtime.GOMAXPROCS(0)
	}
	batcher := &Batcher{size: options.Size, rejected: options.Rejected}
	for len(batcher.shards) < options.Shards {
		recorder, err := s.Recorder(options.Recorder)
		if err != nil {
			batcher.Close()
			return nil, err
		}
		batcher.shards = append(batcher.shards, &shard{recorder: recorder,
			events: make([]Event, 0, options.Size)})
	}
	batcher.hints.New = func() any {
		n := batcher.next.Add(1)
		return batcher.shards[n%uint32(len(batcher.shards))]
	}
	return batcher, nil
}

// Record gathers an event, and hands all gathered ones over when there are
// enough. The error is of the first one that could not be counted then. The
// slices of the event belong to the batcher until they are handed over.
func (b *Batcher) Record(event Event) error {
	if event.Time.IsZero() {
		event.Time = time.Now()
	}
	place := b.hints.Get().(*shard)
	place.mutex.Lock()
	defer func() {
		place.mutex.Unlock()
		b.hints.Put(place)
	}()
	place.events = append(place.events, event)
	if len(place.events) < b.size {
		return nil
	}
	return place.flush(b)
}

// flush hands over what a shard has; its mutex is held.
func (s *shard) flush(b *Batcher) error {
	err := s.recorder.recordAll(s.events, b.rejected)
	for i := range s.events {
		s.events[i] = Event{}
	}
	s.events = s.events[:0]
	return err
}

// Flush hands over everything that is gathered.
func (b *Batcher) Flush() error {
	var first error
	for _, s := range b.shards {
		s.mutex.Lock()
		if err := s.flush(b); err != nil && first == nil {
			first = err
		}
		s.mutex.Unlock()
	}
	return first
}

// Run flushes every interval and ticks the recorders every second, until ctx is
// done; then it flushes once more. An event waits for at most one interval; 0 is
// a millisecond. What cannot be counted goes to Rejected; Run ends with an
// error only when the batcher is closed.
func (b *Batcher) Run(ctx context.Context, interval time.Duration) error {
	if interval <= 0 {
		interval = time.Millisecond
	}
	flushes := time.NewTicker(interval)
	defer flushes.Stop()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return b.Flush()
		case <-flushes.C:
			err = b.Flush()
		case <-ticks.C:
			for _, s := range b.shards {
				if err = s.recorder.Tick(); errors.Is(err, ErrClosed) {
					break
				}
			}
		}
		if errors.Is(err, ErrClosed) {
			return err
		}
	}
}

// Close flushes and ends counting.
func (b *Batcher) Close() error {
	first := b.Flush()
	for _, s := range b.shards {
		if err := s.recorder.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
