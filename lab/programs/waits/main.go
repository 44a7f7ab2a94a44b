// Command waits holds goroutines that wait, and says nothing else of them than its arguments: for a lock that nobody
// releases, for channels, in reads with and without a deadline, deep in a recursion; and some that have never run. It
// prints READY and stands still until its input ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

var (
	locked   = flag.Int("locked", 7, "goroutines that wait for one mutex")
	reading  = flag.Int("reading", 3, "goroutines that wait to read-lock one lock that is held")
	waiting  = flag.Int("waiting", 2, "goroutines that wait for one wait group")
	shared   = flag.Int("shared", 5, "goroutines that receive from one channel")
	own      = flag.Int("own", 4, "goroutines that each receive from a channel of their own")
	selects  = flag.Int("selects", 6, "goroutines that select between one channel and one of their own")
	endless  = flag.Int("endless", 9, "goroutines that read from a connection without a deadline")
	deadline = flag.Int("deadline", 4, "goroutines that read from a connection with a deadline")
	deep     = flag.Int("deep", 40, "goroutines deep in a recursion")
	depth    = flag.Int("depth", 3000, "calls of that recursion")
	rush     = flag.Int("rush", 0, "goroutines that allocate without end, so that they wait for collections to begin and end")
	unrun    = flag.Int("unrun", 0, "goroutines that have never run: then one runs and lets nobody else")
)

var (
	mutex sync.Mutex
	lock  sync.RWMutex
	group sync.WaitGroup
	sum   int
)

//go:noinline
func waitForLock() { mutex.Lock() }

//go:noinline
func waitToRead() { lock.RLock() }

//go:noinline
func waitForGroup() { group.Wait() }

//go:noinline
func receive(c chan int) { <-c }

//go:noinline
func choose(a, b chan int) {
	select {
	case <-a:
	case b <- 1:
	}
}

//go:noinline
func read(c net.Conn) { c.Read(make([]byte, 8)) }

//go:noinline
func walk(n int) int {
	var path [48]int
	path[n%48] = n
	if n == 0 {
		time.Sleep(time.Hour)
		return 0
	}
	if n%2 == 0 {
		return leaf(n) + path[(n+1)%48]
	}
	return walk(n-1) + path[(n+1)%48]
}

//go:noinline
func leaf(n int) int { return walk(n-1) + 1 }

//go:noinline
func neverRun() { sum++ }

//go:noinline
func build(kept *[]byte) {
	for {
		*kept = make([]byte, 1<<20)
	}
}

// Both ends of n connections.
func connections(n int) []net.Conn {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var all []net.Conn
	for i := 0; i < n; i++ {
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		server, _ := listener.Accept()
		all = append(all, server, client)
	}
	return all
}

func main() {
	flag.Parse()
	debug.SetMaxStack(1 << 30)
	// Waits are noted by a collection, with the time of the one before.
	runtime.GC()
	time.Sleep(200 * time.Millisecond)
	mutex.Lock()
	lock.Lock()
	group.Add(1)
	one := make(chan int)
	held := connections(*endless + *deadline)
	for i := 0; i < *locked; i++ {
		go waitForLock()
	}
	for i := 0; i < *reading; i++ {
		go waitToRead()
	}
	for i := 0; i < *waiting; i++ {
		go waitForGroup()
	}
	for i := 0; i < *shared; i++ {
		go receive(one)
	}
	for i := 0; i < *own; i++ {
		go receive(make(chan int))
	}
	for i := 0; i < *selects; i++ {
		go choose(one, make(chan int))
	}
	for i := 0; i < *endless; i++ {
		go read(held[2*i])
	}
	for i := *endless; i < *endless+*deadline; i++ {
		held[2*i].SetReadDeadline(time.Now().Add(time.Hour))
		go read(held[2*i])
	}
	for i := 0; i < *deep; i++ {
		go walk(*depth + i)
	}
	rushed := make([][]byte, *rush)
	if *rush > 0 {
		debug.SetGCPercent(5)
	}
	for i := range rushed {
		go build(&rushed[i])
	}
	time.Sleep(300 * time.Millisecond)
	runtime.GC()
	if *unrun > 0 {
		fmt.Println("READY")
		runtime.GOMAXPROCS(1)
		for i := 0; i < *unrun; i++ {
			go neverRun()
		}
		// Without asynchronous preemption (GODEBUG) nobody else runs.
		for i := 0; i < 1<<37; i++ {
			sum++
		}
	}
	fmt.Println("READY")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(held)
}
