// Grows at a given rate until somebody ends it: `lastgasp watch` is tested on how it dies.
package main

import (
	"flag"
	"os"
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

// endThreads starts operating system threads and ends them, without end: a goroutine that ends while it is locked to its thread takes the thread along.
func endThreads() {
	for {
		done := make(chan bool)
		go func() {
			runtime.LockOSThread()
			close(done)
		}()
		<-done
		time.Sleep(200 * time.Microsecond)
	}
}

// grow is what each thread does: its share of the rate, and of all that it may grow by.
func grow(t int, rate, most float64) {
	began, grown := time.Now(), 0.0
	for {
		for grown < most && (rate == 0 || grown < rate*time.Since(began).Seconds()) {
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
	most := flag.Float64("most", 1e18, "bytes that it grows by, and not more")
	life := flag.Duration("for", 0, "ends by itself after that; 0: never")
	churn := flag.Int("churn", 0, "goroutines that start and end threads all the time")
	flag.Parse()
	// Without a reference to it the linker switches the profile off.
	runtime.MemProfile(nil, true)
	if *life > 0 {
		time.AfterFunc(*life, func() { os.Exit(0) })
	}
	for i := 0; i < *churn; i++ {
		go endThreads()
	}
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
	share := float64(*threads)
	for t := 1; t < *threads; t++ {
		go grow(t, *rate/share, *most/share)
	}
	grow(0, *rate/share, *most/share)
}
