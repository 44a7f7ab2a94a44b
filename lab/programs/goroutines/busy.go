package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

type node struct {
	next, other *node
	name        string
	data        [10]int
}

var (
	sink   any
	sinkI  int
	heap   []*node
	sinkB  [8][]byte
	sinkMs [8]map[int]*node
)

// work starts goroutines that never rest. Few at a time are on a thread; which, changes all the time.
func work() {
	// Much to mark and a small GOGC: those that allocate must assist.
	for i := 0; i < 200000; i++ {
		heap = append(heap, &node{name: strconv.Itoa(i)})
	}
	debug.SetGCPercent(20)
	go spin()
	go calls()
	go allocateSmall()
	go allocateLarge()
	go maps()
	go clock()
	go grow()
	go system()
	go pingPong()
	go churn()
	go yield()
	go timers()
	busyInC()
}

func spin() {
	for i := 0; ; i++ {
		if i < 0 {
			return
		}
	}
}

//go:noinline
func leaf(i int) int { return i*7 + 1 }

//go:noinline
func middle(i int) int { return leaf(i) + leaf(i+1) }

func calls() {
	for i := 0; ; i++ {
		sinkI = middle(i)
	}
}

func allocateSmall() {
	for i := 0; ; i++ {
		sink = &node{next: heap[i%len(heap)]}
	}
}

func allocateLarge() {
	for i := 0; ; i++ {
		sinkB[i%8] = make([]byte, 40<<10+i%1000)
	}
}

func maps() {
	for i := 0; ; i++ {
		m := make(map[int]*node)
		for k := 0; k < 2000; k++ {
			m[k] = &node{}
		}
		sinkMs[i%8] = m
	}
}

func clock() {
	for {
		if time.Now().UnixNano() == 0 {
			return
		}
	}
}

// big makes frames that a new stack has no room for.
//
//go:noinline
func big(n int) int {
	var room [512]int
	room[n%512] = n
	if n > 0 {
		return big(n-1) + room[(n+1)%512]
	}
	return 0
}

func grow() {
	done := make(chan int)
	for {
		go func() { done <- big(40) }()
		<-done
	}
}

func system() {
	f, err := os.Open("/dev/zero")
	if err != nil {
		return
	}
	buf := make([]byte, 4096)
	for {
		syscall.Getpid()
		f.Read(buf)
	}
}

func pingPong() {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			b <- v
		}
	}()
	for i := 0; ; i++ {
		a <- i
		<-b
	}
}

func churn() {
	for {
		done := make(chan struct{})
		for i := 0; i < 10; i++ {
			go func() { sinkI = middle(i0()); done <- struct{}{} }()
		}
		for i := 0; i < 10; i++ {
			<-done
		}
	}
}

func i0() int { return 0 }

func yield() {
	for {
		runtime.Gosched()
	}
}

func timers() {
	for {
		time.Sleep(time.Microsecond)
	}
}
