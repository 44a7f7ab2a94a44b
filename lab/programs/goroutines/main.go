// Command goroutines puts goroutines into every state there is. It writes what the runtime itself says about them (runtime.Stack, the goroutine profile)
// into the folder given as its first argument, prints READY and stands still until its input ends.
//
// With -busy some of them run for ever: hot loops, allocation, GC assists, the vDSO, growing stacks, system calls. With -crowd N there are N more that wait.
// What the runtime says of the busy ones has changed by the time anybody looks.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"
)

var (
	busy  = flag.Bool("busy", false, "run some for ever")
	quiet = flag.Bool("profile-only", false, "leave out what a goroutine profile of Go cannot show whole")
	crowd = flag.Int("crowd", 0, "how many more goroutines wait")
	never = make(chan int) // nobody sends
	full  = make(chan int) // nobody receives
	keep  *os.File
)

type server struct {
	mu sync.Mutex
	rw sync.RWMutex
}

func (s *server) locked()          { s.mu.Lock() }
func (s *server) rlocked()         { s.rw.RLock() }
func (s *server) handle(id int)    { s.wait(id, "x") }
func (s *server) wait(int, string) { <-never }

type waiter interface{ handle(id int) }
type wrapped struct{ *server }

//go:noinline
func deep(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	deep(n-1, f)
}

//go:noinline
func generic[T any](v T) T {
	<-never
	return v
}

func inlined() { go func() { <-never }() }

//go:noinline
func chain(n int) {
	if n == 0 {
		<-never
	}
	go chain(n - 1)
	<-never
}

func panicking() {
	defer func() {
		<-never
		recover()
	}()
	panic("held")
}

//go:noinline
func faulting(p *int) int {
	defer func() {
		<-never
		recover()
	}()
	return *p
}

func locked() {
	runtime.LockOSThread()
	<-never
}

func labelled(n int) {
	pairs := []string{"path", "/users/42", "tenant", "secret"}
	for i := 0; i < n; i++ {
		pairs = append(pairs, fmt.Sprintf("key%02d", i), fmt.Sprintf("value%02d", i))
	}
	pprof.Do(context.Background(), pprof.Labels(pairs...), func(context.Context) { <-never })
}

func blockingRead() {
	var p [2]int
	if syscall.Pipe(p[:]) == nil {
		syscall.Read(p[0], make([]byte, 1))
	}
}

func park() {
	go func() { <-never }()
	go func() { full <- 1 }()
	go func() { <-(chan int)(nil) }()
	go func() { select {} }()
	go func() {
		select {
		case <-never:
		case <-make(chan int):
		}
	}()
	s := &server{}
	s.mu.Lock()
	s.rw.Lock()
	go s.locked()
	go s.rlocked()
	go func() { s.rw.Lock() }()
	go s.handle(7)
	f := s.handle
	go f(8)
	var w waiter = wrapped{s}
	go w.handle(9)
	go func() { c := sync.NewCond(&sync.Mutex{}); c.L.Lock(); c.Wait() }()
	var wg sync.WaitGroup
	wg.Add(1)
	go wg.Wait()
	go time.Sleep(time.Hour)
	go func() { <-time.NewTicker(time.Hour).C }()
	time.AfterFunc(time.Millisecond, func() { <-never })
	go blockingRead()
	go locked()
	go labelled(0)
	go labelled(12)
	go chain(4)
	go generic(1)
	go generic(struct{ a []string }{})
	inlined()
	go panicking()
	go faulting(nil)
	if !*quiet {
		go deep(30, func() { deep(250, func() { <-never }) })
		runtime.SetFinalizer(new([64]byte), func(*[64]byte) { <-never })
	}
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		go l.Accept()
	}
	if r, w, err := os.Pipe(); err == nil {
		// Closed by its finalizer, were it not kept.
		keep = w
		go r.Read(make([]byte, 1))
	}
	coroutine()
	inC()
	for i := 0; i < *crowd; i++ {
		go member(i)
	}
}

// member is one of a crowd: most wait for the same, some elsewhere.
//
//go:noinline
func member(i int) {
	switch {
	case i%1000 == 0:
		deep(i/1000%50, func() { <-never })
	case i%10 == 0:
		select {
		case full <- i:
		case <-never:
		}
	default:
		request(i)
	}
}

//go:noinline
func request(i int) { query(i, "x") }

//go:noinline
func query(int, string) { <-never }

func stacks() []byte {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
}

func write(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "stacks.txt"), stacks(), 0o600); err != nil {
		return err
	}
	for name, debug := range map[string]int{"goroutine.pb.gz": 0, "goroutine.txt": 2} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := pprof.Lookup("goroutine").WriteTo(f, debug); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	flag.Parse()
	park()
	runtime.GC()
	time.Sleep(100 * time.Millisecond)
	if *busy {
		work()
		time.Sleep(50 * time.Millisecond)
	}
	if err := write(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
}
