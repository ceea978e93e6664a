package metering

// #include <metering/metering.h>
//
// static inline met_error metgo_stats(met_store *store, met_gateway *gateway,
//                                     met_limiter *limiter, uint64_t flags,
//                                     met_buffer *out, met_error_info *info)
// {
//     met_stats_sources sources = {.struct_size = sizeof sources,
//                                  .store = store,
//                                  .gateway = gateway,
//                                  .limiter = limiter,
//                                  .flags = flags};
//
//     return met_stats_write(&sources, out, info);
// }
import "C"

import (
	"net/http"
	"strconv"
	"strings"
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
		return C.metgo_stats(c, nil, nil, flags, out, &info.c)
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
	err := info.failed(C.metgo_stats(nil, nil, c, 0, &buffer, &info.c))
	return string(taken(&buffer)), err
}

// Metrics is what the gateway decided, counted and refused, all its handles
// together, in the OpenMetrics text format.
func (g *Gateway) Metrics() (string, error) { return g.metrics(0) }

func (g *Gateway) metrics(flags C.uint64_t) (string, error) {
	texts := make([]string, len(g.handles))
	for i, handle := range g.handles {
		var buffer C.met_buffer
		err := error(ErrClosed)
		handle.mutex.Lock()
		if handle.c != nil {
			info := newInfo()
			err = info.failed(C.metgo_stats(nil, handle.c, nil, flags, &buffer,
				&info.c))
		}
		handle.mutex.Unlock()
		if err != nil {
			return "", err
		}
		texts[i] = string(taken(&buffer))
	}
	return together(texts), nil
}

// together is one text of metrics of several that tell the same: counters are
// added up, of gauges the greatest is told. A handle that has no catalog yet
// has fewer lines.
func together(texts []string) string {
	all := map[string]uint64{}
	longest := ""
	for _, text := range texts {
		if len(text) > len(longest) {
			longest = text
		}
		eachSample(text, func(name string, value uint64, isGauge bool) string {
			if !isGauge {
				all[name] += value
			} else if value > all[name] {
				all[name] = value
			}
			return ""
		})
	}
	return eachSample(longest, func(name string, _ uint64, _ bool) string {
		return name + " " + strconv.FormatUint(all[name], 10)
	})
}

// eachSample is a text of metrics with what do makes of its samples.
func eachSample(text string, do func(name string, value uint64,
	isGauge bool) string) string {
	lines := strings.Split(text, "\n")
	isGauge := false
	for i, line := range lines {
		if strings.HasPrefix(line, "# TYPE ") {
			isGauge = strings.HasSuffix(line, " gauge")
		}
		space := strings.LastIndexByte(line, ' ')
		if space > 0 && line[0] != '#' {
			value, _ := strconv.ParseUint(line[space+1:], 10, 64)
			lines[i] = do(line[:space], value, isGauge)
		}
	}
	return strings.Join(lines, "\n")
}

// MetricsHandler answers with the store's metrics, for Prometheus.
func (s *Store) MetricsHandler() http.Handler {
	return metricsHandler(func() (string, error) {
		text, err := s.metrics(C.MET_STATS_PROMETHEUS)
		return string(text), err
	})
}

// MetricsHandler answers with the metrics of the gateway and of its store, for
// Prometheus.
func (g *Gateway) MetricsHandler() http.Handler {
	return metricsHandler(func() (string, error) {
		ours, err := g.metrics(C.MET_STATS_PROMETHEUS)
		if err != nil {
			return "", err
		}
		text, err := g.store.metrics(C.MET_STATS_PROMETHEUS)
		return ours + string(text), err
	})
}

func metricsHandler(metrics func() (string, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := metrics()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.Write([]byte(text))
	})
}
