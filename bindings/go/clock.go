package metering

// #include <stdlib.h>
// #include <metering/metering.h>
//
// static int64_t metgo_clock_read(void *now)
// {
//     return __atomic_load_n((int64_t *)now, __ATOMIC_RELAXED);
// }
//
// static inline int64_t metgo_clock_get(int64_t *now)
// {
//     return metgo_clock_read(now);
// }
//
// static inline int metgo_clock_set(int64_t *now, int64_t utc_ns)
// {
//     int64_t old = metgo_clock_read(now);
//
//     do {
//         if (utc_ns < old) {
//             return 0;
//         }
//     } while (!__atomic_compare_exchange_n(now, &old, utc_ns, 0,
//                                           __ATOMIC_RELAXED,
//                                           __ATOMIC_RELAXED));
//     return 1;
// }
//
// static inline met_error metgo_store_open(
//     const char *path, size_t size, met_store_config config, int64_t *now,
//     met_store **store, met_error_info *info)
// {
//     met_platform platform = {.struct_size = sizeof platform};
//
//     if (now != NULL) {
//         platform.clock = (met_clock){now, metgo_clock_read,
//                                      metgo_clock_read};
//         config.platform = &platform;
//     }
//     return met_store_open(path, size, &config, store, info);
// }
import "C"

import (
	"time"
	"unsafe"
)

// A Clock stands still until it is set: for tests of what happens at the end of
// a month, not for production. Give it to [OpenStore].
type Clock struct {
	// Stores of one directory share the clock of the first, and nobody knows
	// when the last of them is closed: these bytes of C are never freed.
	now *C.int64_t
}

// NewClock is a clock that stands at a time.
func NewClock(at time.Time) *Clock {
	now := (*C.int64_t)(C.calloc(1, C.sizeof_int64_t))
	if now == nil {
		panic("metering: out of memory")
	}
	*now = utcNs(at)
	return &Clock{now}
}

// Set moves the clock; it never goes back.
func (c *Clock) Set(at time.Time) error {
	if C.metgo_clock_set(c.now, utcNs(at)) == 0 {
		return &Error{Code: ErrInvalid, Field: "at",
			Reason: "must not be earlier than the clock"}
	}
	return nil
}

// Now is where the clock stands.
func (c *Clock) Now() time.Time {
	return time.Unix(0, int64(C.metgo_clock_get(c.now))).UTC()
}

// openStore opens a store of the library.
func openStore(path string, options *StoreOptions) (*C.met_store, error) {
	var config C.met_store_config
	config.struct_size = C.size_t(unsafe.Sizeof(config))
	config.map_size_bytes = C.uint64_t(options.MapSize)
	if options.Create {
		config.flags = C.MET_STORE_CREATE
	}
	var now *C.int64_t
	if options.Clock != nil {
		now = options.Clock.now
	}
	var store *C.met_store
	info := newInfo()
	text, size := cText(path)
	err := info.failed(C.metgo_store_open(text, size, config, now, &store,
		&info.c))
	return store, err
}
