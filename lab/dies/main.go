// Grows at a given rate until somebody ends it: `lastgasp watch` is tested on how it dies.
package main

import (
	"flag"
	"os"
	"runtime"
	"time"
)

// What is kept, and why it dies.
var keep [][]byte

// growA allocates n bytes and touches every page of them.
//
//go:noinline
func growA(n int) {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	keep = append(keep, b)
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

func main() {
	rate := flag.Float64("rate", 1e8, "bytes per second; 0: as fast as it can")
	after := flag.Duration("after", time.Second, "calm before")
	base := flag.Int("base", 10<<20, "bytes that it holds all the time")
	most := flag.Float64("most", 1e18, "bytes that it grows by, and not more")
	life := flag.Duration("for", 0, "ends by itself after that; 0: never")
	threads := flag.Int("threads", 0, "goroutines that start and end threads all the time")
	flag.Parse()
	// Without a reference to it the linker switches the profile off.
	runtime.MemProfile(nil, true)
	if *life > 0 {
		time.AfterFunc(*life, func() { os.Exit(0) })
	}
	for i := 0; i < *threads; i++ {
		go endThreads()
	}
	const block = 1 << 16
	for held := 0; held < *base; held += block {
		growA(block)
	}
	time.Sleep(*after)
	began, grown := time.Now(), 0.0
	for {
		for grown < *most && (*rate == 0 || grown < *rate*time.Since(began).Seconds()) {
			growA(block)
			grown += block
		}
		time.Sleep(time.Millisecond)
	}
}
