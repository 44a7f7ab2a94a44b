package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// counts is what the service tells Prometheus.
type counts struct {
	inFlight, ok, failed, nanoseconds atomic.Int64
	// slots is nil where as many requests are worked on as there are.
	slots chan struct{}
}

func newCounts(concurrency int) *counts {
	c := &counts{}
	if concurrency > 0 {
		c.slots = make(chan struct{}, concurrency)
	}
	return c
}

// seen remembers the status of an answer.
type seen struct {
	http.ResponseWriter
	status int
}

func (s *seen) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (c *counts) count(w http.ResponseWriter, answer func(http.ResponseWriter)) {
	c.inFlight.Add(1)
	began := time.Now()
	s := &seen{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		c.inFlight.Add(-1)
		c.nanoseconds.Add(int64(time.Since(began)))
		if s.status < 500 {
			c.ok.Add(1)
		} else {
			c.failed.Add(1)
		}
	}()
	if c.slots != nil {
		c.slots <- struct{}{}
		defer func() { <-c.slots }()
	}
	answer(s)
}

// write is GET /metrics in Prometheus' text format, with the names that Go's own client library uses.
func (c *counts) write(w http.ResponseWriter, _ *http.Request) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} %d\nhttp_requests_total{code=\"500\"} %d\n", c.ok.Load(), c.failed.Load())
	fmt.Fprintf(&b, "# TYPE http_requests_in_flight gauge\nhttp_requests_in_flight %d\n", c.inFlight.Load())
	done := c.ok.Load() + c.failed.Load()
	fmt.Fprintf(&b, "# TYPE http_request_duration_seconds summary\nhttp_request_duration_seconds_sum %g\nhttp_request_duration_seconds_count %d\n", float64(c.nanoseconds.Load())/1e9, done)
	fmt.Fprintf(&b, "# TYPE go_goroutines gauge\ngo_goroutines %d\n", runtime.NumGoroutine())
	fmt.Fprintf(&b, "# TYPE go_memstats_heap_alloc_bytes gauge\ngo_memstats_heap_alloc_bytes %d\n", mem.HeapAlloc)
	fmt.Fprintf(&b, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %d\n", resident())
	fmt.Fprintf(&b, "# TYPE resource_service_build_info gauge\nresource_service_build_info{version=%q,revision=%q} 1\n", version, revision)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprint(w, b.String())
}

func resident() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var size, pages int64
	fmt.Sscan(string(text), &size, &pages)
	return pages * int64(os.Getpagesize())
}
