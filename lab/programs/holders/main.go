// Command holders has a heap of which it is known who holds what: a package variable, goroutines, nobody. It
// writes what it planted to the file that is named (truth.json), prints READY and waits until its input ends.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

const (
	entries    = 5000
	workers    = 64
	waiters    = 16
	bufferSize = 100000
	discarded  = 1000
)

type entry struct {
	id      int64
	payload []byte
}

// record has more than 512 bytes and a pointer: from Go 1.22 on its type stands in front of it.
type record struct {
	next *record
	data [600]byte
}

var (
	cache   []*entry
	index   map[string]int
	records *record
	release = make(chan struct{})
	sink    []byte
)

// fill builds what variables hold. Its frames are gone when it returns.
//
//go:noinline
func fill() {
	cache = make([]*entry, entries)
	for i := range cache {
		cache[i] = &entry{id: int64(i), payload: make([]byte, 512)}
	}
	index = map[string]int{}
	for i := 0; i < 20000; i++ {
		index[fmt.Sprint("key number ", i)] = i
	}
	for i := 0; i < 300; i++ {
		records = &record{next: records}
	}
}

// holdBuffer holds a buffer, and what cache holds too: that stays when it ends.
//
//go:noinline
func holdBuffer(ready *sync.WaitGroup) {
	buffer := make([]byte, bufferSize)
	buffer[0] = 1
	shared := cache
	ready.Done()
	<-release
	runtime.KeepAlive(buffer)
	runtime.KeepAlive(shared)
}

// report is waited for by its builder, whom a part of it has forgotten.
type report struct {
	rows []byte
	wait sync.WaitGroup
}

// waitForReport holds a report for whose WaitGroup it waits: so the runtime's table of semaphores leads to it too.
//
//go:noinline
func waitForReport(ready *sync.WaitGroup) {
	r := &report{rows: make([]byte, bufferSize)}
	r.wait.Add(1)
	ready.Done()
	r.wait.Wait()
	runtime.KeepAlive(r)
}

//go:noinline
func discard() {
	for i := 0; i < discarded; i++ {
		sink = make([]byte, 4096)
	}
	sink = nil
}

// overwrite leaves nothing of earlier calls on the stack.
//
//go:noinline
func overwrite(n int) int {
	var frame [64]int
	frame[n%64] = n
	if n > 0 {
		frame[0] += overwrite(n - 1)
	}
	return frame[0] + frame[n%64]
}

func main() {
	fill()
	var ready sync.WaitGroup
	ready.Add(workers + waiters)
	for i := 0; i < workers; i++ {
		go holdBuffer(&ready)
	}
	for i := 0; i < waiters; i++ {
		go waitForReport(&ready)
	}
	ready.Wait()
	time.Sleep(100 * time.Millisecond)
	overwrite(100)
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	discard()
	overwrite(100)
	// Slots as the runtime has them: 32 and 512 bytes are size classes, what is over 32 KiB takes whole pages of 8192 bytes.
	truth, err := json.Marshal(map[string]uint64{
		"heap_alloc":      stats.HeapAlloc,
		"cache_objects":   2*entries + 1,
		"cache_bytes":     entries*(32+512) + 40960,
		"records":         300,
		"workers":         workers,
		"buffer_bytes":    workers * 106496,
		"waiters":         waiters,
		"report_bytes":    waiters * 106496,
		"discarded_bytes": discarded * 4096,
	})
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Args[1], truth, 0o600); err != nil {
		panic(err)
	}
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
}
