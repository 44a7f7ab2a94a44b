// Command oracle is a Go program that knows its own numbers. It plants allocations and goroutines, writes what the runtime itself says about them
// (MemProfile, goroutine stacks, build information) as JSON to the file given as its first argument and MemStats to that name with `.stats`, prints READY
// and stands still until its input ends, but for one goroutine that spins unless ORACLE_STILL is set.
//
// Build tags: usecgo adds goroutines in C, library makes it a C library's function (host/host.c calls it), nopprof leaves out all that reads the profile.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"
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
	GCPercent   int
	Unpublished int64 // bytes allocated by unpublished() after the last GC
	Path        string
	Module      string
	Settings    map[string]string
	// Words that stay: of the heap (the newest node's pointer to the next) and of a package variable, with their addresses.
	HeapAt, HeapWord, DataAt, DataWord uint64
}

type node struct {
	next *node
	data [1000]byte
}

var (
	keepNodes *node
	keepMaps  []map[int64]struct{}
	keepBurst [][]byte
	keepWord  uint64 = 0x6c61737467617370
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

func main() { observe(os.Args[1]) }

// observe never returns while the input is open.
func observe(file string) {
	park()
	parkInC()
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
	t := truth{Version: runtime.Version(), Rate: runtime.MemProfileRate, GCPercent: -1, Settings: map[string]string{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		t.Path, t.Module = info.Path, info.Main.Path
		for _, s := range info.Settings {
			t.Settings[s.Key] = s.Value
		}
	}
	t.Profile = profile()
	buf := make([]byte, 1<<20)
	t.Goroutines = string(buf[:runtime.Stack(buf, true)])
	t.Unpublished = unpublished(64)
	t.HeapAt, t.HeapWord = uint64(uintptr(unsafe.Pointer(keepNodes))), uint64(uintptr(unsafe.Pointer(keepNodes.next)))
	t.DataAt, t.DataWord = uint64(uintptr(unsafe.Pointer(&keepWord))), keepWord
	write(file, t)
	var m runtime.MemStats
	write(file+".stats", m)
	// What writing allocates is in no MemStats: the second time it needs nothing new.
	runtime.ReadMemStats(&m)
	write(file+".stats", m)
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(keepMaps)
}

func write(file string, what any) {
	out, err := json.Marshal(what)
	if err == nil {
		err = os.WriteFile(file, out, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// spin runs for ever without a call, so that one goroutine is always on a thread.
func spin() {
	for i := 0; ; i++ {
		if i < 0 {
			return
		}
	}
}
