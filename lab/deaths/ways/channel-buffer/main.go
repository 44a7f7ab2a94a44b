// A channel has room for a million samples, so that nobody ever waits. The room is there from the beginning and costs
// nothing until it is filled; then the one who writes the samples away stops.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type sample struct {
	at     int64
	values [31]float64
}

type recorder struct {
	samples chan sample
	written int
}

//go:noinline
func newRecorder(room int) *recorder { return &recorder{samples: make(chan sample, room)} }

func (r *recorder) record(n int) {
	var s sample
	s.at = int64(n)
	s.values[n%len(s.values)] = 1
	r.samples <- s
}

func (r *recorder) writeAway(full time.Time) {
	for range r.samples {
		r.written++
		if time.Now().After(full) {
			time.Sleep(50 * time.Millisecond) // the disk is nearly full, and slow
		}
	}
}

func main() {
	r := newRecorder(1 << 20)
	began := time.Now()
	go r.writeAway(began.Add(1300 * time.Millisecond))
	for n := 0; ; time.Sleep(time.Millisecond) {
		rate := 1000.0
		if time.Since(began) > 1300*time.Millisecond {
			rate = 180000
		}
		for until := n + int(rate/1000); n < until; n++ {
			r.record(n)
		}
	}
}
