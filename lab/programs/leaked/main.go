// Leaked has goroutines that nothing can ever wake, and others that look like them and are woken by one thing
// alone. What must be said of each stands in truth.json, by its number: nothing, only-globals, reachable, own-timer.
//
//	leaked            one of each kind
//	leaked crowd N    N goroutines, most of them leaked, as services leak them
//	leaked dies       one of each kind, and then it takes memory until it is killed
//	leaked ticks N    N goroutines that a ticker wakes every millisecond, and as many that nothing does
//	leaked tiny N     N lone mutexes, each locked twice, each in one block with a number that is in use
//
// It prints READY and waits for a byte; then, from Go 1.27 on, it writes what the runtime says of its own
// leaks, with how long that took.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Case is one goroutine and what must be said of it.
type Case struct {
	Name string `json:"name"`
	Goid uint64 `json:"goid"`
	Want string `json:"want"`
}

var (
	truthLock sync.Mutex
	truth     []Case
)

// goid is the number of the goroutine that asks.
func goid() uint64 {
	var buf [64]byte
	text := buf[:runtime.Stack(buf[:], false)]
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	n, _ := strconv.ParseUint(string(text[:bytes.IndexByte(text, ' ')]), 10, 64)
	return n
}

// start has f run in a goroutine of which that must be said, and returns once it is written down.
func start(name, want string, f func()) {
	noted := make(chan bool)
	go run(name, want, noted, f)
	<-noted
}

//go:noinline
func run(name, want string, noted chan bool, f func()) {
	truthLock.Lock()
	truth = append(truth, Case{name, goid(), want})
	truthLock.Unlock()
	close(noted)
	noted = nil
	f()
}

const (
	nothing   = "nothing"
	globals   = "only-globals"
	reachable = "reachable"
	ownTimer  = "own-timer"
)

var (
	globalChannel = make(chan int)
	globalLock    sync.Mutex
	globalMap     = map[string]*service{}
	stop          atomic.Bool
	numbers       []*int32
)

// service has a lock beside a pointer.
type service struct {
	name string
	lock sync.Mutex
	done chan bool
}

// counter is as large as a slot of tiny objects, without being one.
type counter struct {
	n    int64
	lock sync.Mutex
}

//go:noinline
func leaks() {
	start("receives alone", nothing, func() { <-make(chan int) })
	start("sends alone", nothing, func() { make(chan *int) <- new(int) })
	start("receives pointers alone", nothing, func() { <-make(chan *service) })
	start("nil channel", nothing, func() {
		var c chan int
		<-c
	})
	start("no cases", nothing, func() { select {} })
	start("select alone", nothing, func() {
		select {
		case <-make(chan int):
		case make(chan string) <- "x":
		}
	})
	start("double lock", nothing, func() {
		var mu sync.Mutex
		mu.Lock()
		mu.Lock()
	})
	start("double lock of a struct's", nothing, func() {
		s := &service{name: "s"}
		s.lock.Lock()
		s.lock.Lock()
		runtime.KeepAlive(s)
	})
	start("double read-write lock", nothing, func() {
		var mu sync.RWMutex
		mu.RLock()
		mu.Lock()
	})
	start("write-locked for readers", nothing, func() {
		var mu sync.RWMutex
		mu.Lock()
		mu.RLock()
	})
	start("wait group", nothing, func() {
		var wg sync.WaitGroup
		wg.Add(2)
		wg.Wait()
	})
	start("condition", nothing, func() {
		c := sync.NewCond(new(sync.Mutex))
		c.L.Lock()
		c.Wait()
	})
	start("once in itself", nothing, func() {
		var once sync.Once
		once.Do(func() { once.Do(func() {}) })
	})
	full := make(chan int, 1)
	full <- 1
	start("full queue", nothing, func() { full <- 2 })
	left, right := make(chan int), make(chan int)
	start("one of two that wait for each other", nothing, func() { <-left; right <- 1 })
	start("the other of two", nothing, func() { <-right; left <- 1 })
	abandoned := make(chan int)
	start("waits for one that is lost", nothing, func() { <-abandoned })
	start("is lost and would wake it", nothing, func() {
		<-make(chan int)
		abandoned <- 1
	})
}

// tinyMutex locks a mutex twice that lies in one block with a number that a slice in use leads to.
//
//go:noinline
func tinyMutex(want string) {
	start("lone mutex in a block that is in use", want, func() {
		n := new(int32)
		mu := new(sync.Mutex)
		truthLock.Lock()
		numbers = append(numbers, n)
		truthLock.Unlock()
		mu.Lock()
		mu.Lock()
	})
}

//go:noinline
func byVariables() {
	start("package channel", globals, func() { <-globalChannel })
	start("package lock", globals, func() {
		globalLock.Lock()
		globalLock.Lock()
	})
	s := &service{name: "cached", done: make(chan bool)}
	globalMap["s"] = s
	start("lock of a cached struct", globals, func() {
		s.lock.Lock()
		s.lock.Lock()
	})
	start("channel of a cached struct", globals, func() { <-s.done })
	behind := make(chan int)
	start("waits for one that a package variable wakes", globals, func() { <-behind })
	start("would wake it", globals, func() { <-globalChannel; behind <- 1 })
}

// held is what main's frame holds.
type held struct {
	channel chan int
	chain   chan int
	counter *counter
	service *service
	weakly  any
}

