// Command oracle is a Go program that knows its own numbers. It plants allocations and goroutines, writes what the runtime itself says about them
// (MemProfile, goroutine stacks, MemStats) as JSON to the file given as its first argument, prints READY and stands still until its input ends (but for one goroutine that spins, unless
// ORACLE_STILL is set).
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	_ "runtime/pprof"
	"strings"
	"sync"
	"time"
)

type record struct {
	AllocObjects, AllocBytes, FreeObjects, FreeBytes int64
	Stack                                            []string
}

type truth struct {
	Version     string
	Rate        int
	Profile     []record
	Goroutines  string
	NumGC       uint32
	HeapAlloc   uint64
	HeapInuse   uint64
	HeapObjects uint64
	BySize      map[uint32]uint64 // objects in use by slot size; tiny ones count one by one
	GCPercent   int
	Unpublished int64 // bytes allocated by unpublished() after the last GC
}

type node struct {
	next *node
	data [1000]byte
}

var (
	keepNodes *node
	keepMaps  []map[int64]struct{}
	keepBurst [][]byte
)

//go:noinline
func plantNodes(n int) {
	for i := 0; i < n; i++ {
		keepNodes = &node{next: keepNodes}
	}
}

func smallInlined() []byte { return make([]byte, 4096) }

//go:noinline
func plantInlined(n int) {
	for i := 0; i < n; i++ {
		keepBurst = append(keepBurst, smallInlined())
	}
}

//go:noinline
func plantMaps(n int) {
	for i := 0; i < n; i++ {
		m := make(map[int64]struct{})
		for k := int64(0); k < 10000; k++ {
			m[k] = struct{}{}
		}
		keepMaps = append(keepMaps, m)
	}
}

//go:noinline
func deep(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	deep(n-1, f)
}

//go:noinline
func unpublished(n int) int64 {
	for i := 0; i < n; i++ {
		keepBurst = append(keepBurst, make([]byte, 1<<20))
	}
	return int64(n) << 20
}

type server struct{ mu sync.Mutex }

func (s *server) blocked() { s.mu.Lock() }

func park() {
	ch := make(chan int)
	for i := 0; i < 20; i++ {
		go func() { <-ch }()
	}
	go func() { ch2 := make(chan int, 1); ch2 <- 1; ch2 <- 2 }()
	go func() { select {} }()
	go func() {
		select {
		case <-ch:
		case <-make(chan int):
		}
	}()
	s := &server{}
	s.mu.Lock()
	go s.blocked()
	var wg sync.WaitGroup
	wg.Add(1)
	go wg.Wait()
	go func() { time.Sleep(time.Hour) }()
	go deep(40, func() { <-ch })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		go l.Accept()
	}
	r, _, err := os.Pipe()
	if err == nil {
		go r.Read(make([]byte, 1))
	}
}

func profile() []record {
	n, _ := runtime.MemProfile(nil, true)
	records := make([]runtime.MemProfileRecord, n+200)
	n, _ = runtime.MemProfile(records, true)
	var out []record
	for _, r := range records[:n] {
		rec := record{AllocObjects: r.AllocObjects, AllocBytes: r.AllocBytes, FreeObjects: r.FreeObjects, FreeBytes: r.FreeBytes}
		if stk := r.Stack(); len(stk) > 0 {
			frames := runtime.CallersFrames(stk)
			for {
				f, more := frames.Next()
				rec.Stack = append(rec.Stack, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
				if !more {
					break
				}
			}
		}
		out = append(out, rec)
	}
	return out
}

func main() {
	park()
	plantNodes(20000)
	plantMaps(30)
	plantInlined(5000)
	deep(20, func() { plantNodes(5000) })
	if os.Getenv("ORACLE_STILL") == "" {
		go spin()
	}
	time.Sleep(50 * time.Millisecond)
	debug.SetGCPercent(-1)
	runtime.GC()
	runtime.GC()
	t := truth{Version: runtime.Version(), Rate: runtime.MemProfileRate, GCPercent: -1}
	t.Profile = profile()
	buf := make([]byte, 1<<20)
	t.Goroutines = string(buf[:runtime.Stack(buf, true)])
	t.Unpublished = unpublished(64)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.NumGC, t.HeapAlloc, t.HeapInuse, t.HeapObjects = m.NumGC, m.HeapAlloc, m.HeapInuse, m.HeapObjects
	t.BySize = map[uint32]uint64{}
	for _, c := range m.BySize {
		t.BySize[c.Size] = c.Mallocs - c.Frees
	}
	out, err := json.Marshal(t)
	if err == nil {
		err = os.WriteFile(os.Args[1], out, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("READY", strings.Repeat(".", 3))
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(keepMaps)
}

// spin runs for ever without a call, so that one goroutine is always on a thread.
func spin() {
	for i := 0; ; i++ {
		if i < 0 {
			return
		}
	}
}
