// Grows at a given rate until somebody ends it: `lastgasp watch` is tested on how it dies.
package main

import (
	"flag"
	"runtime"
	"time"
)

// What is kept, and why it dies: one of each thread that allocates.
var keep [][][]byte

// A larger thing that it holds all the time, and that is not why it dies.
var decoy [][]byte

const block = 1 << 16

// growA allocates n bytes for thread t and touches every page of them.
//
//go:noinline
func growA(t, n int) {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	keep[t] = append(keep[t], b)
}

// holdB allocates n bytes and touches every page of them.
//
//go:noinline
func holdB(n int) {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	decoy = append(decoy, b)
}

// grow is what each thread does: its share of the rate, for ever.
func grow(t int, rate float64) {
	began, grown := time.Now(), 0.0
	for {
		for rate == 0 || grown < rate*time.Since(began).Seconds() {
			growA(t, block)
			grown += block
		}
		time.Sleep(time.Millisecond)
	}
}

func main() {
	rate := flag.Float64("rate", 1e8, "bytes per second; 0: as fast as it can")
	after := flag.Duration("after", time.Second, "calm before")
	at := flag.Int64("at", 0, "instead of -after: grow from this moment on, milliseconds since 1970")
	base := flag.Int("base", 10<<20, "bytes that it holds all the time, of the site that grows")
	hold := flag.Int("decoy", 0, "bytes that it holds all the time, of another site")
	threads := flag.Int("threads", 1, "threads that allocate; they share the rate")
	flag.Parse()
	// Without a reference to it the linker switches the profile off.
	runtime.MemProfile(nil, true)
	keep = make([][][]byte, *threads)
	for held := 0; held < *base; held += block {
		growA(0, block)
	}
	for held := 0; held < *hold; held += block {
		holdB(block)
	}
	if *at > 0 {
		*after = time.Until(time.UnixMilli(*at))
	}
	if *threads > runtime.GOMAXPROCS(0) {
		// So that they are threads, and not goroutines that wait for one.
		runtime.GOMAXPROCS(*threads)
	}
	time.Sleep(*after)
	for t := 1; t < *threads; t++ {
		go grow(t, *rate/float64(*threads))
	}
	grow(0, *rate/float64(*threads))
}