//go:noinline
func byWhatRuns(h *held) {
	start("main has it", reachable, func() { <-h.channel })
	inner := make(chan int)
	start("one that is woken has it", reachable, func() { <-inner })
	start("is woken by main and has it", reachable, func() { <-h.chain; inner <- 1 })
	c := h.counter
	start("lock in a struct of sixteen bytes", reachable, func() {
		c.lock.Lock()
		c.lock.Lock()
	})
	s := h.service
	start("lock within a struct", reachable, func() {
		s.lock.Lock()
		s.lock.Lock()
	})

	bySleeper := make(chan int)
	start("a sleeper has it", reachable, func() { <-bySleeper })
	go sleeper(bySleeper)
	byTimer := make(chan int)
	start("a timer's function has it", reachable, func() { <-byTimer })
	time.AfterFunc(time.Hour, func() { byTimer <- 1 })
	byAfter := time.After(time.Hour)
	start("a timer sends on it", reachable, func() { <-byAfter })
	byFinalizer := make(chan int)
	start("a finalizer has it", reachable, func() { <-byFinalizer })
	owner := &service{name: "finalized"}
	runtime.SetFinalizer(owner, func(*service) { byFinalizer <- 1 })
	finalized := &service{name: "finalized", done: make(chan bool)}
	done := finalized.done
	start("what a finalizer is of leads to it", reachable, func() { <-done })
	runtime.SetFinalizer(finalized, func(s *service) { close(s.done) })
	keep = append(keep, owner, finalized)

	byReader := make(chan int)
	start("one that reads has it", reachable, func() { <-byReader })
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	pipes = append(pipes, r, w)
	go reader(r, byReader)
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		panic(err)
	}
	byCaller := make(chan int)
	start("one in a system call has it", reachable, func() { <-byCaller })
	go caller(ends[0], byCaller)
	byRunner := make(chan int)
	start("one that runs has it", reachable, func() { <-byRunner })
	go runner(byRunner)

	start("ticks, and nobody has its way out", ownTimer, func() { tick(50 * time.Millisecond) })
	out := h.chain
	start("ticks, and main has its way out", reachable, func() {
		t := time.NewTicker(50 * time.Millisecond)
		for {
			select {
			case <-t.C:
			case <-out:
				return
			}
		}
	})
	start("ticks, and has no way out", ownTimer, func() {
		for range time.NewTicker(50 * time.Millisecond).C {
		}
	})
}

var (
	keep  []*service
	pipes []*os.File
	taken [][]byte
)

// tick is woken for ever, and has a way out that nobody else knows.
//
//go:noinline
func tick(every time.Duration) {
	t := time.NewTicker(every)
	out := make(chan bool)
	for {
		select {
		case <-t.C:
		case <-out:
			return
		}
	}
}

//go:noinline
func sleeper(c chan int) {
	time.Sleep(time.Hour)
	c <- 1
}

//go:noinline
func reader(r *os.File, c chan int) {
	var b [1]byte
	r.Read(b[:])
	c <- 1
}

//go:noinline
func caller(fd int, c chan int) {
	var b [1]byte
	syscall.Read(fd, b[:])
	c <- 1
}

//go:noinline
func runner(c chan int) {
	for !stop.Load() {
	}
	c <- 1
}

// crowd has n goroutines as services leak them: most wait for a channel of their own with a request behind it.
func crowd(n int) *held {
	h := &held{channel: make(chan int), chain: make(chan int)}
	shared := h.channel
	for i := 0; i < n; i++ {
		switch i % 10 {
		case 0, 1:
			start("shared", reachable, func() { <-shared })
		case 2:
			start("package channel", globals, func() { <-globalChannel })
		case 3:
			start("struct", nothing, func() {
				s := &service{name: "lost", done: make(chan bool)}
				s.lock.Lock()
				s.lock.Lock()
				runtime.KeepAlive(s)
			})
		case 4:
			start("select", nothing, func() {
				s := &service{name: "lost", done: make(chan bool)}
				select {
				case <-s.done:
				case <-make(chan int):
				}
				runtime.KeepAlive(s)
			})
		default:
			start("sender", nothing, func() {
				body := make([]byte, 512)
				make(chan []byte) <- body
			})
		}
	}
	return h
}

func main() {
	var h *held
	switch {
	case len(os.Args) > 2 && os.Args[1] == "crowd":
		n, _ := strconv.Atoi(os.Args[2])
		h = crowd(n)
	case len(os.Args) > 2 && os.Args[1] == "ticks":
		n, _ := strconv.Atoi(os.Args[2])
		for i := 0; i < n; i++ {
			start("ticks, and nobody has its way out", ownTimer, func() { tick(time.Millisecond) })
			start("receives alone", nothing, func() { <-make(chan int) })
		}
	case len(os.Args) > 2 && os.Args[1] == "tiny":
		n, _ := strconv.Atoi(os.Args[2])
		for i := 0; i < n; i++ {
			tinyMutex(nothing)
		}
	default:
		h = &held{channel: make(chan int), chain: make(chan int), counter: new(counter), service: new(service)}
		leaks()
		tinyMutex(nothing)
		byVariables()
		byWhatRuns(h)
		more(h)
	}
	// What is on its way is there by then.
	time.Sleep(300 * time.Millisecond)
	runtime.GC()
	text, err := json.MarshalIndent(truth, "", " ")
	if err == nil {
		err = os.WriteFile("truth.json", text, 0o600)
	}
	if err != nil {
		panic(err)
	}
	syscall.Write(1, []byte("READY\n"))
	for len(os.Args) > 1 && os.Args[1] == "dies" {
		taken = append(taken, bytes.Repeat([]byte{1}, 1<<20))
		time.Sleep(5 * time.Millisecond)
	}
	var b [1]byte
	syscall.Read(0, b[:])
	if profile := pprof.Lookup("goroutineleak"); profile != nil {
		began := time.Now()
		profile.WriteTo(os.Stdout, 2)
		fmt.Printf("\nTOOK %d\n", time.Since(began).Nanoseconds())
	}
	stop.Store(true)
	runtime.KeepAlive(h)
}
