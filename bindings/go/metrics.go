package metering

// #include <metering/metering.h>
//
// static inline met_error metgo_stats(met_store *store, met_limiter *limiter,
//                                     uint64_t flags, met_buffer *out,
//                                     met_error_info *info)
// {
//     met_stats_sources sources = {.struct_size = sizeof sources,
//                                  .store = store,
//                                  .limiter = limiter,
//                                  .flags = flags};
//
//     return met_stats_write(&sources, out, info);
// }
import "C"

import (
	"net/http"
)

// Metrics is the state of a store and its recorders in the OpenMetrics text
// format: sizes, what is not settled yet, who holds it up.
func (s *Store) Metrics() (string, error) {
	text, err := s.metrics(0)
	return string(text), err
}

func (s *Store) metrics(flags C.uint64_t) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_stats(c, nil, flags, out, &info.c)
	})
}

// Metrics is the state of a table of windows in the OpenMetrics text format. It
// reads the whole table.
func (l *Limiter) Metrics() (string, error) {
	c, use := l.enter()
	if c == nil {
		return "", ErrClosed
	}
	defer use.leave()
	var buffer C.met_buffer
	info := newInfo()
	err := info.failed(C.metgo_stats(nil, c, 0, &buffer, &info.c))
	return string(taken(&buffer)), err
}

// MetricsHandler answers with the store's metrics, for Prometheus.
func (s *Store) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := s.metrics(C.MET_STATS_PROMETHEUS)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.Write(text)
	})
}
